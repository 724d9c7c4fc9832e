//! Tests of `render`: golden texts, and what must hold of them.

use anstream::adapter::strip_str;
use chrono::TimeDelta;
use expect_test::{expect, expect_file};
use setpoint::cli::exit::Exit;
use setpoint::model::consent::Consent;
use setpoint::model::decision::{Action, FieldState, Outcome, StepOutcome, StepResult};
use setpoint::model::fact::{Why, WhyKind};
use setpoint::model::reads::Read;
use setpoint::model::reason::Reason;
use setpoint::model::status::{FleetStatus, MassChange, VariantStatus};
use setpoint::render::explain::explain;
use setpoint::render::page::Site;
use setpoint::render::page::fleet::{everything, fleet_page};
use setpoint::render::page::variant::variant_page;
use setpoint::render::plan::{self, PlanSummary};
use setpoint::render::proof::Proof;
use setpoint::render::view::{VariantDetail, VariantView};
use setpoint::render::{Standing, line, sentence};

use crate::fixtures;

fn plain(text: &str) -> String {
    strip_str(text).to_string()
}

#[test]
fn plan_of_a_mixed_fleet() {
    expect_file!["golden/plan.txt"].assert_eq(&plain(&plan::text(&fixtures::mixed_fleet())));
}

#[test]
fn plan_of_an_empty_fleet() {
    expect![[r"
        Plan: no variants.
    "]]
    .assert_eq(&plan::text(&FleetStatus::default()));
}

#[test]
fn a_plan_that_waits_for_a_confirmation_names_it() {
    let mut fleet = fixtures::fleet(vec![fixtures::in_sync("a")]);
    let plan_id = "p-17".to_owned();
    fleet.mass_change = Some(MassChange {
        plan_id,
        variants: (0..40).map(|i| fixtures::id(&format!("e{i}"))).collect(),
        shown: Consent::default(),
        limit: 3,
    });
    expect![[r"
        = a/AllTraffic  in sync; safe: 600 where 612 is safe
        Held: 40 variants would change, and 3 may without a confirmation (plan id p-17).
        Plan: 1 in sync.
    "]]
    .assert_eq(&plain(&plan::text(&fleet)));
}

#[test]
fn plan_as_json() {
    let fleet =
        fixtures::fleet(vec![fixtures::drifted("fraud-scorer"), fixtures::not_comparable("pay")]);
    let json = plan::json(&fleet);
    expect![[r#"
        {
          "to_create": 0,
          "to_change": 1,
          "held": 0,
          "not_compared": 0,
          "in_sync": 0,
          "could_not_compare": 1,
          "unmanaged": 0,
          "differs": 1,
          "unknown": 1,
          "unsafe": 1,
          "safety_not_known": 1,
          "in_sync_unsafe": 0,
          "in_sync_safety_not_known": 0,
          "unreadable_scopes": 0,
          "undescribed_endpoints": 0,
          "memory_unread": false
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&json["summary"]).unwrap());
    let views: Vec<_> = fleet.variants.values().map(|s| VariantView::of(s)).collect();
    assert_eq!(json["variants"], serde_json::to_value(views).unwrap());
}

#[test]
fn exit_codes() {
    let code = |variants| Exit::of_plan(&fixtures::fleet(variants)).code();
    assert_eq!(code(vec![]), 0);
    assert_eq!(code(vec![fixtures::in_sync("a"), fixtures::unlisted("b")]), 0);
    assert_eq!(code(vec![fixtures::in_sync("a"), fixtures::drifted("b")]), 2);
    assert_eq!(code(vec![fixtures::held("a")]), 2, "held or not");
    assert_eq!(code(vec![fixtures::lost_policy("a")]), 2);
    assert_eq!(code(vec![fixtures::not_comparable("a")]), 3);
    assert_eq!(code(vec![fixtures::not_comparable("a"), fixtures::drifted("b")]), 3, "3 wins");
    assert_eq!(code(vec![fixtures::load_test_expired("a")]), 3, "what is asked for is missing");
    let unsafe_one = || fixtures::as_configured_and_unsafe("a");
    assert_eq!(code(vec![unsafe_one(), fixtures::in_sync("b")]), 4);
    assert_eq!(code(vec![unsafe_one(), fixtures::held("b")]), 2, "2 goes before 4");
    let mut unlisted = fixtures::held("a");
    unlisted.decision.report.managed = false;
    assert_eq!(code(vec![unlisted]), 0, "nothing is asked for of what nobody lists");
}

#[test]
fn no_subjects_is_not_no_problems() {
    let denied = Why::new(WhyKind::Denied, "not authorized");
    let fleet = FleetStatus {
        scopes: [(fixtures::scope(), Some(denied))].into(),
        ..FleetStatus::default()
    };
    expect![[r"
        ? 123456789012/us-east-1  cannot be read: not authorized
        Plan: no variants are known; 1 account and region could not be read.
    "]]
    .assert_eq(&plain(&plan::text(&fleet)));
    assert_eq!(
        (Exit::of_plan(&fleet), Exit::of_reads(&fleet)),
        (Exit::NotCompared, Exit::NotCompared)
    );
    assert_eq!(plan::json(&fleet)["unread"][0]["why"], "not authorized");
}

#[test]
fn what_is_left_after_writes_decides_the_exit_code() {
    let code = |steps: Vec<StepOutcome>, mut status: VariantStatus| {
        status.outcome = Some(Outcome { steps });
        Exit::of_writes(&fixtures::fleet(vec![status])).code()
    };
    let done = || vec![StepOutcome::success("PutScalingPolicy", "done")];
    let skipped = StepOutcome::other(
        "PutScalingPolicy",
        StepResult::Skipped,
        Reason::WorldChanged,
        "another value is in force",
    );
    let failed =
        StepOutcome::other("PutScalingPolicy", StepResult::Error, Reason::WriteFailed, "no");
    // A max that is left alone, and a lowering in steps.
    assert_eq!(code(done(), fixtures::drifted("a")), 2);
    assert_eq!(code(vec![failed], fixtures::drifted("a")), 1);
    let mut whole = fixtures::drifted("a");
    whole.decision.report.fields.retain(|field| field.state != FieldState::Held);
    whole.decision.report.wanted_target = whole.decision.report.desired_target;
    if let Some(Action::PutPolicy { configuration, .. }) = whole.decision.plan.actions.first_mut() {
        configuration.target_value = 600.0;
    }
    assert_eq!(code(done(), whole.clone()), 0);
    assert_eq!(code(vec![skipped], whole.clone()), 2, "what was not written still differs");
    // Written as configured, and what is configured is unsafe.
    whole.decision.report.estimate.capacity.high = Some(500.0);
    assert_eq!(code(done(), whole), 4);
}

#[test]
fn in_sync_never_leads_where_it_is_known_to_be_unsafe() {
    let status = fixtures::as_configured_and_unsafe("doc-embedder");
    let report = &status.decision.report;
    assert_eq!((report.reason, Standing::of(report)), (Reason::InSync, Standing::InSync));
    let headline = "as configured, unsafe: 660 where 202 is safe; at least 15 of the last 30 minutes broke p99 250 ms (72 % of all)";
    assert_eq!(report.headline(), headline);
    let fleet = fixtures::fleet(vec![status.clone()]);
    let text = plain(&plan::text(&fleet));
    assert!(text.starts_with(&format!("! doc-embedder/AllTraffic  {headline}\n")), "{text}");
    let badges = "<span class=\"badge unsafe\">unsafe</span> \
                  <span class=\"badge unmanaged\">as configured</span>";
    let site = Site::default();
    for page in [fleet_page(&site, &fleet, &everything()), variant_page(&site, &status, None)] {
        assert!(page.contains(badges) && page.contains(headline), "{page}");
    }
    assert!(sentence(&status).contains(headline));
    assert!(explain(&status).lines().next().unwrap().ends_with("  unsafe, as configured"));
    let line = plain(&line::line(&status, 24));
    assert!(line.contains("  ! doc-embedder/AllTraffic ") && line.ends_with(headline), "{line}");
    assert_eq!(VariantView::of(&status).headline, headline);
    let json = serde_json::to_value(VariantView::of(&status)).unwrap();
    assert_eq!(json["safety"]["state"], "above_capacity");
    assert_eq!(json["safety"]["unsafe"], true);
}

#[test]
fn both_axes_are_counted() {
    let fleet = fixtures::fleet(vec![
        fixtures::in_sync("a"),
        fixtures::in_sync("b"),
        fixtures::as_configured_and_unsafe("c"),
        no_objective("d"),
        fixtures::drifted("e"),
    ]);
    let line = plan::summary_line(&PlanSummary::of(&fleet));
    let expected = "Plan: 1 to change, 4 in sync, 1 of them unsafe, 1 not known; 2 unsafe in all.";
    assert_eq!(line, expected);
    let fleet = fixtures::fleet(vec![no_objective("d")]);
    let line = plan::summary_line(&PlanSummary::of(&fleet));
    assert_eq!(line, "Plan: 1 in sync, 1 of them not known to be safe.");
}

/// In sync, with nothing to judge its safety by.
fn no_objective(endpoint: &str) -> VariantStatus {
    let mut status = fixtures::in_sync(endpoint);
    status.goal.objective.latency = None;
    fixtures::decided_again(status)
}

#[test]
fn the_page_about_plans_shows_what_the_program_says() {
    let page = include_str!("../../docs/plan.md");
    let block = page.split("```\n").nth(1).unwrap();
    assert_eq!(block, plain(&plan::text(&fixtures::mixed_fleet())));
}

#[test]
fn a_plan_says_every_reason_once() {
    for status in fixtures::mixed_fleet().variants.values() {
        let text = plain(&plan::text(&fixtures::fleet(vec![(**status).clone()])));
        for field in status.decision.report.fields.iter().filter(|f| f.sentence.len() > 12) {
            let times = text.matches(&*field.sentence).count();
            assert!(times <= 1, "{:?} {times} times in {text}", field.sentence);
        }
    }
}

#[test]
fn a_field_that_could_not_be_compared_is_never_in_sync() {
    let status = fixtures::not_comparable("a");
    let fields = &status.decision.report.fields;
    assert!(fields.iter().any(|field| field.state == FieldState::Unknown));
    assert_eq!(Standing::of(&status.decision.report), Standing::Unknown);
    assert!(!VariantView::of(&status).comparable);
}

#[test]
fn a_field_that_is_held_is_never_in_sync() {
    let mut status = fixtures::in_sync("a");
    let held = fixtures::held("a").decision.report.fields.clone();
    let held = held.iter().find(|field| field.state == FieldState::Held).unwrap();
    status.decision.report.fields.push(held.clone());
    assert_eq!(Standing::of(&status.decision.report), Standing::Held);
}

#[test]
fn the_json_of_a_variant() {
    let status = fixtures::drifted("fraud-scorer");
    let json = serde_json::to_string_pretty(&VariantDetail::of(&status)).unwrap();
    expect_file!["golden/variant.json"].assert_eq(&(json + "\n"));
}

#[test]
fn the_json_of_a_variant_that_is_unknown_has_nulls_and_reasons() {
    let status = fixtures::not_comparable("payments");
    let json = serde_json::to_value(VariantView::of(&status)).unwrap();
    assert!(json["targets"]["configured"].is_null());
    assert!(json["observed"].is_null());
    assert_eq!(json["comparable"], false);
    let unknown: Vec<_> =
        json["unknown"].as_array().unwrap().iter().map(|u| u["fact"].as_str().unwrap()).collect();
    assert_eq!(unknown, ["model", "policies", "alarms", "telemetry"]);
    assert_eq!(json["unknown"][1]["kind"], "denied");
}

#[test]
fn every_key_of_the_json_is_documented() {
    let page = include_str!("../../docs/api.md");
    let json = serde_json::to_value(VariantDetail::of(&fixtures::drifted("a"))).unwrap();
    for key in json.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{key}`")), "docs/api.md does not name `{key}`");
    }
}

#[test]
fn lines_of_the_demo() {
    let lines: Vec<String> = fixtures::mixed_fleet()
        .variants
        .values()
        .map(|status| plain(&line::line(status, 24)))
        .collect();
    expect_file!["golden/lines.txt"].assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn one_sentence_for_the_log() {
    expect!["ads/AllTraffic: hold (observe): unsafe: 900 where 612 is safe; max_capacity 30 -> 20, held: the mode is observe"]
        .assert_eq(&sentence(&fixtures::held("ads")));
}

#[test]
fn explanations() {
    let mut status = fixtures::drifted("fraud-scorer");
    status.outcome = Some(Outcome {
        steps: vec![StepOutcome::success("PutScalingPolicy", "target value is 630")],
    });
    let text = explain(&status) + "\n" + &explain(&fixtures::not_comparable("payments"));
    expect_file!["golden/explain.txt"].assert_eq(&text);
}

#[test]
fn a_proof_rests_on_reads_of_the_pass_alone() {
    let began_at = fixtures::noon();
    let proof = |status: &VariantStatus| Proof::of(status, began_at);
    let verified = fixtures::in_sync("a");
    let expected = Proof { verified: true, verified_at: Some(began_at), not_verified: vec![] };
    assert_eq!(proof(&verified), expected);

    // The instant is that of the oldest read, and one of before is none of this pass.
    let mut status = verified.clone();
    let late = began_at + TimeDelta::seconds(2);
    status.snapshot.reads.policies = Some(Read::new("DescribeScalingPolicies", late));
    assert_eq!(proof(&status), expected);
    let early = began_at - TimeDelta::minutes(14);
    status.snapshot.reads.endpoint = Some(Read::new("DescribeEndpoint", early));
    status.snapshot.reads.model = None;
    expect![[r#"
        Proof {
            verified: false,
            verified_at: None,
            not_verified: [
                "endpoint is from 2026-11-23T11:46:00Z, before this pass",
                "model was not read",
            ],
        }
    "#]]
    .assert_debug_eq(&proof(&status));

    // What could not be compared is not verified, however fresh.
    let unknown = proof(&fixtures::not_comparable("a"));
    assert_eq!((unknown.verified, unknown.verified_at), (false, None));
    assert!(unknown.not_verified[0].starts_with("policy could not be compared: "));
    let mut unlisted = verified;
    unlisted.goal.managed = false;
    assert_eq!(
        proof(&unlisted).not_verified,
        ["the configuration does not list it: nothing is compared"]
    );
}

#[test]
fn what_aws_says_cannot_move_the_cursor() {
    let mut status = fixtures::not_comparable("a");
    status.decision.report.sentence = "denied\u{1b}[2J\r\nPlan: all is well".to_owned();
    let fleet = fixtures::fleet(vec![status.clone()]);
    let text = plain(&plan::text(&fleet));
    assert!(!text.contains('\r'));
    assert!(!text.lines().any(|line| line == "Plan: all is well"));
    for text in [text, sentence(&status), plain(&line::line(&status, 0)), explain(&status)] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
