//! Many variants: schedule, concurrency, leadership, reload, shutdown, publishing.
