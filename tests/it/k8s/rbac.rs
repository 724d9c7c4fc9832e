//! What the chart's role allows, asked of a server that enforces it.

use serde_json::{Value, json};
use setpoint::k8s::{PARTS_MAX, part_name};

use super::cluster::{Cluster, path, request};
use super::real;

/// What the chart has installed.
fn installed(cluster: &Cluster) -> &real::Installed {
    cluster.installed.as_ref().expect("a real server")
}

/// What the account may use, and what it may not.
fn make_objects(cluster: &Cluster) {
    cluster.put("leases", "setpoint", json!({"spec": {}}));
    cluster.put("leases", "another", json!({"spec": {}}));
    cluster.put("configmaps", "memory", json!({"data": {}}));
    cluster.put("configmaps", "another", json!({"data": {}}));
}

#[test]
#[ignore = "needs a real API server: tests/full/kubernetes"]
fn the_account_may_do_nothing_else() {
    let cluster = Cluster::new();
    let (admin, here) = (cluster.client(), cluster.namespace.clone());
    let kubeconfig = real::kubeconfig().expect("SETPOINT_TEST_KUBECONFIG names a real server");
    let other = real::new_namespace();
    cluster.wait(real::make_namespace(&admin, &other));
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"a": "b"},
    });
    cluster.wait(request(&admin, "POST", &path("secrets", &here, ""), Some(&secret))).unwrap();
    make_objects(&cluster);

    let setpoint = cluster.wait(async {
        let token = real::token(&admin, &here, "setpoint", None).await;
        real::with_token(&kubeconfig, token).await
    });
    let ask = |method: &str, path: &str, body: Option<&Value>| {
        cluster.wait(request(&setpoint, method, path, body)).err().unwrap_or(200)
    };
    let lease = |name: &str| path("leases", &here, name);
    let map = |name: &str| path("configmaps", &here, name);
    let read = |path: &str| cluster.wait(request(&admin, "GET", path, None)).unwrap();
    let new = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "new"}});

    // What it is for, so that what follows is not refused for another reason.
    assert_eq!(ask("GET", &lease("setpoint"), None), 200);
    assert_eq!(ask("GET", &lease(""), None), 200, "whether other shards still write");
    assert_eq!(ask("PUT", &map("memory"), Some(&read(&map("memory")))), 200);
    let of_part = |part| ask("GET", &map(&part_name("memory", part)), None);
    assert!((1..PARTS_MAX).all(|part| of_part(part) == 404), "there is none yet");

    cluster.wait(installed(&cluster).pod(&admin, &here, "own"));
    let label = json!({"metadata": {"labels": {"setpoint.dev/role": "leader"}}});
    assert_eq!(ask("PATCH", &path("pods", &here, "own"), Some(&label)), 200);

    let empty = json!({});
    let refused: Vec<(&str, String, Option<Value>)> = vec![
        ("GET", path("secrets", &here, ""), None),
        ("GET", path("secrets", &here, "token"), None),
        ("GET", path("pods", &here, ""), None),
        ("POST", path("pods", &here, ""), Some(new("Pod"))),
        ("GET", path("pods", &here, "own"), None),
        ("DELETE", path("pods", &here, "own"), None),
        ("PATCH", path("pods", &other, "own"), Some(label.clone())),
        ("PATCH", format!("{}/status", path("pods", &here, "own")), Some(label.clone())),
        ("GET", path("deployments", &here, "setpoint"), None),
        // The configuration is mounted, not asked for.
        ("GET", map("setpoint-config"), None),
        ("PUT", map("setpoint-config"), Some(read(&map("setpoint-config")))),
        ("GET", map(""), None),
        ("GET", map("another"), None),
        ("GET", map(&part_name("memory", PARTS_MAX)), None),
        ("PUT", map("another"), Some(read(&map("another")))),
        ("PATCH", map("memory"), Some(empty.clone())),
        ("DELETE", map("memory"), None),
        ("GET", path("leases", &other, ""), None),
        ("GET", lease("another"), None),
        ("PUT", lease("another"), Some(read(&lease("another")))),
        ("PATCH", lease("setpoint"), Some(empty)),
        ("DELETE", lease("setpoint"), None),
        ("GET", path("events", &here, ""), None),
        ("POST", path("configmaps", &other, ""), Some(new("ConfigMap"))),
        ("GET", path("roles", &here, ""), None),
        (
            "POST",
            format!("{}/token", path("serviceaccounts", &here, "setpoint")),
            Some(new("TokenRequest")),
        ),
        ("GET", "/api/v1/nodes".to_owned(), None),
        ("GET", "/api/v1/namespaces".to_owned(), None),
    ];
    let wrong: Vec<_> = refused
        .iter()
        .map(|(method, path, body)| (method, path, ask(method, path, body.as_ref())))
        .filter(|(_, _, code)| *code != 403)
        .collect();
    assert!(wrong.is_empty(), "not refused: {wrong:?}");
}
