//! Whether a listing of Application Auto Scaling needs no mark: a look at the few numbers that matter,
//! without a tree of all the rest. Nearly every answer is whole, and a pass over a large fleet has a
//! thousand of them.

use serde::Deserialize;

use super::Listing;

impl Listing {
    /// Whether it is certain that there is nothing to mark. Where it is not, the tree tells.
    pub(super) fn is_whole(self, body: &[u8]) -> bool {
        match self {
            Self::Targets => serde_json::from_slice::<Targets>(body).is_ok(),
            Self::Policies => serde_json::from_slice::<Policies>(body).is_ok(),
            Self::ScheduledActions => serde_json::from_slice::<Actions>(body).is_ok(),
        }
    }
}

#[derive(Deserialize)]
struct Targets {
    #[serde(rename = "ScalableTargets")]
    _rows: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(rename = "MinCapacity")]
    _min: i32,
    #[serde(rename = "MaxCapacity")]
    _max: i32,
}

#[derive(Deserialize)]
struct Policies {
    #[serde(rename = "ScalingPolicies")]
    _rows: Vec<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(rename = "TargetTrackingScalingPolicyConfiguration")]
    _tracking: Option<Tracking>,
}

#[derive(Deserialize)]
struct Tracking {
    #[serde(rename = "TargetValue")]
    _target: f64,
    #[serde(rename = "ScaleOutCooldown")]
    _scale_out: Option<i32>,
    #[serde(rename = "ScaleInCooldown")]
    _scale_in: Option<i32>,
}

#[derive(Deserialize)]
struct Actions {
    #[serde(rename = "ScheduledActions")]
    _rows: Vec<Action>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "ScalableTargetAction")]
    _action: Option<Bounds>,
}

#[derive(Deserialize)]
struct Bounds {
    #[serde(rename = "MinCapacity")]
    _min: Option<i32>,
    #[serde(rename = "MaxCapacity")]
    _max: Option<i32>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What a member may be; nothing is that it is not there.
    fn numbers() -> Vec<Option<Value>> {
        let usual = [json!(4), json!(-4), Value::Null];
        let odd = [
            json!(1.5),
            json!(3_000_000_000_i64),
            json!("NaN"),
            json!("many"),
            json!({}),
            json!([1]),
        ];
        std::iter::once(None).chain(usual.into_iter().chain(odd).map(Some)).collect()
    }

    fn object(members: [(&str, &Option<Value>); 3]) -> Value {
        let held =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        Value::Object(held.collect())
    }

    #[test]
    fn what_is_whole_has_nothing_to_mark() {
        let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let (mut whole, mut marked) = (0, 0);
        let numbers = numbers();
        for (one, other) in numbers.iter().flat_map(|a| numbers.iter().map(move |b| (a, b))) {
            let bounds = object([("MinCapacity", one), ("MaxCapacity", other), ("x", &None)]);
            let tracking = object([
                ("TargetValue", one),
                ("ScaleInCooldown", other),
                ("ScaleOutCooldown", other),
            ]);
            let policy = json!({"TargetTrackingScalingPolicyConfiguration": tracking});
            let action = json!({"ScalableTargetAction": bounds.clone()});
            for (listing, row) in [
                (Listing::Targets, bounds),
                (Listing::Policies, policy),
                (Listing::ScheduledActions, action),
            ] {
                for rows in
                    [json!([row.clone()]), json!([row.clone(), Value::Null]), json!([row, [1, 2]])]
                {
                    let body = json!({ listing.member(): rows, "NextToken": "t" }).to_string();
                    let by_tree = listing.marked(body.as_bytes());
                    if listing.is_whole(body.as_bytes()) {
                        whole += 1;
                        let same =
                            by_tree.is_none_or(|tree| parse(&tree) == parse(body.as_bytes()));
                        assert!(same, "{body}");
                    } else {
                        marked += usize::from(by_tree.is_some());
                    }
                }
            }
        }
        assert!(whole > 10 && marked > 100, "{whole} whole, {marked} marked");
    }

    #[test]
    fn a_usual_answer_is_whole() {
        let target =
            json!({"ScalableTargets": [{"ResourceId": "a", "MinCapacity": 1, "MaxCapacity": 4}]});
        let policy = json!({"ScalingPolicies": [
            {"PolicyName": "p", "TargetTrackingScalingPolicyConfiguration":
                {"TargetValue": 600.0, "ScaleInCooldown": 300, "PredefinedMetricSpecification": {"a": "b"}}},
            {"PolicyName": "s", "PolicyType": "StepScaling"},
        ], "NextToken": "t"});
        let action = json!({"ScheduledActions": [{"ScalableTargetAction": {"MinCapacity": 2}}]});
        for (listing, body) in [
            (Listing::Targets, target),
            (Listing::Policies, policy),
            (Listing::ScheduledActions, action),
        ] {
            assert!(listing.is_whole(body.to_string().as_bytes()), "{body}");
            assert!(!listing.is_whole(b"{}"));
        }
        let wrong = json!({"ScalableTargets": [{"MinCapacity": 1}]});
        assert!(!Listing::Targets.is_whole(wrong.to_string().as_bytes()));
    }
}
