//! Scheduled floors: min capacities ahead of the ramps that every week has, and what is done about
//! them.

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What is done about floors.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FloorsMode {
    /// None are looked for.
    Off,
    /// Those that would pay are shown.
    Propose,
    /// Those that would pay with the target value in force are kept in AWS as scheduled actions.
    Keep,
}

impl FloorsMode {
    /// The word used in configuration and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Propose => "propose",
            Self::Keep => "keep",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorsGoal {
    /// What is done about them.
    pub mode: FloorsMode,
    /// The time zone of the week and of the schedules.
    #[serde(serialize_with = "name", deserialize_with = "named")]
    pub time_zone: Tz,
}

impl FloorsGoal {
    pub const OFF: Self = Self { mode: FloorsMode::Off, time_zone: Tz::UTC };
}

fn named<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Tz, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn name<S: serde::Serializer>(zone: &Tz, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(zone.name())
}

/// One scheduled action: from then on, min is so many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorAction {
    /// Its name. It follows from what the action does, so that another action has another name.
    pub name: String,
    /// The schedule as `PutScheduledAction` takes it, in the time zone of the floors.
    pub schedule: String,
    pub min: i32,
}

/// Floors that would pay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProposedFloors {
    /// When this was worked out: once a day.
    pub at: Timestamp,
    /// The time zone of the schedules, an IANA name.
    #[serde(serialize_with = "name")]
    pub time_zone: Tz,
    /// The scheduled actions, in the order of the week's hours.
    pub actions: Vec<FloorAction>,
    /// The most that any of them sets min to.
    pub highest: i32,
    /// The target value that they go with, in invocations per minute per instance.
    pub target_value: f64,
    /// Whether that is the value in force.
    pub target_in_force: bool,
    /// The same as a share of capacity.
    pub factor: f64,
    /// How many minutes ahead of an hour its floor is in force: the start-up time at its slow end.
    pub lead_minutes: usize,
    /// Of the newest week, the share that the week before explains.
    pub explained: f64,
    /// The newest week, held out, without floors at the factor 0.5.
    pub without: WeekFigures,
    /// The same week with floors made from the weeks before it.
    pub with: WeekFigures,
}

/// What a week of replay comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WeekFigures {
    /// Minutes that break the objective.
    pub bad_minutes: f64,
    /// Instance-hours.
    pub instance_hours: f64,
}

/// What there is to say of floors.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Floors {
    /// None are looked for.
    #[default]
    Off,
    /// It is not known yet whether any would pay.
    NotKnown { why: String },
    /// None would pay.
    None {
        /// When this was worked out.
        at: Timestamp,
        /// Why, in a word.
        reason: &'static str,
        why: String,
    },
    /// These would.
    Proposed(Box<ProposedFloors>),
}

impl Floors {
    /// The floors that would pay.
    pub fn proposed(&self) -> Option<&ProposedFloors> {
        match self {
            Self::Proposed(floors) => Some(floors),
            _ => None,
        }
    }

    /// Why the floors that are kept should not be, and when that was found: none would pay, or only
    /// with another target value than the one in force.
    pub fn against(&self) -> Option<(Timestamp, String)> {
        match self {
            Self::None { at, why, .. } => Some((*at, why.clone())),
            Self::Proposed(floors) if !floors.target_in_force => Some((
                floors.at,
                format!(
                    "floors would pay only with a target value of {}, which is not in force",
                    super::units::human(floors.target_value)
                ),
            )),
            Self::Off | Self::NotKnown { .. } | Self::Proposed(_) => None,
        }
    }

    /// Everything in one sentence; absent while none are looked for.
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Off => None,
            Self::NotKnown { why } | Self::None { why, .. } => Some(why.clone()),
            Self::Proposed(floors) => Some(floors.sentence()),
        }
    }
}

impl ProposedFloors {
    /// What they would do, and what they go with.
    pub fn sentence(&self) -> String {
        let with = if self.target_in_force {
            "the target value in force".to_owned()
        } else {
            format!("a target value of {}", super::units::human(self.target_value))
        };
        format!(
            "{} scheduled actions raising min to at most {} ahead of the week's ramps would pay with \
             {with} ({:.2} of capacity): on the newest week, held out, {:.1} bad minutes and {:.0} \
             instance-hours, where 0.5 of capacity without them has {:.1} and {:.0}",
            self.actions.len(),
            self.highest,
            self.factor,
            self.with.bad_minutes,
            self.with.instance_hours,
            self.without.bad_minutes,
            self.without.instance_hours,
        )
    }
}
