//! Tries what was made: an entry that cannot be loaded, or under which something would differ, is
//! no entry.

use super::{Made, Options, Row, file};
use crate::audit::decided;
use crate::config::{Config, Problem};
use crate::model::decision::{FieldReport, FieldState};
use crate::model::estimate::Estimate;
use crate::model::reason::Field;
use crate::model::status::VariantStatus;

/// Turns every entry that would differ into a comment.
pub(super) fn leave_out_what_differs(rows: &mut [Row<'_>], options: &Options) {
    // All at once, which is fast; one that cannot be loaded spoils it for the others.
    let Ok(all) = Config::from_yaml(&file::to_try(rows.iter(), options)) else {
        for row in rows {
            one(row, options);
        }
        return;
    };
    for row in rows {
        if matches!(row.made, Made::Listed(_)) && !differing(&all, row.status).is_empty() {
            one(row, options);
        }
    }
}

/// Tries one alone, and without min and max where only they differ.
fn one(row: &mut Row<'_>, options: &Options) {
    let Made::Listed(_) = row.made else { return };
    match tried(row, options) {
        Ok(differing) if differing.is_empty() => return,
        Ok(differing) if differing.iter().all(is_bound) => {
            let why = sentence(&differing);
            if let Made::Listed(entry) = &mut row.made {
                entry.capacity = None;
                entry.notes.push(format!("min and max are left out: {why}"));
            }
        }
        Ok(_) | Err(_) => {}
    }
    match tried(row, options) {
        Ok(differing) if differing.is_empty() => {}
        Ok(differing) => {
            row.leave_out(format!("setpoint would see a difference: {}", sentence(&differing)));
        }
        Err(problem) => row.leave_out(problem),
    }
}

fn tried(row: &Row<'_>, options: &Options) -> Result<Vec<FieldReport>, String> {
    let text = file::to_try(std::iter::once(row), options);
    let config = Config::from_yaml(&text).map_err(|errors| {
        let problem = |problem: &Problem| {
            format!("{} is {}, and {} is allowed", problem.key, problem.found, problem.allowed)
        };
        let all: Vec<String> = errors.problems.iter().map(problem).collect();
        format!("the configuration cannot state it: {}", all.join("; "))
    })?;
    Ok(differing(&config, row.status))
}

/// The fields that differ when the configuration wants this of it.
fn differing(config: &Config, status: &VariantStatus) -> Vec<FieldReport> {
    let snapshot = &status.snapshot;
    let Ok(goal) = config.goal(&snapshot.id) else { return Vec::new() };
    let nothing = Estimate::unobserved("nothing was read for an import");
    let decision = decided(snapshot, &goal, &nothing);
    let differs = |field: &&FieldReport| {
        field.state.differs()
            // With a load test that speaks for it there is always something to compare with.
            || (field.state == FieldState::NotCompared && field.field == Field::TargetValue)
    };
    decision.report.fields.iter().filter(differs).cloned().collect()
}

fn is_bound(field: &FieldReport) -> bool {
    matches!(field.field, Field::MinCapacity | Field::MaxCapacity)
}

fn sentence(differing: &[FieldReport]) -> String {
    let each = differing.iter().map(|field| {
        let actual = field.actual.as_deref().unwrap_or("none");
        let desired = field.desired.as_deref().unwrap_or("none");
        let why = if field.sentence.is_empty() { field.reason.as_str() } else { &field.sentence };
        format!("{} {actual} -> {desired} ({why})", field.field)
    });
    each.collect::<Vec<_>>().join("; ")
}
