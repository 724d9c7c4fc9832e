//! `setpoint pause` and `setpoint resume`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{DaemonArgs, selector};
use crate::cli::CliError;
use crate::cli::out::{noteln, outln};
use crate::model::selector::Selector;
use crate::model::span::{SPANS, When};
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
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    until: When,
    /// Why, for those who find it paused
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// Runs `pause`.
pub(in crate::cli) fn pause(args: &PauseArgs) -> Result<ExitCode, CliError> {
    let until = args.until.from(WallClock.now()).ok_or_else(|| {
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

/// End a pause, and allow writes again to fields left to another writer.
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
    outln!("{}", resumed(&args.variant, &answer));
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

/// What has ended, or that there was nothing to end.
fn resumed(selector: &Selector, answer: &Value) -> String {
    let count = |key: &str| answer[key].as_u64();
    let (paused, ended) = (count("were_paused"), count("pauses_ended"));
    let forgotten = count("writers_forgotten").unwrap_or(0);
    let all = variants(answer);
    let (Some(paused), Some(ended)) = (paused, ended) else {
        // An older daemon does not say.
        return format!("resumed {selector}: {all}");
    };
    let mut said = Vec::new();
    if paused > 0 && Some(paused) == count("variants") {
        said.push(all);
    } else if paused > 0 {
        said.push(format!("{paused} of {all} had been paused"));
    } else if ended > 0 {
        said.push("the pause has ended, and it held none of the known variants".to_owned());
    }
    if forgotten > 0 {
        let them = if forgotten == 1 { "variant" } else { "variants" };
        said.push(format!("writes are allowed again to {forgotten} {them} left to another writer"));
    }
    if said.is_empty() {
        return format!(
            "nothing to resume: no pause holds {selector}, and none of it is left to another writer"
        );
    }
    format!("resumed {selector}: {}", said.join("; "))
}

fn variants(answer: &Value) -> String {
    match answer["variants"].as_u64() {
        Some(1) => "1 variant".to_owned(),
        Some(number) => format!("{number} variants"),
        None => "an unknown number of variants".to_owned(),
    }
}

fn parse_until(text: &str) -> Result<When, String> {
    When::parse(text).ok_or_else(|| {
        format!(
            "{text:?} is not a time in the future (allowed: an instant such as 2026-12-01T08:00:00Z, or \
             {SPANS} from now)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_paused_is_resumed() {
        let said = |paused: u64, ended: u64, forgotten: u64| {
            let answer = json!({"variants": 2, "were_paused": paused, "pauses_ended": ended,
                "writers_forgotten": forgotten});
            resumed(&Selector::default(), &answer)
        };
        assert_eq!(said(2, 1, 0), "resumed all: 2 variants");
        assert_eq!(said(1, 0, 0), "resumed all: 1 of 2 variants had been paused");
        assert!(said(0, 0, 0).starts_with("nothing to resume: no pause holds all"));
        assert!(said(0, 1, 0).starts_with("resumed all: the pause has ended"));
        let writer = "resumed all: writes are allowed again to 1 variant left to another writer";
        assert_eq!(said(0, 0, 1), writer);
        assert_eq!(
            resumed(&Selector::default(), &json!({"variants": 1})),
            "resumed all: 1 variant"
        );
    }
}
