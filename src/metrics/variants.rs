//! Encodes the published status of all variants, so that a series lives exactly as long as the
//! variant and the number it speaks of.

use std::sync::Arc;

use chrono::NaiveTime;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily};

use super::StatusSource;
use super::definition::{Definition, VARIANT_LABELS};
use super::variant_families::{self as families, VARIANT_FAMILIES};
use crate::model::estimate::{Estimate, Finding, Verdict};
use crate::model::goal::{LoadTestProblem, Mode};
use crate::model::ids::VariantId;
use crate::model::reaction::Spread;
use crate::model::reason::{ActionKind, Reason};
use crate::model::safety::Safety;
use crate::model::scaling::{Alarm, AlarmSide, AlarmState};
use crate::model::snapshot::Telemetry;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::time::Timestamp;
use crate::model::units::LatencyStatistic;

/// Hands the status of all variants to a registry.
pub struct VariantCollector {
    source: Arc<dyn StatusSource>,
    limit: usize,
    descs: Vec<Desc>,
}

impl VariantCollector {
    /// A collector over what `source` publishes. With more than `limit` variants only the
    /// non-zero members of closed sets are exported.
    ///
    /// # Errors
    /// When a definition has a name that Prometheus does not take.
    pub fn new(source: Arc<dyn StatusSource>, limit: usize) -> prometheus::Result<Self> {
        let descs = VARIANT_FAMILIES.iter().map(|d| d.desc()).collect::<Result<_, _>>()?;
        Ok(Self { source, limit, descs })
    }
}

impl Collector for VariantCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        encode(&self.source.fleet(), self.limit)
    }
}

/// All families of all variants.
#[must_use]
pub fn encode(fleet: &FleetStatus, limit: usize) -> Vec<MetricFamily> {
    let mut out = Writer {
        series: VARIANT_FAMILIES.iter().map(|_| Vec::with_capacity(fleet.variants.len())).collect(),
        labels: Vec::new(),
        sparse: fleet.variants.len() > limit,
    };
    for (id, status) in &fleet.variants {
        out.labels = variant_labels(id);
        write_targets(&mut out, status);
        write_estimate(&mut out, &status.decision.report.estimate);
        write_world(&mut out, status);
        write_decision(&mut out, status);
        write_lasting(&mut out, status);
        if let Some(telemetry) = status.snapshot.telemetry.known() {
            write_telemetry(&mut out, status, telemetry);
        }
    }
    VARIANT_FAMILIES.iter().zip(out.series).map(|(d, series)| d.family(series)).collect()
}

fn write_targets(out: &mut Writer, status: &VariantStatus) {
    let report = &status.decision.report;
    out.number(&families::CONFIGURED_TARGET, &[], report.configured_target);
    out.number(&families::FORMULA_TARGET, &[], report.formula_target);
    out.number(&families::SAFE_TARGET, &[], report.safe_target);
    out.number(&families::DIVERGENCE_RATIO, &[], report.divergence);
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

fn write_estimate(out: &mut Writer, estimate: &Estimate) {
    let capacity = &estimate.capacity;
    out.number(&families::CAPACITY, &["low"], capacity.low);
    out.number(&families::CAPACITY, &["estimate"], capacity.estimate);
    out.number(&families::CAPACITY, &["high"], capacity.high);
    out.number(&families::CAPACITY, &["lower_bound"], capacity.lower_bound);
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
        let cause = if regime.declared { "deploy" } else { "undeclared" };
        out.number(&families::REGIME_START, &[cause], Some(timestamp(regime.started_at)));
        out.number(&families::SPEED_RATIO, &[], regime.speed_ratio);
    }
}

fn write_world(out: &mut Writer, status: &VariantStatus) {
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
        let competing = policies.len() - usize::from(own);
        out.number(&families::COMPETING_POLICIES, &[], Some(competing as f64));
    }
    write_reaction(out, status);
    if let Some(alarms) = snapshot.alarms.known() {
        for side in [AlarmSide::High, AlarmSide::Low] {
            write_alarm(out, side, alarms);
        }
    }
}

fn write_reaction(out: &mut Writer, status: &VariantStatus) {
    let reaction = &status.snapshot.reaction;
    for (part, spread) in reaction.seen.each().into_iter().filter(|(part, _)| *part != "cold") {
        let seconds = |of: fn(Spread) -> f64| spread.map(|spread| of(spread) * 60.0);
        out.number(&families::REACTION, &[part, "p50"], seconds(|spread| spread.p50));
        out.number(&families::REACTION, &[part, "p95"], seconds(|spread| spread.p95));
    }
    if status.snapshot.activities.known().is_some() {
        out.number(&families::SCALE_OUTS, &[], Some(f64::from(reaction.scale_outs)));
        for (cause, count) in [
            ("quota", reaction.failures_quota),
            ("capacity", reaction.failures_capacity),
            ("other", reaction.failures_other),
        ] {
            out.number(&families::SCALE_OUT_FAILURES, &[cause], Some(f64::from(count)));
        }
    }
    let watched = (reaction.joins_watched > 0).then_some(reaction.joins_with_errors);
    out.number(&families::JOINS_WITH_ERRORS, &[], watched.map(f64::from));
}

/// Several alarms of one side (of several policies) would be one series twice; the worst counts.
fn write_alarm(out: &mut Writer, side: AlarmSide, alarms: &[Alarm]) {
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

fn write_decision(out: &mut Writer, status: &VariantStatus) {
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
        // One series for each reason, even if it is told twice.
        if report.notes[..index].iter().all(|earlier| earlier.reason != note.reason) {
            out.number(&families::CONDITION, &[note.reason.as_str()], Some(1.0));
        }
    }
    let other_writer = report.reasons().any(|reason| reason == Reason::OtherWriter);
    out.number(&families::OTHER_WRITER, &[], Some(bit(other_writer)));
    out.number(&families::LAST_PASS, &[], Some(timestamp(status.last_pass)));
    let successful = status.last_successful_pass.map(timestamp);
    out.number(&families::LAST_SUCCESSFUL_PASS, &[], successful);
}

/// Since when, of what holds now: what could not be told this time is remembered, and not exported.
fn write_lasting(out: &mut Writer, status: &VariantStatus) {
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
    let told = report.load_test_problem.is_some_and(|p| p != LoadTestProblem::CouldNotCompare);
    let invalid = lasting.load_test_invalid.filter(|_| told);
    out.number(&families::LOAD_TEST_INVALID_SINCE, &[], invalid.map(timestamp));
}

fn write_telemetry(out: &mut Writer, status: &VariantStatus, telemetry: &Telemetry) {
    out.number(&families::NEWEST_DATAPOINT, &[], telemetry.newest_datapoint.map(timestamp));
    let read_at = status.snapshot.reads.telemetry.map(|read| timestamp(read.at));
    out.number(&families::TELEMETRY_READ, &[], read_at);
    let history = status.decision.report.estimate.history_complete_ratio;
    out.number(&families::HISTORY_COMPLETE, &[], history);
    out.number(&families::OBSERVED_LOAD, &["max"], telemetry.max_load_since_last_read);
    let Some(newest) = telemetry.newest() else { return };
    out.number(&families::OBSERVED_LOAD, &["last"], newest.load());
    let seconds = |microseconds: Option<f64>| microseconds.map(|us| us / 1e6);
    let statistic = status.goal.objective.latency.map(|objective| objective.statistic);
    if let Some(statistic) = statistic.filter(|statistic| *statistic != LatencyStatistic::P50) {
        out.number(&families::OBSERVED_LATENCY, &[statistic.as_str()], seconds(newest.latency_us));
    }
    let median = newest
        .latency_p50_us
        .or_else(|| newest.latency_us.filter(|_| statistic == Some(LatencyStatistic::P50)));
    out.number(&families::OBSERVED_LATENCY, &["p50"], seconds(median));
}

/// Collects series by family, for one variant after the other.
struct Writer {
    /// In the order of [`VARIANT_FAMILIES`].
    series: Vec<Vec<Metric>>,
    labels: Vec<LabelPair>,
    sparse: bool,
}

impl Writer {
    /// A number; one that does not exist is no series.
    fn number(&mut self, family: &Definition, values: &[&str], number: Option<f64>) {
        let Some(number) = number.filter(|number| number.is_finite()) else { return };
        let Some(index) = VARIANT_FAMILIES.iter().position(|d| d.name == family.name) else {
            return;
        };
        let mut labels = Vec::with_capacity(self.labels.len() + values.len());
        labels.extend_from_slice(&self.labels);
        labels.extend(family.labels.iter().zip(values).map(|(l, value)| pair(l.name, value)));
        let mut gauge = Gauge::default();
        gauge.set_value(number);
        let mut metric = Metric::from_gauge(gauge);
        metric.set_label(labels);
        self.series[index].push(metric);
    }

    /// A member of a closed set.
    fn member(&mut self, family: &Definition, values: &[&str], is: bool) {
        if is || !self.sparse {
            self.number(family, values, Some(bit(is)));
        }
    }
}

fn variant_labels(id: &VariantId) -> Vec<LabelPair> {
    let values =
        [id.account_id.as_str(), id.region.as_str(), id.endpoint.as_str(), id.variant.as_str()];
    VARIANT_LABELS.iter().zip(values).map(|(name, value)| pair(name, value)).collect()
}

pub(super) fn pair(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

pub(super) fn bit(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

pub(super) fn timestamp(at: Timestamp) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}
