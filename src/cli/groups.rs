//! The commands by what people want to do: the help of `setpoint`, and the order of the reference. A
//! command that is in no group fails a test, and is shown all the same.

use std::fmt::Write as _;

use anstyle::Style;
use clap::Command;

/// What people want to do, and the commands for it in the order in which they are shown.
pub(super) const GROUPS: [(&str, &[&str]); 5] = [
    ("Run it", &["run", "plan", "apply"]),
    (
        "Ask the daemon",
        &["get", "explain", "history", "check", "pause", "resume", "confirm", "reload"],
    ),
    (
        "Work out a number",
        &["calculate", "calibrate", "recommend", "whatif", "report", "export", "replay"],
    ),
    ("Set up", &["audit", "import", "init", "config", "doctor", "completions", "man"]),
    ("Try out", &["demo", "simulate"]),
];

/// What the group of a command without one is called.
const OTHERS: &str = "More";

/// The commands of a program by their groups.
pub(super) fn grouped(program: &Command) -> Vec<(&'static str, Vec<&Command>)> {
    let visible = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    let find =
        |name: &&str| program.get_subcommands().filter(visible).find(|c| c.get_name() == *name);
    let mut groups: Vec<(&'static str, Vec<&Command>)> = GROUPS
        .iter()
        .map(|(title, names)| (*title, names.iter().filter_map(find).collect()))
        .collect();
    let known =
        |command: &&Command| GROUPS.iter().any(|(_, names)| names.contains(&command.get_name()));
    let others: Vec<&Command> =
        program.get_subcommands().filter(visible).filter(|command| !known(command)).collect();
    groups.push((OTHERS, others));
    groups.retain(|(_, commands)| !commands.is_empty());
    groups
}

/// The program with its commands in groups.
pub(super) fn with_groups(program: Command, width: usize) -> Command {
    let header = program.get_styles().get_header().to_owned();
    let literal = program.get_styles().get_literal().to_owned();
    let mut text = String::new();
    let names = program.get_subcommands().map(|command| command.get_name().len());
    let column = names.max().unwrap_or_default();
    for (title, commands) in grouped(&program) {
        let _ = writeln!(text, "{header}{title}:{header:#}");
        for command in commands {
            one(&mut text, command, &literal, column, width);
        }
        text.push('\n');
    }
    program.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{text}{header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

fn one(text: &mut String, command: &Command, literal: &Style, column: usize, width: usize) {
    let name = command.get_name();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let about = first_sentence(&about);
    let room = width.saturating_sub(column + 4).max(30);
    for (at, line) in wrapped(about, room).into_iter().enumerate() {
        if at == 0 {
            let _ = writeln!(text, "  {literal}{name:<column$}{literal:#}  {line}");
        } else {
            let _ = writeln!(text, "  {:<column$}  {line}", "");
        }
    }
}

/// Up to the end of the first sentence, or of its first clause.
fn first_sentence(text: &str) -> &str {
    let line = text.split('\n').next().unwrap_or_default();
    let end = [". ", ": ", "; "].iter().filter_map(|stop| line.find(stop)).min();
    line[..end.unwrap_or(line.len())].trim_end_matches('.')
}

/// Lines of at most `room` characters, broken between words.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut();
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::program;

    #[test]
    fn every_command_is_in_one_group() {
        let program = program();
        for (title, commands) in grouped(&program) {
            let names: Vec<&str> = commands.iter().map(|command| command.get_name()).collect();
            assert_ne!(title, OTHERS, "put {names:?} into src/cli/groups.rs");
        }
        let mut all: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "a command is in two groups");
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
        assert_eq!(first_sentence("Do it. Then more."), "Do it");
    }
}
