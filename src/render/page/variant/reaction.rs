//! How long a scale-out takes, part by part, and where each figure comes from.

use maud::{Markup, html};

use super::super::parts::{self, term};
use crate::model::reaction::{Part, Source, Spread};
use crate::model::scale_out::Reaction;
use crate::model::status::VariantStatus;

/// The card. Nothing where neither a scale-out nor AWS's list of them was ever seen: what is assumed of
/// an instance type would be all there is to show.
pub(super) fn card(status: &VariantStatus) -> Markup {
    let reaction = &status.snapshot.reaction;
    if status.snapshot.activities.known().is_none() && reaction.scale_outs == 0 {
        return html! {};
    }
    let time = &reaction.time;
    let whole = Spread { p50: time.p50(), p95: time.p95() };
    html! {
        section.card #reaction {
            h2 { (term("reaction time")) " of a scale-out" }
            p.dim { (seen(reaction)) }
            table.diff.parts {
                thead { tr {
                    th scope="col" { "part" }
                    th scope="col" { "median" }
                    th scope="col" { "95 % point" }
                    th scope="col" { "from" }
                } }
                tbody {
                    (row("load above the target until the alarm", time.alarm.minutes, &source(time.alarm)))
                    (row("alarm until AWS scales", time.activity.minutes, &source(time.activity)))
                    (row("AWS scales until instances are in service", time.start_up.minutes, &source(time.start_up)))
                    (row("together", whole, &html! { "the sum of the parts" }))
                    @if let Some(recovery) = reaction.seen.recovery {
                        (row("in service until latency is good again", recovery, &html! { "as seen" }))
                    }
                }
            }
            (troubles(reaction))
        }
    }
}

fn seen(reaction: &Reaction) -> Markup {
    html! {
        @match reaction.scale_outs {
            0 => { "No scale-out has been seen yet." }
            1 => { "One scale-out has been seen" }
            n => { (n) " scale-outs have been seen" }
        }
        @if let Some(last) = &reaction.last {
            ", the last " (parts::day_and_time(last.started_at)) " to " (last.wanted) " instances"
        }
        @if reaction.scale_outs > 0 { "." }
    }
}

fn row(what: &str, minutes: Spread, from: &Markup) -> Markup {
    html! {
        tr {
            th scope="row" { (what) }
            td data-label="median" { (minute(minutes.p50)) }
            td data-label="95 % point" { (minute(minutes.p95)) }
            td data-label="from" { (from) }
        }
    }
}

fn minute(minutes: f64) -> Markup {
    html! { (format!("{minutes:.1} min")) }
}

fn source(part: Part) -> Markup {
    html! {
        @match part.source {
            Source::Measured { observations } => {
                (parts::badge("measured", "measured")) " " (observations) " observations"
            }
            Source::Stated => { "as configured" }
            Source::InstanceType => { "assumed by the instance type: too few were seen" }
        }
    }
}

/// What went wrong in scale-outs.
fn troubles(reaction: &Reaction) -> Markup {
    let failures = [
        (reaction.failures_quota, "for the account's quota"),
        (reaction.failures_capacity, "because AWS had no instances"),
        (reaction.failures_other, "for another reason"),
    ];
    html! {
        @if reaction.joins_with_errors > 0 {
            p {
                "New instances answered with 5XX at first in " (reaction.joins_with_errors) " of "
                (reaction.joins_watched) " scale-outs."
            }
        }
        @for (count, why) in failures {
            @if count > 0 { p { (count) @if count == 1 { " scale-out" } @else { " scale-outs" } " failed " (why) "." } }
        }
    }
}
