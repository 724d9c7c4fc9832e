//! The estimator of a variant that nobody looks at now, as bytes: thousands of them rest at once, and
//! one at a time is awake.

use std::sync::Arc;

use crate::compact;
use crate::estimate::{Estimator, Hourly};
use crate::model::goal::LoadTestProblem;
use crate::model::scatter::Picture;
use crate::model::units::RequestsPerSecond;

/// An estimator at rest, with what its last evaluation left behind.
#[derive(Debug, Clone)]
pub(super) struct Resting {
    /// Shared with what is published of the variant ([`Self::published`]).
    bytes: Arc<Box<[u8]>>,
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
    /// Lets it rest; `None` when it has no such form, which would be a bug.
    fn of(estimator: &mut Estimator) -> Option<Self> {
        let (hourly, picture) = (estimator.hourly(), estimator.take_picture());
        let load_test = (estimator.settings().load_test, estimator.settings().load_test_problem);
        if let Ok(bytes) = compact::to_bytes(estimator) {
            return Some(Self { bytes: Arc::new(bytes), picture, hourly, load_test });
        }
        estimator.draw_on(&picture);
        None
    }

    /// The same estimator, without its picture: for an answer.
    pub(super) fn look(&self) -> Estimator {
        #[expect(
            clippy::expect_used,
            reason = "the bytes were made of one, which a property test holds; whoever works on a \
                      variant leaves it unknown after a panic"
        )]
        let mut estimator: Estimator =
            compact::from_bytes(&self.bytes).expect("an estimator that was put to rest");
        estimator.set_hourly(&self.hourly);
        let (load_test, problem) = self.load_test;
        estimator.set_load_test(load_test, problem);
        estimator
    }

    /// An answer was worked out by a [look](Self::look): what that leaves behind.
    pub(super) fn note(&mut self, looked: &Estimator) {
        self.hourly = looked.hourly();
        let settings = looked.settings();
        self.load_test = (settings.load_test, settings.load_test_problem);
    }

    /// The estimator without its picture as bytes, and what its last evaluation left behind.
    pub(super) fn published(&self) -> (&Arc<Box<[u8]>>, Hourly) {
        (&self.bytes, self.hourly.clone())
    }

    /// What goes with its estimates.
    pub(super) const fn picture(&self) -> &Picture {
        &self.picture
    }

    fn wake(&self) -> Estimator {
        let mut estimator = self.look();
        estimator.draw_on(&self.picture);
        estimator
    }
}

impl Held {
    /// The whole estimator.
    pub(super) fn awake(&self) -> std::borrow::Cow<'_, Estimator> {
        match self {
            Self::Awake(estimator) => std::borrow::Cow::Borrowed(estimator),
            Self::Resting(resting) => std::borrow::Cow::Owned(resting.wake()),
        }
    }

    /// The estimator, to take minutes in; it stays awake.
    pub(super) fn wake(&mut self) -> &mut Estimator {
        if let Self::Resting(resting) = self {
            *self = Self::Awake(Box::new(resting.wake()));
        }
        match self {
            Self::Awake(estimator) => estimator,
            Self::Resting(_) => unreachable!("it was just woken"),
        }
    }

    /// Lets it rest.
    pub(super) fn rest(&mut self) {
        if let Self::Awake(estimator) = self
            && let Some(resting) = Resting::of(estimator)
        {
            *self = Self::Resting(resting);
        }
    }

    /// Bytes held at rest.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Awake(estimator) => estimator.state_bytes(),
            Self::Resting(resting) => resting.bytes.len() + resting.picture.bytes(),
        }
    }
}
