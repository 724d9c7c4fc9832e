//! The embedded AWS on the wire: the real SDK clients, raw HTTP, boto3 and the finished binary.

#![expect(clippy::expect_used, clippy::panic, reason = "a helper that fails fails its test")]

pub(crate) mod binary;
mod boto3;
mod cloudwatch;
mod control;
mod protocols;
mod sagemaker;
mod scaling;
pub(crate) mod support;
