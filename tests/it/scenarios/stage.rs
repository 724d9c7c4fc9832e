//! Plays a scenario: the real reconciler over the ports of the embedded AWS, and a transcript.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use serde::de::DeserializeOwned;
use serde_json::Value;
use setpoint::config::{Config, Env, Sources};
use setpoint::daemon::{open_freeze, pass_settings};
use setpoint::memory::ProcessMemory;
use setpoint::model::consent::{Confirmed, Consent};
use setpoint::model::endpoint::EndpointStatus;
use setpoint::model::goal::Pause;
use setpoint::model::ids::EndpointName;
use setpoint::model::status::FleetStatus;
use setpoint::ports::{Keep, Leadership, Memory};
use setpoint::reconcile::{CostMeter, Fleet, FreezeAt, Purpose};
use setpoint::render::plan;
use setpoint::sim::scenario::Change;
use setpoint::sim::{Fault, Scenario, Sim, SimClock};

use crate::harness;

use super::home;
use super::script::{Command, Line};
use super::tags;
use super::texts;
use super::warp::{Bends, Warp};

/// Telemetry is read every so many minutes of a `run`.
const TELEMETRY_MINUTES: i64 = 15;

/// Whether the process leads; scenarios take it away.
struct Switch(Arc<AtomicBool>);

impl Leadership for Switch {
    fn may_write(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a pass is to do.
#[derive(Clone, Copy, PartialEq)]
enum Do {
    /// As `plan`.
    Plan,
    /// As `apply` before its question.
    Ask,
    /// As `apply` after a yes.
    Apply,
    /// As `run`.
    Reconcile,
}

/// What is on stage.
struct Stage {
    sim: Sim,
    fleet: Fleet,
    memory: Arc<dyn Memory>,
    leads: Arc<AtomicBool>,
    bends: Arc<Mutex<Bends>>,
    /// How many processes have taken over from another.
    processes: usize,
    /// A second process, beside this one.
    beside: Option<Fleet>,
    /// Whether the memory is in tags.
    in_tags: bool,
    config: Option<Config>,
    /// What a person has confirmed of the last plan that was held.
    consent: Consent,
    /// What a person was asked by the last `ask`.
    asked: Consent,
    last: FleetStatus,
    /// What the last pass that was told of looked like.
    told: String,
    /// How many writes of the world's log have been told.
    writes_told: usize,
    out: String,
}

/// Plays a scenario and returns its transcript.
pub(super) fn play(name: &str, lines: &[Line]) -> String {
    play_before(name, lines, &mut async |_, _| ())
}

/// The same before somebody who looks at the world whenever it may have changed.
pub(super) fn play_before(
    name: &str,
    lines: &[Line],
    look: &mut impl AsyncFnMut(&str, &Sim),
) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some((Line { command: Command::World { name: world, body }, .. }, rest)) =
            lines.split_first()
        else {
            panic!("{name}: a scenario begins with its world");
        };
        let mut stage = Stage::new(world, body);
        look(name, &stage.sim).await;
        for line in rest {
            stage.obey(line).await;
            if line.command.changes_the_world() {
                look(&line.place, &stage.sim).await;
            }
        }
        stage.out
    })
}

impl Stage {
    fn new(world: &str, body: &str) -> Self {
        let scenario = if world.is_empty() {
            Scenario::parse(body, "the world of a scenario").unwrap()
        } else {
            Scenario::load(&home().join("worlds").join(world)).unwrap()
        };
        let sim = scenario.build().unwrap();
        let memory: Arc<dyn Memory> = Arc::new(ProcessMemory::default());
        let leads = Arc::new(AtomicBool::new(true));
        let bends = Arc::new(Mutex::new(Bends::default()));
        let fleet = new_fleet(&sim, &memory, &leads, &bends, "first");
        Self {
            sim,
            fleet,
            memory,
            leads,
            bends,
            processes: 0,
            beside: None,
            in_tags: false,
            config: None,
            consent: Consent::default(),
            asked: Consent::default(),
            last: FleetStatus::default(),
            told: String::new(),
            writes_told: 0,
            out: String::new(),
        }
    }

    async fn obey(&mut self, line: &Line) {
        let _ = writeln!(self.out, "> {}", line.text.replace('\n', "\n> "));
        match &line.command {
            Command::World { .. } => panic!("{}: there is one world", line.place),
            Command::Config { name, body } => self.configure(name, body),
            Command::Advance(span) => self.sim.run_until(self.sim.now() + *span),
            Command::Pass { telemetry } => self.tell_pass(*telemetry, Do::Reconcile).await,
            Command::Plan => self.tell_pass(true, Do::Plan).await,
            Command::Ask => self.tell_pass(true, Do::Ask).await,
            Command::Yes => self.tell_pass(true, Do::Apply).await,
            Command::Apply => {
                self.pass(true, Do::Ask).await;
                self.tell_pass(true, Do::Apply).await;
            }
            Command::Run { span } => self.run(*span).await,
            Command::Change(yaml) => {
                let change: Change = from_yaml(yaml, &line.place);
                let changed = self.sim.with_world(|world| world.change(&change));
                changed.unwrap_or_else(|error| panic!("{}: AWS refuses: {error}", line.place));
            }
            Command::Meanwhile(yaml) => {
                let change = from_yaml(yaml, &line.place);
                self.bends.lock().unwrap().meanwhile.push(change);
            }
            Command::Call { operation, input } => self.call(operation, input, &line.place),
            Command::Fault(yaml) => {
                let fault: Fault = from_yaml(yaml, &line.place);
                fault.check().unwrap_or_else(|error| panic!("{}: {error}", line.place));
                self.sim.inject(fault);
            }
            Command::Status { endpoint, word } => self.bend_status(endpoint, word),
            Command::Pause { variant, span, reason } => {
                let until = self.sim.now() + *span;
                let pause = Some(Pause { until, reason: reason.clone() });
                self.change_pause(variant, pause).await;
            }
            Command::Resume { variant } => self.change_pause(variant, None).await,
            Command::Confirm => {
                let mass = self.last.mass_change.clone();
                let mass = mass.unwrap_or_else(|| panic!("{}: nothing waits", line.place));
                self.consent.extend(mass.shown, self.sim.now());
            }
            Command::MemoryInTags => {
                self.in_tags = true;
                self.memory = tags::memory(&self.sim);
                self.fleet = self.next_process();
            }
            Command::Restart { forget } => {
                if self.in_tags {
                    assert!(!forget, "{}: another process finds the tags", line.place);
                    self.memory = tags::memory(&self.sim);
                } else if *forget {
                    self.memory = Arc::new(ProcessMemory::default());
                }
                self.fleet = self.next_process();
            }
            Command::Beside => self.pass_beside().await,
            Command::Leader(leads) => self.leads.store(*leads, Ordering::Relaxed),
            Command::Show => self.show(),
        }
    }

    /// A pass of the second process, which is made when it is first needed.
    async fn pass_beside(&mut self) {
        let mut other = self.beside.take().unwrap_or_else(|| {
            // Tags are all that two processes have in common.
            let own = if self.in_tags { Some(tags::memory(&self.sim)) } else { None };
            let memory = own.unwrap_or_else(|| Arc::clone(&self.memory));
            new_fleet(&self.sim, &memory, &self.leads, &self.bends, "other")
        });
        std::mem::swap(&mut self.fleet, &mut other);
        self.tell_pass(true, Do::Reconcile).await;
        std::mem::swap(&mut self.fleet, &mut other);
        self.beside = Some(other);
    }

    /// Another process takes over from the one before.
    fn next_process(&mut self) -> Fleet {
        self.processes += 1;
        let identity = format!("process-{}", self.processes);
        new_fleet(&self.sim, &self.memory, &self.leads, &self.bends, &identity)
    }

    fn configure(&mut self, name: &str, body: &str) {
        let mut files = Vec::new();
        if !name.is_empty() {
            files.push(home().join("configs").join(name));
        }
        let own = (!body.is_empty()).then(|| TemporaryFile::new(body));
        files.extend(own.as_ref().map(|own| own.0.clone()));
        let sources = Sources { files, environment: Env::Nothing, flags: Vec::new() };
        self.config = Some(Config::load(&sources).unwrap_or_else(|errors| panic!("{errors}")));
        self.consent.clear();
    }

    /// One pass; the text of what it decided and did.
    async fn pass(&mut self, telemetry: bool, what: Do) -> String {
        let config = self.config.clone().expect("a scenario configures before its first pass");
        let _settings = pass_settings(&config);
        let freeze = |now| open_freeze(&config, now);
        self.skip_foreign_writes();
        let (asked, confirmed) = (self.asked.clone(), self.consent.clone());
        let purpose = match what {
            Do::Plan => Purpose::Plan,
            Do::Ask => Purpose::Ask,
            Do::Reconcile => Purpose::Reconcile(&confirmed),
            Do::Apply => Purpose::Apply(&asked),
        };
        let freeze: Option<FreezeAt<'_>> = Some(&freeze);
        let pass = harness::Pass { telemetry, purpose, freeze, ..harness::pass(&config) };
        let fleet = pass.of(&mut self.fleet).await;
        let mut text = anstream::adapter::strip_str(&plan::text(&fleet)).to_string();
        for write in self.new_writes() {
            let _ = writeln!(text, "  sent {write}");
        }
        for (id, status) in &fleet.variants {
            for step in status.outcome.iter().flat_map(|outcome| &outcome.steps) {
                let result = serde_json::to_value(step.result).unwrap();
                let (short, operation) = (id.short(), step.operation);
                let result = result.as_str().unwrap_or_default();
                let _ = writeln!(text, "  {result}: {short} {operation}: {}", step.sentence);
            }
        }
        let consent = if what == Do::Apply { &asked } else { &confirmed };
        let carried_out = consent.carried_out(&fleet);
        if what != Do::Plan {
            for Confirmed { variant, field, change, found } in &carried_out.differs {
                let variant = variant.short();
                let _ = writeln!(text, "  not written: {variant} {field} {change}: {found}");
            }
        }
        match what {
            Do::Plan | Do::Apply => {}
            Do::Ask => self.asked = Consent::to_plan(&fleet),
            Do::Reconcile => self.consent.follow(&fleet, &carried_out),
        }
        self.last = fleet;
        text
    }

    async fn tell_pass(&mut self, telemetry: bool, what: Do) {
        let at = self.sim.now();
        let text = self.pass(telemetry, what).await;
        let _ = writeln!(self.out, "{}\n{text}", at.format("%d %H:%M:%S"));
        self.told = text;
    }

    /// Passes every minute; those that are as the one before are not told.
    async fn run(&mut self, span: TimeDelta) {
        let end = self.sim.now() + span;
        let mut minute = 0;
        while self.sim.now() < end {
            let next = self.sim.now() + TimeDelta::minutes(1);
            self.sim.run_until(next.min(end));
            minute += 1;
            let at = self.sim.now();
            let text = self.pass(minute % TELEMETRY_MINUTES == 0, Do::Reconcile).await;
            if texts::without_forecasts(&text) != texts::without_forecasts(&self.told) {
                let _ = writeln!(self.out, "{}\n{text}", at.format("%d %H:%M:%S"));
                self.told = text;
            }
        }
    }

    fn call(&mut self, operation: &str, input: &str, place: &str) {
        let sim = &self.sim;
        // Alarms are named at random: "HIGH" and "LOW" stand for all of one side.
        let input = &tags::with_arns(&self.sim.state(), &self.with_alarm_names(input));
        macro_rules! operations {
            ($($name:literal => $method:ident,)*) => {
                match operation {
                    $($name => {
                        let input = serde_json::from_str(input)
                            .unwrap_or_else(|error| panic!("{place}: {error}"));
                        sim.$method(&input).map(|_| ())
                    })*
                    _ => panic!("{place}: scenarios do not call {operation}"),
                }
            };
        }
        let done = operations! {
            "PutScalingPolicy" => put_scaling_policy,
            "PutScheduledAction" => put_scheduled_action,
            "RegisterScalableTarget" => register_scalable_target,
            "CreateModel" => create_model,
            "CreateEndpointConfig" => create_endpoint_config,
            "CreateEndpoint" => create_endpoint,
            "UpdateEndpoint" => update_endpoint,
            "UpdateEndpointWeightsAndCapacities" => update_endpoint_weights_and_capacities,
            "DeleteEndpoint" => delete_endpoint,
            "DeleteEndpointConfig" => delete_endpoint_config,
            "DeleteModel" => delete_model,
            "DeleteAlarms" => delete_alarms,
            "DeleteScalingPolicy" => delete_scaling_policy,
            "DeleteScheduledAction" => delete_scheduled_action,
            "EnableAlarmActions" => enable_alarm_actions,
            "PutMetricAlarm" => put_metric_alarm,
            "DisableAlarmActions" => disable_alarm_actions,
            "TagResource" => tag_resource,
            "UntagResource" => untag_resource,
        };
        done.unwrap_or_else(|error| panic!("{place}: AWS refuses: {error}"));
    }

    fn with_alarm_names(&self, input: &str) -> String {
        let state = self.sim.state();
        let names = |side: &str| {
            let alarms = state["alarms"].as_array().into_iter().flatten();
            let names = alarms.map(|alarm| alarm["name"].to_string());
            names.filter(|name| name.contains(side)).collect::<Vec<_>>().join(", ")
        };
        input.replace("\"HIGH\"", &names("-AlarmHigh-")).replace("\"LOW\"", &names("-AlarmLow-"))
    }

    fn bend_status(&self, endpoint: &str, word: &str) {
        let endpoint = EndpointName::new(endpoint).unwrap();
        let statuses = &mut self.bends.lock().unwrap().statuses;
        if word == "truth" {
            statuses.remove(&endpoint);
        } else {
            statuses.insert(endpoint, EndpointStatus::parse(word));
        }
    }

    async fn change_pause(&self, variant: &str, pause: Option<Pause>) {
        let found = self.last.variants.keys().find(|id| id.short() == variant);
        let id = found.unwrap_or_else(|| panic!("no pass has seen {variant}"));
        let status = &self.last.variants[id];
        let settings = pass_settings(self.config.as_ref().unwrap());
        let subject = setpoint::reconcile::subject(&status.snapshot, &status.goal, &settings);
        let mut all = self.memory.load(std::slice::from_ref(&subject), true).await;
        let mut memory = all.remove(id).unwrap().known().unwrap().clone();
        memory.pause = pause;
        let keep = [Keep { subject, memory, urgent: true }];
        let failed = self.memory.save(&keep, &Switch(Arc::clone(&self.leads))).await;
        assert!(failed.is_empty(), "{failed:?}");
    }

    fn log(&self) -> Vec<Value> {
        self.sim.state()["writes"].as_array().cloned().unwrap_or_default()
    }

    fn skip_foreign_writes(&mut self) {
        self.writes_told = self.sim.with_world(|world| world.writes());
    }

    /// The writes that the world has seen since, as AWS got them.
    fn new_writes(&self) -> Vec<String> {
        if self.sim.with_world(|world| world.writes()) == self.writes_told {
            return Vec::new();
        }
        let state = self.sim.state();
        let line = |write: &Value| match write["operation"].as_str() {
            Some("TagResource") => tags::write_line(&state, write),
            _ => texts::write_line(write),
        };
        self.log().iter().skip(self.writes_told).map(line).collect()
    }

    fn scheduled_actions(&self, resource: &str) -> Vec<Value> {
        let input = serde_json::json!({
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
        });
        let input = serde_json::from_value(input).unwrap();
        let all = self.sim.describe_scheduled_actions(&input).unwrap().scheduled_actions;
        all.into_iter().map(|action| serde_json::to_value(action).unwrap()).collect()
    }

    fn show(&mut self) {
        let state = self.sim.state();
        let _ = writeln!(self.out, "{}", self.sim.now().format("%d %H:%M:%S"));
        let truths = state["truth"].as_array().cloned().unwrap_or_default();
        let variants = state["variants"].as_array().cloned().unwrap_or_default();
        for (truth, variant) in truths.iter().zip(&variants) {
            let resource = variant["resource"].as_str().unwrap_or_default();
            let _ = writeln!(
                self.out,
                "  {resource}: {}, {} of {} instances, min {} max {}",
                variant["endpoint_status"].as_str().unwrap_or("gone"),
                truth["current"],
                truth["desired"],
                variant["min_capacity"],
                variant["max_capacity"],
            );
            for (name, policy) in variant["policies"].as_object().into_iter().flatten() {
                let _ = writeln!(self.out, "    policy {name}: {}", texts::brief(policy));
            }
            for action in self.scheduled_actions(resource) {
                let name = action["ScheduledActionName"].as_str().unwrap_or_default();
                let _ = writeln!(self.out, "    action {name}: {}", texts::scheduled(&action));
            }
        }
    }
}

fn new_fleet(
    sim: &Sim,
    memory: &Arc<dyn Memory>,
    leads: &Arc<AtomicBool>,
    bends: &Arc<Mutex<Bends>>,
    identity: &str,
) -> Fleet {
    let scope = crate::harness::scope();
    let mut aws = setpoint::sim::aws(sim, scope);
    let warp = Warp { truth: aws.endpoints, bends: Arc::clone(bends), sim: sim.clone() };
    aws.endpoints = Arc::new(warp);
    let clock = Arc::new(SimClock::self_driven(sim.clone()));
    let leadership = Arc::new(Switch(Arc::clone(leads)));
    let memory = Arc::clone(memory);
    Fleet::identified(vec![aws], clock, leadership, memory, CostMeter::default(), identity)
}

fn from_yaml<T: DeserializeOwned>(yaml: &str, place: &str) -> T {
    let value: Value = ::config::Config::builder()
        .add_source(::config::File::from_str(yaml, ::config::FileFormat::Yaml))
        .build()
        .and_then(::config::Config::try_deserialize)
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{place}: {error}"))
}

/// A file that goes with its value.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(text: &str) -> Self {
        use std::sync::atomic::AtomicUsize;
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("setpoint-scenario-{}-{number}.yaml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
