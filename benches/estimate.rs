//! The cost of estimating, and what the tables and histograms save: ratios against a
//! straightforward version that evaluates the formula for every load, width and share.
//!
//! `cargo bench --bench estimate`

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use setpoint::estimate::{Context, Estimator, EstimatorSettings, Scratch};
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::series::Minute;
use setpoint::model::time::Timestamp;
use setpoint::model::units::{LatencyStatistic, RequestsPerSecond};

const DAYS: i64 = 14;

fn main() {
    let minutes: Vec<Minute> = (0..DAYS * 1440).map(minute).collect();
    let mut scratch = Scratch::new();
    let context = Context { configured_target: Some(840.0), safety_factor: 0.7 };
    let mut estimator = Estimator::new(&settings());
    // As at a restart: findings of long ago are not looked for.
    if let Some(last) = minutes.last() {
        estimator.back_fill_until(last.at);
    }
    let pushing = Instant::now();
    for minute in &minutes {
        estimator.push(minute, &context, &mut scratch);
    }
    let per_minute = pushing.elapsed() / minutes.len() as u32;

    let now = at(DAYS * 1440);
    let evaluation = fastest(200, || {
        black_box(estimator.evaluate(&mut scratch, now, &context));
    });
    let loads: Vec<(f64, f64, f64)> = histogram(&minutes);
    let straightforward = fastest(5, || {
        black_box(formula(&loads));
    });
    line("one minute added (limit 10 us)", per_minute, Duration::from_micros(10));
    line("14 days evaluated (limit 1 ms)", evaluation, Duration::from_millis(1));
    line("the formula without tables", straightforward, Duration::from_millis(1));
    let ratio = straightforward.as_secs_f64() / evaluation.as_secs_f64();
    println!("tables and reused buffers: {ratio:.1} times faster than the formula alone");
    println!("state of the variant: {} bytes (limit 12288)", estimator.state_bytes());
}

fn line(what: &str, took: Duration, limit: Duration) {
    let share = took.as_secs_f64() / limit.as_secs_f64();
    println!("{what:<32} {:>10.1} us  {share:>6.2} of the limit", took.as_secs_f64() * 1e6);
}

fn fastest(rounds: u32, mut work: impl FnMut()) -> Duration {
    let one = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..rounds).map(one).min().unwrap_or_default()
}

fn settings() -> EstimatorSettings {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    EstimatorSettings {
        load_test: RequestsPerSecond::new(18.0).ok(),
        ..EstimatorSettings::new(objective)
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_timestamp(1_764_547_200 + minute * 60, 0).unwrap_or_default()
}

fn minute(index: i64) -> Minute {
    let noise = ((index * 7919) % 101) as f64 / 101.0 - 0.5;
    let wave = 660.0 + 140.0 * (index as f64 / 229.0).sin();
    let load = wave * (1.0 + 0.1 * noise) * if index % 240 < 8 { 1.9 } else { 1.0 };
    let over = load * (1.0 + 0.08 * noise) > 1200.0;
    Minute {
        invocations: Some(load * 5.0),
        invocations_per_instance: Some(load),
        latency_us: Some(if over { 400_000.0 } else { 90_000.0 }),
        latency_p50_us: Some(20_000.0 * (1.0 + 0.02 * noise)),
        errors_5xx: Some(0.0),
        ..Minute::empty(at(index))
    }
}

/// Bad and good minutes by load, in the estimator's bins.
fn histogram(minutes: &[Minute]) -> Vec<(f64, f64, f64)> {
    let mut bins = std::collections::BTreeMap::new();
    for m in minutes {
        let Some(load) = m.load() else { continue };
        let bin: &mut (f64, f64) = bins.entry((load.ln() / 0.02).round() as i64).or_default();
        if m.latency_us > Some(250_000.0) { bin.1 += 1.0 } else { bin.0 += 1.0 }
    }
    bins.into_iter().map(|(bin, (good, bad))| (bin as f64 * 0.02, good, bad)).collect()
}

/// lg L of 220 capacities, straight from the documentation.
fn formula(loads: &[(f64, f64, f64)]) -> Vec<f64> {
    let widths = [0.015, 0.025, 0.04, 0.06, 0.09, 0.13, 0.2];
    let shares = [0.002, 0.005, 0.01, 0.02, 0.04];
    let capacity = |i: i32| {
        let c = (0.08_f64 * 1080.0).ln() + f64::from(i) * 0.02;
        let mut total = 0.0;
        for w in widths {
            for e in shares {
                let lg: f64 = loads
                    .iter()
                    .map(|(x, good, bad)| {
                        let p = e + (0.97 - e) / (1.0 + (-((x - c) / w - 2.1972)).exp());
                        bad * p.ln() + good * (1.0 - p).ln()
                    })
                    .sum();
                total += (-((w / 0.055_f64).ln() / 0.7).powi(2) / 2.0 + 0.5 * lg / 100.0).exp();
            }
        }
        total.ln()
    };
    (0..220).map(capacity).collect()
}
