//! Stories of a room, told over a hub in memory that can lose, repeat, delay and refuse.

use std::collections::{BTreeMap, HashMap};

use e2ee::{
    DoorSecret, NetworkPlace, Nick, Owner, OwnerLink, RoomLink, RoomSettings, TalkerSecret,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use streams::{BoxClass, BoxId, SealedBox, pad};
use wire::hub::PutOutcome;
use wire::id::AccessKey;
use wire::{DirectoryPointer, NetworkId, NodeId, Timestamp};

use super::*;

mod doors;
mod gaps;
mod keeping;
mod seized;

const HOUR_MS: u64 = 3_600_000;

struct Client {
    room: Room,
    /// What was asked, and whether the hub answers at once even if nothing is there.
    open: BTreeMap<CallId, (Vec<BoxId>, bool)>,
    /// Answers do not arrive: they lie with a relay that hangs.
    deaf: bool,
    events: Vec<RoomEvent>,
}

impl Client {
    fn texts(&self) -> Vec<(String, String)> {
        self.events
            .iter()
            .filter_map(|e| match e {
                RoomEvent::Message { from, text, .. } => Some((from.name.clone(), text.clone())),
                _ => None,
            })
            .collect()
    }

    fn has(&self, wanted: impl Fn(&RoomEvent) -> bool) -> bool {
        self.events.iter().any(wanted)
    }
}

#[derive(Default)]
struct Hub {
    boxes: HashMap<BoxId, SealedBox>,
    full: bool,
    /// In every so many puts the answer is lost although the box is stored: the put is repeated.
    lose_answers: Option<u32>,
    /// Boxes that are never handed out.
    hidden: Vec<BoxId>,
    puts: u32,
}

impl Hub {
    fn put(&mut self, sealed: &SealedBox) -> Option<PutOutcome> {
        self.puts += 1;
        if self.full {
            return Some(PutOutcome::Full);
        }
        let outcome = match self.boxes.get(&sealed.id) {
            Some(held) if held == sealed => PutOutcome::Same,
            Some(_) => PutOutcome::Taken,
            None => {
                self.boxes.insert(sealed.id, sealed.clone());
                PutOutcome::Stored
            }
        };
        let lost = self.lose_answers.is_some_and(|n| self.puts.is_multiple_of(n));
        (!lost).then_some(outcome)
    }

    fn get(&self, ids: &[BoxId]) -> Vec<SealedBox> {
        let there = |id: &&BoxId| !self.hidden.contains(id);
        ids.iter().filter(there).filter_map(|id| self.boxes.get(id)).take(3).cloned().collect()
    }
}

struct World {
    hub: Hub,
    now: Timestamp,
    rng: ChaCha20Rng,
    clients: Vec<Client>,
    link: RoomLink,
    owner: OwnerLink,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let place = NetworkPlace {
            network: NetworkId::new([1; 32]),
            directories: vec![DirectoryPointer {
                id: NodeId::new([2; 32]),
                address: "127.0.0.1:5999".parse().unwrap(),
            }],
            hub: NodeId::new([3; 32]),
            access: AccessKey::new([4; 16]),
        };
        let settings = RoomSettings::new(3_600, 1, 4).unwrap();
        let (owner, keys) = Owner::create(&mut rng, place, settings, 1_000).unwrap();
        World {
            hub: Hub::default(),
            now: Timestamp::from_millis(1_000 * HOUR_MS + 1_000),
            rng,
            clients: Vec::new(),
            link: keys.link_now(),
            owner: owner.link_now(&keys).unwrap(),
        }
    }

    fn join(&mut self, nick: &str) -> usize {
        let link = self.link.clone();
        self.join_by(&link, nick)
    }

    fn join_by(&mut self, link: &RoomLink, nick: &str) -> usize {
        let room = Room::join(link, Nick::new(nick).unwrap(), self.now, &mut self.rng).unwrap();
        self.add(room)
    }

    fn join_owner(&mut self) -> usize {
        let nick = Nick::new("hostess").unwrap();
        let room = Room::join_as_owner(&self.owner, nick, self.now, &mut self.rng).unwrap();
        self.add(room)
    }

    fn add(&mut self, room: Room) -> usize {
        self.clients.push(Client { room, open: BTreeMap::new(), deaf: false, events: Vec::new() });
        self.settle();
        self.clients.len() - 1
    }

    /// Who goes by this name, as this client sees it.
    fn key_of(&self, client: usize, name: &str) -> TalkerKey {
        self.clients[client].room.who().into_iter().find(|p| p.who.name == name).unwrap().who.key
    }

    fn say(&mut self, who: usize, text: &str) {
        let now = self.now;
        self.clients[who].room.say(now, text).unwrap();
        self.settle();
    }

    fn advance(&mut self, ms: u64) {
        self.now = self.now.plus_millis(ms);
        self.settle();
    }

    /// Runs everything until nothing moves any more at this moment.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the room does not come to rest");
    }

    /// The hub gives everyone who asks all its boxes, whatever they asked for.
    fn floods(&mut self) {
        let boxes: Vec<SealedBox> = self.hub.boxes.values().cloned().collect();
        for client in &mut self.clients {
            for (call, _) in std::mem::take(&mut client.open) {
                let all = boxes.iter().map(|b| b.clone().verify().unwrap()).collect();
                client.room.on_boxes(self.now, call, all).unwrap();
            }
        }
        self.settle();
    }

    fn step(&mut self) -> bool {
        let mut moved = false;
        for client in &mut self.clients {
            if client.room.deadline() <= self.now {
                client.room.tick(self.now).unwrap();
            }
            while let Some(output) = client.room.poll() {
                moved = true;
                match output {
                    Output::Event(event) => client.events.push(event),
                    Output::Cancel(call) => drop(client.open.remove(&call)),
                    Output::Call(call, Call::Get(ids)) => {
                        client.open.insert(call, (ids, false));
                    }
                    Output::Call(call, Call::Look(ids)) => {
                        client.open.insert(call, (ids, true));
                    }
                    Output::Call(call, Call::Put(sealed)) => {
                        client.room.on_sent(call);
                        // A carrier repeats a put until it is answered.
                        let outcome = loop {
                            if let Some(outcome) = self.hub.put(&sealed) {
                                break outcome;
                            }
                        };
                        client.room.on_put(self.now, call, outcome).unwrap();
                    }
                }
            }
            let ready: Vec<(CallId, Vec<SealedBox>)> = client
                .open
                .iter()
                .filter(|_| !client.deaf)
                .map(|(call, (ids, at_once))| (*call, self.hub.get(ids), *at_once))
                .filter(|(_, boxes, at_once)| *at_once || !boxes.is_empty())
                .map(|(call, boxes, _)| (call, boxes))
                .collect();
            for (call, mut boxes) in ready {
                moved = true;
                client.open.remove(&call);
                if self.rng.next_u32().is_multiple_of(2) {
                    boxes.reverse();
                }
                let boxes = boxes.into_iter().map(|b| b.verify().unwrap()).collect();
                client.room.on_boxes(self.now, call, boxes).unwrap();
            }
        }
        moved
    }
}

/// The streams that stand at the door, as anybody with the link can read them.
fn announced_streams(world: &mut World) -> HashMap<TalkerKey, streams::ReadCapability> {
    let keys = RoomKeys::from_link(&world.link).unwrap();
    let door = keys.door(1_000, 0).unwrap();
    let mut at = door.stream().read_capability();
    let mut found = HashMap::new();
    while let Some(sealed) = world.hub.boxes.get(&at.box_id(keys.context())) {
        let plain = at.open(keys.context(), &sealed.clone().verify().unwrap()).unwrap();
        let announcement = door.open(streams::unpad(&plain).unwrap()).unwrap();
        found.insert(*announcement.talker(), announcement.stream().clone());
        at = at.next().unwrap();
    }
    found
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn alice_and_bob_talk_and_a_reader_sees_it_all_once_and_in_order() {
    let mut world = World::new(1);
    let (alice, bob, reader) = (world.join("alice"), world.join("bob"), world.join("ghost"));
    world.say(alice, "hello");
    world.say(bob, "hi alice");
    for n in 0..40 {
        world.say(alice, &format!("line {n}"));
    }
    let texts = world.clients[reader].texts();
    assert_eq!(texts.len(), 42);
    let of_alice: Vec<&str> =
        texts.iter().filter(|(who, _)| who == "alice").map(|(_, t)| t.as_str()).collect();
    let expected: Vec<String> =
        std::iter::once("hello".to_owned()).chain((0..40).map(|n| format!("line {n}"))).collect();
    assert_eq!(of_alice, expected);
    assert_eq!(world.clients[bob].texts().len(), 41);
    assert!(world.clients[alice].room.is_drained());
    assert_eq!(world.clients[reader].room.who().len(), 3);
    assert!(world.clients[reader].room.is_drained(), "a reader announces nothing");
}

#[test]
fn states_go_forward_only_and_end_at_stored() {
    let mut world = World::new(2);
    let alice = world.join("alice");
    world.say(alice, &"long ".repeat(1_000));
    let states: Vec<MessageState> = world.clients[alice]
        .events
        .iter()
        .filter_map(|e| match e {
            RoomEvent::State { message: 1, state } => Some(*state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [MessageState::Queued, MessageState::Sent, MessageState::Stored]);
}

#[test]
fn lost_answers_are_repeated_and_nothing_is_shown_twice() {
    let mut world = World::new(3);
    world.hub.lose_answers = Some(3);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    for n in 0..50 {
        world.say(alice, &n.to_string());
    }
    let texts: Vec<String> = world.clients[bob].texts().into_iter().map(|(_, t)| t).collect();
    assert_eq!(texts, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_long_text_comes_whole() {
    let mut world = World::new(4);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let text = "word ".repeat(3_000);
    world.say(alice, &text);
    assert_eq!(world.clients[bob].texts(), pairs(&[("alice", &text)]));
    let now = world.now;
    let too_long = "x".repeat(16 * 1024 + 1);
    assert!(matches!(world.clients[alice].room.say(now, &too_long), Err(Error::TooLong { .. })));
}

#[test]
fn two_of_one_nick_both_show_a_suffix_and_nobody_speaks_as_another() {
    let mut world = World::new(5);
    let (a, b, reader) = (world.join("alice"), world.join("aIice"), world.join("ghost"));
    world.say(a, "I am alice");
    world.say(b, "so am I");
    let key = |world: &World, who: usize| world.clients[who].room.my_key;
    let (key_a, key_b) = (key(&world, a), key(&world, b));
    let shown = |world: &World, key| {
        let all = world.clients[reader].room.who();
        all.into_iter().find(|p| p.who.key == key).unwrap().who.name
    };
    let (name_a, name_b) = (shown(&world, key_a), shown(&world, key_b));
    assert!(name_a.starts_with("alice~") && name_b.starts_with("aIice~"), "{name_a} {name_b}");
    assert_ne!(name_a[6..], name_b[6..]);
    world.say(a, "we are two");
    world.say(b, "indeed");
    // The other writes an announcement with the stream of the first, which every reader knows, and
    // a hub gives everyone all boxes whatever they asked for.
    let theirs = announced_streams(&mut world).remove(&key_a).unwrap();
    let keys = RoomKeys::from_link(&world.link).unwrap();
    let me = TalkerSecret::random(&mut world.rng);
    let door = keys.door(1_000, 0).unwrap();
    let door_key = DoorSecret::random(&mut world.rng).public();
    let nick = Nick::new("mallory").unwrap();
    assert!(door.announce(&me, &theirs, &nick, &door_key).is_err());
    world.floods();
    world.say(b, "the end");
    let said: Vec<(TalkerKey, String, String)> = world.clients[reader]
        .events
        .iter()
        .filter_map(|e| match e {
            RoomEvent::Message { from, text, .. } => {
                Some((from.key, from.name.clone(), text.clone()))
            }
            _ => None,
        })
        .collect();
    let line = |key, name: &str, text: &str| (key, name.to_owned(), text.to_owned());
    assert_eq!(said[0], line(key_a, "alice", "I am alice"), "the only one so far");
    assert_eq!(
        said[1..],
        [
            line(key_b, &name_b, "so am I"),
            line(key_a, &name_a, "we are two"),
            line(key_b, &name_b, "indeed"),
            line(key_b, &name_b, "the end"),
        ]
    );
}

#[test]
fn escapes_and_bidi_tricks_are_neutralised() {
    let mut world = World::new(6);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, "\u{1b}[2Jgone \u{202e}evil");
    let (_, text) = world.clients[bob].texts().remove(0);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    assert!(text.contains("gone"));
}

#[test]
fn the_hour_changes_and_talk_goes_on_but_a_new_link_opens_nothing_old() {
    let mut world = World::new(7);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, "before");
    world.advance(2 * HOUR_MS);
    world.say(alice, "after");
    assert_eq!(world.clients[bob].texts(), pairs(&[("alice", "before"), ("alice", "after")]));
    let fresh = world.clients[alice].room.link_now();
    let late = world.join_by(&fresh, "late");
    world.say(alice, "welcome");
    let texts = world.clients[late].texts();
    assert!(!texts.iter().any(|(_, t)| t == "before"), "{texts:?}");
    assert!(texts.iter().any(|(_, t)| t == "welcome"), "{texts:?}");
}

#[test]
fn who_left_is_told_and_shown_as_left() {
    let mut world = World::new(8);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, "bye");
    let now = world.now;
    world.clients[alice].room.leave(now).unwrap();
    world.settle();
    assert!(world.clients[alice].room.is_drained());
    assert!(world.clients[bob].has(|e| matches!(e, RoomEvent::Left(w) if w.name == "alice")));
    assert!(world.clients[bob].room.who().iter().any(|p| p.left && p.who.name == "alice"));
}

#[test]
fn a_new_nick_is_told() {
    let mut world = World::new(9);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, "hi");
    let now = world.now;
    world.clients[alice].room.set_nick(now, Nick::new("carol").unwrap()).unwrap();
    world.settle();
    world.say(alice, "me again");
    assert!(world.clients[bob].has(
        |e| matches!(e, RoomEvent::Renamed { from, to } if from == "alice" && to.name == "carol")
    ));
    assert_eq!(world.clients[bob].texts()[1].0, "carol");
}

#[test]
fn the_owner_mutes_and_only_the_owner() {
    let mut world = World::new(10);
    let (owner, alice, mallory) = (world.join_owner(), world.join("alice"), world.join("mallory"));
    world.say(mallory, "spam");
    let now = world.now;
    let key = world.key_of(owner, "mallory");
    assert!(matches!(world.clients[alice].room.mute(now, key, true), Err(Error::NotOwner)));
    world.clients[owner].room.mute(now, key, true).unwrap();
    world.settle();
    world.say(mallory, "more spam");
    assert_eq!(world.clients[alice].texts(), pairs(&[("mallory", "spam")]));
    // A newcomer reads the order too, and sees nothing of the muted one.
    let late = world.join("late");
    assert!(world.clients[late].room.who().iter().any(|p| p.muted));
    world.say(mallory, "still spam");
    assert!(!world.clients[late].texts().iter().any(|(_, t)| t == "still spam"));
    world.clients[owner].room.mute(now, key, false).unwrap();
    world.settle();
    world.say(mallory, "sorry");
    assert!(world.clients[alice].texts().iter().any(|(_, t)| t == "sorry"));
}

#[test]
fn re_keying_takes_along_whom_the_owner_chooses_and_old_links_die() {
    let mut world = World::new(11);
    let (owner, alice, mallory) = (world.join_owner(), world.join("alice"), world.join("mallory"));
    let old_link = world.link.clone();
    world.say(alice, "hi");
    world.say(mallory, "hi too");
    let now = world.now;
    let mut rng = ChaCha20Rng::seed_from_u64(99);
    let key = world.key_of(owner, "alice");
    world.clients[owner].room.rekey(now, &[key], &mut rng).unwrap();
    world.settle();
    assert!(world.clients[alice].has(|e| *e == RoomEvent::Rekeyed));
    assert!(world.clients[mallory].has(|e| *e == RoomEvent::LockedOut));
    world.say(owner, "among ourselves");
    world.say(alice, "good");
    let stale = world.join_by(&old_link, "stale");
    assert!(world.clients[alice].texts().iter().any(|(_, t)| t == "among ourselves"));
    for outsider in [mallory, stale] {
        let texts = world.clients[outsider].texts();
        assert!(!texts.iter().any(|(_, t)| t == "among ourselves" || t == "good"), "{texts:?}");
    }
    // Who was left behind is dropped after a while, and what they write then is not read any more.
    world.advance(REKEY_GRACE_MS + 1);
    world.say(mallory, "let me in");
    assert!(!world.clients[alice].texts().iter().any(|(_, t)| t == "let me in"));
}

#[test]
fn an_owner_who_reads_the_own_order_before_it_is_stored_is_not_locked_out() {
    let mut world = World::new(16);
    let (owner, alice) = (world.join_owner(), world.join("alice"));
    world.say(alice, "hi");
    let mut rng = ChaCha20Rng::seed_from_u64(99);
    let key = world.key_of(owner, "alice");
    world.clients[owner].room.rekey(world.now, &[key], &mut rng).unwrap();
    let client = &mut world.clients[owner];
    while let Some(output) = client.room.poll() {
        match output {
            Output::Event(event) => client.events.push(event),
            Output::Cancel(call) => drop(client.open.remove(&call)),
            Output::Call(call, Call::Get(ids) | Call::Look(ids)) => {
                client.open.insert(call, (ids, false));
            }
            Output::Call(call, Call::Put(sealed)) => {
                let outcome = world.hub.put(&sealed).unwrap();
                // The get that waits for it is answered first.
                let reading = client
                    .open
                    .iter()
                    .find(|(_, (ids, _))| ids.contains(&sealed.id))
                    .map(|(call, _)| *call);
                client.open.remove(&reading.unwrap());
                client
                    .room
                    .on_boxes(world.now, reading.unwrap(), vec![sealed.verify().unwrap()])
                    .unwrap();
                client.room.on_put(world.now, call, outcome).unwrap();
            }
        }
    }
    world.settle();
    world.say(owner, "among ourselves");
    assert!(world.clients[alice].texts().iter().any(|(_, t)| t == "among ourselves"));
    assert!(!world.clients[owner].has(|e| *e == RoomEvent::LockedOut));
}

#[test]
fn a_full_hub_makes_messages_wait_and_loses_none() {
    let mut world = World::new(14);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, "first");
    world.hub.full = true;
    world.say(alice, "patience");
    assert!(!world.clients[alice].room.is_drained());
    assert!(world.clients[alice].has(|e| matches!(e, RoomEvent::Trouble(_))));
    world.hub.full = false;
    world.advance(60_000);
    assert_eq!(world.clients[bob].texts(), pairs(&[("alice", "first"), ("alice", "patience")]));
}

#[test]
fn the_outbox_is_bounded_and_says_so() {
    let mut world = World::new(15);
    let alice = world.join("alice");
    world.hub.full = true;
    let now = world.now;
    let mut taken = 0;
    let refused = loop {
        match world.clients[alice].room.say(now, "x") {
            Ok(_) => taken += 1,
            Err(e) => break e,
        }
        assert!(taken < 10_000);
    };
    assert!(matches!(refused, Error::OutboxFull));
    assert!(taken > 1_000);
}
