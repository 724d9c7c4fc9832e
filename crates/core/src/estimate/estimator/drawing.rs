//! The picture that goes with an estimate: minutes by load and latency, which nothing is estimated from.

use crate::model::series::Minute;

use super::super::filter::Reading;
use super::Estimator;

impl Estimator {
    /// Adds a minute to the picture, if it is known whether it was good.
    pub(super) fn draw(&mut self, minute: &Minute, reading: Option<&Reading>) {
        let Some((reading, bad)) = reading.and_then(|reading| Some((reading, reading.bad?))) else {
            return;
        };
        let Some(latency_us) = minute.latency_us else { return };
        let Some(regime) = self.book.regime_at(reading.at()) else { return };
        let load = f64::from(reading.load);
        self.scatter.add(reading.at(), regime, load, latency_us / 1000.0, bad);
    }

    /// Forgets what is too old, or of a regime that is no longer compared with.
    pub(super) fn settle_picture(&mut self) {
        let previous = self.book.previous.as_ref().map(|previous| previous.id);
        self.scatter.settle(self.newest, self.book.current.id, previous);
    }
}
