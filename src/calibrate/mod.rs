//! From a load test's results to the rate that one instance serves well: what the files of load
//! tools say, the highest step that keeps the objective, and how sure that is. Pure: texts in, data out.

mod ab;
mod csv_table;
mod gatling;
mod hey;
mod jmeter;
mod json;
mod judge;
mod k6;
mod locust;
mod model;
mod output;
mod problem;
mod recognise;
mod recommender;
mod samples;
mod summaries;
mod telemetry;
mod text;
mod vegeta;
mod wrk;

pub use judge::{
    Ask, Bound, Confidence, Found, Reason, Refusal, Verdict, judge, overstated_percent,
};
pub use model::{Latency, LoopKind, Run, Spacing, Step, Tool};
pub use output::{json, table, text, yaml};
pub use problem::Problem;
pub use recognise::{READ, binary, read, recognise};
