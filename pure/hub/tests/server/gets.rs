//! Getting boxes: when a `get` is answered, with what, and on which route.

use hub::server::{Asker, MAX_RESPONSE_BYTES};
use hub::{client, to_wire};
use streams::{BoxId, VerifiedBox};
use wire::Timestamp;
use wire::hub::{Answer, Operation, PutOutcome, Refusal, Request, Response};
use wire::id::AccessKey;

use super::bench::*;

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
