//! Reads recorded telemetry. A bad cell is an error that names file, line, column, what was found
//! and what is allowed; an empty cell or a missing row is no datapoint.

use std::io::Read;

use crate::model::series::Minute;
use crate::model::time::{Timestamp, floor_to_minute};
use crate::model::units::LatencyStatistic;

use super::columns::Column;

/// The periods that CloudWatch is asked for.
const PERIODS: [u32; 3] = [60, 300, 900];
/// Most rows that are read: 14 days of minutes a hundred times over.
const ROWS_MAX: usize = 2_000_000;
/// Numbers beyond this are no counts or microseconds.
const NUMBER_MAX: f64 = 1e15;

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The telemetry.
    pub minute: Minute,
    /// The endpoint config in force, if stated.
    pub endpoint_config: Option<String>,
    /// The target value in force when the period begins, if stated.
    pub configured_target: Option<f64>,
    /// Instances that AWS wants, if stated.
    pub desired_instances: Option<f64>,
    /// Fewest and most instances of the scalable target, if stated.
    pub bounds: (Option<f64>, Option<f64>),
}

/// A file that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// The rows in order of time.
    pub rows: Vec<Row>,
    /// What a user should know about the file.
    pub warnings: Vec<String>,
}

/// Why a file cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// It cannot be read as CSV at all.
    #[error("{file}: {message}")]
    Unreadable {
        file: String,
        /// What went wrong, with the line where that is known.
        message: String,
    },
    #[error("{file}: line 1: no column {column} (columns found: {found})")]
    MissingColumn { file: String, column: &'static str, found: String },
    /// A column occurs twice.
    #[error("{file}: line 1: column {column} occurs twice")]
    RepeatedColumn { file: String, column: &'static str },
    /// A cell cannot be understood.
    #[error("{file}: line {line}, column {column}: found {found:?} (allowed: {allowed})")]
    Cell {
        file: String,
        /// The line, from 1.
        line: u64,
        column: &'static str,
        /// The cell.
        found: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A row comes before the one above it.
    #[error(
        "{file}: line {line}, column timestamp: {found} comes after {before} (allowed: rows in \
         order of time)"
    )]
    Unordered {
        file: String,
        line: u64,
        /// Its timestamp.
        found: String,
        /// The timestamp above it.
        before: String,
    },
    /// Two rows speak of the same period.
    #[error(
        "{file}: line {line}, column timestamp: a second row for {found} (allowed: one row a \
         period)"
    )]
    Duplicate {
        file: String,
        line: u64,
        /// The timestamp.
        found: String,
    },
    /// There is no row.
    #[error("{file}: no rows below the header")]
    Empty { file: String },
    /// There is nothing at all.
    #[error("{file} is empty")]
    Blank { file: String },
}

/// Where the columns of interest are in a row.
struct Layout<'a> {
    file: &'a str,
    positions: Vec<(Column, usize)>,
    statistic: LatencyStatistic,
}

/// Reads telemetry whose objective is at `statistic`. `file` is its name in errors.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(
    file: &str,
    input: impl Read,
    statistic: LatencyStatistic,
) -> Result<Recording, CsvError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let unreadable =
        |e: &csv::Error| CsvError::Unreadable { file: file.to_owned(), message: e.to_string() };
    let header = reader.headers().map_err(|e| unreadable(&e))?.clone();
    if header.iter().all(str::is_empty) {
        return Err(CsvError::Blank { file: file.to_owned() });
    }
    let (layout, warnings) = Layout::read(file, &header, statistic)?;
    let mut recording = Recording { rows: Vec::new(), warnings };
    let mut newest: [Option<Timestamp>; PERIODS.len()] = [None; PERIODS.len()];
    let mut last: Option<Timestamp> = None;
    for record in reader.records() {
        let record = record.map_err(|e| unreadable(&e))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = layout.row(&record, line)?;
        let at = row.minute.at;
        if let Some(before) = last.filter(|before| at < *before) {
            let (found, before) = (at.to_rfc3339(), before.to_rfc3339());
            return Err(CsvError::Unordered { file: file.to_owned(), line, found, before });
        }
        let of_period = PERIODS.iter().position(|p| *p == row.minute.period_seconds).unwrap_or(0);
        if newest[of_period] == Some(at) {
            let found = at.to_rfc3339();
            return Err(CsvError::Duplicate { file: file.to_owned(), line, found });
        }
        newest[of_period] = Some(at);
        last = Some(at);
        recording.rows.push(row);
        if recording.rows.len() > ROWS_MAX {
            let message = format!("more than {ROWS_MAX} rows");
            return Err(CsvError::Unreadable { file: file.to_owned(), message });
        }
    }
    if recording.rows.is_empty() {
        return Err(CsvError::Empty { file: file.to_owned() });
    }
    Ok(recording)
}

impl From<Minute> for Row {
    /// A row that states nothing else.
    fn from(minute: Minute) -> Self {
        Self {
            minute,
            endpoint_config: None,
            configured_target: None,
            desired_instances: None,
            bounds: (None, None),
        }
    }
}

impl<'a> Layout<'a> {
    fn read(
        file: &'a str,
        header: &csv::StringRecord,
        statistic: LatencyStatistic,
    ) -> Result<(Self, Vec<String>), CsvError> {
        let mut positions: Vec<(Column, usize)> = Vec::new();
        let mut warnings = Vec::new();
        for (i, name) in header.iter().enumerate() {
            // A spreadsheet's byte order mark is no part of the name.
            let name = name.trim_start_matches('\u{feff}');
            match Column::parse(name) {
                Some(column) if positions.iter().any(|(c, _)| *c == column) => {
                    let column = column.name();
                    return Err(CsvError::RepeatedColumn { file: file.to_owned(), column });
                }
                Some(column) => positions.push((column, i)),
                None => warnings.push(format!("{file}: column {name:?} is not known, left out")),
            }
        }
        let has = |column: Column| positions.iter().any(|(c, _)| *c == column);
        for column in [
            Column::Timestamp,
            Column::Invocations,
            Column::InvocationsPerInstance,
            Column::Latency(statistic),
            Column::Errors5xx,
        ] {
            if !has(column) {
                let found = header.iter().collect::<Vec<_>>().join(", ");
                let column = column.name();
                return Err(CsvError::MissingColumn { file: file.to_owned(), column, found });
            }
        }
        if !has(Column::Latency(LatencyStatistic::P50)) {
            warnings
                .push(format!("{file}: no column latency_p50_us: changes of speed cannot be seen"));
        }
        Ok((Self { file, positions, statistic }, warnings))
    }

    fn cell<'r>(&self, record: &'r csv::StringRecord, column: Column) -> Option<&'r str> {
        let (_, position) = self.positions.iter().find(|(c, _)| *c == column)?;
        record.get(*position).filter(|cell| !cell.is_empty())
    }

    fn wrong(&self, line: u64, column: Column, found: &str, allowed: &'static str) -> CsvError {
        let (file, found) = (self.file.to_owned(), found.chars().take(60).collect());
        CsvError::Cell { file, line, column: column.name(), found, allowed }
    }

    fn number(
        &self,
        record: &csv::StringRecord,
        line: u64,
        column: Column,
    ) -> Result<Option<f64>, CsvError> {
        let Some(cell) = self.cell(record, column) else { return Ok(None) };
        match cell.parse::<f64>() {
            Ok(v) if (0.0..=NUMBER_MAX).contains(&v) => Ok(Some(v)),
            _ => Err(self.wrong(line, column, cell, "a number from 0 to 1e15, or empty")),
        }
    }

    fn row(&self, record: &csv::StringRecord, line: u64) -> Result<Row, CsvError> {
        let text = self.cell(record, Column::Timestamp).unwrap_or("");
        let at = chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| floor_to_minute(at.to_utc()))
            // Years that nobody records, and whose minutes would not fit the arithmetic.
            .filter(|at| (0..=253_402_300_799).contains(&at.timestamp()))
            .ok_or_else(|| {
                let allowed = "an RFC 3339 time from 1970 on, such as 2026-11-01T00:00:00Z";
                self.wrong(line, Column::Timestamp, text, allowed)
            })?;
        let period = self.cell(record, Column::PeriodSeconds).unwrap_or("60");
        let period_seconds = period
            .parse::<u32>()
            .ok()
            .filter(|p| PERIODS.contains(p))
            .ok_or_else(|| self.wrong(line, Column::PeriodSeconds, period, "60, 300 or 900"))?;
        let number = |column| self.number(record, line, column);
        let configured_target = number(Column::ConfiguredTarget)?;
        if configured_target == Some(0.0) {
            let allowed = "a number above 0, or empty";
            return Err(self.wrong(line, Column::ConfiguredTarget, "0", allowed));
        }
        let minute = Minute {
            at,
            period_seconds,
            invocations: number(Column::Invocations)?,
            invocations_per_instance: number(Column::InvocationsPerInstance)?,
            latency_us: number(Column::Latency(self.statistic))?,
            latency_p50_us: number(Column::Latency(LatencyStatistic::P50))?,
            errors_5xx: number(Column::Errors5xx)?,
            instances: number(Column::Instances)?,
        };
        let endpoint_config = self.cell(record, Column::EndpointConfig).map(str::to_owned);
        Ok(Row {
            minute,
            endpoint_config,
            configured_target,
            desired_instances: number(Column::DesiredInstances)?,
            bounds: (number(Column::MinCapacity)?, number(Column::MaxCapacity)?),
        })
    }
}
