//! `GetMetricData` -> minutes: which window to ask for, which queries, and how the answers become
//! a series.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::fact::Why;
use crate::model::goal::Objective;
use crate::model::ids::ResourceId;
use crate::model::series::{Minute, Series};
use crate::model::time::{Timestamp, floor_to, floor_to_minute};
use crate::model::units::LatencyStatistic;
use crate::ports::{Metric, MetricAnswer, MetricQuery};

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
    #[must_use]
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

    /// The part of it that holds whole periods of so many seconds.
    #[must_use]
    pub fn whole(&self, period_seconds: i64) -> Option<Self> {
        let up = self.from + TimeDelta::seconds(period_seconds - 1);
        let (from, to) = (floor_to(up, period_seconds), floor_to(self.to, period_seconds));
        (from < to).then_some(Self { from, to })
    }

    /// The number of minutes.
    #[must_use]
    pub fn minutes(&self) -> i64 {
        (self.to - self.from).num_minutes()
    }
}

/// The queries of one variant at one period: five with a latency objective, fewer when its
/// statistic is the median anyway.
#[must_use]
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
        .map(|metric| MetricQuery { resource: resource.clone(), metric, period_seconds })
        .collect()
}

/// Puts the answers to [`queries`] together: one period for each of the window, with or without
/// datapoints.
///
/// # Errors
/// When any answer is missing: a minute is whole or it is not used.
pub fn series(
    objective: &Objective,
    queries: &[MetricQuery],
    answers: &[MetricAnswer],
    window: Window,
) -> Result<Series, Why> {
    let period_seconds = queries.first().map_or(60, |query| query.period_seconds);
    let period = TimeDelta::seconds(i64::from(period_seconds));
    let periods = window.minutes() * 60 / i64::from(period_seconds);
    let mut minutes: BTreeMap<Timestamp, Minute> = (0..periods)
        .filter_map(|i| i32::try_from(i).ok())
        .map(|i| window.from + period * i)
        .map(|at| (at, Minute { period_seconds, ..Minute::empty(at) }))
        .collect();
    let statistic = objective.latency.map(|l| l.statistic);
    for (query, answer) in queries.iter().zip(answers) {
        for (at, value) in answer.as_ref().map_err(Clone::clone)? {
            // A datapoint outside the window was not asked for; NaN is no datapoint.
            let Some(minute) = minutes.get_mut(at).filter(|_| value.is_finite()) else { continue };
            let value = Some(*value);
            match query.metric {
                Metric::InvocationsPerInstance => minute.invocations_per_instance = value,
                Metric::Invocations => minute.invocations = value,
                Metric::Invocation5xxErrors => minute.errors_5xx = value,
                Metric::ModelLatency(which) => {
                    if which == LatencyStatistic::P50 {
                        minute.latency_p50_us = value;
                    }
                    if Some(which) == statistic {
                        minute.latency_us = value;
                    }
                }
            }
        }
    }
    Ok(minutes.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::WhyKind;

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

    #[test]
    fn no_datapoint_stays_none_and_a_failed_query_fails_the_variant() {
        let resource: ResourceId = "endpoint/e/variant/v".parse().expect("a resource");
        let objective = Objective { latency: None, error_rate_max: 0.01 };
        let queries = queries(&resource, &objective, 60);
        assert_eq!(queries.len(), 4);
        let window = Window { from: at(0), to: at(2) };
        let mut answers: Vec<MetricAnswer> = vec![Ok(vec![(at(0), 600.0)]); 4];
        let minutes = series(&objective, &queries, &answers, window).expect("a series");
        assert_eq!(minutes.len(), 2);
        assert_eq!(minutes[0].invocations_per_instance, Some(600.0));
        assert_eq!(minutes[1].invocations_per_instance, None);
        answers[2] = Err(Why::new(WhyKind::Incomplete, "PartialData"));
        assert!(series(&objective, &queries, &answers, window).is_err());
    }
}
