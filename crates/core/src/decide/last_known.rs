//! What the endpoint config says of a variant, also when it was deleted while it serves: an endpoint
//! config never changes, so what it said when it could be read still holds while it is in force.

use crate::model::endpoint::VariantKind;
use crate::model::goal::{LoadTest, LoadTestProblem};
use crate::model::memory::{KnownConfig, VariantMemory};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

use super::case::Case;
use super::kind;

/// The kind of variant and what it runs on, as remembered, where the config or the model was deleted.
fn remembered<'a>(snapshot: &Snapshot, memory: &'a VariantMemory) -> Option<&'a KnownConfig> {
    let gone = matches!(snapshot.endpoint_config.known(), Some(None))
        || matches!(snapshot.model.known(), Some(None));
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref).filter(|_| gone)?;
    memory.known_config.as_deref().filter(|known| {
        known.name == endpoint.config_name && known.endpoint_created_at == endpoint.created_at
    })
}

/// Whether a load test speaks for what the variant runs (rule 5).
pub fn load_test(
    snapshot: &Snapshot,
    memory: &VariantMemory,
    test: Option<&LoadTest>,
    now: Timestamp,
) -> Result<(), LoadTestProblem> {
    let test = test.ok_or(LoadTestProblem::Absent)?;
    if let Some(config) = snapshot.endpoint_config.known().and_then(Option::as_ref) {
        let own = config.variant(&snapshot.id.variant);
        let instance_type = own.and_then(|own| own.instance_type.as_deref());
        return test.check(now, instance_type, Some(&config.name));
    }
    let known = remembered(snapshot, memory);
    let instance_type = known.and_then(|known| known.instance_type.as_deref());
    test.check(now, instance_type, known.map(|known| known.name.as_str()))
}

/// Whether the variant was of the kind that `setpoint` is for when that could be read.
pub fn was_standard(case: &Case<'_>) -> bool {
    remembered(case.snapshot, &case.memory).is_some_and(|known| known.kind == VariantKind::Standard)
}

/// Takes note of what the endpoint config in force says, where it and the model can be read.
pub(super) fn note(memory: &mut VariantMemory, snapshot: &Snapshot) {
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
    let (Some(endpoint), Some(config), Ok(kind)) = (endpoint, config, kind::kind(snapshot)) else {
        return;
    };
    let Some(own) = config.variant(&snapshot.id.variant) else { return };
    let known = KnownConfig {
        name: config.name.clone(),
        endpoint_created_at: endpoint.created_at,
        kind,
        instance_type: own.instance_type.clone(),
    };
    if config.name == endpoint.config_name && memory.known_config.as_deref() != Some(&known) {
        memory.known_config = Some(known.into());
    }
}
