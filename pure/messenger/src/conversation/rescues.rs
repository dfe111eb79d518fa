//! Rescue streams: where members who have lost their place ask to be added again, and are answered
//! (`GROUP-010`, `GROUP-012`).
//!
//! ```text
//!  reading, one stream per member                     writing, our own stream
//!
//!  [idle] ── a day over (15 s while lost) ─► [look]    [part waits] ──► [put at the next index]
//!    ▲                                         │            ▲               │       │
//!    └───────── nothing there ─────────────────┤            │  taken: one   │       │ stored
//!                                              │            └── index on ───┘       ▼
//!    messages for the conversation ◄── boxes ──┘                              next part, or done
//! ```
//!
//! Their context never changes, so members find each other whatever happened to the group.

use std::collections::{BTreeMap, VecDeque};

use e2ee::id::MemberId;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use streams::{BoxClass, ReadCapability, VerifiedBox, WriteCapability, pad, unpad};
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::link::Link;
use super::outbox::Others;
use super::saved::Lost;
use crate::Error;
use crate::codec::Bytes;
use crate::context::{Purpose, StepContext};
use crate::parts::{Joined, Joiner, split};
use crate::reader::{Read, StreamReader};
use crate::request::{Call, CallId};
use crate::sealed::Run;

/// How often members look for rescue messages, ms.
const LOOK_MS: u64 = 86_400_000;
/// How often a member who waits for an answer looks, ms.
const LOOK_LOST_MS: u64 = 15_000;
/// Taken indices that a rescue message walks past before it is given up.
const MAX_STEPS: u32 = 4_096;

/// A message on a rescue stream.
#[derive(Encode, Decode)]
pub(super) enum Message {
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

/// Reading one member's rescue stream.
struct Reading {
    reader: StreamReader,
    joiner: Joiner,
    open: Option<CallId>,
}

/// The rescue streams of a conversation, and whether we need one.
pub(super) struct Rescues {
    /// We have lost our place and wait to be added again.
    pub(super) lost: Option<Lost>,
    /// BACAP context of all rescue boxes.
    context: Bytes,
    readings: BTreeMap<MemberId, Reading>,
    run: Run,
    /// Taken indices that the part under way has walked past.
    steps: u32,
    next_look: Option<Timestamp>,
    /// Write capability at the next index of our stream.
    pub(super) next: Bytes,
    /// Parts that are still to be written.
    pub(super) out: VecDeque<Bytes>,
    /// How far the others' streams are read.
    pub(super) read: BTreeMap<MemberId, Bytes>,
    /// When we looked last, ms; 0: never.
    pub(super) looked_at: u64,
    pub(super) dirty: bool,
}

impl Rescues {
    pub(super) fn new(context: Bytes, next: Bytes) -> Self {
        Rescues {
            lost: None,
            context,
            readings: BTreeMap::new(),
            run: Run::default(),
            steps: 0,
            next_look: None,
            next,
            out: VecDeque::new(),
            read: BTreeMap::new(),
            looked_at: 0,
            dirty: false,
        }
    }

    /// From now on we ask to be added again, and look for the answer at once.
    pub(super) fn lose(&mut self, now: Timestamp, lost: Lost, request: &Message) {
        self.lost = Some(lost);
        self.forget_calls();
        self.next_look = Some(now);
        self.send(request);
    }

    /// Queues a message on our stream.
    pub(super) fn send(&mut self, message: &Message) {
        self.out.extend(split(&wire::encode(message)));
        self.dirty = true;
    }

    /// Puts the next part of our messages at the next index, which may be taken: an earlier copy of
    /// this profile has written there.
    pub(super) fn write(&mut self, cx: &mut StepContext<'_>, link: &Link) -> Result<(), Error> {
        if !link.can_decide() || !self.run.is_ready(0, cx.now) {
            return Ok(());
        }
        let Some(part) = self.out.front() else { return Ok(()) };
        let at = WriteCapability::from_bytes(&self.next)?;
        let sealed = at.seal(&self.context, &pad(part, BoxClass::Standard)?)?.into_sealed();
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
        self.next = WriteCapability::from_bytes(&self.next)?.next()?.to_bytes();
        self.dirty = true;
        if outcome == PutOutcome::Taken {
            self.steps = self.steps.saturating_add(1);
            if self.steps < MAX_STEPS {
                return Ok(());
            }
        }
        self.steps = 0;
        self.out.pop_front();
        Ok(())
    }

    /// The part under way is with neighbours; it waits for the hub.
    pub(super) fn on_carried(&mut self) {
        self.run.carried(0);
    }

    /// Whether it is time to look; if so, the next time is set.
    pub(super) fn is_time_to_look(&mut self, now: Timestamp) -> bool {
        let every = if self.lost.is_some() { LOOK_LOST_MS } else { LOOK_MS };
        let due = match self.looked_at {
            0 => now,
            at => Timestamp::from_millis(at).plus_millis(every),
        };
        if due > now {
            self.next_look = Some(due);
            return false;
        }
        self.next_look = Some(now.plus_millis(every));
        self.looked_at = now.as_millis();
        self.dirty = true;
        true
    }

    /// Looks into the streams of all others now.
    pub(super) fn look(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        others: &Others,
    ) -> Result<(), Error> {
        for (member, known) in others {
            if !self.readings.contains_key(member) {
                let at = self.read.get(member).map_or(known.rescue.as_slice(), |b| b.as_slice());
                let at = ReadCapability::from_bytes(at)?;
                let reader = StreamReader::new(at, self.context.to_vec())?;
                let reading = Reading { reader, joiner: Joiner::default(), open: None };
                self.readings.insert(*member, reading);
            }
            if let Some(reading) = self.readings.get_mut(member)
                && reading.open.is_none()
                && link.can_decide()
            {
                let look = Call::Look(reading.reader.wanted());
                reading.open = Some(link.call(cx, Purpose::Rescue(*member), look));
            }
        }
        Ok(())
    }

    /// The answer to a look: the messages that are whole now. What cannot be read is passed over.
    pub(super) fn on_boxes(
        &mut self,
        now: Timestamp,
        member: MemberId,
        boxes: Vec<VerifiedBox>,
    ) -> Result<Vec<Message>, Error> {
        let Some(reading) = self.readings.get_mut(&member) else { return Ok(Vec::new()) };
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
                Read::Nothing | Read::Gap(_) => {
                    reading.joiner.lose();
                    Joined::Broken
                }
            };
            if let Joined::Whole(message) = joined {
                messages.extend(wire::decode(&message, "rescue message"));
            }
        }
        if reading.joiner.is_between() {
            self.read.insert(member, reading.reader.capability().to_bytes());
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
