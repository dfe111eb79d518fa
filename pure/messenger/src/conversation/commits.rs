//! Our own changes to the group: what we want, and the commit that is under way.
//!
//! ```text
//!            due, caught up, nothing owed to the hub      whole body stored
//! [intents] ───────────────────────────────► [body put] ─────────────────► [deciding box put]
//!   ▲  ▲                                        │                             │         │
//!   │  └──────────── another commit decided ────┴──── taken, and it counts ───┘         │ stored
//!   │                (GROUP-005: made again, if it still makes sense)                   ▼
//!   └── dropped when pointless or refused by MLS                                merged: new epoch
//! ```
//!
//! The body is stored before the deciding box, so a crash between the two blocks nobody.

use std::collections::VecDeque;

use e2ee::id::MemberId;
use e2ee::mls::{Changes, Decision, Group, Invited};
use streams::{Sizes, WriteCapability};
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::deciding::{BODY_CONTEXT, Deciding};
use super::link::Link;
use super::saved::{Intent, PendingCommit};
use crate::Error;
use crate::context::{Purpose, StepContext};
use crate::parts::split;
use crate::reader::WINDOW;
use crate::request::{Call, CallId};
use crate::sealed::{BoxBytes, Run, seal_all};

/// People whom one commit adds at most.
const MAX_ADDED: usize = 32;
/// We draw new keys after this many messages, or with the first message after this long,
/// ms (`GROUP-013`).
const REFRESH_MESSAGES: u64 = 100;
const REFRESH_MS: u64 = 86_400_000;
/// And wait at random for up to this long, ms: not all members at once.
const REFRESH_SPAN_MS: u64 = 10_000;

/// What we want to change about the group.
pub(super) struct Commits {
    /// Each with the time before which it is not to be made, ms.
    pub(super) intents: VecDeque<(u64, Intent)>,
    pub(super) pending: Option<PendingCommit>,
    run: Run,
    /// The pending one is decided on, and waits until what was said before it has been read.
    pub(super) won: bool,
    /// Our messages since we drew new keys, and when that was, ms.
    pub(super) unrefreshed: u64,
    pub(super) refreshed_at: u64,
    pub(super) dirty: bool,
}

/// What became of our deciding box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Waiting,
    /// It is stored: our commit counts.
    Won,
    /// Another box lies there. Whether that one counts shows when it is read.
    Taken,
}

impl Commits {
    pub(super) fn new(
        intents: VecDeque<(u64, Intent)>,
        pending: Option<PendingCommit>,
        unrefreshed: u64,
        refreshed_at: u64,
    ) -> Self {
        let (run, won, dirty) = (Run::default(), false, false);
        Commits { intents, pending, run, won, unrefreshed, refreshed_at, dirty }
    }

    pub(super) fn wants(&self, intent: &Intent) -> bool {
        self.intents.iter().any(|(_, i)| i == intent)
    }

    /// Wants a change, not before this time.
    pub(super) fn intend(&mut self, at: Timestamp, intent: Intent) {
        if let Intent::Readd { member, .. } = &intent {
            // Only the newest request of a member counts.
            let older = |i: &Intent| matches!(i, Intent::Readd { member: m, .. } if m == member);
            self.intents.retain(|(_, i)| !older(i));
        }
        if !self.wants(&intent) {
            self.intents.push_back((at.as_millis(), intent));
            self.dirty = true;
        }
    }

    /// Whether a change waits or is under way.
    pub(super) fn is_changing(&self) -> bool {
        self.pending.is_some() || !self.intents.is_empty()
    }

    /// When the next intent may become a commit.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let none = self.pending.is_none();
        self.intents.iter().filter(|_| none).map(|(at, _)| Timestamp::from_millis(*at)).min()
    }

    /// Our message was sealed: draws new keys after some of them, or after some time. What
    /// was stolen before opens nothing from then on.
    pub(super) fn count_message(&mut self, cx: &mut StepContext<'_>, may_change: bool) {
        self.unrefreshed = self.unrefreshed.saturating_add(1);
        let age = cx.now.as_millis().saturating_sub(self.refreshed_at);
        let due = self.unrefreshed >= REFRESH_MESSAGES || age >= REFRESH_MS;
        if due && may_change && !self.wants(&Intent::Refresh) {
            let at = cx.soon(0, REFRESH_SPAN_MS);
            self.intend(at, Intent::Refresh);
        }
    }

    /// The epoch has to end before the hub forgets the junk in its deciding stream: a member that
    /// starts again would find free ids there and decide where nobody looks any more.
    pub(super) fn leave_squatted(&mut self, cx: &mut StepContext<'_>) {
        if self.pending.is_none() && !self.wants(&Intent::Refresh) {
            let at = cx.soon(0, REFRESH_MS);
            self.intend(at, Intent::Refresh);
        }
    }

    /// The intents that one commit takes: the first that is due, and if that adds somebody, all
    /// others who are to be added.
    fn due(&self, now: Timestamp) -> Vec<Intent> {
        let mut due =
            self.intents.iter().filter(|(at, _)| *at <= now.as_millis()).map(|(_, i)| i.clone());
        let Some(first) = due.next() else { return Vec::new() };
        let adds = matches!(first, Intent::Add { .. });
        let others = due
            .filter(|i| adds && matches!(i, Intent::Add { .. }))
            .take(MAX_ADDED.saturating_sub(1));
        std::iter::once(first.clone()).chain(others).collect()
    }

    /// Makes a commit of what is due and still makes sense. Gives why changes were dropped, if MLS
    /// refused them.
    pub(super) fn make(
        &mut self,
        cx: &mut StepContext<'_>,
        group: &mut Group,
    ) -> Result<Vec<e2ee::Error>, Error> {
        let mut refused = Vec::new();
        loop {
            let intents = self.due(cx.now);
            if intents.is_empty() {
                return Ok(refused);
            }
            let committed = match changes(cx, group, &intents)? {
                None => Err(None),
                Some(changes) => group.commit(cx.mls, &cx.kept(), &changes).map_err(Some),
            };
            match committed {
                Ok(committed) => {
                    let body = WriteCapability::generate(cx.rng);
                    let parts = split(&committed.commit);
                    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
                    let decision =
                        Decision::sign(group, &body.read_capability(), count, &committed.commit);
                    let (body, _) = seal_all(body, BODY_CONTEXT, &parts, Sizes::Uniform)?;
                    let welcome = committed.welcome;
                    self.pending =
                        Some(PendingCommit { intents, body, decision, placed: None, welcome });
                    self.run = Run::default();
                    self.dirty = true;
                    return Ok(refused);
                }
                Err(Some(e2ee::Error::Storage)) => return Err(e2ee::Error::Storage.into()),
                Err(reason) => {
                    // Of several people, one that cannot be added must not hold the others up.
                    let count = if reason.is_some() { 1 } else { intents.len() };
                    let dropped: Vec<Intent> = intents.into_iter().take(count).collect();
                    self.intents.retain(|(_, i)| !dropped.contains(i));
                    self.dirty = true;
                    refused.extend(reason);
                }
            }
        }
    }

    /// Brings the pending commit forward: puts its body, then the deciding box, which waits while
    /// `deciding` is none.
    pub(super) fn put(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        deciding: Option<&Deciding>,
    ) -> Result<(), Error> {
        let Some(commit) = &mut self.pending else { return Ok(()) };
        if !commit.body.is_empty() && self.run.is_done(commit.body.len()) {
            commit.body.clear();
            self.run = Run::default();
            self.dirty = true;
        }
        if commit.body.is_empty() {
            return deciding.map_or(Ok(()), |deciding| self.put_decision(cx, link, deciding));
        }
        let unsettled = commit.body.iter().enumerate().filter(|(n, _)| !self.run.is_settled(*n));
        let ready: Vec<_> = unsettled
            .take(WINDOW)
            .filter(|(n, _)| self.run.is_ready(*n, cx.now))
            .map(|(n, sealed)| Ok((n, sealed.to_box()?)))
            .collect::<Result<_, Error>>()?;
        for (n, sealed) in ready {
            let call = link.call(cx, Purpose::CommitBody(n), Call::Put(sealed));
            self.run.started(n, call);
        }
        Ok(())
    }

    fn put_decision(
        &mut self,
        cx: &mut StepContext<'_>,
        link: &Link,
        deciding: &Deciding,
    ) -> Result<(), Error> {
        let Some(commit) = self.pending.as_mut().filter(|_| self.run.is_ready(0, cx.now)) else {
            return Ok(());
        };
        if commit.placed.is_none() {
            // Kept before it is put: after a crash the same box goes out, not another one.
            commit.placed = deciding.seal(&commit.decision)?;
            self.dirty = true;
        }
        let Some(sealed) = commit.placed.as_ref().map(BoxBytes::to_box).transpose()? else {
            return Ok(());
        };
        let call = link.call(cx, Purpose::CommitDecision, Call::Put(sealed));
        self.run.started(0, call);
        Ok(())
    }

    /// The hub's answer to a part of the body.
    pub(super) fn on_body_put(&mut self, now: Timestamp, index: usize, outcome: PutOutcome) {
        if outcome == PutOutcome::Taken {
            // The stream is new and ours alone: what lies there is our box, or the hub lies. To
            // decide on a body that is not there would hold everybody up.
            self.run.refused(now, index);
        } else {
            self.run.settle(now, index, outcome);
        }
    }

    /// The hub's answer to our deciding box.
    pub(super) fn on_decision_put(&mut self, now: Timestamp, outcome: PutOutcome) -> Outcome {
        if outcome == PutOutcome::Taken {
            // A hub that says so and shows no box is asked again, but not without a pause.
            self.run.refused(now, 0);
        } else {
            self.run.settle(now, 0, outcome);
        }
        let placed = self.pending.as_ref().is_some_and(|c| c.placed.is_some());
        match outcome {
            PutOutcome::Stored | PutOutcome::Same if placed => Outcome::Won,
            PutOutcome::Taken => {
                if let Some(commit) = &mut self.pending {
                    commit.placed = None;
                }
                self.dirty = true;
                Outcome::Taken
            }
            _ => Outcome::Waiting,
        }
    }

    /// Neighbours may fetch a box of the commit.
    pub(super) fn on_carried(&mut self, index: usize) {
        self.run.carried(index);
    }

    /// The content of our deciding box, to know it again.
    pub(super) fn decision(&self) -> Option<&[u8]> {
        self.pending.as_ref().map(|c| c.decision.as_slice())
    }

    /// Our commit counts: takes it, and what it was for is done.
    pub(super) fn take_won(&mut self, now: Timestamp) -> Option<PendingCommit> {
        self.won = false;
        let commit = self.pending.take()?;
        self.run = Run::default();
        self.intents.retain(|(_, intent)| !commit.intents.contains(intent));
        if commit.intents.contains(&Intent::Refresh) {
            self.unrefreshed = 0;
            self.refreshed_at = now.as_millis();
        }
        self.dirty = true;
        Some(commit)
    }

    /// Another commit counts. The intents stay, and are made again in the next epoch.
    pub(super) fn withdraw(&mut self, cx: &mut StepContext<'_>) {
        std::mem::take(&mut self.run).calls().for_each(|call| cx.out.cancel(call));
        self.pending = None;
        self.won = false;
        self.dirty = true;
    }

    pub(super) fn deadline(&self, link: &Link) -> Option<Timestamp> {
        self.run.deadline(link.reach)
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.run.calls()
    }

    /// The open requests were cancelled: [`Commits::put`] puts again.
    pub(super) fn forget_calls(&mut self) {
        self.run = Run::default();
    }
}

/// What intents change in the group as it is now; `None` when all of them have become pointless.
fn changes(
    cx: &StepContext<'_>,
    group: &Group,
    intents: &[Intent],
) -> Result<Option<Changes>, Error> {
    let members = group.members()?;
    let leaf = |id: &MemberId| members.iter().find(|m| m.id == *id).map(|m| m.leaf);
    let invited = |bytes: &[u8]| Invited::parse(cx.mls, bytes).ok();
    let mut changes = Changes::default();
    for intent in intents {
        match intent {
            Intent::Add { key_package, .. } => {
                changes.add.extend(invited(key_package).filter(|i| leaf(&i.id).is_none()));
            }
            Intent::Readd { member, key_package } => {
                let old = members.iter().find(|m| m.id == *member);
                if let Some((package, old)) = invited(key_package).zip(old)
                    && package.continues(old)
                {
                    changes.add.push(package);
                    changes.remove.push(old.leaf);
                }
            }
            Intent::Remove { member } => changes.remove.extend(leaf(member)),
            Intent::Rename { title } => {
                let mut charter = group.charter()?;
                if charter.title != *title {
                    charter.title.clone_from(title);
                    changes.charter = Some(charter);
                }
            }
            Intent::Refresh => changes.refresh = true,
        }
    }
    let any = !changes.add.is_empty()
        || !changes.remove.is_empty()
        || changes.charter.is_some()
        || changes.refresh;
    Ok(any.then_some(changes))
}

#[cfg(test)]
mod tests {
    use e2ee::id::{ConversationId, MessageId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn nothing_yet() -> Commits {
        Commits::new(VecDeque::new(), None, 0, 0)
    }

    fn add(n: u8) -> Intent {
        let (via, token) = (ConversationId::new([n; 16]), MessageId::new([n; 16]));
        Intent::Add { key_package: vec![n], via, token }
    }

    #[test]
    fn people_who_come_share_a_commit_and_other_changes_have_one_each() {
        let mut commits = nothing_yet();
        commits.intend(NOW, add(1));
        commits.intend(NOW, Intent::Refresh);
        commits.intend(NOW, add(2));
        commits.intend(NOW.plus_millis(1), add(3));
        assert_eq!(commits.due(NOW), [add(1), add(2)]);
        commits.intents.pop_front();
        assert_eq!(commits.due(NOW), [Intent::Refresh]);
        let mut crowd = nothing_yet();
        (0..40).for_each(|n| crowd.intend(NOW, add(n)));
        assert_eq!(crowd.due(NOW).len(), MAX_ADDED);
    }

    #[test]
    fn a_change_is_wanted_once_and_not_before_its_time() {
        let mut commits = nothing_yet();
        commits.intend(NOW.plus_millis(5), Intent::Refresh);
        commits.intend(NOW, Intent::Refresh);
        assert_eq!((commits.intents.len(), commits.next_due()), (1, Some(NOW.plus_millis(5))));
        assert!(commits.due(NOW).is_empty());
        assert!(commits.is_changing());
    }
}
