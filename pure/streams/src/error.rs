//! Errors of capabilities and boxes.

/// Why something was refused. Never contains a key, an id or content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes of a capability have the wrong length or no usable key.
    #[error("not a capability")]
    BadCapability,
    /// The stream's counter is at its maximum.
    #[error("the stream is at its end")]
    EndOfStream,
    /// The requested counter is behind the index, and a ratchet cannot go back.
    #[error("the requested index has passed")]
    Passed,
    /// The requested counter is more than 2^20 steps ahead.
    #[error("the requested index is too far ahead")]
    TooFarAhead,
    /// The signature over the ciphertext is not by the box's id.
    #[error("the box's signature does not verify")]
    BadSignature,
    /// The box belongs to another index, context or stream.
    #[error("the box has another id")]
    WrongId,
    /// The ciphertext does not open.
    #[error("the box does not open")]
    NotOpened,
    /// A tombstone has no content, so it cannot be opened or padded.
    #[error("the box is a tombstone")]
    Tombstone,
    /// The content is too long for its class.
    #[error("content of {len} bytes is too long: its class takes {max}")]
    TooLong {
        /// Length of the content, bytes.
        len: usize,
        /// Longest content of the class, bytes.
        max: usize,
    },
    /// The length prefix or the zeros after the content are wrong.
    #[error("bad padding")]
    BadPadding,
}
