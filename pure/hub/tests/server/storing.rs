//! Putting boxes: admission, write-once, durability, expiry.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hub::client;
use hub::server::{AskId, Asker};
use hub::store::{BoxStore, Keep, MemoryStore, NewBox, StoreError, Usage};
use streams::{BoxId, VerifiedBox, WriteCapability};
use wire::Timestamp;
use wire::hub::{Answer, BoxBytes, Operation, PutOutcome, Refusal};
use wire::id::AccessKey;

use super::bench::*;

//= HUB-001
#[test]
fn whoever_has_no_key_is_not_admitted_to_anything() {
    let mut bench = Bench::new();
    let stranger = AccessKey::new([3; 16]);
    let content = standard(1);
    for request in [
        put(stranger, &content),
        client::get(stranger, &[content.id()], 9, false),
        client::echo(stranger),
    ] {
        assert_eq!(
            bench.ask(Asker::Direct(1), request.clone()),
            Some(refused(Refusal::NotAdmitted))
        );
        assert_eq!(bench.ask(Asker::Onion, request), Some(refused(Refusal::NotAdmitted)));
    }
    assert_eq!(bench.ask(Asker::Direct(1), client::echo(MEMBER)), Some(Answer::Echo));
    assert_eq!(bench.hub.store().usage(), Usage::default());
}

//= HUB-002
#[test]
fn the_first_box_wins_a_retry_is_harmless_and_nothing_replaces_it() {
    let mut bench = Bench::new();
    let (first, other) = (standard(1), sealed(1, 2, 2032));
    let tombstone = WriteCapability::from_seed(&[5; 32]).tombstone(&1u64.to_be_bytes());
    assert_eq!(bench.put(MEMBER, &first), outcome(PutOutcome::Stored));
    assert_eq!(bench.put(GUEST, &first), outcome(PutOutcome::Same));
    assert_eq!(bench.put(MEMBER, &other), outcome(PutOutcome::Taken));
    assert_eq!(bench.put(MEMBER, &tombstone), outcome(PutOutcome::Taken));
    assert_eq!(bench.ask(Asker::Onion, get(&[first.id()], 0, false)), Some(boxes(&[&first])));
}

//= HUB-003
#[test]
fn a_bad_box_is_refused_and_spoils_none_of_its_batch() {
    let mut bench = Bench::new();
    let good: Vec<VerifiedBox> = (0..70).map(standard).collect();
    for (n, content) in good.iter().enumerate() {
        let mut request = put(MEMBER, content);
        if n % 13 == 5
            && let Operation::Put(bytes) = &mut request.operation
        {
            bytes.signature[3] ^= 1;
        }
        bench.submit(Asker::Direct(1), request);
    }
    let answers: BTreeMap<AskId, Answer> = bench.commit().into_iter().collect();
    for (n, answer) in answers.into_values().enumerate() {
        let bad = n % 13 == 5;
        assert_eq!(
            answer,
            if bad { refused(Refusal::BadBox) } else { outcome(PutOutcome::Stored) },
            "{n}"
        );
    }
    assert_eq!(bench.hub.store().usage().boxes(), 65);
}

/// A store that writes down what is asked of it, and fails when told to: what it should have kept
/// may lie there nevertheless.
struct Told {
    inner: MemoryStore,
    log: Log,
    fails: Rc<RefCell<bool>>,
}

impl BoxStore for Told {
    fn put_batch(
        &mut self,
        now: Timestamp,
        boxes: &[NewBox],
    ) -> Result<Vec<PutOutcome>, StoreError> {
        self.log.borrow_mut().push("durable");
        let outcomes = self.inner.put_batch(now, boxes);
        if *self.fails.borrow() { Err(StoreError::Failed) } else { outcomes }
    }
    fn get(&self, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError> {
        if *self.fails.borrow() { Err(StoreError::Failed) } else { self.inner.get(ids) }
    }
    fn expire(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.log.borrow_mut().push("expire");
        if *self.fails.borrow() { Err(StoreError::Failed) } else { self.inner.expire(now) }
    }
    fn next_expiry(&self) -> Option<Timestamp> {
        self.inner.next_expiry()
    }
    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

type Log = Rc<RefCell<Vec<&'static str>>>;

fn told() -> (Bench<Told>, Log, Rc<RefCell<bool>>) {
    let (log, fails) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(false)));
    let store = Told {
        inner: MemoryStore::new(Keep::for_millis(14_000)),
        log: log.clone(),
        fails: fails.clone(),
    };
    (Bench::with(config(), store), log, fails)
}

//= HUB-004
#[test]
fn stored_is_said_after_durability_and_watchers_wake_after_that() {
    let (mut bench, log, _) = told();
    let (a, b) = (standard(1), standard(2));
    let watch = bench.submit(Asker::Direct(7), get(&[b.id()], 9_000, false));
    assert_eq!(bench.commit(), []);
    let puts = [
        bench.submit(Asker::Direct(1), put(MEMBER, &a)),
        bench.submit(Asker::Onion, put(MEMBER, &b)),
    ];
    assert_eq!(bench.hub.poll(), None, "nothing is said before the commit");
    bench.hub.commit(bench.now, &mut bench.rng).unwrap();
    assert_eq!(*log.borrow(), ["durable"], "one write for all");
    let answers = bench.poll_all();
    let stored = outcome(PutOutcome::Stored);
    assert_eq!(answers, [(puts[0], stored.clone()), (puts[1], stored), (watch, boxes(&[&b]))]);
}

//= HUB-014
#[test]
fn when_the_store_fails_nothing_is_acknowledged_and_nobody_is_woken() {
    let (mut bench, _, fails) = told();
    let content = standard(1);
    let watch = bench.submit(Asker::Direct(7), get(&[content.id()], 9_000, false));
    bench.commit();
    *fails.borrow_mut() = true;
    let asks = [
        bench.submit(Asker::Direct(1), put(MEMBER, &content)),
        bench.submit(Asker::Onion, put(MEMBER, &standard(2))),
    ];
    let look = bench.submit(Asker::Onion, get(&[content.id()], 9_000, false));
    assert_eq!(bench.hub.commit(bench.now, &mut bench.rng), Err(StoreError::Failed));
    let slow = refused(Refusal::SlowDown);
    assert_eq!(bench.poll_all(), [(asks[0], slow.clone()), (asks[1], slow.clone()), (look, slow)]);
    *fails.borrow_mut() = false;
    assert_eq!(
        bench.hub.commit(bench.now, &mut bench.rng),
        Err(StoreError::Failed),
        "the failed read is reported"
    );
    bench.submit(Asker::Direct(1), put(MEMBER, &content));
    let answers = bench.commit();
    assert_eq!(answers[0].1, outcome(PutOutcome::Same));
    assert_eq!(answers[1], (watch, boxes(&[&content])));
}

//= HUB-025
#[test]
fn a_machine_that_was_started_with_a_wrong_clock_forgets_no_box() {
    let day = 24 * 3_600_000;
    let mut bench = Bench::new();
    bench.hub.wait_for_time();
    // It believes that it is sixteen days later than it is; a box of the right day lies there.
    bench.hub.set_time(bench.now, Timestamp::from_millis(1_000));
    bench.put(MEMBER, &standard(0));
    bench.hub.wait_for_time();
    bench.after(16 * day);
    let there = |bench: &mut Bench<_>| {
        bench.ask(Asker::Direct(1), get(&[standard(0).id()], 0, false))
            == Some(boxes(&[&standard(0)]))
    };
    assert!(there(&mut bench), "without a document nothing expires");
    // A document comes: it is still the first day.
    bench.hub.set_time(bench.now, Timestamp::from_millis(2_000));
    bench.after(13 * day);
    assert!(there(&mut bench));
    bench.after(3 * day);
    assert!(!there(&mut bench), "after two weeks by the document's time");
}

//= HUB-009
#[test]
fn boxes_expire_and_free_their_ids() {
    let mut bench = Bench::with(config(), MemoryStore::new(Keep::for_millis(14_000)));
    let content = standard(1);
    bench.put(MEMBER, &content);
    assert_eq!(
        bench.hub.deadline(),
        Some(Timestamp::from_millis(16_000)),
        "the next thing to do is to forget"
    );
    bench.after(14_999);
    assert_eq!(bench.put(MEMBER, &sealed(1, 2, 2032)), outcome(PutOutcome::Taken));
    bench.after(1);
    assert_eq!(bench.ask(Asker::Onion, get(&[content.id()], 0, false)), Some(boxes(&[])));
    assert_eq!(bench.put(MEMBER, &sealed(1, 2, 2032)), outcome(PutOutcome::Stored));
}

//= HUB-014
#[test]
fn a_store_that_cannot_forget_is_asked_again_later_and_not_in_a_loop() {
    let (mut bench, log, fails) = told();
    bench.put(MEMBER, &standard(1));
    *fails.borrow_mut() = true;
    bench.after(20_000);
    bench.after(10);
    assert_eq!(log.borrow().iter().filter(|l| **l == "expire").count(), 1);
    assert_eq!(bench.hub.deadline(), Some(Timestamp::from_millis(81_000)));
    assert_eq!(bench.hub.commit(bench.now, &mut bench.rng), Err(StoreError::Failed));
    *fails.borrow_mut() = false;
    bench.after(60_000);
    assert_eq!(bench.hub.deadline(), None);
}
