//! What a stretch of time showed of overloads, in a few bytes.

use serde::{Deserialize, Serialize};

use super::grid::{LEVEL_STEP, level_of, nearest};
use super::throughput::{LG_SCALE, Pair, Seen};

/// Steps of lg (statistic / threshold) of bad minutes that were served, and the most that is counted of one: 255
/// of them fit in 16 bits.
pub(super) const SERVED_SCALE: f64 = 100.0;
const SERVED_LG_MAX: f64 = 1.28;
/// Steps of what medians differ by, and the most that is counted: a day of a tenth each fits in 16 bits.
pub(super) const STEP_SCALE: f64 = 400.0;
const STEP_MAX: f64 = 1.0;

/// What a stretch of time showed. Each variant has dozens of them, hence no struct of structs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    /// Sum of lg throughputs in steps, and how many.
    pub(super) lg_throughput: i32,
    pub(super) pairs: u8,
    /// By how many more pairs requests were refused than not, of those that show it.
    pub(super) refusals: i8,
    /// The lowest load level at which bad minutes were served, how many, and the sum of lg (statistic / threshold)
    /// in coarse steps.
    pub(super) served: (u8, u8, i16),
    /// How many good minutes came after one at the same load, and the sum of what their medians differ by in
    /// coarse steps.
    pub(super) steps: (u16, u16),
    /// The highest load level with good minutes and the lowest one, how many there were, and the sums of lg
    /// (statistic / threshold) in steps.
    pub(super) levels: [u8; 2],
    pub(super) minutes: [u16; 2],
    pub(super) lg_over: [i32; 2],
}

/// Which of two load levels.
pub(super) const HIGH: usize = 0;
pub(super) const LOW: usize = 1;

impl Shown {
    pub(super) const NOTHING: Self = Self {
        lg_throughput: 0,
        pairs: 0,
        refusals: 0,
        served: (0, 0, 0),
        steps: (0, 0),
        levels: [0; 2],
        minutes: [0; 2],
        lg_over: [0; 2],
    };

    /// The same of a service that has become slower by so much since, in lg.
    pub(super) fn slowed(self, by: f64) -> Self {
        let levels = (by / LEVEL_STEP).round();
        let slowed = |level: u8| (f64::from(level) - levels).clamp(0.0, 255.0) as u8;
        let steps = (by * LG_SCALE * f64::from(self.pairs)).round() as i32;
        Self {
            levels: self.levels.map(slowed),
            served: (slowed(self.served.0), self.served.1, self.served.2),
            lg_throughput: self.lg_throughput.saturating_sub(steps),
            ..self
        }
    }

    /// What a minute and the one before it show.
    pub(super) fn add(&mut self, seen: &Seen) {
        seen.pairs.into_iter().flatten().for_each(|pair| self.add_pair(pair));
        if let Some((load, lg_over)) = seen.served {
            self.add_served(level_of(load), lg_over);
        }
        if let Some(step) = seen.step {
            self.add_step(step);
        }
    }

    /// Two minutes of an overload.
    pub(super) fn add_pair(&mut self, pair: Pair) {
        self.absorb(&Self {
            lg_throughput: (pair.lg * LG_SCALE).round() as i32,
            pairs: 1,
            refusals: pair.refused.map_or(0, |refused| if refused { 1 } else { -1 }),
            ..Self::NOTHING
        });
    }

    /// A bad minute at a load level that was served.
    pub(super) fn add_served(&mut self, level: u8, lg_over: f64) {
        let lg_over = (lg_over.clamp(0.0, SERVED_LG_MAX) * SERVED_SCALE).round() as i16;
        self.absorb_served((level, 1, lg_over));
    }

    /// How far the median of a good minute lies from that of the one before.
    pub(super) fn add_step(&mut self, step: f64) {
        let step = nearest(step.min(STEP_MAX) * STEP_SCALE) as u16;
        self.absorb_steps((1, step));
    }

    /// A good minute at a load level.
    pub(super) fn add_calm(&mut self, level: u8, lg_over: f64) {
        let lg_over = [nearest(lg_over * LG_SCALE); 2];
        let calm = Self { levels: [level; 2], minutes: [1; 2], lg_over, ..Self::NOTHING };
        self.absorb_calm(&calm);
    }

    /// Another stretch. What no longer fits is left out: there is enough then.
    pub(super) fn absorb(&mut self, other: &Self) {
        if let Some(pairs) = self.pairs.checked_add(other.pairs) {
            self.pairs = pairs;
            self.refusals = self.refusals.saturating_add(other.refusals);
            self.lg_throughput = self.lg_throughput.saturating_add(other.lg_throughput);
        }
        self.absorb_served(other.served);
        self.absorb_steps(other.steps);
        self.absorb_calm(other);
    }

    fn absorb_steps(&mut self, (steps, sum): (u16, u16)) {
        if let Some(both) = self.steps.0.checked_add(steps).zip(self.steps.1.checked_add(sum)) {
            self.steps = both;
        }
    }

    /// The served minutes of another stretch; of two levels the lower one stays.
    fn absorb_served(&mut self, (level, minutes, lg_over): (u8, u8, i16)) {
        let (own, known, sum) = self.served;
        if minutes > 0 && (known == 0 || level < own) {
            self.served = (level, minutes, lg_over);
        } else if level == own
            && let Some(both) = known.checked_add(minutes)
        {
            self.served = (own, both, sum + lg_over);
        }
    }

    /// The good minutes of another stretch; of two levels the one stays that is further out.
    fn absorb_calm(&mut self, other: &Self) {
        self.absorb_calm_of(other, HIGH, |new, old| new > old);
        self.absorb_calm_of(other, LOW, |new, old| new < old);
    }

    fn absorb_calm_of(&mut self, other: &Self, which: usize, further: impl Fn(u8, u8) -> bool) {
        let (own, new) = (self.levels[which], other.levels[which]);
        if own == new {
            if let Some(minutes) = self.minutes[which].checked_add(other.minutes[which]) {
                self.minutes[which] = minutes;
                self.lg_over[which] = self.lg_over[which].saturating_add(other.lg_over[which]);
            }
        } else if other.minutes[which] > 0 && (self.minutes[which] == 0 || further(new, own)) {
            self.levels[which] = new;
            self.minutes[which] = other.minutes[which];
            self.lg_over[which] = other.lg_over[which];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pairs: u8, minutes: u16) -> Shown {
        let mut shown = Shown::NOTHING;
        let pair = Pair { lg: 7.0, refused: None };
        (0..pairs).for_each(|_| shown.add_pair(pair));
        (0..50).for_each(|_| shown.add_calm(60, -2.0));
        (0..minutes).for_each(|_| shown.add_calm(67, 0.5_f64.ln()));
        shown
    }

    #[test]
    fn hours_that_are_joined_show_what_their_outermost_levels_showed() {
        let (mut day, mut hour) = (shown(3, 0), shown(2, 30));
        (0..3).for_each(|_| day.add_served(72, 0.25));
        (0..3).for_each(|_| hour.add_served(70, 0.125));
        hour.add_step(0.05);
        day.absorb(&hour);
        let mut other = shown(3, 0);
        (0..2).for_each(|_| other.add_served(70, 0.125));
        hour.absorb(&other);
        assert_eq!((day.served, hour.served), ((70, 3, 39), (70, 5, 65)));
        assert_eq!((day.steps, hour.steps), ((1, 20), (1, 20)));
        assert_eq!(Shown { served: hour.served, ..day }, hour);
        assert_eq!(size_of::<Shown>(), 28);
        assert_eq!(day.slowed(LEVEL_STEP).served, (69, 3, 39));
    }

    #[test]
    fn what_no_longer_fits_is_left_out() {
        let mut many = Shown::NOTHING;
        let pair = Pair { lg: 7.0, refused: Some(true) };
        (0..300).for_each(|_| many.add_pair(pair));
        assert_eq!((many.pairs, many.lg_throughput), (255, 255 * 7000));
        assert_eq!(many.refusals, i8::MAX);
        (0..300).for_each(|_| many.add_served(70, 9.0));
        assert_eq!(many.served, (70, 255, 255 * 128));
        (0..300).for_each(|_| many.add_step(9.0));
        assert_eq!(many.steps, (163, 163 * 400));
    }
}
