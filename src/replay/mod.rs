//! REPLAY: a variant driven over recorded telemetry instead of AWS, so that a team can grade
//! `setpoint` on its own past before it lets it write.
//!
//! Architecture invariant: everything but the reading of the file is pure.

pub mod columns;
pub mod csv;
pub mod export;
mod facts;
pub mod output;
pub mod past;
pub mod record;
pub mod report;
pub mod run;
pub mod whatif;

pub use crate::estimate::Refinements;
pub use csv::{CsvError, Recording, Row};
pub use run::{Evaluation, ReplaySettings, Run, replay};
