//! Two replicas, and what becomes of the fleet when the one that writes is killed, stopped, cut off
//! or asked to go (rule 23).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use setpoint::sim::Scenario;
use setpoint::sim::server::{Pace, Server};

use super::cluster::Cluster;
use super::process::{LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD, Replica};

/// When nobody releases the Lease.
const BY_EXPIRY: Duration = LEASE_DURATION.saturating_add(RETRY_PERIOD);
/// What a machine with much to do may take beside.
const SLOW_MACHINE: Duration = Duration::from_secs(4);

/// Enough that writing to all of them takes longer than the renew deadline.
const VARIANTS: usize = 12;

/// An API server and the embedded AWS.
struct Ground {
    runtime: tokio::runtime::Runtime,
    folder: PathBuf,
    cluster: Cluster,
    server: Option<Server>,
}

impl Ground {
    fn new() -> Self {
        static GROUNDS: AtomicU32 = AtomicU32::new(0);
        let number = GROUNDS.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("setpoint-k8s-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let sim = Scenario::fleet(VARIANTS).build().unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime.block_on(Server::start(sim, loopback, Pace::Step)).unwrap();
        Self { runtime, folder, cluster: Cluster::new(), server: Some(server) }
    }

    fn replica(&self, name: &str) -> Replica {
        let url = self.server.as_ref().map(Server::endpoint_url).unwrap();
        self.runtime.block_on(Replica::start(&self.folder, name, &self.cluster, &url))
    }

    /// How many variants are in the `ConfigMap`.
    fn remembered(&self) -> usize {
        let map = self.cluster.get("configmaps", "memory").unwrap();
        map["data"].as_object().unwrap().keys().filter(|key| key.starts_with("variant.")).count()
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

    /// An Event of this replica about a repair.
    fn told_by(&self, pod: &str) -> Option<Value> {
        let mut events = self.cluster.all("events").into_iter();
        events.find(|event| event["regarding"]["name"] == pod && event["reason"] == "Drift")
    }

    /// What the label of a pod says of its role.
    fn role(&self, pod: &str) -> Value {
        self.cluster.get("pods", pod).unwrap()["metadata"]["labels"]["setpoint.dev/role"].clone()
    }

    fn holder(&self) -> String {
        let lease = self.cluster.get("leases", "setpoint").unwrap();
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Two replicas, of which the first leads.
struct Stage {
    leader: Replica,
    follower: Replica,
    ground: Ground,
}

impl Stage {
    /// The leader is in the midst of its writes.
    fn new() -> Self {
        let ground = Ground::new();
        // A released Lease is there already: nobody has to wait for it.
        ground.cluster.put("leases", "setpoint", json!({"spec": {"holderIdentity": ""}}));
        let leader = ground.replica("one");
        leader.wait("it leads", Replica::leads);
        let follower = ground.replica("two");
        follower.wait("it follows", |r| r.page("/readyz").contains("ready as a follower"));
        assert!(follower.follows() && !follower.shows_variants());
        leader.wait("it writes", |r| r.writes().len() >= 2);
        Self { leader, follower, ground }
    }

    /// The other one leads in time, shows the variants, and the end state is right after its passes:
    /// in AWS, in the memory, and in what was told.
    fn other_takes_over(&self, since: Instant, within: Duration) {
        let Self { follower, ground, .. } = self;
        follower.wait("it leads", Replica::leads);
        let took = since.elapsed();
        assert!(took <= within + SLOW_MACHINE, "it leads after {took:?}, not {within:?}");
        follower.wait("it shows the variants", Replica::shows_variants);
        follower.wait("every variant is repaired", |_| ground.repaired() == VARIANTS);
        follower.wait("every write is remembered", |_| ground.remembered() == VARIANTS);
        follower.wait("it tells of it", |_| ground.told_by("two").is_some());
    }

    /// When the old leader wrote last: in the midst of its writes, or the test shows nothing.
    fn last_write_of_the_old_leader(&self) -> Instant {
        let writes = self.leader.writes();
        assert!(writes.len() < VARIANTS, "it was done with {} writes", writes.len());
        *writes.last().unwrap()
    }
}

#[test]
fn the_other_takes_over_from_one_that_is_killed() {
    let mut stage = Stage::new();
    let killed = Instant::now();
    stage.leader.signal("-KILL");
    assert!(!stage.leader.ended());
    let last = stage.last_write_of_the_old_leader();
    stage.other_takes_over(killed, BY_EXPIRY);
    assert!(stage.follower.writes().iter().all(|write| *write > last));
    assert!(stage.ground.holder().starts_with("two_"), "{}", stage.ground.holder());
    let drift = stage.ground.told_by("two").unwrap();
    assert_eq!((&drift["type"], &drift["regarding"]["kind"]), (&json!("Normal"), &json!("Pod")));
    assert!(drift["note"].as_str().unwrap().starts_with("123456789012/us-east-1/"), "{drift}");
    if let Some(pod) = stage.ground.cluster.get("pods", "two") {
        assert_eq!(drift["regarding"]["uid"], pod["metadata"]["uid"]);
    }
}

#[test]
fn a_follower_says_which_pod_leads_and_a_pause_outlives_the_leader() {
    let mut stage = Stage::new();
    let pause = ["pause", "all", "--until", "2h", "--reason", "incident"];
    let (code, _, err) = stage.follower.command(&pause);
    assert_eq!(code, Some(1));
    assert!(err.starts_with("error: another process leads: pod one holds the Lease "), "{err}");
    assert!(err.contains("with kubectl exec one -- setpoint ..."), "{err}");
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
fn a_follower_shows_the_way_to_the_leader_and_pods_say_which_they_are() {
    let mut stage = Stage::new();
    let Stage { leader, follower, ground } = &stage;
    leader.wait("the pods are labelled", |_| {
        ground.role("one") == "leader" && ground.role("two") == "follower"
    });
    let labels = &ground.cluster.get("pods", "one").unwrap()["metadata"]["labels"];
    assert!(labels.as_object().unwrap().len() > 1, "the others stay: {labels}");
    let link = format!("<a href=\"{}/\">one</a> leads.", leader.url());
    follower.wait("it links to the leader", |r| r.page("/").contains(&link));
    assert!(follower.page("/").contains("This process is a follower"));
    assert!(!leader.page("/").contains("follower"), "{}", leader.page("/"));
    leader.wait("it shows the variants", Replica::shows_variants);
    for path in ["/api/v1/variants", "/api/v1/variants/endpoint-0/AllTraffic"] {
        assert_eq!(follower.status(path), 503, "{path}");
    }
    let answer: Value = serde_json::from_str(&follower.page("/api/v1/variants")).unwrap();
    assert!(answer["leader"]["identity"].as_str().unwrap().starts_with("one_"), "{answer}");
    assert_eq!(
        (&answer["leader"]["pod"], &answer["leader"]["url"]),
        (&json!("one"), &json!(leader.url()))
    );
    assert_eq!(leader.status("/api/v1/variants"), 200);
    // Nothing of accounts and regions is exported by one that does not look at them.
    assert!(leader.page("/metrics").contains("setpoint_scope_readable{"));
    assert!(!follower.page("/metrics").contains("setpoint_scope_readable{"));

    stage.leader.signal("-TERM");
    assert!(stage.leader.ended(), "{}", stage.leader.log());
    let Stage { follower, ground, .. } = &stage;
    assert_eq!(ground.role("one"), "follower", "it goes as one");
    follower.wait("it is labelled", |_| ground.role("two") == "leader");
    follower.wait("it shows its own page", |r| !r.page("/").contains("This process is a follower"));
}

#[test]
fn one_that_was_stopped_past_its_lease_writes_nothing_when_it_wakes() {
    let stage = Stage::new();
    let stopped = Instant::now();
    stage.leader.signal("-STOP");
    stage.other_takes_over(stopped, BY_EXPIRY);
    let woken = Instant::now();
    stage.leader.signal("-CONT");
    stage.leader.wait("it follows", |r| r.follows() && !r.shows_variants());
    assert!(stage.last_write_of_the_old_leader() < woken, "it wrote after it woke");
    assert!(stage.follower.leads());
    assert_eq!(stage.ground.repaired(), VARIANTS);
}

#[test]
fn one_that_is_cut_off_stops_writing_at_the_renew_deadline() {
    let stage = Stage::new();
    let cut = Instant::now();
    stage.leader.link.cut();
    stage.leader.wait("it follows", |r| r.follows() && !r.shows_variants());
    stage.other_takes_over(cut, BY_EXPIRY);
    // What it sent just before the deadline takes a moment to come here.
    let last = stage.last_write_of_the_old_leader();
    let bound = RENEW_DEADLINE + Duration::from_millis(500);
    assert!(last - cut <= bound, "it wrote {:?} after it was cut off", last - cut);
    assert!(stage.follower.writes().iter().all(|write| *write > last));
    // The way is clear again: it stands by, ready.
    stage.leader.link.mend();
    stage.leader.wait("it is ready", |r| r.page("/readyz").contains("ready as a follower"));
}

#[test]
fn one_that_is_asked_to_go_releases_the_lease() {
    let mut stage = Stage::new();
    stage.leader.signal("-TERM");
    assert!(stage.leader.ended(), "{}", stage.leader.log());
    let ended = Instant::now();
    assert!(stage.leader.log().contains("lease released"), "{}", stage.leader.log());
    let last = stage.last_write_of_the_old_leader();
    // Released: nobody waits for it to expire.
    stage.other_takes_over(ended, RETRY_PERIOD);
    assert!(stage.follower.writes().iter().all(|write| *write > last));
}

#[test]
fn the_first_leader_makes_the_lease_after_looking_for_one_for_its_duration() {
    let ground = Ground::new();
    let began = Instant::now();
    let first = ground.replica("one");
    first.wait("it leads", Replica::leads);
    assert!(began.elapsed() >= LEASE_DURATION, "{:?}", began.elapsed());
    assert!(ground.holder().starts_with("one_"), "{}", ground.holder());
    let spec = &ground.cluster.get("leases", "setpoint").unwrap()["spec"];
    assert_eq!((&spec["leaseDurationSeconds"], &spec["leaseTransitions"]), (&json!(5), &json!(1)));
    assert_eq!(spec["acquireTime"].as_str().unwrap().len(), "2026-11-23T12:00:00.000000Z".len());
}

/// `plan` and `apply` make a pass of their own. What the daemon remembers holds for them, too (rules 4 and 10).
#[test]
fn a_command_that_looks_for_itself_knows_what_the_daemon_remembers() {
    let mut stage = Stage::new();
    // A pod of the chart has its configuration where only its process sees it.
    if stage.ground.cluster.installed.is_some() {
        return;
    }
    let Stage { leader, ground, .. } = &mut stage;
    let (code, out, err) =
        leader.command(&["pause", "all", "--until", "2h", "--reason", "incident"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    leader.signal("-KILL");
    assert!(!leader.ended());
    let written = leader.writes().len();
    let (code, out, err) = leader.on_its_own(&["apply", "--yes"]);
    assert!(out.contains("paused until"), "{out}{err}");
    assert!(code == Some(2) && leader.writes().len() == written, "{code:?}: {out}{err}");
    // A memory that is not there may be that of another cluster.
    ground.cluster.delete("configmaps", "memory");
    let (code, out, err) = leader.on_its_own(&["apply", "--yes"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("the ConfigMap memory, where the daemon's memory is, is empty"), "{err}");
    assert!(err.contains("kubectl exec POD -- setpoint apply"), "{err}");
    let (code, out, err) = leader.on_its_own(&["plan"]);
    assert!(code == Some(0) && out.contains("Plan:"), "{code:?}: {out}{err}");
    assert!(err.contains("does not know of pauses"), "{err}");
    assert_eq!(leader.writes().len(), written);
}
