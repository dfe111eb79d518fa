//! A hub on a bench, with short words for what its askers say.

use hub::server::{AskId, Asker, Hub, HubConfig};
use hub::store::{BoxStore, Keep, MemoryStore};
use hub::{AccessClass, ClassLimits, client, to_wire};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use streams::{BoxId, VerifiedBox, WriteCapability};
use wire::hub::{Answer, PutOutcome, Refusal, Request, Response};
use wire::id::AccessKey;
use wire::{BootId, Timestamp};

pub(super) const MEMBER: AccessKey = AccessKey::new([1; 16]);
pub(super) const GUEST: AccessKey = AccessKey::new([2; 16]);
pub(super) const BOOT: BootId = BootId::new([9; 16]);

/// A box at index `n`, with content that `fill` decides.
pub(super) fn sealed(n: u64, fill: u8, len: usize) -> VerifiedBox {
    WriteCapability::from_seed(&[5; 32]).seal(&n.to_be_bytes(), &vec![fill; len]).unwrap()
}

pub(super) fn standard(n: u64) -> VerifiedBox {
    sealed(n, 1, 2032)
}

pub(super) fn bulk(n: u64) -> VerifiedBox {
    sealed(n, 1, 32_752)
}

pub(super) fn config() -> HubConfig {
    let keys = vec![
        (MEMBER, AccessClass::Member, ClassLimits::default()),
        (GUEST, AccessClass::Guest, ClassLimits::default()),
    ];
    HubConfig { keys, ..HubConfig::new(BOOT) }
}

/// A hub, its clock, and all that it has answered.
pub(super) struct Bench<S> {
    pub(super) hub: Hub<S>,
    pub(super) now: Timestamp,
    pub(super) next: u64,
    pub(super) rng: ChaCha20Rng,
}

impl Bench<MemoryStore> {
    pub(super) fn new() -> Self {
        Self::with(config(), MemoryStore::new(Keep::default()))
    }
}

impl<S: BoxStore> Bench<S> {
    pub(super) fn with(config: HubConfig, store: S) -> Self {
        Bench {
            hub: Hub::new(config, store),
            now: Timestamp::from_millis(1_000),
            next: 0,
            rng: ChaCha20Rng::seed_from_u64(7),
        }
    }

    pub(super) fn submit(&mut self, asker: Asker, request: Request) -> AskId {
        self.next += 1;
        self.hub.submit(self.now, AskId(self.next), asker, request);
        AskId(self.next)
    }

    pub(super) fn poll_all(&mut self) -> Vec<(AskId, Answer)> {
        std::iter::from_fn(|| self.hub.poll())
            .map(|(ask, Response { boot, answer, .. })| {
                assert_eq!(boot, BOOT);
                (ask, answer)
            })
            .collect()
    }

    pub(super) fn commit(&mut self) -> Vec<(AskId, Answer)> {
        self.hub.commit(self.now, &mut self.rng).unwrap();
        self.poll_all()
    }

    pub(super) fn after(&mut self, ms: u64) -> Vec<(AskId, Answer)> {
        self.now = self.now.plus_millis(ms);
        self.hub.tick(self.now);
        self.poll_all()
    }

    /// One request by itself; its answer, if there is one at once.
    pub(super) fn ask(&mut self, asker: Asker, request: Request) -> Option<Answer> {
        let ask = self.submit(asker, request);
        let answers = self.commit();
        answers.into_iter().find(|(a, _)| *a == ask).map(|(_, answer)| answer)
    }

    pub(super) fn put(&mut self, access: AccessKey, content: &VerifiedBox) -> Answer {
        self.ask(Asker::Direct(1), put(access, content)).unwrap()
    }
}

pub(super) fn put(access: AccessKey, content: &VerifiedBox) -> Request {
    client::put(access, &content.clone().into_sealed())
}

pub(super) fn get(ids: &[BoxId], deadline_ms: u32, hold: bool) -> Request {
    client::get(MEMBER, ids, deadline_ms, hold)
}

pub(super) fn outcome(outcome: PutOutcome) -> Answer {
    Answer::Put(outcome)
}

pub(super) fn refused(refusal: Refusal) -> Answer {
    Answer::Refused(refusal)
}

pub(super) fn boxes(contents: &[&VerifiedBox]) -> Answer {
    Answer::Boxes(contents.iter().map(|b| to_wire((*b).clone())).collect())
}
