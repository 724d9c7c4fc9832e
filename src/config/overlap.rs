//! Which names two globs have in common.

/// A part of a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    /// Any other.
    Char(char),
}

/// A glob of `*`, `?` and characters; of one with choices nothing is said.
pub(super) fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let token = |c: char| match c {
        '*' => Some(Token::Any),
        '?' => Some(Token::One),
        '[' | ']' | '{' | '}' => None,
        c => Some(Token::Char(c)),
    };
    pattern.chars().map(token).collect()
}

/// Whether some name matches both.
pub(super) fn meet(a: &[Token], b: &[Token]) -> bool {
    table(
        a,
        b,
        |x, y| match (x, y) {
            (Token::Char(x), Token::Char(y)) => x == y,
            _ => true,
        },
        true,
    )
}

/// Whether every name that matches `narrow` matches `wide`.
pub(super) fn covers(wide: &[Token], narrow: &[Token]) -> bool {
    table(
        wide,
        narrow,
        |x, y| match (x, y) {
            (Token::Char(x), Token::Char(y)) => x == y,
            (Token::One, Token::Char(_) | Token::One) => true,
            _ => false,
        },
        false,
    )
}

/// Whether `a` can be laid over `b`: a `*` of `a` over any tokens of `b`, and with `both` a `*` of
/// `b` over any of `a`.
fn table(a: &[Token], b: &[Token], fits: impl Fn(Token, Token) -> bool, both: bool) -> bool {
    let mut reached = vec![vec![false; b.len() + 1]; a.len() + 1];
    reached[0][0] = true;
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if !reached[i][j] {
                continue;
            }
            let (x, y) = (a.get(i).copied(), b.get(j).copied());
            if x == Some(Token::Any) {
                reached[i + 1][j] = true;
                if j < b.len() {
                    reached[i][j + 1] = true;
                }
            }
            if both && y == Some(Token::Any) {
                reached[i][j + 1] = true;
                if i < a.len() {
                    reached[i + 1][j] = true;
                }
            }
            if let (Some(x), Some(y)) = (x, y)
                && x != Token::Any
                && y != Token::Any
                && fits(x, y)
            {
                reached[i + 1][j + 1] = true;
            }
        }
    }
    reached[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Vec<Token> {
        tokens(text).unwrap()
    }

    #[test]
    fn what_two_globs_have_in_common() {
        for (a, b, both, a_covers, b_covers) in [
            ("fraud-*", "*-scorer", true, false, false),
            ("fraud-*", "fraud-s*", true, true, false),
            ("*", "fraud-?", true, true, false),
            ("fraud-*", "search-*", false, false, false),
            ("a?c", "a*", true, false, true),
            ("a?c", "abc", true, true, false),
            ("*a", "*b", false, false, false),
            ("a*b*c", "a*c", true, false, true),
            ("*", "*", true, true, true),
        ] {
            let (x, y) = (glob(a), glob(b));
            assert_eq!(meet(&x, &y), both, "{a} and {b}");
            assert_eq!(meet(&y, &x), both, "{b} and {a}");
            assert_eq!(covers(&x, &y), a_covers, "{a} over {b}");
            assert_eq!(covers(&y, &x), b_covers, "{b} over {a}");
        }
    }
}
