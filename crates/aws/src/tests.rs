//! The adapters against recorded answers: the shape of what is sent, and what becomes of what
//! comes back.

mod answers;
mod connecting;
mod inbound;
mod requests;
mod telemetry;
mod unanswered;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::body::SdkBody;

use super::{CredentialSource, Retries, Settings, connect_through};
use setpoint_core::model::ids::{AccountId, Region, ResourceId, Scope};
use setpoint_core::ports::{Aws, CallObserver, CallRecord, Service};

/// The ports over a client that plays back answers, and what they sent and reported.
struct Replay {
    aws: Aws,
    http: StaticReplayClient,
    calls: Arc<Calls>,
}

#[derive(Debug, Default)]
struct Calls(Mutex<Vec<CallRecord>>, Mutex<Vec<usize>>);

impl Calls {
    /// How many rows of each whole listing made no sense.
    fn skipped(&self) -> Vec<usize> {
        self.1.lock().unwrap().clone()
    }
}

impl CallObserver for Calls {
    fn called(&self, call: &CallRecord) {
        self.0.lock().unwrap().push(call.clone());
    }

    fn skipped(&self, _: &Scope, _: Service, _: &'static str, rows: usize) {
        self.1.lock().unwrap().push(rows);
    }
}

impl Replay {
    /// Plays these answers (status, body) in order.
    async fn of<B: Into<SdkBody>>(answers: Vec<(u16, B)>) -> Self {
        let events = answers.into_iter().map(|(status, body)| {
            let request = http::Request::builder().body(SdkBody::empty()).unwrap();
            let response = http::Response::builder()
                .status(status)
                .header("smithy-protocol", "rpc-v2-cbor")
                .body(body.into())
                .unwrap();
            ReplayEvent::new(request, response)
        });
        let http = StaticReplayClient::new(events.collect());
        let calls = Arc::new(Calls::default());
        let observer: Arc<dyn CallObserver> = Arc::<Calls>::clone(&calls);
        let shared = SharedHttpClient::new(http.clone());
        let aws = connect_through(&settings(), observer, shared).await.unwrap();
        Self { aws, http, calls }
    }

    /// What was sent: the operation (`X-Amz-Target` or path) and the body.
    fn sent(&self) -> Vec<(String, Vec<u8>)> {
        self.http
            .actual_requests()
            .map(|request| {
                let target = request.headers().get("x-amz-target");
                let path = || request.uri().rsplit('/').next().unwrap_or_default().to_owned();
                let operation = target.map_or_else(path, |target| {
                    target.rsplit('.').next().unwrap_or_default().to_owned()
                });
                (operation, request.body().bytes().unwrap_or_default().to_vec())
            })
            .collect()
    }

    fn sent_json(&self) -> Vec<serde_json::Value> {
        self.sent().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    fn calls(&self) -> Vec<CallRecord> {
        self.calls.0.lock().unwrap().clone()
    }
}

/// Retries without waiting.
fn settings() -> Settings {
    let mut settings = Settings::new(Region::new("us-east-1").unwrap());
    settings.account_id = Some(AccountId::new("123456789012").unwrap());
    settings.credentials = CredentialSource::Fixed {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
    };
    settings.retries = Retries {
        read_attempts: 3,
        refused_attempts: 2,
        base_backoff: Duration::ZERO,
        max_backoff: Duration::ZERO,
    };
    settings.rates.scaling_calls_per_second = 1e6;
    settings.rates.writes_per_second = 1e6;
    settings
}

fn resource() -> ResourceId {
    "endpoint/fraud-scorer/variant/AllTraffic".parse().unwrap()
}
