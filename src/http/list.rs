//! `GET /api/v1/variants`: filtered, sorted and cut into pages here, and sent piece by piece: the
//! list of thousands of variants is tens of megabytes, of which a few kilobytes are held.

use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use futures::stream;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::query::Strict;
use super::{App, leading};
use crate::model::evidence::EvidenceStatus;
use crate::model::ids::VariantId;
use crate::model::shard::ShardStatus;
use crate::model::stable_hash::fnv1a;
use crate::model::status::{FleetStatus, MemoryStatus, StoreStatus, VariantStatus};
use crate::render::page::fleet::sort;
use crate::render::page::query::{FleetQuery, RawQuery, SortKey};
use crate::render::trouble::{ScopeView, scopes};
use crate::render::view::VariantView;
use crate::report::{Ask, DEFAULT_IDLE_DAYS, at_stake};

/// The most variants of one page; without a limit all come at once.
pub(super) const LIMIT_MAX: usize = 10_000;
/// How much is encoded at once.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// What is asked of the list. Empty is all.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListQuery {
    q: String,
    standing: String,
    safety: String,
    finding: String,
    mode: String,
    account_id: String,
    region: String,
    sort: String,
    limit: String,
    cursor: String,
}

/// The same, understood.
struct Wanted {
    filter: FleetQuery,
    /// By the ids, as long as nothing else is asked for.
    by_id: bool,
    limit: Option<usize>,
    after: Option<VariantId>,
}

impl ListQuery {
    fn parse(self) -> Result<Wanted, Problem> {
        let by_id = self.sort.is_empty();
        let limit = match self.limit.as_str() {
            "" => None,
            text => Some(text.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n)).ok_or_else(
                || {
                    let whole = format!("a whole number from 1 to {LIMIT_MAX}");
                    Problem::bad_request(format!("query: limit {text:?} is not {whole}"))
                },
            )?),
        };
        let after = match self.cursor.as_str() {
            "" => None,
            text => Some(VariantId::parse(text, '/').ok_or_else(|| {
                let from = "the next_cursor of an earlier answer";
                Problem::bad_request(format!("query: cursor {text:?} is not {from}"))
            })?),
        };
        let raw = RawQuery {
            q: self.q,
            standing: self.standing,
            safety: self.safety,
            finding: self.finding,
            mode: self.mode,
            account: self.account_id,
            region: self.region,
            sort: self.sort,
            page: String::new(),
        };
        let filter = FleetQuery::parse(raw).map_err(Problem::bad_request)?;
        Ok(Wanted { filter, by_id, limit, after })
    }
}

/// One page of the list.
struct Page {
    rows: Vec<Arc<VariantStatus>>,
    total: usize,
    next: Option<String>,
}

impl Wanted {
    fn page(&self, fleet: &FleetStatus) -> Result<Page, Problem> {
        let kept = |status: &&Arc<VariantStatus>| self.filter.keeps(status);
        let all = fleet.variants.values().filter(kept);
        let (total, mut rows): (usize, Vec<Arc<VariantStatus>>) = if self.by_id {
            let from = self.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let rest = fleet.variants.range((from, Bound::Unbounded)).map(|(_, status)| status);
            (all.count(), rest.filter(kept).cloned().collect())
        } else {
            let rows = self.sorted(fleet, all.cloned().collect());
            (rows.len(), self.rest(rows)?)
        };
        let most = self.limit.unwrap_or(usize::MAX);
        let more = rows.len() > most;
        rows.truncate(most);
        let last = rows.last().filter(|_| more);
        Ok(Page { total, next: last.map(|status| status.snapshot.id.to_string()), rows })
    }

    fn sorted(
        &self,
        fleet: &FleetStatus,
        mut rows: Vec<Arc<VariantStatus>>,
    ) -> Vec<Arc<VariantStatus>> {
        let priced = self.filter.sort.key == SortKey::Money;
        let idle_after = TimeDelta::days(i64::from(DEFAULT_IDLE_DAYS));
        let ask = Ask { prices: &fleet.prices, idle_after };
        let dollars = priced.then(|| at_stake(fleet, ask)).flatten().unwrap_or_default();
        sort(&|id| dollars.get(id).copied(), &mut rows, self.filter.sort);
        rows
    }

    /// What follows the variant that the last page ended with.
    fn rest(&self, mut rows: Vec<Arc<VariantStatus>>) -> Result<Vec<Arc<VariantStatus>>, Problem> {
        let Some(after) = &self.after else { return Ok(rows) };
        let Some(at) = rows.iter().position(|status| status.snapshot.id == *after) else {
            let sentence = format!("{after} is no longer in this list; begin without cursor");
            return Err(Problem::new(StatusCode::GONE, sentence));
        };
        Ok(rows.split_off(at + 1))
    }
}

/// What follows the variants.
#[derive(Serialize)]
struct Rest<'a> {
    total: usize,
    next_cursor: Option<&'a str>,
    /// The accounts and regions: of one that is not readable not every variant may be in the list.
    scopes: Vec<ScopeView<'a>>,
    memory: Option<&'a MemoryStatus>,
    history: Option<&'a StoreStatus>,
    /// What is kept over a restart; absent without `store.path`.
    evidence: Option<&'a EvidenceStatus>,
    /// Which shard answers; absent when there is one process for everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<&'a ShardStatus>,
}

/// The variants that are asked for, in the order of their ids unless told otherwise.
pub(super) async fn variants(
    State(app): State<Arc<App>>,
    Extension(versions): Extension<Arc<Versions>>,
    Strict(query): Strict<ListQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let fleet = leading::status(&app)?;
    let tag = versions.tag(&fleet, &format!("{query:?}"));
    let wanted = query.parse()?;
    // Kept, and asked for again each time.
    let answered = [(ETAG, tag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if has(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, answered).into_response());
    }
    let of = Arc::clone(&fleet);
    // Thousands of variants are too much for a thread that others wait for.
    let page = tokio::task::spawn_blocking(move || wanted.page(&of)).await;
    let page = page.map_err(|error| super::api::not_encoded(&error.to_string()))??;
    let failed = |error: serde_json::Error| super::api::not_encoded(&error.to_string());
    let mut head = br#"{"config":"#.to_vec();
    serde_json::to_writer(&mut head, &fleet.config).map_err(failed)?;
    head.extend(br#","variants":["#);
    let rest = Rest {
        total: page.total,
        next_cursor: page.next.as_deref(),
        scopes: scopes(&fleet),
        memory: fleet.memory.as_ref(),
        history: fleet.history.as_ref(),
        evidence: fleet.evidence.as_ref(),
        shard: fleet.shard.as_ref(),
    };
    let mut end = serde_json::to_vec(&rest).map_err(failed)?;
    // Not an object of its own, but the rest of the one that was begun.
    end.splice(..1, *b"],");
    let body = Body::from_stream(pieces(head, page.rows, end));
    Ok((answered, [(CONTENT_TYPE, "application/json")], body).into_response())
}

/// The list, as many variants at a time as make a piece.
fn pieces(
    head: Vec<u8>,
    rows: Vec<Arc<VariantStatus>>,
    end: Vec<u8>,
) -> impl futures::Stream<Item = serde_json::Result<Bytes>> {
    let state = (head, rows.into_iter().enumerate(), Some(end));
    stream::try_unfold(state, |(mut piece, mut rows, mut end)| async move {
        while piece.len() < PIECE_BYTES && end.is_some() {
            if let Some((index, status)) = rows.next() {
                if index > 0 {
                    piece.push(b',');
                }
                serde_json::to_writer(&mut piece, &VariantView::of(&status))?;
            } else {
                piece.extend(end.take().unwrap_or_default());
            }
        }
        let bytes = Bytes::from(std::mem::take(&mut piece));
        Ok((!bytes.is_empty()).then_some((bytes, (piece, rows, end))))
    })
}

/// Tells one status from the next, for clients that have the answer already.
#[derive(Debug)]
pub(super) struct Versions {
    /// Another process counts from the start.
    process: u64,
    newest: Mutex<(Weak<FleetStatus>, u64)>,
}

impl Versions {
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        // The standard library seeds its hashers at random.
        let process = RandomState::new().hash_one(0_u8);
        Self { process, newest: Mutex::default() }
    }

    /// The tag of an answer made from this status to this question (RFC 9110, section 8.8.3).
    fn tag(&self, fleet: &Arc<FleetStatus>, question: &str) -> String {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::ptr::eq(newest.0.as_ptr(), Arc::as_ptr(fleet)) {
            *newest = (Arc::downgrade(fleet), newest.1 + 1);
        }
        format!("W/\"{:x}-{}-{:x}\"", self.process, newest.1, fnv1a(question.bytes()))
    }
}

/// Whether the client has an answer of this tag already (RFC 9110, section 13.1.2).
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(','));
    tags.any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}
