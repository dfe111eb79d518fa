//! What an attacker makes with the keys of a member, of one who was removed, or of one whose backup
//! was stolen: for tests.

use e2ee::id::MemberId;
use e2ee::mls::{
    Changes, Charter, Decision, Group, Invited, MemberSecret, Mls, key_package, key_package_showing,
};
use e2ee::{NetworkPlace, Nick, Secret};
use streams::{BoxClass, ReadCapability, SealedBox, Sizes, WriteCapability, pad};

use super::Conversation;
use super::deciding::BODY_CONTEXT;
use super::rescues::{DAY_MS, Message};
use super::saved::PendingCommit;
use crate::body::{Body, Envelope};
use crate::context::{MlsSpace, StepContext};
use crate::parts::split;
use crate::sealed::seal_all;
use crate::store::memory::MemoryStore;

/// A group that looks like one that the attacker was in: the same id, the same charter.
pub(crate) struct LookAlike {
    mls: Mls,
    store: MemoryStore,
    pub(crate) group: Group,
}

impl LookAlike {
    /// Founds a conversation under this id; none if the charter is one that the library does not
    /// take.
    pub(crate) fn found(id: &Secret, secret: MemberSecret, charter: &Charter) -> Option<Self> {
        let (mls, store) = (Mls::new().unwrap(), MemoryStore::default());
        let name = Nick::new("mallory").unwrap();
        let group = Group::found(&mls, &MlsSpace(&store), id, secret, name, charter).ok()?;
        Some(LookAlike { mls, store, group })
    }

    /// Adds this KeyPackage; gives the welcome.
    pub(crate) fn welcome(&mut self, package: &[u8]) -> Option<Vec<u8>> {
        let add = vec![Invited::parse(&self.mls, package).ok()?];
        let changes = Changes { add, ..Changes::default() };
        let kept = MlsSpace(&self.store);
        let committed = self.group.commit_unchecked(&self.mls, &kept, &changes).ok()?;
        self.group.merge(&self.mls, &kept).ok()?;
        committed.welcome.map(|welcome| welcome.to_vec())
    }
}

impl Conversation {
    /// Founds a look-alike; `change` alters its charter.
    pub(crate) fn look_alike(&self, change: impl FnOnce(&mut Charter)) -> Option<LookAlike> {
        let secret = MemberSecret::from_bytes(&self.secret).unwrap();
        let id = Secret::new(self.card.group.as_slice().try_into().unwrap());
        let root = self.card.rescue_context.last_chunk::<32>().unwrap();
        let place: NetworkPlace = wire::decode(&self.card.place, "place").unwrap();
        let mut charter = Charter::new(
            self.card.direct,
            place,
            self.card.charter_floor,
            &self.card.given,
            self.card.creator,
            Secret::new(*root),
        )
        .unwrap();
        change(&mut charter);
        LookAlike::found(&id, secret, &charter)
    }

    /// The KeyPackage with which this profile asks to be added again.
    pub(crate) fn asked_with(&self) -> Option<Vec<u8>> {
        self.rescues.lost.as_ref()?.asked.last().map(|asked| asked.package.clone())
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.rescues.lost.is_some()
    }

    /// Boxes with this message on our own rescue stream of today, from the `n`th on.
    fn on_rescue_stream(&self, cx: &StepContext<'_>, n: u64, message: &[u8]) -> Vec<SealedBox> {
        let first = WriteCapability::from_bytes(&self.card.rescue).unwrap();
        let mut at = first.advance_to(first.index().counter() + n).unwrap();
        let mut context = self.card.rescue_context.to_vec();
        context.extend(cx.now.period(DAY_MS).to_be_bytes());
        let mut boxes = Vec::new();
        for part in split(message) {
            let padded = pad(&part, BoxClass::Standard).unwrap();
            boxes.push(at.seal(&context, &padded).unwrap().into_sealed());
            at = at.next().unwrap();
        }
        boxes
    }

    /// An answer to somebody's request to be added again.
    pub(crate) fn hostile_welcome(
        &self,
        cx: &StepContext<'_>,
        member: MemberId,
        welcome: Vec<u8>,
    ) -> Vec<SealedBox> {
        self.on_rescue_stream(cx, 0, &wire::encode(&Message::Welcome { member, welcome }))
    }

    /// A claim to stand somewhere.
    pub(crate) fn hostile_head(&self, cx: &StepContext<'_>, n: u64, epoch: u64) -> Vec<SealedBox> {
        let head = Message::Head { epoch, authenticator: [6; 32].into() };
        self.on_rescue_stream(cx, n, &wire::encode(&head))
    }

    /// Bytes on our rescue stream.
    pub(crate) fn hostile_rescue_bytes(
        &self,
        cx: &StepContext<'_>,
        n: u64,
        bytes: &[u8],
    ) -> Vec<SealedBox> {
        self.on_rescue_stream(cx, n, bytes)
    }

    /// Commits what the rules forbid, by the usual way: the decision counts, the body is refused.
    pub(crate) fn hostile_commit(&mut self, cx: &mut StepContext<'_>, changes: &Changes) {
        self.hostile_commit_of(cx, changes, |commit| commit);
    }

    /// As [`Conversation::hostile_commit`], with another body than the one that was signed by MLS.
    pub(crate) fn hostile_commit_of(
        &mut self,
        cx: &mut StepContext<'_>,
        changes: &Changes,
        change: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) {
        let kept = cx.kept();
        let group = self.group.as_mut().unwrap();
        if !group.is_active() {
            return;
        }
        let Ok(committed) = group.commit_unchecked(cx.mls, &kept, changes) else { return };
        let body = WriteCapability::generate(cx.rng);
        let commit = change(committed.commit.to_vec());
        let parts = split(&commit);
        let count = u32::try_from(parts.len()).unwrap();
        let decision = Decision::sign(group, &body.read_capability(), count, &commit);
        let (body, _) = seal_all(body, BODY_CONTEXT, &parts, Sizes::Uniform).unwrap();
        self.commits.withdraw(cx);
        self.commits.pending = Some(PendingCommit {
            intents: Vec::new(),
            body,
            decision,
            placed: None,
            welcome: committed.welcome,
        });
        self.pump(cx).unwrap();
    }

    /// A deciding box that leads to this body.
    pub(crate) fn hostile_decision(&self, body: &ReadCapability) -> Option<SealedBox> {
        self.hostile_decision_of(body, 3, b"nothing")
    }

    /// A deciding box that leads to this body of so many parts.
    pub(crate) fn hostile_decision_of(
        &self,
        body: &ReadCapability,
        parts: u32,
        content: &[u8],
    ) -> Option<SealedBox> {
        let decision = Decision::sign(self.group.as_ref()?, body, parts, content);
        self.deciding.seal(&decision).ok()?.map(|sealed| sealed.to_box().unwrap())
    }

    /// The body of a commit that holds these bytes.
    pub(crate) fn hostile_body_boxes(stream: WriteCapability, content: &[u8]) -> Vec<SealedBox> {
        let sealed = seal_all(stream, BODY_CONTEXT, &split(content), Sizes::Uniform);
        let boxes = sealed.map(|(boxes, _)| boxes).unwrap_or_default();
        boxes.iter().map(|sealed| sealed.to_box().unwrap()).collect()
    }

    /// Somebody with this id, and our own rescue stream.
    pub(crate) fn posing_as(&self, cx: &mut StepContext<'_>, id: MemberId) -> Invited {
        self.invited_with(cx, Some(id), |card| card).unwrap()
    }

    /// Somebody who shows a changed card, under this id or one of their own; nobody if the card
    /// does not decode.
    pub(crate) fn invited_with(
        &self,
        cx: &mut StepContext<'_>,
        id: Option<MemberId>,
        change: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> Option<Invited> {
        let rescue = WriteCapability::from_bytes(&self.card.rescue).unwrap();
        let secret = match id {
            Some(id) => MemberSecret::from_rescue(id, rescue, cx.now, cx.rng),
            None => MemberSecret::random(cx.rng),
        };
        let name = Nick::new("bob").unwrap();
        let package = key_package_showing(cx.mls, &cx.kept(), &secret, name, change).ok()?;
        Invited::unchecked(cx.mls, &package)
    }

    /// A KeyPackage of ours.
    pub(crate) fn fresh_package(&self, cx: &mut StepContext<'_>) -> Vec<u8> {
        let secret = MemberSecret::from_bytes(&self.secret).unwrap().renewed(cx.now, cx.rng);
        key_package(cx.mls, &cx.kept(), &secret, Nick::new("mallory").unwrap()).unwrap()
    }

    /// Our id.
    pub(crate) const fn me(&self) -> MemberId {
        self.card.me
    }

    /// The ids of all members that we know.
    pub(crate) fn ids(&self) -> Vec<MemberId> {
        self.card.members.keys().copied().collect()
    }

    /// The leaf of a member.
    pub(crate) fn leaf_of(&self, id: MemberId) -> Option<u32> {
        let members = self.group.as_ref()?.members().ok()?;
        members.into_iter().find(|m| m.id == id).map(|m| m.leaf)
    }

    /// Says anything that the body's type can say.
    pub(crate) fn hostile_body(&mut self, cx: &mut StepContext<'_>, body: Body) {
        let id = e2ee::id::MessageId::random(cx.rng);
        if self.can_write() && self.queue(cx, id, body).is_ok() {
            self.pump(cx).unwrap();
        }
    }

    /// Says bytes that need not be a message.
    pub(crate) fn hostile_bytes(&mut self, cx: &mut StepContext<'_>, bytes: &[u8]) {
        let id = e2ee::id::MessageId::random(cx.rng);
        if self.can_write() && self.outbox.queue_bytes(cx, id, bytes).is_ok() {
            self.pump(cx).unwrap();
        }
    }

    /// The KeyPackage with which we have accepted an invitation into a group.
    pub(crate) fn accepted_with(&self) -> Option<Vec<u8>> {
        self.outbox.envelopes().into_iter().find_map(|bytes| {
            match Envelope::parse(bytes).ok()?.body {
                Body::Accept { key_package, .. } => key_package,
                _ => None,
            }
        })
    }

    /// The rescue stream behind a member's id.
    pub(crate) fn keys_of(&self, member: MemberId) -> Option<Vec<u8>> {
        self.card.members.get(&member).map(|known| known.rescue.clone())
    }
}
