//! `setpoint config`: check, show and describe the configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use super::CliError;
use super::config_args::{ConfigArgs, counted};
use crate::cli::out::{noteln, out, outln};
use crate::config::{Config, Match, matches, schema_json};
use crate::model::ids::{AccountId, Region, ResourceId, Scope, VariantId};
use crate::ports::Clock as _;
use crate::system::WallClock;

/// Check, show and describe the configuration
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Report all errors and warnings; exit code 1 on any error, and with --strict on any warning. An
    /// unwritable directory of memory.file is a warning
    Check {
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Print the effective configuration as YAML
    Show {
        #[command(flatten)]
        config: ConfigArgs,
        /// Say for each line which file, variable or flag it comes from
        #[arg(long)]
        origin: bool,
        /// Also print what each target matches of these variants: a file, one endpoint/variant a line
        #[arg(long, value_name = "FILE")]
        variants: Option<PathBuf>,
    },
    /// Print the JSON schema (draft-07)
    Schema,
}

/// Runs the command.
///
/// # Errors
/// When the configuration is invalid, or the list of variants cannot be read.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    match &args.command {
        ConfigCommand::Check { config } => {
            return check(config);
        }
        ConfigCommand::Show { config, origin, variants } => {
            let config = config.load()?;
            out!("{}", config.to_yaml(*origin));
            if let Some(path) = variants {
                out!("{}", matched(&config, path)?);
            }
        }
        ConfigCommand::Schema => out!("{}", schema_json()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that there is to say, in one list.
fn check(args: &ConfigArgs) -> Result<ExitCode, CliError> {
    let examined = Config::examine(&args.sources());
    let problems = examined.problems().len();
    let mut lines: Vec<String> = examined.problems().iter().map(ToString::to_string).collect();
    let warnings = examined.warnings(WallClock.now());
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let memory = examined.config().and_then(Config::memory_place);
    warnings.extend(memory.map(|warning| warning.to_string()));
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    let mut counts = vec![counted(problems, "problem", "problems")];
    if !warnings.is_empty() {
        counts.push(counted(warnings.len(), "warning", "warnings"));
    }
    if problems > 0 {
        let counts = counts.join(" and ");
        return Err(CliError::failed(format!(
            "the configuration has {counts}\n{}",
            lines.join("\n")
        )));
    }
    if args.strict && !warnings.is_empty() {
        let counts = counted(warnings.len(), "warning", "warnings");
        let lines = lines.join("\n");
        return Err(CliError::failed(format!(
            "the configuration has {counts}, and --strict takes each as an error\n{lines}"
        )));
    }
    let config = examined.into_result().map_err(|errors| CliError::failed(errors.to_string()))?;
    lines.extend(config.notes().iter().map(|note| format!("note: {note}")));
    for line in lines {
        noteln!("{line}");
    }
    let targets = counted(config.targets.len(), "target", "targets");
    let rest = counts.get(1).map(|warnings| format!(", {warnings}")).unwrap_or_default();
    outln!("configuration ok: {targets}{rest}");
    Ok(ExitCode::SUCCESS)
}

/// What each target matches, as YAML comments: the whole output can still be loaded.
fn matched(config: &Config, path: &std::path::Path) -> Result<String, CliError> {
    let known = read_variants(config, path)?;
    let found = matches(config, &known).map_err(|error| CliError::failed(error.to_string()))?;
    let mut lines = vec![String::new(), "# what each target matches".to_owned()];
    for Match { origin, pattern, variants } in &found {
        let what = if variants.is_empty() { "nothing".to_owned() } else { list(variants) };
        lines.push(format!("# {origin} ({pattern}): {what}"));
    }
    let taken = |id: &&VariantId| found.iter().any(|m| m.variants.contains(id));
    let rest: Vec<VariantId> = known.iter().filter(|id| !taken(id)).cloned().collect();
    if !rest.is_empty() {
        lines.push(format!("# no target (observed only): {}", list(&rest)));
    }
    Ok(lines.join("\n") + "\n")
}

fn list(variants: &[VariantId]) -> String {
    let several = variants.iter().any(|id| id.scope() != variants[0].scope());
    let name = |id: &VariantId| if several { id.to_string() } else { id.short() };
    variants.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Reads `endpoint/variant` lines; they are taken to be in every configured account and
/// region.
fn read_variants(config: &Config, path: &std::path::Path) -> Result<Vec<VariantId>, CliError> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::failed(format!("{name}: {error}")))?;
    let mut scopes = config.scopes();
    if scopes.is_empty() {
        scopes.push(Scope {
            account_id: config.aws.account_id.clone().map_or_else(stand_in_account, Ok)?,
            region: config.aws.region.clone().map_or_else(stand_in_region, Ok)?,
        });
    }
    let mut variants = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: String| CliError::failed(format!("{name}:{}: {why}", i + 1));
        let (endpoint, variant) = line
            .split_once('/')
            .ok_or_else(|| wrong(format!("found {line:?}, allowed: endpoint/variant")))?;
        let resource = ResourceId {
            endpoint: endpoint.parse().map_err(|e| wrong(format!("{e}")))?,
            variant: variant.parse().map_err(|e| wrong(format!("{e}")))?,
        };
        variants.extend(scopes.iter().map(|scope| VariantId::new(scope, &resource)));
    }
    Ok(variants)
}

/// Where the account is not configured, a target that names one cannot match by it.
fn stand_in_account() -> Result<AccountId, CliError> {
    AccountId::new("000000000000").map_err(|error| CliError::failed(error.to_string()))
}

fn stand_in_region() -> Result<Region, CliError> {
    Region::new("unknown").map_err(|error| CliError::failed(error.to_string()))
}
