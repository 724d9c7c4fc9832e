//! Regions that do not exist and are near one that does.

use super::super::Config;
use super::super::resolve::parse_path;
use super::{of_key, of_target};
use crate::model::ids::Region;
use crate::model::near::nearest;
use crate::model::warning::ConfigWarning;

/// The regions of all partitions, as of November 2026 (`endpoints.json` of botocore 1.43). A region
/// that is missing here is only reported when it is near one that is not: AWS opens new ones.
const REGIONS: [&str; 41] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "us-west-1",
    "us-west-2",
];

/// Every region that looks misspelt.
pub(super) fn warnings(config: &Config) -> Vec<ConfigWarning> {
    const CODE: &str = "region_unknown";
    let mut found = Vec::new();
    if let Some(sentence) = config.aws.region.as_ref().and_then(misspelt) {
        found.push(of_key(config, CODE, "aws.region", sentence));
    }
    for (i, account) in config.accounts.iter().enumerate() {
        for (n, region) in account.regions.iter().enumerate() {
            if let Some(sentence) = misspelt(region) {
                let key = format!("accounts[{i}].regions[{n}]");
                found.push(of_key(config, CODE, &key, sentence));
            }
        }
    }
    for target in &config.targets {
        let Some(region) = &target.pattern.region else { continue };
        if let Some(sentence) = misspelt(region) {
            found.push(of_target(config, target, CODE, "region", sentence));
        } else if let Some(sentence) = elsewhere(config, region) {
            found.push(of_target(config, target, "region_not_configured", "region", sentence));
        }
    }
    found
}

fn misspelt(region: &Region) -> Option<String> {
    let region = region.as_str();
    if REGIONS.contains(&region) {
        return None;
    }
    let near = nearest(region, &REGIONS)?;
    Some(format!("{region} is not a known region (did you mean {near}?)"))
}

/// A target of a region that nothing connects to matches nothing.
fn elsewhere(config: &Config, region: &Region) -> Option<String> {
    let connected: Vec<&Region> = if config.accounts.is_empty() {
        config.aws.region.iter().collect()
    } else {
        config.accounts.iter().flat_map(|account| &account.regions).collect()
    };
    if connected.is_empty() || connected.contains(&region) {
        return None;
    }
    let names: std::collections::BTreeSet<&str> = connected.iter().map(|r| r.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    // A flag or variable may set another region than the file.
    let path = parse_path("aws.region");
    let by = if config.accounts.is_empty() {
        config.merged.origin(&path)
    } else {
        "accounts".to_owned()
    };
    Some(format!("nothing connects to {region}: the regions are {} ({by})", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_near_a_known_one_is_reported_and_a_new_one_is_not() {
        let reported = |name: &str| misspelt(&name.parse().unwrap());
        assert!(reported("us-esat-1").unwrap().contains("did you mean us-east-1?"));
        assert!(reported("us-east-11").is_some() && reported("eu-west1").is_some());
        assert_eq!(reported("us-east-1"), None);
        assert_eq!(reported("antarctica-south-1"), None);
    }
}
