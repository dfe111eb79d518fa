//! What conversations are called, and who may change that.

use super::world::*;
use crate::event::Event;
use crate::messenger::Overview;
use crate::names::{self, Found, Named};
use crate::store::{Space, Store};
use crate::{Card, Error, codec};
use e2ee::Floor;
use e2ee::id::ConversationId;

fn overview(world: &mut World, who: Who, id: ConversationId) -> Overview {
    let p = world.of(who);
    p.messenger.overview(&p.store).unwrap().into_iter().find(|c| c.id == id).unwrap()
}

fn named(world: &mut World, who: Who) -> Vec<Named<ConversationId>> {
    world.of(who).messenger.named(|id| names::short(id.as_bytes()))
}

fn label(world: &mut World, who: Who, id: ConversationId) -> Option<String> {
    names::labels(&named(world, who)).remove(&id)
}

fn finds(world: &mut World, who: Who, typed: &str) -> Option<ConversationId> {
    match names::resolve(&named(world, who), typed) {
        Found::One(id) => Some(id),
        _ => None,
    }
}

/// alice's groups: `family` with mallory, and `work` with mallory and eve. Also mallory's.
fn family_and_work(world: &mut World) -> ([Who; 2], [ConversationId; 2], [ConversationId; 2]) {
    let [alice, mallory, eve] = ["alice", "mallory", "eve"].map(|n| world.person(n));
    let family = world.group("family", &[alice, mallory]);
    let work = world.does(alice, |m, s| m.create_group(s, &place(), Floor::Anywhere, "work"));
    let contact = finds(world, alice, "mallory").unwrap();
    let at_mallory = world.bring(alice, work, contact, mallory);
    let (to_eve, _) = world.befriend(alice, eve);
    world.bring(alice, work, to_eve, eve);
    world.settle();
    ([alice, mallory], [family[0], work], [family[1], at_mallory])
}

//= NAME-001
//= NAME-007
//= NAME-008
#[test]
fn a_member_who_swaps_titles_gets_no_message_into_another_group() {
    let mut world = World::new();
    let ([alice, mallory], [family, work], [family_there, work_there]) =
        family_and_work(&mut world);
    world.does(alice, |m, s| m.name_conversation(s, work, Some("office")));
    assert_eq!(finds(&mut world, alice, "family"), Some(family));

    world.does(mallory, |m, s| m.rename_group(s, family_there, "kin"));
    world.pass(60_000);
    world.does(mallory, |m, s| m.rename_group(s, work_there, "family"));
    world.pass(60_000);

    assert_eq!(finds(&mut world, alice, "family"), None);
    assert_eq!(finds(&mut world, alice, "office"), Some(work));
    let office = overview(&mut world, alice, work);
    assert_eq!((office.own.as_deref(), office.given.as_str()), (Some("office"), "family"));
    assert_eq!(office.formerly, ["work"]);
    let kin = overview(&mut world, alice, family);
    assert_eq!((kin.given.as_str(), kin.own.as_deref()), ("kin", None));
    assert_eq!(kin.formerly, ["family"]);
    // All of it outlives a restart.
    world.restart(alice);
    assert_eq!(overview(&mut world, alice, work), office);
    assert_eq!(finds(&mut world, alice, "family"), None);
}

//= NAME-012
#[test]
fn a_rename_is_told_where_it_happened() {
    let mut world = World::new();
    let ([alice, mallory], [family, _], [family_there, _]) = family_and_work(&mut world);
    world.does(mallory, |m, s| m.rename_group(s, family_there, "kin"));
    world.pass(60_000);
    let told = "mallory changed the title from “family” to “kin”";
    assert_eq!(world.notices(alice, family).last().unwrap(), told);
    let renamed = Event::Renamed { conversation: family, from: "family".into(), to: "kin".into() };
    assert!(world.of(alice).events.contains(&renamed));
    let told = "you changed the title from “family” to “kin”";
    assert_eq!(world.notices(mallory, family_there).last().unwrap(), told);
}

//= NAME-012
#[test]
fn a_contact_who_comes_back_under_another_nick_is_told_and_keeps_our_name() {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (a, b) = world.befriend(alice, bob);
    world.of(bob).store = world.of(bob).store.backup();
    world.restart(bob);
    world.does(bob, |m, s| m.set_my_name(s, "carol"));
    // The request to be added again was made under the old name; a second loss asks again.
    world.of(bob).store = world.of(bob).store.backup();
    world.restart(bob);
    world.pass(3 * 86_400_000);
    world.say(bob, b, "it is me");
    world.pass(60_000);
    assert_eq!(world.heard(alice, a), ["it is me"]);
    let contact = overview(&mut world, alice, a);
    assert_eq!((contact.given.as_str(), contact.formerly), ("carol", vec!["bob".to_owned()]));
    assert!(world.notices(alice, a).contains(&"“bob” now goes by the name “carol”".to_owned()));
    assert_eq!(finds(&mut world, alice, "bob"), None);
}

//= NAME-002
#[test]
fn own_names_are_told_apart_by_looks_and_can_be_taken_back() {
    let mut world = World::new();
    let ([alice, _], [family, work], _) = family_and_work(&mut world);
    world.does(alice, |m, s| m.name_conversation(s, family, Some(" mum ")));
    for name in ["mum", "MUM", "\u{ff4d}um", "", "a~b", "a\u{ff5e}b"] {
        let refused = world.tries(alice, |m, s| m.name_conversation(s, work, Some(name)));
        assert!(matches!(refused, Err(Error::Refused(_))), "{name:?}");
    }
    // The same one may be spelt otherwise.
    world.does(alice, |m, s| m.name_conversation(s, family, Some("Mum")));
    assert_eq!(label(&mut world, alice, family).as_deref(), Some("Mum"));
    world.does(alice, |m, s| m.name_conversation(s, family, None));
    assert_eq!(label(&mut world, alice, family).as_deref(), Some("family"));
    world.does(alice, |m, s| m.name_conversation(s, work, Some("MUM")));
}

//= NAME-002
#[test]
fn the_name_in_an_invite_is_ours_and_gets_a_number_when_it_is_taken_by_then() {
    let mut world = World::new();
    let (alice, bob, carol) = (world.person("alice"), world.person("bob"), world.person("carol"));
    let wish = Some("climber".to_owned());
    let mut links = Vec::new();
    for _ in 0..2 {
        let wish = wish.clone();
        world.does(alice, |m, s| m.invite(s, &place(), Floor::Anywhere, None, wish, 86_400_000));
        world.settle();
    }
    for invite in world.of(alice).messenger.invites() {
        links.push(e2ee::Invite::parse(&invite.link).unwrap());
    }
    let (first, _) = world.meet(alice, bob, &links[0]);
    let (second, _) = world.meet(alice, carol, &links[1]);
    let (first, second) = (overview(&mut world, alice, first), overview(&mut world, alice, second));
    assert_eq!((first.own.as_deref(), first.given.as_str()), (Some("climber"), "bob"));
    assert_eq!((second.own.as_deref(), second.given.as_str()), (Some("climber-2"), "carol"));
    let again = world.tries(alice, |m, s| {
        m.invite(s, &place(), Floor::Anywhere, None, Some("Climber".into()), 86_400_000)
    });
    assert!(matches!(again, Err(Error::Refused(_))));
}

/// Writes the card as versions without own names did.
fn make_old(world: &mut World, who: Who, id: ConversationId, name: &str) {
    #[derive(serde::Serialize)]
    struct Old<'a> {
        name: &'a str,
        direct: bool,
        verified: bool,
        floor: Floor,
        place: &'a [u8],
        charter_floor: Floor,
        me: e2ee::id::MemberId,
        creator: e2ee::id::MemberId,
        rescue: &'a [u8],
        rescue_context: &'a [u8],
        group: &'a [u8],
        members: &'a std::collections::BTreeMap<e2ee::id::MemberId, crate::conversation::Known>,
        began: u64,
    }
    let store = &world.of(who).store;
    let card: Card =
        codec::unpack(&store.get(Space::Card, id.as_bytes()).unwrap().unwrap()).unwrap();
    let old = Old {
        name,
        direct: card.direct,
        verified: card.verified,
        floor: card.floor,
        place: &card.place,
        charter_floor: card.charter_floor,
        me: card.me,
        creator: card.creator,
        rescue: &card.rescue,
        rescue_context: &card.rescue_context,
        group: &card.group,
        members: &card.members,
        began: card.began,
    };
    store.put(Space::Card, id.as_bytes(), &codec::pack(&old).unwrap()).unwrap();
}

//= NAME-011
#[test]
fn cards_of_earlier_versions_are_read_and_the_users_names_found_in_them() {
    let mut world = World::new();
    let ([alice, _], [family, work], _) = family_and_work(&mut world);
    let mallory = finds(&mut world, alice, "mallory").unwrap();
    make_old(&mut world, alice, family, "family");
    make_old(&mut world, alice, work, "office");
    make_old(&mut world, alice, mallory, "mallory-2");
    for _ in 0..2 {
        world.restart(alice);
        let names = |world: &mut World, id| {
            let seen = overview(world, alice, id);
            (seen.own, seen.given)
        };
        assert_eq!(names(&mut world, family), (None, "family".into()));
        assert_eq!(names(&mut world, work), (Some("office".into()), "work".into()));
        assert_eq!(names(&mut world, mallory), (Some("mallory-2".into()), "mallory".into()));
    }
}

//= NAME-011
#[test]
fn in_an_old_backup_a_name_that_cannot_be_checked_stays_the_users() {
    let mut world = World::new();
    let ([alice, _], [family, _], _) = family_and_work(&mut world);
    make_old(&mut world, alice, family, "family");
    world.of(alice).store = world.of(alice).store.backup();
    world.restart(alice);
    let seen = overview(&mut world, alice, family);
    assert_eq!((seen.own.as_deref(), seen.given.as_str()), (Some("family"), "family"));
    assert_eq!(finds(&mut world, alice, "family"), Some(family));
}

//= NAME-004
#[test]
fn a_nick_that_sounds_like_the_program_bears_a_tag() {
    let mut world = World::new();
    let people = ["alice", "you"].map(|n| world.person(n));
    let ids = world.group("friends", &people);
    world.does(people[1], |m, s| m.rename_group(s, ids[1], "mine"));
    world.pass(60_000);
    let told = world.notices(people[0], ids[0]).pop().unwrap();
    assert!(told.starts_with("you~") && told.ends_with("to “mine”"), "{told}");
}

#[test]
fn names_reach_nothing_but_the_one_conversation() {
    let mut world = World::new();
    let ([alice, _], [family, _], _) = family_and_work(&mut world);
    assert_eq!(label(&mut world, alice, family).as_deref(), Some("family"));
    world.does(alice, |m, s| m.forget(s, family));
    assert_eq!(label(&mut world, alice, family), None);
    assert_eq!(finds(&mut world, alice, "family"), None);
}
