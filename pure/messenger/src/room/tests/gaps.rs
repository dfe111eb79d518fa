//! Boxes that are missing, and answers that are.

use super::*;
use crate::reader::WRITER_PATIENCE_MS;

#[test]
fn a_missing_box_is_waited_for_then_told_and_passed() {
    let mut world = World::new(13);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, "one");
    let before: Vec<BoxId> = world.hub.boxes.keys().copied().collect();
    // The next box of alice exists but is never handed out.
    world.clients[alice].room.say(world.now, "lost").unwrap();
    while let Some(output) = world.clients[alice].room.poll() {
        if let Output::Call(call, Call::Put(sealed)) = output {
            world.hub.hidden.push(sealed.id);
            let outcome = world.hub.put(&sealed).unwrap();
            world.clients[alice].room.on_put(world.now, call, outcome).unwrap();
        }
    }
    world.say(alice, "three");
    assert!(before.len() < world.hub.boxes.len());
    assert_eq!(world.clients[bob].texts(), pairs(&[("alice", "one")]), "three waits for two");
    world.advance(WRITER_PATIENCE_MS + 1);
    assert!(world.clients[bob].has(|e| matches!(e, RoomEvent::Gap { boxes: 1, .. })));
    assert_eq!(world.clients[bob].texts(), pairs(&[("alice", "one"), ("alice", "three")]));
    // The hub has found it again.
    world.hub.hidden.clear();
    world.advance(WRITER_PATIENCE_MS);
    assert_eq!(world.clients[bob].texts().last().unwrap().1, "lost");
}

//= ROOM-020
#[test]
fn a_missing_box_is_not_given_up_while_only_the_answers_are_missing() {
    let mut world = World::new(16);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, "one");
    world.clients[alice].room.say(world.now, "two").unwrap();
    while let Some(output) = world.clients[alice].room.poll() {
        if let Output::Call(call, Call::Put(sealed)) = output {
            world.hub.hidden.push(sealed.id);
            let outcome = world.hub.put(&sealed).unwrap();
            world.clients[alice].room.on_put(world.now, call, outcome).unwrap();
        }
    }
    world.say(alice, "three");
    // "two" is there now, but bob's answers do not come: a relay hangs.
    world.hub.hidden.clear();
    world.clients[bob].deaf = true;
    world.advance(10 * WRITER_PATIENCE_MS);
    assert_eq!(world.clients[bob].texts(), pairs(&[("alice", "one")]));
    // A hub that refuses says nothing either.
    let asked: Vec<CallId> = world.clients[bob].open.keys().copied().collect();
    let now = world.now;
    for call in asked {
        world.clients[bob].open.remove(&call);
        world.clients[bob].room.on_unanswered(now, call).unwrap();
    }
    world.advance(10 * WRITER_PATIENCE_MS);
    world.clients[bob].deaf = false;
    world.advance(1);
    assert!(!world.clients[bob].has(|e| matches!(e, RoomEvent::Gap { .. })));
    let heard = pairs(&[("alice", "one"), ("alice", "two"), ("alice", "three")]);
    assert_eq!(world.clients[bob].texts(), heard);
}
