//! Layers -> validated Config.
