//! What measured siblings say of a load test: what it is worth on simulated weeks, and what never rests
//! on it.

use proptest::prelude::*;
use setpoint::decide::safe_target::{safe_target_at, wanted_at};
use setpoint::estimate::{Context, Estimator, EstimatorSettings, Families, Fingerprint, Scratch};
use setpoint::grade::{Class, cases};
use setpoint::model::estimate::{Estimate, Verdict};
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::ids::Scope;
use setpoint::model::series::Minute;
use setpoint::model::siblings::Siblings;
use setpoint::model::time::Timestamp;
use setpoint::model::units::{LatencyStatistic, RequestsPerSecond};
use setpoint::observe::Periods;
use setpoint::observe::telemetry::{Window, queries};
use setpoint::sim::random::Random;

/// A variant after a simulated week, and its true capacity.
struct Lived {
    estimator: Estimator,
    truth: f64,
    now: Timestamp,
}

/// The first days of graded cases of a class.
async fn lived(class: Class, seeds: std::ops::Range<u64>, days: i64) -> Vec<Lived> {
    let mut scratch = Scratch::new();
    let mut all = Vec::new();
    for case in cases(&[class], seeds) {
        let sim = case.scenario.build().unwrap();
        let start = sim.now();
        let now = start + chrono::TimeDelta::days(days);
        sim.run_until(now);
        let world = &case.scenario.world;
        let scope = Scope { account_id: world.account_id.clone(), region: world.region.clone() };
        let aws = setpoint::sim::aws(&sim, scope);
        let resource = "endpoint/graded/variant/AllTraffic".parse().unwrap();
        let (queries, window) =
            (queries(&resource, &case.objective, 60), Window { from: start, to: now });
        let answers = aws.metrics.metric_data(&queries, start, now).await;
        let minutes = Periods::of(&case.objective, &queries, answers, window).unwrap();
        let mut estimator = Estimator::new(&EstimatorSettings::new(case.objective));
        for minute in minutes.between(start, now) {
            estimator.push(&minute, &CONTEXT, &mut scratch);
        }
        all.push(Lived { estimator, truth: case.capacity, now });
    }
    all
}

const CONTEXT: Context = Context { configured_target: Some(600.0), safety_factor: 0.7 };

impl Lived {
    fn estimate(&mut self, load_test: f64, scratch: &mut Scratch) -> Estimate {
        let rate = RequestsPerSecond::new(load_test / 60.0).unwrap();
        self.estimator.set_load_test(Some(rate), None);
        self.estimator.evaluate(scratch, self.now, &CONTEXT)
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[tokio::test]
async fn siblings_bring_a_load_test_nearer_to_the_truth() {
    let mut measured = lived(Class::Bursting, 0..12, 3).await;
    let mut quiet = lived(Class::Quiet, 0..12, 3).await;
    let mut scratch = Scratch::new();
    let mut random = Random::named(7, "load tests");
    // Load tests are off by 25 % at one sigma, and half of the variance is the family's.
    let half = 0.25 / 2.0_f64.sqrt();
    let (mut alone, mut told) = (Vec::new(), Vec::new());
    for _ in 0..24 {
        let shared = half * random.normal();
        let mut tested = |truth: f64| truth * (shared + half * random.normal()).exp();
        let mut families = Families::default();
        for variant in &mut measured {
            let load_test = tested(variant.truth);
            let estimate = variant.estimate(load_test, &mut scratch);
            assert_eq!(estimate.verdict, Verdict::Measured);
            families.note("all".to_owned(), estimate.capacity.estimate.unwrap(), load_test);
        }
        let siblings = families.of("all").unwrap();
        for variant in &mut quiet {
            let load_test = tested(variant.truth);
            let before = variant.estimate(load_test, &mut scratch);
            assert!(variant.estimator.load_tested().asks_siblings(&before), "{before:?}");
            let after = variant.estimator.by_siblings(
                &before.capacity,
                &siblings,
                &mut scratch,
                variant.now,
            );
            let off = |estimate: Option<f64>| (estimate.unwrap() / variant.truth - 1.0).abs();
            alone.push(off(before.capacity.estimate));
            told.push(off(after.estimate));
        }
    }
    let (alone, told) = (median(alone), median(told));
    println!("median error of {} quiet variants: {alone:.3}, with siblings {told:.3}", quiet.len());
    assert!((0.13..0.20).contains(&alone) && told < 0.85 * alone, "{alone} {told}");
}

/// Two days of loads up to `highest`, all of them fine, and a load test.
fn quiet(load_test: f64, highest: f64) -> (Estimator, Scratch, Timestamp) {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    let mut estimator = Estimator::new(&EstimatorSettings::new(objective));
    let mut scratch = Scratch::new();
    let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    let mut at = start;
    for index in 0..2 * 1440 {
        at = start + chrono::TimeDelta::minutes(index);
        let load = highest * (0.6 + 0.4 * f64::from((index % 60) as i32) / 60.0);
        let minute = Minute {
            invocations: Some(4.0 * load),
            invocations_per_instance: Some(load),
            latency_us: Some(90_000.0),
            latency_p50_us: Some(30_000.0),
            errors_5xx: Some(0.0),
            ..Minute::empty(at)
        };
        estimator.push(&minute, &CONTEXT, &mut scratch);
    }
    let rate = RequestsPerSecond::new(load_test / 60.0).unwrap();
    estimator.set_load_test(Some(rate), None);
    (estimator, scratch, at)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_proof_and_no_bolder_target_rests_on_siblings(
        load_test in 600.0..3000.0_f64, highest in 300.0..1500.0_f64, lg_mean in -1.4..1.4_f64,
        lg_spread in 0.1..0.6_f64, in_force in 100.0..3000.0_f64,
    ) {
        let (mut estimator, mut scratch, now) = quiet(load_test, highest);
        let before = estimator.evaluate(&mut scratch, now, &CONTEXT);
        prop_assert_eq!(before.verdict, Verdict::AtLeast);
        let journal = estimator.journal();
        let siblings = Siblings {
            family: "all".to_owned(), count: 12, lg_mean, lg_spread,
            estimate_alone: before.capacity.estimate,
        };
        let capacity = estimator.by_siblings(&before.capacity, &siblings, &mut scratch, now);
        let after = Estimate { capacity, siblings: Some(siblings.into()), ..before.clone() };
        prop_assert_eq!(after.unsound(), None);
        prop_assert_eq!(after.capacity.lower_bound, before.capacity.lower_bound);
        prop_assert_eq!(after.capacity.low, before.capacity.low);
        prop_assert_eq!(after.capacity.high, None);
        // What is remembered knows nothing of them, and neither does the next evaluation.
        prop_assert_eq!(estimator.journal(), journal);
        prop_assert_eq!(estimator.evaluate(&mut scratch, now, &CONTEXT), before.clone());
        for factor in [0.3, 0.7, 1.0] {
            let safe = |estimate: &Estimate| safe_target_at(estimate, factor, Some(factor * load_test));
            prop_assert!(safe(&after) <= safe(&before));
            let wanted = |e: &Estimate| wanted_at(e, factor, Some(factor * load_test), Some(in_force));
            prop_assert!(wanted(&after).unwrap() <= wanted(&before).unwrap());
            // Nothing is lowered for them below what is in force, but to the formula.
            prop_assert!(wanted(&after).unwrap() >= in_force.min(factor * load_test) - 1e-9);
        }
        // A variant without a load test does not ask.
        estimator.set_load_test(None, None);
        prop_assert!(!estimator.load_tested().asks_siblings(&before));
    }
}

#[test]
fn only_what_was_measured_since_its_load_test_tells_of_it() {
    let (mut estimator, mut scratch, now) = quiet(1200.0, 500.0);
    let at_least = estimator.evaluate(&mut scratch, now, &CONTEXT);
    assert!(!estimator.load_tested().is_measured_by(&at_least, None), "it rests on an opinion");
    let measured = Estimate { verdict: Verdict::Measured, ..at_least.clone() };
    assert!(estimator.load_tested().is_measured_by(&measured, None));
    let inferred = Estimate { verdict: Verdict::Inferred, ..at_least };
    assert!(!estimator.load_tested().is_measured_by(&inferred, None));
    // A deploy after the load test: what is measured now is not what was tested.
    let deployed = now + chrono::TimeDelta::minutes(1);
    estimator.declare(deployed, Fingerprint::of("v2"), &mut scratch);
    let mut later = measured;
    later.regime.as_mut().unwrap().started_at = deployed;
    let started = deployed;
    let day = chrono::TimeDelta::days(1);
    assert!(
        !estimator.load_tested().is_measured_by(&later, None),
        "of what ran before, for all that is known"
    );
    assert!(!estimator.load_tested().is_measured_by(&later, Some(started - day)));
    assert!(estimator.load_tested().is_measured_by(&later, Some(started + day)));
}
