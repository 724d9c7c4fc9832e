//! `setpoint` keeps the auto scaling targets of Amazon SageMaker endpoints honest.

pub mod act;
pub mod aws;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod decide;
pub mod estimate;
pub mod grade;
pub mod http;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod observe;
pub mod ports;
pub mod reconcile;
pub mod render;
pub mod replay;
pub mod sim;
pub mod system;
pub mod telemetry;
