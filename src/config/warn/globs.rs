//! Two globs that match the same names. That the wider one gives way to a narrower one within it is
//! what globs are for; where each has names of its own, which one wins is easily not noticed.

use std::cmp::Ordering;

use super::super::Config;
use super::super::pattern::TargetPattern;
use super::super::settings::Target;
use super::of_target;
use crate::model::warning::ConfigWarning;

/// The most globs that are compared each with each: a thousand pairs of thousands say nothing.
const MOST_GLOBS: usize = 300;

/// Every pair of globs of which one wins without a word.
pub(super) fn warnings(config: &Config) -> Vec<ConfigWarning> {
    let mut found = Vec::new();
    for (loser, winner) in pairs(config, is_surprising) {
        let sentence = format!(
            "{} ({}) goes before it for names that both match, because it says more (give those \
             endpoints a target of their own to say which is meant)",
            winner.pattern, winner.origin
        );
        let same_endpoint = loser.pattern.endpoint == winner.pattern.endpoint;
        let key = if same_endpoint { "variant" } else { "endpoint" };
        found.push(of_target(config, loser, "globs_overlap", key, sentence));
    }
    for (one, other) in ties(config) {
        let sentence = format!(
            "{} ({}) says as much: a variant that both match is not compared until one of the globs \
             is longer",
            one.pattern, one.origin
        );
        found.push(of_target(config, other, "globs_tie", "endpoint", sentence));
    }
    found
}

/// Every pair of globs of which one is within the other, unless the other is for everything.
pub(super) fn notes(config: &Config) -> Vec<String> {
    let is_all = |pattern: &TargetPattern| pattern.endpoint.as_str() == "*";
    pairs(config, |a, b| is_nested(a, b) && !is_all(a) && !is_all(b))
        .into_iter()
        .map(|(loser, winner)| {
            format!(
                "{} ({}) goes before {} ({}) for the names that both match",
                winner.pattern, winner.origin, loser.pattern, loser.origin
            )
        })
        .collect()
}

/// Pairs of globs, the one that gives way first.
fn pairs(
    config: &Config,
    wanted: impl Fn(&TargetPattern, &TargetPattern) -> bool,
) -> Vec<(&Target, &Target)> {
    let ordered = |(one, other): (&'_ Target, &'_ Target)| {
        one.pattern.specificity().cmp(&other.pattern.specificity())
    };
    each_with_each(config)
        .filter(|(one, other)| wanted(&one.pattern, &other.pattern))
        .filter_map(|(one, other)| match ordered((one, other)) {
            Ordering::Less => Some((one, other)),
            Ordering::Greater => Some((other, one)),
            Ordering::Equal => None,
        })
        .collect()
}

/// Pairs of globs of which none wins.
fn ties(config: &Config) -> Vec<(&Target, &Target)> {
    each_with_each(config)
        .filter(|(one, other)| one.pattern.specificity() == other.pattern.specificity())
        .filter(|(one, other)| one.pattern.overlaps(&other.pattern))
        .collect()
}

fn each_with_each(config: &Config) -> impl Iterator<Item = (&Target, &Target)> {
    let is_glob = |target: &&Target| {
        !target.pattern.endpoint.is_exact() || !target.pattern.variant.is_exact()
    };
    let globs: Vec<&Target> = config.targets.iter().filter(is_glob).take(MOST_GLOBS).collect();
    let pairs = globs.clone().into_iter().enumerate();
    pairs.flat_map(move |(i, one)| {
        let others: Vec<&Target> = globs[i + 1..].to_vec();
        others.into_iter().map(move |other| (one, other))
    })
}

/// Whether both can match one variant, and neither is the other's special case.
fn is_surprising(a: &TargetPattern, b: &TargetPattern) -> bool {
    a.overlaps(b) && !a.covers(b) && !b.covers(a)
}

/// Whether every variant that one matches is matched by the other.
fn is_nested(a: &TargetPattern, b: &TargetPattern) -> bool {
    a.covers(b) || b.covers(a)
}
