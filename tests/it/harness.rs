//! The one harness of tests that make passes: worlds of the embedded AWS, fleets over them, and a
//! pass as the daemon makes it, with what a test changes of it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use setpoint::config::Config;
use setpoint::daemon::pass_settings;
use setpoint::model::consent::Consent;
use setpoint::model::ids::Scope;
use setpoint::model::selector::Selector;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::ports::{Aws, Leadership, Memory};
use setpoint::reconcile::{CostMeter, Fleet, FreezeAt, Goals, PassInput, Purpose, Settings};
use setpoint::sim::scenario;
use setpoint::sim::{Scenario, Sim, SimClock};
use setpoint::system::Alone;

static NOT_STOPPING: AtomicBool = AtomicBool::new(false);
static NOBODY: LazyLock<Consent> = LazyLock::new(Consent::default);

/// A world with so many days behind it whose endpoints have a load between two rates a day, near what their
/// two instances can serve.
pub(crate) fn loaded<'a>(
    days: u32,
    endpoints: impl IntoIterator<Item = (&'a str, (f64, f64))>,
) -> Sim {
    let endpoint = |(name, (low, high)): (&str, (f64, f64))| {
        json!({"name": name, "variants": [{
            "instances": 2,
            "target": {"min": 1, "max": 2, "policy": {"target_value": 900.0}},
            "load": {
                "service": {"family": {"worker_queue": {"workers": 4}}, "base_ms": 50.0, "saturation": 1900.0},
                "objective": {"statistic": "p99", "threshold_ms": 250},
                "traffic": [{"diurnal": {"low": low, "high": high, "peak_hour": 14.0}}],
            },
        }]})
    };
    let endpoints: Vec<Value> = endpoints.into_iter().map(endpoint).collect();
    let text = json!({"history_days": days, "endpoints": endpoints}).to_string();
    Scenario::parse(&text, "world").unwrap().build().unwrap()
}

/// The account and region of a world that names none.
pub(crate) fn scope() -> Scope {
    let scenario::Settings { account_id, region, .. } = scenario::Settings::default();
    Scope { account_id, region }
}

/// The ports over a world.
pub(crate) fn aws(sim: &Sim) -> Aws {
    setpoint::sim::aws(sim, scope())
}

/// A process that is alone, over this AWS, whose clock is the world's.
pub(crate) fn fleet(sim: &Sim, aws: Aws, memory: &Arc<dyn Memory>) -> Fleet {
    led_by(Arc::new(Alone), sim, aws, memory)
}

/// [`fleet`], with this leadership.
pub(crate) fn led_by(
    leadership: Arc<dyn Leadership>,
    sim: &Sim,
    aws: Aws,
    memory: &Arc<dyn Memory>,
) -> Fleet {
    let clock = Arc::new(SimClock::self_driven(sim.clone()));
    Fleet::new(vec![aws], clock, leadership, Arc::clone(memory), CostMeter::default())
}

/// The only variant of an endpoint.
pub(crate) fn of<'a>(fleet: &'a FleetStatus, endpoint: &str) -> &'a VariantStatus {
    let found = fleet.variants.iter().find(|(id, _)| id.endpoint.as_str() == endpoint);
    found.unwrap_or_else(|| panic!("{endpoint} is not shown")).1
}

/// A pass as the daemon makes it between two reads of telemetry, with nothing confirmed.
pub(crate) fn pass(config: &Config) -> Pass<'_> {
    Pass {
        goals: config,
        settings: pass_settings(config),
        telemetry: false,
        refresh: None,
        purpose: Purpose::Reconcile(&NOBODY),
        freeze: None,
        stop: &NOT_STOPPING,
    }
}

/// A pass to be made. What a test needs different, it sets.
pub(crate) struct Pass<'a> {
    pub goals: &'a dyn Goals,
    pub settings: Settings,
    pub telemetry: bool,
    pub refresh: Option<&'a Selector>,
    pub purpose: Purpose<'a>,
    pub freeze: Option<FreezeAt<'a>>,
    pub stop: &'a AtomicBool,
}

impl Pass<'_> {
    /// Makes it.
    pub(crate) async fn of(self, fleet: &mut Fleet) -> FleetStatus {
        let Self { goals, settings, telemetry, refresh, purpose, freeze, stop } = self;
        let settings = &settings;
        fleet.pass(PassInput { goals, settings, telemetry, refresh, purpose, freeze, stop }).await
    }

    /// Makes it, in a test that is not async.
    pub(crate) fn block_on(self, fleet: &mut Fleet) -> FleetStatus {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.of(fleet))
    }
}
