//! Whatever is written is read again; whatever was touched is not.

use chrono::DateTime;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::estimate::Finding;
use crate::model::goal::Pause;
use crate::model::keeper::{MemoryWriter, OtherSetpoint, Sign};
use crate::model::lasting::{Direction, Lasting};
use crate::model::memory::{FactorInUse, Lowering, Overwrite, Seen, TargetWrite, Verification};
use crate::model::reason::Field;
use crate::model::shared::Shared;
use crate::model::time::Timestamp;

fn id(endpoint: &str) -> VariantId {
    VariantId::of(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        endpoint.parse().unwrap(),
        "AllTraffic".parse().unwrap(),
    )
}

fn at(nanoseconds: i64) -> Timestamp {
    DateTime::from_timestamp_nanos(1_795_435_200_000_000_000 + nanoseconds)
}

/// Within some 30 years, to the nanosecond.
fn instants() -> impl Strategy<Value = Timestamp> {
    (0..1_000_000_000_000_000_000_i64).prop_map(at)
}

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        0.0..100_000.0,
        Just(600.0),
        any::<f64>().prop_filter("a number", |value| value.is_finite()),
    ]
}

fn target_writes() -> impl Strategy<Value = TargetWrite> {
    (instants(), option::of(values()), values()).prop_map(|(at, before, after)| TargetWrite {
        at,
        before,
        after,
    })
}

// Boxed, for the values of all strategies of a memory together are more than a test's stack holds
// in a build that is not optimised.
fn verifications() -> BoxedStrategy<Verification> {
    let instants = (instants(), option::of(instants()), instants());
    let rest = (values(), values(), any::<u32>(), values(), any::<u32>(), any::<bool>());
    (instants, rest, vec(any::<bool>(), 0..=5))
        .prop_map(|(instants, rest, last_broken)| {
            let (raised_at, begun_at, counted_until) = instants;
            let (before, after, instances, load_p95, loaded_minutes, failed) = rest;
            Verification {
                raised_at,
                before,
                after,
                instances,
                load_p95,
                begun_at,
                counted_until,
                loaded_minutes,
                last_broken,
                failed,
            }
        })
        .boxed()
}

type Writes = (Option<TargetWrite>, Option<TargetWrite>, Option<TargetWrite>);

fn three_writes() -> BoxedStrategy<Writes> {
    let write = || option::of(target_writes());
    (write(), write(), write()).boxed()
}

fn by_field<T: std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + 'static,
    most: usize,
) -> BoxedStrategy<BTreeMap<Field, T>> {
    btree_map(fields(), values, 0..most).boxed()
}

fn lastings() -> BoxedStrategy<Lasting> {
    let findings = proptest::sample::select(&Finding::ALL);
    let directions = proptest::sample::select(Direction::ALL);
    let instant = || option::of(instants());
    let maps = (btree_map(findings, instants(), 0..3), btree_map(directions, instants(), 0..3));
    (by_field(instants(), 4), maps, instant(), instant(), instant())
        .prop_map(|(drift, (findings, suspended), is_unsafe, held, load_test_invalid)| Lasting {
            drift: drift.into_iter().collect(),
            suspended: suspended.into_iter().collect(),
            findings: findings.into_iter().collect(),
            is_unsafe,
            held,
            load_test_invalid,
        })
        .boxed()
}

fn lowerings() -> BoxedStrategy<Option<Lowering>> {
    let lowering = (values(), any::<bool>());
    option::of(lowering.prop_map(|(to, confirmed)| Lowering { to, confirmed })).boxed()
}

fn fields() -> impl Strategy<Value = Field> {
    proptest::sample::select(Field::ALL)
}

prop_compose! {
    fn memories()(
        since in option::of(instants()),
        adopted in any::<bool>(),
        writes in three_writes(),
        raises in vec(target_writes(), 0..4).boxed(),
        values in (option::of(values()), option::of(values())).boxed(),
        last_applied in option::of((values(), instants()).prop_map(|(value, since)| Seen { value, since })).boxed(),
        lowering in lowerings(),
        times in vec(instants(), 0..24).boxed(),
        seen in by_field((values(), instants()), 8),
        written in by_field(values(), 8),
        missing in by_field(instants(), 2),
        policy_name in option::of("[a-zA-Z0-9-]{1,64}").boxed(),
        overwrites in by_field(vec((instants(), values()), 1..4), 3),
        pause in option::of((instants(), ".{1,60}")).boxed(),
        (repaired, raises_held) in (option::of(instants()), option::of(instants())).boxed(),
        verification in option::of(verifications()).boxed(),
        factor in option::of((0.01..1.0, instants())).boxed(),
        (keeper, lasting) in (option::of(("[0-9a-f]{8}", instants())), lastings()).boxed(),
        signs in option::of(vec((option::of("[0-9a-f]{8}"), instants(), instants()), 0..=4)).boxed(),
    ) -> VariantMemory {
        let overwrite = |(at, value)| Overwrite { at, value };
        VariantMemory {
            since,
            adopted,
            last_write: writes.0,
            last_attempt: writes.1,
            intent: writes.2.map(Box::new),
            raises,
            highest_applied: values.0,
            value_in_force: values.1,
            last_applied,
            lowering,
            missing,
            writes: times,
            seen: seen.into_iter().map(|(f, (value, since))| (f, Seen { value, since })).collect(),
            foreign_overwrites: overwrites
                .into_iter()
                .map(|(f, all)| (f, all.into_iter().map(overwrite).collect()))
                .collect(),
            pause: pause.map(|(until, reason)| Pause { until, reason }),
            alarms_repaired_at: repaired,
            raises_held_until: raises_held,
            verification: verification.map(Box::new),
            safety_factor: factor.map(|(value, since)| FactorInUse { value, since }),
            written,
            lasting: lasting.into(),
            policy_name,
            keeper: keeper.map(|(id, at)| MemoryWriter { id, at }.into()),
            other_setpoint: signs.map(|signs| {
                let sign = |(id, first, last)| Sign { id, first, last };
                Box::new(OtherSetpoint { signs: signs.into_iter().map(sign).collect() })
            }),
            ..VariantMemory::default()
        }
    }
}

/// What may be left out, left out.
fn shortened(memory: &VariantMemory) -> VariantMemory {
    let mut memory = VariantMemory { writes: Vec::new(), ..kept(memory) };
    memory.seen = Shared::default();
    memory.lasting = Shared::default();
    memory.written.clear();
    if let Some(pause) = &mut memory.pause {
        pause.reason.clear();
    }
    memory
}

fn fits(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "+-=._:/@ ".contains(c))
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(memory in memories().boxed(), generation: u64) {
        let tags = encode(&id("e"), generation, &memory).unwrap();
        prop_assert!(tags.len() <= TAGS_MAX);
        for (key, value) in &tags {
            prop_assert!(key.len() <= 128 && fits(key), "{key}");
            prop_assert!((1..=VALUE_MAX).contains(&value.len()) && fits(value), "{value}");
        }
        let found = decode(&id("e"), &tags).unwrap().unwrap();
        prop_assert_eq!(found.generation, generation);
        prop_assert_eq!(shortened(&found.memory), shortened(&memory));
        prop_assert!(memory.writes.ends_with(&found.memory.writes), "the newest are kept");
        prop_assert!(found.memory.seen == memory.seen || found.memory.seen.is_empty());
        let lasting = &found.memory.lasting;
        prop_assert!(*lasting == memory.lasting || lasting.is_empty());
        // Tags of others, and what is left of a longer memory, change nothing.
        let mut more = tags.clone();
        more.insert("owner".to_owned(), "search".to_owned());
        if tags.len() < TAGS_MAX {
            more.insert(key(tags.len()), "what was there before".to_owned());
        }
        prop_assert_eq!(decode(&id("e"), &more).unwrap().unwrap(), found);
    }

    #[test]
    fn what_was_touched_is_an_error(memory in memories().boxed(), which: usize, place: usize, flip in 0..7_u32) {
        let tags = encode(&id("e"), 7, &memory).unwrap();
        let n = which % tags.len();
        let mut bytes = tags[&key(n)].clone().into_bytes();
        let place = place % bytes.len();
        bytes[place] ^= 1 << flip;
        let mut touched = tags.clone();
        touched.insert(key(n), String::from_utf8(bytes).unwrap());
        prop_assert!(decode(&id("e"), &touched).is_err(), "bit {flip} of {place} in {n}");
    }

    #[test]
    fn what_is_not_whole_or_not_its_own_is_an_error(memory in memories().boxed(), other in memories().boxed(), which: usize) {
        let tags = encode(&id("e"), 7, &memory).unwrap();
        prop_assert!(decode(&id("another"), &tags).is_err(), "another variant's");
        let n = which % tags.len();
        let mut missing = tags.clone();
        missing.remove(&key(n));
        // Without all of its only tag it is a target that was never tagged.
        if tags.len() > 1 {
            prop_assert!(decode(&id("e"), &missing).is_err(), "{n} is missing");
        }
        // Half of one write and half of another.
        let newer = encode(&id("e"), 8, &other).unwrap();
        let mut mixed = newer.clone();
        mixed.insert(key(0), tags[&key(0)].clone());
        if newer.len() > 1 || tags.len() > 1 {
            let found = decode(&id("e"), &mixed);
            prop_assert!(found.is_err() || tags.len() == 1, "{found:?}");
        }
    }

    #[test]
    fn foreign_values_are_errors(value in "[a-zA-Z0-9+=._:/@ -]{0,256}") {
        let tags = BTreeMap::from([(key(0), value)]);
        prop_assert!(decode(&id("e"), &tags).is_err());
    }
}

#[test]
fn what_is_not_understood_says_so() {
    let first = |value: &str| BTreeMap::from([(key(0), value.to_owned())]);
    assert_eq!(decode(&id("e"), &BTreeMap::new()), Ok(None));
    for (tags, words) in [
        (first("2:1:1:0123456789abcdef:AAAA"), "version \"2\" of the form, and only 1"),
        (first("1:9:1:0123456789abcdef:AAAA"), "9 tags (allowed: 1 to 8)"),
        (first("1:1:1:0123456789abcdef:AAAA"), "checksum 0123456789abcdef"),
        (first("1:2:1:0123456789abcdef:AAAA"), "setpoint:memory:1 is missing"),
        (first("mine"), "does not begin as a memory"),
        (BTreeMap::from([(key(3), "x".to_owned())]), "setpoint:memory:0 is not"),
    ] {
        let error = decode(&id("e"), &tags).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

fn much_lasts(next: &mut impl FnMut() -> Timestamp) -> Lasting {
    Lasting {
        drift: [Field::TargetValue, Field::MaxCapacity].into_iter().map(|f| (f, next())).collect(),
        suspended: [(Direction::ScaleIn, next())].into_iter().collect(),
        findings: [Finding::AboveCapacity, Finding::Over]
            .into_iter()
            .map(|f| (f, next()))
            .collect(),
        is_unsafe: Some(next()),
        held: Some(next()),
        load_test_invalid: Some(next()),
    }
}

/// The most that the default limits let come together: 24 writes, all of them raises, a watch, a
/// pause, another writer, and every field seen.
fn full() -> VariantMemory {
    let mut nanoseconds = 0_i64;
    let mut next = || {
        nanoseconds += 3_599_123_456_789;
        at(nanoseconds)
    };
    let write = |at| TargetWrite { at, before: Some(612.345_678), after: 673.580_245_8 };
    VariantMemory {
        since: Some(next()),
        adopted: true,
        last_write: Some(write(next())),
        last_attempt: Some(write(next())),
        intent: Some(write(next()).into()),
        raises: (0..6).map(|_| write(next())).collect(),
        highest_applied: Some(673.580_245_8),
        value_in_force: Some(612.345_678),
        last_applied: Some(Seen { value: 612.345_678, since: next() }),
        applied_factor: Some(0.55),
        lowering: Some(Lowering { to: 487.654_321, confirmed: true }),
        missing: [(Field::Policy, next())].into(),
        writes: (0..24).map(|_| next()).collect(),
        seen: Field::ALL.iter().map(|f| (*f, Seen { value: 612.3, since: next() })).collect(),
        foreign_overwrites: [(
            Field::TargetValue,
            (0..8).map(|n| Overwrite { at: next(), value: 500.1 + f64::from(n) }).collect(),
        )]
        .into(),
        pause: Some(Pause {
            until: next(),
            reason: "Black Friday, until the on-call says so".into(),
        }),
        alarms_repaired_at: Some(next()),
        raises_held_until: Some(next()),
        verification: Some(Box::new(Verification {
            raised_at: next(),
            before: 612.345_678,
            after: 673.580_245_8,
            instances: 12,
            load_p95: 587.123_456_789,
            begun_at: Some(next()),
            counted_until: next(),
            loaded_minutes: 37,
            last_broken: vec![false, true, false, false, false],
            failed: false,
        })),
        safety_factor: Some(FactorInUse { value: 0.55, since: next() }),
        journal: Some(serde_json::json!({"regimes": ["never kept here"]}).into()),
        written: Field::ALL.iter().map(|f| (*f, 612.3)).collect(),
        lasting: much_lasts(&mut next).into(),
        policy_name: Some("SageMakerEndpointInvocationScalingPolicy".to_owned()),
        keeper: Some(MemoryWriter { id: "90d1f3a7".to_owned(), at: next() }.into()),
        other_setpoint: Some(Box::new(OtherSetpoint {
            signs: (0..4_u64)
                .map(|n| Sign {
                    id: Some(format!("{:08x}", fnv1a(n.to_le_bytes()) >> 32)),
                    first: next(),
                    last: next(),
                })
                .collect(),
        })),
        ..VariantMemory::default()
    }
}

#[test]
fn there_is_room_for_the_most_that_the_default_limits_let_happen() {
    let tags = encode(&id("e"), 99, &full()).unwrap();
    let found = decode(&id("e"), &tags).unwrap().unwrap();
    // Nothing is left out but since when what was reported has lasted: an alert's clock begins again.
    let lasting = Shared::default();
    let safe = VariantMemory { lasting, ..full() };
    assert_eq!(found.memory, kept(&safe), "in {} tags", tags.len());
    let usual = VariantMemory {
        since: Some(at(0)),
        adopted: true,
        last_write: Some(TargetWrite { at: at(1_000), before: Some(900.0), after: 630.0 }),
        highest_applied: Some(900.0),
        writes: vec![at(1_000)],
        ..VariantMemory::default()
    };
    assert_eq!(encode(&id("e"), 1, &usual).unwrap().len(), 1);
    let lasting = VariantMemory { lasting: full().lasting, ..usual };
    let tags = encode(&id("e"), 1, &lasting).unwrap();
    assert_eq!(decode(&id("e"), &tags).unwrap().unwrap().memory.lasting, lasting.lasting);
}

#[test]
fn without_room_the_least_needed_goes_first_and_then_it_is_an_error() {
    // No two alike, so that there is nothing to deflate.
    let words =
        |n: u64| (0..n).map(|n| fnv1a(n.to_le_bytes()).to_string()).collect::<Vec<_>>().concat();
    let times = |n: i64| (0..n).map(|n| at(n * 7_919_123_456_789)).collect::<Vec<_>>();
    let mut memory = VariantMemory { writes: times(80), ..full() };
    memory.pause = Some(Pause { until: at(0), reason: words(30).chars().take(450).collect() });
    let left = |memory: &VariantMemory| {
        let found =
            decode(&id("e"), &encode(&id("e"), 1, memory).unwrap()).unwrap().unwrap().memory;
        assert_eq!(shortened(&found), shortened(memory));
        assert!(memory.writes.ends_with(&found.writes));
        (found.seen.len(), found.pause.unwrap().reason.chars().count(), found.writes.len())
    };
    let mut stages = std::collections::BTreeSet::new();
    for n in (0..=80).step_by(8).chain([400]) {
        memory.writes = times(n);
        let (seen, reason, writes) = left(&memory);
        let cut = writes < memory.writes.len();
        assert!(seen == 0 || reason == 450, "{n}: the reason goes after the values seen");
        assert!(reason == SHORT_REASON || !cut, "{n}: writes go last");
        stages.insert((seen == 0, reason < 450, cut));
    }
    for stage in [(true, false, false), (true, true, false), (true, true, true)] {
        assert!(stages.contains(&stage), "{stage:?} of {stages:?}");
    }
    memory.raises =
        times(300).into_iter().map(|at| TargetWrite { at, before: None, after: 1.0 }).collect();
    let error = encode(&id("e"), 1, &memory).unwrap_err();
    assert!(error.contains("8 tags hold 2048"), "{error}");
    // What JSON cannot say is an error too.
    let endless =
        VariantMemory { highest_applied: Some(f64::INFINITY), ..VariantMemory::default() };
    assert!(encode(&id("e"), 1, &endless).unwrap_err().contains("cannot be written down"));
}
