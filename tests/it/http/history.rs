//! `/api/v1/variants/E/V/history`, and what the list says of the file.

use super::server::Fixture;
use crate::fixtures;

#[test]
fn the_history_of_a_variant_is_told_with_its_hours_and_events() {
    let fixture = Fixture::new();
    let endpoint = fixtures::mixed_fleet().variants.keys().next().unwrap().endpoint.clone();
    let path = format!("/api/v1/variants/{endpoint}/AllTraffic/history");
    let (status, answer) = fixture.get_json(&path);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["variant"]["endpoint"], endpoint.as_str());
    assert_eq!(answer["since"], "2026-11-16T12:00:00Z", "7 days");
    let hours = answer["hours"].as_array().unwrap();
    assert!(!hours.is_empty() && hours.len() <= 2, "{answer}");
    assert!(answer["events"].is_array() && answer["kept_since"].is_string());
    let (_, later) = fixture.get_json(&format!("{path}?since=2026-11-24T00:00:00Z"));
    assert_eq!(later["hours"], serde_json::json!([]));
    for (query, code) in [
        ("?since=yesterday", 400),
        ("?until=7d", 400),
        ("?since=1h&region=us-east-1", 200),
        ("?region=eu-west-9", 404),
    ] {
        let (status, answer) = fixture.get_json(&format!("{path}{query}"));
        assert_eq!(status, code, "{query}: {answer}");
    }
    let (status, answer) = fixture.get_json("/api/v1/variants/nobody/AllTraffic/history");
    assert_eq!((status, answer["error"].as_str().unwrap().contains("no variant")), (404, true));
}
