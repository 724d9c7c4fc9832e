//! One look at everything there is, by free calls: what `import` and `audit` begin with.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::deadline::Timeout;
use super::{CliError, compose};
use crate::config::Config;
use crate::daemon::pass_settings;
use crate::memory::ProcessMemory;
use crate::model::status::FleetStatus;
use crate::ports::{Aws, CallObserver};
use crate::reconcile::{CostMeter, DiscoveryTelemetry, Fleet, PassInput, Purpose, Settings};
use crate::system::{Alone, WallClock};

/// What was seen, and the ports by which it was.
pub(super) struct Survey {
    pub(super) fleet: FleetStatus,
    pub(super) aws: Vec<Aws>,
}

/// Looks at every account and region of `config`, as `goals` wants its variants. Nothing is written,
/// nothing is remembered, and nothing that costs money is read.
pub(super) async fn survey(
    config: &Config,
    goals: &Config,
    timeout: Timeout,
    observer: Arc<dyn CallObserver>,
) -> Result<Survey, CliError> {
    let aws = compose::connect(config, timeout, observer).await?;
    let memory = Arc::new(ProcessMemory::default());
    let (clock, leadership) = (Arc::new(WallClock), Arc::new(Alone));
    let mut passes = Fleet::new(aws.clone(), clock, leadership, memory, CostMeter::default());
    // Whoever asks for all of it gets all of it.
    let settings = Settings {
        discovery: true,
        discovery_telemetry: DiscoveryTelemetry::Off,
        ..pass_settings(config)
    };
    let fleet = passes
        .pass(PassInput {
            goals,
            settings: &settings,
            telemetry: false,
            refresh: None,
            purpose: Purpose::Plan,
            freeze: None,
            stop: &AtomicBool::new(false),
        })
        .await;
    Ok(Survey { fleet, aws })
}
