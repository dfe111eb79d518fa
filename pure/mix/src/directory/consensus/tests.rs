//! Several authorities in a world that delays, loses and lies.

mod lies;
mod world;

use proptest::prelude::*;
use wire::document::NodeDescriptor;

use self::world::{EPOCH_MS, World};
use super::*;
use crate::directory::assembler::MAX_REVISIONS;

/// Longest time to a document when everybody is there, ms: rest, echo, and what frames take.
const SOON: u64 = 5_000;

//= DIR-014
#[test]
fn three_agree_on_what_two_of_them_see() {
    let mut world = World::new(1, 3, 2);
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    world.sees(&[0, 2], &[4]);
    world.sees(&[1], &[5]);
    world.run(SOON);
    for authority in 0..3 {
        assert_eq!(world.lists(authority), [1, 2, 3, 4], "authority {authority}");
    }
    world.loses(&[0, 1, 2], &[2]);
    world.loses(&[2], &[3]);
    world.run(SOON);
    assert_eq!(world.lists(0), [1, 3, 4]);
    world.loses(&[1], &[3]);
    world.run(SOON);
    assert_eq!(world.lists(1), [1, 4], "one authority is not enough");
}

//= DIR-014
#[test]
fn a_relay_that_too_few_reach_is_listed_as_one_that_dials_only() {
    let mut world = World::new(2, 3, 2);
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    // One reaches 21, and it comes to two; 22 comes to one only; 20 is reached by two.
    world.sees(&[0], &[21]);
    world.hears(&[1, 2], &[21]);
    world.hears(&[1], &[22]);
    world.sees(&[0, 1], &[20]);
    world.hears(&[2], &[20]);
    world.run(SOON);
    let document = world.current(2).unwrap();
    let ids = |nodes: &[NodeDescriptor]| nodes.iter().map(|n| n.id).collect::<Vec<_>>();
    let mut reached = [1, 2, 3, 20].map(world::node_id);
    reached.sort();
    assert_eq!(ids(&document.nodes), reached);
    assert_eq!(ids(&document.dials_only), [world::node_id(21)]);
    world.silence();
}

//= DIR-018
#[test]
fn documents_say_where_the_directories_are_and_who_moves_alone_makes_none_due() {
    let mut world = World::new(3, 3, 2);
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    world.run(SOON);
    let at = |world: &World| -> Vec<_> {
        world.current(0).unwrap().directories.iter().map(|d| (d.id, d.address)).collect()
    };
    let place = |n: u8, port| (world::node_id(100 + n), world::address(port));
    assert_eq!(at(&world), [place(0, 5_999), place(1, 5_999), place(2, 5_999)]);
    world.until_next_epoch();
    world.run(SOON);
    let before = world.published();
    for port in 6_000..6_010 {
        world.moves(1, port);
        world.run(1_000);
    }
    assert_eq!(world.published(), before, "nobody has to fetch a document for that");
    assert_eq!(world.found[&(0, 1)], [world::address(6_009)], "the others know at once");
    world.until_next_epoch();
    world.run(SOON);
    assert_eq!(at(&world), [place(0, 5_999), place(1, 6_009), place(2, 5_999)]);
    world.silence();
}

//= DIR-012
#[test]
fn every_epoch_has_a_document_also_when_one_authority_is_dead() {
    for dead in 0..3 {
        let mut world = World::new(dead as u64, 3, 2);
        world.sees(&[0, 1, 2], &[1, 2, 3]);
        world.run(SOON);
        world.kill(dead);
        for _ in 0..6 {
            world.until_next_epoch();
            world.run(SOON);
            let epoch = world.epoch();
            for alive in (0..3).filter(|n| *n != dead) {
                assert_eq!(world.current(alive).unwrap().epoch, epoch, "{dead} is dead");
                assert_eq!(world.lists(alive), [1, 2, 3]);
            }
        }
        let alive = [(dead + 1) % 3, (dead + 2) % 3];
        world.loses(&alive, &[3]);
        world.sees(&alive, &[7]);
        world.run(SOON);
        assert_eq!(world.lists(alive[0]), [1, 2, 7]);
        world.restart(dead);
        world.sees(&[dead], &[1, 2, 7]);
        world.run(SOON);
        assert_eq!(world.lists(dead), [1, 2, 7], "it has what it missed");
        // It counts again: without it there are not enough.
        world.kill(alive[0]);
        world.until_next_epoch();
        world.run(2 * SOON);
        assert_eq!(world.current(dead).unwrap().epoch, world.epoch());
        world.silence();
    }
}

#[test]
fn without_enough_authorities_nothing_is_signed_and_no_numbers_are_used_up() {
    let mut world = World::new(5, 3, 2);
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    world.run(SOON);
    world.kill(1);
    world.kill(2);
    world.until_next_epoch();
    world.run(EPOCH_MS / 2);
    assert_eq!(world.current(0).unwrap().epoch, world.epoch() - 1);
    assert_eq!(world.disk(0).last().unwrap().0, world.epoch() - 1);
    world.restart(1);
    world.sees(&[1], &[1, 2, 3]);
    world.run(SOON);
    assert_eq!(world.current(0).unwrap().epoch, world.epoch());
}

#[test]
fn a_leader_that_hangs_costs_seconds() {
    let mut world = World::new(6, 3, 2);
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    world.run(SOON);
    for hangs in 0..3 {
        world.until_next_epoch();
        world.hang(hangs, true);
        world.run(PATIENCE_MS + SOON);
        let other = (hangs + 1) % 3;
        assert_eq!(world.current(other).unwrap().epoch, world.epoch(), "{hangs} hangs");
        world.hang(hangs, false);
        world.run(SOON);
        assert_eq!(world.current(hangs).unwrap().epoch, world.epoch());
    }
    world.silence();
}

//= DIR-012
#[test]
fn no_pair_is_signed_twice_when_disks_fail_and_authorities_start_again() {
    let mut world = World::new(7, 3, 2);
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    world.full_disk(1, true);
    // It leads the first revision, and nothing comes of that.
    world.run(PATIENCE_MS + SOON);
    assert!(world.disk(1).is_empty(), "nothing that it could not note");
    assert_eq!(world.lists(0), [1, 2, 3], "two others suffice");
    world.full_disk(1, false);
    for n in 0..6 {
        world.kill(n % 3);
        world.loses(&[0, 1, 2], &[u8::try_from(n).unwrap() + 1]);
        world.run(300);
        world.restart(n % 3);
        world.sees(&[n % 3], &[u8::try_from(n).unwrap() + 2]);
        world.run(SOON);
    }
    world.silence();
}

#[test]
fn a_node_that_comes_and_goes_makes_a_bounded_number_of_documents() {
    let mut world = World::new(8, 3, 2);
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    world.run(SOON);
    world.until_next_epoch();
    world.run(SOON);
    let before = world.published();
    for _ in 0..EPOCH_MS / 6_000 / 2 {
        world.loses(&[0, 1, 2], &[3]);
        world.run(2_900);
        world.sees(&[0, 1, 2], &[3]);
        world.run(2_900);
    }
    let made = world.published() - before;
    assert!(made <= 3 * MAX_REVISIONS, "{made}");
    assert!(made >= 10, "{made}");
}

#[test]
fn another_setting_does_not_count_and_is_named() {
    let mut world = World::with(9, 3, 2, |n, parameters| {
        if n == 2 {
            parameters.mixing.mean_delay_ms += 1;
        }
    });
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    world.run(2 * SOON);
    assert_eq!(world.lists(0), [1, 2, 3]);
    let what = "mean_delay_ms, max_delay_ms, cover or mix_loops_per_minute";
    assert!(world.accused(0, 2).contains(&Misdeed::OtherParameters(what)));
    assert!(world.accused(2, 0).contains(&Misdeed::OtherParameters(what)));
}

#[test]
fn clocks_that_differ_by_seconds_do_not_matter_and_a_wrong_one_only_silences_its_owner() {
    let mut world = World::new(10, 3, 2);
    world.clock(1, 4_000);
    world.clock(2, -3_000);
    world.sees(&[0, 1, 2], &[1, 2, 3]);
    world.run(SOON + 7_000);
    for _ in 0..4 {
        world.until_next_epoch();
        world.run(SOON + 7_000);
        assert_eq!(world.current(0).unwrap().epoch, world.epoch());
    }
    world.clock(2, 2 * 24 * 3_600_000);
    for _ in 0..3 {
        world.until_next_epoch();
        world.run(SOON + 7_000);
        assert_eq!(world.current(0).unwrap().epoch, world.epoch());
        assert_eq!(world.current(1).unwrap().epoch, world.epoch());
    }
    world.clock(2, 0);
    world.until_next_epoch();
    world.kill(1);
    world.run(2 * SOON);
    assert_eq!(world.current(2).unwrap().epoch, world.epoch(), "set right, it counts again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Links break, authorities die and come back, nodes come and go, frames take their time. No
    /// two documents of one pair are good, and when it is over all have the same one.
    //= DIR-012
    #[test]
    fn whatever_breaks_all_end_with_one_document(seed in any::<u64>(), n in 1..6_usize) {
        let threshold = n / 2 + 1;
        let mut world = World::new(seed, n, u8::try_from(threshold).unwrap());
        let all: Vec<usize> = (0..n).collect();
        world.sees(&all, &[1, 2, 3, 4]);
        for _ in 0..40 {
            world.break_something(threshold);
            let ms = world.random(3_000);
            world.run(ms);
        }
        world.mend();
        world.loses(&all, &(0..20).collect::<Vec<u8>>());
        world.sees(&all, &[2, 3, 9]);
        world.until_next_epoch();
        world.run(PATIENCE_MS * 2 + SOON);
        for authority in all {
            prop_assert_eq!(world.current(authority).unwrap().epoch, world.epoch());
            prop_assert_eq!(world.lists(authority), vec![2, 3, 9]);
        }
        world.silence();
    }
}
