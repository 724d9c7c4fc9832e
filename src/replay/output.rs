//! Evaluations as JSON lines, CSV lines and table rows.

use serde::Serialize;
use serde_json::Value;

use crate::model::estimate::{Capacity, Verdict};
use crate::model::time::Timestamp;
use crate::model::units::{for_reading, human};

use super::run::Evaluation;

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    verdict: Verdict,
    capacity: Numbers,
    safe_target: Option<f64>,
    configured_target: Option<f64>,
    divergence: Option<f64>,
    alarms: Vec<&'static str>,
    regime: Option<RegimeLine>,
    minutes: &'a crate::model::estimate::MinutesUsed,
    decision: DecisionLine,
}

#[derive(Serialize)]
struct Numbers {
    estimate: Option<f64>,
    low: Option<f64>,
    q25: Option<f64>,
    high: Option<f64>,
    lower_bound: Option<f64>,
}

#[derive(Serialize)]
struct RegimeLine {
    started_at: String,
    declared: bool,
    speed_ratio: Option<f64>,
}

#[derive(Serialize)]
struct DecisionLine {
    action: &'static str,
    target_value: Option<f64>,
    reason: &'static str,
}

fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Six significant digits: more would only claim what is not known.
fn rounded(v: Option<f64>) -> Option<f64> {
    let v = v.filter(|v| v.is_finite())?;
    if v == 0.0 {
        return Some(0.0);
    }
    let scale = 10_f64.powi(5 - v.abs().log10().floor() as i32);
    Some((v * scale).round() / scale)
}

impl From<&Capacity> for Numbers {
    fn from(c: &Capacity) -> Self {
        Self {
            estimate: rounded(c.estimate),
            low: rounded(c.low),
            q25: rounded(c.q25),
            high: rounded(c.high),
            lower_bound: rounded(c.lower_bound),
        }
    }
}

/// An evaluation as one JSON object.
pub fn json(evaluation: &Evaluation) -> Value {
    let estimate = &evaluation.estimate;
    let line = Line {
        at: instant(evaluation.at),
        verdict: estimate.verdict,
        capacity: Numbers::from(&estimate.capacity),
        safe_target: rounded(evaluation.safe_target),
        configured_target: evaluation.configured_target,
        divergence: rounded(evaluation.divergence),
        alarms: estimate.findings.iter().map(|f| f.as_str()).collect(),
        regime: estimate.regime.map(|regime| RegimeLine {
            started_at: instant(regime.started_at),
            declared: regime.declared,
            speed_ratio: rounded(regime.speed_ratio),
        }),
        minutes: &estimate.minutes,
        decision: DecisionLine {
            action: evaluation.decided.action.as_str(),
            target_value: evaluation.decided.target_value,
            reason: evaluation.decided.reason.as_str(),
        },
    };
    // Plain numbers and texts always have a JSON form.
    serde_json::to_value(line).unwrap_or(Value::Null)
}

pub const CSV_HEADER: [&str; 18] = [
    "at",
    "verdict",
    "capacity_estimate",
    "capacity_low",
    "capacity_q25",
    "capacity_high",
    "capacity_lower_bound",
    "safe_target",
    "configured_target",
    "divergence",
    "alarms",
    "regime_started_at",
    "regime_declared",
    "speed_ratio",
    "minutes_used",
    "action",
    "target_value",
    "reason",
];

/// An evaluation as CSV fields, in the order of [`CSV_HEADER`].
pub fn csv_fields(evaluation: &Evaluation) -> Vec<String> {
    let number = |v: Option<f64>| rounded(v).map_or_else(String::new, |v| v.to_string());
    let estimate = &evaluation.estimate;
    let c = &estimate.capacity;
    let alarms: Vec<&str> = estimate.findings.iter().map(|f| f.as_str()).collect();
    let regime = estimate.regime;
    vec![
        instant(evaluation.at),
        estimate.verdict.as_str().to_owned(),
        number(c.estimate),
        number(c.low),
        number(c.q25),
        number(c.high),
        number(c.lower_bound),
        number(evaluation.safe_target),
        number(evaluation.configured_target),
        number(evaluation.divergence),
        alarms.join(" "),
        regime.map_or_else(String::new, |r| instant(r.started_at)),
        regime.map_or_else(String::new, |r| r.declared.to_string()),
        number(regime.and_then(|r| r.speed_ratio)),
        estimate.minutes.used.to_string(),
        evaluation.decided.action.as_str().to_owned(),
        number(evaluation.decided.target_value),
        evaluation.decided.reason.as_str().to_owned(),
    ]
}

pub fn table_header() -> String {
    format!(
        "{:<17} {:<10} {:>9} {:>19} {:>9} {:>9} {:>9}  {:<28} ALARMS",
        "AT", "VERDICT", "CAPACITY", "INTERVAL", "PROVEN", "SAFE", "IN FORCE", "DECISION"
    )
}

/// An evaluation as a row of the table.
pub fn table_row(evaluation: &Evaluation) -> String {
    let whole =
        |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| human(for_reading(v).floor()));
    let estimate = &evaluation.estimate;
    let c = &estimate.capacity;
    let interval = match (c.low, c.high) {
        (None, None) => "-".to_owned(),
        (low, high) => format!("{} .. {}", whole(low), whole(high)),
    };
    let decided = evaluation.decided;
    let decision = match (decided.action, decided.target_value) {
        (action, Some(to)) if action.sets_target() => {
            format!("set {} ({})", human((to * 10.0).round() / 10.0), decided.reason)
        }
        (action, _) => format!("{action} ({})", decided.reason),
    };
    let alarms: Vec<&str> = estimate.findings.iter().map(|f| f.as_str()).collect();
    let row = format!(
        "{:<17} {:<10} {:>9} {:>19} {:>9} {:>9} {:>9}  {:<28} {}",
        evaluation.at.format("%Y-%m-%dT%H:%MZ"),
        estimate.verdict.as_str(),
        whole(c.estimate),
        interval,
        whole(c.lower_bound),
        whole(evaluation.safe_target),
        whole(evaluation.configured_target),
        decision,
        alarms.join(" ")
    );
    row.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_significant_digits() {
        assert_eq!(rounded(Some(1_234.567_89)), Some(1234.57));
        assert_eq!(rounded(Some(0.001_234_567)), Some(0.001_234_57));
        assert_eq!(rounded(Some(0.0)), Some(0.0));
        assert_eq!(rounded(Some(f64::NAN)), None);
    }
}
