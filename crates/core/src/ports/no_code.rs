//! What a failed call is counted under when AWS gave no error code.

/// What a failed call is counted under when AWS gave no error code. None of them is a code of AWS's:
/// those are in upper camel case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoCode {
    /// No connection, or one that broke: refused, no such host, TLS.
    DispatchFailure,
    /// No answer in time.
    Timeout,
    /// There are no credentials to sign with.
    NoCredentials,
    /// There should be credentials, and whoever has them did not give them.
    CredentialsFailure,
    /// An answer that makes no sense: no JSON, a member missing.
    BadAnswer,
    /// An error status without a code.
    Uncoded,
    /// The request could not be put together.
    NotBuilt,
}

impl NoCode {
    pub const ALL: [Self; 7] = [
        Self::DispatchFailure,
        Self::Timeout,
        Self::NoCredentials,
        Self::CredentialsFailure,
        Self::BadAnswer,
        Self::Uncoded,
        Self::NotBuilt,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DispatchFailure => "dispatch_failure",
            Self::Timeout => "timeout",
            Self::NoCredentials => "no_credentials",
            Self::CredentialsFailure => "credentials_failure",
            Self::BadAnswer => "bad_answer",
            Self::Uncoded => "no_code",
            Self::NotBuilt => "not_built",
        }
    }
}
