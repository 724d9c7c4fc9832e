//! Bugs of ours, logged where everything else is logged: a panic is a line of the log and a count,
//! wherever it happens. Passes, writes and connections that one ends are gone on with by
//! themselves.

use crate::metrics::ProcessMetrics;

/// Logs and counts every panic of the process from now on.
pub(super) fn log(metrics: &ProcessMetrics) {
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

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn a_panic_is_counted() {
        let registry = Registry::new();
        let metrics = ProcessMetrics::register(&registry).unwrap();
        log(&metrics);
        let broken = std::panic::catch_unwind(|| panic!("a bug of ours"));
        // The others' panics are their own.
        let _ = std::panic::take_hook();
        assert!(broken.is_err());
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("setpoint_panics_total "));
        // Tests beside this one may have panicked meanwhile.
        assert!(line.unwrap().parse::<f64>().unwrap() >= 1.0, "{text}");
    }
}
