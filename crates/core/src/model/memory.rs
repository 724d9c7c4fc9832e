//! The little that must be remembered between passes. Losing it makes `setpoint` slower, never
//! bolder: what is missing is taken as if the last raise was just now.

use std::collections::BTreeMap;

use litemap::LiteMap;
use serde::de::{DeserializeOwned, Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::endpoint::VariantKind;
use super::goal::Pause;
use super::keeper::{MemoryWriter, OtherSetpoint};
use super::kept_floors::FloorsMemory;
use super::lasting::Lasting;
use super::opaque::Opaque;
use super::probe::Probes;
use super::reason::Field;
use super::shared::Shared;
use super::time::Timestamp;

/// What is remembered of one variant. Thousands of them are held, each twice while a pass changes it: what
/// seldom changes is shared by the two, and what seldom exists takes no room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VariantMemory {
    /// Since when this variant is remembered. A raise waits 24 hours from here when nothing else
    /// is known: a lost memory must not look like a long quiet past.
    pub since: Option<Timestamp>,
    /// Whether `setpoint` has written this policy, or a person has confirmed a write (rule 4).
    pub adopted: bool,
    /// The last write of the target value.
    pub last_write: Option<TargetWrite>,
    /// The last attempt to write the target value, whatever came of it.
    pub last_attempt: Option<TargetWrite>,
    /// A write that was about to be made and has no outcome yet: a crash in between leaves it here.
    pub intent: Option<Box<TargetWrite>>,
    /// Raises onto new ground of the last 24 hours, oldest first, each with the highest value held
    /// before it. One that failed counts too: it may have landed.
    pub raises: Vec<TargetWrite>,
    /// The highest value that `setpoint` has held in force (rule 8: above it is new ground).
    #[serde(alias = "highest_held")]
    pub highest_applied: Option<f64>,
    /// The target value that `setpoint` last held in force, written or found as wanted, and since
    /// when. What a foreign edit replaced is put back at once, whatever the distance (rule 8).
    #[serde(alias = "last_held")]
    pub last_applied: Option<Seen>,
    /// The safety factor whose headroom that value was last seen to have; absent in older records.
    pub applied_factor: Option<f64>,
    /// The lowering that the last write of the target value was a step of; absent when that write
    /// reached what was wanted (rule 8).
    pub lowering: Option<Lowering>,
    /// The target value that the last pass saw or left in force.
    pub value_in_force: Option<f64>,
    /// Times of the writes of the last 24 hours, oldest first; the steps of one lowering are one
    /// write, at the time of the last of them (rule 10).
    pub writes: Vec<Timestamp>,
    /// The value that each compared field has, and since when: a person's change in the safe
    /// direction is left alone for a while (rule 16).
    #[serde(serialize_with = "as_map", deserialize_with = "known_fields_shared")]
    pub seen: Shared<LiteMap<Field, Seen>>,
    /// The value of each field but the target value that `setpoint` last wrote: what is found
    /// instead of it later is somebody's overwrite (rule 22).
    #[serde(deserialize_with = "known_fields")]
    pub written: BTreeMap<Field, f64>,
    /// Foreign overwrites of values that `setpoint` wrote, of the last 30 days (rule 22).
    #[serde(deserialize_with = "known_fields")]
    pub foreign_overwrites: BTreeMap<Field, Vec<Overwrite>>,
    /// The process that kept this last; absent when a command did.
    pub keeper: Option<Shared<MemoryWriter>>,
    /// The signs of another setpoint that writes this variant, until a person says to go on
    /// (rule 26).
    pub other_setpoint: Option<Box<OtherSetpoint>>,
    /// Writes in a row that AWS certainly did not carry out; absent after one that it did.
    pub refused: Option<Box<Refusals>>,
    /// The name that the policy had when it was last seen.
    pub policy_name: Option<String>,
    /// Since when the scalable target, or the policy alone, has been missing while the endpoint
    /// lives (rule 17a).
    pub missing: BTreeMap<Field, Timestamp>,
    /// What the endpoint config said when it, and the model in it, could be read: both can be
    /// deleted while they serve.
    pub known_config: Option<Shared<KnownConfig>>,
    /// The regime that the last estimate spoke of, and since when it has (rule 11a).
    pub known_regime: Option<KnownRegime>,
    /// The variant as it was when it was last seen settled and registered.
    pub settled: Option<Shared<Settled>>,
    /// A deploy that set the number of instances back, until they are there again.
    pub reset: Option<Box<InstanceReset>>,
    /// Since when min has set the number of instances.
    pub at_min_since: Option<Timestamp>,
    /// A pause asked for by a person.
    pub pause: Option<Pause>,
    /// When the policy was last put again only to fix its alarms (rule 20).
    pub alarms_repaired_at: Option<Timestamp>,
    /// Until when raises are held after a reversal (rule 21).
    pub raises_held_until: Option<Timestamp>,
    /// A raise whose effect is being watched (rule 21).
    pub verification: Option<Box<Verification>>,
    /// The probes of the last week, and the one under way (rule 29).
    #[serde(skip_serializing_if = "Probes::is_empty")]
    pub probes: Shared<Probes>,
    /// The safety factor in use where the configuration says `auto`; it moves at most once a week.
    pub safety_factor: Option<FactorInUse>,
    /// What is remembered of the scheduled floors that setpoint keeps in AWS.
    #[serde(skip_serializing_if = "FloorsMemory::is_empty")]
    pub floors: FloorsMemory,
    /// Since when drift, findings, suspension and the like have lasted.
    #[serde(skip_serializing_if = "Lasting::is_empty")]
    pub lasting: Shared<Lasting>,
    /// The estimator's regime journal, opaque here; at most 2 KiB.
    pub journal: Option<Opaque>,
    /// Why this outlives the process nowhere, where it should; reported, never kept.
    #[serde(skip)]
    pub volatile: Option<String>,
}

impl VariantMemory {
    /// When `setpoint` last wrote, or was about to.
    pub fn last_touched(&self) -> Option<Timestamp> {
        let writes = [&self.last_write, &self.last_attempt].into_iter().flatten();
        let writes = writes.chain(self.intent.as_deref()).map(|write| write.at);
        writes.chain(self.writes.last().copied()).max()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TargetWrite {
    pub at: Timestamp,
    /// The value in force before; absent when the policy was missing.
    pub before: Option<f64>,
    /// The value written.
    pub after: f64,
}

/// A lowering that takes more than one write.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lowering {
    /// The value that it leads to.
    pub to: f64,
    /// Whether a person has confirmed it.
    pub confirmed: bool,
}

/// What an endpoint config says of a variant. AWS never changes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownConfig {
    /// The endpoint config.
    pub name: String,
    /// When the endpoint was made that it was in force on.
    pub endpoint_created_at: Timestamp,
    pub kind: VariantKind,
    /// The instance type, where it states one.
    pub instance_type: Option<String>,
}

/// A regime as passes have seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRegime {
    /// When it began; tells it from others.
    pub started_at: Timestamp,
    /// When a pass first heard of it.
    pub since: Timestamp,
}

/// A value as AWS has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub value: f64,
    /// When it was first seen.
    pub since: Timestamp,
}

/// A foreign overwrite of something `setpoint` had written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Overwrite {
    pub at: Timestamp,
    pub value: f64,
}

/// Writes in a row that AWS refused, so that they certainly did not take effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    pub count: u32,
    /// When the next attempt may be made.
    pub until: Timestamp,
    /// AWS's words.
    pub sentence: String,
}

/// A variant between deploys: in service, no instance on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    pub at: Timestamp,
    /// When the endpoint was made.
    pub created_at: Timestamp,
    /// The endpoint config in force.
    pub config_name: String,
    /// The instance type, where the endpoint config could be read.
    pub instance_type: Option<String>,
    pub instances: u32,
}

/// A deploy that set the number of instances back, as `UpdateEndpoint` does without
/// `RetainAllVariantProperties`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReset {
    pub at: Timestamp,
    /// The endpoint config that came into force.
    pub config_name: String,
    /// Instances in service before.
    pub before: u32,
    /// Instances in service after it.
    pub after: u32,
}

/// A raise whose effect is being watched: from the first scale-in after it until 60 loaded minutes
/// have passed (rule 21).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    pub raised_at: Timestamp,
    /// The value to go back to.
    pub before: f64,
    /// The value written.
    pub after: f64,
    /// Instances at the raise; the watch begins when there are fewer.
    pub instances: u32,
    /// The p95 of the load before the raise: a minute above it, and below the new value, is
    /// loaded.
    pub load_p95: f64,
    /// When the first instance went.
    pub begun_at: Option<Timestamp>,
    /// Minutes up to here have been looked at.
    pub counted_until: Timestamp,
    /// Loaded minutes so far.
    pub loaded_minutes: u32,
    /// Whether each of the last loaded minutes, at most 5, broke the objective.
    pub last_broken: Vec<bool>,
    /// Whether 2 of 5 loaded minutes broke the objective: the old value is to be put back.
    pub failed: bool,
}

/// The safety factor in use where the configuration says `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FactorInUse {
    /// The factor.
    pub value: f64,
    pub since: Timestamp,
}

/// Leaves out the fields of a newer version, which this one does not manage, so that the rest of
/// its memory can be read.
fn known_fields<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<BTreeMap<Field, T>, D::Error> {
    known_keys(deserializer)
}

fn known_fields_shared<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Shared<LiteMap<Field, T>>, D::Error> {
    known_fields(deserializer).map(|known| LiteMap::from_iter(known).into())
}

/// An empty one too, of which its own form would make a list.
fn as_map<S: Serializer, T: Serialize>(
    fields: &Shared<LiteMap<Field, T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter())
}

/// The same of any closed set.
pub(super) fn known_keys<'de, D, K, T>(deserializer: D) -> Result<BTreeMap<K, T>, D::Error>
where
    D: Deserializer<'de>,
    K: DeserializeOwned + Ord,
    T: DeserializeOwned,
{
    if !deserializer.is_human_readable() {
        // Bytes of this process alone, in which there is nothing of another version.
        return BTreeMap::deserialize(deserializer);
    }
    let all = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    let known = all.into_iter().filter_map(|(name, value)| {
        let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            name.as_str().into_deserializer();
        Some((K::deserialize(name).ok()?, value))
    });
    known
        .map(|(key, value)| Ok((key, serde_json::from_value(value).map_err(D::Error::custom)?)))
        .collect()
}
