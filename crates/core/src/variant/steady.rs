//! Whether anything about a variant calls for a close look: by that its paid metrics are read with
//! each telemetry pass, or seldom. No minute is lost either way: CloudWatch is billed by the metric and
//! the request, and the next read goes back to where the last one ended.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::TimeDelta;

use crate::model::decision::Report;
use crate::model::endpoint::EndpointStatus;
use crate::model::estimate::Verdict;
use crate::model::fact::Fact;
use crate::model::memory::VariantMemory;
use crate::model::reason::{ActionKind, Reason};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

use super::{Turn, Variant};

/// A variant is steady when nothing about it has changed for so long. What setpoint waits for after a
/// deploy or a write is over by then: the first hour of a regime (rule 11a), the hour of loaded minutes of
/// a raise (rule 21).
const STEADY_AFTER: TimeDelta = TimeDelta::hours(2);
/// Far from the limit: loads below this share of the low end of the measured capacity. Below it rule 19 does not take
/// bad minutes for overload either.
const FAR: f64 = 0.7;

/// What was last found of a variant, in short, and since when it has been so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unchanged {
    of: u64,
    since: Timestamp,
}

impl Variant {
    /// Whether nothing about it has changed for a while and its load is far from what it can serve.
    pub fn is_steady(&self, now: Timestamp) -> bool {
        self.unchanged.is_some_and(|unchanged| now - unchanged.since >= STEADY_AFTER)
    }

    /// Takes note of what a pass has decided.
    pub(super) fn note_unchanged(&mut self, turn: &Turn, now: Timestamp) {
        let (snapshot, report) = (&turn.snapshot, &turn.decision.report);
        let is_far = snapshot.telemetry.known().is_some()
            && is_far(f64::from(self.recent.highest_load), report);
        let of = unchanged(snapshot, report).filter(|_| is_far);
        self.unchanged = of.map(|of| match self.unchanged {
            Some(unchanged) if unchanged.of == of => unchanged,
            _ => Unchanged { of, since: now },
        });
    }
}

/// What must stay as it is for a variant far from its limit to be steady; absent while something is under way.
fn unchanged(snapshot: &Snapshot, report: &Report) -> Option<u64> {
    let estimate = &report.estimate;
    let at_work = !matches!(report.action, ActionKind::None | ActionKind::Hold)
        || report.reason == Reason::Stale
        || report.safety.state.is_unsafe()
        || estimate.is_partial()
        || estimate.verdict == Verdict::Stale
        || estimate.incident_since.is_some()
        || is_moving(snapshot)
        || is_watched(snapshot.memory.known().map(|memory| &**memory));
    if at_work {
        return None;
    }
    // The first one begins where the data begin, and moves with them.
    let regime = estimate.regime.filter(|regime| !regime.first).map(|regime| regime.started_at);
    let mut of = DefaultHasher::new();
    (report.action, report.reason, report.safety.state.as_str()).hash(&mut of);
    (&estimate.findings, regime, report.configured_target.map(f64::to_bits)).hash(&mut of);
    Some(of.finish())
}

/// Whether instances come or go, or a deploy is under way.
fn is_moving(snapshot: &Snapshot) -> bool {
    let Fact::Known(Some(endpoint)) = &*snapshot.endpoint else { return true };
    let own = endpoint.variant(&snapshot.id.variant);
    endpoint.status != EndpointStatus::InService
        || own.is_none_or(|own| own.current_instances != own.desired_instances)
}

/// Whether what a write has brought about is being watched.
fn is_watched(memory: Option<&VariantMemory>) -> bool {
    memory.is_none_or(|memory| {
        memory.verification.is_some()
            || memory.lowering.is_some()
            || memory.probes.under_way.is_some()
            || memory.intent.is_some()
    })
}

/// Whether the load of the last hour is far from the limit, or within what is proven where the limit is not
/// known, or there was none.
fn is_far(highest_load: f64, report: &Report) -> bool {
    let capacity = &report.estimate.capacity;
    let far = match report.estimate.verdict {
        // What is proven to be served is no limit: to stay within it is enough.
        Verdict::AtLeast => capacity.lower_bound,
        _ => capacity.low.map(|low| FAR * low),
    };
    highest_load <= 0.0 || far.is_some_and(|far| highest_load <= far)
}
