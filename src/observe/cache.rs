//! What changes only with an endpoint, read again when `ListEndpoints` says that it has changed,
//! after a while even if not, and when a person asks.

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::bounded::Bounded;
use super::progress::Progress;
use super::sweep::timed;
use crate::model::endpoint::{Endpoint, EndpointConfig, EndpointStatus, EndpointSummary, Model};
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::ids::{EndpointName, VariantName};
use crate::model::reads::Read;
use crate::model::shared::Shared;
use crate::model::stable_hash::fnv1a;
use crate::model::time::Timestamp;
use crate::ports::{Aws, Clock, ErrorKind, PortError, PortResult, Service};

/// An endpoint to whose change nothing points is described again after this time at the earliest:
/// `ListEndpoints` shows a deploy and each scaling as another status or modification time, in every pass.
const DESCRIBED_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(30);
/// Over so many minutes more those of a fleet are spread: thousands at once would delay a pass.
const DESCRIBED_AGAIN_OVER_MINUTES: u64 = 30;
/// A change counts as the longest time until an endpoint is described again: it comes before what is only due by then, and
/// what has waited for longer has its turn, too.
const CHANGED_AHEAD: TimeDelta = TimeDelta::minutes(60);
/// An endpoint that may not be described is asked for again at the latest after this time: a policy may name some of an
/// account's endpoints and not the others.
const DENIED_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(15);
/// An endpoint config or model that is gone is asked for again after this time: it may have been
/// made again under its name.
const ABSENT_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(15);

/// So many endpoints are described before their configs and models are.
const DESCRIBED_AT_ONCE: usize = 64;

/// What a pass wants described.
#[derive(Clone, Copy)]
pub struct Due<'a> {
    /// What `ListEndpoints` lists.
    pub all: &'a BTreeMap<EndpointName, EndpointSummary>,
    /// Of these nothing that was read before is used.
    pub refresh: &'a BTreeSet<EndpointName>,
    pub now: Timestamp,
    /// Calls at a time.
    pub concurrency: usize,
    /// No further call begins then; absent: however long it takes.
    pub until: Option<Instant>,
}

impl Due<'_> {
    const fn at_once(&self) -> (usize, Option<Instant>) {
        (self.concurrency, self.until)
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// What came of describing what was due.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// The endpoints whose row in `ListEndpoints` has changed since they were last described.
    pub changed: BTreeSet<EndpointName>,
    /// Whether some had no turn, for there was no time.
    pub has_more: bool,
}

/// Everything remembered of the endpoints of a region between passes.
#[derive(Debug)]
pub struct EndpointCache {
    reading: Reading,
    progress: Arc<Progress>,
    endpoints: BTreeMap<EndpointName, Box<Described>>,
    /// By the config's name and the endpoint's creation and modification times: a config can be
    /// deleted and made again under its name, and only a deploy puts that into force.
    pub(super) configs: BTreeMap<ConfigKey, Kept<EndpointConfig>>,
    pub(super) models: BTreeMap<(String, ConfigKey), Kept<Model>>,
    /// Configs and models that were read.
    pub(super) read_in_all: u64,
}

/// The reads under way: one that hangs delays no other.
#[derive(Debug)]
struct Reading {
    endpoints: Bounded<EndpointName, (PortResult<Option<Endpoint>>, Read)>,
    configs: Bounded<String, (PortResult<Option<EndpointConfig>>, Read)>,
    models: Bounded<String, (PortResult<Option<Model>>, Read)>,
}

impl Default for EndpointCache {
    fn default() -> Self {
        let reading = Reading {
            endpoints: Bounded::new("DescribeEndpoint"),
            configs: Bounded::new("DescribeEndpointConfig"),
            models: Bounded::new("DescribeModel"),
        };
        let (endpoints, configs, models) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let progress = Arc::default();
        Self { reading, progress, endpoints, configs, models, read_in_all: 0 }
    }
}

pub(super) type ConfigKey = (String, Timestamp, Timestamp);

/// What a read said, and when.
pub(super) type Kept<T> = (Shared<Fact<Option<T>>>, Read);

/// What a pass has been told of configs and models, by their names: those that share one share the call.
#[derive(Debug, Default)]
struct Answers {
    configs: BTreeMap<String, Kept<EndpointConfig>>,
    models: BTreeMap<String, Kept<Model>>,
}

/// Those of these names that have no answer yet, each once.
fn unanswered<'a, T>(
    names: impl Iterator<Item = &'a String>,
    answers: &BTreeMap<String, T>,
) -> Vec<String> {
    let names: BTreeSet<&String> = names.filter(|name| !answers.contains_key(*name)).collect();
    names.into_iter().cloned().collect()
}

#[derive(Debug)]
struct Described {
    at: Timestamp,
    summary: EndpointSummary,
    endpoint: Shared<Fact<Option<Endpoint>>>,
    read: Read,
    /// How often in a row AWS has refused to describe it.
    denials: u32,
}

impl Described {
    fn known(&self) -> Option<&Endpoint> {
        self.endpoint.known().and_then(Option::as_ref)
    }

    fn is_due(&self, summary: &EndpointSummary, now: Timestamp) -> bool {
        // Within `Updating` the counts move without a new modification time.
        self.summary != *summary
            || summary.status != EndpointStatus::InService
            || (self.endpoint.why().is_some() && now - self.at >= after_denials(self.denials))
            || self.is_settling()
            || now - self.at >= again_after(&summary.name)
    }

    fn is_settling(&self) -> bool {
        self.known().is_some_and(|endpoint| {
            endpoint.variants.iter().any(|v| v.current_instances != v.desired_instances)
        })
    }
}

impl EndpointCache {
    /// An empty one that counts what it reads.
    #[must_use]
    pub fn counted(progress: Arc<Progress>) -> Self {
        Self { progress, ..Self::default() }
    }

    /// Describes what is due, as far as there is time: what a person asks for first, then what was never described, then
    /// what was described longest ago, where a changed row counts as an hour.
    pub async fn refresh(&mut self, by: (&Aws, &Arc<dyn Clock>), due: Due<'_>) -> Refreshed {
        let Due { all, refresh, now, .. } = due;
        self.endpoints.retain(|name, _| all.contains_key(name));
        self.reading.endpoints.retain(|name| all.contains_key(name));
        let changed: BTreeSet<EndpointName> = all
            .values()
            .filter(|s| self.endpoints.get(&s.name).is_some_and(|d| d.summary != **s))
            .map(|s| s.name.clone())
            .collect();
        let mut names: Vec<EndpointName> = all
            .values()
            .filter(|s| {
                let described = self.endpoints.get(&s.name);
                refresh.contains(&s.name) || described.is_none_or(|d| d.is_due(s, now))
            })
            .map(|s| s.name.clone())
            .collect();
        let turn = |name: &EndpointName| {
            let ahead = if changed.contains(name) { CHANGED_AHEAD } else { TimeDelta::zero() };
            let since = self.endpoints.get(name).map(|described| described.at - ahead);
            (!refresh.contains(name), since)
        };
        names.sort_by_cached_key(turn);
        self.progress.described.expect(names.len());
        // What could not be read is asked for again.
        self.configs.retain(|_, config| holds(config, now));
        self.models.retain(|_, model| holds(model, now));
        let (mut begun, mut done, mut answers) = (0, BTreeSet::new(), Answers::default());
        for chunk in names.chunks(DESCRIBED_AT_ONCE) {
            if due.is_over() {
                break;
            }
            begun += self.describe(by, chunk.to_vec(), due).await;
            // Of those that have no turn, what was known counts on.
            let asked = chunk.iter().filter(|name| refresh.contains(name));
            let asked = asked.filter_map(|name| self.endpoints.get(name)?.known());
            let stale: BTreeSet<ConfigKey> = asked.map(config_key).collect();
            if !stale.is_empty() {
                self.configs.retain(|key, _| !stale.contains(key));
                self.models.retain(|(_, key), _| !stale.contains(key));
            }
            // With its config and its model at once, however long it takes: what is half described cannot be judged.
            let of_chunk = chunk.iter().filter_map(|name| self.endpoints.get(name)?.known());
            let of_chunk: BTreeSet<ConfigKey> = of_chunk.map(config_key).collect();
            self.read_configs(by, (&of_chunk, &mut answers), Due { until: None, ..due }).await;
            done.extend(of_chunk);
        }
        let in_force: BTreeSet<ConfigKey> = self.known().map(config_key).collect();
        // What an earlier process has read may be of those whose turn is yet to come. Each scaling makes a key of its own.
        if begun == names.len() || self.configs.len() > 2 * all.len() {
            self.configs.retain(|key, _| in_force.contains(key));
            self.models.retain(|(_, key), _| in_force.contains(key));
        }
        let others = in_force.into_iter().filter(|key| !done.contains(key)).collect();
        self.read_configs(by, (&others, &mut answers), due).await;
        let left = names.len() - begun;
        self.progress.described.drop_out(left);
        Refreshed { changed, has_more: left > 0 }
    }

    /// Describes these endpoints; how many there was time for.
    async fn describe(
        &mut self,
        (aws, clock): (&Aws, &Arc<dyn Clock>),
        names: Vec<EndpointName>,
        due: Due<'_>,
    ) -> usize {
        let progress = &self.progress;
        let described = self.reading.endpoints.read(names, due.at_once(), |name| {
            let (aws, clock, name) = (aws.clone(), Arc::clone(clock), name.clone());
            let progress = Arc::clone(progress);
            async move {
                let answer =
                    timed(&*clock, "DescribeEndpoint", aws.endpoints.endpoint(&name)).await;
                progress.described.done();
                answer
            }
        });
        let described = described.await;
        let begun = described.len();
        for (name, answer) in described {
            let Some(summary) = due.all.get(&name).cloned() else { continue };
            let (mut endpoint, read) = fact(answer, "DescribeEndpoint", &**clock);
            let before = self.endpoints.get(&name);
            if let Some(before) = before {
                endpoint.share(&before.endpoint);
            }
            let is_denied = endpoint.why().is_some_and(|why| why.kind == WhyKind::Denied);
            let denials =
                if is_denied { before.map_or(0, |b| b.denials).saturating_add(1) } else { 0 };
            let described = Described { at: due.now, summary, endpoint, read, denials };
            self.endpoints.insert(name, Box::new(described));
        }
        begun
    }

    /// Takes in what a look right before a write saw.
    pub fn update(
        &mut self,
        name: &EndpointName,
        endpoint: Shared<Fact<Option<Endpoint>>>,
        read: Read,
    ) {
        if let Some(described) = self.endpoints.get_mut(name) {
            described.at = read.at;
            described.endpoint = endpoint;
            described.read = read;
        }
    }

    /// Reads those of these configs that are not known, and the models in them.
    async fn read_configs(
        &mut self,
        by: (&Aws, &Arc<dyn Clock>),
        (of, answers): (&BTreeSet<ConfigKey>, &mut Answers),
        due: Due<'_>,
    ) {
        let (aws, clock) = by;
        let is_missing = |key: &&ConfigKey| !self.configs.contains_key(*key);
        let missing: Vec<ConfigKey> = of.iter().filter(is_missing).cloned().collect();
        // Endpoints that share a config share the call.
        let names = unanswered(missing.iter().map(|key| &key.0), &answers.configs);
        let read = self.reading.configs.read(names, due.at_once(), |name| {
            let (aws, clock, name) = (aws.clone(), Arc::clone(clock), name.clone());
            async move {
                if name.is_empty() {
                    let read = Read::new("DescribeEndpoint", clock.now());
                    return (Err(names_no_config()), read);
                }
                let call = aws.endpoints.endpoint_config(&name);
                timed(&*clock, "DescribeEndpointConfig", call).await
            }
        });
        let kept = |answer| fact(answer, "DescribeEndpointConfig", &**clock);
        let read = read.await.into_iter().map(|(name, answer)| (name, kept(answer)));
        answers.configs.extend(read);
        self.read_in_all += keep(&mut self.configs, missing, |key| answers.configs.get(&key.0));
        self.read_models(by, (of, &mut answers.models), due).await;
    }

    async fn read_models(
        &mut self,
        (aws, clock): (&Aws, &Arc<dyn Clock>),
        (of, answers): (&BTreeSet<ConfigKey>, &mut BTreeMap<String, Kept<Model>>),
        due: Due<'_>,
    ) {
        let mut in_use = BTreeSet::new();
        for key in of {
            let config = self.configs.get(key).and_then(|(config, _)| config.known());
            let Some(config) = config.and_then(Option::as_ref) else { continue };
            for name in config.variants.iter().filter_map(|v| v.model_name.clone()) {
                in_use.insert((name, key.clone()));
            }
        }
        let missing: Vec<_> =
            in_use.into_iter().filter(|key| !self.models.contains_key(key)).collect();
        let names = unanswered(missing.iter().map(|key| &key.0), answers);
        let read = self.reading.models.read(names, due.at_once(), |name| {
            let (aws, clock, name) = (aws.clone(), Arc::clone(clock), name.clone());
            async move { timed(&*clock, "DescribeModel", aws.endpoints.model(&name)).await }
        });
        let kept = |answer| fact(answer, "DescribeModel", &**clock);
        answers.extend(read.await.into_iter().map(|(name, answer)| (name, kept(answer))));
        self.read_in_all += keep(&mut self.models, missing, |key| answers.get(&key.0));
    }

    /// The endpoints that are known to exist.
    pub fn known(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values().filter_map(|described| described.known())
    }

    /// What is known of an endpoint that `ListEndpoints` lists.
    pub fn endpoint(&self, name: &EndpointName) -> Shared<Fact<Option<Endpoint>>> {
        self.endpoints.get(name).map_or_else(not_read_yet, |d| d.endpoint.clone())
    }

    /// What is known of the config in force of an endpoint.
    pub fn config(&self, endpoint: &Endpoint) -> Shared<Fact<Option<EndpointConfig>>> {
        let kept = self.configs.get(&config_key(endpoint));
        kept.map_or_else(not_read_yet, |(config, _)| config.clone())
    }

    /// When an endpoint was described.
    pub fn endpoint_read(&self, name: &EndpointName) -> Option<Read> {
        self.endpoints.get(name).map(|described| described.read)
    }

    /// When the config in force of an endpoint, and the model of a variant, were described.
    pub fn config_reads(
        &self,
        endpoint: &Endpoint,
        variant: &VariantName,
    ) -> (Option<Read>, Option<Read>) {
        let key = config_key(endpoint);
        let Some((config, read)) = self.configs.get(&key) else { return (None, None) };
        let config = config.known().and_then(Option::as_ref);
        let model = config.and_then(|c| c.variant(variant)).and_then(|v| v.model_name.clone());
        // Of what a config that could not be read names, nothing more was asked.
        let model = model.map(|name| self.models.get(&(name, key)).map(|(_, read)| *read));
        (Some(*read), model.unwrap_or(Some(*read)))
    }

    /// What is known of the model of a variant.
    pub fn model(&self, endpoint: &Endpoint, variant: &VariantName) -> Shared<Fact<Option<Model>>> {
        let key = config_key(endpoint);
        let config = match self.configs.get(&key).map(|(config, _)| config.as_ref()) {
            None => return not_read_yet(),
            Some(Fact::Unknown(why)) => return Fact::Unknown(why).into(),
            Some(Fact::Known(config)) => config.as_ref(),
        };
        let unknown = |why: String| Fact::Unknown(Why::new(WhyKind::NotFound, why)).into();
        let config_name = &endpoint.config_name;
        let Some(config) = config else {
            return unknown(format!(
                "the endpoint config {config_name} is gone, so which model runs is not known"
            ));
        };
        let Some(variant) = config.variant(variant) else {
            return unknown(format!("the endpoint config {config_name} does not list the variant"));
        };
        let Some(name) = variant.model_name.clone() else {
            return unknown("the variant names no model".to_owned());
        };
        let kept = self.models.get(&(name, key));
        kept.map_or_else(not_read_yet, |(model, _)| model.clone())
    }
}

/// Keeps what was read of those that were missing; how many that is.
fn keep<'a, K: Ord, T: 'a>(
    kept: &mut BTreeMap<K, Kept<T>>,
    missing: Vec<K>,
    read: impl Fn(&K) -> Option<&'a Kept<T>>,
) -> u64 {
    let found = missing.into_iter().filter_map(|key| {
        let answer = read(&key)?.clone();
        Some((key, answer))
    });
    let mut found: BTreeMap<_, _> = found.collect();
    let count = found.len() as u64;
    // Inserted one by one in their order, they would leave half of each node of the map empty.
    kept.append(&mut found);
    count
}

/// After what time an endpoint is described again that was denied so often in a row: a permission that has just been
/// given may take some seconds to be known everywhere.
fn after_denials(times: u32) -> TimeDelta {
    let Some(doubled) = times.checked_sub(2) else { return TimeDelta::zero() };
    let minutes = 1_i64.checked_shl(doubled).unwrap_or(i64::MAX);
    // A pass begins some seconds early or late.
    TimeDelta::minutes(minutes.min(DENIED_AGAIN_AFTER.num_minutes())) - TimeDelta::seconds(10)
}

/// After what time an endpoint is described again even when nothing points to a change.
fn again_after(name: &EndpointName) -> TimeDelta {
    let own = fnv1a(name.as_str().bytes()) % DESCRIBED_AGAIN_OVER_MINUTES;
    DESCRIBED_AGAIN_AFTER + TimeDelta::minutes(own.cast_signed() + 1)
}

/// Whether what was read still counts. A failed read is tried again on the next pass, an absence
/// after a while; what is there does not change.
fn holds<T>((fact, read): &Kept<T>, now: Timestamp) -> bool {
    match &**fact {
        Fact::Unknown(_) => false,
        Fact::Known(None) => now - read.at < ABSENT_AGAIN_AFTER,
        Fact::Known(Some(_)) => true,
    }
}

/// What a read said, or why it has said nothing by now.
fn fact<T>(
    answer: Result<(PortResult<Option<T>>, Read), Why>,
    operation: &'static str,
    clock: &dyn Clock,
) -> Kept<T> {
    match answer {
        Ok((answer, read)) => (Fact::from(answer).into(), read),
        Err(why) => (Fact::Unknown(why).into(), Read::new(operation, clock.now())),
    }
}

/// The API reference does not promise that `DescribeEndpoint` names one.
fn names_no_config() -> PortError {
    PortError {
        kind: ErrorKind::Garbage,
        service: Service::SageMaker,
        operation: "DescribeEndpoint",
        code: None,
        message: "it names no endpoint config".to_owned(),
    }
}

/// What nobody has read by now.
fn not_read_yet<T>() -> Shared<Fact<Option<T>>> {
    Fact::not_read_yet().into()
}

fn config_key(endpoint: &Endpoint) -> ConfigKey {
    (endpoint.config_name.clone(), endpoint.created_at, endpoint.modified_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_a_fleet_are_described_again_at_different_times() {
        let name = |n: usize| EndpointName::new(format!("endpoint-{n}")).unwrap();
        let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
        for after in (0..3000).map(|n| again_after(&name(n))) {
            *minutes.entry(after.num_minutes()).or_default() += 1;
            assert_eq!(after, TimeDelta::minutes(after.num_minutes()));
        }
        assert_eq!(minutes.keys().copied().collect::<Vec<_>>(), (31..=60).collect::<Vec<_>>());
        // Evenly would be a hundred in each minute.
        assert!(minutes.values().all(|count| (50..150).contains(count)), "{minutes:?}");
    }
}
