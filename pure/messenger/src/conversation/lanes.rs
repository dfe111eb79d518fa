//! Reading: the lanes of all other members in the epochs that are read.
//!
//! A *lane* is one member's boxes in one epoch. What a lane needs depends on its epoch:
//!
//! ```text
//!            epoch ends            nothing, or too much, found by a look     five minutes over
//! [current] ───────────► [past, looked at] ───────────► [past, drained] ──────────► [quiet]
//!  one Get stays open     every 20 s (500 ms near)       still every 20 s            no requests
//!     │                        │                              │                        │
//!     └────────────────────────┴──── epoch leaves the window ─┴────────────────────────┘
//!                                             │
//!                                             ▼
//!                          removed; what is unacknowledged goes to Acks
//! ```
//!
//! A commit is applied only once all lanes of the epoch that leaves the window are drained
//! (`GROUP-008`), and a member's later epoch is read only after its earlier ones are drained, once
//! more when the first box of the later one has come (`GROUP-014`).

use std::collections::BTreeMap;

use e2ee::Secret;
use e2ee::id::{ConversationId, MemberId};
use serde::{Deserialize, Serialize};
use streams::{ReadCapability, VerifiedBox};
use wire::Timestamp;

use super::epochs::Epochs;
use super::lane::{Item, Lane};
use super::link::Link;
use super::saved::LateAck;
use crate::Error;
use crate::body::AckEntry;
use crate::codec::{Bytes, pack, unpack};
use crate::context::{Purpose, StepContext};
use crate::request::{Call, CallId};
use crate::store::Space;

/// How often lanes of a past epoch are looked at again, ms.
const PAST_LOOK_MS: u64 = 20_000;
/// The same while only neighbours are in reach, ms: such a look costs no request to the hub.
const PAST_LOOK_NEAR_MS: u64 = 500;
/// How long to wait after a request that nobody has answered, ms.
const UNANSWERED_MS: u64 = 1_000;
/// How long after its end an epoch is looked at, ms.
const PAST_WATCH_MS: u64 = 300_000;

/// Where reading goes on after a restart.
#[derive(Clone, Serialize, Deserialize)]
struct LaneRecord {
    boundary: Bytes,
    holes: Vec<u64>,
}

/// All lanes that are read.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<(MemberId, u64), Lane>,
    /// Lanes were added or removed since the last save.
    changed: bool,
}

fn prefix(id: ConversationId) -> Vec<u8> {
    [id.as_bytes().as_slice(), b"l"].concat()
}

fn key(id: ConversationId, member: MemberId, epoch: u64) -> Vec<u8> {
    [prefix(id).as_slice(), member.as_bytes(), &epoch.to_be_bytes()].concat()
}

impl Lanes {
    /// Takes up reading where the last run stopped. `owed`: an acknowledgement was due then, so all
    /// that was read is acknowledged again.
    pub(super) fn load(
        cx: &StepContext<'_>,
        id: ConversationId,
        me: MemberId,
        epochs: &Epochs,
        owed: bool,
    ) -> Result<Self, Error> {
        let mut lanes = BTreeMap::new();
        for keys in epochs.iter() {
            let context = keys.secret().ok_or(Error::Damaged)?;
            for (member, stream) in keys.members.iter().filter(|(m, _)| **m != me) {
                let first = ReadCapability::from_bytes(stream)?;
                let base = first.index().counter();
                let kept = cx.store.get(Space::Conversation, &key(id, *member, keys.epoch))?;
                let kept: Option<LaneRecord> = kept.map(|bytes| unpack(&bytes)).transpose()?;
                let (at, holes) = match kept {
                    Some(l) => (ReadCapability::from_kept(&l.boundary)?, l.holes),
                    None => (first, Vec::new()),
                };
                let mut lane = Lane::new(at, base, &context, holes)?;
                lane.unacked = owed && lane.done() > 0;
                lanes.insert((*member, keys.epoch), lane);
            }
        }
        Ok(Lanes { lanes, changed: false })
    }

    pub(super) fn save(&mut self, cx: &StepContext<'_>, id: ConversationId) -> Result<(), Error> {
        if std::mem::take(&mut self.changed) {
            for (kept, _) in cx.store.scan(Space::Conversation, &prefix(id))? {
                if !self.lanes.keys().any(|(member, epoch)| key(id, *member, *epoch) == kept) {
                    cx.store.remove(Space::Conversation, &kept)?;
                }
            }
        }
        for ((member, epoch), lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.dirty) {
            lane.dirty = false;
            let record =
                LaneRecord { boundary: lane.boundary().to_bytes(), holes: lane.holes.clone() };
            cx.store.put(Space::Conversation, &key(id, *member, *epoch), &pack(&record)?)?;
        }
        Ok(())
    }

    /// Begins a member's lane in a new epoch.
    pub(super) fn begin(
        &mut self,
        member: MemberId,
        epoch: u64,
        stream: &ReadCapability,
        context: &Secret,
    ) -> Result<(), Error> {
        let lane = Lane::new(stream.clone(), stream.index().counter(), context, Vec::new())?;
        self.lanes.insert((member, epoch), lane);
        self.changed = true;
        Ok(())
    }

    /// Ends the long-standing requests of epochs that are past now, and removes the lanes before
    /// `oldest`; gives what those still have to acknowledge.
    pub(super) fn retire(
        &mut self,
        cx: &mut StepContext<'_>,
        current: u64,
        oldest: u64,
    ) -> Vec<LateAck> {
        let past = self.lanes.iter_mut().filter(|((_, epoch), _)| *epoch != current);
        past.filter_map(|(_, lane)| lane.open.take()).for_each(|call| cx.out.cancel(call));
        let gone: Vec<_> =
            self.lanes.keys().copied().filter(|(_, epoch)| *epoch < oldest).collect();
        self.changed = true;
        let late = |(author, epoch)| {
            let lane = self.lanes.remove(&(author, epoch)).filter(|lane| lane.unacked)?;
            let (count, holes) = lane.acknowledged();
            Some(LateAck { author, epoch, count, holes })
        };
        gone.into_iter().filter_map(late).collect()
    }

    /// Forgets all lanes: nothing can be read any more.
    pub(super) fn clear(&mut self) {
        self.lanes.clear();
    }

    /// Keeps a request open for each lane of the current epoch, and looks at those of past epochs
    /// now and then. With no current epoch (the conversation is over) all are past.
    pub(super) fn follow(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        epochs: &Epochs,
        current: Option<u64>,
    ) {
        let left: BTreeMap<u64, u64> = epochs.iter().map(|e| (e.epoch, e.left_at)).collect();
        for ((member, epoch), lane) in &mut self.lanes {
            let wanted = lane.wanted();
            // Nothing wanted: the whole window is here, and waits for an earlier lane.
            if lane.open.is_some() || wanted.is_empty() || lane.look_at > cx.now {
                continue;
            }
            let call = if Some(*epoch) == current {
                Call::Get(wanted)
            } else {
                let age = cx.now.as_millis().saturating_sub(left.get(epoch).copied().unwrap_or(0));
                if lane.drained && age > PAST_WATCH_MS {
                    lane.look_at = Timestamp::ZERO;
                    continue;
                }
                Call::Look(wanted)
            };
            lane.look_at = Timestamp::ZERO;
            lane.open = Some(link.call(cx, Purpose::Lane(*member, *epoch), call));
        }
    }

    /// The answer to a request of [`Lanes::follow`].
    pub(super) fn on_boxes(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        (member, epoch): (MemberId, u64),
        is_current: bool,
        boxes: Vec<VerifiedBox>,
    ) {
        let Some(lane) = self.lanes.get_mut(&(member, epoch)) else { return };
        lane.open = None;
        if !is_current {
            let wait = if link.is_near() { PAST_LOOK_NEAR_MS } else { PAST_LOOK_MS };
            lane.looked(cx.now, boxes.len(), wait);
        }
        let mut any = false;
        for found in boxes {
            if lane.accept(found) {
                lane.via = cx.via;
                any = true;
            }
        }
        if any && std::mem::take(&mut lane.fresh) {
            // The author has been in its earlier epochs until now: what was found there before, or
            // is being looked for, may not be all (GROUP-014).
            let past = self.lanes.range_mut((member, 0)..(member, epoch));
            past.filter_map(|(_, lane)| lane.leave()).for_each(|call| cx.out.cancel(call));
        }
    }

    /// Nobody has answered a request of [`Lanes::follow`]: that says nothing about what is there.
    pub(super) fn on_unanswered(&mut self, now: Timestamp, lane: (MemberId, u64)) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.unanswered(now, UNANSWERED_MS);
        }
    }

    /// An epoch is about to leave the window: what its lanes have brought so far may not be all.
    /// Lanes whose authors write in later epochs, and that were looked at since, have been.
    pub(super) fn look_again(&mut self, cx: &mut StepContext<'_>, of: u64) {
        let lanes = self.lanes.iter_mut().filter(|((_, epoch), _)| *epoch == of);
        let open = lanes.map(|(_, lane)| lane).filter(|lane| !(lane.left && lane.drained));
        open.filter_map(Lane::look_again).for_each(|call| cx.out.cancel(call));
    }

    /// All lanes in the order in which they are to be read: by member, then by epoch.
    pub(super) fn in_order(&self) -> Vec<(MemberId, u64)> {
        self.lanes.keys().copied().collect()
    }

    /// The next thing that a lane says, and the route by which it came.
    pub(super) fn next(
        &mut self,
        lane: (MemberId, u64),
        now: Timestamp,
    ) -> Result<Option<(Item, &'static str)>, Error> {
        let Some(lane) = self.lanes.get_mut(&lane) else { return Ok(None) };
        Ok(lane.next(now)?.map(|item| (item, lane.via)))
    }

    /// Whether the author has to hear how far we have read although nothing asks for it
    /// (`DIRECT-023`); it counts as unacknowledged from now on.
    pub(super) fn note_untold(&mut self, lane: (MemberId, u64)) -> bool {
        let untold = self.lanes.get_mut(&lane).filter(|l| l.is_untold());
        untold.map(|lane| lane.unacked = true).is_some()
    }

    /// Whether a lane may still bring something.
    pub(super) fn is_undrained(&self, lane: (MemberId, u64), now: Timestamp) -> bool {
        self.lanes.get(&lane).is_some_and(|l| l.is_undrained(now))
    }

    /// Whether nothing more is to be expected of an epoch.
    pub(super) fn is_epoch_drained(&self, of: u64, now: Timestamp) -> bool {
        self.lanes.iter().all(|((_, epoch), lane)| *epoch != of || !lane.is_undrained(now))
    }

    /// Something in this lane wants an acknowledgement.
    pub(super) fn want_ack(&mut self, lane: (MemberId, u64)) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.unacked = true;
        }
    }

    /// All that was read is acknowledged once more.
    pub(super) fn want_all_acks(&mut self) {
        self.lanes.values_mut().filter(|l| l.done() > 0).for_each(|lane| lane.unacked = true);
    }

    /// The message that a lane gave last does not open.
    pub(super) fn spoiled(&mut self, lane: (MemberId, u64)) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.spoiled();
        }
    }

    /// Takes what is to be acknowledged.
    pub(super) fn take_acks(&mut self) -> Vec<AckEntry> {
        let unacked = self.lanes.iter_mut().filter(|(_, lane)| lane.unacked);
        let entry = |((author, epoch), lane): (&(MemberId, u64), &mut Lane)| {
            lane.unacked = false;
            lane.told = lane.done();
            let (count, holes) = lane.acknowledged();
            AckEntry { author: *author, epoch: *epoch, count, holes }
        };
        unacked.map(entry).collect()
    }

    /// Whether anything was read.
    pub(super) fn has_heard(&self) -> bool {
        self.lanes.values().any(|l| l.done() > 0)
    }

    /// When a gap is passed over, or a past lane is looked at.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let gaps = self.lanes.values().filter_map(Lane::deadline);
        let waiting = |l: &&Lane| l.open.is_none() && l.look_at > Timestamp::ZERO;
        gaps.chain(self.lanes.values().filter(waiting).map(|l| l.look_at)).min()
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.lanes.values().filter_map(|l| l.open)
    }

    /// The open requests were cancelled: [`Lanes::follow`] asks again.
    pub(super) fn forget_calls(&mut self) {
        self.lanes.values_mut().for_each(|l| l.open = None);
    }
}
