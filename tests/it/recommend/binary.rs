//! The finished binary: over the embedded AWS by itself, and asking a daemon.

use crate::daemon::process::{Daemon, Directory, Served, endpoint, everything, run};

#[test]
fn the_same_is_recommended_alone_and_by_the_daemon_and_a_file_is_compared() {
    let served = Served::of(&(endpoint("ads", 600.0) + &endpoint("chat", 700.0)));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("observe"));
    let config = config.to_str().unwrap();
    let alone = ["recommend", "--config", config];
    let (code, out, err) = run(&[&alone[..], &["-f", "json"]].concat());
    assert_eq!(code, Some(0), "{err}");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    let first = &told["recommendations"][0];
    assert_eq!(first["resource_id"], "endpoint/ads/variant/AllTraffic");
    assert_eq!(
        (first["target_value"].as_f64(), first["basis"].as_str()),
        (Some(600.0), Some("load_test"))
    );

    let daemon = Daemon::ready(std::path::Path::new(config), &[]);
    let (code, asked, err) = run(&["recommend", "--url", daemon.url(), "-f", "json"]);
    assert_eq!(code, Some(0), "{err}");
    let mut asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
    for (one, other) in asked["recommendations"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(told["recommendations"].as_array().unwrap())
    {
        one["at"] = other["at"].clone();
    }
    assert_eq!(asked["recommendations"], told["recommendations"]);

    let file = std::env::temp_dir().join(format!("setpoint-recommend-{}.yaml", std::process::id()));
    let (code, manifests, _) = run(&[&alone[..], &["-f", "ack"]].concat());
    assert_eq!(code, Some(0));
    let compare = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        run(&[&alone[..], &["--check", file.to_str().unwrap()], more].concat())
    };
    let (code, out, _) = compare(&manifests, &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("4 of 4 agree"), "{out}");
    let (code, out, _) =
        compare(&manifests.replacen("targetValue: 600", "targetValue: 1200", 1), &[]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("1200 -> 600"), "{out}");
    let (code, out, _) = compare(&manifests, &["nowhere/AllTraffic"]);
    assert_eq!(code, Some(1), "{out}");
    let (code, out, _) = compare(&manifests.replace("endpoint/ads/", "endpoint/gone/"), &["ads"]);
    assert_eq!(code, Some(3), "{out}");
    let (code, _, err) = compare("nothing: here", &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("found no scalable target"), "{err}");
    let (code, _, err) = compare(&manifests, &["-f", "ack"]);
    assert_eq!(code, Some(64), "{err}");
    std::fs::remove_file(file).unwrap();
}
