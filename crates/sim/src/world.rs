//! The world: endpoints, policies, alarms, traffic and time. A discrete-event model on a virtual
//! clock: wakes happen at their second, telemetry and alarms advance by the minute.

mod activities;
mod alarms;
mod endpoint_tags;
mod endpoints;
mod gate;
mod instances;
mod load;
mod metric_data;
mod page;
mod policies;
mod sagemaker;
mod schedule;
mod scripts;
mod sessions;
mod state;
mod tags;
mod targets;
mod telemetry;
mod tracking;
mod trail;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::TimeDelta;

use super::fault::{ActiveFault, Fault, FaultKind};
use super::random::Random;
use super::scenario::{Event, Settings};
use setpoint_core::model::time::{Timestamp, floor_to_minute};

pub use endpoints::{Endpoint, Variant};
pub use load::{Load, LoadSpec, Wander};
pub use state::Truth;
pub(crate) use targets::Target;

use alarms::Alarm;
use endpoints::{ConfigRecord, ModelRecord};
use gate::Gate;
use sessions::Session;

/// One account and region.
#[derive(Debug)]
pub struct World {
    pub(crate) settings: Settings,
    now: Timestamp,
    /// The end of the last minute whose telemetry exists.
    simulated_to: Timestamp,
    random: Random,
    pub(crate) models: BTreeMap<String, ModelRecord>,
    pub(crate) configs: BTreeMap<String, ConfigRecord>,
    endpoints: BTreeMap<String, Endpoint>,
    /// Traffic and telemetry, by resource id. CloudWatch forgets nothing when an endpoint goes.
    loads: BTreeMap<String, Load>,
    /// Application Auto Scaling, by resource id.
    targets: BTreeMap<String, Target>,
    /// What reads show while they are stale.
    stale: Option<(Timestamp, BTreeMap<String, Target>)>,
    alarms: BTreeMap<String, Alarm>,
    wakes: BTreeSet<Wake>,
    events: Vec<Event>,
    gate: Gate,
    faults: Vec<ActiveFault>,
    sessions: VecDeque<Session>,
    trail: trail::Trail,
}

/// Something to look at, at an instant. Looking twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Wake {
    at: Timestamp,
    what: WakeCause,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum WakeCause {
    /// An endpoint may have finished what it was doing.
    Endpoint(String),
    /// A scheduled action may be due.
    Scheduled { resource: String, action: String },
    /// A script event is due.
    Event(usize),
}

impl World {
    /// An empty world whose first minute is the one of `created`.
    pub fn new(settings: Settings, created: Timestamp) -> Self {
        let start = floor_to_minute(created);
        Self {
            now: start,
            simulated_to: start,
            random: Random::named(settings.seed, "world"),
            gate: Gate::new(&settings, start),
            settings,
            models: BTreeMap::new(),
            configs: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            loads: BTreeMap::new(),
            targets: BTreeMap::new(),
            stale: None,
            alarms: BTreeMap::new(),
            wakes: BTreeSet::new(),
            events: Vec::new(),
            faults: Vec::new(),
            sessions: VecDeque::new(),
            trail: trail::Trail::default(),
        }
    }

    /// The virtual time.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves on to `until`; does nothing when it is there already.
    pub fn run_until(&mut self, until: Timestamp) {
        while self.now < until {
            let minute_end = self.simulated_to + TimeDelta::minutes(1);
            let wake = self.wakes.first().map_or(until, |wake| wake.at);
            self.now = until.min(minute_end).min(wake).max(self.now);
            if self.now == minute_end {
                self.simulate_minute(self.simulated_to);
                self.simulated_to = minute_end;
                self.evaluate_alarms();
            }
            self.fire_due_wakes();
        }
    }

    fn fire_due_wakes(&mut self) {
        while let Some(wake) = self.wakes.first().cloned().filter(|wake| wake.at <= self.now) {
            self.wakes.remove(&wake);
            match wake.what {
                WakeCause::Endpoint(name) => self.settle_endpoint(&name),
                WakeCause::Scheduled { resource, action } => self.run_scheduled(&resource, &action),
                WakeCause::Event(index) => self.run_event(index),
            }
        }
    }

    fn wake(&mut self, at: Timestamp, what: WakeCause) {
        self.wakes.insert(Wake { at, what });
    }

    /// Plans a script event. One whose time has passed happens at the next step.
    pub fn plan(&mut self, event: Event) {
        let at = event.at.max(self.now);
        self.events.push(event);
        self.wake(at, WakeCause::Event(self.events.len() - 1));
    }

    /// Lets something go wrong from now on.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.push(ActiveFault::start(fault, self.now));
    }

    /// Uses up a hit of a live fault of the telemetry or of single answers.
    fn strike(&mut self, kind: FaultKind, resource: &str, metric: Option<&str>) -> bool {
        let now = self.now;
        let found = self.faults.iter_mut().find(|active| {
            let fault = &active.fault;
            fault.kind == kind
                && active.is_live(now)
                && fault.resource.as_deref().is_none_or(|only| only == resource)
                && fault.metric.as_deref().is_none_or(|only| metric == Some(only))
        });
        let Some(active) = found else { return false };
        if active.fault.probability < 1.0 && self.random.uniform() >= active.fault.probability {
            return false;
        }
        active.hits += 1;
        true
    }

    /// The ARN of something of a service in this account and region.
    fn arn(&self, service: &str, rest: &str) -> String {
        let Settings { region, account_id, .. } = &self.settings;
        format!("arn:aws:{service}:{region}:{account_id}:{rest}")
    }

    /// The running variant behind a resource id.
    fn variant(&self, resource: &str) -> Option<&Variant> {
        let (endpoint, variant) = split_resource(resource)?;
        self.endpoints.get(endpoint)?.variants.iter().find(|v| v.name == variant)
    }
}

/// The endpoint and the variant of a resource id. Unlike `ResourceId` it allocates nothing: this
/// happens several times a simulated minute.
fn split_resource(resource: &str) -> Option<(&str, &str)> {
    let (endpoint, rest) = resource.strip_prefix("endpoint/")?.split_once('/')?;
    Some((endpoint, rest.strip_prefix("variant/")?))
}
