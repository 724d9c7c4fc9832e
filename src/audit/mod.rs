//! What is wrong in an account that nobody has configured, from what free calls tell: one list for
//! all variants, the worst first, each with what to do about it.

mod activities;
mod guess;
mod numbers;
mod scaling;
mod text;
mod view;

use chrono::TimeDelta;
use serde::Serialize;

use crate::decide::consent::Confirmed;
use crate::decide::kind::kind;
use crate::decide::{Rules, decide};
use crate::model::decision::Decision;
use crate::model::endpoint::{Endpoint, VariantKind, VariantSummary};
use crate::model::estimate::Estimate;
use crate::model::fact::Why;
use crate::model::goal::Goal;
use crate::model::ids::VariantId;
use crate::model::scaling::{ScalableTarget, ScalingPolicy, TargetTracking};
use crate::model::snapshot::Snapshot;
use crate::model::status::{FleetStatus, VariantStatus};

pub use crate::model::reason::Severity;
pub use activities::with_activities;
pub use guess::{GUESSED_CODES, Guess, Judged, STATISTIC, has_capacity};
pub use text::text;
pub use view::json;

/// Something that is wrong with one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is, in a word of a closed set ([`CODES`], [`GUESSED_CODES`]).
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, with the numbers that show it.
    pub sentence: String,
    /// What to do about it.
    pub advice: String,
}

/// The words of all findings, in the order in which equally bad ones are listed.
pub const CODES: [&str; 21] = [
    "no_scaling",
    "no_policy",
    "endpoint_failed",
    "scaling_suspended",
    "alarms",
    "metric_without_meaning",
    "scaling_failed",
    "target_like_per_second",
    "at_max",
    "target_like_per_hour",
    "not_scaled",
    "fixed_capacity",
    "competing_policies",
    "left_behind",
    "slow_start",
    "scale_in_disabled",
    "other_metric",
    "single_instance",
    "default_cooldowns",
    "uneven_routing",
    "cannot_scale",
];

/// Everything that is wrong with a variant, the worst first. What could not be read is wrong with
/// nobody: [`unread`] has it.
pub fn findings(status: &VariantStatus) -> Vec<Finding> {
    let Some(look) = Look::at(&status.snapshot) else { return Vec::new() };
    let mut found = Vec::new();
    if look.is_left_behind() {
        scaling::left_behind(&look, &mut found);
    } else if look.variant.is_some() {
        scaling::endpoint(&look, &mut found);
        scaling::bounds(&look, &mut found);
        scaling::policies(&look, &mut found);
        scaling::alarms(&look, &mut found);
        numbers::target_value(&look, &mut found);
        numbers::cooldowns(&look, &mut found);
        activities::say(&look, &status.decision.report.notes, &mut found);
    }
    found.sort_by_key(|finding| (finding.severity, position(finding.code)));
    found
}

fn position(code: &str) -> usize {
    let all = CODES.iter().chain(&GUESSED_CODES);
    all.clone().position(|known| *known == code).unwrap_or(all.count())
}

/// What could not be read of a variant without which it cannot be judged.
pub fn unread(status: &VariantStatus) -> Option<&Why> {
    let snapshot = &status.snapshot;
    let facts = [
        snapshot.endpoint.why(),
        snapshot.endpoint_config.why(),
        snapshot.target.why(),
        snapshot.policies.why(),
        snapshot.alarms.why(),
    ];
    facts.into_iter().flatten().next()
}

/// The findings of a whole fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// Each finding with its variant, the worst first.
    pub findings: Vec<(VariantId, Finding)>,
    /// The variants that could not be judged, with why.
    pub unread: Vec<(VariantId, Why)>,
    /// How many variants there are.
    pub variants: usize,
    pub endpoints: usize,
    /// Of how many variants the scaling activities were read.
    pub activities_of: usize,
    /// What capacity says by guessed objectives; absent when telemetry was not read.
    pub guessed: Option<Vec<Judged>>,
}

impl Audit {
    /// Judges every variant of a fleet.
    pub fn of(fleet: &FleetStatus) -> Self {
        let mut findings = Vec::new();
        let mut unread = Vec::new();
        for (id, status) in &fleet.variants {
            findings.extend(self::findings(status).into_iter().map(|one| (id.clone(), one)));
            unread.extend(self::unread(status).map(|why| (id.clone(), why.clone())));
        }
        // Stable: variants stay in the order of their names.
        findings.sort_by_key(|(_, finding)| (finding.severity, position(finding.code)));
        let statuses = || fleet.variants.values().map(|status| &status.snapshot);
        let endpoints: std::collections::BTreeSet<_> =
            fleet.variants.keys().map(|id| (id.scope(), &id.endpoint)).collect();
        Self {
            findings,
            unread,
            variants: fleet.variants.len(),
            endpoints: endpoints.len(),
            activities_of: statuses().filter(|s| s.activities.known().is_some()).count(),
            guessed: None,
        }
    }

    /// With what capacity says by guessed objectives, ranked among the rest.
    #[must_use]
    pub fn with_guessed(mut self, judged: Vec<Judged>) -> Self {
        let found = judged.iter().filter_map(|one| Some((one.id.clone(), one.finding()?)));
        self.findings.extend(found);
        self.findings.sort_by_key(|(_, finding)| (finding.severity, position(finding.code)));
        self.guessed = Some(judged);
        self
    }

    /// How many findings are that bad.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|(_, finding)| finding.severity == severity).count()
    }
}

/// What is known of one variant.
struct Look<'a> {
    snapshot: &'a Snapshot,
    /// Absent when there is none.
    endpoint: Option<&'a Endpoint>,
    variant: Option<&'a VariantSummary>,
    /// Absent when it is not known.
    kind: Option<VariantKind>,
    target: Option<&'a ScalableTarget>,
    /// Absent when they are not known.
    policies: Option<&'a [ScalingPolicy]>,
}

impl<'a> Look<'a> {
    /// None when so little is known that nothing can be said.
    fn at(snapshot: &'a Snapshot) -> Option<Self> {
        let endpoint = snapshot.endpoint.known()?.as_ref();
        let target = snapshot.target.known()?.as_ref();
        Some(Self {
            snapshot,
            endpoint,
            variant: endpoint.and_then(|endpoint| endpoint.variant(&snapshot.id.variant)),
            kind: kind(snapshot).ok(),
            target,
            policies: snapshot.policies.known().map(Vec::as_slice),
        })
    }

    /// Whether there is a scalable target of something that does not exist.
    fn is_left_behind(&self) -> bool {
        let gone = match self.endpoint {
            None => true,
            Some(endpoint) => {
                self.variant.is_none() && !self.is_shadow() && !endpoint.is_in_the_making()
            }
        };
        gone && (self.target.is_some() || self.policies.is_some_and(|all| !all.is_empty()))
    }

    fn is_shadow(&self) -> bool {
        let name = &self.snapshot.id.variant;
        self.endpoint.is_some_and(|endpoint| endpoint.shadow_variants.contains(name))
    }

    fn is_standard(&self) -> bool {
        self.kind == Some(VariantKind::Standard)
    }

    /// The policy that tracks invocations per instance.
    fn policy(&self) -> Option<&'a ScalingPolicy> {
        self.snapshot.policy()
    }

    fn tracking(&self) -> Option<&'a TargetTracking> {
        self.snapshot.tracking()
    }

    fn instances(&self) -> Option<u32> {
        self.variant.and_then(|variant| variant.current_instances)
    }

    fn instance_type(&self) -> Option<&'a str> {
        let config = self.snapshot.endpoint_config.known()?.as_ref()?;
        config.variant(&self.snapshot.id.variant)?.instance_type.as_deref()
    }

    /// Whether all instances that max allows run or are on their way, and max leaves room to scale.
    fn is_at_max(&self) -> bool {
        let running = self.variant.and_then(|v| v.desired_instances.max(v.current_instances));
        self.target.zip(running).is_some_and(|(target, running)| {
            target.max_capacity > target.min_capacity
                && i64::from(running) >= i64::from(target.max_capacity)
        })
    }
}

/// What the rules of every pass make of a variant that nothing may be written of.
pub fn decided(snapshot: &Snapshot, goal: &Goal, estimate: &Estimate) -> Decision {
    let rules = Rules {
        since: None,
        may_probe: false,
        account_id: Some(snapshot.id.account_id.clone()),
        enabled: true,
        freeze: None,
        telemetry_max_age: TimeDelta::hours(1),
        writes_per_hour: 1,
        writes_per_day: 1,
        confirmed: Confirmed::Nothing,
    };
    decide(snapshot, goal, estimate, &rules, snapshot.taken_at)
}

/// `1 instance`, `4 instances`.
fn instances(count: impl Into<i64>) -> String {
    let count = count.into();
    format!("{count} {}", if count == 1 { "instance" } else { "instances" })
}
