//! What is kept comes back as it was, and what does not fit is dropped.

mod resting;

use chrono::TimeDelta;
use serde_json::Value;

use super::*;
use crate::compact::{MemoryShelf, Rested, Shelf};
use crate::estimate::{Context, Scratch};
use crate::model::decision::{FieldReport, Report};
use crate::model::endpoint::{ConfigVariant, Endpoint, EndpointConfig, VariantSummary};
use crate::model::estimate::{DropReason, Estimate};
use crate::model::goal::{Goal, LatencyObjective, LoadTest};
use crate::model::series::Minute;
use crate::model::snapshot::Snapshot;
use crate::model::status::VariantStatus;
use crate::model::units::{LatencyStatistic, RequestsPerSecond};
use crate::variant::NewPeriods;

const DAYS: i64 = 9;

fn start() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().unwrap()
}

fn at(minute: i64) -> Timestamp {
    start() + TimeDelta::minutes(minute)
}

fn id() -> VariantId {
    VariantId::of(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        "scorer".parse().unwrap(),
        "main".parse().unwrap(),
    )
}

fn settings(threshold_ms: f64) -> EstimatorSettings {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms };
    EstimatorSettings::new(Objective { latency: Some(latency), error_rate_max: 0.01 })
}

/// A day's load, an overload at its peak, and a service that becomes slower on the sixth day.
fn minute(n: i64) -> Minute {
    let hour = (n.rem_euclid(1440)) as f64 / 60.0;
    let load = (400.0 + 300.0 * ((hour - 14.0) * 0.2618).cos()).round();
    let instances = if hour > 9.0 { 3.0 } else { 2.0 };
    let slower = if n > 5 * 1440 { 1.3 } else { 1.0 };
    let busy = load * slower / 720.0;
    let latency_ms = 40.0 * slower / (1.05 - busy.min(1.0));
    Minute {
        invocations: Some(load * instances),
        invocations_per_instance: Some(load),
        latency_us: Some((latency_ms * 2000.0).round()),
        latency_p50_us: Some((latency_ms * 700.0).round()),
        errors_5xx: Some(0.0),
        ..Minute::empty(at(n))
    }
}

fn note(variant: &mut Variant, deploy_hash: u64, now: Timestamp) {
    note_made(variant, deploy_hash, start(), now);
}

/// The endpoint as it is now, which was made then.
fn note_made(variant: &mut Variant, deploy_hash: u64, made: Timestamp, now: Timestamp) {
    let name = id().variant.clone();
    let summary = VariantSummary::plain(name.clone(), Some(2), Some(2));
    let endpoint = Endpoint::in_service(id().endpoint.clone(), "config".to_owned(), made, summary);
    let own = ConfigVariant {
        name: name.clone(),
        model_name: Some("model".to_owned()),
        instance_type: Some("ml.c5.xlarge".to_owned()),
        serverless: false,
        instance_pools: false,
        managed_instance_scaling: false,
        routing: None,
        deploy_hash,
    };
    let config = EndpointConfig {
        name: "config".to_owned(),
        created_at: start(),
        variants: vec![own],
        asynchronous: false,
        metric_period_seconds: None,
    };
    variant.note_endpoint(&endpoint, (Some(&config), None), &name, now);
}

fn told(variant: &mut Variant, from: i64, to: i64, scratch: &mut Scratch) {
    let context = Context { configured_target: Some(500.0), safety_factor: 0.7 };
    let new = NewPeriods {
        minutes: (from..to).map(minute).collect(),
        longer: Vec::new(),
        until: at(to),
        read: Read::new("GetMetricData", at(to)),
    };
    let by = (&settings(200.0), &context);
    variant.take_in(new, by, None, scratch, at(to)).unwrap();
}

/// One that has been told these minutes since the start.
fn known(until: i64) -> (Variant, Scratch) {
    let (mut variant, mut scratch) = (Variant::default(), Scratch::new());
    note(&mut variant, 1, at(until));
    variant.begin_history(start(), false, None);
    told(&mut variant, 0, until, &mut scratch);
    (variant, scratch)
}

fn blank(deploy_hash: u64, now: Timestamp) -> Variant {
    let mut variant = Variant::default();
    note(&mut variant, deploy_hash, now);
    variant.blank()
}

fn resume(record: &[u8], deploy_hash: u64, now: Timestamp) -> Result<Variant, NotResumed> {
    let (id, settings) = (id(), settings(200.0));
    let from = now - TimeDelta::days(7);
    let present = Present { id: &id, settings: &settings, memory: None, from, now };
    blank(deploy_hash, now).resume(record, &present)
}

#[test]
fn a_variant_that_goes_on_from_its_record_ends_where_an_undisturbed_one_does() {
    let all = DAYS * 1440;
    for killed in [8 * 1440 + 7, 8 * 1440 + 800, all - 3, all] {
        let (mut undisturbed, mut scratch) = known(killed);
        let record = undisturbed.evidence(&id()).unwrap();
        let mut resumed = resume(&record, 1, at(killed + 10)).unwrap();
        assert_eq!(resumed.capacity.estimator(), undisturbed.capacity.estimator());
        assert_eq!(resumed.evidence(&id()).unwrap(), record, "byte for byte");
        // One takes in an hour at a time, the other all at once.
        let mut from = killed;
        while from < all {
            told(&mut undisturbed, from, (from + 60).min(all), &mut scratch);
            from += 60;
        }
        if killed < all {
            told(&mut resumed, killed, all, &mut Scratch::new());
        }
        assert_eq!(resumed.capacity.estimator(), undisturbed.capacity.estimator());
        let mut adopted = blank(1, at(all));
        adopted.adopt(resumed);
        assert_eq!(adopted.history_complete_ratio(TimeDelta::days(7)), Some(1.0));
        assert!(adopted.evidence(&id()).is_some());
    }
}

/// When an endpoint was made is known to every process, and which minutes were read first is not.
#[test]
fn the_first_minutes_of_a_new_endpoint_are_of_cold_instances_to_every_process() {
    let until = 1440 + 480;
    let cold = |variant: &Variant| {
        let context = Context { configured_target: Some(500.0), safety_factor: 0.7 };
        let mut estimator = variant.capacity.estimator().unwrap().into_owned();
        let estimate = estimator.evaluate(&mut Scratch::new(), at(until), &context);
        estimate.minutes.dropped.of(DropReason::ColdInstances)
    };
    let made = |made: Timestamp, first: i64| {
        let (mut variant, mut scratch) = (Variant::default(), Scratch::new());
        note_made(&mut variant, 1, made, at(until));
        told(&mut variant, first, until, &mut scratch);
        (variant, scratch)
    };
    // Three are of the instance that comes in the day.
    assert_eq!(cold(&made(start(), 0).0), 6);
    assert_eq!(cold(&made(at(-30), -60).0), 6, "what was there before under its name");
    assert_eq!(cold(&made(at(-1), 0).0), 3, "what came first has not been read");
    // Made again under its name.
    let (mut running, mut scratch) = made(at(1), 0);
    note_made(&mut running, 1, at(until + 5), at(until + 9));
    told(&mut running, until, until + 60, &mut scratch);
    assert_eq!(cold(&running), 9);
    note_made(&mut running, 1, at(until + 5), at(until + 90));
    told(&mut running, until + 60, until + 120, &mut scratch);
    assert_eq!(cold(&running), 12, "those of the next day's instance, and no others");
}

/// What a change of a record leads to.
type Case<'a> = (NotResumed, &'a dyn Fn(&mut Value));

#[test]
fn what_does_not_fit_is_dropped() {
    let until = DAYS * 1440;
    let (variant, _) = known(until);
    let record = variant.evidence(&id()).unwrap();
    let now = at(until + 10);
    assert!(resume(&record, 1, now).is_ok());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&record).unwrap();
        change(&mut value);
        resume(&serde_json::to_vec(&value).unwrap(), 1, now).err()
    };
    let cases: [Case<'_>; 6] = [
        (NotResumed::OtherForm, &|v| v["form"] = 0.into()),
        (NotResumed::Damaged, &|v| v["capacity"]["estimator"]["new_field"] = 1.into()),
        (NotResumed::Damaged, &|v| {
            v["capacity"]["estimator"]["evidence"].as_object_mut().unwrap().remove("days");
        }),
        (NotResumed::Damaged, &|v| v["capacity"]["estimator"] = Value::Null),
        (NotResumed::OtherVariant, &|v| v["variant"]["account_id"] = "210987654321".into()),
        (NotResumed::OtherSettings, &|v| v["judged_by"]["latency"]["threshold_ms"] = 300.0.into()),
    ];
    for (why, change) in cases {
        assert_eq!(changed(change), Some(why));
    }
    assert_eq!(resume(&record[..record.len() / 2], 1, now).err(), Some(NotResumed::Damaged));
    assert_eq!(resume(&[], 1, now).err(), Some(NotResumed::Damaged));
    assert_eq!(resume(&record, 2, now).err(), Some(NotResumed::Deploy));
    assert_eq!(resume(&record, 1, at(until - 1)).err(), Some(NotResumed::Ahead));
    assert_eq!(resume(&record, 1, at(until + 7 * 1440)).err(), Some(NotResumed::TooOld));
    assert_eq!(resume(&record, 1, at(7 * 1440 - 1)).err(), Some(NotResumed::Ahead));
    // A longer history is wanted than was read.
    let (id, settings) = (id(), settings(200.0));
    let from = start() - TimeDelta::minutes(1);
    let present = Present { id: &id, settings: &settings, memory: None, from, now };
    assert_eq!(blank(1, now).resume(&record, &present).err(), Some(NotResumed::TooShort));
    // Another process has run since, and has seen another regime begin.
    let mut journal = variant.capacity.estimator().unwrap().journal().to_value().unwrap();
    let memory = |journal: &Value| VariantMemory {
        journal: Some(journal.clone().into()),
        ..VariantMemory::default()
    };
    journal["until"] = (journal["until"].as_i64().unwrap() + 100).into();
    let from = now - TimeDelta::days(7);
    let with = |memory: &VariantMemory| {
        let memory = Some(memory);
        blank(1, now).resume(&record, &Present { id: &id, settings: &settings, memory, from, now })
    };
    assert!(with(&memory(&journal)).is_ok());
    let began = journal["book"]["current"]["start"].as_i64().unwrap();
    journal["book"]["current"]["start"] = (began + 60).into();
    assert_eq!(with(&memory(&journal)).err(), Some(NotResumed::OtherRegime));
}

#[test]
fn only_what_is_known_in_full_is_kept_and_not_in_every_pass() {
    let until = DAYS * 1440;
    let (mut variant, mut scratch) = known(until);
    let (now, every) = (at(until), TimeDelta::hours(6));
    assert!(variant.evidence_due(now, every));
    variant.note_evidence_kept(now);
    assert!(!variant.evidence_due(now + TimeDelta::hours(5), every));
    assert!(variant.evidence_due(now + every, every));
    // A deploy is kept at once.
    note(&mut variant, 2, now);
    assert!(variant.evidence_due(now, every));
    variant.note_evidence_kept(now);
    // And once more when it has been told to the estimator.
    told(&mut variant, until, until + 30, &mut scratch);
    assert!(variant.evidence_due(now, every));
    assert!(Variant::default().evidence(&id()).is_none());
    let mut part = blank(1, now);
    part.begin_history(at(until - 1440), true, None);
    told(&mut part, until - 1440, until, &mut scratch);
    assert!(part.evidence(&id()).is_none() && !part.evidence_due(now, every));
}

/// An update that was under way when the record was written, and is over.
#[test]
fn minutes_of_an_update_that_nobody_saw_end_are_left_out() {
    let until = DAYS * 1440;
    let (mut variant, _) = known(until);
    let summary = VariantSummary::plain(id().variant.clone(), Some(2), Some(2));
    let mut endpoint =
        Endpoint::in_service(id().endpoint.clone(), "config".to_owned(), start(), summary);
    endpoint.deploy_in_progress = true;
    variant.note_endpoint(&endpoint, (None, None), &id().variant.clone(), at(until));
    let record = variant.evidence(&id()).unwrap();
    let resumed = resume(&record, 1, at(until + 30)).unwrap();
    let kept: Value = serde_json::from_slice(&resumed.evidence(&id()).unwrap()).unwrap();
    let update = &kept["capacity"]["changes"][0]["Update"];
    // It may have ended just now, and then its instances are cold.
    assert_eq!(update["to"], serde_json::to_value(at(until + 33)).unwrap());
}

/// The names of everything, and what the same minutes leave behind: when this changes, a record of
/// before is another form ([`FORM`]), or means something else.
#[test]
fn the_form_is_what_it_was() {
    let (variant, _) = known(DAYS * 1440);
    let record = variant.evidence(&id()).unwrap();
    // Nine days of one variant; the disk packs them to a tenth of it.
    assert!(record.len() < 96 << 10, "{}", record.len());
    let mut value: Value = serde_json::from_slice(&record).unwrap();
    let mut names = std::collections::BTreeSet::new();
    shape("", &value, &mut names);
    round(&mut value);
    let digest = crate::model::stable_hash::fnv1a(value.to_string().bytes());
    let names: Vec<String> = names.into_iter().collect();
    let text = format!("form {FORM}\nleft behind {digest:016x}\n{}\n", names.join("\n"));
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/src/variant/resume/form.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(place, &text).unwrap();
    }
    let kept = std::fs::read_to_string(place).unwrap_or_default();
    assert_eq!(
        kept, text,
        "the state of a variant has changed: give FORM the next number, then UPDATE_EXPECT=1"
    );
}

fn shape(path: &str, value: &Value, names: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                shape(&format!("{path}.{name}"), value, names);
            }
        }
        Value::Array(items) => {
            for item in items {
                shape(&format!("{path}[]"), item, names);
            }
        }
        Value::Null => {}
        _ => {
            names.insert(path.to_owned());
        }
    }
}

/// The last digits of a logarithm are the machine's.
fn round(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(round),
        Value::Array(items) => items.iter_mut().for_each(round),
        Value::Number(number) if number.is_f64() => {
            *value = format!("{:.5e}", number.as_f64().unwrap_or(0.0)).into();
        }
        _ => {}
    }
}

fn goal(threshold_ms: f64, max_rps: Option<f64>) -> Goal {
    let load_test = max_rps.map(|rate| LoadTest {
        max_rps: RequestsPerSecond::new(rate).unwrap(),
        date: None,
        instance_type: None,
        endpoint_config: None,
        max_age_days: None,
    });
    Goal {
        objective: settings(threshold_ms).objective,
        load_test,
        ..Goal::nothing("a test".to_owned())
    }
}

#[test]
fn journals_of_a_fleet_are_kept_in_four_parts_of_an_hour() {
    let (variant, _) = known(1440);
    let mut parts = [0; 4];
    for n in 0..400 {
        let endpoint = format!("endpoint-{n}").parse().unwrap();
        let mut id = id();
        id.endpoint = endpoint;
        let mut own = variant.clone();
        assert!(own.journal(&id, at(1440)).is_some(), "a first one is kept at once");
        let due: Vec<i64> =
            (1..=180).filter(|m| own.journal(&id, at(1440 + m)).is_some()).collect();
        assert_eq!(due[1..], [due[0] + 60, due[0] + 120][..due.len() - 1], "then once an hour");
        assert!([15, 30, 45, 60].contains(&due[0]), "{due:?}");
        parts[due[0] as usize / 15 - 1] += 1;
    }
    assert!(parts.iter().all(|count| (60..140).contains(count)), "{parts:?}");
}
