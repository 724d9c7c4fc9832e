//! `ab`, Apache's benchmark: its report, one or several in a file. Percentiles are whole milliseconds.

use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;
use super::text::{after, first_number, needed, reports};

pub(super) const START: &str = "This is ApacheBench";

pub(super) fn read(file: &str, text: &str) -> Result<Run, Problem> {
    let mut run = Run::new(file, Tool::Ab, LoopKind::Closed, Spacing::AfterAnswer);
    run.notes.push(
        "ab calls answers of another length than the first failed, and answers of 4xx and 5xx not; \
         here the first are good and the second are not"
            .to_owned(),
    );
    for report in reports(text, START) {
        run.steps.push(step(file, report)?);
    }
    Ok(run)
}

fn step(file: &str, text: &str) -> Result<Step, Problem> {
    let number = |label: &str| needed(file, text, label, "ab");
    let requests = number("Complete requests:")?;
    let (seconds, rate) = (number("Time taken for tests:")?, number("Requests per second:")?);
    // (Connect: 0, Receive: 0, Length: 12, Exceptions: 0)
    let length = after(text, "(Connect:")
        .and_then(|(_, rest)| first_number(rest.split("Length:").nth(1)?.split(',').next()?));
    let failed = (number("Failed requests:")? - length.unwrap_or(0.0)).max(0.0);
    let bad = failed + number("Non-2xx responses:").unwrap_or(0.0);
    let share = if requests > 0.0 { (bad / requests).min(1.0) } else { 1.0 };
    let percentile = |label: &str| after(text, label).and_then(|(_, rest)| first_number(rest));
    Ok(Step {
        file: file.to_owned(),
        seconds: Some(seconds),
        good_rps: rate * (1.0 - share),
        users: Some(number("Concurrency Level:")?),
        requests: Some(requests),
        error_share: Some(share),
        latency: Latency {
            avg: number("Time per request:").ok(),
            p50: percentile("50%"),
            p90: percentile("90%"),
            p95: percentile("95%"),
            p99: percentile("99%"),
        },
        ..Step::default()
    })
}
