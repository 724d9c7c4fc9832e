//! Tests of `audit`: each thing that is wrong has its word, and where nothing is wrong nothing is
//! said.

use chrono::TimeDelta;
use setpoint::audit::{self, Audit, CODES, Severity, findings};
use setpoint::model::endpoint::{ConfigVariant, EndpointStatus};
use setpoint::model::fact::{Fact, Why, WhyKind};
use setpoint::model::scaling::{
    Activity, ActivityStatus, Alarm, AlarmState, MetricSpec, NotScaledReason, PolicyKind,
    ScalableTarget, ScalingPolicy, TargetTracking,
};
use setpoint::model::status::VariantStatus;

use crate::fixtures::{fleet, in_sync, noon, unlisted};

/// 600 on 4 instances of 2 to 20, nothing wrong.
fn right() -> VariantStatus {
    let mut status = unlisted("scorer");
    policies(&mut status).truncate(1);
    target(&mut status).min_capacity = 2;
    for alarm in alarms(&mut status) {
        alarm.state = AlarmState::Ok;
    }
    audit::with_activities(&status, Fact::Known(Vec::new()))
}

fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known(known) => known,
        Fact::Unknown(why) => panic!("{}", why.message),
    }
}

fn policies(status: &mut VariantStatus) -> &mut Vec<ScalingPolicy> {
    known(&mut status.snapshot.policies)
}

fn target(status: &mut VariantStatus) -> &mut ScalableTarget {
    known(&mut status.snapshot.target).as_mut().unwrap()
}

fn alarms(status: &mut VariantStatus) -> &mut Vec<Alarm> {
    known(&mut status.snapshot.alarms)
}

fn config(status: &mut VariantStatus) -> &mut ConfigVariant {
    &mut known(&mut status.snapshot.endpoint_config).as_mut().unwrap().variants[0]
}

fn tracking(status: &mut VariantStatus) -> &mut TargetTracking {
    match &mut policies(status)[0].kind {
        PolicyKind::TargetTracking(tracking) => tracking,
        other => panic!("{other:?}"),
    }
}

/// Another target value, which AWS's alarm follows.
fn set_target_value(status: &mut VariantStatus, value: f64) {
    tracking(status).target_value = value;
    for alarm in alarms(status) {
        alarm.threshold = Some(value);
    }
}

fn activity(seconds: i64, status: ActivityStatus) -> Activity {
    let started_at = noon() - TimeDelta::hours(2);
    Activity {
        id: "a".to_owned(),
        status,
        started_at,
        ended_at: Some(started_at + TimeDelta::seconds(seconds)),
        description: "Setting desired instance count to 5.".to_owned(),
        cause: "monitor alarm TargetTracking-endpoint/scorer/variant/AllTraffic-AlarmHigh-0a1b in \
                state ALARM triggered policy p"
            .to_owned(),
        message: None,
        not_scaled_reasons: Vec::new(),
    }
}

type Change = fn(&mut VariantStatus);

/// What is wrong, how bad it is, and a word of the sentence.
const CASES: &[(&str, Severity, &str, Change)] = &[
    ("no_scaling", Severity::High, "4 instances of ml.c5.xlarge run whatever the load", |s| {
        s.snapshot.target = Fact::Known(None).into();
        policies(s).clear();
        alarms(s).clear();
    }),
    ("no_policy", Severity::High, "registered for 2 to 20 instances", |s| {
        policies(s).clear();
        alarms(s).clear();
    }),
    ("endpoint_failed", Severity::High, "Failed: no\u{fffd}capacity", |s| {
        let endpoint = known(&mut s.snapshot.endpoint).as_mut().unwrap();
        endpoint.status = EndpointStatus::Failed;
        endpoint.failure_reason = Some("no\ncapacity".to_owned());
    }),
    ("scaling_suspended", Severity::High, "scale-out", |s| {
        target(s).suspended.scale_out = true;
    }),
    ("scaling_suspended", Severity::Medium, "scale-in", |s| target(s).suspended.scale_in = true),
    ("alarms", Severity::High, "both alarms are missing: the policy does nothing", |s| {
        alarms(s).clear();
    }),
    ("alarms", Severity::High, "AlarmHigh are disabled: it does not scale out", |s| {
        alarms(s)[0].actions_enabled = false;
    }),
    ("alarms", Severity::Medium, "AlarmLow is missing: it does not scale in", |s| {
        alarms(s).truncate(1);
    }),
    ("metric_without_meaning", Severity::High, "do not publish InvocationsPerInstance", |s| {
        known(&mut s.snapshot.endpoint).as_mut().unwrap().asynchronous = true;
    }),
    ("metric_without_meaning", Severity::Medium, "many models in one container", |s| {
        known(&mut s.snapshot.model).as_mut().unwrap().multi_model = true;
    }),
    ("scaling_failed", Severity::High, "quota of instances is used up", |s| {
        let mut failed = activity(5, ActivityStatus::Failed);
        failed.message = Some("ResourceLimitExceeded".to_owned());
        *s = audit::with_activities(s, Fact::Known(vec![failed]));
    }),
    ("not_scaled", Severity::Medium, "cannot be scaled at the moment", |s| {
        let mut not = activity(5, ActivityStatus::Successful);
        let code = "TargetServicePutResourceAsUnscalable".to_owned();
        let (max_capacity, min_capacity, current_capacity) = (None, None, None);
        not.not_scaled_reasons =
            vec![NotScaledReason { code, max_capacity, min_capacity, current_capacity }];
        *s = audit::with_activities(s, Fact::Known(vec![not]));
    }),
    ("target_like_per_second", Severity::Medium, "1 request every 3 s", |s| {
        set_target_value(s, 20.0);
    }),
    ("target_like_per_second", Severity::High, "10 looks like requests per second", |s| {
        set_target_value(s, 10.0);
        target(s).max_capacity = 4;
    }),
    ("target_like_per_hour", Severity::Medium, "36000 is 600 requests per second", |s| {
        set_target_value(s, 36_000.0);
    }),
    ("at_max", Severity::Medium, "all 4 instances that max allows run", |s| {
        target(s).max_capacity = 4;
    }),
    ("at_max", Severity::High, "its alarm calls for more", |s| {
        target(s).max_capacity = 4;
        alarms(s)[0].state = AlarmState::Alarm;
    }),
    ("fixed_capacity", Severity::Medium, "min and max are both 4", |s| {
        (target(s).min_capacity, target(s).max_capacity) = (4, 4);
    }),
    ("competing_policies", Severity::Medium, "2 policies scale it", |s| {
        let step = ScalingPolicy { kind: PolicyKind::Step, ..policies(s)[0].clone() };
        policies(s).push(step);
    }),
    ("left_behind", Severity::Medium, "the endpoint is gone", |s| {
        s.snapshot.endpoint = Fact::Known(None).into();
    }),
    ("left_behind", Severity::Medium, "no such variant", |s| {
        known(&mut s.snapshot.endpoint).as_mut().unwrap().variants.clear();
    }),
    ("slow_start", Severity::Medium, "takes 8 min", |s| {
        tracking(s).scale_out_cooldown = None;
        let slow = || activity(480, ActivityStatus::Successful);
        *s = audit::with_activities(s, Fact::Known(vec![slow(), slow()]));
    }),
    ("scale_in_disabled", Severity::Medium, "every instance that was ever needed", |s| {
        tracking(s).disable_scale_in = Some(true);
    }),
    ("other_metric", Severity::Low, "not by invocations per instance", |s| {
        let metric_type = "SageMakerVariantConcurrentRequestsPerModelHighResolution".to_owned();
        tracking(s).metric = MetricSpec::Predefined { metric_type, resource_label: None };
    }),
    ("single_instance", Severity::Low, "min is 1", |s| target(s).min_capacity = 1),
    ("default_cooldowns", Severity::Low, "ml.g5.xlarge", |s| {
        tracking(s).scale_out_cooldown = None;
        config(s).instance_type = Some("ml.g5.xlarge".to_owned());
    }),
    ("cannot_scale", Severity::Low, "ml.t2.medium", |s| {
        config(s).instance_type = Some("ml.t2.medium".to_owned());
        s.snapshot.target = Fact::Known(None).into();
        policies(s).clear();
    }),
];

#[test]
fn where_nothing_is_wrong_nothing_is_said() {
    assert_eq!(findings(&right()), Vec::new());
    let audit = Audit::of(&fleet(vec![right()]));
    let text = anstream::adapter::strip_str(&audit::text(&audit, false, None)).to_string();
    assert_eq!(text, "Audit: 1 variant on 1 endpoint: nothing found.\n");
}

#[test]
fn each_thing_that_is_wrong_is_found_alone() {
    for (code, severity, word, change) in CASES {
        let mut status = right();
        change(&mut status);
        let found = findings(&status);
        let text: Vec<String> =
            found.iter().map(|f| setpoint::render::printable(&f.sentence).into_owned()).collect();
        let is_it = |at: usize| found[at].code == *code && found[at].severity == *severity;
        let at = (0..found.len()).find(|at| is_it(*at));
        let at = at.unwrap_or_else(|| panic!("{code} is not found: {found:?}"));
        assert!(text[at].contains(word), "{code}: {}", text[at]);
        assert!(!found[at].advice.is_empty(), "{code}");
        // A target value of requests a second and a fleet at max are one cause with two findings.
        let others = found.len() - 1;
        assert!(
            others == 0 || (others == 1 && word.contains("10 looks like")),
            "{code}: {found:?}"
        );
    }
}

#[test]
fn every_word_has_a_case() {
    // That one rests on a routing strategy, which its note covers.
    let without = CODES.iter().filter(|code| !CASES.iter().any(|(case, ..)| case == *code));
    assert_eq!(without.collect::<Vec<_>>(), [&"uneven_routing"]);
    let page = include_str!("../../docs/first-contact.md");
    for code in CODES {
        assert!(page.contains(&format!("| `{code}` |")), "{code} is not in docs/first-contact.md");
    }
}

/// No subjects is not no problems.
#[test]
fn what_could_not_be_read_is_not_judged_and_said() {
    let mut status = in_sync("blind");
    let why = Why::new(WhyKind::Denied, "DescribeScalingPolicies failed: AccessDenied");
    status.snapshot.policies = Fact::Unknown(why).into();
    let mut status = status.clone();
    target(&mut status).min_capacity = 2;
    let fleet = fleet(vec![status]);
    let audit = Audit::of(&fleet);
    assert!(audit.findings.is_empty(), "{:?}", audit.findings);
    assert_eq!(audit.unread.len(), 1);
    let text = anstream::adapter::strip_str(&audit::text(&audit, false, None)).to_string();
    assert!(text.contains("not judged") && text.contains("AccessDenied"), "{text}");
    assert!(text.ends_with("nothing found; 1 not judged.\n"), "{text}");
    let json = audit::json(&audit, &fleet);
    assert_eq!(json["not_judged"][0]["variant"]["endpoint"], "blind");
    assert_eq!(json["undescribed"], serde_json::json!([]), "every endpoint was described");
}

#[test]
fn the_worst_comes_first_and_equals_are_together() {
    let of = |name: &str, change: Change| {
        let mut status = right();
        change(&mut status);
        status.snapshot.id = crate::fixtures::id(name);
        status
    };
    let change = |code: &str| CASES.iter().find(|case| case.0 == code).unwrap().3;
    let all = vec![
        of("a", change("single_instance")),
        of("b", change("no_scaling")),
        of("c", change("competing_policies")),
        of("d", change("no_scaling")),
    ];
    let fleet = fleet(all);
    let audit = Audit::of(&fleet);
    let order: Vec<(&str, &str)> =
        audit.findings.iter().map(|(id, f)| (id.endpoint.as_str(), f.code)).collect();
    assert_eq!(
        order,
        [
            ("b", "no_scaling"),
            ("d", "no_scaling"),
            ("c", "competing_policies"),
            ("a", "single_instance")
        ]
    );
    let text = anstream::adapter::strip_str(&audit::text(&audit, false, None)).to_string();
    assert!(text.starts_with("high  no_scaling (2)\n  b/AllTraffic  nothing scales it"), "{text}");
    assert_eq!(text.matches("  -> load-test one instance").count(), 1, "{text}");
    assert_eq!(audit::json(&audit, &fleet)["findings"].as_array().unwrap().len(), 4);
}

/// Every world that any scenario comes by is audited without a panic, and in plain text.
#[test]
fn every_world_can_be_audited() {
    let mut found = std::collections::BTreeSet::new();
    crate::scenarios::each_world(async |place, sim| {
        let fleet = crate::importing::seen(sim).await;
        let audit = Audit::of(&fleet);
        found.extend(audit.findings.iter().map(|(_, finding)| finding.code));
        let text = anstream::adapter::strip_str(&audit::text(&audit, false, None)).to_string();
        assert!(text.lines().all(|line| !line.contains(char::is_control)), "{place}: {text}");
    });
    for code in ["no_scaling", "alarms", "competing_policies", "scaling_suspended"] {
        assert!(found.contains(code), "{code}: {found:?}");
    }
}
