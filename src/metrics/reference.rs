//! `docs/metrics.md`, made from the definitions.

use std::fmt::Write as _;

use super::definition::{Definition, Label, SCOPE_LABELS, VARIANT_LABELS, Values};
use super::process_families::PROCESS_FAMILIES;
use super::status_families::{
    EVIDENCE_FAMILIES, FLEET_FAMILIES, MEMORY_FAMILIES, SCOPE_FAMILIES, STORE_FAMILIES,
};
use super::variant_families::VARIANT_FAMILIES;
use crate::model::estimate::{Finding, Verdict};
use crate::model::evidence::NotResumed;
use crate::model::goal::Mode;
use crate::model::reason::{ActionKind, Field, Reason};
use crate::model::safety::{Safety, Unproven};
use crate::model::scaling::AlarmState;
use crate::model::units::LatencyStatistic;

const INTRODUCTION: &str = "\
# Metrics

<!-- Generated from the definitions in src/metrics; a test keeps this page equal to them. -->

`GET /metrics` answers in the Prometheus text format, and gzipped when asked to (Prometheus asks). Seven rules hold everywhere:

- A number that does not exist (no bound, no safe target, no policy) is an absent series, never 0 or NaN.
- A series of a variant goes away with the variant. While its account and region cannot be read
  (`setpoint_scope_readable` 0) the variant stays, as not comparable: what is not seen is not gone.
- A process that does not lead has no series of variants, of accounts and regions, or of the memory.
- Members of a closed set are exported as 0 and 1. With more than `metrics.per_variant_limit`
  variants (200 by default) only the members that are 1 are exported, and of `setpoint_other_writer`, `setpoint_competing_policies`,
  `setpoint_scale_outs`, `setpoint_scale_out_failures`, `setpoint_floors_proposed` and `setpoint_floors_kept` only what is not 0: what is absent is 0 or not known.
- Measured and estimated numbers have four significant digits, and are whole from 1,000 on; configured ones have all of them. Instants are in whole seconds.
- `metrics.variants` says which variants have series: `all`, `listed` (those that the configuration lists, and others with something to say),
  `problems` (those with something to say), or `auto`, which is `all` up to 2,000 variants and `problems` above. A variant has something
  to say while anything about it differs, is unsafe, unknown, held, stale, suspended or noted: everything that the chart's alerts look for.
- Counters of the process are there from the start, at zero. Of `setpoint_decisions_total` that are the
  pairs a rule can lead to: `none` with in_sync, unlisted, no_objective, endpoint_missing, not_compared,
  verdict_too_weak, load_test_expired and load_test_mismatch; `hold` with every reason that holds; each write with
  drift; and what the limits of a target value add. Calls to AWS appear with their first call.
";

/// The page, whole.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## For each variant\n\nAll of them have the labels ");
    page.push_str(&VARIANT_LABELS.map(|label| format!("`{label}`")).join(", "));
    page.push_str("; the column names those in addition to them.\n\n");
    table(&mut page, VARIANT_FAMILIES);
    page.push_str("\n## For each account and region\n\nAll of them have the labels ");
    page.push_str(&SCOPE_LABELS.map(|label| format!("`{label}`")).join(" and "));
    page.push_str(", and all appear with the first pass.\n\n");
    table(&mut page, SCOPE_FAMILIES);
    page.push_str("\n## For all variants of an account and region\n\nSums over the variants, with the same two labels. They count every variant, whatever `metrics.variants` leaves out.\n\n");
    table(&mut page, FLEET_FAMILIES);
    page.push_str("\n## For the memory\n\nWhat must be remembered, wherever it is kept. They appear with the first pass.\n\n");
    table(&mut page, MEMORY_FAMILIES);
    page.push_str("\n## For the history\n\nHours and events of every variant ([history.md](history.md)). They appear with the first pass where there is a `store.path`.\n\n");
    table(&mut page, STORE_FAMILIES);
    page.push_str("\n## For the evidence\n\nWhat a restart need not read again ([history.md](history.md#what-a-restart-reads)).\n\n");
    table(&mut page, EVIDENCE_FAMILIES);
    page.push_str("\n## For the process\n\n");
    table(&mut page, PROCESS_FAMILIES);
    page.push_str("\n## Label values\n\n");
    label_values(&mut page);
    page
}

/// All families, those of variants first.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    let beside = SCOPE_FAMILIES.iter().chain(FLEET_FAMILIES);
    let beside = beside.chain(MEMORY_FAMILIES).chain(STORE_FAMILIES).chain(EVIDENCE_FAMILIES);
    VARIANT_FAMILIES.iter().chain(beside).chain(PROCESS_FAMILIES).copied()
}

fn table(page: &mut String, families: &[&Definition]) {
    page.push_str("| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for family in families {
        let labels: Vec<String> = family.labels.iter().map(|l| format!("`{}`", l.name)).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            family.name,
            family.kind.as_str(),
            family.unit,
            labels.join(", "),
            family.help
        );
    }
}

fn label_values(page: &mut String) {
    page.push_str("| label | of | values |\n|---|---|---|\n");
    let mut rows: Vec<(&Label, Vec<&str>)> = Vec::new();
    for family in all() {
        for label in family.labels {
            match rows.iter_mut().find(|(known, _)| *known == label) {
                Some((_, users)) => users.push(family.name),
                None => rows.push((label, vec![family.name])),
            }
        }
    }
    for (label, users) in rows {
        let users = users.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| `{}` | {users} | {} |", label.name, values(label.values));
    }
}

fn values(values: Values) -> String {
    match values {
        Values::Closed(words) => words.join(", "),
        Values::Reasons => join(Reason::ALL, |r| r.as_str()),
        Values::Actions => join(ActionKind::ALL, |a| a.as_str()),
        Values::Fields => join(Field::ALL, |f| f.as_str()),
        Values::Verdicts => join(&Verdict::ALL, |v| v.as_str()),
        Values::Findings => join(&Finding::ALL, |f| f.as_str()),
        Values::NotResumed => join(&NotResumed::ALL, |n| n.as_str()),
        Values::Safeties => Safety::WORDS.join(", "),
        Values::Unproven => join(Unproven::ALL, |u| u.as_str()),
        Values::Modes => join(&Mode::ALL, |m| m.as_str()),
        Values::LatencyStatistics => join(&LatencyStatistic::ALL, |s| s.as_str()),
        Values::AlarmStates => join(&AlarmState::ALL, |s| s.as_str()),
        Values::Described(words) => words.to_owned(),
    }
}

fn join<T>(set: &[T], word: impl Fn(&T) -> &'static str) -> String {
    set.iter().map(word).collect::<Vec<_>>().join(", ")
}
