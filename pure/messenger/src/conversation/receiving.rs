//! What the others write: from a box to a line of the history.
//!
//! ```text
//! lane ─► MLS message ─► envelope ─┬─ text, file ──────► history, once (DIRECT-009)
//!                                  ├─ edit, delete ────► the message, or kept until it comes
//!                                  ├─ ack ─────────────► Outbox
//!                                  ├─ leave ───────────► Commits, after a random wait
//!                                  └─ group invitation ► effects, for another conversation
//! ```

use e2ee::id::{MemberId, MessageId};
use e2ee::{Newlines, sanitize};
use wire::Timestamp;

use super::Conversation;
use super::lane::Item;
use super::outbox::Next;
use super::saved::Intent;
use crate::Error;
use crate::body::{AckEntry, Body, Envelope, FileOffer, MAX_ENTRIES};
use crate::context::{Effect, Purpose, StepContext};
use crate::event::Event;
use crate::store::{Author, Kind, NewMessage, Reaction, State};

/// How long members wait, at random, before they remove somebody who wants to leave, ms. The first
/// member in the tree does it at once; the others only step in if that one is away.
const REMOVE_LEAST_MS: u64 = 60_000;
const REMOVE_SPAN_MS: u64 = 600_000;

impl Conversation {
    /// A get or look that nobody answered.
    pub(crate) fn on_unanswered(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: Purpose,
    ) -> Result<(), Error> {
        match purpose {
            Purpose::Decide(epoch) => self.deciding.on_unanswered(epoch),
            Purpose::Lane(member, epoch) => self.lanes.on_unanswered(cx.now, (member, epoch)),
            // Nothing found does no harm there: it is asked for again.
            purpose => return self.on_boxes(cx, purpose, Vec::new()),
        }
        self.pump(cx)
    }

    /// Takes all that the lanes have. A member's boxes of an epoch are read before those of a later
    /// one, so that its messages stand in the order in which it wrote them (`GROUP-014`).
    pub(super) fn read_lanes(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if self.rescues.lost.is_some() {
            return Ok(());
        }
        let mut held = None;
        for lane in self.lanes.in_order() {
            let (member, epoch) = lane;
            if held == Some(member) {
                continue;
            }
            while let Some((item, via)) = self.lanes.next(lane, cx.now)? {
                cx.via = via;
                self.dirty = true;
                match item {
                    Item::Message(message) => self.incoming(cx, lane, &message)?,
                    Item::Hole => self.ack_soon(cx),
                }
            }
            if self.lanes.note_untold(lane) {
                self.ack_soon(cx);
            }
            if epoch != self.outbox.mine.epoch && self.lanes.is_undrained(lane, cx.now) {
                held = Some(member);
            }
        }
        Ok(())
    }

    fn ack_soon(&mut self, cx: &mut StepContext<'_>) {
        self.acks.soon(cx, self.card.members.len());
    }

    fn want_ack(&mut self, cx: &mut StepContext<'_>, lane: (MemberId, u64)) {
        self.lanes.want_ack(lane);
        self.ack_soon(cx);
    }

    /// Our acknowledgement may have been lost: nobody acknowledges those.
    pub(super) fn acknowledge_again(&mut self, cx: &mut StepContext<'_>) {
        self.lanes.want_all_acks();
        self.ack_soon(cx);
    }

    /// Queues the acknowledgements that are due.
    pub(super) fn ack_if_due(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !self.acks.is_due(cx.now) || !self.can_write() || !self.link.is_online() {
            return Ok(());
        }
        if self.outbox.is_full() {
            self.acks.postpone(cx.now);
            return Ok(());
        }
        let show = self.show_delivery;
        for chunk in self.acks.take(&mut self.lanes).chunks(MAX_ENTRIES) {
            let id = MessageId::random(cx.rng);
            self.outbox.queue(cx, id, Body::Ack { entries: chunk.to_vec(), show })?;
        }
        Ok(())
    }

    /// Opens one MLS message. One that does not open is reported to its author as lost; one that
    /// opens to something unknown is acknowledged (`DIRECT-005`).
    fn incoming(
        &mut self,
        cx: &mut StepContext<'_>,
        lane: (MemberId, u64),
        message: &[u8],
    ) -> Result<(), Error> {
        let Some(group) = self.group.as_mut() else { return Ok(()) };
        let decrypted = match group.decrypt(cx.mls, &cx.kept(), message) {
            Ok(decrypted) => decrypted,
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            Err(_) => {
                self.lanes.spoiled(lane);
                self.ack_soon(cx);
                return Ok(());
            }
        };
        // The box's stream and the MLS sender must be one: nobody speaks on another's lane.
        if (decrypted.from, decrypted.epoch) != lane {
            return Ok(());
        }
        let (member, epoch) = lane;
        let Ok(envelope) = Envelope::parse(&decrypted.content) else {
            let name = self.name_of(member);
            self.want_ack(cx, lane);
            return self
                .notice(cx, &format!("{name} sent something that this version cannot show"));
        };
        if envelope.body.is_tracked() {
            self.want_ack(cx, lane);
        }
        // Blocked people learn nothing of it: what they say is read, acknowledged and dropped.
        if envelope.body.is_shown() && self.is_blocked(member) {
            return Ok(());
        }
        let is_ack = matches!(envelope.body, Body::Ack { .. });
        self.take(cx, member, envelope)?;
        if is_ack { self.outbox.on_member_at(cx, member, epoch) } else { Ok(()) }
    }

    fn take(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        envelope: Envelope,
    ) -> Result<(), Error> {
        let (id, at) = (envelope.id, envelope.at());
        let author = Author::Member(member);
        match envelope.body {
            Body::Text { text, reply_to, ttl } => {
                let text = sanitize(&text, Newlines::Keep);
                self.received(cx, member, id, at, Kind::Text, text, reply_to, ttl).map(|_| ())
            }
            Body::Edit { target, text } => {
                let text = sanitize(&text, Newlines::Keep);
                if cx.store.message(&self.id, &target)?.is_none() {
                    return self.keep_orphan(cx, target, member, text);
                }
                let done = cx.store.edit_message(&self.id, &target, author, &text)?;
                self.changed(cx, target, done)
            }
            Body::Delete { target } => {
                if cx.store.message(&self.id, &target)?.is_none() {
                    return self.keep_orphan(cx, target, member, String::new());
                }
                let done = cx.store.delete_message(&self.id, &target, author)?;
                if done {
                    let effect = Effect::Deleted { conversation: self.id, id: target };
                    cx.out.effects.push_back(effect);
                }
                self.changed(cx, target, done)
            }
            Body::React { target, emoji, add } => {
                let emoji = sanitize(&emoji, Newlines::Fold);
                let reaction = Reaction { author, author_name: self.name_of(member), emoji };
                let done = cx.store.react(&self.id, &target, &reaction, add)?;
                self.changed(cx, target, done)
            }
            Body::Timer { seconds } => self.timer_set(cx, Some(member), seconds),
            Body::Ack { entries, show } => {
                entries.iter().try_for_each(|entry| self.on_ack(cx, member, entry, show))
            }
            Body::Seen { ids } => self.on_seen(cx, &ids),
            Body::File { offer, ttl } => self.offered(cx, member, id, at, offer, ttl),
            Body::Leave => self.wants_to_leave(cx, member),
            Body::Invite { token, title, members } if self.card.direct => {
                let title = sanitize(&title, Newlines::Fold);
                cx.out.effects.push_back(Effect::Invited { via: self.id, token, title, members });
                Ok(())
            }
            Body::Accept { token, key_package } if self.card.direct => {
                cx.out.effects.push_back(Effect::Accepted { via: self.id, token, key_package });
                Ok(())
            }
            Body::Welcome { token, welcome } if self.card.direct => {
                cx.out.effects.push_back(Effect::Welcomed { via: self.id, token, welcome });
                Ok(())
            }
            // In a group these would let one member act for another: only direct chats carry them.
            Body::Invite { .. } | Body::Accept { .. } | Body::Welcome { .. } => Ok(()),
        }
    }

    fn on_ack(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        entry: &AckEntry,
        show: bool,
    ) -> Result<(), Error> {
        let next = self.outbox.on_ack(cx, &self.card.members, member, entry, show)?;
        if next == Next::AcknowledgeAgain {
            self.acknowledge_again(cx);
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    fn received(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        id: MessageId,
        at: Timestamp,
        kind: Kind,
        text: String,
        reply_to: Option<MessageId>,
        ttl: Option<u32>,
    ) -> Result<bool, Error> {
        let author = Author::Member(member);
        let message = NewMessage {
            conversation: self.id,
            id,
            author,
            author_name: self.name_of(member),
            sent_at: at,
            received_at: cx.now,
            kind,
            text,
            reply_to,
            state: State::Received,
            expires_at: cx.disappears(ttl),
            route: cx.via.to_owned(),
        };
        let new = cx.store.add_message(&message)?;
        if new {
            self.apply_orphan(cx, member, id)?;
            cx.event(Event::Message { conversation: self.id, id, author });
        }
        Ok(new)
    }

    fn changed(&self, cx: &mut StepContext<'_>, id: MessageId, done: bool) -> Result<(), Error> {
        if done {
            cx.event(Event::Changed { conversation: self.id, id });
        }
        Ok(())
    }

    /// The time until messages disappear; by us when `by` is none.
    pub(super) fn timer_set(
        &mut self,
        cx: &mut StepContext<'_>,
        by: Option<MemberId>,
        seconds: u32,
    ) -> Result<(), Error> {
        let timer = Some(seconds).filter(|s| *s > 0);
        if self.timer == timer {
            return Ok(());
        }
        self.timer = timer;
        self.dirty = true;
        let who = by.map_or_else(|| "you".to_owned(), |m| self.name_of(m));
        let text = match timer {
            None => format!("{who} switched disappearing messages off"),
            Some(s) => format!("{who} set messages to disappear after {}", span(s)),
        };
        self.notice(cx, &text)
    }

    fn on_seen(&mut self, cx: &mut StepContext<'_>, ids: &[MessageId]) -> Result<(), Error> {
        // In a group one reader does not speak for all.
        if !self.card.direct {
            return Ok(());
        }
        for id in ids {
            if cx.store.set_state(&self.id, id, State::Read)? {
                cx.event(Event::State { conversation: self.id, id: *id, state: State::Read });
            }
        }
        Ok(())
    }

    fn offered(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        id: MessageId,
        at: Timestamp,
        offer: FileOffer,
        ttl: Option<u32>,
    ) -> Result<(), Error> {
        let name = crate::transfer::safe_name(&offer.name);
        if self.received(cx, member, id, at, Kind::File, name, None, ttl)? {
            let conversation = self.id;
            cx.out.effects.push_back(Effect::Offered { conversation, id, offer });
        }
        Ok(())
    }

    fn wants_to_leave(&mut self, cx: &mut StepContext<'_>, member: MemberId) -> Result<(), Error> {
        let name = self.name_of(member);
        if self.card.direct {
            self.over = true;
            self.dirty = true;
            return self.notice(cx, &format!("{name} has ended this conversation"));
        }
        if self.link.lan && member == self.card.creator {
            return self
                .notice(cx, &format!("{name} has left: nobody can change the group any more"));
        }
        if !self.may_change() {
            return self.notice(cx, &format!("{name} wants to leave"));
        }
        let remove = Intent::Remove { member };
        if self.commits.wants(&remove) {
            return Ok(());
        }
        let first = self
            .group
            .as_ref()
            .and_then(|g| g.members().ok())
            .and_then(|all| all.into_iter().map(|m| m.id).find(|id| *id != member));
        let mine = first == Some(self.card.me) || self.link.lan;
        let at = if mine { cx.now } else { cx.soon(REMOVE_LEAST_MS, REMOVE_SPAN_MS) };
        self.commits.intend(at, remove);
        self.notice(cx, &format!("{name} wants to leave"))
    }
}

/// A span of time in the largest unit that says it exactly.
#[must_use]
pub(crate) fn span(seconds: u32) -> String {
    let units =
        [(604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let exact = units.iter().find_map(|(unit, name)| {
        let n =
            seconds.checked_div(*unit).filter(|n| *n > 0 && n.saturating_mul(*unit) == seconds)?;
        Some(if n == 1 { format!("1 {name}") } else { format!("{n} {name}s") })
    });
    exact.unwrap_or_else(|| format!("{seconds} seconds"))
}
