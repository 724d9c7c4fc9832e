//! What is known of the capacity of one instance, and how well.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fit::Fit;
use super::lows::Low;
use super::scatter::Picture;
use super::siblings::Siblings;
use super::time::Timestamp;

/// How far the capacity is known.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Bounded on both sides by evidence of the present regime.
    Measured,
    /// Bounded on both sides with the help of an older regime and the speed ratio.
    Inferred,
    /// Only a lower bound is proven.
    AtLeast,
    /// The objective is broken at every load seen.
    AtMost,
    /// No evidence, or no objective to judge by.
    Unobserved,
    /// There was evidence, but it is too old.
    Stale,
}

impl Verdict {
    pub const ALL: [Self; 6] = [
        Self::Measured,
        Self::Inferred,
        Self::AtLeast,
        Self::AtMost,
        Self::Unobserved,
        Self::Stale,
    ];

    /// The word used in labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Inferred => "inferred",
            Self::AtLeast => "at_least",
            Self::AtMost => "at_most",
            Self::Unobserved => "unobserved",
            Self::Stale => "stale",
        }
    }

    /// Whether the capacity is known from both sides.
    pub const fn is_two_sided(self) -> bool {
        matches!(self, Self::Measured | Self::Inferred)
    }
}

/// The capacity of one instance in invocations per minute. A bound that does not exist is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The median of the posterior.
    pub estimate: Option<f64>,
    /// Its 5 % quantile.
    pub low: Option<f64>,
    /// Its 25 % quantile, from which the safe target follows.
    pub q25: Option<f64>,
    /// Its 95 % quantile.
    pub high: Option<f64>,
    /// The lower bound that the evidence alone proves.
    pub lower_bound: Option<f64>,
}

/// The stretch of time an estimate speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Regime {
    pub started_at: Timestamp,
    /// Whether a deploy declared it, or it was found from the data.
    pub declared: bool,
    /// Whether it is the first that is known, so that it began where the data begin or before.
    pub first: bool,
    /// How much slower (above 1) the median latency is at equal load than in the regime before.
    pub speed_ratio: Option<f64>,
}

impl Regime {
    /// What it began with, in words.
    pub const fn origin(&self) -> &'static str {
        match (self.first, self.declared) {
            (true, _) => "where the data begin",
            (false, true) => "a deploy",
            (false, false) => "found in the data",
        }
    }
}

/// Why a minute was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// An input has no datapoint.
    Missing,
    /// Too few requests for the statistic.
    FewRequests,
    /// Instances had just been added.
    ColdInstances,
    /// The instance count changed within the period.
    ScaleChange,
    /// The minutes after an overload, whose backlog still shows.
    CarryOver,
    /// A deploy or another update was under way.
    Deploy,
    /// The load was not steady within a longer period.
    Unsteady,
    /// An incident of another cause: bad minutes at a load that was fine for days.
    Incident,
    /// Before the present regime, or older than the window.
    OtherRegime,
}

impl DropReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::FewRequests => "few_requests",
            Self::ColdInstances => "cold_instances",
            Self::ScaleChange => "scale_change",
            Self::CarryOver => "carry_over",
            Self::Deploy => "deploy",
            Self::Unsteady => "unsteady",
            Self::Incident => "incident",
            Self::OtherRegime => "other_regime",
        }
    }
}

/// How many minutes an estimate rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinutesUsed {
    pub used: u32,
    /// Of those used, how many broke the objective.
    pub broken: u32,
    /// Left out, by reason.
    pub dropped: Dropped,
}

/// How many minutes were left out for which reason, in the order of the reasons. Thousands of estimates are held, each
/// with a few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped(Box<[(DropReason, u32)]>);

impl Dropped {
    /// How many for this reason.
    pub fn of(&self, reason: DropReason) -> u32 {
        self.0.iter().find(|(own, _)| *own == reason).map_or(0, |(_, count)| *count)
    }

    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u32)> {
        self.0.iter().copied()
    }

    /// Whether none was.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(DropReason, u32)> for Dropped {
    fn from_iter<I: IntoIterator<Item = (DropReason, u32)>>(counts: I) -> Self {
        Self(BTreeMap::from_iter(counts).into_iter().collect())
    }
}

impl Serialize for Dropped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Dropped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from_iter)
    }
}

/// What the comparison of configuration and capacity found.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The configured target lies above the capacity interval's upper end: page.
    AboveCapacity,
    /// The configuration claims clearly more capacity than there is: ticket.
    Over,
    /// The configuration claims clearly less capacity than there is: ticket.
    Under,
    /// Slower after a change of regime.
    Slower,
    /// Faster after a change of regime.
    Faster,
    ObjectiveBroken,
    /// The load test has expired or does not speak for this variant.
    LoadTestExpired,
}

impl Finding {
    pub const ALL: [Self; 7] = [
        Self::AboveCapacity,
        Self::Over,
        Self::Under,
        Self::Slower,
        Self::Faster,
        Self::ObjectiveBroken,
        Self::LoadTestExpired,
    ];

    /// Whether it says that instances may get more than they can serve.
    pub const fn is_unsafe(self) -> bool {
        matches!(self, Self::AboveCapacity | Self::Over | Self::Slower | Self::ObjectiveBroken)
    }

    /// The word used in labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AboveCapacity => "above_capacity",
            Self::Over => "over",
            Self::Under => "under",
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::ObjectiveBroken => "objective_broken",
            Self::LoadTestExpired => "load_test_expired",
        }
    }
}

/// The answer of one estimation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub verdict: Verdict,
    /// The capacity, as far as it exists.
    pub capacity: Capacity,
    /// The regime it belongs to; absent before the first usable minute.
    pub regime: Option<Regime>,
    /// The minutes it rests on.
    pub minutes: MinutesUsed,
    /// The highest load that met the objective, for information. It lies above the truth in three
    /// of four cases and is never written.
    pub highest_good_load: Option<f64>,
    /// What the comparison with the configuration found, confirmed on two evaluations in a row.
    pub findings: Vec<Finding>,
    /// How much latency at equal load wanders (a request is no unit of work above 0.12).
    pub wander: Option<f64>,
    /// The lowest that the last hours have reported; empty where nobody has kept it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lows: Vec<Low>,
    /// Whether an incident of another cause is open (rule 19), and since when.
    pub incident_since: Option<Timestamp>,
    /// How much of the configured history it is made from, 0 to 1; absent where none is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_complete_ratio: Option<f64>,
    /// What measured siblings say of its load test, where its own limit was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub siblings: Option<Box<Siblings>>,
    /// One sentence for an SRE.
    pub sentence: String,
    /// The minutes by load and latency, for a plot.
    #[serde(skip)]
    pub picture: Picture,
    /// How the share of bad minutes rises with load, for replays of other choices; empty where capacity
    /// is not known from both sides, and absent where it is not at hand: it is large, and made again for a
    /// replay.
    #[serde(skip)]
    pub fit: Option<Arc<Fit>>,
}

/// A wander (in lg) above this says that requests are not a unit of work.
pub const WANDER_MAX: f64 = 0.12;

impl Estimate {
    /// What contradicts itself in it, if anything does: a bug of the estimator.
    pub fn unsound(&self) -> Option<&'static str> {
        let Capacity { estimate, low, q25, high, lower_bound } = self.capacity;
        let numbers = [low, q25, estimate, high, lower_bound, self.highest_good_load];
        if numbers.into_iter().flatten().any(|number| !number.is_finite() || number <= 0.0) {
            return Some("a capacity is not a number above 0");
        }
        let interval: Vec<f64> = [low, q25, estimate, high].into_iter().flatten().collect();
        if !interval.is_sorted() {
            return Some("the interval of the capacity is not in order");
        }
        // The bound and the median come from two densities, which agree to the width of a bin.
        let same_bin = 1.01;
        if estimate.zip(lower_bound).is_some_and(|(median, bound)| bound > median * same_bin) {
            return Some("the proven lower bound is above the estimate");
        }
        if self.minutes.broken > self.minutes.used {
            return Some("more minutes broke the objective than were used");
        }
        None
    }

    /// Whether there is more history to read than it is made from.
    pub fn is_partial(&self) -> bool {
        self.history_complete_ratio.is_some_and(|ratio| ratio < 1.0)
    }

    /// Takes away that it was measured, where the evidence is of an average instance and says less
    /// of each one.
    pub fn infer_only(&mut self, because: &str) {
        if self.verdict == Verdict::Measured {
            self.verdict = Verdict::Inferred;
            self.sentence.push_str("; ");
            self.sentence.push_str(because);
        }
    }

    /// Whether latency at equal load is known to wander: a request is no unit of work.
    pub fn wanders(&self) -> bool {
        self.wander.is_some_and(|wander| wander > WANDER_MAX)
    }

    /// The answer when there is nothing to answer from.
    pub fn unobserved(sentence: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unobserved,
            capacity: Capacity::default(),
            regime: None,
            minutes: MinutesUsed::default(),
            highest_good_load: None,
            findings: Vec::new(),
            wander: None,
            lows: Vec::new(),
            incident_since: None,
            history_complete_ratio: None,
            siblings: None,
            sentence: sentence.into(),
            picture: Picture::default(),
            fit: None,
        }
    }
}
