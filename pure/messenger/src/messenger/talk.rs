//! What the user sends: messages, changes to messages, files.

use e2ee::id::{ConversationId, MessageId, TransferId};
use e2ee::{Newlines, sanitize};

use super::{Messenger, Step, cx};
use crate::Error;
use crate::body::{Body, MAX_EMOJI, MAX_ENTRIES, MAX_TEXT, MAX_TIMER_S};
use crate::event::{Event, FileState, Output};
use crate::store::{Author, Kind, NewMessage, Reaction, State};
use crate::transfer::{Moving, NewFile};

impl Messenger {
    /// Sends a text.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::OutboxFull`], [`Error::Refused`].
    pub fn say(
        &mut self,
        step: &mut Step<'_>,
        conversation: ConversationId,
        text: &str,
        reply_to: Option<MessageId>,
    ) -> Result<MessageId, Error> {
        let text = checked_text(text)?;
        let ttl = self.conversation(conversation)?.timer();
        let body = Body::Text { text: text.clone(), reply_to, ttl };
        self.post(step, conversation, Kind::Text, text, reply_to, ttl, body)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    fn post(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        kind: Kind,
        text: String,
        reply_to: Option<MessageId>,
        ttl: Option<u32>,
        body: Body,
    ) -> Result<MessageId, Error> {
        let message = MessageId::random(step.rng);
        let author_name = self.my_name(step.store)?.as_str().to_owned();
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        conversation.check_open()?;
        cx.store.add_message(&NewMessage {
            conversation: id,
            id: message,
            author: Author::Me,
            author_name,
            sent_at: cx.now,
            received_at: cx.now,
            kind,
            text,
            reply_to,
            state: State::Queued,
            expires_at: cx.disappears(ttl),
            route: String::new(),
        })?;
        conversation.queue(&mut cx, message, body)?;
        cx.event(Event::Message { conversation: id, id: message, author: Author::Me });
        conversation.pump(&mut cx)?;
        Ok(message)
    }

    pub(super) fn send(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        body: Body,
    ) -> Result<(), Error> {
        let message = MessageId::random(step.rng);
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        conversation.check_open()?;
        conversation.queue(&mut cx, message, body)?;
        conversation.pump(&mut cx)
    }

    /// Replaces the text of our message.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::TooLong`].
    pub fn edit(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        target: MessageId,
        text: &str,
    ) -> Result<(), Error> {
        let text = checked_text(text)?;
        if !step.store.edit_message(&id, &target, Author::Me, &text)? {
            return Err(Error::NoSuch("message of yours"));
        }
        self.send(step, id, Body::Edit { target, text })?;
        self.changed(id, target);
        Ok(())
    }

    /// Deletes our message everywhere, somebody else's here only. What of it has not left does not
    /// leave any more.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn delete(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        target: MessageId,
    ) -> Result<(), Error> {
        let found = step.store.message(&id, &target)?.ok_or(Error::NoSuch("message"))?;
        step.store.delete_message(&id, &target, found.message.author)?;
        self.erased(step, &[(id, target)])?;
        if found.message.author == Author::Me && found.message.kind != Kind::Notice {
            self.send(step, id, Body::Delete { target })?;
        }
        self.changed(id, target);
        Ok(())
    }

    /// Adds or removes our reaction.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::TooLong`].
    pub fn react(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        target: MessageId,
        emoji: &str,
        add: bool,
    ) -> Result<(), Error> {
        let emoji = sanitize(emoji.trim(), Newlines::Fold);
        if emoji.is_empty() || emoji.len() > MAX_EMOJI {
            return Err(Error::TooLong { len: emoji.len(), max: MAX_EMOJI });
        }
        step.store.message(&id, &target)?.ok_or(Error::NoSuch("message"))?;
        let author_name = self.my_name(step.store)?.as_str().to_owned();
        let reaction = Reaction { author: Author::Me, author_name, emoji: emoji.clone() };
        if step.store.react(&id, &target, &reaction, add)? {
            self.send(step, id, Body::React { target, emoji, add })?;
            self.changed(id, target);
        }
        Ok(())
    }

    fn changed(&mut self, conversation: ConversationId, id: MessageId) {
        self.out.queue.push_back(Output::Event(Event::Changed { conversation, id }));
    }

    /// Cancels a message that is still queued.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`] when it has left.
    pub fn cancel(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        message: MessageId,
    ) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        if conversation.cancel(&mut cx, message)? {
            Ok(())
        } else {
            Err(Error::Refused("the message has already left: delete it instead"))
        }
    }

    /// Messages sent from now on disappear after this many seconds; 0: they stay (`DIRECT-008`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn set_timer(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        seconds: u32,
    ) -> Result<(), Error> {
        if seconds > MAX_TIMER_S {
            return Err(Error::Refused("messages can be set to disappear after ten years at most"));
        }
        self.send(step, id, Body::Timer { seconds })?;
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        conversation.timer_changed(&mut cx, seconds)
    }

    /// A person has seen messages up to this number.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn seen(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        up_to: i64,
    ) -> Result<(), Error> {
        let ids = step.store.mark_seen(&id, up_to)?;
        let conversation = self.conversation(id)?;
        if !self.settings.read_receipts || !conversation.card.direct || !conversation.is_open() {
            return Ok(());
        }
        for chunk in ids.chunks(MAX_ENTRIES) {
            self.send(step, id, Body::Seen { ids: chunk.to_vec() })?;
        }
        Ok(())
    }

    /// Sends a file.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`], [`Error::OutboxFull`].
    pub fn send_file(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        file: &NewFile,
    ) -> Result<(MessageId, TransferId), Error> {
        let conversation = self.conversation(id)?;
        conversation.check_open()?;
        let (place, ttl) = (conversation.place(), conversation.timer());
        let reach = self.reach.get(&place).copied().unwrap_or_default();
        let lan = self.place(place).is_some_and(|(network, _)| network.is_lan());
        let mut cx = cx!(self, step);
        let (mut moving, offer) =
            Moving::sending(&mut cx, place, id, MessageId::new([0; 16]), file)?;
        let (transfer, name) = (moving.id, moving.transfer.name.clone());
        let message =
            self.post(step, id, Kind::File, name, None, ttl, Body::File { offer, ttl })?;
        moving.transfer.message = message;
        let mut cx = cx!(self, step);
        moving.save(&cx)?;
        moving.set_reach(&mut cx, reach, lan)?;
        moving.pump(&mut cx)?;
        self.transfers.insert(transfer, moving);
        Ok((message, transfer))
    }

    /// Fetches a file that was offered; the shell knows what `path` means.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`] when it is not on offer.
    pub fn accept_file(
        &mut self,
        step: &mut Step<'_>,
        transfer: TransferId,
        path: String,
    ) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        let moving = self.transfers.get_mut(&transfer).ok_or(Error::NoSuch("file"))?;
        if moving.transfer.ours || moving.transfer.state != FileState::Offered {
            return Err(Error::Refused("this file is not offered any more, or was never offered"));
        }
        moving.transfer.path = path;
        moving.set_state(&mut cx, FileState::Moving)?;
        moving.pump(&mut cx)
    }

    /// Stops a transfer for good.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn cancel_file(&mut self, step: &mut Step<'_>, transfer: TransferId) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        self.transfers
            .get_mut(&transfer)
            .ok_or(Error::NoSuch("file"))?
            .set_state(&mut cx, FileState::Cancelled)
    }
}

fn checked_text(text: &str) -> Result<String, Error> {
    let clean = sanitize(text, Newlines::Keep);
    match clean.len() {
        0 => Err(Error::Refused("the message is empty")),
        len if len > MAX_TEXT => Err(Error::TooLong { len, max: MAX_TEXT }),
        _ => Ok(clean),
    }
}
