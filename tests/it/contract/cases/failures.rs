//! A world that fails: the same class of error on every face.

use std::sync::Arc;

use setpoint::ports::ErrorKind;

use crate::contract::face::{Face, Trouble, put};

pub(super) async fn throttled_once_is_tried_again(face: Arc<dyn Face>) {
    face.trouble("DescribeScalableTargets", Trouble::ThrottledOnce);
    assert_eq!(face.aws().scaling.scalable_targets(None).await, Ok(vec![].into()));
}

pub(super) async fn throttled_for_good_says_so(face: Arc<dyn Face>) {
    face.trouble("DescribeScalingPolicies", Trouble::Throttled);
    let error = face.aws().scaling.scaling_policies(None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled, "{error}");
}

/// AWS tells of a missing permission of the caller by a `ValidationException`.
pub(super) async fn a_missing_permission_is_denied(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    face.trouble("PutScalingPolicy", Trouble::NotAuthorized);
    let error =
        face.aws().writes.put_scaling_policy(&put(&resource, "p", 600.0)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    assert_eq!(face.aws().scaling.scaling_policies(Some(&resource)).await, Ok(vec![].into()));
}

pub(super) async fn garbage_is_no_answer(face: Arc<dyn Face>) {
    face.trouble("ListEndpoints", Trouble::Garbage);
    let error = face.aws().endpoints.list_endpoints().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Garbage, "{error}");
}
