//! The section `sharding`: what a shard makes of the rest, and what is said where it cannot be.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use setpoint::config::Config;
use setpoint::k8s::{PARTS_MAX, part_name};
use setpoint::model::ids::Scope;
use setpoint::model::shard::Shard;
use setpoint::reconcile::Goals as _;

use crate::daemon::process::{Directory, run};

/// Two accounts with two regions each.
pub(super) const FOUR: &str = r#"
accounts:
  - {account_id: "111111111111", regions: [us-east-1, eu-west-1]}
  - {account_id: "222222222222", regions: [us-east-1, eu-west-1]}
"#;

pub(super) fn shard(index: u32, total: u32, rest: &str) -> Config {
    let sharding = format!("sharding: {{shard: {index}, total_shards: {total}}}\n");
    Config::from_yaml(&format!("{FOUR}{sharding}{rest}")).unwrap()
}

fn problems(yaml: &str) -> Vec<String> {
    let errors = Config::from_yaml(yaml).unwrap_err();
    errors.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shards_have_everything_together_and_nothing_twice() {
    let all: BTreeSet<Scope> = Config::from_yaml(FOUR).unwrap().scopes().into_iter().collect();
    let of: Vec<Vec<Scope>> = (0..3).map(|index| shard(index, 3, "").scopes()).collect();
    assert_eq!(of.iter().map(Vec::len).sum::<usize>(), 4);
    assert_eq!(of.into_iter().flatten().collect::<BTreeSet<_>>(), all);
    // Whoever does not know which one it is looks at all of them, and never runs.
    let unknown = Config::from_yaml(&format!("{FOUR}sharding: {{total_shards: 3}}")).unwrap();
    assert_eq!(unknown.scopes().len(), 4);
    assert_eq!((unknown.sharding.own, unknown.shard()), (None, None));
    assert_eq!(unknown.reconcile.mass_change.min_variants, 3, "the whole");
}

#[test]
fn each_has_names_of_its_own_and_its_part_of_the_limits() {
    const REST: &str = "kubernetes: {lease_name: setpoint, memory_configmap: memory}\n\
                        store: {path: /data/history.redb}\n\
                        reconcile: {mass_change: {min_variants: 4}}\n";
    let first = shard(0, 3, REST);
    assert_eq!(first.kubernetes.lease_name.as_deref(), Some("setpoint"), "as without shards");
    let third = shard(2, 3, REST);
    assert_eq!(third.kubernetes.lease_name.as_deref(), Some("setpoint-shard-2"));
    assert_eq!(third.kubernetes.lease_base.as_deref(), Some("setpoint"));
    assert_eq!(third.kubernetes.memory_configmap.as_deref(), Some("memory-shard-2"));
    assert_eq!(third.store.path.as_deref(), Some(Path::new("/data/history-shard-2.redb")));
    let all: Vec<Config> = (0..3).map(|index| shard(index, 3, REST)).collect();
    let budget: f64 = all.iter().map(|config| config.telemetry.budget_dollars_per_month).sum();
    assert!((budget - 100.0).abs() < 1e-9, "{budget}");
    let may: usize = all.iter().map(|config| config.reconcile.mass_change.min_variants).sum();
    assert_eq!(may, 4);
    let status = third.shard().unwrap().to_string();
    assert!(status.starts_with("shard 2 of 3 has ") && status.contains("US dollars a month"));
}

/// The longest name that the configuration takes is one for every shard and part.
#[test]
fn the_names_of_all_parts_are_names() {
    let name = "a".repeat(235);
    let rest = format!("kubernetes: {{memory_configmap: {name}}}\n");
    let own = shard(2, 3, &rest).kubernetes.memory_configmap.clone().unwrap();
    assert_eq!(own, format!("{name}-shard-2"));
    let most = Shard::new(999, 1000).unwrap().name(&name);
    assert_eq!(part_name(&most, PARTS_MAX - 1).len(), 253, "what Kubernetes allows");
}

#[test]
fn what_cannot_be_is_said_with_what_to_do() {
    let with = |sharding: &str| problems(&format!("{FOUR}sharding: {sharding}\n"));
    assert!(
        with("{shard: 3, total_shards: 3}")[0].contains(
            "sharding.shard: found 3, allowed: 0 to 2, as sharding.total_shards is 3 and shards \
             count from 0"
        ),
        "{:?}",
        with("{shard: 3, total_shards: 3}")
    );
    let many = with("{total_shards: 5}");
    assert!(many[0].contains("sharding.total_shards: found 5, allowed: at most 4"), "{many:?}");
    let alone = problems("sharding: {total_shards: 2}\n");
    assert!(alone[0].contains("a list of at least two accounts and regions"), "{alone:?}");
    // Without shards a number says nothing but 0.
    assert!(!with("{shard: 1}").is_empty());
    assert!(Config::from_yaml(&format!("{FOUR}sharding: {{shard: 0}}")).unwrap().shard().is_none());
}

/// A shard that may change nothing without a confirmation is a surprise.
#[test]
fn a_shard_without_a_part_of_the_mass_change_limit_is_warned_of() {
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let codes = |config: &Config| -> Vec<&'static str> {
        config.warnings(now, None).iter().map(|warning| warning.code).collect()
    };
    for index in 0..4 {
        assert!(codes(&shard(index, 4, "")).contains(&"shards_without_share"), "3 for 4");
        let enough = "reconcile: {mass_change: {min_variants: 4}}\n";
        assert!(!codes(&shard(index, 4, enough)).contains(&"shards_without_share"));
    }
}

/// A name without an account may be another shard's: it is not missing because it is not here.
#[test]
fn only_a_name_that_is_this_shards_alone_is_missed() {
    let targets = "targets:\n\
                   - {endpoint: anywhere, variant: v}\n\
                   - {endpoint: there, variant: v, account_id: \"111111111111\", region: us-east-1}\n";
    let mut told = Vec::new();
    for index in 0..3 {
        let config = shard(index, 3, targets);
        told.extend(config.named(&config.scopes()).into_iter().map(|named| {
            assert_eq!(named.scopes.len(), 1);
            named.resource.endpoint.to_string()
        }));
    }
    assert_eq!(told, ["there"], "by the one shard that has it");
}

#[test]
fn check_says_which_shard_has_what_and_flags_choose_one() {
    let directory = Directory::new();
    let path = directory.write(FOUR);
    let path = path.to_str().unwrap();
    let (code, _, err) = run(&["config", "check", "--config", path, "--total-shards", "2"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("note: shard 0 of 2 has ") && err.contains("note: shard 1 of 2 has "));
    let (code, _, err) =
        run(&["config", "check", "--config", path, "--total-shards", "2", "--shard", "2"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("flag --shard: sharding.shard: found 2, allowed: 0 to 1"), "{err}");
}

/// `run` takes the number from the name of its pod, and does not begin without one.
#[test]
fn a_process_that_does_not_know_its_number_does_not_run() {
    let directory = Directory::new();
    let path = directory.write(&format!("{FOUR}sharding: {{total_shards: 3}}\n"));
    let start = |pod: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_setpoint"));
        command.env_clear().args(["run", "--config"]).arg(&path);
        command.envs(pod.map(|name| ("POD_NAME", name)));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let none = start(None);
    assert!(none.contains("sharding.shard: found nothing, and POD_NAME is not set"), "{none}");
    let random = start(Some("setpoint-7d4b9c-x2fqz"));
    assert!(random.contains("which does not end in -N"), "{random}");
    let beyond = start(Some("setpoint-3"));
    assert!(beyond.contains("sharding.shard: found 3, allowed: 0 to 2"), "{beyond}");
}
