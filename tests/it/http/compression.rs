//! `/metrics` on the wire.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::server::Fixture;

#[test]
fn metrics_are_compressed_for_whoever_takes_that() {
    let fixture = Fixture::new();
    let plain = Fixture::agent().get(fixture.url("/metrics")).call().unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    let taken = ["gzip", "deflate, GZIP;q=0.5", "br , *", "*;q=0, gzip"];
    for accepts in taken {
        let request = Fixture::agent().get(fixture.url("/metrics"));
        let mut response = request.header("accept-encoding", accepts).call().unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip", "{accepts}");
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4");
        assert_eq!(response.headers()["vary"], "accept-encoding");
        let body = response.body_mut().read_to_vec().unwrap();
        let mut text = String::new();
        GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
        assert!(text.contains("endpoint=\"payments\""), "{accepts}");
        assert!(body.len() * 5 < text.len(), "{} of {}", body.len(), text.len());
    }
    for accepts in ["identity", "deflate", "gzip;q=0, *", "*;q=0", "gzip;q=0.0", "gzip;q=often", ""]
    {
        let request = Fixture::agent().get(fixture.url("/metrics"));
        let mut response = request.header("accept-encoding", accepts).call().unwrap();
        assert!(!response.headers().contains_key("content-encoding"), "{accepts}");
        assert!(response.body_mut().read_to_string().unwrap().contains("payments"), "{accepts}");
    }
}

/// The part about variants is made once a pass, and the counters of the process with every scrape.
#[test]
fn a_scrape_is_of_the_newest_pass_and_of_the_process_now() {
    let fixture = Fixture::new();
    let scrape = || {
        let request = Fixture::agent().get(fixture.url("/metrics"));
        let mut response = request.header("accept-encoding", "gzip").call().unwrap();
        let body = response.body_mut().read_to_vec().unwrap();
        // One member, which every client reads to its end.
        let mut decoder = GzDecoder::new(&body[..]);
        let mut text = String::new();
        decoder.read_to_string(&mut text).unwrap();
        assert!(decoder.into_inner().is_empty(), "something stands behind the first member");
        text
    };
    let about = |text: &str, part: &str| {
        text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = scrape();
    assert_eq!(about(&first, "endpoint="), about(&scrape(), "endpoint="));
    assert!(!about(&first, "endpoint=\"payments\"").is_empty());
    fixture.status.publish(crate::fixtures::fleet(vec![crate::fixtures::in_sync("later")]));
    let later = scrape();
    assert!(about(&later, "endpoint=\"payments\"").is_empty());
    assert!(!about(&later, "endpoint=\"later\"").is_empty());
    assert!(!about(&later, "setpoint_passes_total").is_empty());
    assert_eq!(fixture.get("/metrics").1.lines().count(), later.lines().count());
}
