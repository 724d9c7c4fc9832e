//! The finished binary against the embedded AWS on the wire: `run`, `plan` and `apply`.

mod blind;
mod broken_memory;
mod callers;
mod commands;
mod control;
mod crashes;
mod getting;
mod observing;
mod oncall;
pub(crate) mod process;
mod strange;
mod surroundings;
mod tags;
