//! One contract, several faces: every implementation of the ports gives the same answers.
//!
//! A case is written once, against [`setpoint::ports::Aws`]; a face arranges the world for it and
//! says which cases it cannot answer, and why. Those are printed and counted.

#![expect(clippy::panic, reason = "a panic is how a test fails")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "what was not asked must be seen")]

mod cases;
pub(crate) mod face;
pub(crate) mod moto;
mod per_instance;
pub(crate) mod recorder;
mod sim;

use std::sync::Arc;
use std::time::Duration;

use cases::{CASES, Case};
use face::Face;

/// The longest that a case may take.
const CASE_TIMEOUT: Duration = Duration::from_secs(90);

#[test]
fn the_sdk_against_moto() {
    let Some(server) = moto::Server::start_for("contract::the_sdk_against_moto") else { return };
    run(|| Arc::new(moto::MotoFace::fresh(&server)));
    the_recorder_tells_reads_from_writes(&server);
}

#[test]
fn the_ports_of_the_embedded_aws() {
    run(|| Arc::new(sim::SimFace::fresh(sim::Way::Ports)));
}

#[test]
fn the_sdk_against_the_embedded_aws() {
    run(|| Arc::new(sim::SimFace::fresh(sim::Way::Server)));
}

/// Done with the same server, for starting one takes seconds.
fn the_recorder_tells_reads_from_writes(server: &moto::Server) {
    let face: Arc<dyn Face> = Arc::new(moto::MotoFace::fresh(server));
    let recorder = recorder::WireRecorder::before(server.url());
    let aws = moto::connect(&recorder.url());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime
        .block_on(runtime.spawn(async move {
            let resource = face.target("e").await;
            assert_eq!(aws.scaling.scalable_targets(None).await.unwrap().len(), 1);
            assert_eq!(aws.endpoints.list_endpoints().await.unwrap().len(), 1);
            recorder.assert_only_reads();
            let put = face::put(&resource, "p", 600.0);
            aws.writes.put_scaling_policy(&put).await.unwrap();
            let seen = recorder.operations();
            let expected = [
                "GetCallerIdentity",
                "DescribeScalableTargets",
                "ListEndpoints",
                "PutScalingPolicy",
            ];
            assert_eq!(seen, expected);
            assert_eq!(recorder.other_than_reads(), ["PutScalingPolicy"]);
        }))
        .unwrap();
}

/// Runs all cases, each on a fresh face, and fails with the list of those that failed.
fn run<F: Face>(fresh: impl Fn() -> Arc<F>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut failed = Vec::new();
    let mut unanswered = 0;
    for case in CASES {
        let face = fresh();
        if let Some(reason) = face.cannot(case.name) {
            println!("{}: {} not asked: {reason}", face.name(), case.name);
            unanswered += 1;
        } else if let Err(error) = runtime.block_on(run_case(case, face.clone())) {
            failed.push(format!("{}: {} failed: {error}", face.name(), case.name));
        }
    }
    let asked = CASES.len() - unanswered;
    println!(
        "{}: {} of {asked} cases passed, {unanswered} not asked",
        fresh().name(),
        asked - failed.len()
    );
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// A case as a task of its own, so that a panic in it is that case's failure.
async fn run_case(case: &Case, face: Arc<dyn Face>) -> Result<(), String> {
    let task = tokio::spawn((case.run)(face));
    match tokio::time::timeout(CASE_TIMEOUT, task).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(panic)) => {
            let panic = panic.into_panic();
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Err(text.unwrap_or_else(|| "a panic without words".to_owned()))
        }
        Err(_) => Err(format!("no end after {} s", CASE_TIMEOUT.as_secs())),
    }
}

#[test]
fn faces_name_only_cases_that_exist() {
    let known = |name: &str| CASES.iter().any(|case| case.name == name);
    for (name, _) in moto::CANNOT.iter().chain(sim::CANNOT) {
        assert!(known(name), "{name} is not a case");
    }
}
