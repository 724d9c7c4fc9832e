//! Estimators that rest between two looks.

use super::*;

/// Between two looks a variant is put to rest: that changes neither what it knows nor what it answers.
#[test]
fn one_that_rests_between_two_looks_knows_and_answers_what_one_that_does_not_does() {
    let (mut rests, mut scratch) = known(1440);
    let (mut wakes, _) = known(1440);
    let (mut asked_first, _) = known(1440);
    let mut from = 1440;
    for step in [15, 15, 60, 7, 600, 1440, 2 * 1440, 15, 3 * 1440, 45].into_iter().cycle() {
        let to = (from + step).min(DAYS * 1440);
        if from == to {
            break;
        }
        for variant in [&mut rests, &mut wakes, &mut asked_first] {
            note(variant, if from > 7 * 1440 { 2 } else { 1 }, at(from));
            told(variant, from, to, &mut scratch);
        }
        rests.rest(&MemoryShelf);
        from = to;
        let context = Context { configured_target: Some(500.0), safety_factor: 0.7 };
        let goal = goal(200.0, Some(10.0));
        let load_test = goal.load_test.as_ref().map(|test| test.max_rps);
        let by = (&EstimatorSettings { load_test, ..settings(200.0) }, &context);
        asked_first.answer_and_rest(by, &MemoryShelf, &mut scratch, at(to));
        let mut answer = |variant: &mut Variant| {
            let estimate =
                variant.estimate(&goal, (None, context, Some(1.0)), &mut scratch, at(to));
            let fit = variant.capacity.fit(&mut scratch);
            (Estimate { fit, ..Estimate::clone(&estimate) }, estimate.picture.clone())
        };
        let expected = answer(&mut wakes);
        for variant in [&mut rests, &mut asked_first] {
            let answered = answer(variant);
            assert_eq!(answered.0, expected.0);
            assert!(answered.1.is_like(&expected.1));
            assert_eq!(variant.evidence(&id()), wakes.evidence(&id()), "byte for byte");
        }
    }
    let bytes = rests.capacity.bytes_at_rest();
    assert!(bytes <= 8 * 1024, "{bytes}: there may be ten thousand of them");
}

/// A disk that gives nothing back.
#[derive(Debug)]
struct Broken;

impl Shelf for Broken {
    fn put(&self, _: Box<[u8]>) -> std::sync::Arc<dyn Rested> {
        std::sync::Arc::new(Self)
    }
}

impl Rested for Broken {
    fn bytes(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        None
    }

    fn in_memory(&self) -> usize {
        0
    }

    fn is_away(&self) -> bool {
        true
    }
}

/// The pass that tells it more asks right after: it is not had back for that.
#[test]
fn one_that_was_asked_before_it_rested_answers_without_being_had_back() {
    let context = Context { configured_target: Some(500.0), safety_factor: 0.7 };
    let (mut variant, mut scratch) = known(2 * 1440);
    variant.answer_and_rest((&settings(200.0), &context), &Broken, &mut scratch, at(2 * 1440));
    let mut answer = |context: Context| {
        let asked = (None, context, Some(1.0));
        variant.estimate(&goal(200.0, None), asked, &mut scratch, at(2 * 1440 + 1))
    };
    assert!(answer(context).capacity.estimate.is_some());
    // What it was not asked, it would have to be asked now.
    let other = Context { configured_target: Some(600.0), ..context };
    assert_eq!(answer(other).history_complete_ratio, Some(0.0));
}

/// Nothing is estimated from what is left: all of its history is read again.
#[test]
fn one_whose_estimator_is_lost_reads_its_history_again() {
    let context = Context { configured_target: Some(500.0), safety_factor: 0.7 };
    for newer in [false, true] {
        let (mut variant, mut scratch) = known(2 * 1440);
        assert!(!variant.wants_history() && variant.evidence(&id()).is_some());
        variant.rest(&Broken);
        assert_eq!(variant.evidence(&id()), None);
        if newer {
            told(&mut variant, 2 * 1440, 2 * 1440 + 15, &mut scratch);
            assert!(variant.wants_history() && variant.read_until().is_none());
        }
        let asked = (None, context, Some(1.0));
        let estimate = variant.estimate(&goal(200.0, None), asked, &mut scratch, at(2 * 1440 + 15));
        assert_eq!(estimate.verdict, crate::model::estimate::Verdict::Unobserved);
        assert!(newer || estimate.is_partial(), "{}", estimate.sentence);
        assert!(variant.wants_history() && variant.telemetry().known().is_none(), "{newer}");
        let (again, _) = known(2 * 1440);
        variant.adopt(again);
        let estimate = variant.estimate(&goal(200.0, None), asked, &mut scratch, at(2 * 1440 + 15));
        assert!(!variant.wants_history() && estimate.capacity.estimate.is_some());
    }
}

/// A disk that gives back all but one thing.
#[derive(Debug)]
struct Loses(std::sync::atomic::AtomicI32);

impl Shelf for Loses {
    fn put(&self, bytes: Box<[u8]>) -> std::sync::Arc<dyn Rested> {
        match self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Broken.put(bytes),
            _ => MemoryShelf.put(bytes),
        }
    }
}

/// The place of a part in the order in which they are put away.
const USAGE: i32 = 2;
/// Behind the hours, which the history keeps.
const MINUTES: i32 = 4;

/// The picture, the estimator, the usage or the minutes: without any of them the rest would be kept, over a restart, as if
/// it were all.
#[test]
fn one_of_which_a_part_is_lost_reads_its_history_again() {
    for part in [0, 1, USAGE, MINUTES] {
        let (mut variant, mut scratch) = known(2 * 1440);
        variant.rest(&Loses(part.into()));
        assert_eq!(variant.evidence(&id()), None, "{part}");
        // What it used is had back once there is more than the last hour tells, the others at once.
        let quarters = if part == USAGE { 5 } else { 1 };
        for quarter in 0..quarters {
            assert!(!variant.wants_history(), "{part}");
            let from = 2 * 1440 + 15 * quarter;
            told(&mut variant, from, from + 15, &mut scratch);
        }
        assert!(variant.wants_history() && variant.read_until().is_none(), "{part}");
    }
}

/// A week of hours is not had back and put away again with each read.
#[test]
fn what_was_used_is_added_up_every_fifth_quarter_of_an_hour_and_known_at_any_time() {
    let (mut variant, mut scratch) = known(1440);
    let telemetry = |variant: &Variant| variant.recent.telemetry.known().unwrap().clone();
    let mut added_up = Vec::new();
    for quarter in 0..20 {
        let before = telemetry(&variant).usage;
        let from = 1440 + 15 * quarter;
        told(&mut variant, from, from + 15, &mut scratch);
        let mut expected = Usage::default();
        expected.take(&(0..from + 15).map(minute).collect::<Vec<_>>(), at(from + 15));
        assert_eq!(telemetry(&variant).used(), Some(expected), "{quarter}");
        if !telemetry(&variant).usage.is_one_with(&before) {
            added_up.push(quarter);
        }
    }
    assert_eq!(added_up, [4, 9, 14, 19]);
}

/// However history is cut into pieces.
#[test]
fn what_was_used_in_short_pieces_is_added_up_as_well() {
    let (mut variant, mut scratch) = (Variant::default(), Scratch::new());
    note(&mut variant, 1, at(0));
    let context = Context { configured_target: Some(500.0), safety_factor: 0.7 };
    let ends = [100, 130, 150, 220, 230, 400, 430];
    let pieces = std::iter::once(0).chain(ends).zip(ends).map(|(from, to)| NewPeriods {
        minutes: (from..to).map(minute).collect(),
        longer: Vec::new(),
        until: at(to),
        read: Read::new("GetMetricData", at(430)),
    });
    let by = (&settings(200.0), &context);
    variant.take_in_all(pieces, by, None, &mut scratch, at(430)).unwrap();
    let mut expected = Usage::default();
    expected.take(&(0..430).map(minute).collect::<Vec<_>>(), at(430));
    assert_eq!(variant.recent.telemetry.known().unwrap().used(), Some(expected));
}

/// What a daemon holds of each variant between two passes: there may be ten thousand of them.
#[test]
fn between_two_passes_a_variant_with_a_day_of_history_takes_a_few_kilobytes() {
    let (mut variant, _) = known(1440);
    variant.rest(&MemoryShelf);
    let telemetry = variant.recent.telemetry.known().unwrap();
    let parts = [
        size_of::<Variant>(),
        variant.capacity.bytes_at_rest(),
        telemetry.recent.bytes(),
        telemetry.usage.bytes(),
        variant.recent.hourly_peaks.bytes(),
    ];
    assert!(parts.iter().sum::<usize>() <= 6 * 1024, "{parts:?}");
    let (mut variant, _) = known(14 * 1440);
    variant.rest(&MemoryShelf);
    let bytes = variant.capacity.bytes_at_rest();
    assert!(bytes <= 9 * 1024, "with two weeks: {bytes}");
    // What is published and what is remembered, of which there are two while a pass is made.
    // Allocators hand out 224, 256, 512 and 640 bytes, of which a shared value takes 16 for itself.
    assert!(size_of::<VariantStatus>() <= 208, "{}", size_of::<VariantStatus>());
    assert!(size_of::<Report>() <= 240, "{}", size_of::<Report>());
    assert!(size_of::<Snapshot>() <= 512, "{}", size_of::<Snapshot>());
    assert!(size_of::<VariantMemory>() <= 624, "{}", size_of::<VariantMemory>());
    assert!(size_of::<FieldReport>() <= 88, "{}", size_of::<FieldReport>());
}
