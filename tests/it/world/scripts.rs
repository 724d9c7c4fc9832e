//! What happens in a world by itself: schedules, deploys, recreation, scenarios on file.

use super::*;

#[test]
fn scheduled_actions_move_min_and_max_at_their_time() {
    let sim = build(10.0, 1, 640.0);
    let start = sim.now();
    let put = |name: &str, schedule: String, timezone: Option<&str>, min, max| {
        sim.put_scheduled_action(&aas::PutScheduledActionInput {
            service_namespace: "sagemaker".into(),
            schedule: Some(schedule),
            timezone: timezone.map(str::to_owned),
            scheduled_action_name: name.into(),
            resource_id: E.into(),
            scalable_dimension: DIMENSION.into(),
            scalable_target_action: Some(aas::ScalableTargetAction {
                min_capacity: min,
                max_capacity: max,
            }),
            ..Default::default()
        })
    };
    let target = || {
        let input = aas::DescribeScalableTargetsInput {
            service_namespace: "sagemaker".into(),
            ..Default::default()
        };
        let t = sim.describe_scalable_targets(&input).unwrap().scalable_targets.remove(0);
        (t.min_capacity, t.max_capacity)
    };
    let at = (start + TimeDelta::minutes(10)).format("at(%Y-%m-%dT%H:%M:%S)").to_string();
    put("once", at, None, Some(3), None).unwrap();
    // 14:00 in Berlin is 13:00 UTC in November; the world begins at noon UTC.
    put("daily", "cron(0 14 * * ? *)".into(), Some("Europe/Berlin"), Some(1), Some(5)).unwrap();
    assert_eq!(
        put("bad", "whenever".into(), None, None, None).unwrap_err().code,
        "ValidationException"
    );
    sim.advance(599);
    assert_eq!(target(), (1, 10));
    sim.advance(1);
    assert_eq!((target(), counts(&sim).1), ((3, 10), 3));
    sim.run_until(start + TimeDelta::minutes(60));
    assert_eq!(target(), (1, 5));
}

#[test]
fn a_deploy_resets_the_count_unless_retained_and_runs_two_fleets() {
    for (retain, expected) in [(false, 2), (true, 5)] {
        let sim = build(10.0, 2, 640.0);
        register(&sim, E, 5, 10).unwrap();
        sim.advance(600);
        assert_eq!(counts(&sim), (5, 5));
        let deploy = |instance_type: Option<&str>| Change::Deploy {
            endpoint: "e".into(),
            capacity_factor: 0.5,
            instance_type: instance_type.map(str::to_owned),
            retain,
        };
        let error = sim.with_world(|w| w.change(&deploy(Some("ml.c5.4xlarge")))).unwrap_err();
        assert!(error.message.contains("instance type"), "{error}");
        let before = sim.with_world(|w| w.truth_about(E)).capacity.unwrap();
        sim.with_world(|w| w.change(&deploy(None))).unwrap();
        let describe = || {
            sim.describe_endpoint(&sm::DescribeEndpointInput { endpoint_name: "e".into() }).unwrap()
        };
        assert!(describe().pending_deployment_summary.is_some());
        assert_eq!(describe().endpoint_status, "Updating");
        sim.advance(600);
        assert_eq!(describe().endpoint_status, "InService");
        assert_eq!(counts(&sim), (expected, expected));
        sim.advance(120);
        let after = sim.with_world(|w| w.truth_about(E)).capacity.unwrap();
        assert!(after < 0.55 * before, "{before} {after}");
    }
}

#[test]
fn a_recreated_endpoint_has_lost_its_policy() {
    let sim = build(10.0, 2, 640.0);
    let created = || {
        sim.describe_endpoint(&sm::DescribeEndpointInput { endpoint_name: "e".into() })
            .unwrap()
            .creation_time
    };
    let before = created();
    let at = sim.now() + TimeDelta::minutes(5);
    sim.with_world(|w| w.plan(Event { at, change: Change::Recreate { endpoint: "e".into() } }));
    sim.advance(1200);
    assert!(policies(&sim).scaling_policies.is_empty());
    assert!(created() > before);
    assert_eq!(counts(&sim), (2, 2));
}

#[test]
fn the_demo_has_fourteen_days_of_history_and_shows_its_events() {
    let mut scenario = Scenario::demo().unwrap();
    scenario.begin_at(crate::fixtures::noon());
    let sim = scenario.build().unwrap();
    let violations = |name: &str| {
        let resource = format!("endpoint/{name}/variant/AllTraffic");
        sim.with_world(|world| world.truth_about(&resource))
    };
    let (right, wrong) = (violations("fraud-scorer"), violations("search-ranker"));
    assert!(wrong.violation_minutes > 20 * right.violation_minutes.max(10), "{right:?} {wrong:?}");
    assert!(
        wrong.capacity.unwrap() < 1500.0 && right.capacity.unwrap() > 1000.0,
        "{right:?} {wrong:?}"
    );
    let before = policies(&sim).scaling_policies.len();
    sim.advance(40 * 60);
    assert_eq!((before, policies(&sim).scaling_policies.len()), (5, 4));
    assert_eq!(sim.now(), floor_to_minute(sim.now()));
}

#[test]
fn a_scenario_with_an_unknown_key_or_an_absent_recording_is_refused() {
    let error =
        Scenario::parse("endpoints: [{name: e, variant: []}]", "x.yaml").unwrap_err().to_string();
    assert!(error.contains("x.yaml") && error.contains("variant"), "{error}");
    let dir = std::env::temp_dir().join(format!("setpoint-world-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("s.yaml");
    let yaml = "
endpoints:
  - name: e
    variants:
      - load:
          service: {family: {cliff: {error_share: 0.3}}, base_ms: 40, saturation: 1500}
          objective: {threshold_ms: 250}
          traffic: [{replay: {path: nowhere.csv}}]
";
    std::fs::write(&file, yaml).unwrap();
    let error = Scenario::load(&file).unwrap_err().to_string();
    assert!(error.contains("nowhere.csv"), "{error}");
    std::fs::write(dir.join("nowhere.csv"), "minute,requests\n0,10\n1,20\n").unwrap();
    let sim = Scenario::load(&file).unwrap().build().unwrap();
    sim.advance(600);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn dump(seed: u64, minutes: i64) -> (Timestamp, String) {
    let mut scenario = scenario(1500.0, 2, 640.0);
    scenario.world.seed = seed;
    let sim = scenario.build().unwrap();
    sim.with_world(|world| world.run_minutes(minutes));
    let queries: Vec<f64> = {
        let aws = ports(&sim);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let from = sim.now() - TimeDelta::minutes(minutes);
        let query = [query(Metric::ModelLatency(LatencyStatistic::P99), 60)];
        let answer = runtime.block_on(aws.metrics.metric_data(&query, from, sim.now())).remove(0);
        answer.unwrap().iter().map(|(_, v)| v).collect()
    };
    (sim.now(), format!("{} {queries:?}", sim.state()))
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 8, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_same_seed_makes_the_same_world(seed: u64, minutes in 10_i64..90) {
        proptest::prop_assert_eq!(dump(seed, minutes), dump(seed, minutes));
        proptest::prop_assert_ne!(dump(seed, minutes), dump(seed.wrapping_add(1), minutes));
    }
}

#[test]
fn the_worlds_on_file_run() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/worlds");
    for name in ["bad-day.yaml", "incident-week.yaml"] {
        let path = dir.join(name);
        let sim = Scenario::load(&path).unwrap().build().unwrap();
        let before = sim.with_world(setpoint::sim::world::World::truth);
        sim.advance(86_400);
        let after = sim.with_world(setpoint::sim::world::World::truth);
        assert_eq!(sim.state()["events_left"], 0, "{}", path.display());
        assert!(after[0].instance_hours > before[0].instance_hours + 20.0);
        assert!(after[0].capacity.unwrap() > 200.0);
    }
}

#[test]
fn an_undeclared_step_changes_the_truth_and_an_incident_does_not() {
    let sim = build(600.0, 2, 640.0);
    let capacity = || sim.with_world(|world| world.truth_about(E)).capacity.unwrap();
    let variant = || "e/AllTraffic".to_owned();
    sim.advance(600);
    let before = capacity();
    let incident = Change::Incident { variant: variant(), latency_factor: 5.0, minutes: 10 };
    let violations = || sim.with_world(|world| world.truth_about(E)).violation_minutes;
    let clean = violations();
    sim.with_world(|world| world.change(&incident)).unwrap();
    sim.advance(600);
    assert!((capacity() - before).abs() < 1e-9);
    assert_eq!(violations(), clean + 10);
    let step = Change::CapacityStep { variant: variant(), factor: 0.7 };
    sim.with_world(|world| world.change(&step)).unwrap();
    sim.advance(600);
    assert!(capacity() < 0.75 * before, "{} {before}", capacity());
}

#[test]
fn a_deploy_waits_for_the_auto_scaler_to_finish() {
    let sim = build(2400.0, 1, 640.0);
    let deploy = Change::Deploy {
        endpoint: "e".into(),
        capacity_factor: 1.0,
        instance_type: None,
        retain: true,
    };
    // At this time the fleet grows from 1 to 4.
    let at = sim.now() + TimeDelta::seconds(330);
    sim.with_world(|world| world.plan(Event { at, change: deploy }));
    let describe = || {
        let input = sm::DescribeEndpointInput { endpoint_name: "e".into() };
        sim.describe_endpoint(&input).unwrap()
    };
    sim.advance(360);
    assert!(describe().pending_deployment_summary.is_none());
    assert_eq!(describe().endpoint_status, "Updating");
    sim.advance(20 * 60);
    assert_eq!(describe().endpoint_config_name, "e-config-2");
    assert_eq!(counts(&sim), (4, 4));
}

#[test]
fn tags_live_as_long_as_their_target() {
    let sim = build(10.0, 1, 640.0);
    let arn = register(&sim, E, 1, 10).unwrap().scalable_target_arn.unwrap();
    let tags = [("owner".to_owned(), "search".to_owned())].into();
    sim.tag_resource(&aas::TagResourceInput { resource_arn: arn.clone(), tags }).unwrap();
    let list =
        || sim.list_tags_for_resource(&aas::ListTagsForResourceInput { resource_arn: arn.clone() });
    assert_eq!(list().unwrap().tags["owner"], "search");
    let keys = vec!["owner".to_owned()];
    sim.untag_resource(&aas::UntagResourceInput { resource_arn: arn.clone(), tag_keys: keys })
        .unwrap();
    assert!(list().unwrap().tags.is_empty());
    sim.with_world(|world| world.change(&Change::Deregister { variant: "e/AllTraffic".into() }))
        .unwrap();
    assert_eq!(list().unwrap_err().code, "ResourceNotFoundException");
}

#[test]
fn a_target_registered_long_ago_has_no_arn_and_no_tags() {
    let yaml = "endpoints: [{name: e, variants: [{target: {min: 1, max: 4, without_arn: true}}]}]";
    let sim = setpoint::sim::Scenario::parse(yaml, "a world").unwrap().build().unwrap();
    let described = sim
        .describe_scalable_targets(&aas::DescribeScalableTargetsInput {
            service_namespace: "sagemaker".into(),
            ..Default::default()
        })
        .unwrap();
    assert_eq!(described.scalable_targets[0].scalable_target_arn, None);
    assert_eq!(register(&sim, E, 1, 10).unwrap().scalable_target_arn, None);
    let text = setpoint::sim::api::as_json(&described).to_string();
    assert!(!text.contains("ScalableTargetARN"), "left out, not null: {text}");
}
