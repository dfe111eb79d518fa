//! What the user wants: with invites, groups, and the marks of a conversation.

use e2ee::Floor;
use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::{Charter, Group, MemberSecret};
use e2ee::{Invite, NetworkPlace, Newlines, Nick, Secret, sanitize};
use wire::Timestamp;

use super::{Messenger, Step, cx};
use crate::Error;
use crate::body::Body;
use crate::conversation::{Conversation, Identity};
use crate::invite::{Accepting, Inviting};
use crate::names::Found;
use crate::store::Space;

/// Longest time that an invite may be open, ms: hubs keep boxes for two weeks.
pub(super) const MAX_INVITE_MS: u64 = 13 * 86_400_000;

impl Messenger {
    /// Sets the name that new contacts and groups see.
    ///
    /// # Errors
    /// [`Error::E2ee`] when it is no name.
    pub fn set_my_name(&mut self, step: &mut Step<'_>, name: &str) -> Result<(), Error> {
        let nick = Nick::new(name)?;
        Ok(step.store.put(Space::Setting, b"name", nick.as_str().as_bytes())?)
    }

    /// Makes an invite. The link works once [`crate::event::Event::InviteReady`] says so.
    ///
    /// # Errors
    /// [`Error::Refused`] for a time that is longer than hubs keep boxes, or a name that is taken.
    pub fn invite(
        &mut self,
        step: &mut Step<'_>,
        network: &NetworkPlace,
        floor: Floor,
        my_name: Option<&str>,
        name: Option<String>,
        open_ms: u64,
    ) -> Result<MessageId, Error> {
        if !(60_000..=MAX_INVITE_MS).contains(&open_ms) {
            return Err(Error::Refused("an invite stays open for one minute to thirteen days"));
        }
        check_place(network, floor)?;
        let name = name.map(|name| self.own_name(None, &name)).transpose()?;
        let my_name = my_name.map_or_else(|| self.my_name(step.store), |n| Ok(Nick::new(n)?))?;
        let place = self.place_for(network, floor);
        let expires = step.now.plus_millis(open_ms);
        let mut cx = cx!(self, step);
        let mut inviting =
            Inviting::new(&mut cx, network.clone(), place, floor, my_name, name, expires)?;
        inviting.pump(&mut cx)?;
        let id = inviting.id;
        self.inviting.insert(id, inviting);
        Ok(id)
    }

    /// Revokes an invite.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`] when it is over.
    pub fn revoke(&mut self, step: &mut Step<'_>, invite: MessageId) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        match self.accepting.remove(&invite) {
            Some(accepting) => accepting.cancel(&mut cx),
            None => self.inviting.get_mut(&invite).ok_or(Error::NoSuch("invite"))?.revoke(&mut cx),
        }
    }

    /// Accepts an invite.
    ///
    /// # Errors
    /// [`Error::E2ee`] when it has expired.
    pub fn accept(
        &mut self,
        step: &mut Step<'_>,
        invite: &Invite,
        floor: Floor,
        name: Option<String>,
    ) -> Result<MessageId, Error> {
        if self.inviting.values().any(|i| i.invite == *invite) {
            return Err(Error::Refused("you made this invite yourself: give it to somebody else"));
        }
        if let Some(known) = self.accepting.values().find(|a| a.invite == *invite) {
            return Ok(known.id);
        }
        if invite.floor().excludes(floor) {
            return Err(Error::Refused(
                "the routes that the invite allows and those that you allow have none in common",
            ));
        }
        let name = name.map(|name| self.own_name(None, &name)).transpose()?;
        let my_name = self.my_name(step.store)?;
        let place = self.place_for(invite.place(), invite.floor().stricter(floor));
        let mut cx = cx!(self, step);
        let mut accepting = Accepting::new(&mut cx, invite, place, floor, my_name, name)?;
        accepting.pump(&mut cx)?;
        let id = accepting.id;
        self.accepting.insert(id, accepting);
        Ok(id)
    }

    /// The user has compared these safety words, as they were shown; `None`: found that they
    /// differ, or does not trust them any more.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::Refused`] when the words are others by now.
    pub fn set_verified(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        words: Option<&str>,
    ) -> Result<(), Error> {
        if let Some(words) = words
            && self.safety_words(id)? != words
        {
            return Err(Error::Refused("the safety words have changed: compare them again"));
        }
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        let text = if words.is_some() {
            conversation.compared(true);
            conversation.accept_keys(&mut cx)?;
            "safety words compared"
        } else {
            conversation.unverify();
            conversation.compared(false);
            "no longer marked as verified"
        };
        conversation.save_card(&cx)?;
        conversation.notice(&mut cx, text)
    }

    /// The user takes the new keys of a contact without comparing: what waits leaves
    /// (`DIRECT-026`).
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::Refused`] when the keys have not changed.
    pub fn accept_keys(&mut self, step: &mut Step<'_>, id: ConversationId) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        if !conversation.card.changed {
            return Err(Error::Refused("the keys of this contact have not changed"));
        }
        conversation.accept_keys(&mut cx)?;
        conversation.save_card(&cx)?;
        conversation.notice(&mut cx, "you accepted the new keys without comparing safety words")
    }

    /// Binds a contact to the OpenPGP key of this fingerprint (40 or 64 hexadecimal digits), or
    /// unbinds it. The caller has checked its signature over `statement`, which is to be the
    /// contact's as of now (`DIRECT-019`).
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`].
    pub fn bind_identity(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        bound: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        let now = bound.map(|_| self.identity_statement(id, false)).transpose()?;
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        let text = match bound {
            Some((fingerprint, statement)) => {
                let digits = fingerprint.bytes().all(|b| b.is_ascii_hexdigit());
                if !digits || !matches!(fingerprint.len(), 40 | 64) {
                    return Err(Error::Refused("this is not the fingerprint of an OpenPGP key"));
                }
                if now.as_deref() != Some(statement) {
                    return Err(Error::Refused("the statement is not this contact's"));
                }
                let fingerprint = fingerprint.to_ascii_uppercase();
                let text = format!("bound to the OpenPGP key {fingerprint}");
                conversation.card.identity =
                    Some(Identity { fingerprint, statement: statement.to_owned() });
                text
            }
            None if conversation.card.identity.take().is_some() => {
                "no longer bound to an OpenPGP key".to_owned()
            }
            None => return Err(Error::Refused("the contact is not bound to an OpenPGP key")),
        };
        conversation.save_card(&cx)?;
        conversation.notice(&mut cx, &text)
    }

    /// Sets the routes that this profile allows for a conversation (its floor); the stricter of it
    /// and the charter's holds (`DIRECT-012`).
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn set_floor(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        floor: Floor,
    ) -> Result<(), Error> {
        let conversation = self.conversation(id)?;
        if conversation.card.charter_floor.excludes(floor) {
            return Err(Error::Refused("the conversation allows none of these routes"));
        }
        let holds = conversation.card.charter_floor.stricter(floor);
        let network =
            self.place(conversation.place()).map(|p| p.0.clone()).ok_or(Error::NoSuch("place"))?;
        let place = self.place_for(&network, holds);
        let reach = self.reach.get(&place).copied().unwrap_or_default();
        let lan = network.is_lan();
        let sizes = self.sizes.get(&place).copied().unwrap_or_default();
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        conversation.card.floor = floor;
        conversation.save_card(&cx)?;
        conversation.set_sizes(&mut cx, sizes)?;
        conversation.move_to(&mut cx, place, reach)?;
        for moving in self.transfers.values_mut().filter(|t| t.transfer.conversation == id) {
            moving.move_to(&mut cx, place)?;
            moving.set_reach(&mut cx, reach, lan)?;
        }
        conversation.notice(&mut cx, &format!("routes allowed from here: {}", holds.name()))
    }

    /// Creates a group; we are alone in it at first.
    ///
    /// # Errors
    /// [`Error::E2ee`] for a title that is too long.
    pub fn create_group(
        &mut self,
        step: &mut Step<'_>,
        network: &NetworkPlace,
        floor: Floor,
        title: &str,
    ) -> Result<ConversationId, Error> {
        let title = title.trim();
        if title.is_empty() {
            return Err(Error::Refused("a group needs a name"));
        }
        check_place(network, floor)?;
        // Titles need not be unique, but with this one the user could type neither.
        if matches!(self.resolve(title), Found::One(_) | Found::Many(_)) {
            return Err(Error::Refused("another contact or group has that name"));
        }
        let my_name = self.my_name(step.store)?;
        let place = self.place_for(network, floor);
        let cx = cx!(self, step);
        let secret = MemberSecret::random(cx.rng);
        let charter = Charter::new(
            false,
            network.clone(),
            floor,
            title,
            secret.id(),
            Secret::random(cx.rng),
        )?;
        let group_id = Secret::random(cx.rng);
        let group = Group::found(cx.mls, &cx.kept(), &group_id, secret, my_name, &charter)?;
        let id = ConversationId::random(cx.rng);
        let mut cx = cx!(self, step);
        let conversation = Conversation::begin(&mut cx, id, place, None, floor, group)?;
        self.adopt(step, conversation)?;
        Ok(id)
    }

    /// Ends our part in a conversation: the others are told, and remove us.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn leave(&mut self, step: &mut Step<'_>, id: ConversationId) -> Result<(), Error> {
        if self.conversation(id)?.is_open() {
            self.send(step, id, Body::Leave)?;
        }
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        conversation.notice(&mut cx, "you are leaving")?;
        // Out of a group one is once another member has committed it.
        let nobody = conversation.decides_alone();
        if conversation.card.direct || nobody { conversation.end(&mut cx) } else { Ok(()) }
    }

    /// Removes a member of a group.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`].
    pub fn remove_member(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        member: MemberId,
    ) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        if conversation.card.direct {
            return Err(Error::Refused(
                "in a direct chat there is nobody to remove: leave it instead",
            ));
        }
        conversation.remove_member(&mut cx, member)
    }

    /// Gives a group another title, for all.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn rename_group(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        title: &str,
    ) -> Result<(), Error> {
        let title = sanitize(title.trim(), Newlines::Fold);
        if title.is_empty() || title.chars().count() > e2ee::mls::MAX_TITLE_CHARS {
            return Err(Error::Refused("a title has 1 to 64 characters"));
        }
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        if conversation.card.direct {
            return Err(Error::Refused("a direct chat has no title: name the contact instead"));
        }
        conversation.rename(&mut cx, title)
    }

    /// Draws new keys in a conversation: with stolen old ones nothing more can be read.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`].
    pub fn refresh(&mut self, step: &mut Step<'_>, id: ConversationId) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?.refresh(&mut cx)
    }

    /// Asks the others of a conversation whether somebody needs to be added again, and shows them
    /// where we stand.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn check_on(&mut self, step: &mut Step<'_>, id: ConversationId) -> Result<(), Error> {
        let mut cx = cx!(self, step);
        self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?.show_head(&mut cx)
    }

    /// When the invite ends.
    #[must_use]
    pub fn invite_expires(&self, id: MessageId) -> Option<Timestamp> {
        self.inviting.get(&id).map(|i| i.invite.expires())
    }
}

/// Where there is no hub, no route leads but the LAN.
fn check_place(network: &NetworkPlace, floor: Floor) -> Result<(), Error> {
    if network.is_lan() && floor != Floor::Lan {
        return Err(Error::Refused("a conversation without a hub allows the route lan only"));
    }
    Ok(())
}
