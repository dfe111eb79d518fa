//! Reconciliation of stores of 10 to 100,000 boxes that differ in one of a hundred, and a snapshot
//! of each.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mesh::reconcile::{Reconciliation, Snapshot};
use rand::{Rng, SeedableRng};
use streams::BoxId;

fn ids(count: usize, seed: u64) -> Vec<BoxId> {
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let mut id = [0; 32];
            rng.fill_bytes(&mut id);
            BoxId::new(id)
        })
        .collect()
}

/// Bytes both ways, and steps.
fn run(a: &Snapshot, b: &Snapshot) -> (usize, usize) {
    let (mut side, mut step) = Reconciliation::begin(a.clone()).expect("begins");
    let (mut bytes, mut steps) = (0, 0);
    loop {
        let answer = b.answer(&step).expect("answers");
        bytes += step.len() + answer.len();
        steps += 1;
        match side.step(&answer).expect("steps").next {
            Some(next) => step = next,
            None => return (bytes, steps),
        }
    }
}

fn reconcile(c: &mut Criterion) {
    for count in [10, 1_000, 100_000] {
        let (common, differ) = (ids(count, 1), (count / 200).max(1));
        let side =
            |seed| Snapshot::new(common.iter().copied().skip(differ).chain(ids(differ, seed)));
        let (a, b) = (side(2), side(3));
        let (bytes, steps) = run(&a, &b);
        println!("reconcile {count} boxes, {} differ: {bytes} B in {steps} steps", 2 * differ);
        c.bench_with_input(BenchmarkId::new("reconcile", count), &(), |bench, ()| {
            bench.iter(|| run(&a, &b));
        });
        c.bench_with_input(BenchmarkId::new("snapshot", count), &(), |bench, ()| {
            bench.iter(|| Snapshot::new(common.iter().copied()));
        });
    }
}

criterion_group!(benches, reconcile);
criterion_main!(benches);
