//! Whether what a file keeps agrees with what is measured and configured.

use std::fmt::Write as _;

use serde::Serialize;

use super::advice::Recommendation;
use super::floors;
use super::kept::{
    DISABLE_SCALE_IN, Kept, MAX_CAPACITY, METRIC, MIN_CAPACITY, SCALE_IN_COOLDOWN,
    SCALE_OUT_COOLDOWN, Shown, TARGET_VALUE, Worth,
};
use crate::decide::step::DEAD_BAND;
use crate::model::ids::VariantId;
use crate::model::scaling::INVOCATIONS_PER_INSTANCE;
use crate::model::units::human;
use crate::render::printable;

/// A file, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// Each place of the file that is about a variant that was asked for.
    pub places: Vec<Compared>,
    /// Variants that were asked for by name and that the file says nothing of.
    pub absent: Vec<VariantId>,
}

/// One place of a file, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Where in the file.
    pub place: String,
    /// Which variant; null when that is not known.
    pub id: Option<VariantId>,
    /// Why it is not known, or cannot be compared at all.
    pub problem: Option<String>,
    pub fields: Vec<Row>,
}

/// One field, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub field: &'static str,
    /// What the file keeps; null when the file alone does not say.
    pub kept: Option<Worth>,
    /// What it should be; null when nothing says so.
    pub wanted: Option<Worth>,
    /// The outcome.
    pub state: State,
    /// Why, as a sentence; empty where they are equal.
    pub sentence: String,
}

/// The outcome of comparing a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Agrees,
    Differs,
    /// It differs, and is above what one instance was measured to serve.
    Unsafe,
    NotCompared,
}

impl Checked {
    fn states(&self) -> impl Iterator<Item = State> {
        self.places.iter().flat_map(|place| place.fields.iter().map(|row| row.state))
    }

    /// Whether everything that was asked for could be compared.
    pub fn compared(&self) -> bool {
        self.absent.is_empty()
            && self.places.iter().all(|place| place.problem.is_none())
            && self.states().all(|state| state != State::NotCompared)
    }

    pub fn differs(&self) -> bool {
        self.states().any(|state| matches!(state, State::Differs | State::Unsafe))
    }
}

/// Compares what a file keeps with what is recommended. `all` are the variants that are known;
/// those that were not asked for are left out with `asked`, and `by_name` says whether the file has
/// to keep each of the others.
pub fn check(
    kept: &[Kept],
    all: &[Recommendation],
    asked: impl Fn(&VariantId) -> bool,
    by_name: bool,
) -> Checked {
    let mut places = Vec::new();
    let mut absent: Vec<VariantId> = Vec::new();
    for one in kept {
        let place = one.place.clone();
        let not = |id, problem| Compared {
            place: place.clone(),
            id,
            problem: Some(problem),
            fields: Vec::new(),
        };
        let resource = match &one.resource_id {
            Shown::Known(resource) => resource,
            Shown::Open(why) => {
                places.push(not(None, format!("which variant it is about is not known: {why}")));
                continue;
            }
        };
        let is_it = |it: &&Recommendation| {
            it.resource_id == *resource
                && one.region.as_ref().is_none_or(|region| region == it.id.region.as_str())
        };
        let found: Vec<&Recommendation> = all.iter().filter(is_it).collect();
        match found[..] {
            [] if by_name => {}
            [] => places.push(not(None, format!("{resource} is not a variant that setpoint sees"))),
            [it] if asked(&it.id) => places.push(compare(one, it)),
            [_] => {}
            ref several => {
                let wanted: Vec<_> = several.iter().filter(|it| asked(&it.id)).collect();
                match wanted[..] {
                    [] => {}
                    [it] => places.push(compare(one, it)),
                    _ => places.push(not(None, format!(
                        "{} accounts or regions have {resource}: name one (ACCOUNT/REGION/ENDPOINT/VARIANT)",
                        wanted.len()
                    ))),
                }
            }
        }
    }
    if by_name {
        let wanted = all.iter().map(|it| &it.id).filter(|id| asked(id));
        let is_said = |id: &VariantId| {
            places
                .iter()
                .any(|place: &Compared| place.id.as_ref() == Some(id) || place.id.is_none())
        };
        absent = wanted.filter(|id| !is_said(id)).cloned().collect();
    }
    Checked { places, absent }
}

fn compare(kept: &Kept, it: &Recommendation) -> Compared {
    let mut fields: Vec<Row> =
        kept.fields.iter().map(|(field, shown)| row(field, shown, it)).collect();
    if !kept.floors.is_empty() {
        fields.push(floors::row(&kept.floors, it));
    }
    Compared { place: kept.place.clone(), id: Some(it.id.clone()), problem: None, fields }
}

fn row(field: &'static str, shown: &Shown<Worth>, it: &Recommendation) -> Row {
    let count = |n: Option<i32>| n.map(|n| Worth::Number(f64::from(n)));
    let wanted = match field {
        TARGET_VALUE => it.target_value.map(Worth::Number),
        MIN_CAPACITY => count(it.min_capacity),
        MAX_CAPACITY => count(it.max_capacity),
        SCALE_OUT_COOLDOWN => count(Some(it.scale_out_cooldown_seconds)),
        SCALE_IN_COOLDOWN => count(Some(it.scale_in_cooldown_seconds)),
        DISABLE_SCALE_IN => Some(Worth::Flag(it.disable_scale_in)),
        METRIC => Some(Worth::Word(INVOCATIONS_PER_INSTANCE.to_owned())),
        _ => None,
    };
    let kept = match shown {
        Shown::Known(kept) => kept.clone(),
        Shown::Open(why) => {
            let (state, sentence) = (State::NotCompared, why.clone());
            return Row { field, kept: None, wanted, state, sentence };
        }
    };
    let (state, sentence) = match (&wanted, &kept) {
        _ if field == TARGET_VALUE => target_value(&kept, it),
        (None, _) => {
            let why = "neither the configuration nor AWS says what it should be";
            (State::NotCompared, why.to_owned())
        }
        (Some(wanted), kept) if wanted == kept => (State::Agrees, String::new()),
        _ => (State::Differs, String::new()),
    };
    Row { field, kept: Some(kept), wanted, state, sentence }
}

/// A target value agrees within the band in which setpoint would leave anybody's alone, too.
fn target_value(kept: &Worth, it: &Recommendation) -> (State, String) {
    let Worth::Number(kept) = *kept else {
        return (State::NotCompared, "it is not a number".to_owned());
    };
    if let Some(high) = it.capacity_high.filter(|high| kept > *high) {
        let high = human(high.floor());
        return (State::Unsafe, format!("unsafe: one instance serves at most {high}"));
    }
    let Some(wanted) = it.target_value else {
        return (State::NotCompared, it.lacking().unwrap_or_default());
    };
    // As many sixtieths as a rate and a minute differ by.
    if (kept * 60.0 / wanted - 1.0).abs() < DEAD_BAND {
        return (
            State::Differs,
            "it looks like requests a second: a target value counts a minute".to_owned(),
        );
    }
    let share = kept / wanted - 1.0;
    if share.abs() < DEAD_BAND {
        return (State::Agrees, String::new());
    }
    let percent = (share.abs() * 100.0).round();
    if share > 0.0 {
        (State::Differs, format!("{percent} % above what is recommended: {}", it.because))
    } else {
        (
            State::Differs,
            format!("{percent} % below what is recommended: more instances run than needed"),
        )
    }
}

/// The comparison for people.
pub fn text(checked: &Checked) -> String {
    let mut out = String::new();
    for place in &checked.places {
        let id = place.id.as_ref().map(|id| format!("{id}  ")).unwrap_or_default();
        let sign = match &place.problem {
            Some(_) => '?',
            None => sign(place),
        };
        let _ = writeln!(out, "{sign} {id}{}", printable(&place.place));
        if let Some(problem) = &place.problem {
            let _ = writeln!(out, "    {}", printable(problem));
        }
        for row in place.fields.iter().filter(|row| row.state != State::Agrees) {
            let (kept, wanted) = (worth(row.kept.as_ref()), worth(row.wanted.as_ref()));
            let why = if row.sentence.is_empty() { "" } else { ": " };
            let sentence = printable(&row.sentence);
            let _ = writeln!(out, "    {:<18} {kept} -> {wanted}{why}{sentence}", row.field);
        }
    }
    for id in &checked.absent {
        let _ = writeln!(out, "? {id}\n    the file says nothing of it");
    }
    let all = checked.places.len() + checked.absent.len();
    let agree = checked.places.iter().filter(|p| p.problem.is_none() && sign(p) == '=').count();
    let _ = writeln!(out, "{agree} of {all} agree with what is measured and configured");
    out
}

/// As `plan` has them.
fn sign(place: &Compared) -> char {
    let any = |state: State| place.fields.iter().any(|row| row.state == state);
    if any(State::Unsafe) {
        '!'
    } else if any(State::Differs) {
        '~'
    } else if any(State::NotCompared) {
        '?'
    } else {
        '='
    }
}

fn worth(worth: Option<&Worth>) -> String {
    match worth {
        None => "?".to_owned(),
        Some(Worth::Number(number)) => human(*number),
        Some(Worth::Flag(flag)) => flag.to_string(),
        Some(Worth::Word(word)) => printable(word).into_owned(),
    }
}
