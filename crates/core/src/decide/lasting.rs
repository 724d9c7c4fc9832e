//! Since when drift, findings, suspension, holds and the like have lasted, from what is remembered.

use litemap::LiteMap;

use crate::model::decision::{FieldState, Report};
use crate::model::estimate::{Finding, Verdict};
use crate::model::goal::LoadTestProblem;
use crate::model::lasting::{Direction, Lasting};
use crate::model::reason::{ActionKind, Reason};
use crate::model::safety::{Safety, Unproven};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

/// What lasts after a pass, for outputs and alerts. Without a memory it is unknown since when.
pub fn lasting(snapshot: &Snapshot, report: &Report, now: Timestamp) -> Lasting {
    let before = snapshot.memory.known().map(|memory| &*memory.lasting);
    before.map_or_else(Lasting::default, |before| lasting_of(before, snapshot, report, now))
}

/// What lasts after a pass, given what lasted before it.
pub(super) fn lasting_of(
    before: &Lasting,
    snapshot: &Snapshot,
    report: &Report,
    now: Timestamp,
) -> Lasting {
    let safety = match report.safety.state {
        // Its unsafe time has ended where the measurement no longer says so, however little it proves.
        Safety::NotKnown(Unproven::Undecided) => Some(false),
        Safety::NotKnown(_) => None,
        known => Some(known.is_unsafe()),
    };
    let load_test = match report.load_test_problem {
        Some(LoadTestProblem::CouldNotCompare) => None,
        problem => Some(problem.is_some_and(|problem| problem != LoadTestProblem::Absent)),
    };
    // What is written is not held; what could not be compared may still be.
    let held = match report.action {
        ActionKind::Hold => Some(true),
        _ if report.comparable => Some(false),
        _ => None,
    };
    Lasting {
        drift: drift(before, report, now),
        suspended: suspended(before, snapshot, now),
        findings: findings(before, report, now),
        is_unsafe: since(before.is_unsafe, safety, now),
        held: since(before.held, held, now),
        load_test_invalid: since(before.load_test_invalid, load_test, now),
    }
}

/// Since when something has been so; `None` when this pass cannot tell.
fn since(before: Option<Timestamp>, is: Option<bool>, now: Timestamp) -> Option<Timestamp> {
    match is {
        Some(true) => Some(before.unwrap_or(now)),
        Some(false) => None,
        None => before,
    }
}

fn each<K: Ord + Copy>(
    before: &LiteMap<K, Timestamp>,
    present: impl IntoIterator<Item = (K, Option<bool>)>,
    now: Timestamp,
) -> LiteMap<K, Timestamp> {
    let of = |(key, is)| Some((key, since(before.get(&key).copied(), is, now)?));
    present.into_iter().filter_map(of).collect()
}

/// A field that nobody asks for any more is not compared, and does not differ. But where something
/// could not be read, what depends on it is not compared either, and may differ as before.
fn drift(
    before: &Lasting,
    report: &Report,
    now: Timestamp,
) -> LiteMap<crate::model::Field, Timestamp> {
    let fields = report.fields.iter().map(|field| {
        // A raise that waits for its own estimate is nothing that somebody has to repair.
        let waits = field.state == FieldState::Held && field.reason == Reason::Settling;
        let is = field.state.differs() && !waits;
        (field.field, (field.state != FieldState::Unknown).then_some(is))
    });
    let mut drift = each(&before.drift, fields, now);
    let compared = |field| report.fields.iter().any(|f| f.field == field);
    if !report.comparable {
        let unseen = before.drift.iter().filter(|(field, _)| !compared(**field));
        for (field, since) in unseen {
            drift.insert(*field, *since);
        }
    }
    drift
}

fn suspended(
    before: &Lasting,
    snapshot: &Snapshot,
    now: Timestamp,
) -> LiteMap<Direction, Timestamp> {
    let target = snapshot.target.known().map(Option::as_ref);
    let is = |direction: Direction| {
        // Without a target nothing is suspended.
        target.map(|target| target.is_some_and(|target| direction.is_in(target.suspended)))
    };
    each(&before.suspended, Direction::ALL.iter().map(|d| (*d, is(*d))), now)
}

/// While nothing is known of the capacity, nobody looks for findings.
fn findings(before: &Lasting, report: &Report, now: Timestamp) -> LiteMap<Finding, Timestamp> {
    let estimate = &report.estimate;
    let looked = !matches!(estimate.verdict, Verdict::Unobserved | Verdict::Stale);
    let is = |finding: Finding| {
        let found = estimate.findings.contains(&finding);
        (found || looked).then_some(found)
    };
    each(&before.findings, Finding::ALL.map(|finding| (finding, is(finding))), now)
}
