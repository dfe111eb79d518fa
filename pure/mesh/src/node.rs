//! One node's gossip: links and messages in, messages and boxes out.
//!
//! Sans-IO. Each method works on the shell's store at a time; what [`Node::poll`] hands out
//! afterwards is to be done once what the store was told is durable. To each neighbour one message
//! is on its way at a time: the shell says [`Node::sent`] when it has left, so that whoever reads
//! slowly is waited for and fills nothing.

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

/// Names a link while it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Names whoever waits for boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// How a node carries and gossips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Hops that a box of ours travels.
    pub hops: u8,
    /// How much is carried.
    pub limits: Limits,
    /// Bytes of boxes that are fetched from one neighbour in a second.
    pub bytes_per_second: u64,
    /// Time between two reconciliations with a neighbour, ms; at random up to a fifth more.
    pub round_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { hops: 4, limits: Limits::default(), bytes_per_second: 16 << 20, round_ms: 60_000 }
    }
}

/// What a node wants done.
#[derive(Debug)]
pub enum Action {
    /// Send this; then say [`Node::sent`].
    Send(LinkId, Message),
    /// Close this link: the words say why, and hold nothing of whom.
    Close(LinkId, &'static str),
    /// A box came that somebody waits for; it waits no longer.
    Found(WatchId, VerifiedBox),
}

/// Time and store of one step.
pub struct Step<'a> {
    /// Now.
    pub now: Timestamp,
    /// Where boxes are kept.
    pub store: &'a mut dyn CarryStore,
}

/// A neighbour, for a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Which.
    pub id: LinkId,
    /// Who.
    pub account: Account,
    /// What they are to us.
    pub standing: Standing,
    /// Since when.
    pub since: Timestamp,
    /// Boxes and bytes that came.
    pub received: (u64, u64),
    /// Boxes and bytes that went.
    pub given: (u64, u64),
}

/// What a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Our own boxes, and their bytes.
    pub ours: (u64, u64),
    /// Boxes of others, and their bytes.
    pub others: (u64, u64),
}

/// A box that we have asked one neighbour for.
struct Wanted {
    from: LinkId,
    since: Timestamp,
    /// Who else has it.
    others: Vec<LinkId>,
}

/// One node's gossip.
pub struct Node {
    config: Config,
    carry: Carry,
    links: BTreeMap<LinkId, Neighbour>,
    wanted: HashMap<BoxId, Wanted>,
    watches: HashMap<BoxId, HashSet<WatchId>>,
    watching: HashMap<WatchId, Vec<BoxId>>,
    /// Boxes of ours that were put in this run and that no neighbour has taken.
    untaken: HashSet<BoxId>,
    snapshot: Option<(u64, Snapshot)>,
    expire_at: Timestamp,
    out: VecDeque<Action>,
}

/// How often old boxes are looked for, ms.
const EXPIRE_EVERY_MS: u64 = 600_000;
/// So long a neighbour may take for a box that it was asked for, ms.
const WANT_MS: u64 = 30_000;

impl Node {
    /// Takes up what an earlier run has carried.
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

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// Neighbours that are linked.
    pub fn links(&self) -> impl Iterator<Item = Link> + '_ {
        self.links.iter().map(|(id, n)| n.overview(*id))
    }

    /// Whether a contact is linked.
    #[must_use]
    pub fn has_contacts(&self) -> bool {
        self.links.values().any(|n| n.standing == Standing::Contact)
    }

    /// What is carried.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (ours, others) = self.carry.usage();
        Usage { ours, others }
    }

    /// Boxes of ours that a linked neighbour may take and nobody has taken yet: worth waiting for
    /// before leaving.
    #[must_use]
    pub fn untaken(&self) -> usize {
        let may = |id: &&BoxId| match self.carry.get(id).map(|e| e.note.only) {
            Some(Some(account)) => self.links.values().any(|n| n.account == account),
            Some(None) => self.has_contacts(),
            None => false,
        };
        self.untaken.iter().filter(may).count()
    }

    /// When [`Node::tick`] is due; `None` while there is nothing to wait for.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let links = self.links.values().filter_map(Neighbour::deadline);
        let wanted = self.wanted.values().map(|w| w.since.plus_millis(WANT_MS));
        links
            .chain(wanted)
            .chain((self.carry.usage() != ((0, 0), (0, 0))).then_some(self.expire_at))
            .min()
    }

    /// A link stands: the other has proved who it is. Whoever dialled begins to reconcile. A second
    /// link with the same contact takes the place of the first, or is closed: both ends choose the
    /// same (`MESH-003`).
    pub fn link_up(&mut self, step: &mut Step<'_>, id: LinkId, known: Known, we_dialled: bool) {
        let Known { account, standing, first: we_are_first } = known;
        // The link that the first of the two dialled stays.
        let good = we_dialled == we_are_first;
        if let Some((old, neighbour)) = self.links.iter().find(|(_, n)| n.account == account) {
            let (old, old_good) = (*old, neighbour.dialled == we_are_first);
            if old_good && !good {
                self.out.push_back(Action::Close(id, "linked already"));
                return;
            }
            self.close(old, "linked anew");
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

    /// A link is gone. What it was asked for others are asked for.
    pub fn link_down(&mut self, step: &mut Step<'_>, id: LinkId) {
        if self.links.remove(&id).is_none() {
            return;
        }
        self.unwant_from(id);
        self.pump_all(step);
    }

    /// A message that was handed out for this link has left.
    pub fn sent(&mut self, step: &mut Step<'_>, id: LinkId) {
        if let Some(neighbour) = self.links.get_mut(&id) {
            neighbour.sending = false;
            for taken in neighbour.giving.drain(..) {
                self.untaken.remove(&taken);
            }
        }
        self.pump(step, id);
    }

    /// Does what time demands.
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

    /// Carries a box of ours: for all contacts, or for one alone.
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

    /// Takes a box from a file: as if a neighbour had given it.
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

    /// Boxes that are here now, in the order asked.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn look(&self, store: &dyn CarryStore, ids: &[BoxId]) -> Result<Vec<VerifiedBox>, Error> {
        let here: Vec<BoxId> =
            ids.iter().copied().filter(|id| self.carry.get(id).is_some()).collect();
        let found = store.get(&here)?;
        // They were verified when they came; what a damaged disk makes of them is no box.
        found
            .into_iter()
            .map(|b| from_wire(b).verify().map_err(|_| StoreError::Damaged.into()))
            .collect()
    }

    /// Waits for one of these boxes, or answers at once with those that are here.
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
                // It was given up too early: the next round brings it again.
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

    /// Waits no longer.
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

    /// Ids that may be given away: what [`crate::bundle`] writes. Our own first.
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

    /// Tells the neighbours who may have it, but for whom it came from.
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

    /// Whoever was asked does not give it: another who has it is asked, if there is one.
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
