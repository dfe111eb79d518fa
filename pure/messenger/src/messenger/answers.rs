//! What carriers and the shell's files answer.

use e2ee::id::TransferId;
use streams::{Sizes, VerifiedBox};
use wire::hub::PutOutcome;

use super::stopped::{in_conversation, in_invite};
use super::{Messenger, Step, cx};
use crate::Error;
use crate::context::{Owner, Purpose};
use crate::conversation::Conversation;
use crate::event::{FileState, PlaceId};
use crate::invite::Accepted;
use crate::near::Reach;
use crate::request::CallId;

impl Messenger {
    /// How far the requests of a place get now. Open requests stay open, and are answered by what
    /// is in reach now. Puts of messages are cancelled when the hub comes in reach, and made again.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn set_reach(
        &mut self,
        step: &mut Step<'_>,
        place: PlaceId,
        reach: Reach,
    ) -> Result<(), Error> {
        self.reach.insert(place, reach);
        let lan = self.place(place).is_some_and(|(network, _)| network.is_lan());
        let mut cx = cx!(self, step);
        for conversation in self.conversations.values_mut().filter(|c| c.place() == place) {
            in_conversation(conversation.id, conversation.set_reach(&mut cx, reach))?;
        }
        // Invites and files go on where the last run stopped.
        self.inviting
            .values_mut()
            .filter(|i| i.place == place)
            .try_for_each(|i| in_invite(i.id, i.set_reach(&mut cx, reach)))?;
        self.accepting
            .values_mut()
            .filter(|a| a.place == place)
            .try_for_each(|a| in_invite(a.id, a.set_reach(&mut cx, reach)))?;
        self.transfers
            .values_mut()
            .filter(|t| t.place == place)
            .try_for_each(|t| t.set_reach(&mut cx, reach, lan))?;
        self.after(step)
    }

    /// The sizes of boxes into which messages at a place are sealed from now on: `Ladder` only
    /// where the carrier takes large boxes, and the network's replies have room for one. To be
    /// called before the place goes online.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn set_sizes(
        &mut self,
        step: &mut Step<'_>,
        place: PlaceId,
        sizes: Sizes,
    ) -> Result<(), Error> {
        self.sizes.insert(place, sizes);
        let mut cx = cx!(self, step);
        for conversation in self.conversations.values_mut().filter(|c| c.place() == place) {
            in_conversation(conversation.id, conversation.set_sizes(&mut cx, sizes))?;
        }
        Ok(())
    }

    /// The first packet of a put has left.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_sent(&mut self, step: &mut Step<'_>, call: CallId) -> Result<(), Error> {
        if let Some(Owner::Conversation(id, Purpose::Message(seq, index))) =
            self.out.calls.get(&call).copied()
        {
            let mut cx = cx!(self, step);
            if let Some(conversation) = self.conversations.get_mut(&id) {
                in_conversation(id, conversation.on_sent(&mut cx, seq, index))?;
            }
        }
        Ok(())
    }

    /// The LAN's answer to a put while the reach is [`Reach::Near`]: neighbours may fetch the box
    /// from us, and the hub does not have it. If there is a hub, the box is put again once that is
    /// in reach, unless everybody has it by then.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_carried(&mut self, step: &mut Step<'_>, call: CallId) -> Result<(), Error> {
        let Some(owner) = self.out.calls.remove(&call) else { return Ok(()) };
        let mut cx = cx!(self, step);
        match owner {
            Owner::Conversation(id, purpose) => {
                if let Some(conversation) = self.conversations.get_mut(&id) {
                    in_conversation(id, conversation.on_carried(&mut cx, purpose))?;
                }
            }
            Owner::Inviting(id, crate::context::InvitePurpose::Put(index)) => {
                if let Some(inviting) = self.inviting.get_mut(&id) {
                    in_invite(id, inviting.on_carried(&mut cx, index))?;
                }
            }
            Owner::Accepting(id, purpose) => {
                let done = match self.accepting.get_mut(&id) {
                    Some(accepting) => in_invite(id, accepting.on_carried(&mut cx, purpose))?,
                    None => Accepted::Waiting,
                };
                self.accepted(step, id, done)?;
            }
            Owner::Transfer(id, chunk) => {
                if let Some(transfer) = self.transfers.get_mut(&id) {
                    transfer.on_carried(&mut cx, chunk)?;
                }
            }
            Owner::Inviting(..) => {}
        }
        self.after(step)
    }

    /// The hub's answer to a put.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_put(
        &mut self,
        step: &mut Step<'_>,
        call: CallId,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        let Some(owner) = self.out.calls.remove(&call) else { return Ok(()) };
        let mut cx = cx!(self, step);
        match owner {
            Owner::Conversation(id, purpose) => {
                if let Some(conversation) = self.conversations.get_mut(&id) {
                    in_conversation(id, conversation.on_put(&mut cx, purpose, outcome))?;
                }
            }
            Owner::Inviting(id, crate::context::InvitePurpose::Put(index)) => {
                if let Some(inviting) = self.inviting.get_mut(&id) {
                    in_invite(id, inviting.on_put(&mut cx, index, outcome))?;
                }
            }
            Owner::Accepting(id, purpose) => {
                let done = match self.accepting.get_mut(&id) {
                    Some(accepting) => in_invite(id, accepting.on_put(&mut cx, purpose, outcome))?,
                    None => Accepted::Waiting,
                };
                self.accepted(step, id, done)?;
            }
            Owner::Transfer(id, chunk) => {
                if let Some(transfer) = self.transfers.get_mut(&id) {
                    transfer.on_put(&mut cx, chunk, outcome)?;
                }
            }
            Owner::Inviting(..) => {}
        }
        self.after(step)
    }

    /// A get or look that the hub refused, or that the route could not take.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_unanswered(&mut self, step: &mut Step<'_>, call: CallId) -> Result<(), Error> {
        if let Some(Owner::Conversation(id, purpose)) = self.out.calls.get(&call).copied() {
            // Nothing found would mean that nothing was decided, or said.
            self.out.calls.remove(&call);
            let mut cx = cx!(self, step);
            if let Some(conversation) = self.conversations.get_mut(&id) {
                in_conversation(id, conversation.on_unanswered(&mut cx, purpose))?;
            }
            return self.after(step);
        }
        self.on_boxes(step, call, Vec::new())
    }

    /// What a get or look found, perhaps nothing.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_boxes(
        &mut self,
        step: &mut Step<'_>,
        call: CallId,
        boxes: Vec<VerifiedBox>,
    ) -> Result<(), Error> {
        let Some(owner) = self.out.calls.remove(&call) else { return Ok(()) };
        let mut cx = cx!(self, step);
        match owner {
            Owner::Conversation(id, purpose) => {
                if let Some(conversation) = self.conversations.get_mut(&id) {
                    in_conversation(id, conversation.on_boxes(&mut cx, purpose, boxes))?;
                    self.heard(step, id)?;
                }
            }
            Owner::Inviting(id, purpose) => {
                let Some(inviting) = self.inviting.get_mut(&id) else { return Ok(()) };
                let (contact, place) =
                    (in_invite(id, inviting.on_boxes(&mut cx, purpose, boxes))?, inviting.place);
                if let Some(contact) = contact {
                    let conversation = self.welcome_contact(step, place, contact)?;
                    let cx = cx!(self, step);
                    if let Some(inviting) = self.inviting.get_mut(&id) {
                        inviting.note_contact(&cx, conversation)?;
                    }
                    let event = crate::event::Event::InviteUsed { invite: id, conversation };
                    self.out.queue.push_back(crate::event::Output::Event(event));
                }
            }
            Owner::Accepting(id, _) => {
                let done = match self.accepting.get_mut(&id) {
                    Some(accepting) => in_invite(id, accepting.on_boxes(&mut cx, boxes))?,
                    None => Accepted::Waiting,
                };
                self.accepted(step, id, done)?;
            }
            Owner::Transfer(id, ask) => {
                if let Some(transfer) = self.transfers.get_mut(&id) {
                    transfer.on_boxes(&mut cx, ask, boxes)?;
                }
            }
        }
        self.after(step)
    }

    /// A contact whose link we accepted without a hub has written: they have our answer, so nothing
    /// more has to be offered to them.
    fn heard(
        &mut self,
        step: &mut Step<'_>,
        contact: e2ee::id::ConversationId,
    ) -> Result<(), Error> {
        let waits =
            self.accepting.values().find(|a| a.waits_to_hear() == Some(contact)).map(|a| a.id);
        let Some(id) =
            waits.filter(|_| self.conversations.get(&contact).is_some_and(Conversation::has_heard))
        else {
            return Ok(());
        };
        let mut cx = cx!(self, step);
        match self.accepting.remove(&id) {
            Some(accepting) => accepting.give_up(&mut cx),
            None => Ok(()),
        }
    }

    fn accepted(
        &mut self,
        step: &mut Step<'_>,
        id: e2ee::id::MessageId,
        done: Accepted,
    ) -> Result<(), Error> {
        match done {
            Accepted::Waiting => {}
            Accepted::Over => {
                self.accepting.remove(&id);
            }
            Accepted::Opened(contact) => {
                if let Some(place) = self.accepting.get(&id).map(|a| a.place) {
                    let conversation = self.welcome_contact(step, place, *contact)?;
                    let cx = cx!(self, step);
                    if let Some(accepting) = self.accepting.get_mut(&id) {
                        accepting.opened(&cx, conversation)?;
                    }
                    let event = crate::event::Event::InviteUsed { invite: id, conversation };
                    self.out.queue.push_back(crate::event::Output::Event(event));
                }
            }
            Accepted::Beaten(contact) => {
                self.accepting.remove(&id);
                let mut cx = cx!(self, step);
                if let Some(conversation) =
                    self.conversations.get_mut(&contact).filter(|c| !c.has_heard())
                {
                    let text = "somebody else used this link first: ask for another one";
                    conversation.notice(&mut cx, text)?;
                    conversation.end(&mut cx)?;
                    cx.event(crate::event::Event::InviteFailed { invite: id, text });
                }
            }
            Accepted::Contact(contact) => {
                if let Some(accepting) = self.accepting.remove(&id) {
                    let conversation = self.welcome_contact(step, accepting.place, *contact)?;
                    let event = crate::event::Event::InviteUsed { invite: id, conversation };
                    self.out.queue.push_back(crate::event::Output::Event(event));
                }
            }
        }
        Ok(())
    }

    /// The shell has read a chunk of a file that is being sent.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_chunk(
        &mut self,
        step: &mut Step<'_>,
        transfer: TransferId,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        match self.transfers.get_mut(&transfer) {
            Some(moving) => moving.on_chunk(&mut cx, offset, bytes),
            None => Ok(()),
        }
    }

    /// The shell has written a chunk of a file that is being fetched: everything up to here is
    /// durable.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_written(
        &mut self,
        step: &mut Step<'_>,
        transfer: TransferId,
        up_to: u64,
    ) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        match self.transfers.get_mut(&transfer) {
            Some(moving) => moving.on_written(&mut cx, up_to),
            None => Ok(()),
        }
    }

    /// The shell has checked the file and given it its name, or could not; `path` is where it lies
    /// now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_finished(
        &mut self,
        step: &mut Step<'_>,
        transfer: TransferId,
        state: FileState,
        path: Option<String>,
    ) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        match self.transfers.get_mut(&transfer) {
            Some(moving) => {
                if let Some(path) = path {
                    moving.transfer.path = path;
                }
                moving.set_state(&mut cx, state)
            }
            None => Ok(()),
        }
    }
}
