//! From an operation's name and its JSON input to the world and back.

use serde_json::Value;

use super::error::WireError;
use super::protocol::Call;
use crate::api::{ApiError, Operation, Sim, drop_nulls};

/// How a call ended when not with an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server refused it before the world saw it.
    Refused(WireError),
    /// The world's own error; some are never delivered.
    World(ApiError),
}

/// The operation that a call names.
///
/// # Errors
/// `UnknownOperationException`, with the operations there are.
pub(super) fn operation(call: &Call) -> Result<Operation, WireError> {
    Operation::parse(call.service, &call.operation).ok_or_else(|| {
        let of_service = Operation::ALL.iter().filter(|o| o.service() == call.service);
        let known: Vec<_> = of_service.map(|o| o.as_str()).collect();
        WireError::client(
            "UnknownOperationException",
            format!(
                "the embedded AWS does not serve {} {:?} (it serves: {})",
                call.service.as_str(),
                call.operation,
                known.join(", ")
            ),
        )
    })
}

/// Runs an operation.
///
/// # Errors
/// `SerializationException` for an input of the wrong shape, and all errors of the world.
pub(super) fn run(sim: &Sim, operation: Operation, mut input: Value) -> Result<Value, Failure> {
    // AWS takes a null for an absent member.
    drop_nulls(&mut input);
    sim.run(operation, input)
        .map_err(|error| Failure::Refused(WireError::serialization(error.to_string())))?
        .map_err(Failure::World)
}
