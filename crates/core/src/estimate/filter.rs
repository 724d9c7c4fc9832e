//! Step 1, the minute filter: which minutes speak of capacity, and whether they were bad.

use serde::{Deserialize, Serialize};

use crate::model::estimate::DropReason;
use crate::model::goal::{LatencyObjective, Objective};
use crate::model::series::Minute;

use super::grid::{MinuteIndex, minute_of};
use super::throughput::LG_SCALE;

/// Minutes for which instances that were just added are cold.
const COLD_MINUTES: MinuteIndex = 3;
/// Minutes for which the backlog of an overload may still show.
const CARRY_OVER_MINUTES: MinuteIndex = 3;
/// After an overload, only loads of at least this share of its peak are evidence.
const CARRY_OVER_SHARE: f64 = 0.9;
/// How long the peak of an overload counts while bad minutes go on; then the load of the bad minute that comes next
/// does. A service that is saturated by day works off its backlog as the load falls by a tenth, which takes hours; what
/// is bad for longer is so by its own load.
const PEAK_MINUTES: MinuteIndex = 6 * 60;
/// An instance count older than this says nothing about a rise.
const COUNT_MEMORY_MINUTES: MinuteIndex = 15;

/// The numbers of one period that are there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    /// The first minute of the period, which fits half a word for four thousand years.
    pub(super) first: i32,
    /// Its length in minutes.
    pub(super) minutes: i32,
    /// Requests to the whole variant.
    pub(super) requests: f32,
    /// Invocations per minute per instance.
    pub(super) load: f32,
    pub(super) instances: f32,
    /// lg of the median latency in microseconds.
    pub(super) lg_p50: Option<f32>,
    /// lg of the latency statistic over its threshold, in thousandths.
    pub(super) lg_over: i16,
    /// Whether the objective was broken; unknown when an input has no datapoint.
    pub(super) bad: Option<bool>,
    /// Whether it was broken by 5XX answers.
    pub(super) failing: bool,
}

impl Reading {
    /// The first minute of the period.
    pub(super) fn at(&self) -> MinuteIndex {
        self.first.into()
    }

    /// Its length in minutes.
    pub(super) fn span(&self) -> MinuteIndex {
        self.minutes.into()
    }
}

/// Reads a period; `None` when its load is not known.
pub(super) fn read(minute: &Minute, objective: &Objective) -> Option<Reading> {
    let fine = |v: Option<f64>| v.filter(|v| v.is_finite() && *v >= 0.0);
    let requests = fine(minute.invocations)?;
    let load = fine(minute.invocations_per_instance)
        .map(|sum| sum * 60.0 / f64::from(minute.period_seconds.max(60)))?;
    let instances = fine(minute.instance_count()).unwrap_or(0.0);
    let p50 = fine(minute.latency_p50_us).filter(|v| *v > 0.0);
    // A minute is judged by both of its halves or not at all.
    let (latency_us, errors) = (fine(minute.latency_us), fine(minute.errors_5xx));
    let is_judged = latency_us.is_some() && errors.is_some() && objective.latency.is_some();
    let bad = objective.is_broken(latency_us, errors, Some(requests)).filter(|_| is_judged);
    // A minute that was fine failed no requests either.
    let failing =
        bad != Some(false) && objective.is_broken(None, errors, Some(requests)) == Some(true);
    Some(Reading {
        first: minute_of(minute.at) as i32,
        minutes: (minute.period_seconds.max(60) / 60).cast_signed(),
        requests: requests as f32,
        load: load as f32,
        instances: instances as f32,
        lg_p50: p50.map(|v| v.ln() as f32),
        lg_over: lg_over(latency_us, objective),
        bad,
        failing,
    })
}

/// lg of the latency statistic over its threshold; zero where it is not known.
fn lg_over(latency_us: Option<f64>, objective: &Objective) -> i16 {
    let threshold = objective.latency.map(LatencyObjective::threshold_us);
    let over = latency_us.zip(threshold).map(|(latency, threshold)| (latency / threshold).ln());
    over.filter(|lg| lg.is_finite()).map_or(0, |lg| (lg * LG_SCALE) as i16)
}

/// Notices instances that were just added, those of a new endpoint among them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColdWatch {
    last: Option<(MinuteIndex, f32)>,
    until: MinuteIndex,
    /// When the endpoint was made; its first requests are still to come while `until` is no later.
    made: Option<i32>,
}

impl ColdWatch {
    /// Takes note of when the endpoint was made, which every process knows at any time, and answers
    /// whether that is news.
    pub(super) fn note_made(&mut self, at: MinuteIndex) -> bool {
        self.made.replace(at as i32) != Some(at as i32)
    }

    /// From this minute on its requests are known. Of an endpoint that is older, the first ones are not.
    pub(super) fn begin(&mut self, first: MinuteIndex) {
        if let Some(made) = self.made.map(MinuteIndex::from).filter(|made| *made < first) {
            self.until = self.until.max(made + 1);
        }
    }

    /// Whether the minute lies within three minutes from where the instance count rose, or from the first
    /// requests to a new endpoint.
    pub(super) fn is_cold(&mut self, reading: &Reading) -> bool {
        let waits = |made: i32| self.until <= made.into() && made <= reading.first;
        if reading.requests > 0.0 && self.made.is_some_and(waits) {
            self.until = reading.at() + COLD_MINUTES;
        }
        if reading.instances > 0.0 {
            let rose = self.last.is_some_and(|(at, count)| {
                reading.at() - at <= COUNT_MEMORY_MINUTES
                    && reading.instances > count + count_tolerance(reading)
            });
            if rose {
                self.until = reading.at() + COLD_MINUTES;
            }
            self.last = Some((reading.at(), reading.instances));
        }
        reading.at() < self.until
    }
}

/// How far a derived instance count may be off because its sums were rounded to whole numbers.
pub(super) fn count_tolerance(reading: &Reading) -> f32 {
    0.05 + 0.6 * reading.instances / reading.load.max(1.0)
}

/// Remembers an overload, whose backlog makes later minutes bad at loads that are fine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CarryOver {
    /// The end of the last bad period, the highest load of its run that still counts, and the end of the period that had
    /// it, which fits half a word for four thousand years.
    last_bad: Option<(MinuteIndex, f32, i32)>,
}

impl CarryOver {
    /// Whether a period speaks of the overload before it rather than of its own load. Good and
    /// bad ones alike: dropping only bad ones would lift the estimate of a service that is always
    /// saturated.
    pub(super) fn covers(&self, at: MinuteIndex, load: f64) -> bool {
        self.peak(at).is_some_and(|peak| load < CARRY_OVER_SHARE * peak)
    }

    /// The highest load of the overload that still covers `at`.
    pub(super) fn peak(&self, at: MinuteIndex) -> Option<f64> {
        let (end, peak, _) = self.last_bad?;
        (at - end < CARRY_OVER_MINUTES).then(|| f64::from(peak))
    }

    /// Takes note of a judged period.
    pub(super) fn note(&mut self, at: MinuteIndex, span: MinuteIndex, load: f64, bad: bool) {
        if !bad {
            return;
        }
        // A run is bad periods without a good one between them.
        let (load, now) = (load as f32, at + span);
        let goes_on = |&(end, peak, peaked): &(MinuteIndex, f32, i32)| {
            end >= at && peak > load && now - MinuteIndex::from(peaked) <= PEAK_MINUTES
        };
        let (peak, peaked) = match self.last_bad.filter(goes_on) {
            Some((_, peak, peaked)) => (peak, peaked),
            None => (load, now as i32),
        };
        self.last_bad = Some((now, peak, peaked));
    }
}

/// Minutes, oldest first, each with whether it speaks of its own load: not of instances that are
/// cold, nor of the backlog of an overload before it.
pub fn by_own_load(
    minutes: impl Iterator<Item = Minute>,
    objective: &Objective,
) -> impl Iterator<Item = (Minute, bool)> {
    let (mut cold, mut carry_over) = (ColdWatch::default(), CarryOver::default());
    minutes.map(move |minute| {
        let Some(reading) = read(&minute, objective) else { return (minute, true) };
        let load = f64::from(reading.load);
        let is_cold = cold.is_cold(&reading);
        let own = !is_cold && !carry_over.covers(reading.at(), load);
        carry_over.note(reading.at(), reading.span(), load, reading.bad == Some(true));
        (minute, own)
    })
}

/// Why a minute cannot be used on its own, if so.
pub(super) fn unusable(
    reading: Option<&Reading>,
    cold: bool,
    excluded: bool,
    min_requests: f64,
) -> Option<DropReason> {
    if excluded {
        return Some(DropReason::Deploy);
    }
    let Some(reading) = reading else { return Some(DropReason::Missing) };
    if f64::from(reading.requests) < min_requests {
        return Some(DropReason::FewRequests);
    }
    if reading.bad.is_none() || reading.load <= 0.0 {
        return Some(DropReason::Missing);
    }
    cold.then_some(DropReason::ColdInstances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_an_overload_counts_for_six_hours_of_bad_minutes() {
        let mut carry = CarryOver::default();
        let mut bad = |at: MinuteIndex, load: f64| {
            let covered = carry.covers(at, load);
            carry.note(at, 1, load, true);
            covered
        };
        assert!(!bad(0, 1500.0));
        let own = (1..=PEAK_MINUTES + 60).find(|at| !bad(*at, 500.0));
        assert_eq!(own, Some(PEAK_MINUTES + 2), "what goes on for so long is no backlog");
        // A higher load of the same bad minutes counts as the first did.
        let end = PEAK_MINUTES + 3;
        assert!(!bad(end, 1200.0) && (1..=PEAK_MINUTES).all(|after| bad(end + after, 500.0)));
    }
}
