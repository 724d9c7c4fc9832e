//! SageMaker as seen through a glass that a scenario can bend: statuses that the world does not
//! have, and somebody who acts between a reading and a write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use setpoint::model::endpoint::{Endpoint, EndpointConfig, EndpointStatus, EndpointSummary, Model};
use setpoint::model::ids::EndpointName;
use setpoint::model::listing::Listing;
use setpoint::model::tags::EndpointTags;
use setpoint::ports::{Endpoints, PortResult};
use setpoint::sim::Sim;
use setpoint::sim::scenario::Change;

/// What is bent.
#[derive(Default)]
pub(super) struct Bends {
    /// Endpoints that have another status than the truth.
    pub(super) statuses: BTreeMap<EndpointName, EndpointStatus>,
    /// What happens when an endpoint is described next.
    pub(super) meanwhile: Vec<Change>,
}

/// The port.
pub(super) struct Warp {
    pub(super) truth: Arc<dyn Endpoints>,
    pub(super) bends: Arc<Mutex<Bends>>,
    pub(super) sim: Sim,
}

impl Warp {
    fn status(&self, name: &EndpointName) -> Option<EndpointStatus> {
        self.bends.lock().unwrap().statuses.get(name).cloned()
    }
}

#[async_trait]
impl Endpoints for Warp {
    async fn list_endpoints(&self) -> PortResult<Listing<EndpointSummary>> {
        let mut all = self.truth.list_endpoints().await?;
        for summary in all.iter_mut() {
            if let Some(status) = self.status(&summary.name) {
                summary.status = status;
            }
        }
        Ok(all)
    }

    async fn endpoint(&self, name: &EndpointName) -> PortResult<Option<Endpoint>> {
        let changes = std::mem::take(&mut self.bends.lock().unwrap().meanwhile);
        for change in changes {
            self.sim.with_world(|world| world.change(&change)).unwrap();
        }
        let mut endpoint = self.truth.endpoint(name).await?;
        if let (Some(endpoint), Some(status)) = (&mut endpoint, self.status(name)) {
            endpoint.status = status;
        }
        Ok(endpoint)
    }

    async fn endpoint_config(&self, name: &str) -> PortResult<Option<EndpointConfig>> {
        self.truth.endpoint_config(name).await
    }

    async fn model(&self, name: &str) -> PortResult<Option<Model>> {
        self.truth.model(name).await
    }

    async fn endpoint_tags(&self) -> PortResult<EndpointTags> {
        self.truth.endpoint_tags().await
    }
}
