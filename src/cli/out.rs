//! What commands print: the only place that writes to stdout and stderr beside the log.
//!
//! Output that cannot be written ends the command with a sentence, as for any tool of its kind; a
//! reader that has gone away (`| head -1`) ends it without one. Nothing panics for it.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Write};

use serde::Serialize;

use super::CliError;
use super::exit::Exit;
use crate::render::fit::fit;

/// Prints to stdout, and returns from the function with an error when that fails.
macro_rules! out {
    ($($arg:tt)*) => {
        $crate::cli::out::write(::std::format_args!($($arg)*))?
    };
}

/// The same, with the end of a line.
macro_rules! outln {
    ($($arg:tt)*) => {
        $crate::cli::out::write(::std::format_args!("{}\n", ::std::format_args!($($arg)*)))?
    };
}

/// A line to people on stderr. It is beside the point of the command, so a stderr that
/// takes nothing is no error.
macro_rules! noteln {
    ($($arg:tt)*) => {
        $crate::cli::out::note(::std::format_args!($($arg)*))
    };
}

pub(super) use {noteln, out, outln};

/// Writes to stdout, all of it.
///
/// # Errors
/// When it cannot be written; see [`failed`].
pub(super) fn write(text: Arguments<'_>) -> Result<(), CliError> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_fmt(text).and_then(|()| stdout.flush()).map_err(|error| failed(&error))
}

/// Writes text for people to stdout, its lines broken where the terminal ends; all of it as it is
/// where there is no terminal.
///
/// # Errors
/// As [`write`].
pub(super) fn text(text: &str) -> Result<(), CliError> {
    write(format_args!("{}", fit(text, width())))
}

/// How data is written for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    Json,
    Yaml,
}

/// Sentences for people, or data for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum TextOutput {
    /// For people.
    Text,
    /// JSON for programs.
    Json,
    /// The same, as YAML.
    Yaml,
}

/// A table for people, or data for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum TableOutput {
    /// For people.
    Table,
    /// JSON for programs.
    Json,
    /// The same, as YAML.
    Yaml,
}

/// Writes data for programs to stdout.
///
/// # Errors
/// As [`write`], and when it has no form as data.
pub(super) fn data(value: &impl Serialize, form: Data) -> Result<(), CliError> {
    let text = match form {
        Data::Json => serde_json::to_string_pretty(value).map_err(|error| error.to_string()),
        Data::Yaml => serde_saphyr::to_string(value).map_err(|error| error.to_string()),
    };
    let text = text.map_err(|error| CliError::failed(format!("no such data: {error}")))?;
    write(format_args!("{}\n", text.trim_end()))
}

/// Writes a line to stderr.
pub(super) fn note(text: Arguments<'_>) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Writes over the last line of the terminal that stderr is.
pub(super) fn rewrite(text: &str) {
    let mut stderr = anstream::stderr().lock();
    // Back to the first column, and the line cleared.
    let _ = write!(stderr, "\r\x1b[2K{text}");
    let _ = stderr.flush();
}

/// The error of a command whose output cannot be written.
pub(super) fn failed(error: &Error) -> CliError {
    if error.kind() == ErrorKind::BrokenPipe {
        // Whoever has read enough needs no sentence.
        return CliError { message: String::new(), exit: Exit::ReaderGone };
    }
    CliError::failed(format!("cannot write the output: {error}"))
}

/// The columns of the terminal that stdout is; none where it is none.
pub(super) fn width() -> Option<usize> {
    use std::io::IsTerminal as _;
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
