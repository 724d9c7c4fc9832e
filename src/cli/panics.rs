//! Bugs of ours, told where everything else is told: a panic is a line of the log and a count,
//! wherever it happens. Passes, writes and connections that one ends are gone on with by
//! themselves.

use crate::metrics::ProcessMetrics;

/// Logs and counts every panic of the process from now on.
pub(super) fn tell(metrics: &ProcessMetrics) {
    let metrics = metrics.clone();
    std::panic::set_hook(Box::new(move |panic| {
        metrics.panicked();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            place,
            "setpoint panicked, a bug: {}",
            message.unwrap_or("without a message")
        );
    }));
}
