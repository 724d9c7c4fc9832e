//! The report of a replay: one HTML file that needs nothing else, with the plots an SRE asks for.

mod plot;
pub mod tradeoff;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::estimate::Verdict;
use crate::model::goal::LatencyObjective;
use crate::model::reason::ActionKind;
use crate::model::series::Minute;
use crate::model::time::Timestamp;

use super::csv::Row;
use super::run::{Evaluation, ReplaySettings};
use plot::{Plot, Scale, escape, thousands};

const STYLE: &str = include_str!("report/style.css");
/// Cells of the load and latency plot.
const CELLS: (f64, f64) = (90.0, 48.0);
/// Most rows of the table of changes.
const CHANGES_MAX: usize = 200;

/// Renders the report. `name` is the recording's.
#[must_use]
pub fn render(
    name: &str,
    rows: &[Row],
    settings: &ReplaySettings,
    evaluations: &[Evaluation],
) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>setpoint replay: {title}</title><style>{STYLE}</style></head><body><main>\
         <header><p class=\"brand\">setpoint replay</p><h1>{title}</h1>",
        title = escape(name)
    );
    if let Some(last) = evaluations.last() {
        let _ = write!(page, "<p class=\"lead\">{}</p></header>", escape(&last.estimate.sentence));
        page.push_str(&tiles(last));
    } else {
        page.push_str("</header>");
    }
    if let Some(objective) = settings.objective.latency {
        page.push_str("<section><h2>Load against latency</h2>");
        page.push_str(&load_and_latency(rows, objective, evaluations.last()));
        page.push_str(&legend(&[
            ("good", "minutes that met the objective"),
            ("bad", "minutes that broke it"),
            ("objective", "objective"),
            ("capacity", "capacity"),
            ("interval", "its 90 % interval"),
            ("proven", "proven lower bound"),
            ("configured", "configured target"),
            ("safe", "safe target"),
        ]));
        page.push_str("</section>");
    }
    page.push_str("<section><h2>Over time</h2>");
    page.push_str(&over_time(rows, evaluations));
    page.push_str(&legend(&[
        ("capacity", "capacity"),
        ("interval", "its 90 % interval"),
        ("proven", "proven lower bound"),
        ("configured", "configured target"),
        ("safe", "safe target"),
        ("peak", "highest load of the hour"),
        ("change", "change of target decided"),
    ]));
    page.push_str(&verdict_strip(evaluations));
    page.push_str("</section>");
    page.push_str(&changes(evaluations));
    page.push_str(&left_out(evaluations));
    page.push_str("</main></body></html>\n");
    page
}

fn legend(keys: &[(&str, &str)]) -> String {
    let key = |(class, words): &(&str, &str)| {
        format!("<span class=\"e\"><i class=\"k {class}\"></i>{words}</span> ")
    };
    format!("<p class=\"legend\">{}</p>", keys.iter().map(key).collect::<String>())
}

fn number(v: Option<f64>) -> String {
    v.map_or_else(|| "none".to_owned(), thousands)
}

fn tiles(last: &Evaluation) -> String {
    let c = &last.estimate.capacity;
    let verdict = last.estimate.verdict;
    let interval = match (c.low, c.high) {
        (Some(low), Some(high)) => format!("{} to {}", thousands(low), thousands(high)),
        (Some(low), None) => format!("at least {}", thousands(low)),
        (None, Some(high)) => format!("at most {}", thousands(high)),
        (None, None) => "no bound".to_owned(),
    };
    let divergence =
        last.divergence.map_or_else(String::new, |d| format!("{d:.2} x the safe target"));
    let decision = match last.decided.action {
        ActionKind::SetTarget => format!("set {}", number(last.decided.target_value)),
        action => action.as_str().to_owned(),
    };
    let alarms: Vec<&str> = last.estimate.findings.iter().map(|f| f.as_str()).collect();
    let alarms = if alarms.is_empty() { "no alarms".to_owned() } else { alarms.join(", ") };
    let tile = |class: &str, head: &str, value: &str, foot: &str| {
        format!(
            "<div class=\"tile {class}\"><span>{}</span><b>{}</b><small>{}</small></div>",
            escape(head),
            escape(value),
            escape(foot)
        )
    };
    let used = thousands(f64::from(last.estimate.minutes.used));
    [
        "<section class=\"tiles\">".to_owned(),
        tile(verdict.as_str(), "verdict", verdict_words(verdict), &format!("from {used} minutes")),
        tile("", "capacity of one instance", &number(c.estimate), &interval),
        tile("", "safe target", &number(last.safe_target), "before limits"),
        tile("", "configured target", &number(last.configured_target), &divergence),
        tile("", "decision", &decision, last.decided.reason.as_str()),
        tile(
            if alarms == "no alarms" { "" } else { "alarm" },
            "alarms",
            &alarms,
            "confirmed twice",
        ),
        "</section>".to_owned(),
    ]
    .concat()
}

const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Measured => "measured",
        Verdict::Inferred => "inferred",
        Verdict::AtLeast => "at least",
        Verdict::AtMost => "at most",
        Verdict::Unobserved => "unobserved",
        Verdict::Stale => "stale",
    }
}

/// Minutes as cells of a grid: shade by how many, colour by whether most broke the objective.
fn load_and_latency(
    rows: &[Row],
    objective: LatencyObjective,
    last: Option<&Evaluation>,
) -> String {
    let ms = |m: &Minute| m.latency_us.filter(|l| *l > 0.0).map(|l| l / 1000.0);
    let points: Vec<(f64, f64)> =
        rows.iter().filter_map(|r| Some((r.minute.load()?, ms(&r.minute)?))).collect();
    let highest = points.iter().map(|p| p.0).fold(0.0, f64::max);
    let capacity = last.map(|e| e.estimate.capacity).unwrap_or_default();
    let right = [capacity.high, last.and_then(|e| e.configured_target)];
    let right = right.into_iter().flatten().filter(|v| *v < 3.0 * highest).fold(highest, f64::max);
    let low = points.iter().map(|p| p.1).fold(objective.threshold_ms, f64::min);
    let high = points.iter().map(|p| p.1).fold(objective.threshold_ms, f64::max);
    let x = Scale::linear(0.0, right * 1.04);
    let mut plot = Plot::new(x, Scale::logarithmic(low * 0.9, high * 1.15), 420.0);
    if let (Some(low), Some(high)) = (capacity.low, capacity.high) {
        plot.vertical_band(low, high, "interval");
    }
    let (step_x, step_y) = (right * 1.04 / CELLS.0, (high * 1.28 / low).ln() / CELLS.1);
    let mut cells: BTreeMap<(i64, i64), u32> = BTreeMap::new();
    for (load, latency) in &points {
        let cell = ((load / step_x) as i64, ((latency / (low * 0.9)).ln() / step_y) as i64);
        *cells.entry(cell).or_default() += 1;
    }
    let most = cells.values().copied().max().unwrap_or(1);
    for ((i, j), count) in cells {
        let x = (i as f64 * step_x, (i + 1) as f64 * step_x);
        let y = [j, j + 1].map(|j| low * 0.9 * (j as f64 * step_y).exp());
        let bad = (y[0] * y[1]).sqrt() > objective.threshold_ms;
        let shade = 0.25 + 0.75 * f64::from(count).ln_1p() / f64::from(most).ln_1p();
        let title = format!("{count} minutes near {:.0} per minute, {:.1} ms", x.0, y[0]);
        plot.rect(x, (y[0], y[1]), if bad { "bad" } else { "good" }, shade, &title);
    }
    let label = format!("objective: {} {} ms", objective.statistic, objective.threshold_ms);
    plot.horizontal_line(objective.threshold_ms, "objective", &label);
    for (at, class) in [
        (capacity.estimate, "capacity"),
        (capacity.lower_bound, "proven"),
        (last.and_then(|e| e.configured_target), "configured"),
        (last.and_then(|e| e.safe_target), "safe"),
    ] {
        if let Some(at) = at {
            plot.vertical_line(at, class);
        }
    }
    let title = format!("{} latency in ms", objective.statistic);
    plot.finish(("invocations per minute per instance", &title), None)
}

fn hours(at: Timestamp) -> f64 {
    at.timestamp() as f64 / 3600.0
}

/// Midnights, or as many of them as there is room for.
fn days(from: f64, to: f64) -> Vec<(f64, String)> {
    let step = (((to - from) / 24.0 / 12.0).ceil().max(1.0)) as i64;
    let first = (from / 24.0).ceil() as i64;
    let mut ticks = Vec::new();
    for day in (first..=(to / 24.0) as i64).step_by(step as usize).take(40) {
        if let Some(at) = Timestamp::from_timestamp(day * 86_400, 0) {
            ticks.push(((day * 24) as f64, at.format("%b %-d").to_string()));
        }
    }
    ticks
}

fn span(evaluations: &[Evaluation], rows: &[Row]) -> (f64, f64) {
    let first = rows.first().map_or(0.0, |r| hours(r.minute.at));
    let last = evaluations.last().map_or(first, |e| hours(e.at));
    (first, last.max(first + 1.0))
}

fn over_time(rows: &[Row], evaluations: &[Evaluation]) -> String {
    let mut peaks: BTreeMap<i64, f64> = BTreeMap::new();
    for row in rows {
        if let Some(load) = row.minute.load() {
            let peak = peaks.entry(row.minute.at.timestamp().div_euclid(3600)).or_default();
            *peak = peak.max(load);
        }
    }
    let top = evaluations
        .iter()
        .flat_map(|e| [e.estimate.capacity.estimate, e.configured_target, e.safe_target])
        .flatten()
        .chain(peaks.values().copied())
        .fold(0.0, f64::max);
    let (from, to) = span(evaluations, rows);
    let mut plot = Plot::new(Scale::linear(from, to), Scale::linear(0.0, top * 1.15), 360.0);
    for (hour, peak) in peaks {
        let x = hour as f64;
        plot.rect((x, x + 1.0), (0.0, peak), "peak", 0.5, &format!("{peak:.0} per minute at most"));
    }
    for pair in evaluations.windows(2) {
        let c = pair[0].estimate.capacity;
        if let (Some(low), Some(high)) = (c.low, c.high) {
            let title = format!("{low:.0} to {high:.0}");
            plot.rect((hours(pair[0].at), hours(pair[1].at)), (low, high), "interval", 1.0, &title);
        }
    }
    let line = |of: &dyn Fn(&Evaluation) -> Option<f64>| -> Vec<(f64, Option<f64>)> {
        evaluations.iter().map(|e| (hours(e.at), of(e))).collect()
    };
    plot.steps(&line(&|e| e.estimate.capacity.estimate), "capacity");
    plot.steps(&line(&|e| e.estimate.capacity.lower_bound), "proven");
    plot.steps(&line(&|e| e.safe_target), "safe");
    plot.steps(&line(&|e| e.configured_target), "configured");
    for e in evaluations.iter().filter(|e| e.decided.action == ActionKind::SetTarget) {
        if let Some(value) = e.decided.target_value {
            let title = format!("{}: set {value:.0} ({})", e.at.to_rfc3339(), e.decided.reason);
            plot.dot(hours(e.at), value, "change", &title);
        }
    }
    plot.finish(("", "invocations per minute per instance"), Some(days(from, to)))
}

fn verdict_strip(evaluations: &[Evaluation]) -> String {
    let (Some(first), Some(last)) = (evaluations.first(), evaluations.last()) else {
        return String::new();
    };
    let total = (hours(last.at) - hours(first.at)).max(1e-9);
    let mut strip = String::from("<div class=\"strip\">");
    let mut seen: Vec<Verdict> = Vec::new();
    for run in evaluations.chunk_by(|a, b| a.estimate.verdict == b.estimate.verdict) {
        let verdict = run[0].estimate.verdict;
        if !seen.contains(&verdict) {
            seen.push(verdict);
        }
        let next = evaluations.iter().find(|e| e.at > run[run.len() - 1].at);
        let end = next.map_or(last.at, |e| e.at);
        let width = 100.0 * (hours(end) - hours(run[0].at)) / total;
        let _ = write!(
            strip,
            "<i class=\"{}\" style=\"width:{width:.2}%\" title=\"{} from {}\"></i>",
            verdict.as_str(),
            verdict_words(verdict),
            run[0].at.to_rfc3339()
        );
    }
    strip.push_str("</div><p class=\"legend\">verdict:");
    for verdict in seen {
        let (class, words) = (verdict.as_str(), verdict_words(verdict));
        let _ = write!(strip, " <span class=\"e\"><i class=\"k {class}\"></i>{words}</span>");
    }
    strip.push_str("</p>");
    strip
}

fn changes(evaluations: &[Evaluation]) -> String {
    let told: Vec<&Evaluation> = evaluations
        .iter()
        .filter(|e| e.decided.action != ActionKind::None || !e.raised.is_empty())
        .collect();
    let mut table = String::from(
        "<section><h2>Decisions and findings</h2><div class=\"scroll\"><table><thead><tr><th>at<th>verdict\
         <th>capacity<th>safe target<th>in force<th>decision<th>alarms</tr></thead><tbody>",
    );
    for e in told.iter().take(CHANGES_MAX) {
        let alarms: Vec<&str> = e.estimate.findings.iter().map(|f| f.as_str()).collect();
        let decision = match e.decided.action {
            ActionKind::SetTarget => {
                format!("set {} ({})", number(e.decided.target_value), e.decided.reason)
            }
            action => format!("{action} ({})", e.decided.reason),
        };
        let _ = write!(
            table,
            "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}<td>{}</tr>",
            e.at.format("%Y-%m-%d %H:%M"),
            verdict_words(e.estimate.verdict),
            number(e.estimate.capacity.estimate),
            number(e.safe_target),
            number(e.configured_target),
            escape(&decision),
            alarms.join(", ")
        );
    }
    if told.is_empty() {
        table.push_str("<tr><td colspan=\"7\">nothing to change and nothing found</tr>");
    }
    table.push_str("</tbody></table></div></section>");
    table
}

fn left_out(evaluations: &[Evaluation]) -> String {
    let Some(last) = evaluations.last() else { return String::new() };
    let mut text = String::from("<section><h2>Minutes left out</h2><p class=\"legend\">");
    if last.estimate.minutes.dropped.is_empty() {
        text.push_str("none");
    }
    for (reason, count) in &last.estimate.minutes.dropped {
        let reason = reason.as_str().replace('_', " ");
        let _ = write!(
            text,
            "<span class=\"chip\">{reason} <b>{}</b></span>",
            thousands(f64::from(*count))
        );
    }
    text.push_str("</p></section>");
    text
}
