//! JSON that is kept as it came and not looked into: as text it takes a tenth of what a tree of
//! values takes, and thousands of variants have one each.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A JSON value as its text. A copy shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque(Arc<str>);

impl Opaque {
    /// What it says.
    pub fn value(&self) -> Value {
        // The text was made from a value.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// Its length as text, in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it says nothing at all, which no JSON does.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Value> for Opaque {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

impl Serialize for Opaque {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_the_value_it_was_made_of() {
        let value = serde_json::json!({"b": [1, 2.5, null], "a": {"text": "é\n"}});
        let opaque = Opaque::from(value.clone());
        assert_eq!(opaque.value(), value);
        let text = serde_json::to_string(&opaque).unwrap();
        assert_eq!(text, value.to_string());
        assert_eq!(serde_json::from_str::<Opaque>(&text).unwrap(), opaque);
        assert_eq!(serde_json::from_value::<Opaque>(value).unwrap(), opaque);
    }
}
