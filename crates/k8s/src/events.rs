//! Decisions as Kubernetes Events. A pass puts them into a queue and goes on; one task sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use tokio::sync::mpsc;

use super::connect::Cluster;
use super::elector::micro_time;
use super::notice::{Limiter, Limits, Notice, Verdict};
use setpoint_core::model::decision::{Decision, Note, Outcome};
use setpoint_core::model::ids::VariantId;
use setpoint_core::ports::{Clock, Events};

/// Events that may wait to be sent.
const QUEUE_MAX: usize = 256;
/// The longest that sending one may take.
const SEND_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
/// Who reports.
const CONTROLLER: &str = "setpoint";
/// The longest reporting instance that Kubernetes takes, in bytes.
const INSTANCE_MAX: usize = 128;

/// The object that Events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regarding {
    /// The pod this process runs in; the UID makes `kubectl describe pod` show them.
    Pod {
        name: String,
        /// Its UID, if known.
        uid: Option<String>,
    },
    /// A `ConfigMap`, of this name.
    ConfigMap(String),
    Lease(String),
}

/// What Events need to know.
#[derive(Clone)]
pub struct EventSettings {
    /// The object that Events are about.
    pub regarding: Regarding,
    pub clock: Arc<dyn Clock>,
}

/// Tells of decisions in Kubernetes.
#[derive(Debug)]
pub struct KubernetesEvents {
    queue: mpsc::Sender<Notice>,
    dropped: Arc<AtomicU64>,
}

impl KubernetesEvents {
    /// Starts the task that sends. It ends when this is dropped and the queue is empty.
    pub fn start(cluster: &Cluster, settings: &EventSettings) -> Self {
        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let sender = Sender {
            api: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            regarding: reference(&settings.regarding, &cluster.namespace),
            namespace: cluster.namespace.clone(),
            instance: cluster.identity.as_str().chars().take(INSTANCE_MAX).collect(),
            limiter: Limiter::new(Limits::default(), settings.clock.now()),
            clock: Arc::clone(&settings.clock),
            dropped: Arc::clone(&dropped),
            failing: false,
        };
        tokio::spawn(sender.run(receiver));
        Self { queue, dropped }
    }
}

impl KubernetesEvents {
    fn enqueue(&self, notice: Notice) {
        if self.queue.try_send(notice).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Events for KubernetesEvents {
    fn publish(&self, decision: &Decision, outcome: Option<&Outcome>) {
        if let Some(notice) = Notice::of(decision, outcome) {
            self.enqueue(notice);
        }
    }

    fn news(&self, variant: &VariantId, note: &Note) {
        self.enqueue(Notice::news(variant, note));
    }
}

struct Sender {
    api: Api<Event>,
    regarding: ObjectReference,
    namespace: String,
    instance: String,
    limiter: Limiter,
    clock: Arc<dyn Clock>,
    /// How many were not sent since it was last said.
    dropped: Arc<AtomicU64>,
    failing: bool,
}

impl Sender {
    async fn run(mut self, mut queue: mpsc::Receiver<Notice>) {
        while let Some(notice) = queue.recv().await {
            let verdict = self.limiter.admit(&notice, self.clock.now());
            let sent = match &verdict {
                Verdict::Dropped => {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Verdict::New => self.create(&notice).await,
                Verdict::Again { event, count } => self.count(&notice, event, *count).await,
            };
            self.note(sent.err().as_deref());
            self.report_dropped();
        }
    }

    async fn create(&mut self, notice: &Notice) -> Result<(), String> {
        let event = self.event(notice);
        let params = PostParams::default();
        let created = within(self.api.create(&params, &event)).await?;
        self.limiter.sent(notice, created.metadata.name.unwrap_or_default());
        Ok(())
    }

    /// Counts on the Event that is there; Kubernetes drops Events after an hour, so it may be gone.
    async fn count(&mut self, notice: &Notice, event: &str, count: i32) -> Result<(), String> {
        let last_observed_time = micro_time(self.clock.now());
        let Some(last_observed_time) = last_observed_time else { return Ok(()) };
        let series = EventSeries { count, last_observed_time };
        let patch = Patch::Merge(serde_json::json!({ "series": series }));
        match within(self.api.patch(event, &PatchParams::default(), &patch)).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::debug!(event, error, "could not be counted, sent again");
                self.create(notice).await
            }
        }
    }

    fn event(&self, notice: &Notice) -> Event {
        Event {
            metadata: ObjectMeta {
                // Kubernetes takes no prefix that ends in a dot.
                generate_name: Some(format!("{CONTROLLER}-")),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            action: Some(notice.action.clone()),
            event_time: micro_time(self.clock.now()),
            note: Some(notice.note.clone()),
            reason: Some(notice.reason.clone()),
            regarding: Some(self.regarding.clone()),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(notice.severity.as_str().to_owned()),
            ..Event::default()
        }
    }

    /// Says once that Events cannot be sent, and once that they can again.
    fn note(&mut self, failure: Option<&str>) {
        match (failure, self.failing) {
            (Some(error), false) => tracing::warn!(error, "an Event could not be sent"),
            (None, true) => tracing::info!("Events are sent again"),
            (Some(_), true) | (None, false) => {}
        }
        if failure.is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.failing = failure.is_some();
    }

    fn report_dropped(&self) {
        let events = self.dropped.swap(0, Ordering::Relaxed);
        if events > 0 {
            tracing::warn!(events, "Events were not sent; the log and the metrics have it all");
        }
    }
}

async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(SEND_TIMEOUT, call).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {SEND_TIMEOUT:?}")),
    }
}

fn reference(regarding: &Regarding, namespace: &str) -> ObjectReference {
    let (api_version, kind, name, uid) = match regarding {
        Regarding::Pod { name, uid } => ("v1", "Pod", name, uid.clone()),
        Regarding::ConfigMap(name) => ("v1", "ConfigMap", name, None),
        Regarding::Lease(name) => ("coordination.k8s.io/v1", "Lease", name, None),
    };
    ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(name.clone()),
        namespace: Some(namespace.to_owned()),
        uid,
        ..ObjectReference::default()
    }
}
