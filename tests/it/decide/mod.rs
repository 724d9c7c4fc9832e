//! Decisions: every guard with the difference it holds, and what it lets through.

mod auto;
mod axes;
mod boundaries;
mod by_replay;
mod conditions;
mod documented;
mod drifts;
mod guards;
mod kept_floors;
mod last_known;
mod lasting;
mod lowering;
mod probes;
mod properties;
mod proven;
mod rails;
mod regimes;
mod remembering;
mod removed;
mod settling;
mod slow_instance;
mod steps;
mod watching;
mod world;
