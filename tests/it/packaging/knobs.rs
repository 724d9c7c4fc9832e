//! Every value of the chart has an effect: each is set once, and something else is rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{root, succeed, tool};

/// What has to be set for a value, or for those of a section, to matter.
const NEEDS: [(&str, &str); 28] = [
    ("deploymentStrategy", "leaderElection.enabled=true"),
    ("httpRoute.enabled", r#"httpRoute.parentRefs=[{"name":"g"}]"#),
    ("httpRoute.", r#"httpRoute={"enabled":true,"parentRefs":[{"name":"g"}]}"#),
    ("ingress.enabled", r#"ingress.hosts=[{"host":"a.example.com"}]"#),
    ("ingress.", r#"ingress={"enabled":true,"hosts":[{"host":"a.example.com"}]}"#),
    ("leaderElection.enabled", "replicaCount=1"),
    ("leaderElection.", "leaderElection.enabled=true"),
    ("networkPolicy.enabled", "replicaCount=1"),
    ("networkPolicy.", "networkPolicy.enabled=true"),
    ("persistence.enabled", "replicaCount=1"),
    ("persistence.mountPath", "replicaCount=1"),
    ("persistence.size", "replicaCount=1"),
    ("persistence.", "persistence.enabled=true"),
    ("podDisruptionBudget.enabled", "replicaCount=1"),
    ("podDisruptionBudget.", "podDisruptionBudget.enabled=true"),
    ("podMonitor.enabled", "replicaCount=1"),
    ("podMonitor.", "podMonitor.enabled=true"),
    ("prometheusRule.enabled", "replicaCount=1"),
    ("prometheusRule.", "prometheusRule.enabled=true"),
    ("replicaCount", "leaderElection.enabled=true"),
    ("serviceMonitor.enabled", "replicaCount=1"),
    ("serviceMonitor.", "serviceMonitor.enabled=true"),
    ("grafanaDashboards.enabled", "replicaCount=1"),
    ("grafanaDashboards.", "grafanaDashboards.enabled=true"),
    ("serviceAccount.name", "serviceAccount.create=false"),
    (
        "sharding.enabled",
        r#"leaderElection.enabled=true,config.accounts=[{"account_id":"111111111111","regions":["us-east-1","us-east-2"]}]"#,
    ),
    (
        "sharding.",
        r#"leaderElection.enabled=true,sharding.enabled=true,config.accounts=[{"account_id":"111111111111","regions":["us-east-1","us-east-2","us-west-2"]}]"#,
    ),
    ("tests.plan", "replicaCount=1"),
];

/// A value for each, as JSON.
const SET: &str = r#"
global.imageRegistry "mirror.example.com"
global.imagePullSecrets ["shared"]
replicaCount 2
image.registry "other.example.com"
image.repository "a/b"
image.tag "v9"
image.digest "sha256:0000000000000000000000000000000000000000000000000000000000000000"
image.pullPolicy "Always"
imagePullSecrets [{"name":"registry"}]
nameOverride "other"
fullnameOverride "other"
namespaceOverride "other"
commonLabels {"team":"a"}
commonAnnotations {"team":"a"}
serviceAccount.create false
serviceAccount.name "mine"
serviceAccount.annotations {"a":"b"}
serviceAccount.labels {"a":"b"}
serviceAccount.automountServiceAccountToken false
rbac.create false
events.enabled false
leaderElection.enabled true
leaderElection.leaseName "other"
leaderElection.leaseDurationSeconds 30
leaderElection.renewDeadlineSeconds 9
leaderElection.retryPeriodSeconds 3
leaderElection.memory "none"
leaderElection.memoryConfigMap "other"
leaderElection.roleLabel false
logLevel "debug"
logFormat "text"
config {"aws":{"region":"eu-west-1"}}
existingConfigMap "mine"
httpToken.create false
httpToken.existingSecret "mine"
httpToken.key "bearer"
configCheck.enabled false
configCheck.extraArgs ["--strict"]
configCheck.timeoutSeconds 60
persistence.enabled true
persistence.mountPath "/data"
persistence.size "2Gi"
persistence.storageClass "fast"
persistence.accessModes ["ReadWriteMany"]
persistence.existingClaim "mine"
persistence.annotations {"helm.sh/resource-policy":"keep"}
deploymentAnnotations {"a":"b"}
podAnnotations {"a":"b"}
podLabels {"a":"b"}
podSecurityContext {"runAsUser":1000}
securityContext {"privileged":false}
resources {"requests":{"cpu":"1"}}
livenessProbe null
readinessProbe null
startupProbe null
terminationGracePeriodSeconds 60
lifecycle {"preStop":{"sleep":{"seconds":1}}}
hostNetwork true
dnsPolicy "Default"
dnsConfig {"nameservers":["10.0.0.1"]}
hostAliases [{"ip":"10.0.0.1","hostnames":["a"]}]
nodeSelector {"a":"b"}
tolerations [{"operator":"Exists"}]
affinity {"nodeAffinity":{}}
topologySpreadConstraints [{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"}]
priorityClassName "high"
revisionHistoryLimit 1
deploymentStrategy {"type":"Recreate"}
extraEnv [{"name":"A","value":"b"}]
extraEnvFrom [{"secretRef":{"name":"a"}}]
extraArgs ["--mode=observe"]
extraVolumes [{"name":"a","emptyDir":{}}]
extraVolumeMounts [{"name":"a","mountPath":"/a"}]
initContainers [{"name":"a","image":"b"}]
extraContainers [{"name":"a","image":"b"}]
extraObjects [{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}]
podDisruptionBudget.enabled true
podDisruptionBudget.minAvailable 1
podDisruptionBudget.maxUnavailable 2
service.enabled false
service.type "NodePort"
service.port 80
service.annotations {"a":"b"}
service.labels {"a":"b"}
serviceMonitor.enabled true
serviceMonitor.namespace "monitoring"
serviceMonitor.additionalLabels {"release":"a"}
serviceMonitor.annotations {"a":"b"}
serviceMonitor.interval "1m"
serviceMonitor.scrapeTimeout "5s"
serviceMonitor.honorLabels true
serviceMonitor.scheme "https"
serviceMonitor.tlsConfig {"insecureSkipVerify":true}
serviceMonitor.relabelings [{"action":"drop","regex":"a"}]
serviceMonitor.metricRelabelings [{"action":"drop","regex":"a"}]
serviceMonitor.targetLabels ["team"]
podMonitor.enabled true
podMonitor.namespace "monitoring"
podMonitor.additionalLabels {"release":"a"}
podMonitor.annotations {"a":"b"}
podMonitor.interval "1m"
podMonitor.scrapeTimeout "5s"
podMonitor.honorLabels true
podMonitor.scheme "https"
podMonitor.tlsConfig {"insecureSkipVerify":true}
podMonitor.relabelings [{"action":"drop","regex":"a"}]
podMonitor.metricRelabelings [{"action":"drop","regex":"a"}]
podMonitor.podTargetLabels ["team"]
ingress.enabled true
ingress.className "nginx"
ingress.annotations {"a":"b"}
ingress.labels {"a":"b"}
ingress.hosts [{"host":"b.example.com"}]
ingress.tls [{"hosts":["a.example.com"],"secretName":"a"}]
httpRoute.enabled true
httpRoute.parentRefs [{"name":"other"}]
httpRoute.hostnames ["a.example.com"]
httpRoute.path "/other"
httpRoute.filters [{"type":"RequestHeaderModifier"}]
httpRoute.annotations {"a":"b"}
httpRoute.labels {"a":"b"}
grafanaDashboards.enabled true
grafanaDashboards.namespace "monitoring"
grafanaDashboards.labels {"grafana_dashboard":"2"}
grafanaDashboards.annotations {"grafana_folder":"a"}
grafanaDashboards.statusPageUrl "https://setpoint.example.com"
networkPolicy.enabled true
networkPolicy.ingress.from [{"podSelector":{}}]
networkPolicy.ingress.extra [{"ports":[{"port":1}]}]
networkPolicy.egress.dnsTo [{"podSelector":{}}]
networkPolicy.egress.awsCidrs ["10.0.0.0/8"]
networkPolicy.egress.metadataCidrs []
networkPolicy.egress.apiServerCidrs ["10.0.0.1/32"]
networkPolicy.egress.apiServerPorts [8443]
networkPolicy.egress.extra [{"ports":[{"port":1}]}]
sharding.enabled true
sharding.shards 3
tests.plan true
prometheusRule.enabled true
prometheusRule.namespace "monitoring"
prometheusRule.additionalLabels {"release":"a"}
prometheusRule.annotations {"a":"b"}
prometheusRule.alertLabels {"team":"a"}
prometheusRule.alertAnnotations {"dashboard_url":"a"}
prometheusRule.keepFiringFor "5m"
prometheusRule.runbookBaseUrl "https://runbooks.example.com"
prometheusRule.job "other"
prometheusRule.extraGroups [{"name":"mine","rules":[{"record":"a","expr":"1"}]}]
prometheusRule.alerts {"SetpointAbsent":{"severity":"warning"}}
"#;

/// The values that the chart's README documents: all there are, for it is generated from them.
fn documented() -> BTreeSet<String> {
    let readme = std::fs::read_to_string(root("helm/setpoint/README.md")).unwrap();
    let (_, table) = readme.split_once("<!-- values: begin -->").unwrap();
    let (table, _) = table.split_once("Each of `prometheusRule.alerts`").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect()
}

/// What has to be set for a value to matter.
fn needs(path: &str) -> &'static str {
    let exact = NEEDS.iter().find(|(of, _)| *of == path);
    let section = NEEDS.iter().find(|(of, _)| of.ends_with('.') && path.starts_with(of));
    exact.or(section).map_or("replicaCount=1", |(_, set)| set)
}

fn render(helm: &Path, sets: &[&str]) -> String {
    let mut template = Command::new(helm);
    template.args(["template", "setpoint"]).arg(root("helm/setpoint")).args(["--namespace", "ml"]);
    for set in sets {
        template.args(["--set-json", set]);
    }
    let rendered = succeed(&mut template);
    // The token is another one each time.
    rendered.lines().filter(|line| !line.starts_with("  token: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_value_has_an_effect() {
    let test = "knobs::every_value_has_an_effect";
    let named = std::env::var_os("SETPOINT_HELM").map(PathBuf::from);
    let Some(helm) = tool(test, &[named.unwrap_or_else(|| root(".ci/cache/bin/helm"))]) else {
        return;
    };
    let set: BTreeMap<&str, &str> = SET
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    let tried: BTreeSet<String> = set.keys().map(|path| (*path).to_owned()).collect();
    assert_eq!(tried, documented(), "each value is set once");
    let mut without: BTreeMap<&str, String> = BTreeMap::new();
    let mut idle = Vec::new();
    for (path, value) in set {
        let needs = needs(path);
        let before = without.entry(needs).or_insert_with(|| render(&helm, &[needs]));
        if *before == render(&helm, &[needs, &format!("{path}={value}")]) {
            idle.push(path);
        }
    }
    assert!(idle.is_empty(), "values without an effect: {idle:?}");
}
