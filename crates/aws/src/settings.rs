//! What `aws::connect` needs to know. Configuration is mapped to it by `cli`.

use std::fmt;
use std::time::Duration;

use super::adaptive::Growing;
use setpoint_core::model::ids::{AccountId, Region};

/// How to reach one account and region.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub region: Region,
    /// The account that is expected. Absent: `GetCallerIdentity` is asked once at connect.
    pub account_id: Option<AccountId>,
    /// One URL for all services, instead of AWS's own: an emulator or a proxy. `http:` and `https:`.
    pub endpoint_url: Option<String>,
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// A role to assume with the credentials found.
    pub role_arn: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// Where the credentials come from.
    pub credentials: CredentialSource,
    /// How long calls may take.
    pub timeouts: Timeouts,
    /// How often reads are tried.
    pub retries: Retries,
    /// How many calls the region gets.
    pub rates: Rates,
}

impl Settings {
    /// AWS itself, with the default credential chain and the default limits.
    pub fn new(region: Region) -> Self {
        Self {
            region,
            account_id: None,
            endpoint_url: None,
            profile: None,
            role_arn: None,
            external_id: None,
            credentials: CredentialSource::Chain,
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            rates: Rates::default(),
        }
    }
}

/// Where credentials come from.
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// The SDK's chain: environment, profile, web identity (IRSA), container (EKS Pod Identity),
    /// instance metadata.
    Chain,
    /// Fixed keys, for the embedded AWS and emulators, which check none.
    Fixed { access_key_id: String, secret_access_key: String },
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain => f.write_str("Chain"),
            // Keys stay out of logs, even those that open nothing.
            Self::Fixed { .. } => f.write_str("Fixed(..)"),
        }
    }
}

/// How long calls may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    pub read_attempt: Duration,
    /// After this long, waits included, no further attempt of a read starts.
    pub read_total: Duration,
    /// The one attempt of a write. With the longest wait for the write budget it must stay below
    /// lease duration minus renew deadline (rule 23), which is 5 s by default.
    pub write_attempt: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            read_attempt: Duration::from_secs(10),
            read_total: Duration::from_secs(45),
            write_attempt: Duration::from_secs(3),
        }
    }
}

/// How often reads are tried. Writes are tried once: the next pass is the retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Attempts of a read, the first included; at least 1.
    pub read_attempts: u32,
    /// Attempts of a read whose connection is refused, the first included: nothing listens there, and
    /// a command that a person waits for need not find that out four times.
    pub refused_attempts: u32,
    /// The longest wait before the second attempt; it doubles with each further one. The wait is
    /// drawn evenly between nothing and this.
    pub base_backoff: Duration,
    /// The longest wait between two attempts.
    pub max_backoff: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            read_attempts: 4,
            refused_attempts: 4,
            base_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(8),
        }
    }
}

/// How many calls a region gets (rule 24).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Application Auto Scaling, calls a second. AWS publishes no figure; its bucket is shared by
    /// all callers in the account.
    pub scaling_calls_per_second: f64,
    /// Writes a second. Behind each, AWS alone makes two of the 3 `PutMetricAlarm` a second.
    pub writes_per_second: f64,
    /// `SageMaker`, calls a second. AWS publishes no figure.
    pub sagemaker_calls_per_second: Growing,
    /// `DescribeAlarms`, calls a second, of AWS's 9 (CloudWatch service quotas).
    pub alarm_calls_per_second: f64,
    /// `GetMetricData`, calls a second, of AWS's 500 (CloudWatch service quotas).
    pub metric_calls_per_second: Growing,
    /// Datapoints of `GetMetricData` a second, of AWS's 396,000, or 180,000 of the last three hours
    /// (CloudWatch service quotas).
    pub datapoints_per_second: Growing,
    /// The longest wait of a read for its turn.
    pub read_wait: Duration,
    /// The longest wait of a write for its turn. Short, for leadership was looked at before it.
    pub write_wait: Duration,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            scaling_calls_per_second: 2.0,
            writes_per_second: 1.0,
            sagemaker_calls_per_second: Growing { from: 10.0, to: 50.0 },
            alarm_calls_per_second: 3.0,
            // The rest is for the account's dashboards.
            metric_calls_per_second: Growing { from: 20.0, to: 100.0 },
            datapoints_per_second: Growing { from: 150_000.0, to: 300_000.0 },
            read_wait: Duration::from_mins(1),
            write_wait: Duration::from_millis(1500),
        }
    }
}
