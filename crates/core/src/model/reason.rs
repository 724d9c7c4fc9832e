//! The closed sets that label decisions: reasons and fields. A word once shipped is not changed.

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
            #[must_use]
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

words! {
    /// Why a decision is what it is. The numbers are the rules of `docs/safety.md`.
    Reason {
        /// What AWS has is what is desired.
        InSync = "in_sync",
        /// A difference is being repaired.
        Drift = "drift",
        /// The safe target moved, and the target value follows it (`auto`).
        SafeTarget = "safe_target",

        /// Rule 1: the mode is `observe`.
        Observe = "observe",
        /// Rule 2: `account_id` is absent or not the caller's.
        WrongAccount = "wrong_account",
        /// Rule 4: a policy that `setpoint` has never written, and no `adopt: true`.
        Adoption = "adoption",
        /// Rule 4: it is not what a person was shown and has confirmed.
        NotAsShown = "not_as_shown",
        /// Rule 5: there is no value to give a missing policy.
        NoValue = "no_value",
        /// Rule 5: nothing says what the target value should be, so it is left alone.
        NotCompared = "not_compared",
        /// Rule 7: the configuration does not list the variant.
        Unlisted = "unlisted",
        /// Rule 7: a shadow variant.
        Shadow = "shadow",

        /// Rule 8: within the dead band.
        DeadBand = "dead_band",
        /// Rule 8: a lowering was cut to what may be called for at once, or waits for the
        /// instances of its last step.
        LoweringStep = "lowering_step",
        /// Rule 8: a raise would remove more than 20 % of the instances, or waits until the last
        /// ones have gone.
        ScaleInStep = "scale_in_step",
        /// Rule 8: a raise onto new ground is limited to 10 % in 24 hours.
        NewGround = "new_ground",
        /// Rule 9: too many variants would change in one pass.
        MassChange = "mass_change",
        /// Rule 10: `reconcile.enabled` is false.
        ReconcileDisabled = "reconcile_disabled",
        /// Rule 10: a person paused it.
        Paused = "paused",
        /// Rule 10: within a freeze window.
        Frozen = "frozen",
        /// Rule 10: the writes of this hour or day are used up.
        WriteLimit = "write_limit",

        /// Rule 11: a deploy is in progress, or the endpoint is not in service.
        EndpointUpdating = "endpoint_updating",
        /// Rule 11: instances are coming or going.
        PendingCapacity = "pending_capacity",
        /// Rule 11a: the first hour of a regime, in which `auto` does not follow the estimate.
        NewRegime = "new_regime",
        /// Rule 12: scaling is suspended.
        Suspended = "suspended",
        /// Rule 13: scheduled actions move min and max.
        ScheduledCapacity = "scheduled_capacity",
        /// Rule 13: there are scheduled actions, and none of them explains min or max as it is.
        UnknownAction = "unknown_action",
        /// Rule 14: another policy scales the same variant.
        CompetingPolicy = "competing_policy",
        /// Rule 15: the metric cannot work on this kind of variant.
        UnsupportedKind = "unsupported_kind",
        /// Rule 16: a change in the safe direction is left alone for a while.
        SafeChangeGrace = "safe_change_grace",
        /// Rule 17: registering would move instances.
        ClampWouldMoveInstances = "clamp_would_move_instances",
        /// Rule 17: min would lie above max, which AWS refuses.
        BoundsConflict = "bounds_conflict",
        /// Rule 17a: the scalable target or the policy vanished a short while ago.
        JustRemoved = "just_removed",
        /// Rule 18: something it depends on is unknown.
        Unknown = "unknown",
        /// Rule 18: the telemetry it depends on is too old.
        Stale = "stale",
        /// Rule 18: actual and desired could not be compared.
        CouldNotCompare = "could_not_compare",
        /// Rule 18: the verdict does not allow this change.
        VerdictTooWeak = "verdict_too_weak",
        /// Rule 19: an incident of another cause is open.
        Incident = "incident",

        /// Rule 20: putting the policy again did not mend its alarms.
        AlarmNotRepairable = "alarm_not_repairable",
        /// Rule 20: the alarms are missing, disabled, blind or not the policy's.
        Alarms = "alarms",
        /// Rule 20: AWS does not show what was written.
        ReadBackDiffers = "read_back_differs",
        /// Rule 21: a raise broke the objective and was taken back.
        Reverted = "reverted",
        /// Rule 22: somebody else keeps writing the same field.
        OtherWriter = "other_writer",
        /// Rule 26: another setpoint writes the same variant without a common Lease.
        OtherSetpoint = "other_setpoint",
        /// Rule 23: this process is not the leader.
        NotLeader = "not_leader",
        /// Rule 23: the world changed between the decision and the write.
        WorldChanged = "world_changed",
        /// Rule 24: the call budget of the region is used up.
        CallBudget = "call_budget",
        /// Rule 27: a raise to more than production has shown one instance to serve.
        AboveCapacity = "above_capacity",
        /// Rule 28: a lowering to less than half of what production has proven to be safe.
        BelowProven = "below_proven",
        /// A write failed; the next pass tries again.
        WriteFailed = "write_failed",
        /// A write that was decided on breaches a hard promise: a bug of `setpoint`.
        Rails = "rails",

        /// The policy goes by another name than before; AWS cannot rename one, so it is kept.
        PolicyRenamed = "policy_renamed",
        /// The endpoint was deleted and made again under its name, which drops target and policy.
        EndpointRecreated = "endpoint_recreated",
        /// The instance type changed, which AWS allows only without a scalable target.
        InstanceTypeChanged = "instance_type_changed",
        /// A deploy set the number of instances back.
        DeployReset = "deploy_reset",
        /// All of max is running, and the present load wants more.
        AtMax = "at_max",
        /// Min has set the number of instances for weeks.
        AtMin = "at_min",
        /// The newest scaling activity failed.
        ScalingFailed = "scaling_failed",
        /// AWS decided not to scale, and says why.
        NotScaled = "not_scaled",
        /// The target value looks like requests a second: some 60 times too low.
        RpsAsTarget = "rps_as_target",
        /// Requests are spread at random, so that the busiest instance gets more than the average.
        RandomRouting = "random_routing",
        /// Requests go to the instances that know their prompts, so that shares are unequal.
        UnevenRouting = "uneven_routing",
        /// Instances answer with errors as they join: they are called ready before they are.
        ReadyTooEarly = "ready_too_early",
        /// Scheduled min capacities ahead of the week's ramps would pay.
        FloorsProposed = "floors_proposed",
        /// The cap on cross-region traffic counts on another capacity than was measured.
        CrossRegionCap = "cross_region_cap",

        /// The variant is gone, or its endpoint is.
        EndpointMissing = "endpoint_missing",
        /// There is no latency objective to judge capacity by.
        NoObjective = "no_objective",
        /// The configured load test has expired.
        LoadTestExpired = "load_test_expired",
        /// The load test was run on another instance type or endpoint config.
        LoadTestMismatch = "load_test_mismatch",
        /// Min capacity, not the target value, sets the number of instances.
        MinBound = "min_bound",
        /// The last day's peak needs more instances than max capacity.
        MaxBound = "max_bound",
        /// The desired value is outside the owner's floor and ceiling.
        OwnerLimit = "owner_limit",
    }
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
        /// Whether scale-in is disabled.
        DisableScaleIn = "disable_scale_in",
        /// Fewest instances.
        MinCapacity = "min_capacity",
        /// Most instances.
        MaxCapacity = "max_capacity",
        /// The policy as such.
        Policy = "policy",
        /// The name of the policy.
        PolicyName = "policy_name",
        /// The scalable target as such.
        ScalableTarget = "scalable_target",
        /// The two alarms of the policy.
        Alarms = "alarms",
        /// Suspended scaling.
        Suspended = "suspended",
    }
}

impl ActionKind {
    /// Whether the target value is set, in a policy that is there or in a new one.
    #[must_use]
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
