//! All integration tests, as one binary: it links once.

mod architecture;
mod calculate;
mod cli;
mod config;
mod contract;
mod daemon;
mod decide;
mod estimate;
mod fixtures;
mod http;
mod metrics;
mod render;
mod replay;
mod scenarios;
mod wire;
mod world;
