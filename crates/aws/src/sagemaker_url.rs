//! Where SageMaker's API is: the rules of its endpoint rule set (`api.sagemaker.*`), by partition,
//! FIPS and dual stack; and where the Resource Groups Tagging API (`tagging.*`) and CloudTrail
//! (`cloudtrail.*`) are.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

/// Where SageMaker's calls go.
pub(super) fn of_sagemaker(sdk: &SdkConfig, region: &str) -> String {
    resolve(sdk, "SageMaker", |fips, dual_stack| of_aws(region, fips, dual_stack))
}

/// Where calls of the Resource Groups Tagging API go.
pub(super) fn of_tagging(sdk: &SdkConfig, region: &str) -> String {
    usual(sdk, region, "Resource Groups Tagging API", ["tagging", "tagging-fips"])
}

/// Where CloudTrail's calls go.
pub(super) fn of_cloudtrail(sdk: &SdkConfig, region: &str) -> String {
    usual(sdk, region, "CloudTrail", ["cloudtrail", "cloudtrail-fips"])
}

/// The URL of a service whose hosts follow the usual rules, by its two hosts.
fn usual(
    sdk: &SdkConfig,
    region: &str,
    service_id: &'static str,
    [plain, with_fips]: [&str; 2],
) -> String {
    resolve(sdk, service_id, |fips, dual_stack| {
        let partition = Partition::of(region);
        let host = if fips { with_fips } else { plain };
        let suffix = if dual_stack { partition.dual_stack_suffix } else { partition.suffix };
        format!("https://{host}.{region}.{suffix}")
    })
}

/// The URL that calls go to: one that was set for the service alone (`AWS_ENDPOINT_URL_SAGEMAKER` or
/// the profile's), one set for all services, or AWS's own.
fn resolve(
    sdk: &SdkConfig,
    service_id: &'static str,
    of_aws: impl Fn(bool, bool) -> String,
) -> String {
    let set_in_code = sdk.get_origin("endpoint_url").is_client_config();
    let of_the_service = || {
        let key = ServiceConfigKey::builder()
            .service_id(service_id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        sdk.service_config()?.load_config(key)
    };
    let set = if set_in_code { None } else { of_the_service() };
    set.or_else(|| sdk.endpoint_url().map(str::to_owned)).unwrap_or_else(|| {
        of_aws(sdk.use_fips().unwrap_or(false), sdk.use_dual_stack().unwrap_or(false))
    })
}

fn of_aws(region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = Partition::of(region);
    let host = match (fips, dual_stack) {
        (true, false) if partition.fips_by_prefix => "api-fips.sagemaker",
        (true, _) => "api.sagemaker-fips",
        (false, _) => "api.sagemaker",
    };
    let suffix = if dual_stack { partition.dual_stack_suffix } else { partition.suffix };
    format!("https://{host}.{region}.{suffix}")
}

struct Partition {
    region_prefix: &'static str,
    suffix: &'static str,
    dual_stack_suffix: &'static str,
    /// Whether the FIPS host of SageMaker is `api-fips.sagemaker` instead of `api.sagemaker-fips`.
    fips_by_prefix: bool,
}

/// All partitions but the commercial one, by how their regions begin.
const PARTITIONS: [Partition; 7] = [
    Partition::new("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false),
    Partition::new("us-gov-", "amazonaws.com", "api.aws", true),
    Partition::new("us-iso-", "c2s.ic.gov", "api.aws.ic.gov", false),
    Partition::new("us-isob-", "sc2s.sgov.gov", "api.aws.scloud", false),
    Partition::new("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false),
    Partition::new("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false),
    Partition::new("eusc-", "amazonaws.eu", "api.amazonwebservices.eu", false),
];
const COMMERCIAL: Partition = Partition::new("", "amazonaws.com", "api.aws", true);

impl Partition {
    const fn new(
        region_prefix: &'static str,
        suffix: &'static str,
        dual_stack_suffix: &'static str,
        fips_by_prefix: bool,
    ) -> Self {
        Self { region_prefix, suffix, dual_stack_suffix, fips_by_prefix }
    }

    fn of(region: &str) -> &'static Self {
        PARTITIONS.iter().find(|p| region.starts_with(p.region_prefix)).unwrap_or(&COMMERCIAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::origin::Origin;
    use aws_types::service_config::LoadServiceConfig;

    /// `AWS_ENDPOINT_URL_SAGEMAKER=https://sagemaker.example`.
    #[derive(Debug)]
    struct OfTheService;

    impl LoadServiceConfig for OfTheService {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            assert_eq!((key.service_id(), key.env()), ("SageMaker", "AWS_ENDPOINT_URL"));
            Some("https://sagemaker.example".to_owned())
        }
    }

    fn sdk(url: Option<&str>, origin: Origin) -> SdkConfig {
        let mut sdk = SdkConfig::builder();
        sdk.set_endpoint_url(url.map(str::to_owned)).insert_origin("endpoint_url", origin);
        sdk.set_service_config(Some(OfTheService));
        sdk.build()
    }

    #[test]
    fn a_configured_url_goes_before_the_environment_and_the_service_before_all() {
        let resolve = |sdk: &SdkConfig| of_sagemaker(sdk, "us-east-1");
        let in_code = sdk(Some("http://127.0.0.1:1"), Origin::shared_config());
        assert_eq!(resolve(&in_code), "http://127.0.0.1:1");
        let in_environment =
            sdk(Some("https://all.example"), Origin::shared_environment_variable());
        assert_eq!(resolve(&in_environment), "https://sagemaker.example");
        let plain = SdkConfig::builder().use_fips(true).build();
        assert_eq!(resolve(&plain), "https://api-fips.sagemaker.us-east-1.amazonaws.com");
        let all = SdkConfig::builder().endpoint_url("https://all.example").build();
        assert_eq!(resolve(&all), "https://all.example");
    }

    #[test]
    fn tags_are_read_where_the_tagging_api_is() {
        let plain = SdkConfig::builder().build();
        let of = |region: &str| of_tagging(&plain, region);
        assert_eq!(of("us-east-1"), "https://tagging.us-east-1.amazonaws.com");
        assert_eq!(of("cn-north-1"), "https://tagging.cn-north-1.amazonaws.com.cn");
        let both = SdkConfig::builder().use_fips(true).use_dual_stack(true).build();
        assert_eq!(of_tagging(&both, "us-east-1"), "https://tagging-fips.us-east-1.api.aws");
        let trail = of_cloudtrail(&plain, "us-gov-west-1");
        assert_eq!(trail, "https://cloudtrail.us-gov-west-1.amazonaws.com");
    }

    #[test]
    fn the_urls_are_those_of_the_official_rule_set() {
        #[rustfmt::skip]
        let table = [
            ("us-east-1", false, false, "https://api.sagemaker.us-east-1.amazonaws.com"),
            ("us-east-1", true, false, "https://api-fips.sagemaker.us-east-1.amazonaws.com"),
            ("us-east-1", false, true, "https://api.sagemaker.us-east-1.api.aws"),
            ("us-east-1", true, true, "https://api.sagemaker-fips.us-east-1.api.aws"),
            ("cn-north-1", false, false, "https://api.sagemaker.cn-north-1.amazonaws.com.cn"),
            ("cn-north-1", true, false, "https://api.sagemaker-fips.cn-north-1.amazonaws.com.cn"),
            ("cn-north-1", false, true, "https://api.sagemaker.cn-north-1.api.amazonwebservices.com.cn"),
            ("us-gov-west-1", true, false, "https://api-fips.sagemaker.us-gov-west-1.amazonaws.com"),
            ("us-gov-east-1", true, true, "https://api.sagemaker-fips.us-gov-east-1.api.aws"),
            ("eusc-de-east-1", false, false, "https://api.sagemaker.eusc-de-east-1.amazonaws.eu"),
        ];
        for (region, fips, dual_stack, url) in table {
            assert_eq!(of_aws(region, fips, dual_stack), url);
        }
    }
}
