//! Between conversations: invitations into groups travel through direct chats.

use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::{MemberSecret, Welcomed, key_package};

use super::{Messenger, Step, cx};
use crate::Error;
use crate::body::Body;
use crate::codec::{pack, unpack};
use crate::context::Effect;
use crate::conversation::Conversation;
use crate::event::{Event, Output};
use crate::invite::GroupInvitation;
use crate::store::Space;
use crate::transfer::Moving;

/// Invitations into groups that may be open at a time; further ones are ignored.
const MAX_INVITATIONS: usize = 256;

fn sent_key(token: MessageId) -> Vec<u8> {
    [b"s".as_slice(), token.as_bytes()].concat()
}

fn got_key(token: MessageId) -> Vec<u8> {
    [b"g".as_slice(), token.as_bytes()].concat()
}

fn read(step: &Step<'_>, key: &[u8]) -> Result<Option<GroupInvitation>, Error> {
    step.store.get(Space::Invite, key)?.map(|bytes| unpack(&bytes)).transpose()
}

impl Messenger {
    /// Invites a contact into a group.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`].
    pub fn invite_to_group(
        &mut self,
        step: &mut Step<'_>,
        group: ConversationId,
        contact: ConversationId,
    ) -> Result<(), Error> {
        let (into, to) = (self.conversation(group)?, self.conversation(contact)?);
        if into.card.direct || !to.card.direct {
            return Err(Error::Refused("only a contact can be invited, and only into a group"));
        }
        into.check_open()?;
        to.check_open()?;
        into.check_may_change()?;
        if into.card.members.values().any(|m| m.contact == Some(contact)) {
            return Err(Error::Refused("this contact is already in the group"));
        }
        if into.card.members.len().saturating_add(1) >= e2ee::mls::MAX_MEMBERS {
            return Err(e2ee::Error::GroupFull.into());
        }
        let title = into.charter().map(|c| c.title).unwrap_or_default();
        let members = u32::try_from(into.card.members.len().saturating_add(1)).unwrap_or(u32::MAX);
        let token = MessageId::random(step.rng);
        let record = GroupInvitation {
            via: contact,
            group: Some(group),
            title: title.clone(),
            secret: None,
            package: None,
            used: false,
        };
        step.store.put(Space::Invite, &sent_key(token), &pack(&record)?)?;
        self.tell(step, contact, Body::Invite { token, title, members })
    }

    /// Goes on without a member who holds a group up: creates a group of the same title, and
    /// invites all others who are contacts of this profile (`GROUP-007`). Gives the new group, and
    /// the names of those whom somebody else has to invite.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`].
    pub fn restart_group(
        &mut self,
        step: &mut Step<'_>,
        group: ConversationId,
        without: MemberId,
    ) -> Result<(ConversationId, Vec<String>), Error> {
        let old = self.conversation(group)?;
        if old.card.direct {
            return Err(Error::Refused("a direct chat cannot go on without the other person"));
        }
        if !old.card.members.contains_key(&without) {
            return Err(Error::NoSuch("member"));
        }
        let title = old.charter().map_or_else(|| old.card.given.clone(), |c| c.title);
        let network = self.place(old.place()).map(|p| p.0.clone()).ok_or(Error::NoSuch("place"))?;
        let floor = old.floor();
        let others = old.card.members.iter().filter(|(id, _)| **id != without);
        // Asked before anything changes.
        let open =
            |c: &ConversationId| self.conversations.get(c).is_some_and(Conversation::is_open);
        let (known, unknown): (Vec<_>, Vec<_>) = others
            .map(|(id, k)| (k.contact.filter(open), old.name_of(*id)))
            .partition(|(contact, _)| contact.is_some());
        let name = self.free_title(&title);
        let new = self.create_group(step, &network, floor, &name)?;
        for contact in known.into_iter().filter_map(|(contact, _)| contact) {
            self.invite_to_group(step, new, contact)?;
        }
        let mut cx = cx!(self, step);
        if let Some(old) = self.conversations.get_mut(&group) {
            old.notice(&mut cx, &format!("this group goes on as {name}"))?;
        }
        Ok((new, unknown.into_iter().map(|(_, name)| name).collect()))
    }

    /// Sends a message that only the program of the other side sees.
    fn tell(&mut self, step: &mut Step<'_>, to: ConversationId, body: Body) -> Result<(), Error> {
        let id = MessageId::random(step.rng);
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&to).ok_or(Error::NoSuch("conversation"))?;
        conversation.queue(&mut cx, id, body)?;
        conversation.pump(&mut cx)
    }

    /// Accepts or declines an invitation into a group.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn answer_group_invite(
        &mut self,
        step: &mut Step<'_>,
        token: MessageId,
        yes: bool,
    ) -> Result<(), Error> {
        let mut record = read(step, &got_key(token))?.ok_or(Error::NoSuch("invitation"))?;
        if !yes {
            step.store.remove(Space::Invite, &got_key(token))?;
            return self.tell(step, record.via, Body::Accept { token, key_package: None });
        }
        let name = self.my_name(step.store)?;
        let cx = cx!(self, step);
        let secret = MemberSecret::random(cx.rng);
        let package = key_package(cx.mls, &cx.kept(), &secret, name)?;
        record.secret = Some(secret.to_bytes());
        record.package = Some(package.clone().into());
        step.store.put(Space::Invite, &got_key(token), &pack(&record)?)?;
        self.tell(step, record.via, Body::Accept { token, key_package: Some(package) })
    }

    /// Invitations into groups that are still unanswered: token, title, and who invites.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn group_invites(
        &self,
        store: &dyn crate::store::Store,
    ) -> Result<Vec<(MessageId, String, ConversationId)>, Error> {
        let mut all = Vec::new();
        for (key, value) in store.scan(Space::Invite, b"g")? {
            let record: GroupInvitation = unpack(&value)?;
            let token = key.get(1..).and_then(MessageId::from_slice).ok_or(Error::Damaged)?;
            if record.secret.is_none() {
                all.push((token, record.title, record.via));
            }
        }
        Ok(all)
    }

    /// A contact or a group was forgotten: so are the invitations through it or into it.
    pub(super) fn forget_invitations(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
    ) -> Result<(), Error> {
        let cx = cx!(self, step);
        for kind in [b"s", b"g"] {
            for (key, value) in cx.store.scan(Space::Invite, kind)? {
                let record: GroupInvitation = unpack(&value)?;
                if record.via != id && record.group != Some(id) {
                    continue;
                }
                if let Some(package) = &record.package {
                    e2ee::mls::forget(cx.mls, &cx.kept(), package)?;
                }
                cx.store.remove(Space::Invite, &key)?;
            }
        }
        Ok(())
    }

    /// Carries effects from one conversation to another. To be called at the end of each step.
    pub(super) fn after(&mut self, step: &mut Step<'_>) -> Result<(), Error> {
        while let Some(effect) = self.out.effects.pop_front() {
            match effect {
                Effect::Invited { via, token, title, members } => {
                    self.invited(step, via, token, title, members)?;
                }
                Effect::Accepted { via, token, key_package } => {
                    self.answered(step, via, token, key_package)?;
                }
                Effect::Added { via, token, welcome } => {
                    step.store.remove(Space::Invite, &sent_key(token))?;
                    if self.conversations.contains_key(&via) {
                        self.tell(step, via, Body::Welcome { token, welcome })?;
                    }
                }
                Effect::Welcomed { via, token, welcome } => {
                    self.welcomed(step, via, token, &welcome)?;
                }
                Effect::RescueAsked { conversation, contact, member, package } => {
                    let trusted =
                        self.conversations.get(&contact).is_some_and(Conversation::is_trusted);
                    let mut cx = cx!(self, step);
                    if let Some(group) =
                        self.conversations.get_mut(&conversation).filter(|_| trusted)
                    {
                        group.readd(&mut cx, member, package)?;
                    }
                }
                Effect::RescueOffered { conversation, contact, from, welcome } => {
                    let trusted =
                        self.conversations.get(&contact).is_some_and(Conversation::is_trusted);
                    let mut cx = cx!(self, step);
                    if let Some(group) =
                        self.conversations.get_mut(&conversation).filter(|_| trusted)
                    {
                        group.rescued(&mut cx, from, &welcome)?;
                        group.pump(&mut cx)?;
                    }
                }
                Effect::Deleted { conversation, id } => self.erased(step, &[(conversation, id)])?,
                Effect::Offered { conversation, id, offer } => {
                    let Some(place) =
                        self.conversations.get(&conversation).map(Conversation::place)
                    else {
                        continue;
                    };
                    if self.transfers.contains_key(&offer.transfer) {
                        continue;
                    }
                    let cx = cx!(self, step);
                    // A malformed offer stands in the history as a message without a file.
                    if let Ok(moving) = Moving::offered(&cx, place, conversation, id, &offer) {
                        let event = Event::File {
                            conversation,
                            id,
                            transfer: moving.id,
                            done: 0,
                            size: moving.transfer.size,
                            state: moving.transfer.state,
                        };
                        self.transfers.insert(moving.id, moving);
                        self.out.queue.push_back(Output::Event(event));
                    }
                }
            }
        }
        Ok(())
    }

    fn invited(
        &mut self,
        step: &mut Step<'_>,
        via: ConversationId,
        token: MessageId,
        title: String,
        members: u32,
    ) -> Result<(), Error> {
        let known = step.store.get(Space::Invite, &got_key(token))?.is_some();
        if known || step.store.scan(Space::Invite, b"g")?.len() >= MAX_INVITATIONS {
            return Ok(());
        }
        let record = GroupInvitation {
            via,
            group: None,
            title: title.clone(),
            secret: None,
            package: None,
            used: false,
        };
        step.store.put(Space::Invite, &got_key(token), &pack(&record)?)?;
        let mut cx = cx!(self, step);
        if let Some(conversation) = self.conversations.get_mut(&via) {
            let name = conversation.card.bare().to_owned();
            conversation.notice(&mut cx, &format!("{name} invites you into the group {title}"))?;
        }
        cx.event(Event::GroupInvite { conversation: via, token, title, members });
        Ok(())
    }

    fn answered(
        &mut self,
        step: &mut Step<'_>,
        via: ConversationId,
        token: MessageId,
        package: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let record = read(step, &sent_key(token))?.filter(|r| r.via == via && !r.used);
        let Some(record) = record else {
            return Ok(());
        };
        let Some(group) = record.group else { return Ok(()) };
        let mut cx = cx!(self, step);
        match (package, self.conversations.get_mut(&group)) {
            (Some(package), Some(conversation)) if conversation.is_open() => {
                conversation.add(&mut cx, package, via, token)?;
                // One invitation, one seat.
                let used = GroupInvitation { used: true, ..record };
                Ok(step.store.put(Space::Invite, &sent_key(token), &pack(&used)?)?)
            }
            _ => {
                step.store.remove(Space::Invite, &sent_key(token))?;
                let title = record.title;
                match self.conversations.get_mut(&via) {
                    Some(chat) => {
                        let name = chat.card.bare().to_owned();
                        chat.notice(
                            &mut cx,
                            &format!("{name} declined the invitation into the group {title}"),
                        )
                    }
                    None => Ok(()),
                }
            }
        }
    }

    fn welcomed(
        &mut self,
        step: &mut Step<'_>,
        via: ConversationId,
        token: MessageId,
        welcome: &[u8],
    ) -> Result<(), Error> {
        let Some(record) = read(step, &got_key(token))?.filter(|r| r.via == via) else {
            return Ok(());
        };
        let Some(secret) =
            record.secret.as_ref().map(|s| MemberSecret::from_bytes(s)).transpose()?
        else {
            return Ok(());
        };
        let cx = cx!(self, step);
        let kept = cx.kept();
        let is_new = |w: &Welcomed<'_>| {
            w.charter().is_ok_and(|c| !c.direct)
                && !self.conversations.values().any(|c| c.card.group == w.group_id())
        };
        let welcomed = Welcomed::open(cx.mls, &kept, welcome, secret);
        let joined = match welcomed {
            Ok(w) if is_new(&w) => w.sender().zip(Some(w.join()?)),
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            Ok(_) | Err(_) => None,
        };
        let Some((inviter, group)) = joined else {
            let mut cx = cx!(self, step);
            let Some(chat) = self.conversations.get_mut(&via) else { return Ok(()) };
            return chat
                .notice(&mut cx, "the answer to your yes is not valid: ask to be invited again");
        };
        step.store.remove(Space::Invite, &got_key(token))?;
        let charter = group.charter()?;
        let place = self.place_for(&charter.place, charter.floor);
        let id = ConversationId::random(step.rng);
        let mut cx = cx!(self, step);
        let mut conversation = Conversation::begin(&mut cx, id, place, None, charter.floor, group)?;
        // The welcome came through their direct chat: the two are one person.
        if let Some(known) = conversation.card.members.get_mut(&inviter) {
            known.contact = Some(via);
        }
        conversation.save_card(&cx)?;
        self.adopt(step, conversation)
    }
}
