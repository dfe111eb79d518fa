//! Conversion between the boxes of `wire` (bytes) and of `streams` (sealed or verified).

use streams::{BoxId, SealedBox, VerifiedBox};
use wire::hub::BoxBytes;

/// Converts a verified box for sending.
#[must_use]
pub fn to_wire(content: VerifiedBox) -> BoxBytes {
    sealed_to_wire(content.into_sealed())
}

/// Converts a received box for verification.
#[must_use]
pub fn from_wire(bytes: BoxBytes) -> SealedBox {
    SealedBox { id: BoxId::new(bytes.id), ciphertext: bytes.ciphertext, signature: bytes.signature }
}

pub(crate) fn sealed_to_wire(sealed: SealedBox) -> BoxBytes {
    BoxBytes {
        id: *sealed.id.as_bytes(),
        ciphertext: sealed.ciphertext,
        signature: sealed.signature,
    }
}
