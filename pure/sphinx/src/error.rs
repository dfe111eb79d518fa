//! What can be wrong with a packet, a key or a path.

/// Why an operation was refused. No variant carries keys, ids or payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes of another length than the geometry or the key scheme states.
    #[error("wrong length")]
    Length,
    /// The first two bytes of the header are not `00 00`.
    #[error("unknown packet version")]
    Version,
    /// The header's MAC does not match: not for this key, or altered.
    #[error("header MAC does not match")]
    Mac,
    /// The hop's KEM ciphertext or group element is not a usable one.
    #[error("unusable KEM ciphertext")]
    Ciphertext,
    /// A hop's routing commands are malformed, contradictory, or do not fit their slot.
    #[error("bad routing commands")]
    Commands,
    /// The 32 bytes before the payload are not zero after the last layer: the payload was altered
    /// on its way.
    #[error("payload tag does not match")]
    PayloadTag,
    /// A forward payload whose leading two bytes are neither `00 00` nor `01 00`.
    #[error("bad forward payload")]
    ForwardPayload,
    /// A payload longer than the geometry's.
    #[error("payload too long")]
    PayloadTooLong,
    /// A hop limit or payload length out of bounds.
    #[error("geometry out of bounds")]
    Geometry,
    /// A path with no hops, more hops than the geometry allows, or keys of another scheme.
    #[error("bad path")]
    Path,
    /// Key bytes that are not a key of the scheme.
    #[error("bad key")]
    Key,
    /// The cryptographic library failed: not caused by any input.
    #[error("cryptographic failure")]
    Crypto,
}
