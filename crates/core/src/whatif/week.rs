//! The shape of the week: the hours of one week against those of the next.

use super::choice::{SLOT, SLOTS};
use super::traffic::{Traffic, WEEK};

/// The share of an hour's minutes that must have a datapoint for it to count.
const HOUR_MINUTES_MIN: u32 = 30;
/// The share of the week's hours that must be there in both weeks.
const HOURS_MIN: usize = SLOTS * 3 / 4;
/// Minutes of the moving mean whose highest value is an hour's level.
const LEVEL_MINUTES: usize = 10;

/// How much of the newest week the week before explains: of the variance of its hourly means, the
/// share that is gone when the same hour of the week before is known. 1 is all of it; 0 and below
/// is none. Absent with less than two weeks, but for an hour: the newest minutes show late.
pub fn explained(traffic: &Traffic) -> Option<f64> {
    let n = traffic.len();
    if n + SLOT < 2 * WEEK {
        return None;
    }
    let older = means(traffic, n.saturating_sub(2 * WEEK), n - WEEK);
    let newer = means(traffic, n - WEEK, n);
    let pairs: Vec<(f64, f64)> =
        older.into_iter().zip(newer).filter_map(|(a, b)| Some((a?, b?))).collect();
    if pairs.len() < HOURS_MIN {
        return None;
    }
    let mean = pairs.iter().map(|(_, b)| b).sum::<f64>() / pairs.len() as f64;
    let variance = pairs.iter().map(|(_, b)| (b - mean).powi(2)).sum::<f64>();
    let left = pairs.iter().map(|(a, b)| (b - a).powi(2)).sum::<f64>();
    // A flat week is explained by any other flat week.
    if variance <= 1e-6 * mean * mean { Some(1.0) } else { Some(1.0 - left / variance) }
}

/// The mean requests a minute of each hour of the week.
fn means(traffic: &Traffic, from: usize, to: usize) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0_u32); SLOTS];
    for i in from..to {
        let requests = f64::from(traffic.requests()[i]);
        if !requests.is_nan() {
            let slot = &mut sums[traffic.minute_of_week(i) / SLOT];
            *slot = (slot.0 + requests, slot.1 + 1);
        }
    }
    let mean = |(sum, n): (f64, u32)| (n >= HOUR_MINUTES_MIN).then(|| sum / f64::from(n));
    sums.into_iter().map(mean).collect()
}

/// The level of each hour of the week, in each week that has it: the highest mean of ten minutes.
/// Weeks are counted back from the end.
pub fn levels(traffic: &Traffic) -> Vec<Vec<f64>> {
    let mut found = vec![Vec::new(); SLOTS];
    let n = traffic.len();
    let mut begin = 0;
    while begin < n {
        let minute = traffic.minute_of_week(begin);
        let end = (begin + SLOT - minute % SLOT).min(n);
        let hour = &traffic.requests()[begin..end];
        let highest = hour.windows(LEVEL_MINUTES).map(|w| w.iter().sum::<f32>() / w.len() as f32);
        // A window with a gap is not a number, and `max` leaves it out.
        let highest = highest.fold(f32::NAN, f32::max);
        if !highest.is_nan() {
            found[minute / SLOT].push(f64::from(highest));
        }
        begin = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weeks(of: impl Fn(usize, usize) -> f32) -> Traffic {
        Traffic::new(4 * 1440, (0..2 * WEEK).map(|i| of(i / WEEK, i % WEEK)).collect())
    }

    #[test]
    fn a_week_that_repeats_is_explained_and_one_that_does_not_is_not() {
        let day = |minute: usize| 500.0 + 400.0 * ((minute % 1440) as f32 / 229.0).sin();
        assert!(explained(&weeks(|_, minute| day(minute))).unwrap() > 0.999);
        assert_eq!(explained(&weeks(|_, _| 700.0)), Some(1.0));
        let other = explained(&weeks(|week, minute| day(minute + week * 720))).unwrap();
        assert!(other < 0.0, "{other}");
        assert_eq!(explained(&Traffic::new(0, vec![1.0; 2 * WEEK - SLOT])), Some(1.0));
        assert_eq!(explained(&Traffic::new(0, vec![1.0; 2 * WEEK - SLOT - 1])), None);
        assert_eq!(explained(&weeks(|week, _| if week == 0 { f32::NAN } else { 1.0 })), None);
    }

    #[test]
    fn an_hours_level_is_its_highest_ten_minutes() {
        let burst = |_, minute: usize| if (70..80).contains(&minute) { 900.0 } else { 100.0 };
        let levels = levels(&weeks(burst));
        assert_eq!((&levels[0], &levels[1]), (&vec![100.0, 100.0], &vec![900.0, 900.0]));
    }
}
