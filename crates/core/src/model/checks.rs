//! The border: every number of AWS that something is decided on is checked here, once, before it
//! becomes a fact. A value that AWS cannot have is an answer that makes no sense, not a value.

use super::scaling::{Alarm, ScalableTarget, ScalingPolicy, ScheduledAction};

/// What a bound of capacity reads as when AWS did not state it, or stated no whole number of 32
/// bits. The SDK's types have no other way to say so: it would put a zero.
pub const NOT_STATED: i32 = i32::MIN;
/// The longest text of AWS that is kept, in bytes: names are shorter, messages are cut.
pub const TEXT_MAX: usize = 1024;

/// What a text ends with that was cut.
const CUT: &str = "...";

/// Checks a scalable target.
pub fn target(target: &ScalableTarget) -> Result<(), String> {
    let (min, max) = (target.min_capacity, target.max_capacity);
    bound("MinCapacity", min)?;
    bound("MaxCapacity", max)?;
    if min > max {
        return Err(format!("MinCapacity {min} is above MaxCapacity {max}"));
    }
    Ok(())
}

/// Checks a scaling policy.
pub fn policy(policy: &ScalingPolicy) -> Result<(), String> {
    if policy.name.is_empty() || policy.name.len() > TEXT_MAX {
        return Err("it has no PolicyName that AWS allows".to_owned());
    }
    let Some(tracking) = policy.tracking() else { return Ok(()) };
    target_value(tracking.target_value)?;
    for (name, seconds) in [
        ("ScaleOutCooldown", tracking.scale_out_cooldown),
        ("ScaleInCooldown", tracking.scale_in_cooldown),
    ] {
        if let Some(seconds) = seconds.filter(|seconds| *seconds < 0) {
            return Err(not_allowed(name, f64::from(seconds), "0 or more"));
        }
    }
    Ok(())
}

/// Checks a target value, read or about to be written.
pub fn target_value(value: f64) -> Result<(), String> {
    if value.is_nan() {
        return Err("TargetValue is not stated".to_owned());
    }
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(not_allowed("TargetValue", value, "a finite number above 0"))
}

/// Checks a scheduled action.
pub fn scheduled_action(action: &ScheduledAction) -> Result<(), String> {
    for (name, value) in
        [("MinCapacity", action.min_capacity), ("MaxCapacity", action.max_capacity)]
    {
        value.map_or(Ok(()), |value| bound(name, value))?;
    }
    Ok(())
}

/// Checks an alarm.
pub fn alarm(alarm: &Alarm) -> Result<(), String> {
    match alarm.threshold {
        Some(value) if !value.is_finite() => {
            Err(not_allowed("Threshold", value, "a finite number"))
        }
        _ => Ok(()),
    }
}

/// Checks a datapoint of a metric that `setpoint` reads: counts and latencies.
pub fn datapoint(value: f64) -> Result<(), String> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(not_allowed("a datapoint", value, "a finite number, 0 or more"))
}

fn bound(name: &str, value: i32) -> Result<(), String> {
    match value {
        0.. => Ok(()),
        NOT_STATED => Err(format!("{name} is not stated")),
        _ => Err(not_allowed(name, f64::from(value), "0 or more")),
    }
}

fn not_allowed(name: &str, found: f64, allowed: &str) -> String {
    format!("{name} is {found} (allowed: {allowed})")
}

/// A text of AWS in at most [`TEXT_MAX`] bytes, and in one line: it goes into logs, Events and
/// pages.
pub fn text(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(TEXT_MAX));
    let mut fits = 0;
    for c in text.chars() {
        if kept.len() <= TEXT_MAX - CUT.len() {
            fits = kept.len();
        }
        if c.is_control() {
            kept.extend(c.escape_default());
        } else {
            kept.push(c);
        }
        if kept.len() > TEXT_MAX {
            kept.truncate(fits);
            kept.push_str(CUT);
            break;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_values_are_finite_and_above_zero() {
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, -600.0] {
            assert!(target_value(wrong).is_err(), "{wrong}");
        }
        for right in [f64::MIN_POSITIVE, 0.5, 600.0, 1e9] {
            assert_eq!(target_value(right), Ok(()), "{right}");
        }
    }

    #[test]
    fn bounds_are_stated_and_not_negative() {
        assert_eq!(bound("MinCapacity", 0), Ok(()));
        assert_eq!(bound("M", NOT_STATED), Err("M is not stated".to_owned()));
        assert_eq!(bound("M", -1), Err("M is -1 (allowed: 0 or more)".to_owned()));
    }

    #[test]
    fn texts_are_short_and_in_one_line() {
        assert_eq!(text("throttled"), "throttled");
        assert_eq!(text("one\r\nlevel=info two\u{1b}[31m"), "one\\r\\nlevel=info two\\u{1b}[31m");
        let long = "ä".repeat(1000);
        let cut = text(&long);
        assert!(cut.starts_with("ää") && cut.ends_with("ä..."), "{cut}");
        for long in [&long, &"\u{7f}".repeat(1000), &"x".repeat(1 << 20), &"\n".repeat(600)] {
            let cut = text(long);
            assert!(cut.len() <= TEXT_MAX && cut.len() > TEXT_MAX - 20, "{}", cut.len());
        }
        assert_eq!(text(&"x".repeat(TEXT_MAX)).len(), TEXT_MAX);
        assert!(!text(&"x".repeat(TEXT_MAX)).contains(CUT));
    }
}
