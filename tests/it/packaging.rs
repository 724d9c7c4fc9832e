//! Tests of what is installed: the chart, its dashboards and alert rules, IAM policies, the image.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::panic, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "what was not tested must be seen")]

mod alerting;
mod chart;
mod commands;
mod config_check;
mod dashboards;
mod demo;
mod denied;
mod documents;
mod knobs;
mod links;
mod monitoring;
mod places;
mod sharded;

pub(crate) use documents::json as json_of;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A path of the repository.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A third-party tool that `tests/setup` installs: the first of these that exists. None, with a
/// line that names it and the test, when there is none; in CI that is a failure.
fn tool(test: &str, candidates: &[PathBuf]) -> Option<PathBuf> {
    let found = candidates.iter().find(|path| path.exists());
    if found.is_none() {
        let names: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        let missing = format!("{} is missing (run tests/setup)", names.join(" or "));
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        println!("skipped: packaging::{test}: {missing}");
    }
    found.cloned()
}

/// A tool of the Python environment.
fn python_tool(test: &str, name: &str) -> Option<PathBuf> {
    tool(test, &[root(".ci/cache/venv/bin").join(name)])
}

/// A tool of the operating system.
fn system_tool(test: &str, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates: Vec<_> = std::env::split_paths(&path).map(|dir| dir.join(name)).collect();
    tool(test, &candidates)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs it; its stdout, or a panic with all that it said.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{}", stdout(&output));
    stdout(&output)
}

/// A new directory that goes away with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("setpoint-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
