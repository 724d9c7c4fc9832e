//! What the process uses of its machine, by Linux's `/proc`, under the names that every Prometheus
//! client has for it. Where there is no `/proc`, the families are absent.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use super::definition::{Definition, Kind};
use super::process_families as families;

const FAMILIES: [&Definition; 7] = [
    &families::PROCESS_CPU,
    &families::PROCESS_RESIDENT,
    &families::PROCESS_VIRTUAL,
    &families::PROCESS_START,
    &families::PROCESS_OPEN_FDS,
    &families::PROCESS_MAX_FDS,
    &families::PROCESS_THREADS,
];

/// Looks it up when somebody scrapes.
pub(super) struct Usage {
    descs: Vec<Desc>,
}

impl Usage {
    pub(super) fn new() -> prometheus::Result<Self> {
        let descs = FAMILIES.iter().map(|family| family.desc()).collect::<Result<_, _>>()?;
        Ok(Self { descs })
    }
}

impl Collector for Usage {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let stat = Stat::parse(&stat);
        let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
        let ticks = clock_ticks_per_second() as f64;
        let started = stat.as_ref().zip(boot_time(&machine));
        let numbers = [
            stat.as_ref().map(|stat| stat.cpu_ticks / ticks),
            stat.as_ref().map(|stat| stat.resident_pages * page_size() as f64),
            stat.as_ref().map(|stat| stat.virtual_bytes),
            started.map(|(stat, boot)| boot + stat.start_ticks / ticks),
            // The folder's own descriptor, open while it is read, is not one of the process's.
            fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count().saturating_sub(1) as f64),
            // Without a limit there is no number.
            getrlimit(Resource::Nofile).current.map(|most| most as f64),
            stat.as_ref().map(|stat| stat.threads),
        ];
        let pairs = FAMILIES.into_iter().zip(numbers);
        pairs
            .filter_map(|(family, number)| Some(family.family(vec![series(family, number?)])))
            .collect()
    }
}

fn series(family: &Definition, number: f64) -> Metric {
    let mut metric = Metric::default();
    if family.kind == Kind::Counter {
        let mut counter = Counter::default();
        counter.set_value(number);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(number);
        metric.set_gauge(gauge);
    }
    metric
}

/// What `/proc/self/stat` says (`man 5 proc_pid_stat`).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    threads: f64,
    /// Since the machine booted.
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name, which may have blanks and brackets.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The manual counts from 1, and the first field here is its third.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// Seconds since the epoch at which the machine booted, by `/proc/stat`.
fn boot_time(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_by_the_manual_also_with_an_odd_name() {
        let line = "42 (set) (point)) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 20 0 9 0 777 1048576 256 18446744073709551615\n";
        let expected = Stat {
            cpu_ticks: 200.0,
            threads: 9.0,
            start_ticks: 777.0,
            virtual_bytes: 1_048_576.0,
            resident_pages: 256.0,
        };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("42 (setpoint) S 1"), None);
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1.7e9));
        assert_eq!(boot_time("cpu 1 2\n"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let gathered = Usage::new().unwrap().collect();
        assert_eq!(gathered.len(), FAMILIES.len());
        let number = |name: &str| {
            let family = gathered.iter().find(|family| family.name() == name).unwrap();
            family.get_metric()[0].get_gauge().get_value()
        };
        assert!(number("process_resident_memory_bytes") > 1e6);
        assert!(number("process_virtual_memory_bytes") > number("process_resident_memory_bytes"));
        assert!(number("process_open_fds") >= 3.0);
        assert!(number("process_max_fds") > number("process_open_fds"));
        assert!(number("process_threads") >= 1.0);
        assert!(number("process_start_time_seconds") > 1.6e9, "after 2020");
    }
}
