//! What happens when things happen.

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::*;
use crate::tui::Start;
use crate::tui::state::Place;

fn with(name: &str) -> Place {
    Place::Conversation(name.into())
}

fn asked(screen: &Screen, what: &str) -> usize {
    screen.asked.iter().filter(|(c, _)| format!("{c:?}").starts_with(what)).count()
}

#[test]
fn a_message_elsewhere_is_unread_and_rings_and_alt_a_goes_there() {
    let mut screen = alice(100, 24);
    screen.history(vec![]);
    screen.event(Event::Message {
        message: message("Hiking", 20, "dave", "hello all", "received", 0),
    });
    assert_eq!(screen.rung, ["a new message"]);
    assert!(screen.shows("• 1 new"));
    // What was most recently active is on top.
    assert_eq!(screen.app.places().first(), Some(&with("Hiking")));
    assert_eq!(asked(&screen, "Seen"), 0);

    screen.alt(KeyCode::Char('a'));
    assert_eq!(screen.app.current, Some(with("Hiking")));
    screen.history(vec![message("Hiking", 20, "dave", "hello all", "received", 0)]);
    assert_eq!(screen.last(), r#"Seen { conversation: "Hiking", up_to: 20 }"#);
    assert!(!screen.shows("• 1 new"));
    screen.alt(KeyCode::Char('a'));
    assert_eq!(screen.app.current, Some(with("carol")));
    screen.history(vec![]);
    screen.app.conversations.iter_mut().for_each(|c| c.unseen = 0);
    screen.alt(KeyCode::Char('a'));
    assert!(screen.shows("nothing is unread"));
}

#[test]
fn a_message_here_does_not_ring_but_in_an_unfocused_window_it_does() {
    let mut screen = alice(100, 24);
    screen.history(vec![]);
    screen.event(Event::Message { message: message("bob", 30, "bob", "one", "received", 0) });
    assert!(screen.rung.is_empty());
    assert_eq!(asked(&screen, "Seen"), 1);
    screen.input(Input::Terminal(TerminalEvent::FocusLost));
    screen.event(Event::Message { message: message("bob", 31, "bob", "two", "received", 0) });
    assert_eq!(screen.rung, ["a new message"]);
    assert_eq!(asked(&screen, "Seen"), 1, "nobody looked");
    screen.input(Input::Terminal(TerminalEvent::FocusGained));
    assert_eq!(screen.last(), r#"Seen { conversation: "bob", up_to: 31 }"#);
    // Whoever wants no bell has none.
    screen.app.prefs.notify = false;
    screen.event(Event::Message { message: message("carol", 32, "carol", "three", "received", 0) });
    assert_eq!(screen.rung.len(), 1);
}

#[test]
fn times_and_days_are_those_of_the_users_clock() {
    let mut screen = alice(100, 24);
    let said = |number, text: &str, ago| message("bob", number, "bob", text, "received", ago);
    screen.history(vec![said(40, "good evening", 60), said(41, "good night", 0)]);
    assert!(screen.shows(" 11:34 o bob: good evening") && screen.shows(" 12:34 o bob: good night"));
    assert!(!screen.shows(" Yesterday "));
    // Twelve hours to the east midnight lies between them.
    screen.app.zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(12));
    assert!(screen.shows(" 23:34 o bob: good evening") && screen.shows(" 00:34 o bob: good night"));
    assert!(screen.shows(" Yesterday ") && screen.shows(" Today "));
}

#[test]
fn a_retry_keeps_one_bubble_and_a_state_never_goes_back() {
    let mut screen = alice(100, 24);
    screen.history(vec![]);
    screen.types("hello");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), r#"Send { to: "bob", text: "hello", reply_to: None }"#);
    let sent = message("bob", 40, "alice", "hello", "queued", 0);
    screen.event(Event::Message { message: sent.clone() });
    let state = |screen: &mut Screen, state: &str| {
        let (conversation, id, route) = ("bob".into(), sent.id.clone(), "tor".into());
        screen.event(Event::State { conversation, id, state: state.into(), route });
    };
    state(&mut screen, "delivered");
    assert!(screen.shows("✓✓ delivered") && screen.shows(" t alice: hello"));
    // Late news, and the same message once more.
    state(&mut screen, "sent");
    screen.event(Event::Message { message: sent.clone() });
    screen.event(Event::Changed { message: message("bob", 40, "alice", "hello", "stored", 0) });
    let text = screen.text();
    assert_eq!(text.matches("alice: hello").count(), 1, "{text}");
    assert!(text.contains("✓✓ delivered"), "{text}");
    state(&mut screen, "read");
    assert!(screen.shows("read"));
    // An own message is not news.
    assert!(screen.rung.is_empty());
}

#[test]
fn a_refused_text_is_not_lost() {
    let mut screen = alice(100, 24);
    screen.history(vec![]);
    screen.types("too much");
    screen.key(KeyCode::Enter);
    assert!(screen.app.input.is_empty());
    let then = Then::Sent { place: with("bob"), text: "too much".into() };
    screen.refuse(&then, "the outbox is full");
    assert_eq!(screen.app.input.lines(), ["too much"]);
    assert!(screen.shows("the outbox is full — try again"));
}

#[test]
fn up_recalls_what_was_typed() {
    let mut screen = alice(100, 24);
    screen.history(vec![]);
    for text in ["one", "two"] {
        screen.types(text);
        screen.key(KeyCode::Enter);
    }
    screen.key(KeyCode::Up);
    assert_eq!(screen.app.input.lines(), ["two"]);
    screen.key(KeyCode::Up);
    assert_eq!(screen.app.input.lines(), ["one"]);
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Down);
    assert!(screen.app.input.is_empty());
    // With a text of one's own the keys move in it.
    screen.types("mine");
    screen.key(KeyCode::Up);
    assert_eq!(screen.app.input.lines(), ["mine"]);
}

#[test]
fn a_pasted_text_is_not_sent_and_keeps_its_lines() {
    let mut screen = alice(100, 24);
    screen.history(vec![]);
    screen.pastes("one\r\ntwo\u{1b}[31m\n/quit");
    assert_eq!(screen.app.input.lines(), ["one", "two[31m", "/quit"]);
    assert_eq!(asked(&screen, "Send"), 0);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), r#"Send { to: "bob", text: "one\ntwo[31m\n/quit", reply_to: None }"#);
}

#[test]
fn slash_commands_work_and_two_slashes_say_one() {
    let mut screen = alice(100, 24);
    screen.history(vec![]);
    for (typed, asks) in [
        ("//etc", r#"Send { to: "bob", text: "/etc", reply_to: None }"#),
        ("/timer 1d", r#"SetTimer { conversation: "bob", seconds: 86400 }"#),
        ("/floor tor", r#"Floor { conversation: "bob", floor: "tor" }"#),
        ("/words", r#"SafetyWords { conversation: "bob" }"#),
        ("/file /tmp/x y", r#"SendFile { to: "bob", path: "/tmp/x y" }"#),
        ("/who", r#"Members { conversation: "bob" }"#),
    ] {
        screen.types(typed);
        screen.key(KeyCode::Enter);
        assert_eq!(screen.last(), asks, "{typed}");
    }
    // What is not understood stays, to be mended.
    screen.types("/wat");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.app.input.lines(), ["/wat"]);
    assert!(screen.shows("no such command"));
}

#[test]
fn quit_leaves_when_everything_is_stored() {
    for typed in ["/quit", "exit"] {
        let mut screen = alice(100, 24);
        screen.history(vec![]);
        screen.types(typed);
        screen.key(KeyCode::Enter);
        screen.answer(&Then::Quit, Reply::Status(status("alice")));
        assert!(screen.left, "{typed}");
    }
    // With something left to store it asks, and goes by itself once it is stored.
    let mut screen = alice(100, 24);
    screen.ctrl('c');
    screen.answer(&Then::Quit, Reply::Status(Status { unstored: 1, ..status("alice") }));
    assert!(!screen.left && screen.shows("1 message(s) of yours are not at the hub yet."));
    screen.input(Input::Tick);
    screen.answer(&Then::Status, Reply::Status(status("alice")));
    assert!(screen.left);
    // A second Ctrl+C leaves at once, even when the engine says nothing.
    let mut screen = alice(100, 24);
    screen.ctrl('c');
    screen.ctrl('c');
    assert!(screen.left);
}

#[test]
fn whoever_stays_is_not_thrown_out_later() {
    let mut screen = alice(100, 24);
    screen.ctrl('c');
    screen.answer(&Then::Quit, Reply::Status(Status { unstored: 1, ..status("alice") }));
    screen.key(KeyCode::Esc);
    screen.event(Event::Network { online: true, text: "connected".into() });
    screen.answer(&Then::Status, Reply::Status(status("alice")));
    assert!(!screen.left);
}

#[test]
fn a_pasted_invite_is_three_steps_from_nothing_to_the_first_message() {
    let mut screen = Screen::empty(80, 24);
    screen.answer(&Then::Status, Reply::Status(status("")));
    screen.answer(&Then::Conversations, Reply::Conversations { conversations: vec![] });
    // One: a name.
    screen.types("Bob");
    screen.key(KeyCode::Enter);
    screen.answer(&Then::Named, Reply::Done);
    screen.answer(&Then::Status, Reply::Status(status("Bob")));
    // Two: the link, with the breaks that copying has put in.
    screen.pastes("hushwing:invite#AbC\n def\n");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), r#"Accept { link: "hushwing:invite#AbCdef", name: None }"#);
    screen.answer(&Then::Open, Reply::Contact { name: "alice".into() });
    // Three: the message.
    screen.types("hello");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), r#"Send { to: "alice", text: "hello", reply_to: None }"#);
}

#[test]
fn whoever_waits_with_an_invite_on_the_screen_is_taken_to_the_new_contact() {
    let mut screen = alice(100, 40);
    screen.ctrl('k');
    screen.types("invite somebody");
    screen.key(KeyCode::Enter);
    screen.event(Event::InviteUsed { invite: "11".repeat(16), conversation: "erin".into() });
    assert_eq!(screen.app.current, Some(with("erin")));
    assert!(screen.app.dialogs.is_empty());
}

#[test]
fn drafts_stay_with_their_conversation() {
    let mut screen = alice(100, 24);
    screen.history(vec![]);
    screen.types("half a thou");
    screen.alt(KeyCode::Right);
    assert_eq!(screen.app.current, Some(with("carol")));
    assert!(screen.app.input.is_empty());
    screen.alt(KeyCode::Left);
    assert_eq!(screen.app.input.lines(), ["half a thou"]);
}

#[test]
fn the_mouse_chooses_scrolls_and_presses() {
    let mut screen = alice(100, 24);
    screen.history(
        (1..60).map(|n| message("bob", n, "bob", &format!("number {n}"), "received", 90)).collect(),
    );
    let at = |screen: &mut Screen, what: &str| {
        let text = screen.text();
        let row = text
            .lines()
            .position(|l| l.contains(what))
            .unwrap_or_else(|| panic!("{what} is not on\n{text}"));
        let line = text.lines().nth(row).unwrap_or_default();
        let column = crate::tui::text::width(&line[..line.find(what).unwrap_or(0)]);
        (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
    };
    let mouse = |screen: &mut Screen, kind, (column, row): (u16, u16)| {
        let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        screen.input(Input::Terminal(TerminalEvent::Mouse(event)));
    };
    let click = MouseEventKind::Down(MouseButton::Left);
    let place = at(&mut screen, "number 59");
    mouse(&mut screen, MouseEventKind::ScrollUp, place);
    assert!(!screen.shows("number 59") && screen.shows("number 56"));
    mouse(&mut screen, MouseEventKind::ScrollDown, place);
    mouse(&mut screen, click, place);
    assert!(screen.shows("▌"));
    let place = at(&mut screen, "carol");
    mouse(&mut screen, click, place);
    assert_eq!(screen.app.current, Some(with("carol")));
    let place = at(&mut screen, "People");
    mouse(&mut screen, click, place);
    assert!(!screen.shows("Hiking"));
    let place = at(&mut screen, "F1 help");
    mouse(&mut screen, click, place);
    assert!(screen.shows("How far a message of yours got"));
    let place = at(&mut screen, "[ close ]");
    mouse(&mut screen, click, place);
    assert!(screen.app.dialogs.is_empty());
    // Switched off, it does nothing.
    screen.ctrl('k');
    screen.types("mouse on");
    screen.key(KeyCode::Enter);
    assert!(matches!(screen.others.last(), Some(Effect::Mouse(false))));
    mouse(&mut screen, click, place);
    assert!(screen.app.dialogs.is_empty());
}

#[test]
fn a_room_speaks_with_its_own_commands() {
    let mut screen = Screen::of(100, 24, vec![contact("bob")], vec![room("circle")]);
    screen.history(vec![]);
    screen.event(Event::RoomLine {
        room: "circle".into(),
        line: said(1, "bob", "anybody?", "received"),
    });
    assert_eq!(screen.rung, ["a new message"]);
    screen.alt(KeyCode::Char('a'));
    screen.lines(vec![said(1, "bob", "anybody?", "received")]);
    assert_eq!(screen.last(), r#"RoomSeen { room: "circle", up_to: 1 }"#);
    for (typed, asks) in [
        ("hello", r#"Say { room: "circle", text: "hello" }"#),
        ("/nick ally", r#"RoomNick { room: "circle", nick: "ally" }"#),
        ("/link", r#"RoomLink { room: "circle" }"#),
        ("/route tor", r#"RoomRoute { room: "circle", route: "tor" }"#),
    ] {
        screen.types(typed);
        screen.key(KeyCode::Enter);
        assert_eq!(screen.last(), asks, "{typed}");
    }
    // A line that gets further is the same line.
    screen.event(Event::RoomLine {
        room: "circle".into(),
        line: said(2, "alice~k3m9x2ab", "hello", "sent"),
    });
    screen.event(Event::RoomLine {
        room: "circle".into(),
        line: said(2, "alice~k3m9x2ab", "hello", "stored"),
    });
    let text = screen.text();
    assert_eq!(text.matches(": hello").count(), 2, "once in the list, once in the room\n{text}");
    screen.event(Event::RoomLeft { room: "circle".into() });
    assert_eq!(screen.app.current, None);
}

#[test]
fn what_another_window_does_shows_here() {
    let mut screen = alice(100, 24);
    screen.history(vec![message("bob", 1, "alice", "hello", "read", 3)]);
    screen.event(Event::Changed { message: message("bob", 1, "alice", "hello again", "read", 3) });
    assert!(screen.shows("hello again"));
    screen.event(Event::Expired {
        conversation: "bob".into(),
        id: message("bob", 1, "", "", "", 0).id,
    });
    assert!(!screen.shows("hello again"));
    // Renamed there: it is not shown under the old name any more.
    screen.event(Event::Conversation { conversation: "bob".into(), text: "renamed".into() });
    screen.answer(
        &Then::Conversations,
        Reply::Conversations { conversations: vec![contact("robert")] },
    );
    assert_eq!(screen.app.current, Some(with("robert")));
}

#[test]
fn messages_disappear_when_their_time_has_come() {
    let mut screen = alice(100, 24);
    let mut going = message("bob", 1, "bob", "burn this", "received", 3);
    going.expires_ms = Some(NOW + 5_000);
    screen.history(vec![going]);
    assert!(screen.shows("burn this") && screen.shows("(goes in 5 s)"));
    screen.at(NOW + 5_000, Input::Tick);
    assert!(!screen.shows("burn this"));
}

#[test]
fn the_screen_asks_each_thing_once_at_a_time() {
    let mut screen = alice(100, 24);
    let before = asked(&screen, "Conversations");
    for n in 50..80 {
        screen.event(Event::Message {
            message: message("carol", n, "carol", "again", "received", 0),
        });
    }
    assert!(asked(&screen, "Conversations") <= before + 1, "{:?}", screen.asked);
}

#[test]
fn an_invite_on_the_command_line_waits_for_a_name() {
    let mut screen = Screen::opening(80, 24, Some(Start::Invite("hushwing:invite#AbC".into())));
    screen.answer(&Then::Status, Reply::Status(status("")));
    assert_eq!(asked(&screen, "Accept"), 0);
    // A name that is refused is asked for again.
    screen.types("Bob\u{202e}");
    screen.key(KeyCode::Enter);
    screen.refuse(&Then::Named, "this is no name");
    assert!(screen.shows("What is your name?") && screen.shows("this is no name"));
    screen.types("Bob");
    screen.key(KeyCode::Enter);
    screen.answer(&Then::Named, Reply::Done);
    screen.answer(&Then::Status, Reply::Status(status("Bob")));
    assert_eq!(screen.last(), r#"Accept { link: "hushwing:invite#AbC", name: None }"#);
    assert!(screen.app.dialogs.is_empty());
    // With a name it is used at once, and once.
    let mut screen = Screen::opening(80, 24, Some(Start::Invite("hushwing:invite#AbC".into())));
    screen.answer(&Then::Status, Reply::Status(status("bob")));
    assert_eq!(asked(&screen, "Accept"), 1);
    screen.event(Event::Network { online: true, text: "connected".into() });
    screen.answer(&Then::Status, Reply::Status(status("bob")));
    assert_eq!(asked(&screen, "Accept"), 1);
}

#[test]
fn what_is_covered_or_below_is_not_seen() {
    let mut screen = alice(100, 24);
    screen.history(
        (1..60).map(|n| message("bob", n, "bob", &format!("number {n}"), "received", 90)).collect(),
    );
    screen.key(KeyCode::F(1));
    screen.event(Event::Message { message: message("bob", 70, "bob", "one", "received", 0) });
    assert_eq!(asked(&screen, "Seen"), 0, "the help covers it");
    screen.key(KeyCode::Esc);
    assert_eq!(screen.last(), r#"Seen { conversation: "bob", up_to: 70 }"#);
    screen.key(KeyCode::PageUp);
    screen.event(Event::Message { message: message("bob", 71, "bob", "two", "received", 0) });
    assert_eq!(asked(&screen, "Seen"), 1, "one reads further up");
    screen.key(KeyCode::Esc);
    assert_eq!(screen.last(), r#"Seen { conversation: "bob", up_to: 71 }"#);
}
