//! boto3 against the served world: `tests/boto3/smoke.py`, where a Python with boto3 is to be had.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::binary::Served;

/// `$SETPOINT_TEST_PYTHON`, or the environment that `tests/run` installs.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("SETPOINT_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root.join(".ci/cache/venv/bin/python"));
    let usable = Command::new(&python).args(["-c", "import boto3"]).output();
    usable.is_ok_and(|output| output.status.success()).then_some(python)
}

#[test]
fn boto3_reads_and_writes_the_embedded_aws() {
    let Some(python) = python() else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "no Python with boto3 at $SETPOINT_TEST_PYTHON or .ci/cache/venv/bin/python"
        );
        println!("skipped: boto3_reads_and_writes_the_embedded_aws (no Python with boto3)");
        return;
    };
    let served = Served::start(&["--step"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/smoke.py");
    let output = Command::new(python).arg(script).arg(&served.url).output().expect("Python runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 4, "a line a service");
}
