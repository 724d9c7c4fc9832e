//! The cluster, and who this process is in it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest wait for a connection to the API server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest silence of the API server. Callers have shorter limits where they need them.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How to reach the cluster, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where the Lease, the `ConfigMap` and the Events are; that of the credentials when absent.
    pub namespace: Option<String>,
    /// The pod this process runs in, if it does.
    pub pod_name: Option<String>,
}

/// A client for one namespace.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: kube::Client,
    pub namespace: String,
    /// Who this process is.
    pub identity: Identity,
    /// The pod this process runs in, if it does.
    pub pod_name: Option<String>,
}

/// Who this process is: the pod or host, and a word that no other process has.
///
/// A container that restarts keeps its pod's name. Without the word it would take the Lease of the
/// process before it for its own, whose last write may still be under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(String);

impl Identity {
    /// A new identity on this pod, or on this host.
    pub fn new(pod_name: Option<&str>) -> Self {
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name = pod_name.map_or_else(host, str::to_owned);
        // The standard library seeds its hashers at random: enough to tell processes apart.
        let word = RandomState::new().hash_one(std::process::id());
        Self(format!("{name}_{word:016x}"))
    }

    /// The identity, as the Lease shows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why there is no client. Boxed, for it is large and rare.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach Kubernetes: {0}")]
pub struct ConnectError(String);

/// Makes a client from `KUBECONFIG` or the pod's service account. Nothing is sent yet.
///
/// # Errors
/// When there are no credentials, or they cannot be used.
pub async fn connect(settings: &Settings) -> Result<Cluster, ConnectError> {
    let failed = |error: &dyn std::fmt::Display| ConnectError(error.to_string());
    let mut config = kube::Config::infer().await.map_err(|error| failed(&error))?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    // Each caller retries, or not, for reasons of its own.
    config.default_retry = false;
    let client = kube::Client::try_from(config).map_err(|error| failed(&error))?;
    Ok(Cluster::new(client, settings))
}

impl Cluster {
    /// The cluster behind a client.
    pub fn new(client: kube::Client, settings: &Settings) -> Self {
        let given = settings.namespace.clone();
        let namespace = given.unwrap_or_else(|| client.default_namespace().to_owned());
        let identity = Identity::new(settings.pod_name.as_deref());
        Self { client, namespace, identity, pod_name: settings.pod_name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_of_one_pod_are_not_the_same() {
        let (one, other) = (Identity::new(Some("setpoint-0")), Identity::new(Some("setpoint-0")));
        assert!(one.as_str().starts_with("setpoint-0_") && one != other);
        assert!(!Identity::new(None).as_str().starts_with('_'), "the host has a name");
    }
}
