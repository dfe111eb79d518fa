use super::world::*;
use crate::event::Event;
use crate::store::State;
use crate::{Messenger, Settings, Step};

//= DIRECT-009
#[test]
fn a_crash_at_any_step_loses_nothing_and_repeats_nothing() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let mut said = Vec::new();
    for n in 0..100 {
        let text = format!("message {n}");
        world.say(alice, a, &text);
        said.push(text);
        if n % 3 == 0 {
            world.restart(alice);
        }
        if n % 4 == 0 {
            world.pass(300);
            world.restart(bob);
        }
    }
    world.pass(60_000);
    assert_eq!(world.heard(bob, b), said);
    let p = world.of(alice);
    assert_eq!(p.messenger.overview(&p.store).unwrap()[0].unacknowledged, 0);
}

//= GROUP-010
#[test]
fn a_profile_that_was_away_too_long_is_added_again() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.say(alice, a, "before");
    world.pass(10_000);
    world.of(bob).online = false;
    world.pass(14 * 86_400_000);
    world.say(alice, a, "are you there?");
    world.pass(10_000);
    world.of(bob).online = true;
    world.pass(2 * 86_400_000);
    assert!(
        world.notices(bob, b).iter().any(|n| n.contains("was away for longer")),
        "{:?}",
        world.notices(bob, b)
    );
    assert!(
        world.notices(alice, a).iter().any(|n| n.contains("compare the safety words once more"))
    );
    assert_eq!(world.heard(bob, b), ["before", "are you there?"]);
    let said = world.say(bob, b, "I am back");
    world.pass(10_000);
    assert_eq!(world.heard(alice, a), ["I am back"]);
    assert_eq!(world.state(bob, b, said), State::Delivered);
}

//= GROUP-011
//= GROUP-012
#[test]
fn a_restored_profile_is_added_again_and_uses_no_index_twice() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.say(bob, b, "one");
    world.pass(10_000);
    let backup = world.of(bob).store.backup();
    world.say(bob, b, "two");
    world.pass(10_000);
    let now = world.now;
    let person = world.of(bob);
    person.store = backup;
    let mut step = Step { now, rng: &mut person.rng, store: &person.store, via: "" };
    person.messenger = Messenger::load(&mut step, Settings::default()).unwrap();
    world.pass(2 * 86_400_000);
    world.say(bob, b, "three");
    world.pass(10_000);
    assert_eq!(world.heard(alice, a), ["one", "two", "three"]);
    world.say(alice, a, "welcome back");
    world.pass(10_000);
    assert_eq!(world.heard(bob, b), ["welcome back"]);
}

//= GROUP-011
#[test]
fn an_old_copy_of_a_profile_notices_that_it_is_old() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let old = world.of(bob).store.copy();
    world.say(bob, b, "one");
    world.pass(10_000);
    let now = world.now;
    let person = world.of(bob);
    person.store = old;
    let mut step = Step { now, rng: &mut person.rng, store: &person.store, via: "" };
    person.messenger = Messenger::load(&mut step, Settings::default()).unwrap();
    world.say(bob, b, "two");
    world.pass(2 * 86_400_000);
    assert!(world.notices(bob, b).iter().any(|n| n.contains("another copy")));
    assert_eq!(world.heard(alice, a), ["one", "two"]);
}

//= GROUP-007
#[test]
fn a_decision_without_a_body_is_named() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    let before = world.hubs[0].log.len();
    world.does(people[1], |m, s| m.refresh(s, ids[1]));
    // What bob puts first is the body; the hub then hides it from the others.
    world.settle_only(people[1]);
    let body = world.hubs[0].log[before];
    world.hubs[0].hidden.insert(body);
    world.pass(900_000);
    assert!(
        world
            .of(people[0])
            .events
            .iter()
            .any(|e| matches!(e, Event::HeldUp { name, .. } if name == "bob"))
    );
    assert!(world.notices(people[2], ids[2]).iter().any(|n| n.contains("held up by bob")));
    // The body comes after all.
    world.hubs[0].hidden.clear();
    world.pass(60_000);
    world.say(people[1], ids[1], "sorry");
    world.pass(60_000);
    assert_eq!(world.heard(people[0], ids[0]), ["sorry"]);
}

//= GROUP-007
//= GROUP-015
#[test]
fn a_group_goes_on_without_whoever_holds_it_up() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    let p = world.of(people[0]);
    let all = p.messenger.participants(&p.store, ids[0]).unwrap();
    let bob = all.into_iter().find(|m| m.name == "bob").unwrap().id;
    let (new, missing) = world.does(people[0], |m, s| m.restart_group(s, ids[0], bob));
    assert!(missing.is_empty());
    world.pass(5_000);
    let carol = world.of(people[2]);
    let (token, title, _) = carol.messenger.group_invites(&carol.store).unwrap()[0].clone();
    assert_eq!(title, "friends-2");
    let before = world.ids(people[2]);
    world.does(people[2], |m, s| m.answer_group_invite(s, token, true));
    world.pass(5_000);
    let there = world.ids(people[2]).into_iter().find(|id| !before.contains(id)).unwrap();
    world.say(people[0], new, "onward");
    world.pass(60_000);
    assert_eq!(world.heard(people[2], there), ["onward"]);
    let bob = world.of(people[1]);
    assert!(bob.messenger.group_invites(&bob.store).unwrap().is_empty());
}

//= GROUP-010
#[test]
fn a_hub_that_shows_two_orders_is_found_out() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    // Carol is shown a hub of her own from now on.
    let copy = Hub { boxes: world.hubs[0].boxes.clone(), ..Hub::default() };
    world.hubs.push(copy);
    world.of(people[2]).hub = 1;
    world.does(people[0], |m, s| m.rename_group(s, ids[0], "one"));
    world.does(people[2], |m, s| m.rename_group(s, ids[2], "two"));
    world.pass(60_000);
    // The two hubs are one again, for all but the order.
    let one = world.hubs[1].boxes.clone();
    world.hubs[0].boxes.extend(one);
    world.of(people[2]).hub = 0;
    // What each side says is heard by nobody on the other: after a day they show each other where
    // they stand.
    world.say(people[0], ids[0], "is anybody there?");
    world.say(people[2], ids[2], "hello?");
    world.pass(4 * 86_400_000);
    assert!(world.of(people[2]).events.iter().any(|e| matches!(e, Event::Forked { .. })));
    world.say(people[2], ids[2], "together again");
    world.pass(60_000);
    assert_eq!(world.heard(people[0], ids[0]), ["hello?", "together again"]);
    assert_eq!(world.heard(people[2], ids[2]), ["is anybody there?"]);
}

//= GROUP-004
#[test]
fn a_squatter_on_deciding_ids_is_passed_over() {
    let mut world = World::new();
    let people = ["alice", "bob"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    // A member that breaks the rules writes junk where decisions go: the deciding stream is known
    // to all members.
    let junk = world.of(people[1]).messenger.deciding_junk(ids[1], 3);
    for sealed in junk {
        world.hubs[0].boxes.insert(sealed.id, sealed);
    }
    world.does(people[0], |m, s| m.rename_group(s, ids[0], "climbers"));
    world.pass(60_000);
    let p = world.of(people[1]);
    assert!(p.messenger.overview(&p.store).unwrap().iter().any(|c| c.given == "climbers"));
}

//= GROUP-009
#[test]
fn a_removed_member_that_ignores_the_decision_follows_nobody() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    let frozen = Hub { boxes: world.hubs[0].boxes.clone(), ..Hub::default() };
    world.hubs.push(frozen);
    world.of(people[1]).hub = 1;
    let before = world.hubs[0].log.len();
    let p = world.of(people[0]);
    let all = p.messenger.participants(&p.store, ids[0]).unwrap();
    let bob = all.into_iter().find(|m| m.name == "bob").unwrap().id;
    world.does(people[0], |m, s| m.remove_member(s, ids[0], bob));
    world.pass(60_000);
    let decided = world.hubs[0].log[before..].to_vec();
    world.say(people[0], ids[0], "without bob");
    world.say(people[2], ids[2], "yes");
    world.pass(60_000);
    // Bob finds everything at his hub but the decision that removes him: he stays in his epoch, and
    // sees no box of others.
    let mut boxes = world.hubs[0].boxes.clone();
    boxes.retain(|id, _| !decided.contains(id));
    world.hubs[1].boxes.extend(boxes);
    world.pass(120_000);
    assert!(world.heard(people[1], ids[1]).is_empty());
    assert_eq!(world.heard(people[2], ids[2]), ["without bob"]);
}

//= GROUP-010
//= GROUP-004
#[test]
fn an_expired_decision_is_not_replaced_by_a_later_one() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    let junk = world.of(people[2]).messenger.deciding_junk(ids[2], 1);
    world.of(people[2]).online = false;
    let before = world.hubs[0].log.len();
    world.does(people[0], |m, s| m.rename_group(s, ids[0], "climbers"));
    world.pass(60_000);
    let decided = world.hubs[0].log[before..].to_vec();
    world.pass(15 * 86_400_000);
    // The hub has forgotten what was decided meanwhile. Bob, who knows that epoch's keys, takes the
    // free place.
    for id in decided {
        world.hubs[0].boxes.remove(&id);
    }
    for sealed in junk {
        world.hubs[0].boxes.insert(sealed.id, sealed);
    }
    world.of(people[2]).online = true;
    world.pass(3 * 86_400_000);
    assert!(world.notices(people[2], ids[2]).iter().any(|n| n.contains("was away for longer")));
    world.say(people[2], ids[2], "back again");
    world.pass(60_000);
    assert_eq!(world.heard(people[0], ids[0]), ["back again"]);
}

//= GROUP-010
#[test]
fn a_verified_contact_adds_again_and_an_unverified_one_does_not() {
    for verified in [true, false] {
        let mut world = World::new();
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|n| world.person(n));
        let ids = world.group("friends", &[alice, bob]);
        // Bob, who is not the creator, brings carol in.
        let (there, _) = world.befriend(bob, carol);
        let in_group = world.bring(bob, ids[1], there, carol);
        world.pass(60_000);
        let words = Some(world.of(bob).messenger.safety_words(there).unwrap());
        let carols = *world.ids(carol).iter().find(|id| **id != in_group).unwrap();
        world.does(carol, |m, s| m.set_verified(s, carols, words.as_deref().filter(|_| verified)));
        world.does(bob, |m, s| m.set_verified(s, there, words.as_deref().filter(|_| verified)));
        let backup = world.of(carol).store.backup();
        world.of(alice).online = false;
        let now = world.now;
        let person = world.of(carol);
        person.store = backup;
        let mut step = Step { now, rng: &mut person.rng, store: &person.store, via: "" };
        person.messenger = Messenger::load(&mut step, Settings::default()).unwrap();
        world.pass(3 * 86_400_000);
        world.say(carol, in_group, "I am here");
        world.pass(60_000);
        let heard = world.heard(bob, ids[1]);
        assert_eq!(heard.contains(&"I am here".to_owned()), verified);
    }
}
