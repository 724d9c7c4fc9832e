//! The lowest lower quartile of the capacity in each of the last hours, as far as no later hour had a lower one:
//! a raise goes no further than to what was reported all the time (rule 8).

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What the estimate reported in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Low {
    /// The end of the last hour in which nothing lower was reported.
    pub until: Timestamp,
    /// The lower quartile of the capacity, or what was proven where no limit was seen; absent where nothing was
    /// known that a target could follow.
    pub capacity: Option<f64>,
}

/// What was reported in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lowest {
    /// No hour of it is remembered.
    Open,
    /// For some of it nothing was known that a target could follow.
    Nothing,
    Capacity(f64),
}

/// The lowest of what was reported since an instant. `lows` rise in time and in capacity.
pub fn lowest_since(lows: &[Low], since: Timestamp) -> Lowest {
    match lows.iter().find(|low| low.until > since) {
        None => Lowest::Open,
        Some(low) => low.capacity.map_or(Lowest::Nothing, Lowest::Capacity),
    }
}

/// The end of the last hour in which less than this was reported.
pub fn last_below(lows: &[Low], capacity: f64) -> Option<Timestamp> {
    let below = |low: &&Low| low.capacity.is_none_or(|known| known < capacity);
    lows.iter().rev().find(below).map(|low| low.until)
}
