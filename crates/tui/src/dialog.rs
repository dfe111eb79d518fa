//! What lies above the conversation: lists to choose from, questions, pages.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use api::{ConversationId, InviteId, MessageId, Request, RoomId, SettingView, TransferId};
use ratatui_textarea::TextArea;
use text::Format;

use crate::ask;
use crate::cells;
use crate::keys::Action;
use crate::log::LineId;
use crate::state::{App, Effect, Place};
use crate::theme::Theme;

/// One of the things above the conversation.
#[derive(Debug, Clone)]
pub(crate) enum Dialog {
    /// A list, filtered by typing.
    Pick(Box<Pick>),
    /// A question with a line for the answer.
    Prompt(Box<Prompt>),
    /// A page to read, with buttons.
    Page(Page),
}

/// What choosing an item, or pressing a button, does.
#[derive(Debug, Clone)]
pub(crate) enum Press {
    /// Nothing more.
    Close,
    /// An action of the table.
    Act(Action),
    /// A step of the state, most often a question for the engine.
    Do(Do),
    /// A conversation is opened.
    Open(Place),
    /// A message in it is shown.
    Message(Place, LineId),
    /// A question follows.
    Prompt(Box<Prompt>),
    /// A page follows.
    Page(Box<Page>),
    /// A directory is listed, to pick a file for this conversation.
    Dir(ConversationId, PathBuf),
    /// A file is sent there.
    File(ConversationId, PathBuf),
    /// Other colours.
    Theme(Theme),
    /// A setting is changed.
    Setting(Box<SettingView>),
    /// A text goes to the terminal's clipboard.
    Copy(String),
    /// The program ends now.
    Quit,
}

type Change = dyn Fn(&mut App, &mut Vec<Effect>) + Send + Sync;

/// A step of the state that can be taken more than once.
#[derive(Clone)]
pub(crate) struct Do(Arc<Change>);

impl Do {
    /// Takes it.
    pub(crate) fn take(&self, app: &mut App, out: &mut Vec<Effect>) {
        (self.0)(app, out);
    }
}

impl fmt::Debug for Do {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Do")
    }
}

impl Press {
    /// Any step of the state.
    pub(crate) fn step(step: impl Fn(&mut App, &mut Vec<Effect>) + Send + Sync + 'static) -> Press {
        Press::Do(Do(Arc::new(step)))
    }

    /// The engine is asked; a refusal is shown.
    pub(crate) fn ask<R: Request + Clone + Sync>(
        request: R,
        then: impl Fn(&mut App, &mut Vec<Effect>, R::Reply) + Clone + Send + Sync + 'static,
    ) -> Press {
        Press::step(move |_, out| ask::ask(out, request.clone(), then.clone()))
    }

    /// The engine is asked, and this is said when it is done.
    pub(crate) fn ask_and_say<R: Request + Clone + Sync>(
        request: R,
        said: impl Into<String>,
    ) -> Press {
        let said = said.into();
        Press::step(move |_, out| ask::ask_and_say(out, request.clone(), said.clone()))
    }
}

/// A list.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    /// What it lists.
    pub(crate) title: String,
    /// A sentence above it.
    pub(crate) note: String,
    /// What was typed.
    pub(crate) filter: TextArea<'static>,
    /// All items.
    pub(crate) items: Vec<Item>,
    /// Which of the shown ones is chosen.
    pub(crate) at: usize,
    /// Where the items come from.
    pub(crate) source: Source,
}

/// Where the items of a list come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// They are all there.
    Fixed,
    /// The engine searches for what is typed.
    Search,
    /// A directory.
    Dir,
}

/// An item of a list.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// What it is.
    pub(crate) label: String,
    /// What else is to know.
    pub(crate) detail: String,
    /// What choosing it does.
    pub(crate) press: Press,
}

impl Item {
    /// An item.
    pub(crate) fn new(label: impl Into<String>, detail: impl Into<String>, press: Press) -> Item {
        Item { label: label.into(), detail: detail.into(), press }
    }
}

impl Pick {
    /// A list of these.
    pub(crate) fn new(title: impl Into<String>, note: impl Into<String>, items: Vec<Item>) -> Pick {
        let (title, note) = (title.into(), note.into());
        Pick { title, note, filter: field(""), items, at: 0, source: Source::Fixed }
    }

    /// The items that fit what was typed, best first.
    #[must_use]
    pub(crate) fn shown(&self) -> Vec<&Item> {
        let typed = text_of(&self.filter);
        if self.source == Source::Search || typed.is_empty() {
            return self.items.iter().collect();
        }
        let score = |item: &Item| {
            let label = cells::fuzzy(&typed, &item.label).map(|s| s + 10);
            label.max(cells::fuzzy(&typed, &item.detail))
        };
        let mut found: Vec<(i32, &Item)> =
            self.items.iter().filter_map(|i| score(i).map(|s| (s, i))).collect();
        found.sort_by_key(|(score, _)| -score);
        found.into_iter().map(|(_, item)| item).collect()
    }
}

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    /// What is asked.
    pub(crate) title: String,
    /// What to know before answering.
    pub(crate) note: String,
    /// The answer so far.
    pub(crate) input: TextArea<'static>,
    /// What is done with it.
    pub(crate) purpose: Purpose,
    /// Whether it can be left without an answer.
    pub(crate) must: bool,
}

impl Prompt {
    /// A question with an answer to begin with.
    pub(crate) fn new(
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
#[allow(missing_docs, reason = "each becomes one request")]
pub(crate) enum Purpose {
    /// The first thing that is asked: the user's name.
    FirstName,
    Name,
    AcceptInvite,
    JoinRoom,
    NewRoom,
    NewGroup,
    OwnName(ConversationId),
    GroupTitle(ConversationId),
    Timer(ConversationId),
    Nick(RoomId),
    React(ConversationId, MessageId),
    Setting(String),
    ExportFile(Place, Format),
}

/// A page.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// What it is about.
    pub(crate) title: String,
    /// What is to read.
    pub(crate) rows: Vec<Row>,
    /// First row that is shown.
    pub(crate) scroll: usize,
    /// Buttons at the bottom.
    pub(crate) buttons: Vec<Button>,
    /// Which of them Enter presses.
    pub(crate) focus: usize,
    /// What refreshes it.
    pub(crate) live: Live,
}

/// What refreshes a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Live {
    Never,
    Network,
    Mesh,
    Transfer(TransferId),
    /// An invite; none while it is being created.
    Invite(Option<InviteId>),
}

/// A row of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
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
    /// How much of a file is through: bytes, and bytes in all.
    Bar(u64, u64),
    /// Nothing.
    Blank,
}

/// A button of a page.
#[derive(Debug, Clone)]
pub(crate) struct Button {
    /// What it says.
    pub(crate) label: String,
    /// What it does.
    pub(crate) press: Press,
}

impl Button {
    /// A button.
    pub(crate) fn new(label: impl Into<String>, press: Press) -> Button {
        Button { label: label.into(), press }
    }
}

impl Page {
    /// A page to read.
    pub(crate) fn new(title: impl Into<String>, rows: Vec<Row>, buttons: Vec<Button>) -> Page {
        Page { title: title.into(), rows, scroll: 0, buttons, focus: 0, live: Live::Never }
    }

    /// The same, kept up to date.
    #[must_use]
    pub(crate) fn live(mut self, live: Live) -> Page {
        self.live = live;
        self
    }
}

/// A line to type into.
#[must_use]
pub(crate) fn field(text: &str) -> TextArea<'static> {
    let mut field = TextArea::new(text.split('\n').map(str::to_owned).collect());
    field.set_cursor_line_style(ratatui::style::Style::new());
    field.set_wrap_mode(ratatui_textarea::WrapMode::WordOrGlyph);
    field.move_cursor(ratatui_textarea::CursorMove::Bottom);
    field.move_cursor(ratatui_textarea::CursorMove::End);
    field
}

/// What was typed into it.
#[must_use]
pub(crate) fn text_of(field: &TextArea<'_>) -> String {
    field.lines().join("\n")
}
