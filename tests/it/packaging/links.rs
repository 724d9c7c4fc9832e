//! The documentation: links lead somewhere, and what the program is said to print is what it prints.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{root, stdout};

/// Everything in Markdown that people read, with its text.
pub(super) fn pages() -> Vec<(PathBuf, String)> {
    let mut folders = vec![root("docs"), root("iam"), root("helm/setpoint")];
    let mut files = Vec::new();
    let top = std::fs::read_dir(root(".")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(top.filter(|path| path.is_file()));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The text outside of code, in which brackets are links.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // Every second part of a line lies between backticks.
            let parts = line.split('`').enumerate();
            lines.push(
                parts.filter(|(at, _)| at % 2 == 0).map(|(_, part)| part).collect::<String>(),
            );
        }
    }
    lines.join("\n")
}

/// What `[...](here)` and `![...](here)` point to, and `src="here"` of pictures.
fn targets(text: &str) -> Vec<String> {
    let in_brackets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let in_tags = text.split("src=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let sets = text.split("srcset=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    in_brackets.chain(in_tags).chain(sets).map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) else { continue };
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        anchors.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    anchors
}

/// Why a link leads nowhere; nothing when it leads somewhere, or out of the repository.
fn broken(page: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { page.to_owned() } else { page.parent()?.join(path) };
    if !file.exists() {
        return Some(format!("{}: {target}: there is no such file", page.display()));
    }
    let markdown = file.extension().is_some_and(|extension| extension == "md");
    if anchor.is_empty() || !markdown {
        return None;
    }
    let there =
        if path.is_empty() { text.to_owned() } else { std::fs::read_to_string(&file).unwrap() };
    let found = anchors(&there).contains(anchor);
    (!found).then(|| format!("{}: {target}: no heading has this anchor", page.display()))
}

#[test]
fn links_of_the_documentation_lead_somewhere() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        for target in targets(&prose(&text)) {
            seen += 1;
            wrong.extend(broken(&page, &text, &target));
        }
    }
    assert!(seen > 200, "{seen} links");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = root("README.md");
    let text = "# One\n[a](docs/nowhere.md) [b](#two) [c](#one) [d](docs/api.md#limits) [e](docs/api.md#no)";
    let wrong: Vec<_> = targets(text).iter().filter_map(|t| broken(&page, text, t)).collect();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}

/// Every page of the documentation can be reached from the README by links.
#[test]
fn every_page_is_reached_from_the_readme() {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![root("README.md")];
    while let Some(page) = waiting.pop() {
        let page = page.canonicalize().unwrap();
        if !reached.insert(page.clone()) || page.extension().is_none_or(|e| e != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&page).unwrap();
        for target in targets(&prose(&text)) {
            let path = target.split('#').next().unwrap_or_default();
            let file = page.parent().unwrap().join(path);
            if !path.is_empty() && !path.contains("://") && file.is_file() {
                waiting.push(file);
            } else if !path.is_empty() && file.is_dir() {
                // A folder shows all that is in it.
                let inside = std::fs::read_dir(file).unwrap().map(|entry| entry.unwrap().path());
                waiting.extend(inside.filter(|path| path.is_file()));
            }
        }
    }
    let lost: Vec<_> = pages()
        .into_iter()
        .map(|(page, _)| page)
        .filter(|page| {
            page.starts_with(root("docs")) && !reached.contains(&page.canonicalize().unwrap())
        })
        .collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

/// The lines between two marks of the README, without the fence.
pub(super) fn sample(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root("README.md")).unwrap();
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("the README lacks {begin}"));
    let (inside, _) = rest.split_once(&end).unwrap();
    let lines = inside.trim().lines().filter(|line| !line.starts_with("```"));
    lines.map(str::to_owned).collect()
}

/// What is shown as the output of `calculate` anywhere is its output.
#[test]
fn calculations_in_the_documentation_are_the_programs() {
    let mut compared = 0;
    for (page, text) in pages() {
        for block in text.split("```console\n").skip(1) {
            let (block, _) = block.split_once("```").unwrap();
            let mut lines = block.lines();
            let command = lines.next().unwrap_or_default();
            let Some(arguments) = command.strip_prefix("$ setpoint calculate --") else { continue };
            let arguments = format!("--{arguments}");
            let mut calculate = Command::new(env!("CARGO_BIN_EXE_setpoint"));
            let output = calculate.arg("calculate").args(arguments.split(' ')).output().unwrap();
            let shown: Vec<_> = lines.collect();
            let printed = stdout(&output);
            assert_eq!(shown, printed.lines().collect::<Vec<_>>(), "{}: {command}", page.display());
            compared += 1;
        }
    }
    assert!(compared >= 3, "{compared}");
}

/// The README's plan is made of whole lines of a plan that the program renders, in their order.
#[test]
fn the_plan_of_the_readme_is_one_that_the_program_renders() {
    let rendered = std::fs::read_to_string(root("tests/it/golden/plan.txt")).unwrap();
    let mut rendered = rendered.lines();
    let shown = sample("plan");
    assert!(shown.len() > 8, "{shown:#?}");
    for line in shown {
        assert!(
            rendered.any(|own| own == line),
            "not a line of a plan, or not in its order: {line}"
        );
    }
}
