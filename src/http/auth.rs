//! Whether a command may be given: `Authorization: Bearer` with the content of the token file.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::system::files::{self, FileWork};

/// More than any token; a wrong file must not be read whole.
pub const MAX_TOKEN_BYTES: u64 = 4096;
/// How long the file may take.
const READ_TIME: Duration = Duration::from_secs(5);
/// How long a wrong token waits for its answer: with 64 connections from one address, some 64
/// guesses a second.
const WRONG_TOKEN_DELAY: Duration = Duration::from_secs(1);
/// Between two lines of the log about wrong tokens.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The token that commands need.
pub(super) struct Token {
    file: Option<PathBuf>,
    work: FileWork,
    wrong: Mutex<Wrong>,
}

/// Wrong tokens that the log has not shown.
#[derive(Default)]
struct Wrong {
    unlogged: u64,
    logged_at: Option<Instant>,
}

impl Token {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, work: FileWork::new(READ_TIME), wrong: Mutex::default() }
    }

    /// Compares the request's token with the file's, which is read again each time so that it can
    /// be rotated. Wrong ones wait for their answer.
    pub(super) async fn authorise(
        &self,
        headers: &HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<(), Problem> {
        let refused = |sentence: String| Err(Problem::new(StatusCode::FORBIDDEN, sentence));
        let Some(path) = &self.file else {
            return refused("commands are off: no http.token_file is configured".to_owned());
        };
        let expected = match self.read(path.clone()).await {
            Ok(token) => token,
            // The path and the system's words are for the log, not for whoever knocks.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "http.token_file cannot be used");
                return refused("commands are off: http.token_file cannot be read".to_owned());
            }
        };
        if expected.is_empty() {
            tracing::warn!(path = %path.display(), "http.token_file is empty");
            return refused("commands are off: http.token_file is empty".to_owned());
        }
        let Some(given) = bearer(headers) else {
            return refused("a command needs the header Authorization: Bearer TOKEN".to_owned());
        };
        if bool::from(given.as_bytes().ct_eq(expected.as_bytes())) {
            return Ok(());
        }
        self.note_wrong(from);
        tokio::time::sleep(WRONG_TOKEN_DELAY).await;
        refused("the token is not the one in http.token_file".to_owned())
    }

    async fn read(&self, path: PathBuf) -> std::io::Result<String> {
        let content = self.work.run(move || files::read(&path, MAX_TOKEN_BYTES)).await?;
        let text = String::from_utf8(content).map_err(std::io::Error::other)?;
        Ok(text.trim().to_owned())
    }

    /// Tells the log, which whoever guesses must not be able to fill.
    fn note_wrong(&self, from: Option<IpAddr>) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.unlogged += 1;
        if wrong.logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            let from = from.map_or_else(|| "?".to_owned(), |from| from.to_string());
            tracing::warn!(from, attempts = wrong.unlogged, "a command came with a wrong token");
            *wrong = Wrong { unlogged: 0, logged_at: Some(Instant::now()) };
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
