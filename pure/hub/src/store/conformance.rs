//! Tests of the contract of [`BoxStore`], for the crates that implement it (feature `conformance`).
//!
//! Each function panics when the store breaks the contract. They check order, accounting and
//! expiry. That `Stored` is durable can only be tested by killing a process, in the store's own
//! crate.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::HashMap;
use std::sync::LazyLock;

use streams::{BoxId, VerifiedBox, WriteCapability};
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::{AccessClass, BoxStore, Keep, NewBox, Purge, Usage, stored_len};
use crate::to_wire;

/// The keeping time that [`agrees_with_model`] expects of its store: 14 segments of 1,000 ms.
pub const MODEL_KEEP: Keep = Keep::for_millis(14_000);

/// Number of ids in use.
const IDS: usize = 8;
/// Boxes for each id: two standard ones, a bulk one and a tombstone.
const VARIANTS: usize = 4;

/// `BOXES[id][variant]`.
static BOXES: LazyLock<Vec<Vec<VerifiedBox>>> = LazyLock::new(|| {
    let writer = WriteCapability::from_seed(&[42; 32]);
    let ids = 0..u8::try_from(IDS).expect("a small number");
    ids.map(|id| {
        let seal =
            |len: usize, fill: u8| writer.seal(&[id], &vec![fill; len]).expect("content fits");
        vec![seal(2032, 1), seal(2032, 2), seal(32_752, 3), writer.tombstone(&[id])]
    })
    .collect()
});

/// A box with the given `id` (modulo 8) and `variant` (modulo 4: standard, standard, bulk,
/// tombstone).
#[must_use]
pub fn sample(id: usize, variant: usize) -> VerifiedBox {
    BOXES[id % IDS][variant % VARIANTS].clone()
}

fn new(id: usize, variant: usize, class: AccessClass) -> NewBox {
    NewBox { content: sample(id, variant), class }
}

fn member(id: usize, variant: usize) -> NewBox {
    new(id, variant, AccessClass::Member)
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn id(n: usize) -> BoxId {
    sample(n, 0).id()
}

/// Runs the tests that need no reopening, each on a new store.
pub fn all<S: BoxStore>(mut make: impl FnMut(Keep) -> S) {
    writes_once(make(Keep::default()));
    decides_inside_a_batch(make(Keep::default()));
    tombstones_replace_nothing(make(Keep::default()));
    finds_in_the_order_asked(make(Keep::default()));
    expires_by_whole_segments(make(MODEL_KEEP));
    writes_once_across_segments(make(MODEL_KEEP));
    accounts_by_class(make(MODEL_KEEP));
}

/// The first write of an id wins; a retry is harmless; another box is refused.
fn writes_once<S: BoxStore>(mut store: S) {
    let put = |store: &mut S, new| store.put_batch(at(5), &[new]).expect("put");
    assert_eq!(put(&mut store, member(0, 0)), [PutOutcome::Stored]);
    assert_eq!(put(&mut store, member(0, 0)), [PutOutcome::Same]);
    assert_eq!(put(&mut store, member(0, 1)), [PutOutcome::Taken]);
    assert_eq!(put(&mut store, new(0, 0, AccessClass::Guest)), [PutOutcome::Same]);
    assert_eq!(put(&mut store, member(1, 2)), [PutOutcome::Stored]);
    assert_eq!(store.get(&[id(0)]).expect("get"), [to_wire(sample(0, 0))]);
    assert_eq!(store.get(&[id(1)]).expect("get"), [to_wire(sample(1, 2))]);
}

/// The first box of an id in a batch wins; repeats inside the batch are retries.
fn decides_inside_a_batch<S: BoxStore>(mut store: S) {
    let batch = [member(3, 1), member(3, 0), member(3, 1), member(4, 0), member(4, 0)];
    let outcomes = store.put_batch(at(5), &batch).expect("put");
    use PutOutcome::{Same, Stored, Taken};
    assert_eq!(outcomes, [Stored, Taken, Same, Stored, Same]);
    assert_eq!(store.get(&[id(3)]).expect("get"), [to_wire(sample(3, 1))]);
    assert_eq!(store.usage().boxes(), 2);
    assert_eq!(store.put_batch(at(5), &[]).expect("empty batch"), []);
}

/// A tombstone may take a free id and nothing else.
fn tombstones_replace_nothing<S: BoxStore>(mut store: S) {
    let outcomes = store
        .put_batch(at(5), &[member(0, 0), member(0, 3), member(1, 3), member(1, 0)])
        .expect("put");
    use PutOutcome::{Stored, Taken};
    assert_eq!(outcomes, [Stored, Taken, Stored, Taken]);
    assert_eq!(store.get(&[id(1)]).expect("get"), [to_wire(sample(1, 3))]);
}

/// `get` leaves missing boxes out and keeps the order of the ids.
fn finds_in_the_order_asked<S: BoxStore>(mut store: S) {
    let _ = store.put_batch(at(5), &[member(0, 0), member(1, 0), member(2, 3)]).expect("put");
    let found = store.get(&[id(7), id(2), id(0), id(6), id(1)]).expect("get");
    assert_eq!(found, [to_wire(sample(2, 3)), to_wire(sample(0, 0)), to_wire(sample(1, 0))]);
    assert_eq!(store.get(&[]).expect("get"), []);
}

/// Boxes leave only by expiry, a whole segment at a time, and free their ids.
fn expires_by_whole_segments<S: BoxStore>(mut store: S) {
    assert_eq!(store.next_expiry(), None);
    let _ = store.put_batch(at(100), &[member(0, 0)]).expect("put");
    let _ = store.put_batch(at(900), &[member(1, 0)]).expect("put");
    let _ = store.put_batch(at(1000), &[member(2, 0)]).expect("put");
    assert_eq!(store.next_expiry(), Some(at(15_000)));
    store.expire(at(14_999)).expect("expire");
    assert_eq!(store.usage().boxes(), 3);
    store.expire(at(15_000)).expect("expire");
    assert_eq!(store.get(&[id(0), id(1), id(2)]).expect("get"), [to_wire(sample(2, 0))]);
    assert_eq!(store.usage().boxes(), 1);
    assert_eq!(store.next_expiry(), Some(at(16_000)));
    let outcomes = store.put_batch(at(15_000), &[member(0, 1)]).expect("put");
    assert_eq!(outcomes, [PutOutcome::Stored], "an expired id is free again");
    store.expire(at(1_000_000)).expect("expire");
    assert_eq!(store.usage(), Usage::default());
    assert_eq!(store.next_expiry(), None);
}

/// An id is taken as long as its box lives, whichever segment that is in.
fn writes_once_across_segments<S: BoxStore>(mut store: S) {
    let _ = store.put_batch(at(0), &[member(0, 0)]).expect("put");
    for ms in [1_000, 7_500, 14_500] {
        let outcomes = store.put_batch(at(ms), &[member(0, 1), member(0, 0)]).expect("put");
        assert_eq!(outcomes, [PutOutcome::Taken, PutOutcome::Same]);
    }
    assert_eq!(store.usage().boxes(), 1);
    store.expire(at(15_000)).expect("expire");
    assert_eq!(store.usage().boxes(), 0, "a retry lengthens no life");
}

/// Storage is counted by class and released at expiry.
fn accounts_by_class<S: BoxStore>(mut store: S) {
    let batch =
        [member(0, 0), new(1, 2, AccessClass::Guest), member(0, 1), new(2, 3, AccessClass::Guest)];
    let _ = store.put_batch(at(0), &batch).expect("put");
    let _ = store.put_batch(at(3_000), &[new(3, 0, AccessClass::Guest)]).expect("put");
    let mut expected = Usage::default();
    expected.add(AccessClass::Member, 2048 + 96);
    expected.add(AccessClass::Guest, 32_768 + 96);
    expected.add(AccessClass::Guest, 96);
    expected.add(AccessClass::Guest, 2048 + 96);
    assert_eq!(store.usage(), expected);
    store.expire(at(15_000)).expect("expire");
    let mut expected = Usage::default();
    expected.add(AccessClass::Guest, 2048 + 96);
    assert_eq!(store.usage(), expected);
}

/// What was put with one room's key goes, in all segments, and nothing else. The store has
/// to keep boxes for [`MODEL_KEEP`].
//= HUB-027
pub fn purges_one_class_alone<S: Purge>(mut store: S) {
    let room = |n| AccessClass::Room(n);
    let first = [new(0, 0, room(7)), new(1, 2, room(300)), member(2, 0)];
    let _ = store.put_batch(at(0), &first).expect("put");
    let second = [new(3, 0, room(7)), new(4, 0, AccessClass::Guest)];
    let _ = store.put_batch(at(3_000), &second).expect("put");
    assert_eq!(store.usage().of(room(7)).boxes, 2);
    assert_eq!(store.purge(room(7)).expect("purge"), 2);
    assert_eq!(store.purge(room(8)).expect("purge"), 0);
    let found = store.get(&[id(0), id(1), id(2), id(3), id(4)]).expect("get");
    assert_eq!(found, [to_wire(sample(1, 2)), to_wire(sample(2, 0)), to_wire(sample(4, 0))]);
    let usage = store.usage();
    assert_eq!((usage.of(room(7)).boxes, usage.of(room(300)).boxes, usage.boxes()), (0, 1, 3));
    let again = store.put_batch(at(3_000), &[member(0, 1)]).expect("put");
    assert_eq!(again, [PutOutcome::Stored], "a purged id is free");
}

/// A durable store still has its boxes, accounts and segments after it was closed and reopened.
pub fn survives_reopening<S: BoxStore>(mut open: impl FnMut(Keep) -> S) {
    let mut store = open(MODEL_KEEP);
    let _ = store.put_batch(at(0), &[member(0, 0), new(1, 2, AccessClass::Guest)]).expect("put");
    let _ = store.put_batch(at(5_000), &[member(2, 3)]).expect("put");
    let usage = store.usage();
    drop(store);
    let mut store = open(MODEL_KEEP);
    assert_eq!(store.usage(), usage);
    let found = store.get(&[id(0), id(1), id(2)]).expect("get");
    assert_eq!(found, [to_wire(sample(0, 0)), to_wire(sample(1, 2)), to_wire(sample(2, 3))]);
    let outcomes =
        store.put_batch(at(5_000), &[member(0, 1), member(1, 2), member(4, 0)]).expect("put");
    assert_eq!(outcomes, [PutOutcome::Taken, PutOutcome::Same, PutOutcome::Stored]);
    assert_eq!(store.next_expiry(), Some(at(15_000)));
    store.expire(at(15_000)).expect("expire");
    drop(store);
    let store = open(MODEL_KEEP);
    assert_eq!(store.usage().boxes(), 2, "what has expired does not come back");
    assert_eq!(store.get(&[id(0), id(1)]).expect("get"), []);
}

/// Applies random steps to a store that keeps boxes for [`MODEL_KEEP`] and to a plain map, and
/// compares all results.
///
/// A step is (operation and id, variants, ms that pass). Any three numbers are valid.
pub fn agrees_with_model<S: BoxStore>(mut store: S, steps: &[(u8, u8, u16)]) {
    let mut model: HashMap<BoxId, (NewBox, Timestamp)> = HashMap::new();
    let mut now = at(0);
    for (what, variants, pass) in steps {
        now = now.plus_millis(u64::from(*pass % 4_000));
        let first = usize::from(*what);
        if what % 4 == 3 {
            store.expire(now).expect("expire");
            model.retain(|_, (_, end)| MODEL_KEEP.expiry(*end) > now);
        } else {
            let class = [AccessClass::Member, AccessClass::Guest][first % 2];
            let batch: Vec<NewBox> = (0..3)
                .map(|n| {
                    new(
                        first / 16 + n * usize::from(variants % 3),
                        usize::from(variants >> (2 * n)),
                        class,
                    )
                })
                .collect();
            let expected: Vec<PutOutcome> =
                batch.iter().map(|new| put_model(&mut model, now, new)).collect();
            assert_eq!(store.put_batch(now, &batch).expect("put"), expected);
        }
        compare(&store, &model);
    }
}

fn put_model(
    model: &mut HashMap<BoxId, (NewBox, Timestamp)>,
    now: Timestamp,
    new: &NewBox,
) -> PutOutcome {
    match model.get(&new.content.id()) {
        Some((there, _)) if there.content == new.content => PutOutcome::Same,
        Some(_) => PutOutcome::Taken,
        None => {
            model.insert(new.content.id(), (new.clone(), MODEL_KEEP.segment_end(now)));
            PutOutcome::Stored
        }
    }
}

fn compare<S: BoxStore>(store: &S, model: &HashMap<BoxId, (NewBox, Timestamp)>) {
    let mut usage = Usage::default();
    for (new, _) in model.values() {
        usage.add(new.class, stored_len(new.content.ciphertext()));
    }
    assert_eq!(store.usage(), usage);
    assert_eq!(store.next_expiry(), model.values().map(|(_, end)| MODEL_KEEP.expiry(*end)).min());
    let ids: Vec<BoxId> = (0..IDS).map(id).collect();
    let expected: Vec<_> = ids
        .iter()
        .filter_map(|id| model.get(id))
        .map(|(new, _)| to_wire(new.content.clone()))
        .collect();
    assert_eq!(store.get(&ids).expect("get"), expected);
}
