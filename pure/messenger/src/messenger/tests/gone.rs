//! What should be gone is gone: from the history, from what is on its way, from every space.

use e2ee::Floor;
use e2ee::id::{ConversationId, MessageId, TransferId};
use wire::Timestamp;

use super::world::{START, Who, World, place};
use crate::event::{Event, FileState};
use crate::messenger::{Messenger, Step};
use crate::store::{Author, Kind, NewMessage, Space, State, Store};
use crate::transfer::NewFile;

const MARK: &str = "ZEPPELIN-QUIXOTIC";
const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;

/// Where a word is kept: spaces by number, and the history.
fn holds(world: &mut World, who: Who, word: &str) -> Vec<String> {
    let store = &world.of(who).store;
    let has = |bytes: &[u8]| bytes.windows(word.len()).any(|w| w == word.as_bytes());
    let mut found = Vec::new();
    for space in Space::ALL {
        for (key, value) in store.scan(space, &[]).unwrap() {
            if has(&key) || has(&value) {
                found.push(format!("{space:?}"));
            }
        }
    }
    let all = store.history_after(None, 0, usize::MAX).unwrap();
    let said = |m: &crate::store::StoredMessage| {
        has(m.message.text.as_bytes()) || m.reactions.iter().any(|r| has(r.emoji.as_bytes()))
    };
    found.extend(all.iter().filter(|m| said(m)).map(|_| "history".to_owned()));
    found
}

/// Everything that is kept except for settings.
fn records(world: &mut World, who: Who) -> Vec<(Space, Vec<u8>)> {
    let store = &world.of(who).store;
    let spaces = Space::ALL.into_iter().filter(|s| *s != Space::Setting);
    let all = |space| store.scan(space, &[]).unwrap().into_iter().map(move |(k, _)| (space, k));
    spaces.flat_map(all).collect()
}

struct Two {
    world: World,
    alice: Who,
    bob: Who,
    here: ConversationId,
    there: ConversationId,
}

/// Two contacts; with a timer, messages disappear after a minute.
fn two(timer: bool) -> Two {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (here, there) = world.befriend(alice, bob);
    if timer {
        world.does(alice, |m, s| m.set_timer(s, here, 60));
    }
    world.pass(10 * MINUTE);
    Two { world, alice, bob, here, there }
}

impl Two {
    /// Time passes for somebody who is not connected.
    fn alone(&mut self, who: Who, ms: u64) {
        self.world.now = self.world.now.plus_millis(ms);
        self.world.does(who, Messenger::tick);
    }
}

/// Sends a file; what the messenger asks the disk for is answered later.
fn send_file(
    world: &mut World,
    who: Who,
    to: ConversationId,
    name: &str,
) -> (MessageId, TransferId) {
    let now = world.now;
    let person = world.of(who);
    let mut step = Step { now, rng: &mut person.rng, store: &person.store, via: "" };
    let (id, transfer) = person.messenger.send_file(&mut step, to, &file(name)).unwrap();
    person.files.insert(transfer, vec![0; 9_000]);
    (id, transfer)
}

fn file(name: &str) -> NewFile {
    NewFile { name: name.to_owned(), size: 9_000, sha256: [7; 32], path: format!("/tmp/{name}") }
}

//= GONE-003
#[test]
fn a_message_that_has_disappeared_before_it_left_never_leaves() {
    let mut t = two(true);
    let (alice, bob) = (t.alice, t.bob);
    t.world.of(alice).online = false;
    t.world.settle();
    let id = t.world.say(alice, t.here, MARK);
    t.world.does(alice, |m, s| m.react(s, t.here, id, MARK, true));
    t.world.does(alice, |m, s| m.edit(s, t.here, id, &format!("{MARK} again")));
    assert_eq!(holds(&mut t.world, alice, MARK), ["Outbox", "Outbox", "Outbox", "history"]);
    t.alone(alice, MINUTE);
    assert!(holds(&mut t.world, alice, MARK).is_empty());
    t.world.of(alice).online = true;
    t.world.settle();
    let later = t.world.say(alice, t.here, "later");
    t.world.settle();
    assert_eq!(t.world.heard(bob, t.there), ["later"]);
    t.world.pass(MINUTE / 2);
    assert_eq!(t.world.state(alice, t.here, later), State::Delivered);
    assert!(holds(&mut t.world, bob, MARK).is_empty());
}

//= GONE-003
#[test]
fn what_was_sealed_and_not_stored_leaves_its_place_to_a_box_that_says_nothing() {
    let mut t = two(true);
    let (alice, bob) = (t.alice, t.bob);
    // Sealed, and under way when the connection breaks; longer than what readers look ahead.
    let id = t.world.say(alice, t.here, &MARK.repeat(2_000));
    t.world.of(alice).online = false;
    t.world.settle();
    t.alone(alice, MINUTE);
    assert!(holds(&mut t.world, alice, MARK).is_empty());
    assert!(t.world.of(alice).store.message(&t.here, &id).unwrap().is_none());
    // Its boxes are as many and as long as they were, also after a restart.
    t.world.restart(alice);
    let before = t.world.hubs[0].log.len();
    t.world.of(alice).online = true;
    t.world.settle();
    let sealed = t.world.hubs[0].log[before..].to_vec();
    assert!(sealed.len() >= 17, "{}", sealed.len());
    let lens: std::collections::BTreeSet<usize> =
        sealed.iter().map(|id| t.world.hubs[0].boxes[id].ciphertext.len()).collect();
    assert_eq!(lens.len(), 1, "no box tells that something was withdrawn");
    // Whoever reads is not held up, and misses nothing that was said later.
    let later = t.world.say(alice, t.here, "later");
    t.world.settle();
    assert_eq!(t.world.heard(bob, t.there), ["later"]);
    t.world.pass(30_000);
    assert_eq!(t.world.state(alice, t.here, later), State::Delivered);
    assert_eq!(t.world.of(alice).messenger.unstored(), 0);
}

//= GONE-003
#[test]
fn a_part_that_came_to_the_hub_does_no_harm() {
    for stored in [0, 1, 5, 40] {
        let mut t = two(true);
        let (alice, bob) = (t.alice, t.bob);
        let before = t.world.hubs[0].log.len();
        t.world.say(alice, t.here, &MARK.repeat(2_000));
        // Killed before anything that the hub answers was written down.
        let kept = t.world.of(alice).store.copy();
        t.world.settle_only(alice);
        let hub = &mut t.world.hubs[0];
        for lost in hub.log.split_off(hub.log.len().min(before + stored)) {
            hub.boxes.remove(&lost);
        }
        t.world.of(alice).store = kept;
        t.world.of(alice).online = false;
        t.world.restart(alice);
        t.world.settle_only(bob);
        t.alone(alice, MINUTE);
        assert!(holds(&mut t.world, alice, MARK).is_empty());
        t.world.of(alice).online = true;
        t.world.settle();
        let later = t.world.say(alice, t.here, "later");
        t.world.settle();
        let heard = t.world.heard(bob, t.there);
        assert_eq!(heard.last().map(String::as_str), Some("later"));
        assert_eq!(heard.len(), if stored == 40 { 2 } else { 1 }, "whole or not at all");
        t.world.pass(30_000);
        assert_eq!(t.world.state(alice, t.here, later), State::Delivered, "no place is lost");
    }
}

//= GONE-003
#[test]
fn what_is_stored_and_not_acknowledged_is_not_kept_longer_than_the_message() {
    let mut t = two(true);
    let (alice, bob) = (t.alice, t.bob);
    t.world.of(bob).online = false;
    t.world.say(alice, t.here, MARK);
    t.world.settle();
    assert_eq!(t.world.of(alice).messenger.unstored(), 0);
    t.alone(alice, MINUTE - 1);
    assert_eq!(holds(&mut t.world, alice, MARK), ["Outbox", "history"]);
    t.alone(alice, 1);
    assert!(holds(&mut t.world, alice, MARK).is_empty());
    // It lies at the hub, and so it comes; there its own time begins.
    t.world.of(bob).online = true;
    t.world.settle();
    assert_eq!(t.world.heard(bob, t.there), [MARK]);
    t.alone(bob, MINUTE);
    assert!(holds(&mut t.world, bob, MARK).is_empty());
}

//= GONE-003
#[test]
fn what_is_deleted_or_too_old_does_not_wait_in_the_outbox() {
    let mut t = two(false);
    let (alice, bob) = (t.alice, t.bob);
    t.world.of(bob).online = false;
    let deleted = t.world.say(alice, t.here, MARK);
    t.world.settle();
    t.world.does(alice, |m, s| m.delete(s, t.here, deleted));
    assert!(holds(&mut t.world, alice, MARK).is_empty());
    let old = t.world.say(alice, t.here, MARK);
    t.world.settle();
    let now = t.world.now;
    t.world.does(alice, |m, s| m.forget_before(s, now));
    assert_eq!(holds(&mut t.world, alice, MARK), ["Outbox", "history"]);
    t.world.does(alice, |m, s| m.forget_before(s, now.plus_millis(1)));
    assert!(holds(&mut t.world, alice, MARK).is_empty());
    assert!(t.world.of(alice).store.message(&t.here, &old).unwrap().is_none());
    // Bob gets what lies at the hub, and the deletion of the first.
    t.world.of(bob).online = true;
    t.world.settle();
    assert_eq!(t.world.heard(bob, t.there), ["", MARK]);
}

//= GONE-003
#[test]
fn nobody_withdraws_what_another_person_wrote() {
    let mut t = two(false);
    let (alice, bob) = (t.alice, t.bob);
    t.world.of(alice).online = false;
    t.world.settle();
    let ours = t.world.say(alice, t.here, MARK);
    // A member sends a message under the id of ours, which disappears soon.
    let theirs = NewMessage {
        conversation: t.here,
        id: ours,
        author: Author::Member(e2ee::id::MemberId::new([9; 16])),
        author_name: "mallory".to_owned(),
        sent_at: START,
        received_at: START,
        kind: Kind::Text,
        text: "x".to_owned(),
        reply_to: None,
        state: State::Received,
        expires_at: Some(Timestamp::ZERO),
        route: String::new(),
    };
    assert!(t.world.of(alice).store.add_message(&theirs).unwrap());
    t.alone(alice, 1);
    t.world.of(alice).online = true;
    t.world.settle();
    assert_eq!(t.world.heard(bob, t.there), [MARK]);
}

//= GONE-004
#[test]
fn an_edit_that_came_before_its_message_does_not_wait_for_ever() {
    for (timer, span) in [(true, MINUTE), (false, 28 * DAY)] {
        let mut t = two(timer);
        let (alice, bob) = (t.alice, t.bob);
        let before = t.world.hubs[0].log.len();
        let id = t.world.say(alice, t.here, "first");
        t.world.settle_only(alice);
        let lost = t.world.hubs[0].log[before..].to_vec();
        t.world.hubs[0].hidden.extend(lost);
        t.world.say(alice, t.here, "second");
        t.world.does(alice, |m, s| m.edit(s, t.here, id, MARK));
        t.world.settle_only(alice);
        t.world.of(alice).online = false;
        t.world.settle();
        t.alone(bob, 5 * MINUTE);
        assert_eq!(holds(&mut t.world, bob, MARK), ["Conversation"], "after the gap");
        t.world.restart(bob);
        t.alone(bob, span - 1);
        assert_eq!(holds(&mut t.world, bob, MARK), ["Conversation"]);
        t.alone(bob, 1);
        assert!(holds(&mut t.world, bob, MARK).is_empty());
    }
}

//= GONE-003
#[test]
fn a_file_goes_with_its_message() {
    for how in ["disappears", "deleted by its author", "deleted here"] {
        let mut t = two(how == "disappears");
        let (alice, bob) = (t.alice, t.bob);
        let (id, _) = send_file(&mut t.world, alice, t.here, MARK);
        t.world.settle();
        // What bob asks for does not come yet.
        let there: Vec<_> = t.world.hubs[0].boxes.keys().copied().collect();
        let offered = t.world.of(bob).messenger.transfers().next().map(|(id, _)| id).unwrap();
        t.world.hubs[0].hidden.extend(there);
        t.world.does(bob, |m, s| m.accept_file(s, offered, format!("/home/{MARK}")));
        assert!(holds(&mut t.world, bob, MARK).contains(&"Transfer".to_owned()));
        match how {
            "disappears" => {
                t.alone(alice, MINUTE);
                t.alone(bob, 0);
            }
            "deleted by its author" => {
                t.world.does(alice, |m, s| m.delete(s, t.here, id));
                t.world.settle();
            }
            _ => t.world.does(bob, |m, s| m.delete(s, t.there, id)),
        }
        assert!(holds(&mut t.world, bob, MARK).is_empty(), "{how}");
        let gone = |e: &Event| matches!(e, Event::FileGone { transfer, whole: false, .. } if *transfer == offered);
        assert!(t.world.of(bob).events.iter().any(gone), "its piece on the disk goes, too");
        assert_eq!(t.world.of(bob).messenger.transfers().count(), 0);
        if how != "deleted here" {
            assert!(holds(&mut t.world, alice, MARK).is_empty(), "{how}");
        }
        t.world.settle();
    }
}

//= GONE-005
#[test]
fn an_invite_that_was_used_opens_nothing_any_more() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let link = world.invite(alice);
    let (kind, open) = world.of(alice).store.scan(Space::Invite, &[]).unwrap().remove(0);
    world.meet(alice, bob, &link);
    let used = world.of(alice).store.get(Space::Invite, &kind).unwrap().unwrap();
    assert!(used.len() < 1_000 && open.len() > 2_000, "neither a KeyPackage nor secrets");
    // It is listed for a day after its time.
    world.pass(2 * DAY + MINUTE);
    assert!(world.of(alice).store.scan(Space::Invite, &[]).unwrap().is_empty());
    assert!(world.of(alice).messenger.invites().is_empty());
}

/// Bob's life: contacts that he invited and that invited him, a group of his, one that he joined,
/// one that he was invited to, one that he said yes to, messages, files, drafts of all of it.
fn busy() -> (World, Who, Vec<ConversationId>) {
    let mut world = World::new();
    let (alice, bob, carol) = (world.person("alice"), world.person("bob"), world.person("carol"));
    let (_, b_alice) = world.befriend(alice, bob);
    let (b_carol, c_bob) = world.befriend(bob, carol);
    let ours = world.does(bob, |m, s| m.create_group(s, &place(), Floor::Anywhere, "ours"));
    world.bring(bob, ours, b_alice, alice);
    let theirs = world.does(carol, |m, s| m.create_group(s, &place(), Floor::Anywhere, "theirs"));
    let joined = world.bring(carol, theirs, c_bob, bob);
    let next = world.does(carol, |m, s| m.create_group(s, &place(), Floor::Anywhere, "next"));
    for group in [next, theirs] {
        let _ = world.tries(carol, |m, s| m.invite_to_group(s, group, c_bob));
    }
    world.settle();
    // Bob says yes to one, and carol never hears it; another waits for his answer.
    let person = world.of(bob);
    let (token, ..) = person.messenger.group_invites(&person.store).unwrap()[0];
    world.of(carol).online = false;
    world.does(bob, |m, s| m.answer_group_invite(s, token, true));
    world.does(bob, |m, s| m.invite_to_group(s, ours, b_carol));
    world.settle();
    for id in [b_alice, b_carol, ours, joined] {
        world.of(bob).online = id != ours;
        let said = world.say(bob, id, MARK);
        world.does(bob, |m, s| m.edit(s, id, said, "edited"));
        world.does(bob, |m, s| m.react(s, id, said, "+", true));
        send_file(&mut world, bob, id, "notes.txt");
        world.settle();
    }
    world.of(bob).online = true;
    (world, bob, vec![b_alice, b_carol, ours, joined])
}

//= GONE-005
#[test]
fn of_a_forgotten_conversation_nothing_is_left_in_any_space() {
    for leave_first in [false, true] {
        let (mut world, bob, all) = busy();
        for id in &all {
            if leave_first {
                world.does(bob, |m, s| m.leave(s, *id));
                world.settle();
            }
            world.does(bob, |m, s| m.forget(s, *id));
            let named = records(&mut world, bob).into_iter().filter(|(space, key)| {
                let value = world.people[bob.0].store.get(*space, key).unwrap().unwrap();
                let has = |b: &[u8]| b.windows(16).any(|w| w == id.as_bytes());
                has(key) || has(&value)
            });
            assert_eq!(named.collect::<Vec<_>>(), [], "nothing names it");
            world.restart(bob);
            world.settle();
        }
        assert_eq!(records(&mut world, bob), [], "after leaving: {leave_first}");
        assert!(world.of(bob).store.history_after(None, 0, 9).unwrap().is_empty());
    }
}

//= GONE-005
#[test]
fn a_conversation_that_stays_keeps_all_that_is_its_own() {
    let (mut world, bob, all) = busy();
    let before = records(&mut world, bob).len();
    world.does(bob, |m, s| m.forget(s, all[0]));
    assert!(records(&mut world, bob).len() < before);
    for id in &all[1..] {
        let kept = world.of(bob).messenger.transfers().filter(|(_, t)| t.conversation == *id);
        assert_eq!(kept.count(), 1);
        let texts = world.history(bob, *id);
        assert!(texts.iter().any(|m| m.message.text == "edited"));
        assert!(texts.iter().all(|m| m.message.kind != Kind::File || !m.deleted));
    }
    let states = world.of(bob).messenger.transfers().map(|(_, t)| t.state);
    assert!(states.into_iter().all(|s| s != FileState::Failed));
}

#[test]
fn what_an_earlier_version_left_behind_goes_at_the_next_start() {
    let mut t = two(false);
    let bob = t.bob;
    t.world.of(bob).online = false;
    t.world.settle();
    t.world.say(bob, t.there, MARK);
    send_file(&mut t.world, bob, t.there, MARK);
    let store = &t.world.of(bob).store;
    // The rows of the history alone, as `tick` removed them.
    store.remove_conversation(&t.there).unwrap();
    let stray = [7; 16];
    let (_, transfer) = store.scan(Space::Transfer, &[]).unwrap().remove(0);
    store.put(Space::Transfer, &stray, &transfer).unwrap();
    assert!(!holds(&mut t.world, bob, MARK).is_empty());
    t.world.restart(bob);
    assert!(holds(&mut t.world, bob, MARK).is_empty());
}

//= GONE-001
#[test]
fn a_document_neither_hastens_nor_delays_what_disappears() {
    for document in [1, 50 * 365 * DAY] {
        let mut t = two(true);
        let (alice, here) = (t.alice, t.here);
        let local =
            |ms| move |m: &mut Messenger| m.set_local_time(Timestamp::from_millis(5_000 + ms));
        local(0)(&mut t.world.of(alice).messenger);
        t.world.say(alice, here, MARK);
        t.world.now = Timestamp::from_millis(document);
        local(MINUTE - 1)(&mut t.world.of(alice).messenger);
        t.world.does(alice, Messenger::tick);
        assert!(holds(&mut t.world, alice, MARK).contains(&"history".to_owned()));
        local(MINUTE)(&mut t.world.of(alice).messenger);
        t.world.does(alice, Messenger::tick);
        assert!(holds(&mut t.world, alice, MARK).is_empty());
    }
}
