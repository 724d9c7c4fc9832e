//! Metrics of instances, where enhanced metrics are on: both faces show the same, and together they are the
//! variant's.

use chrono::TimeDelta;
use setpoint::model::per_instance::InstanceId;
use setpoint::model::time::{Timestamp, floor_to_minute};
use setpoint::model::units::LatencyStatistic;
use setpoint::ports::{Aws, Metric, MetricQuery};
use setpoint::sim::scenario::Change;
use setpoint::sim::{Scenario, Sim};

use super::sim::{SimFace, Way, runtime};
use crate::contract::face::Face;

const RESOURCE: &str = "endpoint/e/variant/AllTraffic";

/// Three instances with 600 requests a minute each, and a twin without enhanced metrics.
fn world(publish_seconds: u32) -> Sim {
    let load = "{service: {family: {worker_queue: {workers: 4}}, base_ms: 50, saturation: 1900}, \
                objective: {statistic: p99, threshold_ms: 250}, traffic: [{steady: {rate: 1800}}]}";
    let text = format!(
        "endpoints: [{{name: e, metrics: {{enhanced: true, publish_seconds: {publish_seconds}}}, \
         variants: [{{instances: 3, load: {load}}}]}}, {{name: plain, variants: [{{instances: 3, load: {load}}}]}}]"
    );
    Scenario::parse(&text, "world").unwrap().build().unwrap()
}

fn query(instance: Option<&InstanceId>, metric: Metric, period_seconds: u32) -> MetricQuery {
    let resource = RESOURCE.parse().unwrap();
    MetricQuery { resource, instance: instance.cloned(), metric, period_seconds }
}

/// The values of each query between two instants.
async fn read(aws: &Aws, queries: &[MetricQuery], span: (Timestamp, Timestamp)) -> Vec<Vec<f64>> {
    let answers = aws.metrics.metric_data(queries, span.0, span.1).await;
    answers.into_iter().map(|a| a.unwrap().iter().map(|(_, value)| value).collect()).collect()
}

#[test]
fn both_faces_show_the_same_instances_and_they_add_up_to_the_variant() {
    let sim = world(60);
    let begin = sim.now();
    // A server lives as long as its face.
    let served = [Way::Ports, Way::Server].map(|way| SimFace::over(sim.clone(), way));
    let faces = served.each_ref().map(Face::aws);
    runtime().block_on(async {
        let resource = RESOURCE.parse().unwrap();
        sim.advance(10 * 60);
        for aws in &faces {
            assert_eq!(aws.metrics.instances(&resource).await.unwrap(), [], "not listed yet");
        }
        sim.advance(80 * 60);
        let mut seen = Vec::new();
        for aws in &faces {
            let ids = aws.metrics.instances(&resource).await.unwrap();
            assert_eq!(ids.len(), 3);
            let plain = "endpoint/plain/variant/AllTraffic".parse().unwrap();
            assert_eq!(aws.metrics.instances(&plain).await.unwrap(), [], "no enhanced metrics");
            let config = aws.endpoints.endpoint_config("e-config-1").await.unwrap().unwrap();
            assert_eq!(config.metric_period_seconds, Some(60));
            let mut queries: Vec<MetricQuery> =
                ids.iter().map(|id| query(Some(id), Metric::Invocations, 60)).collect();
            let p50 = Metric::ModelLatency(LatencyStatistic::P50);
            queries.push(query(None, Metric::Invocations, 60));
            queries.push(query(Some(&ids[0]), p50, 60));
            queries.push(query(Some(&ids[0]), Metric::InvocationsPerInstance, 60));
            let from = floor_to_minute(begin) + TimeDelta::minutes(20);
            let read = read(aws, &queries, (from, from + TimeDelta::minutes(60))).await;
            for minute in 0..60 {
                let sum: f64 = read[..3].iter().map(|one| one[minute]).sum();
                assert!((sum - read[3][minute]).abs() < 1e-3, "minute {minute}");
                assert!((450.0..750.0).contains(&read[0][minute]), "{}", read[0][minute]);
            }
            assert!(read[4].iter().all(|us| (30_000.0..90_000.0).contains(us)));
            assert!(read[5].is_empty(), "not a metric of instances");
            seen.push((ids, read));
        }
        assert_eq!(seen[0], seen[1]);
    });
}

/// At 240 seconds a minute has no datapoint but the first of four, for the variant and its instances.
#[test]
fn what_is_published_seldom_is_sparse() {
    let sim = world(240);
    let begin = sim.now();
    sim.advance(120 * 60);
    let served = SimFace::over(sim, Way::Server);
    let aws = served.aws();
    runtime().block_on(async {
        let ids = aws.metrics.instances(&RESOURCE.parse().unwrap()).await.unwrap();
        let from = setpoint::model::time::floor_to(begin + TimeDelta::minutes(20), 240);
        let span = (from, from + TimeDelta::minutes(60));
        for instance in [None, Some(&ids[0])] {
            let of = |period| query(instance, Metric::Invocations, period);
            let read = read(&aws, &[of(60), of(240)], span).await;
            assert_eq!((read[0].len(), read[1].len()), (15, 15));
            assert_eq!(read[0], read[1], "four minutes each");
        }
    });
}

/// A slow instance is slow by itself, until a deploy replaces it; what is gone is listed for hours.
#[test]
fn an_odd_instance_is_odd_as_long_as_it_lives() {
    let sim = world(60);
    sim.advance(60);
    let odd = InstanceId::new(&sim.with_world(|w| w.instance_id(RESOURCE, 1)).unwrap()).unwrap();
    let variant = "e/AllTraffic".to_owned();
    let change = Change::Instance { variant, number: 1, speed: 0.5, share: 1.0 };
    sim.with_world(|world| world.change(&change)).unwrap();
    let begin = floor_to_minute(sim.now()) + TimeDelta::minutes(1);
    sim.advance(60 * 60);
    let aws = setpoint::sim::aws(&sim, crate::harness::scope());
    runtime().block_on(async {
        let ids = aws.metrics.instances(&RESOURCE.parse().unwrap()).await.unwrap();
        let p50 = Metric::ModelLatency(LatencyStatistic::P50);
        let queries: Vec<MetricQuery> = ids.iter().map(|id| query(Some(id), p50, 60)).collect();
        let read = read(&aws, &queries, (begin, begin + TimeDelta::minutes(50))).await;
        for (id, latencies) in ids.iter().zip(read) {
            let mean = latencies.iter().sum::<f64>() / latencies.len() as f64;
            assert_eq!(mean > 90_000.0, *id == odd, "{id}: {mean}");
        }
    });
    let endpoint = "e".to_owned();
    let deploy =
        Change::Deploy { endpoint, capacity_factor: 1.0, instance_type: None, retain: true };
    sim.with_world(|world| world.change(&deploy)).unwrap();
    sim.advance(60 * 60);
    runtime().block_on(async {
        let ids = aws.metrics.instances(&RESOURCE.parse().unwrap()).await.unwrap();
        assert_eq!(ids.len(), 6, "three are gone and three are new");
        assert_ne!(sim.with_world(|w| w.instance_id(RESOURCE, 1)).unwrap(), odd.as_str());
    });
}
