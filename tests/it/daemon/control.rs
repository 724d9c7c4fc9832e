//! Reload, pause, confirmation and the token.

use serde_json::{Value, json};

use super::process::{
    Daemon, Directory, EVERY_SECOND, Served, endpoint, everything, from_now, wait,
};

#[test]
fn without_its_token_no_command_is_obeyed() {
    let served = Served::of(&endpoint("scorer", 900.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("observe"));
    let daemon = Daemon::ready(&config, &[]);
    for command in ["reload", "reconcile", "pause", "resume", "confirm"] {
        for token in [None, Some("wrong"), Some("")] {
            // A pass changes nothing of what is wanted: from this machine it needs none.
            let expected = if command == "reconcile" && token.is_none() { 200 } else { 403 };
            let (status, body) = daemon.post_as(token, &format!("/-/{command}"), &Value::Null);
            assert_eq!(status, expected, "{command} with {token:?}: {body}");
        }
    }
}

#[test]
fn a_reload_takes_a_good_file_and_refuses_a_bad_one() {
    let served = Served::of(&endpoint("scorer", 700.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("observe"));
    let daemon = Daemon::ready(&config, &[]);
    let successful = || daemon.metric("setpoint_config_last_reload_successful", &[]);
    assert_eq!(successful(), Some(1.0));

    // Bad, by HTTP: the problems come as JSON, the old configuration stays.
    directory.configure(&served.url, "defaults: {mode: bold, safety_factor: 7}\nsurprise: 1\n");
    let (status, body) = daemon.post("/-/reload", &Value::Null);
    assert_eq!(status, 422, "{body}");
    let problems = body["problems"].as_array().unwrap();
    assert!(problems.len() >= 3, "all problems at once: {body}");
    for (key, found) in [("mode", "bold"), ("safety_factor", "7"), ("surprise", "")] {
        let names = |problem: &&Value| problem.to_string().contains(key);
        let problem = problems.iter().find(names).unwrap_or_else(|| panic!("{key}: {body}"));
        let text = problem.to_string();
        assert!(text.contains("setpoint.yaml") && text.contains(found), "{text}");
    }
    assert_eq!(successful(), Some(0.0));
    assert_eq!(daemon.variant("scorer")["mode"], "observe");
    assert_eq!(daemon.post("/-/reconcile", &Value::Null).0, 200);
    assert_eq!(served.target_value("scorer"), Some(700.0));

    // Bad, by signal: shows in the log.
    daemon.signal("-HUP");
    wait("the refusal in the log", || daemon.log().contains("not reloaded").then_some(()));

    // Good, by signal.
    directory.configure(&served.url, &everything("repair"));
    daemon.signal("-HUP");
    daemon.until("scorer", "the new mode", |view| view["mode"] == "repair");
    wait("the repair", || (served.target_value("scorer") == Some(600.0)).then_some(()));
    assert_eq!(successful(), Some(1.0));

    // Good, by HTTP.
    directory.configure(&served.url, &everything("observe"));
    assert_eq!(daemon.post("/-/reload", &Value::Null).0, 200);
    daemon.until("scorer", "the mode of before", |view| view["mode"] == "observe");
}

#[test]
fn a_pause_holds_writes_until_it_is_ended() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let daemon = Daemon::ready(&config, &[]);
    let body = json!({"until": from_now(3600), "reason": "black friday"});
    assert_eq!(daemon.post("/-/pause?endpoint=scorer&variant=AllTraffic", &body).0, 200);
    served.change(json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}));
    let view = daemon.until("scorer", "the pause", |view| view["decision"]["reason"] == "paused");
    assert!(view["decision"]["sentence"].as_str().unwrap().contains("black friday"), "{view}");
    let (status, body) = daemon.post("/-/reconcile?endpoint=scorer", &Value::Null);
    assert_eq!((status, &body["variants"][0]["standing"]), (200, &json!("held")));
    assert_eq!(served.target_value("scorer"), Some(700.0));
    assert_eq!(daemon.post("/-/resume", &Value::Null).0, 200);
    wait("the repair", || (served.target_value("scorer") == Some(600.0)).then_some(()));
    // What does not exist, is past or makes no sense is refused.
    let past = json!({"until": "2020-01-01T00:00:00Z", "reason": "late"});
    assert_eq!(daemon.post("/-/pause", &past).0, 400);
    assert_eq!(daemon.post("/-/reconcile?endpoint=nobody", &Value::Null).0, 404);
    assert_eq!(daemon.post("/-/pause?variant=AllTraffic", &past).0, 400);
}

#[test]
fn a_mass_change_waits_until_its_plan_is_confirmed() {
    let names = ["a", "b", "c", "d"];
    let served = Served::of(&names.map(|name| endpoint(name, 700.0)).concat());
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let daemon = Daemon::ready(&config, &[]);
    let view = daemon.variant("a");
    assert_eq!(view["decision"]["reason"], "mass_change", "{view}");
    let sentence = view["decision"]["sentence"].as_str().unwrap();
    let plan_id = sentence.rsplit(' ').next().unwrap();
    let (status, _) = daemon.post("/-/confirm", &json!({"plan_id": "another"}));
    assert!((400..500).contains(&status), "{status}");
    assert_eq!(names.map(|name| served.target_value(name)), [Some(700.0); 4]);
    assert_eq!(daemon.post("/-/confirm", &json!({"plan_id": plan_id})).0, 200);
    wait("all four", || {
        (names.map(|name| served.target_value(name)) == [Some(600.0); 4]).then_some(())
    });
}

#[test]
fn the_global_switch_holds_everything() {
    let served = Served::of(&endpoint("scorer", 700.0));
    let directory = Directory::new();
    let rest = everything("repair").replace(EVERY_SECOND, "")
        + "reconcile: {enabled: false, schedule: \"* * * * * *\", jitter_seconds: 0}\n";
    let config = directory.configure(&served.url, &rest);
    let daemon = Daemon::ready(&config, &[]);
    assert_eq!(daemon.variant("scorer")["decision"]["reason"], "reconcile_disabled");
    assert_eq!(served.sim.with_world(|world| world.writes()), 0);
}

#[test]
fn a_reload_that_drops_the_fleet_waits_until_it_is_confirmed() {
    let names = ["a", "b", "c", "d", "e"];
    let served = Served::of(&names.map(|name| endpoint(name, 600.0)).concat());
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let daemon = Daemon::ready(&config, &[]);
    let metric = |name: &str| daemon.metric(name, &[]);
    assert_eq!(metric("setpoint_config_targets"), Some(1.0));
    assert_eq!(metric("setpoint_config_drops_targets"), Some(0.0));

    // One target is nothing, but it speaks for five variants, and the new file for none.
    directory.configure(&served.url, EVERY_SECOND);
    let (status, body) = daemon.post("/-/reload", &Value::Null);
    assert_eq!(status, 422, "{body}");
    let problem = &body["problems"][0];
    assert_eq!(
        (&problem["reason"], &problem["dropped"]),
        (&json!("config_drops_targets"), &json!(5))
    );
    let empty = problem["plan_id"].as_str().unwrap().to_owned();
    assert!(
        problem["problem"].as_str().unwrap().ends_with(&format!("`setpoint confirm {empty}`")),
        "{body}"
    );
    assert_eq!(metric("setpoint_config_drops_targets"), Some(5.0));
    assert_eq!(metric("setpoint_config_last_reload_successful"), Some(0.0));
    assert_eq!(metric("setpoint_config_targets"), Some(1.0));
    // The configuration before it is in force: drift is still repaired.
    served.change(json!({"edit_policy": {"variant": "a/AllTraffic", "target_value": 700.0}}));
    wait("the repair", || (served.target_value("a") == Some(600.0)).then_some(()));
    let held = || daemon.json("/api/v1/variants")["config"]["held"].clone();
    assert_eq!(held()["plan_id"], empty.as_str());
    assert!(daemon.get("/").1.contains(&empty), "the page says so");

    // By signal it is held just the same, and the log says why.
    daemon.signal("-HUP");
    wait("another hold in the log", || {
        (daemon.log().matches("configuration held: ").count() == 2).then_some(())
    });

    // What was confirmed is what was shown: another file by then is held again.
    directory.configure(&served.url, &format!("{EVERY_SECOND}defaults: {{mode: repair}}\n"));
    let (status, body) = daemon.post("/-/confirm", &json!({"plan_id": empty}));
    assert_eq!(status, 409, "{body}");
    let other = held()["plan_id"].as_str().unwrap().to_owned();
    assert!(other != empty && body["error"].as_str().unwrap().contains(&other), "{body}");
    assert_eq!(daemon.variant("a")["managed"], true);
    let (status, body) = daemon.post("/-/confirm", &json!({"plan_id": empty}));
    assert_eq!(status, 409, "it is gone: {body}");
    assert!(body["error"].as_str().unwrap().contains(&format!("waits is {other}")), "{body}");

    assert_eq!(daemon.post("/-/confirm", &json!({"plan_id": other})).0, 200);
    daemon.until("a", "nobody's", |view| view["managed"] == false);
    assert_eq!((held(), metric("setpoint_config_drops_targets")), (Value::Null, Some(0.0)));
    assert_eq!(metric("setpoint_config_targets"), Some(0.0));
    let warnings = daemon.json("/api/v1/variants")["config"]["warnings"].clone();
    assert_eq!(warnings[0]["code"], "no_targets", "{warnings}");
    assert!(daemon.log().contains("configuration: targets: the configuration lists no targets"));
}

#[test]
fn a_file_that_would_end_the_process_is_refused_and_passes_go_on() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let daemon = Daemon::ready(&config, &[]);
    std::fs::write(&config, format!("targets: {}", "[".repeat(100_000))).unwrap();
    let (status, body) = daemon.post("/-/reload", &Value::Null);
    assert_eq!(status, 422, "{body}");
    assert!(body["problems"][0]["problem"].as_str().unwrap().contains("32 levels"), "{body}");
    served.change(json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}));
    wait("the repair", || (served.target_value("scorer") == Some(600.0)).then_some(()));
}

#[test]
fn what_can_hardly_be_meant_is_in_the_log_the_metric_the_page_and_the_api() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let misspelt = "targets: [{endpoint: scorrer, variant: AllTraffic}, {";
    let odd = everything("observe").replace("targets: [{", misspelt);
    let config = directory.configure(&served.url, &odd);
    let daemon = Daemon::ready(&config, &[]);
    let said = "there is no such variant (near it: scorer/AllTraffic)";
    wait("the log", || daemon.log().contains(said).then_some(()));
    assert_eq!(daemon.log().matches(said).count(), 1, "once, and not on each pass");
    assert!(daemon.metric("setpoint_config_warnings", &[]) >= Some(1.0));
    assert!(daemon.get("/").1.contains("there is no such variant"));
    let warnings = daemon.json("/api/v1/variants")["config"]["warnings"].to_string();
    assert!(warnings.contains("target_matches_nothing"), "{warnings}");
}
