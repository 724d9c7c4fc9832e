//! A client of a running daemon: what is asked, and every failure as a sentence with what to do.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize as _;
use serde_json::Value;

use crate::cli::CliError;
use crate::http::MAX_TOKEN_BYTES;
use crate::model::ids::VariantId;
use crate::model::selector::Selector;
use crate::render::printable;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// More than the largest fleet's answer: 10,000 variants are checked, or planned, with some 10 KiB each.
const MAX_ANSWER_BYTES: u64 = 256 << 20;

/// Asks one daemon.
pub(super) struct Client {
    url: String,
    /// The token and the file it is from; without one only what changes nothing can be asked.
    token: Option<(String, PathBuf)>,
    timeout: Duration,
    agent: ureq::Agent,
}

impl Client {
    /// A client of the daemon at `url`, with the token of this file, if there is one.
    pub(super) fn new(
        url: &str,
        token: Option<PathBuf>,
        timeout: Duration,
    ) -> Result<Self, CliError> {
        if !url.starts_with("http://") {
            let what = format!("--url {url:?} is not understood (allowed: http://HOST:PORT)");
            return Err(CliError::usage(what));
        }
        let token = token.map(|file| Ok::<_, CliError>((read_token(&file)?, file))).transpose()?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // The token is for this daemon alone.
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(timeout))
            .build()
            .into();
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, token, timeout, agent })
    }

    /// Gives a command and returns the answer to it.
    pub(super) fn post(
        &self,
        command: &str,
        selector: &Selector,
        body: Option<&Value>,
    ) -> Result<Value, CliError> {
        let url = format!("{}/-/{command}{}", self.url, query(selector));
        let mut request = self.agent.post(url);
        if let Some((token, _)) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        self.answer(request.send(body))
    }

    /// Reads what lies below this path. Nothing is sent that a reader does not need.
    pub(super) fn get(&self, path: &str) -> Result<Value, CliError> {
        self.answer(self.agent.get(format!("{}{path}", self.url)).call())
    }

    fn answer(
        &self,
        response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, CliError> {
        let mut response = response.map_err(|error| self.unanswered(&error))?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let text = text.map_err(|error| self.unanswered(&error))?;
        let answer: Option<Value> = serde_json::from_slice(&text).ok();
        match answer {
            Some(answer) if status == 200 => Ok(answer),
            Some(answer) if answer["error"].is_string() => Err(self.refused(status, &answer)),
            _ => Err(CliError::failed(format!(
                "what answers at {} is not setpoint: status {status}, and no answer of its kind \
                 (give the daemon's address with --url)",
                self.url
            ))),
        }
    }

    /// No answer has come.
    fn unanswered(&self, error: &ureq::Error) -> CliError {
        let url = &self.url;
        CliError::failed(match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => format!(
                "no connection to {url} within {} s (is it the daemon's address? --url names \
                 another)",
                CONNECT_TIMEOUT.as_secs()
            ),
            ureq::Error::Timeout(_) => format!(
                "no answer from {url} within {} s: what was asked may still be done (a pass may be \
                 under way: look at the status page or the log; --timeout waits longer)",
                self.timeout.as_secs()
            ),
            ureq::Error::Io(io) if io.kind() == ErrorKind::ConnectionRefused => format!(
                "nothing listens at {url}: connection refused (is setpoint running there? it \
                 listens on http.listen of its configuration; --url names another address)"
            ),
            ureq::Error::HostNotFound => {
                format!("the host of {url} has no address (--url names another)")
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => format!(
                "the request to {url} cannot be made: {error} (--url: http://HOST:PORT; the token \
                 file: one line of visible characters)"
            ),
            _ => format!(
                "no answer from {url}: {error} (what was asked may have been done: ask again, or \
                 look at the log)"
            ),
        })
    }

    /// The daemon has said no.
    fn refused(&self, status: u16, answer: &Value) -> CliError {
        let sentence = printable(answer["error"].as_str().unwrap_or_default()).into_owned();
        CliError::failed(match status {
            403 if sentence.starts_with("commands are off") => format!(
                "{sentence} (at {}; set http.token_file and restart the daemon, in the Helm chart \
                 with httpToken.create or httpToken.existingSecret)",
                self.url
            ),
            403 => match &self.token {
                Some((_, file)) => format!(
                    "{sentence} (that of {} was sent to {}; --token-file names another file)",
                    file.display(),
                    self.url
                ),
                None => format!(
                    "{sentence} (none was sent to {}: only from inside its pod it is not needed; \
                     http.token_file of the configuration, or --token-file)",
                    self.url
                ),
            },
            422 => {
                let problems = answer["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
                problems.iter().fold(sentence, |all, problem| all + "\n" + &self::problem(problem))
            }
            409 if answer["candidates"].is_array() => {
                let ids: Vec<VariantId> =
                    Vec::deserialize(&answer["candidates"]).unwrap_or_default();
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                format!("several variants match: name one of {}", ids.join(", "))
            }
            503 => match answer["leader"]["url"].as_str() {
                Some(leader) => format!("{sentence} (ask there: --url {})", printable(leader)),
                None => sentence,
            },
            _ => sentence,
        })
    }
}

/// `?endpoint=E&variant=V`: the names hold nothing that would have to be escaped.
fn query(selector: &Selector) -> String {
    let value = serde_json::to_value(selector).unwrap_or_default();
    let pairs: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// A problem of a configuration in one line, as `config check` prints it.
fn problem(problem: &Value) -> String {
    let sentence = problem["problem"].as_str().map(str::to_owned);
    printable(&sentence.unwrap_or_else(|| problem.to_string())).into_owned()
}

fn read_token(path: &Path) -> Result<String, CliError> {
    let unusable = |why: String| {
        CliError::failed(format!(
            "the token cannot be read from {}: {why} (http.token_file of the configuration, or \
             --token-file)",
            path.display()
        ))
    };
    let mut token = String::new();
    let file = std::fs::File::open(path).map_err(|error| unusable(error.to_string()))?;
    file.take(MAX_TOKEN_BYTES + 1)
        .read_to_string(&mut token)
        .map_err(|error| unusable(error.to_string()))?;
    if token.len() as u64 > MAX_TOKEN_BYTES {
        return Err(unusable(format!("it is longer than {MAX_TOKEN_BYTES} bytes")));
    }
    let token = token.trim();
    if token.is_empty() {
        return Err(unusable("it is empty".to_owned()));
    }
    Ok(token.to_owned())
}
