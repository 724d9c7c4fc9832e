//! What people read and copy: a runbook for each alert, IAM policies, the Dockerfile.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::{python_tool, root, succeed};

/// YAML as JSON, whose objects compare without order.
pub(crate) fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Hash(map) => {
            let mut entries: Vec<_> =
                map.iter().map(|(k, v)| (k.as_str().unwrap().to_owned(), json(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Yaml::Array(items) => items.iter().map(json).collect(),
        Yaml::String(text) => text.clone().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Boolean(value) => (*value).into(),
        Yaml::Real(text) => text.parse::<f64>().unwrap().into(),
        _ => Value::Null,
    }
}

fn yaml(path: &str) -> Yaml {
    YamlLoader::load_from_str(&std::fs::read_to_string(root(path)).unwrap()).unwrap().remove(0)
}

/// The names of all alerts, in their order.
pub(super) fn alerts() -> Vec<String> {
    let groups = yaml("helm/setpoint/files/alerts.yaml");
    let rules = groups.as_vec().unwrap().iter().flat_map(|group| group["rules"].as_vec().unwrap());
    let names: Vec<_> = rules.map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    assert!(names.len() > 20, "{names:?}");
    names
}

#[test]
fn every_alert_has_values_and_a_runbook() {
    let names: BTreeSet<String> = alerts().into_iter().collect();
    let values = yaml("helm/setpoint/values.yaml");
    let wanted = values["prometheusRule"]["alerts"].as_hash().unwrap();
    let wanted: BTreeSet<String> = wanted.keys().map(|k| k.as_str().unwrap().to_owned()).collect();
    assert_eq!(names, wanted);
    for name in &names {
        let text = std::fs::read_to_string(root(&format!("docs/runbooks/{name}.md"))).unwrap();
        assert!(text.starts_with(&format!("# {name}\n")), "{name}");
        for section in ["## What it means", "## How to check", "## What to do"] {
            let (_, rest) = text.split_once(section).unwrap_or_else(|| panic!("{name}: {section}"));
            assert!(rest.trim_start().len() > 40, "{name}: {section} is empty");
        }
    }
    let pages = std::fs::read_dir(root("docs/runbooks")).unwrap();
    let pages: BTreeSet<String> = pages
        .map(|page| page.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "README")
        .collect();
    assert_eq!(names, pages, "no page without an alert");
}

#[test]
fn rules_name_only_metrics_that_exist() {
    let documented = std::fs::read_to_string(root("docs/metrics.md")).unwrap();
    let rules = std::fs::read_to_string(root("helm/setpoint/rules/setpoint-alerts.yaml")).unwrap();
    let words = rules.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("setpoint_"));
    let unknown: BTreeSet<_> =
        ours.filter(|word| !documented.contains(&format!("`{word}`"))).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Whoever runs several setpoints under one Prometheus must see which of them speaks.
#[test]
fn every_rule_keeps_the_namespace_and_the_job() {
    let rules = std::fs::read_to_string(root("helm/setpoint/rules/setpoint-alerts.yaml")).unwrap();
    let grouped = rules.match_indices(" by (").chain(rules.match_indices(" on ("));
    let mut seen = 0;
    for (at, _) in grouped {
        let rest = &rules[at..];
        // What only looks something up for a description has no labels to keep.
        let line = rules[..at].rsplit('\n').next().unwrap();
        if line.contains("{{") || line.contains("description") {
            continue;
        }
        let labels = rest.split_once(')').unwrap().0;
        assert!(labels.contains("(namespace, job"), "{}", rest.lines().next().unwrap());
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}

/// The actions of a policy.
fn actions(policy: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root(policy)).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    let statements = policy["Statement"].as_array().unwrap();
    let each = statements.iter().flat_map(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        assert!(!statement["Sid"].is_null() && !statement["Resource"].is_null(), "{statement}");
        statement["Action"].as_array().unwrap()
    });
    each.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_observing_policy_only_reads() {
    for action in actions("iam/observe.json") {
        let operation = action.split_once(':').unwrap().1;
        let reads = ["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb));
        assert!(reads && !operation.contains('*'), "{action}");
    }
}

#[test]
fn every_action_is_explained() {
    let text = std::fs::read_to_string(root("iam/README.md")).unwrap();
    let all = &actions("iam/observe.json") | &actions("iam/write.json");
    let all = &all | &actions("iam/floors.json");
    let all = &all | &actions("iam/per-instance.json");
    let of_tags = &actions("iam/memory-tags.json") | &actions("iam/tags.json");
    let of_people = &of_tags | &actions("iam/cloudtrail.json");
    for action in &all | &of_people {
        assert!(text.contains(&format!("| `{action}` |")), "{action} is not in the table");
    }
    let never = &actions("iam/write.json") | &actions("iam/memory-tags.json");
    let never = &never | &actions("iam/floors.json");
    assert!(never.iter().all(|a| a != "application-autoscaling:DeleteScheduledAction"));
    assert!(never.iter().all(|a| a != "application-autoscaling:UntagResource"));
    assert!(never.iter().all(|a| a != "application-autoscaling:DeleteScalingPolicy"));
    assert!(never.iter().all(|a| a != "application-autoscaling:DeregisterScalableTarget"));
}

/// Every operation that the code sends is allowed by one of the policies.
#[test]
fn every_operation_sent_is_allowed() {
    let allowed = &actions("iam/observe.json") | &actions("iam/write.json");
    let of_tags = &actions("iam/memory-tags.json") | &actions("iam/tags.json");
    let of_people = &of_tags | &actions("iam/cloudtrail.json");
    let allowed = &allowed | &of_people;
    let allowed = &allowed | &actions("iam/floors.json");
    let allowed = &allowed | &actions("iam/per-instance.json");
    let allowed: BTreeSet<&str> = allowed.iter().map(|a| a.split_once(':').unwrap().1).collect();
    let mut sent = BTreeSet::new();
    for entry in std::fs::read_dir(root("crates/aws/src")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let words = text.split('"').map(str::to_owned);
            let verbs = ["Describe", "List", "Get", "Put", "Register", "Tag", "Delete", "LookupE"];
            let operation = |word: &String| {
                verbs.iter().any(|verb| word.len() > verb.len() + 3 && word.starts_with(verb))
                    && word.chars().all(char::is_alphanumeric)
            };
            sent.extend(words.filter(operation));
        }
    }
    assert!(sent.len() >= 10, "{sent:?}");
    let denied: Vec<_> =
        sent.iter().filter(|operation| !allowed.contains(operation.as_str())).collect();
    assert!(denied.is_empty(), "{denied:?}");
}

#[test]
fn the_dockerfile_has_no_fault() {
    let Some(hadolint) = python_tool("documents::the_dockerfile_has_no_fault", "hadolint") else {
        return;
    };
    succeed(Command::new(hadolint).args(["--failure-threshold", "info"]).arg(root("Dockerfile")));
}

/// What the source embeds from beside it must be in the image's build.
#[test]
fn the_image_is_built_of_everything_that_is_embedded() {
    fn embedded(dir: &std::path::Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                embedded(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for rest in text.split("include_str!(\"").skip(1) {
                    let below = rest.trim_start_matches("../");
                    let folder = below.split('/').next().unwrap_or_default();
                    if rest.starts_with("../") && root(folder).is_dir() {
                        found.insert(folder.to_owned());
                    }
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    embedded(&root("src"), &mut found);
    assert!(found.contains("iam") && found.contains("config"), "{found:?}");
    let dockerfile = std::fs::read_to_string(root("Dockerfile")).unwrap();
    let ignored = std::fs::read_to_string(root(".dockerignore")).unwrap();
    for folder in found {
        assert!(dockerfile.contains(&format!("COPY {folder}/ {folder}/")), "{folder}: Dockerfile");
        assert!(ignored.lines().any(|l| l == format!("!{folder}")), "{folder}: .dockerignore");
    }
}

#[test]
fn the_image_is_built_of_every_crate() {
    let dockerfile = std::fs::read_to_string(root("Dockerfile")).unwrap();
    for entry in std::fs::read_dir(root("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        for part in [
            format!("COPY crates/{name}/Cargo.toml crates/{name}/"),
            format!("crates/{name}/src/lib.rs"),
        ] {
            assert!(dockerfile.contains(&part), "the Dockerfile lacks {part:?}");
        }
    }
}

/// Cargo takes no manifest that names a benchmark whose file is missing, and the build has none of them.
#[test]
fn the_image_is_built_with_every_benchmark_in_its_place() {
    let manifest = std::fs::read_to_string(root("Cargo.toml")).unwrap();
    let dockerfile = std::fs::read_to_string(root("Dockerfile")).unwrap();
    let (_, touched) = dockerfile.split_once("&& touch ").unwrap();
    let (touched, _) = touched.split_once("&&").unwrap();
    let mut seen = 0;
    for section in manifest.split("\n[").filter(|section| section.starts_with("[bench]]")) {
        let name = section.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap();
        let file = format!("benches/{}.rs", name.trim_end_matches('"'));
        assert!(touched.split_whitespace().any(|word| word == file), "the Dockerfile lacks {file}");
        assert!(!section.contains("\npath = "), "{file} is not where the Dockerfile makes it");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}
