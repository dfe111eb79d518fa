//! SURBs on their way, and what becomes of the packets that brought them out.

use sphinx::SurbKeys;
use wire::{NodeId, Timestamp};

use super::{OnionClient, Output, RequestHandle};
use crate::tally::Receipt;

/// What a SURB that may come back is for.
pub(super) enum SurbFor {
    Request(RequestHandle),
    /// When it counts as lost; none once that was noted.
    Loop {
        due: Option<Timestamp>,
        /// The number under which somebody waits for it.
        probe: Option<u32>,
    },
}

/// The way of a packet and its answer.
pub(super) struct Way {
    sent: Option<Timestamp>,
    hub: NodeId,
    route: Vec<NodeId>,
}

/// A SURB that may come back.
pub(super) struct PendingSurb {
    pub(super) keys: SurbKeys,
    pub(super) epoch: u64,
    pub(super) what: SurbFor,
    /// When the packet left; none once the link that it left by is gone.
    pub(super) sent: Option<Timestamp>,
    /// The hub that answers with it.
    pub(super) hub: NodeId,
    /// From the entry to the hub and back.
    pub(super) route: Vec<NodeId>,
    pub(super) receipt: Option<Box<Receipt>>,
}

impl PendingSurb {
    /// When it counts as lost.
    pub(super) const fn due(&self) -> Option<Timestamp> {
        match self.what {
            SurbFor::Loop { due, .. } => due,
            SurbFor::Request(_) => None,
        }
    }

    /// Its way and number, once, when a loop is overdue.
    pub(super) fn lost(&mut self, now: Timestamp) -> Option<(Way, Option<u32>)> {
        match &mut self.what {
            SurbFor::Loop { due, probe } if due.is_some_and(|due| due <= now) => {
                *due = None;
                let probe = *probe;
                Some((self.way(), probe))
            }
            _ => None,
        }
    }

    /// The way that it takes.
    pub(super) fn way(&self) -> Way {
        Way { sent: self.sent, hub: self.hub, route: self.route.clone() }
    }
}

impl OnionClient {
    /// Nodes and links that lose packets, and for how long they have been avoided, ms. For relays,
    /// which report them: a client's own would show whom it uses.
    #[must_use]
    pub fn suspects(&self, now: Timestamp) -> Vec<(crate::Fault, u64)> {
        self.health.suspects(now)
    }

    pub(super) fn probed(&mut self, probe: Option<u32>, came_back: bool) {
        self.out.extend(probe.map(|probe| Output::Probed { probe, came_back }));
    }

    /// A packet came back, or is lost. While the link is away nothing comes back, and nobody on
    /// the way is to blame.
    pub(super) fn note(&mut self, now: Timestamp, way: &Way, came_back: bool) {
        if !self.up && !came_back {
            return;
        }
        match way.sent {
            _ if came_back => self.silence.heard(now, way.hub),
            Some(sent) => self.silence.lost(sent, way.hub),
            None => {}
        }
        let before = self.health.avoided();
        self.health.note(now, &way.route, came_back);
        let avoided = self.health.avoided();
        if avoided != before {
            self.out.push_back(Output::Avoided(avoided));
        }
    }
}
