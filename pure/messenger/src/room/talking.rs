//! Our own words: the outbox, message states, and how we announce ourselves.

use std::collections::BTreeMap;

use e2ee::{Mining, Nick, Say, Talk};
use streams::{BoxClass, pad};
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::{MessageState, Purpose, Room, RoomEvent};
use crate::Error;
use crate::appender::{Appended, Appender};
use crate::room::Call;
use crate::writer::{Settled, Ticket};

/// Told when nobody will read our announcement.
const CROWDED: &str = "the room's door is crowded: newcomers do not see you in this hour";
/// Hashes tried between two looks at anything else.
const MINING_STEP: u32 = 20_000;

/// How far our announcement of this hour is.
pub(super) enum Announcing {
    /// We have said nothing: readers announce nothing.
    Silent,
    /// An announcement is wanted.
    Wanted,
    /// Its proof of work is being made, for this (generation, hour, lane).
    Mining { place: (u32, u64, u8), mining: Box<Mining> },
    /// It is being appended to the door.
    Putting { place: (u32, u64, u8), appender: Box<Appender> },
    /// It is at the door.
    Done,
}

impl Announcing {
    pub(super) fn stale(&mut self) {
        if !matches!(self, Announcing::Silent) {
            *self = Announcing::Wanted;
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self {
            // At once: there is work to do.
            Announcing::Wanted | Announcing::Mining { .. } => Some(Timestamp::ZERO),
            Announcing::Putting { appender, .. } => appender.deadline(),
            Announcing::Silent | Announcing::Done => None,
        }
    }

    fn is_settled(&self) -> bool {
        matches!(self, Announcing::Silent | Announcing::Done)
    }
}

struct Message {
    boxes: usize,
    sent: usize,
    stored: usize,
}

/// Our messages that are not stored yet: number → boxes.
#[derive(Default)]
pub(super) struct Messages {
    last: u64,
    open: BTreeMap<u64, Message>,
    /// The writer's order number of a box that is on its way → message.
    next_order: u64,
    order_of: BTreeMap<u64, u64>,
    sent: std::collections::BTreeSet<u64>,
}

impl Messages {
    fn begin(&mut self, boxes: usize) -> u64 {
        self.last = self.last.saturating_add(1);
        self.open.insert(self.last, Message { boxes, sent: 0, stored: 0 });
        for _ in 0..boxes {
            self.order_of.insert(self.next_order, self.last);
            self.next_order = self.next_order.saturating_add(1);
        }
        self.last
    }

    /// A box that belongs to no message: here, left, renamed.
    fn skip(&mut self) {
        self.next_order = self.next_order.saturating_add(1);
    }

    /// The message whose last box has now left for the first time.
    pub(super) fn sent(&mut self, order: u64) -> Option<u64> {
        let number = *self.order_of.get(&order)?;
        if !self.sent.insert(order) {
            return None;
        }
        let message = self.open.get_mut(&number)?;
        message.sent = message.sent.saturating_add(1);
        (message.sent == message.boxes).then_some(number)
    }

    /// The message whose last box is now stored.
    fn stored(&mut self, order: u64) -> Option<u64> {
        let number = self.order_of.remove(&order)?;
        self.sent.remove(&order);
        let message = self.open.get_mut(&number)?;
        message.stored = message.stored.saturating_add(1);
        if message.stored < message.boxes {
            return None;
        }
        self.open.remove(&number);
        Some(number)
    }

    fn lost(&mut self, order: u64) {
        if let Some(number) = self.order_of.remove(&order) {
            self.open.remove(&number);
        }
        self.sent.remove(&order);
    }
}

impl Room {
    /// Says a text; its number, from 1. The first text announces us at the door.
    ///
    /// # Errors
    /// [`Error::OutboxFull`]: nothing was taken. [`Error::E2ee`]: empty or too long.
    pub fn say(&mut self, now: Timestamp, text: &str) -> Result<u64, Error> {
        let parts = Talk::text(now, text, self.sizes).map_err(|e| match e {
            e2ee::Error::TooLong(_) => {
                Error::TooLong { len: text.len(), max: e2ee::talk::MAX_TEXT }
            }
            other => other.into(),
        })?;
        if self.writer.room() < parts.len().saturating_add(1) {
            return Err(Error::OutboxFull);
        }
        self.begin_talking(now)?;
        let number = self.messages.begin(parts.len());
        for part in &parts {
            self.push(part)?;
        }
        self.event(RoomEvent::State { message: number, state: MessageState::Queued });
        self.pump(now)?;
        Ok(number)
    }

    /// Takes another name; told to the room if we have talked in it.
    ///
    /// # Errors
    /// [`Error::OutboxFull`].
    pub fn set_nick(&mut self, now: Timestamp, nick: Nick) -> Result<(), Error> {
        if !matches!(self.announcing, Announcing::Silent) {
            self.messages.skip();
            self.push(&Talk::new(now, Say::Nick { nick: nick.clone() }))?;
        }
        self.nick = nick;
        self.names.take();
        self.pump(now)
    }

    /// Says that we leave, if we have talked. [`Room::is_drained`] tells when everything is stored.
    ///
    /// # Errors
    /// [`Error::OutboxFull`].
    pub fn leave(&mut self, now: Timestamp) -> Result<(), Error> {
        if !matches!(self.announcing, Announcing::Silent) {
            self.messages.skip();
            self.push(&Talk::new(now, Say::Left))?;
        }
        self.pump(now)
    }

    /// Everything that we said is durable at the hub.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.writer.is_drained() && self.announcing.is_settled() && self.command.is_none()
    }

    fn begin_talking(&mut self, now: Timestamp) -> Result<(), Error> {
        if !matches!(self.announcing, Announcing::Silent) {
            return Ok(());
        }
        // The announcement names the index of the first box: made before anything is sealed.
        self.announcing = Announcing::Wanted;
        self.start_announcement()?;
        self.messages.skip();
        self.push(&Talk::new(now, Say::Here { nick: self.nick.clone() }))
    }

    fn push(&mut self, talk: &Talk) -> Result<(), Error> {
        let body = self.sizes.pad(&talk.to_bytes())?;
        self.writer.push(Ticket(0), body)
    }

    fn start_announcement(&mut self) -> Result<(), Error> {
        let hour = self.keys.hour();
        let lane = self.keys.lane_of(&self.my_key, hour);
        let door = self.keys.door(hour, lane)?;
        let stream = self.writer.capability().read_capability();
        let mining = door.announce(&self.me, &stream, &self.nick, &self.door_secret.public())?;
        let place = (self.keys.generation(), hour, lane);
        self.announcing = Announcing::Mining { place, mining: Box::new(mining) };
        Ok(())
    }

    pub(super) fn pump_announcement(&mut self, now: Timestamp) -> Result<(), Error> {
        if matches!(self.announcing, Announcing::Wanted) {
            self.start_announcement()?;
        }
        if let Announcing::Mining { place, mining } = &mut self.announcing
            && let Some(content) = mining.mine(MINING_STEP)
        {
            let place = *place;
            if self.lanes.iter().any(|l| l.place() == place && l.is_full()) {
                // Behind all that anyone reads.
                self.announcing = Announcing::Done;
                self.event(RoomEvent::Trouble(CROWDED));
                return Ok(());
            }
            let (_, hour, lane) = place;
            let body = pad(&content, BoxClass::Standard)?;
            let door = self.keys.door(hour, lane)?;
            let mut appender = Appender::new(door.stream().clone(), self.keys.context().to_vec());
            appender.push(Ticket(0), body)?;
            self.announcing = Announcing::Putting { place, appender: Box::new(appender) };
        }
        let sealed = if let Announcing::Putting { place, appender } = &mut self.announcing {
            let read_to = self
                .lanes
                .iter()
                .find(|l| l.place() == *place)
                .map_or(0, |l| l.follow.reader.position());
            appender.poll(now, read_to)?
        } else {
            None
        };
        if let Some(sealed) = sealed {
            self.call(Purpose::Announce, Call::Put(sealed));
        }
        Ok(())
    }

    pub(super) fn announce_settled(
        &mut self,
        now: Timestamp,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        let Announcing::Putting { appender, .. } = &mut self.announcing else {
            return Ok(());
        };
        match appender.settle(now, outcome)? {
            Appended::Again => {}
            Appended::Stored(_) => self.announcing = Announcing::Done,
            Appended::GivenUp(_) => {
                self.announcing = Announcing::Done;
                self.event(RoomEvent::Trouble(CROWDED));
            }
        }
        Ok(())
    }

    pub(super) fn talk_settled(&mut self, now: Timestamp, order: u64, outcome: PutOutcome) {
        match self.writer.settle(now, order, outcome) {
            Some(Settled::Stored(_)) => {
                if let Some(message) = self.messages.stored(order) {
                    self.event(RoomEvent::State { message, state: MessageState::Stored });
                }
            }
            Some(Settled::Taken(_)) => {
                self.messages.lost(order);
                self.event(RoomEvent::Trouble(
                    "the hub holds another box in your place: part of a message is lost",
                ));
            }
            Some(Settled::Later(_, PutOutcome::Full)) => {
                self.event(RoomEvent::Trouble("the hub is full; your message waits"));
            }
            Some(Settled::Later(..)) | None => {}
        }
    }
}
