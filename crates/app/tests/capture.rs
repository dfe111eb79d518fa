//! What somebody sees who records every byte between the processes.
//!
//! All roles announce the ports of recording proxies, so that nothing passes by them.

mod common;

use std::collections::BTreeMap;

use common::proxy::{Record, Recorded, Recorder, batches_of, holds, records};
use common::{SOON, World};

const MARKER: &str = "an-elephant-in-the-teapot";
const NICK: &str = "quetzalcoatl";

/// A network whose every link goes through `recorder`.
fn recorded_world(recorder: &Recorder) -> World {
    let world = World::new().relays(3).announce();
    let mut world = world.plan();
    for role in world.roles() {
        recorder.proxy(&role.name, role.announced, role.port);
    }
    world.directory().start();
    for n in 1..=3 {
        world.relay(n).start();
    }
    world.hub().start();
    world.ready();
    world
}

/// Some talk to and fro. Returns the size of an onion packet, as the program tells it.
fn chat(world: &World, route: &str) -> usize {
    let mut alice = world.chat_with(NICK, &["--route", route]);
    let mut bob = world.chat_with("bob", &["--route", route]);
    for n in 0..30 {
        alice.say(&format!("{MARKER} {n}"));
        bob.expect_message(NICK, &format!("{MARKER} {n}"), SOON);
        bob.say(&format!("{MARKER} back {n}"));
        alice.expect_message("bob", &format!("{MARKER} back {n}"), SOON);
    }
    let events = alice.events();
    let paths = events.iter().filter(|e| e["event"] == "path").filter_map(|e| e["text"].as_str());
    let mut sizes: Vec<&str> =
        paths.filter_map(|t| t.split_once(" bytes")?.0.rsplit(' ').next()).collect();
    sizes.dedup();
    assert!(sizes.len() <= 1, "{sizes:?}");
    alice.leave();
    bob.leave();
    sizes.first().map_or(0, |size| size.parse().expect("a number of bytes"))
}

/// Every 12 bytes of what the link holds: keys and ids are longer, so that a part of one would show
/// as well.
fn link_parts(link: &str) -> Vec<Vec<u8>> {
    let data = link.split('#').nth(1).expect("a link has a fragment");
    let bytes = data_encoding::BASE64URL_NOPAD.decode(data.as_bytes()).expect("base64url");
    let parts = bytes.windows(12).chain(data.as_bytes().windows(12));
    // Addresses are no secret, and no part of what travels either; they are left out all the same.
    parts.filter(|w| !holds(w, b"127.0.0.1")).map(<[u8]>::to_vec).collect()
}

fn assert_nothing_in_clear(connections: &[Recorded], link: &str) {
    let parts: std::collections::HashSet<Vec<u8>> = link_parts(link).into_iter().collect();
    for connection in connections {
        for bytes in [&connection.sent, &connection.received] {
            for secret in [MARKER, NICK, "elephant", "quetzal", "hushwing:room"] {
                assert!(
                    !holds(bytes, secret.as_bytes()),
                    "{secret} in clear on the way to {}",
                    connection.to
                );
            }
            let found = bytes.windows(12).any(|w| parts.contains(w));
            assert!(!found, "a part of the link in clear on the way to {}", connection.to);
        }
    }
}

/// All is TLS, and after the hellos everything is application data.
fn assert_tls(connections: &[Recorded]) {
    for connection in connections {
        for bytes in [&connection.sent, &connection.received] {
            let records = records(bytes).unwrap_or_else(|at| {
                panic!("no TLS at byte {at} on a connection to {}", connection.to)
            });
            let first = records.iter().position(|r| r.kind == 23).unwrap_or(records.len());
            let clear = &records[first..];
            assert!(clear.iter().all(|r| r.kind == 23), "{}: {clear:?}", connection.to);
        }
    }
}

#[test]
fn the_searching_finds_what_is_there() {
    assert!(holds(format!("..{MARKER}..").as_bytes(), MARKER.as_bytes()));
    assert!(!holds(b"", MARKER.as_bytes()));
    assert_eq!(link_parts("hushwing:room#AAAAAAAAAAAAAAAAAAAA").len(), 4 + 9);
    let one = [23, 3, 3, 0, 2, 9, 9];
    assert_eq!(records(&one).map(|r| r.len()), Ok(1));
    let of = |len| Record { kind: 23, len };
    assert_eq!(batches_of(&[of(16_401), of(117), of(27)]), [16_484, 10]);
    assert_eq!(records(&[&one[..], b"GET / HTTP"].concat()), Err(7));
}

#[test]
fn an_onion_chat_shows_nothing_but_tls_records_of_one_size() {
    let recorder = Recorder::default();
    let mut world = recorded_world(&recorder);
    // Before any client: each of four nodes has a link to the three others and one to the
    // directory.
    let nodes_only = 4 * 4;
    recorder.wait_connections(nodes_only, SOON);
    let packet = chat(&world, "onion");
    let link = world.link().to_owned();
    world.stop();

    let connections = recorder.connections();
    let total: usize = connections.iter().map(|c| c.sent.len() + c.received.len()).sum();
    println!("{} connections, {total} bytes recorded", connections.len());
    assert_nothing_in_clear(&connections, &link);
    assert_tls(&connections);

    // Between nodes: besides handshakes, pings and goodbyes there are packets of one size. Packets
    // that leave together share TLS records, so a batch is cut where a record is not full.
    let mut batches: BTreeMap<usize, usize> = BTreeMap::new();
    for connection in connections[..nodes_only].iter().filter(|c| c.to != "directory") {
        for batch in batches_of(&records(&connection.sent).expect("checked above")) {
            *batches.entry(batch).or_default() += 1;
        }
    }
    println!("bytes that left together, among nodes, and how often: {batches:?}");
    let (small, long): (Vec<_>, Vec<_>) = batches.iter().partition(|(bytes, _)| **bytes < 1_000);
    let frame = *long.first().expect("packets travelled").0;
    let frames: usize = long.iter().map(|(bytes, times)| *bytes / frame * *times).sum();
    assert!(
        (packet..packet + 64).contains(&frame),
        "a frame of {frame} holds a packet of {packet}"
    );
    assert!(long.iter().all(|(bytes, _)| *bytes % frame == 0), "{long:?}");
    assert!(small.len() <= 6, "{small:?}");
    // 60 messages pass three relays and come back by three.
    assert!(frames > 60 * 5, "{frames}");
}

#[test]
fn a_direct_chat_shows_no_content() {
    let recorder = Recorder::default();
    let mut world = recorded_world(&recorder);
    let packet = chat(&world, "direct");
    assert_eq!(packet, 0, "no packets on this route");
    let link = world.link().to_owned();
    world.stop();
    let connections = recorder.connections();
    assert!(
        connections.iter().any(|c| c.to == "hub" && c.sent.len() > 30 * 2_048),
        "the hub took no boxes"
    );
    assert_nothing_in_clear(&connections, &link);
    assert_tls(&connections);
}
