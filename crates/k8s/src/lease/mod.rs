//! The Lease loop as a state machine: instants and answers in, the next request out. It has no
//! clock, no network and no randomness, so that its properties can be tested at any speed.
//!
//! The semantics are those of Kubernetes' own leader election: a holder renews every retry period;
//! when it could not for the renew deadline it is no longer the leader; others take over when the
//! record has not changed for the lease duration. Instants in the record are for people: whether it
//! has expired is judged by this machine's clock alone, from when a change of the record was first
//! seen, so the clocks of two machines need not agree. Only their *rates* must, to within
//! lease duration / renew deadline.

pub mod rivals;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::fence::BootTime;

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For how long a record that does not change is respected.
    pub lease_duration: Duration,
    /// For how long after the start of its last renewal a leader may begin to write.
    pub renew_deadline: Duration,
    /// Between two requests.
    pub retry_period: Duration,
}

impl Timing {
    /// The longest that one request may take: a hanging one must leave time for a second try.
    fn request_timeout(self) -> Duration {
        self.renew_deadline / 2
    }
}

/// A Lease, as read or as answered to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; absent when it was released.
    pub holder: Option<String>,
    /// How long the holder asks others to respect it; absent when it says nothing.
    pub lease_duration: Option<Duration>,
    /// How often the holder has changed.
    pub transitions: i32,
    /// The version that a write names, so that it fails when another one came first.
    pub version: String,
}

/// What to ask of the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Read,
    /// Makes the Lease, which does not exist, with this process as its holder.
    Create,
    /// Writes this process into the Lease, if it still has this version.
    Hold {
        /// The version it must still have.
        version: String,
        /// How often the holder has changed, this change included.
        transitions: i32,
        /// Whether this process does not hold it yet.
        acquire: bool,
    },
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this now, and give up on it after `timeout`.
    Send {
        /// What.
        request: Request,
        /// How long it may take.
        timeout: Duration,
    },
    /// Nothing until then.
    Wait(BootTime),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The Lease as it is now, read or written; absent when there is none.
    Record(Option<Record>),
    /// Another write came first.
    Conflict,
    /// No answer, or none that helps. A write may have taken effect all the same.
    Failed,
}

/// Who this process believes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Somebody else leads, or nobody.
    Follower,
    /// This process leads.
    Leader {
        /// When the request of the last successful renewal was sent.
        renewed_at: BootTime,
    },
}

/// One candidate's view of the election.
#[derive(Debug, Clone)]
pub struct Election {
    identity: String,
    timing: Timing,
    role: Role,
    terms: u64,
    /// The Lease, absent when there is none, and when it was first seen to be as it is.
    seen: Option<(Option<Record>, BootTime)>,
    /// When the last look was sent that found no Lease.
    absent_at: Option<BootTime>,
    /// What to send when the time has come.
    next: Request,
    /// When that is; at once if absent.
    not_before: Option<BootTime>,
}

impl Election {
    /// A candidate that knows nothing yet. `identity` must be this process's alone.
    pub fn new(identity: impl Into<String>, timing: Timing) -> Self {
        Self {
            identity: identity.into(),
            timing,
            role: Role::Follower,
            terms: 0,
            seen: None,
            absent_at: None,
            next: Request::Read,
            not_before: None,
        }
    }

    /// Who holds the Lease, as far as this process has seen.
    pub fn holder(&self) -> Option<&str> {
        let (record, _) = self.seen.as_ref()?;
        record.as_ref()?.holder.as_deref()
    }

    /// The number of this process's terms so far: a term that ended is not the one that follows.
    pub const fn terms(&self) -> u64 {
        self.terms
    }

    /// Until when this process may begin to write; absent when it does not lead.
    pub fn may_write_until(&self) -> Option<BootTime> {
        match self.role {
            Role::Follower => None,
            Role::Leader { renewed_at } => Some(renewed_at.after(self.timing.renew_deadline)),
        }
    }

    /// What to do at this instant. A leader whose renew deadline has passed is one no longer.
    pub fn step(&mut self, now: BootTime) -> Step {
        if self.may_write_until().is_some_and(|until| now >= until) {
            self.follow();
        }
        let due = self.not_before.is_none_or(|at| now >= at);
        if !due {
            let wake = self.not_before.unwrap_or(now);
            // The deadline ends the term even when no request is due before it.
            return Step::Wait(self.may_write_until().map_or(wake, |until| wake.min(until)));
        }
        let mut timeout = self.timing.request_timeout();
        if let Some(until) = self.may_write_until() {
            timeout = timeout.min(now.until(until));
        }
        Step::Send { request: self.next.clone(), timeout }
    }

    /// Takes in what came of `request`, sent at `sent` and answered at `now`.
    pub fn answered(&mut self, request: &Request, answer: Answer, sent: BootTime, now: BootTime) {
        if self.may_write_until().is_some_and(|until| now >= until) {
            self.follow();
        }
        self.not_before = Some(sent.after(self.timing.retry_period));
        match (request, answer) {
            (Request::Read, Answer::Record(record)) => self.read(record, sent, now),
            (_, Answer::Record(Some(record))) => self.wrote(record, sent, now),
            // A write to a Lease that is gone.
            (_, Answer::Record(None)) => self.read(None, sent, now),
            (_, Answer::Conflict) => {
                self.next = Request::Read;
                if matches!(self.role, Role::Leader { .. }) {
                    // Whoever wrote may lead now: this cannot wait.
                    self.not_before = None;
                }
            }
            (_, Answer::Failed) => self.next = Request::Read,
        }
    }

    /// Ends this process's leadership: it is about to release the Lease.
    pub fn resign(&mut self) {
        self.follow();
    }

    fn follow(&mut self) {
        self.role = Role::Follower;
        self.next = Request::Read;
        self.not_before = None;
    }

    /// The Lease is as read: takes it, makes it, or waits.
    fn read(&mut self, record: Option<Record>, sent: BootTime, now: BootTime) {
        let version = |record: &Option<Record>| record.as_ref().map(|r| r.version.clone());
        let since = match &self.seen {
            // Any write is a sign of life, also one that changes nothing people look at.
            // "Absent" has no version: a Lease may have come and gone since the last look, so the
            // absence must have been seen without a gap.
            Some((seen, since)) if version(seen) == version(&record) && self.no_gap(sent, now) => {
                *since
            }
            _ => now,
        };
        self.absent_at = record.is_none().then_some(sent);
        self.seen = Some((record.clone(), since));
        let holder = record.as_ref().and_then(|r| r.holder.as_deref());
        // Its own: a renewal whose answer was lost, or one found again after a pause.
        let own = holder == Some(self.identity.as_str());
        let released = record.is_some() && holder.is_none();
        let asked = record.as_ref().and_then(|r| r.lease_duration).unwrap_or_default();
        // A Lease that is gone was perhaps deleted under a leader, who does not know yet.
        let expires = since.after(asked.max(self.timing.lease_duration));
        if own || released || now >= expires {
            self.next = record.map_or(Request::Create, |record| Request::Hold {
                version: record.version,
                transitions: record.transitions.saturating_add(i32::from(!own)),
                acquire: !own,
            });
            self.not_before = None;
        } else {
            self.follow();
            self.not_before = Some(now.after(self.timing.retry_period).min(expires));
        }
    }

    /// Whether the Lease, if it was absent at the last look, has been looked at again soon enough
    /// to have missed no leader: one that came and went was there for less than three periods.
    fn no_gap(&self, sent: BootTime, now: BootTime) -> bool {
        let period = self.timing.retry_period;
        self.absent_at.is_none_or(|before| sent >= before && now < before.after(period * 3))
    }

    /// The Lease is as this process wrote it.
    fn wrote(&mut self, record: Record, sent: BootTime, now: BootTime) {
        let (version, transitions) = (record.version.clone(), record.transitions);
        self.seen = Some((Some(record), now));
        if now < sent.after(self.timing.renew_deadline) {
            self.terms += u64::from(self.role == Role::Follower);
            self.role = Role::Leader { renewed_at: sent };
            self.next = Request::Hold { version, transitions, acquire: false };
        } else {
            // Held, but for too long already to write on.
            self.follow();
        }
    }
}
