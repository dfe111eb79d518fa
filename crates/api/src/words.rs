//! Choices that have one word each: in JSON, in files and on screens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// Its word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// From its word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words!(
    /// The route that carried a message, or that works now.
    Route {
        /// Through the relays.
        Onion = "onion",
        /// Through Tor to the hub.
        Tor = "tor",
        /// Through Tor to the entry relay, and on through the relays.
        TorOnion = "tor+onion",
        /// Straight to the hub.
        Direct = "direct",
        /// From neighbour to neighbour on the local network.
        Lan = "lan",
    }
);

words!(
    /// The routes that a conversation may use from here. The protocol calls this its floor.
    AllowedRoutes {
        /// Every route, the direct one too.
        Anywhere = "anywhere",
        /// Relays, Tor and the local network: the hub never sees this machine's address.
        Hidden = "hidden",
        /// Relays alone.
        Onion = "onion",
        /// Tor alone.
        Tor = "tor",
        /// The local network alone.
        Lan = "lan",
    }
);

words!(
    /// What kind of conversation it is.
    ConversationKind {
        /// One other person.
        Contact = "contact",
        /// A group.
        Group = "group",
    }
);

words!(
    /// What kind of entry stands in a history.
    MessageKind {
        /// A text that somebody wrote.
        Text = "text",
        /// A file that somebody offers.
        File = "file",
        /// Something that happened, in words.
        Notice = "notice",
    }
);

words!(
    /// How far a message got. It never goes back.
    MessageState {
        /// It waits in the outbox.
        Queued = "queued",
        /// It is on its way.
        Sent = "sent",
        /// The hub has it, durably.
        Stored = "stored",
        /// Every recipient's program has it.
        Delivered = "delivered",
        /// Every recipient has seen it, and shows that.
        Read = "read",
        /// It was taken back before it left.
        Cancelled = "cancelled",
        /// It came from somebody else.
        Received = "received",
    }
);

words!(
    /// How a file transfer stands.
    FileState {
        /// Nobody has asked for it yet.
        Offered = "offered",
        /// Bytes are on their way.
        Moving = "moving",
        /// All of it is there, and its digest is right.
        Done = "done",
        /// It came to nothing.
        Failed = "failed",
        /// Somebody stopped it.
        Cancelled = "cancelled",
    }
);

words!(
    /// How an invite stands.
    InviteState {
        /// The hub does not have it yet: the link does not work.
        Preparing = "preparing",
        /// The link works.
        Open = "open",
        /// Somebody has used it.
        Used = "used",
        /// It is being taken back; until the hub knows, the link may still work.
        Revoking = "revoking",
        /// It was taken back.
        Revoked = "revoked",
        /// Its time is over.
        Expired = "expired",
        /// Another person's invite, which this profile is accepting.
        Accepting = "accepting",
    }
);

words!(
    /// What is special about a conversation.
    Standing {
        /// Nothing.
        Normal = "normal",
        /// The keys of a verified contact have changed: messages wait until the new words are
        /// compared or the new keys accepted.
        KeysChanged = "keys_changed",
        /// It was stopped, because something in it is damaged or was sent to break it.
        Stopped = "stopped",
        /// The contact is blocked.
        Blocked = "blocked",
    }
);

words!(
    /// How a profile uses the local network.
    LanMode {
        /// Not at all.
        Off = "off",
        /// Beside the other routes.
        On = "on",
        /// As the only route.
        Only = "only",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_json_is_the_word_on_screens() {
        for state in MessageState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
            assert_eq!(MessageState::parse(state.word()), Some(*state));
        }
        assert_eq!(serde_json::to_value(Route::TorOnion).unwrap(), "tor+onion");
        assert_eq!(AllowedRoutes::parse("everywhere"), None);
    }
}
