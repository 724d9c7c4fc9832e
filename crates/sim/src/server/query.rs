//! AWS Query: a form to JSON values, and answers and errors as XML.
//!
//! A form has no types; which members are numbers, booleans and times is known by their names.

use std::fmt::Write as _;

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::error::WireError;
use super::members::{Kind, kind};
use setpoint_core::model::time::Timestamp;

/// Most fields of a form. 500 metric queries with 2 dimensions have some 6,000.
const FIELDS_MAX: usize = 20_000;
/// Deepest nesting of a field's name.
const DEPTH_MAX: usize = 24;

/// Decodes a form: `A.member.1.B=x` is a list of structures.
///
/// # Errors
/// `SerializationException` when it is no form, or has too many or too deep fields.
pub(super) fn decode(body: &[u8]) -> Result<Map<String, Value>, WireError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| WireError::serialization("the body is not a form of UTF-8 text"))?;
    let mut root = Node::default();
    for (number, field) in text.split('&').filter(|field| !field.is_empty()).enumerate() {
        if number >= FIELDS_MAX {
            return Err(WireError::serialization(format!("more than {FIELDS_MAX} fields")));
        }
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        root.insert(&percent_decoded(name)?, percent_decoded(value)?)?;
    }
    match root.into_value("")? {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}

/// The answer of an operation.
pub(super) fn encode(
    operation: &str,
    namespace: &str,
    request_id: &str,
    output: &Value,
) -> Vec<u8> {
    let mut xml = format!("<{operation}Response xmlns=\"{namespace}\">");
    // Operations without output answer without a result element.
    if output.as_object().is_some_and(|members| !members.is_empty()) {
        element(&mut xml, &format!("{operation}Result"), output);
    }
    element(&mut xml, "ResponseMetadata", &json!({"RequestId": request_id}));
    let _ = writeln!(xml, "</{operation}Response>");
    xml.into_bytes()
}

pub(super) fn encode_error(namespace: &str, request_id: &str, error: &WireError) -> Vec<u8> {
    let mut xml = format!("<ErrorResponse xmlns=\"{namespace}\">");
    let details =
        json!({"Type": error.fault(), "Code": error.query_code(), "Message": error.message()});
    element(&mut xml, "Error", &details);
    element(&mut xml, "RequestId", &Value::from(request_id));
    let _ = writeln!(xml, "</ErrorResponse>");
    xml.into_bytes()
}

/// A field's name as a path through structures and lists.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    children: Vec<(String, Node)>,
}

impl Node {
    fn insert(&mut self, name: &str, value: String) -> Result<(), WireError> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth >= DEPTH_MAX {
                return Err(WireError::serialization(format!("field {name:?} is nested too deep")));
            }
            node = node.child(part);
        }
        node.text = Some(value);
        Ok(())
    }

    fn child(&mut self, name: &str) -> &mut Self {
        // Fields of one structure or list element arrive together: the newest child is the likely one.
        let found = self.children.iter().rposition(|(n, _)| n == name);
        let index = found.unwrap_or_else(|| {
            self.children.push((name.to_owned(), Self::default()));
            self.children.len() - 1
        });
        &mut self.children[index].1
    }

    fn into_value(mut self, name: &str) -> Result<Value, WireError> {
        if self.children.is_empty() {
            return typed(name, self.text.unwrap_or_default());
        }
        if self.children.len() == 1 && self.children[0].0 == "member" {
            let (_, list) = self.children.remove(0);
            return list.into_list(name);
        }
        let members = self.children.into_iter().map(|(name, node)| {
            let value = node.into_value(&name)?;
            Ok((name, value))
        });
        members.collect::<Result<_, _>>().map(Value::Object)
    }

    fn into_list(self, name: &str) -> Result<Value, WireError> {
        let mut numbered: Vec<(usize, Self)> = self
            .children
            .into_iter()
            .filter_map(|(number, node)| Some((number.parse().ok()?, node)))
            .collect();
        numbered.sort_by_key(|(number, _)| *number);
        let values = numbered.into_iter().map(|(_, node)| node.into_value(name));
        values.collect::<Result<_, _>>().map(Value::Array)
    }
}

/// A field's text as the type that its member has.
fn typed(name: &str, text: String) -> Result<Value, WireError> {
    let value = match kind(name) {
        Kind::Text => return Ok(Value::String(text)),
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        Kind::Number => text.parse::<f64>().ok().map(Value::from),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
        Kind::Time => text
            .parse::<Timestamp>()
            .ok()
            .map(|time| Value::from(time.timestamp_millis() as f64 / 1000.0)),
    };
    value.ok_or_else(|| WireError::serialization(format!("{name} cannot be {text:?}")))
}

fn percent_decoded(text: &str) -> Result<String, WireError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit));
                let (Some(high), Some(low)) = digits else {
                    return Err(WireError::serialization(format!(
                        "{text:?} has a '%' without two hexadecimal digits"
                    )));
                };
                high * 16 + low
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| WireError::serialization("a form field is not UTF-8 text"))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn element(xml: &mut String, name: &str, value: &Value) {
    let _ = write!(xml, "<{name}>");
    content(xml, name, value);
    let _ = write!(xml, "</{name}>");
}

fn content(xml: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Number(number) if kind(name) == Kind::Time => {
            let millis = (number.as_f64().unwrap_or_default() * 1000.0).round() as i64;
            let time = Timestamp::from_timestamp_millis(millis).unwrap_or_default();
            xml.push_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
        Value::String(text) => escape(xml, text),
        Value::Array(values) => {
            for value in values {
                xml.push_str("<member>");
                content(xml, name, value);
                xml.push_str("</member>");
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                element(xml, name, value);
            }
        }
        Value::Bool(_) | Value::Number(_) => xml.push_str(&value.to_string()),
    }
}

fn escape(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            '"' => xml.push_str("&quot;"),
            other => xml.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dots_are_structures_and_lists() {
        let form =
            b"Action=GetMetricData&Q.member.2.Id=b&Q.member.1.Id=a&Q.member.1.Stat.Period=60\
            &Q.member.10.Id=c%26+%C3%A4&StartTime=2026-11-23T00%3A00%3A00Z";
        let expected = json!({
            "Action": "GetMetricData",
            "Q": [{"Id": "a", "Stat": {"Period": 60}}, {"Id": "b"}, {"Id": "c& \u{e4}"}],
            "StartTime": 1_795_392_000.0,
        });
        assert_eq!(Value::Object(decode(form).unwrap()), expected);
    }

    #[test]
    fn broken_forms_are_refused() {
        for form in [&b"a=%4"[..], b"a=%zz", b"a=%ff", b"\xff=1", b"Period=x"] {
            assert_eq!(decode(form).unwrap_err().code(), "SerializationException");
        }
        let deep = format!("{}=1", ["a"; 50].join("."));
        assert_eq!(decode(deep.as_bytes()).unwrap_err().code(), "SerializationException");
    }

    #[test]
    fn answers_are_escaped() {
        let output = json!({"L": ["<a>&\"b\""], "Timestamps": [0.5]});
        let xml = String::from_utf8(encode("Op", "urn:x", "id", &output)).unwrap();
        assert_eq!(
            xml,
            "<OpResponse xmlns=\"urn:x\"><OpResult><L><member>&lt;a&gt;&amp;&quot;b&quot;</member>\
             </L><Timestamps><member>1970-01-01T00:00:00.500Z</member></Timestamps></OpResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>\
             </OpResponse>\n"
        );
    }
}
