//! vegeta: `report -type=json` (nanoseconds), `report` (mixed units) and `encode` (a request a line).

use chrono::DateTime;
use serde_json::Value;

use super::json::{at, each_line, needed, number};
use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;
use super::samples::{self, Sample};
use super::text::{after, first_number, milliseconds};

const NANOSECONDS_IN_MS: f64 = 1e6;

fn run(file: &str, tool: Tool) -> Run {
    let mut run = Run::new(file, tool, LoopKind::Open, Spacing::Even);
    run.notes.push(
        "vegeta's rate is what it sent, good or bad; its throughput, good answers only, is taken"
            .to_owned(),
    );
    run
}

/// `vegeta report -type=json`.
pub(super) fn json(file: &str, json: &Value) -> Result<Run, Problem> {
    let requests = needed(file, json, &["requests"], "the number of requests")?;
    let throughput = needed(file, json, &["throughput"], "good answers per second")?;
    let rate = needed(file, json, &["rate"], "requests per second")?;
    let success = needed(file, json, &["success"], "the share of good answers")?;
    let ms = |key: &str| number(json, &["latencies", key]).map(|ns| ns / NANOSECONDS_IN_MS);
    let mut run = run(file, Tool::VegetaJson);
    let earliest = at(json, &["earliest"]).and_then(Value::as_str);
    run.date = earliest
        .and_then(|t| DateTime::parse_from_rfc3339(t).ok())
        .map(|t| t.to_utc().date_naive());
    run.steps.push(Step {
        file: file.to_owned(),
        seconds: number(json, &["duration"]).map(|ns| ns / NANOSECONDS_IN_MS / 1e3),
        offered_rps: Some(rate),
        good_rps: throughput,
        requests: Some(requests),
        error_share: Some(1.0 - success),
        latency: Latency {
            avg: ms("mean"),
            p50: ms("50th"),
            p90: ms("90th"),
            p95: ms("95th"),
            p99: ms("99th"),
        },
        ..Step::default()
    });
    Ok(run)
}

/// A line of the report: its names in brackets and its values.
fn line<'a>(text: &'a str, file: &str, label: &str) -> Result<Vec<(&'a str, &'a str)>, Problem> {
    let read = format!("a line {label} [names] values, as vegeta report prints it");
    let (number, rest) = after(text, label)
        .ok_or_else(|| Problem::new(file, "the whole file", "no such line", read.clone()))?;
    let pair = rest.strip_prefix('[').and_then(|r| r.split_once(']'));
    let wrong =
        || Problem::new(file, format!("line {number}"), Problem::quoted(rest), read.clone());
    let (names, values) = pair.ok_or_else(wrong)?;
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    let values: Vec<&str> = values.split(',').map(str::trim).collect();
    if names.len() == values.len() {
        Ok(names.into_iter().zip(values).collect())
    } else {
        Err(wrong())
    }
}

/// `vegeta report`.
pub(super) fn text(file: &str, text: &str) -> Result<Run, Problem> {
    let requests = line(text, file, "Requests")?;
    let latencies = line(text, file, "Latencies")?;
    let durations = line(text, file, "Duration")?;
    let success = line(text, file, "Success")?;
    let value = |pairs: &[(&str, &str)], name: &str| {
        let found = pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        found.ok_or_else(|| {
            Problem::new(file, "the report", format!("no value {name}"), "vegeta 12's report")
        })
    };
    let count = |name: &str| -> Result<f64, Problem> {
        let text = value(&requests, name)?;
        text.parse().map_err(|_| {
            Problem::new(
                file,
                "line Requests",
                Problem::quoted(&text),
                format!("a number as {name}"),
            )
        })
    };
    let ms =
        |name: &str| latencies.iter().find(|(n, _)| *n == name).and_then(|(_, v)| milliseconds(v));
    let ratio = success.first().and_then(|(_, v)| first_number(v)).map(|percent| percent / 100.0);
    let mut run = run(file, Tool::VegetaText);
    run.steps.push(Step {
        file: file.to_owned(),
        seconds: value(&durations, "attack").ok().and_then(|d| milliseconds(&d)).map(|ms| ms / 1e3),
        offered_rps: Some(count("rate")?),
        good_rps: count("throughput")?,
        requests: Some(count("total")?),
        error_share: ratio.map(|ratio| 1.0 - ratio),
        latency: Latency {
            avg: ms("mean"),
            p50: ms("50"),
            p90: ms("90"),
            p95: ms("95"),
            p99: ms("99"),
        },
        ..Step::default()
    });
    Ok(run)
}

/// `vegeta encode`: a JSON object for each request.
pub(super) fn results(file: &str, text: &str) -> Result<Run, Problem> {
    let mut requests = Vec::new();
    let mut first = None;
    let cut = each_line(file, text, |at, line, result| {
        let time = result["timestamp"].as_str();
        let time = time.and_then(|t| DateTime::parse_from_rfc3339(t).ok());
        let (Some(time), Some(ns)) = (time, result["latency"].as_f64()) else {
            let read = "timestamp as RFC 3339 and latency in nanoseconds";
            return Err(Problem::new(file, format!("line {at}"), Problem::quoted(line), read));
        };
        first.get_or_insert(time);
        let code = result["code"].as_u64().unwrap_or(0);
        requests.push(Sample {
            sent: time.timestamp_micros() as f64 / 1e6,
            ms: ns / NANOSECONDS_IN_MS,
            good: (200..400).contains(&code),
        });
        Ok(())
    })?;
    let steps = samples::steps(file, &mut requests);
    let spacing = samples::spacing(&requests);
    let mut run = Run::new(file, Tool::VegetaResults, LoopKind::Open, spacing);
    run.steps = steps;
    run.date = first.map(|t| t.to_utc().date_naive());
    if cut {
        run.doubts.push("the file ends in the middle of a line".to_owned());
    }
    Ok(run)
}
