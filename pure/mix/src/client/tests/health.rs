//! Nodes and links that eat packets.

use super::*;

/// Loops of one a second on average.
const OFTEN: u32 = 1_000;

/// A world whose client probes; its entry, and a relay that is not.
fn probing(relays: usize, loops: u32) -> (World, usize, usize) {
    let mut world = World::new(relays, CoverLevel::Off);
    world.document.mixing.mix_loops = loops;
    world.client.set_document(T0, &world.document, &mut world.rng).unwrap();
    let entry = usize::from(world.client.entry().unwrap().as_bytes()[0]) - 1;
    let other = (0..relays).find(|n| *n != entry).unwrap();
    (world, entry, other)
}

/// How long a relay that eats packets goes on unnoticed, ms, in the worlds of these seeds; sorted.
fn unnoticed(talks: bool) -> Vec<u64> {
    let mut all: Vec<u64> = (0..20)
        .map(|seed| {
            // Six loops a minute, as in a document by default.
            let (mut world, _, dead) = probing(4, 100);
            world.rng = ChaCha20Rng::seed_from_u64(seed);
            world.run(20_000);
            world.dead = vec![dead];
            let since = world.now;
            while world.avoided.is_empty() && world.now.millis_since(since) < 300_000 {
                if talks {
                    world.ask(b"hello");
                }
                world.run(10_000);
            }
            assert_eq!(world.avoided, [Fault::Node(id(dead))], "{seed}");
            world.now.millis_since(since)
        })
        .collect();
    all.sort_unstable();
    all
}

//= PATH-007
#[test]
fn a_relay_that_eats_packets_is_avoided_within_a_minute() {
    let (talking, idle) = (unnoticed(true), unnoticed(false));
    assert!(talking.iter().all(|ms| *ms <= 60_000), "{talking:?}");
    // Who says nothing has six loops a minute to go by.
    assert!(idle[10] <= 60_000 && idle[19] <= 180_000, "{idle:?}");
}

//= PATH-007
#[test]
fn requests_go_around_a_relay_that_eats_packets() {
    let (mut world, _, dead) = probing(4, OFTEN);
    world.dead = vec![dead];
    world.run(30_000);
    let (retries, traces) = (world.client.stats().retries, world.traces.len());
    for n in 0..20 {
        world.ask(&[n]);
    }
    world.run(200);
    let mut requests = world.traces[traces..].iter().filter(|t| t.what == "request");
    let over = |t: &PathTrace| t.relays.contains(&id(dead)) || t.reply_relays.contains(&id(dead));
    assert!(!requests.any(over));
    assert_eq!((world.answers.len(), world.client.stats().retries), (20, retries));
}

//= PATH-007
#[test]
fn a_link_that_eats_packets_is_avoided_and_its_ends_are_not() {
    let (mut world, entry, from) = probing(5, OFTEN);
    let to = (0..5).find(|n| ![entry, from].contains(n)).unwrap();
    world.cut = vec![(from, to)];
    world.run(50_000);
    assert_eq!(world.avoided, [Fault::Link(id(from), id(to))]);
    let traces = world.traces.len();
    for n in 0..40 {
        world.ask(&[n]);
    }
    world.run(200);
    assert_eq!(world.answers.len(), 40);
    let pairs = |relays: &[NodeId]| relays.windows(2).any(|w| w == [id(from), id(to)]);
    let requests = world.traces[traces..].iter().filter(|t| t.what == "request");
    assert!(!requests.clone().any(|t| pairs(&t.relays) || pairs(&t.reply_relays)));
    assert!(requests.clone().any(|t| t.relays.contains(&id(from))), "its ends carry on");
}

//= PATH-007
#[test]
fn whoever_carries_packets_again_is_used_again() {
    let (mut world, _, dead) = probing(4, OFTEN);
    world.dead = vec![dead];
    world.run(30_000);
    assert_eq!(world.avoided, [Fault::Node(id(dead))]);
    world.dead.clear();
    world.run(20_000);
    assert_eq!(world.avoided, []);
}

#[test]
fn a_line_that_loses_one_packet_in_twenty_accuses_nobody_for_long() {
    let (mut world, _, _) = probing(6, OFTEN);
    world.loses = Some(20 * 7);
    let mut accused = 0;
    for _ in 0..50 {
        world.run(1_000);
        accused += usize::from(!world.avoided.is_empty());
    }
    assert!(accused < 10, "{accused} of 50 s");
}

#[test]
fn when_nothing_comes_back_nobody_is_accused() {
    for silent in ["hub", "entry"] {
        let (mut world, entry, _) = probing(5, OFTEN);
        world.dead = vec![if silent == "hub" { world.hub } else { entry }];
        world.run(50_000);
        assert_eq!(world.avoided, [], "{silent}");
    }
}

#[test]
fn a_link_of_our_own_that_is_away_accuses_nobody() {
    let (mut world, _, _) = probing(5, OFTEN);
    world.run(10_000);
    world.dead = (0..5).collect();
    world.run(500);
    world.client.link_down();
    world.run(30_000);
    assert_eq!(world.avoided, []);
}

#[test]
fn a_probe_goes_where_it_is_sent_and_tells_what_became_of_it() {
    let (mut world, entry, dead) = probing(5, 0);
    let [a, b] = [0, 1].map(|n| (0..5).filter(|r| ![entry, dead].contains(r)).nth(n).unwrap());
    world.dead = vec![dead];
    for (probe, relays) in [(1, [entry, a, b]), (2, [entry, a, dead]), (3, [entry, b, a])] {
        let (now, hub) = (world.now, id(world.hub));
        world.client.probe(now, (probe, hub), &relays.map(id), 2_000, &mut world.rng).unwrap();
    }
    world.run(1_900);
    assert_eq!(world.probed, [(1, true), (3, true)]);
    world.run(200);
    assert_eq!(world.probed[2..], [(2, false)]);
    let (now, hub) = (world.now, id(world.hub));
    let nobody = world.client.probe(now, (4, hub), &[id(77)], 2_000, &mut world.rng);
    assert!(matches!(nobody, Err(Error::TooFewRelays { .. })));
}

//= PATH-010
#[test]
fn a_hub_that_answers_nothing_is_silent_within_40_seconds() {
    for seed in 0..20 {
        let (mut world, ..) = probing(4, 100);
        world.rng = ChaCha20Rng::seed_from_u64(seed);
        let hub = id(world.hub);
        for n in 0..3 {
            world.client.request(hub, vec![n], 30_000).unwrap();
        }
        world.run(20_000);
        assert!(!world.client.is_silent(world.now, &hub), "{seed}");
        // Readers ask for what is to come, and hear nothing.
        world.dead = vec![world.hub];
        for n in 0..3 {
            world.client.request(hub, vec![n], 30_000).unwrap();
        }
        world.run(40_000);
        assert!(world.client.is_silent(world.now, &hub), "{seed}");
        world.dead.clear();
        world.run(60_000);
        assert!(!world.client.is_silent(world.now, &hub), "{seed}");
    }
}

//= PATH-010
#[test]
fn a_relay_that_eats_packets_makes_no_hub_silent_and_a_lost_link_neither() {
    let (mut world, _, dead) = probing(4, OFTEN);
    let hub = id(world.hub);
    world.dead = vec![dead];
    for _ in 0..60 {
        world.run(1_000);
        assert!(!world.client.is_silent(world.now, &hub));
    }
    world.dead = vec![world.hub];
    world.run(15_000);
    world.client.link_down();
    world.run(60_000);
    assert!(!world.client.is_silent(world.now, &hub), "nothing can be said");
    world.dead.clear();
    world.client.link_up();
    world.run(1_000);
    assert!(!world.client.is_silent(world.now, &hub));
}
