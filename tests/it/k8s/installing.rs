//! The chart on a real API server: installed, upgraded, rolled back and uninstalled by the real helm, in
//! every usual shape.

use std::path::Path;

use serde_json::{Value, json};
use yaml_rust2::YamlLoader;

use super::cluster::{path, request};
use super::jobs::Jobs;
use super::real::{self, chart, helm, try_helm};
use crate::packaging::json_of;

/// The namespaces that ci/everything-values.yaml names.
const NAMED: [&str; 2] = ["ml-platform", "monitoring"];

/// One release of the chart.
struct Release<'a> {
    client: &'a kube::Client,
    kubeconfig: &'a Path,
    values: String,
    namespace: String,
}

impl Release<'_> {
    fn helm(&self, verb: &[&str], more: &[&str]) -> String {
        let place = ["--namespace", self.namespace.as_str()];
        helm(self.kubeconfig, &[verb, &place, more].concat())
    }

    fn upgrade(&self, more: &[&str]) {
        // No controller runs there, so the Job that checks the configuration would never end.
        let verb =
            ["upgrade", "--install", "setpoint", &chart(), "--no-hooks", "--values", &self.values];
        self.helm(&verb, more);
    }

    /// What helm says it has put there.
    fn manifest(&self) -> Vec<Value> {
        documents(&self.helm(&["get", "manifest", "setpoint"], &[]))
    }

    fn place(&self, object: &Value) -> String {
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        let plural = match kind.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if kind.ends_with('s') => format!("{kind}es"),
            None => format!("{kind}s"),
        };
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or(&self.namespace);
        path(&plural, namespace, object["metadata"]["name"].as_str().unwrap())
    }

    async fn live(&self, object: &Value) -> Option<Value> {
        let place = self.place(object);
        match request(self.client, "GET", &place, None).await {
            Ok(live) => Some(live),
            Err(404) => None,
            Err(code) => panic!("GET {place}: {code}"),
        }
    }

    /// The server has what helm has sent, with nothing dropped.
    async fn is_there(&self) -> Vec<Value> {
        let manifest = self.manifest();
        for object in &manifest {
            let place = self.place(object);
            let live = self.live(object).await.unwrap_or_else(|| panic!("{place} is not there"));
            let mut lost = Vec::new();
            compare(object, &live, &place, &mut lost);
            assert!(lost.is_empty(), "the server has dropped or changed: {lost:#?}");
        }
        manifest
    }

    /// The server takes a pod, without keeping it.
    async fn takes(&self, mut pod: Value, name: &str, namespace: &str) {
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!(name);
        self.would_take(&pod, namespace).await;
    }

    /// The server takes an object, without keeping it.
    async fn would_take(&self, object: &Value, namespace: &str) {
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        let place = path(&format!("{kind}s"), namespace, "") + "?dryRun=All";
        let answer = request(self.client, "POST", &place, Some(object)).await;
        assert!(answer.is_ok(), "{}: {kind}: {answer:?}", self.values);
    }
}

fn documents(text: &str) -> Vec<Value> {
    let all = YamlLoader::load_from_str(text).unwrap();
    all.iter().map(json_of).filter(Value::is_object).collect()
}

/// What is sent and is not there, or is otherwise there.
fn compare(sent: &Value, live: &Value, at: &str, lost: &mut Vec<String>) {
    match (sent, live) {
        (Value::Object(sent), _) => {
            for (key, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
                compare(value, &live[key], &format!("{at}.{key}"), lost);
            }
        }
        (Value::Array(sent), Value::Array(live)) if sent.len() == live.len() => {
            for (index, (sent, live)) in sent.iter().zip(live).enumerate() {
                compare(sent, live, &format!("{at}[{index}]"), lost);
            }
        }
        _ if sent == live => {}
        _ => lost.push(format!("{at}: {sent} is {live}")),
    }
}

/// What runs the pods: a Deployment, or the `StatefulSet` of shards.
fn deployment(manifest: &[Value]) -> &Value {
    let runs = |kind: &Value| kind == "Deployment" || kind == "StatefulSet";
    manifest.iter().find(|object| runs(&object["kind"])).unwrap()
}

#[tokio::test]
#[ignore = "needs a real API server: tests/full/kubernetes"]
async fn every_shape_is_installed_changed_put_back_and_removed() {
    let kubeconfig = real::kubeconfig().expect("SETPOINT_TEST_KUBECONFIG names a real server");
    let (client, _) = real::admin(&kubeconfig).await;
    for namespace in NAMED {
        real::make_namespace(&client, namespace).await;
    }
    let mut shapes: Vec<_> = std::fs::read_dir(format!("{}/ci", chart()))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    shapes.sort();
    for shape in shapes {
        let (values, namespace) = (shape.display().to_string(), real::new_namespace());
        real::make_namespace(&client, &namespace).await;
        println!("{values} in {namespace}");
        let release = Release { client: &client, kubeconfig: &kubeconfig, values, namespace };
        live_through(&release).await;
    }
}

async fn live_through(release: &Release<'_>) {
    let own_config = release.values.contains("locked-down");
    if own_config {
        // It brings its service account.
        let account = json!({"metadata": {"name": "setpoint"}});
        let place = path("serviceaccounts", &release.namespace, "");
        request(release.client, "POST", &place, Some(&account)).await.unwrap();
    }
    release.upgrade(&[]);
    let first = release.is_there().await;
    let installed = release.live(deployment(&first)).await.unwrap();
    let namespace = installed["metadata"]["namespace"].as_str().unwrap();
    release.takes(installed["spec"]["template"].clone(), "as-deployed", namespace).await;
    for hook in documents(&release.helm(&["get", "hooks", "setpoint"], &[])) {
        assert_eq!(hook["metadata"]["namespace"], namespace);
        release.would_take(&hook, namespace).await;
        if hook["kind"] == "Job" {
            release.takes(hook["spec"]["template"].clone(), "as-checked", namespace).await;
        }
    }

    let checksum = |deployment: &Value| {
        deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"].clone()
    };
    let label = |deployment: &Value| deployment["metadata"]["labels"]["step"].clone();
    let changed: &[&str] = if own_config {
        &["--set-string", "commonLabels.step=second"]
    } else {
        &[
            "--set-string",
            "commonLabels.step=second",
            "--set",
            "config.telemetry.budget_dollars_per_month=7",
        ]
    };
    release.upgrade(changed);
    let second = release.is_there().await;
    let upgraded = release.live(deployment(&second)).await.unwrap();
    assert_eq!(label(&upgraded), "second");
    assert_eq!(checksum(&installed) == checksum(&upgraded), own_config);

    release.helm(&["rollback", "setpoint", "1"], &[]);
    release.is_there().await;
    let back = release.live(deployment(&first)).await.unwrap();
    assert_eq!((label(&back), checksum(&back)), (Value::Null, checksum(&installed)));
    assert_eq!(back["spec"]["template"]["spec"], installed["spec"]["template"]["spec"]);

    // What setpoint itself makes outlives the release.
    let name = installed["metadata"]["name"].as_str().unwrap();
    let memory = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("{name}-memory"), "namespace": namespace},
    });
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace}, "spec": {},
    });
    for (kind, object) in [("configmaps", &memory), ("leases", &lease)] {
        request(release.client, "POST", &path(kind, namespace, ""), Some(object)).await.unwrap();
    }
    release.helm(&["uninstall", "setpoint"], &[]);
    for object in first.iter().chain(&second) {
        // The claim of ci/everything-values.yaml says that it is to be kept.
        let kept = object["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep";
        let stays = release.live(object).await.is_some();
        assert_eq!(stays, kept, "{} after the end of the release", release.place(object));
    }
    for object in [&memory, &lease] {
        assert!(release.live(object).await.is_some(), "{} is gone", release.place(object));
    }
}

/// What a schema cannot say is found by the Job, and what it can by helm itself: either way the pod that
/// runs is left as it is, and the next good values go in.
#[tokio::test]
#[ignore = "needs a real API server: tests/full/kubernetes"]
async fn a_failed_upgrade_leaves_what_runs() {
    let kubeconfig = real::kubeconfig().expect("SETPOINT_TEST_KUBECONFIG names a real server");
    let (client, _) = real::admin(&kubeconfig).await;
    let namespace = real::new_namespace();
    real::make_namespace(&client, &namespace).await;
    let _jobs = Jobs::attend(&kubeconfig, &namespace);
    let chart = chart();
    let verb = ["upgrade", "--install", "setpoint", &chart, "--namespace", &namespace];
    let upgrade = |set: &str| try_helm(&kubeconfig, &[&verb[..], &["--set-json", set]].concat());
    let get = async |kind, name| {
        request(&client, "GET", &path(kind, &namespace, name), None).await.unwrap()
    };
    let runs = async || {
        let (deployment, config) =
            (get("deployments", "setpoint").await, get("configmaps", "setpoint-config").await);
        (
            deployment["metadata"]["generation"].clone(),
            deployment["spec"].clone(),
            config["data"].clone(),
        )
    };
    let target = |more: &str| {
        format!(
            r#"config={{"aws":{{"region":"us-east-1"}},"targets":[{{"endpoint":"a","variant":"b"}}]{more}}}"#
        )
    };
    upgrade(&target("")).unwrap();
    let before = runs().await;

    let in_vain = [
        // A schedule of words, a time zone that does not exist, a target twice: setpoint says so.
        r#","reconcile":{"schedule":"0 0 0 32 * *"}"#,
        r#","freeze_windows":[{"schedule":"0 0 18 * * 5","duration_minutes":60,"timezone":"Mars/Olympus"}]"#,
        r#","defaults":{"capacity":{"min":0}},"accounts":[{"account_id":"111111111111","regions":["us-east-1"]}]"#,
        // The schema, and a sentence of the chart's.
        r#","log":{"level":5}"#,
        r#","http":{"listen":"127.0.0.1:9090"}"#,
    ];
    for bad in in_vain {
        let said = upgrade(&target(bad)).expect_err(bad);
        assert!(!said.is_empty(), "{bad}");
        assert_eq!(runs().await, before, "{bad}: {said}");
    }

    upgrade(&target(r#","telemetry":{"budget_dollars_per_month":7}"#)).unwrap();
    let after = runs().await;
    assert!(after != before && after.0 != before.0, "good values go in after bad ones");
    helm(&kubeconfig, &["uninstall", "setpoint", "--namespace", &namespace]);
}
