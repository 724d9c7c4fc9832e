//! What a change of regime teaches, once its capacity was measured before and after.

use crate::model::estimate::Verdict;

use super::super::assess::Assessment;
use super::super::power::{self, Sample};
use super::Estimator;

impl Estimator {
    /// What the change to the present regime says of the power, once both sides were measured.
    pub(super) fn learn(&mut self, answer: &Assessment, lg_ratio: Option<f64>) {
        let measured = answer.capacity.estimate.filter(|_| answer.verdict == Verdict::Measured);
        let before = self.book.previous.as_ref().and_then(|previous| previous.measured);
        let bad = self.evidence.bad_observations(self.book.current.id);
        let record = &mut self.book.current;
        let Some(after) = measured else { return };
        record.measured = Some((after * 10.0).round() / 10.0);
        if record.before.is_some() && bad >= power::BAD_MINUTES_MIN {
            let both = before.zip(lg_ratio);
            record.sample = both.and_then(|(before, ratio)| Sample::of(before, after, ratio));
        }
    }
}
