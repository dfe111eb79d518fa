//! What can be wrong with a link, a box of an open room, or a nick.

use wire::ErrorKind;

/// A refusal. Says what was wrong, and never contains keys, text, nicks or addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text does not begin with a room link's scheme.
    #[error("not a room link")]
    NotALink,
    /// The text is an owner's link where a member's link is wanted.
    #[error("this is the owner's link of a room, which is not for sharing")]
    OwnersLink,
    /// The text is a member's link where the owner's is wanted.
    #[error("this is a member's link, not the owner's")]
    MembersLink,
    /// The text begins like a link, and what follows is damaged or cut short.
    #[error("the link is damaged or incomplete")]
    DamagedLink,
    /// The link is of a version that this program does not know.
    #[error("unsupported link version {0}")]
    LinkVersion(u8),
    /// A box or field is not what its layout demands.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A box is of a version that this program does not know.
    #[error("unsupported version {0} of a room message")]
    Version(u8),
    /// A setting or a number in a link is outside its stated range.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A text or list that we were to send is longer than its stated bound.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// A text is empty where one is needed.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A nick holds a character that nicks may not hold, or stands in a form that is not normal.
    #[error("a nick may hold letters, digits, marks and single spaces only, and no '~'")]
    NickCharacter,
    /// A public key is no point of the prime-order group.
    #[error("not a valid public key")]
    BadKey,
    /// The hour lies further ahead than the ratchet is allowed to go in one step.
    #[error("the link or the stored keys are too old")]
    HourTooFar,
    /// The hour's key is erased, not yet reached, or was never known.
    #[error("no key is held for that hour")]
    NoKeyForHour,
    /// An announcement lies on another lane than its talker's.
    #[error("announcement on a lane that is not its talker's")]
    WrongLane,
    /// An announcement carries less proof of work than the room asks.
    #[error("announcement without the proof of work that the room asks")]
    TooLittleWork,
    /// A signature does not verify.
    #[error("bad signature on {0}")]
    BadSignature(&'static str),
    /// The stream's root key is not the talker's key.
    #[error("the stream belongs to another talker")]
    ForeignStream,
    /// A sealed generation is for somebody else.
    #[error("the new keys in this box are sealed to another talker")]
    NotForUs,
    /// A sealed generation does not open, or is not one that follows ours.
    #[error("the sealed new keys do not open")]
    BadSeal,
    /// A part of a long text came out of order.
    #[error("part of a text out of order")]
    PartOutOfOrder,
    /// A stream capability or index was refused.
    #[error("stream: {0}")]
    Stream(#[from] streams::Error),
    /// The store of MLS state failed, or what it holds is damaged.
    #[error("the store of conversation keys failed")]
    Storage,
    /// A message of a conversation does not decrypt, or was decrypted before.
    #[error("a message that cannot be decrypted")]
    Undecryptable,
    /// A commit breaks the rules of MLS or ours.
    #[error("a commit that breaks the rules: {0}")]
    BadCommit(&'static str),
    /// We are no longer a member.
    #[error("this profile is no longer a member")]
    NotMember,
    /// The group has as many members as a group may have.
    #[error("the group is full")]
    GroupFull,
    /// The link does not begin like an invite.
    #[error("not an invite")]
    NotAnInvite,
    /// The invite's time is over.
    #[error("the invite has expired")]
    Expired,
    /// An impossible failure of a primitive.
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
