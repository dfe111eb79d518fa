//! Taking up what an earlier run has kept. What cannot be read of one conversation stops that one.

use e2ee::NetworkPlace;
use e2ee::id::{ConversationId, MessageId};

use super::{Messenger, Step, cx};
use crate::Error;
use crate::codec::unpack;
use crate::conversation::{Card, Conversation};
use crate::invite::{Accepting, Inviting};
use crate::store::Space;

impl Messenger {
    pub(super) fn load_conversations(&mut self, step: &mut Step<'_>) -> Result<(), Error> {
        for (key, value) in step.store.scan(Space::Card, &[])? {
            let id = ConversationId::from_slice(&key).ok_or(Error::Damaged)?;
            let card: Card = unpack(&value)?;
            if card.stopped || card.blocked {
                self.stopped.insert(id, card);
                continue;
            }
            match self.load_conversation(step, id, card.clone()) {
                Ok(conversation) => {
                    self.conversations.insert(id, conversation);
                }
                Err(error) if error.is_of_store() => return Err(error),
                // What is kept of one must not keep the whole profile closed.
                Err(_) => self.put_aside(step, id, card)?,
            }
        }
        self.tell_blocked();
        Ok(())
    }

    pub(super) fn load_conversation(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        card: Card,
    ) -> Result<Conversation, Error> {
        let network: NetworkPlace =
            wire::decode(&card.place, "place").map_err(|_| Error::Damaged)?;
        let place = self.place_for(&network, card.charter_floor.stricter(card.floor));
        let mut cx = cx!(self, step);
        let mut conversation = Conversation::load(&mut cx, id, place, card)?;
        conversation.show_delivery = self.settings.delivery_receipts;
        Ok(conversation)
    }

    pub(super) fn load_invites(&mut self, step: &mut Step<'_>) -> Result<(), Error> {
        let name = self.my_name(step.store)?;
        for (key, value) in step.store.scan(Space::Invite, &[])? {
            let (kind, id) = key.split_first().ok_or(Error::Damaged)?;
            let id = MessageId::from_slice(id).ok_or(Error::Damaged)?;
            match kind {
                b'o' => {
                    let saved: crate::invite::InvitingSaved = unpack(&value)?;
                    let place = self.place_for(saved.invite()?.place(), saved.floor);
                    let mut inviting = Inviting::open(id, place, saved)?;
                    inviting.wipe_ended(&cx!(self, step))?;
                    self.inviting.insert(id, inviting);
                }
                b'a' => {
                    let saved: crate::invite::AcceptingSaved = unpack(&value)?;
                    let invite = saved.invite()?;
                    let place =
                        self.place_for(invite.place(), invite.floor().stricter(saved.floor));
                    self.accepting.insert(id, Accepting::open(id, place, name.clone(), saved)?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
