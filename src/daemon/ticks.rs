//! Wakes the loop once a second, by `tokio-cron-scheduler`.
//!
//! The scheduler follows the wall clock and would let runs of one job overlap, so it only rings:
//! the loop looks at the clock port for what is due.

use std::sync::Arc;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::{Handle, Shared};

const EVERY_SECOND: &str = "* * * * * *";

/// The scheduler could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot schedule passes")]
pub struct TicksError(#[from] JobSchedulerError);

/// A running scheduler.
pub struct Ticks {
    scheduler: JobScheduler,
}

impl Ticks {
    /// Starts to ring.
    pub async fn start(handle: &Handle) -> Result<Self, TicksError> {
        let scheduler = JobScheduler::new().await?;
        let shared: Arc<Shared> = handle.shared();
        let job = Job::new(EVERY_SECOND, move |_, _| shared.wake.notify_one())?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self { scheduler })
    }

    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "the scheduler was already gone");
        }
    }
}
