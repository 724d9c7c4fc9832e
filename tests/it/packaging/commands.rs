//! Every command that the documentation tells people to type exists, with every flag it is given.

use std::collections::BTreeMap;
use std::process::Command;

use super::links::pages;
use super::stdout;

/// The commands of a page, as words after `setpoint`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let (mut fenced, mut shell) = (false, false);
    let mut whole = String::new();
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            shell = !fenced && matches!(language, "sh" | "console" | "bash");
            fenced = !fenced;
            continue;
        }
        if fenced && !shell {
            continue;
        }
        if !shell {
            // Every second part of a line lies between backticks.
            let spans = line.split('`').skip(1).step_by(2);
            let typed = spans.filter_map(|span| span.strip_prefix("setpoint "));
            found.extend(typed.map(|typed| typed.split_whitespace().map(str::to_owned).collect()));
            continue;
        }
        // A line that goes on, and what a person does not type.
        if let Some(part) = line.strip_suffix('\\') {
            whole.push_str(part);
            continue;
        }
        whole.push_str(line);
        let typed = whole.split(" #").next().unwrap_or_default().to_owned();
        whole.clear();
        let words: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
        let begins = words.iter().enumerate().position(|(at, word)| {
            let before = at.checked_sub(1).map(|at| words[at].as_str());
            // By itself, in a pod, in a container of the image.
            word == "setpoint" && matches!(before, None | Some("$" | "--" | "--rm"))
        });
        if let Some(at) = begins {
            found.push(words[at + 1..].to_vec());
        }
    }
    found
}

fn help(cache: &mut BTreeMap<Vec<String>, String>, words: &[String]) -> String {
    let asked = cache.entry(words.to_vec()).or_insert_with(|| {
        let mut setpoint = Command::new(env!("CARGO_BIN_EXE_setpoint"));
        let output = setpoint.args(words).arg("--help").output().unwrap();
        if output.status.success() { stdout(&output) } else { String::new() }
    });
    asked.clone()
}

#[test]
fn every_command_of_the_documentation_exists_with_its_flags() {
    let mut cache = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (page, text) in pages() {
        // What was, stays as it was.
        if page.ends_with("CHANGELOG.md") {
            continue;
        }
        for words in commands(&text) {
            let is_name = |word: &&String| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let named: Vec<String> = words
                .iter()
                .take(2)
                .take_while(is_name)
                .filter(|w| !w.starts_with('-'))
                .cloned()
                .collect();
            let Some(first) = named.first() else { continue };
            seen += 1;
            let typed = format!("{}: setpoint {}", page.display(), words.join(" "));
            let mut of_it = help(&mut cache, std::slice::from_ref(first));
            if of_it.is_empty() {
                wrong.push(format!("{typed}: there is no such command"));
                continue;
            }
            if of_it.contains("\nCommands:\n") && named.len() == 2 {
                of_it = help(&mut cache, &named);
                if of_it.is_empty() {
                    wrong.push(format!("{typed}: there is no such command"));
                }
            }
            for word in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
                let flag = word.split('=').next().unwrap_or_default();
                let known = of_it
                    .split(|c: char| c.is_whitespace() || c == ',')
                    .any(|w| w.split(['=', '[']).next() == Some(flag));
                if !known {
                    wrong.push(format!("{typed}: it has no {flag}"));
                }
            }
        }
    }
    assert!(seen > 60, "{seen} commands");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
