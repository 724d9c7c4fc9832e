//! What of an estimator is apart from the rest of its state while it rests between two looks at it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::fit::Fit;
use crate::model::scatter::{Picture, Scatter};

use super::super::lows::Lows;
use super::super::wander::Wander;
use super::Estimator;

/// What an estimator works out once an hour of the data, and what each of its answers leaves behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hourly {
    wander: (i64, Option<Wander>),
    lows: Lows,
}

impl Estimator {
    /// What the last evaluation worked out for the hour, and need not again.
    pub fn hourly(&self) -> Hourly {
        Hourly { wander: self.wander, lows: self.lows.clone() }
    }

    /// Goes on with that.
    pub fn set_hourly(&mut self, hourly: &Hourly) {
        self.wander = hourly.wander;
        self.lows.clone_from(&hourly.lows);
    }

    /// What is drawn so far, taken out of it: nothing is estimated from it.
    pub fn take_picture(&mut self) -> Picture {
        Picture::from(&std::mem::take(&mut self.scatter))
    }

    /// Goes on with what was drawn before.
    pub fn draw_on(&mut self, scatter: Scatter) {
        self.scatter = scatter;
    }

    /// The fit, with the minutes that are no evidence of capacity.
    pub(super) fn with_overloads(&self, fit: Fit) -> Arc<Fit> {
        let (joining, overloads) = (self.joining.levels(), self.overloads.all());
        Arc::new(Fit { joining, overloads, ..fit })
    }
}
