//! The families of the process.

use super::definition::Scope::Process;
use super::definition::Values::{self, Actions, Closed, Described, Reasons};
use super::definition::definitions;

const ACCOUNT: Values = Described("the AWS account");
const REGION: Values = Described("the AWS region");
const CONTROLLER: Values = Closed(&["variant"]);
const OPERATION: Values = Described("AWS's operation name");
const SERVICE: Values = Closed(&["application-autoscaling", "cloudwatch", "sagemaker", "sts"]);

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
    WRITES = Counter "setpoint_writes_total" ["writes"] {operation: Closed(&["PutScalingPolicy", "RegisterScalableTarget"]), result: Closed(&["success", "error", "skipped"])}
        "Writes to AWS; one that AWS took and does not show afterwards is a success here and the reason read_back_differs.";
    CLOUDWATCH_METRICS = Counter "setpoint_cloudwatch_metrics_requested_total" ["metrics"] {account_id: ACCOUNT, region: REGION}
        "Metrics requested from GetMetricData, one for each statistic: what AWS bills.";
    CLOUDWATCH_COST = Counter "setpoint_cloudwatch_cost_dollars_total" ["US dollars"] {account_id: ACCOUNT, region: REGION}
        "Cost of the metrics requested, at 0.01 USD for each 1,000.";
    CLOUDWATCH_BUDGET = Gauge "setpoint_cloudwatch_budget_dollars" ["US dollars"] {}
        "Configured budget for CloudWatch requests of a month; absent without one.";
    BUILD_INFO = Gauge "setpoint_build_info" ["1"] {version: Described("the version of setpoint"), revision: Described("the source revision, or `unknown`")}
        "The build, always 1.";
    PANICS = Counter "setpoint_panics_total" ["panics"] {}
        "Bugs of setpoint that ended a pass, a write or a connection early; the process goes on, and the log has the place.";
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
    RECONCILE_TOTAL = Counter "controller_runtime_reconcile_total" ["passes"] {controller: CONTROLLER, result: Closed(&["success", "error", "requeue", "requeue_after"])}
        "Passes by result; requeue_after is a success that asked to be looked at again before the next tick.";
    RECONCILE_ERRORS = Counter "controller_runtime_reconcile_errors_total" ["passes"] {controller: CONTROLLER}
        "Passes that failed.";
    RECONCILE_TIME = Histogram "controller_runtime_reconcile_time_seconds" ["seconds"] {controller: CONTROLLER}
        "Length of a pass.";
    ACTIVE_WORKERS = Gauge "controller_runtime_active_workers" ["workers"] {controller: CONTROLLER}
        "Passes under way.";
    MAX_CONCURRENT = Gauge "controller_runtime_max_concurrent_reconciles" ["workers"] {controller: CONTROLLER}
        "Most passes that may be under way at once.";
    QUEUE_DEPTH = Gauge "workqueue_depth" ["variants"] {name: CONTROLLER}
        "Variants that wait for a pass.";
    QUEUE_ADDS = Counter "workqueue_adds_total" ["variants"] {name: CONTROLLER}
        "Variants put into the queue.";
    QUEUE_WAIT = Histogram "workqueue_queue_duration_seconds" ["seconds"] {name: CONTROLLER}
        "How long a variant waited for its pass.";
    QUEUE_WORK = Histogram "workqueue_work_duration_seconds" ["seconds"] {name: CONTROLLER}
        "How long working on a variant took.";
    QUEUE_UNFINISHED = Gauge "workqueue_unfinished_work_seconds" ["seconds"] {name: CONTROLLER}
        "Sum of the ages of the passes under way.";
    QUEUE_LONGEST = Gauge "workqueue_longest_running_processor_seconds" ["seconds"] {name: CONTROLLER}
        "Age of the oldest pass under way.";
    QUEUE_RETRIES = Counter "workqueue_retries_total" ["variants"] {name: CONTROLLER}
        "Variants put into the queue again before their tick.";
    API_CALLS = Counter "aws_api_calls_total" ["calls"] {service: SERVICE, operation: OPERATION, status_code: Described("the last HTTP status; 0 without an answer"), error_code: ERROR_CODE}
        "Calls to AWS, each with all its attempts.";
    API_CALL_DURATION = Histogram "aws_api_call_duration_seconds" ["seconds"] {service: SERVICE, operation: OPERATION}
        "Length of a call to AWS, from its first attempt to its last answer.";
    API_CALL_RETRIES = Histogram "aws_api_call_retries" ["attempts"] {service: SERVICE, operation: OPERATION}
        "Attempts after the first of a call to AWS.";
    API_THROTTLED = Counter "aws_api_call_throttled_errors_total" ["calls"] {service: SERVICE, operation: OPERATION, error_code: FAILED_ERROR_CODE}
        "Calls that AWS throttled until the retries were used up.";
    API_DENIED = Counter "aws_api_call_permission_errors_total" ["calls"] {service: SERVICE, operation: OPERATION, error_code: FAILED_ERROR_CODE}
        "Calls that failed for a missing permission.";
    UNREADABLE_ROWS = Gauge "setpoint_aws_unreadable_rows" ["rows"] {account_id: ACCOUNT, region: REGION, service: SERVICE, operation: OPERATION}
        "Rows of the newest whole listing that make no sense; what they are about is not known, the other rows count.";
    LOG_LINES_DROPPED = Counter "setpoint_log_lines_dropped_total" ["lines"] {}
        "Lines of the log that were dropped: the reader of stderr took none for a while, or stderr could not be written to.";
    LEADER = Gauge "leader_election_master_status" ["0 or 1"] {name: Closed(&["setpoint"])}
        "1 while this process is the writer; always 1 when it runs alone.";
}
