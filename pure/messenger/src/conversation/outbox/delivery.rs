//! What recipients have, what they lost, and what has to go out again.

use e2ee::id::MemberId;
use e2ee::mls::PAST_EPOCHS;
use wire::Timestamp;

use super::{Next, Others, Outbox};
use crate::Error;
use crate::body::AckEntry;
use crate::context::StepContext;
use crate::conversation::saved::{Pending, Placed};
use crate::store::State;

/// A box older than this may have left the hub: what is not acknowledged is sent again, ms.
const RESEND_MS: u64 = 13 * 86_400_000;
/// What nobody has acknowledged for this long may have been written into a fork, ms.
const UNHEARD_MS: u64 = 86_400_000;

impl Outbox {
    /// A member has read our boxes up to here (`DIRECT-007`); `show`: we may display that.
    pub(in crate::conversation) fn on_ack(
        &mut self,
        cx: &mut StepContext<'_>,
        others: &Others,
        from: MemberId,
        entry: &AckEntry,
        show: bool,
    ) -> Result<Next, Error> {
        // Of epochs that we do not know nobody can tell us yet. Who is ahead says it again, and a
        // number without sense must not make us encrypt everything again.
        if entry.author != self.me || entry.epoch > self.mine.epoch {
            return Ok(Next::Nothing);
        }
        let (mut lost, mut had) = (Vec::new(), Vec::new());
        for (seq, pending) in &self.pending {
            let Some(placed) = pending.placed.as_ref().filter(|p| p.waiting.contains(&from)) else {
                continue;
            };
            let in_hole = entry.holes.iter().any(|hole| (placed.from..placed.to).contains(hole));
            if placed.epoch == entry.epoch && in_hole || is_passed(placed, entry.epoch) {
                lost.push(*seq);
            } else if placed.epoch == entry.epoch && entry.count >= placed.to {
                had.push(*seq);
            }
        }
        // A hole where no message of ours was: our acknowledgement, which nobody tracks.
        let ack_lost = lost.is_empty() && !entry.holes.is_empty();
        for seq in had {
            let Some(mut pending) = self.pending.remove(&seq) else { continue };
            if let Some(placed) = &mut pending.placed {
                placed.waiting.remove(&from);
                placed.hidden |= !show;
            }
            self.keep(cx, seq, pending)?;
        }
        lost.into_iter().try_for_each(|seq| self.reseal(cx, seq))?;
        self.settle(cx, others)?;
        Ok(if ack_lost { Next::AcknowledgeAgain } else { Next::Nothing })
    }

    /// A member has acknowledged all that it has read, in this epoch of its own: what it has not
    /// read of epochs that are out of its reach there, it never will.
    pub(in crate::conversation) fn on_member_at(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        epoch: u64,
    ) -> Result<(), Error> {
        let missed = |p: &Placed| p.waiting.contains(&member) && is_passed(p, epoch);
        let missed = |p: &Pending| p.placed.as_ref().is_some_and(missed);
        let all: Vec<u64> =
            self.pending.iter().filter(|(_, p)| missed(p)).map(|(seq, _)| *seq).collect();
        all.into_iter().try_for_each(|seq| self.reseal(cx, seq))
    }

    /// Back to the queue: it is encrypted again, under its old id.
    pub(super) fn reseal(&mut self, cx: &mut StepContext<'_>, seq: u64) -> Result<(), Error> {
        if self.pending.get(&seq).is_some_and(Pending::is_withdrawn) {
            return self.forget(cx, seq);
        }
        self.stop(cx, seq);
        let Some(mut pending) = self.pending.remove(&seq) else { return Ok(()) };
        pending.placed = None;
        self.sealed_before.remove(&seq);
        self.keep(cx, seq, pending)
    }

    /// Whether something of ours has been at the hub for a day and nobody has acknowledged it: they
    /// may see another history.
    pub(in crate::conversation) fn is_unheard(&self, now: Timestamp) -> bool {
        let old = |at: u64| now.as_millis().saturating_sub(at) > UNHEARD_MS;
        let mut placed =
            self.pending.values().filter(|p| p.tracked).filter_map(|p| p.placed.as_ref());
        placed.any(|p| p.stored_at.is_some_and(old))
    }

    /// Everything of earlier epochs that is not acknowledged goes out again: somebody was added
    /// again, and reads nothing of those epochs.
    pub(in crate::conversation) fn reseal_past(
        &mut self,
        cx: &mut StepContext<'_>,
    ) -> Result<(), Error> {
        let past = |p: &Pending| p.placed.as_ref().is_some_and(|b| b.epoch < self.mine.epoch);
        let all = self.pending.iter().filter(|(_, p)| p.tracked && past(p));
        let all: Vec<u64> = all.map(|(seq, _)| *seq).collect();
        all.into_iter().try_for_each(|seq| self.reseal(cx, seq))
    }

    /// Sends again what nobody may fetch any more: its boxes have left the hub, or had not come
    /// there when their epoch ended, and readers no longer look for them. What was said after those
    /// goes out again as well, so that all stay in their order (`GROUP-022`).
    ///
    /// `undecided_at`: then the epoch in which we wrote was not over. What came to the hub later
    /// may be too late for readers who were faster than we, if their window has left it behind.
    pub(in crate::conversation) fn reseal_stale(
        &mut self,
        cx: &mut StepContext<'_>,
        others: &Others,
        undecided_at: Option<Timestamp>,
    ) -> Result<Next, Error> {
        let old = |at: u64| cx.now.as_millis().saturating_sub(at) > RESEND_MS;
        let current = self.mine.epoch;
        let past = |p: &Pending| p.placed.as_ref().is_some_and(|b| b.epoch < current);
        let missed = |p: &Placed| {
            let late = undecided_at.zip(p.stored_at).is_some_and(|(at, b)| b >= at.as_millis());
            late && is_passed(p, current) && missing(p, others) > 0
        };
        let is_late =
            |p: &Pending| p.is_unstored() && past(p) || p.placed.as_ref().is_some_and(missed);
        let late = self.pending.iter().find(|(_, p)| is_late(p));
        let late = late.map(|(seq, _)| *seq);
        let stale = |(seq, p): &(&u64, &Pending)| {
            let stored_at = p.placed.as_ref().and_then(|b| b.stored_at);
            stored_at.is_some_and(old) || past(p) && late.is_some_and(|late| **seq >= late)
        };
        let all: Vec<(u64, bool, bool)> = self
            .pending
            .iter()
            .filter(stale)
            .map(|(seq, p)| (*seq, p.tracked, p.is_unstored()))
            .collect();
        let mut next = Next::Nothing;
        for (seq, tracked, unstored) in all {
            if tracked {
                self.reseal(cx, seq)?;
            } else {
                // An acknowledgement that only neighbours have is said again in the new epoch.
                if unstored {
                    next = Next::AcknowledgeAgain;
                }
                self.forget(cx, seq)?;
            }
        }
        self.settle(cx, others)?;
        Ok(next)
    }

    /// Forgets what every recipient has.
    pub(super) fn settle(
        &mut self,
        cx: &mut StepContext<'_>,
        others: &Others,
    ) -> Result<(), Error> {
        let mut done = Vec::new();
        for (seq, pending) in &self.pending {
            let Some(placed) = &pending.placed else { continue };
            // Those who have it from a neighbour need not find it at the hub. Before anybody has
            // our boxes nobody has read them: that acknowledgement is for another copy of this
            // profile.
            let fetched = placed.carried && placed.waiting.len() < placed.recipients;
            if (placed.stored_at.is_some() || fetched) && missing(placed, others) == 0 {
                done.push((*seq, pending.id, pending.shown && !placed.hidden));
            }
        }
        for (seq, id, show) in done {
            self.forget(cx, seq)?;
            if show {
                self.advance(cx, id, State::Delivered)?;
            }
        }
        Ok(())
    }
}

/// Whether somebody who is in this epoch reads no more where a message lies.
fn is_passed(placed: &Placed, epoch: u64) -> bool {
    let window = u64::try_from(PAST_EPOCHS).unwrap_or(u64::MAX);
    placed.epoch.saturating_add(window) < epoch
}

/// How many recipients do not have a message; those who left do not count.
pub(in crate::conversation) fn missing(placed: &Placed, others: &Others) -> usize {
    placed.waiting.iter().filter(|m| others.contains_key(*m)).count()
}
