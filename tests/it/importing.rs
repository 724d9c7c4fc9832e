//! Tests of `import`: with what it writes nothing differs, whatever there is in AWS.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use setpoint::cli::exit::Exit;
use setpoint::config::Config;
use setpoint::import::{Imported, Options, import};
use setpoint::memory::ProcessMemory;
use setpoint::model::decision::FieldReport;
use setpoint::model::fact::Fact;
use setpoint::model::ids::VariantId;
use setpoint::model::status::FleetStatus;
use setpoint::model::units::SafetyFactor;
use setpoint::ports::{Aws, Clock, PutScalingPolicy};
use setpoint::reconcile::{CostMeter, Fleet, Purpose};
use setpoint::sim::{Scenario, Sim, SimClock};
use setpoint::system::{Alone, WallClock};

use crate::contract::moto::{MotoFace, Server};
use crate::harness;

/// What a first pass with this configuration shows.
async fn look(aws: &Aws, clock: Arc<dyn Clock>, config: &Config, telemetry: bool) -> FleetStatus {
    let memory = Arc::new(ProcessMemory::default());
    let cost = CostMeter::default();
    let mut passes = Fleet::new(vec![aws.clone()], clock, Arc::new(Alone), memory, cost);
    let pass = harness::Pass { telemetry, purpose: Purpose::Plan, ..harness::pass(config) };
    pass.of(&mut passes).await
}

/// A world as `audit` sees it.
pub(crate) async fn seen(sim: &Sim) -> FleetStatus {
    let (aws, clock) = ports(sim);
    look(&aws, clock, &Config::from_yaml("").unwrap(), false).await
}

fn options() -> Options {
    Options {
        safety_factor: SafetyFactor::new(0.5).unwrap(),
        aws: Vec::new(),
        targets_only: false,
        guesses: BTreeMap::new(),
        tags: Vec::new(),
        at: crate::fixtures::noon(),
    }
}

/// Imports, and holds the result to its promise.
async fn imported(place: &str, aws: &Aws, clock: Arc<dyn Clock>, telemetry: bool) -> Imported {
    let before = look(aws, Arc::clone(&clock), &Config::from_yaml("").unwrap(), false).await;
    let made = import(&before, &options());
    let config = Config::from_yaml(&made.yaml)
        .unwrap_or_else(|errors| panic!("{place}: {errors}\n{}", made.yaml));
    assert_eq!(config.targets.len(), made.listed.len(), "{place}\n{}", made.yaml);
    let plan = look(aws, clock, &config, telemetry).await;
    for (id, status) in &plan.variants {
        let report = &status.decision.report;
        assert_eq!(report.managed, made.listed.contains(id), "{place}: {id}");
        let differs: Vec<&FieldReport> =
            report.fields.iter().filter(|field| report.managed && field.state.differs()).collect();
        assert!(differs.is_empty(), "{place}: {id}: {differs:?}\n{}", made.yaml);
    }
    assert_ne!(Exit::of_plan(&plan), Exit::Differs, "{place}");
    // Nobody is forgotten, but for shadow variants.
    let told = made.listed.len() + made.left_out.len();
    let shadows = before.variants.values().filter(|status| {
        let endpoint = status.snapshot.endpoint.known().and_then(Option::as_ref);
        endpoint.is_some_and(|e| e.shadow_variants.contains(&status.snapshot.id.variant))
    });
    assert_eq!(told + shadows.count(), before.variants.len(), "{place}");
    made
}

fn ports(sim: &Sim) -> (Aws, Arc<dyn Clock>) {
    // Every world of the tests is in the default account and region.
    let scope = crate::harness::scope();
    (setpoint::sim::aws(sim, scope), Arc::new(SimClock::self_driven(sim.clone())))
}

#[test]
fn the_plan_is_empty_in_every_world_of_every_scenario() {
    let (mut worlds, mut listed, mut left_out) = (0, 0, 0);
    crate::scenarios::each_world(async |place, sim| {
        let (aws, clock) = ports(sim);
        // Two weeks of minutes are read in some of them only: that takes a while.
        let made = imported(place, &aws, clock, worlds % 8 == 0).await;
        worlds += 1;
        listed += made.listed.len();
        left_out += made.left_out.len();
    });
    println!("{worlds} worlds: {listed} variants imported, {left_out} left out");
    assert!(worlds > 200 && listed > worlds && left_out > 20, "{worlds} {listed} {left_out}");
}

#[test]
fn a_fleet_of_500_is_imported_whole() {
    let sim = Scenario::fleet(500).build().unwrap();
    let (aws, clock) = ports(&sim);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(imported("fleet of 500", &aws, clock, false));
    assert_eq!((made.listed.len(), made.left_out.len()), (500, 0));
}

/// Names that a reader of YAML takes for something else, a policy whose name is one long attempt to
/// become configuration, and numbers at the edges.
#[test]
fn hostile_names_and_numbers_stay_what_they_are() {
    let names =
        ["true", "No", "null", "123", "1e3", "0x1F", "2026-11-01", "y", "NaN", "e5", "0o17", "1-0"];
    let mut endpoints: Vec<String> = names
        .iter()
        .zip([600.0, 0.001, 1e6, 59.999_999, 1.0 / 3.0, 10.0, 7e7, 1e5, 0.5, 3600.0, 333.333, 42.0])
        .map(|(name, value)| {
            format!(
                "  - {{name: '{name}', variants: [{{name: '{name}', target: {{min: 1, max: 8, \
                 policy: {{target_value: {value:?}}}}}}}]}}"
            )
        })
        .collect();
    endpoints.insert(0, "endpoints:".to_owned());
    let sim = Scenario::parse(&endpoints.join("\n"), "hostile").unwrap().build().unwrap();
    let hostile = "x' \" # }\u{a0}: [*]\\n- endpoint: '*'";
    let step = json!({
        "ServiceNamespace": "sagemaker", "PolicyName": hostile,
        "ResourceId": "endpoint/e5/variant/e5",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity", "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        },
    });
    sim.put_scaling_policy(&serde_json::from_value(step).unwrap()).unwrap();
    let (aws, clock) = ports(&sim);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(imported("hostile", &aws, clock, true));
    // 7e7 invocations a minute are more than the configuration can state as a rate.
    let left_out: Vec<String> = made.left_out.iter().map(|(id, _)| id.short()).collect();
    assert_eq!(left_out, ["2026-11-01/2026-11-01"], "{}", made.yaml);
    assert!(made.left_out[0].1.contains("max_rps"), "{:?}", made.left_out);
    assert_eq!(made.listed.len(), names.len() - 1);
    assert!(made.yaml.contains("LOOKS WRONG: 2 policies scale it"), "{}", made.yaml);
}

#[test]
fn the_plan_is_empty_on_moto() {
    let Some(server) = Server::start_for("importing::the_plan_is_empty_on_moto") else { return };
    let face: Arc<dyn crate::contract::face::Face> = Arc::new(MotoFace::fresh(&server));
    let aws = face.aws();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let writes = Arc::clone(&aws.writes);
    let arranged = runtime.spawn(async move {
        for (name, value) in [("scorer", 600.0), ("true", 20.0)] {
            let resource = face.target(name).await;
            let put: PutScalingPolicy = crate::contract::face::put(&resource, "p", value);
            writes.put_scaling_policy(&put).await.unwrap();
        }
        face.target("no-policy").await;
    });
    runtime.block_on(arranged).unwrap();
    let made = runtime.block_on(imported("moto", &aws, Arc::new(WallClock), true));
    let listed: Vec<String> = made.listed.iter().map(VariantId::short).collect();
    assert_eq!(listed, ["scorer/AllTraffic", "true/AllTraffic"], "{}", made.yaml);
    assert_eq!(made.left_out.len(), 1, "{:?}", made.left_out);
    assert!(made.yaml.contains("looks like requests per second"), "{}", made.yaml);
}

/// What cannot be read is neither imported nor forgotten.
#[test]
fn what_could_not_be_read_is_said() {
    let mut fleet = crate::fixtures::mixed_fleet();
    for status in fleet.variants.values_mut() {
        let mut unlisted = (**status).clone();
        unlisted.goal.managed = false;
        *status = Arc::new(unlisted);
    }
    let made = import(&fleet, &options());
    let of = |name: &str| made.left_out.iter().find(|(id, _)| id.endpoint.as_str() == name);
    assert!(of("payments").unwrap().1.contains("DescribeScalingPolicies"), "{:?}", made.left_out);
    assert!(of("recreated").unwrap().1.contains("no scalable target"), "{:?}", made.left_out);
    // What is left out can be uncommented as it stands.
    let uncommented: String = made
        .yaml
        .lines()
        .map(|line| match line.strip_prefix("  # ") {
            Some(rest) if rest.starts_with("- endpoint") || rest.starts_with("  ") => {
                format!("  {rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let config = Config::from_yaml(&uncommented).unwrap_or_else(|e| panic!("{e}\n{uncommented}"));
    assert!(config.targets.len() > made.listed.len(), "{uncommented}");
    let unread =
        fleet.variants.values().filter(|s| matches!(*s.snapshot.policies, Fact::Unknown(_)));
    assert_eq!(unread.count(), 1);
}

fn setpoint(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_setpoint"))
        .args(arguments)
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn from_an_import_with_guesses_to_a_first_true_number_by_typing() {
    let served = crate::wire::binary::Served::start(&["--step"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("setpoint.yaml").to_str().unwrap().to_owned();
    let aws = ["--region", "us-east-1", "--endpoint-url", &served.url, "--log-level", "error"];
    let import = [&["import", "--telemetry", "--out", &file][..], &aws].concat();
    // Nobody is asked where nobody can answer, and nothing is read or written then.
    let (code, _, err) = setpoint(&import);
    assert_eq!(code, Some(64), "{err}");
    assert!(err.contains("for $0.0002: 5 variants, 3 metrics each"), "{err}");
    assert!(!Path::new(&file).exists());
    let (code, _, err) = setpoint(&[&import[..], &["--yes"]].concat());
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("the objectives in it are guesses"), "{err}");
    let yaml = std::fs::read_to_string(&file).unwrap();
    assert_eq!(yaml.matches("  # a guess, twice its quiet ").count(), 5, "{yaml}");
    let plan = ["plan", "--config", &file, "--log-level", "error"];
    let (code, out, err) = setpoint(&plan);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.contains("no latency objective"), "{out}");
    assert!(out.contains("safe: ") || out.contains("unsafe: "), "{out}");
}

#[test]
fn endpoints_are_chosen_by_their_tags() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("world.yaml");
    let variant = "variants: [{target: {min: 1, max: 4, policy: {target_value: 600}}}]";
    let endpoint =
        |name: &str, tags: &str| format!("  - {{name: {name}, tags: {{{tags}}}, {variant}}}\n");
    let text = format!(
        "world: {{seed: 7}}\nendpoints:\n{}{}{}",
        endpoint("Ads-Ranker", "team: ranking, stage: prod"),
        endpoint("ads-trial", "team: ranking, stage: test"),
        endpoint("search", "team: search"),
    );
    std::fs::write(&world, text).unwrap();
    let served =
        crate::wire::binary::Served::start(&["--step", "--scenario", world.to_str().unwrap()]);
    let aws = ["--region", "us-east-1", "--endpoint-url", &served.url, "--log-level", "error"];
    let import = |tags: &[&str]| setpoint(&[&["import"][..], tags, &aws].concat());

    let (code, out, err) = import(&["--tag", "team=ranking"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("2 variants imported"), "{err}");
    assert!(out.contains("# Only endpoints that had the tag team=ranking then"), "{out}");
    assert!(out.contains("endpoint: Ads-Ranker") && !out.contains("endpoint: search"), "{out}");
    let (code, out, err) = import(&["--tag", "team=ranking", "--tag", "stage=prod"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("endpoint: Ads-Ranker") && !out.contains("ads-trial"), "{out}");

    let (code, out, err) = import(&["--tag", "team=Ranking"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(
        err.contains("no endpoint has the tag team=Ranking (values found: ranking, search)"),
        "{err}"
    );
    let (code, _, err) = import(&["--tag", "team"]);
    assert_eq!(code, Some(64), "{err}");

    // Tags that may not be read choose nothing, and are no reason to import everything.
    let fault = json!({
        "kind": "deny", "operations": ["GetResources"], "because": "the role has iam/observe.json alone",
    });
    let answer = ureq::post(format!("{}/_sim/fault", served.url)).send(fault.to_string());
    assert_eq!(answer.unwrap().status(), 200);
    let (code, out, err) = import(&["--tag", "team=ranking"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("nothing was imported") && err.contains("iam/tags.json"), "{err}");
}

#[test]
fn from_a_first_look_to_an_empty_plan_by_typing() {
    let served = crate::wire::binary::Served::start(&["--step"]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, starter) = (path("setpoint.yaml"), path("starter.yaml"));
    let aws = ["--region", "us-east-1", "--endpoint-url", &served.url, "--log-level", "error"];

    let (code, out, err) = setpoint(&[&["audit", "--detailed-exitcode"][..], &aws].concat());
    assert!(out.contains("Audit: 5 variants on 5 endpoints"), "{out}{err}");
    assert!(out.contains("Next: setpoint import --out setpoint.yaml --region us-east-1"), "{out}");
    assert!(matches!(code, Some(0 | 2)), "{code:?}: {out}{err}");

    let import = [&["import", "--out", &file][..], &aws].concat();
    let (code, out, err) = setpoint(&import);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    assert!(err.contains("5 variants imported"), "{err}");
    assert!(err.contains(&format!("next: setpoint plan --config {file}")), "{err}");
    assert!(err.contains("let --telemetry guess one for each variant"), "{err}");
    let (code, _, err) = setpoint(&import);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("exists (--force replaces it)"), "{err}");

    // The file says where AWS is.
    let plan = ["plan", "--config", &file, "--detailed-exitcode", "--log-level", "error"];
    let (code, out, err) = setpoint(&plan);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("Plan: 5 in sync"), "{out}");
    let (code, out, err) = setpoint(&["import", "--config", &file, "--log-level", "error"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("targets: []") && err.contains("5 listed already"), "{out}{err}");

    let (code, out, _) = setpoint(&["init", &starter, "--region", "eu-west-1"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("setpoint config check --config"), "{out}");
    let (code, _, err) = setpoint(&["config", "check", "--config", &starter]);
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = setpoint(&["init", &starter]);
    assert_eq!(code, Some(1), "{err}");
    assert!(Path::new(&starter).exists());
}
