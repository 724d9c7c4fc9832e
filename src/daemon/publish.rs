//! Publishes what a pass came to: status, metrics, log, Events.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use super::repeated::Repeated;
use crate::metrics::Metrics;
use crate::model::consent::{CarriedOut, Confirmed};
use crate::model::decision::{Note, StepOutcome, StepResult};
use crate::model::evidence::NotResumed;
use crate::model::ids::VariantId;
use crate::model::reason::{ActionKind, Reason};
use crate::model::safety::Safety;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::ports::Events;
use crate::reconcile::Progress;

/// Holds the newest status, for whoever asks.
#[derive(Debug, Default)]
pub struct FleetCell(RwLock<Arc<FleetStatus>>);

impl FleetCell {
    /// The newest status.
    pub fn get(&self) -> Arc<FleetStatus> {
        match self.0.read() {
            Ok(fleet) => Arc::clone(&fleet),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    /// Puts a newer one there.
    pub fn set(&self, fleet: Arc<FleetStatus>) {
        match self.0.write() {
            Ok(mut current) => *current = fleet,
            Err(poisoned) => *poisoned.into_inner() = fleet,
        }
    }
}

/// What was last said of a variant. The sentence of its safety has numbers that move with every
/// read; its state is what changes.
type Said = (ActionKind, Reason, String, Safety);

/// Publishes passes.
pub(super) struct Publisher {
    events: Option<Arc<dyn Events>>,
    /// What was last said of each variant: the log has changes, not of every minute.
    said: BTreeMap<VariantId, Said>,
    /// The news of each variant that have been logged.
    news: BTreeMap<VariantId, Vec<Note>>,
    /// What is said again while it lasts.
    repeated: Repeated,
    /// How many variants have been taken up, and how many records dropped.
    taken_up: (u64, u64),
}

/// A write that broke a hard promise was decided on, and not sent: whoever mends that bug needs the
/// whole decision.
fn log_breach(status: &VariantStatus) {
    let decision = &status.decision;
    let mut steps = status.outcome.iter().flat_map(|outcome| &outcome.steps);
    let step = steps.rfind(|step| step.reason == Some(Reason::Rails));
    let sentence = match step {
        Some(step) => &step.sentence,
        None if decision.report.reason == Reason::Rails => &decision.report.sentence,
        None => return,
    };
    let json = serde_json::to_string(decision).unwrap_or_else(|error| error.to_string());
    tracing::error!(decision = json, "a write was not sent, a bug of setpoint: {sentence}");
}

impl Publisher {
    pub(super) fn new(events: Option<Arc<dyn Events>>) -> Self {
        Self {
            events,
            said: BTreeMap::new(),
            news: BTreeMap::new(),
            repeated: Repeated::default(),
            taken_up: (0, 0),
        }
    }

    /// Publishes a pass that took `took`.
    pub(super) fn publish(&mut self, metrics: &Metrics, fleet: &FleetStatus, took: Duration) {
        self.said.retain(|id, _| fleet.variants.contains_key(id));
        self.news.retain(|id, _| fleet.variants.contains_key(id));
        for (id, status) in &fleet.variants {
            metrics.process.decided(&status.decision);
            if let Some(outcome) = &status.outcome {
                metrics.process.acted(outcome);
            }
            log_breach(status);
            self.publish_variant(id, status);
        }
        self.repeated.warn(fleet);
        self.log_evidence(fleet);
        log_pass(fleet, took, metrics.calls.dollars());
        if let Some(mass) = &fleet.mass_change {
            tracing::warn!(
                plan_id = mass.plan_id,
                variants = mass.variants.len(),
                limit = mass.limit,
                "mass change held until confirmed"
            );
        }
    }

    /// After a start: how many variants went on where an earlier process had ended.
    fn log_evidence(&mut self, fleet: &FleetStatus) {
        let Some(evidence) = &fleet.evidence else { return };
        let taken_up = (evidence.resumed, evidence.dropped.values().sum());
        if self.taken_up != taken_up {
            self.taken_up = taken_up;
            let reasons: Vec<String> =
                evidence.dropped.iter().map(|(why, count)| format!("{why}={count}")).collect();
            tracing::info!(
                resumed = taken_up.0,
                dropped = taken_up.1,
                reasons = reasons.join(" "),
                "evidence of an earlier process was taken up"
            );
            if let Some(damaged) = evidence.dropped.get(NotResumed::Damaged.as_str()) {
                tracing::warn!(
                    records = damaged,
                    "kept evidence is damaged; the history of its variants is read from CloudWatch again"
                );
            }
        }
    }

    /// Logs once what happened to a variant, beside what is decided about it.
    fn log_news(&mut self, id: &VariantId, status: &VariantStatus) {
        // An unlisted variant is shown, and causes no warning.
        let report = &status.decision.report;
        let notes =
            report.notes.iter().filter(|note| report.managed && note.reason.class().is_news());
        let now: Vec<Note> = notes.cloned().collect();
        let before = self.news.insert(id.clone(), now.clone()).unwrap_or_default();
        for note in now.iter().filter(|note| !before.contains(note)) {
            tracing::warn!(
                decision = status.decision.id,
                account_id = id.account_id.as_str(),
                region = id.region.as_str(),
                endpoint = id.endpoint.as_str(),
                variant = id.variant.as_str(),
                reason = note.reason.as_str(),
                "{}",
                note.sentence
            );
            if let Some(events) = &self.events {
                events.news(id, note);
            }
        }
    }

    fn publish_variant(&mut self, id: &VariantId, status: &VariantStatus) {
        self.log_news(id, status);
        let report = &status.decision.report;
        let now = (report.action, report.reason, report.sentence.clone(), report.safety.state);
        let changed = self.said.get(id) != Some(&now);
        if !changed && status.outcome.is_none() {
            return;
        }
        self.said.insert(id.clone(), now);
        log_decision(id, status);
        for step in status.outcome.iter().flat_map(|outcome| &outcome.steps) {
            log_step(id, &status.decision.id, step);
        }
        if let Some(events) = &self.events {
            events.publish(&status.decision, status.outcome.as_ref());
        }
    }
}

/// While history is being read beside the passes: how far that is. A line for each pass.
pub(super) fn log_history(progress: &Progress) {
    let (day, whole) = (&progress.last_day, &progress.history);
    if whole.is_under_way() {
        tracing::info!(
            variants = whole.of(),
            last_day_left = day.of().saturating_sub(day.count()),
            left = whole.of().saturating_sub(whole.count()),
            "history is being read; raises wait for it"
        );
    }
}

/// Says what a person has confirmed and what was not written after all.
pub(super) fn log_confirmed(carried_out: &CarriedOut) {
    for Confirmed { variant, field, change, found } in &carried_out.differs {
        tracing::warn!(
            account_id = variant.account_id.as_str(),
            region = variant.region.as_str(),
            endpoint = variant.endpoint.as_str(),
            variant = variant.variant.as_str(),
            field = field.as_str(),
            "confirmed and not written: {change}: {found}"
        );
    }
}

/// Says what was confirmed a day ago and could not be written since.
pub(super) fn log_expired(expired: &[VariantId]) {
    if let Some(first) = expired.first() {
        tracing::warn!(
            variants = expired.len(),
            first = %first,
            "confirmed a day ago and not written since; confirm it again if it is still wanted"
        );
    }
}

/// The one line of a pass: what it came to, so that a log without any other line still shows that
/// passes are made and what of the fleet is not as it should be. `cloudwatch_dollars` counts from the
/// start of the process.
fn log_pass(fleet: &FleetStatus, took: Duration, cloudwatch_dollars: f64) {
    let count = |is: fn(&VariantStatus) -> bool| {
        fleet.variants.values().filter(|status| is(status)).count()
    };
    let wrote = |step: &StepOutcome| step.result == StepResult::Success;
    let changed = fleet.variants.values().filter(|status| {
        status.outcome.as_ref().is_some_and(|outcome| outcome.steps.iter().any(wrote))
    });
    tracing::info!(
        variants = fleet.variants.len(),
        changed = changed.count(),
        held = count(|status| status.decision.report.action == ActionKind::Hold),
        unknown = count(|status| !status.decision.report.is_compared()),
        "unsafe" = count(|status| status.decision.report.is_unsafe()),
        unreadable_scopes = fleet.unreadable().count(),
        seconds = took.as_secs_f64(),
        cloudwatch_dollars = (cloudwatch_dollars * 1e6).round() / 1e6,
        "pass ended"
    );
}

/// A warning when what is in force is unsafe, whatever is done about it.
fn log_decision(id: &VariantId, status: &VariantStatus) {
    let report = &status.decision.report;
    // The level of an event is fixed where it is written.
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                decision = status.decision.id,
                account_id = id.account_id.as_str(),
                region = id.region.as_str(),
                endpoint = id.endpoint.as_str(),
                variant = id.variant.as_str(),
                mode = report.mode.as_str(),
                action = report.action.as_str(),
                reason = report.reason.as_str(),
                safety = report.safety.state.as_str(),
                "{}",
                report.headline()
            )
        };
    }
    if report.is_unsafe() {
        event!(warn);
    } else {
        event!(info);
    }
}

fn log_step(id: &VariantId, decision: &str, step: &StepOutcome) {
    let (operation, sentence) = (step.operation, &step.sentence);
    let (account_id, region) = (id.account_id.as_str(), id.region.as_str());
    let (endpoint, variant) = (id.endpoint.as_str(), id.variant.as_str());
    // The level of an event is fixed where it is written.
    macro_rules! event {
        ($level:ident, $before:literal) => {
            tracing::$level!(
                decision,
                account_id,
                region,
                endpoint,
                variant,
                operation,
                "{}{sentence}",
                $before
            )
        };
    }
    match step.result {
        StepResult::Success => event!(info, ""),
        StepResult::Skipped => event!(warn, "skipped: "),
        StepResult::Error | StepResult::ReadBackDiffers => event!(error, ""),
    }
}
