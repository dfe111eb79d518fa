//! One private conversation, of two or of many.
//!
//! Its parts own their state, and each can be read alone:
//!
//! | part | state |
//! |---|---|
//! | [`link`] | where requests go, and how far they get |
//! | [`epochs`] | keys of the current and the past epochs |
//! | [`lanes`] (each a [`lane`]) | how far we have read the others |
//! | [`acks`] | what we still have to acknowledge |
//! | [`outbox`] | our messages until everybody has them |
//! | [`deciding`] | which commit ends the epoch |
//! | [`commits`] | what we want to change, and our commit under way |
//! | [`rescues`] | rescue streams, and whether we have lost our place |
//!
//! [`Conversation`] owns the parts and the MLS group. Each input goes to the part that asked for
//! it; then [`Conversation::pump`] lets every part do what it can do now. Where parts meet, the
//! code is in [`receiving`], [`changing`], [`losing`] and [`people`]; [`trust`] says whom we
//! believe, [`erasing`] removes what should be gone, [`status`] answers questions.
//!
//! ```text
//!          begin, rescued                      removed, left
//! [no place] ───────────► [open: epoch n ─► n+1 ─► …] ───────────► [over]
//!      ▲                        │                                  (the past stays readable)
//!      └──────── lose ──────────┘
//! ```

mod acks;
mod changing;
mod commits;
mod deciding;
mod epochs;
mod erasing;
#[cfg(any(test, feature = "hostile"))]
mod hostile;
mod lane;
mod lanes;
mod link;
mod losing;
mod outbox;
mod people;
mod receiving;
mod rescues;
mod saved;
mod status;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::{Group, MemberSecret};
use e2ee::{Floor, NetworkPlace};
use streams::{Sizes, VerifiedBox, WriteCapability};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use self::acks::Acks;
use self::commits::Commits;
use self::deciding::Deciding;
use self::epochs::{EpochKeys, Epochs};
#[cfg(any(test, feature = "hostile"))]
pub(crate) use self::hostile::LookAlike;
use self::lanes::Lanes;
use self::link::Link;
use self::outbox::{Next, Outbox};
pub use self::people::Participant;
#[cfg(any(test, feature = "hostile"))]
pub(crate) use self::rescues::Message as RescueMessage;
use self::rescues::Rescues;
pub use self::saved::Card;
pub(crate) use self::saved::Identity;
#[cfg(test)]
pub(crate) use self::saved::Known;
use self::saved::Record;
use crate::Error;
use crate::body::Body;
use crate::codec::{Bytes, pack, unpack};
use crate::context::{Purpose, StepContext};
use crate::event::PlaceId;
use crate::near::Reach;
use crate::request::{Call, CallId};
use crate::store::Space;

/// One private conversation.
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    pub(crate) card: Card,
    /// Whether others may show that we have what they sent.
    pub(crate) show_delivery: bool,
    /// Contacts of whom nothing is shown.
    pub(crate) blocked: BTreeSet<ConversationId>,
    link: Link,
    group: Option<Group>,
    /// Secrets of our membership.
    secret: Bytes,
    /// By which the two of a direct chat find each other on a LAN.
    near: Option<Bytes>,
    /// Seconds until messages disappear.
    timer: Option<u32>,
    /// We have left, or the other has.
    over: bool,
    /// How the other members of a group are shown.
    member_names: BTreeMap<MemberId, String>,
    /// Boxes that the route in use can carry.
    sizes: Sizes,
    epochs: Epochs,
    lanes: Lanes,
    acks: Acks,
    outbox: Outbox,
    deciding: Deciding,
    commits: Commits,
    rescues: Rescues,
    /// Something changed that no part owns.
    dirty: bool,
}

impl Conversation {
    /// Begins with a group that we have founded or joined; `own` is what the user calls it.
    pub(crate) fn begin(
        cx: &mut StepContext<'_>,
        id: ConversationId,
        place: PlaceId,
        own: Option<String>,
        floor: Floor,
        group: Group,
    ) -> Result<Self, Error> {
        let charter = group.charter()?;
        let secret = group.secret();
        let other = group.members()?.into_iter().find(|m| m.id != secret.id());
        let given = if charter.direct {
            other.map(|m| m.card.name.as_str().to_owned()).unwrap_or_default()
        } else {
            charter.title.clone()
        };
        let card = Card {
            own,
            given,
            formerly: Vec::new(),
            format: Card::FORMAT,
            direct: charter.direct,
            verified: false,
            changed: false,
            compared: None,
            stopped: false,
            blocked: false,
            identity: None,
            floor,
            place: wire::encode(&charter.place),
            charter_floor: charter.floor,
            me: secret.id(),
            creator: charter.creator,
            rescue: secret.rescue().to_bytes(),
            rescue_context: Zeroizing::new(charter.rescue_context()),
            group: group.id().to_vec(),
            members: BTreeMap::new(),
            began: cx.now.as_millis(),
        };
        let record = Record::fresh(secret, cx.now);
        let mut conversation = Self::new(id, place, card, record);
        conversation.group = Some(group);
        conversation.enter_epoch(cx)?;
        conversation.draw_near(cx)?;
        conversation.save(cx)?;
        Ok(conversation)
    }

    fn new(id: ConversationId, place: PlaceId, card: Card, record: Record) -> Self {
        let lan = wire::decode::<NetworkPlace>(&card.place, "place").is_ok_and(|p| p.is_lan());
        let (context, first) = (card.rescue_context.clone(), card.rescue.clone());
        let mut rescues = Rescues::new(context, first, record.rescue);
        rescues.lost = record.lost;
        Conversation {
            id,
            link: Link { conversation: id, place, reach: Reach::Off, lan },
            member_names: people::names_of_members(&card),
            show_delivery: true,
            blocked: BTreeSet::new(),
            group: None,
            secret: record.secret,
            near: record.near,
            timer: record.timer,
            over: record.over,
            sizes: Sizes::Uniform,
            epochs: Epochs::default(),
            lanes: Lanes::default(),
            acks: Acks { due: record.ack_due, late: record.late_acks, dirty: false },
            outbox: Outbox::new(id, card.me, record.mine, record.next_seq),
            deciding: Deciding::new(record.decided_at, record.held_by),
            commits: Commits::new(
                record.intents,
                record.commit,
                record.unrefreshed,
                record.refreshed_at,
            ),
            rescues,
            card,
            dirty: true,
        }
    }

    /// The state of all parts, to be kept.
    fn record(&self) -> Record {
        Record {
            secret: self.secret.clone(),
            mine: self.outbox.mine.clone(),
            late_acks: self.acks.late.clone(),
            intents: self.commits.intents.clone(),
            commit: self.commits.pending.clone(),
            timer: self.timer,
            next_seq: self.outbox.next_seq,
            ack_due: self.acks.due,
            decided_at: self.deciding.decided_at,
            held_by: self.deciding.held_by,
            lost: self.rescues.lost.clone(),
            unrefreshed: self.commits.unrefreshed,
            refreshed_at: self.commits.refreshed_at,
            over: self.over,
            rescue: self.rescues.record.clone(),
            near: self.near.clone(),
        }
    }

    /// Loads what an earlier run has kept. Without a record (a restored profile) it begins lost,
    /// and asks to be added again.
    pub(crate) fn load(
        cx: &mut StepContext<'_>,
        id: ConversationId,
        place: PlaceId,
        card: Card,
    ) -> Result<Self, Error> {
        let Some(bytes) = cx.store.get(Space::Conversation, id.as_bytes())? else {
            return Self::restored(cx, id, place, card);
        };
        let record: Record = unpack(&bytes)?;
        let secret = MemberSecret::from_bytes(&record.secret)?;
        let group = Group::load(cx.mls, &cx.kept(), &card.group, secret)?;
        let mut conversation = Self::new(id, place, card, record);
        conversation.group = group;
        conversation.read_old_name(cx)?;
        conversation.outbox.load(cx)?;
        conversation.epochs = Epochs::load(cx, id)?;
        let owed = conversation.acks.due.is_some();
        conversation.lanes = Lanes::load(cx, id, conversation.card.me, &conversation.epochs, owed)?;
        conversation.dirty = false;
        if conversation.group.is_none() && conversation.rescues.lost.is_none() {
            conversation.lose(cx, "this profile has lost its keys of this conversation")?;
        }
        conversation.open_deciding(cx)?;
        Ok(conversation)
    }

    /// A backup holds neither keys nor positions (`GROUP-011`).
    fn restored(
        cx: &mut StepContext<'_>,
        id: ConversationId,
        place: PlaceId,
        card: Card,
    ) -> Result<Self, Error> {
        let rescue = WriteCapability::from_bytes(&card.rescue)?;
        let secret = MemberSecret::from_rescue(card.me, rescue, cx.now, cx.rng);
        let record = Record::fresh(&secret, cx.now);
        let mut conversation = Self::new(id, place, card, record);
        conversation.read_old_name(cx)?;
        conversation.lose(cx, "this profile was restored from a backup")?;
        conversation.save(cx)?;
        Ok(conversation)
    }

    /// Takes up the group's current epoch: its lanes, its deciding stream, our place in it.
    fn enter_epoch(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let Some(group) = self.group.as_ref().filter(|g| g.is_active()) else { return Ok(()) };
        let epoch = group.epoch();
        let context = group.lane_context(cx.mls)?;
        let members = group.members()?;
        let keys = EpochKeys {
            epoch,
            context: Zeroizing::new(context.reveal().to_vec()),
            members: members.iter().map(|m| (m.id, m.card.stream.to_bytes().to_vec())).collect(),
            left_at: 0,
        };
        self.epochs.enter(cx.now, keys);
        self.outbox.enter(epoch, group.secret().stream());
        for member in members.iter().filter(|m| m.id != self.card.me) {
            self.lanes.begin(member.id, epoch, &member.card.stream, &context)?;
        }
        let renamed = self.note_members(&members);
        let late = self.lanes.retire(cx, epoch, self.epochs.oldest());
        self.acks.keep_late(late);
        self.reseal_stale(cx)?;
        self.deciding.caught_up = false;
        self.dirty = true;
        self.note_head();
        self.open_deciding(cx)?;
        renamed.iter().try_for_each(|(old, new)| {
            self.notice(cx, &format!("“{old}” now goes by the name “{new}”"))
        })
    }

    /// Draws what the two of a direct chat find each other by on a LAN: when they are first in the
    /// group together, and when one is added again, because then both are in the same epoch.
    fn draw_near(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        if let Some(group) = self.group.as_ref().filter(|g| g.is_active() && self.card.direct) {
            self.near = Some(Zeroizing::new(group.near_secret(cx.mls)?.reveal().to_vec()));
            self.dirty = true;
        }
        Ok(())
    }

    pub(crate) const fn place(&self) -> PlaceId {
        self.link.place
    }

    /// Before the first request: where this conversation lives.
    pub(crate) fn set_place(&mut self, place: PlaceId) {
        self.link.place = place;
    }

    /// Moves to another place: all requests are made again there.
    pub(crate) fn move_to(
        &mut self,
        cx: &mut StepContext<'_>,
        place: PlaceId,
        reach: Reach,
    ) -> Result<(), Error> {
        self.cancel_calls(cx);
        self.lanes.forget_calls();
        self.outbox.forget_calls();
        self.commits.forget_calls();
        self.rescues.forget_calls();
        self.link.place = place;
        self.link.reach = Reach::Off;
        self.open_deciding(cx)?;
        self.set_reach(cx, reach)
    }

    /// How far this place's requests get now.
    pub(crate) fn set_reach(
        &mut self,
        cx: &mut StepContext<'_>,
        reach: Reach,
    ) -> Result<(), Error> {
        let could_decide = self.link.can_decide();
        self.link.reach = reach;
        if self.link.can_decide() && !could_decide {
            self.deciding.hub_came(cx.now);
            if !self.link.lan {
                self.outbox.hub_came(cx);
            }
            self.look_at_decisions(cx);
        }
        self.pump(cx)
    }

    /// The boxes that this conversation seals from now on. What is sealed, not at the hub, and too
    /// long for the route in use is encrypted again.
    pub(crate) fn set_sizes(
        &mut self,
        cx: &mut StepContext<'_>,
        sizes: Sizes,
    ) -> Result<(), Error> {
        self.sizes = sizes;
        if sizes == Sizes::Ladder { Ok(()) } else { self.outbox.reseal_long(cx) }
    }

    /// The user has set the time until messages disappear.
    pub(crate) fn timer_changed(
        &mut self,
        cx: &mut StepContext<'_>,
        seconds: u32,
    ) -> Result<(), Error> {
        self.timer_set(cx, None, seconds)?;
        self.save(cx)
    }

    /// Queues a message; it leaves when the conversation can write.
    pub(crate) fn queue(
        &mut self,
        cx: &mut StepContext<'_>,
        id: MessageId,
        body: Body,
    ) -> Result<(), Error> {
        self.outbox.queue(cx, id, body)
    }

    /// Takes a queued message back; false when it is sealed already.
    pub(crate) fn cancel(
        &mut self,
        cx: &mut StepContext<'_>,
        id: MessageId,
    ) -> Result<bool, Error> {
        self.outbox.cancel(cx, id)
    }

    /// We have ended our part: what is queued still leaves, and nothing more is queued.
    pub(crate) fn end(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.over = true;
        self.dirty = true;
        self.pump(cx)
    }

    /// Does what can be done now. To be called after each change.
    pub(crate) fn pump(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.read_lanes(cx)?;
        while self.step_deciding(cx)? {
            self.read_lanes(cx)?;
        }
        self.step_commit(cx)?;
        self.ack_if_due(cx)?;
        self.step_outbox(cx)?;
        if self.link.is_online() && self.rescues.lost.is_none() {
            let current = Some(self.outbox.mine.epoch).filter(|_| !self.over);
            self.lanes.follow(cx, &self.link, &self.epochs, current);
        }
        self.step_rescue(cx)?;
        self.save(cx)
    }

    /// Seals what is queued and puts what is sealed.
    fn step_outbox(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !self.link.is_online() {
            return Ok(());
        }
        let caught_up = self.deciding.caught_up;
        // While the hub is out of reach nobody can know what was decided: chat goes on in the epoch
        // that is known (DIRECT-022).
        let ready = caught_up || self.link.is_near() && !self.link.lan;
        let may_change = self.may_change() && !self.over;
        if ready
            && self.can_write()
            && !self.card.changed
            && let (Some(group), Some(keys)) = (&mut self.group, self.epochs.current())
        {
            // Without the hub its route is not known: what is sealed now has to fit any.
            let sizes = if self.link.can_decide() { self.sizes } else { Sizes::Uniform };
            let sealed = self.outbox.seal(cx, &self.link, sizes, keys, group)?;
            for _ in 0..sealed {
                self.commits.count_message(cx, may_change);
            }
        }
        self.outbox.put(cx, &self.link, caught_up)
    }

    /// The answer to a get or look.
    pub(crate) fn on_boxes(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: Purpose,
        boxes: Vec<VerifiedBox>,
    ) -> Result<(), Error> {
        match purpose {
            Purpose::Lane(member, epoch) => {
                let current = epoch == self.outbox.mine.epoch && !self.over;
                self.lanes.on_boxes(cx, &self.link, (member, epoch), current, boxes);
            }
            Purpose::Decide(epoch) => self.deciding.on_boxes(cx.now, epoch, boxes),
            Purpose::Body(epoch) => self.deciding.on_body(epoch, boxes),
            Purpose::Rescue(member, day) => self.on_rescue_boxes(cx, (member, day), boxes)?,
            Purpose::Taken => self.on_taken_shown(cx, &boxes)?,
            Purpose::Message(..)
            | Purpose::CommitBody(_)
            | Purpose::CommitDecision
            | Purpose::RescueWrite => {}
        }
        self.pump(cx)
    }

    /// The first packet of a put has left.
    pub(crate) fn on_sent(
        &mut self,
        cx: &mut StepContext<'_>,
        seq: u64,
        index: usize,
    ) -> Result<(), Error> {
        self.outbox.on_sent(cx, seq, index)
    }

    /// The hub's answer to a put.
    pub(crate) fn on_put(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: Purpose,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        match purpose {
            Purpose::Message(seq, index) => {
                let others = &self.card.members;
                let next = self.outbox.on_put(cx, &self.link, others, (seq, index), outcome)?;
                if let Next::AskWhoWrote(id) = next {
                    // The hub's word is not enough: whoever wrote there has signed the box.
                    self.link.call(cx, Purpose::Taken, Call::Look(vec![id]));
                }
            }
            Purpose::CommitBody(index) => self.commits.on_body_put(cx.now, index, outcome),
            Purpose::CommitDecision => self.on_decision_put(cx, outcome)?,
            Purpose::RescueWrite => self.rescues.on_put(cx.now, outcome)?,
            Purpose::Lane(..)
            | Purpose::Decide(_)
            | Purpose::Body(_)
            | Purpose::Rescue(..)
            | Purpose::Taken => {}
        }
        self.pump(cx)
    }

    /// Neighbours may fetch one of our boxes from us.
    pub(crate) fn on_carried(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: Purpose,
    ) -> Result<(), Error> {
        if self.link.lan {
            return self.on_put(cx, purpose, PutOutcome::Stored);
        }
        match purpose {
            Purpose::Message(seq, index) => {
                self.outbox.on_carried(cx, &self.card.members, seq, index)?;
            }
            Purpose::CommitBody(index) => self.commits.on_carried(index),
            Purpose::CommitDecision => self.commits.on_carried(0),
            Purpose::RescueWrite => self.rescues.on_carried(),
            Purpose::Lane(..)
            | Purpose::Decide(_)
            | Purpose::Body(_)
            | Purpose::Rescue(..)
            | Purpose::Taken => {}
        }
        self.pump(cx)
    }

    /// When [`Conversation::pump`] is due although nothing comes; never while nothing could be
    /// done.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        if !self.link.is_online() {
            return None;
        }
        let outbox = self.outbox.deadline(&self.link, self.deciding.caught_up);
        let ack = self.acks.deadline().filter(|_| self.can_write());
        let always = [self.lanes.deadline(), outbox, ack, self.deciding_deadline()];
        let commits = self.commit_deadline();
        let rescues = self.rescues.deadline(&self.link, self.over);
        let rescues = rescues.filter(|_| self.link.can_decide());
        always.into_iter().chain([commits, rescues]).flatten().min()
    }

    /// Writes what has changed.
    fn save(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        self.epochs.save(cx, self.id)?;
        self.lanes.save(cx, self.id)?;
        let dirty = [
            &mut self.dirty,
            &mut self.acks.dirty,
            &mut self.outbox.dirty,
            &mut self.deciding.dirty,
            &mut self.commits.dirty,
            &mut self.rescues.dirty,
        ];
        // Counted and not searched: all of them have to be clean afterwards.
        if dirty.into_iter().map(std::mem::take).filter(|dirty| *dirty).count() == 0 {
            return Ok(());
        }
        cx.store.put(Space::Conversation, self.id.as_bytes(), &pack(&self.record())?)?;
        self.save_card(cx)
    }

    pub(crate) fn save_card(&self, cx: &StepContext<'_>) -> Result<(), Error> {
        Self::keep_card(cx, self.id, &self.card)
    }

    pub(crate) fn keep_card(
        cx: &StepContext<'_>,
        id: ConversationId,
        card: &Card,
    ) -> Result<(), Error> {
        Ok(cx.store.put(Space::Card, id.as_bytes(), &pack(card)?)?)
    }

    /// Nothing is waited for any more.
    pub(crate) fn cancel_calls(&self, cx: &mut StepContext<'_>) {
        self.open_calls().into_iter().for_each(|call| cx.out.cancel(call));
    }

    fn open_calls(&self) -> Vec<CallId> {
        let reading = self.lanes.calls().chain(self.deciding.calls());
        let writing = self.outbox.calls().chain(self.commits.calls());
        reading.chain(writing).chain(self.rescues.calls()).collect()
    }
}
