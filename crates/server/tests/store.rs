//! The embedded store keeps what every store promises, and keeps it across its own death.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hub::AccessClass;
use hub::store::conformance::{self, MODEL_KEEP, sample};
use hub::store::{BoxStore, Keep, NewBox, Purge, StoreError};
use hub::to_wire;
use proptest::prelude::*;
use server::store::{FjallStore, StoreConfig};
use streams::{VerifiedBox, WriteCapability};
use wire::Timestamp;
use wire::hub::PutOutcome;

const DIRECTORY: &str = "HUSHWING_TEST_STORE";
const NOW: Timestamp = Timestamp::from_millis(5);

fn numbered(n: u32) -> VerifiedBox {
    WriteCapability::from_seed(&[7; 32]).seal(&n.to_be_bytes(), &[1; 2032]).unwrap()
}

fn member(content: VerifiedBox) -> NewBox {
    NewBox { content, class: AccessClass::Member }
}

fn open(path: &Path, keep: Keep) -> FjallStore {
    FjallStore::open(path, &StoreConfig { keep, accept_loss: false }).unwrap()
}

/// The place of a store in a directory that goes with it.
struct Dir {
    path: PathBuf,
    _keep: tempfile::TempDir,
}

impl Dir {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        Dir { path: keep.path().join("boxes"), _keep: keep }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

//= HUB-027
#[test]
fn a_room_can_be_emptied_and_stays_so() {
    let dir = Dir::new();
    conformance::purges_one_class_alone(open(dir.path(), MODEL_KEEP));
    let dir = Dir::new();
    let in_room = |n: u32, room| NewBox { content: numbered(n), class: AccessClass::Room(room) };
    let mut store = open(dir.path(), Keep::default());
    let boxes: Vec<NewBox> = (0..40).map(|n| in_room(n, n as u16 % 2 + 700)).collect();
    let _ = store.put_batch(NOW, &boxes).unwrap();
    drop(store);
    // Found by counting, too, when the account does not fit.
    let mut store = open(dir.path(), Keep::default());
    assert_eq!(store.usage().of(AccessClass::Room(700)).boxes, 20);
    assert_eq!(store.purge(AccessClass::Room(700)).unwrap(), 20);
    drop(store);
    let mut store = open(dir.path(), Keep::default());
    let usage = store.usage();
    assert_eq!((usage.of(AccessClass::Room(700)).boxes, usage.boxes()), (0, 20));
    assert_eq!(store.get(&[numbered(0).id(), numbered(1).id()]).unwrap().len(), 1);
    assert_eq!(store.put_batch(NOW, &[in_room(0, 701)]).unwrap(), [PutOutcome::Stored]);
}

//= HUB-002
//= HUB-009
#[test]
fn it_conforms() {
    let mut dirs = Vec::new();
    conformance::all(|keep| {
        let dir = Dir::new();
        let store = open(dir.path(), keep);
        dirs.push(dir);
        store
    });
}

#[test]
fn it_survives_reopening() {
    let dir = Dir::new();
    conformance::survives_reopening(|keep| open(dir.path(), keep));
}

#[test]
fn a_second_process_is_told_that_it_is_in_use() {
    let dir = Dir::new();
    let _first = open(dir.path(), Keep::default());
    let second = FjallStore::open(dir.path(), &StoreConfig::default());
    assert_eq!(second.unwrap_err(), StoreError::Locked);
}

#[test]
fn a_file_in_its_place_is_refused() {
    let dir = Dir::new();
    std::fs::write(dir.path(), b"not a store").unwrap();
    assert!(matches!(
        FjallStore::open(dir.path(), &StoreConfig::default()),
        Err(StoreError::Refused(_))
    ));
}

/// Not a test by itself: the process that [`what_a_killed_hub_has_acknowledged_is_there`] kills.
#[test]
#[ignore = "run as a child by another test"]
fn child_that_writes_until_it_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let mut store = open(Path::new(&directory), Keep::default());
    for batch in 0.. {
        let boxes: Vec<NewBox> = (0..16).map(|n| member(numbered(batch * 16 + n))).collect();
        let outcomes = store.put_batch(NOW, &boxes).unwrap();
        assert!(outcomes.iter().all(|o| *o == PutOutcome::Stored));
        println!("acknowledged {batch}");
    }
}

//= HUB-004
#[test]
fn what_a_killed_hub_has_acknowledged_is_there() {
    let directory = Dir::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number =
        |line: String| line.strip_prefix("acknowledged ").and_then(|n| n.parse::<u32>().ok());
    // The pipe stays open, or the child would die of that.
    let mut acknowledged = lines.filter_map(number);
    let last = acknowledged.nth(40).unwrap();
    assert_eq!(
        FjallStore::open(directory.path(), &StoreConfig::default()).unwrap_err(),
        StoreError::Locked,
        "two processes never share a store"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let mut store = open(directory.path(), Keep::default());
    let boxes: Vec<VerifiedBox> = (0..(last + 1) * 16).map(numbered).collect();
    for some in boxes.chunks(64) {
        let ids: Vec<_> = some.iter().map(VerifiedBox::id).collect();
        let expected: Vec<_> = some.iter().cloned().map(to_wire).collect();
        assert_eq!(store.get(&ids).unwrap(), expected);
    }
    let retried = store.put_batch(NOW, &[member(boxes[3].clone())]).unwrap();
    assert_eq!(retried, [PutOutcome::Same]);
    let counted = store.usage().member;
    assert!(counted.boxes >= u64::from((last + 1) * 16));
    assert_eq!(counted.bytes, counted.boxes * (2048 + 96), "accounts and boxes are of one write");
}

/// All files below a directory, by their paths inside it.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = PathBuf::from(entry.file_name());
        if entry.path().is_dir() {
            found.extend(
                files(&entry.path()).into_iter().map(|(path, bytes)| (name.join(path), bytes)),
            );
        } else {
            let mut bytes = std::fs::read(entry.path()).unwrap();
            // A journal takes its room beforehand; the zeros at its end are not the subject here.
            bytes.truncate(200_000);
            found.insert(name, bytes);
        }
    }
    found
}

#[test]
fn a_damaged_file_is_an_error_or_fewer_boxes_and_never_a_wrong_box() {
    let all: Vec<VerifiedBox> = (0..40).map(numbered).collect();
    let ids: Vec<_> = all.iter().map(VerifiedBox::id).collect();
    let original = Dir::new();
    let mut store = open(original.path(), Keep::default());
    store.put_batch(NOW, &all.iter().cloned().map(member).collect::<Vec<_>>()).unwrap();
    // A box of the next day has the first day written out of memory.
    store.put_batch(NOW.plus_millis(24 * 3_600_000), &[member(numbered(1000))]).unwrap();
    drop(store);
    let original = files(original.path());
    let mut refused = 0;
    for (damaged, way) in original.keys().flat_map(|path| [(path, 0), (path, 1)]) {
        let directory = Dir::new();
        for (path, bytes) in &original {
            let mut bytes = bytes.clone();
            let middle = bytes.len() / 2;
            match way {
                _ if path != damaged => {}
                0 => bytes.truncate(middle),
                _ => bytes.iter_mut().skip(middle).take(20).for_each(|b| *b ^= 0x55),
            }
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let found = FjallStore::open(directory.path(), &StoreConfig::default())
            .and_then(|store| store.get(&ids));
        match found {
            Err(_) => refused += 1,
            Ok(boxes) => assert!(
                boxes.into_iter().all(|b| all.contains(&hub::from_wire(b).verify().unwrap()))
            ),
        }
    }
    assert!(
        refused > original.len() / 2,
        "{refused} of {} files, each damaged in two ways",
        original.len()
    );
}

#[test]
fn a_store_that_lives_for_long_keeps_neither_segments_nor_journals() {
    let directory = Dir::new();
    let mut store = open(directory.path(), MODEL_KEEP);
    let contents: Vec<VerifiedBox> = (0..8).map(|n| sample(n, 2)).collect();
    for second in 0..60u64 {
        let now = Timestamp::from_millis(second * 1000);
        store.expire(now).unwrap();
        store.put_batch(now, &contents.iter().cloned().map(member).collect::<Vec<_>>()).unwrap();
        let keyspaces = std::fs::read_dir(directory.path().join("keyspaces")).unwrap().count();
        assert!(keyspaces <= 18, "{keyspaces} keyspaces after {second} s");
    }
    assert_eq!(store.usage().boxes(), 8);
    drop(store);
    let store = open(directory.path(), MODEL_KEEP);
    assert_eq!(store.usage().boxes(), 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn it_does_what_a_map_does(steps in proptest::collection::vec(any::<(u8, u8, u16)>(), 0..40)) {
        let dir = Dir::new();
        conformance::agrees_with_model(open(dir.path(), conformance::MODEL_KEEP), &steps);
    }
}

/// Whatever the engine had not moved out of its journals is gone, or they are empty.
fn lose_the_journals(store: &Path, emptied: bool) {
    let journals: Vec<PathBuf> = std::fs::read_dir(store)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jnl"))
        .collect();
    assert!(!journals.is_empty());
    for path in journals {
        if emptied {
            std::fs::File::create(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
}

//= HUB-026
#[test]
fn a_store_that_has_lost_boxes_says_so_and_goes_on_only_when_told() {
    for emptied in [false, true] {
        let directory = Dir::new();
        let mut store = open(directory.path(), Keep::default());
        let boxes: Vec<NewBox> = (0..40).map(numbered).map(member).collect();
        store.put_batch(NOW, &boxes).unwrap();
        drop(store);
        lose_the_journals(directory.path(), emptied);
        let refused = FjallStore::open(directory.path(), &StoreConfig::default());
        assert_eq!(refused.unwrap_err(), StoreError::Lost { missing: 40, held: 40 });
        let told = StoreConfig { accept_loss: true, ..StoreConfig::default() };
        drop(FjallStore::open(directory.path(), &told).unwrap());
        let mut store = open(directory.path(), Keep::default());
        assert_eq!(store.usage().boxes(), 0, "said once");
        store.put_batch(NOW, &boxes).unwrap();
    }
}

//= HUB-026
#[test]
fn what_has_expired_is_not_missed() {
    let directory = Dir::new();
    let mut store = open(directory.path(), MODEL_KEEP);
    store.put_batch(NOW, &[member(numbered(1))]).unwrap();
    drop(store);
    let mut store = open(directory.path(), MODEL_KEEP);
    store.expire(Timestamp::from_millis(1_000_000)).unwrap();
    drop(store);
    assert_eq!(open(directory.path(), MODEL_KEEP).usage().boxes(), 0);
}

#[test]
fn a_store_that_is_opened_again_after_a_failure_has_everything() {
    let directory = Dir::new();
    let mut store = open(directory.path(), Keep::default());
    store.put_batch(NOW, &[member(numbered(1))]).unwrap();
    store.recover().unwrap();
    assert_eq!(store.get(&[numbered(1).id()]).unwrap().len(), 1);
    assert_eq!(store.put_batch(NOW, &[member(numbered(2))]).unwrap(), [PutOutcome::Stored]);
}

/// Whatever was said to be stored is there after the disk was full, however often the store was
/// opened again meanwhile, and however much of the disk came free in between.
//= HUB-004
#[test]
fn a_full_disk_loses_nothing_that_was_stored() {
    if !lanlab::available() {
        println!("SKIPPED: needs root and iproute2");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let disk = lanlab::Disk::mount(home.path().join("disk"), 256);
    let mut store = open(&disk.path().join("boxes"), Keep::default());
    let (mut stored, mut next, mut failures) = (Vec::new(), 0, 0);
    for round in 0..12_u64 {
        if round % 2 == 1 {
            disk.fill_but(4_096 * (round - 1));
        }
        for n in 0..40 {
            // Some room comes free: what is written then must not lie behind a torn write.
            if n == 20 && round % 4 == 3 {
                disk.free();
                disk.fill_but(1 << 20);
            }
            let batch: Vec<VerifiedBox> = (next..next + 20).map(numbered).collect();
            next += 20;
            match store.put_batch(NOW, &batch.iter().cloned().map(member).collect::<Vec<_>>()) {
                Ok(outcomes) => {
                    assert!(outcomes.iter().all(|o| o.is_stored()));
                    stored.extend(batch);
                }
                Err(_) => {
                    failures += 1;
                    if round % 4 == 1 {
                        let _ = store.recover();
                    }
                }
            }
        }
        if round % 2 == 1 {
            disk.free();
        }
        store.recover().unwrap();
        for content in &stored {
            assert_eq!(store.get(&[content.id()]).unwrap().len(), 1, "round {round}");
        }
    }
    assert!(failures > 0 && stored.len() > 4_000, "{failures}, {}", stored.len());
}
