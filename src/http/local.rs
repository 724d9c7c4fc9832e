//! What may be asked without a token from inside the pod, where whoever asks could read the token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, FORWARDED, HOST, ORIGIN, VIA};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method};

/// The one command that changes nothing of what the daemon is to do: it makes the next pass come
/// now, by the same rules, and shows what it was compared from.
const LOOKS: &str = "/-/reconcile";

/// Whether the request needs no token: the command that only looks, from a process on this machine.
/// With a token it is as any other, so that a wrong one is still refused.
pub(super) fn may_look(request: &Request, from: Option<IpAddr>) -> bool {
    let headers = request.headers();
    request.method() == Method::POST
        && request.uri().path() == LOOKS
        && from.is_some_and(is_this_machine)
        && !headers.contains_key(AUTHORIZATION)
        && !is_of_a_browser(headers)
        && !is_passed_on(headers)
        && names_this_machine(headers)
}

/// The addresses that a process uses to speak to its own machine. The others of 127.0.0.0/8 do not
/// count: the sidecar of a service mesh passes the world's requests on from 127.0.0.6.
fn is_this_machine(from: IpAddr) -> bool {
    let from = from.to_canonical();
    from == IpAddr::V4(Ipv4Addr::LOCALHOST) || from == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

/// A page of the web can make a browser on this machine send a POST (CSRF); a browser then says so.
fn is_of_a_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || any_begins(headers, "sec-fetch-")
}

/// A proxy beside the daemon speaks for others.
fn is_passed_on(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED)
        || headers.contains_key(VIA)
        || headers.contains_key("x-real-ip")
        || any_begins(headers, "x-forwarded-")
        || any_begins(headers, "x-envoy-")
}

fn any_begins(headers: &HeaderMap, with: &str) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(with))
}

/// Whether it was asked by a loopback address or `localhost`. A proxy that hides itself passes the
/// name on by which the world knows it.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let mut names = headers.get_all(HOST).iter();
    let (Some(name), None) = (names.next(), names.next()) else { return false };
    let Some(authority) = name.to_str().ok().and_then(|name| name.parse::<Authority>().ok()) else {
        return false;
    };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(from: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        may_look(&request.body(Body::empty()).unwrap(), Some(from.parse().unwrap()))
    }

    #[test]
    fn a_process_of_the_pod_may_look() {
        for from in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            for host in ["localhost:9090", "127.0.0.1:9090", "[::1]:9090"] {
                let host = [("host", host)];
                assert!(asked(from, "POST", "/-/reconcile", &host), "{from} {host:?}");
                assert!(asked(from, "POST", "/-/reconcile?endpoint=a", &host), "{from} {host:?}");
            }
        }
    }

    #[test]
    fn nothing_else_goes_without_a_token() {
        let host = ("host", "127.0.0.1:9090");
        for path in ["/-/pause", "/-/resume", "/-/reload", "/-/confirm", "/-/reconcile/", "/-/x"] {
            assert!(!asked("127.0.0.1", "POST", path, &[host]), "{path}");
        }
        assert!(!asked("127.0.0.1", "GET", "/-/reconcile", &[host]));
        for from in ["10.0.0.7", "127.0.0.6", "192.168.1.1", "fe80::1", "2001:db8::1"] {
            assert!(!asked(from, "POST", "/-/reconcile", &[host]), "{from}");
        }
        for header in [
            ("authorization", "Bearer wrong"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-envoy-peer-metadata", "x"),
            ("x-real-ip", "192.0.2.1"),
            ("via", "1.1 proxy"),
            ("host", "127.0.0.1:9090"),
        ] {
            assert!(!asked("127.0.0.1", "POST", "/-/reconcile", &[host, header]), "{header:?}");
        }
        for name in ["setpoint.example.com", "setpoint:9090", "localhost.evil.example", "10.0.0.7"]
        {
            assert!(!asked("127.0.0.1", "POST", "/-/reconcile", &[("host", name)]), "{name}");
        }
        assert!(!asked("127.0.0.1", "POST", "/-/reconcile", &[]));
        assert!(!may_look(&Request::new(Body::empty()), None));
    }
}
