//! `setpoint` keeps the auto scaling targets of Amazon SageMaker endpoints honest.
//!
//! The crates below `crates/` are rooms of the same house and are named like modules:
//! [`model`], [`estimate`], [`decide`], [`variant`] and [`ports`] think; [`aws`] and [`k8s`] reach the world;
//! [`sim`] is a world of our own; [`serve`] is how both answer HTTP. `docs/architecture.md` says who may use whom.

pub use setpoint_aws as aws;
pub use setpoint_core::{decide, estimate, ledger, model, ports, variant, whatif};
pub use setpoint_k8s as k8s;
pub use setpoint_serve as serve;
pub use setpoint_sim as sim;

pub mod act;
pub mod audit;
pub mod calibrate;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod grade;
pub mod http;
pub mod import;
pub mod memory;
pub mod metrics;
pub mod observe;
pub mod recommend;
pub mod reconcile;
pub mod render;
pub mod replay;
pub mod report;
pub mod store;
pub mod system;
pub mod telemetry;
