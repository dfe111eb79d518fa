//! What should be gone: withdrawn messages, edits that came too early, the whole conversation.

use std::collections::BTreeSet;

use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::Group;
use serde::{Deserialize, Serialize};
use wire::Timestamp;

use super::Conversation;
use super::saved::{Card, Intent};
use crate::Error;
use crate::codec::{pack, unpack};
use crate::context::StepContext;
use crate::store::{Author, Space};

/// Edits and deletions that wait for their message, in one conversation.
const MAX_ORPHANS: usize = 256;
/// How long they wait, ms: twice as long as a hub keeps the message that they are for.
const ORPHAN_MS: u64 = 28 * 86_400_000;

/// What is to become of a message that is not here yet: another text, or none.
#[derive(Serialize, Deserialize)]
struct Orphan {
    author: MemberId,
    text: String,
    /// When it is given up, ms of local time; 0 in what earlier versions kept.
    #[serde(default)]
    until: u64,
}

fn orphan_key(id: ConversationId, target: Option<MessageId>) -> Vec<u8> {
    let target = target.map(|t| t.as_bytes().to_vec()).unwrap_or_default();
    [id.as_bytes().as_slice(), b"o", &target].concat()
}

impl Conversation {
    /// These messages of ours are gone from the history: nothing of them leaves any more
    /// (`GONE-003`).
    pub(crate) fn withdraw(
        &mut self,
        cx: &mut StepContext<'_>,
        gone: &BTreeSet<MessageId>,
    ) -> Result<(), Error> {
        let stream = self.group.as_ref().map(|g| g.secret().stream().clone());
        self.outbox.withdraw(cx, &self.epochs, stream.as_ref(), gone)?;
        self.save(cx)
    }

    /// Our messages on their way that the history no longer holds: an earlier version left them.
    pub(crate) fn left_over(&self, cx: &StepContext<'_>) -> Result<BTreeSet<MessageId>, Error> {
        let mut gone = BTreeSet::new();
        for id in self.outbox.shown() {
            let found = cx.store.message(&self.id, &id)?;
            if found.is_none_or(|m| m.deleted || m.message.author != Author::Me) {
                gone.insert(id);
            }
        }
        Ok(gone)
    }

    /// Keeps an edit or a deletion whose message is not here yet: that was lost, and is sent again.
    /// A text waits no longer than messages stay here now (`GONE-004`).
    pub(super) fn keep_orphan(
        &self,
        cx: &mut StepContext<'_>,
        target: MessageId,
        author: MemberId,
        text: String,
    ) -> Result<(), Error> {
        let prefix = orphan_key(self.id, None);
        if cx.store.scan(Space::Conversation, &prefix)?.len() >= MAX_ORPHANS {
            return Ok(());
        }
        let timer = self.timer.filter(|_| !text.is_empty());
        let stays = timer.map_or(ORPHAN_MS, |s| u64::from(s).saturating_mul(1_000).min(ORPHAN_MS));
        let until = cx.local.plus_millis(stays);
        let orphan = Orphan { author, text, until: until.as_millis() };
        note_end(cx, until);
        Ok(cx.store.put(
            Space::Conversation,
            &orphan_key(self.id, Some(target)),
            &pack(&orphan)?,
        )?)
    }

    pub(super) fn apply_orphan(
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

    /// Gives up what has waited for its message long enough, and notes when the next is due.
    pub(crate) fn end_orphans(&self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        for (key, value) in cx.store.scan(Space::Conversation, &orphan_key(self.id, None))? {
            let mut orphan: Orphan = unpack(&value)?;
            if orphan.until == 0 {
                orphan.until = cx.local.plus_millis(ORPHAN_MS).as_millis();
                cx.store.put(Space::Conversation, &key, &pack(&orphan)?)?;
            }
            let until = Timestamp::from_millis(orphan.until);
            if until <= cx.local {
                cx.store.remove(Space::Conversation, &key)?;
            } else {
                note_end(cx, until);
            }
        }
        Ok(())
    }

    /// A contact was forgotten: nothing here says any more which one it was.
    pub(crate) fn forget_contact(
        &mut self,
        cx: &StepContext<'_>,
        contact: ConversationId,
    ) -> Result<(), Error> {
        let via = |i: &Intent| matches!(i, Intent::Add { via, .. } if *via == contact);
        let before = self.commits.intents.len();
        self.commits.intents.retain(|(_, intent)| !via(intent));
        self.commits.dirty |= self.commits.intents.len() < before;
        for known in self.card.members.values_mut().filter(|k| k.contact == Some(contact)) {
            known.contact = None;
            self.dirty = true;
        }
        self.save(cx)
    }

    /// Forgets it: keys, outbox, orphans, history, card (`GONE-005`).
    pub(crate) fn remove(self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.cancel_calls(cx);
        Self::erase(cx, self.id, &self.card)
    }

    /// Erases all that is kept of a conversation, running or not.
    pub(crate) fn erase(
        cx: &StepContext<'_>,
        of: ConversationId,
        card: &Card,
    ) -> Result<(), Error> {
        Group::erase(cx.mls, &cx.kept(), &card.group)?;
        // The library leaves keys of past epochs of a group that we were removed from. All of them
        // are kept under the group's id, which is random.
        let id = card.group.as_slice();
        for (key, _) in cx.store.scan(Space::Mls, &[])? {
            if !id.is_empty() && key.windows(id.len()).any(|part| part == id) {
                cx.store.remove(Space::Mls, &key)?;
            }
        }
        for space in [Space::Outbox, Space::Conversation] {
            for (key, _) in cx.store.scan(space, of.as_bytes())? {
                cx.store.remove(space, &key)?;
            }
        }
        cx.store.remove(Space::Card, of.as_bytes())?;
        Ok(cx.store.remove_conversation(&of)?)
    }
}

fn note_end(cx: &mut StepContext<'_>, until: Timestamp) {
    let next = cx.out.orphans_end.map_or(until, |at| at.min(until));
    cx.out.orphans_end = Some(next);
}
