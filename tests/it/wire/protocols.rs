//! The protocols as raw HTTP: routing, spellings of errors, broken bodies, compression.

use std::io::Write as _;

use serde_json::{Value, json};

use super::support::{Answer, SIGNED, demo, get, json_call, post, serve};

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const CBOR_PATH: &str = "/service/GraniteServiceVersion20100801/operation/";

fn form(url: &str, body: &str) -> Answer {
    post(url, "/", &[("content-type", FORM), ("authorization", SIGNED)], body.as_bytes())
}

fn cbor(url: &str, operation: &str, body: &[u8]) -> Answer {
    let headers = [
        ("content-type", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("authorization", SIGNED),
    ];
    post(url, &format!("{CBOR_PATH}{operation}"), &headers, body)
}

/// Status, `__type` and message of a JSON error, which must be in its header too.
fn json_error(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let code = body["__type"].as_str().expect("__type").to_owned();
    assert_eq!(answer.header("x-amzn-errortype"), code);
    assert!(!answer.header("x-amzn-requestid").is_empty());
    let message = body.get("Message").or_else(|| body.get("message"));
    let message = message.and_then(Value::as_str).expect("a message").to_owned();
    (answer.status, code, message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_operation_names_those_there_are() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    for (target, served) in [
        ("AnyScaleFrontendService.GetPredictiveScalingForecast", "DescribeScalingPolicies"),
        ("SageMaker.CreateTrainingJob", "DescribeEndpointConfig"),
        ("GraniteServiceVersion20100801.PutDashboard", "GetMetricData"),
    ] {
        let (status, code, message) = json_error(&json_call(&url, target, &json!({})));
        assert_eq!((status, code.as_str()), (400, "UnknownOperationException"));
        assert!(message.contains(served), "{message}");
    }
    let answer = cbor(&url, "PutDashboard", &[0xa0]);
    assert_eq!(answer.header("x-amzn-errortype"), "UnknownOperationException");
    assert_eq!(answer.header("x-amzn-query-error"), "InvalidAction;Sender");
    assert_eq!(answer.header("smithy-protocol"), "rpc-v2-cbor");
    let answer = form(&url, "Action=GetSessionToken&Version=2011-06-15");
    assert!(answer.text().contains("<Code>InvalidAction</Code>"), "{}", answer.text());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_aws_request_is_told_what_is_spoken_here() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    let signed = ("authorization", SIGNED);
    let unknown = [
        get(&url, "/"),
        get(&url, "/some/bucket"),
        post(&url, "/some/path", &[signed], b"{}"),
        post(&url, "/", &[signed, ("content-type", "text/plain")], b"{}"),
        post(&url, "/", &[signed, ("x-amz-target", "DynamoDB_20120810.ListTables")], b"{}"),
        post(&url, &format!("{CBOR_PATH}GetMetricData"), &[signed], b"\xa0"),
    ];
    for answer in unknown {
        let (status, code, message) = json_error(&answer);
        assert_eq!((status, code.as_str()), (404, "UnknownOperationException"));
        assert!(message.contains("RPC v2 CBOR"), "{message}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_signature_is_refused_in_its_protocol() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    let target = ("x-amz-target", "SageMaker.ListEndpoints");
    for headers in [vec![target], vec![target, ("authorization", "Bearer x")]] {
        let (status, code, _) = json_error(&post(&url, "/", &headers, b"{}"));
        assert_eq!((status, code.as_str()), (403, "MissingAuthenticationToken"));
    }
    let body = b"Action=GetCallerIdentity&Version=2011-06-15";
    let answer = post(&url, "/", &[("content-type", FORM)], body);
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("<Code>MissingAuthenticationToken</Code>"));
    let headers = [("smithy-protocol", "rpc-v2-cbor")];
    let answer = post(&url, &format!("{CBOR_PATH}GetMetricData"), &headers, &[0xa0]);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("x-amzn-query-error"), "MissingAuthenticationToken;Sender");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_cannot_be_read_is_a_serialization_exception() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    for body in [&b"{"[..], b"[]", b"\xff", br#"{"MaxResults": "many"}"#] {
        let headers = [("x-amz-target", "SageMaker.ListEndpoints"), ("authorization", SIGNED)];
        let (status, code, _) = json_error(&post(&url, "/", &headers, body));
        assert_eq!((status, code.as_str()), (400, "SerializationException"));
    }
    for body in [&b"\xff"[..], b"\x01", b"\xa1\x61"] {
        let answer = cbor(&url, "DescribeAlarms", body);
        assert_eq!(
            (answer.status, answer.header("x-amzn-errortype")),
            (400, "SerializationException")
        );
    }
    let answer = form(&url, "Action=DescribeAlarms&Version=2010-08-01&MaxRecords=many");
    assert!(answer.text().contains("<Code>SerializationException</Code>"), "{}", answer.text());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_may_be_compressed_but_not_bombs() {
    let server = serve(demo()).await;
    let url = server.endpoint_url();
    let gzip = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let headers = [
        ("x-amz-target", "GraniteServiceVersion20100801.DescribeAlarms"),
        ("authorization", SIGNED),
        ("content-encoding", "gzip"),
    ];
    let whole = gzip(br#"{"MaxRecords": 1}"#);
    let answer = post(&url, "/", &headers, &whole);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["MetricAlarms"].as_array().unwrap().len(), 1);

    let (_, code, _) = json_error(&post(&url, "/", &headers, &whole[..whole.len() - 9]));
    assert_eq!(code, "SerializationException");
    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    let (status, code, _) = json_error(&post(&url, "/", &headers, &bomb));
    assert_eq!((status, code.as_str()), (413, "RequestEntityTooLargeException"));
    let other = [headers[0], headers[1], ("content-encoding", "br")];
    let (_, code, message) = json_error(&post(&url, "/", &other, &whole));
    assert_eq!(code, "SerializationException");
    assert!(message.contains("allowed: gzip"), "{message}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_auto_scaling_spells_message_with_a_capital() {
    let server = serve(demo()).await;
    let input = json!({"ServiceNamespace": "sagemaker", "MaxResults": 11});
    let target = "AnyScaleFrontendService.DescribeScalingPolicies";
    let answer = json_call(&server.endpoint_url(), target, &input);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["__type"], "ValidationException");
    assert!(answer.json()["Message"].is_string());
    assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sts_speaks_query() {
    let server = serve(demo()).await;
    let answer = form(&server.endpoint_url(), "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/xml"));
    let xml = answer.text();
    assert!(xml.contains("<GetCallerIdentityResult>"), "{xml}");
    assert!(xml.contains("<Account>123456789012</Account>"), "{xml}");
    assert!(xml.contains("<RequestId>"), "{xml}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cloudwatch_gives_the_same_numbers_in_json_and_query() {
    let sim = demo();
    let server = serve(sim.clone()).await;
    let url = server.endpoint_url();
    let (endpoint, variant) = super::support::first_variant(&url);
    let (end, start) = (sim.now(), sim.now() - chrono::TimeDelta::minutes(20));
    let query = json!({"Id": "a", "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {
    "Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": [
        {"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}
    ]}}});
    let input = json!({"MetricDataQueries": [query], "StartTime": start.timestamp(),
        "EndTime": end.timestamp()});
    let json = json_call(&url, "GraniteServiceVersion20100801.GetMetricData", &input);
    assert_eq!(json.header("content-type"), "application/x-amz-json-1.0");
    let result = json.json()["MetricDataResults"][0].clone();
    let values = result["Values"].as_array().expect("values").clone();
    assert!(values.len() > 10, "{result}");
    let newest = result["Timestamps"][0].as_f64().expect("epoch seconds");
    assert!(newest as i64 >= start.timestamp() && (newest as i64) < end.timestamp());

    let prefix = "MetricDataQueries.member.1";
    let metric = format!("{prefix}.MetricStat.Metric");
    let fields = format!(
        "Action=GetMetricData&Version=2010-08-01&{prefix}.Id=a&{prefix}.MetricStat.Period=60&\
         {prefix}.MetricStat.Stat=Sum&{metric}.Namespace=AWS%2FSageMaker&\
         {metric}.MetricName=Invocations&{metric}.Dimensions.member.1.Name=EndpointName&\
         {metric}.Dimensions.member.1.Value={endpoint}&\
         {metric}.Dimensions.member.2.Name=VariantName&\
         {metric}.Dimensions.member.2.Value={variant}&StartTime={}&EndTime={}",
        start.format("%Y-%m-%dT%H:%M:%SZ"),
        end.format("%Y-%m-%dT%H:%M:%SZ"),
    );
    let xml = form(&url, &fields).text();
    let first = format!("<Values><member>{}</member>", values[0]);
    assert!(xml.contains(&first), "{first} in {xml}");
    assert_eq!(xml.matches("<member>").count(), 1 + 2 * values.len(), "{xml}");
    let newest = chrono::DateTime::from_timestamp(newest as i64, 0).unwrap();
    let stamp = newest.format("<Timestamps><member>%Y-%m-%dT%H:%M:%S.000Z</member>").to_string();
    assert!(xml.contains(&stamp), "{stamp} in {xml}");
    server.stop().await;
}
