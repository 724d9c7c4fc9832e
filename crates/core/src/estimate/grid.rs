//! The common grid: loads and capacities are binned in steps of 2 % (0.02 in lg), so that every
//! table depends on the distance of two bins only and can be computed once.

use crate::model::time::Timestamp;

/// The step of the grid in natural logarithms.
pub(super) const STEP: f64 = 0.02;

/// The step of the load levels at which median latencies are compared (10 %).
pub(super) const LEVEL_STEP: f64 = 0.095_310_179_804_324_86;
/// The same as a ratio.
pub(super) const LEVEL_RATIO: f64 = 1.1;

/// Minutes since the epoch: all of the estimator counts in them.
pub(super) type MinuteIndex = i64;

/// Minutes in a day.
pub(super) const DAY: MinuteIndex = 1440;

/// Evidence older than this many minutes does not exist (14 days).
pub(super) const WINDOW: MinuteIndex = 14 * DAY;

/// A length as a number of minutes, hours or bins.
pub(super) fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A length as a distance of bins; the grid is far shorter than this can hold.
pub(super) fn bins(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// The bin whose centre is nearest to a load. Loads below one per minute share the lowest bins
/// down to e^-20; the result always fits into 16 bits.
pub(super) fn bin_of(load: f64) -> i16 {
    bin_at(load.max(1e-9).ln())
}

/// The same by lg of the load.
pub(super) fn bin_at(lg_load: f64) -> i16 {
    nearest((lg_load / STEP).clamp(-1000.0, 2000.0)) as i16
}

/// The centre of a bin in lg.
pub(super) fn lg_of(bin: i32) -> f64 {
    f64::from(bin) * STEP
}

/// The 10 % load level of a load, 0 for one per minute and below.
pub(super) fn level_of(load: f64) -> u8 {
    level_at(load.max(1.0).ln())
}

/// The same by lg of the load.
pub(super) fn level_at(lg_load: f64) -> u8 {
    // The cast cuts off what is behind the point, and what is below 0 and beyond 255.
    (lg_load / LEVEL_STEP) as u8
}

/// The whole number nearest to one, a half away from zero. `f64::round` is a call where not every processor that
/// the program is for has an instruction for it, and this is done for each minute.
pub(super) fn nearest(number: f64) -> i32 {
    (number + 0.5_f64.copysign(number)) as i32
}

/// The geometric centre of a load level.
pub(super) fn load_of_level(level: u8) -> f64 {
    ((f64::from(level) + 0.5) * LEVEL_STEP).exp()
}

pub(super) fn minute_of(at: Timestamp) -> MinuteIndex {
    at.timestamp().div_euclid(60)
}

/// The start of a minute as an instant.
pub(super) fn instant_of(minute: MinuteIndex) -> Timestamp {
    Timestamp::from_timestamp(minute.saturating_mul(60), 0).unwrap_or_default()
}

/// The weighted median of `(value, weight)` pairs; sorts them. The lower one of two middles.
pub(super) fn weighted_median(values: &mut [(f64, f64)]) -> Option<f64> {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = values.iter().map(|v| v.1).sum();
    let mut sum = 0.0;
    for &(value, weight) in values.iter() {
        sum += weight;
        if sum >= 0.5 * total && weight > 0.0 {
            return Some(value);
        }
    }
    None
}

/// The lowest of some values that so many of them do not exceed; puts them into another order.
pub(super) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let below = (share * values.len() as f64).ceil() as usize;
    let (_, value, _) =
        values.select_nth_unstable_by(below.saturating_sub(1).min(last), f64::total_cmp);
    Some(*value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_lies_within_half_a_step_of_its_bin() {
        for load in [1.0_f64, 99.5, 600.0, 12_345.0] {
            assert!((load.ln() - lg_of(i32::from(bin_of(load)))).abs() <= STEP / 2.0 + 1e-12);
        }
        assert_eq!(bin_of(f64::NAN), bin_of(0.0));
        assert_eq!(level_of(0.0), 0);
        assert_eq!(
            (bin_of(0.0), bin_of(f64::INFINITY), level_of(f64::INFINITY)),
            (-1000, 2000, 255)
        );
    }

    #[test]
    fn the_nearest_whole_number_is_that_of_the_standard_library() {
        for number in [0.0, 0.4, 0.5, 0.6, 1.5, 2.5, 1e6 + 0.49, -0.4, -0.5, -1.5, -2.6, f64::NAN] {
            assert_eq!(nearest(number), number.round() as i32, "{number}");
        }
    }

    #[test]
    fn a_weighted_median_follows_the_weights() {
        let mut values = [(3.0, 1.0), (1.0, 1.0), (2.0, 8.0)];
        assert_eq!(weighted_median(&mut values), Some(2.0));
        assert_eq!(weighted_median(&mut []), None);
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
        let of = [0.0, 0.2, 0.21, 0.5, 0.9, 1.0].map(|share| quantile(&mut values, share));
        assert_eq!(of, [1.0, 1.0, 2.0, 3.0, 5.0, 5.0].map(Some));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
