//! What a room tells its user, and what it asks of its carrier.

use e2ee::TalkerKey;
use wire::Timestamp;

use crate::request::{Call, CallId};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct Who, Present);
wire::kind_debug!(
    enum Output {
        Call,
        Cancel,
        Event,
    }
);
wire::kind_debug!(
    enum RoomEvent {
        Message,
        State,
        Here,
        Left,
        Renamed,
        Gap,
        Notice,
        Muted,
        Rekeyed,
        LockedOut,
        Crowded,
        Trouble,
    }
);

/// What a room hands out.
pub enum Output {
    /// Ask the hub.
    Call(CallId, Call),
    /// The answer to this call is no longer wanted.
    Cancel(CallId),
    /// Tell the user.
    Event(RoomEvent),
}

/// How far our message got. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageState {
    /// Waits.
    Queued,
    /// All its boxes have left.
    Sent,
    /// All its boxes are durable at the hub.
    Stored,
}

/// Somebody in the room, as a screen may show them: the name is unique among those known now.
#[derive(Clone, PartialEq, Eq)]
pub struct Who {
    /// Their identity in this room.
    pub key: TalkerKey,
    /// Their name, sanitised, with a key suffix where it could be mistaken.
    pub name: String,
}

/// One line of `/who`.
#[derive(Clone, PartialEq, Eq)]
pub struct Present {
    /// The talker.
    pub who: Who,
    /// Whether it is us.
    pub me: bool,
    /// Whether they said that they left.
    pub left: bool,
    /// Whether the owner has muted them.
    pub muted: bool,
}

/// What happened. Text is sanitised (`e2ee::sanitize`): it can be printed as it is.
#[derive(Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// A text.
    Message {
        /// Its author, proven by the box signature.
        from: Who,
        /// What they said.
        text: String,
        /// When they say they said it.
        at: Timestamp,
    },
    /// Our message got further.
    State {
        /// Number that [`super::Room::say`] gave it.
        message: u64,
        /// How far.
        state: MessageState,
    },
    /// Somebody talks here now.
    Here(Who),
    /// Somebody says that they leave.
    Left(Who),
    /// Somebody goes by another name now.
    Renamed {
        /// The name until now.
        from: String,
        /// The name from now on.
        to: Who,
    },
    /// Boxes that never came although later ones did.
    Gap {
        /// Who wrote it.
        from: Who,
        /// How many.
        boxes: usize,
    },
    /// The owner says something to all.
    Notice(String),
    /// The owner has muted somebody, or shows them again.
    Muted {
        /// Whom.
        who: Who,
        /// Whether muted now.
        muted: bool,
    },
    /// The room goes on under new keys, and we are in.
    Rekeyed,
    /// The room goes on under new keys, and we are out.
    LockedOut,
    /// More talkers than a client follows: this many are not shown.
    Crowded(usize),
    /// Something that we sent could not be stored.
    Trouble(&'static str),
}
