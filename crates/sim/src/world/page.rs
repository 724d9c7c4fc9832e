//! Paging: page sizes out of range are refused, tokens name the operation and the offset.

use crate::api::{ApiError, ApiResult, Operation};

pub(super) struct Paging {
    pub(super) operation: Operation,
    pub(super) default: i32,
    pub(super) max: i32,
    /// The name of the member that sets the page size.
    pub(super) member: &'static str,
    /// The error code of a token that was not given out.
    pub(super) bad_token: &'static str,
}

impl Paging {
    pub(super) fn size(&self, asked: Option<i32>) -> ApiResult<usize> {
        let size = asked.unwrap_or(self.default);
        if (1..=self.max).contains(&size) {
            return Ok(size as usize);
        }
        let Self { max, member, .. } = self;
        Err(ApiError::validation(format!(
            "1 validation error detected: Value '{size}' at '{member}' failed to satisfy constraint: \
             Member must be between 1 and {max}"
        )))
    }

    /// Where the page that a token names begins.
    pub(super) fn offset(&self, token: Option<&str>) -> ApiResult<usize> {
        let Some(token) = token else { return Ok(0) };
        token
            .strip_prefix(self.operation.as_str())
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|offset| offset.parse().ok())
            .ok_or_else(|| ApiError::new(self.bad_token, "the next token is not valid"))
    }

    /// The token of the page that begins at `offset`.
    pub(super) fn token(&self, offset: usize) -> String {
        format!("{}:{offset}", self.operation.as_str())
    }

    /// One page of `all`, and the token of the next.
    pub(super) fn page<T>(
        &self,
        all: impl Iterator<Item = T>,
        asked: Option<i32>,
        token: Option<&str>,
    ) -> ApiResult<(Vec<T>, Option<String>)> {
        let (size, offset) = (self.size(asked)?, self.offset(token)?);
        let mut rest = all.skip(offset);
        let page: Vec<T> = rest.by_ref().take(size).collect();
        let next = rest.next().map(|_| self.token(offset + size));
        Ok((page, next))
    }
}
