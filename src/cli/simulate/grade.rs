//! `setpoint simulate grade`: the estimator against the embedded AWS, which knows the truth.

use std::process::ExitCode;

use super::super::{CliError, compose};
use crate::cli::out::outln;
use crate::estimate::Refinements;
use crate::grade::{
    Class, ClosedLoop, Fared, Graded, Policy, cases, closed_loop, grade, summarise,
};

/// Grade the estimator against the embedded AWS, which knows the truth.
///
/// Runs a week of each scenario and prints, by class, how far four ways of knowing the capacity
/// are from the truth: the load test (which the static formula believes), the highest load that
/// met the objective, the estimator's basic steps, and the estimator. With --closed-loop also how
/// the service fares when the decisions of each are applied at every pass, relative to an oracle
/// that knows the capacity.
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
    /// Leave a refinement of the estimator out; may be given several times
    #[arg(long, value_name = "REFINEMENT", value_parser = Refinements::NAMES)]
    without: Vec<String>,
    /// Also apply the decisions
    #[arg(long)]
    closed_loop: bool,
}

fn parse_class(text: &str) -> Result<Class, String> {
    let names = Class::ALL.map(Class::as_str).join(", ");
    let class = Class::ALL.into_iter().find(|c| c.as_str() == text);
    class.ok_or_else(|| format!("{text:?} is not a class (allowed: {names})"))
}

pub(in super::super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let classes = if args.class.is_empty() { Class::ALL.to_vec() } else { args.class.clone() };
    let last = args.first_seed.saturating_add(args.seeds);
    let without = |all: Refinements, name: &String| all.without(name);
    let refinements = args.without.iter().fold(Refinements::ALL, without);
    let runtime = compose::runtime()?;
    outln!(
        "{:<11} {:>4} {:>4} {:<12} {:>5} {:>8} {:>7} {:>7} {:>7} {:>7} {:>6} {:>8} {:>6} {:>6} {:>6} {:>6}",
        "CLASS",
        "HOUR",
        "RUNS",
        "METHOD",
        "KNOWN",
        "MEASURED",
        "MEDIAN",
        "P90",
        "BIAS",
        "COVERS",
        "WIDTH",
        "TOO HIGH",
        "FALSE",
        "SPLITS",
        "FOUND",
        "ABOVE"
    );
    for class in &classes {
        let mut graded: Vec<Graded> = Vec::new();
        for case in cases(&[*class], args.first_seed..last) {
            graded.push(
                runtime
                    .block_on(grade(&case, refinements, Refinements::NONE))
                    .map_err(CliError::failed)?,
            );
        }
        for hour in [24, 72, 168] {
            print_summary(&graded, *class, hour)?;
        }
    }
    if args.closed_loop {
        print_closed_loop(&runtime, &classes, args.first_seed..last, refinements)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn percent(v: f64) -> String {
    if v.is_finite() { format!("{:.1} %", 100.0 * v) } else { "-".to_owned() }
}

fn print_summary(graded: &[Graded], class: Class, hour: i64) -> Result<(), CliError> {
    let Some(s) = summarise(graded, class, hour) else { return Ok(()) };
    let head =
        |method: &str| format!("{:<11} {hour:>4} {:>4} {method:<12}", class.as_str(), s.runs);
    for (method, error) in [("load test", s.load_test), ("highest good", s.highest_good)] {
        let (median, p90) = (percent(error.0), percent(error.1));
        outln!("{} {:>5} {:>8} {median:>7} {p90:>7}", head(method), "", "");
    }
    print_fared(&head("basic"), &s.beside)?;
    print_fared(&head("setpoint"), &s.full)
}

fn print_fared(head: &str, f: &Fared) -> Result<(), CliError> {
    let hours =
        if f.found_after.is_finite() { format!("{:.1} h", f.found_after) } else { "-".to_owned() };
    let known = |v: f64| if f.known > 0 { percent(v) } else { "-".to_owned() };
    outln!(
        "{head} {:>5} {:>8} {:>7} {:>7} {:>7} {:>7} {:>6} {:>8} {:>6.3} {:>6.2} {hours:>6} {:>6}",
        f.known,
        f.measured,
        percent(f.error.0),
        percent(f.error.1),
        known(f.bias),
        known(f.coverage),
        known(f.width),
        f.too_high,
        f.false_divergences,
        f.splits,
        percent(f.above)
    );
    Ok(())
}

fn print_closed_loop(
    runtime: &compose::Runtime,
    classes: &[Class],
    seeds: std::ops::Range<u64>,
    refinements: Refinements,
) -> Result<(), CliError> {
    outln!(
        "\n{:<11} {:<12} {:>13} {:>12} {:>14} {:>6} {:>7} {:>9}",
        "CLASS",
        "METHOD",
        "VIOLATION MIN",
        "AT_MOST MIN",
        "INSTANCE HOURS",
        "WRITES",
        "CHANGES",
        "REVERSALS"
    );
    for class in classes {
        let cases = cases(&[*class], seeds.clone());
        let mut oracle_hours = 0.0;
        for (name, policy) in [
            ("oracle", Policy::Oracle),
            ("load test", Policy::Static),
            ("highest good", Policy::HighestGood),
            ("basic", Policy::Setpoint(Refinements::NONE)),
            ("setpoint", Policy::Setpoint(refinements)),
        ] {
            let mut weeks = Vec::with_capacity(cases.len());
            for case in &cases {
                weeks.push(runtime.block_on(closed_loop(case, policy)).map_err(CliError::failed)?);
            }
            let mean = |of: fn(&ClosedLoop) -> f64| {
                weeks.iter().map(of).sum::<f64>() / weeks.len().max(1) as f64
            };
            let hours = mean(|week| week.instance_hours);
            if policy == Policy::Oracle {
                oracle_hours = hours;
            }
            outln!(
                "{:<11} {:<12} {:>13.0} {:>12.0} {:>14.3} {:>6.1} {:>7.1} {:>9.2}",
                class.as_str(),
                name,
                mean(|week| week.violation_minutes as f64),
                mean(|week| week.at_most_minutes as f64),
                hours / oracle_hours,
                mean(|week| f64::from(week.writes)),
                mean(|week| f64::from(week.changes)),
                mean(|week| f64::from(week.reversals))
            );
        }
    }
    Ok(())
}
