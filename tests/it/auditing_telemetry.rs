//! Tests of `audit --telemetry` with the finished binary: priced before anything is read, read after a
//! yes only, and right about a world whose truth is known.

use serde_json::Value;
use setpoint::audit::GUESSED_CODES;
use setpoint::sim::api::Operation;

use crate::daemon::process::{Directory, Served, run};

/// One target value is half of what an instance can serve, one lies above it, and one variant has
/// hardly any traffic. Each has been running for a week.
const ENDPOINTS: &str = "
  - name: fraud-scorer
    variants:
      - instances: 4
        target: {min: 2, max: 20, policy: {target_value: 600, scale_out_cooldown: 60, scale_in_cooldown: 300}}
        load:
          service: {family: {worker_queue: {workers: 4}}, base_ms: 50, saturation: 1900}
          objective: {statistic: p99, threshold_ms: 250}
          traffic: [diurnal: {low: 900, high: 3200, peak_hour: 14}, bursts: {per_day: 2, rate: 700, minutes: 12}]
  - name: search-ranker
    variants:
      - instances: 5
        target: {min: 5, max: 30, policy: {target_value: 2600, scale_out_cooldown: 60, scale_in_cooldown: 300}}
        load:
          service: {family: {worker_queue: {workers: 4}}, base_ms: 50, saturation: 1900}
          objective: {statistic: p99, threshold_ms: 250}
          traffic: [diurnal: {low: 1500, high: 8500, peak_hour: 13}, bursts: {per_day: 4, rate: 3500, minutes: 15}]
  - name: asleep
    variants:
      - instances: 2
        target: {min: 2, max: 4, policy: {target_value: 600, scale_out_cooldown: 60, scale_in_cooldown: 300}}
        load:
          service: {family: {worker_queue: {workers: 4}}, base_ms: 50, saturation: 1900}
          objective: {statistic: p99, threshold_ms: 250}
          traffic: [diurnal: {low: 1, high: 3, peak_hour: 13}]
";

fn served() -> Served {
    Served::in_world("{hour_at_start: 12, seed: 7}\nhistory_days: 7", ENDPOINTS)
}

/// The audit of this world with these flags: exit code, stdout, stderr.
fn audit(served: &Served, flags: &[&str]) -> (Option<i32>, String, String) {
    let directory = Directory::new();
    let config = directory.configure(&served.url, "");
    let config = config.to_str().unwrap();
    run(&[&["audit", "--config", config, "--telemetry"], flags].concat())
}

/// The sentence with the price comes before anything that costs.
fn assert_priced(err: &str) {
    // 3 variants of 8 metrics, and of 18 where traffic is thin.
    assert!(err.contains("about $0.0003, at most $0.0006: 3 variants"), "{err}");
    assert!(err.contains("Objectives are guessed"), "{err}");
}

#[test]
fn nothing_is_paid_for_without_a_yes_or_above_the_budget() {
    let served = Served::of(ENDPOINTS.trim_start_matches('\n'));
    let (code, out, err) = audit(&served, &[]);
    assert_eq!((code, out.as_str()), (Some(64), ""), "{err}");
    assert_priced(&err);
    assert!(err.find("at most").unwrap() < err.find("use --yes").unwrap(), "{err}");

    let directory = Directory::new();
    let config = directory.configure(&served.url, "telemetry: {budget_dollars_per_month: 0.0003}");
    let config = config.to_str().unwrap();
    let (code, _, err) = run(&["audit", "--config", config, "--telemetry", "--yes"]);
    assert_eq!(code, Some(1), "{err}");
    assert_priced(&err);
    assert!(err.contains("telemetry.budget_dollars_per_month is $0.0003"), "{err}");

    // And consent to nothing is no consent.
    let (code, _, err) = run(&["audit", "--config", config, "--yes"]);
    assert_eq!(code, Some(64), "{err}");
    assert_eq!(served.calls(Operation::GetMetricData), 0);
}

#[test]
fn a_target_above_the_true_capacity_is_named_and_a_right_one_is_not() {
    let served = served();
    let (code, out, err) = audit(&served, &["--yes", "-o", "json"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_priced(&err);
    assert!(served.calls(Operation::GetMetricData) > 0);
    assert_eq!(served.calls(Operation::PutScalingPolicy), 0);
    let json: Value = serde_json::from_str(&out).unwrap();
    let codes = |name: &str| -> Vec<&str> {
        let all = json["findings"].as_array().unwrap().iter();
        let own = all.filter(|one| one["variant"]["endpoint"] == name);
        own.map(|one| one["code"].as_str().unwrap())
            .filter(|code| GUESSED_CODES.contains(code))
            .collect()
    };
    println!("{out}");
    assert_eq!(codes("search-ranker"), ["target_above_capacity"], "{out}");
    assert_eq!(codes("asleep"), ["no_evidence"], "{out}");
    let unsafe_codes = ["target_above_capacity", "target_over_capacity", "slow_minutes"];
    assert!(codes("fraud-scorer").iter().all(|code| !unsafe_codes.contains(code)), "{out}");
    // Every sentence that rests on a guess says so.
    for one in json["findings"].as_array().unwrap() {
        let guessed = GUESSED_CODES.contains(&one["code"].as_str().unwrap());
        assert_eq!(one["objective_is_guessed"], guessed, "{one}");
        let sentence = one["sentence"].as_str().unwrap();
        assert!(!guessed || sentence.contains("guess"), "{sentence}");
    }
    let guessed = json["guessed"].as_array().unwrap();
    assert_eq!(guessed.len(), 3, "{out}");
    let threshold = |one: &Value| one["guessed_objective"]["threshold_ms"].as_f64();
    assert_eq!(guessed.iter().filter(|one| threshold(one).is_some()).count(), 2, "{out}");

    let (code, text, err) = audit(&served, &["--yes"]);
    assert_eq!(code, Some(0), "{text}{err}");
    println!("{text}");
    assert!(text.contains("by GUESSED objectives"), "{text}");
    assert!(text.contains("high  target_above_capacity (1)\n  search-ranker/AllTraffic"), "{text}");
}
