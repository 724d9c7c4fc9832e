//! The commands for people on call. `pause`, `resume`, `check`, `reload` and `confirm` ask a running
//! daemon by its HTTP endpoints below `/-/`; `get`, `explain` and `history` read its API.

mod callers;
mod check;
mod client;
mod explain;
mod get;
mod history;
mod near;
mod pause;
mod plan;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::CliError;
use super::config_args::{ConfigArgs, counted};
use super::deadline::{DEFAULT_SECONDS, Progress, within};
use super::exit::Exit;
use crate::cli::out::{noteln, outln};
use crate::config;
use crate::model::selector::Selector;
use crate::render::printable;
use client::Client;

pub(super) use self::selector as parse_selector;
pub(super) use check::{CheckArgs, check};
pub(super) use explain::{ExplainArgs, explain};
pub(super) use get::{GetArgs, ListedScope, get, understood, unreadable};
pub(super) use history::{HistoryArgs, history, kept_history};
pub(super) use pause::{PauseArgs, ResumeArgs, pause, resume};
pub(super) use plan::PlanAnswer;

/// What is left to the client to end by itself.
const HARD_LIMIT_AFTER: Duration = Duration::from_millis(500);

/// Where the daemon is, and the token it wants.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Daemon")]
pub(super) struct DaemonArgs {
    /// The configuration that the daemon runs with, for its address and token: a file, or a
    /// directory of *.yaml; may be given several times, later ones win
    #[arg(long, env = "SETPOINT_CONFIG", value_name = "PATH", value_delimiter = ':')]
    config: Vec<PathBuf>,
    /// Where it answers [default: `http.listen` of the configuration, on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The file with its token [default: `http.token_file` of the configuration]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How long to wait for its answer, in seconds; it may have to end a pass first
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_SECONDS,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl DaemonArgs {
    /// A daemon that is only read from, so that no token is needed.
    pub(super) const fn new(config: Vec<PathBuf>, url: Option<String>, timeout: u64) -> Self {
        Self { config, url, token_file: None, timeout }
    }

    /// Gives a command to that daemon and returns the answer to it, within the time limit.
    fn post(
        &self,
        command: &'static str,
        selector: &Selector,
        body: Option<Value>,
    ) -> Result<Value, CliError> {
        let (args, selector) = (self.clone(), selector.clone());
        // Inside the pod a check needs none.
        let need = if command == "reconcile" { Need::TokenIfAny } else { Need::Token };
        self.ask(move || args.client(need)?.post(command, &selector, body.as_ref()))
    }

    /// Its address, for those who only read from it.
    pub(super) fn address(&self) -> Result<String, CliError> {
        Ok(self.place(Need::Nothing)?.0)
    }

    /// Reads from that daemon, which needs no token.
    pub(super) fn get(&self, path: String) -> Result<Value, CliError> {
        let args = self.clone();
        self.ask(move || args.client(Need::Nothing)?.get(&path))
    }

    fn ask(
        &self,
        work: impl FnOnce() -> Result<Value, CliError> + Send + 'static,
    ) -> Result<Value, CliError> {
        let url = self.url.clone().unwrap_or_else(|| "the daemon".to_owned());
        let waiting = format!("waiting for {url}");
        let _progress = Progress::begin(move || waiting.clone());
        // The client's own limit tells more, and comes first where it can.
        let limit = Duration::from_secs(self.timeout) + HARD_LIMIT_AFTER;
        within(limit, work, || {
            CliError::failed(format!(
                "no answer from {url} within {} s: neither its name, nor the token, nor it \
                 answered (--timeout waits longer)",
                self.timeout
            ))
        })
    }

    /// A client of that daemon.
    ///
    /// # Errors
    /// When there is no address, or no token where one is needed.
    fn client(&self, need: Need) -> Result<Client, CliError> {
        let (url, token) = self.place(need)?;
        Client::new(&url, token, Duration::from_secs(self.timeout))
    }

    /// The address, and the file with the token.
    fn place(&self, need: Need) -> Result<(String, Option<PathBuf>), CliError> {
        let named = self.token_file.clone().filter(|_| need != Need::Nothing);
        if let Some(url) = &self.url
            && (named.is_some() || need == Need::Nothing)
        {
            return Ok((url.clone(), named));
        }
        let args = ConfigArgs { config: self.config.clone(), ..ConfigArgs::default() };
        // The daemon still runs with the configuration before a broken one.
        let (http, problems) = config::http(&args.sources())
            .map_err(|problem| CliError::failed(problem.to_string()))?;
        for problem in problems {
            noteln!("warning: {problem}");
        }
        let url = self.url.clone().map_or_else(|| address(http.listen), Ok)?;
        let token = match need {
            Need::Nothing => None,
            Need::TokenIfAny => named.or(http.token_file),
            Need::Token => Some(named.or(http.token_file).ok_or_else(|| {
                CliError::failed(
                    "no token: http.token_file is not configured, so the daemon obeys no \
                     commands (set it and restart the daemon, in the Helm chart with \
                     httpToken.create or httpToken.existingSecret; or --token-file)",
                )
            })?),
        };
        Ok((url, token))
    }
}

/// Whether the daemon wants a token for what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// It can be read by all.
    Nothing,
    /// From outside its pod; inside it is asked without where none is configured.
    TokenIfAny,
    /// Always.
    Token,
}

/// Where a daemon that listens there is reached from its own machine.
pub(super) fn address(listen: SocketAddr) -> Result<String, CliError> {
    if listen.port() == 0 {
        return Err(CliError::failed(
            "http.listen takes any free port (0): give the daemon's address with --url; its log \
             has it",
        ));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(format!("http://{}", SocketAddr::new(ip, listen.port())))
}

/// Parses `all`, `ENDPOINT`, `ENDPOINT/VARIANT` or `ACCOUNT/REGION/ENDPOINT/VARIANT`.
pub(super) fn selector(text: &str) -> Result<Selector, String> {
    let named = |endpoint: &str| -> Result<Selector, String> {
        let endpoint = Some(endpoint.parse().map_err(|error| said(&error))?);
        Ok(Selector { endpoint, ..Selector::default() })
    };
    match text.split('/').collect::<Vec<_>>()[..] {
        ["all"] => Ok(Selector::default()),
        [endpoint] => named(endpoint),
        [endpoint, variant] => Ok(Selector {
            variant: Some(variant.parse().map_err(|error| said(&error))?),
            ..named(endpoint)?
        }),
        [account, region, endpoint, variant] => Ok(Selector {
            account_id: Some(account.parse().map_err(|error| said(&error))?),
            region: Some(region.parse().map_err(|error| said(&error))?),
            variant: Some(variant.parse().map_err(|error| said(&error))?),
            ..named(endpoint)?
        }),
        _ => {
            Err("allowed: all, ENDPOINT, ENDPOINT/VARIANT, ACCOUNT/REGION/ENDPOINT/VARIANT"
                .to_owned())
        }
    }
}

fn said(error: &crate::model::ids::InvalidName) -> String {
    error.to_string()
}

/// Make the running daemon load its configuration again; a bad one keeps the old one in force.
#[derive(Debug, clap::Args)]
pub(super) struct ReloadArgs {
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// Runs `reload`.
pub(super) fn reload(args: &ReloadArgs) -> Result<ExitCode, CliError> {
    args.daemon.post("reload", &Selector::default(), None)?;
    outln!("reloaded: a pass with the new configuration begins now");
    Ok(Exit::Done.into())
}

/// Let a plan that was held because it changes many variants at once go ahead, exactly as it was
/// shown. What has changed since is not written and is printed; the exit code is then 2.
#[derive(Debug, clap::Args)]
pub(super) struct ConfirmArgs {
    /// The plan's id, as `plan`, the log and the status page show it
    #[arg(value_name = "PLAN_ID")]
    plan_id: String,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// Runs `confirm`.
pub(super) fn confirm(args: &ConfirmArgs) -> Result<ExitCode, CliError> {
    let body = json!({ "plan_id": args.plan_id });
    let answer = args.daemon.post("confirm", &Selector::default(), Some(body))?;
    let of = |key: &str| answer[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let (tried, waiting, differs) = (of("tried"), of("waiting"), of("differs"));
    let (id, sent, left) = (&args.plan_id, tried.len(), waiting.len());
    let rest = if left == 0 { String::new() } else { format!(", {left} follow") };
    outln!("confirmed {id}: {} sent{rest}", counted(sent, "change", "changes"));
    for field in differs {
        let text = |key: &str| printable(field[key].as_str().unwrap_or_default()).into_owned();
        let change = [text("field"), text("change")].join(" ");
        outln!("not written: {}  {}: {}", text("variant"), change.trim(), text("found"));
    }
    // As `apply`: what was confirmed and is not written is a difference that stays.
    Ok(if differs.is_empty() { Exit::Done } else { Exit::Differs }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_becomes_loopback() {
        let of = |listen: &str| address(listen.parse().unwrap());
        assert_eq!(of("0.0.0.0:9090").unwrap(), "http://127.0.0.1:9090");
        assert_eq!(of("[::]:9090").unwrap(), "http://[::1]:9090");
        assert_eq!(of("10.1.2.3:80").unwrap(), "http://10.1.2.3:80");
        assert!(of("127.0.0.1:0").unwrap_err().to_string().contains("--url"));
    }

    #[test]
    fn a_selection_is_read_back_as_it_is_written() {
        for text in ["all", "a", "a/v", "123456789012/us-east-1/a/v"] {
            assert_eq!(selector(text).unwrap().to_string(), text);
        }
        for text in ["", "a/b/c", "/v", "a/", "12/us-east-1/a/v", "-a"] {
            assert!(selector(text).is_err(), "{text}");
        }
    }
}
