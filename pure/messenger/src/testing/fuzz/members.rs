//! What a member of a group, who is a contact too, sends to the others.

use arbitrary::Arbitrary;
use e2ee::id::{MemberId, MessageId, TransferId};
use e2ee::mls::Changes;
use streams::{Index, ReadCapability, SealedBox, WriteCapability};

use super::{Edits, Stage};
use crate::body::{AckEntry, Body, Envelope, FileOffer};
use crate::context::StepContext;
use crate::conversation::{Conversation, RescueMessage};
use crate::testing::world::Who;

/// Acts of one input beyond these are not played.
const MAX_ACTS: usize = 12;

/// One act of mallory's, or something that happens meanwhile.
#[derive(Debug, Clone, Arbitrary)]
pub enum Act {
    /// A message: in the group, or in the chat with alice.
    Says {
        /// In the chat.
        direct: bool,
        /// What she says.
        said: Said,
    },
    /// A deciding box that leads to a body which nobody wrote, or which holds these bytes.
    Decision {
        /// Where the body's stream begins.
        counter: u64,
        /// How many boxes it is said to have.
        parts: u32,
        /// What lies there.
        content: Option<Vec<u8>>,
    },
    /// A decision for a commit whose bytes are changed after it was signed.
    Commit(Edits),
    /// A commit that adds a KeyPackage with a changed card.
    Add {
        /// Under the id of this member, modulo 4; under a new one if there is none.
        pose: u8,
        /// Whether that member is removed by the same commit.
        instead: bool,
        /// Changes of the card.
        card: Edits,
    },
    /// A commit that removes the member at this leaf, modulo 4.
    Remove(u8),
    /// A commit with another charter.
    Charter(Edits),
    /// A message on her rescue stream.
    Rescue {
        /// At which place of today's.
        at: u8,
        /// Whether it is for alice, or about alice.
        alice: bool,
        /// 0: a request; 1: a welcome; else a head.
        kind: u8,
        /// Of the head.
        epoch: u64,
        /// Changes of the message.
        edits: Edits,
        /// Changes of the charter, where it is a welcome.
        charter: Edits,
    },
    /// alice, or bob, is restored from a backup, and asks to be added again.
    Lose(bool),
    /// The process of alice, or of bob, starts again.
    Restart(bool),
    /// Seconds pass.
    Pass(u16),
}

/// What mallory says: bytes that need not be a message, or a message with changes.
#[derive(Debug, Clone, Arbitrary)]
pub enum Said {
    /// Any bytes.
    Bytes(Vec<u8>),
    /// A text.
    Text(String, Option<u32>, Edits),
    /// Something about a message: an edit, a deletion, a reaction, a receipt.
    About(u8, [u8; 16], String, Edits),
    /// A timer.
    Timer(u32),
    /// An acknowledgement.
    Ack(u64, u64, Vec<u64>, Edits),
    /// A file.
    File(String, u64, Edits),
    /// Part of an invitation into a group.
    Invitation(u8, [u8; 16], Vec<u8>, Edits),
    /// She asks to be removed.
    Leave,
}

impl Said {
    fn bytes(&self, id: MessageId, members: &[MemberId], now: wire::Timestamp) -> Vec<u8> {
        let (body, edits) = match self.clone() {
            Said::Bytes(bytes) => return bytes,
            Said::Text(text, ttl, edits) => (Body::Text { text, reply_to: Some(id), ttl }, edits),
            Said::About(kind, target, text, edits) => {
                let target = MessageId::new(target);
                let body = match kind % 4 {
                    0 => Body::Edit { target, text },
                    1 => Body::Delete { target },
                    2 => Body::React { target, emoji: text, add: true },
                    _ => Body::Seen { ids: vec![target, id] },
                };
                (body, edits)
            }
            Said::Timer(seconds) => (Body::Timer { seconds }, Edits::default()),
            Said::Ack(epoch, count, holes, edits) => {
                let entry = |author: &MemberId| AckEntry {
                    author: *author,
                    epoch,
                    count,
                    holes: holes.clone(),
                };
                (Body::Ack { entries: members.iter().map(entry).collect(), show: true }, edits)
            }
            Said::File(name, size, edits) => {
                let stream = WriteCapability::from_seed(&[9; 32]).read_capability();
                let offer = FileOffer {
                    transfer: TransferId::new([7; 16]),
                    name,
                    size,
                    sha256: [0; 32].into(),
                    stream: stream.to_bytes().to_vec(),
                };
                (Body::File { offer, ttl: None }, edits)
            }
            Said::Invitation(kind, token, bytes, edits) => {
                let token = MessageId::new(token);
                let body = match kind % 4 {
                    0 => {
                        let title = String::from_utf8_lossy(&bytes).into_owned();
                        Body::Invite { token, title, members: u32::from(kind) }
                    }
                    1 => Body::Accept { token, key_package: Some(bytes) },
                    2 => Body::Accept { token, key_package: None },
                    _ => Body::Welcome { token, welcome: bytes },
                };
                (body, edits)
            }
            Said::Leave => (Body::Leave, Edits::default()),
        };
        edits.of(Envelope::new(id, now, body).to_bytes().to_vec())
    }
}

/// Plays what one member does.
pub fn members(acts: &[Act]) {
    let mut stage = Stage::fresh();
    for act in acts.iter().take(MAX_ACTS) {
        stage.play(act);
        stage.world.settle();
    }
    stage.world.pass(60_000);
    stage.check();
}

impl Stage {
    pub(super) fn play(&mut self, act: &Act) {
        let one = |first: bool| if first { self.alice } else { self.bob };
        match act {
            Act::Restart(first) => self.world.restart(one(*first)),
            Act::Lose(first) => {
                let who = *self.lost.get_or_insert(one(*first));
                let backup = self.world.of(who).store.backup();
                self.world.restore(who, &backup);
            }
            Act::Pass(seconds) => self.world.pass(u64::from(*seconds).saturating_mul(1_000)),
            Act::Says { direct, said } => {
                let id = if *direct { self.direct } else { self.groups[2] };
                self.by_mallory(id, |c, cx| {
                    let message = MessageId::random(cx.rng);
                    c.hostile_bytes(cx, &said.bytes(message, &c.ids(), cx.now));
                });
            }
            Act::Decision { counter, parts, content } => self.decision(*counter, *parts, content),
            Act::Commit(edits) => self.by_mallory(self.groups[2], |c, cx| {
                let refresh = Changes { refresh: true, ..Changes::default() };
                c.hostile_commit_of(cx, &refresh, |commit| edits.of(commit));
            }),
            Act::Add { pose, instead, card } => self.by_mallory(self.groups[2], |c, cx| {
                let id = c.ids().get(usize::from(*pose % 4)).copied();
                let Some(add) = c.invited_with(cx, id, |bytes| card.of(bytes)) else { return };
                let leaf = id.filter(|_| *instead).and_then(|id| c.leaf_of(id));
                let remove = leaf.into_iter().collect();
                c.hostile_commit(cx, &Changes { add: vec![add], remove, ..Changes::default() });
            }),
            Act::Remove(leaf) => self.by_mallory(self.groups[2], |c, cx| {
                let remove = vec![u32::from(*leaf % 4)];
                c.hostile_commit(cx, &Changes { remove, ..Changes::default() });
            }),
            Act::Charter(edits) => self.by_mallory(self.groups[2], |c, cx| {
                let charter = c.charter().and_then(|charter| edits.of_value(&charter));
                if charter.is_some() {
                    c.hostile_commit(cx, &Changes { charter, ..Changes::default() });
                }
            }),
            Act::Rescue { at, alice, kind, epoch, edits, charter } => {
                let who = one(*alice);
                self.rescue(who, *kind, *epoch, charter, |c, cx, message| {
                    c.hostile_rescue_bytes(cx, u64::from(*at), &edits.of(message))
                });
            }
        }
    }

    fn decision(&mut self, counter: u64, parts: u32, content: &Option<Vec<u8>>) {
        let stream = WriteCapability::from_seed(&[5; 32]);
        let mut index = *stream.index().to_bytes();
        index[..8].copy_from_slice(&counter.to_le_bytes());
        let Ok(body) = ReadCapability::from_parts(stream.root_public(), Index::from_kept(&index))
        else {
            return;
        };
        let bytes = content.as_deref().unwrap_or(b"nothing");
        let decision =
            self.by_mallory(self.groups[2], |c, _| c.hostile_decision_of(&body, parts, bytes));
        let mut boxes: Vec<_> = decision.into_iter().collect();
        if content.is_some() {
            boxes.extend(Conversation::hostile_body_boxes(stream, bytes));
        }
        self.put(boxes);
    }

    /// A message about, or for, this person on mallory's rescue stream.
    fn rescue(
        &mut self,
        who: Who,
        kind: u8,
        epoch: u64,
        charter: &Edits,
        place: impl FnOnce(&Conversation, &StepContext<'_>, Vec<u8>) -> Vec<SealedBox>,
    ) {
        let theirs = if who == self.alice { self.groups[0] } else { self.groups[1] };
        let (member, package) = self.of(who, theirs, |c, _| (c.me(), c.asked_with()));
        let boxes = self.by_mallory(self.groups[2], |c, cx| {
            let message = match (kind % 3, package) {
                (0, package) => {
                    let key_package = package.unwrap_or_else(|| c.fresh_package(cx));
                    RescueMessage::Request { key_package }
                }
                (1, Some(package)) => {
                    let fake = c.look_alike(|old| {
                        if let Some(new) = charter.of_value(old) {
                            *old = new;
                        }
                    });
                    match fake.and_then(|mut fake| fake.welcome(&package)) {
                        Some(welcome) => RescueMessage::Welcome { member, welcome },
                        None => return Vec::new(),
                    }
                }
                _ => RescueMessage::Head { epoch, authenticator: [6; 32].into() },
            };
            place(c, cx, wire::encode(&message))
        });
        self.put(boxes);
    }
}
