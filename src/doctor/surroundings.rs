//! This machine: its clock, its way to AWS, whom it trusts, and where the memory is.

use std::path::PathBuf;

use super::Check;
use crate::model::time::Timestamp;

/// The answer's Date is to the second, and the way takes a while.
const SKEW_FINE_SECONDS: i64 = 30;
/// AWS refuses requests that were signed more than 5 minutes away from its own time (AWS General
/// Reference, "Signing AWS API requests").
const SKEW_REFUSED_SECONDS: i64 = 300;

/// This machine's clock beside AWS's.
pub fn clock(own: Timestamp, aws: Option<Timestamp>) -> Check {
    let Some(aws) = aws else {
        return Check::warn(
            "clock",
            "no answer of AWS to compare it with",
            "fix what credentials reports first",
        );
    };
    let skew = (own - aws).num_seconds();
    let direction = if skew >= 0 { "ahead of" } else { "behind" };
    let found = format!("{} s {direction} AWS's", skew.abs());
    match skew.abs() {
        seconds if seconds <= SKEW_FINE_SECONDS => Check::ok("clock", found),
        seconds if seconds <= SKEW_REFUSED_SECONDS => Check::warn(
            "clock",
            found,
            "synchronize the clock (chrony, systemd-timesyncd): from 5 minutes on AWS refuses every \
             call, and minutes of telemetry are dated by it",
        ),
        _ => Check::fail(
            "clock",
            found,
            "synchronize the clock (chrony, systemd-timesyncd): AWS refuses calls signed 5 minutes \
             away from its own time",
        ),
    }
}

/// Through which proxy AWS is called: `variables` are the environment's.
pub fn proxy(variables: &[(String, String)]) -> Check {
    let names = ["https_proxy", "http_proxy", "all_proxy", "no_proxy"];
    let set: Vec<String> = variables
        .iter()
        .filter(|(name, value)| {
            names.contains(&name.to_ascii_lowercase().as_str()) && !value.is_empty()
        })
        .map(|(name, value)| format!("{name}={}", without_password(value)))
        .collect();
    if set.is_empty() {
        return Check::ok("proxy", "none: AWS is called directly");
    }
    Check::note("proxy", set.join(", "))
}

/// `http://user:password@proxy:3128` without the part before the @.
fn without_password(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            if scheme.is_empty() { format!("***@{host}") } else { format!("{scheme}://***@{host}") }
        }
        None => url.to_owned(),
    }
}

/// The files and directories with the CA certificates, and whether each is there.
pub fn trust(places: &[(PathBuf, bool)]) -> Check {
    match places.iter().find(|(_, there)| *there) {
        Some((path, _)) => Check::ok("tls", format!("CA certificates: {}", path.display())),
        None => Check::warn(
            "tls",
            "no CA certificates in the usual places",
            "install ca-certificates, or name a file with SSL_CERT_FILE; without them no call to AWS \
             by https succeeds",
        ),
    }
}

/// Where what must be remembered is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryFound {
    Process,
    /// In tags of the scalable targets.
    Tags,
    ConfigMap(String),
    /// In a file: its path, its bytes if it is there, and what is wrong with its place.
    File(PathBuf, Option<u64>, Option<String>),
}

/// The memory, where any mode `writes`.
pub fn memory(found: &MemoryFound, writes: bool) -> Check {
    match found {
        MemoryFound::Process if writes => Check::warn(
            "memory",
            "in the process only: a restart forgets, and raises wait a day after it",
            "configure memory.file, memory.tags or kubernetes.memory_configmap",
        ),
        MemoryFound::Process => {
            Check::note("memory", "in the process only, which is enough to observe")
        }
        MemoryFound::Tags => Check::ok("memory", "in tags of the scalable targets"),
        MemoryFound::ConfigMap(name) => Check::note(
            "memory",
            format!("in the ConfigMap {name}, which only the pod can look at"),
        ),
        MemoryFound::File(_, _, Some(wrong)) => {
            Check::fail("memory", wrong.clone(), "make its directory writable for this user")
        }
        MemoryFound::File(path, bytes, None) => {
            let size =
                bytes.map_or_else(|| "not there yet".to_owned(), |bytes| format!("{bytes} bytes"));
            Check::ok("memory", format!("{} ({size})", path.display()))
        }
    }
}

/// Where the history and the evidence are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFound {
    /// Nowhere beyond the process.
    Process,
    /// In a file: its path, its bytes if it is there, and what is wrong with its place.
    File(PathBuf, Option<u64>, Option<String>),
}

/// The history and the evidence of variants: what a restart reads again without them.
pub fn store(found: &StoreFound, history_days: i64) -> Check {
    match found {
        StoreFound::Process => Check::note(
            "store",
            format!(
                "in the process only: each restart reads {history_days} days of metrics again, at \
                 CloudWatch's price, and the history starts over (store.path keeps both)"
            ),
        ),
        StoreFound::File(_, _, Some(wrong)) => Check::fail(
            "store",
            wrong.clone(),
            "make its directory writable for this user; decisions do not depend on it, the price of \
             a restart does",
        ),
        StoreFound::File(path, None, None) => Check::ok(
            "store",
            format!("{} (not there yet: the first start makes it)", path.display()),
        ),
        StoreFound::File(path, Some(bytes), None) => {
            Check::ok("store", format!("{} ({bytes} bytes)", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;
    use chrono::TimeDelta;

    #[test]
    fn a_clock_is_judged_by_what_aws_refuses() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        let of = |seconds| clock(now + TimeDelta::seconds(seconds), Some(now));
        assert_eq!(of(2).health, Health::Ok);
        assert_eq!(
            (of(-100).health, of(-100).found.as_str()),
            (Health::Warn, "100 s behind AWS's")
        );
        assert_eq!(of(301).health, Health::Fail);
        assert_eq!(clock(now, None).health, Health::Warn);
    }

    #[test]
    fn a_proxys_password_is_not_reported() {
        let variable = |value: &str| proxy(&[("HTTPS_PROXY".to_owned(), value.to_owned())]).found;
        assert_eq!(variable("http://me:secret@proxy:3128"), "HTTPS_PROXY=http://***@proxy:3128");
        assert_eq!(variable("http://proxy:3128"), "HTTPS_PROXY=http://proxy:3128");
        assert_eq!(variable("me:s@cret@proxy"), "HTTPS_PROXY=***@proxy");
        assert!(proxy(&[]).found.contains("directly"));
    }

    #[test]
    fn a_memory_that_forgets_matters_only_where_something_is_written() {
        assert_eq!(memory(&MemoryFound::Process, true).health, Health::Warn);
        assert_eq!(memory(&MemoryFound::Process, false).health, Health::Note);
        let broken = MemoryFound::File("/m".into(), None, Some("nothing can be written".into()));
        assert_eq!(memory(&broken, false).health, Health::Fail);
    }

    #[test]
    fn a_history_that_a_restart_loses_has_a_price() {
        let found = store(&StoreFound::Process, 14);
        assert_eq!(found.health, Health::Note);
        assert!(found.found.contains("reads 14 days of metrics again"), "{}", found.found);
        let file = |wrong| store(&StoreFound::File("/h.redb".into(), Some(9), wrong), 14);
        assert_eq!(
            (file(None).health, file(None).found.as_str()),
            (Health::Ok, "/h.redb (9 bytes)")
        );
        assert_eq!(file(Some("a directory".to_owned())).health, Health::Fail);
    }
}
