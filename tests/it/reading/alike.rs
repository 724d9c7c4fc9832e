//! What is read and what is decided go by the same.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use setpoint::compact::{Rested, Shelf};
use setpoint::config::Config;

use super::{CONFIG, Passes, input, world};
use crate::harness::of;

/// Memory; it counts how often what lies there is looked at.
#[derive(Debug, Default)]
struct Counting(Arc<AtomicUsize>);

#[derive(Debug)]
struct Counted {
    bytes: Box<[u8]>,
    looks: Arc<AtomicUsize>,
}

impl Shelf for Counting {
    fn put(&self, bytes: Box<[u8]>) -> Arc<dyn Rested> {
        Arc::new(Counted { bytes, looks: Arc::clone(&self.0) })
    }
}

impl Rested for Counted {
    fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        Some(Cow::Borrowed(&self.bytes))
    }

    fn in_memory(&self) -> usize {
        self.bytes.len()
    }
}

/// Of a config that is gone, what is remembered says whether the load test counts: to the read of telemetry, which asks
/// for the estimate, as to the decision. Another question would be another look at what rests.
#[tokio::test]
async fn a_read_and_a_decision_ask_by_the_same_load_test_where_the_config_is_gone() {
    let mut looks = Vec::new();
    for gone in [false, true] {
        let sim = world(&["scorer"]);
        let described = sim.describe_endpoint(&input("EndpointName", "scorer")).unwrap();
        let config = described.endpoint_config_name;
        let own = sim.describe_endpoint_config(&input("EndpointConfigName", &config)).unwrap();
        let instance_type = own.production_variants[0].instance_type.clone().unwrap();
        let bound = format!("max_rps: 20, instance_type: {instance_type}");
        let goals = Config::from_yaml(&CONFIG.replace("max_rps: 20", &bound)).unwrap();
        let mut first = Passes { config: goals.clone(), ..Passes::over(&sim) };
        first.run(2, 1).await;
        if gone {
            sim.delete_endpoint_config(&input("EndpointConfigName", &config)).unwrap();
        }
        // A process that has only the memory of it.
        let shelf = Counting::default();
        let count = Arc::clone(&shelf.0);
        let mut next = Passes { config: goals, ..first.restarted() };
        next.fleet = next.fleet.resting(&(Arc::new(shelf) as Arc<dyn Shelf>));
        next.pass().await;
        sim.advance(900);
        let before = count.load(Ordering::Relaxed);
        let fleet = next.pass().await;
        looks.push(count.load(Ordering::Relaxed) - before);
        let status = of(&fleet, "scorer");
        assert_eq!(status.snapshot.endpoint_config.known().unwrap().is_none(), gone);
        assert_eq!(status.decision.report.load_test_problem, None);
    }
    assert!(looks[0] > 0 && looks[0] == looks[1], "{looks:?}");
}
