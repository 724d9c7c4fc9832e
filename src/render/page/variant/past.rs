//! The past: what was in force, safe and served hour by hour, what happened in it, and the instances.

use maud::{Markup, html};

use super::super::parts;
use crate::model::history::{Event, EventKind, History, Hour};
use crate::model::time::Timestamp;
use crate::render::plot::{Plot, Scale, both, legend};
use crate::render::printable;

/// The log shows so many events, the newest first; `setpoint history` has all of them.
const EVENTS_SHOWN: usize = 60;
/// Of these no more than a few can be told apart on a plot.
const MARKS_MAX: usize = 120;

/// A capacity further up than this many times everything else is left out, as in the plot by load: it
/// would press all that was seen into the axis.
const HIGHEST: f64 = 2.0;

type Of = fn(&Hour) -> Option<f64>;

/// The series of the first plot, in the order in which they are drawn.
const SERIES: [(&str, &str, Of); 6] = [
    ("peak", "highest load of the hour", |hour| hour.load_max),
    ("capacity", "capacity", |hour| hour.capacity),
    ("proven", "proven", |hour| hour.capacity_lower_bound),
    ("formula", "formula", |hour| hour.formula_target),
    ("safe", "safe", |hour| hour.safe_target),
    ("configured", "configured", |hour| hour.configured_target),
];

/// What an event is drawn as; none for what a line shows already.
const fn mark(kind: EventKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        EventKind::Write => ("write", "write"),
        EventKind::Deploy | EventKind::Regime => ("deploy", "deploy or change of regime"),
        EventKind::FindingBegun => ("finding", "finding"),
        EventKind::HoldBegun | EventKind::PauseBegun => ("hold", "hold or pause"),
        EventKind::Change => ("change", "change in AWS that setpoint did not make"),
        _ => return None,
    })
}

fn hours(at: Timestamp) -> f64 {
    at.timestamp() as f64 / 3600.0
}

/// Hours that follow each other; between others is a gap, which no line crosses.
fn points(history: &History, of: impl Fn(&Hour) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    let mut points = Vec::new();
    for hour in &history.hours {
        let at = hours(hour.at);
        if points.last().is_some_and(|(before, _)| at - before > 1.01) {
            points.push((
                points.last().map_or(at, |(before, _): &(f64, Option<f64>)| before + 1.0),
                None,
            ));
        }
        points.push((at, of(hour)));
    }
    if let Some(last) = history.hours.last() {
        points.push((hours(last.at) + 1.0, of(last)));
    }
    points
}

/// Load, capacity and targets hour by hour, with what happened marked on the axis.
pub(super) fn over_time(history: &History) -> Markup {
    let limit = limit(history);
    let drawn: Vec<_> = SERIES
        .into_iter()
        .filter(|(_, _, of)| history.hours.iter().filter_map(of).any(|value| value <= limit))
        .collect();
    let values = drawn.iter().flat_map(|(_, _, of)| history.hours.iter().filter_map(of));
    let top = values.filter(|value| *value <= limit).fold(0.0, f64::max);
    let (Some(first), Some(last)) = (history.hours.first(), history.hours.last()) else {
        return html! {};
    };
    if top <= 0.0 || first.at == last.at {
        return html! {};
    }
    let (from, to) = (hours(first.at), hours(last.at) + 1.0);
    let ticks = days(from, to);
    let marks = marks(history, from, to);
    let bad: u32 = history.hours.iter().map(|hour| u32::from(hour.bad_minutes)).sum();
    let says = format!(
        "highest load of each of {} hours with capacity and targets; {bad} minutes broke the objective",
        history.hours.len()
    );
    let draw = |frame| {
        let mut plot = Plot::new(frame, Scale::linear(from, to), Scale::linear(0.0, top * 1.1));
        let column =
            |hour: &Hour| Some(((hours(hour.at), hours(hour.at) + 1.0), (0.0, hour.load_max?)));
        let broke = |hour: &&Hour| hour.bad_minutes > 0;
        plot.rects(
            "peak",
            0.7,
            history.hours.iter().filter(|hour| !broke(hour)).filter_map(column),
        );
        plot.rects("bad", 0.55, history.hours.iter().filter(broke).filter_map(column));
        let interval = |hour: &Hour| {
            Some((
                (hours(hour.at), hours(hour.at) + 1.0),
                (hour.capacity_low?, hour.capacity_high?),
            ))
        };
        plot.rects("interval", 1.0, history.hours.iter().filter_map(interval));
        for (class, words, of) in drawn.iter().filter(|(class, _, _)| *class != "peak") {
            let within = |hour: &Hour| of(hour).filter(|value| *value <= limit);
            plot.steps(class, &points(history, within), words);
        }
        for (at, class, title) in &marks {
            plot.mark(*at, class, title);
        }
        plot.finish(&says, ("", "invocations per minute per instance"), Some(&ticks))
    };
    let mut keys: Vec<(&str, &str)> =
        drawn.iter().map(|(class, words, _)| (*class, *words)).collect();
    if history.hours.iter().any(|hour| hour.bad_minutes > 0) {
        keys.push(("bad", "an hour in which minutes broke the objective"));
    }
    let events = history.events.iter().filter_map(|event| mark(event.kind));
    for key in events {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    html! {
        section.card { h2 { "Over time" } (both(340.0, draw)) (legend(&keys)) }
    }
}

/// The most that is drawn: what was served or set bounds how far up a capacity is shown.
fn limit(history: &History) -> f64 {
    let hours = || history.hours.iter();
    let served = hours().filter_map(|hour| hour.load_max);
    let set = hours().flat_map(|h| [h.configured_target, h.safe_target, h.formula_target]);
    let highest = served.chain(set.flatten()).fold(0.0, f64::max);
    if highest > 0.0 { highest * HIGHEST } else { f64::INFINITY }
}

fn marks(history: &History, from: f64, to: f64) -> Vec<(f64, &'static str, String)> {
    let within = |event: &&Event| (from..=to).contains(&hours(event.at));
    let events = history.events.iter().rev().filter(within);
    let mark = |event: &Event| {
        let (class, _) = mark(event.kind)?;
        Some((
            hours(event.at),
            class,
            format!("{}: {}", event.at.format("%F %H:%M"), event.sentence),
        ))
    };
    events.filter_map(mark).take(MARKS_MAX).collect()
}

/// Midnights, or full hours where there are fewer than three of them.
fn days(from: f64, to: f64) -> Vec<(f64, String)> {
    let every = |step: i64, format: &str| {
        let first = (from / step as f64).ceil() as i64;
        let mut ticks = Vec::new();
        for i in (first..=(to / step as f64).floor() as i64).take(200) {
            if let Some(at) = Timestamp::from_timestamp(i * step * 3600, 0) {
                ticks.push(((i * step) as f64, at.format(format).to_string()));
            }
        }
        ticks
    };
    let midnights = every(24, "%b %-d");
    if midnights.len() >= 3 { midnights } else { every(1, "%H:%M") }
}

/// Instances in service within min and max.
pub(super) fn instances(history: &History) -> Markup {
    let series: [(&str, &str, Of); 3] = [
        ("formula", "min", |hour| hour.min_instances),
        ("configured", "max", |hour| hour.max_instances),
        ("capacity", "most in service", |hour| hour.instances_high),
    ];
    let known = |of: &Of| history.hours.iter().any(|hour| of(hour).is_some());
    let drawn: Vec<_> = series.into_iter().filter(|(_, _, of)| known(of)).collect();
    // Load is read back two weeks, the number of instances is not: its axis begins where it does.
    let counted = || history.hours.iter().filter(|hour| hour.instances_high.is_some());
    let (Some(first), Some(last)) = (counted().next(), counted().next_back()) else {
        return html! {};
    };
    if first.at == last.at {
        return html! {};
    }
    let most = drawn.iter().flat_map(|(_, _, of)| history.hours.iter().filter_map(of));
    let top = most.fold(1.0, f64::max);
    let (from, to) = (hours(first.at), hours(last.at) + 1.0);
    let ticks = days(from, to);
    let draw = |frame| {
        let mut plot = Plot::new(frame, Scale::linear(from, to), Scale::linear(0.0, top * 1.1));
        let column = |hour: &Hour| {
            Some((
                (hours(hour.at), hours(hour.at) + 1.0),
                (hour.instances_low?, hour.instances_high?),
            ))
        };
        plot.rects("peak", 0.8, history.hours.iter().filter_map(column));
        for (class, words, of) in &drawn {
            let counted =
                |hour: &Hour| of(hour).filter(|_| (first.at..=last.at).contains(&hour.at));
            plot.steps(class, &points(history, counted), words);
        }
        plot.finish(
            "instances in service with min and max over time",
            ("", "instances"),
            Some(&ticks),
        )
    };
    let mut keys: Vec<(&str, &str)> =
        drawn.iter().map(|(class, words, _)| (*class, *words)).collect();
    keys.push(("peak", "fewest to most in the hour"));
    html! {
        section.card { h2 { "Instances over time" } (both(200.0, draw)) (legend(&keys)) }
    }
}

/// Who changed what when and why, the newest first.
pub(super) fn log(history: &History, now: Timestamp) -> Markup {
    let shown: Vec<&Event> = history.events.iter().rev().take(EVENTS_SHOWN).collect();
    let more = history.events.len().saturating_sub(shown.len()) + history.events_left_out;
    html! {
        @if !shown.is_empty() {
            details.card #log open {
                summary { h2 { "What happened" } }
                ol.log {
                    @for event in &shown {
                        li {
                            span.when { (parts::ago(event.at, now)) }
                            span { (parts::badge(event_class(event.kind), &parts::spaced(event.kind.as_str()))) }
                            span { (printable(&event.sentence)) " " span.dim { "(" (event.who.words()) ")" } }
                        }
                    }
                }
                @if more > 0 {
                    p.dim { (more) " more: " code { "setpoint history " (printable(&history.variant.short())) } }
                }
            }
        }
    }
}

const fn event_class(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Write | EventKind::Decision => "change",
        EventKind::FindingBegun | EventKind::DriftBegun => "finding",
        EventKind::FindingEnded | EventKind::DriftEnded => "safe",
        EventKind::HoldBegun | EventKind::PauseBegun => "held",
        EventKind::Deploy | EventKind::Regime => "note",
        _ => "mode",
    }
}
