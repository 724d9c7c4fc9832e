//! The one place where AWS's errors are sorted into [`ErrorKind`]: by code first, by HTTP status
//! where there is no code, and by message only where AWS uses one code for different things.
//!
//! The SDK's own sorting is not used. It retries `LimitExceededException` (a hard quota) as
//! throttling, does not know the literal code `RateExceeded`, and does not retry the HTTP 400s by
//! which Application Auto Scaling reports its internal errors (`docs/decisions/aws-retries.md`).

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::inbound::TooLarge;
use setpoint_core::model::checks;
use setpoint_core::ports::{ErrorKind, NoCode, PortError, Service};

/// So many bytes are shown of a body that is not AWS's.
const BODY_SHOWN: usize = 120;

/// A failed attempt: what the classifier made of it, and what the observer hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    pub(super) code: Option<String>,
    pub(super) message: String,
    /// The HTTP status; 0 when there was no answer.
    pub(super) status: u16,
    /// What it is counted under without a code.
    pub(super) no_code: NoCode,
    /// Whether nothing listened where it was sent.
    pub(super) refused: bool,
}

impl Failure {
    /// An answer with a good status that makes no sense.
    pub(super) fn garbage(message: impl Into<String>) -> Self {
        let (kind, no_code) = (ErrorKind::Garbage, NoCode::BadAnswer);
        Self { kind, code: None, message: message.into(), status: 200, no_code, refused: false }
    }

    /// What it is counted under; never empty.
    pub(super) fn label(&self) -> String {
        let code = self.code.as_ref().filter(|code| !code.is_empty());
        code.cloned().unwrap_or_else(|| self.no_code.as_str().to_owned())
    }

    /// The failure as callers of the ports see it.
    pub(super) fn into_port_error(self, service: Service, operation: &'static str) -> PortError {
        let Self { kind, code, message, .. } = self;
        let code = code.as_deref().map(checks::text);
        PortError { kind, service, operation, code, message: checks::text(&message) }
    }

    pub(super) fn of<E>(service: Service, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        match error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code();
                let message = answer.err().message();
                Self {
                    kind: classify(service, code, status, message.unwrap_or_default()),
                    code: code.map(str::to_owned),
                    message: match (code, message) {
                        (_, Some(message)) => message.to_owned(),
                        (Some(_), None) => "AWS says no more".to_owned(),
                        (None, None) => not_of_aws(answer.raw()),
                    },
                    status,
                    // The SDK takes a body that it cannot parse for an error without a code.
                    no_code: if (200..300).contains(&status) {
                        NoCode::BadAnswer
                    } else {
                        NoCode::Uncoded
                    },
                    refused: false,
                }
            }
            // A body that cannot be parsed: behind an error status the status still tells.
            SdkError::ResponseError(_) => Self {
                kind: if (200..300).contains(&status) {
                    ErrorKind::Garbage
                } else {
                    classify(service, None, status, "")
                },
                code: None,
                message: format!("the answer cannot be understood: {}", chain(error)),
                status,
                no_code: NoCode::BadAnswer,
                refused: false,
            },
            SdkError::DispatchFailure(_) if sources(error).any(<dyn StdError>::is::<TooLarge>) => {
                Self { status: 200, ..Self::garbage(TooLarge.to_string()) }
            }
            SdkError::TimeoutError(_) => {
                Self::unanswered(error, ErrorKind::Transient, NoCode::Timeout, status)
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                Self::unanswered(error, ErrorKind::Transient, NoCode::Timeout, status)
            }
            SdkError::DispatchFailure(_) => {
                Self::unanswered(error, ErrorKind::Transient, NoCode::DispatchFailure, status)
            }
            _ => Self::unanswered(error, ErrorKind::Invalid, NoCode::NotBuilt, status),
        }
    }

    /// A call that got no answer, for these reasons unless it was the credentials that failed.
    fn unanswered(
        error: &(dyn StdError + 'static),
        kind: ErrorKind,
        no_code: NoCode,
        status: u16,
    ) -> Self {
        let (kind, no_code) = credentials_kind(error).unwrap_or((kind, no_code));
        let refused = no_code == NoCode::DispatchFailure && is_refused(error);
        let message = if refused { REFUSED.to_owned() } else { reported(error) };
        Self { kind, code: None, message, status, no_code, refused }
    }
}

/// What is said of a connection that nothing took; the SDK's layers around that say nothing more.
pub(super) const REFUSED: &str = "connection refused";

fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    let io = |source: &(dyn StdError + 'static)| {
        source
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    sources(error).any(io)
}

/// Sorts an error by its code, HTTP status (0 when unknown) and message.
pub fn classify(service: Service, code: Option<&str>, status: u16, message: &str) -> ErrorKind {
    let Some(code) = code.filter(|code| !code.is_empty()) else { return by_status(status) };
    if is_clock_skew(code, message) {
        return ErrorKind::Transient;
    }
    match code {
        // A hard quota. The SDK takes the first for throttling and would retry it.
        "LimitExceededException"
        | "LimitExceeded"
        | "LimitExceededFault"
        | "ResourceLimitExceeded"
        | "TooManyTagsException"
        | "ServiceQuotaExceededException" => ErrorKind::Quota,

        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RateExceeded"
        | "RateExceededException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "BandwidthLimitExceeded" => ErrorKind::Throttled,

        // Application Auto Scaling could not reach CloudWatch: for want of a permission, or because
        // CloudWatch throttled it. Only the message tells.
        "FailedResourceAccessException" if says(message, "rate exceeded") => ErrorKind::Throttled,

        "FailedResourceAccessException"
        | "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "OptInRequired"
        | "AuthFailure"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => ErrorKind::Denied,

        "ConcurrentUpdateException"
        | "ConcurrentModificationException"
        | "ConflictException"
        | "ResourceInUse" => ErrorKind::Conflict,

        // Application Auto Scaling reports the first with HTTP 400.
        "InternalServiceException"
        | "InternalServiceError"
        | "InternalServiceFault"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException" => ErrorKind::Transient,

        "ObjectNotFoundException"
        | "ResourceNotFound"
        | "ResourceNotFoundException"
        | "NotFoundException" => ErrorKind::NotFound,

        "ValidationException" | "ValidationError" => by_validation_message(service, message),

        _ => by_status_of_unknown_code(status),
    }
}

/// `ValidationException` is also what a missing permission of the caller and a missing SageMaker
/// endpoint come as.
fn by_validation_message(service: Service, message: &str) -> ErrorKind {
    if says(message, "is not authorized to perform") || says(message, "not authorized to perform") {
        ErrorKind::Denied
    } else if service == Service::SageMaker && says(message, "could not find") {
        ErrorKind::NotFound
    } else {
        ErrorKind::Invalid
    }
}

/// The SDK corrects its idea of the time from such an answer, so that the next try is good.
fn is_clock_skew(code: &str, message: &str) -> bool {
    match code {
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => true,
        "InvalidSignatureException" | "SignatureDoesNotMatch" => {
            says(message, "signature expired") || says(message, "not yet current")
        }
        _ => false,
    }
}

fn by_status(status: u16) -> ErrorKind {
    match status {
        401 | 403 => ErrorKind::Denied,
        429 => ErrorKind::Throttled,
        0 | 408 | 500.. => ErrorKind::Transient,
        // No AWS service answers so: something else listens there.
        _ => ErrorKind::Garbage,
    }
}

/// A code that is not in the table says at least that AWS understood the request.
fn by_status_of_unknown_code(status: u16) -> ErrorKind {
    match by_status(status) {
        ErrorKind::Garbage => ErrorKind::Invalid,
        kind => kind,
    }
}

fn says(message: &str, words: &str) -> bool {
    message.to_ascii_lowercase().contains(words)
}

/// Whether it was the credentials that failed: none at all is for a person to mend, while a
/// provider that did not answer may answer next time.
fn credentials_kind(error: &(dyn StdError + 'static)) -> Option<(ErrorKind, NoCode)> {
    sources(error).find_map(|source| source.downcast_ref::<CredentialsError>()).map(|error| {
        match error {
            CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_) => {
                (ErrorKind::Transient, NoCode::CredentialsFailure)
            }
            CredentialsError::CredentialsNotLoaded(_) => (ErrorKind::Denied, NoCode::NoCredentials),
            _ => (ErrorKind::Denied, NoCode::CredentialsFailure),
        }
    })
}

/// What a body says that is none of AWS's: a page of a proxy, for example.
fn not_of_aws(response: &HttpResponse) -> String {
    let status = response.status().as_u16();
    let body = response.body().bytes().unwrap_or_default();
    let start = String::from_utf8_lossy(&body[..body.len().min(BODY_SHOWN)]);
    let start = start.trim();
    if start.is_empty() {
        return format!("HTTP {status} with an empty body, which is not an answer of AWS");
    }
    format!("HTTP {status} with a body that is not an answer of AWS (a proxy's?): {start}")
}

/// A failure without an answer, in a sentence. Where it was the credentials that failed, the layers of
/// the SDK around that say nothing.
fn reported(error: &(dyn StdError + 'static)) -> String {
    let credentials = sources(error).find(|source| source.is::<CredentialsError>());
    let Some(credentials) = credentials else { return chain(error) };
    let why = chain(credentials);
    let found_none = matches!(
        credentials.downcast_ref::<CredentialsError>(),
        Some(CredentialsError::CredentialsNotLoaded(_))
    );
    // The metadata service of an instance is asked last: where there is none, there is nothing else.
    if found_none || why.contains("IMDS") {
        return "no AWS credentials were found (set AWS_PROFILE or AWS_ACCESS_KEY_ID and \
                AWS_SECRET_ACCESS_KEY, or give the pod or instance a role)"
            .to_owned();
    }
    format!("the AWS credentials could not be loaded: {why}")
}

fn sources<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The error and its causes in one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    for part in sources(error).map(ToString::to_string) {
        // Several layers of the SDK repeat the text of the one beneath.
        if !line.ends_with(&part) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&part);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorKind::{Conflict, Denied, Garbage, Invalid, NotFound, Quota, Throttled, Transient};
    use Service::{ApplicationAutoScaling as Aas, CloudWatch, SageMaker, Sts};
    use aws_smithy_runtime_api::client::result::ConnectorError;

    #[test]
    fn every_code_has_its_kind() {
        #[rustfmt::skip]
        let table: &[(Service, &str, u16, &str, ErrorKind)] = &[
            (Aas, "ThrottlingException", 400, "Rate exceeded", Throttled),
            (Aas, "RateExceeded", 400, "", Throttled),
            (Sts, "Throttling", 400, "Rate exceeded", Throttled),
            (Aas, "LimitExceededException", 400, "Rate exceeded", Quota),
            (CloudWatch, "LimitExceeded", 400, "", Quota),
            (Aas, "TooManyTagsException", 400, "", Quota),
            (Aas, "ResourceNotFoundException", 400, "", NotFound),
            (Aas, "FailedResourceAccessException", 400, "Unable to retrieve alarms for scaling policy x due to reason: Rate exceeded", Throttled),
            (Aas, "FailedResourceAccessException", 400, "Unable to retrieve alarms: AccessDenied", Denied),
            (Aas, "ConcurrentUpdateException", 400, "pending update", Conflict),
            (Aas, "InternalServiceException", 400, "oops", Transient),
            (CloudWatch, "InternalServiceError", 500, "oops", Transient),
            (SageMaker, "ServiceUnavailable", 503, "", Transient),
            (Aas, "ObjectNotFoundException", 400, "No scalable target registered", NotFound),
            (Aas, "ValidationException", 400, "User: arn:aws:iam::1:user/u is not authorized to perform: cloudwatch:PutMetricAlarm", Denied),
            (Aas, "ValidationException", 400, "Only one TargetTrackingScaling policy for a given metric specification is allowed.", Invalid),
            (Aas, "ValidationException", 400, "Could not find endpoint", Invalid),
            (SageMaker, "ValidationException", 400, "Could not find endpoint \"arn\".", NotFound),
            (SageMaker, "ValidationException", 400, "1 validation error detected", Invalid),
            (SageMaker, "AccessDeniedException", 400, "", Denied),
            (Sts, "ExpiredToken", 403, "", Denied),
            (Sts, "SignatureDoesNotMatch", 403, "wrong key", Denied),
            (Sts, "SignatureDoesNotMatch", 403, "Signature expired: 2026", Transient),
            (Aas, "InvalidNextTokenException", 400, "", Invalid),
            (Aas, "BrandNewException", 400, "", Invalid),
            (Aas, "BrandNewException", 503, "", Transient),
            (Aas, "BrandNewException", 429, "", Throttled),
        ];
        for (service, code, status, message, kind) in table {
            assert_eq!(classify(*service, Some(code), *status, message), *kind, "{code} {message}");
        }
    }

    #[test]
    fn missing_credentials_are_denied_and_slow_ones_transient() {
        let wrapped = |error: CredentialsError| -> SdkError<std::io::Error, HttpResponse> {
            SdkError::dispatch_failure(ConnectorError::other(error.into(), None))
        };
        let kind = |error| credentials_kind(&wrapped(error));
        let failed = Some((Transient, NoCode::CredentialsFailure));
        let none = CredentialsError::not_loaded("no profile");
        assert_eq!(kind(none), Some((Denied, NoCode::NoCredentials)));
        assert_eq!(kind(CredentialsError::provider_error("STS is down")), failed);
        let timed_out = CredentialsError::provider_timed_out(std::time::Duration::ZERO);
        assert_eq!(kind(timed_out), failed);
        let refused = CredentialsError::invalid_configuration("no such profile");
        assert_eq!(kind(refused), Some((Denied, NoCode::CredentialsFailure)));
        let line = reported(&wrapped(CredentialsError::not_loaded("no profile")));
        assert!(line.starts_with("no AWS credentials were found (set AWS_PROFILE"), "{line}");
        let line = reported(&wrapped(CredentialsError::provider_error("STS is down")));
        assert!(line.starts_with("the AWS credentials could not be loaded: "), "{line}");
        assert!(line.contains("STS is down") && !line.contains("dispatch failure"), "{line}");
    }

    #[test]
    fn without_a_code_the_status_tells() {
        for (status, kind) in [
            (0, Transient),
            (400, Garbage),
            (401, Denied),
            (403, Denied),
            (404, Garbage),
            (408, Transient),
            (429, Throttled),
            (500, Transient),
            (503, Transient),
        ] {
            assert_eq!(classify(Aas, None, status, "<html>"), kind, "{status}");
            assert_eq!(classify(Aas, Some(""), status, ""), kind, "{status}");
        }
    }
}
