//! Merged layers -> the sections of a `Config`: everything is parsed into its type, and the rules
//! between keys are checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::merge::Merged;
use super::problem::Problem;
use super::raw::{Raw, RawFreezeWindow};
use super::resolve_accounts::resolve_accounts;
use super::resolve_kubernetes::resolve_kubernetes;
use super::resolve_prices::resolve_prices;
use super::resolve_sharding::{Divided, resolve_sharding};
use super::resolve_target::{resolve_goal, resolve_targets};
use super::schedule::{FreezeWindow, Schedule};
use super::schema::{Step, key_path};
use super::settings::{
    AwsSettings, DiscoverySettings, HttpSettings, LogSettings, MemorySettings, MetricsSettings,
    ReconcileSettings, StoreConfig, TelemetrySettings,
};
use super::{DiscoveryTelemetry, Inner, LogFormat, MetricsVariants};
use crate::model::ids::{AccountId, Region};

/// Collects problems while keys are parsed; a key that has one takes a stand-in value, which is
/// never seen because any problem fails the whole.
pub(super) struct Resolver<'a> {
    merged: &'a Merged,
    pub(super) problems: Vec<Problem>,
}

impl Resolver<'_> {
    /// Whether a key may have been given in something that was not understood.
    pub(super) fn may_be_spoiled(&self, key: &str) -> bool {
        self.merged.spoiled.layer_missing || self.merged.spoiled.touches("", key)
    }

    /// Notes a problem, unless something was taken out that it follows from.
    pub(super) fn add(&mut self, problem: Problem) {
        let Problem { file, key, allowed, .. } = &problem;
        let spoiled = &self.merged.spoiled;
        if !spoiled.touches(file, key) && !spoiled.named_in(file, allowed) {
            self.problems.push(problem);
        }
    }

    /// Notes a problem of a key outside the targets.
    pub(super) fn problem(&mut self, key: &str, found: impl Into<String>, allowed: &str) {
        let path = parse_path(key);
        let file = self.merged.origin(&path);
        self.add(Problem::new(file, key_path(&path), found, allowed));
    }

    /// The value of a key that the defaults set, so that only a layer's mistake can remove it.
    pub(super) fn needed<T: Default>(&mut self, key: &str, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            self.problem(key, "nothing", "a value (config/default.yaml has one)");
            T::default()
        })
    }

    fn parsed<T>(&mut self, key: &str, value: Option<String>, allowed: &str) -> Option<T>
    where
        T: std::str::FromStr,
    {
        let text = value?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem(key, format!("{text:?}"), allowed);
        }
        parsed
    }

    pub(super) fn seconds(&mut self, key: &str, value: Option<f64>) -> Duration {
        // The schema bounds the number, so that it always fits.
        Duration::try_from_secs_f64(self.needed(key, value)).unwrap_or_default()
    }

    fn schedule(&mut self, key: &str, text: Option<String>, timezone: Tz) -> Option<Schedule> {
        let text = self.needed(key, text);
        match Schedule::new(&text, timezone) {
            Ok(schedule) => Some(schedule),
            Err(why) => {
                let allowed =
                    format!("six cron fields, seconds first, such as \"0 */15 * * * *\": {why}");
                self.problem(key, format!("{text:?}"), &allowed);
                None
            }
        }
    }
}

/// CloudWatch keeps periods of 60 s for 15 days (`GetMetricStatistics`), and what is asked for at the border has gone by
/// the time it is answered.
const MINUTES_KEPT: TimeDelta = TimeDelta::hours(15 * 24 - 1);

/// A key path without list places, or with them: `freeze_windows[0].schedule`.
pub(super) fn parse_path(key: &str) -> Vec<Step> {
    let mut path = Vec::new();
    for part in key.split('.') {
        let (name, index) = match part.split_once('[') {
            Some((name, rest)) => (name, rest.trim_end_matches(']').parse().ok()),
            None => (part, None),
        };
        path.push(Step::Key(name.to_owned()));
        path.extend(index.map(Step::Index));
    }
    path
}

/// Parses everything: what can be used of it, and every value that cannot be parsed and every rule
/// between keys that is broken. With problems some of it is a stand-in.
pub(super) fn resolve(merged: Merged) -> (Option<Inner>, Vec<Problem>) {
    let raw: Raw = match serde_json::from_value(merged.json()) {
        Ok(raw) => raw,
        Err(error) => {
            let allowed = "what the schema says (setpoint config schema)";
            return (None, vec![Problem::new("configuration", "", error.to_string(), allowed)]);
        }
    };
    let mut r = Resolver { merged: &merged, problems: Vec::new() };
    let aws = aws(&mut r, &raw);
    let accounts = resolve_accounts(&mut r, &raw);
    let sharding = resolve_sharding(&mut r, &raw, &accounts);
    let reconcile = reconcile(&mut r, &raw);
    let mut telemetry = telemetry(&mut r, &raw);
    let discovery = DiscoverySettings {
        enabled: r.needed("discovery.enabled", raw.discovery.enabled),
        telemetry: raw.discovery.telemetry.unwrap_or(DiscoveryTelemetry::Hourly),
    };
    let mut memory = memory(&mut r, &raw);
    let mut store = store(&mut r, &raw);
    let mut kubernetes = resolve_kubernetes(&mut r, &raw, &aws);
    let http = http(&mut r, &raw);
    let log = log(&mut r, &raw);
    let limit = r.needed("metrics.per_variant_limit", raw.metrics.per_variant_limit);
    let prices = Arc::new(resolve_prices(&mut r, &raw));
    let windows = raw.freeze_windows.iter().enumerate();
    let freeze_windows = windows.filter_map(|(i, w)| freeze_window(&mut r, i, w)).collect();
    let defaults = resolve_goal(&mut r, None, &raw.defaults);
    let targets = resolve_targets(&mut r, &merged, &raw);
    let problems = r.problems;
    // A section that could not be made has left its problem.
    let Some(mut reconcile) = reconcile else { return (None, problems) };
    let mut divided = Divided {
        kubernetes: &mut kubernetes,
        memory: &mut memory,
        store: &mut store,
        reconcile: &mut reconcile,
        telemetry: &mut telemetry,
    };
    divided.take_share(&sharding);
    let inner = Inner {
        aws,
        accounts,
        sharding,
        reconcile,
        telemetry,
        discovery,
        memory,
        store,
        kubernetes,
        http,
        log,
        metrics: MetricsSettings {
            variants: raw.metrics.variants.unwrap_or(MetricsVariants::Auto),
            per_variant_limit: limit as usize,
        },
        prices,
        freeze_windows,
        defaults,
        targets,
        merged,
    };
    (Some(inner), problems)
}

fn store(r: &mut Resolver<'_>, raw: &Raw) -> StoreConfig {
    let path = raw.store.path.clone().map(PathBuf::from);
    if path.is_some() && path.as_deref() == raw.memory.file.as_deref().map(std::path::Path::new) {
        let found = "the file of memory.file";
        r.problem("store.path", found, "a file of its own, which the history replaces");
    }
    let days = r.needed("store.keep_days", raw.store.keep_days);
    let mebibytes = r.needed("store.max_size_mb", raw.store.max_size_mb);
    StoreConfig {
        path,
        keep: TimeDelta::days(i64::from(days)),
        bytes_max: u64::from(mebibytes) << 20,
    }
}

/// One place at most: of two, a process could read the older.
fn memory(r: &mut Resolver<'_>, raw: &Raw) -> MemorySettings {
    let tags = r.needed("memory.tags", raw.memory.tags);
    if tags && raw.memory.file.is_some() {
        let allowed = "only one of memory.tags and memory.file";
        r.problem("memory.tags", "a second place for the memory", allowed);
    }
    if tags && raw.kubernetes.memory_configmap.is_some() {
        let allowed = "only one of memory.tags and kubernetes.memory_configmap";
        r.problem("memory.tags", "a second place for the memory", allowed);
    }
    MemorySettings { file: raw.memory.file.clone().map(PathBuf::from), tags }
}

fn aws(r: &mut Resolver<'_>, raw: &Raw) -> AwsSettings {
    let aws = &raw.aws;
    let settings = AwsSettings {
        region: r.parsed::<Region>("aws.region", aws.region.clone(), "an AWS region"),
        account_id: r.parsed::<AccountId>("aws.account_id", aws.account_id.clone(), "12 digits"),
        endpoint_url: aws.endpoint_url.clone(),
        profile: aws.profile.clone(),
        role_arn: aws.role_arn.clone(),
        call_rate_per_second: r.needed("aws.call_rate_per_second", aws.call_rate_per_second),
        write_rate_per_second: r.needed("aws.write_rate_per_second", aws.write_rate_per_second),
        sagemaker_call_rate_per_second: r
            .needed("aws.sagemaker_call_rate_per_second", aws.sagemaker_call_rate_per_second),
        sagemaker_call_rate_max_per_second: r.needed(
            "aws.sagemaker_call_rate_max_per_second",
            aws.sagemaker_call_rate_max_per_second,
        ),
        connect_timeout: r.seconds("aws.connect_timeout_seconds", aws.connect_timeout_seconds),
        attempt_timeout: r.seconds("aws.attempt_timeout_seconds", aws.attempt_timeout_seconds),
        write_timeout: r.seconds("aws.write_timeout_seconds", aws.write_timeout_seconds),
        operation_timeout: r
            .seconds("aws.operation_timeout_seconds", aws.operation_timeout_seconds),
        max_attempts: r.needed("aws.max_attempts", aws.max_attempts),
    };
    if settings.sagemaker_call_rate_max_per_second < settings.sagemaker_call_rate_per_second {
        r.problem(
            "aws.sagemaker_call_rate_max_per_second",
            format!("{}", settings.sagemaker_call_rate_max_per_second),
            "at least aws.sagemaker_call_rate_per_second",
        );
    }
    if settings.attempt_timeout > settings.operation_timeout {
        r.problem(
            "aws.attempt_timeout_seconds",
            format!("{}", settings.attempt_timeout.as_secs_f64()),
            "at most aws.operation_timeout_seconds",
        );
    }
    settings
}

fn reconcile(r: &mut Resolver<'_>, raw: &Raw) -> Option<ReconcileSettings> {
    let own = &raw.reconcile;
    let schedule = r.schedule("reconcile.schedule", own.schedule.clone(), Tz::UTC);
    let key = "reconcile.telemetry_schedule";
    let telemetry_schedule = r.schedule(key, own.telemetry_schedule.clone(), Tz::UTC);
    let writes_per_hour =
        r.needed("reconcile.writes_per_variant.hour", own.writes_per_variant.hour);
    let writes_per_day = r.needed("reconcile.writes_per_variant.day", own.writes_per_variant.day);
    if writes_per_hour > writes_per_day {
        r.problem(
            "reconcile.writes_per_variant.hour",
            writes_per_hour.to_string(),
            "at most reconcile.writes_per_variant.day",
        );
    }
    Some(ReconcileSettings {
        enabled: r.needed("reconcile.enabled", own.enabled),
        concurrency: r.needed("reconcile.concurrency", own.concurrency) as usize,
        jitter: r.seconds("reconcile.jitter_seconds", own.jitter_seconds),
        mass_change: crate::model::goal::MassChangeLimit {
            min_variants: r
                .needed("reconcile.mass_change.min_variants", own.mass_change.min_variants)
                as usize,
            ratio: r.needed("reconcile.mass_change.ratio", own.mass_change.ratio),
            withheld: 0,
        },
        writes_per_hour,
        writes_per_day,
        shutdown_grace: r.seconds("reconcile.shutdown_grace_seconds", own.shutdown_grace_seconds),
        pass_timeout: r.seconds("reconcile.pass_timeout_seconds", own.pass_timeout_seconds),
        // Last, so that everything else has been looked at.
        schedule: schedule?,
        telemetry_schedule: telemetry_schedule?,
    })
}

fn telemetry(r: &mut Resolver<'_>, raw: &Raw) -> TelemetrySettings {
    let own = &raw.telemetry;
    let minutes = |n: u32| TimeDelta::minutes(i64::from(n));
    let settings = TelemetrySettings {
        history: TimeDelta::days(i64::from(r.needed("telemetry.history_days", own.history_days)))
            .min(MINUTES_KEPT),
        delay: minutes(r.needed("telemetry.delay_minutes", own.delay_minutes)),
        max_age: minutes(r.needed("telemetry.max_age_minutes", own.max_age_minutes)),
        steady_every: minutes(r.needed("telemetry.steady_every_minutes", own.steady_every_minutes)),
        budget_dollars_per_month: r
            .needed("telemetry.budget_dollars_per_month", own.budget_dollars_per_month),
    };
    if settings.max_age <= settings.delay {
        r.problem(
            "telemetry.max_age_minutes",
            settings.max_age.num_minutes().to_string(),
            "more than telemetry.delay_minutes, else all telemetry is stale",
        );
    }
    // Read later than that, the telemetry of steady variants would be stale before it is read again.
    let steady_every = settings.steady_every.min(settings.max_age - settings.delay);
    TelemetrySettings { steady_every, ..settings }
}

fn http(r: &mut Resolver<'_>, raw: &Raw) -> HttpSettings {
    let allowed = "an IP address and a port, such as 0.0.0.0:9090 or [::]:9090";
    let listen = r.needed("http.listen", raw.http.listen.clone());
    let parsed = r.parsed::<SocketAddr>("http.listen", Some(listen), allowed);
    HttpSettings {
        listen: parsed.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        token_file: raw.http.token_file.clone().map(PathBuf::from),
        allowed_hosts: raw.http.allowed_hosts.clone().unwrap_or_default(),
        base_path: base_path(r, raw.http.base_path.as_deref().unwrap_or_default()),
        dashboard_url: dashboard_url(r, raw.http.dashboard_url.as_deref()),
    }
}

/// The path without a slash at its end. Of `/` nothing is left, which is what it means.
fn base_path(r: &mut Resolver<'_>, found: &str) -> String {
    let path = found.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let mut segments = path.split('/').skip(1);
    let fine = path.is_empty()
        || path.starts_with('/')
            && segments.all(|s| !matches!(s, "" | "." | "..") && s.chars().all(plain));
    if !fine {
        let allowed = "a path such as /setpoint, of letters, digits, - . _ ~ and /";
        r.problem("http.base_path", format!("{found:?}"), allowed);
        return String::new();
    }
    path.to_owned()
}

fn dashboard_url(r: &mut Resolver<'_>, found: Option<&str>) -> Option<String> {
    let url = found?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    // Everybody who may see the page sees the address.
    if host.is_empty() || host.contains('@') || url.contains(char::is_whitespace) {
        let allowed = "an http or https address without a password, such as \
                       https://grafana.example.com/d/setpoint-variant?var-endpoint={endpoint}";
        r.problem("http.dashboard_url", format!("{url:?}"), allowed);
        return None;
    }
    Some(url.to_owned())
}

fn log(r: &mut Resolver<'_>, raw: &Raw) -> LogSettings {
    let level = r.needed("log.level", raw.log.level.clone());
    if let Err(why) = crate::config::settings::parse_level(&level) {
        let allowed = format!(
            "error, warn, info, debug, trace, or directives such as info,setpoint=debug: {why}"
        );
        r.problem("log.level", format!("{level:?}"), &allowed);
    }
    LogSettings { level, format: raw.log.format.unwrap_or(LogFormat::Text) }
}

fn freeze_window(r: &mut Resolver<'_>, i: usize, raw: &RawFreezeWindow) -> Option<FreezeWindow> {
    let key = |name: &str| format!("freeze_windows[{i}].{name}");
    let timezone = r.parsed::<Tz>(
        &key("timezone"),
        raw.timezone.clone(),
        "an IANA time zone, such as Europe/Berlin",
    );
    let text = Some(raw.schedule.clone());
    let schedule = r.schedule(&key("schedule"), text, timezone.unwrap_or(Tz::UTC))?;
    Some(FreezeWindow {
        schedule,
        duration: TimeDelta::minutes(i64::from(raw.duration_minutes)),
        allow_lowering: raw.allow_lowering.unwrap_or(false),
    })
}
