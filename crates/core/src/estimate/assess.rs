//! Puts the steps together: evidence, likelihood, chain, verdict and numbers at one instant.

use crate::model::estimate::{Capacity, Verdict};
use crate::model::fit::Fit;

use super::book::Record;
use super::chain::{Carried, LoadTestError, Packed, Span, carry, load_test_prior};
use super::evidence::{Evidence, Units, Weighted};
use super::fit::{knees, levels};
use super::grid::{MinuteIndex, WINDOW, bin_of, lg_of};
use super::incident_minutes::FINE_BINS;
use super::likelihood::Scratch;
use super::power::Exponent;
use super::regime::Hours;
use super::settings::Refinements;
use super::slowdown::Slowdown;
use super::speed::SETTLED_AFTER;
use super::verdict::{Proof, capacity, lower_bound, quantiles, upper_bound, verdict};
use super::wander::{Stretch, heavy_evidence};

/// Fewer usable minutes than this say nothing.
const OBSERVATIONS_MIN: u32 = 30;
/// What the method itself may be off, in lg; responses of several seconds lag their load.
const SYSTEMATIC: f64 = 0.025;
const SYSTEMATIC_SLOW: f64 = 0.08;
/// lg of 5 s in microseconds.
const SLOW_LG_P50: f64 = 15.424_948_5;
/// Staleness: fewer decayed minutes than this above this share of the last known capacity.
const STALE_MINUTES: f64 = 30.0;
const STALE_SHARE: f64 = 0.7;
/// `measured` takes so many good minutes below the estimate. Where every load seen lies above it,
/// the likelihood's shape alone bounds it from below, and was wrong by half.
const GOOD_BELOW_MIN: f64 = 5.0;
/// And at most so many bad ones for each good one: by its definition, one of ten minutes is bad at
/// capacity itself, and fewer below it.
const BAD_PER_GOOD_MAX: f64 = 0.5;

/// What is assessed.
pub(super) struct Question<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) hours: &'a Hours,
    pub(super) record: &'a Record,
    pub(super) lg_ratio: Option<f64>,
    pub(super) load_test: Option<f64>,
    /// How far the load test may be off, where that is known: then the first regime starts from it alone.
    pub(super) load_test_error: Option<LoadTestError>,
    /// Whether latency at equal load wanders, and over which hours that is judged.
    pub(super) wanders: bool,
    /// Whether it does, or it is too early to say that it does not: nothing is `measured` then.
    pub(super) may_wander: bool,
    pub(super) stretch: Stretch,
    /// The power by which capacity follows the ratio of medians.
    pub(super) power: Exponent,
    pub(super) refinements: Refinements,
    /// Whether the fit is wanted, which only replays ask for and which takes a tenth of the work.
    pub(super) with_fit: bool,
    pub(super) now: MinuteIndex,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Assessment {
    pub(super) verdict: Verdict,
    pub(super) capacity: Capacity,
    /// Minutes seen near the estimate, decayed.
    pub(super) near: f64,
    /// How the share of bad minutes rises; empty where capacity is not known from both sides, or where
    /// it is not wanted.
    pub(super) fit: Fit,
}

impl Assessment {
    fn nothing() -> Self {
        let capacity =
            Capacity { estimate: None, low: None, q25: None, high: None, lower_bound: None };
        Self { verdict: Verdict::Unobserved, capacity, near: 0.0, fit: Fit::default() }
    }
}

/// The two densities of a regime: everything known, and evidence alone.
struct Densities {
    span: Span,
    own: Vec<f64>,
    posterior: Vec<f64>,
    evidence: Vec<f64>,
    throughput: Option<f64>,
}

fn densities(
    q: &Question<'_>,
    (weighted, units): (&Weighted, Units<'_>),
    scratch: &mut Scratch,
) -> Option<Densities> {
    let test_bin = q.load_test.map(super::grid::bin_of);
    let highest = q.evidence.highest_bin().or(test_bin)?;
    let span = Span::around(highest, q.load_test);
    // What ran before anything was seen of it hands nothing on: the load test speaks for itself.
    let seen = |carried: &&Carried| !carried.evidence.is_flat();
    let carried = q.record.carried.as_ref().filter(seen).filter(|_| q.load_test_error.is_none());
    let lg_ratio = q.lg_ratio.map(|ratio| ratio + since_ratio(q, units));
    let (mut posterior, mut evidence) = match carried {
        None => {
            let error = q.load_test_error.unwrap_or(LoadTestError::ASSUMED);
            (load_test_prior(span, q.load_test, error), vec![0.0; span.size])
        }
        Some(carried) => (
            carry(&carried.posterior, lg_ratio, q.power, span),
            carry(&carried.evidence, lg_ratio, q.power, span),
        ),
    };
    // Where latency wanders, the throughput is that of the mean hour, or of the one that had an overload, and the
    // heavy ones matter. Where it may, it is not known of which hours it is.
    let asked = q.refinements.throughput && !q.may_wander;
    let refusals = q.refinements.refusals;
    let knee = asked.then(|| q.evidence.knee(q.record.id, (q.now, units), refusals)).flatten();
    if let Some(knee) = &knee {
        let opinions = posterior.iter_mut().enumerate();
        opinions.for_each(|(i, opinion)| *opinion += knee.lg_opinion(span.lg(i)));
    }
    let mut own = vec![0.0; span.size];
    scratch.lg_likelihood(weighted, span.lowest, &[&posterior, &evidence], &mut own);
    for i in 0..span.size {
        posterior[i] += own[i];
        evidence[i] += own[i];
    }
    let throughput = knee.and_then(|knee| knee.throughput());
    Some(Densities { span, own, posterior, evidence, throughput })
}

/// How the service becomes slower, where latency does not wander.
fn slowdown(q: &Question<'_>) -> Option<Slowdown> {
    let asked = q.refinements.todays_units && !q.wanders;
    asked.then(|| Slowdown::of(q.hours, q.stretch, q.power, q.now)).flatten()
}

/// lg of how much slower the service has become since its ratio to the regime before was known, which is
/// one of its first day.
fn since_ratio(q: &Question<'_>, units: Units<'_>) -> f64 {
    let age = (units.at - q.record.start).max(0);
    // The ratio is one of the middle of that day, or of what there is of it.
    let since = age - (age / 2).min(SETTLED_AFTER / 2);
    units.slowdown.map_or(0.0, |slowdown| slowdown.slowed(since))
}

/// What a change of regime now would hand on, in the units with which the next one is compared.
pub(super) fn hand_on(q: &Question<'_>, scratch: &mut Scratch) -> Option<Carried> {
    let mut weighted = std::mem::take(&mut scratch.weighted);
    let slowdown = slowdown(q);
    let units = Units {
        at: slowdown.map_or(q.now, |slowdown| slowdown.middle()),
        slowdown: slowdown.as_ref(),
    };
    q.evidence.weigh(q.record.id, (q.now, units), &mut weighted);
    let densities = densities(q, (&weighted, units), scratch);
    scratch.weighted = weighted;
    densities.map(|d| Carried {
        posterior: Packed::new(d.span, &d.posterior),
        evidence: Packed::new(d.span, &d.evidence),
    })
}

/// Verdict and numbers now.
pub(super) fn assess(q: &Question<'_>, scratch: &mut Scratch) -> Assessment {
    if q.evidence.observations_in_all() < OBSERVATIONS_MIN {
        return Assessment {
            verdict: stale_or(q, &[], Verdict::Unobserved),
            ..Assessment::nothing()
        };
    }
    let mut weighted = std::mem::take(&mut scratch.weighted);
    let slowdown = slowdown(q);
    let units = Units { slowdown: slowdown.as_ref(), at: q.now };
    q.evidence.weigh(q.record.id, (q.now, units), &mut weighted);
    let answer = assess_weighted(q, (&mut weighted, units), scratch);
    scratch.weighted = weighted;
    answer
}

fn assess_weighted(
    q: &Question<'_>,
    (weighted, units): (&mut Weighted, Units<'_>),
    scratch: &mut Scratch,
) -> Assessment {
    let Some(d) = densities(q, (weighted, units), scratch) else { return Assessment::nothing() };
    let systematic = systematic(q);
    let numbers = quantiles(d.span, &d.posterior, systematic);
    let knees = q.with_fit.then(|| knees(d.span, (&d.own, &d.posterior), scratch, systematic));
    let chain = Proof::of(&d.evidence);
    let own = Proof::of(&d.own);
    let mut found = verdict(own, chain);
    if q.refinements.good_minutes_below && own.is_up() && found.is_two_sided() {
        let lg_estimate = numbers.q50.ln();
        let below = weighted.iter().filter(|e| lg_of(i32::from(e.0)) < lg_estimate);
        let (good, bad) = below.fold((0.0, 0.0), |sum, e| (sum.0 + e.1, sum.1 + e.2));
        let contradicts = bad > BAD_PER_GOOD_MAX * good;
        if good < GOOD_BELOW_MIN || contradicts {
            // Only a ratio of medians says how far below the loads seen it may be.
            let carried = q.record.carried.is_some() && q.lg_ratio.is_some();
            let inferred = carried && chain.both() && (good < GOOD_BELOW_MIN || bad < good);
            found = if inferred { Verdict::Inferred } else { Verdict::AtMost };
        }
    }
    found = stale_or(q, weighted, found);
    if q.may_wander && found == Verdict::Measured {
        found = Verdict::Inferred;
    }
    let has_opinion = q.load_test.is_some();
    let bound = lower_bound(d.span, &d.evidence, systematic);
    let near = near(weighted, numbers.q50);
    // What the present regime alone excludes goes before what is carried over from another one.
    let excludes = if own.is_up() { &d.own } else { &d.evidence };
    let bounds = (bound, upper_bound(d.span, excludes, systematic));
    let mut capacity = capacity(found, numbers, bounds, has_opinion);
    let fit = if let Some(knees) = knees.filter(|_| found.is_two_sided()) {
        Fit { knees, levels: levels(weighted), throughput: d.throughput, ..Fit::default() }
    } else {
        Fit::default()
    };
    if q.wanders && found.is_two_sided() {
        // The target must hold when the payload is heavy.
        heavy_evidence(q.hours, q.stretch, q.now, weighted);
        if let Some(heavy) = densities(q, (weighted, units), scratch) {
            let low = quantiles(heavy.span, &heavy.posterior, systematic).q05;
            capacity.q25 = capacity.q25.map(|q25| q25.min(low));
            capacity.low = capacity.low.map(|own| own.min(low));
        }
    }
    Assessment { verdict: found, capacity, near, fit }
}

/// Minutes at loads within a fifth of a capacity.
fn near(weighted: &Weighted, capacity: f64) -> f64 {
    let bin = bin_of(capacity);
    let within = weighted.iter().filter(|e| e.0.saturating_sub(bin).saturating_abs() <= FINE_BINS);
    within.map(|e| e.1 + e.2).sum()
}

fn systematic(q: &Question<'_>) -> f64 {
    let median = q.hours.of(q.record.id).last().and_then(|(_, hour)| hour.levels().next());
    match median {
        Some(level) if level.lg_p50 > SLOW_LG_P50 => SYSTEMATIC_SLOW,
        _ => SYSTEMATIC,
    }
}

/// There was a two-sided verdict, and nothing near it has been seen for the whole window.
fn stale_or(q: &Question<'_>, weighted: &[(i16, f64, f64)], found: Verdict) -> Verdict {
    let Some(known) = q.record.known.filter(|_| !found.is_two_sided()) else { return found };
    let near = (STALE_SHARE * known.capacity).ln();
    let above = weighted.iter().filter(|e| lg_of(i32::from(e.0)) > near);
    let minutes: f64 = above.map(|e| e.1 + e.2).sum();
    if minutes < STALE_MINUTES && q.now - known.loaded_at > WINDOW { Verdict::Stale } else { found }
}

/// Whether a load is near a known capacity.
pub(super) fn is_near(load: f64, capacity: f64) -> bool {
    load > STALE_SHARE * capacity
}
