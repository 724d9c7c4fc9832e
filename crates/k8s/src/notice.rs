//! What an Event says of a decision, and how many are sent. Pure: time is an argument.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use setpoint_core::model::bucket::{Bucket, Rate};
use setpoint_core::model::decision::{Decision, Note, Outcome, StepResult};
use setpoint_core::model::ids::VariantId;
use setpoint_core::model::reason::ActionKind;
use setpoint_core::model::time::Timestamp;

/// The longest note that Kubernetes takes, in bytes.
const NOTE_MAX: usize = 1024;
/// A repetition within this time is counted on the Event that is there already.
const SERIES: TimeDelta = TimeDelta::minutes(30);

/// Whether somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// It is as it should be, or on its way there.
    Normal,
    /// Something differs and stays so, or a write failed.
    Warning,
}

impl Severity {
    /// Kubernetes' word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// What an Event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) variant: VariantId,
    pub(super) severity: Severity,
    /// The reason code in CamelCase.
    pub(super) reason: String,
    /// What was done, in CamelCase.
    pub(super) action: String,
    /// The variant and the sentence.
    pub(super) note: String,
}

impl Notice {
    /// What to say of a decision; nothing when there was nothing to do, nothing was done, and what
    /// is in force is not known to be unsafe.
    pub(super) fn of(decision: &Decision, outcome: Option<&Outcome>) -> Option<Self> {
        let report = &decision.report;
        if report.action == ActionKind::None && outcome.is_none() && !report.is_unsafe() {
            return None;
        }
        let steps = || outcome.iter().flat_map(|outcome| &outcome.steps);
        let failed = steps().find(|step| step.result != StepResult::Success);
        let held = report.action == ActionKind::Hold && !report.reason.class().expected;
        // The account and region too: endpoints of several may have one name.
        let mut note = format!("{}: {}", decision.variant, report.headline());
        if let Some(step) = failed {
            note = format!("{note}; {}: {}", step.operation, step.sentence);
        }
        Some(Self {
            variant: decision.variant.clone(),
            severity: if failed.is_some() || held || report.is_unsafe() {
                Severity::Warning
            } else {
                Severity::Normal
            },
            reason: camel_case(match failed.and_then(|step| step.reason) {
                Some(reason) => reason.as_str(),
                // As configured, and that is the trouble.
                None if report.action == ActionKind::None && report.is_unsafe() => {
                    report.safety.state.as_str()
                }
                None => report.reason.as_str(),
            }),
            action: camel_case(report.action.as_str()),
            note: cut(note, NOTE_MAX),
        })
    }

    /// What to say of something that happened to a variant.
    pub(super) fn news(variant: &VariantId, note: &Note) -> Self {
        Self {
            variant: variant.clone(),
            severity: Severity::Warning,
            reason: camel_case(note.reason.as_str()),
            action: camel_case(ActionKind::None.as_str()),
            note: cut(format!("{}: {}", variant.short(), note.sentence), NOTE_MAX),
        }
    }
}

fn camel_case(word: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().collect::<String>() + letters.as_str()
        })
    };
    word.split('_').map(capital).collect()
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most - "…".len()).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

/// How many Events may be sent. The bursts are for a rollout or an incident; what goes beyond is in
/// the log and in the metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of the whole process at once, and the time after which one more may follow.
    pub(super) all: Rate,
    /// Of one variant at once, and the time after which one more may follow.
    pub(super) variant: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            all: Rate { burst: 50.0, per_second: 1.0 },
            variant: Rate { burst: 5.0, per_second: 1.0 / 60.0 },
        }
    }
}

/// What becomes of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    /// The Event of this name has been seen so many times now.
    Again {
        event: String,
        /// How often, this time included.
        count: i32,
    },
    /// Too many.
    Dropped,
}

/// The last Event of a variant.
#[derive(Debug)]
struct Last {
    notice: Notice,
    event: Option<String>,
    count: i32,
    at: Timestamp,
    bucket: Bucket,
}

/// Decides which notices are sent.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: Limits,
    all: Bucket,
    last: BTreeMap<VariantId, Last>,
}

impl Limiter {
    pub(super) fn new(limits: Limits, now: Timestamp) -> Self {
        let all = Bucket::new(limits.all, now);
        Self { limits, all, last: BTreeMap::new() }
    }

    pub(super) fn admit(&mut self, notice: &Notice, now: Timestamp) -> Verdict {
        // What has been quiet for so long has its tokens back: forgetting it changes nothing.
        self.last.retain(|_, last| now - last.at < SERIES);
        let limits = self.limits;
        let last = self.last.entry(notice.variant.clone()).or_insert_with(|| Last {
            notice: notice.clone(),
            event: None,
            count: 0,
            at: now,
            bucket: Bucket::new(limits.variant, now),
        });
        if !last.bucket.take(limits.variant, now) || !self.all.take(limits.all, now) {
            return Verdict::Dropped;
        }
        last.at = now;
        if last.notice == *notice
            && let Some(event) = last.event.clone()
        {
            last.count += 1;
            return Verdict::Again { event, count: last.count };
        }
        last.notice = notice.clone();
        last.event = None;
        Verdict::New
    }

    /// The notice was sent as a new Event of this name.
    pub(super) fn sent(&mut self, notice: &Notice, event: String) {
        if let Some(last) = self.last.get_mut(&notice.variant) {
            last.event = Some(event);
            last.count = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use setpoint_core::model::decision::{Plan, Report};
    use setpoint_core::model::estimate::Estimate;
    use setpoint_core::model::goal::Mode;
    use setpoint_core::model::reason::Reason;
    use setpoint_core::model::rules::{Confirmed, Rules};
    use setpoint_core::model::safety::{Safety, SafetyReport};

    fn notice(endpoint: &str, note: &str) -> Notice {
        Notice {
            variant: VariantId::of(
                "123456789012".parse().unwrap(),
                "us-east-1".parse().unwrap(),
                endpoint.parse().unwrap(),
                "AllTraffic".parse().unwrap(),
            ),
            severity: Severity::Normal,
            reason: "Drift".to_owned(),
            action: "Repair".to_owned(),
            note: note.to_owned(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// What is decided of a listed variant that is as configured.
    fn as_configured(state: Safety) -> Decision {
        let report = Report {
            mode: Mode::Repair,
            managed: true,
            action: ActionKind::None,
            reason: Reason::InSync,
            sentence: "in sync".to_owned(),
            fields: Vec::new().into(),
            notes: Box::default(),
            comparable: true,
            configured_target: Some(660.0),
            formula_target: Some(660.0),
            load_test_problem: None,
            safe_target: Some(202.0),
            wanted_target: Some(660.0),
            desired_target: Some(660.0),
            divergence: None,
            instances: None,
            estimate: Estimate::unobserved("a test").into(),
            safety: SafetyReport { state, sentence: "660 where 202 is safe".to_owned() },
            would: setpoint_core::model::shared::Shared::default(),
        };
        let variant = notice("doc-embedder", "").variant;
        let id = "a-test".to_owned();
        let rules = Rules {
            since: None,
            may_probe: false,
            account_id: None,
            enabled: true,
            freeze: None,
            telemetry_max_age: TimeDelta::hours(1),
            writes_per_hour: 1,
            writes_per_day: 1,
            confirmed: Confirmed::Nothing,
        };
        Decision {
            id,
            at: at(0),
            variant,
            rules: rules.into(),
            plan: Plan::default(),
            report: report.into(),
            wake_at: None,
        }
    }

    #[test]
    fn what_is_as_configured_and_unsafe_is_a_warning_and_what_is_safe_is_nothing() {
        assert_eq!(Notice::of(&as_configured(Safety::Safe), None), None);
        let warning = Notice::of(&as_configured(Safety::AboveCapacity), None).unwrap();
        assert_eq!(warning.severity, Severity::Warning);
        assert_eq!(warning.reason, "AboveCapacity");
        let note = "doc-embedder/AllTraffic: as configured, unsafe: 660 where 202 is safe";
        assert!(warning.note.ends_with(note), "{}", warning.note);
        // Nobody is called for what nobody lists.
        let mut unlisted = as_configured(Safety::AboveCapacity);
        unlisted.report.managed = false;
        assert_eq!(Notice::of(&unlisted, None), None);
    }

    #[test]
    fn words_become_camel_case_and_long_notes_end_with_an_ellipsis() {
        assert_eq!(camel_case("safe_change_grace"), "SafeChangeGrace");
        assert_eq!(camel_case("in_sync"), "InSync");
        let long = cut("ä".repeat(2000), NOTE_MAX);
        assert!(long.len() <= NOTE_MAX && long.len() > NOTE_MAX - 4 && long.ends_with('…'));
        assert_eq!(cut("short".to_owned(), NOTE_MAX), "short");
        assert!(Reason::ALL.iter().all(|reason| camel_case(reason.as_str()).len() <= 128));
    }

    #[test]
    fn a_repetition_counts_on_the_event_that_is_there() {
        let mut limiter = Limiter::new(Limits::default(), at(0));
        let drift = notice("a", "drift");
        assert_eq!(limiter.admit(&drift, at(0)), Verdict::New);
        limiter.sent(&drift, "event-1".to_owned());
        let again = |count| Verdict::Again { event: "event-1".to_owned(), count };
        assert_eq!(limiter.admit(&drift, at(60)), again(2));
        assert_eq!(limiter.admit(&drift, at(120)), again(3));
        assert_eq!(limiter.admit(&notice("a", "other"), at(180)), Verdict::New);
        assert_eq!(limiter.admit(&drift, at(240)), Verdict::New, "only the last one");
        limiter.sent(&drift, "event-2".to_owned());
        assert_eq!(limiter.admit(&drift, at(240 + 1800)), Verdict::New, "too long ago");
    }

    #[test]
    fn one_loud_variant_is_limited_and_the_others_are_not() {
        let mut limiter = Limiter::new(Limits::default(), at(0));
        let sent = |limiter: &mut Limiter, endpoint: &str, n: usize, when: i64| {
            let notes = (0..n).map(|i| notice(endpoint, &i.to_string()));
            notes.filter(|n| limiter.admit(n, at(when)) != Verdict::Dropped).count()
        };
        assert_eq!(sent(&mut limiter, "loud", 20, 0), 5);
        assert_eq!(sent(&mut limiter, "quiet", 1, 0), 1);
        assert_eq!(sent(&mut limiter, "loud", 20, 120), 2, "one a minute");
    }

    #[test]
    fn a_mass_event_is_limited_as_a_whole() {
        let mut limiter = Limiter::new(Limits::default(), at(0));
        let all: Vec<Notice> = (0..500).map(|i| notice(&format!("e{i}"), "drift")).collect();
        let sent = |limiter: &mut Limiter, when: i64| {
            all.iter().filter(|n| limiter.admit(n, at(when)) != Verdict::Dropped).count()
        };
        assert_eq!(sent(&mut limiter, 0), 50);
        assert_eq!(sent(&mut limiter, 10), 10, "one a second");
    }
}
