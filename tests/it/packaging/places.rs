//! Where the chart keeps what outlives a pod: the volume, the memory and the history.

use std::collections::BTreeMap;
use std::process::Command;

use super::chart::{chart, helm, objects, template};
use super::{Scratch, stdout, succeed};

/// A volume that one node at a time can mount: a new pod next to the old one would wait for it forever.
#[test]
fn an_upgrade_never_needs_the_volume_on_two_nodes() {
    let test = "places::an_upgrade_never_needs_the_volume_on_two_nodes";
    let Some(helm) = helm(test) else { return };
    let minimal = chart().join("ci/minimal-values.yaml");
    let strategy = |set: &str| {
        let rendered = succeed(&mut template(&helm, &minimal, &["--set", set]));
        let deployment = objects(&rendered, "Deployment").remove(0);
        let strategy = &deployment["spec"]["strategy"];
        let kind = strategy["type"].as_str().unwrap().to_owned();
        (kind, strategy["rollingUpdate"]["maxSurge"].as_i64())
    };
    let is = |kind: &str, surge| (kind.to_owned(), surge);
    assert_eq!(strategy("replicaCount=1"), is("Recreate", None), "never two writers");
    assert_eq!(strategy("persistence.enabled=true"), is("Recreate", None));
    assert_eq!(strategy("leaderElection.enabled=true"), is("RollingUpdate", None));
    let both = "leaderElection.enabled=true,persistence.enabled=true";
    assert_eq!(strategy(both), is("RollingUpdate", Some(0)), "the old one goes first");
    let claimed = format!("{both},persistence.existingClaim=mine");
    assert_eq!(strategy(&claimed), is("RollingUpdate", Some(0)));
    let shared = format!("{both},persistence.accessModes[0]=ReadWriteMany");
    assert_eq!(strategy(&shared), is("RollingUpdate", None));
    assert_eq!(strategy(&format!("{shared},replicaCount=2")), is("RollingUpdate", None));
    let own = format!("{both},deploymentStrategy.type=Recreate");
    assert_eq!(strategy(&own), is("Recreate", None), "what is set counts");
}

/// The variables that a container of a deployment gets, by name.
fn variables(rendered: &str) -> BTreeMap<String, String> {
    let deployment = objects(rendered, "Deployment").remove(0);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let each = container["env"].as_vec().unwrap().iter().map(|variable| {
        let value = variable["value"].as_str().unwrap_or_default();
        (variable["name"].as_str().unwrap().to_owned(), value.to_owned())
    });
    let all: Vec<_> = each.collect();
    let found: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(found.len(), all.len(), "each is there once: {all:?}");
    found
}

/// What setpoint says of a configuration with the variables of a rendered container.
fn checked(config: &str, variables: &BTreeMap<String, String>) -> (bool, String) {
    let scratch = Scratch::new("existing-config");
    let mut check = Command::new(env!("CARGO_BIN_EXE_setpoint"));
    check.env_clear().args(["config", "check", "--config"]);
    check.arg(scratch.write("setpoint.yaml", config));
    check.envs(variables.iter().filter(|(name, _)| name.starts_with("SETPOINT__")));
    let output = check.output().unwrap();
    (output.status.success(), stdout(&output) + &String::from_utf8_lossy(&output.stderr))
}

/// The chart does not see whether an existing `ConfigMap` keeps the memory in tags: a value says it.
#[test]
fn the_memory_has_one_place_next_to_an_existing_config_map() {
    let test = "places::the_memory_has_one_place_next_to_an_existing_config_map";
    let Some(helm) = helm(test) else { return };
    let minimal = chart().join("ci/minimal-values.yaml");
    let with = |set: &str| {
        let set = format!("existingConfigMap=mine,leaderElection.enabled=true{set}");
        let rendered = succeed(&mut template(&helm, &minimal, &["--set", &set]));
        let variables = variables(&rendered);
        let place = variables.get("SETPOINT__KUBERNETES__MEMORY_CONFIGMAP").cloned();
        let allowed = rendered.contains("resources: [configmaps]");
        let (works, said) = checked("memory: {tags: true}\n", &variables);
        assert_eq!(works, place.is_none(), "{said}");
        assert_eq!(said.contains("a second place for the memory"), !works, "{said}");
        (place, allowed)
    };
    assert_eq!(with(""), (Some("setpoint-memory".to_owned()), true));
    assert_eq!(
        with(",leaderElection.memory=configmap"),
        (Some("setpoint-memory".to_owned()), true)
    );
    assert_eq!(with(",leaderElection.memory=none"), (None, false));

    let own = |set: &str| {
        let set = format!("leaderElection.enabled=true,{set}");
        let rendered = succeed(&mut template(&helm, &minimal, &["--set", &set]));
        rendered.contains("memory_configmap: setpoint-memory")
    };
    assert!(own("leaderElection.memory=configmap") && !own("leaderElection.memory=none"));
    assert!(!own("config.memory.tags=true"));
    assert!(!own("leaderElection.memory=none,config.memory.file=/var/lib/setpoint/memory.json"));
}

/// The history is on a volume that was asked for, whatever an existing `ConfigMap` says.
#[test]
fn the_history_is_on_the_volume_next_to_an_existing_config_map() {
    let test = "places::the_history_is_on_the_volume_next_to_an_existing_config_map";
    let Some(helm) = helm(test) else { return };
    let minimal = chart().join("ci/minimal-values.yaml");
    let file = |set: &str| {
        let rendered = succeed(&mut template(&helm, &minimal, &["--set", set]));
        variables(&rendered).remove("SETPOINT__STORE__PATH")
    };
    let volume = "existingConfigMap=mine,persistence.enabled=true";
    assert_eq!(file(volume).as_deref(), Some("/var/lib/setpoint/history.redb"));
    let elsewhere = format!("{volume},persistence.mountPath=/data");
    assert_eq!(file(&elsewhere).as_deref(), Some("/data/history.redb"));
    let own = "extraEnv[0].name=SETPOINT__STORE__PATH,extraEnv[0].value=/own/history.redb";
    assert_eq!(file(&format!("{volume},{own}")).as_deref(), Some("/own/history.redb"));
    assert_eq!(file("existingConfigMap=mine"), None, "no volume was asked for");
    assert_eq!(file("persistence.enabled=true"), None, "the chart's own file names it");
}
