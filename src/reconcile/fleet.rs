//! A pass over all accounts and regions of a process, in phases.
//!
//! All are observed side by side, then all is decided, then rule 9 looks at every decision of the
//! pass at once, then each is acted on beside the others, within one account and region one write
//! after the other. One that cannot be read delays no other beyond a time limit
//! (`docs/decisions/fleet-passes.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::named::{Place, place};
use super::phases::{Phase, PhaseTimes};
use super::probes::{self, Probing};
use super::region::Region;
use super::{CostMeter, Estimated, PassInput, Purpose, Turns, status, unread};
use crate::compact::Shelf;
use crate::decide::mass_change;
use crate::estimate::Families;
use crate::model::consent::Consent;
use crate::model::decision::Decision;
use crate::model::fact::Why;
use crate::model::ids::{AccountId, Scope, VariantId};
use crate::model::status::{FleetStatus, MassChange, MemoryStatus, Saved, Undescribed};
use crate::model::time::Timestamp;
use crate::observe::evidence::Keeping;
use crate::observe::goals::only_in;
use crate::observe::health;
use crate::observe::slots::Slots;
use crate::observe::{Named, Observed, Parts, Progress};
use crate::ports::{Aws, Clock, Evidence, Leadership, Memory};
use crate::variant::Turn;

/// Makes passes over accounts and regions, and keeps what they need between them.
pub struct Fleet {
    regions: Vec<Region>,
    clock: Arc<dyn Clock>,
    cost: CostMeter,
    identity: Arc<str>,
    progress: Arc<Progress>,
    /// What the load tests of each family were worth, as each account and region last showed it.
    families: BTreeMap<Scope, Families>,
    /// What no second probe may share with one under way, as each account and region last showed it.
    probing: BTreeMap<Scope, probes::Keys>,
    /// What is kept over a restart; absent where nothing is.
    keeping: Option<Arc<Keeping>>,
    /// What was published last, of those that cannot be read now.
    last: FleetStatus,
    took: PhaseTimes,
}

/// Times one phase after the other.
struct Laps {
    since: Instant,
    times: PhaseTimes,
}

impl Laps {
    fn begin() -> Self {
        Self { since: Instant::now(), times: PhaseTimes::default() }
    }

    fn end(&mut self, phase: Phase) {
        let now = Instant::now();
        self.times.set(phase, now - self.since);
        self.since = now;
    }
}

/// One account and region on its way through a pass.
struct Round {
    /// Whether it was read in time. Nothing is written otherwise.
    read: bool,
    /// What it looked like; taken by the decisions.
    observed: Option<Observed>,
    /// When the reads began.
    at: Timestamp,
    /// Why it is not known, or not all of it.
    why: Option<Why>,
    /// What is listed and could not be described.
    undescribed: Option<Undescribed>,
    /// Whether there was no time to describe all that was due.
    has_more: bool,
    /// The account that the caller really is, if that is known.
    caller: Option<AccountId>,
    /// When all variants there are had been listed, if they were.
    listed: Option<Timestamp>,
    /// The variants to show without having read them.
    unread: Vec<VariantId>,
    /// Why it is not known which of them are remembered.
    forgotten: Option<Why>,
    turns: Turns,
}

impl Round {
    fn of(observed: Observed) -> Self {
        Self {
            read: true,
            at: observed.at,
            why: observed.why_incomplete().cloned(),
            undescribed: observed.undescribed.clone(),
            has_more: observed.has_more,
            listed: observed.listed_at(),
            caller: observed.caller().cloned(),
            observed: Some(observed),
            unread: Vec::new(),
            forgotten: None,
            turns: Vec::new(),
        }
    }

    fn unread(why: Why, at: Timestamp, unread: Vec<VariantId>, forgotten: Option<Why>) -> Self {
        Self {
            read: false,
            at,
            why: Some(why),
            undescribed: None,
            has_more: false,
            listed: None,
            caller: None,
            observed: None,
            unread,
            forgotten,
            turns: Vec::new(),
        }
    }
}

impl Fleet {
    /// A fleet of these accounts and regions, of which nothing is known yet. All of them share
    /// one budget.
    pub fn new(
        accounts: Vec<Aws>,
        clock: Arc<dyn Clock>,
        leadership: Arc<dyn Leadership>,
        memory: Arc<dyn Memory>,
        cost: CostMeter,
    ) -> Self {
        let identity = random_identity();
        Self::identified(accounts, clock, leadership, memory, cost, &identity)
    }

    /// The same, under a name of its own by which others know what it keeps (rule 26); a new one
    /// for each term of leadership.
    pub fn identified(
        accounts: Vec<Aws>,
        clock: Arc<dyn Clock>,
        leadership: Arc<dyn Leadership>,
        memory: Arc<dyn Memory>,
        cost: CostMeter,
        identity: &str,
    ) -> Self {
        let identity: Arc<str> = Arc::from(identity);
        // All accounts and regions share it. One that starts over within a term begins none.
        memory.begin_term();
        let slots = Slots::default();
        let parts = Parts {
            clock: Arc::clone(&clock),
            leadership,
            memory,
            cost: cost.clone(),
            identity: Arc::clone(&identity),
            slots: slots.clone(),
        };
        let region = |aws| Region::new(aws, parts.clone());
        Self {
            regions: accounts.into_iter().map(region).collect(),
            clock,
            cost,
            identity,
            progress: slots.progress,
            families: BTreeMap::new(),
            probing: BTreeMap::new(),
            keeping: None,
            last: FleetStatus::default(),
            took: PhaseTimes::default(),
        }
    }

    /// The same, which takes up what an earlier process has kept there, and keeps what it knows.
    #[must_use]
    pub fn keeping(mut self, place: Arc<dyn Evidence>) -> Self {
        let keeping = Arc::new(Keeping::new(place));
        for region in &mut self.regions {
            region.keep(&keeping);
        }
        self.keeping = Some(keeping);
        self
    }

    /// The same, of which what nobody looks at lies there.
    #[must_use]
    pub fn resting(mut self, on: &Arc<dyn Shelf>) -> Self {
        for region in &mut self.regions {
            region.rest_on(on);
        }
        self
    }

    /// Keeps what the next process need not read again, for at most so long. For a process that ends.
    pub async fn end(&mut self, most: Duration) {
        let until = Instant::now() + most;
        for region in &mut self.regions {
            if let Some(reconciler) = region.reconciler() {
                let left = until.saturating_duration_since(Instant::now());
                reconciler.reader.keep_evidence(true, left).await;
            }
        }
    }

    /// The history has all that a pass has published of these.
    pub fn hours_are_kept(&mut self, published: &FleetStatus, of: &Saved) {
        for reconciler in self.regions.iter_mut().filter_map(Region::reconciler) {
            for (id, variant) in &mut reconciler.reader.variants {
                if let Some(status) = published.variants.get(id).filter(|_| of.has(id)) {
                    variant.hours_are_kept(status);
                }
            }
        }
    }

    /// The name by which other processes know what this one keeps (rule 26).
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// How long the phases of the last pass took.
    pub const fn took(&self) -> PhaseTimes {
        self.took
    }

    /// How far the long reads have got.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// What CloudWatch has cost so far.
    pub const fn cost(&self) -> &CostMeter {
        &self.cost
    }

    /// One pass. Never fails: what could not be read or written is in the status.
    pub async fn pass(&mut self, input: PassInput<'_>) -> FleetStatus {
        let began = self.clock.now();
        let mut took = Laps::begin();
        let mut rounds = self.observe(&input).await;
        took.end(Phase::Observe);
        self.decide(&mut rounds, &input);
        let mass_change = hold_mass_change(&mut rounds, &input);
        took.end(Phase::Decide);
        if input.purpose.writes() {
            self.act(&mut rounds, &input).await;
        }
        took.end(Phase::Act);
        self.remember(&rounds, &input).await;
        took.end(Phase::Remember);
        self.took = took.times;
        self.publish(rounds, mass_change, began)
    }

    /// Reads all of them side by side, and finds a place for every name.
    async fn observe(&mut self, input: &PassInput<'_>) -> Vec<Round> {
        let scopes: Vec<Scope> = self.regions.iter().map(|region| region.scope().clone()).collect();
        let named = input.goals.named(&scopes);
        let read = self.read(&named, input).await;
        let now = self.clock.now();
        let mut rounds: Vec<Round> = Vec::with_capacity(read.len());
        for (at, read) in read.into_iter().enumerate() {
            rounds.push(match read {
                Ok(observed) => Round::of(observed),
                Err(why) => {
                    let (unread, forgotten) = self.known_or_named(at, &named).await;
                    Round::unread(why, now, unread, forgotten)
                }
            });
        }
        self.place(&named, &scopes, &mut rounds, input);
        rounds
    }

    async fn read(&mut self, named: &[Named], input: &PassInput<'_>) -> Vec<Result<Observed, Why>> {
        let mut began = Vec::with_capacity(self.regions.len());
        for region in &mut self.regions {
            let named = only_in(named, region.scope());
            began.push(region.begin(input, named).await);
        }
        // The calls are under way in tasks of their own, so that waiting for one after the other
        // is waiting for all. One that is alone delays no other: the limit of the pass holds.
        let several = self.regions.len() > 1;
        let deadline = several.then(|| Instant::now() + input.settings.observe_timeout);
        let mut reads = Vec::with_capacity(self.regions.len());
        for (region, began) in self.regions.iter_mut().zip(began) {
            // One that an earlier pass has waited for in vain delays no second one.
            let deadline = if began { deadline } else { Some(Instant::now()) };
            let mut read = region.end(deadline).await;
            if let Ok(observed) = &mut read
                && several
            {
                observed.name_in_errors(region.scope());
            }
            reads.push(read);
        }
        reads
    }

    /// The variants of an account and region that the last pass showed, and those named there; after
    /// a restart those that are remembered too, or why that is not known.
    async fn known_or_named(&self, at: usize, named: &[Named]) -> (Vec<VariantId>, Option<Why>) {
        let Some(region) = self.regions.get(at) else { return (Vec::new(), None) };
        let scope = region.scope();
        let (remembered, forgotten) = match self.last.listed.get(scope) {
            // From then on the process knows what there is, and what has gone.
            Some(_) => (Vec::new(), None),
            None => match region.remembered().await {
                Ok(remembered) => (remembered, None),
                Err(why) => (Vec::new(), Some(why)),
            },
        };
        let known = self.last.variants.keys().filter(|id| id.scope() == *scope).cloned();
        let named = only_in(named, scope);
        let named = named.iter().map(|resource| VariantId::new(scope, resource));
        let all: BTreeSet<VariantId> = known.chain(remembered).chain(named).collect();
        (all.into_iter().collect(), forgotten)
    }

    fn place(
        &mut self,
        named: &[Named],
        scopes: &[Scope],
        rounds: &mut [Round],
        input: &PassInput<'_>,
    ) {
        let regions = self.regions.iter_mut().zip(scopes);
        let mut places: Vec<Place<'_>> = rounds
            .iter_mut()
            .zip(regions)
            .map(|(round, (region, scope))| Place {
                scope,
                observed: round
                    .observed
                    .as_mut()
                    .zip(region.reconciler().map(|reconciler| &reconciler.reader)),
                unread: &mut round.unread,
            })
            .collect();
        place(named, &mut places, input);
    }

    fn decide(&mut self, rounds: &mut [Round], input: &PassInput<'_>) {
        let mut all: Vec<Option<Vec<Estimated>>> = Vec::with_capacity(rounds.len());
        for (region, round) in self.regions.iter_mut().zip(rounds.iter_mut()) {
            let scope = region.scope().clone();
            let read = round.observed.take().zip(region.reconciler());
            all.push(read.map(|(observed, reconciler)| {
                let (estimated, families) =
                    reconciler.estimate(observed, input, &self.last.variants);
                self.families.insert(scope.clone(), families);
                let known = estimated.iter().filter_map(|(_, all)| Some(&*all.as_ref()?.0));
                self.probing.insert(scope, known.flat_map(probes::busy).collect());
                estimated
            }));
        }
        let mut families = Families::default();
        self.families.values().for_each(|of_one| families.add(of_one));
        let mut probing = Probing::with(self.probing.values().flatten());
        for ((region, round), estimated) in self.regions.iter_mut().zip(rounds).zip(all) {
            let read = estimated.zip(region.reconciler());
            round.turns = if let Some((estimated, reconciler)) = read {
                let about = (&families, &mut probing);
                reconciler.decide(estimated, about, (input, round.at), &self.last.variants)
            } else {
                let ids = std::mem::take(&mut round.unread);
                round.why.as_ref().map_or_else(Vec::new, |why| {
                    unread::turns(ids, why, &self.last, input, round.at)
                })
            };
        }
    }

    /// Acts on all of them side by side. There is no time limit to this: a write half done is
    /// worse than a late one. The calls have limits of their own, and once `input.stop` is set, as
    /// it is at the limit of the pass, no further write begins.
    async fn act(&mut self, rounds: &mut [Round], input: &PassInput<'_>) {
        let acts = self.regions.iter_mut().zip(rounds).filter_map(|(region, round)| {
            let reconciler = region.reconciler().filter(|_| round.read)?;
            Some(reconciler.act(&mut round.turns, input))
        });
        join_all(acts).await;
    }

    async fn remember(&mut self, rounds: &[Round], input: &PassInput<'_>) {
        let mut turns = rounds.iter().flat_map(|round| &round.turns);
        let waits =
            input.purpose == Purpose::Ask && turns.any(|turn| !turn.decision.plan.is_empty());
        for (region, round) in self.regions.iter_mut().zip(rounds) {
            if let Some(reconciler) = region.reconciler().filter(|_| round.read) {
                reconciler.keep_memory(&round.turns, input, waits, round.at).await;
                reconciler.reader.keep_evidence(false, Duration::MAX).await;
            }
        }
    }

    fn publish(
        &mut self,
        rounds: Vec<Round>,
        mass_change: Option<MassChange>,
        began: Timestamp,
    ) -> FleetStatus {
        let mut fleet = FleetStatus { at: Some(began), mass_change, ..FleetStatus::default() };
        let ended = self.clock.now();
        let mut memory = Vec::with_capacity(rounds.len());
        for (region, round) in self.regions.iter_mut().zip(rounds) {
            let scope = region.scope().clone();
            let listed = round.listed.or_else(|| self.last.listed.get(&scope).copied());
            fleet.listed.extend(listed.map(|at| (scope.clone(), at)));
            fleet.undescribed.extend(round.undescribed.map(|found| (scope.clone(), found)));
            let measured = region.reconciler().filter(|_| round.read);
            let unmeasured = measured.map_or_else(
                || self.last.telemetry_unread.get(&scope).cloned(),
                |reconciler| reconciler.reader.unmeasured.status(),
            );
            fleet.telemetry_unread.extend(unmeasured.map(|found| (scope.clone(), found)));
            fleet.has_more |= round.has_more;
            fleet.callers.extend(round.caller.map(|caller| (scope.clone(), caller)));
            fleet.scopes.insert(scope, round.why);
            let health = region.reconciler().filter(|_| round.read);
            memory.push(health.map_or_else(
                || MemoryStatus { unread: round.forgotten.clone(), ..MemoryStatus::default() },
                |reconciler| reconciler.reader.remembered.end_pass(ended),
            ));
            let last = &self.last.variants;
            let reconciler = region.reconciler().filter(|_| round.read);
            let statuses: Vec<_> = if let Some(reconciler) = reconciler {
                reconciler.publish(round.turns, last)
            } else {
                let publish = |turn: Box<Turn>| {
                    let before = last.get(&turn.snapshot.id);
                    let successful = before.and_then(|before| before.last_successful_pass);
                    let estimator = before.map(|before| before.estimator.clone());
                    status(*turn, before, (ended, successful), estimator.unwrap_or_default())
                };
                round.turns.into_iter().map(publish).collect()
            };
            let by_id = statuses.into_iter().map(|s| (s.snapshot.id.clone(), s));
            fleet.variants.extend(by_id);
        }
        fleet.memory = Some(health::together(self.last.memory.as_ref(), memory));
        fleet.evidence = self.keeping.as_ref().map(|keeping| keeping.status());
        self.last = fleet.clone();
        fleet
    }
}

/// Eight hexadecimal digits, which differ from process to process and from term to term.
fn random_identity() -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:08x}", random >> 32)
}

/// Rule 9, over all variants of all accounts and regions: a bad configuration must not become a
/// change of the whole fleet, little by little in each.
fn hold_mass_change(rounds: &mut [Round], input: &PassInput<'_>) -> Option<MassChange> {
    let consent = match input.purpose {
        Purpose::Plan => &Consent::default(),
        Purpose::Reconcile(consent) => consent,
        // A person is being asked, or has been: of all that was not shown nothing is written.
        Purpose::Ask | Purpose::Apply(_) => return None,
    };
    let turns = rounds.iter().flat_map(|round| &round.turns);
    // Those that are not known yet cannot change in this pass. A large fleet is described little by little after a
    // start, and a share of all of it would be most of what is known.
    let known = turns.filter(|turn| turn.snapshot.endpoint.known().is_some());
    let managed: Vec<&Decision> =
        known.filter(|turn| turn.goal.managed).map(|turn| &turn.decision).collect();
    let found = mass_change::mass_change(&managed, input.settings.mass_change, consent)?;
    for turn in rounds.iter_mut().flat_map(|round| &mut round.turns) {
        mass_change::hold(&mut turn.decision, &found);
    }
    Some(found)
}
