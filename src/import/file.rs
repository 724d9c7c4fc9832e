//! The file: what it is, where AWS is, the defaults, and the targets with their comments.

use std::fmt::Write as _;

use super::{Made, Options, Row, scalar, scopes};
use crate::model::ids::Scope;
use crate::model::status::FleetStatus;

/// A text without comments, to be tried.
pub(super) fn to_try<'a>(rows: impl Iterator<Item = &'a Row<'a>>, options: &Options) -> String {
    let mut out = format!("defaults: {}\ntargets:\n", defaults(options));
    for row in rows {
        if let Made::Listed(entry) = &row.made {
            for line in entry.lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
    out
}

fn defaults(options: &Options) -> String {
    let factor = scalar::number(options.safety_factor.get(), |f| f == options.safety_factor.get());
    format!("{{mode: observe, safety_factor: {factor}, disable_scale_in: false}}")
}

pub(super) fn text(fleet: &FleetStatus, rows: &[Row<'_>], options: &Options) -> String {
    let mut out = String::new();
    let scopes = scopes(fleet);
    head(&mut out, &scopes, options);
    for (scope, why) in fleet.unreadable() {
        let why = scalar::comment(&why.message);
        let _ = writeln!(out, "# INCOMPLETE: {scope} could not be read, or not all of it: {why}");
    }
    if !options.targets_only {
        aws(&mut out, &scopes, options);
        let _ = write!(out, "\n{DEFAULTS}");
        let factor =
            scalar::number(options.safety_factor.get(), |f| f == options.safety_factor.get());
        let _ = writeln!(out, "  safety_factor: {factor}");
    }
    let _ = writeln!(out, "\ntargets:");
    let mut any = false;
    for row in rows {
        if matches!(row.made, Made::Listed(_)) {
            any = true;
        }
        self::row(&mut out, row, options);
    }
    if !any {
        // A key with nothing below it would be an error.
        out = out.replacen("\ntargets:\n", "\ntargets: []\n", 1);
    }
    out
}

fn head(out: &mut String, scopes: &[&Scope], options: &Options) {
    let of: Vec<String> = scopes.iter().map(ToString::to_string).collect();
    let at = options.at.format("%FT%TZ");
    let _ = writeln!(out, "# Made by setpoint import on {at} from {}.", of.join(", "));
    if !options.tags.is_empty() {
        let tags: Vec<String> = options.tags.iter().map(ToString::to_string).collect();
        let tags = scalar::comment(&tags.join(" and "));
        let _ = writeln!(
            out,
            "# Only endpoints that had the tag {tags} then: tags are not read again."
        );
    }
    out.push_str(HEAD);
    if options.targets_only {
        out.push_str(BESIDE);
    }
}

fn aws(out: &mut String, scopes: &[&Scope], options: &Options) {
    out.push('\n');
    if let [scope] = scopes {
        let _ = writeln!(out, "aws:\n  region: {}", scalar::text(scope.region.as_str()));
        out.push_str("  # The account that may be written to, once a mode other than observe is configured.\n");
        let _ = writeln!(out, "  account_id: {}", scalar::quoted(scope.account_id.as_str()));
        for (key, value) in &options.aws {
            let _ = writeln!(out, "  {key}: {}", scalar::text(value));
        }
    }
}

fn row(out: &mut String, row: &Row<'_>, options: &Options) {
    out.push('\n');
    match &row.made {
        Made::Listed(entry) => {
            let _ = writeln!(out, "  # {}", entry.headline());
            for comment in row.comments() {
                let _ = writeln!(out, "  # LOOKS WRONG: {}", scalar::comment(&comment));
            }
            for note in &entry.notes {
                let _ = writeln!(out, "  # {}", scalar::comment(note));
            }
            for line in with_own_factor(entry.lines(), options) {
                let _ = writeln!(out, "  {line}");
            }
        }
        Made::LeftOut { because, entry } => {
            let id = &row.status.snapshot.id;
            let name = if row.several { id.to_string() } else { id.short() };
            let because = scalar::comment(because);
            let _ = writeln!(out, "  # LEFT OUT {name}: {because}.");
            let Some(entry) = entry else { return };
            for line in with_own_factor(entry.lines(), options) {
                let _ = writeln!(out, "  # {line}");
            }
        }
    }
}

/// Beside other files the defaults are theirs, so that each target must say what it rests on.
fn with_own_factor(mut lines: Vec<String>, options: &Options) -> Vec<String> {
    if options.targets_only {
        let factor =
            scalar::number(options.safety_factor.get(), |f| f == options.safety_factor.get());
        lines.push(format!("  safety_factor: {factor}"));
        lines.push("  mode: observe".to_owned());
        if !lines.iter().any(|line| line.starts_with("  disable_scale_in:")) {
            lines.push("  disable_scale_in: false".to_owned());
        }
    }
    lines
}

const HEAD: &str = "\
# It restates what is in AWS, right or wrong, so that setpoint plan shows no difference with it.
# From then on setpoint reports whatever changes.
#
# load_test.max_rps is not a measurement here. It is what the target value in force claims that one
# instance serves: target value / safety_factor / 60. Put the measured rate in its place, with its
# date (setpoint calibrate reads the files of load tools); the plan then shows what that changes.
#
# Nothing is written in mode observe. Next: setpoint config check, then setpoint plan.
";

const BESIDE: &str = "\
#
# It has targets only: give it in addition to the other files, --config OTHER --config THIS.
";

const DEFAULTS: &str = "\
defaults:
  # observe: say, never write. repair: restore what is configured here. auto: follow the capacity.
  mode: observe
  # What counts as serving well. Without it capacity is not measured.
  # objective: {latency: {statistic: p99, threshold_ms: 250}}
  disable_scale_in: false
  # The share of an instance's capacity to aim at.
";
