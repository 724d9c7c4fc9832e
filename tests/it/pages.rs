//! Tests of the pages: what they show, in which order, and that nothing becomes markup.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;
use setpoint::model::fact::{Fact, Why, WhyKind};
use setpoint::model::goal::{Mode, Pause};
use setpoint::model::history::{Event, EventKind, History, Hour, Who};
use setpoint::model::ids::{AccountId, Region};
use setpoint::model::leader::Leader;
use setpoint::model::memory::TargetWrite;
use setpoint::model::reaction::{Part, Spread};
use setpoint::model::scaling::ScheduledAction;
use setpoint::model::series::Minute;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::render::Standing;
use setpoint::render::page::fleet::{PAGE_ROWS, Sort, everything, fleet_page};
use setpoint::render::page::query::{FleetQuery, SortKey, UNSAFE};
use setpoint::render::page::variant::variant_page;
use setpoint::render::page::{ICON, SCRIPT, STYLE, Site};
use setpoint::render::trouble::follower_page;

use crate::fixtures;

/// All tags of a page with the names of their attributes, and nothing of what is in between.
fn skeleton(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let (mut tag, mut quoted, mut end) = (String::new(), false, after.len());
        for (i, c) in after.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => {
                    end = i;
                    break;
                }
                c if !quoted => tag.push(c),
                _ => {}
            }
        }
        tags.push(tag);
        rest = &after[end..];
    }
    tags
}

/// A variant in which every text from outside says this.
fn saying(text: &str) -> VariantStatus {
    let mut status = fixtures::drifted("a");
    text.clone_into(&mut status.goal.origin);
    let pause = Pause { until: fixtures::noon() + TimeDelta::hours(3), reason: text.to_owned() };
    status.goal.paused = Some(pause);
    if let Some(test) = &mut status.goal.load_test {
        test.instance_type = Some(text.to_owned());
    }
    let snapshot = &mut status.snapshot;
    snapshot.scheduled_actions = Fact::Known(vec![ScheduledAction {
        resource: snapshot.id.resource(),
        name: text.to_owned(),
        schedule: text.to_owned(),
        timezone: Some(text.to_owned()),
        min_capacity: Some(1),
        max_capacity: Some(2),
        starts_at: None,
        ends_at: None,
        created_at: None,
    }])
    .into();
    snapshot.model = Fact::Unknown(Why::new(WhyKind::Denied, text)).into();
    let report = &mut status.decision.report;
    text.clone_into(&mut report.sentence);
    text.clone_into(&mut report.safety.sentence);
    text.clone_into(&mut report.estimate.sentence);
    for field in report.fields.iter_mut() {
        field.sentence = text.into();
        field.actual = Some(text.into());
        field.desired = Some(text.into());
    }
    for note in &mut report.notes {
        note.sentence = text.to_owned().into();
    }
    status
}

fn pages(text: &str) -> [String; 3] {
    let status = saying(text);
    let mut fleet = fixtures::blind_fleet();
    let why = Why::new(WhyKind::Denied, text);
    fleet.scopes.values_mut().for_each(|scope| *scope = Some(why.clone()));
    fleet.variants = fixtures::fleet(vec![status.clone()]).variants;
    let query = FleetQuery { text: text.to_owned(), account: text.to_owned(), ..everything() };
    let site = Site::default();
    let leader = Leader { pod: Some(text.to_owned()), ..Leader::default() };
    // What filters asks nothing of the row, which must be there to be looked at.
    let mut html = fleet_page(&site, &fleet, &everything());
    html.push_str(&fleet_page(&site, &fleet, &query));
    [html, variant_page(&site, &status, None), follower_page(&site, &leader, "/")]
}

#[test]
fn what_comes_from_outside_is_shown_and_is_no_markup() {
    let [fleet, variant, _] = pages("<script>alert('x')</script> & \"more\"");
    assert!(!fleet.contains("<script>") && !variant.contains("<script>"));
    for page in [&fleet, &variant] {
        assert!(page.contains("&lt;script&gt;alert('x')&lt;/script&gt; &amp; &quot;more&quot;"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_names_and_messages_say_the_markup_is_the_same(
        text in "[ -~\u{0}-\u{1f}\u{7f}-\u{9f}é\u{2028}<>\"'&/=;-]{1,40}"
    ) {
        let harmless = pages("harmless").map(|page| skeleton(&page));
        let hostile = pages(&text);
        for (page, harmless) in hostile.iter().zip(&harmless) {
            prop_assert_eq!(&skeleton(page), harmless);
            prop_assert!(!page.contains(|c: char| c.is_control() && c != '\n'));
        }
    }
}

#[test]
fn pages_load_nothing_from_elsewhere() {
    let site = Site { base_path: "/ops/setpoint".to_owned(), ..Site::default() };
    let status = fixtures::drifted("a");
    let pages = [
        variant_page(&site, &status, None),
        fleet_page(&site, &fixtures::mixed_fleet(), &everything()),
    ];
    for html in pages {
        // Links lead away; what is loaded does not.
        for loads in ["src=\"http", "<style", " style=\"", "@import", "onclick", "javascript:"] {
            assert!(!html.contains(loads), "{loads}");
        }
        // Behind a proxy every address of this server has the prefix.
        for address in
            html.split("href=\"").chain(html.split("src=\"")).chain(html.split("action=\"")).skip(1)
        {
            let address = address.split('"').next().unwrap();
            let own = !address.is_empty() && address.starts_with('/');
            assert!(!own || address.starts_with("/ops/setpoint/"), "{address}");
        }
        assert!(html.contains("<link rel=\"stylesheet\" href=\"/ops/setpoint/assets/page.css?v="));
    }
    for loaded in [STYLE, SCRIPT, ICON] {
        let outside = loaded.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !outside.contains("http") && !outside.contains("url(") && !outside.contains("@import")
        );
    }
    assert_eq!(ICON, include_str!("../../docs/images/icon.svg"), "one icon");
}

/// The names of the variants of a page, in its order.
fn shown(html: &str) -> Vec<&str> {
    html.split("<th class=\"name\" scope=\"row\"><a href=\"/variants/")
        .skip(1)
        .map(|rest| rest.split_once('/').map_or(rest, |(name, _)| name))
        .collect()
}

fn by(fleet: &FleetStatus, query: &FleetQuery) -> Vec<String> {
    let html = fleet_page(&Site::default(), fleet, query);
    shown(&html).into_iter().map(str::to_owned).collect()
}

#[test]
fn the_worst_comes_first() {
    let mut fleet = fixtures::mixed_fleet();
    let paging = fixtures::as_configured_and_unsafe("zebra");
    fleet.variants.append(&mut fixtures::fleet(vec![paging]).variants);
    let worst = [
        "doc-embedder",
        "zebra",
        "fraud-scorer",
        "ads",
        "payments",
        "chat",
        "recreated",
        "search-ranker",
        "sandbox",
    ];
    assert_eq!(by(&fleet, &everything()), worst);
    let sort = Sort { key: SortKey::Name, descending: true };
    let names = by(&fleet, &FleetQuery { sort, ..everything() });
    assert!(names.is_sorted_by(|a, b| a > b) && names.len() == 9, "{names:?}");
    // What has no number comes last, whichever way.
    for descending in [false, true] {
        let sort = Sort { key: SortKey::Divergence, descending };
        let names = by(&fleet, &FleetQuery { sort, ..everything() });
        let known = |name: &str| {
            let variants = fleet.variants.iter().find(|(id, _)| id.endpoint.as_str() == name);
            variants.unwrap().1.decision.report.divergence
        };
        let values: Vec<f64> = names.iter().filter_map(|name| known(name)).collect();
        assert!(known(&names[0]).is_some() && known(&names[8]).is_none());
        assert!(values.is_sorted_by(|a, b| if descending { a >= b } else { a <= b }), "{values:?}");
    }
}

#[test]
fn filters_keep_what_they_name() {
    let mut elsewhere = fixtures::in_sync("payments");
    elsewhere.snapshot.id.region = Region::new("eu-west-1").unwrap();
    elsewhere.snapshot.id.account_id = AccountId::new("222222222222").unwrap();
    let mut fleet = fixtures::mixed_fleet();
    fleet.variants.append(&mut fixtures::fleet(vec![elsewhere]).variants);
    let by = |query: FleetQuery| by(&fleet, &query);
    let text = |text: &str| FleetQuery { text: text.to_owned(), ..everything() };
    assert_eq!(by(text(" PAY")), ["payments", "payments"]);
    assert_eq!(by(FleetQuery { region: "eu-west-1".to_owned(), ..text("pay") }), ["payments"]);
    assert_eq!(by(FleetQuery { account: "222222222222".to_owned(), ..everything() }), ["payments"]);
    assert_eq!(by(FleetQuery { standing: Some(Standing::Held), ..everything() }), ["ads"]);
    assert!(by(FleetQuery { standing: Some(Standing::Held), ..text("pay") }).is_empty());
    let not_safe = by(FleetQuery { safety: Some(UNSAFE), ..everything() });
    assert_eq!(not_safe, ["doc-embedder", "fraud-scorer", "ads"]);
    let over = by(FleetQuery { finding: Some("over"), ..everything() });
    assert_eq!(over, ["doc-embedder", "fraud-scorer", "ads"]);
    assert!(by(FleetQuery { mode: Some(Mode::Auto), ..everything() }).is_empty());
    // Each number is a link to as many rows.
    let html = fleet_page(&Site::default(), &fleet, &everything());
    let unsafe_ones = html.split("href=\"/?safety=unsafe\"").nth(1).unwrap();
    assert!(unsafe_ones.split("</a>").next().unwrap().contains("<b>3</b>"), "{html}");
    assert!(html.contains("href=\"/?finding=over\">over <b>3</b></a>"), "{html}");
}

#[test]
fn ten_thousand_variants_are_pages_of_a_hundred() {
    let status = fixtures::in_sync("e");
    let many = (0..10_007).map(|n| {
        let mut status = status.clone();
        status.snapshot.id = fixtures::id(&format!("e{n:05}"));
        status
    });
    let fleet = fixtures::fleet(many.collect());
    let query = |page| FleetQuery { page, ..everything() };
    let first = fleet_page(&Site::default(), &fleet, &query(1));
    assert_eq!((shown(&first).len(), shown(&first)[0]), (PAGE_ROWS, "e00000"));
    assert!(first.contains("1 to 100 of 10007") && first.contains("href=\"/?page=2\">next</a>"));
    assert!(!first.contains("previous"));
    // What a browser has to take in does not grow with the fleet.
    assert!(first.len() < 256 * 1024, "{}", first.len());
    let last = fleet_page(&Site::default(), &fleet, &query(101));
    assert_eq!(shown(&last).len(), 7);
    assert!(last.contains("href=\"/?page=100\">previous</a>") && !last.contains("next</a>"));
    // A page that is no longer there is the last one.
    assert_eq!(shown(&fleet_page(&Site::default(), &fleet, &query(usize::MAX))), shown(&last));
}

#[test]
fn an_empty_page_says_why_it_is_empty() {
    let page = |fleet: &FleetStatus, query: &FleetQuery| fleet_page(&Site::default(), fleet, query);
    assert!(page(&FleetStatus::default(), &everything()).contains("No pass has ended yet."));
    assert!(page(&fixtures::fleet(vec![]), &everything()).contains("There are no variants."));
    let blind = page(&fixtures::blind_fleet(), &everything());
    assert!(blind.contains("No variants are known: not everything can be read."));
    let query = FleetQuery { text: "nope".to_owned(), ..everything() };
    let filtered = page(&fixtures::mixed_fleet(), &query);
    assert!(
        filtered.contains("No variant is as the filter asks.") && filtered.contains("show all")
    );
}

/// What a person reads, without tags.
fn text(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<') {
        let words = piece.split_once('>').map_or("", |(_, words)| words).trim();
        if !words.is_empty() {
            let _ = write!(text, "{words} ");
        }
    }
    text
}

#[test]
fn the_first_screen_of_a_variant_answers() {
    let mut status = fixtures::drifted("fraud-scorer");
    if let Fact::Known(memory) = &mut status.snapshot.memory {
        let at = fixtures::noon() - TimeDelta::hours(5);
        memory.last_write = Some(TargetWrite { at, before: Some(500.0), after: 600.0 });
    }
    let site = Site {
        dashboard_url: Some("https://grafana.example.com/d/x?e={endpoint}&r={region}".to_owned()),
        ..Site::default()
    };
    let html = variant_page(&site, &status, None);
    let answers = html.split("<section class=\"answers\"").nth(1).unwrap();
    let answers = text(answers.split("</section>").next().unwrap());
    expect_test::expect!["In force 900 1.47 × since when is not known; setpoint did not write it Safe 612 measured one instance serves 1300 (1180 to 1410); the formula says 600 Why, and since when one instance serves 1300 invocations per minute (1180 to 1410): 87 of 8412 minutes broke p99 250 ms Deployed 9 d ago ; requests take 1.12 times as long as before Next This pass writes the policy with 600. What would change the answer: the grace period ends The answer can change in 4 h ( 2026-11-23 16:00 UTC ). "].assert_eq(&answers);
    assert!(html.contains("https://grafana.example.com/d/x?e=fraud-scorer&amp;r=us-east-1"));
    assert!(html.contains(
        "https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/endpoints/fraud-scorer"
    ));
    // The load test with how long it is valid, and which entry of the configuration it is.
    for fact in [
        "20 requests a second",
        "2026-11-01",
        "2027-04-30",
        "(158 days)",
        "setpoint.yaml targets[0]",
    ] {
        assert!(html.contains(fact), "{fact}");
    }
    // What differs is a diff; what is as it should be folds away.
    assert!(html.contains("<del>900</del> <ins>600</ins>"), "{html}");
    let folded = html.split("<details id=\"same\"").nth(1).unwrap();
    assert!(folded.split("</details>").next().unwrap().contains("scale_out_cooldown"));
}

#[test]
fn a_plot_is_there_where_there_is_data_and_nowhere_else() {
    let page = |status: &VariantStatus| variant_page(&Site::default(), status, None);
    let mut status = fixtures::drifted("a");
    let Fact::Known(telemetry) = &mut status.snapshot.telemetry else { panic!("not read") };
    let newest = telemetry.recent.to_vec()[0];
    let earlier = |n| Minute { at: newest.at - TimeDelta::minutes(n), ..newest };
    telemetry.recent.change(|all| {
        all.splice(..0, (1..90).rev().map(earlier));
    });
    let html = page(&status);
    assert_eq!(html.matches("<svg class=\"plot").count(), 4, "two plots in two sizes");
    for shape in ["dots good", "dots bad", "dots before", "area interval", "dots solid good"] {
        assert!(html.contains(&format!("class=\"{shape}")), "{shape}");
    }
    for class in ["objective", "configured", "safe", "formula", "capacity", "proven"] {
        assert!(html.contains(&format!("line {class}\"")), "{class}");
    }
    let html = page(&fixtures::not_comparable("a"));
    assert!(!html.contains("<svg class=\"plot"), "{html}");
}

#[test]
fn a_pause_is_shown_with_its_end_and_reason() {
    let html = variant_page(&Site::default(), &saying("sale"), None);
    assert!(text(&html).contains("paused until 2026-11-23 15:00 UTC : sale"), "{}", text(&html));
}

/// Three days, with a gap of a few hours in which nothing was known.
fn past(text: &str) -> History {
    let start = fixtures::noon() - TimeDelta::days(3);
    let hour = |n: i64| Hour {
        minutes: 60,
        judged_minutes: 60,
        bad_minutes: if n == 50 { 7 } else { 0 },
        load_max: Some(400.0 + 5.0 * n as f64),
        instances_low: Some(3.0),
        instances_high: Some(5.0),
        min_instances: Some(1.0),
        max_instances: Some(20.0),
        capacity_low: Some(1180.0),
        capacity: Some(1300.0),
        capacity_high: Some(1410.0),
        configured_target: Some(if n < 40 { 600.0 } else { 900.0 }),
        safe_target: Some(612.0),
        ..Hour::empty(start + TimeDelta::hours(n))
    };
    let event = |n: i64, kind, who| Event::new(start + TimeDelta::hours(n), kind, who, text);
    History {
        variant: fixtures::id("a"),
        since: start,
        kept_since: Some(start),
        hours: (0..72).filter(|n| !(20..24).contains(n)).map(hour).collect(),
        events: vec![
            event(10, EventKind::Deploy, Who::Deploy),
            event(40, EventKind::Change, Who::Foreign),
            event(50, EventKind::FindingBegun, Who::Measurement),
            event(51, EventKind::HoldBegun, Who::Setpoint),
            event(60, EventKind::Write, Who::Setpoint),
        ],
        events_left_out: 4,
    }
}

#[test]
fn the_past_is_drawn_and_told() {
    let status = fixtures::drifted("a");
    let html = variant_page(&Site::default(), &status, Some(&past("somebody set it to 900")));
    let over_time = html.split("<h2>Over time</h2>").nth(1).unwrap();
    let over_time = over_time.split("</section>").next().unwrap();
    for kind in ["deploy", "change", "finding", "hold", "write"] {
        let marks = over_time.matches(&format!("class=\"mark {kind}\"")).count();
        assert_eq!(marks, 2, "{kind}, in two sizes");
    }
    // The hour with bad minutes is told apart, and no line crosses the gap.
    assert!(over_time.contains("area bad") && over_time.contains("area peak"));
    let line = over_time.split("<path class=\"line configured\" d=\"").nth(1).unwrap();
    assert_eq!(line.split('"').next().unwrap().matches('M').count(), 2, "{line}");
    assert!(html.contains("<h2>Instances over time</h2>"));
    let log = text(html.split("id=\"log\"").nth(1).unwrap());
    assert!(log.contains("somebody set it to 900 (a foreign hand)"), "{log}");
    assert!(log.contains("4 more: setpoint history a/AllTraffic"), "{log}");
    let newest = log.find("write").unwrap();
    assert!(newest < log.find("finding begun").unwrap(), "the newest first");
    // Nothing of it where nothing is kept.
    let empty = History { hours: vec![], events: vec![], events_left_out: 0, ..past("") };
    for html in [
        variant_page(&Site::default(), &status, Some(&empty)),
        variant_page(&Site::default(), &status, None),
    ] {
        assert!(!html.contains("Over time") && !html.contains("id=\"log\""));
    }
}

#[test]
fn what_happened_is_no_markup() {
    let status = fixtures::drifted("a");
    let page = |text| variant_page(&Site::default(), &status, Some(&past(text)));
    assert_eq!(skeleton(&page("</svg><script>\u{1b}\"'>&")), skeleton(&page("harmless")));
}

#[test]
fn a_capacity_out_of_sight_does_not_press_the_past_into_the_axis() {
    let status = fixtures::drifted("a");
    let mut history = past("x");
    for hour in &mut history.hours {
        hour.capacity = Some(1.7e10);
    }
    let html = variant_page(&Site::default(), &status, Some(&history));
    let over_time = html.split("<h2>Over time</h2>").nth(1).unwrap();
    let over_time = over_time.split("</section>").next().unwrap();
    assert!(!over_time.contains("line capacity") && over_time.contains("line configured"));
    assert!(!over_time.contains(",000,000"), "{over_time}");
}

#[test]
fn money_is_shown_only_with_prices_and_only_where_it_is_known() {
    let fleet = fixtures::fleet(vec![fixtures::drifted("a"), fixtures::drifted("b")]);
    let without = fleet_page(&Site::default(), &fleet, &everything());
    assert!(!without.contains("data-label=\"$ a month\""));
    let at_stake = Some(Arc::new([(fixtures::id("b"), 1234.5)].into()));
    let site = Site { at_stake, ..Site::default() };
    let sort = Sort { key: SortKey::Money, descending: true };
    let html = fleet_page(&site, &fleet, &FleetQuery { sort, ..everything() });
    let cells: Vec<String> = html
        .split("data-label=\"$ a month\">")
        .skip(1)
        .map(|rest| text(rest.split("</td>").next().unwrap()))
        .collect();
    assert_eq!(cells.len(), 2);
    assert!(cells[0].contains("$1234") && cells[1].contains('\u{2013}'), "{cells:?}");
    assert!(html.contains("sort=money"), "a click turns the order round");
}

#[test]
fn the_reaction_time_says_what_is_measured_and_what_is_assumed() {
    let mut status = fixtures::drifted("a");
    let reaction = &mut status.snapshot.reaction;
    reaction.scale_outs = 6;
    reaction.time.start_up = Part::measured(Spread::new(4.0, 7.0), 6).unwrap();
    let site = Site { month_cost: Some(3.21), ..Site::default() };
    let html = variant_page(&site, &status, None);
    let card =
        text(html.split("id=\"reaction\"").nth(1).unwrap().split("</section>").next().unwrap());
    for told in [
        "6 scale-outs have been seen",
        "4.0 min",
        "7.0 min",
        "measured",
        "6 observations",
        "assumed by the instance type",
    ] {
        assert!(card.contains(told), "{told}: {card}");
    }
    assert!(text(&html).contains("$3.21, all variants together"));
    status.snapshot.reaction.scale_outs = 0;
    status.snapshot.activities = Fact::Unknown(Why::new(WhyKind::Denied, "no"));
    let html = variant_page(&Site::default(), &status, None);
    assert!(!html.contains("id=\"reaction\"") && !html.contains("CloudWatch this month"));
}

/// The bar counts the first axis and the tiles the second: no number of one contradicts the other.
#[test]
fn the_bar_leaves_the_second_axis_to_the_tiles() {
    let fleet = fixtures::mixed_fleet();
    let html = fleet_page(&Site::default(), &fleet, &everything());
    let bar = html.split("class=\"summary counted\"").nth(1).unwrap().split("</p>").next().unwrap();
    assert!(bar.contains("as configured"), "{bar}");
    for word in ["unsafe", "not known", "in sync"] {
        assert!(!bar.contains(word), "{word}: {bar}");
    }
}

/// What the sentence says, the cell says.
#[test]
fn a_number_is_the_same_in_the_cell_and_in_the_sentence() {
    let mut status = fixtures::in_sync("a");
    status.decision.report.safe_target = Some(583.72);
    let status = VariantStatus { decision: status.decision.clone(), ..status };
    let html = variant_page(&Site::default(), &status, None);
    assert!(html.contains("<span title=\"583.72\">583</span>"), "{html}");
    assert!(!html.contains(">584<"), "{html}");
}
