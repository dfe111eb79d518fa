//! Errors of rooms, conversations, invites and nicks.

use wire::ErrorKind;

/// Why something was refused. Never contains keys, text, nicks or addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text does not start like a room link.
    #[error("it does not start with hushwing:room#")]
    NotALink,
    /// An owner's link was given where a member's link is needed.
    #[error("this is the owner's link of a room, which is not for sharing")]
    OwnersLink,
    /// A member's link was given where the owner's is needed.
    #[error("this is a member's link, not the owner's")]
    MembersLink,
    /// The text starts like a link, but the rest is damaged or cut short.
    #[error("the link is damaged or incomplete")]
    DamagedLink,
    /// The link has a version that this program does not know.
    #[error("unsupported link version {0}")]
    LinkVersion(u8),
    /// A box or field does not have the layout that it should.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A box has a version that this program does not know.
    #[error("unsupported version {0} of a room message")]
    Version(u8),
    /// A number is outside its stated range.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A text or list to send is longer than its bound.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// A text that must not be empty is.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A nick holds a character that nicks must not hold, or is not in normal form.
    #[error("a nick may hold letters, digits, marks and single spaces only, and no '~'")]
    NickCharacter,
    /// A public key is not a point of the prime-order group.
    #[error("not a valid public key")]
    BadKey,
    /// The hour is further ahead than the ratchet may move at once.
    #[error("the link or the stored keys are too old to catch up from")]
    HourTooFar,
    /// The hour's key was erased, is not reached yet, or was never known.
    #[error("there is no key for that hour")]
    NoKeyForHour,
    /// An announcement is not on its talker's lane.
    #[error("the announcement is not on its talker's lane")]
    WrongLane,
    /// An announcement carries less proof of work than the room requires.
    #[error("the announcement lacks the proof of work that the room requires")]
    TooLittleWork,
    /// A signature does not verify.
    #[error("bad signature on {0}")]
    BadSignature(&'static str),
    /// The stream's root key is not the talker's key.
    #[error("the stream belongs to another talker")]
    ForeignStream,
    /// Sealed room keys are for somebody else.
    #[error("the new keys in this box are sealed to another talker")]
    NotForUs,
    /// Sealed room keys do not open, or do not belong to the next generation.
    #[error("the sealed room keys do not open")]
    BadSeal,
    /// Parts of a long text are out of order.
    #[error("the parts of a text are out of order")]
    PartOutOfOrder,
    /// A stream capability or index was refused.
    #[error("stream: {0}")]
    Stream(#[from] streams::Error),
    /// The store of MLS state failed or is damaged.
    #[error("the store of conversation keys failed")]
    Storage,
    /// A message does not decrypt, or was decrypted before.
    #[error("the message cannot be decrypted")]
    Undecryptable,
    /// A commit breaks the rules of MLS or of this program.
    #[error("a commit that breaks the rules: {0}")]
    BadCommit(&'static str),
    /// This profile is no longer a member of the conversation.
    #[error("this profile is no longer a member")]
    NotMember,
    /// The group has the most members that a group may have.
    #[error("the group is full")]
    GroupFull,
    /// The text does not start like an invite.
    #[error("it does not start with hushwing:invite#")]
    NotAnInvite,
    /// The invite has expired.
    #[error("the invite has expired")]
    Expired,
    /// A cryptographic primitive failed in a way that it should not.
    #[error("internal failure of a cryptographic primitive")]
    Internal,
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NotALink
            | Error::OwnersLink
            | Error::MembersLink
            | Error::DamagedLink
            | Error::NickCharacter
            | Error::Empty(_)
            | Error::TooLong(_)
            | Error::OutOfRange(_)
            | Error::GroupFull
            | Error::NotMember
            | Error::NotAnInvite
            | Error::Expired
            | Error::HourTooFar => ErrorKind::LocalConfig,
            Error::Storage => ErrorKind::LocalStorage,
            Error::LinkVersion(_) | Error::Version(_) => ErrorKind::Unsupported,
            Error::NoKeyForHour | Error::Internal => ErrorKind::Bug,
            _ => ErrorKind::PeerMisbehaved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_link_is_the_persons_and_a_bad_box_is_the_peers() {
        for ours in [Error::DamagedLink, Error::NickCharacter, Error::TooLong("text")] {
            assert_eq!(ours.kind(), ErrorKind::LocalConfig);
        }
        for theirs in [Error::BadSignature("x"), Error::Malformed("x"), Error::BadSeal] {
            assert_eq!(theirs.kind(), ErrorKind::PeerMisbehaved);
        }
        assert_eq!(Error::LinkVersion(9).kind(), ErrorKind::Unsupported);
    }
}
