//! Neighbours on a LAN, with the hub out of reach or with none at all.

use e2ee::id::{ConversationId, MemberId};
use e2ee::{Floor, NetworkPlace};

use super::world::*;
use crate::NearWho;
use crate::event::{Event, FileState};
use crate::store::{State, Store};

/// From now on this person reaches the hub or not, and is on that LAN.
fn goes(world: &mut World, who: Who, online: bool, lan: Option<usize>) {
    world.of(who).online = online;
    world.of(who).lan = lan;
}

fn texts(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{what} {n}")).collect()
}

fn why(
    world: &mut World,
    who: Who,
    conversation: ConversationId,
    id: e2ee::id::MessageId,
) -> String {
    world.of(who).messenger.why(conversation, id).unwrap().map(|w| w.text).unwrap_or_default()
}

fn member(world: &mut World, who: Who, id: ConversationId, name: &str) -> MemberId {
    let p = world.of(who);
    let all = p.messenger.participants(&p.store, id).unwrap();
    all.into_iter().find(|m| m.name == name).unwrap().id
}

//= DIRECT-022
//= DIRECT-024
#[test]
fn two_neighbours_talk_without_a_hub_and_each_message_is_shown_once() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.pass(60_000);
    goes(&mut world, alice, false, Some(0));
    goes(&mut world, bob, false, Some(0));
    let before = world.hubs[0].puts;
    let said = texts("message", 1_000);
    let mut ids = Vec::new();
    for (n, text) in said.iter().enumerate() {
        ids.push(world.say(alice, a, text));
        if n % 100 == 50 {
            world.pass(2_000);
        }
        if n == 333 {
            world.restart(alice);
        }
        if n == 666 {
            world.restart(bob);
        }
    }
    world.settle();
    assert_eq!(world.of(alice).messenger.unstored(), 0, "neighbours have it all");
    world.pass(60_000);
    assert_eq!(world.heard(bob, b), said);
    assert!(ids.iter().all(|id| world.state(alice, a, *id) == State::Delivered));
    let stored = |e: &Event| matches!(e, Event::State { state: State::Stored, .. });
    assert!(!world.of(alice).events.iter().any(stored), "nothing was stored anywhere");
    world.say(bob, b, "heard it all");
    world.pass(60_000);
    assert_eq!(world.heard(alice, a), ["heard it all"]);
    assert_eq!(world.hubs[0].puts, before);
    goes(&mut world, alice, true, Some(0));
    world.settle();
    // A commit that waits, and acknowledgements that nobody acknowledges.
    assert!(world.hubs[0].puts - before < 40, "{} puts", world.hubs[0].puts - before);
    goes(&mut world, bob, true, Some(0));
    world.pass(120_000);
    assert_eq!(world.heard(bob, b), said);
    let p = world.of(alice);
    let overview = &p.messenger.overview(&p.store).unwrap()[0];
    assert_eq!((overview.unacknowledged, overview.changing, overview.unstored), (0, false, 0));
}

/// The route of a message by its text, at this person.
fn route(world: &mut World, who: Who, conversation: ConversationId, text: &str) -> String {
    let all = world.of(who).store.history(&conversation, None, 100).unwrap();
    all.into_iter().find(|m| m.message.text == text).map(|m| m.message.route).unwrap()
}

#[test]
fn each_message_says_by_which_route_it_went_and_came() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.say(alice, a, "by the hub");
    world.pass(60_000);
    goes(&mut world, alice, false, Some(0));
    goes(&mut world, bob, false, Some(0));
    world.say(alice, a, "by neighbours");
    world.pass(60_000);
    goes(&mut world, alice, false, None);
    world.say(alice, a, "waiting");
    world.settle();
    for (text, by) in [("by the hub", "hub"), ("by neighbours", "lan")] {
        assert_eq!(route(&mut world, alice, a, text), by, "as it went");
        assert_eq!(route(&mut world, bob, b, text), by, "as it came");
    }
    assert_eq!(route(&mut world, alice, a, "waiting"), "", "it has not left");
}

//= DIRECT-023
#[test]
fn only_what_nobody_has_fetched_goes_to_the_hub_and_that_once() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.pass(60_000);
    goes(&mut world, alice, false, Some(0));
    goes(&mut world, bob, false, Some(0));
    let before = world.hubs[0].log.len();
    let said = texts("said", 30);
    let fetched: Vec<_> = said[..10].iter().map(|t| world.say(alice, a, t)).collect();
    world.pass(10_000);
    goes(&mut world, bob, false, None);
    let waiting: Vec<_> = said[10..].iter().map(|t| world.say(alice, a, t)).collect();
    world.pass(10_000);
    assert!(fetched.iter().all(|id| world.state(alice, a, *id) == State::Delivered));
    assert!(waiting.iter().all(|id| world.state(alice, a, *id) == State::Sent));
    assert_eq!(why(&mut world, alice, a, waiting[0]), WITH_NEIGHBOURS);
    world.restart(alice);
    assert_eq!(world.of(alice).messenger.unstored(), 20, "off the LAN only the hub counts");
    world.settle();
    assert_eq!(world.of(alice).messenger.unstored(), 0);
    let puts = world.hubs[0].puts;
    goes(&mut world, alice, true, None);
    world.pass(10_000);
    assert_eq!((world.hubs[0].log.len() - before, world.hubs[0].puts - puts), (20, 20));
    assert!(waiting.iter().all(|id| world.state(alice, a, *id) == State::Stored));
    goes(&mut world, bob, true, None);
    world.pass(10_000);
    assert_eq!(world.heard(bob, b), said);
    assert!(waiting.iter().all(|id| world.state(alice, a, *id) == State::Delivered));
}

const WITH_NEIGHBOURS: &str =
    "with neighbours on the LAN; bob has not fetched it; goes to the hub once that is in reach";

//= GROUP-017
#[test]
fn a_change_of_the_members_waits_for_the_hub_while_chat_goes_on() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let [alice, bob, carol] = people;
    let ids = world.group("friends", &people);
    world.pass(60_000);
    goes(&mut world, alice, false, Some(0));
    goes(&mut world, bob, false, Some(0));
    let epoch = world.of(alice).messenger.epoch(ids[0]);
    // At the hub time goes on: carol changes something, and an hour later nobody looks for boxes of
    // the epoch before.
    world.does(carol, |m, s| m.rename_group(s, ids[2], "climbers"));
    let bobs = member(&mut world, alice, ids[0], "bob");
    world.does(alice, |m, s| m.refresh(s, ids[0]));
    let said = texts("near", 40);
    for text in &said {
        world.say(alice, ids[0], text);
    }
    world.pass(3_600_000);
    assert_eq!(world.heard(bob, ids[1]), said);
    assert_eq!(world.of(alice).messenger.epoch(ids[0]), epoch, "nothing was decided");
    assert!(world.heard(carol, ids[2]).is_empty());
    let p = world.of(alice);
    assert!(p.messenger.overview(&p.store).unwrap().iter().any(|c| c.id == ids[0] && c.changing));
    goes(&mut world, alice, true, Some(0));
    world.pass(120_000);
    assert_eq!(world.of(alice).messenger.epoch(ids[0]), epoch + 2, "carol's change, then alice's");
    assert_eq!(world.heard(carol, ids[2]), said);
    assert_eq!(world.hubs[0].puts, world.hubs[0].log.len(), "nothing was uploaded twice");
    goes(&mut world, bob, true, None);
    world.say(bob, ids[1], "here again");
    world.pass(120_000);
    assert_eq!(world.heard(bob, ids[1]), said, "each once");
    assert_eq!(world.heard(carol, ids[2]).last().unwrap(), "here again");
    assert_eq!(world.of(bob).messenger.epoch(ids[1]), epoch + 2);
    world.does(alice, |m, s| m.remove_member(s, ids[0], bobs));
    world.pass(10_000);
    assert!(world.notices(bob, ids[1]).iter().any(|n| n.contains("removed you")));
}

//= DIRECT-024
#[test]
fn what_comes_by_mesh_and_hub_at_once_is_shown_once() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    goes(&mut world, people[0], true, Some(0));
    goes(&mut world, people[1], true, Some(0));
    goes(&mut world, people[2], false, Some(0));
    let said = texts("said", 150);
    for (n, text) in said.iter().enumerate() {
        world.say(people[0], ids[0], text);
        if n % 20 == 0 {
            // Routes come and go.
            goes(&mut world, people[0], n % 40 == 0, Some(0));
            goes(&mut world, people[2], n % 60 == 0, Some(0));
            world.pass(5_000);
        }
    }
    people.iter().for_each(|who| goes(&mut world, *who, true, Some(0)));
    world.pass(120_000);
    assert_eq!(world.heard(people[1], ids[1]), said);
    assert_eq!(world.heard(people[2], ids[2]), said);
    let p = world.of(people[0]);
    assert!(p.messenger.overview(&p.store).unwrap().iter().all(|c| c.unacknowledged == 0));
}

//= DIRECT-020
//= GROUP-016
#[test]
fn without_a_hub_two_become_contacts_and_the_creator_of_a_group_decides() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let [alice, bob, carol] = people;
    people.iter().for_each(|who| goes(&mut world, *who, false, Some(0)));
    let lan = NetworkPlace::lan();
    assert!(
        world
            .tries(alice, |m, s| m.invite(s, &lan, Floor::Hidden, None, None, 86_400_000))
            .is_err()
    );
    let mut chats = Vec::new();
    for other in [bob, carol] {
        let link = world.invite_at(alice, &lan, Floor::Lan);
        chats.push(world.meet(alice, other, &link).0);
    }
    let group = world.does(alice, |m, s| m.create_group(s, &lan, Floor::Lan, "cellar"));
    let bobs = world.bring(alice, group, chats[0], bob);
    world.restart(alice);
    let carols = world.bring(alice, group, chats[1], carol);
    world.pass(60_000);
    let said = world.say(carol, carols, "hello cellar");
    world.pass(60_000);
    assert_eq!(world.heard(bob, bobs), ["hello cellar"]);
    assert_eq!(world.state(carol, carols, said), State::Delivered);
    assert_eq!((world.hubs[0].puts, world.of(carol).messenger.unstored()), (0, 0));
    // Nobody but the creator changes anything.
    let carols_id = member(&mut world, bob, bobs, "carol");
    let refused = crate::Error::Refused("in a group without a hub its creator decides: ask them");
    assert_eq!(
        world.tries(bob, |m, s| m.remove_member(s, bobs, carols_id)).unwrap_err().to_string(),
        refused.to_string()
    );
    assert!(world.tries(bob, |m, s| m.rename_group(s, bobs, "attic")).is_err());
    assert!(world.tries(bob, |m, s| m.refresh(s, bobs)).is_err());
    let epoch = world.of(alice).messenger.epoch(group);
    for text in texts("much", 120) {
        world.say(bob, bobs, &text);
    }
    world.pass(60_000);
    assert_eq!(world.of(alice).messenger.epoch(group), epoch, "bob draws no new keys");
    world.does(alice, |m, s| m.rename_group(s, group, "attic"));
    world.does(carol, |m, s| m.leave(s, carols));
    world.restart(bob);
    world.pass(60_000);
    assert!(
        world
            .notices(bob, bobs)
            .iter()
            .any(|n| n.contains("carol has left") || n.contains("removed carol"))
    );
    assert!(world.notices(bob, bobs).iter().any(|n| n.contains("from “cellar” to “attic”")));
    let p = world.of(bob);
    assert_eq!(p.messenger.participants(&p.store, bobs).unwrap().len(), 2);
    world.say(alice, group, "two of us");
    world.pass(60_000);
    assert_eq!(world.heard(bob, bobs).last().unwrap(), "two of us");
    assert!(!world.heard(carol, carols).contains(&"two of us".to_owned()));
    world.does(alice, |m, s| m.leave(s, group));
    world.pass(60_000);
    assert!(world.notices(bob, bobs).iter().any(|n| n.contains("nobody can change the group")));
}

//= DIRECT-021
#[test]
fn contacts_share_a_secret_to_find_each_other_by() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let [alice, bob, carol] = people;
    let (a, b) = world.befriend(alice, bob);
    world.befriend(alice, carol);
    let find = |world: &mut World, who: Who, wanted: NearWho| {
        world.of(who).messenger.near().into_iter().find(|n| n.who == wanted).unwrap()
    };
    world.does(bob, |m, s| m.refresh(s, b));
    world.of(alice).online = false;
    world.pass(60_000);
    world.restart(bob);
    let (here, there) =
        (find(&mut world, alice, NearWho::Contact(a)), find(&mut world, bob, NearWho::Contact(b)));
    assert_ne!(world.of(alice).messenger.epoch(a), world.of(bob).messenger.epoch(b));
    assert_eq!(here.secret, there.secret);
    assert_ne!(here.first, there.first);
    let all = world.of(alice).messenger.near();
    assert_eq!(all.len(), 2);
    assert_ne!(all[0].secret, all[1].secret);
    assert_eq!(format!("{:?}", all[0].secret), "Secret");
    // A member who is added again draws another, and so does the other side.
    world.pass(14 * 86_400_000);
    world.of(alice).online = true;
    world.pass(3 * 86_400_000);
    let (now, other) =
        (find(&mut world, alice, NearWho::Contact(a)), find(&mut world, bob, NearWho::Contact(b)));
    assert_ne!(now.secret, here.secret);
    assert_eq!(now.secret, other.secret);
    // A floor without the LAN is looked for on no LAN.
    world.does(bob, |m, s| m.set_floor(s, b, Floor::Tor));
    assert!(world.of(bob).messenger.near().is_empty());
    world.invite_under(bob, Floor::Onion);
    assert!(world.of(bob).messenger.near().is_empty());
    let link = world.invite_under(bob, Floor::Hidden);
    world.of(carol).online = false;
    world.accept(carol, &link);
    let near = world.of(bob).messenger.near();
    let theirs = world
        .of(carol)
        .messenger
        .near()
        .into_iter()
        .find(|n| matches!(n.who, NearWho::Invite(_)))
        .unwrap();
    assert_eq!((near.len(), near[0].secret == theirs.secret), (1, true));
    assert!(near[0].first && !theirs.first);
}

//= DIRECT-025
#[test]
fn an_invite_works_between_neighbours_before_the_hub_has_it() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let [alice, bob, carol] = people;
    goes(&mut world, alice, false, Some(0));
    goes(&mut world, bob, false, Some(0));
    let link = world.invite(alice);
    let (a, b) = world.meet(alice, bob, &link);
    world.restart(bob);
    world.say(bob, b, "hello neighbour");
    world.say(alice, a, "hello");
    world.pass(60_000);
    assert_eq!(world.heard(alice, a), ["hello neighbour"]);
    assert_eq!(world.heard(bob, b), ["hello"]);
    assert_eq!(world.hubs[0].puts, 0);
    goes(&mut world, bob, true, None);
    world.pass(60_000);
    assert!(world.hubs[0].puts > 0, "the answer is brought to the hub");
    assert!(world.of(bob).messenger.near().iter().all(|n| matches!(n.who, NearWho::Contact(_))));
    // A link that nobody has used yet is brought there too, once.
    let link = world.invite(alice);
    let before = world.hubs[0].log.len();
    world.restart(alice);
    goes(&mut world, alice, true, None);
    world.pass(10_000);
    assert!(world.hubs[0].log.len() > before);
    let (_, c) = world.meet(alice, carol, &link);
    world.say(carol, c, "hello from afar");
    world.pass(10_000);
    assert_eq!(world.hubs[0].puts, world.hubs[0].log.len());
}

//= FILE-005
#[test]
fn a_file_goes_to_a_neighbour_and_to_the_hub_once_that_is_there() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, _) = world.befriend(alice, bob);
    world.pass(10_000);
    goes(&mut world, alice, false, Some(0));
    goes(&mut world, bob, false, Some(0));
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let file = crate::transfer::NewFile {
        name: "map.png".into(),
        size: bytes.len() as u64,
        sha256: [7; 32],
        path: "x".into(),
    };
    let now = world.now;
    let person = world.of(alice);
    let mut step = crate::Step { now, rng: &mut person.rng, store: &person.store, via: "" };
    let (_, transfer) = person.messenger.send_file(&mut step, a, &file).unwrap();
    person.files.insert(transfer, bytes.clone());
    world.pass(5_000);
    world.does(bob, |m, s| m.accept_file(s, transfer, "there".into()));
    world.pass(1_000);
    assert_eq!(world.of(bob).files[&transfer], bytes);
    assert_eq!(world.of(alice).messenger.transfer(transfer).unwrap().state, FileState::Moving);
    world.restart(alice);
    world.pass(1_000);
    goes(&mut world, alice, true, Some(0));
    world.pass(1_000);
    assert_eq!(world.of(alice).messenger.transfer(transfer).unwrap().state, FileState::Done);
    assert_eq!(world.hubs[0].puts, world.hubs[0].log.len());
}
