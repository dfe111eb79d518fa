//! What was said, wherever it was said: conversations and open rooms look the same on the screen.

use crate::cli::export::of_room;
use crate::engine::profile::{FileView, MessageView, ReactionView, RoomLineView};

/// How far a message got. The order is that of a message's life: a state on the screen never goes
/// back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the help says what each means")]
pub enum State {
    Queued,
    Sent,
    Stored,
    Delivered,
    Read,
    Cancelled,
    Received,
}

impl State {
    /// All states of our own messages, with their mark and what they mean.
    pub const LEGEND: [(State, &'static str); 6] = [
        (State::Queued, "waits on this machine"),
        (State::Sent, "has left, no answer yet"),
        (State::Stored, "lies at the hub"),
        (State::Delivered, "has reached everybody it is for"),
        (State::Read, "was read by everybody it is for"),
        (State::Cancelled, "was taken back before it left"),
    ];

    fn parse(word: &str) -> State {
        match word {
            "queued" => State::Queued,
            "sent" => State::Sent,
            "stored" => State::Stored,
            "delivered" => State::Delivered,
            "read" => State::Read,
            "cancelled" => State::Cancelled,
            _ => State::Received,
        }
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Sent => "sent",
            State::Stored => "stored",
            State::Delivered => "delivered",
            State::Read => "read",
            State::Cancelled => "cancelled",
            State::Received => "",
        }
    }

    /// Its mark; at most two cells.
    #[must_use]
    pub const fn mark(self) -> &'static str {
        match self {
            State::Queued => "…",
            State::Sent => "→",
            State::Stored => "✓",
            State::Delivered => "✓✓",
            State::Read => "●✓",
            State::Cancelled => "✗",
            State::Received => "",
        }
    }
}

/// The letters of the routes, and what each carried a message by.
pub const ROUTES: [(char, &str, &str); 5] = [
    ('o', "onion", "through the relays"),
    ('t', "tor", "through Tor to the hub"),
    ('T', "tor+onion", "through Tor to the first relay"),
    ('d', "direct", "straight to the hub"),
    ('l', "lan", "by the local network"),
];

/// The letter of a route; a space of none.
#[must_use]
pub fn letter(route: &str) -> char {
    ROUTES.iter().find(|(_, name, _)| *name == route).map_or(' ', |(letter, ..)| *letter)
}

/// A message or a line of an open room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Grows within its conversation.
    pub number: i64,
    /// Names it: a message's id, a line's number.
    pub id: String,
    /// Whether it is a remark of the program's.
    pub notice: bool,
    /// Who said it.
    pub from: String,
    /// Whether we did.
    pub you: bool,
    /// What.
    pub text: String,
    /// When, ms since the Unix epoch.
    pub at_ms: u64,
    /// How far it got.
    pub state: State,
    /// The route that carried it.
    pub route: String,
    /// The message that it answers.
    pub reply_to: Option<String>,
    /// Whether it was changed.
    pub edited: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// What people think of it.
    pub reactions: Vec<ReactionView>,
    /// When it disappears.
    pub expires_ms: Option<u64>,
    /// The file that it offers.
    pub file: Option<FileView>,
}

impl From<MessageView> for Line {
    fn from(m: MessageView) -> Self {
        Line {
            number: m.number,
            id: m.id,
            notice: m.kind == "notice",
            from: m.from,
            you: m.you,
            text: m.text,
            at_ms: m.sent_ms,
            state: State::parse(&m.state),
            route: m.route,
            reply_to: m.reply_to,
            edited: m.edited,
            deleted: m.deleted,
            reactions: m.reactions,
            expires_ms: m.expires_ms,
            file: m.file,
        }
    }
}

impl From<RoomLineView> for Line {
    fn from(l: RoomLineView) -> Self {
        let id = format!("line {}", l.number);
        Line { id, ..of_room("", l).into() }
    }
}

/// What is known of a conversation's messages, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// The messages, by number.
    pub lines: Vec<Line>,
    /// Whether the newest page was fetched.
    pub loaded: bool,
    /// Whether there is nothing before the first line.
    pub whole: bool,
    /// Whether a page is under way.
    pub asking: bool,
    /// The number of the first line that was new when the conversation was opened.
    pub new_from: Option<i64>,
    /// Lines of the screen below the visible part.
    pub scroll: usize,
    /// The chosen message.
    pub chosen: Option<String>,
}

impl Log {
    /// Puts a line in its place; one that is there already is replaced, and its state does not go
    /// back.
    pub fn put(&mut self, mut line: Line) {
        if let Some(old) = self.lines.iter_mut().find(|l| l.id == line.id) {
            line.state = old.state.max(line.state);
            *old = line;
            return;
        }
        let at = self.lines.partition_point(|l| l.number <= line.number);
        self.lines.insert(at, line);
    }

    /// A message of ours got further.
    pub fn advance(&mut self, id: &str, state: &str, route: String) {
        if let Some(line) = self.lines.iter_mut().find(|l| l.id == id) {
            line.state = line.state.max(State::parse(state));
            line.route = route;
        }
    }

    /// A file moved on.
    pub fn file(&mut self, file: &FileView) {
        for line in &mut self.lines {
            if let Some(old) = line.file.as_mut().filter(|f| f.transfer == file.transfer) {
                old.clone_from(file);
            }
        }
    }

    /// The message of this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Line> {
        self.lines.iter().find(|l| l.id == id)
    }

    /// The chosen message.
    #[must_use]
    pub fn chosen(&self) -> Option<&Line> {
        self.find(self.chosen.as_deref()?)
    }

    /// Chooses the message before or after the chosen one; after the last one: none.
    pub fn choose(&mut self, back: bool) {
        let at = self.chosen.as_deref().and_then(|id| self.lines.iter().position(|l| l.id == id));
        let next = match (at, back) {
            (None, true) => self.lines.len().checked_sub(1),
            (None, false) => None,
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => Some(at + 1).filter(|n| *n < self.lines.len()),
        };
        self.chosen = next.and_then(|at| self.lines.get(at)).map(|l| l.id.clone());
        if self.chosen.is_none() {
            self.scroll = 0;
        }
    }

    /// The newest line of others.
    #[must_use]
    pub fn newest_of_others(&self) -> Option<i64> {
        self.lines.iter().filter(|l| !l.you).map(|l| l.number).max()
    }
}
