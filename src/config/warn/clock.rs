//! Whether AWS and this machine have the same time: by a clock that is behind, what AWS says comes
//! from the future, and the newest minutes are never read.

use chrono::TimeDelta;

use crate::model::status::FleetStatus;
use crate::model::warning::ConfigWarning;

/// What the clocks of two machines may differ by; AWS refuses signatures that are 5 minutes off.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

/// Says so where the last change of an endpoint, or an activity of its scaling, is yet to come.
pub(super) fn warnings(fleet: &FleetStatus) -> Option<ConfigWarning> {
    let now = fleet.at?;
    let newest = fleet.variants.values().flat_map(|status| {
        let snapshot = &status.snapshot;
        let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
        let activities = snapshot.activities.known().into_iter().flat_map(|all| all.iter());
        endpoint
            .map(|endpoint| endpoint.modified_at)
            .into_iter()
            .chain(activities.map(|activity| activity.started_at))
    });
    let newest = newest.max().filter(|newest| *newest - now > AHEAD_MAX)?;
    let sentence = format!(
        "AWS is at least {} minutes ahead of this machine's clock ({}): correct the clock (NTP), or run \
         simulate serve with --speed 1",
        (newest - now).num_minutes(),
        now.format("%FT%TZ")
    );
    let (origin, key) = (String::new(), String::new());
    Some(ConfigWarning { code: "clock_is_behind", origin, target: None, key, sentence })
}
