//! Reports true and false.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

const T0: Timestamp = Timestamp::from_millis(50_000_000);
const MINUTE: u64 = 60_000;

fn id(n: usize) -> NodeId {
    NodeId::new([u8::try_from(n).unwrap(); 32])
}

/// Relays that report every minute, and a directory that reviews every second.
struct World {
    reports: Reports,
    relays: BTreeSet<NodeId>,
    least: usize,
    now: Timestamp,
    /// Who accuses whom, and since when.
    accusing: BTreeMap<(usize, usize), Timestamp>,
}

impl World {
    fn new(relays: usize) -> Self {
        World {
            reports: Reports::default(),
            relays: (0..relays).map(id).collect(),
            least: 3,
            now: T0,
            accusing: BTreeMap::new(),
        }
    }

    fn accuse(&mut self, who: impl IntoIterator<Item = usize>, whom: usize) {
        self.accusing.extend(who.into_iter().map(|n| ((n, whom), self.now)));
    }

    fn run(&mut self, ms: u64) {
        let end = self.now.plus_millis(ms);
        while self.now < end {
            for who in 0..self.relays.len() {
                self.report(who);
            }
            for _ in 0..60 {
                self.now = self.now.plus_millis(1_000);
                self.reports.review(self.now, &self.relays, self.least);
            }
        }
    }

    fn report(&mut self, who: usize) {
        let mine = self.accusing.iter().filter(|((from, _), _)| *from == who);
        let suspected: Vec<Suspected> = mine
            .map(|((_, whom), since)| Suspected {
                suspect: Suspect::Node(id(*whom)),
                since_ms: u32::try_from(self.now.millis_since(*since)).unwrap(),
            })
            .collect();
        self.reports.report(self.now, id(who), &suspected);
    }

    fn left_out(&self) -> Vec<usize> {
        let out = |n: &usize| self.reports.leaves_out(self.now, &id(*n));
        (0..self.relays.len()).filter(out).collect()
    }
}

//= DIR-017
#[test]
fn a_relay_that_most_others_accuse_is_left_out_and_tried_again_each_time_later() {
    let mut world = World::new(6);
    world.accuse([1, 2], 5);
    world.run(5 * MINUTE);
    assert_eq!(world.left_out(), [], "two of five");
    world.accuse([3], 5);
    world.run(MINUTE);
    assert_eq!(world.left_out(), [5]);
    // What was seen before it was left out does not count again.
    world.run(10 * MINUTE);
    assert_eq!(world.left_out(), [], "it is tried again");
    let mut spans = Vec::new();
    for _ in 0..7 {
        world.accuse([1, 2, 3], 5);
        let mut minutes = 0;
        world.run(MINUTE);
        while world.left_out() == [5] {
            world.run(MINUTE);
            minutes += 1;
        }
        spans.push(minutes);
    }
    assert_eq!(spans, [20, 40, 80, 160, 240, 240, 240], "minutes");
    // An hour without a complaint, and the past is forgotten.
    world.accusing.clear();
    world.run(61 * MINUTE);
    world.accuse([1, 2, 3], 5);
    world.run(MINUTE);
    world.run(10 * MINUTE);
    assert_eq!(world.left_out(), []);
}

//= DIR-017
#[test]
fn a_minority_changes_nothing_whatever_it_says() {
    for seed in 0..20 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut below = move |n: usize| usize::try_from(rng.next_u64()).unwrap() % n;
        let relays = 4 + below(12);
        // Exactly half of the others are no majority either.
        let liars = (relays - 1) / 2;
        let mut world = World::new(relays);
        for _ in 0..30 {
            let whom = below(relays);
            let who: Vec<usize> = (0..liars).filter(|_| below(2) == 0).collect();
            world.accuse(who, whom);
            world.run(MINUTE);
            assert_eq!(world.left_out(), [], "seed {seed}");
        }
    }
}

//= DIR-017
#[test]
fn a_majority_leaves_out_a_third_at_most_and_never_what_paths_need() {
    let mut world = World::new(9);
    for whom in 5..9 {
        world.accuse(0..5, whom);
    }
    world.run(2 * MINUTE);
    assert_eq!(world.left_out().len(), 3, "a third");
    let mut small = World::new(4);
    small.accuse(0..3, 3);
    small.run(MINUTE);
    assert_eq!(small.left_out(), [3], "three are left");
    let mut small = World::new(3);
    small.accuse(0..2, 2);
    small.run(MINUTE);
    assert_eq!(small.left_out(), []);
    let mut small = World::new(5);
    small.least = 5;
    small.accuse(0..4, 4);
    small.run(MINUTE);
    assert_eq!(small.left_out(), [], "paths need all of them");
}

//= DIR-017
#[test]
fn a_broken_line_between_two_halves_leaves_out_few_of_the_smaller() {
    // Each side loses the packets that pass the other one.
    let mut world = World::new(9);
    for there in 5..9 {
        world.accuse(0..5, there);
    }
    for there in 0..5 {
        world.accuse(5..9, there);
    }
    world.run(3 * MINUTE);
    let out = world.left_out();
    assert!(out.len() <= 3 && out.iter().all(|n| *n >= 5), "{out:?}");
    // It is mended, and all are listed again.
    world.accusing.clear();
    world.run(11 * MINUTE);
    assert_eq!(world.left_out(), []);
}

//= DIR-017
#[test]
fn strangers_the_absent_and_those_left_out_have_no_voice() {
    let mut world = World::new(6);
    // Two who are listed, and many who are not.
    world.accuse([1, 2], 5);
    world.run(MINUTE);
    for n in 100..200 {
        let suspected = Suspected { suspect: Suspect::Node(id(5)), since_ms: 0 };
        world.reports.report(world.now, id(n), &[suspected]);
    }
    // Somebody who accuses themselves, and somebody who is not known at all.
    world.accuse([5], 5);
    world.accuse([0, 1, 2, 3], 222);
    world.run(MINUTE);
    assert_eq!(world.left_out(), []);
    // What was said long ago does not count.
    world.accuse([3], 5);
    world.accusing.clear();
    world.run(5 * MINUTE);
    world.accuse([3, 4], 5);
    world.run(MINUTE);
    assert_eq!(world.left_out(), []);
    // A relay that is left out does not help to leave out another.
    world.accuse([0, 1, 2], 5);
    world.run(MINUTE);
    assert_eq!(world.left_out(), [5]);
    world.accuse([5, 1, 2], 0);
    world.run(MINUTE);
    assert_eq!(world.left_out(), [5]);
}

#[test]
fn the_operator_sees_who_is_accused_by_how_many() {
    let mut world = World::new(6);
    world.accuse([1], 0);
    world.accuse([1, 2, 3], 5);
    world.run(MINUTE);
    let link = Suspected { suspect: Suspect::Link(id(1), id(2)), since_ms: 9 };
    world.reports.report(world.now, id(4), &[link]);
    let accused = world.reports.accused(world.now, &world.relays);
    let shown: Vec<_> = accused.iter().map(|a| (a.relay, a.voices, a.of)).collect();
    assert_eq!(shown, [(id(0), 1, 4), (id(5), 3, 5)]);
    assert_eq!(accused[0].left_out_ms, None);
    assert!(accused[1].left_out_ms.unwrap() > 8 * MINUTE);
    assert_eq!(world.reports.links(&world.relays), BTreeMap::from([((id(1), id(2)), 1)]));
}
