//! A conversation's MLS group, as one member holds it.

use openmls::prelude::{
    GroupId, LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig,
    MlsMessageBodyIn, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, ProcessedMessageContent, ProtocolMessage,
    Sender, SenderRatchetConfiguration, StagedCommit,
};
use openmls_traits::OpenMlsProvider;
use streams::WriteCapability;
use zeroize::Zeroizing;

use super::charter::Charter;
use super::key_package::{self, Invited};
use super::member::{self, MemberCard, MemberSecret};
use super::{KeyValue, MAX_MEMBERS, Mls, SUITE};
use crate::id::MemberId;
use crate::{Error, Nick, Secret};

/// Earlier epochs whose messages still decrypt. A member may write in the old epoch until it has
/// seen the commit.
pub const PAST_EPOCHS: usize = 2;
/// How many skipped message keys are kept for each sender.
const OUT_OF_ORDER: u32 = 16;
/// How many messages of a sender may be missing before one that decrypts. Boxes expire at the hub,
/// so gaps are normal; the bound limits the hashing that one message can cause.
const MAX_FORWARD: u32 = 10_000;

/// A member as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its leaf in the ratchet tree.
    pub leaf: u32,
    /// Its id, unique in this group.
    pub id: MemberId,
    /// Its name and streams.
    pub card: MemberCard,
    /// Its signature key.
    pub(super) key: Vec<u8>,
}

impl Member {
    /// Whether this leaf is that of the person with this rescue stream: their own key stands behind
    /// it (`GROUP-018`).
    #[must_use]
    pub fn is(&self, rescue: &[u8]) -> bool {
        self.card.rescue.to_bytes().as_slice() == rescue && self.card.proves(self.id, &self.key)
    }
}

/// What a commit changes.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Members to add.
    pub add: Vec<Invited>,
    /// Leaves to remove.
    pub remove: Vec<u32>,
    /// A new charter. Only the title may differ.
    pub charter: Option<Charter>,
    /// A new name of this member.
    pub name: Option<Nick>,
    /// Replaces this member's keys, which locks out anyone who stole the old ones.
    pub refresh: bool,
}

/// A commit of this member that waits for the decision.
pub struct Committed {
    /// What the other members apply.
    pub commit: Zeroizing<Vec<u8>>,
    /// What the added members join by.
    pub welcome: Option<Zeroizing<Vec<u8>>>,
}

/// A decrypted message, authenticated as one member's.
pub struct Decrypted {
    /// Its author.
    pub from: MemberId,
    /// The epoch it was encrypted in.
    pub epoch: u64,
    /// The plaintext.
    pub content: Zeroizing<Vec<u8>>,
}

/// What a commit changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Members that were added, with their names.
    pub added: Vec<(MemberId, Nick)>,
    /// Members that were removed, with their names.
    pub removed: Vec<(MemberId, Nick)>,
    /// Whether this member was removed.
    pub we_are_out: bool,
    /// Whether the charter has changed.
    pub charter: bool,
}

/// A conversation's MLS group.
pub struct Group {
    pub(super) mls: MlsGroup,
    pub(super) secret: MemberSecret,
    pub(super) id: Vec<u8>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Group")
    }
}

fn ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER, MAX_FORWARD)
}

pub(super) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(PAST_EPOCHS)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(ratchet())
        .build()
}

impl Group {
    /// Creates a group with this member alone. `id` must be random.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn found(
        mls: &Mls,
        kept: &dyn KeyValue,
        id: &Secret,
        secret: MemberSecret,
        name: Nick,
        charter: &Charter,
    ) -> Result<Self, Error> {
        let provider = mls.with(kept);
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .max_past_epochs(PAST_EPOCHS)
            .use_ratchet_tree_extension(true)
            .sender_ratchet_configuration(ratchet())
            .capabilities(member::capabilities())
            .with_group_context_extensions(charter.to_extensions()?)
            .with_leaf_node_extensions(secret.card(name).to_extensions()?)
            .map_err(|_| Error::Internal)?
            .build();
        let id = id.reveal().to_vec();
        let credential = secret.credential();
        let group = MlsGroup::new_with_group_id(
            &provider,
            &secret,
            &config,
            GroupId::from_slice(&id),
            credential,
        )
        .map_err(|_| provider.blame(Error::Internal))?;
        Ok(Group { mls: group, secret, id })
    }

    /// Loads a stored group; `None` when there is none with this id.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn load(
        mls: &Mls,
        kept: &dyn KeyValue,
        id: &[u8],
        secret: MemberSecret,
    ) -> Result<Option<Self>, Error> {
        let provider = mls.with(kept);
        let found = MlsGroup::load(provider.storage(), &GroupId::from_slice(id))
            .map_err(|_| Error::Storage)?;
        Ok(found.map(|mls| Group { mls, secret, id: id.to_vec() }))
    }

    /// Deletes the group with all its keys.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn delete(mut self, mls: &Mls, kept: &dyn KeyValue) -> Result<(), Error> {
        self.mls.delete(mls.with(kept).storage()).map_err(|_| Error::Storage)
    }

    /// Deletes what is kept of a group, whether it can be used or not.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn erase(mls: &Mls, kept: &dyn KeyValue, id: &[u8]) -> Result<(), Error> {
        let provider = mls.with(kept);
        let found = MlsGroup::load(provider.storage(), &GroupId::from_slice(id));
        if provider.storage().has_failed() {
            return Err(Error::Storage);
        }
        // What cannot be read opens nothing either.
        let Ok(Some(mut group)) = found else { return Ok(()) };
        group.delete(provider.storage()).map_err(|_| Error::Storage)
    }

    /// The MLS group id, 32 bytes.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// The current epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.mls.epoch().as_u64()
    }

    /// This member's leaf.
    #[must_use]
    pub(crate) fn me(&self) -> u32 {
        self.mls.own_leaf_index().u32()
    }

    /// This member's own secrets.
    #[must_use]
    pub const fn secret(&self) -> &MemberSecret {
        &self.secret
    }

    /// Whether this profile is still a member.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.mls.is_active()
    }

    /// Whether a commit of this member waits for the decision.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.mls.pending_commit().is_some()
    }

    /// The epoch authenticator of MLS. If two members of one epoch have different ones, the group
    /// has forked.
    #[must_use]
    pub fn authenticator(&self) -> [u8; 32] {
        let mut out = [0; 32];
        // 32 bytes in this ciphersuite; copied without assuming so.
        let bytes = self.mls.epoch_authenticator().as_slice();
        if let (Some(to), Some(from)) =
            (out.get_mut(..bytes.len().min(32)), bytes.get(..bytes.len().min(32)))
        {
            to.copy_from_slice(from);
        }
        out
    }

    /// What all members agree on.
    ///
    /// # Errors
    /// [`Error::Malformed`], which cannot happen after
    /// [`Welcomed::open`](super::Welcomed::open) has checked the group.
    pub fn charter(&self) -> Result<Charter, Error> {
        Charter::find(self.mls.extensions())
    }

    /// The words that the two members of a direct chat compare.
    ///
    /// # Errors
    /// [`Error::BadCommit`] when there are not two members.
    pub fn safety_words(&self) -> Result<String, Error> {
        let keys: Vec<Vec<u8>> = self.mls.members().map(|m| m.signature_key).collect();
        let pair = keys.try_into().map_err(|_| Error::BadCommit("not a conversation of two"))?;
        crate::safety_words(&self.id, &pair)
    }

    /// The statement that a member of a direct chat signs with an outside key: this member if
    /// `ours`, otherwise the other one.
    ///
    /// # Errors
    /// [`Error::BadCommit`] when there are not two members.
    pub fn identity_statement(&self, ours: bool) -> Result<String, Error> {
        let me = self.mls.own_leaf_index();
        let (mine, others): (Vec<_>, Vec<_>) = self.mls.members().partition(|m| m.index == me);
        let ([mine], [other]) = (mine.as_slice(), others.as_slice()) else {
            return Err(Error::BadCommit("not a conversation of two"));
        };
        let (signer, to) = if ours { (mine, other) } else { (other, mine) };
        Ok(crate::identity_statement(&self.id, &signer.signature_key, &to.signature_key))
    }

    /// All members, in order of leaf.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a member has no valid card, which cannot happen after
    /// [`Welcomed::open`](super::Welcomed::open) has checked the group.
    pub fn members(&self) -> Result<Vec<Member>, Error> {
        let tree = self.mls.public_group();
        self.mls
            .members()
            .map(|m| {
                let leaf = tree.leaf(m.index).ok_or(Error::Internal)?;
                Ok(Member {
                    leaf: m.index.u32(),
                    id: member::id_of(&m.credential)?,
                    card: MemberCard::find(leaf)?,
                    key: m.signature_key,
                })
            })
            .collect()
    }

    pub(super) fn signature_key_at(&self, leaf: u32) -> Option<Vec<u8>> {
        self.mls.member_at(LeafNodeIndex::new(leaf)).map(|m| m.signature_key)
    }

    fn export(&self, mls: &Mls, label: &str) -> Result<Secret, Error> {
        let secret =
            self.mls.export_secret(mls.crypto(), label, &[], 32).map_err(|_| Error::NotMember)?;
        let secret = Zeroizing::new(secret);
        Ok(Secret::new(secret.as_slice().try_into().map_err(|_| Error::Internal)?))
    }

    /// The BACAP context of all members' boxes in this epoch (`GROUP-002`). A removed member cannot
    /// compute it and so cannot even see that others write.
    ///
    /// # Errors
    /// [`Error::NotMember`].
    pub fn lane_context(&self, mls: &Mls) -> Result<Secret, Error> {
        self.export(mls, "hushwing lane v1")
    }

    /// The stream on which the commit that ends this epoch is decided (`GROUP-003`).
    ///
    /// # Errors
    /// [`Error::NotMember`].
    pub fn deciding_stream(&self, mls: &Mls) -> Result<WriteCapability, Error> {
        Ok(WriteCapability::from_seed(self.export(mls, "hushwing decide v1")?.reveal()))
    }

    /// The secret by which the two members of a direct chat find each other on a LAN (`MESH-001`).
    /// Both export it in the first epoch that they share and store it.
    ///
    /// # Errors
    /// [`Error::NotMember`].
    pub fn near_secret(&self, mls: &Mls) -> Result<Secret, Error> {
        self.export(mls, "hushwing near v1")
    }

    /// Encrypts for the current epoch.
    ///
    /// # Errors
    /// [`Error::NotMember`], [`Error::Storage`].
    pub fn encrypt(
        &mut self,
        mls: &Mls,
        kept: &dyn KeyValue,
        content: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let provider = mls.with(kept);
        let message = self
            .mls
            .create_message(&provider, &self.secret, content)
            .map_err(|_| provider.blame(Error::NotMember))?;
        key_package::write(&message)
    }

    /// Decrypts a message of the current epoch or one of the [`PAST_EPOCHS`] before it.
    ///
    /// # Errors
    /// [`Error::Undecryptable`], [`Error::Storage`].
    pub fn decrypt(
        &mut self,
        mls: &Mls,
        kept: &dyn KeyValue,
        message: &[u8],
    ) -> Result<Decrypted, Error> {
        let provider = mls.with(kept);
        let bad = Error::Undecryptable;
        let message = protocol(message)?;
        let epoch = message.epoch().as_u64();
        let processed =
            self.mls.process_message(&provider, message).map_err(|_| provider.blame(bad))?;
        let from = member::id_of(processed.credential())?;
        let ProcessedMessageContent::ApplicationMessage(content) = processed.into_content() else {
            return Err(bad);
        };
        Ok(Decrypted { from, epoch, content: Zeroizing::new(content.into_bytes()) })
    }

    /// Makes a commit. It takes effect with [`Group::merge`], after it won the decision.
    ///
    /// # Errors
    /// [`Error::GroupFull`], [`Error::BadCommit`] when there is nothing to change,
    /// [`Error::Storage`].
    pub fn commit(
        &mut self,
        mls: &Mls,
        kept: &dyn KeyValue,
        changes: &Changes,
    ) -> Result<Committed, Error> {
        self.check_room(changes)?;
        let committed = self.stage(mls, kept, changes)?;
        // What others would refuse must not win a decision: it would stall the group.
        let staged = self.mls.pending_commit();
        if let Err(error) = staged.map_or(Ok(()), |staged| self.check(self.me(), staged)) {
            self.withdraw(mls, kept)?;
            return Err(error);
        }
        Ok(committed)
    }

    /// As [`Group::commit`], without asking whether others would refuse it: for tests.
    ///
    /// # Errors
    /// See [`Group::commit`].
    #[cfg(any(test, feature = "hostile"))]
    pub fn commit_unchecked(
        &mut self,
        mls: &Mls,
        kept: &dyn KeyValue,
        changes: &Changes,
    ) -> Result<Committed, Error> {
        self.stage(mls, kept, changes)
    }

    /// A commit that takes another signature key and card for this member: for tests.
    ///
    /// # Errors
    /// See [`Group::commit`].
    #[cfg(test)]
    pub(super) fn commit_with_key(
        &mut self,
        mls: &Mls,
        kept: &dyn KeyValue,
        other: &MemberSecret,
        name: Nick,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let provider = mls.with(kept);
        let parameters = LeafNodeParameters::builder()
            .with_credential_with_key(other.credential())
            .with_extensions(other.card(name).to_extensions()?)
            .build();
        let signer = openmls::credentials::NewSignerBundle {
            signer: other,
            credential_with_key: other.credential(),
        };
        let bundle = self
            .mls
            .self_update_with_new_signer(&provider, &self.secret, signer, parameters)
            .map_err(|_| Error::Internal)?;
        key_package::write(bundle.commit())
    }

    fn stage(
        &mut self,
        mls: &Mls,
        kept: &dyn KeyValue,
        changes: &Changes,
    ) -> Result<Committed, Error> {
        let provider = mls.with(kept);
        let removed = changes.remove.iter().map(|leaf| LeafNodeIndex::new(*leaf));
        let mut builder = self
            .mls
            .commit_builder()
            // Commits go by value: no proposal that somebody sent earlier may slip into this one.
            .consume_proposal_store(false)
            .force_self_update(changes.refresh || changes.name.is_some())
            .propose_adds(changes.add.iter().map(|i| i.package.clone()))
            .propose_removals(removed);
        if let Some(charter) = &changes.charter {
            builder = builder
                .propose_group_context_extensions(charter.to_extensions()?)
                .map_err(|_| Error::Internal)?;
        }
        if let Some(name) = &changes.name {
            let card = self.secret.card(name.clone()).to_extensions()?;
            builder = builder
                .leaf_node_parameters(LeafNodeParameters::builder().with_extensions(card).build());
        }
        let bundle = builder
            .load_psks(provider.storage())
            .map_err(|_| Error::Storage)?
            .build(provider.rand(), provider.crypto(), &self.secret, |_| true)
            .map_err(|_| Error::BadCommit("cannot be made"))?
            .stage_commit(&provider)
            .map_err(|_| provider.blame(Error::BadCommit("cannot be made")))?;
        let welcome = bundle.to_welcome_msg().map(|w| key_package::write(&w)).transpose()?;
        Ok(Committed { commit: key_package::write(bundle.commit())?, welcome })
    }

    fn check_room(&self, changes: &Changes) -> Result<(), Error> {
        let after = self
            .mls
            .members()
            .count()
            .saturating_add(changes.add.len())
            .saturating_sub(changes.remove.len());
        if after > MAX_MEMBERS {
            return Err(Error::GroupFull);
        }
        if self.charter()?.direct && after > 2 {
            return Err(Error::BadCommit("a direct chat has two members"));
        }
        Ok(())
    }

    /// Applies this member's own commit, which won the decision.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::BadCommit`] when no commit waits.
    pub fn merge(&mut self, mls: &Mls, kept: &dyn KeyValue) -> Result<Applied, Error> {
        let provider = mls.with(kept);
        let staged = self.mls.pending_commit().ok_or(Error::BadCommit("none waits"))?;
        let applied = self.summary(staged)?;
        self.mls.merge_pending_commit(&provider).map_err(|_| provider.blame(Error::Internal))?;
        Ok(applied)
    }

    /// Discards this member's own commit, which lost the decision.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn withdraw(&mut self, mls: &Mls, kept: &dyn KeyValue) -> Result<(), Error> {
        self.mls.clear_pending_commit(mls.with(kept).storage()).map_err(|_| Error::Storage)
    }

    /// Applies another member's commit, which won the decision for the member at `leaf`.
    ///
    /// # Errors
    /// [`Error::BadCommit`] when it breaks the rules of MLS or `GROUP-006`. Nothing has changed
    /// then.
    pub fn apply(
        &mut self,
        mls: &Mls,
        kept: &dyn KeyValue,
        leaf: u32,
        commit: &[u8],
    ) -> Result<Applied, Error> {
        let provider = mls.with(kept);
        let bad = Error::BadCommit("does not process");
        let message = protocol(commit).map_err(|_| bad)?;
        let processed =
            self.mls.process_message(&provider, message).map_err(|_| provider.blame(bad))?;
        // Otherwise a member could win a decision with a commit that another member made and
        // withdrew.
        if *processed.sender() != Sender::Member(LeafNodeIndex::new(leaf)) {
            return Err(Error::BadCommit("is by another member than the decision"));
        }
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err(bad);
        };
        self.check(leaf, &staged)?;
        // Everything is checked by now. Merging is the first change.
        let applied = self.summary(&staged)?;
        self.mls
            .merge_staged_commit(&provider, *staged)
            .map_err(|_| provider.blame(Error::Internal))?;
        Ok(applied)
    }

    fn summary(&self, staged: &StagedCommit) -> Result<Applied, Error> {
        let members = self.members()?;
        let mut applied = Applied { we_are_out: staged.self_removed(), ..Applied::default() };
        for remove in staged.remove_proposals() {
            let leaf = remove.remove_proposal().removed().u32();
            applied.removed.extend(
                members.iter().filter(|m| m.leaf == leaf).map(|m| (m.id, m.card.name.clone())),
            );
        }
        for add in staged.add_proposals() {
            let node = add.add_proposal().key_package().leaf_node();
            applied.added.push((member::id_of(node.credential())?, MemberCard::find(node)?.name));
        }
        applied.charter = Charter::find(staged.group_context().extensions())? != self.charter()?;
        Ok(applied)
    }
}

fn protocol(bytes: &[u8]) -> Result<ProtocolMessage, Error> {
    match key_package::read(bytes, "message")? {
        MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
        _ => Err(Error::Undecryptable),
    }
}
