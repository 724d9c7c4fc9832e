//! The pages on the wire, also under a path of their own, as an Ingress or a Gateway serves them.

use serde_json::json;
use setpoint::http::Site;

use super::server::{Fixture, TOKEN};
use crate::fixtures;

fn behind_a_proxy(name: &str) -> Fixture {
    let file = std::env::temp_dir().join(format!("setpoint-{}-{name}", std::process::id()));
    std::fs::write(&file, TOKEN).unwrap();
    let site = Site { base_path: "/ops/setpoint".to_owned(), ..Site::default() };
    Fixture::start_at(site, fixtures::mixed_fleet(), Some(file))
}

#[test]
fn everything_is_answered_with_the_prefix_and_without() {
    let fixture = behind_a_proxy("prefix");
    for path in [
        "/",
        "/?q=pay",
        "/variants/payments/AllTraffic",
        "/api/v1/variants",
        "/api/v1/variants/ads/AllTraffic/explain",
        "/healthz",
        "/metrics",
        "/assets/page.css",
        "/assets/live.js",
        "/assets/icon.svg",
    ] {
        let (with, without) = (fixture.get(&format!("/ops/setpoint{path}")), fixture.get(path));
        assert_eq!(with.0, 200, "{path}");
        // Metrics count the requests between the two.
        assert!(path == "/metrics" || with == without, "{path}");
    }
    assert_eq!(fixture.get("/ops/setpoint").0, 200);
    for path in ["/ops", "/ops/setpointer", "/ops/setpoint/ops/setpoint/", "/other/"] {
        assert_eq!(fixture.get(path).0, 404, "{path}");
    }
    // What one page links to is there, under the prefix.
    let page = fixture.get("/ops/setpoint/").1;
    let links: Vec<&str> = page
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .filter(|link| link.starts_with('/'))
        .collect();
    assert!(links.len() > 20, "{links:?}");
    for link in links {
        assert!(link.starts_with("/ops/setpoint/"), "{link}");
        assert_eq!(fixture.get(&link.replace("&amp;", "&")).0, 200, "{link}");
    }
}

#[test]
fn a_command_needs_its_token_under_the_prefix_too() {
    let fixture = behind_a_proxy("token");
    for path in ["/ops/setpoint/-/resume", "/-/resume"] {
        assert_eq!(fixture.post_as(None, path, "").0, 403, "{path}");
        assert_eq!(fixture.post_as(Some("wrong"), path, "").0, 403, "{path}");
        assert!(fixture.control.asked().is_empty());
        assert_eq!(fixture.post(path, "").0, 200, "{path}");
        assert_eq!(fixture.control.asked(), ["resume"]);
    }
    // Twice the prefix is no way around it: that is no path at all.
    for path in ["/ops/setpoint/ops/setpoint/-/resume", "/ops/setpoint//-/resume"] {
        let (status, body) = fixture.post_as(None, path, "");
        assert_eq!(status, 404, "{path}: {body}");
    }
    assert!(fixture.control.asked().is_empty());
}

#[test]
fn an_asset_may_be_kept_and_a_page_may_not() {
    let fixture = Fixture::new();
    let kept = |path: &str| {
        let answer = Fixture::agent().get(fixture.url(path)).call().unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        json!([header("content-type"), header("cache-control"), header("x-content-type-options")])
    };
    assert_eq!(kept("/"), json!(["text/html; charset=utf-8", "no-store", "nosniff"]));
    assert_eq!(
        kept("/assets/page.css"),
        json!(["text/css; charset=utf-8", "max-age=600", "nosniff"])
    );
    assert_eq!(
        kept("/assets/live.js"),
        json!(["text/javascript; charset=utf-8", "max-age=600", "nosniff"])
    );
    assert_eq!(kept("/assets/icon.svg"), json!(["image/svg+xml", "max-age=600", "nosniff"]));
    // By the address that a page names it is kept for good, by that of another version it is not.
    let (_, page) = fixture.get("/");
    let address = page.split("<link rel=\"stylesheet\" href=\"").nth(1).unwrap();
    let address = address.split('"').next().unwrap();
    assert_eq!(kept(address)[1], "max-age=31536000, immutable", "{address}");
    assert_eq!(kept("/assets/page.css?v=0123456789abcdef")[1], "max-age=600");
}

#[test]
fn pages_are_served_and_load_nothing() {
    let fixture = Fixture::new();
    let response = Fixture::agent().get(fixture.url("/?q=pay&standing=")).call().unwrap();
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, page) = fixture.get("/variants/payments/AllTraffic");
    assert_eq!(status, 200);
    assert!(page.contains("AccessDeniedException"));
    // The link to the JSON leads to this variant.
    let link = page.split("href=\"/api").nth(1).unwrap().split('"').next().unwrap();
    let (status, body) = fixture.get_json(&format!("/api{}", link.replace("&amp;", "&")));
    assert_eq!((status, &body["id"]["endpoint"]), (200, &json!("payments")));
}
