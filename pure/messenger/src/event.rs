//! What the messenger tells its user, and what it wants done.

use e2ee::id::{ConversationId, MemberId, MessageId, TransferId};
use wire::Timestamp;

use crate::request::{Call, CallId};
use crate::store::{Author, State};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct Why);
wire::kind_debug!(
    enum Output {
        Call,
        Cancel,
        Event,
        ReadChunk,
        WriteChunk,
        Finish,
    }
);
wire::kind_debug!(
    enum Event {
        Message,
        State,
        Changed,
        Expired,
        Opened,
        Conversation,
        Stopped,
        Renamed,
        InviteUsed,
        InviteReady,
        InviteTriedAgain,
        InviteFailed,
        GroupInvite,
        File,
        FileGone,
        HeldUp,
        Forked,
    }
);

/// Where one conversation or invite lives: a hub of a network, under a floor; see
/// [`crate::Messenger::place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(pub u32);

/// What the messenger hands out. It is to be done only after the transaction in which it came was
/// committed.
pub enum Output {
    /// Ask the hub of this place, or neighbours.
    Call {
        /// For the answer.
        id: CallId,
        /// The place whose carrier has to do it.
        place: PlaceId,
        /// What to ask.
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
        /// The transfer.
        transfer: TransferId,
        /// Where, bytes.
        offset: u64,
        /// How much, bytes.
        len: usize,
    },
    /// Write these bytes at `offset` of the file that is being fetched, durably, then call
    /// [`crate::Messenger::on_written`].
    WriteChunk {
        /// The transfer.
        transfer: TransferId,
        /// Where, bytes.
        offset: u64,
        /// The bytes to write.
        bytes: Vec<u8>,
    },
    /// All bytes are there: check the SHA-256, give the file its name, then call
    /// [`crate::Messenger::on_finished`].
    Finish {
        /// The transfer.
        transfer: TransferId,
    },
}

/// What happened. Text is sanitised: it can be printed as it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// A message came, or ours was queued: it stands in the history now.
    Message {
        /// The conversation.
        conversation: ConversationId,
        /// The message.
        id: MessageId,
        /// Who wrote it.
        author: Author,
    },
    /// Our message got further.
    State {
        /// The conversation.
        conversation: ConversationId,
        /// The message.
        id: MessageId,
        /// How far.
        state: State,
    },
    /// Text, reactions or deletion of a message changed: read it again.
    Changed {
        /// The conversation.
        conversation: ConversationId,
        /// The message.
        id: MessageId,
    },
    /// A message has disappeared.
    Expired {
        /// The conversation.
        conversation: ConversationId,
        /// The message.
        id: MessageId,
    },
    /// A conversation is there now: a contact or a group.
    Opened {
        /// The conversation.
        conversation: ConversationId,
    },
    /// Members, title, floor, timer or marks of a conversation have changed. The same text stands
    /// in the history as a notice.
    Conversation {
        /// The conversation.
        conversation: ConversationId,
        /// What has changed, in words.
        text: String,
    },
    /// A conversation was stopped: something in it is damaged, or was sent to break it.
    Stopped {
        /// Which.
        conversation: ConversationId,
    },
    /// Others have changed the title of a group, or the nick of a contact. It stands as a notice in
    /// the history, too. The user's own name for it is untouched.
    Renamed {
        /// The conversation.
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
    /// Somebody else has tried our invite after it was used.
    InviteTriedAgain {
        /// Which invite.
        invite: MessageId,
    },
    /// An invite that we made or accepted has failed.
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
        /// The conversation.
        conversation: ConversationId,
        /// The message that offers it.
        id: MessageId,
        /// The transfer.
        transfer: TransferId,
        /// Bytes that are through.
        done: u64,
        /// Bytes in all.
        size: u64,
        /// How far it got.
        state: FileState,
    },
    /// The message of a file is gone, and so is the transfer. If the file was being fetched, what
    /// came of it is to go, too; a whole file was given to the user and stays.
    FileGone {
        /// The transfer.
        transfer: TransferId,
        /// Where the file is or was to be.
        path: String,
        /// Whether we were sending it.
        ours: bool,
        /// Whether all of it was there.
        whole: bool,
    },
    /// A commit was decided on, and its body does not come or is bad (`GROUP-007`).
    HeldUp {
        /// The conversation.
        conversation: ConversationId,
        /// By whom.
        by: MemberId,
        /// Their name.
        name: String,
    },
    /// Members see different histories: the hub has shown two orders.
    Forked {
        /// The conversation.
        conversation: ConversationId,
    },
}

/// How far a file transfer got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// Waits until the user accepts it.
    Offered,
    /// On its way.
    Moving,
    /// All of it is there, and its SHA-256 is right.
    Done,
    /// It cannot be completed.
    Failed,
    /// Declined or cancelled.
    Cancelled,
}

/// Why something waits, for a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Why {
    /// The reason, in words.
    pub text: String,
    /// How long it has waited already.
    pub since: Timestamp,
}
