//! The facts that the guards ask for, derived once from a snapshot.

use chrono::TimeDelta;

use crate::model::endpoint::{Endpoint, EndpointStatus, VariantKind, VariantSummary};
use crate::model::estimate::Estimate;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::goal::{Goal, Mode};
use crate::model::memory::VariantMemory;
use crate::model::scaling::{ScalableTarget, ScalingPolicy, TargetTracking};
use crate::model::shared::Shared;
use crate::model::snapshot::{Snapshot, Telemetry};
use crate::model::time::Timestamp;

use super::Rules;
use super::{kind, new_regime};

/// By how much a datapoint may be newer than this machine's clock says it is now: AWS refuses signatures from five
/// minutes on, and the SDK corrects those by AWS's own clock.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// One variant at one instant, with everything the guards need to know.
#[derive(Debug)]
pub struct Case<'a> {
    pub snapshot: &'a Snapshot,
    pub goal: &'a Goal,
    pub estimate: &'a Estimate,
    pub rules: &'a Rules,
    pub now: Timestamp,
    /// The kind of variant, or why it is not known.
    pub kind: Result<VariantKind, Why>,
    /// What is remembered. A memory that could not be read is one that began just now.
    pub memory: Shared<VariantMemory>,
    /// The newest usable telemetry, or why there is none.
    pub telemetry: Result<&'a Telemetry, Why>,
}

/// Whether the endpoint lets anything be written (rule 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointReadiness {
    /// In service and settled.
    Ready,
    /// Instances are coming or going: raises, min and max wait.
    Scaling(String),
    /// Nothing may be written.
    NotReady(String),
}

impl<'a> Case<'a> {
    /// Derives the facts.
    pub fn new(
        snapshot: &'a Snapshot,
        goal: &'a Goal,
        estimate: &'a Estimate,
        rules: &'a Rules,
        now: Timestamp,
    ) -> Self {
        let memory = match &snapshot.memory {
            Fact::Known(memory) => memory.clone(),
            Fact::Unknown(_) => {
                VariantMemory { since: Some(now), ..VariantMemory::default() }.into()
            }
        };
        let telemetry = match snapshot.telemetry.as_ref() {
            Fact::Known(telemetry) => Ok(telemetry),
            Fact::Unknown(why) => Err(why),
        };
        Self { snapshot, goal, estimate, rules, now, kind: kind::kind(snapshot), memory, telemetry }
    }

    /// The endpoint, if it is known to exist.
    pub fn endpoint(&self) -> Option<&'a Endpoint> {
        self.snapshot.endpoint.known().and_then(Option::as_ref)
    }

    /// The variant as `DescribeEndpoint` shows it.
    pub fn variant(&self) -> Option<&'a VariantSummary> {
        self.endpoint().and_then(|e| e.variant(&self.snapshot.id.variant))
    }

    /// Whether the endpoint, or the variant of it, is known not to exist.
    pub fn is_gone(&self) -> bool {
        match &*self.snapshot.endpoint {
            Fact::Known(None) => true,
            // While it is being made, AWS does not list its variants yet.
            Fact::Known(Some(e)) if e.is_in_the_making() => false,
            Fact::Known(Some(e)) => e.variant(&self.snapshot.id.variant).is_none(),
            Fact::Unknown(_) => false,
        }
    }

    /// Whether it is a shadow variant (rule 7).
    pub fn is_shadow(&self) -> bool {
        self.endpoint().is_some_and(|e| e.shadow_variants.contains(&self.snapshot.id.variant))
    }

    /// The scalable target, if it is known to exist.
    pub fn target(&self) -> Option<&'a ScalableTarget> {
        self.snapshot.target.known().and_then(Option::as_ref)
    }

    /// The policy that tracks invocations per instance, found by its metric, not by its name.
    pub fn policy(&self) -> Option<&'a ScalingPolicy> {
        self.snapshot.policy()
    }

    /// The policy that tracked invocations per instance when it was last seen, by its name, and
    /// tracks another metric now. None while any policy tracks invocations per instance.
    pub fn replaced_policy(&self) -> Option<&'a ScalingPolicy> {
        let name = self.memory.policy_name.as_deref().filter(|_| self.policy().is_none())?;
        let policies = self.snapshot.policies.known()?;
        policies.iter().find(|p| p.name == name && p.tracking().is_some())
    }

    /// The configuration of [`Self::policy`].
    pub fn tracking(&self) -> Option<&'a TargetTracking> {
        self.snapshot.tracking()
    }

    /// The configured target: the value in force.
    pub fn configured_target(&self) -> Option<f64> {
        self.tracking().map(|t| t.target_value)
    }

    /// All other policies of the variant (rule 14).
    pub fn competing(&self) -> Vec<&'a ScalingPolicy> {
        let own = self.policy().or_else(|| self.replaced_policy()).map(|p| p.name.as_str());
        let policies = self.snapshot.policies.known().map_or(&[][..], Vec::as_slice);
        policies.iter().filter(|p| Some(p.name.as_str()) != own).collect()
    }

    pub fn current_instances(&self) -> Option<u32> {
        self.variant().and_then(|v| v.current_instances)
    }

    /// Instances wanted by AWS.
    pub fn desired_instances(&self) -> Option<u32> {
        self.variant().and_then(|v| v.desired_instances)
    }

    /// All invocations of the newest minute.
    pub fn present_invocations(&self) -> Option<f64> {
        self.telemetry.as_ref().ok()?.newest()?.invocations
    }

    /// Whether the telemetry is fresh enough to raise on (rule 8).
    pub fn fresh_telemetry(&self) -> Result<(), String> {
        let telemetry = self
            .telemetry
            .as_ref()
            .map_err(|why| format!("the telemetry is not known: {}", why.message))?;
        let newest = telemetry.newest_datapoint.ok_or("CloudWatch has no datapoint")?;
        let age = self.now - newest;
        if age < -CLOCK_SKEW {
            let ahead = (-age).num_minutes();
            return Err(format!(
                "the newest datapoint is {ahead} minutes in the future: the clock of this machine is wrong"
            ));
        }
        if age > self.rules.telemetry_max_age {
            let (age, most) = (age.num_minutes(), self.rules.telemetry_max_age.num_minutes());
            return Err(format!("the newest datapoint is {age} minutes old, more than {most}"));
        }
        Ok(())
    }

    /// Whether the desired value follows the capacity estimate.
    pub fn follows_estimate(&self) -> bool {
        self.goal.mode == Mode::Auto
    }

    /// When the first hour of the regime ends, while it lasts (rule 11a).
    pub fn new_regime_until(&self) -> Option<Timestamp> {
        let (regime, known) = (self.estimate.regime.as_ref(), self.memory.known_regime.as_ref());
        new_regime::ends_at(regime, known, self.now)
    }

    /// Why the scaling activities, which are read before each write and not in each pass, could not be read.
    pub fn activities_unread(&self) -> Option<&Why> {
        let why = self.snapshot.activities.why()?;
        (!matches!(why.kind, WhyKind::NotAsked | WhyKind::NotReadYet)).then_some(why)
    }

    /// What rule 11 says of the endpoint.
    pub fn readiness(&self) -> Result<EndpointReadiness, Why> {
        let endpoint = match self.snapshot.endpoint.as_ref() {
            Fact::Unknown(why) => return Err(why),
            Fact::Known(None) => {
                return Ok(EndpointReadiness::NotReady("the endpoint does not exist".to_owned()));
            }
            Fact::Known(Some(endpoint)) => endpoint,
        };
        if let Some(why) = endpoint.unsettled() {
            return Ok(EndpointReadiness::NotReady(why));
        }
        Ok(self.pending(endpoint).map_or(EndpointReadiness::Ready, EndpointReadiness::Scaling))
    }

    /// Why instances may still move on an endpoint that is not being deployed to.
    fn pending(&self, endpoint: &Endpoint) -> Option<String> {
        if let (Some(current), Some(desired)) = (self.current_instances(), self.desired_instances())
            && current != desired
        {
            return Some(format!("{current} of {desired} instances are in service"));
        }
        if endpoint.status == EndpointStatus::Updating {
            return Some("the endpoint is Updating by its auto scaler".to_owned());
        }
        let activities = self.snapshot.activities.known()?;
        let running = activities.iter().find(|a| a.status.in_progress())?;
        Some(format!("a scaling activity is in progress ({})", running.description))
    }
}
