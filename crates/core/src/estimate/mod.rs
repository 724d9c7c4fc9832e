//! THINK: telemetry -> [`Estimate`](crate::model::Estimate), the capacity of one instance.
//!
//! We count, per load level, how many minutes broke the objective; the capacity is the load where
//! that share crosses 10 %, the load test is the opinion we start from, and after a deploy the
//! estimate is shifted by how much slower the median became at equal load. `docs/estimation.md`
//! tells the story; here is one small file for each step:
//!
//! [`filter`] and [`low_traffic`] choose the minutes, [`evidence`] counts them, [`regime`] cuts
//! time where the service changed, [`speed`] compares the pieces, [`likelihood`] weighs each
//! capacity against the counts, [`chain`] carries what is known from one regime to the next,
//! [`verdict`] says how much of it is proven, and [`divergence`] compares that with what is
//! configured.
//!
//! Architecture invariant: nothing in here reads a clock, does I/O, logs or draws random numbers.
//! An estimator is a pure function of its settings, the minutes pushed, the deploys declared and
//! the journal it was restored from.

mod assess;
mod at_rest;
mod book;
mod chain;
pub(crate) mod divergence;
mod estimator;
mod evidence;
mod filter;
mod fingerprint;
mod fit;
mod grid;
mod incident;
mod incident_minutes;
mod joining;
mod journal;
mod knee;
mod likelihood;
mod low_traffic;
mod lows;
mod overloads;
mod per_instance;
mod power;
mod regime;
mod sentence;
mod settings;
mod shown;
mod siblings;
mod slowdown;
mod speed;
mod tally;
mod throughput;
mod usual;
mod verdict;
mod wander;

pub use estimator::{Estimator, Hourly, LoadTested, Pushed};
pub use filter::by_own_load;
pub use fingerprint::Fingerprint;
pub use journal::{Journal, JournalError};
pub use likelihood::Scratch;
pub use per_instance::{Compared, InstanceColumns, SLOW_FROM, UNEVEN_FROM, compare_instances};
pub use settings::{Context, EstimatorSettings, Refinements};
pub use siblings::Families;
