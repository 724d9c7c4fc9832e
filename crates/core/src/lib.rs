//! THINK: what `setpoint` knows and how it reasons. Nouns (`model`), how capacity is estimated
//! (`estimate`), what another choice would have done (`whatif`), what is done about it (`decide`), all
//! of it for one variant (`variant`), and what it needs of the world (`ports`).
//!
//! Architecture invariant: pure. No clock, no I/O, no async runtime, no AWS SDK, no Kubernetes.

pub(crate) mod compact;
pub mod decide;
pub mod estimate;
pub mod ledger;
pub mod model;
pub mod ports;
pub mod variant;
pub mod whatif;
