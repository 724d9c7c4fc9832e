//! Everything that is wrong is said at once, whichever stage finds it, in the words of its file.

use std::path::Path;

use setpoint::config::{Config, Sources};

use super::{Files, env, lines, problems, setpoint};

#[test]
fn the_stages_do_not_hide_each_other() {
    let yaml = "defaults: {mode: fix}\n\
                reconcile: {schedule: '* * *', writes_per_variant: {hour: 30, day: 24}}\n\
                log: {level: verbose}\n\
                targets:\n\
                - {endpoint: e, variant: v, capacity: {min: 3, max: 2}}\n\
                - {endpoint: 5, variant: w, capacity: {min: 3, max: 2}}\n\
                - {endpoint: e, variant: v}\n\
                - variant: x\n\
                - text\n\
                - {endpoint: 'g[', variant: v}\n";
    let found = problems(yaml);
    for (line, part) in [
        "config.yaml:1: defaults.mode: found \"fix\", allowed: one of observe, repair, auto",
        "config.yaml:2: reconcile.writes_per_variant.hour: found 30, allowed: at most",
        "config.yaml:2: reconcile.schedule: found \"* * *\", allowed: six cron fields, seconds \
         first, such as \"0 */15 * * * *\": it has 3 fields",
        "config.yaml:3: log.level: found \"verbose\"",
        "config.yaml:5: target e/v: capacity.min: found 3, allowed: at most capacity.max, which is 2",
        "config.yaml:6: targets[1].endpoint: found 5, allowed: a text (put it in quotes)",
        "config.yaml:6: targets[1].capacity.min: found 3",
        "config.yaml:7: target e/v: endpoint: found e/v a second time, allowed: each variant once; \
         the first is config.yaml:5",
        "config.yaml:8: targets[3].endpoint: found nothing",
        "config.yaml:9: targets[4]: found \"text\", allowed: a section with the keys endpoint",
        "config.yaml:10: target g[/v: endpoint: found \"g[\", allowed: a name of 1 to 63 letters, \
         digits and hyphens, or a glob (unclosed character class; missing ']')",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(found.iter().any(|f| f.starts_with(part)), "{line}: {part}\n{}", found.join("\n"));
    }
    assert_eq!(found.len(), 11, "{}", found.join("\n"));
    let mut sorted = found.clone();
    sorted.sort_by_key(|f| f.split(':').nth(1).unwrap().parse::<u32>().unwrap());
    assert_eq!(found, sorted, "by line");
}

#[test]
fn nothing_is_said_of_what_follows_from_something_else() {
    // What was not understood is not "missing", and no rule is checked with a stand-in.
    for (yaml, wrong) in [
        (
            "targets: [{endpoint: e, variant: v, objective: {latency: {statistic: p99, threshold_ms: x}}}]",
            1,
        ),
        (
            "{aws: {account_id: 123456789012}, targets: [{endpoint: e, variant: v, mode: repair}]}",
            1,
        ),
        ("{aws: {regoin: x}, targets: [{endpoint: e, variant: v, mode: repair}]}", 2),
        (
            "{accounts: [{account_id: 5, regions: [us-east-1]}], targets: [{endpoint: e, variant: v, mode: repair}]}",
            1,
        ),
        ("aws: {operation_timeout_seconds: long, attempt_timeout_seconds: 200}", 1),
        ("targets: [{endpoint: e, variant: v, load_test: {max_rps: x, date: 2026-02-30}}]", 1),
        ("targets: [{variant: v}, {variant: v}]", 2),
        ("targets: [{endpoint: e, variant: v, capacity: 5}]", 1),
        ("targets: 5", 1),
    ] {
        let found = problems(yaml);
        assert_eq!(found.len(), wrong, "{yaml}\n{}", found.join("\n"));
    }
}

#[test]
fn a_file_that_cannot_be_read_hides_nothing_of_the_others() {
    let files = Files::new("unread");
    let broken = files.write("a.yaml", "aws: {account_id: \"123456789012\"\n");
    let other = files.write(
        "b.yaml",
        "targets:\n- {endpoint: e, variant: v, mode: repair, capacity: {min: 3, max: 2}}\n",
    );
    let sources = Sources { files: vec![broken, other], ..Sources::default() };
    let found = lines(&Config::load(&sources).unwrap_err());
    // The account may be in the file that was not read.
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("a.yaml:1: found "), "{found:?}");
    assert!(found[1].contains("b.yaml:2: target e/v: capacity.min"), "{found:?}");
}

#[test]
fn a_hundred_problems_are_enough() {
    let targets = "- {endpoint: e, variant: v, moed: x}\n".repeat(5000);
    let found = problems(&format!("targets:\n{targets}"));
    let last = found.iter().find(|f| f.contains("more problems")).unwrap();
    assert!(last.contains("more problems than the first 100"), "{last}");
}

#[test]
fn a_byte_order_mark_is_read_and_another_encoding_is_named() {
    let files = Files::new("encodings");
    let load =
        |path: &Path| Config::load(&Sources { files: vec![path.to_owned()], ..Sources::default() });
    let marked = files.write("marked.yaml", "\u{feff}aws: {region: eu-west-1}\n");
    assert_eq!(load(&marked).unwrap().aws.region.as_ref().unwrap().as_str(), "eu-west-1");
    assert_eq!(Config::from_yaml("\u{feff}").unwrap().targets.len(), 0);
    for (name, bytes, said) in [
        ("wide.yaml", &b"\xff\xfea\0:\0"[..], "found text in UTF-16, allowed: text in UTF-8"),
        ("latin.yaml", b"log:\n  level: \xe9\n", "latin.yaml:2: found bytes that are not UTF-8"),
    ] {
        let path = files.write(name, "");
        std::fs::write(&path, bytes).unwrap();
        let found = lines(&load(&path).unwrap_err()).join("\n");
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn words_explain_and_patterns_do_not() {
    for yaml in [
        "aws: {region: 'Mars!', endpoint_url: nowhere, role_arn: admin}",
        "kubernetes: {lease_name: A_B, namespace: A_B}",
        "accounts: [{account_id: x, regions: [Mars!], role_arn: y, external_id: ' '}]",
        "targets: [{endpoint: e, variant: v, load_test: {max_rps: 1, date: x, instance_type: y}}]",
    ] {
        for found in problems(yaml) {
            for sign in ["^", "\\", "]+", "{0,", "Error", "Some("] {
                assert!(!found.contains(sign), "{sign} in {found}");
            }
        }
    }
}

#[test]
fn a_variable_with_one_underscore_inside_is_hinted_at() {
    let environment = env(&[("SETPOINT__AWS_REGION", "us-east-1")]);
    let sources = Sources { environment, ..Sources::default() };
    let found = lines(&Config::load(&sources).unwrap_err()).join("\n");
    assert!(found.contains("did you mean SETPOINT__AWS__REGION?"), "{found}");
}

#[test]
fn the_command_counts_in_the_singular_and_lists_problems_and_warnings() {
    let files = Files::new("counted");
    let run = |text: &str, more: &[&str]| {
        let file = files.write("c.yaml", text);
        let output =
            setpoint(&[&["config", "check", "--config", file.to_str().unwrap()], more].concat());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let target = "targets: [{endpoint: e, variant: v, capacity: {min: 0}}]\n";
    let fine = "targets: [{endpoint: e, variant: v}]\n";
    assert_eq!(
        run(fine, &["--strict"]),
        (Some(0), "configuration ok: 1 target\n".to_owned(), String::new())
    );
    let (code, out, err) = run(target, &[]);
    assert_eq!((code, out.as_str()), (Some(0), "configuration ok: 1 target, 1 warning\n"));
    assert!(
        err.starts_with("warning: ") && err.contains("c.yaml:1: target e/v: capacity.min: 0 is"),
        "{err}"
    );
    let (code, out, err) = run(target, &["--strict"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("error: the configuration has 1 warning, and --strict"), "{err}");
    let (code, _, err) = run(&format!("{target}log: {{format: xml}}\n"), &[]);
    assert_eq!(code, Some(1));
    assert!(err.starts_with("error: the configuration has 1 problem and 1 warning\n"), "{err}");
    assert!(err.contains("log.format: found \"xml\"") && err.contains("\nwarning: "), "{err}");
    let (code, _, err) = run("a: 1\nb: 2\n", &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("2 problems and 1 warning"), "{err}");
}
