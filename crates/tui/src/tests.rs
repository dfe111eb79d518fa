//! A screen without a terminal and without an engine.

mod frames;
mod frames_more;
mod names;
mod stories;

use std::pin::Pin;

use api::{
    AllowedRoutes, ConversationId, ConversationKind, ConversationView, Event, FileState, FileView,
    GetHistory, GetRoomHistory, GetStatus, ListConversations, ListRooms, MemberId, MessageId,
    MessageKind, MessageState, MessageView, Reason, Refusal, Request, RoomId, RoomLineView,
    RoomView, Route, Status, TalkerId, TalkerView, TransferId,
};
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use futures::FutureExt;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde_json::Value;

use crate::ask::Step;
use crate::state::{App, Effect, Input, Place};
use crate::update::{start, update};
use crate::{Start, cells, view};

/// 2026-03-04 12:34:00 UTC, a Wednesday.
const NOW: u64 = 1_772_627_640_000;
const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;

/// What the screen asks without being told to.
const BY_ITSELF: [&str; 6] =
    ["status", "conversations", "rooms", "files", "group_invites", "settings"];

/// A request on its way.
struct Asked {
    method: &'static str,
    params: Value,
    answer: Box<dyn FnOnce(Result<Value, Refusal>) + Send>,
    answered: Pin<Box<dyn Future<Output = Step> + Send>>,
}

/// A request as [`Stage::last`] shows it.
fn wants<R: Request>(request: &R) -> (&'static str, Value) {
    (R::METHOD, serde_json::to_value(request).expect("a request is JSON"))
}

/// A screen, with what it has asked of the engine and not been answered.
struct Stage {
    app: App,
    asked: Vec<Asked>,
    rung: Vec<String>,
    left: bool,
    others: Vec<Effect>,
}

impl Stage {
    /// Nothing is known yet.
    fn empty(width: u16, height: u16) -> Stage {
        Stage::opening(width, height, None)
    }

    /// The same, with something to open.
    fn opening(width: u16, height: u16, open: Option<Start>) -> Stage {
        let mut app = App::new((width, height), true, NOW);
        let effects = start(&mut app, open);
        let mut screen =
            Stage { app, asked: Vec::new(), rung: Vec::new(), left: false, others: Vec::new() };
        screen.keep(effects);
        screen
    }

    /// Alice's, with these conversations.
    fn of(
        width: u16,
        height: u16,
        conversations: &[ConversationView],
        rooms: &[RoomView],
    ) -> Stage {
        let mut screen = Stage::empty(width, height);
        screen.answer::<GetStatus>(&status("alice"));
        screen.answer::<ListRooms>(&rooms.to_vec());
        screen.answer::<ListConversations>(&conversations.to_vec());
        screen
    }

    fn keep(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(question) => {
                    let written = question.call.write();
                    self.asked.push(Asked {
                        method: written.method,
                        params: written.params,
                        answer: written.answer,
                        answered: question.answered,
                    });
                }
                Effect::Notify(text) => self.rung.push(text),
                Effect::Quit => self.left = true,
                other => self.others.push(other),
            }
        }
    }

    /// Something happens.
    fn input(&mut self, input: Input) {
        let now = self.app.now_ms;
        self.at(now, input);
    }

    /// Something happens at this time.
    fn at(&mut self, now_ms: u64, input: Input) {
        let effects = update(&mut self.app, now_ms, input);
        self.keep(effects);
        // Where what is on the screen is known from the last frame.
        self.draw();
    }

    /// The engine tells something.
    fn event(&mut self, event: Event) {
        self.input(Input::Event(Box::new(event)));
    }

    /// The engine answers the newest request of this type, which must have been asked.
    fn answer<R: Request>(&mut self, reply: &R::Reply) {
        self.settle(R::METHOD, Ok(serde_json::to_value(reply).expect("a reply is JSON")));
    }

    /// The engine refuses it.
    fn refuse<R: Request>(&mut self, text: &str) {
        let refusal = Refusal::new(wire::ErrorKind::Network, Reason::QueueFull, text);
        self.settle(R::METHOD, Err(refusal));
    }

    fn settle(&mut self, method: &str, answer: Result<Value, Refusal>) {
        let at = self.asked.iter().rposition(|a| a.method == method);
        let at = at.unwrap_or_else(|| panic!("{method} was not asked"));
        let asked = self.asked.remove(at);
        (asked.answer)(answer);
        let step = asked.answered.now_or_never().expect("it was answered");
        self.input(Input::Answered(step));
    }

    /// The open conversation's messages come; on a narrow screen the first one of the list is
    /// opened before.
    fn history(&mut self, messages: &[MessageView]) {
        if self.app.current.is_none() {
            self.key(KeyCode::Enter);
        }
        self.answer::<GetHistory>(&messages.to_vec());
    }

    /// The open room's lines come.
    fn lines(&mut self, lines: &[RoomLineView]) {
        self.answer::<GetRoomHistory>(&lines.to_vec());
    }

    /// A key with modifiers.
    fn press(&mut self, code: KeyCode, with: KeyModifiers) {
        self.input(Input::Terminal(TerminalEvent::Key(KeyEvent::new(code, with))));
    }

    /// A key.
    fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    /// A letter with Ctrl.
    fn ctrl(&mut self, c: char) {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL);
    }

    /// A key with Alt.
    fn alt(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::ALT);
    }

    /// A text, letter by letter.
    fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
    }

    /// A text that is pasted.
    fn pastes(&mut self, text: &str) {
        self.input(Input::Terminal(TerminalEvent::Paste(text.to_owned())));
    }

    /// What was asked last, without what the screen asks by itself.
    fn last(&self) -> (&'static str, Value) {
        let told = self.asked.iter().rfind(|a| !BY_ITSELF.contains(&a.method));
        told.map_or(("", Value::Null), |a| (a.method, a.params.clone()))
    }

    /// How many requests of this type wait for an answer.
    fn waiting<R: Request>(&self) -> usize {
        self.asked.iter().filter(|a| a.method == R::METHOD).count()
    }

    /// Draws, and gives the cells.
    fn draw(&mut self) -> Buffer {
        let (width, height) = self.app.size;
        let mut terminal =
            Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
        let mut drawn = None;
        terminal.draw(|frame| drawn = Some(view::draw(&self.app, frame))).expect("it draws");
        self.app.drawn = drawn.expect("it was drawn");
        terminal.backend().buffer().clone()
    }

    /// The frame as text.
    fn text(&mut self) -> String {
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
                covered = cells::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Whether the frame holds this.
    fn shows(&mut self, text: &str) -> bool {
        self.text().contains(text)
    }
}

/// Sixteen bytes that a name stands for in these stories.
fn bytes(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    bytes
}

/// The conversation that is called so at the beginning.
fn conversation(name: &str) -> ConversationId {
    ConversationId::new(bytes(name))
}

fn with(name: &str) -> Place {
    Place::Conversation(conversation(name))
}

fn room_id(name: &str) -> RoomId {
    RoomId::new(bytes(name))
}

fn talker_id(name: &str) -> TalkerId {
    TalkerId::new(bytes(name))
}

fn member_id(name: &str) -> MemberId {
    MemberId::new(bytes(name))
}

fn message_id(number: i64) -> MessageId {
    MessageId::new((0x7000 + i128::from(number)).to_be_bytes())
}

fn status(name: &str) -> Status {
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

fn contact(name: &str) -> ConversationView {
    ConversationView {
        id: conversation(name),
        label: name.into(),
        own_name: None,
        title: name.into(),
        kind: ConversationKind::Contact,
        verified: false,
        standing: api::Standing::Normal,
        pgp: None,
        allowed_routes: AllowedRoutes::Hidden,
        open: true,
        timer_s: None,
        members: 2,
        unseen: 0,
        unacknowledged: 0,
        changing: false,
        route: Some(Route::Onion),
        newest: None,
    }
}

/// A message number `number`, said so many minutes ago. Of `alice`: one's own.
fn message(with: &str, number: i64, from: &str, text: &str, state: &str, ago: u64) -> MessageView {
    let you = from == "alice";
    MessageView {
        conversation: conversation(with),
        label: with.into(),
        number,
        id: message_id(number),
        kind: MessageKind::Text,
        member: Some(member_id(from)).filter(|_| !you),
        from: from.into(),
        you,
        text: text.into(),
        sent_ms: NOW - ago * MINUTE,
        received_ms: NOW - ago * MINUTE,
        state: MessageState::parse(state).expect("a state"),
        route: Some(Route::Onion).filter(|_| !matches!(state, "queued" | "cancelled")),
        reply_to: None,
        edited: false,
        deleted: false,
        reactions: Vec::new(),
        expires_ms: None,
        file: None,
    }
}

fn file(with: &str, done: u64, ours: bool, state: &str) -> FileView {
    FileView {
        transfer: TransferId::new([0x0f; 16]),
        conversation: conversation(with),
        label: with.into(),
        name: "holiday.tar".into(),
        size: 10 << 20,
        done,
        ours,
        state: FileState::parse(state).expect("a state"),
        path: None,
    }
}

fn talker(name: &str, you: bool) -> TalkerView {
    TalkerView { id: talker_id(name), name: name.into(), you, left: false, muted: false }
}

fn room(name: &str) -> RoomView {
    RoomView {
        id: room_id(name),
        label: name.into(),
        you: "alice~k3m9x2ab".into(),
        owner: false,
        online: true,
        connection: "connected".into(),
        route: Route::TorOnion,
        people: vec![
            talker("alice~k3m9x2ab", true),
            talker("alice~07qxw4ne", false),
            talker("bob", false),
        ],
        unseen: 0,
        newest: 0,
    }
}

fn said(number: u64, from: &str, text: &str, state: &str) -> RoomLineView {
    let notice = from.is_empty();
    RoomLineView {
        number,
        kind: if notice { MessageKind::Notice } else { MessageKind::Text },
        talker: Some(talker_id(from)).filter(|_| !notice),
        from: from.into(),
        you: state != "received",
        text: text.into(),
        at_ms: NOW - 5 * MINUTE,
        state: MessageState::parse(state).expect("a state"),
        route: Some(Route::TorOnion).filter(|_| !notice && state != "queued"),
    }
}

/// A line in an open room, told by the engine.
fn room_line(room: &str, line: RoomLineView) -> Event {
    Event::RoomLine { room: room_id(room), label: room.into(), line }
}

/// Alice with bob, carol and a group; bob's is open.
fn alice(width: u16, height: u16) -> Stage {
    let bob = ConversationView {
        verified: true,
        newest: Some(Box::new(message("bob", 9, "bob", "see you at eight", "received", 1))),
        ..contact("bob")
    };
    let carol = ConversationView {
        unseen: 3,
        route: Some(Route::Tor),
        newest: Some(Box::new(message("carol", 8, "carol", "are you there?", "received", 30))),
        ..contact("carol")
    };
    let said = "Sunday then, if the weather holds";
    let group = ConversationView {
        members: 5,
        route: None,
        newest: Some(Box::new(message("Hiking", 3, "dave", said, "received", 2_000))),
        ..group("Hiking")
    };
    Stage::of(width, height, &[bob, carol, group], &[])
}

fn group(title: &str) -> ConversationView {
    ConversationView { kind: ConversationKind::Group, members: 3, ..contact(title) }
}
