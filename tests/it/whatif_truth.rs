//! What `whatif` predicts against what then happens: fitted on two weeks of the embedded AWS under one
//! target value, judged on the two that follow under another one, with their traffic and without it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod judged;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::ids::{ResourceId, Scope};
use setpoint::model::reaction::{Part, ReactionTime, Spread};
use setpoint::model::series::Minute;
use setpoint::model::units::LatencyStatistic;
use setpoint::ports::{Metric, MetricQuery};
use setpoint::replay::Row;
use setpoint::replay::whatif::{Asked, Report, whatif};
use setpoint::sim::random::Random;
use setpoint::sim::scenario::Change;
use setpoint::sim::service::{Family, Objective as SimObjective, Service, true_capacity};
use setpoint::sim::{Scenario, Sim, traffic};
use setpoint::whatif::{Choice, Question, Tracking, Traffic, ask};

const RESOURCE: &str = "endpoint/e/variant/AllTraffic";
const P99: LatencyStatistic = LatencyStatistic::P99;
/// Monday 1 December 2025, 00:00 UTC, in minutes since the epoch.
const START: usize = 1_764_547_200 / 60;
/// Weeks that are fitted, and weeks that are judged.
const WEEKS: usize = 2;
const WEEK: usize = 7 * 1440;
const SPAN: TimeDelta = TimeDelta::weeks(2);

/// How traffic comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Three steep ramps at the same times of every day.
    Repeating,
    /// Some bursts a day, whenever.
    Spiky,
}

/// What is run.
#[derive(Debug)]
struct Case {
    name: &'static str,
    family: Family,
    kind: Kind,
    seed: u64,
    /// The factor of the first weeks, and that of the later ones.
    before: f64,
    factor: f64,
}

/// Requests by minute, in units of one instance's capacity.
fn demand(kind: Kind, random: &mut Random, weeks: usize) -> Vec<f64> {
    let height = 4.0 + 6.0 * random.uniform();
    let ramps: [(usize, usize, f64); 3] = std::array::from_fn(|_| {
        let begin = (random.uniform() * 1300.0) as usize;
        (begin, begin + 15 + (random.uniform() * 60.0) as usize, 0.3 + 0.9 * random.uniform())
    });
    let (mut left, mut burst, mut slow) = (0_usize, 1.0, 0.0);
    let mut found = Vec::with_capacity(weeks * WEEK);
    for day in 0..weeks * 7 {
        let level = (0.04 * random.normal()).exp() * if day % 7 < 5 { 1.0 } else { 0.6 };
        for minute in 0..1440_usize {
            let wave = 0.65 - 0.35 * (minute as f64 / 1440.0 * std::f64::consts::TAU).cos();
            slow = 0.99 * slow + 0.005 * random.normal();
            let mut rate = height * level * wave * f64::exp(slow);
            if kind == Kind::Repeating {
                let on = ramps.iter().filter(|ramp| (ramp.0..ramp.1).contains(&minute));
                rate *= on.map(|ramp| 1.0 + ramp.2).product::<f64>();
            } else {
                if left == 0 && random.uniform() < 6.0 / 1440.0 {
                    left = 10 + (random.uniform() * 30.0) as usize;
                    burst = 1.2 + random.uniform();
                }
                rate *= if left > 0 { burst } else { 1.0 };
                left = left.saturating_sub(1);
            }
            found.push(rate);
        }
    }
    found
}

/// A variant of the embedded AWS, under a target value.
struct World {
    sim: Sim,
    scope: Scope,
    objective: SimObjective,
    start_up: f64,
    capacity: f64,
}

fn world(case: &Case) -> World {
    world_of(case, None)
}

/// The same with another demand than that of its kind.
fn world_of(case: &Case, other: Option<Vec<f64>>) -> World {
    let mut random = Random::named(case.seed, case.name);
    let (base_ms, saturation) = (20.0 + 60.0 * random.uniform(), 800.0 + 1500.0 * random.uniform());
    let family = case.family;
    let service =
        Service { family, base_ms, saturation, spread: 0.3, noise: 0.03, hiccups: 0.0005 };
    let threshold_ms = base_ms * (4.0 + 6.0 * random.uniform());
    let objective = SimObjective { statistic: P99, threshold_ms, error_rate_max: 0.01 };
    let capacity = true_capacity(&service, &objective);
    let start_up = [3.0, 5.0, 10.0][(random.uniform() * 3.0) as usize];
    let text = format!(
        "
world: {{seed: {}, start: 2025-12-01T00:00:00Z, startup_seconds: {}}}
endpoints:
  - name: e
    variants:
      - instances: 5
        target: {{min: 1, max: 100, policy: {{target_value: {}}}}}
        load: {{service: {}, objective: {}, traffic: [{{steady: {{rate: 1}}}}]}}
",
        case.seed,
        start_up * 60.0,
        case.before * capacity,
        serde_json::to_string(&service).unwrap(),
        serde_json::to_string(&objective).unwrap(),
    );
    let mut scenario = Scenario::parse(&text, "truth").unwrap();
    let mut minutes = other.unwrap_or_else(|| demand(case.kind, &mut random, 2 * WEEKS));
    for rate in &mut minutes {
        *rate *= capacity;
    }
    // A recording starts at the epoch, and begins again at its end.
    minutes.rotate_right(START % (2 * WEEKS * WEEK));
    let minutes: Arc<[f64]> = minutes.into();
    let load = scenario.endpoints[0].variants[0].load.as_mut().unwrap();
    load.traffic = vec![traffic::Part::Replay { path: "weeks".into(), scale: 1.0, minutes }];
    let settings = &scenario.world;
    let scope = Scope { account_id: settings.account_id.clone(), region: settings.region.clone() };
    World { sim: scenario.build().unwrap(), scope, objective, start_up, capacity }
}

impl World {
    /// Lets the weeks pass; what was published in them.
    async fn record(&self) -> Vec<Row> {
        let begin = self.sim.now();
        let end = begin + SPAN;
        self.sim.run_until(end);
        let resource: ResourceId = RESOURCE.parse().unwrap();
        let queries = [
            Metric::Invocations,
            Metric::InvocationsPerInstance,
            Metric::ModelLatency(P99),
            Metric::ModelLatency(LatencyStatistic::P50),
            Metric::Invocation5xxErrors,
        ]
        .map(|metric| MetricQuery {
            instance: None,
            resource: resource.clone(),
            metric,
            period_seconds: 60,
        });
        let aws = setpoint::sim::aws(&self.sim, self.scope.clone());
        let mut found: BTreeMap<_, Minute> = BTreeMap::new();
        let answers = aws.metrics.metric_data(&queries, begin, end).await;
        for (i, points) in answers.into_iter().enumerate() {
            for (at, value) in points.unwrap().iter() {
                let minute = found.entry(at).or_insert_with(|| Minute::empty(at));
                *[
                    &mut minute.invocations,
                    &mut minute.invocations_per_instance,
                    &mut minute.latency_us,
                    &mut minute.latency_p50_us,
                    &mut minute.errors_5xx,
                ][i] = Some(value);
            }
        }
        found.into_values().map(Row::from).collect()
    }

    /// Minutes that broke the objective, and instance-hours, so far.
    fn cost(&self) -> (f64, f64) {
        let truth = self.sim.with_world(|world| world.truth_about(RESOURCE));
        (truth.violation_minutes as f64, truth.instance_hours)
    }

    /// What the weeks that follow bring under another target value: what is published in them, and the
    /// same as above a week.
    async fn then(&self, target_value: f64) -> (Vec<Row>, (f64, f64)) {
        let change = Change::EditPolicy {
            variant: "e/AllTraffic".to_owned(),
            target_value: Some(target_value),
            scale_in_cooldown: None,
            disable_scale_in: None,
        };
        self.sim.with_world(|world| world.change(&change)).unwrap();
        let before = self.cost();
        let rows = self.record().await;
        let after = self.cost();
        let a_week = |before: f64, after: f64| (after - before) / WEEKS as f64;
        (rows, (a_week(before.0, after.0), a_week(before.1, after.1)))
    }

    fn asked(&self, factor: f64) -> Asked {
        let exactly = |minutes: f64| Part::measured(Spread::exactly(minutes), 99).unwrap();
        let threshold_ms = self.objective.threshold_ms;
        let latency = LatencyObjective { statistic: P99, threshold_ms };
        Asked {
            objective: Objective { latency: Some(latency), error_rate_max: 0.01 },
            max_rps: None,
            capacity: None,
            present: None,
            factors: vec![factor],
            mins: vec![1],
            maxs: vec![100],
            scale_out_cooldowns: vec![300],
            scale_in_cooldowns: vec![300],
            fixed: Vec::new(),
            reaction: ReactionTime {
                // A minute shows after two.
                alarm: exactly(5.0),
                activity: exactly(0.0),
                start_up: exactly(self.start_up),
            },
            scale_outs: None,
            traffic_times: 1.0,
            budget: 10.0,
            seed: 1,
        }
    }
}

fn cases() -> Vec<Case> {
    let families = [
        ("queue", Family::WorkerQueue { workers: 4 }),
        ("contention", Family::Contention { slowdown: 0.8 }),
        ("batch", Family::GpuBatch { max_batch: 8, window_ms: 10.0 }),
        ("cliff", Family::Cliff { error_share: 0.3 }),
    ];
    let mut found = Vec::new();
    for (i, (name, family)) in families.into_iter().enumerate() {
        for (kind, seed) in [(Kind::Repeating, 11), (Kind::Spiky, 12)] {
            let factor = [0.7, 0.75, 0.65, 0.8][(i + usize::from(seed == 12)) % 4];
            found.push(Case { name, family, kind, seed, before: 0.6, factor });
        }
    }
    found
}

/// What `whatif` predicts of a choice, bad minutes and instance-hours a week, from a recording and from
/// what is known of capacity.
fn predicted(world: &World, report: &Report, rows: &[Row], factor: f64) -> (f64, f64) {
    let traffic = Traffic::of(rows.iter().map(|row| &row.minute));
    let question = Question {
        traffic: &traffic,
        capacity: report.capacity.clone(),
        reaction: world.asked(factor).reaction,
        budget: 10.0,
        seed: 1,
    };
    let choice = Choice::tracking(Tracking::at(report.base * factor), 1, 100);
    let figures = &ask(&question, &[choice]).figures[0];
    (figures.bad_minutes.mean + report.bad_at_low_load, figures.instance_hours.mean)
}

#[tokio::test]
async fn what_is_predicted_from_the_first_weeks_is_what_the_later_ones_bring() {
    let (mut predicted_in_all, mut happened_in_all) = (0.0, 0.0);
    for case in cases() {
        let world = world(&case);
        let rows = world.record().await;
        let report = whatif(&rows, &world.asked(case.factor)).unwrap();
        let forecast = predicted(&world, &report, &rows, case.factor);
        let named = report.choices.iter().position(|c| c.factor == Some(case.factor)).unwrap();
        let figures = &report.answer.figures[named];
        assert_eq!(forecast.0, figures.bad_minutes.mean + report.bad_at_low_load, "{case:?}");
        let (later, (bad, hours)) = world.then(report.base * case.factor).await;
        // The same knowledge with the traffic that came: what is left is the simulator's own error.
        let knowing = predicted(&world, &report, &later, case.factor);
        let off = |of: (f64, f64)| (of.0 / bad - 1.0, of.1 / hours - 1.0);
        println!(
            "{} {:?} x{}, start-up {}: {bad:.0} bad minutes a week, {:.0} with their traffic ({:+.2}), \
             {:.0} predicted ({:+.2}); {hours:.0} instance-hours ({:+.3}, {:+.3})",
            case.name,
            case.kind,
            case.factor,
            world.start_up,
            knowing.0,
            off(knowing).0,
            forecast.0,
            off(forecast).0,
            off(knowing).1,
            off(forecast).1,
        );
        assert!(off(knowing).1.abs() < OFF_IN_HOURS, "{case:?}: {knowing:?}, {hours} hours came");
        assert!(off(forecast).1.abs() < 0.05, "{case:?}: {forecast:?}, {hours} hours came");
        let near = |of: f64| (of - bad).abs() <= f64::max(OFF * bad, MINUTES_OFF);
        assert!(
            near(knowing.0),
            "{case:?}: {bad} bad minutes, {:.0} with their traffic",
            knowing.0
        );
        let about = (forecast.0 - bad).abs() <= OFF_OF_A_WEEK * bad;
        assert!(about || case.kind == Kind::Spiky, "{case:?}: {bad} bad minutes, {forecast:?}");
        predicted_in_all += forecast.0;
        happened_in_all += bad;
    }
    let off: f64 = predicted_in_all / happened_in_all - 1.0;
    println!("in all: {happened_in_all:.0}, predicted {predicted_in_all:.0} ({off:+.3})");
    assert!(off.abs() < OFF, "{off:+.3} off in all");
}

/// How far the simulator may be off, as docs/whatif.md says.
const OFF: f64 = 0.15;
const OFF_IN_HOURS: f64 = 0.01;
/// Weeks that repeat are still not equal: how far the first may be from the later ones.
const OFF_OF_A_WEEK: f64 = 0.2;
/// Fewer bad minutes a week than this are chance.
const MINUTES_OFF: f64 = 10.0;

/// Bad minutes a week that are accepted when the factor is chosen.
const BUDGET: f64 = 60.0;

#[tokio::test]
async fn the_factor_by_replay_keeps_its_budget_in_the_weeks_that_follow() {
    let families = [
        ("queue", Family::WorkerQueue { workers: 4 }),
        ("batch", Family::GpuBatch { max_batch: 8, window_ms: 10.0 }),
    ];
    let kinds = [Kind::Repeating, Kind::Spiky];
    for (i, kind) in kinds.into_iter().enumerate() {
        let (name, family) = families[i];
        let case = Case { name, family, kind, seed: [11, 12][i], before: 0.6, factor: 0.5 };
        let (chosen, customary) = (world(&case), world(&case));
        let rows = chosen.record().await;
        let report = whatif(&rows, &Asked { budget: BUDGET, ..chosen.asked(case.factor) }).unwrap();
        let allowed = report.allowed.unwrap();
        assert!(allowed.within_budget, "{allowed:?}");
        customary.sim.run_until(chosen.sim.now());
        let (bad, hours) = chosen.then(report.base * allowed.factor).await.1;
        let (bad_of_half, hours_of_half) = customary.then(report.base * 0.5).await.1;
        println!(
            "{name} {kind:?}: factor {:.2} ({:?}), {:.0} bad minutes a week predicted, {bad:.0} happened at \
             {hours:.0} instance-hours; 0.5 has {bad_of_half:.0} at {hours_of_half:.0}",
            allowed.factor, allowed.limit, allowed.bad_minutes
        );
        let accepted = 1.25 * BUDGET + report.bad_at_low_load;
        assert!(bad <= accepted, "{name} {kind:?}: {bad} bad minutes, {accepted:.0} accepted");
        // A lower factor costs more, a higher one less.
        assert_eq!(allowed.factor < 0.5, hours > 1.001 * hours_of_half, "{name} {kind:?}");
    }
}
