//! Our side of an invite that somebody gave us.
//!
//! ```text
//! [looking for the offer] ── found ─► [answer sealed: its first box is put before the others]
//!        │                               │              │                   │
//!        │ broken, or expired            │ first box    │ all stored        │ all with neighbours
//!        ▼                               │ taken        ▼                   ▼
//!      [over]                            │          [contact]          [contact opened; the answer
//!                                        ▼                              still goes to the hub]
//!                            [too late: says so on the                      │ taken there
//!                             attempts stream] ─► [over]                    ▼
//!                                                                       [beaten]
//! ```
//!
//! Whose first box lies at the hub has used the link (`DIRECT-003`); neighbours cannot tell
//! (`DIRECT-025`).

use e2ee::Floor;
use e2ee::id::{ConversationId, MessageId};
use e2ee::invite::{Answer, CONTEXT, Invite};
use e2ee::mls::{Changes, Charter, Group, Invited, MemberSecret};
use e2ee::{Nick, Secret};
use serde::{Deserialize, Serialize};
use streams::{Sizes, VerifiedBox};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use super::{NewContact, Parts, accepting_key};
use crate::Error;
use crate::codec::{Bytes, pack};
use crate::context::{InvitePurpose, Owner, StepContext};
use crate::event::{Event, PlaceId};
use crate::near::{Near, NearWho, Reach};
use crate::parts::{Joined, split};
use crate::request::{Call, CallId};
use crate::sealed::{BoxBytes, Run, seal_all};
use crate::store::Space;

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
    /// It is over, and an event has said so.
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

    /// On the LAN we look for the person who made the link.
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

    /// The contact that it has led to.
    pub(crate) const fn led_to(&self) -> Option<ConversationId> {
        self.saved.opened
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
                return self.fail(cx, "this link does not lead to the offer that it was made for");
            }
            Some(Joined::Whole(bytes)) => {
                let offer = self.invite.open_offer(&bytes).ok();
                let invited = offer
                    .as_ref()
                    .and_then(|o| Invited::parse(cx.mls, &o.key_package).ok())
                    .filter(Invited::owns_id);
                match (offer, invited) {
                    (Some(_), Some(invited)) => self.answer(cx, invited)?,
                    _ => {
                        return self
                            .fail(cx, "this link does not lead to the offer that it was made for");
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
            let text = "this link was used by somebody else or revoked: ask for another one, \
                        and tell the person who gave it to you";
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

    /// What the user wants to call the other person.
    pub(crate) fn name(&self) -> Option<&str> {
        self.saved.name.as_deref()
    }

    /// Ends it without a contact, and leaves nothing behind.
    pub(crate) fn cancel(mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        for call in self.run.calls().chain(self.offer.open.take()) {
            cx.out.cancel(call);
        }
        if let Some(group) = self.load_group(cx)?.filter(|_| self.saved.opened.is_none()) {
            group.delete(cx.mls, &cx.kept())?;
        }
        self.finish(cx)
    }

    /// Ends it, and tells.
    pub(crate) fn give_up(mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        for call in self.run.calls().chain(self.offer.open.take()) {
            cx.out.cancel(call);
        }
        if self.saved.opened.is_some() {
            return self.finish(cx);
        }
        self.fail(cx, "the invite has expired before its offer was found").map(|_| ())
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
