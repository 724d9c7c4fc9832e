//! Who calls AWS, and what it may.

use std::collections::BTreeMap;

use super::Check;
use crate::model::ids::{AccountId, Scope};
use crate::ports::{ErrorKind, PortResult};

/// What became of the calls of one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub answered: bool,
    /// How the last failure was classified, with AWS's code.
    pub failed: Option<(ErrorKind, String)>,
}

/// What became of them, by account and region and by operation.
pub type Outcomes = BTreeMap<(Scope, &'static str), Outcome>;

/// The policies of `iam/`, which say what is needed.
const OBSERVE: &str = include_str!("../../iam/observe.json");
const WRITE: &str = include_str!("../../iam/write.json");
const FLOORS: &str = include_str!("../../iam/floors.json");
const PER_INSTANCE: &str = include_str!("../../iam/per-instance.json");
const TAGS: &str = include_str!("../../iam/memory-tags.json");

/// The actions of a policy, such as `cloudwatch:GetMetricData`.
fn actions(policy: &str) -> Vec<String> {
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let actions = statements.flat_map(|one| one["Action"].as_array().into_iter().flatten());
    actions.filter_map(|action| action.as_str().map(str::to_owned)).collect()
}

/// Whose the credentials are, and whether they are of the account that is meant.
pub fn caller(
    region: &str,
    wanted: Option<&AccountId>,
    answer: &PortResult<(AccountId, String)>,
) -> Check {
    match answer {
        Err(error) => {
            Check::fail("credentials", format!("{region}: {error}"), advice(&error.message))
        }
        Ok((account, arn)) => match wanted {
            Some(wanted) if wanted != account => Check::fail(
                "credentials",
                format!(
                    "{region}: {arn} of account {account}, and the configuration is of {wanted}"
                ),
                "use credentials of that account, or correct aws.account_id: nothing is written in \
                 another account",
            ),
            Some(_) => Check::ok("credentials", format!("{region}: {arn}")),
            None => Check::warn(
                "credentials",
                format!("{region}: {arn}, and no account is configured"),
                format!("set aws.account_id to \"{account}\": nothing is ever written without it"),
            ),
        },
    }
}

/// What to do about an answer that did not come.
fn advice(message: &str) -> &'static str {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["certificate", "tls", "unknownissuer"]) {
        "TLS to AWS is not trusted: an intercepting proxy needs its CA in SSL_CERT_FILE"
    } else if says(&["no credentials", "credentials provider", "credential"]) {
        "give credentials: AWS_PROFILE, aws.profile, a role of the pod (IRSA, Pod Identity) or of the \
         machine"
    } else if says(&["dns", "resolve", "connect", "timed out", "timeout", "no answer", "dispatch"])
    {
        "AWS cannot be reached: look at the network, HTTPS_PROXY, or the VPC endpoint of STS \
         (aws.endpoint_url)"
    } else if says(&["skew", "expired", "signature"]) {
        "the credentials have expired, or this machine's clock is wrong (see clock)"
    } else if says(&["assumerole", "not authorized"]) {
        "let the role be assumed: iam/README.md has the trust policy"
    } else {
        "aws sts get-caller-identity with the same environment shows the same"
    }
}

/// Listings that take longer are worth a word: an edit is seen after up to twice as long.
const LISTINGS_TAKE_LONG: f64 = 5.0 * 60.0;

/// How many endpoints there are to look at, and whether their listings take long at so many calls of Application Auto
/// Scaling a second.
pub fn endpoints(scope: &Scope, (endpoints, variants): (usize, usize), calls: f64) -> Check {
    if endpoints == 0 {
        return Check::warn(
            "endpoints",
            format!("{scope}: none"),
            "is it the right account and region? (--region)",
        );
    }
    let (e, v) = (if endpoints == 1 { "" } else { "s" }, if variants == 1 { "" } else { "s" });
    let found = format!("{scope}: {endpoints} endpoint{e} with {variants} variant{v}");
    // DescribeScalingPolicies lists 10 a call, DescribeScalableTargets 50.
    let seconds = (variants as f64 / 10.0 + variants as f64 / 50.0) / calls;
    if seconds < LISTINGS_TAKE_LONG {
        return Check::ok("endpoints", found);
    }
    let (minutes, seen) = (seconds / 60.0, seconds / 30.0);
    Check::warn(
        "endpoints",
        format!(
            "{found}, whose scaling policies take {minutes:.0} minutes to list at {calls} calls a second: drift is \
             seen within {seen:.0} minutes"
        ),
        "raise aws.call_rate_per_second if AWS accepts more (docs/scale.md)",
    )
}

/// Each permission that observing needs, as calls that change nothing have shown. One line for all
/// that are there.
pub fn permissions(
    scope: &Scope,
    outcomes: &Outcomes,
    (tags, per_instance): (bool, bool),
) -> Vec<Check> {
    let mut needed: Vec<(String, &str)> =
        actions(OBSERVE).into_iter().map(|action| (action, "iam/observe.json")).collect();
    if tags {
        needed.push((
            "application-autoscaling:ListTagsForResource".to_owned(),
            "iam/memory-tags.json",
        ));
    }
    if per_instance {
        let actions = actions(PER_INSTANCE).into_iter();
        needed.extend(actions.map(|action| (action, "iam/per-instance.json")));
    }
    let (mut granted, mut not_tried, mut checks) = (0, Vec::new(), Vec::new());
    for (action, policy) in needed {
        let operation = action.split_once(':').map_or(action.as_str(), |(_, operation)| operation);
        let outcome = outcomes
            .iter()
            .find(|((of, name), _)| of == scope && *name == operation)
            .map(|(_, o)| o);
        match outcome {
            Some(Outcome { answered: true, .. }) => granted += 1,
            Some(Outcome { failed: Some((ErrorKind::Denied, code)), .. }) => {
                checks.push(Check::fail(
                    "permission",
                    format!("{scope}: {action} is denied ({code})"),
                    format!("allow it: {policy} has the statement"),
                ));
            }
            // The thing asked for was not there, so that the question was allowed.
            Some(Outcome {
                failed: Some((ErrorKind::NotFound | ErrorKind::Invalid, _)), ..
            }) => {
                granted += 1;
            }
            Some(Outcome { failed: Some((kind, code)), .. }) => checks.push(Check::warn(
                "permission",
                format!("{scope}: {action} was not answered ({kind:?}: {code})"),
                "run it again: whether it is allowed is not known",
            )),
            _ => not_tried.push(action),
        }
    }
    if granted > 0 {
        checks.insert(0, Check::ok("permission", format!("{scope}: {granted} reads are allowed")));
    }
    if !not_tried.is_empty() {
        let found = format!(
            "{scope}: not tried, as there was nothing to ask about: {}",
            not_tried.join(", ")
        );
        checks.push(Check::note("permission", found));
    }
    checks
}

/// What writing needs, which is not tried: it would be a write.
pub fn writes(any: bool, tags: bool, floors: bool) -> Check {
    if !any {
        return Check::ok("write_permissions", "none needed: every target is in observe");
    }
    let mut needed = actions(WRITE);
    if tags {
        needed.extend(actions(TAGS).into_iter().filter(|action| action.ends_with(":TagResource")));
    }
    let mut policies = "iam/write.json".to_owned();
    if floors {
        needed.extend(actions(FLOORS));
        policies.push_str(", iam/floors.json");
    }
    Check::note(
        "write_permissions",
        format!(
            "not tried, as that would write; needed ({policies}): {}. AWS tries some of them for \
             the caller, and says ValidationException if one is missing",
            needed.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;
    use crate::model::ids::Region;
    use crate::ports::{PortError, Service};

    fn scope() -> Scope {
        Scope {
            account_id: AccountId::new("123456789012").unwrap(),
            region: Region::new("us-east-1").unwrap(),
        }
    }

    #[test]
    fn listings_that_take_long_are_worth_a_word() {
        assert_eq!(endpoints(&scope(), (0, 0), 2.0).health, Health::Warn);
        assert_eq!(endpoints(&scope(), (4_000, 4_900), 2.0).health, Health::Ok);
        let slow = endpoints(&scope(), (9_000, 10_000), 2.0);
        assert_eq!(slow.health, Health::Warn);
        assert!(slow.found.contains("take 10 minutes to list at 2 calls a second"), "{slow:?}");
        assert!(slow.found.contains("within 20 minutes"), "{slow:?}");
        assert_eq!(endpoints(&scope(), (9_000, 10_000), 10.0).health, Health::Ok);
    }

    #[test]
    fn the_policies_name_what_is_needed() {
        assert!(actions(OBSERVE).contains(&"cloudwatch:GetMetricData".to_owned()));
        assert!(actions(WRITE).contains(&"application-autoscaling:PutScalingPolicy".to_owned()));
        assert!(writes(true, true, false).found.contains("TagResource"));
        assert!(!writes(true, false, false).found.contains("TagResource"));
        assert!(writes(true, false, true).found.contains("PutScheduledAction"));
        assert!(!writes(true, true, false).found.contains("PutScheduledAction"));
    }

    #[test]
    fn what_is_denied_is_told_apart_from_what_was_not_tried() {
        let mut outcomes = Outcomes::new();
        let mut put = |operation, answered, failed: Option<(ErrorKind, &str)>| {
            let failed = failed.map(|(kind, code)| (kind, code.to_owned()));
            outcomes.insert((scope(), operation), Outcome { answered, failed });
        };
        put("ListEndpoints", true, None);
        put("DescribeEndpoint", false, Some((ErrorKind::NotFound, "ValidationException")));
        put("DescribeAlarms", false, Some((ErrorKind::Denied, "AccessDenied")));
        put("GetMetricData", false, Some((ErrorKind::Transient, "timeout")));
        let checks = permissions(&scope(), &outcomes, (false, false));
        let of = |health| checks.iter().filter(move |check| check.health == health);
        assert!(of(Health::Ok).next().unwrap().found.contains("2 reads"));
        let denied: Vec<&Check> = of(Health::Fail).collect();
        assert_eq!(denied.len(), 1);
        assert!(denied[0].found.contains("cloudwatch:DescribeAlarms is denied"));
        assert!(denied[0].advice.as_ref().unwrap().contains("iam/observe.json"));
        assert_eq!(of(Health::Warn).count(), 1);
        assert!(of(Health::Note).next().unwrap().found.contains("sagemaker:DescribeModel"));
    }

    #[test]
    fn another_account_is_a_failure_and_none_a_warning() {
        let account = AccountId::new("123456789012").unwrap();
        let other = AccountId::new("210987654321").unwrap();
        let arn = "arn:aws:iam::123456789012:user/me".to_owned();
        let answer = Ok((account.clone(), arn));
        assert_eq!(caller("us-east-1", Some(&account), &answer).health, Health::Ok);
        assert_eq!(caller("us-east-1", Some(&other), &answer).health, Health::Fail);
        assert_eq!(caller("us-east-1", None, &answer).health, Health::Warn);
        let failed = Err(PortError {
            kind: ErrorKind::Transient,
            service: Service::Sts,
            operation: "GetCallerIdentity",
            code: None,
            message: "dispatch failure: invalid peer certificate: UnknownIssuer".to_owned(),
        });
        let check = caller("us-east-1", None, &failed);
        assert!(check.advice.unwrap().contains("SSL_CERT_FILE"));
    }
}
