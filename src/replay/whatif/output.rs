//! The answer as a table and as JSON.

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::reaction::{OBSERVATIONS_MIN, Part, Source};
use crate::whatif::floors::{self, Action};
use crate::whatif::{Figures, Range, Scaling};

use super::Report;

/// The columns of the table; a price adds one.
const COLUMNS: [&str; 10] = [
    "CHOICE",
    "TARGET",
    "INSTANCES",
    "HOURS/WEEK",
    "BAD MIN/WEEK",
    "LOST/WEEK",
    "SCALINGS/WEEK",
    "PEAK",
    "BUFFER",
    "AGAINST PRESENT",
];

/// A sentence for each thing that the figures rest on.
pub fn preface(report: &Report) -> Vec<String> {
    let (all, gaps) = report.minutes;
    let mut lines = vec![format!(
        "{all} minutes of traffic ({gaps} without a datapoint), at most {:.0} requests a minute.",
        report.peak
    )];
    lines.push(format!(
        "One instance serves {:.0} a minute, {:.0} to {:.0} ({}).",
        report.capacity.median,
        report.capacity.median * (-1.645 * report.capacity.sigma).exp(),
        report.capacity.median * (1.645 * report.capacity.sigma).exp(),
        report.capacity_from
    ));
    lines.push(reaction(report));
    if let Some(explained) = report.explained {
        let percent = explained.max(0.0) * 100.0;
        lines.push(format!("The week before explains {percent:.0} % of the newest week's hours."));
    }
    if let Some(recorded) = report.bad_recorded {
        lines.push(format!(
            "As recorded, {recorded:.0} minutes a week broke the objective, {:.0} of them at low \
             load: no choice changes those, and they are not in the table.",
            report.bad_at_low_load
        ));
    }
    lines
}

/// How long a scale-out takes, part by part, and where each figure comes from.
fn reaction(report: &Report) -> String {
    let part = |(name, part): (&str, Part)| {
        let from = match part.source {
            Source::Measured { observations } => format!("from {observations} observations"),
            Source::Stated => "as stated".to_owned(),
            Source::InstanceType => "assumed".to_owned(),
        };
        format!("{} {:.1} ({from})", name.replace('_', "-"), part.minutes.p50)
    };
    let parts: Vec<String> = report.reaction.parts().into_iter().map(part).collect();
    let assumed = report.reaction.parts().iter().any(|(_, p)| p.source == Source::InstanceType);
    let seen = report.scale_outs.filter(|_| assumed).map_or_else(String::new, |seen| {
        format!(" {seen} scale-outs were seen; a part is measured from {OBSERVATIONS_MIN} on.")
    });
    format!(
        "Added instances serve {:.0} minutes after the load crosses the target: {}.{seen}",
        report.reaction.p50(),
        parts.join(", ")
    )
}

/// So many choices are read at a glance; fewer than these are all shown.
const SHOWN_MAX: usize = 15;

/// Every choice, in order.
pub fn every(report: &Report) -> Vec<usize> {
    (0..report.choices.len()).collect()
}

/// The choices worth reading, in order: all where they are few, else those that no other beats both in
/// instance-hours and in bad minutes, the nearest to the cheapest good one first; and always the present
/// setting, the cheapest good one, the factor by replay and the proposed floors.
pub fn worth_reading(report: &Report) -> Vec<usize> {
    if report.choices.len() <= SHOWN_MAX {
        return every(report);
    }
    let figures = &report.answer.figures;
    // As the table shows them: what looks the same is the same.
    let key = |i: usize| {
        let of = &figures[i];
        (of.instance_hours.mean.round(), (of.bad_minutes.mean * 10.0).round())
    };
    let beaten = |i: usize| {
        let (hours, bad) = key(i);
        // Of choices that come to the same, the first stands for all.
        (0..figures.len()).any(|other| {
            let (h, b) = key(other);
            h <= hours && b <= bad && (h < hours || b < bad || other < i)
        })
    };
    let by_replay = |i: usize| {
        report.allowed.is_some_and(|allowed| {
            report.choices[i].factor.is_some_and(|factor| (factor - allowed.factor).abs() < 1e-9)
        })
    };
    let floors = report.floors.is_ok().then(|| report.choices.len() - 1);
    let named = |i: usize| {
        report.present == Some(i) || report.answer.cheapest == Some(i) || floors == Some(i)
    };
    let first_by_replay = (0..figures.len()).find(|i| by_replay(*i));
    let always = |i: usize| named(i) || first_by_replay == Some(i);
    let around = report.answer.cheapest.or(report.present).map_or(0.0, |i| key(i).0);
    let mut others: Vec<usize> =
        (0..figures.len()).filter(|i| !always(*i) && !beaten(*i)).collect();
    others.sort_by(|a, b| (key(*a).0 - around).abs().total_cmp(&(key(*b).0 - around).abs()));
    let mut shown: Vec<usize> = (0..figures.len()).filter(|i| always(*i)).collect();
    others.truncate(SHOWN_MAX.saturating_sub(shown.len()));
    shown.extend(others);
    shown.sort_unstable();
    shown
}

/// The cells of the table, the header first, then one choice a row.
pub fn cells(report: &Report, shown: &[usize], price: Option<f64>) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = vec![COLUMNS.iter().map(|c| (*c).to_owned()).collect()];
    if price.is_some() {
        rows[0].insert(4, "COST/WEEK".to_owned());
    }
    rows.extend(shown.iter().map(|i| row(report, *i, price)));
    rows
}

/// The table, one choice a line, within `width` columns where there is a terminal.
pub fn table(report: &Report, shown: &[usize], price: Option<f64>, width: Option<usize>) -> String {
    let rows = cells(report, shown, price);
    let head: Vec<&str> = rows[0].iter().map(String::as_str).collect();
    crate::render::table::table(&head, &rows[1..], width)
}

fn row(report: &Report, i: usize, price: Option<f64>) -> Vec<String> {
    let (named, figures) = (&report.choices[i], &report.answer.figures[i]);
    let (target, bounds) = named.setting();
    let mut name = named.name.clone();
    if report.answer.cheapest == Some(i) {
        name.push_str(" *");
    }
    let gone = figures.buffer_one_gone.map_or_else(|| "-".to_owned(), |b| percent(b.mean));
    let mut cells = vec![
        name,
        target.map_or_else(|| "-".to_owned(), |t| format!("{t:.0}")),
        bounds,
        format!("{:.0}", figures.instance_hours.mean),
        range(figures.bad_minutes),
        format!("{:.0}", figures.lost_requests.mean),
        format!("{:.0}", figures.scale_events.mean),
        figures.peak_instances.to_string(),
        format!("{} ({gone})", percent(figures.buffer_at_peak.mean)),
        against(report, i).unwrap_or("-").to_owned(),
    ];
    if let Some(price) = price {
        cells.insert(4, format!("${:.2}", figures.instance_hours.mean * price));
    }
    cells
}

fn range(range: Range) -> String {
    format!("{:.1} ({:.1}-{:.1})", range.mean, range.low, range.high)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// How a choice compares with the present setting, in a word.
fn against(report: &Report, i: usize) -> Option<&'static str> {
    use crate::whatif::answer::Comparison;
    let present = report.present.filter(|present| *present != i)?;
    let comparison = report.answer.figures[i].compared_with(&report.answer.figures[present]);
    Some(match comparison {
        Comparison::Better => "better",
        Comparison::Worse => "worse",
        Comparison::Safer => "safer, dearer",
        Comparison::Cheaper => "cheaper, riskier",
        Comparison::Undecided => "cannot tell",
    })
}

/// What follows below the table.
pub fn conclusion(report: &Report) -> Vec<String> {
    let budget = crate::model::units::human(report.budget);
    let mut lines = vec![match report.answer.cheapest {
        Some(i) => format!(
            "* {} is the cheapest choice with at most {budget} bad minutes a week in 90 % of the \
             draws.",
            report.choices[i].name
        ),
        None => format!(
            "No choice keeps to {budget} bad minutes a week in 90 % of the draws: add instances, \
             lower the factor, or shorten the start-up."
        ),
    }];
    lines.extend(report.allowed.map(|allowed| format!("By replay, {}.", allowed.sentence())));
    match &report.floors {
        Ok(proposal) => {
            lines.push(format!(
                "Floors would have paid: with {}, the newest week, held out, has {:.1} bad minutes \
                 and {:.0} instance-hours instead of {:.1} and {:.0}.",
                floors_name(report),
                proposal.with.0,
                proposal.with.1,
                proposal.without.0,
                proposal.without.1
            ));
            let actions = actions(report);
            lines.push(format!("The scheduled actions ({}), in UTC:", actions.len()));
            let line = |a: &Action| format!("  {}  min capacity {}", a.schedule(), a.min);
            lines.extend(actions.iter().map(line));
        }
        Err(refusal) => lines.push(format!("No floors are proposed: {refusal}.")),
    }
    lines
}

/// The choice with the proposed floors is the last one.
fn floors_name(report: &Report) -> String {
    report.choices.last().map_or_else(String::new, |named| named.name.clone())
}

fn actions(report: &Report) -> Vec<Action> {
    let last = report.choices.last().filter(|_| report.floors.is_ok());
    let Some(choice) = last.map(|named| &named.choice) else { return Vec::new() };
    let floors = choice.floors.as_ref();
    floors.map_or_else(Vec::new, |floors| floors::actions(floors, choice.min, choice.max))
}

/// The choices as CSV, one a row, with the columns of the JSON.
pub fn csv(report: &Report, price: Option<f64>) -> String {
    const HEADER: [&str; 18] = [
        "name",
        "safety_factor",
        "target_value",
        "fixed",
        "min",
        "max",
        "instance_hours",
        "cost",
        "bad_minutes",
        "bad_minutes_low",
        "bad_minutes_high",
        "lost_requests",
        "scale_events",
        "peak_instances",
        "buffer_at_peak",
        "buffer_one_gone",
        "within_budget",
        "marked",
    ];
    let mut text = HEADER.join(",");
    text.push('\n');
    for i in 0..report.choices.len() {
        let line = choice(report, i, price);
        let figure = |key: &str, of: &str| number(&line[key][of]);
        let marked = match (report.present == Some(i), report.answer.cheapest == Some(i)) {
            (true, true) => "present, cheapest",
            (true, false) => "present",
            (false, true) => "cheapest",
            (false, false) => "",
        };
        let cells = [
            format!("{:?}", report.choices[i].name),
            number(&line["safety_factor"]),
            number(&line["target_value"]),
            number(&line["fixed"]),
            number(&line["min"]),
            number(&line["max"]),
            figure("instance_hours", "mean"),
            number(&line["cost"]),
            figure("bad_minutes", "mean"),
            figure("bad_minutes", "low"),
            figure("bad_minutes", "high"),
            figure("lost_requests", "mean"),
            figure("scale_events", "mean"),
            number(&line["peak_instances"]),
            figure("buffer_at_peak", "mean"),
            figure("buffer_one_gone", "mean"),
            number(&line["within_budget"]),
            format!("{marked:?}"),
        ];
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// A cell; empty where there is no number.
fn number(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}

/// The answer as one JSON object.
pub fn json(name: &str, report: &Report, price: Option<f64>) -> Value {
    let choices: Vec<Value> = (0..report.choices.len()).map(|i| choice(report, i, price)).collect();
    let floors = match &report.floors {
        Ok(proposal) => json!({
            "proposed": true,
            "held_out_week": {
                "without": {"bad_minutes": round(proposal.without.0), "instance_hours": round(proposal.without.1)},
                "with": {"bad_minutes": round(proposal.with.0), "instance_hours": round(proposal.with.1)},
            },
            "actions": actions(report).iter().map(|a| json!({
                "schedule": a.schedule(), "min_capacity": a.min,
            })).collect::<Vec<_>>(),
        }),
        Err(refusal) => json!({"proposed": false, "why": refusal.to_string()}),
    };
    json!({
        "name": name,
        "capacity": {
            "median": round(report.capacity.median),
            "sigma": report.capacity.sigma,
            "base": round(report.base),
            "from": report.capacity_from,
        },
        "reaction_minutes": report.reaction,
        "scale_outs_seen": report.scale_outs,
        "traffic": {"minutes": report.minutes.0, "gaps": report.minutes.1, "peak": round(report.peak)},
        "week_explained": report.explained.map(round),
        "bad_minutes_recorded": report.bad_recorded.map(round),
        "bad_minutes_at_low_load": round(report.bad_at_low_load),
        "budget": report.budget,
        "present": report.present,
        "cheapest": report.answer.cheapest,
        "choices": choices,
        "highest_factor": report.allowed.map(|allowed| json!({
            "safety_factor": round(allowed.factor),
            "bad_minutes": round(allowed.bad_minutes),
            "within_budget": allowed.within_budget,
            "limit": allowed.limit,
            "usual_instances": allowed.usual_instances,
        })),
        "floors": floors,
    })
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    safety_factor: Option<f64>,
    target_value: Option<f64>,
    fixed: Option<u32>,
    min: u32,
    max: u32,
    instance_hours: Range,
    cost: Option<f64>,
    bad_minutes: Range,
    lost_requests: Range,
    scale_events: Range,
    peak_instances: u32,
    buffer_at_peak: Range,
    buffer_one_gone: Option<Range>,
    within_budget: bool,
    against_present: Option<crate::whatif::answer::Comparison>,
}

fn choice(report: &Report, i: usize, price: Option<f64>) -> Value {
    let (named, figures): (_, &Figures) = (&report.choices[i], &report.answer.figures[i]);
    let present = report.present.filter(|present| *present != i);
    let fixed = match named.choice.scaling {
        Scaling::Fixed(n) => Some(n),
        Scaling::Tracking(_) => None,
    };
    let line = Line {
        name: &named.name,
        safety_factor: named.factor.map(round),
        target_value: named.setting().0.map(round),
        fixed,
        min: named.choice.min,
        max: named.choice.max,
        instance_hours: rounded(figures.instance_hours),
        cost: price.map(|price| round(price * figures.instance_hours.mean)),
        bad_minutes: rounded(figures.bad_minutes),
        lost_requests: rounded(figures.lost_requests),
        scale_events: rounded(figures.scale_events),
        peak_instances: figures.peak_instances,
        buffer_at_peak: rounded(figures.buffer_at_peak),
        buffer_one_gone: figures.buffer_one_gone.map(rounded),
        within_budget: figures.within_budget,
        against_present: present.map(|p| figures.compared_with(&report.answer.figures[p])),
    };
    serde_json::to_value(line).unwrap_or_default()
}

fn rounded(range: Range) -> Range {
    Range { low: round(range.low), mean: round(range.mean), high: round(range.high) }
}

/// To a thousandth: more is noise.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
