//! `setpoint plan` of a running daemon: what its last pass decided, which costs nothing and knows what the
//! daemon remembers.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::exit::Exit;
use crate::model::time::Timestamp;
use crate::render::{Standing, printable};

#[derive(Debug, Deserialize)]
pub(in crate::cli) struct PlanAnswer {
    at: Option<Timestamp>,
    text: String,
    /// The plan for programs.
    pub(in crate::cli) plan: Value,
}

/// What is used of a variant of the plan.
#[derive(Debug, Deserialize)]
struct Planned {
    managed: bool,
    standing: String,
    comparable: bool,
    safety: Judged,
}

#[derive(Debug, Deserialize)]
struct Judged {
    #[serde(rename = "unsafe")]
    is_unsafe: bool,
}

impl PlanAnswer {
    /// Where it comes from, and when that was.
    pub(in crate::cli) fn source(&self, url: &str) -> String {
        let pass = self.at.map_or_else(
            || "no pass yet".to_owned(),
            |at| format!("pass of {}", at.format("%H:%M:%S UTC")),
        );
        format!("From the daemon at {url}, {pass}: nothing was read from AWS.")
    }

    /// The diff. Whatever answers, it may not steer the terminal.
    pub(in crate::cli) fn text(&self) -> String {
        self.text.lines().flat_map(|line| [printable(line), "\n".into()]).collect()
    }

    /// Whether the daemon warns of its configuration.
    pub(in crate::cli) fn has_warnings(&self) -> bool {
        self.plan["config"]["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty())
    }

    /// The exit code of a plan: with `detailed` what was found, else only whether all could be read.
    pub(in crate::cli) fn exit(&self, detailed: bool) -> Exit {
        let unread = self.plan["unread"].as_array().is_some_and(|all| !all.is_empty());
        let memory_unread = !self.plan["memory"]["unread"].is_null();
        let reads = if unread || memory_unread { Exit::NotCompared } else { Exit::Done };
        if !detailed {
            return reads;
        }
        // Of another version: what is not understood is not compared.
        let variants = Vec::<Planned>::deserialize(&self.plan["variants"]);
        let Ok(variants) = variants else { return Exit::NotCompared };
        let managed = variants.iter().filter(|planned| planned.managed);
        Exit::worst(managed.map(Planned::exit).chain([reads]))
    }
}

impl Planned {
    fn exit(&self) -> Exit {
        let known = Standing::ALL.into_iter().find(|s| s.as_str() == self.standing);
        let standing = known.unwrap_or(Standing::Unknown);
        let compared =
            self.comparable && !matches!(standing, Standing::NotCompared | Standing::Unknown);
        let differs = !matches!(standing, Standing::InSync | Standing::Unmanaged);
        Exit::of_listed(compared, differs, self.safety.is_unsafe)
    }
}
