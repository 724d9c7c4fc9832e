//! What can be read and can hardly be meant. Nothing of it stops anything by itself: `--strict` does.

mod clock;
mod files;
mod globs;
mod regions;
mod shards;
mod values;
mod world;

use std::collections::BTreeSet;

use super::Config;
use super::resolve::parse_path;
use super::settings::Target;
use crate::model::status::FleetStatus;
use crate::model::time::Timestamp;
use crate::model::warning::ConfigWarning;

/// Everything that is strange about a configuration; with a fleet also what only the fleet shows.
pub(super) fn warnings(
    config: &Config,
    now: Timestamp,
    fleet: Option<&FleetStatus>,
) -> Vec<ConfigWarning> {
    let mut found = Vec::new();
    if let Some(fleet) = fleet {
        // Nothing else is about the right account.
        found.extend(world::callers(config, fleet));
    }
    found.extend(config.merged.warnings.iter().cloned());
    found.extend(nothing_listed(config));
    found.extend(files::warnings(config));
    found.extend(regions::warnings(config));
    found.extend(values::warnings(config, now));
    found.extend(shards::warnings(config));
    found.extend(globs::warnings(config));
    if let Some(fleet) = fleet {
        found.extend(clock::warnings(fleet));
        found.extend(world::warnings(config, fleet));
    }
    let mut seen = BTreeSet::new();
    found.retain(|warning| seen.insert(warning.clone()));
    found
}

/// What is as it should be and worth a look.
pub(super) fn notes(config: &Config) -> Vec<String> {
    globs::notes(config).into_iter().chain(shards::notes(config)).collect()
}

fn nothing_listed(config: &Config) -> Option<ConfigWarning> {
    config.merged.targets.is_empty().then(|| ConfigWarning {
        code: "no_targets",
        origin: String::new(),
        target: None,
        key: "targets".to_owned(),
        sentence:
            "the configuration lists no targets: everything is only observed, and nothing is \
                   ever written"
                .to_owned(),
    })
}

/// A warning about a key of a target, at the line of the key, or of `defaults` where the target
/// says nothing of it.
fn of_target(
    config: &Config,
    target: &Target,
    code: &'static str,
    key: &str,
    sentence: String,
) -> ConfigWarning {
    let written = config.merged.targets.get(target.in_order);
    let path = parse_path(key);
    let own = written.filter(|written| written.says(&path));
    let named = Some(target.pattern.to_string());
    if let Some(written) = own {
        let origin = written.origin_of(&path);
        return ConfigWarning { code, origin, target: named, key: key.to_owned(), sentence };
    }
    let default = format!("defaults.{key}");
    if !config.merged.says(&parse_path(&default)) {
        let origin = target.origin.clone();
        return ConfigWarning { code, origin, target: named, key: key.to_owned(), sentence };
    }
    // It is said once for all targets that it holds for.
    let origin = config.merged.origin(&parse_path(&default));
    ConfigWarning { code, origin, target: None, key: default, sentence }
}

/// A warning about a key outside the targets.
fn of_key(config: &Config, code: &'static str, key: &str, sentence: String) -> ConfigWarning {
    let origin = config.merged.origin(&parse_path(key));
    ConfigWarning { code, origin, target: None, key: key.to_owned(), sentence }
}
