//! CSV with a header: columns by name, and errors with line and column.

use super::problem::Problem;

/// A file's header and rows.
pub(super) struct Table<'a> {
    file: &'a str,
    header: Vec<String>,
    /// Line number and cells.
    pub(super) rows: Vec<(u64, csv::StringRecord)>,
}

impl<'a> Table<'a> {
    /// Reads all of it. A last row that is cut short is left out, and so said by `true`: a test
    /// that was stopped leaves one.
    pub(super) fn read(file: &'a str, text: &str) -> Result<(Self, bool), Problem> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let broken = |error: &csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            Problem::new(file, format!("line {line}"), error.to_string(), "CSV")
        };
        let header = reader.headers().map_err(|e| broken(&e))?;
        let header: Vec<String> = header.iter().map(|h| h.trim().to_owned()).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| broken(&e))?;
            rows.push((record.position().map_or(0, csv::Position::line), record));
        }
        let cut = rows.last().is_some_and(|(_, row)| row.len() < header.len());
        if cut {
            rows.pop();
        }
        let whole = |row: &(u64, csv::StringRecord)| row.1.len() >= header.len();
        if let Some((line, row)) = rows.iter().find(|row| !whole(row)) {
            let found = format!("{} cells", row.len());
            let read = format!("{} cells, as in the header", header.len());
            return Err(Problem::new(file, format!("line {line}"), found, read));
        }
        Ok((Self { file, header, rows }, cut))
    }

    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|h| h == name)
    }

    /// Where a column is that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<usize, Problem> {
        self.column(name).ok_or_else(|| {
            let found = Problem::quoted(&self.header.join(","));
            Problem::new(self.file, "line 1", found, format!("a column {name}"))
        })
    }

    pub(super) fn number(
        &self,
        (line, row): &(u64, csv::StringRecord),
        column: usize,
    ) -> Result<f64, Problem> {
        let cell = row.get(column).unwrap_or_default();
        let number = cell.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        number.ok_or_else(|| {
            let name = self.header.get(column).map_or("", String::as_str);
            let place = format!("line {line}, column {name}");
            Problem::new(self.file, place, Problem::quoted(cell), "a number")
        })
    }
}
