//! How many may be connected at once, from one address and from all.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How many may connect, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connections: usize,
    /// Those of them from one address; of IPv6, from one network of 64 bits.
    pub per_address: usize,
    /// Connections beyond those, for the paths that must always be answered. With none, accepting
    /// waits for a free place.
    pub reserved: usize,
    /// For a whole request's head, from the beginning of the connection or the end of the last
    /// answer.
    pub head: Duration,
    /// The same, in a reserved place.
    pub reserved_head: Duration,
    /// For an answer of which the other end takes nothing.
    pub stall: Duration,
    /// For requests under way after a shutdown has begun.
    pub grace: Duration,
}

/// What a connection's task, its stream and its place share.
#[derive(Debug, Default)]
pub(crate) struct State {
    reset: AtomicBool,
    working: AtomicUsize,
    sent_away: Notify,
}

impl State {
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }

    /// A request is being answered until this is dropped.
    pub(crate) fn work(&self) -> Working<'_> {
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    fn works(&self) -> bool {
        self.working.load(Ordering::Relaxed) > 0
    }

    /// Is done when the place is needed for another.
    pub(crate) async fn sent_away(&self) {
        self.sent_away.notified().await;
    }
}

pub(crate) struct Working<'a>(&'a State);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(crate) struct Places {
    limits: Limits,
    ordinary: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    networks: BTreeMap<IpAddr, usize>,
    /// The connections in reserved places, oldest first.
    reserved: VecDeque<Arc<State>>,
}

/// A place of a connection; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    state: Arc<State>,
    /// The network of an ordinary place.
    network: Option<IpAddr>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        let ordinary = Arc::new(Semaphore::new(limits.connections));
        Arc::new(Self { limits, ordinary, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing is done under the lock that could leave it half changed.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free place, where there are no reserved ones.
    pub(crate) async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        if self.limits.reserved > 0 {
            return None;
        }
        // The semaphore is never closed; if it were, going on without a permit does no harm.
        Arc::clone(&self.ordinary).acquire_owned().await.ok()
    }

    /// A place for a connection from this address, with the permit that was waited for.
    pub(crate) fn take(
        self: &Arc<Self>,
        peer: IpAddr,
        waited: Option<OwnedSemaphorePermit>,
    ) -> Place {
        let network = network_of(peer);
        let mut taken = self.taken();
        let here = taken.networks.get(&network).copied().unwrap_or_default();
        let permit = waited.or_else(|| {
            let allowed = here < self.limits.per_address;
            allowed.then(|| Arc::clone(&self.ordinary).try_acquire_owned().ok()).flatten()
        });
        let (places, state) = (Arc::clone(self), Arc::new(State::default()));
        if permit.is_some() {
            *taken.networks.entry(network).or_default() += 1;
            return Place { places, state, network: Some(network), _permit: permit };
        }
        if taken.reserved.is_empty() {
            tracing::warn!(
                %peer,
                connections = self.limits.connections,
                per_address = self.limits.per_address,
                "too many connections: only probes and metrics are answered beyond them"
            );
        }
        if taken.reserved.len() >= self.limits.reserved {
            // Whoever has sent nothing goes first. A probe is answered as soon as it has come.
            let idle = taken.reserved.iter().position(|state| !state.works());
            if let Some(oldest) = taken.reserved.remove(idle.unwrap_or(0)) {
                oldest.sent_away.notify_one();
            }
        }
        taken.reserved.push_back(Arc::clone(&state));
        Place { places, state, network: None, _permit: None }
    }
}

impl Place {
    pub(crate) const fn state(&self) -> &Arc<State> {
        &self.state
    }

    pub(crate) const fn is_reserved(&self) -> bool {
        self.network.is_none()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(network) = self.network {
            if let Some(count) = taken.networks.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    taken.networks.remove(&network);
                }
            }
        } else {
            taken.reserved.retain(|state| !Arc::ptr_eq(state, &self.state));
        }
    }
}

/// What counts as one address: of IPv6 the 64 bits that a site gives to one host.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, per_address: usize, reserved: usize) -> Arc<Places> {
        let time = Duration::from_secs(1);
        let (head, reserved_head, stall, grace) = (time, time, time, time);
        Places::new(Limits {
            connections,
            per_address,
            reserved,
            head,
            reserved_head,
            stall,
            grace,
        })
    }

    fn take(places: &Arc<Places>, peer: &str) -> Place {
        places.take(peer.parse().unwrap(), None)
    }

    #[test]
    fn one_address_takes_its_share_and_leaves_the_others_theirs() {
        let places = places(3, 2, 9);
        let first = [take(&places, "192.0.2.1"), take(&places, "192.0.2.1")];
        assert!(first.iter().all(|place| !place.is_reserved()));
        let third = take(&places, "192.0.2.1");
        assert!(third.is_reserved());
        let other = take(&places, "192.0.2.2");
        assert!(!other.is_reserved());
        assert!(take(&places, "192.0.2.3").is_reserved(), "all three are taken");
        drop(first);
        assert!(!take(&places, "192.0.2.1").is_reserved());
        // Of IPv6 a host has as many addresses as it likes.
        let six = [take(&places, "2001:db8::1"), take(&places, "2001:db8::2")];
        assert!(take(&places, "2001:db8::3").is_reserved() && !six[1].is_reserved());
        drop((third, other, six));
        assert!(places.taken().networks.is_empty() && places.taken().reserved.is_empty());
    }

    #[tokio::test]
    async fn in_the_reserved_places_the_oldest_that_says_nothing_makes_room() {
        let places = places(0, 9, 2);
        let [working, idle] = [take(&places, "192.0.2.1"), take(&places, "192.0.2.1")];
        let work = working.state().work();
        let newer = take(&places, "192.0.2.1");
        idle.state().sent_away().await;
        let _work_too = newer.state().work();
        let _newest = take(&places, "192.0.2.1");
        working.state().sent_away().await;
        drop(work);
        assert_eq!(places.taken().reserved.len(), 2);
        drop((idle, working));
        assert_eq!(places.taken().reserved.len(), 2, "they had none any more");
    }

    #[tokio::test]
    async fn without_reserved_places_accepting_waits() {
        let places = places(1, 1, 0);
        let permit = places.wait().await;
        let first = places.take("192.0.2.1".parse().unwrap(), permit);
        assert!(!first.is_reserved());
        let waits = tokio::time::timeout(Duration::from_millis(20), places.wait());
        assert!(waits.await.is_err());
        drop(first);
        assert!(places.wait().await.is_some());
    }
}
