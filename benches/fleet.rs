//! What passes over a fleet cost: calls, CPU time and memory, for 500 and 10,000 variants, over the
//! ports of the embedded AWS. Each size runs in a process of its own, so that its memory is its own.
//!
//! `cargo bench --bench fleet`. The world is part of the process: its memory before the first pass
//! is shown beside the peak, its CPU time within the calls is not taken out.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints its table, and ends where something is wrong"
)]

use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use setpoint::config::Config;
use setpoint::daemon::pass_settings;
use setpoint::memory::ProcessMemory;
use setpoint::model::consent::Consent;
use setpoint::model::ids::Scope;
use setpoint::reconcile::{CostMeter, Fleet, PassInput, Purpose};
use setpoint::sim::api::Operation;
use setpoint::sim::scenario::Settings;
use setpoint::sim::{Scenario, Sim, SimClock};
use setpoint::system::Alone;

const SIZES: [usize; 2] = [500, 10_000];
/// Tells a child process its size.
const SIZE: &str = "SETPOINT_BENCH_VARIANTS";
/// The kernel's clock ticks a second, which `/proc` counts CPU time in (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
/// Passes that a figure of a steady pass is the mean of.
const STEADY_PASSES: u32 = 5;

const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
telemetry: {history_days: 1, budget_dollars_per_month: 100000}
defaults: {mode: repair, adopt: true, objective: {latency: {statistic: p99, threshold_ms: 250}}}
targets: [{endpoint: '*', variant: '*', load_test: {max_rps: 20}, capacity: {min: 1, max: 20}}]
";

fn main() {
    match std::env::var(SIZE) {
        Ok(size) => print!("{}", measure(size.parse().unwrap())),
        Err(_) => table(),
    }
}

/// Runs each size in a process of its own and prints the figures beside each other.
fn table() {
    let columns: Vec<Vec<(String, f64)>> = SIZES.iter().map(|size| child(*size)).collect();
    println!("{:<44} {:>12} {:>12} {:>8}", "", SIZES[0], SIZES[1], "ratio");
    for ((what, small), (_, large)) in columns[0].iter().zip(&columns[1]) {
        let ratio = if *small > 0.0 { format!("{:.1}", large / small) } else { "-".to_owned() };
        println!("{what:<44} {small:>12.2} {large:>12.2} {ratio:>8}");
    }
}

fn child(size: usize) -> Vec<(String, f64)> {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).env(SIZE, size.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let figure = |line: &str| {
        let (what, value) = line.rsplit_once('\t').unwrap();
        (what.to_owned(), value.parse().unwrap())
    };
    text.lines().map(figure).collect()
}

/// One size, a figure a line.
fn measure(size: usize) -> String {
    let sim = Scenario::fleet(size).build().unwrap();
    sim.advance(3600);
    let Settings { account_id, region, .. } = Settings::default();
    let aws = setpoint::sim::aws(&sim, Scope { account_id, region });
    let clock = Arc::new(SimClock::self_driven(sim.clone()));
    let memory = Arc::new(ProcessMemory::default());
    let leads = Arc::new(Alone);
    let mut fleet = Fleet::new(vec![aws], clock, leads, memory, CostMeter::default());
    let config = Config::from_yaml(CONFIG).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    let mut out = String::new();
    let mut tell = |what: &str, value: f64| {
        let _ = writeln!(out, "{what}\t{value}");
    };
    tell("memory of the world alone, MiB", mebibytes("VmRSS:"));
    for (what, telemetry, passes) in [
        ("first describe pass", false, 1),
        ("steady describe pass", false, STEADY_PASSES),
        ("first telemetry pass (a day of history)", true, 1),
        ("steady telemetry pass", true, STEADY_PASSES),
    ] {
        let mut calls = 0;
        let (mut cpu, mut wall) = (0.0, 0.0);
        for _ in 0..passes {
            sim.advance(if telemetry { 900 } else { 60 });
            let (calls_before, cpu_before, began) =
                (all_calls(&sim), cpu_seconds(), Instant::now());
            let settings = pass_settings(&config);
            let variants = runtime.block_on(fleet.pass(PassInput {
                goals: &config,
                settings: &settings,
                telemetry,
                anew: None,
                purpose: Purpose::Reconcile(&Consent::default()),
                freeze: None,
                stop: &AtomicBool::new(false),
            }));
            assert_eq!(variants.variants.len(), size);
            calls += all_calls(&sim) - calls_before;
            cpu += cpu_seconds() - cpu_before;
            wall += began.elapsed().as_secs_f64();
        }
        let passes = f64::from(passes);
        tell(&format!("{what}: calls"), calls as f64 / passes);
        tell(&format!("{what}: CPU ms"), cpu * 1000.0 / passes);
        tell(&format!("{what}: wall ms"), wall * 1000.0 / passes);
    }
    tell("peak memory, MiB", mebibytes("VmHWM:"));
    out
}

fn all_calls(sim: &Sim) -> u64 {
    sim.with_world(|world| Operation::ALL.iter().map(|o| world.calls(*o)).sum())
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
