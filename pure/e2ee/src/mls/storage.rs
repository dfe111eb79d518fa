//! The MLS library's storage, over a plain key-value store with values in MessagePack.
//!
//! Each value is one record whose key is a label byte and the MessagePack of openmls' key.
//! Transactions are the caller's, so MLS state and messages change together.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::kept;

const V: u16 = CURRENT_VERSION;

/// A store of MLS state. Its methods take `&self` because those of the MLS library do.
pub trait KeyValue {
    /// The value under this key.
    ///
    /// # Errors
    /// A description of the failure, as for the other methods.
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, String>;
    /// Writes a value.
    ///
    /// # Errors
    /// See [`KeyValue::get`].
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), String>;
    /// Removes a value. It is not an error if there is none.
    ///
    /// # Errors
    /// See [`KeyValue::get`].
    fn remove(&self, key: &[u8]) -> Result<(), String>;
}

/// What a key holds from now on; none: nothing.
type Change = Option<Zeroizing<Vec<u8>>>;

/// Changes that wait until everything is checked: reads fall through to the store below, writes
/// stay here until [`Staged::flush`]. Without it the MLS library writes before a caller can look at
/// what it has been handed.
pub(super) struct Staged<'a> {
    below: &'a dyn KeyValue,
    changes: RefCell<BTreeMap<Vec<u8>, Change>>,
}

impl<'a> Staged<'a> {
    pub(super) fn over(below: &'a dyn KeyValue) -> Self {
        Staged { below, changes: RefCell::default() }
    }

    /// Writes all changes through.
    pub(super) fn flush(self) -> Result<(), String> {
        self.changes.into_inner().into_iter().try_for_each(|(key, value)| match value {
            Some(value) => self.below.put(&key, &value),
            None => self.below.remove(&key),
        })
    }
}

impl KeyValue for Staged<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        match self.changes.borrow().get(key) {
            Some(staged) => Ok(staged.clone()),
            None => self.below.get(key),
        }
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let value = Some(Zeroizing::new(value.to_vec()));
        self.changes.borrow_mut().insert(key.to_vec(), value);
        Ok(())
    }

    fn remove(&self, key: &[u8]) -> Result<(), String> {
        self.changes.borrow_mut().insert(key.to_vec(), None);
        Ok(())
    }
}

/// A failure of the MLS library's storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(String),
    /// A value cannot be written or read as MessagePack.
    #[error("kept MLS state is damaged")]
    Damaged,
}

/// [`StorageProvider`] over a [`KeyValue`].
pub(crate) struct Storage<'a> {
    kept: &'a dyn KeyValue,
    /// Whether the store itself failed. Then an error of the MLS library is not a peer's fault.
    failed: Cell<bool>,
}

impl<'a> Storage<'a> {
    pub(super) fn new(kept: &'a dyn KeyValue) -> Self {
        Storage { kept, failed: Cell::new(false) }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    fn failed(&self, error: String) -> StorageError {
        self.failed.set(true);
        StorageError::Store(error)
    }
}

/// First byte of each key. The numbers are part of the vault's format.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Label {
    JoinConfig = 1,
    OwnLeafNodes = 2,
    Proposal = 3,
    ProposalRefs = 4,
    Tree = 5,
    InterimTranscriptHash = 6,
    Context = 7,
    ConfirmationTag = 8,
    GroupState = 9,
    MessageSecrets = 10,
    ResumptionPsks = 11,
    OwnLeafIndex = 12,
    EpochSecrets = 13,
    SignatureKeyPair = 14,
    EncryptionKeyPair = 15,
    EpochKeyPairs = 16,
    KeyPackage = 17,
    Psk = 18,
}

fn pack<T: Serialize + ?Sized>(value: &T) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    kept::pack(value).ok_or(StorageError::Damaged)
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StorageError> {
    kept::unpack(bytes).ok_or(StorageError::Damaged)
}

#[allow(clippy::as_conversions, reason = "the discriminants are the numbers")]
fn key<K: Serialize + ?Sized>(label: Label, of: &K) -> Result<Vec<u8>, StorageError> {
    let mut key = vec![label as u8];
    key.extend_from_slice(&pack(of)?);
    Ok(key)
}

impl Storage<'_> {
    fn write<K: Serialize + ?Sized, T: Serialize + ?Sized>(
        &self,
        label: Label,
        of: &K,
        value: &T,
    ) -> Result<(), StorageError> {
        let value = pack(value)?;
        self.kept.put(&key(label, of)?, &value).map_err(|e| self.failed(e))
    }

    fn read<K: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        label: Label,
        of: &K,
    ) -> Result<Option<T>, StorageError> {
        let found = self.kept.get(&key(label, of)?).map_err(|e| self.failed(e))?;
        let value = found.map(|bytes| unpack(&bytes)).transpose();
        value.inspect_err(|_| self.failed.set(true))
    }

    fn delete<K: Serialize + ?Sized>(&self, label: Label, of: &K) -> Result<(), StorageError> {
        self.kept.remove(&key(label, of)?).map_err(|e| self.failed(e))
    }

    fn list<K: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        label: Label,
        of: &K,
    ) -> Result<Vec<T>, StorageError> {
        Ok(self.read(label, of)?.unwrap_or_default())
    }
}

macro_rules! write {
    ($($name:ident: $label:ident<$k:ident, $v:ident>;)*) => {$(
        fn $name<K: traits::$k<V>, T: traits::$v<V>>(&self, of: &K, value: &T) -> Result<(), Self::Error> {
            self.write(Label::$label, of, value)
        }
    )*};
}

macro_rules! read {
    ($($name:ident: $label:ident<$k:ident, $v:ident>;)*) => {$(
        fn $name<K: traits::$k<V>, T: traits::$v<V>>(&self, of: &K) -> Result<Option<T>, Self::Error> {
            self.read(Label::$label, of)
        }
    )*};
}

/// Like `read`, for methods whose first type parameter is the value's.
macro_rules! read_swapped {
    ($($name:ident: $label:ident<$v:ident, $k:ident>;)*) => {$(
        fn $name<T: traits::$v<V>, K: traits::$k<V>>(&self, of: &K) -> Result<Option<T>, Self::Error> {
            self.read(Label::$label, of)
        }
    )*};
}

macro_rules! delete {
    ($($name:ident: $label:ident<$k:ident>;)*) => {$(
        fn $name<K: traits::$k<V>>(&self, of: &K) -> Result<(), Self::Error> {
            self.delete(Label::$label, of)
        }
    )*};
}

impl StorageProvider<V> for Storage<'_> {
    type Error = StorageError;

    write! {
        write_mls_join_config: JoinConfig<GroupId, MlsGroupJoinConfig>;
        write_tree: Tree<GroupId, TreeSync>;
        write_interim_transcript_hash: InterimTranscriptHash<GroupId, InterimTranscriptHash>;
        write_context: Context<GroupId, GroupContext>;
        write_confirmation_tag: ConfirmationTag<GroupId, ConfirmationTag>;
        write_message_secrets: MessageSecrets<GroupId, MessageSecrets>;
        write_resumption_psk_store: ResumptionPsks<GroupId, ResumptionPskStore>;
        write_own_leaf_index: OwnLeafIndex<GroupId, LeafNodeIndex>;
        write_group_epoch_secrets: EpochSecrets<GroupId, GroupEpochSecrets>;
        write_signature_key_pair: SignatureKeyPair<SignaturePublicKey, SignatureKeyPair>;
        write_encryption_key_pair: EncryptionKeyPair<EncryptionKey, HpkeKeyPair>;
        write_key_package: KeyPackage<HashReference, KeyPackage>;
        write_psk: Psk<PskId, PskBundle>;
    }

    read! {
        mls_group_join_config: JoinConfig<GroupId, MlsGroupJoinConfig>;
        tree: Tree<GroupId, TreeSync>;
        group_context: Context<GroupId, GroupContext>;
        interim_transcript_hash: InterimTranscriptHash<GroupId, InterimTranscriptHash>;
        confirmation_tag: ConfirmationTag<GroupId, ConfirmationTag>;
        message_secrets: MessageSecrets<GroupId, MessageSecrets>;
        resumption_psk_store: ResumptionPsks<GroupId, ResumptionPskStore>;
        own_leaf_index: OwnLeafIndex<GroupId, LeafNodeIndex>;
        group_epoch_secrets: EpochSecrets<GroupId, GroupEpochSecrets>;
        signature_key_pair: SignatureKeyPair<SignaturePublicKey, SignatureKeyPair>;
        key_package: KeyPackage<HashReference, KeyPackage>;
    }

    read_swapped! {
        group_state: GroupState<GroupState, GroupId>;
        encryption_key_pair: EncryptionKeyPair<HpkeKeyPair, EncryptionKey>;
        psk: Psk<PskBundle, PskId>;
    }

    delete! {
        delete_own_leaf_nodes: OwnLeafNodes<GroupId>;
        delete_group_config: JoinConfig<GroupId>;
        delete_tree: Tree<GroupId>;
        delete_confirmation_tag: ConfirmationTag<GroupId>;
        delete_group_state: GroupState<GroupId>;
        delete_context: Context<GroupId>;
        delete_interim_transcript_hash: InterimTranscriptHash<GroupId>;
        delete_message_secrets: MessageSecrets<GroupId>;
        delete_all_resumption_psk_secrets: ResumptionPsks<GroupId>;
        delete_own_leaf_index: OwnLeafIndex<GroupId>;
        delete_group_epoch_secrets: EpochSecrets<GroupId>;
        delete_signature_key_pair: SignatureKeyPair<SignaturePublicKey>;
        delete_encryption_key_pair: EncryptionKeyPair<EncryptionKey>;
        delete_key_package: KeyPackage<HashReference>;
        delete_psk: Psk<PskId>;
    }

    fn write_group_state<S: traits::GroupState<V>, K: traits::GroupId<V>>(
        &self,
        of: &K,
        state: &S,
    ) -> Result<(), Self::Error> {
        self.write(Label::GroupState, of, state)
    }

    fn append_own_leaf_node<K: traits::GroupId<V>, L: traits::LeafNode<V>>(
        &self,
        of: &K,
        leaf: &L,
    ) -> Result<(), Self::Error> {
        let mut list: Vec<serde_bytes_vec::Bytes> = self.list(Label::OwnLeafNodes, of)?;
        list.push(serde_bytes_vec::Bytes(pack(leaf)?.to_vec()));
        self.write(Label::OwnLeafNodes, of, &list)
    }

    fn own_leaf_nodes<K: traits::GroupId<V>, L: traits::LeafNode<V>>(
        &self,
        of: &K,
    ) -> Result<Vec<L>, Self::Error> {
        let list: Vec<serde_bytes_vec::Bytes> = self.list(Label::OwnLeafNodes, of)?;
        list.iter().map(|b| unpack(&b.0)).collect()
    }

    fn queue_proposal<
        K: traits::GroupId<V>,
        R: traits::ProposalRef<V>,
        P: traits::QueuedProposal<V>,
    >(
        &self,
        of: &K,
        reference: &R,
        proposal: &P,
    ) -> Result<(), Self::Error> {
        self.write(Label::Proposal, &(of, reference), proposal)?;
        let mut refs: Vec<serde_bytes_vec::Bytes> = self.list(Label::ProposalRefs, of)?;
        refs.push(serde_bytes_vec::Bytes(pack(reference)?.to_vec()));
        self.write(Label::ProposalRefs, of, &refs)
    }

    fn queued_proposal_refs<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        of: &K,
    ) -> Result<Vec<R>, Self::Error> {
        let refs: Vec<serde_bytes_vec::Bytes> = self.list(Label::ProposalRefs, of)?;
        refs.iter().map(|b| unpack(&b.0)).collect()
    }

    fn queued_proposals<
        K: traits::GroupId<V>,
        R: traits::ProposalRef<V>,
        P: traits::QueuedProposal<V>,
    >(
        &self,
        of: &K,
    ) -> Result<Vec<(R, P)>, Self::Error> {
        let refs: Vec<R> = self.queued_proposal_refs(of)?;
        refs.into_iter()
            .map(|r| {
                let proposal =
                    self.read(Label::Proposal, &(of, &r))?.ok_or(StorageError::Damaged)?;
                Ok((r, proposal))
            })
            .collect()
    }

    fn remove_proposal<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        of: &K,
        reference: &R,
    ) -> Result<(), Self::Error> {
        let packed = pack(reference)?;
        let mut refs: Vec<serde_bytes_vec::Bytes> = self.list(Label::ProposalRefs, of)?;
        refs.retain(|b| b.0 != *packed);
        self.write(Label::ProposalRefs, of, &refs)?;
        self.delete(Label::Proposal, &(of, reference))
    }

    fn clear_proposal_queue<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        of: &K,
    ) -> Result<(), Self::Error> {
        let refs: Vec<R> = self.queued_proposal_refs(of)?;
        for reference in &refs {
            self.delete(Label::Proposal, &(of, reference))?;
        }
        self.delete(Label::ProposalRefs, of)
    }

    fn write_encryption_epoch_key_pairs<
        K: traits::GroupId<V>,
        E: traits::EpochKey<V>,
        P: traits::HpkeKeyPair<V>,
    >(
        &self,
        of: &K,
        epoch: &E,
        leaf_index: u32,
        pairs: &[P],
    ) -> Result<(), Self::Error> {
        self.write(Label::EpochKeyPairs, &(of, epoch, leaf_index), pairs)
    }

    fn encryption_epoch_key_pairs<
        K: traits::GroupId<V>,
        E: traits::EpochKey<V>,
        P: traits::HpkeKeyPair<V>,
    >(
        &self,
        of: &K,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<Vec<P>, Self::Error> {
        self.list(Label::EpochKeyPairs, &(of, epoch, leaf_index))
    }

    fn delete_encryption_epoch_key_pairs<K: traits::GroupId<V>, E: traits::EpochKey<V>>(
        &self,
        of: &K,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<(), Self::Error> {
        self.delete(Label::EpochKeyPairs, &(of, epoch, leaf_index))
    }
}

mod serde_bytes_vec {
    /// A list of encoded values.
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) struct Bytes(pub(super) Vec<u8>);
}
