//! Schedules of honest and hostile acts, drawn at random and shrunk when one breaks a rule.
//!
//! alice (who created the group), bob and carol are honest; mallory is a member, and later one who
//! was removed, with a program that does anything. Hub and clock play along with her. Then the
//! attack stops, and the three have to understand each other again.
//!
//! Few schedules are played, always the same, unless the environment says otherwise:
//!
//! ```text
//! HOSTILE_CASES=2000 HOSTILE_SEED=7 cargo test -p messenger --release schedules -- --nocapture
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use e2ee::id::{ConversationId, MemberId, MessageId, TransferId};
use e2ee::mls::Changes;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use streams::{ReadCapability, WriteCapability};

use super::world::*;
use crate::body::{AckEntry, Body, FileOffer};
use crate::event::Event;
use crate::messenger::Messenger;

const DAY: u64 = 86_400_000;
const HONEST: usize = 3;

/// What happens next. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Act {
    Say(usize),
    Whisper(usize),
    Pass(u64),
    Restart(usize),
    Toggle(usize),
    Rename(usize),
    Refresh(usize),
    Restore(usize),
    RemoveMallory,
    MallorySays,
    Commit(u8),
    Decision(u64),
    Junk(usize),
    Acks(u64, u64, Vec<u64>),
    Heads(u64, u64),
    RescueBytes(u64, Vec<u8>),
    Welcome(usize, u8),
    Anything(u8, u64),
    Hide(usize),
    Lie(bool),
    Replay,
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..HONEST;
    let number =
        prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(1 << 63), any::<u64>(), 0..20_u64];
    let bytes = prop::collection::vec(any::<u8>(), 0..64);
    let times =
        prop_oneof![4 => 1..60_000_u64, 2 => Just(3_600_000), 1 => Just(DAY), 1 => Just(3 * DAY)];
    prop_oneof![
        8 => who.clone().prop_map(Act::Say),
        3 => who.clone().prop_map(Act::Whisper),
        8 => times.prop_map(Act::Pass),
        2 => who.clone().prop_map(Act::Restart),
        2 => who.clone().prop_map(Act::Toggle),
        1 => who.clone().prop_map(Act::Rename),
        1 => who.clone().prop_map(Act::Refresh),
        1 => who.clone().prop_map(Act::Restore),
        1 => Just(Act::RemoveMallory),
        2 => Just(Act::MallorySays),
        2 => any::<u8>().prop_map(Act::Commit),
        1 => number.clone().prop_map(Act::Decision),
        1 => (0..4_usize).prop_map(Act::Junk),
        2 => (number.clone(), number.clone(), prop::collection::vec(number.clone(), 0..8))
            .prop_map(|(e, c, h)| Act::Acks(e, c, h)),
        2 => (0..6_u64, number.clone()).prop_map(|(n, e)| Act::Heads(n, e)),
        2 => (0..6_u64, bytes).prop_map(|(n, b)| Act::RescueBytes(n, b)),
        2 => (who, any::<u8>()).prop_map(|(w, k)| Act::Welcome(w, k)),
        4 => (any::<u8>(), number).prop_map(|(k, n)| Act::Anything(k, n)),
        1 => (0..8_usize).prop_map(Act::Hide),
        1 => any::<bool>().prop_map(Act::Lie),
        1 => Just(Act::Replay),
    ]
}

/// The people, their ids of the group, and what was said.
struct Stage {
    world: World,
    people: [Who; 4],
    ids: [ConversationId; 4],
    /// alice's chat with bob, at both ends.
    chat: [ConversationId; 2],
    members: [MemberId; 4],
    said: BTreeMap<usize, Vec<String>>,
    /// Texts of the group that mallory must not hear.
    secret: Vec<String>,
    whispers: [Vec<String>; 2],
    removed: bool,
    /// Who is restored from backups.
    restored: Option<usize>,
    count: usize,
    old: Vec<streams::SealedBox>,
}

impl Stage {
    fn new() -> Self {
        let mut world = World::new();
        world.hubs[0].keep_ms = Some(14 * DAY);
        let people = ["alice", "bob", "carol", "mallory"].map(|n| world.person(n));
        let ids: [ConversationId; 4] = world.group("friends", &people).try_into().unwrap();
        world.pass(60_000);
        let direct = |world: &mut World, who: Who, name: &str| {
            let p = world.of(who);
            let all = p.messenger.overview(&p.store).unwrap();
            all.into_iter().find(|c| c.direct && c.given == name).unwrap().id
        };
        // All three have compared words with alice, and she with them.
        for (n, name) in [(1, "bob"), (2, "carol")] {
            for (who, other) in [(people[0], name), (people[n], "alice")] {
                let id = direct(&mut world, who, other);
                let words = world.of(who).messenger.safety_words(id).unwrap();
                world.does(who, |m, s| m.set_verified(s, id, Some(&words)));
            }
        }
        let chat = [direct(&mut world, people[0], "bob"), direct(&mut world, people[1], "alice")];
        let members = std::array::from_fn(|n| {
            let p = world.of(people[n]);
            let all = p.messenger.participants(&p.store, ids[n]).unwrap();
            all.into_iter().find(|m| m.me).unwrap().id
        });
        Stage {
            world,
            people,
            ids,
            chat,
            members,
            said: BTreeMap::new(),
            secret: Vec::new(),
            whispers: Default::default(),
            removed: false,
            restored: None,
            count: 0,
            old: Vec::new(),
        }
    }

    fn text(&mut self) -> String {
        self.count += 1;
        format!("message {}", self.count)
    }

    fn by_mallory(&mut self, f: impl FnOnce(&mut Messenger, &mut crate::messenger::Step<'_>)) {
        self.world.does(self.people[3], |m, s| {
            f(m, s);
            Ok(())
        });
    }

    fn put(&mut self, boxes: Vec<streams::SealedBox>) {
        for sealed in boxes {
            // A hub in league with her takes it; each place still has one box.
            self.world.hubs[0].boxes.entry(sealed.id).or_insert(sealed);
        }
    }

    fn honest(&mut self, act: &Act) {
        let (people, ids) = (self.people, self.ids);
        match act {
            Act::Say(n) => {
                let text = self.text();
                if self.world.tries(people[*n], |m, s| m.say(s, ids[*n], &text, None)).is_ok() {
                    self.said.entry(*n).or_default().push(text.clone());
                    if self.removed {
                        self.secret.push(text);
                    }
                }
            }
            Act::Whisper(n) => {
                let (n, text) = (*n % 2, self.text());
                let id = self.chat[n];
                if self.world.tries(people[n], |m, s| m.say(s, id, &text, None)).is_ok() {
                    self.whispers[n].push(text);
                }
            }
            Act::Pass(ms) => self.world.pass(*ms),
            Act::Restart(n) => self.world.restart(people[*n]),
            Act::Toggle(n) => {
                let person = self.world.of(people[*n]);
                person.online = !person.online;
            }
            Act::Rename(n) => {
                let title = self.text();
                let _ = self.world.tries(people[*n], |m, s| m.rename_group(s, ids[*n], &title));
            }
            Act::Refresh(n) => {
                let _ = self.world.tries(people[*n], |m, s| m.refresh(s, ids[*n]));
            }
            Act::Restore(n) => {
                // Always the same: if both ends of a chat lose their place, nobody is left to add
                // them again.
                let n = *self.restored.get_or_insert(*n);
                let backup = self.world.of(people[n]).store.backup();
                self.world.restore(people[n], &backup);
            }
            Act::RemoveMallory => {
                let mallory = self.members[3];
                let gone = self.world.tries(people[0], |m, s| m.remove_member(s, ids[0], mallory));
                if gone.is_ok() {
                    self.world.pass(60_000);
                    let p = self.world.of(people[0]);
                    let all = p.messenger.participants(&p.store, ids[0]).unwrap();
                    self.removed |= all.iter().all(|m| m.id != mallory);
                }
            }
            _ => {}
        }
    }

    fn hostile(&mut self, act: &Act) {
        let (id, members) = (self.ids[3], self.members);
        match act {
            Act::MallorySays => {
                let text = self.text();
                let _ = self.world.tries(self.people[3], |m, s| m.say(s, id, &text, None));
            }
            Act::Commit(kind) => {
                let victim = members[usize::from(*kind) % HONEST];
                let kind = *kind;
                self.by_mallory(|m, s| {
                    m.hostile(s, id, |c, cx| {
                        let Some(leaf) = c.leaf_of(victim) else { return };
                        let posing = || vec![leaf];
                        let changes = match kind % 4 {
                            0 => {
                                let add = vec![c.posing_as(cx, victim)];
                                Changes { add, remove: posing(), ..Changes::default() }
                            }
                            1 => {
                                let add = vec![c.posing_as(cx, victim)];
                                Changes { add, ..Changes::default() }
                            }
                            2 => Changes { refresh: true, ..Changes::default() },
                            _ => {
                                let mut charter = c.charter().unwrap();
                                charter.creator = victim;
                                Changes { charter: Some(charter), ..Changes::default() }
                            }
                        };
                        c.hostile_commit(cx, &changes);
                    });
                });
            }
            Act::Decision(counter) => {
                let stream = WriteCapability::from_seed(&[5; 32]);
                let mut index = *stream.index().to_bytes();
                index[..8].copy_from_slice(&counter.to_le_bytes());
                let index = streams::Index::from_kept(&index);
                let body = ReadCapability::from_parts(stream.root_public(), index).unwrap();
                let made = self.world.does(self.people[3], |m, s| {
                    Ok(m.hostile(s, id, |c, _| c.hostile_decision(&body)))
                });
                // One with a sound stream would stall the group for good, as it may (GROUP-007).
                self.put(made.into_iter().filter(|_| *counter >= 1 << 63).collect());
            }
            Act::Junk(n) => {
                let junk = self.world.of(self.people[3]).messenger.deciding_junk(id, *n);
                self.put(junk);
            }
            Act::Acks(epoch, count, holes) => {
                let entry = |n: usize| AckEntry {
                    author: members[n],
                    epoch: *epoch,
                    count: *count,
                    holes: holes.clone(),
                };
                let entries = (0..HONEST).map(entry).collect();
                self.says(Body::Ack { entries, show: true });
            }
            Act::Heads(n, epoch) => {
                let (n, epoch) = (*n, *epoch);
                let boxes = self.world.does(self.people[3], |m, s| {
                    Ok(m.hostile(s, id, |c, cx| c.hostile_head(cx, n, epoch)))
                });
                self.put(boxes);
            }
            Act::RescueBytes(n, bytes) => {
                let boxes = self.world.does(self.people[3], |m, s| {
                    Ok(m.hostile(s, id, |c, cx| c.hostile_rescue_bytes(cx, *n, bytes)))
                });
                self.put(boxes);
            }
            Act::Welcome(victim, kind) => self.welcome(*victim, *kind),
            Act::Anything(kind, number) => self.anything(*kind, *number),
            Act::Hide(n) => {
                let hub = &mut self.world.hubs[0];
                let newest = hub.log.iter().rev().take(*n).copied().collect::<Vec<_>>();
                hub.hidden.extend(newest);
            }
            Act::Lie(on) => self.world.hubs[0].lies_taken = *on,
            Act::Replay => {
                // What the hub had forgotten is there again.
                let all: Vec<_> = self.world.hubs[0].boxes.values().cloned().collect();
                let old = std::mem::replace(&mut self.old, all);
                self.put(old);
            }
            _ => {}
        }
    }

    /// Whoever asks to be added again gets an answer from mallory.
    fn welcome(&mut self, victim: usize, kind: u8) {
        let (theirs, id) = (self.ids[victim], self.ids[3]);
        let asked = self
            .world
            .does(self.people[victim], |m, s| Ok(m.hostile(s, theirs, |c, _| c.asked_with())));
        let Some(package) = asked else { return };
        let member = self.members[victim];
        let boxes = self.world.does(self.people[3], |m, s| {
            Ok(m.hostile(s, id, |c, cx| {
                let mut fake = c
                    .look_alike(|charter| match kind % 3 {
                        0 => {}
                        1 => charter.floor = e2ee::Floor::Tor,
                        _ => charter.creator = member,
                    })
                    .unwrap();
                let welcome = fake.welcome(&package).unwrap();
                c.hostile_welcome(cx, member, welcome)
            }))
        });
        self.put(boxes);
    }

    fn says(&mut self, body: Body) {
        let id = self.ids[3];
        self.by_mallory(|m, s| m.hostile(s, id, |c, cx| c.hostile_body(cx, body)));
    }

    fn anything(&mut self, kind: u8, number: u64) {
        let target = MessageId::new(number.to_be_bytes().repeat(2).try_into().unwrap());
        let text = "\u{202e}x".repeat(usize::try_from(number % 64).unwrap());
        let token = target;
        let body = match kind % 10 {
            0 => Body::Edit { target, text },
            1 => Body::Delete { target },
            2 => Body::React { target, emoji: text, add: true },
            // Not a short time: everything would be gone before it can be looked at.
            3 => Body::Timer { seconds: if number.is_multiple_of(2) { 0 } else { u32::MAX } },
            4 => Body::Seen { ids: vec![target; 16] },
            5 => Body::Invite { token, title: text, members: u32::MAX },
            6 => Body::Welcome { token, welcome: text.into_bytes() },
            7 => Body::Accept { token, key_package: Some(text.into_bytes()) },
            8 => Body::Text { text, reply_to: Some(target), ttl: Some(u32::MAX) },
            _ => Body::File {
                offer: FileOffer {
                    transfer: TransferId::new([7; 16]),
                    name: format!("../{text}"),
                    size: number,
                    sha256: [0; 32].into(),
                    stream: vec![0xff; 136],
                },
                ttl: None,
            },
        };
        self.says(body);
    }

    /// Texts of the honest that this one heard, by author, in order.
    fn heard(&mut self, who: usize, by: usize) -> Vec<String> {
        let (theirs, author) = (self.ids[who], self.members[by]);
        let all = self.world.history(self.people[who], theirs).into_iter();
        all.filter(|m| m.message.author == crate::store::Author::Member(author))
            .filter(|m| m.message.kind == crate::store::Kind::Text)
            .map(|m| m.message.text)
            .collect()
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        for who in 0..HONEST {
            for by in (0..HONEST).filter(|by| *by != who) {
                let heard = self.heard(who, by);
                let said = self.said.get(&by).cloned().unwrap_or_default();
                let mut rest = said.iter();
                let in_order = heard.iter().all(|text| rest.any(|s| s == text));
                prop_assert!(in_order, "{who} heard {heard:?} of {by}, who said {said:?}");
            }
        }
        let overheard: Vec<_> = (0..HONEST).flat_map(|by| self.heard(3, by)).collect();
        let leaked = self.secret.iter().find(|text| overheard.contains(text));
        prop_assert!(leaked.is_none(), "mallory heard {leaked:?}");
        let p = self.world.of(self.people[0]);
        let verified = p.messenger.overview(&p.store).unwrap();
        let verified = verified.into_iter().find(|c| c.id == self.chat[0]).unwrap().verified;
        if verified
            && let (Ok(a), Ok(b)) = (
                self.world.of(self.people[0]).messenger.safety_words(self.chat[0]),
                self.world.of(self.people[1]).messenger.safety_words(self.chat[1]),
            )
        {
            prop_assert_eq!(a, b, "verified, with other words");
        }
        Ok(())
    }

    /// The attack stops: the hub is honest again, and everybody is there.
    fn recover(&mut self) -> Result<(), TestCaseError> {
        let hub = &mut self.world.hubs[0];
        hub.lies_taken = false;
        hub.hidden.clear();
        for n in 0..HONEST {
            self.world.of(self.people[n]).online = true;
        }
        self.world.pass(4 * DAY);
        for n in 0..2 {
            let id = self.chat[n];
            let _ = self.world.tries(self.people[n], |m, s| m.accept_keys(s, id));
        }
        self.honest(&Act::RemoveMallory);
        self.world.pass(4 * DAY);
        let stalled = (0..HONEST).any(|n| {
            let events = &self.world.of(self.people[n]).events;
            events.iter().any(|e| matches!(e, Event::HeldUp { .. }))
        });
        for n in 0..2 {
            self.honest(&Act::Whisper(n));
        }
        for n in (0..HONEST).filter(|_| !stalled) {
            self.honest(&Act::Say(n));
        }
        self.world.pass(DAY);
        self.check()?;
        for n in 0..2 {
            let heard = self.world.heard(self.people[1 - n], self.chat[1 - n]);
            let last = self.whispers[n].last().cloned();
            let told = self.world.notices(self.people[1 - n], self.chat[1 - n]);
            prop_assert!(heard.last() == last.as_ref(), "{n}: {heard:?}, not {last:?}: {told:?}");
        }
        for (n, other) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            let heard = self.heard(other, n);
            let last = self.said.get(&n).and_then(|said| said.last().cloned());
            let told = self.world.notices(self.people[other], self.ids[other]);
            prop_assert!(
                stalled || heard.last() == last.as_ref(),
                "{other} does not hear {n}: {heard:?}, not {last:?}: {told:?}"
            );
        }
        Ok(())
    }
}

fn play(acts: &[Act]) -> Result<(), TestCaseError> {
    let mut stage = Stage::new();
    let trace = given("HOSTILE_TRACE").is_some();
    for act in acts {
        if trace {
            println!("{act:?}");
        }
        stage.honest(act);
        stage.hostile(act);
    }
    stage.check()?;
    stage.recover()?;
    let played = PLAYED.fetch_add(1, Ordering::Relaxed) + 1;
    let steps = STEPS.fetch_add(stage.world.steps, Ordering::Relaxed) + stage.world.steps;
    if played.is_multiple_of(10) {
        println!("{played} schedules, {steps} steps");
    }
    Ok(())
}

static PLAYED: AtomicU64 = AtomicU64::new(0);
static STEPS: AtomicU64 = AtomicU64::new(0);

/// A number from the environment.
#[allow(clippy::disallowed_methods, reason = "a test takes its length and seed from outside")]
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: given("HOSTILE_CASES").and_then(|n| n.try_into().ok()).unwrap_or(2),
        rng_seed: RngSeed::Fixed(given("HOSTILE_SEED").unwrap_or(1)),
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    //= GROUP-018
    //= DIRECT-027
    #[test]
    fn whatever_one_member_and_the_hub_do_the_others_stay_who_they_are(
        acts in prop::collection::vec(act(), 1..30),
    ) {
        play(&acts)?;
    }
}

#[test]
fn a_commit_that_somebody_elses_decision_holds_up_keeps_no_processor_busy() {
    // Found by the schedules: it was due for ever.
    let acts = [
        Act::Anything(0, 160_902_254_518_079),
        Act::Lie(true),
        Act::Commit(224),
        Act::MallorySays,
        Act::Refresh(2),
        Act::Pass(3_600_000),
        Act::Commit(129),
    ];
    play(&acts).unwrap();
}

//= GROUP-008
//= GROUP-017
#[test]
fn what_somebody_says_before_a_day_offline_comes_before_what_they_say_after_it() {
    // Found by the schedules.
    play(&[Act::Refresh(2), Act::Say(2), Act::Toggle(2), Act::Pass(DAY), Act::Say(2)]).unwrap();
}
