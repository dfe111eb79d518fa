//! Packets through a chain of mixes, in memory.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sphinx::{Command, PathHop, Scheme, SurbKeys, build};

use super::*;

const EPOCH: u64 = (7 << 32) + 100;

struct World {
    geometry: Geometry,
    rng: ChaCha20Rng,
    keys: Vec<PrivateKey>,
    nodes: Vec<Relay>,
}

fn id(n: usize) -> NodeId {
    NodeId::new([u8::try_from(n).unwrap() + 1; 32])
}

impl World {
    /// Three relays and, last, a hub.
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let geometry = Geometry::new(Scheme::X25519Kem, 4, 2_000).unwrap();
        let keys: Vec<PrivateKey> =
            (0..4).map(|_| PrivateKey::generate(Scheme::X25519Kem, &mut rng).unwrap()).collect();
        let nodes =
            (0..4).map(|n| World::node(n, geometry, &keys[n], &mut rng, Vec::new())).collect();
        World { geometry, rng, keys, nodes }
    }

    fn node(
        n: usize,
        geometry: Geometry,
        key: &PrivateKey,
        rng: &mut ChaCha20Rng,
        seen: Vec<Tag>,
    ) -> Relay {
        let config = RelayConfig {
            me: id(n),
            role: if n == 3 { Role::Hub } else { Role::Relay },
            geometry,
            rate: 10,
            epoch_ms: 100_000,
            max_delay_ms: 1_000,
            queue_limit: 8,
            tally: None,
        };
        let mut relay = Relay::new(config, rng);
        let key = PrivateKey::from_bytes(Scheme::X25519Kem, &key.to_bytes()).unwrap();
        relay.install_key(EPOCH, key, seen);
        relay
    }

    fn hop(&self, n: usize, delay: u32, recipient: Option<[u8; 32]>) -> PathHop {
        let mut commands = vec![Command::Delay(delay)];
        commands.extend(recipient.map(Command::Recipient));
        PathHop { id: *id(n).as_bytes(), key: self.keys[n].public().clone(), commands }
    }

    fn packet(&mut self, data: &[u8], delay: u32) -> Vec<u8> {
        let path = [
            self.hop(0, delay, None),
            self.hop(1, delay, None),
            self.hop(2, delay, None),
            self.hop(3, 0, Some([0; 32])),
        ];
        let payload =
            ForwardPayload { surb: None, data: data.to_vec() }.encode(&self.geometry).unwrap();
        build(&self.geometry, &path, &payload, &mut self.rng).unwrap().into_bytes()
    }

    fn surb(&mut self) -> (Surb, SurbKeys) {
        let path = [self.hop(2, 0, None), self.hop(1, 0, None), self.hop(0, 0, Some([9; 32]))];
        Surb::create(&self.geometry, &path, [5; 16], &mut self.rng).unwrap()
    }

    /// Gives a packet to a node and returns everything it puts out by then.
    fn feed(&mut self, n: usize, now: Timestamp, packet: Vec<u8>) -> Vec<Output> {
        self.nodes[n].handle_packet(now, low_bits(EPOCH), packet);
        std::iter::from_fn(|| self.nodes[n].poll(now)).collect()
    }
}

fn forwarded(outputs: Vec<Output>) -> Option<(NodeId, Vec<u8>)> {
    outputs.into_iter().find_map(|o| match o {
        Output::Forward { next, packet, .. } => Some((next, packet)),
        _ => None,
    })
}

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

//= MIX-003
#[test]
fn a_packet_goes_relay_by_relay_to_its_hub_and_looks_different_on_every_link() {
    let mut world = World::new();
    let mut packet = world.packet(b"hello hub", 0);
    let mut links = vec![packet.clone()];
    for n in 0..3 {
        let (next, out) = forwarded(world.feed(n, NOW, packet)).unwrap();
        assert_eq!(next, id(n + 1));
        packet = out;
        assert!(!packet.windows(9).any(|w| w == b"hello hub"));
        links.push(packet.clone());
    }
    assert!(links.iter().all(|l| l.len() == world.geometry.packet_len()));
    for (a, b) in links.iter().zip(links.iter().skip(1)) {
        let same = a.iter().zip(b).filter(|(x, y)| x == y).count();
        assert!(same < a.len() / 20, "links share no more than chance");
    }
    let delivered = world.feed(3, NOW, packet);
    let data = delivered.into_iter().find_map(|o| match o {
        Output::Deliver { data, surb: None, .. } => Some(data),
        _ => None,
    });
    assert!(data.unwrap().starts_with(b"hello hub"));
}

#[test]
fn a_reply_comes_back_to_the_client_at_the_entry() {
    let mut world = World::new();
    let (surb, keys) = world.surb();
    let (packet, first) = surb.reply(&world.geometry, b"an answer").unwrap();
    assert_eq!(NodeId::new(first), id(2));
    let (_, packet) = forwarded(world.feed(2, NOW, packet.into_bytes())).unwrap();
    let (_, packet) = forwarded(world.feed(1, NOW, packet)).unwrap();
    let reply = world.feed(0, NOW, packet).into_iter().find_map(|o| match o {
        Output::ToClient { token, surb_id, padded } => Some((token, surb_id, padded)),
        _ => None,
    });
    let (token, surb_id, mut padded) = reply.unwrap();
    assert_eq!((token.as_bytes(), surb_id), (&[9; 32], [5; 16]));
    assert_eq!(
        padded.len() + 16,
        world.geometry.packet_len() + 4,
        "as long as a packet on the link"
    );
    padded.truncate(world.geometry.reply_len() + 32);
    assert!(keys.open(&world.geometry, padded).unwrap().starts_with(b"an answer"));
}

//= MIX-004
#[test]
fn a_replay_is_dropped_also_after_a_restart_within_the_epoch() {
    let mut world = World::new();
    let packet = world.packet(b"once", 0);
    let outputs = world.feed(0, NOW, packet.clone());
    let tag = match outputs.first() {
        Some(Output::Remember { epoch: EPOCH, tag }) => *tag,
        other => panic!("the tag comes first, not {other:?}"),
    };
    assert!(forwarded(outputs).is_some());
    assert!(world.feed(0, NOW, packet.clone()).is_empty());
    assert_eq!(world.nodes[0].counters().of(DropReason::Replay), 1);

    world.nodes[0] = World::node(0, world.geometry, &world.keys[0], &mut world.rng, vec![tag]);
    assert!(world.feed(0, NOW, packet).is_empty());
    assert_eq!(world.nodes[0].counters().of(DropReason::Replay), 1);
}

//= MIX-005
#[test]
fn a_tag_is_remembered_before_its_packet_leaves() {
    let mut world = World::new();
    let packet = world.packet(b"x", 0);
    let outputs = world.feed(1, NOW, packet);
    assert!(outputs.is_empty(), "not for this relay");
    let packet = world.packet(b"x", 0);
    let outputs = world.feed(0, NOW, packet);
    assert!(matches!(outputs[..], [Output::Remember { .. }, Output::Forward { .. }]));
}

#[test]
fn a_full_filter_refuses_instead_of_forgetting() {
    let mut world = World::new();
    let full: Vec<Tag> = (0u32..1_500)
        .map(|n| {
            let mut tag = [0; TAG_LEN];
            tag[..4].copy_from_slice(&n.to_be_bytes());
            tag
        })
        .collect();
    world.nodes[0] = World::node(0, world.geometry, &world.keys[0], &mut world.rng, full);
    let packet = world.packet(b"late", 0);
    assert!(world.feed(0, NOW, packet).is_empty());
    assert_eq!(world.nodes[0].counters().of(DropReason::FilterFull), 1);
}

//= MIX-006
#[test]
fn delays_are_kept_capped_and_the_queue_is_bounded() {
    let mut world = World::new();
    let packet = world.packet(b"slow", 500);
    assert!(forwarded(world.feed(0, NOW, packet)).is_none());
    assert_eq!(world.nodes[0].deadline(), Some(NOW.plus_millis(500)));
    let capped = world.packet(b"too slow", 3_600_000);
    assert!(forwarded(world.feed(0, NOW, capped)).is_none());
    let later: Vec<Output> =
        std::iter::from_fn(|| world.nodes[0].poll(NOW.plus_millis(1_000))).collect();
    assert_eq!(later.len(), 2, "the cap holds");
    for _ in 0..9 {
        let packet = world.packet(b"wait", 900);
        world.feed(0, NOW, packet);
    }
    assert!(world.nodes[0].queue.is_full());
    assert_eq!(world.nodes[0].counters().of(DropReason::QueueFull), 1);
}

//= MIX-007
#[test]
fn whatever_is_bad_is_dropped_in_silence_and_counted_by_reason() {
    let mut world = World::new();
    let good = world.packet(b"good", 0);
    let mut short = good.clone();
    short.pop();
    let mut header = good.clone();
    header[100] ^= 1;
    assert!(world.feed(0, NOW, short).is_empty());
    assert!(world.feed(0, NOW, header).is_empty());
    assert!(world.feed(3, NOW, good.clone()).is_empty());
    world.nodes[0].handle_packet(NOW, low_bits(EPOCH) + 1, good.clone());
    let counters = *world.nodes[0].counters();
    assert_eq!(counters.of(DropReason::Length), 1);
    assert_eq!(counters.of(DropReason::Header), 1);
    assert_eq!(counters.of(DropReason::UnknownEpoch), 1);
    assert_eq!(counters.total(), 3);

    // A payload that was changed on the way shows at the last hop, and only there.
    let mut packet = good;
    let last = packet.len() - 1;
    packet[last] ^= 1;
    for n in 0..3 {
        packet = forwarded(world.feed(n, NOW, packet)).unwrap().1;
    }
    assert!(matches!(world.feed(3, NOW, packet)[..], [Output::Remember { .. }]));
    assert_eq!(world.nodes[3].counters().of(DropReason::PayloadTag), 1);
}

#[test]
fn a_relay_delivers_nothing_and_a_hub_forwards_nothing() {
    let mut world = World::new();
    let path = [world.hop(0, 0, Some([0; 32]))];
    let to_relay = build(&world.geometry, &path, &[0; 100], &mut world.rng).unwrap().into_bytes();
    assert!(!world.feed(0, NOW, to_relay).iter().any(|o| !matches!(o, Output::Remember { .. })));
    assert_eq!(world.nodes[0].counters().of(DropReason::NotMine), 1);
    let path = [world.hop(3, 0, None), world.hop(0, 0, Some([0; 32]))];
    let via_hub = build(&world.geometry, &path, &[0; 100], &mut world.rng).unwrap().into_bytes();
    assert!(!world.feed(3, NOW, via_hub).iter().any(|o| !matches!(o, Output::Remember { .. })));
    assert_eq!(world.nodes[3].counters().of(DropReason::NotMine), 1);
}

//= MIX-008
#[test]
fn when_an_epochs_key_is_erased_its_packets_are_dead() {
    let mut world = World::new();
    let during_grace = world.packet(b"in flight", 0);
    let too_late = world.packet(b"recorded", 0);
    let next = PrivateKey::generate(Scheme::X25519Kem, &mut world.rng).unwrap();
    world.nodes[0].install_key(EPOCH + 1, next, Vec::new());
    assert!(forwarded(world.feed(0, NOW, during_grace)).is_some());
    world.nodes[0].erase_before(EPOCH + 1);
    assert!(!world.nodes[0].has_key(EPOCH));
    assert!(world.feed(0, NOW, too_late).is_empty());
    assert_eq!(world.nodes[0].counters().of(DropReason::UnknownEpoch), 1);
}

//= MIX-005
#[test]
fn an_altered_payload_is_remembered_too() {
    let mut world = World::new();
    let mut packet = world.packet(b"x", 0);
    for n in 0..3 {
        packet = forwarded(world.feed(n, NOW, packet)).unwrap().1;
    }
    let mut altered = packet.clone();
    altered[packet.len() - 1] ^= 1;
    assert!(matches!(world.feed(3, NOW, altered)[..], [Output::Remember { .. }]));
    assert!(world.feed(3, NOW, packet).is_empty());
    assert_eq!(world.nodes[3].counters().of(DropReason::Replay), 1);
}

//= MIX-005
#[test]
fn a_forgery_leaves_nothing_in_the_filter_and_the_packet_it_imitates_passes() {
    let mut world = World::new();
    let good = world.packet(b"x", 0);
    let mut forged = good.clone();
    let mac = world.geometry.header_len() - 1;
    forged[mac] ^= 1;
    assert!(world.feed(0, NOW, forged).is_empty());
    assert!(forwarded(world.feed(0, NOW, good)).is_some());
}

//= MIX-007
#[test]
fn every_flipped_bit_of_a_header_is_a_silent_counted_drop() {
    let mut world = World::new();
    let good = world.packet(b"x", 0);
    let bits = world.geometry.header_len() * 8;
    for bit in 0..bits {
        let mut altered = good.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(world.feed(0, NOW, altered).is_empty(), "bit {bit}");
    }
    // X25519 itself ignores the top bit of a point (RFC 7748); the MAC covers it.
    assert_eq!(world.nodes[0].counters().total(), u64::try_from(bits).unwrap());
    assert!(forwarded(world.feed(0, NOW, good)).is_some(), "and the good one still passes");
}

//= MIX-020
#[test]
fn ten_times_the_declared_rate_for_two_epochs_delivers_the_declared_rate_throughout() {
    let mut world = World::new();
    let path = [world.hop(3, 0, Some([0; 32]))];
    let payload = ForwardPayload { surb: None, data: Vec::new() }.encode(&world.geometry).unwrap();
    let mut now = Timestamp::from_millis(1);
    for second in 0..200 {
        if second == 100 {
            let key = PrivateKey::from_bytes(Scheme::X25519Kem, &world.keys[3].to_bytes()).unwrap();
            world.nodes[3].install_key(EPOCH + 1, key, Vec::new());
        }
        let mut delivered = 0;
        for _ in 0..100 {
            now = now.plus_millis(10);
            let packet = build(&world.geometry, &path, &payload, &mut world.rng).unwrap();
            let epoch = low_bits(EPOCH + second / 100);
            world.nodes[3].handle_client_packet(now, epoch, packet.into_bytes());
            let out = std::iter::from_fn(|| world.nodes[3].poll(now));
            delivered += out.filter(|o| matches!(o, Output::Deliver { .. })).count();
        }
        assert!((9..100).contains(&delivered), "{delivered} in second {second}");
        assert!(second < 20 || delivered <= 11, "{delivered} in second {second}");
    }
    let counters = *world.nodes[3].counters();
    assert_eq!(counters.of(DropReason::FilterFull), 0);
    assert_eq!(counters.of(DropReason::OverRate), counters.total());
    // What is left is for nodes.
    let packet = build(&world.geometry, &path, &payload, &mut world.rng).unwrap();
    world.nodes[3].handle_packet(now, low_bits(EPOCH + 1), packet.into_bytes());
    assert_eq!(world.nodes[3].counters().total(), counters.total());
}
