//! Writes telemetry in the columns that replay reads.

use std::collections::BTreeMap;

use crate::model::scaling::{Activity, ActivityStatus};
use crate::model::time::Timestamp;
use crate::model::units::{LatencyStatistic, human};

use super::columns::Column;

/// The columns with a metric's datapoints, in order.
pub const METRIC_COLUMNS: [Column; 8] = [
    Column::Invocations,
    Column::InvocationsPerInstance,
    Column::Latency(LatencyStatistic::Avg),
    Column::Latency(LatencyStatistic::P50),
    Column::Latency(LatencyStatistic::P90),
    Column::Latency(LatencyStatistic::P95),
    Column::Latency(LatencyStatistic::P99),
    Column::Errors5xx,
];

/// Fewer requests than this in a minute are worth asking for longer periods too.
const THIN_MINUTE: f64 = 100.0;

/// The datapoints of one window, by start of the period and its length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telemetry {
    rows: BTreeMap<(Timestamp, u32), BTreeMap<Column, f64>>,
    /// The endpoint config in force, since when, and the target value in force now.
    pub endpoint_config: Option<(String, Timestamp)>,
    /// The target values in force, each since when, oldest first; of the time before the first one
    /// nothing is known, nor from one that is none.
    pub targets: Vec<(Timestamp, Option<f64>)>,
    /// The instances, each since when, oldest first.
    pub counts: Vec<Counts>,
    /// Min and max of the scalable target, taken for those of the whole window: AWS does not tell the
    /// past ones.
    pub bounds: Option<(i32, i32)>,
}

/// How many instances ran and were wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub since: Timestamp,
    /// In service.
    pub current: u32,
    /// Wanted by AWS.
    pub desired: u32,
}

/// The instance counts that scaling activities show. Before the first one has ended nothing is
/// known.
pub fn counts(activities: &[Activity]) -> Vec<Counts> {
    let mut set: Vec<(&Activity, u32)> =
        activities.iter().filter_map(|activity| Some((activity, activity.sets_count()?))).collect();
    set.sort_by_key(|(activity, _)| activity.started_at);
    let mut counts: Vec<Counts> = Vec::new();
    for (activity, desired) in set {
        if let Some(Counts { current, .. }) = counts.last().copied() {
            counts.push(Counts { since: activity.started_at, current, desired });
        }
        if let Some(since) = activity.ended_at
            && activity.status == ActivityStatus::Successful
        {
            counts.push(Counts { since, current: desired, desired });
        }
    }
    counts
}

impl Telemetry {
    /// Adds the datapoints of one query.
    pub fn add(&mut self, column: Column, period_seconds: u32, points: &[(Timestamp, f64)]) {
        for (at, value) in points {
            self.rows.entry((*at, period_seconds)).or_default().insert(column, *value);
        }
    }

    /// Whether there is no datapoint at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The newest period.
    pub fn newest(&self) -> Option<Timestamp> {
        self.rows.keys().next_back().map(|(at, _)| *at)
    }

    /// Whether some minutes are too thin for a percentile of their own.
    pub fn has_thin_minutes(&self) -> bool {
        let minutes = self.rows.iter().filter(|((_, period), _)| *period == 60);
        minutes
            .filter_map(|(_, cells)| cells.get(&Column::Invocations))
            .any(|requests| *requests > 0.0 && *requests < THIN_MINUTE)
    }

    pub fn to_csv(&self) -> String {
        let with_periods = self.rows.keys().any(|(_, period)| *period != 60);
        let mut columns = vec![Column::Timestamp];
        if with_periods {
            columns.push(Column::PeriodSeconds);
        }
        columns.extend(METRIC_COLUMNS);
        columns.extend([
            Column::Instances,
            Column::DesiredInstances,
            Column::EndpointConfig,
            Column::ConfiguredTarget,
            Column::MinCapacity,
            Column::MaxCapacity,
        ]);
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        // Writing to memory does not fail.
        let _ = writer.write_record(columns.iter().map(|c| c.name()));
        for (key, cells) in &self.rows {
            let cell = |column: &Column| self.cell(*column, *key, cells);
            let _ = writer.write_record(columns.iter().map(cell));
        }
        String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
    }

    fn cell(
        &self,
        column: Column,
        (at, period): (Timestamp, u32),
        cells: &BTreeMap<Column, f64>,
    ) -> String {
        match column {
            Column::Timestamp => at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            Column::PeriodSeconds => period.to_string(),
            // Minutes before the present config was made belong to an older one without a name.
            Column::EndpointConfig => match &self.endpoint_config {
                Some((name, since)) if at >= *since => name.clone(),
                Some((name, _)) => format!("before {name}"),
                None => String::new(),
            },
            Column::ConfiguredTarget => {
                let in_force = self.targets.iter().rev().find(|(since, _)| *since <= at);
                in_force.and_then(|(_, value)| *value).map_or_else(String::new, human)
            }
            Column::Instances => {
                self.counts_at(at, cells).map_or_else(String::new, |c| c.0.to_string())
            }
            Column::DesiredInstances => {
                self.counts_at(at, cells).map_or_else(String::new, |c| c.1.to_string())
            }
            Column::MinCapacity => self.bounds.map_or_else(String::new, |b| b.0.to_string()),
            Column::MaxCapacity => self.bounds.map_or_else(String::new, |b| b.1.to_string()),
            _ => cells.get(&column).map_or_else(String::new, |v| human(*v)),
        }
    }

    /// Instances in service and wanted at an instant: as the activities say, unless the requests of
    /// the period show other ones, whom somebody else has set.
    fn counts_at(&self, at: Timestamp, cells: &BTreeMap<Column, f64>) -> Option<(u32, u32)> {
        let reported = self.counts.iter().rev().find(|counts| counts.since <= at);
        let reported = reported.map(|counts| (counts.current, counts.desired));
        let each = cells.get(&Column::InvocationsPerInstance).filter(|each| **each > 0.0);
        let served = each.zip(cells.get(&Column::Invocations)).filter(|(_, all)| **all > 0.0);
        let Some(served) = served.map(|(each, all)| (all / each).round() as u32) else {
            return reported;
        };
        let agree = |(current, desired): &(u32, u32)| {
            (*current.min(desired)..=*current.max(desired)).contains(&served)
        };
        reported.filter(agree).or(Some((served, served)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_replay_reads() {
        let at = |minute: i64| Timestamp::from_timestamp(1_790_000_040 + minute * 60, 0).unwrap();
        let mut telemetry = Telemetry::default();
        for column in METRIC_COLUMNS {
            telemetry.add(column, 60, &[(at(0), 90.0), (at(2), 1234.5)]);
        }
        telemetry.add(Column::Invocations, 300, &[(at(0), 450.0)]);
        telemetry.endpoint_config = Some(("v2".to_owned(), at(2)));
        telemetry.targets = vec![(at(1), Some(600.0))];
        telemetry.bounds = Some((1, 8));
        assert!(telemetry.has_thin_minutes());
        let csv = telemetry.to_csv();
        let read = super::super::csv::read("x", csv.as_bytes(), LatencyStatistic::P99).unwrap();
        assert_eq!(read.warnings, Vec::<String>::new());
        assert_eq!(read.rows.len(), 3);
        assert_eq!(read.rows[0].endpoint_config.as_deref(), Some("before v2"));
        assert_eq!(read.rows[1].minute.period_seconds, 300);
        assert_eq!(read.rows[1].minute.latency_us, None);
        assert_eq!(read.rows[2].minute.latency_us, Some(1234.5));
        assert_eq!(read.rows[0].configured_target, None);
        assert_eq!(read.rows[2].configured_target, Some(600.0));
        assert_eq!(read.rows[2].bounds, (Some(1.0), Some(8.0)));
    }

    #[test]
    fn activities_tell_of_the_instances_unless_the_requests_know_better() {
        let at = |minute: i64| Timestamp::from_timestamp(1_790_000_040 + minute * 60, 0).unwrap();
        let activity = |count: u32, started: i64, ended: Option<i64>| Activity {
            id: started.to_string(),
            status: ended.map_or(ActivityStatus::InProgress, |_| ActivityStatus::Successful),
            started_at: at(started),
            ended_at: ended.map(at),
            description: format!("Setting desired instance count to {count}."),
            cause: String::new(),
            message: None,
            not_scaled_reasons: Vec::new(),
        };
        // Newest first, as AWS lists them.
        let counts =
            counts(&[activity(6, 20, None), activity(4, 10, Some(15)), activity(3, 1, Some(5))]);
        let now = |minute: i64, all: f64| {
            let mut telemetry = Telemetry { counts: counts.clone(), ..Telemetry::default() };
            telemetry.add(Column::Invocations, 60, &[(at(minute), all)]);
            telemetry.add(Column::InvocationsPerInstance, 60, &[(at(minute), 100.0)]);
            let cells = telemetry.rows.values().next().unwrap();
            telemetry.counts_at(at(minute), cells)
        };
        assert_eq!(now(2, 200.0), Some((2, 2)), "before the first one ended the requests tell");
        assert_eq!(now(7, 300.0), Some((3, 3)));
        assert_eq!(now(12, 300.0), Some((3, 4)));
        assert_eq!(now(16, 400.0), Some((4, 4)));
        assert_eq!(now(21, 500.0), Some((4, 6)), "one of two new ones serves");
        assert_eq!(now(17, 900.0), Some((9, 9)), "somebody else has set them");
    }
}
