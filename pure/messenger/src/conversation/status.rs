//! How a conversation stands, for those who ask.

use e2ee::Floor;
use e2ee::id::MessageId;
use e2ee::mls::{Charter, Group};
use streams::BoxId;

use super::Conversation;
use super::outbox::missing;
use super::saved::Placed;
use crate::Error;
use crate::event::Why;
use crate::near::{Near, NearWho, Reach};
use e2ee::Secret;
use wire::Timestamp;

const NOT_OPEN: Error = Error::Refused("the conversation is not open now");

impl Conversation {
    /// Whether it goes on: we are a member, know our place, and nobody has ended it.
    pub(crate) fn is_open(&self) -> bool {
        self.can_write() && !self.over
    }

    /// Whether what is queued can leave: also the farewell of a conversation that is over.
    pub(super) fn can_write(&self) -> bool {
        self.group.as_ref().is_some_and(Group::is_active) && self.rescues.lost.is_none()
    }

    /// That a message may be queued. What is written while we wait to be added again leaves
    /// afterwards.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        match (self.over, self.rescues.lost.is_some() || self.group.is_some()) {
            (true, _) => Err(Error::Refused("this conversation is over")),
            (false, true) => Ok(()),
            (false, false) => Err(NOT_OPEN),
        }
    }

    pub(crate) fn charter(&self) -> Option<Charter> {
        self.group.as_ref().and_then(|g| g.charter().ok())
    }

    /// The routes that the conversation may use: the stricter of the charter's and ours.
    pub(crate) fn floor(&self) -> Floor {
        self.card.charter_floor.stricter(self.card.floor)
    }

    pub(crate) const fn timer(&self) -> Option<u32> {
        self.timer
    }

    fn active_group(&self) -> Result<&Group, Error> {
        self.group.as_ref().filter(|g| g.is_active()).ok_or(NOT_OPEN)
    }

    pub(crate) fn safety_words(&self) -> Result<String, Error> {
        Ok(self.active_group()?.safety_words()?)
    }

    pub(crate) fn identity_statement(&self, ours: bool) -> Result<String, Error> {
        Ok(self.active_group()?.identity_statement(ours)?)
    }

    /// Fingerprint of the OpenPGP key that the contact is bound to. What was signed for other keys
    /// no longer counts (`DIRECT-019`).
    pub(crate) fn bound_to(&self) -> Option<&str> {
        let bound = self.card.identity.as_ref()?;
        let holds = self.identity_statement(false).is_ok_and(|now| now == bound.statement);
        holds.then_some(bound.fingerprint.as_str())
    }

    /// The secret and our role, if the contact may be looked for on a LAN (`DIRECT-021`).
    pub(crate) fn near(&self) -> Option<Near> {
        if !self.card.direct || !self.is_open() || !self.floor().allows_lan() {
            return None;
        }
        let secret =
            self.near.as_ref().and_then(|s| s.as_slice().try_into().ok()).map(Secret::new)?;
        let first = self.card.members.keys().next().is_some_and(|other| self.card.me < *other);
        Some(Near { who: NearWho::Contact(self.id), place: self.link.place, secret, first })
    }

    /// Whether anything of the others was read in the epochs that are still read.
    pub(crate) fn has_heard(&self) -> bool {
        self.lanes.has_heard()
    }

    /// Our messages that not everybody has acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.outbox.unacknowledged()
    }

    /// Our messages that are not at the hub; while that is out of reach, those that neighbours
    /// cannot fetch either.
    pub(crate) fn unstored(&self) -> usize {
        self.outbox.unstored(&self.link)
    }

    /// Where our boxes may lie that others still read.
    pub(crate) fn our_boxes(&self) -> Result<Vec<BoxId>, Error> {
        self.outbox.our_boxes(&self.epochs)
    }

    /// Whether our change waits or is under way.
    pub(crate) fn is_changing(&self) -> bool {
        self.commits.is_changing()
    }

    /// Why our message is not delivered yet, in words.
    pub(crate) fn why(&self, id: MessageId) -> Option<Why> {
        let pending = self.outbox.pending(id)?;
        let since = Timestamp::from_millis(pending.queued_at);
        let text = match &pending.placed {
            None if self.card.changed => {
                "the contact's keys have changed: compare the safety words, or accept the new keys"
                    .to_owned()
            }
            None => self.why_not_sealed().to_owned(),
            Some(placed) => self.where_it_is(placed),
        };
        Some(Why { text, since })
    }

    fn why_not_sealed(&self) -> &'static str {
        if self.rescues.lost.is_some() {
            "waits until another member adds this profile again"
        } else if self.deciding.held_by.is_some() {
            "the conversation is held up by a member's change"
        } else if !self.link.is_online() {
            "waits for a connection that the conversation's floor allows"
        } else if !self.deciding.caught_up && self.link.can_decide() {
            "waits until it is known whether the members have changed"
        } else {
            "waits for its turn"
        }
    }

    fn where_it_is(&self, placed: &Placed) -> String {
        let who = self.who_has(placed);
        if placed.stored_at.is_some() && !self.link.lan {
            format!("at the hub; {who}")
        } else if placed.stored_at.is_some() {
            format!("with neighbours on the LAN; {who}")
        } else if placed.carried && self.link.reach != Reach::Hub {
            let later = "goes to the hub once that is in reach";
            format!("with neighbours on the LAN; {who}; {later}")
        } else if self.link.is_near() {
            "on its way to neighbours on the LAN".to_owned()
        } else {
            "on its way to the hub".to_owned()
        }
    }

    fn who_has(&self, placed: &Placed) -> String {
        if placed.recipients == 1 {
            let other = self.card.members.keys().next();
            let name = other.map_or_else(|| "nobody".to_owned(), |m| self.name_of(*m));
            return format!("{name} has not fetched it");
        }
        let have = placed.recipients.saturating_sub(missing(placed, &self.card.members));
        format!("{have} of {} have fetched it", placed.recipients)
    }

    #[cfg(test)]
    pub(crate) fn epoch(&self) -> u64 {
        self.outbox.mine.epoch
    }
}
