//! What of SageMaker's answers can change how much one instance serves, as hashes: two deploys
//! whose hashes are equal run the same service.
//!
//! Everything counts that is not listed here as something else, so that a member which AWS adds
//! later counts from its first day. What is hashed may hold secrets (a container's environment
//! does), which is why the values themselves go no further.

use serde_json::{Map, Value};

use super::stable_hash::fnv1a;

/// Members of a production variant that say how many instances there are, what share of the
/// traffic they get, how they come up, or who may look inside.
const NOT_CAPACITY_OF_VARIANT: [&str; 9] = [
    "VariantName",
    "InitialInstanceCount",
    "InitialVariantWeight",
    "ManagedInstanceScaling",
    "VariantInstanceProvisionTimeoutInSeconds",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "EnableSSMAccess",
    "CapacityReservationConfig",
];
/// Members of an endpoint config, outside its variants, that every request pays for.
const CAPACITY_OF_CONFIG: [&str; 2] = ["DataCaptureConfig", "ExplainerConfig"];
/// Where captured data goes, and how it is encrypted there.
const NOT_CAPACITY_OF_CAPTURE: [&str; 2] = ["DestinationS3Uri", "KmsKeyId"];
/// Members of a container that name it, say how its image is fetched, or where its own metrics are.
const NOT_CAPACITY_OF_CONTAINER: [&str; 3] =
    ["ContainerHostname", "ImageConfig", "ContainerMetricsConfig"];

/// The hash of a variant's own part of `DescribeEndpointConfig`, and of what the config adds to
/// every request. Instance count, weight and the config's name are no part of it.
pub fn of_variant(config: &Value, variant: &Value) -> u64 {
    let mut parts = Map::new();
    parts.insert("Variant".to_owned(), without(variant, &NOT_CAPACITY_OF_VARIANT));
    for name in CAPACITY_OF_CONFIG {
        parts.insert(name.to_owned(), config.get(name).cloned().unwrap_or_default());
    }
    let capture = config.get("DataCaptureConfig").unwrap_or(&Value::Null);
    let capture = match capture.get("EnableCapture").and_then(Value::as_bool) {
        Some(false) => Value::Null,
        _ => without(capture, &NOT_CAPACITY_OF_CAPTURE),
    };
    parts.insert("DataCaptureConfig".to_owned(), capture);
    hash(&Value::Object(parts))
}

/// The hash of the containers of `DescribeModel`, in order, and of how requests pass through them.
pub fn of_model(model: &Value) -> u64 {
    let many = model.get("Containers").and_then(Value::as_array).into_iter().flatten();
    let containers = model.get("PrimaryContainer").filter(|one| !one.is_null()).into_iter();
    let containers = containers.chain(many).map(|one| without(one, &NOT_CAPACITY_OF_CONTAINER));
    let mut parts = Map::new();
    parts.insert("Containers".to_owned(), containers.collect());
    let execution = model.get("InferenceExecutionConfig").cloned().unwrap_or_default();
    parts.insert("InferenceExecutionConfig".to_owned(), execution);
    hash(&Value::Object(parts))
}

fn without(value: &Value, members: &[&str]) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    let kept = object.iter().filter(|(name, _)| !members.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn hash(value: &Value) -> u64 {
    let mut text = String::new();
    canonical(value, &mut text);
    fnv1a(text.bytes())
}

/// One text for one meaning: members in the order of their names; what is absent, null or empty is
/// left out.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().filter(|(_, v)| !is_nothing(v)).collect();
            members.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in members {
                out.push_str(&Value::from(name.as_str()).to_string());
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(object) => object.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config() -> Value {
        json!({
            "EndpointConfigName": "c1",
            "ProductionVariants": [{
                "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.c5.xlarge",
                "InitialInstanceCount": 2, "InitialVariantWeight": 1.0,
            }],
        })
    }

    fn of(config: &Value) -> u64 {
        of_variant(config, &config["ProductionVariants"][0])
    }

    #[test]
    fn what_changes_capacity_changes_the_hash() {
        let own = [
            ("ModelName", json!("m2")),
            ("InstanceType", json!("ml.c5.2xlarge")),
            ("AcceleratorType", json!("ml.eia2.medium")),
            ("VolumeSizeInGB", json!(512)),
            ("CoreDumpConfig", json!({"DestinationS3Uri": "s3://b/"})),
            ("ServerlessConfig", json!({"MemorySizeInMB": 2048, "MaxConcurrency": 5})),
            ("RoutingConfig", json!({"RoutingStrategy": "RANDOM"})),
            ("InferenceAmiVersion", json!("al2-ami-sagemaker-inference-gpu-2")),
            (
                "AcceleratorPartitionLayouts",
                json!([{"AcceleratorPartitionTypes": ["mig-3g.40gb"]}]),
            ),
            ("SomethingOfNextYear", json!(1)),
        ];
        let mut seen = vec![of(&config())];
        for (name, value) in own {
            let mut changed = config();
            changed["ProductionVariants"][0][name] = value;
            seen.push(of(&changed));
        }
        let capture = |mode: &str| {
            json!({"InitialSamplingPercentage": 50, "DestinationS3Uri": "s3://b/",
                   "CaptureOptions": [{"CaptureMode": mode}]})
        };
        for (name, value) in [
            ("DataCaptureConfig", capture("Input")),
            ("DataCaptureConfig", capture("InputAndOutput")),
            ("ExplainerConfig", json!({"ClarifyExplainerConfig": {"ShapConfig": {"Seed": 1}}})),
        ] {
            let mut changed = config();
            changed[name] = value;
            seen.push(of(&changed));
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all, "two of them are told apart by nothing");
    }

    #[test]
    fn what_does_not_change_capacity_leaves_the_hash() {
        let same = of(&config());
        for (name, value) in [
            ("InitialInstanceCount", json!(7)),
            ("InitialVariantWeight", json!(0.2)),
            ("VariantName", json!("Blue")),
            ("ContainerStartupHealthCheckTimeoutInSeconds", json!(600)),
            ("RoutingConfig", json!(null)),
            ("InstancePools", json!([])),
        ] {
            let mut changed = config();
            changed["ProductionVariants"][0][name] = value;
            assert_eq!(of(&changed), same, "{name}");
        }
        let off = json!({"EnableCapture": false, "InitialSamplingPercentage": 50,
                         "DestinationS3Uri": "s3://b/", "CaptureOptions": []});
        for (name, value) in [
            ("EndpointConfigName", json!("c2")),
            ("KmsKeyId", json!("key")),
            ("CreationTime", json!(1.5)),
            ("DataCaptureConfig", off),
        ] {
            let mut changed = config();
            changed[name] = value;
            assert_eq!(of(&changed), same, "{name}");
        }
    }

    #[test]
    fn containers_count_by_what_they_run() {
        let container = json!({
            "Image": "i:1", "ModelDataUrl": "s3://b/m.tar.gz", "Mode": "SingleModel",
            "Environment": {"A": "1", "B": "2"}, "ContainerHostname": "one",
        });
        let of = |container: &Value| of_model(&json!({"PrimaryContainer": container}));
        let mut seen = vec![of(&container)];
        for (name, value) in [
            ("Image", json!("i:2")),
            ("ModelDataUrl", json!("s3://b/m2.tar.gz")),
            ("ModelDataSource", json!({"S3DataSource": {"S3Uri": "s3://b/"}})),
            ("Mode", json!("MultiModel")),
            ("MultiModelConfig", json!({"ModelCacheSetting": "Disabled"})),
            ("Environment", json!({"A": "1", "B": "3"})),
        ] {
            let mut changed = container.clone();
            changed[name] = value;
            seen.push(of(&changed));
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);

        let mut same = container.clone();
        same["ContainerHostname"] = json!("two");
        same["Environment"] = json!({"B": "2", "A": "1"});
        assert_eq!(of(&same), of(&container));
        let one_of_many = of_model(&json!({"PrimaryContainer": null, "Containers": [container]}));
        assert_eq!(one_of_many, of(&container));
        let direct =
            json!({"PrimaryContainer": container, "InferenceExecutionConfig": {"Mode": "Direct"}});
        assert_ne!(of_model(&direct), of(&container));
    }
}
