//! One open room: its doors, its talkers, the owner's orders, and what we say ourselves.
//!
//! Sans-IO: [`Room::poll`] hands out [`Output`]s, the carrier's answers come back by
//! [`Room::on_put`] and [`Room::on_boxes`], and [`Room::deadline`] says when [`Room::tick`] is due.
//! Times are document time.

mod event;
mod follow;
mod keeping;
mod owner;
mod reading;
mod talking;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::OnceLock;

use e2ee::{
    DoorSecret, Nick, Owner, OwnerLink, RoomKeys, RoomLink, TalkerKey, TalkerSecret, display_names,
};
use rand_core::CryptoRng;
use streams::{Sizes, VerifiedBox};
use wire::Timestamp;
use wire::hub::PutOutcome;

pub use self::event::{MessageState, Output, Present, RoomEvent, Who};
use self::follow::{Follow, Lane, Talkers};
use self::keeping::Keeping;
use self::owner::Command;
use self::talking::{Announcing, Messages};
use crate::Error;
use crate::reader::StreamReader;
use crate::request::{Call, CallId};
use crate::writer::StreamWriter;

/// Talkers that one client follows. More are counted and told, not followed.
pub const MAX_TALKERS: usize = 256;
/// After a re-keying, talkers that have not announced themselves under the new keys are dropped,
/// ms.
const REKEY_GRACE_MS: u64 = 120_000;
/// A client that joins reads the door of the hour before for this long at least, ms.
const JOIN_GRACE_MS: u64 = 60_000;

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Talk(u64),
    Announce,
    Command,
    Keep,
    ReadTalker(TalkerKey),
    ReadDoor { generation: u32, hour: u64, lane: u8 },
    ReadControl,
}

/// One open room, as one of its clients sees it.
pub struct Room {
    keys: RoomKeys,
    owner: Option<Owner>,
    me: TalkerSecret,
    my_key: TalkerKey,
    door_secret: DoorSecret,
    nick: Nick,
    writer: StreamWriter,
    announcing: Announcing,
    messages: Messages,
    talkers: Talkers,
    names: OnceLock<BTreeMap<TalkerKey, String>>,
    lanes: Vec<Lane>,
    control: Follow,
    keeping: Keeping,
    command: Option<Command>,
    /// The keys that a re-keying under way has given us.
    next_keys: Option<RoomKeys>,
    sizes: Sizes,
    muted: BTreeSet<TalkerKey>,
    crowded: usize,
    rekeyed_at: Option<Timestamp>,
    calls: BTreeMap<CallId, Purpose>,
    next_call: u64,
    out: VecDeque<Output>,
}

impl Room {
    /// Joins by a link. Nothing is announced before the first [`Room::say`].
    ///
    /// # Errors
    /// [`Error::E2ee`] when the link's hour lies too far from `now`.
    pub fn join<R: CryptoRng>(
        link: &RoomLink,
        nick: Nick,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<Self, Error> {
        Self::open(RoomKeys::from_link(link)?, None, TalkerSecret::random(rng), nick, now, rng)
    }

    /// Joins as the owner, who talks under the owner's key.
    ///
    /// # Errors
    /// As [`Room::join`].
    pub fn join_as_owner<R: CryptoRng>(
        link: &OwnerLink,
        nick: Nick,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<Self, Error> {
        let (owner, keys) = Owner::from_link(link)?;
        Self::open(keys, Some(owner), TalkerSecret::random(rng), nick, now, rng)
    }

    fn open<R: CryptoRng>(
        mut keys: RoomKeys,
        owner: Option<Owner>,
        me: TalkerSecret,
        nick: Nick,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<Self, Error> {
        keys.advance(now)?;
        let context = keys.context().to_vec();
        let writer = StreamWriter::new(me.new_stream(rng), context.clone());
        let control = Follow::new(StreamReader::new(keys.control_stream()?, context)?.asking());
        let mut room = Room {
            my_key: me.public(),
            keys,
            owner,
            me,
            door_secret: DoorSecret::random(rng),
            nick,
            writer,
            announcing: Announcing::Silent,
            messages: Messages::default(),
            talkers: BTreeMap::new(),
            names: OnceLock::new(),
            lanes: Vec::new(),
            control,
            keeping: Keeping::default(),
            command: None,
            next_keys: None,
            sizes: Sizes::Uniform,
            muted: BTreeSet::new(),
            crowded: 0,
            rekeyed_at: None,
            calls: BTreeMap::new(),
            next_call: 0,
            out: VecDeque::new(),
        };
        room.open_lanes(now)?;
        room.pump(now)?;
        Ok(room)
    }

    /// The sizes of boxes into which our texts are sealed from now on: `Ladder` only where the
    /// carrier takes large boxes, and the network's replies have room for one.
    pub const fn set_sizes(&mut self, sizes: Sizes) {
        self.sizes = sizes;
    }

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Room::tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        let hour_ms = self.keys.settings().hour_ms();
        let next_hour =
            Timestamp::from_millis(self.keys.hour().saturating_add(1).saturating_mul(hour_ms));
        let follows =
            self.talkers.values().map(|t| &t.follow).chain(self.lanes.iter().map(|l| &l.follow));
        follows
            .filter_map(Follow::deadline)
            .chain(self.control.deadline())
            .chain(self.keeping.deadline())
            .chain(self.writer.deadline())
            .chain(self.announcing.deadline())
            .chain(self.command.as_ref().and_then(|c| c.appender.deadline()))
            .chain(self.lanes.iter().map(|l| l.until))
            .chain(self.rekeyed_at.map(|at| at.plus_millis(REKEY_GRACE_MS)))
            .fold(next_hour, Timestamp::min)
    }

    /// Time has passed.
    ///
    /// # Errors
    /// [`Error`] when the room's keys cannot follow the time.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), Error> {
        let hour = now.period(self.keys.settings().hour_ms());
        if hour > self.keys.hour() {
            self.keys.advance_to(hour)?;
            self.open_lanes(now)?;
            self.announcing.stale();
            self.drop_silent();
        }
        self.close_lanes(now);
        self.pass_gaps(now)?;
        if self.rekeyed_at.is_some_and(|at| now.millis_since(at) >= REKEY_GRACE_MS) {
            self.rekeyed_at = None;
            self.drop_left_behind();
        }
        self.pump(now)
    }

    /// The hub's answer to a [`Call::Put`].
    ///
    /// # Errors
    /// [`Error`] at the end of a stream.
    pub fn on_put(
        &mut self,
        now: Timestamp,
        call: CallId,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        match self.calls.remove(&call) {
            Some(Purpose::Talk(order)) => self.talk_settled(now, order, outcome),
            Some(Purpose::Announce) => self.announce_settled(now, outcome)?,
            Some(Purpose::Command) => self.command_settled(now, outcome)?,
            Some(Purpose::Keep) => self.keep_settled(outcome),
            _ => {}
        }
        self.pump(now)
    }

    /// The carrier has put a box on its way for the first time.
    pub fn on_sent(&mut self, call: CallId) {
        if let Some(Purpose::Talk(order)) = self.calls.get(&call).copied()
            && let Some(message) = self.messages.sent(order)
        {
            self.event(RoomEvent::State { message, state: MessageState::Sent });
        }
    }

    /// The answer to a [`Call::Get`]: what was there, perhaps nothing.
    ///
    /// # Errors
    /// [`Error`] at the end of a stream.
    pub fn on_boxes(
        &mut self,
        now: Timestamp,
        call: CallId,
        boxes: Vec<VerifiedBox>,
    ) -> Result<(), Error> {
        if let Some(purpose) = self.calls.remove(&call) {
            self.read(now, purpose, call, Some(boxes))?;
        }
        self.pump(now)
    }

    /// A [`Call::Get`] or [`Call::Look`] that nobody answered: the hub was overloaded, or the
    /// carrier could not take it. It says nothing about what is there.
    ///
    /// # Errors
    /// [`Error`] at the end of a stream.
    pub fn on_unanswered(&mut self, now: Timestamp, call: CallId) -> Result<(), Error> {
        if let Some(purpose) = self.calls.remove(&call) {
            self.read(now, purpose, call, None)?;
        }
        self.pump(now)
    }

    /// Everybody known to talk here, we first.
    #[must_use]
    pub fn who(&self) -> Vec<Present> {
        let names = self.names();
        let name_of = |key: &TalkerKey| names.get(key).cloned().unwrap_or_default();
        let me = Present {
            who: Who { key: self.my_key, name: name_of(&self.my_key) },
            me: true,
            left: false,
            muted: self.muted.contains(&self.my_key),
        };
        let others = self.talkers.iter().map(|(key, t)| Present {
            who: Who { key: *key, name: name_of(key) },
            me: false,
            left: t.left,
            muted: self.muted.contains(key),
        });
        std::iter::once(me).chain(others).collect()
    }

    /// Our name as others see it.
    #[must_use]
    pub fn my_name(&self) -> String {
        self.name_of(&self.my_key)
    }

    /// A link that starts at the current hour.
    #[must_use]
    pub fn link_now(&self) -> RoomLink {
        self.keys.link_now()
    }

    /// The room's keys, for the owner's bookkeeping.
    #[must_use]
    pub const fn keys(&self) -> &RoomKeys {
        &self.keys
    }

    /// The names of all, made anew when one of them has changed.
    fn names(&self) -> &BTreeMap<TalkerKey, String> {
        self.names.get_or_init(|| self.display_names())
    }

    fn display_names(&self) -> BTreeMap<TalkerKey, String> {
        let everybody: Vec<(Nick, TalkerKey)> = std::iter::once((self.nick.clone(), self.my_key))
            .chain(self.talkers.iter().map(|(key, t)| (t.nick.clone(), *key)))
            .collect();
        let names = display_names(&everybody);
        everybody.into_iter().map(|(_, key)| key).zip(names).collect()
    }

    fn name_of(&self, key: &TalkerKey) -> String {
        self.names().get(key).cloned().unwrap_or_default()
    }

    fn who_is(&self, key: TalkerKey) -> Who {
        Who { key, name: self.name_of(&key) }
    }

    fn event(&mut self, event: RoomEvent) {
        self.out.push_back(Output::Event(event));
    }

    fn call(&mut self, purpose: Purpose, call: Call) -> CallId {
        self.next_call = self.next_call.saturating_add(1);
        let id = CallId(self.next_call);
        self.calls.insert(id, purpose);
        self.out.push_back(Output::Call(id, call));
        id
    }

    fn cancel(&mut self, open: Option<CallId>) {
        if let Some(call) = open {
            self.calls.remove(&call);
            self.out.push_back(Output::Cancel(call));
        }
    }

    /// Starts everything that can start: puts, gets, an announcement.
    fn pump(&mut self, now: Timestamp) -> Result<(), Error> {
        self.pump_announcement(now)?;
        while let Some((order, _, sealed)) = self.writer.poll(now)? {
            self.call(Purpose::Talk(order), Call::Put(sealed));
        }
        self.pump_command(now)?;
        self.pump_keeping(now);
        self.pump_reading(now);
        Ok(())
    }
}
