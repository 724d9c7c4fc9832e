//! History that is read beside the passes: in which order, what rests on a part of it, and that a
//! process that ends in the middle has lost nothing but reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::{Value, json};
use setpoint::config::Config;
use setpoint::daemon::pass_settings;
use setpoint::memory::ProcessMemory;
use setpoint::model::estimate::{Estimate, Verdict};
use setpoint::model::fact::{Why, WhyKind};
use setpoint::model::floors::Floors;
use setpoint::model::ids::{ResourceId, VariantId};
use setpoint::model::listing::Listing;
use setpoint::model::per_instance::InstanceId;
use setpoint::model::scaling::Alarm;
use setpoint::model::scatter::Picture;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::model::time::Timestamp;
use setpoint::ports::{Aws, Memory, MetricAnswer, MetricQuery, Metrics, PortResult};
use setpoint::reconcile::{Fleet, HistoryWait, Settings as PassSettings};
use setpoint::sim::{Scenario, Sim};
use setpoint::variant::WEEKS_SPAN;

use crate::harness;
use tokio::sync::Semaphore;

const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
telemetry: {history_days: 14}
defaults: {mode: observe, floors: 'off', objective: {latency: {statistic: p99, threshold_ms: 250}}}
targets: [{endpoint: 'listed-*', variant: '*', load_test: {max_rps: 20}, capacity: {min: 1, max: 8}}]
";
const NAMES: [&str; 3] = ["a-stranger", "listed-1", "listed-2"];
/// Days of history in the world.
const DAYS: u32 = 3;

/// Loaded near their capacity, with three days behind them.
fn world() -> Sim {
    harness::loaded(DAYS, NAMES.map(|name| (name, (600.0, 3600.0))))
}

/// One request: how many queries, of which endpoint the first is, and the window.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    queries: usize,
    first: String,
    span: TimeDelta,
}

/// Metrics of which each request needs a permit to be answered.
struct Gated {
    behind: Arc<dyn Metrics>,
    permits: Semaphore,
    asked: Mutex<Vec<Asked>>,
    /// Requests that fail before any is answered.
    failing: Mutex<u32>,
}

#[async_trait]
impl Metrics for Gated {
    async fn metric_data(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<MetricAnswer> {
        let first = queries[0].resource.endpoint.to_string();
        self.asked.lock().unwrap().push(Asked { queries: queries.len(), first, span: to - from });
        self.permits.acquire().await.unwrap().forget();
        let fails = {
            let mut failing = self.failing.lock().unwrap();
            let fails = *failing > 0;
            *failing = failing.saturating_sub(1);
            fails
        };
        if fails {
            return vec![Err(Why::new(WhyKind::Transient, "broken")); queries.len()];
        }
        self.behind.metric_data(queries, from, to).await
    }

    async fn instances(&self, of: &ResourceId) -> PortResult<Vec<InstanceId>> {
        self.behind.instances(of).await
    }

    async fn alarms(&self, prefix: &str) -> PortResult<Listing<Alarm>> {
        self.behind.alarms(prefix).await
    }
}

struct Passes {
    sim: Sim,
    fleet: Fleet,
    gate: Arc<Gated>,
    memory: Arc<dyn Memory>,
    config: Config,
    /// How long passes wait for history.
    wait: Option<Duration>,
}

impl Passes {
    fn over(sim: &Sim, memory: Arc<dyn Memory>, permits: usize, wait: Option<Duration>) -> Self {
        let aws = harness::aws(sim);
        let gate = Arc::new(Gated {
            behind: Arc::clone(&aws.metrics),
            permits: Semaphore::new(permits),
            asked: Mutex::default(),
            failing: Mutex::default(),
        });
        let aws = Aws { metrics: Arc::clone(&gate) as Arc<dyn Metrics>, ..aws };
        let fleet = harness::fleet(sim, aws, &memory);
        let config = Config::from_yaml(CONFIG).unwrap();
        Self { sim: sim.clone(), fleet, gate, memory, config, wait }
    }

    async fn pass(&mut self, telemetry: bool) -> FleetStatus {
        let settings = PassSettings {
            history_wait: self.wait.map_or(HistoryWait::All, HistoryWait::For),
            last_day_first_above: if self.wait.is_some() { 0 } else { usize::MAX },
            ..pass_settings(&self.config)
        };
        harness::Pass { settings, telemetry, ..harness::pass(&self.config) }
            .of(&mut self.fleet)
            .await
    }

    /// Passes of Describe calls until `enough`.
    async fn until(&mut self, what: &str, enough: impl Fn(&FleetStatus) -> bool) -> FleetStatus {
        for _ in 0..400 {
            let status = self.pass(false).await;
            if enough(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never {what}: {:?}", self.gate.asked.lock().unwrap());
    }

    fn asked(&self) -> Vec<Asked> {
        self.gate.asked.lock().unwrap().clone()
    }
}

fn estimates(status: &FleetStatus) -> BTreeMap<VariantId, Estimate> {
    let own = |id: &VariantId| {
        (id.clone(), Estimate::clone(&status.variants[id].decision.report.estimate))
    };
    status.variants.keys().map(own).collect()
}

/// What is known of capacity, without the dots of the plot and the overloads behind replays: those between
/// an undeclared change and its discovery are counted with the regime before it, and a process that
/// remembers the change counts them with its own.
fn known(status: &FleetStatus) -> BTreeMap<VariantId, Estimate> {
    let known = |estimate| Estimate { picture: Picture::default(), fit: None, ..estimate };
    estimates(status).into_iter().map(|(id, estimate)| (id, known(estimate))).collect()
}

fn ratios(status: &FleetStatus) -> Vec<Option<f64>> {
    estimates(status).values().map(|estimate| estimate.history_complete_ratio).collect()
}

fn all_read(status: &FleetStatus) -> bool {
    ratios(status).iter().all(|ratio| *ratio == Some(1.0))
}

fn memory() -> Arc<dyn Memory> {
    Arc::new(ProcessMemory::default())
}

#[tokio::test]
async fn a_pass_waits_for_no_history_and_the_newest_comes_first() {
    let sim = world();
    let mut passes = Passes::over(&sim, memory(), 0, Some(Duration::from_millis(20)));
    let first = passes.pass(true).await;
    for (id, status) in &first.variants {
        assert!(status.decision.report.comparable, "{id}: what is free is known");
        let why = status.snapshot.telemetry.why().unwrap();
        assert_eq!(why.kind, WhyKind::NotReadYet, "{id}");
    }
    assert_eq!(ratios(&first), [Some(0.0); 3]);
    // One request for the last day of all; the listed ones first.
    let day = TimeDelta::days(1) - TimeDelta::minutes(3);
    let asked = passes.asked();
    assert_eq!(asked, [Asked { queries: 15, first: "listed-1".to_owned(), span: day }]);
    // Then all of each, one page a request: the listed ones first again.
    passes.gate.permits.add_permits(1);
    let some = passes.until("a day", |status| ratios(status).iter().all(|r| *r > Some(0.0))).await;
    for ratio in ratios(&some).into_iter().flatten() {
        assert!((0.06..0.08).contains(&ratio), "{ratio}");
    }
    for estimate in estimates(&some).values() {
        assert_ne!(estimate.verdict, Verdict::Unobserved, "{}", estimate.sentence);
    }
    passes.gate.permits.add_permits(3);
    passes.until("all", all_read).await;
    let whole = TimeDelta::days(14) - TimeDelta::minutes(3);
    let asked: Vec<Asked> = passes.asked().split_off(1);
    assert!(asked.iter().all(|asked| asked.queries == 5 && asked.span == whole), "{asked:?}");
    let mut firsts: Vec<&str> = asked.iter().map(|asked| asked.first.as_str()).collect();
    // Side by side, so that their order among the first few is open.
    firsts.sort_unstable();
    assert_eq!(firsts, NAMES);
    // From then on only what is new is read, of all together; of those that nobody lists once an hour.
    sim.advance(900);
    passes.gate.permits.add_permits(1);
    passes.pass(true).await;
    let live = passes.asked().split_off(4);
    let expected = Asked { queries: 10, first: NAMES[1].to_owned(), span: TimeDelta::minutes(15) };
    assert_eq!(live, [expected]);
}

#[tokio::test]
async fn a_process_killed_while_it_reads_ends_where_an_undisturbed_one_does() {
    let sim = world();
    let plenty = Semaphore::MAX_PERMITS;
    let mut passes = Passes::over(&sim, memory(), plenty, None);
    let undisturbed = passes.pass(true).await;
    assert!(all_read(&undisturbed));
    assert_eq!(passes.asked().len(), 3, "who waits for all asks for all at once");
    let expected = estimates(&undisturbed);
    assert!(
        expected.values().any(|estimate| estimate.verdict == Verdict::Measured),
        "{expected:?}"
    );
    for killed_after in 0..=4 {
        let wait = Some(Duration::from_millis(5));
        let mut killed = Passes::over(&sim, memory(), killed_after, wait);
        killed.pass(true).await;
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            killed.pass(false).await;
        }
        let memory = Arc::clone(&killed.memory);
        drop(killed);
        let mut again = Passes::over(&sim, memory, plenty, wait);
        again.pass(true).await;
        let ended = again.until("all", all_read).await;
        assert_eq!(known(&ended), known(&undisturbed), "killed after {killed_after} requests");
    }
}

#[tokio::test]
async fn what_could_not_be_read_is_unknown_and_asked_for_again_with_the_next_paid_reads() {
    let sim = world();
    let mut passes =
        Passes::over(&sim, memory(), Semaphore::MAX_PERMITS, Some(Duration::from_secs(5)));
    *passes.gate.failing.lock().unwrap() = 1;
    let first = passes.pass(true).await;
    for status in first.variants.values() {
        assert_eq!(status.snapshot.telemetry.why().unwrap().message, "broken");
    }
    for _ in 0..3 {
        passes.pass(false).await;
    }
    assert_eq!(passes.asked().len(), 1, "a paid read that failed is not made again at once");
    passes.sim.advance(900);
    passes.pass(true).await;
    passes.until("all", all_read).await;
}

/// A fleet of which floors are wanted.
fn with_floors(sim: &Sim, wait: Option<Duration>) -> Passes {
    let mut passes = Passes::over(sim, memory(), Semaphore::MAX_PERMITS, wait);
    passes.config = Config::from_yaml(&CONFIG.replace("floors: 'off'", "floors: propose")).unwrap();
    passes
}

/// The requests for two weeks of minutes of one metric.
fn weeks(passes: &Passes) -> Vec<(usize, String)> {
    let is_weeks = |asked: &Asked| asked.span == WEEKS_SPAN;
    passes.asked().into_iter().filter(is_weeks).map(|a| (a.queries, a.first)).collect()
}

fn floors(status: &FleetStatus) -> Vec<&str> {
    let state = |status: &Arc<VariantStatus>| match *status.snapshot.floors {
        Floors::Off => "off",
        Floors::NotKnown { .. } => "not_known",
        Floors::None { .. } | Floors::Proposed(_) => "known",
    };
    status.variants.values().map(state).collect()
}

#[tokio::test]
async fn weeks_are_read_once_a_day_of_listed_variants_and_kept_by_nobody() {
    let sim = world();
    let mut person = with_floors(&sim, None);
    let all = person.pass(true).await;
    assert_eq!(floors(&all), ["off", "known", "known"], "in the very pass that read the history");
    assert_eq!(weeks(&person), [(2, "listed-1".to_owned())], "together, one metric each");

    // A daemon works out one a pass, those that have waited longest first.
    let mut daemon = with_floors(&sim, Some(Duration::from_secs(5)));
    daemon.pass(true).await;
    daemon.until("all", |status| !floors(status).contains(&"not_known")).await;
    let expected = [(1, "listed-1".to_owned()), (1, "listed-2".to_owned())];
    assert_eq!(weeks(&daemon), expected);
    for minutes in [5, 900] {
        sim.advance(minutes * 60);
        daemon.pass(true).await;
    }
    assert_eq!(weeks(&daemon), expected, "an answer holds for a day");
    sim.advance(9 * 3600);
    for _ in 0..6 {
        daemon.pass(true).await;
    }
    assert_eq!(weeks(&daemon), [&expected[..], &expected[..]].concat());
}

#[tokio::test]
async fn weeks_that_cannot_be_read_are_asked_for_again_later_and_hold_up_nobody() {
    let sim = world();
    let mut daemon = with_floors(&sim, Some(Duration::from_secs(5)));
    daemon.pass(true).await;
    let begun = weeks(&daemon).len();
    *daemon.gate.failing.lock().unwrap() = u32::MAX;
    for _ in 0..4 {
        daemon.pass(false).await;
    }
    let tried: Vec<String> = weeks(&daemon).split_off(begun).into_iter().map(|w| w.1).collect();
    assert!(tried.len() <= 2, "each once, for each time is paid for: {tried:?}");
    assert!(tried.contains(&"listed-2".to_owned()), "{tried:?}");
    *daemon.gate.failing.lock().unwrap() = 0;
    sim.advance(900);
    let status = daemon.until("all", |status| !floors(status).contains(&"not_known")).await;
    assert_eq!(floors(&status), ["off", "known", "known"]);
}

/// More variants than may wait for their last day at once; some that nobody lists, and those come first
/// by name.
const FLEET: usize = 2_100;
const STRANGERS: usize = 40;
/// Requests for history that are under way at once.
const AT_ONCE: usize = 3;

/// Passes over them, with two days of history, so that there is something behind the last one.
fn large_fleet(permits: usize, wait: Option<Duration>) -> Passes {
    let name = |n| if n < STRANGERS { format!("a-{n}") } else { format!("listed-{n}") };
    let endpoint = |n| json!({"name": name(n), "variants": [{"instances": 1}]});
    let endpoints: Vec<Value> = (0..FLEET).map(endpoint).collect();
    let text = json!({"history_days": 0, "endpoints": endpoints}).to_string();
    let sim = Scenario::parse(&text, "world").unwrap().build().unwrap();
    let mut passes = Passes::over(&sim, memory(), permits, wait);
    let config = CONFIG.replace("history_days: 14", "history_days: 2");
    passes.config = Config::from_yaml(&config).unwrap();
    passes
}

/// How many variants' metrics requests were for.
fn variants_of<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> usize {
    asked.into_iter().map(|asked| asked.queries).sum::<usize>() / 5
}

#[tokio::test]
async fn in_a_large_fleet_last_days_come_first_in_each_pass_and_listed_ones_before_others() {
    let is_day = |asked: &Asked| asked.span < TimeDelta::days(1);
    let is_strange = |asked: &&Asked| asked.first.starts_with("a-");
    let mut passes = large_fleet(0, Some(Duration::from_millis(20)));
    passes.pass(true).await;
    // The first 2,048, 14 a request; those behind begin with all of a history, as far as requests go at once.
    passes.gate.permits.add_permits(147);
    let begun = |passes: &Passes| passes.asked().iter().filter(|asked| !is_day(asked)).count();
    while begun(&passes) < AT_ONCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let first = passes.asked();
    assert_eq!(first.iter().filter(|asked| is_day(asked)).count(), 147);
    assert_eq!(first.iter().filter(is_strange).count(), 0, "listed ones first");
    // The others as soon as a pass asks for them, before more of those.
    passes.pass(false).await;
    passes.gate.permits.add_permits(AT_ONCE + 4);
    while passes.asked().len() < 147 + AT_ONCE + 4 + AT_ONCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let next = passes.asked().split_off(147 + AT_ONCE);
    assert!(next[..4].iter().all(is_day), "{next:?}");
    assert!(next[4..].iter().all(|asked| !is_day(asked)), "{next:?}");
    assert_eq!(next.iter().filter(is_strange).count(), 3);
    // And all of it is asked for in the end, each once.
    passes.gate.permits.add_permits(FLEET);
    passes.until("all", all_read).await;
    let asked = passes.asked();
    let (days, wholes): (Vec<&Asked>, Vec<&Asked>) = asked.iter().partition(|asked| is_day(asked));
    assert_eq!((variants_of(days), variants_of(wholes)), (FLEET, FLEET));
}

#[tokio::test]
async fn who_waits_for_all_history_gets_that_of_any_number_of_variants() {
    let mut person = large_fleet(Semaphore::MAX_PERMITS, None);
    let status = person.pass(true).await;
    assert!(all_read(&status));
    assert_eq!(variants_of(&person.asked()), FLEET);
}
