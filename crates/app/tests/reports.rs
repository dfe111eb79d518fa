//! A relay that answers and loses packets leaves the document.

mod common;

use common::{LONG, World};

//= DIR-017
#[test]
fn a_relay_that_eats_packets_disappears_from_the_document_of_three_directories() {
    let mut world = World::new()
        .directories(3)
        .relays(5)
        .directory_setting("mix_loops_per_minute = 120")
        .plan();
    world.relay(5).bears_limits();
    world.start_all();
    world.ready();
    let (mut alice, bob) = (world.join("alice"), world.join("bob"));
    alice.say("before");
    bob.expect_message("alice", "before", LONG);

    let marks = [1, 2, 3].map(|n| world.directory_at(n).mark());
    world.relay(5).writes_nothing(true);
    for (n, mark) in (1..).zip(marks) {
        world.directory_at(n).expect_after(mark, "a relay is left out");
        world.directory_at(n).expect_after(mark, "relays=4 hubs=1");
    }
    let port = world.relay(5).port;
    for n in 1..=3 {
        let file = world.directory_at(n).dir.join("accused");
        let accused = std::fs::read_to_string(file).expect("it says who");
        let line = accused.lines().find(|line| line.contains("left out")).expect("one of them");
        assert!(line.contains(&format!("127.0.0.1:{port}: ")), "{accused}");
        assert!(line.contains("of 4 other relays report that it loses packets"), "{accused}");
    }
    // It was left out for that alone: its link is there, and nobody has said goodbye.
    let log = world.relay(5).log.all();
    assert!(log.iter().any(|line| line.contains("packets are dropped")), "{log:?}");
    alice.say("after");
    bob.expect_message("alice", "after", LONG);
    world.relay(5).writes_nothing(false);
    alice.leave();
    bob.leave();
    world.stop();
}
