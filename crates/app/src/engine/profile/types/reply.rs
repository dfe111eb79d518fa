//! What they are answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::views::{
    ConversationView, FileView, GroupInviteView, InviteView, MemberView, MeshView, MessageView,
    NetworkView, PersonView, RoomLineView, RoomView, SettingView, Status,
};

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply {
    /// It is done.
    Done,
    /// What was made.
    Id {
        /// Its id.
        id: String,
    },
    /// How things stand.
    Status(Status),
    /// An invite.
    Invite(InviteView),
    /// Invites.
    Invites {
        /// All of them.
        invites: Vec<InviteView>,
    },
    /// A contact or group.
    Contact {
        /// Its name in this profile.
        name: String,
    },
    /// Contacts and groups.
    Conversations {
        /// All of them.
        conversations: Vec<ConversationView>,
    },
    /// Members.
    Members {
        /// All of them.
        members: Vec<MemberView>,
    },
    /// Messages.
    Messages {
        /// In the order that the command names.
        messages: Vec<MessageView>,
    },
    /// Files.
    Files {
        /// All transfers.
        files: Vec<FileView>,
    },
    /// Invitations into groups.
    GroupInvites {
        /// All of them.
        invites: Vec<GroupInviteView>,
    },
    /// Safety words.
    Words {
        /// Ten words.
        words: String,
        /// Whether they were compared.
        verified: bool,
    },
    /// A text to be signed.
    Statement {
        /// It, without a line end after its last line.
        statement: String,
    },
    /// An OpenPGP key that has signed.
    Identity {
        /// Its fingerprint, upper-case hexadecimal digits.
        fingerprint: String,
        /// What its holder says who they are.
        user_ids: Vec<String>,
    },
    /// The local network.
    Mesh(MeshView),
    /// People who show themselves on the local network.
    Nearby {
        /// All of them.
        people: Vec<PersonView>,
    },
    /// Boxes in a file.
    Bundle {
        /// How many it holds.
        boxes: usize,
        /// How many of them were new here.
        new: usize,
        /// Bytes of the file.
        bytes: u64,
    },
    /// An open room.
    Room(RoomView),
    /// Open rooms.
    Rooms {
        /// All of them.
        rooms: Vec<RoomView>,
    },
    /// What was said in an open room.
    RoomLines {
        /// Oldest first.
        lines: Vec<RoomLineView>,
    },
    /// A link into an open room.
    Link {
        /// The link. Whoever holds it reads everything since this hour.
        link: String,
    },
    /// Ways to hubs.
    Networks {
        /// All of them.
        networks: Vec<NetworkView>,
    },
    /// Settings.
    Settings {
        /// All of them.
        settings: Vec<SettingView>,
    },
    /// A setting was changed.
    Set {
        /// Whether the profile must be started again before it counts.
        restart: bool,
    },
    /// Why a message is not delivered.
    Why {
        /// In words; none when it is delivered.
        text: Option<String>,
        /// Since when, ms since the Unix epoch.
        since_ms: Option<u64>,
    },
}
