//! What the scale-outs of a variant come to.

use std::collections::VecDeque;

use crate::model::reaction::{Part, ReactionTime, Spread};
use crate::model::scale_out::{Failure, FailureKind, Parts, Reaction, ScaleOut};
use crate::model::time::Timestamp;

/// The newest scale-outs that say whether instances are ready too early, and how many of them must.
const NEWEST: usize = 5;
const TOO_EARLY_MIN: usize = 2;

pub(super) fn of(
    scale_outs: &VecDeque<ScaleOut>,
    failures: &VecDeque<Failure>,
    instance_type: Option<&str>,
) -> Reaction {
    // Another instance type starts in another time.
    let own: Vec<&ScaleOut> = scale_outs
        .iter()
        .filter(|one| one.instance_type.as_deref().zip(instance_type).is_none_or(|(a, b)| a == b))
        .collect();
    let part = |of: &dyn Fn(&ScaleOut) -> Option<f64>| {
        own.iter().filter_map(|one| of(one)).filter(|m| *m >= 0.0).collect::<Vec<f64>>()
    };
    let first = |one: &ScaleOut| one.by_alarm && !one.follows;
    // Where no pass saw the alarm it is AWS's activity that ends the part: seconds later.
    let alarm = part(&|one| {
        let until = one.alarm_at.unwrap_or(one.started_at);
        one.crossed_at.filter(|_| first(one)).map(|at| minutes(at, until))
    });
    let activity =
        part(&|one| one.alarm_at.filter(|_| first(one)).map(|at| minutes(at, one.started_at)));
    let start_up = part(&|one| one.in_service_at.map(|at| minutes(one.started_at, at)));
    let recovery =
        part(&|one| one.in_service_at.zip(one.back_at).map(|(at, back)| minutes(at, back)));
    let whole = part(&|one| {
        one.crossed_at
            .filter(|_| first(one))
            .zip(one.in_service_at)
            .map(|(at, end)| minutes(at, end))
    });
    let cold = part(&|one| one.cold_minutes.map(f64::from));
    let prior = ReactionTime::prior(instance_type);
    let measured = |values: &[f64], prior: Part| {
        spread(values)
            .and_then(|spread| Part::measured(spread, values.len() as u32))
            .unwrap_or(prior)
    };
    let watched: Vec<&&ScaleOut> = own.iter().filter(|one| one.error_minutes.is_some()).collect();
    let early = |several: &[&&ScaleOut]| several.iter().filter(|one| one.ready_too_early).count();
    let newest = &watched[watched.len().saturating_sub(NEWEST)..];
    let failed = |kind| failures.iter().filter(|f| f.kind == kind).count() as u32;
    Reaction {
        instance_type: instance_type.map(str::to_owned),
        scale_outs: own.len() as u32,
        time: ReactionTime {
            alarm: measured(&alarm, prior.alarm),
            activity: measured(&activity, prior.activity),
            start_up: measured(&start_up, prior.start_up),
        },
        seen: Parts {
            alarm: spread(&alarm),
            activity: spread(&activity),
            start_up: spread(&start_up),
            recovery: spread(&recovery),
            whole: spread(&whole),
            cold: spread(&cold),
        },
        joins_watched: watched.len() as u32,
        joins_with_errors: early(&watched) as u32,
        ready_too_early: early(newest) >= TOO_EARLY_MIN,
        errors_while_joining: own.iter().map(|one| one.errors).fold(0.0, |a, b| a + b),
        failures_quota: failed(FailureKind::Quota),
        failures_capacity: failed(FailureKind::Capacity),
        failures_other: failed(FailureKind::Other),
        last: own.last().map(|one| (*one).clone()),
    }
}

fn minutes(from: Timestamp, to: Timestamp) -> f64 {
    (to - from).num_milliseconds() as f64 / 60_000.0
}

/// Median and 95 % point, between neighbours where they fall between two; none of nothing.
fn spread(values: &[f64]) -> Option<Spread> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (sorted.len() - 1) as f64;
        let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        low + (high - low) * place.fract()
    };
    Some(Spread::new(at(0.5), at(0.95)))
}
