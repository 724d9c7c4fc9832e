//! Inference Recommender: `DescribeInferenceRecommendationsJob`. Its numbers are per minute already.

use chrono::DateTime;
use serde_json::Value;

use super::json::{at, needed, number};
use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;
use crate::model::units::LatencyStatistic;

/// `InvokeEndpoint` answers within 60 seconds, so that a greater latency is in microseconds:
/// AWS's own example answer has 263596 where the page says milliseconds.
const INVOKE_MS_MAX: f64 = 60_000.0;

/// One run for each recommendation: they are alternatives, not steps.
pub(super) fn read(file: &str, json: &Value) -> Result<Vec<Run>, Problem> {
    let status = at(json, &["Status"]).and_then(Value::as_str);
    if let Some(status) = status.filter(|s| *s != "COMPLETED") {
        let read = "COMPLETED: a job that has not ended has no result";
        return Err(Problem::new(file, "key Status", Problem::quoted(status), read));
    }
    let list = ["InferenceRecommendations", "EndpointPerformances"]
        .into_iter()
        .find_map(|key| Some((key, at(json, &[key])?.as_array()?)).filter(|(_, l)| !l.is_empty()));
    let (key, list) = list.ok_or_else(|| {
        let read = "at least one recommendation";
        Problem::new(file, "key InferenceRecommendations", "an empty list", read)
    })?;
    list.iter().enumerate().map(|(i, item)| one(file, json, &format!("{key}[{i}]"), item)).collect()
}

fn one(file: &str, job: &Value, place: &str, item: &Value) -> Result<Run, Problem> {
    let metrics = at(item, &["Metrics"]).ok_or_else(|| {
        Problem::new(file, format!("key {place}.Metrics"), "nothing", "an object")
    })?;
    // The API says MaxInvocations, the guide's examples MaximumInvocations.
    let per_minute = match number(metrics, &["MaxInvocations"]) {
        Some(found) => found,
        None => needed(file, metrics, &["MaximumInvocations"], "invocations per minute")?,
    };
    let mut ms = number(metrics, &["ModelLatency"]);
    let mut run = Run::new(file, Tool::InferenceRecommender, LoopKind::Unknown, Spacing::Unknown);
    run.notes.push(format!(
        "MaxInvocations {per_minute} is per minute already and for one instance: it is not \
         multiplied by 60"
    ));
    if let Some(value) = ms.filter(|ms| *ms > INVOKE_MS_MAX) {
        run.doubts.push(format!(
            "ModelLatency {value} cannot be milliseconds, because no invocation may take longer \
             than 60 s; it is read as microseconds"
        ));
        ms = Some(value / 1e3);
    }
    let configuration = at(item, &["EndpointConfiguration", "InstanceType"]);
    run.instance_type = configuration.and_then(Value::as_str).map(str::to_owned);
    let created = at(job, &["CreationTime"]);
    run.date = created
        .and_then(|t| match t {
            Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|t| t.to_utc()),
            other => DateTime::from_timestamp(other.as_f64()? as i64, 0),
        })
        .map(|t| t.date_naive());
    let threshold = at(job, &["StoppingConditions", "ModelLatencyThresholds"])
        .and_then(|list| list.get(0)?.get("Percentile")?.as_str());
    let statistic = threshold.and_then(|name| {
        LatencyStatistic::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(name))
    });
    let mut latency = Latency::default();
    if let Some(statistic) = statistic {
        latency.set(statistic, ms);
    } else {
        for statistic in LatencyStatistic::ALL {
            latency.set(statistic, ms);
        }
        run.doubts.push(
            "the job does not say which statistic ModelLatency is; it is compared with the \
             objective as it stands"
                .to_owned(),
        );
    }
    run.steps.push(Step {
        file: file.to_owned(),
        good_rps: per_minute / 60.0,
        latency,
        ..Step::default()
    });
    Ok(run)
}
