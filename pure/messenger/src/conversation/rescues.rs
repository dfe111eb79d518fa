//! Rescue streams: where members who have lost their place ask to be added again, and are answered
//! (`GROUP-010`, `GROUP-012`).
//!
//! ```text
//!  reading, one stream per member and day             writing, our own stream of today
//!
//!  [idle] ── a day over (15 s while lost) ─► [look]    [part waits] ──► [put at the next index]
//!    ▲                                         │         ▲   ▲            │       │
//!    └───────── nothing there ─────────────────┤         │   └─ taken: ───┘       │ stored
//!                                              │         │      one index on      ▼
//!    messages for the conversation ◄── boxes ──┘         └── a new day: ───── next part, or done
//!                                                            from the beginning
//! ```
//!
//! The root never changes, so members find each other whatever happened to the group. Each day has
//! boxes of its own: the day is part of their context. The hub forgets boxes after two weeks, and
//! without the day a restored profile would write its first box where one lay before. Readers look
//! into the boxes of today and of yesterday.

use std::collections::{BTreeMap, VecDeque};

use e2ee::id::MemberId;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use streams::{BoxClass, ReadCapability, VerifiedBox, WriteCapability, pad, unpad};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use super::link::Link;
use super::outbox::Others;
use super::saved::{Lost, RescueRecord};
use crate::Error;
use crate::codec::Bytes;
use crate::context::{Purpose, StepContext};
use crate::parts::{Joined, Joiner, split};
use crate::reader::{Read, StreamReader};
use crate::request::{Call, CallId};
use crate::sealed::Run;

/// How often members look for rescue messages, ms. Also how long a day is.
pub(super) const DAY_MS: u64 = 86_400_000;
/// How often a member who waits for an answer looks, ms: often at first, and later every time that
/// its waiting has grown by a twentieth.
const LOOK_LOST_MS: u64 = 15_000;
const LOOK_LONG_LOST_MS: u64 = 600_000;
/// Taken indices that a rescue message walks past in a day before it is given up.
const MAX_STEPS: u32 = 4_096;
/// Messages of ours that wait at a time; more are not queued. An honest member has two.
const MAX_WAITING: usize = 128;
/// Boxes of one member that are read in a day. What is beyond is not looked at: an honest member
/// writes a handful.
const MAX_READ: u64 = 4_096;

/// A message on a rescue stream.
#[derive(Clone, Encode, Decode)]
pub(crate) enum Message {
    /// Add me again.
    #[n(0)]
    Request {
        /// A fresh KeyPackage of the same member.
        #[cbor(n(0), with = "minicbor::bytes")]
        key_package: Vec<u8>,
    },
    /// The answer to a request.
    #[n(1)]
    Welcome {
        /// For whom.
        #[n(0)]
        member: MemberId,
        /// The MLS welcome.
        #[cbor(n(1), with = "minicbor::bytes")]
        welcome: Vec<u8>,
    },
    /// Where the sender stands: shows a fork.
    #[n(2)]
    Head {
        /// Its epoch.
        #[n(0)]
        epoch: u64,
        /// Its epoch authenticator.
        #[n(1)]
        authenticator: ByteArray<32>,
    },
}

/// Reading one member's rescue stream of one day.
struct Reading {
    reader: StreamReader,
    joiner: Joiner,
    open: Option<CallId>,
}

/// The rescue streams of a conversation, and whether we need one.
pub(super) struct Rescues {
    /// We have lost our place and wait to be added again.
    pub(super) lost: Option<Lost>,
    /// BACAP context of all rescue boxes; the day follows.
    context: Bytes,
    /// Write capability at the first index of our stream.
    first: Bytes,
    readings: BTreeMap<(u64, MemberId), Reading>,
    run: Run,
    /// Taken indices that the part under way has walked past.
    steps: u32,
    next_look: Option<Timestamp>,
    /// What is kept of all this.
    pub(super) record: RescueRecord,
    pub(super) dirty: bool,
}

impl Rescues {
    pub(super) fn new(context: Bytes, first: Bytes, record: RescueRecord) -> Self {
        Rescues {
            lost: None,
            context,
            first,
            readings: BTreeMap::new(),
            run: Run::default(),
            steps: 0,
            next_look: None,
            record,
            dirty: false,
        }
    }

    /// The context of a day's boxes: that of the conversation, and the day as u64 big-endian.
    fn context_of(&self, day: u64) -> Bytes {
        let mut context = self.context.clone();
        context.extend_from_slice(&day.to_be_bytes());
        context
    }

    /// Begins the day of `now`, if it is a new one; true then. What is not written yet is written
    /// from its beginning, in the boxes of the new day.
    pub(super) fn turn_day(&mut self, cx: &mut StepContext<'_>) -> bool {
        let today = cx.now.period(DAY_MS);
        if self.record.day == Some(today) {
            return false;
        }
        let over = |day: u64| day.saturating_add(1) < today || day > today;
        self.record.read.retain(|day, _| !over(*day));
        let old: Vec<_> = self.readings.keys().copied().filter(|(day, _)| over(*day)).collect();
        for key in old {
            if let Some(call) = self.readings.remove(&key).and_then(|r| r.open) {
                cx.out.cancel(call);
            }
        }
        std::mem::take(&mut self.run).calls().for_each(|call| cx.out.cancel(call));
        self.record.day = Some(today);
        self.record.next = self.first.clone();
        self.record.written = 0;
        self.steps = 0;
        self.dirty = true;
        true
    }

    /// From now on we ask to be added again, and look for the answer at once.
    pub(super) fn lose(&mut self, now: Timestamp, lost: Lost, request: &Message) {
        self.lost = Some(lost);
        self.forget_calls();
        self.next_look = Some(now);
        self.record.looked_at = 0;
        self.send(request);
    }

    /// Queues a message on our stream. A message of the same kind, for the same member, that still
    /// waits is replaced: only the newest counts.
    pub(super) fn send(&mut self, message: &Message) {
        let kept: VecDeque<_> = std::mem::take(&mut self.record.out)
            .into_iter()
            .enumerate()
            // The first one may be half written.
            .filter(|(n, old)| *n == 0 && self.record.written > 0 || !is_replaced(old, message))
            .map(|(_, old)| old)
            .collect();
        self.record.out = kept;
        if self.record.out.len() < MAX_WAITING {
            self.record.out.push_back(Zeroizing::new(wire::encode(message)));
        }
        self.dirty = true;
    }

    /// Whether a message of ours is still to be written.
    pub(super) fn is_writing(&self) -> bool {
        !self.record.out.is_empty()
    }

    /// Puts the next part of our messages at the next index, which may be taken: an earlier copy of
    /// this profile has written there.
    pub(super) fn write(&mut self, cx: &mut StepContext<'_>, link: &Link) -> Result<(), Error> {
        if !link.can_decide() || !self.run.is_ready(0, cx.now) {
            return Ok(());
        }
        self.turn_day(cx);
        let Some(message) = self.record.out.front() else { return Ok(()) };
        let Some(part) = split(message).into_iter().nth(self.record.written) else {
            self.record.out.pop_front();
            return Ok(());
        };
        let at = WriteCapability::from_bytes(&self.record.next)?;
        let context = self.context_of(cx.now.period(DAY_MS));
        let sealed = at.seal(&context, &pad(&part, BoxClass::Standard)?)?.into_sealed();
        let call = link.call(cx, Purpose::RescueWrite, Call::Put(sealed));
        self.run.started(0, call);
        Ok(())
    }

    /// The hub's answer to a part.
    pub(super) fn on_put(&mut self, now: Timestamp, outcome: PutOutcome) -> Result<(), Error> {
        if !self.run.settle(now, 0, outcome) {
            return Ok(());
        }
        self.run = Run::default();
        self.record.next = WriteCapability::from_bytes(&self.record.next)?.next()?.to_bytes();
        self.dirty = true;
        if outcome == PutOutcome::Taken {
            self.steps = self.steps.saturating_add(1);
            if self.steps < MAX_STEPS {
                return Ok(());
            }
            self.steps = 0;
            self.record.out.pop_front();
            self.record.written = 0;
            return Ok(());
        }
        self.steps = 0;
        self.record.written = self.record.written.saturating_add(1);
        let parts = self.record.out.front().map_or(0, |message| split(message).len());
        if self.record.written >= parts {
            self.record.out.pop_front();
            self.record.written = 0;
        }
        Ok(())
    }

    /// The part under way is with neighbours; it waits for the hub.
    pub(super) fn on_carried(&mut self) {
        self.run.carried(0);
    }

    /// Whether it is time to look; if so, the next time is set.
    pub(super) fn is_time_to_look(&mut self, now: Timestamp) -> bool {
        let every = self.lost.as_ref().map_or(DAY_MS, |lost| {
            let waited = now.as_millis().saturating_sub(lost.since);
            waited.checked_div(20).unwrap_or(0).clamp(LOOK_LOST_MS, LOOK_LONG_LOST_MS)
        });
        let due = match self.record.looked_at {
            0 => now,
            at => Timestamp::from_millis(at).plus_millis(every),
        };
        if due > now {
            self.next_look = Some(due);
            return false;
        }
        self.next_look = Some(now.plus_millis(every));
        self.record.looked_at = now.as_millis();
        self.dirty = true;
        true
    }

    /// Looks into the streams of all others now: into yesterday's boxes, and into today's.
    pub(super) fn look(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        others: &Others,
    ) -> Result<(), Error> {
        self.turn_day(cx);
        let today = cx.now.period(DAY_MS);
        for day in [today.saturating_sub(1), today] {
            let context = self.context_of(day);
            let kept = self.record.read.get(&day);
            for (member, known) in others {
                let reading = match self.readings.entry((day, *member)) {
                    std::collections::btree_map::Entry::Occupied(there) => there.into_mut(),
                    std::collections::btree_map::Entry::Vacant(free) => {
                        let kept = kept.and_then(|read| read.get(member));
                        let at = kept.map_or(known.rescue.as_slice(), |bytes| bytes.as_slice());
                        let at = ReadCapability::from_kept(at)?;
                        let reader = StreamReader::new(at, context.to_vec())?;
                        free.insert(Reading { reader, joiner: Joiner::default(), open: None })
                    }
                };
                let first = ReadCapability::from_kept(&known.rescue)?.index().counter();
                let read = reading.reader.position().saturating_sub(first);
                if reading.open.is_none() && link.can_decide() && read < MAX_READ {
                    let look = Call::Look(reading.reader.wanted());
                    reading.open = Some(link.call(cx, Purpose::Rescue(*member, day), look));
                }
            }
        }
        Ok(())
    }

    /// The answer to a look: the messages that are whole now. What cannot be read is passed over.
    pub(super) fn on_boxes(
        &mut self,
        now: Timestamp,
        (member, day): (MemberId, u64),
        boxes: Vec<VerifiedBox>,
    ) -> Result<Vec<Message>, Error> {
        let Some(reading) = self.readings.get_mut(&(day, member)) else { return Ok(Vec::new()) };
        reading.open = None;
        for found in boxes {
            reading.reader.accept(found);
        }
        let mut messages = Vec::new();
        while let Some(read) = reading.reader.next(now)? {
            let joined = match read {
                Read::Plain(plain) => {
                    unpad(&plain).map_or(Joined::Broken, |content| reading.joiner.push(content))
                }
                Read::Nothing | Read::Gap(_) | Read::Late(_) => {
                    reading.joiner.lose();
                    Joined::Broken
                }
            };
            if let Joined::Whole(message) = joined {
                messages.extend(wire::decode(&message, "rescue message"));
            }
        }
        if reading.joiner.is_between() {
            let at = reading.reader.capability().to_bytes();
            self.record.read.entry(day).or_default().insert(member, at);
            self.dirty = true;
        }
        Ok(messages)
    }

    /// When to look, and when to put again.
    pub(super) fn deadline(&self, link: &Link, over: bool) -> Option<Timestamp> {
        let look = self.next_look.filter(|_| !over);
        look.into_iter().chain(self.run.deadline(link.reach)).min()
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.readings.values().filter_map(|r| r.open).chain(self.run.calls())
    }

    /// The open requests were cancelled: the next step asks again.
    pub(super) fn forget_calls(&mut self) {
        self.readings.clear();
        self.run = Run::default();
        self.steps = 0;
        self.next_look = None;
    }
}

/// Whether a message that waits says nothing any more once `new` is said.
fn is_replaced(old: &[u8], new: &Message) -> bool {
    match (wire::decode::<Message>(old, "rescue message"), new) {
        (Ok(Message::Request { .. }), Message::Request { .. })
        | (Ok(Message::Head { .. }), Message::Head { .. }) => true,
        (Ok(Message::Welcome { member: old, .. }), Message::Welcome { member, .. }) => {
            old == *member
        }
        _ => false,
    }
}
