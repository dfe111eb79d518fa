//! What the screen shows, as plain data.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use api::{
    ConversationId, ConversationKind, ConversationView, Event, FileView, GroupInviteView,
    MessageId, NetworkView, Refusal, RoomId, RoomView, Status, TransferId,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;
use ratatui_textarea::TextArea;
use text::Format;

use crate::ask::{Question, Step};
use crate::dialog::{Dialog, field};
use crate::hint::hint;
use crate::keys::Action;
use crate::log::{LineId, Log};
use crate::theme::Theme;

/// Where something is said. Never known by its name: that may be another at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// With a contact, or in a group.
    Conversation(ConversationId),
    /// In an open room.
    Room(RoomId),
}

/// What happens to the screen.
#[derive(Debug)]
pub(crate) enum Input {
    /// The terminal has something.
    Terminal(crossterm::event::Event),
    /// The engine tells something.
    Event(Box<Event>),
    /// The engine has answered a question.
    Answered(Step),
    /// A directory was read, to pick a file for this conversation.
    Dir(ConversationId, PathBuf, Result<Vec<Found>, String>),
    /// A conversation was written to a file, or was not.
    Exported(Result<String, String>),
    /// Time has passed.
    Tick,
    /// The engine has ended.
    Stopped,
}

/// Something in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is a directory.
    pub(crate) dir: bool,
    /// Its size, bytes.
    pub(crate) bytes: u64,
}

/// What the screen wants done.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Ask the engine.
    Ask(Question),
    /// Ring the bell, and say this to the desktop.
    Notify(String),
    /// Put a text into the terminal's clipboard.
    Copy(String),
    /// List a directory, to pick a file for this conversation; none: where the program was started.
    ReadDir(ConversationId, Option<PathBuf>),
    /// Write a conversation to a file, under this title.
    Export(Place, String, Format, PathBuf),
    /// Let the terminal report its mouse, or not.
    Mouse(bool),
    /// Draw the whole screen again.
    Redraw,
    /// End.
    Quit,
}

/// What the engine knows, and is asked for again when it may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Fact {
    Status,
    Conversations,
    Rooms,
    Files,
    GroupInvites,
}

impl Fact {
    /// All of them.
    pub(crate) const ALL: [Fact; 5] =
        [Fact::Status, Fact::Conversations, Fact::Rooms, Fact::Files, Fact::GroupInvites];
}

/// What a list of members is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MembersFor {
    /// To choose one who is removed.
    Remove,
    /// To choose one without whom the group continues.
    Restart,
}

/// What the next text becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Compose {
    /// A message.
    #[default]
    New,
    /// An answer to this message.
    Reply(MessageId),
    /// The new text of this message.
    Edit(MessageId),
}

/// A text that was begun and left.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The text.
    pub(crate) text: TextArea<'static>,
    /// What it becomes.
    pub(crate) compose: Compose,
}

/// What one looks at on a narrow screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Pane {
    List,
    Talk,
}

/// What the list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// Everything, the most recently active on top.
    Chats,
    /// Contacts by name.
    People,
}

/// A short remark at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    /// What it says.
    pub(crate) text: String,
    /// Whether something went wrong.
    pub(crate) bad: bool,
    /// When it goes, ms since the Unix epoch.
    pub(crate) until_ms: u64,
}

/// Where something on the screen can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Hit {
    Tab(Tab),
    Conversation(Place),
    Talk,
    Message(LineId),
    Accept(TransferId),
    Decline(TransferId),
    Input,
    Act(Action),
    Item(usize),
    Button(usize),
    Dialog,
}

/// What drawing has found out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawn {
    /// What can be clicked; later ones lie above earlier ones.
    pub(crate) hits: Vec<(Rect, Hit)>,
    /// Lines of the conversation that the screen shows.
    pub(crate) page: usize,
    /// Greatest useful scroll of the conversation, once its first line was laid out.
    pub(crate) top: Option<usize>,
    /// Rows of a dialog that fit, and rows that there are.
    pub(crate) rows: (usize, usize),
}

/// What a person has chosen about the screen itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefs {
    /// Colours.
    pub(crate) theme: Theme,
    /// Whether the mouse is used.
    pub(crate) mouse: bool,
    /// Whether messages elsewhere ring.
    pub(crate) notify: bool,
}

/// Whether something is to be asked again, and whether it is being asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stale {
    /// To be asked.
    pub(crate) wanted: bool,
    /// Being asked.
    pub(crate) asking: bool,
}

/// Everything that the screen shows.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) struct App {
    pub(crate) now_ms: u64,
    /// The user's time zone.
    pub(crate) zone: TimeZone,
    pub(crate) size: (u16, u16),
    pub(crate) focused: bool,
    pub(crate) colours: bool,
    pub(crate) prefs: Prefs,
    pub(crate) status: Option<Status>,
    /// How the connection stands, in words.
    pub(crate) connection: String,
    pub(crate) conversations: Vec<ConversationView>,
    pub(crate) rooms: Vec<RoomView>,
    /// What conversations are called that are not listed yet.
    pub(crate) labels: HashMap<ConversationId, String>,
    pub(crate) current: Option<Place>,
    /// Whether a conversation was ever open: the first one opens without being asked for, no other.
    pub(crate) begun: bool,
    pub(crate) logs: HashMap<Place, Log>,
    pub(crate) drafts: HashMap<Place, Draft>,
    pub(crate) active: HashMap<Place, u64>,
    pub(crate) pane: Pane,
    pub(crate) tab: Tab,
    /// What is selected in the list.
    pub(crate) at: Option<Place>,
    pub(crate) input: TextArea<'static>,
    pub(crate) compose: Compose,
    /// Texts that were sent, for Up and Down.
    pub(crate) sent: Vec<String>,
    pub(crate) sent_at: Option<usize>,
    pub(crate) dialogs: Vec<Dialog>,
    pub(crate) toast: Option<Toast>,
    pub(crate) files: Vec<FileView>,
    pub(crate) group_invites: Vec<GroupInviteView>,
    pub(crate) networks: Vec<NetworkView>,
    pub(crate) stale: BTreeMap<Fact, Stale>,
    /// A link that is accepted once there is a name.
    pub(crate) invite: Option<String>,
    pub(crate) leaving: bool,
    pub(crate) dirty: bool,
    pub(crate) drawn: Drawn,
}

impl App {
    /// A screen of this size that knows nothing yet.
    #[must_use]
    pub(crate) fn new(size: (u16, u16), colours: bool, now_ms: u64) -> App {
        App {
            now_ms,
            zone: TimeZone::UTC,
            size,
            focused: true,
            colours,
            prefs: Prefs { theme: Theme::Dark, mouse: true, notify: true },
            status: None,
            connection: String::new(),
            conversations: Vec::new(),
            rooms: Vec::new(),
            labels: HashMap::new(),
            current: None,
            begun: false,
            logs: HashMap::new(),
            drafts: HashMap::new(),
            active: HashMap::new(),
            pane: Pane::List,
            tab: Tab::Chats,
            at: None,
            input: field(""),
            compose: Compose::New,
            sent: Vec::new(),
            sent_at: None,
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

    /// This time on the user's clock, as ms since the Unix epoch as if that clock showed UTC.
    #[must_use]
    pub(crate) fn local(&self, ms: u64) -> u64 {
        let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let offset = at.map_or(0, |at| i64::from(self.zone.to_offset(at).seconds()));
        ms.saturating_add_signed(offset.saturating_mul(1_000))
    }

    /// The colours in use.
    #[must_use]
    pub(crate) const fn theme(&self) -> Theme {
        if self.colours { self.prefs.theme } else { Theme::Plain }
    }

    /// Whether there is room for one pane only.
    #[must_use]
    pub(crate) const fn narrow(&self) -> bool {
        self.size.0 < 70
    }

    /// Whether the keys move in the list.
    #[must_use]
    pub(crate) fn in_list(&self) -> bool {
        self.current.is_none() || (self.narrow() && self.pane == Pane::List)
    }

    /// The log of the open conversation.
    #[must_use]
    pub(crate) fn log(&self) -> Option<&Log> {
        self.logs.get(&self.current?)
    }

    /// The same, to change it.
    pub(crate) fn log_mut(&mut self) -> Option<&mut Log> {
        self.logs.get_mut(&self.current?)
    }

    /// What is known of a contact or group.
    #[must_use]
    pub(crate) fn view(&self, id: ConversationId) -> Option<&ConversationView> {
        self.conversations.iter().find(|c| c.id == id)
    }

    /// What is known of a room.
    #[must_use]
    pub(crate) fn room_view(&self, id: RoomId) -> Option<&RoomView> {
        self.rooms.iter().find(|r| r.id == id)
    }

    /// The open contact or group.
    #[must_use]
    pub(crate) fn conversation(&self) -> Option<&ConversationView> {
        match self.current? {
            Place::Conversation(id) => self.view(id),
            Place::Room(_) => None,
        }
    }

    /// The open room.
    #[must_use]
    pub(crate) fn room(&self) -> Option<&RoomView> {
        match self.current? {
            Place::Room(id) => self.room_view(id),
            Place::Conversation(_) => None,
        }
    }

    /// What a place is called now: to be drawn, and for nothing else.
    #[must_use]
    pub(crate) fn label(&self, place: Place) -> String {
        let known = match place {
            Place::Conversation(id) => {
                self.view(id).map(|c| &c.label).or_else(|| self.labels.get(&id))
            }
            Place::Room(id) => self.room_view(id).map(|r| &r.label),
        };
        known.cloned().unwrap_or_else(|| match place {
            Place::Conversation(id) => format!("~{}", id.short()),
            Place::Room(id) => format!("~{}", id.short()),
        })
    }

    /// A conversation is called so now.
    pub(crate) fn learn_label(&mut self, id: ConversationId, label: &str) {
        match self.conversations.iter_mut().find(|c| c.id == id) {
            Some(view) => label.clone_into(&mut view.label),
            None => drop(self.labels.insert(id, label.to_owned())),
        }
    }

    /// The places of the list, in its order.
    #[must_use]
    pub(crate) fn places(&self) -> Vec<Place> {
        let by_label = |place: &Place| (self.label(*place).to_lowercase(), *place);
        if self.tab == Tab::People {
            let contacts =
                self.conversations.iter().filter(|c| c.kind == ConversationKind::Contact);
            let mut all: Vec<Place> = contacts.map(|c| Place::Conversation(c.id)).collect();
            all.sort_by_cached_key(by_label);
            return all;
        }
        let conversations = self.conversations.iter().map(|c| Place::Conversation(c.id));
        let rooms = self.rooms.iter().map(|r| Place::Room(r.id));
        let mut all: Vec<Place> = conversations.chain(rooms).collect();
        all.sort_by_cached_key(|p| (std::cmp::Reverse(self.last_active(*p)), by_label(p)));
        all
    }

    /// The row of the list that is selected.
    #[must_use]
    pub(crate) fn row(&self, places: &[Place]) -> usize {
        self.at.and_then(|at| places.iter().position(|p| *p == at)).unwrap_or(0)
    }

    /// Selects this row of the list, or the last one.
    pub(crate) fn select_row(&mut self, row: usize) {
        let places = self.places();
        self.at = places.get(row).or(places.last()).copied();
    }

    /// When something was last said there.
    #[must_use]
    pub(crate) fn last_active(&self, place: Place) -> u64 {
        let said = match place {
            Place::Conversation(id) => {
                let newest = self.view(id).and_then(|c| c.newest.as_ref());
                newest.map_or(0, |m| m.received_ms.max(m.sent_ms))
            }
            Place::Room(_) => self
                .logs
                .get(&place)
                .and_then(|l| l.lines.last())
                .map_or(0, |l| l.at_ms.min(self.now_ms)),
        };
        said.max(self.active.get(&place).copied().unwrap_or(0))
    }

    /// How much is unread there.
    #[must_use]
    pub(crate) fn unseen(&self, place: Place) -> u64 {
        match place {
            Place::Conversation(id) => self.view(id).map_or(0, |c| c.unseen),
            Place::Room(id) => self.room_view(id).map_or(0, |r| r.unseen),
        }
    }

    /// Shows a remark for a while.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        let until_ms = self.now_ms.saturating_add(6_000);
        self.toast = Some(Toast { text: text.into(), bad: false, until_ms });
    }

    /// Shows what went wrong.
    pub(crate) fn complain(&mut self, text: impl Into<String>) {
        let until_ms = self.now_ms.saturating_add(15_000);
        self.toast = Some(Toast { text: text.into(), bad: true, until_ms });
    }

    /// Shows why something was refused, and what to do about it.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        match hint(refusal) {
            Some(hint) => self.complain(format!("{} — {hint}", refusal.text)),
            None => self.complain(refusal.text.clone()),
        }
    }

    /// Lets something be asked again, soon.
    pub(crate) fn refresh(&mut self, what: Fact) {
        self.stale.entry(what).or_default().wanted = true;
    }
}
