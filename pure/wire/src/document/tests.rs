//! Documents are accepted within their ranges only, and older ones can still be read.

use super::*;
use crate::encode;

fn node(id: u8, role: Role) -> NodeDescriptor {
    NodeDescriptor {
        version: VERSION,
        role,
        id: NodeId::new([id; 32]),
        addresses: vec!["127.0.0.1:5001".parse().unwrap()],
        region: Some("eu-1".parse().unwrap()),
        rate: 1000,
        keys: vec![EpochKey { epoch: 100, key: vec![1; 1216] }],
        processing: None,
        both_ways: false,
        owner: Some("ann".parse().unwrap()),
    }
}

fn sample() -> NetworkDocument {
    NetworkDocument {
        version: VERSION,
        network: NetworkId::new([9; 32]),
        epoch: 100,
        revision: 0,
        epoch_ms: 10_000,
        published: Timestamp::from_millis(1_000_000),
        valid_until: Timestamp::from_millis(1_020_000),
        geometry: GeometrySpec { scheme: PacketScheme::XWing, max_hops: 4, payload_len: 8192 },
        mixing: Mixing {
            mean_delay_ms: 10,
            max_delay_ms: 1000,
            low: CoverRates::default(),
            normal: CoverRates::default(),
            default_level: CoverLevel::Off,
            mix_loops: 0,
        },
        paths: PathPolicy {
            min_relays: 3,
            max_relays: 3,
            forward_ppm: 0,
            layers: 0,
            distinct_regions: false,
        },
        nodes: vec![node(1, Role::Relay), node(2, Role::Hub)],
        tally: false,
        sealed: false,
        dials_only: Vec::new(),
        directories: vec![DirectoryPointer {
            id: NodeId::new([9; 32]),
            address: "home.example:5999".parse().unwrap(),
        }],
    }
}

//= DIR-001
#[test]
fn a_document_out_of_range_is_refused() {
    assert!(NetworkDocument::parse(&encode(&sample())).is_ok());
    let spoil: [fn(&mut NetworkDocument); 13] = [
        |d| d.version = 2,
        |d| d.epoch_ms = 0,
        |d| d.published = Timestamp::from_millis(1_010_000),
        |d| d.valid_until = d.published,
        |d| d.geometry.max_hops = 0,
        |d| d.geometry.payload_len = u32::MAX,
        |d| d.paths.min_relays = 0,
        |d| d.paths.max_relays = 4,
        |d| d.paths.forward_ppm = 1_000_001,
        |d| d.mixing.mean_delay_ms = 5000,
        |d| d.nodes.reverse(),
        |d| d.nodes[0].addresses.clear(),
        |d| (d.tally, d.geometry.scheme) = (true, PacketScheme::X25519Nike),
    ];
    for (i, f) in spoil.iter().enumerate() {
        let mut d = sample();
        f(&mut d);
        assert!(NetworkDocument::parse(&encode(&d)).is_err(), "case {i}");
    }
}

#[test]
fn keys_are_found_by_epoch_and_nodes_by_role() {
    let d = sample();
    assert_eq!(d.relays().count(), 1);
    assert_eq!(d.hubs().count(), 1);
    let relay = d.node(&NodeId::new([1; 32])).unwrap();
    assert!(relay.key_for(100).is_some());
    assert!(relay.key_for(101).is_none());
    assert_eq!(d.epoch_start(), Timestamp::from_millis(1_000_000));
}

//= DIR-006
#[test]
fn a_document_of_before_tallies_reads_as_one_without() {
    let mut d = sample();
    d.nodes[0].processing = Some(Processing::Blake3);
    (d.tally, d.sealed) = (true, true);
    assert_eq!(NetworkDocument::parse(&encode(&d)).unwrap(), d);
    // What an older directory writes: eleven fields, and seven in each node.
    d = sample();
    d.nodes.clear();
    d.directories.clear();
    let old = encode(&d);
    assert_eq!(old[0], 0x8f, "fifteen fields");
    assert_eq!(old[old.len() - 5..], [0x80, 0xf4, 0xf4, 0x80, 0x80]);
    let mut cut = old[..old.len() - 4].to_vec();
    cut[0] = 0x8b;
    assert_eq!(NetworkDocument::parse(&cut).unwrap(), d);
    let before = NodeDescriptor { owner: None, ..sample().nodes[0].clone() };
    let node = encode(&before);
    assert_eq!((node[0], &node[node.len() - 2..]), (0x89, &[0xf6, 0xf4][..]), "nine fields");
    let mut cut = node[..node.len() - 2].to_vec();
    cut[0] = 0x87;
    assert_eq!(crate::decode::<NodeDescriptor>(&cut, "node").unwrap(), before);
    for p in Processing::ALL {
        assert_eq!(p.name().parse::<Processing>().unwrap(), p);
    }
    assert!("md5".parse::<Processing>().is_err());
}

/// What the versions before knew of a node.
#[derive(Debug, PartialEq, Decode)]
struct OldNode {
    #[n(0)]
    version: u8,
    #[n(1)]
    role: Role,
    #[n(2)]
    id: NodeId,
}

//= DIR-006
#[test]
fn older_readers_pass_over_what_they_do_not_know() {
    let mut newer = node(1, Role::Relay);
    newer.both_ways = true;
    let read = crate::decode::<OldNode>(&encode(&newer), "node").unwrap();
    assert_eq!(read, OldNode { version: VERSION, role: Role::Relay, id: newer.id });
}

//= DIR-020
#[test]
fn only_relays_that_take_packets_both_ways_may_have_no_address() {
    let dialing =
        |id| NodeDescriptor { addresses: Vec::new(), both_ways: true, ..node(id, Role::Relay) };
    let mut good = sample();
    good.dials_only = vec![dialing(3), NodeDescriptor { both_ways: true, ..node(4, Role::Relay) }];
    assert_eq!(NetworkDocument::parse(&encode(&good)).unwrap(), good);
    assert_eq!(good.node(&NodeId::new([3; 32])), Some(&dialing(3)));
    assert_eq!((good.relays().count(), good.longest_path()), (1, 2));
    let spoil: [fn(&mut NetworkDocument); 6] = [
        |d| d.dials_only[0].both_ways = false,
        |d| d.dials_only[1].both_ways = false,
        |d| d.dials_only[0].role = Role::Hub,
        |d| d.dials_only[0].id = NodeId::new([1; 32]),
        |d| d.dials_only.reverse(),
        |d| d.nodes.extend(std::mem::take(&mut d.dials_only)),
    ];
    for (i, f) in spoil.iter().enumerate() {
        let mut d = good.clone();
        f(&mut d);
        assert!(NetworkDocument::parse(&encode(&d)).is_err(), "case {i}");
    }
    let mut full = sample();
    let many = |from: u16, n: u16| {
        (from..from + n).map(|i| NodeDescriptor {
            id: NodeId::new(std::array::from_fn(|b| i.to_be_bytes().get(b).copied().unwrap_or(9))),
            ..dialing(0)
        })
    };
    full.nodes.clear();
    full.dials_only = many(0, 1_024).collect();
    assert!(NetworkDocument::parse(&encode(&full)).is_ok());
    full.nodes = vec![NodeDescriptor {
        addresses: node(0, Role::Relay).addresses,
        ..many(2_000, 1).next().unwrap()
    }];
    assert!(NetworkDocument::parse(&encode(&full)).is_err(), "together they are bounded, too");
}

#[test]
fn region_tags_are_short_and_plain() {
    for bad in ["", "EU", "a b", "12345678901234567"] {
        assert!(bad.parse::<Tag>().is_err(), "{bad}");
    }
}
