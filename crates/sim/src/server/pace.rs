//! How the virtual time of a served world passes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use crate::api::Sim;

/// Most virtual time that one catching up covers. A world that cannot keep its speed falls behind
/// instead of blocking its clients ever longer.
const CATCH_UP_MAX: TimeDelta = TimeDelta::hours(1);

/// How virtual time passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Only when told to.
    Step,
    /// With the wall clock, this many virtual seconds a second; above 0.
    Speed(f64),
}

/// Moves a world on as its pace demands.
#[derive(Debug)]
pub(super) struct Pacer {
    stretch: Mutex<Stretch>,
}

/// What of the wall clock's time the world has not been moved on for.
#[derive(Debug)]
struct Stretch {
    since: Instant,
    /// Virtual seconds a second; absent when time is only stepped.
    speed: Option<f64>,
}

impl Stretch {
    fn catch_up(&mut self, sim: &Sim) {
        let Some(speed) = self.speed else { return };
        let now = Instant::now();
        let due = virtual_time(now.duration_since(self.since), speed);
        // Whole milliseconds only: the rest stays due. What is beyond the bound is given up.
        self.since = if due < CATCH_UP_MAX { self.since + wall_time(due, speed) } else { now };
        if due > TimeDelta::zero() {
            sim.run_until(sim.now() + due);
        }
    }
}

impl Pacer {
    /// Starts counting now.
    pub(super) fn new(pace: Pace) -> Self {
        let speed = match pace {
            Pace::Step => None,
            Pace::Speed(speed) => Some(speed),
        };
        Self { stretch: Mutex::new(Stretch { since: Instant::now(), speed }) }
    }

    /// Virtual seconds a second; absent when time is only stepped.
    pub(super) fn speed(&self) -> Option<f64> {
        self.stretch().speed
    }

    /// Goes on at another speed from here.
    pub(super) fn set_speed(&self, sim: &Sim, speed: f64) {
        let mut stretch = self.stretch();
        stretch.catch_up(sim);
        *stretch = Stretch { since: Instant::now(), speed: Some(speed) };
    }

    /// Held while the world runs: two callers must not move it on for the same stretch.
    fn stretch(&self) -> MutexGuard<'_, Stretch> {
        self.stretch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the world on to where it should be by now.
    pub(super) fn catch_up(&self, sim: &Sim) {
        self.stretch().catch_up(sim);
    }
}

fn wall_time(due: TimeDelta, speed: f64) -> Duration {
    Duration::from_secs_f64(due.num_milliseconds() as f64 / 1000.0 / speed)
}

fn virtual_time(elapsed: Duration, speed: f64) -> TimeDelta {
    let millis = elapsed.as_secs_f64() * speed * 1000.0;
    TimeDelta::milliseconds(millis.min(CATCH_UP_MAX.num_milliseconds() as f64) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_is_wall_time_by_speed_and_bounded() {
        assert_eq!(virtual_time(Duration::from_millis(500), 60.0), TimeDelta::seconds(30));
        assert_eq!(virtual_time(Duration::from_micros(900), 1.0), TimeDelta::zero());
        assert_eq!(virtual_time(Duration::from_hours(24), 60.0), CATCH_UP_MAX);
    }
}
