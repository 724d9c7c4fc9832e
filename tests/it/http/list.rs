//! `/api/v1/variants`: filters, order, pages, and what has not changed.

use serde_json::{Value, json};
use setpoint::model::shared::Shared;
use setpoint::model::status::{FleetStatus, VariantStatus};

use super::server::Fixture;
use crate::fixtures;

fn many(n: usize) -> FleetStatus {
    let status = |n: usize| -> VariantStatus {
        let mut status = fixtures::in_sync("e");
        status.snapshot.id.endpoint = format!("e-{n:04}").parse().unwrap();
        status.decision.report.configured_target = Some((n * 7 % 10) as f64);
        status
    };
    fixtures::fleet((0..n).map(status).collect())
}

fn names(answer: &Value) -> Vec<&str> {
    let variants = answer["variants"].as_array().unwrap();
    variants.iter().map(|variant| variant["id"]["endpoint"].as_str().unwrap()).collect()
}

/// All pages, one after the other.
fn walk(fixture: &Fixture, query: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, answer) = fixture.get_json(&format!("/api/v1/variants?{query}{cursor}"));
        assert_eq!(status, 200, "{answer}");
        all.extend(names(&answer).into_iter().map(str::to_owned));
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[test]
fn pages_follow_each_other_in_any_order() {
    let fixture = Fixture::start(many(25), None);
    let (_, whole) = fixture.get_json("/api/v1/variants");
    assert_eq!((names(&whole).len(), &whole["total"]), (25, &json!(25)));
    assert_eq!(whole["next_cursor"], Value::Null);
    assert_eq!(walk(&fixture, "limit=10"), names(&whole));
    assert_eq!(walk(&fixture, "limit=25"), names(&whole));
    let (_, sorted) = fixture.get_json("/api/v1/variants?sort=-configured");
    assert_eq!(names(&sorted)[..3], ["e-0007", "e-0017", "e-0004"]);
    assert_eq!(walk(&fixture, "sort=-configured&limit=4"), names(&sorted));
    let (_, found) = fixture.get_json("/api/v1/variants?q=E-000&limit=3&region=us-east-1");
    assert_eq!((names(&found), &found["total"]), (vec!["e-0000", "e-0001", "e-0002"], &json!(10)));
    let (_, none) = fixture.get_json("/api/v1/variants?q=nobody&account_id=123456789012");
    assert_eq!(
        (names(&none).len(), &none["total"], &none["next_cursor"]),
        (0, &json!(0), &Value::Null)
    );
}

#[test]
fn a_variant_that_goes_away_between_two_pages_loses_no_other() {
    let fixture = Fixture::start(many(6), None);
    let (_, first) = fixture.get_json("/api/v1/variants?limit=3");
    let (_, sorted) = fixture.get_json("/api/v1/variants?limit=3&sort=name");
    let mut fleet = many(6);
    fleet.variants.retain(|id, _| id.endpoint.as_str() != "e-0002");
    fixture.status.publish(fleet);
    let next = |answer: &Value| answer["next_cursor"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/variants?limit=3&cursor={}", next(&first));
    assert_eq!(names(&fixture.get_json(&path).1), ["e-0003", "e-0004", "e-0005"]);
    // By another order its place is not known any more.
    let path = format!("/api/v1/variants?limit=3&sort=name&cursor={}", next(&sorted));
    let (status, answer) = fixture.get_json(&path);
    let sentence = "123456789012/us-east-1/e-0002/AllTraffic is no longer in this list; begin \
                    without cursor";
    assert_eq!((status, answer), (410, json!({ "error": sentence })));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let fixture = Fixture::new();
    for (query, told) in [
        ("limit=0", "query: limit \"0\" is not a whole number from 1 to 10000"),
        ("limit=many", "query: limit \"many\" is not a whole number from 1 to 10000"),
        ("cursor=a/b", "query: cursor \"a/b\" is not the next_cursor of an earlier answer"),
        ("standing=fine", "query: standing \"fine\" is not one of unknown, create, change"),
        ("sort=colour", "query: sort \"colour\" is not one of worst, name"),
        ("page=2", "query: page: unknown field `page`"),
    ] {
        let (status, answer) = fixture.get_json(&format!("/api/v1/variants?{query}"));
        let error = answer["error"].as_str().unwrap();
        assert!(status == 400 && error.starts_with(told), "{query}: {status} {error}");
    }
}

#[test]
fn an_answer_that_has_not_changed_is_not_sent_again() {
    let fixture = Fixture::start(many(3), None);
    let ask = |path: &str, known: &str| {
        let request = Fixture::agent().get(fixture.url(path)).header("if-none-match", known);
        let mut answer = request.call().unwrap();
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(answer.headers()["cache-control"], "no-cache");
        (answer.status().as_u16(), tag, answer.body_mut().read_to_vec().unwrap().len())
    };
    let list = "/api/v1/variants";
    let (status, tag, length) = ask(list, "\"other\"");
    assert!(status == 200 && length > 1000 && tag.starts_with("W/\""), "{status} {tag} {length}");
    assert_eq!(ask(list, &tag), (304, tag.clone(), 0));
    assert_eq!(ask(list, &format!("\"other\", {}", tag.trim_start_matches("W/"))).0, 304);
    assert_eq!(ask("/api/v1/variants?limit=2", &tag).0, 200, "another question");
    // The next pass found the same, and its times are others.
    let same = (*setpoint::metrics::StatusSource::fleet(&*fixture.status)).clone();
    fixture.status.publish(same);
    let (status, newer, _) = ask(list, &tag);
    assert!(status == 200 && newer != tag, "{status} {newer}");
    assert_eq!(ask(list, &newer).0, 304);
}

/// A list of several pieces is the same JSON as one of one piece.
#[test]
fn a_long_list_comes_whole() {
    let fixture = Fixture::start(many(300), None);
    let (status, text) = fixture.get("/api/v1/variants");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(status == 200 && text.len() > 300_000, "{status} {}", text.len());
    assert_eq!(names(&answer).len(), 300);
    let one = fixture.get_json("/api/v1/variants?q=e-0123").1;
    assert_eq!(answer["variants"][123], one["variants"][0]);
    fixture.status.publish(FleetStatus { variants: Shared::default(), ..many(1) });
    let (_, empty) = fixture.get_json("/api/v1/variants");
    assert_eq!(empty["variants"], json!([]));
}
