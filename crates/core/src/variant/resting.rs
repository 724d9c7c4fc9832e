//! The estimator of a variant that nobody looks at now, as bytes: thousands of them rest at once, and
//! one at a time is awake.

use std::borrow::Cow;
use std::sync::Arc;

use crate::compact;
use crate::compact::{Rested, Shelf};
use crate::estimate::{Estimator, Hourly};
use crate::model::goal::LoadTestProblem;
use crate::model::scatter::Picture;
use crate::model::units::RequestsPerSecond;

/// An estimator at rest, with what its last evaluation left behind.
#[derive(Debug, Clone)]
pub(super) struct Resting {
    /// Shared with what is published of the variant ([`Self::published`]).
    bytes: Arc<dyn Rested>,
    /// What goes with its estimates as well.
    picture: Picture,
    hourly: Hourly,
    load_test: (Option<RequestsPerSecond>, Option<LoadTestProblem>),
}

/// The estimator of a variant.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// It takes minutes in.
    Awake(Box<Estimator>),
    Resting(Resting),
}

impl Resting {
    /// Lets it rest once `last` has been done with it, which sees no picture; `None` when it has no such form, which
    /// would be a bug.
    fn of<T>(
        estimator: &mut Estimator,
        shelf: &dyn Shelf,
        last: impl FnOnce(&mut Estimator) -> T,
    ) -> (T, Option<Self>) {
        let mut picture = estimator.take_picture();
        let done = last(estimator);
        let hourly = estimator.hourly();
        let load_test = (estimator.settings().load_test, estimator.settings().load_test_problem);
        if let Ok(bytes) = compact::to_bytes(estimator) {
            picture.rest(shelf);
            return (done, Some(Self { bytes: shelf.put(bytes), picture, hourly, load_test }));
        }
        estimator.draw_on(picture.scatter());
        (done, None)
    }

    /// The same estimator, without its picture: for an answer. Nothing where its bytes cannot be had back.
    pub(super) fn look(&self) -> Option<Estimator> {
        let mut estimator: Estimator = compact::from_bytes(&self.bytes.bytes()?).ok()?;
        estimator.set_hourly(&self.hourly);
        let (load_test, problem) = self.load_test;
        estimator.set_load_test(load_test, problem);
        Some(estimator)
    }

    /// An answer was worked out by a [look](Self::look): what that leaves behind.
    pub(super) fn note(&mut self, looked: &Estimator) {
        self.hourly = looked.hourly();
        let settings = looked.settings();
        self.load_test = (settings.load_test, settings.load_test_problem);
    }

    /// The estimator without its picture as bytes, and what its last evaluation left behind.
    pub(super) fn published(&self) -> (&Arc<dyn Rested>, Hourly) {
        (&self.bytes, self.hourly.clone())
    }

    /// What goes with its estimates.
    pub(super) const fn picture(&self) -> &Picture {
        &self.picture
    }

    fn wake(&self) -> Option<Estimator> {
        let mut estimator = self.look()?;
        // Drawn on from nothing, it would be kept so over a restart.
        estimator.draw_on(self.picture.try_scatter()?);
        Some(estimator)
    }
}

impl Held {
    /// The whole estimator; nothing where it cannot be had back.
    pub(super) fn awake(&self) -> Option<Cow<'_, Estimator>> {
        match self {
            Self::Awake(estimator) => Some(Cow::Borrowed(estimator)),
            Self::Resting(resting) => resting.wake().map(Cow::Owned),
        }
    }

    /// The estimator, to take minutes in; it stays awake. Nothing where it cannot be had back.
    pub(super) fn wake(&mut self) -> Option<&mut Estimator> {
        if let Self::Resting(resting) = self {
            *self = Self::Awake(Box::new(resting.wake()?));
        }
        match self {
            Self::Awake(estimator) => Some(estimator),
            Self::Resting(_) => None,
        }
    }

    /// Lets it rest.
    pub(super) fn rest(&mut self, on: &dyn Shelf) {
        self.rest_after(on, |_| ());
    }

    /// Lets it rest once this has been done with it; nothing is done where it rests already.
    pub(super) fn rest_after<T>(
        &mut self,
        on: &dyn Shelf,
        last: impl FnOnce(&mut Estimator) -> T,
    ) -> Option<T> {
        let Self::Awake(estimator) = self else { return None };
        let (done, resting) = Resting::of(estimator, on, last);
        if let Some(resting) = resting {
            *self = Self::Resting(resting);
        }
        Some(done)
    }

    /// Bytes held at rest.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Awake(estimator) => estimator.state_bytes(),
            Self::Resting(resting) => resting.bytes.in_memory() + resting.picture.bytes(),
        }
    }
}
