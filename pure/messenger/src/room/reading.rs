//! What others say: doors, talkers' streams, the owner's control stream.

use std::collections::BTreeSet;

use e2ee::{Announcement, Assembler, Control, Newlines, Order, Talk, TalkerKey, sanitize};
use streams::{VerifiedBox, unpad};
use wire::Timestamp;

use super::follow::{Follow, Lane, Talker};
use super::keeping::Keeping;
use super::owner::Command;
use super::{Call, JOIN_GRACE_MS, MAX_TALKERS, Purpose, Room, RoomEvent};
use crate::Error;
use crate::reader::{Read, StreamReader, WRITER_PATIENCE_MS};
use crate::request::CallId;

impl Room {
    /// Opens the door lanes of every hour that the keys can open and that are not being read.
    pub(super) fn open_lanes(&mut self, now: Timestamp) -> Result<(), Error> {
        let generation = self.keys.generation();
        let hour_ms = self.keys.settings().hour_ms();
        for hour in self.keys.hours() {
            let end = Timestamp::from_millis(hour.saturating_add(1).saturating_mul(hour_ms));
            // Late announcements of an hour are still read for a sixth of the next one.
            let grace = hour_ms.checked_div(6).unwrap_or(0);
            let until = end.plus_millis(grace).max(now.plus_millis(JOIN_GRACE_MS.min(hour_ms)));
            for lane in 0..self.keys.settings().lanes() {
                if self.lanes.iter().any(|l| l.place() == (generation, hour, lane)) {
                    continue;
                }
                let door = self.keys.door(hour, lane)?;
                let capability = door.stream().read_capability();
                let reader = StreamReader::new(capability, self.keys.context().to_vec())?.asking();
                self.lanes.push(Lane {
                    door,
                    generation,
                    follow: Follow::new(reader),
                    read: 0,
                    work: BTreeSet::new(),
                    until,
                });
            }
        }
        Ok(())
    }

    pub(super) fn close_lanes(&mut self, now: Timestamp) {
        let hour = self.keys.hour();
        let (closed, kept): (Vec<Lane>, Vec<Lane>) = std::mem::take(&mut self.lanes)
            .into_iter()
            .partition(|l| l.until <= now && l.door.hour() < hour);
        self.lanes = kept;
        for lane in closed {
            self.cancel(lane.follow.open);
        }
    }

    /// Talkers who did not announce themselves in the last two hours are no longer followed.
    pub(super) fn drop_silent(&mut self) {
        let hour = self.keys.hour();
        self.drop_talkers(|t| t.announced.1.saturating_add(2) <= hour);
    }

    /// Talkers who did not come along at a re-keying are out.
    pub(super) fn drop_left_behind(&mut self) {
        let generation = self.keys.generation();
        self.drop_talkers(|t| t.announced.0 < generation);
    }

    fn drop_talkers(&mut self, gone: impl Fn(&Talker) -> bool) {
        let keys: Vec<TalkerKey> =
            self.talkers.iter().filter(|(_, t)| gone(t)).map(|(k, _)| *k).collect();
        self.names.take();
        for key in keys {
            if let Some(talker) = self.talkers.remove(&key) {
                self.cancel(talker.follow.open);
            }
        }
    }

    /// Streams in which a later box has waited too long for an earlier one go on without it.
    pub(super) fn pass_gaps(&mut self, now: Timestamp) -> Result<(), Error> {
        let due = |follow: &Follow| follow.reader.deadline().is_some_and(|at| at <= now);
        let mut late: Vec<Purpose> = Vec::new();
        late.extend(
            self.talkers
                .iter()
                .filter(|(_, t)| due(&t.follow))
                .map(|(k, _)| Purpose::ReadTalker(*k)),
        );
        late.extend(self.lanes.iter().filter(|l| due(&l.follow)).map(|l| Purpose::ReadDoor {
            generation: l.generation,
            hour: l.door.hour(),
            lane: l.door.lane(),
        }));
        if due(&self.control) {
            late.push(Purpose::ReadControl);
        }
        for purpose in late {
            let Some(follow) = self.follow_of(purpose) else { continue };
            let question = follow.reader.question(now);
            // The window moves, or the question takes its place: open requests are made again.
            let open = follow.open.take();
            self.cancel(open);
            match question {
                Some(ids) => {
                    let call = self.call(purpose, Call::Look(ids));
                    if let Some(follow) = self.follow_of(purpose) {
                        follow.open = Some(call);
                    }
                }
                None => self.read(now, purpose, CallId(0), None)?,
            }
        }
        Ok(())
    }

    /// Takes what a request brought; none if it was not answered.
    pub(super) fn read(
        &mut self,
        now: Timestamp,
        purpose: Purpose,
        call: CallId,
        boxes: Option<Vec<VerifiedBox>>,
    ) -> Result<(), Error> {
        match purpose {
            Purpose::ReadTalker(key) => self.read_talker(now, key, call, boxes),
            Purpose::ReadDoor { generation, hour, lane } => {
                self.read_door(now, (generation, hour, lane), call, boxes)
            }
            Purpose::ReadControl => self.read_control(now, call, boxes),
            Purpose::Talk(_) | Purpose::Announce | Purpose::Command | Purpose::Keep => Ok(()),
        }
    }

    /// Keeps one request open for every stream that is read.
    pub(super) fn pump_reading(&mut self, now: Timestamp) {
        let mut wanted = Vec::new();
        for (key, talker) in &mut self.talkers {
            if talker.follow.may_ask(now) {
                wanted.push((Purpose::ReadTalker(*key), talker.follow.wanted()));
            }
        }
        for lane in &mut self.lanes {
            if lane.follow.may_ask(now) && !lane.is_full() {
                let purpose = Purpose::ReadDoor {
                    generation: lane.generation,
                    hour: lane.door.hour(),
                    lane: lane.door.lane(),
                };
                wanted.push((purpose, Call::Get(lane.follow.reader.wanted())));
            }
        }
        if self.control.may_ask(now) {
            wanted.push((Purpose::ReadControl, Call::Get(self.control.reader.wanted())));
        }
        for (purpose, what) in wanted {
            let call = self.call(purpose, what);
            if let Some(follow) = self.follow_of(purpose) {
                follow.open = Some(call);
            }
        }
    }

    fn follow_of(&mut self, purpose: Purpose) -> Option<&mut Follow> {
        match purpose {
            Purpose::ReadTalker(key) => self.talkers.get_mut(&key).map(|t| &mut t.follow),
            Purpose::ReadDoor { generation, hour, lane } => {
                self.lane_mut((generation, hour, lane)).map(|l| &mut l.follow)
            }
            Purpose::ReadControl => Some(&mut self.control),
            Purpose::Talk(_) | Purpose::Announce | Purpose::Command | Purpose::Keep => None,
        }
    }

    fn lane_mut(&mut self, place: (u32, u64, u8)) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|l| l.place() == place)
    }

    pub(super) fn read_talker(
        &mut self,
        now: Timestamp,
        key: TalkerKey,
        call: CallId,
        boxes: Option<Vec<VerifiedBox>>,
    ) -> Result<(), Error> {
        let Some(talker) = self.talkers.get_mut(&key) else {
            return Ok(());
        };
        let reads = take(&mut talker.follow, now, call, boxes)?;
        for read in reads {
            match read {
                Read::Plain(plain) => self.heard(key, &plain),
                Read::Late(plain) => self.heard_late(key, &plain),
                Read::Nothing => {}
                Read::Gap(boxes) if !self.muted.contains(&key) => {
                    let from = self.who_is(key);
                    self.event(RoomEvent::Gap { from, boxes });
                }
                Read::Gap(_) => {}
            }
        }
        Ok(())
    }

    fn heard(&mut self, key: TalkerKey, plain: &[u8]) {
        let talk = unpad(plain).ok().and_then(|content| Talk::from_bytes(content).ok());
        let (Some(talk), Some(talker)) = (talk, self.talkers.get_mut(&key)) else {
            return;
        };
        // A talker that breaks its own texts is shown as far as it makes sense.
        let Ok(Some(event)) = talker.parts.push(talk) else {
            return;
        };
        match event {
            e2ee::Event::Said { at, text } => {
                talker.left = false;
                if !self.muted.contains(&key) {
                    let from = self.who_is(key);
                    let text = sanitize(text.reveal(), Newlines::Keep);
                    self.event(RoomEvent::Message { from, text, at });
                }
            }
            e2ee::Event::Here(nick) => {
                talker.nick = nick;
                talker.left = false;
                self.names.take();
            }
            e2ee::Event::Renamed(nick) => {
                let from = self.name_of(&key);
                if let Some(talker) = self.talkers.get_mut(&key) {
                    talker.nick = nick;
                }
                self.names.take();
                let to = self.who_is(key);
                if !self.muted.contains(&key) {
                    self.event(RoomEvent::Renamed { from, to });
                }
            }
            e2ee::Event::Left => {
                talker.left = true;
                if !self.muted.contains(&key) {
                    let who = self.who_is(key);
                    self.event(RoomEvent::Left(who));
                }
            }
            e2ee::Event::Moved(_) => {}
        }
    }

    /// What was passed over, and came after all. A part of a text says nothing alone, and names
    /// have changed since.
    fn heard_late(&mut self, key: TalkerKey, plain: &[u8]) {
        let talk = unpad(plain).ok().and_then(|content| Talk::from_bytes(content).ok());
        let event = talk.and_then(|talk| Assembler::new().push(talk).ok().flatten());
        if let Some(e2ee::Event::Said { at, text }) = event
            && !self.muted.contains(&key)
        {
            let from = self.who_is(key);
            let text = sanitize(text.reveal(), Newlines::Keep);
            self.event(RoomEvent::Message { from, text, at });
        }
    }

    pub(super) fn read_door(
        &mut self,
        now: Timestamp,
        place: (u32, u64, u8),
        call: CallId,
        boxes: Option<Vec<VerifiedBox>>,
    ) -> Result<(), Error> {
        let Some(lane) = self.lane_mut(place) else {
            return Ok(());
        };
        let mut arrived = Vec::new();
        for read in take(&mut lane.follow, now, call, boxes)? {
            let boxes = if let Read::Gap(boxes) = read { boxes } else { 1 };
            lane.read = lane.read.saturating_add(u32::try_from(boxes).unwrap_or(u32::MAX));
            if let Read::Plain(plain) | Read::Late(plain) = read {
                arrived.extend(unpad(&plain).ok().and_then(|content| lane.take(content)));
            }
        }
        for announcement in arrived {
            self.meet(place, &announcement)?;
        }
        Ok(())
    }

    fn meet(
        &mut self,
        (generation, hour, _): (u32, u64, u8),
        announcement: &Announcement,
    ) -> Result<(), Error> {
        let key = *announcement.talker();
        if key == self.my_key {
            return Ok(());
        }
        let context = self.keys.context().to_vec();
        if let Some(talker) = self.talkers.get_mut(&key) {
            talker.announced = talker.announced.max((generation, hour));
            talker.door_key = announcement.door_key().clone();
            return Ok(());
        }
        if self.talkers.len() >= MAX_TALKERS {
            self.crowded = self.crowded.saturating_add(1);
            let crowded = self.crowded;
            self.event(RoomEvent::Crowded(crowded));
            return Ok(());
        }
        let reader = StreamReader::new(announcement.stream().clone(), context)?
            .asking()
            .patient_for(WRITER_PATIENCE_MS);
        let talker = Talker {
            nick: announcement.nick().clone(),
            door_key: announcement.door_key().clone(),
            follow: Follow::new(reader),
            parts: Assembler::new(),
            left: false,
            announced: (generation, hour),
        };
        self.talkers.insert(key, talker);
        self.names.take();
        if !self.muted.contains(&key) {
            let who = self.who_is(key);
            self.event(RoomEvent::Here(who));
        }
        Ok(())
    }

    pub(super) fn read_control(
        &mut self,
        now: Timestamp,
        call: CallId,
        boxes: Option<Vec<VerifiedBox>>,
    ) -> Result<(), Error> {
        // Each key of ours is random, and so is the time of the hour that it gives.
        let phase = self.my_key.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes);
        let wanted = self.control.reader.wanted();
        for found in boxes.iter().flatten().filter(|found| wanted.contains(&found.id())) {
            self.keeping.keep(now, phase, found.clone());
        }
        for read in take(&mut self.control, now, call, boxes)? {
            let (Read::Plain(plain) | Read::Late(plain)) = read else { continue };
            let control = unpad(&plain).ok().and_then(|content| Control::from_bytes(content).ok());
            if let Some(control) = control {
                self.ordered(now, control.order)?;
            }
        }
        Ok(())
    }

    fn ordered(&mut self, now: Timestamp, order: Order) -> Result<(), Error> {
        match order {
            Order::Mute { talker } => {
                self.muted.insert(talker);
                self.mute_changed(talker, true);
            }
            Order::Unmute { talker } => {
                self.muted.remove(&talker);
                self.mute_changed(talker, false);
            }
            Order::Notice { text } => {
                let text = sanitize(text.as_str(), Newlines::Keep);
                self.event(RoomEvent::Notice(text));
            }
            Order::Rekey { rekey } => {
                // The owner has its own copy of the keys that it made.
                if let (Ok(keys), None) =
                    (rekey.open(&self.keys, &self.door_secret), &self.next_keys)
                {
                    self.next_keys = Some(keys);
                }
                if rekey.is_last() {
                    match self.next_keys.take() {
                        Some(keys) => self.switch(now, keys)?,
                        // Our own order, read before the hub has told us that it is stored: the
                        // keys are at hand.
                        None if self.command.as_ref().is_some_and(Command::changes_keys) => {}
                        None => self.event(RoomEvent::LockedOut),
                    }
                }
            }
        }
        Ok(())
    }

    fn mute_changed(&mut self, talker: TalkerKey, muted: bool) {
        if self.talkers.contains_key(&talker) || talker == self.my_key {
            let who = self.who_is(talker);
            self.event(RoomEvent::Muted { who, muted });
        }
    }

    /// Goes over to the next generation: new doors, a new control stream, a new box context for
    /// everything.
    pub(super) fn switch(&mut self, now: Timestamp, mut keys: e2ee::RoomKeys) -> Result<(), Error> {
        keys.advance(now)?;
        let context = keys.context().to_vec();
        let control = StreamReader::new(keys.control_stream()?, context.clone())?.asking();
        let old_control = std::mem::replace(&mut self.control, Follow::new(control));
        self.cancel(old_control.open);
        self.keeping = Keeping::default();
        for lane in std::mem::take(&mut self.lanes) {
            self.cancel(lane.follow.open);
        }
        self.keys = keys;
        self.open_lanes(now)?;
        let open: Vec<Option<CallId>> = self
            .talkers
            .values_mut()
            .map(|t| {
                t.follow.reader.add_context(context.clone());
                t.follow.open.take()
            })
            .collect();
        for call in open {
            self.cancel(call);
        }
        self.writer.set_context(context);
        self.announcing.stale();
        self.rekeyed_at = Some(now);
        self.event(RoomEvent::Rekeyed);
        Ok(())
    }
}

/// Gives an answer's boxes to the reader and takes out what can be read now, in order.
fn take(
    follow: &mut Follow,
    now: Timestamp,
    call: CallId,
    boxes: Option<Vec<VerifiedBox>>,
) -> Result<Vec<Read>, Error> {
    let brought = boxes.as_ref().map(Vec::len);
    for found in boxes.into_iter().flatten() {
        follow.reader.accept(found);
    }
    if follow.open == Some(call) {
        follow.open = None;
        follow.reader.answered(brought.is_some());
        match brought {
            Some(boxes) => follow.brought(boxes),
            None => follow.refused(now),
        }
    }
    let mut reads = Vec::new();
    while let Some(read) = follow.reader.next(now)? {
        reads.push(read);
    }
    Ok(reads)
}
