//! The hub's core over a store in memory: puts with batch verification, and one put to a thousand
//! watchers.

#![allow(missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hub::server::{AskId, Asker, ConnectionLimits, Hub, HubConfig};
use hub::store::{Keep, MemoryStore};
use hub::{AccessClass, ClassLimits, client};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use streams::{SealedBox, WriteCapability};
use wire::id::AccessKey;
use wire::{BootId, Timestamp};

const KEY: AccessKey = AccessKey::new([1; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_000);

fn hub() -> Hub<MemoryStore> {
    let limits = ClassLimits {
        puts_per_second: u32::MAX,
        gets_per_second: u32::MAX,
        ..ClassLimits::default()
    };
    let connection = ConnectionLimits {
        puts_per_second: u32::MAX,
        gets_per_second: u32::MAX,
        burst_seconds: 1000,
        max_watchers: 100_000,
        max_watched_ids: 1_000_000,
    };
    let keys = vec![(KEY, AccessClass::Member, limits)];
    let config =
        HubConfig { keys, connection, max_pending: 10_000, ..HubConfig::new(BootId::new([0; 16])) };
    Hub::new(config, MemoryStore::new(Keep::default()))
}

fn sample(n: u32) -> SealedBox {
    let writer = WriteCapability::from_seed(&[5; 32]);
    writer.seal(&n.to_be_bytes(), &[1; 2032]).expect("content fits").into_sealed()
}

fn puts(c: &mut Criterion) {
    let boxes: Vec<SealedBox> = (0..256).map(sample).collect();
    let mut group = c.benchmark_group("put");
    for n in [64usize, 256] {
        group.throughput(Throughput::Elements(u64::try_from(n).expect("small")));
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        group.bench_function(format!("batch of {n}, verified"), |b| {
            b.iter_batched(
                || (hub(), boxes[..n].iter().map(|b| client::put(KEY, b)).collect::<Vec<_>>()),
                |(mut hub, requests)| {
                    for (n, request) in (0..).zip(requests) {
                        hub.submit(NOW, AskId(n), Asker::Direct(n), request);
                    }
                    hub.commit(NOW, &mut rng).expect("memory does not fail");
                    while hub.poll().is_some() {}
                    hub
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn fan_out(c: &mut Criterion) {
    let content = sample(0);
    let ids: Vec<_> = [content.id].into_iter().chain((1..3).map(|n| sample(n).id)).collect();
    let mut group = c.benchmark_group("fan-out");
    group.throughput(Throughput::Elements(1000));
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    group.bench_function("one put to 1000 watchers of three ids", |b| {
        b.iter_batched(
            || {
                let mut hub = hub();
                for n in 0..1000 {
                    hub.submit(
                        NOW,
                        AskId(n),
                        Asker::Direct(n),
                        client::get(KEY, &ids, 60_000, false),
                    );
                }
                hub.commit(NOW, &mut ChaCha20Rng::seed_from_u64(2)).expect("memory does not fail");
                while hub.poll().is_some() {}
                assert_eq!(hub.open_gets(), 1000);
                hub.submit(NOW, AskId(1000), Asker::Direct(1000), client::put(KEY, &content));
                hub
            },
            |mut hub| {
                hub.commit(NOW, &mut rng).expect("memory does not fail");
                let mut delivered = 0;
                while let Some(response) = hub.poll() {
                    std::hint::black_box(response);
                    delivered += 1;
                }
                assert_eq!(delivered, 1001);
                hub
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, puts, fan_out);
criterion_main!(benches);
