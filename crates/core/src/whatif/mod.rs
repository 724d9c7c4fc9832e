//! THINK: what another choice would have done with a variant's own recorded minutes.
//!
//! A fast simulator of AWS's target tracking ([`fleet`]) runs recorded traffic ([`traffic`])
//! through a choice of target value, cooldowns, min and max, scheduled floors or a fixed count
//! ([`choice`]). What is not known for sure, the capacity and the reaction time, is drawn
//! ([`draws`]), with the same draws for every choice, so that a difference between two choices is
//! theirs and not chance's ([`answer`]). From it follow the safety factor that a budget allows
//! ([`factor`]) and the floors that would pay ([`floors`]), by the shape of the week ([`week`]).
//!
//! Architecture invariant: pure. Draws are a function of a seed; nothing in here reads a clock.

pub mod answer;
pub mod choice;
mod curve;
pub mod draws;
pub mod factor;
pub mod fleet;
pub mod floors;
mod saturation;
pub mod traffic;
pub mod week;

pub use answer::{Answer, Figures, Question, Range, ask};
pub use choice::{Choice, Floors, Scaling, Tracking};
pub use draws::Draw;
pub use fleet::{Outcome, run};
pub use traffic::Traffic;
