use std::collections::BTreeSet;

use streams::{BoxId, Sizes};

use super::world::*;
use crate::store::State;

fn set_sizes(world: &mut World, who: Who, sizes: Sizes) {
    for place in world.of(who).messenger.places() {
        world.does(who, |m, s| m.set_sizes(s, place, sizes));
    }
}

/// Ciphertext lengths of the boxes that the hub has and did not have before.
fn new_lens(world: &World, before: &BTreeSet<BoxId>) -> BTreeSet<usize> {
    world.hubs[0]
        .boxes
        .iter()
        .filter(|(id, _)| !before.contains(id))
        .map(|(_, b)| b.ciphertext.len())
        .collect()
}

fn known(world: &World) -> BTreeSet<BoxId> {
    world.hubs[0].boxes.keys().copied().collect()
}

//= BOX-011
#[test]
fn messages_climb_the_ladder_and_are_read_by_anybody() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.pass(60_000);
    for (sizes, expected) in
        [(Sizes::Uniform, &[2_048][..]), (Sizes::Ladder, &[512, 1_024, 2_048, 4_096])]
    {
        set_sizes(&mut world, alice, sizes);
        let before = known(&world);
        let mut said = Vec::new();
        for len in [1, 10, 100, 500, 1_000, 1_500, 2_000, 3_000, 3_500, 9_000] {
            let text = "x".repeat(len);
            world.say(alice, a, &text);
            said.push(text);
            world.settle();
        }
        assert_eq!(new_lens(&world, &before), expected.iter().copied().collect());
        world.pass(60_000);
        let heard = world.heard(bob, b);
        assert_eq!(heard[heard.len() - said.len()..], said);
    }
}

//= SHAPE-007
#[test]
fn what_is_too_long_for_another_route_is_sealed_anew_when_the_route_changes() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.pass(60_000);
    set_sizes(&mut world, alice, Sizes::Ladder);
    let text = "x".repeat(3_500);
    let id = world.say(alice, a, &text);
    // Sealed, and the process dies before the hub has anything; then the profile takes the onion
    // route.
    world.restart(alice);
    let before = known(&world);
    set_sizes(&mut world, alice, Sizes::Uniform);
    world.pass(3_600_000);
    assert_eq!(new_lens(&world, &before), BTreeSet::from([2_048]));
    assert_eq!(world.heard(bob, b), [text]);
    assert_eq!(world.state(alice, a, id), State::Delivered);
}
