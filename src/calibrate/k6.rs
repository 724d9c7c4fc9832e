//! k6: the summary (of `--summary-export` and of `handleSummary`), `--out json` and `--out csv`.

use chrono::DateTime;
use serde_json::Value;

use super::csv_table::Table;
use super::json::{at, each_line, number};
use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;
use super::samples::{self, Sample};

const WHOLE_TEST: &str = "k6's summary is of the whole test with its ramp-up; if it had stages, \
                          they are mixed: --out json has each request";

/// A value of a metric: `handleSummary` puts it below `values`, `--summary-export` does not.
fn value(summary: &Value, metric: &str, key: &str) -> Option<f64> {
    number(summary, &["metrics", metric, "values", key])
        .or_else(|| number(summary, &["metrics", metric, key]))
}

pub(super) fn summary(file: &str, json: &Value) -> Result<Run, Problem> {
    let missing = |key: &str| {
        let metrics = at(json, &["metrics"]).and_then(Value::as_object);
        let keys = metrics.map(|m| m.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
        let found = format!("the metrics {}", Problem::quoted(&keys.unwrap_or_default()));
        Problem::new(file, format!("key metrics.{key}"), found, "a number of a test over HTTP")
    };
    let rate = value(json, "http_reqs", "rate").ok_or_else(|| missing("http_reqs.rate"))?;
    let count = value(json, "http_reqs", "count").ok_or_else(|| missing("http_reqs.count"))?;
    let failed =
        value(json, "http_req_failed", "rate").or_else(|| value(json, "http_req_failed", "value"));
    let of = |key: &str| value(json, "http_req_duration", key);
    let latency = Latency {
        avg: of("avg"),
        p50: of("med").or_else(|| of("p(50)")),
        p90: of("p(90)"),
        p95: of("p(95)"),
        p99: of("p(99)"),
    };
    if latency.strictest().is_none() {
        return Err(missing("http_req_duration.avg"));
    }
    let dropped = value(json, "dropped_iterations", "count").filter(|n| *n > 0.0);
    let iterations = value(json, "iterations", "count").filter(|n| *n > 0.0);
    // Only the arrival-rate executors drop iterations.
    let kind = if dropped.is_some() { LoopKind::Open } else { LoopKind::Unknown };
    let spacing = if dropped.is_some() { Spacing::Even } else { Spacing::Unknown };
    let mut run = Run::new(file, Tool::K6Summary, kind, spacing);
    run.doubts.push(WHOLE_TEST.to_owned());
    if latency.p99.is_none() {
        run.notes.push(
            "k6 leaves p(99) out unless summaryTrendStats (--summary-trend-stats) names it"
                .to_owned(),
        );
    }
    let (low, high) = (value(json, "vus", "min"), value(json, "vus", "max"));
    if let (Some(low), Some(high)) = (low, high)
        && low < high
    {
        run.doubts.push(format!("the load changed during the test: {low} to {high} virtual users"));
    }
    let share = dropped.zip(iterations).map(|(dropped, iterations)| dropped / iterations);
    if let Some(dropped) = dropped {
        run.doubts.push(format!(
            "k6 dropped {dropped} iterations: too few virtual users (maxVUs), or the server fell \
             behind"
        ));
    }
    run.steps.push(Step {
        file: file.to_owned(),
        seconds: Some(count / rate).filter(|s| s.is_finite()),
        offered_rps: share.map(|share| rate * (1.0 + share)),
        good_rps: rate * (1.0 - failed.unwrap_or(0.0)),
        requests: Some(count),
        error_share: failed,
        latency,
        ..Step::default()
    });
    Ok(run)
}

/// What the points of both detailed forms come to.
#[derive(Default)]
struct Points {
    samples: Vec<Sample>,
    dropped: f64,
    first: Option<f64>,
}

impl Points {
    fn add(&mut self, ended: f64, ms: f64, good: bool) {
        self.first.get_or_insert(ended);
        self.samples.push(Sample { sent: ended - ms / 1e3, ms, good });
    }

    fn run(mut self, file: &str, tool: Tool, cut: bool) -> Result<Run, Problem> {
        if self.samples.is_empty() {
            let read = "points of the metric http_req_duration";
            return Err(Problem::new(file, "the whole file", "no request", read));
        }
        let steps = samples::steps(file, &mut self.samples);
        let spacing = samples::spacing(&self.samples);
        let open = spacing == Spacing::Even || self.dropped > 0.0;
        let kind = if open { LoopKind::Open } else { LoopKind::Unknown };
        let mut run = Run::new(file, tool, kind, spacing);
        run.steps = steps;
        run.date = self
            .first
            .and_then(|first| DateTime::from_timestamp(first as i64, 0))
            .map(|time| time.date_naive());
        if self.dropped > 0.0 {
            run.doubts.push(format!(
                "k6 dropped {} iterations: too few virtual users (maxVUs), or the server fell behind",
                self.dropped
            ));
        }
        if cut {
            run.doubts.push(
                "the file ends in the middle of a line: the test was stopped, or the \
                             file is not all of it"
                    .to_owned(),
            );
        }
        Ok(run)
    }
}

/// `--out json`: a JSON object a line.
pub(super) fn points(file: &str, text: &str) -> Result<Run, Problem> {
    let mut points = Points::default();
    let cut = each_line(file, text, |line, _, point| {
        if point["type"] != "Point" {
            return Ok(());
        }
        let value = point["data"]["value"].as_f64();
        match point["metric"].as_str() {
            Some("dropped_iterations") => points.dropped += value.unwrap_or(0.0),
            Some("http_req_duration") => {
                let time = point["data"]["time"].as_str();
                let time = time.and_then(|t| DateTime::parse_from_rfc3339(t).ok());
                let (Some(time), Some(ms)) = (time, value) else {
                    let found = Problem::quoted(&point["data"].to_string());
                    let read = "time as RFC 3339 and value in milliseconds";
                    return Err(Problem::new(file, format!("line {line}, key data"), found, read));
                };
                let tags = &point["data"]["tags"];
                let ended = time.timestamp_micros() as f64 / 1e6;
                points.add(ended, ms, good(tags["status"].as_str(), tags["error_code"].as_str()));
            }
            _ => {}
        }
        Ok(())
    })?;
    points.run(file, Tool::K6Json, cut)
}

/// `--out csv`.
pub(super) fn csv(file: &str, text: &str) -> Result<Run, Problem> {
    let (table, cut) = Table::read(file, text)?;
    let [metric, time, value] =
        [table.needed("metric_name")?, table.needed("timestamp")?, table.needed("metric_value")?];
    let (status, code) = (table.column("status"), table.column("error_code"));
    let mut points = Points::default();
    for row in &table.rows {
        let cell = |column: Option<usize>| column.and_then(|c| row.1.get(c));
        match cell(Some(metric)) {
            Some("dropped_iterations") => points.dropped += table.number(row, value)?,
            Some("http_req_duration") => {
                let stamp = cell(Some(time)).unwrap_or_default();
                let ended = match DateTime::parse_from_rfc3339(stamp) {
                    Ok(time) => time.timestamp_micros() as f64 / 1e6,
                    Err(_) => seconds(table.number(row, time)?),
                };
                points.add(ended, table.number(row, value)?, good(cell(status), cell(code)));
            }
            _ => {}
        }
    }
    points.run(file, Tool::K6Csv, cut)
}

/// `timeFormat` is `unix`, `unix_milli`, `unix_micro` or `unix_nano`: they are a thousand apart, so that
/// the size tells them.
pub(super) fn seconds(stamp: f64) -> f64 {
    let mut seconds = stamp;
    while seconds > 1e11 {
        seconds /= 1e3;
    }
    seconds
}

/// k6 gives no status 0 to what was never answered, and an error code of 1000 and more to failures.
fn good(status: Option<&str>, code: Option<&str>) -> bool {
    let status = status.and_then(|s| s.parse::<u16>().ok()).unwrap_or(0);
    (200..400).contains(&status) && code.is_none_or(str::is_empty)
}
