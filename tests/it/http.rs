//! Tests of `http`, over loopback with a real client.

mod browser;
mod compression;
mod history;
mod limits;
mod list;
mod local;
mod openapi;
mod pages;
mod plan;
mod server;

use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::{Value, json};
use server::{Fixture, TOKEN};
use setpoint::http::{ControlError, Health, MAX_BODY_BYTES, Readiness, Server};
use setpoint::model::ids::Region;
use setpoint::model::leader::Leader;
use setpoint::model::status::FleetStatus;

use crate::fixtures;

#[test]
fn metrics_are_served_in_the_text_format() {
    let fixture = Fixture::new();
    let mut response = Fixture::agent().get(fixture.url("/metrics?collect=x")).call().unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4");
    let text = response.body_mut().read_to_string().unwrap();
    assert!(text.contains("# TYPE setpoint_comparable gauge\n"));
    assert!(text.contains("endpoint=\"payments\""));
}

#[test]
fn the_loop_is_alive_until_it_is_silent_too_long() {
    let began = Instant::now();
    let after = |seconds| began + Duration::from_secs(seconds);
    let health = Health::new(began, Duration::from_mins(1));
    assert_eq!(health.silent_too_long(after(60)), None);
    assert_eq!(health.silent_too_long(after(61)), Some(Duration::from_secs(61)));
    health.beat(after(50), Duration::ZERO);
    assert_eq!(health.silent_too_long(after(110)), None);
    // A late word of an earlier beat takes nothing back.
    health.beat(after(10), Duration::from_hours(1));
    assert_eq!(health.silent_too_long(after(110)), None);
    assert_eq!(health.silent_too_long(after(120)), Some(Duration::from_secs(70)));
    // A pass that is due in an hour is not missed before that.
    health.beat(after(130), Duration::from_hours(1));
    assert_eq!(health.silent_too_long(after(130 + 3600 + 60)), None);
    assert!(health.silent_too_long(after(130 + 3600 + 61)).is_some());
    // A long pass is alive as long as its calls are answered.
    let health = Health::new(began, Duration::from_mins(1));
    health.goes_on(after(50));
    assert_eq!(health.silent_too_long(after(110)), None);
    assert_eq!(health.silent_too_long(after(111)), Some(Duration::from_secs(111)));
}

#[test]
fn probes_answer() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get("/healthz"), (200, "alive\n".to_owned()));
    let ready = |readiness| {
        fixture.health.set_readiness(readiness);
        fixture.get("/readyz").0
    };
    assert_eq!(fixture.get("/readyz").0, 503, "before the first pass");
    assert_eq!(ready(Readiness::Ready), 200);
    assert_eq!(ready(Readiness::Follower), 200);
    assert_eq!(ready(Readiness::ShuttingDown), 503);
    assert_eq!(ready(Readiness::Starting), 503);
}

#[test]
fn variants_are_listed_in_order() {
    let fixture = Fixture::new();
    let (status, body) = fixture.get_json("/api/v1/variants");
    assert_eq!(status, 200);
    let keys: Vec<_> = body.as_object().unwrap().keys().collect();
    let expected =
        ["config", "variants", "total", "next_cursor", "scopes", "memory", "history", "evidence"];
    assert_eq!(keys, expected);
    let names: Vec<_> = body["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["id"]["endpoint"].as_str().unwrap())
        .collect();
    let expected = [
        "ads",
        "chat",
        "doc-embedder",
        "fraud-scorer",
        "payments",
        "recreated",
        "search-ranker",
        "sandbox",
    ];
    let mut sorted = expected;
    sorted.sort_unstable();
    assert_eq!(names, sorted);
    fixture.status.publish(fixtures::fleet(Vec::new()));
    let nothing = json!({"config": {"warnings": []}, "variants": [], "total": 0,
        "next_cursor": null, "scopes": [], "memory": null, "history": null, "evidence": null});
    assert_eq!(fixture.get_json("/api/v1/variants"), (200, nothing));
}

#[test]
fn what_cannot_be_read_is_no_empty_fleet() {
    let fixture = Fixture::start(fixtures::blind_fleet(), None);
    let (status, body) = fixture.get_json("/api/v1/variants");
    assert_eq!(status, 200);
    let message = "application-autoscaling DescribeScalableTargets failed: AccessDenied: <b>no</b>";
    assert_eq!(
        body["scopes"],
        json!([{"account_id": "123456789012", "region": "us-east-1", "readable": false,
            "why": {"kind": "denied", "message": message}, "last_listing": null}])
    );
    assert_eq!(body["memory"]["unread"]["message"], "memory /var/m.json: EOF at line 1");
    assert_eq!(body["memory"]["last_saved"], Value::Null);
    let (_, body) = fixture.get_json("/api/v1/variants/ads/AllTraffic");
    let told = "It may exist all the same: 123456789012/us-east-1 cannot be read";
    assert!(body["error"].as_str().unwrap().ends_with(told), "{body}");
    // Of another region it says what it said.
    let (_, body) = fixture.get_json("/api/v1/variants/ads/AllTraffic?region=eu-west-1");
    assert!(body["error"].as_str().unwrap().ends_with("lists all"), "{body}");

    let page = fixture.get("/").1;
    let banners: Vec<&str> = page
        .split("<p class=\"alert trouble\" role=\"alert\">")
        .skip(1)
        .map(|rest| &rest[..40])
        .collect();
    assert_eq!(banners.len(), 3, "{page}");
    assert!(page.contains("AccessDenied: &lt;b&gt;no&lt;/b&gt;."), "{page}");
    // It stays ready, for another process would see no more, and says what it does not see.
    fixture.health.set_readiness(Readiness::Ready);
    expect![[r"
        ready
        Account 123456789012 in us-east-1 cannot be read: application-autoscaling DescribeScalableTargets failed: AccessDenied: <b>no</b>. It has not been listed since this process began; it may have variants that are not shown, and those shown are not compared.
        The memory cannot be read: memory /var/m.json: EOF at line 1. Nothing that depends on it is written.
        The memory cannot be saved: memory /var/m.json: no space left. Nothing that must be remembered is written.
    "]]
    .assert_eq(&fixture.get("/readyz").1);
    assert_eq!(fixture.get("/readyz").0, 200);

    // Nothing of it where all is well.
    let fixture = Fixture::new();
    fixture.health.set_readiness(Readiness::Ready);
    assert_eq!(fixture.get("/readyz"), (200, "ready\n".to_owned()));
    assert!(!fixture.get("/").1.contains("alert trouble"));
}

#[test]
fn what_is_not_known_yet_is_503() {
    let fixture = Fixture::start(FleetStatus::default(), None);
    for path in ["/api/v1/variants", "/api/v1/variants/ads/AllTraffic", "/variants/ads/AllTraffic"]
    {
        let mut answer = Fixture::agent().get(fixture.url(path)).call().unwrap();
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(answer.headers()["retry-after"], "5", "{path}");
        let body: Value = answer.body_mut().read_json().unwrap();
        assert_eq!(body["error"], "the first pass has not ended, so nothing is known yet");
    }
    assert!(fixture.get("/").1.contains("no pass has ended yet"));
}

#[test]
fn a_follower_says_so_and_who_leads() {
    let fixture = Fixture::new();
    let follow = |leader| *fixture.following.0.lock().unwrap() = Some(leader);
    follow(Leader::of(Some("setpoint-b_07ff"), Some("10.0.0.7:9090")));
    for path in ["/api/v1/variants", "/api/v1/variants/ads/AllTraffic"] {
        let mut answer = Fixture::agent().get(fixture.url(path)).call().unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"15".parse().unwrap())
        );
        let body: Value = answer.body_mut().read_json().unwrap();
        let error = "this process is a follower and shows nothing: setpoint-b leads, at \
                     http://10.0.0.7:9090";
        let leader = json!({"identity": "setpoint-b_07ff", "pod": "setpoint-b",
            "url": "http://10.0.0.7:9090"});
        assert_eq!(body, json!({"error": error, "leader": leader}), "{path}");
    }
    for path in ["/", "/variants/ads/AllTraffic?region=us-east-1"] {
        let (status, page) = fixture.get(path);
        assert_eq!(status, 200);
        let link = format!("<a href=\"http://10.0.0.7:9090{path}\">setpoint-b</a> leads.");
        assert!(page.contains("This process is a follower") && page.contains(&link), "{page}");
        assert!(!page.contains("fraud-scorer"), "{page}");
    }
    // Where it is not known, nothing is made up; what stands in the Lease is made harmless.
    follow(Leader::of(Some("<i>_x"), Some("javascript:alert(1)")));
    let page = fixture.get("/").1;
    assert!(page.contains("&lt;i&gt; leads.") && !page.contains("javascript:"), "{page}");
    follow(Leader::default());
    assert!(fixture.get("/").1.contains("No leader is known."));
    let (status, body) = fixture.get_json("/api/v1/variants");
    assert_eq!((status, &body["leader"]["identity"]), (503, &Value::Null));
    *fixture.following.0.lock().unwrap() = None;
    assert_eq!(fixture.get_json("/api/v1/variants").0, 200);
}

#[test]
fn a_variant_is_shown_in_full() {
    let fixture = Fixture::new();
    let (status, body) = fixture.get_json("/api/v1/variants/fraud-scorer/AllTraffic");
    assert_eq!(status, 200);
    assert_eq!(body["decision"]["id"], "20261123T120000Z-b69b0b1f");
    assert_eq!(body["targets"]["wanted"], 600.0);
    assert_eq!(body["snapshot"]["policies"]["known"].as_array().unwrap().len(), 1);
    assert_eq!(body["goal"]["safety_factor"], 0.5);
}

#[test]
fn a_variant_that_is_not_there_is_404() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get_json("/api/v1/variants/%ff/AllTraffic").0, 400);
    for path in ["nope/AllTraffic", "ads/nope", "a%2Fb/c", "ads/AllTraffic?region=eu-west-1"] {
        let (status, body) = fixture.get_json(&format!("/api/v1/variants/{path}"));
        assert_eq!(status, 404, "{path}");
        assert!(body["error"].as_str().unwrap().starts_with("no variant "), "{body}");
    }
}

#[test]
fn an_ambiguous_name_is_409_with_the_candidates() {
    let mut elsewhere = fixtures::in_sync("ads");
    elsewhere.snapshot.id.region = Region::new("eu-west-1").unwrap();
    let fleet = fixtures::fleet(vec![fixtures::in_sync("ads"), elsewhere]);
    let fixture = Fixture::start(fleet, None);
    let (status, body) = fixture.get_json("/api/v1/variants/ads/AllTraffic");
    assert_eq!(status, 409);
    expect![[r#"
        {
          "error": "2 variants are called ads/AllTraffic; add account_id or region",
          "candidates": [
            {
              "account_id": "123456789012",
              "region": "eu-west-1",
              "endpoint": "ads",
              "variant": "AllTraffic"
            },
            {
              "account_id": "123456789012",
              "region": "us-east-1",
              "endpoint": "ads",
              "variant": "AllTraffic"
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&body).unwrap());
    let (status, body) = fixture.get_json("/api/v1/variants/ads/AllTraffic?region=eu-west-1");
    assert_eq!((status, &body["id"]["region"]), (200, &json!("eu-west-1")));
    assert_eq!(fixture.get("/variants/ads/AllTraffic").0, 409);
    let page = "/variants/ads/AllTraffic?account_id=123456789012&region=us-east-1";
    assert_eq!(fixture.get(page).0, 200);
}

#[test]
fn what_is_not_known_is_refused_with_a_sentence() {
    let fixture = Fixture::with_token("refused", TOKEN);
    let error = |(status, body): (u16, Value)| (status, body["error"].as_str().unwrap().to_owned());
    expect![[r#"
        [
            (
                400,
                "query: regoin: unknown field `regoin`, expected `account_id` or `region`",
            ),
            (
                400,
                "query: x: unknown field `x`, expected one of `q`, `standing`, `safety`, `finding`, `mode`, `account_id`, `region`, `sort`, `limit`, `cursor`",
            ),
            (
                400,
                "query: standing \"bad\" is not one of unknown, create, change, held, not_compared, in_sync, unmanaged",
            ),
            (
                400,
                "query: sort \"price\" is not one of worst, name, divergence, configured, safe, load, instances, telemetry, written, money",
            ),
            (
                400,
                "query: page \"0\" is not a whole number from 1 on",
            ),
            (
                400,
                "query: colour: unknown field `colour`, expected one of `q`, `standing`, `safety`, `finding`, `mode`, `account`, `region`, `sort`, `page`",
            ),
            (
                404,
                "there is nothing at /api/v2/variants",
            ),
            (
                404,
                "there is nothing at /-/explode",
            ),
            (
                405,
                "/api/v1/variants does not take POST",
            ),
        ]
    "#]]
    .assert_debug_eq(&[
        error(fixture.get_json("/api/v1/variants/ads/AllTraffic?regoin=eu-west-1")),
        error(fixture.get_json("/api/v1/variants?x=1")),
        error(fixture.get_json("/?standing=bad")),
        error(fixture.get_json("/?sort=-price")),
        error(fixture.get_json("/?page=0")),
        error(fixture.get_json("/?colour=red")),
        error(fixture.get_json("/api/v2/variants")),
        error(fixture.post("/-/explode", "")),
        error(fixture.post("/api/v1/variants", "")),
    ]);
}

#[test]
fn commands_need_the_token() {
    let open = Fixture::new();
    let (status, body) = open.post("/-/reload", "");
    assert_eq!(status, 403);
    assert_eq!(body["error"], "commands are off: no http.token_file is configured");

    let fixture = Fixture::with_token("auth", &format!("  {TOKEN}\n"));
    let tokens =
        [None, Some(""), Some("correct"), Some("correct horse battery"), Some("wrong hrse!")];
    let paths = ["/-/reload", "/-/reconcile", "/-/pause", "/-/resume", "/-/confirm", "/-/x"];
    let began = Instant::now();
    // At once, for each wrong one waits.
    std::thread::scope(|scope| {
        let all = tokens.iter().flat_map(|token| paths.map(|path| (*token, path)));
        for (token, path) in all.filter(|asked| *asked != (None, "/-/reconcile")) {
            let fixture = &fixture;
            scope.spawn(move || {
                let (status, body) = fixture.post_as(token, path, "");
                assert_eq!(status, 403, "{token:?} {path}");
                // Neither what a command came to nor whether there is one.
                let keys: Vec<_> = body.as_object().unwrap().keys().collect();
                assert_eq!(keys, ["error"], "{path}");
            });
        }
    });
    assert!(began.elapsed() >= Duration::from_secs(1), "a wrong token is answered late");
    // Not told apart from the outside: a path of a command says nothing without the token.
    assert_eq!(fixture.get("/-/reload").0, 403);
    assert!(open.control.asked().is_empty() && fixture.control.asked().is_empty());
    assert_eq!(fixture.post("/-/reload", ""), (200, json!({"ok": true})));
    assert_eq!(fixture.control.asked(), ["reload"]);
}

#[test]
fn the_token_is_read_anew() {
    let fixture = Fixture::with_token("rotated", "old");
    assert_eq!(fixture.post_as(Some("old"), "/-/resume", "").0, 200);
    let file = fixture.token_file.as_ref().unwrap();
    std::fs::write(file, "new").unwrap();
    assert_eq!(fixture.post_as(Some("old"), "/-/resume", "").0, 403);
    assert_eq!(fixture.post_as(Some("new"), "/-/resume", "").0, 200);
    std::fs::write(file, " \n").unwrap();
    let (status, body) = fixture.post_as(Some(""), "/-/resume", "");
    assert_eq!(
        (status, &body["error"]),
        (403, &json!("commands are off: http.token_file is empty"))
    );
    std::fs::write(file, "x".repeat(5000)).unwrap();
    assert_eq!(fixture.post_as(Some(&"x".repeat(5000)), "/-/resume", "").0, 403);
    std::fs::remove_file(file).unwrap();
    assert_eq!(fixture.post_as(Some("new"), "/-/resume", "").0, 403);
}

#[test]
fn commands_reach_the_daemon_as_they_were_meant() {
    let fixture = Fixture::with_token("commands", TOKEN);
    let (status, body) = fixture.post("/-/reconcile?endpoint=fraud-scorer&variant=AllTraffic", "");
    assert_eq!((status, body["variants"].as_array().unwrap().len()), (200, 1));
    assert_eq!(body["variants"][0]["standing"], "change");
    // With the proof, and the reads that it rests on.
    assert_eq!(body["began_at"], "2026-11-23T12:00:00Z");
    let proof =
        json!({"verified": true, "verified_at": "2026-11-23T12:00:00Z", "not_verified": []});
    assert_eq!(body["variants"][0]["proof"], proof);
    let read = json!({"fact": "policies", "operation": "DescribeScalingPolicies",
        "at": "2026-11-23T12:00:00Z", "known": true});
    assert!(body["variants"][0]["reads"].as_array().unwrap().contains(&read), "{body}");
    let pause = r#"{"until": "2026-12-01T08:00:00Z", "reason": "sale"}"#;
    assert_eq!(
        fixture.post("/-/pause?endpoint=ads&region=us-east-1", pause),
        (
            200,
            json!({"ok": true, "until": "2026-12-01T08:00:00Z", "variants": 3,
                "holds_later_variants": true, "survives_restart": false})
        )
    );
    assert_eq!(
        fixture.post("/-/resume", ""),
        (
            200,
            json!({"ok": true, "variants": 3, "were_paused": 2, "pauses_ended": 1, "writers_forgotten": 0,
                "paused_by_configuration": []})
        )
    );
    assert_eq!(fixture.post("/-/confirm", r#"{"plan_id": "p-17"}"#).0, 200);
    assert_eq!(
        fixture.control.asked(),
        [
            "reconcile endpoint=fraud-scorer variant=AllTraffic",
            "pause region=us-east-1 endpoint=ads until 2026-12-01 08:00:00 UTC: sale",
            "resume",
            "confirm p-17",
        ]
    );
    // What is not kept as it should be is told.
    *fixture.control.says.lock().unwrap() = Some("of e/v it ends with this process".to_owned());
    let (status, answer) = fixture.post("/-/pause", pause);
    assert_eq!((status, &answer["note"]), (200, &json!("of e/v it ends with this process")));
}

#[test]
fn commands_that_make_no_sense_never_reach_the_daemon() {
    let fixture = Fixture::with_token("nonsense", TOKEN);
    let long = format!(r#"{{"until": "2026-12-01T08:00:00Z", "reason": "{}"}}"#, "x".repeat(501));
    for (path, body) in [
        ("/-/reconcile?endpiont=a", ""),
        ("/-/reconcile?variant=AllTraffic", ""),
        ("/-/reconcile?endpoint=-a-", ""),
        ("/-/reconcile?endpoint=a&endpoint=b", ""),
        ("/-/pause", ""),
        ("/-/pause", r#"{"until": "tomorrow", "reason": "x"}"#),
        ("/-/pause", r#"{"until": "2026-12-01T08:00:00Z", "reason": " "}"#),
        ("/-/pause", r#"{"until": "2026-12-01T08:00:00Z", "reason": "x", "for": 1}"#),
        ("/-/pause", long.as_str()),
        ("/-/confirm", r#"{"plan": "p-17"}"#),
        ("/-/confirm", "not json"),
        ("/-/reload?force=1", ""),
    ] {
        let (status, answer) = fixture.post(path, body);
        assert_eq!(status, 400, "{path} {body}: {answer}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert!(fixture.control.asked().is_empty());
}

#[test]
fn a_body_that_is_too_long_is_413() {
    let fixture = Fixture::with_token("long", TOKEN);
    let (status, body) = fixture.post("/-/confirm", &" ".repeat(MAX_BODY_BYTES + 1));
    assert_eq!(status, 413);
    assert_eq!(body["error"], "the body is longer than 16384 bytes");
}

#[test]
fn a_bad_configuration_is_422_with_its_problems() {
    let fixture = Fixture::with_token("reload", TOKEN);
    let problem = json!({"file": "a.yaml", "key": "http.lisen", "found": "1"});
    fixture.control.problems.lock().unwrap().push(problem.clone());
    let (status, body) = fixture.post("/-/reload", "");
    assert_eq!(status, 422);
    assert_eq!(body["problems"], json!([problem]));
    assert!(body["error"].as_str().unwrap().contains("stays in force"));
}

#[test]
fn what_the_daemon_refuses_has_its_status() {
    let fixture = Fixture::with_token("statuses", TOKEN);
    for (error, expected) in [
        (ControlError::NotFound("no plan p-1 waits".to_owned()), 404),
        (ControlError::Invalid("until is past".to_owned()), 400),
        (ControlError::Conflict("nothing is paused".to_owned()), 409),
        (ControlError::Unavailable("not the leader".to_owned()), 503),
    ] {
        let sentence = error.to_string();
        *fixture.control.refuses.lock().unwrap() = Some(error);
        assert_eq!(fixture.post("/-/resume", ""), (expected, json!({"error": sentence})));
    }
}

#[test]
fn an_address_in_use_is_named() {
    let fixture = Fixture::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Server::bind(fixture.address)).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {}: ", fixture.address)));
}

#[test]
fn a_shutdown_ends_the_server_though_a_client_stays_connected() {
    let mut fixture = Fixture::new();
    let agent = Fixture::agent();
    // Keeps its connection open after the answer.
    assert_eq!(agent.get(fixture.url("/healthz")).call().unwrap().status(), 200);
    fixture.stop.take().unwrap().send(()).unwrap();
    let served = fixture.served.take().unwrap();
    let runtime = fixture.runtime.as_ref().unwrap();
    let ended =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), served).await });
    ended.expect("the server ends").unwrap();
    assert!(Fixture::agent().get(fixture.url("/healthz")).call().is_err());
}
