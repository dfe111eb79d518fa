//! Frames: what a person sees.

use api::{
    AcceptFile, AllowRoutes, ConversationRef, DocumentView, Done, GetSafetyWords, Invite, InviteId,
    InviteState, InviteView, ListNetworks, NetworkView, ReactionView, SafetyWordsView, SetName,
    Verify,
};

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::style::Color;

use super::*;
use crate::theme::Theme;

/// Bob's conversation with a message in every state.
fn all_states(width: u16, height: u16) -> Stage {
    let mut screen = alice(width, height);
    let mut edited = message("bob", 1, "alice", "Hello Bob, shall we go on Sunday?", "read", 1_500);
    edited.edited = true;
    edited.reactions = vec![ReactionView { from: "bob".into(), you: false, emoji: "👍".into() }];
    let mut answer =
        message("bob", 2, "bob", "Yes! I bring the map.\nAnd something to eat.", "received", 1_490);
    answer.reply_to = Some(edited.id);
    let mut deleted = message("bob", 3, "bob", "", "received", 60);
    deleted.deleted = true;
    let mut notice = message("bob", 4, "", "messages disappear after 1d", "received", 50);
    notice.kind = MessageKind::Notice;
    let mut going = message("bob", 6, "alice", "stored at the hub", "stored", 6);
    going.expires_ms = Some(NOW + 23 * 60 * MINUTE);
    screen.history(&[
        edited,
        answer,
        deleted,
        notice,
        message("bob", 5, "alice", "this one has reached bob", "delivered", 7),
        going,
        message("bob", 7, "alice", "on its way", "sent", 5),
        message("bob", 8, "alice", "waits", "queued", 4),
        message("bob", 9, "bob", "see you at eight", "received", 1),
        message("bob", 10, "alice", "taken back", "cancelled", 0),
    ]);
    screen
}

#[test]
fn the_first_start_asks_for_a_name_only() {
    let mut screen = Stage::empty(80, 24);
    insta::assert_snapshot!("first-frame", screen.text());
    screen.answer::<GetStatus>(&status(""));
    screen.answer::<ListConversations>(&vec![]);
    insta::assert_snapshot!("first-start", screen.text());
    screen.types("Alice");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), wants(&SetName { name: "Alice".into() }));
    screen.answer::<SetName>(&Done {});
    screen.answer::<GetStatus>(&status("Alice"));
    insta::assert_snapshot!("first-steps", screen.text());
}

#[test]
fn a_conversation_with_messages_in_every_state() {
    let mut screen = all_states(100, 30);
    screen.input(Input::Tick);
    insta::assert_snapshot!("conversation", screen.text());
    screen.alt(KeyCode::Up);
    screen.alt(KeyCode::Up);
    insta::assert_snapshot!("conversation-chosen", screen.text());
    screen.key(KeyCode::Char('r'));
    screen.types("I come at");
    screen.press(KeyCode::Enter, KeyModifiers::ALT);
    screen.types("seven");
    insta::assert_snapshot!("conversation-reply", screen.text());
}

#[test]
fn a_narrow_screen_shows_one_pane() {
    let mut screen = all_states(40, 12);
    insta::assert_snapshot!("narrow-talk", screen.text());
    screen.key(KeyCode::Esc);
    insta::assert_snapshot!("narrow-list", screen.text());
    screen.ctrl('k');
    insta::assert_snapshot!("narrow-palette", screen.text());
    screen.key(KeyCode::Esc);
    screen.key(KeyCode::F(1));
    insta::assert_snapshot!("narrow-help", screen.text());
}

#[test]
fn a_room_with_colliding_names() {
    let mut screen = Stage::of(90, 18, &[], &[room("reading circle")]);
    screen.input(Input::Terminal(TerminalEvent::Key(KeyEvent::new(
        KeyCode::Char('1'),
        KeyModifiers::ALT,
    ))));
    screen.lines(&[
        said(1, "", "alice~07qxw4ne is here", "received"),
        said(2, "alice~07qxw4ne", "I am the other Alice", "received"),
        said(3, "bob", "so I see", "received"),
        said(4, "alice~k3m9x2ab", "and I am the first", "stored"),
    ]);
    insta::assert_snapshot!("room", screen.text());
    screen.key(KeyCode::F(3));
    insta::assert_snapshot!("room-people", screen.text());
}

#[test]
fn the_palette_finds_actions_and_conversations() {
    let mut screen = all_states(80, 24);
    screen.ctrl('k');
    insta::assert_snapshot!("palette", screen.text());
    screen.types("car");
    insta::assert_snapshot!("palette-filtered", screen.text());
}

#[test]
fn the_help_shows_the_table_of_keys() {
    let mut screen = all_states(80, 40);
    screen.key(KeyCode::Char('?'));
    insta::assert_snapshot!("help", screen.text());
    screen.key(KeyCode::PageDown);
    screen.key(KeyCode::PageDown);
    insta::assert_snapshot!("help-further", screen.text());
}

#[test]
fn an_invite_with_its_link_and_code() {
    let mut screen = alice(80, 44);
    screen.ctrl('k');
    screen.types("invite somebody");
    screen.key(KeyCode::Enter);
    assert!(screen.shows("Creating a link"));
    let link = format!("hushwing:invite#{}", "AbCd0123".repeat(20));
    let invite = InviteView {
        id: InviteId::new([0x11; 16]),
        link: link.clone(),
        name: None,
        state: InviteState::Open,
        expires_ms: NOW + 7 * DAY,
    };
    screen.answer::<Invite>(&invite);
    insta::assert_snapshot!("invite", screen.text());
    // The link can be marked with a mouse: nothing stands beside it.
    let shown: String =
        screen.text().lines().skip_while(|l| !l.starts_with("hushwing:")).take(3).collect();
    assert_eq!(shown, link);
    screen.app.size = (40, 12);
    insta::assert_snapshot!("invite-narrow", screen.text());
}

#[test]
fn safety_words() {
    let mut screen = all_states(80, 20);
    screen.ctrl('k');
    screen.types("safety words");
    screen.key(KeyCode::Enter);
    let words =
        "acrobat bicycle candle dolphin engine falcon garden hammer island jungle kettle lemon \
         magnet needle"
            .to_owned();
    screen.answer::<GetSafetyWords>(&SafetyWordsView { words: words.clone(), verified: false });
    insta::assert_snapshot!("words", screen.text());
    screen.key(KeyCode::Tab);
    screen.key(KeyCode::Enter);
    let request = Verify { conversation: conversation("bob"), words: Some(words) };
    assert_eq!(screen.last(), wants(&request));
}

#[test]
fn the_allowed_routes_say_what_each_hides() {
    let mut screen = all_states(80, 24);
    screen.key(KeyCode::F(4));
    insta::assert_snapshot!("allowed-routes", screen.text());
    screen.types("lan");
    screen.key(KeyCode::Enter);
    let request = AllowRoutes { conversation: conversation("bob"), routes: AllowedRoutes::Lan };
    assert_eq!(screen.last(), wants(&request));
}

#[test]
fn the_network_view() {
    let mut screen = alice(80, 24);
    screen.key(KeyCode::F(5));
    let document = DocumentView {
        epoch: 1_476,
        epoch_ms: 1_200_000,
        relays: 12,
        hops: 3,
        mean_delay_ms: 50,
        cover_kb_per_min: 96,
        hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
    };
    let used_by = |name: &str| ConversationRef { id: conversation(name), label: name.into() };
    let networks = vec![
        NetworkView {
            hub: "3f9a11c0".into(),
            route: Route::Onion,
            online: true,
            text: "connected through relay 7c21".into(),
            conversations: vec![used_by("bob"), used_by("carol")],
            document: Some(document),
        },
        NetworkView {
            hub: "a07be1f2".into(),
            route: Route::Tor,
            online: false,
            text: "Tor is starting: 45 %".into(),
            conversations: vec![used_by("Hiking")],
            document: None,
        },
    ];
    screen.answer::<ListNetworks>(&networks);
    insta::assert_snapshot!("network", screen.text());
}

#[test]
fn files_are_offered_and_move() {
    let mut screen = alice(80, 16);
    let mut offered = message("bob", 1, "bob", "holiday.tar", "received", 3);
    offered.kind = MessageKind::File;
    offered.file = Some(file("bob", 0, false, "offered"));
    screen.history(&[offered]);
    insta::assert_snapshot!("file-offered", screen.text());
    screen.alt(KeyCode::Up);
    screen.key(KeyCode::Char('a'));
    let request = AcceptFile { transfer: TransferId::new([0x0f; 16]), directory: None };
    assert_eq!(screen.last(), wants(&request));
    screen.event(Event::File { file: file("bob", 4 << 20, false, "moving") });
    screen.app.toast = None;
    insta::assert_snapshot!("file-moving", screen.text());
    screen.key(KeyCode::F(7));
    insta::assert_snapshot!("transfers", screen.text());
}

#[test]
fn nothing_from_others_acts_on_the_terminal_or_breaks_the_layout() {
    let mut screen = alice(80, 16);
    screen.history(&[
        message("bob", 1, "bob", "\u{1b}[31mred\u{1b}[0m \u{7}bell \u{9b}2J", "received", 9),
        message("bob", 2, "bob", "שלום עולם — مرحبا بالعالم", "received", 8),
        message(
            "bob",
            3,
            "bob",
            "日本語のとても長い文章はここで折り返されますがレイアウトは崩れませんので安心してください",
            "received",
            7,
        ),
        message("bob", 4, "👩‍👩‍👧‍👦 family", "emoji 👍🏽 and flags 🇩🇪🇯🇵 and zwj 👩‍🚀 end", "received", 6),
        message(
            "bob",
            5,
            "bob",
            "e\u{301}\u{301}\u{301} combining; tab\there; <b>no</b> [styling](x) {red}",
            "received",
            5,
        ),
    ]);
    insta::assert_snapshot!("foreign", screen.text());
    let buffer = screen.draw();
    let controls =
        buffer.content.iter().filter(|c| c.symbol().chars().any(char::is_control)).count();
    assert_eq!(controls, 0);
    // The line between the panes is straight, whatever stands beside it.
    for y in 0..15 {
        assert_eq!(buffer[(26, y)].symbol(), "│", "row {y}");
    }
}

#[test]
fn without_colours_nothing_is_coloured() {
    let mut screen = all_states(100, 30);
    screen.app.colours = false;
    for theme in Theme::ALL {
        screen.app.prefs.theme = theme;
        screen.ctrl('k');
        let listed = screen.draw();
        screen.key(KeyCode::Esc);
        let talk = screen.draw();
        for cell in listed.content.iter().chain(&talk.content) {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
        }
    }
    let chosen = |b: &Buffer| {
        b.content.iter().filter(|c| c.modifier.contains(ratatui::style::Modifier::REVERSED)).count()
    };
    assert!(chosen(&screen.draw()) > 20, "what is chosen shows without colours");
}

#[test]
fn high_contrast_uses_three_colours_and_nothing_faint() {
    let mut screen = all_states(100, 30);
    screen.app.prefs.theme = Theme::Contrast;
    let frame = screen.draw();
    // The second cell of a wide letter is not drawn.
    let covered =
        |at: usize| at.checked_sub(1).is_some_and(|b| cells::width(frame.content[b].symbol()) > 1);
    for (_, cell) in frame.content.iter().enumerate().filter(|(at, _)| !covered(*at)) {
        for colour in [cell.fg, cell.bg] {
            let allowed = [Color::White, Color::Black, Color::LightYellow];
            // Cells where nothing is written keep the background.
            assert!(allowed.contains(&colour), "{cell:?}");
        }
        assert!(!cell.modifier.contains(ratatui::style::Modifier::DIM));
    }
}

#[test]
fn every_theme_draws_everything_in_colours() {
    for theme in Theme::ALL {
        let mut screen = all_states(100, 30);
        screen.app.prefs.theme = theme;
        let colours: std::collections::HashSet<Color> =
            screen.draw().content.iter().map(|c| c.fg).collect();
        assert!(colours.len() >= 3, "{theme:?}: {colours:?}");
    }
}

#[test]
fn every_size_down_to_the_smallest_draws() {
    for (width, height) in [(40, 12), (69, 20), (70, 20), (200, 60), (20, 6), (10, 3), (1, 1)] {
        let mut screen = all_states(width, height);
        for key in [
            KeyCode::F(1),
            KeyCode::Esc,
            KeyCode::F(4),
            KeyCode::Esc,
            KeyCode::PageUp,
            KeyCode::PageDown,
        ] {
            screen.key(key);
        }
        screen.ctrl('k');
        assert_eq!(screen.app.current, Some(with("bob")), "{width}×{height}");
        screen.draw();
    }
}
