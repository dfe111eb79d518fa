//! Paths are what the document's policy says, and otherwise uniform.

mod dialing;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sphinx::PrivateKey;
use wire::Timestamp;
use wire::document::*;

use std::collections::BTreeSet;

use super::entry::PIN_MS;
use super::*;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn id(n: u8) -> NodeId {
    NodeId::new([n + 1; 32])
}

const HUB: u8 = 200;

fn network(relays: u8, paths: PathPolicy) -> NetworkDocument {
    let key =
        PrivateKey::generate(Scheme::X25519Kem, &mut rng(0)).unwrap().public().as_bytes().to_vec();
    let node = |n: u8, role| NodeDescriptor {
        version: VERSION,
        role,
        id: id(n),
        addresses: vec!["127.0.0.1:1".parse().unwrap()],
        region: Some(format!("r{}", n / 2).parse().unwrap()),
        rate: 100,
        keys: vec![EpochKey { epoch: 5, key: key.clone() }],
        processing: None,
        both_ways: true,
        owner: None,
    };
    let mut nodes: Vec<NodeDescriptor> = (0..relays).map(|n| node(n, Role::Relay)).collect();
    nodes.push(node(HUB, Role::Hub));
    NetworkDocument {
        version: VERSION,
        network: wire::NetworkId::new([0; 32]),
        epoch: 5,
        revision: 0,
        epoch_ms: 10_000,
        published: Timestamp::from_millis(50_000),
        valid_until: Timestamp::from_millis(70_000),
        geometry: crate::geometry::spec_for(PacketScheme::X25519Kem, paths.max_relays).unwrap(),
        mixing: Mixing {
            mean_delay_ms: 100,
            max_delay_ms: 1_000,
            low: CoverRates::default(),
            normal: CoverRates::default(),
            default_level: CoverLevel::Off,
            mix_loops: 0,
        },
        paths,
        nodes,
        tally: false,
        sealed: false,
        dials_only: Vec::new(),
        directories: Vec::new(),
    }
}

fn fixed(n: u8) -> PathPolicy {
    PathPolicy { min_relays: n, max_relays: n, forward_ppm: 0, layers: 0, distinct_regions: false }
}

/// Chi-square statistic of observed counts against equal shares.
fn chi_square(counts: &BTreeMap<Vec<NodeId>, u32>, cells: usize) -> f64 {
    let total: u32 = counts.values().sum();
    let expected = f64::from(total) / cells as f64;
    let seen: f64 = counts.values().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
    seen + expected * (cells - counts.len()) as f64
}

fn plan(document: &NetworkDocument) -> PathPlanner {
    PathPlanner::new(document, document.epoch)
}

//= PATH-001
#[test]
fn free_routes_are_uniform_given_the_entry() {
    let planner = plan(&network(5, fixed(3)));
    let mut rng = rng(1);
    let mut counts = BTreeMap::new();
    for _ in 0..3_000 {
        let path = planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap();
        assert_eq!(path.relays[0], id(0));
        assert_eq!(path.hops.len(), 4);
        *counts.entry(path.relays).or_insert(0) += 1;
    }
    // 4 · 3 ordered pairs behind the entry; 99.9 % quantile of chi-square with 11 degrees of
    // freedom is 31.3.
    assert!(chi_square(&counts, 12) < 31.3, "{}", chi_square(&counts, 12));

    let mut counts = BTreeMap::new();
    for _ in 0..3_000 {
        let entry = id(u8::try_from(below(&mut rng, 5).unwrap()).unwrap());
        *counts
            .entry(planner.forward(&mut rng, &entry, &id(HUB), &Health::default()).unwrap().relays)
            .or_insert(0) += 1;
    }
    // 60 paths: 59 degrees of freedom, 99.9 % quantile 98.3.
    assert!(chi_square(&counts, 60) < 98.3, "{}", chi_square(&counts, 60));
}

#[test]
fn relays_share_the_load_within_a_tenth() {
    let planner = plan(&network(5, fixed(3)));
    let mut rng = rng(2);
    let mut load: BTreeMap<NodeId, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        let entry = id(u8::try_from(below(&mut rng, 5).unwrap()).unwrap());
        for relay in planner.forward(&mut rng, &entry, &id(HUB), &Health::default()).unwrap().relays
        {
            *load.entry(relay).or_default() += 1;
        }
    }
    for n in load.values() {
        assert!((f64::from(*n) / 6_000.0 - 1.0).abs() < 0.1, "{load:?}");
    }
}

//= PATH-002
#[test]
fn the_geometric_rule_forwards_with_its_probability() {
    let policy = PathPolicy {
        min_relays: 1,
        max_relays: 8,
        forward_ppm: 700_000,
        layers: 0,
        distinct_regions: false,
    };
    let planner = plan(&network(9, policy));
    let mut rng = rng(3);
    let (mut went_on, mut chances) = (0u32, 0u32);
    for _ in 0..10_000 {
        let length = u32::try_from(
            planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap().relays.len(),
        )
        .unwrap();
        went_on += length - 1;
        chances += if length < 8 { length } else { 7 };
    }
    let share = f64::from(went_on) / f64::from(chances);
    assert!((share - 0.7).abs() < 0.02, "{share}");
}

#[test]
fn five_hops_are_five_distinct_relays_and_replies_end_at_the_entry() {
    let planner = plan(&network(7, fixed(5)));
    let mut rng = rng(4);
    for _ in 0..200 {
        let path = planner.forward(&mut rng, &id(3), &id(HUB), &Health::default()).unwrap();
        assert_eq!(path.relays.iter().collect::<BTreeSet<_>>().len(), 5);
        let token = ClientToken::new([9; 32]);
        let reply = planner.reply(&mut rng, &id(3), &token, &id(HUB), &Health::default()).unwrap();
        assert_eq!(reply.relays.last(), Some(&id(3)));
        assert_eq!(reply.relays.iter().collect::<BTreeSet<_>>().len(), 5);
        assert!(reply.hops.last().unwrap().commands.contains(&Command::Recipient([9; 32])));
    }
}

//= PATH-003
#[test]
fn no_two_relays_of_one_region_or_no_path_at_all() {
    let policy = PathPolicy { distinct_regions: true, ..fixed(3) };
    let planner = plan(&network(6, policy));
    let mut rng = rng(5);
    for _ in 0..500 {
        let relays =
            planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap().relays;
        let regions: BTreeSet<u8> = relays.iter().map(|r| (r.as_bytes()[0] - 1) / 2).collect();
        assert_eq!(regions.len(), 3);
    }
    let planner = plan(&network(4, policy));
    assert_eq!(
        planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap_err(),
        Error::TooFewApart { need: 3 }
    );
}

//= PATH-003
#[test]
fn no_relay_of_the_hubs_region_carries_what_goes_to_it() {
    for layers in [0, 3] {
        let policy = PathPolicy { distinct_regions: true, layers, ..fixed(3) };
        let mut document = network(16, policy);
        let hub = document.nodes.iter_mut().find(|n| n.role == Role::Hub).unwrap();
        hub.region = Some("r3".parse().unwrap());
        let planner = plan(&document);
        let mut rng = rng(5);
        let theirs = [id(6), id(7)];
        assert!(planner.entries(&mut rng).iter().all(|entry| !theirs.contains(entry)));
        assert_eq!(planner.entries(&mut rng).len(), 14);
        for _ in 0..300 {
            let path = planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap();
            assert!(path.relays.iter().all(|relay| !theirs.contains(relay)));
        }
    }
}

//= PATH-003
#[test]
fn no_path_leads_over_two_nodes_of_one_owner_the_hubs_included() {
    for layers in [0, 3] {
        let mut document = network(16, PathPolicy { layers, ..fixed(3) });
        let ann = Some("ann".parse().unwrap());
        for node in document.nodes.iter_mut().filter(|n| [id(3), id(4), id(HUB)].contains(&n.id)) {
            node.owner.clone_from(&ann);
        }
        for node in document.nodes.iter_mut().filter(|n| [id(0), id(1)].contains(&n.id)) {
            node.owner = Some("bea".parse().unwrap());
        }
        let planner = plan(&document);
        let mut rng = rng(5);
        let entries = planner.entries(&mut rng);
        assert!(entries.len() == 14 && !entries.contains(&id(3)) && !entries.contains(&id(4)));
        let healthy = Health::default();
        for _ in 0..300 {
            let there = planner.forward(&mut rng, &id(0), &id(HUB), &healthy).unwrap().relays;
            let back = planner
                .reply(&mut rng, &id(0), &ClientToken::new([9; 32]), &id(HUB), &healthy)
                .unwrap()
                .relays;
            for relay in there.iter().chain(&back) {
                assert!(![id(1), id(3), id(4)].contains(relay));
            }
        }
    }
    let mut document = network(3, fixed(3));
    document.nodes.iter_mut().for_each(|n| n.owner = Some("ann".parse().unwrap()));
    assert_eq!(
        plan(&document).forward(&mut rng(5), &id(0), &id(HUB), &Health::default()).unwrap_err(),
        Error::TooFewApart { need: 3 },
        "the rule is never relaxed"
    );
}

/// How often each relay is on a path, other than as its entry, and how often it is the entry.
fn shares(document: &NetworkDocument, seed: u64) -> BTreeMap<NodeId, (u32, u32)> {
    let (planner, mut rng) = (plan(document), rng(seed));
    let mut shares: BTreeMap<NodeId, (u32, u32)> = BTreeMap::new();
    for _ in 0..20_000 {
        let entry = planner.entries(&mut rng)[0];
        let path = planner.forward(&mut rng, &entry, &id(HUB), &Health::default()).unwrap();
        shares.entry(entry).or_default().1 += 1;
        for relay in &path.relays[1..] {
            shares.entry(*relay).or_default().0 += 1;
        }
    }
    shares
}

//= PATH-009
#[test]
fn a_slow_relay_gets_its_share_and_one_that_boasts_no_more_than_twice_the_median() {
    let mut document = network(10, fixed(2));
    let at = |document: &mut NetworkDocument, n, rate| {
        document.nodes.iter_mut().find(|node| node.id == id(n)).unwrap().rate = rate;
    };
    at(&mut document, 0, 2);
    at(&mut document, 1, u32::MAX);
    let shares = shares(&document, 11);
    let slow = shares.get(&id(0)).copied().unwrap_or_default();
    // Its weight is 2 among 1,002: 40 of 20,000 each.
    assert!(slow.0 < 100 && slow.1 < 100, "{slow:?}");
    let boasts = shares[&id(1)];
    let others: u32 = (2..10).map(|n| shares[&id(n)].1).sum();
    let twice = f64::from(boasts.1) / (f64::from(others) / 8.0);
    assert!((1.8..2.2).contains(&twice), "as an entry {twice} times");
    let others: u32 = (2..10).map(|n| shares[&id(n)].0).sum();
    let twice = f64::from(boasts.0) / (f64::from(others) / 8.0);
    assert!((1.5..2.2).contains(&twice), "behind one {twice} times");
}

//= PATH-004
#[test]
fn above_nine_relays_a_stratified_network_takes_one_of_each_layer() {
    let policy = PathPolicy { layers: 3, ..fixed(3) };
    let document = network(12, policy);
    let planner = plan(&document);
    let layer_of = layers(&document);
    let mut rng = rng(6);
    for _ in 0..500 {
        let relays =
            planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap().relays;
        assert_eq!(relays[0], id(0));
        assert_eq!((layer_of[&relays[1]], layer_of[&relays[2]]), (1, 2));
    }
    let small = plan(&network(9, policy));
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        seen.insert(small.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap().relays);
    }
    assert_eq!(seen.len(), 56, "nine relays are a free route: 8 · 7 paths");
}

#[test]
fn too_few_relays_and_unknown_hubs_are_said() {
    let mut rng = rng(7);
    let planner = plan(&network(2, fixed(3)));
    assert_eq!(
        planner.forward(&mut rng, &id(0), &id(HUB), &Health::default()).unwrap_err(),
        Error::TooFewRelays { have: 2, need: 3 }
    );
    assert_eq!(
        planner.forward(&mut rng, &id(0), &id(100), &Health::default()).unwrap_err(),
        Error::UnknownHub
    );
    let mut document = network(3, fixed(3));
    document.nodes[1].keys[0].epoch = 6;
    let planner = plan(&document);
    assert_eq!(planner.relays().count(), 2, "a relay without a key for the epoch is not drawn");
}

//= PATH-006
#[test]
fn delays_are_exponential_with_the_documents_mean_and_capped() {
    let mut rng = rng(8);
    let samples: Vec<f64> = (0..50_000).map(|_| exponential(&mut rng, 100.0)).collect();
    let mean = samples.iter().sum::<f64>() / 50_000.0;
    assert!((mean - 100.0).abs() < 2.0, "{mean}");
    let longer = samples.iter().filter(|s| **s > 100.0).count() as f64 / 50_000.0;
    assert!((longer - (-1f64).exp()).abs() < 0.01, "{longer}");
    let planner = plan(&network(3, fixed(3)));
    for _ in 0..10_000 {
        assert!(planner.delay(&mut rng) <= 1_000);
    }
}

//= PATH-005
#[test]
fn an_entry_is_kept_for_thirty_days_stood_in_for_and_returned_to() {
    let mut rng = rng(9);
    let relays: Vec<NodeId> = (0..6).map(id).collect();
    let start = Timestamp::from_millis(1_000_000);
    let mut pins = EntryPins::default();
    let first = pins.choose(start, &relays).unwrap();
    for day in 0..30 {
        let at = start.plus_millis(day * 24 * 3_600_000);
        assert_eq!(pins.choose(at, &relays), Some(first));
    }
    pins = wire::decode(&wire::encode(&pins), "pins").unwrap();
    pins.failed(start, &first);
    let second = pins.choose(start, &relays).unwrap();
    assert_ne!(second, first);
    assert_eq!(pins.choose(start.plus_millis(61_000), &relays), Some(first));
    let without: Vec<NodeId> = relays.iter().copied().filter(|r| *r != first).collect();
    assert_eq!(pins.choose(start, &without), Some(second), "a gone entry keeps its place");
    let planner = plan(&network(6, fixed(3)));
    let mut seen = BTreeSet::new();
    for n in 0..200 {
        let mut later = pins.clone();
        seen.insert(later.choose(start.plus_millis(PIN_MS + n), &planner.entries(&mut rng)));
    }
    assert_eq!(seen.len(), 6, "after thirty days a new one is drawn");
    assert_eq!(EntryPins::default().choose(start, &[]), None);
}

//= PATH-005
#[test]
fn when_no_pinned_entry_is_left_another_stands_in_until_one_is_back() {
    let (old, new): (Vec<NodeId>, Vec<NodeId>) =
        ((0..6).map(id).collect(), (6..12).map(id).collect());
    let at = Timestamp::from_millis(1_000_000);
    let mut pins = EntryPins::default();
    let first = pins.choose(at, &old).unwrap();
    let stand_in = pins.choose(at, &new).unwrap();
    assert!(new.contains(&stand_in));
    let mut pins: EntryPins = wire::decode(&wire::encode(&pins), "pins").unwrap();
    assert_eq!(pins.choose(at, &new), Some(stand_in), "the same while it is there");
    let others: Vec<NodeId> = new.iter().copied().filter(|r| *r != stand_in).collect();
    assert!(others.contains(&pins.choose(at, &others).unwrap()));
    assert_eq!(pins.choose(at, &[old, new].concat()), Some(first), "a pinned one keeps its place");
}

//= PATH-005
#[test]
fn a_client_without_tor_takes_no_entry_that_has_only_an_onion_address() {
    let mut document = network(4, fixed(3));
    let onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:5001";
    document.nodes[1].addresses = vec![onion.parse().unwrap()];
    document.nodes[2].addresses.push(onion.parse().unwrap());
    let mut entries = plan(&document).entries(&mut rng(1));
    entries.sort_unstable();
    let among = |dials: Dials| dials.among(entries.clone(), &document);
    assert_eq!(among(Dials::All), entries);
    assert_eq!(among(Dials::NoOnion), [id(0), id(2), id(3)]);
    assert_eq!(among(Dials::OnionOnly), [id(1), id(2)]);
    for node in &mut document.nodes {
        node.addresses = vec![onion.parse().unwrap()];
    }
    assert_eq!(Dials::NoOnion.among(entries.clone(), &document), entries, "the shell says why");
}
