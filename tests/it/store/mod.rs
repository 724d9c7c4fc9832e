//! The history that stays.

mod changes;
mod command;
mod crashes;
mod file;

use std::sync::Arc;

use chrono::TimeDelta;
use setpoint::model::history::{Event, EventKind};
use setpoint::model::series::Minute;
use setpoint::model::snapshot::Telemetry;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::model::time::Timestamp;
use setpoint::model::{Fact, VariantId};

use crate::fixtures;

/// Noon of the fixtures and so many minutes.
fn minute(minutes: i64) -> Timestamp {
    fixtures::noon() + TimeDelta::minutes(minutes)
}

/// The same variant in the pass of another minute.
fn at(minutes: i64, mut status: VariantStatus) -> VariantStatus {
    status.decision.at = minute(minutes);
    status.snapshot.taken_at = minute(minutes);
    status.last_pass = minute(minutes);
    status
}

/// A pass over these variants.
fn pass(minutes: i64, variants: Vec<VariantStatus>) -> Arc<FleetStatus> {
    let variants = variants.into_iter().map(|status| at(minutes, status)).collect();
    Arc::new(FleetStatus { at: Some(minute(minutes)), ..fixtures::fleet(variants) })
}

/// The telemetry of one minute, at this load.
fn with_minute(mut status: VariantStatus, minutes: i64, load: f64) -> VariantStatus {
    let recent = vec![Minute {
        invocations: Some(load * 4.0),
        invocations_per_instance: Some(load),
        latency_us: Some(if load > 500.0 { 300_000.0 } else { 100_000.0 }),
        errors_5xx: Some(0.0),
        ..Minute::empty(minute(minutes))
    }];
    status.snapshot.telemetry = Fact::Known(Telemetry {
        read_at: minute(minutes + 3),
        newest_datapoint: Some(minute(minutes + 1)),
        recent: recent.into(),
        hours: setpoint::compact::Packed::default(),
        usage: setpoint::compact::Packed::default(),
        peak_invocations: None,
        max_load_since_last_read: None,
    });
    status
}

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

fn id() -> VariantId {
    fixtures::id("a")
}
