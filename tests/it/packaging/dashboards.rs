//! The Grafana dashboards: well formed, and with queries that return data from a real Prometheus.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use setpoint::model::evidence::EvidenceStatus;

use super::monitoring::{Exporter, Running, eventually, prometheus};
use super::root;
use crate::fixtures;

pub(super) const NAMES: [&str; 2] = ["fleet", "variant"];
const WIDTH: u64 = 24;

pub(super) fn dashboard(name: &str) -> Value {
    let path = root(&format!("helm/setpoint/dashboards/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Everything that asks Prometheus: targets of panels and annotations, each with a name.
pub(super) fn queries(dashboard: &Value) -> Vec<(String, &Value)> {
    let of_panels = list(dashboard, "panels").iter().flat_map(|panel| {
        list(panel, "targets").iter().map(|target| {
            (format!("{} {}", panel["title"].as_str().unwrap(), target["refId"]), target)
        })
    });
    let of_annotations = list(&dashboard["annotations"], "list")
        .iter()
        .map(|annotation| (annotation["name"].to_string(), annotation));
    of_panels.chain(of_annotations).collect()
}

/// The query as Grafana would send it with everything selected.
pub(super) fn filled(expression: &str) -> String {
    let mut filled = expression.replace("$__rate_interval", "30s");
    for variable in ["$cluster", "$job", "$account", "$region", "$endpoint", "$variant"] {
        filled = filled.replace(variable, ".*");
    }
    assert!(!filled.contains('$'), "an unknown variable: {filled}");
    filled
}

#[test]
fn panels_have_their_places() {
    for name in NAMES {
        let dashboard = dashboard(name);
        let panels = list(&dashboard, "panels");
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{name}: ids are unique");
        let mut taken = BTreeSet::new();
        for panel in panels {
            let side = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(side("x") + side("w") <= WIDTH, "{name}: {} is too wide", panel["title"]);
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(taken.insert((x, y)), "{name}: {} overlaps at {x},{y}", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn everything_uses_the_data_source_that_was_chosen() {
    for name in NAMES {
        let dashboard = dashboard(name);
        let variables = list(&dashboard["templating"], "list");
        let names: Vec<_> = variables.iter().map(|v| v["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "datasource",
                "cluster",
                "job",
                "account",
                "region",
                "endpoint",
                "variant",
                "status_page"
            ]
        );
        let panels = list(&dashboard, "panels").iter().filter(|panel| panel["type"] != "row");
        let asked = variables.iter().filter(|variable| variable["type"] == "query");
        let asking = panels.chain(asked).chain(queries(&dashboard).into_iter().map(|q| q.1));
        for one in asking {
            assert_eq!(one["datasource"]["uid"], "${datasource}", "{name}: {one}");
        }
    }
}

#[test]
fn panels_say_what_they_show() {
    for name in NAMES {
        let dashboard = dashboard(name);
        for panel in list(&dashboard, "panels").iter().filter(|panel| panel["type"] != "row") {
            let title = &panel["title"];
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(panel["description"].as_str().is_some_and(|d| d.ends_with('.')), "{title}");
            assert!(defaults["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{title}");
            assert!(!list(&defaults["thresholds"], "steps").is_empty(), "{title}");
            let targets = list(panel, "targets");
            let legends: BTreeSet<_> = targets.iter().map(|t| t["legendFormat"].as_str()).collect();
            if panel["type"] == "timeseries" {
                assert_eq!(legends.len(), targets.len(), "{title}: legends differ");
                assert!(!legends.contains(&Some("__auto")), "{title}");
            }
        }
    }
}

#[test]
fn a_change_of_leader_doubles_no_line() {
    for name in NAMES {
        for (panel, query) in queries(&dashboard(name)) {
            let expression = query["expr"].as_str().unwrap();
            let aggregated = "max by (account_id, region, endpoint, variant";
            assert_eq!(
                expression.matches("$variant").count(),
                expression.matches(aggregated).count()
                    - expression
                        .matches("(max by (account_id, region, endpoint, variant) (max")
                        .count(),
                "{name}, {panel}: {expression}"
            );
        }
    }
}

/// Whoever runs several setpoints under one Prometheus chooses which of them a dashboard shows.
#[test]
fn every_query_keeps_to_the_chosen_cluster_and_job() {
    for name in NAMES {
        for (panel, query) in queries(&dashboard(name)) {
            let expression = query["expr"].as_str().unwrap();
            let chosen = expression.matches("cluster=~\"$cluster\",job=~\"$job\"").count();
            // What only joins has the labels of what it joins.
            let series = expression.replace("and on (job, instance) setpoint_build_info", "");
            let named = series.matches("setpoint_").count()
                + series.matches("process_").count()
                + series.matches("leader_election_").count()
                + series.matches("ALERTS").count();
            assert_eq!(chosen, named, "{name}, {panel}: {expression}");
        }
    }
}

/// From a variant of the fleet to its dashboard and its page, and from both dashboards to the page.
#[test]
fn links_lead_on() {
    let fleet = dashboard("fleet");
    let linked: Vec<&Value> = list(&fleet, "panels")
        .iter()
        .filter(|panel| !list(&panel["fieldConfig"]["defaults"], "links").is_empty())
        .collect();
    let titles: Vec<_> = linked.iter().map(|panel| panel["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Divergence, worst first", "Divergence"]);
    let uid = dashboard("variant")["uid"].as_str().unwrap().to_owned();
    for panel in linked {
        let links = list(&panel["fieldConfig"]["defaults"], "links");
        let url = |at: usize| links[at]["url"].as_str().unwrap();
        assert!(url(0).starts_with(&format!("/d/{uid}?")), "{}", url(0));
        for variable in ["account", "region", "endpoint", "variant"] {
            assert!(url(0).contains(&format!("&var-{variable}=${{__")), "{}", url(0));
        }
        assert!(url(1).starts_with("${status_page}/variants/${__"), "{}", url(1));
    }
    for name in NAMES {
        let dashboard = dashboard(name);
        let links = list(&dashboard, "links");
        assert!(
            links
                .iter()
                .any(|l| l["url"].as_str().is_some_and(|u| u.starts_with("${status_page}/")))
        );
    }
}

/// Deploys are marked where they are, by the value of the series and not by when it was scraped.
#[test]
fn deploys_are_annotations() {
    let variant = dashboard("variant");
    let annotations = list(&variant["annotations"], "list");
    let deploys = annotations.iter().find(|annotation| annotation["name"] == "Deploys").unwrap();
    assert_eq!(deploys["useValueForTime"], true);
    let expression = deploys["expr"].as_str().unwrap();
    assert!(
        expression.starts_with("1000 * ") && expression.contains("regime_start"),
        "{expression}"
    );
}

/// The panels whose queries find nothing in the demo, and why. A fixture has something for them.
pub(super) const NOT_OF_THE_DEMO: [(&str, &str); 4] = [
    ("Evidence over restarts", "the demo keeps nothing"),
    ("Age of the evidence", "the same"),
    ("AWS errors", "the embedded AWS of the demo answers every call"),
    ("Throttled and denied", "the same, and it has time for every call"),
];

/// Together with the test on the demo: every query returns data.
#[test]
fn what_the_demo_cannot_fill_is_filled_by_failing_calls() {
    let test = "dashboards::what_the_demo_cannot_fill_is_filled_by_failing_calls";
    let Some(program) = prometheus(test) else { return };
    let mut fleet = fixtures::mixed_fleet();
    fleet.evidence = Some(EvidenceStatus {
        resumed: 3,
        dropped: BTreeMap::from([("deploy", 1)]),
        kept: 4,
        last_kept: fleet.at,
        trouble: None,
    });
    let exporter = Exporter::start(fleet);
    let prometheus = Running::prometheus(&program, &exporter.target(), "groups: []", "");
    // What counts needs several scrapes.
    eventually("three scrapes", || {
        let scrapes = prometheus.query("count_over_time(up[1m]) >= 3");
        (!scrapes.is_empty()).then_some(())
    });
    let mut found = BTreeSet::new();
    for name in NAMES {
        let dashboard = dashboard(name);
        for (panel, query) in queries(&dashboard) {
            let Some((of, _)) = NOT_OF_THE_DEMO.iter().find(|(of, _)| panel.starts_with(of)) else {
                continue;
            };
            found.insert(*of);
            let expression = filled(query["expr"].as_str().unwrap());
            let series = prometheus.query(&expression);
            assert!(!series.is_empty(), "{name}, {panel} returns nothing: {expression}");
            labels_of_the_legend_exist(query, &series);
        }
    }
    assert_eq!(found.len(), NOT_OF_THE_DEMO.len(), "{found:?}");
}

/// Each variable of a dashboard offers something to choose.
pub(super) fn variables_have_values(dashboard: &Value, prometheus: &Running) {
    let variables = list(&dashboard["templating"], "list");
    for variable in variables.iter().filter(|variable| variable["type"] == "query") {
        let definition = variable["definition"].as_str().unwrap();
        let inner = definition.strip_prefix("label_values(").unwrap().trim_end_matches(')');
        let (selector, label) = inner.rsplit_once(", ").unwrap();
        let series = prometheus.query(&filled(selector));
        assert!(!series.is_empty() && !series[0]["metric"][label].is_null(), "{definition}");
    }
}

pub(super) fn labels_of_the_legend_exist(query: &Value, series: &[Value]) {
    // `pod` is the cluster's and not there.
    let legend = query["legendFormat"].as_str().unwrap_or_default().replace("{{pod}}", "");
    for label in legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
        assert!(!series[0]["metric"][label].is_null(), "{label} of {legend}: {}", series[0]);
    }
}
