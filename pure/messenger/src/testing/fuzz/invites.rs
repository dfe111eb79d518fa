//! What whoever made an invite, or holds one, leaves at its places.

use arbitrary::Arbitrary;
use e2ee::invite::{Answer, CONTEXT, Invite, Offer};
use e2ee::mls::{Charter, MemberSecret, Mls, key_package_showing};
use e2ee::{Floor, Nick, Secret};
use streams::{SealedBox, Sizes, WriteCapability, unpad};

use super::{Edits, Stage};
use crate::context::MlsSpace;
use crate::conversation::LookAlike;
use crate::parts::{Joined, Joiner, split};
use crate::reader::{Read, StreamReader};
use crate::sealed::seal_all;
use crate::store::memory::MemoryStore;
use crate::testing::world::{START, place};

/// What mallory does with an invite.
#[derive(Debug, Clone, Arbitrary)]
pub enum Invitation {
    /// She makes one, and bob accepts it.
    Makes {
        /// Changes of the card that she shows.
        card: Edits,
        /// Changes of the KeyPackage.
        package: Edits,
        /// Changes of the payload.
        offer: Edits,
        /// bob's process starts again meanwhile.
        restart: bool,
    },
    /// alice made one, and mallory answers with a welcome into a conversation of hers.
    Answers {
        /// Changes of its charter.
        charter: Edits,
        /// Whether it is one of two people.
        direct: bool,
        /// Changes of the welcome.
        welcome: Edits,
        /// Changes of the answer.
        answer: Edits,
        /// alice's process starts again meanwhile.
        restart: bool,
    },
}

/// Plays what mallory does with an invite.
pub fn invites(invitation: &Invitation) {
    let mut stage = Stage::fresh();
    match invitation {
        Invitation::Makes { card, package, offer, restart } => {
            if let Some(link) = stage.makes(card, package, offer) {
                stage.world.accept(stage.bob, &link);
                stage.world.settle();
                if *restart {
                    stage.world.restart(stage.bob);
                }
            }
        }
        Invitation::Answers { charter, direct, welcome, answer, restart } => {
            let link = stage.world.invite(stage.alice);
            stage.answers(&link, charter, *direct, welcome, answer);
            if *restart {
                stage.world.restart(stage.alice);
            }
        }
    }
    stage.world.pass(60_000);
    stage.check();
}

impl Stage {
    pub(super) fn makes(&mut self, card: &Edits, package: &Edits, offer: &Edits) -> Option<Invite> {
        let (mls, store) = (Mls::new().unwrap(), MemoryStore::default());
        let now = self.world.now;
        let rng = &mut self.world.of(self.mallory).rng;
        let secret = MemberSecret::random(rng);
        let name = || Nick::new("mallory").unwrap();
        let kept = MlsSpace(&store);
        let bytes = key_package_showing(&mls, &kept, &secret, name(), |c| card.of(c)).ok()?;
        let whole = Offer::new(package.of(bytes), name(), now.plus_millis(3_600_000), rng);
        let whole = offer.of_value(&whole)?;
        let link = Invite::to(&whole, place(), Floor::Anywhere);
        if now >= link.expires() {
            return None;
        }
        self.put(sealed(link.offer_stream(), &whole.to_bytes()));
        Some(link)
    }

    pub(super) fn answers(
        &mut self,
        link: &Invite,
        charter: &Edits,
        direct: bool,
        welcome: &Edits,
        answer: &Edits,
    ) {
        // What the hub has is what the link leads to: the honest way to the KeyPackage.
        let boxes = self.world.hubs[0].boxes.values().cloned();
        let Some(offer) = opened(link, boxes.collect()) else { return };
        let rng = &mut self.world.of(self.mallory).rng;
        let (secret, id, root) =
            (MemberSecret::random(rng), Secret::random(rng), Secret::random(rng));
        let (floor, me) = (Floor::Anywhere, secret.id());
        let title = if direct { "" } else { "friends" };
        let honest = Charter::new(direct, place(), floor, title, me, root).unwrap();
        let Some(charter) = charter.of_value(&honest) else { return };
        let founded = LookAlike::found(&id, secret, &charter);
        let bytes = founded.and_then(|mut founded| founded.welcome(&offer.key_package));
        let Some(bytes) = bytes.map(|bytes| welcome.of(bytes)) else { return };
        let bytes = answer.of(Answer::new(bytes).to_bytes());
        self.put(sealed(link.answer_stream(), &bytes));
    }
}

/// The offer that lies where a link leads to.
fn opened(link: &Invite, boxes: Vec<SealedBox>) -> Option<Offer> {
    let mut reader =
        StreamReader::new(link.offer_stream().read_capability(), CONTEXT.to_vec()).unwrap();
    for sealed in boxes {
        reader.accept(sealed.verify().unwrap());
    }
    let mut joiner = Joiner::default();
    while let Some(read) = reader.next(START).unwrap() {
        let Read::Plain(plain) = read else { return None };
        if let Joined::Whole(bytes) = joiner.push(unpad(&plain).ok()?) {
            return link.open_offer(&bytes).ok();
        }
    }
    None
}

fn sealed(stream: WriteCapability, bytes: &[u8]) -> Vec<SealedBox> {
    let (boxes, _) = seal_all(stream, CONTEXT, &split(bytes), Sizes::Uniform).unwrap();
    boxes.iter().map(|sealed| sealed.to_box().unwrap()).collect()
}
