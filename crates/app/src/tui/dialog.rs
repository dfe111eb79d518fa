//! What lies above the conversation: lists to choose from, questions, pages.

use std::path::PathBuf;

use ratatui_textarea::TextArea;

use super::keys::Action;
use super::state::{Place, Then};
use super::theme::Theme;
use crate::cli::args_profile::Format;
use crate::engine::profile::{Command, SettingView};

/// One of the things above the conversation.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// A list, filtered by typing.
    Pick(Box<Pick>),
    /// A question with a line for the answer.
    Prompt(Box<Prompt>),
    /// A page to read, with buttons.
    Page(Page),
}

/// What choosing an item, or pressing a button, does.
#[derive(Debug, Clone)]
pub enum Press {
    /// Nothing more.
    Close,
    /// An action of the table.
    Act(Action),
    /// The engine is asked.
    Ask(Box<Command>, Then),
    /// A conversation is opened.
    Open(Place),
    /// A message in it is shown.
    Message(Place, String),
    /// A question follows.
    Prompt(Box<Prompt>),
    /// A page follows.
    Page(Box<Page>),
    /// A directory is listed.
    Dir(PathBuf),
    /// A file is sent.
    File(PathBuf),
    /// Other colours.
    Theme(Theme),
    /// A setting is changed.
    Setting(Box<SettingView>),
    /// A text goes to the terminal's clipboard.
    Copy(String),
    /// The program ends now.
    Quit,
}

/// A list.
#[derive(Debug, Clone)]
pub struct Pick {
    /// What it lists.
    pub title: String,
    /// A sentence above it.
    pub note: String,
    /// What was typed.
    pub filter: TextArea<'static>,
    /// All items.
    pub items: Vec<Item>,
    /// Which of the shown ones is chosen.
    pub at: usize,
    /// Where the items come from.
    pub source: Source,
}

/// Where the items of a list come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// They are all there.
    Fixed,
    /// The engine searches for what is typed.
    Search,
    /// A directory.
    Dir(PathBuf),
    /// An answer of the engine that is still to come, or was given.
    Asked,
}

/// An item of a list.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub label: String,
    /// What else is to know.
    pub detail: String,
    /// What choosing it does.
    pub press: Press,
}

impl Item {
    /// An item.
    pub fn new(label: impl Into<String>, detail: impl Into<String>, press: Press) -> Item {
        Item { label: label.into(), detail: detail.into(), press }
    }
}

impl Pick {
    /// A list of these.
    pub fn new(title: impl Into<String>, note: impl Into<String>, items: Vec<Item>) -> Pick {
        let (title, note) = (title.into(), note.into());
        Pick { title, note, filter: field(""), items, at: 0, source: Source::Fixed }
    }

    /// The items that fit what was typed, best first.
    #[must_use]
    pub fn shown(&self) -> Vec<&Item> {
        let typed = text_of(&self.filter);
        if self.source == Source::Search || typed.is_empty() {
            return self.items.iter().collect();
        }
        let score = |item: &Item| {
            let label = super::text::fuzzy(&typed, &item.label).map(|s| s + 10);
            label.max(super::text::fuzzy(&typed, &item.detail))
        };
        let mut found: Vec<(i32, &Item)> =
            self.items.iter().filter_map(|i| score(i).map(|s| (s, i))).collect();
        found.sort_by_key(|(score, _)| -score);
        found.into_iter().map(|(_, item)| item).collect()
    }
}

/// A question.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What is asked.
    pub title: String,
    /// What to know before answering.
    pub note: String,
    /// The answer so far.
    pub input: TextArea<'static>,
    /// What is done with it.
    pub purpose: Purpose,
    /// Whether it can be left without an answer.
    pub must: bool,
}

impl Prompt {
    /// A question with an answer to begin with.
    pub fn new(
        title: impl Into<String>,
        note: impl Into<String>,
        answer: &str,
        purpose: Purpose,
    ) -> Prompt {
        Prompt {
            title: title.into(),
            note: note.into(),
            input: field(answer),
            purpose,
            must: false,
        }
    }
}

/// What is done with the answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each becomes one command of the engine")]
pub enum Purpose {
    /// The first thing that is asked: our name.
    FirstName,
    Name,
    AcceptInvite,
    JoinRoom,
    NewRoom,
    NewGroup,
    Rename(String),
    GroupTitle(String),
    Timer(String),
    Nick(String),
    React(String, String),
    Setting(String),
    ExportFile(Place, Format),
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// What it is about.
    pub title: String,
    /// What is to read.
    pub rows: Vec<Row>,
    /// First row that is shown.
    pub scroll: usize,
    /// Buttons at the bottom.
    pub buttons: Vec<Button>,
    /// Which of them Enter presses.
    pub focus: usize,
    /// What refreshes it.
    pub live: Live,
}

/// What refreshes a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Live {
    Never,
    Network,
    Mesh,
    Transfers,
    Invite,
}

/// A row of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A text.
    Text(String),
    /// Something less important.
    Dim(String),
    /// The head of what follows.
    Head(String),
    /// A name and what it stands for.
    Pair(String, String),
    /// A link: broken anywhere, nothing beside it, so that it can be copied.
    Link(String),
    /// Words to compare.
    Words(String),
    /// Lines of a QR code.
    Qr(Vec<String>),
    /// How much of a file is through.
    Bar(String, u64, u64),
    /// Nothing.
    Blank,
}

/// A button of a page.
#[derive(Debug, Clone)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// What it does.
    pub press: Press,
}

impl Button {
    /// A button.
    pub fn new(label: impl Into<String>, press: Press) -> Button {
        Button { label: label.into(), press }
    }
}

impl Page {
    /// A page to read.
    pub fn new(title: impl Into<String>, rows: Vec<Row>, buttons: Vec<Button>) -> Page {
        Page { title: title.into(), rows, scroll: 0, buttons, focus: 0, live: Live::Never }
    }

    /// The same, kept up to date.
    #[must_use]
    pub fn live(mut self, live: Live) -> Page {
        self.live = live;
        self
    }
}

/// A line to type into.
#[must_use]
pub fn field(text: &str) -> TextArea<'static> {
    let mut field = TextArea::new(text.split('\n').map(str::to_owned).collect());
    field.set_cursor_line_style(ratatui::style::Style::new());
    field.set_wrap_mode(ratatui_textarea::WrapMode::WordOrGlyph);
    field.move_cursor(ratatui_textarea::CursorMove::Bottom);
    field.move_cursor(ratatui_textarea::CursorMove::End);
    field
}

/// What was typed into it.
#[must_use]
pub fn text_of(field: &TextArea<'_>) -> String {
    field.lines().join("\n")
}
