//! What lasts is said when it begins, again while it lasts, and once when it is over: a line in each
//! pass drowns the log, and one line for a whole outage is lost in it.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::fact::{Why, WhyKind};
use crate::model::ids::Scope;
use crate::model::status::{FleetStatus, MemoryStatus};
use crate::model::time::Timestamp;

/// How often what lasts is said again.
pub(super) const AGAIN_AFTER: TimeDelta = TimeDelta::minutes(10);

/// What lasts, and since when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Unreadable(Scope),
    Undescribed(Scope),
    Telemetry(Scope),
    MemoryUnread,
    MemoryUnsaved,
    BudgetShort,
}

#[derive(Debug, Clone, Copy)]
struct Warned {
    since: Timestamp,
    at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Repeated(BTreeMap<Trouble, Warned>);

impl Repeated {
    /// Says what is due of the state after a pass.
    pub(super) fn warn(&mut self, fleet: &FleetStatus) {
        let Some(now) = fleet.at else { return };
        for (scope, why) in &fleet.scopes {
            let (account_id, region) = (scope.account_id.as_str(), scope.region.as_str());
            match self.due(Trouble::Unreadable(scope.clone()), why.as_ref(), now) {
                Due::Warning(why, since) => tracing::warn!(
                    account_id,
                    region,
                    kind = why.kind.as_str(),
                    since,
                    "cannot be read: {}",
                    why.message
                ),
                Due::Over(since) => {
                    tracing::info!(account_id, region, since, "can be read again");
                }
                Due::Nothing => {}
            }
        }
        for scope in fleet.scopes.keys() {
            let (account_id, region) = (scope.account_id.as_str(), scope.region.as_str());
            let found = fleet.undescribed.get(scope);
            let why = found.map(|found| Why::new(found.why.kind, found.words()));
            match self.due(Trouble::Undescribed(scope.clone()), why.as_ref(), now) {
                Due::Warning(why, since) => {
                    tracing::warn!(account_id, region, since, "{}", why.message);
                }
                Due::Over(since) => {
                    tracing::info!(account_id, region, since, "every endpoint could be described");
                }
                Due::Nothing => {}
            }
        }
        self.warn_of_telemetry(fleet, now);
        self.0.retain(|trouble, _| match trouble {
            Trouble::Unreadable(scope)
            | Trouble::Undescribed(scope)
            | Trouble::Telemetry(scope) => fleet.scopes.contains_key(scope),
            _ => true,
        });
        if let Some(memory) = &fleet.memory {
            self.warn_of_memory(memory, now);
        }
        let short = fleet.saving.sentence().map(|why| Why::new(WhyKind::NotAsked, why));
        match self.due(Trouble::BudgetShort, short.as_ref(), now) {
            Due::Warning(why, since) => tracing::warn!(since, "{}", why.message),
            Due::Over(since) => tracing::info!(since, "everything is read of CloudWatch again"),
            Due::Nothing => {}
        }
    }

    fn warn_of_telemetry(&mut self, fleet: &FleetStatus, now: Timestamp) {
        for scope in fleet.scopes.keys() {
            let (account_id, region) = (scope.account_id.as_str(), scope.region.as_str());
            let found = fleet.telemetry_unread.get(scope);
            let why = found.map(|found| Why::new(found.why.kind, found.words()));
            match self.due(Trouble::Telemetry(scope.clone()), why.as_ref(), now) {
                Due::Warning(why, since) => tracing::warn!(
                    account_id,
                    region,
                    operation = "GetMetricData",
                    kind = why.kind.as_str(),
                    variants = found.map(|found| found.variants),
                    since,
                    "{}",
                    why.message
                ),
                Due::Over(since) => {
                    tracing::info!(
                        account_id,
                        region,
                        since,
                        "no read of telemetry fails any more"
                    );
                }
                Due::Nothing => {}
            }
        }
    }

    fn warn_of_memory(&mut self, memory: &MemoryStatus, now: Timestamp) {
        match self.due(Trouble::MemoryUnread, memory.unread.as_ref(), now) {
            Due::Warning(why, since) => tracing::warn!(
                since,
                "the memory cannot be read, and nothing that depends on it is written: {}",
                why.message
            ),
            Due::Over(since) => tracing::info!(since, "the memory can be read again"),
            Due::Nothing => {}
        }
        match self.due(Trouble::MemoryUnsaved, memory.unsaved.as_ref(), now) {
            Due::Warning(why, since) => tracing::warn!(
                since,
                "the memory cannot be saved, and nothing that must be remembered is written: {}",
                why.message
            ),
            Due::Over(since) => tracing::info!(since, "the memory can be saved again"),
            Due::Nothing => {}
        }
    }

    fn due<'w>(&mut self, trouble: Trouble, why: Option<&'w Why>, now: Timestamp) -> Due<'w> {
        let before = self.0.get(&trouble).copied();
        let Some(why) = why else {
            return match self.0.remove(&trouble) {
                Some(before) => Due::Over(stamp(before.since)),
                None => Due::Nothing,
            };
        };
        // A clock that was set back must not silence it.
        if before.is_some_and(|before| before.at <= now && now - before.at < AGAIN_AFTER) {
            return Due::Nothing;
        }
        let since = before.map_or(now, |before| before.since);
        self.0.insert(trouble, Warned { since, at: now });
        Due::Warning(why, stamp(since))
    }
}

/// What is to be said now.
#[derive(Debug, PartialEq)]
enum Due<'w> {
    Warning(&'w Why, String),
    Over(String),
    Nothing,
}

fn stamp(at: Timestamp) -> String {
    at.format("%FT%TZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::WhyKind;

    fn at(minute: i64) -> Timestamp {
        chrono::DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn what_lasts_is_said_every_ten_minutes_and_its_end_once() {
        let mut repeated = Repeated::default();
        let why = Why::new(WhyKind::Denied, "denied");
        let mut said = |minute, why| match repeated.due(Trouble::MemoryUnread, why, at(minute)) {
            Due::Warning(_, since) => format!("{minute}: since {since}"),
            Due::Over(_) => format!("{minute}: over"),
            Due::Nothing => String::new(),
        };
        let mut lines: Vec<String> = (0..25).map(|minute| said(minute, Some(&why))).collect();
        lines.extend((25..40).map(|minute| said(minute, None)));
        lines.retain(|line| !line.is_empty());
        let since = "since 1970-01-01T00:00:00Z";
        let expected = ["0", "10", "20"].map(|minute| format!("{minute}: {since}"));
        assert_eq!(lines[..3], expected);
        assert_eq!(lines[3..], ["25: over"]);
        // A second outage begins a new one, and a clock that is set back says it at once.
        assert_eq!(said(50, Some(&why)), "50: since 1970-01-01T00:50:00Z");
        assert_eq!(said(51, Some(&why)), "");
        assert_eq!(said(40, Some(&why)), "40: since 1970-01-01T00:50:00Z");
    }
}
