//! `setpoint pause` and `setpoint resume`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::until::Until;
use super::{DaemonArgs, selector};
use crate::cli::CliError;
use crate::cli::out::{noteln, outln};
use crate::model::selector::Selector;
use crate::ports::Clock as _;
use crate::render::printable;
use crate::system::WallClock;

/// Hold all writes to a variant until a time; it is still observed. The pause ends by itself.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PauseArgs {
    /// ENDPOINT/VARIANT, ENDPOINT for all its variants, ACCOUNT/REGION/ENDPOINT/VARIANT, or all
    #[arg(value_name = "VARIANT|all", value_parser = selector)]
    variant: Selector,
    /// Until when: RFC 3339, or a span from now such as 90m, 2h or 3d; at most 90 days
    #[arg(long, value_name = "TIME", value_parser = Until::parse)]
    until: Until,
    /// Why, for those who find it paused
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// Runs `pause`.
pub(in crate::cli) fn pause(args: &PauseArgs) -> Result<ExitCode, CliError> {
    let until = args.until.at(WallClock.now()).ok_or_else(|| {
        CliError::usage("--until is too far away (allowed: after now, at most 90 days)")
    })?;
    let body = json!({ "until": until, "reason": args.reason });
    let answer = args.daemon.post("pause", &args.variant, Some(body))?;
    let later = if answer["holds_later_variants"] == true {
        ", and those that first appear later"
    } else {
        ""
    };
    outln!(
        "paused {} until {}: {}{later}",
        args.variant,
        until.format("%FT%TZ"),
        variants(&answer),
    );
    if answer["survives_restart"] == false {
        noteln!(
            "warning: the daemon remembers in its process only: the pause ends when it restarts \
             (configure memory.file or kubernetes.memory_configmap)"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// End a pause, and let a field be written again that was left to another writer.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResumeArgs {
    /// ENDPOINT/VARIANT, ENDPOINT for all its variants, ACCOUNT/REGION/ENDPOINT/VARIANT, or all
    #[arg(value_name = "VARIANT|all", value_parser = selector)]
    variant: Selector,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// Runs `resume`.
pub(in crate::cli) fn resume(args: &ResumeArgs) -> Result<ExitCode, CliError> {
    let answer = args.daemon.post("resume", &args.variant, None)?;
    outln!("resumed {}: {}", args.variant, variants(&answer));
    let still = answer["paused_by_configuration"].as_array().map(Vec::as_slice).unwrap_or_default();
    let still: Vec<_> = still.iter().filter_map(Value::as_str).map(printable).collect();
    if !still.is_empty() {
        noteln!(
            "warning: still paused by the configuration (pause of the target): {}",
            still.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn variants(answer: &Value) -> String {
    match answer["variants"].as_u64() {
        Some(1) => "1 variant".to_owned(),
        Some(number) => format!("{number} variants"),
        None => "an unknown number of variants".to_owned(),
    }
}
