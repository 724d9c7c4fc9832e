//! What only the fleet shows.

use setpoint::config::Config;
use setpoint::model::estimate::Verdict;
use setpoint::model::fact::{Fact, Why, WhyKind};
use setpoint::model::goal::LoadTest;
use setpoint::model::ids::{AccountId, VariantName};
use setpoint::model::series::Minute;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::model::units::RequestsPerSecond;
use setpoint::render::plan;

use crate::fixtures::{fleet, in_sync, noon, scope};

fn read(variants: Vec<VariantStatus>) -> FleetStatus {
    let mut fleet = fleet(variants);
    fleet.scopes.insert(scope(), None);
    fleet
}

fn told(yaml: &str, fleet: &FleetStatus) -> Vec<String> {
    let found = Config::from_yaml(yaml).unwrap().warnings(noon(), Some(fleet));
    found.iter().map(ToString::to_string).collect()
}

/// A variant of which AWS says that it is not there.
fn missing(endpoint: &str) -> VariantStatus {
    let mut status = in_sync(endpoint);
    status.snapshot.endpoint = Fact::Known(None).into();
    status
}

#[test]
fn an_account_that_is_not_the_callers_leads_everything() {
    let yaml = "targets: [{endpoint: fraud-scorer, variant: AllTraffic, capacity: {min: 0}}]\naws: {account_id: \"123456789012\"}\n";
    let mut fleet = read(Vec::new());
    fleet.callers.insert(scope(), scope().account_id);
    assert!(!told(yaml, &fleet)[0].contains("credentials"));
    fleet.callers.insert(scope(), AccountId::new("210987654321").unwrap());
    let found = told(yaml, &fleet);
    assert!(found[0].starts_with("config.yaml:2: aws.account_id: 123456789012 is configured, and the credentials are of account 210987654321"), "{found:?}");
    fleet.config.warnings = Config::from_yaml(yaml).unwrap().warnings(noon(), Some(&fleet));
    let text = anstream::adapter::strip_str(&plan::text(&fleet)).to_string();
    assert!(text.starts_with("warning: config.yaml:2: aws.account_id: "), "{text}");
    assert!(text.contains("capacity.min"), "{text}");
    let json = plan::json(&fleet);
    assert_eq!(json["config"]["warnings"][0]["code"], "account_is_not_the_callers");
}

#[test]
fn a_target_that_matches_nothing_is_told_with_the_names_near_it() {
    let fleet =
        read(vec![in_sync("fraud-scorer"), in_sync("search-ranker"), missing("fraud-scorr")]);
    let yaml = "targets:\n\
                - {endpoint: fraud-scorr, variant: AllTraffic}\n\
                - {endpoint: 'serch-*', variant: '*'}\n\
                - {endpoint: 'Search-Ranker*', variant: AllTraffic}\n\
                - {endpoint: fraud-scorer, variant: alltraffic}\n\
                - {endpoint: fraud-scorer, variant: AllTraffic}\n\
                - {endpoint: zzz, variant: '*'}\n\
                - {endpoint: 'fraud-*', variant: '*'}\n";
    let found = told(yaml, &fleet);
    for (line, said) in [
        (
            2,
            "target fraud-scorr/AllTraffic: endpoint: there is no such variant (near it: fraud-scorer/AllTraffic",
        ),
        (
            4,
            "target Search-Ranker*/AllTraffic: endpoint: it matches no variant (near it: search-ranker/AllTraffic",
        ),
        (
            5,
            "target fraud-scorer/alltraffic: variant: there is no such variant (near it: fraud-scorer/AllTraffic",
        ),
        (7, "target zzz/*: endpoint: it matches no variant"),
        (
            8,
            "target fraud-*/*: endpoint: it has no effect: every variant that it matches has a target that says more, such as fraud-scorer/AllTraffic (config.yaml:6)",
        ),
    ] {
        let said = format!("config.yaml:{line}: {said}");
        assert!(found.iter().any(|text| text.starts_with(&said)), "{said}\n{}", found.join("\n"));
    }
    assert!(
        found.iter().any(|text| text.contains("target serch-*/*: endpoint: it matches no variant"))
    );
    assert!(!found.iter().any(|text| text.contains(":6: ")), "{found:?}");
}

#[test]
fn nothing_is_said_of_names_that_may_be_where_nobody_could_look() {
    let yaml = "targets: [{endpoint: zzz, variant: v}, {endpoint: 'y*', variant: v}]";
    let mut fleet = read(vec![in_sync("fraud-scorer")]);
    assert_eq!(told(yaml, &fleet).len(), 2);
    fleet.scopes.insert(scope(), Some(Why::new(WhyKind::Denied, "AccessDenied")));
    assert_eq!(told(yaml, &fleet), [""; 0]);
    let mut unknown = in_sync("yes");
    unknown.snapshot.id.variant = VariantName::new("v").unwrap();
    unknown.snapshot.endpoint = Fact::Unknown(Why::new(WhyKind::Throttled, "slow")).into();
    let unread = read(vec![unknown]);
    assert!(!told(yaml, &unread).iter().any(|text| text.contains("y*/v")));
    assert_eq!(told(yaml, &FleetStatus::default()), [""; 0], "before the first pass");
}

#[test]
fn an_objective_that_no_minute_has_met_is_told() {
    let yaml = "targets: [{endpoint: fraud-scorer, variant: AllTraffic}]";
    let broken = |minutes: i64, last_us: f64| {
        let mut status = in_sync("fraud-scorer");
        let threshold = status.goal.objective.latency.unwrap().threshold_us();
        let Fact::Known(telemetry) = &mut status.snapshot.telemetry else { panic!("unknown") };
        telemetry.recent = (0..minutes)
            .map(|i| Minute {
                invocations_per_instance: Some(100.0),
                latency_us: Some(if i == 0 { last_us } else { threshold * 4.0 }),
                ..Minute::empty(noon() + chrono::TimeDelta::minutes(i - minutes))
            })
            .collect();
        told(yaml, &read(vec![status]))
    };
    let found = broken(40, 900_000.0);
    assert!(found[0].contains("was broken in each of the last 40 minutes with requests, and the fastest of them took 900 ms"), "{found:?}");
    assert_eq!(broken(29, 900_000.0), [""; 0], "too few");
    assert_eq!(broken(40, 1000.0), [""; 0], "one met it");
}

#[test]
fn what_holds_for_many_variants_of_a_glob_is_one_warning_that_counts_them() {
    let status = |endpoint: &str, broken: bool| {
        let mut status = in_sync(endpoint);
        let threshold = status.goal.objective.latency.unwrap().threshold_us();
        let Fact::Known(telemetry) = &mut status.snapshot.telemetry else { panic!("unknown") };
        let latency = if broken { threshold * 4.0 } else { threshold / 4.0 };
        telemetry.recent = (0..40)
            .map(|i| Minute {
                invocations_per_instance: Some(100.0),
                latency_us: Some(latency),
                ..Minute::empty(noon() + chrono::TimeDelta::minutes(i - 40))
            })
            .collect();
        status
    };
    let yaml = "targets: [{endpoint: '*', variant: '*'}]";
    let fleet = [("a", true), ("b", false), ("c", true), ("d", true)];
    let found = told(yaml, &read(fleet.map(|(name, broken)| status(name, broken)).to_vec()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("a/AllTraffic: p99 "), "{found:?}");
    assert!(found[0].ends_with("; the same holds for 2 more variants"), "{found:?}");
}

#[test]
fn a_rate_typed_per_minute_is_told_and_the_right_target_value_is_not_blamed() {
    let yaml = "targets: [{endpoint: 'fraud-*', variant: AllTraffic}]";
    let typed = |max_rps: f64| {
        let mut status = in_sync("fraud-scorer");
        let test = LoadTest {
            max_rps: RequestsPerSecond::new(max_rps).unwrap(),
            date: None,
            instance_type: None,
            endpoint_config: None,
            max_age_days: None,
        };
        status.goal.load_test = Some(test);
        status
    };
    let mut status = typed(1200.0);
    status.decision.report.estimate.verdict = Verdict::Measured;
    status.decision.report.estimate.capacity.estimate = Some(1300.0);
    let found = told(yaml, &read(vec![status]));
    assert!(found[0].contains("fraud-scorer/AllTraffic: 1200 looks like requests a minute: an instance serves about 1300 a minute; the unit is requests a second (is 20 meant?)"), "{found:?}");
    let mut right = typed(20.0);
    right.decision.report.estimate.verdict = Verdict::Measured;
    right.decision.report.estimate.capacity.estimate = Some(1300.0);
    assert_eq!(told(yaml, &read(vec![right])), [""; 0]);
}

#[test]
fn aws_that_comes_from_the_future_is_a_clock_that_is_behind() {
    let codes = |minutes: i64| {
        let mut status = in_sync("a");
        if let Fact::Known(Some(endpoint)) = &mut *status.snapshot.endpoint {
            endpoint.modified_at = noon() + chrono::TimeDelta::minutes(minutes);
        }
        let fleet = read(vec![status]);
        let config = Config::from_yaml("targets: [{endpoint: a, variant: AllTraffic}]").unwrap();
        let found = config.warnings(noon(), Some(&fleet));
        found.into_iter().filter(|warning| warning.code == "clock_is_behind").collect::<Vec<_>>()
    };
    assert_eq!(codes(4), []);
    let [warning] = &codes(180)[..] else { panic!("one") };
    assert!(warning.to_string().starts_with("AWS is at least 180 minutes ahead"), "{warning}");
}
