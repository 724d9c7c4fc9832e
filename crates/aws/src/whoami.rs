//! Who the credentials belong to and what AWS's clock says: for a look at the surroundings, beside
//! the passes.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;

use super::error::Failure;
use super::settings::Settings;
use super::{inbound, session};
use chrono::DateTime;
use setpoint_core::model::ids::AccountId;
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::{PortResult, Service};

/// What `GetCallerIdentity` answers, and when.
#[derive(Debug, Clone)]
pub struct WhoAmI {
    /// The account and the ARN of the caller.
    pub caller: PortResult<(AccountId, String)>,
    /// AWS's clock, to the second, by the answer's Date; absent without an answer.
    pub aws_time: Option<Timestamp>,
}

/// Asks STS once.
pub async fn who_am_i(settings: &Settings) -> WhoAmI {
    let sdk = session::load(settings, inbound::guarded(session::http_client())).await;
    let date = AnswerDate::default();
    let config = aws_sdk_sts::config::Builder::from(&sdk)
        .retry_config(RetryConfig::disabled())
        .interceptor(date.clone())
        .build();
    let answer = aws_sdk_sts::Client::from_conf(config).get_caller_identity().send().await;
    let caller = answer.map_err(|error| Failure::of(Service::Sts, &error)).and_then(|answer| {
        let account = AccountId::new(answer.account.unwrap_or_default())
            .map_err(|error| Failure::garbage(error.to_string()))?;
        Ok((account, answer.arn.unwrap_or_default()))
    });
    let caller =
        caller.map_err(|failure| failure.into_port_error(Service::Sts, "GetCallerIdentity"));
    let header = date.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let aws_time = header.and_then(|text| DateTime::parse_from_rfc2822(&text).ok());
    WhoAmI { caller, aws_time: aws_time.map(|at| at.to_utc()) }
}

/// Keeps the Date of the last answer, that of a refusal too: with a clock that is wrong there is no
/// other.
#[derive(Debug, Clone, Default)]
struct AnswerDate(Arc<Mutex<Option<String>>>);

impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
