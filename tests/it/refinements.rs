//! Each refinement of the estimator on a few fixed runs, with it and without: what it is worth, and
//! that it is at work. The whole set is `setpoint simulate grade`.

use setpoint::estimate::{
    Context, Estimator, EstimatorSettings, Fingerprint, Refinements, Scratch,
};
use setpoint::grade::{Class, Graded, Reported, cases, grade};
use setpoint::model::estimate::{Estimate, Verdict};
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::series::Minute;
use setpoint::model::time::Timestamp;
use setpoint::model::units::{LatencyStatistic, RequestsPerSecond};

const DAY: i64 = 1440;

/// Runs with all refinements, and beside them without one.
pub(crate) async fn runs(class: Class, seeds: std::ops::Range<u64>, without: &str) -> Vec<Graded> {
    assert!(Refinements::NAMES.contains(&without));
    let mut graded = Vec::new();
    for case in cases(&[class], seeds) {
        let beside = Refinements::ALL.without(without);
        graded.push(grade(&case, Refinements::ALL, beside).await.unwrap());
    }
    graded
}

fn last(told: &Reported) -> &Estimate {
    &told.checkpoints.last().unwrap().evaluation.estimate
}

fn off(told: &Reported) -> f64 {
    let checkpoint = told.checkpoints.last().unwrap();
    checkpoint.off(last(told).capacity.estimate.unwrap()).abs()
}

#[tokio::test]
async fn quarter_hours_find_an_undeclared_change_in_little_more_than_one_hour() {
    let runs_of = runs(Class::Undeclared, 0..5, "quarter-hours").await;
    let hours = |told: fn(&Graded) -> &Reported| {
        let mut hours: Vec<f64> = runs_of.iter().map(|r| told(r).found_after.unwrap()).collect();
        hours.sort_by(f64::total_cmp);
        hours
    };
    let (soon, late) = (hours(|r| &r.full), hours(|r| &r.beside));
    // Within the hour and a half, but where the change leaves no load that was fine before. Telemetry
    // is read every quarter of an hour, which is part of it.
    assert!(soon[2] <= 1.5 && soon[3] <= 1.5 && soon[4] < 2.5, "{soon:?}");
    assert!(late[2] > 2.5 && late[0] > soon[3], "{late:?}");
    assert!(runs_of.iter().all(|run| run.full.splits == 1 && run.beside.splits == 1));
    for run in runs(Class::Saturating, 0..3, "quarter-hours").await {
        assert!(run.full.splits <= run.beside.splits, "no more false ones");
    }
}

#[tokio::test]
async fn a_wandering_service_is_never_measured_after_a_week() {
    let with = runs(Class::Wandering, 0..2, "wander-over-changes").await;
    let measured = |told: fn(&Graded) -> &Reported| {
        with.iter().filter(|run| last(told(run)).verdict == Verdict::Measured).count()
    };
    assert_eq!(measured(|run| &run.full), 0);
    // Taken for one that changes, it would be split five to eight times a week.
    let splits =
        |told: fn(&Graded) -> &Reported| with.iter().map(|run| told(run).splits).sum::<u32>();
    let (few, many) = (splits(|run| &run.full), splits(|run| &run.beside));
    assert!(few <= many && few <= 2, "{few} {many}");
    // Reported after a day, where it took two and the changes found on the second one hid it.
    let on_day_3 = |run: &Graded| {
        run.full
            .checkpoints
            .iter()
            .any(|c| c.hour == 48 && c.evaluation.estimate.verdict == Verdict::Inferred)
    };
    assert!(with.iter().any(on_day_3));
    // And before: as soon as hours differ, nothing is `measured`, which takes half a day here.
    for run in &with {
        for checkpoint in &run.full.checkpoints {
            assert_ne!(
                checkpoint.evaluation.estimate.verdict,
                Verdict::Measured,
                "{}",
                checkpoint.hour
            );
        }
        let first = &run.full.checkpoints[0].evaluation.estimate.sentence;
        assert!(first.contains("three days will tell"), "{first}");
    }
    for run in runs(Class::Noise, 0..2, "wander-over-changes").await {
        let first = &run.full.checkpoints[0];
        assert_eq!((first.hour, first.evaluation.estimate.verdict), (12, Verdict::Measured));
    }
    for run in &with {
        assert!(last(&run.full).sentence.contains("wanders"), "{}", last(&run.full).sentence);
    }
}

#[tokio::test]
async fn a_change_that_is_undone_leads_back_to_what_was_known() {
    for run in runs(Class::Reverted, 0..3, "wander-over-changes").await {
        assert_eq!(last(&run.full).verdict, Verdict::Measured);
        assert_eq!(run.full.splits, 1);
        assert!(off(&run.full) < 0.10, "{}", off(&run.full));
    }
}

#[tokio::test]
async fn incidents_every_day_do_not_lower_the_capacity() {
    for run in runs(Class::Incidents, 4..6, "incidents-left-out").await {
        assert!(off(&run.full) < 0.05, "{}", off(&run.full));
        assert_eq!(run.full.false_divergences, 0);
        // The curve of latency makes up for the incidents of the other one by the end of the week.
        if run.seed == 5 {
            assert!(off(&run.beside) > 0.15, "{}", off(&run.beside));
            assert!(run.beside.false_divergences > 0);
        }
        let dropped = &last(&run.full).minutes.dropped;
        let incidents = dropped.of(setpoint::model::estimate::DropReason::Incident);
        assert!((100..=25 * 6).contains(&incidents), "{incidents}");
    }
    // No other run loses minutes for it.
    for run in runs(Class::Bursting, 0..2, "incidents-left-out").await {
        let dropped = &last(&run.full).minutes.dropped;
        assert_eq!(dropped.of(setpoint::model::estimate::DropReason::Incident), 0);
    }
}

#[tokio::test]
async fn evidence_of_a_service_that_becomes_slower_is_counted_in_todays_units() {
    // The fourth checkpoint is the end of the third day.
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for run in runs(Class::Drift, 0..6, "todays-units").await {
        for (told, off) in [(&run.full, &mut with), (&run.beside, &mut without)] {
            let checkpoint = &told.checkpoints[3];
            let capacity = checkpoint.evaluation.estimate.capacity;
            off.push(checkpoint.off(capacity.estimate.unwrap()));
            // A low end above the truth is a target that is too high.
            let low = checkpoint.off(capacity.low.unwrap());
            assert!(low < 0.05 || std::ptr::eq(told, &raw const run.beside), "{}: {low}", run.seed);
        }
    }
    let highest = |off: &[f64]| off.iter().copied().fold(f64::MIN, f64::max);
    let mean = |off: &[f64]| off.iter().map(|off| off.abs()).sum::<f64>() / off.len() as f64;
    assert!(highest(&with) < 0.12 && highest(&without) > 0.18, "{with:?} {without:?}");
    assert!(mean(&with) < 0.6 * mean(&without), "{with:?} {without:?}");
    // A steady service is what it was, with noise and with changes that nobody declared.
    for class in [Class::Noise, Class::Undeclared] {
        for run in runs(class, 0..2, "todays-units").await {
            assert_eq!(last(&run.full).capacity, last(&run.beside).capacity);
        }
    }
}

#[tokio::test]
async fn an_overload_tells_where_the_knee_is_that_bursts_leap_over() {
    let runs_of = runs(Class::Bursting, 7..11, "throughput").await;
    let sum =
        |told: fn(&Graded) -> &Reported| runs_of.iter().map(|run| off(told(run))).sum::<f64>();
    let (with, without) = (sum(|run| &run.full), sum(|run| &run.beside));
    assert!(with < 0.4 * without && with / 4.0 < 0.03, "{with} {without}");
    for run in &runs_of {
        let (full, beside) = (last(&run.full), last(&run.beside));
        assert!(off(&run.full) < 0.08, "{}", off(&run.full));
        // It is an opinion: what is proven stays what it was.
        assert_eq!(full.capacity.lower_bound, beside.capacity.lower_bound);
        assert_eq!(full.verdict, beside.verdict);
        let truth = run.full.checkpoints.last().unwrap().truth.0;
        let capacity = full.capacity;
        assert!(capacity.low.unwrap() <= truth && truth <= capacity.high.unwrap(), "{full:?}");
    }
    for run in runs(Class::Quiet, 7..9, "throughput").await {
        assert_eq!(last(&run.full), last(&run.beside), "no overload, no opinion");
    }
}

#[tokio::test]
async fn one_burst_shows_a_throughput_on_the_first_day() {
    // By the end of the first day, which is the second checkpoint, there were four pairs of minutes.
    let (mut with, mut without) = (0.0, 0.0);
    for seed in [2, 10] {
        let run = &runs(Class::Bursting, seed..seed + 1, "throughput").await[0];
        let of = |told: &Reported| {
            let checkpoint = &told.checkpoints[1];
            let capacity = checkpoint.evaluation.estimate.capacity;
            (checkpoint.off(capacity.estimate.unwrap()), capacity, checkpoint.truth.0)
        };
        let (off, capacity, truth) = of(&run.full);
        assert!(off.abs() < 0.05, "{seed}: {off}");
        assert!(capacity.low < Some(truth) && capacity.high > Some(truth), "{capacity:?}");
        let (off_without, capacity_without, _) = of(&run.beside);
        assert_eq!(capacity.lower_bound, capacity_without.lower_bound, "it is no proof");
        with += off.abs();
        without += off_without.abs();
    }
    assert!(with < 0.5 * without && without / 2.0 > 0.09, "{with} {without}");
}

#[tokio::test]
async fn deep_overloads_and_what_was_served_beyond_the_limit_tell_the_knee_on_the_first_day() {
    // Bursts far above the throughput of one that refuses, whose queues end at what AWS allows in the second
    // minute, and bursts a little beyond the limit of two that never come near their throughput.
    for (class, seed) in [(Class::Undeclared, 3), (Class::Bursting, 12), (Class::Incidents, 1)] {
        let run = &runs(class, seed..seed + 1, "throughput").await[0];
        let of = |told: &Reported| {
            let checkpoint = &told.checkpoints[1];
            let capacity = checkpoint.evaluation.estimate.capacity;
            (checkpoint.off(capacity.estimate.unwrap()), capacity, checkpoint.truth.0)
        };
        let ((with, capacity, truth), (without, proven, _)) = (of(&run.full), of(&run.beside));
        assert!(with.abs() < 0.03 && without < -0.06, "{class:?} {seed}: {with} {without}");
        assert!(capacity.low < Some(truth) && capacity.high > Some(truth), "{capacity:?}");
        assert_eq!(capacity.lower_bound, proven.lower_bound, "it is no proof");
    }
}

#[tokio::test]
async fn a_service_that_refuses_what_is_too_much_holds_nearly_up_to_its_throughput() {
    // Of other services nothing changes.
    let worker = &runs(Class::Bursting, 0..1, "refusals").await[0];
    assert_eq!(worker.full, worker.beside);
    for seed in [3, 7] {
        let run = &runs(Class::Bursting, seed..seed + 1, "refusals").await[0];
        let (with, without) = (off(&run.full), off(&run.beside));
        assert!(with < 0.05 && without > 0.06, "{seed}: {with} {without}");
        let truth = run.full.checkpoints.last().unwrap().truth.0;
        let capacity = last(&run.full).capacity;
        assert!(capacity.low < Some(truth) && capacity.high > Some(truth), "{capacity:?}");
    }
}

#[tokio::test]
async fn without_a_good_minute_below_the_estimate_nothing_is_measured() {
    for run in runs(Class::Collapse, 0..2, "good-minutes-below").await {
        assert_eq!(last(&run.full).verdict, Verdict::Inferred);
        assert_eq!(last(&run.beside).verdict, Verdict::Measured);
    }
    // Nor inferred from a regime before when nothing tells how much slower this one is.
    let beside = Refinements::ALL.without("good-minutes-below");
    assert_eq!(broken_by_a_deploy(Refinements::ALL).verdict, Verdict::AtMost);
    let without = broken_by_a_deploy(beside);
    assert_eq!((without.verdict, without.regime.unwrap().speed_ratio), (Verdict::Inferred, None));
    assert!(without.capacity.low > Some(200.0), "of one that may serve 100: {without:?}");
}

/// The estimator of a service of which `v1` is in force.
fn before_a_deploy(refinements: Refinements) -> Estimator {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    let fingerprint = Some(Fingerprint::of("v1"));
    Estimator::new(&EstimatorSettings {
        refinements,
        fingerprint,
        ..EstimatorSettings::new(objective)
    })
}

/// Measured for two days; then all is bad, at a load that was not seen before.
fn broken_by_a_deploy(refinements: Refinements) -> Estimate {
    let (mut estimator, mut scratch) = (before_a_deploy(refinements), Scratch::new());
    let context = Context { configured_target: Some(600.0), safety_factor: 0.7 };
    let end = 2 * DAY + 240;
    for index in 0..end {
        if index == 2 * DAY {
            estimator.declare(at(index), Fingerprint::of("v2"), &mut scratch);
        }
        let (load, ms) = match index % 60 {
            _ if index >= 2 * DAY => (800.0, 60_000.0),
            55.. => (1500.0, 900.0),
            minute => (500.0 + minute as f64, 90.0),
        };
        let period = Minute {
            invocations: Some(load * 5.0),
            invocations_per_instance: Some(load),
            latency_us: Some(ms * 1000.0),
            latency_p50_us: Some(ms * 500.0),
            errors_5xx: Some(0.0),
            ..Minute::empty(at(index))
        };
        estimator.push(&period, &context, &mut scratch);
    }
    estimator.evaluate(&mut scratch, at(end), &context)
}

/// A service whose capacity falls by the power 2.5 of the ratio of medians.
pub(crate) fn minute(index: i64, slower: f64) -> Minute {
    let mut x = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 31;
    let noise = (x.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
    let wave = 500.0 + 80.0 * (index as f64 / 229.0).sin();
    let load = wave * if index % 240 < 8 { 1.5 + 1.2 * (noise + 0.5) } else { 1.0 };
    let capacity = 1000.0 / slower.powf(2.5);
    let over = load * (1.0 + 0.1 * ((noise * 7919.0).fract())) > capacity * 1.04;
    Minute {
        invocations: Some(load * 5.0),
        invocations_per_instance: Some(load),
        latency_us: Some(if over { 400_000.0 } else { 90_000.0 }),
        latency_p50_us: Some(20_000.0 * slower * (1.0 + 0.02 * noise)),
        errors_5xx: Some(0.0),
        ..Minute::empty(at(index))
    }
}

pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_timestamp(1_764_547_200 + minute * 60, 0).unwrap()
}

/// Two deploys, the second seen for two quiet hours; what is said of it.
fn after_the_second_deploy(refinements: Refinements) -> Estimate {
    let (mut estimator, mut scratch) = (before_a_deploy(refinements), Scratch::new());
    let context = Context { configured_target: Some(600.0), safety_factor: 0.7 };
    // 13 minutes into a burst's pause, so that nothing of the new one is seen near its limit.
    let (first, second) = (3 * DAY + 13, 6 * DAY + 13);
    for index in 0..second + 120 {
        match index {
            i if i == first => estimator.declare(at(i), Fingerprint::of("v2"), &mut scratch),
            i if i == second => estimator.declare(at(i), Fingerprint::of("v3"), &mut scratch),
            _ => {}
        }
        let slower = if (first..second).contains(&index) { 1.25 } else { 1.0 };
        estimator.push(&minute(index, slower), &context, &mut scratch);
    }
    estimator.evaluate(&mut scratch, at(second + 120), &context)
}

#[test]
fn a_measured_change_teaches_how_capacity_follows_the_median() {
    let with = after_the_second_deploy(Refinements::ALL);
    let without = after_the_second_deploy(Refinements::ALL.without("learned-power"));
    let off = |e: &Estimate| (e.capacity.estimate.unwrap() / 1000.0 - 1.0).abs();
    assert_eq!((with.verdict, without.verdict), (Verdict::Inferred, Verdict::Inferred));
    assert!(off(&with) < 0.7 * off(&without), "{with:?}\n{without:?}");
}

/// How often in a week a service whose payload swings with the time of day is taken for a wandering one, or no
/// longer so, looked at every hour.
fn turns(swing: f64, refinements: Refinements) -> usize {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    let settings = EstimatorSettings {
        fingerprint: Some(Fingerprint::of("v1")),
        refinements,
        ..EstimatorSettings::new(objective)
    };
    let (mut estimator, mut scratch) = (Estimator::new(&settings), Scratch::new());
    let context = Context { configured_target: Some(600.0), safety_factor: 0.7 };
    let mut wanders = Vec::new();
    for index in 0..7 * DAY {
        let phase = index as f64 / DAY as f64 * std::f64::consts::TAU;
        estimator.push(&minute(index, 1.0 + swing * (phase + 1.5).sin()), &context, &mut scratch);
        if index % 60 == 59 {
            let estimate = estimator.evaluate(&mut scratch, at(index + 1), &context);
            wanders.push(estimate.sentence.contains("latency at equal load wanders, "));
        }
    }
    wanders.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[test]
fn a_payload_about_the_limit_is_not_judged_otherwise_from_hour_to_hour() {
    let of = |refinements: Refinements| -> Vec<usize> {
        (8..24).map(|swing| turns(f64::from(swing) / 100.0, refinements)).collect()
    };
    let (with, without) =
        (of(Refinements::ALL), of(Refinements::ALL.without("wander-over-changes")));
    assert!(with.iter().all(|turns| *turns <= 2), "{with:?} {without:?}");
    assert!(without.iter().max() > with.iter().max(), "{with:?} {without:?}");
}

/// What is said of a service with a load test after so many minutes.
fn said_of(
    load_test: f64,
    minutes: std::ops::Range<i64>,
    minute: impl Fn(i64) -> Minute,
    deploy: Option<i64>,
) -> Estimate {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    let settings = EstimatorSettings {
        fingerprint: Some(Fingerprint::of("v1")),
        load_test: RequestsPerSecond::new(load_test / 60.0).ok(),
        ..EstimatorSettings::new(objective)
    };
    let (mut estimator, mut scratch) = (Estimator::new(&settings), Scratch::new());
    let context = Context { configured_target: Some(600.0), safety_factor: 0.7 };
    let end = minutes.end;
    for index in minutes {
        if deploy == Some(index) {
            estimator.declare(at(index), Fingerprint::of("v2"), &mut scratch);
        }
        estimator.push(&minute(index), &context, &mut scratch);
    }
    estimator.evaluate(&mut scratch, at(end), &context)
}

/// A minute at a load, good or bad.
fn plain(index: i64, load: f64, bad: bool) -> Minute {
    Minute {
        invocations: Some(load * 5.0),
        invocations_per_instance: Some(load),
        latency_us: Some(if bad { 400_000.0 } else { 90_000.0 }),
        latency_p50_us: Some(20_000.0),
        errors_5xx: Some(0.0),
        ..Minute::empty(at(index))
    }
}

#[test]
fn a_regime_of_which_nothing_was_seen_hands_nothing_on_and_the_load_test_is_not_blurred() {
    // An hour and more without a datapoint of latency, in which a deploy may fall.
    let minute = |index: i64| match index {
        0..75 => Minute { latency_us: None, ..plain(index, 500.0, false) },
        _ => plain(index, 500.0 + (index % 41) as f64, false),
    };
    let (with, without) =
        (said_of(1000.0, 0..600, minute, Some(60)), said_of(1000.0, 0..600, minute, None));
    assert_eq!((with.verdict, without.verdict), (Verdict::AtLeast, Verdict::AtLeast));
    assert!(with.regime.is_some_and(|r| r.declared && !r.first), "the deploy began a regime");
    assert_eq!(with.capacity, without.capacity);
    // Once something was seen, a deploy without a ratio of medians does blur it: above a bound, the middle
    // of a wider opinion lies higher.
    let seen = |index: i64| {
        let minute = plain(index, 500.0 + (index % 41) as f64, false);
        Minute { latency_p50_us: None, ..minute }
    };
    let (with, without) =
        (said_of(1000.0, 0..600, seen, Some(300)), said_of(1000.0, 0..600, seen, None));
    assert!(with.capacity.estimate > without.capacity.estimate, "{with:?}\n{without:?}");
}

#[test]
fn where_a_third_of_the_minutes_below_the_estimate_is_bad_nothing_is_measured() {
    // The load test promises five times the loads seen, of which a share breaks the objective.
    let of = |bad_in_eleven: i64| {
        let minute = move |index: i64| {
            plain(index, 300.0 + (index % 7) as f64, index * 7 % 11 < bad_in_eleven)
        };
        said_of(1500.0, 0..44, minute, None)
    };
    let (broken, fine) = (of(4), of(3));
    for said in [&broken, &fine] {
        assert!(said.capacity.estimate.unwrap() > 310.0, "all minutes lie below it: {said:?}");
    }
    assert_eq!((broken.verdict, fine.verdict), (Verdict::AtMost, Verdict::Measured));
}

/// Sixteen days with an incident each day, an undeclared change that is undone, and a deploy.
fn eventful(estimator: &mut Estimator, from: i64, to: i64) {
    let mut scratch = Scratch::new();
    let context = Context { configured_target: Some(600.0), safety_factor: 0.7 };
    for index in from..to {
        if index == 2 * DAY + 100 {
            estimator.declare(at(index), Fingerprint::of("v2"), &mut scratch);
        }
        let slower = if (7 * DAY..8 * DAY + 700).contains(&index) { 1.25 } else { 1.0 };
        let incident = (600..625).contains(&(index % DAY));
        let mut minute = minute(index, slower);
        if incident {
            minute.latency_us = Some(900_000.0);
            minute.latency_p50_us = minute.latency_p50_us.map(|us| 3.0 * us);
        }
        estimator.push(&minute, &context, &mut scratch);
    }
}

#[test]
fn a_restart_knows_of_the_incidents_and_changes_of_before() {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
    let settings = EstimatorSettings {
        fingerprint: Some(Fingerprint::of("v1")),
        ..EstimatorSettings::new(objective)
    };
    let mut running = Estimator::new(&settings);
    // The journal is written in the middle of an incident.
    let until = 16 * DAY + 612;
    eventful(&mut running, 0, until);
    let journal = running.journal().to_value().unwrap();
    assert!(journal.to_string().len() <= 2048, "{} bytes", journal.to_string().len());
    let mut restarted =
        Estimator::restore(&settings, &setpoint::estimate::Journal::from_value(&journal).unwrap());
    eventful(&mut restarted, 2 * DAY, until);
    let mut scratch = Scratch::new();
    let context = Context { configured_target: Some(600.0), safety_factor: 0.7 };
    for hour in 0..3 {
        let now = until + hour * 60;
        let (a, b) = (
            running.evaluate(&mut scratch, at(now), &context),
            restarted.evaluate(&mut scratch, at(now), &context),
        );
        // The fit behind replays goes further back than the history that is read again.
        let fit = a.fit.clone();
        assert_eq!(a, setpoint::model::estimate::Estimate { fit, ..b });
        let incidents = a.minutes.dropped.of(setpoint::model::estimate::DropReason::Incident);
        assert!((250..=25 * 14).contains(&incidents), "{incidents}");
        eventful(&mut running, now, now + 60);
        eventful(&mut restarted, now, now + 60);
    }
    assert!(running.state_bytes() <= 12 * 1024, "{}", running.state_bytes());
}
