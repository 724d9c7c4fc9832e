//! Compares the instances of a variant with each other: which of them is slow, and how unevenly the load
//! is shared.
//!
//! A slow model and a slow instance look the same in the metrics of the variant. Instance by instance they
//! do not: in the same minute, at the same load, with the same model, siblings are equally fast, so that
//! whatever the minute was like, the ratio of two of them says nothing of it. What counts is the median of
//! that ratio over an hour, and that it was high in most of its minutes.

use chrono::TimeDelta;

use crate::model::goal::Objective;
use crate::model::per_instance::{
    BusiestInstance, InstanceId, InstanceRow, Instances, SlowInstance,
};
use crate::model::time::Timestamp;
use crate::model::units::LatencyStatistic;

/// An instance is slow from this ratio of median latencies on. Within one class of hardware x1.2 between
/// instances is usual (users' reports, and the detector of changes calls x1.15 of a whole variant one), and
/// capacity falls by more than latency rises: x1.3 takes about a quarter of it.
pub const SLOW_FROM: f64 = 1.3;
/// And it must be above this in most periods: a burst is no slow instance.
const MOSTLY_ABOVE: f64 = 1.15;
const MOSTLY: f64 = 0.8;
/// The share of the periods in which it must have been compared, and the fewest.
const COMPARED_SHARE: f64 = 0.5;
const COMPARED_MIN: usize = 15;
/// A sibling is compared with where it has at least this share of the load, so that a slow instance is not
/// just a busier one. A slower one gets less where routing counts requests under way: so much more a sibling
/// may have.
const LOAD_FROM: f64 = 0.8;
const LOAD_TO: f64 = 4.0;
/// From this ratio of the busiest instance's load to that of the average one on the load is unevenly shared: the
/// busiest one breaks the objective where the average one is at 0.8 of its capacity, below the highest safety
/// factor that setpoint proposes.
pub const UNEVEN_FROM: f64 = 1.25;
/// An instance without a datapoint in so many of the newest periods is gone.
const GONE_AFTER: usize = 10;
/// Shares of fewer requests than this for each instance are chance.
const SHARED_MIN: f64 = 10.0;

/// What was read of one instance, period by period, NaN where there is no datapoint.
#[derive(Debug, Clone)]
pub struct InstanceColumns {
    pub id: InstanceId,
    /// Requests in each period.
    pub requests: Vec<f64>,
    /// The median latency in microseconds.
    pub p50_us: Vec<f64>,
    /// Latency at the objective's statistic, in microseconds.
    pub latency_us: Vec<f64>,
    /// Answers 5XX.
    pub errors: Vec<f64>,
}

/// What a comparison is made from.
#[derive(Debug)]
pub struct Compared<'a> {
    pub from: Timestamp,
    pub read_at: Timestamp,
    pub period_seconds: u32,
    pub columns: &'a [InstanceColumns],
    pub objective: &'a Objective,
    /// Instances that were listed and not read.
    pub not_read: usize,
    /// Whether each instance gets requests of the same kind: not where routing goes by the prompt.
    pub is_alike: bool,
}

/// Compares instances with each other.
#[must_use]
pub fn compare_instances(of: &Compared<'_>) -> Instances {
    let len = of.columns.iter().map(|c| c.requests.len()).max().unwrap_or(0);
    let seen: Vec<Seen<'_>> = of.columns.iter().filter_map(Seen::of).collect();
    let minutes = f64::from(of.period_seconds.max(60)) / 60.0;
    let shares = Shares::of(&seen, of.objective, len);
    let to = of.from
        + TimeDelta::seconds(i64::from(of.period_seconds) * i64::try_from(len).unwrap_or(0));
    let slow = if of.is_alike { slow(&seen, len, of.from) } else { Vec::new() };
    Instances {
        read_at: of.read_at,
        from: of.from,
        to,
        period_seconds: of.period_seconds,
        not_read: of.not_read,
        not_compared: not_compared(of, &seen, len),
        uneven_routing: shares.index(),
        uneven_by_chance: shares.by_chance(),
        hot_ratio: shares.hot_ratio(),
        busiest: shares.busiest(&seen),
        slow,
        instances: seen.iter().map(|one| row(one, of.objective, minutes)).collect(),
    }
}

/// An instance that served in the stretch of time, from its first period to its last.
struct Seen<'a> {
    columns: &'a InstanceColumns,
    first: usize,
    last: usize,
}

impl<'a> Seen<'a> {
    fn of(columns: &'a InstanceColumns) -> Option<Self> {
        let served = |requests: &f64| *requests > 0.0;
        let first = columns.requests.iter().position(served)?;
        let last = columns.requests.iter().rposition(served)?;
        Some(Self { columns, first, last })
    }

    /// Its requests in a period in which it was there.
    fn requests(&self, period: usize) -> Option<f64> {
        if !(self.first..=self.last).contains(&period) {
            return None;
        }
        let requests = self.columns.requests.get(period).copied().unwrap_or(f64::NAN);
        Some(if requests.is_nan() { 0.0 } else { requests })
    }

    /// Its median latency in a period, where it has enough requests to tell.
    fn p50(&self, period: usize) -> Option<f64> {
        let enough = self.requests(period)? >= LatencyStatistic::P50.min_requests();
        let p50 = self.columns.p50_us.get(period).copied()?;
        (enough && p50 > 0.0).then_some(p50)
    }
}

impl Seen<'_> {
    /// Whether a period is known to have broken the objective.
    fn broke(&self, objective: &Objective, period: usize) -> bool {
        let at = |column: &[f64]| column.get(period).copied().filter(|value| !value.is_nan());
        let requests = self.requests(period);
        let statistic = objective.latency.map(|latency| latency.statistic);
        let tells = statistic.zip(requests).is_some_and(|(s, all)| all >= s.min_requests());
        let latency = at(&self.columns.latency_us).filter(|_| tells);
        objective.is_broken(latency, at(&self.columns.errors), requests) == Some(true)
    }
}

fn not_compared(of: &Compared<'_>, seen: &[Seen<'_>], len: usize) -> Option<&'static str> {
    if !of.is_alike {
        return Some(
            "routing goes by the prompt, so that instances get requests of different kinds",
        );
    }
    if seen.len() < 2 {
        return Some("fewer than two instances served");
    }
    let comparable = |one: &Seen<'_>| {
        (0..len).filter(|period| one.p50(*period).is_some()).count() >= needed(len)
    };
    (seen.iter().filter(|one| comparable(one)).count() < 2)
        .then_some("instances have too few requests to compare their medians")
}

/// In how many of so many periods an instance must have been compared.
fn needed(len: usize) -> usize {
    ((len as f64 * COMPARED_SHARE).ceil() as usize).max(COMPARED_MIN)
}

fn slow(seen: &[Seen<'_>], len: usize, from: Timestamp) -> Vec<SlowInstance> {
    let mut slow = Vec::new();
    for (index, one) in seen.iter().enumerate() {
        // What is gone is nobody's problem any more.
        if one.last + GONE_AFTER < len {
            continue;
        }
        let (mut ratios, mut own, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for period in one.first..=one.last {
            let Some((p50, siblings)) = pair(seen, index, period) else { continue };
            ratios.push(p50 / siblings);
            own.push(p50);
            theirs.push(siblings);
        }
        let above = ratios.iter().filter(|ratio| **ratio >= MOSTLY_ABOVE).count();
        let compared = ratios.len();
        let mostly = above as f64 >= MOSTLY * compared as f64;
        let Some(factor) = upper_median(&mut ratios) else { continue };
        if compared < needed(len) || !mostly || factor < SLOW_FROM {
            continue;
        }
        let ms = |us: &mut Vec<f64>| upper_median(us).unwrap_or(0.0) / 1e3;
        slow.push(SlowInstance {
            id: one.columns.id.clone(),
            factor,
            compared,
            latency_p50_ms: ms(&mut own),
            siblings_p50_ms: ms(&mut theirs),
            since: from,
        });
    }
    slow.sort_by(|a, b| b.factor.total_cmp(&a.factor));
    slow
}

/// The median latency of an instance in a period, and that of its siblings at no less load. Where half of
/// them cannot be compared with, nobody is.
fn pair(seen: &[Seen<'_>], index: usize, period: usize) -> Option<(f64, f64)> {
    let one = seen.get(index)?;
    let (p50, load) = (one.p50(period)?, one.requests(period)?);
    let (mut there, mut siblings) = (0, Vec::new());
    for (other, sibling) in seen.iter().enumerate() {
        let Some(requests) = sibling.requests(period).filter(|_| other != index) else { continue };
        there += 1;
        if (LOAD_FROM * load..=LOAD_TO * load).contains(&requests) {
            siblings.extend(sibling.p50(period));
        }
    }
    let enough = !siblings.is_empty() && 2 * siblings.len() >= there;
    // With two siblings the slower one: two slow instances of three are a slow model.
    Some((p50, upper_median(&mut siblings).filter(|_| enough)?))
}

fn upper_median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn row(one: &Seen<'_>, objective: &Objective, minutes: f64) -> InstanceRow {
    let there = one.first..=one.last;
    let mut requests: Vec<f64> =
        there.clone().filter_map(|p| Some(one.requests(p)? / minutes)).collect();
    let mut p50: Vec<f64> = there.clone().filter_map(|p| one.p50(p)).collect();
    InstanceRow {
        id: one.columns.id.clone(),
        periods: there.clone().count(),
        broken: there.filter(|period| one.broke(objective, *period)).count(),
        invocations: upper_median(&mut requests).unwrap_or(0.0),
        latency_p50_ms: upper_median(&mut p50).map(|us| us / 1e3),
    }
}

/// How the load was shared, period by period.
struct Shares {
    /// Requests of the average instance and of the busiest one.
    loads: Vec<(f64, f64)>,
    /// How often each instance was the busiest.
    busiest: Vec<usize>,
    /// In how many periods the busiest one alone broke the objective, for it was the busiest.
    hot: usize,
    /// How many there were, in the middle.
    instances: f64,
}

impl Shares {
    fn of(seen: &[Seen<'_>], objective: &Objective, len: usize) -> Self {
        let busiest = vec![0; seen.len()];
        let mut shares = Self { loads: Vec::new(), busiest, hot: 0, instances: 0.0 };
        let mut counts = Vec::new();
        for period in 0..len {
            let there: Vec<(usize, f64)> = seen
                .iter()
                .enumerate()
                .filter_map(|(index, one)| Some((index, one.requests(period)?)))
                .collect();
            let mean = there.iter().map(|(_, all)| all).sum::<f64>() / there.len().max(1) as f64;
            if there.len() < 2 || mean < SHARED_MIN {
                continue;
            }
            let most = there.iter().max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((index, most)) = most.copied() else { continue };
            if let Some(times) = shares.busiest.get_mut(index) {
                *times += 1;
            }
            counts.push(there.len() as f64);
            shares.loads.push((mean, most));
            let broke = |index: usize| seen.get(index).is_some_and(|s| s.broke(objective, period));
            let others = there.iter().filter(|(other, _)| *other != index && broke(*other)).count();
            let alone = broke(index) && 2 * others < there.len() - 1;
            shares.hot += usize::from(alone && most >= UNEVEN_FROM * mean);
        }
        shares.instances = upper_median(&mut counts).unwrap_or(0.0);
        shares
    }

    fn is_known(&self) -> bool {
        self.loads.len() >= COMPARED_MIN
    }

    fn index(&self) -> Option<f64> {
        let mut ratios: Vec<f64> = self.loads.iter().map(|(mean, most)| most / mean).collect();
        upper_median(&mut ratios).filter(|_| self.is_known())
    }

    /// The largest of n counts with the same mean k lies about `sqrt(2 k ln n)` above it.
    fn by_chance(&self) -> Option<f64> {
        let mut means: Vec<f64> = self.loads.iter().map(|(mean, _)| *mean).collect();
        let requests = upper_median(&mut means).filter(|_| self.is_known())?;
        Some(1.0 + (2.0 * self.instances.ln() / requests).sqrt())
    }

    fn hot_ratio(&self) -> Option<f64> {
        self.is_known().then(|| self.hot as f64 / self.loads.len() as f64)
    }

    fn busiest(&self, seen: &[Seen<'_>]) -> Option<BusiestInstance> {
        let (index, times) = self.busiest.iter().enumerate().max_by_key(|(_, times)| **times)?;
        let ratio = *times as f64 / self.loads.len() as f64;
        let id = seen.get(index)?.columns.id.clone();
        self.is_known().then_some(BusiestInstance { id, ratio })
    }
}

#[cfg(test)]
mod tests;
