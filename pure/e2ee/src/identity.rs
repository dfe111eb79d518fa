//! Identities in open rooms: the root key of a talker's stream.

use std::fmt;

use curve25519_dalek::edwards::CompressedEdwardsY;
use data_encoding::BASE32_NOPAD;
use ed25519_zebra::{Signature, SigningKey, VerificationKey};
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use streams::{Index, WriteCapability};

use crate::{Error, Secret};

/// Domain of the hash behind a suffix.
const SUFFIX_DOMAIN: &[u8] = b"hushwing room suffix v1";

/// The public key of a talker or owner: an Ed25519 point of prime order in canonical encoding.
///
/// Points of small or mixed order are refused, so that one identity has one key (`ROOM-011`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TalkerKey([u8; 32]);

impl TalkerKey {
    /// Checks 32 bytes.
    ///
    /// # Errors
    /// [`Error::BadKey`] unless the bytes are a canonical point of prime order.
    pub fn new(bytes: [u8; 32]) -> Result<Self, Error> {
        let point = CompressedEdwardsY(bytes).decompress().ok_or(Error::BadKey)?;
        let canonical = point.compress().0 == bytes;
        if !canonical || point.is_small_order() || !point.is_torsion_free() {
            return Err(Error::BadKey);
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Eight lowercase base32 characters (40 bits) of the key's hash, shown after a nick that could
    /// be mistaken for another (`ROOM-015`).
    #[must_use]
    pub fn suffix(&self) -> String {
        let hash = Sha256::new().chain_update(SUFFIX_DOMAIN).chain_update(self.0).finalize();
        let head: [u8; 5] = std::array::from_fn(|i| hash.get(i).copied().unwrap_or(0));
        BASE32_NOPAD.encode(&head).to_ascii_lowercase()
    }

    /// Checks a signature by the rules of ZIP-215, so that all readers agree.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerificationKey::try_from(self.0)
            .is_ok_and(|key| key.verify(&Signature::from(*signature), message).is_ok())
    }
}

impl fmt::Debug for TalkerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TalkerKey")
    }
}

impl<C> Encode<C> for TalkerKey {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for TalkerKey {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let bad = |_| decode::Error::message("talker key");
        let bytes: [u8; 32] =
            d.bytes()?.try_into().map_err(|_| decode::Error::message("talker key"))?;
        Self::new(bytes).map_err(bad)
    }
}

/// The secret half of a [`TalkerKey`]: an Ed25519 seed (RFC 8032), new for each room.
#[derive(Clone, PartialEq, Eq)]
pub struct TalkerSecret(Secret);

impl TalkerSecret {
    /// Draws a new identity.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(Secret::random(rng))
    }

    /// Restores an identity from its seed.
    #[must_use]
    pub(crate) const fn from_seed(seed: Secret) -> Self {
        Self(seed)
    }

    /// The seed, for storing.
    #[must_use]
    pub(crate) const fn seed(&self) -> &Secret {
        &self.0
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> TalkerKey {
        // A clamped scalar times the base point is always a canonical point of prime order, so this
        // need not go through `TalkerKey::new`.
        TalkerKey(VerificationKey::from(&self.key()).into())
    }

    /// The write capability of this identity's stream at `index`.
    #[must_use]
    pub(crate) fn stream_at(&self, index: Index) -> WriteCapability {
        WriteCapability::from_parts(self.0.reveal(), index)
    }

    /// A new stream of this identity, at a random index.
    pub fn new_stream<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> WriteCapability {
        self.stream_at(Index::random(rng))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key().sign(message).into()
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_bytes(self.0.reveal())
    }
}

impl fmt::Debug for TalkerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TalkerSecret")
    }
}
