//! One member of one conversation: its secrets and its public card.

use ed25519_zebra::{Signature, SigningKey, VerificationKey};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use openmls::prelude::{
    BasicCredential, Capabilities, Credential, CredentialType, CredentialWithKey, Extension,
    ExtensionType, Extensions, LeafNode, UnknownExtension,
};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use streams::{ReadCapability, WriteCapability};
use wire::Timestamp;
use zeroize::Zeroizing;

use super::charter::CHARTER_EXTENSION;
use crate::id::MemberId;
use crate::{Error, Nick, Secret, codec};

/// Extension type in leaf nodes (private-use range of RFC 9420).
pub(super) const CARD_EXTENSION: u16 = 0xf0c2;

/// Domain of the hash that is a member's id.
const ID_DOMAIN: &[u8] = b"hushwing member id v1";
/// Domain of the signature that ties a member's keys to its rescue stream.
const CONTINUITY_DOMAIN: &[u8] = b"hushwing continuity v1";

/// A member's own secrets. They are drawn for each conversation, so that two contacts cannot find
/// out that they know the same person (DESIGN 4).
///
/// The rescue stream is the person: it never changes, the id is its hash, and its root key signs
/// all other keys (`GROUP-018`).
#[derive(Clone)]
pub struct MemberSecret {
    id: MemberId,
    signing: Secret,
    stream: WriteCapability,
    rescue: WriteCapability,
    /// When signing key and stream were drawn, ms; 0: with the id.
    since: u64,
}

impl MemberSecret {
    /// Draws the secrets of a new member.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let rescue = WriteCapability::generate(rng);
        Self::drawn(id_for(&rescue.read_capability()), rescue, 0, rng)
    }

    fn drawn<R: CryptoRng + ?Sized>(
        id: MemberId,
        rescue: WriteCapability,
        since: u64,
        rng: &mut R,
    ) -> Self {
        let (signing, stream) = (Secret::random(rng), WriteCapability::generate(rng));
        MemberSecret { id, signing, stream, rescue, since }
    }

    /// Secrets of the same person when re-added at `now`: same id and rescue stream, new signing
    /// key and stream.
    #[must_use]
    pub fn renewed<R: CryptoRng + ?Sized>(&self, now: Timestamp, rng: &mut R) -> Self {
        let since = now.as_millis().max(self.since.saturating_add(1));
        Self::drawn(self.id, self.rescue.clone(), since, rng)
    }

    /// Secrets of the same person restored from a backup at `now`, which holds no more than these
    /// two.
    #[must_use]
    pub fn from_rescue<R: CryptoRng + ?Sized>(
        id: MemberId,
        rescue: WriteCapability,
        now: Timestamp,
        rng: &mut R,
    ) -> Self {
        Self::drawn(id, rescue, now.as_millis(), rng)
    }

    /// The member's id.
    #[must_use]
    pub const fn id(&self) -> MemberId {
        self.id
    }

    /// The member's stream. The boxes of every epoch start at its index, under that epoch's
    /// context.
    #[must_use]
    pub const fn stream(&self) -> &WriteCapability {
        &self.stream
    }

    /// The stream of rescue boxes.
    #[must_use]
    pub const fn rescue(&self) -> &WriteCapability {
        &self.rescue
    }

    /// The card that shows this member under `name`.
    #[must_use]
    pub(crate) fn card(&self, name: Nick) -> MemberCard {
        let stream = self.stream.read_capability();
        let signed = continuity(self.id, &self.public_key(), &stream, self.since);
        let proof = Continuity { since: self.since, signature: self.rescue.sign(&signed).into() };
        MemberCard { name, stream, rescue: self.rescue.read_capability(), proof: Some(proof) }
    }

    pub(super) fn public_key(&self) -> [u8; 32] {
        VerificationKey::from(&self.signing_key()).into()
    }

    pub(super) fn signing_key(&self) -> SigningKey {
        SigningKey::from(*self.signing.reveal())
    }

    pub(super) fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.id.as_bytes().to_vec()).into(),
            signature_key: self.public_key().to_vec().into(),
        }
    }

    /// Encodes all secrets, for storing.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(16 + 32 + 2 * WriteCapability::LEN + 8));
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(self.signing.reveal());
        out.extend_from_slice(&self.stream.to_bytes());
        out.extend_from_slice(&self.rescue.to_bytes());
        out.extend_from_slice(&self.since.to_be_bytes());
        out
    }

    /// Restores what [`MemberSecret::to_bytes`] encoded.
    ///
    /// # Errors
    /// [`Error::Malformed`] for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let bad = Error::Malformed("kept member");
        let (id, rest) = bytes.split_at_checked(16).ok_or(bad)?;
        let (signing, rest) = rest.split_at_checked(32).ok_or(bad)?;
        let (stream, rest) = rest.split_at_checked(WriteCapability::LEN).ok_or(bad)?;
        let (rescue, since) = rest.split_at_checked(WriteCapability::LEN).ok_or(bad)?;
        let since = match since {
            // Earlier versions kept no time.
            [] => 0,
            bytes => u64::from_be_bytes(bytes.try_into().map_err(|_| bad)?),
        };
        Ok(MemberSecret {
            id: MemberId::from_slice(id).ok_or(bad)?,
            signing: Secret::new(signing.try_into().map_err(|_| bad)?),
            stream: WriteCapability::from_bytes(stream)?,
            rescue: WriteCapability::from_bytes(rescue)?,
            since,
        })
    }
}

impl std::fmt::Debug for MemberSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemberSecret")
    }
}

impl Signer for MemberSecret {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(<[u8; 64]>::from(self.signing_key().sign(payload)).to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Checks a member's signature by the rules of ZIP-215, so that all members agree.
pub(super) fn verify(key: &[u8], message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = <[u8; 32]>::try_from(key) else { return false };
    VerificationKey::try_from(key)
        .is_ok_and(|k| k.verify(&Signature::from(*signature), message).is_ok())
}

/// The id of the member with this rescue stream: nobody can take it with another.
fn id_for(rescue: &ReadCapability) -> MemberId {
    let hash = Sha256::new().chain_update(ID_DOMAIN).chain_update(rescue.to_bytes()).finalize();
    MemberId::new(std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default()))
}

/// What the root key of a rescue stream signs. All lengths are fixed.
fn continuity(id: MemberId, key: &[u8; 32], stream: &ReadCapability, since: u64) -> Vec<u8> {
    let mut signed = CONTINUITY_DOMAIN.to_vec();
    signed.extend_from_slice(id.as_bytes());
    signed.extend_from_slice(key);
    signed.extend_from_slice(&stream.to_bytes());
    signed.extend_from_slice(&since.to_be_bytes());
    signed
}

/// Ties a leaf's keys to the rescue stream of the person who holds them (`GROUP-018`).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Continuity {
    /// When the keys were drawn, ms of document time. Keys are replaced by later ones only, so an
    /// old proof cannot bring old keys back.
    #[n(0)]
    since: u64,
    /// By the root key of the rescue stream, over id, signing key, stream and time.
    #[n(1)]
    signature: ByteArray<64>,
}

/// What a member shows to the others, as an extension of its leaf.
#[derive(Clone)]
pub struct MemberCard {
    /// Its name.
    pub name: Nick,
    /// Its stream.
    pub stream: ReadCapability,
    /// Its rescue stream.
    pub rescue: ReadCapability,
    /// That the holder of the rescue stream stands behind the leaf. Missing in groups of earlier
    /// versions.
    pub(super) proof: Option<Continuity>,
}

impl PartialEq for MemberCard {
    fn eq(&self, other: &Self) -> bool {
        wire::encode(self) == wire::encode(other)
    }
}

impl Eq for MemberCard {}

impl std::fmt::Debug for MemberCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemberCard")
    }
}

impl<C> Encode<C> for MemberCard {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(if self.proof.is_some() { 4 } else { 3 })?
            .encode_with(&self.name, ctx)?
            .bytes(&self.stream.to_bytes())?
            .bytes(&self.rescue.to_bytes())?;
        if let Some(proof) = &self.proof {
            e.encode_with(proof, ctx)?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for MemberCard {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let bad = || decode::Error::message("member card");
        let fields = d.array()?.filter(|n| (3..=4).contains(n)).ok_or_else(bad)?;
        Ok(MemberCard {
            name: Nick::decode(d, ctx)?,
            stream: ReadCapability::from_bytes(d.bytes()?).map_err(|_| bad())?,
            rescue: ReadCapability::from_bytes(d.bytes()?).map_err(|_| bad())?,
            proof: (fields == 4).then(|| Continuity::decode(d, ctx)).transpose()?,
        })
    }
}

impl MemberCard {
    /// Whether the holder of the rescue stream has signed that a leaf with this signature key is
    /// theirs, under this id.
    pub(super) fn proves(&self, id: MemberId, key: &[u8]) -> bool {
        let (Some(proof), Ok(key)) = (&self.proof, <&[u8; 32]>::try_from(key)) else {
            return false;
        };
        let signed = continuity(id, key, &self.stream, proof.since);
        verify(&self.rescue.root_public(), &signed, &proof.signature)
    }

    /// Whether this id is the rescue stream's own.
    pub(super) fn owns(&self, id: MemberId) -> bool {
        id_for(&self.rescue) == id
    }

    /// Whether this is the card of the same person, with keys that are newer than those of
    /// `before`.
    pub(super) fn continues(&self, before: &MemberCard) -> bool {
        let since = |card: &MemberCard| card.proof.as_ref().map(|p| p.since);
        self.rescue.to_bytes() == before.rescue.to_bytes() && since(self) > since(before)
    }

    /// Whether nothing but the name differs; a proof may also be new.
    pub(super) fn renames(&self, before: &MemberCard) -> bool {
        let streams = |card: &MemberCard| (card.stream.to_bytes(), card.rescue.to_bytes());
        streams(self) == streams(before) && (before.proof.is_none() || self.proof == before.proof)
    }
}

impl MemberCard {
    pub(super) fn to_extensions(&self) -> Result<Extensions<LeafNode>, Error> {
        card_extension(wire::encode(self))
    }

    pub(super) fn find(leaf: &LeafNode) -> Result<Self, Error> {
        let found =
            leaf.extensions().unknown(CARD_EXTENSION).ok_or(Error::Malformed("member card"))?;
        codec::decode(&found.0).ok_or(Error::Malformed("member card"))
    }
}

/// The extension that shows this encoded card.
pub(super) fn card_extension(card: Vec<u8>) -> Result<Extensions<LeafNode>, Error> {
    Extensions::single(Extension::Unknown(CARD_EXTENSION, UnknownExtension(card)))
        .map_err(|_| Error::Internal)
}

/// The member id in a credential.
pub(super) fn id_of(credential: &Credential) -> Result<MemberId, Error> {
    let basic = BasicCredential::try_from(credential.clone())
        .map_err(|_| Error::Malformed("credential"))?;
    MemberId::from_slice(basic.identity()).ok_or(Error::Malformed("credential"))
}

/// The capabilities that every leaf declares.
pub(super) fn capabilities() -> Capabilities {
    Capabilities::builder()
        .ciphersuites(vec![super::SUITE])
        .extensions(vec![
            ExtensionType::Unknown(CHARTER_EXTENSION),
            ExtensionType::Unknown(CARD_EXTENSION),
        ])
        .credentials(vec![CredentialType::Basic])
        .build()
}
