//! The commands for people on call, against the real daemon.

use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use setpoint::sim::api::Operation;

use super::process::{Daemon, Directory, Served, endpoint, everything, from_now, run, wait};

/// Without what changes from run to run: instants, the daemon's port, this process's folder.
fn stable(text: &str, daemon: &Daemon, directory: &Directory) -> String {
    let folder = directory.token();
    let folder = folder.parent().unwrap().to_str().unwrap();
    let text = text.replace(daemon.url(), "http://DAEMON").replace(folder, "FOLDER");
    let (mut out, mut rest) = (String::new(), text.as_str());
    // An instant is 20 characters: 2026-11-27T15:04:11Z.
    while let Some(at) = rest.find("20") {
        let is_instant = rest[at..].get(..20).is_some_and(|t| {
            t.ends_with('Z') && t.as_bytes()[4] == b'-' && t.as_bytes()[10] == b'T'
        });
        let (skipped, told) = if is_instant { (20, "INSTANT") } else { (2, "20") };
        out.push_str(&rest[..at]);
        out.push_str(told);
        rest = &rest[at + skipped..];
    }
    out + rest
}

struct Stage {
    served: Served,
    directory: Directory,
    daemon: Daemon,
}

impl Stage {
    fn of(endpoints: &[(&str, f64)], rest: &str) -> Self {
        let endpoints: String = endpoints.iter().map(|(name, at)| endpoint(name, *at)).collect();
        let served = Served::of(&endpoints);
        let directory = Directory::new();
        let config = directory.configure(&served.url, rest);
        let daemon = Daemon::ready(&config, &[]);
        Self { served, directory, daemon }
    }

    /// Gives a command: exit code, and what is printed, stderr below stdout.
    fn ask(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let token = self.directory.token();
        let mut all = arguments.to_vec();
        all.extend(["--url", self.daemon.url(), "--token-file", token.to_str().unwrap()]);
        self.run(&all)
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let (code, out, err) = run(arguments);
        (code, stable(&(out + &err), &self.daemon, &self.directory))
    }

    fn expect(&self, arguments: &[&str], code: i32, expected: &Expect) {
        let (found, text) = self.ask(arguments);
        expected.assert_eq(&text);
        assert_eq!(found, Some(code), "{arguments:?}");
    }
}

#[test]
fn a_check_reads_everything_of_a_variant_now_and_nothing_more_of_the_others() {
    let stage = Stage::of(&[("scorer", 600.0), ("other", 600.0)], &everything("repair"));
    let served = &stage.served;
    let once = [
        Operation::DescribeEndpoint,
        Operation::DescribeEndpointConfig,
        Operation::DescribeModel,
        Operation::DescribeScalingActivities,
    ];
    // What the first passes read is kept: passes go on without these calls.
    let counted = || once.map(|operation| served.calls(operation));
    let before = counted();
    let last = stage.daemon.variant("scorer")["last_pass"].clone();
    stage.daemon.until("scorer", "another pass", |view| view["last_pass"] != last);
    let listed = served.calls(Operation::DescribeScalingPolicies);
    assert_eq!(counted(), before);
    stage.expect(
        &["check", "scorer/AllTraffic"],
        0,
        &expect![[r"
            = scorer/AllTraffic  in sync; safety not known: no latency objective is configured
                verified as of INSTANT
                  caller             GetCallerIdentity          INSTANT
                  endpoint           DescribeEndpoint           INSTANT
                  endpoint_config    DescribeEndpointConfig     INSTANT
                  model              DescribeModel              INSTANT
                  scalable_target    DescribeScalableTargets    INSTANT
                  policies           DescribeScalingPolicies    INSTANT
                  scheduled_actions  DescribeScheduledActions   INSTANT
                  activities         DescribeScalingActivities  INSTANT
                  alarms             DescribeAlarms             INSTANT
                  telemetry          GetMetricData              INSTANT
                  memory             load                       INSTANT
            Checked: 1 verified.
        "]],
    );
    assert_eq!(counted(), before.map(|calls| calls + 1), "one more of each, for this one alone");
    assert!(served.calls(Operation::DescribeScalingPolicies) > listed);
    // The proof as data: no read is older than the pass, but for the telemetry.
    let (code, out) = (run(&stage.words(&["check", "all", "-o", "json"])).0, stage.checked("all"));
    assert_eq!(code, Some(0), "{out}");
    let began_at = out["began_at"].as_str().unwrap();
    for variant in out["variants"].as_array().unwrap() {
        assert_eq!(variant["proof"]["verified"], true, "{variant}");
        assert!(variant["proof"]["verified_at"].as_str().unwrap() >= began_at);
        for read in variant["reads"].as_array().unwrap() {
            let fresh = read["at"].as_str().unwrap() >= began_at;
            assert_eq!(fresh, read["fact"] != "telemetry", "{read} against {began_at}");
            assert_eq!(read["known"], true, "{read}");
        }
    }
    // Both are shown without their reads, unless asked for.
    let (_, text) = stage.ask(&["check", "all"]);
    assert!(!text.contains("DescribeModel") && text.contains("Checked: 2 verified."), "{text}");
    let (_, text) = stage.ask(&["check", "all", "--reads"]);
    assert_eq!(text.matches("DescribeModel").count(), 2, "{text}");
}

impl Stage {
    /// The answer of the API to a check.
    fn checked(&self, endpoint: &str) -> Value {
        let query = if endpoint == "all" { String::new() } else { format!("?endpoint={endpoint}") };
        let (status, body) = self.daemon.post(&format!("/-/reconcile{query}"), &Value::Null);
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The words of a command with where the daemon is, leaked: a test ends soon.
    fn words<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let token: &'static str = self.directory.token().to_str().unwrap().to_owned().leak();
        let mut all = arguments.to_vec();
        all.extend(["--url", self.daemon.url(), "--token-file", token]);
        all
    }
}

#[test]
fn a_check_tells_by_its_exit_code_what_it_could_verify() {
    let stage = Stage::of(&[("scorer", 600.0)], &everything("observe"));
    let edit = json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}});
    stage.served.change(edit);
    let (code, text) = stage.ask(&["check", "scorer"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.starts_with("! scorer/AllTraffic  target_value 700 -> 600, held: "), "{text}");
    assert!(text.contains("verified as of INSTANT"), "what differs is verified too: {text}");
    // A fact that cannot be read again is not known, however well it was known a moment ago.
    stage
        .served
        .fault(json!({"kind": "deny", "operations": ["DescribeEndpoint"], "max_hits": 1000,
        "for_seconds": 604_800, "because": "a role may lose a permission"}));
    let (code, text) = stage.ask(&["check", "scorer"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("not verified: ") && !text.contains("verified as of"), "{text}");
    assert!(text.contains("Checked: 0 verified, 1 not verified."), "{text}");
    assert!(text.contains("unknown: sagemaker DescribeEndpoint failed"), "{text}");
    let checked = stage.checked("scorer");
    let variant = &checked["variants"][0];
    assert_eq!(variant["proof"]["verified_at"], Value::Null);
    let read = variant["reads"].as_array().unwrap().iter().find(|r| r["fact"] == "endpoint");
    assert_eq!(read.unwrap()["why"]["kind"], "denied", "{variant}");
}

#[test]
fn a_pause_and_its_end_are_told() {
    let stage = Stage::of(&[("scorer", 600.0), ("other", 600.0)], &everything("repair"));
    let pause = |variant: &'static str, until: &'static str| {
        ["pause", variant, "--until", until, "--reason", "on call"]
    };
    stage.expect(
        &pause("scorer/AllTraffic", "2h"),
        0,
        &expect![[r"
            paused scorer/AllTraffic until INSTANT: 1 variant
        "]],
    );
    stage.expect(
        &pause("all", "3d"),
        0,
        &expect![[r"
            paused all until INSTANT: 2 variants, and those that first appear later
        "]],
    );
    stage.daemon.until("other", "the pause", |view| view["paused"].is_object());
    let (code, text) = stage.ask(&["get"]);
    assert!(code == Some(0) && text.contains("  PAUSED\n") && text.contains(" left\n"), "{text}");
    stage
        .served
        .change(json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}));
    let (code, text) = stage.ask(&["check", "scorer/AllTraffic"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("held: paused until INSTANT: on call"), "{text}");
    // One of them goes on; the other is still held.
    stage.expect(
        &["resume", "scorer/AllTraffic"],
        0,
        &expect![[r"
            resumed scorer/AllTraffic: 1 variant
        "]],
    );
    wait("the repair", || (stage.served.target_value("scorer") == Some(600.0)).then_some(()));
    stage
        .served
        .change(json!({"edit_policy": {"variant": "other/AllTraffic", "target_value": 700.0}}));
    stage.daemon.until("other", "the pause", |view| view["decision"]["reason"] == "paused");
    let (code, text) = stage.ask(&["resume", "all"]);
    assert_eq!((code, text.as_str()), (Some(0), "resumed all: 1 of 2 variants had been paused\n"));
    wait("the repair", || (stage.served.target_value("other") == Some(600.0)).then_some(()));
    let (code, text) = stage.ask(&["resume", "scorer/AllTraffic"]);
    assert!(code == Some(0) && text.starts_with("nothing to resume: no pause holds"), "{text}");
}

#[test]
fn a_pause_survives_kill_9_and_ends_by_itself() {
    let mut stage = Stage::of(&[("scorer", 600.0), ("other", 600.0)], &everything("repair"));
    let until = from_now(15);
    for variant in ["scorer/AllTraffic", "all"] {
        let (code, text) =
            stage.ask(&["pause", variant, "--until", until.as_str(), "--reason", "on call"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(!text.contains("warning"), "{text}");
    }
    stage.daemon.signal("-KILL");
    assert!(!stage.daemon.ended());
    for name in ["scorer", "other"] {
        let variant = format!("{name}/AllTraffic");
        stage.served.change(json!({"edit_policy": {"variant": variant, "target_value": 700.0}}));
    }
    let config = stage.directory.configure(&stage.served.url, &everything("repair"));
    stage.daemon = Daemon::ready(&config, &[]);
    for name in ["scorer", "other"] {
        let view = stage.daemon.variant(name);
        assert_eq!(view["decision"]["reason"], "paused", "{}", view["decision"]);
        assert_eq!(stage.served.target_value(name), Some(700.0));
    }
    for name in ["scorer", "other"] {
        wait("the repair", || (stage.served.target_value(name) == Some(600.0)).then_some(()));
    }
    assert!(from_now(0) >= until, "it wrote while it was paused");
}

#[test]
fn a_pause_of_all_holds_what_first_appears_later() {
    let stage = Stage::of(&[("scorer", 600.0)], &everything("repair"));
    let (code, text) = stage.ask(&["pause", "all", "--until", "2h", "--reason", "incident"]);
    assert_eq!(code, Some(0), "{text}");
    // A pipeline makes an endpoint, which setpoint would give a scalable target and a policy.
    crate::wire::support::create_endpoints(&stage.served.url, 1);
    wait("the new variant", || {
        (stage.daemon.get("/api/v1/variants/wire-0/AllTraffic").0 == 200).then_some(())
    });
    let view =
        stage.daemon.until("wire-0", "the pause", |view| view["decision"]["reason"] == "paused");
    assert!(view["decision"]["sentence"].as_str().unwrap().contains("incident"), "{view}");
    assert_eq!(view["goal"]["paused"]["reason"], "incident");
    let writes = [Operation::RegisterScalableTarget, Operation::PutScalingPolicy];
    assert_eq!(writes.map(|operation| stage.served.calls(operation)), [0, 0]);
    let (code, text) = stage.ask(&["resume", "wire-0"]);
    assert_eq!((code, text.as_str()), (Some(0), "resumed wire-0: 1 variant\n"));
    wait("its policy", || (stage.served.target_value("wire-0") == Some(600.0)).then_some(()));
}

#[test]
fn a_daemon_that_remembers_in_its_process_only_says_so() {
    let rest = everything("repair") + "memory: {}\n";
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &rest);
    let text = std::fs::read_to_string(&config).unwrap();
    let without: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("memory: {file")).collect();
    std::fs::write(&config, without.join("\n")).unwrap();
    let daemon = Daemon::ready(&config, &[]);
    let stage = Stage { served, directory, daemon };
    stage.expect(
        &["pause", "scorer", "--until", "90m", "--reason", "x"],
        0,
        &expect![[r"
            paused scorer until INSTANT: 1 variant, and those that first appear later
            warning: the daemon remembers in its process only: the pause ends when it restarts (configure memory.file or kubernetes.memory_configmap)
        "]],
    );
    let until = from_now(3600);
    let body = json!({"until": until, "reason": "x"});
    let (_, answer) = stage.daemon.post("/-/pause?endpoint=scorer&variant=AllTraffic", &body);
    let told = [&answer["ok"], &answer["survives_restart"], &answer["holds_later_variants"]];
    assert_eq!(told, [&json!(true), &json!(false), &json!(false)], "{answer}");
}

#[test]
fn reload_and_confirm_are_asked_of_the_daemon() {
    let names = ["a", "b", "c", "d"].map(|name| (name, 700.0));
    let stage = Stage::of(&names, &everything("repair"));
    let sentence = stage.daemon.variant("a")["decision"]["sentence"].clone();
    let plan_id = sentence.as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    let (code, text) = stage.ask(&["confirm", "another"]);
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(text, format!("error: the plan that waits is {plan_id}, not another\n"));
    let (code, text) = stage.ask(&["confirm", &plan_id]);
    assert_eq!(code, Some(0), "{text}");
    wait("all four", || {
        names.iter().all(|(n, _)| stage.served.target_value(n) == Some(600.0)).then_some(())
    });
    let (code, text) = stage.ask(&["confirm", &plan_id]);
    assert_eq!((code, text.as_str()), (Some(1), "error: no plan waits for a confirmation\n"));

    stage.expect(
        &["reload"],
        0,
        &expect![[r"
            reloaded: a pass with the new configuration begins now
        "]],
    );
    stage.directory.configure(&stage.served.url, "defaults: {mode: bold}\nsurprise: 1\n");
    let (code, text) = stage.ask(&["reload"]);
    assert_eq!(code, Some(1), "{text}");
    expect![[r#"
        error: the configuration was not loaded; the one before stays in force
        FOLDER/setpoint.yaml:5: defaults.mode: found "bold", allowed: one of observe, repair, auto
        FOLDER/setpoint.yaml:6: surprise: found an unknown key, allowed: aws, accounts, sharding, reconcile, telemetry, discovery, memory, store, kubernetes, http, log, metrics, prices, freeze_windows, defaults, targets
    "#]]
    .assert_eq(&text);
}

#[test]
fn every_refusal_says_what_to_do() {
    let stage = Stage::of(&[("fraud-scorer", 600.0)], &everything("repair"));
    let pause = |until: &'static str| ["pause", "all", "--until", until, "--reason", "x"];
    let mut told = Vec::new();
    let mut tell = |(code, text): (Option<i32>, String)| {
        told.push(format!("{}: {}", code.unwrap(), text.lines().next().unwrap()));
    };
    tell(stage.ask(&["check", "fraud-scorr/AllTraffic"]));
    tell(stage.ask(&["resume", "123456789012/eu-west-1/fraud-scorer/AllTraffic"]));
    tell(stage.ask(&["check", "zzz"]));
    tell(stage.ask(&pause("2020-01-01T00:00:00Z")));
    tell(stage.ask(&pause("91d")));
    tell(stage.ask(&["pause", "all", "--until", "2h", "--reason", " "]));
    tell(stage.ask(&pause("tomorrow")));
    tell(stage.ask(&["check", "a/b/c"]));
    // Another token, none, an empty one.
    let wrong = stage.directory.token().with_file_name("wrong");
    let wrong = wrong.to_str().unwrap();
    let url = stage.daemon.url();
    std::fs::write(wrong, "not it").unwrap();
    tell(stage.run(&["check", "all", "--url", url, "--token-file", wrong]));
    std::fs::write(wrong, "").unwrap();
    tell(stage.run(&["check", "all", "--url", url, "--token-file", wrong]));
    std::fs::remove_file(wrong).unwrap();
    tell(stage.run(&["check", "all", "--url", url, "--token-file", wrong]));
    expect![[r#"
        1: error: no variant matches fraud-scorr/AllTraffic; near it: fraud-scorer/AllTraffic
        1: error: no variant matches 123456789012/eu-west-1/fraud-scorer/AllTraffic; near it: 123456789012/us-east-1/fraud-scorer/AllTraffic
        1: error: no variant matches zzz (GET /api/v1/variants lists those that are known)
        1: error: INSTANT is past: it is INSTANT here (allowed: after now, at most 90 days)
        1: error: INSTANT is too far away: it is INSTANT here (allowed: after now, at most 90 days)
        1: error: body: reason has 1 characters (allowed: 1 to 500)
        64: error: invalid value 'tomorrow' for '--until <TIME>': "tomorrow" is not a time in the future (allowed: an instant such as INSTANT, or a span such as 90m, 36h, 7d or 1h30m from now)
        64: error: invalid value 'a/b/c' for '<VARIANT|all>': allowed: all, ENDPOINT, ENDPOINT/VARIANT, ACCOUNT/REGION/ENDPOINT/VARIANT
        1: error: the token is not the one in http.token_file (that of FOLDER/wrong was sent to http://DAEMON; --token-file names another file)
        1: error: the token cannot be read from FOLDER/wrong: it is empty (http.token_file of the configuration, or --token-file)
        1: error: the token cannot be read from FOLDER/wrong: No such file or directory (os error 2) (http.token_file of the configuration, or --token-file)
    "#]].assert_eq(&(told.join("\n") + "\n"));
}

#[test]
fn the_daemon_is_found_by_its_configuration_even_when_that_is_broken() {
    // A port that is free now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("observe"));
    let rewrite = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(&config, text.replace(from, to)).unwrap();
    };
    rewrite("127.0.0.1:0", &address);
    let path = config.to_str().unwrap();
    let (code, _, err) = run(&["check", "scorer", "--config", path]);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(
        err,
        format!(
            "error: nothing listens at http://{address}: connection refused (is setpoint running \
             there? it listens on http.listen of its configuration; --url names another address)\n"
        )
    );
    let daemon = Daemon::ready(&config, &[]);
    let check = || run(&["check", "scorer", "--config", path]);
    assert_eq!(check().0, Some(0));
    rewrite("mode: observe", "mode: bold");
    let (code, out, err) = check();
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    // Commands are off: here, and there. A check needs no token on the daemon's machine.
    let token = directory.token();
    rewrite(&format!(", token_file: {}", token.display()), "");
    assert_eq!(check().0, Some(0));
    let (code, _, err) = run(&["resume", "scorer", "--config", path]);
    assert_eq!(code, Some(1));
    assert!(err.starts_with("error: no token: http.token_file is not configured"), "{err}");
    drop(daemon);
    rewrite("mode: bold", "mode: observe");
    let daemon = Daemon::ready(&config, &[]);
    let (code, _, err) =
        run(&["check", "scorer", "--config", path, "--token-file", token.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        format!(
            "error: commands are off: no http.token_file is configured (at {}; set http.token_file \
             and restart the daemon, in the Helm chart with httpToken.create or httpToken.existingSecret)\n",
            daemon.url()
        )
    );
}

/// Answers a connection with whatever bytes, once.
fn answering(answer: &'static [u8]) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        if answer.is_empty() {
            // Says nothing, and stays until the client has given up.
            let _ = stream.read(&mut request);
        }
        let _ = stream.write_all(answer);
    });
    format!("http://{address}")
}

#[test]
fn what_answers_badly_or_not_at_all_is_told() {
    let directory = Directory::new();
    let token = directory.token();
    let ask = |url: &str, timeout: &str| {
        let token = token.to_str().unwrap();
        let (code, _, err) =
            run(&["check", "all", "--url", url, "--token-file", token, "--timeout", timeout]);
        (code, err.replace(url, "URL"))
    };
    let told = [
        ask(&answering(b""), "1"),
        ask(&answering(b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello"), "20"),
        ask(
            &answering(
                b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            ),
            "20",
        ),
        ask("https://127.0.0.1:9090", "1"),
        ask("127.0.0.1:9090", "1"),
    ];
    expect![[r#"
        [
            (
                Some(
                    1,
                ),
                "error: no answer from URL within 1 s: what was asked may still be done (a pass may be under way: look at the status page or the log; --timeout waits longer)\n",
            ),
            (
                Some(
                    1,
                ),
                "error: what answers at URL is not setpoint: status 404, and no answer of its kind (give the daemon's address with --url)\n",
            ),
            (
                Some(
                    1,
                ),
                "error: what answers at URL is not setpoint: status 302, and no answer of its kind (give the daemon's address with --url)\n",
            ),
            (
                Some(
                    64,
                ),
                "error: --url \"URL\" is not understood (allowed: http://HOST:PORT)\n",
            ),
            (
                Some(
                    64,
                ),
                "error: --url \"URL\" is not understood (allowed: http://HOST:PORT)\n",
            ),
        ]
    "#]].assert_debug_eq(&told);
    assert!(Path::new(&token).exists());
}
