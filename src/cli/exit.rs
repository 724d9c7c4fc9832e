//! Exit codes: one table for all commands (`docs/plan.md`). A monitor or a pipeline reads nothing
//! else, so that no code says less than what is known.

use crate::model::units::same_value;
use std::process::ExitCode;

use crate::decide::safety::Judge;
use crate::model::decision::{Action, FieldState, Report, StepResult};
use crate::model::status::{FleetStatus, VariantStatus};
use crate::render::differs;

/// What a command came to. Where several hold, the one that is declared first here counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// The command line cannot be understood (BSD `EX_USAGE`).
    Usage,
    /// The command failed, or a write did.
    Failed,
    /// Something that is listed could not be compared, or an account and region not be read. What
    /// is known to differ may not be all, so that this goes before the next.
    NotCompared,
    /// Something differs, held or not.
    Differs,
    /// All is as configured, and something is unsafe by measurement.
    Unsafe,
    /// Whoever read the output has closed it (`| head -1`): the code of a process that SIGPIPE ends.
    ReaderGone,
    /// Done; nothing that is asked for is missing.
    Done,
}

/// What the help of commands says of it.
pub const HELP: &str = "Exit codes: 0 nothing differs, 2 something differs (held or not), 3 \
                        something could not be compared or read, 4 all is as configured and \
                        something is unsafe, 1 failed, 64 usage; if several apply, the \
                        first of 1, 3, 2, 4 is used.";

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Differs => 2,
            Self::NotCompared => 3,
            Self::Unsafe => 4,
            Self::Usage => 64,
            Self::ReaderGone => 128 + 13,
        }
    }

    /// The one of several that counts; [`Self::Done`] of none.
    pub fn worst(several: impl IntoIterator<Item = Self>) -> Self {
        several.into_iter().min().unwrap_or(Self::Done)
    }

    /// What a plan, or a pass that is not over yet, says.
    pub fn of_plan(fleet: &FleetStatus) -> Self {
        let variants = fleet.variants.values().map(|v| Self::of_report(&v.decision.report));
        Self::worst(variants.chain([Self::of_reads(fleet)]))
    }

    /// Whether every account and region, each listed endpoint and the memory could be read: no subjects is never no
    /// problems, and without the memory nobody knows what is held.
    pub fn of_reads(fleet: &FleetStatus) -> Self {
        let memory_unread = fleet.memory.as_ref().is_some_and(|memory| memory.unread.is_some());
        // A policy that names the endpoints to be seen says that the others are nobody's business here.
        let is_undescribed = fleet.undescribed.values().any(|found| !found.narrowed);
        let unread = memory_unread || is_undescribed || fleet.scopes.values().any(Option::is_some);
        if unread { Self::NotCompared } else { Self::Done }
    }

    /// What is left after a pass that has written.
    pub fn of_writes(fleet: &FleetStatus) -> Self {
        let variants = fleet.variants.values().map(|status| Self::of_written(status));
        Self::worst(variants.chain([Self::of_reads(fleet)]))
    }

    /// One variant that is listed. Of others nothing is asked for.
    pub const fn of_listed(compared: bool, differs: bool, is_unsafe: bool) -> Self {
        match (compared, differs, is_unsafe) {
            (false, ..) => Self::NotCompared,
            (true, true, _) => Self::Differs,
            (true, false, true) => Self::Unsafe,
            (true, false, false) => Self::Done,
        }
    }

    fn of_report(report: &Report) -> Self {
        if !report.managed {
            return Self::Done;
        }
        let compared = report.is_compared();
        Self::of_listed(compared, differs(report), report.is_unsafe())
    }

    fn of_written(status: &VariantStatus) -> Self {
        let report = &status.decision.report;
        let Some(outcome) = &status.outcome else { return Self::of_report(report) };
        let any = |result| outcome.steps.iter().any(|step| step.result == result);
        if any(StepResult::Error) {
            return Self::Failed;
        }
        let all_written = outcome.steps.iter().all(|step| step.result == StepResult::Success);
        let held = report.fields.iter().any(|field| field.state == FieldState::Held);
        let differs = !all_written || held || falls_short(report);
        let compared = report.is_compared();
        Self::of_listed(compared, differs, is_unsafe_after(status))
    }
}

/// Whether a limit cut the write short of the value that is wanted.
fn falls_short(report: &Report) -> bool {
    report
        .wanted_target
        .zip(report.desired_target)
        .is_some_and(|(written, desired)| !same_value(written, desired))
}

/// Whether the value that was written is unsafe; without one, whether the value in force is.
fn is_unsafe_after(status: &VariantStatus) -> bool {
    let decision = &status.decision;
    let report = &decision.report;
    let written = decision.plan.actions.iter().find_map(|action| match action {
        Action::PutPolicy { configuration, .. } => Some(configuration.target_value),
        Action::RegisterTarget { .. } | Action::PutFloors { .. } => None,
    });
    let Some(target) = written else { return report.is_unsafe() };
    let judge = Judge {
        estimate: &report.estimate,
        goal: &status.goal,
        safe: report.safe_target,
        now: decision.at,
    };
    report.managed && judge.of(Some(target)).state.is_unsafe()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn one_goes_before_three_two_and_four() {
        use Exit::{Differs, Done, Failed, NotCompared, Unsafe};
        assert_eq!(Exit::worst([Done, Unsafe, Differs, NotCompared, Failed]), Failed);
        assert_eq!(Exit::worst([Done, Unsafe, Differs, NotCompared]), NotCompared);
        assert_eq!(Exit::worst([Done, Unsafe, Differs]), Differs);
        assert_eq!(Exit::worst([Done, Unsafe]), Unsafe);
        assert_eq!(Exit::worst([]), Done);
    }

    #[test]
    fn what_is_not_compared_says_nothing_of_the_rest() {
        assert_eq!(Exit::of_listed(false, true, true), Exit::NotCompared);
        assert_eq!(Exit::of_listed(true, true, true), Exit::Differs);
        assert_eq!(Exit::of_listed(true, false, true), Exit::Unsafe);
        assert_eq!(Exit::of_listed(true, false, false), Exit::Done);
    }
}
