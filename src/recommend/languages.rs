//! Recommendations in the languages in which teams keep scaling policies.

mod cdk;
mod manifests;
mod shell;
mod terraform;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::advice::{Basis, Recommendation, Whole};
use crate::model::floors::FloorAction;
use crate::model::ids::Scope;
use crate::model::units::human;
use crate::render::printable;

/// A language to write recommendations in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `aws_appautoscaling_target` and `aws_appautoscaling_policy`, in HCL.
    Terraform,
    /// Constructs of `aws-cdk-lib`, in TypeScript.
    Cdk,
    /// A template, in YAML.
    CloudFormation,
    /// Manifests of the AWS controllers for Kubernetes.
    Ack,
    /// Manifests of Upbound's AWS provider.
    Crossplane,
    /// Commands for a shell.
    AwsCli,
}

/// One recommendation that can be written down, with the names that it gets.
struct Item<'a> {
    it: &'a Recommendation,
    whole: Whole,
    /// The comment above it, a line each.
    comment: Vec<String>,
    /// Words of the endpoint's and the variant's names, and a number where two would be equal.
    words: Vec<String>,
}

/// Writes all of them. What cannot be written is a comment that says why.
pub fn write(all: &[Recommendation], language: Language) -> String {
    let mut names = BTreeSet::new();
    let mut scopes: BTreeMap<Scope, Vec<Item<'_>>> = BTreeMap::new();
    let mut lacking = Vec::new();
    for it in all {
        match (it.whole(), it.lacking()) {
            (Some(whole), _) => {
                let words = words(it, &mut names);
                let item = Item { it, whole, comment: comment(it, whole), words };
                scopes.entry(it.id.scope()).or_default().push(item);
            }
            (None, why) => lacking.push((it, why.unwrap_or_default())),
        }
    }
    let mut text = match language {
        Language::Terraform => terraform::write(&scopes),
        Language::Cdk => cdk::write(&scopes),
        Language::CloudFormation => manifests::cloudformation(&scopes),
        Language::Ack => manifests::ack(&scopes),
        Language::Crossplane => manifests::crossplane(&scopes),
        Language::AwsCli => shell::write(&scopes),
    };
    let sign = if language == Language::Cdk { "//" } else { "#" };
    for (it, why) in lacking {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{sign} {}: {}", it.id, printable(&why));
    }
    text
}

/// The names' words; none may be like another's, whatever the case.
fn words(it: &Recommendation, taken: &mut BTreeSet<Vec<String>>) -> Vec<String> {
    let both = format!("{}-{}", it.id.endpoint, it.id.variant);
    let words: Vec<String> = both.split('-').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    let mut own = words.clone();
    let mut next = 2;
    let plain = |own: &[String]| own.iter().map(|word| word.to_ascii_lowercase()).collect();
    while !taken.insert(plain(&own)) {
        own.clone_from(&words);
        own.push(next.to_string());
        next += 1;
    }
    own
}

fn comment(it: &Recommendation, whole: Whole) -> Vec<String> {
    let at = it.at.format("%FT%TZ");
    let value = human(whole.target_value);
    let because = printable(&it.because);
    let basis = match it.basis {
        Basis::Measured => "by measurement",
        Basis::LoadTest => "by the load test alone",
        Basis::None => "",
    };
    let mut lines = vec![
        format!("{}, by setpoint as of {at}", it.id),
        format!("target value {value} {basis}: {because}"),
    ];
    match it.in_force {
        Some(now) => lines.push(format!("in force: {}", human(now))),
        None => lines.push("no target value is known to be in force".to_owned()),
    }
    lines.extend(it.notes.iter().map(|note| printable(note).into_owned()));
    lines
}

/// For people: each variant with what is recommended, what is in force, and why.
pub fn text(all: &[Recommendation]) -> String {
    let mut out = String::new();
    for it in all {
        let number = |n: Option<f64>| n.map_or_else(|| "none".to_owned(), human);
        let bound = |n: Option<i32>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let _ = writeln!(out, "{}", it.id);
        let (value, now) = (number(it.target_value), number(it.in_force));
        let _ = writeln!(out, "  target value  {value} (in force: {now})");
        let (min, max) = (bound(it.min_capacity), bound(it.max_capacity));
        let _ = writeln!(out, "  instances     {min} to {max}");
        let (o, i) = (it.scale_out_cooldown_seconds, it.scale_in_cooldown_seconds);
        let off = if it.disable_scale_in { ", scale-in disabled" } else { "" };
        let _ = writeln!(out, "  cooldowns     out {o} s, in {i} s{off}");
        let because = match it.basis {
            Basis::LoadTest => format!("by the load test alone: {}", it.because),
            _ => it.lacking().unwrap_or_else(|| it.because.clone()),
        };
        let _ = writeln!(out, "  {}", printable(&because));
        for note in &it.notes {
            let _ = writeln!(out, "  {}", printable(note));
        }
        let floors = it.floors.as_ref();
        for (floors, action) in floors.iter().flat_map(|f| f.actions.iter().map(move |a| (f, a))) {
            let _ = writeln!(
                out,
                "  floor         {} ({}): min {}",
                action.schedule, floors.time_zone, action.min
            );
        }
    }
    out
}

/// The scheduled floors of a variant with the time zone of their schedules; none where there are none.
fn floors<'a>(item: &Item<'a>) -> impl Iterator<Item = (&'a str, &'a FloorAction)> {
    let floors = item.it.floors.as_ref();
    floors.into_iter().flat_map(|f| f.actions.iter().map(|action| (f.time_zone.as_str(), action)))
}

/// The comment with a sign before each line.
fn commented(item: &Item<'_>, sign: &str) -> String {
    item.comment.iter().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{sign} {line}");
        all
    })
}

/// A text in double quotes, with JSON's escapes: TypeScript has the same, and HCL those that names
/// can need.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
