//! What a fleet wastes and what it risks, in hours, and in dollars where prices are known.

mod html;
mod rows;
mod text;

pub use html::html;
pub use rows::{Ask, DEFAULT_IDLE_DAYS, Prices, Report, Row, report};
pub use text::{csv, text};
