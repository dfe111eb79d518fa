//! What replies and events are about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{
    ConversationId, GroupInviteId, InviteId, MemberId, MessageId, RoomId, TalkerId, TransferId,
};
use crate::refusal::Target;
use crate::words::{
    AllowedRoutes, ConversationKind, FileState, InviteState, LanMode, MessageKind, MessageState,
    Route, Standing,
};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    struct Status, RoomView, TalkerView, RoomLineView, NetworkView, SettingView, MeshView,
    NeighbourView, PersonView, InviteView, ConversationView, MemberView, ConversationRef,
    MessageView, ReactionView, FileView, GroupInviteView, Opened, WhyView, SafetyWordsView,
    StatementView, IdentityView, LinkView, Resolved
);

/// How a profile stands.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The profile's name on this machine.
    pub profile: String,
    /// The name that contacts see; empty when none was chosen yet.
    pub name: String,
    /// Whether messages can travel now, in every place that is in use.
    pub online: bool,
    /// How the connections stand, in words.
    pub connections: Vec<String>,
    /// Messages of this profile that are not at the hub.
    pub unstored: usize,
    /// Messages of this profile that not every recipient has.
    pub unacknowledged: usize,
    /// Whether the profile goes on when the last front end has gone.
    pub stays: bool,
}

/// An open room. Anyone who holds its link can read what is said there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomView {
    /// Its id.
    pub id: RoomId,
    /// Its name in this profile, unique now; for people only.
    pub label: String,
    /// Our name there, with a key suffix where names collide; empty until the room is open.
    pub you: String,
    /// Whether this profile owns it.
    pub owner: bool,
    /// Whether messages can travel now.
    pub online: bool,
    /// How the connection stands, in words.
    pub connection: String,
    /// The route that this profile uses there.
    pub route: Route,
    /// Who talks there; readers announce nothing.
    pub people: Vec<TalkerView>,
    /// Lines of others that have not been seen.
    pub unseen: u64,
    /// Number of the newest line; 0 when there is none.
    pub newest: u64,
}

/// Somebody who talks in an open room.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TalkerView {
    /// Their id.
    pub id: TalkerId,
    /// Name as shown, with a key suffix where names collide.
    pub name: String,
    /// Whether it is this profile.
    pub you: bool,
    /// Whether they have said that they left.
    pub left: bool,
    /// Whether the owner has muted them.
    pub muted: bool,
}

/// A line in an open room. All text is neutralised: it can be printed as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomLineView {
    /// Its number in this room since the profile runs, from 1.
    pub number: u64,
    /// Whether somebody wrote it, or something happened.
    pub kind: MessageKind,
    /// Who wrote it; none for notices.
    pub talker: Option<TalkerId>,
    /// The author's name as shown; empty for notices.
    pub from: String,
    /// Whether it is one's own.
    pub you: bool,
    /// The text; may hold newlines.
    pub text: String,
    /// When its author said it, ms since the Unix epoch.
    pub at_ms: u64,
    /// How far it got: queued, sent, stored or received.
    pub state: MessageState,
    /// The route that carried it; none while it has not left, and for notices.
    pub route: Option<Route>,
}

/// A way to a hub.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkView {
    /// Which hub: the first digits of its key.
    pub hub: String,
    /// The route that leads there.
    pub route: Route,
    /// Whether messages can travel now.
    pub online: bool,
    /// How it stands, in words.
    pub text: String,
    /// Contacts and groups that use it.
    pub conversations: Vec<ConversationRef>,
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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeshView {
    /// How this profile uses the local network.
    pub lan: LanMode,
    /// Names of the interfaces in use.
    pub interfaces: Vec<String>,
    /// Contacts that are linked now.
    pub neighbours: Vec<NeighbourView>,
    /// Boxes of this profile that are carried, and their bytes.
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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeighbourView {
    /// The contact.
    pub conversation: ConversationId,
    /// Its name as shown.
    pub label: String,
    /// Since when, ms since the Unix epoch.
    pub since_ms: u64,
    /// What came from it.
    pub received: CarriedView,
    /// What it was given.
    pub given: CarriedView,
}

/// Somebody who shows themselves on the local network.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PersonView {
    /// The name they show; anybody can show any name.
    pub name: String,
    /// For a knock: 64 hexadecimal digits.
    pub key: String,
    /// How long ago they were heard, ms.
    pub ago_ms: u64,
}

/// An invite.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InviteView {
    /// Its id.
    pub id: InviteId,
    /// The link.
    pub link: String,
    /// What this profile will call the person who uses it.
    pub name: Option<String>,
    /// How it stands.
    pub state: InviteState,
    /// When it ends, ms since the Unix epoch.
    pub expires_ms: u64,
}

/// A contact or group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationView {
    /// Its id.
    pub id: ConversationId,
    /// How front ends show it: the own name, else the title or nick, with a short id behind where
    /// two would look alike. For people only: it may be another at any moment.
    pub label: String,
    /// The name that this profile gave it; nobody else sees it or can change it.
    pub own_name: Option<String>,
    /// The group's title, which any member can change, or the contact's nick.
    pub title: String,
    /// What it is.
    pub kind: ConversationKind,
    /// Whether the safety words were compared.
    pub verified: bool,
    /// What is special about it.
    pub standing: Standing,
    /// Fingerprint of the OpenPGP key that the contact is bound to.
    pub pgp: Option<String>,
    /// The routes that it may use from here.
    pub allowed_routes: AllowedRoutes,
    /// Whether it can be written to now.
    pub open: bool,
    /// Seconds until messages disappear.
    pub timer_s: Option<u32>,
    /// Members, this profile included.
    pub members: usize,
    /// Messages that have not been seen.
    pub unseen: u64,
    /// Messages of this profile that not every recipient has.
    pub unacknowledged: usize,
    /// Whether a change that this profile asked for waits or is under way.
    pub changing: bool,
    /// The route from here that works now; none while there is none.
    pub route: Option<Route>,
    /// The newest message, if there is one.
    pub newest: Option<Box<MessageView>>,
}

/// A member of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Their id in this conversation.
    pub id: MemberId,
    /// Name as shown, unique in the conversation now.
    pub name: String,
    /// Whether it is this profile.
    pub you: bool,
    /// The contact, if this profile brought them in.
    pub contact: Option<ConversationRef>,
    /// Whether that contact's safety words were compared.
    pub verified: bool,
}

/// A contact or group, where something else names it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationRef {
    /// Its id.
    pub id: ConversationId,
    /// Its name as shown.
    pub label: String,
}

/// A message. All text is neutralised: it can be printed as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageView {
    /// Where it stands.
    pub conversation: ConversationId,
    /// The conversation's name as shown.
    pub label: String,
    /// Its number in this vault; grows.
    pub number: i64,
    /// Its id.
    pub id: MessageId,
    /// Whether it is a text, a file or something that happened.
    pub kind: MessageKind,
    /// The member who wrote it; none for one's own and for notices.
    pub member: Option<MemberId>,
    /// The author's name as shown; empty for notices.
    pub from: String,
    /// Whether it is one's own.
    pub you: bool,
    /// The text; for a file its name.
    pub text: String,
    /// When its author says that they wrote it, ms since the Unix epoch.
    pub sent_ms: u64,
    /// When it came, ms since the Unix epoch.
    pub received_ms: u64,
    /// How far it got.
    pub state: MessageState,
    /// The route that carried it on this side; none where that is not known, and while it has not
    /// left.
    pub route: Option<Route>,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// Whether its author changed it.
    pub edited: bool,
    /// Whether its author deleted it.
    pub deleted: bool,
    /// Reactions to it.
    pub reactions: Vec<ReactionView>,
    /// When it disappears, ms since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// The file, if it offers one.
    pub file: Option<FileView>,
}

/// A reaction.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactionView {
    /// The name, as shown, of who reacted.
    pub from: String,
    /// Whether it is one's own.
    pub you: bool,
    /// A short text, most often one emoji.
    pub emoji: String,
}

/// A file transfer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileView {
    /// Its id.
    pub transfer: TransferId,
    /// Where it was offered.
    pub conversation: ConversationId,
    /// The conversation's name as shown.
    pub label: String,
    /// The file's name, made harmless.
    pub name: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes that are through.
    pub done: u64,
    /// Whether this profile sends it.
    pub ours: bool,
    /// How it stands.
    pub state: FileState,
    /// Where it is on this machine, once it is done; for one's own, where it is read from.
    pub path: Option<String>,
}

/// An invitation into a group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupInviteView {
    /// For the answer.
    pub id: GroupInviteId,
    /// The group's title.
    pub title: String,
    /// The contact who invites.
    pub from: ConversationRef,
}

/// A conversation that a request has opened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its name as shown.
    pub label: String,
}

/// A message that a request has queued, durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queued {
    /// The message.
    pub message: MessageId,
}

/// Why a message is not delivered yet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyView {
    /// In words; none when it is delivered.
    pub text: Option<String>,
    /// Since when, ms since the Unix epoch.
    pub since_ms: Option<u64>,
}

/// The words that two contacts compare.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SafetyWordsView {
    /// Fourteen words; both sides see the same unless somebody stands between.
    pub words: String,
    /// Whether they were compared.
    pub verified: bool,
}

/// A text to be signed with an OpenPGP key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatementView {
    /// The text, without a line end after its last line.
    pub statement: String,
}

/// An OpenPGP key that has signed a statement.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityView {
    /// Its fingerprint, upper-case hexadecimal digits.
    pub fingerprint: String,
    /// What its holder says who they are.
    pub user_ids: Vec<String>,
}

/// Boxes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleView {
    /// Boxes that it holds.
    pub boxes: usize,
    /// Boxes that were new here.
    pub new: usize,
    /// Size of the file, bytes.
    pub bytes: u64,
}

/// A link into an open room.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkView {
    /// The link. Anybody who holds it reads everything since this hour.
    pub link: String,
}

/// What changing a setting has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingSaved {
    /// Whether the profile must be started again before it counts.
    pub restart: bool,
}

/// What a typed name stands for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolved {
    /// What it stands for.
    pub target: Target,
    /// Its name as shown.
    pub label: String,
}

/// It is done; there is nothing to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {}
