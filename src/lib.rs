//! `setpoint` keeps the auto scaling targets of Amazon SageMaker endpoints honest.
//!
//! The crates below `crates/` are rooms of the same house and are named like modules:
//! [`model`], [`estimate`], [`decide`], [`variant`] and [`ports`] think; [`aws`] and [`k8s`] reach the world;
//! [`sim`] is a world of our own; [`serve`] is how both answer HTTP. Below they are in reading order.
//! `docs/architecture.md` says who may use whom, and walks one variant from end to end.

// Think: what is known, how it is judged, what is done about it.
pub use setpoint_core::{compact, decide, estimate, model, ports, reaction_time, variant, whatif};

// Reach the world, or one of our own.
pub use setpoint_aws as aws;
pub use setpoint_k8s as k8s;
pub use setpoint_serve as serve;
pub use setpoint_sim as sim;

// One pass: read, decide, write.
pub mod act;
pub mod observe;
pub mod reconcile;

// The daemon around the passes, and what it needs of this machine.
pub mod config;
pub mod daemon;
pub mod memory;
pub mod store;
pub mod system;
pub mod telemetry;

// What people and Prometheus see of it.
pub mod http;
pub mod metrics;
pub mod render;

// What answers a question without a daemon.
pub mod audit;
pub mod calibrate;
pub mod doctor;
pub mod grade;
pub mod import;
pub mod recommend;
pub mod replay;
pub mod report;

// The commands: the composition root.
pub mod cli;

/// The allocator of every program that is made from this library (docs/decisions/allocator.md);
/// `.cargo/config.toml` has how it is built.
#[cfg(all(feature = "jemalloc", target_os = "linux"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
