//! What the server answers instead of a result.

use http::StatusCode;

use crate::api::ApiError;

/// An AWS error as it goes over the wire, before a protocol spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireError {
    status: StatusCode,
    code: String,
    message: String,
}

impl WireError {
    /// An error with its status.
    pub(super) fn new(
        status: StatusCode,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// An error of the client: HTTP 400.
    pub(super) fn client(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// The body could not be read.
    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::client("SerializationException", message)
    }

    /// Nobody signed the request.
    pub(super) fn unsigned() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// AWS's code: the shape's name.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// The sentence.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Whose fault it is, in the words of the Query protocol.
    pub(super) fn fault(&self) -> &'static str {
        if self.status.is_server_error() { "Receiver" } else { "Sender" }
    }

    /// The code that clients of the Query protocol know it by: CloudWatch is query-compatible,
    /// and its shapes carry other names there (the `awsQueryError` traits of its model).
    pub(super) fn query_code(&self) -> &str {
        match self.code.as_str() {
            "InvalidParameterValueException" => "InvalidParameterValue",
            "InvalidParameterCombinationException" => "InvalidParameterCombination",
            "MissingRequiredParameterException" => "MissingParameter",
            "InternalServiceFault" => "InternalServiceError",
            "InvalidFormatFault" => "InvalidFormat",
            "LimitExceededFault" => "LimitExceeded",
            "ThrottlingException" => "Throttling",
            "ValidationException" => "ValidationError",
            "UnknownOperationException" => "InvalidAction",
            other => other,
        }
    }
}

impl From<&ApiError> for WireError {
    fn from(error: &ApiError) -> Self {
        // The world's statuses are AWS's; a number that is none is the world's failure.
        let status =
            StatusCode::from_u16(error.http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, error.code.clone(), error.message.clone())
    }
}
