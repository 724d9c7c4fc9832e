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
pub mod exit;
mod export;
mod import;
mod init;
mod kubernetes;
mod new_file;
mod out;
mod panics;
mod plan;
mod recommend;
mod replay;
mod report;
mod run;
mod simulate;
mod survey;

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::Parser;
use out::noteln;

use exit::Exit;

/// The version, and the commit where the build was told one.
static VERSION: LazyLock<String> = LazyLock::new(|| match option_env!("SETPOINT_REVISION") {
    // The default of the Dockerfile.
    Some("unknown") | None => env!("CARGO_PKG_VERSION").to_owned(),
    Some(revision) => format!("{} ({revision})", env!("CARGO_PKG_VERSION")),
});

/// Keeps the auto scaling targets of Amazon SageMaker endpoints honest.
#[derive(Debug, Parser)]
#[command(name = "setpoint", version = VERSION.as_str(), about, max_term_width = 100)]
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
    Export(export::Args),
    Audit(audit::Args),
    Import(import::Args),
    Init(init::Args),
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

/// Parses the process's arguments and runs the command.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap prints them to stdout.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            return match error.print() {
                Err(failed) if exit == Exit::Done => tell(&out::failed(&failed)),
                _ => exit.into(),
            };
        }
    };
    let result = match cli.command {
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
        Command::Export(args) => export::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Init(args) => init::run(&args),
    };
    result.unwrap_or_else(|error| tell(&error))
}

fn tell(error: &CliError) -> ExitCode {
    if !error.message.is_empty() {
        noteln!("error: {error}");
    }
    error.exit.into()
}
