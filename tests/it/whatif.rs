//! Tests of `whatif`: its predictions against the embedded AWS, what holds for any traffic, and the
//! contract of the command line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fmt::Write as _;
use std::process::{Command, Output};
use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::Value;
use setpoint::model::reaction::{Part, ReactionTime, Spread};
use setpoint::model::units::LatencyStatistic;
use setpoint::sim::Scenario;
use setpoint::sim::service::{Family, Objective, Service, true_capacity};
use setpoint::sim::traffic;
use setpoint::whatif::draws::CapacityBelief;
use setpoint::whatif::{Choice, Draw, Question, Tracking, Traffic, ask, run};

/// Monday 1 December 2025, 00:00 UTC.
const START: i64 = 1_764_547_200;
const DAYS: u32 = 7;

/// A wave over the day with bursts and steep ramps, in units of one instance's capacity.
fn demand(minute: usize) -> f64 {
    let day = minute as f64 / 1440.0 * std::f64::consts::TAU;
    let wave = 5.0 - 3.0 * day.cos();
    let burst = if minute % 397 < 23 { 1.8 } else { 1.0 };
    let ramp = if (600..900).contains(&(minute % 1440)) { 1.6 } else { 1.0 };
    wave * burst * ramp
}

/// A week of the embedded AWS: minutes that broke the objective, and instance-hours.
fn happens(service: &Service, objective: Objective, requests: &[f64], target: f64) -> (f64, f64) {
    let text = format!(
        "
world: {{seed: 11, start: 2025-12-01T00:00:00Z}}
endpoints:
  - name: e
    variants:
      - instances: 5
        target: {{min: 1, max: 100, policy: {{target_value: {target}}}}}
        load: {{service: {}, objective: {}, traffic: [{{steady: {{rate: 1}}}}]}}
",
        serde_json::to_string(service).unwrap(),
        serde_json::to_string(&objective).unwrap(),
    );
    let mut scenario = Scenario::parse(&text, "whatif").unwrap();
    let load = scenario.endpoints[0].variants[0].load.as_mut().unwrap();
    // A recording starts at the epoch, and begins again at its end.
    let offset = usize::try_from(START / 60).unwrap() % requests.len();
    let mut minutes = requests.to_vec();
    minutes.rotate_right(offset);
    let minutes: Arc<[f64]> = minutes.into();
    load.traffic = vec![traffic::Part::Replay { path: "week".into(), scale: 1.0, minutes }];
    let sim = scenario.build().unwrap();
    let end = sim.now() + TimeDelta::days(DAYS.into());
    sim.run_until(end);
    let truth = sim.with_world(|world| world.truth_about("endpoint/e/variant/AllTraffic"));
    (truth.violation_minutes as f64, truth.instance_hours)
}

/// The embedded AWS's own reaction: a minute shows after two, and instances start in four.
fn reaction() -> ReactionTime {
    let exactly = |minutes: f64| Part::measured(Spread::exactly(minutes), 99).unwrap();
    ReactionTime { alarm: exactly(5.0), activity: exactly(0.0), start_up: exactly(4.0) }
}

#[test]
fn predicted_instance_hours_are_what_the_embedded_aws_then_runs() {
    for (name, family, base_ms) in [
        ("queue", Family::WorkerQueue { workers: 4 }, 40.0),
        ("contention", Family::Contention { slowdown: 0.8 }, 30.0),
        ("batch", Family::GpuBatch { max_batch: 8, window_ms: 10.0 }, 60.0),
        ("cliff", Family::Cliff { error_share: 0.3 }, 25.0),
    ] {
        let saturation = 1200.0;
        let service =
            Service { family, base_ms, saturation, spread: 0.3, noise: 0.03, hiccups: 0.0 };
        let threshold_ms = base_ms * 6.0;
        let statistic = LatencyStatistic::P99;
        let objective = Objective { statistic, threshold_ms, error_rate_max: 0.01 };
        let capacity = true_capacity(&service, &objective);
        let requests: Vec<f64> = (0..DAYS as usize * 1440).map(|m| demand(m) * capacity).collect();
        let recorded: Vec<f32> = requests.iter().map(|r| *r as f32).collect();
        let traffic = Traffic::new(START / 60, recorded);
        let question = Question {
            traffic: &traffic,
            capacity: CapacityBelief::new(capacity, 0.0).unwrap(),
            reaction: reaction(),
            budget: 10.0,
            seed: 1,
        };
        for factor in [0.6, 0.8] {
            let target = capacity * factor;
            let choice = Choice::tracking(Tracking::at(target), 1, 100);
            let predicted = &ask(&question, &[choice]).figures[0];
            let (bad, hours) = happens(&service, objective, &requests, target);
            let off = predicted.instance_hours.mean / hours - 1.0;
            println!(
                "{name} {factor}: {hours:.0} instance-hours, predicted {off:+.3} off; {bad} bad \
                      minutes, predicted {:.0}",
                predicted.bad_minutes.mean
            );
            assert!(off.abs() <= 0.05, "{name} {factor}: {hours} instance-hours, {off:+.3} off");
        }
    }
}

fn some_traffic() -> impl Strategy<Value = Traffic> {
    let minutes =
        prop::collection::vec((1..60_usize, 0.0..20_000.0_f32, prop::bool::weighted(0.05)), 4..60);
    minutes.prop_map(|pieces| {
        let piece = |(n, rate, gap): (usize, f32, bool)| vec![if gap { f32::NAN } else { rate }; n];
        Traffic::new(START / 60, pieces.into_iter().flat_map(piece).collect())
    })
}

fn draws(capacity: f64) -> Vec<Draw> {
    let belief = CapacityBelief::new(capacity, 0.05).unwrap();
    Draw::all(&belief, &ReactionTime::prior(None), 4, 5)
}

fn total(traffic: &Traffic, choice: &Choice) -> (f64, f64) {
    let outcomes = run(traffic, choice, &draws(1000.0));
    let sum = |of: &dyn Fn(&setpoint::whatif::Outcome) -> f64| outcomes.iter().map(of).sum::<f64>();
    (sum(&|o| o.bad_minutes), sum(&|o| o.instance_minutes))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn one_more_fixed_instance_never_breaks_more_minutes(traffic in some_traffic(), n in 1..30_u32) {
        let (few, more) = (total(&traffic, &Choice::fixed(n)), total(&traffic, &Choice::fixed(n + 1)));
        prop_assert!(more.0 <= few.0 + 1e-9, "{few:?} {more:?}");
        prop_assert!(more.1 > few.1);
    }

    #[test]
    fn counts_stay_within_what_is_allowed(
        traffic in some_traffic(), target in 50.0..2000.0, min in 1..5_u32, more in 0..20_u32,
    ) {
        let choice = Choice::tracking(Tracking::at(target), min, min + more);
        for outcome in run(&traffic, &choice, &draws(1000.0)) {
            let minutes = traffic.len() as f64;
            prop_assert!(outcome.instance_minutes >= f64::from(min) * minutes);
            prop_assert!(outcome.instance_minutes <= f64::from(min + more) * minutes);
            prop_assert!(outcome.bad_minutes <= f64::from(outcome.minutes));
            prop_assert!(outcome.peak_instances <= min + more);
        }
    }

    #[test]
    fn twice_the_traffic_on_twice_the_capacity_is_the_same(
        traffic in some_traffic(), target in 100.0..2000.0,
    ) {
        let choice = |target| Choice::tracking(Tracking::at(target), 1, 50);
        let one = run(&traffic, &choice(target), &draws(1000.0));
        let two = run(&traffic.times(2.0), &choice(2.0 * target), &draws(2000.0));
        for (a, b) in one.iter().zip(&two) {
            prop_assert!((a.bad_minutes - b.bad_minutes).abs() < 1e-6);
            prop_assert_eq!(a.instance_minutes, b.instance_minutes);
        }
    }
}

#[test]
fn a_higher_factor_breaks_more_minutes_for_fewer_hours_in_expectation() {
    // Single traffics may differ by chance of where a step falls; their sum does not.
    let traffics: Vec<Traffic> = (0..24)
        .map(|shift| {
            let rate = |m: usize| (demand(m * (1 + shift % 3) + shift * 61) * 1000.0) as f32;
            Traffic::new(START / 60, (0..1440).map(rate).collect())
        })
        .collect();
    let sums: Vec<(f64, f64)> = [0.3, 0.5, 0.7, 0.9]
        .iter()
        .map(|factor| {
            let choice = Choice::tracking(Tracking::at(1000.0 * factor), 1, 1000);
            let add = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
            traffics.iter().map(|t| total(t, &choice)).fold((0.0, 0.0), add)
        })
        .collect();
    assert!(sums.is_sorted_by(|a, b| a.0 < b.0 && a.1 > b.1), "{sums:?}");
}

fn recording(days: usize) -> tempfile::NamedTempFile {
    let mut text = String::from(
        "timestamp,invocations,invocations_per_instance,latency_p99_us,latency_p50_us,errors_5xx,\
         configured_target\n",
    );
    for minute in 0..days * 1440 {
        let at = chrono::DateTime::from_timestamp(START + i64::try_from(minute).unwrap() * 60, 0)
            .unwrap();
        let requests = (demand(minute) * 1000.0).round();
        let load = requests / 20.0;
        let stamp = at.format("%Y-%m-%dT%H:%M:%SZ");
        let _ = writeln!(text, "{stamp},{requests},{load},90000,20000,0,500");
    }
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn setpoint(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_setpoint")).arg("whatif").args(args).output().unwrap()
}

fn refused(args: &[&str]) -> (Option<i32>, String) {
    let output = setpoint(args);
    assert!(output.stdout.is_empty(), "{args:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_table_marks_the_present_setting_and_the_cheapest_choice() {
    let file = recording(2);
    let page = tempfile::NamedTempFile::new().unwrap();
    let output = setpoint(&[
        file.path().to_str().unwrap(),
        "--capacity=1000",
        "--safety-factor=0.3,0.5,0.7",
        "--fixed=20",
        "--price-per-hour=0.25",
        "--budget=100",
        "--html",
        page.path().to_str().unwrap(),
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    expect_test::expect_file!["golden/whatif.txt"].assert_eq(&text);
    let page = std::fs::read_to_string(page.path()).unwrap();
    for part in ["<svg", "dots configured", "factor 0.5", "budget"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http"), "the page needs nothing else");
}

#[test]
fn json_has_exactly_the_documented_fields() {
    let file = recording(2);
    let path = file.path().to_str().unwrap();
    let args = [path, "--capacity=1000", "--traffic=x1.5", "--start-up=10m", "-o", "json"];
    let output = setpoint(&args);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&answer),
        "name capacity reaction_minutes scale_outs_seen traffic week_explained bad_minutes_recorded \
         bad_minutes_at_low_load budget present cheapest choices highest_factor floors"
    );
    assert_eq!(
        keys(&answer["choices"][0]),
        "name safety_factor target_value fixed min max instance_hours cost bad_minutes \
         lost_requests scale_events peak_instances buffer_at_peak buffer_one_gone within_budget \
         against_present"
    );
    assert_eq!(answer["present"], 0);
    assert_eq!(answer["choices"][0]["target_value"], 500.0);
    assert_eq!(answer["reaction_minutes"]["start_up"]["p50"], 10.0);
    assert_eq!(answer["reaction_minutes"]["start_up"]["source"], "stated");
    assert_eq!(answer["floors"]["proposed"], false);
    // The same question has the same answer.
    assert_eq!(setpoint(&args).stdout, output.stdout);
    let csv = setpoint(&[path, "--capacity=1000", "--traffic=x1.5", "--start-up=10m", "-o", "csv"]);
    let csv = String::from_utf8(csv.stdout).unwrap();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let names: Vec<String> = rows.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let choices = answer["choices"].as_array().unwrap();
    assert_eq!(rows.len(), choices.len());
    let cell = |row: usize, name: &str| {
        let column = names.iter().position(|n| n == name).unwrap();
        rows[row][column].to_owned()
    };
    assert_eq!(cell(0, "name"), "present");
    assert_eq!(cell(0, "target_value"), "500.0");
    assert!(cell(0, "marked").contains("present"), "{csv}");
    assert_eq!(cell(0, "instance_hours"), choices[0]["instance_hours"]["mean"].to_string());
    let peak = answer["traffic"]["peak"].as_f64().unwrap();
    let as_recorded = setpoint(&[path, "--capacity=1000", "-o", "json"]);
    let as_recorded: Value = serde_json::from_slice(&as_recorded.stdout).unwrap();
    assert!((peak / as_recorded["traffic"]["peak"].as_f64().unwrap() - 1.5).abs() < 1e-3);
}

#[test]
fn the_configured_objective_counts_and_a_flag_goes_before_it() {
    let file = recording(2);
    let path = file.path().to_str().unwrap();
    let config = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    let objective = "{latency: {statistic: p99, threshold_ms: 250}}";
    std::fs::write(config.path(), format!("defaults: {{objective: {objective}}}\n")).unwrap();
    let (_, without) = refused(&[path]);
    assert!(without.contains("no latency objective"), "{without}");
    let config = format!("--config={}", config.path().display());
    let (_, with) = refused(&[path, &config]);
    assert!(!with.contains("no latency objective"), "{with}");
    let (_, stated) = refused(&[path, "--slo=p99=250ms"]);
    assert_eq!(with, stated);
    let (_, other) = refused(&[path, &config, "--slo=p99=50ms"]);
    assert_ne!(other, stated);
}

#[test]
fn a_price_is_that_of_the_instance_type_or_none() {
    let file = recording(2);
    let path = file.path().to_str().unwrap();
    let prices = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(prices.path(), "ml.c5.xlarge: 0.25\n").unwrap();
    let prices = format!("--prices={}", prices.path().display());
    let asked = |more: &[&str]| {
        let args: Vec<&str> = [path, "--capacity=1000"].iter().chain(more).copied().collect();
        setpoint(&args)
    };
    let by_type = asked(&[&prices, "--instance-type=ml.c5.xlarge"]);
    let stated = asked(&["--price-per-hour=0.25", "--instance-type=ml.c5.xlarge"]);
    assert_eq!(by_type.stdout, stated.stdout);
    assert!(String::from_utf8(by_type.stdout).unwrap().contains("COST/WEEK"));
    let unknown = asked(&[&prices, "--instance-type=ml.g5.xlarge"]);
    let error = String::from_utf8(unknown.stderr).unwrap();
    assert!(error.contains("no price of ml.g5.xlarge"), "{error}");
    assert_eq!(asked(&[&prices]).status.code(), Some(64));
}

#[test]
fn what_cannot_be_answered_says_why_and_what_to_do() {
    let file = recording(1);
    let path = file.path().to_str().unwrap();
    let (code, error) = refused(&[path]);
    assert_eq!(code, Some(1));
    assert!(error.contains("capacity") && error.contains("--max-rps"), "{error}");
    for (flag, word) in [
        ("--safety-factor=1.5", "safety factor"),
        ("--traffic=x0", "multiple"),
        ("--budget=-1", "budget"),
        ("--fixed=0", "0 is not in"),
        ("--price-per-hour=free", "price"),
    ] {
        let (code, error) = refused(&[path, "--capacity=1000", flag]);
        assert_eq!(code, Some(64), "{flag}: {error}");
        assert!(error.contains(word), "{flag}: {error}");
    }
    let many = (1..=30).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let (many_min, many_max) = (format!("--min={many}"), format!("--max={many}"));
    let (code, error) = refused(&[path, "--capacity=1000", &many_min, &many_max]);
    assert_eq!(code, Some(1));
    assert!(error.contains("400"), "{error}");
    let (code, error) = refused(&["nowhere/at/all"]);
    assert_eq!(code, Some(64));
    assert!(error.contains("ENDPOINT/VARIANT"), "{error}");
    let load_test = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calibrate/wrk.txt");
    let (_, error) = refused(&[load_test, "--capacity=1000"]);
    assert!(error.contains("setpoint calibrate"), "{error}");
}
