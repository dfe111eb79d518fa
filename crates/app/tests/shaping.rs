//! Traffic shaping on the direct route: what somebody sees who counts bytes, and what people see.

mod common;
mod person;

use std::collections::BTreeMap;

use common::proxy::{Recorded, Recorder, batches_of, records};
use common::{Chat, SOON, World};
use person::Person;
use wire::hub::{Answer, BoxBytes, Operation, Request, Response};
use wire::id::AccessKey;
use wire::{BootId, Frame, RequestId};

/// Ciphertexts of the four classes, bytes.
const LADDER: [usize; 4] = [512, 1_024, 2_048, 4_096];

/// A network whose hub is reached through `recorder`.
fn recorded_world(recorder: &Recorder, hub: &str) -> World {
    let mut world = World::new().relays(1).announce().hub_setting(hub).plan();
    for role in world.roles() {
        recorder.proxy(&role.name, role.announced, role.port);
    }
    world.directory().start();
    world.relay(1).start();
    world.hub().start();
    world.ready();
    world
}

fn of_class(len: usize) -> BoxBytes {
    BoxBytes { id: [9; 32], ciphertext: vec![9; len], signature: [9; 64] }
}

/// Length of the frame that puts a box of this class.
fn put_frame(len: usize) -> usize {
    let request =
        Request { access: AccessKey::new([9; 16]), operation: Operation::Put(of_class(len)) };
    Frame::HubRequest(RequestId(1 << 32), request).to_bytes().expect("a frame").len()
}

/// Length of the frame that brings one box of this class.
fn box_frame(len: usize) -> usize {
    let response = Response {
        boot: BootId::new([9; 16]),
        answer: Answer::Boxes(vec![of_class(len)]),
        tally: None,
    };
    Frame::HubResponse(RequestId(1 << 32), response).to_bytes().expect("a frame").len()
}

/// The shortest that a frame with a box can be: whatever is shorter is a `get`, an answer without
/// boxes, a ping.
fn shortest() -> usize {
    put_frame(512).min(box_frame(512))
}

/// What left together, and how often, as far as there is a box in it.
fn long_batches(bytes: &[u8]) -> BTreeMap<usize, usize> {
    let mut batches = BTreeMap::new();
    for batch in batches_of(&records(bytes).expect("TLS")).into_iter().filter(|b| *b >= shortest())
    {
        *batches.entry(batch).or_default() += 1;
    }
    batches
}

/// How often a frame of each class left by itself. What is left over shared its batch with another
/// frame, as when a link has just come up, and must be rare.
fn classes(
    batches: &BTreeMap<usize, usize>,
    frame: impl Fn(usize) -> usize,
) -> BTreeMap<usize, usize> {
    let alone = LADDER.into_iter().filter_map(|class| Some((class, *batches.get(&frame(class))?)));
    let alone: BTreeMap<usize, usize> = alone.collect();
    let (all, exact) = (batches.values().sum::<usize>(), alone.values().sum::<usize>());
    assert!(all - exact <= 4 + exact / 4, "{batches:?}");
    alone
}

/// The busiest writer's link.
fn talker(recorder: &Recorder) -> Recorded {
    let all = recorder.connections().into_iter().filter(|c| c.to == "hub");
    all.max_by_key(|c| long_batches(&c.sent).values().sum::<usize>()).expect("somebody talks")
}

fn events(chat: &Chat, kind: &str) -> Vec<serde_json::Value> {
    chat.events().into_iter().filter(|e| e["event"] == kind).collect()
}

//= SHAPE-001
#[test]
fn messages_of_1_to_4000_bytes_have_four_sizes_on_the_ladder_and_one_without() {
    let texts: Vec<String> =
        [1, 40, 400, 480, 500, 900, 1_000, 1_500, 1_900, 2_000, 2_500, 3_999, 4_000]
            .into_iter()
            .map(|len| "x".repeat(len))
            .collect();
    for (sizes, expected) in [("ladder", &LADDER[..]), ("uniform", &[2_048])] {
        let recorder = Recorder::default();
        let mut world = recorded_world(&recorder, "");
        let reader = world.chat_with("reader", &["--route", "direct"]);
        reader.expect_up();
        let mut alice = world.chat_with(
            "alice",
            &[
                "--route",
                "direct",
                "--box-sizes",
                sizes,
                "--send-delay",
                "5ms-20ms",
                "--dummies",
                "off",
            ],
        );
        for text in &texts {
            alice.say(text);
        }
        for text in &texts {
            reader.expect_message("alice", text, SOON);
        }
        alice.leave();
        reader.leave();
        // Users of the onion route get all of it as well.
        let late = world.chat_with("late", &["--route", "onion"]);
        for text in &texts {
            late.expect_message("alice", text, SOON);
        }
        late.leave();
        world.stop();
        let link = talker(&recorder);
        let batches = long_batches(&link.sent);
        println!("{sizes}: bytes that left together, and how often: {batches:?}");
        let found: Vec<usize> = classes(&batches, put_frame).into_keys().collect();
        assert_eq!(found, expected, "{sizes}");
        assert_eq!(put_frame(512), 512 + 139);
    }
}

//= SHAPE-004, SHAPE-005, SHAPE-006
#[test]
fn dummies_come_from_both_ends_are_as_long_as_boxes_and_are_shown_to_nobody() {
    let recorder = Recorder::default();
    let mut world = recorded_world(&recorder, "dummies_seconds = [0.05, 0.1]");
    let mut alice = world.chat_with("alice", &["--route", "direct", "--dummies", "50ms-100ms"]);
    alice.expect_up();
    let bob = world.chat_with("bob", &["--route", "direct"]);
    bob.expect_up();
    // Nobody says anything, and twenty boxes go each way.
    let hub = |all: &[Recorded], side: fn(&Recorded) -> &[u8], frame: usize| {
        let links = all.iter().filter(|c| c.to == "hub");
        links.filter(|c| long_batches(side(c)).get(&frame).is_some_and(|n| *n >= 20)).count()
    };
    let idle = recorder.wait(SOON, |all| {
        hub(all, |c| &c.sent, put_frame(2_048)) >= 1
            && hub(all, |c| &c.received, box_frame(2_048)) >= 2
    });
    assert!(idle, "no dummies: {}", alice.story());
    for chat in [&alice, &bob] {
        assert_eq!(events(chat, "message"), [""; 0], "nothing is shown for them");
        assert_eq!(events(chat, "notice"), [""; 0], "and nothing is said about them");
    }
    // What people say comes through, whatever it looks like.
    for text in ["DUMMY: hello", "after twenty dummies"] {
        alice.say(text);
        bob.expect_message("alice", text, SOON);
    }
    assert_eq!(bob.messages().len(), 2);
    alice.leave();
    bob.leave();
    world.stop();
    let mut clients = 0;
    for link in recorder.connections().iter().filter(|c| c.to == "hub") {
        let (sent, received) = (long_batches(&link.sent), long_batches(&link.received));
        if received.is_empty() {
            // Between nodes.
            continue;
        }
        clients += 1;
        println!("sent {sent:?} received {received:?}");
        assert!(classes(&sent, put_frame).keys().all(|c| *c == 2_048));
        assert_eq!(Vec::from_iter(classes(&received, box_frame).into_keys()), [2_048]);
    }
    assert_eq!(clients, 2);
}

//= SHAPE-002
#[test]
fn a_delay_holds_boxes_back_and_never_the_person() {
    let recorder = Recorder::default();
    let mut world = recorded_world(&recorder, "");
    let bob = world.chat_with("bob", &["--route", "direct"]);
    bob.expect_up();
    let mut alice = world.chat_with("alice", &["--route", "direct", "--send-delay", "400ms-500ms"]);
    alice.expect_up();
    for n in 0..5 {
        alice.say(&format!("owl {n}"));
    }
    alice.expect_stored(5, SOON);
    let states: Vec<(u64, String)> = events(&alice, "state")
        .iter()
        .map(|e| {
            (e["message"].as_u64().unwrap_or(0), e["state"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    let first_sent = states.iter().position(|(_, s)| s == "sent").expect("sent");
    let queued = states[..first_sent].iter().filter(|(_, s)| s == "queued").count();
    assert_eq!(queued, 5, "all was taken before the first box left: {states:?}");
    let stored: Vec<u64> = states.iter().filter(|(_, s)| s == "stored").map(|(n, _)| *n).collect();
    assert_eq!(stored, [1, 2, 3, 4, 5]);
    // After the first, four boxes left at least 400 ms after the one before each.
    let after: Vec<u64> = events(&alice, "state")
        .iter()
        .filter(|e| e["state"] == "sent")
        .filter_map(|e| e["after_ms"].as_u64())
        .collect();
    assert!(after.last() >= Some(&(5 * 400)), "{after:?}");
    // What waits while the hub is away is not lost, and comes once and in order.
    world.hub().kill();
    for n in 5..8 {
        alice.say(&format!("owl {n}"));
    }
    world.hub().restart();
    bob.expect_message("alice", "owl 7", SOON);
    let texts: Vec<String> = bob.messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, (0..8).map(|n| format!("owl {n}")).collect::<Vec<_>>());
    alice.leave();
    bob.leave();
}

/// Changes settings in a profile's file.
fn set(person: &Person, settings: &[(&str, &str)]) {
    let file = person.home.join(person.name).join("config.toml");
    let text = std::fs::read_to_string(&file).expect("the settings");
    let line = |line: &str| {
        let new = settings.iter().find(|(key, _)| line.starts_with(&format!("{key} = ")));
        new.map_or(line.to_owned(), |(key, value)| format!("{key} = \"{value}\""))
    };
    let text: Vec<String> = text.lines().map(line).collect();
    std::fs::write(&file, text.join("\n")).expect("the settings");
}

//= SHAPE-001, SHAPE-007
#[test]
fn a_profile_shapes_its_direct_route_and_readers_on_the_onion_route_get_all() {
    let recorder = Recorder::default();
    let mut world = recorded_world(&recorder, "");
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    let shaped = [("box_sizes", "ladder"), ("send_delay", "5ms-20ms"), ("dummies", "50ms-100ms")];
    set(&alice, &[&[("route", "direct"), ("floor", "anywhere")], &shaped[..]].concat());
    set(&bob, &[("floor", "anywhere"), ("box_sizes", "ladder")]);
    alice.befriend(&bob);
    // Three of each class: one may share its batch with another frame.
    let texts = [1, 600, 1_400, 3_000, 2, 601, 1_401, 3_001, 3, 602, 1_402, 3_002]
        .map(|len| "x".repeat(len));
    for text in &texts {
        alice.send("bob", text);
    }
    assert_eq!(bob.recv(texts.len()), texts.map(|text| format!("alice: {text}")));
    world.stop();
    let mut found = BTreeMap::new();
    for link in recorder.connections().iter().filter(|c| c.to == "hub") {
        let batches = long_batches(&link.sent);
        for class in LADDER {
            *found.entry(class).or_insert(0) +=
                batches.get(&put_frame(class)).copied().unwrap_or(0);
        }
    }
    println!("boxes of each class that left alone: {found:?}");
    assert!(found.values().all(|n| *n > 0), "{found:?}");
}

#[test]
fn a_span_that_is_none_is_refused_with_a_hint() {
    for odd in ["3s-1s", "soon", "1s"] {
        let refused = common::run(["chat", "hushwing:room#x", "--send-delay", odd]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("0.5s-3s"), "{refused:?}");
    }
}
