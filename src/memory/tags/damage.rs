//! Tags that hold no whole memory: how long that is awaited, and where they are kept.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::super::codec::{ASIDE, Found, PREFIX, aside, decode};
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::record::rest_of;
use crate::model::time::Timestamp;
use crate::ports::SetAside;

/// What the tags of a target hold of ours.
pub(super) struct Tagged {
    /// The memory, or what is wrong with it.
    pub(super) found: Result<Option<Found>, String>,
    /// Whether something was set aside that nobody has removed since.
    pub(super) aside: bool,
}

impl Tagged {
    pub(super) fn of(id: &VariantId, tags: &BTreeMap<String, String>) -> Self {
        let aside = tags.keys().any(|key| key.starts_with(ASIDE));
        Self { found: decode(id, tags), aside }
    }
}

/// A memory in tags that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    /// Under the keys of what is set aside.
    tags: BTreeMap<String, String>,
    /// When it was first found as it is.
    since: Timestamp,
    why: String,
}

impl Damage {
    pub(super) fn new(tags: &BTreeMap<String, String>, now: Timestamp, why: String) -> Self {
        Self { tags: aside(tags), since: now, why }
    }

    /// The same, since it was first found, if it was found before.
    pub(super) fn again(self, before: Option<Self>) -> Self {
        before.filter(|before| before.tags == self.tags).unwrap_or(self)
    }

    /// Whether it has been so for longer than tags may be late.
    pub(super) fn lasts(&self, now: Timestamp, late: TimeDelta) -> bool {
        now - self.since >= late
    }

    /// The sentence about it while it is awaited.
    pub(super) fn why(&self, arn: &str, late: TimeDelta) -> String {
        let why = &self.why;
        let minutes = late.num_minutes();
        format!(
            "the tags of {arn}: {why} (what stays so for {minutes} minutes is set aside in tags \
             {ASIDE}*)"
        )
    }

    /// The tags that keep it.
    pub(super) fn aside(&self) -> BTreeMap<String, String> {
        self.tags.clone()
    }
}

/// What is left of a memory that was never read: there may have been a pause.
pub(super) fn rest() -> VariantMemory {
    rest_of(&serde_json::Value::Null)
}

/// The memories that could not be read, of these variants.
pub(super) fn sentence(all: &[(&VariantId, Option<&Damage>)]) -> SetAside {
    let Some((id, damage)) = all.first() else { return SetAside::default() };
    let why = damage.map_or_else(String::new, |damage| format!(" ({})", damage.why));
    let records = all.len();
    let memories = if records == 1 { "memory" } else { "memories" };
    let sentence = format!(
        "{records} {memories} in tags could not be read: {}{why}. The tags {PREFIX}* become \
         {ASIDE}* with the next write to the variant. It starts with an empty memory: no raise for 24 hours, and \
         a pause that could not be read holds. Remove the {ASIDE}* tags when you have looked; that \
         ends such a pause",
        id.resource()
    );
    SetAside { records, sentence }
}
