//! Every start order leads to a working network.

mod common;

use common::{SOON, World};

fn talk(world: &World) {
    let mut alice = world.chat("alice");
    let bob = world.chat("bob");
    alice.say("does it work?");
    bob.expect_message("alice", "does it work?", SOON);
    alice.leave();
    bob.leave();
}

#[test]
fn nodes_wait_for_their_directory() {
    let mut world = World::new().plan();
    world.hub().start();
    for n in 1..=3 {
        world.relay(n).start();
    }
    for n in 1..=3 {
        world.relay(n).expect("waiting for");
    }
    world.hub().expect("waiting for");
    world.directory().start();
    world.ready();
    talk(&world);
    world.stop();
}

#[test]
fn a_client_waits_for_relays() {
    let mut world = World::new().plan();
    world.hub().start();
    world.directory().start();
    world.hub().expect("admitted by the directory");
    let mut alice = world.chat("alice");
    let bob = world.chat("bob");
    alice.say("early words");
    alice.expect("word of missing relays", SOON, |e| {
        e["event"] == "network"
            && e["up"] == false
            && e["text"].as_str().is_some_and(|t| t.contains("too few relays"))
    });
    for n in [3, 1, 2] {
        world.relay(n).start();
    }
    bob.expect_message("alice", "early words", SOON);
    alice.expect_stored(1, SOON);
    alice.leave();
    bob.leave();
    world.stop();
}

#[test]
fn a_client_that_starts_first_of_all_converges() {
    let mut world = World::new().start();
    // The link must be made while they run; after that everything starts again, the clients first.
    world.link();
    world.stop();
    let mut alice = world.chat("alice");
    let bob = world.chat("bob");
    alice.say("is anybody there?");
    alice.expect("word of the missing directory", SOON, |e| {
        e["event"] == "network" && e["up"] == false
    });
    world.relay(2).start();
    world.hub().start();
    world.relay(1).start();
    world.directory().start();
    world.relay(3).start();
    bob.expect_message("alice", "is anybody there?", SOON);
    alice.leave();
    bob.leave();
    world.stop();
}

#[test]
fn a_network_lives_without_its_directory_and_takes_it_back() {
    let mut world = World::new().start();
    let mut alice = world.join("alice");
    let bob = world.join("bob");
    world.directory().kill();
    alice.say("the directory is dead");
    bob.expect_message("alice", "the directory is dead", SOON);
    world.directory().restart();
    world.ready();
    alice.say("long live the directory");
    bob.expect_message("alice", "long live the directory", SOON);
    let carol = world.join("carol");
    alice.say("hello carol");
    carol.expect_message("alice", "hello carol", SOON);
    for chat in [alice, bob, carol] {
        chat.leave();
    }
    world.stop();
}
