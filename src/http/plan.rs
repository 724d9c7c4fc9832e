//! `/api/v1/plan`: what `setpoint plan` would say, as of the last pass. It is made and sent piece by
//! piece: that of thousands of variants is tens of megabytes, of which a few kilobytes are held.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::Semaphore;

use super::api::not_encoded;
use super::list::PIECE_BYTES;
use super::problem::Problem;
use super::query::{Nothing, Strict};
use super::{App, leading};
use crate::model::status::{FleetStatus, VariantStatus};
use crate::render::plan::{self, PlanSummary};
use crate::render::view::VariantView;

/// Pieces are made one after the other, whatever number of plans is asked for. Nothing holds the
/// turn while a client takes its piece, so that a slow one keeps nobody waiting.
pub(super) type Turn = Arc<Semaphore>;

/// One turn for all plans of a server.
pub(super) fn turn() -> Turn {
    Arc::new(Semaphore::new(1))
}

/// The plan of the last pass: `{"at": …, "text": …, "plan": {…}}`.
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Extension(turn): Extension<Turn>,
    Strict(Nothing {}): Strict<Nothing>,
) -> Result<Response, Problem> {
    let fleet = leading::status(&app)?;
    // Thousands of variants are too much for a thread that others wait for.
    let sending = tokio::task::spawn_blocking(move || Sending::of(fleet)).await;
    let sending = sending.map_err(|error| not_encoded(&error.to_string()))?;
    let body = Body::from_stream(pieces(sending, turn));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// The plan, as many variants at a time as make a piece.
fn pieces(sending: Sending, turn: Turn) -> impl futures::Stream<Item = serde_json::Result<Bytes>> {
    stream::try_unfold((sending, turn), |(mut sending, turn)| async move {
        let mut piece = Vec::new();
        {
            // Never closed.
            let _turn = turn.acquire().await;
            while piece.len() < PIECE_BYTES && sending.next != Part::End {
                sending.add(&mut piece)?;
            }
        }
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), (sending, turn))))
    })
}

/// A plan that is being sent.
struct Sending {
    fleet: Arc<FleetStatus>,
    rows: Vec<Arc<VariantStatus>>,
    summary: PlanSummary,
    /// The width of the names in the text.
    width: usize,
    next: Part,
}

/// What of a plan comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Opening,
    /// The text of this variant, or what follows the last.
    Text(usize),
    /// The data of this variant, or what follows the last.
    Data(usize),
    End,
}

impl Sending {
    fn of(fleet: Arc<FleetStatus>) -> Self {
        Self {
            rows: fleet.variants.values().cloned().collect(),
            summary: PlanSummary::of(&fleet),
            width: plan::name_width(&fleet),
            next: Part::Opening,
            fleet,
        }
    }

    fn add(&mut self, piece: &mut Vec<u8>) -> serde_json::Result<()> {
        let fleet = &*self.fleet;
        self.next = match self.next {
            Part::Opening => {
                piece.extend(br#"{"at":"#);
                serde_json::to_writer(&mut *piece, &fleet.at)?;
                piece.extend(br#","text":""#);
                add_text(piece, &plan::opening(fleet))?;
                Part::Text(0)
            }
            Part::Text(index) => {
                if let Some(status) = self.rows.get(index) {
                    add_text(piece, &plan::of_variant(fleet, status, self.width))?;
                    Part::Text(index + 1)
                } else {
                    add_text(piece, &plan::closing(fleet, &self.summary))?;
                    piece.extend(br#"","plan":"#);
                    serde_json::to_writer(&mut *piece, &plan::Head::of(fleet, self.summary))?;
                    // What follows is of the same object.
                    piece.pop();
                    piece.extend(br#","variants":["#);
                    Part::Data(0)
                }
            }
            Part::Data(index) => {
                if let Some(status) = self.rows.get(index) {
                    if index > 0 {
                        piece.push(b',');
                    }
                    serde_json::to_writer(&mut *piece, &VariantView::of(status))?;
                    Part::Data(index + 1)
                } else {
                    let rest = serde_json::to_string(&plan::Rest::of(fleet))?;
                    let more = if rest == "{}" { "]" } else { "]," };
                    piece.extend(more.bytes().chain(rest.bytes().skip(1)));
                    piece.push(b'}');
                    Part::End
                }
            }
            Part::End => Part::End,
        };
        Ok(())
    }
}

/// Adds whole lines to the JSON string that was begun, without colours.
fn add_text(piece: &mut Vec<u8>, lines: &str) -> serde_json::Result<()> {
    let quoted = serde_json::to_string(&plan::without_colours(lines))?;
    piece.extend(quoted.as_bytes().get(1..quoted.len() - 1).unwrap_or_default());
    Ok(())
}
