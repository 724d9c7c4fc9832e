//! Events, as an API server takes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use setpoint::k8s::{EventSettings, KubernetesEvents, Regarding};
use setpoint::ports::Events as _;

use super::cluster::Cluster;
use super::meddler::Meddler;
use crate::fixtures;

/// Waits until the only Event satisfies.
async fn the_event(cluster: &Cluster, satisfies: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let events = cluster.all("events");
        assert!(events.len() < 2, "{events:?}");
        match events.into_iter().find(&satisfies) {
            Some(event) => return event,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", cluster.all("events"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_is_counted_on_the_first() {
    let cluster = Cluster::new();
    let (_, library) = Meddler::before(&cluster).await;
    let settings = EventSettings {
        regarding: Regarding::Pod { name: "setpoint-0".to_owned(), uid: None },
        clock: Arc::new(setpoint::system::WallClock),
    };
    let events = KubernetesEvents::start(&library, &settings);
    let decision = fixtures::drifted("fraud-scorer").decision;
    events.publish(&decision, None);
    let first = the_event(&cluster, |_| true).await;
    assert_eq!((&first["reason"], &first["type"]), (&json!("Drift"), &json!("Warning")));
    assert_eq!(first["regarding"]["name"], "setpoint-0");
    assert_eq!(first["reportingController"], "setpoint");
    assert!(first["reportingInstance"].as_str().unwrap().starts_with("setpoint-0_"), "{first}");
    assert!(first["note"].as_str().unwrap().contains("fraud-scorer"), "{first}");
    assert!(first["series"].is_null(), "{first}");

    events.publish(&decision, None);
    let again = the_event(&cluster, |event| event["series"]["count"] == 2).await;
    let at =
        |value: &Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(at(&again["series"]["lastObservedTime"]) >= at(&first["eventTime"]), "{again}");
    assert_eq!(again["note"], first["note"]);
}
