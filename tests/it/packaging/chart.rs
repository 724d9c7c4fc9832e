//! The chart, rendered by the real helm: every usual shape, and values that cannot work.

use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::{expect, expect_file};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::{Scratch, python_tool, root, stdout, succeed, tool};

/// `$SETPOINT_HELM`, or the one that `tests/setup` installs.
pub(super) fn helm(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("SETPOINT_HELM").map(PathBuf::from);
    tool(test, &[named.unwrap_or_else(|| root(".ci/cache/bin/helm"))])
}

pub(super) fn chart() -> PathBuf {
    root("helm/setpoint")
}

/// The values files of the usual shapes, in name order.
pub(super) fn shapes() -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(chart().join("ci")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 9, "{files:?}");
    files
}

pub(super) fn template(helm: &Path, values: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(helm);
    command.args(["template", "setpoint"]).arg(chart()).args(["--namespace", "ml", "--values"]);
    command.arg(values).args(more);
    command
}

/// The rendered objects of a kind.
pub(super) fn objects(rendered: &str, kind: &str) -> Vec<Yaml> {
    let all = YamlLoader::load_from_str(rendered).unwrap();
    all.into_iter().filter(|object| object["kind"].as_str() == Some(kind)).collect()
}

pub(super) fn shape_name(path: &Path) -> String {
    let name = path.file_stem().unwrap().to_str().unwrap();
    name.trim_end_matches("-values").to_owned()
}

#[test]
fn helm_finds_no_fault() {
    let Some(helm) = helm("chart::helm_finds_no_fault") else { return };
    for values in shapes() {
        let mut lint = Command::new(&helm);
        succeed(lint.args(["lint", "--strict"]).arg(chart()).arg("--values").arg(values));
    }
    let scratch = Scratch::new("package");
    let mut package = Command::new(&helm);
    succeed(package.arg("package").arg(chart()).arg("--destination").arg(&scratch.0));
    let version = env!("CARGO_PKG_VERSION");
    let packed = scratch.0.join(format!("setpoint-{version}.tgz"));
    assert!(packed.exists(), "the chart has the version of setpoint");
    let shown = succeed(Command::new(&helm).args(["show", "chart"]).arg(&packed));
    assert!(shown.contains(&format!("appVersion: {version}\n")), "{shown}");
    assert!(shown.contains(&format!("image: ghcr.io/setpoint/setpoint:{version}\n")), "{shown}");
}

#[test]
fn kubernetes_takes_what_is_rendered() {
    let test = "chart::kubernetes_takes_what_is_rendered";
    let Some(helm) = helm(test) else { return };
    let Some(validate) = python_tool(test, "kubernetes-validate") else { return };
    let scratch = Scratch::new("validate");
    for values in shapes() {
        let rendered = succeed(&mut template(&helm, &values, &[]));
        // Custom resources have no schema there.
        let known: Vec<_> = rendered
            .split("\n---\n")
            .filter(|object| !object.contains("apiVersion: monitoring.coreos.com/"))
            .filter(|object| !object.contains("apiVersion: gateway.networking.k8s.io/"))
            .collect();
        let file = scratch.write("rendered.yaml", &known.join("\n---\n"));
        let output =
            Command::new(&validate).args(["-k", "1.30", "--strict"]).arg(file).output().unwrap();
        let said = stdout(&output) + &String::from_utf8_lossy(&output.stderr);
        let faults: Vec<_> = said.lines().filter(|line| !line.starts_with("INFO")).collect();
        assert!(output.status.success() && faults.is_empty(), "{}: {said}", values.display());
    }
}

/// The template of what runs the pods.
fn workload(values: &Path) -> &'static str {
    match shape_name(values).as_str() {
        "shards" => "templates/statefulset.yaml",
        _ => "templates/deployment.yaml",
    }
}

#[test]
fn setpoint_takes_its_configuration() {
    let Some(helm) = helm("chart::setpoint_takes_its_configuration") else { return };
    let scratch = Scratch::new("rendered-config");
    let mut checked = 0;
    for values in shapes() {
        let rendered = succeed(&mut template(&helm, &values, &["--show-only", workload(&values)]));
        assert!(rendered.contains("--config=/etc/setpoint/config"));
        let all = succeed(&mut template(&helm, &values, &[]));
        let maps = objects(&all, "ConfigMap");
        let Some(text) = maps.iter().find_map(|map| map["data"]["setpoint.yaml"].as_str()) else {
            assert_eq!(shape_name(&values), "locked-down", "which brings its own");
            continue;
        };
        let file = scratch.write("setpoint.yaml", text);
        let mut check = Command::new(env!("CARGO_BIN_EXE_setpoint"));
        check.env_clear().args(["config", "check", "--config"]).arg(file);
        let output = check.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {said}\n{text}", values.display());
        checked += 1;
    }
    assert_eq!(checked, 8);
}

#[test]
fn the_default_is_locked_down() {
    let Some(helm) = helm("chart::the_default_is_locked_down") else { return };
    let values = chart().join("ci/minimal-values.yaml");
    let rendered = succeed(&mut template(&helm, &values, &[]));
    expect_file!["../golden/chart_minimal.yaml"]
        .assert_eq(&without_empty_ends(&without_token(&rendered)));
    assert!(objects(&rendered, "ClusterRole").is_empty());
    let role = &objects(&rendered, "Role")[0];
    let rules = role["rules"].as_vec().unwrap();
    assert_eq!(rules.len(), 1, "only Events: {rules:?}");
    assert_eq!(rules[0]["resources"][0].as_str(), Some("events"));
}

/// Helm 4 ends each object with an empty line, helm 3 does not.
fn without_empty_ends(rendered: &str) -> String {
    let objects: Vec<_> = rendered.split("\n---\n").map(str::trim_end).collect();
    objects.join("\n---\n") + "\n"
}

/// The rendered objects with a word in the place of the random token.
fn without_token(rendered: &str) -> String {
    let secret = &objects(rendered, "Secret")[0];
    let token = secret["data"]["token"].as_str().unwrap();
    // 48 characters, in base64.
    assert_eq!(token.len(), 64, "{token}");
    rendered.replace(token, "TOKEN")
}

#[test]
fn a_token_is_made_unless_there_is_one() {
    let Some(helm) = helm("chart::a_token_is_made_unless_there_is_one") else { return };
    let values = chart().join("ci/minimal-values.yaml");
    let render = |more: &[&str]| succeed(&mut template(&helm, &values, more));
    let made = render(&[]);
    assert_eq!(objects(&made, "Secret").len(), 1);
    assert!(made.contains("token_file: /etc/setpoint/token/token"));
    assert!(made.contains("secretName: setpoint-token"));
    let own = render(&["--set", "httpToken.existingSecret=mine,httpToken.key=bearer"]);
    assert!(objects(&own, "Secret").is_empty());
    assert!(own.contains("token_file: /etc/setpoint/token/bearer"));
    assert!(own.contains("secretName: mine"));
    let none = render(&["--set", "httpToken.create=false"]);
    assert!(objects(&none, "Secret").is_empty());
    assert!(!none.contains("/etc/setpoint/token"), "{none}");
}

#[test]
fn a_route_leads_to_the_path_that_the_pages_are_served_under() {
    let test = "chart::a_route_leads_to_the_path_that_the_pages_are_served_under";
    let Some(helm) = helm(test) else { return };
    let route = [
        "--set=ingress.enabled=true,ingress.hosts[0].host=a.example.com",
        "--set=httpRoute.enabled=true,httpRoute.parentRefs[0].name=g",
    ];
    for (own, path) in [("", "/"), ("/", "/"), ("/ops/setpoint", "/ops/setpoint"), ("/a/", "/a")] {
        let set = format!("--set=config.http.base_path={own}");
        let more = [route[0], route[1], &set];
        let minimal = chart().join("ci/minimal-values.yaml");
        let rendered = succeed(&mut template(&helm, &minimal, &more));
        let ingress = objects(&rendered, "Ingress").remove(0);
        let rule = &ingress["spec"]["rules"][0]["http"]["paths"][0];
        assert_eq!(rule["path"].as_str(), Some(path), "{own}");
        let http_route = objects(&rendered, "HTTPRoute").remove(0);
        let matched = &http_route["spec"]["rules"][0]["matches"][0]["path"];
        assert_eq!(matched["value"].as_str(), Some(path), "{own}");
    }
}

#[test]
fn what_a_value_accepts_has_an_effect() {
    let Some(helm) = helm("chart::what_a_value_accepts_has_an_effect") else { return };
    let everything = chart().join("ci/everything-values.yaml");
    let rendered = succeed(&mut template(&helm, &everything, &[]));
    let deployment = objects(&rendered, "Deployment").remove(0);
    let pod = &deployment["spec"]["template"]["spec"];
    let annotations = &deployment["metadata"]["annotations"];
    assert_eq!(annotations["reloader.stakater.com/auto"].as_str(), Some("true"));
    for key in ["hostNetwork", "dnsPolicy", "dnsConfig", "hostAliases", "initContainers"] {
        assert!(!pod[key].is_badvalue(), "{key}");
    }
    assert!(!pod["containers"][0]["lifecycle"].is_badvalue());
    let secrets: Vec<_> = pod["imagePullSecrets"].as_vec().unwrap().iter().collect();
    let names: Vec<_> = secrets.iter().map(|secret| secret["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["shared-registry", "registry"]);
    for kind in ["Ingress", "HTTPRoute", "PersistentVolumeClaim", "ServiceMonitor"] {
        assert_eq!(objects(&rendered, kind).len(), 1, "{kind}");
    }
    let minimal = chart().join("ci/minimal-values.yaml");
    let with = |set: &str| succeed(&mut template(&helm, &minimal, &["--set", set]));
    let image = with("global.imageRegistry=mirror.example.com");
    assert!(image.contains("image: \"mirror.example.com/setpoint/setpoint:"), "{image}");
    let monitor = with("podMonitor.enabled=true");
    let monitor = objects(&monitor, "PodMonitor").remove(0);
    let relabelings = &monitor["spec"]["podMetricsEndpoints"][0]["relabelings"];
    assert_eq!(relabelings[0]["replacement"].as_str(), Some("setpoint"));
    let two = with("replicaCount=2,leaderElection.enabled=true");
    let spread =
        &objects(&two, "Deployment")[0]["spec"]["template"]["spec"]["topologySpreadConstraints"];
    assert_eq!(spread.as_vec().unwrap().len(), 2);
    let dashboards = with(
        "grafanaDashboards.enabled=true,grafanaDashboards.statusPageUrl=https://page.example.com/",
    );
    assert!(
        dashboards.contains("\"https://page.example.com\"")
            && !dashboards.contains("127.0.0.1:9090")
    );
    let memory = with("config.memory.file=/var/lib/setpoint/memory.json");
    assert!(memory.contains("mountPath: /var/lib/setpoint\n"));
}

/// kustomize refuses an object in which a key is there twice, which helm itself does not see.
#[test]
fn kustomize_takes_what_is_rendered() {
    let test = "chart::kustomize_takes_what_is_rendered";
    let Some(helm) = helm(test) else { return };
    let Some(kubectl) = tool(test, &[root(".ci/cache/bin/kubectl")]) else { return };
    // The user's labels may have the names of the chart's own.
    let clash = "commonLabels.app\\.kubernetes\\.io/name=other,podLabels.app\\.kubernetes\\.io/instance=x,\
                 service.labels.helm\\.sh/chart=y,podLabels.team=z,commonLabels.team=a";
    let clash: &[&str] = &["--set-string", clash];
    let cases = shapes().into_iter().map(|values| (values, &[][..]));
    for (values, more) in cases.chain([(chart().join("ci/minimal-values.yaml"), clash)]) {
        let scratch = Scratch::new("kustomize");
        scratch.write("all.yaml", &succeed(&mut template(&helm, &values, more)));
        scratch.write("kustomization.yaml", "resources: [all.yaml]\nnamePrefix: x-\n");
        let built = succeed(Command::new(&kubectl).arg("kustomize").arg(&scratch.0));
        let kinds = ["Deployment", "StatefulSet"].map(|kind| objects(&built, kind));
        let runs = &kinds.iter().flatten().next().unwrap()["spec"];
        let selector = &runs["selector"]["matchLabels"];
        let labels = &runs["template"]["metadata"]["labels"];
        for (key, value) in selector.as_hash().unwrap() {
            assert_eq!(&labels[key.as_str().unwrap()], value, "{}", values.display());
        }
        if !more.is_empty() {
            assert_eq!(labels["team"].as_str(), Some("z"), "the pod's own label wins");
        }
    }
}

#[test]
fn rbac_has_the_verbs_used_and_no_more() {
    let Some(helm) = helm("chart::rbac_has_the_verbs_used_and_no_more") else { return };
    let values = chart().join("ci/ha-values.yaml");
    let rendered = succeed(&mut template(&helm, &values, &["--show-only", "templates/rbac.yaml"]));
    expect_file!["../golden/chart_rbac.yaml"].assert_eq(&without_empty_ends(&rendered));
}

/// Events are written wherever they may be, and the API is not asked where they may not.
#[test]
fn events_are_written_with_the_right_and_only_then() {
    let Some(helm) = helm("chart::events_are_written_with_the_right_and_only_then") else { return };
    let minimal = chart().join("ci/minimal-values.yaml");
    let with = |set: &str| {
        let rendered = succeed(&mut template(&helm, &minimal, &["--set", set]));
        let pod = &objects(&rendered, "Deployment")[0]["spec"]["template"]["spec"];
        (
            rendered.contains("  events: true\n"),
            !objects(&rendered, "Role").is_empty(),
            pod["automountServiceAccountToken"].as_bool().unwrap(),
        )
    };
    assert_eq!(with("replicaCount=1"), (true, true, true), "by default");
    assert_eq!(with("events.enabled=false"), (false, false, false));
    assert_eq!(with("serviceAccount.automountServiceAccountToken=false"), (false, false, false));
    assert_eq!(with("rbac.create=false"), (false, false, false), "nobody gives the right");
    assert_eq!(
        with("rbac.create=false,events.enabled=true"),
        (true, false, true),
        "somebody else does"
    );
    assert_eq!(with("leaderElection.enabled=true,events.enabled=false"), (false, true, true));
    let reaches = |set: &str| {
        let policy = format!("networkPolicy.enabled=true,{set}");
        let rendered = succeed(&mut template(&helm, &minimal, &["--set", &policy]));
        rendered.contains("port: 6443")
    };
    assert!(reaches("events.enabled=true") && !reaches("events.enabled=false"));
}

#[test]
fn a_change_of_configuration_restarts_the_pod() {
    let Some(helm) = helm("chart::a_change_of_configuration_restarts_the_pod") else { return };
    let values = chart().join("ci/minimal-values.yaml");
    let checksum = |more: &[&str]| {
        let rendered = succeed(&mut template(&helm, &values, more));
        let deployment = objects(&rendered, "Deployment").remove(0);
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        annotations["checksum/config"].as_str().unwrap().to_owned()
    };
    assert_eq!(checksum(&[]), checksum(&["--set", "replicaCount=0"]));
    assert_ne!(checksum(&[]), checksum(&["--set", "config.aws.region=eu-west-1"]));
}

#[test]
fn every_alert_can_be_switched_off_and_set() {
    let Some(helm) = helm("chart::every_alert_can_be_switched_off_and_set") else { return };
    let values = chart().join("ci/prometheus-operator-values.yaml");
    let only = ["--show-only", "templates/prometheusrule.yaml"];
    let rendered = succeed(&mut template(&helm, &values, &only));
    let rule = objects(&rendered, "PrometheusRule").remove(0);
    let alerts: Vec<&Yaml> = rule["spec"]["groups"]
        .as_vec()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_vec().unwrap())
        .collect();
    let find = |name: &str| alerts.iter().find(|alert| alert["alert"].as_str() == Some(name));
    assert!(find("SetpointTargetUnder").is_none());
    let stale = find("SetpointPassesStale").unwrap();
    assert!(stale["expr"].as_str().unwrap().contains("> 3600"));
    assert_eq!(stale["for"].as_str(), Some("30m"));
    assert_eq!(stale["labels"]["team"].as_str(), Some("ml-platform"));
    assert_eq!(stale["keep_firing_for"].as_str(), Some("1h"));
    assert_eq!(find("SetpointAbsent").unwrap()["keep_firing_for"].as_str(), Some("5m"));
    for alert in &alerts {
        // Prometheus fills in what is between the braces, not Helm.
        let dashboard = alert["annotations"]["dashboard_url"].as_str().unwrap();
        assert!(dashboard.ends_with("?var-endpoint={{ $labels.endpoint }}"), "{dashboard}");
        assert!(alert["annotations"]["runbook_url"].as_str().is_some());
    }
    assert!(find("SetpointAbsent").unwrap()["expr"].as_str().unwrap().contains("job=\"setpoint\""));
}

/// With its defaults the chart renders exactly the rules of the plain file.
#[test]
fn the_plain_rules_are_the_charts() {
    let Some(helm) = helm("chart::the_plain_rules_are_the_charts") else { return };
    let values = chart().join("ci/minimal-values.yaml");
    let rendered =
        succeed(&mut template(&helm, &values, &["--set", "prometheusRule.enabled=true"]));
    let rule = objects(&rendered, "PrometheusRule").remove(0);
    let plain = std::fs::read_to_string(chart().join("rules/setpoint-alerts.yaml")).unwrap();
    let plain = YamlLoader::load_from_str(&plain).unwrap().remove(0);
    let sorted = |rules: &Yaml| {
        let json: Value = super::documents::json(rules);
        serde_json::to_string_pretty(&json).unwrap()
    };
    assert_eq!(sorted(&rule["spec"]["groups"]), sorted(&plain["groups"]));
}

#[test]
fn values_that_cannot_work_fail_with_a_sentence() {
    let Some(helm) = helm("chart::values_that_cannot_work_fail_with_a_sentence") else { return };
    let digest = format!("image.tag=v1,image.digest=sha256:{}", "0".repeat(64));
    let target = "config.targets[0].endpoint=a,config.targets[0].variant=b";
    let typo = format!(
        "{target},config.targets[1].endpoint=c,config.targets[1].variant=d,\
         config.targets[1].objectve.error_rate_max=0.1"
    );
    let writes = format!("{target},config.targets[0].mode=repair");
    let bounds =
        format!("{target},config.targets[0].capacity.min=5,config.targets[0].capacity.max=2");
    let cases = [
        "replicaCount=2",
        digest.as_str(),
        "existingConfigMap=mine,config.aws.region=us-east-1",
        "leaderElection.enabled=true,leaderElection.renewDeadlineSeconds=15",
        "leaderElection.enabled=true,leaderElection.renewDeadlineSeconds=12",
        "leaderElection.enabled=true,leaderElection.retryPeriodSeconds=10",
        "leaderElection.enabled=true,serviceAccount.automountServiceAccountToken=false",
        "leaderElection.enabled=true,config.memory.file=/data/memory.json",
        "events.enabled=true,serviceAccount.automountServiceAccountToken=false",
        "deploymentStrategy.type=RollingUpdate",
        "config.http.listen=127.0.0.1:9090",
        "config.http.listen=0.0.0.0:0",
        "terminationGracePeriodSeconds=20",
        "podDisruptionBudget.minAvailable=1,podDisruptionBudget.maxUnavailable=1",
        "serviceMonitor.enabled=true,service.enabled=false",
        writes.as_str(),
        typo.as_str(),
        "config.memory.file=/tmp/memory.json",
        "replicaCount=2,leaderElection.enabled=true,persistence.enabled=true",
        "extraVolumeMounts[0].name=a",
        "serviceMonitor.enabled=true,podMonitor.enabled=true",
        "ingress.enabled=true",
        "httpRoute.enabled=true",
        "ingress.enabled=true,ingress.hosts[0].host=a.example.com,service.enabled=false",
        bounds.as_str(),
        "config.reconcile.schedule=*/5 * * * *",
        "config.sharding.total_shards=2",
        "sharding.enabled=true",
        "sharding.enabled=true,leaderElection.enabled=true",
        "image=null",
        "image.repository=null",
        "config=null",
        "prometheusRule.alerts=null",
        "persistence.accessModes[0]=ReadOnlyMany",
        "config.defaults.mode=observ",
        "config.telemetry.history_days=20",
        "replicas=2",
        "logFormat=xml",
        "prometheusRule.alerts.SetpointTypo.enabled=false",
        "prometheusRule.alerts.SetpointAbsent.threshold=1",
    ];
    let mut said = String::new();
    for set in cases {
        let output =
            template(&helm, &chart().join("ci/minimal-values.yaml"), &["--set", set]).output();
        let output = output.unwrap();
        assert!(!output.status.success(), "{set} was taken");
        let error = String::from_utf8(output.stderr).unwrap();
        let sentence = match the_sentence(&error) {
            own if own.is_empty() => in_older_words(set, &error),
            own => own,
        };
        assert!(sentence.len() > 20, "{set}: {error}");
        said.extend(["--set ", set, "\n", &sentence, "\n"]);
    }
    expect_file!["../golden/chart_bad_values.txt"].assert_eq(&said);
}

/// Up to 3.17 helm words what a schema refuses differently: the recorded sentence, when it is about the same place.
fn in_older_words(set: &str, error: &str) -> String {
    assert!(error.contains("values don't meet the specifications of the schema"), "{set}: {error}");
    let recorded = std::fs::read_to_string(root("tests/it/golden/chart_bad_values.txt")).unwrap();
    let (_, after) = recorded.split_once(&format!("--set {set}\n")).unwrap();
    let block = after.split("\n\n").next().unwrap().trim_end();
    for line in block.lines() {
        let place = line.split('\'').nth(1).unwrap().trim_start_matches('/').replace('/', ".");
        let place = if place.is_empty() { "(root)" } else { &place };
        assert!(error.contains(&format!("- {place}: ")), "{set}: {place} is not in {error}");
    }
    format!("{block}\n")
}

/// What of helm's error is the chart's: helm puts the place in the template, or a heading, before it.
fn the_sentence(error: &str) -> String {
    let own = |line: &str| {
        if line.starts_with("Error: execution error at ") {
            return line.split_once("): ").map(|(_, sentence)| format!("    {sentence}\n"));
        }
        line.starts_with("- at ").then(|| format!("    {line}\n"))
    };
    error.lines().filter_map(own).collect()
}

#[test]
fn the_notes_say_what_it_writes() {
    let Some(helm) = helm("chart::the_notes_say_what_it_writes") else { return };
    let version = succeed(Command::new(&helm).args(["version", "--short"]));
    if version.starts_with("v3.") {
        println!(
            "skipped: packaging::chart::the_notes_say_what_it_writes: helm 3 renders notes only with a cluster"
        );
        return;
    }
    let notes = |shape: &str| {
        let mut install = Command::new(&helm);
        install.args(["install", "setpoint"]).arg(chart()).args(["--namespace", "ml", "--values"]);
        install.arg(chart().join(format!("ci/{shape}-values.yaml")));
        // Renders as an install would, without a cluster.
        let said = succeed(install.args(["--dry-run=client"]));
        said.split_once("NOTES:\n").unwrap().1.to_owned()
    };
    expect_file!["../golden/chart_notes_minimal.txt"].assert_eq(&notes("minimal"));
    expect_file!["../golden/chart_notes_irsa.txt"].assert_eq(&notes("irsa"));
    expect![[r#"
        "What it writes: nothing. The flag --mode=observe is a ceiling for every target."
    "#]]
    .assert_debug_eq(
        &notes("locked-down").lines().find(|line| line.starts_with("What it")).map_or("", |l| l),
    );
}
