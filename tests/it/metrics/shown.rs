//! Which variants have series, and the sums over all of them.

use std::collections::BTreeMap;

use expect_test::expect;
use prometheus::Registry;
use setpoint::metrics::{Metrics, SeriesOf, Shown};
use setpoint::model::floors::Floors;
use setpoint::model::status::FleetStatus;

use super::{Published, lines, metrics_over};
use crate::fixtures;

#[test]
fn above_the_limit_only_what_is_true_of_a_closed_set_is_exported() {
    let fleet = || {
        let mut variants = vec![fixtures::drifted("a"), fixtures::in_sync("b")];
        for status in &mut variants {
            let why = "no floors would pay".to_owned();
            status.snapshot.floors =
                Floors::None { at: fixtures::noon(), reason: "none_pays", why }.into();
        }
        fixtures::fleet(variants)
    };
    let (full, _) = metrics_over(fleet(), 2);
    let (sparse, _) = metrics_over(fleet(), 1);
    assert_eq!(lines(&full, "setpoint_mode{").lines().count(), 6);
    expect![[r#"
        setpoint_mode{endpoint="a",mode="repair"} 1
        setpoint_mode{endpoint="b",mode="repair"} 1
    "#]]
    .assert_eq(&lines(&sparse, "setpoint_mode{"));
    expect![[r#"
        setpoint_drift{endpoint="a",field="max_capacity"} 1
        setpoint_drift{endpoint="a",field="target_value"} 1
    "#]]
    .assert_eq(&lines(&sparse, "setpoint_drift{"));
    // Nobody else writes them, no other policy scales them, and setpoint keeps no floors of theirs.
    for (family, each) in [
        ("other_writer", 1),
        ("competing_policies", 1),
        ("floors_kept", 1),
        ("floors_proposed", 1),
        ("scale_outs", 1),
        ("scale_out_failures", 3),
    ] {
        let family = format!("setpoint_{family}{{");
        assert_eq!(lines(&full, &family).lines().count(), 2 * each, "{family}");
        assert_eq!(lines(&sparse, &family), "", "{family}");
    }
    // What is neither a closed set nor a count stays, zero or not.
    assert_eq!(lines(&sparse, "setpoint_comparable{").lines().count(), 2);
}

/// Variants with series of their own, and those that the fleet's sum says have none.
fn shown(fleet: FleetStatus, variants: SeriesOf) -> (Vec<String>, String) {
    let source = Published::new(fleet);
    let shown = Shown { variants, per_variant_limit: 0 };
    let metrics = Metrics::register(Registry::new(), source, shown).unwrap();
    let comparable = lines(&metrics, "setpoint_comparable{");
    let named = |line: &str| line.split('"').nth(1).unwrap().to_owned();
    let left_out = lines(&metrics, "setpoint_fleet_variants_without_series{");
    let left_out = left_out.trim_end().rsplit_once(' ').unwrap().1.to_owned();
    (comparable.lines().map(named).collect(), left_out)
}

#[test]
fn variants_with_nothing_to_say_can_be_left_out() {
    let calm = fixtures::in_sync("calm");
    let mut late = fixtures::in_sync("late");
    late.last_pass += chrono::TimeDelta::hours(1);
    // One that is read every hour, as steady ones are when the budget runs short, is not late.
    let mut steady = late.clone();
    steady.snapshot.id.endpoint = "steady".parse().unwrap();
    steady.snapshot.reads.steady = true;
    assert_eq!(shown(fixtures::fleet(vec![steady]), SeriesOf::Problems).1, "1");
    let fleet = || {
        let unlisted = fixtures::unlisted("unlisted");
        fixtures::fleet(vec![
            calm.clone(),
            late.clone(),
            unlisted,
            fixtures::drifted("drifted"),
            fixtures::not_comparable("unread"),
        ])
    };
    let all = ["calm", "drifted", "late", "unlisted", "unread"];
    let told = |variants| shown(fleet(), variants);
    for variants in [SeriesOf::All, SeriesOf::Auto] {
        assert_eq!(told(variants), (all.map(str::to_owned).to_vec(), "0".to_owned()));
    }
    let listed = ["calm", "drifted", "late", "unread"].map(str::to_owned).to_vec();
    assert_eq!(told(SeriesOf::Listed), (listed, "1".to_owned()));
    let problems = ["drifted", "late", "unread"].map(str::to_owned).to_vec();
    assert_eq!(told(SeriesOf::Problems), (problems, "2".to_owned()));
    // Above 2,000 it is done without being asked for.
    let many = (0..2001).map(|n| {
        let mut status = calm.clone();
        status.snapshot.id.endpoint = format!("calm-{n}").parse().unwrap();
        status
    });
    let many = fixtures::fleet(many.chain([fixtures::drifted("drifted")]).collect());
    assert_eq!(shown(many, SeriesOf::Auto), (vec!["drifted".to_owned()], "2001".to_owned()));
}

#[test]
fn the_sums_are_those_of_the_series_of_all_variants() {
    let fleet = fixtures::mixed_fleet();
    let of = |variants| {
        let shown = Shown { variants, per_variant_limit: 2000 };
        let source = Published::new(fleet.clone());
        Metrics::register(Registry::new(), source, shown).unwrap()
    };
    let (all, problems) = (of(SeriesOf::All), of(SeriesOf::Problems));
    let sums = |metrics: &Metrics| lines(metrics, "setpoint_fleet_");
    let without = |text: String| -> String {
        text.lines().filter(|line| !line.contains("without_series")).collect()
    };
    assert_eq!(without(sums(&all)), without(sums(&problems)));
    for (sum, family, labels) in [
        ("managed", "setpoint_managed", ""),
        ("safety", "setpoint_variant_safety", "state"),
        ("divergence", "setpoint_divergence", "finding"),
        ("drift", "setpoint_drift", "field"),
        ("capacity_verdict", "setpoint_capacity_verdict", "verdict"),
        ("mode", "setpoint_mode", "mode"),
        ("decision", "setpoint_decision_info", "reason"),
    ] {
        let total = |text: String, wanted: &str| -> BTreeMap<String, f64> {
            let mut total = BTreeMap::new();
            for line in text.lines().filter(|line| line.starts_with(&format!("{wanted}{{"))) {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let word = series.split(&format!("{labels}=\"")).nth(1);
                let word = word.filter(|_| !labels.is_empty()).unwrap_or("\"");
                let word = word.split_once('"').unwrap().0.to_owned();
                *total.entry(word).or_default() += value.parse::<f64>().unwrap();
            }
            total.retain(|_, value| *value > 0.0);
            total
        };
        let by_variant = total(lines(&all, family), family);
        assert!(!by_variant.is_empty(), "{family}");
        let sum = format!("setpoint_fleet_{sum}");
        assert_eq!(total(lines(&all, &sum), &sum), by_variant, "{family}");
    }
}
