//! What the messenger keeps, and the trait of the store that keeps it.
//!
//! The shell opens a transaction, hands the store to the messenger, commits, and only then acts on
//! what the messenger put out: so after a crash at any instruction the store is the truth, and
//! whatever was under way is done again.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(any(test, feature = "hostile"))]
pub(crate) mod memory;

use wire::Timestamp;
use zeroize::Zeroizing;

use e2ee::id::{ConversationId, MemberId, MessageId};

/// What a store can fail with: its own words, which never hold what was stored.
#[derive(Debug, thiserror::Error)]
#[error("the store failed: {0}")]
pub struct StoreError(pub String);

/// Kinds of records. The messenger reads and writes them as opaque bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Space {
    /// MLS state, in MessagePack. Never in a backup.
    Mls = 1,
    /// State of conversations: positions in streams, outboxes. Never in a backup.
    Conversation = 2,
    /// Boxes and messages on their way out. Never in a backup.
    Outbox = 3,
    /// Open invites. Never in a backup.
    Invite = 4,
    /// File transfers under way. Never in a backup.
    Transfer = 5,
    /// Who is who: names, marks, where a conversation lives, how to ask to be re-added. In a
    /// backup.
    Card = 6,
    /// Settings of the profile that are secret, and so belong into the vault. In a backup.
    Setting = 7,
}

impl Space {
    /// All spaces.
    pub const ALL: [Space; 7] = [
        Space::Mls,
        Space::Conversation,
        Space::Outbox,
        Space::Invite,
        Space::Transfer,
        Space::Card,
        Space::Setting,
    ];

    /// Whether a backup holds it (DESIGN: no MLS secrets and no stream positions).
    #[must_use]
    pub const fn in_backup(self) -> bool {
        matches!(self, Space::Card | Space::Setting)
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Author {
    /// This profile.
    Me,
    /// A member of the conversation.
    Member(MemberId),
}

/// How far our message got. It never goes back (`DIRECT-013`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Waits here.
    Queued = 0,
    /// Has left.
    Sent = 1,
    /// Durable at the hub.
    Stored = 2,
    /// Every recipient has it.
    Delivered = 3,
    /// Every recipient that tells has read it.
    Read = 4,
    /// Taken back before it left.
    Cancelled = 5,
    /// Not ours.
    Received = 6,
}

impl State {
    /// From the number that [`Store`]s keep.
    #[must_use]
    pub const fn from_number(n: u8) -> Option<State> {
        Some(match n {
            0 => State::Queued,
            1 => State::Sent,
            2 => State::Stored,
            3 => State::Delivered,
            4 => State::Read,
            5 => State::Cancelled,
            6 => State::Received,
            _ => return None,
        })
    }

    /// The number of [`State::from_number`].
    #[must_use]
    #[allow(clippy::as_conversions, reason = "the discriminants are the numbers")]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// What kind of line of a history it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A text.
    Text = 0,
    /// A file: the text is its name.
    File = 1,
    /// What happened to the conversation, in words.
    Notice = 2,
}

impl Kind {
    /// From the number that [`Store`]s keep.
    #[must_use]
    pub const fn from_number(n: u8) -> Option<Kind> {
        Some(match n {
            0 => Kind::Text,
            1 => Kind::File,
            2 => Kind::Notice,
            _ => return None,
        })
    }

    /// The number of [`Kind::from_number`].
    #[must_use]
    #[allow(clippy::as_conversions, reason = "the discriminants are the numbers")]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// A message to keep. All text is sanitised already.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Where it was said.
    pub conversation: ConversationId,
    /// Its random id, the same at all members.
    pub id: MessageId,
    /// Who said it.
    pub author: Author,
    /// The author's name when it was said, as shown.
    pub author_name: String,
    /// When its author says that it was said.
    pub sent_at: Timestamp,
    /// When it came here (for ours: when it was said).
    pub received_at: Timestamp,
    /// What kind of line it is.
    pub kind: Kind,
    /// The text.
    pub text: String,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// How far it got.
    pub state: State,
    /// When it disappears, in local time (`GONE-001`).
    pub expires_at: Option<Timestamp>,
    /// The route that carried it, in one word: for our message as far as it got, for another's the
    /// one by which its last box came. Empty while nothing is known.
    pub route: String,
}

/// A reaction to a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Who reacted.
    pub author: Author,
    /// Their name, as shown.
    pub author_name: String,
    /// A short text, most often one emoji.
    pub emoji: String,
}

/// A message as it stands in the history.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its number in this vault: grows with each message kept, over all conversations.
    pub number: i64,
    /// The message; after an edit with the new text, after a delete with an empty one.
    pub message: NewMessage,
    /// Whether its author changed it.
    pub edited: bool,
    /// Whether its author deleted it.
    pub deleted: bool,
    /// What people think of it, in the order they came.
    pub reactions: Vec<Reaction>,
    /// Whether this profile's user has seen it.
    pub seen: bool,
}

/// What a record holds; wiped when dropped.
pub type Value = Zeroizing<Vec<u8>>;

/// A store of one profile, within one transaction.
///
/// Methods take `&self`, for the store of the MLS library does so too; writes are seen by later
/// reads at once.
pub trait Store {
    /// The record under this key.
    ///
    /// # Errors
    /// [`StoreError`], as all others of this trait.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError>;

    /// Writes a record.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put(&self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Removes a record; none there is no error.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove(&self, space: Space, key: &[u8]) -> Result<(), StoreError>;

    /// All records whose key begins with `prefix`, by key.
    ///
    /// # Errors
    /// [`StoreError`].
    fn scan(&self, space: Space, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Value)>, StoreError>;

    /// Keeps a message; false, and nothing changes, when this author's message is there already.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_message(&self, message: &NewMessage) -> Result<bool, StoreError>;

    /// One message, with its author.
    ///
    /// # Errors
    /// [`StoreError`].
    fn message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
    ) -> Result<Option<StoredMessage>, StoreError>;

    /// Gives a message another text; false when there is none by this author, or it is deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    fn edit_message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        author: Author,
        text: &str,
    ) -> Result<bool, StoreError>;

    /// Empties a message and drops its reactions; false when there is none by this author.
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete_message(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        author: Author,
    ) -> Result<bool, StoreError>;

    /// Adds or takes away a reaction; false when the message is not there or nothing changes.
    /// At most 64 per message are kept, one of each text per author.
    ///
    /// # Errors
    /// [`StoreError`].
    fn react(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        reaction: &Reaction,
        add: bool,
    ) -> Result<bool, StoreError>;

    /// Moves our message forward; false when it is there or further already, or does not exist.
    ///
    /// # Errors
    /// [`StoreError`].
    fn set_state(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        state: State,
    ) -> Result<bool, StoreError>;

    /// Sets the route that carried our message.
    ///
    /// # Errors
    /// [`StoreError`].
    fn set_route(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        route: &str,
    ) -> Result<(), StoreError>;

    /// Sets when a message disappears.
    ///
    /// # Errors
    /// [`StoreError`].
    fn set_expiry(
        &self,
        conversation: &ConversationId,
        id: &MessageId,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes for good what is due to disappear, and says what.
    ///
    /// # Errors
    /// [`StoreError`].
    fn expire(&self, now: Timestamp) -> Result<Vec<(ConversationId, MessageId)>, StoreError>;

    /// When the next message disappears.
    ///
    /// # Errors
    /// [`StoreError`].
    fn next_expiry(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Removes all messages that were kept before this local time, except ours that are still on
    /// their way, and says which. Ours that were deleted are not on their way.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_before(
        &self,
        before: Timestamp,
    ) -> Result<Vec<(ConversationId, MessageId)>, StoreError>;

    /// The newest `limit` messages of a conversation, those with a number below `before` if given;
    /// oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn history(
        &self,
        conversation: &ConversationId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError>;

    /// Messages of a conversation with a number above `after`, oldest first, at most `limit`: for
    /// exports and `recv`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn history_after(
        &self,
        conversation: Option<&ConversationId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError>;

    /// Messages that hold all words of `query` (each word also as a prefix), newest first. Never an
    /// error for odd queries.
    ///
    /// # Errors
    /// [`StoreError`].
    fn search(
        &self,
        conversation: Option<&ConversationId>,
        query: &str,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError>;

    /// Marks messages of others up to this number as seen, and says which were not before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark_seen(
        &self,
        conversation: &ConversationId,
        up_to: i64,
    ) -> Result<Vec<MessageId>, StoreError>;

    /// How many messages of others have not been seen.
    ///
    /// # Errors
    /// [`StoreError`].
    fn unseen(&self, conversation: &ConversationId) -> Result<u64, StoreError>;

    /// Removes a conversation's messages.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove_conversation(&self, conversation: &ConversationId) -> Result<(), StoreError>;
}
