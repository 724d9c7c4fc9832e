//! One pass over an account and region: observe -> estimate -> decide -> act.
//!
//! `run`, `plan`, `apply`, `demo` and `simulate` all make these same passes. A pass takes no hint
//! of what changed; what fails is `Unknown` until the next pass reads it. Nothing in here retries.

mod capacity;
mod memory;
mod readings;
mod state;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::TimeDelta;

use crate::decide::mass_change;
use crate::decide::{Freeze, Rules, decide};
use crate::estimate::Scratch;
use crate::model::decision::{Decision, StepResult};
use crate::model::fact::Fact;
use crate::model::goal::{Goal, MassChangeLimit};
use crate::model::ids::{AccountId, EndpointName, ResourceId, Scope, VariantId};
use crate::model::memory::VariantMemory;
use crate::model::snapshot::Snapshot;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::time::Timestamp;
use crate::observe::{EndpointCache, Sweep};
use crate::ports::{Aws, Clock, Leadership, Memories, Memory};

pub use memory::subject;
pub use readings::{CostMeter, DOLLARS_PER_METRIC};
use state::VariantState;

/// What the configuration wants of whom.
pub trait Goals: Send + Sync {
    /// The goal of a variant; one that matches nothing gets the goal of the unlisted.
    ///
    /// # Errors
    /// A sentence, when two targets match it equally well.
    fn goal(&self, id: &VariantId) -> Result<Goal, String>;
    /// The variants of an account and region that are named without a wildcard: they are told of
    /// even when they are gone.
    fn named(&self, scope: &Scope) -> Vec<ResourceId>;
}

/// How passes are made; the process-wide part of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The account that may be written to (rule 2).
    pub account_id: Option<AccountId>,
    /// Whether anything may be written at all (rule 10).
    pub enabled: bool,
    /// Calls and writes under way at once.
    pub concurrency: usize,
    /// Rule 9.
    pub mass_change: MassChangeLimit,
    /// Rule 10.
    pub writes_per_hour: usize,
    /// Rule 10.
    pub writes_per_day: usize,
    /// How far back the first telemetry read goes.
    pub history: TimeDelta,
    /// How many of the newest minutes are left out, for CloudWatch is still filling them.
    pub delay: TimeDelta,
    /// Rule 8: telemetry older than this holds raises.
    pub telemetry_max_age: TimeDelta,
    /// What CloudWatch may cost in a calendar month, in US dollars.
    pub budget_dollars: Option<f64>,
    /// Whether unlisted variants are shown at all.
    pub discovery: bool,
    /// Whether unlisted variants get telemetry too.
    pub discovery_telemetry: DiscoveryTelemetry,
}

/// How much telemetry of unlisted variants is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscoveryTelemetry {
    /// None.
    Off,
    /// Once an hour.
    Hourly,
    /// As of listed ones.
    Full,
}

/// What one pass is to do.
#[derive(Clone, Copy)]
pub struct PassInput<'a> {
    /// What is wanted.
    pub goals: &'a dyn Goals,
    /// How.
    pub settings: &'a Settings,
    /// Whether the paid telemetry is read too.
    pub telemetry: bool,
    /// Whether to write. `plan` does not.
    pub act: bool,
    /// Whether a person has confirmed what this pass writes (`apply`).
    pub confirmed: bool,
    /// The variants of a mass change that a person has approved.
    pub approved: &'a BTreeSet<VariantId>,
    /// The freeze window that is open now.
    pub freeze: Option<&'a Freeze>,
    /// Set when the process is asked to stop: no further write begins.
    pub stop: &'a AtomicBool,
}

/// Makes passes over one account and region, and keeps what they need between them.
pub struct Reconciler {
    aws: Aws,
    clock: Arc<dyn Clock>,
    leadership: Arc<dyn Leadership>,
    memory: Arc<dyn Memory>,
    cache: EndpointCache,
    variants: BTreeMap<VariantId, VariantState>,
    cost: CostMeter,
    /// The estimator's tables, shared by all variants.
    scratch: Scratch,
}

impl Reconciler {
    /// A reconciler that knows nothing yet.
    #[must_use]
    pub fn new(
        aws: Aws,
        clock: Arc<dyn Clock>,
        leadership: Arc<dyn Leadership>,
        memory: Arc<dyn Memory>,
    ) -> Self {
        memory.begin_term();
        Self {
            aws,
            clock,
            leadership,
            memory,
            cache: EndpointCache::default(),
            variants: BTreeMap::new(),
            cost: CostMeter::default(),
            scratch: Scratch::new(),
        }
    }

    /// What CloudWatch has cost so far.
    #[must_use]
    pub const fn cost(&self) -> &CostMeter {
        &self.cost
    }

    /// One pass. Never fails: what could not be read or written is in the status.
    pub async fn pass(&mut self, input: PassInput<'_>) -> FleetStatus {
        let now = self.clock.now();
        let sweep = Sweep::read(&self.aws, now).await;
        self.describe(&sweep, input.settings.concurrency, now).await;
        let wanted = self.goals(&sweep, &input);
        let remembered = self.load_memory(&sweep, &wanted, input.settings).await;
        self.forget_gone(&wanted);
        self.note_endpoints(now);
        if input.telemetry {
            self.read_telemetry(&sweep, &remembered, &wanted, input.settings, now).await;
        }
        self.read_activities(&wanted, input.settings.concurrency, now).await;

        let mut passes: Vec<Pass> = Vec::with_capacity(wanted.len());
        for (id, goal) in wanted {
            let snapshot = self.snapshot(&sweep, &remembered, &id, now);
            passes.push(self.decide(&sweep, snapshot, goal, &input, now));
        }
        let mass_change = hold_mass_change(&mut passes, &input);
        if input.act {
            self.act(&mut passes, &input).await;
        }
        self.keep_memory(&passes, &input, now).await;
        self.publish(passes, mass_change, now)
    }

    /// Everything that `ListEndpoints` lists is described when due.
    async fn describe(&mut self, sweep: &Sweep, concurrency: usize, now: Timestamp) {
        let Some(endpoints) = sweep.endpoints.known() else { return };
        let wanted: BTreeSet<EndpointName> = endpoints.keys().cloned().collect();
        let changed = self.cache.refresh(&self.aws, endpoints, &wanted, now, concurrency).await;
        for (id, state) in &mut self.variants {
            // Rule 24: activities are read of variants that changed.
            state.activities_due |= changed.contains(&id.endpoint);
            let target = sweep.targets.known().and_then(|all| all.get(&id.resource()));
            state.max_capacity = target.map(|target| target.max_capacity);
        }
    }

    /// All variants there are, or should be, with what is wanted of them.
    fn goals(
        &self,
        sweep: &Sweep,
        input: &PassInput<'_>,
    ) -> Vec<(VariantId, Result<Goal, String>)> {
        let goals = input.goals;
        let mut resources = sweep.registered();
        for endpoint in self.cache.known() {
            let names = endpoint.variants.iter().map(|v| &v.name).chain(&endpoint.shadow_variants);
            resources.extend(names.map(|variant| ResourceId {
                endpoint: endpoint.name.clone(),
                variant: variant.clone(),
            }));
        }
        resources.extend(goals.named(&self.aws.scope));
        if sweep.endpoints.why().is_some() || sweep.targets.why().is_some() {
            // Half a view must not make variants vanish.
            resources.extend(self.variants.keys().map(VariantId::resource));
        }
        resources
            .into_iter()
            .map(|resource| VariantId::new(&self.aws.scope, &resource))
            .map(|id| {
                let goal = goals.goal(&id);
                (id, goal)
            })
            .filter(|(_, goal)| {
                // A variant that two targets claim is listed, twice.
                input.settings.discovery || goal.as_ref().map_or(true, |goal| goal.managed)
            })
            .collect()
    }

    fn forget_gone(&mut self, wanted: &[(VariantId, Result<Goal, String>)]) {
        let ids: BTreeSet<&VariantId> = wanted.iter().map(|(id, _)| id).collect();
        self.variants.retain(|id, _| ids.contains(id));
        for (id, _) in wanted {
            self.variants.entry(id.clone()).or_default();
        }
    }

    /// Puts together what was read of one variant.
    fn snapshot(
        &self,
        sweep: &Sweep,
        remembered: &Memories,
        id: &VariantId,
        now: Timestamp,
    ) -> Snapshot {
        let resource = id.resource();
        let state = self.variants.get(id);
        let endpoint = match sweep.endpoints.as_ref() {
            Fact::Unknown(why) => Fact::Unknown(why),
            Fact::Known(all) if !all.contains_key(&id.endpoint) => Fact::Known(None),
            Fact::Known(_) => self.cache.endpoint(&id.endpoint),
        };
        let (endpoint_config, model) = match endpoint.as_ref() {
            Fact::Unknown(why) => (Fact::Unknown(why.clone()), Fact::Unknown(why)),
            Fact::Known(None) => (Fact::Known(None), Fact::Known(None)),
            Fact::Known(Some(e)) => (self.cache.config(e), self.cache.model(e, &id.variant)),
        };
        Snapshot {
            id: id.clone(),
            taken_at: now,
            caller: sweep.caller.clone(),
            endpoint,
            endpoint_config,
            model,
            target: sweep.targets.as_ref().map(|all| all.get(&resource).cloned()),
            policies: Sweep::of(&sweep.policies, &resource),
            scheduled_actions: Sweep::of(&sweep.scheduled_actions, &resource),
            alarms: Sweep::of(&sweep.alarms, &resource),
            activities: state.map_or_else(Fact::not_read_yet, |s| s.activities.clone()),
            telemetry: state.map_or_else(Fact::not_read_yet, |s| s.telemetry.clone()),
            memory: remembered.get(id).cloned().unwrap_or_else(Fact::not_read_yet),
        }
    }

    /// Tells the capacity estimates of deploys.
    pub(super) fn note_endpoints(&mut self, now: Timestamp) {
        for (id, state) in &mut self.variants {
            let endpoint = self.cache.endpoint(&id.endpoint);
            let Some(endpoint) = endpoint.known().and_then(Option::as_ref) else { continue };
            let config = self.cache.config(endpoint);
            let config = config.known().and_then(Option::as_ref);
            if config.and_then(|c| c.metric_period_seconds).is_some_and(|period| period >= 120) {
                // Minutes are sparse by configuration: longer periods from the start.
                state.thin_until = Some(now + TimeDelta::days(1));
            }
            state.capacity.note_endpoint(endpoint, config, &id.variant, now);
        }
    }

    fn decide(
        &mut self,
        sweep: &Sweep,
        snapshot: Snapshot,
        goal: Result<Goal, String>,
        input: &PassInput<'_>,
        now: Timestamp,
    ) -> Pass {
        let goal = goal.unwrap_or_else(|ambiguous| state::goal_in_doubt(&ambiguous));
        let problem = self.load_test_problem(&snapshot.id, &goal, now);
        let context = readings::context(sweep, &snapshot.id, &goal);
        let state = self.variants.entry(snapshot.id.clone()).or_default();
        let estimate = state.capacity.estimate(
            &goal,
            problem,
            (&state.telemetry, state.read_until),
            context,
            &mut self.scratch,
            now,
        );
        let decision = decide(&snapshot, &goal, &estimate, &rules(input), now);
        Pass { goal, snapshot, decision, outcome: None, remembered: None }
    }

    fn publish(
        &mut self,
        passes: Vec<Pass>,
        mass_change: Option<crate::model::status::MassChange>,
        now: Timestamp,
    ) -> FleetStatus {
        let ended = self.clock.now();
        let mut variants = BTreeMap::new();
        for pass in passes {
            let id = pass.snapshot.id.clone();
            let state = self.variants.entry(id.clone()).or_default();
            let wrote_fine = pass.outcome.as_ref().is_none_or(|outcome| {
                outcome.steps.iter().all(|step| step.result == StepResult::Success)
            });
            if pass.decision.report.comparable && wrote_fine {
                state.last_successful_pass = Some(ended);
            }
            let status = VariantStatus {
                goal: pass.goal,
                snapshot: pass.snapshot,
                decision: pass.decision,
                outcome: pass.outcome,
                last_pass: ended,
                last_successful_pass: state.last_successful_pass,
            };
            variants.insert(id, Arc::new(status));
        }
        FleetStatus { at: Some(now), variants, mass_change }
    }
}

/// One variant on its way through a pass.
struct Pass {
    goal: Goal,
    snapshot: Snapshot,
    decision: Decision,
    outcome: Option<crate::model::decision::Outcome>,
    /// What is remembered after a write; absent when nothing was written.
    remembered: Option<VariantMemory>,
}

fn rules(input: &PassInput<'_>) -> Rules {
    let settings = input.settings;
    Rules {
        account_id: settings.account_id.clone(),
        enabled: settings.enabled,
        freeze: input.freeze.cloned(),
        telemetry_max_age: settings.telemetry_max_age,
        writes_per_hour: settings.writes_per_hour,
        writes_per_day: settings.writes_per_day,
        confirmed: input.confirmed,
    }
}

/// Rule 9, over all variants of the pass.
fn hold_mass_change(
    passes: &mut [Pass],
    input: &PassInput<'_>,
) -> Option<crate::model::status::MassChange> {
    let managed: Vec<&Decision> =
        passes.iter().filter(|p| p.goal.managed).map(|p| &p.decision).collect();
    if input.confirmed {
        return None;
    }
    let found = mass_change::mass_change(&managed, input.settings.mass_change, input.approved)?;
    for pass in passes {
        mass_change::hold(&mut pass.decision, &found);
    }
    Some(found)
}
