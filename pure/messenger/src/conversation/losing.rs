//! When a member has lost its place in the group: us or somebody else (`GROUP-010` to `GROUP-012`).
//!
//! ```text
//!           restored from a backup, away too long,
//!           index taken, our side of a fork
//! [member] ────────────────────────────────────────► [lost: a request stands on our rescue stream]
//!    ▲                                                       │
//!    │  joins by the welcome: new keys, new stream,          │ the creator, the other of a direct
//!    │  nothing of the epochs in between                     │ chat, or a verified contact re-adds
//!    └───────────────────────────────────────────────────────┘
//! ```

use e2ee::Nick;
use e2ee::id::{ConversationId, MemberId};
use e2ee::mls::{Invited, Member, MemberSecret, Welcomed, forget, key_package};
use streams::VerifiedBox;

use super::Conversation;
use super::outbox::Next;
use super::rescues::Message;
use super::saved::{Asked, Intent, Lost};
use crate::Error;
use crate::context::{Effect, StepContext};
use crate::event::Event;
use crate::store::Space;

/// Requests to be added again whose answers we still understand.
const MAX_ASKED: usize = 3;
/// How long to wait, at random, before somebody is added again, ms. Of several helpers one is
/// first, and the others see that it is done.
const READD_LEAST_MS: u64 = 2_000;
const READD_SPAN_MS: u64 = 4_000;
/// Epochs whose authenticators are kept, to recognise a fork that lies behind us.
const MAX_HEADS: usize = 64;

impl Conversation {
    /// We cannot read on: from now on we ask to be added again.
    pub(super) fn lose(&mut self, cx: &mut StepContext<'_>, why: &str) -> Result<(), Error> {
        if self.rescues.lost.is_some() || self.over {
            return Ok(());
        }
        self.cancel_calls(cx);
        let lost = Lost { asked: Vec::new(), since: cx.now.as_millis() };
        self.ask_again(cx, lost)?;
        self.lanes.clear();
        self.deciding.close();
        self.commits.withdraw(cx);
        self.outbox.lose_place(cx)?;
        self.dirty = true;
        self.notice(cx, &format!("{why}; asking another member to add it again"))
    }

    /// Asks with fresh keys. Each day has its own request: those of the days before are no longer
    /// looked at, and one that was answered while we were away counts only once.
    fn ask_again(&mut self, cx: &mut StepContext<'_>, mut lost: Lost) -> Result<(), Error> {
        let newest = lost.asked.last().map_or(&self.secret, |asked| &asked.secret);
        let secret = MemberSecret::from_bytes(newest)?.renewed(cx.now, cx.rng);
        let package = key_package(cx.mls, &cx.kept(), &secret, self.my_name(cx)?)?;
        lost.asked.push(Asked { secret: secret.to_bytes(), package: package.clone() });
        while lost.asked.len() > MAX_ASKED {
            forget(cx.mls, &cx.kept(), &lost.asked.remove(0).package)?;
        }
        self.rescues.lose(cx.now, lost, &Message::Request { key_package: package });
        Ok(())
    }

    fn my_name(&self, cx: &StepContext<'_>) -> Result<Nick, Error> {
        let kept = cx.store.get(Space::Setting, b"name")?;
        let text =
            kept.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()).unwrap_or_default();
        Ok(Nick::new(&text).or_else(|_| Nick::new("somebody"))?)
    }

    /// Writes our rescue messages, and looks for those of others when it is time.
    pub(super) fn step_rescue(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let new_day = self.rescues.turn_day(cx) && !self.rescues.is_writing();
        let stale = |lost: &mut Lost| new_day || lost.asked.is_empty();
        if let Some(lost) = self.rescues.lost.take_if(stale) {
            self.ask_again(cx, lost)?;
        }
        self.rescues.write(cx, &self.link)?;
        if self.over || !self.link.can_decide() || !self.rescues.is_time_to_look(cx.now) {
            return Ok(());
        }
        self.reseal_stale(cx)?;
        if self.is_open() && self.outbox.is_unheard(cx.now) {
            self.send_head();
            self.rescues.write(cx, &self.link)?;
        }
        self.rescues.look(cx, &self.link, &self.card.members)
    }

    /// Sends again what nobody can fetch any more.
    pub(super) fn reseal_stale(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let undecided_at = self.deciding.undecided_at;
        let next = self.outbox.reseal_stale(cx, &self.card.members, undecided_at)?;
        if next == Next::AcknowledgeAgain {
            self.acknowledge_again(cx);
        }
        Ok(())
    }

    fn send_head(&mut self) {
        if let Some(group) = self.group.as_ref().filter(|g| g.is_active()) {
            let authenticator = group.authenticator().into();
            self.rescues.send(&Message::Head { epoch: group.epoch(), authenticator });
        }
    }

    /// Tells the others where we stand and looks where they stand: somebody has been silent for
    /// long.
    pub(crate) fn show_head(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.send_head();
        self.rescues.look(cx, &self.link, &self.card.members)?;
        self.pump(cx)
    }

    /// Welcomes somebody back: on our stream, because they read no lane.
    pub(super) fn send_welcome(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        welcome: &[u8],
    ) -> Result<(), Error> {
        self.rescues.send(&Message::Welcome { member, welcome: welcome.to_vec() });
        self.rescues.write(cx, &self.link)
    }

    pub(super) fn on_rescue_boxes(
        &mut self,
        cx: &mut StepContext<'_>,
        stream: (MemberId, u64),
        boxes: Vec<VerifiedBox>,
    ) -> Result<(), Error> {
        let more = !boxes.is_empty();
        for message in self.rescues.on_boxes(cx.now, stream, boxes)? {
            self.on_rescue(cx, stream.0, message)?;
        }
        // What came may be the beginning of more: look on at once.
        if more { self.rescues.look(cx, &self.link, &self.card.members) } else { Ok(()) }
    }

    fn on_rescue(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        message: Message,
    ) -> Result<(), Error> {
        match message {
            Message::Request { key_package } if self.is_open() => {
                self.asked_for_rescue(cx, from, key_package)
            }
            Message::Welcome { member, welcome } if member == self.card.me => {
                self.offered_rescue(cx, from, welcome)
            }
            Message::Head { epoch, authenticator } => self.on_head(cx, from, epoch, *authenticator),
            Message::Request { .. } | Message::Welcome { .. } => Ok(()),
        }
    }

    /// Whether the user wants to hear nothing from the person behind a member.
    pub(super) fn is_blocked(&self, member: MemberId) -> bool {
        self.contact_of(member).is_some_and(|contact| self.blocked.contains(&contact))
    }

    /// The contact that a member is, where we know that.
    fn contact_of(&self, member: MemberId) -> Option<ConversationId> {
        self.card.members.get(&member).and_then(|known| known.contact)
    }

    /// Somebody has lost their place, and proves by their rescue stream that the new keys are
    /// theirs. The creator helps, the other side of a direct chat, and anybody who has them as a
    /// contact with compared safety words.
    fn asked_for_rescue(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        package: Vec<u8>,
    ) -> Result<(), Error> {
        let Some(group) = self.group.as_ref().filter(|_| self.may_change()) else { return Ok(()) };
        let old = group.members()?.into_iter().find(|m| m.id == from);
        let asks = Invited::parse(cx.mls, &package).ok();
        if !asks.zip(old).is_some_and(|(new, old)| new.continues(&old)) {
            return Ok(());
        }
        if self.card.direct || self.card.creator == self.card.me {
            return self.readd(cx, from, package);
        }
        if let Some(contact) = self.contact_of(from) {
            let conversation = self.id;
            let effect = Effect::RescueAsked { conversation, contact, member: from, package };
            cx.out.effects.push_back(effect);
        }
        Ok(())
    }

    /// Somebody wants to take us in again. We believe the creator, the other side of a direct chat,
    /// and a contact with compared safety words who was a member when we last knew (`GROUP-012`):
    /// everybody who ever was in the group can write a welcome into one that looks like it.
    fn offered_rescue(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        welcome: Vec<u8>,
    ) -> Result<(), Error> {
        if self.card.direct || self.card.creator == from {
            return self.rescued(cx, from, &welcome);
        }
        if let Some(contact) = self.contact_of(from).filter(|_| self.rescues.lost.is_some()) {
            let conversation = self.id;
            let effect = Effect::RescueOffered { conversation, contact, from, welcome };
            cx.out.effects.push_back(effect);
        }
        Ok(())
    }

    /// Removes somebody's old leaf and adds the new one, in one commit.
    pub(crate) fn readd(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        key_package: Vec<u8>,
    ) -> Result<(), Error> {
        let intent = Intent::Readd { member, key_package };
        if self.commits.wants(&intent) || !self.is_open() || !self.may_change() {
            return Ok(());
        }
        // Requests of yesterday and of today come one after the other: only the newest is to be
        // answered, or its author is put out again by the second answer.
        let at = cx.soon(READD_LEAST_MS, READD_SPAN_MS);
        self.commits.intend(at, intent);
        let name = self.name_of(member);
        let text = "has lost its place and is added again; compare the safety words once more";
        self.notice(cx, &format!("{name} {text}"))?;
        self.pump(cx)
    }

    /// We were added again, if this is our group and those in it are who they were.
    pub(crate) fn rescued(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        welcome: &[u8],
    ) -> Result<(), Error> {
        let Some(lost) = &self.rescues.lost else { return Ok(()) };
        let kept = cx.kept();
        let mut joined = None;
        for asked in lost.asked.iter().rev() {
            let secret = MemberSecret::from_bytes(&asked.secret)?;
            match Welcomed::open(cx.mls, &kept, welcome, secret) {
                Ok(welcomed) if self.is_ours(&welcomed, from)? => {
                    joined = Some((asked.secret.clone(), welcomed.rejoin()?));
                    break;
                }
                Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
                Ok(_) | Err(_) => {}
            }
        }
        let Some((secret, group)) = joined else { return Ok(()) };
        for asked in lost.asked.iter().filter(|asked| asked.secret != secret) {
            forget(cx.mls, &cx.kept(), &asked.package)?;
        }
        self.secret = secret;
        self.rescues.lost = None;
        self.deciding.added_again(cx.now);
        self.epochs.clear();
        self.acks.forget_late();
        self.group = Some(group);
        // Those of a side of a fork that we have left say nothing any more.
        self.rescues.record.heads.clear();
        self.unverify();
        self.enter_epoch(cx)?;
        self.follow_given_name(cx, None)?;
        self.draw_near(cx)?;
        let text =
            "added again: messages in between may be missing; compare the safety words once more";
        self.notice(cx, text)
    }

    /// Whether a welcome is into this very group: the same id, everything that its charter fixes,
    /// and behind each id that we know the rescue stream that we know (`GROUP-012`).
    fn is_ours(&self, welcomed: &Welcomed<'_>, from: MemberId) -> Result<bool, Error> {
        let (charter, members) = (welcomed.charter()?, welcomed.members()?);
        let same_group = welcomed.group_id() == self.card.group.as_slice()
            && charter.direct == self.card.direct
            && charter.creator == self.card.creator
            && charter.floor == self.card.charter_floor
            && wire::encode(&charter.place) == self.card.place
            && charter.rescue_context() == self.card.rescue_context.as_slice();
        let is_known = |m: &Member| match self.card.members.get(&m.id) {
            Some(known) => m.is(&known.rescue),
            None => true,
        };
        let has_sender = members.iter().any(|m| m.id == from);
        Ok(same_group && has_sender && members.iter().all(is_known))
    }

    /// What lies where our box should be. Only somebody with our keys can have signed it.
    pub(super) fn on_taken_shown(
        &mut self,
        cx: &mut StepContext<'_>,
        boxes: &[VerifiedBox],
    ) -> Result<(), Error> {
        if !boxes.iter().any(|found| self.outbox.is_of_another(found)) {
            return Ok(());
        }
        self.lose(cx, "another copy of this profile has written here")
    }

    /// Remembers where we stand, to compare with what others say.
    pub(super) fn note_head(&mut self) {
        let Some(group) = self.group.as_ref().filter(|g| g.is_active()) else { return };
        let heads = &mut self.rescues.record.heads;
        heads.insert(group.epoch(), group.authenticator().to_vec());
        while heads.len() > MAX_HEADS {
            heads.pop_first();
        }
    }

    /// Another member's state. An epoch in which we had another authenticator is a fork: the hub
    /// has shown two orders. The side that is ahead sees it, and shows the other.
    fn on_head(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        epoch: u64,
        authenticator: [u8; 32],
    ) -> Result<(), Error> {
        if !self.is_open() {
            return Ok(());
        }
        let Some(ours) = self.rescues.record.heads.get(&epoch).cloned() else { return Ok(()) };
        if ours == authenticator {
            return Ok(());
        }
        let known = self.rescues.record.forked;
        if known.is_none_or(|told| told < epoch) {
            self.rescues.record.forked = Some(epoch);
            self.dirty = true;
            cx.event(Event::Forked { conversation: self.id });
            self.notice(cx, "members see different histories: the hub has shown two orders")?;
            if let Ok(ours) = <[u8; 32]>::try_from(ours.as_slice()) {
                self.rescues.send(&Message::Head { epoch, authenticator: ours.into() });
            }
        }
        // The creator's side goes on. The word of any other member must not cost us our place:
        // anybody could send it.
        if from == self.card.creator {
            self.lose(cx, "this side of the fork is given up")
        } else {
            Ok(())
        }
    }
}
