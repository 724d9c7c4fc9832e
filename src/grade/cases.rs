//! The scenarios: what a service, its traffic and its past may look like.

use chrono::TimeDelta;

use crate::model::goal::{LatencyObjective, Objective};
use crate::model::units::LatencyStatistic;
use crate::sim::Scenario;
use crate::sim::random::Random;
use crate::sim::scenario::{
    Change, EndpointSpec, PolicySpec, ScriptEvent, Settings, TargetSpec, VariantSpec,
};

use crate::sim::service::{Family, Objective as SimObjective, Service, true_capacity_of};
use crate::sim::traffic::Part;
use crate::sim::world::{LoadSpec, Wander};

/// Length of every run.
pub(super) const DAYS: i64 = 7;
/// The safety factor of every run.
pub(super) const FACTOR: f64 = 0.7;
/// A change after which less than this share of the capacity is left is no change but an end.
const LEFT_MIN: f64 = 0.1;
/// The names in the scenario.
pub(super) const ENDPOINT: &str = "graded";
pub(super) const VARIANT: &str = "AllTraffic";

/// What a scenario is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Never near saturation.
    Quiet,
    /// Bursts that outrun the auto scaler.
    Bursting,
    /// A target at or above capacity.
    Saturating,
    /// Too few requests for a percentile of a minute.
    LowTraffic,
    /// A request is no unit of work.
    Wandering,
    /// A declared deploy, slower, faster or neither.
    Deploy,
    /// Two declared deploys, the second as much faster as the first was slower, or slower again.
    Redeploy,
    /// A declared deploy that leaves a quarter of the capacity.
    Collapse,
    /// A change that nobody declared.
    Undeclared,
    /// A change that nobody declared, and back a day and a half later.
    Reverted,
    Drift,
    /// Much noise between minutes.
    Noise,
    /// Incidents of another cause.
    Incidents,
}

impl Class {
    pub const ALL: [Self; 13] = [
        Self::Quiet,
        Self::Bursting,
        Self::Saturating,
        Self::LowTraffic,
        Self::Wandering,
        Self::Deploy,
        Self::Redeploy,
        Self::Collapse,
        Self::Undeclared,
        Self::Reverted,
        Self::Drift,
        Self::Noise,
        Self::Incidents,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Bursting => "bursting",
            Self::Saturating => "saturating",
            Self::LowTraffic => "low_traffic",
            Self::Wandering => "wandering",
            Self::Deploy => "deploy",
            Self::Redeploy => "redeploy",
            Self::Collapse => "collapse",
            Self::Undeclared => "undeclared",
            Self::Reverted => "reverted",
            Self::Drift => "drift",
            Self::Noise => "noise",
            Self::Incidents => "incidents",
        }
    }
}

/// One run to grade.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is about.
    pub class: Class,
    pub seed: u64,
    /// The world.
    pub scenario: Scenario,
    /// What counts as serving well.
    pub objective: Objective,
    /// The true capacity at the beginning.
    pub capacity: f64,
    /// What the load test found: the truth, wrong by 25 % at one sigma.
    pub load_test: f64,
}

impl Case {
    /// Minutes from the start to the change that nobody declared, if there is one.
    pub(super) fn changed_at(&self) -> Option<i64> {
        let step = |e: &&ScriptEvent| matches!(e.change, Change::CapacityStep { .. });
        self.scenario.events.iter().find(step).map(|e| e.minute as i64)
    }
}

/// The cases of some classes for some seeds.
pub fn cases(classes: &[Class], seeds: std::ops::Range<u64>) -> Vec<Case> {
    let all = seeds.flat_map(|seed| classes.iter().map(move |class| (seed, *class)));
    all.filter_map(|(seed, class)| case(class, seed)).collect()
}

fn case(class: Class, seed: u64) -> Option<Case> {
    let mut random = Random::named(seed, class.as_str());
    let service = service(class, seed, &mut random);
    let objective = SimObjective {
        statistic: LatencyStatistic::P99,
        threshold_ms: threshold(class, &service, seed, &mut random),
        error_rate_max: 0.01,
    };
    let off = 0.25 * random.normal();
    let share = match class {
        Class::Quiet => FACTOR * 0.6,
        Class::Saturating => 0.95 + 0.25 * random.uniform(),
        _ => FACTOR,
    };
    let fleet = 3.0 + 6.0 * random.uniform();
    let capacity_at = |speed: f64| {
        let (base_ms, saturation) = (service.base_ms / speed, service.saturation * speed);
        let at_speed = Service { base_ms, saturation, ..service.clone() };
        true_capacity_of(&at_speed, &objective, fleet.ceil())
    };
    let capacity = capacity_at(1.0);
    let load_test = capacity * off.exp();
    let target = share * capacity;
    let traffic = traffic(class, target, fleet, &mut random);
    let events = events(class, seed, &mut random);
    // What serves nothing any more has no capacity to find.
    if capacity <= 0.0 || capacity_at(slowest(&events)) < LEFT_MIN * capacity {
        return None;
    }
    let load = LoadSpec {
        traffic,
        wander: (class == Class::Wandering).then_some(Wander { spread: 0.25, hours: 8.0 }),
        drift_per_day: if class == Class::Drift { 0.93 } else { 1.0 },
        ready_too_early_seconds: 0,
        service,
        objective,
    };
    let policy = PolicySpec {
        name: "tracking".to_owned(),
        target_value: target,
        scale_out_cooldown: None,
        scale_in_cooldown: None,
        disable_scale_in: None,
    };
    let variant = VariantSpec {
        name: VARIANT.to_owned(),
        instance_type: "ml.c5.xlarge".to_owned(),
        instances: fleet.ceil() as u32,
        routing: None,
        target: Some(TargetSpec { min: 1, max: 60, without_arn: false, policy: Some(policy) }),
        load: Some(load),
    };
    let endpoint = EndpointSpec {
        name: ENDPOINT.to_owned(),
        tags: std::collections::BTreeMap::new(),
        metrics: None,
        variants: vec![variant],
    };
    let settings = Settings { seed, ..Settings::default() };
    let scenario = Scenario { world: settings, history_days: 0, endpoints: vec![endpoint], events };
    let latency =
        LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: objective.threshold_ms };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    Some(Case { class, seed, scenario, objective, capacity, load_test })
}

fn service(class: Class, seed: u64, random: &mut Random) -> Service {
    let family = match seed % 4 {
        0 => Family::WorkerQueue { workers: 2 + (random.uniform() * 6.0) as u32 },
        1 => Family::Contention { slowdown: 0.5 + random.uniform() },
        2 => Family::GpuBatch { max_batch: 8, window_ms: 10.0 },
        _ => Family::Cliff { error_share: 0.3 },
    };
    let low = class == Class::LowTraffic;
    let service = Service {
        family,
        base_ms: if low { 2000.0 } else { 20.0 + 100.0 * random.uniform() },
        saturation: if low { 8.0 } else { 600.0 + 2000.0 * random.uniform() },
        spread: 0.3,
        noise: if class == Class::Noise { 0.08 } else { 0.03 },
        hiccups: if class == Class::Noise { 0.004 } else { 0.0005 },
    };
    if is_usual(seed) { service } else { unusual(&service, random) }
}

/// Every second set of four seeds has services unlike those that constants were chosen on.
const fn is_usual(seed: u64) -> bool {
    (seed / 4).is_multiple_of(2)
}

/// Wider and narrower tails, other numbers of workers, a softer or harder bend.
fn unusual(service: &Service, random: &mut Random) -> Service {
    let family = match service.family {
        Family::WorkerQueue { .. } if random.uniform() < 0.5 => Family::WorkerQueue { workers: 1 },
        Family::WorkerQueue { .. } => Family::WorkerQueue { workers: 24 },
        Family::Contention { .. } => Family::Contention { slowdown: 2.0 + 2.0 * random.uniform() },
        Family::GpuBatch { .. } => Family::GpuBatch { max_batch: 32, window_ms: 40.0 },
        Family::Cliff { .. } => Family::Cliff { error_share: 0.05 + 0.1 * random.uniform() },
    };
    Service { family, spread: 0.15 + 0.5 * random.uniform(), ..service.clone() }
}

/// The objective's threshold: so many times the p99 of a lone request, and what the slowest that
/// the service will become leaves of it.
fn threshold(class: Class, service: &Service, seed: u64, random: &mut Random) -> f64 {
    let lone = service.base_ms * (2.326 * service.spread).exp();
    match class {
        Class::Collapse => lone * (6.0 + 2.0 * random.uniform()),
        Class::Drift => lone * (2.4 + 1.0 * random.uniform()),
        _ if is_usual(seed) => service.base_ms * (3.5 + 2.5 * random.uniform()),
        _ => lone * (1.8 + 2.2 * random.uniform()),
    }
}

fn traffic(class: Class, target: f64, fleet: f64, random: &mut Random) -> Vec<Part> {
    let high = target * fleet;
    let wave = Part::Diurnal {
        low: high * (0.35 + 0.2 * random.uniform()),
        high,
        peak_hour: 24.0 * random.uniform(),
    };
    if class == Class::Quiet {
        return vec![wave];
    }
    let per_day = 2.0 + 4.0 * random.uniform();
    let bursts = |share: f64| Part::Bursts { per_day, rate: share * high, minutes: 15 };
    vec![wave, bursts(0.5 + 0.4 * random.uniform()), bursts(0.9)]
}

fn events(class: Class, seed: u64, random: &mut Random) -> Vec<ScriptEvent> {
    let minute = 3.0 * 1440.0 + (random.uniform() * 1440.0).floor();
    let variant = format!("{ENDPOINT}/{VARIANT}");
    match class {
        Class::Deploy => {
            vec![deploy(minute, [1.0 / 1.4, 1.3, 1.0][(seed / 4 % 3) as usize])]
        }
        Class::Redeploy => {
            let second = [1.4, 1.0 / 1.3, 1.3][(seed / 4 % 3) as usize];
            vec![deploy(minute - 1440.0, 1.0 / 1.4), deploy(minute + 1440.0, second)]
        }
        Class::Collapse => vec![deploy(minute, 0.25)],
        Class::Reverted => {
            let step = |minute, factor| {
                let change = Change::CapacityStep { variant: variant.clone(), factor };
                ScriptEvent { minute, change }
            };
            vec![step(minute, 1.0 / 1.3), step(minute + 2160.0, 1.3)]
        }
        Class::Undeclared => {
            let factor = [1.0 / 1.4, 1.0 / 1.3, 1.4][(seed / 4 % 3) as usize];
            vec![ScriptEvent { minute, change: Change::CapacityStep { variant, factor } }]
        }
        Class::Incidents => {
            let incident = |day: i64| ScriptEvent {
                minute: TimeDelta::days(day).num_minutes() as f64 + 600.0,
                change: Change::Incident {
                    variant: variant.clone(),
                    latency_factor: 8.0,
                    minutes: 25,
                },
            };
            (1..DAYS).map(incident).collect()
        }
        _ => Vec::new(),
    }
}

/// The lowest speed that events lead to.
fn slowest(events: &[ScriptEvent]) -> f64 {
    let mut speed = 1.0;
    let speeds = events.iter().map(|event| {
        match event.change {
            Change::Deploy { capacity_factor: factor, .. }
            | Change::CapacityStep { factor, .. } => speed *= factor,
            _ => {}
        }
        speed
    });
    speeds.fold(1.0, f64::min)
}

fn deploy(minute: f64, capacity_factor: f64) -> ScriptEvent {
    let endpoint = ENDPOINT.to_owned();
    let change = Change::Deploy { endpoint, capacity_factor, instance_type: None, retain: true };
    ScriptEvent { minute, change }
}
