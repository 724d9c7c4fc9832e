//! `docs/openapi.yaml` against the running server: every operation is asked for, every answer fits its
//! schema, and neither side has what the other lacks.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use setpoint::http::ControlError;
use setpoint::model::leader::Leader;
use yaml_rust2::YamlLoader;

use super::server::{Fixture, TOKEN};
use crate::fixtures;
use crate::packaging::json_of;

/// Pages for people, which are no API.
const PAGES: [&str; 2] = ["/", "/variants/{endpoint}/{variant}"];

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    json_of(&YamlLoader::load_from_str(&text).unwrap()[0])
}

/// `get /metrics` and so on, as the document has them.
fn documented(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
        methods.map(move |method| format!("{method} {path}"))
    });
    operations.collect()
}

#[test]
fn every_route_is_documented_and_every_documented_one_exists() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/mod.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let routes: BTreeSet<String> = source
        .split(".route(\"")
        .skip(1)
        .filter_map(|rest| {
            let (path, rest) = rest.split_once("\",")?;
            let (method, _) = rest.trim_start().split_once('(')?;
            (path.starts_with("/api/") || path.starts_with("/-/") || !path.contains("variants"))
                .then(|| format!("{} {path}", method.rsplit("::").next().unwrap_or(method)))
        })
        .filter(|route| !PAGES.iter().any(|page| route.ends_with(&format!(" {page}"))))
        .filter(|route| !route.contains("/assets/"))
        .collect();
    assert!(routes.len() >= 11, "{routes:?}");
    assert_eq!(routes, documented(&document()));
}

/// What is asked, with the status that comes, and what has to be so for that.
struct Case {
    operation: &'static str,
    path: &'static str,
    body: Option<Value>,
    status: u16,
    token: Option<&'static str>,
    arrange: fn(&Fixture),
}

fn nothing(_: &Fixture) {}

const fn case(operation: &'static str, path: &'static str, status: u16) -> Case {
    Case { operation, path, body: None, status, token: Some(TOKEN), arrange: nothing }
}

fn follows(fixture: &Fixture) {
    let leader = Leader::of(Some("setpoint-1_ab"), Some("10.0.0.7:9090"));
    *fixture.following.0.lock().unwrap() = Some(leader);
    fixture.status.publish(setpoint::model::status::FleetStatus::default());
}

fn refuses(fixture: &Fixture) {
    let why = ControlError::NotFound("no variant is called so".to_owned());
    *fixture.control.refuses.lock().unwrap() = Some(why);
}

fn cases() -> Vec<Case> {
    let until = json!({"until": "2026-12-01T08:00:00Z", "reason": "why"});
    let plan = json!({"plan_id": "20261123T120000Z-1"});
    vec![
        case("get /healthz", "/healthz", 200),
        case("get /readyz", "/readyz", 503),
        case("get /metrics", "/metrics", 200),
        case("get /api/v1/variants", "/api/v1/variants", 200),
        case("get /api/v1/variants", "/api/v1/variants?q=a&limit=2&sort=-divergence", 200),
        case("get /api/v1/variants", "/api/v1/variants?limit=none", 400),
        case(
            "get /api/v1/variants",
            "/api/v1/variants?sort=name&cursor=123456789012/us-east-1/gone/AllTraffic",
            410,
        ),
        Case { arrange: follows, ..case("get /api/v1/variants", "/api/v1/variants", 503) },
        case(ONE_GET, "/api/v1/variants/fraud-scorer/AllTraffic", 200),
        case(ONE_GET, "/api/v1/variants/payments/AllTraffic?region=us-east-1", 200),
        case(ONE_GET, "/api/v1/variants/nobody/AllTraffic", 404),
        case(EXPLAIN_GET, "/api/v1/variants/fraud-scorer/AllTraffic/explain", 200),
        case(EXPLAIN_GET, "/api/v1/variants/nobody/AllTraffic/explain", 404),
        case("get /api/v1/plan", "/api/v1/plan", 200),
        case("get /api/v1/plan", "/api/v1/plan?what=all", 400),
        Case { arrange: follows, ..case("get /api/v1/plan", "/api/v1/plan", 503) },
        case("get /api/v1/report", "/api/v1/report?idle_days=3", 200),
        case("get /api/v1/report", "/api/v1/report?idle_days=-1", 400),
        Case { arrange: follows, ..case("get /api/v1/report", "/api/v1/report", 503) },
        case("get /api/v1/recommendations", "/api/v1/recommendations", 200),
        Case {
            arrange: follows,
            ..case("get /api/v1/recommendations", "/api/v1/recommendations", 503)
        },
        case(HISTORY_GET, "/api/v1/variants/fraud-scorer/AllTraffic/history?since=36h", 200),
        case(HISTORY_GET, "/api/v1/variants/fraud-scorer/AllTraffic/history?since=soon", 400),
        case("post /-/reload", "/-/reload", 200),
        Case { token: None, ..case("post /-/reload", "/-/reload", 403) },
        Case {
            arrange: |fixture| {
                let problem = json!({"problem": "a sentence", "file": "setpoint.yaml", "line": 3});
                *fixture.control.problems.lock().unwrap() = vec![problem];
            },
            ..case("post /-/reload", "/-/reload", 422)
        },
        case("post /-/reconcile", "/-/reconcile?endpoint=fraud-scorer", 200),
        case("post /-/reconcile", "/-/reconcile?variant=AllTraffic", 400),
        Case { body: Some(until.clone()), ..case("post /-/pause", "/-/pause", 200) },
        Case { body: Some(json!({})), ..case("post /-/pause", "/-/pause", 400) },
        Case { body: Some(until), arrange: refuses, ..case("post /-/pause", "/-/pause", 404) },
        case("post /-/resume", "/-/resume?endpoint=fraud-scorer", 200),
        Case { body: Some(plan), ..case("post /-/confirm", "/-/confirm", 200) },
    ]
}

const ONE_GET: &str = "get /api/v1/variants/{endpoint}/{variant}";
const EXPLAIN_GET: &str = "get /api/v1/variants/{endpoint}/{variant}/explain";
const HISTORY_GET: &str = "get /api/v1/variants/{endpoint}/{variant}/history";

#[test]
fn every_answer_is_as_documented() {
    let document = document();
    let mut asked = BTreeSet::new();
    for case in cases() {
        let fixture = Fixture::with_token("openapi", TOKEN);
        (case.arrange)(&fixture);
        let body = case.body.as_ref().map(Value::to_string).unwrap_or_default();
        let (status, text) = ask(&fixture, &case, &body);
        let place = format!("{} ({})", case.operation, case.path);
        assert_eq!(status, case.status, "{place}: {text}");
        let (method, path) = case.operation.split_once(' ').unwrap();
        let operation = &document["paths"][path][method];
        if let Some(body) = &case.body
            && case.status == 200
        {
            fits(
                &document,
                &operation["requestBody"]["content"]["application/json"]["schema"],
                body,
            );
        }
        let response = resolved(&document, &operation["responses"][status.to_string()]);
        let content =
            response["content"].as_object().unwrap_or_else(|| panic!("{place}: {status}"));
        let (kind, content) = content.iter().next().unwrap();
        if kind == "application/json" {
            let answer: Value = serde_json::from_str(&text).unwrap();
            fits(&document, &content["schema"], &answer);
            let mut extra = Vec::new();
            undocumented(&document, &content["schema"], &answer, "", &mut extra);
            assert!(extra.is_empty(), "{place}: keys that are not in docs/openapi.yaml: {extra:?}");
        }
        if case.status == 200 || case.operation == "get /readyz" {
            asked.insert(case.operation.to_owned());
        }
    }
    assert_eq!(asked, documented(&document), "every operation is asked for");
}

fn ask(fixture: &Fixture, case: &Case, body: &str) -> (u16, String) {
    if case.operation.starts_with("get") {
        return fixture.get(case.path);
    }
    let (status, json) = fixture.post_as(case.token, case.path, body);
    (status, json.to_string())
}

/// What `{"$ref": "#/…"}` stands for.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let target = document.pointer(reference.trim_start_matches('#'));
            resolved(document, target.unwrap_or_else(|| panic!("{reference} leads nowhere")))
        }
        None => schema,
    }
}

fn fits(document: &Value, schema: &Value, value: &Value) {
    assert!(!schema.is_null(), "no schema");
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&whole).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Keys of the value that no schema names, where the schema names any.
fn undocumented(
    document: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    extra: &mut Vec<String>,
) {
    match value {
        Value::Object(members) => {
            let parts = parts(document, schema);
            let named = |key: &String| parts.iter().find_map(|part| part["properties"].get(key));
            if parts.iter().all(|part| part["properties"].is_null()) {
                return;
            }
            for (key, member) in members {
                match named(key) {
                    Some(schema) => {
                        undocumented(document, schema, member, &format!("{at}/{key}"), extra);
                    }
                    None => extra.push(format!("{at}/{key}")),
                }
            }
        }
        Value::Array(items) => {
            let parts = parts(document, schema);
            let Some(schema) = parts.iter().find_map(|part| part.get("items")) else { return };
            for item in items {
                undocumented(document, schema, item, &format!("{at}[]"), extra);
            }
        }
        _ => {}
    }
}

/// A schema with all that it is made of.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let own = resolved(document, schema);
    let more = ["allOf", "anyOf"].iter().filter_map(|word| own[*word].as_array()).flatten();
    std::iter::once(own).chain(more.flat_map(|part| parts(document, part))).collect()
}

/// The fixture has every kind of variant, so that the schemas are tried on all of them.
#[test]
fn the_fixture_shows_every_standing() {
    let document = document();
    let standing = &document["components"]["schemas"]["Variant"]["properties"]["standing"]["enum"];
    let fixture = Fixture::start(fixtures::mixed_fleet(), None);
    let (_, list) = fixture.get_json("/api/v1/variants");
    let seen: BTreeSet<&str> = list["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["standing"].as_str().unwrap())
        .collect();
    let documented: BTreeSet<&str> =
        standing.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(seen, documented);
}
