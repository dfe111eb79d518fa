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
use e2ee::id::MemberId;
use e2ee::mls::{Group, Invited, MemberSecret, key_package};
use streams::VerifiedBox;

use super::Conversation;
use super::outbox::Next;
use super::rescues::Message;
use super::saved::{Intent, Lost};
use crate::Error;
use crate::context::{Effect, StepContext};
use crate::event::Event;
use crate::store::Space;

impl Conversation {
    /// We cannot read on: from now on we ask to be added again.
    pub(super) fn lose(&mut self, cx: &mut StepContext<'_>, why: &str) -> Result<(), Error> {
        if self.rescues.lost.is_some() || self.over {
            return Ok(());
        }
        let secret = MemberSecret::from_bytes(&self.secret)?.renewed(cx.rng);
        let name = self.my_name(cx)?;
        let key_package = key_package(cx.mls, &cx.kept(), &secret, name)?;
        for call in self.open_calls() {
            cx.out.cancel(call);
        }
        let lost = Lost { secret: secret.to_bytes(), since: cx.now.as_millis() };
        self.rescues.lose(cx.now, lost, &Message::Request { key_package });
        self.lanes.clear();
        self.deciding.close();
        self.commits.withdraw(cx);
        self.outbox.lose_place(cx)?;
        self.dirty = true;
        self.notice(cx, &format!("{why}; asking another member to add it again"))
    }

    fn my_name(&self, cx: &StepContext<'_>) -> Result<Nick, Error> {
        let kept = cx.store.get(Space::Setting, b"name")?;
        let text = kept.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        Ok(Nick::new(&text).or_else(|_| Nick::new("somebody"))?)
    }

    /// Writes our rescue messages, and looks for those of others when it is time.
    pub(super) fn step_rescue(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
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
        let oldest = self.epochs.oldest();
        let next = self.outbox.reseal_stale(cx, &self.card.members, oldest)?;
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
        member: MemberId,
        boxes: Vec<VerifiedBox>,
    ) -> Result<(), Error> {
        let more = !boxes.is_empty();
        for message in self.rescues.on_boxes(cx.now, member, boxes)? {
            self.on_rescue(cx, member, message)?;
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
                self.rescued(cx, &welcome)
            }
            Message::Head { epoch, authenticator } => self.on_head(cx, from, epoch, *authenticator),
            Message::Request { .. } | Message::Welcome { .. } => Ok(()),
        }
    }

    /// Somebody has lost their place. The creator helps, the other side of a direct chat, and
    /// anybody who has them as a contact with compared safety words: others cannot tell whether the
    /// request is theirs or that of a thief of their rescue stream.
    fn asked_for_rescue(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        package: Vec<u8>,
    ) -> Result<(), Error> {
        let theirs = Invited::parse(cx.mls, &package).is_ok_and(|i| i.id == from);
        if !theirs || !self.may_change() {
            return Ok(());
        }
        if self.card.direct || self.card.creator == self.card.me {
            return self.readd(cx, from, package);
        }
        if let Some(contact) = self.card.members.get(&from).and_then(|k| k.contact) {
            let conversation = self.id;
            cx.out.effects.push_back(Effect::RescueAsked {
                conversation,
                contact,
                member: from,
                package,
            });
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
        self.commits.intend(cx.now, intent);
        let name = self.name_of(member);
        let text = "has lost its place and is added again; compare the safety words once more";
        self.notice(cx, &format!("{name} {text}"))?;
        self.pump(cx)
    }

    /// We were added again.
    fn rescued(&mut self, cx: &mut StepContext<'_>, welcome: &[u8]) -> Result<(), Error> {
        let Some(lost) = &self.rescues.lost else { return Ok(()) };
        let secret = MemberSecret::from_bytes(&lost.secret)?;
        let group = match Group::join(cx.mls, &cx.kept(), welcome, secret) {
            Ok(group) if group.id() == self.card.group.as_slice() => group,
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            // A welcome for an earlier request.
            Ok(_) | Err(_) => return Ok(()),
        };
        self.secret = lost.secret.clone();
        self.rescues.lost = None;
        self.deciding.added_again(cx.now);
        self.epochs.clear();
        self.acks.forget_late();
        self.group = Some(group);
        self.unverify();
        self.enter_epoch(cx)?;
        self.follow_given_name(cx, None)?;
        self.draw_near(cx)?;
        let text =
            "added again: messages in between may be missing; compare the safety words once more";
        self.notice(cx, text)
    }

    /// Another member's state. The same epoch with another authenticator is a fork: the hub has
    /// shown two orders.
    fn on_head(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        epoch: u64,
        authenticator: [u8; 32],
    ) -> Result<(), Error> {
        let Some(group) = self.group.as_ref().filter(|g| g.is_active()) else { return Ok(()) };
        if group.epoch() != epoch || group.authenticator() == authenticator {
            return Ok(());
        }
        cx.event(Event::Forked { conversation: self.id });
        self.notice(cx, "members see different histories: the hub has shown two orders")?;
        // The creator's side goes on. The word of any other member must not cost us our place:
        // anybody could send it.
        if from == self.card.creator {
            self.lose(cx, "this side of the fork is given up")
        } else {
            Ok(())
        }
    }
}
