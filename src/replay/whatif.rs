//! What other choices would have done with a recording: its capacity, the choices to compare, and
//! the answer.

pub mod output;

use std::fmt::Write as _;

use chrono::TimeDelta;

use crate::model::estimate::Verdict;
use crate::model::factor::Allowed;
use crate::model::fit::LOW_LOAD;
use crate::model::goal::Objective;
use crate::model::reaction::ReactionTime;
use crate::model::units::{RequestsPerSecond, SafetyFactor};
use crate::variant::CapacityBasis;
use crate::whatif::choice::{CUSTOMARY, INSTANCES_MAX};
use crate::whatif::draws::CapacityBelief;
use crate::whatif::factor::highest;
use crate::whatif::floors::{self, Proposal, Refusal};
use crate::whatif::{Answer, Choice, Question, Scaling, Tracking, Traffic, ask, week};

use super::csv::Row;
use super::run::{ReplaySettings, replay};

/// Most choices that are compared at once.
pub const CHOICES_MAX: usize = 400;

/// What the present setting is called.
const PRESENT: &str = "present";

/// The setting in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Present {
    /// The policy.
    pub tracking: Tracking,
    /// Fewest instances.
    pub min: u32,
    pub max: u32,
}

#[derive(Debug, Clone)]
pub struct Asked {
    /// What counts as serving well.
    pub objective: Objective,
    /// The load-tested rate.
    pub max_rps: Option<RequestsPerSecond>,
    /// The capacity of one instance, stated and not estimated, in invocations per minute.
    pub capacity: Option<f64>,
    /// The present setting, if known.
    pub present: Option<Present>,
    /// Safety factors to try.
    pub factors: Vec<f64>,
    /// Fewest instances to try.
    pub mins: Vec<u32>,
    /// Most instances to try.
    pub maxs: Vec<u32>,
    /// Cooldowns to try, in seconds: after a scale-out, and before a scale-in.
    pub scale_out_cooldowns: Vec<u32>,
    /// The same before a scale-in.
    pub scale_in_cooldowns: Vec<u32>,
    /// Fixed counts to try.
    pub fixed: Vec<u32>,
    /// How fast the variant reacts.
    pub reaction: ReactionTime,
    /// How many scale-outs were seen; absent where nobody looked.
    pub scale_outs: Option<u32>,
    /// What the recorded traffic is multiplied with.
    pub traffic_times: f64,
    /// Bad minutes a week that are accepted.
    pub budget: f64,
    pub seed: u64,
}

/// A choice and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// What people call it.
    pub name: String,
    /// The safety factor, where one leads to it.
    pub factor: Option<f64>,
    pub choice: Choice,
}

/// The answer, with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub capacity: CapacityBelief,
    /// Where that comes from, in words.
    pub capacity_from: String,
    /// What a factor applies to, in invocations per minute per instance.
    pub base: f64,
    /// How fast the variant reacts, and how many scale-outs were seen.
    pub reaction: ReactionTime,
    /// Absent where nobody looked.
    pub scale_outs: Option<u32>,
    /// The minutes, and how many have no datapoint.
    pub minutes: (usize, usize),
    /// The busiest minute, in requests.
    pub peak: f64,
    /// The share of the newest week that the one before explains.
    pub explained: Option<f64>,
    /// Minutes a week that broke the objective at low load: no choice changes them.
    pub bad_at_low_load: f64,
    /// Minutes a week that broke the objective as recorded.
    pub bad_recorded: Option<f64>,
    /// The accepted bad minutes a week.
    pub budget: f64,
    /// The choices; the first is the present setting where that is known.
    pub choices: Vec<Named>,
    /// Which of them is the present setting.
    pub present: Option<usize>,
    /// Their figures.
    pub answer: Answer,
    /// The safety factor by replay.
    pub allowed: Option<Allowed>,
    /// Floors that would have paid, or why there are none.
    pub floors: Result<Proposal, Refusal>,
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unanswerable {
    /// No minute has a number of invocations.
    #[error("no row has a number of invocations, so there is no traffic to replay")]
    NoTraffic,
    #[error(
        "the capacity of one instance is not known ({0}); give --slo with enough minutes near \
         capacity, the rate of a load test with --max-rps, or a number with --capacity"
    )]
    NoCapacity(String),
    /// More choices than are compared at once.
    #[error("{found} choices are more than the {CHOICES_MAX} that are compared at once")]
    TooMany {
        /// How many there would be.
        found: usize,
    },
}

/// Answers.
///
/// # Errors
/// When there is no traffic, no capacity, or too much to compare.
pub fn whatif(rows: &[Row], asked: &Asked) -> Result<Report, Unanswerable> {
    let recorded = Traffic::of(rows.iter().map(|row| &row.minute));
    if recorded.is_empty() {
        return Err(Unanswerable::NoTraffic);
    }
    let (capacity, base, capacity_from) = capacity(rows, asked)?;
    let traffic = recorded.times(asked.traffic_times);
    let question = Question {
        traffic: &traffic,
        capacity: capacity.clone(),
        reaction: asked.reaction,
        budget: asked.budget,
        seed: asked.seed,
    };
    let mut choices = choices(asked, base, traffic.peak())?;
    let floors = propose(&question, asked, base);
    if let Ok(proposal) = &floors {
        let (factor, candidate) = &candidates(asked, base)[proposal.candidate];
        choices.push(Named {
            name: format!("factor {factor}, proposed floors"),
            factor: Some(*factor),
            choice: candidate.clone().with_floors(proposal.floors.clone()),
        });
    }
    let like = like(asked, base);
    let allowed = highest(&question, base, &like);
    if let Some(allowed) = allowed {
        // Among the choices, so that no choice of the table contradicts it.
        let same = |named: &Named| named.factor.is_some_and(|f| (f - allowed.factor).abs() < 1e-9);
        if !choices.iter().any(same) {
            let tracking = Tracking { target_value: base * allowed.factor, ..like.policy(base) };
            let named = Named {
                name: format!("factor {:.2}, by replay", allowed.factor),
                factor: Some(allowed.factor),
                choice: Choice { scaling: Scaling::Tracking(tracking), ..like },
            };
            choices.insert(place_of(&choices, allowed.factor), named);
        }
    }
    let all: Vec<Choice> = choices.iter().map(|named| named.choice.clone()).collect();
    let answer = ask(&question, &all);
    let (bad_recorded, at_low_load) = recorded_bad(rows, asked, capacity.median);
    // The estimator leaves out minutes that a backlog or new instances broke: those a choice changes.
    let bad_at_low_load = capacity.foreign_minutes().unwrap_or(at_low_load);
    Ok(Report {
        capacity,
        capacity_from,
        base,
        reaction: asked.reaction,
        scale_outs: asked.scale_outs,
        minutes: (traffic.len(), traffic.gaps()),
        peak: traffic.peak(),
        explained: week::explained(&traffic),
        bad_at_low_load,
        bad_recorded,
        budget: asked.budget,
        present: asked.present.map(|_| 0),
        choices,
        answer,
        allowed,
        floors,
    })
}

/// What is believed of capacity, what a factor applies to, and where both come from.
fn capacity(rows: &[Row], asked: &Asked) -> Result<(CapacityBelief, f64, String), Unanswerable> {
    if let Some(stated) = asked.capacity {
        let belief = CapacityBelief::new(stated, 0.0);
        let belief = belief.ok_or_else(|| Unanswerable::NoCapacity("not a number".to_owned()))?;
        return Ok((belief, stated, "stated".to_owned()));
    }
    let settings = ReplaySettings {
        objective: asked.objective,
        max_rps: asked.max_rps,
        safety_factor: SafetyFactor::ONE,
        configured_target: asked.present.map(|p| p.tracking.target_value),
        made_at: None,
        from: None,
        every: TimeDelta::days(36_500),
        refinements: super::Refinements::ALL,
    };
    let mut last = None;
    replay(rows, &settings, |evaluation| last = Some(evaluation.estimate));
    let estimate = last.ok_or(Unanswerable::NoTraffic)?;
    let tested = asked.max_rps.map(RequestsPerSecond::per_minute);
    let known = CapacityBasis::of(&estimate, tested);
    let known = known.ok_or_else(|| Unanswerable::NoCapacity(estimate.sentence.clone()))?;
    let verdict = estimate.verdict.as_str();
    let words = match (known.is_measured, estimate.verdict, estimate.capacity.lower_bound) {
        (true, ..) => format!("{verdict}: {}", estimate.sentence),
        (false, Verdict::AtLeast, Some(_)) => {
            format!("load test, and {verdict}: {}", estimate.sentence)
        }
        _ => "load test; production has not shown it yet".to_owned(),
    };
    let base = known.base;
    Ok((known.belief(), base, words))
}

/// The cross product of what is to be tried, the present setting first.
fn choices(asked: &Asked, base: f64, peak: f64) -> Result<Vec<Named>, Unanswerable> {
    let mut found = Vec::new();
    if let Some(present) = asked.present {
        found.push(Named {
            name: PRESENT.to_owned(),
            factor: Some(present.tracking.target_value / base),
            choice: Choice::tracking(present.tracking, present.min, present.max),
        });
    }
    for &factor in &asked.factors {
        for_each_setting(asked, |setting| {
            let tracking = Tracking {
                scale_out_cooldown: setting[2],
                scale_in_cooldown: setting[3],
                ..Tracking::at(base * factor)
            };
            let mut name = format!("factor {factor}");
            for (values, (word, value)) in asked.settings().iter().zip(SETTINGS.iter().zip(setting))
            {
                // Only what differs between the choices is named.
                if values.len() > 1 {
                    let in_words =
                        if word.ends_with("cooldown") { time(value) } else { value.to_string() };
                    let _ = write!(name, ", {word} {in_words}");
                }
            }
            let choice = Choice::tracking(tracking, setting[0], setting[1]);
            found.push(Named { name, factor: Some(factor), choice });
        });
    }
    let mut fixed = asked.fixed.clone();
    if fixed.is_empty() {
        // As many as the busiest minute needs, and as many as it needs at the customary factor.
        let enough =
            |share: f64| (peak / (base * share)).ceil().clamp(1.0, f64::from(INSTANCES_MAX));
        fixed = vec![enough(1.0) as u32, enough(CUSTOMARY) as u32];
    }
    fixed.dedup();
    found.extend(fixed.into_iter().map(|n| Named {
        name: format!("fixed {n}"),
        factor: None,
        choice: Choice::fixed(n),
    }));
    if found.len() > CHOICES_MAX {
        Err(Unanswerable::TooMany { found: found.len() })
    } else {
        Ok(found)
    }
}

/// What a setting is made of.
const SETTINGS: [&str; 4] = ["min", "max", "scale-out cooldown", "scale-in cooldown"];

/// Seconds as people type them.
fn time(seconds: u32) -> String {
    match (seconds % 3600, seconds % 60) {
        (0, _) if seconds > 0 => format!("{}h", seconds / 3600),
        (_, 0) if seconds > 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

impl Asked {
    /// The values to try, in the order of [`SETTINGS`].
    fn settings(&self) -> [&[u32]; 4] {
        [&self.mins, &self.maxs, &self.scale_out_cooldowns, &self.scale_in_cooldowns]
    }
}

/// All combinations of the values to try.
fn for_each_setting(asked: &Asked, mut each: impl FnMut([u32; 4])) {
    let [mins, maxs, outs, intos] = asked.settings();
    for &min in mins {
        for &max in maxs {
            for &out in outs {
                for &into in intos {
                    each([min, max, out, into]);
                }
            }
        }
    }
}

/// The bounds and cooldowns of the present setting, else the first that are to be tried.
fn like(asked: &Asked, base: f64) -> Choice {
    let first = |values: &[u32], otherwise| values.first().copied().unwrap_or(otherwise);
    if let Some(present) = asked.present {
        return Choice::tracking(present.tracking, present.min, present.max);
    }
    let tracking = Tracking {
        scale_out_cooldown: first(&asked.scale_out_cooldowns, 300),
        scale_in_cooldown: first(&asked.scale_in_cooldowns, 300),
        ..Tracking::at(base * CUSTOMARY)
    };
    Choice::tracking(tracking, first(&asked.mins, 1), first(&asked.maxs, INSTANCES_MAX))
}

/// Where a factor belongs among the choices: before the first higher one, after the present setting.
fn place_of(choices: &[Named], factor: f64) -> usize {
    let higher = |named: &Named| named.name != PRESENT && named.factor.is_none_or(|f| f > factor);
    choices.iter().position(higher).unwrap_or(choices.len())
}

/// The choices that floors may go with: the factors within reach, with the first of all else.
fn candidates(asked: &Asked, base: f64) -> Vec<(f64, Choice)> {
    let first = |values: &[u32], otherwise| values.first().copied().unwrap_or(otherwise);
    let (min, max) = (first(&asked.mins, 1), first(&asked.maxs, INSTANCES_MAX));
    let usual = |factor: &f64| (CUSTOMARY..0.85).contains(factor);
    let factors = asked.factors.iter().copied().filter(usual);
    factors
        .map(|factor| {
            let tracking = Tracking {
                scale_out_cooldown: first(&asked.scale_out_cooldowns, 300),
                scale_in_cooldown: first(&asked.scale_in_cooldowns, 300),
                ..Tracking::at(base * factor)
            };
            (factor, Choice::tracking(tracking, min, max))
        })
        .collect()
}

fn propose(question: &Question<'_>, asked: &Asked, base: f64) -> Result<Proposal, Refusal> {
    let candidates: Vec<Choice> = candidates(asked, base).into_iter().map(|c| c.1).collect();
    let reference = match asked.present {
        Some(present) => Choice::tracking(present.tracking, present.min, present.max),
        None => Choice::tracking(Tracking::at(base * CUSTOMARY), 1, INSTANCES_MAX),
    };
    floors::propose(question, &reference, &candidates, base)
}

/// Minutes a week that broke the objective as recorded, and those of them at low load.
fn recorded_bad(rows: &[Row], asked: &Asked, capacity: f64) -> (Option<f64>, f64) {
    if asked.objective.latency.is_none() {
        return (None, 0.0);
    }
    let (mut minutes, mut bad, mut low) = (0_u32, 0_u32, 0_u32);
    for minute in rows.iter().map(|row| &row.minute).filter(|m| m.period_seconds == 60) {
        if minute.latency_us.is_none() || minute.invocations.is_none() {
            continue;
        }
        minutes += 1;
        if asked.objective.broken_by(minute) == Some(true) {
            bad += 1;
            low += u32::from(minute.load().is_some_and(|load| load < LOW_LOAD * capacity));
        }
    }
    let weeks = f64::from(minutes) / crate::whatif::traffic::WEEK as f64;
    if minutes == 0 { (None, 0.0) } else { (Some(f64::from(bad) / weeks), f64::from(low) / weeks) }
}

impl Named {
    /// The target value and the bounds, as people read them.
    pub fn setting(&self) -> (Option<f64>, String) {
        let bounds = match (self.choice.scaling, self.choice.max) {
            (Scaling::Fixed(n), _) => n.to_string(),
            (_, INSTANCES_MAX) => format!("{}-any", self.choice.min),
            (_, max) => format!("{}-{max}", self.choice.min),
        };
        match self.choice.scaling {
            Scaling::Tracking(tracking) => (Some(tracking.target_value), bounds),
            Scaling::Fixed(_) => (None, bounds),
        }
    }
}
