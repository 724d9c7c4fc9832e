//! Decisions: every guard with the difference it holds, and what it lets through.

mod auto;
mod axes;
mod conditions;
mod drifts;
mod guards;
mod properties;
mod remembering;
mod steps;
mod world;
