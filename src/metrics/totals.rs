//! Sums over the variants of each account and region: they are there whatever `metrics.variants`
//! leaves out, and cost as much for ten variants as for ten thousand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::definition::{Definition, SCOPE_LABELS};
use super::shown::Shown;
use super::status_families as families;
use super::variants::push_label;
use crate::model::decision::FieldState;
use crate::model::estimate::{Finding, Verdict};
use crate::model::goal::Mode;
use crate::model::ids::Scope;
use crate::model::safety::Safety;
use crate::model::status::{FleetStatus, VariantStatus};

/// How many there are, by the values of the labels.
type Counts = BTreeMap<Vec<&'static str>, u64>;

/// The sums of one account and region, in the order of [`families::FLEET_FAMILIES`].
struct Totals {
    variants: Counts,
    left_out: Counts,
    managed: Counts,
    not_comparable: Counts,
    safety: Counts,
    divergence: Counts,
    drift: Counts,
    verdict: Counts,
    mode: Counts,
    decision: Counts,
}

impl Totals {
    /// Of no variants: the members of closed sets are there at zero.
    fn none() -> Self {
        let zero = || Counts::from([(Vec::new(), 0)]);
        let of = |words: &[&'static str]| words.iter().map(|word| (vec![*word], 0)).collect();
        Self {
            variants: zero(),
            left_out: zero(),
            managed: zero(),
            not_comparable: zero(),
            safety: of(&Safety::WORDS),
            divergence: of(&Finding::ALL.map(Finding::as_str)),
            drift: Counts::new(),
            verdict: of(&Verdict::ALL.map(Verdict::as_str)),
            mode: of(&Mode::ALL.map(Mode::as_str)),
            decision: Counts::new(),
        }
    }

    fn add(&mut self, status: &VariantStatus, left_out: bool) {
        let report = &status.decision.report;
        let add = |to: &mut Counts, labels: &[&'static str], is: bool| {
            if is {
                *to.entry(labels.to_vec()).or_default() += 1;
            }
        };
        add(&mut self.variants, &[], true);
        add(&mut self.left_out, &[], left_out);
        add(&mut self.managed, &[], report.managed);
        add(&mut self.not_comparable, &[], !report.comparable);
        add(&mut self.safety, &[report.safety.state.as_str()], true);
        for finding in &report.estimate.findings {
            add(&mut self.divergence, &[finding.as_str()], true);
        }
        for (index, field) in report.fields.iter().enumerate() {
            let repeated = report.fields[..index].iter().any(|other| other.field == field.field);
            let compared = !matches!(field.state, FieldState::Unknown | FieldState::NotCompared);
            let differs = compared && field.state.differs() && !repeated;
            add(&mut self.drift, &[field.field.as_str()], differs);
        }
        add(&mut self.verdict, &[report.estimate.verdict.as_str()], true);
        add(&mut self.mode, &[report.mode.as_str()], true);
        add(&mut self.decision, &[report.action.as_str(), report.reason.as_str()], true);
    }

    fn each(&self) -> [(&'static Definition, &Counts); 10] {
        [
            (&families::FLEET_VARIANTS, &self.variants),
            (&families::FLEET_WITHOUT_SERIES, &self.left_out),
            (&families::FLEET_MANAGED, &self.managed),
            (&families::FLEET_NOT_COMPARABLE, &self.not_comparable),
            (&families::FLEET_SAFETY, &self.safety),
            (&families::FLEET_DIVERGENCE, &self.divergence),
            (&families::FLEET_DRIFT, &self.drift),
            (&families::FLEET_VERDICT, &self.verdict),
            (&families::FLEET_MODE, &self.mode),
            (&families::FLEET_DECISION, &self.decision),
        ]
    }
}

/// The text of them all.
pub(super) fn text(fleet: &FleetStatus, shown: Shown) -> String {
    let mut totals: BTreeMap<Scope, Totals> =
        fleet.scopes.keys().map(|scope| (scope.clone(), Totals::none())).collect();
    for (id, status) in &fleet.variants {
        let of = totals.entry(id.scope()).or_insert_with(Totals::none);
        of.add(status, !shown.shows(fleet, status));
    }
    let mut text = String::new();
    for (index, family) in families::FLEET_FAMILIES.iter().enumerate() {
        let lines: String =
            totals.iter().map(|(scope, of)| lines(scope, of.each()[index])).collect();
        if !lines.is_empty() {
            family.write_head(&mut text);
            text.push_str(&lines);
        }
    }
    text
}

fn lines(scope: &Scope, (family, counts): (&Definition, &Counts)) -> String {
    let mut text = String::new();
    for (values, count) in counts {
        let own = family.labels.iter().map(|label| label.name).zip(values.iter().copied());
        let of_scope = [scope.account_id.as_str(), scope.region.as_str()];
        let labels = SCOPE_LABELS.into_iter().zip(of_scope).chain(own);
        text.push_str(family.name);
        for (index, (name, value)) in labels.enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            push_label(&mut text, name, value);
        }
        // Writing to a text cannot fail.
        let _ = writeln!(text, "}} {count}");
    }
    text
}
