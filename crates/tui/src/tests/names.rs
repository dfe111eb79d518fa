//! Names that others choose and change: everything belongs to the conversation that it was begun
//! in, whatever that is called now.

use api::{
    ListMembers, MarkSeen, MemberView, RemoveMember, RenameGroup, SendFile, SendText, SetOwnName,
    SetTimer, Verify,
};

use super::*;
use crate::state::Found;

/// Alice with two groups, as mallory is about to rename them: `work` has one member more.
fn two_groups(width: u16) -> Stage {
    let newest = |with: &str, number, ago| {
        Some(Box::new(message(with, number, "mallory", "hello", "received", ago)))
    };
    let family = ConversationView { newest: newest("family", 2, 1), ..group("family") };
    let work = ConversationView { members: 4, newest: newest("work", 1, 9), ..group("work") };
    let mut screen = Stage::of(width, 24, &[family, work], &[]);
    screen.history(&[message("family", 2, "mallory", "hello", "received", 1)]);
    assert_eq!(screen.app.current, Some(with("family")));
    screen
}

fn renamed(screen: &mut Stage, id: &str, was: &str, label: &str) {
    let (was, label) = (was.to_owned(), label.to_owned());
    screen.event(Event::Renamed { conversation: conversation(id), was, label });
}

/// mallory gives `family` another title and its old one to `work`, which has a member more.
fn swap(screen: &mut Stage) {
    renamed(screen, "family", "family", "kin");
    renamed(screen, "work", "work", "family");
    let called = |id: &str, label: &str| {
        let known = screen.app.view(conversation(id)).cloned().expect("it is listed");
        ConversationView { label: label.into(), title: label.into(), ..known }
    };
    let listed = vec![called("family", "kin"), called("work", "family")];
    screen.answer::<ListConversations>(&listed);
}

#[test]
fn a_typed_draft_stays_in_its_conversation_when_others_rename_that() {
    let mut screen = two_groups(100);
    screen.types("only for the three of us");
    swap(&mut screen);
    // It is still there, in the same conversation, under its new name.
    assert_eq!(screen.app.input.lines(), ["only for the three of us"]);
    assert!(screen.shows("│ kin ["), "{}", screen.text());
    screen.key(KeyCode::Enter);
    let text = "only for the three of us".to_owned();
    let request = SendText { conversation: conversation("family"), text, reply_to: None };
    assert_eq!(screen.last(), wants(&request));
}

#[test]
fn a_draft_that_was_left_is_found_in_its_conversation_and_in_no_other() {
    let mut screen = two_groups(100);
    screen.types("for the family");
    screen.alt(KeyCode::Right);
    screen.history(&[]);
    assert_eq!(screen.app.current, Some(with("work")));
    swap(&mut screen);
    // `work` is called `family` now, and has not got the draft.
    assert!(screen.app.input.is_empty());
    screen.alt(KeyCode::Left);
    assert_eq!(screen.app.current, Some(with("family")));
    assert_eq!(screen.app.input.lines(), ["for the family"]);
}

#[test]
fn a_draft_that_answers_a_message_still_answers_it_afterwards() {
    let mut screen = two_groups(100);
    screen.alt(KeyCode::Up);
    screen.key(KeyCode::Char('r'));
    screen.types("yes");
    screen.alt(KeyCode::Right);
    swap(&mut screen);
    screen.alt(KeyCode::Left);
    screen.key(KeyCode::Enter);
    let reply_to = Some(message_id(2));
    let request = SendText { conversation: conversation("family"), text: "yes".into(), reply_to };
    assert_eq!(screen.last(), wants(&request));
}

#[test]
fn a_rename_by_others_is_a_notice_where_one_writes() {
    let mut screen = two_groups(100);
    renamed(&mut screen, "family", "family", "kin");
    assert!(screen.shows("* “family” is now called “kin”"), "{}", screen.text());
    // It stays when the remark at the bottom has gone, and stands before what is said later.
    screen.at(NOW + 60_000, Input::Tick);
    let later = message("family", 3, "mallory", "who is kin?", "received", 0);
    screen.event(Event::Message { message: later });
    let text = screen.text();
    let (note, said) = (text.rfind("is now called"), text.rfind("mallory: who is kin?"));
    assert!(note.is_some() && note < said, "{text}");
    // It does not count as something that mallory wrote.
    assert_eq!(screen.rung.len(), 0);
    assert_eq!(text.matches("─ new ─").count(), 0, "{text}");
    // A conversation that was never open says it when it is opened, below what was unread before.
    let unread = message("work", 4, "mallory", "to all four", "received", 0);
    screen.event(Event::Message { message: unread.clone() });
    renamed(&mut screen, "work", "work", "family");
    screen.alt(KeyCode::Char('a'));
    screen.history(&[message("work", 1, "mallory", "hello", "received", 9), unread]);
    let text = screen.text();
    assert!(text.contains("* “work” is now called “family”"), "{text}");
    assert_eq!(text.matches("─ new ─").count(), 1, "{text}");
}

#[test]
fn renaming_without_end_fills_nothing() {
    let mut screen = two_groups(100);
    for n in 0..500 {
        renamed(&mut screen, "family", &format!("name {n}"), &format!("name {}", n + 1));
    }
    let log = screen.app.log().expect("it is open");
    assert!(log.lines.len() < 30, "{} lines", log.lines.len());
    assert!(screen.shows("“name 499” is now called “name 500”"));
    let log = screen.app.log().expect("it is open");
    assert!(log.lines.iter().any(|l| l.message() == Some(message_id(2))), "messages stay");
}

#[test]
fn an_unread_mark_stays_with_its_conversation() {
    let mut screen = two_groups(100);
    let news = message("work", 3, "mallory", "to all four", "received", 0);
    screen.event(Event::Message { message: news });
    assert_eq!((screen.app.unseen(with("work")), screen.app.unseen(with("family"))), (1, 0));
    swap(&mut screen);
    assert_eq!((screen.app.unseen(with("work")), screen.app.unseen(with("family"))), (1, 0));
    screen.alt(KeyCode::Char('a'));
    screen.history(&[message("work", 3, "mallory", "to all four", "received", 0)]);
    assert_eq!(screen.app.current, Some(with("work")));
    let seen = MarkSeen { conversation: conversation("work"), up_to: 3 };
    assert_eq!(screen.last(), wants(&seen));
}

#[test]
fn an_open_question_acts_on_the_conversation_that_it_was_opened_for() {
    let palette = |screen: &mut Stage, action: &str| {
        screen.ctrl('k');
        screen.types(action);
        screen.key(KeyCode::Enter);
    };
    let family = conversation("family");
    // A new title.
    let mut screen = two_groups(100);
    palette(&mut screen, "rename the group");
    swap(&mut screen);
    screen.types("!");
    screen.key(KeyCode::Enter);
    let request = RenameGroup { group: family, title: "family!".into() };
    assert_eq!(screen.last(), wants(&request));
    // A timer.
    let mut screen = two_groups(100);
    palette(&mut screen, "disappearing");
    swap(&mut screen);
    screen.types("1 day");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), wants(&SetTimer { conversation: family, seconds: 86_400 }));
    // A member who is removed.
    let mut screen = two_groups(100);
    palette(&mut screen, "remove a member");
    let member = |name: &str, you| MemberView {
        id: member_id(name),
        name: name.into(),
        you,
        contact: None,
        verified: false,
    };
    screen.answer::<ListMembers>(&vec![member("alice", true), member("mallory", false)]);
    swap(&mut screen);
    screen.key(KeyCode::Enter);
    let request = RemoveMember { group: family, member: member_id("mallory") };
    assert_eq!(screen.last(), wants(&request));
}

#[test]
fn a_file_goes_to_the_conversation_that_it_was_picked_for() {
    let mut screen = two_groups(100);
    screen.ctrl('o');
    let Some(Effect::ReadDir(to, None)) = screen.others.pop() else { panic!("it reads") };
    swap(&mut screen);
    let found = vec![Found { name: "us.png".into(), dir: false, bytes: 9 }];
    screen.input(Input::Dir(to, "/home/alice".into(), Ok(found)));
    screen.types("us");
    screen.key(KeyCode::Enter);
    let path = api::LocalPath::new("/home/alice/us.png");
    let request = SendFile { conversation: conversation("family"), path };
    assert_eq!(screen.last(), wants(&request));
}

#[test]
fn the_palette_opens_what_it_showed_when_it_was_opened() {
    let mut screen = two_groups(100);
    screen.ctrl('k');
    screen.types("work");
    swap(&mut screen);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.app.current, Some(with("work")));
    assert!(screen.shows("│ family ["), "its name now stands above it\n{}", screen.text());
}

#[test]
fn the_list_sorts_by_name_and_the_selection_follows_the_conversation() {
    let bob = contact("bob");
    let mut screen = Stage::of(60, 24, &[bob.clone(), contact("carol")], &[]);
    // On a narrow screen one chooses first: carol.
    screen.key(KeyCode::F(2));
    screen.key(KeyCode::Down);
    assert_eq!(screen.app.at, Some(with("carol")));
    // She takes a name that moves her to the top; what is below her is not what was chosen.
    renamed(&mut screen, "carol", "carol", "aaron");
    assert_eq!(screen.app.places(), [with("carol"), with("bob")]);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.app.current, Some(with("carol")));
    // Also where nothing was chosen by hand, and somebody else becomes the first one meanwhile.
    let mut screen = Stage::of(60, 24, &[bob, contact("carol")], &[]);
    let first = screen.app.at;
    assert_eq!(first, Some(with("bob")));
    screen.event(Event::Message { message: message("carol", 5, "carol", "hi", "received", 0) });
    assert_eq!(screen.app.places().first(), Some(&with("carol")));
    screen.key(KeyCode::Enter);
    assert_eq!(screen.app.current, first);
}

#[test]
fn two_that_look_alike_are_two() {
    // The engine tells them apart by their ids; the screen shows what it is given.
    let cyrillic = "f\u{430}mily";
    let label = |id: &str, title: &str| format!("{title}~{}", conversation(id).short());
    let one = ConversationView { label: label("family", "family"), ..group("family") };
    let other = ConversationView { label: label("other", cyrillic), ..group("other") };
    let mut screen = Stage::of(100, 24, &[one, other], &[]);
    screen.history(&[]);
    let open = screen.app.current.expect("one is open");
    screen.types("hello");
    screen.key(KeyCode::Enter);
    let Place::Conversation(conversation) = open else { panic!("a conversation") };
    let request = SendText { conversation, text: "hello".into(), reply_to: None };
    assert_eq!(screen.last(), wants(&request));
    for id in ["family", "other"] {
        assert!(screen.shows(&format!("~{}", super::conversation(id).short())));
    }
}

#[test]
fn an_own_name_is_set_and_taken_away() {
    let mut screen = alice(100, 24);
    screen.history(&[]);
    screen.ctrl('k');
    screen.types("rename (only");
    screen.key(KeyCode::Enter);
    for _ in 0.."bob".len() {
        screen.key(KeyCode::Backspace);
    }
    screen.key(KeyCode::Enter);
    let request = SetOwnName { conversation: conversation("bob"), name: None };
    assert_eq!(screen.last(), wants(&request));
}

#[test]
fn safety_words_verify_whom_they_were_shown_for() {
    let mut screen = alice(100, 24);
    screen.history(&[]);
    screen.types("/words");
    screen.key(KeyCode::Enter);
    let words = api::SafetyWordsView { words: "acrobat bicycle".into(), verified: false };
    screen.answer::<api::GetSafetyWords>(&words);
    renamed(&mut screen, "bob", "bob", "mallory");
    renamed(&mut screen, "carol", "carol", "bob");
    screen.key(KeyCode::Tab);
    screen.key(KeyCode::Enter);
    let request = Verify { conversation: conversation("bob"), words: Some(words.words.clone()) };
    assert_eq!(screen.last(), wants(&request));
    screen.answer::<Verify>(&api::Done {});
    assert!(screen.shows("mallory is now verified"), "{}", screen.text());
}

#[test]
fn no_event_opens_another_conversation_under_a_typing_hand() {
    // An invite is accepted, and something is typed to bob until the contact is there.
    let mut screen = alice(100, 24);
    screen.history(&[]);
    screen.pastes("hushwing:invite#AbC");
    screen.key(KeyCode::Enter);
    screen.types("the door code is");
    let opened = api::Opened { conversation: conversation("erin"), label: "erin".into() };
    screen.answer::<api::Accept>(&opened);
    assert_eq!(screen.app.current, Some(with("bob")));
    assert!(screen.shows("erin is ready"));
    screen.types(" 4711");
    screen.key(KeyCode::Enter);
    let text = "the door code is 4711".to_owned();
    let request = SendText { conversation: conversation("bob"), text, reply_to: None };
    assert_eq!(screen.last(), wants(&request));
    // Another window removes the conversation while something is typed there.
    screen.types("half a sen");
    screen.event(Event::Forgotten { conversation: conversation("bob") });
    let rest = vec![contact("carol"), group("Hiking")];
    screen.answer::<ListConversations>(&rest);
    let before = screen.waiting::<SendText>();
    screen.types("tence");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.waiting::<SendText>(), before, "nobody else gets it");
}
