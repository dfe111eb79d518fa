//! The only words that front ends and engine exchange.

use routes::Route;
use serde::Serialize;

/// What a front end asks of the engine.
#[derive(Debug, Clone)]
pub enum Command {
    /// Say a text in the room.
    Say(String),
    /// Take another name.
    Nick(String),
    /// List who talks here.
    Who,
    /// A link that starts at the current hour.
    Link,
    /// Owner: hide a talker from all (name as shown).
    Mute(String),
    /// Owner: show a talker again.
    Unmute(String),
    /// Owner: new room keys for these talkers; all other links die.
    Rekey(Vec<String>),
    /// Travel by this route from now on; what waits goes with it.
    Route(Route),
    /// Use hidden routes only, or any.
    Safety(bool),
    /// Move to new circuits of Tor, now.
    Renew,
    /// Leave after everything is stored.
    Leave,
}

/// How far a message of ours got. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits in the outbox.
    Queued,
    /// On its way.
    Sent,
    /// Durable at the hub.
    Stored,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            State::Queued => "queued",
            State::Sent => "sent",
            State::Stored => "stored",
        })
    }
}

/// A talker as `/who` lists it. All text is already neutralised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Name as shown, with a key suffix where names collide.
    pub name: String,
    /// Whether this is us.
    pub you: bool,
    /// Whether they have said that they left.
    pub left: bool,
    /// Whether the owner has muted them.
    pub muted: bool,
}

/// What the engine tells front ends. All text is already neutralised: it can be printed as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
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
        /// Name as shown.
        from: String,
        /// The text; may hold newlines.
        text: String,
        /// When its author said it, ms since the Unix epoch, document time.
        at_ms: u64,
        /// Whether it is ours.
        you: bool,
    },
    /// One of our messages got further.
    State {
        /// Number of the message, counted from 1 in this session.
        message: u64,
        /// How far.
        state: State,
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
    /// Answer to [`Command::Who`].
    Who {
        /// Everybody known to talk here.
        people: Vec<Person>,
    },
    /// Answer to [`Command::Link`].
    Link {
        /// The link. Whoever holds it reads everything since this hour.
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
