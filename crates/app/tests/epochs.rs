//! A chat that goes on while keys change.

mod common;

use common::{SOON, World};

/// Epochs of the documents published so far.
fn epochs(world: &World) -> usize {
    let log = world.roles().find(|r| r.name == "directory").expect("there is one").log.all();
    let mut epochs: Vec<&str> =
        log.iter().filter_map(|l| l.split("epoch=").nth(1)?.split(' ').next()).collect();
    epochs.dedup();
    epochs.len()
}

#[test]
fn a_chat_goes_on_across_epochs_and_a_restarted_relay() {
    let mut world = World::new().relays(3).epoch(10).start();
    let mut alice = world.join("alice");
    let mut bob = world.join("bob");
    let before = epochs(&world);
    let mut said = 0;
    let mut killed = false;
    // One word gives the other: the next is said when the last has been heard.
    while epochs(&world) < before + 3 {
        alice.say(&format!("ping {said}"));
        bob.expect_message("alice", &format!("ping {said}"), SOON);
        bob.say(&format!("pong {said}"));
        alice.expect_message("bob", &format!("pong {said}"), SOON);
        said += 1;
        if epochs(&world) > before && !killed {
            killed = true;
            // Its keys of this epoch are on disk, with its replay journal: it goes on within the
            // epoch.
            world.relay(1).kill();
            world.relay(1).restart();
        }
    }
    println!("{said} pings and pongs across {} epochs", epochs(&world) - before);
    for (chat, from, what) in [(&bob, "alice", "ping"), (&alice, "bob", "pong")] {
        let expected: Vec<_> =
            (0..said).map(|n| (from.to_owned(), format!("{what} {n}"))).collect();
        assert_eq!(chat.messages(), expected);
    }
    alice.leave();
    bob.leave();
    world.stop();
}
