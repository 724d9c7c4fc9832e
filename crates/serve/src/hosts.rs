//! Under which names a server on a loopback address may be asked.
//!
//! A page of the web can make a browser ask a name of its own that leads to 127.0.0.1 (DNS
//! rebinding). The browser then sends that name, by which it is told apart.

use std::net::IpAddr;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// The names that a server answers to.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// `None`: to all.
    also: Option<Vec<String>>,
}

impl Hosts {
    /// The names of a server that listens on this address: on a loopback address `localhost`,
    /// loopback addresses and `also`; elsewhere all, for names are the network's to give.
    pub fn of(listening: IpAddr, also: &[String]) -> Self {
        Self { also: listening.is_loopback().then(|| also.to_vec()) }
    }

    /// The name of a request, when the server does not answer to it.
    pub(crate) fn refused(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let also = self.also.as_ref()?;
        let sent = headers.get_all(HOST).iter();
        let named = sent.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        // A request without a name is no browser's.
        let mut all = named.chain(uri.authority().map(ToString::to_string));
        all.find(|name| !is_allowed(name, also))
    }
}

fn is_allowed(name: &str, also: &[String]) -> bool {
    let Ok(authority) = name.parse::<Authority>() else { return false };
    let host = authority.host().trim_end_matches('.');
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.is_loopback() || also.iter().any(|name| name == bare);
    }
    host.eq_ignore_ascii_case("localhost")
        || also.iter().any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(listening: &str, hosts: &[&str]) -> bool {
        let also = ["setpoint.example.com".to_owned()];
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        let hosts = Hosts::of(listening.parse().unwrap(), &also);
        hosts.refused(&Uri::from_static("/"), &headers).is_some()
    }

    #[test]
    fn on_a_loopback_address_only_its_own_names_are_answered() {
        for host in [
            "localhost",
            "LOCALHOST:9090",
            "localhost.",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]:9090",
            "setpoint.example.com",
            "Setpoint.Example.com:443",
        ] {
            assert!(!refused("127.0.0.1", &[host]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:9090",
            "192.0.2.1",
            "0.0.0.0",
            "",
            "a b",
            "localhost@evil.example",
        ] {
            assert!(refused("::1", &[host]), "{host}");
        }
        assert!(refused("127.0.0.1", &["localhost", "evil.example"]), "one of two");
        assert!(!refused("127.0.0.1", &[]));
        assert!(!refused("0.0.0.0", &["setpoint.monitoring.svc"]), "a name of the cluster");
    }

    #[test]
    fn the_name_in_the_request_line_counts_too() {
        let hosts = Hosts::of("127.0.0.1".parse().unwrap(), &[]);
        let asked = |uri| hosts.refused(&Uri::from_static(uri), &HeaderMap::new());
        assert_eq!(asked("http://evil.example/"), Some("evil.example".to_owned()));
        assert_eq!(asked("http://localhost:9/"), None);
    }
}
