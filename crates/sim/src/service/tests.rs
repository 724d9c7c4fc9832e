//! Tests of the service models and their true capacity.

use super::capacity::bad_share_of;
use super::*;
use setpoint_core::model::units::LatencyStatistic;

fn service(family: Family) -> Service {
    Service { family, base_ms: 40.0, saturation: 1800.0, spread: 0.3, noise: 0.03, hiccups: 0.0005 }
}

fn families() -> [Service; 4] {
    [
        service(Family::WorkerQueue { workers: 4 }),
        service(Family::Contention { slowdown: 1.0 }),
        service(Family::GpuBatch { max_batch: 32, window_ms: 20.0 }),
        service(Family::Cliff { error_share: 0.3 }),
    ]
}

const OBJECTIVE: Objective =
    Objective { statistic: LatencyStatistic::P99, threshold_ms: 300.0, error_rate_max: 0.01 };

#[test]
fn the_truth_is_where_a_tenth_of_the_minutes_are_bad() {
    for service in families() {
        let capacity = true_capacity(&service, &OBJECTIVE);
        assert!(capacity > 300.0 && capacity < 2000.0, "{service:?}: {capacity}");
        // An independent seed and ten times the minutes.
        let mut random = Random::named(99, "brute force");
        let share = |f: f64, r: &mut Random| {
            bad_share_of((&service, 4.0), &OBJECTIVE, capacity * f, 6000, r)
        };
        assert!(share(0.95, &mut random) < 0.10, "{service:?}: {capacity}");
        assert!(share(1.05, &mut random) > 0.10, "{service:?}: {capacity}");
    }
}

#[test]
fn a_threshold_below_the_base_latency_leaves_no_capacity() {
    let objective = Objective { threshold_ms: 20.0, ..OBJECTIVE };
    assert!(true_capacity(&families()[0], &objective).abs() < f64::EPSILON);
}

#[test]
fn the_truth_depends_on_the_fleet_only_where_the_objective_is_tight() {
    let single = service(Family::WorkerQueue { workers: 1 });
    let of = |threshold_ms: f64, instances: f64| {
        true_capacity_of(&single, &Objective { threshold_ms, ..OBJECTIVE }, instances)
    };
    // The p99 of a lone request is 80 ms; closer to it there is hardly any capacity.
    assert!(of(150.0, 12.0) > 1.1 * of(150.0, 2.0));
    assert!((of(400.0, 12.0) / of(400.0, 2.0) - 1.0).abs() < 0.05);
}

#[test]
fn a_gpu_is_slower_at_low_load_than_at_half_load() {
    let gpu = Service {
        noise: 0.0,
        hiccups: 0.0,
        ..service(Family::GpuBatch { max_batch: 32, window_ms: 80.0 })
    };
    let mut random = Random::named(3, "gpu");
    let mut p50 = |load: f64| {
        let demand = Demand { requests: load * 50.0, instances: 50.0, cold_share: 0.0, speed: 1.0 };
        gpu.serve(&demand, &mut 0.0, &mut random).latency(LatencyStatistic::P50)
    };
    assert!(p50(10.0) > 1.1 * p50(900.0));
}

#[test]
fn overload_leaves_a_backlog_that_drains() {
    let queue = &families()[0];
    let mut random = Random::named(3, "queue");
    let mut backlog = 0.0;
    let mut p50 = |load: f64| {
        let demand = Demand { requests: load, instances: 1.0, cold_share: 0.0, speed: 1.0 };
        queue.serve(&demand, &mut backlog, &mut random).latency(LatencyStatistic::P50)
    };
    let calm = p50(600.0);
    p50(2600.0);
    let after = p50(600.0);
    p50(600.0);
    let later = p50(600.0);
    assert!(after > calm * 10.0, "{after} {calm}");
    assert!(later < calm * 1.5, "{later} {calm}");
}

#[test]
fn percentiles_are_ordered_and_noisier_with_fewer_requests() {
    let queue = &families()[0];
    let mut random = Random::named(5, "order");
    let mut spread = |requests: f64| {
        let logs: Vec<f64> = (0..400)
            .map(|_| {
                let demand =
                    Demand { requests, instances: requests / 300.0, cold_share: 0.0, speed: 1.0 };
                let served = queue.serve(&demand, &mut 0.0, &mut random);
                assert!(served.percentiles_us.is_sorted(), "{served:?}");
                libm::log(served.percentiles_us[3])
            })
            .collect();
        let mean = logs.iter().sum::<f64>() / 400.0;
        logs.iter().map(|l| (l - mean) * (l - mean)).sum::<f64>() / 400.0
    };
    assert!(spread(50.0) > 3.0 * spread(5000.0));
}

#[test]
fn without_instances_everything_fails() {
    let demand = Demand { requests: 9.0, instances: 0.0, cold_share: 0.0, speed: 1.0 };
    let served = families()[0].serve(&demand, &mut 0.0, &mut Random::named(1, "none"));
    assert!((served.errors - 9.0).abs() < f64::EPSILON);
}

#[test]
fn the_tails_of_service_and_wait_do_not_add() {
    let mut random = Random::named(11, "sum");
    for (spread, wait_us, wait_share) in
        [(0.3, 1.0, 0.9), (0.3, 1.0, 0.2), (0.3, 4.0, 0.5), (0.6, 0.5, 0.7), (0.15, 0.1, 1.0)]
    {
        let latency = Latency {
            median_us: 1e5,
            spread,
            delay_us: 0.0,
            wait_us: wait_us * 1e5,
            wait_share,
            cold_share: 0.0,
        };
        let mut drawn: Vec<f64> = (0..200_000)
            .map(|_| {
                let service = 1e5 * libm::exp(spread * random.normal());
                let waits = random.uniform() < wait_share;
                let wait = -libm::log(1.0 - random.uniform()) * wait_us * 1e5;
                service + if waits { wait } else { 0.0 }
            })
            .collect();
        drawn.sort_by(f64::total_cmp);
        for tail in [0.05, 0.01] {
            let truth = drawn[((1.0 - tail) * drawn.len() as f64) as usize];
            let said = latency.at_tail(tail);
            assert!(
                (said / truth - 1.0).abs() < 0.04,
                "{spread} {wait_us} {wait_share} {tail}: {said} {truth}"
            );
        }
    }
}
