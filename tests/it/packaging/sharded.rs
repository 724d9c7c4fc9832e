//! The chart with shards: a pod, a Lease, a memory and a volume for each, and nothing for all of them that
//! would show or allow only one.

use std::collections::BTreeSet;

use setpoint::k8s::{PARTS_MAX, part_name};
use yaml_rust2::Yaml;

use super::chart::{chart, helm, objects, template};
use super::succeed;

fn texts(list: &Yaml) -> Vec<&str> {
    list.as_vec().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn each_shard_is_a_pod_with_a_lease_a_memory_and_a_volume_of_its_own() {
    let Some(helm) = helm("sharded::each_shard_is_a_pod") else { return };
    let values = chart().join("ci/shards-values.yaml");
    let rendered = succeed(&mut template(&helm, &values, &[]));
    assert!(objects(&rendered, "Deployment").is_empty());
    assert!(objects(&rendered, "PersistentVolumeClaim").is_empty(), "one for all of them");
    let set = &objects(&rendered, "StatefulSet")[0]["spec"];
    assert_eq!(set["replicas"].as_i64(), Some(3));
    assert_eq!(set["volumeClaimTemplates"][0]["metadata"]["name"].as_str(), Some("data"));
    let pod = &set["template"]["spec"];
    let mounts = pod["containers"][0]["volumeMounts"].as_vec().unwrap();
    assert!(mounts.iter().any(|mount| mount["name"].as_str() == Some("data")));
    let env = pod["containers"][0]["env"].as_vec().unwrap();
    assert!(env.iter().any(|variable| variable["name"].as_str() == Some("POD_NAME")));

    let role = &objects(&rendered, "Role")[0];
    let mut named = BTreeSet::new();
    for rule in role["rules"].as_vec().unwrap() {
        if !rule["resourceNames"].is_badvalue() {
            named.extend(texts(&rule["resourceNames"]));
        }
    }
    // Each of the memories has parts: see below.
    named.retain(|name| !name.contains("-part-"));
    let expected = [
        "setpoint",
        "setpoint-memory",
        "setpoint-memory-shard-1",
        "setpoint-memory-shard-2",
        "setpoint-shard-1",
        "setpoint-shard-2",
    ];
    assert_eq!(named, expected.into());
}

/// The names that the chart allows are those that the program uses.
#[test]
fn the_names_are_those_that_the_program_makes() {
    let Some(helm) = helm("sharded::the_names_are_those_that_the_program_makes") else { return };
    let values = chart().join("ci/shards-values.yaml");
    let rendered = succeed(&mut template(&helm, &values, &[]));
    let maps = objects(&rendered, "ConfigMap");
    let text = maps.iter().find_map(|map| map["data"]["setpoint.yaml"].as_str()).unwrap();
    let role = succeed(&mut template(&helm, &values, &["--show-only", "templates/rbac.yaml"]));
    for shard in 0..3 {
        let own = text.replace("sharding:\n", &format!("sharding:\n  shard: {shard}\n"));
        let config = setpoint::config::Config::from_yaml(&own).unwrap();
        let kubernetes = &config.kubernetes;
        let lease = kubernetes.lease_name.as_ref().unwrap();
        let listed = role.contains(&format!("{lease}, ")) || role.contains(&format!("{lease}]"));
        assert!(listed, "{lease}: {role}");
        let memory = kubernetes.memory_configmap.as_ref().unwrap();
        let listed = |part: usize| role.contains(&format!("- {}\n", part_name(memory, part)));
        assert!((0..PARTS_MAX).all(listed) && !listed(PARTS_MAX), "{memory}: {role}");
    }
}

#[test]
fn services_monitors_and_policies_find_every_shard_once() {
    let Some(helm) = helm("sharded::services_monitors_and_policies") else { return };
    let values = chart().join("ci/shards-values.yaml");
    let rendered = succeed(&mut template(&helm, &values, &[]));
    let set = &objects(&rendered, "StatefulSet")[0]["spec"];
    let labels = &set["template"]["metadata"]["labels"];
    let services = objects(&rendered, "Service");
    assert_eq!(services.len(), 2);
    let headless: Vec<&Yaml> =
        services.iter().filter(|s| s["spec"]["clusterIP"].as_str() == Some("None")).collect();
    assert_eq!(set["serviceName"], headless[0]["metadata"]["name"]);
    let matches = |selector: &Yaml, labels: &Yaml| {
        selector
            .as_hash()
            .unwrap()
            .iter()
            .all(|(key, value)| labels[key.as_str().unwrap()] == *value)
    };
    for service in &services {
        assert!(matches(&service["spec"]["selector"], labels));
    }
    let monitor = &objects(&rendered, "ServiceMonitor")[0]["spec"]["selector"]["matchLabels"];
    let scraped = services.iter().filter(|s| matches(monitor, &s["metadata"]["labels"]));
    assert_eq!(scraped.count(), 1, "each pod is scraped once");
    let budget = &objects(&rendered, "PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"];
    assert!(matches(budget, labels));
    let policy = &objects(&rendered, "NetworkPolicy")[0]["spec"]["podSelector"]["matchLabels"];
    assert!(matches(policy, labels));
}

#[test]
fn what_would_not_work_with_shards_is_refused() {
    let Some(helm) = helm("sharded::what_would_not_work_with_shards_is_refused") else { return };
    let values = chart().join("ci/shards-values.yaml");
    for (set, says) in [
        ("sharding.shards=5", "more than the 4 accounts and regions"),
        ("replicaCount=2", "each shard is one pod"),
        ("leaderElection.enabled=false", "needs leaderElection.enabled=true"),
        ("deploymentStrategy.type=Recreate", "leave it empty"),
        ("persistence.existingClaim=mine", "a claim of its own"),
        ("ingress.enabled=true,ingress.hosts[0].host=a", "one shard or another at random"),
    ] {
        let output = template(&helm, &values, &["--set", set]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(says), "{set}: {error}");
    }
}
