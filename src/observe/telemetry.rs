//! `GetMetricData`: which window to ask for, and which queries.

use chrono::TimeDelta;

use crate::model::goal::Objective;
use crate::model::ids::ResourceId;
use crate::model::time::{Timestamp, floor_to, floor_to_minute};
use crate::model::units::LatencyStatistic;
use crate::ports::{Metric, MetricQuery};

/// The longer periods, in seconds, that variants with little traffic are judged by as well.
pub const LONG_PERIODS: [u32; 2] = [300, 900];

/// A half-open span of whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first minute.
    pub from: Timestamp,
    /// The minute after the last one.
    pub to: Timestamp,
}

impl Window {
    /// The minutes that have not been read yet and are complete: after `read_until` (or `history`
    /// back), and `delay` before now, for the newest minutes of CloudWatch are incomplete.
    pub fn next(
        now: Timestamp,
        read_until: Option<Timestamp>,
        history: TimeDelta,
        delay: TimeDelta,
    ) -> Option<Self> {
        let to = floor_to_minute(now - delay);
        let oldest = floor_to_minute(now - history);
        let from = read_until.map_or(oldest, |until| until.max(oldest));
        (from < to).then_some(Self { from, to })
    }

    /// The same for a variant with so little traffic that longer periods are read too: those of all
    /// lengths must end together to be pushed in order.
    pub fn next_in_long_periods(
        now: Timestamp,
        read_until: Option<Timestamp>,
        history: TimeDelta,
        delay: TimeDelta,
    ) -> Option<Self> {
        let Self { from, to } = Self::next(now, read_until, history, delay)?;
        let to = floor_to(to, i64::from(LONG_PERIODS[1]));
        (from < to).then_some(Self { from, to })
    }

    /// The part of it that holds whole periods of so many seconds.
    pub fn whole(&self, period_seconds: i64) -> Option<Self> {
        let up = self.from + TimeDelta::seconds(period_seconds - 1);
        let (from, to) = (floor_to(up, period_seconds), floor_to(self.to, period_seconds));
        (from < to).then_some(Self { from, to })
    }

    /// The number of minutes.
    pub fn minutes(&self) -> i64 {
        (self.to - self.from).num_minutes()
    }
}

/// The queries of one variant at one period: five with a latency objective, fewer when its
/// statistic is the median anyway.
pub fn queries(
    resource: &ResourceId,
    objective: &Objective,
    period_seconds: u32,
) -> Vec<MetricQuery> {
    let mut metrics = vec![
        Metric::InvocationsPerInstance,
        Metric::Invocations,
        Metric::Invocation5xxErrors,
        Metric::ModelLatency(LatencyStatistic::P50),
    ];
    if let Some(latency) = objective.latency
        && latency.statistic != LatencyStatistic::P50
    {
        metrics.push(Metric::ModelLatency(latency.statistic));
    }
    metrics
        .into_iter()
        .map(|metric| MetricQuery {
            instance: None,
            resource: resource.clone(),
            metric,
            period_seconds,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp(1_700_000_040 + minute * 60, 0).expect("an instant")
    }

    #[test]
    fn a_window_is_whole_minutes_and_leaves_the_newest_out() {
        let now = at(100) + TimeDelta::seconds(37);
        let (history, delay) = (TimeDelta::days(1), TimeDelta::minutes(3));
        let window = Window::next(now, Some(at(80)), history, delay).expect("a window");
        assert_eq!(window, Window { from: at(80), to: at(97) });
        assert_eq!(Window::next(now, Some(at(97)), history, delay), None);
        let first = Window::next(now, None, history, delay).expect("a window");
        assert_eq!(first.minutes(), 24 * 60 - 3);
    }
}
