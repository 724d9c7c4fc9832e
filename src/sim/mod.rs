//! An embedded AWS: the world, its traffic, its faults; ports over it; and a server that speaks
//! AWS's wire protocols.
