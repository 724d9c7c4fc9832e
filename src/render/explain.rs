//! Why a variant is as it is, from formula to the number in force, step by step, from its record
//! alone. The API, the variant's page and `setpoint explain` show the same.

mod aws;
mod floors;
mod next;
mod per_instance;
mod reaction;

use std::fmt::Write as _;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{interval_parts, printable, standing_words};
use crate::model::decision::{FieldReport, FieldState, Report};
use crate::model::factor::factor_in_use;
use crate::model::ids::VariantId;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::model::units::{self, for_reading, human};

/// An explanation, as the API has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub id: VariantId,
    /// Both axes in words, the worse one first.
    pub axes: String,
    /// Both axes in one sentence.
    pub headline: String,
    /// The decision, as the log has it.
    pub decision: String,
    /// When it was taken: ages count from here.
    pub at: Timestamp,
    /// From formula to the number in force.
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its word, for programs.
    pub step: String,
    /// Its title, for people.
    pub title: String,
    /// What there is to say, each a sentence of its own; never empty.
    pub sentences: Vec<String>,
}

impl Explanation {
    pub fn of(status: &VariantStatus) -> Self {
        let report = &status.decision.report;
        let mut axes = [standing_words(report), report.safety.state.words()];
        if report.is_unsafe() {
            axes.reverse();
        }
        let all = [
            ("formula", "Formula", formula(status)),
            ("evidence", "Evidence", evidence(status)),
            ("capacity", "Capacity and safety", capacity(report)),
            ("wanted", "What is wanted", wanted(status)),
            ("guards", "Guards and notes", guards(report)),
            ("in_force", "In force", in_force(status)),
            ("aws", "What AWS does with it", aws::sentences(status)),
            ("instances", "Instances one by one", per_instance::sentences(&status.snapshot)),
            ("reaction", "Reaction time", reaction::sentences(&status.snapshot)),
            ("floors", "Scheduled floors", floors::sentences(&status.snapshot)),
            ("next", "What would change the answer", next::sentences(status)),
            ("inputs", "Inputs", inputs(status)),
        ];
        let steps = all.into_iter().filter(|(_, _, sentences)| !sentences.is_empty());
        let step = |(step, title, sentences): (&str, &str, Vec<String>)| Step {
            step: step.to_owned(),
            title: title.to_owned(),
            sentences,
        };
        Self {
            id: status.snapshot.id.clone(),
            axes: axes.join(", "),
            headline: report.headline(),
            decision: status.decision.id.clone(),
            at: status.decision.at,
            steps: steps.map(step).collect(),
        }
    }

    /// Plain text for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}  {}", self.id, printable(&self.axes));
        let _ = writeln!(out, "  {}", printable(&self.headline));
        let (decision, at) = (printable(&self.decision), self.at.format("%FT%TZ"));
        let _ = writeln!(out, "  decision {decision} of {at}");
        for step in &self.steps {
            let _ = writeln!(out, "\n{}", printable(&step.title));
            for sentence in &step.sentences {
                let _ = writeln!(out, "  {}", printable(sentence));
            }
        }
        out
    }
}

/// [`Explanation::text`] of a status.
pub fn explain(status: &VariantStatus) -> String {
    Explanation::of(status).text()
}

/// What is measured, as everywhere; of what is set [`number`] shows it all.
fn read(value: Option<f64>) -> String {
    number(value.map(for_reading))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |v| human((v * 100.0).round() / 100.0))
}

/// `40s`, `5m`, `3h`, `2d`.
fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn formula(status: &VariantStatus) -> Vec<String> {
    let (goal, report) = (&status.goal, &status.decision.report);
    let from = format!("configured by {}", goal.origin);
    let Some(test) = &goal.load_test else {
        return vec![format!("no load test is configured, so there is no formula target; {from}")];
    };
    let in_use = factor_in_use(goal, status.snapshot.remembered());
    let auto = if goal.safety_factor_auto {
        format!(" (to start from; {} is in use)", human(in_use))
    } else {
        String::new()
    };
    let value = units::formula(test.max_rps.get(), goal.safety_factor.get());
    let mut lines = vec![format!(
        "{} requests per second x safety factor {}{auto} x 60 = {} invocations per minute per instance; \
         {from}",
        human(test.max_rps.get()),
        human(goal.safety_factor.get()),
        number(Some(value)),
    )];
    let mut of = Vec::new();
    of.extend(test.date.map(|date| format!("of {date}")));
    of.extend(test.instance_type.as_ref().map(|name| format!("on {name}")));
    of.extend(test.endpoint_config.as_ref().map(|name| format!("with endpoint config {name}")));
    of.extend(test.max_age_days.map(|days| format!("valid for {days} days")));
    if !of.is_empty() {
        lines.push(format!("load test {}", of.join(", ")));
    }
    if let Some(problem) = report.load_test_problem {
        lines.push(format!("the load test does not count: {}", problem.as_str()));
    }
    lines
}

fn evidence(status: &VariantStatus) -> Vec<String> {
    let (estimate, now) = (&status.decision.report.estimate, status.decision.at);
    let minutes = &estimate.minutes;
    let mut lines = Vec::new();
    if let Some(objective) = status.goal.objective.latency {
        let threshold = human(objective.threshold_ms);
        lines.push(format!(
            "a minute is good while {} is at most {threshold} ms",
            objective.statistic
        ));
    } else {
        lines.push("no latency objective is configured to judge minutes by".to_owned());
    }
    let dropped: Vec<String> =
        minutes.dropped.iter().map(|(reason, n)| format!("{n} {}", reason.as_str())).collect();
    let left_out = if dropped.is_empty() {
        String::new()
    } else {
        format!("; left out: {}", dropped.join(", "))
    };
    lines.push(format!(
        "{} minutes used, {} of them broken{left_out}",
        minutes.used, minutes.broken
    ));
    if let Some(regime) = estimate.regime {
        let origin = regime.origin();
        let ratio = regime.speed_ratio.map_or_else(String::new, |ratio| {
            format!(", requests take {} times as long as before", number(Some(ratio)))
        });
        lines.push(format!(
            "the present regime began {} ago ({origin}){ratio}",
            span(now - regime.started_at)
        ));
    }
    if let Some(since) = estimate.incident_since {
        lines
            .push(format!("an incident of another cause is open since {}", since.format("%FT%TZ")));
    }
    let telemetry = status.snapshot.telemetry.known();
    if let Some(minute) = telemetry.and_then(setpoint_core::model::snapshot::Telemetry::newest) {
        let latency = minute
            .latency_us
            .map_or_else(String::new, |us| format!(" at a latency of {} ms", read(Some(us / 1e3))));
        lines.push(format!(
            "the newest minute with a load is {} old: {} invocations per instance{latency}",
            span(now - minute.at),
            read(minute.load()),
        ));
    }
    lines
}

fn capacity(report: &Report) -> Vec<String> {
    let (estimate, bounds) = (&report.estimate, report.estimate.capacity);
    let mut lines = vec![format!("{}: {}", estimate.verdict.as_str(), estimate.sentence)];
    if bounds != crate::model::estimate::Capacity::default() {
        lines.push(format!(
            "estimate {}, interval {}, proven lower bound {}; safe target {}",
            read(bounds.estimate),
            interval(bounds.low, bounds.high),
            read(bounds.lower_bound),
            read(report.safe_target),
        ));
    }
    lines.push(report.safety.words());
    if !estimate.findings.is_empty() {
        let words: Vec<&str> = estimate.findings.iter().map(|finding| finding.as_str()).collect();
        lines.push(format!("findings: {}", words.join(", ")));
    }
    lines
}

fn interval(low: Option<f64>, high: Option<f64>) -> String {
    if low.is_none() && high.is_none() {
        return "none".to_owned();
    }
    let parts = interval_parts(low, high).into_iter();
    parts.flat_map(|(word, value)| [word.to_owned(), read(value)]).collect()
}

fn wanted(status: &VariantStatus) -> Vec<String> {
    let (goal, report) = (&status.goal, &status.decision.report);
    let mut lines = vec![format!("mode {}: {}", report.mode.as_str(), report.sentence)];
    if report.desired_target.is_some() || report.wanted_target.is_some() {
        lines.push(format!(
            "target value in the end {}, next {}",
            number(report.desired_target),
            number(report.wanted_target)
        ));
    }
    if goal.managed {
        lines.push(status.snapshot.factor.sentence());
    }
    let limits = goal.target_value;
    if limits.floor.is_some() || limits.ceiling.is_some() {
        let of = |limit: Option<crate::model::units::InvocationsPerMinute>| {
            number(limit.map(crate::model::units::InvocationsPerMinute::get))
        };
        lines.push(format!("owner's floor {}, ceiling {}", of(limits.floor), of(limits.ceiling)));
    }
    for would in &report.would {
        lines.push(format!("in {} it would {}", would.mode.as_str(), would.sentence));
    }
    lines
}

fn guards(report: &Report) -> Vec<String> {
    let differs = |field: &&FieldReport| field.state != FieldState::InSync;
    let mut lines: Vec<String> = report.fields.iter().filter(differs).map(field).collect();
    lines.extend(report.notes.iter().map(|note| format!("{}: {}", note.reason, note.sentence)));
    lines
}

fn field(field: &FieldReport) -> String {
    let state = match field.state {
        FieldState::InSync => "in sync",
        FieldState::Write => "written now",
        FieldState::Held => "held",
        FieldState::Unknown => "unknown",
        FieldState::NotCompared => "not compared",
    };
    // Nothing there and nothing known of it are different things.
    let missing = if field.state == FieldState::Unknown { "something unknown" } else { "none" };
    let actual = field.actual.as_deref().unwrap_or(missing);
    let desired = field.desired.as_deref().unwrap_or("none");
    let why =
        if field.sentence.is_empty() { String::new() } else { format!(": {}", field.sentence) };
    format!("{} {actual} -> {desired}: {state} ({}{why})", field.field, field.reason)
}

fn in_force(status: &VariantStatus) -> Vec<String> {
    let report = &status.decision.report;
    let mut words = format!("target value {}", number(report.configured_target));
    if let Some(divergence) = report.divergence {
        let _ = write!(words, ", {divergence:.2} times the safe one");
    }
    let mut lines = vec![words];
    let in_sync = report.fields.iter().filter(|field| field.state == FieldState::InSync);
    let names: Vec<&str> = in_sync.map(|field| field.field.as_str()).collect();
    if !names.is_empty() {
        lines.push(format!("in sync: {}", names.join(", ")));
    }
    let steps = status.outcome.iter().flat_map(|outcome| &outcome.steps);
    lines.extend(steps.map(|step| format!("{}: {}", step.operation, step.sentence)));
    lines
}

fn inputs(status: &VariantStatus) -> Vec<String> {
    let now = status.decision.at;
    let facts = status.snapshot.facts();
    let input = |fact: &crate::model::reads::FactRead<'_>| {
        let source = fact.read.as_ref().map_or_else(
            || "not read".to_owned(),
            |read| format!("{}, {} old", read.operation(), span(now - read.at)),
        );
        let why = fact.why.map_or_else(String::new, |why| format!("; unknown: {}", why.message));
        let seldom = if fact.fact == "telemetry" && status.snapshot.reads.steady {
            "; read seldom, because nothing has changed for 2 hours and the load is far from what it can \
             serve (telemetry.steady_every_minutes)"
        } else {
            ""
        };
        format!("{}: {source}{seldom}{why}", fact.fact)
    };
    facts.iter().map(input).collect()
}
