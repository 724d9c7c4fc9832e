//! Two replicas, and what becomes of the fleet when the one that writes is killed, stopped, cut off
//! or asked to go (rule 23).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use setpoint::sim::Scenario;
use setpoint::sim::server::{Pace, Server};

use super::api::Store;
use super::process::{RENEW_DEADLINE, Replica};

/// Enough that writing to all of them takes longer than the renew deadline.
const VARIANTS: usize = 12;

struct Stage {
    runtime: tokio::runtime::Runtime,
    folder: PathBuf,
    store: Arc<Store>,
    server: Option<Server>,
    /// The one that leads, and the other one.
    leader: Replica,
    follower: Replica,
}

/// Two replicas, of which the first leads and is in the midst of its writes.
fn stage() -> Stage {
    static STAGES: AtomicU32 = AtomicU32::new(0);
    let number = STAGES.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("setpoint-k8s-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = Arc::new(Store::default());
    // A released Lease is there already: nobody has to wait for it.
    store.put("leases", "setpoint", json!({"spec": {"holderIdentity": ""}}));
    let sim = Scenario::fleet(VARIANTS).build().unwrap();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = runtime.block_on(Server::start(sim, loopback, Pace::Step)).unwrap();
    let url = server.endpoint_url();
    let leader = runtime.block_on(Replica::start(&folder, "one", &store, &url));
    leader.wait("it leads", Replica::leads);
    let follower = runtime.block_on(Replica::start(&folder, "two", &store, &url));
    follower.wait("it follows", |r| r.page("/readyz").contains("ready as a follower"));
    assert!(follower.follows() && !follower.shows_variants());
    leader.wait("it writes", |r| r.writes().len() >= 2);
    Stage { runtime, folder, store, server: Some(server), leader, follower }
}

impl Stage {
    /// The other one leads, shows the variants, and the end state is right after its passes.
    fn other_takes_over(&self) {
        let Self { follower, .. } = self;
        follower.wait("it leads", Replica::leads);
        follower.wait("it shows the variants", Replica::shows_variants);
        follower.wait("every variant is repaired", |_| self.repaired() == VARIANTS);
    }

    /// How many policies have the cooldown that is configured.
    fn repaired(&self) -> usize {
        let url = self.server.as_ref().map(Server::endpoint_url).unwrap();
        let mut token = None::<String>;
        let mut found = 0;
        loop {
            let mut input = json!({"ServiceNamespace": "sagemaker"});
            if let Some(token) = &token {
                input["NextToken"] = json!(token);
            }
            let target = "AnyScaleFrontendService.DescribeScalingPolicies";
            let page = crate::wire::support::json_call(&url, target, &input).json();
            let policies = page["ScalingPolicies"].as_array().unwrap();
            let configuration = "TargetTrackingScalingPolicyConfiguration";
            found += policies.iter().filter(|p| p[configuration]["ScaleOutCooldown"] == 77).count();
            token = page["NextToken"].as_str().map(str::to_owned);
            if token.is_none() {
                return found;
            }
        }
    }

    /// When the old leader wrote last: in the midst of its writes, or the test shows nothing.
    fn last_write_of_the_old_leader(&self) -> Instant {
        let writes = self.leader.writes();
        assert!(writes.len() < VARIANTS, "it was done with {} writes", writes.len());
        *writes.last().unwrap()
    }

    fn holder(&self) -> String {
        let lease = self.store.get("leases", "setpoint").unwrap();
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn the_other_takes_over_from_one_that_is_killed() {
    let mut stage = stage();
    stage.leader.signal("-KILL");
    assert!(!stage.leader.ended());
    let last = stage.last_write_of_the_old_leader();
    stage.other_takes_over();
    assert!(stage.follower.writes().iter().all(|write| *write > last));
    assert!(stage.holder().starts_with("two_"), "{}", stage.holder());
    let events = stage.store.all("events");
    let drift = events.iter().find(|event| event["reason"] == "Drift").unwrap();
    assert_eq!((&drift["type"], &drift["regarding"]["kind"]), (&json!("Normal"), &json!("Pod")));
    let note = drift["note"].as_str().unwrap();
    assert!(note.starts_with("123456789012/us-east-1/endpoint-"), "{drift}");
}

#[test]
fn a_follower_says_which_pod_leads_and_a_pause_outlives_the_leader() {
    let mut stage = stage();
    let pause = ["pause", "all", "--until", "2h", "--reason", "incident"];
    let (code, _, err) = stage.follower.command(&pause);
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "error: another process leads: pod one holds the Lease setpoint (give the command there, \
         with kubectl exec one -- setpoint ...)\n"
    );
    let (code, out, err) = stage.leader.command(&pause);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("paused all until "), "{out}");
    stage.leader.signal("-KILL");
    assert!(!stage.leader.ended());
    stage.follower.wait("it leads", Replica::leads);
    stage.follower.wait("it shows the variants", Replica::shows_variants);
    // The leader was in the midst of its writes: the pause has not waited for the others.
    let (code, out, err) = stage.follower.command(&["check", "all", "-o", "json"]);
    assert_eq!(code, Some(2), "{err}");
    let checked: serde_json::Value = serde_json::from_str(&out).unwrap();
    let variants = checked["variants"].as_array().unwrap();
    let held = variants.iter().filter(|v| v["decision"]["reason"] == "paused").count();
    assert!(held > 0 && stage.follower.writes().is_empty(), "{held} of {}", variants.len());
}

#[test]
fn one_that_was_stopped_past_its_lease_writes_nothing_when_it_wakes() {
    let stage = stage();
    stage.leader.signal("-STOP");
    stage.other_takes_over();
    let woken = Instant::now();
    stage.leader.signal("-CONT");
    stage.leader.wait("it follows", |r| r.follows() && !r.shows_variants());
    assert!(stage.last_write_of_the_old_leader() < woken, "it wrote after it woke");
    assert!(stage.follower.leads());
    assert_eq!(stage.repaired(), VARIANTS);
}

#[test]
fn one_that_is_cut_off_stops_writing_at_the_renew_deadline() {
    let stage = stage();
    let cut = Instant::now();
    stage.leader.face.cut_off.store(true, Ordering::SeqCst);
    stage.leader.wait("it follows", |r| r.follows() && !r.shows_variants());
    stage.other_takes_over();
    // What it sent just before the deadline takes a moment to come here.
    let last = stage.last_write_of_the_old_leader();
    let bound = RENEW_DEADLINE + Duration::from_millis(500);
    assert!(last - cut <= bound, "it wrote {:?} after it was cut off", last - cut);
    assert!(stage.follower.writes().iter().all(|write| *write > last));
    // The way is clear again: it stands by, ready.
    stage.leader.face.cut_off.store(false, Ordering::SeqCst);
    stage.leader.wait("it is ready", |r| r.page("/readyz").contains("ready as a follower"));
}

#[test]
fn one_that_is_asked_to_go_releases_the_lease() {
    let mut stage = stage();
    stage.leader.signal("-TERM");
    assert!(stage.leader.ended(), "{}", stage.leader.log());
    assert!(stage.leader.log().contains("lease released"), "{}", stage.leader.log());
    let last = stage.last_write_of_the_old_leader();
    stage.other_takes_over();
    assert!(stage.follower.writes().iter().all(|write| *write > last));
}
