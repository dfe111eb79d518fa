use super::world::*;
use crate::event::{Event, FileState};
use crate::messenger::Messenger;
use crate::store::{State, Store};
use e2ee::Floor;

//= DIRECT-003
//= DIRECT-006
#[test]
fn one_link_makes_two_people_contacts() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let name = |world: &mut World, who, id| {
        let p = world.of(who);
        p.messenger.overview(&p.store).unwrap().into_iter().find(|c| c.id == id).unwrap()
    };
    let at_alice = name(&mut world, alice, a);
    assert_eq!(
        (at_alice.given.as_str(), at_alice.verified, at_alice.open, at_alice.direct),
        ("bob", false, true, true)
    );
    assert_eq!(name(&mut world, bob, b).given, "alice");
    let words = |world: &mut World, who, id| world.of(who).messenger.safety_words(id).unwrap();
    assert_eq!(words(&mut world, alice, a), words(&mut world, bob, b));

    let said = world.say(alice, a, "hello bob");
    world.pass(5_000);
    assert_eq!(world.heard(bob, b), ["hello bob"]);
    assert_eq!(world.state(alice, a, said), State::Delivered);
    world.say(bob, b, "hello alice");
    world.pass(5_000);
    assert_eq!(world.heard(alice, a), ["hello alice"]);
}

//= DIRECT-003
#[test]
fn the_second_user_of_a_link_is_refused_and_the_inviter_told() {
    let mut world = World::new();
    let (alice, bob, mallory) =
        (world.person("alice"), world.person("bob"), world.person("mallory"));
    let link = world.invite(alice);
    world.accept(mallory, &link);
    world.settle();
    world.accept(bob, &link);
    world.settle();
    assert!(world.of(bob).events.iter().any(|e| matches!(e, Event::InviteFailed { .. })));
    assert!(world.ids(bob).is_empty());
    assert_eq!(world.ids(alice).len(), 1);
    assert!(world.of(alice).events.iter().any(|e| matches!(e, Event::InviteTriedAgain { .. })));
}

//= DIRECT-003
#[test]
fn an_invite_outlives_restarts_of_both() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let link = world.invite(alice);
    world.of(alice).online = false;
    world.accept(bob, &link);
    world.restart(bob);
    world.settle();
    world.restart(alice);
    world.of(alice).online = true;
    // Told that it is online, and no more: no time passes.
    world.settle();
    assert_eq!((world.ids(alice).len(), world.ids(bob).len()), (1, 1));
}

//= DIRECT-003
#[test]
fn an_invite_ends_when_it_is_taken_back_or_its_time_is_over() {
    let mut world = World::new();
    let (alice, bob, carol) = (world.person("alice"), world.person("bob"), world.person("carol"));
    let link = world.invite(alice);
    let id = world.of(alice).messenger.invites()[0].id;
    world.does(alice, |m, s| m.revoke(s, id));
    world.settle();
    world.accept(bob, &link);
    world.settle();
    assert!(world.of(bob).events.iter().any(|e| matches!(e, Event::InviteFailed { .. })));
    let link = world.invite(alice);
    world.pass(86_400_001);
    assert!(world.tries(carol, |m, s| m.accept(s, &link, Floor::Anywhere, None)).is_err());
    assert!(world.ids(alice).is_empty());
}

//= DIRECT-012
#[test]
fn the_stricter_floor_holds_at_both_ends() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let link = world.invite_under(alice, Floor::Hidden);
    world.accept(bob, &link);
    world.settle();
    for who in [alice, bob] {
        let p = world.of(who);
        assert_eq!(p.messenger.overview(&p.store).unwrap()[0].floor, Floor::Hidden);
    }
}

//= DIRECT-009
//= DIRECT-013
#[test]
fn what_was_said_while_the_other_was_away_arrives_in_order_and_once() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.of(bob).online = false;
    let texts: Vec<String> = (0..50).map(|n| format!("message {n}")).collect();
    let ids: Vec<_> = texts.iter().map(|t| world.say(alice, a, t)).collect();
    world.pass(60_000);
    assert_eq!(world.state(alice, a, ids[49]), State::Stored);
    let why = world.of(alice).messenger.why(a, ids[0]).unwrap().unwrap();
    assert_eq!(why.text, "at the hub; bob has not fetched it");
    world.of(bob).online = true;
    world.pass(60_000);
    assert_eq!(world.heard(bob, b), texts);
    assert!(ids.iter().all(|id| world.state(alice, a, *id) == State::Delivered));
    assert!(world.of(alice).messenger.why(a, ids[0]).unwrap().is_none());
}

//= DIRECT-004
//= DIRECT-005
#[test]
fn a_long_text_arrives_whole() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let text: String = (0..64 * 1024).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    world.say(alice, a, &text);
    world.pass(5_000);
    assert_eq!(world.heard(bob, b), std::slice::from_ref(&text));
    assert!(world.tries(alice, |m, s| m.say(s, a, &format!("{text}x"), None)).is_err());
}

//= DIRECT-014
#[test]
fn a_queued_message_can_be_taken_back_and_a_sent_one_not() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.of(alice).online = false;
    world.settle();
    let said = world.say(alice, a, "never mind");
    let why = world.of(alice).messenger.why(a, said).unwrap().unwrap();
    assert_eq!(why.text, "waits for a connection that the conversation's floor allows");
    world.does(alice, |m, s| m.cancel(s, a, said));
    assert_eq!(world.state(alice, a, said), State::Cancelled);
    world.of(alice).online = true;
    let sent = world.say(alice, a, "this one");
    world.settle();
    assert!(world.tries(alice, |m, s| m.cancel(s, a, sent)).is_err());
    world.pass(5_000);
    assert_eq!(world.heard(bob, b), ["this one"]);
}

//= DIRECT-005
#[test]
fn edits_deletes_reactions_and_replies_arrive() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let first = world.say(alice, a, "first");
    let second = world.say(alice, a, "second");
    world.pass(3_000);
    let answer = world.does(bob, |m, s| m.say(s, b, "yes", Some(first)));
    world.does(bob, |m, s| m.react(s, b, first, "👍", true));
    world.does(alice, |m, s| m.edit(s, a, first, "first, better"));
    world.does(alice, |m, s| m.delete(s, a, second));
    // Nobody edits what is another's.
    assert!(world.tries(bob, |m, s| m.edit(s, b, first, "mine")).is_err());
    world.pass(3_000);
    let all = world.history(bob, b);
    assert_eq!((all[0].message.text.as_str(), all[0].edited), ("first, better", true));
    assert_eq!((all[1].message.text.as_str(), all[1].deleted), ("", true));
    let at_alice = world.of(alice).store.message(&a, &answer).unwrap().unwrap();
    assert_eq!(at_alice.message.reply_to, Some(first));
    let reactions = world.of(alice).store.message(&a, &first).unwrap().unwrap().reactions;
    assert_eq!(
        (reactions.len(), reactions[0].emoji.as_str(), reactions[0].author_name.as_str()),
        (1, "👍", "bob")
    );
}

//= DIRECT-008
#[test]
fn messages_disappear_at_both_ends() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.say(bob, b, "to stay");
    world.does(alice, |m, s| m.set_timer(s, a, 60));
    world.pass(3_000);
    // Alice is away when it is said, for longer than the timer.
    world.of(alice).online = false;
    let said_at = world.now;
    let said = world.say(bob, b, "gone soon");
    world.pass(59_999);
    assert!(world.texts(bob, b).contains(&"gone soon".to_owned()), "a minute is not over");
    world.pass(1);
    assert_eq!(world.texts(bob, b), ["to stay"], "at its author's from when it was said");
    world.pass(3_600_000);
    world.of(alice).online = true;
    world.settle();
    assert_eq!(world.heard(alice, a), ["to stay", "gone soon"]);
    let there = world.of(alice).store.message(&a, &said).unwrap().unwrap();
    assert_eq!(there.message.sent_at, said_at);
    world.restart(alice);
    world.pass(59_999);
    assert_eq!(world.heard(alice, a), ["to stay", "gone soon"], "from when it came");
    world.pass(1);
    assert_eq!(world.heard(alice, a), ["to stay"]);
    assert!(
        world
            .notices(bob, b)
            .contains(&"alice set messages to disappear after 1 minute".to_owned())
    );
    // Nothing else holds the text either: it is acknowledged, so the outbox is empty.
    world.pass(60_000);
    for who in [alice, bob] {
        let store = &world.of(who).store;
        assert!(store.holds("to stay") && !store.holds("gone soon"));
    }
}

//= DIRECT-007
#[test]
fn receipts_govern_what_is_shown_and_nothing_else() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let first = world.say(alice, a, "one");
    world.pass(5_000);
    let number = world.history(bob, b).last().unwrap().number;
    world.does(bob, |m, s| m.seen(s, b, number));
    world.pass(5_000);
    assert_eq!(world.state(alice, a, first), State::Read);
    let quiet =
        crate::Settings { delivery_receipts: false, read_receipts: false, ..Default::default() };
    let now = world.now;
    let person = world.of(bob);
    let mut step = crate::Step { now, rng: &mut person.rng, store: &person.store, via: "" };
    person.messenger = Messenger::load(&mut step, quiet).unwrap();
    let second = world.say(alice, a, "two");
    world.pass(5_000);
    let number = world.history(bob, b).last().unwrap().number;
    world.does(bob, |m, s| m.seen(s, b, number));
    world.pass(5_000);
    assert_eq!(world.state(alice, a, second), State::Stored);
    // The outbox is empty all the same: the acknowledgement came.
    let p = world.of(alice);
    assert_eq!(p.messenger.overview(&p.store).unwrap()[0].unacknowledged, 0);
}

//= FILE-001
//= FILE-002
#[test]
fn a_file_is_offered_accepted_and_fetched_through_restarts() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let file = crate::transfer::NewFile {
        name: "../holiday.jpg".into(),
        size: bytes.len() as u64,
        sha256: [7; 32],
        path: "x".into(),
    };
    world.of(alice).files.insert(e2ee::id::TransferId::new([0; 16]), Vec::new());
    let now = world.now;
    let person = world.of(alice);
    let mut step = crate::Step { now, rng: &mut person.rng, store: &person.store, via: "" };
    let (_, transfer) = person.messenger.send_file(&mut step, a, &file).unwrap();
    person.files.insert(transfer, bytes.clone());
    world.pass(1_000);
    world.restart(alice);
    world.pass(5_000);
    let offered = world.of(bob).messenger.transfer(transfer).unwrap().clone();
    assert_eq!((offered.name.as_str(), offered.state), ("holiday.jpg", FileState::Offered));
    assert!(world.of(bob).files.is_empty(), "nothing is fetched before a yes");
    world.does(bob, |m, s| m.accept_file(s, transfer, "there".into()));
    world.settle();
    world.restart(bob);
    world.pass(5_000);
    assert_eq!(world.of(bob).files[&transfer], bytes);
    assert_eq!(world.of(bob).messenger.transfer(transfer).unwrap().state, FileState::Done);
    assert_eq!(world.history(bob, b).last().unwrap().message.text, "holiday.jpg");
}

/// A name from an upload or a disk can hold anything; what is offered holds no path and nothing
/// that changes how a screen shows it.
//= FILE-003
#[test]
fn a_hostile_file_name_is_harmless_before_it_leaves() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, _) = world.befriend(alice, bob);
    for (given, safe) in [
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        ("a/..", "file"),
        ("..\\..\\autoexec.bat", "autoexec.bat"),
        ("red\u{1b}[31m.txt", "red␛[31m.txt"),
        ("two\r\nlines\u{7}.txt", "two lines␇.txt"),
        ("cod\u{202e}txt.exe", "codtxt.exe"),
    ] {
        let (name, path) = (given.to_owned(), "x".to_owned());
        let file = crate::transfer::NewFile { name, size: 1, sha256: [7; 32], path };
        let now = world.now;
        let person = world.of(alice);
        let mut step = crate::Step { now, rng: &mut person.rng, store: &person.store, via: "" };
        let (_, transfer) = person.messenger.send_file(&mut step, a, &file).unwrap();
        assert_eq!(person.messenger.transfer(transfer).unwrap().name, safe, "{given:?}");
        assert_eq!(world.history(alice, a).last().unwrap().message.text, safe, "{given:?}");
    }
}

/// Eve has all that the hub has. She is a contact of alice herself, so she can write boxes that
/// verify, and the hub gives everyone all boxes whatever they asked for.
#[test]
fn a_stranger_can_neither_read_nor_post() {
    let mut world = World::new();
    let (alice, bob, eve) = (world.person("alice"), world.person("bob"), world.person("eve"));
    let (a, b) = world.befriend(alice, bob);
    let (e, at_eve) = world.befriend(alice, eve);
    world.say(alice, a, "for bob only");
    world.say(bob, b, "for alice only");
    world.say(eve, at_eve, "from eve");
    world.pass(60_000);
    let before = world.hubs[0].log.len();
    for _ in 0..3 {
        world.floods();
        world.pass(5_000);
    }
    assert_eq!(world.hubs[0].log.len(), before, "nobody took a box for news or one for lost");
    world.say(bob, b, "still here");
    world.say(alice, a, "so am I");
    world.pass(5_000);
    assert_eq!(world.heard(bob, b), ["for bob only", "so am I"]);
    assert_eq!(world.heard(alice, a), ["for alice only", "still here"]);
    assert_eq!(world.heard(alice, e), ["from eve"]);
    assert!(world.heard(eve, at_eve).is_empty());
    assert_eq!(world.ids(eve).into_iter().collect::<Vec<_>>(), [at_eve]);
    for conversation in [a, b] {
        assert!(world.tries(eve, |m, s| m.say(s, conversation, "hi", None)).is_err());
    }
    // At an id that is another's her box does not verify, and what is in theirs she cannot see.
    let boxes: Vec<_> = world.hubs[0].boxes.values().cloned().collect();
    let (first, second) = (&boxes[0], &boxes[1]);
    let forged = streams::SealedBox { id: first.id, ..second.clone() };
    assert!(forged.verify().is_err());
    let seen = |text: &str| {
        let found = |b: &streams::SealedBox| {
            b.ciphertext.windows(text.len()).any(|part| part == text.as_bytes())
        };
        boxes.iter().any(found)
    };
    assert!(!seen("for bob only") && !seen("for alice only") && !seen("from eve"));
}

//= DIRECT-015
#[test]
fn leaving_ends_a_direct_chat_for_both() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.does(alice, |m, s| m.leave(s, a));
    world.pass(5_000);
    assert!(world.notices(bob, b).contains(&"alice has ended this conversation".to_owned()));
    assert!(world.tries(bob, |m, s| m.say(s, b, "wait", None)).is_err());
    world.does(alice, |m, s| m.forget(s, a));
    assert!(world.ids(alice).is_empty());
}

//= GROUP-013
#[test]
fn keys_are_drawn_anew_by_themselves() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let before = world.of(bob).messenger.epoch(b);
    for n in 0..150 {
        world.say(alice, a, &format!("message {n}"));
        world.pass(1_000);
    }
    let by_messages = world.of(bob).messenger.epoch(b);
    assert!(by_messages > before, "after a hundred messages");
    world.pass(2 * 86_400_000);
    world.say(bob, b, "good morning");
    world.pass(60_000);
    assert!(world.of(alice).messenger.epoch(a) > by_messages, "after a day");
    assert_eq!(world.heard(bob, b).len(), 150);
    assert_eq!(world.heard(alice, a), ["good morning"]);
}
