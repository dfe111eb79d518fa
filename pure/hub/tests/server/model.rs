//! Anything at all happens to a hub, and a plain model agrees with it.

use std::collections::{BTreeMap, BTreeSet};

use hub::server::{AskId, Asker};
use proptest::prelude::*;
use streams::{BoxId, VerifiedBox};
use wire::Timestamp;
use wire::hub::{Answer, PutOutcome};

use super::bench::*;

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
