//! What commands say of a configuration that can hardly be meant, and of credentials that are not
//! there.

use serde_json::Value;

use super::process::{Directory, Served, endpoint, everything, run, setpoint};

#[test]
fn a_plan_of_another_account_says_so_first_and_fails_when_strict() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let other = Directory::new();
    let account = other.write("aws: {account_id: \"210987654321\"}\n");
    let (config, account) = (config.to_str().unwrap(), account.to_str().unwrap());
    let plan =
        |more: &[&str]| run(&[&["plan", "--config", config, "--config", account], more].concat());
    let (code, out, err) = plan(&[]);
    assert_eq!(code, Some(0), "{out}{err}");
    let first = out.lines().next().unwrap();
    assert!(
        first.starts_with("warning: ") && first.contains("aws.account_id: 210987654321"),
        "{out}"
    );
    assert!(first.contains("the credentials are of account 123456789012"), "{out}");
    let (code, out, err) = plan(&["--strict"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.starts_with("warning: ") && err.contains("--strict"), "{out}{err}");
    let (_, out, _) = plan(&["-o", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["config"]["warnings"][0]["code"], "account_is_not_the_callers");
    // The right account has nothing to say.
    let (code, out, err) = run(&["plan", "--config", config, "--strict"]);
    assert_eq!((code, out.contains("warning")), (Some(0), false), "{out}{err}");
}

#[test]
fn run_and_plan_refuse_a_strange_configuration_when_strict() {
    let directory = Directory::new();
    let config = directory.write("targets: [{endpoint: e, variant: v, capacity: {min: 0}}]\n");
    for command in ["run", "plan", "apply --yes"] {
        let (code, _, err) = run(&[
            &command.split(' ').collect::<Vec<_>>()[..],
            &["--config", config.to_str().unwrap(), "--strict"],
        ]
        .concat());
        assert_eq!(code, Some(1), "{command}: {err}");
        assert!(
            err.contains("the configuration has 1 problem\n") && err.contains("capacity.min"),
            "{err}"
        );
    }
}

#[test]
fn missing_credentials_are_one_sentence() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let mut command = setpoint(&["plan", "--region", "us-east-1", "--endpoint-url", &served.url]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let output = command.env("HOME", "/nonexistent").output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("no AWS credentials were found (set AWS_PROFILE"), "{err}");
    for dump in ["{", "Error(", "Some(", "dispatch failure"] {
        assert!(!err.contains(dump), "{dump} in {err}");
    }
}
