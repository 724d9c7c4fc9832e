//! The plots of a report: load against latency, and the hours. What has no data is not drawn.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::model::estimate::Verdict;
use crate::model::goal::LatencyObjective;
use crate::model::time::Timestamp;
use crate::render::page::parts::verdict_words;
use crate::render::plot::{Plot, Scale, both, legend, thousands};

use super::super::csv::Row;
use super::super::run::Evaluation;

/// Cells of the load and latency plot.
const CELLS: (f64, f64) = (90.0, 48.0);
/// What is slower than this many times the objective is drawn at the upper edge: it would squeeze all
/// else.
const HIGHEST: f64 = 10.0;
/// Shades of a cell, by how many minutes it stands for.
const SHADES: [(u32, f64); 4] = [(1, 0.3), (3, 0.5), (9, 0.75), (27, 1.0)];

/// Minutes as cells of a grid: shade by how many, colour by whether they broke the objective.
struct Cells {
    right: f64,
    low: f64,
    high: f64,
    step: (f64, f64),
    counts: BTreeMap<(i64, i64), u32>,
}

impl Cells {
    fn of(points: &[(f64, f64)], objective: LatencyObjective, last: Option<&Evaluation>) -> Self {
        let highest = points.iter().map(|p| p.0).fold(0.0, f64::max);
        let capacity = last.map(|e| e.estimate.capacity).unwrap_or_default();
        let right = [capacity.high, last.and_then(|e| e.configured_target)];
        let near = right.into_iter().flatten().filter(|v| *v < 3.0 * highest);
        let right = 1.04 * near.fold(highest, f64::max);
        let low = 0.9 * points.iter().map(|p| p.1).fold(objective.threshold_ms, f64::min);
        let high = points.iter().map(|p| p.1).fold(objective.threshold_ms, f64::max);
        let high = 1.15 * high.min(objective.threshold_ms * HIGHEST);
        let step = (right / CELLS.0, (high / low).ln() / CELLS.1);
        let mut counts: BTreeMap<(i64, i64), u32> = BTreeMap::new();
        for (load, latency) in points {
            let latency = latency.min(high);
            let cell = ((load / step.0) as i64, ((latency / low).ln() / step.1) as i64);
            *counts.entry(cell).or_default() += 1;
        }
        Self { right, low, high, step, counts }
    }

    fn bounds(&self, (i, j): (i64, i64)) -> ((f64, f64), (f64, f64)) {
        let x = |i: i64| i as f64 * self.step.0;
        let y = |j: i64| self.low * (j as f64 * self.step.1).exp();
        ((x(i), x(i + 1)), (y(j), y(j + 1)))
    }
}

/// The plot that says most.
pub(super) fn load_and_latency(
    rows: &[Row],
    objective: LatencyObjective,
    last: Option<&Evaluation>,
) -> Markup {
    let point = |row: &Row| {
        let latency = row.minute.latency_us.filter(|latency| *latency > 0.0)? / 1000.0;
        Some((row.minute.load()?, latency))
    };
    let points: Vec<(f64, f64)> = rows.iter().filter_map(point).collect();
    if points.is_empty() {
        return html! {};
    }
    let cells = Cells::of(&points, objective, last);
    let broken = points.iter().filter(|(_, latency)| *latency > objective.threshold_ms).count();
    let says = format!(
        "{} minutes by load and latency, {broken} of them above {} {} ms",
        points.len(),
        objective.statistic,
        objective.threshold_ms
    );
    let lines = lines(last);
    let draw = |frame| {
        let scales = (Scale::linear(0.0, cells.right), Scale::logarithmic(cells.low, cells.high));
        let mut plot = Plot::new(frame, scales.0, scales.1);
        let capacity = last.map(|e| e.estimate.capacity).unwrap_or_default();
        if let (Some(low), Some(high)) = (capacity.low, capacity.high) {
            plot.vertical_band(low, high, "interval");
        }
        shaded(&mut plot, &cells, objective);
        let label = format!("objective: {} {} ms", objective.statistic, objective.threshold_ms);
        plot.horizontal_line(objective.threshold_ms, "objective", &label);
        for (class, words, at) in &lines {
            plot.vertical_line(*at, class, &format!("{words}: {}", thousands(*at)));
        }
        let y_title = format!("{} latency in ms", objective.statistic);
        plot.finish(&says, ("invocations per minute per instance", &y_title), None)
    };
    let mut keys =
        vec![("good", "minutes that met the objective"), ("bad", "minutes that broke it")];
    keys.extend(lines.iter().map(|(class, words, _)| (*class, *words)));
    html! {
        section { h2 { "Load against latency" } (both(420.0, draw)) (legend(&keys)) }
    }
}

fn shaded(plot: &mut Plot, cells: &Cells, objective: LatencyObjective) {
    for (bad, class) in [(false, "good"), (true, "bad")] {
        for (i, (from, opacity)) in SHADES.into_iter().enumerate() {
            let to = SHADES.get(i + 1).map_or(u32::MAX, |next| next.0);
            let of = cells.counts.iter().filter(|(_, count)| (from..to).contains(*count));
            let bounds = of.map(|(cell, _)| cells.bounds(*cell));
            let broke = |y: &(f64, f64)| (y.0 * y.1).sqrt() > objective.threshold_ms;
            plot.rects(class, opacity, bounds.filter(|(_, y)| broke(y) == bad));
        }
    }
}

/// The values at the end of the recording that are lines.
fn lines(last: Option<&Evaluation>) -> Vec<(&'static str, &'static str, f64)> {
    let Some(last) = last else { return Vec::new() };
    let capacity = last.estimate.capacity;
    let all = [
        ("capacity", "capacity, with its 90 % interval", capacity.estimate),
        ("proven", "proven lower bound", capacity.lower_bound),
        ("configured", "configured target", last.configured_target),
        ("safe", "safe target", last.safe_target),
    ];
    all.into_iter().filter_map(|(class, words, at)| Some((class, words, at?))).collect()
}

fn hours(at: Timestamp) -> f64 {
    at.timestamp() as f64 / 3600.0
}

/// Midnights, or full hours where there are fewer than two of them.
fn ticks(from: f64, to: f64) -> Vec<(f64, String)> {
    let days = every(24, "%b %-d", from, to);
    if days.len() >= 2 { days } else { every(1, "%H:%M", from, to) }
}

fn every(step: i64, format: &str, from: f64, to: f64) -> Vec<(f64, String)> {
    let first = (from / step as f64).ceil() as i64;
    let mut ticks = Vec::new();
    for i in (first..=(to / step as f64).floor() as i64).take(400) {
        if let Some(at) = Timestamp::from_timestamp(i * step * 3600, 0) {
            ticks.push(((i * step) as f64, at.format(format).to_string()));
        }
    }
    ticks
}

/// Load, capacity and targets hour by hour, with the changes decided on and the verdicts below.
pub(super) fn over_time(rows: &[Row], evaluations: &[Evaluation]) -> Markup {
    let mut peaks: BTreeMap<i64, f64> = BTreeMap::new();
    for row in rows {
        if let Some(load) = row.minute.load() {
            let peak = peaks.entry(row.minute.at.timestamp().div_euclid(3600)).or_default();
            *peak = peak.max(load);
        }
    }
    let values = evaluations
        .iter()
        .flat_map(|e| [e.estimate.capacity.estimate, e.configured_target, e.safe_target]);
    let top = values.flatten().chain(peaks.values().copied()).fold(0.0, f64::max);
    if top <= 0.0 {
        return html! {};
    }
    let from = rows.first().map_or(0.0, |row| hours(row.minute.at));
    let to = evaluations.last().map_or(from, |e| hours(e.at)).max(from + 1.0);
    let ticks = ticks(from, to);
    let says = "highest load of each hour, with capacity and targets over time";
    let draw = |frame| {
        let scales = (Scale::linear(from, to), Scale::linear(0.0, top * 1.15));
        let mut plot = Plot::new(frame, scales.0, scales.1);
        let hour = |(hour, peak): (&i64, &f64)| ((*hour as f64, *hour as f64 + 1.0), (0.0, *peak));
        plot.rects("peak", 0.6, peaks.iter().map(hour));
        let interval = |pair: &[Evaluation]| {
            let c = pair[0].estimate.capacity;
            Some(((hours(pair[0].at), hours(pair[1].at)), (c.low?, c.high?)))
        };
        plot.rects("interval", 1.0, evaluations.windows(2).filter_map(interval));
        for (class, words, of) in series() {
            let points: Vec<_> = evaluations.iter().map(|e| (hours(e.at), of(e))).collect();
            plot.steps(class, &points, words);
        }
        for (at, title) in changes_of_target(evaluations) {
            plot.mark(at, "change", &title);
        }
        plot.finish(says, ("", "invocations per minute per instance"), Some(&ticks))
    };
    html! {
        section {
            h2 { "Over time" }
            (both(360.0, draw))
            (legend(&keys(evaluations)))
            (verdicts(evaluations))
        }
    }
}

type Of = fn(&Evaluation) -> Option<f64>;

fn series() -> [(&'static str, &'static str, Of); 4] {
    [
        ("capacity", "capacity", |e| e.estimate.capacity.estimate),
        ("proven", "proven lower bound", |e| e.estimate.capacity.lower_bound),
        ("safe", "safe target", |e| e.safe_target),
        ("configured", "configured target", |e| e.configured_target),
    ]
}

/// Only of what is drawn.
fn keys(evaluations: &[Evaluation]) -> Vec<(&'static str, &'static str)> {
    let mut keys = vec![("peak", "highest load of the hour")];
    if evaluations.iter().any(|e| e.estimate.capacity.high.is_some()) {
        keys.push(("interval", "90 % interval of capacity"));
    }
    let drawn = |of: &Of| evaluations.iter().any(|e| of(e).is_some());
    keys.extend(series().into_iter().filter(|(_, _, of)| drawn(of)).map(|(c, w, _)| (c, w)));
    if !changes_of_target(evaluations).is_empty() {
        keys.push(("change", "change of target decided"));
    }
    keys
}

/// A decision that repeats the one of the hour before changes nothing.
fn changes_of_target(evaluations: &[Evaluation]) -> Vec<(f64, String)> {
    let mut changes = Vec::new();
    let mut before = None;
    for e in evaluations {
        let decided = e.decided.target_value.filter(|_| e.decided.action.sets_target());
        let new = decided.filter(|value| before != Some(*value));
        if let Some(value) = new {
            let at = e.at.format("%Y-%m-%d %H:%M");
            changes.push((hours(e.at), format!("{at}: set {value:.0} ({})", e.decided.reason)));
        }
        before = decided;
    }
    changes
}

/// Which verdict held when.
fn verdicts(evaluations: &[Evaluation]) -> Markup {
    let (Some(first), Some(last)) = (evaluations.first(), evaluations.last()) else {
        return html! {};
    };
    let total = (hours(last.at) - hours(first.at)).max(1e-9);
    let mut pieces = Vec::new();
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for run in evaluations.chunk_by(|a, b| a.estimate.verdict == b.estimate.verdict) {
        let verdict: Verdict = run[0].estimate.verdict;
        let key = (verdict.as_str(), verdict_words(verdict));
        if !keys.contains(&key) {
            keys.push(key);
        }
        let next = evaluations.iter().find(|e| e.at > run[run.len() - 1].at);
        let share = |at: Timestamp| 1000.0 * (hours(at) - hours(first.at)) / total;
        pieces.push((key, share(run[0].at), share(next.map_or(last.at, |e| e.at)), run[0].at));
    }
    html! {
        svg.strip viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="verdicts over time" {
            @for ((class, words), from, to, at) in pieces {
                rect class=(class) x=(format!("{from:.1}")) y="0" width=(format!("{:.1}", to - from)) height="10" {
                    title { (words) " from " (at.format("%Y-%m-%d %H:%M")) }
                }
            }
        }
        (legend(&keys))
    }
}
