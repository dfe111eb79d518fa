//! Ids of the messenger as front ends know them, and back. The bytes are the same.

use e2ee::TalkerKey;

/// An id that front ends and the messenger both have a type for.
pub(crate) trait Shared {
    /// The other side's type.
    type Other;

    /// The same id, as the other side's type.
    fn other(&self) -> Self::Other;
}

macro_rules! shared {
    ($($api:ident = $messenger:ident,)+) => { $(
        impl Shared for api::$api {
            type Other = e2ee::id::$messenger;
            fn other(&self) -> Self::Other {
                e2ee::id::$messenger::new(*self.as_bytes())
            }
        }
    )+ };
}

macro_rules! shown {
    ($($messenger:ident = $api:ident,)+) => { $(
        impl Shared for e2ee::id::$messenger {
            type Other = api::$api;
            fn other(&self) -> Self::Other {
                api::$api::new(*self.as_bytes())
            }
        }
    )+ };
}

shared! {
    ConversationId = ConversationId,
    MemberId = MemberId,
    MessageId = MessageId,
    TransferId = TransferId,
    InviteId = MessageId,
    GroupInviteId = MessageId,
}

shown! {
    ConversationId = ConversationId,
    MemberId = MemberId,
    MessageId = MessageId,
    TransferId = TransferId,
}

/// The messenger names invites and messages by one type; front ends do not.
pub(crate) fn invite(id: e2ee::id::MessageId) -> api::InviteId {
    api::InviteId::new(*id.as_bytes())
}

/// An invitation into a group, by its token.
pub(crate) fn group_invite(token: e2ee::id::MessageId) -> api::GroupInviteId {
    api::GroupInviteId::new(*token.as_bytes())
}

/// A talker, by the first half of their key. Two keys that share it take 2^64 tries to make; what
/// is asked about such an id is refused.
pub(crate) fn talker(key: &TalkerKey) -> api::TalkerId {
    let (half, _) = key.as_bytes().split_at(16);
    api::TalkerId::new(half.try_into().unwrap_or_default())
}
