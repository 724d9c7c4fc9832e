//! A server of its own for each test, and a daemon that only takes notes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test without its server has failed")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use prometheus::Registry;
use serde_json::Value;
use setpoint::http::{
    App, Control, ControlError, Health, Leading, PauseRequest, Paused, Reconciled, Resumed,
    Selector, Server, Site,
};
use setpoint::metrics::{Metrics, Shown};
use setpoint::model::consent::CarriedOut;
use setpoint::model::leader::Leader;
use setpoint::model::status::FleetStatus;
use setpoint::store::Store;
use tokio::sync::oneshot;

use crate::fixtures;
use crate::metrics::Published;

/// Remembers what it was asked, and answers what it was told to.
#[derive(Default)]
pub(super) struct Recorder {
    asked: Mutex<Vec<String>>,
    pub(super) problems: Mutex<Vec<Value>>,
    pub(super) refuses: Mutex<Option<ControlError>>,
    pub(super) says: Mutex<Option<String>>,
}

impl Recorder {
    fn note(&self, what: String) -> Result<(), ControlError> {
        self.asked.lock().unwrap().push(what);
        self.refuses.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// Whom the process follows, as a test has it.
#[derive(Default)]
pub(super) struct Following(pub(super) Mutex<Option<Leader>>);

impl Leading for Following {
    fn follows(&self) -> Option<Leader> {
        self.0.lock().unwrap().clone()
    }
}

fn words(selector: &Selector) -> String {
    let value = serde_json::to_value(selector).unwrap();
    let set = value.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    set.fold(String::new(), |said, (key, value)| said + " " + key + "=" + value.as_str().unwrap())
}

#[async_trait]
impl Control for Recorder {
    async fn reload(&self) -> Result<(), Vec<Value>> {
        self.asked.lock().unwrap().push("reload".to_owned());
        let problems = self.problems.lock().unwrap().clone();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    async fn reconcile(&self, selector: &Selector) -> Result<Reconciled, ControlError> {
        self.note(format!("reconcile{}", words(selector)))?;
        let variants = vec![Arc::new(fixtures::drifted("fraud-scorer"))];
        let unreadable = BTreeMap::new();
        Ok(Reconciled { began_at: fixtures::noon(), variants, unreadable })
    }

    async fn pause(&self, request: &PauseRequest) -> Result<Paused, ControlError> {
        let PauseRequest { selector, until, reason } = request;
        self.note(format!("pause{} until {until}: {reason}", words(selector)))?;
        let (variants, until) = (3, *until);
        let note = self.says.lock().unwrap().clone();
        Ok(Paused { until, variants, holds_later_variants: true, survives_restart: false, note })
    }

    async fn resume(&self, selector: &Selector) -> Result<Resumed, ControlError> {
        self.note(format!("resume{}", words(selector)))?;
        Ok(Resumed {
            variants: 3,
            were_paused: 2,
            pauses_ended: 1,
            writers_forgotten: 0,
            paused_by_configuration: Vec::new(),
        })
    }

    async fn confirm(&self, plan_id: &str) -> Result<CarriedOut, ControlError> {
        self.note(format!("confirm {plan_id}"))?;
        Ok(CarriedOut::default())
    }
}

/// A server of its own for each test; it ends with the test.
pub(super) struct Fixture {
    pub(super) address: SocketAddr,
    pub(super) control: Arc<Recorder>,
    pub(super) health: Arc<Health>,
    pub(super) status: Arc<Published>,
    pub(super) following: Arc<Following>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) runtime: Option<tokio::runtime::Runtime>,
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) served: Option<tokio::task::JoinHandle<()>>,
}

pub(super) const TOKEN: &str = "correct horse";

impl Fixture {
    pub(super) fn new() -> Self {
        Self::start(fixtures::mixed_fleet(), None)
    }

    /// With a token file of this content.
    pub(super) fn with_token(name: &str, content: &str) -> Self {
        let file = std::env::temp_dir().join(format!("setpoint-{}-{name}", std::process::id()));
        std::fs::write(&file, content).unwrap();
        Self::start(fixtures::mixed_fleet(), Some(file))
    }

    pub(super) fn start(fleet: FleetStatus, token_file: Option<PathBuf>) -> Self {
        Self::start_at(Site::default(), fleet, token_file)
    }

    /// Behind a proxy.
    pub(super) fn start_at(site: Site, fleet: FleetStatus, token_file: Option<PathBuf>) -> Self {
        Self::start_after(Vec::new(), site, fleet, token_file)
    }

    /// With passes of the past, the oldest first.
    pub(super) fn start_after(
        past: Vec<FleetStatus>,
        site: Site,
        fleet: FleetStatus,
        token_file: Option<PathBuf>,
    ) -> Self {
        let history = Store::in_memory();
        let recorded = Arc::new(fleet.clone());
        let published = Published::new(fleet);
        let metrics =
            Metrics::register(Registry::new(), published.clone(), Shown::up_to(2000)).unwrap();
        let control = Arc::new(Recorder::default());
        let health = Arc::new(Health::new(Instant::now(), Duration::from_hours(1)));
        let following = Arc::new(Following::default());
        let app = App {
            status: published.clone(),
            history: history.clone(),
            leading: following.clone(),
            exposition: metrics.exposition,
            control: control.clone(),
            health: health.clone(),
            token_file: token_file.clone(),
            allowed_hosts: vec!["setpoint.example.com".to_owned()],
            site,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        for then in past {
            runtime.block_on(history.record(Arc::new(then)));
        }
        runtime.block_on(history.record(recorded));
        let server = runtime.block_on(Server::bind("127.0.0.1:0".parse().unwrap())).unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let running = runtime.spawn(server.serve(app, async move { drop(stopped.await) }));
        Self {
            address,
            control,
            health,
            status: published,
            following,
            token_file,
            runtime: Some(runtime),
            stop: Some(stop),
            served: Some(running),
        }
    }

    pub(super) fn agent() -> ureq::Agent {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status and the text of a page.
    pub(super) fn get(&self, path: &str) -> (u16, String) {
        let mut response = Self::agent().get(self.url(path)).call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    /// The status and the JSON of an answer.
    pub(super) fn get_json(&self, path: &str) -> (u16, Value) {
        let (status, text) = self.get(path);
        (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
    }

    pub(super) fn post_as(&self, token: Option<&str>, path: &str, body: &str) -> (u16, Value) {
        let mut request = Self::agent().post(self.url(path));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(body).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (response.status().as_u16(), json)
    }

    pub(super) fn post(&self, path: &str, body: &str) -> (u16, Value) {
        self.post_as(Some(TOKEN), path, body)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if let Some(file) = &self.token_file {
            let _ = std::fs::remove_file(file);
        }
    }
}
