//! Tags of scalable targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use setpoint::model::ids::{EndpointName, ResourceId};
use setpoint::model::scaling::DIMENSION;
use setpoint::ports::{ErrorKind, PortError, Service, TagTarget};

use crate::contract::face::Face;

/// The ARN by which a target is tagged.
async fn arn(face: &Arc<dyn Face>, resource: &ResourceId) -> String {
    let of = std::slice::from_ref(resource);
    let targets = face.aws().scaling.scalable_targets(Some(of)).await.unwrap();
    targets[0].arn.clone().unwrap()
}

fn tag(arn: &str, tags: &[(&str, &str)]) -> TagTarget {
    let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    TagTarget { target_arn: arn.to_owned(), tags: tags.iter().map(owned).collect() }
}

async fn listed(face: &Arc<dyn Face>, arn: &str) -> Result<BTreeMap<String, String>, PortError> {
    face.aws().scaling.tags(arn).await
}

pub(super) async fn tags_are_set_and_replaced(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let arn = arn(&face, &resource).await;
    assert_eq!(listed(&face, &arn).await.unwrap(), BTreeMap::new());
    let aws = face.aws();
    // Every character that is allowed beside letters and digits; and no value at all.
    let odd = ("a b+c-d=e.f_g:h/i@j", "A B+C-D=E.F_G:H/I@J");
    aws.writes.tag_target(&tag(&arn, &[odd, ("owner", "search"), ("empty", "")])).await.unwrap();
    aws.writes.tag_target(&tag(&arn, &[("owner", "ranking")])).await.unwrap();
    let expected = tag(&arn, &[odd, ("owner", "ranking"), ("empty", "")]).tags;
    assert_eq!(listed(&face, &arn).await.unwrap(), expected, "others stay");
}

pub(super) async fn tags_beyond_the_limits_are_refused_whole(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let arn = arn(&face, &resource).await;
    let aws = face.aws();
    let longest = ("k".repeat(128), "v".repeat(256));
    aws.writes.tag_target(&tag(&arn, &[(&longest.0, &longest.1)])).await.unwrap();
    for wrong in [
        ("k".repeat(129), "v".to_owned()),
        (String::new(), "v".to_owned()),
        ("k".to_owned(), "v".repeat(257)),
        ("k#".to_owned(), "v".to_owned()),
        ("k".to_owned(), "{}".to_owned()),
    ] {
        let with_a_good_one = tag(&arn, &[("good", "one"), (&wrong.0, &wrong.1)]);
        let error = aws.writes.tag_target(&with_a_good_one).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{wrong:?}: {error}");
    }
    let keys: Vec<String> = (0..50).map(|n| format!("key-{n}")).collect();
    let many: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    let error = aws.writes.tag_target(&tag(&arn, &many)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Quota, "{error}");
    assert_eq!(error.code.as_deref(), Some("TooManyTagsException"));
    assert_eq!(listed(&face, &arn).await.unwrap(), [longest].into(), "all or none");
    // 49 more make 50; replacing one of them needs no room.
    aws.writes.tag_target(&tag(&arn, &many[..49])).await.unwrap();
    aws.writes.tag_target(&tag(&arn, &[("key-7", "new")])).await.unwrap();
    let all = listed(&face, &arn).await.unwrap();
    assert_eq!((all.len(), all["key-7"].as_str()), (50, "new"));
}

pub(super) async fn tags_of_endpoints_are_listed(face: Arc<dyn Face>) {
    // More than a page of them, and one without any.
    for n in 0..101 {
        face.endpoint(&format!("Tagged-{n:03}"));
    }
    face.endpoint("bare");
    let arn = |name: &str| format!("arn:aws:sagemaker:us-east-1:123456789012:endpoint/{name}");
    for n in 0..101 {
        let tags = json!([{"Key": "team", "Value": "a b"}, {"Key": "n", "Value": n.to_string()}]);
        let input = json!({"ResourceArn": arn(&format!("tagged-{n:03}")), "Tags": tags});
        face.arrange(Service::SageMaker, "AddTags", input);
    }
    let input = json!({"ResourceArn": arn("tagged-007"), "TagKeys": ["team"]});
    face.arrange(Service::SageMaker, "DeleteTags", input);
    let tags = face.aws().endpoints.endpoint_tags().await.unwrap();
    let has = |endpoint: &str, tag: &str| {
        tags.has(&EndpointName::new(endpoint).unwrap(), &tag.parse().unwrap())
    };
    assert!(has("Tagged-000", "team=a b") && has("Tagged-100", "n=100"));
    assert!(has("Tagged-007", "n=7") && !has("Tagged-007", "team=a b"));
    assert!(!has("bare", "team=a b"));
    assert_eq!(tags.values("n").len(), 101);
}

pub(super) async fn tags_of_an_unknown_target(face: Arc<dyn Face>) {
    let arn = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/0a1b";
    let read = listed(&face, arn).await.unwrap_err();
    let written = face.aws().writes.tag_target(&tag(arn, &[("a", "b")])).await.unwrap_err();
    for error in [read, written] {
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
        assert_eq!(error.code.as_deref(), Some("ResourceNotFoundException"));
    }
}

pub(super) async fn tags_go_with_their_target(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let before = arn(&face, &resource).await;
    face.aws().writes.tag_target(&tag(&before, &[("a", "b")])).await.unwrap();
    let named = json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource.to_string(),
        "ScalableDimension": DIMENSION,
    });
    face.arrange(Service::ApplicationAutoScaling, "DeregisterScalableTarget", named);
    let gone = listed(&face, &before).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound, "{gone}");
    let register = crate::contract::face::register(&resource, Some(1), Some(4));
    face.aws().writes.register_scalable_target(&register).await.unwrap();
    let after = arn(&face, &resource).await;
    assert_eq!(listed(&face, &after).await.unwrap(), BTreeMap::new());
}

pub(super) async fn tags_of_a_registration_are_kept(face: Arc<dyn Face>) {
    let resource = face.endpoint("e");
    let register = json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource.to_string(),
        "ScalableDimension": DIMENSION, "MinCapacity": 1, "MaxCapacity": 4,
        "Tags": {"owner": "search"},
    });
    face.arrange(Service::ApplicationAutoScaling, "RegisterScalableTarget", register);
    let arn = arn(&face, &resource).await;
    assert_eq!(listed(&face, &arn).await.unwrap(), tag(&arn, &[("owner", "search")]).tags);
}
