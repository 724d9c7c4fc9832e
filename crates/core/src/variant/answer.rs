//! What was last worked out of the capacity of a variant, and what that depends on.

use super::resting::Held;
use crate::compact::Shelf;
use crate::estimate::{Context, Estimator, LoadTested, Scratch};
use crate::model::estimate::Estimate;
use crate::model::goal::LoadTestProblem;
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::model::units::RequestsPerSecond;

/// An answer, and what else is known by it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) asked: Question,
    pub(super) at: Timestamp,
    pub(super) estimate: Shared<Estimate>,
    pub(super) load_tested: LoadTested,
}

/// What an answer depends on beside the configuration of the estimator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Question {
    pub(super) read_until: Option<Timestamp>,
    pub(super) context: Context,
    pub(super) load_test_problem: Option<LoadTestProblem>,
}

/// How an estimator is asked: by which load test, and whether for its fit.
type How = (Option<RequestsPerSecond>, bool);

/// The answer to a question; nothing where the estimator cannot be had back.
pub(super) fn evaluate(
    held: &mut Held,
    (how, asked): (How, Question),
    scratch: &mut Scratch,
    now: Timestamp,
) -> Option<(Estimate, LoadTested)> {
    match held {
        Held::Awake(estimator) => Some(ask(estimator, (how, asked), scratch, now)),
        Held::Resting(resting) => {
            let mut looked = resting.look()?;
            let (mut estimate, load_tested) = ask(&mut looked, (how, asked), scratch, now);
            resting.note(&looked);
            estimate.picture = resting.picture().clone();
            Some((estimate, load_tested))
        }
    }
}

/// The answer to a question before the estimator rests, as it is afterwards; nothing where it rests already.
pub(super) fn evaluate_and_rest(
    held: &mut Held,
    (how, asked): (How, Question),
    on: &dyn Shelf,
    scratch: &mut Scratch,
    now: Timestamp,
) -> Option<(Estimate, LoadTested)> {
    let answered = held.rest_after(on, |estimator| ask(estimator, (how, asked), scratch, now));
    let (mut estimate, load_tested) = answered?;
    if let Held::Resting(resting) = held {
        estimate.picture = resting.picture().clone();
    }
    Some((estimate, load_tested))
}

fn ask(
    estimator: &mut Estimator,
    ((load_test, with_fit), asked): (How, Question),
    scratch: &mut Scratch,
    now: Timestamp,
) -> (Estimate, LoadTested) {
    estimator.set_load_test(load_test, asked.load_test_problem);
    let estimate = estimator.answer(scratch, now, &asked.context, with_fit);
    (estimate, estimator.load_tested())
}
