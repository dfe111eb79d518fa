//! Sessions that a fuzzer attacks with a member's keys, or with an invite in hand.
//!
//! alice, bob and mallory are in a group; alice and bob, alice and mallory are contacts. mallory
//! does what the input says. Whatever that is, nobody's program fails, and alice and bob still
//! understand each other in their chat.
//!
//! Same input, same run: all starts from one copy of a world in which time and randomness are
//! numbers.

mod invites;
mod members;

use std::cell::OnceCell;

use arbitrary::Arbitrary;
use e2ee::id::{ConversationId, MemberId};
use streams::SealedBox;

pub use self::invites::{Invitation, invites};
pub use self::members::{Act, Said, members};
use super::world::{Who, World};
use crate::context::StepContext;
use crate::conversation::Conversation;
use crate::event::Event;

/// Changes of bytes that are valid: so an input gets past the first check without a corpus.
/// Most inputs change little: what is changed everywhere gets no further than the first check.
#[derive(Debug, Clone, Default, Arbitrary)]
pub struct Edits {
    /// How many of `at` count.
    count: u8,
    /// From 240 on, how many bytes of the end are cut off.
    cut: u8,
    /// Positions, modulo the length, and what is XORed there.
    at: [(u16, u8); Edits::MOST],
}

impl Edits {
    const MOST: usize = 3;

    fn of(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.truncate(bytes.len().saturating_sub(usize::from(self.cut.saturating_sub(240))));
        let count = usize::from(self.count) % (Self::MOST + 1);
        for (at, value) in self.at.iter().take(count) {
            let at = usize::from(*at) % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= value;
            }
        }
        bytes
    }

    /// The value that the changed encoding stands for, if it stands for one.
    fn of_value<T>(&self, value: &T) -> Option<T>
    where
        T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>,
    {
        wire::decode(&self.of(wire::encode(value)), "fuzzed").ok()
    }
}

/// The people before the attack.
struct Stage {
    world: World,
    alice: Who,
    bob: Who,
    mallory: Who,
    /// alice's chat with bob, at both ends.
    chat: [ConversationId; 2],
    /// alice's chat with mallory, at mallory's end.
    direct: ConversationId,
    /// The group, as alice, bob and mallory know it.
    groups: [ConversationId; 3],
    /// bob's id in the group, and the rescue stream behind it.
    person: (MemberId, Vec<u8>),
    /// Who was restored from a backup and has to be added again: one of the two, since nobody is
    /// left to add both.
    lost: Option<Who>,
}

impl Stage {
    fn new() -> Self {
        let mut world = World::new();
        let [alice, bob, mallory] = ["alice", "bob", "mallory"].map(|name| world.person(name));
        let groups: [ConversationId; 3] =
            world.group("friends", &[alice, bob, mallory]).try_into().unwrap();
        world.pass(60_000);
        world.of(mallory).hostile = true;
        let direct = |world: &mut World, who: Who, name: &str| {
            let person = world.of(who);
            let all = person.messenger.overview(&person.store).unwrap();
            all.into_iter().find(|c| c.direct && c.given == name).unwrap().id
        };
        let chat = [direct(&mut world, alice, "bob"), direct(&mut world, bob, "alice")];
        let direct = direct(&mut world, mallory, "alice");
        let me = world.does(bob, |m, s| Ok(m.hostile(s, groups[1], |c, _| c.me())));
        let keys = world.does(alice, |m, s| Ok(m.hostile(s, groups[0], |c, _| c.keys_of(me))));
        let person = (me, keys.unwrap());
        Stage { world, alice, bob, mallory, chat, direct, groups, person, lost: None }
    }

    /// A copy, in which everybody has started anew.
    fn fresh() -> Self {
        thread_local! {
            static FIRST: OnceCell<Stage> = const { OnceCell::new() };
        }
        FIRST.with(|first| {
            let first = first.get_or_init(Stage::new);
            let person = first.person.clone();
            Stage { world: first.world.copy(), person, ..*first }
        })
    }

    /// Does something with a conversation that no honest program does.
    fn of<T>(
        &mut self,
        who: Who,
        id: ConversationId,
        work: impl FnOnce(&mut Conversation, &mut StepContext<'_>) -> T,
    ) -> T {
        self.world.does(who, |m, s| Ok(m.hostile(s, id, work)))
    }

    fn by_mallory<T>(
        &mut self,
        id: ConversationId,
        work: impl FnOnce(&mut Conversation, &mut StepContext<'_>) -> T,
    ) -> T {
        self.of(self.mallory, id, work)
    }

    /// A hub in league with mallory takes these; each place still has one box.
    fn put(&mut self, boxes: Vec<SealedBox>) {
        for sealed in boxes {
            self.world.hubs[0].boxes.entry(sealed.id).or_insert(sealed);
        }
    }

    /// alice and bob understand each other, and their chat was never stopped.
    fn check(&mut self) {
        if self.lost.is_some() {
            // Members look once a day for whoever asks to be added again.
            self.world.pass(3 * 86_400_000);
            for (who, id) in [(self.alice, self.chat[0]), (self.bob, self.chat[1])] {
                let _ = self.world.tries(who, |m, s| m.accept_keys(s, id));
            }
        }
        let (id, keys) = self.person.clone();
        let known = self.of(self.alice, self.groups[0], |c, _| c.keys_of(id));
        assert!(known.is_none_or(|known| known == keys), "somebody else stands under bob's id");
        let ends = [(self.alice, self.chat[0]), (self.bob, self.chat[1])];
        for (n, (who, id)) in ends.into_iter().enumerate() {
            let text = format!("are you there? {n}");
            self.world.say(who, id, &text);
            self.world.pass(60_000);
            let (other, theirs) = ends[1 - n];
            let heard = self.world.heard(other, theirs);
            let told = [self.world.notices(who, id), self.world.notices(other, theirs)];
            assert!(heard.last() == Some(&text), "{n}: {heard:?}, not {text:?}: {told:?}");
            let stopped =
                |e: &Event| matches!(e, Event::Stopped { conversation } if *conversation == id);
            assert!(!self.world.of(who).events.iter().any(stopped), "the wrong chat is stopped");
        }
    }
}

#[cfg(test)]
mod tests {
    use arbitrary::Unstructured;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    const RUNS: u64 = 60;

    fn each(work: impl Fn(&mut Unstructured<'_>)) {
        for seed in 0..RUNS {
            let mut bytes = vec![0; 600];
            ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
            work(&mut Unstructured::new(&bytes));
        }
    }

    #[test]
    fn whatever_a_member_sends_the_chat_beside_it_goes_on() {
        each(|input| members(&<Vec<Act>>::arbitrary(input).unwrap()));
    }

    #[test]
    fn whatever_lies_behind_an_invite_other_chats_go_on() {
        each(|input| invites(&Invitation::arbitrary(input).unwrap()));
    }

    #[test]
    fn an_inviter_whose_id_is_not_her_own_gets_no_contact() {
        // Found by the fuzzer: the conversation was founded first, and checked then.
        let bytes = data_encoding::BASE64
            .decode(b"osTZUM3TCc0s1aioqKioqKioqKgrqKioqKiouAAAAIV7enpzhYWoqKioqA==")
            .unwrap();
        invites(&Invitation::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap());
    }

    #[test]
    fn edits_that_change_nothing_reach_the_end() {
        let honest = Edits::default;
        let mut stage = Stage::fresh();
        let link = stage.makes(&honest(), &honest(), &honest()).unwrap();
        let before = stage.world.ids(stage.bob).len();
        stage.world.accept(stage.bob, &link);
        stage.world.pass(60_000);
        assert_eq!(stage.world.ids(stage.bob).len(), before + 1);
        let link = stage.world.invite(stage.alice);
        let before = stage.world.ids(stage.alice).len();
        stage.answers(&link, &honest(), true, &honest(), &honest());
        stage.world.pass(60_000);
        assert_eq!(stage.world.ids(stage.alice).len(), before + 1);
        let text = || "hello".to_owned();
        let said = Said::Text(text(), None, honest());
        let group = stage.groups[1];
        stage.play(&Act::Says { direct: false, said });
        stage.world.pass(60_000);
        assert_eq!(stage.world.heard(stage.bob, group), [text()]);
        // A commit of hers that is valid is applied.
        let before = stage.of(stage.bob, group, |c, _| c.epoch());
        stage.play(&Act::Commit(honest()));
        stage.world.pass(60_000);
        assert_eq!(stage.of(stage.bob, group, |c, _| c.epoch()), before + 1);
    }
}
