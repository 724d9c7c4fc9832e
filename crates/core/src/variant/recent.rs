//! The recent telemetry of one variant: the last hour of minutes, the last day's peak, and whether
//! minutes have too few requests for a percentile of their own.

use chrono::TimeDelta;

use crate::compact::{Packed, Shelf};
use crate::model::fact::{Fact, Why};
use crate::model::goal::Objective;
use crate::model::history::HourLoad;
use crate::model::minutes::Minutes;
use crate::model::series::Minute;
use crate::model::snapshot::Telemetry;
use crate::model::time::Timestamp;
use crate::model::usage::Usage;

/// The span of the newest minutes, without a gap, that a snapshot carries.
const RECENT: TimeDelta = TimeDelta::minutes(60);
/// What is taken in within this is one read: history comes in pieces, and what is new right after it.
const TOGETHER: TimeDelta = TimeDelta::minutes(1);
/// The peak of this many hours is what `plan` forecasts for.
const PEAK_HOURS: i64 = 24;

/// What is kept of the telemetry of one variant.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    /// The newest telemetry, or why there is none.
    pub(super) telemetry: Fact<Telemetry>,
    /// Up to where it has been read.
    pub(super) read_until: Option<Timestamp>,
    /// Until when minutes with too few requests call for longer periods (estimation, low traffic).
    pub(super) thin_until: Option<Timestamp>,
    /// By the number of the hour since the epoch, oldest first.
    pub(super) hourly_peaks: Packed<Vec<(i32, f64)>>,
    /// Up to where its usage goes.
    pub(super) usage_until: Option<Timestamp>,
    /// The highest load of its recent minutes, 0 without any, and short, for there are thousands: each pass asks for
    /// it, and most passes read no telemetry.
    pub(super) highest_load: f32,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            telemetry: Fact::not_read_yet(),
            read_until: None,
            thin_until: None,
            hourly_peaks: Packed::default(),
            usage_until: None,
            highest_load: 0.0,
        }
    }
}

/// What was kept of the telemetry, unpacked to take minutes in.
#[derive(Debug)]
pub(super) struct Open {
    telemetry: Telemetry,
    hours: Vec<HourLoad>,
    /// Where minutes are added to it.
    usage: Option<Usage>,
    usage_until: Option<Timestamp>,
    hourly_peaks: Vec<(i32, f64)>,
}

impl Open {
    /// Takes in newly read minutes, in time order; nothing where what it used before cannot be had back.
    #[must_use]
    pub(super) fn take_in(
        &mut self,
        minutes: &[Minute],
        objective: &Objective,
        read_until: Timestamp,
    ) -> Option<()> {
        self.use_up(minutes, read_until)?;
        let telemetry = &mut self.telemetry;
        telemetry.max_load_since_last_read = highest(minutes.iter().filter_map(Minute::load));
        if let Some(newest) = minutes.iter().rev().find(|m| !m.is_empty()) {
            telemetry.newest_datapoint = telemetry.newest_datapoint.max(Some(newest.end()));
        }
        self.hours.extend(HourLoad::of(minutes, objective));
        telemetry.recent = telemetry.recent.followed_by(minutes, RECENT.num_minutes() as usize)?;
        note_peaks(&mut self.hourly_peaks, minutes, read_until);
        Some(())
    }

    /// Adds minutes to what it used. As long as the last minutes tell all that is new, they need not be: a week of hours
    /// is not had back and put away again with each read.
    fn use_up(&mut self, minutes: &[Minute], read_until: Timestamp) -> Option<()> {
        if self.usage_until.is_some_and(|until| read_until - until <= RECENT) {
            return Some(());
        }
        let mut usage = match self.usage.take() {
            Some(usage) => usage,
            None => self.telemetry.usage.try_get()?,
        };
        usage.catch_up(&self.telemetry.recent.try_to_vec()?);
        usage.take(minutes, read_until);
        self.usage = Some(usage);
        self.usage_until = Some(read_until);
        Some(())
    }
}

impl Recent {
    /// Unpacks it.
    pub(super) fn open(&mut self, read_at: Timestamp) -> Open {
        let mut telemetry = match std::mem::replace(&mut self.telemetry, Fact::not_read_yet()) {
            Fact::Known(telemetry) => telemetry,
            Fact::Unknown(_) => Telemetry {
                read_at,
                newest_datapoint: None,
                recent: Minutes::default(),
                hours: Packed::default(),
                peak_invocations: None,
                max_load_since_last_read: None,
                usage: Packed::default(),
            },
        };
        let together = read_at - telemetry.read_at < TOGETHER;
        telemetry.read_at = read_at;
        let hours = if together { telemetry.hours.get() } else { Vec::new() };
        let (usage_until, hourly_peaks) = (self.usage_until, self.hourly_peaks.get());
        Open { telemetry, hours, usage: None, usage_until, hourly_peaks }
    }

    /// Keeps it, with all that was read up to a time.
    pub(super) fn close(&mut self, open: Open, read_until: Timestamp) {
        let Open { mut telemetry, hours, usage, usage_until, hourly_peaks } = open;
        telemetry.hours = (&hours).into();
        if let Some(usage) = &usage {
            telemetry.usage = usage.into();
        }
        self.usage_until = usage_until;
        telemetry.peak_invocations = highest(hourly_peaks.iter().map(|(_, peak)| *peak));
        self.hourly_peaks = (&hourly_peaks).into();
        self.highest_load = highest_load(&telemetry);
        self.telemetry = Fact::Known(telemetry);
        self.read_until = Some(read_until);
    }

    /// Nobody tells it more for now.
    pub(super) fn rest(&mut self, on: &dyn Shelf) {
        if let Fact::Known(telemetry) = &mut self.telemetry {
            telemetry.usage.rest(on);
            telemetry.hours.rest(on);
            telemetry.recent.rest(on);
        }
    }

    /// What was published of these hours is kept elsewhere: it is forgotten, unless newer ones have come.
    pub(super) fn hours_are_kept(&mut self, published: &Packed<Vec<HourLoad>>) {
        if let Fact::Known(telemetry) = &mut self.telemetry
            && telemetry.hours.is_one_with(published)
        {
            telemetry.hours = Packed::default();
        }
    }

    /// Takes note of minutes in which the statistic means little. Answers whether they are the
    /// first ones of this variant, so that its history must be read again, in longer periods too.
    pub(super) fn note_thin(&mut self, minutes: &[Minute], min_requests: f64) -> bool {
        let thin = |m: &&Minute| m.invocations.is_some_and(|all| all > 0.0 && all < min_requests);
        let Some(newest) = minutes.iter().rev().find(thin) else { return false };
        self.thin_until.replace(newest.at + TimeDelta::days(1)).is_none()
    }

    /// Takes note of the newest minute in which the statistic means little.
    pub(super) fn note_thin_at(&mut self, newest: Timestamp) {
        self.thin_until = self.thin_until.max(Some(newest + TimeDelta::days(1)));
    }

    /// Forgets the minutes, and how far they have been read.
    pub(super) fn forget(&mut self) {
        *self = Self { thin_until: self.thin_until, ..Self::default() };
    }

    /// Nothing could be read. What was read before stays, and grows stale by itself.
    pub(super) fn could_not_read(&mut self, why: Why) -> bool {
        let never = self.telemetry.known().is_none();
        if never {
            self.telemetry = Fact::Unknown(why);
        }
        never
    }
}

/// Takes note of the highest number of invocations of each hour, and forgets the hours of the day before.
fn note_peaks(peaks: &mut Vec<(i32, f64)>, minutes: &[Minute], read_until: Timestamp) {
    let oldest = read_until - TimeDelta::hours(PEAK_HOURS);
    let number = |at: Timestamp| at.timestamp().div_euclid(3600) as i32;
    let mut is_new = false;
    for minute in minutes.iter().filter(|minute| minute.at >= oldest) {
        let Some(invocations) = minute.invocations else { continue };
        is_new = true;
        match peaks.last_mut() {
            Some((hour, peak)) if *hour == number(minute.at) => *peak = peak.max(invocations),
            _ => peaks.push((number(minute.at), invocations)),
        }
    }
    if !is_new {
        return;
    }
    let begins_before = |hour: i32| i64::from(hour) * 3600 < oldest.timestamp();
    let gone = peaks.iter().take_while(|(hour, _)| begins_before(*hour)).count();
    peaks.drain(..gone);
}

/// The highest load of the recent minutes, 0 without any.
pub(super) fn highest_load(telemetry: &Telemetry) -> f32 {
    highest(telemetry.recent.iter().filter_map(|minute| minute.load())).unwrap_or(0.0) as f32
}

fn highest(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use crate::variant::Variant;

    /// There are thousands of them, each in a piece of its own, and the allocator's next larger piece is of 1,024 bytes.
    #[test]
    fn a_variant_fits_a_piece_of_896_bytes() {
        assert!(size_of::<Variant>() <= 896, "{}", size_of::<Variant>());
    }
}
