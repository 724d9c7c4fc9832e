//! Carries out what `lease` says: sends the requests, keeps the clock, publishes the terms.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff;
use kube::Api;
use kube::api::PostParams;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::connect::Cluster;
use super::fence::{BootClock, Fence};
use super::lease::{Answer, Election, Record, Request, Step, Timing};
use super::peers::{Part, Peers};
use super::role;
use setpoint_core::model::leader::Leader;
use setpoint_core::ports::{Clock, Leadership};

/// How often releasing is tried: other writes to the Lease may come in between.
const RELEASE_ATTEMPTS: u32 = 3;
/// How long that may take: a pod is killed soon after it was asked to stop.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the pod's label may take after that.
const LABEL_TIMEOUT: Duration = Duration::from_secs(1);

/// The annotation of the Lease in which its holder says where it serves its pages.
pub const ADDRESS_ANNOTATION: &str = "setpoint.dev/http-address";

/// The annotation of the Lease in which its holder says which accounts and regions are its own; one without
/// it has all of them.
pub const SCOPES_ANNOTATION: &str = "setpoint.dev/scopes";

/// The term that this process leads in; absent while it follows.
pub type Term = Option<Arc<dyn Leadership>>;

/// The task that takes part in the election is gone: this process will never lead again.
#[derive(Debug, thiserror::Error)]
#[error("the leader election has failed: {0}")]
pub struct ElectorDied(#[from] tokio::task::JoinError);

/// Takes part in the election of a leader, until it is released or dropped.
pub struct Elector {
    terms: watch::Receiver<Term>,
    holder: watch::Receiver<Leader>,
    address: watch::Sender<Option<SocketAddr>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    /// Keeps the label of the pod, where there is one to keep.
    label: Option<JoinHandle<()>>,
}

impl Elector {
    /// Joins the election for the Lease of this part. With `label` the pod that this process runs in
    /// says by a label whether it leads.
    pub fn start(
        cluster: &Cluster,
        part: Part,
        timing: Timing,
        clock: Arc<dyn Clock>,
        label: bool,
    ) -> Self {
        let (sender, terms) = watch::channel(None);
        let (holders, holder) = watch::channel(Leader::default());
        let (address, announced) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let identity = cluster.identity.as_str().to_owned();
        let api: Api<Lease> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let executor = Executor {
            name: part.lease_name.clone(),
            peers: Peers::new(api.clone(), part, timing),
            api,
            timing,
            clock,
            boot: BootClock,
            election: Election::new(identity.clone(), timing),
            identity,
            object: None,
            fence: None,
            terms: sender,
            holders,
            announced,
            failing: false,
        };
        let pod = cluster.pod_name.clone().filter(|_| label);
        let label = pod.map(|pod| role::keep(cluster, pod, terms.clone()));
        Self { terms, holder, address, stop, task: tokio::spawn(executor.run(stopped)), label }
    }

    /// Lets the Lease say where this process serves its pages, while it holds it.
    pub fn announce(&self, address: SocketAddr) {
        self.address.send_replace(Some(address));
    }

    /// The terms of this process, as they come and go. The channel closes when the election ends.
    pub fn terms(&self) -> watch::Receiver<Term> {
        self.terms.clone()
    }

    /// Who holds the Lease, as last seen; perhaps this process, perhaps nobody.
    pub fn holder(&self) -> watch::Receiver<Leader> {
        self.holder.clone()
    }

    /// Whether this process may write in whatever term it is in: the last look, for those who send.
    pub fn leadership(&self) -> Arc<dyn Leadership> {
        Arc::new(CurrentTerm(self.terms()))
    }

    /// Gives the Lease up, so that another process need not wait for it to expire. To be called
    /// when no write is under way any more.
    pub async fn release(self) -> Result<(), ElectorDied> {
        // An error says that the task is gone, which joining tells with its reason.
        let _ = self.stop.send(());
        let ended = self.task.await;
        if let Some(label) = self.label {
            // It only misleads people for a moment when it stays.
            let _ = tokio::time::timeout(LABEL_TIMEOUT, label).await;
        }
        Ok(ended?)
    }

    /// Leaves the election and lets the Lease expire: a write may still be under way.
    pub fn abandon(self) {
        self.task.abort();
        if let Some(label) = self.label {
            label.abort();
        }
    }
}

struct CurrentTerm(watch::Receiver<Term>);

impl Leadership for CurrentTerm {
    fn may_write(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|term| term.may_write())
    }
}

struct Executor {
    api: Api<Lease>,
    name: String,
    identity: String,
    timing: Timing,
    clock: Arc<dyn Clock>,
    boot: BootClock,
    election: Election,
    /// The Lease as last read or written, with labels and whatever else others keep on it.
    object: Option<Lease>,
    /// The term under way and its number.
    fence: Option<(u64, Arc<Fence>)>,
    terms: watch::Sender<Term>,
    holders: watch::Sender<Leader>,
    /// Where this process serves its pages, once that is known.
    announced: watch::Receiver<Option<SocketAddr>>,
    /// Whether the last request failed: the log reports changes.
    failing: bool,
    peers: Peers,
}

impl Executor {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            let step = self.election.step(self.boot.now());
            self.look_at_peers().await;
            self.publish();
            match step {
                Step::Wait(until) => {
                    let wait = self.boot.now().until(until);
                    tokio::select! {
                        _ = &mut stopped => break,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                Step::Send { request, timeout } => {
                    let sent = self.boot.now();
                    let answer = tokio::select! {
                        _ = &mut stopped => break,
                        answer = self.send(&request, timeout) => answer,
                    };
                    self.election.answered(&request, answer, sent, self.boot.now());
                }
            }
        }
        self.election.resign();
        self.publish();
        self.release().await;
    }

    /// Before a term begins to count: that no other shard may write to what is this one's too.
    async fn look_at_peers(&mut self) {
        let term = self.election.terms();
        if self.election.may_write_until().is_some() && !self.peers.are_clear(term) {
            self.peers.look(term, self.boot).await;
        }
    }

    /// Brings the fence to where the election stands.
    fn publish(&mut self) {
        let holder = Leader::of(self.election.holder(), self.address_of_holder());
        self.holders.send_if_modified(|reported| {
            let changed = *reported != holder;
            *reported = holder;
            changed
        });
        let term = self.election.terms();
        let until = self.election.may_write_until().filter(|_| self.peers.are_clear(term));
        if let Some((_, fence)) = self.fence.take_if(|(own, _)| until.is_none() || *own != term) {
            fence.end();
            self.terms.send_replace(None);
            let holder = self.election.holder().unwrap_or("nobody");
            tracing::warn!(lease = self.name, holder, "this process no longer leads");
        }
        match (&self.fence, until) {
            (Some((_, fence)), Some(until)) => fence.extend(until),
            (None, Some(until)) => {
                let fence = Arc::new(Fence::new(until));
                self.terms.send_replace(Some(Arc::clone(&fence) as _));
                self.fence = Some((term, fence));
                tracing::info!(lease = self.name, identity = self.identity, "this process leads");
            }
            (_, None) => {}
        }
    }

    /// Where the holder of the Lease says that it serves its pages.
    fn address_of_holder(&self) -> Option<&str> {
        let annotations = self.object.as_ref()?.metadata.annotations.as_ref()?;
        annotations.get(ADDRESS_ANNOTATION).map(String::as_str)
    }

    async fn send(&mut self, request: &Request, timeout: Duration) -> Answer {
        let call = async {
            let params = PostParams::default();
            match request {
                Request::Read => self.api.get_opt(&self.name).await,
                Request::Create => {
                    let lease = self.held(1, true);
                    self.api.create(&params, &lease).await.map(Some)
                }
                Request::Hold { version, transitions, acquire } => {
                    let mut lease = self.held(*transitions, *acquire);
                    lease.metadata.resource_version = Some(version.clone());
                    self.api.replace(&self.name, &params, &lease).await.map(Some)
                }
            }
        };
        let result = tokio::time::timeout(timeout, call).await;
        let (answer, failure) = match result {
            Ok(Ok(lease)) => {
                let record = lease.as_ref().map(record);
                self.peers.note(lease.as_ref());
                self.object = lease;
                (Answer::Record(record), None)
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => (Answer::Conflict, None),
            Ok(Err(kube::Error::Api(status)))
                if status.code == 404 && matches!(request, Request::Hold { .. }) =>
            {
                self.object = None;
                (Answer::Record(None), None)
            }
            Ok(Err(error)) => (Answer::Failed, Some(error.to_string())),
            Err(_) => (Answer::Failed, Some(format!("no answer within {timeout:?}"))),
        };
        self.note(failure.as_deref());
        answer
    }

    /// Says once that requests fail, and once that they do no longer.
    fn note(&mut self, failure: Option<&str>) {
        match (failure, self.failing) {
            (Some(error), false) => {
                tracing::warn!(lease = self.name, error, "lease request failed");
            }
            (Some(error), true) => {
                tracing::debug!(lease = self.name, error, "lease request failed again");
            }
            (None, true) => tracing::info!(lease = self.name, "lease requests succeed again"),
            (None, false) => {}
        }
        self.failing = failure.is_some();
    }

    /// The Lease with this process as its holder; what else is on it stays.
    fn held(&self, transitions: i32, acquire: bool) -> Lease {
        let mut lease = self.object.clone().unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            spec: None,
        });
        let annotations = lease.metadata.annotations.get_or_insert_default();
        // Of a holder before this one nothing must stay.
        annotations.remove(ADDRESS_ANNOTATION);
        annotations.remove(SCOPES_ANNOTATION);
        annotations.extend(self.peers.claim().map(|own| (SCOPES_ANNOTATION.to_owned(), own)));
        let address = *self.announced.borrow();
        annotations.extend(address.map(|at| (ADDRESS_ANNOTATION.to_owned(), at.to_string())));
        let now = micro_time(self.clock.now());
        let before = lease.spec.take().unwrap_or_default();
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.timing.lease_duration.as_secs()).ok(),
            acquire_time: if acquire { now.clone() } else { before.acquire_time.clone() },
            renew_time: now,
            lease_transitions: Some(transitions),
            ..before
        });
        lease
    }

    /// Empties the holder, if it is this process. Failing is no harm: the Lease expires.
    async fn release(&mut self) {
        let limit = RELEASE_TIMEOUT;
        match tokio::time::timeout(limit, self.try_release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(lease = self.name, %error, "lease not released"),
            Err(_) => tracing::warn!(lease = self.name, ?limit, "lease not released in time"),
        }
    }

    async fn try_release(&self) -> kube::Result<()> {
        for _ in 0..RELEASE_ATTEMPTS {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
            let Some(spec) = lease.spec.as_mut() else { return Ok(()) };
            if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
                return Ok(());
            }
            spec.holder_identity = None;
            spec.renew_time = micro_time(self.clock.now());
            match self.api.replace(&self.name, &PostParams::default(), &lease).await {
                Ok(_) => {
                    tracing::info!(lease = self.name, "lease released");
                    return Ok(());
                }
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What the election needs to know of a Lease.
fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
    Record {
        // Other clients write an empty name where this one leaves it out.
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        lease_duration: seconds.map(Duration::from_secs),
        transitions: spec.lease_transitions.unwrap_or_default(),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}

/// An instant as Kubernetes writes it. Absent beyond the year 9999.
pub(super) fn micro_time(at: setpoint_core::model::time::Timestamp) -> Option<MicroTime> {
    jiff::Timestamp::from_microsecond(at.timestamp_micros()).ok().map(MicroTime)
}
