//! What should be gone, in every space of the store (`docs/spec/deletion.md`).
//!
//! A message leaves the history first: it disappears, gets too old, or is deleted. Then
//! [`Messenger::erased`] takes what else belongs to it: the copy on its way out, edits and
//! reactions on their way out, the transfer of its file. A conversation goes with all of its
//! messages, and with what only led to it.

use std::collections::{BTreeMap, BTreeSet};

use e2ee::id::{ConversationId, MessageId, TransferId};
use wire::Timestamp;

use super::{Messenger, Step, cx};
use crate::Error;
use crate::conversation::Conversation;
use crate::event::{Event, Output};
use crate::store::{Author, Store};

impl Messenger {
    /// Sets the local time of the steps from now on (`GONE-001`): by it messages disappear. Until
    /// this is called, the time of the step counts.
    pub fn set_local_time(&mut self, local: Timestamp) {
        self.local = Some(local);
    }

    pub(super) fn local(&self, step: &Step<'_>) -> Timestamp {
        self.local.unwrap_or(step.now)
    }

    /// When [`Messenger::erase_due`] has something to do, in local time.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn next_erasure(&self, store: &dyn Store) -> Result<Option<Timestamp>, Error> {
        Ok(store.next_expiry()?.into_iter().chain(self.out.orphans_end).min())
    }

    /// Erases what is due to disappear. To be called first in a step that could send something.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn erase_due(&mut self, step: &mut Step<'_>) -> Result<(), Error> {
        let local = self.local(step);
        let gone = step.store.expire(local)?;
        for (conversation, id) in gone.iter().copied() {
            self.out.queue.push_back(Output::Event(Event::Expired { conversation, id }));
        }
        self.erased(step, &gone)?;
        if self.out.orphans_end.is_some_and(|at| at <= local) {
            self.end_orphans(step)?;
        }
        Ok(())
    }

    /// Erases messages that were kept before this local time, except ours that are still on their
    /// way.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn forget_before(&mut self, step: &mut Step<'_>, before: Timestamp) -> Result<(), Error> {
        let gone = step.store.forget_before(before)?;
        self.erased(step, &gone)
    }

    /// These messages are gone from the history: what else belongs to them goes, too.
    pub(super) fn erased(
        &mut self,
        step: &mut Step<'_>,
        gone: &[(ConversationId, MessageId)],
    ) -> Result<(), Error> {
        let mut by_conversation: BTreeMap<ConversationId, BTreeSet<MessageId>> = BTreeMap::new();
        for (conversation, id) in gone {
            // Somebody else can write a message with the id of ours, and let it disappear.
            if !is_ours(step.store, conversation, id)? {
                by_conversation.entry(*conversation).or_default().insert(*id);
            }
        }
        let mut cx = cx!(self, step);
        for (conversation, ids) in &by_conversation {
            if let Some(conversation) = self.conversations.get_mut(conversation) {
                conversation.withdraw(&mut cx, ids)?;
            }
        }
        let of_gone = |c: &ConversationId, m: &MessageId| {
            by_conversation.get(c).is_some_and(|ids| ids.contains(m))
        };
        self.drop_transfers(step, of_gone)
    }

    fn drop_transfers(
        &mut self,
        step: &mut Step<'_>,
        gone: impl Fn(&ConversationId, &MessageId) -> bool,
    ) -> Result<(), Error> {
        let all = self.transfers.iter();
        let all = all.filter(|(_, m)| gone(&m.transfer.conversation, &m.transfer.message));
        let all: Vec<TransferId> = all.map(|(id, _)| *id).collect();
        let mut cx = cx!(self, step);
        all.into_iter()
            .filter_map(|id| self.transfers.remove(&id))
            .try_for_each(|moving| moving.remove(&mut cx))
    }

    fn end_orphans(&mut self, step: &mut Step<'_>) -> Result<(), Error> {
        self.out.orphans_end = None;
        let mut cx = cx!(self, step);
        self.conversations.values().try_for_each(|c| c.end_orphans(&mut cx))
    }

    /// Removes a conversation and its history from this profile, and what led to it: invites of
    /// both directions, invitations into a group, transfers (`GONE-005`).
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn forget(&mut self, step: &mut Step<'_>, id: ConversationId) -> Result<(), Error> {
        let running = self.conversations.remove(&id);
        let stopped = self.stopped.remove(&id);
        let mut cx = cx!(self, step);
        match (running, stopped) {
            (Some(conversation), _) => conversation.remove(&mut cx)?,
            (None, Some(card)) => Conversation::erase(&cx, id, &card)?,
            (None, None) => return Err(Error::NoSuch("conversation")),
        }
        for other in self.conversations.values_mut() {
            other.forget_contact(&cx, id)?;
        }
        let led = |(_, i): &(&MessageId, &crate::invite::Inviting)| i.led_to() == Some(id);
        let invites: Vec<MessageId> =
            self.inviting.iter().filter(led).map(|(invite, _)| *invite).collect();
        for invite in invites {
            if let Some(inviting) = self.inviting.remove(&invite) {
                inviting.remove(&mut cx)?;
            }
        }
        let accepted: Vec<MessageId> =
            self.accepting.values().filter(|a| a.led_to() == Some(id)).map(|a| a.id).collect();
        for invite in accepted {
            if let Some(accepting) = self.accepting.remove(&invite) {
                accepting.give_up(&mut cx)?;
            }
        }
        self.tell_blocked();
        self.forget_invitations(step, id)?;
        self.drop_transfers(step, |c, _| *c == id)
    }

    /// Ended invites are listed for a day after their time, and then gone.
    pub(super) fn drop_ended_invites(&mut self, step: &mut Step<'_>) -> Result<(), Error> {
        let latest = step.now.max(self.local(step));
        let over = self.inviting.iter().filter(|(_, i)| i.is_past(latest));
        let over: Vec<MessageId> = over.map(|(id, _)| *id).collect();
        let mut cx = cx!(self, step);
        over.into_iter()
            .filter_map(|id| self.inviting.remove(&id))
            .try_for_each(|inviting| inviting.remove(&mut cx))
    }

    /// Erases what earlier versions have left behind.
    pub(super) fn erase_left_over(&mut self, step: &mut Step<'_>) -> Result<(), Error> {
        let mut gone = Vec::new();
        let cx = cx!(self, step);
        for conversation in self.conversations.values() {
            let ids = conversation.left_over(&cx)?;
            gone.extend(ids.into_iter().map(|id| (conversation.id, id)));
        }
        for moving in self.transfers.values() {
            let (of, id) = (moving.transfer.conversation, moving.transfer.message);
            if step.store.message(&of, &id)?.is_none_or(|m| m.deleted) {
                gone.push((of, id));
            }
        }
        // Local time is not known yet: the first look at it goes through what waits for messages.
        self.out.orphans_end = Some(Timestamp::ZERO);
        self.erased(step, &gone)
    }
}

fn is_ours(
    store: &dyn Store,
    conversation: &ConversationId,
    id: &MessageId,
) -> Result<bool, Error> {
    let found = store.message(conversation, id)?;
    Ok(found.is_some_and(|m| m.message.author == Author::Me && !m.deleted))
}
