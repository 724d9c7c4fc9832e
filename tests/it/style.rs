//! The documentation is in the plain English of an SRE's tools: phrases that are not have a plain substitute.

use std::path::{Path, PathBuf};

/// What to avoid, as whole words in lower case, and what to write instead.
const AVOID: &[(&str, &str)] = &[
    ("anew", "again"),
    ("is told", "setpoint reports"),
    ("are told", "setpoint reports"),
    ("tells of", "describes, or reports"),
    ("told once", "reported once"),
    ("whose it is", "who owns it"),
    ("nobody", "no one, or the passive"),
    ("is no", "is not a"),
    ("are no", "are not"),
    ("begins again", "starts over"),
    ("begin again", "start over"),
    ("began again", "started over"),
    ("as far as", "if, or where"),
    ("beside", "next to, or in addition to"),
    ("of which", "two sentences"),
    ("what becomes of", "what happens to"),
    ("what became of", "what happened to"),
    ("comes to its end", "finishes"),
    ("come to their ends", "finish"),
    ("looked after", "watched"),
    ("made again", "recreated"),
    ("makes it again", "recreates it"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("as ever", "as before, or as usual"),
    ("to and fro", "back and forth"),
    ("for it is", "because it is"),
    ("for want of", "because there is not enough"),
];

/// Plain English that contains one of the above.
const FINE: &[&str] =
    &["there is no", "there are no", "is no longer", "are no longer", "are told apart"];

/// The words outside of code, in lower case, with their lines. What is neither a word nor a space,
/// code included, is an empty word: no phrase goes across it.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut fenced, mut code) = (false, false);
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        // Code between backticks may go on in the next line, and ends with its paragraph.
        code &= !line.trim().is_empty();
        let mut inside = false;
        for c in line.chars().filter(|_| !fenced) {
            code ^= c == '`';
            let part = !code && (c.is_alphanumeric() || c == '\'');
            if part && inside {
                found.last_mut().unwrap().1.extend(c.to_lowercase());
            } else if part {
                found.push((at + 1, c.to_lowercase().collect()));
            } else if code || !c.is_whitespace() {
                found.push((at + 1, String::new()));
            }
            inside = part;
        }
    }
    found
}

/// Each place of a phrase to avoid: the line, the phrase, and what to write instead.
fn faults(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let words = words(text);
    let is_at = |phrase: &str, at: usize| {
        phrase.split(' ').enumerate().all(|(n, p)| words.get(at + n).is_some_and(|w| w.1 == p))
    };
    // Whether a phrase that is fine begins here or one word before.
    let is_fine =
        |at: usize| FINE.iter().any(|fine| is_at(fine, at) || at > 0 && is_at(fine, at - 1));
    let mut found = Vec::new();
    for (at, (line, _)) in words.iter().enumerate() {
        let here = AVOID.iter().filter(|(phrase, _)| is_at(phrase, at) && !is_fine(at));
        found.extend(here.map(|(phrase, instead)| (*line, *phrase, *instead)));
    }
    found
}

#[test]
fn a_phrase_is_found_across_lines_and_not_in_code() {
    let text = "It is\nno clock.\n\n`nobody` is, no longer: it is no longer; Nobody's\n\n```\nanew\n```\nAnew.";
    assert_eq!(faults(text), [(1, "is no", "is not a"), (9, "anew", "again")]);
}

#[test]
fn the_documentation_is_in_plain_english() {
    // Generated from the program's own texts.
    let generated = ["docs/cli.md", "docs/metrics.md", "docs/decisions"].map(Path::new);
    let mut pages = vec![PathBuf::from("README.md"), "helm/setpoint/templates/NOTES.txt".into()];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension() {
                _ if generated.contains(&path.as_path()) => {}
                Some(extension) if extension == "md" => pages.push(path),
                _ if path.is_dir() => folders.push(path),
                _ => {}
            }
        }
    }
    assert!(pages.len() > 50, "{}", pages.len());
    let mut found = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let here = faults(&text).into_iter().map(|(line, phrase, instead)| {
            format!("{}:{line}: \"{phrase}\": write {instead}", page.display())
        });
        found.extend(here);
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The strings of a program's text with the lines that they begin in: everything but comments, test
/// modules, and words of one piece.
fn strings(text: &str) -> Vec<(usize, String)> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("'\"'") || rest.starts_with("b'\"'") {
            rest.find("\"'").map_or(1, |at| at + 2)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            3 + raw.find("\"#").map_or(raw.len(), |at| at + 2)
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let end = end.map_or(rest.len(), |end| end + 2);
            found.push((line, rest[1..end - 1].replace("\\\n", " ")));
            end
        } else {
            c.len_utf8()
        };
        line += rest[..skipped].matches('\n').count();
        rest = &rest[skipped..];
    }
    found.retain(|(_, string)| string.contains(' '));
    found
}

#[test]
fn strings_are_found_and_comments_and_tests_are_not() {
    let text = "// \"anew and\"\nlet a = ('\"', \"one \\\"two\");\nlet b = \"x\\\n  y\"; // z\n\
                #[cfg(test)]\n\"never a\"";
    let wanted = [(2, "one \\\"two".to_owned()), (3, "x   y".to_owned())];
    assert_eq!(strings(text), wanted);
}

#[test]
fn what_the_program_says_is_in_plain_english() {
    let mut folders: Vec<PathBuf> = ["src", "crates"].map(PathBuf::from).into();
    let (mut found, mut read) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if !is_test && path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                read += 1;
                for (line, string) in strings(&text) {
                    found.extend(faults(&string).into_iter().map(|(_, phrase, instead)| {
                        format!("{}:{line}: \"{phrase}\": write {instead}", path.display())
                    }));
                }
            }
        }
    }
    assert!(read > 300 && found.is_empty(), "{read}: {found:#?}");
}
