"""boto3 against a served embedded AWS.

Usage: smoke.py ENDPOINT_URL. The world must be the default scenario with stepped time. Prints
one line for each service and exits 0 when all answers are right.
"""

import datetime
import json
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


def client(service):
    return boto3.client(
        service,
        endpoint_url=URL,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20),
    )


def advance(seconds):
    request = urllib.request.Request(f"{URL}/_sim/advance?seconds={seconds}", method="POST")
    with urllib.request.urlopen(request) as response:
        now = json.load(response)["now"]
    return datetime.datetime.fromisoformat(now.replace("Z", "+00:00"))


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"{call} did not fail")


def pages(client, operation, member, **arguments):
    paginator = client.get_paginator(operation)
    return [item for page in paginator.paginate(**arguments) for item in page[member]]


def sts():
    identity = client("sts").get_caller_identity()
    assert len(identity["Account"]) == 12, identity
    print("sts: account", identity["Account"])


def sagemaker():
    sm = client("sagemaker")
    endpoints = pages(sm, "list_endpoints", "Endpoints", PaginationConfig={"PageSize": 2})
    assert endpoints, "the default scenario has endpoints"
    assert all(isinstance(e["CreationTime"], datetime.datetime) for e in endpoints)
    name = endpoints[0]["EndpointName"]
    endpoint = sm.describe_endpoint(EndpointName=name)
    config = sm.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    variant = config["ProductionVariants"][0]
    assert variant["InstanceType"].startswith("ml."), variant
    sm.describe_model(ModelName=variant["ModelName"])
    assert code_of(sm.describe_endpoint, EndpointName="nobody") == "ValidationException"

    made = [v for v in config["ProductionVariants"]]
    sm.create_endpoint_config(EndpointConfigName="smoke-config", ProductionVariants=made)
    sm.create_endpoint(EndpointName="smoke", EndpointConfigName="smoke-config")
    advance(3600)
    assert sm.describe_endpoint(EndpointName="smoke")["EndpointStatus"] == "InService"
    sm.create_endpoint_config(EndpointConfigName="smoke-config-2", ProductionVariants=made)
    sm.update_endpoint(EndpointName="smoke", EndpointConfigName="smoke-config-2")
    assert sm.describe_endpoint(EndpointName="smoke")["EndpointStatus"] == "Updating"
    advance(3600)
    updated = sm.describe_endpoint(EndpointName="smoke")
    assert updated["EndpointStatus"] == "InService", updated["EndpointStatus"]
    assert updated["EndpointConfigName"] == "smoke-config-2", updated
    print("sagemaker:", len(endpoints), "endpoints, created and updated one more")
    return "smoke", variant["VariantName"]


def autoscaling(endpoint, variant):
    aas = client("application-autoscaling")
    resource = f"endpoint/{endpoint}/variant/{variant}"
    of = {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION}
    tracking = {
        "TargetValue": 600.0,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
        },
        "ScaleInCooldown": 300,
    }
    put = {
        "PolicyName": "smoke-policy",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracking,
    }
    assert code_of(aas.put_scaling_policy, **of, **put) == "ObjectNotFoundException"
    aas.register_scalable_target(**of, MinCapacity=1, MaxCapacity=4)
    written = aas.put_scaling_policy(**of, **put)
    assert len(written["Alarms"]) == 2, written
    read = aas.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)
    (policy,) = read["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"] == tracking, policy
    assert policy["PolicyARN"] == written["PolicyARN"]
    (target,) = pages(
        aas, "describe_scalable_targets", "ScalableTargets",
        ServiceNamespace="sagemaker", ResourceIds=[resource],
    )
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4), target
    pages(aas, "describe_scheduled_actions", "ScheduledActions", ServiceNamespace="sagemaker")
    pages(aas, "describe_scaling_activities", "ScalingActivities", ServiceNamespace="sagemaker")
    too_many = code_of(
        aas.describe_scaling_policies, ServiceNamespace="sagemaker", MaxResults=11
    )
    assert too_many == "ValidationException", too_many
    print("application-autoscaling: registered, put and read back")
    return [alarm["AlarmName"] for alarm in written["Alarms"]]


def cloudwatch(alarm_names):
    cw = client("cloudwatch")
    now = advance(60)
    endpoint = client("sagemaker").list_endpoints(
        SortBy="CreationTime", SortOrder="Ascending")["Endpoints"][0]["EndpointName"]
    found = client("sagemaker").describe_endpoint(EndpointName=endpoint)
    dimensions = [
        {"Name": "EndpointName", "Value": endpoint},
        {"Name": "VariantName", "Value": found["ProductionVariants"][0]["VariantName"]},
    ]
    metric = {
        "Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": dimensions,
    }
    query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    results = pages(
        cw, "get_metric_data", "MetricDataResults",
        MetricDataQueries=[query], StartTime=now - datetime.timedelta(hours=1), EndTime=now,
    )
    assert {r["Id"] for r in results} == {"a"}, results
    assert sum(len(r["Timestamps"]) for r in results) > 30, results
    assert all(isinstance(v, float) for r in results for v in r["Values"])
    assert all(isinstance(t, datetime.datetime) for r in results for t in r["Timestamps"])

    cw.set_alarm_state(AlarmName=alarm_names[0], StateValue="ALARM", StateReason="by hand")
    (alarm,) = cw.describe_alarms(AlarmNames=[alarm_names[0]])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM", alarm
    assert isinstance(alarm["Threshold"], float), alarm
    missing = code_of(
        cw.set_alarm_state, AlarmName="nobody", StateValue="OK", StateReason="by hand"
    )
    assert missing in ("ResourceNotFound", "ResourceNotFoundException"), missing
    print("cloudwatch: read metrics, set and read an alarm")


def main():
    sts()
    endpoint, variant = sagemaker()
    cloudwatch(autoscaling(endpoint, variant))


main()
