//! Encodes what the published status says beside variants: whether accounts and regions could be
//! listed, and whether memory and history work. There is nothing to say before the first pass, and nothing
//! while another process leads.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily};

use super::StatusSource;
use super::definition::{Definition, SCOPE_LABELS};
use super::digits::timestamp;
use super::status_families::{
    self as families, EVIDENCE_FAMILIES, MEMORY_FAMILIES, SCOPE_FAMILIES, STORE_FAMILIES,
};
use super::variants::bit;
use crate::model::evidence::EvidenceStatus;
use crate::model::ids::Scope;
use crate::model::status::{FleetStatus, MemoryStatus, StoreStatus};

/// Hands them to a registry.
pub struct StatusCollector {
    source: Arc<dyn StatusSource>,
    descs: Vec<Desc>,
}

impl StatusCollector {
    /// A collector over what `source` publishes.
    ///
    /// # Errors
    /// When a definition has a name that Prometheus does not take.
    pub fn new(source: Arc<dyn StatusSource>) -> prometheus::Result<Self> {
        let all = SCOPE_FAMILIES
            .iter()
            .chain(MEMORY_FAMILIES)
            .chain(STORE_FAMILIES)
            .chain(EVIDENCE_FAMILIES);
        let descs = all.map(|family| family.desc()).collect::<Result<_, _>>()?;
        Ok(Self { source, descs })
    }
}

impl Collector for StatusCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let fleet = self.source.fleet();
        let mut families = scopes(&fleet);
        families.extend(fleet.memory.as_ref().map(memory).unwrap_or_default());
        families.extend(fleet.history.as_ref().map(store).unwrap_or_default());
        families.extend(fleet.evidence.as_ref().map(evidence).unwrap_or_default());
        families
    }
}

fn scopes(fleet: &FleetStatus) -> Vec<MetricFamily> {
    let readable = fleet.scopes.iter().map(|(scope, why)| (scope, bit(why.is_none())));
    let listed = fleet.listed.iter().map(|(scope, at)| (scope, timestamp(*at)));
    let undescribed = fleet.scopes.keys().map(|scope| {
        let found = fleet.undescribed.get(scope).filter(|found| !found.narrowed);
        (scope, found.map_or(0.0, |found| found.endpoints as f64))
    });
    [
        family(&families::SCOPE_READABLE, readable.map(|(s, v)| gauge(labels(s), v)).collect()),
        family(&families::SCOPE_LAST_LISTING, listed.map(|(s, v)| gauge(labels(s), v)).collect()),
        family(
            &families::SCOPE_UNDESCRIBED,
            undescribed.map(|(s, v)| gauge(labels(s), v)).collect(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Of a history without a file there is nothing that could break.
fn store(status: &StoreStatus) -> Vec<MetricFamily> {
    if status.path.is_none() {
        return Vec::new();
    }
    let aside = status.files_set_aside as f64;
    let numbers = [
        (&families::STORE_READABLE, Some(bit(status.unread.is_none()))),
        (&families::STORE_WRITABLE, Some(bit(status.unsaved.is_none()))),
        (&families::STORE_LAST_SAVED, status.last_saved.map(timestamp)),
        (&families::STORE_SIZE, status.size_bytes.map(|bytes| bytes as f64)),
        (&families::STORE_SET_ASIDE, Some(aside)),
    ];
    numbers.into_iter().filter_map(one).collect()
}

fn evidence(status: &EvidenceStatus) -> Vec<MetricFamily> {
    let count = |count: u64| vec![counter(Vec::new(), count)];
    let dropped = status.dropped.iter().map(|(why, n)| counter(vec![pair("reason", why)], *n));
    let counts = [
        family(&families::EVIDENCE_RESUMED, count(status.resumed)),
        family(&families::EVIDENCE_DROPPED, dropped.collect()),
        family(&families::EVIDENCE_KEPT, count(status.kept)),
    ];
    let numbers = [
        (&families::EVIDENCE_LAST_KEPT, status.last_kept.map(timestamp)),
        (&families::EVIDENCE_WORKS, Some(bit(status.trouble.is_none()))),
    ];
    counts.into_iter().flatten().chain(numbers.into_iter().filter_map(one)).collect()
}

fn one((definition, number): (&Definition, Option<f64>)) -> Option<MetricFamily> {
    family(definition, number.map(|number| gauge(Vec::new(), number)).into_iter().collect())
}

fn memory(status: &MemoryStatus) -> Vec<MetricFamily> {
    let tried = status.unsaved.is_some() || status.last_saved.is_some();
    let numbers = [
        (&families::MEMORY_READABLE, Some(bit(status.unread.is_none()))),
        (&families::MEMORY_WRITABLE, tried.then(|| bit(status.unsaved.is_none()))),
        (&families::MEMORY_LAST_SAVED, status.last_saved.map(timestamp)),
    ];
    numbers.into_iter().filter_map(one).collect()
}

/// A family without a series is left out: the registry takes no empty one.
fn family(definition: &Definition, series: Vec<Metric>) -> Option<MetricFamily> {
    (!series.is_empty()).then(|| definition.family(series))
}

fn labels(scope: &Scope) -> Vec<LabelPair> {
    let values = [scope.account_id.as_str(), scope.region.as_str()];
    SCOPE_LABELS.iter().zip(values).map(|(name, value)| pair(name, value)).collect()
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

fn counter(labels: Vec<LabelPair>, count: u64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(count as f64);
    let mut metric = Metric::from_label(labels);
    metric.set_counter(counter);
    metric
}

fn gauge(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_gauge(gauge);
    metric.set_label(labels);
    metric
}
