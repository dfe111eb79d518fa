//! Our messages that are gone from the history: nothing of them leaves any more (`GONE-003`).
//!
//! ```text
//! [queued] ─────────────────────► gone
//! [at the hub, or all have it] ─► gone
//! [sealed, not at the hub] ─────► each box that is not there says nothing instead ─ stored ─► gone
//! ```
//!
//! A sealed message has positions in our lane, and readers look for the boxes behind them only a
//! window ahead: a long run of holes would stop them for good. So the positions are filled.

use std::collections::BTreeSet;

use e2ee::id::MessageId;
use streams::{Sizes, WriteCapability};
use zeroize::Zeroizing;

use super::{Epochs, Outbox, Pending, Placed};
use crate::Error;
use crate::body::{Body, Envelope};
use crate::context::StepContext;
use crate::parts::split;
use crate::sealed::{BoxBytes, seal_all};

impl Pending {
    /// Whether only its positions are left.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.envelope.is_empty()
    }

    /// Whether it says something that is in one of these messages.
    fn is_about(&self, gone: &BTreeSet<MessageId>) -> bool {
        if self.shown && gone.contains(&self.id) {
            return true;
        }
        // A deletion says nothing but the id, and is still to reach those who have the message.
        match Envelope::parse(&self.envelope).map(|e| e.body) {
            Ok(Body::Edit { target, .. } | Body::React { target, .. }) => gone.contains(&target),
            _ => false,
        }
    }
}

impl Outbox {
    /// Ids of our messages on their way that stand in the history.
    pub(in crate::conversation) fn shown(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.pending.values().filter(|p| p.shown).map(|p| p.id)
    }

    /// Withdraws these messages, and our edits of them and reactions to them. `stream`: that of our
    /// lanes.
    pub(in crate::conversation) fn withdraw(
        &mut self,
        cx: &mut StepContext<'_>,
        epochs: &Epochs,
        stream: Option<&WriteCapability>,
        gone: &BTreeSet<MessageId>,
    ) -> Result<(), Error> {
        let about = self.pending.iter().filter(|(_, p)| p.is_about(gone));
        let about: Vec<u64> = about.map(|(seq, _)| *seq).collect();
        for seq in about {
            let placed = self.pending.get(&seq).and_then(|p| p.placed.as_ref());
            let unstored = placed.filter(|p| p.stored_at.is_none());
            let settled = |n: usize| self.runs.get(&seq).is_some_and(|run| run.is_settled(n));
            match unstored.map(|p| fill(p, self.me, epochs, stream, settled)).transpose()?.flatten()
            {
                Some(boxes) => self.empty(cx, seq, boxes)?,
                None => self.forget(cx, seq)?,
            }
        }
        Ok(())
    }

    /// Keeps nothing of a message but its positions, with these boxes at them.
    fn empty(
        &mut self,
        cx: &mut StepContext<'_>,
        seq: u64,
        boxes: Vec<BoxBytes>,
    ) -> Result<(), Error> {
        if let Some(run) = self.runs.get_mut(&seq) {
            run.halt().into_iter().for_each(|call| cx.out.cancel(call));
        }
        let Some(mut pending) = self.pending.remove(&seq) else { return Ok(()) };
        if let Some(placed) = &mut pending.placed {
            placed.boxes = boxes;
        }
        pending.id = MessageId::new([0; 16]);
        pending.envelope = Zeroizing::default();
        pending.tracked = false;
        pending.shown = false;
        self.keep(cx, seq, pending)
    }
}

/// What lies at the positions of a withdrawn message: boxes that say nothing, except where the hub
/// has the message's own. `None`: that epoch's keys are gone, and so are its readers.
fn fill(
    placed: &Placed,
    me: e2ee::id::MemberId,
    epochs: &Epochs,
    stream: Option<&WriteCapability>,
    settled: impl Fn(usize) -> bool,
) -> Result<Option<Vec<BoxBytes>>, Error> {
    let keys = epochs.iter().find(|k| k.epoch == placed.epoch);
    let Some((context, stream)) = keys.and_then(|k| {
        let ours = stream.filter(|s| {
            let lane = k.members.get(&me);
            lane.is_some_and(|lane| *lane == s.read_capability().to_bytes().to_vec())
        });
        Some((k.secret()?, ours?))
    }) else {
        return Ok(None);
    };
    let first = stream.index().counter().saturating_add(placed.from);
    let mut at = stream.advance_to(first)?;
    let mut boxes = Vec::with_capacity(placed.boxes.len());
    for (n, real) in placed.boxes.iter().enumerate() {
        if settled(n) {
            boxes.push(real.clone());
        } else {
            let (mut filled, _) =
                seal_all(at.clone(), context.reveal(), &split(&[]), Sizes::Uniform)?;
            boxes.append(&mut filled);
        }
        at = at.next()?;
    }
    Ok(Some(boxes))
}
