//! A decision made once more from its record: what `setpoint get VARIANT -o json` shows of a variant is
//! all that the decision depends on, so that a decision from production can be looked at on a laptop.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decide::decide;
use crate::decide::lasting::lasting;
use crate::model::decision::Note;
use crate::model::estimate::Estimate;
use crate::model::goal::Goal;
use crate::model::reason::Reason;
use crate::model::rules::Rules;
use crate::model::scale_out::Reaction;
use crate::model::snapshot::Snapshot;
use crate::model::status::EstimatorHandle;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::render::view::VariantView;
use crate::variant::EstimatorState;

/// A variant as the daemon's API shows it. Keys that only a reader needs are left alone.
#[derive(Debug, Deserialize)]
pub struct Record {
    goal: Goal,
    snapshot: Snapshot,
    reaction: Reaction,
    estimate: Estimate,
    /// Absent where the record has none; each version may write another form.
    #[serde(default)]
    estimator: Option<Value>,
    rules: Rules,
    decision: Value,
    last_pass: Timestamp,
    last_successful_pass: Option<Timestamp>,
    setpoint_version: String,
}

/// What was decided, as far as it is needed to decide again.
#[derive(Debug, Deserialize)]
struct Decided {
    at: Timestamp,
    reason: Reason,
    /// Each has a reason and a sentence.
    fields: Vec<Note>,
}

/// The decision made once more.
#[derive(Debug)]
pub struct Redecided {
    /// The variant with the new decision.
    pub status: VariantStatus,
    /// Whether capacity was estimated once more as well, because the record has the estimator.
    pub is_estimated: bool,
    /// The keys of estimate and decision that are not as recorded; none where both are the same.
    pub differs: Vec<Difference>,
    pub version: String,
}

/// One key of an estimate or a decision, as recorded and as decided now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub key: String,
    pub recorded: Value,
    pub now: Value,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// A sentence, when it is not one.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        // What a Windows editor puts before a text.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let record: Value = serde_json::from_slice(bytes).map_err(|error| {
            format!(
                "found no JSON ({error}); setpoint get ENDPOINT/VARIANT -o json writes a record"
            )
        })?;
        if record.get("variants").is_some() {
            return Err("a list of variants; one is needed: setpoint get ENDPOINT/VARIANT -o json"
                .to_owned());
        }
        for key in ["goal", "snapshot", "estimate", "rules"] {
            if record.get(key).is_none() {
                return Err(format!(
                    "no key {key}: this is not what setpoint get ENDPOINT/VARIANT -o json writes, or \
                     it is from an older setpoint"
                ));
            }
        }
        serde_path_to_error::deserialize(record).map_err(|error| unlike("record", &error))
    }

    /// Decides once more.
    ///
    /// # Errors
    /// A sentence, when the recorded decision has another shape.
    pub fn decide(self) -> Result<Redecided, String> {
        let recorded: Decided = serde_path_to_error::deserialize(&self.decision)
            .map_err(|error| unlike("decision", &error))?;
        let mut snapshot = self.snapshot;
        *snapshot.reaction = self.reaction;
        let estimator = self.estimator.filter(EstimatorState::is_understood);
        let estimator: Option<EstimatorState> = estimator
            .map(serde_path_to_error::deserialize)
            .transpose()
            .map_err(|error| unlike("estimator", &error))?;
        let estimated = estimator.map(|estimator| {
            estimator.estimate((&snapshot, &self.goal), &self.estimate, recorded.at)
        });
        let is_estimated = estimated.is_some();
        let mut differs = match &estimated {
            Some(now) => differences("estimate", &value(&self.estimate)?, &value(&**now)?),
            None => Vec::new(),
        };
        let estimate = estimated.unwrap_or_else(|| self.estimate.into());
        let mut decision = decide(&snapshot, &self.goal, &estimate, &self.rules, recorded.at);
        // Rule 9 looks at the whole fleet after each variant is decided on.
        let held = recorded.fields.iter().find(|field| field.reason == Reason::MassChange);
        if let Some(held) = held.filter(|_| recorded.reason == Reason::MassChange) {
            decision.hold_all(Reason::MassChange, &held.sentence);
        }
        let lasting = lasting(&snapshot, &decision.report, decision.at);
        let status = VariantStatus {
            goal: self.goal.into(),
            snapshot: snapshot.into(),
            decision,
            outcome: None,
            lasting: lasting.into(),
            last_pass: self.last_pass,
            last_successful_pass: self.last_successful_pass,
            estimator: EstimatorHandle::default(),
        };
        let now = value(&VariantView::of(&status).decision)?;
        differs.extend(differences("decision", &self.decision, &now));
        Ok(Redecided { status, is_estimated, differs, version: self.setpoint_version })
    }
}

/// Where a record is unlike what setpoint writes, and what is found there; the types of the program that
/// the parser would name are left out.
fn unlike(of: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let found = error.inner().to_string();
    let found = found.split_once(", expected ").map_or(found.as_str(), |(found, _)| found);
    let at = match error.path().to_string() {
        root if root == "." => of.to_owned(),
        path => format!("{path} of the {of}"),
    };
    format!("{at}: {found}; write the record again: setpoint get ENDPOINT/VARIANT -o json")
}

fn value(of: &impl Serialize) -> Result<Value, String> {
    serde_json::to_value(of).map_err(|error| error.to_string())
}

fn differences(of: &str, recorded: &Value, now: &Value) -> Vec<Difference> {
    let Some(keys) = now.as_object() else { return Vec::new() };
    let different = |(key, now): (&String, &Value)| {
        let recorded = recorded.get(key).cloned().unwrap_or_default();
        (recorded != *now).then(|| Difference {
            key: format!("{of}.{key}"),
            recorded,
            now: now.clone(),
        })
    };
    keys.iter().filter_map(different).collect()
}
