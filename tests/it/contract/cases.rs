//! The cases: what every face must answer alike.

mod endpoints;
mod failures;
mod scaling;
mod tags;
mod telemetry;

use std::sync::Arc;

use futures::future::BoxFuture;

use super::face::Face;

/// A case.
pub(crate) struct Case {
    /// Its name, by which faces say that they cannot answer it.
    pub(crate) name: &'static str,
    /// Arranges, asks and asserts.
    pub(crate) run: fn(Arc<dyn Face>) -> BoxFuture<'static, ()>,
}

macro_rules! cases {
    ($($module:ident: $($name:ident),+;)+) => {
        /// All of them.
        pub(crate) const CASES: &[Case] = &[
            $($(Case {
                name: stringify!($name),
                run: |face| Box::pin($module::$name(face)),
            },)+)+
        ];
    };
}

cases! {
    endpoints:
        no_endpoints, one_endpoint, endpoints_are_paged, a_missing_endpoint,
        an_endpoint_config, a_model, what_changes_capacity_is_told_of_a_config,
        what_changes_capacity_is_told_of_a_model, a_deleted_config_or_model_is_gone;
    scaling:
        register_then_describe, targets_of_the_region_are_paged, register_keeps_what_is_not_sent,
        suspended_scaling, put_then_describe_keeps_absent_absent, policies_are_paged,
        put_on_a_missing_target, a_put_replaces_the_whole_and_keeps_the_name,
        scheduled_actions, activities_of_a_variant, an_unknown_page_token;
    tags:
        tags_are_set_and_replaced, tags_beyond_the_limits_are_refused_whole,
        tags_of_an_unknown_target, tags_of_endpoints_are_listed, tags_go_with_their_target, tags_of_a_registration_are_kept;
    telemetry:
        metric_data_beyond_500_queries, latency_percentiles, partial_data_is_not_an_answer, a_variant_without_data,
        alarms_by_prefix, the_callers_account, who_called_is_told_a_quarter_of_an_hour_later;
    failures:
        throttled_once_is_tried_again, throttled_for_good_says_so, a_missing_permission_is_denied,
        garbage_is_no_answer;
}
