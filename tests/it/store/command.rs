//! `setpoint history`, over a file that no daemon has open.

use std::path::Path;
use std::process::{Command, Output};

use setpoint::store::{Store, StoreSettings};

use super::{pass, with_minute};
use crate::fixtures;

fn run(path: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_setpoint"))
        .args(["history", "--file"])
        .arg(path)
        .args(arguments)
        .env_remove("SETPOINT_CONFIG")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn a_file_is_told_as_table_json_and_csv() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let keep = chrono::TimeDelta::days(90);
    let settings = StoreSettings::new(Some(path.clone()), keep, 64 << 20);
    let store = Store::new(settings);
    let both = |status: fn(&str) -> _| vec![with_minute(status("a"), 0, 700.0), status("b")];
    store.record(pass(0, both(fixtures::in_sync))).await;
    store.record(pass(1, both(fixtures::held))).await;
    let busy = run(&path, &["a/AllTraffic"]);
    assert_eq!(busy.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&busy.stderr).contains("another process has it open"));
    store.close().await;

    let since = ["--since", "2026-11-23T00:00:00Z"];
    let table = text(&run(&path, &[&["a/AllTraffic"], &since[..]].concat()));
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("WHEN") && lines.len() > 3, "{table}");
    assert!(
        table.contains("a foreign hand") && table.contains("target_value 600 -> 900"),
        "{table}"
    );
    let json = text(&run(&path, &[&["a/AllTraffic", "-o", "json"], &since[..]].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["events"].as_array().unwrap().len(), lines.len() - 1);
    let csv = text(&run(&path, &[&["a/AllTraffic", "-o", "csv"], &since[..]].concat()));
    assert_eq!(csv.lines().next(), Some("at,not_before,kind,who,field,before,after,code,sentence"));
    assert_eq!(csv.lines().count(), lines.len());
    let hours =
        text(&run(&path, &[&["a/AllTraffic", "--hours", "-o", "csv"], &since[..]].concat()));
    let mut rows = csv::Reader::from_reader(hours.as_bytes());
    let bad = rows.headers().unwrap().iter().position(|head| head == "bad_minutes").unwrap();
    assert_eq!(rows.records().next().unwrap().unwrap().get(bad), Some("1"));
    let hours = text(&run(&path, &[&["a/AllTraffic", "--hours"], &since[..]].concat()));
    assert!(hours.contains("1 of 1"), "{hours}");

    let missing = run(&path, &["nobody/AllTraffic"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nothing is kept of nobody"));
    for (arguments, code) in [(&["a"][..], 64), (&["a/AllTraffic", "--since", "soon"], 64)] {
        assert_eq!(run(&path, arguments).status.code(), Some(code), "{arguments:?}");
    }
    let none = run(&folder.path().join("none.redb"), &["a/AllTraffic"]);
    assert!(!folder.path().join("none.redb").exists(), "and none is made");
    assert!(String::from_utf8_lossy(&none.stderr).contains("no such file"));
}
