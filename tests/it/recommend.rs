//! Tests of `recommend`: the languages by their parsers and goldens, and `--check` on files of each
//! tool, in the library and as the finished binary over the embedded AWS.

mod binary;
mod files;
pub(crate) mod languages;
