//! What a variant used in the last week: instances, requests and the loads of its minutes, in a few
//! kilobytes, so that waste and risk can be shown of a whole fleet.

use std::cmp::Ordering;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::series::Minute;
use super::time::Timestamp;

/// How far back it reaches: a week repeats.
pub const KEPT: TimeDelta = TimeDelta::days(7);
/// The loads are counted in bins, each so many times as high as the one below: 1 to 53,000.
const BIN_RATIO: f64 = 1.12;
const BINS: usize = 96;
/// Lengths in seconds.
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hour {
    /// The number of the hour since the epoch.
    number: i32,
    /// Minutes of which the instance count is known.
    minutes: f32,
    /// Their instances, summed.
    instance_minutes: f32,
    /// The invocations of its busiest minute, per minute, over all instances.
    peak: f32,
    /// The highest load of a minute, in invocations per minute per instance.
    load: f32,
    instances: f32,
}

impl Hour {
    fn at(&self) -> Timestamp {
        start(i64::from(self.number) * HOUR)
    }
}

/// The loads of one day's minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Loads {
    /// The number of the day since the epoch.
    number: i32,
    /// The bins that have any minutes, in order: a day has a few of them.
    bins: Vec<(u8, u16)>,
}

impl Loads {
    fn at(&self) -> Timestamp {
        start(i64::from(self.number) * DAY)
    }

    fn add(&mut self, bin: usize, minutes: u16) {
        let bin = bin as u8;
        let place = match self.bins.binary_search_by_key(&bin, |entry| entry.0) {
            Ok(place) => place,
            Err(place) => {
                // Thousands of variants are kept: doubling would waste half of it.
                self.bins.reserve_exact(usize::from(self.bins.len() == self.bins.capacity()) * 4);
                self.bins.insert(place, (bin, 0));
                place
            }
        };
        let count = &mut self.bins[place].1;
        *count = count.saturating_add(minutes);
    }
}

/// The instant of so many seconds since the epoch.
fn start(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(seconds, 0).unwrap_or_default()
}

/// What a variant used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    hours: Vec<Hour>,
    loads: Vec<Loads>,
    /// From when on telemetry was read, with or without datapoints.
    since: Option<i64>,
    until: Option<i64>,
    /// The newest minute with an invocation, ever since.
    last_invocation: Option<i64>,
}

/// The highest load of the week.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    pub hour: Timestamp,
    /// Invocations per minute per instance.
    pub load: f64,
    /// The instances that shared it.
    pub instances: f64,
}

impl Usage {
    /// Takes in the minutes that were read up to `until`, in time order.
    pub fn take(&mut self, minutes: &[Minute], until: Timestamp) {
        if let Some(first) = minutes.first() {
            let first = first.at.timestamp();
            self.since = Some(self.since.map_or(first, |since| since.min(first)));
        }
        for minute in minutes {
            self.take_minute(minute);
        }
        self.until = self.until.max(Some(until.timestamp()));
        let oldest = until - KEPT;
        let gone = self.hours.iter().take_while(|hour| hour.at() < oldest).count();
        self.hours.drain(..gone);
        let oldest = oldest - TimeDelta::hours(23);
        let gone = self.loads.iter().take_while(|loads| loads.at() < oldest).count();
        self.loads.drain(..gone);
    }

    /// Takes in those of the last minutes, in time order, that it has not taken in yet. Of what was never looked at
    /// nothing is new.
    pub fn catch_up(&mut self, minutes: &[Minute]) {
        let Some(until) = self.until.map(start) else { return };
        let known = minutes.partition_point(|minute| minute.at < until);
        if let Some(newest) = minutes[known..].last() {
            self.take(&minutes[known..], newest.end());
        }
    }

    fn take_minute(&mut self, minute: &Minute) {
        if minute.invocations.is_some_and(|all| all > 0.0) {
            self.last_invocation = self.last_invocation.max(Some(minute.at.timestamp()));
        }
        let (Some(all), Some(count)) = (minute.invocations, minute.instance_count()) else {
            return;
        };
        let length = f64::from(minute.period_seconds) / 60.0;
        let load = minute.load().unwrap_or_default();
        let number = |length: i64| minute.at.timestamp().div_euclid(length) as i32;
        if self.hours.last().is_none_or(|hour| hour.number != number(HOUR)) {
            let empty = Hour {
                number: number(HOUR),
                minutes: 0.0,
                instance_minutes: 0.0,
                peak: 0.0,
                load: 0.0,
                instances: 0.0,
            };
            // Thousands of variants are kept: doubling would waste half of it.
            self.hours.reserve_exact(usize::from(self.hours.len() == self.hours.capacity()) * 8);
            self.hours.push(empty);
        }
        if let Some(hour) = self.hours.last_mut() {
            hour.minutes += length as f32;
            hour.instance_minutes += (count * length) as f32;
            hour.peak = hour.peak.max((all / length) as f32);
            if load as f32 > hour.load {
                hour.load = load as f32;
                hour.instances = count as f32;
            }
        }
        if self.loads.last().is_none_or(|loads| loads.number != number(DAY)) {
            self.loads.reserve_exact(usize::from(self.loads.len() == self.loads.capacity()));
            self.loads.push(Loads { number: number(DAY), bins: Vec::new() });
        }
        if let Some(loads) = self.loads.last_mut() {
            loads.add(bin(load), length.round() as u16);
        }
    }

    /// The span of time that was looked at, at most a week.
    pub fn watched(&self) -> TimeDelta {
        let (Some(since), Some(until)) = (self.since, self.until) else { return TimeDelta::zero() };
        TimeDelta::seconds(until - since).min(KEPT)
    }

    /// When somebody last invoked it; absent when nobody has since it is being watched.
    pub fn last_invocation(&self) -> Option<Timestamp> {
        self.last_invocation.map(start)
    }

    /// Since when it is being watched, telemetry of the time before included.
    pub fn since(&self) -> Option<Timestamp> {
        self.since.map(start)
    }

    /// Instances times hours, of the hours of which the count is known.
    pub fn instance_hours(&self) -> f64 {
        self.hours.iter().map(|hour| f64::from(hour.instance_minutes) / 60.0).sum()
    }

    /// The same, and what of it was not needed: what ran above the instances that a target value calls
    /// for in the busiest minute of each hour, at least one.
    pub fn above(&self, target: f64) -> (f64, f64) {
        let mut above = 0.0;
        for hour in self.hours.iter().filter(|hour| hour.minutes > 0.0) {
            let mean = f64::from(hour.instance_minutes / hour.minutes);
            let needed = (f64::from(hour.peak) / target - 1e-9).ceil().max(1.0);
            above += (mean - needed).max(0.0) * f64::from(hour.minutes) / 60.0;
        }
        (self.instance_hours(), above)
    }

    /// Minutes with a load above this one; a minute counts by part within its bin of 12 %.
    pub fn minutes_above(&self, load: f64) -> f64 {
        let at = bin(load);
        let low = BIN_RATIO.powf(at as f64);
        let part = ((load / low).ln() / BIN_RATIO.ln()).clamp(0.0, 1.0);
        let count = |loads: &Loads| {
            let minutes = |(bin, minutes): &(u8, u16)| match usize::from(*bin).cmp(&at) {
                Ordering::Less => 0.0,
                Ordering::Equal => f64::from(*minutes) * (1.0 - part),
                Ordering::Greater => f64::from(*minutes),
            };
            loads.bins.iter().map(minutes).sum::<f64>()
        };
        self.loads.iter().map(count).sum()
    }

    /// The highest load.
    pub fn peak(&self) -> Option<Peak> {
        let highest = self.hours.iter().max_by(|a, b| a.load.total_cmp(&b.load))?;
        (highest.load > 0.0).then(|| Peak {
            hour: highest.at(),
            load: f64::from(highest.load),
            instances: f64::from(highest.instances),
        })
    }
}

fn bin(load: f64) -> usize {
    let bin = (load.max(1.0).ln() / BIN_RATIO.ln()) as usize;
    bin.min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp(1_699_999_200 + minute * 60, 0).expect("an instant")
    }

    fn minute(index: i64, all: f64, instances: f64) -> Minute {
        let each = Some(all / instances);
        Minute {
            invocations: Some(all),
            invocations_per_instance: each,
            ..Minute::empty(at(index))
        }
    }

    #[test]
    fn hours_above_what_is_needed_are_waste() {
        let mut usage = Usage::default();
        // An hour of 4 instances for 900 a minute, then one of 2 for 1,000.
        let minutes: Vec<Minute> = (0..60)
            .map(|i| minute(i, 900.0, 4.0))
            .chain((60..120).map(|i| minute(i, 1000.0, 2.0)))
            .collect();
        usage.take(&minutes, at(120));
        let (hours, above) = usage.above(500.0);
        assert!((hours - 6.0).abs() < 1e-6, "{hours}");
        assert!((above - 2.0).abs() < 1e-6, "900 needs 2 of 4: {above}");
        // One is always needed, whatever the target.
        assert!((usage.above(1e6).1 - 4.0).abs() < 1e-6);
        assert_eq!(usage.watched(), TimeDelta::hours(2));
        let peak = usage.peak().unwrap();
        assert_eq!((peak.load, peak.instances, peak.hour), (500.0, 2.0, at(60)));
    }

    #[test]
    fn minutes_above_a_load_are_counted_within_a_bin() {
        let mut usage = Usage::default();
        let minutes: Vec<Minute> =
            (0..1000).map(|i| minute(i, if i < 100 { 1600.0 } else { 800.0 }, 2.0)).collect();
        usage.take(&minutes, at(1000));
        // 100 minutes at 800, 900 at 400.
        assert!((usage.minutes_above(600.0) - 100.0).abs() < 1e-9);
        assert!((usage.minutes_above(300.0) - 1000.0).abs() < 1e-9);
        assert!(usage.minutes_above(1000.0).abs() < 1e-9);
        assert!(usage.minutes_above(1e9).abs() < 1e-9);
    }

    #[test]
    fn what_is_older_than_a_week_goes_and_no_datapoint_is_no_zero() {
        let mut usage = Usage::default();
        for day in 0..30 {
            let minutes: Vec<Minute> =
                (0..1440).map(|i| minute(day * 1440 + i, 600.0, 2.0)).collect();
            usage.take(&minutes, at((day + 1) * 1440));
        }
        assert_eq!(usage.watched(), KEPT);
        assert!((usage.instance_hours() - 2.0 * 168.0).abs() < 1e-3, "{}", usage.instance_hours());
        assert!(usage.loads.len() <= 8, "{}", usage.loads.len());
        let before = usage.last_invocation();
        let idle: Vec<Minute> = (0..10).map(|i| Minute::empty(at(43_200 + i))).collect();
        usage.take(&idle, at(43_210));
        assert_eq!(usage.last_invocation(), before);
    }
}
