//! All integration tests, as one binary: it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions only, and helpers are tests too"
)]

mod accounts;
mod architecture;
mod between;
mod calculate;
mod calibrate;
mod calls;
mod cli;
mod config;
mod contract;
mod daemon;
mod decide;
mod drift;
mod estimate;
mod estimate_filters;
mod fixtures;
mod http;
mod k8s;
mod memory_tags;
mod metrics;
mod packaging;
mod reading;
mod refinements;
mod render;
mod replay;
mod scenarios;
mod swarm;
mod whatif;
mod wire;
mod world;
