//! What goes in comes out.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {
    a: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    b: Option<f64>,
    c: Vec<(i16, u16, bool)>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    d: Vec<Kind>,
    e: BTreeMap<String, f32>,
    f: Option<Box<Self>>,
    g: (u8, u64),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    One(u32),
    Two(i8, char),
    Named { text: String, number: Option<i32> },
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any::<u32>().prop_map(Kind::One),
        any::<(i8, char)>().prop_map(|(a, b)| Kind::Two(a, b)),
        (".{0,4}", any::<Option<i32>>()).prop_map(|(text, number)| Kind::Named { text, number }),
    ]
}

fn flat() -> impl Strategy<Value = All> {
    (
        prop_oneof![any::<i64>(), -70_i64..70, Just(i64::MIN), Just(i64::MAX)],
        proptest::option::of(-1e9..1e9),
        prop::collection::vec(any::<(i16, u16, bool)>(), 0..5),
        prop::collection::vec(kind(), 0..4),
        prop::collection::btree_map(".{0,3}", -1e6_f32..1e6, 0..3),
        any::<(u8, u64)>(),
    )
        .prop_map(|(a, b, c, d, e, g)| All { a, b, c, d, e, f: None, g })
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(mut one in flat(), inner in proptest::option::of(flat())) {
        one.f = inner.map(Box::new);
        let bytes = to_bytes(&one).unwrap();
        prop_assert_eq!(from_bytes::<All>(&bytes).unwrap(), one);
        for cut in 0..bytes.len() {
            prop_assert!(from_bytes::<All>(&bytes[..cut]).is_err(), "cut at {}", cut);
        }
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = from_bytes::<All>(&bytes);
    }
}

#[test]
fn small_numbers_and_what_is_left_out_take_little() {
    let one = All {
        a: -3,
        b: None,
        c: vec![(5, 7, true)],
        d: vec![],
        e: BTreeMap::new(),
        f: None,
        g: (1, 2),
    };
    // The fields left out, a, the length of c and its three, none of e, no f, and g.
    assert_eq!(to_bytes(&one).unwrap().len(), 1 + 1 + 1 + 3 + 1 + 1 + 2);
    assert!(from_bytes::<serde_json::Value>(&[0]).is_err(), "it says nothing of its type");
}
