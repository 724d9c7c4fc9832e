//! Keeps the label of this process's pod that says whether it leads, so that people find the leader
//! among the replicas: `kubectl get pod -l setpoint.dev/role=leader`.
//!
//! It is for people. Nothing here decides by it, and a pod whose node is gone keeps the label that it
//! had: who may write is decided by the Lease alone.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connect::Cluster;
use super::elector::Term;

pub const ROLE_LABEL: &str = "setpoint.dev/role";

/// The longest that one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// After a failure.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// What somebody has changed is put back after so long, and a missing permission is tried again.
const AGAIN_AFTER: Duration = Duration::from_mins(5);

/// The value of the label in this term.
const fn role(term: &Term) -> &'static str {
    if term.is_some() { "leader" } else { "follower" }
}

/// Keeps the label of this pod, until the election has ended and the label says so.
pub(super) fn keep(cluster: &Cluster, pod: String, terms: watch::Receiver<Term>) -> JoinHandle<()> {
    let api = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    tokio::spawn(Label { api, pod, said: None }.run(terms))
}

struct Label {
    api: Api<Pod>,
    pod: String,
    /// The failure that the log last showed.
    said: Option<String>,
}

impl Label {
    async fn run(mut self, mut terms: watch::Receiver<Term>) {
        loop {
            let role = role(&terms.borrow_and_update());
            let wait = self.put(role).await;
            tokio::select! {
                changed = terms.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Sets the label, and says how long that is good for.
    async fn put(&mut self, role: &str) -> Duration {
        let patch = Patch::Merge(json!({"metadata": {"labels": {ROLE_LABEL: role}}}));
        let params = PatchParams::default();
        // The answer is the whole pod, of which nothing is wanted.
        let request = self.api.patch_metadata(&self.pod, &params, &patch);
        let (failure, wait) = match tokio::time::timeout(TIMEOUT, request).await {
            Ok(Ok(_)) => (None, AGAIN_AFTER),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                let undo = "allow it, or set kubernetes.role_label: false";
                (Some(format!("{} ({undo})", status.message)), AGAIN_AFTER)
            }
            Ok(Err(error)) => (Some(error.to_string()), RETRY_AFTER),
            Err(_) => (Some(format!("no answer within {TIMEOUT:?}")), RETRY_AFTER),
        };
        self.note(role, failure);
        wait
    }

    /// Says once that it fails, and once that it does no longer.
    fn note(&mut self, role: &str, failure: Option<String>) {
        let (pod, label) = (self.pod.as_str(), ROLE_LABEL);
        match &failure {
            Some(error) if self.said.is_none() => {
                tracing::warn!(pod, label, role, error, "the pod could not be labelled");
            }
            Some(error) => {
                tracing::debug!(pod, label, role, error, "the pod could not be labelled again");
            }
            None if self.said.is_some() => tracing::info!(pod, label, role, "the pod is labelled"),
            None => {}
        }
        self.said = failure;
    }
}
