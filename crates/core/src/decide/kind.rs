//! What kind of variant it is (rule 15).

use crate::model::endpoint::VariantKind;
use crate::model::fact::{Why, WhyKind};
use crate::model::snapshot::Snapshot;

/// The kind of the snapshot's variant.
///
/// # Errors
/// What is unknown, when the kind depends on it. A variant that the endpoint does not have is
/// `Standard`: there is nothing to object to, and nothing to write either.
pub fn kind(snapshot: &Snapshot) -> Result<VariantKind, Why> {
    let endpoint = known(&snapshot.endpoint)?;
    let config = known(&snapshot.endpoint_config)?;
    let name = &snapshot.id.variant;
    let summary = endpoint.and_then(|e| e.variant(name));
    let variant = config.and_then(|c| c.variant(name));

    if endpoint.is_some_and(|e| e.asynchronous) || config.is_some_and(|c| c.asynchronous) {
        return Ok(VariantKind::Asynchronous);
    }
    if summary.is_some_and(|s| s.serverless) || variant.is_some_and(|v| v.serverless) {
        return Ok(VariantKind::Serverless);
    }
    if summary.is_some_and(|s| s.instance_pools) || variant.is_some_and(|v| v.instance_pools) {
        return Ok(VariantKind::InstancePools);
    }
    if summary.is_some_and(|s| s.managed_instance_scaling)
        || variant.is_some_and(|v| v.managed_instance_scaling || v.model_name.is_none())
    {
        return Ok(VariantKind::InferenceComponents);
    }
    let Some(variant) = variant else {
        let Some(endpoint) = endpoint else { return Ok(VariantKind::Standard) };
        let name = &endpoint.config_name;
        let sentence = match config {
            None => format!("the endpoint config {name} was deleted while it is in force"),
            Some(_) => format!("the endpoint config {name} does not list the variant"),
        };
        return Err(Why::new(WhyKind::NotFound, sentence));
    };
    if variant.instance_type.as_deref().is_some_and(is_burstable) {
        return Ok(VariantKind::Burstable);
    }
    match known(&snapshot.model)? {
        Some(model) if model.multi_model => Ok(VariantKind::MultiModel),
        Some(model) if model.containers > 1 => Ok(VariantKind::MultiContainer),
        // How many containers it had is not known.
        None => {
            let name = variant.model_name.as_deref().unwrap_or_default();
            let sentence = format!("the model {name} was deleted while it serves");
            Err(Why::new(WhyKind::NotFound, sentence))
        }
        Some(_) => Ok(VariantKind::Standard),
    }
}

fn known<T>(fact: &crate::model::fact::Fact<Option<T>>) -> Result<Option<&T>, Why> {
    match fact.as_ref() {
        crate::model::fact::Fact::Known(value) => Ok(value.as_ref()),
        crate::model::fact::Fact::Unknown(why) => Err(why),
    }
}

/// T-family types (`ml.t2.medium`, `ml.t3.large`): registration is rejected by AWS.
fn is_burstable(instance_type: &str) -> bool {
    let family = instance_type.strip_prefix("ml.").unwrap_or(instance_type);
    family.starts_with('t') && family[1..].starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_burstable;

    #[test]
    fn the_t_family_is_burstable_and_trainium_is_not() {
        assert!(is_burstable("ml.t2.medium"));
        assert!(is_burstable("ml.t3.2xlarge"));
        assert!(!is_burstable("ml.trn1.2xlarge"));
        assert!(!is_burstable("ml.c5.xlarge"));
    }
}
