//! From one epoch to the next: what we want to change, what was decided, and what people are told.
//!
//! [`Deciding`](super::deciding) reads decisions, [`Commits`](super::commits) makes ours; here the
//! two meet the MLS group.

use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::{Applied, Invited};
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::Conversation;
use super::commits::Outcome;
use super::deciding::Verdict;
use super::saved::Intent;
use crate::Error;
use crate::context::{Effect, StepContext};
use crate::event::Event;

impl Conversation {
    /// Begins to read the deciding stream of the current epoch.
    pub(super) fn open_deciding(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.deciding.open(cx, self.group.as_ref())?;
        self.look_at_decisions(cx);
        Ok(())
    }

    /// Asks at once whether the epoch is over. After a long absence the answer would be worth
    /// nothing (`GROUP-010`).
    pub(super) fn look_at_decisions(&mut self, cx: &mut StepContext<'_>) {
        let trusted = !self.deciding.is_away(cx.now) || self.decides_alone();
        if self.link.can_decide() && trusted {
            self.deciding.look(cx, &self.link);
        }
    }

    /// Moves on as far as what is here allows; true when a new epoch was entered.
    pub(super) fn step_deciding(&mut self, cx: &mut StepContext<'_>) -> Result<bool, Error> {
        if !self.is_open() {
            return Ok(false);
        }
        // While the hub is out of reach nobody knows what was decided, and chat goes on.
        let asks = !self.link.is_near() || self.link.lan;
        if asks && self.deciding.is_away(cx.now) && !self.decides_alone() {
            self.lose(cx, "this profile was away for longer than the hub keeps boxes")?;
            return Ok(false);
        }
        if self.commits.won {
            return self.win(cx);
        }
        if self.read_decisions(cx)? {
            return Ok(true);
        }
        self.read_body(cx)?;
        if self.apply_decided(cx)? {
            return Ok(true);
        }
        if self.link.is_online() {
            self.deciding.follow(cx, &self.link);
        }
        Ok(false)
    }

    /// True when our own commit was decided on, and we have moved on.
    fn read_decisions(&mut self, cx: &mut StepContext<'_>) -> Result<bool, Error> {
        let Some(group) = &self.group else { return Ok(false) };
        let only = Some(self.card.creator).filter(|_| self.link.lan);
        let verdict = self.deciding.read(cx, group, self.commits.decision(), only)?;
        if verdict != Verdict::Nothing {
            self.look_before_moving_on(cx);
        }
        match verdict {
            Verdict::Ours => return self.win(cx),
            Verdict::Nothing if self.deciding.is_squatted() && self.may_change() && !self.over => {
                self.commits.leave_squatted(cx);
            }
            Verdict::Nothing | Verdict::Theirs => {}
        }
        Ok(false)
    }

    /// Puts the decided body together, and tells who holds the group up (`GROUP-007`).
    fn read_body(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let Some(by) = self.deciding.read_body(cx.now, self.link.can_decide())? else {
            return Ok(());
        };
        let name = self.name_of(by);
        let text = "what they have decided does not arrive or is not valid";
        self.notice(cx, &format!("held up by {name}: {text}"))?;
        cx.event(Event::HeldUp { conversation: self.id, by, name });
        Ok(())
    }

    /// The epoch is over, and with the next one another leaves the window. What was said in that
    /// one and did not hear of it is at the hub by now: one more look shows all of it.
    fn look_before_moving_on(&mut self, cx: &mut StepContext<'_>) {
        if let Some(leaving) = self.epochs.leaving() {
            self.lanes.look_again(cx, leaving);
        }
    }

    /// Whether nothing more is to be read in the epoch that the next one puts out of reach.
    fn may_move_on(&self, now: Timestamp) -> bool {
        let leaving = self.epochs.leaving();
        leaving.is_none_or(|epoch| self.lanes.is_epoch_drained(epoch, now))
    }

    /// Applies the decided commit, once everything that was said before it has been read
    /// (`GROUP-008`); true when it did.
    fn apply_decided(&mut self, cx: &mut StepContext<'_>) -> Result<bool, Error> {
        if !self.may_move_on(cx.now) {
            return Ok(false);
        }
        let (Some((leaf, by, body)), Some(group)) = (self.deciding.decided(), &mut self.group)
        else {
            return Ok(false);
        };
        if group.is_committing() {
            group.withdraw(cx.mls, &cx.kept())?;
        }
        let applied = match group.apply(cx.mls, &cx.kept(), leaf, body) {
            Ok(applied) => applied,
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            Err(_) => {
                self.deciding.refuse_body();
                return self.read_body(cx).map(|()| false);
            }
        };
        self.commits.withdraw(cx);
        self.moved_on(cx, by, &applied)?;
        Ok(true)
    }

    /// A commit counts now: enters the new epoch, and tells people what has changed.
    fn moved_on(
        &mut self,
        cx: &mut StepContext<'_>,
        by: MemberId,
        applied: &Applied,
    ) -> Result<(), Error> {
        self.deciding.moved_on(cx.now);
        let who = if by == self.card.me { "you".to_owned() } else { self.name_of(by) };
        let lines = self.describe(&who, by, applied);
        let came_back = applied.added.iter().any(|(id, _)| is_removed(applied, *id));
        if let Some(charter) = self.charter().filter(|_| applied.charter) {
            self.card.charter_floor = charter.floor;
        }
        self.enter_epoch(cx)?;
        self.follow_given_name(cx, Some(&who))?;
        let me = self.card.me;
        if applied.we_are_out && applied.added.iter().any(|(id, _)| *id == me) {
            // An earlier request of ours was answered once more.
            self.lose(cx, "this profile was added again with other keys")?;
        } else if applied.we_are_out {
            self.over = true;
        }
        if came_back {
            // A member who comes back has new keys, and reads nothing of the epochs before.
            self.draw_near(cx)?;
            self.outbox.reseal_past(cx)?;
            if self.card.direct {
                self.keys_changed(cx)?;
            }
        }
        self.dirty = true;
        lines.iter().try_for_each(|line| self.notice(cx, line))
    }

    /// Who came and who went, in words. Called before the names of those who went are forgotten.
    fn describe(&self, who: &str, by: MemberId, applied: &Applied) -> Vec<String> {
        let is_added = |of: &MemberId| applied.added.iter().any(|(id, _)| id == of);
        let mut lines = Vec::new();
        for (id, name) in applied.removed.iter().filter(|(id, _)| !is_added(id)) {
            if *id == by {
                lines.push(format!("{} has left", name.as_str()));
            } else if *id != self.card.me {
                lines.push(format!("{who} removed {}", self.name_of(*id)));
            }
        }
        for (id, name) in &applied.added {
            let verb = if is_removed(applied, *id) { "added again" } else { "added" };
            lines.push(format!("{who} {verb} {}", name.as_str()));
        }
        if applied.we_are_out {
            lines.push(format!("{who} removed you: you read nothing from now on"));
        }
        lines
    }

    /// Whether a commit of ours can get any further now.
    pub(super) fn may_commit(&self) -> bool {
        self.deciding.is_undecided()
            && self.deciding.caught_up
            && self.is_open()
            && self.link.can_decide()
    }

    /// Brings our own commit forward.
    pub(super) fn step_commit(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !self.may_commit() {
            return Ok(());
        }
        // What was sealed before the hub was in reach is brought there first, while its epoch is
        // still read (GROUP-017).
        let owes = self.outbox.owes_hub(&self.link);
        if self.commits.pending.is_none() {
            let Some(group) = self.group.as_mut().filter(|_| !owes) else { return Ok(()) };
            for reason in self.commits.make(cx, group)? {
                self.notice(cx, &format!("a change could not be made: {reason}"))?;
            }
        }
        self.commits.put(cx, &self.link, Some(&self.deciding).filter(|_| !owes))
    }

    /// The hub's answer to our deciding box.
    pub(super) fn on_decision_put(
        &mut self,
        cx: &mut StepContext<'_>,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        match self.commits.on_decision_put(cx.now, outcome) {
            Outcome::Waiting => {}
            Outcome::Won => {
                self.look_before_moving_on(cx);
                self.win(cx)?;
            }
            Outcome::Taken => {
                self.deciding.caught_up = false;
                self.look_at_decisions(cx);
            }
        }
        Ok(())
    }

    /// Our commit was decided on: merges it, once everything that was said before it has been read
    /// (`GROUP-008`), and sends the welcomes that it was for; true when it did.
    fn win(&mut self, cx: &mut StepContext<'_>) -> Result<bool, Error> {
        if !self.may_move_on(cx.now) {
            self.commits.won = true;
            // The epoch is over: nothing more is said in it.
            self.deciding.caught_up = false;
            return Ok(false);
        }
        let Some(group) = &mut self.group else { return Ok(false) };
        let Some(commit) = self.commits.take_won(cx.now) else { return Ok(false) };
        let applied = group.merge(cx.mls, &cx.kept())?;
        self.moved_on(cx, self.card.me, &applied)?;
        let Some(welcome) = commit.welcome else { return Ok(true) };
        for intent in commit.intents {
            match intent {
                Intent::Add { via, token, key_package } => {
                    let id = Invited::parse(cx.mls, &key_package).ok().map(|i| i.id);
                    if let Some(known) = id.and_then(|id| self.card.members.get_mut(&id)) {
                        known.contact = Some(via);
                    }
                    let welcome = welcome.to_vec();
                    cx.out.effects.push_back(Effect::Added { via, token, welcome });
                }
                Intent::Readd { member, .. } => self.send_welcome(cx, member, &welcome)?,
                _ => {}
            }
        }
        Ok(true)
    }

    /// When our commit may be put again.
    pub(super) fn commit_deadline(&self) -> Option<Timestamp> {
        let free = self.may_commit() && !self.outbox.owes_hub(&self.link);
        self.commits.deadline(&self.link).filter(|_| free)
    }

    /// When a decided body is late, or our commit may be made.
    pub(super) fn deciding_deadline(&self) -> Option<Timestamp> {
        if !self.link.can_decide() || !self.is_open() {
            return None;
        }
        if !self.deciding.is_undecided() {
            return self.deciding.deadline();
        }
        let ready = self.deciding.caught_up && !self.outbox.owes_hub(&self.link);
        self.commits.next_due().filter(|_| ready)
    }

    /// Wants something changed about the group, as soon as possible.
    fn intend(&mut self, cx: &mut StepContext<'_>, intent: Intent) -> Result<(), Error> {
        if !self.is_open() {
            return Err(Error::Refused("the conversation is not open now"));
        }
        self.check_may_change()?;
        self.commits.intend(cx.now, intent);
        self.pump(cx)
    }

    /// Whether a change by us would count: where a hub orders the changes everybody's does, else
    /// only the creator's (`GROUP-016`).
    pub(super) fn may_change(&self) -> bool {
        !self.link.lan || self.card.creator == self.card.me
    }

    /// Without a hub the creator decides: nothing is decided without it.
    pub(crate) fn decides_alone(&self) -> bool {
        self.link.lan && self.may_change()
    }

    /// That a change by us would count.
    pub(crate) fn check_may_change(&self) -> Result<(), Error> {
        let refusal = Error::Refused("in a group without a hub its creator decides: ask them");
        if self.may_change() { Ok(()) } else { Err(refusal) }
    }

    /// Adds the contact whom an invitation was for.
    pub(crate) fn add(
        &mut self,
        cx: &mut StepContext<'_>,
        key_package: Vec<u8>,
        via: ConversationId,
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

    /// Draws new keys.
    pub(crate) fn refresh(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.intend(cx, Intent::Refresh)
    }

    #[cfg(any(test, feature = "hostile"))]
    pub(crate) fn deciding_junk(&self, count: usize) -> Vec<streams::SealedBox> {
        self.deciding.junk(count)
    }
}

fn is_removed(applied: &Applied, member: MemberId) -> bool {
    applied.removed.iter().any(|(id, _)| *id == member)
}
