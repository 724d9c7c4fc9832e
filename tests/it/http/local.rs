//! What may be asked from inside the pod without a token, over the wire.

use super::server::{Fixture, TOKEN};

#[test]
fn a_pass_is_asked_for_without_a_token_on_this_machine_alone() {
    for fixture in [Fixture::new(), Fixture::with_token("local", TOKEN)] {
        assert_eq!(fixture.post_as(None, "/-/reconcile?endpoint=ads", "").0, 200);
        assert_eq!(fixture.control.asked(), ["reconcile endpoint=ads"]);
        // What a page of the web, or a proxy beside the daemon, asks in the name of others.
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("x-forwarded-for", "192.0.2.1"),
            ("host", "setpoint.example.com"),
        ] {
            let request = Fixture::agent().post(fixture.url("/-/reconcile"));
            let answer = request.header(name, value).send_empty().unwrap();
            assert_eq!(answer.status(), 403, "{name}");
        }
        for path in ["/-/reload", "/-/pause", "/-/resume", "/-/confirm"] {
            assert_eq!(fixture.post_as(None, path, "").0, 403, "{path}");
        }
        assert!(fixture.control.asked().is_empty());
    }
}
