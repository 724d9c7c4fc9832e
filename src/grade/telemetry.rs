//! What the embedded AWS publishes, as the rows of a recording.

use std::collections::BTreeMap;

use crate::model::ids::{ResourceId, Scope};
use crate::model::series::Minute;
use crate::model::time::{Timestamp, floor_to, minutes};
use crate::model::units::LatencyStatistic;
use crate::ports::{Aws, Metric, MetricQuery};
use crate::replay::Row;
use crate::sim::Sim;

use super::cases::{Case, ENDPOINT, VARIANT};

/// The world of a case, the ports over it and what it has published so far.
pub(super) struct Recorder {
    pub(super) sim: Sim,
    aws: Aws,
    resource: ResourceId,
    statistic: LatencyStatistic,
    pub(super) rows: Vec<Row>,
    /// Since when which endpoint config was in force.
    configs: Vec<(Timestamp, String)>,
    read_until: [Timestamp; PERIODS.len()],
}

/// `CloudWatch` shows a minute whole after this.
const DELAY_MINUTES: i64 = 3;
/// Periods that are read, in seconds.
const PERIODS: [u32; 3] = [60, 300, 900];

impl Recorder {
    /// Builds the world of a case.
    pub(super) fn new(case: &Case) -> Result<Self, String> {
        let sim = case.scenario.build().map_err(|e| e.to_string())?;
        let world = &case.scenario.world;
        let scope = Scope { account_id: world.account_id.clone(), region: world.region.clone() };
        let aws = crate::sim::aws(&sim, scope);
        let name = format!("endpoint/{ENDPOINT}/variant/{VARIANT}");
        let resource = name.parse().map_err(|e: crate::model::ids::InvalidName| e.to_string())?;
        let read_until = [sim.now(); PERIODS.len()];
        let statistic = case.objective.latency.map_or(LatencyStatistic::P99, |l| l.statistic);
        let (rows, configs) = (Vec::new(), Vec::new());
        Ok(Self { sim, aws, resource, statistic, rows, configs, read_until })
    }

    /// Lets time pass and reads what was published in it. `target` is the value in force.
    pub(super) async fn advance(&mut self, to: Timestamp, target: f64) -> Result<(), String> {
        self.sim.run_until(to);
        let until = to - minutes(DELAY_MINUTES);
        let endpoint = self.aws.endpoints.endpoint(&self.resource.endpoint).await;
        // Of the minutes that are read after a deploy, some were served by the fleet before it.
        if let Some(endpoint) = endpoint.map_err(|e| e.to_string())?
            && self.configs.last().is_none_or(|(_, name)| *name != endpoint.config_name)
        {
            self.configs.push((endpoint.modified_at, endpoint.config_name));
        }
        let mut rows: Vec<Row> = Vec::new();
        for (i, period_seconds) in PERIODS.into_iter().enumerate() {
            // Longer periods only matter where minutes are thin.
            let thin = rows.iter().any(|r| r.minute.invocations.is_some_and(|n| n < 100.0));
            let from = self.read_until[i];
            let until = floor_to(until, i64::from(period_seconds));
            if until > from && (period_seconds == 60 || thin) {
                let read = self.read(period_seconds, (from, until), target);
                rows.extend(read.await?);
                self.read_until[i] = until;
            }
        }
        self.rows.extend(rows);
        // Longer periods begin before minutes that were read earlier.
        self.rows.sort_by_key(|r| (r.minute.at, r.minute.period_seconds));
        Ok(())
    }

    async fn read(
        &self,
        period_seconds: u32,
        (from, until): (Timestamp, Timestamp),
        target: f64,
    ) -> Result<Vec<Row>, String> {
        let metrics = [
            Metric::Invocations,
            Metric::InvocationsPerInstance,
            Metric::ModelLatency(self.statistic),
            Metric::ModelLatency(LatencyStatistic::P50),
            Metric::Invocation5xxErrors,
        ];
        let queries = metrics.map(|metric| MetricQuery {
            instance: None,
            resource: self.resource.clone(),
            metric,
            period_seconds,
        });
        let answers = self.aws.metrics.metric_data(&queries, from, until).await;
        let mut found: BTreeMap<Timestamp, Minute> = BTreeMap::new();
        for (i, answer) in answers.into_iter().enumerate() {
            for (at, value) in answer.map_err(|why| why.message)?.iter() {
                let minute = found
                    .entry(at)
                    .or_insert_with(|| Minute { period_seconds, ..Minute::empty(at) });
                match i {
                    0 => minute.invocations = Some(value),
                    1 => minute.invocations_per_instance = Some(value),
                    2 => minute.latency_us = Some(value),
                    3 => minute.latency_p50_us = Some(value),
                    _ => minute.errors_5xx = Some(value),
                }
            }
        }
        let row = |minute: Minute| Row {
            endpoint_config: self.config_at(minute.at),
            configured_target: Some(target),
            ..Row::from(minute)
        };
        Ok(found.into_values().map(row).collect())
    }

    /// The endpoint config that was in force at an instant.
    fn config_at(&self, at: Timestamp) -> Option<String> {
        let held = self.configs.iter().rev().find(|(since, _)| *since <= at);
        held.or(self.configs.first()).map(|(_, name)| name.clone())
    }

    /// The truth so far: since when capacity was what.
    pub(super) fn capacities(&self) -> Vec<(Timestamp, f64)> {
        let name = self.resource.to_string();
        self.sim.with_world(|world| world.truth_about(&name)).capacity_over_time
    }

    /// The true capacity at an instant, which is far cheaper than all of it; not a number without traffic.
    pub(super) fn capacity_at(&self, at: Timestamp) -> f64 {
        let name = self.resource.to_string();
        self.sim.with_world(|world| world.capacity_at(&name, at)).unwrap_or(f64::NAN)
    }

    /// The speed at an instant: the higher, the more capacity.
    pub(super) fn speed_at(&self, at: Timestamp) -> f64 {
        let name = self.resource.to_string();
        self.sim.with_world(|world| world.speed_at(&name, at)).unwrap_or(f64::NAN)
    }

    /// Violation minutes and instance-hours so far.
    pub(super) fn cost(&self) -> (u64, f64) {
        let name = self.resource.to_string();
        self.sim.with_world(|world| world.cost_of(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grade::{Class, cases};

    /// Telemetry is read every quarter of an hour, and a deploy is done at any minute of it.
    #[tokio::test]
    async fn a_minute_bears_the_config_of_the_fleet_that_served_it() {
        let case = &cases(&[Class::Collapse], 0..1)[0];
        let mut recorder = Recorder::new(case).unwrap();
        let start = recorder.sim.now();
        for quarter in 1..=4 * 24 * 4 {
            recorder.advance(start + minutes(15 * quarter), 1.0).await.unwrap();
        }
        let (since, _) = *recorder.capacities().last().unwrap();
        let first = &recorder.rows[0].endpoint_config;
        let new = recorder.rows.iter().find(|row| row.endpoint_config != *first).unwrap();
        let late = new.minute.at - since;
        assert!(since > start && (minutes(0)..=minutes(1)).contains(&late), "{late}");
    }
}
