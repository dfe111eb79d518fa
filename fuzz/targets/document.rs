//! Network documents, descriptors, addresses and pointers from anybody.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wire::document::{
    CoverLevel, CoverRates, EpochKey, GeometrySpec, Mixing, NetworkDocument, NodeDescriptor, PacketScheme, PathPolicy,
    Processing, Role, SignedDescriptor, SignedDocument, VERSION,
};
use wire::{DirectoryPointer, NetworkId, NetworkPointer, NodeId, Timestamp, decode, encode};

fn node(first: u8, role: Role) -> NodeDescriptor {
    NodeDescriptor {
        version: VERSION,
        role,
        id: NodeId::new([first; 32]),
        addresses: vec!["127.0.0.1:5001".parse().expect("an address")],
        region: Some("home".parse().expect("a region")),
        rate: 100,
        keys: vec![EpochKey { epoch: 100, key: vec![first; 32] }],
        processing: Some(Processing::Blake3),
        both_ways: true,
        owner: Some("ann".parse().expect("a tag")),
    }
}

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let rates = CoverRates { payload: 1000, loops: 200, drops: 200 };
    let bytes = encode(&NetworkDocument {
        version: VERSION,
        network: NetworkId::new([9; 32]),
        epoch: 100,
        revision: 0,
        epoch_ms: 10_000,
        published: Timestamp::from_millis(1_000_000),
        valid_until: Timestamp::from_millis(1_020_000),
        geometry: GeometrySpec { scheme: PacketScheme::X25519Kem, max_hops: 4, payload_len: 8192 },
        mixing: Mixing {
            mean_delay_ms: 10,
            max_delay_ms: 1000,
            low: rates,
            normal: rates,
            default_level: CoverLevel::Off,
            mix_loops: 0,
        },
        paths: PathPolicy { min_relays: 3, max_relays: 3, forward_ppm: 0, layers: 0, distinct_regions: false },
        nodes: vec![node(1, Role::Relay), node(2, Role::Hub)],
        tally: true,
        sealed: true,
        dials_only: vec![node(3, Role::Relay)],
        directories: vec![DirectoryPointer {
            id: NodeId::new([7; 32]),
            address: "home.example:5999".parse().expect("an address"),
        }],
    });
    NetworkDocument::parse(&bytes).expect("the sample is valid");
    bytes
});

fn document(bytes: &[u8]) {
    let Ok(document) = NetworkDocument::parse(bytes) else { return };
    assert!(document.nodes.iter().all(|n| document.node(&n.id).is_some()));
    assert_eq!(document.relays().count() + document.hubs().count(), document.nodes.len());
    let again = NetworkDocument::parse(&encode(&document)).expect("our own bytes");
    assert!(again == document);
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    match mode % 5 {
        0 => document(data),
        1 => document(&hushwing_fuzz::edited(&VALID, data)),
        2 => drop(decode::<SignedDocument>(data, "document")),
        3 => drop(decode::<SignedDescriptor>(data, "descriptor")),
        _ => {
            let Ok(text) = std::str::from_utf8(data) else { return };
            if let Ok(address) = text.parse::<wire::Address>() {
                assert!(address.to_string().parse::<wire::Address>().expect("our own text") == address);
            }
            if let Ok(pointer) = text.parse::<NetworkPointer>() {
                assert!(pointer.to_text().parse::<NetworkPointer>().expect("our own text") == pointer);
            }
        }
    }
});
