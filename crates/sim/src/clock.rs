//! The clock port over the virtual time.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::api::Sim;
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::Clock;

/// The virtual clock of a world.
#[derive(Clone)]
pub struct SimClock {
    sim: Sim,
    self_driven: bool,
}

impl SimClock {
    /// A clock that moves the world itself: a sleeper takes the world along.
    pub const fn self_driven(sim: Sim) -> Self {
        Self { sim, self_driven: true }
    }

    /// A clock whose sleepers wait until somebody else has moved the world far enough.
    pub const fn driven_by_others(sim: Sim) -> Self {
        Self { sim, self_driven: false }
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.sim.now()
    }

    async fn sleep(&self, duration: Duration) {
        let Ok(duration) = TimeDelta::from_std(duration) else { return };
        let mut moves = self.sim.subscribe();
        let until = self.sim.now() + duration;
        if self.self_driven {
            self.sim.run_until(until);
            // Others get their turn, as in a real sleep.
            tokio::task::yield_now().await;
            return;
        }
        // An error means that the world is gone, and with it the time.
        let _ = moves.wait_for(|now| *now >= until).await;
    }
}
