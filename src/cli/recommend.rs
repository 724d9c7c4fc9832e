//! `setpoint recommend`: the measured target value in the language in which a team keeps it, and
//! whether a file of theirs agrees with it.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use super::CliError;
use super::ask::{ListedScope, parse_selector, understood, unreadable};
use super::exit::{self, Exit};
use super::input::Input;
use super::source::Source;
use crate::cli::out::{self, Data, noteln, out};
use crate::model::selector::Selector;
use crate::recommend::{Checked, Language, Recommendation, check, check_text, read, text, write};
use crate::render::trouble::scopes;

/// The largest file that is compared: the plan of a large Terraform state.
const BYTES_MAX: u64 = 256 << 20;

/// Print the scaling that a variant should have, in the language in which it is kept: target value by
/// what was measured, min, max and cooldowns as configured, else as they are in AWS. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub(super) struct Args {
    /// ENDPOINT/VARIANT, ENDPOINT for all its variants, ACCOUNT/REGION/ENDPOINT/VARIANT, or all
    #[arg(value_name = "VARIANT|all", value_parser = parse_selector, default_value = "all")]
    variant: Selector,
    /// The language; yaml and json are the API's answer
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Say whether what this file keeps agrees: the JSON of `terraform show -json`, a CloudFormation
    /// template, manifests of ACK or Crossplane, or a values file; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

/// How to print recommendations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// HCL.
    Terraform,
    /// TypeScript for aws-cdk-lib.
    Cdk,
    /// A template in YAML.
    #[value(name = "cloudformation")]
    CloudFormation,
    /// Manifests of the AWS controllers for Kubernetes.
    Ack,
    /// Manifests of Upbound's AWS provider.
    Crossplane,
    /// Commands for a shell.
    AwsCli,
    /// YAML for programs.
    Yaml,
    /// JSON for programs.
    Json,
}

impl Format {
    const fn language(self) -> Option<Language> {
        match self {
            Self::Terraform => Some(Language::Terraform),
            Self::Cdk => Some(Language::Cdk),
            Self::CloudFormation => Some(Language::CloudFormation),
            Self::Ack => Some(Language::Ack),
            Self::Crossplane => Some(Language::Crossplane),
            Self::AwsCli => Some(Language::AwsCli),
            Self::Text | Self::Yaml | Self::Json => None,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    recommendations: Vec<Recommendation>,
    #[serde(default)]
    scopes: Vec<ListedScope>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if args.check.is_some() && args.format.language().is_some() {
        return Err(CliError::usage(
            "--check prints text, yaml or json: --format is another language",
        ));
    }
    // A file that cannot be read is said before anything is asked.
    let kept = args.check.as_deref().map(|path| {
        let file = Input::read(path, BYTES_MAX, None)?;
        let text = str::from_utf8(&file.bytes).map_err(|error| file.failed(error))?;
        read(text).map_err(|problem| file.failed(problem))
    });
    let kept = kept.transpose()?;
    let answer: Answer = if args.source.is_daemon() {
        args.source.ask("/api/v1/recommendations".to_owned())?
    } else {
        look(args)?
    };
    let unreadable = unreadable(&answer.scopes, &args.variant);
    for sentence in &unreadable {
        noteln!("warning: {sentence}");
    }
    let all = answer.recommendations;
    if !args.variant.is_all() && !all.iter().any(|it| args.variant.matches(&it.id)) {
        let what = format!("no variant matches {} (setpoint plan lists all)", args.variant);
        return Err(CliError::failed(what));
    }
    let exit = if let Some(kept) = kept {
        let by_name = !args.variant.is_all();
        let checked = check(&kept, &all, |id| args.variant.matches(id), by_name);
        print_checked(&checked, args.format)?;
        let differs = checked.differs();
        Exit::of_listed(checked.compared() && unreadable.is_empty(), differs, false)
    } else {
        let asked: Vec<Recommendation> =
            all.into_iter().filter(|it| args.variant.matches(&it.id)).collect();
        print(&asked, args.format)?;
        // Of all, what the configuration does not list decides nothing.
        let mut counted = asked.iter().filter(|it| it.managed || !args.variant.is_all());
        let whole = counted.all(|it| it.whole().is_some()) && unreadable.is_empty();
        Exit::of_listed(whole, false, false)
    };
    Ok(exit.into())
}

fn look(args: &Args) -> Result<Answer, CliError> {
    let fleet = args.source.look()?;
    let scopes = serde_json::to_value(scopes(&fleet)).unwrap_or_default();
    Ok(Answer {
        recommendations: fleet.variants.values().map(|status| Recommendation::of(status)).collect(),
        scopes: understood(&scopes)?,
    })
}

fn print(all: &[Recommendation], format: Format) -> Result<(), CliError> {
    if let Some(language) = format.language() {
        out!("{}", write(all, language));
    } else if format == Format::Text {
        out::text(&text(all))?;
    } else {
        value(&serde_json::json!({ "recommendations": all }), format)?;
    }
    Ok(())
}

fn print_checked(checked: &Checked, format: Format) -> Result<(), CliError> {
    if format == Format::Text {
        return out::text(&check_text(checked));
    }
    value(checked, format)
}

fn value(value: &impl Serialize, format: Format) -> Result<(), CliError> {
    out::data(value, if format == Format::Json { Data::Json } else { Data::Yaml })
}
