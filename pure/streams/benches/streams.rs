//! What a box costs its writer, its reader and the hub.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use streams::{BoxClass, ReadCapability, SealedBox, WriteCapability, pad, verify_batch};

fn boxes(n: usize) -> Vec<SealedBox> {
    let mut writer = WriteCapability::generate(&mut ChaCha20Rng::seed_from_u64(1));
    let body = pad(b"hello", BoxClass::Standard).expect("short");
    (0..n)
        .map(|_| {
            let sealed = writer.seal(b"ctx", &body).expect("sealed").into_sealed();
            writer = writer.next().expect("not the end");
            sealed
        })
        .collect()
}

fn bench(c: &mut Criterion) {
    let writer = WriteCapability::generate(&mut ChaCha20Rng::seed_from_u64(1));
    let reader = writer.read_capability();
    let body = pad(b"hello", BoxClass::Standard).expect("short");
    let sealed = writer.seal(b"ctx", &body).expect("sealed");
    c.bench_function("seal standard box", |b| {
        b.iter(|| black_box(writer.seal(b"ctx", &body)));
    });
    c.bench_function("open standard box", |b| {
        b.iter(|| black_box(reader.open(b"ctx", &sealed)));
    });
    c.bench_function("next 8 ids", |b| {
        b.iter(|| reader.ids(b"ctx", 8).for_each(|id| _ = black_box(id)));
    });
    let bytes = reader.to_bytes();
    c.bench_function("read capability from bytes", |b| {
        b.iter(|| black_box(ReadCapability::from_bytes(&bytes)));
    });
    c.bench_function("box id", |b| b.iter(|| reader.box_id(b"ctx")));
    c.bench_function("next index", |b| b.iter(|| reader.next()));
    c.bench_function("verify single", |b| {
        b.iter_batched(|| sealed.clone().into_sealed(), SealedBox::verify, BatchSize::SmallInput);
    });
    let mut group = c.benchmark_group("verify batch");
    for n in [64u32, 256] {
        let many = boxes(n as usize);
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        group.throughput(Throughput::Elements(u64::from(n)));
        group.bench_function(n.to_string(), |b| {
            b.iter_batched(|| many.clone(), |m| verify_batch(m, &mut rng), BatchSize::SmallInput);
        });
        let mut spoiled = many.clone();
        for chunk in spoiled.chunks_mut(64) {
            chunk[0].signature[0] ^= 1;
        }
        group.bench_function(format!("{n}, each equation spoiled"), |b| {
            b.iter_batched(
                || spoiled.clone(),
                |m| verify_batch(m, &mut rng),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
