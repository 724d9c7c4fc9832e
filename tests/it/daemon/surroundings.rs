//! What is around the process and can break: the log's reader, the disk, the files it is pointed at.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Daemon, Directory, Served, endpoint, everything, setpoint, wait};

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// Somebody's edit of the policy.
fn edited(target_value: f64) -> Value {
    json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": target_value}})
}

/// A daemon that repairs one endpoint.
struct Stage {
    served: Served,
    _directory: Directory,
    daemon: Daemon,
}

impl Stage {
    fn new(flags: &[&str], stderr: Stdio) -> Self {
        let served = Served::of(&endpoint("scorer", 600.0));
        let directory = Directory::new();
        let config = directory.configure(&served.url, &everything("repair"));
        let daemon = Daemon::unheard(&config, flags, stderr);
        Self { served, _directory: directory, daemon }
    }

    /// Passes go on, and put right what somebody changes.
    fn repairs(&self) {
        self.served.change(edited(700.0));
        wait("the repair", || (self.served.target_value("scorer") == Some(600.0)).then_some(()));
    }

    fn dropped(&self) -> f64 {
        self.daemon.metric("setpoint_log_lines_dropped_total", &[]).unwrap()
    }

    fn ends_in_order(mut self) {
        let asked = Instant::now();
        self.daemon.signal("-TERM");
        assert!(self.daemon.ended());
        assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    }
}

#[test]
fn a_log_that_nobody_hears_is_counted_at_zero() {
    let stage = Stage::new(&[], Stdio::null());
    assert!(stage.dropped().abs() < 0.5);
    stage.ends_in_order();
}

#[test]
fn a_full_disk_under_the_log_costs_lines_and_nothing_else() {
    let stage = Stage::new(&[], full().into());
    stage.repairs();
    assert!(stage.dropped() >= 1.0);
    stage.ends_in_order();
}

#[test]
fn a_reader_of_the_log_that_goes_away_costs_lines_and_nothing_else() {
    let mut stage = Stage::new(&[], Stdio::piped());
    let mut first = String::new();
    BufReader::new(stage.daemon.stderr()).read_line(&mut first).unwrap();
    assert!(first.contains("running") || first.contains("scorer"), "{first}");
    stage.repairs();
    wait("a dropped line", || (stage.dropped() >= 1.0).then_some(()));
    stage.ends_in_order();
}

#[test]
fn a_reader_of_the_log_that_stalls_holds_up_nothing() {
    // Of everything: the pipe is full at once.
    let stage = Stage::new(&["--log-level", "trace"], Stdio::piped());
    stage.repairs();
    wait("a dropped line", || (stage.dropped() >= 1.0).then_some(()));
    stage.ends_in_order();
}

/// Exit code and stderr of a command with this stdout.
fn with_stdout(arguments: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let child = setpoint(arguments).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_a_reader_that_is_gone_is_none_to_speak_of() {
    let served = Served::of(&endpoint("scorer", 900.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let config = config.to_str().unwrap();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["config", "schema"],
        &["config", "show", "--config", config],
        &["config", "check", "--config", config],
        &["calculate", "--max-rps", "20", "--safety-factor", "0.5"],
        &["plan", "--detailed-exitcode", "--config", config],
        &["plan", "--output", "json", "--config", config],
        // What was not shown is not done either.
        &["apply", "--yes", "--config", config],
    ] {
        let (code, stderr) = with_stdout(arguments, full().into());
        assert_eq!(code, Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("error: cannot write the output: No space left"), "{stderr}");
        // As in `| head -1` when head has read enough.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, stderr) = with_stdout(arguments, writer.into());
        assert_eq!(code, Some(141), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panic") && !stderr.contains("error"), "{stderr}");
    }
    assert_eq!(served.target_value("scorer"), Some(900.0));
    // An error that cannot be told is one all the same.
    let status = setpoint(&["plan", "--config", "/no/such.yaml"])
        .stdout(Stdio::null())
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_pipe_in_place_of_the_memory_or_the_token_holds_up_neither_passes_nor_the_end() {
    let served = Served::of(&endpoint("scorer", 700.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    for pipe in [directory.memory(), directory.token()] {
        let _ = std::fs::remove_file(&pipe);
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    }
    let mut daemon = Daemon::ready(&config, &[]);
    let told = |view: &Value| view.to_string().contains("a pipe or a device");
    daemon.until("scorer", "a pass that says it", told);
    let (status, body) = daemon.post("/-/reconcile", &Value::Null);
    assert_eq!(status, 403, "{body}");
    assert_eq!(served.target_value("scorer"), Some(700.0), "nothing is written without a memory");
    let asked = Instant::now();
    daemon.signal("-TERM");
    assert!(daemon.ended(), "{}", daemon.log());
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[test]
fn kill_9_while_the_memory_is_saved_leaves_a_whole_one_and_nothing_beside_it() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    for kill in 0..8_u64 {
        let mut daemon = Daemon::start(&config, &[]);
        let foreign = 700.0 + kill as f64;
        served.change(edited(foreign));
        // Anywhere in the saves of the first passes.
        std::thread::sleep(Duration::from_millis(40 + 37 * kill));
        daemon.signal("-KILL");
        assert!(!daemon.ended());
        let Ok(text) = std::fs::read_to_string(directory.memory()) else { continue };
        let memory: Value = serde_json::from_str(&text).expect("a whole document");
        assert_eq!(memory["version"], 2);
    }
    let daemon = Daemon::ready(&config, &[]);
    daemon.until("scorer", "a memory", |view| view["memory"]["adopted"] == true);
    assert!(!with_name(directory.memory().parent().unwrap(), "set-aside"), "nothing was damaged");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(directory.memory()).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

fn with_name(folder: &Path, part: &str) -> bool {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains(part))
}
