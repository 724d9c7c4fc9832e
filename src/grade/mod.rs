//! GRADE: the estimator and the decision against the embedded AWS, which knows the truth.
//!
//! Two questions: how far is the estimate from the truth, and how does the service fare when the
//! decisions are applied? Each beside what is simpler.

mod cases;
mod closed;
mod open;
mod summary;
mod telemetry;

pub use cases::{Case, Class, cases};
pub use closed::{ClosedLoop, Policy, closed_loop};
pub use open::{Checkpoint, Graded, Reported, grade};
pub use summary::{Errors, Fared, Summary, summarise};
