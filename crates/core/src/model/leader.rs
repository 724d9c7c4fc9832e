//! The process that leads, as one that follows it sees it.

use std::net::SocketAddr;

use serde::Serialize;

/// The process that leads, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Leader {
    /// Who holds the Lease; absent while nobody does, or it has not been read yet.
    pub identity: Option<String>,
    /// The pod, or the host, that the identity names.
    pub pod: Option<String>,
    /// Where it serves its pages; absent when it has not said.
    pub url: Option<String>,
}

impl Leader {
    /// The holder of a Lease, and where it says that it answers. Whatever else than an address and
    /// a port stands there is no link.
    pub fn of(identity: Option<&str>, address: Option<&str>) -> Self {
        let Some(identity) = identity else { return Self::default() };
        // An identity is the pod's name, `_`, and a random word.
        let pod = identity.rsplit_once('_').map_or(identity, |(pod, _)| pod);
        let address = address.and_then(|address| address.parse::<SocketAddr>().ok());
        Self {
            identity: Some(identity.to_owned()),
            pod: Some(pod.to_owned()),
            url: address.map(|address| format!("http://{address}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_names_its_pod_and_only_an_address_becomes_a_link() {
        let leader = Leader::of(Some("setpoint-0_7f_3c"), Some("10.0.0.7:9090"));
        assert_eq!(leader.pod.as_deref(), Some("setpoint-0_7f"));
        assert_eq!(leader.url.as_deref(), Some("http://10.0.0.7:9090"));
        let six = Leader::of(Some("a_b"), Some("[fd00::7]:9090")).url;
        assert_eq!(six.as_deref(), Some("http://[fd00::7]:9090"));
        for other in ["javascript:alert(1)", "10.0.0.7", "example.com:80", "", "\" onclick=x"] {
            assert_eq!(Leader::of(Some("a_b"), Some(other)).url, None, "{other}");
        }
        assert_eq!(Leader::of(None, Some("10.0.0.7:9090")), Leader::default());
    }
}
