//! AWS's target tracking over recorded minutes: 3 of 3 minutes above the target scale out in
//! proportion, 15 of 15 below 90 % scale in, nothing moves while an update is under way, and
//! instances serve when they have started.
//!
//! Overload leaves a backlog on the instances that serve, which is carried to the next minute, up to the 60 seconds after which
//! SageMaker gives up on a request; what is beyond that is lost. New instances do half the work for
//! three minutes, the minutes which the estimator leaves out as cold.

use super::choice::{Choice, INSTANCES_MAX, Scaling, Tracking};
use super::draws::Draw;
use super::saturation::BACKLOG_SEEN;
use super::traffic::Traffic;

/// `AlarmLow` is at this share of the target (users' consoles; AWS does not document it).
const LOW_SHARE: f64 = 0.9;
/// Minutes that `AlarmHigh` and `AlarmLow` look at.
const HIGH_MINUTES: u32 = 3;
const LOW_MINUTES: u32 = 15;
/// How long a scale-in takes, in minutes.
const SCALE_IN_MINUTES: f64 = 1.0;
/// How long a new instance is cold, in minutes, and the share of its work that it then lacks.
const COLD_MINUTES: usize = 3;
pub(super) const COLD_LOSS: f64 = 0.5;
/// Loads are remembered for as long as an alarm may come late.
const RING: usize = 64;

/// What a choice did in one draw.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    /// Minutes with a datapoint.
    pub minutes: u32,
    /// Of these, how many are expected to break the objective.
    pub bad_minutes: f64,
    /// Instances times minutes.
    pub instance_minutes: f64,
    /// Requests that waited longer than a minute.
    pub lost_requests: f64,
    /// Times that instances were added.
    pub scale_outs: u32,
    /// Times that instances were removed.
    pub scale_ins: u32,
    /// Most instances that served in a minute.
    pub peak_instances: u32,
    /// Instances in the busiest minute.
    pub instances_at_peak: u32,
}

/// Runs one choice with several draws.
pub fn run(traffic: &Traffic, choice: &Choice, draws: &[Draw]) -> Vec<Outcome> {
    let busiest = busiest(traffic);
    draws.iter().map(|draw| Fleet::new(traffic, choice, draw).run(busiest)).collect()
}

/// The bad minutes a week of a choice, on average over the draws, where it keeps to so many in this share of them;
/// absent where it does not, which is known before all draws are run.
pub fn mean_within(
    traffic: &Traffic,
    choice: &Choice,
    draws: &[Draw],
    (budget, share): (f64, f64),
) -> Option<f64> {
    let (busiest, weeks) = (busiest(traffic), traffic.weeks());
    let (mut sum, mut broken) = (0.0, 0);
    for draw in draws {
        let bad = Fleet::new(traffic, choice, draw).run(busiest).bad_minutes / weeks;
        sum += bad;
        broken += usize::from(bad > budget);
        if ((draws.len() - broken) as f64) < share * draws.len() as f64 {
            return None;
        }
    }
    Some(sum / draws.len() as f64)
}

/// The entry with the most requests.
fn busiest(traffic: &Traffic) -> usize {
    let requests = traffic.requests().iter().enumerate().filter(|(_, r)| !r.is_nan());
    requests.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0))).map_or(0, |(i, _)| i)
}

/// What the serving instances do in a minute, worked out when they change and not in each minute.
#[derive(Debug, Clone, Copy, Default)]
struct Power {
    instances: f64,
    cold: f64,
    /// 1 over the capacity of all, in invocations per minute.
    per_capacity: f64,
    /// What an instance gets through, on average.
    throughput: f64,
}

impl Power {
    fn of(draw: &Draw, serving: u32, cold: u32) -> Self {
        let (instances, cold) = (f64::from(serving), f64::from(cold.min(serving)));
        let capacity = draw.capacity * (instances - COLD_LOSS * cold);
        let throughput = draw.saturation * capacity / instances;
        Self { instances, cold, per_capacity: 1.0 / capacity, throughput }
    }
}

/// An update under way.
#[derive(Debug, Clone, Copy)]
struct Update {
    to: u32,
    due: f64,
}

struct Fleet<'a> {
    traffic: &'a Traffic,
    choice: &'a Choice,
    draw: &'a Draw,
    tracking: Option<Tracking>,
    outcome: Outcome,
    /// Instances that serve.
    serving: u32,
    desired: u32,
    update: Option<Update>,
    power: Power,
    /// The first minute whose instances are not added up yet.
    paid_to: usize,
    cold_until: usize,
    /// What waits on an instance; those that join have none, and slow answers come from the others.
    backlog: f64,
    loads: [f64; RING],
    high_run: u32,
    low_run: u32,
    /// Before this minute, the busiest one in sight needs all instances.
    busy_until: usize,
    last_out: i64,
    last_any: i64,
}

impl<'a> Fleet<'a> {
    fn new(traffic: &'a Traffic, choice: &'a Choice, draw: &'a Draw) -> Self {
        let (tracking, instances) = match choice.scaling {
            Scaling::Fixed(n) => (None, n),
            Scaling::Tracking(tracking) => {
                // It begins settled: with what the first quarter of an hour needs.
                let first = traffic.requests().iter().filter(|r| !r.is_nan()).take(15);
                let busiest = first.fold(0.0, |a, b| f64::max(a, f64::from(*b)));
                (Some(tracking), needed(busiest, tracking.target_value))
            }
        };
        let mut fleet = Self {
            traffic,
            choice,
            draw,
            tracking,
            outcome: Outcome::default(),
            serving: 0,
            desired: 0,
            update: None,
            power: Power::default(),
            paid_to: 0,
            cold_until: 0,
            backlog: 0.0,
            loads: [f64::NAN; RING],
            high_run: 0,
            low_run: 0,
            busy_until: 0,
            last_out: i64::MIN / 2,
            last_any: i64::MIN / 2,
        };
        let min = fleet.min_at(0);
        fleet.desired = instances.clamp(min, fleet.max());
        fleet.serving = fleet.desired;
        fleet.power = Power::of(draw, fleet.serving, 0);
        fleet.outcome.peak_instances = if traffic.is_empty() { 0 } else { fleet.serving };
        fleet
    }

    fn max(&self) -> u32 {
        self.choice.max.clamp(1, INSTANCES_MAX)
    }

    /// The min in force: at least 1, raised by a scheduled floor, never above max.
    fn min_at(&self, minute: usize) -> u32 {
        let floor = self.choice.floors.as_ref();
        let floor = floor.map_or(0, |floors| floors.at(self.traffic.minute_of_week(minute)));
        self.choice.min.max(floor).max(1).min(self.max())
    }

    fn run(mut self, busiest: usize) -> Outcome {
        for (minute, requests) in self.traffic.requests().iter().enumerate() {
            self.settle(minute);
            if let Some(tracking) = self.tracking {
                self.look(minute, tracking.target_value);
                self.act(minute, tracking);
            }
            self.serve(minute, f64::from(*requests));
            if minute == busiest {
                self.outcome.instances_at_peak = self.serving;
            }
        }
        let minutes = self.traffic.len();
        self.outcome.minutes = (minutes - self.traffic.gaps()) as u32;
        self.pay(minutes);
        self.outcome
    }

    /// Adds up the minutes of the instances that serve, until now.
    fn pay(&mut self, minute: usize) {
        self.outcome.instance_minutes += self.power.instances * (minute - self.paid_to) as f64;
        self.paid_to = minute;
    }

    /// Instances that have started serve; one that comes within a minute counts from its half.
    fn settle(&mut self, minute: usize) {
        if minute == self.cold_until {
            self.power = Power::of(self.draw, self.serving, 0);
        }
        let Some(update) = self.update else { return };
        let now = minute as f64;
        if update.due <= now + 0.5 && self.serving != update.to {
            self.pay(minute);
            let joined = update.to.saturating_sub(self.serving);
            self.serving = update.to;
            if joined > 0 {
                self.cold_until = minute + COLD_MINUTES;
            }
            // Cold instances stay cold when others go.
            let still = if joined > 0 { joined } else { self.power.cold as u32 };
            self.power = Power::of(self.draw, self.serving, still);
            self.outcome.peak_instances = self.outcome.peak_instances.max(self.serving);
        }
        if update.due <= now {
            self.update = None;
        }
    }

    /// Takes in the newest minute that the alarms can see.
    fn look(&mut self, minute: usize, target: f64) {
        let Some(seen) = self.newest(minute) else { return };
        let load = self.loads[seen % RING];
        self.high_run = if load > target { self.high_run + 1 } else { 0 };
        self.low_run = if load < target * LOW_SHARE { self.low_run + 1 } else { 0 };
    }

    fn newest(&self, minute: usize) -> Option<usize> {
        minute.checked_sub(1 + self.draw.seen_after as usize)
    }

    /// The newest minutes that the alarms can see and that have a datapoint, with their places.
    fn recent(&self, minute: usize, minutes: u32) -> impl Iterator<Item = (usize, f64)> {
        let end = self.newest(minute).map_or(0, |newest| newest + 1);
        let from = end.saturating_sub(minutes as usize);
        let places = self.traffic.requests()[from..end].iter().zip(from..);
        places.filter(|(r, _)| !r.is_nan()).map(|(r, place)| (place, f64::from(*r)))
    }

    fn act(&mut self, minute: usize, tracking: Tracking) {
        if self.update.is_some() {
            return;
        }
        let (min, max) = (self.min_at(minute), self.max());
        let now = instant(minute);
        let cooled = |since: i64, cooldown: u32| now - since >= i64::from(cooldown.div_ceil(60));
        if self.desired < min {
            // A scheduled action does not wait for cooldowns.
            self.scale(minute, min);
        } else if self.high_run >= HIGH_MINUTES {
            if self.desired < max && cooled(self.last_out, tracking.scale_out_cooldown) {
                let sum: f64 = self.recent(minute, HIGH_MINUTES).map(|(_, r)| r).sum();
                let wanted = needed(sum / f64::from(HIGH_MINUTES), tracking.target_value);
                self.scale(minute, wanted.max(self.desired + 1).min(max));
                self.last_out = now;
            }
        } else if self.low_run >= LOW_MINUTES
            && !tracking.disable_scale_in
            && self.desired > min
            && minute >= self.busy_until
            && cooled(self.last_any, tracking.scale_in_cooldown)
        {
            let recent = self.recent(minute, LOW_MINUTES);
            let (place, busiest) =
                recent.fold((0, 0.0), |most, one| if one.1 >= most.1 { one } else { most });
            let wanted = needed(busiest, tracking.target_value).clamp(min, max);
            if wanted < self.desired {
                self.scale(minute, wanted);
            } else {
                // Until that one is out of sight, nothing changes.
                self.busy_until = place + (LOW_MINUTES + 1 + self.draw.seen_after) as usize;
            }
        }
    }

    fn scale(&mut self, minute: usize, to: u32) {
        let takes = if to > self.desired {
            self.outcome.scale_outs += 1;
            self.draw.start_up(minute)
        } else {
            self.outcome.scale_ins += 1;
            SCALE_IN_MINUTES
        };
        self.busy_until = 0;
        self.desired = to;
        self.update = Some(Update { to, due: minute as f64 + takes });
        self.last_any = instant(minute);
    }

    fn serve(&mut self, minute: usize, requests: f64) {
        let power = self.power;
        let load = requests / power.instances;
        self.loads[minute % RING] = load;
        if requests.is_nan() {
            self.backlog = 0.0;
            return;
        }
        if self.backlog > 0.0 || load > power.throughput {
            let before = self.backlog;
            let after = (before + load - power.throughput).max(0.0);
            self.backlog = after.min(power.throughput);
            self.outcome.lost_requests += (after - self.backlog) * power.instances;
            if before.max(self.backlog) > BACKLOG_SEEN * power.throughput {
                self.outcome.bad_minutes += 1.0;
                return;
            }
        }
        let bad = self.draw.curve.at(requests * power.per_capacity);
        self.outcome.bad_minutes += match &self.draw.joining {
            Some(joining) if power.cold > 0.0 => 1.0 - (1.0 - bad) * (1.0 - joining.at(load)),
            _ => bad,
        };
    }
}

/// A minute that others can be subtracted from; traffic is far shorter than what does not fit.
fn instant(minute: usize) -> i64 {
    i64::try_from(minute).unwrap_or(i64::MAX)
}

/// Instances that bring the load down to the target.
pub(super) fn needed(requests: f64, target: f64) -> u32 {
    let instances = (requests / target - 1e-9).ceil();
    // Also where the target is no number to divide by.
    if instances >= 1.0 { instances.min(f64::from(INSTANCES_MAX)) as u32 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::super::choice::Floors;
    use super::super::draws::CapacityBelief;
    use super::*;
    use crate::model::reaction::{Part, ReactionTime, Spread};

    /// A capacity of 1000, alarms seen after two minutes, four minutes of start-up.
    fn draw() -> Draw {
        let measured = |m: f64| Part::measured(Spread::exactly(m), 9).unwrap();
        let reaction =
            ReactionTime { alarm: measured(5.0), activity: measured(0.0), start_up: measured(4.0) };
        Draw::all(&CapacityBelief::new(1000.0, 0.0).unwrap(), &reaction, 1, 1).remove(0)
    }

    fn tracked(target: f64) -> Choice {
        Choice::tracking(Tracking::at(target), 1, 100)
    }

    fn one(traffic: &Traffic, choice: &Choice) -> Outcome {
        run(traffic, choice, &[draw()])[0]
    }

    #[test]
    fn a_step_is_served_nine_minutes_later() {
        let mut requests = vec![500.0; 60];
        requests.extend(vec![2000.0; 60]);
        // With the default cooldown the minutes before the new instances fire once more.
        let patient = Tracking { scale_out_cooldown: 600, ..Tracking::at(500.0) };
        let outcome = one(&Traffic::new(0, requests), &Choice::tracking(patient, 1, 100));
        // Three minutes of alarm, two of delay, four of start-up: nine minutes of overload, and
        // then a backlog of up to a minute to work off with instances that are still cold.
        assert_eq!((outcome.scale_outs, outcome.peak_instances), (1, 4));
        assert!((9.0..13.5).contains(&outcome.bad_minutes), "{outcome:?}");
        assert!(outcome.lost_requests > 0.0);
        assert_eq!(outcome.instance_minutes, f64::from(69 + 51 * 4));
    }

    #[test]
    fn instances_go_after_fifteen_quiet_minutes() {
        let mut requests = vec![2000.0; 30];
        requests.extend(vec![500.0; 60]);
        let outcome = one(&Traffic::new(0, requests), &tracked(500.0));
        assert_eq!((outcome.scale_ins, outcome.scale_outs), (1, 0));
        // Fifteen quiet minutes, two of delay, one to go.
        assert_eq!(outcome.instance_minutes, f64::from(48 * 4 + 42));
        let kept = Tracking { disable_scale_in: true, ..Tracking::at(500.0) };
        let mut quiet = vec![2000.0; 30];
        quiet.extend(vec![500.0; 60]);
        let outcome = one(&Traffic::new(0, quiet), &Choice::tracking(kept, 1, 100));
        assert_eq!((outcome.scale_ins, outcome.instance_minutes), (0, 360.0));
    }

    #[test]
    fn a_fixed_count_never_moves_and_a_gap_is_not_judged() {
        let traffic = Traffic::new(0, vec![100.0, f32::NAN, 5000.0, 100.0]);
        let outcome = one(&traffic, &Choice::fixed(2));
        assert_eq!((outcome.minutes, outcome.instance_minutes), (3, 8.0));
        assert_eq!((outcome.scale_outs, outcome.scale_ins), (0, 0));
        assert_eq!((outcome.instances_at_peak, outcome.bad_minutes), (2, 2.0));
    }

    #[test]
    fn a_floor_comes_ahead_of_the_ramp() {
        // The floor of 01:00 to 02:00 on a Monday is in force from the hour on.
        let mut requests = vec![500.0; 65];
        requests.extend(vec![2000.0; 40]);
        let traffic = Traffic::new(4 * 1440, requests);
        let without = one(&traffic, &tracked(500.0));
        let with = one(&traffic, &tracked(500.0).with_floors(Floors::new(vec![0, 4], 0)));
        assert!(without.bad_minutes > 9.0, "{without:?}");
        assert_eq!(with.bad_minutes.round(), 0.0, "{with:?}");
        // It never exceeds max.
        let capped = Choice { max: 2, ..tracked(500.0).with_floors(Floors::new(vec![0, 4], 0)) };
        assert_eq!(one(&traffic, &capped).peak_instances, 2);
    }

    #[test]
    fn what_keeps_to_a_budget_is_what_a_whole_run_says() {
        let rate = |i: usize| if i % 720 < 40 { 4000.0 } else { 1500.0 };
        let traffic = Traffic::new(0, (0..3 * 1440).map(rate).collect());
        let capacity = CapacityBelief::new(1000.0, 0.1).unwrap();
        let draws = Draw::all(&capacity, &ReactionTime::prior(None), 40, 1);
        let weeks = traffic.weeks();
        for target in [300.0, 500.0, 700.0, 900.0] {
            let outcomes = run(&traffic, &tracked(target), &draws);
            let bad: Vec<f64> = outcomes.iter().map(|o| o.bad_minutes / weeks).collect();
            // Each draw's own figure is a budget that just holds for it.
            for budget in &bad {
                for share in [0.5, 0.9, 1.0] {
                    let within = bad.iter().filter(|b| *b <= budget).count() as f64;
                    let found = mean_within(&traffic, &tracked(target), &draws, (*budget, share));
                    assert_eq!(
                        found.is_some(),
                        within >= share * 40.0,
                        "{target}, {budget}, {share}"
                    );
                    assert!(found.is_none_or(|mean| mean == bad.iter().sum::<f64>() / 40.0));
                }
            }
        }
    }

    #[test]
    fn nonsense_is_survived() {
        for requests in [vec![], vec![f32::NAN; 9], vec![f32::INFINITY, 1e30], vec![0.0; 9]] {
            let traffic = Traffic::new(0, requests);
            for target in [f64::NAN, 0.0, -1.0, 1e-300, 1e300] {
                let outcome = one(&traffic, &tracked(target));
                assert!(outcome.bad_minutes <= f64::from(outcome.minutes), "{target}");
            }
        }
    }
}
