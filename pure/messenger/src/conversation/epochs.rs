//! The keys by which boxes of the current and the last epochs are found and opened.
//!
//! ```text
//! enter(n)     enter(n+1)        enter(n+2)        enter(n+3)
//!    │             │                 │                 │
//!    ▼             ▼                 ▼                 ▼
//! [current] ─► [past] ──────────► [past] ─────────► erased (GROUP-009: the context with it)
//! ```
//!
//! At most [`PAST_EPOCHS`] past epochs are held (`GROUP-002`).

use std::collections::{BTreeMap, VecDeque};

use e2ee::Secret;
use e2ee::id::{ConversationId, MemberId};
use e2ee::mls::PAST_EPOCHS;
use serde::{Deserialize, Serialize};
use wire::Timestamp;

use crate::Error;
use crate::codec::{Bytes, pack, unpack};
use crate::context::StepContext;
use crate::store::Space;

/// What it takes to read one epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct EpochKeys {
    pub(super) epoch: u64,
    /// BACAP context of all boxes of the epoch.
    pub(super) context: Bytes,
    /// Members, with the read capabilities of their streams, as of this epoch.
    pub(super) members: BTreeMap<MemberId, Vec<u8>>,
    /// When the next epoch was entered, ms; 0 while this is the current one.
    pub(super) left_at: u64,
}

impl EpochKeys {
    pub(super) fn secret(&self) -> Option<Secret> {
        self.context.as_slice().try_into().ok().map(Secret::new)
    }
}

/// The window of epochs that are read, oldest first.
#[derive(Default)]
pub(super) struct Epochs {
    keys: VecDeque<EpochKeys>,
    changed: bool,
}

fn key(id: ConversationId) -> Vec<u8> {
    [id.as_bytes().as_slice(), b"e"].concat()
}

impl Epochs {
    pub(super) fn load(cx: &StepContext<'_>, id: ConversationId) -> Result<Self, Error> {
        let kept = cx.store.get(Space::Conversation, &key(id))?;
        let keys = kept.map(|bytes| unpack(&bytes)).transpose()?.unwrap_or_default();
        Ok(Epochs { keys, changed: false })
    }

    pub(super) fn save(&mut self, cx: &StepContext<'_>, id: ConversationId) -> Result<(), Error> {
        if std::mem::take(&mut self.changed) {
            cx.store.put(Space::Conversation, &key(id), &pack(&self.keys)?)?;
        }
        Ok(())
    }

    /// Makes this the current epoch; the oldest leaves the window.
    pub(super) fn enter(&mut self, now: Timestamp, keys: EpochKeys) {
        if let Some(last) = self.keys.back_mut() {
            last.left_at = now.as_millis();
        }
        self.keys.push_back(keys);
        while self.keys.len() > PAST_EPOCHS.saturating_add(1) {
            self.keys.pop_front();
        }
        self.changed = true;
    }

    /// Forgets all: a member that was added again reads nothing of the epochs before.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    pub(super) fn current(&self) -> Option<&EpochKeys> {
        self.keys.back()
    }

    /// The first epoch that is still read.
    pub(super) fn oldest(&self) -> u64 {
        self.keys.front().map_or(0, |e| e.epoch)
    }

    /// The epoch that leaves the window when the next one is entered.
    pub(super) fn leaving(&self) -> Option<u64> {
        let full = self.keys.len() > PAST_EPOCHS;
        self.keys.front().filter(|_| full).map(|e| e.epoch)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &EpochKeys> {
        self.keys.iter()
    }
}
