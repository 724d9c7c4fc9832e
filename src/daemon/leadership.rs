//! Whether this process makes passes, over time.

use std::sync::Arc;

use tokio::sync::watch;

use crate::http::Leading;
use crate::model::leader::Leader;
use crate::ports::Leadership;

/// How it is decided whether this process makes passes and writes (rule 23).
#[derive(Clone)]
pub enum LeadershipSource {
    /// There is no other: it always does.
    Alone(Arc<dyn Leadership>),
    /// In the terms that come and go here, none at first. A term that has ended never comes back.
    Elected(watch::Receiver<Option<Arc<dyn Leadership>>>, Lease),
}

/// The Lease by which a leader is elected, for those who look for it.
#[derive(Clone)]
pub struct Lease {
    pub name: String,
    /// Who holds it, as last seen.
    pub holder: watch::Receiver<Leader>,
}

/// The election has ended: this process will never lead again.
pub(super) struct ElectionEnded;

impl LeadershipSource {
    /// The term under way, from which [`Self::has_news`] and [`Self::changed`] count.
    pub(super) fn term(&mut self) -> Option<Arc<dyn Leadership>> {
        match self {
            Self::Alone(leadership) => Some(Arc::clone(leadership)),
            // Nobody renews for an election that has ended.
            Self::Elected(terms, _) if terms.has_changed().is_err() => None,
            Self::Elected(terms, _) => terms.borrow_and_update().clone(),
        }
    }

    /// The term under way, without taking note of it.
    pub(super) fn present(&self) -> Option<Arc<dyn Leadership>> {
        match self {
            Self::Alone(leadership) => Some(Arc::clone(leadership)),
            Self::Elected(terms, _) => terms.borrow().clone(),
        }
    }

    /// Whether the term under way is another one than at the last look.
    pub(super) fn has_news(&self) -> bool {
        match self {
            Self::Alone(_) => false,
            Self::Elected(terms, _) => terms.has_changed().unwrap_or(true),
        }
    }

    /// A sentence for those who ask a process that does not lead.
    pub(super) fn who_leads(&self) -> String {
        let Self::Elected(_, lease) = self else { return "no process leads".to_owned() };
        let name = &lease.name;
        match &lease.holder.borrow().pod {
            Some(pod) => format!(
                "another process leads: pod {pod} holds the Lease {name} (give the command there, \
                 with kubectl exec {pod} -- setpoint ...)"
            ),
            None => format!(
                "no process leads that is known here (who holds the Lease: kubectl get lease \
                 {name} -o jsonpath='{{.spec.holderIdentity}}')"
            ),
        }
    }

    /// Waits until the term under way at the last look has ended, or one has begun.
    pub(super) async fn changed(&self) -> Result<(), ElectionEnded> {
        match self {
            Self::Alone(_) => std::future::pending().await,
            // A clone, so that the change is still news.
            Self::Elected(terms, _) => terms.clone().changed().await.map_err(|_| ElectionEnded),
        }
    }
}

impl Leading for LeadershipSource {
    fn follows(&self) -> Option<Leader> {
        match self {
            Self::Elected(terms, lease) if terms.borrow().is_none() => {
                Some(lease.holder.borrow().clone())
            }
            Self::Alone(_) | Self::Elected(..) => None,
        }
    }
}
