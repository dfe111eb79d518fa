//! A reader with its one open request.

use std::collections::{BTreeMap, BTreeSet};

use e2ee::{
    Announcement, Assembler, Door, DoorKey, MAX_ANNOUNCEMENTS, MAX_DOOR_BOXES, Nick, TalkerKey,
    Work,
};
use wire::Timestamp;

use crate::reader::StreamReader;
use crate::request::{Call, CallId};

/// How long to wait after a request that the hub refused, ms: it has too much to do.
const PAUSE_MS: u64 = 1_000;

/// After so many requests that have brought nothing, the whole window is looked at.
const EMPTY: u32 = 8;

/// A stream that is being read.
pub(super) struct Follow {
    pub(super) reader: StreamReader,
    pub(super) open: Option<CallId>,
    /// Nothing is asked before this.
    pause: Timestamp,
    /// Whether more may be there already: the whole window is looked at.
    looks: bool,
    /// Requests in a row that have brought nothing.
    empty: u32,
}

impl Follow {
    pub(super) const fn new(reader: StreamReader) -> Self {
        Follow { reader, open: None, pause: Timestamp::ZERO, looks: true, empty: 0 }
    }

    /// What to ask for. Many follow many, and most of those say nothing for long: requests for
    /// their whole windows would fill the hub's table if they stayed open.
    pub(super) fn wanted(&self) -> Call {
        if self.looks {
            Call::Look(self.reader.wanted())
        } else if self.reader.waits_for_earlier() {
            Call::Get(self.reader.wanted())
        } else {
            Call::Get(self.reader.wanted_next())
        }
    }

    /// A request has brought so many boxes.
    pub(super) fn brought(&mut self, boxes: usize) {
        self.empty = if boxes == 0 { self.empty.saturating_add(1) } else { 0 };
        let enough = if self.looks { 1 } else { 2 };
        // Now and then without a reason, lest the first boxes of the window were lost.
        self.looks = boxes >= enough || self.empty >= EMPTY;
        if self.looks {
            self.empty = 0;
        }
    }

    /// Whether another request may be made.
    pub(super) fn may_ask(&mut self, now: Timestamp) -> bool {
        if self.pause <= now {
            self.pause = Timestamp::ZERO;
        }
        self.open.is_none() && self.pause == Timestamp::ZERO
    }

    pub(super) fn refused(&mut self, now: Timestamp) {
        self.pause = now.plus_millis(PAUSE_MS);
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let paused = self.open.is_none() && self.pause > Timestamp::ZERO;
        self.reader.deadline().into_iter().chain(paused.then_some(self.pause)).min()
    }
}

/// Somebody who announced themselves.
pub(super) struct Talker {
    pub(super) nick: Nick,
    pub(super) door_key: DoorKey,
    pub(super) follow: Follow,
    pub(super) parts: Assembler,
    pub(super) left: bool,
    /// The latest (generation, hour) in which they announced themselves.
    pub(super) announced: (u32, u64),
}

/// A door lane that is being read.
pub(super) struct Lane {
    pub(super) door: Door,
    pub(super) generation: u32,
    pub(super) follow: Follow,
    /// Boxes read so far, the lost ones included.
    pub(super) read: u32,
    /// The work of the announcements taken.
    pub(super) work: BTreeSet<Work>,
    /// When it is closed, once its hour is over.
    pub(super) until: Timestamp,
}

impl Lane {
    /// Generation, hour and lane.
    pub(super) const fn place(&self) -> (u32, u64, u8) {
        (self.generation, self.door.hour(), self.door.lane())
    }

    /// Whether no more is read of it: both bounds of a door are reached by what others write.
    pub(super) fn is_full(&self) -> bool {
        self.read >= MAX_DOOR_BOXES || self.work.len() >= MAX_ANNOUNCEMENTS
    }

    /// The announcement in the content of a box, unless it is none, a copy, or one too many. What
    /// does not hold takes nobody's place: junk costs its writer nothing.
    pub(super) fn take(&mut self, content: &[u8]) -> Option<Announcement> {
        if self.work.len() >= MAX_ANNOUNCEMENTS {
            return None;
        }
        let announcement = self.door.open(content).ok()?;
        self.work.insert(announcement.work()).then_some(announcement)
    }
}

/// Everybody known, by key.
pub(super) type Talkers = BTreeMap<TalkerKey, Talker>;
