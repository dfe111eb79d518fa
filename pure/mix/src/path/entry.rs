//! The entry relay: pinned, so that an adversary who runs some relays does not see a client sooner
//! or later.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use wire::{NodeId, Timestamp};

use super::{below, shuffle};

/// How long an entry stays pinned, ms: 30 days.
pub const PIN_MS: u64 = 30 * 24 * 3_600_000;
/// Entries in the list: the first is used, the others stand in while it is away.
pub const MAX_PINS: usize = 3;
/// How long a failed entry is passed over before it is tried again, ms.
const RETRY_MS: u64 = 60_000;

/// How a client chooses its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EntryPolicy {
    /// The same for 30 days.
    #[default]
    Pinned,
    /// Another at each start: for trials.
    Random,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Pin {
    #[n(0)]
    relay: NodeId,
    #[n(1)]
    since: Timestamp,
    /// Passed over until then.
    #[n(2)]
    retry_at: Timestamp,
}

/// The pinned entries, in the order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct EntryPins {
    #[n(0)]
    pins: Vec<Pin>,
    /// The entry while no pinned one is in the document: a network of ephemeral relays has new ones
    /// only.
    #[n(1)]
    stand_in: Option<NodeId>,
}

impl EntryPins {
    /// The entry to use now among the relays there are. Draws pins where some are missing or have
    /// expired (`PATH-005`).
    pub fn choose<R: CryptoRng>(
        &mut self,
        now: Timestamp,
        relays: &[NodeId],
        rng: &mut R,
    ) -> Option<NodeId> {
        self.pins.retain(|p| now.millis_since(p.since) < PIN_MS);
        self.pins.truncate(MAX_PINS);
        let mut fresh: Vec<NodeId> =
            relays.iter().filter(|r| self.pins.iter().all(|p| p.relay != **r)).copied().collect();
        shuffle(rng, &mut fresh);
        // A pin that is away keeps its place: it may come back.
        for relay in fresh {
            if self.pins.len() >= MAX_PINS {
                break;
            }
            self.pins.push(Pin { relay, since: now, retry_at: Timestamp::ZERO });
        }
        let here = |p: &&Pin| relays.contains(&p.relay);
        let ready = self.pins.iter().filter(here).find(|p| p.retry_at <= now);
        // All failed lately: the one whose rest is over first.
        let chosen = ready.or_else(|| self.pins.iter().filter(here).min_by_key(|p| p.retry_at));
        if let Some(pin) = chosen {
            let relay = pin.relay;
            self.stand_in = None;
            return Some(relay);
        }
        let kept = self.stand_in.filter(|r| relays.contains(r));
        self.stand_in =
            kept.or_else(|| below(rng, relays.len()).and_then(|n| relays.get(n).copied()));
        self.stand_in
    }

    /// An entry does not answer: it is passed over for a while.
    pub fn failed(&mut self, now: Timestamp, relay: &NodeId) {
        for pin in self.pins.iter_mut().filter(|p| p.relay == *relay) {
            pin.retry_at = now.plus_millis(RETRY_MS);
        }
        self.stand_in = self.stand_in.filter(|r| r != relay);
    }

    /// When a preferred entry's rest is over, if one is resting.
    #[must_use]
    pub fn retry_at(&self) -> Option<Timestamp> {
        self.pins.iter().map(|p| p.retry_at).filter(|t| *t > Timestamp::ZERO).min()
    }
}
