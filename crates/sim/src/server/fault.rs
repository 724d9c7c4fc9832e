//! Faults of the wire itself, which the world knows nothing of: they break connections and
//! bodies, not operations.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::api::Operation;
use crate::fault::{MAX_HITS, MAX_SECONDS};
use setpoint_core::model::time::Timestamp;

/// Most wire faults at work at once.
const ACTIVE_MAX: usize = 100;

/// What happens to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireFaultKind {
    /// The connection is reset before the operation has run.
    ConnectionReset,
    /// The operation takes effect; its answer ends in the middle.
    TruncatedBody,
    /// HTTP 503 with an HTML page in place of an AWS error, as proxies and load balancers send;
    /// the operation has not run.
    ServiceUnavailable,
}

impl WireFaultKind {
    /// The words of all of them, as `POST /_sim/fault` takes them.
    pub(super) const WORDS: [&'static str; 3] =
        ["connection_reset", "truncated_body", "service_unavailable"];
}

/// A fault of the wire. As JSON:
/// `{"kind": "connection_reset", "operations": ["GetMetricData"], "max_hits": 3, "because": ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireFault {
    /// What goes wrong.
    pub kind: WireFaultKind,
    /// AWS's names of the operations it hits; all when empty.
    #[serde(default)]
    pub operations: Vec<String>,
    /// How many calls it hits (1 to 100,000).
    #[serde(default = "default_hits")]
    pub max_hits: u32,
    /// How long it lasts, in virtual seconds (1 to 604,800).
    #[serde(default = "default_seconds")]
    pub for_seconds: u32,
    /// "the controller must survive this because ...".
    pub because: String,
}

const fn default_hits() -> u32 {
    100
}

const fn default_seconds() -> u32 {
    600
}

impl WireFault {
    /// Checks what types cannot.
    fn check(&self) -> Result<(), String> {
        if !(1..=MAX_HITS).contains(&self.max_hits) {
            return Err(format!("max_hits: found {} (allowed: 1 to {MAX_HITS})", self.max_hits));
        }
        if !(1..=MAX_SECONDS).contains(&self.for_seconds) {
            return Err(format!(
                "for_seconds: found {} (allowed: 1 to {MAX_SECONDS})",
                self.for_seconds
            ));
        }
        if self.because.trim().is_empty() {
            return Err("because: found nothing (allowed: a sentence)".to_owned());
        }
        let known = |name: &String| Operation::ALL.iter().any(|o| o.as_str() == name);
        match self.operations.iter().find(|name| !known(name)) {
            Some(unknown) => Err(format!(
                "operations: found {unknown:?} (allowed: {})",
                Operation::ALL.iter().map(|o| o.as_str()).collect::<Vec<_>>().join(", ")
            )),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct WireFaults {
    active: Mutex<Vec<Active>>,
}

#[derive(Debug, Clone, Serialize)]
struct Active {
    #[serde(flatten)]
    fault: WireFault,
    until: Timestamp,
    hits: u32,
}

impl Active {
    fn is_live(&self, now: Timestamp) -> bool {
        now < self.until && self.hits < self.fault.max_hits
    }

    fn applies_to(&self, operation: Operation) -> bool {
        let named = &self.fault.operations;
        named.is_empty() || named.iter().any(|name| name == operation.as_str())
    }
}

impl WireFaults {
    /// Lets a fault hit from now on.
    ///
    /// # Errors
    /// A sentence, when the fault makes no sense or there are too many.
    pub(super) fn inject(&self, fault: WireFault, now: Timestamp) -> Result<(), String> {
        fault.check()?;
        let until = now + chrono::TimeDelta::seconds(i64::from(fault.for_seconds));
        let mut active = self.lock();
        active.retain(|a| a.is_live(now));
        if active.len() >= ACTIVE_MAX {
            return Err(format!("{ACTIVE_MAX} wire faults are at work already"));
        }
        active.push(Active { fault, until, hits: 0 });
        Ok(())
    }

    /// What hits this call, if anything does; counts the hit. The oldest fault goes first.
    pub(super) fn next(&self, operation: Operation, now: Timestamp) -> Option<WireFaultKind> {
        let mut active = self.lock();
        let hit = active.iter_mut().find(|a| a.is_live(now) && a.applies_to(operation))?;
        hit.hits += 1;
        Some(hit.fault.kind)
    }

    /// All that were injected and not forgotten yet, for `GET /_sim/state`.
    pub(super) fn state(&self) -> serde_json::Value {
        serde_json::to_value(&*self.lock()).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(hits: u32, operations: &[&str]) -> WireFault {
        WireFault {
            kind: WireFaultKind::ConnectionReset,
            operations: operations.iter().map(|o| (*o).to_owned()).collect(),
            max_hits: hits,
            for_seconds: 60,
            because: "networks break".to_owned(),
        }
    }

    #[test]
    fn a_fault_hits_what_it_names_as_often_as_it_may_while_it_lasts() {
        let (faults, start) = (WireFaults::default(), Timestamp::UNIX_EPOCH);
        faults.inject(fault(2, &["GetMetricData"]), start).unwrap();
        let hit = |operation, seconds| {
            faults.next(operation, start + chrono::TimeDelta::seconds(seconds)).is_some()
        };
        assert!(!hit(Operation::DescribeAlarms, 0));
        assert!(hit(Operation::GetMetricData, 1));
        assert!(!hit(Operation::GetMetricData, 60), "its time is over");
        assert!(hit(Operation::GetMetricData, 59));
        assert!(!hit(Operation::GetMetricData, 59), "both hits are used");
    }

    #[test]
    fn a_senseless_fault_is_refused_with_what_is_allowed() {
        let faults = WireFaults::default();
        let refused = |fault| faults.inject(fault, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(refused(fault(0, &[])).contains("max_hits: found 0 (allowed: 1 to 100000)"));
        assert!(refused(fault(1, &["GetMetrics"])).contains("DescribeScalingPolicies"));
        assert!(refused(WireFault { because: " ".into(), ..fault(1, &[]) }).contains("because"));
    }

    #[test]
    fn the_words_are_those_that_are_read() {
        for word in WireFaultKind::WORDS {
            serde_json::from_value::<WireFaultKind>(word.into()).unwrap();
        }
    }
}
