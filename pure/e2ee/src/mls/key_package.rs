//! KeyPackages: what a person hands over in order to be added to a conversation.

use openmls::prelude::{
    Extensions, KeyPackage, KeyPackageIn, LeafNode, Lifetime, MlsMessageBodyIn, MlsMessageIn,
    MlsMessageOut, ProtocolVersion,
};
use openmls_traits::OpenMlsProvider;
use tls_codec::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::group::Member;
use super::member::{self, MemberCard, MemberSecret};
use super::{KeyValue, MAX_MESSAGE, Mls, SUITE};
use crate::id::MemberId;
use crate::{Error, Nick};

/// Longest KeyPackage that is parsed, bytes. One with X-Wing keys has about 3,000.
const MAX_KEY_PACKAGE: usize = 8_192;

/// End of validity in MLS terms, s since the Unix epoch: the year 2100. Invites carry an expiry of
/// their own, in document time. A short MLS lifetime would only keep a member who comes back late
/// from processing the commit that added somebody.
const NOT_AFTER: u64 = 4_102_444_800;

/// Makes a KeyPackage. Its private halves stay in `kept` until the welcome comes.
///
/// # Errors
/// [`Error::Storage`], [`Error::Internal`].
pub fn key_package(
    mls: &Mls,
    kept: &dyn KeyValue,
    secret: &MemberSecret,
    name: Nick,
) -> Result<Vec<u8>, Error> {
    package_with(mls, kept, secret, secret.card(name).to_extensions()?)
}

/// A KeyPackage that shows `change` of the encoded card, under the same keys: for tests.
///
/// # Errors
/// [`Error::Storage`], [`Error::Internal`].
#[cfg(feature = "hostile")]
pub fn key_package_showing(
    mls: &Mls,
    kept: &dyn KeyValue,
    secret: &MemberSecret,
    name: Nick,
    change: impl FnOnce(Vec<u8>) -> Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let card = change(wire::encode(&secret.card(name)));
    package_with(mls, kept, secret, member::card_extension(card)?)
}

/// A KeyPackage with these extensions of its leaf.
pub(super) fn package_with(
    mls: &Mls,
    kept: &dyn KeyValue,
    secret: &MemberSecret,
    extensions: Extensions<LeafNode>,
) -> Result<Vec<u8>, Error> {
    let provider = mls.with(kept);
    let bundle = KeyPackage::builder()
        .key_package_lifetime(Lifetime::init(0, NOT_AFTER))
        .leaf_node_capabilities(member::capabilities())
        .leaf_node_extensions(extensions)
        .build(SUITE, &provider, secret, secret.credential())
        .map_err(|_| Error::Storage)?;
    MlsMessageOut::from(bundle.into_key_package())
        .tls_serialize_detached()
        .map_err(|_| Error::Internal)
}

/// A checked KeyPackage: somebody who can be added.
#[derive(Clone)]
pub struct Invited {
    pub(super) package: KeyPackage,
    /// Id of the member it would become.
    pub id: MemberId,
    /// Name and streams of that member.
    pub card: MemberCard,
}

impl Invited {
    /// Checks a KeyPackage from outside.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a wrong suite, a bad signature, a missing card, or a card whose
    /// rescue stream does not stand behind the keys (`GROUP-018`).
    pub fn parse(mls: &Mls, bytes: &[u8]) -> Result<Self, Error> {
        let bad = Error::Malformed("KeyPackage");
        if bytes.len() > MAX_KEY_PACKAGE {
            return Err(bad);
        }
        let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| bad)?;
        let MlsMessageBodyIn::KeyPackage(package) = message.extract() else { return Err(bad) };
        Self::check(mls, package)
    }

    fn check(mls: &Mls, package: KeyPackageIn) -> Result<Self, Error> {
        let bad = Error::Malformed("KeyPackage");
        let package = package.validate(mls.crypto(), ProtocolVersion::Mls10).map_err(|_| bad)?;
        if package.ciphersuite() != SUITE {
            return Err(bad);
        }
        let leaf = package.leaf_node();
        let (id, card) = (member::id_of(leaf.credential())?, MemberCard::find(leaf)?);
        if !card.proves(id, leaf.signature_key().as_slice()) {
            return Err(bad);
        }
        Ok(Invited { id, card, package })
    }
}

#[cfg(feature = "hostile")]
impl Invited {
    /// As [`Invited::parse`], without asking whether the card belongs to the keys: for tests.
    #[must_use]
    pub fn unchecked(mls: &Mls, bytes: &[u8]) -> Option<Self> {
        let message = MlsMessageIn::tls_deserialize_exact(bytes).ok()?;
        let MlsMessageBodyIn::KeyPackage(package) = message.extract() else { return None };
        let package = package.validate(mls.crypto(), ProtocolVersion::Mls10).ok()?;
        let leaf = package.leaf_node();
        let (id, card) = (member::id_of(leaf.credential()).ok()?, MemberCard::find(leaf).ok()?);
        Some(Invited { id, card, package })
    }
}

impl Invited {
    /// Whether the id is the one that belongs to the rescue stream: whoever comes for the first
    /// time has no other (`GROUP-018`).
    #[must_use]
    pub fn owns_id(&self) -> bool {
        self.card.owns(self.id)
    }

    /// Whether this is the same person as `member`, with newer keys (`GROUP-018`): then it may take
    /// that member's place.
    #[must_use]
    pub fn continues(&self, member: &Member) -> bool {
        self.id == member.id && self.card.continues(&member.card)
    }
}

impl std::fmt::Debug for Invited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Invited")
    }
}

/// Deletes the private halves of a KeyPackage that will not be used any more.
///
/// # Errors
/// [`Error::Storage`].
pub fn forget(mls: &Mls, kept: &dyn KeyValue, package: &[u8]) -> Result<(), Error> {
    use openmls_traits::storage::StorageProvider;
    let invited = Invited::parse(mls, package)?;
    let provider = mls.with(kept);
    let reference = invited.package.hash_ref(provider.crypto()).map_err(|_| Error::Internal)?;
    provider.storage().delete_key_package(&reference).map_err(|_| Error::Storage)
}

/// Reads an MLS message of bounded length.
pub(super) fn read(bytes: &[u8], what: &'static str) -> Result<MlsMessageBodyIn, Error> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Error::Malformed(what));
    }
    Ok(MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| Error::Malformed(what))?.extract())
}

/// Writes an MLS message.
pub(super) fn write(message: &MlsMessageOut) -> Result<Zeroizing<Vec<u8>>, Error> {
    message.tls_serialize_detached().map(Zeroizing::new).map_err(|_| Error::Internal)
}
