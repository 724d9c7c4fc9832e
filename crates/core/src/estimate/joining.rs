//! Minutes in which instances had just been added: no evidence of capacity, but of what a scale-out
//! costs by itself.

use serde::{Deserialize, Serialize};

use crate::model::fit::Level;

use super::grid::{level_of, load_of_level};

/// The half-life, in hours: that of the evidence.
const HALF_LIFE_HOURS: f32 = 96.0;
/// Most load levels; beyond it the lowest are counted together.
const LEVELS_MAX: usize = 24;
/// Fewer minutes than this say nothing.
const MINUTES_MIN: f64 = 12.0;

/// Good and bad minutes by load level, newer ones counting for more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Joining {
    levels: Vec<(u8, f32, f32)>,
}

impl Joining {
    /// Takes note of a minute that is not explained by an overload before it.
    pub(super) fn note(&mut self, load: f64, bad: bool) {
        let level = level_of(load);
        let at = match self.levels.binary_search_by_key(&level, |l| l.0) {
            Ok(at) => at,
            Err(0) if self.levels.len() >= LEVELS_MAX => 0,
            Err(at) => {
                self.levels.reserve_exact(1);
                self.levels.insert(at, (level, 0.0, 0.0));
                if self.levels.len() > LEVELS_MAX {
                    let (_, good, bad) = self.levels.remove(0);
                    self.levels[0].1 += good;
                    self.levels[0].2 += bad;
                }
                at.min(self.levels.len() - 1)
            }
        };
        let (_, good, broke) = &mut self.levels[at];
        *(if bad { broke } else { good }) += 1.0;
    }

    /// An hour has passed.
    pub(super) fn fade(&mut self) {
        let keep = (-1.0 / HALF_LIFE_HOURS).exp2();
        for (_, good, bad) in &mut self.levels {
            *good *= keep;
            *bad *= keep;
        }
        self.levels.retain(|(_, good, bad)| good + bad > 0.1);
    }

    /// What was seen, by rising load; nothing where that is too little.
    pub(super) fn levels(&self) -> Vec<Level> {
        let level = |&(level, good, bad): &(u8, f32, f32)| Level {
            load: load_of_level(level),
            good: f64::from(good),
            bad: f64::from(bad),
        };
        let levels: Vec<Level> = self.levels.iter().map(level).collect();
        let minutes: f64 = levels.iter().map(|l| l.good + l.bad).sum();
        if minutes < MINUTES_MIN { Vec::new() } else { levels }
    }

    /// Forgets everything: another service starts in another way.
    pub(super) fn forget(&mut self) {
        self.levels.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        self.levels.capacity() * size_of::<(u8, f32, f32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_counted_by_load_and_fade() {
        let mut joining = Joining::default();
        for i in 0..40 {
            joining.note(300.0, i % 4 == 0);
        }
        let levels = joining.levels();
        assert_eq!((levels.len(), levels[0].good, levels[0].bad), (1, 30.0, 10.0));
        assert!((levels[0].load / 300.0 - 1.0).abs() < 0.1, "{levels:?}");
        (0..192).for_each(|_| joining.fade());
        assert_eq!(joining.levels(), [], "ten minutes are too few");
    }

    #[test]
    fn it_stays_small() {
        let mut joining = Joining::default();
        for i in 0..4000 {
            joining.note(f64::from(i * i), i % 2 == 0);
        }
        assert!(joining.levels.len() <= LEVELS_MAX);
        let all: f32 = joining.levels.iter().map(|l| l.1 + l.2).sum();
        assert!((all - 4000.0).abs() < 0.5, "{all}");
    }
}
