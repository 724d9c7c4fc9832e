//! `/_sim/`: time, faults and the truth.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use setpoint::sim::Scenario;
use setpoint::sim::server::{Pace, Server};

use super::support::{Answer, demo, get, json_call, post, sdk, serve};

fn inject(url: &str, fault: &Value) -> Answer {
    post(url, "/_sim/fault", &[], fault.to_string().as_bytes())
}

fn now(answer: &Answer) -> DateTime<Utc> {
    answer.json()["now"].as_str().expect("now").parse().expect("RFC 3339")
}

fn list_endpoints(url: &str) -> Answer {
    json_call(url, "SageMaker.ListEndpoints", &json!({}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stepped_time_moves_only_when_told() {
    let sim = demo();
    let start = sim.now();
    let server = serve(sim.clone()).await;
    let url = server.endpoint_url();
    list_endpoints(&url);
    assert_eq!(now(&get(&url, "/_sim/healthz")), start);
    let answer = post(&url, "/_sim/advance?seconds=1830", &[], b"");
    assert_eq!(now(&answer), start + TimeDelta::seconds(1830));
    assert_eq!(sim.now(), start + TimeDelta::seconds(1830));
    assert_eq!(now(&get(&url, "/_sim/healthz")), start + TimeDelta::seconds(1830));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_at_a_speed_moves_by_itself() {
    let sim = demo();
    let mut clock = sim.subscribe();
    let start = sim.now();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(sim, listen, Pace::Speed(1000.0)).await.unwrap();
    // Nobody asks anything: the server moves the world itself. The bound only ends a broken test.
    let moved = clock.wait_for(|now| *now >= start + TimeDelta::seconds(60));
    tokio::time::timeout(Duration::from_secs(30), moved).await.expect("time passes").unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senseless_advances_and_faults_are_told_what_is_allowed() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    for query in ["", "?seconds=", "?seconds=0", "?seconds=-5", "?seconds=604801", "?seconds=1.5"] {
        let answer = post(&url, &format!("/_sim/advance{query}"), &[], b"");
        assert_eq!(answer.status, 422, "{query}");
        assert!(answer.text().contains("1 to 604800"), "{}", answer.text());
    }
    let because = "the controller must survive this because networks break";
    for (fault, word) in [
        (json!({"kind": "meteor", "because": because}), "throttle"),
        (json!({"kind": "meteor", "because": because}), "connection_reset"),
        (json!({"kind": "throttle"}), "because"),
        (json!({"kind": "throttle", "because": because, "max_hits": 0}), "1 to 100000"),
        (json!({"kind": "throttle", "because": because, "operations": ["X"]}), "operations"),
        (json!({"kind": "connection_reset", "because": because, "max_hits": 0}), "1 to 100000"),
        (json!({"kind": "truncated_body", "because": because, "often": 3}), "max_hits"),
    ] {
        let answer = inject(&url, &fault);
        assert_eq!(answer.status, 422, "{fault}");
        assert!(answer.text().contains(word), "{word} in {}", answer.text());
    }
    assert_eq!(post(&url, "/_sim/fault", &[], b"{").status, 422);
    let answer = get(&url, "/_sim/nothing");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("/_sim/advance"), "{}", answer.text());
    assert_eq!(list_endpoints(&url).status, 200, "nothing of this broke the world");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_counts_calls_and_shows_faults() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    let calls =
        |state: &Value| state["calls"]["sagemaker/ListEndpoints"]["calls"].as_u64().unwrap_or(0);
    let before = calls(&get(&url, "/_sim/state").json());
    list_endpoints(&url);
    list_endpoints(&url);
    let fault = json!({"kind": "connection_reset", "because": "it must", "max_hits": 7});
    assert_eq!(inject(&url, &fault).status, 200);
    let state = get(&url, "/_sim/state").json();
    assert_eq!(calls(&state), before + 2);
    assert_eq!(state["wire_faults"][0]["max_hits"], 7);
    assert_eq!(state["speed"], Value::Null);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_world_reaches_the_client_in_its_protocol() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    let fault = json!({"kind": "throttle", "operations": ["ListEndpoints"], "max_hits": 1,
        "because": "AWS throttles"});
    assert_eq!(inject(&url, &fault).status, 200);
    let answer = list_endpoints(&url);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["__type"], "ThrottlingException");
    assert_eq!(list_endpoints(&url).status, 200, "one hit was all");
    let fault = json!({"kind": "garbage", "operations": ["ListEndpoints"], "max_hits": 1,
        "because": "proxies answer for AWS"});
    assert_eq!(inject(&url, &fault).status, 200);
    let answer = list_endpoints(&url);
    assert_eq!(answer.status, 200);
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err(), "{}", answer.text());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_are_broken_for_the_sdk() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    let sts = aws_sdk_sts::Client::new(&sdk(&url));
    for kind in ["connection_reset", "truncated_body", "service_unavailable"] {
        let fault = json!({"kind": kind, "max_hits": 1, "because": "networks break"});
        assert_eq!(inject(&url, &fault).status, 200);
        let error = sts.get_caller_identity().send().await.expect_err(kind);
        let status = error.raw_response().map(|r| r.status().as_u16());
        let expected = if kind == "service_unavailable" { Some(503) } else { None };
        assert_eq!(status.filter(|s| *s != 200), expected, "{kind}: {error:?}");
        sts.get_caller_identity().send().await.expect("the next call is whole");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_answer_took_effect_and_a_reset_one_did_not() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    let calls =
        || get(&url, "/_sim/state").json()["calls"]["sts/GetCallerIdentity"]["calls"].as_u64();
    let sts = aws_sdk_sts::Client::new(&sdk(&url));
    for (kind, counted) in [("connection_reset", 0), ("truncated_body", 1)] {
        let before = calls().unwrap_or(0);
        let fault = json!({"kind": kind, "max_hits": 1, "because": "networks break"});
        assert_eq!(inject(&url, &fault).status, 200);
        sts.get_caller_identity().send().await.expect_err(kind);
        assert_eq!(calls().unwrap_or(0), before + counted, "{kind}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_is_a_reset_and_no_orderly_end() {
    let server = serve(demo()).await;
    let fault = json!({"kind": "connection_reset", "max_hits": 1, "because": "networks break"});
    assert_eq!(inject(&server.endpoint_url(), &fault).status, 200);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: SageMaker.ListEndpoints\r\n\
         authorization: {}\r\ncontent-length: 2\r\n\r\n{{}}",
        super::support::SIGNED
    );
    stream.write_all(request.as_bytes()).unwrap();
    let error = stream.read(&mut [0; 1]).expect_err("no byte and no end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_with_the_client_or_the_server() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    let fault = json!({"kind": "no_answer", "max_hits": 1, "because": "AWS hangs"});
    assert_eq!(inject(&url, &fault).status, 200);
    let sts = aws_sdk_sts::Client::new(&sdk(&url));
    let call = tokio::spawn(async move { sts.get_caller_identity().send().await });
    // The call has arrived once it is counted; it then hangs until the server stops.
    let counted =
        || get(&url, "/_sim/state").json()["calls"]["sts/GetCallerIdentity"]["calls"] == 1;
    for _ in 0..1000 {
        if counted() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(counted());
    server.stop().await;
    let result = call.await.unwrap();
    assert!(result.is_err_and(|e| e.raw_response().is_none()));
}

#[test]
fn the_documented_scenario_is_one() {
    let page = include_str!("../../../docs/simulate.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let scenario = Scenario::parse(example.expect("an example"), "docs/simulate.md");
    scenario.expect("it can be read").build().expect("it can be built");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_the_web_cannot_command_the_world() {
    let sim = demo();
    let start = sim.now();
    let server = serve(sim.clone()).await;
    let asked = |host: &str| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let request = format!(
            "POST /_sim/advance?seconds=60 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    // A name of its own that leads to 127.0.0.1 (DNS rebinding).
    assert!(asked("evil.example").starts_with("HTTP/1.1 421 "));
    assert_eq!(sim.now(), start);
    assert!(asked("localhost:9").starts_with("HTTP/1.1 200 "));
    assert_eq!(sim.now(), start + TimeDelta::seconds(60));
    server.stop().await;
}
