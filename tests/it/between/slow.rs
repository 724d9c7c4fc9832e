//! A stage whose AWS takes its time, fails for a while, and counts what it is asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::consent::Consent;
use setpoint::model::ids::ResourceId;
use setpoint::model::listing::Listing;
use setpoint::model::scaling::{Activity, ScalableTarget, ScalingPolicy, ScheduledAction};
use setpoint::model::selector::Selector;
use setpoint::model::status::FleetStatus;
use setpoint::ports::{Aws, ErrorKind, PortError, PortResult, ScalingReads, Service};
use setpoint::reconcile::{Purpose, Settings};
use tokio::sync::watch;

use super::stage::{CONFIG, Stage, pass_time};
use crate::harness;

/// How long a pass waits for listings and descriptions here.
pub(super) const WAIT: Duration = Duration::from_millis(200);

/// What Application Auto Scaling does, and what it was asked.
#[derive(Default)]
pub(super) struct Knobs {
    /// Listings of policies that were begun.
    pub(super) begun: AtomicUsize,
    /// Whether the last page of such a listing fails.
    pub(super) listing_fails: AtomicBool,
    /// Policies that were asked for by name.
    pub(super) by_name: AtomicUsize,
    /// Milliseconds of such a call.
    pub(super) by_name_takes: AtomicU64,
    /// How many of the next such calls fail.
    pub(super) by_name_fails: AtomicUsize,
    /// Milliseconds of a call for activities.
    pub(super) activities_take: AtomicU64,
    /// How often the activities of each variant were asked for.
    pub(super) activities: Mutex<BTreeMap<String, u32>>,
}

/// Application Auto Scaling, whose listing of policies has a last page that comes when it is let through.
struct Scaling {
    truth: Arc<dyn ScalingReads>,
    gate: watch::Receiver<bool>,
    knobs: Arc<Knobs>,
}

#[async_trait]
impl ScalingReads for Scaling {
    async fn scalable_targets(
        &self,
        of: Option<&[ResourceId]>,
    ) -> PortResult<Listing<ScalableTarget>> {
        self.truth.scalable_targets(of).await
    }

    async fn scaling_policies(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScalingPolicy>> {
        let (listed, knobs) = (self.truth.scaling_policies(of).await, &self.knobs);
        let fails = if of.is_none() {
            knobs.begun.fetch_add(1, Ordering::SeqCst);
            self.gate.clone().wait_for(|open| *open).await.expect("the test goes on");
            knobs.listing_fails.load(Ordering::SeqCst)
        } else {
            knobs.by_name.fetch_add(1, Ordering::SeqCst);
            pass_time(&knobs.by_name_takes).await;
            let less = |left: usize| left.checked_sub(1);
            knobs.by_name_fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
        };
        if fails { Err(throttled()) } else { listed }
    }

    async fn scheduled_actions(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScheduledAction>> {
        self.truth.scheduled_actions(of).await
    }

    async fn scaling_activities(&self, of: &ResourceId) -> PortResult<Vec<Activity>> {
        pass_time(&self.knobs.activities_take).await;
        *self.knobs.activities.lock().unwrap().entry(of.to_string()).or_default() += 1;
        self.truth.scaling_activities(of).await
    }

    async fn tags(&self, target_arn: &str) -> PortResult<BTreeMap<String, String>> {
        self.truth.tags(target_arn).await
    }
}

fn throttled() -> PortError {
    PortError {
        service: Service::ApplicationAutoScaling,
        operation: "DescribeScalingPolicies",
        kind: ErrorKind::Throttled,
        code: None,
        message: "Rate exceeded".to_owned(),
    }
}

/// A stage whose listings take long while its gate is shut.
pub(super) struct Late {
    pub(super) stage: Stage,
    gate: watch::Sender<bool>,
    pub(super) knobs: Arc<Knobs>,
    pub(super) config: Config,
}

impl Late {
    pub(super) fn of(names: &[&str]) -> Self {
        let (gate, listens) = watch::channel(true);
        let knobs = Arc::<Knobs>::default();
        let wrap = |mut aws: Aws| {
            let knobs = Arc::clone(&knobs);
            aws.scaling = Arc::new(Scaling { truth: aws.scaling, gate: listens, knobs });
            aws
        };
        let stage = Stage::with(names, wrap, Arc::new(ProcessMemory::default()));
        Self { stage, gate, knobs, config: Config::from_yaml(CONFIG).unwrap() }
    }

    /// So many endpoints, which are described one after the other.
    pub(super) fn many(many: usize) -> Self {
        let names = names(many);
        let late = Self::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let config = format!("{CONFIG}reconcile: {{concurrency: 1}}\n");
        Self { config: Config::from_yaml(&config).unwrap(), ..late }
    }

    pub(super) fn shut(&self, shut: bool) {
        self.gate.send_replace(!shut);
    }

    pub(super) fn edit(&self, name: &str, target_value: f64) {
        let variant = format!("{name}/AllTraffic");
        self.stage
            .change(json!({"edit_policy": {"variant": variant, "target_value": target_value}}));
    }

    /// A pass of the daemon.
    pub(super) async fn pass(&mut self, writes: bool) -> FleetStatus {
        self.made((writes, false), None).await
    }

    /// The same, which may begin no write when it `stops`; of those in `refresh` nothing read before is used.
    pub(super) async fn made(
        &mut self,
        (writes, stops): (bool, bool),
        refresh: Option<&Selector>,
    ) -> FleetStatus {
        let (consent, stop) = (Consent::default(), AtomicBool::new(stops));
        let purpose = if writes { Purpose::Reconcile(&consent) } else { Purpose::Plan };
        let pass = harness::pass(&self.config);
        let settings = Settings { sweep_wait: Some(WAIT), ..pass.settings };
        let pass = harness::Pass { settings, refresh, purpose, stop: &stop, ..pass };
        let pass = pass.of(&mut self.stage.fleet);
        tokio::time::timeout(Duration::from_secs(20), pass).await.expect("it waits for the listing")
    }
}

/// `e00`, `e01` and so on.
pub(super) fn names(many: usize) -> Vec<String> {
    (0..many).map(|n| format!("e{n:02}")).collect()
}
