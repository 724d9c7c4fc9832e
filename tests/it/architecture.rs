//! Who may use whom, and what no file may contain. The rules are those of the architecture page:
//! a module that is not listed in `ALLOWED` is a violation, so that a new one must be placed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Each top-level module and the modules it may use. That the list has no cycle is checked below.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("estimate", &["model"]),
    ("decide", &["model", "estimate"]),
    ("ports", &["model"]),
    ("observe", &["model", "ports"]),
    ("act", &["model", "ports"]),
    ("reconcile", &["model", "estimate", "decide", "ports", "observe", "act"]),
    ("metrics", &["model", "ports"]),
    ("render", &["model"]),
    ("http", &["model", "config", "metrics", "render"]),
    ("daemon", &["model", "ports", "config", "decide", "reconcile", "metrics", "http"]),
    ("aws", &["model", "ports"]),
    ("k8s", &["model", "ports"]),
    ("sim", &["model", "ports"]),
    ("memory", &["model", "ports"]),
    ("system", &["model", "ports"]),
    ("replay", &["model", "estimate", "decide"]),
    ("grade", &["model", "ports", "replay", "sim"]),
    ("telemetry", &["config"]),
    ("cli", &["*"]),
    ("lib", &[]),
    ("main", &["*"]),
];

/// The hard limit of a file's length, in lines.
const LINES_MAX: usize = 500;

/// A source file: its path below `src`, with slashes, and its text.
type Source = (String, String);

fn sources(dir: &Path, below: &str, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            sources(&path, &format!("{name}/"), found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The text without `//` comments: what they name is not used.
fn code(text: &str) -> String {
    let uncommented = |line: &str| {
        let start = line.trim_start();
        if start.starts_with("//") { String::new() } else { line.to_owned() }
    };
    text.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

/// The top-level modules that a file names by `crate::m` or `crate::{m, n::o}`.
fn uses(path: &str, text: &str) -> BTreeSet<String> {
    let root = if module(path) == "main" { "setpoint::" } else { "crate::" };
    let word = |s: &str| -> String {
        s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let code = code(text);
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(root) {
        let rest = &code[at + root.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut first = true;
            for (i, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => first = true,
                    c if c.is_whitespace() => {}
                    _ if first && depth == 0 => {
                        found.insert(word(&list[i..]));
                        first = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.insert(word(rest));
        }
    }
    found
}

fn violations(sources: &[Source]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut found = Vec::new();
    for (path, text) in sources {
        let own = module(path);
        match allowed.get(own) {
            None => found.push(format!("{path}: module {own} has no place in the architecture")),
            Some(may) if may.contains(&"*") => {}
            Some(may) => {
                for used in uses(path, text) {
                    // Only modules count: `crate::VERSION` is an item of the root.
                    if used != own
                        && allowed.contains_key(used.as_str())
                        && !may.contains(&used.as_str())
                    {
                        found.push(format!("{path}: {own} may not use {used}"));
                    }
                }
            }
        }
        found.extend(habits(path, text));
    }
    found
}

fn habits(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (own, code) = (module(path), code(text));
    for sdk in ["aws_sdk_", "aws_config"] {
        if own != "aws" && code.contains(sdk) {
            found.push(format!("{path}: only aws may name {sdk}"));
        }
    }
    if own != "k8s" && code.contains("kube::") {
        found.push(format!("{path}: only k8s may name kube"));
    }
    if text.lines().count() > LINES_MAX {
        found.push(format!("{path}: {} lines, at most {LINES_MAX}", text.lines().count()));
    }
    if !text.starts_with("//! ") {
        found.push(format!("{path}: does not begin with its purpose (//!)"));
    }
    for word in [concat!("todo", "!"), concat!("unimplemented", "!"), concat!("dbg", "!")] {
        if code.contains(word) {
            found.push(format!("{path}: contains {word}"));
        }
    }
    for marker in ["#[allow(", "#![allow(", "#[expect(", "#![expect("] {
        for (at, _) in code.match_indices(marker) {
            let attribute = code[at..].split(']').next().unwrap_or_default();
            if !attribute.contains("reason") {
                found.push(format!("{path}: {marker} without a reason"));
            }
        }
    }
    found
}

#[test]
fn the_source_keeps_to_the_architecture() {
    let mut all = Vec::new();
    sources(Path::new("src"), "", &mut all);
    assert!(all.len() > 30, "only {} files found", all.len());
    let found = violations(&all);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn tests_keep_to_the_habits() {
    let mut all = Vec::new();
    sources(Path::new("tests"), "", &mut all);
    let long = |s: &&Source| s.1.lines().count() > LINES_MAX || !s.1.starts_with("//! ");
    let found: Vec<_> = all.iter().filter(long).map(|s| &s.0).collect();
    assert!(found.is_empty(), "too long or without a purpose line: {found:?}");
}

#[test]
fn the_rules_have_no_cycle() {
    // A module is settled when all that it may use is; what is left over is in a cycle.
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    loop {
        let ready = |(own, may): &&(&'static str, &[&str])| {
            !settled.contains(own) && may.iter().all(|m| *m == "*" || settled.contains(m))
        };
        let next: Vec<&str> = ALLOWED.iter().filter(ready).map(|(own, _)| *own).collect();
        if next.is_empty() {
            break;
        }
        settled.extend(next);
    }
    assert_eq!(settled.len(), ALLOWED.len(), "settled only {settled:?}");
    // The composition root may use everything because nobody uses it.
    assert!(ALLOWED.iter().all(|(_, may)| !may.contains(&"cli")));
}

#[test]
fn the_checker_catches_what_it_is_for() {
    let check = |path: &str, text: &str| {
        violations(&[(path.to_owned(), format!("//! Purpose.\n{text}\n"))])
    };
    for (path, text) in [
        ("model/x.rs", "use crate::ports::Aws;"),
        ("decide/x.rs", "use crate::{\n    model::{ids, units},\n    observe::x,\n};"),
        ("estimate/mod.rs", "fn f() { crate::decide::g() }"),
        ("sim/x.rs", "use crate::aws::client;"),
        ("aws/x.rs", "use crate::sim::World;"),
        ("reconcile.rs", "use crate::cli::CliError;"),
        ("sim/x.rs", "use aws_sdk_cloudwatch::Client;"),
        ("daemon.rs", "use kube::Client;"),
        ("misc/x.rs", "fn f() {}"),
        ("model/x.rs", concat!("fn f() { todo", "!() }")),
        ("model/x.rs", "#[allow(dead_code)]\nfn f() {}"),
    ] {
        assert_eq!(check(path, text).len(), 1, "{path}: {text}");
    }
    assert_eq!(check("model/x.rs", &"\n".repeat(LINES_MAX)).len(), 1);
    assert_eq!(violations(&[("model/x.rs".to_owned(), "fn f() {}\n".to_owned())]).len(), 1);
    for (path, text) in [
        ("decide/x.rs", "use crate::{estimate::y, model::{observe, ids}};"),
        ("model/x.rs", "/// Unlike [`crate::ports`].\nuse crate::model::ids;"),
        ("model/x.rs", "#[expect(clippy::panic, reason = \"a bug\")]\nfn f() {}"),
        ("aws/x.rs", "use aws_sdk_cloudwatch::Client;"),
        ("cli/x.rs", "use crate::{aws, sim};"),
    ] {
        assert!(check(path, text).is_empty(), "{path}: {text}: {:?}", check(path, text));
    }
}
