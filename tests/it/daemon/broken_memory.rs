//! A plan without its memory: it says so, shows no write that `apply` would refuse, and exits 3.

use std::path::Path;

use serde_json::{Value, json};

use super::process::{Directory, Served, endpoint, everything, run};

/// What it is, how it gets there, and what a plan says of it.
type Broken = (&'static str, fn(&Path), &'static str);

/// What may stand in the place of a memory.
const BROKEN: [Broken; 6] = [
    ("a directory", |file| std::fs::create_dir(file).unwrap(), "directory"),
    ("a pipe", |file| pipe(file), "a pipe"),
    ("nothing at all", |file| write(file, ""), "it is empty"),
    ("a page", |file| write(file, "<html>404</html>"), "not a memory of setpoint"),
    ("a list", |file| write(file, "[]"), "not a memory of setpoint"),
    ("an object", |file| write(file, "{}"), "not a memory of setpoint"),
];

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
}

fn pipe(file: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
}

#[test]
fn a_plan_without_its_memory_shows_no_write_and_exits_3() {
    let served = Served::of(&endpoint("scorer", 600.0));
    for drifted in [false, true] {
        if drifted {
            served.change(
                json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}),
            );
        }
        for (what, place, words) in BROKEN {
            let directory = Directory::new();
            let file = directory.memory();
            place(&file);
            let config = directory.configure(&served.url, &everything("repair"));
            let config = config.to_str().unwrap();
            for flags in [&["--detailed-exitcode"][..], &[]] {
                let (code, out, err) = run(&[&["plan", "--config", config], flags].concat());
                assert_eq!(code, Some(3), "{what}: {out}{err}");
                assert!(out.contains("? The memory cannot be read: "), "{what}: {out}");
                assert!(out.contains(words), "{what}: {out}");
                assert!(out.ends_with("; the memory could not be read.\n"), "{what}: {out}");
                assert!(!out.contains("to change"), "{what}: {out}");
            }
            let (_, out, _) = run(&["plan", "--config", config, "-o", "json"]);
            let plan: Value = serde_json::from_str(&out).unwrap();
            assert_eq!(plan["summary"]["memory_unread"], true, "{what}");
            assert_ne!(plan["memory"]["unread"], Value::Null, "{what}");
            assert_eq!(plan["summary"]["held"], u64::from(drifted), "{what}: {out}");
            // It says what `apply` does.
            let (code, out, err) = run(&["apply", "--yes", "--config", config]);
            assert_eq!(code, Some(3), "{what}: {out}{err}");
            assert!(out.ends_with("Nothing to write.\n"), "{what}: {out}");
        }
    }
    assert_eq!(served.target_value("scorer"), Some(700.0));
}
