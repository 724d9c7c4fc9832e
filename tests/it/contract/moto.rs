//! The SDK adapters against `moto_server`, an emulator that we did not write.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use setpoint::aws::{CredentialSource, Growing, Settings};
use setpoint::model::ids::{Region, ResourceId};
use setpoint::ports::{Aws, NoObserver, Service};

use super::face::{Face, REGION, Trouble};

/// How long moto may take to answer its first request, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);

const NO_TAGS: &str = "it has neither TagResource nor ListTagsForResource of scalable targets";

/// The cases that moto 5.2.1 cannot answer, each with the reason.
pub(crate) const CANNOT: &[(&str, &str)] = &[
    ("targets_of_the_region_are_paged", "its DescribeScalableTargets stops after 100"),
    ("put_on_a_missing_target", "its PutScalingPolicy accepts a target that does not exist"),
    ("an_unknown_page_token", "it answers an unknown token with HTTP 500 and HTML"),
    ("activities_of_a_variant", "it has no DescribeScalingActivities"),
    ("metric_data_beyond_500_queries", "its CloudWatch does not speak RPC v2 CBOR"),
    ("latency_percentiles", "its CloudWatch has none, and does not speak RPC v2 CBOR"),
    ("partial_data_is_not_an_answer", "its CloudWatch does not speak RPC v2 CBOR"),
    ("a_variant_without_data", "its CloudWatch does not speak RPC v2 CBOR"),
    ("alarms_by_prefix", "its CloudWatch does not speak RPC v2 CBOR"),
    ("tags_are_set_and_replaced", NO_TAGS),
    ("tags_beyond_the_limits_are_refused_whole", NO_TAGS),
    ("tags_of_an_unknown_target", NO_TAGS),
    ("who_called_is_told_a_quarter_of_an_hour_later", "it has no LookupEvents"),
    ("tags_of_endpoints_are_listed", "its ARNs keep the case of names, which AWS's do not"),
    ("tags_go_with_their_target", NO_TAGS),
    ("tags_of_a_registration_are_kept", NO_TAGS),
    ("throttled_once_is_tried_again", "it cannot be made to fail"),
    ("throttled_for_good_says_so", "it cannot be made to fail"),
    ("a_missing_permission_is_denied", "it cannot be made to fail"),
    ("garbage_is_no_answer", "it cannot be made to fail"),
];

/// A running `moto_server` on loopback; ends with this value.
pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Starts it for a test. None, with a line that names the test, when `tests/setup` has not been
    /// run; in CI that is a failure.
    pub(crate) fn start_for(test: &str) -> Option<Self> {
        let program = venv().join("bin/moto_server");
        if !program.exists() {
            let missing = format!("{} is missing (run tests/setup)", program.display());
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
            println!("skipped: {test}: {missing}");
            return None;
        }
        // The port is free when chosen; should somebody take it in between, the next is tried.
        (0..5)
            .find_map(|_| Self::try_start(&program))
            .or_else(|| panic!("moto_server did not start"))
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn try_start(program: &PathBuf) -> Option<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Self { process, url: format!("http://127.0.0.1:{port}") };
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            if ureq::get(format!("{}/moto-api/data.json", server.url)).call().is_ok() {
                // It logs every request, and would wait for ever on a pipe that nobody reads.
                if let Some(mut stderr) = server.process.stderr.take() {
                    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
                }
                return Some(server);
            }
            if server.process.try_wait().unwrap().is_some() {
                let mut said = String::new();
                if let Some(mut stderr) = server.process.stderr.take() {
                    stderr.read_to_string(&mut said).unwrap();
                }
                println!("moto_server ended: {said}");
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        println!("moto_server did not answer within {} s", START_TIMEOUT.as_secs());
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn venv() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".ci/cache/venv")
}

/// The SDK adapters over that server.
pub(crate) struct MotoFace {
    url: String,
    aws: Aws,
}

impl MotoFace {
    /// An empty account.
    pub(crate) fn fresh(server: &Server) -> Self {
        let reset = format!("{}/moto-api/reset", server.url);
        ureq::post(reset).send_empty().unwrap();
        Self { url: server.url.clone(), aws: connect(&server.url) }
    }
}

/// The SDK adapters over a server on loopback.
pub(crate) fn connect(url: &str) -> Aws {
    let mut settings = Settings::new(Region::new(REGION).unwrap());
    settings.endpoint_url = Some(url.to_owned());
    settings.credentials = CredentialSource::Fixed {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
    };
    // The cases make more calls than one should make of AWS.
    settings.rates.scaling_calls_per_second = 1e6;
    settings.rates.writes_per_second = 1e6;
    settings.rates.sagemaker_calls_per_second = Growing::fixed(1e6);
    settings.retries.base_backoff = Duration::from_millis(1);
    settings.retries.max_backoff = Duration::from_millis(5);
    // Its first answer of a service takes seconds on a busy machine: it loads the code for it by then.
    settings.timeouts.write_attempt = Duration::from_secs(30);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(setpoint::aws::connect(&settings, Arc::new(NoObserver))).unwrap()
}

impl Face for MotoFace {
    fn name(&self) -> &'static str {
        "moto"
    }

    fn aws(&self) -> Aws {
        self.aws.clone()
    }

    fn call(&self, service: Service, operation: &str, input: Value) -> Result<Value, String> {
        tokio::task::block_in_place(|| call_json(&self.url, service, operation, &input))
    }

    fn trouble(&self, operation: &str, trouble: Trouble) {
        panic!("{trouble:?} of {operation} cannot be arranged here");
    }

    fn pass_time(&self, _minutes: u32) {
        // Nothing in it takes time: endpoints are in service at once.
    }

    fn traffic(&self, resource: &ResourceId, per_minute: f64) {
        panic!("{per_minute} invocations a minute on {resource} cannot be arranged here");
    }

    fn cannot(&self, case: &str) -> Option<&'static str> {
        CANNOT.iter().find(|(name, _)| *name == case).map(|(_, reason)| *reason)
    }
}

/// One awsJson1.1 call, not signed but with the scope that emulators route by.
pub(crate) fn call_json(
    url: &str,
    service: Service,
    operation: &str,
    input: &Value,
) -> Result<Value, String> {
    let (prefix, signing_name) = match service {
        Service::ApplicationAutoScaling => ("AnyScaleFrontendService", "application-autoscaling"),
        Service::SageMaker => ("SageMaker", "sagemaker"),
        other => panic!("{} is not arranged by JSON", other.as_str()),
    };
    let scope = format!("test/20260101/{REGION}/{signing_name}/aws4_request");
    let mut answer = ureq::post(url)
        .config()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("X-Amz-Target", format!("{prefix}.{operation}"))
        .header("X-Amz-Date", "20260101T000000Z")
        .header(
            "Authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
        .send(serde_json::to_vec(input).unwrap())
        .map_err(|error| error.to_string())?;
    let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    if answer.status().is_success() {
        return Ok(body);
    }
    let code = body.get("__type").and_then(Value::as_str).unwrap_or(&text);
    Err(code.rsplit('#').next().unwrap_or(code).to_owned())
}
