//! What the fuzz targets share. Development only.
//!
//! # In this crate
//! - [`edited`]: valid bytes with edits, so that a target gets past the first check without a
//!   corpus
//!
//! # Not in this crate
//! How targets are built and run: `cargo xtask fuzz`.
//!
//! # Invariants
//! - Same input, same run: no clock, no randomness.

/// `valid` with edits. The first byte of `edits`, if odd, cuts the end off by the next byte's
/// count; then each three bytes are an offset (u16 big-endian, modulo the length) and a value to
/// XOR there.
#[must_use]
pub fn edited(valid: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    let [cut, count, rest @ ..] = edits else {
        return bytes;
    };
    if cut % 2 == 1 {
        bytes.truncate(bytes.len().saturating_sub(usize::from(*count)));
    }
    for edit in rest.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]]));
        let len = bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at % len) {
            *byte ^= edit[2];
        }
    }
    bytes
}
