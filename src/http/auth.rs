//! Whether a command may be given: `Authorization: Bearer` with the content of the token file.

use std::path::Path;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq;
use tokio::io::AsyncReadExt;

use super::problem::Problem;

/// More than any token; a wrong file must not be read whole.
const MAX_TOKEN_BYTES: u64 = 4096;

/// Compares the request's token with the file's, which is read anew so that it can be rotated.
pub(super) async fn authorise(
    token_file: Option<&Path>,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let refused = |sentence: String| Err(Problem::new(StatusCode::FORBIDDEN, sentence));
    let Some(path) = token_file else {
        return refused("commands are off: no http.token_file is configured".to_owned());
    };
    let expected = match read_token(path).await {
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
        Ok(())
    } else {
        refused("the token is not the one in http.token_file".to_owned())
    }
}

async fn read_token(path: &Path) -> std::io::Result<String> {
    let mut content = String::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(MAX_TOKEN_BYTES + 1).read_to_string(&mut content).await?;
    if content.len() as u64 > MAX_TOKEN_BYTES {
        return Err(std::io::Error::other(format!("it is longer than {MAX_TOKEN_BYTES} bytes")));
    }
    Ok(content.trim().to_owned())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
