//! Several processes that share out accounts: which has what, its share of the limits, and passes of three
//! shards over one AWS.

mod config;
mod passes;
mod properties;
