//! The entry relay of a client. It is pinned, because a client that keeps drawing entries sooner or
//! later draws one of an adversary who runs a few relays.

use minicbor::{Decode, Encode};
use wire::document::NetworkDocument;
use wire::{Address, NodeId, Timestamp};

/// How long an entry stays pinned, ms (30 days).
pub(crate) const PIN_MS: u64 = 30 * 24 * 3_600_000;
/// Length of the list: the first entry is used, the others stand in while it is down.
const MAX_PINS: usize = 3;
/// How long a failed entry is skipped before it is tried again, ms.
const RETRY_MS: u64 = 60_000;

/// How a client chooses its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EntryPolicy {
    /// Keep the same entry for 30 days.
    #[default]
    Pinned,
    /// Draw one at each start; for trials.
    Random,
    /// This one and no other; for whoever looks for what is broken.
    Only(NodeId),
}

/// Which addresses can be dialled from here: a relay behind an onion service is no entry for
/// somebody without Tor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dials {
    /// All.
    #[default]
    All,
    /// All but onion services.
    NoOnion,
    /// Nothing but onion services.
    OnionOnly,
}

impl Dials {
    /// Those of the relays that can be dialled; all of them if there is none, for then the shell
    /// says what is in the way.
    pub(crate) fn among(self, relays: Vec<NodeId>, document: &NetworkDocument) -> Vec<NodeId> {
        let dialled = |address: &Address| match self {
            Dials::All => true,
            Dials::NoOnion => !address.is_onion(),
            Dials::OnionOnly => address.is_onion(),
        };
        let reached =
            |id: &&NodeId| document.node(id).is_some_and(|node| node.addresses.iter().any(dialled));
        let some: Vec<NodeId> = relays.iter().filter(reached).copied().collect();
        if some.is_empty() { relays } else { some }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Pin {
    #[n(0)]
    relay: NodeId,
    #[n(1)]
    since: Timestamp,
    /// Skipped until this time.
    #[n(2)]
    retry_at: Timestamp,
}

/// The pinned entries, most preferred first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct EntryPins {
    #[n(0)]
    pins: Vec<Pin>,
    /// The entry used while no pinned one is in the document, as happens in a network whose relays
    /// are all ephemeral.
    #[n(1)]
    stand_in: Option<NodeId>,
}

impl EntryPins {
    /// Chooses the entry to use now among `relays`, which are in random order, and takes new pins
    /// for missing or expired ones from them (`PATH-005`).
    pub(crate) fn choose(&mut self, now: Timestamp, relays: &[NodeId]) -> Option<NodeId> {
        self.pins.retain(|p| now.millis_since(p.since) < PIN_MS);
        self.pins.truncate(MAX_PINS);
        let fresh: Vec<NodeId> =
            relays.iter().filter(|r| self.pins.iter().all(|p| p.relay != **r)).copied().collect();
        // An absent pin keeps its place. If absence freed it, an adversary could push a client from
        // relay to relay, until it lands on one of the adversary's, by taking relays down.
        for relay in fresh {
            if self.pins.len() >= MAX_PINS {
                break;
            }
            self.pins.push(Pin { relay, since: now, retry_at: Timestamp::ZERO });
        }
        let here = |p: &&Pin| relays.contains(&p.relay);
        let ready = self.pins.iter().filter(here).find(|p| p.retry_at <= now);
        // All have failed recently: take the one that may be retried first.
        let chosen = ready.or_else(|| self.pins.iter().filter(here).min_by_key(|p| p.retry_at));
        if let Some(pin) = chosen {
            let relay = pin.relay;
            self.stand_in = None;
            return Some(relay);
        }
        let kept = self.stand_in.filter(|r| relays.contains(r));
        self.stand_in = kept.or_else(|| relays.first().copied());
        self.stand_in
    }

    /// Notes that an entry does not answer. It is skipped for a minute.
    pub(crate) fn failed(&mut self, now: Timestamp, relay: &NodeId) {
        for pin in self.pins.iter_mut().filter(|p| p.relay == *relay) {
            pin.retry_at = now.plus_millis(RETRY_MS);
        }
        self.stand_in = self.stand_in.filter(|r| r != relay);
    }
}
