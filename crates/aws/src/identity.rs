//! Who the credentials belong to, by STS; and who called, by CloudTrail.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_sts::Client;

use super::call::{Call, Caller};
use super::error::Failure;
use super::sagemaker::JsonClient;
use super::settings::Settings;
use setpoint_core::model::ids::{AccountId, Scope};
use setpoint_core::model::time::Timestamp;
use setpoint_core::model::trail::TrailEvent;
use setpoint_core::ports::{CallObserver, CallRecord, Identity, PortResult, Service};

const GET_CALLER_IDENTITY: Call = Call::new(Service::Sts, "GetCallerIdentity");

pub(super) struct SdkIdentity {
    client: Client,
    trail: JsonClient,
    caller: Arc<Caller>,
}

impl SdkIdentity {
    pub(super) fn new(client: Client, trail: JsonClient, caller: Arc<Caller>) -> Self {
        Self { client, trail, caller }
    }
}

#[async_trait]
impl Identity for SdkIdentity {
    async fn caller_account(&self) -> PortResult<AccountId> {
        self.caller.read(GET_CALLER_IDENTITY, || attempt(&self.client)).await
    }

    async fn callers(
        &self,
        operation: &str,
        span: (Timestamp, Timestamp),
    ) -> PortResult<Vec<TrailEvent>> {
        super::trail::callers(&self.trail, &self.caller, operation, span).await
    }
}

/// Asks before the account, and with it the scope that calls are counted under, is known. The
/// record is passed on once it is; a call that failed belongs to no account and is not counted.
pub(super) async fn ask_account(
    client: &Client,
    settings: &Settings,
    observer: &Arc<dyn CallObserver>,
) -> PortResult<AccountId> {
    let held = Arc::new(Held::default());
    let nobody = AccountId::new("000000000000").map_err(|error| {
        Failure::garbage(error.to_string())
            .into_port_error(Service::Sts, GET_CALLER_IDENTITY.operation)
    })?;
    let scope = Scope { account_id: nobody, region: settings.region.clone() };
    let caller = Caller::new(scope, settings, Arc::<Held>::clone(&held));
    let account = caller.read(GET_CALLER_IDENTITY, || attempt(client)).await?;
    for mut call in held.take() {
        call.scope.account_id = account.clone();
        observer.called(&call);
    }
    Ok(account)
}

/// Keeps records until their scope is known.
#[derive(Debug, Default)]
struct Held(Mutex<Vec<CallRecord>>);

impl Held {
    fn take(&self) -> Vec<CallRecord> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CallObserver for Held {
    fn called(&self, call: &CallRecord) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
    }
}

async fn attempt(client: &Client) -> Result<AccountId, Failure> {
    let answer = client
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| Failure::of(Service::Sts, &error))?;
    let account = answer.account.unwrap_or_default();
    AccountId::new(account).map_err(|error| Failure::garbage(error.to_string()))
}
