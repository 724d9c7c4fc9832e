//! What a client that means no good can do without a token: nothing that others notice.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::server::{Fixture, TOKEN};

/// More than all ordinary places, and than those of one address.
const MANY: usize = 400;

fn connect(fixture: &Fixture) -> TcpStream {
    let stream = TcpStream::connect(fixture.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends bytes as they are, and reads until the other end closes.
fn raw(fixture: &Fixture, bytes: &str) -> String {
    let mut stream = connect(fixture);
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is an end too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn asked_under(fixture: &Fixture, host: &str, path: &str) -> String {
    raw(fixture, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

#[test]
fn probes_and_metrics_are_answered_while_connections_idle_and_trickle() {
    let fixture = Fixture::with_token("flooded", TOKEN);
    let mut flood: Vec<TcpStream> = Vec::new();
    for n in 0..MANY {
        let mut stream = connect(&fixture);
        // One in two says something, and never all of it.
        if n % 2 == 0 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").unwrap();
        }
        flood.push(stream);
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        for stream in &mut flood {
            // Those that were sent away cannot be written to.
            let _ = stream.write_all(b"x");
        }
        for path in ["/healthz", "/readyz", "/metrics"] {
            let asked = Instant::now();
            let (status, body) = fixture.get(path);
            assert!(status == 200 || path == "/readyz" && status == 503, "{path}: {status} {body}");
            assert!(asked.elapsed() < Duration::from_secs(2), "{path} took {:?}", asked.elapsed());
        }
        // Pages and commands have no place beyond those of everybody.
        let (status, body) = fixture.get_json("/");
        assert_eq!(status, 503);
        assert!(body["error"].as_str().unwrap().starts_with("too many connections"), "{body}");
    }
    drop(flood);
    let until = Instant::now() + Duration::from_secs(20);
    while fixture.get("/").0 != 200 {
        assert!(Instant::now() < until, "the places are free again");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn who_says_nothing_or_half_is_closed_after_seconds() {
    let fixture = Fixture::with_token("idle", TOKEN);
    let command = format!(
        "POST /-/confirm HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n{{"
    );
    let beginnings = [
        ("nothing", String::new(), ""),
        ("half a head", "GET / HTTP/1.1\r\nHost: loc".to_owned(), ""),
        // The next request of a connection that is kept is awaited no longer.
        ("one request", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "200 OK"),
        ("half a body", command, "408 Request Timeout"),
    ];
    std::thread::scope(|scope| {
        for (what, bytes, answer) in &beginnings {
            let fixture = &fixture;
            scope.spawn(move || {
                let began = Instant::now();
                let found = raw(fixture, bytes);
                assert!(found.contains(answer), "{what}: {found}");
                assert!(began.elapsed() < Duration::from_secs(18), "{what}: {:?}", began.elapsed());
            });
        }
    });
    assert!(fixture.control.asked().is_empty());
}

#[test]
fn a_name_that_is_not_its_own_is_refused_on_a_loopback_address() {
    let fixture = Fixture::new();
    for host in ["localhost", "127.0.0.1:9090", "[::1]", "setpoint.example.com"] {
        assert!(asked_under(&fixture, host, "/healthz").starts_with("HTTP/1.1 200"), "{host}");
    }
    for host in ["evil.example", "evil.example:9090", "192.0.2.1"] {
        for path in ["/", "/api/v1/variants", "/metrics", "/-/reload"] {
            let answer = asked_under(&fixture, host, path);
            assert!(answer.starts_with("HTTP/1.1 421 "), "{host} {path}: {answer}");
            let body = answer.split("\r\n\r\n").nth(1).unwrap();
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(body["error"].as_str().unwrap().contains(host), "{body}");
        }
    }
}

#[test]
fn http_2_is_not_spoken() {
    let fixture = Fixture::new();
    let answer = raw(&fixture, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(!answer.as_bytes().starts_with(b"\0\0"), "a SETTINGS frame: {answer:?}");
    let upgrade = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
                   Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert!(raw(&fixture, upgrade).starts_with("HTTP/1.1 200"));
}
