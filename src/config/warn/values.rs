//! Values that are allowed and look as if they were typed in another unit, at another time or for
//! another key.

use chrono::Days;

use super::super::settings::Target;
use super::super::{Config, DiscoveryTelemetry};
use super::{of_key, of_target};
use crate::model::floors::FloorsMode;
use crate::model::goal::{Goal, Mode};
use crate::model::time::Timestamp;
use crate::model::units::{formula, human};
use crate::model::warning::ConfigWarning;

/// No model answers faster than the network it is called over.
const FASTEST_MS: f64 = 1.0;
/// SageMaker ends a real-time invocation after 60 seconds (`InvokeEndpoint` in its API reference).
const SLOWEST_MS: f64 = 60_000.0;
/// With half of all answers an error nothing is served well.
const ERROR_RATE_MAX: f64 = 0.5;
/// No instance serves more requests a second than this: the rate is of all instances, or of a minute.
const RPS_MAX: f64 = 10_000.0;
/// A cooldown of hours is a number of milliseconds.
const COOLDOWN_MAX_SECONDS: i32 = 3 * 3600;
/// A load test of the far past may have the wrong century, or month and year the wrong way round:
/// SageMaker began in November 2017.
const SAGEMAKER_BEGAN: (i32, u32, u32) = (2017, 11, 29);

/// Everything that is strange about values.
pub(super) fn warnings(config: &Config, now: Timestamp) -> Vec<ConfigWarning> {
    let mut found = windows(config, now);
    for target in &config.targets {
        let mut say = |code: &'static str, key: &str, sentence: String| {
            found.push(of_target(config, target, code, key, sentence));
        };
        objective(&target.goal, &mut say);
        capacity(&target.goal, &mut say);
        floors(&target.goal, &mut say);
        cooldowns(&target.goal, &mut say);
        load_test(target, now, &mut say);
        limits(target, &mut say);
        pause(target, now, &mut say);
        aims(config, target, &mut say);
    }
    found
}

type Say<'a> = dyn FnMut(&'static str, &str, String) + 'a;

fn objective(goal: &Goal, say: &mut Say<'_>) {
    let key = "objective.latency.threshold_ms";
    if let Some(latency) = goal.objective.latency {
        let ms = latency.threshold_ms;
        if ms < FASTEST_MS {
            let meant = human(ms * 1000.0);
            let sentence = format!(
                "{} ms is faster than any model answers; the unit is milliseconds (is {meant} meant?)",
                human(ms)
            );
            say("objective_too_short", key, sentence);
        } else if ms > SLOWEST_MS {
            let meant = human(ms / 1000.0);
            let sentence = format!(
                "{} ms is more than the 60 s after which SageMaker ends an invocation; the unit is \
                 milliseconds (is {meant} meant?)",
                human(ms)
            );
            say("objective_too_long", key, sentence);
        }
    }
    let rate = goal.objective.error_rate_max;
    if rate > ERROR_RATE_MAX {
        let sentence = format!(
            "{} lets {} % of all answers be errors; it is a share (1 % is 0.01)",
            human(rate),
            human(rate * 100.0)
        );
        say("error_rate_too_high", "objective.error_rate_max", sentence);
    }
}

fn capacity(goal: &Goal, say: &mut Say<'_>) {
    if goal.capacity.min == Some(0) {
        let sentence =
            "0 is not possible for a real-time variant: SageMaker keeps at least 1 instance";
        say("min_is_zero", "capacity.min", sentence.to_owned());
    }
}

/// Floors lie between the configured min and max, and not between whatever AWS has at the moment.
fn floors(goal: &Goal, say: &mut Say<'_>) {
    let bounded = goal.capacity.min.is_some() && goal.capacity.max.is_some();
    if goal.floors.mode == FloorsMode::Keep && !bounded {
        let sentence = "keep needs capacity.min and capacity.max: without both no floor is kept";
        say("floors_without_bounds", "floors", sentence.to_owned());
    }
}

fn cooldowns(goal: &Goal, say: &mut Say<'_>) {
    for (key, seconds) in [
        ("cooldown.scale_out_seconds", goal.cooldown.scale_out_seconds),
        ("cooldown.scale_in_seconds", goal.cooldown.scale_in_seconds),
    ] {
        if let Some(seconds) = seconds.filter(|seconds| *seconds > COOLDOWN_MAX_SECONDS) {
            let hours = (f64::from(seconds) / 360.0).round() / 10.0;
            let sentence = format!("{seconds} s are {hours} hours; the unit is seconds");
            say("cooldown_too_long", key, sentence);
        }
    }
}

fn load_test(target: &Target, now: Timestamp, say: &mut Say<'_>) {
    let Some(test) = &target.goal.load_test else { return };
    let rps = test.max_rps.get();
    if rps > RPS_MAX {
        let sentence = format!(
            "{} requests a second are more than one instance serves; the unit is requests per second of one \
             instance (is {} a minute meant, which is {}?)",
            human(rps),
            human(rps),
            human((rps / 60.0 * 10.0).round() / 10.0)
        );
        say("rate_too_high", "load_test.max_rps", sentence);
    }
    let Some(date) = test.date else { return };
    // Somewhere the next day has begun.
    let today = now.date_naive();
    let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
    if date > tomorrow {
        let sentence = format!("{date} is in the future: today is {today}");
        say("load_test_in_the_future", "load_test.date", sentence);
    }
    let (year, month, day) = SAGEMAKER_BEGAN;
    if chrono::NaiveDate::from_ymd_opt(year, month, day).is_some_and(|began| date < began) {
        let sentence = format!("{date} is before SageMaker existed ({year}-{month}-{day})");
        say("load_test_too_old", "load_test.date", sentence);
    }
}

/// What the owner's limits do to the formula.
fn limits(target: &Target, say: &mut Say<'_>) {
    let Some(test) = &target.goal.load_test else { return };
    let formula = formula(test.max_rps.get(), target.goal.safety_factor.get());
    if let Some(floor) = target.goal.target_value.floor.filter(|floor| floor.get() > formula) {
        let sentence = format!(
            "{} is above the formula target {} of the load test: it is always the floor that is \
             written, with less headroom than the safety factor asks for",
            human(floor.get()),
            human(formula)
        );
        say("floor_above_formula", "target_value.floor", sentence);
    }
}

fn pause(target: &Target, now: Timestamp, say: &mut Say<'_>) {
    if let Some(pause) = target.goal.paused.as_ref().filter(|pause| pause.until <= now) {
        let until = pause.until.format("%FT%TZ");
        let sentence = format!("{until} is past: the pause holds nothing (remove it)");
        say("pause_is_over", "pause.until", sentence);
    }
}

/// A mode that has nothing to do.
fn aims(config: &Config, target: &Target, say: &mut Say<'_>) {
    let Goal { mode, capacity, cooldown, disable_scale_in, objective, .. } = &target.goal;
    let states_something = target.goal.load_test.is_some()
        || capacity.min.or(capacity.max).is_some()
        || cooldown.scale_out_seconds.or(cooldown.scale_in_seconds).is_some()
        || disable_scale_in.is_some();
    if *mode == Mode::Repair && !states_something {
        let sentence = "repair has nothing to restore: state load_test, capacity, cooldown or \
                        disable_scale_in";
        say("nothing_to_repair", "mode", sentence.to_owned());
    }
    if *mode != Mode::Auto {
        return;
    }
    if objective.latency.is_none() {
        let sentence = "auto follows the measured capacity, and without objective.latency none is \
                        ever measured";
        say("auto_without_objective", "mode", sentence.to_owned());
    } else if config.telemetry.budget_dollars_per_month <= 0.0 {
        let sentence = "auto follows the measured capacity, and telemetry.budget_dollars_per_month \
                        of 0 reads no metrics";
        say("auto_without_telemetry", "mode", sentence.to_owned());
    }
}

fn windows(config: &Config, now: Timestamp) -> Vec<ConfigWarning> {
    let mut found = Vec::new();
    for (i, window) in config.freeze_windows.iter().enumerate() {
        if window.schedule.next_after(now).is_none() {
            let key = format!("freeze_windows[{i}].schedule");
            let sentence = format!("{} never comes", window.schedule);
            found.push(of_key(config, "schedule_never_comes", &key, sentence));
        }
    }
    for (key, schedule) in [
        ("reconcile.schedule", &config.reconcile.schedule),
        ("reconcile.telemetry_schedule", &config.reconcile.telemetry_schedule),
    ] {
        if schedule.next_after(now).is_none() {
            let sentence = format!("{schedule} never comes");
            found.push(of_key(config, "schedule_never_comes", key, sentence));
        }
    }
    let sees_nothing = !config.discovery.enabled && config.targets.is_empty();
    if sees_nothing {
        let sentence = "without discovery and without targets there is nothing to see";
        found.push(of_key(config, "nothing_to_see", "discovery.enabled", sentence.to_owned()));
    }
    let unpaid = config.telemetry.budget_dollars_per_month <= 0.0
        && config.discovery.telemetry != DiscoveryTelemetry::Off
        && !config.targets.is_empty();
    if unpaid {
        let sentence =
            "0 reads no paid metrics: no capacity is measured, and nothing is ever raised";
        let key = "telemetry.budget_dollars_per_month";
        found.push(of_key(config, "no_telemetry_budget", key, sentence.to_owned()));
    }
    found
}
