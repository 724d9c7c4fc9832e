"""The Grafana dashboards, written as panels on a grid; helm/generate turns them into JSON.

Every query of a variant's series aggregates with `max by (account_id, region, endpoint, variant)`,
so that a change of leader never doubles a line.
"""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SELECT = 'account_id=~"$account",region=~"$region",endpoint=~"$endpoint",variant=~"$variant"'
SCOPE = 'account_id=~"$account",region=~"$region"'
VARIANT = "account_id, region, endpoint, variant"
NAME = "{{endpoint}}/{{variant}}"
ACTING = 'action!~"none|hold"'
UNSAFE = 'state=~"above_capacity|objective_broken|over"'
SPEED = 'finding=~"slower|faster"'
PER_MINUTE = "invocations/min"
WIDTH = 24


def by_variant(metric, matchers="", also=""):
    """One series for each variant, whichever replica exports it."""
    labels = VARIANT + (f", {also}" if also else "")
    return f"max by ({labels}) ({metric}{{{SELECT}{',' if matchers else ''}{matchers}}})"


def age(metric):
    """Seconds since the time that a metric holds, for each variant."""
    return f"time() - {by_variant(metric)}"


def query(expr, legend="", **more):
    return {"expr": expr, "legendFormat": legend or "__auto", "datasource": DATASOURCE, **more}


def steps(*pairs):
    """Thresholds: (None, colour) first, then (value, colour)."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in pairs]}


NEUTRAL = steps((None, "blue"))
BAD_ABOVE_ZERO = steps((None, "green"), (1, "red"))
WARN_ABOVE_ZERO = steps((None, "green"), (1, "orange"))
DIVERGENCE = steps((None, "blue"), (0.9, "green"), (1.1, "orange"), (1.5, "red"))


class Board:
    """Places panels from left to right, in rows of 24 columns."""

    def __init__(self, uid, title, description, multi):
        self.panels, self.x, self.y, self.row_height = [], 0, 0, 0
        self.uid, self.title, self.description, self.multi = uid, title, description, multi
        self.annotations = []

    def section(self, title):
        self._break()
        self.panels.append({
            "id": len(self.panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": self.y, "w": WIDTH, "h": 1},
        })
        self.y += 1

    def _break(self):
        self.y += self.row_height
        self.x = self.row_height = 0

    def panel(self, kind, title, description, unit, targets, w=8, h=8, thresholds=NEUTRAL, options=None,
              custom=None, **more):
        if self.x + w > WIDTH:
            self._break()
        for letter, target in zip("ABCDEFGHIJ", targets):
            target["refId"] = letter
        defaults = {"unit": unit, "thresholds": thresholds, "custom": custom or {}, "mappings": []}
        defaults.update(more.pop("defaults", {}))
        self.panels.append({
            "id": len(self.panels) + 1, "type": kind, "title": title, "description": description,
            "datasource": DATASOURCE, "gridPos": {"x": self.x, "y": self.y, "w": w, "h": h},
            "targets": targets, "options": options or {},
            "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])}, **more,
        })
        self.x += w
        self.row_height = max(self.row_height, h)

    def stat(self, title, description, unit, expr, thresholds=NEUTRAL, w=4, h=4, legend="", text="auto", **more):
        self.panel(
            "stat", title, description, unit, [query(expr, legend)], w=w, h=h, thresholds=thresholds,
            options={"colorMode": "value", "graphMode": "area", "textMode": text,
                     "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}, **more)

    def graph(self, title, description, unit, targets, stack=False, lines=True, w=8, h=8, **more):
        custom = {"drawStyle": "line" if lines else "bars", "lineWidth": 1, "showPoints": "never",
                  "fillOpacity": 30 if stack else 8, "stacking": {"mode": "normal" if stack else "none"},
                  "spanNulls": False, **more.pop("custom", {})}
        self.panel(
            "timeseries", title, description, unit, targets, w=w, h=h, custom=custom,
            options={"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
                     "tooltip": {"mode": "multi", "sort": "desc"}}, **more)

    def table(self, title, description, unit, targets, names, w=24, h=10, sort="", **more):
        for target in targets:
            target.update({"instant": True, "range": False, "format": "table"})
        hidden = {"Time": True, "account_id": False}
        self.panel(
            "table", title, description, unit, targets, w=w, h=h,
            options={"sortBy": [{"displayName": sort, "desc": True}] if sort else [], "showHeader": True},
            transformations=[
                {"id": "merge", "options": {}},
                {"id": "organize", "options": {"excludeByName": hidden, "renameByName": names}},
            ], custom={"filterable": True}, **more)

    def annotate(self, name, colour, expr, title, text):
        self.annotations.append({
            "name": name, "enable": True, "iconColor": colour, "datasource": DATASOURCE, "expr": expr,
            "titleFormat": title, "textFormat": text, "step": "60s",
        })

    def json(self):
        # An account and region that cannot be read may have no variant that is known.
        labels = [("account", "Account", "account_id", "setpoint_scope_readable"),
                  ("region", "Region", "region", 'setpoint_scope_readable{account_id=~"$account"}'),
                  ("endpoint", "Endpoint", "endpoint", f"setpoint_managed{{{SCOPE}}}"),
                  ("variant", "Variant", "variant", f'setpoint_managed{{{SCOPE},endpoint=~"$endpoint"}}')]
        variables = [{"name": "datasource", "label": "Data source", "type": "datasource",
                      "query": "prometheus", "hide": 0, "refresh": 1, "regex": "", "current": {}}]
        for name, label, key, series in labels:
            values = f"label_values({series}, {key})"
            variables.append({
                "name": name, "label": label, "type": "query", "datasource": DATASOURCE, "hide": 0,
                "query": {"query": values, "refId": name}, "definition": values, "refresh": 2, "sort": 1,
                "regex": "", "multi": self.multi, "includeAll": self.multi, "allValue": ".*" if self.multi else None,
                "current": {"text": "All", "value": "$__all"} if self.multi else {},
            })
        return {
            "uid": self.uid, "title": self.title, "description": self.description, "tags": ["setpoint", "sagemaker"],
            "schemaVersion": 39, "version": 1, "editable": True, "timezone": "browser", "refresh": "1m",
            "time": {"from": "now-24h" if self.multi else "now-7d", "to": "now"}, "graphTooltip": 1,
            "templating": {"list": variables}, "annotations": {"list": self.annotations},
            "links": [{"type": "dashboards", "title": "setpoint", "tags": ["setpoint"], "asDropdown": False,
                       "includeVars": True, "keepTime": True, "icon": "dashboard"}],
            "panels": self.panels,
        }


def fleet():
    board = Board("setpoint-fleet", "setpoint / fleet",
                  "Every variant: is its target value right, has it drifted, what was done about it, and "
                  "what watching it costs.", multi=True)
    board.section("Now")
    small = {"w": 3}
    board.stat("Managed variants", "Variants that the configuration lists.", "short",
               f"sum({by_variant('setpoint_managed')})", **small)
    board.stat("Unsafe", "Variants whose target value is unsafe by what was measured, as configured or not: above "
               "capacity, claiming more capacity than there is, or breaking the objective.", "short",
               f"sum(max by ({VARIANT}) ({by_variant('setpoint_variant_safety', UNSAFE, also='state')}))", BAD_ABOVE_ZERO,
               **small)
    board.stat("Drifted", "Variants with a managed field that differs from the configuration.", "short",
               f"sum(max by ({VARIANT}) ({by_variant('setpoint_drift', also='field')}))", WARN_ABOVE_ZERO, **small)
    board.stat("Not comparable", "Variants of which something managed could not be read. They are not in sync: "
               "nobody knows.", "short", f"sum(1 - {by_variant('setpoint_comparable')})", WARN_ABOVE_ZERO, **small)
    board.stat("Not readable", "Accounts and regions whose endpoints and scalable targets cannot be listed: there may be "
               "variants of which nothing here speaks.", "short",
               f"sum(1 - max by (account_id, region) (setpoint_scope_readable{{{SCOPE}}}))", BAD_ABOVE_ZERO, **small)
    board.stat("Memory broken", "Processes that cannot read or save what they must remember: nothing is repaired.", "short",
               'sum(1 - min by (job, instance) ({__name__=~"setpoint_memory_(readable|writable)"}))', BAD_ABOVE_ZERO, **small)
    board.stat("Leaders", "Processes that may write: 1 is right.", "short",
               'sum(leader_election_master_status{name="setpoint"})', steps((None, "red"), (1, "green"), (2, "red")), **small)
    board.stat("Oldest pass", "Age of the last pass of the variant that waits longest.", "s",
               f"max({age('setpoint_last_pass_timestamp_seconds')})", steps((None, "green"), (300, "orange"), (1800, "red")),
               **small)

    board.section("Target values")
    board.table("Divergence, worst first", "Configured target over safe target: above 1 the variant scales out too "
                "late, below 1 it pays for idle instances. A variant without a measured capacity is not listed.",
                "none", [
                    query(f"sort_desc({by_variant('setpoint_target_divergence_ratio')})"),
                    query(by_variant("setpoint_configured_target_invocations_per_minute")),
                    query(by_variant("setpoint_safe_target_invocations_per_minute")),
                    query(by_variant("setpoint_capacity_invocations_per_minute", 'bound="high"')),
                ], {"Value #A": "divergence", "Value #B": "configured target", "Value #C": "safe target",
                    "Value #D": "capacity at most", "account_id": "account"}, sort="divergence",
                overrides=[{"matcher": {"id": "byName", "options": "divergence"},
                            "properties": [{"id": "thresholds", "value": DIVERGENCE}, {"id": "decimals", "value": 2},
                                           {"id": "custom.cellOptions", "value": {"type": "color-background"}}]}])
    board.graph("Divergence", "Configured target over safe target of each variant.", "none",
                [query(by_variant("setpoint_target_divergence_ratio"), NAME)], w=12,
                thresholds=DIVERGENCE, custom={"thresholdsStyle": {"mode": "dashed"}})
    board.graph("Findings", "Variants with each finding, confirmed twice.", "short",
                [query(f"sum by (finding) ({by_variant('setpoint_divergence', also='finding')})", "{{finding}}")], w=12)
    board.graph("Drift by field", "Variants whose field differs from the configuration.", "short",
                [query(f"sum by (field) ({by_variant('setpoint_drift', also='field')})", "{{field}}")], stack=True)
    board.graph("Verdicts", "How far the capacity of the variants is known.", "short",
                [query(f"sum by (verdict) ({by_variant('setpoint_capacity_verdict', also='verdict')})", "{{verdict}}")],
                stack=True)
    board.graph("Modes", "What setpoint may do with the variants.", "short",
                [query(f"sum by (mode) ({by_variant('setpoint_mode', also='mode')})", "{{mode}}")], stack=True)

    board.section("Decisions and writes")
    board.graph("What is decided, and why not", "Current decision of each variant by action and reason.", "short",
                [query(f"sum by (action, reason) ({by_variant('setpoint_decision_info', also='action, reason')})",
                       "{{action}}: {{reason}}")], stack=True)
    board.graph("Decisions", "Decisions taken a minute, without those that found nothing to do.", "short",
                [query('60 * sum by (action, reason) (rate(setpoint_decisions_total{action!="none"}[$__rate_interval])) > 0',
                       "{{action}}: {{reason}}")])
    board.graph("Writes", "Calls an hour that change something in AWS.", "short",
                [query("3600 * sum by (operation, result) (rate(setpoint_writes_total[$__rate_interval]))",
                       "{{operation}}: {{result}}")], lines=False)

    board.section("CloudWatch cost and AWS API")
    board.stat("Cost a month", "What GetMetricData costs in 30 days at the last day's pace.", "currencyUSD",
               f"30 * sum(increase(setpoint_cloudwatch_cost_dollars_total{{{SCOPE}}}[1d]))", h=8)
    board.stat("Budget used", "That over the configured budget; at 100 % telemetry is no longer read.", "percentunit",
               f"30 * sum(increase(setpoint_cloudwatch_cost_dollars_total{{{SCOPE}}}[1d])) / "
               "max(setpoint_cloudwatch_budget_dollars)", steps((None, "green"), (0.8, "orange"), (1, "red")), h=8)
    board.graph("Metrics requested", "Metrics read from CloudWatch an hour, which is what AWS bills.", "short",
                [query(f"3600 * sum by (account_id, region) (rate(setpoint_cloudwatch_metrics_requested_total{{{SCOPE}}}"
                       "[$__rate_interval]))", "{{account_id}} {{region}}")], h=8)
    board.graph("AWS calls", "Calls to AWS a second.", "reqps",
                [query('sum by (service, operation) (rate(setpoint_aws_calls_total[$__rate_interval]))', "{{service}} {{operation}}")])
    board.graph("AWS errors", "Calls a second that failed, by AWS's code or, without one, by what went wrong on the way.", "reqps",
                [query('sum by (service, error_code) (rate(setpoint_aws_calls_total{error_code!=""}'
                       '[$__rate_interval]))', "{{service}} {{error_code}}")],
                thresholds=BAD_ABOVE_ZERO)
    board.graph("AWS latency", "95 % of the calls to AWS are faster, retries included.", "s",
                [query("histogram_quantile(0.95, sum by (le, service) (rate(setpoint_aws_call_duration_seconds_bucket"
                       "[$__rate_interval])))",
                       "{{service}}")])
    board.graph("Throttled and denied", "Calls a minute that AWS throttled until the retries were used up, or denied.",
                "short",
                [query("60 * sum by (service, operation) (rate(setpoint_aws_call_throttled_errors_total[$__rate_interval]))",
                       "throttled: {{service}} {{operation}}"),
                 query("60 * sum by (service, operation) (rate(setpoint_aws_call_permission_errors_total[$__rate_interval]))",
                       "denied: {{service}} {{operation}}")], thresholds=BAD_ABOVE_ZERO)

    board.section("Freshness and process")
    board.graph("Freshness", "Age of the oldest of each, over all variants, and over accounts and regions.", "s", [
        query(f"max(time() - max by (account_id, region) (setpoint_scope_last_listing_timestamp_seconds{{{SCOPE}}}))",
              "listing"),
        query(f"max({age('setpoint_last_pass_timestamp_seconds')})", "last pass"),
        query(f"max({age('setpoint_last_successful_pass_timestamp_seconds')})", "last successful pass"),
        query(f"max({age('setpoint_telemetry_read_timestamp_seconds')})", "CloudWatch read"),
        query(f"max({age('setpoint_newest_datapoint_timestamp_seconds')})", "newest datapoint")])
    board.graph("Passes", "Passes an hour, by why they were made and how they ended.", "short",
                [query("3600 * sum by (kind, result) (rate(setpoint_passes_total[$__rate_interval])) > 0",
                       "{{kind}}: {{result}}")], stack=True)
    board.graph("Length of a pass", "95 % of the passes take less than this for each phase.", "s", [
        query("histogram_quantile(0.95, sum by (le, phase) (rate(setpoint_pass_duration_seconds_bucket"
              "[$__rate_interval])))", "{{phase}}")])
    board.graph("CPU and memory", "What each process uses.", "short", [
        query("rate(process_cpu_seconds_total[$__rate_interval]) and on (job, instance) setpoint_build_info",
              "{{instance}}: cores"),
        query("process_resident_memory_bytes / 2^30 and on (job, instance) setpoint_build_info", "{{instance}}: GiB")])
    board.graph("Leadership", "Which process is the leader.", "short",
                [query('max by (instance, pod) (leader_election_master_status{name="setpoint"})', "{{instance}} {{pod}}")],
                custom={"drawStyle": "line", "lineInterpolation": "stepAfter"})
    board.table("Processes", "Version of each process, and whether its last reload of the configuration succeeded.", "none",
                [query("max by (instance, version, revision) (setpoint_build_info)"),
                 query("min by (instance) (setpoint_config_last_reload_successful)")],
                {"Value #A": "up", "Value #B": "reload succeeded"}, w=8, h=8)
    return board.json()


def variant():
    board = Board("setpoint-variant", "setpoint / variant",
                  "One variant: what an instance can serve, what the target value claims, what was observed and "
                  "what was decided.", multi=False)
    board.annotate("Decisions", "blue",
                   f"{by_variant('setpoint_decision_info', ACTING, also='action, reason')} == 1",
                   "{{action}}", "{{reason}}")
    board.annotate("Speed events", "orange",
                   f"{by_variant('setpoint_divergence', SPEED, also='finding')} == 1",
                   "{{finding}} since the last deploy", NAME)
    board.section("Now")
    board.stat("Divergence", "Configured target over safe target: above 1 unsafe, below 1 waste.", "none",
               by_variant("setpoint_target_divergence_ratio"), DIVERGENCE, w=3, legend=NAME, defaults={"decimals": 2})
    board.stat("Safety", "Whether the target value in force is safe, going by what was measured.", "none",
               f"{by_variant('setpoint_variant_safety', also='state')} == 1", legend="{{state}}", text="name")
    board.stat("Verdict", "How far capacity is known.", "none",
               f"{by_variant('setpoint_capacity_verdict', also='verdict')} == 1", w=3, legend="{{verdict}}", text="name")
    board.stat("Decision", "The current decision and its reason.", "none",
               f"{by_variant('setpoint_decision_info', also='action, reason')} == 1", legend="{{action}}: {{reason}}",
               text="name")
    board.stat("Mode", "What setpoint may do with it.", "none", f"{by_variant('setpoint_mode', also='mode')} == 1",
               w=3, legend="{{mode}}", text="name")
    board.stat("Drifted fields", "Managed fields that differ from the configuration.", "short",
               f"sum({by_variant('setpoint_drift', also='field')})", WARN_ABOVE_ZERO, w=3)
    board.stat("Telemetry age", "Age of the newest minute with any datapoint.", "s",
               age("setpoint_newest_datapoint_timestamp_seconds"), steps((None, "green"), (2700, "orange"), (7200, "red")))

    board.section("Capacity and target value")
    capacity = "setpoint_capacity_invocations_per_minute"
    board.graph("Capacity and targets", "What one instance can serve within the objective, with its interval (5 % to 95 %), "
                "against the target value in force, the safe one and the load test's.", PER_MINUTE, [
                    query(by_variant(capacity, 'bound="high"'), "capacity at most"),
                    query(by_variant(capacity, 'bound="estimate"'), "capacity"),
                    query(by_variant(capacity, 'bound="low"'), "capacity at least"),
                    query(by_variant(capacity, 'bound="lower_bound"'), "proven"),
                    query(by_variant("setpoint_configured_target_invocations_per_minute"), "configured target"),
                    query(by_variant("setpoint_safe_target_invocations_per_minute"), "safe target"),
                    query(by_variant("setpoint_formula_target_invocations_per_minute"), "formula target"),
                ], w=24, h=10, overrides=[
                    {"matcher": {"id": "byName", "options": "capacity at most"},
                     "properties": [{"id": "custom.fillBelowTo", "value": "capacity at least"},
                                    {"id": "custom.lineWidth", "value": 0}]},
                    {"matcher": {"id": "byName", "options": "configured target"},
                     "properties": [{"id": "custom.lineWidth", "value": 3}]}])
    load = "setpoint_observed_invocations_per_instance_per_minute"
    board.graph("Load of an instance", "Invocations per minute and instance, against the target value.", PER_MINUTE, [
        query(by_variant(load, 'statistic="last"'), "newest minute"),
        query(by_variant(load, 'statistic="max"'), "highest since the reading before"),
        query(by_variant("setpoint_configured_target_invocations_per_minute"), "configured target")], w=12)
    board.graph("Latency", "ModelLatency of the newest minute, against the objective.", "s", [
        query(by_variant("setpoint_observed_latency_seconds", also="statistic"), "{{statistic}}"),
        query(by_variant("setpoint_latency_objective_seconds", also="statistic"), "objective ({{statistic}})")], w=12,
        overrides=[{"matcher": {"id": "byRegexp", "options": "objective.*"},
                    "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}},
                                   {"id": "custom.lineStyle", "value": {"fill": "dash"}}]}])

    board.section("Instances")
    board.graph("Instances", "In service and wanted by AWS, with the scalable target's limits and what the load needs.",
                "short", [
                    query(by_variant("setpoint_instances", 'state="current"'), "in service"),
                    query(by_variant("setpoint_instances", 'state="desired"'), "desired"),
                    query(by_variant("setpoint_instances_wanted"), "the load needs"),
                    query(by_variant("setpoint_min_instances"), "min"),
                    query(by_variant("setpoint_max_instances"), "max")], w=12,
                custom={"lineInterpolation": "stepAfter"})
    board.graph("Speed", "Median latency at equal load over that of the regime before: above 1 is slower.", "none",
                [query(by_variant("setpoint_speed_ratio"), NAME)], w=12,
                thresholds=steps((None, "green"), (1.15, "orange"), (1.5, "red")),
                custom={"thresholdsStyle": {"mode": "dashed"}})

    reaction = "setpoint_reaction_seconds"
    board.graph("Reaction time", "How long the parts of the last scale-outs took, in the middle and at the 95 % point; whole is from the load to instances in service.",
                "s", [
                    query(by_variant(reaction, 'statistic="p50"', also="part"), "{{part}}"),
                    query(by_variant(reaction, 'statistic="p95",part="whole"', also="part"), "whole, 95 %")], w=12)
    board.graph("Scale-outs that went wrong", "Failed for quota or capacity, and those whose new instances answered with errors at first.",
                "short", [
                    query(by_variant("setpoint_scale_out_failures", also="cause"), "failed: {{cause}}"),
                    query(by_variant("setpoint_joins_with_errors"), "errors while joining"),
                    query(by_variant("setpoint_scale_outs"), "seen")], w=12)

    board.section("Decisions, drift and alarms")
    board.graph("Decision", "What was decided over time, and why.", "short",
                [query(f"{by_variant('setpoint_decision_info', also='action, reason')}", "{{action}}: {{reason}}")],
                stack=True, lines=False)
    board.graph("Drift", "1 while a field differs from the configuration.", "short",
                [query(by_variant("setpoint_drift", also="field"), "{{field}}")], stack=True, lines=False)
    board.graph("CloudWatch alarms", "State of the policy's alarms.", "short",
                [query(f"{by_variant('setpoint_alarm_state', also='alarm, state')} == 1", "{{alarm}}: {{state}}")],
                stack=True, lines=False)
    board.graph("Others at work", "Competing policies, another writer, suspended directions.", "short", [
        query(by_variant("setpoint_competing_policies"), "competing policies"),
        query(by_variant("setpoint_other_writer"), "other writer"),
        query(by_variant("setpoint_scaling_suspended", also="direction"), "suspended: {{direction}}")], w=12)
    board.graph("Freshness", "Age of what is known about the variant.", "s", [
        query(age("setpoint_last_pass_timestamp_seconds"), "last pass"),
        query(age("setpoint_last_successful_pass_timestamp_seconds"), "last successful pass"),
        query(age("setpoint_telemetry_read_timestamp_seconds"), "CloudWatch read"),
        query(age("setpoint_newest_datapoint_timestamp_seconds"), "newest datapoint")], w=12)
    board.graph("Load test", "Age of the configured load test, and whether it still counts.", "none", [
        query(f"({age('setpoint_load_test_timestamp_seconds')}) / 86400", "days old"),
        query(by_variant("setpoint_load_test_valid"), "valid")], w=12)
    board.graph("Comparable", "0 while something managed could not be read.", "short",
                [query(by_variant("setpoint_comparable"), "comparable")], w=12, thresholds=steps((None, "red"), (1, "green")))
    return board.json()


ALL = {"fleet": fleet(), "variant": variant()}


def draw(dashboard):
    """The grid as text, two rows of it in a line: how the layout is looked at without Grafana."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    canvas = [[" "] * (WIDTH * 4 + 1) for _ in range(height // 2 + 2)]
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        left, top, width = place["x"] * 4, (place["y"] + 1) // 2, place["w"] * 4
        bottom = (place["y"] + place["h"] + 1) // 2
        label = ("= " if panel["type"] == "row" else "") + panel["title"]
        for row in range(top, bottom):
            canvas[row][left] = canvas[row][left + width] = "|"
        for column in range(left, left + width):
            canvas[bottom][column] = "_" if canvas[bottom][column] == " " else canvas[bottom][column]
        for offset, letter in enumerate(label[: width - 2]):
            canvas[top][left + 2 + offset] = letter
    return "\n".join("".join(row).rstrip() for row in canvas)


if __name__ == "__main__":
    for name, board in ALL.items():
        print(f"{name}\n{draw(board)}\n")
