//! Which minutes are evidence: what has no datapoint, errors, new instances and the wake of an
//! overload.

use setpoint::estimate::{Context, Estimator, EstimatorSettings, Fingerprint, Scratch};
use setpoint::model::estimate::{DropReason, Estimate, Finding, Verdict};
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::series::Minute;
use setpoint::model::time::Timestamp;
use setpoint::model::units::LatencyStatistic;

/// Two days, so that a verdict can be reached.
const MINUTES: i64 = 2880;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_timestamp(1_764_547_200 + minute * 60, 0).unwrap()
}

/// A minute of a service that is fine: loads of 500 to 599 on 4 instances.
fn fine(index: i64) -> Minute {
    let load = 500.0 + (index * 37 % 100) as f64;
    minute(index, load, 4.0)
}

fn minute(index: i64, load: f64, instances: f64) -> Minute {
    Minute {
        invocations: Some(load * instances),
        invocations_per_instance: Some(load),
        latency_us: Some(90_000.0),
        latency_p50_us: Some(20_000.0),
        errors_5xx: Some(0.0),
        instances: Some(instances),
        ..Minute::empty(at(index))
    }
}

const CONTEXT: Context = Context { configured_target: None, safety_factor: 0.7 };

fn estimate(minute: impl Fn(i64) -> Minute) -> Estimate {
    let mut scratch = Scratch::new();
    let mut estimator = known(minute, &mut scratch);
    estimator.evaluate(&mut scratch, at(MINUTES), &CONTEXT)
}

/// After two days of some minutes.
fn known(minute: impl Fn(i64) -> Minute, scratch: &mut Scratch) -> Estimator {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    let settings = EstimatorSettings {
        fingerprint: Some(Fingerprint::of("v1")),
        ..EstimatorSettings::new(objective)
    };
    let mut estimator = Estimator::new(&settings);
    for index in 0..MINUTES {
        estimator.push(&minute(index), &CONTEXT, scratch);
    }
    estimator
}

fn dropped(estimate: &Estimate, reason: DropReason) -> u32 {
    estimate.minutes.dropped.of(reason)
}

/// A few minutes at the end are still on their way through the filter.
fn about(count: u32, expected: i64) -> bool {
    (i64::from(count) - expected).abs() <= 15
}

#[test]
fn a_minute_without_a_datapoint_of_errors_is_missing_and_not_free_of_errors() {
    let every_other =
        |index: i64| Minute { errors_5xx: (index % 2 == 0).then_some(0.0), ..fine(index) };
    let half = estimate(every_other);
    assert!(about(dropped(&half, DropReason::Missing), MINUTES / 2), "{:?}", half.minutes);
    let never = estimate(|index| Minute { errors_5xx: None, ..fine(index) });
    assert_eq!(never.minutes.used, 0, "{:?}", never.minutes);
    assert_eq!(never.verdict, Verdict::Unobserved);
    assert_eq!(never.capacity.lower_bound, None, "nothing is proven by what is not there");
    let whole = estimate(fine);
    assert_eq!(dropped(&whole, DropReason::Missing), 0);
    assert_eq!(whole.verdict, Verdict::AtLeast);
}

#[test]
fn errors_alone_make_a_minute_bad() {
    let with_share = |share: f64| {
        estimate(move |index| {
            let minute = fine(index);
            Minute { errors_5xx: minute.invocations.map(|all| all * share), ..minute }
        })
    };
    assert_eq!(with_share(0.0).verdict, Verdict::AtLeast);
    assert_eq!(with_share(0.01).verdict, Verdict::AtLeast, "as much as the objective allows");
    let failing = with_share(0.02);
    assert_eq!(failing.verdict, Verdict::AtMost, "fast, and wrong all the time: {failing:?}");
}

#[test]
fn three_minutes_from_where_instances_came_are_cold() {
    // Four become five for half of each hour; the load of an instance stays.
    let estimate = estimate(|index| {
        let instances = if index % 60 < 30 { 4.0 } else { 5.0 };
        minute(index, 500.0 + (index * 37 % 100) as f64, instances)
    });
    let cold = dropped(&estimate, DropReason::ColdInstances);
    assert!(about(cold, MINUTES / 60 * 3), "{:?}", estimate.minutes);
}

#[test]
fn three_minutes_in_the_wake_of_an_overload_are_no_evidence_of_their_own_load() {
    // One bad minute an hour far above; what follows it lies below 90 % of it.
    let overloaded = |wake: f64| {
        estimate(move |index| match index % 60 {
            30 => Minute { latency_us: Some(900_000.0), ..minute(index, 1500.0, 4.0) },
            31..34 => minute(index, wake, 4.0),
            _ => fine(index),
        })
    };
    let wake = overloaded(550.0);
    let dropped_of = |estimate: &Estimate| dropped(estimate, DropReason::CarryOver);
    assert!(about(dropped_of(&wake), MINUTES / 60 * 3), "{:?}", wake.minutes);
    // From 90 % of its peak on, a load speaks for itself.
    let near = overloaded(1400.0);
    assert!(about(dropped_of(&near), 0), "{:?}", near.minutes);
}

#[test]
fn what_a_deploy_breaks_is_seen_whatever_burst_it_came_in() {
    let mut scratch = Scratch::new();
    // A burst an hour, and the last one is on when the service is replaced.
    let slow = |index, load| Minute {
        latency_us: Some(60e6),
        latency_p50_us: Some(60e6),
        ..minute(index, load, 4.0)
    };
    let burst = |index| if index % 60 < 55 { fine(index) } else { slow(index, 1500.0) };
    let mut estimator = known(burst, &mut scratch);
    estimator.declare(at(MINUTES), Fingerprint::of("v2"), &mut scratch);
    let two_hours_later = MINUTES + 120;
    for index in MINUTES..two_hours_later {
        estimator.push(&slow(index, 550.0), &CONTEXT, &mut scratch);
    }
    let estimate = estimator.evaluate(&mut scratch, at(two_hours_later), &CONTEXT);
    assert_eq!(estimate.verdict, Verdict::AtMost, "{estimate:?}");
    assert!(estimate.findings.contains(&Finding::ObjectiveBroken), "{:?}", estimate.findings);
}
