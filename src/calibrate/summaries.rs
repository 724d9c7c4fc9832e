//! JSON summaries of whole tests: oha, Gatling, Artillery, genai-perf and `AIPerf`.

use serde_json::Value;

use super::json::{at, needed, number};
use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;

/// What oha calls requests that were under way when the time was up.
const DEADLINE: &str = "aborted due to deadline";

/// `oha --output-format json`; times are in seconds.
pub(super) fn oha(file: &str, json: &Value) -> Result<Run, Problem> {
    let rate = needed(file, json, &["summary", "requestsPerSec"], "requests per second")?;
    let total = needed(file, json, &["summary", "total"], "seconds")?;
    let counts = |key: &str| -> Vec<(String, f64)> {
        let object = json.get(key).and_then(Value::as_object);
        let pairs = object.into_iter().flatten();
        pairs.filter_map(|(name, n)| Some((name.clone(), n.as_f64()?))).collect()
    };
    let codes = counts("statusCodeDistribution");
    let answers: f64 = codes.iter().map(|(_, n)| n).sum();
    let good: f64 = codes.iter().filter(|(c, _)| c.starts_with(['2', '3'])).map(|(_, n)| n).sum();
    let errors = counts("errorDistribution");
    let errors: f64 = errors.iter().filter(|(e, _)| e != DEADLINE).map(|(_, n)| n).sum();
    let all = answers + errors;
    if all <= 0.0 {
        let read = "the number of answers by status code";
        return Err(Problem::new(file, "key statusCodeDistribution", "nothing", read));
    }
    let ms = |path: &[&str]| number(json, path).map(|seconds| seconds * 1e3);
    let mut run = Run::new(file, Tool::Oha, LoopKind::Closed, Spacing::AfterAnswer);
    run.notes.push(
        "oha's successRate counts every answer, those of 4xx and 5xx too; they are taken off"
            .to_owned(),
    );
    run.steps.push(Step {
        file: file.to_owned(),
        seconds: Some(total),
        good_rps: rate * good / all,
        requests: Some(all),
        error_share: Some(1.0 - good / all),
        latency: Latency {
            avg: ms(&["summary", "average"]),
            p50: ms(&["latencyPercentiles", "p50"]),
            p90: ms(&["latencyPercentiles", "p90"]),
            p95: ms(&["latencyPercentiles", "p95"]),
            p99: ms(&["latencyPercentiles", "p99"]),
        },
        ..Step::default()
    });
    Ok(run)
}

/// Gatling's `js/stats.json` and `js/global_stats.json`.
pub(super) fn gatling(file: &str, json: &Value) -> Result<Run, Problem> {
    let stats = json.get("stats").unwrap_or(json);
    let get = |key: &str, of: &str| number(stats, &[key, of]);
    let all = needed(file, stats, &["numberOfRequests", "total"], "a number of requests")?;
    let bad = get("numberOfRequests", "ko").unwrap_or(0.0);
    let rate =
        needed(file, stats, &["meanNumberOfRequestsPerSecond", "total"], "requests per second")?;
    let share = if all > 0.0 { bad / all } else { 1.0 };
    let mut run = Run::new(file, Tool::Gatling, LoopKind::Unknown, Spacing::Unknown);
    run.notes.push(
        "Gatling's percentiles 1 to 4 are read as 50, 75, 95 and 99, as gatling.conf has them unless \
         it was changed"
            .to_owned(),
    );
    run.doubts.push(
        "stats.json is of the whole test with its ramp-up; if it had steps, they are mixed"
            .to_owned(),
    );
    run.steps.push(Step {
        file: file.to_owned(),
        seconds: (rate > 0.0).then(|| all / rate),
        good_rps: rate * (1.0 - share),
        requests: Some(all),
        error_share: Some(share),
        latency: Latency {
            avg: get("meanResponseTime", "total"),
            p50: get("percentiles1", "total"),
            p90: None,
            p95: get("percentiles3", "total"),
            p99: get("percentiles4", "total"),
        },
        ..Step::default()
    });
    Ok(run)
}

/// Artillery's report: a step for each of its periods, ten seconds long.
pub(super) fn artillery(file: &str, json: &Value) -> Result<Run, Problem> {
    let mut run = Run::new(file, Tool::Artillery, LoopKind::Open, Spacing::Even);
    run.notes
        .push("each period of Artillery's report is a step; the last, cut short, is not".into());
    let read = "the periods of an Artillery 2 report";
    let periods = json.get("intermediate").and_then(Value::as_array).filter(|p| p.len() > 1);
    let periods =
        periods.ok_or_else(|| Problem::new(file, "key intermediate", "fewer than two", read))?;
    for (i, period) in periods[..periods.len() - 1].iter().enumerate() {
        // Keys have dots in them; a step of a path is one key.
        let Some(sent) = number(period, &["counters", "http.requests"]) else { continue };
        let codes = at(period, &["counters"]).and_then(Value::as_object);
        let good: f64 = codes
            .into_iter()
            .flatten()
            .filter(|(k, _)| k.starts_with("http.codes.2") || k.starts_with("http.codes.3"))
            .filter_map(|(_, n)| n.as_f64())
            .sum();
        let ms = |key: &str| {
            number(period, &["summaries", "http.response_time", key])
                .or_else(|| number(period, &["histograms", "http.response_time", key]))
        };
        let responses = number(period, &["counters", "http.responses"]).unwrap_or(good);
        let lost = codes.into_iter().flatten().filter(|(k, _)| k.starts_with("errors."));
        let lost: f64 = lost.filter_map(|(_, n)| n.as_f64()).sum();
        let all = (responses + lost).max(good);
        run.steps.push(Step {
            file: file.to_owned(),
            from_seconds: Some(i as f64 * 10.0),
            seconds: Some(10.0),
            offered_rps: Some(sent / 10.0),
            good_rps: good / 10.0,
            requests: Some(sent),
            error_share: (all > 0.0).then(|| 1.0 - good / all),
            latency: Latency {
                avg: ms("mean"),
                p50: ms("p50").or_else(|| ms("median")),
                p90: ms("p90"),
                p95: ms("p95"),
                p99: ms("p99"),
            },
            ..Step::default()
        });
    }
    Ok(run)
}

/// genai-perf's `profile_export_genai_perf.json` and `AIPerf`'s `profile_export_aiperf.json`.
pub(super) fn genai(file: &str, json: &Value) -> Result<Run, Problem> {
    let records = json.get("records").unwrap_or(json);
    let rate = needed(file, records, &["request_throughput", "avg"], "requests per second")?;
    let unit = at(records, &["request_latency", "unit"]).and_then(Value::as_str).unwrap_or("ms");
    let in_ms = match unit {
        "ns" => 1e-6,
        "us" => 1e-3,
        "ms" => 1.0,
        "s" | "sec" => 1e3,
        other => {
            let place = "key request_latency.unit";
            return Err(Problem::new(file, place, Problem::quoted(other), "ns, us, ms or s"));
        }
    };
    let ms = |key: &str| number(records, &["request_latency", key]).map(|v| v * in_ms);
    let config = |key: &str| {
        [&["input_config", "loadgen", key][..], &["input_config", "perf_analyzer", "stimulus", key]]
            .into_iter()
            .find_map(|path| number(json, path))
    };
    let (users, offered) = (config("concurrency"), config("request_rate"));
    let kind = match (offered, users) {
        (Some(_), _) => LoopKind::Open,
        (None, Some(_)) => LoopKind::Closed,
        (None, None) => LoopKind::Unknown,
    };
    let good = number(records, &["request_count", "avg"]);
    let errors = number(records, &["error_request_count", "avg"]);
    let share = good.zip(errors).map(|(good, errors)| errors / (good + errors).max(1.0));
    let mut run = Run::new(file, Tool::GenaiPerf, kind, Spacing::Unknown);
    run.notes.push(
        "a request's time depends on its tokens: the rate holds for prompts and answers as long as \
         those of the test"
            .to_owned(),
    );
    run.steps.push(Step {
        file: file.to_owned(),
        seconds: good.map(|good| good / rate).filter(|s| s.is_finite()),
        offered_rps: offered,
        good_rps: rate,
        users,
        requests: good,
        error_share: share,
        latency: Latency {
            avg: ms("avg"),
            p50: ms("p50"),
            p90: ms("p90"),
            p95: ms("p95"),
            p99: ms("p99"),
        },
        ..Step::default()
    });
    Ok(run)
}
