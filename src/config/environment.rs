//! `SETPOINT__SECTION__KEY` variables as a layer, and variables that were meant to be of it.

use std::collections::BTreeMap;

use config::{Environment, Map, Source, Value as Loaded};

use super::layers::{Env, Layer, set};
use super::problem::Problem;
use super::schema::{keys, schema};
use crate::model::near::nearest;
use crate::model::warning::ConfigWarning;

/// What every variable of the layer begins with.
const PREFIX: &str = "SETPOINT__";
/// Variables that begin the same and are something else.
const OTHERS: [&str; 1] = ["SETPOINT_CONFIG"];

/// The environment as a layer, each value read as the type that the schema wants.
pub(super) fn from_environment(environment: &Env) -> (Layer, Vec<Problem>) {
    let source = match environment {
        Env::Nothing => return (layer(Map::new()), Vec::new()),
        Env::Process => None,
        Env::Given(variables) => Some(variables.clone().into_iter().collect()),
    };
    // Typed parsing is ours: the crate would turn an account id into a number.
    let variables = Environment::with_prefix("SETPOINT").separator("__").source(source).collect();
    let mut problems = Vec::new();
    let mut table = Map::new();
    let variables = variables.unwrap_or_else(|error| {
        problems.push(Problem::new("environment", "", error.to_string(), "text in UTF-8"));
        Map::new()
    });
    let ordered: BTreeMap<String, Loaded> = variables.into_iter().collect();
    for (key, value) in ordered {
        let variable = format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"));
        let text = value.into_string().unwrap_or_default();
        set(&mut table, &mut problems, &format!("environment {variable}"), &key, &text);
    }
    (layer(table), problems)
}

fn layer(table: Map<String, Loaded>) -> Layer {
    Layer { name: "environment".to_owned(), table }
}

/// Variables that look as if they were to set a key and set none: `SETPOINT_AWS_REGION`.
pub(super) fn warnings(environment: &Env) -> Vec<ConfigWarning> {
    let names: Vec<String> = match environment {
        Env::Nothing => Vec::new(),
        // A name that is no text is not one of ours.
        Env::Process => {
            std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
        }
        Env::Given(variables) => variables.keys().cloned().collect(),
    };
    let mut warnings: Vec<ConfigWarning> = names.iter().filter_map(|name| warning(name)).collect();
    warnings.sort();
    warnings
}

fn warning(name: &str) -> Option<ConfigWarning> {
    if name.starts_with(PREFIX) || OTHERS.contains(&name) {
        return None;
    }
    let rest = name.strip_prefix("SETPOINT_")?;
    let meant = meant(rest)?;
    Some(ConfigWarning {
        code: "environment_variable_ignored",
        origin: format!("environment {name}"),
        target: None,
        key: String::new(),
        sentence: format!(
            "it sets nothing: sections are separated by two underscores (did you mean {meant}?)"
        ),
    })
}

/// The variable that sets the key of which this is a misspelling, if it is one.
pub(super) fn meant(words: &str) -> Option<String> {
    // Kubernetes sets variables such as SETPOINT_SERVICE_HOST and SETPOINT_PORT_9090_TCP for a
    // Service: they are no misspelling of anything here.
    let flat = words.to_lowercase().replace("__", "_");
    let known = leaves();
    let exact = known.iter().find(|path| path.join("_") == flat);
    let path = exact.or_else(|| {
        // A section is spelt right, and a key of it nearly.
        let section = known.iter().map(|path| path[0].as_str());
        let section = section.filter(|section| flat.starts_with(&format!("{section}_"))).max()?;
        let of_it: Vec<&Vec<String>> = known.iter().filter(|path| path[0] == section).collect();
        let flats: Vec<String> = of_it.iter().map(|path| path.join("_")).collect();
        let flats: Vec<&str> = flats.iter().map(String::as_str).collect();
        let near = nearest(&flat, &flats)?;
        of_it.into_iter().find(|path| path.join("_") == near)
    })?;
    Some(format!("{PREFIX}{}", path.join("__").to_uppercase()))
}

/// The path of every key that a variable can set.
fn leaves() -> Vec<Vec<String>> {
    fn below(node: &serde_json::Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        for key in keys(node) {
            let child = &node["properties"][key];
            path.push(key.to_owned());
            if child.get("properties").is_some() {
                below(child, path, found);
            } else if child["type"] != "array" {
                found.push(path.clone());
            }
            path.pop();
        }
    }
    let mut found = Vec::new();
    below(schema(), &mut Vec::new(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_underscore_is_reported_and_what_kubernetes_sets_is_not() {
        let given = |name: &str| warning(name).map(|warning| warning.sentence);
        assert!(
            given("SETPOINT_AWS_REGION")
                .unwrap()
                .ends_with("(did you mean SETPOINT__AWS__REGION?)")
        );
        let typo = given("SETPOINT_AWS_ACOUNT_ID").unwrap();
        assert!(typo.contains("SETPOINT__AWS__ACCOUNT_ID"), "{typo}");
        let mixed = given("SETPOINT_RECONCILE__MASS_CHANGE__RATIO").unwrap();
        assert!(mixed.contains("SETPOINT__RECONCILE__MASS_CHANGE__RATIO"), "{mixed}");
        for fine in [
            "SETPOINT_CONFIG",
            "SETPOINT__AWS__REGION",
            "SETPOINT_SERVICE_HOST",
            "SETPOINT_SERVICE_PORT_HTTP",
            "SETPOINT_PORT",
            "SETPOINT_PORT_9090_TCP_ADDR",
            "SETPOINT_METRICS_SERVICE_HOST",
            "SETPOINT_METRICS_PORT_9090_TCP_PROTO",
            "AWS_REGION",
        ] {
            assert_eq!(given(fine), None, "{fine}");
        }
    }
}
