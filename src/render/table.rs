//! A table for a terminal: columns as wide as what is in them.

use super::printable;

/// Writes rows under their headings; the last column is not padded.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        std::iter::once(headings.iter().map(ToString::to_string).collect())
            .chain(
                rows.iter()
                    .map(|row| row.iter().map(|cell| printable(cell).into_owned()).collect()),
            )
            .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let rows =
            [vec!["a".to_owned(), "12".to_owned()], vec!["long\u{1b}".to_owned(), "1".to_owned()]];
        let text = super::table(&["NAME", "NUMBER"], &rows);
        assert_eq!(text, "NAME   NUMBER\na      12\nlong\u{fffd}  1\n");
    }
}
