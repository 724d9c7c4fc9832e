//! `setpoint replay --variant`: a decision of a running daemon made once more, without AWS.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::Output;
use crate::cli::CliError;
use crate::cli::exit::Exit;
use crate::cli::input::Input;
use crate::cli::out::{out, outln};
use crate::render::explain::explain;
use crate::render::view::VariantView;
use crate::replay::record::{Record, Redecided};

/// The largest record. One of a variant with 14 days of traffic has some 150 KB.
const BYTES_MAX: u64 = 16 << 20;

/// Decides once more on the variant in this file; `-` is standard input.
///
/// # Errors
/// When the file cannot be read, or is not a variant of the API.
pub(super) fn run(path: &Path, output: Output) -> Result<ExitCode, CliError> {
    let file = Input::read(path, BYTES_MAX, None)?;
    let again = Record::parse(&file.bytes).and_then(Record::decide);
    let again = again.map_err(|error| file.failed(error))?;
    match output {
        Output::Table => {
            out!("{}", explain(&again.status));
            outln!("\n{}", comparison(&again));
        }
        Output::Json => {
            let decision = VariantView::of(&again.status).decision;
            outln!(
                "{:#}",
                json!({
                    "same": again.differs.is_empty(),
                    "estimated": again.is_estimated,
                    "recorded_by": again.version,
                    "differs": again.differs,
                    "decision": decision,
                })
            );
        }
        Output::Csv => return Err(CliError::usage("--variant has no CSV: use -o table or json")),
    }
    Ok(if again.differs.is_empty() { Exit::Done } else { Exit::Differs }.into())
}

/// Whether it is the same decision, in a sentence and a line for each key that differs.
fn comparison(again: &Redecided) -> String {
    if again.differs.is_empty() {
        let of = if again.is_estimated {
            "estimate and the decision"
        } else {
            "decision (the record has no estimator that this version reads, so capacity was not estimated again)"
        };
        return format!("This is the {of} that setpoint {} recorded.", again.version);
    }
    let decides = again.differs.iter().any(|differs| differs.key.starts_with("decision."));
    let what = if decides { "decision" } else { "estimate, but the same decision," };
    let own = env!("CARGO_PKG_VERSION");
    let why = if again.version == own {
        "the version is the same, so the record was edited or belongs to another build.".to_owned()
    } else {
        format!("this is setpoint {own}.")
    };
    let mut text =
        format!("This is not the {what} that setpoint {} recorded; {why}", again.version);
    for difference in &again.differs {
        let line = format!(
            "\n  {}: recorded {}, now {}",
            difference.key, difference.recorded, difference.now
        );
        text.push_str(&line);
    }
    text
}
