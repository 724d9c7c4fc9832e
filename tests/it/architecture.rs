//! Who may use whom, and what no file may contain. The rules are those of the architecture page:
//! a module that is not listed in `ALLOWED` is a violation, so that a new one must be placed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The page whose table is the law.
const PAGE: &str = include_str!("../../docs/architecture.md");

/// Each room and the rooms it may use, as the table of the page says it; `*` is everything.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, room, place, _, uses, _] = cells[..] else { return None };
        let in_crate = place.starts_with("`crates/") || place == "`src`";
        let room = room.strip_prefix('`')?.strip_suffix('`').filter(|_| in_crate)?;
        let uses = match uses {
            "nothing" => vec![],
            "everything" => vec!["*"],
            listed => listed.split(", ").map(|word| word.trim_matches('`')).collect(),
        };
        Some((room, uses))
    };
    PAGE.lines().filter_map(row).collect()
}

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

/// The room of a file below `src` or `crates`: a crate is one, and `core` has one for each folder.
fn module(path: &str) -> &str {
    let mut parts = path.split('/');
    let first = parts.next().unwrap();
    let room = match (first, parts.clone().next()) {
        ("core", Some("src")) => parts.nth(1).unwrap_or(first),
        _ => first,
    };
    room.trim_end_matches(".rs")
}

/// The text without `//` comments: what they name is not used.
fn code(text: &str) -> String {
    let uncommented = |line: &str| {
        let start = line.trim_start();
        if start.starts_with("//") { String::new() } else { line.to_owned() }
    };
    text.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

/// The rooms that a file names by `crate::m` or `crate::{m, n::o}`, in a crate of its own by
/// `setpoint_core::m`.
fn uses(path: &str, text: &str) -> BTreeSet<String> {
    let root = match module(path) {
        "main" => "setpoint::",
        "aws" | "k8s" | "sim" => "setpoint_core::",
        _ => "crate::",
    };
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
    let allowed = allowed();
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
    // Everything else of std and anstream that prints panics when it cannot.
    for prints in [concat!("anstream", "::"), "io::stdout().lock", "io::stderr().lock"] {
        let may = ["cli/out.rs", "cli/export.rs", "cli/replay.rs"].contains(&path);
        if !may && code.contains(prints) {
            found.push(format!("{path}: only cli/out.rs may print ({prints})"));
        }
    }
    if own != "k8s" && code.contains("kube::") {
        found.push(format!("{path}: only k8s may name kube"));
    }
    // Decisions are made of reasons; what a reader makes of one is in its class.
    if !["decide", "model"].contains(&own) && matches_reasons(&code) {
        found.push(format!("{path}: matches on reasons: that belongs into Reason::class"));
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

/// Whether it has a pattern of reasons: one of several, or an arm of a match.
fn matches_reasons(code: &str) -> bool {
    code.match_indices("Reason::").any(|(at, path)| {
        let (before, after) = (code[..at].trim_end(), &code[at + path.len()..]);
        let rest = after.trim_start_matches(char::is_alphanumeric);
        let compared = before.ends_with("==") || before.ends_with("!=");
        let other =
            compared || before.ends_with(char::is_alphanumeric) || rest.len() == after.len();
        let next = rest.trim_start().trim_start_matches(')').trim_start();
        let arm = next.starts_with("=>") || next.starts_with("if ");
        let several = next.starts_with('|') && !next.starts_with("||");
        !other && (arm || several)
    })
}

#[test]
fn a_match_on_reasons_is_found() {
    for it in ["Reason::A => 1", "(_, Some(Reason::A)) => 1", "m!(r, Reason::A\n| Reason::B)"] {
        assert!(matches_reasons(it), "{it}");
    }
    for not in
        ["x if r == Reason::A => 1", "(r, Reason::A)", "DropReason::A => 1", "Reason::ALL.iter()"]
    {
        assert!(!matches_reasons(not), "{not}");
    }
    assert!(!matches_reasons("r == Reason::A || other"));
}

#[test]
fn the_source_keeps_to_the_architecture() {
    let mut all = Vec::new();
    sources(Path::new("src"), "", &mut all);
    for room in ["core", "aws", "k8s", "serve", "sim"] {
        let dir = format!("crates/{room}/src");
        sources(Path::new(&dir), &format!("{room}/src/"), &mut all);
    }
    assert!(all.len() > 200, "only {} files found", all.len());
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
    // A room is settled when all that it may use is; what is left over is in a cycle.
    let allowed = allowed();
    assert!(allowed.len() > 20, "the table of the page was not found: {allowed:?}");
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    loop {
        let ready = |own: &str, may: &[&str]| {
            !settled.contains(own) && may.iter().all(|m| *m == "*" || settled.contains(m))
        };
        let next: Vec<&str> =
            allowed.iter().filter(|(own, may)| ready(own, may)).map(|(own, _)| *own).collect();
        if next.is_empty() {
            break;
        }
        settled.extend(next);
    }
    assert_eq!(settled.len(), allowed.len(), "settled only {settled:?}");
    // The composition root may use everything because nobody uses it.
    for nobody in ["cli", "main", "lib"] {
        assert!(allowed.values().all(|may| !may.contains(&nobody)), "{nobody}");
    }
}

#[test]
fn the_checker_catches_what_it_is_for() {
    let check = |path: &str, text: &str| {
        violations(&[(path.to_owned(), format!("//! Purpose.\n{text}\n"))])
    };
    for (path, text) in [
        ("core/src/model/x.rs", "use crate::ports::Aws;"),
        ("core/src/decide/x.rs", "use crate::{\n    model::{ids, units},\n    observe::x,\n};"),
        ("core/src/estimate/mod.rs", "fn f() { crate::decide::g() }"),
        ("core/src/decide/x.rs", "use crate::ports::Aws;"),
        ("aws/src/x.rs", "use setpoint_core::decide::decide;"),
        ("reconcile.rs", "use crate::cli::CliError;"),
        ("sim/src/x.rs", "use aws_sdk_cloudwatch::Client;"),
        ("daemon.rs", "use kube::Client;"),
        ("misc/x.rs", "fn f() {}"),
        ("cli/x.rs", concat!("fn f() { anstream", "::println!() }")),
        ("core/src/model/x.rs", concat!("fn f() { todo", "!() }")),
        ("core/src/model/x.rs", "#[allow(dead_code)]\nfn f() {}"),
    ] {
        assert_eq!(check(path, text).len(), 1, "{path}: {text}");
    }
    assert_eq!(check("model/x.rs", &"\n".repeat(LINES_MAX)).len(), 1);
    assert_eq!(violations(&[("model/x.rs".to_owned(), "fn f() {}\n".to_owned())]).len(), 1);
    for (path, text) in [
        ("core/src/decide/x.rs", "use crate::{estimate::y, model::{observe, ids}};"),
        ("core/src/model/x.rs", "/// Unlike [`crate::ports`].\nuse crate::model::ids;"),
        ("core/src/model/x.rs", "#[expect(clippy::panic, reason = \"a bug\")]\nfn f() {}"),
        ("aws/src/x.rs", "use aws_sdk_cloudwatch::Client;"),
        ("cli/x.rs", "use crate::{aws, sim};"),
    ] {
        assert!(check(path, text).is_empty(), "{path}: {text}: {:?}", check(path, text));
    }
}
