//! How two people become contacts: both ends of an invite (DESIGN 4).

use e2ee::id::{ConversationId, MessageId};
use e2ee::invite::{Answer, CONTEXT, Invite, Offer};
use e2ee::mls::{Changes, Charter, Floor, Group, Invited, MemberSecret, forget, key_package};
use e2ee::{Nick, Secret};
use serde::{Deserialize, Serialize};
use streams::{Sizes, VerifiedBox, unpad};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use crate::Error;
use crate::codec::pack;
use crate::context::{InvitePurpose, Owner, StepContext};
use crate::conversation::{BoxBytes, Bytes};
use crate::event::{Event, PlaceId};
use crate::near::{Near, NearWho, Reach};
use crate::parts::{Joined, Joiner, split};
use crate::reader::{Read, StreamReader};
use crate::request::{Call, CallId};
use crate::sealed::{Run, seal_all};
use crate::store::Space;

/// How an invite of ours stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InviteState {
    /// Its payload is neither at the hub nor with neighbours yet.
    Preparing,
    /// The link works.
    Open,
    /// Somebody used it.
    Used,
    /// Taken back; the hub has not heard of it yet.
    Revoking,
    /// Taken back.
    Revoked,
    /// Its time is over.
    Expired,
}

/// What is kept of an invite of ours.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct InvitingSaved {
    link: Bytes,
    /// What we want to call whoever uses it.
    pub(crate) name: Option<String>,
    pub(crate) floor: Floor,
    pub(crate) state: InviteState,
    secret: Bytes,
    package: Bytes,
    /// What the hub has to get.
    boxes: Vec<BoxBytes>,
    pub(crate) made_at: u64,
}

/// Reading a stream of parts.
struct Parts {
    reader: StreamReader,
    joiner: Joiner,
    open: Option<CallId>,
}

impl Parts {
    fn new(stream: &streams::WriteCapability) -> Result<Self, Error> {
        let reader = StreamReader::new(stream.read_capability(), CONTEXT.to_vec())?.patient();
        Ok(Parts { reader, joiner: Joiner::default(), open: None })
    }

    fn take(&mut self, now: Timestamp, boxes: Vec<VerifiedBox>) -> Result<Option<Joined>, Error> {
        self.open = None;
        for found in boxes {
            self.reader.accept(found);
        }
        while let Some(read) = self.reader.next(now)? {
            let joined = match read {
                Read::Plain(plain) => {
                    unpad(&plain).map_or(Joined::Broken, |content| self.joiner.push(content))
                }
                Read::Nothing | Read::Gap(_) => Joined::Broken,
            };
            if joined != Joined::More {
                return Ok(Some(joined));
            }
        }
        Ok(None)
    }
}

/// An invite of ours.
pub(crate) struct Inviting {
    pub(crate) id: MessageId,
    pub(crate) invite: Invite,
    pub(crate) place: PlaceId,
    pub(crate) saved: InvitingSaved,
    /// How far requests get.
    reach: Reach,
    run: Run,
    answer: Parts,
    attempts: Parts,
}

/// Whoever used our invite.
pub(crate) struct NewContact {
    pub(crate) group: Group,
    /// What we want to call them.
    pub(crate) own: Option<String>,
    pub(crate) floor: Floor,
}

impl Inviting {
    /// Makes a KeyPackage, a payload and the link to it.
    #[allow(clippy::too_many_arguments, reason = "what an invite says")]
    pub(crate) fn new(
        cx: &mut StepContext<'_>,
        network: e2ee::NetworkPlace,
        place: PlaceId,
        floor: Floor,
        my_name: Nick,
        name: Option<String>,
        expires: Timestamp,
    ) -> Result<Self, Error> {
        let secret = MemberSecret::random(cx.rng);
        let package = key_package(cx.mls, &cx.kept(), &secret, my_name.clone())?;
        let offer = Offer::new(package.clone(), my_name, expires, cx.rng);
        let invite = Invite::to(&offer, network, floor);
        let parts = split(&offer.to_bytes());
        let (boxes, _) = seal_all(invite.offer_stream(), CONTEXT, &parts, Sizes::Uniform)?;
        let saved = InvitingSaved {
            link: Zeroizing::new(invite.to_text().as_bytes().to_vec()),
            name,
            floor,
            state: InviteState::Preparing,
            secret: secret.to_bytes(),
            package: Zeroizing::new(package),
            boxes,
            made_at: cx.now.as_millis(),
        };
        let id = MessageId::random(cx.rng);
        let inviting = Self::open(id, place, saved)?;
        inviting.save(cx)?;
        Ok(inviting)
    }

    /// From what was kept.
    pub(crate) fn open(id: MessageId, place: PlaceId, saved: InvitingSaved) -> Result<Self, Error> {
        let invite = saved.invite()?;
        Ok(Inviting {
            id,
            place,
            reach: Reach::Off,
            run: Run::default(),
            answer: Parts::new(&invite.answer_stream())?,
            attempts: Parts::new(&invite.attempt_stream())?,
            invite,
            saved,
        })
    }

    pub(crate) fn save(&self, cx: &StepContext<'_>) -> Result<(), Error> {
        Ok(cx.store.put(Space::Invite, &inviting_key(self.id), &pack(&self.saved)?)?)
    }

    fn call(&self, cx: &mut StepContext<'_>, purpose: InvitePurpose, call: Call) -> CallId {
        cx.out.call(Owner::Inviting(self.id, purpose), self.place, call)
    }

    /// How far requests get now.
    pub(crate) fn set_reach(
        &mut self,
        cx: &mut StepContext<'_>,
        reach: Reach,
    ) -> Result<(), Error> {
        self.reach = reach;
        if reach > Reach::Off { self.pump(cx) } else { Ok(()) }
    }

    /// Whether a box may be put now: what neighbours have waits for the hub.
    fn is_ready(&self, index: usize, now: Timestamp) -> bool {
        self.run.is_ready(index, now) && (self.reach == Reach::Hub || !self.run.is_out(index))
    }

    /// Whom to look for on the LAN: whoever uses the link.
    pub(crate) fn near(&self) -> Option<Near> {
        let open = matches!(self.saved.state, InviteState::Preparing | InviteState::Open);
        let secret =
            Some(self.invite.near_secret()).filter(|_| open && self.saved.floor.allows_lan())?;
        Some(Near { who: NearWho::Invite(self.id), place: self.place, secret, first: true })
    }

    /// Puts the payload, then waits for the answer; after it, for honest second users.
    pub(crate) fn pump(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if cx.now >= self.invite.expires()
            && matches!(self.saved.state, InviteState::Preparing | InviteState::Open)
        {
            self.end(cx, InviteState::Expired)?;
            cx.event(Event::InviteFailed {
                invite: self.id,
                text: "the invite has expired and nobody has used it",
            });
        }
        match self.saved.state {
            InviteState::Preparing => {
                self.put_payload(cx)?;
            }
            InviteState::Revoking if self.is_ready(0, cx.now) => {
                let tombstone = self.invite.answer_stream().tombstone(CONTEXT).into_sealed();
                let call = self.call(cx, InvitePurpose::Put(0), Call::Put(tombstone));
                self.run.started(0, call);
            }
            InviteState::Open => {
                if self.reach == Reach::Hub {
                    self.put_payload(cx)?;
                }
                if self.answer.open.is_none() {
                    let wanted = self.answer.reader.wanted();
                    self.answer.open = Some(self.call(cx, InvitePurpose::Read, Call::Get(wanted)));
                }
            }
            InviteState::Used if self.attempts.open.is_none() && cx.now < self.invite.expires() => {
                let wanted = self.attempts.reader.wanted();
                self.attempts.open =
                    Some(self.call(cx, InvitePurpose::Attempts, Call::Get(wanted)));
            }
            _ => {}
        }
        Ok(())
    }

    fn put_payload(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        for (n, sealed) in self.saved.boxes.iter().enumerate() {
            if self.is_ready(n, cx.now) {
                let call = self.call(cx, InvitePurpose::Put(n), Call::Put(sealed.to_box()?));
                self.run.started(n, call);
            }
        }
        Ok(())
    }

    /// Neighbours may fetch a box from us. The link works between neighbours then; the hub gets the
    /// payload when it is there.
    pub(crate) fn on_carried(
        &mut self,
        cx: &mut StepContext<'_>,
        index: usize,
    ) -> Result<(), Error> {
        if self.invite.place().is_lan() {
            return self.on_put(cx, index, PutOutcome::Stored);
        }
        self.run.carried(index);
        if self.saved.state == InviteState::Preparing && self.run.is_all_out(self.saved.boxes.len())
        {
            self.saved.state = InviteState::Open;
            self.save(cx)?;
            cx.event(Event::InviteReady { invite: self.id });
        }
        self.pump(cx)
    }

    pub(crate) fn on_put(
        &mut self,
        cx: &mut StepContext<'_>,
        index: usize,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        let settled = self.run.settle(cx.now, index, outcome);
        if self.saved.state == InviteState::Revoking && settled {
            // Taken: an answer came first, and is not looked at any more.
            self.saved.state = InviteState::Revoked;
            self.save(cx)?;
        }
        let waits = matches!(self.saved.state, InviteState::Preparing | InviteState::Open);
        if waits && !self.saved.boxes.is_empty() && self.run.is_done(self.saved.boxes.len()) {
            let new = self.saved.state == InviteState::Preparing;
            self.saved.state = InviteState::Open;
            self.saved.boxes.clear();
            self.save(cx)?;
            if new {
                cx.event(Event::InviteReady { invite: self.id });
            }
        }
        self.pump(cx)
    }

    pub(crate) fn on_boxes(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: InvitePurpose,
        boxes: Vec<VerifiedBox>,
    ) -> Result<Option<NewContact>, Error> {
        let mut contact = None;
        if purpose == InvitePurpose::Attempts {
            if self.attempts.take(cx.now, boxes)?.is_some() {
                cx.event(Event::InviteTriedAgain { invite: self.id });
            }
        } else if let Some(joined) = self.answer.take(cx.now, boxes)?
            && self.saved.state == InviteState::Open
        {
            contact = self.answered(cx, joined)?;
        }
        self.pump(cx)?;
        Ok(contact)
    }

    fn answered(
        &mut self,
        cx: &mut StepContext<'_>,
        joined: Joined,
    ) -> Result<Option<NewContact>, Error> {
        let answer = match joined {
            Joined::Whole(bytes) => Answer::parse(&bytes).ok(),
            Joined::More | Joined::Broken => None,
        };
        let secret = MemberSecret::from_bytes(&self.saved.secret)?;
        let joined =
            answer.map(|a| Group::join(cx.mls, &cx.kept(), &a.welcome, secret)).transpose();
        let group = match joined {
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            Ok(Some(group)) if group.charter().is_ok_and(|c| self.fits(&c)) => group,
            Ok(_) | Err(_) => {
                self.end(cx, InviteState::Used)?;
                let text = "somebody used the link, and what they answered is not valid: make another invite";
                cx.event(Event::InviteFailed { invite: self.id, text });
                return Ok(None);
            }
        };
        self.end(cx, InviteState::Used)?;
        let own = self.saved.name.clone();
        Ok(Some(NewContact { group, own, floor: self.saved.floor }))
    }

    /// Whether a conversation is what we have invited to.
    fn fits(&self, charter: &Charter) -> bool {
        charter.direct
            && charter.place == *self.invite.place()
            && !charter.floor.excludes(self.saved.floor)
    }

    /// The invite is over: what it kept secret goes.
    fn end(&mut self, cx: &mut StepContext<'_>, state: InviteState) -> Result<(), Error> {
        if state != InviteState::Used {
            forget(cx.mls, &cx.kept(), &self.saved.package)?;
        }
        for call in self.run.calls().chain(self.answer.open.take()) {
            cx.out.cancel(call);
        }
        self.saved.state = state;
        self.saved.boxes.clear();
        self.save(cx)
    }

    /// Takes it back: the place of the answer is filled with a tombstone.
    pub(crate) fn revoke(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !matches!(self.saved.state, InviteState::Preparing | InviteState::Open) {
            return Err(Error::Refused("this invite is over already"));
        }
        self.end(cx, InviteState::Revoking)?;
        self.run = Run::default();
        self.pump(cx)
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let alive = matches!(
            self.saved.state,
            InviteState::Preparing | InviteState::Open | InviteState::Revoking
        );
        // What is left of an open invite is for the hub.
        let puts = self.saved.state != InviteState::Open || self.reach == Reach::Hub;
        let run = self.run.deadline(self.reach).filter(|_| puts);
        alive.then(|| run.map_or(self.invite.expires(), |d| d.min(self.invite.expires())))
    }
}

impl InvitingSaved {
    pub(crate) fn invite(&self) -> Result<Invite, Error> {
        let text = std::str::from_utf8(&self.link).map_err(|_| Error::Damaged)?;
        Ok(Invite::parse(text)?)
    }
}

pub(crate) fn inviting_key(id: MessageId) -> Vec<u8> {
    [b"o".as_slice(), id.as_bytes()].concat()
}

pub(crate) fn accepting_key(id: MessageId) -> Vec<u8> {
    [b"a".as_slice(), id.as_bytes()].concat()
}

/// What is kept of an invite that we accept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AcceptingSaved {
    link: Bytes,
    name: Option<String>,
    pub(crate) floor: Floor,
    /// Once the payload was there: the group we have founded.
    group: Option<FoundedGroup>,
    /// The contact that neighbours have carried our answer for. It stays under way until the hub
    /// has the answer, too; without a hub until the contact was heard, for until then it knows us
    /// by the invite alone.
    #[serde(default)]
    opened: Option<ConversationId>,
    /// Somebody else was faster: that we tried is to be told.
    too_late: bool,
}

#[derive(Clone, Serialize, Deserialize)]
struct FoundedGroup {
    id: Vec<u8>,
    secret: Bytes,
    boxes: Vec<BoxBytes>,
}

/// An invite that we accept.
pub(crate) struct Accepting {
    pub(crate) id: MessageId,
    pub(crate) invite: Invite,
    pub(crate) place: PlaceId,
    saved: AcceptingSaved,
    /// How far requests get.
    reach: Reach,
    run: Run,
    offer: Parts,
    my_name: Nick,
}

/// What became of accepting.
pub(crate) enum Accepted {
    /// Not done yet.
    Waiting,
    /// We have a contact.
    Contact(Box<NewContact>),
    /// We have a contact, and the invite stays under way for the other's sake: call
    /// [`Accepting::opened`].
    Opened(Box<NewContact>),
    /// Somebody else's answer is at the hub; this contact was opened for ours.
    Beaten(ConversationId),
    /// It is over, and whoever waits was told.
    Over,
}

impl Accepting {
    pub(crate) fn new(
        cx: &mut StepContext<'_>,
        invite: &Invite,
        place: PlaceId,
        floor: Floor,
        my_name: Nick,
        name: Option<String>,
    ) -> Result<Self, Error> {
        if cx.now >= invite.expires() {
            return Err(e2ee::Error::Expired.into());
        }
        let link = Zeroizing::new(invite.to_text().as_bytes().to_vec());
        let saved =
            AcceptingSaved { link, name, floor, group: None, opened: None, too_late: false };
        let accepting = Self::open(MessageId::random(cx.rng), place, my_name, saved)?;
        accepting.save(cx)?;
        Ok(accepting)
    }

    pub(crate) fn open(
        id: MessageId,
        place: PlaceId,
        my_name: Nick,
        saved: AcceptingSaved,
    ) -> Result<Self, Error> {
        let invite = saved.invite()?;
        let offer = Parts::new(&invite.offer_stream())?;
        Ok(Accepting {
            id,
            place,
            invite,
            saved,
            reach: Reach::Off,
            run: Run::default(),
            offer,
            my_name,
        })
    }

    fn save(&self, cx: &StepContext<'_>) -> Result<(), Error> {
        Ok(cx.store.put(Space::Invite, &accepting_key(self.id), &pack(&self.saved)?)?)
    }

    fn call(&self, cx: &mut StepContext<'_>, purpose: InvitePurpose, call: Call) -> CallId {
        cx.out.call(Owner::Accepting(self.id, purpose), self.place, call)
    }

    /// How far requests get now.
    pub(crate) fn set_reach(
        &mut self,
        cx: &mut StepContext<'_>,
        reach: Reach,
    ) -> Result<(), Error> {
        self.reach = reach;
        if reach > Reach::Off { self.pump(cx) } else { Ok(()) }
    }

    /// Whether a box may be put now: what neighbours have waits for the hub.
    fn is_ready(&self, index: usize, now: Timestamp) -> bool {
        self.run.is_ready(index, now) && (self.reach == Reach::Hub || !self.run.is_out(index))
    }

    /// Whom to look for on the LAN: whoever made the link.
    pub(crate) fn near(&self) -> Option<Near> {
        let floor = self.invite.floor().stricter(self.saved.floor);
        let secret = Some(self.invite.near_secret())
            .filter(|_| !self.saved.too_late && floor.allows_lan())?;
        Some(Near { who: NearWho::Invite(self.id), place: self.place, secret, first: false })
    }

    /// The contact is there; the answer is still to be brought to the hub, or to be fetched.
    pub(crate) fn opened(
        &mut self,
        cx: &StepContext<'_>,
        contact: ConversationId,
    ) -> Result<(), Error> {
        self.saved.opened = Some(contact);
        if self.invite.place().is_lan()
            && let Some(group) = &mut self.saved.group
        {
            group.boxes.clear();
        }
        self.save(cx)
    }

    /// The contact that waits for nothing but to be heard.
    pub(crate) fn waits_to_hear(&self) -> Option<ConversationId> {
        self.saved.opened.filter(|_| self.invite.place().is_lan())
    }

    /// Asks for the payload; then puts the answer, its first box before the others: it makes the
    /// link ours.
    pub(crate) fn pump(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if self.saved.too_late {
            if self.is_ready(0, cx.now) {
                let parts = [b"tried".as_slice()];
                let (boxes, _) =
                    seal_all(self.invite.attempt_stream(), CONTEXT, &parts, Sizes::Uniform)?;
                if let Some(sealed) = boxes.first() {
                    let call = self.call(cx, InvitePurpose::Attempt, Call::Put(sealed.to_box()?));
                    self.run.started(0, call);
                }
            }
            return Ok(());
        }
        let Some(group) = &self.saved.group else {
            if self.offer.open.is_none() {
                let wanted = self.offer.reader.wanted();
                self.offer.open = Some(self.call(cx, InvitePurpose::Read, Call::Get(wanted)));
            }
            return Ok(());
        };
        let count = if self.run.is_out(0) { group.boxes.len() } else { 1 };
        for (n, sealed) in group.boxes.iter().enumerate().take(count) {
            // After a restart neighbours still have what they had.
            let kept = self.saved.opened.is_some() && self.reach != Reach::Hub;
            if !kept && self.is_ready(n, cx.now) {
                let call = self.call(cx, InvitePurpose::Put(n), Call::Put(sealed.to_box()?));
                self.run.started(n, call);
            }
        }
        Ok(())
    }

    pub(crate) fn on_boxes(
        &mut self,
        cx: &mut StepContext<'_>,
        boxes: Vec<VerifiedBox>,
    ) -> Result<Accepted, Error> {
        if self.saved.group.is_some() {
            return Ok(Accepted::Waiting);
        }
        match self.offer.take(cx.now, boxes)? {
            None | Some(Joined::More) => {}
            Some(Joined::Broken) => {
                return self
                    .fail(cx, "what lies at this link is not the invite that it was made for");
            }
            Some(Joined::Whole(bytes)) => {
                let offer = self.invite.open_offer(&bytes).ok();
                let invited =
                    offer.as_ref().and_then(|o| Invited::parse(cx.mls, &o.key_package).ok());
                match (offer, invited) {
                    (Some(_), Some(invited)) => self.answer(cx, invited)?,
                    _ => {
                        return self.fail(
                            cx,
                            "what lies at this link is not the invite that it was made for",
                        );
                    }
                }
            }
        }
        self.pump(cx)?;
        Ok(Accepted::Waiting)
    }

    /// Founds the conversation, with the inviter in it, and seals the answer.
    fn answer(&mut self, cx: &mut StepContext<'_>, invited: Invited) -> Result<(), Error> {
        let secret = MemberSecret::random(cx.rng);
        let floor = self.invite.floor().stricter(self.saved.floor);
        let root = Secret::random(cx.rng);
        let charter =
            Charter::new(true, self.invite.place().clone(), floor, "", secret.id(), root)?;
        let id = Secret::random(cx.rng);
        let kept = cx.kept();
        let mut group = Group::found(cx.mls, &kept, &id, secret, self.my_name.clone(), &charter)?;
        let committed =
            group.commit(cx.mls, &kept, &Changes { add: vec![invited], ..Changes::default() })?;
        group.merge(cx.mls, &kept)?;
        let welcome = committed.welcome.ok_or(Error::Damaged)?;
        let parts = split(&Answer::new(welcome.to_vec()).to_bytes());
        let (boxes, _) = seal_all(self.invite.answer_stream(), CONTEXT, &parts, Sizes::Uniform)?;
        let secret = group.secret().to_bytes();
        self.saved.group = Some(FoundedGroup { id: group.id().to_vec(), secret, boxes });
        self.run = Run::default();
        self.save(cx)
    }

    fn load_group(&self, cx: &StepContext<'_>) -> Result<Option<Group>, Error> {
        let Some(founded) = &self.saved.group else { return Ok(None) };
        let secret = MemberSecret::from_bytes(&founded.secret)?;
        Ok(Group::load(cx.mls, &cx.kept(), &founded.id, secret)?)
    }

    /// Neighbours may fetch a box from us. With all of them the contact is there; whose answer
    /// counts where two have used the link shows when the inviter writes, or at the hub.
    pub(crate) fn on_carried(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: InvitePurpose,
    ) -> Result<Accepted, Error> {
        let lan = self.invite.place().is_lan();
        match (purpose, &self.saved.group) {
            (InvitePurpose::Attempt, _) if lan => {
                return self.on_put(cx, purpose, PutOutcome::Stored);
            }
            (InvitePurpose::Attempt, _) => self.run.carried(0),
            (InvitePurpose::Put(index), Some(founded)) => {
                self.run.carried(index);
                if self.saved.opened.is_none() && self.run.is_all_out(founded.boxes.len()) {
                    let (own, floor) = (self.saved.name.clone(), self.saved.floor);
                    let group = self.load_group(cx)?.ok_or(Error::Damaged)?;
                    return Ok(Accepted::Opened(Box::new(NewContact { group, own, floor })));
                }
            }
            _ => {}
        }
        self.pump(cx)?;
        Ok(Accepted::Waiting)
    }

    pub(crate) fn on_put(
        &mut self,
        cx: &mut StepContext<'_>,
        purpose: InvitePurpose,
        outcome: PutOutcome,
    ) -> Result<Accepted, Error> {
        if purpose == InvitePurpose::Attempt {
            return if self.run.settle(cx.now, 0, outcome) {
                self.finish(cx).map(|()| Accepted::Over)
            } else {
                Ok(Accepted::Waiting)
            };
        }
        let (InvitePurpose::Put(index), Some(founded)) = (purpose, &self.saved.group) else {
            return Ok(Accepted::Waiting);
        };
        if let (PutOutcome::Taken, Some(contact)) = (outcome, self.saved.opened) {
            self.finish(cx)?;
            return Ok(Accepted::Beaten(contact));
        }
        if outcome == PutOutcome::Taken {
            // Of the first box: somebody was faster. Of another: somebody who has the link too is
            // in the way.
            if let Some(group) = self.load_group(cx)? {
                group.delete(cx.mls, &cx.kept())?;
            }
            self.saved.group = None;
            self.saved.too_late = true;
            self.run = Run::default();
            self.save(cx)?;
            let text = "this link was used before, or was taken back: ask for another one, and tell who gave it to you";
            cx.event(Event::InviteFailed { invite: self.id, text });
            self.pump(cx)?;
            return Ok(Accepted::Waiting);
        }
        self.run.settle(cx.now, index, outcome);
        if self.run.is_done(founded.boxes.len()) {
            if self.saved.opened.is_some() {
                self.finish(cx)?;
                return Ok(Accepted::Over);
            }
            let (own, floor) = (self.saved.name.clone(), self.saved.floor);
            let group = self.load_group(cx)?.ok_or(Error::Damaged)?;
            self.finish(cx)?;
            return Ok(Accepted::Contact(Box::new(NewContact { group, own, floor })));
        }
        self.pump(cx)?;
        Ok(Accepted::Waiting)
    }

    /// Whether its time is over: before the inviter's payload was found, or while our answer waits.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        let waits = self.saved.group.is_none() && !self.saved.too_late;
        (waits || self.saved.opened.is_some()) && now >= self.invite.expires()
    }

    /// Ends it, and tells.
    pub(crate) fn give_up(mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if let Some(call) = self.offer.open.take() {
            cx.out.cancel(call);
        }
        if self.saved.opened.is_some() {
            return self.finish(cx);
        }
        self.fail(cx, "the invite has expired before what belongs to it was found").map(|_| ())
    }

    fn fail(&mut self, cx: &mut StepContext<'_>, text: &'static str) -> Result<Accepted, Error> {
        cx.event(Event::InviteFailed { invite: self.id, text });
        self.finish(cx)?;
        Ok(Accepted::Over)
    }

    fn finish(&self, cx: &StepContext<'_>) -> Result<(), Error> {
        Ok(cx.store.remove(Space::Invite, &accepting_key(self.id))?)
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let waits =
            self.saved.group.is_none() && !self.saved.too_late || self.saved.opened.is_some();
        let expiry = waits.then(|| self.invite.expires());
        let puts = self.saved.opened.is_none() || self.reach == Reach::Hub;
        self.run.deadline(self.reach).filter(|_| puts).into_iter().chain(expiry).min()
    }
}

impl AcceptingSaved {
    pub(crate) fn invite(&self) -> Result<Invite, Error> {
        let text = std::str::from_utf8(&self.link).map_err(|_| Error::Damaged)?;
        Ok(Invite::parse(text)?)
    }
}

/// An invitation into a group that we sent or got.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GroupInvitation {
    /// The direct chat.
    pub(crate) via: ConversationId,
    /// Ours: the group. Theirs: none.
    pub(crate) group: Option<ConversationId>,
    pub(crate) title: String,
    /// Theirs, accepted: what we shall be.
    pub(crate) secret: Option<Bytes>,
}
