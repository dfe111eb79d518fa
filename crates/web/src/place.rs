//! Where a conversation or room is: in paths, drafts and the list. Always its id, never its name.

use std::fmt;

use api::{ConversationId, MessageId, RoomId};

/// A contact, group or room. Displayed, it is the page's path from the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Conversation(ConversationId),
    Room(RoomId),
}

impl Place {
    /// The page that tells about it.
    pub(crate) fn about(self) -> String {
        format!("{self}/about")
    }

    /// Its page, at the line to write in.
    pub(crate) fn end(self) -> String {
        format!("{self}#end")
    }

    /// Its page, at a message.
    pub(crate) fn message(self, id: MessageId) -> String {
        format!("{self}#m{id}")
    }

    /// What its forms do, by the last part of the path.
    pub(crate) fn form(self, action: &str) -> String {
        format!("{self}/{action}")
    }

    /// Name of an exported file. Browsers keep a list of downloads: no name in there either.
    pub(crate) fn file_name(self, ending: &str) -> String {
        match self {
            Place::Conversation(id) => format!("conversation-{}.{ending}", id.short()),
            Place::Room(id) => format!("room-{}.{ending}", id.short()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Conversation(id) => write!(f, "c/{id}"),
            Place::Room(id) => write!(f, "r/{id}"),
        }
    }
}

impl From<ConversationId> for Place {
    fn from(id: ConversationId) -> Self {
        Place::Conversation(id)
    }
}

impl From<RoomId> for Place {
    fn from(id: RoomId) -> Self {
        Place::Room(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_the_full_id_and_nothing_else() {
        let bytes = [0xab; 16];
        let (conversation, room) =
            (Place::from(ConversationId::new(bytes)), Place::from(RoomId::new(bytes)));
        assert_eq!(conversation.to_string(), format!("c/{}", "ab".repeat(16)));
        assert_eq!(room.about(), format!("r/{}/about", "ab".repeat(16)));
        let message = conversation.message(MessageId::new([1; 16]));
        assert_eq!(message, format!("c/{}#m{}", "ab".repeat(16), "01".repeat(16)));
    }
}
