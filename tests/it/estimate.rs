//! Tests of the estimator over made-up minutes whose truth is known.

use chrono::TimeDelta;
use setpoint::estimate::{
    Context, Estimator, EstimatorSettings, Fingerprint, Journal, Pushed, Scratch,
};
use setpoint::model::estimate::{DropReason, Estimate, Finding, Verdict};
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::series::Minute;
use setpoint::model::time::Timestamp;
use setpoint::model::units::{LatencyStatistic, RequestsPerSecond};

const CAPACITY: f64 = 1200.0;
const DAY: i64 = 1440;

fn objective() -> Objective {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    Objective { latency: Some(latency), error_rate_max: 0.01 }
}

fn settings(load_test: Option<f64>) -> EstimatorSettings {
    EstimatorSettings {
        load_test: load_test.map(|per_minute| RequestsPerSecond::new(per_minute / 60.0).unwrap()),
        fingerprint: Some(Fingerprint::of("v1")),
        ..EstimatorSettings::new(objective())
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_timestamp(1_764_547_200 + minute * 60, 0).unwrap()
}

/// Evenly spread and the same on every run.
fn uniform(minute: i64, salt: u64) -> f64 {
    let mut x = (minute as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (salt << 32);
    for _ in 0..3 {
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 32;
    }
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

fn normal(minute: i64, salt: u64) -> f64 {
    let (a, b) = (uniform(minute, salt).max(1e-12), uniform(minute, salt + 100));
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// A service whose minutes break the objective with 10 % at `CAPACITY / slower`.
fn minute(index: i64, load: f64, instances: f64, slower: f64) -> Minute {
    let effective = load * slower * (0.04 * normal(index, 1)).exp();
    let over = effective > CAPACITY * 1.0526;
    let p50_ms = 20.0 * slower * (1.0 + 0.2 * load * slower / CAPACITY);
    Minute {
        invocations: Some(load * instances),
        invocations_per_instance: Some(load),
        latency_us: Some(if over { 400_000.0 } else { 90_000.0 }),
        latency_p50_us: Some(p50_ms * 1000.0 * (0.02 * normal(index, 2)).exp()),
        errors_5xx: Some(0.0),
        ..Minute::empty(at(index))
    }
}

/// A daily wave around 0.6 of capacity; with bursts, some minutes a day far above it.
fn load(index: i64, bursts: bool) -> f64 {
    let wave = 0.55 + 0.12 * (index as f64 / DAY as f64 * std::f64::consts::TAU).sin();
    let burst = if bursts && index % 300 < 8 { 1.4 + 0.6 * uniform(index, 3) } else { 1.0 };
    CAPACITY * wave * burst * (0.03 * normal(index, 4)).exp()
}

struct Bench {
    estimator: Estimator,
    scratch: Scratch,
    context: Context,
    raised: Vec<(i64, Finding)>,
}

impl Bench {
    fn new(load_test: Option<f64>) -> Self {
        let context = Context { configured_target: Some(0.7 * CAPACITY), safety_factor: 0.7 };
        let estimator = Estimator::new(&settings(load_test));
        Self { estimator, scratch: Scratch::new(), context, raised: Vec::new() }
    }

    fn push(&mut self, minute: &Minute, index: i64) -> Pushed {
        let pushed = self.estimator.push(minute, &self.context, &mut self.scratch);
        self.raised.extend(pushed.raised.iter().map(|f| (index, *f)));
        pushed
    }

    fn run(&mut self, minutes: std::ops::Range<i64>, bursts: bool, slower: f64) {
        for i in minutes {
            self.push(&minute(i, load(i, bursts), 4.0, slower), i);
        }
    }

    fn deploy(&mut self, index: i64, name: &str) {
        self.estimator.declare(at(index), Fingerprint::of(name), &mut self.scratch);
    }

    fn estimate(&mut self, index: i64) -> Estimate {
        let estimate = self.estimator.evaluate(&mut self.scratch, at(index), &self.context);
        assert_eq!(estimate.unsound(), None, "{estimate:?}");
        estimate
    }

    fn first(&self, finding: Finding) -> Option<i64> {
        self.raised.iter().find(|(_, f)| *f == finding).map(|(at, _)| *at)
    }
}

fn off(estimate: &Estimate, truth: f64) -> f64 {
    (estimate.capacity.estimate.unwrap() / truth - 1.0).abs()
}

#[test]
fn bursts_measure_capacity() {
    for load_test in [None, Some(0.75 * CAPACITY), Some(1.3 * CAPACITY)] {
        let mut bench = Bench::new(load_test);
        bench.run(0..7 * DAY, true, 1.0);
        let estimate = bench.estimate(7 * DAY);
        assert_eq!(estimate.verdict, Verdict::Measured);
        assert!(off(&estimate, CAPACITY) < 0.04, "{load_test:?}: {estimate:?}");
        assert!(estimate.capacity.low.unwrap() < CAPACITY);
        assert!(estimate.capacity.high.unwrap() > CAPACITY);
        assert_eq!(estimate.findings, []);
        assert!(estimate.sentence.contains("minutes broke p99 250 ms"), "{}", estimate.sentence);
    }
}

#[test]
fn a_quiet_week_proves_a_lower_bound_and_nothing_else() {
    for load_test in [None, Some(0.7 * CAPACITY), Some(1.4 * CAPACITY)] {
        let mut bench = Bench::new(load_test);
        bench.run(0..7 * DAY, false, 1.0);
        let estimate = bench.estimate(7 * DAY);
        assert_eq!(estimate.verdict, Verdict::AtLeast);
        let bound = estimate.capacity.lower_bound.unwrap();
        let highest = estimate.highest_good_load.unwrap();
        assert!(bound < CAPACITY && bound > 0.75 * highest, "{bound} of {highest}");
        assert_eq!(estimate.capacity.high, None);
        assert_eq!(estimate.capacity.estimate.is_some(), load_test.is_some());
    }
}

#[test]
fn a_declared_slowdown_alarms_within_the_hour() {
    let mut bench = Bench::new(Some(CAPACITY));
    bench.run(0..3 * DAY, true, 1.0);
    let deployed = 3 * DAY + 17;
    bench.run(3 * DAY..deployed, true, 1.0);
    bench.deploy(deployed, "v2");
    bench.run(deployed..deployed + 61, true, 1.4);
    assert!(bench.first(Finding::Slower).unwrap() <= deployed + 60);
    assert!(bench.first(Finding::Over).unwrap() <= deployed + 60);
    let estimate = bench.estimate(deployed + 61);
    let regime = estimate.regime.unwrap();
    assert_eq!((regime.started_at, regime.declared), (at(deployed + 10), true));
    assert!((regime.speed_ratio.unwrap() - 1.4).abs() < 0.08, "{regime:?}");
    // Carried over by the power -1.25 of the ratio of medians, and blurred.
    assert!(estimate.capacity.low.unwrap() < CAPACITY / 1.4, "{estimate:?}");
    assert!(estimate.capacity.high.unwrap() > CAPACITY / 1.6, "{estimate:?}");
    assert!(estimate.minutes.dropped.of(DropReason::Deploy) == 10);
    bench.run(deployed + 61..deployed + DAY, true, 1.4);
    let estimate = bench.estimate(deployed + DAY);
    assert_eq!(estimate.verdict, Verdict::Measured);
    assert!(off(&estimate, CAPACITY / 1.4) < 0.06, "{estimate:?}");
}

#[test]
fn a_deploy_without_change_finds_nothing() {
    let mut bench = Bench::new(Some(CAPACITY));
    bench.run(0..3 * DAY, true, 1.0);
    bench.deploy(3 * DAY, "v2");
    bench.run(3 * DAY..5 * DAY, true, 1.0);
    assert_eq!(bench.raised, []);
}

#[test]
fn an_undeclared_slowdown_is_found_within_four_hours() {
    let mut bench = Bench::new(Some(CAPACITY));
    bench.run(0..3 * DAY, true, 1.0);
    bench.run(3 * DAY..3 * DAY + 25, true, 1.0);
    bench.run(3 * DAY + 25..3 * DAY + 25 + 240, true, 1.3);
    assert!(bench.first(Finding::Slower).unwrap() <= 3 * DAY + 25 + 240);
    let estimate = bench.estimate(3 * DAY + 265);
    let regime = estimate.regime.unwrap();
    assert!(!regime.declared);
    assert!((regime.started_at - at(3 * DAY + 25)).abs() <= TimeDelta::hours(1));
    assert!((regime.speed_ratio.unwrap() - 1.3).abs() < 0.05);
    assert!(estimate.sentence.contains("no one declared"), "{}", estimate.sentence);
}

#[test]
fn a_rollback_returns_to_the_regime_before() {
    let mut bench = Bench::new(Some(CAPACITY));
    bench.run(0..3 * DAY, true, 1.0);
    let before = bench.estimate(3 * DAY);
    bench.deploy(3 * DAY, "v2");
    bench.run(3 * DAY..3 * DAY + 120, true, 1.4);
    bench.deploy(3 * DAY + 120, "v1");
    bench.run(3 * DAY + 120..3 * DAY + 180, false, 1.0);
    let after = bench.estimate(3 * DAY + 180);
    assert_eq!(after.verdict, Verdict::Measured);
    assert_eq!(after.regime.unwrap().started_at, before.regime.unwrap().started_at);
    assert!(off(&after, before.capacity.estimate.unwrap()) < 0.02);
    assert!(after.minutes.dropped.of(DropReason::OtherRegime) > 60);
}

/// Sixteen days with a deploy on the third and an undeclared change on the twelfth.
fn history(bench: &mut Bench, from: i64) {
    for i in from..16 * DAY {
        if i == 3 * DAY + 100 {
            bench.deploy(i, "v2");
        }
        let slower = match i {
            i if i < 3 * DAY + 100 => 1.0,
            i if i < 12 * DAY => 1.4,
            _ => 1.1,
        };
        bench.push(&minute(i, load(i, i < 13 * DAY), 4.0, slower), i);
    }
}

/// What is known of capacity. The fit behind replays goes further back than the history that is read
/// again, and fades.
fn answer(estimate: Estimate) -> Estimate {
    Estimate { fit: None, ..estimate }
}

#[test]
fn with_its_journal_a_restart_answers_as_one_that_never_stopped() {
    let mut running = Bench::new(Some(CAPACITY));
    history(&mut running, 0);
    let value = running.estimator.journal().to_value().unwrap();
    assert!(value.to_string().len() <= 2048, "{} bytes", value.to_string().len());

    let journal = Journal::from_value(&value).unwrap();
    let mut restarted = Bench::new(Some(CAPACITY));
    restarted.estimator = Estimator::restore(&settings(Some(CAPACITY)), &journal);
    history(&mut restarted, 2 * DAY);

    for hour in 0..6 {
        let now = 16 * DAY + hour * 60;
        assert_eq!(answer(running.estimate(now)), answer(restarted.estimate(now)));
        running.run(now..now + 60, hour > 2, 1.1);
        restarted.run(now..now + 60, hour > 2, 1.1);
    }
}

#[test]
fn without_its_journal_a_restart_may_only_know_less() {
    let mut running = Bench::new(Some(CAPACITY));
    running.run(0..10 * DAY, true, 1.0);
    running.deploy(10 * DAY, "v2");
    running.run(10 * DAY..16 * DAY, false, 1.0);
    let known = running.estimate(16 * DAY);

    // Only the creation of the present config is known, and what is older is another regime.
    let mut restarted = Bench::new(Some(CAPACITY));
    restarted.run(2 * DAY..10 * DAY, true, 1.0);
    restarted.deploy(10 * DAY, "v2");
    restarted.run(10 * DAY..16 * DAY, false, 1.0);
    let less = restarted.estimate(16 * DAY);
    assert_eq!(known.verdict, Verdict::Inferred);
    assert!(less.capacity.low.unwrap() <= known.capacity.low.unwrap() * 1.02);
    assert_eq!(less.regime.unwrap().started_at, at(10 * DAY + 10));
}

#[test]
fn a_malformed_journal_is_an_error() {
    for text in ["null", "{}", r#"{"version":9}"#, r#"{"version":1,"until":0,"book":{}}"#] {
        assert!(Journal::from_value(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
    }
}

#[test]
fn the_state_of_a_variant_is_small_whatever_comes() {
    let mut bench = Bench::new(Some(CAPACITY));
    for i in 0..20 * DAY {
        // Loads over three decades, and a deploy each day.
        let load = 50.0 * (7.0 * uniform(i, 9)).exp();
        if i % DAY == 700 {
            bench.deploy(i, if i / DAY % 2 == 0 { "a" } else { "b" });
        }
        bench.push(&minute(i, load, 4.0, 1.0), i);
    }
    assert!(bench.estimator.state_bytes() <= 16 * 1024, "{}", bench.estimator.state_bytes());
    let mut usual = Bench::new(Some(CAPACITY));
    history(&mut usual, 0);
    assert!(usual.estimator.state_bytes() <= 12 * 1024, "{}", usual.estimator.state_bytes());
    let journal = bench.estimator.journal().to_value().unwrap().to_string();
    assert!(journal.len() <= 2048, "{} bytes: {journal}", journal.len());
}

#[test]
fn five_requests_a_minute_still_get_a_verdict() {
    let mut bench = Bench::new(Some(CAPACITY));
    for i in 0..3 * DAY {
        let requests = (18.0 + 4.0 * normal(i, 5)).max(1.0).round();
        let thin = Minute {
            invocations: Some(requests),
            invocations_per_instance: Some(requests),
            ..minute(i, requests, 1.0, 1.0)
        };
        bench.push(&thin, i);
        for span in [5, 15] {
            if (i + 1) % span == 0 {
                let long = Minute {
                    period_seconds: span as u32 * 60,
                    invocations: Some(18.0 * span as f64),
                    invocations_per_instance: Some(18.0 * span as f64),
                    at: at(i + 1 - span),
                    ..thin
                };
                bench.push(&long, i);
            }
        }
    }
    let estimate = bench.estimate(3 * DAY);
    assert_eq!(estimate.verdict, Verdict::AtLeast);
    assert!(estimate.capacity.lower_bound.unwrap() < 20.0);
    assert!(estimate.sentence.contains("periods"), "{}", estimate.sentence);
}

#[test]
fn an_incident_of_another_cause_is_no_capacity() {
    let mut bench = Bench::new(Some(CAPACITY));
    bench.run(0..3 * DAY, true, 1.0);
    let before = bench.estimate(3 * DAY);
    for i in 3 * DAY + 60..3 * DAY + 90 {
        let bad = Minute { latency_us: Some(900_000.0), ..minute(i, 0.5 * CAPACITY, 4.0, 1.0) };
        bench.push(&bad, i);
    }
    let during = bench.estimate(3 * DAY + 90);
    assert!(during.incident_since.is_some());
    assert!(off(&during, before.capacity.estimate.unwrap()) < 0.05);
    bench.run(3 * DAY + 90..3 * DAY + 130, false, 1.0);
    assert_eq!(bench.estimate(3 * DAY + 130).incident_since, None);
}

#[test]
fn without_an_objective_nothing_is_judged() {
    let mut bench = Bench::new(None);
    let objective = Objective { latency: None, error_rate_max: 0.01 };
    bench.estimator = Estimator::new(&EstimatorSettings::new(objective));
    bench.run(0..DAY, true, 1.0);
    let estimate = bench.estimate(DAY);
    assert_eq!(estimate.verdict, Verdict::Unobserved);
    assert_eq!(estimate.capacity.estimate, None);
    assert!(estimate.sentence.contains("no latency objective"));
}

#[test]
fn a_claim_that_is_too_high_is_over_and_pages_above_capacity() {
    let mut bench = Bench::new(None);
    bench.context.configured_target = Some(1.5 * CAPACITY);
    bench.run(0..2 * DAY, true, 1.0);
    let estimate = bench.estimate(2 * DAY);
    assert_eq!(estimate.findings, [Finding::AboveCapacity, Finding::Over]);
    bench.context.configured_target = Some(0.4 * CAPACITY);
    bench.run(2 * DAY..2 * DAY + 90, true, 1.0);
    assert_eq!(bench.estimate(2 * DAY + 90).findings, [Finding::Under]);
}

#[test]
fn no_made_up_past_gives_an_estimate_that_contradicts_itself() {
    for seed in 0..60_u64 {
        let any = |n: i64| uniform(n, 1000 + seed);
        let load_test = (any(0) < 0.5).then(|| CAPACITY * (0.3 + 2.0 * any(1)));
        let mut bench = Bench::new(load_test);
        for part in 0..6_i64 {
            let minutes = part * DAY / 2..(part + 1) * DAY / 2;
            // Speed, traffic and the answers change at random, and some deploys are declared.
            let slower = 0.5 + 2.0 * any(10 + part);
            if any(20 + part) < 0.3 {
                bench.deploy(minutes.start, &format!("v{part}"));
            }
            for index in minutes.clone() {
                let scale = 0.2 + 2.5 * any(30 + part);
                let mut minute = minute(index, scale * load(index, true), 4.0, slower);
                if uniform(index, seed) < 0.02 {
                    minute.latency_us = Some(1e6 * uniform(index, seed + 1));
                    minute.errors_5xx = Some(30.0 * uniform(index, seed + 2));
                }
                bench.push(&minute, index);
            }
            // The bench asserts that it is sound.
            bench.estimate(minutes.end);
        }
    }
}
