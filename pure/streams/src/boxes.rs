//! Boxes, before and after verification.

use std::fmt;

use ed25519_zebra::{Signature, VerificationKey};

use crate::Error;

/// The address of a box: a blinded Ed25519 public key. `Debug` prints no byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxId([u8; 32]);

impl BoxId {
    /// Wraps the bytes. Whether they are a key shows only when a signature is checked.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        BoxId(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxId")
    }
}

/// A box whose signature has not been checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBox {
    /// The address.
    pub id: BoxId,
    /// AES-256-GCM-SIV ciphertext and tag; empty for a tombstone.
    pub ciphertext: Vec<u8>,
    /// Ed25519 signature by `id` over the ciphertext.
    pub signature: [u8; 64],
}

impl fmt::Debug for SealedBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBox({} B)", self.ciphertext.len())
    }
}

impl SealedBox {
    /// Checks the signature by the rules of ZIP-215, like [`verify_batch`](crate::verify_batch).
    ///
    /// # Errors
    /// [`Error::BadSignature`].
    pub fn verify(self) -> Result<VerifiedBox, Error> {
        let key = VerificationKey::try_from(self.id.0).map_err(|_| Error::BadSignature)?;
        key.verify(&Signature::from(self.signature), &self.ciphertext)
            .map_err(|_| Error::BadSignature)?;
        Ok(VerifiedBox(self))
    }
}

/// A box with a good signature: a writer of its stream made it.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedBox(SealedBox);

impl VerifiedBox {
    /// For callers that have just checked or made the signature.
    pub(crate) const fn trusted(sealed: SealedBox) -> Self {
        VerifiedBox(sealed)
    }

    /// The address.
    #[must_use]
    pub const fn id(&self) -> BoxId {
        self.0.id
    }

    /// The ciphertext; empty for a tombstone.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        &self.0.ciphertext
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &[u8; 64] {
        &self.0.signature
    }

    /// Whether it is a tombstone.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.0.ciphertext.is_empty()
    }

    /// Turns it back into bytes, for sending.
    #[must_use]
    pub fn into_sealed(self) -> SealedBox {
        self.0
    }
}

impl fmt::Debug for VerifiedBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedBox({} B)", self.0.ciphertext.len())
    }
}
