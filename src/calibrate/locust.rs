//! Locust: `…_stats_history.csv`, a row a second, and `…_stats.csv`, a row a test.

use chrono::DateTime;

use super::csv_table::Table;
use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;

/// The percentiles in the history are of the last ten seconds, so that the first ten of a step
/// still belong to the one before.
const SETTLE_SECONDS: f64 = 10.0;

#[derive(Debug, Clone, Copy)]
struct Row {
    time: f64,
    users: f64,
    requests: f64,
    failures: f64,
    latency: Latency,
}

pub(super) fn history(file: &str, text: &str) -> Result<Run, Problem> {
    let (table, cut) = Table::read(file, text)?;
    let name = table.needed("Name")?;
    let columns = ["Timestamp", "User Count", "Total Request Count", "Total Failure Count"];
    let mut at = [0; 4];
    for (i, column) in columns.iter().enumerate() {
        at[i] = table.needed(column)?;
    }
    let percentiles = ["50%", "90%", "95%", "99%"].map(|p| table.column(p));
    let mut rows = Vec::new();
    for row in table.rows.iter().filter(|row| row.1.get(name) == Some("Aggregated")) {
        let [time, users, requests, failures] = at;
        // Locust writes N/A while there is no answer in the window.
        let ms = |c: Option<usize>| c.and_then(|c| row.1.get(c)?.trim().parse::<f64>().ok());
        let [p50, p90, p95, p99] = percentiles.map(ms);
        rows.push(Row {
            time: table.number(row, time)?,
            users: table.number(row, users)?,
            requests: table.number(row, requests)?,
            failures: table.number(row, failures)?,
            latency: Latency { avg: None, p50, p90, p95, p99 },
        });
    }
    if rows.len() < 2 {
        let found = format!("{} rows named Aggregated", rows.len());
        return Err(Problem::new(file, "column Name", found, "a row a second"));
    }
    let mut run = Run::new(file, Tool::LocustHistory, LoopKind::Closed, Spacing::Unknown);
    run.date = DateTime::from_timestamp(rows[0].time as i64, 0).map(|t| t.date_naive());
    run.notes.push(
        "percentiles are means of Locust's, each of ten seconds and rounded; the first ten \
         seconds of each step are left out"
            .to_owned(),
    );
    run.notes.push("Locust's Requests/s counts failures too; they are taken off".to_owned());
    if cut {
        run.doubts.push("the file ends in the middle of a line".to_owned());
    }
    run.steps =
        rows.chunk_by(|a, b| a.users == b.users).filter_map(|rows| step(file, rows)).collect();
    let start = rows[0].time;
    for step in &mut run.steps {
        step.from_seconds = step.from_seconds.map(|from| from - start);
    }
    if run.steps.is_empty() {
        run.steps.extend(step_of(file, &rows));
        run.doubts.push("the number of users changed all the time: all of it is one step".into());
    }
    Ok(run)
}

fn step(file: &str, rows: &[Row]) -> Option<Step> {
    let begun = rows.first()?.time;
    let settled = rows.iter().position(|row| row.time - begun >= SETTLE_SECONDS)?;
    step_of(file, &rows[settled..]).filter(|step| step.users != Some(0.0))
}

fn step_of(file: &str, rows: &[Row]) -> Option<Step> {
    let (first, last) = (rows.first()?, rows.last()?);
    let seconds = last.time - first.time;
    let requests = last.requests - first.requests;
    if seconds <= 0.0 || requests <= 0.0 {
        return None;
    }
    let failures = last.failures - first.failures;
    let mean = |of: fn(&Latency) -> Option<f64>| {
        let values: Vec<f64> = rows.iter().filter_map(|row| of(&row.latency)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Some(Step {
        file: file.to_owned(),
        from_seconds: Some(first.time),
        seconds: Some(seconds),
        offered_rps: None,
        good_rps: (requests - failures) / seconds,
        users: Some(last.users),
        requests: Some(requests),
        error_share: Some(failures / requests),
        latency: Latency {
            avg: None,
            p50: mean(|l| l.p50),
            p90: mean(|l| l.p90),
            p95: mean(|l| l.p95),
            p99: mean(|l| l.p99),
        },
    })
}

/// The totals of one test.
pub(super) fn stats(file: &str, text: &str) -> Result<Run, Problem> {
    let (table, _) = Table::read(file, text)?;
    let name = table.needed("Name")?;
    let row = table.rows.iter().find(|row| row.1.get(name) == Some("Aggregated"));
    let row = row.ok_or_else(|| {
        Problem::new(file, "column Name", "no row named Aggregated", "the row of all requests")
    })?;
    let needed = |column: &str| table.number(row, table.needed(column)?);
    let [requests, failures, rate] =
        [needed("Request Count")?, needed("Failure Count")?, needed("Requests/s")?];
    let ms = |column: &str| table.column(column).and_then(|c| table.number(row, c).ok());
    let mut run = Run::new(file, Tool::LocustStats, LoopKind::Closed, Spacing::Unknown);
    run.doubts.push(
        "stats.csv is of the whole test with its ramp-up; if it had steps, they are mixed: \
         stats_history.csv has each second"
            .to_owned(),
    );
    if requests > 0.0 && rate > 0.0 {
        let share = failures / requests;
        run.steps.push(Step {
            file: file.to_owned(),
            seconds: Some(requests / rate),
            good_rps: rate * (1.0 - share),
            requests: Some(requests),
            error_share: Some(share),
            latency: Latency {
                avg: ms("Average Response Time"),
                p50: ms("50%"),
                p90: ms("90%"),
                p95: ms("95%"),
                p99: ms("99%"),
            },
            ..Step::default()
        });
    }
    Ok(run)
}
