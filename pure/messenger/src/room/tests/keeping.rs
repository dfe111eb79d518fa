//! A hub forgets, and the owner's orders stand nevertheless.

use super::*;

/// alice and bob talk in a room whose owner has muted mallory.
fn a_room_with_a_mute() -> (World, usize, usize) {
    let mut world = World::new(61);
    let owner = world.join_owner();
    let (alice, mallory) = (world.join("alice"), world.join("mallory"));
    world.say(alice, "hello");
    world.say(mallory, "buy this");
    let key = world.key_of(owner, "mallory");
    let now = world.now;
    world.clients[owner].room.mute(now, key, true).unwrap();
    world.settle();
    (world, owner, mallory)
}

//= ROOM-019
#[test]
fn a_mute_stands_for_newcomers_although_the_hub_has_forgotten_it() {
    let (mut world, owner, mallory) = a_room_with_a_mute();
    world.clients.remove(owner);
    let mallory = mallory - 1;
    world.hub.boxes.clear();
    world.advance(HOUR_MS);
    world.advance(HOUR_MS);
    let carol = world.join("carol");
    world.say(mallory, "buy this");
    assert_eq!(world.clients[carol].texts(), [], "she sees nothing of mallory");
    let who = world.clients[carol].room.who();
    assert!(who.iter().any(|p| p.who.name == "mallory" && p.muted));
}

//= ROOM-019
#[test]
fn an_owner_who_starts_again_is_heard_by_those_who_have_read_orders_that_are_forgotten() {
    let (mut world, owner, mallory) = a_room_with_a_mute();
    let key = world.key_of(owner, "mallory");
    world.clients.remove(owner);
    let (alice, mallory) = (owner, mallory - 1);
    world.hub.boxes.clear();
    world.advance(HOUR_MS);
    world.advance(HOUR_MS);
    let owner = world.join_owner();
    world.say(mallory, "I am sorry");
    let now = world.now;
    world.clients[owner].room.mute(now, key, false).unwrap();
    world.settle();
    assert!(world.clients[alice].has(|e| matches!(e, RoomEvent::Muted { muted: false, .. })));
}

//= ROOM-019
#[test]
fn while_the_hub_remembers_an_hour_costs_everybody_one_box() {
    let (mut world, owner, _) = a_room_with_a_mute();
    let (key, now) = (world.key_of(owner, "mallory"), world.now);
    for muted in [false, true, false] {
        world.clients[owner].room.mute(now, key, muted).unwrap();
        world.settle();
    }
    // Who has talked announces themselves every hour: two who have not stay.
    world.join("reader");
    world.clients.drain(1..3);
    world.advance(HOUR_MS);
    let before = world.hub.puts;
    world.advance(HOUR_MS);
    assert_eq!(world.hub.puts - before, 2, "one each");
    world.hub.full = true;
    let before = world.hub.puts;
    world.advance(HOUR_MS);
    assert_eq!(world.hub.puts - before, 2, "a full hub is not pressed");
}
