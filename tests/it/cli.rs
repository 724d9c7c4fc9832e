//! Tests of `cli`: every command that asks AWS or a daemon ends, whatever does not answer.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Takes connections and never answers.
fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// The exit code, standard output and error of a command that has to end by the limit.
fn within(limit: Duration, arguments: &[&str]) -> (Option<i32>, String, String) {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_setpoint"))
        .args(arguments)
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > limit {
            let _ = child.kill();
            panic!("{arguments:?} has not ended within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.unwrap().read_to_string(&mut out).unwrap();
    child.stderr.unwrap().read_to_string(&mut err).unwrap();
    (status.code(), out, err)
}

/// On a busy machine the start alone takes a while.
const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn a_command_that_asks_aws_ends_in_a_black_hole() {
    let (_hole, url) = black_hole();
    let aws = ["--region", "us-east-1", "--endpoint-url", &url, "--timeout", "4"];
    // Without an account it is asked for first.
    for command in [&["plan"][..], &["apply", "--yes"], &["export", "--endpoint", "e"]] {
        let (code, out, err) = within(LIMIT, &[command, &aws].concat());
        assert_eq!(code, Some(1), "{command:?}: {out}{err}");
        assert!(err.contains("error: "), "{command:?}: {err}");
        assert!(err.contains("sts GetCallerIdentity") || err.contains("--timeout"), "{err}");
    }
}

#[test]
fn a_plan_in_a_black_hole_says_what_it_does_not_know() {
    let (_hole, url) = black_hole();
    let folder = tempfile();
    let config = folder.join("setpoint.yaml");
    let text = format!(
        "aws: {{region: us-east-1, account_id: '123456789012', endpoint_url: '{url}'}}\n\
         targets: [{{endpoint: scorer, variant: AllTraffic, load_test: {{max_rps: 20}}}}]\n"
    );
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let plan = ["plan", "--config", config, "--timeout", "8", "--log-level", "error"];
    let (_, out, err) = within(LIMIT, &plan);
    let told = format!("{out}{err}");
    assert!(told.contains("scorer/AllTraffic") || told.contains("not done within 8 s"), "{told}");
    assert!(!told.contains("in sync"), "{told}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_refused_connection_is_found_out_at_once() {
    let folder = tempfile();
    let config = folder.join("setpoint.yaml");
    // Nobody listens at port 1, and the memory has no place.
    let text = "aws: {region: us-east-1, account_id: '123456789012', endpoint_url: 'http://127.0.0.1:1'}\n\
                memory: {file: /nonexistent/memory.json}\n\
                targets: [{endpoint: scorer, variant: AllTraffic, load_test: {max_rps: 20}}]\n";
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let began = Instant::now();
    let (code, out, err) = within(LIMIT, &["plan", "--config", config, "--log-level", "error"]);
    // Two attempts of each of the few calls that wait for one another, half a second apart at most.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(out.contains("connection refused by http://127.0.0.1:1 (2 attempts)"), "{out}");
    assert!(!out.contains("dispatch failure"), "{out}");
    assert!(out.contains("memory.file: found /nonexistent/memory.json"), "{out}");
    let (code, _, err) =
        within(LIMIT, &["plan", "--config", config, "--log-level", "error", "--strict"]);
    assert_eq!(code, Some(1), "{err}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_command_to_a_daemon_ends_in_a_black_hole() {
    let (_hole, url) = black_hole();
    let folder = tempfile();
    let token = folder.join("token");
    std::fs::write(&token, "secret\n").unwrap();
    // A pipe that nobody writes to.
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for token in [&token, &pipe] {
        let token = token.to_str().unwrap();
        let daemon = ["--url", &url, "--token-file", token, "--timeout", "2"];
        for command in [
            &["check", "e/v"][..],
            &["pause", "e/v", "--until", "2h", "--reason", "r"],
            &["resume", "e/v"],
            &["confirm", "p"],
            &["reload"],
        ] {
            let (code, out, err) = within(LIMIT, &[command, &daemon].concat());
            assert_eq!(code, Some(1), "{command:?}: {out}{err}");
            assert!(err.contains("within 2 s"), "{command:?}: {err}");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

fn tempfile() -> std::path::PathBuf {
    let unique = format!("setpoint-cli-{}-{:?}", std::process::id(), std::thread::current().id());
    let folder = std::env::temp_dir().join(unique.replace(['(', ')'], ""));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
