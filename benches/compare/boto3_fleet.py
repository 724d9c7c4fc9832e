"""What a good engineer's script makes of the same questions that a pass of setpoint answers.

Paginators everywhere, one client for each service, 500 queries in a GetMetricData, nothing kept
that is not needed: lists endpoints, targets, policies, scheduled actions and alarms, describes each
endpoint, reads the last 15 minutes of five metrics of each variant, and says which policies have
another target value than the load test allows. No estimate, no history, no memory of what was.

Prints a figure a line: `name<TAB>value`. The first pass pays for the models that boto3 loads; what is
printed is the mean of the passes after it.
"""

import datetime
import os
import resource
import sys
import time

import boto3
from botocore.config import Config

PASSES = 2
MAX_RPS = 20
SAFETY_FACTOR = 0.7
QUERIES_PER_CALL = 500
METRICS = [
    ("InvocationsPerInstance", "Sum"),
    ("Invocations", "Sum"),
    ("Invocation5XXErrors", "Sum"),
    ("ModelLatency", "p50"),
    ("ModelLatency", "p99"),
]


def clients(url):
    session = boto3.session.Session(
        aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"
    )
    config = Config(retries={"mode": "standard"}, parameter_validation=False)
    names = ("sagemaker", "application-autoscaling", "cloudwatch")
    return [session.client(name, endpoint_url=url, config=config) for name in names]


def pages(client, operation, key, **arguments):
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]


def metric_data(cloudwatch, resources, start, end):
    """The datapoints of each resource, by metric and statistic."""
    queries = [
        (resource, metric, statistic) for resource in resources for metric, statistic in METRICS
    ]
    paginator = cloudwatch.get_paginator("get_metric_data")
    found = {}
    for first in range(0, len(queries), QUERIES_PER_CALL):
        batch = queries[first : first + QUERIES_PER_CALL]
        wire = []
        for index, (resource, metric, statistic) in enumerate(batch):
            _, endpoint, _, variant = resource.split("/")
            dimensions = [
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": variant},
            ]
            named = {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": dimensions}
            stat = {"Metric": named, "Period": 60, "Stat": statistic}
            wire.append({"Id": f"q{index}", "MetricStat": stat, "ReturnData": True})
        for page in paginator.paginate(
            MetricDataQueries=wire, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
        ):
            for result in page["MetricDataResults"]:
                resource, metric, statistic = batch[int(result["Id"][1:])]
                points = found.setdefault(resource, {}).setdefault((metric, statistic), [])
                points.extend(zip(result["Timestamps"], result["Values"]))
    return found


def one_pass(sagemaker, scaling, cloudwatch):
    sage = {"ServiceNamespace": "sagemaker"}
    endpoints = [e["EndpointName"] for e in pages(sagemaker, "list_endpoints", "Endpoints")]
    described = {name: sagemaker.describe_endpoint(EndpointName=name) for name in endpoints}
    targets = {
        target["ResourceId"]: target
        for target in pages(scaling, "describe_scalable_targets", "ScalableTargets", **sage)
    }
    policies = {}
    for policy in pages(scaling, "describe_scaling_policies", "ScalingPolicies", **sage):
        policies.setdefault(policy["ResourceId"], []).append(policy)
    actions = list(pages(scaling, "describe_scheduled_actions", "ScheduledActions", **sage))
    alarms = {
        alarm["AlarmName"]: alarm["StateValue"]
        for alarm in pages(
            cloudwatch, "describe_alarms", "MetricAlarms", AlarmNamePrefix="TargetTracking-"
        )
    }
    end = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    start = end - datetime.timedelta(minutes=15)
    datapoints = metric_data(cloudwatch, list(targets), start, end)
    wanted = MAX_RPS * SAFETY_FACTOR * 60
    differs = 0
    for resource in targets:
        for policy in policies.get(resource, []):
            tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
            differs += abs(tracking.get("TargetValue", wanted) - wanted) > 0.5
    assert len(datapoints) == len(targets) and len(described) == len(endpoints)
    return len(targets), differs, len(alarms), len(actions)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    all_clients = clients(os.environ["SETPOINT_BENCH_URL"])
    variants = one_pass(*all_clients)[0]
    assert variants == int(sys.argv[1]), variants
    cpu_before, before = cpu(), time.monotonic()
    for _ in range(PASSES):
        one_pass(*all_clients)
    print(f"CPU s\t{(cpu() - cpu_before) / PASSES}")
    print(f"wall s\t{(time.monotonic() - before) / PASSES}")
    print(f"peak memory, MiB\t{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}")


main()
