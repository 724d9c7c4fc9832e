//! Tests of `report`: waste and risk of a hand-made fleet, prices, and the finished binary.

use std::sync::Arc;

use chrono::TimeDelta;
use setpoint::model::fact::Fact;
use setpoint::model::series::Minute;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::model::time::Timestamp;
use setpoint::model::usage::Usage;
use setpoint::report::{Ask, Prices, Report, csv, html, report, text};

use crate::daemon::process::{Directory, Served, endpoint, everything, run};
use crate::fixtures::{fleet, in_sync, load_test_expired, noon};

/// So many days of `all` requests a minute on so many instances, up to noon.
fn used(mut status: VariantStatus, days: i64, all: f64, instances: f64) -> VariantStatus {
    let minute = |at: Timestamp| Minute {
        invocations: (all > 0.0).then_some(all),
        invocations_per_instance: (all > 0.0).then_some(all / instances),
        ..Minute::empty(at)
    };
    let from = noon() - TimeDelta::days(days);
    let minutes: Vec<Minute> =
        (0..days * 1440).map(|i| minute(from + TimeDelta::minutes(i))).collect();
    let mut usage = Usage::default();
    usage.take(&minutes, noon());
    let Fact::Known(telemetry) = &mut status.snapshot.telemetry else { panic!() };
    telemetry.usage = (&usage).into();
    status
}

/// The safe target is 612.5: 1,200 a minute need 2 of 4 instances.
fn some() -> FleetStatus {
    fleet(vec![
        used(in_sync("wasteful"), 7, 1200.0, 4.0),
        used(in_sync("busy"), 7, 2900.0, 2.0),
        used(in_sync("idle"), 10, 0.0, 1.0),
        used(load_test_expired("unknown"), 7, 100.0, 1.0),
    ])
}

fn made(prices: &Prices) -> Report {
    report(&some(), Ask { prices, idle_after: TimeDelta::days(7) }, |_| true)
}

fn close(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 0.02)
}

#[test]
fn waste_and_risk_are_told_in_hours_and_dollars() {
    let prices = Prices::from([("ml.c5.xlarge".to_owned(), 0.25)]);
    let found = made(&prices);
    let names: Vec<&str> = found.variants.iter().map(|row| row.id.endpoint.as_str()).collect();
    // Idle: 4 instances run, for a week.
    assert_eq!(names, ["idle", "wasteful", "busy", "unknown"]);
    let row = |name: &str| found.variants.iter().find(|r| r.id.endpoint.as_str() == name).unwrap();
    let idle = row("idle");
    assert_eq!(idle.idle_days, Some(10));
    assert!(close(idle.waste_hours, 4.0 * 168.0) && close(idle.waste_dollars, 168.0), "{idle:?}");
    let wasteful = row("wasteful");
    assert!(close(wasteful.instance_hours, 4.0 * 168.0), "{wasteful:?}");
    assert!(close(wasteful.waste_hours, 2.0 * 168.0) && close(wasteful.waste_dollars, 84.0));
    assert_eq!((wasteful.idle_days, wasteful.minutes_over_capacity), (None, Some(0.0)));
    // 300 of the proven 1,180.
    assert!(close(wasteful.buffer_at_peak, 1.0 - 300.0 / 1180.0), "{wasteful:?}");
    assert!(close(wasteful.buffer_at_peak_minus_one, 1.0 - 400.0 / 1180.0));
    let busy = row("busy");
    // 1,450 where 1,300 is the capacity, all week.
    assert!(close(busy.minutes_over_capacity, 7.0 * 1440.0), "{busy:?}");
    assert!(busy.buffer_at_peak.unwrap() < 0.0 && busy.buffer_at_peak_minus_one.unwrap() < -1.0);
    assert!(close(busy.waste_hours, 0.0), "{busy:?}");
    let unknown = row("unknown");
    assert_eq!(unknown.waste_hours, None);
    assert!(unknown.no_waste_because.as_ref().unwrap().contains("no safe target"), "{unknown:?}");
    assert!(close(found.waste_dollars, 168.0 + 84.0) && found.without_price.is_empty());
    let told = text(&found, None);
    let risk = told.split("Most risk first").nth(1).unwrap();
    assert!(risk.find("busy").unwrap() < risk.find("wasteful").unwrap(), "{told}");
    assert!(told.contains("$252.00"), "{told}");
}

#[test]
fn without_a_price_there_are_hours_only() {
    let found = made(&Prices::new());
    assert_eq!((found.waste_dollars, found.dollars), (None, None));
    assert_eq!(found.without_price, ["ml.c5.xlarge"]);
    assert!(found.waste_hours > 1000.0);
    let told = text(&found, None);
    assert!(told.contains("No price is configured for ml.c5.xlarge"), "{told}");
    assert!(!told.contains("$0"), "{told}");
}

/// The page of a small fleet with prices.
pub(crate) fn page() -> String {
    html(&made(&Prices::from([("ml.c5.xlarge".to_owned(), 0.5)])))
}

#[test]
fn csv_and_page_have_every_variant() {
    let found = made(&Prices::new());
    let csv = csv(&found).unwrap();
    let mut reader = ::csv::Reader::from_reader(csv.as_bytes());
    let headings = reader.headers().unwrap().clone();
    assert!(headings.iter().any(|heading| heading == "waste_dollars"));
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    let place = headings.iter().position(|heading| heading == "waste_dollars").unwrap();
    assert!(rows.iter().all(|row| row[place].is_empty()), "no price is invented: {csv}");
    let page = html(&found);
    for status in some().variants.keys() {
        assert_eq!(page.matches(&status.to_string()).count(), 2, "{status}");
    }
    for outside in ["http://", "https://", "<script", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_plan_says_what_a_change_costs_an_hour() {
    let mut fleet = fleet(vec![crate::fixtures::drifted("fraud-scorer")]);
    let without = setpoint::render::plan::text(&fleet);
    assert!(!without.contains("cost:"), "{without}");
    fleet.prices = Arc::new(Prices::from([("ml.c5.xlarge".to_owned(), 0.5)]));
    let with = setpoint::render::plan::text(&fleet);
    assert!(with.contains("cost: ") && with.contains("an hour at the present load"), "{with}");
}

#[test]
fn the_binary_reads_prices_and_refuses_what_is_none() {
    let served = Served::of(&endpoint("ads", 600.0));
    let directory = Directory::new();
    let prices = directory.memory().with_file_name("prices.yaml");
    std::fs::write(&prices, "ml.c5.xlarge: 0.5\n").unwrap();
    let rest = format!("prices: {}\n{}", prices.display(), everything("observe"));
    let config = directory.configure(&served.url, &rest);
    let config = config.to_str().unwrap();
    let (code, out, err) = run(&["report", "--config", config, "-o", "json"]);
    assert_eq!(code, Some(0), "{err}");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["variants"][0]["dollars_per_hour"], 0.5, "{told}");
    let daemon = crate::daemon::process::Daemon::ready(std::path::Path::new(config), &[]);
    let (code, out, err) = run(&["report", "--url", daemon.url(), "-o", "json"]);
    assert_eq!(code, Some(0), "{err}");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["variants"][0]["dollars_per_hour"], 0.5, "{told}");
    let (code, _, err) = run(&["report", "nobody/AllTraffic", "--config", config]);
    assert_eq!(code, Some(1), "{err}");
    std::fs::write(&prices, "ml.c5.xlarge: -1\n").unwrap();
    let (code, _, err) = run(&["report", "--config", config]);
    assert_eq!(code, Some(1));
    assert!(err.contains("prices: found ") && err.contains("prices.yaml:1"), "{err}");
    let inline = format!("prices: {{ml.c5.xlarge: 0.25}}\n{}", everything("observe"));
    let config = directory.configure(&served.url, &inline);
    let (code, out, err) = run(&["report", "--config", config.to_str().unwrap(), "-o", "csv"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.lines().nth(1).unwrap().contains("0.2500"), "{out}");
}
