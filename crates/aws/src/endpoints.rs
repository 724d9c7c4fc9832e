//! SageMaker, reading: the four answers, from AWS's JSON to the model.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::call::{Call, Caller};
use super::convert::fitting;
use super::sagemaker::JsonClient;
use setpoint_core::model::checks;
use setpoint_core::model::deploy_hashes;
use setpoint_core::model::endpoint::{
    ConfigVariant, CrossRegionCap, Endpoint, EndpointConfig, EndpointStatus, EndpointSummary,
    Model, Routing, VariantSummary,
};
use setpoint_core::model::ids::{EndpointName, VariantName};
use setpoint_core::model::listing::{Listing, Unreadable};
use setpoint_core::model::tags::EndpointTags;
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::{Endpoints, ErrorKind, PortResult, Service};

/// The longest listing that is read: 100,000 endpoints.
const MAX_PAGES: usize = 1_000;

const LIST_ENDPOINTS: Call = Call::new(Service::SageMaker, "ListEndpoints");
const DESCRIBE_ENDPOINT: Call = Call::new(Service::SageMaker, "DescribeEndpoint");
const DESCRIBE_CONFIG: Call = Call::new(Service::SageMaker, "DescribeEndpointConfig");
const DESCRIBE_MODEL: Call = Call::new(Service::SageMaker, "DescribeModel");

pub(super) struct SdkEndpoints {
    client: JsonClient,
    tagging: JsonClient,
    caller: Arc<Caller>,
}

impl SdkEndpoints {
    pub(super) fn new(client: JsonClient, tagging: JsonClient, caller: Arc<Caller>) -> Self {
        Self { client, tagging, caller }
    }

    /// Describes one thing; none when it does not exist.
    async fn describe<T, W>(
        &self,
        call: Call,
        input: Value,
        read: fn(W) -> T,
    ) -> PortResult<Option<T>>
    where
        W: for<'de> Deserialize<'de>,
    {
        let attempt = || async {
            match self.client.send::<W>(call.operation, input.clone()).await {
                Ok(answer) => Ok(Some(read(answer))),
                // No modelled error: AWS says so by a ValidationException. It is an answer, not a
                // failure, and is not counted as one.
                Err(failure) if failure.kind == ErrorKind::NotFound => Ok(None),
                Err(failure) => Err(failure),
            }
        };
        self.caller.read(call, attempt).await
    }
}

#[async_trait]
impl Endpoints for SdkEndpoints {
    async fn list_endpoints(&self) -> PortResult<Listing<EndpointSummary>> {
        let mut all = Listing::default();
        let page = |token: Option<String>| {
            // A stable order, so that endpoints made meanwhile do not shift the pages.
            let mut input =
                json!({"MaxResults": 100, "SortBy": "CreationTime", "SortOrder": "Ascending"});
            if let Some(token) = token {
                input["NextToken"] = json!(token);
            }
            self.client.send::<EndpointsPage>(LIST_ENDPOINTS.operation, input)
        };
        let rows = |page: EndpointsPage| {
            Ok((page.endpoints.into_iter().map(summary).collect(), page.next_token))
        };
        let unreadable =
            self.caller.pages((LIST_ENDPOINTS, MAX_PAGES), page, rows, &mut all).await?;
        self.caller.skipped(LIST_ENDPOINTS, unreadable);
        Ok(all)
    }

    async fn endpoint(&self, name: &EndpointName) -> PortResult<Option<Endpoint>> {
        let input = json!({"EndpointName": name.as_str()});
        self.describe(DESCRIBE_ENDPOINT, input, EndpointAnswer::into_model).await
    }

    async fn endpoint_config(&self, name: &str) -> PortResult<Option<EndpointConfig>> {
        let input = json!({"EndpointConfigName": name});
        self.describe(DESCRIBE_CONFIG, input, |answer: ConfigAnswer| answer.0).await
    }

    async fn model(&self, name: &str) -> PortResult<Option<Model>> {
        let input = json!({"ModelName": name});
        self.describe(DESCRIBE_MODEL, input, |answer: ModelAnswer| answer.0).await
    }

    async fn endpoint_tags(&self) -> PortResult<EndpointTags> {
        super::tags::of_endpoints(&self.tagging, &self.caller).await
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointsPage {
    /// Read one by one: a row that makes no sense must not hide the others.
    endpoints: Vec<Value>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointRow {
    endpoint_name: EndpointName,
    endpoint_status: String,
    #[serde(deserialize_with = "epoch_seconds")]
    creation_time: Timestamp,
    #[serde(deserialize_with = "epoch_seconds")]
    last_modified_time: Timestamp,
}

fn summary(row: Value) -> Result<EndpointSummary, Unreadable> {
    let name = row.get("EndpointName").and_then(Value::as_str).unwrap_or_default().to_owned();
    match EndpointRow::deserialize(row) {
        Ok(row) => Ok(EndpointSummary {
            name: row.endpoint_name,
            status: EndpointStatus::parse(&checks::text(&row.endpoint_status)),
            created_at: row.creation_time,
            modified_at: row.last_modified_time,
        }),
        Err(error) => {
            let why = checks::text(&format!("{name:?}: {error}"));
            // A name that no endpoint can have is nobody's.
            let about = name.parse::<EndpointName>().ok().map(|name| name.to_string());
            Err(Unreadable { about, why })
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointAnswer {
    endpoint_name: EndpointName,
    endpoint_status: String,
    /// The API reference does not promise it.
    endpoint_config_name: Option<String>,
    #[serde(deserialize_with = "epoch_seconds")]
    creation_time: Timestamp,
    #[serde(deserialize_with = "epoch_seconds")]
    last_modified_time: Timestamp,
    /// Absent while an endpoint is being made.
    #[serde(default, deserialize_with = "null_is_default")]
    production_variants: Vec<VariantAnswer>,
    #[serde(default, deserialize_with = "null_is_default")]
    shadow_production_variants: Vec<ShadowAnswer>,
    pending_deployment_summary: Option<PendingDeployment>,
    async_inference_config: Option<Value>,
    failure_reason: Option<String>,
    cross_region_traffic_config: Option<CrossRegionTraffic>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CrossRegionTraffic {
    max_invocations_per_second_per_instance: Option<u32>,
    max_cross_region_percent_per_endpoint: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PendingDeployment {
    endpoint_config_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ShadowAnswer {
    variant_name: VariantName,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VariantAnswer {
    variant_name: VariantName,
    current_instance_count: Option<u32>,
    desired_instance_count: Option<u32>,
    #[serde(default, deserialize_with = "null_is_default")]
    deployed_images: Vec<DeployedImage>,
    current_serverless_config: Option<Value>,
    desired_serverless_config: Option<Value>,
    instance_pools: Option<Value>,
    managed_instance_scaling: Option<Value>,
    #[serde(default, deserialize_with = "null_is_default")]
    variant_status: Vec<VariantStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeployedImage {
    resolved_image: Option<String>,
    specified_image: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VariantStatus {
    status: String,
}

impl EndpointAnswer {
    fn into_model(self) -> Endpoint {
        let pending = self.pending_deployment_summary;
        let shadows = self.shadow_production_variants;
        Endpoint {
            name: self.endpoint_name,
            status: EndpointStatus::parse(&checks::text(&self.endpoint_status)),
            config_name: self.endpoint_config_name.unwrap_or_default(),
            created_at: self.creation_time,
            modified_at: self.last_modified_time,
            variants: fitting(self.production_variants.into_iter().map(VariantSummary::from)),
            shadow_variants: fitting(shadows.into_iter().map(|shadow| shadow.variant_name)),
            deploy_in_progress: pending.is_some(),
            pending_config_name: pending.and_then(|pending| pending.endpoint_config_name),
            asynchronous: self.async_inference_config.is_some(),
            failure_reason: self.failure_reason.as_deref().map(checks::text),
            cross_region: self.cross_region_traffic_config.and_then(|cap| {
                Some(CrossRegionCap {
                    invocations_per_second_per_instance: cap
                        .max_invocations_per_second_per_instance?,
                    percent: cap.max_cross_region_percent_per_endpoint?,
                })
            }),
        }
    }
}

impl From<VariantAnswer> for VariantSummary {
    fn from(answer: VariantAnswer) -> Self {
        let images = answer.deployed_images.into_iter();
        let statuses = answer.variant_status.into_iter();
        Self {
            name: answer.variant_name,
            current_instances: answer.current_instance_count,
            desired_instances: answer.desired_instance_count,
            images: fitting(images.filter_map(|i| i.resolved_image.or(i.specified_image))),
            serverless: answer.current_serverless_config.is_some()
                || answer.desired_serverless_config.is_some(),
            instance_pools: has_any(answer.instance_pools.as_ref()),
            managed_instance_scaling: answer.managed_instance_scaling.is_some(),
            statuses: fitting(statuses.map(|status| checks::text(&status.status))),
        }
    }
}

/// Read twice: its members by name, and all of it for what can change capacity.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
struct ConfigAnswer(EndpointConfig);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigMembers {
    endpoint_config_name: String,
    #[serde(deserialize_with = "epoch_seconds")]
    creation_time: Timestamp,
    production_variants: Vec<Value>,
    async_inference_config: Option<Value>,
    metrics_config: Option<MetricsConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigVariantMembers {
    variant_name: VariantName,
    model_name: Option<String>,
    instance_type: Option<String>,
    serverless_config: Option<Value>,
    instance_pools: Option<Value>,
    managed_instance_scaling: Option<Value>,
    routing_config: Option<RoutingConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoutingConfig {
    routing_strategy: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricsConfig {
    enable_enhanced_metrics: Option<bool>,
    metric_publish_frequency_in_seconds: Option<u32>,
}

impl TryFrom<Value> for ConfigAnswer {
    type Error = serde_json::Error;

    fn try_from(answer: Value) -> Result<Self, Self::Error> {
        let config = ConfigMembers::deserialize(&answer)?;
        let variant = |own: &Value| -> Result<ConfigVariant, serde_json::Error> {
            let variant = ConfigVariantMembers::deserialize(own)?;
            Ok(ConfigVariant {
                name: variant.variant_name,
                model_name: variant.model_name,
                instance_type: variant.instance_type,
                serverless: variant.serverless_config.is_some(),
                instance_pools: has_any(variant.instance_pools.as_ref()),
                managed_instance_scaling: variant.managed_instance_scaling.is_some(),
                routing: variant.routing_config.map(|own| Routing::parse(&own.routing_strategy)),
                deploy_hash: deploy_hashes::of_variant(&answer, own),
            })
        };
        let variants = config.production_variants.iter().map(variant);
        let mut variants: Vec<ConfigVariant> = variants.collect::<Result<_, _>>()?;
        variants.shrink_to_fit();
        Ok(Self(EndpointConfig {
            name: config.endpoint_config_name,
            created_at: config.creation_time,
            variants,
            asynchronous: config.async_inference_config.is_some(),
            // Without enhanced metrics the frequency is that of utilisation metrics only.
            metric_period_seconds: config
                .metrics_config
                .filter(|config| config.enable_enhanced_metrics == Some(true))
                .map(|config| config.metric_publish_frequency_in_seconds.unwrap_or(60)),
        }))
    }
}

/// Read twice, as [`ConfigAnswer`].
#[derive(Deserialize)]
#[serde(try_from = "Value")]
struct ModelAnswer(Model);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModelMembers {
    model_name: String,
    primary_container: Option<Container>,
    #[serde(default, deserialize_with = "null_is_default")]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    mode: Option<String>,
}

impl TryFrom<Value> for ModelAnswer {
    type Error = serde_json::Error;

    fn try_from(answer: Value) -> Result<Self, Self::Error> {
        let model = ModelMembers::deserialize(&answer)?;
        let all: Vec<_> = model.primary_container.into_iter().chain(model.containers).collect();
        Ok(Self(Model {
            name: model.model_name,
            containers: all.len(),
            multi_model: all.iter().any(|c| c.mode.as_deref() == Some("MultiModel")),
            deploy_hash: deploy_hashes::of_model(&answer),
        }))
    }
}

fn has_any(list: Option<&Value>) -> bool {
    list.is_some_and(|list| list.as_array().is_none_or(|items| !items.is_empty()))
}

/// awsJson1.1 writes an instant as seconds since the epoch, with a fraction.
fn epoch_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    let whole = seconds.floor();
    let nanos = ((seconds - whole) * 1e9) as u32;
    DateTime::from_timestamp(whole as i64, nanos.min(999_999_999))
        .ok_or_else(|| serde::de::Error::custom(format!("{seconds} is not an instant")))
}

/// Some answers have `null` where others leave the member out.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
