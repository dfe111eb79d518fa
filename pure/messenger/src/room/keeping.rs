//! The owner's orders are kept at the hub for as long as somebody is in the room (`ROOM-019`).
//!
//! ```text
//!           an hour later, at a moment of our own
//! [waiting] ─────────────────────────────────────► [the oldest box is put]
//!     ▲                                                │            │ Stored: the hub
//!     │  Same: it is there, and all later ones are;    │            │ had forgotten it
//!     │  or the hub takes nothing now                  │            ▼
//!     └────────────────────────────────────────────────┴──── [the next is put]
//! ```
//!
//! A hub forgets boxes after two weeks. Without this, whoever came later would see talkers whom
//! the owner has muted; and an owner who starts again would find the stream empty, and write an
//! order where everybody has read already. The very same boxes are put, so everyone in the room
//! can do it, and none can change anything.

use std::collections::VecDeque;

use streams::VerifiedBox;
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::{Call, Purpose, Room};

/// Boxes kept, of 2 KiB each. Beyond that, the oldest go the way of all boxes.
const MAX_KEPT: usize = 512;
/// Between two looks, ms.
const LOOK_MS: u64 = 3_600_000;

/// The boxes of this generation's control stream, the longest put first.
#[derive(Default)]
pub(super) struct Keeping {
    boxes: VecDeque<VerifiedBox>,
    due: Option<Timestamp>,
    /// Boxes that this round may still put.
    left: usize,
    in_flight: bool,
}

impl Keeping {
    /// Keeps a box that was read. The first look is `phase` ms away, so that not everybody in the
    /// room looks at the same moment.
    pub(super) fn keep(&mut self, now: Timestamp, phase: u64, found: VerifiedBox) {
        self.boxes.push_back(found);
        if self.boxes.len() > MAX_KEPT {
            self.boxes.pop_front();
        }
        self.due.get_or_insert(now.plus_millis(LOOK_MS.saturating_add(phase % LOOK_MS)));
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.filter(|_| !self.in_flight)
    }
}

impl Room {
    pub(super) fn pump_keeping(&mut self, now: Timestamp) {
        let keeping = &mut self.keeping;
        if keeping.in_flight {
            return;
        }
        if keeping.due.is_some_and(|due| due <= now) {
            keeping.due = Some(now.plus_millis(LOOK_MS));
            keeping.left = keeping.boxes.len();
        }
        if keeping.left > 0
            && let Some(oldest) = keeping.boxes.front()
        {
            keeping.in_flight = true;
            let sealed = oldest.clone().into_sealed();
            self.call(Purpose::Keep, Call::Put(sealed));
        }
    }

    pub(super) fn keep_settled(&mut self, outcome: PutOutcome) {
        let keeping = &mut self.keeping;
        keeping.in_flight = false;
        if outcome == PutOutcome::Stored {
            keeping.left = keeping.left.saturating_sub(1);
            keeping.boxes.rotate_left(1.min(keeping.boxes.len()));
        } else {
            keeping.left = 0;
        }
    }
}
