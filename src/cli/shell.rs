//! What a shell and `man` want to know of the commands, from the same definition as the help.

use std::path::PathBuf;
use std::process::ExitCode;

use clap_complete::Shell;

use super::exit::Exit;
use super::{CliError, program};
use crate::cli::out::{out, outln};

/// Print a script that completes commands and flags in a shell.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs `completions`.
pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program(), "setpoint", &mut script);
    out!("{}", String::from_utf8_lossy(&script));
    Ok(Exit::Done.into())
}

/// Print the manual page of setpoint, or write that of every command into a directory.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// A directory that is there; each command gets a page, setpoint-COMMAND.1
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
}

/// Runs `man`.
///
/// # Errors
/// When a page cannot be written.
pub(super) fn man(args: &ManArgs) -> Result<ExitCode, CliError> {
    let Some(directory) = &args.out else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(program()).render(&mut page);
        rendered.map_err(|error| CliError::failed(format!("no manual page: {error}")))?;
        out!("{}", String::from_utf8_lossy(&page));
        return Ok(Exit::Done.into());
    };
    clap_mangen::generate_to(program(), directory).map_err(|error| {
        let directory = directory.display();
        CliError::failed(format!("cannot write manual pages into {directory}: {error}"))
    })?;
    outln!("wrote the manual pages into {}", directory.display());
    Ok(Exit::Done.into())
}
