//! Gatling's `simulation.log` as text, which Gatling wrote until 3.10: a line for each request.

use chrono::DateTime;

use super::model::{LoopKind, Run, Tool};
use super::problem::Problem;
use super::samples::{self, Sample};

/// What the first field of a line of this log can be.
const RECORDS: [&str; 6] = ["RUN", "USER", "REQUEST", "GROUP", "ERROR", "ASSERTION"];
/// What is read of a request, for people.
const READ: &str = "a line of tabs: REQUEST, group, name, start and end in milliseconds, OK or KO";

/// Whether a text is such a log, by its first line.
pub(super) fn is_log(first: &str) -> bool {
    let fields: Vec<&str> = first.split('\t').collect();
    fields.len() >= 4 && RECORDS.contains(&fields[0])
}

/// Reads it.
pub(super) fn log(file: &str, text: &str) -> Result<Run, Problem> {
    let (mut requests, mut cut) = (Vec::new(), false);
    let last = text.lines().count();
    for (i, line) in text.lines().enumerate() {
        let record = line.split('\t').next().unwrap_or_default();
        let is_last = i + 1 == last && !text.ends_with('\n');
        if record == "REQUEST" {
            match request(line) {
                Some(sample) => requests.push(sample),
                None if is_last => cut = true,
                None => return Err(wrong(file, i, line)),
            }
        } else if is_last && !RECORDS.contains(&record) {
            cut = true;
        } else if !RECORDS.contains(&record) && !line.trim().is_empty() {
            return Err(wrong(file, i, line));
        }
    }
    if requests.is_empty() {
        return Err(Problem::new(file, "the whole file", "no line REQUEST", READ));
    }
    let steps = samples::steps(file, &mut requests);
    // Whole milliseconds are too coarse to tell how a quick test spaced its requests.
    let spacing = samples::spacing(&requests);
    let mut run = Run::new(file, Tool::GatlingLog, LoopKind::Unknown, spacing);
    run.steps = steps;
    run.date = requests
        .first()
        .and_then(|first| DateTime::from_timestamp(first.sent as i64, 0))
        .map(|time| time.date_naive());
    if cut {
        run.doubts.push("the file ends in the middle of a line".to_owned());
    }
    Ok(run)
}

/// A request: the fields before its status are its start and its end, whatever comes before them. (Until 3.3
/// the number of the user came first.)
fn request(line: &str) -> Option<Sample> {
    let fields: Vec<&str> = line.split('\t').collect();
    let status = fields.iter().skip(4).position(|f| matches!(*f, "OK" | "KO"))? + 4;
    let ms = |at: usize| fields[at].parse::<u64>().ok().map(|ms| ms as f64);
    let (start, end) = (ms(status - 2)?, ms(status - 1)?);
    (end >= start).then(|| Sample {
        sent: start / 1e3,
        ms: end - start,
        good: fields[status] == "OK",
    })
}

fn wrong(file: &str, index: usize, line: &str) -> Problem {
    Problem::new(file, format!("line {}", index + 1), Problem::quoted(line), READ)
}
