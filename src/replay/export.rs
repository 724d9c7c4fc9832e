//! Writes telemetry in the columns that replay reads.

use std::collections::BTreeMap;

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
    /// The target value in force now; AWS does not tell the past ones.
    pub configured_target: Option<f64>,
}

impl Telemetry {
    /// Adds the datapoints of one query.
    pub fn add(&mut self, column: Column, period_seconds: u32, points: &[(Timestamp, f64)]) {
        for (at, value) in points {
            self.rows.entry((*at, period_seconds)).or_default().insert(column, *value);
        }
    }

    /// Whether there is no datapoint at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether some minutes are too thin for a percentile of their own.
    #[must_use]
    pub fn has_thin_minutes(&self) -> bool {
        let minutes = self.rows.iter().filter(|((_, period), _)| *period == 60);
        minutes
            .filter_map(|(_, cells)| cells.get(&Column::Invocations))
            .any(|requests| *requests > 0.0 && *requests < THIN_MINUTE)
    }

    /// The telemetry as CSV.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let with_periods = self.rows.keys().any(|(_, period)| *period != 60);
        let mut columns = vec![Column::Timestamp];
        if with_periods {
            columns.push(Column::PeriodSeconds);
        }
        columns.extend(METRIC_COLUMNS);
        columns.extend([Column::EndpointConfig, Column::ConfiguredTarget]);
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        // Writing to memory does not fail.
        let _ = writer.write_record(columns.iter().map(|c| c.name()));
        let newest = self.rows.keys().next_back().copied();
        for (key, cells) in &self.rows {
            let cell = |column: &Column| self.cell(*column, *key, cells, newest == Some(*key));
            let _ = writer.write_record(columns.iter().map(cell));
        }
        String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
    }

    fn cell(
        &self,
        column: Column,
        (at, period): (Timestamp, u32),
        cells: &BTreeMap<Column, f64>,
        is_newest: bool,
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
            Column::ConfiguredTarget if is_newest => {
                self.configured_target.map_or_else(String::new, human)
            }
            Column::ConfiguredTarget => String::new(),
            _ => cells.get(&column).map_or_else(String::new, |v| human(*v)),
        }
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
        telemetry.configured_target = Some(600.0);
        assert!(telemetry.has_thin_minutes());
        let csv = telemetry.to_csv();
        let read = super::super::csv::read("x", csv.as_bytes(), LatencyStatistic::P99).unwrap();
        assert_eq!(read.warnings, Vec::<String>::new());
        assert_eq!(read.rows.len(), 3);
        assert_eq!(read.rows[0].endpoint_config.as_deref(), Some("before v2"));
        assert_eq!(read.rows[1].minute.period_seconds, 300);
        assert_eq!(read.rows[1].minute.latency_us, None);
        assert_eq!(read.rows[2].minute.latency_us, Some(1234.5));
        assert_eq!(read.rows[2].configured_target, Some(600.0));
    }
}
