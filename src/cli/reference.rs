//! The reference of the command line, `docs/cli.md`: the help of every command, in the order of the
//! groups.

use std::fmt::Write as _;

use clap::Command;

use super::groups::grouped;
use super::program;

/// The width of the help in it.
const WIDTH: usize = 100;

/// The page, as it must be in `docs/cli.md`.
pub fn reference() -> String {
    let program = steady(program());
    let mut page = String::from(
        "<!-- Generated: UPDATE_EXPECT=1 cargo test --test it command_line:: -->\n# Command line\n\n\
         Every command ends with a code of [one table](plan.md#exit-codes). Colours are for terminals only, \
         and not where `NO_COLOR` is set.\n\n",
    );
    for (title, commands) in grouped(&program) {
        let names: Vec<String> = commands
            .iter()
            .map(|command| format!("[`{0}`](#setpoint-{0})", command.get_name()))
            .collect();
        let _ = writeln!(page, "- {title}: {}", names.join(", "));
    }
    for (_, commands) in grouped(&program) {
        for command in commands {
            section(&mut page, command, "setpoint");
        }
    }
    page
}

fn section(page: &mut String, command: &Command, parent: &str) {
    let name = format!("{parent} {}", command.get_name());
    let help = command.clone().bin_name(&name).render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n"));
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        section(page, below, &name);
    }
}

/// The same on every machine: no terminal's width, no environment's values.
fn steady(command: Command) -> Command {
    command.term_width(WIDTH).mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(steady)
}
