//! A world of authorities: time, links, disks, and which nodes each of them sees.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use wire::NodeId;
use wire::document::*;
use wire::id::DocumentHash;

use super::*;
use crate::directory::{authority_set, sign_descriptor};
use crate::epoch::EpochKeys;
use crate::geometry::spec_for;

pub(super) const EPOCH_MS: u64 = 60_000;
const START: Timestamp = Timestamp::from_millis(1_000 * EPOCH_MS);
const STEP_MS: u64 = 50;

/// What travels: a frame, or a document that is handed out.
#[derive(Clone)]
enum Sent {
    Frame(Frame),
    Document(Vec<u8>),
}

struct Authority {
    core: Option<Consensus>,
    /// Neither hears nor acts, but its links stay.
    hangs: bool,
    disk: Vec<(u64, u32)>,
    full: bool,
    skew: i64,
    sees: BTreeSet<u8>,
    /// Nodes that come to it, and that it does not reach.
    hears: BTreeSet<u8>,
    /// The port that it says it listens on.
    port: u16,
    /// What its last vote was made of.
    voted: Option<(u64, BTreeSet<u8>, BTreeSet<u8>, u16)>,
    parameters: Parameters,
}

pub(super) struct World {
    rng: ChaCha20Rng,
    pub(super) now: Timestamp,
    pub(super) set: AuthoritySet,
    authorities: Vec<Authority>,
    broken: BTreeSet<(usize, usize)>,
    queue: BTreeMap<(Timestamp, u64), (usize, usize, Sent)>,
    sent: u64,
    documents: BTreeMap<(u64, u32), DocumentHash>,
    published: usize,
    accused: Vec<(usize, u8, Misdeed)>,
    /// Where each knows the others to be.
    pub(super) found: BTreeMap<(usize, u8), Vec<wire::Address>>,
    descriptors: BTreeMap<(u8, u64), SignedDescriptor>,
    /// What the authorities sent to those that have no core: liars.
    pub(super) overheard: Vec<(usize, usize, Frame)>,
}

pub(super) fn key(n: usize) -> AuthorityKey {
    AuthorityKey::generate(&mut ChaCha20Rng::seed_from_u64(n as u64)).unwrap()
}

pub(super) fn parameters() -> Parameters {
    Parameters {
        epoch_ms: EPOCH_MS,
        geometry: spec_for(PacketScheme::X25519Kem, 3).unwrap(),
        mixing: Mixing {
            mean_delay_ms: 10,
            max_delay_ms: 1_000,
            low: CoverRates::default(),
            normal: CoverRates::default(),
            default_level: CoverLevel::Off,
            mix_loops: 0,
        },
        paths: PathPolicy {
            min_relays: 3,
            max_relays: 3,
            forward_ppm: 0,
            layers: 0,
            distinct_regions: false,
        },
        tally: false,
        sealed: false,
    }
}

pub(super) fn node_id(seed: u8) -> NodeId {
    let key = ed25519_zebra::SigningKey::from([seed; 32]);
    NodeId::new(ed25519_zebra::VerificationKeyBytes::from(&key).into())
}

pub(super) fn address(port: u16) -> wire::Address {
    std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()
}

/// What a node says about itself in this epoch. Those from 20 on can do by their own links.
pub(super) fn descriptor(seed: u8, epoch: u64, port: u16) -> SignedDescriptor {
    let mut keys = EpochKeys::new(sphinx::Scheme::X25519Kem);
    keys.advance(epoch, &mut ChaCha20Rng::seed_from_u64(u64::from(seed) + epoch)).unwrap();
    let descriptor = NodeDescriptor {
        version: VERSION,
        role: Role::Relay,
        id: node_id(seed),
        addresses: vec![address(port)],
        region: None,
        rate: 100,
        keys: keys.public_from(epoch),
        processing: None,
        both_ways: seed >= 20,
        owner: None,
    };
    sign_descriptor(&[seed; 32], &descriptor)
}

impl World {
    pub(super) fn new(seed: u64, n: usize, threshold: u8) -> Self {
        World::with(seed, n, threshold, |_, _| {})
    }

    pub(super) fn with(
        seed: u64,
        n: usize,
        threshold: u8,
        change: impl Fn(usize, &mut Parameters),
    ) -> Self {
        let keys: Vec<AuthorityKey> = (0..n).map(key).collect();
        let set = authority_set(threshold, &keys);
        let authority = |n| {
            let mut parameters = parameters();
            change(n, &mut parameters);
            Authority {
                core: None,
                hangs: false,
                disk: Vec::new(),
                full: false,
                skew: 0,
                sees: BTreeSet::new(),
                hears: BTreeSet::new(),
                port: 5_999,
                voted: None,
                parameters,
            }
        };
        let mut world = World {
            rng: ChaCha20Rng::seed_from_u64(seed),
            now: Timestamp::from_millis(77_000),
            set,
            authorities: (0..n).map(authority).collect(),
            broken: BTreeSet::new(),
            queue: BTreeMap::new(),
            sent: 0,
            documents: BTreeMap::new(),
            published: 0,
            accused: Vec::new(),
            found: BTreeMap::new(),
            descriptors: BTreeMap::new(),
            overheard: Vec::new(),
        };
        for n in 0..n {
            world.restart(n);
        }
        world
    }

    pub(super) fn real(&self, n: usize) -> Timestamp {
        let passed = self.now.millis_since(Timestamp::from_millis(77_000));
        let real = START.plus_millis(passed);
        match self.authorities[n].skew {
            ahead @ 0.. => real.plus_millis(ahead.unsigned_abs()),
            behind => real.minus_millis(behind.unsigned_abs()),
        }
    }

    fn right(&self) -> Timestamp {
        START.plus_millis(self.now.millis_since(Timestamp::from_millis(77_000)))
    }

    pub(super) fn epoch(&self) -> u64 {
        self.right().period(EPOCH_MS)
    }

    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }

    pub(super) fn sees(&mut self, who: &[usize], nodes: &[u8]) {
        who.iter().for_each(|n| self.authorities[*n].sees.extend(nodes));
    }

    pub(super) fn loses(&mut self, who: &[usize], nodes: &[u8]) {
        who.iter().for_each(|n| self.authorities[*n].sees.retain(|node| !nodes.contains(node)));
    }

    pub(super) fn hears(&mut self, who: &[usize], nodes: &[u8]) {
        who.iter().for_each(|n| self.authorities[*n].hears.extend(nodes));
    }

    /// Its directory listens elsewhere from now on.
    pub(super) fn moves(&mut self, n: usize, port: u16) {
        self.authorities[n].port = port;
    }

    pub(super) fn clock(&mut self, n: usize, skew: i64) {
        self.authorities[n].skew = skew;
    }

    pub(super) fn full_disk(&mut self, n: usize, full: bool) {
        self.authorities[n].full = full;
    }

    pub(super) fn disk(&self, n: usize) -> &[(u64, u32)] {
        &self.authorities[n].disk
    }

    pub(super) fn hang(&mut self, n: usize, hangs: bool) {
        self.authorities[n].hangs = hangs;
    }

    /// It is gone, with its links and what was on its way.
    pub(super) fn kill(&mut self, n: usize) {
        self.authorities[n].core = None;
        self.authorities[n].sees.clear();
        for other in 0..self.authorities.len() {
            self.set_link(other, n, false);
        }
        self.queue.retain(|_, (from, to, _)| *from != n && *to != n);
    }

    pub(super) fn restart(&mut self, n: usize) {
        let (now, real) = (self.now, self.real(n));
        let authority = &mut self.authorities[n];
        let config = ConsensusConfig {
            set: self.set.clone(),
            me: u8::try_from(n).unwrap(),
            ids: (100..116).map(node_id).collect(),
            parameters: authority.parameters,
            signed: authority.disk.clone(),
        };
        let mut core = Consensus::new(config, key(n));
        core.tick(now, real);
        authority.core = Some(core);
        authority.voted = None;
        for other in 0..self.authorities.len() {
            self.set_link(n, other, true);
            self.set_link(other, n, true);
        }
    }

    /// A link from one to another: up when both are there and it is not broken.
    fn set_link(&mut self, from: usize, to: usize, up: bool) {
        let (now, real) = (self.now, self.real(from));
        let up = up && self.authorities[to].core.is_some() && !self.broken.contains(&(from, to));
        let document = self.current(to).filter(|_| up).map(|d| d.bytes().to_vec());
        if let Some(core) = self.authorities[from].core.as_mut().filter(|_| from != to) {
            core.link(now, real, u8::try_from(to).unwrap(), up);
            if let Some(bytes) = document {
                self.send(to, from, Sent::Document(bytes));
            }
            self.drain(from);
        }
    }

    /// A link as a liar sees it: whatever it sends arrives, and what is sent to it is overheard.
    pub(super) fn lie_through(&mut self, n: usize) {
        self.kill(n);
        for other in (0..self.authorities.len()).filter(|other| *other != n) {
            let (now, real) = (self.now, self.real(other));
            let liar = u8::try_from(n).unwrap();
            if let Some(core) = &mut self.authorities[other].core {
                core.link(now, real, liar, true);
            }
            self.drain(other);
        }
    }

    fn cut(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            self.broken.insert((from, to));
            self.queue.retain(|_, (f, t, _)| (*f, *t) != (from, to));
            self.set_link(from, to, false);
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            self.broken.remove(&(from, to));
            self.set_link(from, to, true);
        }
    }

    pub(super) fn break_something(&mut self, threshold: usize) {
        let n = self.authorities.len();
        let one = usize::try_from(self.random(n as u64)).unwrap();
        let other = usize::try_from(self.random(n as u64)).unwrap();
        let node = u8::try_from(self.random(12)).unwrap();
        let alive = self.authorities.iter().filter(|a| a.core.is_some()).count();
        match self.random(8) {
            0 if alive > threshold => self.kill(one),
            1 | 2 => {
                if self.authorities[one].core.is_none() {
                    self.restart(one);
                }
            }
            3 if one != other => self.cut(one, other),
            4 if one != other => self.join(one, other),
            5 => self.sees(&[one], &[node]),
            6 => self.loses(&[one], &[node]),
            _ => {
                let hangs = self.authorities[one].hangs;
                self.hang(one, !hangs);
            }
        }
    }

    pub(super) fn mend(&mut self) {
        self.broken.clear();
        for n in 0..self.authorities.len() {
            self.hang(n, false);
            if self.authorities[n].core.is_none() {
                self.restart(n);
            }
        }
        for a in 0..self.authorities.len() {
            for b in 0..self.authorities.len() {
                self.set_link(a, b, true);
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, sent: Sent) {
        let mut at = self.now.plus_millis(1 + self.random(120));
        // A link keeps the order.
        let last = self.queue.iter().filter(|(_, (f, t, _))| (*f, *t) == (from, to));
        at = last.map(|((at, _), _)| *at).max().map_or(at, |last| at.max(last));
        self.sent += 1;
        self.queue.insert((at, self.sent), (from, to, sent));
    }

    /// What a liar sends.
    pub(super) fn says(&mut self, liar: usize, to: usize, frame: Frame) {
        self.send(liar, to, Sent::Frame(frame));
    }

    pub(super) fn hands(&mut self, liar: usize, to: usize, document: Vec<u8>) {
        self.send(liar, to, Sent::Document(document));
    }

    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now.plus_millis(ms);
        while self.now < end {
            self.now = self.now.plus_millis(STEP_MS);
            self.deliver();
            for n in 0..self.authorities.len() {
                self.act(n);
            }
        }
    }

    pub(super) fn until_next_epoch(&mut self) {
        let into = self.right().as_millis() % EPOCH_MS;
        self.run(EPOCH_MS - into);
    }

    fn deliver(&mut self) {
        let later = self.queue.split_off(&(self.now.plus_millis(1), 0));
        let due = std::mem::replace(&mut self.queue, later);
        for ((_, n), (from, to, sent)) in due {
            if self.authorities[to].hangs {
                self.queue.insert((self.now.plus_millis(1), n), (from, to, sent));
                continue;
            }
            let (now, real) = (self.now, self.real(to));
            let sender = u8::try_from(from).unwrap();
            match (&mut self.authorities[to].core, sent) {
                (Some(core), Sent::Frame(frame)) => core.heard(now, real, sender, frame),
                (Some(core), Sent::Document(bytes)) => core.document(now, real, &bytes),
                (None, Sent::Frame(frame)) => self.overheard.push((from, to, frame)),
                (None, _) => {}
            }
            self.drain(to);
        }
    }

    fn act(&mut self, n: usize) {
        let (now, real) = (self.now, self.real(n));
        if self.authorities[n].hangs {
            return;
        }
        let epoch = real.period(EPOCH_MS);
        let Authority { sees, hears, port, .. } = &self.authorities[n];
        let listed = (epoch, sees.clone(), hears.clone(), *port);
        let ballot = Ballot {
            nodes: self.descriptors(&listed.1, epoch),
            dials_only: self.descriptors(&listed.2, epoch),
            addresses: vec![address(listed.3)],
        };
        let authority = &mut self.authorities[n];
        let Some(core) = &mut authority.core else { return };
        if authority.voted.as_ref() != Some(&listed) {
            authority.voted = Some(listed);
            core.vote(now, real, epoch, ballot).unwrap();
        }
        core.tick(now, real);
        self.drain(n);
    }

    /// The descriptors of these nodes, in ascending order of id.
    pub(super) fn descriptors(
        &mut self,
        nodes: &BTreeSet<u8>,
        epoch: u64,
    ) -> Vec<SignedDescriptor> {
        let mut listed: Vec<(NodeId, SignedDescriptor)> = Vec::new();
        for seed in nodes {
            let made = self.descriptors.entry((*seed, epoch));
            let made = made.or_insert_with(|| descriptor(*seed, epoch, 5_001));
            listed.push((node_id(*seed), made.clone()));
        }
        listed.sort_by_key(|(id, _)| *id);
        listed.into_iter().map(|(_, signed)| signed).collect()
    }

    fn drain(&mut self, n: usize) {
        while let Some(output) = self.authorities[n].core.as_mut().and_then(Consensus::poll) {
            match output {
                Output::Send(to, frame) => {
                    let to = usize::from(to);
                    if !self.broken.contains(&(n, to)) {
                        self.send(n, to, Sent::Frame(frame));
                    }
                }
                Output::Note(signed) => {
                    let (now, real) = (self.now, self.real(n));
                    let authority = &mut self.authorities[n];
                    let durable = !authority.full;
                    if durable {
                        authority.disk = signed;
                    }
                    if let Some(core) = &mut authority.core {
                        core.noted(now, real, durable);
                    }
                }
                Output::Found(of, addresses) => {
                    self.found.insert((n, of), addresses);
                }
                Output::Publish(document) => self.publish(n, &document),
                Output::Accuse(of, misdeed) => self.accused.push((n, of, misdeed)),
            }
        }
    }

    fn publish(&mut self, n: usize, document: &VerifiedDocument) {
        self.published += 1;
        let pair = (document.epoch, document.revision);
        let known = *self.documents.entry(pair).or_insert(document.hash());
        assert_eq!(known, document.hash(), "two good documents for {pair:?}");
        for to in (0..self.authorities.len()).filter(|to| *to != n) {
            if !self.broken.contains(&(to, n)) {
                self.send(n, to, Sent::Document(document.bytes().to_vec()));
            }
        }
    }

    pub(super) fn current(&self, n: usize) -> Option<Arc<VerifiedDocument>> {
        self.authorities[n].core.as_ref().and_then(Consensus::current)
    }

    /// The nodes of its document.
    pub(super) fn lists(&self, n: usize) -> Vec<u8> {
        let document = self.current(n).expect("it has a document");
        (0..40).filter(|seed| document.node(&node_id(*seed)).is_some()).collect()
    }

    /// Documents published by all authorities, each counted as often as it was.
    pub(super) const fn published(&self) -> usize {
        self.published
    }

    pub(super) fn accused(&self, by: usize, of: u8) -> Vec<Misdeed> {
        let mine = self.accused.iter().filter(|(n, whom, _)| (*n, *whom) == (by, of));
        mine.map(|(_, _, misdeed)| *misdeed).collect()
    }

    /// Nobody has been accused of anything.
    pub(super) fn silence(&self) {
        assert!(self.accused.is_empty(), "{:?}", self.accused);
    }
}
