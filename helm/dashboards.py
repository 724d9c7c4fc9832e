"""The Grafana dashboards, written as panels on a grid; helm/generate turns them into JSON.

Every query of a variant's series aggregates with `max by (account_id, region, endpoint, variant)`,
so that a change of leader never doubles a line.
"""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Which setpoint: of which cluster, under which job. A Prometheus without a label `cluster` has only
# "All", which matches series without it.
PROCESS = 'cluster=~"$cluster",job=~"$job"'
SCOPE = f'{PROCESS},account_id=~"$account",region=~"$region"'
SELECT = f'{SCOPE},endpoint=~"$endpoint",variant=~"$variant"'
FIRING = 'alertname=~"Setpoint.+",alertstate="firing"'
# The most lines of a panel that could have one for each variant, and the most rows of a table.
MOST_LINES = 20
MOST_ROWS = 100
# What the chart replaces by `grafanaDashboards.statusPageUrl`: where a port-forward serves it.
STATUS_PAGE = "http://127.0.0.1:9090"
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


def in_fleet(metric, also=""):
    """How many variants of the chosen accounts and regions, those without series of their own as well."""
    labels = "account_id, region" + (f", {also}" if also else "")
    return f"sum{f' by ({also})' if also else ''} (max by ({labels}) ({metric}{{{SCOPE}}}))"


def age(metric, also=""):
    """Seconds since the time that a metric holds, for each variant."""
    return f"time() - {by_variant(metric, also=also)}"


def most(expr, limit):
    """The series that are highest at the end of what is shown: a panel of a thousand lines says nothing.

    A metric by itself, for `@` stands beside a selector.
    """
    return f"topk({limit}, {expr.replace('})', '} @ end())')})"


def process(metric, matchers=""):
    """A series of the chosen processes."""
    return f"{metric}{{{PROCESS}{',' if matchers else ''}{matchers}}}"


def variant_links(account, region, endpoint, variant):
    """From a variant to its dashboard and its page; the arguments are Grafana's words for its labels."""
    dashboard = ("/d/setpoint-variant?${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}"
                 f"&var-account={account}&var-region={region}&var-endpoint={endpoint}&var-variant={variant}"
                 "&${__url_time_range}")
    page = f"${{status_page}}/variants/{endpoint}/{variant}"
    return [{"title": "Dashboard of the variant", "url": dashboard, "targetBlank": False},
            {"title": "Status page of the variant", "url": page, "targetBlank": True}]


LINKS_OF_A_LINE = variant_links(*(f"${{__field.labels.{label}}}" for label in VARIANT.split(", ")))
LINKS_OF_A_ROW = variant_links(*(f"${{__data.fields.{name}}}" for name in ("account", "region", "endpoint", "variant")))


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

    def annotate(self, name, colour, expr, title, text, **more):
        self.annotations.append({
            "name": name, "enable": True, "iconColor": colour, "datasource": DATASOURCE, "expr": expr,
            "titleFormat": title, "textFormat": text, "step": "60s", **more,
        })

    def annotate_deploys(self):
        # The value of the series is the time, in milliseconds.
        self.annotate("Deploys", "purple", f"1000 * {by_variant('setpoint_regime_start_timestamp_seconds', also='cause')}",
                      "New regime: {{cause}}", NAME, useValueForTime=True)

    def alerts(self, matchers, w=24, h=6):
        self.table("Firing alerts", "Alerts of setpoint that are firing, by the rules of the chart.", "none",
                   [query(f"max by ({VARIANT}, alertname, severity) (ALERTS{{{FIRING},{matchers}}})")],
                   {"account_id": "account", "Value": "firing", "Value #A": "firing"}, w=w, h=h,
                   defaults={"noValue": "none"})

    def json(self):
        # An account and region that cannot be read may have no variant that is known.
        labels = [("cluster", "Cluster", "cluster", "setpoint_build_info"),
                  ("job", "Job", "job", 'setpoint_build_info{cluster=~"$cluster"}'),
                  ("account", "Account", "account_id", f"setpoint_scope_readable{{{PROCESS}}}"),
                  ("region", "Region", "region", f'setpoint_scope_readable{{{PROCESS},account_id=~"$account"}}'),
                  ("endpoint", "Endpoint", "endpoint", f"setpoint_managed{{{SCOPE}}}"),
                  ("variant", "Variant", "variant", f'setpoint_managed{{{SCOPE},endpoint=~"$endpoint"}}')]
        variables = [{"name": "datasource", "label": "Data source", "type": "datasource",
                      "query": "prometheus", "hide": 0, "refresh": 1, "regex": "", "current": {}}]
        for name, label, key, series in labels:
            values = f"label_values({series}, {key})"
            several = self.multi or name in ("cluster", "job")
            variables.append({
                "name": name, "label": label, "type": "query", "datasource": DATASOURCE, "hide": 0,
                "query": {"query": values, "refId": name}, "definition": values, "refresh": 2, "sort": 1,
                "regex": "", "multi": several, "includeAll": several, "allValue": ".*" if several else None,
                "current": {"text": "All", "value": "$__all"} if several else {},
            })
        page = {"text": STATUS_PAGE, "value": STATUS_PAGE}
        variables.append({"name": "status_page", "label": "Status page", "type": "textbox", "hide": 2,
                          "query": STATUS_PAGE, "current": page, "options": [{"selected": True, **page}]})
        return {
            "uid": self.uid, "title": self.title, "description": self.description, "tags": ["setpoint", "sagemaker"],
            "schemaVersion": 39, "version": 1, "editable": True, "timezone": "browser", "refresh": "1m",
            "time": {"from": "now-24h" if self.multi else "now-7d", "to": "now"}, "graphTooltip": 1,
            "templating": {"list": variables}, "annotations": {"list": self.annotations},
            "links": [{"type": "dashboards", "title": "setpoint", "tags": ["setpoint"], "asDropdown": False,
                       "includeVars": True, "keepTime": True, "icon": "dashboard"},
                      {"type": "link", "title": "Status page", "icon": "external link", "targetBlank": True,
                       "tooltip": "setpoint's own page", "keepTime": False, "includeVars": False,
                       "url": "${status_page}/" if self.multi else "${status_page}/variants/$endpoint/$variant"}],
            "panels": self.panels,
        }


def fleet():
    board = Board("setpoint-fleet", "setpoint / fleet",
                  "Every variant: is its target value right, has it drifted, what was done about it, and "
                  "what watching it costs.", multi=True)
    board.section("Now")
    small = {"w": 3}
    board.stat("Managed variants", "Variants that the configuration lists.", "short",
               in_fleet('setpoint_fleet_managed'), **small)
    board.stat("Unsafe", "Variants whose target value is unsafe by what was measured, as configured or not: above "
               "capacity, claiming more capacity than there is, or breaking the objective.", "short",
               f"sum(max by ({VARIANT}) ({by_variant('setpoint_variant_safety', UNSAFE, also='state')}))", BAD_ABOVE_ZERO,
               **small)
    board.stat("Drifted", "Variants with a managed field that differs from the configuration.", "short",
               f"sum(max by ({VARIANT}) ({by_variant('setpoint_drift', also='field')}))", WARN_ABOVE_ZERO, **small)
    board.stat("Not comparable", "Variants for which something managed could not be read. Whether they are in sync "
               "is unknown.", "short", f"sum(1 - {by_variant('setpoint_comparable')})", WARN_ABOVE_ZERO, **small)
    board.stat("Not readable", "Accounts and regions whose endpoints and scalable targets cannot be listed: they may have "
               "variants that no panel shows.", "short",
               f"sum(1 - max by (account_id, region) (setpoint_scope_readable{{{SCOPE}}}))", BAD_ABOVE_ZERO, **small)
    board.stat("Memory broken", "Processes that cannot read or save what they must remember: nothing is repaired.", "short",
               'sum(1 - min by (job, instance) ({__name__=~"setpoint_memory_(readable|writable)",' + PROCESS + '}))',
               BAD_ABOVE_ZERO, **small)
    board.stat("Leaders", "Processes that may write, for each shard: 1 is right, with or without shards.", "short",
               f"""sum({process('leader_election_master_status', 'name="setpoint"')}) / """
               f"""max({process('setpoint_total_shards')})""", steps((None, "red"), (1, "green"), (1.01, "red")), **small)
    board.stat("Oldest pass", "Age of the last pass of the variant that waits longest.", "s",
               f"max({age('setpoint_last_pass_timestamp_seconds')})", steps((None, "green"), (300, "orange"), (1800, "red")),
               **small)

    board.alerts(SELECT)

    board.section("Target values")
    divergence = by_variant("setpoint_target_divergence_ratio")
    listed = f"and on ({VARIANT}) topk({MOST_ROWS}, {divergence})"
    board.table("Divergence, worst first", "Configured target over safe target: above 1 the variant scales out too "
                f"late, below 1 it pays for idle instances. The {MOST_ROWS} highest; a variant without a measured "
                "capacity is not listed. A click leads to the variant.",
                "none", [
                    query(f"sort_desc(topk({MOST_ROWS}, {divergence}))"),
                    query(f"{by_variant('setpoint_configured_target_invocations_per_minute')} {listed}"),
                    query(f"{by_variant('setpoint_safe_target_invocations_per_minute')} {listed}"),
                    query(by_variant("setpoint_capacity_invocations_per_minute", 'bound="high"') + f" {listed}"),
                ], {"Value #A": "divergence", "Value #B": "configured target", "Value #C": "safe target",
                    "Value #D": "capacity at most", "account_id": "account"}, sort="divergence",
                overrides=[{"matcher": {"id": "byName", "options": "divergence"},
                            "properties": [{"id": "thresholds", "value": DIVERGENCE}, {"id": "decimals", "value": 2},
                                           {"id": "custom.cellOptions", "value": {"type": "color-background"}}]}],
                defaults={"links": LINKS_OF_A_ROW})
    board.graph("Divergence", f"Configured target over safe target, of the {MOST_LINES} variants that are highest now.", "none",
                [query(f"{divergence} and on ({VARIANT}) {most(divergence, MOST_LINES)}", NAME)], w=12,
                thresholds=DIVERGENCE, custom={"thresholdsStyle": {"mode": "dashed"}},
                defaults={"links": LINKS_OF_A_LINE})
    board.graph("Findings", "Variants with each finding, confirmed twice.", "short",
                [query(f"sum by (finding) ({by_variant('setpoint_divergence', also='finding')})", "{{finding}}")], w=12)
    board.graph("Drift by field", "Variants whose field differs from the configuration.", "short",
                [query(f"sum by (field) ({by_variant('setpoint_drift', also='field')})", "{{field}}")], stack=True, w=6)
    board.graph("Verdicts", "How far the capacity of all variants of the accounts and regions is known.", "short",
                [query(in_fleet("setpoint_fleet_capacity_verdict", also="verdict"), "{{verdict}}")],
                stack=True, w=6)
    board.graph("Modes", "What setpoint may do with all variants of the accounts and regions.", "short",
                [query(in_fleet("setpoint_fleet_mode", also="mode"), "{{mode}}")], stack=True, w=6)
    board.graph("Conditions", "Variants by what else holds of them: competing policies, deploys that set the count back, "
                "bounds that bind, numbers that look like a mistake.", "short",
                [query(f"sum by (reason) ({by_variant('setpoint_condition', also='reason')})", "{{reason}}")], stack=True,
                w=6)

    board.section("Decisions and writes")
    board.graph("What is decided, and why not", "Current decisions about all variants of the accounts and regions, by action "
                "and reason.", "short",
                [query(in_fleet("setpoint_fleet_decision", also="action, reason"), "{{action}}: {{reason}}")], stack=True)
    board.graph("Decisions", "Decisions taken a minute, without those that found nothing to do.", "short",
                [query('60 * sum by (action, reason) (rate(setpoint_decisions_total{' + PROCESS + ',action!="none"}[$__rate_interval])) > 0',
                       "{{action}}: {{reason}}")])
    board.graph("Writes", "Calls an hour that change something in AWS.", "short",
                [query(f"3600 * sum by (operation, result) (rate({process('setpoint_writes_total')}[$__rate_interval]))",
                       "{{operation}}: {{result}}")], lines=False)

    board.section("CloudWatch cost and AWS API")
    board.stat("Cost a month", "What GetMetricData costs in 30 days at the last day's pace.", "currencyUSD",
               f"30 * sum(increase(setpoint_cloudwatch_cost_dollars_total{{{SCOPE}}}[1d]))", h=8)
    board.stat("Budget used", "That over the configured budget; at 100 % telemetry is no longer read.", "percentunit",
               f"30 * sum(increase(setpoint_cloudwatch_cost_dollars_total{{{SCOPE}}}[1d])) / "
               f"sum(max by (namespace, job, shard) ({process('setpoint_cloudwatch_budget_dollars')}))", steps((None, "green"), (0.8, "orange"), (1, "red")), h=8)
    board.graph("Metrics requested", "Metrics read from CloudWatch an hour, which is what AWS bills.", "short",
                [query(f"topk({MOST_LINES}, 3600 * sum by (account_id, region) "
                       f"(rate(setpoint_cloudwatch_metrics_requested_total{{{SCOPE}}}[$__rate_interval])))",
                       "{{account_id}} {{region}}")], h=8)
    board.graph("AWS calls", "Calls to AWS a second.", "reqps",
                [query(f"sum by (service, operation) (rate({process('setpoint_aws_calls_total')}[$__rate_interval]))",
                       "{{service}} {{operation}}")])
    board.graph("AWS errors", "Calls a second that failed, by AWS's code or, without one, by what went wrong on the way.", "reqps",
                [query('sum by (service, error_code) (rate(setpoint_aws_calls_total{' + PROCESS + ',error_code!=""}'
                       '[$__rate_interval]))', "{{service}} {{error_code}}")],
                thresholds=BAD_ABOVE_ZERO)
    board.graph("AWS latency", "95 % of the calls to AWS are faster, retries included.", "s",
                [query("histogram_quantile(0.95, sum by (le, service) (rate(setpoint_aws_call_duration_seconds_bucket"
                       f"{{{PROCESS}}}[$__rate_interval])))",
                       "{{service}}")])
    board.graph("Throttled and denied", "Calls a minute that AWS throttled until the retries were used up, or denied.",
                "short",
                [query("60 * sum by (service, operation) (rate(setpoint_aws_call_throttled_errors_total"
                       f"{{{PROCESS}}}[$__rate_interval]))",
                       "throttled: {{service}} {{operation}}"),
                 query("60 * sum by (service, operation) (rate(setpoint_aws_call_permission_errors_total"
                       f"{{{PROCESS}}}[$__rate_interval]))",
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
                [query(f"3600 * sum by (kind, result) (rate({process('setpoint_passes_total')}[$__rate_interval])) > 0",
                       "{{kind}}: {{result}}")], stack=True)
    board.graph("Length of a pass", "95 % of the passes take less than this for each phase.", "s", [
        query("histogram_quantile(0.95, sum by (le, phase) (rate(setpoint_pass_duration_seconds_bucket"
              f"{{{PROCESS}}}[$__rate_interval])))", "{{phase}}")])
    board.graph("CPU and memory", "What each process uses.", "short", [
        query(f"rate({process('process_cpu_seconds_total')}[$__rate_interval]) "
              "and on (job, instance) setpoint_build_info", "{{instance}}: cores"),
        query(f"{process('process_resident_memory_bytes')} / 2^30 and on (job, instance) setpoint_build_info",
              "{{instance}}: GiB")])
    board.graph("Evidence over restarts",
                "Variants that went on with the evidence of an earlier process, and those whose evidence did not fit, by why: "
                "these read the whole history. Nothing without store.path.", "short",
                [query(f"sum by (job) ({process('setpoint_evidence_resumed_total')})", "resumed"),
                 query(f"sum by (reason) ({process('setpoint_evidence_dropped_total')}) > 0", "dropped: {{reason}}")])
    board.graph("Age of the evidence", "Since evidence was last kept: what kill -9 would cost, at most 6 hours where all is well.", "s",
                [query(f"time() - max by (instance) ({process('setpoint_evidence_last_kept_timestamp_seconds')})", "{{instance}}")])
    board.graph("Leadership", "Which process is the leader, of each shard.", "short",
                [query(f"""max by (instance, pod, shard) ({process('leader_election_master_status', 'name="setpoint"')})""",
                       "shard {{shard}}: {{instance}} {{pod}}")],
                custom={"drawStyle": "line", "lineInterpolation": "stepAfter"})
    board.table("Processes", "Version of each process, and whether its last reload of the configuration succeeded.", "none",
                [query(f"max by (instance, version, revision) ({process('setpoint_build_info')})"),
                 query(f"min by (instance) ({process('setpoint_config_last_reload_successful')})")],
                {"Value #A": "up", "Value #B": "reload succeeded"}, w=8, h=8)
    return board.json()


def variant():
    board = Board("setpoint-variant", "setpoint / variant",
                  "One variant: what an instance can serve, what the target value claims, what was observed and "
                  "what was decided.", multi=False)
    board.annotate("Decisions", "blue",
                   f"{by_variant('setpoint_decision_info', ACTING, also='action, reason')} == 1",
                   "{{action}}", "{{reason}}")
    board.annotate_deploys()
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

    board.alerts(SELECT, h=5)

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
    board.graph("Scheduled floors", "Scheduled actions ahead of the week's ramps that would pay; 0 where none would, absent while that is not known.", "short",
                [query(by_variant("setpoint_floors_proposed"), "proposed"), query(by_variant("setpoint_floors_kept"), "kept")], w=12)

    board.section("Decisions, drift and alarms")
    board.graph("Decision", "What was decided over time, and why.", "short",
                [query(f"{by_variant('setpoint_decision_info', also='action, reason')}", "{{action}}: {{reason}}")],
                stack=True, lines=False)
    board.graph("Drift", "1 while a field differs from the configuration.", "short",
                [query(by_variant("setpoint_drift", also="field"), "{{field}}")], stack=True, lines=False)
    board.graph("Conditions", "What else holds of the variant, 1 while it does.", "short",
                [query(by_variant("setpoint_condition", also="reason"), "{{reason}}")], stack=True, lines=False)
    board.graph("CloudWatch alarms", "State of the policy's alarms.", "short",
                [query(f"{by_variant('setpoint_alarm_state', also='alarm, state')} == 1", "{{alarm}}: {{state}}")],
                stack=True, lines=False, w=12)
    board.graph("Others at work", "Competing policies, another writer, suspended directions.", "short", [
        query(by_variant("setpoint_competing_policies"), "competing policies"),
        query(by_variant("setpoint_other_writer"), "other writer"),
        query(by_variant("setpoint_scaling_suspended", also="direction"), "suspended: {{direction}}")], w=12)
    board.graph("Lasting", "For how long a field has differed, a finding has stood, the target value has been unsafe and changes have been held, over restarts of setpoint.", "s", [
        query(age("setpoint_drift_since_timestamp_seconds", also="field"), "drift: {{field}}"),
        query(age("setpoint_divergence_since_timestamp_seconds", also="finding"), "{{finding}}"),
        query(age("setpoint_unsafe_since_timestamp_seconds"), "unsafe"),
        query(age("setpoint_held_since_timestamp_seconds"), "held")], w=12)
    board.graph("Freshness", "Age of what is known about the variant.", "s", [
        query(age("setpoint_last_pass_timestamp_seconds"), "last pass"),
        query(age("setpoint_last_successful_pass_timestamp_seconds"), "last successful pass"),
        query(age("setpoint_telemetry_read_timestamp_seconds"), "CloudWatch read"),
        query(age("setpoint_newest_datapoint_timestamp_seconds"), "newest datapoint")])
    board.graph("Load test", "Age of the configured load test, and whether it still counts.", "none", [
        query(f"({age('setpoint_load_test_timestamp_seconds')}) / 86400", "days old"),
        query(by_variant("setpoint_load_test_valid"), "valid")])
    board.graph("Comparable", "0 while something managed could not be read.", "short",
                [query(by_variant("setpoint_comparable"), "comparable")], thresholds=steps((None, "red"), (1, "green")))
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
