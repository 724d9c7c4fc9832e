//! The command line, and the composition root: nothing else knows which ports are in use.

mod apply;
mod ask;
mod audit;
mod calculate;
mod calibrate;
mod compose;
mod config_args;
mod config_command;
mod deadline;
mod demo;
mod doctor;
mod examples;
pub mod exit;
mod export;
mod groups;
mod import;
mod init;
mod input;
mod kubernetes;
mod new_file;
mod out;
mod panics;
mod plan;
mod plugin;
mod recommend;
mod reference;
mod replay;
mod report;
mod run;
mod shell;
mod simulate;
mod source;
mod survey;
mod whatif;

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use out::noteln;

use exit::Exit;
use plugin::Plugin;

pub use reference::reference;

/// The widest that help gets, in columns.
const WIDTH_MAX: usize = 100;

/// The version, with the commit and the date where the build knew them.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    // The default of the Dockerfile.
    let known = |value: Option<&'static str>| value.filter(|value| *value != "unknown");
    let build =
        [known(option_env!("SETPOINT_REVISION")), known(option_env!("SETPOINT_BUILD_DATE"))];
    let build: Vec<&str> = build.into_iter().flatten().collect();
    let version = env!("CARGO_PKG_VERSION");
    if build.is_empty() { version.to_owned() } else { format!("{version} ({})", build.join(", ")) }
});

/// Keeps the auto scaling targets of Amazon SageMaker endpoints honest.
#[derive(Debug, Parser)]
#[command(name = "setpoint", version = VERSION.as_str(), about, max_term_width = WIDTH_MAX)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Run(run::Args),
    Plan(plan::Args),
    Apply(apply::Args),
    Get(ask::GetArgs),
    Explain(ask::ExplainArgs),
    History(ask::HistoryArgs),
    Check(ask::CheckArgs),
    Pause(ask::PauseArgs),
    Resume(ask::ResumeArgs),
    Confirm(ask::ConfirmArgs),
    Reload(ask::ReloadArgs),
    Calculate(calculate::Args),
    Calibrate(calibrate::Args),
    Recommend(recommend::Args),
    Config(config_command::Args),
    Demo(demo::Args),
    Simulate(simulate::Args),
    Report(report::Args),
    Replay(replay::Args),
    Whatif(Box<whatif::Args>),
    Export(export::Args),
    Audit(audit::Args),
    Import(import::Args),
    Init(init::Args),
    Doctor(doctor::Args),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Why a command failed: a sentence for the user and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    message: String,
    exit: Exit,
}

impl CliError {
    /// The command could not do its job: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Failed }
    }

    /// The arguments make no sense: exit code 64.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Usage }
    }
}

/// The definition of all commands.
fn program() -> clap::Command {
    examples::with_examples(Cli::command())
}

/// The program with its commands in groups, as wide as the terminal.
fn program_for_people() -> clap::Command {
    groups::with_groups(program(), out::width().unwrap_or(WIDTH_MAX).min(WIDTH_MAX))
}

/// Parses the process's arguments and runs the command.
pub fn main() -> ExitCode {
    let (arguments, _forward) = match plugin::arguments(std::env::args_os().collect()) {
        Ok(Plugin::Run(arguments, forward)) => (arguments, forward),
        Ok(Plugin::Done(code)) => return code,
        Err(error) => return report(&error),
    };
    let parsed = program_for_people()
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => run_command(cli.command).unwrap_or_else(|error| report(&error)),
        Err(error) => {
            // Help and version are no errors; clap prints them to stdout.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            match error.print() {
                Err(failed) if exit == Exit::Done => report(&out::failed(&failed)),
                _ => exit.into(),
            }
        }
    }
}

fn run_command(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Apply(args) => apply::run(&args),
        Command::Get(args) => ask::get(&args),
        Command::Explain(args) => ask::explain(&args),
        Command::History(args) => ask::history(&args),
        Command::Check(args) => ask::check(&args),
        Command::Pause(args) => ask::pause(&args),
        Command::Resume(args) => ask::resume(&args),
        Command::Confirm(args) => ask::confirm(&args),
        Command::Reload(args) => ask::reload(&args),
        Command::Calculate(args) => calculate::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Recommend(args) => recommend::run(&args),
        Command::Config(args) => config_command::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Whatif(args) => whatif::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    }
}

fn report(error: &CliError) -> ExitCode {
    if !error.message.is_empty() {
        noteln!("error: {error}");
    }
    error.exit.into()
}
