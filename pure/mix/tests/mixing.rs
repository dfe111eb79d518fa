//! A whole network in memory, with X-Wing: request and answer, an epoch's end, seized nodes,
//! flipped bits.

use mix::envelope;
use mix::epoch::{EpochKeys, grace_ms};
use mix::geometry::{spec_for, to_sphinx};
use mix::relay::{DropReason, Output, Relay, RelayConfig, low_bits};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sphinx::{
    Command, ForwardPayload, Geometry, Packet, PathHop, PublicKey, Scheme, Surb, SurbKeys, build,
    unwrap,
};
use wire::document::{PacketScheme, Role};
use wire::hub::{Answer, BoxBytes, Operation, Request, Response};
use wire::id::AccessKey;
use wire::{BootId, NodeId, Timestamp};

const EPOCH_MS: u64 = 100_000;
const EPOCH: u64 = 50;
const START: Timestamp = Timestamp::from_millis(EPOCH * EPOCH_MS);
const TOKEN: [u8; 32] = [0xcc; 32];
const HUB: usize = 3;

struct Node {
    keys: EpochKeys,
    relay: Relay,
}

struct Network {
    geometry: Geometry,
    rng: ChaCha20Rng,
    nodes: Vec<Node>,
    /// Every packet that passed a link.
    recorded: Vec<Vec<u8>>,
}

fn id(n: usize) -> [u8; 32] {
    [u8::try_from(n).unwrap() + 1; 32]
}

fn standard_box() -> BoxBytes {
    BoxBytes { id: [1; 32], ciphertext: vec![2; 2048], signature: [3; 64] }
}

impl Network {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        let geometry = to_sphinx(&spec_for(PacketScheme::XWing, 3).unwrap()).unwrap();
        let nodes = (0..=HUB).map(|n| Node::new(n, geometry, &mut rng)).collect();
        Network { geometry, rng, nodes, recorded: Vec::new() }
    }

    fn hop(&self, n: usize, epoch: u64, recipient: Option<[u8; 32]>) -> PathHop {
        let public = self.nodes[n].keys.public_from(epoch);
        let key = PublicKey::from_bytes(Scheme::XWing, &public[0].key).unwrap();
        assert_eq!(public[0].epoch, epoch);
        let commands =
            std::iter::once(Command::Delay(20)).chain(recipient.map(Command::Recipient)).collect();
        PathHop { id: id(n), key, commands }
    }

    /// A put of a standard box by relays 0, 1, 2, its SURB by 2, 1, 0.
    fn request(&mut self, epoch: u64) -> (Vec<u8>, SurbKeys) {
        let back =
            [self.hop(2, epoch, None), self.hop(1, epoch, None), self.hop(0, epoch, Some(TOKEN))];
        let (surb, keys) = Surb::create(&self.geometry, &back, [7; 16], &mut self.rng).unwrap();
        let request =
            Request { access: AccessKey::new([4; 16]), operation: Operation::Put(standard_box()) };
        let data =
            envelope::seal(&wire::encode(&request), self.geometry.user_len(true).unwrap()).unwrap();
        let payload = ForwardPayload { surb: Some(surb), data }.encode(&self.geometry).unwrap();
        let mut path: Vec<PathHop> = (0..HUB).map(|n| self.hop(n, epoch, None)).collect();
        path.push(self.hop(HUB, epoch, Some(id(HUB))));
        (build(&self.geometry, &path, &payload, &mut self.rng).unwrap().into_bytes(), keys)
    }

    /// Carries a packet from node to node until it leaves the network or is dropped. The time is
    /// what it took.
    fn carry(
        &mut self,
        mut now: Timestamp,
        first: usize,
        epoch: u32,
        packet: Vec<u8>,
    ) -> (Timestamp, Option<Output>) {
        let (mut at, mut epoch, mut packet) = (first, epoch, packet);
        loop {
            self.recorded.push(packet.clone());
            let relay = &mut self.nodes[at].relay;
            relay.handle_packet(now, epoch, packet);
            let mut remembered = false;
            let output = loop {
                let Some(due) = relay.deadline() else { return (now, None) };
                now = now.max(due);
                match relay.poll(now) {
                    Some(Output::Remember { .. }) => remembered = true,
                    Some(other) => break other,
                    None => return (now, None),
                }
            };
            assert!(remembered, "nothing leaves before its tag is written");
            match output {
                Output::Forward { next, epoch: e, packet: p } => {
                    at = (0..=HUB).find(|n| id(*n) == *next.as_bytes()).unwrap();
                    (epoch, packet) = (e, p);
                }
                other => return (now, Some(other)),
            }
        }
    }
}

impl Node {
    fn new(n: usize, geometry: Geometry, rng: &mut ChaCha20Rng) -> Self {
        let mut keys = EpochKeys::new(Scheme::XWing);
        keys.advance(EPOCH, rng).unwrap();
        let config = RelayConfig {
            me: NodeId::new(id(n)),
            role: if n == HUB { Role::Hub } else { Role::Relay },
            geometry,
            rate: 100,
            epoch_ms: EPOCH_MS,
            max_delay_ms: 1_000,
            queue_limit: 16,
            tally: None,
        };
        let mut relay = Relay::new(config, rng);
        for epoch in keys.epochs() {
            relay.install_key(epoch, keys.private(epoch).unwrap(), Vec::new());
        }
        Node { keys, relay }
    }
}

//= MIX-001, MIX-002, MIX-003
#[test]
fn a_put_reaches_its_hub_and_three_boxes_come_back() {
    let mut network = Network::new();
    let (packet, keys) = network.request(EPOCH);
    let (at, delivered) = network.carry(START, 0, low_bits(EPOCH), packet);
    assert_eq!(at, START.plus_millis(80), "four hops of 20 ms");
    let Some(Output::Deliver { epoch, surb: Some(surb), data, .. }) = delivered else {
        panic!("not delivered")
    };
    let request = envelope::open_request(&data).unwrap();
    assert_eq!(request.operation, Operation::Put(standard_box()));

    let answer = Answer::Boxes(vec![standard_box(); 3]);
    let response = Response { boot: BootId::new([8; 16]), answer, tally: None };
    let payload = envelope::seal_response(&network.geometry, &response).unwrap();
    let (packet, first) = surb.reply(&network.geometry, &payload).unwrap();
    assert_eq!(first, id(2));
    let (at, back) = network.carry(at, 2, epoch, packet.into_bytes());
    assert_eq!(at, START.plus_millis(140));
    let Some(Output::ToClient { token, surb_id: [7, ..], mut padded }) = back else {
        panic!("no reply")
    };
    assert_eq!(token.as_bytes(), &TOKEN);
    assert_eq!(padded.len(), mix::geometry::reply_frame_payload(&network.geometry, false));
    padded.truncate(network.geometry.reply_len() + 32);
    let opened = keys.open(&network.geometry, padded).unwrap();
    assert_eq!(
        wire::decode::<Response>(envelope::open(&opened).unwrap(), "response").unwrap(),
        response
    );
}

//= MIX-008
#[test]
fn packets_of_an_epoch_pass_during_its_grace_and_die_with_its_key() {
    let mut network = Network::new();
    let (first, _) = network.request(EPOCH);
    let (second, _) = network.request(EPOCH);
    let (next, _) = network.request(EPOCH + 1);
    let end = START.plus_millis(EPOCH_MS);
    // At the epoch's end the next keys are made; the old one stays for the grace.
    for n in 0..=HUB {
        let Node { keys, relay } = &mut network.nodes[n];
        keys.advance(EPOCH + 1, &mut network.rng).unwrap();
        assert!(!relay.has_key(EPOCH + 3));
        relay.install_key(EPOCH + 3, keys.private(EPOCH + 3).unwrap(), Vec::new());
        assert_eq!(keys.public_from(EPOCH + 1).len(), 3, "a descriptor holds three");
    }
    assert!(network.carry(end.plus_millis(1), 0, low_bits(EPOCH), first).1.is_some());
    let over = end.plus_millis(grace_ms(EPOCH_MS));
    for node in &mut network.nodes {
        node.keys.erase_before(EPOCH + 1);
        node.relay.erase_before(EPOCH + 1);
        assert!(node.keys.private(EPOCH).is_none());
    }
    assert!(network.carry(over, 0, low_bits(EPOCH), second).1.is_none());
    assert_eq!(network.nodes[0].relay.counters().of(DropReason::UnknownEpoch), 1);
    assert!(network.carry(over, 0, low_bits(EPOCH + 1), next).1.is_some());
}

/// What the disk of each node holds.
fn disks(network: &Network) -> Vec<EpochKeys> {
    let kept = network.nodes.iter().map(|node| node.keys.to_bytes());
    kept.map(|bytes| EpochKeys::from_bytes(Scheme::XWing, &bytes).unwrap()).collect()
}

/// Whether any key of all these nodes opens a layer of this packet.
fn any_opens(network: &Network, disks: &[EpochKeys], packet: &[u8]) -> bool {
    let keys = disks.iter().flat_map(|disk| disk.epochs().into_iter().map(|e| disk.private(e)));
    keys.flatten().any(|key| {
        let packet = Packet::from_bytes(&network.geometry, packet.to_vec()).unwrap();
        unwrap(&network.geometry, &key, packet).is_ok()
    })
}

/// Somebody records all links, and seizes every relay and the hub once the epoch is over.
//= MIX-008
#[test]
fn packets_that_were_recorded_open_with_no_key_of_nodes_that_are_seized_later() {
    let mut network = Network::new();
    let (packet, _) = network.request(EPOCH);
    let Some(Output::Deliver { surb: Some(surb), .. }) =
        network.carry(START, 0, low_bits(EPOCH), packet).1
    else {
        panic!("not delivered")
    };
    let (packet, _) = surb.reply(&network.geometry, b"an answer").unwrap();
    assert!(network.carry(START, 2, low_bits(EPOCH), packet.into_bytes()).1.is_some());
    let recorded = network.recorded.clone();
    assert_eq!(recorded.len(), 4 + 3, "there and back");
    // A path may be made of keys up to two epochs ahead: those are on the disk as well.
    let (ahead, _) = network.request(EPOCH + 2);
    let within = disks(&network);
    assert!(recorded.iter().chain([&ahead]).all(|packet| any_opens(&network, &within, packet)));
    for epoch in EPOCH + 1..=EPOCH + 3 {
        for node in &mut network.nodes {
            node.keys.advance(epoch, &mut network.rng).unwrap();
            if epoch == EPOCH + 1 {
                assert!(node.keys.private(EPOCH).is_some(), "until the grace is over");
            }
            node.keys.erase_before(epoch);
        }
        let after = disks(&network);
        assert!(!recorded.iter().any(|packet| any_opens(&network, &after, packet)), "{epoch}");
        assert_eq!(any_opens(&network, &after, &ahead), epoch <= EPOCH + 2, "{epoch}");
    }
}

//= MIX-007
#[test]
fn any_flipped_bit_ends_in_silence_somewhere() {
    let mut network = Network::new();
    let (good, _) = network.request(EPOCH);
    let header_bits = u32::try_from(network.geometry.header_len() * 8).unwrap();
    let all_bits = u32::try_from(good.len() * 8).unwrap();
    let flipped = |bit: u32| {
        let mut altered = good.clone();
        altered[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        altered
    };
    for _ in 0..200 {
        let bit = network.rng.next_u32() % header_bits;
        assert!(
            network.carry(START, 0, low_bits(EPOCH), flipped(bit)).1.is_none(),
            "header bit {bit}"
        );
    }
    assert_eq!(network.nodes[0].relay.counters().total(), 200, "at the first relay");
    // A payload is authenticated at its end alone; there the damage shows, and nothing of it is
    // delivered.
    let bit = header_bits + network.rng.next_u32() % (all_bits - header_bits);
    assert!(network.carry(START, 0, low_bits(EPOCH), flipped(bit)).1.is_none());
    assert_eq!(network.nodes[HUB].relay.counters().of(DropReason::PayloadTag), 1);
    // The one who altered it has used it up: the true one is a replay now.
    assert!(network.carry(START, 0, low_bits(EPOCH), good.clone()).1.is_none());
    assert_eq!(network.nodes[0].relay.counters().of(DropReason::Replay), 1);
}
