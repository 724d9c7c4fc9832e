//! Tests of the manners of the command line: its reference, its help, what shells and `man` get of it, and
//! the plugin of kubectl.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

const SETPOINT: &str = env!("CARGO_BIN_EXE_setpoint");

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

fn setpoint(arguments: &[&str]) -> (Option<i32>, String, String) {
    run(Command::new(SETPOINT).args(arguments))
}

#[test]
fn the_reference_is_the_help() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let wanted = setpoint::cli::reference();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let different = wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
    assert_eq!(found, wanted, "docs/cli.md (UPDATE_EXPECT=1 writes it): {different:?}");
    // Every command gives its exit codes or examples, or says both by the table of plan.md.
    assert!(wanted.matches("\n## setpoint ").count() > 20, "{}", wanted.len());
}

#[test]
fn help_is_grouped_by_what_people_want_to_do() {
    let (code, out, _) = setpoint(&["--help"]);
    assert_eq!(code, Some(0));
    let at = |word: &str| out.find(word).unwrap_or_else(|| panic!("{word} is not in\n{out}"));
    assert!(at("Run it:") < at("  plan "), "{out}");
    assert!(at("Ask the daemon:") < at("  get "), "{out}");
    assert!(at("Set up:") < at("  doctor "), "{out}");
    assert!(at("Options:") > at("Try out:"), "{out}");
    assert!(!out.contains('\u{1b}'), "colour only on terminals: {out:?}");
    // Nothing is wider than what help gets at most.
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    let (code, _, err) = setpoint(&["paln"]);
    assert_eq!(code, Some(64));
    assert!(err.contains("plan"), "{err}");
}

#[test]
fn shells_and_man_get_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, err) = setpoint(&["completions", shell]);
        assert_eq!(code, Some(0), "{err}");
        for word in ["audit", "doctor", "detailed-exitcode"] {
            assert!(out.contains(word), "{shell}: {word}");
        }
    }
    let (_, script, _) = setpoint(&["completions", "bash"]);
    let check = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));

    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = setpoint(&["man", "--out", folder.path().to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    for page in ["setpoint.1", "setpoint-plan.1", "setpoint-config-check.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    let (code, _, err) = setpoint(&["man", "--out", "/nonexistent"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("/nonexistent"), "{err}");
    let (_, version, _) = setpoint(&["--version"]);
    assert!(version.starts_with(concat!("setpoint ", env!("CARGO_PKG_VERSION"))), "{version}");
}

/// Answers every request with this JSON, and says where.
fn daemon(answer: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let length = answer.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n"
            );
            let _ = stream.write_all(format!("{head}{answer}").as_bytes());
        }
    });
    port
}

const PODS: &str = r#"{"items": [{"metadata": {"name": "setpoint-0", "namespace": "monitoring"},
    "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 9191}]}]}}]}"#;

/// A kubectl that notes what it is asked, finds one pod, and forwards to the stand-in daemon.
fn kubectl(folder: &Path, port: u16) {
    let log = folder.join("log").display().to_string();
    let pid = folder.join("pid").display().to_string();
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> {log}\ncase \"$*\" in\n*'get pods'*) cat <<'END'\n{PODS}\nEND\n;;\n\
         *port-forward*) echo $$ > {pid}; echo 'Forwarding from 127.0.0.1:{port} -> 9191'; \
         exec sleep 60 ;;\n*exec*) echo done in the pod; exit 2 ;;\nesac\n"
    );
    let path = folder.join("kubectl");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn as_a_plugin_of_kubectl_it_asks_the_pod_that_leads() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-setpoint");
    symlink(SETPOINT, &plugin).unwrap();
    kubectl(folder.path(), daemon(r#"{"variants": [], "scopes": []}"#));
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let plugin = |arguments: &[&str]| run(Command::new(&plugin).args(arguments).env("PATH", &path));
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();

    let (code, out, err) = plugin(&["-n", "monitoring", "get", "all"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with("VARIANT"), "{out}");
    let asked = log();
    assert!(asked.contains("-n monitoring get pods"), "{asked}");
    assert!(asked.contains("setpoint.dev/role=leader"), "{asked}");
    assert!(asked.contains("port-forward --address 127.0.0.1 -n monitoring pod/setpoint-0 :9191"));
    // The port-forward has ended with the command.
    let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "pid {pid} lives");

    // What needs the token is done where it is, and its exit code is the command's.
    let (code, out, _) = plugin(&["check", "e/v"]);
    assert_eq!((code, out.as_str()), (Some(2), "done in the pod\n"));
    assert!(log().contains("exec -n monitoring setpoint-0 -- setpoint check e/v"), "{}", log());

    // Of several shards each leads: one is named.
    let (code, _, err) = plugin(&["--pod", "setpoint-0", "get", "all"]);
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = plugin(&["--pod", "setpoint-7", "get", "all"]);
    assert!(code == Some(1) && err.contains("no running pod setpoint-7"), "{err}");

    // What asks no daemon needs no cluster.
    let before = log();
    let (code, _, _) = plugin(&["calculate", "--max-rps", "20", "--safety-factor", "0.5"]);
    assert_eq!(code, Some(0));
    assert_eq!(log(), before);
}

#[test]
fn a_doctor_says_what_is_wrong_and_what_to_do() {
    let served = crate::wire::binary::Served::start(&["--step"]);
    let doctor = |arguments: &[&str]| {
        run(Command::new(SETPOINT)
            .arg("doctor")
            .args(arguments)
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true"))
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("setpoint.yaml");
    let config = |account: &str, mode: &str| {
        let text = format!(
            "aws: {{region: us-east-1, account_id: '{account}', endpoint_url: '{}'}}\n\
             log: {{level: error}}\n\
             targets: [{{endpoint: fraud-scorer, variant: AllTraffic, mode: {mode}, \
             load_test: {{max_rps: 20}}}}]\n",
            served.url
        );
        std::fs::write(&file, text).unwrap();
        ["--config", file.to_str().unwrap(), "--url", "http://127.0.0.1:1"].map(str::to_owned)
    };
    let good = config("123456789012", "observe");
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    let (code, out, err) = doctor(&good);
    assert_eq!(code, Some(0), "{out}{err}");
    for word in [
        "ok    configuration",
        "reads are allowed",
        "none needed: every target is in observe",
        "none answers at http://127.0.0.1:1",
        "each restart reads 14 days of metrics again",
        "a month: 4 metrics in each of",
    ] {
        assert!(out.contains(word), "{word}:\n{out}");
    }
    let (_, json, _) = doctor(&[&good[..], &["-o", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for check in json["checks"].as_array().unwrap() {
        let word = check["check"].as_str().unwrap();
        assert!(setpoint::doctor::CHECKS.contains(&word), "{word}");
        let wants = ["warn", "fail"].contains(&check["health"].as_str().unwrap());
        assert_eq!(wants, check["advice"].is_string(), "{check}");
    }

    // Another account than the caller's, and a mode that writes without a memory.
    let wrong = config("210987654321", "repair");
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    let (code, out, err) = doctor(&wrong);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("fail  credentials"), "{out}");
    assert!(out.contains("-> use credentials of that account"), "{out}");
    assert!(out.contains("a restart forgets"), "{out}");
    assert!(out.contains("application-autoscaling:PutScalingPolicy"), "{out}");

    // Nobody answers, and that is a finding and no error of the command.
    let (code, out, _) = doctor(&["--region", "us-east-1", "--endpoint-url", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("fail  credentials") && out.contains("AWS cannot be reached"), "{out}");
    let (code, out, _) = doctor(&["--config", "/nonexistent.yaml"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("fail  configuration"), "{out}");
}
