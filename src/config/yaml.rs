//! YAML, with the line of every value, and within bounds: a file may come from anybody who may edit
//! a `ConfigMap`, and a reload must neither end nor stall the daemon.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Options, Spanned};

/// The largest file: more than 20,000 targets with every key.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// The deepest nesting. The deepest key is at 6; anything near this bound is no configuration.
const MAX_DEPTH: usize = 32;
/// The most values of a file, those that aliases stand for included: 20,000 targets of 50 keys.
const MAX_NODES: usize = 1_000_000;

/// A value, and the line that it is on, from 1.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) kind: Kind,
}

/// A value as YAML has it.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// Each key with the line that it is on.
    Table(Vec<(String, u64, Node)>),
}

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct YamlError {
    /// The line, if it has one.
    pub(super) line: Option<u64>,
    /// What was found there.
    pub(super) message: String,
}

/// Reads one document.
///
/// # Errors
/// When it is no YAML, holds a key twice, or goes beyond the bounds.
pub(super) fn parse(text: &str) -> Result<Node, YamlError> {
    if text.len() > MAX_BYTES {
        let message = format!("a file of {} bytes", text.len());
        return Err(YamlError { line: None, message });
    }
    match serde_saphyr::from_str_with_options::<Node>(text, options()) {
        Ok(node) => Ok(node),
        // Nothing but comments, or nothing at all.
        Err(serde_saphyr::Error::Eof { .. }) => Ok(Node { line: 1, kind: Kind::Null }),
        Err(error) => Err(failed(&error)),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            // A scalar is one event, a list or section two.
            max_events: 2 * MAX_NODES,
            // What anchors inside anchors repeat: this is where "a billion laughs" ends.
            max_recorded_anchor_events: MAX_NODES / 10,
            max_buffered_comment_events: MAX_BYTES,
            // The total that aliases stand for is bounded below; one anchor for all targets is fine.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: MAX_DEPTH,
        },
        merge_keys: MergeKeyPolicy::Merge,
        // `yes` is a text in YAML 1.2, and an account id that begins with 0 is not a number.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // The schema says what is wrong with it.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn failed(error: &serde_saphyr::Error) -> YamlError {
    use serde_saphyr::Error;
    use serde_saphyr::budget::BudgetBreach;
    let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
    let mut cause = error;
    while let Error::AliasError { error, .. } | Error::WithSnippet { error, .. } = cause {
        cause = error;
    }
    let message = match cause {
        Error::MultipleDocuments { .. } => "a second document (---)".to_owned(),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key {key} a second time"),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } => {
            format!("more than {MAX_NODES} values, counting what aliases stand for")
        }
        other => match without_place(&other.to_string()) {
            message if message == "recursion limit exceeded" => too_deep(),
            message => message,
        },
    };
    YamlError { line, message }
}

fn too_deep() -> String {
    format!("more than {MAX_DEPTH} levels of nesting")
}

/// The library's sentence without its place, which messages name in their own way.
fn without_place(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let rest = first.strip_prefix("error: ").unwrap_or(first);
    match rest.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest.to_owned(),
        _ => rest.split(" at line ").next().unwrap_or_default().to_owned(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line().max(1), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        // No key has a use for a number beyond that; as a float the schema shows its size.
        Ok(i64::try_from(value).map_or(Kind::Float(value as f64), Kind::Int))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Kind, E> {
        Ok(Kind::Float(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Kind, E> {
        Ok(Kind::Float(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            entries.push((key.value, key.referenced.line().max(1), map.next_value()?));
        }
        Ok(Kind::Table(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn message(text: &str) -> String {
        let error = parse(text).unwrap_err();
        format!("{:?}: {}", error.line, error.message)
    }

    #[test]
    fn values_are_read_as_yaml_1_2_has_them_with_their_lines() {
        let text = "a: yes\nb: 0123\nc: 0x10\nd: 2026-11-01\ne: ~\nf: '1'\ng: 1e3\nh:\n  - True\n";
        let Kind::Table(entries) = parse(text).unwrap().kind else { panic!("no table") };
        let shown: Vec<String> = entries
            .iter()
            .map(|(key, line, node)| format!("{key}{line} {:?}", node.kind))
            .collect();
        for (found, wanted) in shown.iter().zip([
            "a1 Text(\"yes\")",
            "b2 Text(\"0123\")",
            "c3 Int(16)",
            "d4 Text(\"2026-11-01\")",
            "e5 Null",
            "f6 Text(\"1\")",
            "g7 Float(1000.0)",
            "h8 List([Node { line: 9, kind: Bool(true) }])",
        ]) {
            assert_eq!(found, wanted);
        }
        for nothing in ["", "# only a comment\n", "---\n"] {
            assert!(matches!(parse(nothing).unwrap().kind, Kind::Null), "{nothing:?}");
        }
    }

    #[test]
    fn an_alias_and_a_merge_key_have_the_line_of_their_use() {
        let text = "a: &x {b: 1}\nc:\n  <<: *x\n  d: *x\n";
        let Kind::Table(entries) = parse(text).unwrap().kind else { panic!("no table") };
        let Kind::Table(merged) = &entries[1].2.kind else { panic!("no table") };
        let lines: Vec<_> = merged.iter().map(|(key, line, _)| (key.as_str(), *line)).collect();
        assert_eq!(lines, [("d", 4), ("b", 3)]);
    }

    #[test]
    fn errors_name_their_line_and_nothing_of_the_library() {
        for (text, wanted) in [
            ("a: 1\n---\nb: 2\n", "Some(3): a second document (---)"),
            ("a: 1\nb: {c: 2, c: 3}\n", "Some(2): the key c a second time"),
            (
                "a:\n  b: x\n c\n",
                "Some(3): while parsing a block mapping, did not find expected key",
            ),
            ("a: [1, 2", "Some(1): unclosed bracket '['"),
            ("a: *x", "Some(1): alias references unknown anchor"),
        ] {
            assert_eq!(message(text), wanted);
        }
    }

    #[test]
    fn nesting_and_aliases_are_bounded_in_time_and_stack() {
        let mut blocks = String::new();
        for depth in 0..3000 {
            let _ = writeln!(blocks, "{}a:", " ".repeat(depth));
        }
        for text in [format!("a: {}", "[".repeat(100_000)), "{a: ".repeat(100_000), blocks] {
            assert!(
                message(&text).ends_with("more than 32 levels of nesting"),
                "{}",
                message(&text)
            );
        }
        let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..10 {
            let below = vec![format!("*a{}", i - 1); 9].join(",");
            let _ = writeln!(laughs, "a{i}: &a{i} [{below}]");
        }
        let began = std::time::Instant::now();
        assert!(message(&laughs).contains("more than 1000000 values"), "{}", message(&laughs));
        // Without a bound it is 9^10 values: no machine is so fast, and none so slow.
        assert!(began.elapsed().as_secs() < 60);
        assert!(message(&" ".repeat(MAX_BYTES + 1)).contains("a file of 16777217 bytes"));
    }
}
