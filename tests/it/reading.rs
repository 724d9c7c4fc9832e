//! What passes make of what AWS says: regimes of deploys, absences that end, rows of nonsense.

mod alike;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::{Value, json};
use setpoint::config::Config;
use setpoint::daemon::pass_settings;
use setpoint::memory::ProcessMemory;
use setpoint::model::estimate::{Regime, Verdict};
use setpoint::model::fact::Fact;
use setpoint::model::ids::ResourceId;
use setpoint::model::listing::{Listing, Unreadable};
use setpoint::model::reason::Reason;
use setpoint::model::scaling::{Activity, ScalableTarget, ScalingPolicy, ScheduledAction};
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::ports::{Aws, Keep, Memory, PortResult, ScalingReads};
use setpoint::reconcile::{Fleet, subject};
use setpoint::sim::{Scenario, Sim};
use setpoint::system::Alone;

use crate::harness::{self, aws, of};

const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
defaults: {mode: repair, adopt: true, objective: {latency: {statistic: p99, threshold_ms: 250}}}
targets: [{endpoint: '*', variant: '*', load_test: {max_rps: 20}, capacity: {min: 1, max: 8}}]
";

/// Endpoints with a load, and the history of an hour.
fn world(names: &[&str]) -> Sim {
    let sim = loaded(names, 8, &json!({"steady": {"rate": 900.0}}));
    sim.advance(3600);
    sim
}

/// Endpoints with this load on at most so many instances.
fn loaded(names: &[&str], max: u32, traffic: &Value) -> Sim {
    let variant = json!({
        "instances": 2,
        "target": {"min": 1, "max": max, "policy": {"target_value": 600.0}},
        "load": {
            "service": {"family": {"worker_queue": {"workers": 4}}, "base_ms": 50.0, "saturation": 1900.0},
            "objective": {"statistic": "p99", "threshold_ms": 250},
            "traffic": [traffic],
        },
    });
    let endpoint = |name: &&str| json!({"name": name, "variants": [variant]});
    let endpoints: Vec<Value> = names.iter().map(endpoint).collect();
    let text = json!({ "endpoints": endpoints }).to_string();
    Scenario::parse(&text, "world").unwrap().build().unwrap()
}

struct Passes {
    sim: Sim,
    fleet: Fleet,
    memory: Arc<dyn Memory>,
    config: Config,
}

impl Passes {
    fn over(sim: &Sim) -> Self {
        Self::with(sim, aws(sim), Arc::new(ProcessMemory::default()))
    }

    fn with(sim: &Sim, aws: Aws, memory: Arc<dyn Memory>) -> Self {
        let fleet = harness::fleet(sim, aws, &memory);
        let config = Config::from_yaml(CONFIG).unwrap();
        Self { sim: sim.clone(), fleet, memory, config }
    }

    /// Another process, with what this one remembers.
    fn restarted(self) -> Self {
        Self::with(&self.sim, aws(&self.sim), self.memory)
    }

    async fn pass(&mut self) -> FleetStatus {
        harness::Pass { telemetry: true, ..harness::pass(&self.config) }.of(&mut self.fleet).await
    }

    /// Passes every so many minutes; the last one.
    async fn run(&mut self, minutes: u32, every: u32) -> FleetStatus {
        for _ in 0..minutes / every {
            self.sim.advance(60 * every);
            self.pass().await;
        }
        self.pass().await
    }
}

fn regime(fleet: &FleetStatus) -> Regime {
    of(fleet, "scorer").decision.report.estimate.regime.expect("a regime")
}

/// Deploys the present config of the endpoint with some members replaced.
fn deploy(sim: &Sim, name: &str, own: &Value, around: &Value, container: &Value) {
    let endpoint = {
        let input = serde_json::from_value(json!({"EndpointName": "scorer"})).unwrap();
        serde_json::to_value(sim.describe_endpoint(&input).unwrap()).unwrap()
    };
    let config_name = endpoint["EndpointConfigName"].clone();
    let mut config = {
        let input = serde_json::from_value(json!({"EndpointConfigName": config_name})).unwrap();
        serde_json::to_value(sim.describe_endpoint_config(&input).unwrap()).unwrap()
    };
    if *container != json!({}) {
        let model = config["ProductionVariants"][0]["ModelName"].clone();
        let input = serde_json::from_value(json!({"ModelName": model})).unwrap();
        let mut described = serde_json::to_value(sim.describe_model(&input).unwrap()).unwrap();
        merge(&mut described["PrimaryContainer"], container);
        // Under the same name, as pipelines with a fixed name do.
        let input = serde_json::from_value(json!({"ModelName": model})).unwrap();
        sim.delete_model(&input).unwrap();
        sim.create_model(&serde_json::from_value(described).unwrap()).unwrap();
    }
    merge(&mut config, around);
    merge(&mut config["ProductionVariants"][0], own);
    config["EndpointConfigName"] = json!(name);
    sim.create_endpoint_config(&serde_json::from_value(config).unwrap()).unwrap();
    let update = json!({
        "EndpointName": "scorer", "EndpointConfigName": name, "RetainAllVariantProperties": true,
    });
    sim.update_endpoint(&serde_json::from_value(update).unwrap()).unwrap();
}

fn merge(into: &mut Value, members: &Value) {
    for (name, value) in members.as_object().unwrap() {
        into[name] = value.clone();
    }
}

/// A deploy that changes nothing but one of these is another service, and 14 days of evidence of
/// the one before are not evidence of it.
#[tokio::test]
async fn a_deploy_of_whatever_can_change_capacity_begins_a_regime() {
    let capture = json!({"DataCaptureConfig": {
        "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://b/c",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    }});
    let explainer = json!({"ExplainerConfig": {"ClarifyExplainerConfig": {
        "ShapConfig": {"ShapBaselineConfig": {}},
    }}});
    let none = json!({});
    let routing = |word: &str| json!({"RoutingConfig": {"RoutingStrategy": word}});
    let layouts = json!([{"AcceleratorPartitionTypes": ["mig-3g.40gb"]}]);
    let cases: [(&str, Value, &Value, Value, bool); 13] = [
        ("random routing", routing("RANDOM"), &none, json!({}), true),
        ("prefix-aware routing", routing("PREFIX_AWARE"), &none, json!({}), true),
        ("inference AMI", json!({"InferenceAmiVersion": "ami-2"}), &none, json!({}), true),
        (
            "partition layout",
            json!({"AcceleratorPartitionLayouts": layouts}),
            &none,
            json!({}),
            true,
        ),
        ("volume", json!({"VolumeSizeInGB": 512}), &none, json!({}), true),
        ("data capture", json!({}), &capture, json!({}), true),
        ("explainer", json!({}), &explainer, json!({}), true),
        ("environment", json!({}), &none, json!({"Environment": {"WORKERS": "1"}}), true),
        ("model data", json!({}), &none, json!({"ModelDataUrl": "s3://b/2.tar.gz"}), true),
        ("nothing", json!({}), &none, json!({}), false),
        (
            "counts",
            json!({"InitialInstanceCount": 5, "InitialVariantWeight": 0.5}),
            &none,
            json!({}),
            false,
        ),
        (
            "start-up",
            json!({"ContainerStartupHealthCheckTimeoutInSeconds": 900}),
            &none,
            json!({}),
            false,
        ),
        ("host name", json!({}), &none, json!({"ContainerHostname": "other"}), false),
    ];
    for (at, (what, own, around, container, is_new)) in cases.iter().enumerate() {
        let sim = world(&["scorer"]);
        let mut passes = Passes::over(&sim);
        let before = regime(&passes.pass().await);
        let deployed_at = sim.now();
        deploy(&sim, &format!("config-{at}"), own, around, container);
        let after = regime(&passes.run(60, 5).await);
        assert_eq!(after.started_at > deployed_at, *is_new, "{what}: {before:?} {after:?}");
        assert_eq!(after.declared && after.started_at != before.started_at, *is_new, "{what}");
    }
}

/// Where requests with the same prompt go to the same instance, the average instance is no proof
/// of each.
#[tokio::test]
async fn uneven_routing_leaves_nothing_measured() {
    for (word, measured) in [("LEAST_OUTSTANDING_REQUESTS", true), ("KV_AWARE", false)] {
        // Two instances, and every day loads from low to too high for them.
        let wave = json!({"diurnal": {"low": 900.0, "high": 4200.0, "peak_hour": 14.0}});
        let sim = loaded(&["scorer"], 2, &wave);
        let own = json!({"RoutingConfig": {"RoutingStrategy": word}});
        deploy(&sim, "routed", &own, &json!({}), &json!({}));
        sim.advance(3 * 86_400);
        let mut passes = Passes::over(&sim);
        let estimate = of(&passes.pass().await, "scorer").decision.report.estimate.clone();
        assert_eq!(estimate.verdict == Verdict::Measured, measured, "{word}: {estimate:?}");
        assert!(estimate.verdict.is_two_sided(), "{word}: {}", estimate.sentence);
        assert_eq!(
            estimate.sentence.contains("unequal shares"),
            !measured,
            "{}",
            estimate.sentence
        );
    }
}

/// What a process of before remembers of a deploy that came while nobody looked: of a config that
/// is older than what is remembered.
#[tokio::test]
async fn a_deploy_while_nobody_looked_is_found_after_the_start() {
    let sim = world(&["scorer"]);
    let older = json!({"RoutingConfig": {"RoutingStrategy": "RANDOM"}});
    let mut passes = Passes::over(&sim);
    let before = regime(&passes.run(120, 15).await);
    // The config is made while the first process runs, and deployed when it does not.
    let name = sim.describe_endpoint(&input("EndpointName", "scorer")).unwrap();
    let config = input("EndpointConfigName", &name.endpoint_config_name);
    let mut config = serde_json::to_value(sim.describe_endpoint_config(&config).unwrap()).unwrap();
    merge(&mut config["ProductionVariants"][0], &older);
    config["EndpointConfigName"] = json!("prepared");
    sim.create_endpoint_config(&serde_json::from_value(config).unwrap()).unwrap();
    passes.run(120, 15).await;
    let stopped_at = sim.now();
    let update = json!({"EndpointName": "scorer", "EndpointConfigName": "prepared"});
    sim.update_endpoint(&serde_json::from_value(update).unwrap()).unwrap();
    sim.advance(3600);
    let mut passes = passes.restarted();
    let after = regime(&passes.run(30, 5).await);
    assert!(after.started_at > before.started_at && after.declared, "{before:?} {after:?}");
    assert!(after.started_at >= stopped_at - TimeDelta::hours(1), "{after:?}");
}

/// A restart of another version remembers a narrower fingerprint, and that is no deploy.
#[tokio::test]
async fn a_fingerprint_of_an_older_version_is_no_new_regime_and_a_real_deploy_is() {
    for deploys in [false, true] {
        let sim = world(&["scorer"]);
        let mut passes = Passes::over(&sim);
        let fleet = passes.run(120, 15).await;
        let before = regime(&fleet);
        let status = of(&fleet, "scorer");
        let subject = subject(&status.snapshot, &status.goal, &pass_settings(&passes.config));
        let all = passes.memory.load(std::slice::from_ref(&subject), true).await;
        let mut memory = all.into_values().next().unwrap().known().cloned().unwrap();
        let mut journal = memory.journal.as_ref().expect("a journal").value();
        let now = &mut journal["book"]["current"]["fingerprint"];
        assert!(now.as_str().is_some_and(|text| text.starts_with("2:")), "{now}");
        // As the version before wrote it.
        *now = old_fingerprint(status);
        memory.journal = Some(journal.into());
        let keep = Keep { subject, memory, urgent: true };
        assert!(passes.memory.save(&[keep], &Alone).await.is_empty());
        if deploys {
            deploy(
                &sim,
                "other",
                &json!({"InstanceType": "ml.c5.xlarge", "ModelName": other_model(&sim)}),
                &json!({}),
                &json!({}),
            );
        }
        sim.advance(20 * 60);
        let mut passes = passes.restarted();
        let after = regime(&passes.run(60, 15).await);
        assert_eq!(after.started_at > before.started_at, deploys, "{before:?} {after:?}");
    }
}

fn input<T: serde::de::DeserializeOwned>(member: &str, name: &str) -> T {
    serde_json::from_value(json!({ member: name })).unwrap()
}

fn other_model(sim: &Sim) -> &'static str {
    let model = json!({"ModelName": "other-model", "PrimaryContainer": {"Image": "other:1"}});
    sim.create_model(&serde_json::from_value(model).unwrap()).unwrap();
    "other-model"
}

/// FNV-1a of the model's name, the instance type and the images: what version 0.1 remembered.
fn old_fingerprint(status: &VariantStatus) -> Value {
    let id = &status.snapshot.id;
    let config = status.snapshot.endpoint_config.known().unwrap().as_ref().unwrap();
    let own = config.variant(&id.variant).unwrap();
    let endpoint = status.snapshot.endpoint.known().unwrap().as_ref().unwrap();
    let images = &endpoint.variant(&id.variant).unwrap().images;
    let text = format!("{:?} {:?} {:?}", own.model_name, own.instance_type, images);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    json!(hash)
}

// === what is gone ===

/// A config or model that is deleted is not gone for ever: its return is noticed by itself.
#[tokio::test]
async fn what_was_deleted_and_made_again_is_noticed_without_anybody_asking() {
    for (operation, gone) in [("config", "the endpoint config"), ("model", "the model")] {
        let sim = world(&["scorer"]);
        let described = sim.describe_endpoint(&input("EndpointName", "scorer")).unwrap();
        let config = described.endpoint_config_name;
        let own = sim.describe_endpoint_config(&input("EndpointConfigName", &config)).unwrap();
        let name = own.production_variants[0].model_name.clone().unwrap();
        let model = sim.describe_model(&input("ModelName", &name)).unwrap();
        if operation == "config" {
            sim.delete_endpoint_config(&input("EndpointConfigName", &config)).unwrap();
        } else {
            sim.delete_model(&input("ModelName", &name)).unwrap();
        }
        // A process that has never seen it.
        let mut passes = Passes::over(&sim);
        let fleet = passes.pass().await;
        let snapshot = &of(&fleet, "scorer").snapshot;
        if operation == "config" {
            assert_eq!(snapshot.endpoint_config, Fact::Known(None).into());
            let why = snapshot.model.why().expect("it is not known which model runs");
            assert!(why.message.starts_with(&format!("{gone} {config} is gone")), "{why:?}");
            let again = serde_json::to_value(&own).unwrap();
            sim.create_endpoint_config(&serde_json::from_value(again).unwrap()).unwrap();
        } else {
            assert!(snapshot.endpoint_config.known().unwrap().is_some());
            assert_eq!(snapshot.model, Fact::Known(None).into());
            let again = serde_json::to_value(&model).unwrap();
            sim.create_model(&serde_json::from_value(again).unwrap()).unwrap();
        }
        // Not with every pass: AWS would be asked for nothing.
        let calls = |sim: &Sim| {
            use setpoint::sim::api::Operation::{DescribeEndpointConfig, DescribeModel};
            sim.with_world(|w| w.calls(DescribeEndpointConfig) + w.calls(DescribeModel))
        };
        let asked = calls(&sim);
        passes.run(10, 1).await;
        assert_eq!(calls(&sim), asked, "{operation}");
        let fleet = passes.run(6, 1).await;
        let snapshot = &of(&fleet, "scorer").snapshot;
        assert!(matches!(*snapshot.endpoint_config, Fact::Known(Some(_))), "{operation}");
        assert!(matches!(*snapshot.model, Fact::Known(Some(_))), "{operation}");
        assert_eq!(of(&fleet, "scorer").decision.report.reason, Reason::InSync, "{operation}");
    }
}

// === rows of nonsense ===

/// Application Auto Scaling of which some rows make no sense.
struct Nonsense {
    truth: Arc<dyn ScalingReads>,
    /// Whose rows of targets, policies and scheduled actions.
    of: Mutex<[Option<String>; 3]>,
}

impl Nonsense {
    fn in_rows<T>(
        &self,
        listing: Listing<T>,
        at: usize,
        name: impl Fn(&T) -> String,
    ) -> Listing<T> {
        let bad = self.of.lock().unwrap()[at].clone();
        let (rows, _) = listing.into_parts();
        let row = |row: T| {
            let name = name(&row);
            if bad.as_ref() == Some(&name) {
                Err(Unreadable::of(name, "it is -1"))
            } else {
                Ok(row)
            }
        };
        rows.into_iter().map(row).collect()
    }
}

#[async_trait]
impl ScalingReads for Nonsense {
    async fn scalable_targets(
        &self,
        of: Option<&[ResourceId]>,
    ) -> PortResult<Listing<ScalableTarget>> {
        let listing = self.truth.scalable_targets(of).await?;
        Ok(self.in_rows(listing, 0, |t| t.resource.to_string()))
    }

    async fn scaling_policies(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScalingPolicy>> {
        let listing = self.truth.scaling_policies(of).await?;
        Ok(self.in_rows(listing, 1, |p| p.resource.to_string()))
    }

    async fn scheduled_actions(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScheduledAction>> {
        let listing = self.truth.scheduled_actions(of).await?;
        Ok(self.in_rows(listing, 2, |a| a.resource.to_string()))
    }

    async fn scaling_activities(&self, of: &ResourceId) -> PortResult<Vec<Activity>> {
        self.truth.scaling_activities(of).await
    }

    async fn tags(&self, target_arn: &str) -> PortResult<BTreeMap<String, String>> {
        self.truth.tags(target_arn).await
    }
}

/// Of one variant AWS answers nonsense: nothing of it is written, not even what is missing by the
/// look of it; the others are repaired as ever; and it recovers with AWS.
#[tokio::test]
async fn nonsense_about_one_variant_is_unknown_for_that_one_alone() {
    for at in [0, 1] {
        let sim = world(&["bad", "good"]);
        let mut aws = aws(&sim);
        let nonsense = Arc::new(Nonsense {
            truth: Arc::clone(&aws.scaling),
            of: Mutex::new(Default::default()),
        });
        nonsense.of.lock().unwrap()[at] = Some("endpoint/bad/variant/AllTraffic".to_owned());
        aws.scaling = Arc::clone(&nonsense) as _;
        for name in ["bad", "good"] {
            let change = json!({"edit_policy": {"variant": format!("{name}/AllTraffic"), "target_value": 700.0}});
            let change = serde_json::from_value(change).unwrap();
            sim.with_world(|world| world.change(&change)).unwrap();
        }
        let writes = |sim: &Sim, endpoint: &str| {
            let state = sim.state();
            let writes = state["writes"].as_array().cloned().unwrap_or_default();
            writes
                .iter()
                .filter(|write| write.to_string().contains(&format!("endpoint/{endpoint}/")))
                .count()
        };
        let (bad, good) = (writes(&sim, "bad"), writes(&sim, "good"));
        let mut passes = Passes::with(&sim, aws, Arc::new(ProcessMemory::default()));
        let fleet = passes.run(10, 1).await;
        let report = &of(&fleet, "bad").decision.report;
        assert!(!report.comparable, "{at}: {report:?}");
        assert!(report.sentence.contains("answered nonsense: it is -1"), "{}", report.sentence);
        assert_eq!(writes(&sim, "bad"), bad, "{at}");
        assert!(writes(&sim, "good") > good, "{at}");
        assert!(of(&fleet, "good").decision.report.comparable);
        assert_eq!(fleet.scopes.values().flatten().count(), 0, "the region is readable");
        *nonsense.of.lock().unwrap() = Default::default();
        let fleet = passes.run(15, 1).await;
        assert!(of(&fleet, "bad").decision.report.comparable, "{at}");
        assert!(writes(&sim, "bad") > bad, "{at}");
    }
}
