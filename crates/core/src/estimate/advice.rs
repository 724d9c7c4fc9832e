//! Safety factor advice: the factor that would have been enough for the demand's growth within
//! the time that scaling needs.

use super::grid::{DAY, MinuteIndex, WINDOW};

/// Minutes from a growth of demand to instances that serve it, when not measured: three minutes of
/// alarm and about five of start-up.
pub const REACTION_MINUTES: u32 = 8;
/// The longest reaction time that is followed.
const REACTION_MAX: u32 = 30;
/// Growth is covered at this quantile.
const QUANTILE: f64 = 0.995;
/// The factor's range.
const FACTOR_MIN: f64 = 0.5;
const FACTOR_MAX: f64 = 0.9;
/// Steps of growth, in lg; the last one holds everything above a factor of 20.
const GROWTH_STEP: f64 = 0.02;
const GROWTH_STEPS: usize = 150;
/// Fleet sizes up to the last one, which holds all above.
const FLEET_SIZES: usize = 64;
/// Fewest minutes from which advice follows (half a day).
const MINUTES_MIN: u32 = 720;
/// Stretches of time that leave the window together.
const BLOCK: MinuteIndex = 7 * DAY;

/// Follows the growth of demand.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Demand {
    blocks: Vec<Block>,
    /// The last minutes' requests, oldest first.
    recent: Vec<(MinuteIndex, f32)>,
}

/// Counts by growth and by fleet size, only of what was seen.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    start: MinuteIndex,
    growth: Vec<(u8, u16)>,
    fleet: Vec<(u8, u16)>,
}

fn count(into: &mut Vec<(u8, u16)>, key: u8) {
    match into.binary_search_by_key(&key, |e| e.0) {
        Ok(i) => into[i].1 = into[i].1.saturating_add(1),
        Err(i) => into.insert(i, (key, 1)),
    }
}

impl Demand {
    /// Takes note of a minute with enough requests to speak of growth.
    pub(super) fn note(&mut self, at: MinuteIndex, requests: f32, instances: f32, reaction: u32) {
        let reaction = i64::from(reaction.clamp(1, REACTION_MAX));
        self.recent.retain(|r| r.0 >= at - reaction);
        let before = self.recent.first().filter(|r| r.0 == at - reaction).map(|r| r.1);
        self.recent.push((at, requests));
        let start = at - at.rem_euclid(BLOCK);
        if self.blocks.last().is_none_or(|b| b.start < start) {
            self.blocks.push(Block { start, growth: Vec::new(), fleet: Vec::new() });
        }
        let Some(block) = self.blocks.last_mut() else { return };
        if let Some(before) = before.filter(|b| *b > 0.0) {
            let lg = f64::from(requests / before).ln().max(0.0);
            let step = (lg / GROWTH_STEP).ceil().min((GROWTH_STEPS - 1) as f64) as u8;
            count(&mut block.growth, step);
        }
        let size = instances.round().clamp(1.0, FLEET_SIZES as f32) as u8;
        count(&mut block.fleet, size);
    }

    /// Forgets what has left the window.
    pub(super) fn settle(&mut self, now: MinuteIndex) {
        self.blocks.retain(|b| b.start >= now - WINDOW);
    }

    /// The factor that would have been enough, if there is enough to tell.
    pub(super) fn advised_factor(&self) -> Option<f64> {
        let growth = self.quantile(QUANTILE, |b| &b.growth)?;
        let fleet = self.quantile(0.5, |b| &b.fleet)?;
        let enough = (-f64::from(growth) * GROWTH_STEP).exp();
        // Losing one instance must not break it.
        let spare = 1.0 - 1.0 / f64::from(fleet.max(1));
        Some((enough.min(spare).clamp(FACTOR_MIN, FACTOR_MAX) * 100.0).floor() / 100.0)
    }

    fn quantile(&self, share: f64, of: impl Fn(&Block) -> &Vec<(u8, u16)>) -> Option<u8> {
        let mut total = [0_u32; 256];
        for (key, n) in self.blocks.iter().flat_map(of) {
            total[usize::from(*key)] += u32::from(*n);
        }
        let all: u32 = total.iter().sum();
        if all < MINUTES_MIN {
            return None;
        }
        let mut sum = 0;
        let found = total.iter().position(|n| {
            sum += n;
            f64::from(sum) >= share * f64::from(all)
        });
        found.map(|key| key as u8)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(|b| 4 * (b.growth.len() + b.fleet.len()));
        blocks.sum::<usize>() + self.recent.capacity() * size_of::<(MinuteIndex, f32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(peak: f32, instances: f32) -> Option<f64> {
        let mut demand = Demand::default();
        for at in 0..2880 {
            let requests = if at % 240 < 20 { 1000.0 * peak } else { 1000.0 };
            demand.note(at, requests, instances, 8);
        }
        demand.advised_factor()
    }

    #[test]
    fn bursts_and_small_fleets_call_for_a_lower_factor() {
        assert_eq!(advice(1.0, 50.0), Some(0.9));
        let burst = advice(1.5, 50.0).unwrap();
        assert!((0.64..=0.667).contains(&burst), "{burst}");
        assert_eq!(advice(5.0, 50.0), Some(0.5));
        assert_eq!(advice(1.0, 4.0), Some(0.75));
        assert_eq!(advice(1.0, 1.0), Some(0.5));
    }

    #[test]
    fn an_hour_of_history_is_no_ground_for_advice() {
        let mut demand = Demand::default();
        for at in 0..60 {
            demand.note(at, 1000.0, 4.0, 8);
        }
        assert_eq!(demand.advised_factor(), None);
    }
}
