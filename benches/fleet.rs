//! What passes over a fleet cost setpoint: calls, datapoints, CPU time, wall time and memory, with
//! the real SDK clients over HTTP against a server of AWS's wire formats in another process.
//!
//! `cargo bench --bench fleet` takes the sizes of [`SIZES`]; `cargo bench --bench fleet -- 50x14
//! 500x14` takes these, each a number of variants and days of history. Each runs in a process of
//! its own, so that its memory is its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::similar_names,
    clippy::cast_possible_wrap,
    reason = "a bench prints its table, ends where something is wrong, and reads from top to bottom"
)]

#[path = "fleet/server.rs"]
mod server;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use prometheus::Registry;
use setpoint::aws::{CredentialSource, Growing, Settings, connect};
use setpoint::config::Config;
use setpoint::daemon::{FleetCell, pass_settings};
use setpoint::memory::FileMemory;
use setpoint::metrics::{DEFAULT_PER_VARIANT_LIMIT, Metrics, SeriesOf, Shown};
use setpoint::model::consent::Consent;
use setpoint::model::ids::Region;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::model::time::Timestamp;
use setpoint::ports::{CallObserver, CallRecord, Clock};
use setpoint::reconcile::{
    CostMeter, Fleet, HistoryWait, PassInput, Purpose, Settings as PassSettings,
};
use setpoint::store::{FileShelf, Store, StoreSettings};
use setpoint::system::{Alone, WallClock};

/// Variants and days of history.
const SIZES: &str = "50x14 500x14 5000x1";
/// Python with boto3, of the tools that the tests use; another one by `SETPOINT_BENCH_PYTHON`.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/cache/venv/bin/python");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/boto3_fleet.py");
/// Tells a child process what to be: `serve N` or `measure NxD`.
const ROLE: &str = "SETPOINT_BENCH_ROLE";
/// Tells a measuring child where the server is.
const URL: &str = "SETPOINT_BENCH_URL";
/// The kernel's clock ticks a second, which `/proc` counts CPU time in (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
/// Passes that read telemetry of which a figure is the mean.
const STEADY_PASSES: u32 = 5;
/// Scrapes that a figure of one is the mean of.
const SCRAPES: u32 = 50;

/// The mode of a new installation, in which each variant shows what bolder modes would write. Every
/// variant has something to write.
fn config(days: &str) -> String {
    format!(
        "
aws: {{region: us-east-1, account_id: '123456789012'}}
telemetry: {{history_days: {days}, budget_dollars_per_month: 100000}}
defaults: {{mode: observe, objective: {{latency: {{statistic: p99, threshold_ms: 250}}}}}}
targets: [{{endpoint: '*', variant: '*', load_test: {{max_rps: 20}}, capacity: {{min: 1, max: 20}}}}]
"
    )
}

fn main() {
    let role = std::env::var(ROLE).unwrap_or_default();
    match role.split_once(' ') {
        Some(("serve", size)) => server::serve(size.parse().unwrap()),
        Some((_, size)) => print!("{}", measure(size)),
        None => table(),
    }
}

/// Runs each size in a process of its own and prints the figures beside each other.
fn table() {
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| arg.contains('x')).collect();
    let sizes =
        if named.is_empty() { SIZES.split(' ').map(str::to_owned).collect() } else { named };
    let columns: Vec<Vec<(String, f64)>> = sizes.iter().map(|size| child(size)).collect();
    let head: String = sizes.iter().fold(String::new(), |mut head, size| {
        let _ = write!(head, " {size:>12}");
        head
    });
    println!("{:<60}{head}", "variants x days of history");
    for (row, (what, _)) in columns[0].iter().enumerate() {
        let figures = columns.iter().fold(String::new(), |mut line, column| {
            let _ = write!(line, " {:>12.2}", column[row].1);
            line
        });
        println!("{what:<60}{figures}");
    }
}

/// What boto3 needs for a steady pass over the same server; nothing where there is none.
fn boto3(variants: &str, url: &str) -> Vec<(String, f64)> {
    let python = std::env::var("SETPOINT_BENCH_PYTHON").unwrap_or_else(|_| PYTHON.to_owned());
    let script = Command::new(&python).args([SCRIPT, variants]).env(URL, url).output();
    match script {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().map(|line| figure(&format!("boto3, steady pass: {line}"))).collect()
        }
        Ok(output) => {
            eprintln!("boto3 is skipped: {}", String::from_utf8_lossy(&output.stderr));
            Vec::new()
        }
        Err(error) => {
            eprintln!("boto3 is skipped: {python}: {error}");
            Vec::new()
        }
    }
}

/// A figure of a line.
fn figure(line: &str) -> (String, f64) {
    let (what, value) = line.rsplit_once('\t').unwrap();
    (what.to_owned(), value.parse().unwrap())
}

/// A process of this program in another role.
fn spawn(role: &str, url: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.env(ROLE, role).env(URL, url).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn child(size: &str) -> Vec<(String, f64)> {
    let variants = size.split('x').next().unwrap();
    let mut server = spawn(&format!("serve {variants}"), "");
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let output = spawn(&format!("measure {size}"), url.trim()).wait_with_output().unwrap();
    let beside = boto3(variants, url.trim());
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(output.status.success(), "{size}: the measuring process failed");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(figure).chain(beside).collect()
}

/// The wall clock, moved ahead by hand between passes.
#[derive(Default)]
struct Ahead(AtomicI64);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        WallClock.now() + TimeDelta::seconds(self.0.load(Ordering::Relaxed))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Counts calls.
#[derive(Default)]
struct Calls(AtomicU64);

impl CallObserver for Calls {
    fn called(&self, call: &CallRecord) {
        assert_eq!(call.error, None, "{call:?}");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a figure begins with.
struct Mark {
    calls: u64,
    cpu: f64,
    at: Instant,
}

/// What passes of one kind have taken.
#[derive(Default)]
struct Spent {
    passes: f64,
    calls: f64,
    cpu: f64,
    wall: f64,
}

impl Spent {
    fn add(&mut self, begun: &Mark, ended: &Mark) {
        self.passes += 1.0;
        self.calls += (ended.calls - begun.calls) as f64;
        self.cpu += ended.cpu - begun.cpu;
        self.wall += (ended.at - begun.at).as_secs_f64();
    }
}

/// One size, a figure a line.
fn measure(size: &str) -> String {
    let (variants, days) = size.split_once('x').unwrap();
    let variants: usize = variants.parse().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (clock, calls) = (Arc::new(Ahead::default()), Arc::new(Calls::default()));
    let mut settings = Settings::new(Region::new("us-east-1").unwrap());
    settings.endpoint_url = Some(std::env::var(URL).unwrap());
    settings.account_id = Some("123456789012".parse().unwrap());
    settings.credentials =
        CredentialSource::Fixed { access_key_id: "x".into(), secret_access_key: "x".into() };
    // What is measured is CPU and memory; the waits that AWS's quotas ask for are arithmetic.
    settings.rates.scaling_calls_per_second = 1000.0;
    settings.rates.sagemaker_calls_per_second = Growing::fixed(1e6);
    settings.rates.metric_calls_per_second = Growing::fixed(1e6);
    settings.rates.datapoints_per_second = Growing::fixed(1e12);
    settings.rates.alarm_calls_per_second = 1000.0;
    let observer: Arc<dyn CallObserver> = Arc::clone(&calls) as Arc<dyn CallObserver>;
    let aws = runtime.block_on(connect(&settings, observer)).unwrap();
    // Both as a daemon has them by the chart.
    let place = tempfile::tempdir().unwrap();
    let memory = Arc::new(FileMemory::new(place.path().join("memory.json")));
    let path = Some(place.path().join("history.redb"));
    let history = Store::new(StoreSettings::new(path, TimeDelta::days(90), 512 << 20));
    let mut fleet = Fleet::new(
        vec![aws],
        Arc::clone(&clock) as Arc<dyn Clock>,
        Arc::new(Alone),
        memory,
        CostMeter::default(),
    )
    .resting(&FileShelf::beside(Some(&place.path().join("history.redb"))));
    let config = Config::from_yaml(&config(days)).unwrap();
    // What is published stays until the next pass has ended, as in the daemon.
    let published = Arc::new(FleetCell::default());

    let out = RefCell::new(String::new());
    let tell = |what: &str, value: f64| {
        let _ = writeln!(out.borrow_mut(), "{what}\t{value}");
    };
    let mut pass = |telemetry: bool| {
        // As the daemon does: history goes on beside the passes.
        let settings = PassSettings {
            history_wait: HistoryWait::For(Duration::from_secs(5)),
            last_day_first_above: 0,
            ..pass_settings(&config)
        };
        let status = runtime.block_on(fleet.pass(PassInput {
            goals: &config,
            settings: &settings,
            telemetry,
            refresh: None,
            purpose: Purpose::Reconcile(&Consent::default()),
            freeze: None,
            stop: &AtomicBool::new(false),
        }));
        assert_eq!(status.variants.len(), variants);
        let status = Arc::new(status);
        published.set(Arc::clone(&status));
        let saved = runtime.block_on(history.record(Arc::clone(&status)));
        assert_eq!((saved.unsaved, saved.unread), (None, None));
        fleet.hours_are_kept(&status, &saved.saved.unwrap().1);
        status
    };
    let mark =
        || Mark { calls: calls.0.load(Ordering::Relaxed), cpu: cpu_seconds(), at: Instant::now() };
    tell("memory before the first pass, MiB", mebibytes("VmRSS:"));
    let since = |what: &str, mark: &Mark, passes: u32| {
        let passes = f64::from(passes);
        let made = calls.0.load(Ordering::Relaxed) - mark.calls;
        tell(&format!("{what}: calls"), made as f64 / passes);
        tell(&format!("{what}: CPU s"), (cpu_seconds() - mark.cpu) / passes);
        tell(&format!("{what}: wall s"), mark.at.elapsed().as_secs_f64() / passes);
    };
    // What was described once is not a part of what the history takes.
    let begun = mark();
    pass(false);
    since("first describe pass", &begun, 1);
    let begun = mark();
    pass(true);
    since("first telemetry pass", &begun, 1);
    let read = |status: &FleetStatus, enough: f64| {
        let ratio = |status: &Arc<VariantStatus>| {
            status.decision.report.estimate.history_complete_ratio.unwrap_or(0.0)
        };
        status.variants.values().all(|status| ratio(status) >= enough)
    };
    let (mut day, mut passes) = (false, 1);
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let status = pass(false);
        passes += 1;
        if !day && read(&status, f64::MIN_POSITIVE) {
            day = true;
            since("a day of history of all", &begun, 1);
        }
        if read(&status, 1.0) {
            break;
        }
    }
    since("all history, with the passes meanwhile", &begun, 1);
    tell("passes meanwhile", f64::from(passes));
    tell("memory with all history, MiB", mebibytes("VmRSS:"));
    // By the default schedules: a pass each minute, every fifteenth of which reads telemetry.
    let (mut describe, mut telemetry) = (Spent::default(), Spent::default());
    for minute in 1..=STEADY_PASSES * 15 {
        clock.0.fetch_add(60, Ordering::Relaxed);
        let (begun, reads) = (mark(), minute % 15 == 0);
        pass(reads);
        let spent = if reads { &mut telemetry } else { &mut describe };
        spent.add(&begun, &mark());
    }
    for (what, spent) in [("describe", describe), ("telemetry", telemetry)] {
        tell(&format!("steady {what} pass: calls"), spent.calls / spent.passes);
        tell(&format!("steady {what} pass: CPU s"), spent.cpu / spent.passes);
        tell(&format!("steady {what} pass: wall s"), spent.wall / spent.passes);
    }
    tell("steady memory, MiB", mebibytes("VmRSS:"));
    tell("peak memory, MiB", mebibytes("VmHWM:"));
    for (what, variants) in [("all", SeriesOf::All), ("problems", SeriesOf::Problems)] {
        let shown = Shown { variants, per_variant_limit: DEFAULT_PER_VARIANT_LIMIT };
        let metrics = Metrics::register(Registry::new(), Arc::clone(&published) as _, shown);
        let exposition = metrics.unwrap().exposition;
        let begun = cpu_seconds();
        let wire = exposition.gzip().unwrap().len();
        tell(&format!("/metrics of {what}: CPU s, once a pass"), cpu_seconds() - begun);
        tell(&format!("/metrics of {what}: MB on the wire"), wire as f64 / 1e6);
        let begun = cpu_seconds();
        (0..SCRAPES).for_each(|_| assert!(!exposition.gzip().unwrap().is_empty()));
        let each = (cpu_seconds() - begun) / f64::from(SCRAPES);
        // A person who looks at it takes it as it is.
        let text: usize = exposition.pieces().unwrap().map(|piece| piece.unwrap().len()).sum();
        tell(&format!("/metrics of {what}: MB of text"), text as f64 / 1e6);
        tell(&format!("/metrics of {what}: CPU ms a scrape"), each * 1000.0);
    }
    tell("peak memory with scrapes, MiB", mebibytes("VmHWM:"));
    out.into_inner()
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / TICKS_PER_SECOND
}

/// A line of `/proc/self/status` that counts KiB.
fn mebibytes(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
