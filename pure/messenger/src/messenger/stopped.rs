//! Conversations that were stopped: what others sent, or what is kept of them, breaks them, and
//! nothing else may break with them (`DIRECT-027`).
//!
//! ```text
//!            an error that is not the store's: the shell rolls back, loads again, calls `stop`
//! [running] ──────────────────────────────────────────────────────────────► [stopped]
//!     ▲      what is kept of it cannot be loaded                                │    │
//!     └──────────────────────────── resume ─────────────────────────────────────┘    │
//!                                                                     forget: gone ◄─┘
//! ```

use e2ee::id::{ConversationId, MessageId};

use super::{Messenger, Step, cx};
use crate::Error;
use crate::conversation::{Card, Conversation};
use crate::event::Event;

/// Names where an error comes from, so that it ends there.
pub(super) fn in_conversation<T>(id: ConversationId, result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| placed(error, |source| Error::Conversation { id, source }))
}

/// As [`in_conversation`], for an invite.
pub(super) fn in_invite<T>(id: MessageId, result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| placed(error, |source| Error::Invite { id, source }))
}

fn placed(error: Error, place: impl FnOnce(Box<Error>) -> Error) -> Error {
    match error {
        error @ (Error::Conversation { .. } | Error::Invite { .. }) => error,
        error if error.is_of_store() => error,
        source => place(Box::new(source)),
    }
}

impl Messenger {
    /// Takes out what an error came from, in a transaction of its own: to be called after the
    /// messenger was loaded again. The conversation stays in lists and its history can be read; the
    /// invite ends.
    ///
    /// # Errors
    /// [`Error::Store`]; the error itself when it is not one of a conversation or an invite.
    pub fn stop(&mut self, step: &mut Step<'_>, error: Error) -> Result<(), Error> {
        match error {
            Error::Conversation { id, .. } => self.stop_conversation(step, id),
            Error::Invite { id, .. } => self.stop_invite(step, id),
            other => Err(other),
        }
    }

    fn stop_conversation(&mut self, step: &mut Step<'_>, id: ConversationId) -> Result<(), Error> {
        let Some(conversation) = self.conversations.remove(&id) else { return Ok(()) };
        let mut cx = cx!(self, step);
        conversation.cancel_calls(&mut cx);
        self.put_aside(step, id, conversation.card)
    }

    /// Keeps a conversation without running it.
    pub(super) fn put_aside(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        mut card: Card,
    ) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        if !card.stopped {
            card.stopped = true;
            Conversation::keep_card(&cx, id, &card)?;
            let text = "stopped: something in this conversation is damaged or was sent to break \
                        it; read it, resume it, or forget it and meet again";
            Conversation::write_notice(&mut cx, id, text)?;
            cx.event(Event::Stopped { conversation: id });
        }
        self.stopped.insert(id, card);
        Ok(())
    }

    fn stop_invite(&mut self, step: &mut Step<'_>, id: MessageId) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        if let Some(accepting) = self.accepting.remove(&id) {
            accepting.cancel(&mut cx)?;
        } else if let Some(inviting) = self.inviting.get_mut(&id) {
            inviting.stop(&mut cx)?;
        }
        let text = "something was sent to break it: make another invite";
        cx.event(Event::InviteFailed { invite: id, text });
        Ok(())
    }

    /// Blocks a contact: nothing of theirs is asked for, shown or answered any more, and what they
    /// say in groups is not shown. They are not told, and see their messages stay undelivered.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::Refused`] for a group.
    pub fn block(&mut self, step: &mut Step<'_>, id: ConversationId) -> Result<(), Error> {
        if !self.conversation(id)?.card.direct {
            return Err(Error::Refused("only a contact can be blocked: leave or forget a group"));
        }
        let Some(conversation) = self.conversations.remove(&id) else { return Ok(()) };
        let mut cx = cx!(self, step);
        conversation.cancel_calls(&mut cx);
        let card = Card { blocked: true, ..conversation.card };
        Conversation::keep_card(&cx, id, &card)?;
        self.stopped.insert(id, card);
        self.tell_blocked();
        Ok(())
    }

    /// Tells all conversations whom the user has blocked.
    pub(super) fn tell_blocked(&mut self) {
        let blocked = self.stopped.iter().filter(|(_, card)| card.blocked);
        let blocked: std::collections::BTreeSet<_> = blocked.map(|(id, _)| *id).collect();
        for conversation in self.conversations.values_mut() {
            conversation.blocked.clone_from(&blocked);
        }
    }

    /// Tries a stopped conversation again, or unblocks a contact.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::Refused`] when it still cannot be loaded. Roll back then.
    pub fn resume(&mut self, step: &mut Step<'_>, id: ConversationId) -> Result<(), Error> {
        let mut card = self.stopped.get(&id).cloned().ok_or(Error::NoSuch("conversation"))?;
        (card.stopped, card.blocked) = (false, false);
        let conversation = self.load_conversation(step, id, card).map_err(|error| {
            let refused = Error::Refused("what is kept of this conversation is damaged");
            if error.is_of_store() { error } else { refused }
        })?;
        self.stopped.remove(&id);
        let cx = cx!(self, step);
        conversation.save_card(&cx)?;
        self.adopt(step, conversation)?;
        self.tell_blocked();
        Ok(())
    }
}
