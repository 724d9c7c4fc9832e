//! All checks, for people and for programs.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::{Check, Health};
use crate::render::printable;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// How many came out like that.
    pub fn count(&self, health: Health) -> usize {
        self.checks.iter().filter(|check| check.health == health).count()
    }

    /// A line for each check with what to do below it, with colour codes.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let width = self.checks.iter().map(|check| check.check.len()).max().unwrap_or_default();
        for check in &self.checks {
            let style = style(check.health);
            let word = check.health.as_str();
            let found = printable(&check.found);
            let _ = writeln!(out, "{style}{word:<4}{style:#}  {:<width$}  {found}", check.check);
            if let Some(advice) = &check.advice {
                let _ = writeln!(out, "      {:<width$}  -> {}", "", printable(advice));
            }
        }
        let _ = writeln!(
            out,
            "Doctor: {} ok, {} to look at, {} failed.",
            self.count(Health::Ok),
            self.count(Health::Warn),
            self.count(Health::Fail)
        );
        out
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({
            "checks": self.checks,
            "ok": self.count(Health::Ok),
            "warn": self.count(Health::Warn),
            "fail": self.count(Health::Fail),
        })
    }
}

const fn style(health: Health) -> Style {
    match health {
        Health::Fail => AnsiColor::Red.on_default().bold(),
        Health::Warn => AnsiColor::Yellow.on_default().bold(),
        Health::Ok => AnsiColor::Green.on_default(),
        Health::Note => Style::new().dimmed(),
    }
}
