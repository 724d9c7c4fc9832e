//! What `doctor` asks: the environment, files, AWS, the daemon and Prometheus.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;

use crate::cli::survey::Survey;
use crate::config::{Config, DiscoveryTelemetry, memory_place, store_place};
use crate::doctor::{DaemonFound, MemoryFound, Metrics, Reads, ScrapeFound, StoreFound};
use crate::model::ids::{ResourceId, VariantId};
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::time::{Timestamp, floor_to_minute};
use crate::observe::telemetry::queries;
use crate::ports::{Aws, Metric, MetricQuery};
use crate::reconcile::DOLLARS_PER_METRIC;

/// How far back a datapoint is looked for.
const LOOK_BACK: TimeDelta = TimeDelta::hours(3);
/// How long a server of plain HTTP may take.
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);
/// More than the metrics of 10,000 variants, 55 MB.
const ANSWER_MAX: u64 = 128 << 20;
/// Where systems keep the CA certificates (those that rustls-native-certs looks at).
const AUTHORITIES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
];

/// The environment, as far as it is text.
pub(super) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The places of certificates, and whether each is there; what the environment names goes first.
pub(super) fn authorities() -> Vec<(PathBuf, bool)> {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os);
    let all = named.map(PathBuf::from).chain(AUTHORITIES.map(PathBuf::from));
    all.map(|path| (path.clone(), path.exists())).collect()
}

pub(super) fn memory(config: &Config) -> MemoryFound {
    if config.memory.tags {
        return MemoryFound::Tags;
    }
    if let Some(name) = &config.kubernetes.memory_configmap {
        return MemoryFound::ConfigMap(name.clone());
    }
    let Some(file) = &config.memory.file else { return MemoryFound::Process };
    MemoryFound::File(file.clone(), size(file), memory_place(file))
}

/// Where the history and the evidence are kept.
pub(super) fn store(config: &Config) -> StoreFound {
    let Some(file) = &config.store.path else { return StoreFound::Process };
    StoreFound::File(file.clone(), size(file), store_place(file))
}

/// The bytes of a file, where there is one.
fn size(file: &Path) -> Option<u64> {
    let about = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
    Some(about.len())
}

/// What CloudWatch has, and what asking cost.
pub(super) struct Asked {
    pub(super) metrics: Vec<Metrics>,
    pub(super) dollars: f64,
}

/// One metric of each listed variant, within the budget.
pub(super) async fn metrics(config: &Config, seen: &Survey, now: Timestamp) -> Asked {
    let mut asked = Asked { metrics: Vec::new(), dollars: 0.0 };
    let to = floor_to_minute(now);
    for aws in &seen.aws {
        let listed: Vec<(&VariantId, &VariantStatus)> = listed(seen, aws).collect();
        let cost = listed.len() as f64 * DOLLARS_PER_METRIC;
        if asked.dollars + cost > config.telemetry.budget_dollars_per_month || listed.is_empty() {
            continue;
        }
        asked.dollars += cost;
        let query = |(id, _): &(&VariantId, _)| MetricQuery {
            instance: None,
            resource: id.resource(),
            metric: Metric::InvocationsPerInstance,
            period_seconds: 60,
        };
        let queries: Vec<MetricQuery> = listed.iter().map(query).collect();
        let answers = aws.metrics.metric_data(&queries, to - LOOK_BACK, to).await;
        for ((id, status), answer) in listed.into_iter().zip(answers) {
            let newest = answer.map(|points| points.iter().next_back().map(|(at, _)| at));
            let config = status.snapshot.endpoint_config.known().and_then(Option::as_ref);
            let period_seconds = config.and_then(|config| config.metric_period_seconds);
            asked.metrics.push(Metrics { id: id.clone(), newest, period_seconds });
        }
    }
    asked
}

fn listed<'a>(
    seen: &'a Survey,
    aws: &'a Aws,
) -> impl Iterator<Item = (&'a VariantId, &'a VariantStatus)> {
    seen.fleet
        .variants
        .iter()
        .filter(move |(id, status)| status.goal.managed && id.scope() == aws.scope)
        .map(|(id, status)| (id, status.as_ref()))
}

/// Asks for the activities, the tags and, where they are looked at, the instances of one variant in each account and region, there or not: the
/// permission is what counts.
pub(super) async fn activities(seen: &Survey, per_instance: bool) {
    for aws in &seen.aws {
        let known = seen.fleet.variants.iter().find(|(id, _)| id.scope() == aws.scope);
        let of: Option<ResourceId> = known
            .map(|(id, _)| id.resource())
            .or_else(|| "endpoint/setpoint-doctor/variant/AllTraffic".parse().ok());
        if let Some(of) = of {
            let _ = aws.scaling.scaling_activities(&of).await;
            if per_instance {
                let _ = aws.metrics.instances(&of).await;
            }
        }
        let target = known.and_then(|(_, s)| s.snapshot.target.known()?.as_ref()?.arn.clone());
        if let Some(arn) = target {
            let _ = aws.scaling.tags(&arn).await;
        }
    }
}

/// What is read of this fleet with this configuration.
pub(in crate::cli) fn reads(config: &Config, fleet: &FleetStatus) -> Reads {
    let each = |status: &VariantStatus| {
        queries(&status.snapshot.id.resource(), &status.goal.objective, 60).len()
    };
    let sum = |managed: bool| {
        let of = fleet.variants.values().filter(|status| status.goal.managed == managed);
        of.map(|status| each(status)).sum::<usize>()
    };
    let discovery = config.discovery;
    let (each_pass, each_hour) = match discovery.telemetry {
        _ if !discovery.enabled => (0, 0),
        DiscoveryTelemetry::Off => (0, 0),
        DiscoveryTelemetry::Hourly => (0, sum(false)),
        DiscoveryTelemetry::Full => (sum(false), 0),
    };
    Reads { each_pass: sum(true) + each_pass, each_hour, dollars_each: DOLLARS_PER_METRIC }
}

fn get(url: &str) -> Result<String, String> {
    if !url.starts_with("http://") {
        return Err(format!("{url} is not understood (allowed: http://HOST:PORT)"));
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .timeout_global(Some(HTTP_TIMEOUT))
        .build()
        .into();
    let mut answer = agent.get(url).call().map_err(|error| unanswered(&error))?;
    let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string();
    body.map_err(|error| unanswered(&error))
}

/// Why a server gave no answer, without the names that the HTTP client has for it.
fn unanswered(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(io) if io.kind() == ErrorKind::ConnectionRefused => {
            "nothing listens there (connection refused)".to_owned()
        }
        ureq::Error::Io(io) => io.to_string(),
        ureq::Error::HostNotFound => "the host has no address".to_owned(),
        ureq::Error::Timeout(_) => format!("no answer within {} s", HTTP_TIMEOUT.as_secs()),
        other => other.to_string(),
    }
}

/// What answers where the daemon should.
pub(super) fn daemon(url: &str) -> DaemonFound {
    match get(&format!("{}/metrics", url.trim_end_matches('/'))) {
        Ok(text) => DaemonFound::of_metrics(&text),
        Err(why) => DaemonFound::Nobody(why),
    }
}

/// How many setpoints Prometheus knows.
pub(super) fn prometheus(url: &str) -> ScrapeFound {
    let url = format!("{}/api/v1/query?query=setpoint_build_info", url.trim_end_matches('/'));
    let answer = get(&url).map_err(|why| format!("{url}: {why}")).and_then(|text| {
        let answer: serde_json::Value =
            serde_json::from_str(&text).map_err(|_| format!("{url} answers no JSON"))?;
        let result = answer["data"]["result"].as_array().map(Vec::len);
        result.ok_or_else(|| format!("{url} does not answer as Prometheus does"))
    });
    answer.map_or_else(ScrapeFound::Failed, ScrapeFound::Targets)
}
