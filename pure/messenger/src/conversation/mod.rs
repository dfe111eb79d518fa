//! One private conversation, of two or of many: its MLS group, its members' lanes, its outbox, its
//! commits.
//!
//! Every member writes its own stream. In each epoch all boxes lie under that epoch's context, from
//! the stream's first index on: a *lane* is one member's boxes in one epoch. Lanes of the current
//! and the two epochs before are read.

mod deciding;
mod lane;
mod receiving;
mod rescue;
mod saved;
mod sending;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::{Charter, Floor, Group, MemberSecret, PAST_EPOCHS};
use e2ee::{NetworkPlace, Newlines, Nick, Secret, sanitize};
use streams::{ReadCapability, VerifiedBox};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use self::deciding::Deciding;
use self::lane::Lane;
use self::rescue::Rescues;
pub use self::saved::Card;
pub(crate) use self::saved::{BoxBytes, Bytes, Identity, Known};
use self::saved::{EpochKeys, LaneSaved, LateAck, MyLane, Pending, Saved};
use crate::Error;
use crate::codec::{pack, unpack};
use crate::context::{Effect, Owner, Purpose, StepContext};
use crate::event::{Event, PlaceId};
use crate::names::{self, Named};
use crate::near::{Near, NearWho, Reach};
use crate::request::{Call, CallId};
use crate::sealed::Run;
use crate::store::{Author, Kind, NewMessage, Space, State};

/// How often lanes of a past epoch are looked at again, ms, and for how long.
const PAST_LOOK_MS: u64 = 20_000;
/// As often when it costs nothing: the boxes of neighbours lie here.
const PAST_LOOK_NEAR_MS: u64 = 500;
const PAST_WATCH_MS: u64 = 300_000;
/// Acknowledgements of lanes read no more that may wait; older ones are dropped, and what they were
/// for is sent again.
const MAX_LATE_ACKS: usize = 1_024;

/// Who goes by which name in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Who.
    pub id: MemberId,
    /// Name as shown, unique in the conversation.
    pub name: String,
    /// Whether it is us.
    pub me: bool,
    /// The contact, if this profile brought them in.
    pub contact: Option<ConversationId>,
}

/// One private conversation.
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    pub(crate) place: PlaceId,
    pub(crate) card: Card,
    saved: Saved,
    /// Current and past epochs, oldest first.
    epochs: VecDeque<EpochKeys>,
    group: Option<Group>,
    lanes: BTreeMap<(MemberId, u64), Lane>,
    /// How members are shown, without us.
    member_names: BTreeMap<MemberId, String>,
    pending: BTreeMap<u64, Pending>,
    runs: BTreeMap<u64, Run>,
    /// Messages that were sealed before the hub came in reach: their epoch may be over.
    sealed_before: BTreeSet<u64>,
    deciding: Option<Deciding>,
    commit_run: Run,
    rescues: Rescues,
    reach: Reach,
    /// Without a hub: neighbours carry all, and the creator decides.
    lan: bool,
    /// Whether others may show that we have what they sent.
    pub(crate) show_delivery: bool,
    sizes: streams::Sizes,
    /// Whether we know that nothing was decided in the current epoch when we last asked.
    caught_up: bool,
    dirty: bool,
    epochs_dirty: bool,
}

fn epochs_key(id: ConversationId) -> Vec<u8> {
    [id.as_bytes().as_slice(), b"e"].concat()
}

fn lane_prefix(id: ConversationId) -> Vec<u8> {
    [id.as_bytes().as_slice(), b"l"].concat()
}

fn lane_key(id: ConversationId, member: MemberId, epoch: u64) -> Vec<u8> {
    [lane_prefix(id).as_slice(), member.as_bytes(), &epoch.to_be_bytes()].concat()
}

pub(super) fn key_of(id: ConversationId, seq: u64) -> Vec<u8> {
    [id.as_bytes().as_slice(), &seq.to_be_bytes()].concat()
}

impl Conversation {
    /// Begins with a group that we have founded or joined.
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
        let others = group.members()?.into_iter().find(|m| m.id != secret.id());
        let given = if charter.direct {
            others.map(|m| m.card.name.as_str().to_owned()).unwrap_or_default()
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
        let saved = Saved {
            secret: secret.to_bytes(),
            mine: MyLane { epoch: 0, next: Zeroizing::default(), count: 0 },
            late_acks: Vec::new(),
            intents: Default::default(),
            commit: None,
            timer: None,
            next_seq: 0,
            ack_due: None,
            decided_at: cx.now.as_millis(),
            held_by: None,
            lost: None,
            unrefreshed: 0,
            refreshed_at: cx.now.as_millis(),
            over: false,
            rescue_next: secret.rescue().to_bytes(),
            rescue_out: Default::default(),
            rescue_read: BTreeMap::new(),
            rescue_at: cx.now.as_millis(),
            near: None,
        };
        let mut conversation = Self::new(id, place, card, saved);
        conversation.group = Some(group);
        conversation.enter_epoch(cx)?;
        conversation.draw_near(cx)?;
        conversation.save(cx)?;
        Ok(conversation)
    }

    fn new(id: ConversationId, place: PlaceId, card: Card, saved: Saved) -> Self {
        let lan = wire::decode::<NetworkPlace>(&card.place, "place").is_ok_and(|p| p.is_lan());
        let member_names = names_of_members(&card);
        Conversation {
            id,
            place,
            card,
            member_names,
            saved,
            epochs: VecDeque::new(),
            group: None,
            lanes: BTreeMap::new(),
            pending: BTreeMap::new(),
            runs: BTreeMap::new(),
            sealed_before: BTreeSet::new(),
            deciding: None,
            commit_run: Run::default(),
            rescues: Rescues::default(),
            reach: Reach::Off,
            lan,
            show_delivery: true,
            sizes: streams::Sizes::Uniform,
            caught_up: false,
            dirty: true,
            epochs_dirty: true,
        }
    }

    /// Loads what an earlier run has kept. Without keys (a restored profile) it begins lost, and
    /// asks to be re-added.
    pub(crate) fn load(
        cx: &mut StepContext<'_>,
        id: ConversationId,
        place: PlaceId,
        card: Card,
    ) -> Result<Self, Error> {
        let Some(bytes) = cx.store.get(Space::Conversation, id.as_bytes())? else {
            return Self::restored(cx, id, place, card);
        };
        let saved: Saved = unpack(&bytes)?;
        let secret = MemberSecret::from_bytes(&saved.secret)?;
        let group = Group::load(cx.mls, &cx.kept(), &card.group, secret)?;
        let mut conversation = Self::new(id, place, card, saved);
        conversation.group = group;
        conversation.read_old_name(cx)?;
        for (key, value) in cx.store.scan(Space::Outbox, id.as_bytes())? {
            let seq = key
                .get(16..24)
                .and_then(|b| b.try_into().ok())
                .map(u64::from_be_bytes)
                .ok_or(Error::Damaged)?;
            conversation.pending.insert(seq, unpack(&value)?);
        }
        conversation.restore_lanes(cx)?;
        conversation.dirty = false;
        conversation.epochs_dirty = false;
        if conversation.group.is_none() && conversation.saved.lost.is_none() {
            conversation.lose(cx, "this profile has lost its keys of this conversation")?;
        }
        conversation.open_deciding(cx)?;
        Ok(conversation)
    }

    fn restored(
        cx: &mut StepContext<'_>,
        id: ConversationId,
        place: PlaceId,
        card: Card,
    ) -> Result<Self, Error> {
        let rescue = streams::WriteCapability::from_bytes(&card.rescue)?;
        let secret = MemberSecret::from_rescue(card.me, rescue, cx.rng);
        let saved = Saved {
            secret: secret.to_bytes(),
            mine: MyLane { epoch: 0, next: Zeroizing::default(), count: 0 },
            late_acks: Vec::new(),
            intents: Default::default(),
            commit: None,
            timer: None,
            next_seq: 0,
            ack_due: None,
            decided_at: cx.now.as_millis(),
            held_by: None,
            lost: None,
            unrefreshed: 0,
            refreshed_at: cx.now.as_millis(),
            over: false,
            rescue_next: card.rescue.clone(),
            rescue_out: Default::default(),
            rescue_read: BTreeMap::new(),
            rescue_at: 0,
            near: None,
        };
        let mut conversation = Self::new(id, place, card, saved);
        conversation.read_old_name(cx)?;
        conversation.lose(cx, "this profile was restored from a backup")?;
        conversation.save(cx)?;
        Ok(conversation)
    }

    /// Cards of earlier versions have one name only (`NAME-011`).
    fn read_old_name(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        let given = self.given_now();
        if self.card.split_old_name(given) { self.save_card(cx) } else { Ok(()) }
    }

    /// What others call this conversation: the charter's title, or the nick of the contact.
    fn given_now(&self) -> Option<String> {
        if self.card.direct {
            self.card.members.values().next().map(|known| known.name.clone())
        } else {
            self.charter().map(|charter| charter.title)
        }
    }

    /// Takes up the title or nick that others have set, and tells: by whom, if that is known.
    /// Our own name stays what it is (`NAME-001`).
    fn follow_given_name(
        &mut self,
        cx: &mut StepContext<'_>,
        by: Option<&str>,
    ) -> Result<(), Error> {
        let Some(new) = self.given_now().filter(|new| *new != self.card.given) else {
            return Ok(());
        };
        let old = self.card.given.clone();
        names::rename(&mut self.card.given, &mut self.card.formerly, &new);
        self.dirty = true;
        let text = match by {
            _ if self.card.direct => format!("“{old}” now goes by the name “{new}”"),
            Some(by) => format!("{by} changed the title from “{old}” to “{new}”"),
            None => format!("the title was changed from “{old}” to “{new}”"),
        };
        cx.out.effects.push_back(Effect::Renamed);
        cx.event(Event::Renamed { conversation: self.id, from: old, to: new });
        self.notice(cx, &text)
    }

    fn restore_lanes(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        if let Some(bytes) = cx.store.get(Space::Conversation, &epochs_key(self.id))? {
            self.epochs = unpack(&bytes)?;
        }
        for keys in &self.epochs {
            let context = keys.secret().ok_or(Error::Damaged)?;
            for (member, stream) in keys.members.iter().filter(|(m, _)| **m != self.card.me) {
                let first = ReadCapability::from_bytes(stream)?;
                let base = first.index().counter();
                let kept =
                    cx.store.get(Space::Conversation, &lane_key(self.id, *member, keys.epoch))?;
                let kept: Option<LaneSaved> = kept.map(|bytes| unpack(&bytes)).transpose()?;
                let mut lane = match kept {
                    Some(l) => Lane::new(
                        ReadCapability::from_bytes(&l.boundary)?,
                        base,
                        &context,
                        l.holes,
                    )?,
                    None => Lane::new(first, base, &context, Vec::new())?,
                };
                // What was read and not acknowledged before the last stop is acknowledged now.
                lane.unacked = self.saved.ack_due.is_some() && lane.done() > 0;
                self.lanes.insert((*member, keys.epoch), lane);
            }
        }
        Ok(())
    }

    /// Takes up the group's current epoch: its lanes, its deciding stream, our place in it.
    fn enter_epoch(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let Some(group) = &self.group else { return Ok(()) };
        if !group.is_active() {
            return Ok(());
        }
        let epoch = group.epoch();
        let context = group.lane_context(cx.mls)?;
        let members = group.members()?;
        let streams = members.iter().map(|m| (m.id, m.card.stream.to_bytes().to_vec())).collect();
        if let Some(last) = self.epochs.back_mut() {
            last.left_at = cx.now.as_millis();
        }
        let keys = EpochKeys {
            epoch,
            context: Zeroizing::new(context.reveal().to_vec()),
            members: streams,
            left_at: 0,
        };
        self.epochs.push_back(keys);
        while self.epochs.len() > PAST_EPOCHS.saturating_add(1) {
            self.epochs.pop_front();
        }
        self.saved.mine = MyLane { epoch, next: group.secret().stream().to_bytes(), count: 0 };
        let me = self.card.me;
        for member in members.iter().filter(|m| m.id != me) {
            let base = member.card.stream.index().counter();
            let lane = Lane::new(member.card.stream.clone(), base, &context, Vec::new())?;
            self.lanes.insert((member.id, epoch), lane);
        }
        let renamed = self.note_members(&members);
        self.drop_old_epochs(cx);
        self.requeue(cx)?;
        self.caught_up = false;
        self.dirty = true;
        self.epochs_dirty = true;
        self.open_deciding(cx)?;
        renamed.iter().try_for_each(|(old, new)| {
            self.notice(cx, &format!("“{old}” now goes by the name “{new}”"))
        })
    }

    /// Lanes, positions and requests of epochs that have left the window.
    fn drop_old_epochs(&mut self, cx: &mut StepContext<'_>) {
        let current = self.saved.mine.epoch;
        let oldest = self.epochs.front().map_or(0, |e| e.epoch);
        for ((_, epoch), lane) in &mut self.lanes {
            // A long-standing request of an epoch that has become past gives way to looks.
            if *epoch != current
                && let Some(call) = lane.open.take()
            {
                cx.out.cancel(call);
            }
        }
        let gone: Vec<_> =
            self.lanes.keys().copied().filter(|(_, epoch)| *epoch < oldest).collect();
        for (author, epoch) in gone {
            if let Some(lane) = self.lanes.remove(&(author, epoch)).filter(|l| l.unacked) {
                if self.saved.late_acks.len() >= MAX_LATE_ACKS {
                    self.saved.late_acks.remove(0);
                }
                let (count, holes) = lane.acknowledged();
                self.saved.late_acks.push(LateAck { author, epoch, count, holes });
            }
        }
    }

    /// Takes up who is in the group now; gives the members of a group that changed their nicks,
    /// old and new.
    fn note_members(&mut self, members: &[e2ee::mls::Member]) -> Vec<(String, String)> {
        let old = std::mem::take(&mut self.card.members);
        let mut renamed = Vec::new();
        for member in members.iter().filter(|m| m.id != self.card.me) {
            let contact = old.get(&member.id).and_then(|k| k.contact);
            let known = Known {
                name: member.card.name.as_str().to_owned(),
                rescue: member.card.rescue.to_bytes().to_vec(),
                contact,
            };
            if let Some(before) = old.get(&member.id).filter(|k| k.name != known.name)
                && !self.card.direct
            {
                renamed.push((before.name.clone(), known.name.clone()));
            }
            self.card.members.insert(member.id, known);
        }
        self.member_names = names_of_members(&self.card);
        renamed
    }

    /// Requests get somewhere.
    fn is_online(&self) -> bool {
        self.reach > Reach::Off
    }

    /// Whoever decides is in reach: the hub, or where there is none, neighbours.
    fn can_decide(&self) -> bool {
        self.reach == Reach::Hub || self.lan && self.is_online()
    }

    /// Whether we may change the members: anybody where a hub orders the changes, else the creator
    /// (`GROUP-016`).
    pub(crate) fn may_change(&self) -> bool {
        !self.lan || self.card.creator == self.card.me
    }

    /// Without a hub the creator decides: nothing is decided without it.
    pub(crate) fn decides_alone(&self) -> bool {
        self.lan && self.may_change()
    }

    /// What the two of a direct chat find each other by on a LAN: drawn when they are first in the
    /// group together, and anew when one is added again, for then both are in the same epoch.
    fn draw_near(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        if let Some(group) = self.group.as_ref().filter(|g| g.is_active() && self.card.direct) {
            self.saved.near = Some(Zeroizing::new(group.near_secret(cx.mls)?.reveal().to_vec()));
            self.dirty = true;
        }
        Ok(())
    }

    /// The secret and our role, if the contact may be looked for on a LAN.
    pub(crate) fn near(&self) -> Option<Near> {
        if !self.card.direct || !self.is_open() || !self.floor().allows_lan() {
            return None;
        }
        let secret =
            self.saved.near.as_ref().and_then(|s| s.as_slice().try_into().ok()).map(Secret::new)?;
        let first = self.card.members.keys().next().is_some_and(|other| self.card.me < *other);
        Some(Near { who: NearWho::Contact(self.id), place: self.place, secret, first })
    }

    /// Whether anything of the others was read in the current epoch or the ones before it that are
    /// still read.
    pub(crate) fn has_heard(&self) -> bool {
        self.lanes.values().any(|l| l.done() > 0)
    }

    /// Whether it goes on: we are a member, know our place, and nobody has ended it.
    pub(crate) fn is_open(&self) -> bool {
        self.can_write() && !self.saved.over
    }

    /// Whether what is queued can leave: also the farewell of a conversation that is over.
    fn can_write(&self) -> bool {
        self.group.as_ref().is_some_and(Group::is_active) && self.saved.lost.is_none()
    }

    /// Whether this epoch's lanes are read as long as we live; others only until they are empty.
    fn is_current(&self, epoch: u64) -> bool {
        epoch == self.saved.mine.epoch && !self.saved.over
    }

    /// We have ended a direct chat: nothing more is said, but that.
    pub(crate) fn end(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.saved.over = true;
        self.dirty = true;
        self.pump(cx)
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        match (self.saved.over, self.saved.lost.is_some() || self.group.is_some()) {
            (true, _) => Err(Error::Refused("this conversation is over")),
            // What is said while we wait to be added again leaves afterwards.
            (false, true) => Ok(()),
            (false, false) => Err(Error::Refused("the conversation is not open now")),
        }
    }

    /// Another place: all requests are asked anew there.
    pub(crate) fn move_to(
        &mut self,
        cx: &mut StepContext<'_>,
        place: PlaceId,
        reach: Reach,
    ) -> Result<(), Error> {
        for call in self.open_calls() {
            cx.out.cancel(call);
        }
        self.lanes.values_mut().for_each(|l| l.open = None);
        self.runs.clear();
        self.commit_run = Run::default();
        self.rescues = Rescues::default();
        self.place = place;
        self.reach = Reach::Off;
        self.open_deciding(cx)?;
        self.set_reach(cx, reach)
    }

    pub(crate) fn timer_changed(
        &mut self,
        cx: &mut StepContext<'_>,
        seconds: u32,
    ) -> Result<(), Error> {
        self.timer_set(cx, None, seconds)?;
        self.save(cx)
    }

    pub(crate) fn charter(&self) -> Option<Charter> {
        self.group.as_ref().and_then(|g| g.charter().ok())
    }

    /// The routes that the conversation may use: the stricter of the charter's and ours.
    pub(crate) fn floor(&self) -> Floor {
        self.card.charter_floor.stricter(self.card.floor)
    }

    #[cfg(test)]
    pub(crate) fn epoch(&self) -> u64 {
        self.saved.mine.epoch
    }

    pub(crate) const fn timer(&self) -> Option<u32> {
        self.saved.timer
    }

    pub(crate) fn safety_words(&self) -> Result<String, Error> {
        let group = self.group.as_ref().filter(|g| g.is_active());
        Ok(group.ok_or(Error::Refused("the conversation is not open now"))?.safety_words()?)
    }

    pub(crate) fn identity_statement(&self, ours: bool) -> Result<String, Error> {
        let group = self.group.as_ref().filter(|g| g.is_active());
        Ok(group
            .ok_or(Error::Refused("the conversation is not open now"))?
            .identity_statement(ours)?)
    }

    /// Fingerprint of the OpenPGP key that the contact is bound to. What was signed for other keys
    /// counts no more.
    pub(crate) fn bound_to(&self) -> Option<&str> {
        let bound = self.card.identity.as_ref()?;
        let holds = self.identity_statement(false).is_ok_and(|now| now == bound.statement);
        holds.then_some(bound.fingerprint.as_str())
    }

    /// Whoever this is, the user has not checked it.
    pub(crate) fn unverify(&mut self) {
        self.card.verified = false;
        self.card.identity = None;
    }

    /// Everybody, us included, under unique names.
    pub(crate) fn participants(&self, my_name: &str) -> Vec<Participant> {
        let mut all = vec![Participant {
            id: self.card.me,
            name: my_name.to_owned(),
            me: true,
            contact: None,
        }];
        for (id, known) in &self.card.members {
            all.push(Participant {
                id: *id,
                name: self.name_of(*id),
                me: false,
                contact: known.contact,
            });
        }
        all
    }

    /// A member's name as shown: in a direct chat the contact's, in a group the nick, with a tag
    /// where two could be taken for one.
    pub(crate) fn name_of(&self, member: MemberId) -> String {
        if self.card.direct {
            return self.card.bare().to_owned();
        }
        let name = self.member_names.get(&member);
        name.map_or_else(|| "somebody who left".to_owned(), Clone::clone)
    }

    /// Puts a line about the conversation into its history.
    pub(crate) fn notice(&mut self, cx: &mut StepContext<'_>, text: &str) -> Result<(), Error> {
        let message = NewMessage {
            conversation: self.id,
            id: MessageId::random(cx.rng),
            author: Author::Me,
            author_name: String::new(),
            sent_at: cx.now,
            received_at: cx.now,
            kind: Kind::Notice,
            text: sanitize(text, Newlines::Fold),
            reply_to: None,
            state: State::Received,
            expires_at: None,
            route: String::new(),
        };
        cx.store.add_message(&message)?;
        cx.event(Event::Conversation { conversation: self.id, text: message.text });
        Ok(())
    }

    /// How far this place's requests get now.
    pub(crate) fn set_reach(
        &mut self,
        cx: &mut StepContext<'_>,
        reach: Reach,
    ) -> Result<(), Error> {
        let could_decide = self.can_decide();
        self.reach = reach;
        if self.can_decide() && !could_decide {
            self.caught_up = false;
            self.wait_for_body_anew(cx.now);
            self.note_sealed(cx);
            self.look_at_decisions(cx);
        }
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
        self.seal_queued(cx)?;
        self.put_boxes(cx)?;
        self.follow_lanes(cx);
        self.step_rescue(cx)?;
        self.save(cx)
    }

    fn call(&mut self, cx: &mut StepContext<'_>, purpose: Purpose, call: Call) -> CallId {
        let hub_only = !self.lan && matches!(purpose, Purpose::Decide(_) | Purpose::CommitDecision);
        cx.out.ask(Owner::Conversation(self.id, purpose), self.place, call, hub_only)
    }

    /// Keeps a request open for each lane of the current epoch, and looks at those of past ones now
    /// and then.
    fn follow_lanes(&mut self, cx: &mut StepContext<'_>) {
        if !self.is_online() || self.saved.lost.is_some() {
            return;
        }
        let current = Some(self.saved.mine.epoch).filter(|epoch| self.is_current(*epoch));
        let left: BTreeMap<u64, u64> = self.epochs.iter().map(|e| (e.epoch, e.left_at)).collect();
        for ((member, epoch), lane) in &mut self.lanes {
            let wanted = lane.wanted();
            // All of the window is here already, and waits for an earlier lane.
            if lane.open.is_some() || wanted.is_empty() {
                continue;
            }
            let call = if Some(*epoch) == current {
                Call::Get(wanted)
            } else {
                let age = cx.now.as_millis().saturating_sub(left.get(epoch).copied().unwrap_or(0));
                if lane.drained && age > PAST_WATCH_MS {
                    lane.look_at = Timestamp::ZERO;
                    continue;
                }
                if lane.drained && lane.look_at > cx.now {
                    continue;
                }
                Call::Look(wanted)
            };
            let owner = Owner::Conversation(self.id, Purpose::Lane(*member, *epoch));
            lane.open = Some(cx.out.call(owner, self.place, call));
        }
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
                let current = self.is_current(epoch);
                let Some(lane) = self.lanes.get_mut(&(member, epoch)) else { return Ok(()) };
                lane.open = None;
                if !current && boxes.is_empty() {
                    lane.drained = true;
                    let wait =
                        if self.reach == Reach::Near { PAST_LOOK_NEAR_MS } else { PAST_LOOK_MS };
                    lane.look_at = cx.now.plus_millis(wait);
                }
                for found in boxes {
                    if lane.accept(found) {
                        lane.via = cx.via;
                    }
                }
            }
            Purpose::Decide(epoch) => self.on_decisions(cx, epoch, boxes),
            Purpose::Body(epoch) => self.on_body(epoch, boxes),
            Purpose::Rescue(member) => self.on_rescue_boxes(cx, member, boxes)?,
            Purpose::Message(..)
            | Purpose::CommitBody(_)
            | Purpose::CommitDecision
            | Purpose::RescueWrite(_) => {}
        }
        self.pump(cx)
    }

    /// The hub's word on a box of ours.
    pub(crate) fn on_put(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: Purpose,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        match purpose {
            Purpose::Message(seq, index) => self.on_message_put(cx, seq, index, outcome)?,
            Purpose::CommitBody(index) => {
                self.commit_run.settle(cx.now, index, outcome);
            }
            Purpose::CommitDecision => self.on_decision_put(cx, outcome)?,
            Purpose::RescueWrite(index) => self.on_rescue_put(cx, index, outcome)?,
            Purpose::Lane(..) | Purpose::Decide(_) | Purpose::Body(_) | Purpose::Rescue(_) => {}
        }
        self.pump(cx)
    }

    /// Neighbours may fetch a box of ours from us.
    pub(crate) fn on_carried(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: Purpose,
    ) -> Result<(), Error> {
        if self.lan {
            return self.on_put(cx, purpose, PutOutcome::Stored);
        }
        match purpose {
            Purpose::Message(seq, index) => self.on_message_carried(cx, seq, index)?,
            Purpose::CommitBody(index) => self.commit_run.carried(index),
            Purpose::CommitDecision => self.commit_run.carried(0),
            Purpose::RescueWrite(_) => self.rescues.carried(),
            Purpose::Lane(..) | Purpose::Decide(_) | Purpose::Body(_) | Purpose::Rescue(_) => {}
        }
        self.pump(cx)
    }

    /// When [`Conversation::pump`] is due although nothing comes. Nothing is due while nothing can
    /// be done about it.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        if !self.is_online() {
            return None;
        }
        let lanes = self.lanes.values().filter_map(Lane::deadline);
        let looks = self
            .lanes
            .values()
            .filter(|l| l.open.is_none() && l.look_at > Timestamp::ZERO)
            .map(|l| l.look_at);
        let commit = Some(&self.commit_run).filter(|_| self.can_decide());
        let runs =
            self.runs.iter().filter(|(seq, _)| !self.waits_for_epoch(**seq)).map(|(_, run)| run);
        let runs = runs.chain(commit).filter_map(|run| run.deadline(self.reach));
        let ack = self.saved.ack_due.filter(|_| self.can_write()).map(Timestamp::from_millis);
        let waiting = lanes.chain(looks).chain(runs).chain(ack).min();
        waiting.into_iter().chain(self.deciding_deadline()).chain(self.rescue_deadline()).min()
    }

    /// Writes what has changed.
    fn save(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        if std::mem::take(&mut self.epochs_dirty) {
            cx.store.put(Space::Conversation, &epochs_key(self.id), &pack(&self.epochs)?)?;
            let prefix = lane_prefix(self.id);
            for (key, _) in cx.store.scan(Space::Conversation, &prefix)? {
                let kept = self
                    .lanes
                    .keys()
                    .any(|(member, epoch)| lane_key(self.id, *member, *epoch) == key);
                if !kept {
                    cx.store.remove(Space::Conversation, &key)?;
                }
            }
        }
        for ((member, epoch), lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.dirty) {
            lane.dirty = false;
            let kept =
                LaneSaved { boundary: lane.boundary().to_bytes(), holes: lane.holes.clone() };
            cx.store.put(
                Space::Conversation,
                &lane_key(self.id, *member, *epoch),
                &pack(&kept)?,
            )?;
        }
        cx.store.put(Space::Conversation, self.id.as_bytes(), &pack(&self.saved)?)?;
        self.save_card(cx)
    }

    pub(crate) fn save_card(&self, cx: &StepContext<'_>) -> Result<(), Error> {
        Ok(cx.store.put(Space::Card, self.id.as_bytes(), &pack(&self.card)?)?)
    }

    /// Forgets it: keys, outbox, history.
    pub(crate) fn remove(mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        for call in self.open_calls() {
            cx.out.cancel(call);
        }
        if let Some(group) = self.group.take() {
            group.delete(cx.mls, &cx.kept())?;
        }
        for (key, _) in cx.store.scan(Space::Outbox, self.id.as_bytes())? {
            cx.store.remove(Space::Outbox, &key)?;
        }
        for (key, _) in cx.store.scan(Space::Conversation, self.id.as_bytes())? {
            cx.store.remove(Space::Conversation, &key)?;
        }
        cx.store.remove(Space::Card, self.id.as_bytes())?;
        Ok(cx.store.remove_conversation(&self.id)?)
    }

    fn open_calls(&self) -> Vec<CallId> {
        let lanes = self.lanes.values().filter_map(|l| l.open);
        let runs = self.runs.values().chain([&self.commit_run]).flat_map(Run::calls);
        let deciding = self.deciding.iter().flat_map(Deciding::calls);
        lanes.chain(runs).chain(deciding).chain(self.rescues.calls()).collect()
    }
}

/// How the members of a group are shown. A nick that could be taken for the program's own voice,
/// such as `you`, always bears its tag.
fn names_of_members(card: &Card) -> BTreeMap<MemberId, String> {
    let named = |(id, known): (&MemberId, &Known)| Named {
        key: *id,
        own: None,
        given: known.name.clone(),
        formerly: Vec::new(),
        tag: names::short(id.as_bytes()),
    };
    let all: Vec<_> = card.members.iter().map(named).collect();
    let mut shown = names::labels(&all);
    for named in all.iter().filter(|n| Nick::new(&n.given).is_ok_and(|nick| nick.is_reserved())) {
        if let Some(name) = shown.get_mut(&named.key).filter(|name| **name == named.given) {
            *name = format!("{name}~{}", named.tag);
        }
    }
    shown
}
