//! A pause, or its end, is shown as soon as it holds, and not only when the next pass has ended.

use std::sync::Arc;

use super::Daemon;
use crate::model::fact::Fact;
use crate::model::goal::Pause;
use crate::model::ids::VariantId;
use crate::model::pauses::Pauses;
use crate::model::selector::Selector;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;

impl Daemon {
    /// Shows a pause of one variant.
    pub(super) fn show_pause(&self, of: &Selector, pause: &Pause) {
        self.show_changed(of, |_, status| remembered(status, Some(pause)));
    }

    /// Shows a pause of several variants.
    pub(super) fn show_pauses(&self, of: &Selector, pauses: &Pauses, now: Timestamp) {
        self.show_changed(of, |id, status| pauses.hold(id, &mut status.goal, now));
    }

    /// Shows the end of pauses: what still holds is the configuration's, or a pause of several.
    pub(super) fn show_resumed(&self, of: &Selector, pauses: &Pauses, now: Timestamp) {
        let config = self.shared.config();
        self.show_changed(of, |id, status| {
            status.goal.paused = config.goal(id).ok().and_then(|goal| goal.paused);
            pauses.hold(id, &mut status.goal, now);
            remembered(status, None);
        });
    }

    fn show_changed(&self, of: &Selector, change: impl Fn(&VariantId, &mut VariantStatus)) {
        let mut fleet = (*self.parts.fleet.get()).clone();
        let mut any = false;
        for (id, status) in fleet.variants.iter_mut().filter(|(id, _)| of.matches(id)) {
            any = true;
            change(id, Arc::make_mut(status));
        }
        // Before the first pass there is nothing to show it of.
        if any {
            self.show(Arc::new(fleet));
        }
    }
}

fn remembered(status: &mut VariantStatus, pause: Option<&Pause>) {
    if let Fact::Known(memory) = &mut status.snapshot.memory {
        memory.pause = pause.cloned();
    }
}
