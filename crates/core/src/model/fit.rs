//! How the share of bad minutes rises with load, as far as the evidence tells: the knees that it
//! allows, and what was seen at each load.

/// One way in which the share may rise: 10 % at the capacity, logistic in the logarithm of the load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knee {
    /// How plausible it is; those of a fit add up to 1.
    pub weight: f64,
    /// The capacity, in invocations per minute per instance: its median.
    pub capacity: f64,
    /// The standard deviation of its logarithm.
    pub sigma: f64,
    /// The width of the rise, in lg.
    pub width: f64,
}

/// Minutes that were seen at a load; newer ones count for more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Invocations per minute per instance.
    pub load: f64,
    /// Minutes that met the objective.
    pub good: f64,
    /// Minutes that broke it.
    pub bad: f64,
}

/// All that is known of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fit {
    /// The knees that the evidence allows.
    pub knees: Vec<Knee>,
    /// What was seen, by rising load.
    pub levels: Vec<Level>,
    /// The same of minutes in which new instances were cold; empty where too few were seen.
    pub joining: Vec<Level>,
    /// The overloads with the highest loads, minute by minute.
    pub overloads: Vec<Overload>,
    /// Where throughput ends, in invocations per minute per instance, as the growth of latency in overloads
    /// showed it.
    pub throughput: Option<f64>,
}

/// An overload and the minutes after it: invocations per minute per instance, and whether the objective
/// was broken by load; absent where new instances may have broken it.
pub type Overload = Vec<(f64, Option<bool>)>;

/// Bad minutes at loads below this share of the capacity have another cause than load.
pub const LOW_LOAD: f64 = 0.7;

impl Fit {
    /// The share of minutes that break the objective at loads that cannot have caused it: no choice
    /// changes them.
    pub fn foreign(&self, capacity: f64) -> f64 {
        let low = self.levels.iter().filter(|level| level.load < LOW_LOAD * capacity);
        let (good, bad) = low.fold((0.0, 0.0), |sum, l| (sum.0 + l.good, sum.1 + l.bad));
        if good + bad > 0.0 { (bad / (good + bad)).min(0.5) } else { 0.0 }
    }
}
