//! Everything one pass knows about one variant, read before anything is decided.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::compact::Packed;

use super::endpoint::{Endpoint, EndpointConfig, Model};
use super::fact::{Fact, Why};
use super::factor::FactorAdvice;
use super::floors::Floors;
use super::history::HourLoad;
use super::ids::{AccountId, VariantId};
use super::kept_floors::KeptFloors;
use super::memory::VariantMemory;
use super::minutes::Minutes;
use super::per_instance::Instances;
use super::reads::{FactRead, Reads};
use super::scale_out::Reaction;
use super::scaling::{
    Activity, Alarm, ScalableTarget, ScalingPolicy, ScheduledAction, TargetTracking,
};
use super::series::Minute;
use super::shared::Shared;
use super::time::Timestamp;
use super::usage::Usage;

/// The world as one pass saw it. `Known(None)` is absent; `Unknown` is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: VariantId,
    /// When it was put together.
    pub taken_at: Timestamp,
    /// Who the caller is, by `GetCallerIdentity`.
    pub caller: Fact<AccountId>,
    pub endpoint: Shared<Fact<Option<Endpoint>>>,
    pub endpoint_config: Shared<Fact<Option<EndpointConfig>>>,
    /// The model of the variant, for its number of containers.
    pub model: Shared<Fact<Option<Model>>>,
    pub target: Shared<Fact<Option<ScalableTarget>>>,
    /// All scaling policies of the variant.
    pub policies: Shared<Fact<Vec<ScalingPolicy>>>,
    /// All scheduled actions of the variant.
    pub scheduled_actions: Shared<Fact<Vec<ScheduledAction>>>,
    /// The newest scaling activities, newest first (rule 24: not read on every pass).
    pub activities: Fact<Shared<Vec<Activity>>>,
    /// The alarms of the variant's policies.
    pub alarms: Shared<Fact<Vec<Alarm>>>,
    /// What CloudWatch has said of late.
    pub telemetry: Fact<Telemetry>,
    /// What is remembered; unknown when the memory could not be read.
    pub memory: Fact<Shared<VariantMemory>>,
    /// How the variant reacts to load, by the scale-outs seen so far.
    #[serde(skip, default = "unseen")]
    pub reaction: Shared<Reaction>,
    /// The safety factor that a replay of its last weeks allows.
    #[serde(skip)]
    pub factor: Shared<FactorAdvice>,
    /// The scheduled floors that would pay.
    #[serde(skip)]
    pub floors: Shared<Floors>,
    /// What its instances showed one by one; absent where they are not looked at.
    #[serde(skip)]
    pub instances: Option<Arc<Fact<Instances>>>,
    /// From which reads all of it is.
    pub reads: Reads,
}

/// The reaction of a snapshot that was written down without one.
fn unseen() -> Shared<Reaction> {
    Reaction::unseen(None).into()
}

impl Snapshot {
    /// Keeps what is the same as in an earlier one once.
    pub fn share(&mut self, before: &Self) {
        let Self {
            id,
            taken_at: _,
            caller,
            endpoint,
            endpoint_config,
            model,
            target,
            policies,
            scheduled_actions,
            activities: _,
            alarms,
            telemetry: _,
            memory: _,
            reaction,
            factor,
            floors,
            instances: _,
            reads: _,
        } = self;
        if *id == before.id {
            before.id.clone_into(id);
        }
        if *caller == before.caller {
            before.caller.clone_into(caller);
        }
        endpoint.share(&before.endpoint);
        endpoint_config.share(&before.endpoint_config);
        model.share(&before.model);
        target.share(&before.target);
        policies.share(&before.policies);
        scheduled_actions.share(&before.scheduled_actions);
        alarms.share(&before.alarms);
        reaction.share(&before.reaction);
        factor.share(&before.factor);
        floors.share(&before.floors);
    }

    /// What is remembered of it, where that could be read.
    pub fn remembered(&self) -> Option<&VariantMemory> {
        self.memory.known().map(|memory| &**memory)
    }

    /// The policy that tracks invocations per instance, if it is known that there is one.
    pub fn policy(&self) -> Option<&ScalingPolicy> {
        ScalingPolicy::of_invocations(self.policies.known()?)
    }

    /// What that policy is configured to do.
    pub fn tracking(&self) -> Option<&TargetTracking> {
        self.policy().and_then(ScalingPolicy::invocations_tracking)
    }

    /// The floors that setpoint keeps in AWS; absent when that could not be read.
    pub fn kept_floors(&self) -> Option<KeptFloors<'_>> {
        let actions = self.scheduled_actions.known()?;
        Some(KeptFloors::of(actions, self.taken_at))
    }

    /// Each fact by its name, in the order they are read.
    pub fn facts(&self) -> [FactRead<'_>; 11] {
        fn why<T>(fact: &Fact<T>) -> Option<&Why> {
            fact.why()
        }
        let reads = &self.reads;
        [
            ("caller", reads.caller, why(&self.caller)),
            ("endpoint", reads.endpoint, why(&self.endpoint)),
            ("endpoint_config", reads.endpoint_config, why(&self.endpoint_config)),
            ("model", reads.model, why(&self.model)),
            ("scalable_target", reads.scalable_target, why(&self.target)),
            ("policies", reads.policies, why(&self.policies)),
            ("scheduled_actions", reads.scheduled_actions, why(&self.scheduled_actions)),
            ("activities", reads.activities, why(&self.activities)),
            ("alarms", reads.alarms, why(&self.alarms)),
            ("telemetry", reads.telemetry, why(&self.telemetry)),
            ("memory", reads.memory, why(&self.memory)),
        ]
        .map(|(fact, read, why)| FactRead { fact, read, why })
    }
}

/// The recent telemetry of a variant, as far as deciding needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// When CloudWatch was asked.
    pub read_at: Timestamp,
    /// The end of the newest minute with any datapoint.
    pub newest_datapoint: Option<Timestamp>,
    /// The last minutes, oldest first, at most three hours.
    pub recent: Minutes,
    /// The hours that the last read covered, until they are [kept](crate::variant::Variant::hours_are_kept): after a
    /// start they go back as far as was read.
    #[serde(skip)]
    pub hours: Packed<Vec<HourLoad>>,
    /// The highest number of all invocations in a minute of the last 24 hours.
    pub peak_invocations: Option<f64>,
    /// The highest load since the telemetry read before this one.
    pub max_load_since_last_read: Option<f64>,
    /// What it used in the last week, up to some time within the last minutes: see [`Self::used`].
    #[serde(skip)]
    pub usage: Packed<Usage>,
}

impl Telemetry {
    /// What it used in the last week, the newest minutes included; nothing where that cannot be had back from a shelf.
    pub fn used(&self) -> Option<Usage> {
        let mut usage = self.usage.try_get()?;
        usage.catch_up(&self.recent.try_to_vec()?);
        Some(usage)
    }

    /// The newest minute with a load.
    pub fn newest(&self) -> Option<Minute> {
        self.recent.rfind(|minute| minute.invocations_per_instance.is_some())
    }
}
