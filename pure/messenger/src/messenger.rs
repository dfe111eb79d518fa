//! Everything of one profile: contacts, groups, invites, files.
//!
//! Sans-IO. Each method works within one transaction of the shell's store; what [`Messenger::poll`]
//! hands out afterwards may be done only once that transaction is committed. When a method fails,
//! the transaction has to be rolled back and the messenger loaded again, because its memory may be
//! ahead of the store.

mod answers;
mod commands;
mod erasing;
mod groups;
mod loading;
mod naming;
mod stopped;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use e2ee::Floor;
use e2ee::id::{ConversationId, MessageId, TransferId};
use e2ee::mls::Mls;
use e2ee::{NetworkPlace, Nick};
use rand_core::CryptoRng;
use wire::Timestamp;

use self::stopped::{in_conversation, in_invite};
use crate::Error;
use crate::codec::unpack;
use crate::context::Out;
use crate::conversation::{Card, Conversation, Participant};
use crate::event::{Event, Output, PlaceId, Why};
use crate::invite::{Accepting, InviteState, Inviting, NewContact};
use crate::near::{Near, Reach};
use crate::store::{Space, Store};
use crate::transfer::{Moving, Transfer};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct Overview, InviteOverview);

/// Time, randomness and store of one step.
pub struct Step<'a> {
    /// Now: document time where there is a document.
    pub now: Timestamp,
    /// Randomness.
    pub rng: &'a mut dyn CryptoRng,
    /// The store, within a transaction.
    pub store: &'a dyn Store,
    /// The route by which what is handed in came, or by which ours went, in one word; empty where
    /// nothing travelled.
    pub via: &'static str,
}

/// What the user has chosen for the whole profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether others may show that we have what they sent.
    pub delivery_receipts: bool,
    /// Whether others learn that we have read it.
    pub read_receipts: bool,
    /// Whether files of contacts are fetched without asking.
    pub accept_files: bool,
    /// Larger files are never fetched without asking, bytes.
    pub file_limit: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            delivery_receipts: true,
            read_receipts: true,
            accept_files: false,
            file_limit: 100 << 20,
        }
    }
}

/// A conversation, for a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Overview {
    /// By which commands name it.
    pub id: ConversationId,
    /// The user's own name for it.
    pub own: Option<String>,
    /// The title of a group, the nick of a contact.
    pub given: String,
    /// Titles or nicks that it had before, newest last, at most [`crate::names::MAX_FORMER`].
    pub formerly: Vec<String>,
    /// Whether it is a contact.
    pub direct: bool,
    /// Whether the safety words were compared.
    pub verified: bool,
    /// Whether the keys have changed since they were compared: messages wait until the user
    /// compares again or accepts the new keys.
    pub changed: bool,
    /// Whether it was stopped, because something in it is damaged or was sent to break it.
    pub stopped: bool,
    /// Whether the user has blocked this contact.
    pub blocked: bool,
    /// Fingerprint of the OpenPGP key that the contact has signed with; upper-case hexadecimal
    /// digits.
    pub pgp: Option<String>,
    /// The routes that it may use.
    pub floor: Floor,
    /// Whether it can be written to.
    pub open: bool,
    /// Seconds until messages disappear.
    pub timer: Option<u32>,
    /// Members, us included.
    pub members: usize,
    /// Messages that have not been seen.
    pub unseen: u64,
    /// Our messages that not everybody has acknowledged.
    pub unacknowledged: usize,
    /// Our messages that are not at the hub; see [`Messenger::unstored`].
    pub unstored: usize,
    /// Whether a change that we want to make to the group waits or is under way.
    pub changing: bool,
}

/// An invite that we made, for a list.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteOverview {
    /// By which commands name it.
    pub id: MessageId,
    /// What the user wants to call the person who uses it.
    pub name: Option<String>,
    /// How far it got.
    pub state: InviteState,
    /// When it ends.
    pub expires: Timestamp,
    /// The link.
    pub link: zeroize::Zeroizing<String>,
}

/// Everything of one profile.
pub struct Messenger {
    mls: Mls,
    settings: Settings,
    conversations: BTreeMap<ConversationId, Conversation>,
    /// Conversations that were stopped: they are listed and can be read, and nothing else.
    stopped: BTreeMap<ConversationId, Card>,
    inviting: BTreeMap<MessageId, Inviting>,
    accepting: BTreeMap<MessageId, Accepting>,
    transfers: BTreeMap<TransferId, Moving>,
    places: Vec<(NetworkPlace, Floor)>,
    reach: BTreeMap<PlaceId, Reach>,
    sizes: BTreeMap<PlaceId, streams::Sizes>,
    /// Local time, once the shell has told it.
    local: Option<Timestamp>,
    pub(crate) out: Out,
}

/// The [`StepContext`](crate::context::StepContext) of a step. A macro, because it borrows two
/// fields of the messenger and leaves the others free.
macro_rules! cx {
    ($self:ident, $step:ident) => {
        $crate::context::StepContext {
            now: $step.now,
            local: $self.local.unwrap_or($step.now),
            rng: &mut *$step.rng,
            store: $step.store,
            via: $step.via,
            mls: &$self.mls,
            out: &mut $self.out,
        }
    };
}
use cx;

impl Messenger {
    /// Loads the profile, and takes up what was under way.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Damaged`].
    pub fn load(step: &mut Step<'_>, settings: Settings) -> Result<Self, Error> {
        let mut messenger = Messenger {
            mls: Mls::new()?,
            settings,
            conversations: BTreeMap::new(),
            stopped: BTreeMap::new(),
            inviting: BTreeMap::new(),
            accepting: BTreeMap::new(),
            transfers: BTreeMap::new(),
            places: Vec::new(),
            reach: BTreeMap::new(),
            sizes: BTreeMap::new(),
            local: None,
            // An answer to a request of an earlier messenger is never taken for one to ours.
            out: Out::starting_at(u64::from(step.rng.next_u32()).rotate_left(32)),
        };
        messenger.load_conversations(step)?;
        messenger.load_invites(step)?;
        for (key, value) in step.store.scan(Space::Transfer, &[])? {
            let id = TransferId::from_slice(&key).ok_or(Error::Damaged)?;
            let transfer: Transfer = unpack(&value)?;
            let place =
                messenger.conversations.get(&transfer.conversation).map(Conversation::place);
            match place {
                Some(place) => {
                    messenger.transfers.insert(id, Moving::open(id, place, transfer)?);
                }
                // Its conversation was forgotten.
                None => step.store.remove(Space::Transfer, &key)?,
            }
        }
        messenger.erase_left_over(step)?;
        messenger.after(step)?;
        Ok(messenger)
    }

    /// The name that contacts see.
    fn my_name(&self, store: &dyn Store) -> Result<Nick, Error> {
        let kept = store.get(Space::Setting, b"name")?;
        let text =
            kept.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()).unwrap_or_default();
        Ok(Nick::new(&text).or_else(|_| Nick::new("somebody"))?)
    }

    fn place_for(&mut self, network: &NetworkPlace, floor: Floor) -> PlaceId {
        // One for each conversation and invite, so that they share no connection where a route
        // keeps them apart.
        let index = self.places.len();
        self.places.push((network.clone(), floor));
        PlaceId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Network, hub and floor of a place.
    #[must_use]
    pub fn place(&self, id: PlaceId) -> Option<(&NetworkPlace, Floor)> {
        let index = usize::try_from(id.0).ok()?;
        self.places.get(index).map(|(network, floor)| (network, *floor))
    }

    /// Where a conversation's boxes lie.
    #[must_use]
    pub fn place_of(&self, id: ConversationId) -> Option<PlaceId> {
        self.conversations.get(&id).map(Conversation::place)
    }

    /// All places in use.
    #[must_use]
    pub fn places(&self) -> Vec<PlaceId> {
        let mut all: Vec<PlaceId> = self.conversations.values().map(Conversation::place).collect();
        all.extend(self.inviting.values().filter(|i| i.deadline().is_some()).map(|i| i.place));
        all.extend(self.accepting.values().map(|a| a.place));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// People to look for on the LAN: contacts, and the other ends of invites under way, as far as
    /// their floors allow it.
    #[must_use]
    pub fn near(&self) -> Vec<Near> {
        let mut all: Vec<Near> =
            self.conversations.values().filter_map(Conversation::near).collect();
        all.extend(self.inviting.values().filter_map(Inviting::near));
        all.extend(self.accepting.values().filter_map(Accepting::near));
        all
    }

    /// The next thing to do, until `None`; only after the transaction was committed.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.queue.pop_front()
    }

    /// When [`Messenger::tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let conversations = self.conversations.values().filter_map(Conversation::deadline);
        let inviting = self.inviting.values().filter_map(Inviting::deadline);
        let accepting = self.accepting.values().filter_map(Accepting::deadline);
        let transfers = self.transfers.values().filter_map(Moving::deadline);
        conversations.chain(inviting).chain(accepting).chain(transfers).min()
    }

    /// Does what is due: retries, acknowledgements, disappearing messages, expiry of invites.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn tick(&mut self, step: &mut Step<'_>) -> Result<(), Error> {
        let now = step.now;
        self.erase_due(step)?;
        self.drop_ended_invites(step)?;
        let mut cx = cx!(self, step);
        for conversation in
            self.conversations.values_mut().filter(|c| c.deadline().is_some_and(|d| d <= now))
        {
            in_conversation(conversation.id, conversation.pump(&mut cx))?;
        }
        for inviting in self.inviting.values_mut() {
            in_invite(inviting.id, inviting.pump(&mut cx))?;
        }
        for accepting in self.accepting.values_mut() {
            in_invite(accepting.id, accepting.pump(&mut cx))?;
        }
        for transfer in self.transfers.values_mut() {
            transfer.pump(&mut cx)?;
        }
        let over: Vec<MessageId> =
            self.accepting.values().filter(|a| a.is_over(now)).map(|a| a.id).collect();
        for id in over {
            if let Some(accepting) = self.accepting.remove(&id) {
                accepting.give_up(&mut cx)?;
            }
        }
        self.after(step)
    }

    /// All conversations.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn overview(&self, store: &dyn Store) -> Result<Vec<Overview>, Error> {
        let stopped = self.stopped.iter().map(|(id, card)| {
            Ok(Overview {
                id: *id,
                own: card.own.clone(),
                given: card.given.clone(),
                formerly: card.formerly.clone(),
                direct: card.direct,
                verified: false,
                changed: card.changed,
                stopped: card.stopped,
                blocked: card.blocked,
                pgp: None,
                floor: card.charter_floor.stricter(card.floor),
                open: false,
                timer: None,
                members: card.members.len().saturating_add(1),
                unseen: store.unseen(id)?,
                unacknowledged: 0,
                unstored: 0,
                changing: false,
            })
        });
        self.conversations
            .values()
            .map(|c| {
                Ok(Overview {
                    id: c.id,
                    own: c.card.own.clone(),
                    given: c.card.given.clone(),
                    formerly: c.card.formerly.clone(),
                    direct: c.card.direct,
                    verified: c.card.verified,
                    changed: c.card.changed,
                    stopped: false,
                    blocked: false,
                    pgp: c.bound_to().map(str::to_owned),
                    floor: c.floor(),
                    open: c.is_open(),
                    timer: c.timer(),
                    members: c.card.members.len().saturating_add(1),
                    unseen: store.unseen(&c.id)?,
                    unacknowledged: c.unacknowledged(),
                    unstored: c.unstored(),
                    changing: c.is_changing(),
                })
            })
            .chain(stopped)
            .collect()
    }

    /// How many of our messages are not at the hub. While the hub is out of reach, what neighbours
    /// can fetch does not count.
    #[must_use]
    pub fn unstored(&self) -> usize {
        self.conversations.values().map(Conversation::unstored).sum()
    }

    /// Ids of our boxes in a conversation that others may still want, oldest first: what a bundle
    /// for a USB stick takes along.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Damaged`].
    pub fn our_boxes(&self, id: ConversationId) -> Result<Vec<streams::BoxId>, Error> {
        self.conversation(id)?.our_boxes()
    }

    /// All invites that we made, and those that we accept.
    #[must_use]
    pub fn invites(&self) -> Vec<InviteOverview> {
        let overview = |i: &Inviting| InviteOverview {
            id: i.id,
            name: i.saved.name.clone(),
            state: i.saved.state,
            expires: i.invite.expires(),
            link: i.invite.to_text(),
        };
        let accepting = self.accepting.values().map(|a| InviteOverview {
            id: a.id,
            name: a.name().map(str::to_owned),
            state: InviteState::Accepting,
            expires: a.invite.expires(),
            link: a.invite.to_text(),
        });
        self.inviting.values().map(overview).chain(accepting).collect()
    }

    /// Members of a conversation.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn participants(
        &self,
        store: &dyn Store,
        id: ConversationId,
    ) -> Result<Vec<Participant>, Error> {
        let name = self.my_name(store)?;
        Ok(self.conversation(id)?.participants(name.as_str()))
    }

    /// The safety words of a contact.
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`].
    pub fn safety_words(&self, id: ConversationId) -> Result<String, Error> {
        let conversation = self.conversation(id)?;
        if !conversation.card.direct {
            return Err(Error::Refused(
                "safety words are compared between two people: verify each member as a contact",
            ));
        }
        conversation.safety_words()
    }

    /// The text that one of the two in a direct chat signs with a key from outside to say who they
    /// are: we (`ours`), or the contact (`DIRECT-018`).
    ///
    /// # Errors
    /// [`Error::NoSuch`], [`Error::Refused`].
    pub fn identity_statement(&self, id: ConversationId, ours: bool) -> Result<String, Error> {
        let conversation = self.conversation(id)?;
        if !conversation.card.direct {
            return Err(Error::Refused(
                "identities are bound between two people: bind each member as a contact",
            ));
        }
        conversation.identity_statement(ours)
    }

    /// Why our message is not delivered yet; `None` when it is.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub fn why(&self, conversation: ConversationId, id: MessageId) -> Result<Option<Why>, Error> {
        Ok(self.conversation(conversation)?.why(id))
    }

    /// A file transfer.
    #[must_use]
    pub fn transfer(&self, id: TransferId) -> Option<&Transfer> {
        self.transfers.get(&id).map(|m| &m.transfer)
    }

    /// All transfers.
    pub fn transfers(&self) -> impl Iterator<Item = (TransferId, &Transfer)> {
        self.transfers.iter().map(|(id, m)| (*id, &m.transfer))
    }

    fn conversation(&self, id: ConversationId) -> Result<&Conversation, Error> {
        match self.conversations.get(&id) {
            Some(conversation) => Ok(conversation),
            None => Err(match self.stopped.get(&id) {
                Some(card) if card.blocked => Error::Refused("this contact is blocked"),
                Some(_) => Error::Refused("this conversation was stopped: resume it, or forget it"),
                None => Error::NoSuch("conversation"),
            }),
        }
    }

    /// Opens the conversation with somebody new.
    fn welcome_contact(
        &mut self,
        step: &mut Step<'_>,
        place: PlaceId,
        contact: NewContact,
    ) -> Result<ConversationId, Error> {
        let own = contact.own.and_then(|wish| self.free_own_name(&wish));
        let id = ConversationId::random(step.rng);
        let mut cx = cx!(self, step);
        let conversation =
            Conversation::begin(&mut cx, id, place, own, contact.floor, contact.group)?;
        self.adopt(step, conversation)?;
        Ok(id)
    }

    fn adopt(&mut self, step: &mut Step<'_>, mut conversation: Conversation) -> Result<(), Error> {
        let id = conversation.id;
        conversation.show_delivery = self.settings.delivery_receipts;
        conversation.blocked =
            self.stopped.iter().filter(|(_, c)| c.blocked).map(|c| *c.0).collect();
        // The charter may be stricter than what we met under.
        let floor = conversation.floor();
        if let Some(network) = self.place(conversation.place()).map(|p| p.0.clone()) {
            let place = self.place_for(&network, floor);
            conversation.set_place(place);
        }
        let reach = self.reach.get(&conversation.place()).copied().unwrap_or_default();
        let sizes = self.sizes.get(&conversation.place()).copied().unwrap_or_default();
        let mut cx = cx!(self, step);
        cx.event(Event::Opened { conversation: id });
        conversation.set_sizes(&mut cx, sizes)?;
        conversation.set_reach(&mut cx, reach)?;
        self.conversations.insert(id, conversation);
        Ok(())
    }

    /// The name that contacts see.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn name(&self, store: &dyn Store) -> Result<String, Error> {
        Ok(self.my_name(store)?.as_str().to_owned())
    }

    /// Whether the user has chosen that name.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn has_name(&self, store: &dyn Store) -> Result<bool, Error> {
        Ok(store.get(Space::Setting, b"name")?.is_some_and(|name| !name.is_empty()))
    }
}

#[cfg(any(test, feature = "hostile"))]
impl Messenger {
    #[cfg(test)]
    fn epoch(&self, id: ConversationId) -> u64 {
        self.conversations.get(&id).map(Conversation::epoch).unwrap_or_default()
    }

    /// Does something with a conversation that no honest program does.
    pub(crate) fn hostile<T>(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        work: impl FnOnce(&mut Conversation, &mut crate::context::StepContext<'_>) -> T,
    ) -> T {
        let mut cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id);
        work(conversation.unwrap_or_else(|| panic!("no such conversation")), &mut cx)
    }

    /// Boxes of a member that squats on the next deciding ids.
    pub(crate) fn deciding_junk(
        &self,
        id: ConversationId,
        count: usize,
    ) -> Vec<streams::SealedBox> {
        self.conversations.get(&id).map(|c| c.deciding_junk(count)).unwrap_or_default()
    }
}
