//! The answers about one variant at one period, put together by their place in time.
//!
//! A start reads 20,160 minutes of five metrics for each variant, so that nothing here has a node or
//! a key of its own: a column of numbers for each metric, filled by index, and a [`Minute`] only
//! while it is looked at.

use chrono::TimeDelta;

use super::telemetry::Window;
use crate::model::fact::Why;
use crate::model::goal::Objective;
use crate::model::series::Minute;
use crate::model::time::Timestamp;
use crate::model::units::LatencyStatistic;
use crate::ports::{Metric, MetricAnswer, MetricQuery};

/// Periods of one length of one variant, without gaps: what has no datapoint is a period without.
#[derive(Debug, Clone, PartialEq)]
pub struct Periods {
    from: Timestamp,
    period_seconds: u32,
    len: usize,
    /// A column for each metric that was asked for; NaN where there is no datapoint.
    columns: Columns,
}

/// What was not asked for has an empty column.
#[derive(Debug, Clone, Default, PartialEq)]
struct Columns {
    invocations: Vec<f64>,
    per_instance: Vec<f64>,
    errors_5xx: Vec<f64>,
    latency: Vec<f64>,
    /// Absent where it is the latency of the objective.
    p50: Option<Vec<f64>>,
}

impl Periods {
    /// Puts the answers to [`queries`](super::telemetry::queries) together: one period for each of
    /// the window, with or without datapoints.
    ///
    /// # Errors
    /// When any answer is missing: a minute is whole or it is not used.
    pub fn of(
        objective: &Objective,
        queries: &[MetricQuery],
        answers: impl IntoIterator<Item = MetricAnswer>,
        window: Window,
    ) -> Result<Self, Why> {
        let period_seconds = queries.first().map_or(60, |query| query.period_seconds.max(1));
        let seconds = (window.to - window.from).num_seconds();
        let len = usize::try_from(seconds / i64::from(period_seconds)).unwrap_or(0);
        let statistic = objective.latency.map(|latency| latency.statistic);
        let mut columns = Columns::default();
        for (query, answer) in queries.iter().zip(answers) {
            let column = answer?.into_column(window.from, len);
            match query.metric {
                Metric::InvocationsPerInstance => columns.per_instance = column,
                Metric::Invocations => columns.invocations = column,
                Metric::Invocation5xxErrors => columns.errors_5xx = column,
                Metric::ModelLatency(which) if Some(which) == statistic => columns.latency = column,
                Metric::ModelLatency(LatencyStatistic::P50) => columns.p50 = Some(column),
                Metric::ModelLatency(_) => {}
            }
        }
        if statistic != Some(LatencyStatistic::P50) {
            columns.p50.get_or_insert_default();
        }
        Ok(Self { from: window.from, period_seconds, len, columns })
    }

    /// The newest period in which a statistic means little: it has requests, and fewer than `least`.
    pub fn newest_thin(&self, least: f64) -> Option<Timestamp> {
        let thin = |all: &f64| *all > 0.0 && *all < least;
        self.columns.invocations.iter().rposition(thin).map(|index| self.at(index))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The periods that begin within `from..to`, in time order.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Minute> + '_ {
        let place = |at: Timestamp| {
            let seconds = (at - self.from).num_seconds().max(0);
            let index =
                (seconds + i64::from(self.period_seconds) - 1) / i64::from(self.period_seconds);
            usize::try_from(index).unwrap_or(usize::MAX).min(self.len)
        };
        (place(from)..place(to)).map(|index| self.minute(index))
    }

    /// All of them, in time order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Minute> + '_ {
        (0..self.len).map(|index| self.minute(index))
    }

    fn at(&self, index: usize) -> Timestamp {
        let offset = i64::try_from(index).unwrap_or(0) * i64::from(self.period_seconds);
        self.from + TimeDelta::seconds(offset)
    }

    fn minute(&self, index: usize) -> Minute {
        let Columns { invocations, per_instance, errors_5xx, latency, p50 } = &self.columns;
        let of = |column: &[f64]| column.get(index).copied().filter(|value| !value.is_nan());
        Minute {
            period_seconds: self.period_seconds,
            invocations: of(invocations),
            invocations_per_instance: of(per_instance),
            errors_5xx: of(errors_5xx),
            latency_us: of(latency),
            latency_p50_us: of(p50.as_ref().unwrap_or(latency)),
            ..Minute::empty(self.at(index))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::telemetry::queries;
    use super::*;
    use crate::model::fact::WhyKind;
    use crate::model::goal::LatencyObjective;
    use crate::model::ids::ResourceId;
    use crate::model::points::Points;

    /// The first is where a quarter of an hour begins: a window begins where its periods do.
    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp(1_700_000_100 + minute * 60, 0).expect("an instant")
    }

    fn resource() -> ResourceId {
        "endpoint/e/variant/v".parse().expect("a resource")
    }

    #[test]
    fn no_datapoint_stays_none_and_a_failed_query_fails_the_variant() {
        let objective = Objective { latency: None, error_rate_max: 0.01 };
        let queries = queries(&resource(), &objective, 60);
        assert_eq!(queries.len(), 4);
        let window = Window { from: at(0), to: at(2) };
        let mut first = Points::none(window.from, window.to, 60);
        first.set(at(0).timestamp(), 600.0);
        let mut answers: Vec<MetricAnswer> = vec![Ok(first); 4];
        let periods = Periods::of(&objective, &queries, answers.clone(), window).expect("periods");
        let minutes: Vec<Minute> = periods.iter().collect();
        assert_eq!(minutes.len(), 2);
        assert_eq!(minutes[0].invocations_per_instance, Some(600.0));
        assert_eq!(minutes[1].invocations_per_instance, None);
        answers[2] = Err(Why::new(WhyKind::Incomplete, "PartialData"));
        assert!(Periods::of(&objective, &queries, answers, window).is_err());
    }

    /// The plain way: a map by time.
    fn by_map(
        objective: &Objective,
        queries: &[MetricQuery],
        answers: &[Vec<(Timestamp, f64)>],
        window: Window,
        period_seconds: u32,
    ) -> Vec<Minute> {
        let period = TimeDelta::seconds(i64::from(period_seconds));
        let mut minutes = BTreeMap::new();
        let mut start = window.from;
        while start + period <= window.to {
            minutes.insert(start, Minute { period_seconds, ..Minute::empty(start) });
            start += period;
        }
        let statistic = objective.latency.map(|latency| latency.statistic);
        for (query, answer) in queries.iter().zip(answers) {
            for (at, value) in answer.iter().filter(|(_, value)| value.is_finite()) {
                let Some(minute) = minutes.get_mut(at) else { continue };
                match query.metric {
                    Metric::InvocationsPerInstance => {
                        minute.invocations_per_instance = Some(*value);
                    }
                    Metric::Invocations => minute.invocations = Some(*value),
                    Metric::Invocation5xxErrors => minute.errors_5xx = Some(*value),
                    Metric::ModelLatency(which) => {
                        if which == LatencyStatistic::P50 {
                            minute.latency_p50_us = Some(*value);
                        }
                        if Some(which) == statistic {
                            minute.latency_us = Some(*value);
                        }
                    }
                }
            }
        }
        minutes.into_values().collect()
    }

    proptest! {
        #[test]
        fn columns_say_what_a_map_by_time_says(
            answers in prop::collection::vec(
                prop::collection::vec((-10_i64..50, 0_i64..2, prop_oneof![Just(f64::NAN), 0.0..1e6]), 0..40),
                5,
            ),
            period_seconds in prop_oneof![Just(60_u32), Just(300), Just(900)],
            statistic in prop_oneof![Just(LatencyStatistic::P50), Just(LatencyStatistic::P99)],
        ) {
            let latency = LatencyObjective { statistic, threshold_ms: 100.0 };
            let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
            let queries = queries(&resource(), &objective, period_seconds);
            let answers: Vec<Vec<(Timestamp, f64)>> = answers
                .into_iter()
                .map(|points| {
                    let point = |(minute, half, value)| (at(minute) + TimeDelta::seconds(30 * half), value);
                    points.into_iter().map(point).collect()
                })
                .collect();
            let window = Window { from: at(0), to: at(45) };
            let reported = answers.iter().map(|points| {
                let mut answer = Points::none(window.from, window.to, period_seconds);
                for (at, value) in points {
                    answer.set(at.timestamp(), *value);
                }
                Ok(answer)
            });
            let periods = Periods::of(&objective, &queries, reported, window).expect("periods");
            let minutes: Vec<Minute> = periods.iter().collect();
            prop_assert_eq!(&minutes, &by_map(&objective, &queries, &answers, window, period_seconds));
            let (first, rest) = (periods.between(at(0), at(15)), periods.between(at(15), at(45)));
            prop_assert_eq!(first.chain(rest).collect::<Vec<_>>(), minutes);
        }
    }
}
