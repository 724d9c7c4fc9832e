//! Text that fits a terminal: lines are broken between words and go on below where they began, and
//! columns of tables get narrower. Nothing is cut off, and where there is no terminal nothing changes.

/// A line goes on below its last column; further right than this share of the width there would be no
/// room left.
const INDENT_MAX: f64 = 0.6;
/// The shortest room in which it is worth going on at a column.
const ROOM_MIN: usize = 20;

/// Breaks lines that are wider than the terminal. Colour codes take no room.
pub fn fit(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        if columns(line) <= width {
            out.push_str(line);
        } else {
            broken(&mut out, line, width);
        }
        out.push_str(end);
    }
    out
}

/// The columns that a text takes, without its colour codes.
pub(super) fn columns(text: &str) -> usize {
    visible(text).count()
}

/// The characters that are seen, each with its place in bytes.
fn visible(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut inside = false;
    text.char_indices().filter(move |(_, c)| {
        let begins = *c == '\u{1b}';
        let hidden = inside || begins;
        // Of the codes that are used here each ends with a letter.
        inside = hidden && (begins || !c.is_ascii_alphabetic());
        !hidden
    })
}

/// Where the last column of a line begins: after the last run of blanks that leaves room beside it.
fn indent(line: &str, width: usize) -> usize {
    let most = ((width as f64 * INDENT_MAX) as usize).min(width.saturating_sub(ROOM_MIN));
    let chars: Vec<char> = visible(line).map(|(_, c)| c).collect();
    let first = chars.iter().take_while(|c| **c == ' ').count();
    let column = |at: &usize| chars[at - 2..*at] == [' ', ' '] && chars[*at] != ' ';
    let last = (first + 2..chars.len().min(most + 1)).rev().find(column);
    last.unwrap_or(first).min(most)
}

fn broken(out: &mut String, line: &str, width: usize) {
    let indent = indent(line, width);
    let seen: Vec<(usize, char)> = visible(line).collect();
    let (mut from, mut room) = (0, width);
    loop {
        if seen.len() - from <= room {
            out.push_str(&line[place(&seen, from, line)..]);
            return;
        }
        // After the last blank that fits; a word that is longer than the room stays whole.
        let blank = |at: &usize| seen[*at].1 == ' ';
        let least = if from == 0 { indent + 1 } else { from + 1 };
        let fits = (least..=from + room).rev().find(blank);
        let Some(at) = fits.or_else(|| (from + room..seen.len()).find(blank)) else {
            out.push_str(&line[place(&seen, from, line)..]);
            return;
        };
        out.push_str(line[place(&seen, from, line)..seen[at].0].trim_end_matches(' '));
        out.push('\n');
        out.push_str(&" ".repeat(indent));
        from = (at..seen.len()).find(|next| seen[*next].1 != ' ').unwrap_or(seen.len());
        room = width - indent;
    }
}

/// Where a visible character is; colour codes right before it go with it.
fn place(seen: &[(usize, char)], at: usize, line: &str) -> usize {
    match at {
        0 => 0,
        at => seen.get(at - 1).map_or(line.len(), |(place, c)| place + c.len_utf8()),
    }
}

/// The lines of a cell of so many columns: broken between words, then after `/` and `_`, and only then
/// anywhere.
pub(super) fn cell(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut taken = 0;
    for piece in pieces(text) {
        let solid = piece.trim_end().chars().count();
        if taken > 0 && taken + solid > width {
            lines.push(String::new());
            taken = 0;
        }
        for c in piece.chars() {
            if taken >= width && c != ' ' {
                lines.push(String::new());
                taken = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            taken += 1;
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// The columns without which a cell is broken within a word.
pub(super) fn narrowest(text: &str) -> usize {
    pieces(text).map(|piece| piece.trim_end().chars().count()).max().unwrap_or_default()
}

/// A text in pieces after each of which it may be broken. An instant and a range are one piece.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let named = text.contains('/') || !text.starts_with(|c: char| c.is_ascii_digit());
    text.split_inclusive(move |c| c == ' ' || (named && matches!(c, '/' | '_' | '-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_below_its_last_column() {
        let line = "  ~ scorer/AllTraffic  one two three four five six seven eight nine ten\n";
        let wanted = "  ~ scorer/AllTraffic  one two three four\n                       five six seven eight\n\
                      \u{20}                      nine ten\n";
        assert_eq!(fit(line, Some(43)), wanted);
        for width in [None, Some(80), Some(200)] {
            assert_eq!(fit(line, width), line);
        }
        // Where the column is too far right it goes on at the left.
        assert_eq!(
            fit("name-of-a-thing  one two three four", Some(30)),
            "name-of-a-thing  one two three\nfour"
        );
        // A word stays whole.
        assert_eq!(
            fit("ab https://example.com/long cd", Some(8)),
            "ab\nhttps://example.com/long\ncd"
        );
    }

    #[test]
    fn colour_takes_no_room_and_is_not_lost() {
        let line = "\u{1b}[31mred\u{1b}[0m  one two three four five six";
        assert_eq!(columns(line), 32);
        assert_eq!(fit(line, Some(32)), line);
        assert_eq!(
            fit(line, Some(26)),
            "\u{1b}[31mred\u{1b}[0m  one two three four\n     five six"
        );
    }

    #[test]
    fn a_cell_is_broken_where_it_hurts_least() {
        assert_eq!(cell("churn-predictor/AllTraffic", 16), ["churn-predictor/", "AllTraffic"]);
        assert_eq!(cell("not compared yet", 8), ["not", "compared", "yet"]);
        assert_eq!(cell("unbreakable", 6), ["unbrea", "kable"]);
        assert_eq!((narrowest("2026-11-23T12:00:00Z"), narrowest("a-b/long")), (20, 4));
    }
}
