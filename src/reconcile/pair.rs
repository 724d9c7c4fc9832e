//! One account and region of a fleet: its reconciler, or the look that is still under way.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::history::Slots;
use super::memory::remembered_in;
use super::{CostMeter, Keeping, Look, Observed, PassInput, Reconciler};
use crate::model::fact::{Why, WhyKind};
use crate::model::ids::{ResourceId, Scope, VariantId};
use crate::ports::{Aws, Clock, Leadership, Memory};

/// What a reconciler is made from.
#[derive(Clone)]
pub(super) struct Parts {
    pub clock: Arc<dyn Clock>,
    pub leadership: Arc<dyn Leadership>,
    pub memory: Arc<dyn Memory>,
    pub cost: CostMeter,
    pub identity: Arc<str>,
    pub slots: Slots,
}

/// One account and region.
pub(super) struct Pair {
    aws: Aws,
    parts: Parts,
    /// Absent while a look is under way.
    reconciler: Option<Box<Reconciler>>,
    looking: Option<Looking>,
}

/// A look that runs beside the passes. An account that is slow at first, because it has thousands
/// of variants and days of history, must come to its end some time: a look given up at the time
/// limit would start over on every pass, and pay CloudWatch for it each time.
struct Looking {
    since: Instant,
    task: JoinHandle<(Box<Reconciler>, Observed)>,
}

impl Drop for Looking {
    fn drop(&mut self) {
        // A look only reads, so that it may end anywhere: with its term of leadership, say.
        self.task.abort();
    }
}

impl Pair {
    pub(super) fn new(aws: Aws, parts: Parts) -> Self {
        let mut pair = Self { aws, parts, reconciler: None, looking: None };
        pair.begin_anew();
        pair
    }

    pub(super) const fn scope(&self) -> &Scope {
        &self.aws.scope
    }

    /// The reconciler, unless it is still looking.
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
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        let Parts { clock, leadership, memory, cost, identity, slots } = self.parts.clone();
        let aws = self.aws.clone();
        let reconciler = Reconciler::new(aws, clock, leadership, memory, &cost, identity, slots);
        self.reconciler = Some(Box::new(reconciler));
        self.looking = None;
    }

    /// Looks, and waits for the end: for the only account and region of a process. It delays no
    /// other, and the daemon's limit of a pass holds.
    pub(super) async fn look(
        &mut self,
        input: &PassInput<'_>,
        named: &[ResourceId],
    ) -> Result<Observed, Why> {
        let PassInput { goals, settings, telemetry, refresh, .. } = *input;
        let Some(reconciler) = self.reconciler() else { return Err(self.late(Instant::now())) };
        let look = Look { goals, settings, telemetry, named, refresh };
        let observed = AssertUnwindSafe(reconciler.observe(look)).catch_unwind().await;
        observed.map_err(|_| self.broken("it panicked"))
    }

    /// Begins to look beside the others; `false` when an earlier look is still under way.
    pub(super) async fn begin(&mut self, input: &PassInput<'_>, named: Vec<ResourceId>) -> bool {
        if self.looking.as_ref().is_some_and(|looking| looking.task.is_finished()) {
            // It came too late for its pass and is old by now; what it has learned is kept.
            let _ = self.end(Instant::now()).await;
        }
        let Some(mut reconciler) = self.reconciler.take() else { return false };
        let (goals, settings) = (input.goals.shared(), input.settings.clone());
        let (telemetry, refresh) = (input.telemetry, input.refresh.cloned());
        let task = tokio::spawn(async move {
            let (goals, settings, named, refresh) = (&*goals, &settings, &*named, refresh.as_ref());
            let look = Look { goals, settings, telemetry, named, refresh };
            let observed = reconciler.observe(look).await;
            (reconciler, observed)
        });
        self.looking = Some(Looking { since: Instant::now(), task });
        true
    }

    /// What the look under way has seen by `deadline`.
    pub(super) async fn end(&mut self, deadline: Instant) -> Result<Observed, Why> {
        let Some(looking) = &mut self.looking else {
            return Err(self.why(WhyKind::NotReadYet, "not read yet"));
        };
        match tokio::time::timeout_at(deadline, &mut looking.task).await {
            Ok(Ok((reconciler, observed))) => {
                self.reconciler = Some(reconciler);
                self.looking = None;
                Ok(observed)
            }
            Ok(Err(error)) => Err(self.broken(&error.to_string())),
            Err(_) => Err(self.late(Instant::now())),
        }
    }

    /// A bug of ours in one account must not stop the others. What it knew is lost.
    fn broken(&mut self, error: &str) -> Why {
        tracing::error!(scope = %self.scope(), error, "a read has failed; it starts over");
        self.begin_anew();
        self.why(WhyKind::Garbage, &format!("the look has failed: {error}"))
    }

    fn late(&self, now: Instant) -> Why {
        let waited = self.looking.as_ref().map(|looking| now - looking.since).unwrap_or_default();
        let sentence = format!("not read within {} s", waited.as_secs());
        self.why(WhyKind::Transient, &sentence)
    }

    /// A reason that names the account, for it is told beside others.
    fn why(&self, kind: WhyKind, sentence: &str) -> Why {
        let Scope { account_id, region } = self.scope();
        Why::new(kind, format!("account {account_id} in {region}: {sentence}"))
    }
}
