//! What was read of one variant, put together, with the reads behind it.

use super::reader::Reader;
use super::sweep::Sweep;
use crate::decide::last_known;
use crate::model::endpoint::{Endpoint, EndpointConfig, Model};
use crate::model::fact::Fact;
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::reads::Reads;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

/// What is known of what a variant runs.
pub(super) struct Described {
    endpoint: Shared<Fact<Option<Endpoint>>>,
    config: Shared<Fact<Option<EndpointConfig>>>,
    model: Shared<Fact<Option<Model>>>,
}

impl Described {
    /// The same as rules look at it.
    pub(super) fn of<'a>(&'a self, id: &'a VariantId) -> last_known::Described<'a> {
        let Self { endpoint, config, model } = self;
        last_known::Described { variant: &id.variant, endpoint, config, model }
    }
}

impl Reader {
    /// Puts together what was read of one variant.
    pub(super) fn snapshot(
        &self,
        sweep: &Sweep,
        memory: Fact<Shared<VariantMemory>>,
        id: &VariantId,
        now: Timestamp,
    ) -> Snapshot {
        let (resource, variant) = (id.resource(), self.variants.get(id));
        let Described { endpoint, config, model } = self.described(sweep, id);
        Snapshot {
            id: id.clone(),
            // It is worked out when all of the fleet has been read.
            reaction: self.unseen.clone(),
            factor: Shared::default(),
            floors: Shared::default(),
            instances: None,
            taken_at: now,
            reads: self.reads(sweep, id, &endpoint),
            caller: sweep.caller.clone(),
            endpoint,
            endpoint_config: config,
            model,
            target: sweep.target(&resource),
            policies: sweep.policies(&resource),
            scheduled_actions: sweep.scheduled_actions(&resource),
            alarms: sweep.alarms(&resource),
            activities: variant.map_or_else(Fact::not_read_yet, |v| v.activities.known.clone()),
            telemetry: variant.map_or_else(Fact::not_read_yet, |v| v.telemetry().clone()),
            memory,
        }
    }

    /// What is known of what a variant runs.
    pub(super) fn described(&self, sweep: &Sweep, id: &VariantId) -> Described {
        let endpoint = match sweep.endpoint(&id.endpoint) {
            Fact::Unknown(why) => Fact::Unknown(why).into(),
            Fact::Known(None) => Fact::Known(None).into(),
            Fact::Known(Some(_)) => self.cache.endpoint(&id.endpoint),
        };
        let (config, model) = match endpoint.as_ref() {
            Fact::Unknown(why) => (Fact::Unknown(why.clone()).into(), Fact::Unknown(why).into()),
            Fact::Known(None) => (Fact::Known(None).into(), Fact::Known(None).into()),
            Fact::Known(Some(e)) => (self.cache.config(e), self.cache.model(e, &id.variant)),
        };
        Described { endpoint, config, model }
    }

    /// The reads behind a snapshot.
    fn reads(&self, sweep: &Sweep, id: &VariantId, endpoint: &Fact<Option<Endpoint>>) -> Reads {
        let variant = self.variants.get(id);
        let (from, rows) = (&sweep.reads, sweep.rows_read(&id.resource()));
        let listed = sweep.endpoints.known().is_some_and(|all| all.contains_key(&id.endpoint));
        let described = if listed { self.cache.endpoint_read(&id.endpoint) } else { None };
        // What is not listed is not described: the listing says that there is none.
        let described = described.unwrap_or(from.endpoints);
        let (endpoint_config, model) = match endpoint.known() {
            Some(Some(endpoint)) => self.cache.config_reads(endpoint, &id.variant),
            _ => (Some(described), Some(described)),
        };
        Reads {
            caller: Some(from.caller),
            endpoint: Some(described),
            endpoint_config,
            model,
            scalable_target: Some(rows.target),
            policies: Some(rows.policies),
            scheduled_actions: Some(rows.scheduled_actions),
            activities: variant.and_then(|variant| variant.activities.read),
            alarms: Some(rows.alarms),
            telemetry: variant.and_then(|variant| variant.telemetry_read()),
            steady: variant.is_some_and(|variant| variant.is_steady(sweep.at)),
            memory: self.remembered.read(),
        }
    }
}
