//! What a reader does for a hub: it looks for boxes that came by the LAN, and brings those that are
//! missing.
//!
//! ```text
//! a box came by the LAN ──► owed ── 10 s ──► looked for at its hub ──► there: settled
//!                             ▲                                    └─► missing: brought ──► settled
//!                             └──────────── the hub is not in reach ───────┘
//! ```

use std::collections::HashSet;

use messenger::Reach;
use messenger::event::PlaceId;
use messenger::request::{Call, CallId};
use streams::{BoxId, VerifiedBox};
use wire::hub::PutOutcome;

use super::{Near, carrying, name_of};
use crate::carriers::Carriers;
use crate::core::Core;

/// How long a box that came by the LAN waits before its reader looks whether the hub lacks it, ms:
/// its author may be faster.
const OWE_AFTER_MS: u64 = 10_000;
/// Boxes that the hub is asked about at a time.
const LOOK_AT: u32 = 16;

/// A request to a hub that the messenger knows nothing of.
pub(super) enum Errand {
    Look(PlaceId, Vec<BoxId>),
    Bring(PlaceId, BoxId),
}

impl Near {
    /// The hub of this place may lack these.
    pub(super) fn owe(&mut self, core: &mut Core, place: PlaceId, ids: &[BoxId]) {
        let Some((network, _)) = core.messenger.place(place).filter(|(n, _)| !n.is_lan()) else {
            return;
        };
        let name = name_of(network);
        let done = carrying(&core.vault, |table| {
            ids.iter().try_for_each(|id| table.owe(&name, id)).map_err(mesh::Error::from)
        });
        core.tell_refusal(done);
        self.errand_at = self.errand_at.min(core.local().plus_millis(OWE_AFTER_MS));
    }

    /// Looks, at each hub in reach, for boxes that came by the LAN.
    pub(super) fn run_errands(&mut self, core: &mut Core, carriers: &mut Carriers) {
        let mut seen = HashSet::new();
        let hubs: Vec<(PlaceId, [u8; 32])> = core
            .messenger
            .places()
            .into_iter()
            .filter(|p| self.reaches.get(p) == Some(&Reach::Hub))
            .filter_map(|p| Some((p, name_of(core.messenger.place(p)?.0))))
            .filter(|(_, name)| seen.insert(*name))
            .collect();
        for (place, name) in hubs {
            let owed = carrying(&core.vault, |table| {
                table.owed(&name, LOOK_AT).map_err(mesh::Error::from)
            });
            let Some(owed) = owed.ok().filter(|owed| !owed.is_empty()) else { continue };
            self.errand(carriers, place, Call::Look(owed.clone()), Errand::Look(place, owed));
        }
    }

    fn errand(&mut self, carriers: &mut Carriers, place: PlaceId, call: Call, errand: Errand) {
        let id = CallId(self.next_errand);
        self.next_errand += 1;
        self.errands.insert(id, errand);
        carriers.call(place, id, call);
    }

    /// An answer of a hub to an errand; false when it is one for the messenger.
    pub(crate) fn errand_answered(
        &mut self,
        core: &mut Core,
        carriers: &mut Carriers,
        id: CallId,
        present: Option<&[VerifiedBox]>,
        outcome: Option<PutOutcome>,
    ) -> bool {
        let Some(errand) = self.errands.remove(&id) else { return false };
        match (errand, present, outcome) {
            (Errand::Look(place, ids), Some(present), _) => {
                let there: Vec<BoxId> = present.iter().map(VerifiedBox::id).collect();
                let missing: Vec<BoxId> =
                    ids.into_iter().filter(|id| !there.contains(id)).collect();
                Self::settle(core, place, &there);
                let carried = self
                    .gossip(core, carriers, |node, step| node.look(step.store, &missing))
                    .unwrap_or_default();
                for content in carried {
                    let bring = Errand::Bring(place, content.id());
                    self.errand(carriers, place, Call::Put(content.into_sealed()), bring);
                }
            }
            (Errand::Bring(place, id), _, Some(outcome))
                if outcome.is_stored() || outcome == PutOutcome::Taken =>
            {
                Self::settle(core, place, &[id]);
            }
            _ => {}
        }
        if self.errands.is_empty() {
            self.errand_at = self.errand_at.min(core.local().plus_millis(OWE_AFTER_MS));
        }
        true
    }

    fn settle(core: &mut Core, place: PlaceId, ids: &[BoxId]) {
        let Some(name) = core.messenger.place(place).map(|(network, _)| name_of(network)) else {
            return;
        };
        let done =
            carrying(&core.vault, |table| table.settle(&name, ids).map_err(mesh::Error::from));
        core.tell_refusal(done);
    }
}
