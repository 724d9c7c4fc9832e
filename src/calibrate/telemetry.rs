//! setpoint's own CSV: what CloudWatch measured at the endpoint while the test ran, a row a minute.

use chrono::DateTime;

use super::csv_table::Table;
use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;

/// Reads it. Rates are for one instance, by the column `invocations_per_instance`.
pub(super) fn read(file: &str, text: &str) -> Result<Run, Problem> {
    let (table, _) = Table::read(file, text)?;
    let (time, rate) = (table.needed("timestamp")?, table.needed("invocations_per_instance")?);
    let (period, all) = (table.column("period_seconds"), table.column("invocations"));
    let errors = table.column("errors_5xx");
    let latencies =
        ["avg", "p50", "p90", "p95", "p99"].map(|s| table.column(&format!("latency_{s}_us")));
    let mut run = Run::new(file, Tool::Telemetry, LoopKind::Unknown, Spacing::Unknown);
    run.notes.push(
        "each minute is a step, and its rate is that of one instance already: leave --instances at \
         1. ModelLatency is without the network and SageMaker's overhead"
            .to_owned(),
    );
    for row in &table.rows {
        // An empty cell is no datapoint.
        let number = |column: Option<usize>| match column {
            Some(c) if !row.1.get(c).unwrap_or_default().trim().is_empty() => {
                table.number(row, c).map(Some)
            }
            _ => Ok(None),
        };
        let Some(per_instance) = number(Some(rate))?.filter(|n| *n > 0.0) else { continue };
        let seconds = number(period)?.filter(|s| *s > 0.0).unwrap_or(60.0);
        let requests = number(all)?.filter(|n| *n > 0.0);
        let share = number(errors)?.zip(requests).map(|(bad, all)| (bad / all).min(1.0));
        let mut ms = [None; 5];
        for (i, column) in latencies.into_iter().enumerate() {
            ms[i] = number(column)?.map(|us| us / 1e3);
        }
        let [avg, p50, p90, p95, p99] = ms;
        if [avg, p50, p90, p95, p99].iter().all(Option::is_none) {
            continue;
        }
        let stamp = row.1.get(time).and_then(|t| DateTime::parse_from_rfc3339(t).ok());
        let date = stamp.map(|t| t.to_utc().date_naive());
        run.date = run.date.or(date);
        run.steps.push(Step {
            file: file.to_owned(),
            seconds: Some(seconds),
            good_rps: per_instance / seconds * (1.0 - share.unwrap_or(0.0)),
            requests,
            error_share: share,
            latency: Latency { avg, p50, p90, p95, p99 },
            ..Step::default()
        });
    }
    Ok(run)
}
