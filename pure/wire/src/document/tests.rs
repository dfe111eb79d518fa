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
    let old = encode(&sample());
    assert_eq!(old[0], 0x8d, "thirteen fields");
    let mut cut = old[..old.len() - 2].to_vec();
    cut[0] = 0x8b;
    assert_eq!(NetworkDocument::parse(&cut).unwrap(), sample());
    for p in Processing::ALL {
        assert_eq!(p.name().parse::<Processing>().unwrap(), p);
    }
    assert!("md5".parse::<Processing>().is_err());
}

#[test]
fn region_tags_are_short_and_plain() {
    for bad in ["", "EU", "a b", "12345678901234567"] {
        assert!(bad.parse::<Region>().is_err(), "{bad}");
    }
}
