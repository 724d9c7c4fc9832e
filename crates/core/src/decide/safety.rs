//! Whether the target value in force is safe, going by the estimate: the second axis of a variant,
//! worked out in this one place. What a load test says is no measurement.

use chrono::TimeDelta;

use crate::estimate::Context;
use crate::estimate::divergence::{BROKEN_MINUTES, TOLERANCE, compare};
use crate::model::estimate::{Estimate, Finding, Verdict};
use crate::model::goal::Goal;
use crate::model::safety::{Safety, SafetyReport, Unproven};
use crate::model::time::Timestamp;
use crate::model::units::{for_reading, human};

use super::case::Case;
use super::desired::Desired;

/// In the first hour of a regime the ratio of speeds is not known yet, and with it not what one
/// instance serves now (rule 11).
const SETTLING: TimeDelta = TimeDelta::hours(1);
/// From this share of all minutes on, the share is worth a word.
const SHARE_TELLS: f64 = 0.05;

/// What a target value is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    pub estimate: &'a Estimate,
    /// What the configuration wants: the objective and the safety factor.
    pub goal: &'a Goal,
    /// What the target value should be, going by the estimate.
    pub safe: Option<f64>,
    pub now: Timestamp,
}

/// Judges the value in force.
pub fn safety(case: &Case<'_>, desired: &Desired) -> SafetyReport {
    let judge =
        Judge { estimate: case.estimate, goal: case.goal, safe: desired.safe, now: case.now };
    let not_known = |why, sentence: &str| report(Safety::NotKnown(why), sentence.to_owned());
    if case.is_gone() {
        return not_known(Unproven::EndpointMissing, "there is no such variant");
    }
    if let Ok(kind) = &case.kind
        && let Some(because) = kind.unsupported_because()
    {
        return not_known(Unproven::UnsupportedKind, because);
    }
    if case.goal.objective.latency.is_none() {
        return judge.of(case.configured_target());
    }
    if case.snapshot.policies.why().is_some() {
        // That minutes break the objective is known without the value in force, from telemetry.
        return judge.broken(None).filter(|_| case.telemetry.is_ok()).unwrap_or_else(|| {
            not_known(Unproven::CouldNotRead, "the value in force could not be read")
        });
    }
    if let Err(why) = &case.telemetry
        && case.estimate.verdict == Verdict::Unobserved
    {
        let sentence = format!("there is no telemetry: {}", why.message);
        return not_known(Unproven::NoTelemetry, &sentence);
    }
    judge.of(case.configured_target())
}

impl Judge<'_> {
    /// Judges a target value, such as the one in force.
    pub fn of(&self, target: Option<f64>) -> SafetyReport {
        let (estimate, capacity) = (self.estimate, &self.estimate.capacity);
        if self.goal.objective.latency.is_none() {
            let sentence = "no latency objective is configured".to_owned();
            return report(Safety::NotKnown(Unproven::NoObjective), sentence);
        }
        let context =
            Context { configured_target: target, safety_factor: self.goal.safety_factor.get() };
        let compared = compare(estimate.verdict, capacity, &context);
        if compared.above_capacity {
            return report(Safety::AboveCapacity, self.with_broken(self.against(target)));
        }
        if let Some(broken) = self.broken(target) {
            return broken;
        }
        let Some(target) = target else {
            let sentence = "there is no target value in force".to_owned();
            return report(Safety::NotKnown(Unproven::NoTarget), sentence);
        };
        let settling = self.settling_since();
        // Two checks have confirmed a finding, whatever the age of the regime.
        let over = settling.is_none() || self.found(Finding::Over);
        if compared.over && over {
            return report(Safety::Over, self.against(Some(target)));
        }
        if self.found(Finding::Slower) {
            return report(Safety::Slower, self.slower(target));
        }
        if let Some(since) = settling.filter(|_| estimate.verdict.is_two_sided()) {
            // A regime begins a few minutes after the deploy that made it.
            let changed = if since > self.now {
                "has just changed".to_owned()
            } else {
                format!("changed at {}", since.format("%FT%TZ"))
            };
            let sentence =
                format!("the service {changed}; the measurement needs an hour to catch up");
            return report(Safety::NotKnown(Unproven::NewRegime), sentence);
        }
        if compared.under {
            return report(Safety::Under, self.against(Some(target)));
        }
        self.without_finding(target, &context)
    }

    /// Neither clearly too high nor clearly too low.
    fn without_finding(&self, target: f64, context: &Context) -> SafetyReport {
        let capacity = &self.estimate.capacity;
        let number =
            |value: Option<f64>| value.map_or_else(|| "an unknown number".to_owned(), rounded);
        let (why, sentence) = match self.estimate.verdict {
            Verdict::Measured | Verdict::Inferred => {
                if self.safe.is_some_and(|safe| target <= safe * (1.0 + TOLERANCE)) {
                    return report(Safety::Safe, self.against(Some(target)));
                }
                let (low, high) = (number(capacity.low), number(capacity.high));
                let open = format!(
                    "{}, but the measured capacity of {low} to {high} is too wide to tell",
                    self.against(Some(target))
                );
                (Unproven::Undecided, open)
            }
            Verdict::AtLeast => {
                let proven = capacity.lower_bound.zip(context.implied_capacity());
                if proven.is_some_and(|(bound, implied)| bound >= implied) {
                    return report(Safety::Safe, self.against(Some(target)));
                }
                let mut sentence = format!(
                    "{} claims that one instance serves {}; {} is proven so far",
                    rounded(target),
                    number(context.implied_capacity()),
                    number(capacity.lower_bound)
                );
                if let Some(siblings) = &self.estimate.siblings {
                    sentence = format!("{sentence}; {}", siblings.sentence());
                }
                (Unproven::LimitNotSeen, sentence)
            }
            Verdict::Stale => (Unproven::Stale, self.estimate.sentence.clone()),
            Verdict::AtMost | Verdict::Unobserved => {
                (Unproven::NoEvidence, self.estimate.sentence.clone())
            }
        };
        report(Safety::NotKnown(why), sentence)
    }

    fn found(&self, finding: Finding) -> bool {
        self.estimate.findings.contains(&finding)
    }

    /// That the objective is being broken, whatever the target value.
    fn broken(&self, target: Option<f64>) -> Option<SafetyReport> {
        let words = self.broken_words()?;
        let sentence = match (target, self.safe) {
            (Some(target), Some(safe)) if target > safe => {
                format!("{}; {words}", self.against(Some(target)))
            }
            _ => words,
        };
        Some(report(Safety::ObjectiveBroken, sentence))
    }

    fn with_broken(&self, sentence: String) -> String {
        match self.broken_words() {
            Some(words) => format!("{sentence}; {words}"),
            None => sentence,
        }
    }

    /// `at least 15 of the last 30 minutes broke p99 250 ms (72 % of all)`.
    fn broken_words(&self) -> Option<String> {
        if !self.found(Finding::ObjectiveBroken) {
            return None;
        }
        let objective = self.goal.objective.latency.map_or_else(
            || "the objective".to_owned(),
            |latency| format!("{} {} ms", latency.statistic, human(latency.threshold_ms)),
        );
        let minutes = &self.estimate.minutes;
        let share = f64::from(minutes.broken) / f64::from(minutes.used.max(1));
        // What holds now comes first: the share of days says little of an hour.
        let now = if self.estimate.verdict == Verdict::AtMost {
            format!("minutes broke {objective} at every load seen")
        } else {
            format!("at least {BROKEN_MINUTES} of the last 30 minutes broke {objective}")
        };
        Some(if share >= SHARE_TELLS {
            format!("{now} ({:.0} % of all)", share * 100.0)
        } else {
            now
        })
    }

    /// `660 where 202 is safe`, or what else is known to compare with.
    fn against(&self, target: Option<f64>) -> String {
        let capacity = &self.estimate.capacity;
        let target = target.map_or_else(|| "nothing".to_owned(), rounded);
        match (self.safe, self.estimate.verdict, capacity.lower_bound, capacity.high) {
            (Some(safe), Verdict::Measured | Verdict::Inferred, ..) => {
                format!("{target} where {} is safe", rounded(safe))
            }
            (_, Verdict::AtLeast, Some(bound), _) => {
                format!("{target}, and one instance is proven to serve {}", rounded(bound))
            }
            (.., Some(high)) => {
                format!("{target}, and one instance serves at most {}", rounded(high))
            }
            _ => format!("{target} is in force"),
        }
    }

    fn slower(&self, target: f64) -> String {
        let regime = self.estimate.regime;
        let ratio = regime.and_then(|regime| regime.speed_ratio);
        let times = ratio.map_or_else(|| "longer".to_owned(), |r| format!("{r:.1} times as long"));
        let since = regime.map_or_else(String::new, |regime| {
            format!(" since {}", regime.started_at.format("%FT%TZ"))
        });
        format!("requests take {times}{since}; {}", self.against(Some(target)))
    }

    /// Since when the regime holds, in its first hour.
    fn settling_since(&self) -> Option<Timestamp> {
        let since = self.estimate.regime?.started_at;
        (self.now < since + SETTLING).then_some(since)
    }
}

/// Nobody needs decimals of a value that is measured within 10 %.
fn rounded(value: f64) -> String {
    human(for_reading(value))
}

const fn report(state: Safety, sentence: String) -> SafetyReport {
    SafetyReport { state, sentence }
}
