//! What we say: the outbox, our lane, and when somebody has it.

use std::collections::BTreeSet;

use e2ee::id::{MemberId, MessageId};
use e2ee::mls::PAST_EPOCHS;
use streams::{ReadCapability, Sizes, WriteCapability};
use wire::hub::PutOutcome;

use super::saved::{Intent, Pending, Placed};
use super::{Conversation, key_of};
use crate::Error;
use crate::body::{AckEntry, Body, Envelope, MAX_ENTRIES};
use crate::codec::pack;
use crate::context::{Purpose, StepContext};
use crate::event::Event;
use crate::near::Reach;
use crate::parts::split_for;
use crate::reader::WINDOW;
use crate::request::Call;
use crate::sealed::{Run, seal_all};
use crate::store::{Space, State};

/// Boxes of ours that a file takes along: the newest of this epoch, and the first of each past one.
const MAX_OUR_BOXES: u64 = 4_096;
const PAST_BOXES: u64 = 256;
/// Messages that may wait in one conversation.
pub(crate) const MAX_WAITING: usize = 10_000;
/// A box older than this may have left the hub: what is not acknowledged is sent anew, ms.
const RESEND_MS: u64 = 13 * 86_400_000;
/// We draw new keys after so many messages of ours, or so long after the last time when we say
/// something, ms.
const REFRESH_MESSAGES: u64 = 100;
const REFRESH_MS: u64 = 86_400_000;
/// And wait up to so long before, at random, ms.
const REFRESH_SPAN_MS: u64 = 10_000;
/// What nobody has acknowledged for so long may have been said into a fork, ms.
const UNHEARD_MS: u64 = 86_400_000;
/// An acknowledgement waits at least this long, so that it serves several messages, ms; and at
/// random up to so much longer.
const ACK_LEAST_MS: u64 = 300;
const ACK_SPAN_MS: u64 = 1_200;
/// In a group so much longer again for each member, ms, and never more than this.
const ACK_PER_MEMBER_MS: u64 = 400;
const ACK_MOST_MS: u64 = 30_000;

impl Conversation {
    /// Queues a message; it leaves when the conversation can write.
    pub(crate) fn queue(
        &mut self,
        cx: &mut StepContext<'_>,
        id: MessageId,
        body: Body,
    ) -> Result<(), Error> {
        if self.pending.len() >= MAX_WAITING {
            return Err(Error::OutboxFull);
        }
        let seq = self.saved.next_seq;
        self.saved.next_seq = seq.saturating_add(1);
        let (tracked, shown) = (body.is_tracked(), body.is_shown());
        let envelope = Envelope::new(id, cx.now, body).to_bytes();
        let pending =
            Pending { id, envelope, tracked, shown, queued_at: cx.now.as_millis(), placed: None };
        self.dirty = true;
        self.keep_pending(cx, seq, pending)
    }

    fn keep_pending(
        &mut self,
        cx: &mut StepContext<'_>,
        seq: u64,
        pending: Pending,
    ) -> Result<(), Error> {
        cx.store.put(Space::Outbox, &key_of(self.id, seq), &pack(&pending)?)?;
        self.pending.insert(seq, pending);
        Ok(())
    }

    pub(super) fn forget_pending(
        &mut self,
        cx: &mut StepContext<'_>,
        seq: u64,
    ) -> Result<(), Error> {
        cx.store.remove(Space::Outbox, &key_of(self.id, seq))?;
        if let Some(run) = self.runs.remove(&seq) {
            for call in run.calls() {
                cx.out.cancel(call);
            }
        }
        self.pending.remove(&seq);
        Ok(())
    }

    /// Takes a queued message back; false when it has left already.
    pub(crate) fn cancel(
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
        self.forget_pending(cx, seq)?;
        cx.store.set_state(&self.id, &id, State::Cancelled)?;
        cx.event(Event::State { conversation: self.id, id, state: State::Cancelled });
        Ok(true)
    }

    /// Where boxes of ours may lie that others still read: those of our lanes in the epochs that
    /// are known.
    pub(crate) fn our_boxes(&self) -> Result<Vec<streams::BoxId>, Error> {
        let mut ids = Vec::new();
        for keys in &self.epochs {
            let (Some(context), Some(stream)) = (keys.secret(), keys.members.get(&self.card.me))
            else {
                continue;
            };
            let current = keys.epoch == self.saved.mine.epoch;
            let count = if current { self.saved.mine.count.min(MAX_OUR_BOXES) } else { PAST_BOXES };
            let mut at = ReadCapability::from_bytes(stream)?;
            let skipped = if current { self.saved.mine.count.saturating_sub(count) } else { 0 };
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
    pub(crate) fn unacknowledged(&self) -> usize {
        self.pending.values().filter(|p| p.tracked).count()
    }

    /// Messages that are not durable at the hub; while that is out of reach, those that neighbours
    /// cannot fetch either.
    pub(crate) fn unstored(&self) -> usize {
        let near = self.reach == Reach::Near;
        let out = |p: &Placed| p.stored_at.is_some() || near && p.carried;
        self.pending.values().filter(|p| !p.placed.as_ref().is_some_and(out)).count()
    }

    /// Whether something was sealed for the hub, or for neighbours, before it was in reach.
    pub(super) fn owes_hub(&self) -> bool {
        !self.lan && self.pending.iter().any(|(seq, p)| p.is_unstored() && self.is_early(*seq, p))
    }

    /// Whether a message may be of an epoch that was over before the hub came in reach.
    fn is_early(&self, seq: u64, pending: &Pending) -> bool {
        self.sealed_before.contains(&seq) || pending.placed.as_ref().is_some_and(|p| p.carried)
    }

    /// Whether it is not known yet if this message's epoch is over.
    pub(super) fn waits_for_epoch(&self, seq: u64) -> bool {
        let early = |p: &Pending| p.is_unstored() && self.is_early(seq, p);
        self.reach == Reach::Hub && !self.caught_up && self.pending.get(&seq).is_some_and(early)
    }

    /// The hub has come in reach: what is sealed and not there waits until it is known whether its
    /// epoch is over.
    pub(super) fn note_sealed(&mut self, cx: &mut StepContext<'_>) {
        if self.lan {
            return;
        }
        self.sealed_before =
            self.pending.iter().filter(|(_, p)| p.is_unstored()).map(|(seq, _)| *seq).collect();
        for seq in &self.sealed_before {
            let run = self.runs.remove(seq).unwrap_or_default();
            run.calls().for_each(|call| cx.out.cancel(call));
        }
    }

    /// Boxes that have been sealed and are under way. What is with neighbours is so again once the
    /// hub is there.
    fn unsettled(&self) -> usize {
        let near = self.reach == Reach::Near;
        let boxes = |(seq, p): (&u64, &Pending)| {
            let len = p.placed.as_ref().map_or(0, |b| b.boxes.len());
            let run = self.runs.get(seq);
            (0..len)
                .filter(|n| run.is_none_or(|r| !(r.is_settled(*n) || near && r.is_out(*n))))
                .count()
        };
        self.pending.iter().map(boxes).sum()
    }

    /// Encrypts and places queued messages, as far as the window allows.
    pub(super) fn seal_queued(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        // While the hub is out of reach nobody can know what was decided: chat goes on in the epoch
        // that is known.
        let ready = self.caught_up || self.reach == Reach::Near && !self.lan;
        if !self.is_online() || !ready || !self.can_write() {
            return Ok(());
        }
        let mut unsettled = self.unsettled();
        let unplaced = self.pending.iter().filter(|(_, p)| p.placed.is_none());
        let waiting: Vec<u64> = unplaced.map(|(seq, _)| *seq).take(WINDOW).collect();
        for seq in waiting {
            if unsettled >= WINDOW {
                break;
            }
            let Some(mut pending) = self.pending.remove(&seq) else { continue };
            let placed = self.place_message(cx, &pending)?;
            unsettled = unsettled.saturating_add(placed.boxes.len());
            pending.placed = Some(placed);
            self.runs.remove(&seq);
            self.keep_pending(cx, seq, pending)?;
            self.refresh_sometimes(cx);
        }
        Ok(())
    }

    /// Draws new keys of ours after some messages, or some time: whoever stole the old ones is shut
    /// out again (`GROUP-013`).
    fn refresh_sometimes(&mut self, cx: &mut StepContext<'_>) {
        self.saved.unrefreshed = self.saved.unrefreshed.saturating_add(1);
        let age = cx.now.as_millis().saturating_sub(self.saved.refreshed_at);
        let due = self.saved.unrefreshed >= REFRESH_MESSAGES || age >= REFRESH_MS;
        let waits = self.saved.intents.iter().any(|(_, i)| *i == Intent::Refresh);
        if due && !waits && !self.saved.over && self.may_change() {
            // Not all members at once.
            let at = cx.soon(0, REFRESH_SPAN_MS);
            self.saved.intents.push_back((at.as_millis(), Intent::Refresh));
        }
    }

    fn place_message(
        &mut self,
        cx: &mut StepContext<'_>,
        pending: &Pending,
    ) -> Result<Placed, Error> {
        let keys = self.epochs.back().ok_or(Error::Damaged)?;
        let context = keys.secret().ok_or(Error::Damaged)?;
        let waiting: BTreeSet<_> =
            keys.members.keys().copied().filter(|m| *m != self.card.me).collect();
        let group = self.group.as_mut().ok_or(Error::Damaged)?;
        let message = group.encrypt(cx.mls, &cx.kept(), &pending.envelope)?;
        let at = WriteCapability::from_bytes(&self.saved.mine.next)?;
        // Without the hub its route is not known: what is sealed now fits any.
        let sizes = if self.can_decide() { self.sizes } else { Sizes::Uniform };
        let (boxes, next) = seal_all(at, context.reveal(), &split_for(&message, sizes), sizes)?;
        let from = self.saved.mine.count;
        let to = from.saturating_add(u64::try_from(boxes.len()).unwrap_or(u64::MAX));
        self.saved.mine.next = next.to_bytes();
        self.saved.mine.count = to;
        self.dirty = true;
        let epoch = self.saved.mine.epoch;
        let recipients = waiting.len();
        Ok(Placed {
            epoch,
            from,
            to,
            boxes,
            stored_at: None,
            carried: false,
            recipients,
            waiting,
            hidden: false,
        })
    }

    /// The boxes that this conversation seals from now on. What is sealed, not at the hub, and too
    /// long for the route in use is encrypted anew.
    pub(crate) fn set_sizes(
        &mut self,
        cx: &mut StepContext<'_>,
        sizes: Sizes,
    ) -> Result<(), Error> {
        self.sizes = sizes;
        if sizes == Sizes::Ladder {
            return Ok(());
        }
        let stuck = |p: &Placed| {
            p.stored_at.is_none() && p.boxes.iter().any(crate::conversation::BoxBytes::is_long)
        };
        let stuck = self.pending.iter().filter(|(_, p)| p.placed.as_ref().is_some_and(stuck));
        let stuck: Vec<u64> = stuck.map(|(seq, _)| *seq).collect();
        stuck.into_iter().try_for_each(|seq| self.send_anew(cx, seq))
    }

    /// Puts sealed boxes, in order, a window at a time. To the hub also those that neighbours have,
    /// once it is known whether their epoch is over.
    pub(super) fn put_boxes(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !self.is_online() {
            return Ok(());
        }
        let near = self.reach == Reach::Near;
        let mut ahead = 0_usize;
        let mut ready = Vec::new();
        for (seq, pending) in &self.pending {
            let Some(placed) = &pending.placed else { continue };
            if self.waits_for_epoch(*seq) {
                break;
            }
            let run = self.runs.entry(*seq).or_default();
            for (index, sealed) in
                placed.boxes.iter().enumerate().filter(|_| placed.stored_at.is_none())
            {
                if run.is_settled(index) || near && run.is_out(index) {
                    continue;
                }
                ahead = ahead.saturating_add(1);
                if ahead <= WINDOW && run.is_ready(index, cx.now) {
                    ready.push((*seq, index, sealed.to_box()?));
                }
            }
            if ahead > WINDOW {
                break;
            }
        }
        for (seq, index, sealed) in ready {
            let call = self.call(cx, Purpose::Message(seq, index), Call::Put(sealed));
            self.runs.entry(seq).or_default().started(index, call);
        }
        Ok(())
    }

    /// The first packet of a put has left.
    pub(crate) fn on_sent(
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
        if shown && len > 0 && run.is_sent(len) {
            self.travelled(cx, id, State::Sent)
        } else {
            Ok(())
        }
    }

    /// Neighbours may fetch this box from us. It stays until the hub has it, or everybody.
    pub(super) fn on_message_carried(
        &mut self,
        cx: &mut StepContext<'_>,
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
        cx.store.put(Space::Outbox, &key_of(self.id, seq), &pack(pending)?)?;
        let (id, shown) = (pending.id, pending.shown);
        if shown {
            self.travelled(cx, id, State::Sent)?;
        }
        self.settle_acknowledged(cx)
    }

    /// A message of ours went so far by the route of this step.
    fn travelled(
        &self,
        cx: &mut StepContext<'_>,
        id: MessageId,
        state: State,
    ) -> Result<(), Error> {
        cx.store.set_route(&self.id, &id, cx.via)?;
        self.further(cx, id, state)
    }

    fn further(&self, cx: &mut StepContext<'_>, id: MessageId, state: State) -> Result<(), Error> {
        if cx.store.set_state(&self.id, &id, state)? {
            cx.event(Event::State { conversation: self.id, id, state });
        }
        Ok(())
    }

    pub(super) fn on_message_put(
        &mut self,
        cx: &mut StepContext<'_>,
        seq: u64,
        index: usize,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        let Some(pending) = self.pending.get(&seq) else { return Ok(()) };
        let Some(placed) = &pending.placed else { return Ok(()) };
        if outcome == PutOutcome::Taken {
            // Somebody else writes with our keys, or an old copy of this profile did.
            return self.lose(cx, "another copy of this profile has written here");
        }
        let run: &mut Run = self.runs.entry(seq).or_default();
        run.settle(cx.now, index, outcome);
        if !run.is_done(placed.boxes.len()) {
            return Ok(());
        }
        let (id, shown, tracked) = (pending.id, pending.shown, pending.tracked);
        self.runs.remove(&seq);
        if shown {
            let state = if self.lan { State::Sent } else { State::Stored };
            self.travelled(cx, id, state)?;
        }
        if !tracked {
            return self.forget_pending(cx, seq);
        }
        if let Some(mut pending) = self.pending.remove(&seq) {
            if let Some(placed) = &mut pending.placed {
                placed.boxes.clear();
                placed.stored_at = Some(cx.now.as_millis());
            }
            self.keep_pending(cx, seq, pending)?;
        }
        self.settle_acknowledged(cx)
    }

    /// A member has read our boxes up to here.
    pub(super) fn on_ack(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        entry: &AckEntry,
        show: bool,
    ) -> Result<(), Error> {
        if entry.author != self.card.me {
            return Ok(());
        }
        let mut lost = Vec::new();
        let mut had = Vec::new();
        for (seq, pending) in &self.pending {
            let Some(placed) = pending.placed.as_ref().filter(|p| p.waiting.contains(&from)) else {
                continue;
            };
            let in_hole = entry.holes.iter().any(|hole| (placed.from..placed.to).contains(hole));
            let window = u64::try_from(PAST_EPOCHS).unwrap_or(u64::MAX);
            let passed_by = placed.epoch.saturating_add(window) < entry.epoch;
            if placed.epoch == entry.epoch && in_hole || passed_by {
                lost.push(*seq);
            } else if placed.epoch == entry.epoch && entry.count >= placed.to {
                had.push(*seq);
            }
        }
        if lost.is_empty() && !entry.holes.is_empty() {
            // What was lost may have been an acknowledgement of ours.
            self.acknowledge_again(cx);
        }
        for seq in had {
            let Some(mut pending) = self.pending.remove(&seq) else { continue };
            if let Some(placed) = &mut pending.placed {
                placed.waiting.remove(&from);
                placed.hidden |= !show;
            }
            self.keep_pending(cx, seq, pending)?;
        }
        lost.into_iter().try_for_each(|seq| self.send_anew(cx, seq))?;
        self.settle_acknowledged(cx)
    }

    pub(super) fn send_anew(&mut self, cx: &mut StepContext<'_>, seq: u64) -> Result<(), Error> {
        let Some(mut pending) = self.pending.remove(&seq) else { return Ok(()) };
        if let Some(run) = self.runs.remove(&seq) {
            for call in run.calls() {
                cx.out.cancel(call);
            }
        }
        pending.placed = None;
        self.sealed_before.remove(&seq);
        self.keep_pending(cx, seq, pending)
    }

    /// Whether something of ours has been at the hub for a day and nobody has acknowledged it: they
    /// may see another history.
    pub(super) fn is_unheard(&self, now: wire::Timestamp) -> bool {
        let old = |at: u64| now.as_millis().saturating_sub(at) > UNHEARD_MS;
        let mut placed =
            self.pending.values().filter(|p| p.tracked).filter_map(|p| p.placed.as_ref());
        placed.any(|p| p.stored_at.is_some_and(old))
    }

    /// Everything that is not acknowledged goes out again in the epoch that begins.
    pub(super) fn send_all_anew(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let placed = |p: &Pending| {
            p.tracked && p.placed.as_ref().is_some_and(|b| b.epoch < self.saved.mine.epoch)
        };
        let all: Vec<u64> =
            self.pending.iter().filter(|(_, p)| placed(p)).map(|(s, _)| *s).collect();
        all.into_iter().try_for_each(|seq| self.send_anew(cx, seq))
    }

    /// What nobody can fetch any more is sent anew: its boxes have left the hub, or never came
    /// there while their epoch was read.
    pub(super) fn requeue(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let oldest = self.epochs.front().map_or(0, |e| e.epoch);
        let old = |at: u64| cx.now.as_millis().saturating_sub(at) > RESEND_MS;
        let current = self.saved.mine.epoch;
        // Whoever was at the hub all the while no longer looks for boxes of an epoch that is over.
        let late =
            |seq: u64, p: &Pending, at: u64| at < oldest || at < current && self.is_early(seq, p);
        let stale = |(seq, p): &(&u64, &Pending)| {
            p.placed.as_ref().is_some_and(|b| b.stored_at.map_or(late(**seq, p, b.epoch), old))
        };
        let all: Vec<(u64, bool)> =
            self.pending.iter().filter(stale).map(|(seq, p)| (*seq, p.tracked)).collect();
        // Acknowledgements that only neighbours have are said again in the epoch that begins.
        let unsaid = |(seq, _): &(u64, bool)| {
            self.pending.get(seq).is_some_and(|p| !p.tracked && p.is_unstored())
        };
        if all.iter().any(unsaid) {
            self.acknowledge_again(cx);
        }
        for (seq, tracked) in all {
            if tracked { self.send_anew(cx, seq)? } else { self.forget_pending(cx, seq)? }
        }
        self.settle_acknowledged(cx)
    }

    /// Forgets what every recipient has.
    pub(super) fn settle_acknowledged(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let mut done = Vec::new();
        for (seq, pending) in &self.pending {
            let Some(placed) = &pending.placed else { continue };
            // Whoever has it from a neighbour need not find it at the hub. Before anybody has our
            // boxes nobody has read them: that acknowledgement is for another copy of this profile.
            let fetched = placed.carried && placed.waiting.len() < placed.recipients;
            if (placed.stored_at.is_some() || fetched) && self.missing(placed) == 0 {
                done.push((*seq, pending.id, pending.shown && !placed.hidden));
            }
        }
        for (seq, id, show) in done {
            self.forget_pending(cx, seq)?;
            if show {
                self.further(cx, id, State::Delivered)?;
            }
        }
        Ok(())
    }

    /// How many recipients do not have it; whoever has left is none.
    fn missing(&self, placed: &Placed) -> usize {
        placed.waiting.iter().filter(|m| self.card.members.contains_key(*m)).count()
    }

    /// Why a message of ours is not delivered yet, in words.
    pub(crate) fn why(&self, id: MessageId) -> Option<crate::event::Why> {
        let (_, pending) = self.pending.iter().find(|(_, p)| p.id == id)?;
        let since = wire::Timestamp::from_millis(pending.queued_at);
        let text = match &pending.placed {
            None if self.saved.lost.is_some() => {
                "waits until another member adds this profile again".to_owned()
            }
            None if self.saved.held_by.is_some() => {
                "the conversation is held up by a member's change".to_owned()
            }
            None if !self.is_online() => {
                "waits for a connection that the conversation's floor allows".to_owned()
            }
            None if !self.caught_up && self.can_decide() => {
                "waits until it is known whether the members have changed".to_owned()
            }
            None => "waits for its turn".to_owned(),
            Some(p) if p.stored_at.is_some() && !self.lan => {
                format!("at the hub; {}", self.who_has(p))
            }
            Some(p) if p.stored_at.is_some() => {
                format!("with neighbours on the LAN; {}", self.who_has(p))
            }
            Some(p) if p.carried && self.reach != Reach::Hub => {
                let later = "goes to the hub once that is in reach";
                format!("with neighbours on the LAN; {}; {later}", self.who_has(p))
            }
            Some(_) if self.reach == Reach::Near => {
                "on its way to neighbours on the LAN".to_owned()
            }
            Some(_) => "on its way to the hub".to_owned(),
        };
        Some(crate::event::Why { text, since })
    }

    fn who_has(&self, placed: &Placed) -> String {
        if placed.recipients == 1 {
            return format!("{} has not fetched it", self.first_other());
        }
        let have = placed.recipients.saturating_sub(self.missing(placed));
        format!("{have} of {} have fetched it", placed.recipients)
    }

    fn first_other(&self) -> String {
        self.card.members.keys().next().map_or_else(|| "nobody".to_owned(), |m| self.name_of(*m))
    }

    /// Something came that wants an acknowledgement.
    pub(super) fn ack_soon(&mut self, cx: &mut StepContext<'_>) {
        if self.saved.ack_due.is_none() {
            let others =
                u64::try_from(self.card.members.len().saturating_sub(1)).unwrap_or(u64::MAX);
            let span = ACK_SPAN_MS
                .saturating_add(ACK_PER_MEMBER_MS.saturating_mul(others))
                .min(ACK_MOST_MS);
            self.saved.ack_due = Some(cx.soon(ACK_LEAST_MS, span).as_millis());
            self.dirty = true;
        }
    }

    fn acknowledge_again(&mut self, cx: &mut StepContext<'_>) {
        for lane in self.lanes.values_mut().filter(|l| l.done() > 0) {
            lane.unacked = true;
        }
        self.ack_soon(cx);
    }

    pub(super) fn ack_if_due(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let due = self.saved.ack_due.is_some_and(|at| at <= cx.now.as_millis());
        if !due || !self.can_write() || !self.is_online() {
            return Ok(());
        }
        if self.pending.len() >= MAX_WAITING {
            // It waits until there is room.
            self.saved.ack_due = Some(cx.now.plus_millis(ACK_MOST_MS).as_millis());
            return Ok(());
        }
        self.saved.ack_due = None;
        self.dirty = true;
        let late = std::mem::take(&mut self.saved.late_acks).into_iter();
        let late = late.map(|l| AckEntry {
            author: l.author,
            epoch: l.epoch,
            count: l.count,
            holes: l.holes,
        });
        // Older epochs first: whoever reads of a later one knows that what is missing before it
        // will not come.
        let mut entries: Vec<AckEntry> = late.collect();
        for ((author, epoch), lane) in self.lanes.iter_mut().filter(|(_, l)| l.unacked) {
            lane.unacked = false;
            lane.told = lane.done();
            let (count, holes) = lane.acknowledged();
            entries.push(AckEntry { author: *author, epoch: *epoch, count, holes });
        }
        entries.sort_by_key(|e| e.epoch);
        let show = self.show_delivery;
        for chunk in entries.chunks(MAX_ENTRIES) {
            let id = MessageId::random(cx.rng);
            self.queue(cx, id, Body::Ack { entries: chunk.to_vec(), show })?;
        }
        Ok(())
    }
}
