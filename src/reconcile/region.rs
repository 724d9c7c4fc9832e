//! One account and region of a fleet: its reconciler, or the reads that are still under way.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{PassInput, Reconciler};
use crate::compact::Shelf;
use crate::model::fact::{Why, WhyKind};
use crate::model::ids::{ResourceId, Scope, VariantId};
use crate::observe::evidence::Keeping;
use crate::observe::remembered::remembered_in;
use crate::observe::{Observed, Parts, Request};
use crate::ports::Aws;

/// One account and region.
pub(super) struct Region {
    aws: Aws,
    parts: Parts,
    /// Absent while it reads.
    reconciler: Option<Box<Reconciler>>,
    reading: Option<Reading>,
}

/// Reads that go on beside the passes. An account that is slow at first, because it has thousands
/// of variants and days of history, must come to its end some time: reads given up at the time
/// limit would start over on every pass, and pay CloudWatch for it each time.
struct Reading {
    since: Instant,
    task: JoinHandle<(Box<Reconciler>, Observed)>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        // They only read, so that they may end anywhere: with their term of leadership, say.
        self.task.abort();
    }
}

impl Region {
    pub(super) fn new(aws: Aws, parts: Parts) -> Self {
        let mut region = Self { aws, parts, reconciler: None, reading: None };
        region.start_over();
        region
    }

    pub(super) const fn scope(&self) -> &Scope {
        &self.aws.scope
    }

    /// The reconciler, unless it is still reading.
    pub(super) fn reconciler(&mut self) -> Option<&mut Reconciler> {
        self.reconciler.as_deref_mut()
    }

    /// The variants that are remembered here, whatever the reconciler does now.
    pub(super) async fn remembered(&self) -> Result<Vec<VariantId>, Why> {
        remembered_in(&*self.parts.memory, &self.aws.scope).await
    }

    /// Keeps what it knows over a restart. To be said before the first pass.
    pub(super) fn keep(&mut self, keeping: &Arc<Keeping>) {
        self.parts.slots.keeping = Some(Arc::clone(keeping));
        self.start_over();
    }

    /// Lets what nobody looks at lie there. To be said before the first pass.
    pub(super) fn rest_on(&mut self, place: &Arc<dyn Shelf>) {
        self.parts.slots.shelf = Arc::clone(place);
        self.start_over();
    }

    /// Begins with a reconciler that knows nothing.
    fn start_over(&mut self) {
        let reconciler = Reconciler::new(self.aws.clone(), &self.parts);
        self.reconciler = Some(Box::new(reconciler));
        self.reading = None;
    }

    /// Begins to read; `false` when earlier reads are still under way.
    pub(super) async fn begin(&mut self, input: &PassInput<'_>, named: Vec<ResourceId>) -> bool {
        if self.reading.as_ref().is_some_and(|reading| reading.task.is_finished()) {
            // They came too late for their pass and are old by now; what was learned is kept.
            let _ = self.end(Some(Instant::now())).await;
        }
        let Some(mut reconciler) = self.reconciler.take() else { return false };
        let (goals, settings) = (input.goals.shared(), input.settings.clone());
        let (telemetry, refresh) = (input.telemetry, input.refresh.cloned());
        let task = tokio::spawn(async move {
            let (goals, settings, named, refresh) = (&*goals, &settings, &*named, refresh.as_ref());
            let request = Request { goals, settings, telemetry, named, refresh };
            let observed = reconciler.reader.observe(request).await;
            (reconciler, observed)
        });
        self.reading = Some(Reading { since: Instant::now(), task });
        true
    }

    /// What was read by `deadline`, or without one when all has been read.
    pub(super) async fn end(&mut self, deadline: Option<Instant>) -> Result<Observed, Why> {
        let Some(reading) = &mut self.reading else {
            return Err(self.why(WhyKind::NotReadYet, "not read yet"));
        };
        let ended = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, &mut reading.task).await,
            None => Ok((&mut reading.task).await),
        };
        match ended {
            Ok(Ok((reconciler, observed))) => {
                self.reconciler = Some(reconciler);
                self.reading = None;
                Ok(observed)
            }
            Ok(Err(error)) => Err(self.broken(&error.to_string())),
            Err(_) => Err(self.late(Instant::now())),
        }
    }

    /// A bug of ours in one account must not stop the others. What it knew is lost.
    fn broken(&mut self, error: &str) -> Why {
        tracing::error!(scope = %self.scope(), error, "a read has failed; it starts over");
        self.start_over();
        self.why(WhyKind::Garbage, &format!("setpoint has failed to read it: {error}"))
    }

    fn late(&self, now: Instant) -> Why {
        let waited = self.reading.as_ref().map(|reading| now - reading.since).unwrap_or_default();
        let sentence = format!("not read within {} s", waited.as_secs());
        self.why(WhyKind::Transient, &sentence)
    }

    /// A reason that names the account: it is shown beside others.
    fn why(&self, kind: WhyKind, sentence: &str) -> Why {
        let Scope { account_id, region } = self.scope();
        Why::new(kind, format!("account {account_id} in {region}: {sentence}"))
    }
}
