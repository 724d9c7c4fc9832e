//! `JMeter`: JTL files, as CSV and as XML: a row or element for each sample.

use chrono::DateTime;

use super::csv_table::Table;
use super::model::{LoopKind, Run, Spacing, Tool};
use super::problem::Problem;
use super::samples::{self, Sample};

/// What a transaction controller writes in its row: the samples in it have rows of their own.
const TRANSACTION: &str = "Number of samples in transaction";

fn run(
    file: &str,
    tool: Tool,
    mut requests: Vec<Sample>,
    transactions: usize,
    cut: bool,
) -> Result<Run, Problem> {
    if requests.is_empty() {
        return Err(Problem::new(file, "the whole file", "no sample", "samples of HTTP requests"));
    }
    // JMeter's threads wait for their answers; a timer changes only the pause between.
    let mut run = Run::new(file, tool, LoopKind::Closed, Spacing::Unknown);
    run.steps = samples::steps(file, &mut requests);
    run.date = requests
        .first()
        .and_then(|first| DateTime::from_timestamp(first.sent as i64, 0))
        .map(|time| time.date_naive());
    if transactions > 0 {
        run.notes.push(format!(
            "{transactions} rows of transaction controllers are left out: their requests have rows \
             of their own"
        ));
    }
    if cut {
        run.doubts.push("the file ends in the middle of a line".to_owned());
    }
    Ok(run)
}

/// JTL as CSV.
pub(super) fn csv(file: &str, text: &str) -> Result<Run, Problem> {
    let (table, cut) = Table::read(file, text)?;
    let [stamp, elapsed, success] =
        [table.needed("timeStamp")?, table.needed("elapsed")?, table.needed("success")?];
    let message = table.column("responseMessage");
    let (mut requests, mut transactions) = (Vec::new(), 0);
    for row in &table.rows {
        let text = message.and_then(|c| row.1.get(c)).unwrap_or_default();
        if text.starts_with(TRANSACTION) {
            transactions += 1;
            continue;
        }
        requests.push(Sample {
            sent: table.number(row, stamp)? / 1e3,
            ms: table.number(row, elapsed)?,
            good: row.1.get(success) == Some("true"),
        });
    }
    run(file, Tool::JmeterCsv, requests, transactions, cut)
}

/// JTL as XML.
pub(super) fn xml(file: &str, text: &str) -> Result<Run, Problem> {
    let mut requests = Vec::new();
    let mut transactions = 0;
    for (i, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices("<httpSample ") {
            let tag = line[at..].split('>').next().unwrap_or_default();
            let needed = |name: &str| {
                let number = attribute(tag, name).and_then(|v| v.parse::<f64>().ok());
                number.ok_or_else(|| {
                    let place = format!("line {}, attribute {name}", i + 1);
                    let found = attribute(tag, name).map_or("nothing".to_owned(), Problem::quoted);
                    Problem::new(file, place, found, "a number of milliseconds")
                })
            };
            requests.push(Sample {
                sent: needed("ts")? / 1e3,
                ms: needed("t")?,
                good: attribute(tag, "s") == Some("true"),
            });
        }
        transactions += usize::from(line.contains("<sample ") && line.contains(TRANSACTION));
    }
    run(file, Tool::JmeterXml, requests, transactions, !text.contains("</testResults>"))
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}
