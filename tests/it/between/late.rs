//! Listings and descriptions that take longer than a pass waits for them: of thousands of variants, at the calls a
//! second that AWS lets through. Passes go on with what was listed last, and what that cannot know is asked by name.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::json;
use setpoint::model::fact::WhyKind;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::observe::listings::Listings;
use setpoint::ports::Clock;
use setpoint::reconcile::Settings;
use setpoint::sim::SimClock;

use super::slow::{Late, WAIT, names};
use super::stage::of;
use crate::harness;

fn begun(late: &Late) -> usize {
    late.knobs.begun.load(Ordering::SeqCst)
}

fn target_value(fleet: &FleetStatus, name: &str) -> Option<f64> {
    let policies = of(fleet, name).snapshot.policies.known()?;
    Some(policies.first()?.invocations_tracking()?.target_value)
}

#[tokio::test]
async fn a_first_pass_shows_what_there_is_and_writes_nothing_that_rests_on_what_is_not() {
    let mut late = Late::of(&["a", "b"]);
    late.shut(true);
    late.edit("a", 700.0);
    for pass in 0..3 {
        let fleet = late.pass(true).await;
        assert_eq!(fleet.variants.len(), 2);
        assert!(fleet.unreadable().next().is_none(), "both are listed: {:?}", fleet.scopes);
        let a = of(&fleet, "a");
        assert!(a.snapshot.target.known().is_some());
        assert_eq!(a.snapshot.policies.why().unwrap().kind, WhyKind::NotReadYet, "pass {pass}");
        assert!(!a.decision.report.comparable);
    }
    assert_eq!(begun(&late), 1, "the listing that is under way is not begun a second time");
    assert_eq!(late.stage.writes(), 0);
    late.shut(false);
    tokio::task::yield_now().await;
    let fleet = late.pass(true).await;
    assert!(of(&fleet, "b").decision.report.comparable);
    assert_eq!(late.stage.target_value("a"), Some(600.0), "what was listed is repaired");
}

#[tokio::test]
async fn what_was_written_since_it_was_listed_passes_for_no_edit_of_somebody_else() {
    let mut late = Late::of(&["a", "b"]);
    late.edit("a", 700.0);
    late.stage.sim.advance(60);
    late.pass(true).await;
    assert_eq!(late.stage.target_value("a"), Some(600.0));
    let writes = late.stage.writes();
    late.shut(true);
    for _ in 0..3 {
        late.stage.sim.advance(60);
        let fleet = late.pass(true).await;
        let a = of(&fleet, "a");
        assert_eq!(target_value(&fleet, "a"), Some(600.0), "the listing still shows 700");
        assert!(a.decision.report.comparable, "{:?}", a.decision.report);
        let memory = a.snapshot.memory.known().unwrap();
        assert!(memory.foreign_overwrites.is_empty(), "{:?}", memory.foreign_overwrites);
        assert_eq!(target_value(&fleet, "b"), Some(600.0), "it is shown as it was listed");
    }
    assert_eq!(late.stage.writes(), writes);
    assert_eq!(begun(&late), 2);
}

#[tokio::test]
async fn what_an_old_listing_shows_is_read_again_before_it_is_written() {
    let mut late = Late::of(&["a", "b", "c"]);
    late.edit("a", 700.0);
    late.edit("b", 700.0);
    late.stage.sim.advance(60);
    late.pass(false).await;
    late.shut(true);
    // One is put back by a person, the other gets another value; the third nobody has listed yet.
    late.edit("a", 600.0);
    late.edit("b", 650.0);
    late.edit("c", 700.0);
    late.stage.sim.advance(60);
    let writes = late.stage.writes();
    let fleet = late.pass(true).await;
    assert_eq!(late.stage.writes() - writes, 1, "what is as wanted is not written");
    assert!(of(&fleet, "a").outcome.is_none(), "{:?}", of(&fleet, "a").outcome);
    assert_eq!(late.stage.target_value("b"), Some(600.0));
    let memory = &of(&fleet, "b").decision.report;
    assert!(memory.comparable);
    assert_eq!(late.stage.target_value("c"), Some(700.0), "nobody knows yet");
    late.shut(false);
    tokio::task::yield_now().await;
    late.pass(true).await;
    assert_eq!(late.stage.target_value("c"), Some(600.0), "the listing has come");
}

#[tokio::test]
async fn an_endpoint_made_since_the_listing_is_asked_for_by_name() {
    let mut late = Late::of(&["a", "b"]);
    late.pass(false).await;
    late.shut(true);
    late.stage.sim.advance(60);
    late.stage.change(json!({"recreate": {"endpoint": "a"}}));
    late.stage.sim.advance(1200);
    let truth = late.stage.aws.scaling.scalable_targets(None).await.unwrap();
    let registered = truth.iter().any(|target| target.resource.endpoint.as_str() == "a");
    let fleet = late.pass(false).await;
    let shown = of(&fleet, "a").snapshot.target.known().expect("it is asked for");
    assert_eq!(shown.is_some(), registered, "the listing has the endpoint that was there before");
    assert!(
        of(&fleet, "a").snapshot.reads.scalable_target.unwrap().at
            > of(&fleet, "b").snapshot.reads.scalable_target.unwrap().at
    );
}

#[tokio::test]
async fn what_began_by_a_clock_that_was_set_back_does_not_count() {
    let late = Late::of(&["a"]);
    let clock: Arc<dyn Clock> = Arc::new(SimClock::self_driven(late.stage.sim.clone()));
    let (aws, now) = (&late.stage.aws, clock.now());
    let earlier = now - chrono::TimeDelta::hours(1);
    let mut listings = Listings::default();
    assert!(listings.read(aws, &clock, now, Some(WAIT)).await.policies.all.known().is_some());
    late.shut(true);
    let listed = listings.read(aws, &clock, earlier, Some(WAIT)).await;
    assert_eq!(listed.policies.all.why().unwrap().kind, WhyKind::NotReadYet);
    assert!(listed.targets.all.known().is_some(), "these have come again");
    // Those under way do not count either.
    let before = begun(&late);
    listings.read(aws, &clock, earlier - chrono::TimeDelta::hours(1), Some(WAIT)).await;
    assert_eq!(begun(&late), before + 1);
}

#[tokio::test]
async fn a_listing_that_never_ends_makes_what_it_is_about_unknown_after_an_hour() {
    let mut late = Late::of(&["a"]);
    late.pass(true).await;
    late.shut(true);
    late.stage.sim.advance(59 * 60);
    assert!(of(&late.pass(true).await, "a").decision.report.comparable);
    late.stage.sim.advance(2 * 60);
    let fleet = late.pass(true).await;
    let a = of(&fleet, "a");
    assert!(!a.decision.report.comparable);
    let why = a.snapshot.policies.why().expect("it is old");
    assert!(why.message.contains("too long ago to go by"), "{why:?}");
    assert!(fleet.unreadable().next().is_some(), "new variants would not be seen");
    late.shut(false);
    tokio::task::yield_now().await;
    late.pass(true).await;
    assert!(of(&late.pass(true).await, "a").decision.report.comparable);
}

#[tokio::test]
async fn a_slow_listing_that_failed_leaves_what_was_listed_before() {
    let mut late = Late::of(&["a"]);
    late.pass(true).await;
    late.shut(true);
    late.pass(true).await;
    late.knobs.listing_fails.store(true, Ordering::SeqCst);
    late.shut(false);
    tokio::time::sleep(WAIT).await;
    let fleet = late.pass(true).await;
    assert!(of(&fleet, "a").decision.report.comparable, "it is a minute old");
    // One that fails at once is not known, as everywhere; and what was listed before is too old some time.
    late.stage.sim.advance(2 * 3600);
    let fleet = late.pass(true).await;
    let why = of(&fleet, "a").snapshot.policies.why().expect("it failed");
    assert_eq!(why.kind, WhyKind::Throttled, "{why:?}");
}

#[tokio::test]
async fn no_history_is_read_of_what_is_yet_to_be_described() {
    let mut late = Late::many(12);
    late.stage.pace.describing.store(66, Ordering::SeqCst);
    let mut measured = Vec::new();
    while measured.last() != Some(&12) {
        assert!(measured.len() < 12, "{measured:?}");
        let pass = harness::pass(&late.config);
        let settings = Settings { sweep_wait: Some(WAIT), ..pass.settings };
        let pass = harness::Pass { settings, telemetry: true, ..pass };
        let fleet = pass.of(&mut late.stage.fleet).await;
        assert_eq!(fleet.variants.len(), 12, "their scalable targets are listed");
        for variant in fleet.variants.values() {
            let endpoint = variant.snapshot.endpoint.why().map(|why| why.kind);
            let telemetry = variant.snapshot.telemetry.why().map(|why| why.kind);
            assert_eq!(endpoint, telemetry, "{}", variant.snapshot.id);
            assert!(endpoint.is_none_or(|kind| kind == WhyKind::NotReadYet), "{endpoint:?}");
        }
        let known = |v: &&Arc<VariantStatus>| v.snapshot.telemetry.known().is_some();
        measured.push(fleet.variants.values().filter(known).count());
    }
    assert!(measured.len() > 2, "{measured:?}");
}

#[tokio::test]
async fn endpoints_there_is_no_time_for_are_described_by_the_next_passes() {
    let mut late = Late::many(12);
    late.stage.pace.describing.store(66, Ordering::SeqCst);
    // Without scalable targets nothing but the description of its endpoint tells of a variant.
    for name in names(12) {
        late.stage.change(json!({"deregister": {"variant": format!("{name}/AllTraffic")}}));
    }
    let mut shown = Vec::new();
    while shown.last() != Some(&12) {
        assert!(shown.len() < 12, "{shown:?}");
        let began = Instant::now();
        let fleet = late.pass(false).await;
        assert!(began.elapsed() < WAIT * 10, "{:?}", began.elapsed());
        let missing: usize = fleet.undescribed.values().map(|found| found.endpoints).sum();
        // What is shown is described with all that belongs to it; what is not shown is counted.
        assert_eq!(fleet.variants.len() + missing, 12);
        assert_eq!(fleet.has_more, missing > 0, "the daemon begins the next pass at once");
        for found in fleet.undescribed.values() {
            assert!(found.words().contains("not been described yet"), "{}", found.words());
        }
        for variant in fleet.variants.values() {
            assert!(variant.snapshot.model.known().is_some(), "{:?}", variant.snapshot.model);
        }
        shown.push(fleet.variants.len());
    }
    assert!(shown.len() > 2, "one pass has described all: {shown:?}");
    assert!(shown.is_sorted(), "{shown:?}");
    let described = late.stage.pace.described.lock().unwrap();
    assert!(described.values().all(|times| *times == 1), "{described:?}");
}
