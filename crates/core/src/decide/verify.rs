//! Rule 21: a raise is watched, and taken back once if it breaks the objective. Lowered targets are
//! never taken back: new instances are cold, and the change altered the load, not the latency at a
//! load.

use crate::estimate::by_own_load;
use crate::model::units::same_value;
use chrono::TimeDelta;

use crate::model::goal::Objective;
use crate::model::memory::{TargetWrite, Verification};
use crate::model::series::Minute;
use crate::model::snapshot::Snapshot;

use super::case::Case;

/// The watch ends after so many loaded minutes.
const LOADED_MINUTES: u32 = 60;
/// So many of [`LAST_MINUTES`] loaded minutes must break the objective.
const BROKEN_MINUTES: usize = 2;
/// The loaded minutes that are looked at together.
const LAST_MINUTES: usize = 5;
/// A watch that never sees a scale-in ends by itself.
const WATCH_MAX: TimeDelta = TimeDelta::days(7);
/// Raises are held so long after a reversal.
pub const RAISES_HELD: TimeDelta = TimeDelta::hours(24);

/// The value to put back, when the watched raise has failed.
pub fn revert_to(case: &Case<'_>) -> Option<f64> {
    let watch = case.memory.verification.clone()?;
    let watch = advance(*watch, case.snapshot, &case.goal.objective);
    let in_force = case.configured_target()?;
    // Somebody else's value is not ours to take back.
    let ours = same_value(in_force, watch.after);
    (watch.failed && ours).then_some(watch.before)
}

/// Begins to watch a raise.
pub fn begin(write: TargetWrite, snapshot: &Snapshot) -> Option<Verification> {
    let before = write.before.filter(|before| write.after > *before)?;
    let telemetry = snapshot.telemetry.known()?;
    let endpoint = snapshot.endpoint.known()?.as_ref()?;
    let instances = endpoint.variant(&snapshot.id.variant)?.current_instances?;
    Some(Verification {
        raised_at: write.at,
        before,
        after: write.after,
        instances,
        load_p95: load_p95(&telemetry.recent.to_vec())?,
        begun_at: None,
        counted_until: write.at,
        loaded_minutes: 0,
        last_broken: Vec::new(),
        failed: false,
    })
}

/// Takes the minutes that are new into account.
pub fn advance(
    mut watch: Verification,
    snapshot: &Snapshot,
    objective: &Objective,
) -> Verification {
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let current = endpoint
        .and_then(|e| e.variant(&snapshot.id.variant))
        .and_then(|variant| variant.current_instances);
    if watch.begun_at.is_none() {
        if current.is_none_or(|current| current >= watch.instances) {
            return watch;
        }
        watch.begun_at = Some(snapshot.taken_at);
        watch.counted_until = watch.counted_until.max(snapshot.taken_at);
    }
    let Some(telemetry) = snapshot.telemetry.known() else { return watch };
    let from = watch.counted_until;
    // A burst beyond the new target says nothing of it, and neither does the backlog that it leaves.
    // Minutes that cannot be had back now come with the history that is read again, and count then.
    let Some(recent) = telemetry.recent.try_to_vec() else { return watch };
    for (minute, own) in by_own_load(recent.into_iter(), objective) {
        if own && minute.at >= from {
            count(&mut watch, &minute, objective);
        }
    }
    let newest = telemetry.recent.last().map(|m| m.at + TimeDelta::minutes(1));
    watch.counted_until = watch.counted_until.max(newest.unwrap_or(watch.counted_until));
    watch
}

fn count(watch: &mut Verification, minute: &Minute, objective: &Objective) {
    let Some(load) = minute.load() else { return };
    if load <= watch.load_p95 || load >= watch.after || watch.loaded_minutes >= LOADED_MINUTES {
        return;
    }
    watch.loaded_minutes += 1;
    watch.last_broken.push(objective.broken_by(minute).unwrap_or(false));
    let excess = watch.last_broken.len().saturating_sub(LAST_MINUTES);
    watch.last_broken.drain(..excess);
    watch.failed |= watch.last_broken.iter().filter(|broken| **broken).count() >= BROKEN_MINUTES;
}

/// Whether there is nothing left to watch for.
pub fn is_over(watch: &Verification, now: crate::model::time::Timestamp) -> bool {
    let age = now - watch.raised_at;
    if watch.failed {
        // What could not be taken back by then, for a pause or a freeze, is not taken back for that any more.
        return age > WATCH_MAX + RAISES_HELD;
    }
    watch.loaded_minutes >= LOADED_MINUTES || age > WATCH_MAX
}

fn load_p95(minutes: &[Minute]) -> Option<f64> {
    let mut loads: Vec<f64> = minutes.iter().filter_map(Minute::load).collect();
    loads.sort_by(f64::total_cmp);
    let last = loads.len().checked_sub(1)?;
    loads.get((last as f64 * 0.95).round() as usize).copied()
}
