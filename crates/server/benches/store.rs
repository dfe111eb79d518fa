//! Durable puts per second through the hub's core and the embedded store, and the memory that this
//! takes.
//!
//! A plain program, for what is measured changes the store: `cargo bench -p server --bench store`.

use std::time::{Duration, Instant};

use hub::server::{AskId, Asker, ConnectionLimits, Hub, HubConfig};
use hub::store::BoxStore;
use hub::{AccessClass, ClassLimits, client};
use server::store::{FjallStore, StoreConfig};
use streams::{SealedBox, WriteCapability};
use wire::hub::{Answer, PutOutcome};
use wire::id::AccessKey;
use wire::{BootId, Timestamp};

const KEY: AccessKey = AccessKey::new([1; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_000);
/// Boxes put for each batch size: 270 MiB, enough for the engine's compactions to show.
const BOXES: u32 = 131_072;

fn hub(store: FjallStore) -> Hub<FjallStore> {
    let limits = ClassLimits {
        puts_per_second: u32::MAX,
        gets_per_second: u32::MAX,
        ..ClassLimits::default()
    };
    let connection = ConnectionLimits {
        puts_per_second: u32::MAX,
        gets_per_second: u32::MAX,
        burst_seconds: 1000,
        max_watchers: 1,
        max_watched_ids: 256,
    };
    let keys = vec![(KEY, AccessClass::Member, limits)];
    Hub::new(HubConfig { keys, connection, ..HubConfig::new(BootId::new([0; 16])) }, store)
}

fn sealed(n: u32) -> SealedBox {
    let writer = WriteCapability::from_seed(&[5; 32]);
    writer.seal(&n.to_be_bytes(), &[1; 2032]).expect("content fits").into_sealed()
}

/// Resident memory of this process, KiB, where the system tells.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn run(batch: u32) {
    let directory = tempfile::tempdir().expect("a directory");
    let before = resident_kib();
    let store = FjallStore::open(directory.path(), &StoreConfig::default()).expect("a store");
    println!(
        "opened empty: {} KiB resident above the bench's own",
        resident_kib().saturating_sub(before)
    );
    let mut hub = hub(store);
    let (mut taken, mut stored) = (Duration::ZERO, 0u32);
    for first in (0..BOXES).step_by(batch as usize) {
        let requests: Vec<_> =
            (first..first + batch).map(|n| client::put(KEY, &sealed(n))).collect();
        let begun = Instant::now();
        for (n, request) in (0..).zip(requests) {
            hub.submit(NOW, AskId(n), Asker::Onion, request);
        }
        hub.commit(NOW, &mut rand::rng()).expect("a working store");
        while let Some((_, response)) = hub.poll() {
            assert_eq!(response.answer, Answer::Put(PutOutcome::Stored));
            stored += 1;
        }
        taken += begun.elapsed();
    }
    let rate = f64::from(stored) / taken.as_secs_f64();
    println!(
        "batch {batch}: {rate:.0} boxes/s durable and verified; {} KiB resident",
        resident_kib()
    );
    let ids: Vec<_> = (0..256).map(|n| sealed(n * 7).id).collect();
    let begun = Instant::now();
    assert_eq!(hub.store().get(&ids).expect("a working store").len(), ids.len());
    let hit = begun.elapsed() / 256;
    let begun = Instant::now();
    let missing: Vec<_> = (0..=255u8).map(|n| streams::BoxId::new([n; 32])).collect();
    assert!(hub.store().get(&missing).expect("a working store").is_empty());
    println!(
        "batch {batch}: get {hit:?} a box that is there, {:?} one that is not",
        begun.elapsed() / 256
    );
    drop(hub);
    let begun = Instant::now();
    let store = FjallStore::open(directory.path(), &StoreConfig::default()).expect("a store");
    assert_eq!(store.usage().boxes(), u64::from(BOXES));
    println!("batch {batch}: opened again in {:?}", begun.elapsed());
}

fn main() {
    for batch in [64, 256, 512] {
        run(batch);
    }
}
