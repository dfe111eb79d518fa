//! Contacts bound to a key from outside.

use super::world::*;
use crate::messenger::{Messenger, Settings};
use crate::{Error, Step};
use e2ee::id::ConversationId;

const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

fn statement(world: &mut World, who: Who, id: ConversationId, ours: bool) -> String {
    world.of(who).messenger.identity_statement(id, ours).unwrap()
}

fn bound(world: &mut World, who: Who, id: ConversationId) -> Option<String> {
    let p = world.of(who);
    p.messenger.overview(&p.store).unwrap().into_iter().find(|c| c.id == id).unwrap().pgp
}

//= DIRECT-018
//= DIRECT-019
#[test]
fn a_contact_is_bound_by_what_it_says_of_itself() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let theirs = statement(&mut world, alice, a, false);
    assert_eq!(theirs, statement(&mut world, bob, b, true));
    let mine = statement(&mut world, alice, a, true);
    for (fingerprint, text) in
        [(FINGERPRINT, mine.as_str()), ("ABCD", &theirs), (&"G".repeat(40), &theirs)]
    {
        let refused = world.tries(alice, |m, s| m.bind_identity(s, a, Some((fingerprint, text))));
        assert!(matches!(refused, Err(Error::Refused(_))));
    }
    assert_eq!(bound(&mut world, alice, a), None);
    world.does(alice, |m, s| m.bind_identity(s, a, Some((&FINGERPRINT.to_lowercase(), &theirs))));
    world.restart(alice);
    assert_eq!(bound(&mut world, alice, a).as_deref(), Some(FINGERPRINT));
    // New keys of an epoch are not new keys of a person.
    world.does(bob, |m, s| m.refresh(s, b));
    world.pass(60_000);
    assert_eq!(bound(&mut world, alice, a).as_deref(), Some(FINGERPRINT));
    world.does(alice, |m, s| m.bind_identity(s, a, None));
    assert_eq!(bound(&mut world, alice, a), None);
    assert!(world.tries(alice, |m, s| m.bind_identity(s, a, None)).is_err());
    // Words that differ say more than any key.
    world.does(alice, |m, s| m.bind_identity(s, a, Some((FINGERPRINT, &theirs))));
    world.does(alice, |m, s| m.set_verified(s, a, None));
    assert_eq!(bound(&mut world, alice, a), None);
}

//= DIRECT-019
#[test]
fn who_was_added_again_has_other_keys_and_is_bound_no_more() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let (at_alice, at_bob) =
        (statement(&mut world, alice, a, false), statement(&mut world, bob, b, false));
    world.does(alice, |m, s| m.bind_identity(s, a, Some((FINGERPRINT, &at_alice))));
    world.does(bob, |m, s| m.bind_identity(s, b, Some((FINGERPRINT, &at_bob))));
    let backup = world.of(bob).store.backup();
    let now = world.now;
    let person = world.of(bob);
    person.store = backup;
    let mut step = Step { now, rng: &mut person.rng, store: &person.store, via: "" };
    person.messenger = Messenger::load(&mut step, Settings::default()).unwrap();
    world.pass(3 * 86_400_000);
    world.say(bob, b, "back again");
    world.pass(60_000);
    assert_eq!(world.heard(alice, a), ["back again"]);
    assert_eq!((bound(&mut world, alice, a), bound(&mut world, bob, b)), (None, None));
    assert_ne!(statement(&mut world, alice, a, false), at_alice);
}

//= DIRECT-018
#[test]
fn a_group_has_no_statement() {
    let mut world = World::new();
    let people = ["alice", "bob"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    assert!(world.of(people[0]).messenger.identity_statement(ids[0], true).is_err());
}
