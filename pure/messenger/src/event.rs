//! What the messenger tells its user, and what it wants done.

use e2ee::id::{ConversationId, MemberId, MessageId, TransferId};
use wire::Timestamp;

use crate::request::{Call, CallId};
use crate::store::{Author, State};

/// Where one conversation or invite lives: a hub of a network, under a floor; see
/// [`crate::Messenger::place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(pub u32);

/// What the messenger hands out. It is to be done only after the transaction in which it came was
/// committed.
#[derive(Debug)]
pub enum Output {
    /// Ask the hub of this place, or neighbours.
    Call {
        /// For the answer.
        id: CallId,
        /// Where.
        place: PlaceId,
        /// What.
        call: Call,
        /// Only the hub may answer: which change of the members counts is for it to say. Neighbours
        /// carry all else.
        hub_only: bool,
    },
    /// The answer to this call is no longer wanted.
    Cancel(CallId),
    /// Tell the user.
    Event(Event),
    /// Read `len` bytes at `offset` of the file that is being sent; answer with
    /// [`crate::Messenger::on_chunk`].
    ReadChunk {
        /// Which transfer.
        transfer: TransferId,
        /// Where, bytes.
        offset: u64,
        /// How much, bytes.
        len: usize,
    },
    /// Write these bytes at `offset` of the file that is being fetched, durably, then call
    /// [`crate::Messenger::on_written`].
    WriteChunk {
        /// Which transfer.
        transfer: TransferId,
        /// Where, bytes.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// All bytes are there: check the SHA-256, give the file its name, then call
    /// [`crate::Messenger::on_finished`].
    Finish {
        /// Which transfer.
        transfer: TransferId,
    },
}

/// What happened. Text is neutralised: it can be printed as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message came, or one of ours was queued: it stands in the history now.
    Message {
        /// Where.
        conversation: ConversationId,
        /// Which.
        id: MessageId,
        /// Whose.
        author: Author,
    },
    /// A message of ours got further.
    State {
        /// Where.
        conversation: ConversationId,
        /// Which.
        id: MessageId,
        /// How far.
        state: State,
    },
    /// A message has another text, is gone, or is seen otherwise: read it anew.
    Changed {
        /// Where.
        conversation: ConversationId,
        /// Which.
        id: MessageId,
    },
    /// A message has disappeared.
    Expired {
        /// Where.
        conversation: ConversationId,
        /// Which.
        id: MessageId,
    },
    /// A conversation is there now: a contact or a group.
    Opened {
        /// Which.
        conversation: ConversationId,
    },
    /// Members, title, floor, timer or marks of a conversation have changed; the words say what.
    Conversation {
        /// Which.
        conversation: ConversationId,
        /// What, in words.
        text: String,
    },
    /// Others have changed the title of a group, or the nick of a contact. It stands as a notice in
    /// the history, too. The user's own name for it is untouched.
    Renamed {
        /// Which.
        conversation: ConversationId,
        /// The title or nick before.
        from: String,
        /// The title or nick now.
        to: String,
    },
    /// Our invite was used: by this contact.
    InviteUsed {
        /// Which invite.
        invite: MessageId,
        /// The contact.
        conversation: ConversationId,
    },
    /// The payload of our invite is at the hub: the link works.
    InviteReady {
        /// Which invite.
        invite: MessageId,
    },
    /// Somebody else has tried an invite of ours that was used already.
    InviteTriedAgain {
        /// Which invite.
        invite: MessageId,
    },
    /// An invite of ours, or one that we accepted, came to nothing; the words say why.
    InviteFailed {
        /// Which invite.
        invite: MessageId,
        /// Why, in words.
        text: &'static str,
    },
    /// A contact invites us into a group; answer with [`crate::Messenger::answer_group_invite`].
    GroupInvite {
        /// Which contact.
        conversation: ConversationId,
        /// Names the invitation.
        token: MessageId,
        /// The group's title.
        title: String,
        /// How many are in.
        members: u32,
    },
    /// A file moved on.
    File {
        /// Where.
        conversation: ConversationId,
        /// The message that offers it.
        id: MessageId,
        /// The transfer.
        transfer: TransferId,
        /// Bytes that are through.
        done: u64,
        /// Bytes in all.
        size: u64,
        /// How it stands.
        state: FileState,
    },
    /// A commit was decided on, and its body does not come or is bad.
    HeldUp {
        /// Where.
        conversation: ConversationId,
        /// By whom.
        by: MemberId,
        /// Their name.
        name: String,
    },
    /// Members see different histories: the hub has shown two orders.
    Forked {
        /// Where.
        conversation: ConversationId,
    },
}

/// How a file transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// Waits for a yes.
    Offered,
    /// On its way.
    Moving,
    /// All of it is there, and its SHA-256 is right.
    Done,
    /// It cannot be completed.
    Failed,
    /// Refused or taken back.
    Cancelled,
}

/// Where and when something stands still, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// In words.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
}
