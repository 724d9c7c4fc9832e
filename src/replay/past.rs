//! The target values that were in force, from setpoint's own history: AWS does not keep past ones.

use chrono::TimeDelta;

use crate::model::history::{EventKind, History};
use crate::model::reason::Field;
use crate::model::time::Timestamp;

/// The target values of a history, each since when, oldest first. None is where nothing is known: not
/// every hour was watched.
pub fn targets(history: &History) -> Vec<(Timestamp, Option<f64>)> {
    let mut found: Vec<(Timestamp, Option<f64>)> = Vec::new();
    let mut until = None;
    for hour in &history.hours {
        let (began, ended) = (hour.at, hour.at + TimeDelta::hours(1));
        let known = found.last().and_then(|(_, value)| *value);
        if known.is_some() && until != Some(began) {
            found.extend(until.map(|until| (until, None)));
        }
        until = Some(ended);
        let before = found.last().and_then(|(_, value)| *value);
        if before == hour.configured_target {
            continue;
        }
        // An hour has the value of its end; events know when in the hour it came.
        let changes = changes(history, began, ended);
        let agrees = changes.last().map(|(_, value)| *value) == hour.configured_target;
        if agrees && before.is_some() {
            found.extend(changes.into_iter().map(|(at, value)| (at, Some(value))));
        } else {
            // It changed, and when is not known.
            found.extend(before.map(|_| (began, None)));
            found.push((ended, hour.configured_target));
        }
    }
    found.extend(until.map(|until| (until, None)));
    found
}

/// The changes of the target value in an hour that were seen to take effect.
fn changes(history: &History, began: Timestamp, ended: Timestamp) -> Vec<(Timestamp, f64)> {
    let within = history.events.iter().filter(|event| began <= event.at && event.at < ended);
    let of_value = within.filter(|event| event.field == Some(Field::TargetValue));
    let took_effect = of_value.filter(|event| match event.kind {
        EventKind::Change => true,
        EventKind::Write => event.code.as_deref() == Some("success"),
        _ => false,
    });
    took_effect.filter_map(|event| Some((event.at, event.after.as_ref()?.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::{Event, Hour, Who};

    fn at(minutes: i64) -> Timestamp {
        let start: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        start + TimeDelta::minutes(minutes)
    }

    #[test]
    fn values_hold_from_when_they_came_and_no_longer_than_they_were_seen() {
        let hour =
            |n: i64, value: f64| Hour { configured_target: Some(value), ..Hour::empty(at(60 * n)) };
        let event = |minute: i64, kind, after: &str, code: Option<&str>| Event {
            field: Some(Field::TargetValue),
            after: Some(after.to_owned()),
            code: code.map(str::to_owned),
            ..Event::new(at(minute), kind, Who::Foreign, "")
        };
        let id = r#"{"account_id": "123456789012", "region": "us-east-1", "endpoint": "e", "variant": "v"}"#;
        let history = History {
            variant: serde_json::from_str(id).unwrap(),
            since: at(0),
            kept_since: None,
            hours: vec![
                hour(0, 600.0),
                hour(1, 600.0),
                hour(2, 900.0),
                hour(3, 700.0),
                hour(6, 700.0),
            ],
            events: vec![
                event(130, EventKind::Change, "900", None),
                event(190, EventKind::Write, "650", Some("error")),
            ],
            events_left_out: 0,
        };
        let wanted = [
            (60, Some(600.0)),
            (130, Some(900.0)),
            (180, None),
            (240, Some(700.0)),
            (240, None),
            (420, Some(700.0)),
            (420, None),
        ];
        assert_eq!(targets(&history), wanted.map(|(minute, value)| (at(minute), value)));
    }
}
