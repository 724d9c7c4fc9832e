//! The daemon that runs, and whether anybody looks at it.

use super::Check;

/// What answers where the daemon should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonFound {
    Nobody(String),
    /// Something that is not setpoint.
    SomethingElse(String),
    /// setpoint, with its version and revision.
    Setpoint {
        version: String,
        /// Its revision, or `unknown`.
        revision: String,
    },
}

impl DaemonFound {
    /// Reads `setpoint_build_info` of an answer of `/metrics`.
    pub fn of_metrics(text: &str) -> Self {
        let line = text.lines().find(|line| line.starts_with("setpoint_build_info{"));
        let label = |name: &str| {
            let rest = line?.split_once(&format!("{name}=\""))?.1;
            Some(rest.split_once('"')?.0.to_owned())
        };
        match label("version") {
            Some(version) => Self::Setpoint {
                version,
                revision: label("revision").unwrap_or_else(|| "unknown".to_owned()),
            },
            None => Self::SomethingElse("no setpoint_build_info in its metrics".to_owned()),
        }
    }
}

/// Whether a daemon answers at `url`, and is of this version.
pub fn daemon(url: &str, found: &DaemonFound, own: (&str, &str)) -> Check {
    match found {
        DaemonFound::Nobody(why) => Check::note(
            "daemon",
            format!("none answers at {url}: {why} (--url names another place)"),
        ),
        DaemonFound::SomethingElse(why) => Check::warn(
            "daemon",
            format!("what answers at {url} is not setpoint: {why}"),
            "name the daemon's address with --url",
        ),
        DaemonFound::Setpoint { version, revision } => {
            let build = |version: &str, revision: &str| match revision {
                "unknown" => version.to_owned(),
                revision => format!("{version} ({revision})"),
            };
            let (its, ours) = (build(version, revision), build(own.0, own.1));
            if its == ours {
                Check::ok("daemon", format!("{its} at {url}, as this command"))
            } else {
                Check::warn(
                    "daemon",
                    format!("{its} at {url}, and this command is {ours}"),
                    "use the command of the daemon's own image (kubectl exec), or upgrade the older \
                     one",
                )
            }
        }
    }
}

/// What Prometheus says of setpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScrapeFound {
    NotAsked,
    /// It could not be asked.
    Failed(String),
    /// It has so many setpoints.
    Targets(usize),
}

pub fn prometheus(found: &ScrapeFound) -> Check {
    match found {
        ScrapeFound::NotAsked => Check::note(
            "prometheus",
            "not asked: --prometheus URL asks it for setpoint_build_info; a daemon cannot see who \
             scrapes it",
        ),
        ScrapeFound::Failed(why) => Check::warn(
            "prometheus",
            why.clone(),
            "name its address by --prometheus http://HOST:9090 (plain HTTP; port-forward to it)",
        ),
        ScrapeFound::Targets(0) => Check::fail(
            "prometheus",
            "it has no setpoint_build_info: nothing scrapes setpoint, and no alert can fire",
            "serviceMonitor.enabled or podMonitor.enabled in the chart, with the labels that your \
             Prometheus selects",
        ),
        ScrapeFound::Targets(count) => {
            Check::ok("prometheus", format!("it has setpoint_build_info of {count} processes"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn another_version_is_reported() {
        let text = "# HELP x\nsetpoint_build_info{revision=\"abc\",version=\"0.1.0\"} 1\n";
        let found = DaemonFound::of_metrics(text);
        assert_eq!(daemon("u", &found, ("0.1.0", "abc")).health, Health::Ok);
        assert_eq!(daemon("u", &found, ("0.1.0", "abd")).health, Health::Warn);
        assert_eq!(daemon("u", &found, ("0.2.0", "abc")).health, Health::Warn);
        let other = DaemonFound::of_metrics("up 1\n");
        assert_eq!(daemon("u", &other, ("0.1.0", "abc")).health, Health::Warn);
    }
}
