//! What front ends ask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a front end asks. Conversations are named by the name that this profile gave them;
/// messages, invites and transfers by their id, 32 hexadecimal digits.
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
    /// The text that we sign with an OpenPGP key to say to a contact who we are. Answer:
    /// `Statement`.
    IdentityStatement {
        /// The contact.
        conversation: String,
    },
    /// Binds a contact to the OpenPGP key that has signed their statement; anything else is
    /// refused. Answer: `Identity`.
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
    /// Goes on without a member who holds a group up, in a new group. Answer: `Contact`, the new
    /// group.
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
    /// Asks somebody who shows themselves to become a contact. Answer: `Contact`, once they have
    /// said yes.
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
    /// Enters an open room. It stays in the profile until it is left. Answer: `Room`.
    JoinRoom {
        /// The room's link, a guest's or its owner's.
        link: String,
        /// What this profile will call the room; default: a name that is free.
        #[serde(default)]
        name: Option<String>,
        /// Our name there; default: a random one.
        #[serde(default)]
        nick: Option<String>,
        /// onion, tor, tor+onion or direct; default: what the profile's settings leave.
        #[serde(default)]
        route: Option<String>,
    },
    /// Makes an open room on a network, and enters it as its owner. Answer: `Room`.
    CreateRoom {
        /// What this profile will call the room; default: a name that is free.
        #[serde(default)]
        name: Option<String>,
        /// Our name there; default: a random one.
        #[serde(default)]
        nick: Option<String>,
        /// A link of the network; default: the profile's network.
        #[serde(default)]
        network: Option<String>,
    },
    /// Lists open rooms. Answer: `Rooms`.
    Rooms {},
    /// What was said in an open room since this profile runs, oldest first. Answer: `RoomLines`.
    RoomHistory {
        /// Which.
        room: String,
        /// Those that follow the line with this number; default: the newest.
        #[serde(default)]
        after: Option<u64>,
        /// How many at most; default 50.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// Says a text in an open room.
    Say {
        /// Where.
        room: String,
        /// What, up to 64 KiB.
        text: String,
    },
    /// A person has seen lines of an open room up to this number.
    RoomSeen {
        /// Which.
        room: String,
        /// The number of the line.
        up_to: u64,
    },
    /// Takes another name in an open room.
    RoomNick {
        /// Which.
        room: String,
        /// The name.
        nick: String,
    },
    /// A link into an open room that starts at this hour. Answer: `Link`.
    RoomLink {
        /// Which.
        room: String,
    },
    /// Owner: hides a talker from all, or shows them again.
    RoomMute {
        /// Which.
        room: String,
        /// The talker's name as shown.
        name: String,
        /// Whether to hide.
        muted: bool,
    },
    /// Owner: new keys for these talkers; all other links die.
    RoomRekey {
        /// Which.
        room: String,
        /// Names as shown.
        names: Vec<String>,
    },
    /// Travels by this route in an open room from now on.
    RoomRoute {
        /// Which.
        room: String,
        /// onion, tor, tor+onion or direct.
        route: String,
    },
    /// Moves an open room to new circuits of Tor.
    RoomCircuits {
        /// Which.
        room: String,
    },
    /// Leaves an open room once what was said there is stored.
    LeaveRoom {
        /// Which.
        room: String,
    },
    /// How the ways to each hub stand. Answer: `Networks`.
    Networks {},
    /// The profile's settings. Answer: `Settings`.
    Settings {},
    /// Changes one setting, in the file too. Answer: `Set`.
    Set {
        /// Which.
        key: String,
        /// Its value, as a person types it.
        value: String,
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
    pub(in crate::engine::profile) fn with_absolute_paths(mut self) -> Self {
        let path = match &mut self {
            Command::SendFile { path, .. }
            | Command::BundleOut { path, .. }
            | Command::BundleIn { path } => Some(path),
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
