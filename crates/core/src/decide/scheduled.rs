//! Which scheduled action most likely set min or max (rule 13). AWS does not record which one is in
//! force, so this is a best guess from schedules: the last one to run, if its value is there.

use chrono::TimeDelta;

use crate::model::reason::Field;
use crate::model::scaling::ScheduledAction;
use crate::model::time::Timestamp;

/// A run so recent that its effect may not show yet: the action before it may explain the value.
const TAKES_EFFECT_WITHIN: TimeDelta = TimeDelta::minutes(5);
/// An action that does not run again holds its bound for so long after its last run.
const HOLDS_FOR: TimeDelta = TimeDelta::days(1);

/// The action that most likely set `field` to `actual`, and when. None once no action holds that
/// bound any more.
pub fn attribute(
    actions: &[ScheduledAction],
    field: Field,
    actual: i32,
    now: Timestamp,
) -> Option<(&ScheduledAction, Timestamp)> {
    if holding(actions, field, now).is_empty() {
        return None;
    }
    let mut runs: Vec<(&ScheduledAction, i32, Timestamp)> = actions
        .iter()
        .filter_map(|action| Some((action, sets(action, field)?, action.last_run(now)?)))
        .collect();
    runs.sort_by_key(|(action, _, at)| (std::cmp::Reverse(*at), action.name.clone()));
    let may_be_late = |at: Timestamp| now - at < TAKES_EFFECT_WITHIN;
    for (action, value, at) in runs {
        if value == actual {
            return Some((action, at));
        }
        // What ran later than the action that explains it would have set another value.
        if !may_be_late(at) {
            return None;
        }
    }
    None
}

/// The actions that hold a bound: those that set it, and can run again or ran within the last day.
pub fn holding(actions: &[ScheduledAction], field: Field, now: Timestamp) -> Vec<&ScheduledAction> {
    let holds = |action: &&ScheduledAction| {
        sets(action, field).is_some() && !action.is_over(now, HOLDS_FOR)
    };
    actions.iter().filter(holds).collect()
}

/// The actions that hold min, max or both.
pub fn holding_either(
    actions: &[ScheduledAction],
    now: Timestamp,
) -> impl Iterator<Item = &ScheduledAction> {
    actions.iter().filter(move |action| !action.is_over(now, HOLDS_FOR))
}

/// What an action sets the field to.
const fn sets(action: &ScheduledAction, field: Field) -> Option<i32> {
    match field {
        Field::MinCapacity => action.min_capacity,
        Field::MaxCapacity => action.max_capacity,
        _ => None,
    }
}

/// The action that runs next, when, and what it sets: "next evening at ..., min 1, max 4".
pub fn next<'a>(actions: impl IntoIterator<Item = &'a ScheduledAction>, now: Timestamp) -> String {
    let runs = actions.into_iter().filter_map(|action| Some((action.next_run(now)?, action)));
    let Some((at, action)) = runs.min_by_key(|(at, action)| (*at, action.name.clone())) else {
        return "no action runs again".to_owned();
    };
    let set = [("min", action.min_capacity), ("max", action.max_capacity)];
    let set: Vec<String> =
        set.iter().filter_map(|(word, n)| n.map(|n| format!("{word} {n}"))).collect();
    format!("next {} at {} ({})", action.name, at.format("%FT%TZ"), set.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn action(name: &str, schedule: &str, min: i32) -> ScheduledAction {
        ScheduledAction {
            resource: "endpoint/e/variant/v".parse().unwrap(),
            name: name.to_owned(),
            schedule: schedule.to_owned(),
            timezone: None,
            min_capacity: Some(min),
            max_capacity: None,
            starts_at: None,
            ends_at: None,
            created_at: Some(at("2026-11-01T00:00:00Z")),
        }
    }

    fn day() -> Vec<ScheduledAction> {
        vec![action("morning", "cron(0 8 * * ? *)", 4), action("evening", "cron(0 20 * * ? *)", 1)]
    }

    fn name_of(actual: i32, now: &str) -> Option<String> {
        attribute(&day(), Field::MinCapacity, actual, at(now)).map(|(a, _)| a.name.clone())
    }

    #[test]
    fn the_last_one_to_run_explains_its_own_value_only() {
        assert_eq!(name_of(4, "2026-11-23T12:00:00Z").as_deref(), Some("morning"));
        assert_eq!(name_of(1, "2026-11-23T23:00:00Z").as_deref(), Some("evening"));
        // In the afternoon the evening's value is somebody else's.
        assert_eq!(name_of(1, "2026-11-23T12:00:00Z"), None);
        assert_eq!(name_of(7, "2026-11-23T12:00:00Z"), None);
        // None of them sets max.
        assert!(attribute(&day(), Field::MaxCapacity, 4, at("2026-11-23T12:00:00Z")).is_none());
    }

    #[test]
    fn a_run_of_this_minute_may_not_show_yet() {
        assert_eq!(name_of(1, "2026-11-23T08:01:00Z").as_deref(), Some("evening"));
        assert_eq!(name_of(4, "2026-11-23T08:01:00Z").as_deref(), Some("morning"));
        assert_eq!(name_of(1, "2026-11-23T08:05:00Z"), None);
    }

    #[test]
    fn the_next_one_is_told_with_what_it_sets() {
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(next(&day(), now), "next evening at 2026-11-23T20:00:00Z (min 1)");
        let over = action("once", "at(2026-11-20T00:00:00)", 2);
        assert_eq!(next(&[over], now), "no action runs again");
    }
}
