//! Unwrapping, building and replying, beside `sphinx-packet`'s classical (X25519) unwrapping in the
//! same run: compare ratios, not microseconds.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use sphinx::{Command, Geometry, PathHop, PrivateKey, Scheme, Surb, build, unwrap};
use sphinx_packet::constants::{
    DESTINATION_ADDRESS_LENGTH, IDENTIFIER_LENGTH, NODE_ADDRESS_LENGTH,
};
use sphinx_packet::header::delays;
use sphinx_packet::route::{Destination, DestinationAddressBytes, Node, NodeAddressBytes};
use sphinx_packet::{SphinxPacket, SphinxPacketBuilder};

/// Hops, and bytes of forward payload: 2 KB alone, and a standard box with the SURB for its answer.
const CLASSES: [(u8, usize); 2] = [(3, 2048), (4, 8492)];

fn ours(c: &mut Criterion) {
    for (name, scheme) in [("xwing", Scheme::XWing), ("x25519-kem", Scheme::X25519Kem)] {
        for (hops, payload_len) in CLASSES {
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            let geometry = Geometry::new(scheme, hops.into(), payload_len).expect("geometry");
            let keys: Vec<_> =
                (0..hops).map(|_| PrivateKey::generate(scheme, &mut rng).expect("key")).collect();
            let mut path: Vec<_> = (0..hops)
                .zip(&keys)
                .map(|(i, key)| PathHop {
                    id: [i; 32],
                    key: key.public().clone(),
                    commands: vec![Command::Delay(1)],
                })
                .collect();
            path.last_mut().expect("hops").commands.push(Command::Recipient([1; 32]));
            let payload = vec![7; payload_len];
            let packet = build(&geometry, &path, &payload, &mut rng).expect("packet");
            let (surb, _) = Surb::create(&geometry, &path, [1; 16], &mut rng).expect("SURB");

            let mut group = c.benchmark_group(format!("{name}/{hops} hops/{payload_len} B"));
            group.bench_function("unwrap", |b| {
                b.iter_batched(
                    || packet.clone(),
                    |packet| unwrap(&geometry, &keys[0], packet).expect("forward"),
                    BatchSize::PerIteration,
                );
            });
            group.bench_function("build", |b| {
                b.iter(|| build(&geometry, black_box(&path), &payload, &mut rng).expect("packet"));
            });
            group.bench_function("create surb", |b| {
                b.iter(|| {
                    Surb::create(&geometry, black_box(&path), [1; 16], &mut rng).expect("SURB")
                });
            });
            group.bench_function("reply", |b| {
                b.iter_batched(
                    || surb.clone(),
                    |surb| surb.reply(&geometry, &payload).expect("reply"),
                    BatchSize::PerIteration,
                );
            });
            group.finish();
        }
    }
}

fn classical(c: &mut Criterion) {
    let secrets: Vec<_> = (1..=4_u8).map(|i| x25519_dalek::StaticSecret::from([i; 32])).collect();
    let nodes: Vec<_> = secrets
        .iter()
        .map(|s| Node::new(NodeAddressBytes::from_bytes([5; NODE_ADDRESS_LENGTH]), s.into()))
        .collect();
    for (hops, payload_len) in CLASSES {
        let route = &nodes[..usize::from(hops)];
        let delays = delays::generate_from_average_duration(route.len(), Duration::from_millis(10));
        let to = DestinationAddressBytes::from_bytes([3; DESTINATION_ADDRESS_LENGTH]);
        let destination = Destination::new(to, [4; IDENTIFIER_LENGTH]);
        let packet = SphinxPacketBuilder::new()
            .with_payload_size(payload_len + 64)
            .build_packet(vec![7; payload_len], route, &destination, &delays)
            .expect("packet");
        let bytes = packet.to_bytes();
        c.bench_function(&format!("sphinx-packet/{hops} hops/{payload_len} B/unwrap"), |b| {
            b.iter_batched(
                || SphinxPacket::from_bytes(&bytes).expect("packet"),
                |packet| packet.process(&secrets[0]).expect("forward"),
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, ours, classical);
criterion_main!(benches);
