//! One member of one conversation: its secrets and its public card.

use ed25519_zebra::{Signature, SigningKey, VerificationKey};
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use openmls::prelude::{
    BasicCredential, Capabilities, Credential, CredentialType, CredentialWithKey, Extension,
    ExtensionType, Extensions, LeafNode, UnknownExtension,
};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use rand_core::CryptoRng;
use streams::{ReadCapability, WriteCapability};
use zeroize::Zeroizing;

use super::charter::CHARTER_EXTENSION;
use crate::id::MemberId;
use crate::{Error, Nick, Secret, codec};

/// Extension type in leaf nodes (private-use range of RFC 9420).
pub(super) const CARD_EXTENSION: u16 = 0xf0c2;

/// A member's own secrets. They are drawn for each conversation, so that two contacts cannot find
/// out that they know the same person (DESIGN 4).
#[derive(Clone)]
pub struct MemberSecret {
    id: MemberId,
    signing: Secret,
    stream: WriteCapability,
    rescue: WriteCapability,
}

impl MemberSecret {
    /// Draws the secrets of a new member.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        MemberSecret {
            id: MemberId::random(rng),
            signing: Secret::random(rng),
            stream: WriteCapability::generate(rng),
            rescue: WriteCapability::generate(rng),
        }
    }

    /// Secrets of the same person when re-added: same id and rescue stream, new signing key and
    /// stream.
    #[must_use]
    pub fn renewed<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> Self {
        MemberSecret { id: self.id, rescue: self.rescue.clone(), ..Self::random(rng) }
    }

    /// Secrets of the same person restored from a backup, which holds no more than these two.
    #[must_use]
    pub fn from_rescue<R: CryptoRng + ?Sized>(
        id: MemberId,
        rescue: WriteCapability,
        rng: &mut R,
    ) -> Self {
        MemberSecret { id, rescue, ..Self::random(rng) }
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
        MemberCard {
            name,
            stream: self.stream.read_capability(),
            rescue: self.rescue.read_capability(),
        }
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
        let mut out = Zeroizing::new(Vec::with_capacity(16 + 32 + 2 * WriteCapability::LEN));
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(self.signing.reveal());
        out.extend_from_slice(&self.stream.to_bytes());
        out.extend_from_slice(&self.rescue.to_bytes());
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
        let (stream, rescue) = rest.split_at_checked(WriteCapability::LEN).ok_or(bad)?;
        Ok(MemberSecret {
            id: MemberId::from_slice(id).ok_or(bad)?,
            signing: Secret::new(signing.try_into().map_err(|_| bad)?),
            stream: WriteCapability::from_bytes(stream)?,
            rescue: WriteCapability::from_bytes(rescue)?,
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

/// What a member shows to the others, as an extension of its leaf.
#[derive(Clone)]
pub struct MemberCard {
    /// Its name.
    pub name: Nick,
    /// Its stream.
    pub stream: ReadCapability,
    /// Its rescue stream.
    pub rescue: ReadCapability,
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
        e.array(3)?
            .encode_with(&self.name, ctx)?
            .bytes(&self.stream.to_bytes())?
            .bytes(&self.rescue.to_bytes())?
            .ok()
    }
}

impl<'b, C> Decode<'b, C> for MemberCard {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let bad = || decode::Error::message("member card");
        if d.array()? != Some(3) {
            return Err(bad());
        }
        Ok(MemberCard {
            name: Nick::decode(d, ctx)?,
            stream: ReadCapability::from_bytes(d.bytes()?).map_err(|_| bad())?,
            rescue: ReadCapability::from_bytes(d.bytes()?).map_err(|_| bad())?,
        })
    }
}

impl MemberCard {
    pub(super) fn to_extensions(&self) -> Result<Extensions<LeafNode>, Error> {
        Extensions::single(Extension::Unknown(CARD_EXTENSION, UnknownExtension(wire::encode(self))))
            .map_err(|_| Error::Internal)
    }

    pub(super) fn find(leaf: &LeafNode) -> Result<Self, Error> {
        let found =
            leaf.extensions().unknown(CARD_EXTENSION).ok_or(Error::Malformed("member card"))?;
        codec::decode(&found.0).ok_or(Error::Malformed("member card"))
    }
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
