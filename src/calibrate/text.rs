//! Numbers out of the reports that tools print for people.

use super::problem::Problem;

/// A time with its unit, such as `123.98ms`, `1.2s`, `850.1µs` or `1m2.5s`, in milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut total = None;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = &rest[end..];
        let len = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let in_ms = match unit[..len].trim() {
            "ns" => 1e-6,
            "us" | "µs" | "μs" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 60e3,
            "h" => 3600e3,
            _ => return None,
        };
        total = Some(total.unwrap_or(0.0) + number * in_ms);
        rest = &unit[len..];
    }
    total
}

/// The rest of the first line that begins with a label, with the line's number.
pub(super) fn after<'a>(text: &'a str, label: &str) -> Option<(usize, &'a str)> {
    text.lines()
        .enumerate()
        .find_map(|(i, line)| Some((i + 1, line.trim_start().strip_prefix(label)?.trim())))
}

/// The reports of a file, each from where it begins to where the next one does.
pub(super) fn reports<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let starts: Vec<usize> = text.match_indices(start).map(|(at, _)| at).collect();
    let end_of = |i: usize| starts.get(i + 1).copied().unwrap_or(text.len());
    starts.iter().enumerate().map(|(i, start)| &text[*start..end_of(i)]).collect()
}

/// The number behind a label of a report, which every whole report of the tool has.
pub(super) fn needed(file: &str, text: &str, label: &str, tool: &str) -> Result<f64, Problem> {
    let found = after(text, label);
    found.and_then(|(_, rest)| first_number(rest)).ok_or_else(|| {
        let found = found.map_or_else(|| "no such line".to_owned(), |f| Problem::quoted(f.1));
        let read = format!("a number, in a whole report of {tool}");
        Problem::new(file, format!("line {label}"), found, read)
    })
}

/// The first number of a text.
pub(super) fn first_number(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_mixed_units() {
        for (text, ms) in [
            ("123.98ms", 123.98),
            ("1.20s", 1200.0),
            ("850.5us", 0.8505),
            ("850.5µs", 0.8505),
            ("1m2.5s", 62_500.0),
            ("120ns", 0.000_12),
        ] {
            let found = milliseconds(text).unwrap();
            assert!((found - ms).abs() < 1e-9, "{text}: {found}");
        }
        for wrong in ["", "12", "ms", "12 parsecs"] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
    }
}
