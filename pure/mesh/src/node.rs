//! The gossip of one node: links and messages in, messages and boxes out.
//!
//! How a box comes from a neighbour:
//!
//! ```text
//!  offer, or found by a round                       Boxes, signature good
//! ───────────────────────────► queued ──Want──► wanted ─────────────────► carried ──► offered on
//!                                ▲               │    │ Gone, 30 s, link down
//!                                └── next holder ─┘    └► nobody else has it: the next round
//! ```
//!
//! A box that is carried already, or was dropped for lack of room, is not queued.
//!
//! Sans-IO. Methods work on the shell's store; the shell makes the store durable before it does
//! what [`Node::poll`] returns. Each neighbour has at most one message on its way: the shell calls
//! [`Node::sent`] when it has left, so a slow reader is waited for and fills no queue.

mod gossip;
mod neighbour;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use hub::from_wire;
use hub::store::StoreError;
use rand_core::CryptoRng;
use streams::{BoxId, VerifiedBox};
use wire::Timestamp;
use wire::hub::PutOutcome;
use wire::mesh::{Message, Offered};

use self::neighbour::Neighbour;
use crate::Error;
use crate::carry::{Carry, CarryStore, Limits, Note};
use crate::discovery::Known;
use crate::pair::{Account, Standing};
use crate::reconcile::Snapshot;

/// The shell's number for a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// The shell's number for somebody who waits for boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// Settings of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Number of hops that this node's boxes may travel.
    pub hops: u8,
    /// How much is carried.
    pub limits: Limits,
    /// Most bytes of boxes fetched from one neighbour in a second.
    pub bytes_per_second: u64,
    /// Least time between two reconciliations with a neighbour, ms. A random time of up to a fifth
    /// is added.
    pub round_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { hops: 4, limits: Limits::default(), bytes_per_second: 16 << 20, round_ms: 60_000 }
    }
}

/// What the shell must do.
#[derive(Debug)]
pub enum Action {
    /// Send this message, then call [`Node::sent`].
    Send(LinkId, Message),
    /// Close this link. The text says why and names nobody.
    Close(LinkId, &'static str),
    /// A box arrived that somebody waits for. The wait is over.
    Found(WatchId, VerifiedBox),
}

/// Time and store for one call.
pub struct Step<'a> {
    /// Now.
    pub now: Timestamp,
    /// The store of carried boxes.
    pub store: &'a mut dyn CarryStore,
}

/// A linked neighbour, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Number of the link.
    pub id: LinkId,
    /// The contact.
    pub account: Account,
    /// The relation to them.
    pub standing: Standing,
    /// Since when the link is up.
    pub since: Timestamp,
    /// Boxes and bytes received.
    pub received: (u64, u64),
    /// Boxes and bytes given.
    pub given: (u64, u64),
}

/// What a node carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Number and bytes of its own boxes.
    pub ours: (u64, u64),
    /// Number and bytes of others' boxes.
    pub others: (u64, u64),
}

/// A box that one neighbour was asked for.
struct Wanted {
    from: LinkId,
    since: Timestamp,
    /// Other neighbours that have it, in case the first does not give it.
    others: Vec<LinkId>,
}

/// The gossip of one node. See the module's page.
pub struct Node {
    config: Config,
    carry: Carry,
    links: BTreeMap<LinkId, Neighbour>,
    wanted: HashMap<BoxId, Wanted>,
    watches: HashMap<BoxId, HashSet<WatchId>>,
    watching: HashMap<WatchId, Vec<BoxId>>,
    /// Own boxes that were put in this run and that no neighbour has taken yet.
    untaken: HashSet<BoxId>,
    snapshot: Option<(u64, Snapshot)>,
    expire_at: Timestamp,
    out: VecDeque<Action>,
}

/// How often old boxes are dropped, ms.
const EXPIRE_EVERY_MS: u64 = 600_000;
/// How long a neighbour may take to give a box that it was asked for, ms.
const WANT_MS: u64 = 30_000;

impl Node {
    /// Loads what an earlier run carried.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn load(config: Config, store: &dyn CarryStore) -> Result<Self, Error> {
        Ok(Node {
            config,
            carry: Carry::load(config.limits, store)?,
            links: BTreeMap::new(),
            wanted: HashMap::new(),
            watches: HashMap::new(),
            watching: HashMap::new(),
            untaken: HashSet::new(),
            snapshot: None,
            expire_at: Timestamp::ZERO,
            out: VecDeque::new(),
        })
    }

    /// The next thing to do. Call until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// All linked neighbours.
    pub fn links(&self) -> impl Iterator<Item = Link> + '_ {
        self.links.iter().map(|(id, n)| n.overview(*id))
    }

    /// Whether a contact is linked.
    #[must_use]
    pub fn has_contacts(&self) -> bool {
        self.links.values().any(|n| n.standing == Standing::Contact)
    }

    /// How much is carried.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (ours, others) = self.carry.usage();
        Usage { ours, others }
    }

    /// Number of own boxes that a linked neighbour may get and nobody has taken yet. It is worth
    /// waiting for them before quitting.
    #[must_use]
    pub fn untaken(&self) -> usize {
        let may = |id: &&BoxId| match self.carry.get(id).map(|e| e.note.only) {
            Some(Some(account)) => self.links.values().any(|n| n.account == account),
            Some(None) => self.has_contacts(),
            None => false,
        };
        self.untaken.iter().filter(may).count()
    }

    /// When to call [`Node::tick`]; `None` while nothing is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let links = self.links.values().filter_map(Neighbour::deadline);
        let wanted = self.wanted.values().map(|w| w.since.plus_millis(WANT_MS));
        links
            .chain(wanted)
            .chain((self.carry.usage() != ((0, 0), (0, 0))).then_some(self.expire_at))
            .min()
    }

    /// Notes that a link is up and the other side has proved who it is. The side that dialled
    /// starts to reconcile. If there are two links with one contact, one is closed, and both ends
    /// choose the same one (`MESH-003`).
    pub fn link_up(&mut self, step: &mut Step<'_>, id: LinkId, known: Known, we_dialled: bool) {
        let Known { account, standing, first: we_are_first } = known;
        // When both dialled each other, keep the link that the first of the two dialled. Both ends
        // know the roles, so they agree without talking.
        let good = we_dialled == we_are_first;
        if let Some((old, neighbour)) = self.links.iter().find(|(_, n)| n.account == account) {
            let (old, old_good) = (*old, neighbour.dialled == we_are_first);
            if old_good && !good {
                self.out.push_back(Action::Close(id, "linked already"));
                return;
            }
            self.close(old, "replaced by a newer link");
        }
        let mut neighbour =
            Neighbour::new(account, standing, we_dialled, step.now, self.config.bytes_per_second);
        if standing == Standing::Guest {
            let reserved: Vec<_> =
                self.carry.reserved(account).map(|(id, hops)| (*id, hops)).collect();
            reserved.into_iter().for_each(|(id, hops)| neighbour.announce(id, hops));
        }
        self.links.insert(id, neighbour);
        self.pump(step, id);
    }

    /// Notes that a link is gone. Other neighbours are asked for what it owed.
    pub fn link_down(&mut self, step: &mut Step<'_>, id: LinkId) {
        if self.links.remove(&id).is_none() {
            return;
        }
        self.unwant_from(id);
        self.pump_all(step);
    }

    /// Notes that the last message for this link has left.
    pub fn sent(&mut self, step: &mut Step<'_>, id: LinkId) {
        if let Some(neighbour) = self.links.get_mut(&id) {
            neighbour.sending = false;
            for taken in neighbour.giving.drain(..) {
                self.untaken.remove(&taken);
            }
        }
        self.pump(step, id);
    }

    /// Drops old boxes, gives up on late ones, and starts rounds that are due.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn tick(&mut self, step: &mut Step<'_>, rng: &mut dyn CryptoRng) -> Result<(), Error> {
        if step.now >= self.expire_at {
            self.expire_at = step.now.plus_millis(EXPIRE_EVERY_MS);
            self.carry.expire(step.store, step.now)?;
        }
        let late: Vec<BoxId> = self
            .wanted
            .iter()
            .filter(|(_, w)| step.now.millis_since(w.since) >= WANT_MS)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.unwant(&id);
        }
        let span = self.config.round_ms.checked_div(5).unwrap_or(0).max(1);
        for neighbour in self.links.values_mut().filter(|n| n.round_due(step.now)) {
            let jitter = rng.next_u64().checked_rem(span).unwrap_or(0);
            neighbour.begin_round = true;
            neighbour.next_round =
                step.now.plus_millis(self.config.round_ms.saturating_add(jitter));
        }
        self.pump_all(step);
        Ok(())
    }

    /// Carries one of this node's own boxes, for all contacts or for `only` one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn put(
        &mut self,
        step: &mut Step<'_>,
        content: &VerifiedBox,
        only: Option<Account>,
    ) -> Result<PutOutcome, Error> {
        let note = Note { hops: self.config.hops, account: Account::OURS, only, at: step.now };
        let outcome = self.put_noted(step, content, note, None)?;
        if outcome == PutOutcome::Stored {
            self.untaken.insert(content.id());
        }
        Ok(outcome)
    }

    /// Takes a box from a bundle, as if a neighbour had given it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn take_in(
        &mut self,
        step: &mut Step<'_>,
        content: &VerifiedBox,
        account: Account,
    ) -> Result<PutOutcome, Error> {
        let note = Note { hops: self.config.hops, account, only: None, at: step.now };
        self.put_noted(step, content, note, None)
    }

    /// The boxes that are here, in the order of `ids`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn look(&self, store: &dyn CarryStore, ids: &[BoxId]) -> Result<Vec<VerifiedBox>, Error> {
        let here: Vec<BoxId> =
            ids.iter().copied().filter(|id| self.carry.get(id).is_some()).collect();
        let found = store.get(&here)?;
        // They were verified when they came, but a damaged disk may have altered them since.
        found
            .into_iter()
            .map(|b| from_wire(b).verify().map_err(|_| StoreError::Damaged.into()))
            .collect()
    }

    /// Returns those of the boxes that are here. If there are none, waits for the first to arrive.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn watch(
        &mut self,
        step: &mut Step<'_>,
        watch: WatchId,
        ids: &[BoxId],
    ) -> Result<Vec<VerifiedBox>, Error> {
        let found = self.look(step.store, ids)?;
        if !found.is_empty() {
            return Ok(found);
        }
        for id in ids {
            self.watches.entry(*id).or_default().insert(watch);
            if self.carry.recall(id) {
                // It was dropped too early. The next round brings it again.
                self.links.values_mut().for_each(Neighbour::round_again);
            }
        }
        self.watching.insert(watch, ids.to_vec());
        let ids: HashSet<BoxId> = ids.iter().copied().collect();
        let guests: Vec<LinkId> =
            self.links.iter().filter(|(_, n)| n.has_withheld(&ids)).map(|(id, _)| *id).collect();
        for link in guests {
            if let Some(neighbour) = self.links.get_mut(&link) {
                neighbour.want_withheld(&ids);
            }
            self.pump(step, link);
        }
        Ok(Vec::new())
    }

    /// Stops waiting.
    pub fn unwatch(&mut self, watch: WatchId) {
        for id in self.watching.remove(&watch).unwrap_or_default() {
            if let Some(set) = self.watches.get_mut(&id) {
                set.remove(&watch);
                if set.is_empty() {
                    self.watches.remove(&id);
                }
            }
        }
    }

    /// Boxes for a bundle: all that every contact may get, this node's own first.
    #[must_use]
    pub fn carried(&self) -> Vec<(BoxId, Note)> {
        let mut all: Vec<(BoxId, Note)> = self
            .carry
            .offered()
            .filter_map(|(id, _)| Some((*id, self.carry.get(id)?.note)))
            .collect();
        all.sort_by_key(|(id, note)| (note.account != Account::OURS, note.at, *id));
        all
    }

    fn put_noted(
        &mut self,
        step: &mut Step<'_>,
        content: &VerifiedBox,
        note: Note,
        from: Option<LinkId>,
    ) -> Result<PutOutcome, Error> {
        let id = content.id();
        let outcome = self.carry.put(step.store, step.now, content.clone(), note)?;
        if outcome != PutOutcome::Stored {
            return Ok(outcome);
        }
        for watch in self.watches.get(&id).cloned().unwrap_or_default() {
            self.unwatch(watch);
            self.out.push_back(Action::Found(watch, content.clone()));
        }
        self.announce(step, id, note, from);
        Ok(outcome)
    }

    /// Offers a box to the neighbours who may get it, except the one it came from.
    fn announce(&mut self, step: &mut Step<'_>, id: BoxId, note: Note, from: Option<LinkId>) {
        let may = |n: &Neighbour| match note.only {
            Some(account) => n.account == account,
            None => n.standing == Standing::Contact && note.hops > 0,
        };
        let told: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(l, n)| Some(**l) != from && may(n))
            .map(|(l, _)| *l)
            .collect();
        for link in told {
            if let Some(neighbour) = self.links.get_mut(&link) {
                neighbour.announce(id, note.hops);
            }
            self.pump(step, link);
        }
    }

    /// The ids to reconcile, cached until they change: a snapshot sorts the whole store.
    fn snapshot(&mut self) -> Snapshot {
        let version = self.carry.version();
        match &self.snapshot {
            Some((v, snapshot)) if *v == version => snapshot.clone(),
            _ => {
                let fresh = Snapshot::new(self.carry.offered().map(|(id, _)| *id));
                self.snapshot = Some((version, fresh.clone()));
                fresh
            }
        }
    }

    fn close(&mut self, id: LinkId, why: &'static str) {
        if self.links.remove(&id).is_some() {
            self.unwant_from(id);
            self.out.push_back(Action::Close(id, why));
        }
    }

    fn unwant_from(&mut self, link: LinkId) {
        let gone: Vec<BoxId> =
            self.wanted.iter().filter(|(_, w)| w.from == link).map(|(id, _)| *id).collect();
        gone.iter().for_each(|id| self.unwant(id));
    }

    /// The neighbour that was asked does not give the box. Asks another one that has it.
    fn unwant(&mut self, id: &BoxId) {
        let Some(wanted) = self.wanted.remove(id) else { return };
        if let Some(neighbour) = self.links.get_mut(&wanted.from) {
            neighbour.asked = neighbour.asked.saturating_sub(1);
            neighbour.round_again();
        }
        let next = wanted.others.iter().find(|l| self.links.contains_key(*l));
        if let Some(neighbour) = next.and_then(|l| self.links.get_mut(l)) {
            neighbour.want(*id, true);
        }
    }

    fn offers_of(ids: Vec<(BoxId, u8)>) -> Vec<Offered> {
        ids.into_iter()
            .map(|(id, hops)| Offered { id: wire::hub::BoxAddress(*id.as_bytes()), hops })
            .collect()
    }
}
