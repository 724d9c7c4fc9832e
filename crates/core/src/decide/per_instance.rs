//! What the instances of a variant, looked at one by one, say of it: which is slow, which is hot, and what
//! waits for that.

use chrono::TimeDelta;

use crate::estimate::UNEVEN_FROM;
use crate::model::per_instance::Instances;
use crate::model::reason::Reason;
use crate::model::time::Timestamp;

use super::case::Case;

/// An instance is hot that breaks the objective, alone and for its load, in this share of the minutes.
const HOT_SHARE: f64 = 0.2;
/// So long the estimate lowers nothing while an instance is slow: a day for somebody to replace it. After
/// that it is what the fleet serves, and lowering is the safe direction.
const LOWERING_WAITS: TimeDelta = TimeDelta::hours(24);

/// What the instances showed, if they were looked at.
pub(super) fn of<'a>(case: &Case<'a>) -> Option<&'a Instances> {
    case.snapshot.instances.as_ref()?.known()
}

/// Says everything that holds of them.
pub(super) fn say(case: &Case<'_>, say: &mut impl FnMut(Reason, String)) {
    let Some(instances) = of(case) else { return };
    if let Some(sentence) = instances.slow_sentence() {
        say(Reason::SlowInstance, sentence);
    }
    if instances.uneven_routing.is_some_and(|index| index >= UNEVEN_FROM)
        && let Some(sentence) = instances.uneven_sentence()
    {
        say(Reason::UnevenRouting, sentence);
    }
    if let Some(sentence) = hot(instances) {
        say(Reason::HotInstance, sentence);
    }
}

/// Overload of one instance while the others are fine: more instances would help less than even routing.
fn hot(instances: &Instances) -> Option<String> {
    let share = instances.hot_ratio.filter(|share| *share >= HOT_SHARE)?;
    let who = match &instances.busiest {
        Some(busiest) if busiest.is_always() => format!("instance {}", busiest.id),
        _ => "one instance or another".to_owned(),
    };
    Some(format!(
        "{who} broke the objective in {:.0} % of the {} last examined, with more than its share of the load, \
         while the others kept it: the load is unevenly shared, not too high",
        share * 100.0,
        instances.unit(),
    ))
}

/// Why the estimate does not move the target value while an instance is slow, and until when.
pub(super) fn holds(case: &Case<'_>, lowers: bool) -> Option<(String, Option<Timestamp>)> {
    let instances = of(case)?;
    let since = instances.slow.iter().map(|slow| slow.since).min()?;
    let until = since + LOWERING_WAITS;
    if lowers && case.now >= until {
        return None;
    }
    let names: Vec<&str> = instances.slow.iter().map(|slow| slow.id.as_str()).collect();
    let sentence = format!(
        "the capacity was estimated while {} (since {})",
        match names.as_slice() {
            [one] => format!("instance {one} was slow"),
            several => format!("instances {} were slow", several.join(", ")),
        },
        since.format("%FT%TZ")
    );
    Some((sentence, lowers.then_some(until)))
}
