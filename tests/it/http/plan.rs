//! `/api/v1/plan`: what is sent piece by piece is what was once made at once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use setpoint::model::fact::{Why, WhyKind};
use setpoint::model::shard::{Shard, ShardStatus};
use setpoint::model::status::{FleetStatus, MassChange, VariantStatus};
use setpoint::render::plan;

use super::server::Fixture;
use crate::fixtures;

/// So many variants, of which every third differs.
fn many(n: usize) -> FleetStatus {
    let status = |n: usize| -> VariantStatus {
        let endpoint = format!("e-{n:04}");
        if n.is_multiple_of(3) {
            fixtures::drifted(&endpoint)
        } else {
            fixtures::in_sync(&endpoint)
        }
    };
    fixtures::fleet((0..n).map(status).collect())
}

/// All that a plan may have besides its variants.
fn troubled() -> FleetStatus {
    let mut fleet = fixtures::mixed_fleet();
    let variants = fleet.variants.keys().take(2).cloned().collect();
    let shown = setpoint::model::consent::Consent::default();
    fleet.mass_change = Some(MassChange { plan_id: "p-1".to_owned(), variants, shown, limit: 1 });
    let other =
        setpoint::model::ids::Scope { region: "eu-west-1".parse().unwrap(), ..fixtures::scope() };
    let why = Why::new(WhyKind::Denied, "not \"authorized\"\\\u{1b}[31m");
    fleet.scopes.extend([(other, Some(why))]);
    fleet.shard = Some(ShardStatus {
        shard: Shard::new(1, 3).unwrap(),
        scopes: vec![fixtures::scope()],
        min_variants: 2,
        budget_dollars_per_month: 12.5,
    });
    fleet
}

#[test]
fn the_pieces_are_the_bytes_of_a_plan_made_at_once() {
    let fixture = Fixture::new();
    for fleet in [many(0), many(1), fixtures::mixed_fleet(), troubled(), many(40)] {
        let at = serde_json::to_string(&fleet.at).unwrap();
        let text = plan::without_colours(&plan::text(&fleet));
        let text = serde_json::to_string(&text).unwrap();
        let whole = format!("{{\"at\":{at},\"text\":{text},\"plan\":{}}}", plan::json(&fleet));
        fixture.status.publish(fleet);
        assert_eq!(fixture.get("/api/v1/plan"), (200, whole));
    }
}

/// Made at once, the plan of ten thousand variants takes more memory than a daemon has.
#[test]
fn a_large_plan_is_never_whole_on_its_way() {
    let fixture = Fixture::start(many(300), None);
    let mut stream = TcpStream::connect(fixture.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = "GET /api/v1/plan HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut chunks = Vec::new();
    loop {
        let (length, after) = rest.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        chunks.push(length);
        rest = &after[length + 2..];
    }
    let all: usize = chunks.iter().sum();
    assert!(all > 1_000_000, "{all}");
    // As much as `setpoint plan --daemon` reads of an answer.
    assert!(all / 300 * 10_000 < 256 << 20, "ten thousand variants: {all} bytes for 300");
    assert!(chunks.iter().all(|length| *length < 100_000), "{chunks:?}");
}
