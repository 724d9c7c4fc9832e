//! The listings of Application Auto Scaling and of the alarms. They are read in a task of their own: at the calls a
//! second that AWS's shared bucket leaves, those of thousands of variants take many minutes, and no pass waits for
//! that. Until new ones are whole, passes go on with the last ones.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::collected::{Collected, Part};
use super::sweep::timed;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::ids::ResourceId;
use crate::model::reads::Read;
use crate::model::scaling::{Alarm, ScalableTarget, ScalingPolicy, ScheduledAction};
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::ports::{Aws, Clock, PortResult};

/// Listings that began longer ago say nothing any more, unless they take so long. Those of 10,000 variants take 10
/// minutes at 2 calls a second, and the next ones as long again.
const OLDEST: TimeDelta = TimeDelta::hours(1);

/// What a listing says of each variant in it, ready to be handed out.
pub type Parts<T> = Shared<BTreeMap<ResourceId, Shared<Fact<T>>>>;

/// What one listing answered.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    pub all: Fact<Parts<T>>,
    /// Whose rows make no sense: not known, and not absent either.
    pub(super) unreadable: BTreeMap<ResourceId, Why>,
    /// When it answered.
    pub read: Read,
}

impl<T> Answer<T> {
    fn unknown(why: Why, read: Read) -> Self {
        Self { all: Fact::Unknown(why), unreadable: BTreeMap::new(), read }
    }

    /// What it says of one variant; of one that it does not have, `absent`.
    pub fn of(&self, resource: &ResourceId, absent: &Shared<Fact<T>>) -> Shared<Fact<T>> {
        match (self.unreadable.get(resource), &self.all) {
            (Some(why), _) | (None, Fact::Unknown(why)) => Fact::Unknown(why.clone()).into(),
            (None, Fact::Known(all)) => all.get(resource).unwrap_or(absent).clone(),
        }
    }
}

/// What was listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// When the reads began: a later change may not be in it.
    pub began: Timestamp,
    pub targets: Answer<Option<ScalableTarget>>,
    pub policies: Answer<Vec<ScalingPolicy>>,
    pub scheduled_actions: Answer<Vec<ScheduledAction>>,
    /// All alarms of target-tracking policies.
    pub alarms: Answer<Vec<Alarm>>,
}

impl Listed {
    /// The variants that Application Auto Scaling knows.
    pub fn registered(&self) -> BTreeSet<ResourceId> {
        let known = self.targets.all.known().map(|all| all.keys().cloned().collect());
        let mut all: BTreeSet<ResourceId> = known.unwrap_or_default();
        all.extend(self.targets.unreadable.keys().cloned());
        all
    }

    /// Every reason why one of them is not known.
    pub fn whys_mut(&mut self) -> impl Iterator<Item = &mut Why> {
        let Self { began: _, targets, policies, scheduled_actions, alarms } = self;
        let reasons = [
            targets.all.why_mut(),
            policies.all.why_mut(),
            scheduled_actions.all.why_mut(),
            alarms.all.why_mut(),
        ];
        reasons.into_iter().flatten()
    }

    /// The same, of which nothing counts any more.
    fn outdated(&self) -> Self {
        let sentence = format!(
            "the last complete listing began at {}, too long ago to go by, and the next one is not complete",
            self.began.format("%Y-%m-%d %H:%M UTC")
        );
        let why = || Why::new(WhyKind::NotReadYet, sentence.clone());
        let Self { began, targets, policies, scheduled_actions, alarms } = self;
        Self {
            began: *began,
            targets: Answer::unknown(why(), targets.read),
            policies: Answer::unknown(why(), policies.read),
            scheduled_actions: Answer::unknown(why(), scheduled_actions.read),
            alarms: Answer::unknown(why(), alarms.read),
        }
    }
}

/// The listings of a region: the last that were whole, and those under way.
#[derive(Debug, Default)]
pub struct Listings {
    last: Option<Listed>,
    under_way: Option<UnderWay>,
    /// Whether the last ones took longer than a pass waits.
    slow: bool,
    /// How long they took.
    took: Duration,
}

impl Listings {
    /// What a pass that began at `now` goes by: new listings if they are whole within this `wait` (absent: whenever they
    /// are), else the last ones. Before there are any, each as soon as it is there.
    pub async fn read(
        &mut self,
        aws: &Aws,
        clock: &Arc<dyn Clock>,
        now: Timestamp,
        wait: Option<Duration>,
    ) -> Listed {
        // Whether something happened since cannot be told of what began by a clock that was set back.
        self.last.take_if(|last| last.began > now);
        self.under_way.take_if(|under_way| under_way.began > now);
        if let Some(mut earlier) = self.under_way.take() {
            // An earlier pass did not wait for them.
            if earlier.is_whole_by(Some(Instant::now())).await {
                self.take_over(aws, earlier, (wait, now));
            } else {
                self.under_way = Some(earlier);
            }
        }
        let begin = || UnderWay::begin(aws, clock, now, self.last.as_ref());
        let mut under_way = self.under_way.take().unwrap_or_else(begin);
        // Those that take many minutes are not waited for in each pass in vain.
        let wait_now = wait.map(|wait| if self.slow { Duration::ZERO } else { wait });
        if under_way.is_whole_by(wait_now.map(|wait| Instant::now() + wait)).await {
            return self.take_over(aws, under_way, (wait, now));
        }
        let listed = match &self.last {
            Some(last) if now - last.began > self.oldest() => last.outdated(),
            Some(last) => last.clone(),
            None => under_way.so_far(),
        };
        self.under_way = Some(under_way);
        listed
    }

    /// How long ago listings may have begun that passes go by.
    fn oldest(&self) -> TimeDelta {
        // The last ones and the next, and half as long again.
        OLDEST.max(TimeDelta::from_std(self.took.mul_f64(2.5)).unwrap_or(OLDEST))
    }

    fn take_over(
        &mut self,
        aws: &Aws,
        whole: UnderWay,
        (wait, now): (Option<Duration>, Timestamp),
    ) -> Listed {
        let took = whole.took();
        let slow = wait.is_some_and(|wait| took > wait);
        if slow && !self.slow {
            tracing::info!(
                scope = %aws.scope,
                seconds = took.as_secs(),
                "the listings take longer than a pass waits: until new ones are complete, passes go on with the last \
                 ones; aws.call_rate_per_second limits how fast they are read"
            );
        }
        let mut listed = whole.whole();
        // One call of a thousand has failed: what all the others said is worth more than nothing for as long again.
        let oldest = self.oldest();
        let is_slow = slow || self.slow;
        if let Some(last) = self.last.as_mut().filter(|last| is_slow && now - last.began <= oldest)
            && let Some(why) = listed.whys_mut().find(|why| why.kind.may_pass())
            && last.whys_mut().next().is_none()
        {
            self.slow = true;
            tracing::warn!(
                scope = %aws.scope,
                "a listing has failed and starts over; passes go on with the last ones: {}",
                why.message
            );
            return last.clone();
        }
        (self.slow, self.took) = (slow, took);
        self.last = Some(listed.clone());
        listed
    }

    /// Whether they are being read.
    pub const fn are_under_way(&self) -> bool {
        self.under_way.is_some()
    }
}

/// Listings that are being read, side by side: each is a chain of pages of its own.
#[derive(Debug)]
struct UnderWay {
    began: Timestamp,
    since: Instant,
    targets: Late<Option<ScalableTarget>>,
    policies: Late<Vec<ScalingPolicy>>,
    scheduled_actions: Late<Vec<ScheduledAction>>,
    alarms: Late<Vec<Alarm>>,
}

impl UnderWay {
    /// Begins to read them. What is the same as in the `last` ones is kept once, from page to page: all of them twice
    /// would be tens of MiB of a large fleet, for as long as they take.
    fn begin(aws: &Aws, clock: &Arc<dyn Clock>, now: Timestamp, last: Option<&Listed>) -> Self {
        Self {
            began: now,
            since: Instant::now(),
            targets: Late::begin(
                ("DescribeScalableTargets", aws, clock),
                |target: &ScalableTarget| Some(target.resource.clone()),
                last.map(|last| &last.targets),
                |aws, rows| aws.scaling.all_targets(rows),
            ),
            policies: Late::begin(
                ("DescribeScalingPolicies", aws, clock),
                |policy: &ScalingPolicy| Some(policy.resource.clone()),
                last.map(|last| &last.policies),
                |aws, rows| aws.scaling.all_policies(rows),
            ),
            scheduled_actions: Late::begin(
                ("DescribeScheduledActions", aws, clock),
                |action: &ScheduledAction| Some(action.resource.clone()),
                last.map(|last| &last.scheduled_actions),
                |aws, rows| aws.scaling.all_scheduled_actions(rows),
            ),
            alarms: Late::begin(
                ("DescribeAlarms", aws, clock),
                Alarm::resource,
                last.map(|last| &last.alarms),
                |aws, rows| aws.metrics.all_alarms(rows),
            ),
        }
    }

    async fn is_whole_by(&mut self, until: Option<Instant>) -> bool {
        // They are read side by side, whatever is waited for.
        self.targets.is_there_by(until).await
            & self.policies.is_there_by(until).await
            & self.scheduled_actions.is_there_by(until).await
            & self.alarms.is_there_by(until).await
    }

    /// From the first call to the last answer.
    fn took(&self) -> Duration {
        let Self { began: _, since, targets, policies, scheduled_actions, alarms } = self;
        let ended = [targets.ended(), policies.ended(), scheduled_actions.ended(), alarms.ended()];
        ended.into_iter().flatten().max().map_or(Duration::ZERO, |ended| ended - *since)
    }

    fn so_far(&self) -> Listed {
        let began = self.began;
        Listed {
            began,
            targets: self.targets.so_far(began),
            policies: self.policies.so_far(began),
            scheduled_actions: self.scheduled_actions.so_far(began),
            alarms: self.alarms.so_far(began),
        }
    }

    fn whole(self) -> Listed {
        let mut listed = self.so_far();
        drop(self);
        share_names(&mut listed.policies.all, &listed.alarms.all);
        listed
    }
}

/// A listing that a pass may not wait for.
#[derive(Debug)]
struct Late<T> {
    operation: &'static str,
    task: JoinHandle<(Answer<T>, Instant)>,
    /// What it answered, and when.
    answer: Option<(Answer<T>, Instant)>,
}

impl<T> Drop for Late<T> {
    fn drop(&mut self) {
        // It only reads, so that it may end anywhere.
        self.task.abort();
    }
}

impl<T: Clone + PartialEq + Send + Sync + 'static> Late<T> {
    /// Begins to read a listing, in a task of its own.
    fn begin<R: Send + 'static>(
        (operation, aws, clock): (&'static str, &Aws, &Arc<dyn Clock>),
        of: fn(&R) -> Option<ResourceId>,
        last: Option<&Answer<T>>,
        read_all: for<'a> fn(&'a Aws, &'a mut Collected<R, T>) -> BoxFuture<'a, PortResult<()>>,
    ) -> Self
    where
        T: Part<R>,
    {
        let (aws, clock) = (aws.clone(), Arc::clone(clock));
        let before = last.and_then(|last| last.all.known().cloned());
        let task = tokio::spawn(async move {
            let mut collected = Collected::new(of, before);
            let (result, read) = timed(&*clock, operation, read_all(&aws, &mut collected)).await;
            let ended = Instant::now();
            (collected.answer(result, read), ended)
        });
        Self { operation, task, answer: None }
    }

    async fn is_there_by(&mut self, until: Option<Instant>) -> bool {
        if self.answer.is_some() {
            return true;
        }
        let ended = match until {
            Some(until) => tokio::time::timeout_at(until, &mut self.task).await,
            None => Ok((&mut self.task).await),
        };
        let Ok(ended) = ended else { return false };
        // A bug of ours breaks the region that it is in, as anywhere else in its reads.
        self.answer = Some(ended.unwrap_or_else(|error| resume_unwind(error.into_panic())));
        true
    }

    fn ended(&self) -> Option<Instant> {
        self.answer.as_ref().map(|(_, ended)| *ended)
    }

    fn so_far(&self, began: Timestamp) -> Answer<T> {
        let not_yet = || {
            let why = Why::new(WhyKind::NotReadYet, "not read yet: the listing is under way");
            Answer::unknown(why, Read::new(self.operation, began))
        };
        self.answer.as_ref().map_or_else(not_yet, |(answer, _)| answer.clone())
    }
}

/// What a policy calls its alarms is what they are called themselves, and each of thousands of variants has two: the
/// names are kept once. What an earlier listing said as well has been shared then.
fn share_names(policies: &mut Fact<Parts<Vec<ScalingPolicy>>>, alarms: &Fact<Parts<Vec<Alarm>>>) {
    let (Fact::Known(policies), Fact::Known(alarms)) = (policies, alarms) else { return };
    for (resource, part) in policies.iter_mut() {
        let (Some(Fact::Known(own)), Some(alarms)) = (part.own(), alarms.get(resource)) else {
            continue;
        };
        for name in own.iter_mut().filter_map(|policy| policy.alarm_names.as_mut()).flatten() {
            let mut alarms = alarms.known().into_iter().flatten();
            if let Some(alarm) = alarms.find(|alarm| alarm.name == *name) {
                Arc::clone_from(name, &alarm.name);
            }
        }
    }
}
