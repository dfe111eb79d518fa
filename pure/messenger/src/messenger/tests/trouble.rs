use super::world::*;
use crate::event::Event;
use crate::store::State;
use crate::testing::hub::Hub;

const DAY_MS: u64 = 86_400_000;

/// The process of one of them dies after each number of writes that a round of talk takes, within
/// whatever step that is: the transaction is rolled back, and nothing that it put out is done.
//= DIRECT-009
#[test]
fn a_crash_at_any_step_loses_nothing_and_repeats_nothing() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let mut said = [Vec::new(), Vec::new()];
    let mut says = |world: &mut World, who: Who, conversation, text: String| {
        let crashes = world.of(who).crashes;
        if world.tries(who, |m, s| m.say(s, conversation, &text, None)).is_err() {
            assert!(world.of(who).crashes > crashes);
            assert!(!world.texts(who, conversation).contains(&text), "nothing of it was kept");
            world.say(who, conversation, &text);
        }
        said[who.0].push(text);
    };
    let mut counts = Vec::new();
    for victim in [alice, bob] {
        let mut writes = 0;
        loop {
            let crashes = world.of(victim).crashes;
            world.of(victim).store.fails_after(Some(writes));
            says(&mut world, alice, a, format!("{} after {writes}: question", victim.0));
            says(&mut world, bob, b, format!("{} after {writes}: answer", victim.0));
            world.pass(10_000);
            if world.of(victim).crashes == crashes {
                break;
            }
            writes += 1;
        }
        world.of(victim).store.fails_after(None);
        counts.push(writes);
    }
    world.pass(60_000);
    assert_eq!(world.heard(bob, b), said[alice.0]);
    assert_eq!(world.heard(alice, a), said[bob.0]);
    for who in [alice, bob] {
        let p = world.of(who);
        assert_eq!(p.messenger.overview(&p.store).unwrap()[0].unacknowledged, 0);
        assert_eq!(p.used_twice, [], "a box that was sealed again differs from the first");
    }
    assert!(counts.iter().all(|writes| *writes > 20), "{counts:?} writes in a round");
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

/// The hub no longer has the boxes when the backup is used, because they are old or because it lost
/// its disk: no `Taken` tells which indices were used.
//= GROUP-011
//= GROUP-012
#[test]
fn a_restored_profile_is_added_again_and_uses_no_index_twice() {
    for lost in [false, true] {
        let mut world = World::new();
        world.hubs[0].keep_ms = Some(14 * DAY_MS);
        let (alice, bob) = (world.person("alice"), world.person("bob"));
        let (a, b) = world.befriend(alice, bob);
        world.say(bob, b, "one");
        world.pass(10_000);
        let backup = world.of(bob).store.backup();
        world.say(bob, b, "two");
        world.pass(10_000);
        if lost {
            world.hubs[0].boxes.clear();
        } else {
            world.pass(15 * DAY_MS);
        }
        assert!(world.hubs[0].boxes.is_empty());
        world.comes_back_with(bob, backup);
        world.say(bob, b, "three");
        world.pass(2 * DAY_MS);
        assert_eq!(world.of(bob).used_twice, []);
        assert_eq!(world.heard(alice, a), ["one", "two", "three"]);
        world.say(alice, a, "welcome back");
        world.pass(10_000);
        assert_eq!(world.heard(bob, b), ["welcome back"]);
    }
}

/// The backup's write capability of the rescue stream is the same each time, and the hub has
/// forgotten the request of the first time.
//= GROUP-012
#[test]
fn a_profile_that_is_restored_twice_is_added_again_twice_and_uses_no_index_twice() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.hubs[0].keep_ms = Some(14 * DAY_MS);
    let backup = world.of(bob).store.backup();
    world.comes_back_with(bob, backup.copy());
    world.pass(2 * DAY_MS);
    world.say(bob, b, "once");
    world.pass(15 * DAY_MS);
    world.comes_back_with(bob, backup);
    world.pass(2 * DAY_MS);
    world.say(bob, b, "twice");
    world.pass(10_000);
    assert_eq!(world.heard(alice, a), ["once", "twice"]);
    assert_eq!(world.of(bob).used_twice, []);
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
    world.comes_back_with(bob, old);
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

/// Carol is shown a hub of her own; on it, and on the other members' hub, this many changes are
/// decided.
fn two_orders(at_alice: usize, at_carol: usize) {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    let before = world.of(people[0]).messenger.epoch(ids[0]);
    // Carol is shown a hub of her own from now on.
    let copy = Hub { boxes: world.hubs[0].boxes.clone(), ..Hub::default() };
    world.hubs.push(copy);
    world.of(people[2]).hub = 1;
    for (side, changes) in [(0, at_alice), (2, at_carol)] {
        for n in 0..changes {
            world.does(people[side], |m, s| m.rename_group(s, ids[side], &format!("{side}-{n}")));
            world.pass(60_000);
        }
    }
    let epochs = [0, 2].map(|side: usize| world.of(people[side]).messenger.epoch(ids[side]));
    assert_eq!(epochs, [at_alice, at_carol].map(|n| before + n as u64));
    // The two hubs are one again, for all but the order.
    let one = world.hubs[1].boxes.clone();
    world.hubs[0].boxes.extend(one);
    world.of(people[2]).hub = 0;
    // What each side says is heard by nobody on the other: after a day they show each other where
    // they stand.
    world.say(people[0], ids[0], "is anybody there?");
    world.say(people[2], ids[2], "hello?");
    world.pass(4 * DAY_MS);
    assert!(world.of(people[2]).events.iter().any(|e| matches!(e, Event::Forked { .. })));
    world.say(people[2], ids[2], "together again");
    world.pass(60_000);
    assert_eq!(world.heard(people[0], ids[0]), ["hello?", "together again"]);
    assert_eq!(world.heard(people[1], ids[1]), ["is anybody there?", "hello?", "together again"]);
    assert_eq!(world.heard(people[2], ids[2]), ["is anybody there?"]);
}

//= GROUP-010
#[test]
fn a_hub_that_shows_two_orders_is_found_out() {
    two_orders(1, 1);
}

//= GROUP-010
#[test]
fn a_hub_that_shows_two_orders_is_found_out_when_one_side_is_further() {
    two_orders(2, 1);
    two_orders(1, 2);
}

/// Rescue streams are at the same hub: what it shows of them decides whether anybody notices.
#[test]
fn a_hub_that_keeps_two_sides_apart_for_good_is_not_found_out_but_delivers_nothing() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (here, there) = world.befriend(alice, bob);
    world.pass(60_000);
    let copy = Hub { boxes: world.hubs[0].boxes.clone(), ..Hub::default() };
    world.hubs.push(copy);
    world.of(bob).hub = 1;
    for (who, id) in [(alice, here), (bob, there)] {
        world.does(who, |m, s| m.refresh(s, id));
        world.pass(60_000);
        let said = world.say(who, id, "hello?");
        world.pass(4 * DAY_MS);
        assert_eq!(world.state(who, id, said), State::Stored);
        assert!(world.heard(who, id).is_empty());
    }
    for who in [alice, bob] {
        assert!(!world.of(who).events.iter().any(|e| matches!(e, Event::Forked { .. })));
    }
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

//= GROUP-020
#[test]
fn deciding_ids_that_the_hub_has_forgotten_are_those_of_an_epoch_that_is_over() {
    let mut world = World::new();
    world.hubs[0].keep_ms = Some(14 * DAY_MS);
    let people = ["alice", "bob"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.pass(60_000);
    let junk = world.of(people[1]).messenger.deciding_junk(ids[1], 3);
    for sealed in junk {
        world.hubs[0].put(world.now, &sealed);
    }
    world.pass(60_000);
    let squatted = world.of(people[0]).messenger.epoch(ids[0]);
    // alice has read past the junk. Were the epoch still the same once it is forgotten, bob, who
    // starts again, would decide at the first id, where she does not look again.
    world.pass(15 * DAY_MS);
    assert!(world.of(people[0]).messenger.epoch(ids[0]) > squatted, "they have left it");
    world.restart(people[1]);
    world.does(people[1], |m, s| m.rename_group(s, ids[1], "climbers"));
    world.pass(60_000);
    assert_eq!(title(&mut world, people[0], ids[0]), "climbers");
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
    // Bob decides something in this epoch, properly signed, on a copy of his profile, and keeps the
    // boxes to himself.
    let hub = Hub { boxes: world.hubs[0].boxes.clone(), ..Hub::default() };
    world.hubs.push(hub);
    let evil = world.clone_of(people[1], 1);
    world.settle_only(evil);
    let before = world.hubs[1].log.len();
    world.does(evil, |m, s| m.rename_group(s, ids[1], "caves"));
    world.of(people[2]).online = false;
    world.pass(60_000);
    assert_eq!(title(&mut world, evil, ids[1]), "caves");
    let kept_back = world.hubs[1].log[before..].to_vec();
    let kept_back: Vec<_> = kept_back.iter().map(|id| world.hubs[1].boxes[id].clone()).collect();
    world.of(evil).online = false;
    let before = world.hubs[0].log.len();
    world.does(people[0], |m, s| m.rename_group(s, ids[0], "climbers"));
    world.pass(60_000);
    let decided = world.hubs[0].log[before..].to_vec();
    assert!(kept_back.iter().any(|b| decided.contains(&b.id)), "bob's takes the same place");
    world.pass(15 * DAY_MS);
    // The hub has forgotten what was decided meanwhile. Bob takes the free place.
    for id in decided {
        world.hubs[0].boxes.remove(&id);
    }
    for sealed in kept_back {
        world.hubs[0].boxes.insert(sealed.id, sealed);
    }
    world.of(people[2]).online = true;
    world.pass(3 * DAY_MS);
    let followed = |e: &Event| matches!(e, Event::Renamed { to, .. } if to == "caves");
    assert!(!world.of(people[2]).events.iter().any(followed), "carol followed bob's decision");
    assert!(world.notices(people[2], ids[2]).iter().any(|n| n.contains("was away for longer")));
    assert_eq!(title(&mut world, people[2], ids[2]), "climbers");
    world.say(people[2], ids[2], "back again");
    world.pass(60_000);
    assert_eq!(world.heard(people[0], ids[0]), ["back again"]);
}

/// What a person's messenger takes for the title of a group.
fn title(world: &mut World, who: Who, group: e2ee::id::ConversationId) -> String {
    let p = world.of(who);
    let all = p.messenger.overview(&p.store).unwrap();
    all.into_iter().find(|c| c.id == group).unwrap().given
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
        world.comes_back_with(carol, backup);
        world.pass(3 * 86_400_000);
        world.say(carol, in_group, "I am here");
        world.pass(60_000);
        let heard = world.heard(bob, ids[1]);
        assert_eq!(heard.contains(&"I am here".to_owned()), verified);
    }
}
