//! What a load test's file says, in one unit: requests per second and milliseconds.

use chrono::NaiveDate;
use serde::Serialize;

use crate::model::units::LatencyStatistic;

/// The tool that wrote a file, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// k6's summary as JSON.
    K6Summary,
    /// k6 `--out json`.
    K6Json,
    /// k6 `--out csv`.
    K6Csv,
    /// Locust's `…_stats_history.csv`.
    LocustHistory,
    /// Locust's `…_stats.csv`.
    LocustStats,
    /// `vegeta report -type=json`.
    VegetaJson,
    /// `vegeta report`.
    VegetaText,
    /// `vegeta encode`.
    VegetaResults,
    Wrk,
    Wrk2,
    Hey,
    /// A `DescribeInferenceRecommendationsJob` answer.
    InferenceRecommender,
    /// `JMeter`'s JTL as CSV.
    JmeterCsv,
    /// `JMeter`'s JTL as XML.
    JmeterXml,
    /// ab, Apache's benchmark.
    Ab,
    /// oha's JSON.
    Oha,
    /// Gatling's stats.json.
    Gatling,
    /// Gatling's simulation.log as text.
    GatlingLog,
    /// Artillery's report.
    Artillery,
    /// genai-perf and `AIPerf`.
    GenaiPerf,
    /// setpoint's own CSV.
    Telemetry,
}

impl Tool {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::K6Summary => "k6 summary JSON",
            Self::K6Json => "k6 --out json",
            Self::K6Csv => "k6 --out csv",
            Self::LocustHistory => "Locust stats_history.csv",
            Self::LocustStats => "Locust stats.csv",
            Self::VegetaJson => "vegeta report JSON",
            Self::VegetaText => "vegeta report text",
            Self::VegetaResults => "vegeta encode",
            Self::Wrk => "wrk",
            Self::Wrk2 => "wrk2",
            Self::Hey => "hey",
            Self::InferenceRecommender => "Inference Recommender job",
            Self::JmeterCsv => "JMeter JTL (CSV)",
            Self::JmeterXml => "JMeter JTL (XML)",
            Self::Ab => "ab",
            Self::Oha => "oha JSON",
            Self::Gatling => "Gatling stats.json",
            Self::GatlingLog => "Gatling simulation.log",
            Self::Artillery => "Artillery report JSON",
            Self::GenaiPerf => "genai-perf or AIPerf JSON",
            Self::Telemetry => "setpoint export CSV",
        }
    }
}

/// Whether the tool waits for an answer before it sends the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopKind {
    /// It sends at its own rate, as production does.
    Open,
    /// Each of its users waits for the answer: a slow server slows the test.
    Closed,
    /// The file does not say.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// The same time apart.
    Even,
    /// As independent users send them.
    Random,
    /// When the answer before came.
    AfterAnswer,
    /// The file does not say.
    Unknown,
}

/// Latencies in milliseconds, those that the file has.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latency {
    /// The mean.
    pub avg: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

impl Latency {
    pub const fn get(&self, statistic: LatencyStatistic) -> Option<f64> {
        match statistic {
            LatencyStatistic::Avg => self.avg,
            LatencyStatistic::P50 => self.p50,
            LatencyStatistic::P90 => self.p90,
            LatencyStatistic::P95 => self.p95,
            LatencyStatistic::P99 => self.p99,
        }
    }

    pub const fn set(&mut self, statistic: LatencyStatistic, ms: Option<f64>) {
        match statistic {
            LatencyStatistic::Avg => self.avg = ms,
            LatencyStatistic::P50 => self.p50 = ms,
            LatencyStatistic::P90 => self.p90 = ms,
            LatencyStatistic::P95 => self.p95 = ms,
            LatencyStatistic::P99 => self.p99 = ms,
        }
    }

    /// The statistics that are there, such as `avg, p50, p90`.
    pub fn names(&self) -> String {
        let there = LatencyStatistic::ALL.into_iter().filter(|s| self.get(*s).is_some());
        let names: Vec<&str> = there.map(LatencyStatistic::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    pub fn strictest(&self) -> Option<LatencyStatistic> {
        LatencyStatistic::ALL.into_iter().rev().find(|s| self.get(*s).is_some())
    }
}

/// A stretch of a test at one load.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Step {
    pub file: String,
    /// Where in the file: seconds from its start, or nothing for the whole of it.
    pub from_seconds: Option<f64>,
    /// How long it lasted.
    pub seconds: Option<f64>,
    /// What the tool meant to send, in requests per second.
    pub offered_rps: Option<f64>,
    /// Good answers per second.
    pub good_rps: f64,
    /// Users or connections of a closed loop.
    pub users: Option<f64>,
    /// How many requests it had.
    pub requests: Option<f64>,
    /// The share of requests without a good answer; nothing when the file does not say.
    pub error_share: Option<f64>,
    /// How long answers took.
    pub latency: Latency,
}

/// What one file says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    pub file: String,
    /// Who wrote it.
    pub tool: Tool,
    /// Open or closed loop.
    pub loop_kind: LoopKind,
    pub spacing: Spacing,
    /// The steps, in order of time.
    pub steps: Vec<Step>,
    /// What the tool's own words hide, each a sentence.
    pub notes: Vec<String>,
    /// What makes the result less sure, each a sentence.
    pub doubts: Vec<String>,
    /// The instance type, where the file names it.
    pub instance_type: Option<String>,
    /// The day of the test, where the file names it.
    pub date: Option<NaiveDate>,
}

impl Run {
    /// One without steps yet.
    pub fn new(file: &str, tool: Tool, loop_kind: LoopKind, spacing: Spacing) -> Self {
        Self {
            file: file.to_owned(),
            tool,
            loop_kind,
            spacing,
            steps: Vec::new(),
            notes: Vec::new(),
            doubts: Vec::new(),
            instance_type: None,
            date: None,
        }
    }
}
