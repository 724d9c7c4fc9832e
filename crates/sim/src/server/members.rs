//! What the members of CloudWatch's and STS's shapes are, by name: CBOR tags timestamps, and forms
//! have no types at all.

/// The type of a scalar member, or of the elements of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A whole number.
    Integer,
    Number,
    Boolean,
    /// A timestamp.
    Time,
}

/// The type of a member of the operations that are served as CBOR or as a form. A name has one
/// type in all of them.
pub(super) fn kind(member: &str) -> Kind {
    match member {
        "Period" | "MaxDatapoints" | "MaxRecords" | "EvaluationPeriods" | "DatapointsToAlarm"
        | "DurationSeconds" => Kind::Integer,
        "Threshold" => Kind::Number,
        "ReturnData" | "ActionsEnabled" => Kind::Boolean,
        "StartTime"
        | "EndTime"
        | "Timestamps"
        | "Expiration"
        | "StateUpdatedTimestamp"
        | "StateTransitionedTimestamp"
        | "AlarmConfigurationUpdatedTimestamp" => Kind::Time,
        _ => Kind::Text,
    }
}

pub(super) fn is_time(member: &str) -> bool {
    kind(member) == Kind::Time
}
