use std::collections::BTreeSet;

use e2ee::id::ConversationId;
use e2ee::mls::PAST_EPOCHS;
use streams::BoxId;

use super::world::*;
use crate::reader::WINDOW;
use crate::store::State;

//= GROUP-015
#[test]
fn three_people_talk_in_a_group() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.say(people[2], ids[2], "hello all");
    world.pass(60_000);
    assert_eq!(world.heard(people[0], ids[0]), ["hello all"]);
    assert_eq!(world.heard(people[1], ids[1]), ["hello all"]);
    for (who, id) in people.iter().zip(&ids) {
        let p = world.of(*who);
        assert_eq!(p.messenger.participants(&p.store, *id).unwrap().len(), 3);
    }
}

//= GROUP-005
#[test]
fn two_commits_at_once_and_the_loser_notices_nothing() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.settle();
    world.does(people[0], |m, s| m.rename_group(s, ids[0], "climbers"));
    world.does(people[1], |m, s| m.rename_group(s, ids[1], "swimmers"));
    world.does(people[2], |m, s| m.refresh(s, ids[2]));
    world.pass(60_000);
    let titles: Vec<_> = people
        .iter()
        .map(|w| {
            let p = world.of(*w);
            let all = p.messenger.overview(&p.store).unwrap();
            all.into_iter().find(|c| !c.direct).map(|c| (c.given, c.changing)).unwrap()
        })
        .collect();
    assert!(titles.iter().all(|t| *t == titles[0] && !t.1), "{titles:?}");
    world.say(people[0], ids[0], "still together");
    world.pass(60_000);
    assert_eq!(world.heard(people[1], ids[1]), ["still together"]);
    assert_eq!(world.heard(people[2], ids[2]), ["still together"]);
}

//= GROUP-009
#[test]
fn whoever_is_removed_hears_nothing_more_and_whoever_comes_nothing_from_before() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let [alice, bob, carol] = people;
    let ids = world.group("friends", &[alice, bob]);
    world.say(alice, ids[0], "before carol");
    world.pass(30_000);
    let (there, _) = world.befriend(alice, carol);
    let in_group = world.bring(alice, ids[0], there, carol);
    world.say(alice, ids[0], "with carol");
    world.pass(30_000);
    assert_eq!(world.heard(carol, in_group), ["with carol"]);
    assert!(world.notices(bob, ids[1]).iter().any(|n| n.contains("added carol")), "not unseen");
    let p = world.of(alice);
    let all = p.messenger.participants(&p.store, ids[0]).unwrap();
    let member = all.into_iter().find(|m| m.name == "bob").unwrap().id;
    world.does(alice, |m, s| m.remove_member(s, ids[0], member));
    world.pass(1_000);
    world.say(carol, in_group, "after bob");
    world.pass(30_000);
    assert_eq!(world.heard(alice, ids[0]), ["after bob"]);
    assert_eq!(world.heard(bob, ids[1]), ["before carol", "with carol"]);
    assert!(world.notices(bob, ids[1]).iter().any(|n| n.contains("removed you")));
    assert!(world.tries(bob, |m, s| m.say(s, ids[1], "hello?", None)).is_err());
}

#[test]
fn leaving_is_a_message_and_another_member_commits_it() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.does(people[1], |m, s| m.leave(s, ids[1]));
    world.pass(60_000);
    for n in [0, 2] {
        let p = world.of(people[n]);
        let all = p.messenger.participants(&p.store, ids[n]).unwrap();
        assert_eq!(all.len(), 2, "{all:?}");
    }
    assert!(world.tries(people[1], |m, s| m.say(s, ids[1], "hello?", None)).is_err());
}

/// Two contacts, and the chat as each of them has it.
fn two() -> (World, [Who; 2], [ConversationId; 2]) {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|n| world.person(n));
    let (to_bob, to_alice) = world.befriend(alice, bob);
    world.pass(60_000);
    (world, [alice, bob], [to_bob, to_alice])
}

/// What this person puts at the hub for something, while nobody else does anything.
fn puts<T>(world: &mut World, who: Who, act: impl FnOnce(&mut World) -> T) -> BTreeSet<BoxId> {
    let before: BTreeSet<_> = world.hubs[0].boxes.keys().copied().collect();
    act(world);
    world.settle_only(who);
    world.hubs[0].boxes.keys().copied().filter(|id| !before.contains(id)).collect()
}

/// Takes this member alone into a new epoch, with what it puts at the hub for that.
fn moves_on(world: &mut World, who: Who, conversation: ConversationId) -> BTreeSet<BoxId> {
    puts(world, who, |w| w.does(who, |m, s| m.refresh(s, conversation)))
}

//= GROUP-014
#[test]
fn what_was_said_before_its_author_heard_of_a_new_epoch_is_shown_first() {
    let (mut world, [alice, bob], [to_bob, to_alice]) = two();
    // Bob is in the new epoch and has found nothing more in the old one, where alice still is.
    world.hubs[0].hidden = moves_on(&mut world, bob, to_alice);
    world.say(alice, to_bob, "one");
    world.settle();
    world.hubs[0].hidden.clear();
    world.settle();
    world.say(alice, to_bob, "two");
    world.settle();
    world.pass(60_000);
    assert_eq!(world.heard(bob, to_alice), ["one", "two"]);
}

//= GROUP-014
#[test]
fn a_look_that_nobody_answers_does_not_show_that_nothing_was_said() {
    let (mut world, [alice, bob], [to_bob, to_alice]) = two();
    world.hubs[0].hidden = moves_on(&mut world, bob, to_alice);
    world.say(alice, to_bob, "one");
    world.settle_only(alice);
    world.hubs[0].hidden.clear();
    world.settle_only(alice);
    world.say(alice, to_bob, "two");
    world.settle_only(alice);
    world.hubs[0].silent = 3;
    world.settle();
    assert!(world.heard(bob, to_alice).is_empty(), "it has to be asked for once more");
    world.pass(10_000);
    assert_eq!(world.heard(bob, to_alice), ["one", "two"]);
}

//= GROUP-008
#[test]
fn what_came_since_the_last_look_is_read_before_its_epoch_leaves_the_window() {
    let (mut world, [alice, bob], [to_bob, to_alice]) = two();
    // Bob has looked at the epoch in which alice still is, and found nothing.
    world.hubs[0].hidden = moves_on(&mut world, bob, to_alice);
    world.say(alice, to_bob, "one");
    world.settle_only(alice);
    world.hubs[0].hidden.clear();
    world.settle_only(alice);
    // What she says in the new one is on its way to him for long.
    world.hubs[0].hidden = puts(&mut world, alice, |w| w.say(alice, to_bob, "two"));
    for _ in 0..PAST_EPOCHS {
        moves_on(&mut world, bob, to_alice);
    }
    assert_eq!(world.heard(bob, to_alice), ["one"]);
    world.hubs[0].hidden.clear();
    world.settle();
    world.pass(60_000);
    assert_eq!(world.heard(bob, to_alice), ["one", "two"]);
}

//= GROUP-022
#[test]
fn what_came_too_late_for_faster_members_is_said_again_first() {
    let (mut world, [alice, bob], [to_bob, to_alice]) = two();
    // Bob is so many epochs ahead that he reads no more where alice still is.
    for _ in 0..=PAST_EPOCHS {
        let change = moves_on(&mut world, bob, to_alice);
        world.hubs[0].hidden.extend(change);
    }
    world.say(alice, to_bob, "one");
    world.say(alice, to_bob, "two");
    world.settle_only(alice);
    world.hubs[0].hidden.clear();
    world.settle_only(alice);
    let three = world.say(alice, to_bob, "three");
    world.settle();
    world.pass(60_000);
    assert_eq!(world.heard(bob, to_alice), ["one", "two", "three"]);
    assert_eq!(world.state(alice, to_bob, three), State::Delivered);
}

//= GROUP-022
#[test]
fn what_an_absent_member_has_not_read_is_not_said_again_with_every_epoch() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    world.of(people[2]).online = false;
    for n in 0..20 {
        world.say(people[0], ids[0], &n.to_string());
    }
    world.pass(60_000);
    for _ in 0..=PAST_EPOCHS {
        world.does(people[1], |m, s| m.refresh(s, ids[1]));
        world.pass(60_000);
    }
    let puts = world.hubs[0].puts;
    for _ in 0..4 {
        world.does(people[1], |m, s| m.refresh(s, ids[1]));
        world.pass(60_000);
    }
    assert!(world.hubs[0].puts - puts < 40, "each of them would be twenty");
}

//= GROUP-022
#[test]
fn what_the_hub_did_not_have_when_its_epoch_ended_stays_in_its_order() {
    let (mut world, [alice, bob], [to_bob, to_alice]) = two();
    world.hubs[0].refuses = 1;
    let one = world.say(alice, to_bob, "one");
    world.say(alice, to_bob, "two");
    world.settle();
    world.does(bob, |m, s| m.refresh(s, to_alice));
    world.settle();
    world.say(alice, to_bob, "three");
    world.settle();
    world.pass(25_000);
    assert_eq!(world.heard(bob, to_alice), ["one", "two", "three"]);
    assert_eq!(world.state(alice, to_bob, one), State::Delivered);
}

//= GROUP-021
#[test]
fn a_box_that_the_hub_does_not_take_for_minutes_stays_in_its_place() {
    let (mut world, [alice, bob], [to_bob, to_alice]) = two();
    world.hubs[0].refuses_one = Some((world.now.plus_millis(240_000), None));
    let said: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let before = world.hubs[0].boxes.len();
    for text in &said {
        world.say(alice, to_bob, text);
    }
    world.pass(200_000);
    assert!(world.heard(bob, to_alice).is_empty());
    let there = world.hubs[0].boxes.len() - before;
    assert_eq!(there, WINDOW - 1, "those that were under way with it, and no later ones");
    world.pass(100_000);
    assert_eq!(world.heard(bob, to_alice), said);
}

//= GROUP-008
//= GROUP-014
#[test]
fn a_member_who_was_away_for_many_messages_and_epochs_catches_up() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    world.of(people[2]).online = false;
    let mut said = Vec::new();
    for epoch in 0..20 {
        for n in 0..50 {
            let text = format!("{epoch}/{n}");
            world.say(people[epoch % 2], ids[epoch % 2], &text);
            said.push(text);
        }
        world.pass(20_000);
        world.does(people[(epoch + 1) % 2], |m, s| m.refresh(s, ids[(epoch + 1) % 2]));
        world.pass(20_000);
    }
    world.of(people[2]).online = true;
    world.pass(120_000);
    let mut heard = world.heard(people[2], ids[2]);
    assert_eq!(heard.len(), said.len());
    // Each author's messages stand in their order.
    let of = |all: &[String], author: u32| -> Vec<String> {
        let by = |t: &&String| t.split('/').next().unwrap().parse::<u32>().unwrap() % 2 == author;
        all.iter().filter(by).cloned().collect()
    };
    for author in 0..2 {
        assert_eq!(of(&heard, author), of(&said, author));
    }
    let key = |t: &String| t.split('/').map(|n| n.parse::<u32>().unwrap()).collect::<Vec<_>>();
    heard.sort_by_key(key);
    assert_eq!(heard, said);
    world.say(people[2], ids[2], "back");
    world.pass(60_000);
    assert_eq!(world.heard(people[0], ids[0]).last().unwrap(), "back");
}
