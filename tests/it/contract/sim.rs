//! The two faces of the embedded AWS: its ports, and the SDK adapters against its server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;

use chrono::TimeDelta;
use serde_json::{Value, json};
use setpoint::model::ids::ResourceId;
use setpoint::ports::{Aws, Metric, MetricQuery, Service};
use setpoint::sim::api::Operation;
use setpoint::sim::scenario::Settings;
use setpoint::sim::server::{Pace, Server};
use setpoint::sim::world::World;
use setpoint::sim::{Fault, FaultKind, Scenario, Sim};
use tokio::runtime::Runtime;

use super::face::{Face, Trouble};
use super::moto::{call_json, connect};
use super::recorder::WireRecorder;

/// The cases that neither face can answer, each with the reason.
pub(crate) const CANNOT: &[(&str, &str)] = &[];

/// Which of the two faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The ports over the world.
    Ports,
    /// The SDK adapters, over loopback.
    Server,
}

/// A world of its own, served on loopback. Both faces arrange through the server.
pub(crate) struct SimFace {
    way: Way,
    sim: Sim,
    url: String,
    aws: Aws,
    _server: Server,
}

impl SimFace {
    /// An empty account.
    pub(crate) fn fresh(way: Way) -> Self {
        Self::over(Sim::new(World::new(Settings::default(), crate::fixtures::noon())), way)
    }

    pub(super) fn over(sim: Sim, way: Way) -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime().block_on(Server::start(sim.clone(), listen, Pace::Step)).unwrap();
        let url = server.endpoint_url();
        let over_the_wire = connect(&url);
        let aws = match way {
            Way::Ports => setpoint::sim::aws(&sim, over_the_wire.scope),
            Way::Server => over_the_wire,
        };
        Self { way, sim, url, aws, _server: server }
    }
}

/// The servers' runtime. It lives as long as the process: a face may be dropped within a task, where
/// no runtime may be.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

impl Face for SimFace {
    fn name(&self) -> &'static str {
        match self.way {
            Way::Ports => "sim ports",
            Way::Server => "sim server",
        }
    }

    fn aws(&self) -> Aws {
        self.aws.clone()
    }

    fn call(&self, service: Service, operation: &str, input: Value) -> Result<Value, String> {
        tokio::task::block_in_place(|| call_json(&self.url, service, operation, &input))
    }

    fn trouble(&self, operation: &str, trouble: Trouble) {
        let operation =
            Operation::ALL.iter().copied().find(|known| known.as_str() == operation).unwrap();
        let kind = match trouble {
            Trouble::ThrottledOnce | Trouble::Throttled => FaultKind::Throttle,
            Trouble::NotAuthorized => FaultKind::Deny,
            Trouble::Garbage => FaultKind::Garbage,
            Trouble::PartialData => FaultKind::PartialData,
        };
        let mut fault = Fault::new(kind, &[operation], "the contract says what becomes of it");
        if trouble == Trouble::ThrottledOnce {
            fault.max_hits = 1;
        }
        self.sim.inject(fault);
    }

    fn pass_time(&self, minutes: u32) {
        self.sim.advance(minutes * 60);
    }

    fn traffic(&self, resource: &ResourceId, per_minute: f64) {
        let spec = json!({
            "service": {
                "family": {"worker_queue": {"workers": 4}}, "base_ms": 50.0, "saturation": 1900.0,
            },
            "objective": {"statistic": "p99", "threshold_ms": 250.0},
            "traffic": [{"steady": {"rate": per_minute}}],
        });
        let spec = serde_json::from_value(spec).unwrap();
        self.sim.with_world(|world| world.add_load(&resource.to_string(), spec));
    }

    fn cannot(&self, case: &str) -> Option<&'static str> {
        // The ports try once: retries are the adapters'.
        if self.way == Way::Ports && case == "throttled_once_is_tried_again" {
            return Some("the ports of the world do not retry");
        }
        CANNOT.iter().find(|(name, _)| *name == case).map(|(_, reason)| *reason)
    }
}

/// The sweeps of 500 variants, AWS's quota in a region, cost the fewest calls that AWS's page sizes
/// allow; counted on the wire and by the world.
#[test]
fn sweeps_of_500_variants_take_the_fewest_calls() {
    let sim = Scenario::fleet(500).build().unwrap();
    let face = SimFace::over(sim.clone(), Way::Server);
    let recorder = WireRecorder::before(&face.url);
    let aws = connect(&recorder.url());
    let from = sim.now() - TimeDelta::minutes(20);
    let to = sim.now() - TimeDelta::minutes(5);
    runtime().block_on(async {
        let targets = aws.scaling.scalable_targets(None).await.unwrap();
        assert_eq!(targets.len(), 500);
        assert_eq!(aws.scaling.scaling_policies(None).await.unwrap().len(), 500);
        assert_eq!(aws.endpoints.list_endpoints().await.unwrap().len(), 500);
        let queries: Vec<MetricQuery> = targets
            .iter()
            .flat_map(|target| {
                let query = MetricQuery {
                    instance: None,
                    resource: target.resource.clone(),
                    metric: Metric::Invocations,
                    period_seconds: 60,
                };
                vec![query; 5]
            })
            .collect();
        let answers = aws.metrics.metric_data(&queries, from, to).await;
        assert!(answers.iter().all(Result::is_ok));
    });
    recorder.assert_only_reads();
    let seen = recorder.operations();
    for (operation, calls) in [
        (Operation::DescribeScalableTargets, 10),
        (Operation::DescribeScalingPolicies, 50),
        (Operation::ListEndpoints, 5),
        (Operation::GetMetricData, 5),
    ] {
        let on_the_wire = seen.iter().filter(|seen| *seen == operation.as_str()).count();
        assert_eq!(on_the_wire, calls, "{}", operation.as_str());
        let counted = sim.with_world(|world| world.calls(operation));
        assert_eq!(counted, calls as u64, "{}", operation.as_str());
    }
}
