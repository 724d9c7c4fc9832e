//! The listings of one region, taken once for all of its variants.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::endpoint::EndpointSummary;
use crate::model::fact::Fact;
use crate::model::ids::{AccountId, EndpointName, ResourceId, Scope};
use crate::model::reads::Read;
use crate::model::scaling::{Alarm, ScalableTarget, ScalingPolicy, ScheduledAction};
use crate::model::time::Timestamp;
use crate::ports::{Aws, Clock};

/// All target-tracking alarms of SageMaker variants begin like this.
const ALARM_PREFIX: &str = "TargetTracking-endpoint/";

/// What one sweep of a region saw.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// When it began.
    pub at: Timestamp,
    /// Who the caller is.
    pub caller: Fact<AccountId>,
    /// All endpoints.
    pub endpoints: Fact<BTreeMap<EndpointName, EndpointSummary>>,
    /// All scalable targets.
    pub targets: Fact<BTreeMap<ResourceId, ScalableTarget>>,
    /// All scaling policies.
    pub policies: Fact<BTreeMap<ResourceId, Vec<ScalingPolicy>>>,
    /// All scheduled actions.
    pub scheduled_actions: Fact<BTreeMap<ResourceId, Vec<ScheduledAction>>>,
    /// All alarms of target-tracking policies.
    pub alarms: Fact<BTreeMap<ResourceId, Vec<Alarm>>>,
    /// When each of them answered.
    pub reads: SweepReads,
}

/// The reads of a sweep.
#[derive(Debug, Clone, Copy)]
pub struct SweepReads {
    /// Of the caller.
    pub caller: Read,
    /// Of the endpoints.
    pub endpoints: Read,
    /// Of the scalable targets.
    pub targets: Read,
    /// Of the scaling policies.
    pub policies: Read,
    /// Of the scheduled actions.
    pub scheduled_actions: Read,
    /// Of the alarms.
    pub alarms: Read,
}

impl Sweep {
    /// Reads the listings, side by side: each is a chain of pages of its own.
    pub async fn read(aws: &Aws, clock: &dyn Clock, at: Timestamp) -> Self {
        let (caller, endpoints, targets, policies, scheduled_actions, alarms) = tokio::join!(
            timed(clock, "GetCallerIdentity", aws.identity.caller_account()),
            timed(clock, "ListEndpoints", aws.endpoints.list_endpoints()),
            timed(clock, "DescribeScalableTargets", aws.scaling.scalable_targets(None)),
            timed(clock, "DescribeScalingPolicies", aws.scaling.scaling_policies(None)),
            timed(clock, "DescribeScheduledActions", aws.scaling.scheduled_actions(None)),
            timed(clock, "DescribeAlarms", aws.metrics.alarms(ALARM_PREFIX)),
        );
        let reads = SweepReads {
            caller: caller.1,
            endpoints: endpoints.1,
            targets: targets.1,
            policies: policies.1,
            scheduled_actions: scheduled_actions.1,
            alarms: alarms.1,
        };
        Self {
            at,
            caller: caller.0.into(),
            endpoints: Fact::from(endpoints.0)
                .map(|all| all.into_iter().map(|e| (e.name.clone(), e)).collect()),
            targets: Fact::from(targets.0)
                .map(|all| all.into_iter().map(|t| (t.resource.clone(), t)).collect()),
            policies: Fact::from(policies.0).map(|all| group(all, |p| p.resource.clone())),
            scheduled_actions: Fact::from(scheduled_actions.0)
                .map(|all| group(all, |a| a.resource.clone())),
            alarms: Fact::from(alarms.0).map(|all| {
                let mut groups: BTreeMap<ResourceId, Vec<Alarm>> = BTreeMap::new();
                for alarm in all {
                    if let Some(resource) = alarm_resource(&alarm.name) {
                        groups.entry(resource).or_default().push(alarm);
                    }
                }
                groups
            }),
            reads,
        }
    }

    /// Lets every reason why something is not known begin with the account and region: it is told
    /// beside others'.
    pub fn name_in_errors(&mut self, scope: &Scope) {
        let Self {
            at: _,
            reads: _,
            caller,
            endpoints,
            targets,
            policies,
            scheduled_actions,
            alarms,
        } = self;
        let reasons = [
            caller.why_mut(),
            endpoints.why_mut(),
            targets.why_mut(),
            policies.why_mut(),
            scheduled_actions.why_mut(),
            alarms.why_mut(),
        ];
        let Scope { account_id, region } = scope;
        for why in reasons.into_iter().flatten() {
            why.message = format!("account {account_id} in {region}: {}", why.message);
        }
    }

    /// The variants that Application Auto Scaling knows.
    #[must_use]
    pub fn registered(&self) -> BTreeSet<ResourceId> {
        self.targets.known().map(|t| t.keys().cloned().collect()).unwrap_or_default()
    }

    /// One variant's part of a listing; an absent group is an empty one.
    pub(crate) fn of<T: Clone>(
        listing: &Fact<BTreeMap<ResourceId, Vec<T>>>,
        resource: &ResourceId,
    ) -> Fact<Vec<T>> {
        listing.as_ref().map(|groups| groups.get(resource).cloned().unwrap_or_default())
    }
}

/// An answer, and when it came.
pub(super) async fn timed<T>(
    clock: &dyn Clock,
    operation: &'static str,
    answer: impl Future<Output = T>,
) -> (T, Read) {
    let answer = answer.await;
    (answer, Read::new(operation, clock.now()))
}

fn group<T>(all: Vec<T>, key: impl Fn(&T) -> ResourceId) -> BTreeMap<ResourceId, Vec<T>> {
    let mut groups: BTreeMap<ResourceId, Vec<T>> = BTreeMap::new();
    for item in all {
        groups.entry(key(&item)).or_default().push(item);
    }
    groups
}

/// `TargetTracking-endpoint/E/variant/V-AlarmHigh-UUID` -> `endpoint/E/variant/V`.
fn alarm_resource(name: &str) -> Option<ResourceId> {
    let rest = name.strip_prefix("TargetTracking-")?;
    let end = rest.find("-AlarmHigh-").or_else(|| rest.find("-AlarmLow-"))?;
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::alarm_resource;

    #[test]
    fn an_alarm_names_its_variant() {
        let name = "TargetTracking-endpoint/a-b/variant/All-Traffic-AlarmLow-0f3c";
        let resource = alarm_resource(name).expect("a resource");
        assert_eq!(resource.to_string(), "endpoint/a-b/variant/All-Traffic");
        assert_eq!(alarm_resource("TargetTracking-table/orders-AlarmHigh-1"), None);
    }
}
