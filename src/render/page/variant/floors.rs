//! The scheduled floors that would pay, and those that setpoint keeps.

use maud::{Markup, html};

use super::super::parts::term;
use crate::model::status::VariantStatus;
use crate::render::printable;

/// The card. Nothing where none are proposed: the block of `explain` says why.
pub(super) fn card(status: &VariantStatus) -> Markup {
    html! { (kept(status)) (proposed(status)) }
}

fn kept(status: &VariantStatus) -> Markup {
    let snapshot = &status.snapshot;
    let Some(kept) = snapshot.kept_floors().filter(|kept| !kept.floors.is_empty()) else {
        return html! {};
    };
    html! {
        section.card #floors-kept {
            h2 { (term("scheduled floors")) " that setpoint keeps" }
            p.dim { (printable(&kept.words())) " unless they are renewed." }
            table.diff {
                thead { tr {
                    th scope="col" { "scheduled action" }
                    th scope="col" { "schedule" }
                    th scope="col" { "min capacity" }
                } }
                tbody {
                    @for action in kept.floors.iter().chain(&kept.end) {
                        tr {
                            td { code { (printable(&action.name)) } }
                            td {
                                code { (printable(&action.schedule)) }
                                @if let Some(zone) = &action.timezone { " " (printable(zone)) }
                            }
                            td.number { @if let Some(min) = action.min_capacity { (min) } }
                        }
                    }
                }
            }
        }
    }
}

fn proposed(status: &VariantStatus) -> Markup {
    let Some(floors) = status.snapshot.floors.proposed() else { return html! {} };
    html! {
        section.card #floors {
            h2 { (term("scheduled floors")) " that would pay" }
            p.dim { (printable(&floors.sentence())) "." }
            table.diff {
                thead { tr {
                    th scope="col" { "schedule (" (floors.time_zone.name()) ")" }
                    th scope="col" { "min capacity" }
                } }
                tbody {
                    @for action in &floors.actions {
                        tr { td { code { (action.schedule) } } td.number { (action.min) } }
                    }
                }
            }
        }
    }
}
