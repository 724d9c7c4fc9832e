//! Which tool wrote a file: by what is in it, never by its name.

use serde_json::Value;

use super::json::at;
use super::model::{Run, Tool};
use super::problem::Problem;
use super::{ab, gatling, hey, jmeter, k6, locust, recommender, summaries, telemetry, vegeta, wrk};

/// What is read, for people.
pub const READ: &str = "k6 summary JSON, k6 --out json or csv, Locust stats_history.csv or \
                        stats.csv, JMeter JTL as CSV or XML, Gatling stats.json or simulation.log as \
                        text, Artillery report \
                        JSON, vegeta report as JSON or text, vegeta encode as JSON, wrk, wrk2, hey \
                        and ab reports, oha JSON, genai-perf or AIPerf JSON, Inference Recommender \
                        job JSON, and setpoint export CSV";

/// The tool that wrote a text, if it is one that is read.
pub fn recognise(text: &str) -> Option<Tool> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let first = text.lines().next().unwrap_or_default();
    if text.starts_with('{') {
        return match serde_json::from_str::<Value>(first) {
            Ok(line) if line.get("type").is_some() && line.get("metric").is_some() => {
                Some(Tool::K6Json)
            }
            Ok(line) if line.get("attack").is_some() && line.get("latency").is_some() => {
                Some(Tool::VegetaResults)
            }
            _ => serde_json::from_str(text).ok().as_ref().and_then(of_json),
        };
    }
    if gatling::is_log(first) {
        return Some(Tool::GatlingLog);
    }
    let columns: Vec<&str> = first.split(',').map(|c| c.trim().trim_matches('"')).collect();
    let has = |names: &[&str]| names.iter().all(|name| columns.contains(name));
    if has(&["metric_name", "timestamp", "metric_value"]) {
        return Some(Tool::K6Csv);
    }
    if has(&["Timestamp", "User Count", "Total Request Count"]) {
        return Some(Tool::LocustHistory);
    }
    if has(&["Name", "Request Count", "Failure Count"]) {
        return Some(Tool::LocustStats);
    }
    if has(&["timeStamp", "elapsed", "success"]) {
        return Some(Tool::JmeterCsv);
    }
    if has(&["timestamp", "invocations_per_instance"]) {
        return Some(Tool::Telemetry);
    }
    if text.starts_with('<') && text.contains("<testResults") {
        return Some(Tool::JmeterXml);
    }
    of_report(text)
}

fn of_json(json: &Value) -> Option<Tool> {
    let has = |keys: &[&str]| keys.iter().all(|key| json.get(key).is_some());
    if at(json, &["metrics", "http_reqs"]).is_some()
        || at(json, &["metrics", "iterations"]).is_some()
    {
        Some(Tool::K6Summary)
    } else if has(&["summary", "latencyPercentiles", "statusCodeDistribution"]) {
        Some(Tool::Oha)
    } else if has(&["request_throughput", "request_latency"])
        || at(json, &["records", "request_throughput"]).is_some()
    {
        Some(Tool::GenaiPerf)
    } else if has(&["aggregate", "intermediate"]) {
        Some(Tool::Artillery)
    } else if has(&["numberOfRequests"]) || at(json, &["stats", "numberOfRequests"]).is_some() {
        Some(Tool::Gatling)
    } else if has(&["latencies", "requests", "throughput"]) {
        Some(Tool::VegetaJson)
    } else if has(&["InferenceRecommendations"])
        || has(&["EndpointPerformances"])
        || has(&["JobName", "JobType"])
    {
        Some(Tool::InferenceRecommender)
    } else {
        None
    }
}

fn of_report(text: &str) -> Option<Tool> {
    let has = |label: &str| text.lines().any(|line| line.trim_start().starts_with(label));
    if has("Requests ") && has("Latencies ") && text.contains("[total") {
        Some(Tool::VegetaText)
    } else if has("Running ") && text.contains("Thread Stats") {
        let second = text.contains("Recorded Latency") || text.contains("Thread calibration");
        Some(if second { Tool::Wrk2 } else { Tool::Wrk })
    } else if has(ab::START) {
        Some(Tool::Ab)
    } else if has("Summary:") && has("Requests/sec:") && text.contains("Slowest:") {
        Some(Tool::Hey)
    } else {
        None
    }
}

/// Reads a file's text.
///
/// # Errors
/// When it is none of [`READ`], or not whole: with the line or key, what was found and what is read.
pub fn read(file: &str, text: &str) -> Result<Vec<Run>, Problem> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err(Problem::new(file, "the whole file", "nothing", READ));
    }
    let Some(tool) = recognise(text) else {
        return Err(unknown(file, text));
    };
    let parsed = || -> Result<Value, Problem> {
        serde_json::from_str(text).map_err(|error| broken(file, &error))
    };
    Ok(match tool {
        Tool::K6Summary => vec![k6::summary(file, &parsed()?)?],
        Tool::K6Json => vec![k6::points(file, text)?],
        Tool::K6Csv => vec![k6::csv(file, text)?],
        Tool::LocustHistory => vec![locust::history(file, text)?],
        Tool::LocustStats => vec![locust::stats(file, text)?],
        Tool::VegetaJson => vec![vegeta::json(file, &parsed()?)?],
        Tool::VegetaText => vec![vegeta::text(file, text)?],
        Tool::VegetaResults => vec![vegeta::results(file, text)?],
        Tool::Wrk | Tool::Wrk2 => vec![wrk::read(file, text)?],
        Tool::Hey => vec![hey::read(file, text)?],
        Tool::JmeterCsv => vec![jmeter::csv(file, text)?],
        Tool::JmeterXml => vec![jmeter::xml(file, text)?],
        Tool::Ab => vec![ab::read(file, text)?],
        Tool::Oha => vec![summaries::oha(file, &parsed()?)?],
        Tool::Gatling => vec![summaries::gatling(file, &parsed()?)?],
        Tool::GatlingLog => vec![gatling::log(file, text)?],
        Tool::Artillery => vec![summaries::artillery(file, &parsed()?)?],
        Tool::GenaiPerf => vec![summaries::genai(file, &parsed()?)?],
        Tool::Telemetry => vec![telemetry::read(file, text)?],
        Tool::InferenceRecommender => recommender::read(file, &parsed()?)?,
    })
}

/// Why a file that is no text cannot be read: `at` is the first byte that is not. What is known of other
/// tools' binary formats says how to get a text out of them.
pub fn binary(file: &str, bytes: &[u8], at: usize) -> Problem {
    let head = &bytes[..bytes.len().min(4096)];
    let has = |word: &str| head.windows(word.len()).any(|part| part == word.as_bytes());
    let place = format!("byte {at}");
    if ["Attack", "Timestamp", "Latency", "BytesOut"].iter().all(|name| has(name)) {
        let read = "the same as JSON, which `vegeta encode --to json` writes, or `vegeta report`";
        return Problem::new(
            file,
            place,
            "results of vegeta attack in its own encoding (gob)",
            read,
        );
    }
    // Its log begins with the record of the run, which is a zero and the version.
    if head.first() == Some(&0) && has("3.1") && has("imulation") {
        let read = "js/stats.json of its report, or the simulation.log of Gatling up to 3.10";
        return Problem::new(file, place, "Gatling's simulation.log in its binary form", read);
    }
    Problem::new(file, place, "something that is not text", READ)
}

fn broken(file: &str, error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    Problem::new(file, place, error.to_string(), "JSON; the file may not be all of it")
}

fn unknown(file: &str, text: &str) -> Problem {
    let first = text.trim_start().lines().next().unwrap_or_default();
    if text.trim_start().starts_with('{')
        && let Err(error) = serde_json::from_str::<Value>(text)
    {
        return broken(file, &error);
    }
    Problem::new(file, "line 1", Problem::quoted(first), READ)
}
