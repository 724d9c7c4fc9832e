//! wrk and wrk2: their reports, one or several in a file.

use super::model::{Latency, LoopKind, Run, Spacing, Step, Tool};
use super::problem::Problem;
use super::text::{after, first_number, milliseconds};

pub(super) fn read(file: &str, text: &str) -> Result<Run, Problem> {
    let second = text.contains("Recorded Latency") || text.contains("Thread calibration");
    let mut run = if second {
        // wrk2 counts a request's latency from when it should have been sent.
        Run::new(file, Tool::Wrk2, LoopKind::Open, Spacing::Even)
    } else {
        Run::new(file, Tool::Wrk, LoopKind::Closed, Spacing::AfterAnswer)
    };
    let starts: Vec<usize> = text.match_indices("Running ").map(|(at, _)| at).collect();
    for (i, start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).copied().unwrap_or(text.len());
        run.steps.push(step(file, &text[*start..end])?);
    }
    if run.steps.iter().any(|s| s.latency.p99.is_none()) {
        run.notes.push("wrk prints percentiles only with --latency".to_owned());
    }
    if !second {
        run.notes.push(
            "wrk has no 95th percentile, and counts answers of 4xx and 5xx as requests; \
                        they are taken off"
                .to_owned(),
        );
    }
    Ok(run)
}

fn step(file: &str, text: &str) -> Result<Step, Problem> {
    let missing = |label: &str| {
        Problem::new(file, "the report", format!("no {label}"), "a whole report of wrk")
    };
    let (_, rate) = after(text, "Requests/sec:").ok_or_else(|| missing("Requests/sec"))?;
    let rate = first_number(rate).ok_or_else(|| missing("number after Requests/sec"))?;
    let summary = text.lines().find(|line| line.contains(" requests in "));
    let summary = summary.ok_or_else(|| missing("line \"N requests in TIME\""))?;
    let requests = first_number(summary).unwrap_or(0.0);
    let time = summary.split(" requests in ").nth(1).and_then(|r| r.split(',').next());
    let seconds = time.and_then(milliseconds).map(|ms| ms / 1e3);
    let bad = after(text, "Non-2xx or 3xx responses:").and_then(|(_, n)| first_number(n));
    let timeouts = after(text, "Socket errors:")
        .map_or(0.0, |(_, errors)| errors.split(',').filter_map(first_number).sum());
    let bad = bad.unwrap_or(0.0);
    let all = requests + timeouts;
    let connections = text.lines().find(|l| l.contains(" threads and "));
    let users = connections.and_then(|l| first_number(l.split(" threads and ").nth(1)?));
    let percentile = |name: &str| {
        let value = text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let percent = words.next()?.strip_suffix('%')?.parse::<f64>().ok()?;
            (percent == name.parse::<f64>().ok()?).then(|| words.next()).flatten()
        });
        value.and_then(milliseconds)
    };
    let average = after(text, "Latency  ").and_then(|(_, r)| r.split_whitespace().next());
    Ok(Step {
        file: file.to_owned(),
        seconds,
        good_rps: if requests > 0.0 { rate * (1.0 - bad / requests) } else { 0.0 },
        users,
        requests: Some(all),
        error_share: (all > 0.0).then(|| (bad + timeouts) / all),
        latency: Latency {
            avg: average.and_then(milliseconds),
            p50: percentile("50"),
            p90: percentile("90"),
            p95: percentile("95"),
            p99: percentile("99"),
        },
        ..Step::default()
    })
}
