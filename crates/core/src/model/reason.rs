//! The closed sets that label decisions: reasons with their classes, fields and actions. A word
//! once shipped is not changed.

mod class;

use ActionKind::{Hold, None as Nothing, Repair, SetTarget};
use Severity::{High, Low, Medium};
pub use class::{Class, Reported, Severity};
use class::{HOLD, NOTE, QUIET, WRITES, usual};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All members, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word used in labels, JSON, logs and Events.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use words;

/// The reasons with their classes: a new reason is one line here, and every reader asks its class.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal: $class:expr;)+) => {
        words! {
            /// Why a decision is what it is. The numbers are the rules of `docs/safety.md`.
            Reason { $($(#[$doc])* $name = $word,)+ }
        }

        impl Reason {
            /// What readers of decisions make of it.
            pub const fn class(self) -> Class {
                match self { $(Self::$name => $class,)+ }
            }
        }
    };
}

reasons! {
    /// What AWS has is what is desired.
    InSync = "in_sync": QUIET;
    /// A difference is being repaired.
    Drift = "drift": usual(WRITES);
    /// The safe target moved, and the target value follows it (`auto`).
    SafeTarget = "safe_target": usual(&[SetTarget]);

    /// Rule 1: the mode is `observe`.
    Observe = "observe": HOLD.expected().ends("mode repair or auto would let it be written");
    /// Rule 2: `account_id` is absent or not the caller's.
    WrongAccount = "wrong_account": HOLD
        .ends("the right aws.account_id, or credentials of that account");
    /// Rule 4: a policy that `setpoint` has never written, and no `adopt: true`.
    Adoption = "adoption": HOLD.ends("adopt: true, or one confirmed setpoint apply");
    /// Rule 4: it is not what a person was shown and has confirmed.
    NotAsShown = "not_as_shown": HOLD
        .ends("setpoint confirm PLAN_ID of what is shown now (setpoint plan shows it)");
    /// Rule 5: there is no value to give a missing policy.
    NoValue = "no_value": HOLD.ends("a load test in the configuration, or mode auto");
    /// Rule 5: nothing says what the target value should be, so it is left alone.
    NotCompared = "not_compared": QUIET.ends("a load test in the configuration, or mode auto");
    /// Rule 7: the configuration does not list the variant.
    Unlisted = "unlisted": usual(&[Nothing, Hold])
        .ends("a target of the configuration that lists the variant");
    /// Rule 7: a shadow variant.
    Shadow = "shadow": HOLD.without_variant();

    /// Rule 8: within the dead band.
    DeadBand = "dead_band": HOLD.expected();
    /// Rule 8: a lowering was cut to what may be called for at once, or waits for the
    /// instances of its last step.
    LoweringStep = "lowering_step": usual(&[Hold, SetTarget]).expected()
        .ends("the instances of the last change have come or gone, and the next step may follow");
    /// Rule 8: a raise would remove more than 20 % of the instances, or waits until the last
    /// ones have gone.
    ScaleInStep = "scale_in_step": usual(&[Hold, SetTarget]).expected()
        .ends("the instances of the last change have come or gone, and the next step may follow");
    /// Rule 8: a raise onto new ground is limited to 10 % in 24 hours.
    NewGround = "new_ground": usual(&[Hold, SetTarget]).expected()
        .ends("24 hours after the last raise onto new ground");
    /// Rule 8: a raise goes to the lowest that the estimate has reported for hours.
    Settling = "settling": usual(&[Hold, SetTarget]).expected()
        .ends("the hours in which the estimate reported less have passed");
    /// Rule 9: too many variants would change in one pass.
    MassChange = "mass_change": HOLD
        .ends("setpoint confirm PLAN_ID of what is shown now (setpoint plan shows it)");
    /// Rule 10: `reconcile.enabled` is false.
    ReconcileDisabled = "reconcile_disabled": HOLD.expected().ends("reconcile.enabled: true");
    /// Rule 10: a person paused it.
    Paused = "paused": HOLD.expected().ends("the end of the pause, or setpoint resume");
    /// Rule 10: within a freeze window.
    Frozen = "frozen": HOLD.expected().ends("the end of the freeze window");
    /// Rule 10: the writes of this hour or day are used up.
    WriteLimit = "write_limit": HOLD.ends("the next hour or day, whose writes are not used up");

    /// Rule 11: a deploy is in progress, or the endpoint is not in service.
    EndpointUpdating = "endpoint_updating": HOLD
        .ends("the deploy ends and the endpoint is InService");
    /// Rule 11: instances are coming or going.
    PendingCapacity = "pending_capacity": HOLD.expected()
        .ends("the instances of the last change have come or gone, and the next step may follow");
    /// Rule 11a: the first hour of a regime, in which `auto` does not follow the estimate.
    NewRegime = "new_regime": HOLD.expected().ends("the first hour after the deploy ends");
    /// Rule 12: scaling is suspended.
    Suspended = "suspended": HOLD
        .ends("scaling is resumed by whoever suspended it, or unsuspend: true");
    /// Rule 13: scheduled actions move min and max.
    ScheduledCapacity = "scheduled_capacity": HOLD.plan();
    /// Rule 13: there are scheduled actions, and none of them explains min or max as it is.
    UnknownAction = "unknown_action": HOLD;
    /// Rule 14: another policy scales the same variant.
    CompetingPolicy = "competing_policy": HOLD.news().ends("the other policy goes");
    /// Rule 15: the metric cannot work on this kind of variant.
    UnsupportedKind = "unsupported_kind": HOLD.plan();
    /// Rule 16: a change in the safe direction is left alone for a while.
    SafeChangeGrace = "safe_change_grace": HOLD.expected().ends("the grace period ends");
    /// Rule 17: registering would move instances.
    ClampWouldMoveInstances = "clamp_would_move_instances": HOLD
        .ends("allow_clamp: true, or an instance count within min and max");
    /// Rule 17: min would lie above max, which AWS refuses.
    BoundsConflict = "bounds_conflict": HOLD;
    /// Rule 17a: the scalable target or the policy vanished a short while ago.
    JustRemoved = "just_removed": HOLD.ends("the grace period ends");
    /// Rule 18: something it depends on is unknown.
    Unknown = "unknown": HOLD.ends("what could not be read can be read");
    /// Rule 18: the telemetry it depends on is too old.
    Stale = "stale": HOLD.ends("newer telemetry");
    /// Rule 18: actual and desired could not be compared.
    CouldNotCompare = "could_not_compare": HOLD.ends("what could not be read can be read");
    /// Rule 18: the verdict does not allow this change.
    VerdictTooWeak = "verdict_too_weak": usual(&[Nothing, Hold]);
    /// Rule 19: an incident of another cause is open.
    Incident = "incident": HOLD.ends("the incident ends");

    /// Rule 19a: an instance is slower than its siblings at equal load.
    SlowInstance = "slow_instance": HOLD.news()
        .ends("the instance is replaced; a lowering waits 24 hours at most");

    /// Rule 20: putting the policy again did not mend its alarms.
    AlarmNotRepairable = "alarm_not_repairable": HOLD;
    /// Rule 20: the alarms are missing, disabled, blind or not the policy's.
    Alarms = "alarms": usual(&[Hold, Repair]);
    /// Rule 20: AWS does not show what was written.
    ReadBackDiffers = "read_back_differs": HOLD;
    /// Rule 21: a raise broke the objective and was taken back.
    Reverted = "reverted": usual(&[Hold, SetTarget]);
    /// Rule 22: somebody else keeps writing the same field.
    OtherWriter = "other_writer": HOLD.ends("setpoint resume, once the other writer has stopped");
    /// Rule 26: another setpoint writes the same variant without a common Lease.
    OtherSetpoint = "other_setpoint": HOLD
        .ends("the other setpoint stops, or shares this one's Lease; then setpoint resume");
    /// Rule 23: this process is not the leader.
    NotLeader = "not_leader": HOLD;
    /// Rule 23: the world changed between the decision and the write.
    WorldChanged = "world_changed": HOLD;
    /// Rule 24: the call budget of the region is used up.
    CallBudget = "call_budget": HOLD.ends("AWS's calls of this region are free again");
    /// Rule 27: a raise to more than production has shown one instance to serve.
    AboveCapacity = "above_capacity": HOLD;
    /// Rule 28: a lowering to less than half of what production has proven to be safe.
    BelowProven = "below_proven": HOLD;
    /// A write failed; the next pass tries again.
    WriteFailed = "write_failed": HOLD;
    /// A write that was decided on breaches a hard promise: a bug of `setpoint`.
    Rails = "rails": HOLD.ends("a release of setpoint without this bug");

    /// The policy goes by another name than before; AWS cannot rename one, so it is kept.
    PolicyRenamed = "policy_renamed": HOLD;
    /// The endpoint was deleted and made again under its name, which drops target and policy.
    EndpointRecreated = "endpoint_recreated": NOTE.news();
    /// The instance type changed, which AWS allows only without a scalable target.
    InstanceTypeChanged = "instance_type_changed": NOTE.news();
    /// A deploy set the number of instances back.
    DeployReset = "deploy_reset": NOTE.news();
    /// All of max is running, and the present load wants more.
    AtMax = "at_max": NOTE.plan()
        .ends("a higher max capacity")
        .audit("at_max", High, "raise max, after a look at the account's instance quota; or the \
            target value is too low");
    /// Min has set the number of instances for weeks.
    AtMin = "at_min": NOTE.plan().ends("a lower min capacity");
    /// The newest scaling activity failed.
    ScalingFailed = "scaling_failed": NOTE.news()
        .audit("scaling_failed", High, "fix what AWS names; a quota of instances is raised in \
            Service Quotas");
    /// AWS decided not to scale, and says why.
    NotScaled = "not_scaled": NOTE.plan()
        .audit("not_scaled", Medium, "aws application-autoscaling describe-scaling-activities \
            --include-not-scaled-activities has all of AWS's reasons");
    /// The target value looks like requests a second: some 60 times too low.
    RpsAsTarget = "rps_as_target": NOTE.news()
        .audit("target_like_per_second", High, "set the target value per minute: requests per \
            second x safety factor x 60");
    /// Requests are spread at random, so that the busiest instance gets more than the average.
    RandomRouting = "random_routing": NOTE;
    /// Shares of the load are unequal: by the routing strategy, or as instances showed one by one.
    UnevenRouting = "uneven_routing": NOTE
        .audit("uneven_routing", Low, "judge the busiest instance, not the average one");
    /// One instance is overloaded while the average one is not.
    HotInstance = "hot_instance": NOTE.plan();
    /// Instances answer with errors as they join: they are called ready before they are.
    ReadyTooEarly = "ready_too_early": NOTE;
    /// Rule 29: a probe raises the target value, for the load to show what an instance serves.
    Probe = "probe": usual(&[SetTarget]).plan()
        .ends("the end of the probe, after 75 minutes at the latest");
    /// Rule 29: a probe is over, and the value from before it comes back.
    ProbeEnded = "probe_ended": usual(&[SetTarget, Hold]);
    /// Scheduled min capacities ahead of the week's ramps would pay.
    FloorsProposed = "floors_proposed": NOTE.plan();
    /// The cap on cross-region traffic counts on another capacity than was measured.
    CrossRegionCap = "cross_region_cap": NOTE;

    /// The variant is gone, or its endpoint is.
    EndpointMissing = "endpoint_missing": usual(&[Nothing, Hold]).without_variant();
    /// There is no latency objective to judge capacity by.
    NoObjective = "no_objective": usual(&[Nothing, Hold])
        .ends("objective.latency in the configuration");
    LoadTestExpired = "load_test_expired": usual(&[Nothing, Hold])
        .ends("a new load test of what runs now");
    /// The load test was run on another instance type or endpoint config.
    LoadTestMismatch = "load_test_mismatch": usual(&[Nothing, Hold])
        .ends("a new load test of what runs now");
    /// Min capacity, not the target value, sets the number of instances.
    MinBound = "min_bound": NOTE.ends("a lower min capacity");
    /// The last day's peak needs more instances than max capacity.
    MaxBound = "max_bound": NOTE.ends("a higher max capacity");
    /// The desired value is outside the owner's floor and ceiling.
    OwnerLimit = "owner_limit": NOTE
        .ends("another floor or ceiling (target_value of the configuration)");
}

words! {
    /// What can drift.
    Field {
        /// Invocations per minute per instance.
        TargetValue = "target_value",
        /// What the policy tracks.
        MetricSpecification = "metric_specification",
        /// Seconds after a scale-out.
        ScaleOutCooldown = "scale_out_cooldown",
        /// Seconds after a scale-in.
        ScaleInCooldown = "scale_in_cooldown",
        DisableScaleIn = "disable_scale_in",
        /// Fewest instances.
        MinCapacity = "min_capacity",
        MaxCapacity = "max_capacity",
        Policy = "policy",
        PolicyName = "policy_name",
        ScalableTarget = "scalable_target",
        /// The two alarms of the policy.
        Alarms = "alarms",
        Suspended = "suspended",
        /// The scheduled floors that setpoint keeps.
        Floors = "floors",
    }
}

impl Reason {
    /// Whether the configured load test does not count, so that there is nothing to compare with
    /// (rule 5).
    pub const fn is_load_test(self) -> bool {
        matches!(self, Self::LoadTestExpired | Self::LoadTestMismatch)
    }
}

impl ActionKind {
    /// Whether the target value is set, in a policy that is there or in a new one.
    pub const fn sets_target(self) -> bool {
        matches!(self, Self::SetTarget | Self::CreatePolicy)
    }
}

words! {
    /// What a decision does, in one word.
    ActionKind {
        /// Nothing needs doing.
        None = "none",
        /// Something differs and is not being changed now.
        Hold = "hold",
        /// The target value is written.
        SetTarget = "set_target",
        /// Other fields of the policy, or min and max, are written.
        Repair = "repair",
        /// A missing policy is made.
        CreatePolicy = "create_policy",
        /// A missing scalable target is registered.
        RegisterTarget = "register_target",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_decisions_has_an_action_and_a_note_has_none() {
        let notes = Reason::ALL.iter().filter(|reason| reason.class().usual.is_empty());
        assert_eq!(notes.count(), 17);
        // Two actions with one reason are two series, and one twice would be counted twice.
        for reason in Reason::ALL {
            let usual = reason.class().usual;
            assert!(usual.iter().enumerate().all(|(at, one)| !usual[..at].contains(one)));
        }
    }

    #[test]
    fn what_ends_a_hold_follows_a_dash_and_is_not_a_sentence() {
        for (reason, ends) in Reason::ALL.iter().filter_map(|r| r.class().ends.map(|e| (r, e))) {
            assert!(!ends.ends_with('.') && !ends.contains("  "), "{reason}: {ends:?}");
        }
    }

    #[test]
    fn news_is_in_the_plan() {
        let news = Reason::ALL.iter().filter(|reason| reason.class().is_news());
        assert!(news.clone().all(|reason| reason.class().is_in_plan()) && news.count() > 3);
    }
}
