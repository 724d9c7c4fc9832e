//! The list `accounts`: what it may say, and what is said when it may not.

use setpoint::config::{Config, Env, Sources};
use setpoint::model::ids::Scope;

use crate::daemon::process::{Directory, run};

fn problems(yaml: &str) -> Vec<String> {
    let errors = Config::from_yaml(yaml).unwrap_err();
    errors.problems.iter().map(ToString::to_string).collect()
}

const TWO: &str = r#"
accounts:
  - account_id: "111111111111"
    regions: [us-east-1, eu-west-1]
    role_arn: arn:aws:iam::111111111111:role/setpoint
    external_id: fleet-7f3c
  - {account_id: "222222222222", regions: [us-east-1], profile: two, endpoint_url: "http://x:1"}
  - {account_id: "222222222222", regions: [eu-west-1]}
"#;

#[test]
fn accounts_are_read_and_their_scopes_are_in_order() {
    let config = Config::from_yaml(TWO).unwrap();
    let scopes: Vec<String> = config.scopes().iter().map(Scope::to_string).collect();
    assert_eq!(
        scopes,
        [
            "111111111111/us-east-1",
            "111111111111/eu-west-1",
            "222222222222/us-east-1",
            "222222222222/eu-west-1",
        ]
    );
    let [one, two, _] = config.accounts.as_slice() else { panic!("{:?}", config.accounts) };
    assert_eq!(one.external_id.as_deref(), Some("fleet-7f3c"));
    assert_eq!(two.profile.as_deref(), Some("two"));
    assert_eq!(two.endpoint_url.as_deref(), Some("http://x:1"));
    assert!(Config::from_yaml("{}").unwrap().scopes().is_empty(), "aws decides by default");
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    let config = Config::from_yaml(TWO).unwrap();
    let shown = config.to_yaml(false);
    assert_eq!(Config::from_yaml(&shown).unwrap().accounts, config.accounts, "{shown}");
    let origins = config.to_yaml(true);
    let line = origins.lines().find(|line| line.contains("fleet-7f3c")).unwrap();
    assert!(line.ends_with("# config.yaml:6"), "{line}");
}

#[test]
fn a_later_file_replaces_the_list() {
    let directory = Directory::new();
    let first = directory.write(TWO);
    let other = Directory::new();
    let second = other.write("accounts: [{account_id: \"333333333333\", regions: [us-east-1]}]\n");
    let files = vec![first, second];
    let sources = Sources { files, environment: Env::Nothing, flags: Vec::new() };
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.scopes().len(), 1);
    assert_eq!(config.accounts[0].account_id.as_str(), "333333333333");
}

#[test]
fn each_mistake_is_said_with_its_key() {
    let entry = |keys: &str| format!("accounts: [{{account_id: \"111111111111\", {keys}}}]");
    for (yaml, expected) in [
        (
            entry("regions: []"),
            "config.yaml:1: accounts[0].regions: found an empty list, allowed: a list of at least one",
        ),
        (
            entry("profile: p"),
            "config.yaml:1: accounts[0].regions: found nothing, allowed: a list of at least one",
        ),
        (
            "accounts: [{regions: [us-east-1]}]".to_owned(),
            "config.yaml:1: accounts[0].account_id: found nothing, allowed: a text of 12 digits, quoted",
        ),
        (
            "accounts: [{account_id: 111111111111, regions: [us-east-1]}]".to_owned(),
            "config.yaml:1: accounts[0].account_id: found 111111111111, allowed: a text of 12 \
             digits, quoted (put it in quotes)",
        ),
        (
            entry("regions: [us-east-1, us-east-1]"),
            "config.yaml:1: accounts[0].regions[1]: found 111111111111/us-east-1 a second time, \
             allowed: each account once with a region, or two would write; the first is \
             accounts[0].regions[0]",
        ),
        (
            entry("regions: [us-east-1], role_arn: \"arn:aws:iam::222222222222:role/setpoint\""),
            "config.yaml:1: accounts[0].role_arn: found arn:aws:iam::222222222222:role/setpoint, \
             allowed: a role of account 111111111111, which accounts[0].account_id is",
        ),
        (
            entry("regions: [us-east-1], external_id: x1"),
            "config.yaml:1: accounts[0].external_id: found a value without a role, allowed: an \
             external_id only together with accounts[0].role_arn",
        ),
        (
            entry("regions: [us-east-1]") + "\naws: {region: us-east-1}",
            "config.yaml:2: aws.region: found a value next to accounts, allowed: only one of \
             aws.region and accounts (remove aws.region)",
        ),
        (
            entry("regions: [us-east-1]") + "\naws: {account_id: \"111111111111\"}",
            "config.yaml:2: aws.account_id: found a value next to accounts, allowed: only one of \
             aws.account_id and accounts (remove aws.account_id)",
        ),
        (
            entry("regions: [us-east-1]")
                + "\naws: {role_arn: \"arn:aws:iam::111111111111:role/setpoint\"}",
            "config.yaml:2: aws.role_arn: found a value next to accounts, allowed: only one of \
             aws.role_arn and accounts (remove aws.role_arn)",
        ),
    ] {
        assert_eq!(problems(&yaml), [expected], "{yaml}");
    }
}

#[test]
fn one_account_in_two_entries_with_the_same_region_is_found() {
    let twice = format!("{TWO}  - {{account_id: \"222222222222\", regions: [eu-west-1]}}\n");
    let found = problems(&twice);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("accounts[3].regions[0]"), "{found:?}");
    assert!(found[0].contains("the first is accounts[2].regions[0]"), "{found:?}");
}

#[test]
fn with_accounts_a_target_may_write_without_aws_account_id() {
    let repair = "targets: [{endpoint: e, variant: v, mode: repair, load_test: {max_rps: 1}}]\n";
    Config::from_yaml(&format!("{TWO}{repair}")).unwrap();
    assert!(
        problems(repair)[0].contains("target e/v: mode: found repair"),
        "rule 2 without any account"
    );
}

#[test]
fn a_flag_beside_accounts_is_said_to_be_one() {
    let directory = Directory::new();
    let path = directory.write(TWO);
    let (code, _, err) =
        run(&["plan", "--config", path.to_str().unwrap(), "--region", "us-east-1"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("flag --region: aws.region: found a value next to accounts"), "{err}");
}
