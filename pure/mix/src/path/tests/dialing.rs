//! Relays that nobody reaches are where their own links carry packets, and nowhere else.

use std::collections::BTreeSet;

use super::*;

/// As [`network`], with `dialing` more relays that dial only; their ids follow.
fn with_dialing(relays: u8, dialing: u8, paths: wire::document::PathPolicy) -> NetworkDocument {
    let mut document = network(relays + dialing, paths);
    let all = document.nodes.split_off(usize::from(relays));
    let (hub, dialing) = all.into_iter().partition(|n| n.role == Role::Hub);
    document.nodes.extend::<Vec<_>>(hub);
    document.dials_only = dialing;
    document
}

/// What a path must not do, if it does any of it (`PATH-008`).
fn offence(document: &NetworkDocument, relays: &[NodeId]) -> Option<&'static str> {
    let dials = |id: &NodeId| document.dials_only.iter().any(|n| n.id == *id);
    let both_ways = |id: &NodeId| document.node(id).is_some_and(|n| n.both_ways);
    let way: Vec<NodeId> = relays.iter().copied().chain([id(HUB)]).collect();
    if relays.iter().collect::<BTreeSet<_>>().len() != relays.len() {
        return Some("a relay is there twice");
    }
    if relays.first().is_some_and(dials) {
        return Some("the entry dials only");
    }
    if relays.iter().filter(|r| dials(r)).count() > 1 {
        return Some("two of them dial only");
    }
    let carries =
        |a: &NodeId, b: &NodeId| (both_ways(a) || !dials(b)) && (both_ways(b) || !dials(a));
    let broken = way.windows(2).any(|w| !carries(&w[0], &w[1]));
    broken.then_some("a neighbour sends nothing back")
}

//= PATH-008
#[test]
fn no_path_passes_two_relays_that_dial_only_nor_begins_at_one() {
    let mut seeds = rng(21);
    for case in 0..300 {
        let mut draw = |n: usize| u8::try_from(below(&mut seeds, n).unwrap()).unwrap();
        let (relays, dialing, length) = (1 + draw(12), draw(8), 1 + draw(6));
        let layers = if case % 3 == 0 { length } else { 0 };
        let distinct_regions = case % 4 == 0;
        let policy = PathPolicy { layers, distinct_regions, ..fixed(length) };
        let mut document = with_dialing(relays, dialing, policy);
        for node in document.nodes.iter_mut().filter(|_| case % 5 == 0) {
            node.both_ways = draw(3) > 0;
        }
        let planner = plan(&document);
        let entries = planner.entries(&mut rng(case));
        assert!(entries.iter().all(|e| document.dials_only.iter().all(|n| n.id != *e)));
        let mut rng = rng(case);
        let health = Health::default();
        for entry in entries {
            for _ in 0..20 {
                let Ok(path) = planner.forward(&mut rng, &entry, &id(HUB), &health) else {
                    continue;
                };
                assert_eq!(path.relays.len(), usize::from(length));
                assert_eq!(offence(&document, &path.relays), None, "case {case}");
                let token = ClientToken::new([9; 32]);
                let Ok(back) = planner.reply(&mut rng, &entry, &token, &id(HUB), &health) else {
                    continue;
                };
                let there: Vec<NodeId> = back.relays.into_iter().rev().collect();
                assert_eq!(offence(&document, &there), None, "case {case}");
            }
        }
    }
}

//= PATH-001
//= PATH-008
#[test]
fn the_paths_that_are_left_are_equally_likely() {
    let planner = plan(&with_dialing(4, 3, fixed(3)));
    let mut rng = rng(22);
    let mut counts = BTreeMap::new();
    for _ in 0..6_000 {
        let path = planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap();
        *counts.entry(path.relays).or_insert(0) += 1;
    }
    // Behind the entry 3 · 2 pairs without, and 2 · 3 · 3 with one that dials only; 99.9 % quantile
    // of chi-square with 23 degrees of freedom is 49.7.
    assert!(chi_square(&counts, 24) < 49.7, "{}", chi_square(&counts, 24));
}

//= PATH-008
#[test]
fn a_network_has_paths_as_soon_as_one_that_dials_only_completes_them() {
    let mut rng = rng(23);
    let health = Health::default();
    let planner = plan(&with_dialing(2, 5, fixed(3)));
    let path = planner.forward(&mut rng, &id(0), &id(HUB), &health).unwrap();
    assert!(path.relays.contains(&id(1)));
    let planner = plan(&with_dialing(1, 5, fixed(3)));
    assert_eq!(
        planner.forward(&mut rng, &id(0), &id(HUB), &health).unwrap_err(),
        Error::TooFewRelays { have: 2, need: 3 }
    );
}

//= PATH-008
//= PATH-009
#[test]
fn a_slow_relay_that_dials_only_completes_paths_too() {
    let mut document = with_dialing(2, 1, fixed(3));
    document.dials_only[0].rate = 1;
    let planner = plan(&document);
    for seed in 0..50 {
        let path = planner.forward(&mut rng(seed), &id(0), &id(HUB), &Health::default()).unwrap();
        assert_eq!(offence(&document, &path.relays), None);
    }
}

//= PATH-008
#[test]
fn where_all_others_are_older_no_path_needs_one_that_dials_only() {
    let mut document = with_dialing(3, 8, fixed(3));
    for node in &mut document.nodes {
        node.both_ways = false;
    }
    let planner = plan(&document);
    let mut rng = rng(24);
    for _ in 0..200 {
        let path = planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap();
        assert_eq!(offence(&document, &path.relays), None);
    }
}

/// Its own loops begin at itself: the first hop costs no link.
//= PATH-008
#[test]
fn a_relay_that_dials_only_sends_loops_through_others_that_take_them() {
    let document = with_dialing(4, 3, fixed(3));
    let planner = plan(&document);
    let mut rng = rng(25);
    for _ in 0..200 {
        let (there, _) =
            planner.probe(&mut rng, &id(4), &id(HUB), &ClientToken::new([9; 32])).unwrap();
        let dialing =
            there.relays.iter().filter(|r| document.dials_only.iter().any(|n| n.id == **r));
        assert_eq!((there.relays[0], dialing.count()), (id(4), 1));
    }
}
