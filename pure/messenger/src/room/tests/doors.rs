//! A door that somebody fills: what takes the place of an announcement, and what does not.

use e2ee::{MAX_ANNOUNCEMENTS, MAX_DOOR_BOXES};
use streams::WriteCapability;

use super::*;

/// Somebody with the link who writes what they like at the first hour's door.
struct Squatter {
    keys: RoomKeys,
    at: WriteCapability,
    written: usize,
}

impl Squatter {
    fn at_the_door(world: &World) -> Self {
        let keys = RoomKeys::from_link(&world.link).unwrap();
        let at = keys.door(1_000, 0).unwrap().stream().clone();
        Squatter { keys, at, written: 0 }
    }

    fn writes(&mut self, world: &mut World, content: &[u8]) {
        let padded = pad(content, BoxClass::Standard).unwrap();
        let sealed = self.at.seal(self.keys.context(), &padded).unwrap().into_sealed();
        assert!(world.hub.boxes.insert(sealed.id, sealed).is_none(), "the place was free");
        self.at = self.at.next().unwrap();
        self.written += 1;
    }

    /// What a talker says at this door, with all its work.
    fn announcement(&self, world: &mut World, nick: &str) -> Vec<u8> {
        let me = TalkerSecret::random(&mut world.rng);
        let stream = me.new_stream(&mut world.rng).read_capability();
        let door_key = DoorSecret::from_seed(e2ee::Secret::new([5; 32])).public();
        let door = self.keys.door(1_000, 0).unwrap();
        let mut mining = door.announce(&me, &stream, &Nick::new(nick).unwrap(), &door_key).unwrap();
        mining.mine(u32::MAX).unwrap()
    }

    /// What stands next at the door, as the room's own door opens it.
    fn finds(&self, world: &World) -> e2ee::Announcement {
        let at = self.at.read_capability();
        let there = &world.hub.boxes[&at.box_id(self.keys.context())];
        let plain = at.open(self.keys.context(), &there.clone().verify().unwrap()).unwrap();
        let door = self.keys.door(1_000, 0).unwrap();
        door.open(streams::unpad(&plain).unwrap()).unwrap()
    }
}

/// More boxes than announcements are taken, and many windows of a reader.
const MANY: usize = 2 * MAX_ANNOUNCEMENTS + 8 * crate::reader::WINDOW;

/// Alice comes behind all that stands at the door; bob, who is there, and a newcomer hear her.
#[track_caller]
fn alice_gets_through(world: &mut World, squatter: &Squatter) {
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, "excuse me");
    assert_eq!(*squatter.finds(world).talker(), world.clients[alice].room.my_key, "right behind");
    let late = world.join("late");
    for who in [bob, late] {
        assert_eq!(world.clients[who].texts(), pairs(&[("alice", "excuse me")]));
    }
}

//= ROOM-007, ROOM-008
#[test]
fn junk_at_the_door_keeps_nobody_out() {
    let mut world = World::new(12);
    let mut squatter = Squatter::at_the_door(&world);
    let good = squatter.announcement(&mut world, "mallory");
    for n in 0..MANY {
        // Noise, or an announcement of which something was changed: its work is worth nothing.
        let mut content = good.clone();
        content[100..104].copy_from_slice(&u32::try_from(n).unwrap().to_be_bytes());
        let door = squatter.keys.door(1_000, 0).unwrap();
        if n % 2 == 0 {
            content = vec![n as u8; 100];
        }
        assert!(door.open(&content).is_err());
        squatter.writes(&mut world, &content);
    }
    alice_gets_through(&mut world, &squatter);
}

//= ROOM-007
#[test]
fn copies_of_one_work_take_one_place() {
    let mut world = World::new(16);
    let mut squatter = Squatter::at_the_door(&world);
    let good = squatter.announcement(&mut world, "mallory");
    for n in 0..MANY {
        // The signature stands last, and the work does not cover it.
        let mut content = good.clone();
        let number = u16::try_from(n / 2).unwrap().to_be_bytes();
        content.iter_mut().rev().zip(number).for_each(|(byte, n)| *byte ^= n);
        squatter.writes(&mut world, if n % 2 == 0 { &good } else { &content });
    }
    alice_gets_through(&mut world, &squatter);
}

//= ROOM-007
#[test]
fn no_more_announcements_are_taken_than_the_bound_says() {
    let mut world = World::new(17);
    let mut squatter = Squatter::at_the_door(&world);
    for n in 0..MANY {
        let content = squatter.announcement(&mut world, &format!("guest {n}"));
        squatter.writes(&mut world, &content);
    }
    let bob = world.join("bob");
    let crowded = world.clients[bob].events.iter().filter_map(|e| match e {
        RoomEvent::Crowded(n) => Some(*n),
        _ => None,
    });
    assert_eq!(crowded.max(), Some(MAX_ANNOUNCEMENTS - MAX_TALKERS));
}

//= ROOM-007
#[test]
fn who_stands_behind_all_that_is_fetched_is_told() {
    let mut world = World::new(18);
    let mut squatter = Squatter::at_the_door(&world);
    let fetched = usize::try_from(MAX_DOOR_BOXES).unwrap();
    let window = crate::reader::WINDOW;
    for _ in 0..fetched + 2 * window {
        squatter.writes(&mut world, b"junk");
    }
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let lane = &world.clients[bob].room.lanes[0];
    assert!((fetched..fetched + window).contains(&usize::try_from(lane.read).unwrap()));
    world.say(alice, "excuse me");
    let crowded = |e: &RoomEvent| matches!(e, RoomEvent::Trouble(why) if why.contains("crowded"));
    assert!(world.clients[alice].has(crowded));
    assert!(world.clients[bob].texts().is_empty());
    // In the next hour there is another door.
    world.advance(HOUR_MS);
    world.say(alice, "at last");
    assert_eq!(world.clients[bob].texts(), pairs(&[("alice", "at last")]));
}
