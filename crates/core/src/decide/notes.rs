//! Facts worth knowing that neither hold nor change anything by themselves.

use crate::model::decision::Note;
use crate::model::estimate::Finding;
use crate::model::fact::Fact;
use crate::model::goal::LoadTestProblem;
use crate::model::reason::Reason;
use crate::model::scaling::ScalingPolicy;
use crate::model::units::human;

use super::case::Case;
use super::desired::Desired;
use super::{conditions, forecast, probe, remember, scheduled};

/// All notes, in a stable order.
pub fn notes(case: &Case<'_>, desired: &Desired) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut say = |reason, sentence: String| notes.push(Note { reason, sentence: sentence.into() });
    load_test(case, desired, &mut say);
    owner_limit(case, desired, &mut say);
    bounds(case, &mut say);
    if case.goal.objective.latency.is_none() {
        say(
            Reason::NoObjective,
            "no latency objective is configured, so capacity cannot be measured".to_owned(),
        );
    }
    conditions::say(case, desired, &mut say);
    if let Some(note) = probe::note_of(case) {
        say(note.reason, note.sentence.into_owned());
    }
    let competing = case.competing();
    if !competing.is_empty() {
        say(
            Reason::CompetingPolicy,
            format!("another policy scales this variant: {}", described(&competing)),
        );
    }
    if let Fact::Known(actions) = &*case.snapshot.scheduled_actions
        && !actions.is_empty()
    {
        let names: Vec<&str> = actions.iter().map(|a| a.name.as_str()).collect();
        let next = scheduled::next(actions, case.now);
        say(Reason::ScheduledCapacity, format!("scheduled actions: {}; {next}", names.join(", ")));
    }
    if let Err(why) = &case.telemetry {
        say(Reason::Stale, format!("no telemetry: {}", why.message));
    } else if let Err(why) = case.fresh_telemetry() {
        say(Reason::Stale, why);
    }
    if let Fact::Unknown(why) = &case.snapshot.memory {
        say(
            Reason::Unknown,
            format!("what was done before is not known, so raises wait: {}", why.message),
        );
    }
    if let Some(why) = &case.memory.volatile {
        let sentence = format!(
            "what is remembered ends with this process, and raises wait a day after each start: {why}"
        );
        say(Reason::Unknown, sentence);
    }
    if let Some(sentence) = remember::other_setpoint(&case.memory) {
        say(Reason::OtherSetpoint, sentence);
    }
    if let Some(since) = case.estimate.incident_since {
        say(
            Reason::Incident,
            format!("the objective is broken at low load since {}", since.format("%FT%TZ")),
        );
    }
    notes
}

/// `cpu (target tracking of AWS/SageMaker CPUUtilization Average), surge (step scaling)`.
pub(super) fn described(policies: &[&ScalingPolicy]) -> String {
    let each: Vec<String> =
        policies.iter().map(|p| format!("{} ({})", p.name, p.describe())).collect();
    each.join(", ")
}

/// Why the load test that is configured does not count, in short; none when it is not known, or
/// there is none.
pub(super) fn load_test_problem(
    case: &Case<'_>,
    problem: LoadTestProblem,
) -> Option<(Reason, String)> {
    let test = case.goal.load_test.as_ref()?;
    let date = test.date.map_or_else(String::new, |date| format!(" of {date}"));
    let tested = |on: &Option<String>, other: &str| on.clone().unwrap_or_else(|| other.to_owned());
    match problem {
        LoadTestProblem::Absent | LoadTestProblem::CouldNotCompare => None,
        LoadTestProblem::Expired => {
            Some((Reason::LoadTestExpired, format!("the load test{date} has expired")))
        }
        LoadTestProblem::OtherInstanceType => {
            let on = tested(&test.instance_type, "another type");
            let sentence =
                format!("the load test{date} was run on {on}, which is not what runs now");
            Some((Reason::LoadTestMismatch, sentence))
        }
        LoadTestProblem::OtherEndpointConfig => {
            let with = tested(&test.endpoint_config, "another endpoint config");
            let sentence =
                format!("the load test{date} was run with {with}, which is not in force now");
            Some((Reason::LoadTestMismatch, sentence))
        }
    }
}

fn load_test(case: &Case<'_>, desired: &Desired, say: &mut impl FnMut(Reason, String)) {
    let Some(test) = &case.goal.load_test else { return };
    let rate = human(test.max_rps.get());
    match desired.load_test_problem {
        None | Some(LoadTestProblem::Absent) => {}
        Some(LoadTestProblem::Expired) => {
            let date = test.date.map(|d| d.to_string()).unwrap_or_default();
            say(
                Reason::LoadTestExpired,
                format!("the load test of {date} ({rate} RPS) is older than its max_age_days"),
            );
        }
        Some(LoadTestProblem::OtherInstanceType) => {
            let tested = test.instance_type.as_deref().unwrap_or("another type");
            say(
                Reason::LoadTestMismatch,
                format!(
                    "the load test ({rate} RPS) was run on {tested}, which is not what runs now"
                ),
            );
        }
        Some(LoadTestProblem::OtherEndpointConfig) => {
            let tested = test.endpoint_config.as_deref().unwrap_or("another endpoint config");
            say(
                Reason::LoadTestMismatch,
                format!(
                    "the load test ({rate} RPS) was run with {tested}, which is not in force now"
                ),
            );
        }
        Some(LoadTestProblem::CouldNotCompare) => say(
            Reason::CouldNotCompare,
            "whether the load test speaks for this variant is not known".to_owned(),
        ),
    }
}

/// Where min or max, and not the target value, sets the number of instances.
fn bounds(case: &Case<'_>, say: &mut impl FnMut(Reason, String)) {
    let (Some(target), Some(in_force)) = (case.target(), case.configured_target()) else { return };
    let peak = case.telemetry.as_ref().ok().and_then(|t| t.peak_invocations);
    let Some(needed) = peak.and_then(|peak| forecast::unbounded(peak, in_force)) else { return };
    if i64::from(needed) > i64::from(target.max_capacity) {
        let max = target.max_capacity;
        say(
            Reason::MaxBound,
            format!("the last day's peak needs {needed} instances, and max is {max}"),
        );
    }
    let binds = i64::from(needed) <= i64::from(target.min_capacity) && target.min_capacity > 1;
    if binds && case.estimate.findings.contains(&Finding::Under) {
        let min = target.min_capacity;
        say(
            Reason::MinBound,
            format!(
                "min of {min} sets the number of instances even at the last day's peak, not the target value"
            ),
        );
    }
}

fn owner_limit(case: &Case<'_>, desired: &Desired, say: &mut impl FnMut(Reason, String)) {
    let (Some(wanted), limits) = (desired.target_value, case.goal.target_value) else { return };
    let at = |limit: Option<f64>| limit.is_some_and(|limit| (limit - wanted).abs() < 1e-9);
    let unlimited = desired.safe.filter(|_| case.follows_estimate()).or(desired.formula);
    if unlimited.is_some_and(|value| (value - wanted).abs() > 1e-9)
        && (at(limits.floor.map(f64::from)) || at(limits.ceiling.map(f64::from)))
    {
        say(
            Reason::OwnerLimit,
            format!("{} is the owner's limit of the target value", human(wanted)),
        );
    }
}
