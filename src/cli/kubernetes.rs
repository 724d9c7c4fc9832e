//! What is used of Kubernetes, put together from the configuration and the pod's environment.

use std::sync::Arc;

use super::CliError;
use crate::config::Config;
use crate::daemon::{LeadershipSource, Lease};
use crate::k8s::lease::Timing;
use crate::k8s::{
    Cluster, ConfigMapMemory, Elector, EventSettings, KubernetesEvents, Regarding, Settings,
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
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let pod_name = variable("POD_NAME");
        let settings = Settings {
            namespace: wanted.namespace.clone().or_else(|| variable("POD_NAMESPACE")),
            pod_name: pod_name.clone(),
        };
        let cluster =
            connect(&settings).await.map_err(|error| CliError::failed(error.to_string()))?;
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
        let elector = wanted
            .lease_name
            .as_ref()
            .map(|name| Elector::start(&cluster, name, timing, Arc::clone(clock)));
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

    /// Where decisions are told, if they are told as Events.
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

    /// Leaves the election. The Lease is released only when no write is under way any more.
    ///
    /// # Errors
    /// When the election has failed.
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
