//! A memory as a record: JSON with a checksum, made only of what reads back as it was.
//!
//! A record that does not read back never gets to a disk, and one that was damaged there is reported
//! apart from the others, which go on. What is left of a damaged one is what holds writes back.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::goal::Pause;
use super::ids::VariantId;
use super::memory::VariantMemory;
use super::pauses::Pauses;
use super::selector::Selector;
use super::stable_hash::fnv1a;
use super::time::Timestamp;

/// The version of the form. One of a later form is read as far as it is known.
pub const VERSION: u32 = 1;
/// The name of the record of the pauses of more than one variant.
pub const PAUSES: &str = "pauses";

/// The name of the record of what CloudWatch has been asked for.
pub const SPENDING: &str = "spending";

/// A memory and its checksum.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The version of the form; 0 where the place of the record says it.
    #[serde(default)]
    version: u32,
    /// Of the name and the text of the memory. What a person edits by hand has none, and what was
    /// written before there were checksums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    memory: Box<RawValue>,
}

impl Record {
    /// The record of a memory, under the name of what it is of: moved to another name it is damaged.
    ///
    /// # Errors
    /// When it would not read back as it is: JSON has no infinity.
    pub fn of<M>(name: &str, memory: &M) -> Result<Self, String>
    where
        M: Serialize + DeserializeOwned + PartialEq,
    {
        let record = Self::of_checked(name, memory)?;
        if !serde_json::from_str::<M>(record.text()).is_ok_and(|read| read == *memory) {
            return Err("it holds a number that cannot be written down".to_owned());
        }
        Ok(record)
    }

    /// The record of a memory of which there has been one: it is known to read back.
    ///
    /// # Errors
    /// When it has no form as JSON.
    pub fn of_checked<M: Serialize>(name: &str, memory: &M) -> Result<Self, String> {
        let text = serde_json::to_string(memory).map_err(|error| error.to_string())?;
        let checksum = Some(checksum(name, &text));
        let memory = RawValue::from_string(text).map_err(|error| error.to_string())?;
        Ok(Self { version: VERSION, checksum, memory })
    }

    /// The record of the memory of a variant; what is only reported, and never kept, is left out.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_variant(id: &VariantId, memory: &VariantMemory) -> Result<Self, String> {
        let name = id.to_string();
        if memory.volatile.is_none() {
            return Self::of(&name, memory);
        }
        Self::of(&name, &VariantMemory { volatile: None, ..memory.clone() })
    }

    pub const fn found(version: u32, checksum: Option<String>, memory: Box<RawValue>) -> Self {
        Self { version, checksum, memory }
    }

    /// The checksum, which is there when this program made it.
    pub fn checksum(&self) -> Option<&str> {
        self.checksum.as_deref()
    }

    /// The memory as JSON, without a line break.
    pub fn text(&self) -> &str {
        self.memory.get()
    }

    /// The memory in the record of this name. Members that are not known are passed over.
    ///
    /// # Errors
    /// When the checksum is another's, or a member that is known has another form.
    pub fn read<M: DeserializeOwned>(&self, name: &str) -> Result<M, String> {
        let intact =
            self.checksum.as_ref().is_none_or(|found| *found == checksum(name, self.text()));
        if !intact {
            return Err("its checksum is not that of this memory".to_owned());
        }
        serde_json::from_str(self.text()).map_err(|error| {
            if self.version > VERSION {
                format!("version {} of the form is too different: {error}", self.version)
            } else {
                error.to_string()
            }
        })
    }

    /// What is left of the memory of a variant when it cannot be read.
    pub fn rest(&self) -> VariantMemory {
        let memory: Value = serde_json::from_str(self.text()).unwrap_or_default();
        rest_of(&memory)
    }
}

/// What is left of a memory that cannot be read: what a person said to hold writes back, and what
/// only a person may end (rules 10 and 22). A pause that cannot be read holds until a person ends
/// it ([`stands_in`]). Nothing is left that allows a write.
pub fn rest_of(memory: &Value) -> VariantMemory {
    let member = |name: &str| memory.get(name).cloned();
    let pause = match member("pause").map(serde_json::from_value::<Option<Pause>>) {
        Some(Ok(pause)) => pause,
        None if memory.is_object() => None,
        Some(Err(_)) | None => Some(unknown_pause("this variant")),
    };
    let overwrites = member("foreign_overwrites").unwrap_or_default();
    let only = serde_json::json!({ "foreign_overwrites": overwrites });
    let foreign_overwrites =
        serde_json::from_value::<VariantMemory>(only).unwrap_or_default().foreign_overwrites;
    VariantMemory { foreign_overwrites, pause, ..VariantMemory::default() }
}

/// In place of pauses that cannot be read: everything is held until a person ends it
/// ([`stands_in`]).
pub fn unknown_pauses() -> Pauses {
    let mut pauses = Pauses::default();
    // There is room in an empty list.
    let _ = pauses.add(Selector::default(), unknown_pause("all variants"), Timestamp::UNIX_EPOCH);
    pauses
}

/// A pause in place of one that may have been there.
fn unknown_pause(of: &str) -> Pause {
    let reason = format!(
        "{UNREADABLE} {of} could not be read, so one may have been in force. To end this, run \
         `setpoint resume`, or remove the copy that was set aside"
    );
    Pause { until: LONG_AFTER, reason }
}

/// Whether a pause stands in for one that could not be read. A person ends it: by a command, or by
/// removing what was set aside, which is how those without a daemon say that they have looked.
pub fn stands_in(pause: &Pause) -> bool {
    pause.until == LONG_AFTER && pause.reason.starts_with(UNREADABLE)
}

/// Ends the stand-ins in the memory of a variant, once a person has removed what was set aside.
pub fn end_stand_in(memory: &mut VariantMemory) {
    memory.pause.take_if(|pause| stands_in(pause));
}

/// How the reason of a stand-in begins.
const UNREADABLE: &str = "the memory of pauses of";

/// Pauses that only a command ends.
const LONG_AFTER: Timestamp = {
    match chrono::DateTime::from_timestamp(253_402_300_799, 0) {
        // 9999-12-31T23:59:59Z, the last that RFC 3339 can write down.
        Some(end) => end,
        None => Timestamp::MAX_UTC,
    }
};

fn checksum(name: &str, text: &str) -> String {
    let bytes = name.bytes().chain([b' ']).chain(text.bytes());
    format!("{:016x}", fnv1a(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "123456789012/us-east-1/endpoint/a/variant/AllTraffic";

    fn found(text: &str) -> Record {
        serde_json::from_str(text).unwrap()
    }

    fn paused(reason: &str) -> VariantMemory {
        let pause = Some(Pause { until: LONG_AFTER, reason: reason.to_owned() });
        VariantMemory {
            pause,
            adopted: true,
            highest_applied: Some(600.1),
            ..VariantMemory::default()
        }
    }

    #[test]
    fn a_record_reads_back_under_its_own_name_only() {
        let memory = paused("a test");
        let text = serde_json::to_string(&Record::of(NAME, &memory).unwrap()).unwrap();
        assert_eq!(found(&text).read::<VariantMemory>(NAME), Ok(memory));
        assert!(found(&text).read::<VariantMemory>("another").is_err());
        let bent = text.replace("600.1", "900.1");
        assert!(found(&bent).read::<VariantMemory>(NAME).unwrap_err().contains("checksum"));
        assert_eq!(
            found(&bent).rest(),
            VariantMemory { adopted: false, highest_applied: None, ..paused("a test") }
        );
    }

    #[test]
    fn what_does_not_read_back_is_not_written() {
        for value in [f64::INFINITY, f64::NAN] {
            let memory = VariantMemory { highest_applied: Some(value), ..VariantMemory::default() };
            assert!(Record::of(NAME, &memory).unwrap_err().contains("written down"));
        }
    }

    #[test]
    fn older_and_newer_records_are_read_as_far_as_they_are_known() {
        let old = r#"{"version":1,"memory":{"adopted":true}}"#;
        assert!(found(old).read::<VariantMemory>(NAME).unwrap().adopted);
        let new = r#"{"version":9,"since":1,"memory":{"adopted":true,"mood":{"good":[1]},
            "written":{"min_capacity":2.0,"spot_share":{"of":1}},"seen":{"spot_share":3}}}"#;
        let memory = found(new).read::<VariantMemory>(NAME).unwrap();
        assert_eq!((memory.adopted, memory.written.len(), memory.seen.len()), (true, 1, 0));
        let strange = found(r#"{"version":9,"memory":[1]}"#);
        assert!(strange.read::<VariantMemory>(NAME).unwrap_err().contains("version 9"));
    }

    #[test]
    fn a_pause_that_cannot_be_read_holds_until_it_is_ended() {
        let rest = |memory: &str| found(&format!(r#"{{"memory":{memory}}}"#)).rest();
        assert_eq!(rest(r#"{"pause":null,"raises":[null]}"#), VariantMemory::default());
        for lost in [r#"{"pause":{"until":"soon"}}"#, "[]", "7"] {
            let pause = rest(lost).pause.expect(lost);
            assert!(pause.reason.contains("setpoint resume") && stands_in(&pause), "{pause:?}");
        }
        // Only a stand-in ends when what was set aside is removed, and never a person's own pause.
        let mut own = paused("a test");
        end_stand_in(&mut own);
        assert_eq!(own, paused("a test"));
        let mut lost = rest("[]");
        end_stand_in(&mut lost);
        assert_eq!(lost.pause, None);
        let mut all = unknown_pauses();
        all.end_stand_ins();
        assert!(all.is_empty());
        let text = serde_json::to_string(&unknown_pauses()).unwrap();
        assert_eq!(serde_json::from_str::<Pauses>(&text).unwrap(), unknown_pauses());
    }
}
