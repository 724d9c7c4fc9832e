//! Kubernetes: an API server of Leases, `ConfigMap`s and Events in this process, and `setpoint run`
//! as real processes against it.

mod api;
mod failover;
mod memory;
mod process;
