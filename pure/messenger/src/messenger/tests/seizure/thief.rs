//! Somebody who has the tape, and all of one device.

use std::collections::BTreeSet;

use streams::{BoxId, ReadCapability, WriteCapability};

use super::super::world::{Person, Who, World};
use super::bag::Node;
use super::grinder::{Keys, Secret, exported};
use super::tape::Tape;
use crate::store::memory::MemoryStore;
use crate::store::{Space, Store};

const HOUR: u64 = 3_600_000;

/// What a thief brings home: the store, and the running program if there was one.
pub(super) struct Seized(Person);

/// What came of it.
pub(super) struct Loot {
    /// Texts that were in the store when it was seized: nothing had to be opened for those.
    pub(super) kept: BTreeSet<String>,
    /// Texts that the tape gave away in addition.
    pub(super) opened: BTreeSet<String>,
    /// Epochs whose boxes can be found.
    pub(super) epochs: usize,
    /// The boxes of messages that can be found.
    pub(super) seen: BTreeSet<BoxId>,
}

impl Seized {
    /// The disk and the memory of a running program. Its owner goes on with another device that has
    /// the same disk.
    pub(super) fn running(world: &mut World, who: Who) -> Seized {
        let disk = world.of(who).store.copy();
        let other = world.person("goes on");
        let mut person = world.people.remove(other.0);
        std::mem::swap(world.of(who), &mut person);
        world.of(who).online = person.online;
        world.comes_back_with(who, disk);
        Seized(person)
    }

    /// A disk alone: a copy of the store, or a backup. The thief starts the program with it.
    pub(super) fn disk(world: &mut World, store: &MemoryStore) -> Seized {
        let copy = store.copy();
        let other = world.person("a thief");
        world.comes_back_with(other, copy);
        Seized(world.people.remove(other.0))
    }

    /// The private keys by which a welcome opens: whoever has one of them reads the epoch that it
    /// leads into, whatever else was erased.
    pub(super) fn welcome_keys(&self) -> BTreeSet<Vec<u8>> {
        let records = self.0.store.scan(Space::Mls, &[]).unwrap();
        let nodes = records.iter().map(|(_, value)| Node::of(value));
        nodes
            .flat_map(|n| {
                n.named("private_init_key").into_iter().flat_map(Node::strings).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Whether the disk has this string of bytes anywhere.
    pub(super) fn has(&self, string: &Vec<u8>) -> bool {
        strings(&self.0.store).contains(string)
    }

    /// Opens what can be opened, in two ways. The program itself is shown the whole tape, alone
    /// with it: it follows every commit that it can follow, and all that it ever writes down is
    /// kept.
    /// Then every string of bytes in what was kept is tried as a key.
    pub(super) fn opens(mut self, world: &World, tape: &Tape, texts: &[String]) -> Loot {
        let is_kept = |store: &MemoryStore, text: &String| store.holds(text);
        let kept: BTreeSet<String> =
            texts.iter().filter(|t| is_kept(&self.0.store, t)).cloned().collect();
        self.0.store.hoards();
        (self.0.online, self.0.hub) = (true, 0);
        let mut lab = World::new();
        lab.now = world.now;
        lab.hubs[0].boxes = tape.boxes.clone();
        lab.people.push(self.0);
        let thief = Who(0);
        for _ in 0..3 {
            lab.pass(HOUR);
            lab.floods();
        }
        let store = &lab.of(thief).store;
        let strings = strings(store);
        let keys = Keys::from(&strings);
        let messages = tape.messages();
        let plain: Vec<Vec<u8>> =
            messages.iter().flat_map(|m| keys.open(&m.message, &tape.sender_data)).collect();
        let ground = |text: &String| plain.iter().any(|p| holds(p, text));
        let opened = texts.iter().filter(|t| !kept.contains(*t));
        let opened = opened.filter(|t| store.holds(t) || ground(t)).cloned().collect();
        let contexts = contexts(&strings, tape);
        let found = tape.found(&contexts, &streams(&strings));
        let seen =
            messages.into_iter().flat_map(|m| m.ids).filter(|id| found.contains(id)).collect();
        Loot { kept, opened, epochs: contexts.len(), seen }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

/// Every string of bytes that the store has, or ever had while the thief ran the program.
fn strings(store: &MemoryStore) -> BTreeSet<Vec<u8>> {
    let records = Space::ALL.into_iter().flat_map(|space| store.scan(space, &[]).unwrap());
    let records = records.map(|(_, value)| value.to_vec()).chain(store.hoard());
    records.flat_map(|record| Node::of(&record).strings()).collect()
}

/// The contexts of epochs that are among these strings, or that an exporter among them gives.
fn contexts(strings: &BTreeSet<Vec<u8>>, tape: &Tape) -> BTreeSet<Secret> {
    let secrets = strings.iter().filter_map(|s| Secret::try_from(s.as_slice()).ok());
    let tries = secrets.flat_map(|s| [s, exported(&s, "hushwing lane v1")]);
    tries.filter(|context| tape.contexts.contains(context)).collect()
}

/// The streams whose capabilities are among these strings.
fn streams(strings: &BTreeSet<Vec<u8>>) -> Vec<ReadCapability> {
    let reads = strings.iter().filter_map(|s| ReadCapability::from_kept(s).ok());
    let writes = strings.iter().filter_map(|s| WriteCapability::from_bytes(s).ok());
    reads.chain(writes.map(|w| w.read_capability())).collect()
}
