//! Our boxes on their way to the hub: a bounded number at a time, each until the hub has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use streams::{BoxId, SealedBox, Sizes, WriteCapability};
use wire::Timestamp;
use wire::hub::PutOutcome;

use crate::Error;
use crate::near::Reach;
use crate::request::CallId;

/// Pause after `Full` or `SlowDown`, ms; doubles up to sixteen times this.
const BACKOFF_MS: u64 = 1_000;

/// How one box stands.
#[derive(Debug, Clone, Copy, Default)]
struct Flight {
    call: Option<CallId>,
    sent: bool,
    settled: bool,
    /// Neighbours have it, the hub does not.
    carried: bool,
    due: Option<Timestamp>,
    refusals: u32,
}

/// A run of boxes being put.
#[derive(Debug, Default)]
pub(crate) struct Run(BTreeMap<usize, Flight>);

impl Run {
    pub(crate) fn is_settled(&self, index: usize) -> bool {
        self.0.get(&index).is_some_and(|f| f.settled)
    }

    /// Neighbours may fetch it from us; the hub still has to get it.
    pub(crate) fn carried(&mut self, index: usize) {
        let flight = self.0.entry(index).or_default();
        flight.call = None;
        flight.due = None;
        flight.sent = true;
        flight.carried = true;
    }

    /// Whether this box is where it can be fetched: at the hub, or with neighbours.
    pub(crate) fn is_out(&self, index: usize) -> bool {
        self.0.get(&index).is_some_and(|f| f.settled || f.carried)
    }

    /// Whether all of `len` boxes are out.
    pub(crate) fn is_all_out(&self, len: usize) -> bool {
        (0..len).all(|n| self.is_out(n))
    }

    /// Whether all of `len` boxes are at the hub.
    pub(crate) fn is_done(&self, len: usize) -> bool {
        (0..len).all(|n| self.is_settled(n))
    }

    /// Whether all of `len` boxes have left.
    pub(crate) fn is_sent(&self, len: usize) -> bool {
        (0..len).all(|n| self.0.get(&n).is_some_and(|f| f.sent || f.settled))
    }

    /// Whether box `index` may be put now.
    pub(crate) fn is_ready(&self, index: usize, now: Timestamp) -> bool {
        self.0
            .get(&index)
            .is_none_or(|f| !f.settled && f.call.is_none() && f.due.is_none_or(|due| due <= now))
    }

    pub(crate) fn started(&mut self, index: usize, call: CallId) {
        self.0.entry(index).or_default().call = Some(call);
    }

    pub(crate) fn sent(&mut self, index: usize) {
        self.0.entry(index).or_default().sent = true;
    }

    /// When a box may be put again; what neighbours have waits for the hub.
    pub(crate) fn deadline(&self, reach: Reach) -> Option<Timestamp> {
        let waits =
            |f: &&Flight| !f.settled && f.call.is_none() && (reach == Reach::Hub || !f.carried);
        self.0.values().filter(waits).filter_map(|f| f.due).min()
    }

    /// The first box that the hub has refused and does not have, and when it may be put again: none
    /// while it is under way.
    pub(crate) fn first_refused(&self, reach: Reach) -> Option<(usize, Option<Timestamp>)> {
        let lacks = |f: &Flight| !f.settled && (reach == Reach::Hub || !f.carried);
        let mut refused = self.0.iter().filter(|(_, f)| f.refusals > 0 && lacks(f));
        refused.next().map(|(index, f)| (*index, f.due.filter(|_| f.call.is_none())))
    }

    /// Gives up the open requests, which are to be cancelled. What is out stays so, the rest begins
    /// again.
    pub(crate) fn halt(&mut self) -> Vec<CallId> {
        let calls = self.calls().collect();
        self.0.retain(|_, flight| flight.settled || flight.carried);
        self.0.values_mut().for_each(|flight| flight.call = None);
        calls
    }

    pub(crate) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.0.values().filter_map(|f| f.call)
    }

    /// The hub does not take it now: it is put again after a pause that grows.
    pub(crate) fn refused(&mut self, now: Timestamp, index: usize) {
        let flight = self.0.entry(index).or_default();
        let wait = BACKOFF_MS.saturating_mul(1 << flight.refusals.min(4));
        flight.call = None;
        flight.refusals = flight.refusals.saturating_add(1);
        flight.due = Some(now.plus_millis(wait));
    }

    /// Takes the hub's answer; true when the box is there, false when it must be tried again. What
    /// `Taken` means is for the caller to say.
    pub(crate) fn settle(&mut self, now: Timestamp, index: usize, outcome: PutOutcome) -> bool {
        let flight = self.0.entry(index).or_default();
        flight.call = None;
        match outcome {
            PutOutcome::Stored | PutOutcome::Same | PutOutcome::Taken => flight.settled = true,
            PutOutcome::Full | PutOutcome::SlowDown => self.refused(now, index),
        }
        self.is_settled(index)
    }
}

/// A sealed box.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BoxBytes {
    #[serde(with = "serde_id")]
    pub(crate) id: [u8; 32],
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

mod serde_id {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        id.as_slice().serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        Vec::<u8>::deserialize(d)?.try_into().map_err(|_| serde::de::Error::custom("id"))
    }
}

impl BoxBytes {
    pub(crate) fn of(sealed: &SealedBox) -> Self {
        BoxBytes {
            id: *sealed.id.as_bytes(),
            ciphertext: sealed.ciphertext.clone(),
            signature: sealed.signature.to_vec(),
        }
    }

    /// Whether the onion route has no packet for it.
    pub(crate) fn is_long(&self) -> bool {
        self.ciphertext.len() > streams::STANDARD_CIPHERTEXT_LEN
    }

    pub(crate) fn to_box(&self) -> Result<SealedBox, Error> {
        Ok(SealedBox {
            id: BoxId::new(self.id),
            ciphertext: self.ciphertext.clone(),
            signature: self.signature.as_slice().try_into().map_err(|_| Error::Damaged)?,
        })
    }
}

/// Seals contents at consecutive indices, and gives the boxes and the capability behind them.
pub(crate) fn seal_all<T: AsRef<[u8]>>(
    mut at: WriteCapability,
    context: &[u8],
    contents: &[T],
    sizes: Sizes,
) -> Result<(Vec<BoxBytes>, WriteCapability), Error> {
    let mut boxes = Vec::with_capacity(contents.len());
    for content in contents {
        let padded = sizes.pad(content.as_ref())?;
        boxes.push(BoxBytes::of(&at.seal(context, &padded)?.into_sealed()));
        at = at.next()?;
    }
    Ok((boxes, at))
}
