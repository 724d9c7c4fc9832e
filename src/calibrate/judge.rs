//! The highest step that keeps the objective, how sure that is, and when there is no answer.

use chrono::NaiveDate;
use serde::Serialize;

use super::model::{LoopKind, Run, Spacing, Step, Tool};
use crate::model::goal::LatencyObjective;
use crate::model::units::{LatencyStatistic, human};

/// One server kept p99 250 ms up to 97 requests a second evenly spaced, and 88 as Poisson arrivals.
const EVEN_RPS: f64 = 97.0;
const POISSON_RPS: f64 = 88.0;
/// An open loop whose good answers fall this far behind what was sent is overloaded.
const KEEPS_UP: f64 = 0.95;
/// Without an objective, a latency of this many times the lightest step's is degraded service.
const DEGRADED: f64 = 2.0;
/// CloudWatch and target tracking judge by the minute.
const STEP_SECONDS: f64 = 60.0;
/// A gap between the last good and the first bad step that leaves the answer open.
const GAP: f64 = 1.25;

#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The latency objective; without one, degradation is judged against the lightest step.
    pub slo: Option<LatencyObjective>,
    /// The largest share of errors.
    pub error_rate_max: f64,
    /// How many instances served the test.
    pub instances: u32,
    /// Only results of this instance type, where a file names it.
    pub instance_type: Option<String>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// It keeps the objective.
    Good,
    /// It does not, and why.
    Bad(String),
    /// The first step, bad while the next is good: warm-up.
    WarmUp(String),
}

/// How the answer is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// A step above it broke the objective.
    Between,
    /// Every step was good: at least this.
    AtLeast,
    /// The tool searched for the maximum itself.
    Maximum,
}

/// How sure the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Nothing speaks against it.
    High,
    /// One or two reasons.
    Medium,
    /// More, or a grave one.
    Low,
}

impl Confidence {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// Something that makes the answer less sure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// For people.
    pub text: String,
    /// How much it counts; 3 alone makes the confidence low.
    #[serde(skip)]
    pub weight: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Good answers per second of one instance, to three digits.
    pub max_rps: f64,
    /// How it is bounded.
    pub bound: Bound,
    /// What production with its random arrivals can count on, at least.
    pub low_rps: f64,
    /// What one instance does not serve well; nothing when no step was bad.
    pub high_rps: Option<f64>,
    /// How sure.
    pub confidence: Confidence,
    /// Why not surer.
    pub reasons: Vec<Reason>,
    /// The steps, the lightest first, with their verdicts.
    pub steps: Vec<(Step, Verdict)>,
    /// Which of them is the answer.
    pub best: usize,
    /// The instance type, where it is known.
    pub instance_type: Option<String>,
    /// The day of the test, where it is known.
    pub date: Option<NaiveDate>,
}

/// Why there is no number.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("no load-tested rate: {message}")]
pub struct Refusal {
    /// The reason and what to do.
    pub message: String,
    /// The steps with their verdicts, as far as they could be judged.
    pub steps: Vec<(Step, Verdict)>,
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { message: message.into(), steps: Vec::new() })
}

/// By how many percent an evenly spaced test overstates what random arrivals leave.
pub fn overstated_percent() -> f64 {
    ((EVEN_RPS / POISSON_RPS - 1.0) * 100.0).round()
}

/// Finds the rate.
///
/// # Errors
/// When the runs allow no number, with the reason.
pub fn judge(runs: &[Run], ask: &Ask) -> Result<Found, Refusal> {
    let runs = chosen(runs, ask)?;
    let steps = in_order(&runs);
    if steps.is_empty() {
        return refuse("the files have no step with an answer");
    }
    let single_run = runs.len() == 1 && runs[0].tool == Tool::InferenceRecommender;
    let limit = limit(&steps, ask, single_run)?;
    let mut judged: Vec<(Step, Verdict)> = Vec::new();
    for step in steps {
        let verdict = verdict(&step, limit, ask)?;
        judged.push((step, verdict));
    }
    warm_up(&mut judged);
    let counts = |(_, v): &&(Step, Verdict)| !matches!(v, Verdict::WarmUp(_));
    let first_bad = judged.iter().position(|(_, v)| matches!(v, Verdict::Bad(_)));
    let below = first_bad.unwrap_or(judged.len());
    let Some(best) = judged[..below].iter().rposition(|(_, v)| *v == Verdict::Good) else {
        let (step, why) = match judged.iter().find(counts) {
            Some((step, Verdict::Bad(why))) => (step, why.clone()),
            _ => return refuse("no step could be judged"),
        };
        let message = format!(
            "every step broke the objective; the lightest, {} requests/s, had {why}; test with less \
             load",
            human(three_digits(load(step)))
        );
        return Err(Refusal { message, steps: judged });
    };
    let instances = f64::from(ask.instances);
    let rate = judged[best].0.good_rps / instances;
    let high = first_bad.map(|i| load(&judged[i].0) / instances).filter(|high| *high > rate);
    let random = runs.iter().all(|run| run.spacing == Spacing::Random);
    let reasons = reasons(&runs, &judged, best, first_bad, ask);
    let weight: u8 = reasons.iter().map(|r| r.weight).sum();
    Ok(Found {
        max_rps: three_digits(rate),
        bound: match (first_bad, single_run) {
            (Some(_), _) => Bound::Between,
            (None, true) => Bound::Maximum,
            (None, false) => Bound::AtLeast,
        },
        low_rps: three_digits(if random { rate } else { rate * POISSON_RPS / EVEN_RPS }),
        high_rps: high.map(three_digits),
        confidence: match weight {
            0 => Confidence::High,
            1 | 2 => Confidence::Medium,
            _ => Confidence::Low,
        },
        reasons,
        best,
        steps: judged,
        instance_type: ask
            .instance_type
            .clone()
            .or_else(|| runs.iter().find_map(|run| run.instance_type.clone())),
        date: runs.iter().filter_map(|run| run.date).min(),
    })
}

/// The runs of one instance type: others are alternatives, not steps.
fn chosen<'a>(runs: &'a [Run], ask: &Ask) -> Result<Vec<&'a Run>, Refusal> {
    let mut types: Vec<&str> = runs.iter().filter_map(|r| r.instance_type.as_deref()).collect();
    types.sort_unstable();
    types.dedup();
    let wanted = ask.instance_type.as_deref();
    match wanted {
        None if types.len() > 1 => refuse(format!(
            "the files have results of several instance types ({}); name one with --instance-type",
            types.join(", ")
        )),
        Some(wanted) if !types.is_empty() && !types.contains(&wanted) => {
            refuse(format!("no result is of instance type {wanted} (found: {})", types.join(", ")))
        }
        _ => {
            let of = |run: &&Run| match (wanted, run.instance_type.as_deref()) {
                (Some(wanted), Some(found)) => wanted == found,
                _ => true,
            };
            let runs: Vec<&Run> = runs.iter().filter(of).collect();
            let job = |run: &&Run| run.tool == Tool::InferenceRecommender;
            if runs.len() > 1 && runs.iter().any(job) {
                return refuse(
                    "an Inference Recommender job has several results for this instance type, or \
                     is mixed with other tests; give one of them (its recommendations are \
                     alternatives, not steps)",
                );
            }
            Ok(runs)
        }
    }
}

/// What a step was given: what was sent, or what was answered where the file has no more.
fn load(step: &Step) -> f64 {
    step.offered_rps.unwrap_or(step.good_rps / (1.0 - step.error_share.unwrap_or(0.0)).max(0.01))
}

/// All steps, the lightest first. A closed loop that is past its best answers less with more
/// users, so that there the users are the load.
fn in_order(runs: &[&Run]) -> Vec<Step> {
    let mut steps: Vec<Step> = runs.iter().flat_map(|run| run.steps.iter().cloned()).collect();
    let by_users = steps.iter().all(|s| s.users.is_some() && s.offered_rps.is_none());
    let key = |s: &Step| if by_users { s.users.unwrap_or(0.0) } else { load(s) };
    steps.sort_by(|a, b| key(a).total_cmp(&key(b)));
    steps
}

/// The statistic and its limit in milliseconds.
fn limit(
    steps: &[Step],
    ask: &Ask,
    maximum: bool,
) -> Result<Option<(LatencyStatistic, f64)>, Refusal> {
    if let Some(slo) = ask.slo {
        let lacks = steps.iter().find(|s| s.latency.get(slo.statistic).is_none());
        return match lacks {
            None => Ok(Some((slo.statistic, slo.threshold_ms))),
            Some(step) => refuse(format!(
                "{} has no {} (found: {}); a percentile cannot be had from another one: run the \
                 test so that it is written, or state the objective in one of these",
                step.file,
                slo.statistic,
                step.latency.names()
            )),
        };
    }
    if maximum {
        return Ok(None);
    }
    if steps.len() == 1 {
        return refuse(
            "one step and no objective say nothing of what is too slow; give one, such as --slo \
             p99=250ms, or files of several loads",
        );
    }
    let shared = LatencyStatistic::ALL.into_iter().rev();
    let shared = shared.clone().find(|s| steps.iter().all(|step| step.latency.get(*s).is_some()));
    let Some(statistic) = shared else {
        return refuse("the files have no statistic of latency in common; give files of one tool");
    };
    let lightest = steps.iter().find_map(|s| s.latency.get(statistic)).unwrap_or(0.0);
    Ok(Some((statistic, lightest * DEGRADED)))
}

fn verdict(
    step: &Step,
    limit: Option<(LatencyStatistic, f64)>,
    ask: &Ask,
) -> Result<Verdict, Refusal> {
    if !step.good_rps.is_finite() {
        return refuse(format!("{}: the rate is not a number", step.file));
    }
    if let Some(errors) = step.error_share.filter(|share| *share > ask.error_rate_max) {
        return Ok(Verdict::Bad(format!("{} % errors", human(three_digits(errors * 100.0)))));
    }
    if let Some((statistic, ms)) = limit
        && let Some(found) = step.latency.get(statistic)
        && found > ms
    {
        let found = human(three_digits(found));
        return Ok(Verdict::Bad(format!("{statistic} {found} ms, above {} ms", human(ms))));
    }
    if let Some(offered) = step.offered_rps.filter(|offered| step.good_rps < offered * KEEPS_UP) {
        return Ok(Verdict::Bad(format!(
            "{} good answers/s of {} sent",
            human(three_digits(step.good_rps)),
            human(three_digits(offered))
        )));
    }
    if step.good_rps <= 0.0 {
        return Ok(Verdict::Bad("no good answer".to_owned()));
    }
    Ok(Verdict::Good)
}

/// A first step that is bad while two above it are good was the warm-up.
fn warm_up(judged: &mut [(Step, Verdict)]) {
    let good = |i: usize| judged.get(i).is_some_and(|(_, v)| *v == Verdict::Good);
    let first = judged.first().is_some_and(|(s, _)| s.from_seconds.is_some_and(|t| t < 60.0));
    if first
        && good(1)
        && good(2)
        && let Verdict::Bad(why) = &judged[0].1
    {
        judged[0].1 = Verdict::WarmUp(why.clone());
    }
}

fn reasons(
    runs: &[&Run],
    judged: &[(Step, Verdict)],
    best: usize,
    first_bad: Option<usize>,
    ask: &Ask,
) -> Vec<Reason> {
    let mut found: Vec<Reason> = of_spacing(runs).into_iter().collect();
    let step = &judged[best].0;
    of_step(step, ask, &mut found);
    let mut add = |weight: u8, text: String| found.push(Reason { text, weight });
    // A job of Inference Recommender searches by itself and says little of how.
    if runs.iter().all(|r| r.tool != Tool::InferenceRecommender) {
        if judged.len() == 1 {
            add(1, "only one step".to_owned());
        }
        if first_bad.is_none() {
            let text = "every step was good: one instance may serve more; test with more load";
            add(1, text.to_owned());
        }
        if ask.slo.is_none() {
            let text = "no objective was given: a step counts as good up to twice the latency of \
                        the lightest one; --slo p99=250ms says what yours is";
            add(2, text.to_owned());
        }
        if step.error_share.is_none() {
            add(1, "the file does not count errors".to_owned());
        }
    }
    if let Some(bad) = first_bad {
        let (low, high) = (step.good_rps, load(&judged[bad].0));
        if high > low * GAP {
            let (low, high) = (human(three_digits(low)), human(three_digits(high)));
            add(1, format!("no step between {low} and {high} requests/s"));
        }
        if judged[bad..].iter().any(|(_, v)| *v == Verdict::Good) {
            add(2, "a heavier step was good again: the lighter one that broke counts".to_owned());
        }
    }
    for doubt in runs.iter().flat_map(|run| &run.doubts) {
        add(1, doubt.clone());
    }
    found
}

/// By how much the spacing of the requests flatters the server.
fn of_spacing(runs: &[&Run]) -> Option<Reason> {
    let percent = overstated_percent();
    let even = "one server that kept p99 250 ms up to 97 requests/s evenly spaced kept it up to 88 \
                with Poisson arrivals";
    let text = if runs.iter().any(|r| r.loop_kind == LoopKind::Closed) {
        format!(
            "closed loop: each user waits for its answer before it sends again, so that the worst \
             waits are never measured (coordinated omission); it overstates production by \
             {percent} % or more ({even})"
        )
    } else if runs.iter().any(|r| r.spacing == Spacing::Even) {
        format!("evenly spaced requests overstate production by about {percent} % ({even})")
    } else if runs.iter().any(|r| r.spacing == Spacing::Unknown) {
        format!(
            "the file does not say how requests were spaced; if evenly, they overstate production \
             by about {percent} % ({even})"
        )
    } else {
        return None;
    };
    Some(Reason { text, weight: 1 })
}

/// Whether the step is long enough.
fn of_step(step: &Step, ask: &Ask, found: &mut Vec<Reason>) {
    if let Some(seconds) = step.seconds.filter(|seconds| *seconds < STEP_SECONDS * 0.8) {
        let weight = if seconds < STEP_SECONDS / 3.0 { 2 } else { 1 };
        let text = format!("the step lasted {} s, less than a minute", human(seconds.round()));
        found.push(Reason { text, weight });
    }
    let statistic = ask.slo.map(|slo| slo.statistic).or_else(|| step.latency.strictest());
    if let Some((n, s)) = step.requests.zip(statistic)
        && n < s.min_requests() * 10.0
    {
        found.push(Reason { text: format!("{s} rests on {n} requests"), weight: 1 });
    }
}

/// No load test is more exact than three digits.
fn three_digits(v: f64) -> f64 {
    if v == 0.0 || !v.is_finite() {
        return v;
    }
    let scale = 10f64.powi(2 - v.abs().log10().floor() as i32);
    (v * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::model::Latency;

    fn step(rps: f64, p99: f64) -> Step {
        Step {
            offered_rps: Some(rps),
            good_rps: rps,
            seconds: Some(60.0),
            requests: Some(rps * 60.0),
            error_share: Some(0.0),
            latency: Latency { p99: Some(p99), ..Latency::default() },
            ..Step::default()
        }
    }

    fn run(steps: Vec<Step>) -> Run {
        let mut run = Run::new("x", Tool::K6Json, LoopKind::Open, Spacing::Random);
        run.steps = steps;
        run
    }

    fn ask() -> Ask {
        let slo = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
        Ask { slo: Some(slo), error_rate_max: 0.01, instances: 1, instance_type: None }
    }

    #[test]
    fn the_highest_step_below_the_first_bad_one_is_the_answer() {
        let steps =
            vec![step(20.0, 100.0), step(30.0, 300.0), step(25.0, 240.0), step(40.0, 200.0)];
        let found = judge(&[run(steps)], &ask()).unwrap();
        assert_eq!(
            (found.max_rps, found.high_rps, found.bound),
            (25.0, Some(30.0), Bound::Between)
        );
        assert_eq!(found.confidence, Confidence::Medium, "{:?}", found.reasons);
    }

    #[test]
    fn good_steps_only_are_a_lower_bound_and_bad_ones_only_no_number() {
        let found = judge(&[run(vec![step(20.0, 100.0), step(22.0, 100.0)])], &ask()).unwrap();
        assert_eq!((found.bound, found.high_rps), (Bound::AtLeast, None));
        let refused = judge(&[run(vec![step(20.0, 300.0)])], &ask()).unwrap_err();
        assert!(refused.to_string().contains("every step broke"), "{refused}");
        assert_eq!(refused.steps.len(), 1);
    }

    #[test]
    fn answers_that_fall_behind_and_errors_are_no_good_service() {
        let late = Step { good_rps: 25.0, ..step(30.0, 100.0) };
        let failing = Step { error_share: Some(0.02), ..step(30.0, 100.0) };
        for bad in [late, failing] {
            let found = judge(&[run(vec![step(20.0, 100.0), bad])], &ask()).unwrap();
            assert_eq!(found.max_rps, 20.0);
        }
    }

    #[test]
    fn several_instances_share_the_rate() {
        let several = Ask { instances: 4, ..ask() };
        let found = judge(&[run(vec![step(80.0, 100.0), step(90.0, 300.0)])], &several).unwrap();
        assert_eq!((found.max_rps, found.high_rps), (20.0, Some(22.5)));
    }

    #[test]
    fn rates_have_three_digits() {
        for (v, rounded) in [(19.998, 20.0), (97.44, 97.4), (1234.5, 1230.0), (0.012_345, 0.0123)] {
            assert!((three_digits(v) - rounded).abs() < 1e-12, "{v}");
        }
    }
}
