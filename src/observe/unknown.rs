//! A variant of which nothing is known: it could not be read, or setpoint has failed on it.

use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::ids::VariantId;
use crate::model::reads::Reads;
use crate::model::scale_out::Reaction;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

/// What is said of a variant on which setpoint has failed.
pub const BROKEN: &str = "setpoint failed on this variant, a bug; the log has the place";

/// Why nothing is known of a variant on which setpoint has failed.
pub fn broken() -> Why {
    Why::new(WhyKind::Garbage, BROKEN)
}

/// All that is known of a variant is why it is not known.
pub fn nothing_known(id: VariantId, why: &Why, taken_at: Timestamp) -> Snapshot {
    let why = || why.clone();
    Snapshot {
        // Nothing was read.
        reads: Reads::default(),
        id,
        reaction: Reaction::unseen(None).into(),
        factor: Shared::default(),
        floors: Shared::default(),
        instances: None,
        taken_at,
        caller: Fact::Unknown(why()),
        endpoint: Fact::Unknown(why()).into(),
        endpoint_config: Fact::Unknown(why()).into(),
        model: Fact::Unknown(why()).into(),
        target: Fact::Unknown(why()).into(),
        policies: Fact::Unknown(why()).into(),
        scheduled_actions: Fact::Unknown(why()).into(),
        activities: Fact::Unknown(why()),
        alarms: Fact::Unknown(why()).into(),
        telemetry: Fact::Unknown(why()),
        memory: Fact::Unknown(why()),
    }
}
