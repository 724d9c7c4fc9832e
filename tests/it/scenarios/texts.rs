//! Texts of a transcript, as far as they hold still.

/// The text without the lines, and the numbers of the second axis, that move with the load.
pub(super) fn without_forecasts(text: &str) -> String {
    let steady = |line: &str| {
        let at = line.find("safe").unwrap_or(line.len());
        let moving = line[at..].chars().filter(|c| !c.is_ascii_digit());
        line[..at].chars().chain(moving).collect::<String>()
    };
    text.lines().filter(|line| !line.starts_with("      instances")).map(steady).collect()
}
