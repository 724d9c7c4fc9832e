//! Whether anything at all may be written of a variant: by whom it is listed, in which mode, in whose
//! account, and whether writes are on (rules 1, 2, 7 and 10).

use crate::model::fact::Fact;
use crate::model::goal::{Goal, Mode};
use crate::model::ids::AccountId;
use crate::model::reason::Reason;

use super::checks::Hold;

/// Why nothing of a variant may be written, whatever differs: a sentence. `allowed` is the account
/// that may be written to, `own` the variant's. The guards ask the same one by one; this is for a
/// memory that is kept in AWS, which is written too.
pub fn untouchable(
    goal: &Goal,
    (caller, allowed, own): (&Fact<AccountId>, Option<&AccountId>, &AccountId),
    enabled: bool,
) -> Option<String> {
    unlisted(goal)
        .or_else(|| observe(goal))
        .or_else(|| wrong_account(caller, allowed, own))
        .or_else(|| disabled(enabled))
        .map(|hold| hold.sentence)
}

pub(super) fn unlisted(goal: &Goal) -> Option<Hold> {
    (!goal.managed)
        .then(|| Hold::new(Reason::Unlisted, "the configuration does not list this variant"))
}

pub(super) fn observe(goal: &Goal) -> Option<Hold> {
    (goal.mode == Mode::Observe).then(|| Hold::new(Reason::Observe, "the mode is observe"))
}

pub(super) fn wrong_account(
    caller: &Fact<AccountId>,
    allowed: Option<&AccountId>,
    own: &AccountId,
) -> Option<Hold> {
    let hold = |sentence: String| Some(Hold::new(Reason::WrongAccount, sentence));
    let Some(allowed) = allowed else {
        return hold("no account_id is configured, and without one nothing is written".to_owned());
    };
    match caller {
        Fact::Unknown(why) => {
            hold(format!("the account of the credentials is not known: {}", why.message))
        }
        Fact::Known(caller) if caller != allowed || caller != own => hold(format!(
            "the credentials are of account {caller}, the configuration allows {allowed}"
        )),
        Fact::Known(_) => None,
    }
}

pub(super) fn disabled(enabled: bool) -> Option<Hold> {
    (!enabled).then(|| Hold::new(Reason::ReconcileDisabled, "reconcile.enabled is false"))
}
