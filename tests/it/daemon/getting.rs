//! `setpoint get` and `setpoint explain`, over the wire from the real daemon.

use serde_json::{Value, json};

use super::process::{Daemon, Directory, Served, endpoint, everything, run};

struct Stage {
    served: Served,
    directory: Directory,
    config: std::path::PathBuf,
    daemon: Daemon,
}

impl Stage {
    fn new() -> Self {
        let served =
            Served::of(&(endpoint("as-it-should-be", 600.0) + &endpoint("drifted", 700.0)));
        let directory = Directory::new();
        let config = directory.configure(&served.url, &everything("observe"));
        let daemon = Daemon::ready(&config, &[]);
        Self { served, directory, config, daemon }
    }

    /// Asks without any token.
    fn ask(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        run(&[arguments, &["--url", self.daemon.url()]].concat())
    }
}

#[test]
fn variants_are_listed_worst_first_without_a_token() {
    let stage = Stage::new();
    let (code, out, err) = stage.ask(&["get"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = out.lines().map(words).collect();
    let headings = "VARIANT CONFIGURED SAFETY TARGET SAFE CAPACITY LAST PASS";
    assert_eq!(lines[0], words(headings), "{out}");
    assert_eq!(lines[1][..4], words("drifted/AllTraffic held not_known 700"), "{out}");
    assert_eq!(lines[2][..4], words("as-it-should-be/AllTraffic in_sync not_known 600"), "{out}");
    assert!(lines[1][6].ends_with('s') && lines.len() == 3, "the age of the last pass: {out}");
    let (code, wide, _) = stage.ask(&["get", "drifted", "-o", "wide"]);
    assert_eq!((code, wide.lines().count()), (Some(0), 2), "{wide}");
    for told in ["123456789012/us-east-1/drifted/AllTraffic", "observe", "(1-8)", "held: "] {
        assert!(wide.contains(told), "{told}: {wide}");
    }
}

#[test]
fn a_variant_is_printed_whole_as_json_and_yaml() {
    let stage = Stage::new();
    let (code, json, _) = stage.ask(&["get", "drifted/AllTraffic", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, Some(0));
    for key in ["decision", "goal", "memory", "snapshot"] {
        assert!(json[key].is_object(), "{key}: {json}");
    }
    assert!(json["snapshot"].as_object().is_some_and(|facts| facts.len() > 5), "{json}");
    let (code, yaml, _) =
        stage.ask(&["get", "123456789012/us-east-1/drifted/AllTraffic", "-o", "yaml"]);
    let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(code, Some(0));
    // Passes go on meanwhile: what does not change with them is the same, in the same order.
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&yaml), keys(&json));
    for key in ["id", "goal", "targets", "capacity", "objective"] {
        assert_eq!(yaml[key], json[key], "{key}");
    }
    // A wider selection is the list, of what was asked for.
    let (_, list, _) = stage.ask(&["get", "drifted", "-o", "json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["variants"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["scopes"][0]["readable"], true);
}

#[test]
fn what_is_not_there_and_what_cannot_be_seen_are_told_apart() {
    let stage = Stage::new();
    for arguments in [&["get", "nobody"][..], &["get", "nobody/AllTraffic", "-o", "yaml"]] {
        let (code, out, err) = stage.ask(arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.starts_with("error: no variant ") && err.contains("nobody"), "{err}");
    }
    let (code, _, err) = run(&["get", "--url", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("nothing listens at http://127.0.0.1:1"), "{err}");
    stage.served.fault(serde_json::json!({"kind": "deny", "operations": ["ListEndpoints"],
        "max_hits": 1000, "for_seconds": 604_800, "because": "a role may lose a permission"}));
    super::process::wait("the account to be unreadable", || {
        let list = stage.daemon.json("/api/v1/variants");
        (list["scopes"][0]["readable"] == false).then_some(())
    });
    let (code, out, err) = stage.ask(&["get", "all"]);
    assert_eq!(code, Some(3), "{out}");
    assert!(out.contains("drifted/AllTraffic"), "what was known is shown: {out}");
    assert!(err.contains("warning: 123456789012/us-east-1 cannot be read"), "{err}");
    // A value that could not be read is not one that does not exist.
    stage
        .served
        .fault(serde_json::json!({"kind": "deny", "operations": ["DescribeScalingPolicies"],
        "max_hits": 1000, "for_seconds": 604_800, "because": "a role may lose a permission"}));
    let unread = || {
        let (_, out, _) = stage.ask(&["get", "drifted"]);
        let row: Vec<String> = out.lines().nth(1)?.split_whitespace().map(str::to_owned).collect();
        (row[3] == "unknown").then_some(())
    };
    super::process::wait("the target value to be unknown", unread);
    let page = stage.daemon.get("/").1;
    assert!(page.contains("could not be read\">unknown</span>"), "{page}");
}

#[test]
fn a_variant_is_explained_as_text_json_and_on_its_page() {
    let stage = Stage::new();
    let (code, text, err) = stage.ask(&["explain", "drifted/AllTraffic"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for told in [
        "123456789012/us-east-1/drifted/AllTraffic  held, safety not known",
        "20 requests per second x safety factor 0.5 x 60 = 600 invocations per minute per instance",
        "no latency objective is configured to judge minutes by",
        "target_value 700 -> 600: held (observe: the mode is observe)",
        "in repair it would ",
        "mode repair or auto would let it be written",
        "objective.latency in the configuration",
        "policies: DescribeScalingPolicies, ",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let (code, json, _) = stage.ask(&["explain", "drifted/AllTraffic", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let words: Vec<&str> =
        json["steps"].as_array().unwrap().iter().filter_map(|step| step["step"].as_str()).collect();
    let all = [
        "formula", "evidence", "capacity", "wanted", "guards", "in_force", "aws", "floors", "next",
        "inputs",
    ];
    assert_eq!((code, words.as_slice()), (Some(0), &all[..]));
    let page = stage.daemon.get("/variants/drifted/AllTraffic").1;
    for step in json["steps"].as_array().unwrap() {
        let title = format!("<h3>{}</h3>", step["title"].as_str().unwrap());
        assert!(page.contains(&title), "{title}: {page}");
    }
    let (code, _, err) = stage.ask(&["explain", "nobody/AllTraffic"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("no variant nobody/AllTraffic is known"), "{err}");
    // The endpoint alone, where it has one variant.
    let (code, alone, err) = stage.ask(&["explain", "drifted"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(alone.contains("us-east-1/drifted/AllTraffic  held"), "{alone}");
    assert_eq!(stage.ask(&["explain", "all"]).0, Some(64));
    for command in ["explain", "get"] {
        for (asked, meant) in [("drifte", "drifted"), ("driftd/AllTraffic", "drifted/AllTraffic")] {
            let (code, _, err) = stage.ask(&[command, asked]);
            assert_eq!(code, Some(1), "{err}");
            assert!(err.contains(&format!("did you mean {meant}?")), "{command} {asked}: {err}");
        }
    }
}

#[test]
fn the_log_has_a_line_for_each_pass_and_nothing_of_the_scheduler() {
    let stage = Stage::new();
    let ended = || {
        let log = stage.daemon.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == "pass ended").collect::<Vec<_>>()
    };
    let lines = super::process::wait("two passes", || Some(ended()).filter(|all| all.len() > 1));
    let line = &lines[0];
    assert_eq!(line["level"], "INFO");
    let expected = [
        ("variants", 2),
        ("changed", 0),
        ("held", 1),
        ("unknown", 0),
        ("unsafe", 0),
        ("unreadable_scopes", 0),
    ];
    for (name, count) in expected {
        assert_eq!(line[name], count, "{name}: {line}");
    }
    assert!(line["seconds"].as_f64().unwrap() > 0.0, "{line}");
    // The first pass reads telemetry, which is what costs.
    assert!(line["cloudwatch_dollars"].as_f64().unwrap() > 0.0, "{line}");
    assert!(!stage.daemon.log().contains("tokio_cron_scheduler"), "{}", stage.daemon.log());
}

#[test]
fn a_decision_of_the_daemon_is_made_again_from_its_json_on_another_process() {
    let stage = Stage::new();
    let record = stage.directory.token().with_file_name("drifted.json");
    let replay = |json: &Value| {
        std::fs::write(&record, json.to_string()).unwrap();
        run(&["replay", "--variant", record.to_str().unwrap()])
    };
    for name in ["drifted/AllTraffic", "as-it-should-be/AllTraffic"] {
        let (_, json, _) = stage.ask(&["get", name, "-o", "json"]);
        let mut json: Value = serde_json::from_str(&json).unwrap();
        let (code, out, err) = replay(&json);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(out.contains("This is the decision (the record has no estimator that "), "{out}");
        let explained = stage.ask(&["explain", name]).1;
        let guards = |text: &str| {
            let rest = text.split_once("Guards and notes").map(|(_, rest)| rest.to_owned());
            rest.and_then(|rest| rest.split("\n\n").next().map(str::to_owned))
        };
        assert_eq!(guards(&out), guards(&explained), "the same reasons");
        // A record that is not as it was gives another decision, and says so.
        json["goal"]["load_test"]["max_rps"] = 35.0.into();
        let (code, out, _) = replay(&json);
        assert_eq!(code, Some(2), "{out}");
        assert!(
            out.contains("This is not the decision") && out.contains("decision.fields: "),
            "{out}"
        );
    }
    let (_, list, _) = stage.ask(&["get", "-o", "json"]);
    let (code, _, err) = replay(&serde_json::from_str(&list).unwrap());
    assert_eq!(code, Some(1));
    assert!(err.contains("one is needed: setpoint get ENDPOINT/VARIANT -o json"), "{err}");
    // Made by hand or damaged: the key, what is there, and what to do.
    let (_, json, _) = stage.ask(&["get", "drifted/AllTraffic", "-o", "json"]);
    let good: Value = serde_json::from_str(&json).unwrap();
    for (key, value, says) in [
        (
            "rules",
            json!(7),
            "rules of the record: invalid type: integer `7`; write the record again: setpoint get",
        ),
        ("decision", json!({}), "decision: missing field `at`; write"),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let (code, _, err) = replay(&bad);
        assert!(code == Some(1) && err.contains(says), "{err}");
        assert!(!err.contains("struct"), "{err}");
    }
    let path = record.to_str().unwrap();
    std::fs::write(&record, format!("\u{feff}{json}")).unwrap();
    assert_eq!(run(&["replay", "--variant", path]).0, Some(0), "an editor's mark of UTF-8");
    std::fs::write(&record, "goal: {}").unwrap();
    let err = run(&["replay", "--variant", path]).2;
    assert!(err.contains("found no JSON (") && err.contains("-o json writes a record"), "{err}");
    let file = std::fs::File::create(&record).unwrap();
    file.set_len(17 << 20).unwrap();
    let err = run(&["replay", "--variant", path]).2;
    assert!(err.ends_with("found more than 16 MiB (allowed: up to 16 MiB)\n"), "{err}");
    let (code, _, err) = run(&["replay", "--variant", path, "--safety-factor", "0.4"]);
    assert!(code == Some(64) && err.contains("--safety-factor"), "{err}");
}

/// What the daemon's last pass decided is what a pass of one's own finds, without a way to AWS.
#[test]
fn a_plan_of_the_daemon_is_that_of_a_pass_and_needs_no_aws() {
    let stage = Stage::new();
    for detailed in [&[][..], &["--detailed-exitcode"]] {
        let own = run(&[&["plan", "--config", stage.config.to_str().unwrap()], detailed].concat());
        let (code, out, err) = stage.ask(&[&["plan"], detailed].concat());
        assert_eq!((code, &out), (own.0, &own.1), "{err}");
        assert!(out.contains("drifted/AllTraffic"), "{out}");
        let url = stage.daemon.url();
        assert!(err.starts_with(&format!("From the daemon at {url}, pass of ")), "{err}");
    }
    let (_, json, _) = stage.ask(&["plan", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["variants"].as_array().map(Vec::len), Some(2));
    let (code, _, err) = stage.ask(&["plan", "--metrics"]);
    assert!(code == Some(64) && err.contains("--metrics is for reading AWS"), "{err}");
}
