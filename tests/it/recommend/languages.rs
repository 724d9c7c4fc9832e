//! Each language: what is written, and that parsers and `check` take it back.

use expect_test::expect_file;
use serde_json::Value;
use setpoint::model::estimate::{Estimate, Verdict};
use setpoint::recommend::{Basis, Language, Recommendation, check, read, text, write};

use crate::fixtures::{
    decided_with, in_sync, load_test_expired, lost_policy, mixed_fleet, unlisted,
};

pub(crate) const ALL: [Language; 6] = [
    Language::Terraform,
    Language::Cdk,
    Language::CloudFormation,
    Language::Ack,
    Language::Crossplane,
    Language::AwsCli,
];

fn some() -> Vec<Recommendation> {
    // One that is whole, one whose target AWS lost, one without a value.
    let all = [in_sync("search-ranker"), lost_policy("recreated"), load_test_expired("chat")];
    all.iter().map(Recommendation::of).collect()
}

#[test]
fn every_language_has_its_text() {
    let name = |language| format!("../golden/recommend_{language:?}.txt").to_lowercase();
    for language in ALL {
        expect_file![name(language)].assert_eq(&write(&some(), language));
    }
    expect_file!["../golden/recommend_text.txt"].assert_eq(&text(&some()));
}

#[test]
fn what_is_written_as_yaml_is_read_again_and_agrees() {
    for language in [Language::CloudFormation, Language::Ack, Language::Crossplane] {
        let all = some();
        let kept = read(&write(&all, language)).unwrap();
        assert_eq!(kept.len(), 4, "a target and a policy of two variants: {kept:?}");
        let checked = check(&kept, &all, |_| true, false);
        assert!(checked.compared() && !checked.differs(), "{language:?}: {checked:?}");
        assert!(checked.places.iter().all(|p| p.fields.len() >= 2), "{checked:?}");
    }
}

#[test]
fn a_value_is_recommended_by_measurement_or_by_a_load_test_and_never_guessed() {
    let measured = Recommendation::of(&in_sync("a"));
    // The 25 % quantile of 1,225 x 0.5.
    assert_eq!((measured.target_value, measured.basis), (Some(612.0), Basis::Measured));
    let nothing = Estimate::unobserved("the load does not show capacity yet");
    let tested = Recommendation::of(&decided_with(in_sync("a"), &nothing));
    assert_eq!((tested.target_value, tested.basis), (Some(600.0), Basis::LoadTest));
    assert!(
        tested.because.contains("there is no safe target: the load does not show"),
        "{tested:?}"
    );
    // Every load that was seen breaks the objective: a load test that says otherwise is wrong.
    let at_most = Estimate { verdict: Verdict::AtMost, ..nothing.clone() };
    let refuted = Recommendation::of(&decided_with(in_sync("a"), &at_most));
    assert_eq!((refuted.target_value, refuted.basis), (None, Basis::None));
    assert!(refuted.lacking().unwrap().contains("not to be relied on"), "{refuted:?}");
    let expired = Recommendation::of(&load_test_expired("chat"));
    assert_eq!(expired.target_value, None);
    assert!(expired.because.contains("load test: expired"), "{expired:?}");
    let unlisted = Recommendation::of(&unlisted("sandbox"));
    assert_eq!(unlisted.target_value, None);
    assert!(unlisted.because.contains("no latency objective"), "{unlisted:?}");
    // In an incident of another cause `auto` does not move, and nothing else is recommended.
    let incident = Estimate::clone(&in_sync("a").decision.report.estimate);
    let incident = Estimate { incident_since: Some(crate::fixtures::noon()), ..incident };
    let held = Recommendation::of(&decided_with(in_sync("a"), &incident));
    assert!(held.target_value.is_none() && held.because.contains("another cause"), "{held:?}");
}

#[test]
fn a_raise_says_how_it_is_made_safely() {
    let mut status = in_sync("a");
    status.decision.report.configured_target = Some(400.0);
    let it = Recommendation::of(&status);
    assert!(it.notes.iter().any(|note| note.contains("400 is in force: raise it")), "{it:?}");
    assert!(Recommendation::of(&in_sync("a")).notes.is_empty());
}

#[test]
fn names_that_would_be_equal_get_a_number() {
    let of = |endpoint: &str, variant: &str| {
        let mut it = Recommendation::of(&in_sync(endpoint));
        it.id.variant = variant.parse().unwrap();
        it.resource_id = it.id.resource().to_string();
        it
    };
    let all = [of("a-b", "c"), of("a", "b-c"), of("1st", "c")];
    let text = write(&all, Language::Terraform);
    for name in ["\"a_b_c\"", "\"a_b_c_2\"", "\"_1st_c\""] {
        assert_eq!(text.matches(name).count(), 2, "{name}: {text}");
    }
    let kept = read(&write(&all, Language::CloudFormation)).unwrap();
    assert_eq!(kept.len(), 6);
}

#[test]
fn a_policy_name_cannot_break_out_of_its_language() {
    let mut it = Recommendation::of(&in_sync("a"));
    it.policy_name = "p\" ${x} %{y} 'z'\\ # $(id)".to_owned();
    let terraform = write(std::slice::from_ref(&it), Language::Terraform);
    assert!(
        terraform.contains(r#"name               = "p\" $${x} %%{y} 'z'\\ # $(id)""#),
        "{terraform}"
    );
    let shell = write(std::slice::from_ref(&it), Language::AwsCli);
    let command = shell.replace("aws application-autoscaling", "printf '%s\\n'");
    let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.lines().any(|word| word == it.policy_name), "{words}");
    let configuration = words.lines().last().unwrap();
    let configuration: Value = serde_json::from_str(configuration).unwrap();
    assert_eq!(configuration["TargetValue"], 612);
    for language in [Language::CloudFormation, Language::Ack] {
        let yaml = write(std::slice::from_ref(&it), language);
        assert!(read(&yaml).is_ok(), "{yaml}");
    }
}

#[test]
fn every_variant_of_a_fleet_has_a_recommendation_or_a_reason() {
    for status in mixed_fleet().variants.values() {
        let it = Recommendation::of(status);
        assert_ne!(it.whole().is_some(), it.lacking().is_some(), "{it:?}");
        assert!(!it.because.is_empty(), "{it:?}");
        let json = serde_json::to_value(&it).unwrap();
        let again: Recommendation = serde_json::from_value(json).unwrap();
        assert_eq!(again, it);
    }
}
