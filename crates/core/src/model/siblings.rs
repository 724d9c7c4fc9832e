//! What the load tests of one family were worth, by its variants whose capacity was measured.

use serde::{Deserialize, Serialize};

use super::endpoint::{Endpoint, EndpointConfig};
use super::goal::Goal;
use super::ids::VariantName;

/// What the measured siblings of a variant say of its load test. It is an opinion to start from and
/// no proof: no bound and no verdict rests on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Siblings {
    /// The family: the key of the configuration, else image and instance type.
    pub family: String,
    /// Measured variants of the family whose load test is valid.
    pub count: u32,
    /// Mean of ln(measured / load-tested): below 0 where load tests promise too much.
    pub lg_mean: f64,
    /// How far the next load test's may lie from that mean: one standard deviation.
    pub lg_spread: f64,
    /// The estimate without them, in invocations per minute. A target value goes by the lower one.
    pub estimate_alone: Option<f64>,
}

impl Siblings {
    /// One clause for an SRE.
    pub fn sentence(&self) -> String {
        // Load-tested over measured.
        let off = ((-self.lg_mean).exp() - 1.0) * 100.0;
        let count = self.count;
        let by = off.abs().round();
        let of = "load tests of this family were";
        if by < 1.0 {
            format!("{of} right on average on {count} siblings")
        } else {
            let way = if off > 0.0 { "high" } else { "low" };
            format!("{of} {by:.0} % too {way} on {count} siblings")
        }
    }
}

/// The family of a variant: the key of its target, else the image without registry, tag and digest,
/// and the instance type. Absent where these are not known.
pub fn family(
    goal: &Goal,
    endpoint: Option<&Endpoint>,
    config: Option<&EndpointConfig>,
    variant: &VariantName,
) -> Option<String> {
    if goal.family.is_some() {
        return goal.family.clone();
    }
    let instance_type = config?.variant(variant)?.instance_type.as_deref()?;
    let [image] = endpoint?.variant(variant)?.images.as_slice() else { return None };
    Some(format!("{} on {instance_type}", repository(image)))
}

/// The repository of an image: AWS's own images have a registry in each region, and what is deployed
/// again has another digest.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let name = match image.split_once('/') {
        Some((host, name)) if host.contains('.') || host.contains(':') => name,
        _ => image,
    };
    name.split_once(':').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn siblings(lg_mean: f64) -> Siblings {
        let family = "fraud".to_owned();
        Siblings { family, count: 12, lg_mean, lg_spread: 0.2, estimate_alone: None }
    }

    #[test]
    fn the_clause_says_how_far_off_load_tests_were() {
        let said = |lg_mean: f64| siblings(lg_mean).sentence();
        assert_eq!(
            said(-(1.18_f64.ln())),
            "load tests of this family were 18 % too high on 12 siblings"
        );
        assert_eq!(
            said(1.25_f64.ln()),
            "load tests of this family were 20 % too low on 12 siblings"
        );
        assert_eq!(said(0.002), "load tests of this family were right on average on 12 siblings");
    }

    #[test]
    fn an_image_is_the_same_in_each_region_and_version() {
        let ours = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/fraud";
        for image in [
            format!("{ours}@sha256:0123"),
            format!("{ours}:7"),
            format!("{ours}:7@sha256:0123"),
            "localhost:5000/team/fraud:7".to_owned(),
            "team/fraud".to_owned(),
        ] {
            assert_eq!(repository(&image), "team/fraud", "{image}");
        }
    }
}
