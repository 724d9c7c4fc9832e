//! Scheduled floors: min capacities ahead of the ramps that every week has, where the newest week,
//! held out, shows that they would have paid.

use serde::Serialize;

use crate::model::reaction::ReactionTime;

use super::answer::{Figures, Question, ask, ask_in};
use super::choice::{Choice, Floors, SLOT, SLOTS, Scaling};
use super::traffic::WEEK;
use super::week::{explained, levels};

/// The least share of the newest week that the one before must explain.
pub const EXPLAINED_MIN: f64 = 0.7;
/// On the held-out week, at most this share of the bad minutes may be left ...
const BAD_SHARE_MAX: f64 = 0.6;
/// ... at no more than this share of the instance-hours.
const HOURS_SHARE_MAX: f64 = 1.0;
/// Fewer bad minutes a week than this are nothing to prevent.
const BAD_MIN: f64 = 1.0;
/// Most scheduled actions of a variant: AWS allows 200, and nobody reads so many.
pub const ACTIONS_MAX: usize = 24;
/// Steps of min, as shares of it, from the finest to the coarsest: the first with few enough actions.
const COARSER: [f64; 6] = [0.0, 0.1, 0.2, 0.3, 0.5, 0.8];
/// Draws with which all are tried, and how many of the best are then run with all draws.
const DRAWS_TO_TRY: u32 = 8;
const FINALISTS: usize = 6;
/// How full the instances of a floor are meant to be, as a share of what the factor applies to.
const FILLS: [f64; 4] = [0.5, 0.6, 0.7, 0.8];

/// How an hour's level follows from those of the weeks before.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Level {
    Mean,
    Highest,
    /// The 75 % point over the working days, or over the weekend, of all weeks.
    DayKind,
}

const LEVELS: [Level; 3] = [Level::Mean, Level::Highest, Level::DayKind];

/// Floors that would have paid.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Which of the candidates they go with.
    pub candidate: usize,
    /// The floors, by all weeks.
    pub floors: Floors,
    /// The share of the newest week that the one before explains.
    pub explained: f64,
    /// The held-out week without them, under the choice of reference, in bad minutes and
    /// instance-hours.
    pub without: (f64, f64),
    /// The same week with floors made from the weeks before it.
    pub with: (f64, f64),
}

/// Why there are none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Refusal {
    /// Less than two weeks, or too many gaps in them.
    TooShort,
    /// The newest week does not repeat the one before.
    DoesNotRepeat {
        /// The share of it that is explained.
        explained: f64,
    },
    /// There are hardly any bad minutes to prevent.
    NothingToPrevent {
        /// Bad minutes of the held-out week.
        bad_minutes: f64,
    },
    /// On the held-out week no floors had few enough bad minutes at no more instance-hours.
    DoesNotPay,
}

impl Refusal {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::DoesNotRepeat { .. } => "does_not_repeat",
            Self::NothingToPrevent { .. } => "nothing_to_prevent",
            Self::DoesNotPay => "does_not_pay",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooShort => f.write_str("floors need two weeks of minutes"),
            Self::DoesNotRepeat { explained } => write!(
                f,
                "the week does not repeat: the week before explains {:.0} % of the newest one \
                 (floors need {:.0} %)",
                explained.max(0.0) * 100.0,
                EXPLAINED_MIN * 100.0
            ),
            Self::NothingToPrevent { bad_minutes } => write!(
                f,
                "there is nothing to prevent: the newest week has {bad_minutes:.1} bad minutes \
                 without floors"
            ),
            Self::DoesNotPay => f.write_str(
                "floors do not pay: on the newest week, held out, none left at most 60 % of the \
                 bad minutes at no more instance-hours",
            ),
        }
    }
}

/// Minutes by which a floor must come early: the start-up time at its slow end, and one minute in
/// which the scheduled action runs.
pub fn lead_minutes(reaction: &ReactionTime) -> usize {
    (reaction.start_up.minutes.p95.ceil().max(1.0) as usize + 1).min(SLOT)
}

/// Looks for floors: fitted on all but the newest week, judged on that week against `reference`
/// without floors, and, where that pays, fitted again on all weeks. `base` is what a safety factor
/// applies to, in invocations per minute per instance.
///
/// # Errors
/// The reason why there are none.
pub fn propose(
    question: &Question<'_>,
    reference: &Choice,
    candidates: &[Choice],
    base: f64,
) -> Result<Proposal, Refusal> {
    let traffic = question.traffic;
    let n = traffic.len();
    let known = explained(traffic).ok_or(Refusal::TooShort)?;
    if known < EXPLAINED_MIN {
        return Err(Refusal::DoesNotRepeat { explained: known });
    }
    let (before, newest) = (traffic.part(0, n - WEEK), traffic.part(n - WEEK, n));
    let lead = lead_minutes(&question.reaction);
    let held_out = Question { traffic: &newest, ..question.clone() };
    // Most variants have nothing to prevent, and a run without floors is enough to see it.
    let mut figures = ask(&held_out, std::slice::from_ref(reference)).figures;
    let without = sums(&figures[0]);
    if without.0 < BAD_MIN {
        return Err(Refusal::NothingToPrevent { bad_minutes: without.0 });
    }
    let mut tries: Vec<(usize, Level, f64)> = Vec::new();
    let mut choices = vec![reference.clone()];
    let weeks = levels(&before);
    for (index, candidate) in candidates.iter().enumerate() {
        if matches!(candidate.scaling, Scaling::Fixed(_)) {
            continue;
        }
        for level in LEVELS {
            for fill in FILLS {
                tries.push((index, level, fill));
                let floors = floors(&weeks, level, base * fill, lead);
                choices.push(candidate.clone().with_floors(floors));
            }
        }
    }
    let roughly = ask_in(&held_out, &choices, DRAWS_TO_TRY).figures;
    let mut order: Vec<usize> = (1..choices.len()).collect();
    order.sort_by(|a, b| rank(&roughly, *a).total_cmp(&rank(&roughly, *b)));
    order.truncate(FINALISTS);
    let finalists: Vec<Choice> = order.iter().map(|i| choices[*i].clone()).collect();
    figures.extend(ask(&held_out, &finalists).figures);
    let best = (1..figures.len()).filter(|i| pays(sums(&figures[*i]), without));
    let best = best.min_by(|a, b| rank(&figures, *a).total_cmp(&rank(&figures, *b)));
    let best = best.ok_or(Refusal::DoesNotPay)?;
    let (candidate, level, fill) = tries[order[best - 1] - 1];
    let with = sums(&figures[best]);
    let floors = floors(&levels(traffic), level, base * fill, lead);
    Ok(Proposal { candidate, floors, explained: known, without, with })
}

/// Whether a choice is so much better than the one without floors.
fn pays((bad, hours): (f64, f64), without: (f64, f64)) -> bool {
    bad <= BAD_SHARE_MAX * without.0 && hours <= HOURS_SHARE_MAX * without.1
}

/// The order in which a choice is preferred, those that pay first; the first of all is the one without floors.
fn rank(figures: &[Figures], index: usize) -> f64 {
    let (without, with) = (sums(&figures[0]), sums(&figures[index]));
    let missed = (with.0 / (BAD_SHARE_MAX * without.0.max(BAD_MIN))).max(with.1 / without.1);
    if pays(with, without) { with.0 + with.1 / without.1 } else { 1e9 * missed }
}

fn sums(figures: &Figures) -> (f64, f64) {
    (figures.bad_minutes.mean, figures.instance_hours.mean)
}

/// Floors that serve the level of each hour with instances as full as that, in as coarse steps as a
/// schedule that people read calls for.
fn floors(weeks: &[Vec<f64>], level: Level, per_instance: f64, lead: usize) -> Floors {
    let hours = hours(weeks, level, per_instance);
    let coarse = |share: f64| {
        let step = |hour: &u32| {
            let step = (f64::from(*hour) * share).floor().max(1.0) as u32;
            hour.div_ceil(step) * step
        };
        Floors::new(hours.iter().map(step).collect(), lead)
    };
    let few = |floors: &Floors| actions(floors, 0, u32::MAX).len() <= ACTIONS_MAX;
    COARSER.into_iter().map(coarse).find(few).unwrap_or_else(|| coarse(1.0))
}

fn hours(weeks: &[Vec<f64>], level: Level, per_instance: f64) -> Vec<u32> {
    let hours = (0..SLOTS).map(|slot| {
        let wanted = match level {
            Level::Mean => {
                let own = &weeks[slot];
                if own.is_empty() { 0.0 } else { own.iter().sum::<f64>() / own.len() as f64 }
            }
            Level::Highest => weeks[slot].iter().copied().fold(0.0, f64::max),
            Level::DayKind => day_kind(weeks, slot),
        };
        (wanted / per_instance - 1e-9).ceil().clamp(0.0, f64::from(super::choice::INSTANCES_MAX))
            as u32
    });
    hours.collect()
}

fn day_kind(weeks: &[Vec<f64>], slot: usize) -> f64 {
    let (day, hour) = (slot / 24, slot % 24);
    let days = if day < 5 { 0..5 } else { 5..7 };
    let mut all: Vec<f64> = days.flat_map(|d| weeks[d * 24 + hour].iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    let at = (all.len().saturating_sub(1)) as f64 * 0.75;
    all.get(at.round() as usize).copied().unwrap_or(0.0)
}

/// One scheduled action: on these days, at that time, min becomes so many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// The days, as AWS writes them: `MON` to `SUN`.
    pub days: Vec<&'static str>,
    /// The hour and minute, UTC.
    pub at: (usize, usize),
    /// The min capacity from then on.
    pub min: u32,
}

impl Action {
    /// The schedule of `PutScheduledAction`.
    pub fn schedule(&self) -> String {
        format!("cron({} {} ? * {} *)", self.at.1, self.at.0, self.days.join(","))
    }

    /// The name that it gets: `floor-10-at-0752-mon-tue`.
    pub fn name(&self) -> String {
        let days = self.days.join("-").to_ascii_lowercase();
        format!("floor-{}-at-{:02}{:02}-{days}", self.min, self.at.0, self.at.1)
    }
}

const DAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// The scheduled actions that keep the floors: one wherever they change, those of the same time and
/// min on several days together. `min` is the configured one, below which none goes.
pub fn actions(floors: &Floors, min: u32, max: u32) -> Vec<Action> {
    let at = |minute: usize| floors.at(minute).max(min).min(max);
    let mut found: Vec<Action> = Vec::new();
    for minute in 0..WEEK {
        let to = at(minute);
        if to == at((minute + WEEK - 1) % WEEK) {
            continue;
        }
        let (day, time) = (DAYS[minute / 1440], (minute % 1440 / 60, minute % 60));
        match found.iter_mut().find(|a| a.at == time && a.min == to) {
            Some(action) => action.days.push(day),
            None => found.push(Action { days: vec![day], at: time, min: to }),
        }
    }
    found.sort_by_key(|action| action.at);
    found
}

#[cfg(test)]
mod tests {
    use super::super::choice::Tracking;
    use super::super::draws::CapacityBelief;
    use super::super::traffic::Traffic;
    use super::*;

    /// Two weeks with a steep ramp at 08:00 of every working day, or at another hour each week.
    fn traffic(repeats: bool) -> Traffic {
        let rate = |i: usize| {
            let shift = if repeats { 0 } else { i / WEEK * 9 };
            let (day, hour) = (i % WEEK / 1440, i % 1440 / 60);
            let busy = day < 5 && (8 + shift..14 + shift).contains(&hour);
            if busy { 8000.0 } else { 1500.0 }
        };
        Traffic::new(4 * 1440, (0..2 * WEEK).map(rate).collect())
    }

    fn proposed(traffic: &Traffic) -> Result<Proposal, Refusal> {
        let question = Question {
            traffic,
            capacity: CapacityBelief::new(1000.0, 0.03).unwrap(),
            reaction: ReactionTime::prior(None),
            budget: 10.0,
            seed: 1,
        };
        let of = |factor: f64| Choice::tracking(Tracking::at(1000.0 * factor), 1, 100);
        propose(&question, &of(0.5), &[of(0.5), of(0.6), of(0.7)], 1000.0)
    }

    #[test]
    fn where_the_week_repeats_floors_come_ahead_of_the_ramp() {
        let proposal = proposed(&traffic(true)).unwrap();
        assert!(proposal.explained > 0.99);
        assert!(proposal.with.0 <= 0.6 * proposal.without.0, "{proposal:?}");
        assert!(proposal.with.1 <= proposal.without.1, "{proposal:?}");
        let actions = actions(&proposal.floors, 1, 100);
        // Up eight minutes before eight, down at the end of the busy hours.
        let up = actions.iter().find(|a| a.at == (7, 52)).unwrap();
        assert_eq!(up.schedule(), "cron(52 7 ? * MON,TUE,WED,THU,FRI *)");
        assert!(up.min >= 10, "{up:?}");
        assert!(actions.iter().any(|a| a.at == (14, 0) && a.min < up.min), "{actions:?}");
    }

    #[test]
    fn where_it_does_not_there_are_none() {
        let refusal = proposed(&traffic(false)).unwrap_err();
        assert!(matches!(refusal, Refusal::DoesNotRepeat { .. }), "{refusal:?}");
        let flat = Traffic::new(0, vec![3000.0; 2 * WEEK]);
        let refusal = proposed(&flat).unwrap_err();
        assert!(matches!(refusal, Refusal::NothingToPrevent { .. }), "{refusal:?}");
        assert_eq!(proposed(&Traffic::new(0, vec![1.0; WEEK])), Err(Refusal::TooShort));
    }
}
