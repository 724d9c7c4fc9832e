//! The scheduled floors that would pay.

use maud::{Markup, html};

use super::super::parts::term;
use crate::model::status::VariantStatus;
use crate::render::printable;

/// The card. Nothing where none are proposed: the block of `explain` says why.
pub(super) fn card(status: &VariantStatus) -> Markup {
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
