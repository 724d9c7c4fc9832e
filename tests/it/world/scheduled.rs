//! Scheduled actions of the embedded AWS.

use setpoint::model::scaling::DIMENSION;
use setpoint::sim::api::scaling as aas;

use super::{E, build};

/// `PutScheduledAction` takes one bound alone; at its time AWS sets neither where they would cross.
#[test]
fn a_scheduled_min_above_max_fails_and_sets_nothing() {
    let sim = build(10.0, 1, 640.0);
    let put = |name: &str, min: Option<i32>, max: Option<i32>| {
        sim.put_scheduled_action(&aas::PutScheduledActionInput {
            service_namespace: "sagemaker".into(),
            resource_id: E.into(),
            scalable_dimension: DIMENSION.into(),
            scheduled_action_name: name.into(),
            schedule: Some("rate(5 minutes)".into()),
            timezone: None,
            start_time: None,
            end_time: None,
            scalable_target_action: Some(aas::ScalableTargetAction {
                min_capacity: min,
                max_capacity: max,
            }),
        })
    };
    assert_eq!(put("crossed", Some(3), Some(2)).unwrap_err().code, "ValidationException");
    let bounds = || {
        let targets = sim.describe_scalable_targets(&aas::DescribeScalableTargetsInput {
            service_namespace: "sagemaker".into(),
            resource_ids: Some(vec![E.into()]),
            scalable_dimension: Some(DIMENSION.into()),
            max_results: None,
            next_token: None,
        });
        let target = targets.unwrap().scalable_targets.remove(0);
        (target.min_capacity, target.max_capacity)
    };
    let before = bounds();
    put("floor", Some(before.1 + 1), None).unwrap();
    sim.advance(6 * 60);
    assert_eq!(bounds(), before);
    let failed = sim.describe_scaling_activities(&aas::DescribeScalingActivitiesInput {
        service_namespace: "sagemaker".into(),
        resource_id: Some(E.into()),
        scalable_dimension: Some(DIMENSION.into()),
        max_results: None,
        next_token: None,
        include_not_scaled_activities: None,
    });
    let failed = failed.unwrap().scaling_activities.remove(0);
    assert_eq!(failed.status_code, "Failed");
    assert!(failed.cause.contains("scheduled action name floor"), "{failed:?}");
    put("floor", Some(before.0 + 1), None).unwrap();
    sim.advance(6 * 60);
    assert_eq!(bounds(), (before.0 + 1, before.1));
}
