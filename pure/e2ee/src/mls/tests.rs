use std::cell::RefCell;
use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::id::MemberId;
use crate::place::test_place;
use crate::{Error, Floor, Nick, Secret};

#[derive(Default)]
struct Kept(RefCell<BTreeMap<Vec<u8>, Vec<u8>>>);

impl KeyValue for Kept {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.borrow().get(key).cloned())
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
        Group::join(&self.mls, &self.kept, welcome, self.secret.clone()).unwrap()
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
    let again = Person { secret: bob.secret.renewed(&mut rng), ..Person::new("bob", 4) };
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
    let committed = alice.commit(&mut a, &Changes { charter: Some(charter), ..Changes::default() });
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
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, String> {
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
