//! The SageMaker operations.

use serde_json::Value;

use super::World;
use super::endpoints::{ConfigRecord, Endpoint, ModelRecord, Variant};
use super::page::Paging;
use crate::api::sagemaker as sm;
use crate::api::{ApiError, ApiResult, Operation};
use setpoint_core::model::endpoint::EndpointStatus;

const ENDPOINTS: Paging = Paging {
    operation: Operation::ListEndpoints,
    default: 10,
    max: 100,
    member: "maxResults",
    bad_token: "ValidationException",
};

fn missing(kind: &str, name: &str) -> ApiError {
    ApiError::validation(format!("Could not find {kind} \"{name}\"."))
}

/// The strategies that the API knows (botocore's service model of 2026).
const ROUTING_STRATEGIES: [&str; 4] =
    ["LEAST_OUTSTANDING_REQUESTS", "RANDOM", "PREFIX_AWARE", "KV_AWARE"];

fn check_routing(variant: &sm::ProductionVariant) -> ApiResult<()> {
    let Some(routing) = &variant.routing_config else { return Ok(()) };
    let strategy = routing.get("RoutingStrategy").and_then(Value::as_str).unwrap_or_default();
    if ROUTING_STRATEGIES.contains(&strategy) {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "1 validation error detected: Value '{strategy}' at \
         'productionVariants.1.member.routingConfig.routingStrategy' failed to satisfy constraint: \
         Member must satisfy enum value set: [{}]",
        ROUTING_STRATEGIES.join(", ")
    )))
}

/// The limits that the API reference gives of the two numbers.
fn check_cross_region(input: &sm::CreateEndpointConfigInput) -> ApiResult<()> {
    let Some(cap) = &input.cross_region_traffic_config else { return Ok(()) };
    if input.async_inference_config.is_some() {
        let sentence = "CrossRegionTrafficConfig cannot be specified with AsyncInferenceConfig.";
        return Err(ApiError::validation(sentence.to_owned()));
    }
    let limits =
        [("MaxInvocationsPerSecondPerInstance", 10_000), ("MaxCrossRegionPercentPerEndpoint", 100)];
    for (name, most) in limits {
        let value = cap.get(name).and_then(Value::as_u64).unwrap_or_default();
        if !(1..=most).contains(&value) {
            return Err(ApiError::validation(format!(
                "1 validation error detected: Value '{value}' at 'crossRegionTrafficConfig.{name}' \
                 failed to satisfy constraint: Member must be between 1 and {most}"
            )));
        }
    }
    Ok(())
}

impl World {
    pub(super) fn sagemaker_arn(&self, kind: &str, name: &str) -> String {
        self.arn("sagemaker", &format!("{kind}/{}", name.to_lowercase()))
    }

    /// `DescribeEndpoint` and the like name the ARN in what they miss.
    fn missing_endpoint(&self, name: &str) -> ApiError {
        missing("endpoint", &self.sagemaker_arn("endpoint", name))
    }

    pub(crate) fn list_endpoints(
        &mut self,
        input: &sm::ListEndpointsInput,
    ) -> ApiResult<sm::ListEndpointsOutput> {
        let mut found: Vec<&Endpoint> = self
            .endpoints
            .values()
            .filter(|e| input.name_contains.as_ref().is_none_or(|text| e.name.contains(text)))
            .filter(|e| input.status_equals.as_ref().is_none_or(|s| e.status.as_str() == s))
            .filter(|e| input.creation_time_before.is_none_or(|at| e.created_at < at))
            .filter(|e| input.creation_time_after.is_none_or(|at| e.created_at > at))
            .filter(|e| input.last_modified_time_before.is_none_or(|at| e.modified_at < at))
            .filter(|e| input.last_modified_time_after.is_none_or(|at| e.modified_at > at))
            .collect();
        match input.sort_by.as_deref() {
            // The map is in name order already.
            Some("Name") => {}
            Some("Status") => found.sort_by(|a, b| a.status.as_str().cmp(b.status.as_str())),
            _ => found.sort_by_key(|e| e.created_at),
        }
        if input.sort_order.as_deref() != Some("Ascending") {
            found.reverse();
        }
        let rows = found.into_iter().map(|e| sm::EndpointSummary {
            endpoint_name: e.name.clone(),
            endpoint_arn: self.sagemaker_arn("endpoint", &e.name),
            creation_time: e.created_at,
            last_modified_time: e.modified_at,
            endpoint_status: e.status.as_str().to_owned(),
        });
        let (endpoints, next_token) =
            ENDPOINTS.page(rows, input.max_results, input.next_token.as_deref())?;
        Ok(sm::ListEndpointsOutput { endpoints, next_token })
    }

    pub(crate) fn describe_endpoint(
        &mut self,
        input: &sm::DescribeEndpointInput,
    ) -> ApiResult<sm::DescribeEndpointOutput> {
        let name = &input.endpoint_name;
        let endpoint = self.endpoints.get(name).ok_or_else(|| self.missing_endpoint(name))?;
        let config = self.configs.get(&endpoint.config);
        let config = config.map(|c| c.described.clone()).unwrap_or_default();
        let shadows = config.shadow_production_variants.as_ref().map(|list| {
            let ready = |spec| self.summary(&Variant::new(spec, endpoint.created_at), spec);
            list.iter().map(ready).collect()
        });
        let of = |v: &Variant| {
            config.production_variants.iter().find(|p| p.variant_name == v.name).cloned()
        };
        Ok(sm::DescribeEndpointOutput {
            endpoint_name: name.clone(),
            endpoint_arn: self.sagemaker_arn("endpoint", name),
            endpoint_config_name: endpoint.config.clone(),
            production_variants: endpoint
                .variants
                .iter()
                .map(|v| self.summary(v, &of(v).unwrap_or_default()))
                .collect(),
            endpoint_status: endpoint.status.as_str().to_owned(),
            failure_reason: None,
            creation_time: endpoint.created_at,
            last_modified_time: endpoint.modified_at,
            pending_deployment_summary: self.pending_deployment(endpoint),
            async_inference_config: config.async_inference_config.clone(),
            cross_region_traffic_config: config.cross_region_traffic_config.clone(),
            shadow_production_variants: shadows,
            metrics_config: config.metrics_config,
        })
    }

    fn images(&self, model: Option<&String>) -> Vec<sm::DeployedImage> {
        let Some(record) = model.and_then(|name| self.models.get(name)) else { return Vec::new() };
        let many = record.described.containers.iter().flatten();
        let image = |container: &sm::ContainerDefinition| {
            let specified = container.image.clone()?;
            // The digest names the model too, so that another model is another image.
            let digest = crate::random::Random::named(0, &format!("{specified} {model:?}")).uuid();
            Some(sm::DeployedImage {
                resolved_image: format!("{specified}@sha256:{}", digest.replace('-', "").repeat(2)),
                specified_image: specified,
                resolution_time: Some(record.described.creation_time),
            })
        };
        record.described.primary_container.iter().chain(many).filter_map(image).collect()
    }

    fn summary(&self, v: &Variant, spec: &sm::ProductionVariant) -> sm::ProductionVariantSummary {
        let serverless = spec.serverless_config.is_some();
        let count = |n: u32| (!serverless).then_some(n.cast_signed());
        sm::ProductionVariantSummary {
            variant_name: v.name.clone(),
            deployed_images: self.images(v.model.as_ref()),
            current_weight: v.weight,
            desired_weight: v.weight,
            current_instance_count: count(v.current(self.now)),
            desired_instance_count: count(v.desired),
            variant_status: None,
            current_serverless_config: spec.serverless_config.clone(),
            managed_instance_scaling: spec.managed_instance_scaling.clone(),
            routing_config: spec.routing_config.clone(),
        }
    }

    fn pending_deployment(&self, endpoint: &Endpoint) -> Option<sm::PendingDeploymentSummary> {
        let deploy = endpoint.deploy.as_ref()?;
        let config = self.configs.get(&deploy.config)?;
        let variants = config.described.production_variants.iter().map(|spec| {
            let old = endpoint.variants.iter().find(|v| v.name == spec.variant_name);
            let kept = old.filter(|_| deploy.retain).map(|v| v.desired.cast_signed());
            sm::PendingProductionVariantSummary {
                variant_name: spec.variant_name.clone(),
                deployed_images: self.images(spec.model_name.as_ref()),
                current_weight: 0.0,
                desired_weight: spec.initial_variant_weight.unwrap_or(1.0),
                current_instance_count: Some(0),
                desired_instance_count: kept.or(spec.initial_instance_count),
                instance_type: spec.instance_type.clone(),
                variant_status: Some(vec![sm::VariantStatus {
                    status: "Creating".to_owned(),
                    status_message: None,
                    start_time: Some(deploy.started_at),
                }]),
            }
        });
        Some(sm::PendingDeploymentSummary {
            endpoint_config_name: deploy.config.clone(),
            production_variants: variants.collect(),
            start_time: Some(deploy.started_at),
        })
    }

    pub(crate) fn describe_endpoint_config(
        &mut self,
        input: &sm::DescribeEndpointConfigInput,
    ) -> ApiResult<sm::DescribeEndpointConfigOutput> {
        let name = &input.endpoint_config_name;
        self.config(name).map(|c| c.described.clone()).ok_or_else(|| self.missing_config(name))
    }

    pub(crate) fn describe_model(
        &mut self,
        input: &sm::DescribeModelInput,
    ) -> ApiResult<sm::DescribeModelOutput> {
        let name = &input.model_name;
        self.model(name).map(|m| m.described.clone()).ok_or_else(|| self.missing_model(name))
    }

    /// A model that is not deleted.
    fn model(&self, name: &str) -> Option<&ModelRecord> {
        self.models.get(name).filter(|model| !model.gone)
    }

    /// An endpoint config that is not deleted.
    fn config(&self, name: &str) -> Option<&ConfigRecord> {
        self.configs.get(name).filter(|config| !config.gone)
    }

    fn missing_model(&self, name: &str) -> ApiError {
        missing("model", &self.sagemaker_arn("model", name))
    }

    fn missing_config(&self, name: &str) -> ApiError {
        missing("endpoint configuration", &self.sagemaker_arn("endpoint-config", name))
    }

    pub(crate) fn delete_model(&mut self, input: &sm::DeleteModelInput) -> ApiResult<sm::Empty> {
        let name = &input.model_name;
        let missing = self.missing_model(name);
        let model = self.models.get_mut(name).filter(|model| !model.gone).ok_or(missing)?;
        model.gone = true;
        Ok(sm::Empty::default())
    }

    pub(crate) fn delete_endpoint_config(
        &mut self,
        input: &sm::DeleteEndpointConfigInput,
    ) -> ApiResult<sm::Empty> {
        let name = &input.endpoint_config_name;
        let missing = self.missing_config(name);
        let config = self.configs.get_mut(name).filter(|config| !config.gone).ok_or(missing)?;
        config.gone = true;
        Ok(sm::Empty::default())
    }

    pub(crate) fn create_model(
        &mut self,
        input: &sm::CreateModelInput,
    ) -> ApiResult<sm::CreateModelOutput> {
        let name = &input.model_name;
        if self.model(name).is_some() {
            return Err(ApiError::validation(format!(
                "Cannot create already existing model \"{name}\"."
            )));
        }
        let model_arn = self.sagemaker_arn("model", name);
        let described = sm::DescribeModelOutput {
            model_name: name.clone(),
            model_arn: model_arn.clone(),
            primary_container: input.primary_container.clone(),
            containers: input.containers.clone(),
            creation_time: self.now,
            execution_role_arn: input.execution_role_arn.clone(),
            inference_execution_config: input.inference_execution_config.clone(),
            enable_network_isolation: input.enable_network_isolation,
            vpc_config: input.vpc_config.clone(),
        };
        let record = ModelRecord { described, service: None, speed: 1.0, gone: false };
        self.models.insert(name.clone(), record);
        Ok(sm::CreateModelOutput { model_arn })
    }

    pub(crate) fn create_endpoint_config(
        &mut self,
        input: &sm::CreateEndpointConfigInput,
    ) -> ApiResult<sm::CreateEndpointConfigOutput> {
        let name = &input.endpoint_config_name;
        if self.config(name).is_some() {
            return Err(ApiError::validation(format!(
                "Cannot create already existing endpoint configuration \"{name}\"."
            )));
        }
        for variant in &input.production_variants {
            if let Some(model) = &variant.model_name
                && self.model(model).is_none()
            {
                return Err(self.missing_model(model));
            }
            check_routing(variant)?;
        }
        super::instances::check_metrics_config(input.metrics_config.as_ref())?;
        check_cross_region(input)?;
        let endpoint_config_arn = self.sagemaker_arn("endpoint-config", name);
        let described = sm::DescribeEndpointConfigOutput {
            endpoint_config_name: name.clone(),
            endpoint_config_arn: endpoint_config_arn.clone(),
            production_variants: input.production_variants.clone(),
            creation_time: self.now,
            async_inference_config: input.async_inference_config.clone(),
            cross_region_traffic_config: input.cross_region_traffic_config.clone(),
            shadow_production_variants: input.shadow_production_variants.clone(),
            metrics_config: input.metrics_config.clone(),
            data_capture_config: input.data_capture_config.clone(),
            explainer_config: input.explainer_config.clone(),
            kms_key_id: input.kms_key_id.clone(),
            enable_network_isolation: input.enable_network_isolation,
            vpc_config: input.vpc_config.clone(),
        };
        self.configs.insert(name.clone(), ConfigRecord { described, gone: false });
        Ok(sm::CreateEndpointConfigOutput { endpoint_config_arn })
    }

    fn require_config(&self, name: &str) -> ApiResult<()> {
        if self.config(name).is_some() {
            return Ok(());
        }
        Err(self.missing_config(name))
    }

    pub(crate) fn create_endpoint(
        &mut self,
        input: &sm::CreateEndpointInput,
    ) -> ApiResult<sm::EndpointArnOutput> {
        let name = &input.endpoint_name;
        setpoint_core::model::ids::EndpointName::new(name.clone())
            .map_err(|e| ApiError::validation(e.to_string()))?;
        if self.endpoints.contains_key(name) {
            return Err(ApiError::validation(format!(
                "Cannot create already existing endpoint \"{}\".",
                self.sagemaker_arn("endpoint", name)
            )));
        }
        self.require_config(&input.endpoint_config_name)?;
        let tags: std::collections::BTreeMap<String, String> =
            input.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        super::tags::check(&std::collections::BTreeMap::new(), &tags)?;
        self.begin_endpoint(name, &input.endpoint_config_name, self.settings.create_seconds);
        if let Some(endpoint) = self.endpoints.get_mut(name) {
            endpoint.tags = tags;
        }
        Ok(sm::EndpointArnOutput { endpoint_arn: self.sagemaker_arn("endpoint", name) })
    }

    /// The endpoint, if it can be changed now.
    pub(super) fn changeable(&self, name: &str) -> ApiResult<&Endpoint> {
        let endpoint = self.endpoints.get(name).ok_or_else(|| self.missing_endpoint(name))?;
        if endpoint.status == EndpointStatus::InService {
            return Ok(endpoint);
        }
        Err(ApiError::validation(format!(
            "Cannot update in-progress endpoint \"{}\".",
            self.sagemaker_arn("endpoint", name)
        )))
    }

    pub(crate) fn update_endpoint(
        &mut self,
        input: &sm::UpdateEndpointInput,
    ) -> ApiResult<sm::EndpointArnOutput> {
        let name = &input.endpoint_name;
        let endpoint = self.changeable(name)?;
        self.require_config(&input.endpoint_config_name)?;
        let next = &self.configs[&input.endpoint_config_name].described.production_variants;
        for variant in &endpoint.variants {
            let resource = format!("endpoint/{name}/variant/{}", variant.name);
            let spec = next.iter().find(|p| p.variant_name == variant.name);
            let kept = spec.is_some_and(|p| p.instance_type == variant.instance_type);
            if self.targets.contains_key(&resource) && !kept {
                return Err(ApiError::validation(format!(
                    "The variant {} is registered with Application Auto Scaling: deregister it \
                     before its instance type is changed or it is removed.",
                    variant.name
                )));
            }
        }
        let retain = input.retain_all_variant_properties.unwrap_or(false)
            && input.exclude_retained_variant_properties.iter().flatten().all(|property| {
                let kind = property.get("VariantPropertyType").and_then(Value::as_str);
                kind != Some("DesiredInstanceCount")
            });
        self.begin_deploy(name, &input.endpoint_config_name, retain);
        Ok(sm::EndpointArnOutput { endpoint_arn: self.sagemaker_arn("endpoint", name) })
    }

    pub(crate) fn update_endpoint_weights_and_capacities(
        &mut self,
        input: &sm::UpdateEndpointWeightsAndCapacitiesInput,
    ) -> ApiResult<sm::EndpointArnOutput> {
        let name = &input.endpoint_name;
        let endpoint = self.changeable(name)?;
        for wanted in &input.desired_weights_and_capacities {
            if !endpoint.variants.iter().any(|v| v.name == wanted.variant_name) {
                return Err(missing("variant", &wanted.variant_name));
            }
        }
        for wanted in &input.desired_weights_and_capacities {
            if let Some(count) = wanted.desired_instance_count {
                self.set_desired(name, &wanted.variant_name, count.max(0) as u32);
            }
            if let (Some(weight), Some(endpoint)) =
                (wanted.desired_weight, self.endpoints.get_mut(name))
            {
                let variants = endpoint.variants.iter_mut();
                variants.filter(|v| v.name == wanted.variant_name).for_each(|v| v.weight = weight);
            }
        }
        Ok(sm::EndpointArnOutput { endpoint_arn: self.sagemaker_arn("endpoint", name) })
    }

    pub(crate) fn delete_endpoint(
        &mut self,
        input: &sm::DeleteEndpointInput,
    ) -> ApiResult<sm::Empty> {
        let name = &input.endpoint_name;
        let endpoint = self.endpoints.get(name).ok_or_else(|| self.missing_endpoint(name))?;
        if endpoint.status == EndpointStatus::Updating {
            self.changeable(name)?;
        }
        self.begin_deletion(name);
        Ok(sm::Empty::default())
    }
}
