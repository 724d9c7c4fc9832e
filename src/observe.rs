//! READ: ports -> Snapshot.
