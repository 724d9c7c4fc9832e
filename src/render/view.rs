//! The JSON shape of a variant: what the API, `plan -o json` and the status page agree on.
//! `docs/api.md` describes it; a key once shipped keeps its meaning.

use serde::Serialize;

use super::Standing;
use crate::model::decision::{FieldReport, InstanceForecast, ModePreview, Note, Outcome, Plan};
use crate::model::estimate::{Capacity, Estimate, Finding, MinutesUsed, Regime, Verdict};
use crate::model::fact::Fact;
use crate::model::fact::Why;
use crate::model::factor::FactorAdvice;
use crate::model::floors::Floors;
use crate::model::goal::{LoadTestProblem, Mode, Objective, Pause};
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::per_instance::Instances as PerInstance;
use crate::model::probe::Probes;
use crate::model::reads::FactRead;
use crate::model::reason::{ActionKind, Reason};
use crate::model::rules::Rules;
use crate::model::safety::SafetyReport;
use crate::model::scale_out::Reaction;
use crate::model::scaling::ScheduledAction;
use crate::model::series::Minute;
use crate::model::siblings::Siblings;
use crate::model::snapshot::Snapshot;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::variant::EstimatorState;

/// One variant in a list.
#[derive(Debug, Serialize)]
pub struct VariantView<'a> {
    /// Account, region, endpoint, variant.
    pub id: &'a VariantId,
    pub mode: Mode,
    /// Whether the configuration lists it.
    pub managed: bool,
    /// [`Standing`] in a word.
    pub standing: &'static str,
    /// Whether everything managed could be compared.
    pub comparable: bool,
    /// Whether the value in force is safe, going by what was measured.
    pub safety: &'a SafetyReport,
    /// Both axes in one sentence, the worse one first.
    pub headline: String,
    /// In `observe`: what `repair` and `auto` would do.
    pub would: &'a [ModePreview],
    /// The pause that holds it, of a person or of the configuration; null when none does.
    pub paused: Option<&'a Pause>,
    pub decision: DecisionView<'a>,
    /// What became of it; null when there was nothing to do or nothing was tried.
    pub outcome: Option<&'a Outcome>,
    pub targets: Targets,
    /// Configured target over safe target.
    pub divergence: Option<f64>,
    /// What the comparison of configuration and capacity found.
    pub findings: &'a [Finding],
    pub capacity: CapacityView<'a>,
    pub instances: Instances,
    /// How it reacts to load, by its scale-outs.
    pub reaction: &'a Reaction,
    /// The safety factor that a replay of its last weeks allows.
    pub factor: &'a FactorAdvice,
    /// The scheduled floors that would pay, or why there are none.
    pub floors: &'a Floors,
    /// The probes of the last week; absent where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<&'a Probes>,
    /// What its instances showed one by one, as a fact; absent where they are not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_instance: Option<&'a Fact<PerInstance>>,
    /// The floors that setpoint keeps in AWS; null when there are none, or that could not be read.
    pub floors_kept: Option<FloorsKept<'a>>,
    /// What counts as serving well.
    pub objective: Objective,
    /// The newest minute with a load; null when none is known.
    pub observed: Option<Observed>,
    /// Facts that could not be read, with why.
    pub unknown: Vec<UnknownFact<'a>>,
    /// From which reads all of it is.
    pub reads: Vec<ReadView<'a>>,
    pub last_pass: Timestamp,
    /// End of the last pass in which everything could be compared and no write failed.
    pub last_successful_pass: Option<Timestamp>,
}

/// One variant on its own: the list's view, and everything that was read.
#[derive(Debug, Serialize)]
pub struct VariantDetail<'a> {
    #[serde(flatten)]
    pub view: VariantView<'a>,
    pub goal: &'a crate::model::goal::Goal,
    /// What is remembered; null when it could not be read.
    pub memory: Option<&'a VariantMemory>,
    /// What was read; each fact is `{"known": …}` or `{"unknown": {kind, message}}`.
    pub snapshot: &'a Snapshot,
    /// What is known of capacity, as the decision had it.
    pub estimate: &'a Estimate,
    /// What made it, with its evidence: minutes by load and day, regimes, findings. Null before the first
    /// telemetry, and from when newer telemetry is read until the pass ends.
    pub estimator: Option<EstimatorState>,
    /// What else it was decided by. `setpoint replay --variant` decides on this whole again.
    pub rules: &'a Rules,
    pub setpoint_version: &'static str,
}

#[derive(Debug, Serialize)]
pub struct DecisionView<'a> {
    /// Appears in the log, too.
    pub id: &'a str,
    pub at: Timestamp,
    /// What is done, in a word.
    pub action: ActionKind,
    /// Why, in a word.
    pub reason: Reason,
    pub sentence: &'a str,
    /// The writes, in order.
    pub plan: &'a Plan,
    /// Every field that was compared.
    pub fields: &'a [FieldReport],
    /// Facts worth knowing.
    pub notes: &'a [Note],
    /// When a pass could come to another answer.
    pub wake_at: Option<Timestamp>,
}

/// Target values, in invocations per minute per instance. Null is "does not exist".
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Targets {
    /// In force in AWS.
    pub configured: Option<f64>,
    /// By the load test.
    pub formula: Option<f64>,
    /// By capacity, before limits.
    pub safe: Option<f64>,
    /// What a write would set.
    pub wanted: Option<f64>,
    /// What is wanted in the end, when no limit stands in the way.
    pub desired: Option<f64>,
    /// Why the load test does not count.
    pub load_test_problem: Option<LoadTestProblem>,
}

/// Capacity with what it rests on, in invocations per minute per instance.
#[derive(Debug, Serialize)]
pub struct CapacityView<'a> {
    /// How far it is known.
    pub verdict: Verdict,
    /// The interval; a bound that does not exist is null.
    #[serde(flatten)]
    pub bounds: Capacity,
    pub regime: Option<Regime>,
    /// The minutes it rests on.
    pub minutes: &'a MinutesUsed,
    /// How much of the configured history it is made from, 0 to 1; null without telemetry.
    pub history_complete_ratio: Option<f64>,
    /// Highest load that met the objective: for information, above the truth in most cases.
    pub highest_good_load: Option<f64>,
    /// Since when an incident of another cause is open.
    pub incident_since: Option<Timestamp>,
    /// What measured siblings say of its load test; absent where they say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub siblings: Option<&'a Siblings>,
    pub sentence: &'a str,
}

/// Instance counts. Null is "not known".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Instances {
    /// In service.
    pub current: Option<u32>,
    /// Wanted by SageMaker.
    pub desired: Option<u32>,
    /// Min capacity in AWS.
    pub min: Option<i32>,
    /// Max capacity in AWS.
    pub max: Option<i32>,
    /// What a change of target value leads to.
    pub forecast: Option<InstanceForecast>,
}

/// The newest minute with a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Observed {
    pub at: Timestamp,
    /// Load of one instance.
    pub invocations_per_instance_per_minute: Option<f64>,
    /// Highest load since the read before.
    pub max_since_last_read: Option<f64>,
    /// Sum over all instances, in the minute.
    pub invocations: Option<f64>,
    /// `ModelLatency` at the objective's statistic.
    pub latency_seconds: Option<f64>,
    /// `ModelLatency` p50.
    pub latency_p50_seconds: Option<f64>,
    /// 5XX answers in the minute.
    pub errors_5xx: Option<f64>,
}

/// A fact that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UnknownFact<'a> {
    /// Which.
    pub fact: &'static str,
    #[serde(flatten)]
    pub why: &'a Why,
}

/// A fact with the read behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReadView<'a> {
    /// Which.
    pub fact: &'static str,
    /// What was asked; null while nobody has.
    pub operation: Option<&'static str>,
    pub at: Option<Timestamp>,
    pub known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'a Why>,
}

impl<'a> VariantView<'a> {
    pub fn of(status: &'a VariantStatus) -> Self {
        let decision = &status.decision;
        let report = &decision.report;
        Self {
            id: &status.snapshot.id,
            mode: report.mode,
            managed: report.managed,
            standing: Standing::of(report).as_str(),
            comparable: report.comparable,
            safety: &report.safety,
            headline: report.headline(),
            would: &report.would,
            paused: paused(status),
            decision: DecisionView {
                id: &decision.id,
                at: decision.at,
                action: report.action,
                reason: report.reason,
                sentence: &report.sentence,
                plan: &decision.plan,
                fields: &report.fields,
                notes: &report.notes,
                wake_at: decision.wake_at,
            },
            outcome: status.outcome.as_ref(),
            targets: Targets {
                configured: report.configured_target,
                formula: report.formula_target,
                safe: report.safe_target,
                wanted: report.wanted_target,
                desired: report.desired_target,
                load_test_problem: report.load_test_problem,
            },
            divergence: report.divergence,
            findings: &report.estimate.findings,
            capacity: CapacityView {
                verdict: report.estimate.verdict,
                bounds: report.estimate.capacity,
                regime: report.estimate.regime,
                minutes: &report.estimate.minutes,
                history_complete_ratio: report.estimate.history_complete_ratio,
                highest_good_load: report.estimate.highest_good_load,
                incident_since: report.estimate.incident_since,
                siblings: report.estimate.siblings.as_deref(),
                sentence: &report.estimate.sentence,
            },
            instances: instances(status),
            reaction: &status.snapshot.reaction,
            factor: &status.snapshot.factor,
            floors: &status.snapshot.floors,
            probes: (status.snapshot.remembered())
                .map(|memory| &*memory.probes)
                .filter(|probes| !probes.is_empty()),
            per_instance: status.snapshot.instances.as_deref(),
            floors_kept: FloorsKept::of(&status.snapshot),
            objective: status.goal.objective,
            observed: observed(&status.snapshot),
            unknown: unknown_facts(&status.snapshot),
            reads: reads(&status.snapshot),
            last_pass: status.last_pass,
            last_successful_pass: status.last_successful_pass,
        }
    }
}

/// The floors that setpoint keeps in AWS as scheduled actions.
#[derive(Debug, Serialize)]
pub struct FloorsKept<'a> {
    /// When they end unless they are renewed; null when somebody has taken that from one of them.
    pub until: Option<Timestamp>,
    /// The floors, the lowest first.
    pub actions: Vec<&'a ScheduledAction>,
    /// What sets min to the configured one when they have ended; null when it is missing.
    pub end: Option<&'a ScheduledAction>,
}

impl<'a> FloorsKept<'a> {
    fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let kept = snapshot.kept_floors()?;
        let until = kept.until();
        (!kept.floors.is_empty()).then_some(Self { until, actions: kept.floors, end: kept.end })
    }
}

impl VariantView<'_> {
    /// Whether a fact could not be read.
    pub fn is_unread(&self, fact: &str) -> bool {
        self.unknown.iter().any(|unknown| unknown.fact == fact)
    }
}

impl<'a> VariantDetail<'a> {
    /// Everything about a status.
    pub fn of(status: &'a VariantStatus) -> Self {
        Self {
            view: VariantView::of(status),
            goal: &status.goal,
            memory: status.snapshot.remembered(),
            snapshot: &status.snapshot,
            estimate: &status.decision.report.estimate,
            estimator: EstimatorState::of(&status.estimator),
            rules: &status.decision.rules,
            setpoint_version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The pause in force: the configuration's or one of several variants, or a person's of this one. Of
/// two the one that ends last counts.
pub fn paused(status: &VariantStatus) -> Option<&Pause> {
    let own = status.snapshot.remembered().and_then(|memory| memory.pause.as_ref());
    let pauses = status.goal.paused.iter().chain(own);
    pauses.filter(|pause| pause.until > status.decision.at).max_by_key(|pause| pause.until)
}

fn instances(status: &VariantStatus) -> Instances {
    let snapshot = &status.snapshot;
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let variant = endpoint.and_then(|endpoint| endpoint.variant(&snapshot.id.variant));
    let target = snapshot.target.known().and_then(Option::as_ref);
    Instances {
        current: variant.and_then(|variant| variant.current_instances),
        desired: variant.and_then(|variant| variant.desired_instances),
        min: target.map(|target| target.min_capacity),
        max: target.map(|target| target.max_capacity),
        forecast: status.decision.report.instances,
    }
}

fn observed(snapshot: &Snapshot) -> Option<Observed> {
    let telemetry = snapshot.telemetry.known()?;
    let newest: &Minute = &telemetry.newest()?;
    Some(Observed {
        at: newest.at,
        invocations_per_instance_per_minute: newest.load(),
        max_since_last_read: telemetry.max_load_since_last_read,
        invocations: newest.invocations,
        latency_seconds: newest.latency_us.map(|us| us / 1e6),
        latency_p50_seconds: newest.latency_p50_us.map(|us| us / 1e6),
        errors_5xx: newest.errors_5xx,
    })
}

/// The facts of a snapshot that are unknown, in the order they are read.
pub fn unknown_facts(snapshot: &Snapshot) -> Vec<UnknownFact<'_>> {
    let facts = snapshot.facts();
    facts.into_iter().filter_map(|f| Some(UnknownFact { fact: f.fact, why: f.why? })).collect()
}

/// Every fact of a snapshot with the read behind it.
fn reads<'a>(snapshot: &'a Snapshot) -> Vec<ReadView<'a>> {
    let view = |fact: FactRead<'a>| ReadView {
        fact: fact.fact,
        operation: fact.read.map(|read| read.operation()),
        at: fact.read.map(|read| read.at),
        known: fact.why.is_none(),
        why: fact.why,
    };
    snapshot.facts().map(view).into()
}
