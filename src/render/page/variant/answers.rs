//! The first screen: in force, safe, why, since when, what happens next.

use crate::model::units::same_value;
use maud::{Markup, html};

use super::super::{bar, parts};
use crate::model::decision::{Action, FieldState};
use crate::model::reason::{ActionKind, Field};
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::render::explain::Explanation;
use crate::render::printable;
use crate::render::view::VariantView;

/// So many sentences about what is waited for are on the first screen.
const WAITS_MAX: usize = 3;

pub(super) fn answers(status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    html! {
        section.answers aria-label="In force, safe, why, since when, and next" {
            (in_force(status, view))
            (safe(view))
            (why(status, view))
            (next(status, view))
        }
    }
}

fn in_force(status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    let now = status.decision.at;
    html! {
        div.answer {
            h2 { "In force" }
            p.big {
                @if view.targets.configured.is_none() && view.is_unread("policies") { (parts::unknown()) }
                @else { (parts::number(view.targets.configured)) }
            }
            @if view.divergence.is_some() { p { (bar::divergence(view.divergence)) } }
            p.dim {
                @match (view.targets.configured, since(status)) {
                    (None, _) => { "no target value is known" }
                    (Some(_), Some(at)) => { "since " (parts::day_and_time(at)) " (" (parts::ago(at, now)) ")" }
                    (Some(_), None) => { "since when is not known" }
                }
                @if let Some(who) = who(status) { "; " (who) }
            }
        }
    }
}

/// Since when the value in force has been seen.
fn since(status: &VariantStatus) -> Option<Timestamp> {
    let memory = status.snapshot.memory.known()?;
    let configured = status.decision.report.configured_target?;
    let same = |value: f64| same_value(value, configured);
    let written = memory.last_write.filter(|write| same(write.after)).map(|write| write.at);
    let seen = memory.seen.get(&Field::TargetValue).filter(|seen| same(seen.value));
    written.into_iter().chain(seen.map(|seen| seen.since)).min()
}

/// Whose value it is, as far as that is remembered.
fn who(status: &VariantStatus) -> Option<&'static str> {
    let write = status.snapshot.memory.known()?.last_write?;
    let configured = status.decision.report.configured_target?;
    Some(if same_value(write.after, configured) {
        "setpoint wrote it"
    } else {
        "setpoint did not write it"
    })
}

fn safe(view: &VariantView<'_>) -> Markup {
    let bounds = view.capacity.bounds;
    html! {
        div.answer {
            h2 { "Safe" }
            p.big { (parts::number(view.targets.safe)) }
            p { (parts::badge(view.capacity.verdict.as_str(), parts::verdict_words(view.capacity.verdict))) }
            p.dim {
                @match bounds.estimate {
                    Some(_) => {
                        "one instance serves " (parts::number(bounds.estimate))
                        @if let (Some(low), Some(high)) = (bounds.low, bounds.high) {
                            " (" (parts::number(Some(low))) " to " (parts::number(Some(high))) ")"
                        }
                    }
                    None if bounds.lower_bound.is_some() => {
                        "one instance serves at least " (parts::number(bounds.lower_bound))
                    }
                    None => { "how much one instance serves is not known" }
                }
                @if let Some(formula) = view.targets.formula {
                    "; the formula says " (parts::number(Some(formula)))
                }
            }
        }
    }
}

fn why(status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    let now = status.decision.at;
    html! {
        div.answer.words {
            h2 { "Why, and since when" }
            p { (printable(view.capacity.sentence)) }
            @if let Some(regime) = view.capacity.regime {
                p.dim {
                    @if regime.first { "No change is known since the data begin, " }
                    @else if regime.declared { "Deployed " } @else { "Changed without a deploy " }
                    (parts::ago(regime.started_at, now))
                    @if let Some(ratio) = regime.speed_ratio {
                        "; requests take " (parts::number(Some(ratio))) " times as long as before"
                    }
                }
            }
            @if let Some(since) = view.capacity.incident_since {
                p.dim { "An incident of another cause is open since " (parts::day_and_time(since)) }
            }
        }
    }
}

fn next(status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    let (report, now) = (&status.decision.report, status.decision.at);
    let explanation = Explanation::of(status);
    let waits = explanation.steps.iter().find(|step| step.step == "next");
    // The last sentence says when it looks again, which has a line of its own here.
    let waits = waits.map_or(&[][..], |step| step.sentences.split_last().map_or(&[], |(_, w)| w));
    html! {
        div.answer.words {
            h2 { "Next" }
            p {
                @match report.action {
                    ActionKind::None => { "Nothing is to be written." }
                    ActionKind::Hold => { "Nothing is written now: " (report.reason.as_str().replace('_', " ")) "." }
                    _ => { (written(status)) }
                }
                @if report.action == ActionKind::None && held(status) { " What differs is left as it is." }
            }
            @for would in report.would.iter().filter(|would| would.action != ActionKind::None).take(1) {
                p { "In " (parts::badge("mode", would.mode.as_str())) " it would " (printable(&would.sentence)) "." }
            }
            @if !waits.is_empty() {
                p.dim { "What would change the answer:" }
                ul.waits { @for sentence in waits.iter().take(WAITS_MAX) { li { (printable(sentence)) } } }
            }
            p.dim {
                @match view.decision.wake_at {
                    Some(at) => { "The answer can change " (parts::ahead(at, now)) " (" (parts::day_and_time(at)) ")." }
                    None => { "The next pass looks again." }
                }
            }
        }
    }
}

fn held(status: &VariantStatus) -> bool {
    status.decision.report.fields.iter().any(|field| field.state == FieldState::Held)
}

/// What this pass writes, or has written, in AWS's words.
fn written(status: &VariantStatus) -> Markup {
    let report = &status.decision.report;
    html! {
        "This pass writes "
        @for (i, action) in status.decision.plan.actions.iter().enumerate() {
            @if i > 0 { " and " }
            @match action {
                Action::PutPolicy { configuration, .. } => {
                    "the policy with " (parts::number(Some(configuration.target_value)))
                }
                Action::RegisterTarget { .. } => { "min and max" }
                Action::PutFloors { .. } => { "scheduled floors" }
            }
        }
        "."
        @if let (Some(wanted), Some(desired)) = (report.wanted_target, report.desired_target)
            && !same_value(wanted, desired) {
            " In the end it is to be " (parts::number(Some(desired))) "."
        }
    }
}
