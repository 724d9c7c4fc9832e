//! What has happened to a variant, and how it was hour by hour: what pages, `setpoint history` and
//! the API show the past.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::estimate::Finding;
use super::goal::Objective;
use super::ids::VariantId;
use super::reason::{Field, words};
use super::series::Minute;
use super::time::{Timestamp, floor_to};

words! {
    /// What an event is about. A word once shipped is not changed.
    EventKind {
        /// `setpoint` decided to write something.
        Decision = "decision",
        /// `setpoint` wrote, tried to, or gave up.
        Write = "write",
        /// A value in AWS changed, and this process did not write it.
        Change = "change",
        /// What the endpoint runs changed, or the endpoint itself came or went.
        Deploy = "deploy",
        /// A new regime began: from here on capacity is counted again.
        Regime = "regime",
        FindingBegun = "finding_begun",
        FindingEnded = "finding_ended",
        /// A field began to differ from what is desired.
        DriftBegun = "drift_begun",
        /// A field stopped differing from what is desired.
        DriftEnded = "drift_ended",
        /// Writes began to be held for a reason.
        HoldBegun = "hold_begun",
        /// Writes are no longer held for that reason.
        HoldEnded = "hold_ended",
        /// A person paused the variant.
        PauseBegun = "pause_begun",
        PauseEnded = "pause_ended",
        /// Whether the target value in force is safe changed.
        Safety = "safety",
        /// The configuration wants something else of the variant.
        Configuration = "configuration",
        /// The first look at the variant: how it was then.
        FirstSeen = "first_seen",
    }
}

words! {
    /// Whose doing an event is, as far as that is known.
    Who {
        /// `setpoint`, this process or another one, `apply` included.
        Setpoint = "setpoint",
        /// Somebody or something else with access to AWS: a person, Terraform, a pipeline.
        Foreign = "foreign",
        /// A scheduled action of the scalable target.
        Schedule = "schedule",
        Deploy = "deploy",
        /// The configuration of `setpoint`.
        Configuration = "configuration",
        /// A person who gave `setpoint` a command.
        Person = "person",
        /// What was measured: traffic, latency, time.
        Measurement = "measurement",
    }
}

impl Who {
    /// The words people read.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Setpoint => "setpoint",
            Self::Foreign => "a foreign hand",
            Self::Schedule => "a schedule",
            Self::Deploy => "a deploy",
            Self::Configuration => "the configuration",
            Self::Person => "a person",
            Self::Measurement => "the measurement",
        }
    }
}

/// Something that happened to a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When the pass that saw it, or did it, took place.
    pub at: Timestamp,
    /// The last look before, when it had not happened yet; absent for what `setpoint` itself did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// What it is about.
    pub kind: EventKind,
    /// Whose doing it is.
    pub who: Who,
    /// The field, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Field>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// A code: the reason of a hold or decision, the finding, the result of a write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub sentence: String,
    /// The decision behind it, as the log names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
}

impl Event {
    /// An event about nothing in particular yet.
    pub fn new(at: Timestamp, kind: EventKind, who: Who, sentence: impl Into<String>) -> Self {
        Self {
            at,
            not_before: None,
            kind,
            who,
            field: None,
            before: None,
            after: None,
            code: None,
            sentence: sentence.into(),
            decision: None,
        }
    }
}

/// One hour of a variant. What was not known in it is absent, which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hour {
    pub at: Timestamp,
    /// Minutes with a load.
    pub minutes: u16,
    /// Minutes that could be judged by the objective.
    pub judged_minutes: u16,
    /// Of those, the minutes that broke it.
    pub bad_minutes: u16,
    /// All invocations of those minutes.
    pub invocations: Option<f64>,
    /// The mean load, in invocations per minute per instance.
    pub load_mean: Option<f64>,
    /// The highest load of a minute.
    pub load_max: Option<f64>,
    /// The mean of the objective's latency statistic, in milliseconds.
    pub latency_mean_ms: Option<f64>,
    /// The highest of a minute.
    pub latency_max_ms: Option<f64>,
    /// Fewest instances in service, as passes saw them.
    pub instances_low: Option<f64>,
    /// Most instances in service, as passes saw them.
    pub instances_high: Option<f64>,
    /// Min capacity of the scalable target at the end.
    pub min_instances: Option<f64>,
    /// Max capacity of the scalable target at the end.
    pub max_instances: Option<f64>,
    /// The 5 % quantile of capacity at the end, in invocations per minute per instance.
    pub capacity_low: Option<f64>,
    /// Its median.
    pub capacity: Option<f64>,
    /// Its 95 % quantile.
    pub capacity_high: Option<f64>,
    /// The lower bound that the evidence alone proves.
    pub capacity_lower_bound: Option<f64>,
    /// The target value in force at the end.
    pub configured_target: Option<f64>,
    /// What it should be by measurement, at the end.
    pub safe_target: Option<f64>,
    /// Load-tested rate x safety factor x 60, at the end.
    pub formula_target: Option<f64>,
}

impl Hour {
    /// An hour of which nothing is known.
    pub const fn empty(at: Timestamp) -> Self {
        Self {
            at,
            minutes: 0,
            judged_minutes: 0,
            bad_minutes: 0,
            invocations: None,
            load_mean: None,
            load_max: None,
            latency_mean_ms: None,
            latency_max_ms: None,
            instances_low: None,
            instances_high: None,
            min_instances: None,
            max_instances: None,
            capacity_low: None,
            capacity: None,
            capacity_high: None,
            capacity_lower_bound: None,
            configured_target: None,
            safe_target: None,
            formula_target: None,
        }
    }

    /// Takes in a minute, or a longer period that counts as so many.
    pub fn take(&mut self, minute: &Minute, objective: &Objective) {
        let minutes = (minute.period_seconds / 60).clamp(1, 60) as u16;
        let share = |before: u16| f64::from(minutes) / f64::from(before.saturating_add(minutes));
        if let Some(latency) = minute.latency_us.map(|us| us / 1000.0) {
            let share = share(self.judged_minutes);
            self.latency_mean_ms = Some(mean(self.latency_mean_ms, latency, share));
            self.latency_max_ms = Some(highest(self.latency_max_ms, latency));
        }
        if let Some(broken) = objective.broken_by(minute) {
            self.judged_minutes = self.judged_minutes.saturating_add(minutes);
            self.bad_minutes = self.bad_minutes.saturating_add(if broken { minutes } else { 0 });
        }
        if let Some(load) = minute.load() {
            self.load_mean = Some(mean(self.load_mean, load, share(self.minutes)));
            self.load_max = Some(highest(self.load_max, load));
            self.minutes = self.minutes.saturating_add(minutes);
        }
        if let Some(all) = minute.invocations {
            self.invocations = Some(self.invocations.unwrap_or(0.0) + all);
        }
    }

    /// Takes in a number of instances in service.
    pub fn take_instances(&mut self, instances: f64) {
        self.instances_low = Some(self.instances_low.map_or(instances, |low| low.min(instances)));
        self.instances_high = Some(highest(self.instances_high, instances));
    }
}

/// The telemetry of one hour, as far as a read has shown it. Two weeks of thousands of variants wait to
/// be kept at once after a start, so that each is 28 bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct HourLoad {
    /// Hours since the epoch.
    hour: u32,
    /// Minutes after its start at which its last minute ends.
    ends: u8,
    minutes: u8,
    judged_minutes: u8,
    bad_minutes: u8,
    /// Invocations, mean and highest load, mean and highest latency; NaN where one is not known.
    numbers: [f32; 5],
}

impl PartialEq for HourLoad {
    fn eq(&self, other: &Self) -> bool {
        let of = |it: &Self| (it.hour, it.ends, it.minutes, it.judged_minutes, it.bad_minutes);
        of(self) == of(other) && self.numbers.map(f32::to_bits) == other.numbers.map(f32::to_bits)
    }
}

impl HourLoad {
    /// The hours of these minutes, which are in time order; one without any datapoint is left out.
    pub fn of(minutes: &[Minute], objective: &Objective) -> Vec<Self> {
        let mut hours: Vec<(Hour, &Minute)> = Vec::new();
        // The end of the hour in progress: a look at it is cheaper than a calendar for each minute.
        let mut end = Timestamp::MIN_UTC;
        for minute in minutes.iter().filter(|minute| !minute.is_empty()) {
            match hours.last_mut() {
                Some((hour, last)) if minute.at < end => {
                    hour.take(minute, objective);
                    *last = minute;
                }
                _ => {
                    let at = floor_to(minute.at, 3600);
                    end = at + TimeDelta::hours(1);
                    let mut hour = Hour::empty(at);
                    hour.take(minute, objective);
                    hours.push((hour, minute));
                }
            }
        }
        hours.into_iter().map(|(hour, last)| Self::from_hour(&hour, last.end())).collect()
    }

    fn from_hour(hour: &Hour, until: Timestamp) -> Self {
        let short = |number: Option<f64>| number.map_or(f32::NAN, |number| number as f32);
        let count = |minutes: u16| u8::try_from(minutes).unwrap_or(u8::MAX);
        let ends = (until - hour.at).num_minutes();
        Self {
            hour: u32::try_from(hour.at.timestamp().div_euclid(3600)).unwrap_or(0),
            ends: u8::try_from(ends).unwrap_or(u8::MAX),
            minutes: count(hour.minutes),
            judged_minutes: count(hour.judged_minutes),
            bad_minutes: count(hour.bad_minutes),
            numbers: [
                short(hour.invocations),
                short(hour.load_mean),
                short(hour.load_max),
                short(hour.latency_mean_ms),
                short(hour.latency_max_ms),
            ],
        }
    }

    /// The start of the hour.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_timestamp(i64::from(self.hour) * 3600, 0).unwrap_or_default()
    }

    /// The end of its last minute.
    pub fn until(&self) -> Timestamp {
        self.at() + TimeDelta::minutes(i64::from(self.ends))
    }

    /// Puts it in place of the telemetry of an hour.
    pub fn fill(&self, hour: &mut Hour) {
        let long = |number: f32| (!number.is_nan()).then(|| f64::from(number));
        let [invocations, load_mean, load_max, latency_mean_ms, latency_max_ms] =
            self.numbers.map(long);
        hour.minutes = u16::from(self.minutes);
        hour.judged_minutes = u16::from(self.judged_minutes);
        hour.bad_minutes = u16::from(self.bad_minutes);
        hour.invocations = invocations;
        hour.load_mean = load_mean;
        hour.load_max = load_max;
        hour.latency_mean_ms = latency_mean_ms;
        hour.latency_max_ms = latency_max_ms;
    }
}

fn mean(before: Option<f64>, value: f64, share: f64) -> f64 {
    before.map_or(value, |before| before + (value - before) * share)
}

fn highest(before: Option<f64>, value: f64) -> f64 {
    before.map_or(value, |before| before.max(value))
}

/// What is kept of one variant's past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    pub variant: VariantId,
    pub since: Timestamp,
    /// The first hour or event that is kept of it at all; absent when nothing is.
    pub kept_since: Option<Timestamp>,
    /// The hours of which something is known, oldest first.
    pub hours: Vec<Hour>,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// How many more events there were than are listed; the oldest are left out.
    pub events_left_out: usize,
}

/// A value in AWS, as it is compared with the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// As people read it.
    pub text: String,
    /// As a number, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
}

/// What was last seen of a variant, from which the next pass tells what has changed. It outlives the
/// process with the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastSeen {
    pub at: Timestamp,
    /// Values in AWS; of what could not be read, as it was before.
    #[serde(deserialize_with = "super::memory::known_keys")]
    pub values: BTreeMap<Field, Shown>,
    /// Values whose write has no certain outcome.
    #[serde(deserialize_with = "super::memory::known_keys")]
    pub tried: BTreeMap<Field, Shown>,
    /// The endpoint config in force; absent before the endpoint was seen.
    pub config_name: Option<String>,
    /// When the endpoint was made.
    pub created_at: Option<Timestamp>,
    /// Whether the endpoint was gone when it was last looked for.
    pub gone: bool,
    /// When the present regime began.
    pub regime: Option<Timestamp>,
    pub findings: BTreeSet<String>,
    /// The fields that differ.
    pub drift: BTreeSet<String>,
    /// The reason for which writes are held.
    pub held: Option<String>,
    /// Until when a person's pause holds.
    pub paused_until: Option<Timestamp>,
    /// The last safety that was known.
    pub safety: Option<String>,
    /// The mode, and whether the variant is listed.
    pub mode: Option<String>,
    pub formula_target: Option<f64>,
    /// Minutes up to here are in the hours.
    pub minutes_until: Option<Timestamp>,
}

impl Default for LastSeen {
    fn default() -> Self {
        Self {
            at: Timestamp::UNIX_EPOCH,
            values: BTreeMap::new(),
            tried: BTreeMap::new(),
            config_name: None,
            created_at: None,
            gone: false,
            regime: None,
            findings: BTreeSet::new(),
            drift: BTreeSet::new(),
            held: None,
            paused_until: None,
            safety: None,
            mode: None,
            formula_target: None,
            minutes_until: None,
        }
    }
}

impl LastSeen {
    pub fn has(&self, finding: Finding) -> bool {
        self.findings.contains(finding.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::goal::LatencyObjective;
    use crate::model::units::LatencyStatistic;

    #[test]
    fn minutes_make_an_hour_also_when_it_is_taken_up_again_from_a_disk() {
        let at: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
        let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
        let minute = |n: i64, load: f64, latency_ms: f64| Minute {
            invocations: Some(load * 2.0),
            invocations_per_instance: Some(load),
            latency_us: Some(latency_ms * 1000.0),
            errors_5xx: Some(0.0),
            ..Minute::empty(at + chrono::TimeDelta::minutes(n))
        };
        let mut hour = Hour::empty(at);
        hour.take(&minute(0, 100.0, 200.0), &objective);
        hour.take(&minute(1, 300.0, 300.0), &objective);
        let mut again: Hour = serde_json::from_str(&serde_json::to_string(&hour).unwrap()).unwrap();
        again.take(&minute(2, 500.0, 100.0), &objective);
        again.take(&Minute::empty(at), &objective);
        assert_eq!((again.minutes, again.judged_minutes, again.bad_minutes), (3, 3, 1));
        assert_eq!((again.load_mean, again.load_max), (Some(300.0), Some(500.0)));
        assert_eq!((again.latency_mean_ms, again.latency_max_ms), (Some(200.0), Some(300.0)));
        assert_eq!(again.invocations, Some(1800.0));
        let long = Minute {
            period_seconds: 300,
            invocations_per_instance: Some(500.0),
            ..Minute::empty(at)
        };
        again.take(&long, &objective);
        assert_eq!((again.minutes, again.judged_minutes), (8, 3));
        assert_eq!(again.load_mean, Some((900.0 + 5.0 * 100.0) / 8.0));
    }
}
