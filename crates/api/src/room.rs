//! One open room without a profile: what the line mode and the engine's session say to each other.

use serde::Serialize;

use crate::id::TalkerId;
use crate::views::TalkerView;
use crate::words::{MessageState, Route};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum RoomCommand {
        Say,
        Nick,
        Who,
        Link,
        Mute,
        Unmute,
        Rekey,
        Route,
        Safety,
        Renew,
        Leave,
    }
);
wire::kind_debug!(
    enum RoomEvent {
        Network,
        Joined,
        Message,
        State,
        Here,
        Left,
        Renamed,
        Gap,
        Who,
        Link,
        Notice,
        Path,
        Answered,
        Closed,
    }
);

/// What a front end asks of a room's session.
#[derive(Clone)]
pub enum RoomCommand {
    /// Say a text in the room.
    Say(String),
    /// Take another name.
    Nick(String),
    /// List who talks here.
    Who,
    /// A link that starts at the current hour.
    Link,
    /// Owner: hide a talker from all.
    Mute(TalkerId),
    /// Owner: show a talker again.
    Unmute(TalkerId),
    /// Owner: new room keys for these talkers; all other links die.
    Rekey(Vec<TalkerId>),
    /// Use this route from now on; what waits goes with it.
    Route(Route),
    /// Use hidden routes only, or any.
    Safety(bool),
    /// Move to new circuits of Tor, now.
    Renew,
    /// Leave after everything is stored.
    Leave,
}

/// What a room's session tells front ends. All text is already neutralised: it can be printed as it
/// is.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RoomEvent {
    /// How the connection stands, in words.
    Network {
        /// Whether messages can travel now.
        up: bool,
        /// What is going on, or why not.
        text: String,
    },
    /// The room is open under this name.
    Joined {
        /// Our name.
        you: String,
    },
    /// Somebody said something.
    Message {
        /// Who.
        talker: TalkerId,
        /// Name as shown.
        from: String,
        /// The text; may hold newlines.
        text: String,
        /// When its author said it, ms since the Unix epoch, document time.
        at_ms: u64,
        /// Whether it is one's own.
        you: bool,
    },
    /// One of this session's messages got further.
    State {
        /// Number of the message, counted from 1 in this session.
        message: u64,
        /// How far.
        state: MessageState,
        /// From `Say` until now, ms.
        after_ms: u64,
    },
    /// Somebody talks here now.
    Here {
        /// Name as shown.
        name: String,
    },
    /// Somebody has left.
    Left {
        /// Name as shown.
        name: String,
    },
    /// Somebody took another name.
    Renamed {
        /// Before.
        from: String,
        /// Now.
        to: String,
    },
    /// Messages that never came although later ones did.
    Gap {
        /// Whose.
        name: String,
        /// How many boxes.
        boxes: usize,
    },
    /// Answer to [`RoomCommand::Who`].
    Who {
        /// Everybody known to talk here.
        people: Vec<TalkerView>,
    },
    /// Answer to [`RoomCommand::Link`].
    Link {
        /// The link. Anyone who holds it can read everything since this hour.
        link: String,
    },
    /// Something to know, in words.
    Notice {
        /// The words.
        text: String,
    },
    /// A packet left (`-v`).
    Path {
        /// In words: `sending via relay a → b → c → hub, 14490 bytes`.
        text: String,
        /// Relays on the way.
        relays: usize,
    },
    /// A request was answered.
    Answered {
        /// From its first packet to the answer, ms.
        ms: u64,
    },
    /// The session is over; nothing follows.
    Closed,
}
