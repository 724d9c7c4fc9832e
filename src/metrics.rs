//! Prometheus metrics of the process and of every variant.
