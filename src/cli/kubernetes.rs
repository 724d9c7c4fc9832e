//! What is used of Kubernetes, put together from the configuration and the pod's environment.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::CliError;
use crate::config::Config;
use crate::daemon::{LeadershipSource, Lease};
use crate::k8s::lease::Timing;
use crate::k8s::{
    Cluster, ConfigMapMemory, Elector, EventSettings, KubernetesEvents, Part, Regarding, Settings,
    connect,
};
use crate::ports::{Clock, Events, Leadership, Memory};

/// The parts that the configuration asks for; none of them outside Kubernetes.
#[derive(Default)]
pub(super) struct Kubernetes {
    lease_name: Option<String>,
    elector: Option<Elector>,
    memory: Option<Arc<dyn Memory>>,
    events: Option<Arc<dyn Events>>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What the daemon keeps in a `ConfigMap`, for a command that makes a pass of its own; absent where the configuration
/// names none.
///
/// # Errors
/// When it cannot be read. Outside a pod also when it is empty: a kubeconfig may lead to any cluster.
pub(super) async fn memory_of_the_daemon(
    config: &Config,
) -> Result<Option<Arc<dyn Memory>>, CliError> {
    let wanted = &config.kubernetes;
    let Some(name) = &wanted.memory_configmap else { return Ok(None) };
    let namespace = wanted.namespace.clone().or_else(|| variable("POD_NAMESPACE"));
    let settings = Settings { namespace, pod_name: None };
    let failed = |why: String| {
        CliError::failed(format!("the ConfigMap {name}, where the daemon's memory is, {why}"))
    };
    let cluster =
        connect(&settings).await.map_err(|error| failed(format!("cannot be read: {error}")))?;
    let memory = ConfigMapMemory::new(&cluster, name);
    let remembered = memory.remembered().await;
    let remembered = remembered.map_err(|error| failed(format!("cannot be read: {error}")))?;
    if remembered.is_empty() && variable("KUBERNETES_SERVICE_HOST").is_none() {
        let namespace = &cluster.namespace;
        return Err(failed(format!(
            "is empty in namespace {namespace} of the cluster that KUBECONFIG leads to"
        )));
    }
    Ok(Some(Arc::new(memory)))
}

impl Kubernetes {
    /// Connects as far as the configuration asks for it, and joins the election.
    ///
    /// # Errors
    /// When there are no credentials, or nothing that Events could be about.
    pub(super) async fn join(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, CliError> {
        let wanted = &config.kubernetes;
        if !wanted.is_used() {
            return Ok(Self::default());
        }
        let pod_name = variable("POD_NAME");
        let settings = Settings {
            namespace: wanted.namespace.clone().or_else(|| variable("POD_NAMESPACE")),
            pod_name: pod_name.clone(),
        };
        let only_events = wanted.lease_name.is_none() && wanted.memory_configmap.is_none();
        let cluster = match connect(&settings).await {
            Ok(cluster) => cluster,
            // Events are news beside the log and the metrics: nothing waits for them.
            Err(error) if only_events => {
                tracing::warn!(%error, "Events cannot be written; the log and the metrics have it all");
                return Ok(Self::default());
            }
            Err(error) => return Err(CliError::failed(error.to_string())),
        };
        let memory = wanted.memory_configmap.as_ref().map(|name| {
            let memory: Arc<dyn Memory> = Arc::new(ConfigMapMemory::new(&cluster, name));
            memory
        });
        let pod = pod_name.map(|name| Regarding::Pod { name, uid: variable("POD_UID") });
        let events = if wanted.events { Some(events(config, &cluster, pod, clock)?) } else { None };
        let timing = Timing {
            lease_duration: wanted.lease_duration,
            renew_deadline: wanted.renew_deadline,
            retry_period: wanted.retry_period,
        };
        let elector = wanted.lease_name.as_ref().map(|name| {
            let clock = Arc::clone(clock);
            let part = Part {
                base_name: wanted.lease_base.clone().unwrap_or_else(|| name.clone()),
                lease_name: name.clone(),
                scopes: config.shard().map(|shard| shard.scopes),
            };
            Elector::start(&cluster, part, timing, clock, wanted.role_label)
        });
        tracing::info!(
            namespace = cluster.namespace,
            identity = cluster.identity.as_str(),
            elected = elector.is_some(),
            "in Kubernetes"
        );
        Ok(Self { lease_name: wanted.lease_name.clone(), elector, memory, events })
    }

    /// The `ConfigMap`, if what must be remembered is kept there.
    pub(super) fn memory(&self) -> Option<Arc<dyn Memory>> {
        self.memory.clone()
    }

    /// Publishes decisions as Kubernetes Events, if it is to.
    pub(super) fn events(&self) -> Option<Arc<dyn Events>> {
        self.events.clone()
    }

    /// The terms of this process, if there is an election.
    pub(super) fn terms(&self) -> Option<LeadershipSource> {
        let elector = self.elector.as_ref()?;
        let name = self.lease_name.clone().unwrap_or_default();
        let lease = Lease { name, holder: elector.holder() };
        Some(LeadershipSource::Elected(elector.terms(), lease))
    }

    /// The last look before a write, if there is an election.
    pub(super) fn leadership(&self) -> Option<Arc<dyn Leadership>> {
        self.elector.as_ref().map(Elector::leadership)
    }

    /// Tells the others where this process serves its pages, if that is anywhere they can go.
    pub(super) fn announce(&self, listening: SocketAddr) {
        let pod_ip = std::env::var("POD_IP").ok().and_then(|ip| ip.parse().ok());
        if let (Some(elector), Some(address)) = (&self.elector, reachable(listening, pod_ip)) {
            elector.announce(address);
        }
    }

    /// Leaves the election. The Lease is released only when no write is under way any more.
    pub(super) async fn leave(self, quiet: bool) -> Result<(), CliError> {
        match self.elector {
            Some(elector) if quiet => {
                elector.release().await.map_err(|error| CliError::failed(error.to_string()))
            }
            Some(elector) => {
                elector.abandon();
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn events(
    config: &Config,
    cluster: &Cluster,
    pod: Option<Regarding>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Events>, CliError> {
    let wanted = &config.kubernetes;
    let named = |name: &Option<String>, kind: fn(String) -> Regarding| name.clone().map(kind);
    let regarding = pod
        .or_else(|| named(&wanted.memory_configmap, Regarding::ConfigMap))
        .or_else(|| named(&wanted.lease_name, Regarding::Lease))
        .ok_or_else(|| {
            CliError::failed(
                "kubernetes.events needs an object that they are about (set POD_NAME in the pod, \
                 kubernetes.memory_configmap or kubernetes.lease_name)",
            )
        })?;
    let settings = EventSettings { regarding, clock: Arc::clone(clock) };
    Ok(Arc::new(KubernetesEvents::start(cluster, &settings)))
}

/// Where others reach what listens here: on every address, at the pod's; else where it listens, unless
/// that is within the machine.
fn reachable(listening: SocketAddr, pod_ip: Option<IpAddr>) -> Option<SocketAddr> {
    let ip = listening.ip();
    match pod_ip {
        Some(pod) if ip.is_unspecified() || ip == pod => {
            Some(SocketAddr::new(pod, listening.port()))
        }
        _ => (!ip.is_unspecified() && !ip.is_loopback()).then_some(listening),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_others_can_reach_is_announced() {
        let at = |listening: &str, pod: Option<&str>| {
            let found = reachable(listening.parse().unwrap(), pod.map(|ip| ip.parse().unwrap()));
            found.map(|address| address.to_string())
        };
        let pod = Some("10.0.0.7");
        assert_eq!(at("0.0.0.0:9090", pod).as_deref(), Some("10.0.0.7:9090"));
        assert_eq!(at("[::]:9090", Some("fd00::7")).as_deref(), Some("[fd00::7]:9090"));
        assert_eq!(at("192.0.2.1:9090", None).as_deref(), Some("192.0.2.1:9090"));
        assert_eq!(at("127.0.0.1:9090", pod), None, "nobody else reaches it");
        assert_eq!(at("0.0.0.0:9090", None), None, "nobody knows where that is");
    }
}
