//! What was said, wherever it was said: conversations and open rooms look the same on the screen.

use api::{
    FileView, MessageId, MessageKind, MessageState, MessageView, ReactionView, RoomLineView, Route,
};

/// The states of this profile's own messages, with what each means.
pub(crate) const LEGEND: [(MessageState, &str); 6] = [
    (MessageState::Queued, "waiting on this device"),
    (MessageState::Sent, "sent, no answer yet"),
    (MessageState::Stored, "stored at the hub"),
    (MessageState::Delivered, "delivered to all recipients"),
    (MessageState::Read, "read by all recipients"),
    (MessageState::Cancelled, "cancelled before it left"),
];

/// The mark of a state; at most two cells.
#[must_use]
pub(crate) const fn mark(state: MessageState) -> &'static str {
    match state {
        MessageState::Queued => "…",
        MessageState::Sent => "→",
        MessageState::Stored => "✓",
        MessageState::Delivered => "✓✓",
        MessageState::Read => "●✓",
        MessageState::Cancelled => "✗",
        MessageState::Received => "",
    }
}

/// The letter of a route; a space for none.
#[must_use]
pub(crate) const fn letter(route: Option<Route>) -> char {
    match route {
        Some(Route::Onion) => 'o',
        Some(Route::Tor) => 't',
        Some(Route::TorOnion) => 'T',
        Some(Route::Direct) => 'd',
        Some(Route::Lan) => 'l',
        None => ' ',
    }
}

/// How a message travels by a route.
#[must_use]
pub(crate) const fn travels(route: Route) -> &'static str {
    match route {
        Route::Onion => "through the relays",
        Route::Tor => "through Tor to the hub",
        Route::TorOnion => "through Tor to the first relay",
        Route::Direct => "directly to the hub",
        Route::Lan => "over the local network",
    }
}

/// Names a line within its conversation or room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineId {
    /// A message.
    Message(MessageId),
    /// A line of an open room, by its number.
    Room(u64),
    /// A notice of the screen itself, by its number in this log.
    Note(u64),
}

/// A message, a line of an open room, or a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Grows within its conversation.
    pub(crate) number: i64,
    /// Names it.
    pub(crate) id: LineId,
    /// Whether it is a notice: something that happened.
    pub(crate) notice: bool,
    /// The author's name as shown; empty for notices.
    pub(crate) from: String,
    /// Whether it is one's own.
    pub(crate) you: bool,
    /// The text; may hold newlines.
    pub(crate) text: String,
    /// When its author wrote it, ms since the Unix epoch.
    pub(crate) at_ms: u64,
    /// How far it got.
    pub(crate) state: MessageState,
    /// The route that carried it, where that is known.
    pub(crate) route: Option<Route>,
    /// The message that it answers.
    pub(crate) reply_to: Option<MessageId>,
    /// Whether its author changed it.
    pub(crate) edited: bool,
    /// Whether it was deleted.
    pub(crate) deleted: bool,
    /// Reactions to it.
    pub(crate) reactions: Vec<ReactionView>,
    /// When it disappears, ms since the Unix epoch.
    pub(crate) expires_ms: Option<u64>,
    /// The file that it offers.
    pub(crate) file: Option<FileView>,
}

impl Line {
    /// The message that it is, if it is one.
    #[must_use]
    pub(crate) const fn message(&self) -> Option<MessageId> {
        match self.id {
            LineId::Message(id) => Some(id),
            LineId::Room(_) | LineId::Note(_) => None,
        }
    }

    /// Whether it is a notice of the screen itself, which the engine does not know.
    #[must_use]
    pub(crate) const fn is_note(&self) -> bool {
        matches!(self.id, LineId::Note(_))
    }

    /// Something that happened, in words.
    fn note(number: i64, id: LineId, text: String, at_ms: u64) -> Line {
        Line {
            number,
            id,
            notice: true,
            from: String::new(),
            you: false,
            text,
            at_ms,
            state: MessageState::Received,
            route: None,
            reply_to: None,
            edited: false,
            deleted: false,
            reactions: Vec::new(),
            expires_ms: None,
            file: None,
        }
    }
}

impl From<MessageView> for Line {
    fn from(m: MessageView) -> Self {
        Line {
            number: m.number,
            id: LineId::Message(m.id),
            notice: m.kind == MessageKind::Notice,
            from: m.from,
            you: m.you,
            text: m.text,
            at_ms: m.sent_ms,
            state: m.state,
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
        let number = i64::try_from(l.number).unwrap_or(i64::MAX);
        Line {
            notice: l.kind == MessageKind::Notice,
            from: l.from,
            you: l.you,
            state: l.state,
            route: l.route,
            ..Line::note(number, LineId::Room(l.number), l.text, l.at_ms)
        }
    }
}

/// Notices of the screen that a log keeps: others can cause them as often as they like.
const NOTES: usize = 20;

/// What is known of a conversation's messages, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    /// The messages, by number.
    pub(crate) lines: Vec<Line>,
    /// Whether the newest page was fetched.
    pub(crate) loaded: bool,
    /// Whether there is nothing before the first line.
    pub(crate) whole: bool,
    /// Whether a page is under way.
    pub(crate) asking: bool,
    /// The number of the first line that was new when the conversation was opened.
    pub(crate) new_from: Option<i64>,
    /// Lines of the screen below the visible part.
    pub(crate) scroll: usize,
    /// The selected message.
    pub(crate) chosen: Option<LineId>,
    /// Notices of the screen so far.
    notes: u64,
}

impl Log {
    /// Puts a line in its place; one that is there already is replaced, and its state does not go
    /// back.
    pub(crate) fn put(&mut self, mut line: Line) {
        if let Some(old) = self.lines.iter_mut().find(|l| l.id == line.id) {
            line.state = old.state.max(line.state);
            *old = line;
            return;
        }
        let at = self.lines.partition_point(|l| l.number <= line.number);
        self.lines.insert(at, line);
    }

    /// Notes something that happened, behind the newest message. `newest`: its number, as far as
    /// that is known from elsewhere.
    pub(crate) fn note(&mut self, newest: i64, text: String, at_ms: u64) {
        if self.lines.iter().filter(|l| l.is_note()).count() >= NOTES
            && let Some(oldest) = self.lines.iter().position(Line::is_note)
        {
            self.lines.remove(oldest);
        }
        self.notes += 1;
        let number = self.lines.last().map_or(newest, |l| l.number.max(newest));
        self.put(Line::note(number, LineId::Note(self.notes), text, at_ms));
    }

    /// One's own message got further.
    pub(crate) fn advance(&mut self, id: MessageId, state: MessageState, route: Option<Route>) {
        if let Some(line) = self.lines.iter_mut().find(|l| l.message() == Some(id)) {
            line.state = line.state.max(state);
            line.route = route;
        }
    }

    /// A file moved on.
    pub(crate) fn file(&mut self, file: &FileView) {
        for line in &mut self.lines {
            if let Some(old) = line.file.as_mut().filter(|f| f.transfer == file.transfer) {
                old.clone_from(file);
            }
        }
    }

    /// The line of this id.
    #[must_use]
    pub(crate) fn find(&self, id: LineId) -> Option<&Line> {
        self.lines.iter().find(|l| l.id == id)
    }

    /// The selected line.
    #[must_use]
    pub(crate) fn chosen(&self) -> Option<&Line> {
        self.find(self.chosen?)
    }

    /// Selects the line before or after the selected one; after the last one: none.
    pub(crate) fn choose(&mut self, back: bool) {
        let at = self.chosen.and_then(|id| self.lines.iter().position(|l| l.id == id));
        let next = match (at, back) {
            (None, true) => self.lines.len().checked_sub(1),
            (None, false) => None,
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => Some(at + 1).filter(|n| *n < self.lines.len()),
        };
        self.chosen = next.and_then(|at| self.lines.get(at)).map(|l| l.id);
        if self.chosen.is_none() {
            self.scroll = 0;
        }
    }

    /// The number of the first message, for the page before it.
    #[must_use]
    pub(crate) fn first_message(&self) -> Option<i64> {
        self.lines.iter().find(|l| l.message().is_some()).map(|l| l.number)
    }

    /// The newest line of others.
    #[must_use]
    pub(crate) fn newest_of_others(&self) -> Option<i64> {
        self.lines.iter().filter(|l| !l.you && !l.is_note()).map(|l| l.number).max()
    }
}
