//! What can be wrong with a capability or a box.

/// A refusal. Never contains key, id or content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes of a capability have the wrong length or hold no usable key.
    #[error("not a capability")]
    BadCapability,
    /// The stream's counter has no next value.
    #[error("the stream is at its end")]
    EndOfStream,
    /// The counter asked for lies behind the index: a ratchet does not turn back.
    #[error("the index asked for has passed")]
    Passed,
    /// The counter asked for lies more than [`MAX_ADVANCE`](crate::MAX_ADVANCE) steps ahead.
    #[error("the index asked for is too far ahead")]
    TooFarAhead,
    /// The signature is not by the box's id over its ciphertext.
    #[error("the box's signature does not verify")]
    BadSignature,
    /// The box is not at this index under this context.
    #[error("the box has another id")]
    WrongId,
    /// The ciphertext does not open.
    #[error("the box does not open")]
    NotOpened,
    /// A tombstone is signed and empty for ever: it opens to nothing and takes no content.
    #[error("the box is a tombstone")]
    Tombstone,
    /// Content is longer than its class takes.
    #[error("content of {len} bytes is over the {max} of its class")]
    TooLong {
        /// Length of the content, bytes.
        len: usize,
        /// Longest content of the class, bytes.
        max: usize,
    },
    /// The padding is not as it must be.
    #[error("bad padding")]
    BadPadding,
}
