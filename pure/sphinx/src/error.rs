//! Errors of packets, keys and paths.

/// Why an operation was refused. No variant carries keys, ids or payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The length is not that of the geometry or key scheme.
    #[error("wrong length")]
    Length,
    /// The first two bytes of the header are not `00 00`.
    #[error("unknown packet version")]
    Version,
    /// The header's MAC does not match: it is for another key, or was altered.
    #[error("header MAC does not match")]
    Mac,
    /// The hop's KEM ciphertext or group element is unusable.
    #[error("unusable KEM ciphertext")]
    Ciphertext,
    /// A hop's routing commands are malformed, contradictory, or do not fit their slot.
    #[error("bad routing commands")]
    Commands,
    /// The 32 bytes before the payload are not zero after the last layer: the payload was altered.
    #[error("payload tag does not match")]
    PayloadTag,
    /// The flags of a forward payload are neither `00 00` nor `01 00`.
    #[error("bad forward payload")]
    ForwardPayload,
    /// The payload is longer than the geometry's.
    #[error("payload too long")]
    PayloadTooLong,
    /// The hop limit or payload length is out of bounds.
    #[error("geometry out of bounds")]
    Geometry,
    /// The path has no hops, too many hops for the geometry, or keys of another scheme.
    #[error("bad path")]
    Path,
    /// The bytes are not a key of the scheme.
    #[error("bad key")]
    Key,
    /// The cryptographic library failed. No input causes this.
    #[error("cryptographic failure")]
    Crypto,
}
