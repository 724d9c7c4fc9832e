//! `setpoint check`: a pass now, and the proof of it.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Deserialize;

use super::{DaemonArgs, selector};
use crate::cli::CliError;
use crate::cli::exit::{self, Exit};
use crate::cli::out::{self, Data, TextOutput};
use crate::model::ids::VariantId;
use crate::model::selector::Selector;
use crate::model::time::Timestamp;
use crate::render::{Standing, line, printable};

/// Run a pass over AWS now, and show which reads the comparison is based on. The pass writes
/// what any pass of the daemon may write.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub(in crate::cli) struct CheckArgs {
    /// ENDPOINT/VARIANT, ENDPOINT for all its variants, ACCOUNT/REGION/ENDPOINT/VARIANT, or all
    #[arg(value_name = "VARIANT|all", value_parser = selector)]
    variant: Selector,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = TextOutput::Text)]
    output: TextOutput,
    /// Show the reads of every variant, not only of a single one
    #[arg(long)]
    reads: bool,
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[derive(Debug, Deserialize)]
struct Answer {
    variants: Vec<Checked>,
    #[serde(default)]
    unreadable: Vec<Unreadable>,
}

/// An account and region that could not be listed.
#[derive(Debug, Deserialize)]
struct Unreadable {
    account_id: String,
    region: String,
    why: Why,
}

#[derive(Debug, Deserialize)]
struct Checked {
    id: VariantId,
    managed: bool,
    standing: String,
    headline: String,
    safety: Safety,
    outcome: Option<Outcome>,
    reads: Vec<Read>,
    proof: Proof,
}

#[derive(Debug, Deserialize)]
struct Safety {
    #[serde(rename = "unsafe")]
    is_unsafe: bool,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    operation: String,
    sentence: String,
}

#[derive(Debug, Deserialize)]
struct Read {
    fact: String,
    operation: Option<String>,
    at: Option<Timestamp>,
    why: Option<Why>,
}

#[derive(Debug, Deserialize)]
struct Why {
    message: String,
}

#[derive(Debug, Deserialize)]
struct Proof {
    verified: bool,
    verified_at: Option<Timestamp>,
    not_verified: Vec<String>,
}

/// Runs `check`.
pub(in crate::cli) fn check(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let json = args.daemon.post("reconcile", &args.variant, None)?;
    let answer: Answer = serde_json::from_value(json.clone()).map_err(|error| {
        CliError::failed(format!("cannot parse the daemon's answer: {error} (another version?)"))
    })?;
    match args.output {
        TextOutput::Json => out::data(&json, Data::Json)?,
        TextOutput::Yaml => out::data(&json, Data::Yaml)?,
        TextOutput::Text => out::text(&text(&answer, args.reads))?,
    }
    Ok(exit_of(&answer).into())
}

/// The same table as that of `plan`, with what is not verified as not compared.
fn exit_of(answer: &Answer) -> Exit {
    let scopes = if answer.unreadable.is_empty() { Exit::Done } else { Exit::NotCompared };
    let variants = answer.variants.iter().filter(|v| v.managed).map(|v| {
        let differs =
            !matches!(v.standing(), Standing::InSync | Standing::NotCompared | Standing::Unmanaged);
        Exit::of_listed(v.proof.verified, differs, v.safety.is_unsafe)
    });
    Exit::worst(variants.chain([scopes]))
}

impl Checked {
    /// A word of another version is nothing that is known to be in sync.
    fn standing(&self) -> Standing {
        let known = Standing::ALL.into_iter().find(|s| s.as_str() == self.standing);
        known.unwrap_or(Standing::Unknown)
    }
}

fn text(answer: &Answer, all_reads: bool) -> String {
    let mut out = String::new();
    let width = answer.variants.iter().map(|v| v.id.short().len()).max().unwrap_or(0);
    for checked in &answer.variants {
        variant(&mut out, checked, width);
        if all_reads || answer.variants.len() == 1 {
            reads(&mut out, &checked.reads);
        }
    }
    for Unreadable { account_id, region, why } in &answer.unreadable {
        let (account_id, region) = (printable(account_id), printable(region));
        let why = printable(&why.message);
        let _ = writeln!(
            out,
            "? {account_id}/{region}  cannot be read, and may have variants that are not shown: {why}"
        );
    }
    let verified = answer.variants.iter().filter(|v| v.proof.verified).count();
    let unmanaged = answer.variants.iter().filter(|v| !v.managed).count();
    let not = answer.variants.len() - verified - unmanaged;
    let _ = write!(out, "Checked: {verified} verified");
    let unreadable = answer.unreadable.len();
    for (count, words) in [
        (not, "not verified"),
        (unmanaged, "not managed"),
        (unreadable, "accounts and regions not read"),
    ] {
        if count > 0 {
            let _ = write!(out, ", {count} {words}");
        }
    }
    out.push_str(".\n");
    out
}

fn variant(out: &mut String, checked: &Checked, width: usize) {
    let standing = checked.standing();
    let leads = checked.managed && checked.safety.is_unsafe;
    let (style, sign) = match standing {
        Standing::InSync | Standing::NotCompared if leads => {
            (line::style(Standing::Unknown), Standing::Held.sign())
        }
        _ => (line::style(standing), standing.sign()),
    };
    let (name, sentence) = (checked.id.short(), printable(&checked.headline));
    let _ = writeln!(out, "{style}{sign} {name:<width$}{style:#}  {sentence}");
    for step in checked.outcome.iter().flat_map(|outcome| &outcome.steps) {
        let _ = writeln!(out, "    {}: {}", printable(&step.operation), printable(&step.sentence));
    }
    if let Some(at) = checked.proof.verified_at {
        let _ = writeln!(out, "    verified as of {}", at.format("%FT%TZ"));
    }
    // Nothing is asked of a variant that the configuration does not list.
    for why in checked.proof.not_verified.iter().filter(|_| checked.managed) {
        let _ = writeln!(out, "    not verified: {}", printable(why));
    }
}

fn reads(out: &mut String, reads: &[Read]) {
    for read in reads {
        let at =
            read.at.map_or_else(|| "not read".to_owned(), |at| at.format("%FT%TZ").to_string());
        let operation = printable(read.operation.as_deref().unwrap_or("-"));
        let _ = write!(out, "      {:<18} {operation:<26} {at}", printable(&read.fact));
        if let Some(why) = &read.why {
            let _ = write!(out, "  unknown: {}", printable(&why.message));
        }
        out.push('\n');
    }
}
