//! The Job that checks the configuration before an install or upgrade: what it reads, and that it needs nothing
//! of the release.

use yaml_rust2::Yaml;

use super::chart::{chart, helm, objects, shape_name, shapes, template};
use super::succeed;

/// The check runs before anything of the release is there, so it may need nothing of it.
#[test]
fn the_configuration_is_checked_before_the_old_pod_goes() {
    let test = "config_check::the_configuration_is_checked_before_the_old_pod_goes";
    let Some(helm) = helm(test) else { return };
    for values in shapes() {
        let rendered = succeed(&mut template(&helm, &values, &[]));
        let hooked = |object: &Yaml| {
            let hook = object["metadata"]["annotations"]["helm.sh/hook"].as_str();
            hook == Some("pre-install,pre-upgrade")
        };
        let jobs = objects(&rendered, "Job");
        let [job] = &jobs[..] else { panic!("{}: {} jobs", values.display(), jobs.len()) };
        assert!(hooked(job));
        let pod = &job["spec"]["template"]["spec"];
        assert!(pod["serviceAccountName"].is_badvalue(), "the chart's account is not there yet");
        let maps: Vec<Yaml> = objects(&rendered, "ConfigMap");
        let config = maps.iter().find(|map| hooked(map));
        let mounted = pod["volumes"][0]["configMap"]["name"].as_str();
        if shape_name(&values) == "locked-down" {
            assert_eq!((config, mounted), (None, Some("setpoint-configuration")));
            continue;
        }
        let config = config.unwrap();
        assert_eq!(mounted, config["metadata"]["name"].as_str());
        let own =
            maps.iter().find(|map| !hooked(map) && !map["data"]["setpoint.yaml"].is_badvalue());
        assert_eq!(own.unwrap()["data"], config["data"], "what is checked is what is installed");
    }
}

/// What of the configuration lies on a volume of the operator's own is checked with the rest of it.
#[test]
fn the_check_reads_the_configuration_of_extra_volumes() {
    let test = "config_check::the_check_reads_the_configuration_of_extra_volumes";
    let Some(helm) = helm(test) else { return };
    let minimal = chart().join("ci/minimal-values.yaml");
    let volumes = r#"--set-json=extraVolumes=[{"name":"team","secret":{"secretName":"team"}},{"name":"scratch","emptyDir":{}}]"#;
    let mounts = |at: &str| {
        format!(
            r#"--set-json=extraVolumeMounts=[{{"name":"team","mountPath":"{at}"}},{{"name":"scratch","mountPath":"/tmp"}}]"#
        )
    };
    let cases = [
        ("/etc/team", "", false),
        ("/etc/setpoint/config/team", "", true),
        ("/etc/team", r#"--set-json=extraArgs=["--config=/etc/team/a.yaml"]"#, true),
        ("/etc/team", r#"--set-json=extraArgs=["--config","/etc/other:/etc/team"]"#, true),
        ("/etc/team", r#"--set-json=extraArgs=["--config=/etc/teams"]"#, false),
        ("/etc/team", r#"--set-json=configCheck.extraArgs=["--config=/etc/team"]"#, true),
    ];
    for (at, arguments, mounted) in cases {
        let mounts = mounts(at);
        let mut more = vec![volumes, &mounts];
        more.extend((!arguments.is_empty()).then_some(arguments));
        let rendered = succeed(&mut template(&helm, &minimal, &more));
        let container = |kind: &str| {
            let pod = objects(&rendered, kind).remove(0)["spec"]["template"]["spec"].clone();
            (pod["containers"][0].clone(), pod)
        };
        let named = |list: &Yaml, name: &str| {
            list.as_vec().unwrap().iter().any(|each| each["name"].as_str() == Some(name))
        };
        let configurations = |container: &Yaml| {
            let all = container["args"].as_vec().unwrap().iter().map(|a| a.as_str().unwrap());
            let all = all.collect::<Vec<_>>().join(" ").replace("--config ", "--config=");
            let configs = all.split(' ').filter(|a| a.starts_with("--config="));
            configs.map(str::to_owned).collect::<Vec<_>>()
        };
        let (check, pod) = container("Job");
        let case = format!("{at} {arguments}");
        assert_eq!(named(&check["volumeMounts"], "team"), mounted, "{case}");
        assert_eq!(named(&pod["volumes"], "team"), mounted, "{case}");
        assert!(!named(&pod["volumes"], "scratch"), "{case}: no configuration lies there");
        let (run, _) = container("Deployment");
        assert!(named(&run["volumeMounts"], "team") && named(&run["volumeMounts"], "scratch"));
        if !arguments.contains("configCheck") {
            assert_eq!(configurations(&check), configurations(&run), "{case}");
        }
    }
}
