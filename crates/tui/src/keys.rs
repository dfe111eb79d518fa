//! One table of keys: the screen dispatches by it, and the help shows it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::dialog::Row;

/// Where an action makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Everywhere.
    Nothing,
    /// With a conversation or room open.
    Talk,
    /// With a contact or group open.
    Conversation,
    /// With a contact open.
    Contact,
    /// With a group open.
    Group,
    /// With a room open.
    Room,
    /// With a message selected.
    Message,
    /// Only by a key: the palette does not list it.
    Key,
}

macro_rules! actions {
    ($($name:ident: $needs:ident, $title:literal;)+) => {
        /// What a person can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the titles say it")]
        pub(crate) enum Action { $($name),+ }

        impl Action {
            /// All of them.
            pub(crate) const ALL: &'static [Action] = &[$(Action::$name),+];

            /// What it is called in the palette and in the help.
            #[must_use]
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Action::$name => $title),+ }
            }

            /// Where it makes sense.
            #[must_use]
            pub(crate) const fn needs(self) -> Needs {
                match self { $(Action::$name => Needs::$needs),+ }
            }
        }
    };
}

actions! {
    Palette: Key, "Command palette";
    Help: Nothing, "Help";
    Search: Nothing, "Search all messages";
    NextUnread: Nothing, "Next unread conversation";
    Next: Key, "Next conversation";
    Previous: Key, "Previous conversation";
    Jump: Key, "The first … ninth conversation of the list";
    Back: Key, "Back (on a narrow screen: to the list)";
    Enter: Key, "Send, open the selection, or press the button";
    Newline: Key, "New line in the text";
    Up: Key, "Previous text you sent (with empty input); up";
    Down: Key, "Later text that you sent; down";
    PageUp: Key, "Scroll back";
    PageDown: Key, "Scroll forward";
    Top: Key, "To the top";
    Bottom: Key, "To the newest message";
    ChooseUp: Key, "Select the message above";
    ChooseDown: Key, "Select the message below";
    NextButton: Key, "Next button";
    PreviousButton: Key, "Previous button";
    Tabs: Nothing, "List: chats or people";
    Reply: Message, "Reply to the selected message";
    Edit: Message, "Edit the selected message";
    Delete: Message, "Delete the selected message (your own for everyone, others' only here)";
    React: Message, "React to the selected message";
    Cancel: Message, "Cancel the selected message, if it has not left";
    Why: Message, "Why is the selected message not delivered?";
    Fetch: Message, "Accept the selected file";
    Decline: Message, "Decline the selected file, or cancel its transfer";
    Copy: Message, "Copy the selected message's text";
    SendFile: Conversation, "Send a file";
    Transfers: Nothing, "File transfers";
    Invite: Nothing, "Invite somebody (link and QR code)";
    AcceptInvite: Nothing, "Accept an invite";
    Invites: Nothing, "Invites you created";
    Words: Contact, "Compare safety words";
    Routes: Conversation, "Allowed routes";
    Timer: Conversation, "Disappearing messages";
    Rename: Conversation, "Rename (only you see it)";
    Export: Talk, "Export to a file";
    Refresh: Conversation, "Refresh keys";
    CheckOn: Conversation, "Check for members who need to be re-added";
    People: Talk, "Members";
    NewGroup: Nothing, "New group";
    GroupInvite: Group, "Invite a contact into this group";
    GroupRemove: Group, "Remove a member";
    GroupTitle: Group, "Rename the group for all";
    GroupRestart: Group, "Continue without a member who stalls the group";
    GroupInvites: Nothing, "Invitations to groups";
    Leave: Talk, "Leave";
    Forget: Conversation, "Delete this conversation and its history here";
    JoinRoom: Nothing, "Join an open room";
    NewRoom: Nothing, "New open room";
    RoomLink: Room, "Link into this room (and QR code)";
    RoomNick: Room, "Your name in this room";
    RoomMute: Room, "Mute somebody for everyone (owner)";
    RoomRoute: Room, "Route to this room";
    RoomCircuits: Room, "New Tor circuits for this room";
    RoomRekey: Room, "New keys: all other links stop working (owner)";
    Network: Nothing, "Network: routes, relays, cover traffic";
    Mesh: Nothing, "Local network: who is nearby";
    Show: Nothing, "Make yourself visible on the local network";
    Settings: Nothing, "Settings";
    Theme: Nothing, "Colours";
    Mouse: Nothing, "Mouse on or off";
    Notify: Nothing, "Notifications on or off";
    Name: Nothing, "Your name";
    Redraw: Key, "Redraw the screen";
    Quit: Nothing, "Quit";
}

/// Where keys are pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// Everywhere.
    Any,
    /// In the conversation.
    Talk,
    /// There, with nothing typed.
    Empty,
    /// There, with nothing typed, or with an earlier text that was not changed.
    Recall,
    /// There, with a message chosen and nothing typed.
    Chosen,
    /// In the list of a narrow screen, or before a conversation is open.
    List,
    /// In a list to choose from.
    Pick,
    /// In a question.
    Prompt,
    /// On a page.
    Page,
}

impl Context {
    /// All of them, with their heads in the help.
    pub(crate) const ALL: [(Context, &'static str); 9] = [
        (Context::Any, "Everywhere"),
        (Context::Talk, "In a conversation"),
        (Context::Empty, "With empty input"),
        (Context::Recall, "With empty input, or an earlier text"),
        (Context::Chosen, "With a message selected"),
        (Context::List, "In the list (narrow screens)"),
        (Context::Pick, "In a picker (type to filter)"),
        (Context::Prompt, "In a question"),
        (Context::Page, "On a page"),
    ];
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chord {
    code: Code,
    with: KeyModifiers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Key(KeyCode),
    /// 1 to 9.
    Digit,
}

const fn key(code: KeyCode) -> Chord {
    Chord { code: Code::Key(code), with: KeyModifiers::NONE }
}

const fn letter(c: char) -> Chord {
    key(KeyCode::Char(c))
}

const fn ctrl(c: char) -> Chord {
    Chord { code: Code::Key(KeyCode::Char(c)), with: KeyModifiers::CONTROL }
}

const fn alt(code: KeyCode) -> Chord {
    Chord { code: Code::Key(code), with: KeyModifiers::ALT }
}

const fn ctrl_key(code: KeyCode) -> Chord {
    Chord { code: Code::Key(code), with: KeyModifiers::CONTROL }
}

const ALT_DIGIT: Chord = Chord { code: Code::Digit, with: KeyModifiers::ALT };

impl Chord {
    fn fits(self, event: &KeyEvent) -> bool {
        let mut with =
            event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match event.code {
            // A letter says by itself whether Shift was held.
            KeyCode::Char(c) => {
                with.remove(KeyModifiers::SHIFT);
                KeyCode::Char(if with.is_empty() { c } else { c.to_ascii_lowercase() })
            }
            code => code,
        };
        let fits = match self.code {
            Code::Key(wanted) => code == wanted,
            Code::Digit => matches!(code, KeyCode::Char('1'..='9')),
        };
        fits && with == self.with
    }

    /// What is written on the keys.
    #[must_use]
    pub(crate) fn label(self) -> String {
        let mut label = String::new();
        if self.with.contains(KeyModifiers::CONTROL) {
            label.push_str("Ctrl+");
        }
        if self.with.contains(KeyModifiers::ALT) {
            label.push_str("Alt+");
        }
        match self.code {
            Code::Digit => label.push_str("1…9"),
            Code::Key(KeyCode::Char(' ')) => label.push_str("Space"),
            Code::Key(KeyCode::Char(c)) if !self.with.is_empty() => {
                label.push(c.to_ascii_uppercase());
            }
            Code::Key(KeyCode::Char(c)) => label.push(c),
            Code::Key(KeyCode::F(n)) => label.push_str(&format!("F{n}")),
            Code::Key(KeyCode::Left) => label.push('←'),
            Code::Key(KeyCode::Right) => label.push('→'),
            Code::Key(KeyCode::Up) => label.push('↑'),
            Code::Key(KeyCode::Down) => label.push('↓'),
            Code::Key(KeyCode::PageUp) => label.push_str("PgUp"),
            Code::Key(KeyCode::PageDown) => label.push_str("PgDn"),
            Code::Key(KeyCode::BackTab) => label.push_str("Shift+Tab"),
            Code::Key(other) => label.push_str(&format!("{other:?}")),
        }
        label
    }

    /// A press of it; of a digit: the 4.
    #[cfg(test)]
    pub(crate) fn event(self) -> KeyEvent {
        match self.code {
            Code::Key(code) => KeyEvent::new(code, self.with),
            Code::Digit => KeyEvent::new(KeyCode::Char('4'), self.with),
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    /// Where it counts.
    pub(crate) context: Context,
    /// Each of these does it.
    pub(crate) chords: &'static [Chord],
    /// What it does.
    pub(crate) action: Action,
}

const fn bind(context: Context, chords: &'static [Chord], action: Action) -> Binding {
    Binding { context, chords, action }
}

/// All keys.
pub(crate) const KEYS: &[Binding] = &[
    bind(Context::Any, &[key(KeyCode::F(1))], Action::Help),
    bind(Context::Any, &[ctrl('k')], Action::Palette),
    bind(Context::Any, &[ctrl('q'), ctrl('c')], Action::Quit),
    bind(Context::Any, &[ctrl('l')], Action::Redraw),
    bind(Context::Talk, &[key(KeyCode::Enter)], Action::Enter),
    bind(Context::Talk, &[alt(KeyCode::Enter), ctrl('j')], Action::Newline),
    bind(Context::Talk, &[key(KeyCode::Esc)], Action::Back),
    bind(Context::Talk, &[key(KeyCode::PageUp)], Action::PageUp),
    bind(Context::Talk, &[key(KeyCode::PageDown)], Action::PageDown),
    bind(Context::Talk, &[ctrl_key(KeyCode::Home)], Action::Top),
    bind(Context::Talk, &[ctrl_key(KeyCode::End)], Action::Bottom),
    bind(Context::Talk, &[alt(KeyCode::Up)], Action::ChooseUp),
    bind(Context::Talk, &[alt(KeyCode::Down)], Action::ChooseDown),
    bind(Context::Talk, &[alt(KeyCode::Right)], Action::Next),
    bind(Context::Talk, &[alt(KeyCode::Left)], Action::Previous),
    bind(Context::Talk, &[ALT_DIGIT], Action::Jump),
    bind(Context::Talk, &[alt(KeyCode::Char('a'))], Action::NextUnread),
    bind(Context::Talk, &[ctrl('f')], Action::Search),
    bind(Context::Talk, &[ctrl('o')], Action::SendFile),
    bind(Context::Talk, &[key(KeyCode::F(2))], Action::Tabs),
    bind(Context::Talk, &[key(KeyCode::F(3))], Action::People),
    bind(Context::Talk, &[key(KeyCode::F(4))], Action::Routes),
    bind(Context::Talk, &[key(KeyCode::F(5))], Action::Network),
    bind(Context::Talk, &[key(KeyCode::F(6))], Action::Mesh),
    bind(Context::Talk, &[key(KeyCode::F(7))], Action::Transfers),
    bind(Context::Talk, &[key(KeyCode::F(8))], Action::Settings),
    bind(Context::Empty, &[letter('?')], Action::Help),
    bind(Context::Recall, &[key(KeyCode::Up)], Action::Up),
    bind(Context::Recall, &[key(KeyCode::Down)], Action::Down),
    bind(Context::Chosen, &[letter('r')], Action::Reply),
    bind(Context::Chosen, &[letter('e')], Action::Edit),
    bind(Context::Chosen, &[letter('d')], Action::Delete),
    bind(Context::Chosen, &[letter('+')], Action::React),
    bind(Context::Chosen, &[letter('c')], Action::Cancel),
    bind(Context::Chosen, &[letter('w')], Action::Why),
    bind(Context::Chosen, &[letter('a')], Action::Fetch),
    bind(Context::Chosen, &[letter('x')], Action::Decline),
    bind(Context::Chosen, &[letter('y')], Action::Copy),
    bind(Context::List, &[key(KeyCode::Enter)], Action::Enter),
    bind(Context::List, &[key(KeyCode::Up)], Action::Up),
    bind(Context::List, &[key(KeyCode::Down)], Action::Down),
    bind(Context::List, &[key(KeyCode::PageUp)], Action::PageUp),
    bind(Context::List, &[key(KeyCode::PageDown)], Action::PageDown),
    bind(Context::List, &[key(KeyCode::Esc)], Action::Back),
    bind(Context::List, &[letter('?')], Action::Help),
    bind(Context::List, &[alt(KeyCode::Right)], Action::Next),
    bind(Context::List, &[alt(KeyCode::Left)], Action::Previous),
    bind(Context::List, &[ALT_DIGIT], Action::Jump),
    bind(Context::List, &[alt(KeyCode::Char('a'))], Action::NextUnread),
    bind(Context::List, &[ctrl('f')], Action::Search),
    bind(Context::List, &[key(KeyCode::F(2)), key(KeyCode::Tab)], Action::Tabs),
    bind(Context::List, &[key(KeyCode::F(5))], Action::Network),
    bind(Context::List, &[key(KeyCode::F(6))], Action::Mesh),
    bind(Context::List, &[key(KeyCode::F(7))], Action::Transfers),
    bind(Context::List, &[key(KeyCode::F(8))], Action::Settings),
    bind(Context::Pick, &[key(KeyCode::Enter)], Action::Enter),
    bind(Context::Pick, &[key(KeyCode::Up)], Action::Up),
    bind(Context::Pick, &[key(KeyCode::Down)], Action::Down),
    bind(Context::Pick, &[key(KeyCode::PageUp)], Action::PageUp),
    bind(Context::Pick, &[key(KeyCode::PageDown)], Action::PageDown),
    bind(Context::Pick, &[key(KeyCode::Esc)], Action::Back),
    bind(Context::Prompt, &[key(KeyCode::Enter)], Action::Enter),
    bind(Context::Prompt, &[key(KeyCode::Esc)], Action::Back),
    bind(Context::Page, &[key(KeyCode::Enter)], Action::Enter),
    bind(Context::Page, &[key(KeyCode::Up)], Action::Up),
    bind(Context::Page, &[key(KeyCode::Down)], Action::Down),
    bind(Context::Page, &[key(KeyCode::PageUp)], Action::PageUp),
    bind(Context::Page, &[key(KeyCode::PageDown), letter(' ')], Action::PageDown),
    bind(Context::Page, &[key(KeyCode::Home)], Action::Top),
    bind(Context::Page, &[key(KeyCode::End)], Action::Bottom),
    bind(Context::Page, &[key(KeyCode::Tab), key(KeyCode::Right)], Action::NextButton),
    bind(Context::Page, &[key(KeyCode::BackTab), key(KeyCode::Left)], Action::PreviousButton),
    bind(Context::Page, &[key(KeyCode::Esc)], Action::Back),
];

/// What a key does where these contexts hold.
#[must_use]
pub(crate) fn find(contexts: &[Context], event: &KeyEvent) -> Option<Action> {
    let fits =
        |b: &&Binding| contexts.contains(&b.context) && b.chords.iter().any(|c| c.fits(event));
    KEYS.iter().find(fits).map(|b| b.action)
}

/// The keys of an action, for hints.
#[must_use]
pub(crate) fn hint(action: Action) -> String {
    let found = KEYS.iter().find(|b| b.action == action);
    found.and_then(|b| b.chords.first()).map_or_else(String::new, |c| c.label())
}

/// The table as the help shows it.
#[must_use]
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (context, head) in Context::ALL {
        rows.push(Row::Head(head.to_owned()));
        for binding in KEYS.iter().filter(|b| b.context == context) {
            let keys: Vec<String> = binding.chords.iter().map(|c| c.label()).collect();
            rows.push(Row::Pair(keys.join("  "), binding.action.title().to_owned()));
        }
        rows.push(Row::Blank);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contexts that hold at the same time.
    const TOGETHER: [&[Context]; 5] = [
        &[Context::Chosen, Context::Empty, Context::Recall, Context::Talk, Context::Any],
        &[Context::List, Context::Any],
        &[Context::Pick, Context::Any],
        &[Context::Prompt, Context::Any],
        &[Context::Page, Context::Any],
    ];

    #[test]
    fn each_key_of_the_table_does_what_it_says_and_no_two_clash() {
        for contexts in TOGETHER {
            let mut taken: Vec<(String, Action)> = Vec::new();
            for binding in KEYS.iter().filter(|b| contexts.contains(&b.context)) {
                for chord in binding.chords {
                    assert_eq!(
                        find(contexts, &chord.event()),
                        Some(binding.action),
                        "{}",
                        chord.label()
                    );
                    let label = chord.label();
                    let twice = taken.iter().find(|(l, _)| *l == label);
                    assert!(twice.is_none(), "{label} is {twice:?} and {:?}", binding.action);
                    taken.push((label, binding.action));
                }
            }
        }
        let seen: usize =
            TOGETHER.iter().map(|c| KEYS.iter().filter(|b| c.contains(&b.context)).count()).sum();
        let everywhere = KEYS.iter().filter(|b| b.context == Context::Any).count();
        assert_eq!(seen, KEYS.len() + everywhere * (TOGETHER.len() - 1), "a context was left out");
    }

    #[test]
    fn the_help_names_every_key() {
        let rows = rows();
        for binding in KEYS {
            let title = binding.action.title();
            assert!(
                rows.iter().any(|r| matches!(r, Row::Pair(_, what) if what == title)),
                "{title}"
            );
        }
        assert_eq!(hint(Action::Palette), "Ctrl+K");
        assert_eq!(hint(Action::Jump), "Alt+1…9");
    }

    #[test]
    fn shift_belongs_to_the_letter() {
        let question = KeyEvent::new(KeyCode::Char('?'), KeyModifiers::SHIFT);
        assert_eq!(find(&[Context::Empty], &question), Some(Action::Help));
        let capital =
            KeyEvent::new(KeyCode::Char('K'), KeyModifiers::CONTROL | KeyModifiers::SHIFT);
        assert_eq!(find(&[Context::Any], &capital), Some(Action::Palette));
        assert_eq!(
            find(&[Context::Chosen], &KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT)),
            None
        );
    }
}
