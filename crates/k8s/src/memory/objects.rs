//! The objects that the memory is in: their names, and one request to one of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use setpoint_core::ports::MemoryError;

use super::super::connect::Cluster;
use super::part::Version;

/// In how many `ConfigMap`s the memory of one process is at most: 32 MiB, which is 10,000 variants at 1 to
/// 3 KiB each. More variants than that are for several shards (docs/scale.md), each of which has as many.
pub const PARTS_MAX: usize = 32;

/// What Kubernetes allows for all keys and values of a `ConfigMap` together (1 MiB).
pub(super) const BYTES_MAX: usize = 1 << 20;

/// The name of a part of the memory, counted from 0: the first has the name itself.
pub fn part_name(name: &str, index: usize) -> String {
    if index == 0 { name.to_owned() } else { format!("{name}-part-{index}") }
}

/// The objects of one name, and those that follow it.
#[derive(Clone)]
pub(super) struct Objects {
    api: Api<ConfigMap>,
    namespace: String,
    name: String,
}

/// Why a request brought nothing.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// The role does not allow it (403).
    Forbidden(MemoryError),
    /// The server says no to it, for another reason.
    Refused(MemoryError),
    /// The server, or somebody on the way, says that it failed: what was sent may still come to pass.
    Failed(MemoryError),
    /// There was no answer: what was sent may still come to pass.
    Unanswered(MemoryError),
}

impl Trouble {
    pub(super) const fn error(&self) -> &MemoryError {
        match self {
            Self::Forbidden(error)
            | Self::Refused(error)
            | Self::Failed(error)
            | Self::Unanswered(error) => error,
        }
    }

    /// Whether a write certainly has no effect, now or later.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Forbidden(_) | Self::Refused(_))
    }
}

/// Counts failures, to notice an outage: each further request would be waited for as long.
#[derive(Debug, Default)]
pub(super) struct Failures(AtomicUsize);

impl Failures {
    /// Takes note of one; whether it is an outage: there was no answer, or the server has failed for the second time.
    pub(super) fn note(&self, trouble: &Trouble) -> bool {
        match trouble {
            Trouble::Unanswered(_) => true,
            Trouble::Failed(_) => self.0.fetch_add(1, Ordering::Relaxed) > 0,
            Trouble::Forbidden(_) | Trouble::Refused(_) => false,
        }
    }
}

/// What became of a write.
pub(super) enum Sent {
    /// The object is now in this state.
    Written(Version),
    /// Somebody else has written it since it was read; nothing was changed.
    Overtaken,
}

impl Objects {
    pub(super) fn new(cluster: &Cluster, name: &str) -> Self {
        Self {
            api: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            namespace: cluster.namespace.clone(),
            name: name.to_owned(),
        }
    }

    pub(super) fn name_of(&self, index: usize) -> String {
        part_name(&self.name, index)
    }

    /// Where a part is, for people.
    pub(super) fn place(&self, index: usize) -> String {
        format!("configmap {}/{}", self.namespace, self.name_of(index))
    }

    pub(super) fn error(&self, index: usize, message: impl std::fmt::Display) -> MemoryError {
        MemoryError { location: self.place(index), message: message.to_string() }
    }

    fn trouble(&self, index: usize, error: &kube::Error) -> Trouble {
        let told = self.error(index, error);
        match error {
            kube::Error::Api(status) if status.code == 403 => Trouble::Forbidden(told),
            kube::Error::Api(status) if status.code < 500 => Trouble::Refused(told),
            kube::Error::Api(_) => Trouble::Failed(told),
            _ => Trouble::Unanswered(told),
        }
    }

    /// The whole of a part, if there is one.
    pub(super) async fn get(&self, index: usize) -> Result<Option<ConfigMap>, Trouble> {
        let found = self.api.get_opt(&self.name_of(index)).await;
        found.map_err(|error| self.trouble(index, &error))
    }

    /// Which state a part is in, without its content.
    pub(super) async fn version(&self, index: usize) -> Result<Option<Version>, Trouble> {
        let found = self.api.get_metadata_opt(&self.name_of(index)).await;
        let found = found.map_err(|error| self.trouble(index, &error))?;
        Ok(found.map(|object| Version::of(&object.metadata)))
    }

    /// Writes a part if nobody has written it since it was read.
    pub(super) async fn write(&self, index: usize, map: &ConfigMap) -> Result<Sent, Trouble> {
        let params = PostParams::default();
        let written = if map.metadata.resource_version.is_some() {
            self.api.replace(&self.name_of(index), &params, map).await
        } else {
            self.api.create(&params, map).await
        };
        match written {
            Ok(map) => Ok(Sent::Written(Version::of(&map.metadata))),
            // 404: it was deleted since.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                Ok(Sent::Overtaken)
            }
            Err(error) => Err(self.trouble(index, &error)),
        }
    }

    /// A part that does not exist yet.
    pub(super) fn empty(&self, index: usize) -> ConfigMap {
        let metadata = ObjectMeta { name: Some(self.name_of(index)), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }
}
