//! Writes what was published of all variants in the text format, so that a series lives exactly as
//! long as the variant and the number it speaks of.
//!
//! A family is written after the other, each over all variants: the text of thousands of variants is
//! tens of megabytes, and goes to its reader in pieces.

mod instances_and_probes;

use std::fmt::Write as _;
use std::io;

use chrono::NaiveTime;

use super::definition::{Definition, VARIANT_LABELS};
use super::digits::{self, timestamp};
use super::shown::Shown;
use super::variant_families as families;
use crate::model::estimate::{Finding, Verdict};
use crate::model::factor::{FactorAdvice, factor_in_use};
use crate::model::floors::Floors;
use crate::model::goal::{LoadTestProblem, Mode};
use crate::model::ids::VariantId;
use crate::model::reaction::Spread;
use crate::model::reason::{ActionKind, Reason};
use crate::model::safety::Safety;
use crate::model::scaling::{Alarm, AlarmSide, AlarmState};
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::units::LatencyStatistic;

/// What writes some families of a variant.
type Write = fn(&mut Writer<'_>, &VariantStatus);

/// All families, by what writes them.
const GROUPS: [(Write, &[&Definition]); 12] = [
    (
        write_targets,
        &[
            &families::CONFIGURED_TARGET,
            &families::FORMULA_TARGET,
            &families::SAFE_TARGET,
            &families::DIVERGENCE_RATIO,
            &families::LATENCY_OBJECTIVE,
            &families::LOAD_TEST_TIMESTAMP,
            &families::LOAD_TEST_VALID,
            &families::INSTANCES_WANTED,
        ],
    ),
    (
        write_estimate,
        &[
            &families::CAPACITY,
            &families::CAPACITY_VERDICT,
            &families::DIVERGENCE,
            &families::REGIME_START,
            &families::SPEED_RATIO,
        ],
    ),
    (
        write_world,
        &[
            &families::INSTANCES,
            &families::MIN_INSTANCES,
            &families::MAX_INSTANCES,
            &families::SCALING_SUSPENDED,
            &families::COMPETING_POLICIES,
        ],
    ),
    (
        write_reaction,
        &[
            &families::REACTION,
            &families::SCALE_OUTS,
            &families::SCALE_OUT_FAILURES,
            &families::JOINS_WITH_ERRORS,
        ],
    ),
    (write_floors, &[&families::FLOORS_PROPOSED, &families::FLOORS_KEPT, &families::FLOORS_END]),
    (
        instances_and_probes::write_instances,
        &[&families::SLOW_INSTANCES, &families::UNEVEN_ROUTING, &families::INSTANCES_READ],
    ),
    (instances_and_probes::write_probes, &[&families::PROBE_SINCE, &families::PROBE_SPENT]),
    (
        write_factor,
        &[
            &families::SAFETY_FACTOR,
            &families::SAFETY_FACTOR_BY_REPLAY,
            &families::SAFETY_FACTOR_BAD,
            &families::WEEK_EXPLAINED,
        ],
    ),
    (write_alarms, &[&families::ALARM_STATE]),
    (
        write_decision,
        &[
            &families::DRIFT,
            &families::SAFETY,
            &families::SAFETY_NOT_KNOWN,
            &families::COMPARABLE,
            &families::MODE,
            &families::MANAGED,
            &families::DECISION_INFO,
            &families::CONDITION,
            &families::OTHER_WRITER,
            &families::LAST_PASS,
            &families::LAST_SUCCESSFUL_PASS,
        ],
    ),
    (
        write_lasting,
        &[
            &families::DRIFT_SINCE,
            &families::SUSPENDED_SINCE,
            &families::DIVERGENCE_SINCE,
            &families::UNSAFE_SINCE,
            &families::HELD_SINCE,
            &families::LOAD_TEST_INVALID_SINCE,
        ],
    ),
    (
        write_telemetry,
        &[
            &families::NEWEST_DATAPOINT,
            &families::TELEMETRY_READ,
            &families::HISTORY_COMPLETE,
            &families::OBSERVED_LOAD,
            &families::OBSERVED_LATENCY,
        ],
    ),
];

/// Hands the text to `sink`, in pieces of about so many bytes.
///
/// # Errors
/// Those of the sink.
pub(super) fn write(
    fleet: &FleetStatus,
    shown: Shown,
    piece_bytes: usize,
    sink: &mut dyn FnMut(&str) -> io::Result<()>,
) -> io::Result<()> {
    let sparse = shown.is_sparse(fleet);
    let rows: Vec<(String, &VariantStatus)> = fleet
        .variants
        .iter()
        .filter(|(_, status)| shown.shows(fleet, status))
        .map(|(id, status)| (variant_labels(id), status.as_ref()))
        .collect();
    let mut text = String::with_capacity(piece_bytes + 4096);
    for (write, families) in GROUPS {
        for family in families {
            family.write_head(&mut text);
            let head = text.len();
            let mut empty = true;
            for (labels, status) in &rows {
                write(&mut Writer { family, labels, sparse, text: &mut text }, status);
                if text.len() >= piece_bytes {
                    sink(&text)?;
                    text.clear();
                    empty = false;
                }
            }
            if empty && text.len() == head {
                text.clear();
            }
            sink(&text)?;
            text.clear();
        }
    }
    Ok(())
}

fn write_targets(out: &mut Writer<'_>, status: &VariantStatus) {
    let report = &status.decision.report;
    out.number(&families::CONFIGURED_TARGET, &[], report.configured_target);
    out.number(&families::FORMULA_TARGET, &[], report.formula_target);
    out.measured(&families::SAFE_TARGET, &[], report.safe_target);
    out.measured(&families::DIVERGENCE_RATIO, &[], report.divergence);
    if let Some(objective) = status.goal.objective.latency {
        let statistic = objective.statistic.as_str();
        let seconds = objective.threshold_ms / 1000.0;
        out.number(&families::LATENCY_OBJECTIVE, &[statistic], Some(seconds));
    }
    if let Some(test) = &status.goal.load_test {
        let date = test.date.map(|date| timestamp(date.and_time(NaiveTime::MIN).and_utc()));
        out.number(&families::LOAD_TEST_TIMESTAMP, &[], date);
        // "Could not tell" is neither valid nor invalid.
        if report.load_test_problem != Some(LoadTestProblem::CouldNotCompare) {
            out.number(
                &families::LOAD_TEST_VALID,
                &[],
                Some(bit(report.load_test_problem.is_none())),
            );
        }
    }
    let wanted = report.instances.and_then(|forecast| forecast.at_present_load);
    out.number(&families::INSTANCES_WANTED, &[], wanted.map(f64::from));
}

fn write_estimate(out: &mut Writer<'_>, status: &VariantStatus) {
    let estimate = &status.decision.report.estimate;
    let capacity = &estimate.capacity;
    out.measured(&families::CAPACITY, &["low"], capacity.low);
    out.measured(&families::CAPACITY, &["estimate"], capacity.estimate);
    out.measured(&families::CAPACITY, &["high"], capacity.high);
    out.measured(&families::CAPACITY, &["lower_bound"], capacity.lower_bound);
    for verdict in Verdict::ALL {
        out.member(&families::CAPACITY_VERDICT, &[verdict.as_str()], verdict == estimate.verdict);
    }
    for finding in Finding::ALL {
        let found = estimate.findings.contains(&finding);
        // Without a verdict a 0 would claim that somebody looked and found nothing.
        if found || estimate.verdict != Verdict::Unobserved {
            out.member(&families::DIVERGENCE, &[finding.as_str()], found);
        }
    }
    if let Some(regime) = estimate.regime {
        let cause = match (regime.first, regime.declared) {
            (true, _) => "first",
            (false, true) => "deploy",
            (false, false) => "undeclared",
        };
        out.number(&families::REGIME_START, &[cause], Some(timestamp(regime.started_at)));
        out.measured(&families::SPEED_RATIO, &[], regime.speed_ratio);
    }
}

fn write_world(out: &mut Writer<'_>, status: &VariantStatus) {
    let snapshot = &status.snapshot;
    if let Some(Some(endpoint)) = snapshot.endpoint.known()
        && let Some(variant) = endpoint.variant(&snapshot.id.variant)
    {
        let current = variant.current_instances.map(f64::from);
        let desired = variant.desired_instances.map(f64::from);
        out.number(&families::INSTANCES, &["current"], current);
        out.number(&families::INSTANCES, &["desired"], desired);
    }
    if let Some(Some(target)) = snapshot.target.known() {
        out.number(&families::MIN_INSTANCES, &[], Some(f64::from(target.min_capacity)));
        out.number(&families::MAX_INSTANCES, &[], Some(f64::from(target.max_capacity)));
        let suspended = target.suspended;
        out.member(&families::SCALING_SUSPENDED, &["scale_in"], suspended.scale_in);
        out.member(&families::SCALING_SUSPENDED, &["scale_out"], suspended.scale_out);
        out.member(&families::SCALING_SUSPENDED, &["scheduled"], suspended.scheduled);
    }
    if let Some(policies) = snapshot.policies.known() {
        let own = snapshot.policy().is_some();
        out.count(&families::COMPETING_POLICIES, &[], policies.len() - usize::from(own));
    }
}

fn write_reaction(out: &mut Writer<'_>, status: &VariantStatus) {
    let reaction = &status.snapshot.reaction;
    for (part, spread) in reaction.seen.each().into_iter().filter(|(part, _)| *part != "cold") {
        let seconds = |of: fn(Spread) -> f64| spread.map(|spread| of(spread) * 60.0);
        out.measured(&families::REACTION, &[part, "p50"], seconds(|spread| spread.p50));
        out.measured(&families::REACTION, &[part, "p95"], seconds(|spread| spread.p95));
    }
    if status.snapshot.activities.known().is_some() {
        out.count(&families::SCALE_OUTS, &[], reaction.scale_outs as usize);
        for (cause, count) in [
            ("quota", reaction.failures_quota),
            ("capacity", reaction.failures_capacity),
            ("other", reaction.failures_other),
        ] {
            out.count(&families::SCALE_OUT_FAILURES, &[cause], count as usize);
        }
    }
    let watched = (reaction.joins_watched > 0).then_some(reaction.joins_with_errors);
    out.number(&families::JOINS_WITH_ERRORS, &[], watched.map(f64::from));
}

/// Minutes in a week.
const WEEK_MINUTES: f64 = 7.0 * 1440.0;

fn write_factor(out: &mut Writer<'_>, status: &VariantStatus) {
    let in_use = factor_in_use(&status.goal, status.snapshot.remembered());
    out.number(&families::SAFETY_FACTOR, &[], Some(in_use));
    let FactorAdvice::Known { allowed, explained, .. } = &*status.snapshot.factor else { return };
    out.measured(&families::SAFETY_FACTOR_BY_REPLAY, &[], status.snapshot.factor.factor());
    let bad = allowed.bad_minutes / WEEK_MINUTES;
    out.measured(&families::SAFETY_FACTOR_BAD, &[], Some(bad));
    out.measured(&families::WEEK_EXPLAINED, &[], *explained);
}

fn write_floors(out: &mut Writer<'_>, status: &VariantStatus) {
    let proposed = match &*status.snapshot.floors {
        Floors::Off | Floors::NotKnown { .. } => None,
        Floors::None { .. } => Some(0),
        Floors::Proposed(floors) => Some(floors.actions.len()),
    };
    if let Some(actions) = proposed {
        out.count(&families::FLOORS_PROPOSED, &[], actions);
    }
    if let Some(kept) = status.snapshot.kept_floors() {
        out.count(&families::FLOORS_KEPT, &[], kept.floors.len());
        out.number(&families::FLOORS_END, &[], kept.until().map(timestamp));
    }
}

fn write_alarms(out: &mut Writer<'_>, status: &VariantStatus) {
    if let Some(alarms) = status.snapshot.alarms.known() {
        for side in [AlarmSide::High, AlarmSide::Low] {
            write_alarm(out, side, alarms);
        }
    }
}

/// Several alarms of one side (of several policies) would be one series twice; the worst counts.
fn write_alarm(out: &mut Writer<'_>, side: AlarmSide, alarms: &[Alarm]) {
    let of_side = alarms.iter().filter(|alarm| alarm.side() == Some(side));
    let severity = |state: AlarmState| match state {
        AlarmState::Ok => 0,
        AlarmState::InsufficientData => 1,
        AlarmState::Unknown => 2,
        AlarmState::Alarm => 3,
    };
    let Some(present) = of_side.map(|alarm| alarm.state).max_by_key(|state| severity(*state))
    else {
        return;
    };
    for state in AlarmState::ALL {
        out.member(&families::ALARM_STATE, &[side.as_str(), state.as_str()], state == present);
    }
}

fn write_decision(out: &mut Writer<'_>, status: &VariantStatus) {
    let report = &status.decision.report;
    for (index, field) in report.fields.iter().enumerate() {
        use crate::model::decision::FieldState;
        // One series for each field, even if a report ever named one twice.
        let repeated = report.fields[..index].iter().any(|earlier| earlier.field == field.field);
        let compared = !matches!(field.state, FieldState::Unknown | FieldState::NotCompared);
        if compared && !repeated {
            out.member(&families::DRIFT, &[field.field.as_str()], field.state.differs());
        }
    }
    let safety = report.safety.state;
    for word in Safety::WORDS {
        out.member(&families::SAFETY, &[word], word == safety.as_str());
    }
    if let Some(why) = safety.unproven() {
        out.number(&families::SAFETY_NOT_KNOWN, &[why.as_str()], Some(1.0));
    }
    out.number(&families::COMPARABLE, &[], Some(bit(report.comparable)));
    for mode in Mode::ALL {
        out.member(&families::MODE, &[mode.as_str()], mode == report.mode);
    }
    out.number(&families::MANAGED, &[], Some(bit(report.managed)));
    let decision = [report.action.as_str(), report.reason.as_str()];
    out.number(&families::DECISION_INFO, &decision, Some(1.0));
    for (index, note) in report.notes.iter().enumerate() {
        // One series for each reason, even if it is given twice.
        if report.notes[..index].iter().all(|earlier| earlier.reason != note.reason) {
            out.number(&families::CONDITION, &[note.reason.as_str()], Some(1.0));
        }
    }
    let other_writer = report.reasons().any(|reason| reason == Reason::OtherWriter);
    out.member(&families::OTHER_WRITER, &[], other_writer);
    out.number(&families::LAST_PASS, &[], Some(timestamp(status.last_pass)));
    out.number(&families::LAST_SUCCESSFUL_PASS, &[], status.last_successful_pass.map(timestamp));
}

/// Since when, of what holds now: what could not be seen this time is remembered, and not exported.
fn write_lasting(out: &mut Writer<'_>, status: &VariantStatus) {
    let (report, lasting) = (&status.decision.report, &status.lasting);
    for (field, since) in &lasting.drift {
        if report.fields.iter().any(|f| f.field == *field && f.state.differs()) {
            out.number(&families::DRIFT_SINCE, &[field.as_str()], Some(timestamp(*since)));
        }
    }
    let target = status.snapshot.target.known().and_then(Option::as_ref);
    for (direction, since) in &lasting.suspended {
        if target.is_some_and(|target| direction.is_in(target.suspended)) {
            out.number(&families::SUSPENDED_SINCE, &[direction.as_str()], Some(timestamp(*since)));
        }
    }
    for (finding, since) in &lasting.findings {
        if report.estimate.findings.contains(finding) {
            out.number(&families::DIVERGENCE_SINCE, &[finding.as_str()], Some(timestamp(*since)));
        }
    }
    let is_unsafe = lasting.is_unsafe.filter(|_| report.safety.state.is_unsafe());
    out.number(&families::UNSAFE_SINCE, &[], is_unsafe.map(timestamp));
    let held = lasting.held.filter(|_| report.action == ActionKind::Hold);
    out.number(&families::HELD_SINCE, &[], held.map(timestamp));
    let is_known = report.load_test_problem.is_some_and(|p| p != LoadTestProblem::CouldNotCompare);
    let invalid = lasting.load_test_invalid.filter(|_| is_known);
    out.number(&families::LOAD_TEST_INVALID_SINCE, &[], invalid.map(timestamp));
}

fn write_telemetry(out: &mut Writer<'_>, status: &VariantStatus) {
    let Some(telemetry) = status.snapshot.telemetry.known() else { return };
    out.number(&families::NEWEST_DATAPOINT, &[], telemetry.newest_datapoint.map(timestamp));
    let read_at = status.snapshot.reads.telemetry.map(|read| timestamp(read.at));
    out.number(&families::TELEMETRY_READ, &[], read_at);
    let history = status.decision.report.estimate.history_complete_ratio;
    out.measured(&families::HISTORY_COMPLETE, &[], history);
    out.measured(&families::OBSERVED_LOAD, &["max"], telemetry.max_load_since_last_read);
    let Some(newest) = telemetry.newest() else { return };
    out.measured(&families::OBSERVED_LOAD, &["last"], newest.load());
    let seconds = |microseconds: Option<f64>| microseconds.map(|us| us / 1e6);
    let statistic = status.goal.objective.latency.map(|objective| objective.statistic);
    if let Some(statistic) = statistic.filter(|statistic| *statistic != LatencyStatistic::P50) {
        out.measured(
            &families::OBSERVED_LATENCY,
            &[statistic.as_str()],
            seconds(newest.latency_us),
        );
    }
    let median = newest
        .latency_p50_us
        .or_else(|| newest.latency_us.filter(|_| statistic == Some(LatencyStatistic::P50)));
    out.measured(&families::OBSERVED_LATENCY, &["p50"], seconds(median));
}

/// Writes the series of one family for one variant, and passes over those of other families.
struct Writer<'a> {
    family: &'a Definition,
    /// Those that name the variant.
    labels: &'a str,
    sparse: bool,
    text: &'a mut String,
}

impl Writer<'_> {
    /// A number; one that does not exist is no series.
    fn number(&mut self, family: &Definition, values: &[&str], number: Option<f64>) {
        if family.name != self.family.name {
            return;
        }
        let Some(number) = number.filter(|number| number.is_finite()) else { return };
        let text = &mut *self.text;
        text.push_str(family.name);
        text.push('{');
        text.push_str(self.labels);
        for (label, value) in family.labels.iter().zip(values) {
            text.push(',');
            push_label(text, label.name, value);
        }
        // Writing to a text cannot fail.
        let _ = writeln!(text, "}} {number}");
    }

    /// What was measured or estimated, with as many digits as say something.
    fn measured(&mut self, family: &Definition, values: &[&str], number: Option<f64>) {
        self.number(family, values, number.map(digits::measured));
    }

    /// How many there are; like the members of a closed set, of a large fleet only what is not zero.
    fn count(&mut self, family: &Definition, values: &[&str], count: usize) {
        if count > 0 || !self.sparse {
            self.number(family, values, Some(count as f64));
        }
    }

    /// A member of a closed set.
    fn member(&mut self, family: &Definition, values: &[&str], is: bool) {
        if is || !self.sparse {
            self.number(family, values, Some(bit(is)));
        }
    }
}

fn variant_labels(id: &VariantId) -> String {
    let values =
        [id.account_id.as_str(), id.region.as_str(), id.endpoint.as_str(), id.variant.as_str()];
    let mut text = String::with_capacity(128);
    for (name, value) in VARIANT_LABELS.iter().zip(values) {
        if !text.is_empty() {
            text.push(',');
        }
        push_label(&mut text, name, value);
    }
    text
}

/// `name="value"`, as the text format wants it.
pub(super) fn push_label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
}

pub(super) fn bit(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}
