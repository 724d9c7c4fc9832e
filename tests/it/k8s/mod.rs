//! Kubernetes: an API server of Leases, `ConfigMap`s and Events in this process, and `setpoint run`
//! as real processes against it.

mod api;
mod cluster;
mod events;
mod failover;
mod installing;
mod jobs;
mod link;
mod meddler;
mod memory;
mod memory_copies;
mod memory_parts;
mod memory_trouble;
mod process;
mod rbac;
mod real;
mod shards;
