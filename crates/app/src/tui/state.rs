//! What the screen shows, as plain data.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;
use ratatui_textarea::TextArea;

use super::dialog::{Dialog, field};
use super::keys::Action;
use super::message::Log;
use super::theme::Theme;
use crate::cli::args_profile::Format;
use crate::engine::profile::{
    Command, ConversationView, Event, FileView, GroupInviteView, NetworkView, Refusal, Reply,
    RoomView, Status,
};

/// Where something is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// With a contact, or in a group.
    Conversation(String),
    /// In an open room.
    Room(String),
}

impl Place {
    /// Its name in this profile.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Place::Conversation(name) | Place::Room(name) => name,
        }
    }
}

/// What happens to the screen.
#[derive(Debug)]
pub enum Input {
    /// The terminal has something.
    Terminal(crossterm::event::Event),
    /// The engine tells something.
    Event(Box<Event>),
    /// The engine answers.
    Reply(Then, Result<Reply, Refusal>),
    /// A directory was read.
    Dir(PathBuf, Result<Vec<Found>, String>),
    /// A conversation was written to a file, or was not.
    Exported(Result<String, String>),
    /// Time has passed.
    Tick,
    /// The engine has ended.
    Stopped,
}

/// Something in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Whether it is a directory.
    pub dir: bool,
    /// Its size.
    pub bytes: u64,
}

/// What the screen wants done.
#[derive(Debug)]
pub enum Effect {
    /// Ask the engine.
    Ask(Command, Then),
    /// Ring the bell, and say this to the desktop.
    Notify(String),
    /// Put a text into the terminal's clipboard.
    Copy(String),
    /// List a directory; none: where the program was started.
    ReadDir(Option<PathBuf>),
    /// Write a conversation to a file.
    Export(Place, Format, PathBuf),
    /// Let the terminal report its mouse, or not.
    Mouse(bool),
    /// Draw everything anew.
    Redraw,
    /// End.
    Quit,
}

/// What an answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "update/reply.rs says what each does")]
pub enum Then {
    Nothing,
    Say(String),
    Status,
    Quit,
    Conversations,
    Rooms,
    Files,
    GroupInvites,
    History { place: Place, older: bool },
    Sent { place: Place, text: String },
    Named,
    Open,
    Invite,
    Invites,
    Words(String),
    Members(String, Members),
    Why,
    Search(String),
    Network,
    Mesh,
    Nearby,
    Settings(bool),
    Set(String),
    Link,
    NewName { old: Place, new: String },
    Gone(Place),
}

/// What a list of members is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    /// To look at.
    Show,
    /// To choose one who is removed.
    Remove,
    /// To choose one without whom the group goes on.
    Restart,
}

/// What the next text becomes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Compose {
    /// A message.
    #[default]
    New,
    /// An answer to this message.
    Reply(String),
    /// The new text of this message.
    Edit(String),
}

/// What one looks at on a narrow screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Pane {
    List,
    Talk,
}

/// What the list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Everything, the most recently active on top.
    Chats,
    /// Contacts by name.
    People,
}

/// A short remark at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// What it says.
    pub text: String,
    /// Whether something went wrong.
    pub bad: bool,
    /// When it goes, ms since the Unix epoch.
    pub until_ms: u64,
}

/// Where something on the screen can be clicked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Hit {
    Tab(Tab),
    Conversation(Place),
    Talk,
    Message(String),
    Accept(String),
    Refuse(String),
    Input,
    Act(Action),
    Item(usize),
    Button(usize),
    Dialog,
}

/// What drawing has found out.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    /// What can be clicked; later ones lie above earlier ones.
    pub hits: Vec<(Rect, Hit)>,
    /// Lines of the conversation that the screen shows.
    pub page: usize,
    /// Greatest useful scroll of the conversation, once its first line was laid out.
    pub top: Option<usize>,
    /// Rows of a dialog that fit, and rows that there are.
    pub rows: (usize, usize),
}

/// What a person has chosen about the screen itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefs {
    /// Colours.
    pub theme: Theme,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// Whether messages elsewhere ring.
    pub notify: bool,
}

/// What is to be asked again, and what is being asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stale {
    /// To be asked.
    pub wanted: bool,
    /// Being asked.
    pub asking: bool,
}

/// Everything that the screen shows.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct App {
    pub now_ms: u64,
    /// Where its user's clock hangs.
    pub zone: TimeZone,
    pub size: (u16, u16),
    pub focused: bool,
    pub colours: bool,
    pub prefs: Prefs,
    pub status: Option<Status>,
    pub words: String,
    pub conversations: Vec<ConversationView>,
    pub rooms: Vec<RoomView>,
    pub current: Option<Place>,
    pub logs: HashMap<Place, Log>,
    pub drafts: HashMap<Place, TextArea<'static>>,
    pub active: HashMap<Place, u64>,
    pub pane: Pane,
    pub tab: Tab,
    pub at: usize,
    pub input: TextArea<'static>,
    pub compose: Compose,
    pub history: Vec<String>,
    pub history_at: Option<usize>,
    pub dialogs: Vec<Dialog>,
    pub toast: Option<Toast>,
    pub files: Vec<FileView>,
    pub group_invites: Vec<GroupInviteView>,
    pub networks: Vec<NetworkView>,
    pub stale: BTreeMap<&'static str, Stale>,
    pub invite: Option<String>,
    pub leaving: bool,
    pub dirty: bool,
    pub drawn: Drawn,
}

impl App {
    /// A screen of this size that knows nothing yet.
    #[must_use]
    pub fn new(size: (u16, u16), colours: bool, now_ms: u64) -> App {
        App {
            now_ms,
            zone: TimeZone::UTC,
            size,
            focused: true,
            colours,
            prefs: Prefs { theme: Theme::Dark, mouse: true, notify: true },
            status: None,
            words: String::new(),
            conversations: Vec::new(),
            rooms: Vec::new(),
            current: None,
            logs: HashMap::new(),
            drafts: HashMap::new(),
            active: HashMap::new(),
            pane: Pane::List,
            tab: Tab::Chats,
            at: 0,
            input: field(""),
            compose: Compose::New,
            history: Vec::new(),
            history_at: None,
            dialogs: Vec::new(),
            toast: None,
            files: Vec::new(),
            group_invites: Vec::new(),
            networks: Vec::new(),
            stale: BTreeMap::new(),
            invite: None,
            leaving: false,
            dirty: true,
            drawn: Drawn::default(),
        }
    }

    /// What the user's clock showed at this time, as ms since the Unix epoch as if the clock hung
    /// in Greenwich.
    #[must_use]
    pub fn local(&self, ms: u64) -> u64 {
        let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let offset = at.map_or(0, |at| i64::from(self.zone.to_offset(at).seconds()));
        ms.saturating_add_signed(offset.saturating_mul(1_000))
    }

    /// The colours in use.
    #[must_use]
    pub const fn theme(&self) -> Theme {
        if self.colours { self.prefs.theme } else { Theme::Plain }
    }

    /// Whether there is room for one pane only.
    #[must_use]
    pub const fn narrow(&self) -> bool {
        self.size.0 < 70
    }

    /// The log of the open conversation.
    #[must_use]
    pub fn log(&self) -> Option<&Log> {
        self.logs.get(self.current.as_ref()?)
    }

    /// The same, to change it.
    pub fn log_mut(&mut self) -> Option<&mut Log> {
        self.logs.get_mut(self.current.as_ref()?)
    }

    /// The open contact or group.
    #[must_use]
    pub fn conversation(&self) -> Option<&ConversationView> {
        match self.current.as_ref()? {
            Place::Conversation(name) => self.conversations.iter().find(|c| c.name == *name),
            Place::Room(_) => None,
        }
    }

    /// The open room.
    #[must_use]
    pub fn room(&self) -> Option<&RoomView> {
        match self.current.as_ref()? {
            Place::Room(name) => self.rooms.iter().find(|r| r.name == *name),
            Place::Conversation(_) => None,
        }
    }

    /// The places of the list, in its order.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        if self.tab == Tab::People {
            let contacts = self.conversations.iter().filter(|c| c.kind == "contact");
            let mut names: Vec<&String> = contacts.map(|c| &c.name).collect();
            names.sort_by_key(|n| n.to_lowercase());
            return names.into_iter().map(|n| Place::Conversation(n.clone())).collect();
        }
        let conversations = self.conversations.iter().map(|c| Place::Conversation(c.name.clone()));
        let rooms = self.rooms.iter().map(|r| Place::Room(r.name.clone()));
        let mut all: Vec<Place> = conversations.chain(rooms).collect();
        all.sort_by(|a, b| self.last_active(b).cmp(&self.last_active(a)).then_with(|| a.cmp(b)));
        all
    }

    /// When something was last said there.
    #[must_use]
    pub fn last_active(&self, place: &Place) -> u64 {
        let said = match place {
            Place::Conversation(name) => {
                let found = self.conversations.iter().find(|c| c.name == *name);
                found.and_then(|c| c.newest.as_ref()).map_or(0, |m| m.received_ms.max(m.sent_ms))
            }
            Place::Room(_) => self
                .logs
                .get(place)
                .and_then(|l| l.lines.last())
                .map_or(0, |l| l.at_ms.min(self.now_ms)),
        };
        said.max(self.active.get(place).copied().unwrap_or(0))
    }

    /// How much is unread there.
    #[must_use]
    pub fn unseen(&self, place: &Place) -> u64 {
        match place {
            Place::Conversation(name) => {
                self.conversations.iter().find(|c| c.name == *name).map_or(0, |c| c.unseen)
            }
            Place::Room(name) => {
                self.rooms.iter().find(|r| r.name == *name).map_or(0, |r| r.unseen)
            }
        }
    }

    /// Shows a remark for a while.
    pub fn say(&mut self, text: impl Into<String>) {
        let until_ms = self.now_ms.saturating_add(6_000);
        self.toast = Some(Toast { text: text.into(), bad: false, until_ms });
    }

    /// Shows what went wrong.
    pub fn complain(&mut self, text: impl Into<String>) {
        let until_ms = self.now_ms.saturating_add(15_000);
        self.toast = Some(Toast { text: text.into(), bad: true, until_ms });
    }

    /// Lets something be asked again, soon.
    pub fn refresh(&mut self, what: &'static str) {
        self.stale.entry(what).or_default().wanted = true;
    }
}
