use std::cell::RefCell;
use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::Timestamp;
use zeroize::Zeroizing;

use super::*;
use crate::id::MemberId;
use crate::place::test_place;
use crate::{Error, Floor, Nick, Secret};

#[derive(Default)]
struct Kept(RefCell<BTreeMap<Vec<u8>, Vec<u8>>>);

impl KeyValue for Kept {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        Ok(self.0.borrow().get(key).cloned().map(Zeroizing::new))
    }
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.0.borrow_mut().insert(key.to_vec(), value.to_vec());
        Ok(())
    }
    fn remove(&self, key: &[u8]) -> Result<(), String> {
        self.0.borrow_mut().remove(key);
        Ok(())
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_000);

/// Somebody with a vault.
struct Person {
    mls: Mls,
    kept: Kept,
    secret: MemberSecret,
    name: Nick,
}

impl Person {
    fn new(name: &str, seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let secret = MemberSecret::random(&mut rng);
        Person {
            mls: Mls::new().unwrap(),
            kept: Kept::default(),
            secret,
            name: Nick::new(name).unwrap(),
        }
    }

    fn found(&self, direct: bool) -> Group {
        let title = if direct { "" } else { "friends" };
        let root = Secret::new([9; 32]);
        let charter =
            Charter::new(direct, test_place(), Floor::Hidden, title, self.secret.id(), root)
                .unwrap();
        let id = Secret::new([8; 32]);
        Group::found(&self.mls, &self.kept, &id, self.secret.clone(), self.name.clone(), &charter)
            .unwrap()
    }

    fn package(&self) -> Invited {
        let bytes = key_package(&self.mls, &self.kept, &self.secret, self.name.clone()).unwrap();
        Invited::parse(&self.mls, &bytes).unwrap()
    }

    fn join(&self, welcome: &[u8]) -> Group {
        self.welcomed(welcome).unwrap().join().unwrap()
    }

    fn welcomed(&self, welcome: &[u8]) -> Result<Welcomed<'_>, Error> {
        Welcomed::open(&self.mls, &self.kept, welcome, self.secret.clone())
    }

    fn commit(&self, group: &mut Group, changes: &Changes) -> Committed {
        group.commit(&self.mls, &self.kept, changes).unwrap()
    }

    fn merge(&self, group: &mut Group) -> Applied {
        group.merge(&self.mls, &self.kept).unwrap()
    }

    fn apply(&self, group: &mut Group, leaf: u32, commit: &[u8]) -> Result<Applied, Error> {
        group.apply(&self.mls, &self.kept, leaf, commit)
    }

    fn say(&self, group: &mut Group, text: &[u8]) -> Vec<u8> {
        group.encrypt(&self.mls, &self.kept, text).unwrap().to_vec()
    }

    fn hear(&self, group: &mut Group, message: &[u8]) -> Result<Decrypted, Error> {
        group.decrypt(&self.mls, &self.kept, message)
    }
}

fn add(invited: Invited) -> Changes {
    Changes { add: vec![invited], ..Changes::default() }
}

/// Alice and bob in a conversation of two.
fn pair(direct: bool) -> (Person, Group, Person, Group) {
    let (alice, bob) = (Person::new("alice", 1), Person::new("bob", 2));
    let mut a = alice.found(direct);
    let committed = alice.commit(&mut a, &add(bob.package()));
    alice.merge(&mut a);
    let b = bob.join(&committed.welcome.unwrap());
    (alice, a, bob, b)
}

//= DIRECT-001
//= GROUP-003
#[test]
fn two_people_talk_and_share_everything_that_an_epoch_exports() {
    let (alice, mut a, bob, mut b) = pair(true);
    let message = alice.say(&mut a, b"hello");
    let heard = bob.hear(&mut b, &message).unwrap();
    assert_eq!(
        (heard.from, heard.epoch, heard.content.as_slice()),
        (alice.secret.id(), 1, &b"hello"[..])
    );
    assert_eq!(a.lane_context(&alice.mls).unwrap(), b.lane_context(&bob.mls).unwrap());
    let deciding = |g: &Group, p: &Person| g.deciding_stream(&p.mls).unwrap().root_public();
    assert_eq!(deciding(&a, &alice), deciding(&b, &bob));
    assert_eq!(a.authenticator(), b.authenticator());
    assert_ne!(a.authenticator(), [0; 32]);
    assert_eq!(a.safety_words().unwrap(), b.safety_words().unwrap());
    assert_eq!(a.identity_statement(true).unwrap(), b.identity_statement(false).unwrap());
    assert_eq!(b.identity_statement(true).unwrap(), a.identity_statement(false).unwrap());
    assert_ne!(a.identity_statement(true).unwrap(), a.identity_statement(false).unwrap());
    let names: Vec<_> =
        b.members().unwrap().iter().map(|m| m.card.name.as_str().to_owned()).collect();
    assert_eq!(names, ["alice", "bob"]);
}

//= DIRECT-016
#[test]
fn a_message_decrypts_once() {
    let (alice, mut a, bob, mut b) = pair(true);
    let message = alice.say(&mut a, b"hello");
    bob.hear(&mut b, &message).unwrap();
    assert_eq!(bob.hear(&mut b, &message).err(), Some(Error::Undecryptable));
}

//= GROUP-002
#[test]
fn each_epoch_has_a_lane_of_its_own_and_messages_of_the_two_before_still_decrypt() {
    let (alice, mut a, bob, mut b) = pair(false);
    let old = alice.say(&mut a, b"of epoch 1");
    let older_context = b.lane_context(&bob.mls).unwrap();
    for _ in 0..2 {
        let committed = bob.commit(&mut b, &Changes { refresh: true, ..Changes::default() });
        bob.merge(&mut b);
        alice.apply(&mut a, b.me(), &committed.commit).unwrap();
    }
    assert_eq!((a.epoch(), b.epoch()), (3, 3));
    assert_ne!(b.lane_context(&bob.mls).unwrap(), older_context);
    assert_eq!(bob.hear(&mut b, &old).unwrap().content.as_slice(), b"of epoch 1");
}

//= GROUP-005
#[test]
fn whoever_loses_withdraws_and_commits_again() {
    let (alice, mut a, bob, mut b) = pair(false);
    let carol = Person::new("carol", 3);
    let ours = alice.commit(&mut a, &add(carol.package()));
    let theirs = bob.commit(&mut b, &Changes { refresh: true, ..Changes::default() });
    bob.merge(&mut b);
    assert!(a.is_committing());
    alice.withdraw(&mut a).unwrap_or(());
    alice.apply(&mut a, b.me(), &theirs.commit).unwrap();
    // The lost commit is worth nothing in the new epoch.
    assert!(matches!(bob.apply(&mut b, a.me(), &ours.commit), Err(Error::BadCommit(_))));
    let again = alice.commit(&mut a, &add(carol.package()));
    let applied = alice.merge(&mut a);
    assert_eq!(applied.added.len(), 1);
    bob.apply(&mut b, a.me(), &again.commit).unwrap();
    let c = carol.join(&again.welcome.unwrap());
    assert_eq!(c.authenticator(), b.authenticator());
}

impl Person {
    fn withdraw(&self, group: &mut Group) -> Result<(), Error> {
        group.withdraw(&self.mls, &self.kept)
    }
}

//= GROUP-009
#[test]
fn whoever_is_removed_reads_nothing_after_and_whoever_comes_nothing_before() {
    let (alice, mut a, bob, mut b) = pair(false);
    let carol = Person::new("carol", 3);
    let before = alice.say(&mut a, b"before carol");
    let committed = alice.commit(&mut a, &add(carol.package()));
    alice.merge(&mut a);
    bob.apply(&mut b, a.me(), &committed.commit).unwrap();
    let mut c = carol.join(&committed.welcome.unwrap());
    assert!(carol.hear(&mut c, &before).is_err());

    let out = alice.commit(&mut a, &Changes { remove: vec![b.me()], ..Changes::default() });
    let applied = alice.merge(&mut a);
    assert_eq!(applied.removed, [(bob.secret.id(), bob.name.clone())]);
    let applied = bob.apply(&mut b, a.me(), &out.commit).unwrap();
    assert!(applied.we_are_out && !b.is_active());
    carol.apply(&mut c, a.me(), &out.commit).unwrap();
    let after = carol.say(&mut c, b"after bob");
    assert!(bob.hear(&mut b, &after).is_err());
    assert_eq!(b.lane_context(&bob.mls).err(), Some(Error::NotMember));
    assert_eq!(alice.hear(&mut a, &after).unwrap().from, carol.secret.id());
}

//= GROUP-006
#[test]
fn a_direct_chat_never_has_a_third() {
    let (alice, mut a, bob, mut b) = pair(true);
    let carol = Person::new("carol", 3);
    let refused = a.commit(&alice.mls, &alice.kept, &add(carol.package())).err();
    assert!(matches!(refused, Some(Error::BadCommit(_))));
    // Re-adding the other, with a new key, is what a direct chat allows.
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let again = Person { secret: bob.secret.renewed(NOW, &mut rng), ..Person::new("bob", 4) };
    let changes =
        Changes { add: vec![again.package()], remove: vec![b.me()], ..Changes::default() };
    let committed = alice.commit(&mut a, &changes);
    alice.merge(&mut a);
    bob.apply(&mut b, a.me(), &committed.commit).unwrap();
    let mut new = again.join(&committed.welcome.unwrap());
    let message = again.say(&mut new, b"back");
    assert_eq!(alice.hear(&mut a, &message).unwrap().from, bob.secret.id());
}

//= GROUP-006
#[test]
fn a_commit_by_another_member_than_the_decision_says_is_refused() {
    let (alice, mut a, bob, mut b) = pair(false);
    let committed = bob.commit(&mut b, &Changes { refresh: true, ..Changes::default() });
    let me = a.me();
    let wrong = alice.apply(&mut a, me, &committed.commit);
    assert!(matches!(wrong, Err(Error::BadCommit(_))));
    let cut = committed.commit.len() - 1;
    assert!(matches!(
        alice.apply(&mut a, b.me(), &committed.commit[..cut]),
        Err(Error::BadCommit(_))
    ));
}

//= GROUP-001
//= GROUP-006
#[test]
fn the_title_changes_for_all_and_what_is_fixed_stays() {
    let (alice, mut a, bob, mut b) = pair(false);
    let mut charter = a.charter().unwrap();
    charter.title = "book club".into();
    let committed =
        alice.commit(&mut a, &Changes { charter: Some(charter.clone()), ..Changes::default() });
    assert!(alice.merge(&mut a).charter);
    assert!(bob.apply(&mut b, a.me(), &committed.commit).unwrap().charter);
    assert_eq!(b.charter().unwrap().title, "book club");
    charter.creator = MemberId::new([1; 16]);
    let changes = Changes { charter: Some(charter), ..Changes::default() };
    let committed = a.commit_unchecked(&alice.mls, &alice.kept, &changes).unwrap();
    assert!(matches!(bob.apply(&mut b, a.me(), &committed.commit), Err(Error::BadCommit(_))));
}

#[test]
fn a_group_survives_its_store() {
    let (alice, mut a, bob, b) = pair(true);
    drop(b);
    let secret = MemberSecret::from_bytes(&bob.secret.to_bytes()).unwrap();
    let mut b = Group::load(&bob.mls, &bob.kept, a.id(), secret).unwrap().unwrap();
    let message = alice.say(&mut a, b"still here?");
    assert_eq!(bob.hear(&mut b, &message).unwrap().content.as_slice(), b"still here?");
    b.delete(&bob.mls, &bob.kept).unwrap();
    assert!(Group::load(&bob.mls, &bob.kept, a.id(), bob.secret.clone()).unwrap().is_none());
}

//= GROUP-004
#[test]
fn only_a_member_of_the_epoch_decides() {
    let (alice, a, bob, mut b) = pair(false);
    let body = alice.secret.stream().read_capability();
    let content = Decision::sign(&a, &body, 3, b"the body");
    let decision = Decision::verify(&b, &content).unwrap();
    assert_eq!((decision.leaf, decision.parts), (a.me(), 3));
    assert!(decision.fits(b"the body") && !decision.fits(b"another body"));
    for place in 0..content.len() {
        let mut other = content.clone();
        other[place] ^= 1;
        assert!(Decision::verify(&b, &other).is_err(), "byte {place}");
    }
    bob.commit(&mut b, &Changes { refresh: true, ..Changes::default() });
    bob.merge(&mut b);
    assert!(Decision::verify(&b, &content).is_err(), "of an epoch that is over");
}

#[test]
fn a_store_that_fails_is_not_blamed_on_the_peer() {
    struct Broken;
    impl KeyValue for Broken {
        fn get(&self, _: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
            Err("disk".into())
        }
        fn put(&self, _: &[u8], _: &[u8]) -> Result<(), String> {
            Err("disk".into())
        }
        fn remove(&self, _: &[u8]) -> Result<(), String> {
            Err("disk".into())
        }
    }
    let (alice, mut a, bob, mut b) = pair(true);
    let message = alice.say(&mut a, b"hello");
    assert_eq!(b.decrypt(&bob.mls, &Broken, &message).err(), Some(Error::Storage));
}

//= DIRECT-017
#[test]
fn debug_prints_names_only() {
    let (alice, a, _, _) = pair(true);
    let text =
        format!("{:?} {:?} {:?} {:?}", alice.secret, a, alice.package(), a.charter().unwrap());
    assert_eq!(text, "MemberSecret Group Invited Charter");
}

impl Person {
    /// Somebody else who takes over this id: the keys are their own.
    fn posing_as(&self, victim: &Person) -> Person {
        let mut rng = ChaCha20Rng::from_seed([66; 32]);
        let rescue = self.secret.rescue().clone();
        let secret = MemberSecret::from_rescue(victim.secret.id(), rescue, NOW, &mut rng);
        Person { secret, name: victim.name.clone(), ..Person::new("mallory", 66) }
    }
}

/// A commit that removes the member at `leaf`, and adds this KeyPackage.
fn replacing(leaf: u32, with: Invited) -> Changes {
    Changes { add: vec![with], remove: vec![leaf], ..Changes::default() }
}

//= GROUP-018
#[test]
fn nobody_takes_the_id_of_another_member_or_of_one_who_was_removed() {
    let (alice, mut a, mallory, mut m) = pair(false);
    let bob = Person::new("bob", 3);
    let committed = alice.commit(&mut a, &add(bob.package()));
    alice.merge(&mut a);
    mallory.apply(&mut m, a.me(), &committed.commit).unwrap();
    let mut b = bob.join(&committed.welcome.unwrap());

    let forged = mallory.posing_as(&bob).package();
    let changes = replacing(b.me(), forged.clone());
    assert!(m.commit(&mallory.mls, &mallory.kept, &changes).is_err(), "an honest program");
    let hostile = m.commit_unchecked(&mallory.mls, &mallory.kept, &changes).unwrap();
    let refused = Some(Error::BadCommit("a member without proof of who they are"));
    assert_eq!(alice.apply(&mut a, m.me(), &hostile.commit).err(), refused);
    assert_eq!(bob.apply(&mut b, m.me(), &hostile.commit).err(), refused);
    mallory.withdraw(&mut m).unwrap();

    // Once bob is out nobody remembers his keys; his id is still his alone.
    let out = alice.commit(&mut a, &Changes { remove: vec![b.me()], ..Changes::default() });
    alice.merge(&mut a);
    mallory.apply(&mut m, a.me(), &out.commit).unwrap();
    let hostile = m.commit_unchecked(&mallory.mls, &mallory.kept, &add(forged)).unwrap();
    assert_eq!(alice.apply(&mut a, m.me(), &hostile.commit).err(), refused);
}

//= GROUP-018
#[test]
fn old_keys_of_a_member_do_not_come_back() {
    let (alice, mut a, bob, mut b) = pair(false);
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let newer = |rng: &mut ChaCha20Rng, person: &Person, seed| Person {
        secret: person.secret.renewed(NOW, rng),
        name: person.name.clone(),
        ..Person::new("bob", seed)
    };
    let second = newer(&mut rng, &bob, 4);
    let third = newer(&mut rng, &second, 5);
    let committed = alice.commit(&mut a, &replacing(b.me(), third.package()));
    alice.merge(&mut a);
    bob.apply(&mut b, a.me(), &committed.commit).unwrap();
    let mut t = third.join(&committed.welcome.unwrap());
    for old in [second.package(), third.package(), bob.package()] {
        let hostile = a.commit_unchecked(&alice.mls, &alice.kept, &replacing(t.me(), old)).unwrap();
        assert!(third.apply(&mut t, a.me(), &hostile.commit).is_err());
        alice.withdraw(&mut a).unwrap();
    }
}

/// A KeyPackage of this person, with a card that says something else than it should.
fn package_with(person: &Person, change: impl FnOnce(&mut MemberCard)) -> Result<Invited, Error> {
    let mut card = person.secret.card(person.name.clone());
    change(&mut card);
    let bytes = key_package::package_with(
        &person.mls,
        &person.kept,
        &person.secret,
        card.to_extensions()?,
    )?;
    Invited::parse(&person.mls, &bytes)
}

//= GROUP-018
#[test]
fn a_card_without_proof_or_with_one_for_other_keys_is_no_key_package() {
    let (mallory, bob) = (Person::new("mallory", 1), Person::new("bob", 2));
    assert!(package_with(&mallory, |_| ()).is_ok());
    assert!(package_with(&mallory, |card| card.proof = None).is_err());
    let theirs = bob.secret.card(bob.name.clone());
    assert!(package_with(&mallory, |card| *card = theirs.clone()).is_err());
    assert!(package_with(&mallory, |card| card.stream = theirs.stream.clone()).is_err());
    assert!(package_with(&mallory, |card| card.rescue = theirs.rescue.clone()).is_err());
}

//= GROUP-006
#[test]
fn a_stream_belongs_to_one_member() {
    let (alice, mut a, mallory, mut m) = pair(false);
    // Mallory's card of another conversation of hers names bob's stream, with a valid proof.
    let bob = Person::new("bob", 3);
    let mut bytes = Person::new("eve", 9).secret.to_bytes();
    let stream = bob.secret.stream().to_bytes();
    bytes[48..48 + stream.len()].copy_from_slice(&stream);
    let eve = Person { secret: MemberSecret::from_bytes(&bytes).unwrap(), ..Person::new("eve", 9) };
    let both = Changes { add: vec![bob.package(), eve.package()], ..Changes::default() };
    let hostile = m.commit_unchecked(&mallory.mls, &mallory.kept, &both).unwrap();
    let refused = Some(Error::BadCommit("two members with one id or stream"));
    assert_eq!(alice.apply(&mut a, m.me(), &hostile.commit).err(), refused);
    mallory.merge(&mut m);
    assert!(bob.welcomed(&hostile.welcome.unwrap()).is_err(), "nor does anyone join such a group");
}

//= GROUP-006
#[test]
fn a_refresh_changes_neither_the_signature_key_nor_the_streams() {
    let (alice, mut a, bob, mut b) = pair(false);
    let words = a.safety_words().unwrap();
    let before = a.members().unwrap();
    let refresh = bob.commit(&mut b, &Changes { refresh: true, ..Changes::default() });
    bob.merge(&mut b);
    alice.apply(&mut a, b.me(), &refresh.commit).unwrap();
    assert_eq!((a.safety_words().unwrap(), a.members().unwrap()), (words, before));
    // Bob's other secrets, in the place of his own.
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let other = bob.secret.renewed(NOW, &mut rng);
    let hostile = b.commit_with_key(&bob.mls, &bob.kept, &other, bob.name.clone()).unwrap();
    let refused = Some(Error::BadCommit("another identity"));
    assert_eq!(alice.apply(&mut a, b.me(), &hostile).err(), refused);
}

//= GROUP-019
#[test]
fn a_welcome_from_outside_replaces_no_group_and_uses_up_no_key_package() {
    let (_alice, a, bob, mut b) = pair(false);
    let package = bob.package();
    let kept = bob.kept.0.borrow().clone();
    // Mallory, who knows the group's id, founds another under it.
    let mallory = Person::new("mallory", 6);
    let charter = a.charter().unwrap();
    let id = Secret::new([8; 32]);
    let mut fake = Group::found(
        &mallory.mls,
        &mallory.kept,
        &id,
        mallory.secret.clone(),
        mallory.name.clone(),
        &charter,
    )
    .unwrap();
    let committed = mallory.commit(&mut fake, &add(package));
    let welcome = committed.welcome.unwrap();
    let welcomed = bob.welcomed(&welcome).unwrap();
    assert_eq!(welcomed.sender(), Some(mallory.secret.id()));
    assert_eq!(welcomed.join().err(), Some(Error::Malformed("welcome")));
    drop(bob.welcomed(&welcome).unwrap());
    assert!(*bob.kept.0.borrow() == kept, "nothing was written");
    let reloaded = Group::load(&bob.mls, &bob.kept, b.id(), bob.secret.clone()).unwrap().unwrap();
    assert_eq!(reloaded.authenticator(), a.authenticator());
    assert!(!bob.say(&mut b, b"still here").is_empty());
}
