//! The answer as text, JSON and YAML.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::judge::{Ask, Bound, Found, Verdict};
use super::model::{Run, Step};
use crate::model::formula::{Formula, Mistake};
use crate::model::units::{human, same_value};

/// The wrong numbers that are shown beside the right one, in the order in which people make them.
const SHOWN: [Mistake; 4] = [
    Mistake::MinuteForgotten,
    Mistake::RateForgotten,
    Mistake::FactorForgotten,
    Mistake::FactorInverted,
];

/// For people.
pub fn text(runs: &[Run], ask: &Ask, found: &Found, formula: &Formula) -> String {
    let mut out = String::new();
    for run in runs {
        let _ = writeln!(out, "{}: {}", run.file, run.tool.name());
        for note in &run.notes {
            let _ = writeln!(out, "  note: {note}");
        }
    }
    out.push('\n');
    out.push_str(&table(&found.steps, Some(found.best), ask));
    let rate = human(found.max_rps);
    let line = match (found.bound, found.high_rps) {
        (Bound::AtLeast, _) => {
            format!("one instance serves at least {rate} requests/s: no step broke the objective")
        }
        (Bound::Maximum, _) => format!("one instance serves {rate} requests/s by the job's result"),
        (Bound::Between, Some(high)) => {
            format!("one instance serves {rate} requests/s well; at {} it does not", human(high))
        }
        (Bound::Between, None) => {
            format!("one instance serves {rate} requests/s well, and no more with more users")
        }
    };
    let _ = writeln!(out, "\n{line}");
    let _ = writeln!(out, "interval for production: {}", interval(found));
    if ask.instances > 1 {
        let _ = writeln!(out, "the test's rates are divided by {} instances", ask.instances);
    }
    let _ = writeln!(out, "confidence: {}", found.confidence.as_str());
    for reason in &found.reasons {
        let _ = writeln!(out, "  - {}", reason.text);
    }
    let _ = write!(out, "\n{}\n{}", steps_of(formula), yaml(found));
    out
}

fn interval(found: &Found) -> String {
    let low = human(found.low_rps);
    match found.high_rps {
        Some(high) => format!("{low} to {} requests/s", human(high)),
        None => format!("{low} requests/s or more"),
    }
}

/// The formula, its steps, and the mistakes.
fn steps_of(formula: &Formula) -> String {
    let Formula { max_rps, safety_factor, usable_rps, target_value } = formula;
    let usable = human(*usable_rps);
    let mut out = format!(
        "{max_rps} RPS x {safety_factor} = {usable} RPS\n\
         {usable} RPS x 60 = {target_value} invocations per minute per instance\n\
         target value: {target_value}\n\nnot these:\n"
    );
    for mistake in SHOWN {
        let wrong = mistake.value(max_rps.get(), safety_factor.get());
        if let Some(wrong) = wrong.filter(|wrong| !same_value(*wrong, target_value.get())) {
            let _ = writeln!(out, "  {}: {}", human(wrong), mistake.explanation());
        }
    }
    out
}

/// The steps as a table; `best` is marked.
pub fn table(steps: &[(Step, Verdict)], best: Option<usize>, ask: &Ask) -> String {
    let statistic = ask.slo.map(|slo| slo.statistic);
    let mut out = format!(
        "  {:>9} {:>9} {:>7} {:>8} {:>9} {:>9}\n",
        "sent/s", "good/s", "users", "seconds", "errors", "latency"
    );
    let cell = |v: Option<f64>, unit: &str| {
        v.map_or_else(|| "-".to_owned(), |v| format!("{}{unit}", human((v * 10.0).round() / 10.0)))
    };
    for (i, (step, verdict)) in steps.iter().enumerate() {
        let statistic = statistic.or_else(|| step.latency.strictest());
        let latency = statistic.and_then(|s| step.latency.get(s));
        let why = match verdict {
            Verdict::Good if best == Some(i) && is_good_above(steps, i) => {
                "the highest good step below the first bad one".to_owned()
            }
            Verdict::Good if best == Some(i) => "the highest good step".to_owned(),
            Verdict::Good => "good".to_owned(),
            Verdict::Bad(why) => format!("bad: {why}"),
            Verdict::WarmUp(why) => format!("warm-up, left out: {why}"),
        };
        let _ = writeln!(
            out,
            "{} {:>9} {:>9} {:>7} {:>8} {:>9} {:>9}  {why}",
            if best == Some(i) { '>' } else { ' ' },
            cell(step.offered_rps, ""),
            cell(Some(step.good_rps), ""),
            cell(step.users, ""),
            cell(step.seconds.map(f64::round), ""),
            cell(step.error_share.map(|e| e * 100.0), " %"),
            cell(latency, " ms"),
        );
    }
    out
}

/// Whether a step above is good, too: then a bad one lies between.
fn is_good_above(steps: &[(Step, Verdict)], index: usize) -> bool {
    steps.iter().skip(index + 1).any(|(_, verdict)| *verdict == Verdict::Good)
}

/// The block for the configuration.
pub fn yaml(found: &Found) -> String {
    let mut out = format!("load_test:\n  max_rps: {}\n", human(found.max_rps));
    let _ = match found.date {
        Some(date) => writeln!(out, "  date: {date}"),
        None => writeln!(out, "  # date: YYYY-MM-DD   (the files do not say)"),
    };
    let _ = match &found.instance_type {
        Some(kind) => writeln!(out, "  instance_type: {kind}"),
        None => writeln!(out, "  # instance_type: ml.c5.xlarge   (the files do not say)"),
    };
    out
}

/// For programs.
pub fn json(runs: &[Run], found: &Found, formula: &Formula) -> Value {
    let files: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "file": run.file, "tool": run.tool, "loop": run.loop_kind, "spacing": run.spacing,
                "notes": run.notes,
            })
        })
        .collect();
    let steps: Vec<Value> = found
        .steps
        .iter()
        .map(|(step, verdict)| {
            let mut value = json!(step);
            if let (Some(step), Ok(Value::Object(verdict))) =
                (value.as_object_mut(), serde_json::to_value(verdict))
            {
                step.extend(verdict);
            }
            value
        })
        .collect();
    json!({
        "files": files,
        "steps": steps,
        "best_step": found.best,
        "max_rps": found.max_rps,
        "bound": found.bound,
        "interval_rps": [found.low_rps, found.high_rps],
        "confidence": found.confidence,
        "reasons": found.reasons.iter().map(|r| &r.text).collect::<Vec<_>>(),
        "safety_factor": formula.safety_factor.get(),
        "target_value": formula.target_value.get(),
        "load_test": {
            "max_rps": found.max_rps, "date": found.date, "instance_type": found.instance_type,
        },
    })
}
