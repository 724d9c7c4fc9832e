//! The one harness of tests that make passes: worlds of the embedded AWS, fleets over them, and a
//! pass as the daemon makes it, with what a test changes of it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use setpoint::config::Config;
use setpoint::daemon::pass_settings;
use setpoint::decide::Freeze;
use setpoint::model::consent::Consent;
use setpoint::model::ids::Scope;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::ports::{Aws, Leadership, Memory};
use setpoint::reconcile::{CostMeter, Fleet, Goals, PassInput, Purpose, Settings};
use setpoint::sim::scenario;
use setpoint::sim::{Sim, SimClock};
use setpoint::system::Alone;

static NOT_STOPPING: AtomicBool = AtomicBool::new(false);
static NOBODY: LazyLock<Consent> = LazyLock::new(Consent::default);

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
    pub purpose: Purpose<'a>,
    pub freeze: Option<&'a Freeze>,
    pub stop: &'a AtomicBool,
}

impl Pass<'_> {
    /// Makes it.
    pub(crate) async fn of(self, fleet: &mut Fleet) -> FleetStatus {
        let Self { goals, settings, telemetry, purpose, freeze, stop } = self;
        let settings = &settings;
        let refresh = None;
        fleet.pass(PassInput { goals, settings, telemetry, refresh, purpose, freeze, stop }).await
    }

    /// Makes it, in a test that is not async.
    pub(crate) fn block_on(self, fleet: &mut Fleet) -> FleetStatus {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.of(fleet))
    }
}
