//! A room's traffic was recorded, and a link or a running client is seized: what opens?
//!
//! The thief walks every door of every hour that the keys reach, forwards and for as long as it
//! likes, every stream that is announced there or known already, and every re-keying.

use std::collections::BTreeSet;

use e2ee::{Control, Order, Talk};
use streams::{ReadCapability, unpad};

use super::*;

/// All that a client in a room holds, or the holder of a link.
struct Thief {
    keys: RoomKeys,
    streams: Vec<ReadCapability>,
    door_secret: Option<DoorSecret>,
}

impl Thief {
    fn of_link(link: &RoomLink) -> Self {
        Thief { keys: RoomKeys::from_link(link).unwrap(), streams: Vec::new(), door_secret: None }
    }

    /// The memory of a running client.
    fn of_client(client: &Client) -> Self {
        let room = &client.room;
        let others = room.talkers.values().map(|t| t.follow.reader.capability().clone());
        let own = room.writer.capability().read_capability();
        Thief {
            keys: room.keys.clone(),
            streams: others.chain([own]).collect(),
            door_secret: Some(room.door_secret.clone()),
        }
    }

    /// The contents of a stream's boxes on the tape, from a capability on.
    fn reads(&self, mut at: ReadCapability, tape: &Hub) -> Vec<Vec<u8>> {
        let context = self.keys.context();
        std::iter::from_fn(|| {
            let found = tape.boxes.get(&at.box_id(context))?.clone().verify().unwrap();
            let plain = at.open(context, &found).unwrap();
            at = at.next().unwrap();
            Some(unpad(&plain).unwrap().to_vec())
        })
        .collect()
    }

    /// Every text that opens on a tape that ends in this hour.
    fn opens(mut self, tape: &Hub, end: u64) -> BTreeSet<String> {
        let mut texts = BTreeSet::new();
        loop {
            let start = self.keys.clone();
            while self.keys.hour() <= end {
                for hour in self.keys.hours() {
                    let door = self.keys.door(hour, 0).unwrap();
                    let announced = self.reads(door.stream().read_capability(), tape);
                    let announced = announced.iter().filter_map(|content| door.open(content).ok());
                    self.streams.extend(announced.map(|a| a.stream().clone()));
                }
                self.keys.advance_to(self.keys.hour() + 1).unwrap();
            }
            for stream in self.streams.clone() {
                let talk = self.reads(stream, tape);
                texts.extend(talk.iter().filter_map(|c| match Talk::from_bytes(c).unwrap().say {
                    e2ee::Say::Text { text, .. } => Some(text.as_str().to_owned()),
                    _ => None,
                }));
            }
            let orders = self.reads(self.keys.control_stream().unwrap(), tape);
            let next = orders.iter().find_map(|c| match Control::from_bytes(c).unwrap().order {
                Order::Rekey { rekey } => rekey.open(&start, self.door_secret.as_ref()?).ok(),
                _ => None,
            });
            match next {
                Some(keys) => self.keys = keys,
                None => return texts,
            }
        }
    }
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|t| (*t).to_owned()).collect()
}

/// The owner, alice and bob; alice says the number of each of four hours.
fn four_hours() -> (World, [usize; 3], Vec<RoomLink>) {
    let mut world = World::new(20);
    let people = [world.join_owner(), world.join("alice"), world.join("bob")];
    let mut links = Vec::new();
    world.say(people[2], "bob is here");
    for hour in 0..4 {
        if hour > 0 {
            world.advance(HOUR_MS);
        }
        links.push(world.clients[people[1]].room.link_now());
        world.say(people[1], &format!("hour {hour}"));
    }
    (world, people, links)
}

const END: u64 = 1_010;

//= ROOM-004
#[test]
fn a_running_client_that_is_seized_opens_this_hour_and_the_one_before_and_no_earlier_one() {
    let (mut world, [_, alice, bob], _) = four_hours();
    let thieves = [alice, bob].map(|who| Thief::of_client(&world.clients[who]));
    world.advance(HOUR_MS);
    world.say(alice, "hour 4");
    for thief in thieves {
        let opened = thief.opens(&world.hub, END);
        assert_eq!(opened, set(&["hour 2", "hour 3", "hour 4"]), "and all that is said later");
    }
}

//= ROOM-005
#[test]
fn a_link_opens_its_hour_and_all_later_ones() {
    let (world, _, links) = four_hours();
    let opens = |n: usize| Thief::of_link(&links[n]).opens(&world.hub, END);
    assert_eq!(opens(0), set(&["bob is here", "hour 0", "hour 1", "hour 2", "hour 3"]));
    assert_eq!(opens(1), set(&["hour 1", "hour 2", "hour 3"]));
    assert_eq!(opens(3), set(&["hour 3"]));
}

//= ROOM-013
#[test]
fn a_room_heals_only_when_the_owner_re_keys_it_without_what_was_seized() {
    let (mut world, [owner, alice, bob], links) = four_hours();
    let [of_alice, of_bob] = [alice, bob].map(|who| Thief::of_client(&world.clients[who]));
    let key = world.key_of(owner, "alice");
    let now = world.now;
    world.clients[owner].room.rekey(now, &[key], &mut world.rng).unwrap();
    world.settle();
    world.say(alice, "after");
    assert!(world.clients[owner].texts().iter().any(|(_, text)| text == "after"));
    let opened = of_bob.opens(&world.hub, END);
    assert!(opened.contains("hour 3") && !opened.contains("after"), "{opened:?}");
    let opened = Thief::of_link(&links[0]).opens(&world.hub, END);
    assert!(opened.contains("hour 0") && !opened.contains("after"), "{opened:?}");
    // The new keys were sealed to alice, and so to whoever has her memory.
    let opened = of_alice.opens(&world.hub, END);
    assert!(opened.contains("after"), "{opened:?}");
}
