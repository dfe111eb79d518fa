//! What only the owner of a room can do: mute, and go over to new keys.

use e2ee::talk::STANDARD_CHUNK;
use e2ee::{Control, DoorKey, Order, RoomKeys, TalkerKey, TextChunk};
use rand_core::CryptoRng;
use streams::{BoxClass, pad};
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::{Call, Purpose, Room};
use crate::Error;
use crate::appender::{Appended, Appender};
use crate::writer::Ticket;

/// Orders of the owner that are being appended to the control stream.
pub(super) struct Command {
    pub(super) appender: Appender,
    /// The keys to go over to when everything is stored.
    then: Option<RoomKeys>,
}

impl Command {
    /// Whether it ends with new keys, which we have.
    pub(super) const fn changes_keys(&self) -> bool {
        self.then.is_some()
    }
}

impl Room {
    /// Whether we hold the owner's key.
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        self.owner.is_some()
    }

    /// Hides a talker from all, or shows them again.
    ///
    /// # Errors
    /// [`Error::NotOwner`]; [`Error::NoSuchTalker`] for a key that is not a talker's of this room.
    pub fn mute(&mut self, now: Timestamp, talker: TalkerKey, muted: bool) -> Result<(), Error> {
        if !self.talkers.contains_key(&talker) && !self.muted.contains(&talker) {
            return Err(Error::NoSuchTalker);
        }
        let order = if muted { Order::Mute { talker } } else { Order::Unmute { talker } };
        self.order(now, &[Control::new(now, order)], None)
    }

    /// Says something to all as the owner.
    ///
    /// # Errors
    /// [`Error::NotOwner`], [`Error::TooLong`], [`Error::E2ee`].
    pub fn notice(&mut self, now: Timestamp, text: &str) -> Result<(), Error> {
        if text.len() > STANDARD_CHUNK {
            return Err(Error::TooLong { len: text.len(), max: STANDARD_CHUNK });
        }
        let text = TextChunk::new(text)?;
        self.order(now, &[Control::new(now, Order::Notice { text })], None)
    }

    /// New keys for these talkers; every other holder of a link is out.
    ///
    /// # Errors
    /// [`Error::NotOwner`]; [`Error::NoSuchTalker`] for a key that is not a talker's of this room.
    pub fn rekey<R: CryptoRng>(
        &mut self,
        now: Timestamp,
        talkers: &[TalkerKey],
        rng: &mut R,
    ) -> Result<(), Error> {
        let owner = self.owner.clone().ok_or(Error::NotOwner)?;
        let door_key = |key| self.talkers.get(key).map(|t| t.door_key.clone());
        let keys: Vec<DoorKey> = talkers
            .iter()
            .map(|key| door_key(key).ok_or(Error::NoSuchTalker))
            .collect::<Result<_, Error>>()?;
        let (next, orders) = owner.rekey(rng, &self.keys, now, *self.keys.settings(), &keys)?;
        self.order(now, &orders, Some(next))
    }

    /// The owner's link as it stands now: to keep, never to give away.
    ///
    /// # Errors
    /// [`Error::NotOwner`].
    pub fn owner_link(&self) -> Result<e2ee::OwnerLink, Error> {
        let owner = self.owner.as_ref().ok_or(Error::NotOwner)?;
        Ok(owner.link_now(&self.keys)?)
    }

    fn order(
        &mut self,
        now: Timestamp,
        orders: &[Control],
        then: Option<RoomKeys>,
    ) -> Result<(), Error> {
        let owner = self.owner.as_ref().ok_or(Error::NotOwner)?;
        if self.command.is_none() {
            let stream = owner.control_stream(&self.keys)?;
            let appender = Appender::new(stream, self.keys.context().to_vec());
            self.command = Some(Command { appender, then: None });
        }
        if let Some(command) = &mut self.command {
            if command.then.is_some() {
                // A re-keying is under way; its control stream ends with it.
                return Err(Error::OutboxFull);
            }
            for order in orders {
                command.appender.push(Ticket(0), pad(&order.to_bytes(), BoxClass::Standard)?)?;
            }
            command.then = then;
        }
        self.pump(now)
    }

    pub(super) fn pump_command(&mut self, now: Timestamp) -> Result<(), Error> {
        let read_to = self.control.reader.position();
        let sealed = match &mut self.command {
            Some(command) => command.appender.poll(now, read_to)?,
            None => None,
        };
        if let Some(sealed) = sealed {
            self.call(Purpose::Command, Call::Put(sealed));
        }
        Ok(())
    }

    pub(super) fn command_settled(
        &mut self,
        now: Timestamp,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        let Some(command) = &mut self.command else {
            return Ok(());
        };
        let settled = command.appender.settle(now, outcome)?;
        if matches!(settled, Appended::Again) || !command.appender.is_drained() {
            return Ok(());
        }
        let then = command.then.take();
        self.command = None;
        match then {
            Some(keys) => self.switch(now, keys),
            None => Ok(()),
        }
    }
}
