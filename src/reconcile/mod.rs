//! One pass: observe -> estimate -> decide -> act, over every account and region.
//!
//! `run`, `plan`, `apply`, `demo` and `simulate` all make these same passes. A pass takes no hint
//! of what changed; what fails is `Unknown` until the next pass reads it. Nothing in here retries.
//! The [`Fleet`] takes all accounts and regions through the phases of a pass together; the
//! [`Reconciler`] is what one of them does in each. The reads are in `observe`.

mod capacities;
mod fleet;
mod named;
mod phases;
mod probes;
mod purpose;
mod region;
mod unread;
mod writes;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::decide::lasting::lasting;
use crate::decide::{Freeze, Rules, probe};
use crate::estimate::Families;
use crate::model::decision::StepResult;
use crate::model::estimate::Estimate;
use crate::model::goal::Mode;
use crate::model::ids::VariantId;
use crate::model::selector::Selector;
use crate::model::shared::Shared;
use crate::model::status::EstimatorHandle;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::observe::unknown::{BROKEN, broken};
use crate::observe::{Parts, Reader};
use crate::ports::{Aws, Clock, Leadership};
use crate::variant::{Assessed, DecideContext, Turn, Weeks};

pub use crate::observe::{
    CostMeter, DOLLARS_PER_METRIC, DiscoveryTelemetry, Goals, HISTORY_WAIT, HistoryWait, Named,
    Progress, Settings, subject,
};
use capacities::Estimated;
pub use fleet::Fleet;
pub use phases::{Phase, PhaseTimes};
use probes::Probing;
pub use purpose::Purpose;

/// Says which freeze window is open at a time.
pub type FreezeAt<'a> = &'a (dyn Fn(Timestamp) -> Option<Freeze> + Sync);

/// What one pass is to do.
#[derive(Clone, Copy)]
pub struct PassInput<'a> {
    pub goals: &'a dyn Goals,
    /// How.
    pub settings: &'a Settings,
    /// Whether the paid telemetry is read too.
    pub telemetry: bool,
    /// The variants of which nothing that was read before is used, but for the paid telemetry:
    /// a person wants to see it proved.
    pub refresh: Option<&'a Selector>,
    /// What it is for: whether it writes, and what a person has confirmed of that.
    pub purpose: Purpose<'a>,
    /// The freeze window that is open at a time; absent where there are none. A pass takes minutes, in which one
    /// may open.
    pub freeze: Option<FreezeAt<'a>>,
    /// Set when the process is asked to stop: no further write begins.
    pub stop: &'a AtomicBool,
}

impl PassInput<'_> {
    fn rules(&self, id: &VariantId, now: Timestamp) -> Rules {
        let settings = self.settings;
        Rules {
            account_id: settings.allowed_account(&id.scope()),
            enabled: settings.enabled,
            freeze: self.freeze.and_then(|open| open(now)),
            telemetry_max_age: settings.telemetry_max_age,
            writes_per_hour: settings.writes_per_hour,
            writes_per_day: settings.writes_per_day,
            since: None,
            may_probe: false,
            confirmed: self.purpose.confirmed(id),
        }
    }
}

/// What was published last.
type Statuses = BTreeMap<VariantId, Arc<VariantStatus>>;

/// The turns of a pass. Each is on its own: a fleet's in one piece would still be whole while what is
/// published is made from it, tens of MiB twice.
type Turns = Vec<Box<Turn>>;

/// Makes the passes' part of one account and region, and keeps what it needs between them.
struct Reconciler {
    reader: Reader,
    aws: Aws,
    clock: Arc<dyn Clock>,
    leadership: Arc<dyn Leadership>,
    since: Timestamp,
}

impl Reconciler {
    /// A reconciler that knows nothing yet.
    fn new(aws: Aws, parts: &Parts) -> Self {
        let reader = Reader::new(aws.clone(), parts);
        let leadership = Arc::clone(&parts.leadership);
        let clock = Arc::clone(&parts.clock);
        let since = clock.now();
        Self { reader, aws, clock, leadership, since }
    }

    /// Decides on every variant that was seen.
    fn decide(
        &mut self,
        estimated: Vec<Estimated>,
        (families, probing): (&Families, &mut Probing),
        (input, at): (&PassInput<'_>, Timestamp),
        last: &Statuses,
    ) -> Turns {
        let mut turns: Turns = Vec::with_capacity(estimated.len());
        for (id, assessed) in estimated {
            // A bug of ours in one variant leaves it unknown, and the others as they are.
            let decide = |(assessed, weeks): (Box<Assessed>, Option<Weeks>)| {
                let about = (families, &mut *probing);
                let decide = AssertUnwindSafe(|| {
                    self.decide_one((*assessed, weeks.as_ref()), about, input, at)
                });
                catch_unwind(decide).ok()
            };
            if let Some(mut turn) = assessed.and_then(decide) {
                if let Some(before) = last.get(&id) {
                    turn.share(before);
                }
                if let Some(other) = turns.last() {
                    turn.share_alike(other);
                }
                turns.push(Box::new(turn));
            } else {
                self.reader.distrust(&id);
                let estimate = Estimate::unobserved(BROKEN).into();
                let turn = unread::turn(id, &broken(), &estimate, input, at);
                turns.extend(turn.map(Box::new));
            }
        }
        turns
    }

    fn decide_one(
        &mut self,
        (assessed, weeks): (Assessed, Option<&Weeks>),
        (families, probing): (&Families, &mut Probing),
        input: &PassInput<'_>,
        now: Timestamp,
    ) -> Turn {
        let id = assessed.snapshot.id.clone();
        let keys = probes::keys(&assessed);
        let wanted = assessed.goal.mode == Mode::Auto && assessed.goal.probe.is_some();
        let mut rules = self.rules(input, &id, now);
        rules.may_probe = wanted && input.purpose.is_unattended() && probing.may(&keys);
        let means =
            DecideContext { rules: &rules, families, scratch: &mut self.reader.scratch, weeks };
        let turn = self.reader.variants.entry(id).or_default().decide(assessed, means, now);
        if probe::begins(&turn.decision) {
            probing.begin(keys);
        }
        turn
    }

    /// What holds for a variant, by this process.
    fn rules(&self, input: &PassInput<'_>, id: &VariantId, now: Timestamp) -> Rules {
        let since = input.purpose.is_unattended().then_some(self.since);
        Rules { since, ..input.rules(id, now) }
    }

    /// What is published of this account and region.
    fn publish(&mut self, turns: Turns, last: &Statuses) -> Vec<Arc<VariantStatus>> {
        let ended = self.clock.now();
        let publish = |turn: Box<Turn>| {
            let variant = self.reader.variants.entry(turn.snapshot.id.clone()).or_default();
            let wrote_fine = turn.outcome().is_none_or(|outcome| {
                outcome.steps.iter().all(|step| step.result == StepResult::Success)
            });
            if turn.decision.report.comparable && wrote_fine {
                variant.last_successful_pass = Some(ended);
            }
            let before = last.get(&turn.snapshot.id);
            status(*turn, before, (ended, variant.last_successful_pass), variant.estimator_handle())
        };
        turns.into_iter().map(publish).collect()
    }
}

/// What is published of a variant after a pass.
fn status(
    turn: Turn,
    before: Option<&Arc<VariantStatus>>,
    (last_pass, last_successful_pass): (Timestamp, Option<Timestamp>),
    estimator: EstimatorHandle,
) -> Arc<VariantStatus> {
    let (goal, snapshot, decision, outcome) = turn.into_parts();
    let mut lasting = Shared::from(lasting(&snapshot, &decision.report, decision.at));
    if let Some(before) = before {
        lasting.share(&before.lasting);
    }
    // What is remembered of it is the same as long as nothing begins or ends. It comes last, so that there is one.
    if let Some(remembered) = snapshot.remembered() {
        lasting.share(&remembered.lasting);
    }
    let status = VariantStatus {
        goal,
        snapshot,
        decision,
        outcome,
        lasting,
        last_pass,
        last_successful_pass,
        estimator,
    };
    Arc::new(status)
}
