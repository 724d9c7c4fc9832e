//! What stands in for the controller of Jobs and for the kubelet: the container of each new Job is run as a
//! process, with the configuration that is mounted into it, and the Job is told how it ended.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{path, request};
use super::real::admin;

/// Attends to the Jobs of a namespace until it is dropped.
pub(super) struct Jobs {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Jobs {
    pub(super) fn attend(kubeconfig: &Path, namespace: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (ends, kubeconfig) = (Arc::clone(&over), kubeconfig.to_owned());
        let namespace = namespace.to_owned();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, _) = admin(&kubeconfig).await;
                while !ends.load(Ordering::Relaxed) {
                    attend_once(&client, &namespace).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn attend_once(client: &kube::Client, namespace: &str) {
    let list = request(client, "GET", &path("jobs", namespace, ""), None).await.unwrap();
    for job in list["items"].as_array().unwrap() {
        if !job["status"]["conditions"].is_null() {
            continue;
        }
        let name = job["metadata"]["name"].as_str().unwrap();
        let succeeded = run(client, namespace, &job["spec"]["template"]["spec"]).await;
        let condition = if succeeded { "Complete" } else { "Failed" };
        let status = json!({"status": {
            "succeeded": i32::from(succeeded), "failed": i32::from(!succeeded),
            "conditions": [{"type": condition, "status": "True"}],
        }});
        let place = path("jobs", namespace, name) + "/status";
        // Helm may have taken it away meanwhile.
        let _ = request(client, "PATCH", &place, Some(&status)).await;
    }
}

/// Whether the container of a pod ends well.
async fn run(client: &kube::Client, namespace: &str, pod: &Value) -> bool {
    let volumes = pod["volumes"].as_array().unwrap();
    let mounted = volumes.iter().find_map(|volume| volume["configMap"]["name"].as_str()).unwrap();
    let map = request(client, "GET", &path("configmaps", namespace, mounted), None).await.unwrap();
    let folder = folder(namespace);
    std::fs::create_dir_all(&folder).unwrap();
    for (key, text) in map["data"].as_object().unwrap() {
        std::fs::write(folder.join(key), text.as_str().unwrap()).unwrap();
    }
    let container = &pod["containers"][0];
    let place = folder.display().to_string();
    let arguments = container["args"].as_array().unwrap().iter();
    let arguments = arguments.map(|a| a.as_str().unwrap().replace("/etc/setpoint/config", &place));
    let mut command = Command::new(env!("CARGO_BIN_EXE_setpoint"));
    command.env_clear().args(arguments);
    for variable in container["env"].as_array().unwrap() {
        if let Some(value) = variable["value"].as_str() {
            command.env(variable["name"].as_str().unwrap(), value);
        }
    }
    let output = command.output().unwrap();
    // Kept with the test's own output, which is shown when it fails.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), &output.stderr);
    let _ = std::fs::remove_dir_all(folder);
    output.status.success()
}

fn folder(namespace: &str) -> PathBuf {
    std::env::temp_dir().join(format!("setpoint-job-{namespace}"))
}
