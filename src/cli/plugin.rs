//! `kubectl setpoint`: the same program under the name `kubectl-setpoint`. It finds the pod that leads
//! by its label and asks it through `kubectl port-forward`; what needs the daemon's token is run in
//! that pod by `kubectl exec`, where the token is. kubectl itself does both, with its own
//! configuration and credentials: setpoint needs none of the cluster.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use serde_json::Value;

use super::CliError;
use crate::render::printable;

/// The name under which kubectl finds a plugin.
const NAME: &str = "kubectl-setpoint";
/// The commands that read the daemon's API.
const READS: [&str; 3] = ["get", "explain", "history"];
/// The commands that its token is needed for.
const COMMANDS: [&str; 5] = ["check", "pause", "resume", "confirm", "reload"];
/// kubectl's flags that may stand before the command, each with a value, and the plugin's own.
const FLAGS: [&str; 5] = ["--namespace", "--context", "--kubeconfig", "--cluster", POD];
/// The flag of the plugin that names the pod: of several shards each has one that leads.
const POD: &str = "--pod";
/// The label that the chart gives its pods.
const APP: &str = "app.kubernetes.io/name=setpoint";
/// The label of the pod that leads.
const LEADER: &str = "setpoint.dev/role=leader";

/// A port-forward that ends with this value.
pub(super) struct Forward(Option<Child>);

impl Drop for Forward {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What is left to do.
pub(super) enum Plugin {
    /// Parse these arguments and run the command, while the port-forward lives.
    Run(Vec<OsString>, Forward),
    Done(ExitCode),
}

/// Makes of a plugin's arguments those of the program; of others nothing but themselves.
///
/// # Errors
/// When kubectl is missing, or no pod leads.
pub(super) fn arguments(all: Vec<OsString>) -> Result<Plugin, CliError> {
    let is_plugin = all.first().map(Path::new).and_then(Path::file_stem) == Some(OsStr::new(NAME));
    if !is_plugin {
        return Ok(Plugin::Run(all, Forward(None)));
    }
    let (kubectl, rest) = split(&all[1..]);
    let (kubectl, named) = named_pod(kubectl);
    let program = std::iter::once(OsString::from("setpoint"));
    let word = rest.first().and_then(|word| word.to_str()).unwrap_or_default();
    let has_flag =
        |flag: &str| rest.iter().any(|a| a.to_string_lossy().split('=').next() == Some(flag));
    let helps = has_flag("--help") || has_flag("-h") || has_flag("--url");
    let (reads, commands) = (READS.contains(&word), COMMANDS.contains(&word));
    if helps || !(reads || commands) {
        return Ok(Plugin::Run(program.chain(rest).collect(), Forward(None)));
    }
    let pod = leader(&kubectl, named.as_deref())?;
    if commands && !has_flag("--token-file") {
        return in_the_pod(&kubectl, &pod, &rest);
    }
    let (url, forward) = forward(&kubectl, &pod)?;
    let url = [OsString::from("--url"), OsString::from(url)];
    Ok(Plugin::Run(program.chain(rest).chain(url).collect(), forward))
}

/// kubectl's flags, and the rest.
fn split(all: &[OsString]) -> (Vec<OsString>, Vec<OsString>) {
    let mut kubectl = Vec::new();
    let mut rest = all.iter();
    while let Some(word) = rest.as_slice().first() {
        let text = word.to_string_lossy();
        let (flag, value) = text.split_once('=').map_or((text.as_ref(), false), |(f, _)| (f, true));
        if flag != "-n" && !FLAGS.contains(&flag) {
            break;
        }
        kubectl.extend(rest.by_ref().take(if value { 1 } else { 2 }).cloned());
    }
    (kubectl, rest.cloned().collect())
}

/// The pod that `--pod` names, and kubectl's own flags.
fn named_pod(mut kubectl: Vec<OsString>) -> (Vec<OsString>, Option<String>) {
    let is_it = |flag: &OsString| flag.to_string_lossy().split('=').next() == Some(POD);
    let Some(at) = kubectl.iter().position(is_it) else { return (kubectl, None) };
    let flag = kubectl.remove(at);
    let value = match flag.to_string_lossy().split_once('=') {
        Some((_, name)) => Some(name.to_owned()),
        None if at < kubectl.len() => Some(kubectl.remove(at).to_string_lossy().into_owned()),
        None => None,
    };
    (kubectl, value)
}

/// A pod, and its namespace and port.
struct Pod {
    name: String,
    namespace: String,
    port: u64,
}

fn leader(kubectl: &[OsString], named: Option<&str>) -> Result<Pod, CliError> {
    if let Some(name) = named {
        let found = pods(kubectl, APP)?.into_iter().find(|pod| pod.name == name);
        return found.ok_or_else(|| {
            CliError::failed(format!("no running pod {} has the label {APP}", printable(name)))
        });
    }
    let led = pods(kubectl, &format!("{APP},{LEADER}"))?;
    // Without a Lease there is no label, and one pod.
    let all = if led.is_empty() { pods(kubectl, APP)? } else { led };
    let mut all = all.into_iter();
    match (all.next(), all.next()) {
        (Some(pod), None) => Ok(pod),
        (None, _) => Err(CliError::failed(format!(
            "no running pod has the label {APP} (kubectl setpoint -n NAMESPACE names its namespace)"
        ))),
        (Some(one), Some(other)) => Err(CliError::failed(format!(
            "several pods could be meant, {} and {} among them, and none or several have the label \
             {LEADER} (an election may be under way: try again; with several shards, --pod {} before the \
             command; or -n NAMESPACE)",
            one.name, other.name, one.name
        ))),
    }
}

fn pods(kubectl: &[OsString], labels: &str) -> Result<Vec<Pod>, CliError> {
    let output = Command::new("kubectl")
        .args(kubectl)
        .args(["get", "pods", "--field-selector=status.phase=Running", "-o", "json", "-l", labels])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| no_kubectl(&error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(CliError::failed(format!(
            "kubectl get pods failed: {}",
            printable(said.trim())
        )));
    }
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items.filter_map(pod).collect())
}

fn pod(item: &Value) -> Option<Pod> {
    let text = |key: &str| Some(item["metadata"][key].as_str()?.to_owned());
    let containers = item["spec"]["containers"].as_array()?.iter();
    let mut ports = containers.flat_map(|one| one["ports"].as_array().into_iter().flatten());
    let http = ports.find(|port| port["name"] == "http");
    let port = http.and_then(|port| port["containerPort"].as_u64()).unwrap_or(9090);
    Some(Pod { name: text("name")?, namespace: text("namespace")?, port })
}

fn forward(kubectl: &[OsString], pod: &Pod) -> Result<(String, Forward), CliError> {
    let mut child = Command::new("kubectl")
        .args(kubectl)
        .args(["port-forward", "--address", "127.0.0.1", "-n", &pod.namespace])
        .args([format!("pod/{}", pod.name), format!(":{}", pod.port)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| no_kubectl(&error))?;
    let stdout = child.stdout.take();
    let forward = Forward(Some(child));
    let mut line = String::new();
    if let Some(stdout) = stdout {
        let read = BufReader::new(stdout).read_line(&mut line);
        read.map_err(|error| CliError::failed(format!("kubectl port-forward: {error}")))?;
    }
    // Forwarding from 127.0.0.1:43211 -> 9090
    let address = line.strip_prefix("Forwarding from ").and_then(|rest| rest.split(' ').next());
    let Some(address) = address else {
        let line = printable(line.trim());
        return Err(CliError::failed(format!(
            "kubectl port-forward to pod {} did not begin: {line} (may you port-forward there? \
             kubectl auth can-i create pods/portforward -n {})",
            pod.name, pod.namespace
        )));
    };
    Ok((format!("http://{address}"), forward))
}

/// Runs the command in the pod, where the daemon's token and address are at hand.
fn in_the_pod(kubectl: &[OsString], pod: &Pod, rest: &[OsString]) -> Result<Plugin, CliError> {
    let status = Command::new("kubectl")
        .args(kubectl)
        .args(["exec", "-n", &pod.namespace, &pod.name, "--", "setpoint"])
        .args(rest)
        .status()
        .map_err(|error| no_kubectl(&error))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(Plugin::Done(ExitCode::from(code)))
}

fn no_kubectl(error: &std::io::Error) -> CliError {
    CliError::failed(format!("kubectl cannot be run: {error} (is it in PATH?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_kubectl_are_distinguished_from_those_of_the_command() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let (kubectl, rest) = split(&words("-n monitoring --context=a get all -o json"));
        assert_eq!((kubectl, rest), (words("-n monitoring --context=a"), words("get all -o json")));
        let (kubectl, rest) = split(&words("get -n x"));
        assert_eq!((kubectl.len(), rest), (0, words("get -n x")));
        for own in ["-n a --pod setpoint-1 get", "-n a --pod=setpoint-1 get"] {
            let (kubectl, rest) = split(&words(own));
            let (kubectl, pod) = named_pod(kubectl);
            assert_eq!((kubectl, rest), (words("-n a"), words("get")), "{own}");
            assert_eq!(pod.as_deref(), Some("setpoint-1"));
        }
    }
}
