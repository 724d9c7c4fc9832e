//! How many of the minutes at a load break the objective: what was seen at that load, and where too
//! little was seen, the knee that the estimator fitted.

use crate::model::fit::{Fit, Level};

/// ln 9: a tenth of the minutes is bad at capacity.
const LN_9: f64 = 2.197_224_577;
/// The knee counts as so many minutes seen at a load: what was seen outweighs it from there on.
const KNEE_MINUTES: f64 = 20.0;
/// Minutes seen speak for loads within this of theirs, in lg (two steps of the estimator's grid).
const NEAR: f64 = 0.03;
/// Above this multiple of the capacity the share no longer depends on what was seen.
const TO: f64 = 1.6;
/// Below this share of the capacity no load breaks anything.
const FROM: f64 = 0.3;
const STEPS: usize = 520;
/// Steps in a multiple of the capacity.
const STEPS_IN_ONE: f64 = STEPS as f64 / (TO - FROM);

/// The share of bad minutes that load causes, by load over capacity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    shares: Vec<f32>,
}

impl Curve {
    /// The curve for a capacity and a width of the knee, in lg, with what was seen.
    pub(super) fn new(capacity: f64, width: f64, fit: &Fit) -> Self {
        let foreign = fit.foreign(capacity);
        let seen = seen(&fit.levels);
        let mut at = 0;
        let mut shares = Vec::with_capacity(STEPS);
        for i in 0..STEPS {
            let ratio = FROM + (i as f64 + 0.5) * (TO - FROM) / STEPS as f64;
            let knee = 1.0 / (1.0 + (LN_9 - ratio.ln() / width).exp());
            let load = ratio * capacity;
            while seen.get(at).is_some_and(|level| level.load < load * (-NEAR).exp()) {
                at += 1;
            }
            // No load breaks more than a higher one: where that was seen to break less, it counts.
            let near = |level: &&Seen| level.load < load * NEAR.exp() || level.share < knee;
            let share = seen.get(at).filter(near).map_or(knee, |level| {
                let caused = ((level.share - foreign) / (1.0 - foreign)).max(0.0);
                (level.minutes * caused + KNEE_MINUTES * knee) / (level.minutes + KNEE_MINUTES)
            });
            shares.push(share as f32);
        }
        Self { shares }
    }

    /// The share at a load over capacity.
    pub(super) fn at(&self, ratio: f64) -> f64 {
        if ratio < FROM {
            return 0.0;
        }
        let step = (ratio - FROM) * STEPS_IN_ONE;
        self.shares.get(step as usize).map_or(1.0, |share| f64::from(*share))
    }
}

/// The share of bad minutes by load while new instances are cold: the mean over all rises that what was
/// seen allows, so that where it says little the answer is not extreme.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Joining {
    /// lg of the lowest load, and the shares from there on in steps of [`Self::STEP`].
    from: f64,
    shares: Vec<f32>,
}

impl Joining {
    /// Widths of the rise that are tried, in lg, and the steps in which loads are.
    const WIDTHS: [f64; 5] = [0.05, 0.1, 0.2, 0.35, 0.6];
    const STEP: f64 = 0.05;
    /// Half of the minutes are bad at a load from this share of the lowest seen ...
    const FROM: f64 = 0.3;
    /// ... to this multiple of the highest.
    const TO: f64 = 3.0;
    /// Neighbouring minutes are alike: each counts for half, as in the estimate.
    const TEMPERING: f64 = 0.5;

    /// From what was seen; absent where nothing was.
    pub(super) fn of(levels: &[Level]) -> Option<Self> {
        let (first, last) = (levels.first()?, levels.last()?);
        let (from, to) = ((first.load * Self::FROM).ln(), (last.load * Self::TO).ln());
        let steps = ((to - from) / Self::STEP) as u32;
        let lg = |step: u32| from + f64::from(step) * Self::STEP;
        let share = |half: f64, width: f64, at: f64| 1.0 / (1.0 + ((half - at) / width).exp());
        let rises: Vec<(f64, f64)> =
            (0..=steps).flat_map(|i| Self::WIDTHS.map(|width| (lg(i), width))).collect();
        let likelihood = |&(half, width): &(f64, f64)| -> f64 {
            let one = |l: &Level| {
                let share = share(half, width, l.load.ln()).clamp(1e-4, 1.0 - 1e-4);
                l.bad * share.ln() + l.good * (1.0 - share).ln()
            };
            Self::TEMPERING * levels.iter().map(one).sum::<f64>()
        };
        let lgs: Vec<f64> = rises.iter().map(likelihood).collect();
        let best = lgs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = lgs.iter().map(|lg| (lg - best).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mean = |step: u32| {
            let each = rises.iter().zip(&weights);
            let sum: f64 = each.map(|(rise, w)| w * share(rise.0, rise.1, lg(step))).sum();
            (sum / total) as f32
        };
        Some(Self { from, shares: (0..=steps).map(mean).collect() })
    }

    /// The share at a load.
    pub(super) fn at(&self, load: f64) -> f64 {
        let step = ((load.max(1e-9).ln() - self.from) / Self::STEP).round().max(0.0) as usize;
        self.shares.get(step).or(self.shares.last()).map_or(0.0, |share| f64::from(*share))
    }
}

/// What a level says of its load and of lower ones.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    load: f64,
    /// The share of bad minutes.
    share: f64,
    /// The minutes that it rests on: those at this load and at higher ones that are no worse.
    minutes: f64,
}

/// The share of bad minutes at each level, made to rise with the load (pool adjacent violators).
fn seen(levels: &[Level]) -> Vec<Seen> {
    // Pools of neighbours: how many, their minutes, and the bad ones among them.
    let mut pools: Vec<(usize, f64, f64)> = Vec::new();
    for level in levels {
        pools.push((1, level.good + level.bad, level.bad));
        while let [.., before, last] = pools[..]
            && before.2 * last.1 >= last.2 * before.1
        {
            pools.pop();
            if let Some(pool) = pools.last_mut() {
                *pool = (before.0 + last.0, before.1 + last.1, before.2 + last.2);
            }
        }
    }
    let mut rest = levels;
    let mut found = Vec::with_capacity(levels.len());
    for (count, minutes, bad) in pools {
        let (own, after) = rest.split_at(count);
        let mut above = minutes;
        for level in own {
            let share = if minutes > 0.0 { bad / minutes } else { 0.0 };
            found.push(Seen { load: level.load, share, minutes: above });
            above -= level.good + level.bad;
        }
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(load: f64, good: f64, bad: f64) -> Level {
        Level { load, good, bad }
    }

    fn fit(levels: &[Level]) -> Fit {
        Fit { levels: levels.to_vec(), ..Fit::default() }
    }

    #[test]
    fn what_was_seen_outweighs_the_knee() {
        let knee = Curve::new(1000.0, 0.055, &fit(&[]));
        assert!((knee.at(1.0) - 0.1).abs() < 0.005, "{}", knee.at(1.0));
        assert_eq!((knee.at(0.1), knee.at(2.0)), (0.0, 1.0));
        // A thousand good minutes at 0.9, and all bad at 1.05: steeper than the knee.
        let seen = [level(900.0, 1000.0, 0.0), level(1050.0, 0.0, 500.0)];
        let curve = Curve::new(1000.0, 0.055, &fit(&seen));
        assert!(curve.at(0.9) < 0.1 * knee.at(0.9), "{}", curve.at(0.9));
        assert!(curve.at(1.05) > 0.95, "{}", curve.at(1.05));
        assert_eq!(curve.at(1.3), knee.at(1.3));
    }

    #[test]
    fn cold_minutes_break_more_at_higher_loads() {
        let levels = [level(400.0, 95.0, 5.0), level(600.0, 50.0, 50.0), level(800.0, 15.0, 85.0)];
        let joining = Joining::of(&levels).unwrap();
        for seen in levels {
            let share = seen.bad / (seen.bad + seen.good);
            assert!(
                (joining.at(seen.load) - share).abs() < 0.12,
                "{seen:?} {}",
                joining.at(seen.load)
            );
        }
        let none = Joining::of(&[level(500.0, 100.0, 0.0)]).unwrap();
        assert!(none.at(500.0) < 0.05 && none.at(700.0) < 0.5, "{none:?}");
        assert_eq!(Joining::of(&[]), None);
    }

    #[test]
    fn minutes_that_are_bad_at_any_load_are_not_the_loads() {
        let seen: Vec<Level> =
            [300.0, 500.0, 800.0, 900.0].map(|load| level(load, 990.0, 10.0)).into();
        let curve = Curve::new(1000.0, 0.03, &fit(&seen));
        assert!(curve.at(0.5) < 1e-6 && curve.at(0.8) < 1e-3, "{}", curve.at(0.8));
    }

    #[test]
    fn shares_rise_and_rest_on_the_minutes_from_there_up() {
        let levels = [level(1.0, 9.0, 1.0), level(2.0, 10.0, 0.0), level(3.0, 5.0, 5.0)];
        let found: Vec<(f64, f64)> = seen(&levels).iter().map(|s| (s.share, s.minutes)).collect();
        assert_eq!(found, [(0.05, 20.0), (0.05, 10.0), (0.5, 10.0)]);
        assert_eq!(seen(&[]), []);
    }

    #[test]
    fn a_higher_load_that_was_fine_speaks_for_lower_ones() {
        let curve = Curve::new(1000.0, 0.2, &fit(&[level(950.0, 500.0, 0.0)]));
        assert!(curve.at(0.7) < 0.002, "{}", curve.at(0.7));
        assert!(curve.at(1.1) > 0.1, "{}", curve.at(1.1));
    }
}
