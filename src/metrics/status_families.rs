//! The families of the accounts and regions, and of the memory: of what passes found out beside
//! variants.

use super::definition::Scope::{AccountAndRegion, Process};
use super::definition::Values::{
    Actions, Fields, Findings, Modes, NotResumed, Reasons, Safeties, Verdicts,
};
use super::definition::definitions;

definitions! { SCOPE_FAMILIES, AccountAndRegion;
    SCOPE_READABLE = Gauge "setpoint_scope_readable" ["0 or 1"] {}
        "1 when the last pass listed all endpoints and scalable targets of the account and region; 0 when it could not, so that there may be variants without any other series.";
    SCOPE_LAST_LISTING = Gauge "setpoint_scope_last_listing_timestamp_seconds" ["seconds since the epoch"] {}
        "When all endpoints and scalable targets of the account and region were last listed; absent before.";
    SCOPE_UNDESCRIBED = Gauge "setpoint_scope_undescribed_endpoints" ["endpoints"] {}
        "Endpoints that the last pass saw listed and could not describe, so that there may be variants without any other series; 0 where others could be described and these were denied, as by a policy that names endpoints.";
}

definitions! { FLEET_FAMILIES, AccountAndRegion;
    FLEET_VARIANTS = Gauge "setpoint_fleet_variants" ["variants"] {}
        "Variants that are known, listed or only discovered.";
    FLEET_WITHOUT_SERIES = Gauge "setpoint_fleet_variants_without_series" ["variants"] {}
        "Variants without series of their own, which metrics.variants leaves out.";
    FLEET_MANAGED = Gauge "setpoint_fleet_managed" ["variants"] {}
        "Variants that the configuration lists: the sum of setpoint_managed over all variants.";
    FLEET_NOT_COMPARABLE = Gauge "setpoint_fleet_not_comparable" ["variants"] {}
        "Variants whose setpoint_comparable is 0.";
    FLEET_SAFETY = Gauge "setpoint_fleet_safety" ["variants"] {state: Safeties}
        "Variants in each state of safety: the sum of setpoint_variant_safety over all variants.";
    FLEET_DIVERGENCE = Gauge "setpoint_fleet_divergence" ["variants"] {finding: Findings}
        "Variants with each finding: the sum of setpoint_divergence over all variants.";
    FLEET_DRIFT = Gauge "setpoint_fleet_drift" ["variants"] {field: Fields}
        "Variants whose field differs from what is desired: the sum of setpoint_drift over all variants. Absent for a field in which none differs.";
    FLEET_VERDICT = Gauge "setpoint_fleet_capacity_verdict" ["variants"] {verdict: Verdicts}
        "Variants with each verdict: the sum of setpoint_capacity_verdict over all variants.";
    FLEET_MODE = Gauge "setpoint_fleet_mode" ["variants"] {mode: Modes}
        "Variants in each mode: the sum of setpoint_mode over all variants.";
    FLEET_DECISION = Gauge "setpoint_fleet_decision" ["variants"] {action: Actions, reason: Reasons}
        "Variants with each present decision: the sum of setpoint_decision_info over all variants. Absent for a decision that none has.";
}

definitions! { STORE_FAMILIES, Process;
    STORE_READABLE = Gauge "setpoint_store_readable" ["0 or 1"] {}
        "1 when the history can be read; 0 when its file cannot be opened. Writes go on all the same. Absent without store.path, and before the first pass.";
    STORE_WRITABLE = Gauge "setpoint_store_writable" ["0 or 1"] {}
        "1 when the last pass was saved in the history; 0 when it was not, as on a full disk: events wait to be saved. Absent without store.path, and before the first pass.";
    STORE_LAST_SAVED = Gauge "setpoint_store_last_saved_timestamp_seconds" ["seconds since the epoch"] {}
        "When a pass was last saved in the history; absent before.";
    STORE_SIZE = Gauge "setpoint_store_size_bytes" ["bytes"] {}
        "Size of the file of the history; store.max_size_mb bounds what it keeps.";
    STORE_SET_ASIDE = Gauge "setpoint_store_files_set_aside" ["files"] {}
        "Files next to the history that could not be read and were set aside; remove them when somebody has looked.";
}

definitions! { EVIDENCE_FAMILIES, Process;
    EVIDENCE_RESUMED = Counter "setpoint_evidence_resumed_total" ["variants"] {}
        "Variants that went on with the evidence that an earlier process had kept, so that only newer minutes were read. This family and the setpoint_evidence_* families after it are absent without store.path, and before the first pass.";
    EVIDENCE_DROPPED = Counter "setpoint_evidence_dropped_total" ["variants"] {reason: NotResumed}
        "Variants whose kept evidence did not fit, so that the whole history was read. Absent for a reason that has not occurred.";
    EVIDENCE_KEPT = Counter "setpoint_evidence_kept_total" ["records"] {}
        "Records of evidence that were written to store.path: one for a variant every 6 hours, after a change of what it runs, and when the process ends.";
    EVIDENCE_LAST_KEPT = Gauge "setpoint_evidence_last_kept_timestamp_seconds" ["seconds since the epoch"] {}
        "When evidence was last written; absent before.";
    EVIDENCE_WORKS = Gauge "setpoint_evidence_writable" ["0 or 1"] {}
        "1 when evidence can be read from store.path and written there; 0 when the last attempt failed: a restart then reads the whole history.";
}

definitions! { MEMORY_FAMILIES, Process;
    MEMORY_READABLE = Gauge "setpoint_memory_readable" ["0 or 1"] {}
        "1 when the last pass could read all that must be remembered; 0 when it could not, and then nothing that depends on it is written.";
    MEMORY_WRITABLE = Gauge "setpoint_memory_writable" ["0 or 1"] {}
        "1 when all was kept the last time that there was something to save; 0 when it was not, and then nothing is written that must be remembered first; absent before.";
    MEMORY_LAST_SAVED = Gauge "setpoint_memory_last_saved_timestamp_seconds" ["seconds since the epoch"] {}
        "When what must be remembered was last saved, all of it; it is not saved in each pass, only when something has changed. Absent before.";
}
