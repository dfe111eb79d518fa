//! What front ends are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::views::{FileView, GroupInviteView, MessageView, RoomLineView, RoomView};

/// What the engine tells front ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// How a connection stands, in words.
    Network {
        /// Whether messages can travel now.
        online: bool,
        /// What is going on, or why not.
        text: String,
    },
    /// A message came, or one of ours was queued.
    Message {
        /// The message.
        message: MessageView,
    },
    /// A message of ours got further.
    State {
        /// Where.
        conversation: String,
        /// Which.
        id: String,
        /// queued, sent, stored, delivered, read or cancelled.
        state: String,
        /// The route that carried it so far; empty while it has not left.
        route: String,
    },
    /// A message was edited, deleted, or got a reaction.
    Changed {
        /// As it is now.
        message: MessageView,
    },
    /// A message has disappeared.
    Expired {
        /// Where.
        conversation: String,
        /// Which.
        id: String,
    },
    /// A contact or group is there now.
    Opened {
        /// Its name in this profile.
        conversation: String,
    },
    /// Something about a conversation has changed.
    Conversation {
        /// Which.
        conversation: String,
        /// What, in words.
        text: String,
    },
    /// An invite was used.
    InviteUsed {
        /// Which.
        invite: String,
        /// The new contact.
        conversation: String,
    },
    /// Somebody else has tried an invite of ours that was used already: compare safety words with
    /// whoever was first.
    InviteTriedAgain {
        /// Which.
        invite: String,
    },
    /// An invite came to nothing.
    InviteFailed {
        /// Which.
        invite: String,
        /// Why, in words.
        text: String,
    },
    /// A contact invites us into a group.
    GroupInvite {
        /// The invitation.
        invite: GroupInviteView,
        /// How many are in.
        members: u32,
    },
    /// A file moved on.
    File {
        /// How it stands now.
        file: FileView,
    },
    /// A change to a group was decided on and does not arrive.
    HeldUp {
        /// Where.
        conversation: String,
        /// By whom.
        by: String,
    },
    /// Members of a group see different histories.
    Forked {
        /// Where.
        conversation: String,
    },
    /// A contact has come near on the local network, or has gone.
    Neighbour {
        /// The contact.
        conversation: String,
        /// Whether it is near now.
        here: bool,
    },
    /// Somebody new shows themselves on the local network.
    PersonNearby {},
    /// Somebody on the local network wants to become a contact; answer with `answer_knock`.
    Knock {
        /// For the answer.
        knock: String,
        /// The name they give; anybody can give any name.
        name: String,
        /// The words that they see too, unless somebody stands between you.
        words: String,
    },
    /// Whom we knock at sees these words too, unless somebody stands between.
    Knocking {
        /// The words.
        words: String,
    },
    /// Something about an open room has changed: its people, its connection, our name there.
    Room {
        /// As it is now.
        room: RoomView,
    },
    /// A line came in an open room, or one of ours got further.
    RoomLine {
        /// Where.
        room: String,
        /// As it is now; a line with the same number is replaced.
        line: RoomLineView,
    },
    /// An open room was left.
    RoomLeft {
        /// Which.
        room: String,
    },
    /// Something to know, in words.
    Notice {
        /// The words.
        text: String,
    },
}
