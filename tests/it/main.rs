//! All integration tests, as one binary: it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions only, and helpers are tests too"
)]

mod accounts;
mod architecture;
mod auditing;
mod auditing_telemetry;
mod between;
mod calculate;
mod calibrate;
mod calls;
mod cli;
mod closed_loop;
mod command_line;
mod config;
mod contract;
mod daemon;
mod decide;
mod drift;
mod estimate;
mod estimate_filters;
mod evidence;
mod fixtures;
mod floors;
mod floors_kept;
mod harness;
mod history;
mod http;
mod importing;
mod k8s;
mod lows;
mod memory_tags;
mod metrics;
mod packaging;
mod pages;
mod per_instance;
mod reading;
mod recommend;
mod refinements;
mod render;
mod replay;
mod replayed;
mod report;
mod scenarios;
mod seldom;
mod sharding;
mod siblings;
mod store;
mod style;
mod swarm;
mod wandering;
mod whatif;
mod whatif_truth;
mod wire;
mod world;
