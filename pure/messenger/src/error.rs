//! Why something cannot be done.

use e2ee::id::{ConversationId, MessageId};
use wire::ErrorKind;

/// What this crate refuses. Never contains text, names or keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More messages wait than the outbox holds.
    #[error("too many messages are waiting to be stored")]
    OutboxFull,
    /// The text is longer than a room message may be.
    #[error("a message may have {max} bytes at most, this one has {len}")]
    TooLong {
        /// Its length, bytes.
        len: usize,
        /// The limit, bytes.
        max: usize,
    },
    /// Only the owner of a room may do that.
    #[error("only the room's owner can do that")]
    NotOwner,
    /// Nobody here has that name.
    #[error("no one in the room has that name")]
    NoSuchTalker,
    /// The owner has re-keyed the room, and did not take us along.
    #[error("the room has been re-keyed, and this link is no longer part of it")]
    LockedOut,
    /// A message that this version cannot read.
    #[error("unknown kind of message: a newer version sent it")]
    Unreadable,
    /// What the store holds is not what this version wrote.
    #[error("the store holds something damaged")]
    Damaged,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// There is no such conversation, message, invite or transfer.
    #[error("there is no such {0}")]
    NoSuch(&'static str),
    /// It cannot be done now, or not at all, for the reason given.
    #[error("{0}")]
    Refused(&'static str),
    /// One conversation cannot go on; all others can. Roll back, load again, and hand this to
    /// [`Messenger::stop`](crate::Messenger::stop).
    #[error("a conversation was stopped: {source}")]
    Conversation {
        /// Which.
        id: ConversationId,
        /// Why.
        source: Box<Error>,
    },
    /// One invite cannot go on, as for a conversation.
    #[error("an invite was stopped: {source}")]
    Invite {
        /// Which.
        id: MessageId,
        /// Why.
        source: Box<Error>,
    },
    /// Room keys, links, announcements.
    #[error(transparent)]
    E2ee(#[from] e2ee::Error),
    /// Capabilities and boxes.
    #[error(transparent)]
    Streams(#[from] streams::Error),
}

impl Error {
    /// Whether this profile's store failed, which is nobody else's doing.
    pub(crate) const fn is_of_store(&self) -> bool {
        matches!(self, Error::Store(_) | Error::E2ee(e2ee::Error::Storage))
    }

    /// Which kind of error it is, for exit codes and counters.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::OutboxFull => ErrorKind::Network,
            Error::Unreadable => ErrorKind::Unsupported,
            Error::Damaged | Error::Store(_) => ErrorKind::LocalStorage,
            Error::NoSuch(_) | Error::Refused(_) => ErrorKind::LocalConfig,
            Error::TooLong { .. } | Error::NotOwner | Error::NoSuchTalker | Error::LockedOut => {
                ErrorKind::LocalConfig
            }
            Error::E2ee(e) => e.kind(),
            Error::Streams(_) | Error::Conversation { .. } | Error::Invite { .. } => {
                ErrorKind::PeerMisbehaved
            }
        }
    }
}
