//! Whether the instances of a variant are looked at one by one, and what they showed. Each look is paid
//! for, so that it is due only where an answer waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::decide::kind::kind;
use crate::model::endpoint::{Routing, VariantKind};
use crate::model::estimate::{Estimate, Verdict};
use crate::model::fact::{Fact, Why};
use crate::model::goal::Goal;
use crate::model::per_instance::{InstanceId, Instances};
use crate::model::snapshot::{Snapshot, Telemetry};
use crate::model::time::Timestamp;

/// How often they are looked at while something is wrong: telemetry comes as often.
const URGENT: TimeDelta = TimeDelta::minutes(15);
/// How often they are looked at while capacity is just not measured.
const USUAL: TimeDelta = TimeDelta::hours(3);
/// What was seen longer ago than this is no longer said: one look may have failed.
const HOLDS: TimeDelta = TimeDelta::hours(7);
const HOLDS_URGENT: TimeDelta = TimeDelta::hours(1);

/// What is kept of the instances of a variant; nothing for one that nobody looks at.
#[derive(Debug, Clone, Default)]
pub(super) struct InstancesWatch(Option<Box<Watch>>);

#[derive(Debug, Clone, Default)]
struct Watch {
    /// How often an answer waits for them.
    every: Option<TimeDelta>,
    /// How to look at them.
    look: InstancesLook,
    asked: Option<Timestamp>,
    /// How many looks there were.
    looks: usize,
    known: Option<Arc<Fact<Instances>>>,
    /// Since when each slow one has been seen to be slow.
    slow_since: BTreeMap<InstanceId, Timestamp>,
    /// Why the last look failed, if it did.
    failed: Option<Arc<Fact<Instances>>>,
}

/// How the instances of a variant are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct InstancesLook {
    /// Seconds between published metrics.
    pub published_seconds: u32,
    /// Requests a minute of one instance, as far as that is known.
    pub load: Option<f64>,
    /// Whether each instance gets requests of the same kind.
    pub is_alike: bool,
    /// How many looks there were before: where there are too many instances, others are next.
    pub looks: usize,
}

impl InstancesWatch {
    /// Takes note of what the pass found: whether an answer waits for the instances.
    pub(super) fn note(&mut self, goal: &Goal, snapshot: &Snapshot, estimate: &Estimate) {
        let seen = self.0.as_ref().and_then(|watch| watch.seen());
        let slow = seen.is_some_and(|seen| !seen.slow.is_empty());
        let Some((every, look)) = waits(goal, snapshot, estimate, slow) else {
            self.0 = None;
            return;
        };
        let watch = self.0.get_or_insert_default();
        (watch.every, watch.look) = (Some(every), look);
    }

    /// When they were last asked for and how to look at them, where that is due.
    pub(super) fn due(&self, now: Timestamp) -> Option<(Option<Timestamp>, InstancesLook)> {
        let watch = self.0.as_ref()?;
        let every = watch.every?;
        let is_due = watch.asked.is_none_or(|asked| now - asked >= every);
        let look = InstancesLook { looks: watch.looks, ..watch.look };
        is_due.then_some((watch.asked, look))
    }

    /// Takes note that they were looked at, or why not.
    pub(super) fn seen(&mut self, seen: Result<Instances, Why>, now: Timestamp) {
        let Some(watch) = &mut self.0 else { return };
        watch.asked = Some(now);
        match seen {
            Ok(mut seen) => {
                watch.looks = watch.looks.wrapping_add(1);
                let before = std::mem::take(&mut watch.slow_since);
                for slow in &mut seen.slow {
                    slow.since = before.get(&slow.id).copied().unwrap_or(slow.since);
                    watch.slow_since.insert(slow.id.clone(), slow.since);
                }
                watch.known = Some(Arc::new(Fact::Known(seen)));
                watch.failed = None;
            }
            Err(why) => watch.failed = Some(Arc::new(Fact::Unknown(why))),
        }
    }

    /// What they showed, while it still holds, or why that is not known; absent where they are not
    /// looked at.
    pub(super) fn known(&self, now: Timestamp) -> Option<Arc<Fact<Instances>>> {
        let watch = self.0.as_ref()?;
        let holds = if watch.every == Some(URGENT) { HOLDS_URGENT } else { HOLDS };
        let holds = watch.seen().is_some_and(|seen| now - seen.read_at <= holds);
        watch.known.clone().filter(|_| holds).or_else(|| watch.failed.clone())
    }
}

impl Watch {
    fn seen(&self) -> Option<&Instances> {
        self.known.as_ref()?.known()
    }
}

/// How often an answer about a variant waits for its instances, and how to look at them.
fn waits(
    goal: &Goal,
    snapshot: &Snapshot,
    estimate: &Estimate,
    slow: bool,
) -> Option<(TimeDelta, InstancesLook)> {
    if !goal.managed || !goal.per_instance || goal.objective.latency.is_none() {
        return None;
    }
    let endpoint = snapshot.endpoint.known()?.as_ref()?;
    let config = snapshot.endpoint_config.known()?.as_ref()?;
    let own = config.variant(&snapshot.id.variant)?;
    // Without enhanced metrics there are none of instances.
    let published_seconds = config.metric_period_seconds?;
    let several = endpoint.variant(&snapshot.id.variant)?.current_instances? >= 2;
    if !several || kind(snapshot) != Ok(VariantKind::Standard) {
        return None;
    }
    let wrong = slow
        || estimate.incident_since.is_some()
        || estimate.findings.iter().any(|finding| finding.is_unsafe());
    let every = if wrong { URGENT } else { USUAL };
    let newest = snapshot.telemetry.known().and_then(Telemetry::newest);
    let look = InstancesLook {
        published_seconds,
        load: newest.and_then(|minute| minute.invocations_per_instance),
        is_alike: !own.routing.as_ref().is_some_and(Routing::is_uneven),
        looks: 0,
    };
    (wrong || estimate.verdict != Verdict::Measured).then_some((every, look))
}

impl super::Variant {
    /// When its instances were last asked for and how to look at them, where an answer waits for that.
    pub fn instances_due(&self, now: Timestamp) -> Option<(Option<Timestamp>, InstancesLook)> {
        self.instances.due(now)
    }

    /// Takes note of what its instances showed one by one, or why that is not known.
    pub fn note_instances(&mut self, seen: Result<Instances, Why>, now: Timestamp) {
        self.instances.seen(seen, now);
    }

    /// What its instances showed one by one; absent where they are not looked at.
    pub fn instances(&self, now: Timestamp) -> Option<Arc<Fact<Instances>>> {
        self.instances.known(now)
    }
}
