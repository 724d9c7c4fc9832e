//! What calls are counted under to which AWS gives no error code.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::{Calls, Replay, settings};
use crate::{Settings, connect};
use setpoint_core::ports::{CallObserver, CallRecord, ErrorKind};

/// The record of one listing there.
async fn list(mut settings: Settings, at: SocketAddr) -> CallRecord {
    settings.endpoint_url = Some(format!("http://{at}"));
    settings.retries.read_attempts = 1;
    settings.timeouts.connect = Duration::from_secs(2);
    settings.timeouts.read_attempt = Duration::from_millis(300);
    let calls = Arc::new(Calls::default());
    let observer: Arc<dyn CallObserver> = Arc::<Calls>::clone(&calls);
    let aws = connect(&settings, observer).await.unwrap();
    aws.scaling.scalable_targets(None).await.unwrap_err();
    aws.endpoints.list_endpoints().await.unwrap_err();
    let seen = calls.0.lock().unwrap().clone();
    let [one, other] = seen.as_slice() else { panic!("two calls: {seen:?}") };
    assert_eq!(one.error_code, other.error_code, "both clients count alike");
    one.clone()
}

#[tokio::test]
async fn a_call_without_an_answer_says_why() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = silent.local_addr().unwrap();
    let call = list(settings(), at).await;
    assert_eq!((call.error_code.as_str(), call.status_code), ("timeout", 0));
    assert_eq!(call.error, Some(ErrorKind::Transient));

    drop(silent);
    let call = list(settings(), at).await;
    assert_eq!((call.error_code.as_str(), call.status_code), ("dispatch_failure", 0));
}

#[tokio::test]
async fn an_answer_without_a_code_says_what_is_wrong_with_it() {
    for (status, body, word) in [
        (200, "<html>a proxy</html>", "bad_answer"),
        (200, "{\"no\": \"list\"}", "bad_answer"),
        (400, "{}", "no_code"),
        (503, "{}", "no_code"),
    ] {
        let replay = Replay::of(vec![(status, body); 3]).await;
        replay.aws.scaling.scalable_targets(None).await.unwrap_err();
        let calls = replay.calls();
        assert_eq!(calls.last().unwrap().error_code, word, "{status} {body}");
    }
    // AWS's own code goes before all of them.
    let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    let replay = Replay::of(vec![(400, denied)]).await;
    replay.aws.scaling.scalable_targets(None).await.unwrap_err();
    assert_eq!(replay.calls()[0].error_code, "AccessDeniedException");
}
