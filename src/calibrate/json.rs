//! Numbers out of JSON, with the key in the error.

use serde_json::Value;

use super::problem::Problem;

/// The value at a path of keys.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// Takes a file of JSON objects, one a line, with the number of each line. Answers whether the file
/// ends in the middle of one: a tool that was killed leaves that, and what is before it counts.
pub(super) fn each_line(
    file: &str,
    text: &str,
    mut take: impl FnMut(usize, &str, Value) -> Result<(), Problem>,
) -> Result<bool, Problem> {
    let last = text.lines().count();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(value) => take(i + 1, line, value)?,
            Err(_) if i + 1 == last && !text.ends_with('\n') => return Ok(true),
            Err(error) => {
                let found = format!("{} ({error})", Problem::quoted(line));
                return Err(Problem::new(file, format!("line {}", i + 1), found, "a JSON object"));
            }
        }
    }
    Ok(false)
}

/// A number at a path: a JSON number, or a text that is one.
pub(super) fn number(value: &Value, path: &[&str]) -> Option<f64> {
    let found = at(value, path)?;
    let number = match found {
        Value::String(text) => text.trim().replace(',', "").parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|n: &f64| n.is_finite())
}

/// A number that must be there and must not be negative.
pub(super) fn needed(file: &str, value: &Value, path: &[&str], what: &str) -> Result<f64, Problem> {
    number(value, path).filter(|n| *n >= 0.0).ok_or_else(|| {
        let found = at(value, path).map_or_else(|| "nothing".to_owned(), Value::to_string);
        let found = if found == "nothing" { found } else { Problem::quoted(&found) };
        Problem::new(file, format!("key {}", path.join(".")), found, what)
    })
}
