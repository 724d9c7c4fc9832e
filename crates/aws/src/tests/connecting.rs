//! Connecting: whose account it is, whose role, and what happens when nobody answers.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::body::SdkBody;

use super::{Calls, settings};
use crate::{ConnectError, connect, connect_through};
use setpoint_core::ports::{
    Aws, CallObserver, CallRecord, ErrorKind, RegisterScalableTarget, Service,
};

const IDENTITY: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
    <Account>210987654321</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
const ROLE: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
    <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
    <SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>\
    </Credentials></AssumeRoleResult></AssumeRoleResponse>";
const DENIED: &str = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>\
    </ErrorResponse>";

fn replay(answers: &[(u16, &str)]) -> StaticReplayClient {
    let event = |(status, body): &(u16, &str)| {
        let request = http::Request::builder().body(SdkBody::empty()).unwrap();
        let response = http::Response::builder().status(*status).body(SdkBody::from(*body));
        ReplayEvent::new(request, response.unwrap())
    };
    StaticReplayClient::new(answers.iter().map(event).collect())
}

async fn through(
    http: &StaticReplayClient,
    account_id: Option<&str>,
) -> (Result<Aws, ConnectError>, Vec<CallRecord>) {
    let mut settings = settings();
    settings.account_id = account_id.map(|id| id.parse().unwrap());
    let calls = Arc::new(Calls::default());
    let observer: Arc<dyn CallObserver> = Arc::<Calls>::clone(&calls);
    let shared = SharedHttpClient::new(http.clone());
    let aws = connect_through(&settings, observer, shared).await;
    let seen = calls.0.lock().unwrap().clone();
    (aws, seen)
}

#[tokio::test]
async fn without_an_account_in_the_settings_sts_tells_it() {
    let http = replay(&[(200, IDENTITY)]);
    let (aws, calls) = through(&http, None).await;
    assert_eq!(aws.unwrap().scope.to_string(), "210987654321/us-east-1");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].service, Service::Sts);
    assert_eq!(calls[0].scope.account_id.as_str(), "210987654321");
}

#[tokio::test]
async fn a_wrong_account_is_for_the_caller_to_see() {
    let http = replay(&[(200, IDENTITY)]);
    let (aws, calls) = through(&http, Some("123456789012")).await;
    assert_eq!(calls, [], "nothing is sent at connect");
    let aws = aws.unwrap();
    assert_eq!(aws.scope.account_id.as_str(), "123456789012");
    assert_eq!(aws.identity.caller_account().await.unwrap().as_str(), "210987654321");
}

#[tokio::test]
async fn an_account_that_nobody_tells_is_an_error() {
    let (aws, _) = through(&replay(&[(403, DENIED)]), None).await;
    let Err(ConnectError::Account(error)) = aws else { panic!("connected") };
    assert_eq!(error.kind, ErrorKind::Denied);
    let nonsense = IDENTITY.replace("210987654321", "nobody");
    let (aws, _) = through(&replay(&[(200, &nonsense)]), None).await;
    let Err(ConnectError::Account(error)) = aws else { panic!("connected") };
    assert_eq!(error.kind, ErrorKind::Garbage);
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id_and_signs_what_follows() {
    let http = replay(&[(200, ROLE), (200, r#"{"Endpoints":[]}"#)]);
    let mut settings = settings();
    settings.role_arn = Some("arn:aws:iam::123456789012:role/setpoint".to_owned());
    settings.external_id = Some("xid".to_owned());
    let shared = SharedHttpClient::new(http.clone());
    let aws = connect_through(&settings, Arc::new(Calls::default()), shared).await.unwrap();
    aws.endpoints.list_endpoints().await.unwrap();
    let requests: Vec<_> = http.actual_requests().collect();
    let assume = String::from_utf8(requests[0].body().bytes().unwrap().to_vec()).unwrap();
    for part in ["Action=AssumeRole", "ExternalId=xid", "RoleSessionName=setpoint"] {
        assert!(assume.contains(part), "{part} in {assume}");
    }
    let header = |name| requests[1].headers().get(name).unwrap_or_default();
    assert!(header("authorization").contains("Credential=ASIAROLE/"));
    assert_eq!(header("x-amz-security-token"), "token");
}

#[tokio::test]
async fn a_closed_port_is_transient() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut settings = settings();
    settings.endpoint_url = Some(format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let calls = Arc::new(Calls::default());
    let observer: Arc<dyn CallObserver> = Arc::<Calls>::clone(&calls);
    let aws = connect(&settings, observer).await.unwrap();
    let error = aws.scaling.scalable_targets(None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    let error = aws.endpoints.list_endpoints().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    let seen = calls.0.lock().unwrap().clone();
    let refused = settings.retries.refused_attempts;
    assert_eq!((seen[0].status_code, seen[0].retries + 1), (0, refused));
}

/// The kernel accepts the connection, and nobody answers.
#[tokio::test]
async fn silence_ends_with_the_time_out() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut settings = settings();
    settings.endpoint_url = Some(format!("http://{}", listener.local_addr().unwrap()));
    settings.timeouts.write_attempt = Duration::from_millis(50);
    settings.timeouts.read_attempt = Duration::from_millis(50);
    let aws = connect(&settings, Arc::new(Calls::default())).await.unwrap();
    let register = RegisterScalableTarget {
        resource: super::resource(),
        min_capacity: Some(1),
        max_capacity: Some(2),
        suspended: None,
    };
    let error = aws.writes.register_scalable_target(&register).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    let error = aws.endpoints.list_endpoints().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    let error = aws.metrics.alarms("x").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn a_budget_that_is_used_up_is_throttling_and_sends_nothing() {
    let http = replay(&[(200, "{}")]);
    let mut settings = settings();
    settings.rates.writes_per_second = 0.001;
    settings.rates.write_wait = Duration::ZERO;
    let calls = Arc::new(Calls::default());
    let observer: Arc<dyn CallObserver> = Arc::<Calls>::clone(&calls);
    let shared = SharedHttpClient::new(http.clone());
    let aws = connect_through(&settings, observer, shared).await.unwrap();
    let register = RegisterScalableTarget {
        resource: super::resource(),
        min_capacity: Some(1),
        max_capacity: None,
        suspended: None,
    };
    aws.writes.register_scalable_target(&register).await.unwrap();
    let error = aws.writes.register_scalable_target(&register).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
    assert!(error.message.starts_with("call budget of the region"), "{error}");
    assert_eq!(http.actual_requests().count(), 1);
    assert_eq!(calls.0.lock().unwrap().len(), 1, "what was not sent is not counted");
}
