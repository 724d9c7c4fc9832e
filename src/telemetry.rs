//! Structured logs by `tracing-subscriber`: text or JSON, filtered by level, on stderr.

mod one_line;

use std::io::IsTerminal;

use tracing_subscriber::util::SubscriberInitExt;

use crate::config::settings::{LogFormat, LogSettings, parse_level};

/// Why logs could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// The level is neither a level nor a list of directives.
    #[error("log.level {level:?}: {why}")]
    Level {
        /// What was configured.
        level: String,
        /// What is wrong with it.
        why: String,
    },
    /// The process already has a subscriber.
    #[error("logs are already set up")]
    AlreadySet,
}

/// Sends the process's logs to stderr, so that stdout stays free for what a command prints. To be
/// called once, by the composition root.
///
/// # Errors
/// When the level cannot be read, or logs are already set up.
pub fn init(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = parse_level(&settings.level)
        .map_err(|why| TelemetryError::Level { level: settings.level.clone(), why })?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match settings.format {
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal();
            logs.fmt_fields(one_line::one_line()).with_ansi(ansi).finish().try_init()
        }
        // Flat events: a decision's fields are keys of the line itself, where log queries look.
        LogFormat::Json => logs.json().flatten_event(true).finish().try_init(),
    };
    result.map_err(|_| TelemetryError::AlreadySet)
}
