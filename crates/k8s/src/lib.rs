//! Ports over Kubernetes: who leads (a Lease), what is remembered (a `ConfigMap`), and where
//! decisions are reported (Events). The only place that names `kube`.
//!
//! `lease` decides without a clock or a network of its own; `elector` carries it out; `fence` is
//! what is looked at right before a write.

mod connect;
mod elector;
mod events;
mod fence;
pub mod lease;
mod memory;
mod notice;
mod peers;
mod role;

pub use connect::{Cluster, ConnectError, Identity, Settings, connect};
pub use elector::{ADDRESS_ANNOTATION, Elector, ElectorDied, SCOPES_ANNOTATION, Term};
pub use events::{EventSettings, KubernetesEvents, Regarding};
pub use fence::{BootClock, BootTime, Fence};
pub use memory::{ConfigMapMemory, PARTS_MAX, part_name};
pub use peers::Part;
pub use role::ROLE_LABEL;
