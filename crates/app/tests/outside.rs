//! A network outside the lab: addresses change, clocks are set, machines sleep, the directory is
//! gone.

mod common;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use common::{LONG, SOON, World, run, they_talk};

/// Another address of this machine.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Waits until so much of the world's time has passed: epochs pass by the clock and by nothing
/// else.
fn until(since: Instant, seconds: u64) {
    let end = since + Duration::from_secs(seconds);
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
}

#[test]
fn nodes_that_come_back_at_another_address_are_found_there() {
    let mut world = World::new().start();
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "before");
    for n in 1..=3 {
        world.relay(n).kill();
        world.relay(n).moves();
        world.relay(n).restart();
    }
    they_talk(&mut alice, &mut bob, "all relays have moved");
    world.hub().kill();
    world.hub().moves();
    world.hub().restart();
    they_talk(&mut alice, &mut bob, "the hub has moved");
    alice.leave();
    bob.leave();
    world.stop();
}

//= PATH-008
//= DIR-020
#[test]
fn a_relay_that_does_not_listen_carries_packets_on_the_links_that_it_opened() {
    // With three relays each path needs the one that nobody reaches.
    let mut world = World::new().dials_only(1).start();
    world.relay(3).expect("listens nowhere and dials the others");
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "over links that it opened");
    let well = run(["doctor", world.link()]);
    assert_eq!(well.code, 0, "{well:?}");
    assert!(well.stdout.contains("2 in the network, 1 more only dial"), "{well:?}");
    assert!(well.stdout.contains("through all nodes and links — 4 of 4 probes"), "{well:?}");
    // It loses its line without a word, and comes back.
    world.relay(3).kill();
    world.relay(3).restart();
    they_talk(&mut alice, &mut bob, "it was away");
    // A reached one starts again: it is dialled, and sends packets back, as before.
    world.relay(1).kill();
    world.relay(1).restart();
    they_talk(&mut alice, &mut bob, "another was away");
    world.stop();
}

//= DIR-020
#[test]
fn a_relay_that_announces_what_nobody_reaches_only_dials_and_a_hub_is_told() {
    let mut world = World::new().plan();
    world.directory().start();
    for n in 1..=3 {
        world.relay(n).announced = 1;
        world.relay(n).start();
    }
    world.hub().announced = 1;
    world.hub().start();
    world.listed(0, 0);
    world.directory().expect("dials_only=3");
    for n in 1..=3 {
        world.relay(n).expect("hint: open the port, try --map-port");
        world.relay(n).expect("listed as a relay that dials only");
    }
    world.hub().expect("and does not list it (hint: open the port");
}

#[test]
fn on_the_direct_route_the_hub_is_found_at_its_new_address() {
    let mut world = World::new().start();
    let direct = ["--route", "direct"];
    let (mut alice, mut bob) = (world.chat_with("alice", &direct), world.chat_with("bob", &direct));
    alice.expect_up();
    bob.expect_up();
    they_talk(&mut alice, &mut bob, "before");
    world.hub().kill();
    world.hub().moves();
    world.hub().restart();
    they_talk(&mut alice, &mut bob, "the hub has moved");
}

#[test]
fn a_hub_that_hangs_is_noticed_within_half_a_minute() {
    let mut world = World::new().start();
    let direct = ["--route", "direct"];
    let (mut alice, mut bob) = (world.chat_with("alice", &direct), world.chat_with("bob", &direct));
    they_talk(&mut alice, &mut bob, "before");
    world.hub().process().signal("STOP");
    alice.expect("that the hub is gone", Duration::from_secs(40), |e| {
        e["event"] == "network" && e["up"] == false
    });
    world.hub().process().signal("CONT");
    they_talk(&mut alice, &mut bob, "after");
}

//= MIX-009
#[test]
fn a_network_goes_on_without_its_directory_also_when_nodes_and_clients_start_again() {
    let mut world = World::new().epoch(10).start();
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "before");
    world.directory().kill();
    let gone = Instant::now();
    // The document named keys for this epoch and the next two.
    until(gone, 35);
    they_talk(&mut alice, &mut bob, "four epochs later");
    for n in 1..=3 {
        world.relay(n).kill();
        world.relay(n).start();
    }
    world.hub().kill();
    world.hub().start();
    they_talk(&mut alice, &mut bob, "all nodes have started again");
    bob.expect("the state of the directory", SOON, |e| {
        let text = e["text"].as_str().unwrap_or_default();
        e["event"] == "network" && text.contains("its document holds for")
    });
    // It comes back, and everything goes on with its documents.
    world.directory().restart();
    world.ready();
    they_talk(&mut alice, &mut bob, "the directory is back");
}

#[test]
fn a_client_that_slept_through_epochs_goes_on_by_itself() {
    let world = World::new().epoch(10).start();
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "before");
    bob.process.signal("STOP");
    let asleep = Instant::now();
    alice.say("good night");
    until(asleep, 45);
    bob.process.signal("CONT");
    bob.expect_message("alice", "good night", LONG);
    they_talk(&mut alice, &mut bob, "good morning");
}

//= DIR-010
#[test]
fn clocks_that_are_set_while_programs_run_stop_nobody() {
    let world = World::new().epoch(10).turnable_clocks().start();
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "before");
    for (who, by) in [("relay-1", "+2d"), ("hub", "+16d"), ("relay-2", "-2d")] {
        world.set_clock(who, by);
        they_talk(&mut alice, &mut bob, &format!("{who} {by}"));
    }
    for who in ["relay-1", "hub", "relay-2"] {
        world.set_clock(who, "+0");
    }
    until(Instant::now(), 25);
    they_talk(&mut alice, &mut bob, "two epochs after they were set right");
}

#[test]
fn a_client_with_a_wrong_clock_is_told_and_goes_on_once_it_is_set() {
    let world = World::new().epoch(10).turnable_clocks().start();
    world.set_clock("bob", "-50y");
    let mut alice = world.join("alice");
    let mut bob = world.chat("bob");
    bob.expect("what is wrong", SOON, |e| {
        let text = e["text"].as_str().unwrap_or_default();
        e["event"] == "network" && e["up"] == false && text.contains("clock is behind")
    });
    world.set_clock("bob", "+0");
    bob.expect_up();
    they_talk(&mut alice, &mut bob, "what time is it?");
}

#[test]
fn a_network_of_names_is_found_wherever_the_names_lead() {
    let mut world = World::new().names().start();
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "before");
    // The provider gives the line another address, and the names follow. The links stay.
    world.directory().kill();
    world.directory().moves_to(ELSEWHERE);
    world.hub().kill();
    world.hub().moves_to(ELSEWHERE);
    for n in 1..=3 {
        world.relay(n).kill();
        world.relay(n).moves_to(ELSEWHERE);
    }
    world.dns_says(ELSEWHERE);
    world.directory().start();
    world.hub().start();
    for n in 1..=3 {
        world.relay(n).start();
    }
    world.ready();
    they_talk(&mut alice, &mut bob, "all have moved");
    let mut carol = world.join("carol");
    they_talk(&mut carol, &mut bob, "by the old link");
}

//= DIR-018
//= DIR-019
#[test]
fn a_directory_that_moves_is_found_by_nodes_and_by_clients_that_run() {
    let mut world = World::new().epoch(10).start();
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "before");
    world.directory().kill();
    world.directory().moves();
    world.directory().start();
    // It tells its nodes, which register there.
    world.listed(3, 1);
    let mut gone = false;
    alice.expect("that the directory is gone, and there again", LONG, |e| {
        let about = e["text"].as_str().unwrap_or_default().contains("directory");
        gone |= e["event"] == "network" && about;
        gone && e["event"] == "network" && e["up"] == true && !about
    });
    // A relay that comes back at another address is found by clients through the new documents.
    world.relay(2).kill();
    world.relay(2).moves();
    world.relay(2).restart();
    world.relay(3).kill();
    world.relay(3).moves();
    world.relay(3).restart();
    they_talk(&mut alice, &mut bob, "everything but the entry has moved");
}
