//! What the answer rests on: the load test, the configuration, capacity, instances, cost, and the reads.

use chrono::{Days, TimeDelta};
use maud::{Markup, html};

use super::super::Site;
use super::super::parts::{self, term};
use crate::model::factor::factor_in_use;
use crate::model::scaling::{Activity, ScheduledAction};
use crate::model::status::VariantStatus;
use crate::model::units::human;
use crate::render::plan::forecast_words;
use crate::render::view::VariantView;
use crate::render::{interval_parts, printable};

/// How many of AWS's scaling activities are shown.
const ACTIVITIES: usize = 5;

/// Cards side by side.
pub(super) fn facts(site: &Site, status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    html! {
        div.cards {
            (targets(view))
            (load_test(site, status, view))
            (capacity(view))
            (instances(status, view))
        }
    }
}

/// A list of names and values.
fn list(title: &str, rows: &[(Markup, Markup)]) -> Markup {
    html! {
        section.card {
            h2 { (title) }
            dl.facts { @for (name, value) in rows { div { dt { (name) } dd { (value) } } } }
        }
    }
}

fn row(name: &str, value: Markup) -> (Markup, Markup) {
    (term(name), value)
}

fn targets(view: &VariantView<'_>) -> Markup {
    let targets = view.targets;
    let mut rows = vec![
        row("configured", parts::number(targets.configured)),
        row("safe", parts::number(targets.safe)),
        row("formula", parts::number(targets.formula)),
        row("wanted", parts::number(targets.wanted)),
    ];
    if targets.desired != targets.wanted {
        rows.push(row("in the end", parts::number(targets.desired)));
    }
    let load = view.observed.and_then(|minute| minute.invocations_per_instance_per_minute);
    rows.push(row("load", parts::number(load)));
    if let Some(minute) = view.observed {
        let ms = |seconds: Option<f64>| parts::number(seconds.map(|seconds| seconds * 1e3));
        if let Some(objective) = view.objective.latency {
            rows.push((
                html! { (objective.statistic) },
                html! { (ms(minute.latency_seconds)) " ms of " (human(objective.threshold_ms)) " ms" },
            ));
        }
        rows.push(row("as of", parts::day_and_time(minute.at)));
    }
    list("Targets and load, a minute and instance", &rows)
}

fn load_test(site: &Site, status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    let (goal, today) = (&status.goal, status.decision.at.date_naive());
    let mut rows = Vec::new();
    if let Some(test) = &goal.load_test {
        rows.push(row("rate", html! { (human(test.max_rps.get())) " requests a second" }));
        if let Some(date) = test.date {
            rows.push(row("of", html! { time datetime=(date) { (date) } }));
        }
        if let (Some(date), Some(days)) = (test.date, test.max_age_days)
            && let Some(until) = date.checked_add_days(Days::new(u64::from(days)))
        {
            let left = (until - today).num_days();
            rows.push(row(
                "valid until",
                html! {
                    time datetime=(until) { (until) }
                    @if left >= 0 { " (" (left) " days)" } @else { " " (parts::badge("unsafe", "expired")) }
                },
            ));
        }
        let words = test.instance_type.iter().chain(&test.endpoint_config);
        rows.extend(words.map(|words| row("on", html! { (printable(words)) })));
        if let Some(problem) = view.targets.load_test_problem {
            rows.push(row("does not count", html! { (parts::spaced(problem.as_str())) }));
        }
    } else {
        rows.push(row("load test", html! { "none is configured" }));
    }
    let in_use = factor_in_use(goal, status.snapshot.remembered());
    let auto = if goal.safety_factor_auto {
        format!(" (to start from; {} is in use)", human(in_use))
    } else {
        String::new()
    };
    rows.push(row("safety factor", html! { (human(goal.safety_factor.get())) (auto) }));
    rows.push(row("factor by replay", html! { (printable(&status.snapshot.factor.sentence())) }));
    rows.push(row("mode", html! { (view.mode.as_str()) }));
    if let Some(pause) = view.paused {
        let words = html! {
            (parts::badge("held", "paused")) " until " (parts::day_and_time(pause.until)) ": " (printable(&pause.reason))
        };
        rows.push(row("paused", words));
    }
    rows.push(row("configured by", html! { code { (printable(&goal.origin)) } }));
    if let Some(cost) = site.month_cost {
        let what = "metrics that this process has asked of CloudWatch this month, for all variants together";
        rows.push((
            html! { abbr title=(what) { "CloudWatch this month" } },
            html! { (parts::dollars(Some(cost))) ", all variants together" @if let Some(saving) = site.saving.sentence() { "; " (saving) } },
        ));
    }
    list("Load test, configuration, cost", &rows)
}

fn capacity(view: &VariantView<'_>) -> Markup {
    let (capacity, bounds) = (&view.capacity, view.capacity.bounds);
    let mut rows = vec![
        row(
            "verdict",
            parts::badge(capacity.verdict.as_str(), parts::verdict_words(capacity.verdict)),
        ),
        row("capacity", parts::number(bounds.estimate)),
        row("interval", interval(bounds.low, bounds.high)),
        row("proven", parts::number(bounds.lower_bound)),
        row(
            "minutes",
            html! { (capacity.minutes.used) " used, " (capacity.minutes.broken) " of them broken" },
        ),
    ];
    if !capacity.minutes.dropped.is_empty() {
        rows.push(row(
            "left out",
            html! {
                @for (i, (reason, minutes)) in capacity.minutes.dropped.iter().enumerate() {
                    @if i > 0 { ", " } (parts::number(Some(f64::from(minutes)))) " " (parts::spaced(reason.as_str()))
                }
            },
        ));
    }
    if let Some(ratio) = capacity.history_complete_ratio.filter(|ratio| *ratio < 1.0) {
        let share = format!("{:.0} %, and the rest is being read", ratio * 100.0);
        rows.push(row("history read", html! { (share) }));
    }
    if let Some(regime) = capacity.regime {
        let origin = regime.origin();
        rows.push(row(
            "regime",
            html! { "since " (parts::day_and_time(regime.started_at)) " (" (origin) ")" },
        ));
    }
    if !view.findings.is_empty() {
        rows.push(row(
            "found",
            html! { @for finding in view.findings { (parts::badge("finding", &parts::spaced(finding.as_str()))) " " } },
        ));
    }
    list("Capacity of one instance", &rows)
}

fn instances(status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    let (snapshot, instances) = (&status.snapshot, view.instances);
    let count = |count: Option<u32>| html! { @match count { Some(n) => { (n) } None => { (parts::dash()) } } };
    let bound = |bound: Option<i32>| html! { @match bound { Some(n) => { (n) } None => { (parts::dash()) } } };
    let mut rows = vec![row("in service", count(instances.current))];
    if instances.desired != instances.current {
        rows.push(row("on the way to", count(instances.desired)));
    }
    rows.push(row("min to max", html! { (bound(instances.min)) " to " (bound(instances.max)) }));
    if let Some(words) = instances.forecast.and_then(forecast_words) {
        rows.push(row("forecast", html! { (words) }));
    }
    if let Some(target) = snapshot.target.known().and_then(Option::as_ref)
        && target.suspended.any()
    {
        rows.push(row("suspended", parts::badge("held", &target.suspended.words())));
    }
    let scheduled = snapshot.scheduled_actions.known().map_or(&[][..], |all| all.as_slice());
    rows.extend(scheduled.iter().map(|action| row("scheduled", scheduled_action(action))));
    let activities = snapshot.activities.known().map_or(&[][..], |all| all);
    rows.extend(
        activities
            .iter()
            .take(ACTIVITIES)
            .map(|a| (parts::day_and_time(a.started_at), activity(a))),
    );
    list("Instances", &rows)
}

fn scheduled_action(action: &ScheduledAction) -> Markup {
    let zone = action.timezone.as_deref().unwrap_or("UTC");
    html! {
        code { (printable(&action.name)) } " " (printable(&action.schedule)) " " (printable(zone))
        @if let Some(min) = action.min_capacity { ", min " (min) }
        @if let Some(max) = action.max_capacity { ", max " (max) }
    }
}

fn activity(activity: &Activity) -> Markup {
    let sentence = activity.sentence();
    // When it began is the name of the row.
    let what = sentence.split_once("Z: ").map_or(sentence.as_str(), |(_, what)| what);
    html! { (printable(what)) }
}

/// What is behind all of it, for when it matters: folded, unless something could not be read.
pub(super) fn behind(status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    let now = status.decision.at;
    html! {
        @if !view.unknown.is_empty() {
            section.card {
                h2 { "Could not be read" }
                dl.facts { @for unknown in &view.unknown {
                    div { dt { (parts::spaced(unknown.fact)) } dd { (printable(&unknown.why.message)) } }
                } }
            }
        }
        details.card #reads {
            summary { h2 { "Reads and passes" } }
            dl.facts {
                @for read in &view.reads {
                    div {
                        dt { (parts::spaced(read.fact)) }
                        dd {
                            @match (read.operation, read.at) {
                                (Some(operation), Some(at)) => { (operation) ", " (parts::ago(at, now)) }
                                _ => { "not read" }
                            }
                            @if !read.known { " " (parts::badge("unknown", "unknown")) }
                        }
                    }
                }
                div { dt { "last pass" } dd { (parts::day_and_time(view.last_pass)) } }
                div {
                    dt { "last successful pass" }
                    dd {
                        @match view.last_successful_pass {
                            Some(at) => { (parts::day_and_time(at)) }
                            None => { "none yet" }
                        }
                    }
                }
                div { dt { "telemetry" } dd { (telemetry(status)) } }
            }
        }
    }
}

fn telemetry(status: &VariantStatus) -> Markup {
    let known = status.snapshot.telemetry.known();
    let newest = known.and_then(|telemetry| telemetry.newest_datapoint);
    html! {
        @match newest {
            Some(at) => { "newest datapoint " (parts::ago(at, status.decision.at)) }
            None => { "no datapoint is known" }
        }
        @if let Some(known) = known {
            @let minutes = TimeDelta::minutes(i64::try_from(known.recent.len()).unwrap_or(0));
            "; " (parts::span(minutes)) " of minutes at hand"
        }
    }
}

fn interval(low: Option<f64>, high: Option<f64>) -> Markup {
    html! { @for (word, value) in interval_parts(low, high) { (word) (parts::number(value)) } }
}
