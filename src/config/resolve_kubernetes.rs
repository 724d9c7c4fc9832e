//! The section `kubernetes`, and what must hold between its times for rule 23 to hold.

use std::time::Duration;

use super::raw::Raw;
use super::resolve::Resolver;
use super::settings::{AwsSettings, KubernetesSettings};

/// A renewal and one more try of it must fit before the deadline.
const RETRIES_BEFORE_DEADLINE: u32 = 2;

/// Parses the section. The times are checked only when there is a Lease.
pub(super) fn resolve_kubernetes(
    r: &mut Resolver<'_>,
    raw: &Raw,
    aws: &AwsSettings,
) -> KubernetesSettings {
    let own = &raw.kubernetes;
    let lease_seconds = r.needed("kubernetes.lease_duration_seconds", own.lease_duration_seconds);
    let settings = KubernetesSettings {
        lease_name: own.lease_name.clone(),
        lease_base: own.lease_name.clone(),
        namespace: own.namespace.clone(),
        lease_duration: Duration::from_secs(u64::from(lease_seconds)),
        renew_deadline: r.seconds("kubernetes.renew_deadline_seconds", own.renew_deadline_seconds),
        retry_period: r.seconds("kubernetes.retry_period_seconds", own.retry_period_seconds),
        memory_configmap: own.memory_configmap.clone(),
        events: r.needed("kubernetes.events", own.events),
        role_label: r.needed("kubernetes.role_label", own.role_label),
    };
    if settings.memory_configmap.is_some() && raw.memory.file.is_some() {
        let allowed = "only one of memory.file and kubernetes.memory_configmap";
        r.problem("kubernetes.memory_configmap", "a second place for the memory", allowed);
    }
    if settings.lease_name.is_some() {
        check_times(r, &settings, aws);
    }
    settings
}

fn check_times(r: &mut Resolver<'_>, settings: &KubernetesSettings, aws: &AwsSettings) {
    let KubernetesSettings { lease_duration, renew_deadline, retry_period, .. } = *settings;
    let seconds = |duration: Duration| duration.as_secs_f64().to_string();
    if renew_deadline >= lease_duration {
        let allowed = "less than kubernetes.lease_duration_seconds";
        r.problem("kubernetes.renew_deadline_seconds", seconds(renew_deadline), allowed);
        return;
    }
    if retry_period * RETRIES_BEFORE_DEADLINE > renew_deadline {
        let allowed = "at most half of kubernetes.renew_deadline_seconds";
        r.problem("kubernetes.retry_period_seconds", seconds(retry_period), allowed);
    }
    let margin = lease_duration.saturating_sub(renew_deadline);
    if aws.write_timeout >= margin {
        let allowed = format!(
            "less than {} (kubernetes.lease_duration_seconds - kubernetes.renew_deadline_seconds), \
             else a write could land after another process has taken over",
            seconds(margin)
        );
        r.problem("aws.write_timeout_seconds", seconds(aws.write_timeout), &allowed);
    }
}
