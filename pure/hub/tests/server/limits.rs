//! Bounds: what is over one is told so, and others go on.

use hub::server::{AskId, Asker, ConnectionLimits};
use hub::store::{Keep, MemoryStore};
use hub::{ClassLimits, client};
use streams::BoxId;
use wire::hub::{Answer, PutOutcome, Refusal};

use super::bench::*;

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
        ..ConnectionLimits::default()
    };
    let mut bench = Bench::with(config, MemoryStore::new(Keep::default()));
    let mut count = 0;
    let mut slow = |bench: &mut Bench<MemoryStore>, connection| {
        (0..30)
            .filter(|_| {
                count += 1;
                bench.ask(Asker::Direct(connection), put(MEMBER, &standard(count)))
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
    let mut accepted = 0;
    for n in 0..40u64 {
        let asker = if n % 2 == 0 { Asker::Onion } else { Asker::Direct(n) };
        accepted += usize::from(
            bench.ask(asker, put(GUEST, &standard(n))) != Some(outcome(PutOutcome::SlowDown)),
        );
    }
    assert_eq!(accepted, 20);
    assert_eq!(bench.put(MEMBER, &standard(0)), outcome(PutOutcome::Same));
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

/// How many of the boxes that one link puts each second, for so many seconds, are stored while
/// others put whatever `attack` says 200 times a second each, at a hub that takes 100.
fn stored_beside(
    attackers: u64,
    access: wire::id::AccessKey,
    asker: Asker,
    attack: impl Fn(u64) -> wire::hub::Request,
) -> u64 {
    let mut config = config();
    config.keys.iter_mut().for_each(|(_, _, limits)| limits.puts_per_second = 100);
    let mut bench = Bench::with(config, MemoryStore::new(Keep::default()));
    let (seconds, mut count) = (10, 0);
    let mut stored = 0;
    for second in 0..seconds {
        for _ in 0..20 {
            bench.now = bench.now.plus_millis(50);
            for link in 0..attackers {
                for _ in 0..10 {
                    count += 1;
                    bench.submit(Asker::Direct(1_000 + link), attack(count));
                }
            }
            bench.commit();
        }
        let answer = bench.ask(asker, put(access, &standard(1_000_000 + second)));
        stored += u64::from(answer == Some(outcome(PutOutcome::Stored)));
    }
    stored
}

//= HUB-028
#[test]
fn who_repeats_a_stored_box_silences_nobody() {
    let again = standard(1);
    for asker in [Asker::Direct(1), Asker::Onion] {
        assert!(stored_beside(16, MEMBER, asker, |_| put(MEMBER, &again)) >= 9);
        assert!(stored_beside(1, GUEST, asker, |_| put(GUEST, &again)) >= 9);
    }
}

//= HUB-028
#[test]
fn who_wants_all_of_a_rate_gets_an_equal_share() {
    for asker in [Asker::Direct(1), Asker::Onion] {
        assert!(stored_beside(8, GUEST, asker, |n| put(GUEST, &standard(n))) >= 9);
    }
}

//= HUB-012
#[test]
fn who_opens_gets_without_end_leaves_a_share_to_others() {
    let mut config = config();
    config.keys[1].2.max_watchers = 1_000;
    let mut bench = Bench::with(config, MemoryStore::new(Keep::default()));
    let mut ask = |link, n: u64| {
        let ids = [BoxId::new([u8::try_from(n % 256).unwrap(); 32])];
        bench.ask(Asker::Direct(link), client::get(GUEST, &ids, 60_000, false)).is_none()
    };
    let greedy = (0..2_000).filter(|n| ask(1 + n % 4, *n)).count();
    assert_eq!(greedy, 750, "the last quarter is for others");
    let modest = (0..100).filter(|n| ask(9, *n)).count();
    assert_eq!(modest, 50, "an equal part of it");
}
