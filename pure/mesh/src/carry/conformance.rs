//! Tests of the contract of [`CarryStore`], beyond that of a box store in `hub`, for the crates
//! that implement it.

#![allow(clippy::expect_used, clippy::panic)]

use hub::store::{Keep, NewBox};
use streams::{VerifiedBox, WriteCapability};
use wire::Timestamp;

use super::{CarryStore, Note};
use crate::pair::Account;

/// A standard box in the first place of a stream; `n` chooses the stream.
#[must_use]
pub fn sample(n: u8) -> VerifiedBox {
    WriteCapability::from_seed(&[42; 32]).seal(&[n], &[n; 2032]).expect("content fits")
}

/// Runs all tests, each on a store from `make`, which must return an empty one each time.
pub fn all<S: CarryStore>(mut make: impl FnMut(Keep) -> S) {
    lists_what_was_noted_oldest_first(make(Keep::default()));
    gives_up_what_it_is_told(make(Keep::default()));
}

fn note(at: u64) -> Note {
    Note {
        hops: 4,
        account: Account([7; 16]),
        only: Some(Account([8; 16])),
        at: Timestamp::from_millis(at),
    }
}

fn put<S: CarryStore>(store: &mut S, n: u8, at: u64) {
    let new = NewBox { content: sample(n), class: note(at).class() };
    store.put_batch(Timestamp::from_millis(at), &[new]).expect("put");
    store.note(&sample(n).id(), &note(at)).expect("note");
}

/// The list holds the latest note of each box, oldest first.
fn lists_what_was_noted_oldest_first<S: CarryStore>(mut store: S) {
    put(&mut store, 1, 20);
    put(&mut store, 2, 10);
    let changed = Note { hops: 1, only: None, ..note(20) };
    store.note(&sample(1).id(), &changed).expect("note");
    let list = store.list().expect("list");
    let found: Vec<_> = list.iter().map(|l| (l.id, l.len, l.note)).collect();
    assert_eq!(found, [(sample(2).id(), 2_144, note(10)), (sample(1).id(), 2_144, changed)]);
}

/// Dropped boxes are gone, all others stay, and dropping twice does no harm.
fn gives_up_what_it_is_told<S: CarryStore>(mut store: S) {
    put(&mut store, 1, 1);
    put(&mut store, 2, 1);
    for _ in 0..2 {
        store.give_up(&[sample(1).id()]).expect("give up");
        assert_eq!(store.list().expect("list").len(), 1);
        assert!(store.get(&[sample(1).id()]).expect("get").is_empty());
        assert_eq!(store.get(&[sample(2).id()]).expect("get").len(), 1);
        assert_eq!(store.usage().boxes(), 1);
    }
}
