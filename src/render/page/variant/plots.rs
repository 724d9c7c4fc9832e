//! What the answer is drawn from: load against latency, and the last hours.

use maud::{Markup, html};

use crate::model::estimate::Capacity;
use crate::model::goal::LatencyObjective;
use crate::model::scatter::Cell;
use crate::model::series::Minute;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::model::units::human;
use crate::render::plot::{Plot, Scale, both, legend};

/// Values further right than this many times the highest load are left out: they would squeeze what
/// was seen.
const FURTHEST: f64 = 2.0;
/// What is slower than this many times the objective is drawn at the upper edge, for the same reason.
const HIGHEST: f64 = 5.0;
/// Most dots of a cell: of many minutes at one place the page need not draw each.
const DOTS_MAX: u32 = 12;

/// Every minute of two weeks by its load and latency, with the lines that matter. Nothing where there
/// is nothing to draw.
pub(super) fn load_and_latency(status: &VariantStatus) -> Markup {
    let estimate = &status.decision.report.estimate;
    let Some(objective) = status.goal.objective.latency else { return html! {} };
    let cells = estimate.picture.scatter().cells();
    if cells.is_empty() {
        return html! {};
    }
    let before = cells.iter().any(|cell| !cell.present);
    let minutes: u32 = cells.iter().filter(|cell| cell.present).map(|cell| cell.minutes).sum();
    let broken: u32 = cells.iter().filter(|c| c.present && c.bad).map(|cell| cell.minutes).sum();
    let says = format!(
        "{minutes} minutes by load and latency, {broken} of them broke the objective of {} {} ms",
        objective.statistic,
        human(objective.threshold_ms)
    );
    let mut keys =
        vec![("good", "minutes that met the objective"), ("bad", "minutes that broke it")];
    if before {
        keys.push(("before", "minutes of the regime before"));
    }
    keys.extend(
        lines(status).into_iter().filter(|(_, _, at)| at.is_some()).map(|(c, w, _)| (c, w)),
    );
    html! {
        section.card {
            h2 { "Load against latency" }
            (both(420.0, |frame| scatter(Plot::new(frame, x_scale(status, &cells), y_scale(&cells, objective)), status, &cells, objective, &says)))
            (legend(&keys))
        }
    }
}

/// The values that are lines, with their classes.
fn lines(status: &VariantStatus) -> [(&'static str, &'static str, Option<f64>); 5] {
    let report = &status.decision.report;
    let capacity = report.estimate.capacity;
    [
        ("capacity", "capacity, with its 90 % interval", capacity.estimate),
        ("proven", "proven", capacity.lower_bound),
        ("formula", "formula", report.formula_target),
        ("safe", "safe", report.safe_target),
        ("configured", "configured", report.configured_target),
    ]
}

fn x_scale(status: &VariantStatus, cells: &[Cell]) -> Scale {
    let highest = cells.iter().map(|cell| cell.load.1).fold(0.0, f64::max);
    let Capacity { high, .. } = status.decision.report.estimate.capacity;
    let all = lines(status).into_iter().filter_map(|(_, _, at)| at).chain(high);
    let right = all.filter(|at| *at <= FURTHEST * highest).fold(highest, f64::max);
    Scale::linear(0.0, right * 1.04)
}

fn y_scale(cells: &[Cell], objective: LatencyObjective) -> Scale {
    let low = cells.iter().map(|cell| cell.latency_ms.0).fold(objective.threshold_ms, f64::min);
    let high = cells.iter().map(|cell| cell.latency_ms.1).fold(objective.threshold_ms, f64::max);
    let high = high.min(objective.threshold_ms * HIGHEST);
    Scale::logarithmic(low * 0.9, high * 1.15)
}

fn scatter(
    mut plot: Plot,
    status: &VariantStatus,
    cells: &[Cell],
    objective: LatencyObjective,
    says: &str,
) -> Markup {
    let capacity = status.decision.report.estimate.capacity;
    if let (Some(low), Some(high)) = (capacity.low, capacity.high) {
        plot.vertical_band(low, high, "interval");
    }
    for (present, bad, class) in [
        (false, false, "before"),
        (false, true, "before bad"),
        (true, false, "good"),
        (true, true, "bad"),
    ] {
        let of = cells.iter().filter(|cell| (cell.present, cell.bad) == (present, bad));
        plot.dots(class, of.flat_map(dots));
    }
    let label = format!("objective: {} {} ms", objective.statistic, human(objective.threshold_ms));
    plot.horizontal_line(objective.threshold_ms, "objective", &label);
    for (class, words, at) in lines(status) {
        if let Some(at) = at {
            plot.vertical_line(
                at,
                class,
                &format!("{words}: {}", human((at * 100.0).round() / 100.0)),
            );
        }
    }
    let y_title = format!("{} in ms", objective.statistic);
    plot.finish(says, ("invocations per minute per instance", &y_title), None)
}

/// The minutes of a cell, spread over it as evenly as a fixed sequence does: the cell says no more than
/// that they lie in it.
fn dots(cell: &Cell) -> impl Iterator<Item = (f64, f64)> {
    // The plastic number's sequence fills a square evenly however many of it are taken.
    const STEPS: (f64, f64) = (0.754_877_666_246_692_7, 0.569_840_290_998_053_2);
    let within = |(low, high): (f64, f64), share: f64| low * (high / low).powf(share);
    let (load, latency) = (cell.load, cell.latency_ms);
    // Another start in each cell, so that cells make no pattern.
    let start = (load.0 * 0.618 + latency.0 * 0.414).fract();
    (1..=cell.minutes.min(DOTS_MAX)).map(move |i| {
        let share = |step: f64| (start + f64::from(i) * step).fract();
        (within(load, share(STEPS.0)), within(latency, share(STEPS.1)))
    })
}

/// The minutes at hand, with what was in force and what is safe.
pub(super) fn last_hours(status: &VariantStatus) -> Markup {
    let Some(telemetry) = status.snapshot.telemetry.known() else { return html! {} };
    let minutes: Vec<(Minute, f64)> =
        telemetry.recent.iter().filter_map(|minute| Some((minute, minute.load()?))).collect();
    let (Some((first, _)), Some((last, _))) = (minutes.first(), minutes.last()) else {
        return html! {};
    };
    if first.at == last.at {
        return html! {};
    }
    let (from, to) = (position(first.at), position(last.at) + 1.0);
    let highest = minutes.iter().map(|(_, load)| *load).fold(0.0, f64::max);
    let lines =
        lines(status).into_iter().filter_map(|(class, words, at)| Some((class, words, at?)));
    let lines: Vec<_> = lines.filter(|(_, _, at)| *at <= (FURTHEST * highest).max(1.0)).collect();
    let top = lines.iter().map(|(_, _, at)| *at).fold(highest, f64::max);
    let threshold = status.goal.objective.latency.map(LatencyObjective::threshold_us);
    let broke = |minute: &Minute| {
        minute.latency_us.zip(threshold).is_some_and(|(latency, threshold)| latency > threshold)
    };
    let says = format!(
        "load of the last {} minutes, {} of them broke the latency objective",
        minutes.len(),
        minutes.iter().filter(|(minute, _)| broke(minute)).count()
    );
    let ticks = quarters(first.at, last.at);
    let draw = |frame| {
        let scales = (Scale::linear(from, to), Scale::linear(0.0, top * 1.15));
        let mut plot = Plot::new(frame, scales.0, scales.1);
        for (bad, class) in [(false, "solid good"), (true, "solid bad")] {
            let of = minutes.iter().filter(|(minute, _)| broke(minute) == bad);
            plot.dots(class, of.map(|(minute, load)| (position(minute.at), *load)));
        }
        for (class, words, at) in &lines {
            plot.steps(class, &[(from, Some(*at)), (to, Some(*at))], words);
        }
        plot.finish(&says, ("UTC", "per minute per instance"), Some(&ticks))
    };
    let mut keys =
        vec![("good", "minutes that met the objective"), ("bad", "minutes that broke it")];
    keys.extend(lines.iter().map(|(class, words, _)| (*class, *words)));
    html! {
        section.card { h2 { "The last hours" } (both(260.0, draw)) (legend(&keys)) }
    }
}

/// Minutes since the epoch.
fn position(at: Timestamp) -> f64 {
    at.timestamp() as f64 / 60.0
}

/// The full quarters of an hour in between.
fn quarters(from: Timestamp, to: Timestamp) -> Vec<(f64, String)> {
    const QUARTER: i64 = 900;
    let first = from.timestamp().div_euclid(QUARTER) + 1;
    let mut ticks = Vec::new();
    for quarter in first..=to.timestamp().div_euclid(QUARTER) {
        if let Some(at) = Timestamp::from_timestamp(quarter * QUARTER, 0) {
            ticks.push((position(at), at.format("%H:%M").to_string()));
        }
    }
    ticks
}
