//! Which commit ends an epoch: ours, another member's, and what happens when its body does not come
//! (DESIGN 4).

use e2ee::id::{MemberId, MessageId};
use e2ee::mls::{Applied, Changes, DECIDE_CONTEXT, Decision, Group, Invited};
use streams::{BoxClass, Sizes, VerifiedBox, WriteCapability, pad, unpad};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use super::Conversation;
use super::saved::{BoxBytes, Intent, PendingCommit};
use crate::Error;
use crate::context::{Effect, Purpose, StepContext};
use crate::event::Event;
use crate::near::Reach;
use crate::parts::{Joined, Joiner, split};
use crate::reader::{Read, StreamReader, WINDOW};
use crate::request::{Call, CallId};
use crate::sealed::{Run, seal_all};

/// People that one commit adds at most.
const MAX_ADDED: usize = 32;
/// BACAP context of the streams that hold commits.
const BODY_CONTEXT: &[u8] = b"hushwing commit v1";
/// So long a body may take after its decision before the conversation is said to be held up, ms.
const HELD_MS: u64 = 600_000;
/// Whoever has not asked for so long may have missed decisions that the hub has forgotten, ms.
const AWAY_MS: u64 = 13 * 86_400_000;

/// The deciding stream of the current epoch.
pub(super) struct Deciding {
    epoch: u64,
    stream: WriteCapability,
    reader: StreamReader,
    open: Option<CallId>,
    found: Option<Found>,
}

/// A decision that is not ours.
struct Found {
    decision: Decision,
    by: MemberId,
    since: Timestamp,
    reader: StreamReader,
    joiner: Joiner,
    open: Option<CallId>,
    body: Option<Zeroizing<Vec<u8>>>,
    bad: bool,
    told: bool,
}

impl Deciding {
    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.open.into_iter().chain(self.found.as_ref().and_then(|f| f.open))
    }
}

impl Conversation {
    pub(super) fn open_deciding(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if let Some(old) = self.deciding.take() {
            old.calls().for_each(|call| cx.out.cancel(call));
        }
        let Some(group) = self.group.as_ref().filter(|g| g.is_active()) else { return Ok(()) };
        let stream = group.deciding_stream(cx.mls)?;
        let reader =
            StreamReader::new(stream.read_capability(), DECIDE_CONTEXT.to_vec())?.patient();
        self.deciding =
            Some(Deciding { epoch: group.epoch(), stream, reader, open: None, found: None });
        self.look_at_decisions(cx);
        Ok(())
    }

    /// Asks at once whether the epoch is over; what answers empty shows that we have caught up.
    pub(super) fn look_at_decisions(&mut self, cx: &mut StepContext<'_>) {
        let away = cx.now.as_millis().saturating_sub(self.saved.decided_at) > AWAY_MS;
        if !self.can_decide() || away && !self.decides_alone() {
            return;
        }
        let Some(deciding) = &mut self.deciding else { return };
        if let Some(call) = deciding.open.take() {
            cx.out.cancel(call);
        }
        let (wanted, epoch) = (deciding.reader.wanted(), deciding.epoch);
        let call = self.call(cx, Purpose::Decide(epoch), Call::Look(wanted));
        if let Some(deciding) = &mut self.deciding {
            deciding.open = Some(call);
        }
    }

    pub(super) fn on_decisions(
        &mut self,
        cx: &mut StepContext<'_>,
        epoch: u64,
        boxes: Vec<VerifiedBox>,
    ) {
        let Some(deciding) = self.deciding.as_mut().filter(|d| d.epoch == epoch) else { return };
        deciding.open = None;
        if boxes.is_empty() {
            self.caught_up = true;
            // Written now and then only: a restart within the hour changes nothing.
            if cx.now.as_millis().saturating_sub(self.saved.decided_at) > 3_600_000 {
                self.saved.decided_at = cx.now.as_millis();
                self.dirty = true;
            }
        }
        for found in boxes {
            deciding.reader.accept(found);
        }
    }

    pub(super) fn on_body(&mut self, epoch: u64, boxes: Vec<VerifiedBox>) {
        let Some(found) =
            self.deciding.as_mut().filter(|d| d.epoch == epoch).and_then(|d| d.found.as_mut())
        else {
            return;
        };
        found.open = None;
        for b in boxes {
            found.reader.accept(b);
        }
    }

    /// Moves on as far as what is here allows; true when a new epoch was entered.
    pub(super) fn step_deciding(&mut self, cx: &mut StepContext<'_>) -> Result<bool, Error> {
        if !self.is_open() {
            return Ok(false);
        }
        // While the hub is out of reach nobody knows; chat goes on.
        let asks = self.reach != Reach::Near || self.lan;
        let away = cx.now.as_millis().saturating_sub(self.saved.decided_at) > AWAY_MS;
        if away && asks && !self.decides_alone() {
            self.lose(cx, "this profile was away for longer than the hub keeps boxes")?;
            return Ok(false);
        }
        if self.deciding.as_ref().is_some_and(|d| d.found.is_none()) && self.read_decisions(cx)? {
            return Ok(true);
        }
        self.read_body(cx)?;
        if self.apply_decided(cx)? {
            return Ok(true);
        }
        self.follow_decisions(cx);
        Ok(false)
    }

    /// Reads deciding boxes until one verifies; true when it was ours and we have moved on.
    fn read_decisions(&mut self, cx: &mut StepContext<'_>) -> Result<bool, Error> {
        loop {
            let (Some(deciding), Some(group)) = (&mut self.deciding, &self.group) else {
                return Ok(false);
            };
            let content = match deciding.reader.next(cx.now)? {
                None => return Ok(false),
                Some(Read::Plain(plain)) => unpad(&plain).map(<[u8]>::to_vec).unwrap_or_default(),
                Some(Read::Nothing | Read::Gap(_)) => continue,
            };
            // Whoever squats here without a member's signature is passed over.
            let Ok(decision) = Decision::verify(group, &content) else { continue };
            if self.saved.commit.as_ref().is_some_and(|c| c.decision == content) {
                self.win(cx)?;
                return Ok(true);
            }
            let Some(by) =
                group.members()?.into_iter().find(|m| m.leaf == decision.leaf).map(|m| m.id)
            else {
                continue;
            };
            if self.lan && by != self.card.creator {
                continue;
            }
            let reader = StreamReader::new(decision.body.clone(), BODY_CONTEXT.to_vec())?.patient();
            deciding.found = Some(Found {
                decision,
                by,
                since: cx.now,
                reader,
                joiner: Joiner::default(),
                open: None,
                body: None,
                bad: false,
                told: false,
            });
            if let Some(call) = deciding.open.take() {
                cx.out.cancel(call);
            }
            return Ok(false);
        }
    }

    fn read_body(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let can_decide = self.can_decide();
        let Some(found) = self.deciding.as_mut().and_then(|d| d.found.as_mut()) else {
            return Ok(());
        };
        while found.body.is_none() && !found.bad {
            let joined = match found.reader.next(cx.now)? {
                None => break,
                Some(Read::Plain(plain)) => {
                    unpad(&plain).map_or(Joined::Broken, |content| found.joiner.push(content))
                }
                Some(Read::Nothing | Read::Gap(_)) => Joined::Broken,
            };
            match joined {
                Joined::More => {}
                Joined::Whole(body) if found.decision.fits(&body) => found.body = Some(body),
                Joined::Whole(_) | Joined::Broken => found.bad = true,
            }
        }
        let late =
            can_decide && cx.now.millis_since(found.since) >= HELD_MS && found.body.is_none();
        if (found.bad || late) && !found.told {
            found.told = true;
            let by = found.by;
            self.held_up(cx, by)?;
        }
        Ok(())
    }

    /// When a body is late, or an intent of ours is due.
    fn deadline_of(&self, found: &Found) -> Option<Timestamp> {
        let waiting = found.body.is_none() && !found.told && self.is_open();
        waiting.then(|| found.since.plus_millis(HELD_MS))
    }

    /// The time without whoever decides does not count as a body's delay.
    pub(super) fn wait_for_body_anew(&mut self, now: Timestamp) {
        if let Some(found) = self.deciding.as_mut().and_then(|d| d.found.as_mut()) {
            found.since = now;
        }
    }

    pub(super) fn deciding_deadline(&self) -> Option<Timestamp> {
        if !self.can_decide() {
            return None;
        }
        match self.deciding.as_ref()?.found.as_ref() {
            Some(found) => self.deadline_of(found),
            None if self.saved.commit.is_none()
                && self.caught_up
                && self.is_open()
                && !self.owes_hub() =>
            {
                self.saved.intents.iter().map(|(at, _)| Timestamp::from_millis(*at)).min()
            }
            None => None,
        }
    }

    fn held_up(&mut self, cx: &mut StepContext<'_>, by: MemberId) -> Result<(), Error> {
        self.saved.held_by = Some(by);
        self.dirty = true;
        let name = self.name_of(by);
        self.notice(
            cx,
            &format!("held up by {name}: what they have decided does not arrive or is not valid"),
        )?;
        cx.event(Event::HeldUp { conversation: self.id, by, name });
        Ok(())
    }

    /// Applies the decided commit, once everything that was said before it has been read; true when
    /// it did.
    fn apply_decided(&mut self, cx: &mut StepContext<'_>) -> Result<bool, Error> {
        let full = self.epochs.len() > e2ee::mls::PAST_EPOCHS;
        let oldest = self.epochs.front().map_or(0, |e| e.epoch);
        let drained =
            self.lanes.iter().all(|((_, epoch), lane)| !full || *epoch != oldest || lane.drained);
        let Some(found) = self.deciding.as_mut().and_then(|d| d.found.as_mut()) else {
            return Ok(false);
        };
        let Some(body) = found.body.as_ref().filter(|_| drained && !found.bad) else {
            return Ok(false);
        };
        let (Some(group), by) = (self.group.as_mut(), found.by) else { return Ok(false) };
        if group.is_committing() {
            group.withdraw(cx.mls, &cx.kept())?;
        }
        let applied = match group.apply(cx.mls, &cx.kept(), found.decision.leaf, body) {
            Ok(applied) => applied,
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            Err(_) => {
                found.bad = true;
                return self.read_body(cx).map(|()| false);
            }
        };
        self.drop_commit(cx);
        self.moved_on(cx, by, &applied)?;
        Ok(true)
    }

    fn drop_commit(&mut self, cx: &mut StepContext<'_>) {
        for call in std::mem::take(&mut self.commit_run).calls() {
            cx.out.cancel(call);
        }
        self.saved.commit = None;
    }

    /// A commit counts now: the new epoch, and what people are told.
    fn moved_on(
        &mut self,
        cx: &mut StepContext<'_>,
        by: MemberId,
        applied: &Applied,
    ) -> Result<(), Error> {
        self.saved.held_by = None;
        self.saved.decided_at = self.saved.decided_at.max(cx.now.as_millis());
        let who = if by == self.card.me { "you".to_owned() } else { self.name_of(by) };
        let readded: Vec<MemberId> = applied
            .added
            .iter()
            .map(|a| a.0)
            .filter(|id| applied.removed.iter().any(|r| r.0 == *id))
            .collect();
        let mut lines = Vec::new();
        for (id, name) in &applied.removed {
            if *id == by && !readded.contains(id) {
                lines.push(format!("{} has left", name.as_str()));
            } else if !readded.contains(id) && *id != self.card.me {
                lines.push(format!("{who} removed {}", self.name_of(*id)));
            }
        }
        for (id, name) in &applied.added {
            let verb = if readded.contains(id) { "added again" } else { "added" };
            lines.push(format!("{who} {verb} {}", name.as_str()));
        }
        if let Some(charter) = self.charter().filter(|_| applied.charter) {
            self.card.charter_floor = charter.floor;
        }
        self.enter_epoch(cx)?;
        self.follow_given_name(cx, Some(&who))?;
        if !readded.is_empty() {
            self.draw_near(cx)?;
        }
        if applied.we_are_out {
            self.saved.over = true;
            lines.push(format!("{who} removed you: you read nothing from now on"));
        }
        if !readded.is_empty() {
            // Whoever comes back reads nothing of the epochs before.
            self.send_all_anew(cx)?;
            cx.out.effects.push_back(Effect::Unverify(self.id));
        }
        self.dirty = true;
        lines.iter().try_for_each(|line| self.notice(cx, line))
    }

    /// Keeps requests open for the next decision, or for the body of the one that is there.
    fn follow_decisions(&mut self, cx: &mut StepContext<'_>) {
        if !self.is_online() {
            return;
        }
        let can_decide = self.can_decide();
        let Some(deciding) = &self.deciding else { return };
        let epoch = deciding.epoch;
        match &deciding.found {
            Some(found) if found.open.is_none() && found.body.is_none() && !found.bad => {
                let wanted = found.reader.wanted();
                let call = self.call(cx, Purpose::Body(epoch), Call::Get(wanted));
                if let Some(found) = self.deciding.as_mut().and_then(|d| d.found.as_mut()) {
                    found.open = Some(call);
                }
            }
            None if deciding.open.is_none() && can_decide => {
                let wanted = deciding.reader.wanted();
                let call = if self.caught_up { Call::Get(wanted) } else { Call::Look(wanted) };
                let call = self.call(cx, Purpose::Decide(epoch), call);
                if let Some(deciding) = &mut self.deciding {
                    deciding.open = Some(call);
                }
            }
            Some(_) | None => {}
        }
    }

    /// Brings our own commit forward: makes it, puts its body, then the deciding box.
    pub(super) fn step_commit(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let undecided = self.deciding.as_ref().is_some_and(|d| d.found.is_none());
        if !self.can_decide() || !self.caught_up || !self.is_open() || !undecided {
            return Ok(());
        }
        if self.saved.commit.is_none() {
            if self.owes_hub() {
                // What neighbours have is brought to the hub first, while its epoch is still read.
                return Ok(());
            }
            self.make_commit(cx)?;
        }
        let Some(commit) = &self.saved.commit else { return Ok(()) };
        let unsettled =
            (0..commit.body.len()).filter(|n| !self.commit_run.is_settled(*n)).take(WINDOW);
        let ready: Vec<usize> =
            unsettled.filter(|n| self.commit_run.is_ready(*n, cx.now)).collect();
        if self.commit_run.is_done(commit.body.len()) && !commit.body.is_empty() {
            return self.body_is_there(cx);
        }
        if commit.body.is_empty() {
            return self.put_decision(cx);
        }
        let boxes = ready
            .into_iter()
            .filter_map(|n| Some((n, commit.body.get(n)?.to_box())))
            .collect::<Vec<_>>();
        for (n, sealed) in boxes {
            let call = self.call(cx, Purpose::CommitBody(n), Call::Put(sealed?));
            self.commit_run.started(n, call);
        }
        Ok(())
    }

    fn body_is_there(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if let Some(commit) = &mut self.saved.commit {
            commit.body.clear();
        }
        self.commit_run = Run::default();
        self.dirty = true;
        self.put_decision(cx)
    }

    /// Seals the deciding box at the first index that nobody has taken, and puts it.
    fn put_decision(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !self.commit_run.is_ready(0, cx.now) {
            return Ok(());
        }
        let (Some(commit), Some(deciding)) = (&mut self.saved.commit, &self.deciding) else {
            return Ok(());
        };
        if commit.placed.is_none() {
            let at = deciding.stream.advance_to(deciding.reader.position())?;
            let padded = pad(&commit.decision, BoxClass::Standard)?;
            commit.placed = Some(BoxBytes::of(&at.seal(DECIDE_CONTEXT, &padded)?.into_sealed()));
            self.dirty = true;
        }
        let Some(sealed) = commit.placed.as_ref().map(BoxBytes::to_box).transpose()? else {
            return Ok(());
        };
        let call = self.call(cx, Purpose::CommitDecision, Call::Put(sealed));
        self.commit_run.started(0, call);
        Ok(())
    }

    pub(super) fn on_decision_put(
        &mut self,
        cx: &mut StepContext<'_>,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        self.commit_run.settle(cx.now, 0, outcome);
        match outcome {
            PutOutcome::Stored | PutOutcome::Same
                if self.saved.commit.as_ref().is_some_and(|c| c.placed.is_some()) =>
            {
                self.win(cx)
            }
            PutOutcome::Taken => {
                // Somebody was faster; their box comes by the open request, and then it shows
                // whether it counts.
                self.commit_run = Run::default();
                if let Some(commit) = &mut self.saved.commit {
                    commit.placed = None;
                }
                self.dirty = true;
                self.caught_up = false;
                self.look_at_decisions(cx);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Our commit was decided on.
    fn win(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let (Some(group), Some(commit)) = (self.group.as_mut(), self.saved.commit.take()) else {
            return Ok(());
        };
        let applied = group.merge(cx.mls, &cx.kept())?;
        self.commit_run = Run::default();
        self.saved.intents.retain(|(_, intent)| !commit.intents.contains(intent));
        if commit.intents.contains(&Intent::Refresh) {
            self.saved.unrefreshed = 0;
            self.saved.refreshed_at = cx.now.as_millis();
        }
        self.moved_on(cx, self.card.me, &applied)?;
        let Some(welcome) = commit.welcome else { return Ok(()) };
        for intent in commit.intents {
            match intent {
                Intent::Add { via, token, key_package } => {
                    let id = Invited::parse(cx.mls, &key_package).ok().map(|i| i.id);
                    if let Some(known) = id.and_then(|id| self.card.members.get_mut(&id)) {
                        known.contact = Some(via);
                    }
                    cx.out.effects.push_back(Effect::Added {
                        via,
                        token,
                        welcome: welcome.to_vec(),
                    });
                }
                Intent::Readd { member, .. } => self.send_welcome(cx, member, &welcome)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The intents that one commit takes: the first that is due, and with somebody who comes all
    /// others who come.
    fn due_intents(&self, cx: &StepContext<'_>) -> Vec<Intent> {
        let mut due = self
            .saved
            .intents
            .iter()
            .filter(|(at, _)| *at <= cx.now.as_millis())
            .map(|(_, i)| i.clone());
        let Some(first) = due.next() else { return Vec::new() };
        let coming = matches!(first, Intent::Add { .. });
        let others = due
            .filter(|i| coming && matches!(i, Intent::Add { .. }))
            .take(MAX_ADDED.saturating_sub(1));
        std::iter::once(first.clone()).chain(others).collect()
    }

    /// Makes a commit of what is due and still makes sense.
    fn make_commit(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        loop {
            let intents = self.due_intents(cx);
            let Some(group) = self.group.as_mut().filter(|_| !intents.is_empty()) else {
                return Ok(());
            };
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
                    self.saved.commit =
                        Some(PendingCommit { intents, body, decision, placed: None, welcome });
                    self.commit_run = Run::default();
                    self.dirty = true;
                    return Ok(());
                }
                Err(Some(e2ee::Error::Storage)) => return Err(e2ee::Error::Storage.into()),
                Err(reason) => {
                    // Of several who come, one that cannot be added must not hold the others up.
                    let dropped = if intents.len() > 1 && reason.is_some() {
                        intents.get(..1)
                    } else {
                        Some(intents.as_slice())
                    };
                    let dropped = dropped.unwrap_or_default();
                    self.saved.intents.retain(|(_, i)| !dropped.contains(i));
                    self.dirty = true;
                    if let Some(reason) = reason {
                        self.notice(cx, &format!("a change could not be made: {reason}"))?;
                    }
                }
            }
        }
    }

    /// Wants something changed about the group, now or later.
    pub(super) fn intend(&mut self, cx: &mut StepContext<'_>, intent: Intent) -> Result<(), Error> {
        if !self.is_open() {
            return Err(Error::Refused("the conversation is not open now"));
        }
        self.check_may_change()?;
        if !self.saved.intents.iter().any(|(_, i)| *i == intent) {
            self.saved.intents.push_back((cx.now.as_millis(), intent));
            self.dirty = true;
        }
        self.pump(cx)
    }

    /// That a change by us would count.
    pub(crate) fn check_may_change(&self) -> Result<(), Error> {
        let refusal = Error::Refused("in a group without a hub its creator decides: ask them");
        if self.may_change() { Ok(()) } else { Err(refusal) }
    }

    /// Adds whom an invitation was for.
    pub(crate) fn add(
        &mut self,
        cx: &mut StepContext<'_>,
        key_package: Vec<u8>,
        via: e2ee::id::ConversationId,
        token: MessageId,
    ) -> Result<(), Error> {
        self.intend(cx, Intent::Add { key_package, via, token })
    }

    /// Removes a member.
    pub(crate) fn remove_member(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
    ) -> Result<(), Error> {
        if !self.card.members.contains_key(&member) {
            return Err(Error::NoSuch("member"));
        }
        self.intend(cx, Intent::Remove { member })
    }

    /// Gives the group another title.
    pub(crate) fn rename(&mut self, cx: &mut StepContext<'_>, title: String) -> Result<(), Error> {
        self.intend(cx, Intent::Rename { title })
    }

    /// New keys of ours.
    pub(crate) fn refresh(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.intend(cx, Intent::Refresh)
    }

    /// Whether a change of ours waits or is under way.
    pub(crate) fn is_changing(&self) -> bool {
        self.saved.commit.is_some() || !self.saved.intents.is_empty()
    }
}

/// What intents change in the group as it is now; `None` when they have become pointless.
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
                if let Some((package, leaf)) =
                    invited(key_package).filter(|i| i.id == *member).zip(leaf(member))
                {
                    changes.add.push(package);
                    changes.remove.push(leaf);
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
impl Conversation {
    pub(crate) fn deciding_junk(&self, count: usize) -> Vec<streams::SealedBox> {
        let deciding = self.deciding.as_ref().unwrap();
        let junk = vec![b"junk".to_vec(); count];
        let (boxes, _) =
            seal_all(deciding.stream.clone(), DECIDE_CONTEXT, &junk, Sizes::Uniform).unwrap();
        boxes.iter().map(|b| b.to_box().unwrap()).collect()
    }
}
