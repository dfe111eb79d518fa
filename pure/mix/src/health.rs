//! Which nodes, and which links between them, eat packets: what a client concludes from its own.
//!
//! A packet that comes back clears every node and link that it passed. One that is lost accuses
//! them all, and whoever is accused [`ACCUSED`] times since it was last cleared is avoided, the
//! likeliest first. Without any packet that came back nobody is accused: then the entry, the hub or
//! our own line is at fault, and those are looked after elsewhere (PATH-007).
//!
//! ```text
//!              lost, 3 times since it was cleared
//! [trusted] ───────────────────────────────────────► [avoided] ── 10 min ─► [trusted]
//!     ▲                                                  │
//!     └────────── a loop came back through it ───────────┘
//! ```
//!
//! A client tells nobody of this, and rates do not depend on it: only the draw of paths does. A
//! relay, which sends loops of its own, tells its directories (`DIR-017`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wire::{NodeId, Timestamp};

/// How often somebody is on a lost packet's way before they are avoided.
const ACCUSED: usize = 3;
/// How long a packet's fate counts, ms.
const WINDOW_MS: u64 = 90_000;
/// How long somebody is avoided at most, ms: then they get another chance.
const AVOID_MS: u64 = 600_000;
/// Most packets that are remembered.
const REMEMBERED: usize = 256;

/// What may be at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A node.
    Node(NodeId),
    /// The way from one node to the next.
    Link(NodeId, NodeId),
}

struct Fate {
    at: Timestamp,
    /// Nodes and links that it passed.
    passed: BTreeSet<Fault>,
    came_back: bool,
}

/// What a client knows of its paths.
#[derive(Default)]
pub(crate) struct Health {
    fates: VecDeque<Fate>,
    avoided: BTreeMap<Fault, Timestamp>,
}

/// All that a packet over these nodes passes, in order, the first and the last of which are the
/// entry.
fn passed(route: &[NodeId]) -> BTreeSet<Fault> {
    let nodes = route.iter().map(|node| Fault::Node(*node));
    let links = route.windows(2).filter_map(|pair| match pair {
        [from, to] => Some(Fault::Link(*from, *to)),
        _ => None,
    });
    nodes.chain(links).collect()
}

impl Health {
    /// A packet over this route came back, or did not come in time.
    pub(crate) fn note(&mut self, now: Timestamp, route: &[NodeId], came_back: bool) {
        let passed = passed(route);
        if came_back {
            self.avoided.retain(|fault, _| !passed.contains(fault));
        }
        self.fates.push_back(Fate { at: now, passed, came_back });
        self.forget(now);
        if !came_back {
            self.accuse(now);
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let old = |fate: &Fate| now.millis_since(fate.at) > WINDOW_MS;
        while self.fates.front().is_some_and(old) || self.fates.len() > REMEMBERED {
            self.fates.pop_front();
        }
        self.avoided.retain(|_, until| now < *until);
    }

    /// Looks for whoever explains most losses, until none is left that explains enough.
    fn accuse(&mut self, now: Timestamp) {
        if !self.fates.iter().any(|fate| fate.came_back) {
            return;
        }
        let mut losses: Vec<BTreeSet<Fault>> = self
            .fates
            .iter()
            .filter(|fate| !fate.came_back)
            .map(|fate| self.open(fate))
            .filter(|open| open.iter().all(|fault| !self.avoided.contains_key(fault)))
            .collect();
        loop {
            let mut counts: BTreeMap<Fault, usize> = BTreeMap::new();
            for fault in losses.iter().flatten() {
                let count = counts.entry(*fault).or_default();
                *count = count.saturating_add(1);
            }
            // Of those that explain equally many, a node comes before its links. Between two nodes
            // only more packets can decide.
            let most = counts.values().copied().max().unwrap_or_default();
            let of = |node: bool| {
                let worst = counts.iter().filter(|(_, count)| **count == most);
                worst.map(|(fault, _)| *fault).filter(move |f| matches!(f, Fault::Node(_)) == node)
            };
            let mut nodes = of(true);
            let fault = match (nodes.next(), nodes.next()) {
                (Some(_), Some(_)) => None,
                (Some(node), None) => Some(node),
                (None, _) => of(false).next(),
            };
            let Some(fault) = fault.filter(|_| most >= ACCUSED) else { return };
            self.avoided.insert(fault, now.plus_millis(AVOID_MS));
            losses.retain(|open| !open.contains(&fault));
        }
    }

    /// Whom a loss accuses: all that it passed, but for those that a packet cleared later.
    fn open(&self, fate: &Fate) -> BTreeSet<Fault> {
        let later = self.fates.iter().filter(|f| f.came_back && f.at >= fate.at);
        let cleared: BTreeSet<Fault> = later.flat_map(|f| f.passed.iter().copied()).collect();
        fate.passed.difference(&cleared).copied().collect()
    }

    /// Whether a path over these nodes passes somebody who is avoided.
    pub(crate) fn avoids(&self, route: &[NodeId]) -> bool {
        !self.avoided.is_empty() && passed(route).iter().any(|f| self.avoided.contains_key(f))
    }

    /// Whoever is avoided, and for how long already, ms.
    pub(crate) fn suspects(&self, now: Timestamp) -> Vec<(Fault, u64)> {
        let left = |until: &Timestamp| until.millis_since(now).min(AVOID_MS);
        let avoided = self.avoided.iter().filter(|(_, until)| now < **until);
        avoided.map(|(fault, until)| (*fault, AVOID_MS.saturating_sub(left(until)))).collect()
    }

    /// Whoever is avoided now.
    pub(crate) fn avoided(&self) -> Vec<Fault> {
        self.avoided.keys().copied().collect()
    }
}
