//! What the demo prints while it runs: what happens in the world, and what the daemon makes of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use chrono::TimeDelta;
use prometheus::Registry;

use super::summary;
use crate::cli::CliError;
use crate::cli::out::{out, outln};
use crate::model::decision::{Action, StepResult};
use crate::model::estimate::Finding;
use crate::model::ids::VariantId;
use crate::model::reason::{ActionKind, Field, Reason};
use crate::model::safety::Safety;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::time::Timestamp;
use crate::model::units::human;
use crate::render::line;
use crate::sim::Sim;
use crate::sim::scenario::{Change, Scenario};

const WORLD: Style = AnsiColor::Cyan.on_default().bold();
const FOUND: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// Shows what the daemon does, as a story.
pub(super) struct Account {
    /// What will happen in the world, oldest first.
    events: VecDeque<(Timestamp, String)>,
    start: Timestamp,
    /// Whether a line can be written over.
    terminal: bool,
    last: Option<Arc<FleetStatus>>,
    said: BTreeMap<VariantId, (ActionKind, Reason, String, Safety)>,
    found: BTreeMap<VariantId, BTreeSet<Finding>>,
    /// When the last pass ended that each was shown of.
    passes: BTreeMap<VariantId, Timestamp>,
    /// What was written, in order.
    written: BTreeMap<VariantId, Vec<String>>,
}

impl Account {
    pub(super) fn new(scenario: &Scenario, start: Timestamp, terminal: bool) -> Self {
        let events = scenario.events.iter().map(|event| {
            let at = start + TimeDelta::seconds((event.minute * 60.0) as i64);
            (at, describe(&event.change))
        });
        Self {
            events: events.collect(),
            start,
            terminal,
            last: None,
            said: BTreeMap::new(),
            found: BTreeMap::new(),
            passes: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    pub(super) fn begin(aws: &str, http: SocketAddr, speed: f64) -> Result<(), CliError> {
        outln!(
            "setpoint demo: five variants with 14 days of history on an embedded AWS,\n\
             {speed} times as fast as life. The daemon and its AWS SDK clients are the real ones.\n\n\
             {QUIET}embedded AWS  {aws}\n\
             status page   http://{http}/    metrics  http://{http}/metrics{QUIET:#}\n\n\
             {WORLD}*{WORLD:#} happens in the world   ~ + change, create   ! held   = in sync   ? unknown\n"
        );
        Ok(())
    }

    pub(super) fn show(
        &mut self,
        fleet: &Arc<FleetStatus>,
        now: Timestamp,
    ) -> Result<(), CliError> {
        while self.events.front().is_some_and(|(at, _)| *at <= now) {
            let Some((at, event)) = self.events.pop_front() else { break };
            self.print(&format!("{}  {WORLD}* {event}{WORLD:#}", at.format("%H:%M")))?;
        }
        if self.last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, fleet)) {
            self.last = Some(Arc::clone(fleet));
            let width = fleet.variants.keys().map(|id| id.short().len()).max().unwrap_or(0);
            for (id, status) in &fleet.variants {
                self.show_variant(id, status, width)?;
            }
        }
        self.progress(now)
    }

    fn show_variant(
        &mut self,
        id: &VariantId,
        status: &VariantStatus,
        width: usize,
    ) -> Result<(), CliError> {
        let report = &status.decision.report;
        let now = (report.action, report.reason, report.sentence.clone(), report.safety.state);
        // A pass may be published twice: before and after the history has it.
        let pass = Some(status.last_pass);
        let is_new = self.passes.insert(id.clone(), status.last_pass) != pass;
        let outcome = status.outcome.as_ref().filter(|_| is_new);
        if self.said.get(id) != Some(&now) || outcome.is_some() {
            self.said.insert(id.clone(), now);
            self.print(&line::line(status, width))?;
        }
        let steps = outcome.into_iter().flat_map(|outcome| &outcome.steps);
        for (action, step) in status.decision.plan.actions.iter().zip(steps) {
            self.print(&format!(
                "       {QUIET}  {:width$}  {}: {}{QUIET:#}",
                "", step.operation, step.sentence
            ))?;
            if step.result == StepResult::Success {
                self.written.entry(id.clone()).or_default().push(in_words(action));
            }
        }
        self.show_findings(id, status, width)
    }

    /// What the comparison with measured capacity found, when it is found and when it is gone.
    fn show_findings(
        &mut self,
        id: &VariantId,
        status: &VariantStatus,
        width: usize,
    ) -> Result<(), CliError> {
        let estimate = &status.decision.report.estimate;
        let found: BTreeSet<Finding> = estimate.findings.iter().copied().collect();
        let known = self.found.insert(id.clone(), found.clone()).unwrap_or_default();
        let at = status.decision.at.format("%H:%M");
        for finding in found.difference(&known) {
            let (name, why) = (finding.as_str(), summary::capacity(status));
            self.print(&format!(
                "{at}  {FOUND}!{FOUND:#} {:width$}  found {FOUND}{name}{FOUND:#}: {why}",
                id.short()
            ))?;
        }
        for finding in known.difference(&found) {
            let name = finding.as_str();
            self.print(&format!("{at}  = {:width$}  no longer {name}", id.short()))?;
        }
        Ok(())
    }

    /// Ends the story with the summary.
    pub(super) fn end(
        &mut self,
        fleet: &FleetStatus,
        registry: &Registry,
        sim: &Sim,
    ) -> Result<(), CliError> {
        self.clear()?;
        let minutes = (sim.now() - self.start).num_minutes();
        out!("{}", summary::summary(fleet, &self.written, registry, minutes));
        Ok(())
    }

    /// The virtual time, where a line can be written over.
    fn progress(&self, now: Timestamp) -> Result<(), CliError> {
        if self.terminal {
            out!("\r{QUIET}{}  …{QUIET:#}\x1b[K", now.format("%H:%M"));
        }
        Ok(())
    }

    fn clear(&self) -> Result<(), CliError> {
        if self.terminal {
            out!("\r\x1b[K");
        }
        Ok(())
    }

    fn print(&self, line: &str) -> Result<(), CliError> {
        self.clear()?;
        outln!("{line}");
        Ok(())
    }
}

/// What happens, in a sentence.
fn describe(change: &Change) -> String {
    match change {
        Change::EditPolicy { variant, target_value: Some(value), .. } => {
            format!("a person sets the target value of {variant} to {}", human(*value))
        }
        Change::Deploy { endpoint, capacity_factor, .. } => {
            format!(
                "a pipeline deploys a model to {endpoint} that is {capacity_factor} times as fast"
            )
        }
        Change::Recreate { endpoint } => {
            format!("a pipeline deletes and recreates {endpoint}: its policy is gone")
        }
        other => serde_json::to_string(other).unwrap_or_else(|_| "something changes".to_owned()),
    }
}

fn in_words(action: &Action) -> String {
    match action {
        Action::RegisterTarget { min_capacity, max_capacity, expected, .. } => {
            let bound = |n: &Option<i32>| n.map_or_else(|| "as is".to_owned(), |n| n.to_string());
            let verb = if expected.is_none() { "registered with" } else { "set to" };
            format!("{verb} {} to {} instances", bound(min_capacity), bound(max_capacity))
        }
        Action::PutPolicy { configuration, expected, fields, .. } => {
            let value = human(configuration.target_value);
            match expected {
                None => format!("policy made with target value {value}"),
                Some(before) if fields.contains(&Field::TargetValue) => {
                    format!("target value {} -> {value}", human(before.target_value))
                }
                Some(_) => {
                    let names: Vec<&str> = fields.iter().map(|f| f.as_str()).collect();
                    format!("restored {}", names.join(", "))
                }
            }
        }
        Action::PutFloors { number: Some(_), .. } => "scheduled floors put".to_owned(),
        Action::PutFloors { number: None, .. } => "scheduled floors ended".to_owned(),
    }
}
