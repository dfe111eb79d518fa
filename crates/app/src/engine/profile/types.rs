//! The words that front ends and the engine of a profile exchange. They are what `hushwing rpc` speaks, too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a front end asks. Conversations are named by the name that this profile gave them; messages, invites and
/// transfers by their id, 32 hexadecimal digits.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "method", content = "params", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// How the profile and its connections stand. Answer: `Status`.
    Status {},
    /// Sets the name that new contacts and groups see.
    SetName {
        /// The name.
        name: String,
    },
    /// Makes a link for one contact. Answer: `Invite`; the link works at once.
    Invite {
        /// What this profile will call whoever uses it; default: their own name.
        #[serde(default)]
        name: Option<String>,
        /// The name that they see; default: the profile's.
        #[serde(default)]
        my_name: Option<String>,
        /// How long it stays open, seconds; default a week.
        #[serde(default)]
        expires_s: Option<u64>,
        /// A link of the network where to meet; default: the profile's network.
        #[serde(default)]
        network: Option<String>,
    },
    /// Lists invites. Answer: `Invites`.
    Invites {},
    /// Takes an invite back.
    Revoke {
        /// Its id.
        invite: String,
    },
    /// Uses a link that somebody gave us. Answer: `Contact`, once it is done.
    Accept {
        /// The link.
        link: String,
        /// What this profile will call them; default: their own name.
        #[serde(default)]
        name: Option<String>,
    },
    /// Lists contacts and groups. Answer: `Conversations`.
    Conversations {},
    /// Lists the members of a conversation. Answer: `Members`.
    Members {
        /// Which.
        conversation: String,
    },
    /// Sends a text. Answer: `Id` of the message, queued durably.
    Send {
        /// To whom.
        to: String,
        /// What, up to 64 KiB.
        text: String,
        /// The message that it answers.
        #[serde(default)]
        reply_to: Option<String>,
    },
    /// Sends a file. Answer: `Id` of the message.
    SendFile {
        /// To whom.
        to: String,
        /// Path on this machine.
        path: String,
    },
    /// Lists file transfers. Answer: `Files`.
    Files {},
    /// Fetches a file that somebody offered.
    AcceptFile {
        /// The transfer.
        transfer: String,
        /// Directory for it; default: the profile's.
        #[serde(default)]
        directory: Option<String>,
    },
    /// Stops a file transfer for good, or refuses one.
    CancelFile {
        /// The transfer.
        transfer: String,
    },
    /// Gives a message of ours another text.
    Edit {
        /// Where.
        conversation: String,
        /// Which.
        message: String,
        /// The new text.
        text: String,
    },
    /// Deletes a message: ours everywhere, others' here.
    Delete {
        /// Where.
        conversation: String,
        /// Which.
        message: String,
    },
    /// Adds a reaction, or takes it away.
    React {
        /// Where.
        conversation: String,
        /// To which message.
        message: String,
        /// A short text, most often one emoji.
        emoji: String,
        /// Takes it away.
        #[serde(default)]
        remove: bool,
    },
    /// Takes a message back that has not left.
    Cancel {
        /// Where.
        conversation: String,
        /// Which.
        message: String,
    },
    /// Why a message of ours is not delivered yet. Answer: `Why`.
    Why {
        /// Where.
        conversation: String,
        /// Which.
        message: String,
    },
    /// Lets messages disappear after so many seconds; 0: they stay.
    SetTimer {
        /// Where.
        conversation: String,
        /// Seconds.
        seconds: u32,
    },
    /// A person has seen messages up to this number.
    Seen {
        /// Where.
        conversation: String,
        /// The number in `Message`.
        up_to: i64,
    },
    /// The words that two contacts compare. Answer: `Words`.
    SafetyWords {
        /// The contact.
        conversation: String,
    },
    /// Marks a contact as verified, or takes that back.
    Verify {
        /// The contact.
        conversation: String,
        /// Whether the words were the same.
        verified: bool,
    },
    /// The text that we sign with an OpenPGP key to say to a contact who we are. Answer: `Statement`.
    IdentityStatement {
        /// The contact.
        conversation: String,
    },
    /// Binds a contact to the OpenPGP key that has signed their statement; anything else is refused. Answer: `Identity`.
    IdentityVerify {
        /// The contact.
        conversation: String,
        /// The clear-signed statement, up to 64 KiB.
        signed: String,
        /// The public key, armoured, up to 512 KiB.
        certificate: String,
    },
    /// Takes that back.
    IdentityForget {
        /// The contact.
        conversation: String,
    },
    /// Gives a contact or group another name in this profile.
    Name {
        /// Which.
        conversation: String,
        /// The new name.
        name: String,
    },
    /// Which routes a conversation may use from here: anywhere, hidden, onion, tor or lan.
    Floor {
        /// Which.
        conversation: String,
        /// The floor.
        floor: String,
    },
    /// Founds a group. Answer: `Contact`.
    CreateGroup {
        /// Its title.
        title: String,
    },
    /// Invites a contact into a group.
    InviteToGroup {
        /// The group.
        group: String,
        /// The contact.
        contact: String,
    },
    /// Lists invitations into groups that wait for an answer. Answer: `GroupInvites`.
    GroupInvites {},
    /// Answers an invitation into a group.
    AnswerGroupInvite {
        /// Its token.
        token: String,
        /// Yes or no.
        accept: bool,
    },
    /// Removes a member of a group.
    RemoveMember {
        /// The group.
        group: String,
        /// The member's name in it.
        member: String,
    },
    /// Gives a group another title, for all.
    RenameGroup {
        /// The group.
        group: String,
        /// The title.
        title: String,
    },
    /// Goes on without a member who holds a group up, in a new group. Answer: `Contact`, the new group.
    RestartGroup {
        /// The group.
        group: String,
        /// The member's name in it.
        without: String,
    },
    /// Draws new keys in a conversation: whoever stole the old ones reads nothing more.
    Refresh {
        /// Which.
        conversation: String,
    },
    /// Leaves a conversation; the others are told.
    Leave {
        /// Which.
        conversation: String,
    },
    /// Removes a conversation and its history from this profile.
    Forget {
        /// Which.
        conversation: String,
    },
    /// Looks whether members of a conversation have lost their place, and shows them ours.
    CheckOn {
        /// Which.
        conversation: String,
    },
    /// The newest messages of a conversation, oldest first. Answer: `Messages`.
    History {
        /// Which.
        conversation: String,
        /// Only those with a number below.
        #[serde(default)]
        before: Option<i64>,
        /// How many at most; default 50.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// Messages after a number, oldest first, of one or all conversations. Answer: `Messages`.
    HistoryAfter {
        /// Which; default all.
        #[serde(default)]
        conversation: Option<String>,
        /// The number.
        after: i64,
        /// How many at most; default 50.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// Neighbours on the local network, and what is carried for them. Answer: `Mesh`.
    Mesh {},
    /// People who show themselves on the local network. Answer: `Nearby`.
    Nearby {},
    /// Shows this profile's name to everybody on the local network for so long.
    Show {
        /// Seconds; 0 ends it.
        seconds: u32,
    },
    /// Asks somebody who shows themselves to become a contact. Answer: `Contact`, once they have said yes.
    Knock {
        /// The key in `Nearby`.
        key: String,
        /// What this profile will call them; default: their own name.
        #[serde(default)]
        name: Option<String>,
    },
    /// Answers a knock. Answer to a yes: `Contact`.
    AnswerKnock {
        /// The id in the event.
        knock: String,
        /// Yes or no.
        accept: bool,
        /// What this profile will call them; default: their own name.
        #[serde(default)]
        name: Option<String>,
    },
    /// Writes what is to reach others into a file that must not be there yet. Answer: `Bundle`.
    BundleOut {
        /// Path on this machine.
        path: String,
        /// Only what is for this contact or group.
        #[serde(default)]
        conversation: Option<String>,
    },
    /// Reads such a file. Answer: `Bundle`.
    BundleIn {
        /// Path on this machine.
        path: String,
    },
    /// Messages that hold all these words. Answer: `Messages`, newest first.
    Search {
        /// The words.
        query: String,
        /// Which; default all.
        #[serde(default)]
        conversation: Option<String>,
        /// How many at most; default 50.
        #[serde(default)]
        limit: Option<usize>,
    },
}

impl Command {
    /// The same, with paths that mean the same in every process.
    #[must_use]
    pub(super) fn with_absolute_paths(mut self) -> Self {
        let path = match &mut self {
            Command::SendFile { path, .. } | Command::BundleOut { path, .. } | Command::BundleIn { path } => Some(path),
            Command::AcceptFile { directory, .. } => directory.as_mut(),
            _ => None,
        };
        if let Some(path) = path
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            *path = absolute.to_string_lossy().into_owned();
        }
        self
    }
}

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
    /// Why a message is not delivered.
    Why {
        /// In words; none when it is delivered.
        text: Option<String>,
        /// Since when, ms since the Unix epoch.
        since_ms: Option<u64>,
    },
}

/// How a profile stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The profile's name on this machine.
    pub profile: String,
    /// The name that contacts see.
    pub name: String,
    /// Whether messages can travel now, in every place that is in use.
    pub online: bool,
    /// How the connections stand, in words.
    pub connections: Vec<String>,
    /// Messages of ours that are not at the hub.
    pub unstored: usize,
    /// Messages of ours that not every recipient has.
    pub unacknowledged: usize,
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
    /// Somebody else has tried an invite of ours that was used already: compare safety words with whoever was first.
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
    /// Something to know, in words.
    Notice {
        /// The words.
        text: String,
    },
}
