//! What the engine tells front ends by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ConversationId, InviteId, KnockId, MemberId, MessageId, RoomId};
use crate::views::{FileView, GroupInviteView, MessageView, RoomLineView, RoomView};
use crate::words::{MessageState, Route};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum Event {
        Network,
        Message,
        State,
        Changed,
        Expired,
        Opened,
        Conversation,
        Renamed,
        Forgotten,
        InviteUsed,
        InviteTriedAgain,
        InviteFailed,
        GroupInvite,
        File,
        HeldUp,
        Stopped,
        Forked,
        Neighbour,
        PersonNearby,
        Knock,
        Knocking,
        Room,
        RoomLine,
        RoomLeft,
        Notice,
    }
);

/// Something that happened. Labels are names as shown at that moment: for people only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// How a connection stands, in words.
    Network {
        /// Whether messages can travel now.
        online: bool,
        /// What is going on, or why not.
        text: String,
    },
    /// A message came, or one of this profile's was queued.
    Message {
        /// The message.
        message: MessageView,
    },
    /// A message of this profile's got further.
    State {
        /// Where it stands.
        conversation: ConversationId,
        /// The message.
        message: MessageId,
        /// How far it got.
        state: MessageState,
        /// The route that carried it so far; none while it has not left.
        route: Option<Route>,
    },
    /// A message was edited, deleted, or got a reaction.
    Changed {
        /// As it is now.
        message: MessageView,
    },
    /// A message has disappeared.
    Expired {
        /// Where it stood.
        conversation: ConversationId,
        /// The message.
        message: MessageId,
    },
    /// A contact or group is there now.
    Opened {
        /// The conversation.
        conversation: ConversationId,
        /// Its name as shown.
        label: String,
    },
    /// Something about a conversation has changed: members, title, routes, timer.
    Conversation {
        /// The conversation.
        conversation: ConversationId,
        /// Its name as shown.
        label: String,
        /// The change, in words.
        text: String,
    },
    /// A conversation is shown by another name: somebody changed the title, or another name came
    /// to look like it.
    Renamed {
        /// The conversation.
        conversation: ConversationId,
        /// Its name as shown before.
        was: String,
        /// Its name as shown now.
        label: String,
    },
    /// A conversation was removed from this profile.
    Forgotten {
        /// The conversation.
        conversation: ConversationId,
    },
    /// An invite was used.
    InviteUsed {
        /// The invite.
        invite: InviteId,
        /// The new contact.
        conversation: ConversationId,
        /// Its name as shown.
        label: String,
    },
    /// Somebody else has tried an invite that was used already: compare safety words with the
    /// contact that came of it.
    InviteTriedAgain {
        /// The invite.
        invite: InviteId,
    },
    /// An invite came to nothing.
    InviteFailed {
        /// The invite.
        invite: InviteId,
        /// Why, in words.
        text: String,
    },
    /// A contact invites this profile into a group.
    GroupInvite {
        /// The invitation.
        invite: GroupInviteView,
        /// Members of the group.
        members: u32,
    },
    /// A file moved on.
    File {
        /// How it stands now.
        file: FileView,
    },
    /// A change to a group was decided on, and what it says does not arrive.
    HeldUp {
        /// The group.
        conversation: ConversationId,
        /// Its name as shown.
        label: String,
        /// The member who holds it up.
        by: MemberId,
        /// That member's name as shown.
        name: String,
    },
    /// A conversation was stopped: something in it is damaged, or was sent to break it. All others
    /// continue.
    Stopped {
        /// The conversation.
        conversation: ConversationId,
        /// Its name as shown.
        label: String,
    },
    /// Members of a group see different histories.
    Forked {
        /// The group.
        conversation: ConversationId,
        /// Its name as shown.
        label: String,
    },
    /// A contact has come near on the local network, or has gone.
    Neighbour {
        /// The contact.
        conversation: ConversationId,
        /// Its name as shown.
        label: String,
        /// Whether it is near now.
        here: bool,
    },
    /// Somebody new shows themselves on the local network.
    PersonNearby {},
    /// Somebody on the local network wants to become a contact.
    Knock {
        /// For the answer.
        knock: KnockId,
        /// The name they give; anybody can give any name.
        name: String,
        /// The words that they see too, unless somebody stands between.
        words: String,
    },
    /// The other side of this profile's knock sees these words too, unless somebody stands between.
    Knocking {
        /// The words.
        words: String,
    },
    /// Something about an open room has changed: its people, its connection, one's own name there.
    Room {
        /// As it is now.
        room: RoomView,
    },
    /// A line came in an open room, or one of this profile's got further.
    RoomLine {
        /// The room.
        room: RoomId,
        /// Its name as shown.
        label: String,
        /// As it is now; a line with the same number is replaced.
        line: RoomLineView,
    },
    /// An open room was left.
    RoomLeft {
        /// The room.
        room: RoomId,
    },
    /// Something to know, in words.
    Notice {
        /// The words.
        text: String,
    },
}
