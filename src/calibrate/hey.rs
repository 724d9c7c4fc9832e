//! hey: its report, one or several in a file. Times are in seconds.

use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;
use super::text::{after, first_number, needed, reports};

pub(super) fn read(file: &str, text: &str) -> Result<Run, Problem> {
    let mut run = Run::new(file, Tool::Hey, LoopKind::Closed, Spacing::AfterAnswer);
    run.notes.push(
        "hey's Requests/sec counts answers of 4xx and 5xx and those that never came; they are \
         taken off"
            .to_owned(),
    );
    for report in reports(text, "Summary:") {
        run.steps.push(step(file, report)?);
    }
    Ok(run)
}

fn step(file: &str, text: &str) -> Result<Step, Problem> {
    let number = |label: &str| needed(file, text, label, "hey");
    let (seconds, rate) = (number("Total:")?, number("Requests/sec:")?);
    // `[200]	792 responses` and, for requests without an answer, `[3]	Get "http://…": …`.
    let (mut good, mut all) = (0.0, 0.0);
    for line in text.lines().filter(|line| line.trim_start().starts_with('[')) {
        let Some((key, rest)) = line.trim().trim_start_matches('[').split_once(']') else {
            continue;
        };
        let Ok(key) = key.parse::<f64>() else { continue };
        if rest.trim().ends_with("responses") {
            let count = first_number(rest).unwrap_or(0.0);
            all += count;
            good += if (200.0..400.0).contains(&key) { count } else { 0.0 };
        } else {
            all += key;
        }
    }
    if all <= 0.0 {
        let read = "the number of answers by status code";
        return Err(Problem::new(file, "Status code distribution", "nothing", read));
    }
    let percentile = |percent: &str| {
        // hey 0.1.4 prints `10% in`, its fork `10%% in`.
        let labels = [format!("{percent}% in"), format!("{percent}%% in")];
        let found = labels.iter().find_map(|label| after(text, label));
        found.and_then(|(_, rest)| first_number(rest)).map(|seconds| seconds * 1e3)
    };
    Ok(Step {
        file: file.to_owned(),
        seconds: Some(seconds),
        good_rps: rate * good / all,
        requests: Some(all),
        error_share: Some(1.0 - good / all),
        latency: Latency {
            avg: number("Average:").ok().map(|seconds| seconds * 1e3),
            p50: percentile("50"),
            p90: percentile("90"),
            p95: percentile("95"),
            p99: percentile("99"),
        },
        ..Step::default()
    })
}
