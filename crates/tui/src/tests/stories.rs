//! What happens when things happen.

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use api::{
    Accept, AllowRoutes, Done, GetRoomLink, GetSafetyWords, Invite, InviteId, InviteState,
    InviteView, ListMembers, LocalPath, MarkRoomSeen, MarkSeen, MuteTalker, Opened, RekeyRoom, Say,
    SendFile, SendText, SetName, SetRoomNick, SetRoomRoute, SetTimer,
};

use super::*;

fn send(to: &str, text: &str) -> SendText {
    SendText { conversation: conversation(to), text: text.into(), reply_to: None }
}

fn seen(with: &str, up_to: i64) -> MarkSeen {
    MarkSeen { conversation: conversation(with), up_to }
}

#[test]
fn a_message_elsewhere_is_unread_and_rings_and_alt_a_goes_there() {
    let mut screen = alice(100, 24);
    screen.history(&[]);
    screen.event(Event::Message {
        message: message("Hiking", 20, "dave", "hello all", "received", 0),
    });
    assert_eq!(screen.rung, ["a new message"]);
    assert!(screen.shows("• 1 new"));
    // What was most recently active is on top.
    assert_eq!(screen.app.places().first(), Some(&with("Hiking")));
    assert_eq!(screen.waiting::<MarkSeen>(), 0);

    screen.alt(KeyCode::Char('a'));
    assert_eq!(screen.app.current, Some(with("Hiking")));
    screen.history(&[message("Hiking", 20, "dave", "hello all", "received", 0)]);
    assert_eq!(screen.last(), wants(&seen("Hiking", 20)));
    assert!(!screen.shows("• 1 new"));
    screen.alt(KeyCode::Char('a'));
    assert_eq!(screen.app.current, Some(with("carol")));
    screen.history(&[]);
    screen.app.conversations.iter_mut().for_each(|c| c.unseen = 0);
    screen.alt(KeyCode::Char('a'));
    assert!(screen.shows("nothing is unread"));
}

#[test]
fn a_message_here_does_not_ring_but_in_an_unfocused_window_it_does() {
    let mut screen = alice(100, 24);
    screen.history(&[]);
    screen.event(Event::Message { message: message("bob", 30, "bob", "one", "received", 0) });
    assert!(screen.rung.is_empty());
    assert_eq!(screen.waiting::<MarkSeen>(), 1);
    screen.input(Input::Terminal(TerminalEvent::FocusLost));
    screen.event(Event::Message { message: message("bob", 31, "bob", "two", "received", 0) });
    assert_eq!(screen.rung, ["a new message"]);
    assert_eq!(screen.waiting::<MarkSeen>(), 1, "nobody looked");
    screen.input(Input::Terminal(TerminalEvent::FocusGained));
    assert_eq!(screen.last(), wants(&seen("bob", 31)));
    // No bell for those who want none.
    screen.app.prefs.notify = false;
    screen.event(Event::Message { message: message("carol", 32, "carol", "three", "received", 0) });
    assert_eq!(screen.rung.len(), 1);
}

#[test]
fn times_and_days_are_those_of_the_users_clock() {
    let mut screen = alice(100, 24);
    let said = |number, text: &str, ago| message("bob", number, "bob", text, "received", ago);
    screen.history(&[said(40, "good evening", 60), said(41, "good night", 0)]);
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
    screen.history(&[]);
    screen.types("hello");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), wants(&send("bob", "hello")));
    let sent = message("bob", 40, "alice", "hello", "queued", 0);
    screen.event(Event::Message { message: sent.clone() });
    let state = |screen: &mut Stage, state: &str| {
        let (conversation, message, route) = (conversation("bob"), sent.id, Some(Route::Tor));
        let state = MessageState::parse(state).expect("a state");
        screen.event(Event::State { conversation, message, state, route });
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
    screen.history(&[]);
    screen.types("too much");
    screen.key(KeyCode::Enter);
    assert!(screen.app.input.is_empty());
    screen.refuse::<SendText>("the outbox is full");
    assert_eq!(screen.app.input.lines(), ["too much"]);
    assert!(screen.shows("the outbox is full — wait until some of it has left"));
}

#[test]
fn up_recalls_what_was_typed() {
    let mut screen = alice(100, 24);
    screen.history(&[]);
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
    screen.history(&[]);
    screen.pastes("one\r\ntwo\u{1b}[31m\n/quit");
    assert_eq!(screen.app.input.lines(), ["one", "two[31m", "/quit"]);
    assert_eq!(screen.waiting::<SendText>(), 0);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), wants(&send("bob", "one\ntwo[31m\n/quit")));
}

#[test]
fn slash_commands_work_and_two_slashes_say_one() {
    let mut screen = alice(100, 24);
    screen.history(&[]);
    let bob = conversation("bob");
    for (typed, asks) in [
        ("//etc", wants(&send("bob", "/etc"))),
        ("/timer 1d", wants(&SetTimer { conversation: bob, seconds: 86_400 })),
        ("/routes tor", wants(&AllowRoutes { conversation: bob, routes: AllowedRoutes::Tor })),
        ("/words", wants(&GetSafetyWords { conversation: bob })),
        (
            "/file /tmp/x y",
            wants(&SendFile { conversation: bob, path: LocalPath::new("/tmp/x y") }),
        ),
        ("/who", wants(&ListMembers { conversation: bob })),
    ] {
        screen.types(typed);
        screen.key(KeyCode::Enter);
        assert_eq!(screen.last(), asks, "{typed}");
    }
    // What is not understood stays, to be mended.
    screen.types("/wat");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.app.input.lines(), ["/wat"]);
    assert!(screen.shows("unknown or incomplete command /wat"));
}

#[test]
fn quit_leaves_when_everything_is_stored() {
    for typed in ["/quit", "exit"] {
        let mut screen = alice(100, 24);
        screen.history(&[]);
        screen.types(typed);
        screen.key(KeyCode::Enter);
        screen.answer::<GetStatus>(&status("alice"));
        assert!(screen.left, "{typed}");
    }
    // With something left to store it asks, and goes by itself once it is stored.
    let mut screen = alice(100, 24);
    screen.ctrl('c');
    screen.answer::<GetStatus>(&Status { unstored: 1, ..status("alice") });
    assert!(!screen.left && screen.shows("1 message(s) not at the hub yet."));
    screen.input(Input::Tick);
    screen.answer::<GetStatus>(&status("alice"));
    assert!(screen.left);
    // A second Ctrl+C leaves at once, even when the engine says nothing.
    let mut screen = alice(100, 24);
    screen.ctrl('c');
    screen.ctrl('c');
    assert!(screen.left);
}

#[test]
fn a_person_who_stays_is_not_thrown_out_later() {
    let mut screen = alice(100, 24);
    screen.ctrl('c');
    screen.answer::<GetStatus>(&Status { unstored: 1, ..status("alice") });
    screen.key(KeyCode::Esc);
    screen.event(Event::Network { online: true, text: "connected".into() });
    screen.answer::<GetStatus>(&status("alice"));
    assert!(!screen.left);
}

#[test]
fn a_pasted_invite_is_three_steps_from_nothing_to_the_first_message() {
    let mut screen = Stage::empty(80, 24);
    screen.answer::<GetStatus>(&status(""));
    screen.answer::<ListConversations>(&vec![]);
    // One: a name.
    screen.types("Bob");
    screen.key(KeyCode::Enter);
    screen.answer::<SetName>(&Done {});
    screen.answer::<GetStatus>(&status("Bob"));
    // Two: the link, with the breaks that copying has put in.
    screen.pastes("hushwing:invite#AbC\n def\n");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), wants(&Accept { link: "hushwing:invite#AbCdef".into(), name: None }));
    let opened = Opened { conversation: conversation("alice"), label: "alice".into() };
    screen.answer::<Accept>(&opened);
    // Three: the message.
    screen.types("hello");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), wants(&send("alice", "hello")));
}

#[test]
fn a_person_who_waits_with_an_invite_on_the_screen_is_taken_to_the_new_contact() {
    let mut screen = alice(100, 40);
    screen.ctrl('k');
    screen.types("invite somebody");
    screen.key(KeyCode::Enter);
    let (invite, other) = (InviteId::new([0x11; 16]), InviteId::new([0x22; 16]));
    let used = |invite, name: &str| {
        let (conversation, label) = (conversation(name), name.to_owned());
        Event::InviteUsed { invite, conversation, label }
    };
    screen.answer::<Invite>(&InviteView {
        id: invite,
        link: "hushwing:invite#AbC".into(),
        name: None,
        state: InviteState::Open,
        expires_ms: NOW + DAY,
    });
    // Another invite was used: this one is still on the screen.
    screen.event(used(other, "dave"));
    assert!(screen.shows("hushwing:invite#AbC"));
    screen.event(used(invite, "erin"));
    assert_eq!(screen.app.current, Some(with("erin")));
    assert!(screen.app.dialogs.is_empty());
}

#[test]
fn drafts_stay_with_their_conversation() {
    let mut screen = alice(100, 24);
    screen.history(&[]);
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
        &(1..60)
            .map(|n| message("bob", n, "bob", &format!("number {n}"), "received", 90))
            .collect::<Vec<_>>(),
    );
    let at = |screen: &mut Stage, what: &str| {
        let text = screen.text();
        let row = text
            .lines()
            .position(|l| l.contains(what))
            .unwrap_or_else(|| panic!("{what} is not on\n{text}"));
        let line = text.lines().nth(row).unwrap_or_default();
        let column = cells::width(&line[..line.find(what).unwrap_or(0)]);
        (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
    };
    let mouse = |screen: &mut Stage, kind, (column, row): (u16, u16)| {
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
    assert!(screen.shows("Delivery states"));
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
    let mut screen = Stage::of(100, 24, &[contact("bob")], &[room("circle")]);
    screen.history(&[]);
    screen.event(room_line("circle", said(1, "bob", "anybody?", "received")));
    assert_eq!(screen.rung, ["a new message"]);
    screen.alt(KeyCode::Char('a'));
    screen.lines(&[said(1, "bob", "anybody?", "received")]);
    let room = room_id("circle");
    assert_eq!(screen.last(), wants(&MarkRoomSeen { room, up_to: 1 }));
    let talker = talker_id("bob");
    for (typed, asks) in [
        ("hello", wants(&Say { room, text: "hello".into() })),
        ("/nick ally", wants(&SetRoomNick { room, nick: "ally".into() })),
        ("/link", wants(&GetRoomLink { room })),
        ("/route tor", wants(&SetRoomRoute { room, route: Route::Tor })),
        ("/mute bob", wants(&MuteTalker { room, talker, muted: true })),
        ("/rekey bob", wants(&RekeyRoom { room, keep: vec![talker] })),
    ] {
        screen.types(typed);
        screen.key(KeyCode::Enter);
        assert_eq!(screen.last(), asks, "{typed}");
    }
    // A line that gets further is the same line.
    screen.event(room_line("circle", said(2, "alice~k3m9x2ab", "hello", "sent")));
    screen.event(room_line("circle", said(2, "alice~k3m9x2ab", "hello", "stored")));
    let text = screen.text();
    assert_eq!(text.matches(": hello").count(), 2, "once in the list, once in the room\n{text}");
    screen.event(Event::RoomLeft { room });
    assert_eq!(screen.app.current, None);
}

#[test]
fn what_another_window_does_shows_here() {
    let mut screen = alice(100, 24);
    screen.history(&[message("bob", 1, "alice", "hello", "read", 3)]);
    screen.event(Event::Changed { message: message("bob", 1, "alice", "hello again", "read", 3) });
    assert!(screen.shows("hello again"));
    screen.event(Event::Expired { conversation: conversation("bob"), message: message_id(1) });
    assert!(!screen.shows("hello again"));
    // Renamed there: it is the same conversation under another name.
    screen.event(Event::Conversation {
        conversation: conversation("bob"),
        label: "robert".into(),
        text: "renamed".into(),
    });
    assert_eq!(screen.app.current, Some(with("bob")));
    assert!(screen.shows("│ robert ["));
    // Removed there.
    screen.event(Event::Forgotten { conversation: conversation("bob") });
    assert_eq!(screen.app.current, None);
    screen.app.toast = None;
    assert!(!screen.shows("robert"));
}

#[test]
fn a_talker_who_could_be_two_is_not_muted() {
    let mut screen = Stage::of(100, 24, &[], &[room("circle")]);
    screen.types("c");
    screen.key(KeyCode::Enter);
    screen.lines(&[]);
    // Two ids with the same first bytes, as somebody can draw them.
    let twin = |last| {
        let mut id = bytes("twin");
        id[15] = last;
        TalkerView { id: TalkerId::new(id), name: format!("twin {last}"), ..talker("", false) }
    };
    let crowd = RoomView { people: vec![twin(1), twin(2)], owner: true, ..room("circle") };
    screen.event(Event::Room { room: crowd });
    for typed in [format!("/mute {}", twin(1).id.short()), "/mute twin".into()] {
        screen.types(&typed);
        screen.key(KeyCode::Enter);
        assert_eq!(screen.waiting::<MuteTalker>(), 0, "{typed}");
    }
    screen.types("/mute twin 2");
    screen.key(KeyCode::Enter);
    let request = MuteTalker { room: room_id("circle"), talker: twin(2).id, muted: true };
    assert_eq!(screen.last(), wants(&request));
}

#[test]
fn messages_disappear_when_their_time_has_come() {
    let mut screen = alice(100, 24);
    let mut going = message("bob", 1, "bob", "burn this", "received", 3);
    going.expires_ms = Some(NOW + 5_000);
    screen.history(&[going]);
    assert!(screen.shows("burn this") && screen.shows("(goes in 5 s)"));
    screen.at(NOW + 5_000, Input::Tick);
    assert!(!screen.shows("burn this"));
}

#[test]
fn the_screen_asks_each_thing_once_at_a_time() {
    let mut screen = alice(100, 24);
    let before = screen.waiting::<ListConversations>();
    for n in 50..80 {
        screen.event(Event::Message {
            message: message("carol", n, "carol", "again", "received", 0),
        });
    }
    assert!(screen.waiting::<ListConversations>() <= before + 1);
}

#[test]
fn an_invite_on_the_command_line_waits_for_a_name() {
    let mut screen = Stage::opening(80, 24, Some(Start::Invite("hushwing:invite#AbC".into())));
    screen.answer::<GetStatus>(&status(""));
    assert_eq!(screen.waiting::<Accept>(), 0);
    // A name that is refused is asked for again.
    screen.types("Bob\u{202e}");
    screen.key(KeyCode::Enter);
    screen.refuse::<SetName>("this is no name");
    assert!(screen.shows("What is your name?") && screen.shows("this is no name"));
    screen.types("Bob");
    screen.key(KeyCode::Enter);
    screen.answer::<SetName>(&Done {});
    screen.answer::<GetStatus>(&status("Bob"));
    assert_eq!(screen.last(), wants(&Accept { link: "hushwing:invite#AbC".into(), name: None }));
    assert!(screen.app.dialogs.is_empty());
    // With a name it is used at once, and once.
    let mut screen = Stage::opening(80, 24, Some(Start::Invite("hushwing:invite#AbC".into())));
    screen.answer::<GetStatus>(&status("bob"));
    assert_eq!(screen.waiting::<Accept>(), 1);
    screen.event(Event::Network { online: true, text: "connected".into() });
    screen.answer::<GetStatus>(&status("bob"));
    assert_eq!(screen.waiting::<Accept>(), 1);
}

#[test]
fn what_is_covered_or_below_is_not_seen() {
    let mut screen = alice(100, 24);
    screen.history(
        &(1..60)
            .map(|n| message("bob", n, "bob", &format!("number {n}"), "received", 90))
            .collect::<Vec<_>>(),
    );
    screen.key(KeyCode::F(1));
    screen.event(Event::Message { message: message("bob", 70, "bob", "one", "received", 0) });
    assert_eq!(screen.waiting::<MarkSeen>(), 0, "the help covers it");
    screen.key(KeyCode::Esc);
    assert_eq!(screen.last(), wants(&seen("bob", 70)));
    screen.key(KeyCode::PageUp);
    screen.event(Event::Message { message: message("bob", 71, "bob", "two", "received", 0) });
    assert_eq!(screen.waiting::<MarkSeen>(), 1, "one reads further up");
    screen.key(KeyCode::Esc);
    assert_eq!(screen.last(), wants(&seen("bob", 71)));
}
