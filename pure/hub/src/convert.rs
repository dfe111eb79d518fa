//! Between a box as `wire` carries it and as `streams` verifies it.

use streams::{BoxId, SealedBox, VerifiedBox};
use wire::hub::BoxBytes;

/// A verified box, to be sent.
#[must_use]
pub fn to_wire(content: VerifiedBox) -> BoxBytes {
    sealed_to_wire(content.into_sealed())
}

/// A received box, to be verified.
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
