//! What the last hours have reported, which a raise goes by (rule 8): over passes, restarts and deploys.

use setpoint::estimate::{Context, Estimator, EstimatorSettings, Fingerprint, Journal, Scratch};
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::lows::{Lowest, lowest_since};
use setpoint::model::series::Minute;
use setpoint::model::time::{Timestamp, minutes};
use setpoint::model::units::LatencyStatistic;

const DAY: i64 = 1440;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_timestamp(1_764_547_200 + minute * 60, 0).unwrap()
}

/// A service with a limit near 1,000, which bursts show every four hours.
fn minute(index: i64, slower: f64) -> Minute {
    let wave = 620.0 + 90.0 * (index as f64 / 229.0).sin() + ((index * 37) % 41) as f64;
    let load = if index % 240 < 7 { 1.75 * wave } else { wave };
    let over = load * slower * (1.0 + 0.05 * ((index * 7919) % 17 - 8) as f64 / 8.0) > 1030.0;
    Minute {
        invocations: Some(load * 5.0),
        invocations_per_instance: Some(load),
        latency_us: Some(if over { 400_000.0 } else { 120_000.0 }),
        latency_p50_us: Some(20_000.0 * slower * (1.0 + 0.01 * ((index * 31) % 7) as f64)),
        errors_5xx: Some(0.0),
        ..Minute::empty(at(index))
    }
}

fn settings() -> EstimatorSettings {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    EstimatorSettings {
        fingerprint: Some(Fingerprint::of("v1")),
        ..EstimatorSettings::new(objective)
    }
}

struct Bench {
    estimator: Estimator,
    scratch: Scratch,
}

impl Bench {
    fn of(estimator: Estimator) -> Self {
        Self { estimator, scratch: Scratch::new() }
    }

    fn run(&mut self, range: std::ops::Range<i64>, slower: f64) {
        let context = Context { configured_target: Some(500.0), safety_factor: 0.7 };
        for index in range {
            self.estimator.push(&minute(index, slower), &context, &mut self.scratch);
        }
    }

    /// The lower quartile now, and the lowest of so many hours.
    fn lowest(&mut self, hours: i64, now: i64) -> (f64, Lowest) {
        let context = Context { configured_target: Some(500.0), safety_factor: 0.7 };
        let estimate = self.estimator.evaluate(&mut self.scratch, at(now), &context);
        let since = at(now) - minutes(60 * hours);
        (estimate.capacity.q25.unwrap(), lowest_since(&estimate.lows, since))
    }
}

fn capacity(lowest: Lowest) -> f64 {
    match lowest {
        Lowest::Capacity(capacity) => capacity,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_service_that_became_faster_reported_before_holds_for_six_hours() {
    let mut bench = Bench::of(Estimator::new(&settings()));
    bench.run(0..2 * DAY, 1.3);
    let (before, _) = bench.lowest(6, 2 * DAY);
    bench.estimator.declare(at(2 * DAY), Fingerprint::of("v2"), &mut bench.scratch);
    bench.run(2 * DAY..2 * DAY + 300, 1.0);
    let (after, lowest) = bench.lowest(6, 2 * DAY + 300);
    assert!(after > 1.1 * before, "{before} {after}");
    assert!(capacity(lowest) < 1.01 * before, "a deploy begins no hours: {lowest:?} {before}");
    bench.run(2 * DAY + 300..3 * DAY, 1.0);
    let (after, lowest) = bench.lowest(6, 3 * DAY);
    assert!(capacity(lowest) > 0.9 * after, "{after} {lowest:?}");
}

#[test]
fn a_restart_that_reads_its_history_again_knows_the_hours_with_a_journal_and_without_one() {
    let mut running = Bench::of(Estimator::new(&settings()));
    let now = 10 * DAY + 17;
    running.run(0..now, 1.0);
    let journal = running.estimator.journal();
    let known = [running.lowest(6, now), running.lowest(24, now)];
    let mut restored = Bench::of(Estimator::restore(&settings(), &journal));
    let mut alone = Bench::of(Estimator::new(&settings()));
    for restarted in [&mut restored, &mut alone] {
        restarted.estimator.back_fill_until(at(now));
        restarted.run(0..now, 1.0);
    }
    let same = |restarted: &mut Bench, hours: i64, known: &(f64, Lowest)| {
        let found = restarted.lowest(hours, now);
        assert!((found.0 / known.0 - 1.0).abs() < 0.01, "{found:?} {known:?}");
        let (found, known) = (capacity(found.1), capacity(known.1));
        assert!((found / known - 1.0).abs() < 0.02, "{hours}: {found} {known}");
    };
    for (hours, known) in [6, 24].into_iter().zip(&known) {
        same(&mut restored, hours, known);
    }
    // Without one, a service that does not wander is asked for six hours, and more would cost a start too much.
    same(&mut alone, 6, &known[0]);
    assert_eq!(alone.lowest(24, now).1, Lowest::Nothing);
}

#[test]
fn a_start_without_a_journal_knows_a_day_of_a_service_that_wanders() {
    let now = 6 * DAY + 17;
    let run = |mut bench: Bench| {
        for hour in 0..now / 60 {
            let swings = 1.0 + 0.4 * (hour as f64 / 12.0 * std::f64::consts::TAU).sin();
            bench.run(60 * hour..60 * (hour + 1), swings);
        }
        bench
    };
    let mut running = run(Bench::of(Estimator::new(&settings())));
    let mut begun = Estimator::new(&settings());
    begun.back_fill_until(at(now));
    let mut begun = run(Bench::of(begun));
    let known = capacity(running.lowest(24, now).1);
    let found = capacity(begun.lowest(24, now).1);
    assert!((found / known - 1.0).abs() < 0.05, "{found} {known}");
}

#[test]
fn a_journal_of_an_older_version_makes_raises_wait_once_and_no_longer() {
    let mut running = Bench::of(Estimator::new(&settings()));
    let until = 10 * DAY + 17;
    running.run(0..until, 1.0);
    let mut journal = running.estimator.journal().to_value().unwrap();
    assert!(journal.as_object_mut().unwrap().remove("lows").is_some());
    let journal = Journal::from_value(&journal).unwrap();
    let mut restarted = Bench::of(Estimator::restore(&settings(), &journal));
    restarted.estimator.back_fill_until(at(until + 5));
    restarted.run(0..until + 60, 1.0);
    assert_eq!(restarted.lowest(6, until + 60).1, Lowest::Nothing);
    restarted.run(until + 60..until + 7 * 60, 1.0);
    capacity(restarted.lowest(6, until + 7 * 60).1);
}
