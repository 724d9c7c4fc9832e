//! Events of text logs in one line each, whatever a message of somebody else holds: a line break
//! in it must not make a second, forged event.

use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;

/// The message, and `name=value` for each field, without control characters.
pub(super) fn one_line() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    debug_fn(|writer, field, value| {
        if field.name() != "message" {
            write!(writer, "{}=", field.name())?;
        }
        for c in format!("{value:?}").chars() {
            if c.is_control() {
                write!(writer, "{}", c.escape_default())?;
            } else {
                writer.write_char(c)?;
            }
        }
        Ok(())
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_forges_an_event() {
        let out = Shared::default();
        let writer = out.clone();
        let logs = tracing_subscriber::fmt()
            .fmt_fields(one_line())
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let forged = "no\n2026-11-23T12:00:00Z ERROR setpoint: all is lost\r\n\u{1b}[31m";
        tracing::subscriber::with_default(logs, || {
            tracing::warn!(error = %forged, text = forged, count = 3, "AWS says {forged}");
        });
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.ends_with('\n') && !text.contains('\u{1b}') && !text.contains('\r'), "{text}");
        assert!(text.contains("AWS says no\\n2026-11-23T12:00:00Z ERROR"), "{text}");
        assert!(text.contains(r" count=3") && text.contains(r"error=no\n2026"), "{text}");
    }
}
