//! The hub's core, told as stories of askers, boxes and time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hub::server::{AskId, Asker, ConnectionLimits, Hub, HubConfig, MAX_RESPONSE_BYTES};
use hub::store::{BoxStore, Keep, MemoryStore, NewBox, StoreError, Usage};
use hub::{AccessClass, ClassLimits, client, to_wire};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use streams::{BoxId, VerifiedBox, WriteCapability};
use wire::hub::{Answer, BoxBytes, Operation, PutOutcome, Refusal, Request, Response};
use wire::id::AccessKey;
use wire::{BootId, Timestamp};

const MEMBER: AccessKey = AccessKey::new([1; 16]);
const GUEST: AccessKey = AccessKey::new([2; 16]);
const BOOT: BootId = BootId::new([9; 16]);

/// A box at index `n`, with content that `fill` decides.
fn sealed(n: u64, fill: u8, len: usize) -> VerifiedBox {
    WriteCapability::from_seed(&[5; 32]).seal(&n.to_be_bytes(), &vec![fill; len]).unwrap()
}

fn standard(n: u64) -> VerifiedBox {
    sealed(n, 1, 2032)
}

fn bulk(n: u64) -> VerifiedBox {
    sealed(n, 1, 32_752)
}

fn config() -> HubConfig {
    let keys = vec![
        (MEMBER, AccessClass::Member, ClassLimits::default()),
        (GUEST, AccessClass::Guest, ClassLimits::default()),
    ];
    HubConfig { keys, ..HubConfig::new(BOOT) }
}

/// A hub, its clock, and all that it has answered.
struct Bench<S> {
    hub: Hub<S>,
    now: Timestamp,
    next: u64,
    rng: ChaCha20Rng,
}

impl Bench<MemoryStore> {
    fn new() -> Self {
        Self::with(config(), MemoryStore::new(Keep::default()))
    }
}

impl<S: BoxStore> Bench<S> {
    fn with(config: HubConfig, store: S) -> Self {
        Bench {
            hub: Hub::new(config, store),
            now: Timestamp::from_millis(1_000),
            next: 0,
            rng: ChaCha20Rng::seed_from_u64(7),
        }
    }

    fn submit(&mut self, asker: Asker, request: Request) -> AskId {
        self.next += 1;
        self.hub.submit(self.now, AskId(self.next), asker, request);
        AskId(self.next)
    }

    fn poll_all(&mut self) -> Vec<(AskId, Answer)> {
        std::iter::from_fn(|| self.hub.poll())
            .map(|(ask, Response { boot, answer, .. })| {
                assert_eq!(boot, BOOT);
                (ask, answer)
            })
            .collect()
    }

    fn commit(&mut self) -> Vec<(AskId, Answer)> {
        self.hub.commit(self.now, &mut self.rng).unwrap();
        self.poll_all()
    }

    fn after(&mut self, ms: u64) -> Vec<(AskId, Answer)> {
        self.now = self.now.plus_millis(ms);
        self.hub.tick(self.now);
        self.poll_all()
    }

    /// One request by itself; its answer, if there is one at once.
    fn ask(&mut self, asker: Asker, request: Request) -> Option<Answer> {
        let ask = self.submit(asker, request);
        let answers = self.commit();
        answers.into_iter().find(|(a, _)| *a == ask).map(|(_, answer)| answer)
    }

    fn put(&mut self, access: AccessKey, content: &VerifiedBox) -> Answer {
        self.ask(Asker::Direct(1), put(access, content)).unwrap()
    }
}

fn put(access: AccessKey, content: &VerifiedBox) -> Request {
    client::put(access, &content.clone().into_sealed())
}

fn get(ids: &[BoxId], deadline_ms: u32, hold: bool) -> Request {
    client::get(MEMBER, ids, deadline_ms, hold)
}

fn outcome(outcome: PutOutcome) -> Answer {
    Answer::Put(outcome)
}

fn refused(refusal: Refusal) -> Answer {
    Answer::Refused(refusal)
}

fn boxes(contents: &[&VerifiedBox]) -> Answer {
    Answer::Boxes(contents.iter().map(|b| to_wire((*b).clone())).collect())
}

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

/// A store that writes down what is asked of it, and fails when told to.
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
        if *self.fails.borrow() {
            Err(StoreError::Failed)
        } else {
            self.inner.put_batch(now, boxes)
        }
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
    assert_eq!(answers[0].1, outcome(PutOutcome::Stored));
    assert_eq!(answers[1], (watch, boxes(&[&content])));
}

//= HUB-005
#[test]
fn a_get_is_answered_at_once_when_a_box_arrives_or_at_its_deadline() {
    let mut bench = Bench::new();
    let (a, b) = (standard(1), standard(2));
    bench.put(MEMBER, &a);
    assert_eq!(bench.ask(Asker::Direct(1), get(&[b.id(), a.id()], 500, false)), Some(boxes(&[&a])));
    assert_eq!(bench.ask(Asker::Direct(1), get(&[b.id()], 0, false)), Some(boxes(&[])));
    let open = bench.submit(Asker::Direct(1), get(&[b.id()], 500, false));
    assert_eq!(bench.commit(), []);
    assert_eq!(bench.hub.deadline(), Some(Timestamp::from_millis(1_500)));
    assert_eq!(bench.after(499), []);
    assert_eq!(bench.after(1), [(open, boxes(&[]))]);
    let open = bench.submit(Asker::Onion, get(&[b.id()], u32::MAX, false));
    bench.commit();
    assert_eq!(bench.after(119_999), []);
    assert_eq!(bench.after(1), [(open, boxes(&[]))], "two minutes are the most");
    let open = bench.submit(Asker::Onion, get(&[a.id(), b.id()], 500, false));
    assert_eq!(bench.commit(), [(open, boxes(&[&a]))]);
    let open = bench.submit(Asker::Onion, get(&[b.id(), standard(3).id()], 500, false));
    bench.commit();
    bench.submit(Asker::Direct(1), put(MEMBER, &b));
    assert!(bench.commit().contains(&(open, boxes(&[&b]))));
    assert_eq!(bench.after(1_000_000), [], "and never twice");
    assert_eq!(bench.hub.open_gets(), 0);
}

//= HUB-005
#[test]
fn a_get_sees_what_is_put_in_the_same_commit_whichever_came_first() {
    let mut bench = Bench::new();
    let content = standard(1);
    let open = bench.submit(Asker::Direct(1), get(&[content.id()], 500, false));
    bench.submit(Asker::Direct(2), put(MEMBER, &content));
    assert_eq!(bench.commit()[1], (open, boxes(&[&content])));
}

//= HUB-006
#[test]
fn what_is_held_is_answered_at_its_deadline_and_shows_nothing_before() {
    let mut bench = Bench::new();
    let (a, b) = (standard(1), standard(2));
    bench.put(MEMBER, &a);
    let there = bench.submit(Asker::Onion, get(&[a.id()], 1_000, true));
    let coming = bench.submit(Asker::Onion, get(&[b.id()], 1_000, true));
    let never = bench.submit(Asker::Onion, get(&[standard(3).id()], 1_000, true));
    assert_eq!(bench.commit(), []);
    assert_eq!(bench.put(MEMBER, &b), outcome(PutOutcome::Stored));
    assert_eq!(bench.after(999), []);
    assert_eq!(
        bench.after(1),
        [(there, boxes(&[&a])), (coming, boxes(&[&b])), (never, boxes(&[]))]
    );
}

//= HUB-007
#[test]
fn the_onion_route_gets_few_small_boxes() {
    let mut bench = Bench::new();
    let all: Vec<VerifiedBox> = (0..17).map(standard).collect();
    let ids: Vec<BoxId> = all.iter().map(VerifiedBox::id).collect();
    assert_eq!(bench.ask(Asker::Onion, get(&ids, 9, false)), Some(refused(Refusal::BadRequest)));
    assert_eq!(bench.ask(Asker::Onion, put(MEMBER, &bulk(50))), Some(refused(Refusal::BadRequest)));
    let woken = bench.submit(Asker::Onion, get(&ids[..16], 1_000, false));
    let bulk_only = bench.submit(Asker::Onion, get(&[bulk(50).id()], 1_000, false));
    bench.commit();
    for content in all.iter().chain([&bulk(50)]) {
        bench.submit(Asker::Direct(1), put(MEMBER, content));
    }
    let three = boxes(&[&all[0], &all[1], &all[2]]);
    assert_eq!(bench.commit().last(), Some(&(woken, three.clone())));
    assert_eq!(bench.after(1_000), [(bulk_only, boxes(&[]))], "a bulk box fits no packet");
    let mixed = [bulk(50).id(), ids[0], ids[1], ids[2], ids[3]];
    assert_eq!(bench.ask(Asker::Onion, get(&mixed, 9, false)), Some(three));
    assert_eq!(bench.ask(Asker::Direct(1), get(&mixed[..1], 9, false)), Some(boxes(&[&bulk(50)])));
}

//= HUB-007
#[test]
fn the_onion_route_gets_what_a_reply_has_room_for() {
    let mut bench = Bench::new();
    let large = |n: u64| sealed(n, 1, 4_080);
    let all = [large(1), standard(2), large(3), standard(4)];
    for content in &all {
        bench.ask(Asker::Direct(1), put(MEMBER, content));
    }
    let ids: Vec<BoxId> = all.iter().map(VerifiedBox::id).collect();
    let first_two = Answer::Boxes(all[..2].iter().cloned().map(to_wire).collect());
    assert_eq!(bench.ask(Asker::Onion, get(&ids, 9, false)), Some(first_two));
    bench.hub.set_onion_room(2_200);
    let one = Answer::Boxes(vec![to_wire(all[1].clone())]);
    assert_eq!(
        bench.ask(Asker::Onion, get(&ids, 9, false)),
        Some(one),
        "what can never fit is passed over"
    );
    let open = bench.submit(Asker::Onion, get(&[large(9).id()], 1_000, false));
    bench.submit(Asker::Direct(1), put(MEMBER, &large(9)));
    assert!(bench.commit().iter().all(|(ask, _)| *ask != open), "and wakes nobody");
}

//= SHAPE-006
#[test]
fn a_dummy_ends_one_open_get_and_is_the_only_answer() {
    let mut bench = Bench::new();
    let dummy = to_wire(standard(7));
    assert!(!bench.hub.disturb(1, dummy.clone()), "there is no get to end");
    let open = bench.submit(Asker::Direct(1), get(&[standard(1).id()], 60_000, false));
    let other = bench.submit(Asker::Direct(2), get(&[standard(1).id()], 60_000, false));
    bench.commit();
    assert!(bench.hub.disturb(1, dummy.clone()));
    assert!(!bench.hub.disturb(1, dummy.clone()), "it is closed");
    bench.submit(Asker::Direct(3), put(MEMBER, &standard(1)));
    let answers = bench.commit();
    let of = |ask| {
        answers
            .iter()
            .filter(|(a, _)| *a == ask)
            .map(|(_, answer)| answer.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(open), [Answer::Boxes(vec![dummy])]);
    assert_eq!(of(other), [boxes(&[&standard(1)])]);
}

//= HUB-007
#[test]
fn a_direct_response_stays_within_its_frame() {
    let mut bench = Bench::new();
    let all: Vec<VerifiedBox> = (0..70).map(standard).chain((100..110).map(bulk)).collect();
    let ids: Vec<BoxId> = all.iter().map(VerifiedBox::id).collect();
    let woken = bench.submit(Asker::Direct(2), get(&ids, 1_000, false));
    bench.commit();
    for content in &all {
        bench.submit(Asker::Direct(1), put(MEMBER, content));
    }
    let answers = bench.commit();
    let expected = Answer::Boxes(all[..64].iter().cloned().map(to_wire).collect());
    assert_eq!(answers.last(), Some(&(woken, expected.clone())));
    assert_eq!(bench.ask(Asker::Direct(1), get(&ids, 9, false)), Some(expected));
    let Some(Answer::Boxes(bulks)) = bench.ask(Asker::Direct(1), get(&ids[70..], 9, false)) else {
        panic!("boxes")
    };
    assert_eq!(bulks.len(), 7);
    let frame =
        wire::encode(&Response { boot: BOOT, answer: Answer::Boxes(bulks), tally: None }).len();
    assert!(frame <= wire::FrameKind::HubResponse.max_len() - 16, "{frame}");
    assert!(u64::try_from(frame).unwrap() <= MAX_RESPONSE_BYTES);
    let request = |n: usize| Request {
        access: MEMBER,
        operation: Operation::Get {
            ids: vec![wire::hub::BoxAddress([1; 32]); n],
            deadline_ms: 0,
            hold: false,
        },
    };
    assert_eq!(bench.ask(Asker::Direct(1), request(257)), Some(refused(Refusal::BadRequest)));
    assert_eq!(bench.ask(Asker::Direct(1), request(0)), Some(refused(Refusal::BadRequest)));
}

//= HUB-008
#[test]
fn boxes_come_in_the_order_asked_and_each_once() {
    let mut bench = Bench::new();
    let all: Vec<VerifiedBox> = (0..4).map(standard).collect();
    let order = [2, 0, 2, 3, 0, 1].map(|n: usize| all[n].id());
    let woken = bench.submit(Asker::Direct(2), get(&order, 1_000, false));
    bench.commit();
    for content in &all {
        bench.submit(Asker::Direct(1), put(MEMBER, content));
    }
    let expected = boxes(&[&all[2], &all[0], &all[3], &all[1]]);
    assert_eq!(bench.commit().last(), Some(&(woken, expected.clone())));
    assert_eq!(bench.ask(Asker::Direct(1), get(&order, 9, false)), Some(expected));
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

//= HUB-010
#[test]
fn a_full_class_is_told_so_while_retries_and_the_other_class_go_on() {
    let mut config = config();
    config.keys[1].2.max_bytes = 2 * (2048 + 96);
    let mut bench = Bench::with(config, MemoryStore::new(Keep::for_millis(14_000)));
    for (n, expected) in
        [PutOutcome::Stored, PutOutcome::Stored, PutOutcome::Full].into_iter().enumerate()
    {
        assert_eq!(bench.put(GUEST, &standard(u64::try_from(n).unwrap())), outcome(expected));
    }
    assert_eq!(bench.put(GUEST, &standard(0)), outcome(PutOutcome::Same));
    assert_eq!(bench.put(GUEST, &sealed(0, 2, 2032)), outcome(PutOutcome::Taken));
    assert_eq!(bench.put(MEMBER, &standard(2)), outcome(PutOutcome::Stored));
    bench.after(20_000);
    assert_eq!(
        bench.put(GUEST, &standard(3)),
        outcome(PutOutcome::Stored),
        "expiry gives room back"
    );
    for n in 4..7 {
        bench.submit(Asker::Direct(1), put(GUEST, &standard(n)));
    }
    let stored = bench.commit().iter().filter(|(_, a)| *a == outcome(PutOutcome::Stored)).count();
    assert_eq!(stored, 1, "nor does one batch go over the cap");
}

//= HUB-011
#[test]
fn a_connection_over_its_rate_slows_down_and_others_go_on() {
    let mut config = config();
    config.connection = ConnectionLimits {
        puts_per_second: 20,
        gets_per_second: 20,
        burst_seconds: 1,
        max_watchers: 9,
    };
    let mut bench = Bench::with(config, MemoryStore::new(Keep::default()));
    let content = standard(1);
    let slow = |bench: &mut Bench<MemoryStore>, connection| {
        (0..30)
            .filter(|_| {
                bench.ask(Asker::Direct(connection), put(MEMBER, &content))
                    == Some(outcome(PutOutcome::SlowDown))
            })
            .count()
    };
    assert_eq!(slow(&mut bench, 1), 10);
    assert_eq!(slow(&mut bench, 2), 10);
    bench.now = bench.now.plus_millis(500);
    assert_eq!(slow(&mut bench, 1), 20);
    let ids: Vec<BoxId> = (0..40u8).map(|n| BoxId::new([n; 32])).collect();
    let gets = (0..10)
        .filter(|_| bench.ask(Asker::Direct(1), get(&ids, 0, false)) == Some(boxes(&[])))
        .count();
    assert_eq!(gets, 6, "forty ids cost three tokens of twenty");
    let echoes = (0..10)
        .filter(|_| bench.ask(Asker::Direct(1), client::echo(MEMBER)) == Some(Answer::Echo))
        .count();
    assert_eq!(echoes, 2);
}

//= HUB-011
#[test]
fn a_class_over_its_rate_slows_down_on_every_route() {
    let mut config = config();
    config.keys[1].2 = ClassLimits {
        puts_per_second: 20,
        gets_per_second: 20,
        burst_seconds: 1,
        ..ClassLimits::default()
    };
    let mut bench = Bench::with(config, MemoryStore::new(Keep::default()));
    let content = standard(1);
    let mut accepted = 0;
    for n in 0..40u64 {
        let asker = if n % 2 == 0 { Asker::Onion } else { Asker::Direct(n) };
        accepted += usize::from(
            bench.ask(asker, put(GUEST, &content)) != Some(outcome(PutOutcome::SlowDown)),
        );
    }
    assert_eq!(accepted, 20);
    assert_eq!(bench.put(MEMBER, &content), outcome(PutOutcome::Same));
    let refusals = (0..30).filter(|_| {
        bench.ask(Asker::Onion, client::echo(GUEST)) == Some(refused(Refusal::SlowDown))
    });
    assert_eq!(refusals.count(), 10);
}

//= HUB-012
#[test]
fn open_gets_are_bounded_by_connection_class_and_total() {
    let mut config = config();
    config.connection.max_watchers = 2;
    config.keys[1].2.max_watchers = 3;
    config.keys[1].2.max_watched_ids = 20;
    config.max_watchers = 5;
    let mut bench = Bench::with(config, MemoryStore::new(Keep::default()));
    let slow = Some(refused(Refusal::SlowDown));
    let ids: Vec<BoxId> = (0..16u8).map(|n| BoxId::new([n; 32])).collect();
    let mut ask = |asker, access, n: usize| {
        bench.ask(asker, client::get(access, &ids[..n], 60_000, n.is_multiple_of(2)))
    };
    assert_eq!([ask(Asker::Direct(1), GUEST, 1), ask(Asker::Direct(1), GUEST, 16)], [None, None]);
    assert_eq!(ask(Asker::Direct(1), GUEST, 1), slow, "two on a connection");
    assert_eq!(ask(Asker::Onion, GUEST, 4), slow, "twenty ids in the class");
    assert_eq!(ask(Asker::Onion, GUEST, 3), None);
    assert_eq!(ask(Asker::Onion, GUEST, 1), slow, "three in the class");
    assert_eq!([ask(Asker::Onion, MEMBER, 1), ask(Asker::Onion, MEMBER, 1)], [None, None]);
    assert_eq!(ask(Asker::Onion, MEMBER, 1), slow, "five in all");
    assert_eq!(bench.after(60_000).len(), 5);
    assert_eq!(
        bench.ask(Asker::Onion, client::get(GUEST, &ids, 60_000, false)),
        None,
        "what is closed counts no more"
    );
}

//= HUB-012
#[test]
fn requests_beyond_a_commit_and_connections_beyond_the_table_slow_down() {
    let mut config = config();
    config.max_pending = 2;
    config.max_connections = 2;
    let mut bench = Bench::with(config, MemoryStore::new(Keep::default()));
    for (connection, n) in [(1, 1), (2, 2), (1, 3)] {
        bench.submit(Asker::Direct(connection), put(MEMBER, &standard(n)));
    }
    let slow = outcome(PutOutcome::SlowDown);
    assert_eq!(bench.commit()[0], (AskId(3), slow.clone()));
    assert_eq!(bench.ask(Asker::Direct(3), put(MEMBER, &standard(3))), Some(slow));
    bench.hub.disconnect(1);
    assert_eq!(
        bench.ask(Asker::Direct(3), put(MEMBER, &standard(3))),
        Some(outcome(PutOutcome::Stored))
    );
}

//= HUB-013
#[test]
fn every_answer_bears_the_boot_id() {
    let mut bench = Bench::new();
    bench.submit(Asker::Onion, client::echo(MEMBER));
    bench.submit(Asker::Onion, client::echo(AccessKey::new([0; 16])));
    assert_eq!(bench.commit().len(), 2, "the bench compares the boot id of each");
}

//= HUB-016
#[test]
fn a_gone_connection_leaves_nothing_open_and_its_puts_are_done() {
    let mut bench = Bench::new();
    let content = standard(1);
    let open = bench.submit(Asker::Direct(1), get(&[content.id()], 9_000, false));
    let other = bench.submit(Asker::Direct(2), get(&[content.id()], 9_000, false));
    bench.commit();
    let held = bench.submit(Asker::Direct(1), get(&[content.id()], 9_000, true));
    let put = bench.submit(Asker::Direct(1), put(MEMBER, &content));
    bench.hub.disconnect(1);
    let nothing = boxes(&[]);
    let answers = bench.commit();
    let stored = outcome(PutOutcome::Stored);
    assert_eq!(
        answers,
        [(open, nothing.clone()), (held, nothing), (put, stored), (other, boxes(&[&content]))]
    );
    assert_eq!(bench.hub.open_gets(), 0);
}

//= HUB-016
#[test]
fn a_connection_that_goes_between_commit_and_poll_leaves_nothing_open() {
    let mut bench = Bench::new();
    let open = bench.submit(Asker::Direct(1), get(&[standard(1).id()], 9_000, false));
    bench.hub.commit(bench.now, &mut bench.rng).unwrap();
    bench.hub.disconnect(1);
    assert_eq!(bench.poll_all(), [(open, boxes(&[]))]);
    assert_eq!(bench.hub.open_gets(), 0);
}

/// What may happen at a hub.
#[derive(Debug, Clone)]
enum Step {
    Put { who: u64, n: u64, fill: u8 },
    Get { who: u64, ids: Vec<u64>, deadline_ms: u32, hold: bool },
    Commit,
    Pass(u64),
    Gone(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let ids = proptest::collection::vec(0..6u64, 1..5);
    prop_oneof![
        (0..4u64, 0..6u64, 1..3u8).prop_map(|(who, n, fill)| Step::Put { who, n, fill }),
        (0..4u64, ids, 0..3_000u32, any::<bool>())
            .prop_map(|(who, ids, deadline_ms, hold)| Step::Get { who, ids, deadline_ms, hold }),
        Just(Step::Commit),
        (0..2_000u64).prop_map(Step::Pass),
        (1..4u64).prop_map(Step::Gone),
    ]
}

fn who(n: u64) -> Asker {
    if n == 0 { Asker::Onion } else { Asker::Direct(n) }
}

/// What each open request asked for.
struct Expected {
    ids: BTreeSet<u64>,
    due: Timestamp,
    hold: bool,
    gone: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    //= HUB-005
    #[test]
    fn whatever_happens_each_request_is_answered_once_and_in_time(steps in proptest::collection::vec(step(), 1..60)) {
        let samples: Vec<Vec<VerifiedBox>> =
            (0..6).map(|n| vec![sealed(n, 1, 2032), sealed(n, 2, 2032)]).collect();
        let number: BTreeMap<BoxId, u64> = (0..6).map(|n: u64| (samples[usize::try_from(n).unwrap()][0].id(), n)).collect();
        let mut bench = Bench::new();
        let mut open: BTreeMap<AskId, Expected> = BTreeMap::new();
        let mut puts: BTreeSet<AskId> = BTreeSet::new();
        let mut stored: BTreeSet<u64> = BTreeSet::new();
        for step in steps.into_iter().chain([Step::Commit, Step::Pass(3_000)]) {
            let answers = match step {
                Step::Put { who: w, n, fill } => {
                    let content = &samples[usize::try_from(n).unwrap()][usize::from(fill - 1)];
                    let ask = bench.submit(who(w), put(MEMBER, content));
                    puts.insert(ask);
                    vec![]
                }
                Step::Get { who: w, ids, deadline_ms, hold } => {
                    let wanted: Vec<BoxId> = ids.iter().map(|n| samples[usize::try_from(*n).unwrap()][0].id()).collect();
                    let ask = bench.submit(who(w), get(&wanted, deadline_ms, hold));
                    let due = bench.now.plus_millis(u64::from(deadline_ms));
                    open.insert(ask, Expected { ids: ids.into_iter().collect(), due, hold, gone: false });
                    vec![]
                }
                Step::Commit => bench.commit(),
                Step::Pass(ms) => bench.after(ms),
                Step::Gone(connection) => {
                    bench.hub.disconnect(connection);
                    let answers = bench.poll_all();
                    for (ask, _) in &answers {
                        if let Some(expected) = open.get_mut(ask) {
                            expected.gone = true;
                        }
                    }
                    answers
                }
            };
            for (ask, answer) in answers {
                match answer {
                    Answer::Put(outcome) => {
                        prop_assert!(puts.remove(&ask), "an answer to nothing");
                        prop_assert!(matches!(outcome, PutOutcome::Stored | PutOutcome::Same | PutOutcome::Taken));
                    }
                    Answer::Boxes(found) => {
                        let expected = open.remove(&ask);
                        prop_assert!(expected.is_some(), "an answer to nothing");
                        let expected = expected.unwrap();
                        let found: BTreeSet<u64> = found.iter().map(|b| number[&BoxId::new(b.id)]).collect();
                        prop_assert!(found.is_subset(&expected.ids));
                        stored.extend(&found);
                        let due = bench.now >= expected.due;
                        prop_assert!(expected.gone || due || (!expected.hold && !found.is_empty()), "answered too early");
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            if bench.hub.deadline() != Some(Timestamp::ZERO) {
                prop_assert_eq!(bench.hub.open_gets(), open.len());
                for expected in open.values() {
                    prop_assert!(expected.hold || expected.ids.is_disjoint(&stored), "a box is there and nobody was told");
                }
            }
        }
        prop_assert!(puts.is_empty() && open.is_empty(), "somebody was never answered");
    }
}
