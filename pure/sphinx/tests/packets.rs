//! Packets and reply blocks from end to end, and everything that can be wrong with them.

use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use sphinx::*;

const SCHEMES: [Scheme; 3] = [Scheme::XWing, Scheme::X25519Kem, Scheme::X25519Nike];
const RECIPIENT: Id = [0xaa; 32];
const SURB_ID: SurbId = [0xbb; 16];

/// A path of its own keys.
struct Net {
    geometry: Geometry,
    keys: Vec<PrivateKey>,
    path: Vec<PathHop>,
    rng: ChaCha20Rng,
}

impl Net {
    fn new(scheme: Scheme, max_hops: usize, hops: u8, payload_len: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(hops));
        let keys: Vec<_> =
            (0..hops).map(|_| PrivateKey::generate(scheme, &mut rng).unwrap()).collect();
        let path = (0..hops).zip(&keys).map(|(i, key)| {
            let end = if i + 1 == hops { vec![Command::Recipient(RECIPIENT)] } else { vec![] };
            let commands = [vec![Command::Delay(100 + u32::from(i))], end].concat();
            PathHop { id: [i; 32], key: key.public().clone(), commands }
        });
        Self {
            geometry: Geometry::new(scheme, max_hops, payload_len).unwrap(),
            path: path.collect(),
            keys,
            rng,
        }
    }

    fn build(&mut self, payload: &[u8]) -> Packet {
        build(&self.geometry, &self.path, payload, &mut self.rng).unwrap()
    }

    fn surb(&mut self) -> (Surb, SurbKeys) {
        Surb::create(&self.geometry, &self.path, SURB_ID, &mut self.rng).unwrap()
    }

    /// Carries a packet to the end, through `touch` before each hop, checking every intermediate
    /// result.
    fn carry(
        &self,
        packet: Packet,
        mut touch: impl FnMut(usize, &mut Vec<u8>),
    ) -> Result<Unwrapped, Error> {
        let mut packet = packet;
        for (i, key) in self.keys.iter().enumerate() {
            let mut bytes = packet.into_bytes();
            touch(i, &mut bytes);
            packet = Packet::from_bytes(&self.geometry, bytes)?;
            let before = packet.clone();
            match unwrap(&self.geometry, key, packet)? {
                Unwrapped::Forward { next, delay_ms, packet: after, tag, .. } => {
                    assert_eq!(next, self.path[i + 1].id);
                    assert_eq!(delay_ms, 100 + u32::try_from(i).unwrap());
                    assert_eq!(tag, replay_tag(&self.geometry, &before).unwrap());
                    assert_ne!(tag, replay_tag(&self.geometry, &after).unwrap());
                    assert_eq!(after.as_bytes().len(), self.geometry.packet_len());
                    packet = after;
                }
                end => {
                    assert_eq!(i + 1, self.keys.len());
                    return Ok(end);
                }
            }
        }
        panic!("never delivered");
    }
}

fn padded(payload: &[u8], len: usize) -> Vec<u8> {
    let mut out = payload.to_vec();
    out.resize(len, 0);
    out
}

fn any_net() -> impl Strategy<Value = (Scheme, usize, u8)> {
    (proptest::sample::select(&SCHEMES[..]), 1_u8..=6)
        .prop_flat_map(|(scheme, max)| (Just(scheme), Just(usize::from(max)), 1..=max))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    //= SPHINX-001
    //= SPHINX-007
    //= SPHINX-012
    #[test]
    fn any_payload_arrives((scheme, max, hops) in any_net(), payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut net = Net::new(scheme, max, hops, 200);
        let packet = net.build(&payload);
        prop_assert_eq!(packet.as_bytes().len(), net.geometry.packet_len());
        let Unwrapped::Deliver { recipient, delay_ms, payload: got, .. } = net.carry(packet, |_, _| ()).unwrap() else {
            panic!("not delivered")
        };
        prop_assert_eq!((recipient, delay_ms), (RECIPIENT, 99 + u32::from(hops)));
        prop_assert_eq!(got, padded(&payload, 200));
    }

    //= SPHINX-013
    //= SPHINX-014
    #[test]
    fn any_reply_comes_back((scheme, max, hops) in any_net(), payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut net = Net::new(scheme, max, hops, 200);
        let (surb, keys) = net.surb();
        let surb = Surb::from_bytes(&net.geometry, surb.as_bytes()).unwrap();
        let keys = SurbKeys::from_bytes(&net.geometry, &keys.to_bytes()).unwrap();
        prop_assert_eq!(surb.first_hop(), net.path[0].id);
        let (packet, first) = surb.reply(&net.geometry, &payload).unwrap();
        prop_assert_eq!(first, net.path[0].id);
        prop_assert_eq!(packet.as_bytes().len(), net.geometry.packet_len());
        let Unwrapped::Reply { recipient, surb_id, payload: got, .. } = net.carry(packet, |_, _| ()).unwrap() else {
            panic!("no reply")
        };
        prop_assert_eq!((recipient, surb_id), (RECIPIENT, SURB_ID));
        prop_assert_eq!(keys.open(&net.geometry, got).unwrap(), padded(&payload, 200));
    }

    //= SPHINX-012
    //= SPHINX-014
    #[test]
    fn a_payload_flip_fails_at_the_end_and_nowhere_else(
        (scheme, max, hops) in any_net(),
        at in 0..6_usize,
        bit in 0..(32 + 200) * 8_usize,
    ) {
        let mut net = Net::new(scheme, max, hops, 200);
        let at = at % usize::from(hops);
        let start = net.geometry.header_len();
        let flip = |hop, bytes: &mut Vec<u8>| if hop == at { bytes[start + bit / 8] ^= 1 << (bit % 8) };
        let packet = net.build(b"forward");
        prop_assert_eq!(net.carry(packet, flip).unwrap_err(), Error::PayloadTag);

        let (surb, keys) = net.surb();
        let (packet, _) = surb.reply(&net.geometry, b"reply").unwrap();
        let Unwrapped::Reply { payload, .. } = net.carry(packet, flip).unwrap() else { panic!("no reply") };
        prop_assert_eq!(keys.open(&net.geometry, payload).unwrap_err(), Error::PayloadTag);
    }

    //= SPHINX-010
    #[test]
    fn sampled_header_flips_are_refused_by_x_wing(bit in 0..(7164 * 8_usize), hop in 0..2_usize) {
        let mut net = Net::new(Scheme::XWing, 5, 2, 50);
        let packet = net.build(b"x");
        let flip = |i, bytes: &mut Vec<u8>| if i == hop { bytes[bit / 8] ^= 1 << (bit % 8) };
        let expected = if bit < 16 { Error::Version } else { Error::Mac };
        prop_assert_eq!(net.carry(packet, flip).unwrap_err(), expected);
    }

    //= SPHINX-016
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700), scheme in proptest::sample::select(&SCHEMES[..])) {
        let net = Net::new(scheme, 2, 1, 30);
        prop_assert!(Packet::from_bytes(&net.geometry, bytes.clone()).is_err());
        prop_assert!(Surb::from_bytes(&net.geometry, &bytes).is_err());
        let _ = SurbKeys::from_bytes(&net.geometry, &bytes);
        let _ = ForwardPayload::decode(&net.geometry, &bytes);
        let _ = PublicKey::from_bytes(scheme, &bytes);
        let _ = PrivateKey::from_bytes(scheme, &bytes);
        // Now of the right lengths.
        let fitted = |len| { let mut b = padded(&bytes, len); b[..2].fill(0); b };
        let packet = Packet::from_bytes(&net.geometry, fitted(net.geometry.packet_len())).unwrap();
        prop_assert!(unwrap(&net.geometry, &net.keys[0], packet).is_err());
        let surb = Surb::from_bytes(&net.geometry, &fitted(net.geometry.surb_len())).unwrap();
        let (packet, _) = surb.reply(&net.geometry, b"").unwrap();
        prop_assert!(unwrap(&net.geometry, &net.keys[0], packet).is_err());
        let _ = ForwardPayload::decode(&net.geometry, &padded(&bytes, 700)[..30]);
    }

    //= SPHINX-015
    #[test]
    fn forward_payloads_survive_the_round_trip(data in proptest::collection::vec(any::<u8>(), 0..100), with_surb: bool) {
        let mut net = Net::new(Scheme::X25519Nike, 2, 2, 2 + 326 + 100);
        let surb = with_surb.then(|| net.surb().0);
        let sent = ForwardPayload { surb: surb.clone(), data: data.clone() };
        let bytes = sent.encode(&net.geometry).unwrap();
        prop_assert_eq!(bytes.len(), net.geometry.forward_payload_len());
        prop_assert_eq!(&bytes[..2], &[u8::from(with_surb), 0]);
        let got = ForwardPayload::decode(&net.geometry, &bytes).unwrap();
        prop_assert_eq!(got.data, padded(&data, net.geometry.user_len(with_surb).unwrap()));
        prop_assert_eq!(got.surb, surb);
    }
}

//= SPHINX-010
#[test]
fn every_header_bit_counts() {
    for scheme in [Scheme::X25519Nike, Scheme::X25519Kem] {
        let mut net = Net::new(scheme, 2, 2, 0);
        let packet = net.build(b"");
        for bit in 0..net.geometry.header_len() * 8 {
            let flip = |i, bytes: &mut Vec<u8>| {
                if i == 0 {
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            };
            let expected = if bit < 16 { Error::Version } else { Error::Mac };
            assert_eq!(
                net.carry(packet.clone(), flip).unwrap_err(),
                expected,
                "{scheme:?} bit {bit}"
            );
        }
    }
}

//= SPHINX-001
#[test]
fn the_longest_path_and_the_emptiest_payload_work() {
    for scheme in SCHEMES {
        let mut net = Net::new(scheme, MAX_HOPS, u8::try_from(MAX_HOPS).unwrap(), 0);
        let packet = net.build(b"");
        assert!(
            matches!(net.carry(packet, |_, _| ()), Ok(Unwrapped::Deliver { payload, .. }) if payload.is_empty())
        );
        let (surb, keys) = net.surb();
        let (packet, _) = surb.reply(&net.geometry, b"").unwrap();
        let Ok(Unwrapped::Reply { payload, .. }) = net.carry(packet, |_, _| ()) else {
            panic!("no reply")
        };
        assert_eq!(keys.open(&net.geometry, payload), Ok(vec![]));
    }
}

//= SPHINX-008
//= SPHINX-003
#[test]
fn impossible_paths_are_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let net = Net::new(Scheme::X25519Kem, 3, 3, 10);
    let g = &net.geometry;
    let mut attempt = |path: &[PathHop]| build(g, path, b"", &mut rng).unwrap_err();
    assert_eq!(attempt(&[]), Error::Path);
    assert_eq!(attempt(&[&net.path[..], &net.path[..1]].concat()), Error::Path);
    let mut mixed = net.path.clone();
    mixed[1].key = Net::new(Scheme::X25519Nike, 3, 1, 10).path[0].key.clone();
    assert_eq!(attempt(&mixed), Error::Path);
    assert_eq!(attempt(&Net::new(Scheme::X25519Nike, 3, 3, 10).path), Error::Path);

    let with = |hop: usize, commands: Vec<Command>| {
        let mut path = net.path.clone();
        path[hop].commands = commands;
        path
    };
    let next = Command::NextHop { id: [1; 32], mac: [1; 32] };
    for (hop, commands) in [
        (0, vec![Command::Recipient([1; 32])]),
        (0, vec![Command::SurbReply([1; 16])]),
        (0, vec![next]),
        (0, vec![Command::Delay(1), Command::Delay(1)]),
        (2, vec![]),
        (2, vec![next]),
        (2, vec![Command::SurbReply([1; 16])]),
        (2, vec![Command::Recipient([1; 32]), Command::Recipient([2; 32])]),
    ] {
        assert_eq!(attempt(&with(hop, commands)), Error::Commands);
    }
    let path = with(2, vec![Command::Recipient([1; 32]), Command::SurbReply([1; 16])]);
    assert_eq!(Surb::create(g, &path, SURB_ID, &mut rng).unwrap_err(), Error::Commands);
    assert_eq!(Surb::create(g, &[], SURB_ID, &mut rng).unwrap_err(), Error::Path);
}

//= SPHINX-010
#[test]
fn keys_and_packets_of_other_kinds_are_refused() {
    let mut net = Net::new(Scheme::X25519Kem, 3, 2, 10);
    let packet = net.build(b"");
    let g = net.geometry;
    assert_eq!(unwrap(&g, &net.keys[1], packet.clone()).unwrap_err(), Error::Mac);
    let nike = Net::new(Scheme::X25519Nike, 3, 1, 10);
    assert_eq!(unwrap(&g, &nike.keys[0], packet.clone()).unwrap_err(), Error::Key);
    assert_eq!(unwrap(&nike.geometry, &nike.keys[0], packet.clone()).unwrap_err(), Error::Length);
    assert_eq!(build(&g, &net.path, &[0; 11], &mut net.rng).unwrap_err(), Error::PayloadTooLong);
    // An unusable element is told apart from a bad MAC, and neither is decrypted.
    let mut bytes = packet.into_bytes();
    bytes[2..34].fill(0);
    let packet = Packet::from_bytes(&g, bytes).unwrap();
    assert_eq!(unwrap(&g, &net.keys[0], packet).unwrap_err(), Error::Ciphertext);
}

//= SPHINX-011
#[test]
fn the_replay_tag_is_the_hash_of_the_ciphertext_alone() {
    let mut net = Net::new(Scheme::X25519Kem, 2, 2, 10);
    let packet = net.build(b"");
    let tag = replay_tag(&net.geometry, &packet).unwrap();
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512_256, &packet.as_bytes()[2..34]);
    assert_eq!(tag, digest.as_ref());
    let mut bytes = packet.into_bytes();
    bytes[34..].fill(1);
    let changed = Packet::from_bytes(&net.geometry, bytes).unwrap();
    assert_eq!(replay_tag(&net.geometry, &changed).unwrap(), tag);
}

//= SPHINX-013
#[test]
fn one_payload_key_alone_leaves_with_a_surb() {
    for scheme in SCHEMES {
        let mut net = Net::new(scheme, 4, 4, 10);
        let (surb, keys) = net.surb();
        let keys = keys.to_bytes();
        assert_eq!(keys.len(), 5 * 64);
        let holds =
            |key: &[u8]| surb.as_bytes().windows(16).any(|w| key.windows(16).any(|k| k == w));
        let (hops, reply) = keys.split_at(4 * 64);
        assert!(!holds(hops), "{scheme:?}");
        assert!(holds(reply), "{scheme:?}");
        assert!(surb.as_bytes().ends_with(reply), "{scheme:?}");
    }
}

//= SPHINX-014
#[test]
fn replies_are_opened_by_their_own_keys_only() {
    let mut net = Net::new(Scheme::X25519Kem, 3, 3, 40);
    let (surb, keys) = net.surb();
    let (_, other) = net.surb();
    let (packet, _) = surb.clone().reply(&net.geometry, b"hello").unwrap();
    let Ok(Unwrapped::Reply { payload, .. }) = net.carry(packet, |_, _| ()) else {
        panic!("no reply")
    };
    assert_eq!(other.open(&net.geometry, payload.clone()).unwrap_err(), Error::PayloadTag);
    assert_eq!(keys.open(&net.geometry, payload[1..].to_vec()).unwrap_err(), Error::Length);
    assert_eq!(surb.clone().reply(&net.geometry, &[0; 41]).unwrap_err(), Error::PayloadTooLong);
    let larger = Geometry::new(Scheme::X25519Kem, 4, 40).unwrap();
    assert_eq!(surb.reply(&larger, b"").unwrap_err(), Error::Length);
    for wrong in [0, 63, 64, 65, 5 * 64] {
        assert!(SurbKeys::from_bytes(&net.geometry, &vec![0; wrong]).is_err(), "{wrong}");
    }
}

//= SPHINX-015
#[test]
fn bad_forward_payloads_are_refused() {
    let mut net = Net::new(Scheme::X25519Nike, 2, 2, 2 + 326 + 10);
    let g = net.geometry;
    assert_eq!(g.surb_len(), 326);
    let surb = Some(net.surb().0);
    let attempt = |surb, len| ForwardPayload { surb, data: vec![1; len] }.encode(&g).map(|_| ());
    assert_eq!(attempt(surb.clone(), 10), Ok(()));
    assert_eq!(attempt(surb, 11), Err(Error::PayloadTooLong));
    assert_eq!(attempt(None, 337), Err(Error::PayloadTooLong));
    let foreign = Net::new(Scheme::X25519Nike, 1, 1, 0).surb().0;
    assert_eq!(attempt(Some(foreign), 1), Err(Error::Length));

    let mut bytes = vec![0; 338];
    for flags in [[2, 0], [0, 1], [1, 1], [255, 0]] {
        bytes[..2].copy_from_slice(&flags);
        assert_eq!(ForwardPayload::decode(&g, &bytes).unwrap_err(), Error::ForwardPayload);
    }
    assert_eq!(ForwardPayload::decode(&g, &bytes[1..]).unwrap_err(), Error::Length);
    bytes[..4].copy_from_slice(&[1, 0, 0, 1]);
    assert_eq!(ForwardPayload::decode(&g, &bytes).unwrap_err(), Error::Version);
    let small = Geometry::new(Scheme::X25519Nike, 2, 100).unwrap();
    assert_eq!(
        ForwardPayload::decode(&small, &padded(&[1, 0], 100)).unwrap_err(),
        Error::ForwardPayload
    );
    let tiny = Geometry::new(Scheme::X25519Nike, 2, 1).unwrap();
    assert_eq!(ForwardPayload::decode(&tiny, &[0]).unwrap_err(), Error::Length);
}

#[test]
fn debug_prints_types_and_nothing_else() {
    let mut net = Net::new(Scheme::X25519Kem, 2, 2, 10);
    let packet = net.build(b"");
    let (surb, keys) = net.surb();
    let peeled = peel(&net.geometry, &net.keys[0], packet.clone()).unwrap();
    let forward = unwrap(&net.geometry, &net.keys[0], packet.clone()).unwrap();
    let payload = ForwardPayload { surb: Some(surb.clone()), data: vec![1] };
    assert_eq!(
        format!(
            "{packet:?} {surb:?} {keys:?} {peeled:?} {:?} {forward:?} {payload:?}",
            peeled.rest
        ),
        "Packet(..) Surb(..) SurbKeys(..) Peeled(..) Packet(..) Forward(..) ForwardPayload(..)"
    );
    assert_eq!(format!("{:?} {:?}", net.keys[0], net.path[0]), "PrivateKey(..) PathHop(..)");
}

//= SPHINX-017
#[test]
fn sender_and_hop_share_a_secret_where_the_format_leaves_one() {
    for scheme in SCHEMES {
        let mut net = Net::new(scheme, 4, 4, 100);
        let (packet, secrets) =
            build_with_secrets(&net.geometry, &net.path, b"hello", &mut net.rng).unwrap();
        assert_eq!(secrets.len(), if scheme == Scheme::X25519Nike { 0 } else { 4 });
        let mut packet = Some(packet);
        for (n, key) in net.keys.iter().enumerate() {
            let peeled = peel(&net.geometry, key, packet.take().unwrap()).unwrap();
            assert_eq!(peeled.secret.as_ref(), secrets.get(n), "hop {n}");
            assert!(secrets.iter().skip(n + 1).all(|other| Some(other) != peeled.secret.as_ref()));
            if let Rest::Packet(next) = peeled.rest {
                packet = Some(next);
            }
        }
        assert!(secrets.iter().all(|s| format!("{s:?}") == "HopSecret(..)"));
    }
}
