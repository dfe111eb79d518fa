//! When somebody has lost their place: they ask to be added again, on a stream of their own under a
//! context that never changes, and the creator or a contact who may does it (DESIGN 4).

use std::collections::BTreeMap;

use e2ee::Nick;
use e2ee::id::MemberId;
use e2ee::mls::{Group, Invited, MemberSecret, key_package};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use streams::{BoxClass, ReadCapability, VerifiedBox, WriteCapability, pad, unpad};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use super::Conversation;
use super::saved::{Intent, Lost};
use crate::Error;
use crate::context::{Effect, Purpose, StepContext};
use crate::event::Event;
use crate::parts::{Joined, Joiner, split};
use crate::reader::{Read, StreamReader};
use crate::request::{Call, CallId};
use crate::sealed::Run;

/// How often members look for rescue messages, ms; and how often somebody who waits for an answer.
const LOOK_MS: u64 = 86_400_000;
const LOOK_LOST_MS: u64 = 15_000;
/// Taken indices that a rescue message walks past.
const MAX_STEPS: u32 = 4_096;

/// A message on a rescue stream.
#[derive(Encode, Decode)]
enum Message {
    /// Add me again.
    #[n(0)]
    Request {
        /// A fresh KeyPackage of the same member.
        #[cbor(n(0), with = "minicbor::bytes")]
        key_package: Vec<u8>,
    },
    /// The answer to a request.
    #[n(1)]
    Welcome {
        /// For whom.
        #[n(0)]
        member: MemberId,
        /// The welcome.
        #[cbor(n(1), with = "minicbor::bytes")]
        welcome: Vec<u8>,
    },
    /// Where the sender stands: shows a fork.
    #[n(2)]
    Head {
        /// Its epoch.
        #[n(0)]
        epoch: u64,
        /// Its epoch authenticator.
        #[n(1)]
        authenticator: ByteArray<32>,
    },
}

/// Reading one member's rescue stream.
struct Reading {
    reader: StreamReader,
    joiner: Joiner,
    open: Option<CallId>,
}

/// Rescue streams: those of the others, and ours.
#[derive(Default)]
pub(super) struct Rescues {
    readings: BTreeMap<MemberId, Reading>,
    run: Run,
    steps: u32,
    next_look: Option<Timestamp>,
}

impl Rescues {
    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.readings.values().filter_map(|r| r.open).chain(self.run.calls())
    }

    /// The box under way is with neighbours; it waits for the hub.
    pub(super) fn carried(&mut self) {
        self.run.carried(0);
    }
}

impl Conversation {
    /// We cannot read on: from now on we ask to be added again.
    pub(super) fn lose(&mut self, cx: &mut StepContext<'_>, why: &str) -> Result<(), Error> {
        if self.saved.lost.is_some() || self.saved.over {
            return Ok(());
        }
        let secret = MemberSecret::from_bytes(&self.saved.secret)?.renewed(cx.rng);
        let name = self.my_name(cx)?;
        let package = key_package(cx.mls, &cx.kept(), &secret, name)?;
        self.saved.lost = Some(Lost {
            secret: secret.to_bytes(),
            request: Vec::new(),
            since: cx.now.as_millis(),
        });
        let message = wire::encode(&Message::Request { key_package: package });
        self.push_rescue(&message);
        self.caught_up = false;
        for call in self.open_calls() {
            cx.out.cancel(call);
        }
        self.rescues = Rescues::default();
        self.lanes.clear();
        self.deciding = None;
        self.saved.commit = None;
        self.saved.mine.next = Zeroizing::default();
        self.runs.clear();
        let placed: Vec<u64> =
            self.pending.iter().filter(|(_, p)| p.placed.is_some()).map(|(s, _)| *s).collect();
        for seq in placed {
            self.send_again_later(cx, seq)?;
        }
        self.rescues.next_look = Some(cx.now);
        self.dirty = true;
        self.notice(cx, &format!("{why}; asking another member to add it again"))
    }

    fn my_name(&self, cx: &StepContext<'_>) -> Result<Nick, Error> {
        let kept = cx.store.get(crate::store::Space::Setting, b"name")?;
        let text = kept.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        Ok(Nick::new(&text).or_else(|_| Nick::new("somebody"))?)
    }

    fn push_rescue(&mut self, message: &[u8]) {
        for part in split(message) {
            self.saved.rescue_out.push_back(part);
        }
        self.dirty = true;
    }

    pub(super) fn send_welcome(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        welcome: &[u8],
    ) -> Result<(), Error> {
        self.push_rescue(&wire::encode(&Message::Welcome { member, welcome: welcome.to_vec() }));
        self.write_rescue(cx)
    }

    /// Puts the next part of our rescue messages, at the first free index.
    fn write_rescue(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !self.can_decide() || !self.rescues.run.is_ready(0, cx.now) {
            return Ok(());
        }
        let Some(part) = self.saved.rescue_out.front() else { return Ok(()) };
        let at = WriteCapability::from_bytes(&self.saved.rescue_next)?;
        let sealed =
            at.seal(&self.card.rescue_context, &pad(part, BoxClass::Standard)?)?.into_sealed();
        let call = self.call(cx, Purpose::RescueWrite(0), Call::Put(sealed));
        self.rescues.run.started(0, call);
        Ok(())
    }

    pub(super) fn on_rescue_put(
        &mut self,
        cx: &mut StepContext<'_>,
        _: usize,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        if !self.rescues.run.settle(cx.now, 0, outcome) {
            return Ok(());
        }
        self.rescues.run = Run::default();
        let next = WriteCapability::from_bytes(&self.saved.rescue_next)?.next()?;
        self.saved.rescue_next = next.to_bytes();
        self.dirty = true;
        if outcome == PutOutcome::Taken {
            self.rescues.steps = self.rescues.steps.saturating_add(1);
            if self.rescues.steps < MAX_STEPS {
                return Ok(());
            }
        }
        self.rescues.steps = 0;
        self.saved.rescue_out.pop_front();
        Ok(())
    }

    pub(super) fn rescue_deadline(&self) -> Option<Timestamp> {
        if !self.can_decide() {
            return None;
        }
        let look = self.rescues.next_look.filter(|_| !self.saved.over);
        look.into_iter().chain(self.rescues.run.deadline(self.reach)).min()
    }

    /// Looks for rescue messages when it is time, and writes ours.
    pub(super) fn step_rescue(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.write_rescue(cx)?;
        if self.saved.over || !self.can_decide() {
            return Ok(());
        }
        let every = if self.saved.lost.is_some() { LOOK_LOST_MS } else { LOOK_MS };
        let due = Timestamp::from_millis(self.saved.rescue_at).plus_millis(every);
        let due = if self.saved.rescue_at == 0 { cx.now } else { due };
        self.rescues.next_look = Some(due.max(cx.now));
        if due > cx.now {
            self.rescues.next_look = Some(due);
            return Ok(());
        }
        self.rescues.next_look = Some(cx.now.plus_millis(every));
        self.saved.rescue_at = cx.now.as_millis();
        self.dirty = true;
        self.requeue(cx)?;
        if self.is_open() && self.is_unheard(cx.now) {
            self.push_head();
            self.write_rescue(cx)?;
        }
        self.look_for_rescues(cx)
    }

    fn push_head(&mut self) {
        if let Some(group) = self.group.as_ref().filter(|g| g.is_active()) {
            let head =
                Message::Head { epoch: group.epoch(), authenticator: group.authenticator().into() };
            self.push_rescue(&wire::encode(&head));
        }
    }

    /// Looks now: somebody says that they need us.
    pub(crate) fn look_for_rescues(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let members: Vec<(MemberId, Vec<u8>)> =
            self.card.members.iter().map(|(id, known)| (*id, known.rescue.clone())).collect();
        for (member, first) in members {
            let reading = match self.rescues.readings.remove(&member) {
                Some(reading) => reading,
                None => {
                    let at = self.saved.rescue_read.get(&member).map_or(first, |b| b.to_vec());
                    let reader = StreamReader::new(
                        ReadCapability::from_bytes(&at)?,
                        self.card.rescue_context.to_vec(),
                    )?;
                    Reading { reader, joiner: Joiner::default(), open: None }
                }
            };
            let wanted = reading.reader.wanted();
            let asked = reading.open;
            self.rescues.readings.insert(member, reading);
            if asked.is_none() && self.can_decide() {
                let call = self.call(cx, Purpose::Rescue(member), Call::Look(wanted));
                if let Some(reading) = self.rescues.readings.get_mut(&member) {
                    reading.open = Some(call);
                }
            }
        }
        Ok(())
    }

    pub(super) fn on_rescue_boxes(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        boxes: Vec<VerifiedBox>,
    ) -> Result<(), Error> {
        let more = !boxes.is_empty();
        let Some(reading) = self.rescues.readings.get_mut(&member) else { return Ok(()) };
        reading.open = None;
        for found in boxes {
            reading.reader.accept(found);
        }
        let mut messages = Vec::new();
        while let Some(read) = reading.reader.next(cx.now)? {
            let joined = match read {
                Read::Plain(plain) => {
                    unpad(&plain).map_or(Joined::Broken, |content| reading.joiner.push(content))
                }
                Read::Nothing | Read::Gap(_) => {
                    reading.joiner.lose();
                    Joined::Broken
                }
            };
            if let Joined::Whole(message) = joined {
                messages.push(message);
            }
        }
        if reading.joiner.is_between() {
            self.saved.rescue_read.insert(member, reading.reader.capability().to_bytes());
            self.dirty = true;
        }
        for message in messages {
            if let Ok(message) = wire::decode(&message, "rescue message") {
                self.on_rescue(cx, member, message)?;
            }
        }
        // What came may be the beginning: look on at once.
        if more { self.look_for_rescues(cx) } else { Ok(()) }
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
    /// whoever has them as a contact with compared safety words.
    fn asked_for_rescue(
        &mut self,
        cx: &mut StepContext<'_>,
        from: MemberId,
        package: Vec<u8>,
    ) -> Result<(), Error> {
        if !Invited::parse(cx.mls, &package).is_ok_and(|i| i.id == from) {
            return Ok(());
        }
        if !self.may_change() {
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

    /// Adds somebody anew.
    pub(crate) fn readd(
        &mut self,
        cx: &mut StepContext<'_>,
        member: MemberId,
        key_package: Vec<u8>,
    ) -> Result<(), Error> {
        let intent = Intent::Readd { member, key_package };
        if self.saved.intents.iter().any(|(_, i)| *i == intent)
            || !self.is_open()
            || !self.may_change()
        {
            return Ok(());
        }
        self.saved.intents.push_back((cx.now.as_millis(), intent));
        self.dirty = true;
        let name = self.name_of(member);
        self.notice(
            cx,
            &format!("{name} has lost its place and is added again; compare the safety words anew"),
        )?;
        self.pump(cx)
    }

    fn rescued(&mut self, cx: &mut StepContext<'_>, welcome: &[u8]) -> Result<(), Error> {
        let Some(lost) = &self.saved.lost else { return Ok(()) };
        let secret = MemberSecret::from_bytes(&lost.secret)?;
        let group = match Group::join(cx.mls, &cx.kept(), welcome, secret) {
            Ok(group) if group.id() == self.card.group.as_slice() => group,
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            // A welcome for an earlier request.
            Ok(_) | Err(_) => return Ok(()),
        };
        self.saved.secret = lost.secret.clone();
        self.saved.lost = None;
        self.saved.held_by = None;
        self.epochs.clear();
        self.saved.late_acks.clear();
        self.saved.decided_at = cx.now.as_millis();
        self.group = Some(group);
        self.unverify();
        self.enter_epoch(cx)?;
        self.follow_given_name(cx, None)?;
        self.draw_near(cx)?;
        self.notice(
            cx,
            "added again: messages in between may be missing; compare the safety words anew",
        )
    }

    /// Another member's state. The same epoch with another authenticator is a fork.
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
        // The creator's side goes on: the word of any other member makes nobody give up their
        // place.
        if from == self.card.creator {
            self.lose(cx, "this side of the fork is given up")
        } else {
            Ok(())
        }
    }

    /// Tells the others where we stand, for somebody has been silent for long.
    pub(crate) fn show_head(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.push_head();
        self.look_for_rescues(cx)?;
        self.pump(cx)
    }

    fn send_again_later(&mut self, cx: &mut StepContext<'_>, seq: u64) -> Result<(), Error> {
        let tracked = self.pending.get(&seq).is_some_and(|p| p.tracked);
        if tracked { self.send_anew(cx, seq) } else { self.forget_pending(cx, seq) }
    }
}
