//! An endpoint that is listed and cannot be described has variants all the same; and activities, which take a call for
//! each variant, make no pass long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::ids::ResourceId;
use setpoint::model::listing::Listing;
use setpoint::model::scaling::{Activity, ScalableTarget, ScalingPolicy, ScheduledAction};
use setpoint::ports::{PortResult, ScalingReads};
use setpoint::sim::api::Operation;
use setpoint::sim::{Fault, FaultKind};

use super::stage::{Bend, CONFIG, Stage, of};
use crate::harness;

const WHY: &str = "a role may lack a permission";

/// Variants that only the descriptions of their endpoints tell of.
fn without_targets(names: &[&str]) -> Stage {
    let stage = Stage::of(names);
    for name in names {
        stage.change(json!({"deregister": {"variant": format!("{name}/AllTraffic")}}));
    }
    stage
}

#[tokio::test]
async fn a_variant_stays_while_its_endpoint_cannot_be_described() {
    let mut stage = without_targets(&["late", "other"]);
    assert_eq!(stage.pass(false).await.variants.len(), 2);
    stage.bend("late", Bend::Hang);
    // Descriptions are looked at again within the hour.
    stage.sim.advance(2 * 3600);
    let fleet = stage.pass(true).await;
    assert_eq!(fleet.variants.len(), 2, "half a view makes nothing vanish");
    assert!(!of(&fleet, "late").decision.report.comparable);
    assert!(of(&fleet, "other").decision.report.comparable);
    assert!(fleet.undescribed.is_empty(), "its variant is shown: {:?}", fleet.undescribed);
}

#[tokio::test]
async fn endpoints_of_which_nothing_is_known_are_counted() {
    let mut stage = without_targets(&["a", "b"]);
    stage.sim.inject(Fault::new(FaultKind::Deny, &[Operation::DescribeEndpoint], WHY));
    let fleet = stage.pass(true).await;
    let (_, found) = fleet.undescribed.first_key_value().expect("two of them");
    // One denial at a time, or of every call: either way it is not for a policy that names the others.
    assert!(found.endpoints >= 1, "{found:?}");
    let plan = setpoint::render::plan::text(&fleet);
    assert!(plan.contains("could not be described, and "), "{plan}");
    let json = setpoint::render::plan::json(&fleet);
    assert_eq!(json["undescribed"][0]["endpoints"], found.endpoints, "{json}");
    let audit = setpoint::audit::json(&setpoint::audit::Audit::of(&fleet), &fleet);
    assert_eq!(audit["undescribed"], json["undescribed"], "in the words of the plan: {audit}");
    let own = audit["undescribed"][0].as_object().unwrap();
    let mut members: Vec<&str> = own.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["account_id", "endpoints", "region", "why"], "{audit}");
    let troubles = setpoint::render::trouble::troubles(&fleet);
    assert!(troubles.iter().any(|told| told.contains("could not be described")), "{troubles:?}");
}

/// Application Auto Scaling, which takes longer for activities than a pass begins to read them for, and counts who
/// was asked for.
struct Slow {
    truth: Arc<dyn ScalingReads>,
    asked: Arc<Mutex<BTreeMap<String, u32>>>,
}

#[async_trait]
impl ScalingReads for Slow {
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
        self.truth.scaling_policies(of).await
    }

    async fn scheduled_actions(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScheduledAction>> {
        self.truth.scheduled_actions(of).await
    }

    async fn scaling_activities(&self, of: &ResourceId) -> PortResult<Vec<Activity>> {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        *self.asked.lock().unwrap().entry(of.to_string()).or_default() += 1;
        self.truth.scaling_activities(of).await
    }

    async fn tags(&self, target_arn: &str) -> PortResult<BTreeMap<String, String>> {
        self.truth.tags(target_arn).await
    }
}

#[tokio::test]
async fn activities_there_is_no_time_for_come_with_the_next_passes_each_in_its_turn() {
    // Activities are read for a fifteenth of it.
    let config = format!("{CONFIG}reconcile: {{pass_timeout_seconds: 15, concurrency: 4}}\n");
    let config = Config::from_yaml(&config).unwrap();
    let names: Vec<String> = (0..10).map(|n| format!("e{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let asked = Arc::default();
    let wrap = |mut aws: setpoint::ports::Aws| {
        aws.scaling = Arc::new(Slow { truth: aws.scaling, asked: Arc::clone(&asked) });
        aws
    };
    let mut stage = Stage::with(&names, wrap, Arc::new(ProcessMemory::default()));
    stage.pass(true).await;
    asked.lock().unwrap().clear();
    // Of all of them they are due now.
    stage.sim.advance(2 * 3600);
    let mut passes = 0;
    while asked.lock().unwrap().len() < names.len() {
        passes += 1;
        assert!(passes <= 10, "{:?}", asked.lock().unwrap());
        harness::pass(&config).of(&mut stage.fleet).await;
    }
    assert!(passes > 1, "one pass has waited for all of them");
    assert!(asked.lock().unwrap().values().all(|times| *times == 1), "{:?}", asked.lock().unwrap());
}
