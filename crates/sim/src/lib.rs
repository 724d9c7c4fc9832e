//! An embedded AWS: the world, its traffic, its faults; ports over it; and a server that speaks
//! AWS's wire protocols.

pub mod api;
pub mod clock;
pub mod fault;
pub mod ports;
pub mod random;
pub mod scenario;
pub mod server;
pub mod service;
pub mod traffic;
pub mod world;

pub use api::Sim;
pub use clock::SimClock;
pub use fault::{Fault, FaultKind};
pub use ports::{aws, aws_observed};
pub use scenario::Scenario;
