//! Text, JSON and HTML of decisions. Pure.
