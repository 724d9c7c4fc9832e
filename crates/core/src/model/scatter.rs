//! A picture of minutes by load and latency: small enough to keep for thousands of variants, and good
//! enough to see what a number rests on.

use serde::{Deserialize, Serialize};

use crate::compact::{Packed, Shelf};

/// Most cells of a stretch; with more of them neighbours are counted together.
const CELLS_MAX: usize = 256;
/// A stretch of the picture, in minutes: a week.
const STRETCH: i64 = 7 * 1440;
/// What is older is no longer shown, in minutes: as long as evidence is kept.
const KEPT: i64 = 14 * 1440;
/// The finest step of a cell in natural logarithms: 3 %.
const STEP: f64 = 0.03;

/// A [`Scatter`] that goes with an estimate without being part of the answer: two estimates are equal
/// whatever they are drawn with. A process that has restarted draws hours around a change that nobody
/// declared with the other regime.
///
/// It is kept as a few hundred bytes, and taken apart where somebody looks at it.
#[derive(Debug, Clone, Default)]
pub struct Picture(Packed<Scatter>);

impl Picture {
    /// What is drawn.
    pub fn scatter(&self) -> Scatter {
        self.0.get()
    }

    /// What is drawn; nothing where it cannot be had back from a shelf.
    pub(crate) fn try_scatter(&self) -> Option<Scatter> {
        self.0.try_get()
    }

    /// Whether it is drawn alike.
    pub fn is_like(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Puts it away: nobody looks at it for now.
    pub(crate) fn rest(&mut self, on: &dyn Shelf) {
        self.0.rest(on);
    }
}

impl From<&Scatter> for Picture {
    fn from(scatter: &Scatter) -> Self {
        Self(if scatter.stretches.is_empty() { Packed::default() } else { scatter.into() })
    }
}

impl PartialEq for Picture {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// Minutes counted in cells, by regime.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scatter {
    stretches: Vec<Stretch>,
    /// The regime that is shown as the present one.
    present: u8,
}

/// The minutes of one week and regime.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    regime: u8,
    week: i64,
    /// How often steps were doubled.
    coarse: u8,
    /// In order of their places.
    #[serde(with = "cells")]
    cells: Vec<(Place, u16)>,
}

/// In the packed form, cells are stored in order by the distance to the one before, a byte each.
mod cells {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Place;

    type Cells = Vec<(Place, u16)>;
    /// By how much the load is higher, twice the difference in latency and whether it is bad, and
    /// the minutes.
    type Step = (u16, i32, u16);

    pub(super) fn serialize<S: Serializer>(cells: &Cells, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            return cells.serialize(to);
        }
        let mut before = Place { load: i16::MIN, latency: 0, bad: false };
        let step = |(place, minutes): &(Place, u16)| -> Step {
            let load = i32::from(place.load) - i32::from(before.load);
            let latency = i32::from(place.latency) - i32::from(before.latency);
            before = *place;
            (load as u16, 2 * latency + i32::from(place.bad), *minutes)
        };
        cells.iter().map(step).collect::<Vec<Step>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Cells, D::Error> {
        if from.is_human_readable() {
            return Cells::deserialize(from);
        }
        let mut before = Place { load: i16::MIN, latency: 0, bad: false };
        let place = |(load, latency, minutes): Step| {
            let load = i16::try_from(i32::from(before.load) + i32::from(load)).ok()?;
            let own = i16::try_from(i32::from(before.latency) + (latency >> 1)).ok()?;
            before = Place { load, latency: own, bad: latency & 1 == 1 };
            Some((before, minutes))
        };
        let steps = Vec::<Step>::deserialize(from)?;
        let cells: Option<Cells> = steps.into_iter().map(place).collect();
        cells.ok_or_else(|| D::Error::custom("a cell outside of the picture"))
    }
}

/// Where a cell is: steps of load and latency, and whether its minutes broke the objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    load: i16,
    latency: i16,
    bad: bool,
}

/// Minutes of about the same load and latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// From which load to which, in invocations per minute per instance.
    pub load: (f64, f64),
    /// From which latency to which, in milliseconds.
    pub latency_ms: (f64, f64),
    /// Whether they broke the objective.
    pub bad: bool,
    /// Whether they are of the present regime.
    pub present: bool,
    pub minutes: u32,
}

impl Scatter {
    /// Counts a minute (since the epoch) of a regime. One without load or latency is no dot.
    pub fn add(&mut self, minute: i64, regime: u8, load: f64, latency_ms: f64, bad: bool) {
        let fine = |value: f64| value.is_finite() && value > 0.0;
        if !fine(load) || !fine(latency_ms) {
            return;
        }
        if self.stretches.is_empty() {
            self.present = regime;
        }
        let week = minute.div_euclid(STRETCH);
        let stretch = self.stretches.iter().rposition(|s| (s.regime, s.week) == (regime, week));
        let index = stretch.unwrap_or_else(|| {
            self.stretches.push(Stretch { regime, week, ..Stretch::default() });
            self.stretches.len() - 1
        });
        let place = Place { load: step_of(load), latency: step_of(latency_ms), bad };
        self.stretches[index].add(place);
    }

    /// Keeps the present regime and the one before it, and of them what is not too old.
    pub fn settle(&mut self, now: i64, present: u8, before: Option<u8>) {
        self.present = present;
        let oldest = (now - KEPT).div_euclid(STRETCH);
        self.stretches.retain(|stretch| {
            stretch.week >= oldest && (stretch.regime == present || Some(stretch.regime) == before)
        });
    }

    /// All of `gone` is of `kept`: they were one regime.
    pub fn rename(&mut self, gone: u8, kept: u8) {
        for stretch in self.stretches.iter_mut().filter(|stretch| stretch.regime == gone) {
            stretch.regime = kept;
        }
    }

    /// The cells, those of the regime before first.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for present in [false, true] {
            let of = |s: &&Stretch| (s.regime == self.present) == present;
            for stretch in self.stretches.iter().filter(of) {
                cells.extend(stretch.cells.iter().map(|(place, minutes)| Cell {
                    load: bounds(place.load, stretch.coarse),
                    latency_ms: bounds(place.latency, stretch.coarse),
                    bad: place.bad,
                    present,
                    minutes: u32::from(*minutes),
                }));
            }
        }
        cells
    }

    pub fn bytes(&self) -> usize {
        let cells: usize = self.stretches.iter().map(|stretch| stretch.cells.capacity()).sum();
        self.stretches.capacity() * size_of::<Stretch>() + cells * size_of::<(Place, u16)>()
    }
}

impl Stretch {
    fn add(&mut self, place: Place) {
        let place = place.coarser(self.coarse);
        match self.cells.binary_search_by_key(&place.key(), |cell| cell.0.key()) {
            Ok(i) => self.cells[i].1 = self.cells[i].1.saturating_add(1),
            Err(i) => {
                // Thousands of variants are kept: doubling would waste half of it.
                self.cells
                    .reserve_exact(usize::from(self.cells.len() == self.cells.capacity()) * 16);
                self.cells.insert(i, (place, 1));
            }
        }
        while self.cells.len() > CELLS_MAX && self.coarse < 8 {
            self.double();
        }
    }

    /// Counts neighbours together.
    fn double(&mut self) {
        self.coarse += 1;
        let mut cells: Vec<(Place, u16)> = Vec::with_capacity(CELLS_MAX / 2);
        for (place, minutes) in self.cells.drain(..) {
            let place = place.coarser(1);
            match cells.binary_search_by_key(&place, |cell| cell.0) {
                Ok(i) => cells[i].1 = cells[i].1.saturating_add(minutes),
                Err(i) => cells.insert(i, (place, minutes)),
            }
        }
        self.cells = cells;
    }
}

impl Place {
    /// A number of the same order, which is compared at once.
    const fn key(self) -> i64 {
        ((self.load as i64) << 17) + ((self.latency as i64) << 1) + self.bad as i64
    }

    const fn coarser(self, times: u8) -> Self {
        Self { load: self.load >> times, latency: self.latency >> times, bad: self.bad }
    }
}

fn step_of(value: f64) -> i16 {
    let steps = (value.ln() / STEP).clamp(-1000.0, 1000.0);
    // `f64::floor` is a call where not every processor that the program is for has an instruction for it, and this
    // is done twice for each minute.
    let whole = steps as i16;
    whole - i16::from(f64::from(whole) > steps)
}

fn bounds(step: i16, coarse: u8) -> (f64, f64) {
    let width = f64::from(1_u16 << coarse);
    let of = |step: f64| (step * width * STEP).exp();
    (of(f64::from(step)), of(f64::from(step) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_lies_in_its_cell() {
        let mut scatter = Scatter::default();
        for (minute, load, latency, bad) in
            [(0, 600.0, 120.0, false), (1, 0.3, 2000.0, true), (2, 1.0, 1.0, false)]
        {
            scatter.settle(minute, 1, None);
            scatter.stretches.clear();
            scatter.add(minute, 1, load, latency, bad);
            let cells = scatter.cells();
            assert_eq!(cells.len(), 1);
            let cell = cells[0];
            assert!(cell.load.0 <= load && load <= cell.load.1 * 1.000_001, "{cell:?}");
            assert!(cell.latency_ms.0 <= latency && latency <= cell.latency_ms.1 * 1.000_001);
            assert_eq!((cell.bad, cell.present, cell.minutes), (bad, true, 1));
        }
    }

    #[test]
    fn two_weeks_of_anything_are_a_few_kib_and_no_minute_is_lost() {
        let mut scatter = Scatter::default();
        let minutes = 14 * 1440;
        let mut state = 1_u64;
        for minute in 0..minutes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let [a, b] = [state >> 40, state >> 20].map(|bits| (bits % 4096) as f64);
            scatter.add(minute, 1, 1.0 + a, 10.0 + b, b > 2000.0);
        }
        scatter.settle(minutes, 1, None);
        assert!(scatter.bytes() <= 8 * 1024, "{}", scatter.bytes());
        let counted: u32 = scatter.cells().iter().map(|cell| cell.minutes).sum();
        assert_eq!(i64::from(counted), minutes);
    }

    #[test]
    fn what_is_no_number_is_no_dot() {
        let mut scatter = Scatter::default();
        for (load, latency) in [(0.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            scatter.add(0, 1, load, latency, false);
        }
        assert!(scatter.cells().is_empty());
    }

    #[test]
    fn two_regimes_are_kept_and_told_apart() {
        let mut scatter = Scatter::default();
        for regime in 1..=3 {
            scatter.add(0, regime, 100.0, 50.0, false);
        }
        scatter.settle(0, 3, Some(2));
        let present: Vec<bool> = scatter.cells().iter().map(|cell| cell.present).collect();
        assert_eq!(present, [false, true]);
        scatter.rename(3, 2);
        scatter.settle(0, 2, None);
        assert!(scatter.cells().iter().all(|cell| cell.present));
        // In its fourth week nothing of the first is shown.
        scatter.settle(3 * STRETCH, 2, None);
        assert!(scatter.cells().is_empty());
    }
}
