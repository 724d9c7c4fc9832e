//! What the bolder modes would do about a variant in `observe`: the same decision with the mode
//! swapped, so that nobody has to switch to see it. A person's consent, which a switch would need
//! too, is named and taken as given.

use crate::model::decision::{Decision, FieldReport, FieldState, ModePreview, Note, Report};
use crate::model::estimate::Estimate;
use crate::model::goal::{Goal, Mode};
use crate::model::reason::{ActionKind, Field, Reason};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::model::units::{human, same_value};

use super::{Rules, decide_in_its_mode};

/// What `repair` and `auto` would do; nothing for what is in one of them, or not listed.
pub(super) fn mode_preview(
    snapshot: &Snapshot,
    goal: &Goal,
    estimate: &Estimate,
    rules: &Rules,
    now: Timestamp,
) -> Vec<ModePreview> {
    if goal.mode != Mode::Observe || !goal.managed {
        return Vec::new();
    }
    let in_mode = |mode| {
        let mut goal = Goal { mode, ..goal.clone() };
        let decided =
            |goal: &Goal, rules: &Rules| decide_in_its_mode(snapshot, goal, estimate, rules, now);
        let mut rules = rules.clone();
        let mut needs = Vec::new();
        let mut decision = decided(&goal, &rules);
        if rules.account_id.is_none() && holds(&decision, Reason::WrongAccount) {
            let caller =
                snapshot.caller.known().filter(|caller| **caller == snapshot.id.account_id);
            if let Some(caller) = caller {
                rules.account_id = Some(caller.clone());
                needs.push(need(Reason::WrongAccount, "account_id is configured"));
                decision = decided(&goal, &rules);
            }
        }
        if holds(&decision, Reason::Adoption) {
            // Only adoption is waived by it, which a confirmation is not limited to.
            goal.adopt = true;
            let sentence = "it is adopted (`adopt: true`, or a confirmed `setpoint apply`)";
            needs.push(need(Reason::Adoption, sentence));
            decision = decided(&goal, &rules);
        }
        reported(mode, decision, needs)
    };
    vec![in_mode(Mode::Repair), in_mode(Mode::Auto)]
}

fn holds(decision: &Decision, reason: Reason) -> bool {
    decision.report.fields.iter().any(|f| f.state == FieldState::Held && f.reason == reason)
}

fn need(reason: Reason, sentence: &'static str) -> Note {
    Note { reason, sentence: sentence.into() }
}

fn reported(mode: Mode, decision: Decision, needs: Vec<Note>) -> ModePreview {
    let report = decision.report;
    let writes =
        |field| report.fields.iter().any(|f| f.field == field && f.state == FieldState::Write);
    let target =
        report.wanted_target.filter(|_| writes(Field::TargetValue) || writes(Field::Policy));
    let mut sentence = sentence(&report);
    if !needs.is_empty() && report.action != ActionKind::None {
        let needs: Vec<&str> = needs.iter().map(|need| &*need.sentence).collect();
        sentence = format!("{sentence}, once {}", needs.join(" and "));
    }
    ModePreview {
        mode,
        action: report.action,
        reason: report.reason,
        target,
        wanted: target.and(report.desired_target),
        needs: needs.into(),
        sentence: sentence.into(),
    }
}

/// After "would": "lower `target_value` 1500 -> 1050 on the way to 507; leave `min_capacity`, ...".
fn sentence(report: &Report) -> String {
    let of = |state| report.fields.iter().filter(move |f: &&FieldReport| f.state == state);
    let mut parts: Vec<String> =
        of(FieldState::Write).map(|field| written(report, field)).collect();
    parts.extend(
        of(FieldState::Held).map(|field| format!("leave {}: {}", field.field, field.sentence)),
    );
    parts.extend(
        of(FieldState::Unknown)
            .map(|field| format!("leave {}, which could not be compared", field.field)),
    );
    if parts.is_empty() { "change nothing".to_owned() } else { parts.join("; ") }
}

fn written(report: &Report, field: &FieldReport) -> String {
    let name = field.field;
    let actual = field.actual.as_deref();
    let desired = field.desired.as_deref().unwrap_or_default();
    match (name, actual, report.wanted_target) {
        (Field::TargetValue, Some(actual), Some(to)) => {
            let lowers = report.configured_target.is_some_and(|now| to < now);
            let verb = if lowers { "lower" } else { "raise" };
            let on_the_way = report
                .desired_target
                .filter(|end| !same_value(*end, to))
                .map_or_else(String::new, |end| format!(" on the way to {}", human(end)));
            format!("{verb} {name} {actual} -> {}{on_the_way}", human(to))
        }
        (Field::Alarms, ..) => "rewrite the policy to fix its alarms".to_owned(),
        (_, Some(actual), _) => format!("set {name} {actual} -> {desired}"),
        (_, None, _) => format!("create the missing {name} ({desired})"),
    }
}
