//! The production path to a member account: a hub's keys, a role with an external id, and sessions
//! that end.

use serde_json::Value;
use setpoint::sim::api::Operation;

use super::{A, Account, B, configure};
use crate::daemon::process::{Daemon, Directory, Served, endpoint, everything, run, wait};
use crate::wire::support::{SIGNED, post};

const ROLE: &str =
    ", role_arn: \"arn:aws:iam::222222222222:role/setpoint\", external_id: fleet-7f3c";

/// One request to STS or to Application Auto Scaling: status and body.
fn assume(served: &Served, role: &str, external_id: &str) -> (u16, String) {
    let headers =
        [("authorization", SIGNED), ("content-type", "application/x-www-form-urlencoded")];
    let role = role.replace(':', "%3A").replace('/', "%2F");
    let form = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName=test{external_id}"
    );
    let answer = post(&served.url, "/", &headers, form.as_bytes());
    (answer.status, answer.text())
}

fn describe(served: &Served, token: Option<&str>) -> (u16, String) {
    let mut headers = vec![
        ("authorization", SIGNED),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AnyScaleFrontendService.DescribeScalableTargets"),
    ];
    headers.extend(token.map(|token| ("x-amz-security-token", token)));
    let answer = post(&served.url, "/", &headers, b"{\"ServiceNamespace\": \"sagemaker\"}");
    (answer.status, answer.text())
}

#[test]
fn the_embedded_sts_gives_sessions_to_whom_the_role_trusts() {
    let world = "{account_id: \"222222222222\", role: {external_id: right, session_seconds: 60}}";
    let served = Served::in_world(world, &endpoint("scorer", 600.0));
    let role = "arn:aws:iam::222222222222:role/setpoint";
    for (arn, external_id) in [
        ("arn:aws:iam::111111111111:role/setpoint", "&ExternalId=right"),
        (role, "&ExternalId=wrong"),
        (role, ""),
        ("arn:aws:iam::222222222222:user/setpoint", "&ExternalId=right"),
    ] {
        let (status, body) = assume(&served, arn, external_id);
        assert_eq!(status, 403, "{arn} {external_id}: {body}");
        assert!(body.contains("<Code>AccessDenied</Code>"), "{body}");
    }
    let (status, body) = assume(&served, role, "&ExternalId=right&DurationSeconds=60");
    assert_eq!(status, 400, "{body}");
    assert_eq!(describe(&served, None).0, 403, "the hub's own keys open nothing");
    assert!(describe(&served, Some("stolen")).1.contains("UnrecognizedClientException"));
    let (status, body) = assume(&served, role, "&ExternalId=right");
    assert_eq!(status, 200, "{body}");
    let member = |name: &str| {
        let from = body.find(&format!("<{name}>")).unwrap() + name.len() + 2;
        body[from..].split('<').next().unwrap().to_owned()
    };
    assert!(member("AccessKeyId").starts_with("ASIA"), "{body}");
    assert!(member("Expiration").ends_with('Z'), "{body}");
    let token = member("SessionToken");
    assert_eq!(describe(&served, Some(&token)).0, 200);
    served.sim.advance(61);
    let (status, body) = describe(&served, Some(&token));
    assert_eq!(status, 403);
    assert!(body.contains("ExpiredTokenException"), "{body}");
}

#[test]
fn a_role_with_an_external_id_is_assumed_and_assumed_again_when_its_session_ends() {
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 600.0));
    let trust = ", role: {external_id: fleet-7f3c, session_seconds: 12}";
    let b = Account::in_world(B, "us-east-1", trust, &endpoint("scorer", 700.0)).with(ROLE);
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &b], &everything("repair"));
    let daemon = Daemon::ready(&config, &[]);
    wait("the repair", || (b.served.target_value("scorer") == Some(600.0)).then_some(()));
    let assumed = || b.served.calls(Operation::AssumeRole);
    let first = assumed();
    assert!(first >= 1);
    assert_eq!(a.served.calls(Operation::AssumeRole), 0, "the first account has no role");
    // In the last ten seconds of a session, at a moment it draws, the SDK asks for another.
    wait("a new session", || (assumed() > first).then_some(()));
    // The sessions given out so far end in the world: what goes on has a new one.
    b.served.sim.advance(13);
    let path = format!("/api/v1/variants/scorer/AllTraffic?account_id={B}");
    let before = daemon.json(&path)["last_pass"].clone();
    let view = wait("the account to be readable with a session that has not ended", || {
        let view = daemon.json(&path);
        (view["last_pass"] != before && view["comparable"] == true).then_some(view)
    });
    assert_eq!(view["standing"], "in_sync", "{view}");
}

#[test]
fn a_role_that_trusts_nobody_is_no_reason_not_to_begin() {
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 600.0));
    let b =
        Account::in_world(B, "us-east-1", ", role: {external_id: other}", "    []\n").with(ROLE);
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &b], &everything("observe"));
    let (code, out, err) =
        run(&["plan", "-o", "json", "--detailed-exitcode", "--config", config.to_str().unwrap()]);
    // No variant of it is known or named: the account itself is told.
    assert_eq!(code, Some(3), "{out}{err}");
    let plan: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(plan["variants"].as_array().unwrap().len(), 1);
    assert_eq!(plan["unread"].as_array().unwrap().len(), 1);
    let why = plan["unread"][0]["why"].as_str().unwrap();
    assert!(why.contains("sts:AssumeRole"), "{why}");
    // Told once, by the sentence above, and not by dumps of the SDK's types as well.
    assert!(!err.contains("aws_config") && !err.contains("STS refused"), "{err}");
}
