//! One account and region, read for a pass: what is listed, described, measured and remembered there
//! becomes the [`Facts`] of each variant.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::time::Instant;

use super::cache::{Due, EndpointCache, Refreshed};
use super::cost::CostMeter;
use super::evidence::{Described, Keeping};
use super::fetch::Fetch;
use super::goals::Goals;
use super::history::History;
use super::listings::Listings;
use super::readings::Basis;
use super::remembered::{Remembered, subject_of};
use super::rows::Rows;
use super::settings::Settings;
use super::slots::Slots;
use super::sweep::{ListedEndpoints, Sweep};
use super::unknown::{broken, nothing_known};
use super::unmeasured::Unmeasured;
use crate::compact::Shelf;
use crate::estimate::Scratch;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::goal::Goal;
use crate::model::ids::{AccountId, EndpointName, ResourceId, Scope, VariantId};
use crate::model::scale_out::Reaction;
use crate::model::selector::Selector;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::status::Undescribed;
use crate::model::time::Timestamp;
use crate::ports::{Aws, Clock, Leadership, Memories, Memory, Subject};
use crate::variant::{Variant, Weeks};

/// What the reads of one account and region in a pass depend on.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub goals: &'a dyn Goals,
    pub settings: &'a Settings,
    /// Whether the paid telemetry is read too.
    pub telemetry: bool,
    /// The variants that are named for this account and region and no other.
    pub named: &'a [ResourceId],
    /// The variants of which nothing that was read before is used.
    pub refresh: Option<&'a Selector>,
}

impl Request<'_> {
    /// Whether nothing that was read of a variant before is used. Where all are meant, those that
    /// nobody lists are not: there is nothing to prove of them, and there may be thousands.
    pub(super) fn wants_refresh(&self, id: &VariantId) -> bool {
        let listed = || self.goals.goal(id).is_ok_and(|goal| goal.managed);
        self.refresh
            .is_some_and(|refresh| refresh.matches(id) && (refresh.endpoint.is_some() || listed()))
    }
}

/// A variant, and what is wanted of it.
pub type Wanted = (VariantId, Result<Shared<Goal>, String>);

/// What one account and region looked like.
pub struct Observed {
    /// When the reads began.
    pub at: Timestamp,
    sweep: Sweep,
    /// What is listed and could not be described, and no variant of it is known.
    pub undescribed: Option<Undescribed>,
    /// Whether endpoints were due to be described for which there was no time.
    pub has_more: bool,
    remembered: Memories,
    /// All variants there are, or should be.
    wanted: Vec<Wanted>,
    /// The requests of the last weeks of those whose weeks are replayed in this pass.
    weeks: BTreeMap<VariantId, Weeks>,
}

impl Observed {
    /// Why there may be variants that it does not show.
    pub fn why_incomplete(&self) -> Option<&Why> {
        self.sweep.endpoints.why().or_else(|| self.sweep.listed.targets.all.why())
    }

    /// When all variants there are had been listed; absent when they were not.
    pub fn listed_at(&self) -> Option<Timestamp> {
        let (endpoints, targets) = (self.sweep.reads.endpoints, self.sweep.listed.targets.read);
        self.why_incomplete().is_none().then(|| endpoints.at.min(targets.at))
    }

    /// The account that the caller really is, if that is known.
    pub fn caller(&self) -> Option<&AccountId> {
        self.sweep.caller.known()
    }

    pub fn has(&self, id: &VariantId) -> bool {
        self.wanted.iter().any(|(known, _)| known == id)
    }

    /// Shows one more variant, there or not.
    pub fn add(&mut self, wanted: Wanted) {
        self.wanted.push(wanted);
    }

    /// The variants it shows, which it hands over.
    pub fn take_wanted(&mut self) -> Vec<Wanted> {
        std::mem::take(&mut self.wanted)
    }

    /// The requests of the last weeks of a variant, where a replay of them is due.
    pub fn take_weeks(&mut self, id: &VariantId) -> Option<Weeks> {
        self.weeks.remove(id)
    }

    /// Lets every reason why something is not known begin with the account and region: it is shown
    /// beside others'.
    pub fn name_in_errors(&mut self, scope: &Scope) {
        self.sweep.name_in_errors(scope);
    }
}

/// What a reader and a reconciler are made from; all accounts and regions of a process share it.
#[derive(Clone)]
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    /// Whether anything may be written, or kept.
    pub leadership: Arc<dyn Leadership>,
    pub memory: Arc<dyn Memory>,
    pub cost: CostMeter,
    /// Names this process and term in what it keeps (rule 26).
    pub identity: Arc<str>,
    pub slots: Slots,
}

/// Reads one account and region, and keeps what it needs between passes.
pub struct Reader {
    pub(super) aws: Aws,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cache: EndpointCache,
    /// What is known of each variant.
    pub variants: BTreeMap<VariantId, Box<Variant>>,
    pub remembered: Remembered,
    pub(super) cost: CostMeter,
    /// What is read beside the passes.
    pub(super) history: History,
    /// The variants whose telemetry could not be read.
    pub unmeasured: Unmeasured,
    /// Whether endpoints were due to be described for which the last pass had no time.
    pub(super) has_more: bool,
    /// Whether all variants there are have been listed once: from then on the process knows them.
    listed: bool,
    /// What is kept over a restart; absent where nothing is.
    pub(super) keeping: Option<Arc<Keeping>>,
    pub(super) described: Described,
    /// Where estimators rest.
    pub(super) shelf: Arc<dyn Shelf>,
    /// The estimator's tables, shared by all variants.
    pub scratch: Scratch,
    /// The reaction of a variant before its scale-outs are looked at, kept once for all of them.
    pub(super) unseen: Shared<Reaction>,
    pub(super) listings: Listings,
    /// What was read by name since the listings were begun that passes go by.
    pub(super) rows: BTreeMap<ResourceId, Shared<Rows>>,
    /// When those were begun.
    pub(super) listed_since: Timestamp,
}

impl Reader {
    /// A reader that knows nothing yet.
    pub fn new(aws: Aws, parts: &Parts) -> Self {
        let Parts { clock, memory, cost, identity, slots, .. } = parts.clone();
        let cost = cost.of(&aws.scope);
        let fetch = Fetch { metrics: Arc::clone(&aws.metrics), cost: cost.clone() };
        Self {
            cache: EndpointCache::counted(Arc::clone(&slots.progress)),
            variants: BTreeMap::new(),
            remembered: Remembered::new(memory, Arc::clone(&clock), identity),
            cost,
            keeping: slots.keeping.clone(),
            scratch: slots.scratch(),
            shelf: Arc::clone(&slots.shelf),
            described: Described::default(),
            unmeasured: Unmeasured::default(),
            history: History::new(fetch, Arc::clone(&clock), slots),
            has_more: false,
            listed: false,
            unseen: Reaction::unseen(None).into(),
            listings: Listings::default(),
            rows: BTreeMap::new(),
            listed_since: Timestamp::default(),
            aws,
            clock,
        }
    }

    pub const fn scope(&self) -> &Scope {
        &self.aws.scope
    }

    /// Reads everything that this pass needs. Never fails: what could not be read is unknown.
    pub async fn observe(&mut self, request: Request<'_>) -> Observed {
        let now = self.clock.now();
        self.take_up_described().await;
        let mut sweep = self.sweep(request, now).await;
        let pauses = self.remembered.begin_pass().await;
        let missing = self.missing(&sweep);
        let unseen = self.unseen(&sweep, &missing).await;
        let wanted = self.goals(&sweep, unseen, request, now);
        let remembered = self.load_memory(&sweep, &wanted, request.settings, pauses).await;
        self.read_rows(&mut sweep, (&wanted, &remembered), request).await;
        self.forget_gone(&wanted);
        self.note_endpoints(now);
        let settings = request.settings;
        let basis =
            Basis { sweep: &sweep, remembered: &remembered, wanted: &wanted, settings, now };
        if request.telemetry {
            self.read_telemetry(basis).await;
        } else {
            self.go_on_with_history(basis);
        }
        self.read_activities(&wanted, request, now).await;
        // History that has come meanwhile is shown by this pass already.
        self.go_on_with_history(basis);
        if request.telemetry {
            self.read_instances(&wanted, request.settings, now).await;
        }
        let weeks = self.read_weeks(&wanted, request.settings, now).await;
        let undescribed = self.undescribed(missing, &wanted);
        let has_more = self.has_more;
        Observed { at: now, sweep, undescribed, has_more, remembered, wanted, weeks }
    }

    /// Reads the listings. Everything that `ListEndpoints` lists is described when due, while the listings of Application
    /// Auto Scaling, whose rate is the lowest, are still under way.
    async fn sweep(&mut self, request: Request<'_>, now: Timestamp) -> Sweep {
        let concurrency = request.settings.concurrency;
        // An endpoint that no variant is known of yet is described anyway.
        let known = self.variants.keys();
        let refresh: BTreeSet<EndpointName> =
            known.filter(|id| request.wants_refresh(id)).map(|id| id.endpoint.clone()).collect();
        let wait = request.settings.sweep_wait;
        let begun = Instant::now();
        let by = (&self.aws, &self.clock);
        let (cache, mut described) = (&mut self.cache, Refreshed::default());
        let endpoints = async {
            let listed = ListedEndpoints::read(by.0, &**by.1).await;
            if let Some(all) = listed.all.known() {
                // However long the listing takes, some are described.
                let until = wait.map(|wait| (begun + wait).max(Instant::now() + wait / 2));
                let due = Due { all, refresh: &refresh, now, concurrency, until };
                described = cache.refresh(by, due).await;
            }
            listed
        };
        let listings = self.listings.read(by.0, by.1, now, wait);
        let sweep = Sweep::read((by.0, &**by.1), now, listings, endpoints).await;
        self.listed_since = sweep.listed.began;
        // What could not be listed is not described any sooner by another pass at once.
        self.has_more = described.has_more;
        if sweep.endpoints.known().is_none() {
            return sweep;
        }
        for (id, variant) in &mut self.variants {
            // Rule 24: activities are read of variants that changed.
            if described.changed.contains(&id.endpoint) {
                variant.activities.note_change();
            }
            let target = sweep.listed.targets.all.known().and_then(|all| all.get(&id.resource()));
            let target = target.and_then(|target| target.known()?.as_ref());
            variant.max_capacity = target.map(|target| target.max_capacity);
        }
        sweep
    }

    /// The variants that were known before and that this sweep may not have seen: half a view must
    /// not make variants vanish. After a restart nothing but the memory knows of them.
    async fn unseen(
        &mut self,
        sweep: &Sweep,
        missing: &BTreeSet<EndpointName>,
    ) -> BTreeSet<ResourceId> {
        let is_listed =
            sweep.endpoints.known().is_some() && sweep.listed.targets.all.known().is_some();
        // A variant without a scalable target is known by the description of its endpoint alone.
        if is_listed && missing.is_empty() {
            self.listed = true;
            return BTreeSet::new();
        }
        let is_hidden = |id: &&VariantId| !is_listed || missing.contains(&id.endpoint);
        let mut unseen: BTreeSet<ResourceId> =
            self.variants.keys().filter(is_hidden).map(VariantId::resource).collect();
        if !self.listed {
            let here = self.remembered.variants_of(&self.aws.scope).await;
            unseen.extend(here.iter().filter(is_hidden).map(VariantId::resource));
        }
        unseen
    }

    /// The endpoints that are listed and could not be described.
    fn missing(&self, sweep: &Sweep) -> BTreeSet<EndpointName> {
        let listed = sweep.endpoints.known().into_iter().flat_map(BTreeMap::keys);
        let undescribed = listed.filter(|name| self.cache.endpoint(name).known().is_none());
        // A row that makes no sense is of an endpoint that is there.
        undescribed.chain(sweep.unreadable.keys()).cloned().collect()
    }

    /// What of that has no variant that is known.
    fn undescribed(
        &self,
        mut missing: BTreeSet<EndpointName>,
        wanted: &[Wanted],
    ) -> Option<Undescribed> {
        for (id, _) in wanted {
            if missing.is_empty() {
                return None;
            }
            missing.remove(&id.endpoint);
        }
        let whys: Vec<Why> =
            missing.iter().filter_map(|name| self.cache.endpoint(name).why().cloned()).collect();
        let not_yet = |why: &&Why| why.kind == WhyKind::NotReadYet;
        let waiting = whys.iter().filter(not_yet).count();
        let is_denied = whys.iter().all(|why| why.kind == WhyKind::Denied);
        let narrowed = is_denied && self.cache.known().next().is_some();
        // What has failed says more than what has not had its turn.
        let failed = whys.iter().find(|why| !not_yet(why));
        let why = failed.or_else(|| whys.first())?.clone();
        Some(Undescribed { endpoints: whys.len(), waiting, narrowed, why })
    }

    /// All variants there are, or should be, with what is wanted of them.
    fn goals(
        &self,
        sweep: &Sweep,
        unseen: BTreeSet<ResourceId>,
        request: Request<'_>,
        now: Timestamp,
    ) -> Vec<Wanted> {
        let mut resources = sweep.registered();
        for endpoint in self.cache.known() {
            let names = endpoint.variants.iter().map(|v| &v.name).chain(&endpoint.shadow_variants);
            resources.extend(names.map(|variant| ResourceId {
                endpoint: endpoint.name.clone(),
                variant: variant.clone(),
            }));
        }
        resources.extend(request.named.iter().cloned());
        resources.extend(unseen);
        let mut before: Option<Shared<Goal>> = None;
        resources
            .into_iter()
            .map(|resource| VariantId::new(&self.aws.scope, &resource))
            .filter_map(|id| {
                let (id, mut goal) = wanted(id, request.goals, request.settings)?;
                if let Ok(goal) = &mut goal {
                    self.remembered.pauses.hold(&id, goal, now);
                    // Of many variants the same is wanted.
                    if let Some(before) = &before {
                        goal.share(before);
                    }
                    before = Some(goal.clone());
                }
                Some((id, goal))
            })
            .collect()
    }

    fn forget_gone(&mut self, wanted: &[Wanted]) {
        let ids: BTreeSet<&VariantId> = wanted.iter().map(|(id, _)| id).collect();
        self.variants.retain(|id, _| ids.contains(id));
        self.history.retain(|id| ids.contains(id));
        self.unmeasured.retain(|id| ids.contains(id));
        for (id, _) in wanted {
            self.variants.entry(id.clone()).or_default();
        }
    }

    /// Takes note of deploys.
    fn note_endpoints(&mut self, now: Timestamp) {
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

    /// What is known of one variant. A bug of ours in one leaves it unknown, and the others as they
    /// are.
    pub fn facts(&mut self, observed: &mut Observed, id: &VariantId) -> Snapshot {
        let Observed { at, sweep, remembered, .. } = observed;
        let memory = remembered.remove(id).unwrap_or_else(Fact::not_read_yet);
        let snapshot = catch_unwind(AssertUnwindSafe(|| self.snapshot(sweep, memory, id, *at)));
        snapshot.unwrap_or_else(|_| {
            self.distrust(id);
            nothing_known(id.clone(), &broken(), *at)
        })
    }

    /// setpoint failed on a variant, a bug: what was estimated of it may be half a truth. Its history is read again
    /// by the next pass that reads telemetry, so that a bug that stays does not cost a paid read with each pass.
    pub fn distrust(&mut self, id: &VariantId) {
        self.scratch = self.scratch.another();
        self.history.put_off(id);
        if let Some(variant) = self.variants.get_mut(id) {
            variant.distrust(broken());
        }
    }

    /// Whether a variant that it does not show may be there all the same: a listing or a description
    /// is missing.
    pub fn may_hide(&self, observed: &Observed, id: &VariantId) -> bool {
        let listed = observed.sweep.endpoints.known().and_then(|all| all.get(&id.endpoint));
        let described = || self.cache.endpoint(&id.endpoint).known().is_some();
        observed.why_incomplete().is_some() || (listed.is_some() && !described())
    }

    /// What reads metrics, and counts what they cost.
    pub(super) fn fetch(&self) -> Fetch {
        Fetch { metrics: Arc::clone(&self.aws.metrics), cost: self.cost.clone() }
    }

    /// Whether a variant's history is being read, or about to be.
    pub fn is_reading(&self, id: &VariantId) -> bool {
        self.history.is_reading(id)
    }

    /// What is remembered of these variants, or why it is not known.
    async fn load_memory(
        &mut self,
        sweep: &Sweep,
        wanted: &[Wanted],
        settings: &Settings,
        pauses: Result<(), Why>,
    ) -> Memories {
        let subject = |(id, goal): &Wanted| {
            let endpoint = self.cache.endpoint(&id.endpoint);
            let endpoint = endpoint.known().and_then(Option::as_ref);
            subject_of(
                id,
                (endpoint, sweep.target(&id.resource())),
                goal.as_ref().map(|goal| &**goal),
                &sweep.caller,
                settings,
            )
        };
        let subjects: Vec<Subject> = wanted.iter().map(subject).collect();
        self.remembered.load(&subjects, false, pauses, &mut self.variants).await
    }
}

/// A variant with what is wanted of it; nothing when it is not to be shown.
pub fn wanted(id: VariantId, goals: &dyn Goals, settings: &Settings) -> Option<Wanted> {
    let goal = goals.goal(&id).map(Shared::from);
    // A variant that two targets claim is listed, twice.
    let shown = settings.discovery || goal.as_ref().map_or(true, |goal| goal.managed);
    shown.then_some((id, goal))
}
