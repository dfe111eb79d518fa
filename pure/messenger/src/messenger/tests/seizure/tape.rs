//! What somebody records who sees all traffic, and what the story tells them for free.

use std::collections::{BTreeMap, BTreeSet};

use streams::{BoxId, ReadCapability, SealedBox, unpad};

use super::super::world::World;
use super::bag::Node;
use super::grinder::{Message, Secret};
use crate::parts::{Joined, Joiner};
use crate::store::memory::MemoryStore;
use crate::store::{Space, Store};

/// Boxes of one lane that a story may take.
const LANE: usize = 64;

/// A message as the tape has it.
pub(super) struct Recorded {
    /// Where its boxes were.
    pub(super) ids: Vec<BoxId>,
    pub(super) message: Message,
}

/// Every box that ever came to the hub.
///
/// Beside it the tape has what a thief does not: the contexts of all epochs, which open the boxes
/// down to the MLS messages in them, and the secrets of sender data, which say whose message it is
/// and which. So whether a text is safe is asked of its own key alone, and not of the layers around
/// it.
#[derive(Default)]
pub(super) struct Tape {
    pub(super) boxes: BTreeMap<BoxId, SealedBox>,
    lanes: BTreeSet<(Secret, Vec<u8>)>,
    pub(super) contexts: BTreeSet<Secret>,
    pub(super) sender_data: BTreeSet<Secret>,
}

fn secrets<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> BTreeSet<Secret> {
    let strings = nodes.into_iter().flat_map(Node::strings);
    strings.filter_map(|s| s.try_into().ok()).collect()
}

impl Tape {
    /// Takes down what has come, and looks into everybody's store. To be called in each epoch.
    pub(super) fn listen(&mut self, world: &World) {
        for hub in &world.hubs {
            self.boxes.extend(hub.ever.iter().map(|(id, sealed)| (*id, sealed.clone())));
        }
        world.people.iter().for_each(|person| self.ask(&person.store));
    }

    fn ask(&mut self, store: &MemoryStore) {
        for (key, value) in store.scan(Space::Conversation, &[]).unwrap() {
            // The epochs of a conversation: its id, and "e".
            if key.len() != 17 || key.last() != Some(&b'e') {
                continue;
            }
            for epoch in Node::of(&value).entries() {
                let [context] = secrets(epoch.named("context"))
                    .into_iter()
                    .collect::<Vec<_>>()
                    .try_into()
                    .expect("an epoch has one context");
                let streams = epoch.named("members").into_iter().flat_map(Node::strings);
                let streams = streams.filter(|s| ReadCapability::from_bytes(s).is_ok());
                self.lanes.extend(streams.map(|stream| (context, stream)));
                self.contexts.insert(context);
            }
        }
        for (_, value) in store.scan(Space::Mls, &[]).unwrap() {
            self.sender_data.extend(secrets(Node::of(&value).named("sender_data_secret")));
        }
    }

    /// All messages of all lanes.
    pub(super) fn messages(&self) -> Vec<Recorded> {
        let mut all = Vec::new();
        for (context, stream) in &self.lanes {
            let mut at = ReadCapability::from_bytes(stream).unwrap();
            let (mut joiner, mut ids) = (Joiner::default(), Vec::new());
            for n in 0.. {
                let id = at.box_id(context);
                let Some(sealed) = self.boxes.get(&id) else { break };
                assert!(n < LANE, "a longer lane than thieves look through");
                let plain = at.open(context, &sealed.clone().verify().unwrap()).unwrap();
                ids.push(id);
                if let Joined::Whole(bytes) = joiner.push(unpad(&plain).unwrap())
                    && let Some(message) = Message::parse(&bytes)
                {
                    all.push(Recorded { ids: std::mem::take(&mut ids), message });
                }
                at = at.next().unwrap();
            }
        }
        all
    }

    /// Where boxes are for somebody with these contexts and these streams.
    pub(super) fn found(
        &self,
        contexts: &BTreeSet<Secret>,
        streams: &[ReadCapability],
    ) -> BTreeSet<BoxId> {
        let ids = contexts.iter().flat_map(|c| streams.iter().flat_map(move |s| s.ids(c, LANE)));
        ids.filter(|id| self.boxes.contains_key(id)).collect()
    }
}
