//! `setpoint init`: a commented starter configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use super::CliError;
use super::exit::Exit;
use super::new_file::NewFile;
use crate::cli::out::{out, outln};
use crate::model::ids::{AccountId, Region};

/// The starter, in which nothing is set that is not a default.
const STARTER: &str = include_str!("../../config/starter.yaml");

/// Write a commented starter configuration, for a first fleet by hand. `setpoint import` makes one of
/// what is in AWS.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 written, 1 failed, 64 usage.")]
pub(super) struct Args {
    /// Where to write; - is standard output
    #[arg(value_name = "FILE", default_value = "setpoint.yaml")]
    file: PathBuf,
    /// The region to write into it
    #[arg(long, env = "AWS_REGION")]
    region: Option<Region>,
    /// The account to write into it
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let text = text(args.region.as_ref(), args.account.as_ref());
    if args.file.as_os_str() == "-" {
        out!("{text}");
        return Ok(Exit::Done.into());
    }
    NewFile::at(&args.file, args.force)?.write(&text)?;
    let path = args.file.display();
    outln!("wrote {path}; fill it in, then: setpoint config check --config {path}");
    Ok(Exit::Done.into())
}

/// The starter with what is known filled in.
fn text(region: Option<&Region>, account: Option<&AccountId>) -> String {
    let mut text = STARTER.to_owned();
    if let Some(region) = region {
        text = text.replacen("  # region: us-east-1\n", &format!("  region: \"{region}\"\n"), 1);
    }
    if let Some(account) = account {
        let key = "  # account_id: \"123456789012\"\n";
        text = text.replacen(key, &format!("  account_id: \"{account}\"\n"), 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_starter_is_a_configuration_with_and_without_its_example() {
        let plain = Config::from_yaml(STARTER).unwrap();
        assert!(plain.targets.is_empty());
        let (region, account) =
            (Region::new("eu-west-1").unwrap(), AccountId::new("123456789012").unwrap());
        let filled = Config::from_yaml(&text(Some(&region), Some(&account))).unwrap();
        assert_eq!(
            (filled.aws.region.clone(), filled.aws.account_id.clone()),
            (Some(region), Some(account))
        );
        // What is commented out is what may be written: every key of it is one.
        let all: String = STARTER
            .lines()
            .map(|line| match line.trim_start().strip_prefix("# ") {
                Some(key) if key.starts_with("- ") || key.starts_with("  ") || is_key(key) => {
                    let indent = line.len() - line.trim_start().len();
                    format!("{}{key}\n", " ".repeat(indent))
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let all = all.replace("targets: []", "targets:");
        let all = Config::from_yaml(&all).unwrap_or_else(|errors| panic!("{errors}\n{all}"));
        assert_eq!(all.targets.len(), 1);
        assert!(all.targets[0].goal.load_test.is_some());
    }

    /// `key: value`, where prose has a space before its colon, or none.
    fn is_key(text: &str) -> bool {
        text.split_once(':').is_some_and(|(key, rest)| {
            rest.starts_with(' ') && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        })
    }
}
