//! Seizure, played through: somebody records everything that ever passes the hub, and at a moment
//! takes a whole device. What can they open?
//!
//! Each story has a control: the same thief with the same tools and an earlier copy of the device
//! opens what the later one does not.

mod bag;
mod grinder;
mod tape;
mod thief;

use std::collections::BTreeSet;

use e2ee::id::{ConversationId, MessageId};
use e2ee::mls::PAST_EPOCHS;
use streams::BoxId;

use self::tape::Tape;
use self::thief::{Loot, Seized};
use super::world::{Who, World};
use crate::store::memory::MemoryStore;

const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;

/// People who talk, and the tape that runs.
struct Story {
    world: World,
    tape: Tape,
    texts: Vec<String>,
}

impl Story {
    fn passes(&mut self, ms: u64) {
        self.world.pass(ms);
        self.tape.listen(&self.world);
    }

    fn says(&mut self, who: Who, conversation: ConversationId, text: &str) -> MessageId {
        let id = self.world.say(who, conversation, text);
        self.texts.push(text.to_owned());
        self.passes(30_000);
        id
    }

    fn refreshes(&mut self, who: Who, conversation: ConversationId) {
        self.world.does(who, |m, s| m.refresh(s, conversation));
        self.passes(MINUTE);
    }

    /// Somebody who takes the running device.
    fn seizes(&mut self, who: Who) -> Seized {
        Seized::running(&mut self.world, who)
    }

    /// Somebody who takes a copy of the disk, with all keys to it.
    fn copies(&mut self, who: Who) -> Seized {
        let disk = self.world.of(who).store.copy();
        Seized::disk(&mut self.world, &disk)
    }

    /// What the thief opens with the tape as it is by now.
    fn opens(&self, seized: Seized) -> Loot {
        seized.opens(&self.world, &self.tape, &self.texts)
    }

    /// The boxes of all messages so far.
    fn said(&self) -> BTreeSet<BoxId> {
        self.tape.messages().into_iter().flat_map(|m| m.ids).collect()
    }
}

struct Two {
    story: Story,
    alice: Who,
    bob: Who,
    here: ConversationId,
    there: ConversationId,
}

/// Two contacts.
fn two() -> Two {
    let mut world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let (here, there) = world.befriend(alice, bob);
    let mut story = Story { world, tape: Tape::default(), texts: Vec::new() };
    story.passes(10 * MINUTE);
    Two { story, alice, bob, here, there }
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|t| (*t).to_owned()).collect()
}

#[test]
fn what_is_in_the_history_is_readable_and_everything_else_is_not() {
    let Two { mut story, alice, bob, here, there } = two();
    let early = [story.copies(alice), story.copies(bob)];
    story.says(bob, there, "<bob stays>");
    story.says(alice, here, "<alice stays>");
    let gone = story.says(bob, there, "<bob goes>");
    let mine = story.says(alice, here, "<alice goes>");
    for id in [gone, mine] {
        story.world.does(alice, |m, s| m.delete(s, here, id));
        story.world.does(bob, |m, s| m.delete(s, there, id));
    }
    story.passes(MINUTE);
    for who in [alice, bob] {
        let seized = story.seizes(who);
        let loot = story.opens(seized);
        assert_eq!(loot.kept, set(&["<bob stays>", "<alice stays>"]));
        assert_eq!(loot.opened, set(&[]));
        assert_eq!(loot.seen, story.said(), "of this epoch it shows that messages were sent");
    }
    for seized in early {
        let loot = story.opens(seized);
        assert_eq!(loot.opened.len(), 4, "before the messages, their keys are there");
    }
}

#[test]
fn what_has_disappeared_or_was_too_old_opens_for_nobody() {
    for timer in [true, false] {
        let Two { mut story, alice, bob, here, there } = two();
        if timer {
            story.world.does(alice, |m, s| m.set_timer(s, here, 120));
            story.passes(MINUTE);
        }
        let early = story.copies(alice);
        story.says(bob, there, "<from bob>");
        story.says(alice, here, "<from alice>");
        story.passes(10 * MINUTE);
        for who in [alice, bob] {
            let now = story.world.now;
            if !timer {
                story.world.does(who, |m, s| m.forget_before(s, now));
            }
            let seized = story.seizes(who);
            let loot = story.opens(seized);
            assert_eq!((loot.kept, loot.opened), (set(&[]), set(&[])), "timer: {timer}");
        }
        assert_eq!(story.opens(early).opened, set(&["<from bob>", "<from alice>"]));
    }
}

/// A message that comes late is still read in the two epochs after its own, and so its key waits.
//= GROUP-002
#[test]
fn a_message_that_never_came_is_open_for_two_more_epochs() {
    let Two { mut story, alice, bob, here, there } = two();
    let before = story.world.hubs[0].log.len();
    story.world.say(bob, there, "<late>");
    story.texts.push("<late>".to_owned());
    story.world.settle_only(bob);
    let late = story.world.hubs[0].log[before..].to_vec();
    story.world.hubs[0].hidden.extend(late.clone());
    story.world.of(bob).online = false;
    story.passes(MINUTE);
    for epochs_after in 0..=PAST_EPOCHS + 1 {
        let seized = story.seizes(alice);
        let loot = story.opens(seized);
        let open = epochs_after <= PAST_EPOCHS;
        assert_eq!(loot.epochs, PAST_EPOCHS.min(epochs_after) + 1);
        assert_eq!(loot.opened, if open { set(&["<late>"]) } else { set(&[]) }, "{epochs_after}");
        assert_eq!(late.iter().any(|id| loot.seen.contains(id)), open, "{epochs_after}");
        story.refreshes(alice, here);
    }
}

/// The key of a message that was passed over waits for it, until sixteen more of its author came.
//= DIRECT-016
#[test]
fn a_message_that_was_passed_over_is_open_for_fifteen_more() {
    for (later, open) in [(2, true), (15, true), (16, false)] {
        let Two { mut story, alice, bob, here, there } = two();
        let before = story.world.hubs[0].log.len();
        story.world.say(bob, there, "<passed over>");
        story.texts.push("<passed over>".to_owned());
        story.world.settle_only(bob);
        let lost = story.world.hubs[0].log[before..].to_vec();
        story.world.hubs[0].hidden.extend(lost);
        for n in 0..later {
            story.world.say(bob, there, &format!("later {n}"));
        }
        story.world.settle_only(bob);
        story.world.of(bob).online = false;
        story.passes(DAY / 12);
        // The first box behind a gap may be the end of what was lost.
        assert_eq!(story.world.heard(alice, here).len(), later - 1, "she went on without it");
        let seized = story.seizes(alice);
        let loot = story.opens(seized);
        assert_eq!(loot.opened, if open { set(&["<passed over>"]) } else { set(&[]) }, "{later}");
    }
}

//= GROUP-013
#[test]
fn a_thief_who_listens_is_shut_out_once_the_owner_has_refreshed_the_keys() {
    let Two { mut story, alice, bob, here, there } = two();
    let thieves = [story.seizes(alice), story.copies(alice)];
    story.says(bob, there, "<bob before>");
    story.says(alice, here, "<alice before>");
    let before = story.said();
    story.refreshes(alice, here);
    story.says(bob, there, "<bob after>");
    story.says(alice, here, "<alice after>");
    for thief in thieves {
        let loot = story.opens(thief);
        assert_eq!(loot.opened, set(&["<bob before>", "<alice before>"]));
        assert_eq!(loot.seen, before, "nor does it show that anything was said");
    }
}

//= GROUP-013
#[test]
fn the_new_keys_of_others_do_not_shut_a_thief_out() {
    let Two { mut story, alice, bob, here, there } = two();
    let thief = story.seizes(alice);
    story.refreshes(bob, there);
    story.says(bob, there, "<bob after>");
    story.says(alice, here, "<alice after>");
    let loot = story.opens(thief);
    assert_eq!(loot.opened, set(&["<bob after>", "<alice after>"]));
}

/// Acknowledgements are messages, too.
//= GROUP-013
#[test]
fn somebody_who_only_reads_shuts_the_thief_out_within_two_days() {
    let Two { mut story, alice, bob, there, .. } = two();
    let thief = story.seizes(alice);
    story.says(bob, there, "<first>");
    for _ in 0..4 {
        story.passes(DAY / 2);
        let n = story.texts.len();
        story.says(bob, there, &format!("<number {n}>"));
    }
    let last = story.texts.last().cloned().unwrap();
    let loot = story.opens(thief);
    assert!(loot.opened.contains("<first>") && !loot.opened.contains(&last), "{:?}", loot.opened);
}

//= GROUP-009
#[test]
fn the_device_of_a_removed_member_opens_nothing_that_was_said_since() {
    let mut world = World::new();
    let people = ["alice", "bob", "carol"].map(|n| world.person(n));
    let [alice, bob, carol] = people;
    let ids = world.group("friends", &people);
    let mut story = Story { world, tape: Tape::default(), texts: Vec::new() };
    story.passes(MINUTE);
    story.says(alice, ids[0], "<with bob>");
    let before = story.said();
    let control = story.copies(carol);
    let person = story.world.of(alice);
    let members = person.messenger.participants(&person.store, ids[0]).unwrap();
    let member = members.into_iter().find(|m| m.name == "bob").unwrap().id;
    story.world.does(alice, |m, s| m.remove_member(s, ids[0], member));
    story.passes(MINUTE);
    story.says(carol, ids[2], "<without bob>");
    story.says(alice, ids[0], "<also without bob>");
    for seized in [story.seizes(bob), story.copies(bob)] {
        let loot = story.opens(seized);
        assert_eq!(loot.kept, set(&["<with bob>"]));
        assert_eq!(loot.opened, set(&[]));
        assert!(loot.seen.is_subset(&before), "not even that anything was said");
    }
    let loot = story.opens(control);
    assert_eq!(loot.opened, set(&["<without bob>", "<also without bob>"]));
}

//= GONE-005
#[test]
fn a_forgotten_conversation_leaves_nothing_that_opens_anything() {
    let Two { mut story, alice, bob, here, there } = two();
    story.says(bob, there, "<from bob>");
    story.says(alice, here, "<from alice>");
    let control = story.copies(alice);
    story.world.does(alice, |m, s| m.forget(s, here));
    let seized = story.seizes(alice);
    story.says(bob, there, "<bob, later>");
    let loot = story.opens(seized);
    assert_eq!((loot.kept, loot.opened), (set(&[]), set(&[])));
    assert_eq!((loot.epochs, loot.seen.len()), (0, 0), "nor does it tell which boxes were hers");
    let loot = story.opens(control);
    assert_eq!(loot.kept, set(&["<from bob>", "<from alice>"]));
    assert_eq!(loot.opened, set(&["<bob, later>"]));
}

//= GROUP-011
#[test]
fn a_backup_has_the_history_and_opens_no_box() {
    let Two { mut story, alice, bob, here, there } = two();
    story.says(bob, there, "<from bob>");
    story.says(alice, here, "<from alice>");
    let backup = story.world.of(alice).store.backup();
    let seized = Seized::disk(&mut story.world, &backup);
    let whole = story.copies(alice);
    story.says(bob, there, "<bob, later>");
    let loot = story.opens(seized);
    assert_eq!(loot.kept, set(&["<from bob>", "<from alice>"]));
    assert_eq!((loot.opened, loot.epochs, loot.seen.len()), (set(&[]), 0, 0));
    assert_eq!(story.opens(whole).opened, set(&["<bob, later>"]), "the disk itself does");
}

//= DIRECT-003, GONE-005
#[test]
fn an_invite_opens_what_it_led_to_only_on_the_disk_that_made_it_and_while_it_is_open() {
    let mut world = World::new();
    let (alice, bob, mallory) = (world.person("alice"), world.person("bob"), world.person("m"));
    let link = world.invite(alice);
    let mut story = Story { world, tape: Tape::default(), texts: Vec::new() };
    let open = story.copies(alice);
    let (here, there) = story.world.meet(alice, bob, &link);
    story.passes(MINUTE);
    let gone = story.says(bob, there, "<to alice>");
    story.world.does(alice, |m, s| m.delete(s, here, gone));
    let used = story.copies(alice);
    // Mallory has the link, and tries it when it is used; then the thief has all that is hers.
    story.world.accept(mallory, &link);
    story.passes(MINUTE);
    let with_link = story.seizes(mallory);
    let keys = open.welcome_keys();
    assert!(!keys.is_empty() && keys.iter().all(|key| open.has(key) && !used.has(key)));
    assert_eq!(story.opens(open).opened, set(&["<to alice>"]), "its keys open the answer");
    assert_eq!(story.opens(used).opened, set(&[]));
    let loot = story.opens(with_link);
    assert_eq!((loot.kept, loot.opened, loot.seen.len()), (set(&[]), set(&[]), 0));
}

/// What hubs and relays have: boxes, and nothing that opens them.
#[test]
fn a_hub_has_boxes_and_no_key() {
    let Two { mut story, alice, here, .. } = two();
    story.says(alice, here, "<at the hub>");
    let control = story.copies(alice);
    assert_eq!(story.opens(control).kept, set(&["<at the hub>"]));
    let nobody = Seized::disk(&mut story.world, &MemoryStore::default());
    let loot = story.opens(nobody);
    assert_eq!((loot.kept, loot.opened, loot.seen.len()), (set(&[]), set(&[]), 0));
    let has = |bytes: &[u8]| bytes.windows(8).any(|w| w == b"<at the ");
    assert!(story.tape.boxes.values().all(|b| !has(&b.ciphertext)));
}
