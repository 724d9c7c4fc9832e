//! THINK: what `setpoint` knows and how it reasons. Nouns (`model`), how capacity is estimated
//! (`estimate`), what another choice would have done (`whatif`), what is done about it (`decide`), all
//! of it for one variant (`variant`), and what it needs of the world (`ports`).
//!
//! Architecture invariant: pure. No clock, no I/O, no async runtime, no AWS SDK, no Kubernetes.

pub mod compact;
pub mod decide;
pub mod estimate;
pub mod model;
pub mod ports;
pub mod reaction_time;
pub mod variant;
pub mod whatif;
