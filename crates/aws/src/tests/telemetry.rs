//! `GetMetricData`: batches, pages and the status of each result, in the CBOR that AWS speaks.

use aws_smithy_cbor::Encoder;
use aws_smithy_types::DateTime;
use chrono::DateTime as ChronoDateTime;

use super::{Replay, resource};
use setpoint_core::model::fact::WhyKind;
use setpoint_core::model::time::Timestamp;
use setpoint_core::model::units::LatencyStatistic;
use setpoint_core::ports::{ErrorKind, Metric, MetricAnswer, MetricQuery};

fn at(minute: i64) -> Timestamp {
    ChronoDateTime::from_timestamp(1_700_000_040 + minute * 60, 0).unwrap()
}

fn queries(n: usize) -> Vec<MetricQuery> {
    let query = MetricQuery {
        resource: resource(),
        metric: Metric::ModelLatency(LatencyStatistic::P99),
        period_seconds: 60,
    };
    vec![query; n]
}

fn points(answer: &MetricAnswer) -> Vec<(Timestamp, f64)> {
    answer.as_ref().unwrap().iter().collect()
}

/// A result: id, points as (minute, value), status.
type WireResult<'a> = (String, &'a [(i64, f64)], &'a str);

/// One page: results, and the token of the next.
fn page(results: &[WireResult<'_>], token: Option<&str>) -> (u16, Vec<u8>) {
    let mut body = Encoder::new(Vec::new());
    body.begin_map();
    body.str("MetricDataResults").array(results.len());
    for (id, points, status) in results {
        body.begin_map();
        body.str("Id").str(id);
        body.str("StatusCode").str(status);
        body.str("Timestamps").array(points.len());
        for (minute, _) in *points {
            body.timestamp(&DateTime::from_secs(at(*minute).timestamp()));
        }
        body.str("Values").array(points.len());
        for (_, value) in *points {
            body.double(*value);
        }
        body.end();
    }
    if let Some(token) = token {
        body.str("NextToken").str(token);
    }
    body.end();
    (200, body.into_writer())
}

fn all_complete(n: usize) -> (u16, Vec<u8>) {
    let results: Vec<_> =
        (0..n).map(|i| (format!("q{i}"), &[(0_i64, 1.0)] as &[(i64, f64)], "Complete")).collect();
    page(&results, None)
}

#[tokio::test]
async fn pages_are_merged_by_id_in_time_order() {
    let replay = Replay::of(vec![
        page(
            &[
                ("q1".into(), &[(0, 10.0)], "PartialData"),
                ("q0".into(), &[(1, 2.0), (2, 3.0)], "PartialData"),
            ],
            Some("t1"),
        ),
        page(&[("q0".into(), &[(0, 1.0)], "Complete"), ("q1".into(), &[], "Complete")], None),
    ])
    .await;
    let answers = replay.aws.metrics.metric_data(&queries(2), at(0), at(3)).await;
    assert_eq!(points(&answers[0]), [(at(0), 1.0), (at(1), 2.0), (at(2), 3.0)]);
    assert_eq!(points(&answers[1]), [(at(0), 10.0)]);
    let calls = replay.calls();
    assert_eq!(calls.iter().map(|c| c.metrics_requested).collect::<Vec<_>>(), [2, 2]);
}

#[tokio::test]
async fn a_result_says_itself_what_is_wrong_with_it() {
    let results = [
        ("q0".to_owned(), &[(0_i64, 1.0)] as &[(i64, f64)], "Complete"),
        ("q1".to_owned(), &[(0, 1.0)], "PartialData"),
        ("q2".to_owned(), &[], "Forbidden"),
        ("q3".to_owned(), &[], "InternalError"),
        ("q4".to_owned(), &[], "Maybe"),
    ];
    let replay = Replay::of(vec![page(&results, None)]).await;
    let answers = replay.aws.metrics.metric_data(&queries(6), at(0), at(3)).await;
    assert_eq!(points(&answers[0]), [(at(0), 1.0)]);
    let whys: Vec<_> = answers[1..].iter().map(|a| a.as_ref().unwrap_err().kind).collect();
    assert_eq!(
        whys,
        [
            WhyKind::Incomplete,
            WhyKind::Denied,
            WhyKind::Transient,
            WhyKind::Garbage,
            WhyKind::Incomplete,
        ]
    );
}

#[tokio::test]
async fn no_datapoint_is_an_empty_answer() {
    let replay = Replay::of(vec![page(&[("q0".into(), &[], "Complete")], None)]).await;
    let answers = replay.aws.metrics.metric_data(&queries(1), at(0), at(3)).await;
    assert_eq!(points(&answers[0]), []);
}

#[tokio::test]
async fn one_failing_batch_fails_only_its_own_queries() {
    let denied = {
        let mut body = Encoder::new(Vec::new());
        body.begin_map().str("__type").str("AccessDeniedException").str("message").str("no").end();
        (400, body.into_writer())
    };
    let replay = Replay::of(vec![all_complete(500), denied, all_complete(1)]).await;
    let answers = replay.aws.metrics.metric_data(&queries(1001), at(0), at(3)).await;
    assert_eq!(answers.len(), 1001);
    assert!(answers[..500].iter().all(Result::is_ok));
    assert!(answers[500..1000].iter().all(|a| a.as_ref().unwrap_err().kind == WhyKind::Denied));
    assert!(answers[1000].is_ok());
    let metrics: Vec<_> = replay.calls().iter().map(|c| c.metrics_requested).collect();
    assert_eq!(metrics, [500, 0, 1]);
}

#[tokio::test]
async fn pages_without_end_are_given_up() {
    let endless = page(&[("q0".into(), &[(0, 1.0)], "PartialData")], Some("again"));
    let replay = Replay::of(vec![endless; 64]).await;
    let answers = replay.aws.metrics.metric_data(&queries(1), at(0), at(3)).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind, WhyKind::Incomplete);
    assert!(replay.sent().len() < 64);
}

#[tokio::test]
async fn alarms_without_a_list_are_garbage() {
    let empty = {
        let mut body = Encoder::new(Vec::new());
        body.begin_map().end();
        (200, body.into_writer())
    };
    let replay = Replay::of(vec![empty]).await;
    let error = replay.aws.metrics.alarms("TargetTracking-").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Garbage);
}

#[tokio::test]
async fn a_datapoint_that_cannot_be_spoils_its_own_query_and_no_other() {
    for wrong in [f64::NAN, f64::INFINITY, -1.0] {
        let bad = [(0, 5.0), (1, wrong)];
        let good = [(0, 7.0)];
        let results: Vec<WireResult<'_>> =
            vec![("q0".to_owned(), &bad, "Complete"), ("q1".to_owned(), &good, "Complete")];
        let replay = Replay::of(vec![page(&results, None)]).await;
        let answers = replay.aws.metrics.metric_data(&queries(2), at(0), at(2)).await;
        let why = answers[0].as_ref().unwrap_err();
        assert_eq!(why.kind, WhyKind::Garbage, "{wrong}");
        assert!(why.message.contains("(allowed: a finite number, 0 or more)"), "{}", why.message);
        assert_eq!(points(&answers[1]), [(at(0), 7.0)], "{wrong}");
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    let head = if length < 24 { vec![0x60 | length] } else { vec![0x78, length] };
    [head, text.as_bytes().to_vec()].concat()
}

/// Lists with and without a length, instants as whole numbers and as floats, floats of any width, null
/// for what is absent, members in any order and new ones.
fn another_form() -> Vec<u8> {
    let first = u32::try_from(at(0).timestamp()).unwrap();
    let later = at(1).timestamp() as f64;
    [
        vec![0xBF],
        text("Surprise"),
        vec![0x82, 0x01, 0x9F, 0x60, 0xFF],
        text("MetricDataResults"),
        vec![0x9F, 0xA6],
        text("Values"),
        [&[0x9F, 0xFA][..], &1.5_f32.to_be_bytes(), &[0xFB], &2.0_f64.to_be_bytes(), &[0xFF]]
            .concat(),
        text("Timestamps"),
        [&[0x82, 0xC1, 0x1A][..], &first.to_be_bytes(), &[0xC1, 0xFB], &later.to_be_bytes()]
            .concat(),
        text("Label"),
        vec![0xF6],
        text("Mood"),
        vec![0xA1, 0x61, b'a', 0xF5],
        text("StatusCode"),
        text("Complete"),
        text("Id"),
        text("q0"),
        vec![0xFF],
        text("NextToken"),
        vec![0xF6, 0xFF],
    ]
    .concat()
}

#[tokio::test]
async fn all_forms_of_cbor_are_read() {
    let replay = Replay::of(vec![(200, another_form())]).await;
    let answers = replay.aws.metrics.metric_data(&queries(1), at(0), at(3)).await;
    assert_eq!(points(&answers[0]), [(at(0), 1.5), (at(1), 2.0)]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let whole = another_form();
    for length in 0..whole.len() {
        let replay = Replay::of(vec![(200, whole[..length].to_vec()); 8]).await;
        let answers = replay.aws.metrics.metric_data(&queries(1), at(0), at(3)).await;
        assert!(answers[0].is_err(), "{length} of {} bytes: {answers:?}", whole.len());
    }
    let uneven = {
        let mut body = Encoder::new(Vec::new());
        body.begin_map().str("MetricDataResults").array(1).begin_map().str("Id").str("q0");
        body.str("StatusCode").str("Complete").str("Timestamps").array(0);
        body.str("Values").array(1).double(1.0);
        body.end().end();
        (200, body.into_writer())
    };
    let replay = Replay::of(vec![uneven]).await;
    let answers = replay.aws.metrics.metric_data(&queries(1), at(0), at(3)).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind, WhyKind::Garbage);
}
