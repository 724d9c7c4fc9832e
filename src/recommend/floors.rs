//! Whether the scheduled actions that a file keeps are the recommended floors: by what min is at each
//! hour of a week, however the schedules are written.

use chrono::TimeDelta;

use super::advice::Recommendation;
use super::check::{Row, State};
use super::kept::{FLOORS, ScheduledMin, Shown, Worth};
use crate::model::schedule::AwsSchedule;
use crate::model::time::Timestamp;

/// Floors move a little from week to week: this share of a min, or one instance, is no difference.
const BAND: f64 = 0.1;
/// Hours of a week.
const HOURS: i64 = 168;
/// In each hour min is looked at in the middle, and a minute before the next one begins: a floor
/// that comes with the hour comes too late for its instances to start.
const MINUTES: [i64; 2] = [30, 59];

/// Compares them.
pub(super) fn row(kept: &[Shown<ScheduledMin>], it: &Recommendation) -> Row {
    let wanted = it.floors.as_ref().map(|floors| {
        let min = |action: &crate::model::floors::FloorAction| ScheduledMin {
            schedule: action.schedule.clone(),
            time_zone: floors.time_zone.clone(),
            min: action.min,
        };
        floors.actions.iter().map(min).collect::<Vec<_>>()
    });
    let in_words = |all: &[ScheduledMin]| Worth::Word(words(all));
    let mut known = Vec::new();
    for action in kept {
        match action {
            Shown::Known(action) => known.push(action.clone()),
            Shown::Open(why) => {
                let (wanted, sentence) = (wanted.as_deref().map(in_words), why.clone());
                let state = State::NotCompared;
                return Row { field: FLOORS, kept: None, wanted, state, sentence };
            }
        }
    }
    let (state, sentence) = match (&wanted, &it.floors_refused) {
        (None, Some(why)) => (State::Differs, why.clone()),
        (None, None) => {
            let why = "whether floors would pay is not known";
            (State::NotCompared, why.to_owned())
        }
        (Some(wanted), _) => judge(&known, wanted, it.at),
    };
    let wanted = wanted.as_deref().map(in_words);
    Row { field: FLOORS, kept: Some(in_words(&known)), wanted, state, sentence }
}

fn words(all: &[ScheduledMin]) -> String {
    let each = all.iter().map(|a| format!("{} {} min {}", a.schedule, a.time_zone, a.min));
    each.collect::<Vec<_>>().join(", ")
}

fn judge(kept: &[ScheduledMin], wanted: &[ScheduledMin], at: Timestamp) -> (State, String) {
    let (kept, wanted) = match (week(kept, at), week(wanted, at)) {
        (Ok(kept), Ok(wanted)) => (kept, wanted),
        (Err(why), _) | (_, Err(why)) => return (State::NotCompared, why),
    };
    let (mut low, mut high, mut first) = (0, 0, None);
    for ((at, kept), (_, wanted)) in kept.into_iter().zip(wanted) {
        let band = (f64::from(wanted) * BAND).max(1.0);
        let over = f64::from(kept - wanted);
        if over.abs() <= band {
            continue;
        }
        if over < 0.0 {
            low += 1;
        } else {
            high += 1;
        }
        first.get_or_insert((at, kept, wanted));
    }
    let Some((at, kept, wanted)) = first else { return (State::Agrees, String::new()) };
    let per_hour = MINUTES.len();
    let (low, high) = (f64::from(low) / per_hour as f64, f64::from(high) / per_hour as f64);
    let at = at.format("%a %H:%M UTC");
    let sentence = format!(
        "too low in {low} of the week's hours and too high in {high}, first on {at}: {kept} where {wanted} \
         is recommended"
    );
    (State::Differs, sentence)
}

fn week(all: &[ScheduledMin], at: Timestamp) -> Result<Vec<(Timestamp, i32)>, String> {
    let mut schedules = Vec::new();
    for action in all {
        let schedule = AwsSchedule::parse(&action.schedule, Some(&action.time_zone));
        let schedule = schedule.map_err(|error| error.to_string())?;
        if action.schedule.starts_with("rate(") {
            return Err(format!("{} has no times of its own", action.schedule));
        }
        // What runs once is not part of any week.
        if !action.schedule.starts_with("at(") {
            schedules.push((schedule, action.min));
        }
    }
    let from = at - TimeDelta::seconds(at.timestamp().rem_euclid(3600));
    let mut week = Vec::new();
    for minute in (0..HOURS).flat_map(|hour| MINUTES.map(|minute| hour * 60 + minute)) {
        let at = from + TimeDelta::minutes(minute);
        let last = schedules.iter().filter_map(|(s, min)| Some((s.last_until(at, at)?, *min)));
        let Some((_, min)) = last.max() else {
            return Err("none of the schedules recurs".to_owned());
        };
        week.push((at, min));
    }
    Ok(week)
}
