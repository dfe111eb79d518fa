//! What the others say.

use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::{Newlines, sanitize};
use wire::Timestamp;

use super::Conversation;
use super::lane::Item;
use super::saved::Intent;
use crate::Error;
use crate::body::{Body, Envelope, FileOffer};
use crate::codec::{pack, unpack};
use crate::context::{Effect, StepContext};
use crate::event::Event;
use crate::store::{Author, Kind, NewMessage, Reaction, Space, State};

/// Others wait so long, at random, before they remove somebody who wants to leave; the first member
/// does it at once, ms.
const REMOVE_LEAST_MS: u64 = 60_000;
const REMOVE_SPAN_MS: u64 = 600_000;

/// Edits and deletions that wait for their message, in one conversation.
const MAX_ORPHANS: usize = 256;

/// What is to become of a message that is not here yet: another text, or none.
#[derive(serde::Serialize, serde::Deserialize)]
struct Orphan {
    author: MemberId,
    text: String,
}

fn orphan_key(id: ConversationId, target: Option<MessageId>) -> Vec<u8> {
    let target = target.map(|t| t.as_bytes().to_vec()).unwrap_or_default();
    [id.as_bytes().as_slice(), b"o", &target].concat()
}

impl Conversation {
    /// Takes all that the lanes have. A member's boxes of an epoch are read before those of a later
    /// one, so that its messages stand in the order in which it said them (`GROUP-014`).
    pub(super) fn read_lanes(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if self.saved.lost.is_some() {
            return Ok(());
        }
        let keys: Vec<_> = self.lanes.keys().copied().collect();
        let mut held = None;
        for (member, epoch) in keys {
            if held == Some(member) {
                continue;
            }
            while let Some(lane) = self.lanes.get_mut(&(member, epoch)) {
                let Some(item) = lane.next(cx.now)? else { break };
                cx.via = lane.via;
                self.dirty = true;
                match item {
                    Item::Message(message, _) => self.incoming(cx, member, epoch, &message)?,
                    Item::Hole => self.ack_soon(cx),
                }
            }
            if let Some(lane) = self.lanes.get_mut(&(member, epoch)).filter(|l| l.is_untold()) {
                lane.unacked = true;
                self.ack_soon(cx);
            }
            let past = epoch != self.saved.mine.epoch;
            if past && self.lanes.get(&(member, epoch)).is_some_and(|l| !l.drained) {
                held = Some(member);
            }
        }
        Ok(())
    }

    fn incoming(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        epoch: u64,
        message: &[u8],
    ) -> Result<(), Error> {
        let Some(group) = self.group.as_mut() else { return Ok(()) };
        let decrypted = match group.decrypt(cx.mls, &cx.kept(), message) {
            Ok(decrypted) => decrypted,
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            Err(_) => {
                if let Some(lane) = self.lanes.get_mut(&(member, epoch)) {
                    lane.spoiled();
                }
                self.ack_soon(cx);
                return Ok(());
            }
        };
        if decrypted.from != member || decrypted.epoch != epoch {
            return Ok(());
        }
        let Ok(envelope) = Envelope::parse(&decrypted.content) else {
            let name = self.name_of(member);
            self.want_ack(cx, member, epoch);
            return self
                .notice(cx, &format!("{name} sent something that this version cannot show"));
        };
        if envelope.body.is_tracked() {
            self.want_ack(cx, member, epoch);
        }
        self.take(cx, member, envelope)
    }

    fn want_ack(&mut self, cx: &mut StepContext<'_>, member: MemberId, epoch: u64) {
        if let Some(lane) = self.lanes.get_mut(&(member, epoch)) {
            lane.unacked = true;
        }
        self.ack_soon(cx);
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
                    return self.keep_orphan(cx, target, &Orphan { author: member, text });
                }
                let done = cx.store.edit_message(&self.id, &target, author, &text)?;
                self.changed(cx, target, done)
            }
            Body::Delete { target } => {
                if cx.store.message(&self.id, &target)?.is_none() {
                    return self.keep_orphan(
                        cx,
                        target,
                        &Orphan { author: member, text: String::new() },
                    );
                }
                let done = cx.store.delete_message(&self.id, &target, author)?;
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
            // Invitations belong into direct chats.
            Body::Invite { .. } | Body::Accept { .. } | Body::Welcome { .. } => Ok(()),
        }
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
            expires_at: ttl.map(|s| cx.now.plus_millis(u64::from(s).saturating_mul(1_000))),
            route: cx.via.to_owned(),
        };
        let new = cx.store.add_message(&message)?;
        if new {
            self.apply_orphan(cx, member, id)?;
            cx.event(Event::Message { conversation: self.id, id, author });
        }
        Ok(new)
    }

    /// An edit or a deletion came before the message that it is for, which was lost and is sent
    /// anew.
    fn keep_orphan(
        &self,
        cx: &mut StepContext<'_>,
        target: MessageId,
        orphan: &Orphan,
    ) -> Result<(), Error> {
        let prefix = orphan_key(self.id, None);
        if cx.store.scan(Space::Conversation, &prefix)?.len() < MAX_ORPHANS {
            cx.store.put(
                Space::Conversation,
                &orphan_key(self.id, Some(target)),
                &pack(orphan)?,
            )?;
        }
        Ok(())
    }

    fn apply_orphan(
        &self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        id: MessageId,
    ) -> Result<(), Error> {
        let key = orphan_key(self.id, Some(id));
        let Some(bytes) = cx.store.get(Space::Conversation, &key)? else { return Ok(()) };
        let orphan: Orphan = unpack(&bytes)?;
        if orphan.author == member {
            let author = Author::Member(member);
            match orphan.text.as_str() {
                "" => cx.store.delete_message(&self.id, &id, author)?,
                text => cx.store.edit_message(&self.id, &id, author, text)?,
            };
            cx.store.remove(Space::Conversation, &key)?;
        }
        Ok(())
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
        if self.saved.timer == timer {
            return Ok(());
        }
        self.saved.timer = timer;
        self.dirty = true;
        let who = by.map_or_else(|| "you".to_owned(), |m| self.name_of(m));
        let text = match timer {
            None => format!("{who} let messages stay"),
            Some(s) => format!("{who} let messages disappear after {}", span(s)),
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
            self.saved.over = true;
            self.dirty = true;
            return self.notice(cx, &format!("{name} has ended this conversation"));
        }
        if self.lan && member == self.card.creator {
            return self
                .notice(cx, &format!("{name} has left: nobody can change the group any more"));
        }
        if !self.may_change() {
            return self.notice(cx, &format!("{name} wants to leave"));
        }
        let remove = Intent::Remove { member };
        if self.saved.intents.iter().any(|(_, i)| *i == remove) {
            return Ok(());
        }
        let first = self
            .group
            .as_ref()
            .and_then(|g| g.members().ok())
            .and_then(|all| all.into_iter().map(|m| m.id).find(|id| *id != member));
        let mine = first == Some(self.card.me) || self.lan;
        let at = if mine { cx.now } else { cx.soon(REMOVE_LEAST_MS, REMOVE_SPAN_MS) };
        self.saved.intents.push_back((at.as_millis(), remove));
        self.dirty = true;
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
