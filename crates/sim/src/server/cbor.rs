//! Smithy RPC v2 CBOR: bytes to JSON values and back.
//!
//! JSON has no timestamps: in JSON they are epoch seconds, here they carry CBOR tag 1. Which
//! members are timestamps is known by their names.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use aws_smithy_types::DateTime;
use serde_json::{Map, Number, Value};

use super::error::WireError;
use super::members::is_time;

/// Deepest nesting of a request. CloudWatch's deepest shape has 6 levels.
const DEPTH_MAX: usize = 32;

/// Decodes a request body; an empty one is an empty structure, as the protocol says.
///
/// # Errors
/// `SerializationException` when it is no CBOR, no structure, nested too deep, or goes on after
/// its end.
pub(super) fn decode(body: &[u8]) -> Result<Value, WireError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut decoder = Decoder::new(body);
    let value = value_of(&mut decoder, 0)
        .map_err(|error| WireError::serialization(format!("the body is not CBOR: {error}")))?;
    if decoder.position() != body.len() {
        return Err(WireError::serialization("the body goes on after its end"));
    }
    if !value.is_object() {
        return Err(WireError::serialization("the body is not a CBOR map"));
    }
    Ok(value)
}

pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write_value(&mut encoder, value, false);
    encoder.into_writer()
}

fn value_of(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, DeserializeError> {
    if depth > DEPTH_MAX {
        return Err(DeserializeError::custom("nested too deep", decoder.position()));
    }
    match decoder.datatype()? {
        Type::Null | Type::Undefined => decoder.skip().map(|()| Value::Null),
        Type::Bool => decoder.boolean().map(Value::Bool),
        Type::F16 | Type::F32 | Type::F64 => decoder.double().map(number),
        Type::String | Type::StringIndef => decoder.string().map(Value::String),
        Type::Tag => decoder.timestamp().map(|time| number(time.as_secs_f64())),
        Type::Array | Type::ArrayIndef => {
            let len = decoder.list()?;
            let mut values = Vec::new();
            while more(decoder, len, values.len())? {
                values.push(value_of(decoder, depth + 1)?);
            }
            Ok(Value::Array(values))
        }
        Type::Map | Type::MapIndef => {
            let len = decoder.map()?;
            let (mut members, mut read) = (Map::new(), 0);
            while more(decoder, len, read)? {
                let name = decoder.string()?;
                members.insert(name, value_of(decoder, depth + 1)?);
                read += 1;
            }
            Ok(Value::Object(members))
        }
        Type::Bytes | Type::BytesIndef | Type::Break | Type::Simple | Type::Unknown(_) => {
            Err(DeserializeError::custom("a type that no operation takes", decoder.position()))
        }
        // What is left are integers; one beyond 64 signed bits is an error of `long`.
        _ => decoder.long().map(Value::from),
    }
}

/// NaN and the infinities have no JSON number; as words they are refused where a number is due.
fn number(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
}

/// Whether a list or map of a known or open length has another element; eats the break.
fn more(
    decoder: &mut Decoder<'_>,
    len: Option<u64>,
    read: usize,
) -> Result<bool, DeserializeError> {
    match len {
        Some(len) => Ok((read as u64) < len),
        None if decoder.datatype()? == Type::Break => decoder.skip().map(|()| false),
        None => Ok(true),
    }
}

fn write_value(encoder: &mut Encoder, value: &Value, time: bool) {
    match value {
        Value::Null => {
            encoder.null();
        }
        Value::Bool(boolean) => {
            encoder.boolean(*boolean);
        }
        Value::Number(number) => write_number(encoder, number, time),
        Value::String(text) => {
            encoder.str(text);
        }
        Value::Array(values) => {
            encoder.array(values.len());
            for value in values {
                write_value(encoder, value, time);
            }
        }
        Value::Object(members) => {
            encoder.map(members.len());
            for (name, value) in members {
                encoder.str(name);
                write_value(encoder, value, is_time(name));
            }
        }
    }
}

fn write_number(encoder: &mut Encoder, number: &Number, time: bool) {
    match number.as_i64() {
        _ if time => {
            let seconds = number.as_f64().unwrap_or_default();
            encoder.timestamp(&DateTime::from_secs_f64(seconds))
        }
        Some(integer) => encoder.long(integer),
        None => encoder.double(number.as_f64().unwrap_or(f64::NAN)),
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "Text": "x", "Count": -70_000, "Value": 0.1, "Whole": 600.0, "Flag": true,
            "StartTime": 1_790_000_000.25, "Timestamps": [1_790_000_000.0], "Inner": {"Empty": []}
        })
    }

    #[test]
    fn a_structure_survives_encoding_and_decoding() {
        assert_eq!(decode(&encode(&sample())).unwrap(), sample());
    }

    #[test]
    fn times_carry_the_tag_and_other_numbers_do_not() {
        let body = encode(&json!({"EndTime": 1_790_000_000, "Period": 60}));
        let mut decoder = Decoder::new(&body);
        assert_eq!(decoder.map().unwrap(), Some(2));
        assert_eq!(decoder.str().unwrap(), "EndTime");
        assert_eq!(decoder.timestamp().unwrap().secs(), 1_790_000_000);
        assert_eq!(decoder.str().unwrap(), "Period");
        assert_eq!(decoder.integer().unwrap(), 60);
    }

    #[test]
    fn open_maps_and_lists_are_read() {
        let mut encoder = Encoder::new(Vec::new());
        encoder.begin_map().str("L").begin_array().integer(1).long(2).end();
        encoder.str("N").null().end();
        assert_eq!(decode(&encoder.into_writer()).unwrap(), json!({"L": [1, 2], "N": null}));
    }

    #[test]
    fn every_cut_of_a_body_is_refused() {
        let whole = encode(&sample());
        for cut in 1..whole.len() {
            let error = decode(&whole[..cut]).unwrap_err();
            assert_eq!(error.code(), "SerializationException", "cut at {cut}");
        }
    }

    #[test]
    fn nesting_lengths_and_tails_have_bounds() {
        // 40 nested lists; a list that claims 2^63 elements; a tail; a bare number.
        let deep = [vec![0xa1, 0x61, b'A'], vec![0x81; 40], vec![0x01]].concat();
        let huge = vec![0xa1, 0x61, b'A', 0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0];
        for body in [deep, huge, vec![0xa0, 0xa0], vec![0x01]] {
            assert_eq!(decode(&body).unwrap_err().code(), "SerializationException");
        }
    }
}
