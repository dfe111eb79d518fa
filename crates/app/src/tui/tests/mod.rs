//! A screen without a terminal and without an engine.

mod frames;
mod frames_more;
mod stories;

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::Start;
use super::state::{App, Effect, Input, Then};
use super::update::{start, update};
use super::view;
use crate::engine::profile::{
    Command, ConversationView, Event, FileView, MessageView, Refusal, Reply, RoomLineView,
    RoomView, Status, TalkerView,
};

/// 2026-03-04 12:34:00 UTC, a Wednesday.
pub const NOW: u64 = 1_772_627_640_000;
const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;

/// A screen, with what it has asked of the engine and not been answered.
pub struct Screen {
    pub app: App,
    pub asked: Vec<(Command, Then)>,
    pub rung: Vec<String>,
    pub left: bool,
    pub others: Vec<Effect>,
}

impl Screen {
    /// Nothing is known yet.
    pub fn empty(width: u16, height: u16) -> Screen {
        Screen::opening(width, height, None)
    }

    /// The same, with something to open.
    pub fn opening(width: u16, height: u16, open: Option<Start>) -> Screen {
        let mut app = App::new((width, height), true, NOW);
        let effects = start(&mut app, open);
        let mut screen =
            Screen { app, asked: Vec::new(), rung: Vec::new(), left: false, others: Vec::new() };
        screen.keep(effects);
        screen
    }

    /// Alice's, with these conversations.
    pub fn of(
        width: u16,
        height: u16,
        conversations: Vec<ConversationView>,
        rooms: Vec<RoomView>,
    ) -> Screen {
        let mut screen = Screen::empty(width, height);
        screen.answer(&Then::Status, Reply::Status(status("alice")));
        screen.answer(&Then::Rooms, Reply::Rooms { rooms });
        screen.answer(&Then::Conversations, Reply::Conversations { conversations });
        screen
    }

    fn keep(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(command, then) => self.asked.push((command, then)),
                Effect::Notify(text) => self.rung.push(text),
                Effect::Quit => self.left = true,
                other => self.others.push(other),
            }
        }
    }

    /// Something happens.
    pub fn input(&mut self, input: Input) {
        let now = self.app.now_ms;
        self.at(now, input);
    }

    /// Something happens at this time.
    pub fn at(&mut self, now_ms: u64, input: Input) {
        let effects = update(&mut self.app, now_ms, input);
        self.keep(effects);
        // Where what is on the screen is known from the last frame.
        self.draw();
    }

    /// The engine tells something.
    pub fn event(&mut self, event: Event) {
        self.input(Input::Event(Box::new(event)));
    }

    /// The engine answers the question of this kind, which must have been asked.
    pub fn answer(&mut self, then: &Then, reply: Reply) {
        let at = self.asked.iter().position(|(_, t)| t == then);
        let at = at.unwrap_or_else(|| panic!("{then:?} was not asked: {:?}", self.asked));
        let (_, then) = self.asked.remove(at);
        self.input(Input::Reply(then, Ok(reply)));
    }

    /// The engine refuses it.
    pub fn refuse(&mut self, then: &Then, text: &str) {
        let at = self.asked.iter().position(|(_, t)| t == then).expect("it was asked");
        let (_, then) = self.asked.remove(at);
        let refusal =
            Refusal { kind: wire::ErrorKind::Network, text: text.into(), hint: "try again".into() };
        self.input(Input::Reply(then, Err(refusal)));
    }

    /// The open conversation's messages come; on a narrow screen the first one of the list is
    /// opened before.
    pub fn history(&mut self, messages: Vec<MessageView>) {
        if self.app.current.is_none() {
            self.key(KeyCode::Enter);
        }
        let at = self
            .asked
            .iter()
            .position(|(_, t)| matches!(t, Then::History { .. }))
            .expect("history was asked");
        let (_, then) = self.asked.remove(at);
        self.input(Input::Reply(then, Ok(Reply::Messages { messages })));
    }

    /// The open room's lines come.
    pub fn lines(&mut self, lines: Vec<RoomLineView>) {
        let at = self
            .asked
            .iter()
            .position(|(_, t)| matches!(t, Then::History { .. }))
            .expect("history was asked");
        let (_, then) = self.asked.remove(at);
        self.input(Input::Reply(then, Ok(Reply::RoomLines { lines })));
    }

    /// A key with modifiers.
    pub fn press(&mut self, code: KeyCode, with: KeyModifiers) {
        self.input(Input::Terminal(TerminalEvent::Key(KeyEvent::new(code, with))));
    }

    /// A key.
    pub fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    /// A letter with Ctrl.
    pub fn ctrl(&mut self, c: char) {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL);
    }

    /// A key with Alt.
    pub fn alt(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::ALT);
    }

    /// A text, letter by letter.
    pub fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
    }

    /// A text that is pasted.
    pub fn pastes(&mut self, text: &str) {
        self.input(Input::Terminal(TerminalEvent::Paste(text.to_owned())));
    }

    /// What was asked last, without what the screen asks by itself.
    pub fn last(&self) -> String {
        let own = |t: &Then| {
            matches!(
                t,
                Then::Status
                    | Then::Conversations
                    | Then::Rooms
                    | Then::Files
                    | Then::GroupInvites
                    | Then::Settings(false)
            )
        };
        self.asked.iter().rfind(|(_, t)| !own(t)).map(|(c, _)| format!("{c:?}")).unwrap_or_default()
    }

    /// Draws, and gives the cells.
    pub fn draw(&mut self) -> Buffer {
        let (width, height) = self.app.size;
        let mut terminal =
            Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
        let mut drawn = None;
        terminal.draw(|frame| drawn = Some(view::draw(&self.app, frame))).expect("it draws");
        self.app.drawn = drawn.expect("it was drawn");
        terminal.backend().buffer().clone()
    }

    /// The frame as text.
    pub fn text(&mut self) -> String {
        let buffer = self.draw();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut covered = 0;
            for x in 0..buffer.area.width {
                if covered > 0 {
                    covered -= 1;
                    continue;
                }
                let symbol = buffer[(x, y)].symbol();
                covered = super::text::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Whether the frame holds this.
    pub fn shows(&mut self, text: &str) -> bool {
        self.text().contains(text)
    }
}

pub fn status(name: &str) -> Status {
    Status {
        profile: "default".into(),
        name: name.into(),
        online: true,
        connections: vec!["onion to hub 3f9a: connected".into()],
        unstored: 0,
        unacknowledged: 0,
        stays: false,
    }
}

pub fn contact(name: &str) -> ConversationView {
    ConversationView {
        name: name.into(),
        kind: "contact".into(),
        verified: false,
        pgp: None,
        floor: "hidden".into(),
        open: true,
        timer_s: None,
        members: 2,
        unseen: 0,
        unacknowledged: 0,
        changing: false,
        route: Some("onion".into()),
        newest: None,
    }
}

/// A message number `number`, said so many minutes ago. Of `alice`: ours.
pub fn message(
    with: &str,
    number: i64,
    from: &str,
    text: &str,
    state: &str,
    ago: u64,
) -> MessageView {
    MessageView {
        conversation: with.into(),
        number,
        id: format!("{number:04x}{:028x}", 7),
        kind: "text".into(),
        from: from.into(),
        you: from == "alice",
        text: text.into(),
        sent_ms: NOW - ago * MINUTE,
        received_ms: NOW - ago * MINUTE,
        state: state.into(),
        route: if matches!(state, "queued" | "cancelled") { String::new() } else { "onion".into() },
        reply_to: None,
        edited: false,
        deleted: false,
        reactions: Vec::new(),
        expires_ms: None,
        file: None,
    }
}

pub fn file(with: &str, done: u64, ours: bool, state: &str) -> FileView {
    FileView {
        transfer: "0f".repeat(16),
        conversation: with.into(),
        name: "holiday.tar".into(),
        size: 10 << 20,
        done,
        ours,
        state: state.into(),
        path: None,
    }
}

pub fn room(name: &str) -> RoomView {
    let talker = |name: &str, you| TalkerView { name: name.into(), you, left: false, muted: false };
    RoomView {
        name: name.into(),
        you: "alice~k3m9x2ab".into(),
        owner: false,
        online: true,
        connection: "connected".into(),
        route: "tor+onion".into(),
        people: vec![
            talker("alice~k3m9x2ab", true),
            talker("alice~07qxw4ne", false),
            talker("bob", false),
        ],
        unseen: 0,
        newest: 0,
    }
}

pub fn said(number: u64, from: &str, text: &str, state: &str) -> RoomLineView {
    RoomLineView {
        number,
        kind: if from.is_empty() { "notice" } else { "text" }.into(),
        from: from.into(),
        you: state != "received",
        text: text.into(),
        at_ms: NOW - 5 * MINUTE,
        state: state.into(),
        route: if from.is_empty() || state == "queued" {
            String::new()
        } else {
            "tor+onion".into()
        },
    }
}

/// Alice with bob, carol and a group; bob's is open.
pub fn alice(width: u16, height: u16) -> Screen {
    let bob = ConversationView {
        verified: true,
        newest: Some(Box::new(message("bob", 9, "bob", "see you at eight", "received", 1))),
        ..contact("bob")
    };
    let carol = ConversationView {
        unseen: 3,
        route: Some("tor".into()),
        newest: Some(Box::new(message("carol", 8, "carol", "are you there?", "received", 30))),
        ..contact("carol")
    };
    let group = ConversationView {
        kind: "group".into(),
        members: 5,
        route: None,
        newest: Some(Box::new(message(
            "Hiking",
            3,
            "dave",
            "Sunday then, if the weather holds",
            "received",
            2_000,
        ))),
        ..contact("Hiking")
    };
    Screen::of(width, height, vec![bob, carol, group], vec![])
}
