//! What the scaling of a variant should be, going by what is measured and configured: in the
//! languages in which teams keep it, and compared with what a file of theirs keeps.

mod advice;
mod check;
mod floors;
mod kept;
mod languages;

pub use advice::{Basis, Recommendation};
pub use check::{Checked, Compared, Row, State, check, text as check_text};
pub use kept::{Kept, ScheduledMin, Shown, Unread, read};
pub use languages::{Language, text, write};
