//! What the endpoint config says of a variant, also when it was deleted while it serves: an endpoint
//! config never changes, so what it said when it could be read still holds while it is in force.

use crate::model::endpoint::{Endpoint, EndpointConfig, Model, VariantKind};
use crate::model::fact::Fact;
use crate::model::goal::{LoadTest, LoadTestProblem};
use crate::model::ids::VariantName;
use crate::model::memory::{KnownConfig, VariantMemory};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

use super::case::Case;
use super::kind;

/// What was described of what a variant runs.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    pub variant: &'a VariantName,
    pub endpoint: &'a Fact<Option<Endpoint>>,
    pub config: &'a Fact<Option<EndpointConfig>>,
    pub model: &'a Fact<Option<Model>>,
}

impl<'a> From<&'a Snapshot> for Described<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        Self {
            variant: &snapshot.id.variant,
            endpoint: &snapshot.endpoint,
            config: &snapshot.endpoint_config,
            model: &snapshot.model,
        }
    }
}

impl Described<'_> {
    /// Whether a load test speaks for what the variant runs (rule 5).
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(
        self,
        test: Option<&LoadTest>,
        memory: Option<&VariantMemory>,
        now: Timestamp,
    ) -> Result<(), LoadTestProblem> {
        let test = test.ok_or(LoadTestProblem::Absent)?;
        if let Some(config) = self.config.known().and_then(Option::as_ref) {
            let own = config.variant(self.variant);
            let instance_type = own.and_then(|own| own.instance_type.as_deref());
            return test.check(now, instance_type, Some(&config.name));
        }
        let known = memory.and_then(|memory| self.remembered(memory));
        let instance_type = known.and_then(|known| known.instance_type.as_deref());
        test.check(now, instance_type, known.map(|known| known.name.as_str()))
    }

    /// The kind of variant and what it runs on, as remembered, where the config or the model was deleted.
    fn remembered(self, memory: &VariantMemory) -> Option<&KnownConfig> {
        let gone =
            matches!(self.config.known(), Some(None)) || matches!(self.model.known(), Some(None));
        let endpoint = self.endpoint.known().and_then(Option::as_ref).filter(|_| gone)?;
        memory.known_config.as_deref().filter(|known| {
            known.name == endpoint.config_name && known.endpoint_created_at == endpoint.created_at
        })
    }
}

/// Whether the variant was of the kind that `setpoint` is for when that could be read.
pub fn was_standard(case: &Case<'_>) -> bool {
    let known = Described::from(case.snapshot).remembered(&case.memory);
    known.is_some_and(|known| known.kind == VariantKind::Standard)
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
