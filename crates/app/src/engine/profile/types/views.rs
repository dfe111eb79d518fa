//! What answers and events are about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a profile stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The profile's name on this machine.
    pub profile: String,
    /// The name that contacts see; empty when none was chosen yet.
    pub name: String,
    /// Whether messages can travel now, in every place that is in use.
    pub online: bool,
    /// How the connections stand, in words.
    pub connections: Vec<String>,
    /// Messages of ours that are not at the hub.
    pub unstored: usize,
    /// Messages of ours that not every recipient has.
    pub unacknowledged: usize,
    /// Whether the profile goes on when the last face is gone.
    pub stays: bool,
}

/// An open room. Whoever holds its link reads what is said there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomView {
    /// Its name in this profile.
    pub name: String,
    /// Our name there, with a key suffix where names collide; empty until the room is open.
    pub you: String,
    /// Whether this profile owns it.
    pub owner: bool,
    /// Whether messages can travel now.
    pub online: bool,
    /// How the connection stands, in words.
    pub connection: String,
    /// onion, tor, tor+onion or direct.
    pub route: String,
    /// Who talks there; readers announce nothing.
    pub people: Vec<TalkerView>,
    /// Lines of others that have not been seen.
    pub unseen: u64,
    /// Number of the newest line; 0 when there is none.
    pub newest: u64,
}

/// Somebody who talks in an open room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TalkerView {
    /// Name as shown, with a key suffix where names collide.
    pub name: String,
    /// Whether it is us.
    pub you: bool,
    /// Whether they have said that they left.
    pub left: bool,
    /// Whether the owner has muted them.
    pub muted: bool,
}

/// A line in an open room. All text is neutralised: it can be printed as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomLineView {
    /// Its number in this room since the profile runs, from 1.
    pub number: u64,
    /// text or notice.
    pub kind: String,
    /// The author's name as shown; empty for notices.
    pub from: String,
    /// Whether it is ours.
    pub you: bool,
    /// The text; may hold newlines.
    pub text: String,
    /// When its author said it, ms since the Unix epoch.
    pub at_ms: u64,
    /// queued, sent, stored or received.
    pub state: String,
    /// The route that carried it: onion, tor, tor+onion or direct; empty while it has not left, and
    /// of notices.
    pub route: String,
}

/// A way to a hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkView {
    /// Which hub: the first digits of its key.
    pub hub: String,
    /// onion, tor, tor+onion or direct.
    pub route: String,
    /// Whether messages can travel now.
    pub online: bool,
    /// How it stands, in words.
    pub text: String,
    /// Contacts and groups that use it.
    pub conversations: Vec<String>,
    /// What the network's document says; none before there is one.
    pub document: Option<DocumentView>,
}

/// What a network's document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentView {
    /// The epoch's number.
    pub epoch: u64,
    /// How long an epoch is, ms.
    pub epoch_ms: u64,
    /// Relays of the network.
    pub relays: usize,
    /// Relays on each path, at least.
    pub hops: u8,
    /// Mean of the delay at each hop, ms.
    pub mean_delay_ms: u32,
    /// What cover traffic costs here, kB a minute in both directions; 0 when it is off or the route
    /// has none.
    pub cover_kb_per_min: u64,
    /// The document's SHA-256, for a comparison with others: all of a network see the same.
    pub hash: String,
}

/// A setting of the profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingView {
    /// Its name in `config.toml`.
    pub key: String,
    /// Its value, as a person types it.
    pub value: String,
    /// What it means.
    pub help: String,
    /// The values that it can have, where they can be listed.
    pub choices: Vec<String>,
    /// Whether a change counts only after the profile is started again.
    pub restart: bool,
}

/// How the local network stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeshView {
    /// off, on or only.
    pub lan: String,
    /// Names of the interfaces in use.
    pub interfaces: Vec<String>,
    /// Contacts that are linked now.
    pub neighbours: Vec<NeighbourView>,
    /// Boxes of ours that are carried, and their bytes.
    pub ours: CarriedView,
    /// Boxes of others that are carried, and their bytes.
    pub others: CarriedView,
}

/// Boxes and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CarriedView {
    /// Boxes.
    pub boxes: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A neighbour on the local network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeighbourView {
    /// The contact.
    pub name: String,
    /// Since when, ms since the Unix epoch.
    pub since_ms: u64,
    /// What came from it.
    pub received: CarriedView,
    /// What it was given.
    pub given: CarriedView,
}

/// Somebody who shows themselves on the local network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PersonView {
    /// The name they show; anybody can show any name.
    pub name: String,
    /// For a knock: 64 hexadecimal digits.
    pub key: String,
    /// How long ago they were heard, ms.
    pub ago_ms: u64,
}

/// An invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InviteView {
    /// Its id.
    pub id: String,
    /// The link.
    pub link: String,
    /// What this profile will call whoever uses it.
    pub name: Option<String>,
    /// preparing, open, used, revoked or expired.
    pub state: String,
    /// When it ends, ms since the Unix epoch.
    pub expires_ms: u64,
}

/// A contact or group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationView {
    /// Its name in this profile.
    pub name: String,
    /// contact or group.
    pub kind: String,
    /// Whether the safety words were compared.
    pub verified: bool,
    /// Fingerprint of the OpenPGP key that the contact is bound to.
    pub pgp: Option<String>,
    /// The routes that it may use.
    pub floor: String,
    /// Whether it can be written to now.
    pub open: bool,
    /// Seconds until messages disappear.
    pub timer_s: Option<u32>,
    /// Members, us included.
    pub members: usize,
    /// Messages that have not been seen.
    pub unseen: u64,
    /// Messages of ours that not every recipient has.
    pub unacknowledged: usize,
    /// Whether a change of ours to the group waits or is under way.
    pub changing: bool,
    /// The route from here that works now: onion, tor, tor+onion, direct or lan; none while there
    /// is none.
    pub route: Option<String>,
    /// The newest message, if there is one.
    pub newest: Option<Box<MessageView>>,
}

/// A member of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Name as shown.
    pub name: String,
    /// Whether it is us.
    pub you: bool,
    /// The contact, if this profile brought them in.
    pub contact: Option<String>,
    /// Whether that contact's safety words were compared.
    pub verified: bool,
}

/// A message. All text is neutralised: it can be printed as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageView {
    /// Where.
    pub conversation: String,
    /// Its number in this vault; grows.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// text, file or notice.
    pub kind: String,
    /// The author's name as shown; empty for notices.
    pub from: String,
    /// Whether it is ours.
    pub you: bool,
    /// The text; of a file its name.
    pub text: String,
    /// When its author says that it was said, ms since the Unix epoch.
    pub sent_ms: u64,
    /// When it came, ms since the Unix epoch.
    pub received_ms: u64,
    /// queued, sent, stored, delivered, read, cancelled or received.
    pub state: String,
    /// The route that carried it on this side: onion, tor, tor+onion, direct or lan; empty where
    /// that is not known, and while it has not left.
    pub route: String,
    /// The message that it answers.
    pub reply_to: Option<String>,
    /// Whether its author changed it.
    pub edited: bool,
    /// Whether its author deleted it.
    pub deleted: bool,
    /// What people think of it.
    pub reactions: Vec<ReactionView>,
    /// When it disappears, ms since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// The file, if it offers one.
    pub file: Option<FileView>,
}

/// A reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactionView {
    /// Whose.
    pub from: String,
    /// Whether it is ours.
    pub you: bool,
    /// A short text.
    pub emoji: String,
}

/// A file transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileView {
    /// Its id.
    pub transfer: String,
    /// Where.
    pub conversation: String,
    /// Name, made harmless.
    pub name: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes that are through.
    pub done: u64,
    /// Whether we send it.
    pub ours: bool,
    /// offered, moving, done, failed or cancelled.
    pub state: String,
    /// Where it lies on this machine, once it is done (or, for ours, where it is read from).
    pub path: Option<String>,
}

/// An invitation into a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupInviteView {
    /// For the answer.
    pub token: String,
    /// The group's title.
    pub title: String,
    /// Who invites.
    pub from: String,
}
