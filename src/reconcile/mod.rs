//! One pass: observe -> estimate -> decide -> act, over every account and region.
//!
//! `run`, `plan`, `apply`, `demo` and `simulate` all make these same passes. A pass takes no hint
//! of what changed; what fails is `Unknown` until the next pass reads it. Nothing in here retries.
//! The [`Fleet`] takes all accounts and regions through the phases of a pass together; in here is
//! what one of them does in each.

mod broken;
mod capacities;
mod cost;
mod fetch;
mod fleet;
mod health;
mod history;
mod memory;
mod named;
mod pair;
mod phases;
mod probes;
mod purpose;
mod readings;
mod settings;
mod unread;
mod work;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::decide::lasting::lasting;
use crate::decide::probe;
use crate::decide::{Freeze, Rules};
use crate::estimate::{Families, Scratch};
use crate::model::decision::StepResult;
use crate::model::endpoint::Endpoint;
use crate::model::fact::{Fact, Why};
use crate::model::factor::FactorAdvice;
use crate::model::goal::{Goal, Mode};
use crate::model::ids::{AccountId, EndpointName, ResourceId, Scope, VariantId};
use crate::model::memory::VariantMemory;
use crate::model::pauses::Pauses;
use crate::model::reads::{Read, Reads};
use crate::model::scale_out::Reaction;
use crate::model::selector::Selector;
use crate::model::snapshot::Snapshot;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::observe::{EndpointCache, Sweep};
use crate::ports::{Aws, Clock, Leadership, Memories, Memory};
use crate::variant::{Means, Turn, Variant, Weighed, Work};

pub use crate::observe::progress::Progress;
use capacities::Estimated;
pub use cost::{CostMeter, DOLLARS_PER_METRIC};
use fetch::Fetch;
pub use fleet::Fleet;
use health::MemoryHealth;
pub use history::HISTORY_WAIT;
use history::{History, Slots};
pub use memory::subject;
pub use named::Named;
pub use phases::{Phase, PhaseTimes};
use probes::Probing;
pub use purpose::Purpose;
pub use settings::{DiscoveryTelemetry, HistoryWait, Settings};

/// What the configuration wants of whom.
pub trait Goals: Send + Sync {
    /// The goal of a variant; one that matches nothing gets the goal of the unlisted.
    ///
    /// # Errors
    /// A sentence, when two targets match it equally well.
    fn goal(&self, id: &VariantId) -> Result<Goal, String>;
    /// The variants that are named without a wildcard, with where they may be among these
    /// accounts and regions: they are told of even when they are gone.
    fn named(&self, scopes: &[Scope]) -> Vec<Named>;
    /// The same wishes, for reads that may go on beside the pass.
    fn shared(&self) -> Arc<dyn Goals>;
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
    /// The variants of which nothing that was read before is used, but for the paid telemetry:
    /// a person wants to see it proved.
    pub refresh: Option<&'a Selector>,
    /// What it is for: whether it writes, and what a person has confirmed of that.
    pub purpose: Purpose<'a>,
    /// The freeze window that is open now.
    pub freeze: Option<&'a Freeze>,
    /// Set when the process is asked to stop: no further write begins.
    pub stop: &'a AtomicBool,
}

/// What the reads of one account and region in a pass depend on.
#[derive(Clone, Copy)]
struct Look<'a> {
    goals: &'a dyn Goals,
    settings: &'a Settings,
    telemetry: bool,
    /// The variants that are named for this account and region and no other.
    named: &'a [ResourceId],
    /// The variants of which nothing that was read before is used.
    refresh: Option<&'a Selector>,
}

impl Look<'_> {
    /// Whether nothing that was read of a variant before is used. Where all are meant, those that
    /// nobody lists are not: there is nothing to prove of them, and there may be thousands.
    fn wants_refresh(&self, id: &VariantId) -> bool {
        let listed = || self.goals.goal(id).is_ok_and(|goal| goal.managed);
        self.refresh
            .is_some_and(|refresh| refresh.matches(id) && (refresh.endpoint.is_some() || listed()))
    }
}

/// What one account and region looked like.
struct Observed {
    /// When the look began.
    at: Timestamp,
    sweep: Sweep,
    remembered: Memories,
    /// All variants there are, or should be, with what is wanted of them.
    wanted: Vec<(VariantId, Result<Goal, String>)>,
}

impl Observed {
    /// Why there may be variants that it does not tell of.
    fn why_incomplete(&self) -> Option<&Why> {
        self.sweep.endpoints.why().or_else(|| self.sweep.targets.why())
    }

    /// When all variants there are had been listed; absent when they were not.
    fn listed_at(&self) -> Option<Timestamp> {
        let reads = &self.sweep.reads;
        self.why_incomplete().is_none().then(|| reads.endpoints.at.min(reads.targets.at))
    }
}

/// Makes the passes' part of one account and region, and keeps what it needs between them.
struct Reconciler {
    aws: Aws,
    clock: Arc<dyn Clock>,
    leadership: Arc<dyn Leadership>,
    memory: Arc<dyn Memory>,
    cache: EndpointCache,
    variants: BTreeMap<VariantId, Variant>,
    cost: CostMeter,
    /// What is read beside the passes.
    history: History,
    /// Pauses of more than one variant, as last read.
    pauses: Pauses,
    /// When what is remembered was last read.
    memory_read: Option<Read>,
    /// Whether it can be read and saved.
    memory_health: MemoryHealth,
    /// Whether all variants there are have been listed once: from then on the process knows them.
    listed: bool,
    /// Since when it decides.
    since: Timestamp,
    /// The estimator's tables, shared by all variants.
    scratch: Scratch,
    /// Names this process and term in what it keeps (rule 26).
    identity: Arc<str>,
    /// What may still be worked out in this pass.
    work: Work,
    /// The variants of which a sign of another process is not remembered yet.
    signs: BTreeSet<VariantId>,
}

impl Reconciler {
    /// A reconciler that knows nothing yet.
    fn new(
        aws: Aws,
        clock: Arc<dyn Clock>,
        leadership: Arc<dyn Leadership>,
        memory: Arc<dyn Memory>,
        cost: &CostMeter,
        identity: Arc<str>,
        slots: Slots,
    ) -> Self {
        memory.begin_term();
        let since = clock.now();
        let cost = cost.of(&aws.scope);
        let fetch = Fetch { metrics: Arc::clone(&aws.metrics), cost: cost.clone() };
        let cache = EndpointCache::counted(Arc::clone(&slots.progress));
        let history = History::new(fetch, Arc::clone(&clock), slots);
        Self {
            aws,
            clock,
            leadership,
            memory,
            cache,
            variants: BTreeMap::new(),
            cost,
            history,
            pauses: Pauses::default(),
            memory_read: None,
            memory_health: MemoryHealth::default(),
            listed: false,
            since,
            scratch: Scratch::new(),
            identity,
            work: Work::default(),
            signs: BTreeSet::new(),
        }
    }

    /// Reads everything that this pass needs. Never fails: what could not be read is unknown.
    async fn observe(&mut self, look: Look<'_>) -> Observed {
        let now = self.clock.now();
        let sweep = Sweep::read(&self.aws, &*self.clock, now).await;
        self.describe(&sweep, look, now).await;
        self.memory_health.begin_pass();
        let pauses = self.load_pauses().await;
        let unseen = self.unseen(&sweep).await;
        let wanted = self.goals(&sweep, unseen, look, now);
        let remembered = self.load_memory(&sweep, &wanted, look.settings, pauses).await;
        self.forget_gone(&wanted);
        self.note_endpoints(now);
        if look.telemetry {
            self.read_telemetry(&sweep, &remembered, &wanted, look.settings, now).await;
        } else {
            self.go_on_with_history(&sweep, &remembered, &wanted, look.settings, now);
        }
        self.read_activities(&wanted, look, now).await;
        Observed { at: now, sweep, remembered, wanted }
    }

    /// Decides on every variant that was seen.
    fn decide(
        &mut self,
        estimated: Vec<Estimated>,
        (families, probing): (&Families, &mut Probing),
        (input, at): (&PassInput<'_>, Timestamp),
    ) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::with_capacity(estimated.len());
        self.work = work::of(input.settings.history_wait);
        for (id, weighed) in estimated {
            // A bug of ours in one variant leaves it unknown, and the others as they are.
            let decide = |weighed| {
                let about = (families, &mut *probing);
                let decide = AssertUnwindSafe(|| self.decide_one(weighed, about, input, at));
                catch_unwind(decide).ok()
            };
            match weighed.and_then(decide) {
                Some(turn) => turns.push(turn),
                None => turns.extend(self.broken(id, input, at)),
            }
        }
        turns
    }

    /// Everything that `ListEndpoints` lists is described when due.
    async fn describe(&mut self, sweep: &Sweep, look: Look<'_>, now: Timestamp) {
        let Some(endpoints) = sweep.endpoints.known() else { return };
        let concurrency = look.settings.concurrency;
        // An endpoint that no variant is known of yet is described anyway.
        let known = self.variants.keys();
        let refresh: BTreeSet<EndpointName> =
            known.filter(|id| look.wants_refresh(id)).map(|id| id.endpoint.clone()).collect();
        let by = (&self.aws, &self.clock);
        let changed = self.cache.refresh(by, endpoints, &refresh, now, concurrency).await;
        for (id, variant) in &mut self.variants {
            // Rule 24: activities are read of variants that changed.
            if changed.contains(&id.endpoint) {
                variant.activities.note_change();
            }
            let target = sweep.targets.known().and_then(|all| all.get(&id.resource()));
            variant.max_capacity = target.map(|target| target.max_capacity);
        }
    }

    /// All variants there are, or should be, with what is wanted of them.
    fn goals(
        &self,
        sweep: &Sweep,
        unseen: BTreeSet<ResourceId>,
        look: Look<'_>,
        now: Timestamp,
    ) -> Vec<(VariantId, Result<Goal, String>)> {
        let mut resources = sweep.registered();
        for endpoint in self.cache.known() {
            let names = endpoint.variants.iter().map(|v| &v.name).chain(&endpoint.shadow_variants);
            resources.extend(names.map(|variant| ResourceId {
                endpoint: endpoint.name.clone(),
                variant: variant.clone(),
            }));
        }
        resources.extend(look.named.iter().cloned());
        resources.extend(unseen);
        resources
            .into_iter()
            .map(|resource| VariantId::new(&self.aws.scope, &resource))
            .filter_map(|id| {
                let (id, mut goal) = wanted(id, look.goals, look.settings)?;
                if let Ok(goal) = &mut goal {
                    self.pauses.hold(&id, goal, now);
                }
                Some((id, goal))
            })
            .collect()
    }

    fn forget_gone(&mut self, wanted: &[(VariantId, Result<Goal, String>)]) {
        let ids: BTreeSet<&VariantId> = wanted.iter().map(|(id, _)| id).collect();
        self.variants.retain(|id, _| ids.contains(id));
        self.history.retain(|id| ids.contains(id));
        for (id, _) in wanted {
            self.variants.entry(id.clone()).or_default();
        }
    }

    /// Puts together what was read of one variant.
    fn snapshot(
        &self,
        sweep: &Sweep,
        memory: Fact<VariantMemory>,
        id: &VariantId,
        now: Timestamp,
    ) -> Snapshot {
        let (resource, variant) = (id.resource(), self.variants.get(id));
        let endpoint = match sweep.endpoint(&id.endpoint) {
            Fact::Unknown(why) => Fact::Unknown(why),
            Fact::Known(None) => Fact::Known(None),
            Fact::Known(Some(_)) => self.cache.endpoint(&id.endpoint),
        };
        let (endpoint_config, model) = match endpoint.as_ref() {
            Fact::Unknown(why) => (Fact::Unknown(why.clone()), Fact::Unknown(why)),
            Fact::Known(None) => (Fact::Known(None), Fact::Known(None)),
            Fact::Known(Some(e)) => (self.cache.config(e), self.cache.model(e, &id.variant)),
        };
        Snapshot {
            id: id.clone(),
            reaction: Reaction::unseen(None),
            factor: FactorAdvice::default(),
            floors: crate::model::floors::Floors::default(),
            taken_at: now,
            reads: self.reads(sweep, id, &endpoint),
            caller: sweep.caller.clone(),
            endpoint,
            endpoint_config,
            model,
            target: sweep.target(&resource),
            policies: sweep.policies(&resource),
            scheduled_actions: sweep.scheduled_actions(&resource),
            alarms: sweep.alarms(&resource),
            activities: variant.map_or_else(Fact::not_read_yet, |v| v.activities.known.clone()),
            telemetry: variant.map_or_else(Fact::not_read_yet, |v| v.telemetry().clone()),
            memory,
        }
    }

    /// The reads behind a snapshot.
    fn reads(&self, sweep: &Sweep, id: &VariantId, endpoint: &Fact<Option<Endpoint>>) -> Reads {
        let variant = self.variants.get(id);
        let from = &sweep.reads;
        let listed = sweep.endpoints.known().is_some_and(|all| all.contains_key(&id.endpoint));
        let described = if listed { self.cache.endpoint_read(&id.endpoint) } else { None };
        // What is not listed is not described: the listing says that there is none.
        let described = described.unwrap_or(from.endpoints);
        let (endpoint_config, model) = match endpoint.known() {
            Some(Some(endpoint)) => self.cache.config_reads(endpoint, &id.variant),
            _ => (Some(described), Some(described)),
        };
        Reads {
            caller: Some(from.caller),
            endpoint: Some(described),
            endpoint_config,
            model,
            scalable_target: Some(from.targets),
            policies: Some(from.policies),
            scheduled_actions: Some(from.scheduled_actions),
            activities: variant.and_then(|variant| variant.activities.read),
            alarms: Some(from.alarms),
            telemetry: variant.and_then(Variant::telemetry_read),
            memory: self.memory_read,
        }
    }

    /// Tells the capacity estimates of deploys.
    pub(super) fn note_endpoints(&mut self, now: Timestamp) {
        for (id, variant) in &mut self.variants {
            let endpoint = self.cache.endpoint(&id.endpoint);
            let Some(endpoint) = endpoint.known().and_then(Option::as_ref) else { continue };
            let config = self.cache.config(endpoint);
            let config = config.known().and_then(Option::as_ref);
            let model = self.cache.model(endpoint, &id.variant);
            let model = model.known().and_then(Option::as_ref);
            variant.note_endpoint(endpoint, (config, model), &id.variant, now);
        }
    }

    fn decide_one(
        &mut self,
        weighed: Weighed,
        (families, probing): (&Families, &mut Probing),
        input: &PassInput<'_>,
        now: Timestamp,
    ) -> Turn {
        let id = weighed.snapshot.id.clone();
        let keys = probes::keys(&weighed);
        let mut rules = self.rules(input, &id);
        let wanted = weighed.goal.mode == Mode::Auto && weighed.goal.probe.is_some();
        rules.may_probe = wanted && input.purpose.is_unattended() && probing.may(&keys);
        let means =
            Means { rules: &rules, families, scratch: &mut self.scratch, work: &mut self.work };
        let turn = self.variants.entry(id).or_default().decide(weighed, means, now);
        if probe::begins(&turn.decision) {
            probing.begin(keys);
        }
        turn
    }

    /// What holds for a variant, by this process.
    fn rules(&self, input: &PassInput<'_>, id: &VariantId) -> Rules {
        let since = input.purpose.is_unattended().then_some(self.since);
        Rules { since, ..rules(input, id) }
    }

    /// What is published of this account and region.
    fn publish(&mut self, turns: Vec<Turn>) -> Vec<VariantStatus> {
        let ended = self.clock.now();
        let publish = |turn: Turn| {
            let variant = self.variants.entry(turn.snapshot.id.clone()).or_default();
            let wrote_fine = turn.outcome().is_none_or(|outcome| {
                outcome.steps.iter().all(|step| step.result == StepResult::Success)
            });
            if turn.decision.report.comparable && wrote_fine {
                variant.last_successful_pass = Some(ended);
            }
            status(turn, ended, variant.last_successful_pass)
        };
        turns.into_iter().map(publish).collect()
    }
}

/// A variant with what is wanted of it; nothing when it is not to be shown.
fn wanted(
    id: VariantId,
    goals: &dyn Goals,
    settings: &Settings,
) -> Option<(VariantId, Result<Goal, String>)> {
    let goal = goals.goal(&id);
    // A variant that two targets claim is listed, twice.
    let shown = settings.discovery || goal.as_ref().map_or(true, |goal| goal.managed);
    shown.then_some((id, goal))
}

/// What is published of a variant after a pass.
fn status(
    turn: Turn,
    last_pass: Timestamp,
    last_successful_pass: Option<Timestamp>,
) -> VariantStatus {
    let (goal, snapshot, decision, outcome) = turn.into_parts();
    let lasting = lasting(&snapshot, &decision.report, decision.at);
    VariantStatus { goal, snapshot, decision, outcome, lasting, last_pass, last_successful_pass }
}

/// The account that may be written to in one account and region: where several are configured,
/// each has its own and no other (rule 2). One that a reload has taken out of the list has none.
fn allowed_account(settings: &Settings, scope: &Scope) -> Option<AccountId> {
    if settings.scopes.is_empty() {
        return settings.account_id.clone();
    }
    settings.scopes.contains(scope).then(|| scope.account_id.clone())
}

fn rules(input: &PassInput<'_>, id: &VariantId) -> Rules {
    let settings = input.settings;
    Rules {
        since: None,
        may_probe: false,
        account_id: allowed_account(settings, &id.scope()),
        enabled: settings.enabled,
        freeze: input.freeze.cloned(),
        telemetry_max_age: settings.telemetry_max_age,
        writes_per_hour: settings.writes_per_hour,
        writes_per_day: settings.writes_per_day,
        confirmed: input.purpose.confirmed(id),
    }
}
