//! Documents: forged, altered, expired, rolled back; nodes: admitted, absent, back again.

use std::collections::BTreeSet;

use mix::Error;
use mix::directory::{
    Accepted, Assembler, AssemblerConfig, AuthorityKey, DocumentKeeper, Presence, SKEW_MS,
    authority_set, layers, network_id, sign_descriptor, sign_document, token_hash, verify,
    verify_descriptor,
};
use mix::epoch::EpochKeys;
use mix::geometry::spec_for;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sphinx::Scheme;
use wire::document::*;
use wire::frame::RefusedReason;
use wire::id::AdmissionToken;
use wire::{NodeId, Timestamp};

const EPOCH_MS: u64 = 10_000;
const T0: Timestamp = Timestamp::from_millis(1_000 * EPOCH_MS);

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

struct World {
    keys: Vec<AuthorityKey>,
    set: AuthoritySet,
    token: AdmissionToken,
    assembler: Assembler,
}

impl World {
    fn new(threshold: u8, authorities: usize) -> Self {
        let keys: Vec<AuthorityKey> =
            (0..authorities).map(|n| AuthorityKey::generate(&mut rng(n as u64)).unwrap()).collect();
        let set = authority_set(threshold, &keys);
        let token = AdmissionToken::new([7; 32]);
        let assembler = Assembler::new(config(&set, token, Vec::new()));
        World { keys, set, token, assembler }
    }

    fn sign(&self, document: &NetworkDocument, by: &[u8]) -> Vec<u8> {
        let keys: Vec<(u8, &AuthorityKey)> =
            by.iter().map(|n| (*n, &self.keys[usize::from(*n)])).collect();
        wire::encode(&sign_document(document, &self.set, &keys).unwrap())
    }

    fn document(&mut self, now: Timestamp) -> NetworkDocument {
        self.assembler.poll(now).expect("a document is due")
    }
}

fn config(set: &AuthoritySet, token: AdmissionToken, signed: Vec<(u64, u32)>) -> AssemblerConfig {
    AssemblerConfig {
        network: network_id(set),
        tokens: vec![token_hash(&token)],
        parameters: Parameters {
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
                layers: 3,
                distinct_regions: false,
            },
            tally: false,
            sealed: false,
        },
        directories: Vec::new(),
        signed,
    }
}

fn node(seed: u8, epoch: u64) -> (NodeId, SignedDescriptor) {
    let identity = [seed; 32];
    let id = NodeId::new(
        ed25519_zebra::VerificationKeyBytes::from(&ed25519_zebra::SigningKey::from(identity))
            .into(),
    );
    let mut keys = EpochKeys::new(Scheme::X25519Kem);
    keys.advance(epoch, &mut rng(u64::from(seed))).unwrap();
    let descriptor = NodeDescriptor {
        version: VERSION,
        role: Role::Relay,
        id,
        addresses: vec!["127.0.0.1:5001".parse().unwrap()],
        region: None,
        rate: 100,
        keys: keys.public_from(epoch),
        processing: None,
        both_ways: true,
        owner: None,
    };
    (id, sign_descriptor(&identity, &descriptor))
}

//= DIR-002
#[test]
fn a_document_needs_both_signatures_of_enough_authorities() {
    let mut world = World::new(2, 3);
    let network = network_id(&world.set);
    let document = world.document(T0);
    assert!(verify(&world.sign(&document, &[0, 2]), &network).is_ok());
    assert_eq!(
        verify(&world.sign(&document, &[1]), &network).unwrap_err(),
        Error::Signatures { good: 1, threshold: 2 }
    );
    assert_eq!(
        verify(&world.sign(&document, &[1, 1]), &network).unwrap_err(),
        Error::Signatures { good: 1, threshold: 2 },
        "one authority signing twice is one"
    );
    for spoil in [0, 1] {
        let mut signed =
            sign_document(&document, &world.set, &[(0, &world.keys[0]), (1, &world.keys[1])])
                .unwrap();
        match spoil {
            0 => signed.signatures[0].ed25519[3] ^= 1,
            _ => signed.signatures[0].ml_dsa[3] ^= 1,
        }
        assert_eq!(
            verify(&wire::encode(&signed), &network).unwrap_err(),
            Error::Signatures { good: 1, threshold: 2 }
        );
    }
}

#[test]
fn an_altered_document_and_exchanged_authorities_are_refused() {
    let mut world = World::new(1, 1);
    let network = network_id(&world.set);
    let document = world.document(T0);
    let good = world.sign(&document, &[0]);
    assert!(verify(&good, &network).is_ok());
    let mut signed: SignedDocument = wire::decode(&good, "document").unwrap();
    let last = signed.document.len() - 1;
    signed.document[last] ^= 1;
    assert!(matches!(verify(&wire::encode(&signed), &network), Err(Error::Signatures { .. })));

    let forger = AuthorityKey::generate(&mut rng(99)).unwrap();
    let set = authority_set(1, std::slice::from_ref(&forger));
    let forged = sign_document(&document, &set, &[(0, &forger)]).unwrap();
    assert_eq!(verify(&wire::encode(&forged), &network).unwrap_err(), Error::WrongNetwork);
    // The forger signs with the true set's bytes: its key is not in there.
    let forged = SignedDocument { authorities: wire::encode(&world.set), ..forged };
    assert!(matches!(verify(&wire::encode(&forged), &network), Err(Error::Signatures { .. })));
    assert!(verify(b"nonsense", &network).is_err());
}

//= DIR-005
#[test]
fn a_reader_only_ever_goes_forward() {
    let mut world = World::new(1, 1);
    let network = network_id(&world.set);
    let first = world.document(T0);
    let checked = |d: &NetworkDocument| verify(&world.sign(d, &[0]), &network).unwrap();
    let second = NetworkDocument { revision: 1, ..first.clone() };
    let mut keeper = DocumentKeeper::new();
    assert_eq!(keeper.document_time(T0), None);
    assert_eq!(keeper.offer(T0, T0, checked(&first)), Ok(Accepted::Newer));
    assert_eq!(keeper.offer(T0, T0, checked(&first)), Ok(Accepted::Same));
    assert_eq!(keeper.offer(T0, T0, checked(&second)), Ok(Accepted::Newer));
    assert_eq!(keeper.offer(T0, T0, checked(&first)), Err(Error::RolledBack));
    let other =
        NetworkDocument { valid_until: second.valid_until.plus_millis(1), ..second.clone() };
    assert_eq!(keeper.offer(T0, T0, checked(&other)), Err(Error::Equivocation));
    let long_after = first.valid_until.plus_millis(SKEW_MS + 1);
    assert_eq!(keeper.offer(T0, long_after, checked(&second)), Err(Error::Expired));
    let long_before = first.published.minus_millis(SKEW_MS + 1);
    assert_eq!(
        DocumentKeeper::new().offer(T0, long_before, checked(&first)),
        Err(Error::FromTheFuture)
    );
    // A wrong clock is held within the document's own time.
    assert_eq!(keeper.document_time(Timestamp::MAX), Some(second.valid_until));
    assert_eq!(keeper.document_time(Timestamp::ZERO), Some(second.published));
}

//= DIR-010
#[test]
fn time_passes_by_a_clock_that_nobody_sets() {
    let mut world = World::new(1, 1);
    let network = network_id(&world.set);
    let first = world.document(T0);
    let checked = |d: &NetworkDocument| verify(&world.sign(d, &[0]), &network).unwrap();
    let mut keeper = DocumentKeeper::new();
    // The machine has no clock of its own; somebody has set it since the start.
    let now = Timestamp::from_millis(90_000);
    assert_eq!(
        keeper.offer(now, Timestamp::from_millis(90_000), checked(&first)),
        Err(Error::FromTheFuture)
    );
    keeper.offer(now, T0.plus_millis(500), checked(&first)).unwrap();
    let later = now.plus_millis(10_000);
    assert_eq!(keeper.time(later), Some(T0.plus_millis(10_500)));
    // Set to another day, it is refused as a witness, and nothing moves.
    let tomorrow = T0.plus_millis(2 * 24 * 3_600_000);
    assert_eq!(keeper.offer(later, tomorrow, checked(&first)), Err(Error::Expired));
    assert_eq!(keeper.time(later), Some(T0.plus_millis(10_500)));
    // Beyond the document's end time goes on, and document time does not.
    let day = 25 * 3_600_000;
    assert_eq!(keeper.time(later.plus_millis(day)), Some(T0.plus_millis(10_500 + day)));
    assert_eq!(keeper.document_time(later.plus_millis(day)), Some(first.valid_until));
}

//= DIR-003
#[test]
fn a_stranger_is_not_admitted_and_nobody_registers_another() {
    let mut world = World::new(1, 1);
    let (id, signed) = node(1, 1_000);
    let wrong = AdmissionToken::new([8; 32]);
    assert_eq!(world.assembler.register(T0, &wrong, &signed), Err(RefusedReason::NotAdmitted));
    let mut forged = signed.clone();
    forged.signature[0] ^= 1;
    assert_eq!(
        world.assembler.register(T0, &world.token, &forged),
        Err(RefusedReason::BadDescriptor)
    );
    assert!(verify_descriptor(&forged).is_err());
    let (_, stale) = node(1, 900);
    assert_eq!(
        world.assembler.register(T0, &world.token, &stale),
        Err(RefusedReason::BadDescriptor)
    );
    assert_eq!(world.assembler.register(T0, &world.token, &signed), Ok(id));
}

//= DIR-004
#[test]
fn documents_follow_who_is_present_and_the_epochs() {
    let mut world = World::new(1, 1);
    let first = world.document(T0);
    assert_eq!((first.epoch, first.revision, first.nodes.len()), (1_000, 0, 0));
    let (id, signed) = node(1, 1_000);
    world.assembler.register(T0, &world.token, &signed).unwrap();
    world.assembler.presence(T0, id, Presence::Reached);
    assert!(world.assembler.poll(T0.plus_millis(100)).is_none(), "changes are collected");
    let second = world.document(T0.plus_millis(400));
    assert_eq!((second.epoch, second.revision, second.nodes.len()), (1_000, 1, 1));
    assert!(world.assembler.poll(T0.plus_millis(5_000)).is_none(), "nothing changed");
    world.assembler.presence(T0.plus_millis(5_000), id, Presence::Away);
    let third = world.document(T0.plus_millis(5_400));
    assert_eq!(third.nodes.len(), 0, "absent nodes are not listed");
    world.assembler.presence(T0.plus_millis(6_000), id, Presence::Reached);
    let fourth = world.document(T0.plus_millis(6_400));
    assert_eq!(fourth.revision, 3);
    let next = world.document(T0.plus_millis(EPOCH_MS));
    assert_eq!(
        (next.epoch, next.revision, next.nodes.len()),
        (1_001, 0, 1),
        "its next key was registered ahead"
    );
    let third_epoch = world.document(T0.plus_millis(3 * EPOCH_MS));
    assert_eq!(third_epoch.nodes.len(), 0, "no key for that epoch");
    assert_eq!(next.valid_until, next.published.plus_millis(24 * 3_600_000), "a day without us");
    assert!(NetworkDocument::parse(&wire::encode(&next)).is_ok());
}

//= DIR-020
#[test]
fn a_relay_that_nobody_reaches_is_listed_apart_and_a_hub_not_at_all() {
    let mut world = World::new(1, 1);
    let (relay, signed) = node(1, 1_000);
    world.assembler.register(T0, &world.token, &signed).unwrap();
    let described = |seed, change: fn(&mut NodeDescriptor)| {
        let mut descriptor: NodeDescriptor =
            wire::decode(&node(seed, 1_000).1.descriptor, "descriptor").unwrap();
        change(&mut descriptor);
        (descriptor.id, sign_descriptor(&[seed; 32], &descriptor))
    };
    let (hub, signed) = described(2, |d| d.role = Role::Hub);
    world.assembler.register(T0, &world.token, &signed).unwrap();
    let (older, signed) = described(3, |d| d.both_ways = false);
    world.assembler.register(T0, &world.token, &signed).unwrap();
    // Without an address it cannot be reached, whatever somebody says.
    let (nowhere, signed) = described(4, |d| d.addresses.clear());
    world.assembler.register(T0, &world.token, &signed).unwrap();
    world.assembler.presence(T0, nowhere, Presence::Reached);
    for id in [relay, hub, older] {
        world.assembler.presence(T0, id, Presence::DialsOnly);
    }
    let ids = |nodes: &[NodeDescriptor]| nodes.iter().map(|n| n.id).collect::<BTreeSet<_>>();
    let document = world.document(T0.plus_millis(400));
    assert_eq!(ids(&document.dials_only), BTreeSet::from([relay, nowhere]));
    assert!(document.nodes.is_empty());
    assert!(NetworkDocument::parse(&wire::encode(&document)).is_ok());
    for id in [relay, hub, older] {
        world.assembler.presence(T0.plus_millis(500), id, Presence::Reached);
    }
    let document = world.document(T0.plus_millis(1_000));
    assert_eq!(ids(&document.nodes), BTreeSet::from([relay, hub, older]));
    assert_eq!(ids(&document.dials_only), BTreeSet::from([nowhere]));
    for (seed, role) in [(5, Role::Hub), (6, Role::Relay)] {
        let mut descriptor: NodeDescriptor =
            wire::decode(&node(seed, 1_000).1.descriptor, "descriptor").unwrap();
        (descriptor.role, descriptor.both_ways) = (role, role == Role::Hub);
        descriptor.addresses.clear();
        let signed = sign_descriptor(&[seed; 32], &descriptor);
        assert_eq!(
            world.assembler.register(T0, &world.token, &signed),
            Err(RefusedReason::BadDescriptor)
        );
    }
}

#[test]
fn a_restarted_directory_signs_no_pair_twice_and_waits_for_its_nodes() {
    let world = World::new(1, 1);
    let mut assembler = Assembler::new(config(&world.set, world.token, vec![(1_000, 4)]));
    assert!(assembler.poll(T0).is_none());
    let (id, signed) = node(1, 1_000);
    assembler.register(T0, &world.token, &signed).unwrap();
    assembler.presence(T0, id, Presence::Reached);
    let document = assembler.poll(T0.plus_millis(3_500)).unwrap();
    assert_eq!((document.epoch, document.revision, document.nodes.len()), (1_000, 5, 1));
}

//= DIR-004
//= DIR-005
#[test]
fn a_directory_whose_clock_was_ahead_goes_back_to_the_right_epoch_and_signs_no_pair_twice() {
    let mut world = World::new(1, 1);
    let network = network_id(&world.set);
    let right = world.document(T0);
    assert_eq!((right.epoch, right.revision), (1_000, 0));
    let ahead = world.document(T0.plus_millis(480 * EPOCH_MS));
    assert_eq!(ahead.epoch, 1_480);
    let back = world.document(T0.plus_millis(400));
    assert_eq!((back.epoch, back.revision), (1_000, 1), "it signed revision 0 before");
    let kept = world.assembler.signed().to_vec();
    let mut again = Assembler::new(config(&world.set, world.token, kept));
    assert!(again.poll(T0.plus_millis(1_000)).is_none(), "its nodes come back first");
    let after = again.poll(T0.plus_millis(5_000)).unwrap();
    assert_eq!((after.epoch, after.revision), (1_000, 2));
    // A reader whose clock was ahead as well comes back, too.
    let checked = |d: &NetworkDocument| verify(&world.sign(d, &[0]), &network).unwrap();
    let mut keeper = DocumentKeeper::new();
    let now = Timestamp::ZERO;
    keeper.offer(now, T0.plus_millis(480 * EPOCH_MS), checked(&ahead)).unwrap();
    assert_eq!(keeper.offer(now, T0, checked(&after)), Ok(Accepted::Newer));
}

//= DIR-004
#[test]
fn a_node_that_comes_and_goes_makes_a_bounded_number_of_documents() {
    let mut world = World::new(1, 1);
    let (id, signed) = node(1, 1_000);
    world.assembler.register(T0, &world.token, &signed).unwrap();
    let mut documents = 0;
    for n in 0..24 {
        let now = T0.plus_millis(n * 400);
        world.assembler.presence(
            now,
            id,
            if n % 2 == 0 { Presence::Reached } else { Presence::Away },
        );
        documents += u32::from(world.assembler.poll(now.plus_millis(350)).is_some());
    }
    assert_eq!(documents, 21, "that of the epoch, and the revisions of five minutes");
    // What has changed last is published all the same.
    let last = world.document(T0.plus_millis(1_200_000));
    assert_eq!(last.nodes.len(), 0);
}

#[test]
fn layers_are_equally_strong_and_drawn_anew_each_epoch() {
    let mut world = World::new(1, 1);
    for n in 0..12 {
        let (id, signed) = node(n, 1_000);
        world.assembler.register(T0, &world.token, &signed).unwrap();
        world.assembler.presence(T0, id, Presence::Reached);
    }
    let document = world.document(T0.plus_millis(400));
    let now = layers(&document);
    for layer in 0..3 {
        assert_eq!(now.values().filter(|l| **l == layer).count(), 4);
    }
    assert_eq!(now, layers(&document));
    assert_ne!(now, layers(&NetworkDocument { epoch: 1_001, ..document }));
}
