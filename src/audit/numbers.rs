//! Numbers of a policy that look like a mistake.

use super::{Finding, Look, Severity};
use crate::model::scaling::{Activity, ActivityStatus, DEFAULT_COOLDOWN_SECONDS};
use crate::model::units::human;

/// Up to one request a second for each instance: load tests state rates of this size, and only large
/// models are that slow.
const LIKE_PER_SECOND: f64 = 60.0;
/// From 500 requests a second for each instance: more than most models serve.
const LIKE_PER_HOUR: f64 = 30_000.0;
/// So many scale-outs tell how long instances take to start.
const SCALE_OUTS: usize = 2;

/// A target value in another unit than invocations a minute.
pub(super) fn target_value(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Some(tracking) = look.tracking().filter(|_| look.is_standard()) else { return };
    let value = tracking.target_value;
    if value <= LIKE_PER_SECOND {
        let severity = if look.is_at_max() { Severity::High } else { Severity::Medium };
        found.push(Finding {
            code: "target_like_per_second",
            severity,
            sentence: format!(
                "the target value {} looks like requests per second: it counts a minute, and is 1 \
                 request every {} for each instance",
                human(value),
                every(60.0 / value)
            ),
            advice: format!(
                "if it was meant per second, the target value is {}; if the model is that slow, \
                 leave it",
                human(value * 60.0)
            ),
        });
    } else if value >= LIKE_PER_HOUR {
        found.push(Finding {
            code: "target_like_per_hour",
            severity: Severity::Medium,
            sentence: format!(
                "the target value {} is {} requests per second for each instance: if that is never \
                 reached, it never scales out",
                human(value),
                human((value / 60.0).round())
            ),
            advice: format!(
                "if it was meant per hour, the target value is {}",
                human((value / 60.0 * 100.0).round() / 100.0)
            ),
        });
    }
}

/// `6 s`, `1.5 s`, `2 min`.
fn every(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{} s", human((seconds * 10.0).round() / 10.0))
    } else {
        format!("{} min", human((seconds / 6.0).round() / 10.0))
    }
}

/// A cooldown that ends before the instances it waits for are there.
pub(super) fn cooldowns(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Some(tracking) = look.tracking().filter(|_| look.is_standard()) else { return };
    let cooldown = tracking.scale_out_cooldown_seconds();
    let activities = look.snapshot.activities.known().map_or(&[][..], |all| all.as_slice());
    let starts: Vec<i64> = activities.iter().filter_map(start_seconds).collect();
    let is_default = cooldown == DEFAULT_COOLDOWN_SECONDS;
    if starts.len() >= SCALE_OUTS {
        let takes = median(starts);
        if takes > i64::from(cooldown) {
            let what = if is_default { "AWS's default of " } else { "" };
            found.push(Finding {
                code: "slow_start",
                severity: if is_default { Severity::Medium } else { Severity::Low },
                sentence: format!(
                    "a scale-out takes {}, and the cooldown after it is {what}{cooldown} s: AWS \
                     calls for more before the last ones serve",
                    minutes(takes)
                ),
                advice: format!("set the scale-out cooldown to at least {takes} s"),
            });
        }
        return;
    }
    let both = is_default && tracking.scale_in_cooldown_seconds() == DEFAULT_COOLDOWN_SECONDS;
    if let Some(name) = look.instance_type().filter(|name| both && is_accelerated(name)) {
        found.push(Finding {
            code: "default_cooldowns",
            severity: Severity::Low,
            sentence: format!(
                "both cooldowns are AWS's default of 300 s, and {name} with a large model often \
                 takes longer to start"
            ),
            advice:
                "measure how long an instance takes to serve, and set the scale-out cooldown to \
                     that"
                    .to_owned(),
        });
    }
}

/// How long a scale-out took until its instances were in service.
fn start_seconds(activity: &Activity) -> Option<i64> {
    let scaled_out = activity.cause.contains("-AlarmHigh-")
        && activity.status == ActivityStatus::Successful
        && activity.not_scaled_reasons.is_empty();
    let ended = activity.ended_at.filter(|_| scaled_out)?;
    Some((ended - activity.started_at).num_seconds()).filter(|seconds| *seconds > 0)
}

/// The middle one; of an even number the longer of the two.
fn median(mut seconds: Vec<i64>) -> i64 {
    seconds.sort_unstable();
    seconds.get(seconds.len() / 2).copied().unwrap_or_default()
}

/// `90 s`, `8 min`.
fn minutes(seconds: i64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}

/// GPU, Inferentia and Trainium families.
fn is_accelerated(instance_type: &str) -> bool {
    let family = instance_type.strip_prefix("ml.").unwrap_or(instance_type);
    ["g", "p", "inf", "trn"].iter().any(|start| {
        family
            .strip_prefix(start)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accelerators_are_known_by_their_family() {
        for name in ["ml.g5.xlarge", "ml.p4d.24xlarge", "ml.inf2.xlarge", "ml.trn1.2xlarge"] {
            assert!(is_accelerated(name), "{name}");
        }
        for name in ["ml.c5.xlarge", "ml.m6g.large", "ml.r5.large", "g", ""] {
            assert!(!is_accelerated(name), "{name}");
        }
    }

    #[test]
    fn spans_are_shown_in_the_unit_people_use() {
        assert_eq!(every(6.0), "6 s");
        assert_eq!(every(0.96), "1 s");
        assert_eq!(every(600.0), "10 min");
        assert_eq!((minutes(90), minutes(480)), ("90 s".to_owned(), "8 min".to_owned()));
        assert_eq!(median(vec![300, 60, 480]), 300);
    }
}
