//! What a pass is counted under.

/// Why a pass was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// It was due by `reconcile.schedule`, and read nothing from CloudWatch's metrics.
    Describe,
    /// It was due by `reconcile.telemetry_schedule`, and read telemetry too.
    Telemetry,
    /// A person asked for it: a reconcile, or a confirmation.
    Asked,
}

impl PassKind {
    pub const ALL: [Self; 3] = [Self::Describe, Self::Telemetry, Self::Asked];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Telemetry => "telemetry",
            Self::Asked => "asked",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassResult {
    /// It came to its end in time and could list at least one account and region.
    Success,
    /// A bug of ours ended it, it overran `reconcile.pass_timeout_seconds`, or it could list no
    /// account and region at all.
    Error,
    /// Leadership was lost while it was under way, so that what it found is not published.
    Skipped,
}

impl PassResult {
    pub const ALL: [Self; 3] = [Self::Success, Self::Error, Self::Skipped];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}
