//! What a variant runs, as far as it can change capacity.

use serde::{Deserialize, Serialize};

use crate::estimate::Fingerprint;
use crate::model::endpoint::{Endpoint, EndpointConfig, Model};
use crate::model::ids::VariantName;

/// What a variant runs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Running {
    pub(super) fingerprint: Fingerprint,
    /// What a journal of an older version calls it.
    pub(super) old: Fingerprint,
}

/// What the variant runs: everything of its own that can change capacity, not the config's name.
pub(super) fn running(
    endpoint: &Endpoint,
    config: &EndpointConfig,
    model: Option<&Model>,
    variant: &VariantName,
) -> Option<Running> {
    let own = config.variant(variant)?;
    let summary = endpoint.variant(variant)?;
    let mut text = format!("{:016x}", own.deploy_hash);
    for image in &summary.images {
        text.push(' ');
        text.push_str(image);
    }
    let (model_name, instance_type) = (own.model_name.as_deref(), own.instance_type.as_deref());
    let fingerprint = Fingerprint::service(&text, model.map(|model| model.deploy_hash));
    Some(Running { fingerprint, old: Fingerprint::old(model_name, instance_type, &summary.images) })
}
