//! Whether a hub answers at all.
//!
//! ```text
//!               two packets lost, and 20 s without an answer
//! [answers] ──────────────────────────────────────────────────► [silent]
//!     ▲                                                             │
//!     └──────────────────────── any answer ─────────────────────────┘
//! ```
//!
//! The link to the entry may be up while nothing comes back through it: the hub may be dead, or
//! apart from the relays, or from the directory that would say so. One lost packet says little,
//! for a relay may have eaten it.

use std::collections::BTreeMap;

use wire::{NodeId, Timestamp};

/// Packets that must be lost since the hub was heard.
const LOST: u32 = 2;
/// How long the hub must not have been heard, ms.
const SILENT_MS: u64 = 20_000;

#[derive(Debug, Default)]
struct Hub {
    heard: Timestamp,
    lost: u32,
    /// Since when it says nothing, as far as the lost packets show.
    since: Timestamp,
}

/// What a client has heard of its hubs.
#[derive(Debug, Default)]
pub(super) struct Silence(BTreeMap<NodeId, Hub>);

impl Silence {
    /// An answer came.
    pub(super) fn heard(&mut self, now: Timestamp, hub: NodeId) {
        *self.0.entry(hub).or_default() = Hub { heard: now, ..Hub::default() };
    }

    /// A packet that was sent then has not come back in time.
    pub(super) fn lost(&mut self, sent: Timestamp, hub: NodeId) {
        let hub = self.0.entry(hub).or_default();
        let since = sent.max(hub.heard);
        hub.since = if hub.lost == 0 { since } else { hub.since.min(since) };
        hub.lost = hub.lost.saturating_add(1);
    }

    /// Whether the hub is silent.
    pub(super) fn of(&self, now: Timestamp, hub: &NodeId) -> bool {
        let Some(hub) = self.0.get(hub) else { return false };
        hub.lost >= LOST && now.millis_since(hub.since) >= SILENT_MS
    }

    /// Everything that was asked is asked again: what was lost before says nothing any more.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Hubs that are gone are forgotten.
    pub(super) fn retain(&mut self, is_there: impl Fn(&NodeId) -> bool) {
        self.0.retain(|hub, _| is_there(hub));
    }
}
