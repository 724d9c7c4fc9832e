//! The families of the process.

use super::definition::Scope::Process;
use super::definition::Values::{self, Actions, Closed, Described, Reasons};
use super::definition::definitions;

/// The phases of a pass, in their order; a test keeps them equal to those that passes have.
pub const PHASES: [&str; 4] = ["observe", "decide", "act", "remember"];

pub(super) const WRITE_OPERATIONS: [&str; 3] =
    ["PutScalingPolicy", "RegisterScalableTarget", "PutScheduledAction"];
pub(super) const WRITE_RESULTS: [&str; 3] = ["success", "error", "skipped"];

const ACCOUNT: Values = Described("the AWS account");
const REGION: Values = Described("the AWS region");
const SHARD: Values = Described("the number of the process's shard, from 0");
const OPERATION: Values = Described("AWS's operation name");
const SERVICE: Values =
    Closed(&["application-autoscaling", "cloudtrail", "cloudwatch", "sagemaker", "sts", "tagging"]);

/// A macro, for a constant cannot be joined with another.
macro_rules! failed {
    ($more:literal) => {
        concat!(
            "AWS's error code; where it gave none: dispatch_failure (no connection, or one that \
             broke), timeout, no_credentials, credentials_failure (whoever has them did not give \
             them), bad_answer (one that makes no sense), no_code (an error status without a code), \
             not_built (the request could not be put together); other beyond AWS's first 64 codes",
            $more
        )
    };
}
const ERROR_CODE: Values = Described(failed!("; empty on success, and only then"));
const FAILED_ERROR_CODE: Values = Described(failed!(""));

definitions! { PROCESS_FAMILIES, Process;
    DECISIONS = Counter "setpoint_decisions_total" ["decisions"] {action: Actions, reason: Reasons}
        "Decisions taken, one for each variant and pass.";
    WRITES = Counter "setpoint_writes_total" ["writes"] {operation: Closed(&WRITE_OPERATIONS), result: Closed(&WRITE_RESULTS)}
        "Writes to AWS; one that AWS took and does not show afterwards is a success here and the reason read_back_differs.";
    CLOUDWATCH_METRICS = Counter "setpoint_cloudwatch_metrics_requested_total" ["metrics"] {account_id: ACCOUNT, region: REGION}
        "Metrics requested from GetMetricData, one for each statistic: what AWS bills.";
    CLOUDWATCH_COST = Counter "setpoint_cloudwatch_cost_dollars_total" ["US dollars"] {account_id: ACCOUNT, region: REGION}
        "Cost of the metrics requested, at 0.01 USD for each 1,000.";
    CLOUDWATCH_BUDGET = Gauge "setpoint_cloudwatch_budget_dollars" ["US dollars"] {shard: SHARD}
        "Configured budget for CloudWatch requests of a month, of a shard its share; absent without one.";
    CLOUDWATCH_MONTH_COST = Gauge "setpoint_cloudwatch_month_cost_dollars" ["US dollars"] {shard: SHARD}
        "Cost of the metrics requested in this calendar month (UTC), which the budget limits; remembered over restarts with the memory in a file or a ConfigMap, or with store.path.";
    BUILD_INFO = Gauge "setpoint_build_info" ["1"] {version: Described("the version of setpoint"), revision: Described("the source revision, or `unknown`")}
        "The build, always 1.";
    PANICS = Counter "setpoint_panics_total" ["panics"] {}
        "Bugs of setpoint that ended a pass, a write or a connection early; the process goes on, and the log has the place.";
    RAILS_BREACHED = Counter "setpoint_rails_breached_total" ["writes"] {at: Closed(&["decision", "write"])}
        "Writes that setpoint decided on and did not send because they would have broken a hard promise: bugs of setpoint; found as it decided, or right before the write. The log has the decision.";
    LAST_PASS_AGE = Gauge "setpoint_last_pass_age_seconds" ["seconds"] {}
        "How long ago the last pass ended, by the monotonic clock, or since when passes are to be made while none has ended; absent while another process leads.";
    RELOAD_SUCCESSFUL = Gauge "setpoint_config_last_reload_successful" ["0 or 1"] {}
        "1 when the last load of the configuration succeeded, 0 while an older one stays in force; absent before the first.";
    RELOAD_SUCCESS_TIMESTAMP = Gauge "setpoint_config_last_reload_success_timestamp_seconds" ["seconds since the epoch"] {}
        "Time of the last load of the configuration that succeeded; absent before it.";
    CONFIG_TARGETS = Gauge "setpoint_config_targets" ["targets"] {}
        "Targets of the configuration in force; at 0 everything is only observed.";
    CONFIG_WARNINGS = Gauge "setpoint_config_warnings" ["warnings"] {}
        "What in the configuration in force can hardly be meant: `setpoint config check` and the status page list it.";
    CONFIG_DROPS_TARGETS = Gauge "setpoint_config_drops_targets" ["targets"] {}
        "Targets and variants that a reload would drop and that waits for `setpoint confirm`; 0 when none waits.";
    PASSES = Counter "setpoint_passes_total" ["passes"] {kind: Closed(&["describe", "telemetry", "asked"]), result: Closed(&["success", "error", "skipped"])}
        "Passes over all variants, by why they were made and how they ended: error when a bug ended one, it overran reconcile.pass_timeout_seconds, or it could list no account and region; skipped when leadership was lost meanwhile. setpoint_comparable and setpoint_writes_total show what a pass could not compare or write.";
    PASS_DURATION = Histogram "setpoint_pass_duration_seconds" ["seconds"] {phase: Closed(&PHASES)}
        "Length of each phase of a pass; the phases follow each other, so that their sums add up to the pass.";
    API_CALLS = Counter "setpoint_aws_calls_total" ["calls"] {service: SERVICE, operation: OPERATION, status_code: Described("the last HTTP status; 0 without an answer"), error_code: ERROR_CODE}
        "Calls to AWS, each with all its attempts.";
    API_CALL_DURATION = Histogram "setpoint_aws_call_duration_seconds" ["seconds"] {service: SERVICE, operation: OPERATION}
        "Length of a call to AWS, from its first attempt to its last answer.";
    API_CALL_RETRIES = Histogram "setpoint_aws_call_retries" ["attempts"] {service: SERVICE, operation: OPERATION}
        "Attempts after the first of a call to AWS.";
    API_THROTTLED = Counter "setpoint_aws_call_throttled_errors_total" ["calls"] {service: SERVICE, operation: OPERATION, error_code: FAILED_ERROR_CODE}
        "Calls that AWS throttled until the retries were used up.";
    API_DENIED = Counter "setpoint_aws_call_permission_errors_total" ["calls"] {service: SERVICE, operation: OPERATION, error_code: FAILED_ERROR_CODE}
        "Calls that failed for a missing permission.";
    UNREADABLE_ROWS = Gauge "setpoint_aws_unreadable_rows" ["rows"] {account_id: ACCOUNT, region: REGION, service: SERVICE, operation: OPERATION}
        "Rows of the newest whole listing that make no sense; what they are about is not known, the other rows count.";
    LOG_LINES_DROPPED = Counter "setpoint_log_lines_dropped_total" ["lines"] {}
        "Lines of the log that were dropped: the reader of stderr took none for a while, or stderr could not be written to.";
    PROCESS_CPU = Counter "process_cpu_seconds_total" ["seconds"] {}
        "CPU time of the process, in user and in system mode; this and the process_* families after it are absent where there is no /proc.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" ["bytes"] {}
        "Memory of the process that is in RAM.";
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes" ["bytes"] {}
        "Address space of the process.";
    PROCESS_START = Gauge "process_start_time_seconds" ["seconds since the epoch"] {}
        "When the process started, by the machine's wall clock.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" ["file descriptors"] {}
        "Open file descriptors.";
    PROCESS_MAX_FDS = Gauge "process_max_fds" ["file descriptors"] {}
        "Most file descriptors that may be open; absent without a limit.";
    PROCESS_THREADS = Gauge "process_threads" ["threads"] {}
        "Threads of the process.";
    LEADER = Gauge "leader_election_master_status" ["0 or 1"] {name: Closed(&["setpoint"]), shard: SHARD}
        "1 while this process is the writer, of a shard for its accounts and regions; always 1 when it runs alone.";
    TOTAL_SHARDS = Gauge "setpoint_total_shards" ["shards"] {shard: SHARD}
        "Shards that share out the accounts and regions, as this process is configured; 1 without sharding.";
}
