//! `setpoint simulate grade`: the estimator against the embedded AWS, which knows the truth.

use std::process::ExitCode;

use super::super::{CliError, compose};
use crate::cli::out::outln;
use crate::grade::{Class, Graded, Policy, cases, closed_loop, grade, summarise};

/// Grade the estimator against the embedded AWS, which knows the truth.
///
/// Runs a week of each scenario and prints, by class, how far estimates are from the truth beside
/// the load test and the highest good load; with --closed-loop also how the service fares when
/// the decisions are applied, relative to an oracle that knows the capacity.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    /// Seeds of each class
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
    /// Only this class; may be given several times
    #[arg(long, value_parser = parse_class)]
    class: Vec<Class>,
    /// Also apply the decisions
    #[arg(long)]
    closed_loop: bool,
}

fn parse_class(text: &str) -> Result<Class, String> {
    let names = Class::ALL.map(Class::as_str).join(", ");
    let class = Class::ALL.into_iter().find(|c| c.as_str() == text);
    class.ok_or_else(|| format!("{text:?} is no class (allowed: {names})"))
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(in super::super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let classes = if args.class.is_empty() { Class::ALL.to_vec() } else { args.class.clone() };
    let last = args.first_seed.saturating_add(args.seeds);
    let runtime = compose::runtime()?;
    outln!(
        "{:<12} {:>5} {:>5} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "CLASS",
        "HOUR",
        "RUNS",
        "KNOWN",
        "MEDIAN",
        "P90",
        "COVERS",
        "TOO HIGH",
        "FALSE",
        "LOAD TEST",
        "HIGHEST"
    );
    for class in &classes {
        let mut graded: Vec<Graded> = Vec::new();
        for case in cases(&[*class], args.first_seed..last) {
            graded.push(runtime.block_on(grade(&case)).map_err(CliError::failed)?);
        }
        for hour in [24, 72, 168] {
            print_summary(&graded, *class, hour)?;
        }
    }
    if args.closed_loop {
        print_closed_loop(&runtime, &classes, args.first_seed..last)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn percent(v: f64) -> String {
    if v.is_finite() { format!("{:.1} %", 100.0 * v) } else { "-".to_owned() }
}

fn print_summary(graded: &[Graded], class: Class, hour: i64) -> Result<(), CliError> {
    let Some(s) = summarise(graded, class, hour) else { return Ok(()) };
    outln!(
        "{:<12} {:>5} {:>5} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8.3} {:>9} {:>9}",
        class.as_str(),
        hour,
        s.runs,
        s.known,
        percent(s.error.0),
        percent(s.error.1),
        if s.known > 0 { percent(s.coverage) } else { "-".to_owned() },
        s.too_high,
        s.false_divergences,
        percent(s.static_error),
        percent(s.highest_good_error)
    );
    Ok(())
}

fn print_closed_loop(
    runtime: &compose::Runtime,
    classes: &[Class],
    seeds: std::ops::Range<u64>,
) -> Result<(), CliError> {
    outln!(
        "\n{:<12} {:<9} {:>15} {:>15} {:>8} {:>10}",
        "CLASS",
        "POLICY",
        "VIOLATION MIN",
        "INSTANCE HOURS",
        "CHANGES",
        "REVERSALS"
    );
    for class in classes {
        let cases = cases(&[*class], seeds.clone());
        let mut oracle_hours = 0.0;
        for (name, policy) in
            [("oracle", Policy::Oracle), ("static", Policy::Static), ("setpoint", Policy::Setpoint)]
        {
            let (mut violations, mut hours, mut changes, mut reversals) = (0, 0.0, 0, 0);
            for case in &cases {
                let week = runtime.block_on(closed_loop(case, policy)).map_err(CliError::failed)?;
                violations += week.violation_minutes;
                hours += week.instance_hours;
                changes += week.changes;
                reversals += week.reversals;
            }
            if policy == Policy::Oracle {
                oracle_hours = hours;
            }
            let runs = cases.len().max(1) as f64;
            outln!(
                "{:<12} {:<9} {:>15.0} {:>15.3} {:>8.1} {:>10.2}",
                class.as_str(),
                name,
                violations as f64 / runs,
                hours / oracle_hours,
                f64::from(changes) / runs,
                f64::from(reversals) / runs
            );
        }
    }
    Ok(())
}
