//! `setpoint audit --telemetry`: the price first, then a yes, then what capacity says by objectives that
//! are guessed from each variant's own quiet minutes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::TimeDelta;

use super::super::CliError;
use super::super::deadline::{Bounded, Timeout};
use super::super::survey::Survey;
use crate::audit::{self, Guess, Judged};
use crate::cli::out::noteln;
use crate::config::Config;
use crate::daemon::pass_settings;
use crate::memory::ProcessMemory;
use crate::model::goal::Goal;
use crate::model::ids::{Scope, VariantId};
use crate::model::time::{Timestamp, floor_to_minute};
use crate::ports::{Aws, Clock as _, Metric, MetricAnswer, MetricQuery};
use crate::reconcile::{
    CostMeter, DOLLARS_PER_METRIC, DiscoveryTelemetry, Fleet, Goals, HistoryWait, Named, PassInput,
    Purpose, Settings,
};
use crate::system::{Alone, WallClock};

/// What a guess reads of one variant.
const GUESS_METRICS: [Metric; 3] =
    [Metric::InvocationsPerInstance, Metric::Invocations, Metric::ModelLatency(audit::STATISTIC)];
/// Three days have three nights, when most services are quiet.
const GUESS_DAYS: i64 = 3;
/// Variants of one read: 3 metrics of 3 days each are some 10 MB of datapoints.
const GUESS_AT_ONCE: usize = 50;
/// Metrics that a pass reads of a variant with an objective.
const PASS_METRICS: usize = 5;
/// A variant with little traffic is read at three periods: 1, 5 and 15 minutes.
const PERIODS: usize = 3;

/// What somebody has agreed to pay for.
pub(in crate::cli) struct Priced {
    ids: Vec<VariantId>,
}

/// What is to be read of each variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Reading {
    /// What a guess of the objective needs.
    Guess,
    /// That, and what a pass needs that judges by it.
    GuessAndJudge,
}

impl Reading {
    /// Metrics of a variant: as a rule, and where traffic is thin.
    const fn metrics(self) -> (usize, usize) {
        match self {
            Self::Guess => (GUESS_METRICS.len(), GUESS_METRICS.len()),
            Self::GuessAndJudge => {
                (GUESS_METRICS.len() + PASS_METRICS, GUESS_METRICS.len() + PASS_METRICS * PERIODS)
            }
        }
    }
}

/// States the price, and asks. None when there is nothing to read.
///
/// # Errors
/// When the budget does not allow it, when nobody can be asked, and when the answer is not yes.
pub(in crate::cli) fn consented(
    config: &Config,
    seen: &Survey,
    reading: Reading,
    yes: bool,
) -> Result<Option<Priced>, CliError> {
    let of = seen.fleet.variants.iter();
    let ids: Vec<VariantId> =
        of.filter(|(_, status)| audit::has_capacity(status)).map(|(id, _)| id.clone()).collect();
    if ids.is_empty() {
        noteln!("--telemetry: no variant here has a capacity to measure; CloudWatch is not read.");
        return Ok(None);
    }
    let metrics = |each: usize| dollars((ids.len() * each) as f64 * DOLLARS_PER_METRIC);
    let (usual, most) = reading.metrics();
    let at_most = (ids.len() * most) as f64 * DOLLARS_PER_METRIC;
    let variants = ids.len();
    if usual == most {
        noteln!(
            "--telemetry reads CloudWatch's GetMetricData for ${}: {variants} variants, {usual} metrics each, $0.01 for \
             1,000. Objectives are guessed.",
            metrics(usual)
        );
    } else {
        noteln!(
            "--telemetry reads CloudWatch's GetMetricData for about ${}, at most ${}: {variants} variants, {usual} metrics \
             each and {most} where traffic is thin, $0.01 for 1,000. Objectives are guessed.",
            metrics(usual),
            metrics(most)
        );
    }
    let budget = config.telemetry.budget_dollars_per_month;
    if at_most > budget {
        return Err(CliError::failed(format!(
            "telemetry.budget_dollars_per_month is ${budget}, which does not cover ${}: CloudWatch was not \
             read (raise it, or leave --telemetry out)",
            metrics(most)
        )));
    }
    if yes || confirmed()? {
        return Ok(Some(Priced { ids }));
    }
    Err(CliError::failed("not confirmed, CloudWatch was not read"))
}

/// The question is on stderr: stdout may go to a file, and has the audit only.
fn confirmed() -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage(
            "cannot ask for confirmation: stdin is not a terminal, CloudWatch was not read (use --yes)",
        ));
    }
    noteln!("Read it? Only \"yes\" does.");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| CliError::failed(format!("cannot ask: {error}")))?;
    Ok(answer.trim() == "yes")
}

/// Cents, or as many digits as a smaller sum needs, never rounded down.
fn dollars(sum: f64) -> String {
    let digits = if sum < 0.1 { 4 } else { 2 };
    let unit = 10_f64.powi(digits);
    // What floating point leaves over is no hundredth of a cent.
    format!("{:.*}", usize::try_from(digits).unwrap_or(2), (sum * unit - 1e-6).ceil() / unit)
}

/// Guesses an objective for each variant, and lets a pass judge by it. Nothing is written or
/// remembered.
pub(super) async fn judged(
    config: &Config,
    nobody: &Config,
    seen: &Survey,
    timeout: Timeout,
    bounded: &Bounded,
    priced: Priced,
) -> Vec<Judged> {
    let base = pass_settings(config);
    let guesses = guessed(config, seen, &priced).await;
    let asked = (guesses.len() * GUESS_METRICS.len()) as f64 * DOLLARS_PER_METRIC;
    let settings = Settings {
        discovery: true,
        // Only variants with a guess are judged, and only those are paid for.
        discovery_telemetry: DiscoveryTelemetry::Off,
        history_wait: HistoryWait::Until(timeout.most_of_it()),
        // One look needs no first impression, which costs 5 metrics a variant more.
        last_day_first_above: usize::MAX,
        budget_dollars: base.budget_dollars.map(|budget| (budget - asked).max(0.0)),
        ..base
    };
    let goals = Guessed { nobody: nobody.clone(), guesses: Arc::new(guesses) };
    let (clock, memory) = (Arc::new(WallClock), Arc::new(ProcessMemory::default()));
    let mut passes =
        Fleet::new(seen.aws.clone(), clock, Arc::new(Alone), memory, CostMeter::default());
    bounded.follow(passes.progress());
    let fleet = passes
        .pass(PassInput {
            goals: &goals,
            settings: &settings,
            telemetry: true,
            refresh: None,
            purpose: Purpose::Plan,
            freeze: None,
            stop: &AtomicBool::new(false),
        })
        .await;
    let of = |(id, guess): (&VariantId, &Result<Guess, String>)| {
        Some(Judged::of(fleet.variants.get(id)?, guess.clone()))
    };
    goals.guesses.iter().filter_map(of).collect()
}

/// The objective of each priced variant, guessed from its own quiet minutes.
pub(in crate::cli) async fn guessed(
    config: &Config,
    seen: &Survey,
    priced: &Priced,
) -> BTreeMap<VariantId, Result<Guess, String>> {
    let to = floor_to_minute(WallClock.now() - pass_settings(config).delay);
    let mut guesses = BTreeMap::new();
    for aws in &seen.aws {
        let own = |id: &&VariantId| id.scope() == aws.scope;
        let own: Vec<&VariantId> = priced.ids.iter().filter(own).collect();
        for some in own.chunks(GUESS_AT_ONCE) {
            guesses.extend(guess(aws, some, to).await);
        }
    }
    guesses
}

/// The guess for each of these variants.
async fn guess(
    aws: &Aws,
    ids: &[&VariantId],
    to: Timestamp,
) -> Vec<(VariantId, Result<Guess, String>)> {
    let query = |id: &&VariantId| {
        let resource = id.resource();
        GUESS_METRICS.map(|metric| MetricQuery {
            resource: resource.clone(),
            metric,
            period_seconds: 60,
        })
    };
    let queries: Vec<MetricQuery> = ids.iter().flat_map(query).collect();
    let from = to - TimeDelta::days(GUESS_DAYS);
    let mut answers = aws.metrics.metric_data(&queries, from, to).await.into_iter();
    let mut guesses = Vec::with_capacity(ids.len());
    for id in ids {
        let own: Vec<MetricAnswer> = answers.by_ref().take(GUESS_METRICS.len()).collect();
        guesses.push(((*id).clone(), of_answers(own)));
    }
    guesses
}

/// The loaded minutes of what CloudWatch answered, and the guess from them.
fn of_answers(answers: Vec<MetricAnswer>) -> Result<Guess, String> {
    let mut series = Vec::with_capacity(answers.len());
    for answer in answers {
        let points = answer.map_err(|why| format!("no objective guessed: {}", why.message))?;
        series.push(points.iter().collect::<BTreeMap<Timestamp, f64>>());
    }
    let [load, requests, latency] = series.as_slice() else {
        return Err("no objective guessed: CloudWatch gave no answer".to_owned());
    };
    let least = audit::STATISTIC.min_requests();
    let loaded = load.iter().filter(|(at, _)| requests.get(at).is_some_and(|all| *all >= least));
    Guess::of(loaded.filter_map(|(at, load)| Some((*load, *latency.get(at)?))).collect())
}

/// A configuration of guessed objectives, which manages nothing else.
#[derive(Clone)]
struct Guessed {
    nobody: Config,
    guesses: Arc<BTreeMap<VariantId, Result<Guess, String>>>,
}

impl Goals for Guessed {
    fn goal(&self, id: &VariantId) -> Result<Goal, String> {
        let mut goal = Goals::goal(&self.nobody, id)?;
        if let Some(Ok(guess)) = self.guesses.get(id) {
            goal.managed = true;
            goal.objective.latency = Some(guess.objective());
        }
        Ok(goal)
    }

    fn named(&self, _: &[Scope]) -> Vec<Named> {
        Vec::new()
    }

    fn shared(&self) -> Arc<dyn Goals> {
        Arc::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn a_price_is_never_rounded_down() {
        let told = [(0.0001, "0.0001"), (0.000_04, "0.0001"), (0.09, "0.0900"), (1.234, "1.24")];
        for (sum, told) in told {
            assert_eq!(dollars(sum), told);
        }
    }
}
