//! Writing: our messages until every recipient has them, and our place in our own lane.
//!
//! ```text
//!            seal                 all boxes at the hub            all have acknowledged
//! [queued] ────────► [sealed] ──────────────────────► [stored] ───────────────────────► gone
//!  │   ▲                │  │                              │
//!  │   │                │  └─ neighbours have all ─► [carried] ── all have acknowledged ─► gone
//!  │   │                │                              │  │
//!  │   │                │        the hub comes in reach └──┼──► [sealed]
//!  │   └────────────────┴── lost, too old, epoch over ─────┘
//!  └─ cancelled ─► gone                (reseal: the same id, encrypted again)
//! ```
//!
//! - Sealed boxes are kept, so that a retry after a crash puts the same ones (`DIRECT-009`).
//! - Queued messages can be cancelled, sealed ones cannot (`DIRECT-014`).
//! - Without the hub, neighbours carry boxes; the hub gets them when it is in reach, unless all
//!   have them or their epoch is over by then (`DIRECT-022`, `DIRECT-023`).
//! - Messages that ask for no acknowledgement are gone once they are stored.
//! - What is gone from the history is withdrawn; see `withdrawing`.

mod delivery;
mod withdrawing;

use std::collections::{BTreeMap, BTreeSet};

use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::Group;
use streams::{BoxId, ReadCapability, Sizes, VerifiedBox, WriteCapability};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

pub(super) use self::delivery::missing;
use super::epochs::{EpochKeys, Epochs};
use super::link::Link;
use super::saved::{Known, MyLane, Pending, Placed};
use crate::Error;
use crate::body::{Body, Envelope};
use crate::codec::{pack, unpack};
use crate::context::{Purpose, StepContext};
use crate::event::Event;
use crate::near::Reach;
use crate::parts::split_for;
use crate::reader::WINDOW;
use crate::request::{Call, CallId};
use crate::sealed::{BoxBytes, Run, seal_all};
use crate::store::{Space, State};

/// Our boxes that a file takes along: the newest of this epoch, and the first of each past one.
const MAX_OUR_BOXES: u64 = 4_096;
const PAST_BOXES: u64 = 256;
/// Messages that may wait in one conversation.
const MAX_WAITING: usize = 10_000;

/// The members of a conversation without us.
pub(super) type Others = BTreeMap<MemberId, Known>;

/// What the conversation has to do after the outbox took in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    /// Our acknowledgement may have been lost: acknowledge everything once more.
    AcknowledgeAgain,
    /// The hub says that another box lies where ours should. If that is true, another copy of this
    /// profile writes, and has signed the box.
    AskWhoWrote(BoxId),
}

/// Our messages in one conversation.
pub(super) struct Outbox {
    conversation: ConversationId,
    me: MemberId,
    pending: BTreeMap<u64, Pending>,
    /// Boxes under way, by message.
    runs: BTreeMap<u64, Run>,
    /// Messages that were sealed before the hub came in reach: their epoch may be over.
    sealed_before: BTreeSet<u64>,
    pub(super) mine: MyLane,
    pub(super) next_seq: u64,
    pub(super) dirty: bool,
}

fn key(id: ConversationId, seq: u64) -> Vec<u8> {
    [id.as_bytes().as_slice(), &seq.to_be_bytes()].concat()
}

impl Outbox {
    pub(super) fn new(
        conversation: ConversationId,
        me: MemberId,
        mine: MyLane,
        next_seq: u64,
    ) -> Self {
        Outbox {
            conversation,
            me,
            pending: BTreeMap::new(),
            runs: BTreeMap::new(),
            sealed_before: BTreeSet::new(),
            mine,
            next_seq,
            dirty: false,
        }
    }

    /// Takes up what an earlier run has left.
    pub(super) fn load(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        for (key, value) in cx.store.scan(Space::Outbox, self.conversation.as_bytes())? {
            let seq = key.get(16..24).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
            self.pending.insert(seq.ok_or(Error::Damaged)?, unpack(&value)?);
        }
        Ok(())
    }

    /// Queues a message; it leaves when the conversation can write.
    pub(super) fn queue(
        &mut self,
        cx: &mut StepContext<'_>,
        id: MessageId,
        body: Body,
    ) -> Result<(), Error> {
        if self.is_full() {
            return Err(Error::OutboxFull);
        }
        let seq = self.next_seq;
        self.next_seq = seq.saturating_add(1);
        let (tracked, shown) = (body.is_tracked(), body.is_shown());
        let envelope = Envelope::new(id, cx.now, body).to_bytes();
        let pending =
            Pending { id, envelope, tracked, shown, queued_at: cx.now.as_millis(), placed: None };
        self.dirty = true;
        self.keep(cx, seq, pending)
    }

    /// Queues bytes that no honest program writes.
    #[cfg(any(test, feature = "hostile"))]
    pub(super) fn queue_bytes(
        &mut self,
        cx: &StepContext<'_>,
        id: MessageId,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let seq = self.next_seq;
        self.next_seq = seq.saturating_add(1);
        let envelope = Zeroizing::new(bytes.to_vec());
        let queued_at = cx.now.as_millis();
        let pending =
            Pending { id, envelope, tracked: false, shown: false, queued_at, placed: None };
        self.dirty = true;
        self.keep(cx, seq, pending)
    }

    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= MAX_WAITING
    }

    fn keep(&mut self, cx: &StepContext<'_>, seq: u64, pending: Pending) -> Result<(), Error> {
        cx.store.put(Space::Outbox, &key(self.conversation, seq), &pack(&pending)?)?;
        self.pending.insert(seq, pending);
        Ok(())
    }

    fn forget(&mut self, cx: &mut StepContext<'_>, seq: u64) -> Result<(), Error> {
        cx.store.remove(Space::Outbox, &key(self.conversation, seq))?;
        self.stop(cx, seq);
        self.pending.remove(&seq);
        Ok(())
    }

    /// Cancels the puts of a message, and forgets how far they got.
    fn stop(&mut self, cx: &mut StepContext<'_>, seq: u64) {
        let run = self.runs.remove(&seq).unwrap_or_default();
        run.calls().for_each(|call| cx.out.cancel(call));
    }

    /// Takes a queued message back; false when it is sealed already.
    pub(super) fn cancel(
        &mut self,
        cx: &mut StepContext<'_>,
        id: MessageId,
    ) -> Result<bool, Error> {
        let Some((&seq, pending)) = self.pending.iter().find(|(_, p)| p.id == id) else {
            return Err(Error::NoSuch("message on its way"));
        };
        if pending.placed.is_some() {
            return Ok(false);
        }
        self.forget(cx, seq)?;
        cx.store.set_state(&self.conversation, &id, State::Cancelled)?;
        cx.event(Event::State { conversation: self.conversation, id, state: State::Cancelled });
        Ok(true)
    }

    /// Goes over to a new epoch: our lane begins again, under another context.
    pub(super) fn enter(&mut self, epoch: u64, stream: &WriteCapability) {
        self.mine = MyLane { epoch, next: stream.to_bytes(), count: 0 };
        self.dirty = true;
    }

    /// Our place in the group is lost: whatever is sealed has to be sealed again in another epoch,
    /// and no index of this one is used any more (`GROUP-011`).
    pub(super) fn lose_place(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.mine.next = Zeroizing::default();
        self.runs.clear();
        let placed = self.pending.iter().filter(|(_, p)| p.placed.is_some());
        let placed: Vec<(u64, bool)> = placed.map(|(seq, p)| (*seq, p.tracked)).collect();
        for (seq, tracked) in placed {
            if tracked { self.reseal(cx, seq)? } else { self.forget(cx, seq)? }
        }
        Ok(())
    }

    /// Where our boxes may lie that others still read: those of our lanes in the epochs that
    /// are known.
    pub(super) fn our_boxes(&self, epochs: &Epochs) -> Result<Vec<BoxId>, Error> {
        let mut ids = Vec::new();
        for keys in epochs.iter() {
            let (Some(context), Some(stream)) = (keys.secret(), keys.members.get(&self.me)) else {
                continue;
            };
            let current = keys.epoch == self.mine.epoch;
            let count = if current { self.mine.count.min(MAX_OUR_BOXES) } else { PAST_BOXES };
            let skipped = if current { self.mine.count.saturating_sub(count) } else { 0 };
            let mut at = ReadCapability::from_bytes(stream)?;
            for n in 0..skipped.saturating_add(count) {
                if n >= skipped {
                    ids.push(at.box_id(context.reveal()));
                }
                at = at.next()?;
            }
        }
        Ok(ids)
    }

    /// Messages that not everybody has acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.pending.values().filter(|p| p.tracked).count()
    }

    /// Messages that are not durable at the hub; while that is out of reach, those that neighbours
    /// cannot fetch either.
    pub(super) fn unstored(&self, link: &Link) -> usize {
        let out = |p: &Placed| p.stored_at.is_some() || link.is_near() && p.carried;
        self.pending.values().filter(|p| !p.placed.as_ref().is_some_and(out)).count()
    }

    /// Whether something was sealed for the hub, or for neighbours, before the hub was in reach.
    pub(super) fn owes_hub(&self, link: &Link) -> bool {
        let owed = |(seq, p): (&u64, &Pending)| p.is_unstored() && self.is_early(*seq, p);
        !link.lan && self.pending.iter().any(owed)
    }

    /// Whether a message may be of an epoch that was over before the hub came in reach.
    fn is_early(&self, seq: u64, pending: &Pending) -> bool {
        self.sealed_before.contains(&seq) || pending.placed.as_ref().is_some_and(|p| p.carried)
    }

    /// Whether it is not known yet if this message's epoch is over.
    fn waits_for_epoch(&self, link: &Link, caught_up: bool, seq: u64) -> bool {
        let early = |p: &Pending| p.is_unstored() && self.is_early(seq, p);
        link.reach == Reach::Hub && !caught_up && self.pending.get(&seq).is_some_and(early)
    }

    /// The hub has come in reach: what is sealed and not there waits until it is known whether its
    /// epoch is over.
    pub(super) fn hub_came(&mut self, cx: &mut StepContext<'_>) {
        let unstored = self.pending.iter().filter(|(_, p)| p.is_unstored());
        self.sealed_before = unstored.map(|(seq, _)| *seq).collect();
        for seq in self.sealed_before.clone() {
            self.stop(cx, seq);
        }
    }

    /// Boxes that are sealed and under way. Those with neighbours count again once the hub is
    /// there.
    fn unsettled(&self, link: &Link) -> usize {
        let boxes = |(seq, p): (&u64, &Pending)| {
            let len = p.placed.as_ref().map_or(0, |b| b.boxes.len());
            let run = self.runs.get(seq);
            let settled =
                |n: usize| run.is_some_and(|r| r.is_settled(n) || link.is_near() && r.is_out(n));
            (0..len).filter(|n| !settled(*n)).count()
        };
        self.pending.iter().map(boxes).sum()
    }

    /// Encrypts queued messages and seals them in our lane, as far as the window allows; gives how
    /// many. The envelope is encrypted only here, so a message that waited for long still gets the
    /// keys of the epoch in which it leaves.
    pub(super) fn seal(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        sizes: Sizes,
        keys: &EpochKeys,
        group: &mut Group,
    ) -> Result<usize, Error> {
        let mut unsettled = self.unsettled(link);
        let unplaced = self.pending.iter().filter(|(_, p)| p.placed.is_none());
        let waiting: Vec<u64> = unplaced.map(|(seq, _)| *seq).take(WINDOW).collect();
        let mut count = 0_usize;
        for seq in waiting {
            if unsettled >= WINDOW {
                break;
            }
            let Some(mut pending) = self.pending.remove(&seq) else { continue };
            let message = group.encrypt(cx.mls, &cx.kept(), &pending.envelope)?;
            let placed = self.place(keys, &message, sizes)?;
            unsettled = unsettled.saturating_add(placed.boxes.len());
            pending.placed = Some(placed);
            self.runs.remove(&seq);
            self.keep(cx, seq, pending)?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// Seals one MLS message at the next indices of our lane.
    fn place(&mut self, keys: &EpochKeys, message: &[u8], sizes: Sizes) -> Result<Placed, Error> {
        let context = keys.secret().ok_or(Error::Damaged)?;
        let waiting: BTreeSet<_> = keys.members.keys().copied().filter(|m| *m != self.me).collect();
        let at = WriteCapability::from_bytes(&self.mine.next)?;
        let (boxes, next) = seal_all(at, context.reveal(), &split_for(message, sizes), sizes)?;
        let from = self.mine.count;
        let to = from.saturating_add(u64::try_from(boxes.len()).unwrap_or(u64::MAX));
        self.mine.next = next.to_bytes();
        self.mine.count = to;
        self.dirty = true;
        Ok(Placed {
            epoch: self.mine.epoch,
            from,
            to,
            boxes,
            stored_at: None,
            carried: false,
            recipients: waiting.len(),
            waiting,
            hidden: false,
        })
    }

    /// Encrypts again what is sealed, not at the hub, and too long for routes that carry standard
    /// boxes only.
    pub(super) fn reseal_long(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let stuck = |p: &Placed| p.stored_at.is_none() && p.boxes.iter().any(BoxBytes::is_long);
        let stuck = self.pending.iter().filter(|(_, p)| p.placed.as_ref().is_some_and(stuck));
        let stuck: Vec<u64> = stuck.map(|(seq, _)| *seq).collect();
        stuck.into_iter().try_for_each(|seq| self.reseal(cx, seq))
    }

    /// Puts sealed boxes, in order, a window at a time. To the hub also those that neighbours have,
    /// once it is known whether their epoch is over.
    ///
    /// Behind a box that the hub has refused nothing is put: readers would wait for it with all
    /// that came after it, and give it up in the end (GROUP-021).
    pub(super) fn put(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        caught_up: bool,
    ) -> Result<(), Error> {
        let mut ahead = 0_usize;
        let mut ready = Vec::new();
        for (seq, pending) in &self.pending {
            let Some(placed) = &pending.placed else { continue };
            if self.waits_for_epoch(link, caught_up, *seq) {
                break;
            }
            let run = self.runs.entry(*seq).or_default();
            let refused = run.first_refused(link.reach).map(|(index, _)| index);
            let unstored = placed.boxes.iter().enumerate().filter(|_| placed.stored_at.is_none());
            for (index, sealed) in unstored {
                if run.is_settled(index) || link.is_near() && run.is_out(index) {
                    continue;
                }
                ahead = ahead.saturating_add(1);
                if ahead <= WINDOW && run.is_ready(index, cx.now) {
                    ready.push((*seq, index, sealed.to_box()?));
                }
                if refused == Some(index) {
                    break;
                }
            }
            if ahead > WINDOW || refused.is_some() {
                break;
            }
        }
        for (seq, index, sealed) in ready {
            let call = link.call(cx, Purpose::Message(seq, index), Call::Put(sealed));
            self.runs.entry(seq).or_default().started(index, call);
        }
        Ok(())
    }

    /// The first packet of a put has left.
    pub(super) fn on_sent(
        &mut self,
        cx: &mut StepContext<'_>,
        seq: u64,
        index: usize,
    ) -> Result<(), Error> {
        let Some(pending) = self.pending.get(&seq) else { return Ok(()) };
        let len = pending.placed.as_ref().map_or(0, |p| p.boxes.len());
        let (id, shown) = (pending.id, pending.shown);
        let run = self.runs.entry(seq).or_default();
        run.sent(index);
        let all = len > 0 && run.is_sent(len);
        if shown && all { self.travelled(cx, id, State::Sent) } else { Ok(()) }
    }

    /// Neighbours may fetch this box from us. It stays until the hub has it, or everybody.
    pub(super) fn on_carried(
        &mut self,
        cx: &mut StepContext<'_>,
        others: &Others,
        seq: u64,
        index: usize,
    ) -> Result<(), Error> {
        let Some(pending) = self.pending.get_mut(&seq) else { return Ok(()) };
        let Some(placed) = &mut pending.placed else { return Ok(()) };
        let run = self.runs.entry(seq).or_default();
        run.carried(index);
        if !run.is_all_out(placed.boxes.len()) || placed.carried {
            return Ok(());
        }
        placed.carried = true;
        cx.store.put(Space::Outbox, &key(self.conversation, seq), &pack(pending)?)?;
        let (id, shown) = (pending.id, pending.shown);
        if shown {
            self.travelled(cx, id, State::Sent)?;
        }
        self.settle(cx, others)
    }

    /// The hub's answer to a put.
    pub(super) fn on_put(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        others: &Others,
        (seq, index): (u64, usize),
        outcome: PutOutcome,
    ) -> Result<Next, Error> {
        let Some(pending) = self.pending.get(&seq) else { return Ok(Next::Nothing) };
        let Some(placed) = &pending.placed else { return Ok(Next::Nothing) };
        let run = self.runs.entry(seq).or_default();
        // Where a message was withdrawn, its own box may have come first.
        if outcome == PutOutcome::Taken && !pending.is_withdrawn() {
            // It is put again later if the hub cannot show what lies there.
            run.refused(cx.now, index);
            let id = placed.boxes.get(index).map(|sealed| BoxId::new(sealed.id));
            return Ok(id.map_or(Next::Nothing, Next::AskWhoWrote));
        }
        run.settle(cx.now, index, outcome);
        if !run.is_done(placed.boxes.len()) {
            return Ok(Next::Nothing);
        }
        let (id, shown, tracked) = (pending.id, pending.shown, pending.tracked);
        self.runs.remove(&seq);
        if shown {
            // On a LAN nothing is durable anywhere else (DIRECT-022).
            let state = if link.lan { State::Sent } else { State::Stored };
            self.travelled(cx, id, state)?;
        }
        if !tracked {
            self.forget(cx, seq)?;
            return Ok(Next::Nothing);
        }
        if let Some(mut pending) = self.pending.remove(&seq) {
            if let Some(placed) = &mut pending.placed {
                placed.boxes.clear();
                placed.stored_at = Some(cx.now.as_millis());
            }
            self.keep(cx, seq, pending)?;
        }
        self.settle(cx, others)?;
        Ok(Next::Nothing)
    }

    /// A message got this far by the route of this step.
    fn travelled(
        &self,
        cx: &mut StepContext<'_>,
        id: MessageId,
        state: State,
    ) -> Result<(), Error> {
        cx.store.set_route(&self.conversation, &id, cx.via)?;
        self.advance(cx, id, state)
    }

    fn advance(&self, cx: &mut StepContext<'_>, id: MessageId, state: State) -> Result<(), Error> {
        let conversation = self.conversation;
        if cx.store.set_state(&conversation, &id, state)? {
            cx.event(Event::State { conversation, id, state });
        }
        Ok(())
    }

    /// What waits or is under way, encoded.
    #[cfg(any(test, feature = "hostile"))]
    pub(super) fn envelopes(&self) -> Vec<&[u8]> {
        self.pending.values().map(|p| p.envelope.as_slice()).collect()
    }

    /// Whether this box lies where one of ours should be, and is not ours.
    pub(super) fn is_of_another(&self, found: &VerifiedBox) -> bool {
        let placed = self.pending.values().filter_map(|p| p.placed.as_ref());
        placed
            .flat_map(|p| &p.boxes)
            .any(|ours| ours.id == *found.id().as_bytes() && ours.ciphertext != found.ciphertext())
    }

    /// A message on its way.
    pub(super) fn pending(&self, id: MessageId) -> Option<&Pending> {
        self.pending.values().find(|p| p.id == id)
    }

    /// When a put may be tried again.
    pub(super) fn deadline(&self, link: &Link, caught_up: bool) -> Option<Timestamp> {
        let free = |seq: &u64| !self.waits_for_epoch(link, caught_up, *seq);
        let mut runs = self.runs.iter().take_while(|(seq, _)| free(seq));
        runs.find_map(|(_, run)| run.first_refused(link.reach)).and_then(|(_, due)| due)
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.runs.values().flat_map(Run::calls)
    }

    /// The open requests were cancelled: [`Outbox::put`] puts again.
    pub(super) fn forget_calls(&mut self) {
        self.runs.clear();
    }
}
