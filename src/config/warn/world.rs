//! What only the fleet shows: whether the right account is read, whether names exist, and whether
//! numbers fit what is measured. Pure: a configuration and a status go in.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Config;
use super::super::settings::Target;
use super::{of_key, of_target};
use crate::model::ids::{AccountId, Scope, VariantId};
use crate::model::near;
use crate::model::series::Minute;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::typed_unit::{Numbers, WrongUnit, wrong_unit};
use crate::model::units::{for_reading, formula, human};
use crate::model::warning::ConfigWarning;

/// For so many targets without a variant names are offered: with more it is not the spelling.
const NAMES_OFFERED_FOR: usize = 50;
/// So many loaded minutes in a row that break the objective are no accident.
const BROKEN_MINUTES: usize = 30;

/// Accounts that are not the caller's: what is shown is not what is configured.
pub(super) fn callers(config: &Config, fleet: &FleetStatus) -> Vec<ConfigWarning> {
    let mut wrong: BTreeSet<(AccountId, AccountId)> = BTreeSet::new();
    for (Scope { account_id, .. }, caller) in &fleet.callers {
        if account_id != caller {
            wrong.insert((account_id.clone(), caller.clone()));
        }
    }
    let say = |(configured, caller): (AccountId, AccountId)| {
        let place = config.accounts.iter().position(|own| own.account_id == configured);
        let key = place
            .map_or_else(|| "aws.account_id".to_owned(), |i| format!("accounts[{i}].account_id"));
        let sentence = format!(
            "{configured} is configured, and the credentials are of account {caller}: what is shown \
             is that account's, and nothing is written (correct the account, or the role or profile)"
        );
        of_key(config, ConfigWarning::WRONG_ACCOUNT, &key, sentence)
    };
    wrong.into_iter().map(say).collect()
}

/// Everything else.
pub(super) fn warnings(config: &Config, fleet: &FleetStatus) -> Vec<ConfigWarning> {
    let mut found = Vec::new();
    let mut of_variants = Vec::new();
    let mut uses = vec![Use::default(); config.targets.len()];
    for (id, status) in &fleet.variants {
        let matching: Vec<usize> =
            (0..uses.len()).filter(|i| config.targets[*i].pattern.matches(id)).collect();
        let Some(most) = matching.iter().map(|i| config.targets[*i].pattern.specificity()).max()
        else {
            continue;
        };
        // Two that say equally much are an error of their own.
        let winner = matching.iter().find(|i| config.targets[**i].pattern.specificity() == most);
        for i in &matching {
            uses[*i].exists |= !is_missing(id, status);
            uses[*i].speaks |= config.targets[*i].pattern.specificity() == most;
            uses[*i].instead = uses[*i].instead.or_else(|| winner.copied());
        }
        if let Some(target) = winner.map(|i| &config.targets[*i]) {
            of_variants.extend(always_broken(config, target, status));
            of_variants.extend(rate_per_minute(config, target, status));
        }
    }
    let names = Names::of(fleet);
    for (target, used) in config.targets.iter().zip(uses) {
        if !used.exists {
            let offer = found.len() < NAMES_OFFERED_FOR;
            found.extend(nothing_matches(config, target, fleet, offer.then_some(&names)));
        } else if !used.speaks
            && let Some(winner) = used.instead
        {
            found.push(without_effect(config, target, &config.targets[winner]));
        }
    }
    found.extend(once_for_each_key(of_variants));
    found
}

/// A glob may be for thousands of variants: of those that a key is wrong for, one is named, and the
/// others are counted.
fn once_for_each_key(of_variants: Vec<ConfigWarning>) -> Vec<ConfigWarning> {
    let mut found: Vec<(ConfigWarning, usize)> = Vec::new();
    for warning in of_variants {
        let same = |one: &ConfigWarning| {
            (one.code, &one.origin, &one.target, &one.key)
                == (warning.code, &warning.origin, &warning.target, &warning.key)
        };
        match found.iter_mut().find(|(one, _)| same(one)) {
            Some((_, more)) => *more += 1,
            None => found.push((warning, 0)),
        }
    }
    let count = |(mut warning, more): (ConfigWarning, usize)| {
        warning.sentence = match more {
            0 => warning.sentence,
            1 => format!("{}; the same holds for 1 more variant", warning.sentence),
            _ => format!("{}; the same holds for {more} more variants", warning.sentence),
        };
        warning
    };
    found.into_iter().map(count).collect()
}

/// What becomes of a target.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    /// Some variant that it matches exists.
    exists: bool,
    speaks: bool,
    /// Which one speaks instead.
    instead: Option<usize>,
}

/// What exists.
struct Names {
    /// `endpoint/variant` of each.
    variants: BTreeSet<String>,
    endpoints: BTreeSet<String>,
}

impl Names {
    fn of(fleet: &FleetStatus) -> Self {
        let existing = fleet.variants.iter().filter(|(id, status)| !is_missing(id, status));
        let mut names = Self { variants: BTreeSet::new(), endpoints: BTreeSet::new() };
        for (id, _) in existing {
            names.variants.insert(id.short());
            names.endpoints.insert(id.endpoint.to_string());
        }
        names
    }
}

/// Whether it is known that there is no such variant.
fn is_missing(id: &VariantId, status: &VariantStatus) -> bool {
    match status.snapshot.endpoint.known() {
        Some(None) => true,
        // One that is being made has no variants yet.
        Some(Some(endpoint)) => {
            !endpoint.variants.is_empty()
                && endpoint.variant(&id.variant).is_none()
                && !endpoint.shadow_variants.contains(&id.variant)
        }
        None => false,
    }
}

/// A target that no variant needs.
fn nothing_matches(
    config: &Config,
    target: &Target,
    fleet: &FleetStatus,
    names: Option<&Names>,
) -> Option<ConfigWarning> {
    let pattern = &target.pattern;
    let could_be_in = |scope: &Scope| {
        pattern.account_id.as_ref().is_none_or(|own| *own == scope.account_id)
            && pattern.region.as_ref().is_none_or(|own| *own == scope.region)
    };
    // Another shard may have it.
    let elsewhere = |(scope, _): (&Scope, &u32)| !config.sharding.has(scope) && could_be_in(scope);
    if config.sharding.assigned.iter().any(elsewhere) {
        return None;
    }
    // Where something could not be read, the variant may be there.
    let unread = fleet.scopes.iter().any(|(scope, why)| why.is_some() && could_be_in(scope));
    let unknown = |(id, status): (&VariantId, &Arc<VariantStatus>)| {
        pattern.matches(id) && status.snapshot.endpoint.known().is_none()
    };
    if fleet.scopes.is_empty() || unread || fleet.variants.iter().any(unknown) {
        return None;
    }
    let what = if pattern.endpoint.is_exact() && pattern.variant.is_exact() {
        "there is no such variant"
    } else {
        "it matches no variant"
    };
    let near = names.map(|names| near(target, names)).unwrap_or_default();
    let near =
        if near.is_empty() { String::new() } else { format!(" (near it: {})", near.join(", ")) };
    let endpoint_exists = names
        .is_some_and(|names| names.endpoints.iter().any(|name| pattern.endpoint.matches(name)));
    let key = if endpoint_exists { "variant" } else { "endpoint" };
    let sentence = format!("{what}{near}");
    Some(of_target(config, target, "target_matches_nothing", key, sentence))
}

/// A target all of whose variants other targets speak for.
fn without_effect(config: &Config, target: &Target, winner: &Target) -> ConfigWarning {
    let sentence = format!(
        "it has no effect: every variant that it matches has a target that says more, such as {} ({})",
        winner.pattern, winner.origin
    );
    of_target(config, target, "target_without_effect", "endpoint", sentence)
}

/// Names that exist and may have been meant, nearest first.
fn near<'a>(target: &Target, names: &'a Names) -> Vec<&'a str> {
    let (endpoint, variant) = (target.pattern.endpoint.as_str(), target.pattern.variant.as_str());
    // A wildcard is no part of a name: what is left of it may be.
    let wanted = if target.pattern.variant.is_exact() {
        format!("{endpoint}/{variant}")
    } else {
        endpoint.to_owned()
    };
    let wanted = wanted.replace(['*', '?'], "");
    let known = if target.pattern.variant.is_exact() { &names.variants } else { &names.endpoints };
    near::near(&wanted, known.iter().map(String::as_str))
}

/// An objective that no minute has met is not what anybody has measured.
fn always_broken(
    config: &Config,
    target: &Target,
    status: &VariantStatus,
) -> Option<ConfigWarning> {
    let latency = status.goal.objective.latency?;
    let recent = &status.snapshot.telemetry.known()?.recent;
    let loaded = |minute: &Minute| minute.load().is_some_and(|load| load > 0.0);
    let meets = |latency_us: f64| latency_us <= latency.threshold_us();
    // Of most, one of the newest has.
    if recent.rfind(|minute| loaded(minute) && minute.latency_us.is_some_and(meets)).is_some() {
        return None;
    }
    let latencies: Vec<f64> = recent.iter().filter(loaded).filter_map(|m| m.latency_us).collect();
    let fastest = latencies.iter().copied().fold(f64::INFINITY, f64::min);
    if latencies.len() < BROKEN_MINUTES {
        return None;
    }
    let sentence = format!(
        "{} {} ms was broken in each of the last {} minutes with requests, and the fastest of them \
         took {} ms: either the objective is not meant so, or the model has never met it",
        latency.statistic.as_str(),
        human(latency.threshold_ms),
        latencies.len(),
        human(for_reading(fastest / 1000.0))
    );
    let key = "objective.latency.threshold_ms";
    Some(named(of_target(config, target, "objective_always_broken", key, sentence), status))
}

/// A load-tested rate that fits what is served in a minute, not in a second.
fn rate_per_minute(
    config: &Config,
    target: &Target,
    status: &VariantStatus,
) -> Option<ConfigWarning> {
    let max_rps = status.goal.load_test.as_ref()?.max_rps.get();
    let report = &status.decision.report;
    let capacity = report.estimate.capacity.estimate;
    let capacity = capacity.filter(|_| report.estimate.verdict.is_two_sided());
    let wrong = wrong_unit(Numbers {
        configured: report.configured_target,
        max_rps: Some(max_rps),
        formula: Some(formula(max_rps, status.goal.safety_factor.get())),
        capacity,
        load: status.snapshot.telemetry.known().and_then(|t| t.max_load_since_last_read),
    });
    if wrong != Some(WrongUnit::Rate) {
        return None;
    }
    let served = capacity.map_or_else(
        || {
            format!(
                "the target value {} keeps the load",
                human(report.configured_target.unwrap_or_default())
            )
        },
        |capacity| format!("an instance serves about {} a minute", human(capacity.round())),
    );
    let sentence = format!(
        "{} looks like requests a minute: {served}; the unit is requests a second (is {} meant?)",
        human(max_rps),
        human((max_rps / 60.0 * 100.0).round() / 100.0)
    );
    Some(named(
        of_target(config, target, "max_rps_per_minute", "load_test.max_rps", sentence),
        status,
    ))
}

/// The same about one variant of a target that is a glob.
fn named(warning: ConfigWarning, status: &VariantStatus) -> ConfigWarning {
    let name = status.snapshot.id.short();
    if warning.target.as_deref() == Some(name.as_str()) {
        return warning;
    }
    ConfigWarning { sentence: format!("{name}: {}", warning.sentence), ..warning }
}
