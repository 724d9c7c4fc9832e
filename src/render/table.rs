//! A table for a terminal: columns as wide as what is in them, narrower where the terminal is, and
//! none that is empty in every row.

use super::fit::{cell, narrowest};
use super::printable;

/// Blanks between two columns.
const GAP: usize = 2;
/// A name may be broken within a word beyond this.
const WORD_MAX: usize = 24;

/// Writes rows under their headings, within `width` columns where there is a terminal: cells that are
/// too wide go on below. Where even that has no room, what is in the first column gets a line of its
/// own. The last column is not padded.
pub fn table(headings: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let mut all: Vec<Vec<String>> =
        vec![headings.iter().map(ToString::to_string).collect::<Vec<_>>()];
    all.extend(rows.iter().map(|row| row.iter().map(|c| printable(c).into_owned()).collect()));
    let filled = |column: &usize| {
        let cells = || all.iter().skip(1).filter_map(|row| row.get(*column));
        rows.is_empty() || cells().any(|cell| !cell.is_empty())
    };
    let kept: Vec<usize> = (0..headings.len()).filter(filled).collect();
    let all: Vec<Vec<&str>> = all
        .iter()
        .map(|row| kept.iter().map(|at| row.get(*at).map_or("", String::as_str)).collect())
        .collect();
    let of = |first: usize, measure: fn(&str) -> usize| -> Vec<usize> {
        let column = |at: usize| all.iter().map(|row| measure(row[at])).max().unwrap_or_default();
        (first..kept.len()).map(column).collect()
    };
    let natural = of(0, |text| text.chars().count());
    let Some(width) = width else { return lines(&all, &natural, 0) };
    let least = of(0, |text| narrowest(text).min(WORD_MAX));
    if let Some(widths) = narrowed(&natural, &least, width) {
        return lines(&all, &widths, 0);
    }
    // The first column on lines of its own.
    let rest = of(1, |text| text.chars().count());
    let least = of(1, |text| narrowest(text).min(WORD_MAX));
    let widths = narrowed(&rest, &least, width.saturating_sub(GAP)).unwrap_or(least);
    lines(&all, &widths, 1)
}

/// Widths that fit, the widest columns having given way first; none when that takes more than there is.
fn narrowed(natural: &[usize], least: &[usize], width: usize) -> Option<Vec<usize>> {
    let gaps = GAP * natural.len().saturating_sub(1);
    let sum = |widths: &[usize]| widths.iter().sum::<usize>() + gaps;
    if sum(least) > width {
        return None;
    }
    let mut widths = natural.to_vec();
    while sum(&widths) > width {
        let spare = (0..widths.len()).filter(|at| widths[*at] > least[*at]);
        let widest = spare.max_by_key(|at| widths[*at])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

/// The rows; the first `apart` cells of each are on lines of their own.
fn lines(rows: &[Vec<&str>], widths: &[usize], apart: usize) -> String {
    let mut out = String::new();
    let mut push = |line: &str| {
        out.push_str(line.trim_end());
        out.push('\n');
    };
    for row in rows {
        let (names, cells) = row.split_at(apart.min(row.len()));
        for name in names {
            push(name);
        }
        let cells: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(text, width)| cell(text, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        for at in 0..height {
            let part = |(lines, width): (&Vec<String>, &usize)| {
                let text = lines.get(at).map_or("", String::as_str);
                format!("{text:<width$}")
            };
            let parts: Vec<String> = cells.iter().zip(widths).map(part).collect();
            push(&(" ".repeat(GAP * apart) + &parts.join("  ")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::table;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let rows = [row(&["a", "12"]), row(&["long\u{1b}", "1"])];
        let text = table(&["NAME", "NUMBER"], &rows, None);
        assert_eq!(text, "NAME   NUMBER\na      12\nlong\u{fffd}  1\n");
    }

    #[test]
    fn a_column_without_any_content_is_left_out() {
        let rows = [row(&["a", "", "1"]), row(&["b", "", ""])];
        assert_eq!(table(&["NAME", "REMARKS", "N"], &rows, None), "NAME  N\na     1\nb\n");
        assert_eq!(table(&["NAME", "REMARKS"], &[], None), "NAME  REMARKS\n");
    }

    #[test]
    fn a_table_fits_and_loses_nothing() {
        let rows = [
            row(&["churn-predictor/AllTraffic", "in_sync", "900", "one two three four five six"]),
            row(&["a/b", "not_compared", "1200", "-"]),
        ];
        let head = ["VARIANT", "CONFIGURED", "TARGET", "WHY"];
        let words = |text: &str| {
            let mut all: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
            all.sort_unstable();
            all
        };
        let whole = table(&head, &rows, None);
        for width in [40, 60, 80, 200] {
            let text = table(&head, &rows, Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            assert_eq!(words(&text), words(&whole), "{width}");
        }
        assert_eq!(table(&head, &rows, Some(200)), whole);
        let narrow = table(&["NAME", "A", "B"], &[row(&["e/v", "wwwwwwww", "xxxxxxxx"])], Some(20));
        assert_eq!(narrow, "NAME\n  A         B\ne/v\n  wwwwwwww  xxxxxxxx\n");
    }
}
