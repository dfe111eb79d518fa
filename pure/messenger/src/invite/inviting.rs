//! Our side of an invite that we make.
//!
//! ```text
//!              offer at the hub, or all
//!              of it with neighbours               an answer, valid or not
//! [Preparing] ─────────────────────────► [Open] ─────────────────────────► [Used]
//!      │                                    │
//!      ├─── its time is over ─► [Expired] ◄─┤
//!      └─── revoke ─► [Revoking] ◄──────────┘
//!                          │ the answer's place holds our tombstone, or an answer that came first
//!                          ▼
//!                      [Revoked]
//! ```
//!
//! An invite serves once (`DIRECT-003`). While it is open it looks for an answer; once used, for
//! honest people who find that it is (the *attempts*).

use e2ee::id::{ConversationId, MessageId};
use e2ee::invite::{Answer, CONTEXT, Invite, Offer};
use e2ee::mls::{Charter, MemberSecret, Welcomed, forget, key_package};
use e2ee::{Floor, Nick};
use serde::{Deserialize, Serialize};
use streams::{Sizes, VerifiedBox};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use super::{InviteState, NewContact, Parts, inviting_key};
use crate::Error;
use crate::codec::{Bytes, pack};
use crate::context::{InvitePurpose, Owner, StepContext};
use crate::event::{Event, PlaceId};
use crate::near::{Near, NearWho, Reach};
use crate::parts::{Joined, split};
use crate::request::{Call, CallId};
use crate::sealed::{BoxBytes, Run, seal_all};
use crate::store::Space;

/// How long an ended invite is still listed after its time, ms.
const LISTED_MS: u64 = 86_400_000;

/// What is kept of an invite that we made.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct InvitingSaved {
    link: Bytes,
    /// What the user wants to call the person who uses it.
    pub(crate) name: Option<String>,
    pub(crate) floor: Floor,
    pub(crate) state: InviteState,
    secret: Bytes,
    package: Bytes,
    /// What the hub has to get.
    boxes: Vec<BoxBytes>,
    pub(crate) made_at: u64,
    /// The contact that it led to.
    #[serde(default)]
    led_to: Option<ConversationId>,
}

/// An invite that we made.
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
            led_to: None,
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

    /// Whether a box may be put now. What neighbours have waits for the hub.
    fn is_ready(&self, index: usize, now: Timestamp) -> bool {
        self.run.is_ready(index, now) && (self.reach == Reach::Hub || !self.run.is_out(index))
    }

    /// On the LAN we look for the person who uses the link.
    pub(crate) fn near(&self) -> Option<Near> {
        let secret = Some(self.invite.near_secret())
            .filter(|_| self.is_open() && self.saved.floor.allows_lan())?;
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
                text: "the invite has expired, and nobody used it",
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
        let revoking = self.saved.state == InviteState::Revoking;
        if outcome == PutOutcome::Taken && !revoking {
            // Nobody has the link yet: a link to what is not there would lead nowhere.
            self.run.refused(cx.now, index);
            return self.pump(cx);
        }
        let settled = self.run.settle(cx.now, index, outcome);
        if revoking && settled {
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
        let kept = cx.kept();
        let welcomed =
            answer.map(|a| Welcomed::open(cx.mls, &kept, &a.welcome, secret)).transpose();
        let joined = match welcomed {
            Ok(Some(welcomed)) if welcomed.charter().is_ok_and(|c| self.fits(&c)) => {
                welcomed.join()
            }
            Ok(_) => Err(e2ee::Error::Malformed("welcome")),
            Err(error) => Err(error),
        };
        let group = match joined {
            Ok(group) => group,
            Err(e2ee::Error::Storage) => return Err(e2ee::Error::Storage.into()),
            Err(_) => {
                self.end(cx, InviteState::Used)?;
                let text =
                    "somebody used the link and answered something invalid: make another invite";
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
        for call in self.run.calls().chain(self.answer.open.take()) {
            cx.out.cancel(call);
        }
        self.saved.state = state;
        self.saved.boxes.clear();
        self.wipe(cx)?;
        self.save(cx)
    }

    /// Ends it here and now, whatever the hub says.
    pub(crate) fn stop(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if let Some(call) = self.attempts.open.take() {
            cx.out.cancel(call);
        }
        self.end(cx, InviteState::Revoked)
    }

    /// Whoever has these opens the answer, and with it the beginning of the conversation.
    fn wipe(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        if !self.saved.package.is_empty() {
            forget(cx.mls, &cx.kept(), &self.saved.package)?;
        }
        self.saved.secret = Zeroizing::default();
        self.saved.package = Zeroizing::default();
        Ok(())
    }

    /// Earlier versions kept the secrets of ended invites.
    pub(crate) fn wipe_ended(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        if self.is_open() || self.saved.package.is_empty() {
            return Ok(());
        }
        self.wipe(cx)?;
        self.save(cx)
    }

    fn is_open(&self) -> bool {
        matches!(self.saved.state, InviteState::Preparing | InviteState::Open)
    }

    /// Somebody has used it, and this is the contact.
    pub(crate) fn note_contact(
        &mut self,
        cx: &StepContext<'_>,
        contact: ConversationId,
    ) -> Result<(), Error> {
        self.saved.led_to = Some(contact);
        self.save(cx)
    }

    /// The contact that it led to.
    pub(crate) const fn led_to(&self) -> Option<ConversationId> {
        self.saved.led_to
    }

    /// Whether it has ended, and its time was over long enough ago.
    pub(crate) fn is_past(&self, latest: Timestamp) -> bool {
        !self.is_open() && latest >= self.invite.expires().plus_millis(LISTED_MS)
    }

    /// Forgets it.
    pub(crate) fn remove(mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.wipe(cx)?;
        let reading = self.answer.open.take().into_iter().chain(self.attempts.open.take());
        for call in self.run.calls().chain(reading) {
            cx.out.cancel(call);
        }
        Ok(cx.store.remove(Space::Invite, &inviting_key(self.id))?)
    }

    /// Revokes it: a tombstone takes the place of the answer, so none can be written
    /// (`DIRECT-003`).
    pub(crate) fn revoke(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if !self.is_open() {
            return Err(Error::Refused("this invite has already ended"));
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
