//! Ports over the AWS SDK: the only place that names it.
