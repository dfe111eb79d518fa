//! Members, people who were removed, inviters and hubs that do anything that their keys let them
//! do. Each story is one attack; `schedules` draws many at once.

use e2ee::id::{ConversationId, MemberId};
use e2ee::invite::{CONTEXT, Offer};
use e2ee::mls::{Changes, MemberSecret, Mls, key_package};
use e2ee::{Floor, Invite, Nick};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use streams::{Index, ReadCapability, SealedBox, Sizes, WriteCapability};

use super::world::*;
use crate::body::{AckEntry, Body};
use crate::context::MlsSpace;
use crate::event::Event;
use crate::invite::InviteState;
use crate::parts::split;
use crate::sealed::seal_all;
use crate::store::memory::MemoryStore;
use crate::store::{Space, State, Store};

const DAY: u64 = 86_400_000;

/// alice, bob and mallory in alice's group, and their ids of it.
fn friends(world: &mut World) -> ([Who; 3], [ConversationId; 3]) {
    let people = ["alice", "bob", "mallory"].map(|n| world.person(n));
    let ids = world.group("friends", &people).try_into().unwrap();
    world.pass(60_000);
    (people, ids)
}

fn member(world: &mut World, of: Who, id: ConversationId, name: &str) -> MemberId {
    let p = world.of(of);
    let all = p.messenger.participants(&p.store, id).unwrap();
    all.into_iter().find(|m| m.name == name).unwrap().id
}

fn me(world: &mut World, of: Who, id: ConversationId) -> MemberId {
    let p = world.of(of);
    let all = p.messenger.participants(&p.store, id).unwrap();
    all.into_iter().find(|m| m.me).unwrap().id
}

fn put(world: &mut World, boxes: impl IntoIterator<Item = SealedBox>) {
    for sealed in boxes {
        world.hubs[0].boxes.insert(sealed.id, sealed);
    }
}

fn is_lost(world: &mut World, who: Who, id: ConversationId) -> bool {
    world.does(who, |m, s| Ok(m.hostile(s, id, |c, _| c.is_lost())))
}

/// Both can still talk with each other.
fn they_talk(world: &mut World, people: [Who; 2], ids: [ConversationId; 2], text: &str) {
    world.say(people[0], ids[0], &format!("{text}, there"));
    world.pass(60_000);
    world.say(people[1], ids[1], &format!("{text}, back"));
    world.pass(60_000);
    assert_eq!(world.heard(people[1], ids[1]).last().unwrap(), &format!("{text}, there"));
    assert_eq!(world.heard(people[0], ids[0]).last().unwrap(), &format!("{text}, back"));
}

/// bob is away for two weeks, in which mallory is removed; at his return he asks to be added again,
/// and alice is away. Gives what mallory's profile holds of the group.
fn bob_lost_his_place(world: &mut World) -> ([Who; 3], [ConversationId; 3]) {
    let (people, ids) = friends(world);
    let [alice, bob, _] = people;
    world.of(bob).online = false;
    let mallory_id = member(world, alice, ids[0], "mallory");
    world.does(alice, |m, s| m.remove_member(s, ids[0], mallory_id));
    world.pass(14 * DAY);
    world.of(alice).online = false;
    world.of(bob).online = true;
    world.pass(60_000);
    assert!(is_lost(world, bob, ids[1]));
    (people, ids)
}

//= GROUP-012
#[test]
fn a_removed_member_takes_in_nobody_who_lost_their_place() {
    let mut world = World::new();
    let ([alice, bob, mallory], ids) = bob_lost_his_place(&mut world);
    world.say(bob, ids[1], "for alice's eyes");
    let bob_id = me(&mut world, bob, ids[1]);
    let package = world.does(bob, |m, s| Ok(m.hostile(s, ids[1], |c, _| c.asked_with()))).unwrap();
    let mut fake =
        world.does(mallory, |m, s| Ok(m.hostile(s, ids[2], |c, _| c.look_alike(|_| ()).unwrap())));
    let welcome = fake.welcome(&package).unwrap();
    let boxes = world.does(mallory, |m, s| {
        Ok(m.hostile(s, ids[2], |c, cx| c.hostile_welcome(cx, bob_id, welcome)))
    });
    put(&mut world, boxes);
    world.pass(DAY);
    assert!(is_lost(&mut world, bob, ids[1]), "bob waits for somebody whom he can believe");
    // alice comes back, and takes bob in; the message reaches her and nobody else.
    world.of(alice).online = true;
    world.pass(2 * DAY);
    assert!(!is_lost(&mut world, bob, ids[1]));
    they_talk(&mut world, [alice, bob], [ids[0], ids[1]], "we two");
    assert!(world.heard(alice, ids[0]).contains(&"for alice's eyes".to_owned()));
    assert!(world.heard(mallory, ids[2]).is_empty());
}

//= GROUP-012
//= GROUP-018
#[test]
fn a_group_that_only_looks_like_ours_is_not_ours_whoever_welcomes_us() {
    // Even the creator's word must lead into the same group: the same charter, and behind every id
    // the person who was there. Here mallory has stolen alice's device and its keys.
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, bob, _] = people;
    world.of(bob).online = false;
    world.pass(14 * DAY);
    world.of(alice).online = false;
    world.of(bob).online = true;
    world.pass(60_000);
    let bob_id = me(&mut world, bob, ids[1]);
    let package = world.does(bob, |m, s| Ok(m.hostile(s, ids[1], |c, _| c.asked_with()))).unwrap();
    type Change = fn(&mut e2ee::mls::Charter);
    let changes: [Change; 4] = [
        |c| c.floor = Floor::Tor,
        |c| c.place.hub = wire::NodeId::new([9; 32]),
        |c| c.creator = MemberId::new([9; 16]),
        |c| c.root = e2ee::Secret::new([9; 32]),
    ];
    for change in changes {
        let mut fake = world
            .does(alice, |m, s| Ok(m.hostile(s, ids[0], |c, _| c.look_alike(change).unwrap())));
        let welcome = fake.welcome(&package).unwrap();
        let boxes = world.does(alice, |m, s| {
            Ok(m.hostile(s, ids[0], |c, cx| c.hostile_welcome(cx, bob_id, welcome)))
        });
        put(&mut world, boxes);
        world.pass(DAY);
        assert!(is_lost(&mut world, bob, ids[1]));
    }
}

//= GROUP-011
#[test]
fn a_hub_that_says_taken_and_shows_nothing_costs_nobody_their_place() {
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, bob, _] = people;
    world.hubs[0].lies_taken = true;
    let said = world.say(bob, ids[1], "hello");
    world.pass(60_000);
    assert!(!is_lost(&mut world, bob, ids[1]));
    assert_eq!(world.state(bob, ids[1], said), State::Sent);
    assert!(world.hubs[0].puts < 10_000, "and it is not asked without end");
    world.hubs[0].lies_taken = false;
    world.pass(60_000);
    assert_eq!(world.heard(alice, ids[0]), ["hello"]);
}

//= GROUP-018
#[test]
fn nobody_takes_over_the_name_and_marks_of_another_member() {
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, bob, mallory] = people;
    let bob_id = member(&mut world, mallory, ids[2], "bob");
    let before = world.does(alice, |m, s| Ok(m.hostile(s, ids[0], |c, _| c.keys_of(bob_id))));
    world.does(mallory, |m, s| {
        m.hostile(s, ids[2], |c, cx| {
            let add = vec![c.posing_as(cx, bob_id)];
            let remove = vec![c.leaf_of(bob_id).unwrap()];
            c.hostile_commit(cx, &Changes { add, remove, ..Changes::default() });
        });
        Ok(())
    });
    world.pass(900_000);
    let after = world.does(alice, |m, s| Ok(m.hostile(s, ids[0], |c, _| c.keys_of(bob_id))));
    assert_eq!(before, after);
    for (who, id) in [(alice, ids[0]), (bob, ids[1])] {
        let told = world.notices(who, id);
        assert!(told.iter().any(|n| n.contains("held up by mallory")), "{told:?}");
        assert!(!told.iter().any(|n| n.contains("added again")), "{told:?}");
    }
    // Nothing that is said from now on is for mallory's keys under bob's name.
    world.say(alice, ids[0], "bob, are you there?");
    world.pass(60_000);
    assert_eq!(world.heard(bob, ids[1]), ["bob, are you there?"]);
}

//= GROUP-019
#[test]
fn a_welcome_of_a_contact_replaces_no_group_that_is_here() {
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, bob, mallory] = people;
    // mallory and bob are contacts, too; she invites him into "another" group.
    let (there, _) = world.befriend(mallory, bob);
    let bait = world.does(mallory, |m, s| m.create_group(s, &place(), Floor::Anywhere, "bait"));
    world.does(mallory, |m, s| m.invite_to_group(s, bait, there));
    world.settle();
    let p = world.of(bob);
    let (token, ..) = p.messenger.group_invites(&p.store).unwrap()[0].clone();
    // What bob's program answers goes to mallory, who makes a welcome into a look-alike with it.
    world.of(mallory).online = false;
    world.does(bob, |m, s| m.answer_group_invite(s, token, true));
    let theirs = world.ids(bob);
    let package = theirs
        .into_iter()
        .find_map(|id| world.does(bob, |m, s| Ok(m.hostile(s, id, |c, _| c.accepted_with()))))
        .unwrap();
    let mut fake =
        world.does(mallory, |m, s| Ok(m.hostile(s, ids[2], |c, _| c.look_alike(|_| ()).unwrap())));
    let welcome = fake.welcome(&package).unwrap();
    world.does(mallory, |m, s| {
        m.hostile(s, there, |c, cx| c.hostile_body(cx, Body::Welcome { token, welcome }));
        Ok(())
    });
    world.of(mallory).online = true;
    world.pass(60_000);
    they_talk(&mut world, [alice, bob], [ids[0], ids[1]], "as before");
    world.restart(bob);
    they_talk(&mut world, [alice, bob], [ids[0], ids[1]], "after a restart");
}

//= BOX-012
//= GROUP-004
#[test]
fn a_decision_that_leads_to_a_stream_without_end_is_junk() {
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, bob, mallory] = people;
    let endless = |counter: u64| {
        let stream = WriteCapability::from_seed(&[5; 32]);
        let mut index = *stream.index().to_bytes();
        index[..8].copy_from_slice(&counter.to_le_bytes());
        ReadCapability::from_parts(stream.root_public(), Index::from_kept(&index)).unwrap()
    };
    for counter in [u64::MAX, u64::MAX - 7, u64::MAX - 8, 1 << 63] {
        let decision = world
            .does(mallory, |m, s| {
                Ok(m.hostile(s, ids[2], |c, _| c.hostile_decision(&endless(counter))))
            })
            .unwrap();
        put(&mut world, [decision]);
        world.pass(60_000);
        world.does(alice, |m, s| m.refresh(s, ids[0]));
        world.pass(60_000);
        they_talk(&mut world, [alice, bob], [ids[0], ids[1]], &format!("{counter}"));
    }
}

/// An invite whose inviter has a stream that ends after two boxes.
fn endless_invite(world: &mut World) -> Invite {
    let (mls, store) = (Mls::new().unwrap(), MemoryStore::default());
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let mut bytes = MemberSecret::random(&mut rng).to_bytes();
    // Id 16, signing key 32, root of the stream 64, counter.
    bytes[112..120].copy_from_slice(&(u64::MAX - 2).to_le_bytes());
    let secret = MemberSecret::from_bytes(&bytes).unwrap();
    let name = Nick::new("mallory").unwrap();
    let package = key_package(&mls, &MlsSpace(&store), &secret, name.clone()).unwrap();
    let offer = Offer::new(package, name, world.now.plus_millis(DAY), &mut rng);
    let invite = Invite::to(&offer, place(), Floor::Anywhere);
    let parts = split(&offer.to_bytes());
    let (boxes, _) = seal_all(invite.offer_stream(), CONTEXT, &parts, Sizes::Uniform).unwrap();
    put(world, boxes.iter().map(|sealed| sealed.to_box().unwrap()));
    invite
}

//= BOX-012
//= DIRECT-027
#[test]
fn an_invite_that_leads_to_a_stream_without_end_fails_and_every_acceptance_can_be_cancelled() {
    let mut world = World::new();
    let [alice, mallory] = ["alice", "mallory"].map(|n| world.person(n));
    let link = endless_invite(&mut world);
    world.accept(alice, &link);
    world.pass(60_000);
    let failed = |e: &Event| matches!(e, Event::InviteFailed { .. });
    assert!(world.of(alice).events.iter().any(failed));
    assert!(world.of(alice).messenger.invites().is_empty());
    // A link whose offer never comes.
    let link = world.invite(mallory);
    world.hubs[0].boxes.clear();
    world.accept(alice, &link);
    world.pass(60_000);
    let waiting = world.of(alice).messenger.invites();
    assert_eq!(waiting[0].state, InviteState::Accepting);
    world.does(alice, |m, s| m.revoke(s, waiting[0].id));
    assert!(world.of(alice).messenger.invites().is_empty());
    world.restart(alice);
    assert!(world.of(alice).messenger.invites().is_empty());
}

//= DIRECT-027
#[test]
fn a_damaged_conversation_is_put_aside_and_all_others_go_on() {
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, bob, _] = people;
    let direct = |world: &mut World, who: Who, name: &str| {
        let p = world.of(who);
        let all = p.messenger.overview(&p.store).unwrap();
        all.into_iter().find(|c| c.direct && c.given == name).unwrap().id
    };
    let (a, b) = (direct(&mut world, alice, "bob"), direct(&mut world, bob, "alice"));
    world.of(alice).store.put(Space::Conversation, ids[0].as_bytes(), b"rubbish").unwrap();
    world.restart(alice);
    let stopped = |world: &mut World| {
        let p = world.of(alice);
        let all = p.messenger.overview(&p.store).unwrap();
        all.into_iter().find(|c| c.id == ids[0]).unwrap().stopped
    };
    assert!(stopped(&mut world));
    they_talk(&mut world, [alice, bob], [a, b], "in our own chat");
    assert!(world.notices(alice, ids[0]).last().unwrap().starts_with("stopped:"));
    let refused = world.tries(alice, |m, s| m.say(s, ids[0], "hello?", None));
    assert!(matches!(refused, Err(crate::Error::Refused(_))));
    assert!(world.tries(alice, |m, s| m.resume(s, ids[0])).is_err());
    world.restart(alice);
    assert!(stopped(&mut world), "and stays so");
    world.does(alice, |m, s| m.forget(s, ids[0]));
    assert!(!world.ids(alice).contains(&ids[0]));
}

//= GROUP-012
//= GROUP-011
#[test]
fn a_profile_that_is_restored_again_and_again_writes_nowhere_twice() {
    let mut world = World::new();
    world.hubs[0].keep_ms = Some(14 * DAY);
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    let backup = world.of(bob).store.backup();
    for n in 0..3 {
        world.say(bob, b, &format!("before {n}"));
        world.pass(DAY);
        world.restore(bob, &backup);
        world.pass(3 * DAY);
        world.say(bob, b, &format!("after {n}"));
        world.pass(DAY);
        assert_eq!(world.heard(alice, a).last().unwrap(), &format!("after {n}"));
        // The hub has forgotten all of it by the next time.
        world.pass(16 * DAY);
    }
    assert!(world.hubs[0].reused.is_empty());
}

//= DIRECT-026
#[test]
fn nothing_leaves_for_new_keys_of_a_verified_contact_before_a_yes() {
    for compares in [true, false] {
        let mut world = World::new();
        let (alice, bob) = (world.person("alice"), world.person("bob"));
        let (a, b) = world.befriend(alice, bob);
        let words = world.of(alice).messenger.safety_words(a).unwrap();
        assert_eq!(words.split(' ').count(), 14);
        world.does(alice, |m, s| m.set_verified(s, a, Some(&words)));
        let backup = world.of(bob).store.backup();
        world.restore(bob, &backup);
        world.pass(2 * DAY);
        let told = world.notices(alice, a);
        assert!(told.iter().any(|n| n.starts_with("the safety words of bob have changed")));
        let said = world.say(alice, a, "is it you?");
        world.pass(60_000);
        assert!(world.heard(bob, b).is_empty());
        assert_eq!(world.state(alice, a, said), State::Queued);
        let why = world.of(alice).messenger.why(a, said).unwrap().unwrap();
        assert!(why.text.starts_with("the contact's keys have changed"));
        world.restart(alice);
        world.pass(60_000);
        assert!(world.heard(bob, b).is_empty());
        // The words that were compared before are not those of now.
        assert!(world.tries(alice, |m, s| m.set_verified(s, a, Some(&words))).is_err());
        if compares {
            let words = world.of(alice).messenger.safety_words(a).unwrap();
            world.does(alice, |m, s| m.set_verified(s, a, Some(&words)));
        } else {
            world.does(alice, |m, s| m.accept_keys(s, a));
        }
        world.pass(60_000);
        assert_eq!(world.heard(bob, b), ["is it you?"]);
        let p = world.of(alice);
        let all = p.messenger.overview(&p.store).unwrap();
        assert_eq!((all[0].verified, all[0].changed), (compares, false));
    }
}

//= DIRECT-028
#[test]
fn a_blocked_contact_is_heard_nowhere_and_told_nothing() {
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, bob, mallory] = people;
    let theirs = |world: &mut World, who: Who, name: &str| {
        let p = world.of(who);
        let all = p.messenger.overview(&p.store).unwrap();
        all.into_iter().find(|c| c.direct && c.given == name).unwrap()
    };
    let (a, m) = (theirs(&mut world, alice, "mallory").id, theirs(&mut world, mallory, "alice").id);
    world.does(alice, |messenger, s| messenger.block(s, a));
    world.restart(alice);
    let puts = world.hubs[0].log.len();
    let told = world.notices(mallory, m);
    let said = world.say(mallory, m, "you cannot ignore me");
    world.say(mallory, ids[2], "all of you, alice is ignoring me");
    world.pass(60_000);
    assert!(world.heard(alice, a).is_empty() && world.heard(alice, ids[0]).is_empty());
    assert_eq!(world.heard(bob, ids[1]).len(), 1);
    assert_eq!(world.state(mallory, m, said), State::Stored);
    assert_eq!(world.notices(mallory, m), told);
    assert!(world.hubs[0].log.len() - puts <= 6, "her two boxes and acknowledgements in the group");
    assert!(theirs(&mut world, alice, "mallory").blocked);
    assert!(world.tries(alice, |m, s| m.say(s, a, "no", None)).is_err());
    // After a change of mind all of it comes.
    world.does(alice, |m, s| m.resume(s, a));
    world.pass(60_000);
    assert_eq!(world.heard(alice, a), ["you cannot ignore me"]);
    they_talk(&mut world, [alice, mallory], [a, m], "well then");
}

//= DIRECT-007
#[test]
fn acknowledgements_without_sense_change_nothing() {
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, _, mallory] = people;
    world.of(people[1]).online = false;
    let said = world.say(alice, ids[0], "hello");
    world.pass(60_000);
    let author = me(&mut world, alice, ids[0]);
    let puts = world.hubs[0].log.len();
    for epoch in [u64::MAX, u64::MAX - 1, 1 << 32] {
        for (count, holes) in [(0, vec![0, 1, u64::MAX]), (u64::MAX, Vec::new())] {
            let entries = vec![AckEntry { author, epoch, count, holes }; 64];
            world.does(mallory, |m, s| {
                let body = Body::Ack { entries, show: true };
                m.hostile(s, ids[2], |c, cx| c.hostile_body(cx, body));
                Ok(())
            });
            world.pass(60_000);
        }
    }
    // mallory's own boxes, and nothing of alice's again.
    assert!(world.hubs[0].log.len() - puts <= 6 * 4, "{}", world.hubs[0].log.len() - puts);
    assert_eq!(world.state(alice, ids[0], said), State::Stored);
}

//= GROUP-010
#[test]
fn heads_and_rubbish_on_a_rescue_stream_are_told_once_and_bounded() {
    let mut world = World::new();
    let (people, ids) = friends(&mut world);
    let [alice, bob, mallory] = people;
    let epoch = world.of(alice).messenger.epoch(ids[0]);
    let boxes = world.does(mallory, |m, s| {
        Ok(m.hostile(s, ids[2], |c, cx| {
            let mut boxes = Vec::new();
            for n in 0..64 {
                boxes.extend(c.hostile_head(cx, n, [epoch, 0, u64::MAX][n as usize % 3]));
            }
            let rubbish: &[&[u8]] = &[&[0xff; 1_400], &[], &[0x82, 0x00, 0x81, 0x40]];
            for (n, bytes) in rubbish.iter().enumerate() {
                boxes.extend(c.hostile_rescue_bytes(cx, 64 + 2 * n as u64, bytes));
            }
            boxes
        }))
    });
    put(&mut world, boxes);
    world.pass(2 * DAY);
    for (who, id) in [(alice, ids[0]), (bob, ids[1])] {
        let told = world.notices(who, id);
        let forks = told.iter().filter(|n| n.contains("different histories")).count();
        assert!(forks <= 1, "{told:?}");
        assert!(!is_lost(&mut world, who, id));
    }
    they_talk(&mut world, [alice, bob], [ids[0], ids[1]], "all the same");
}

//= GROUP-007
#[test]
fn a_hub_that_says_taken_for_the_body_of_a_commit_holds_nobody_up() {
    // Found by the schedules: the decision was put, and the body never.
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.person(name));
    let (here, there) = world.befriend(alice, bob);
    world.pass(60_000);
    world.hubs[0].lies_taken = true;
    world.does(alice, |m, s| m.refresh(s, here));
    world.pass(60_000);
    world.hubs[0].lies_taken = false;
    world.pass(3_600_000);
    for (who, id, other, theirs) in [(alice, here, bob, there), (bob, there, alice, here)] {
        world.say(who, id, "still here");
        world.pass(60_000);
        assert_eq!(world.heard(other, theirs), ["still here"]);
    }
    assert_eq!(world.of(alice).messenger.epoch(here), world.of(bob).messenger.epoch(there));
}

//= DIRECT-002
#[test]
fn a_hub_that_says_taken_for_an_offer_makes_no_dead_link() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.person(name));
    world.hubs[0].lies_taken = true;
    let id = world
        .does(alice, |m, s| m.invite(s, &place(), e2ee::Floor::Anywhere, None, None, 86_400_000));
    world.pass(60_000);
    let state = |world: &mut World| {
        let all = world.of(alice).messenger.invites();
        all.into_iter().find(|i| i.id == id).unwrap().state
    };
    assert_eq!(state(&mut world), crate::invite::InviteState::Preparing);
    world.hubs[0].lies_taken = false;
    world.pass(600_000);
    assert_eq!(state(&mut world), crate::invite::InviteState::Open);
    let link = world.of(alice).messenger.invites().remove(0).link;
    world.accept(bob, &e2ee::Invite::parse(&link).unwrap());
    world.pass(60_000);
    assert_eq!(world.ids(bob).len(), 1);
}
