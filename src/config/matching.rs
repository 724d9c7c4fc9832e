//! Which target speaks for a variant, and what is wanted of it.

use super::settings::Target;
use super::{Config, Inner};
use crate::model::goal::Goal;
use crate::model::ids::VariantId;

/// Two targets that say equally much match the same variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variant} matches two targets that are equally specific: {first} and {second} (name the \
     variant in one of them, or make one pattern longer)"
)]
pub struct AmbiguousTarget {
    pub variant: Box<VariantId>,
    /// The first target's file, place and pattern.
    pub first: String,
    pub second: String,
}

/// What one target matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The target's file and line, such as `prod.yaml:12`.
    pub origin: String,
    pub pattern: String,
    /// The variants that it speaks for, in their order.
    pub variants: Vec<VariantId>,
}

impl Inner {
    /// The target that speaks for a variant: the most specific one that matches.
    ///
    /// # Errors
    /// When two are equally specific.
    pub fn target(&self, id: &VariantId) -> Result<Option<&Target>, AmbiguousTarget> {
        let mut best: Option<&Target> = None;
        let mut rival: Option<&Target> = None;
        for target in self.targets.iter().filter(|t| t.pattern.matches(id)) {
            let own = target.pattern.specificity();
            match best.map(|best| best.pattern.specificity()) {
                Some(other) if own < other => {}
                Some(other) if own == other => rival = Some(target),
                _ => (best, rival) = (Some(target), None),
            }
        }
        let named = |t: &Target| format!("{} ({})", t.origin, t.pattern);
        match (best, rival) {
            (Some(first), Some(second)) => Err(AmbiguousTarget {
                variant: Box::new(id.clone()),
                first: named(first),
                second: named(second),
            }),
            (best, _) => Ok(best),
        }
    }
}

impl Config {
    /// What is wanted of a variant; one that no target matches is observed and not managed (rule
    /// 7).
    ///
    /// # Errors
    /// When two equally specific targets match.
    pub fn goal(&self, id: &VariantId) -> Result<Goal, AmbiguousTarget> {
        let Some(target) = self.target(id)? else { return Ok(self.discovered()) };
        let mode = target.goal.mode.min(self.mode_ceiling());
        Ok(Goal { mode, ..target.goal.clone() })
    }

    /// The goal of a variant that no target matches: judged by the defaults, managed in nothing.
    fn discovered(&self) -> Goal {
        let defaults = &self.defaults;
        Goal {
            safety_factor: defaults.safety_factor,
            safety_factor_auto: defaults.safety_factor_auto,
            objective: defaults.objective,
            bad_minutes_per_week: defaults.bad_minutes_per_week,
            safe_change_grace: defaults.safe_change_grace,
            removed_target_grace: defaults.removed_target_grace,
            removed_policy_grace: defaults.removed_policy_grace,
            ..Goal::nothing("discovery".to_owned())
        }
    }
}

/// What each target matched of the known variants, in the order of the targets.
///
/// # Errors
/// The first variant that two equally specific targets match.
pub fn matches(config: &Config, known: &[VariantId]) -> Result<Vec<Match>, AmbiguousTarget> {
    let mut found: Vec<Match> = config
        .targets
        .iter()
        .map(|t| Match {
            origin: t.origin.clone(),
            pattern: t.pattern.to_string(),
            variants: Vec::new(),
        })
        .collect();
    for id in known {
        let Some(target) = config.target(id)? else { continue };
        // Two targets may stand on one line: they are told apart by themselves.
        let place = config.targets.iter().position(|other| std::ptr::eq(other, target));
        if let Some(entry) = place.and_then(|place| found.get_mut(place)) {
            entry.variants.push(id.clone());
        }
    }
    Ok(found)
}
