//! One row for each variant.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::model::endpoint::VariantSummary;
use crate::model::ids::VariantId;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::time::Timestamp;

/// Instances of each type, in dollars an hour.
pub type Prices = BTreeMap<String, f64>;

#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What an instance hour costs.
    pub prices: &'a Prices,
    /// A variant that nobody has invoked for so long is idle.
    pub idle_after: TimeDelta,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub at: Option<Timestamp>,
    /// After how many days without an invocation a variant is called idle.
    pub idle_days: i64,
    /// The variants, the most waste first.
    pub variants: Vec<Row>,
    /// Dollars of waste of those whose price is known; null when none is.
    pub waste_dollars: Option<f64>,
    pub waste_hours: f64,
    /// Dollars of all instance hours whose price is known; null when none is.
    pub dollars: Option<f64>,
    /// Instance types without a price: the report shows their variants in hours only.
    pub without_price: Vec<String>,
}

/// One variant, over the last week as far as it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which.
    pub id: VariantId,
    /// Whether the configuration lists it.
    pub managed: bool,
    /// Its instance type; null when it is not known.
    pub instance_type: Option<String>,
    /// What one costs an hour; null without a price.
    pub dollars_per_hour: Option<f64>,
    /// Hours that were looked at.
    pub watched_hours: f64,
    /// Instances times hours; null when no count is known.
    pub instance_hours: Option<f64>,
    pub dollars: Option<f64>,
    /// Instance hours above what the safe target needs; all of them of an idle variant. Null without
    /// a safe target.
    pub waste_hours: Option<f64>,
    pub waste_dollars: Option<f64>,
    /// Why the waste is not known; absent when it is.
    pub no_waste_because: Option<String>,
    /// Minutes above the measured capacity; null when that is not known from both sides.
    pub minutes_over_capacity: Option<f64>,
    /// Days without an invocation, of an idle variant.
    pub idle_days: Option<i64>,
    /// Since when min has set the number of instances, when for weeks.
    pub at_min_since: Option<Timestamp>,
    /// The share of capacity that is free in the newest minute with a load; below 0 is overload.
    pub buffer_now: Option<f64>,
    /// The same with one instance less.
    pub buffer_now_minus_one: Option<f64>,
    /// The share that was free in the busiest minute of the week.
    pub buffer_at_peak: Option<f64>,
    /// The same with one instance less.
    pub buffer_at_peak_minus_one: Option<f64>,
}

/// Days without invocations after which a variant is idle, when nobody says otherwise.
pub const DEFAULT_IDLE_DAYS: u16 = 7;
/// Min is worth a word when it has bound for so long (as the condition `at_min`).
const AT_MIN_FOR: TimeDelta = TimeDelta::days(14);

/// Less than a day says little about a month.
const PROJECTED_FROM_HOURS: f64 = 24.0;
/// A month has so many hours: a year's 8,760 by twelve, as AWS's price lists reckon.
const HOURS_A_MONTH: f64 = 730.0;

/// What each variant wastes in a month that is like the last week, in dollars. A variant is absent
/// where that is not known: without a price, without a safe target, or watched for less than a day.
/// Nothing at all without prices.
pub fn at_stake(fleet: &FleetStatus, ask: Ask<'_>) -> Option<BTreeMap<VariantId, f64>> {
    if ask.prices.is_empty() {
        return None;
    }
    let rows = fleet.variants.values().map(|status| row(status, ask));
    let known = rows
        .filter(|row| row.watched_hours >= PROJECTED_FROM_HOURS)
        .filter_map(|row| Some((row.id, row.waste_dollars? / row.watched_hours * HOURS_A_MONTH)));
    Some(known.collect())
}

pub fn report(fleet: &FleetStatus, ask: Ask<'_>, is_asked: impl Fn(&VariantId) -> bool) -> Report {
    let mut report = Report {
        at: fleet.at,
        idle_days: ask.idle_after.num_days(),
        variants: fleet.variants.values().map(|status| row(status, ask)).collect(),
        waste_dollars: None,
        waste_hours: 0.0,
        dollars: None,
        without_price: Vec::new(),
    };
    report.keep(is_asked);
    report
}

impl Report {
    /// Leaves the variants that were asked for, ranks them, and sums up.
    pub fn keep(&mut self, is_asked: impl Fn(&VariantId) -> bool) {
        self.variants.retain(|row| is_asked(&row.id));
        // Dollars first; hours where a price is missing.
        let worth =
            |row: &Row| (row.waste_dollars.unwrap_or(-1.0), row.waste_hours.unwrap_or(-1.0));
        self.variants.sort_by(|a, b| {
            let (a, b) = (worth(a), worth(b));
            b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
        let rows = &self.variants;
        let sum = |of: fn(&Row) -> Option<f64>| rows.iter().filter_map(of).reduce(|a, b| a + b);
        let mut without_price: Vec<String> = rows
            .iter()
            .filter(|row| row.dollars_per_hour.is_none())
            .filter_map(|row| row.instance_type.clone())
            .collect();
        without_price.sort();
        without_price.dedup();
        self.waste_dollars = sum(|row| row.waste_dollars).map(cent);
        self.waste_hours = tenth(sum(|row| row.waste_hours).unwrap_or_default());
        self.dollars = sum(|row| row.dollars).map(cent);
        self.without_price = without_price;
    }
}

fn tenth(hours: f64) -> f64 {
    (hours * 10.0).round() / 10.0
}

fn cent(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}

fn row(status: &VariantStatus, ask: Ask<'_>) -> Row {
    let (snapshot, report) = (&status.snapshot, &status.decision.report);
    let now = status.decision.at;
    let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
    let own = config.and_then(|config| config.variant(&snapshot.id.variant));
    let instance_type = own.and_then(|own| own.instance_type.clone());
    let price = instance_type.as_ref().and_then(|name| ask.prices.get(name)).copied();
    let telemetry = snapshot.telemetry.known();
    let usage = telemetry.map(|telemetry| telemetry.used().unwrap_or_default());
    let usage = usage.as_ref();
    let watched_hours = usage.map_or(0.0, |usage| usage.watched().num_minutes() as f64 / 60.0);
    let idle_days = usage.and_then(|usage| {
        let since = usage.last_invocation().or(usage.since())?;
        (now - since >= ask.idle_after).then(|| (now - since).num_days())
    });
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let summary = endpoint.and_then(|endpoint| endpoint.variant(&snapshot.id.variant));
    let current = summary.and_then(|v: &VariantSummary| v.current_instances);
    // Without requests no minute says how many instances ran: those of now are taken.
    let idle_hours = idle_days.and(current).map(|n| f64::from(n) * watched_hours);
    let used =
        usage.map(setpoint_core::model::usage::Usage::instance_hours).filter(|hours| *hours > 0.0);
    let instance_hours = idle_hours.or(used);
    let (waste_hours, no_waste_because) = match (idle_hours, usage, report.safe_target) {
        (Some(all), ..) => (Some(all), None),
        (None, None, _) => (None, Some("no telemetry has been read".to_owned())),
        (None, Some(_), None) => {
            (None, Some(format!("there is no safe target: {}", report.estimate.sentence)))
        }
        (None, Some(_), Some(_)) if used.is_none() => {
            (None, Some("no minute says how many instances ran".to_owned()))
        }
        (None, Some(usage), Some(safe)) => (Some(usage.above(safe).1), None),
    };
    let capacity = &report.estimate.capacity;
    let two_sided = report.estimate.verdict.is_two_sided();
    let over = capacity.estimate.filter(|_| two_sided).zip(usage);
    let proven = capacity.low.filter(|_| two_sided).or(capacity.lower_bound);
    let free = |load: Option<f64>| proven.zip(load).map(|(proven, load)| 1.0 - load / proven);
    let minus_one = |load: Option<f64>, instances: Option<f64>| {
        let (load, instances) = load.zip(instances.filter(|n| *n > 1.0))?;
        Some(load * instances / (instances - 1.0))
    };
    let newest = telemetry.and_then(setpoint_core::model::snapshot::Telemetry::newest);
    let load = newest.and_then(|minute| minute.load());
    let peak = usage.and_then(setpoint_core::model::usage::Usage::peak);
    let peak_load = peak.map(|peak| peak.load);
    let memory = snapshot.memory.known();
    let at_min = memory.and_then(|memory| memory.at_min_since);
    // What is shown adds up to the sums that are shown.
    let instance_hours = instance_hours.map(tenth);
    let waste_hours = waste_hours.map(tenth);
    let dollars = |hours: Option<f64>| hours.zip(price).map(|(hours, price)| cent(hours * price));
    Row {
        id: snapshot.id.clone(),
        managed: report.managed,
        dollars_per_hour: price,
        watched_hours,
        instance_hours,
        dollars: dollars(instance_hours),
        waste_hours,
        waste_dollars: dollars(waste_hours),
        no_waste_because,
        minutes_over_capacity: over.map(|(capacity, usage)| usage.minutes_above(capacity)),
        idle_days,
        at_min_since: at_min.filter(|since| now - *since >= AT_MIN_FOR),
        buffer_now: free(load),
        buffer_now_minus_one: free(minus_one(load, current.map(f64::from))),
        buffer_at_peak: free(peak_load),
        buffer_at_peak_minus_one: free(minus_one(peak_load, peak.map(|peak| peak.instances))),
        instance_type,
    }
}
