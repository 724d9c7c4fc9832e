//! The families of a variant.

use super::definition::Scope::Variant;
use super::definition::Values::{
    Actions, AlarmStates, Closed, Fields, Findings, LatencyStatistics, Modes, Reasons, Safeties,
    Unproven, Verdicts,
};
use super::definition::definitions;

definitions! { VARIANT_FAMILIES, Variant;
    CONFIGURED_TARGET = Gauge "setpoint_configured_target_invocations_per_minute" ["invocations per minute per instance"] {}
        "Target value in force in AWS; absent when there is no policy or it could not be read.";
    FORMULA_TARGET = Gauge "setpoint_formula_target_invocations_per_minute" ["invocations per minute per instance"] {}
        "Load-tested rate x safety factor x 60; absent without a valid load test.";
    SAFE_TARGET = Gauge "setpoint_safe_target_invocations_per_minute" ["invocations per minute per instance"] {}
        "What the target value should be by measured capacity, before limits; absent when capacity is not known well enough.";
    CAPACITY = Gauge "setpoint_capacity_invocations_per_minute" ["invocations per minute per instance"] {bound: Closed(&["low", "estimate", "high", "lower_bound"])}
        "Most invocations per minute one instance serves within the objective: 5 %, 50 % and 95 % quantile, and the proven lower bound; a bound that does not exist is absent.";
    CAPACITY_VERDICT = Gauge "setpoint_capacity_verdict" ["0 or 1"] {verdict: Verdicts}
        "How far capacity is known: 1 for the present verdict.";
    DIVERGENCE_RATIO = Gauge "setpoint_target_divergence_ratio" ["ratio"] {}
        "Configured target over safe target: above 1 unsafe, below 1 waste; absent without either.";
    DIVERGENCE = Gauge "setpoint_divergence" ["0 or 1"] {finding: Findings}
        "Findings of the comparison of configuration and capacity, confirmed twice; 0 only while there is a verdict to judge by.";
    DIVERGENCE_SINCE = Gauge "setpoint_divergence_since_timestamp_seconds" ["seconds since the epoch"] {finding: Findings}
        "Since when the finding has stood, remembered over restarts; absent while it does not stand, or when the memory could not be read.";
    SAFETY = Gauge "setpoint_variant_safety" ["0 or 1"] {state: Safeties}
        "Whether the target value in force is safe by measurement: 1 for the present state. The states above_capacity, objective_broken and over are unsafe. setpoint_drift says whether it is as configured.";
    SAFETY_NOT_KNOWN = Gauge "setpoint_variant_safety_not_known_info" ["1"] {why: Unproven}
        "Why it is not known whether the target value in force is safe, a single series with value 1; absent while it is known.";
    UNSAFE_SINCE = Gauge "setpoint_unsafe_since_timestamp_seconds" ["seconds since the epoch"] {}
        "Since when the target value in force has been known to be unsafe, remembered over restarts; absent while it is not, or when the memory could not be read.";
    SPEED_RATIO = Gauge "setpoint_speed_ratio" ["ratio"] {}
        "Median latency at equal load over that of the regime before (above 1 is slower).";
    REGIME_START = Gauge "setpoint_regime_start_timestamp_seconds" ["seconds since the epoch"] {cause: Closed(&["deploy", "undeclared", "first"])}
        "When what is known of capacity began to hold: with a deploy, with a change that no deploy explains, or where the data begin (first). A single series; absent before the first usable minute.";
    OBSERVED_LOAD = Gauge "setpoint_observed_invocations_per_instance_per_minute" ["invocations per minute per instance"] {statistic: Closed(&["last", "max"])}
        "Load of one instance: of the newest minute, and the highest since the telemetry read before.";
    OBSERVED_LATENCY = Gauge "setpoint_observed_latency_seconds" ["seconds"] {statistic: LatencyStatistics}
        "ModelLatency of the newest minute, p50 and the objective's statistic.";
    LATENCY_OBJECTIVE = Gauge "setpoint_latency_objective_seconds" ["seconds"] {statistic: LatencyStatistics}
        "Most that the latency statistic may be; absent without an objective.";
    INSTANCES = Gauge "setpoint_instances" ["instances"] {state: Closed(&["current", "desired"])}
        "Instances in service and wanted, by DescribeEndpoint.";
    MIN_INSTANCES = Gauge "setpoint_min_instances" ["instances"] {}
        "Min capacity of the scalable target in AWS.";
    MAX_INSTANCES = Gauge "setpoint_max_instances" ["instances"] {}
        "Max capacity of the scalable target in AWS.";
    INSTANCES_WANTED = Gauge "setpoint_instances_wanted" ["instances"] {}
        "Instances that the present load needs with the wanted target value, not clamped to max.";
    DRIFT = Gauge "setpoint_drift" ["0 or 1"] {field: Fields}
        "1 when AWS differs from what is desired, held or not; absent when the field is not managed or could not be compared.";
    DRIFT_SINCE = Gauge "setpoint_drift_since_timestamp_seconds" ["seconds since the epoch"] {field: Fields}
        "Since when the field has differed from what is desired, remembered over restarts: a time in which it could not be compared counts when it differed before and after. Absent while it does not differ or is a raise that waits for its own estimate (settling), or when the memory could not be read.";
    COMPARABLE = Gauge "setpoint_comparable" ["0 or 1"] {}
        "1 when everything managed could be read and compared; 0 is its own state and never in sync. A target value that nothing valid states does not count: setpoint_load_test_valid and setpoint_decision_info tell of it.";
    MODE = Gauge "setpoint_mode" ["0 or 1"] {mode: Modes}
        "Mode in force: 1 for the present one.";
    MANAGED = Gauge "setpoint_managed" ["0 or 1"] {}
        "1 when the configuration lists the variant, 0 when it was only discovered.";
    DECISION_INFO = Gauge "setpoint_decision_info" ["1"] {action: Actions, reason: Reasons}
        "Current decision, a single series with value 1.";
    HELD_SINCE = Gauge "setpoint_held_since_timestamp_seconds" ["seconds since the epoch"] {}
        "Since when something has differed and nothing of it has been written, whatever the reasons, remembered over restarts; absent while nothing is held, or when the memory could not be read.";
    CONDITION = Gauge "setpoint_condition" ["1"] {reason: Reasons}
        "What else holds for the variant, one series with value 1 for each: competing policies, deploys that set the count back, scaling that fails or is refused, bounds that bind, numbers that look like a mistake.";
    REACTION = Gauge "setpoint_reaction_seconds" ["seconds"] {part: Closed(&["alarm", "activity", "start_up", "recovery", "whole"]), statistic: Closed(&["p50", "p95"])}
        "How long the parts of the last 20 scale-outs took: load above the target to alarm, alarm to activity, activity to instances in service, these to latency back in the objective; whole is from the load to instances in service. Absent where none was seen.";
    SCALE_OUTS = Gauge "setpoint_scale_outs" ["scale-outs"] {}
        "Scale-outs that setpoint_reaction_seconds rests on, at most 20; absent while activities could not be read.";
    SCALE_OUT_FAILURES = Gauge "setpoint_scale_out_failures" ["scale-outs"] {cause: Closed(&["quota", "capacity", "other"])}
        "Failed scale-outs among the newest activities: for the account's quota, because AWS had no instances, or else; absent while activities could not be read.";
    JOINS_WITH_ERRORS = Gauge "setpoint_joins_with_errors" ["scale-outs"] {}
        "Of the scale-outs whose minutes of joining were all seen, those in which new instances answered with 5XX at first; absent where none was seen.";
    FLOORS_PROPOSED = Gauge "setpoint_floors_proposed" ["scheduled actions"] {}
        "Scheduled actions of the floors (min capacities ahead of the week's ramps) that would pay by replay of the last weeks; 0 where none would, absent while that is not known or floors are off.";
    PROBE_SINCE = Gauge "setpoint_probe_since_timestamp_seconds" ["seconds since the epoch"] {}
        "Since when a probe has had a raised target value in force, or has left it there; absent while none is under way, or when the memory could not be read.";
    PROBE_SPENT = Gauge "setpoint_probe_budget_spent_ratio" ["ratio"] {}
        "Minutes of the last 7 days that broke the objective in probes or in the quarter of an hour after one, over probe.bad_minutes_per_week: from 1 on none begins. Absent where the configuration asks for no probes.";
    SLOW_INSTANCES = Gauge "setpoint_slow_instances" ["instances"] {}
        "Instances that were slower than their siblings at equal load when they were last looked at one by one; absent where they are not looked at (per_instance), or could not be compared.";
    UNEVEN_ROUTING = Gauge "setpoint_uneven_routing_ratio" ["ratio"] {}
        "Requests of the busiest instance over those of the average one, the median over the minutes when instances were last looked at one by one: 1 is even. Absent where that is not known.";
    INSTANCES_READ = Gauge "setpoint_instances_read_timestamp_seconds" ["seconds since the epoch"] {}
        "When the instances were last looked at one by one; absent where they are not.";
    FLOORS_KEPT = Gauge "setpoint_floors_kept" ["scheduled actions"] {}
        "Scheduled actions of the floors that setpoint keeps in AWS (floors: keep); absent while the scheduled actions could not be read.";
    FLOORS_END = Gauge "setpoint_floors_end_timestamp_seconds" ["seconds"] {}
        "When the floors that setpoint keeps end unless it renews them, which it does when three to four days are left; absent where there are none.";
    SAFETY_FACTOR = Gauge "setpoint_safety_factor" ["ratio"] {}
        "Safety factor in use: the configured one, or with auto the one that moves at most once a week.";
    SAFETY_FACTOR_BY_REPLAY = Gauge "setpoint_safety_factor_by_replay" ["ratio"] {}
        "Highest safety factor that keeps to objective.bad_minutes_per_week in a replay of the variant's last weeks, worked out once a day; absent while capacity is not measured or a week of traffic is not known.";
    SAFETY_FACTOR_BAD = Gauge "setpoint_safety_factor_bad_ratio" ["ratio"] {}
        "Share of the week's minutes that break the objective in that replay, under setpoint_safety_factor_by_replay; 10 minutes a week are 0.00099.";
    WEEK_EXPLAINED = Gauge "setpoint_week_explained_ratio" ["ratio"] {}
        "How predictable the traffic is: of the variance of the newest week's hours, the share that the same hours of the week before explain; 1 is all of it, 0 and below none. Absent with less than two weeks.";
    SCALING_SUSPENDED = Gauge "setpoint_scaling_suspended" ["0 or 1"] {direction: Closed(&["scale_in", "scale_out", "scheduled"])}
        "1 when somebody suspended this direction of scaling.";
    SUSPENDED_SINCE = Gauge "setpoint_scaling_suspended_since_timestamp_seconds" ["seconds since the epoch"] {direction: Closed(&["scale_in", "scale_out", "scheduled"])}
        "Since when setpoint has seen this direction of scaling suspended, remembered over restarts; absent while it is not, or when the memory could not be read.";
    COMPETING_POLICIES = Gauge "setpoint_competing_policies" ["policies"] {}
        "Scaling policies of the variant other than the one that tracks invocations per instance.";
    OTHER_WRITER = Gauge "setpoint_other_writer" ["0 or 1"] {}
        "1 while a field is left alone because somebody else keeps writing it.";
    ALARM_STATE = Gauge "setpoint_alarm_state" ["0 or 1"] {alarm: Closed(&["high", "low"]), state: AlarmStates}
        "State of the policy's two CloudWatch alarms: 1 for the present one.";
    LOAD_TEST_TIMESTAMP = Gauge "setpoint_load_test_timestamp_seconds" ["seconds since the epoch"] {}
        "Date of the configured load test, at 00:00 UTC.";
    LOAD_TEST_VALID = Gauge "setpoint_load_test_valid" ["0 or 1"] {}
        "Whether the configured load test still speaks for the variant; absent without one, or when that could not be told.";
    LOAD_TEST_INVALID_SINCE = Gauge "setpoint_load_test_invalid_since_timestamp_seconds" ["seconds since the epoch"] {}
        "Since when the configured load test has not counted, remembered over restarts; absent while it does or there is none, or when the memory could not be read.";
    NEWEST_DATAPOINT = Gauge "setpoint_newest_datapoint_timestamp_seconds" ["seconds since the epoch"] {}
        "End of the newest minute with any datapoint; absent while CloudWatch has none.";
    TELEMETRY_READ = Gauge "setpoint_telemetry_read_timestamp_seconds" ["seconds since the epoch"] {}
        "When CloudWatch last answered a telemetry read of the variant, with or without datapoints; absent before.";
    HISTORY_COMPLETE = Gauge "setpoint_history_complete_ratio" ["ratio"] {}
        "How much of telemetry.history_days the estimate is made from, 0 to 1: below 1 after a start, until all of it has been read; absent before any.";
    LAST_PASS = Gauge "setpoint_last_pass_timestamp_seconds" ["seconds since the epoch"] {}
        "End of the last pass.";
    LAST_SUCCESSFUL_PASS = Gauge "setpoint_last_successful_pass_timestamp_seconds" ["seconds since the epoch"] {}
        "End of the last pass in which everything managed could be compared and no write failed; what such a pass knows of an endpoint may be an hour old.";
}
