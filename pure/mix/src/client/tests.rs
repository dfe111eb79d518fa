//! A client against a network in memory: real packets, lost and repeated at will.

mod health;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sphinx::{PrivateKey, Scheme};
use wire::document::*;

use super::*;
use crate::path::below;
use crate::relay::{Output as Mixed, Relay, RelayConfig};

const EPOCH: u64 = 100;
const T0: Timestamp = Timestamp::from_millis(EPOCH * 60_000);

fn id(n: usize) -> NodeId {
    NodeId::new([u8::try_from(n).unwrap() + 1; 32])
}

/// Paths of three relays, without delays, so that only the client's own timing shows.
fn document(geometry: GeometrySpec, nodes: Vec<NodeDescriptor>, tally: bool) -> NetworkDocument {
    NetworkDocument {
        version: VERSION,
        network: wire::NetworkId::new([0; 32]),
        epoch: EPOCH,
        revision: 0,
        epoch_ms: 60_000,
        published: T0,
        valid_until: T0.plus_millis(120_000),
        geometry,
        mixing: Mixing {
            mean_delay_ms: 0,
            max_delay_ms: 0,
            low: CoverRates { payload: 250, loops: 50, drops: 50 },
            normal: CoverRates { payload: 1_000, loops: 200, drops: 200 },
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
        nodes,
        tally,
        sealed: false,
        dials_only: Vec::new(),
        directories: Vec::new(),
    }
}

struct World {
    rng: ChaCha20Rng,
    now: Timestamp,
    document: NetworkDocument,
    relays: Vec<Relay>,
    client: OnionClient,
    hub: usize,
    /// Nodes that swallow everything.
    dead: Vec<usize>,
    /// Packets that left the client.
    sent: Vec<Timestamp>,
    /// Their lengths, and those of all packets between nodes.
    lens: std::collections::BTreeSet<usize>,
    answers: Vec<(RequestHandle, Vec<u8>)>,
    receipts: Vec<crate::tally::Receipt>,
    traces: Vec<PathTrace>,
    wanted: u32,
    avoided: Vec<Fault>,
    probed: Vec<(u32, bool)>,
    /// Nodes between which everything vanishes, one way.
    cut: Vec<(usize, usize)>,
    /// One of so many packets between two nodes is lost, if this is set.
    loses: Option<usize>,
    /// Whether each reply is delivered twice.
    twice: bool,
}

impl World {
    fn new(relays: usize, cover: CoverLevel) -> Self {
        Self::with(relays, cover, PacketScheme::X25519Kem)
    }

    fn with(relays: usize, cover: CoverLevel, scheme: PacketScheme) -> Self {
        Self::made(relays, cover, scheme, false)
    }

    /// With `tally`, the hub's answers are responses that bring it.
    fn made(relays: usize, cover: CoverLevel, scheme: PacketScheme, tally: bool) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let spec = geometry::spec_for(scheme, 3).unwrap();
        let sphinx = geometry::to_sphinx(&spec).unwrap();
        let mut nodes = Vec::new();
        let mut cores = Vec::new();
        for n in 0..=relays {
            let role = if n == relays { Role::Hub } else { Role::Relay };
            let keys: Vec<(u64, PrivateKey)> = (EPOCH..=EPOCH + 2)
                .map(|e| (e, PrivateKey::generate(geometry::to_scheme(scheme), &mut rng).unwrap()))
                .collect();
            let published = |(epoch, key): &(u64, PrivateKey)| EpochKey {
                epoch: *epoch,
                key: key.public().as_bytes().to_vec(),
            };
            nodes.push(NodeDescriptor {
                version: VERSION,
                role,
                id: id(n),
                addresses: vec!["127.0.0.1:1".parse().unwrap()],
                region: None,
                rate: 1_000,
                keys: keys.iter().map(published).collect(),
                processing: tally.then(|| Processing::ALL[n % 4]),
                both_ways: true,
                owner: None,
            });
            let config = RelayConfig {
                me: id(n),
                role,
                geometry: sphinx,
                rate: 1_000,
                epoch_ms: 60_000,
                max_delay_ms: 0,
                queue_limit: 10_000,
                tally: tally.then(|| Processing::ALL[n % 4]),
            };
            let mut core = Relay::new(config, &mut rng);
            for (epoch, key) in keys {
                core.install_key(epoch, key, Vec::new());
            }
            cores.push(core);
        }
        let document = document(spec, nodes, tally);
        let config = ClientConfig {
            cover: Some(cover),
            entry: EntryPolicy::Random,
            cover_body: b"echo".to_vec(),
            ..ClientConfig::default()
        };
        let mut client = OnionClient::new(config);
        client.set_token(ClientToken::new([9; 32]));
        client.set_document(T0, &document, &mut rng).unwrap();
        client.link_up();
        World {
            rng,
            now: T0,
            document,
            relays: cores,
            client,
            hub: relays,
            dead: Vec::new(),
            sent: Vec::new(),
            lens: std::collections::BTreeSet::new(),
            answers: Vec::new(),
            receipts: Vec::new(),
            traces: Vec::new(),
            wanted: 0,
            avoided: Vec::new(),
            probed: Vec::new(),
            cut: Vec::new(),
            loses: None,
            twice: false,
        }
    }

    fn ask(&mut self, body: &[u8]) -> RequestHandle {
        self.client.request(id(self.hub), body.to_vec(), 0).unwrap()
    }

    /// Runs for so long, in small steps.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(20) {
            self.step();
            self.now = self.now.plus_millis(20);
        }
    }

    fn step(&mut self) {
        while let Some(output) = self.client.poll(self.now, &mut self.rng) {
            match output {
                Output::Send { entry, epoch, packet } => {
                    self.sent.push(self.now);
                    assert_eq!(Some(entry), self.client.entry());
                    self.carry(entry, epoch, packet);
                }
                Output::Answer { handle, body, receipt, .. } => {
                    self.answers.push((handle, body));
                    self.receipts.extend(receipt.map(|r| *r));
                }
                Output::Trace(trace) => self.traces.push(trace),
                Output::DocumentWanted => self.wanted += 1,
                Output::Avoided(faults) => self.avoided = faults,
                Output::Probed { probe, came_back } => self.probed.push((probe, came_back)),
                Output::Sent { .. } => {}
            }
        }
    }

    fn carry(&mut self, to: NodeId, epoch: u32, packet: Vec<u8>) {
        let number = |node: NodeId| usize::from(node.as_bytes()[0]) - 1;
        let mut on_the_way = vec![(None, to, packet)];
        while let Some((from, to, packet)) = on_the_way.pop() {
            let n = number(to);
            self.lens.insert(packet.len());
            let is_cut = from.is_some_and(|from| self.cut.contains(&(from, n)));
            let is_lost = self.loses.is_some_and(|of| below(&mut self.rng, of) == Some(0));
            if self.dead.contains(&n) || is_cut || is_lost {
                continue;
            }
            self.relays[n].handle_packet(self.now, epoch, packet);
            while let Some(output) = self.relays[n].poll(self.now) {
                match output {
                    Mixed::Forward { next, packet, .. } => on_the_way.push((Some(n), next, packet)),
                    Mixed::Deliver { surb: Some(surb), data, tally, .. } => {
                        // The hub answers with what it was asked, reversed.
                        let mut body = envelope::open(&data).unwrap().to_vec();
                        body.reverse();
                        if tally.is_some() {
                            let boot = wire::BootId::new([1; 16]);
                            body = wire::encode(&wire::hub::Response {
                                boot,
                                answer: wire::hub::Answer::Echo,
                                tally,
                            });
                        }
                        let sphinx = geometry::to_sphinx(&self.document.geometry).unwrap();
                        let payload = envelope::seal(&body, sphinx.reply_len()).unwrap();
                        let (packet, next) = surb.reply(&sphinx, &payload).unwrap();
                        let mut packet = packet.into_bytes();
                        if tally.is_some() {
                            crate::tally::append(&mut packet, &crate::tally::draw(&mut self.rng));
                        }
                        on_the_way.push((Some(n), NodeId::new(next), packet));
                    }
                    Mixed::ToClient { surb_id, padded, .. } => {
                        for _ in 0..=usize::from(self.twice) {
                            self.client.handle_reply(self.now, surb_id, &padded);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

//= CLIENT-001
#[test]
fn requests_are_answered_once_even_when_replies_come_twice() {
    for scheme in [PacketScheme::X25519Kem, PacketScheme::XWing] {
        let mut world = World::with(4, CoverLevel::Off, scheme);
        world.twice = true;
        let handles: Vec<RequestHandle> = (0..5u8).map(|n| world.ask(&[n, 99])).collect();
        world.run(100);
        let expected: Vec<(RequestHandle, Vec<u8>)> =
            handles.into_iter().zip((0..5u8).map(|n| vec![99, n])).collect();
        assert_eq!(world.answers, expected);
        assert_eq!(world.client.stats().stray, 5);
        assert!(world.traces.iter().all(|t| t.relays.len() == 3 && t.reply_relays.len() == 3));
        world.run(60_000);
        assert_eq!(world.answers.len(), 5);
        assert_eq!(world.client.stats().retries, 0);
    }
}

//= TALLY-002, TALLY-003
#[test]
fn a_traced_request_brings_a_receipt_that_verifies_and_all_packets_have_one_size() {
    for scheme in [PacketScheme::X25519Kem, PacketScheme::XWing] {
        let mut world = World::made(5, CoverLevel::Normal, scheme, true);
        let hub = id(world.hub);
        world.client.request_traced(hub, b"trace".to_vec()).unwrap();
        world.ask(b"an ordinary one");
        world.run(30_000);
        assert_eq!((world.answers.len(), world.receipts.len()), (2, 1));
        let receipt = &world.receipts[0];
        let tallies = receipt.verify().unwrap();
        assert_eq!(tallies.len(), 4);
        assert_eq!((receipt.hops[3].node, receipt.epoch), (hub, EPOCH));
        let mut seen = tallies;
        seen.push(receipt.first);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5, "no two links share a tally");
        assert!(world.client.stats().loops_back > 0);
        let sphinx = geometry::to_sphinx(&world.document.geometry).unwrap();
        assert!(
            world.lens.iter().all(|l| *l == sphinx.packet_len() + 32),
            "loops, drops and requests alike"
        );
        // A hop that folds with another digest than the document says, or twice, is found out.
        let first = receipt.hops[0].node;
        let n = usize::from(first.as_bytes()[0]) - 1;
        world.document.nodes[n].processing = Some(Processing::ALL[(n + 1) % 4]);
        world.document.revision += 1;
        let document = world.document.clone();
        world.client.set_document(world.now, &document, &mut world.rng).unwrap();
        world.client.request_traced(hub, b"trace".to_vec()).unwrap();
        world.run(30_000);
        assert_eq!(world.receipts[1].verify(), Err(crate::tally::Fault::Altered));
    }
}

//= CLIENT-002
#[test]
fn a_lost_request_is_repeated_by_fresh_packets_on_fresh_paths_until_it_is_answered() {
    let mut world = World::new(6, CoverLevel::Off);
    let entry = world.client.entry().unwrap();
    // Two of the five others are dead: nine of ten round trips are.
    world.dead = (0..6).filter(|n| id(*n) != entry).take(2).collect();
    for n in 0..10u8 {
        world.ask(&[n]);
    }
    world.run(3_600_000);
    assert_eq!(world.answers.len(), 10);
    let paths: std::collections::BTreeSet<Vec<NodeId>> =
        world.traces.iter().map(|t| t.relays.clone()).collect();
    assert!(paths.len() > 5, "{}", paths.len());
    assert!(world.wanted > 0, "a newer document is asked for");
    assert!(world.wanted <= 720, "at most every five seconds: {}", world.wanted);
}

//= CLIENT-003
#[test]
fn a_document_without_a_relay_sends_what_used_it_again_at_once() {
    let mut world = World::new(5, CoverLevel::Off);
    let entry = world.client.entry().unwrap();
    world.dead = (0..5).filter(|n| id(*n) != entry).take(2).collect();
    for n in 0..20u8 {
        world.ask(&[n]);
    }
    world.run(40);
    assert!(world.answers.len() < 20);
    let dead = world.dead.clone();
    world.document.nodes.retain(|n| !dead.iter().any(|d| id(*d) == n.id));
    world.document.revision = 1;
    let document = world.document.clone();
    world.client.set_document(world.now, &document, &mut world.rng).unwrap();
    world.run(40);
    assert_eq!(world.answers.len(), 20, "without waiting for a time-out");
}

#[test]
fn requests_wait_while_the_hub_is_away_and_go_out_when_it_is_back() {
    let mut world = World::new(3, CoverLevel::Off);
    let whole = world.document.clone();
    world.dead = vec![world.hub];
    world.ask(b"lost with the hub");
    world.run(40);
    world.document.nodes.retain(|n| n.role == Role::Relay);
    world.document.revision = 1;
    let without = world.document.clone();
    world.client.set_document(world.now, &without, &mut world.rng).unwrap();
    world.ask(b"waits");
    let before = world.sent.len();
    world.run(60_000);
    assert_eq!(world.sent.len(), before, "no path, no packet");
    world.dead.clear();
    world.document = NetworkDocument { revision: 2, ..whole };
    let back = world.document.clone();
    world.client.set_document(world.now, &back, &mut world.rng).unwrap();
    world.run(40);
    assert_eq!(world.answers.len(), 2);
}

#[test]
fn nothing_leaves_while_the_link_is_down_and_answers_follow_the_new_token() {
    let mut world = World::new(3, CoverLevel::Off);
    world.client.link_down();
    world.ask(b"patience");
    world.run(1_000);
    assert!(world.sent.is_empty());
    world.client.link_up();
    world.dead = vec![world.hub];
    world.run(40);
    assert_eq!(world.sent.len(), 1);
    world.dead.clear();
    world.client.link_down();
    world.client.set_token(ClientToken::new([8; 32]));
    world.client.link_up();
    world.run(40);
    assert_eq!(world.answers.len(), 1, "sent again at once with a SURB to the new token");
}

//= COVER-002
#[test]
fn the_times_of_packets_do_not_tell_whether_anything_is_said() {
    let times = |talk: bool| {
        let mut world = World::new(4, CoverLevel::Normal);
        // The clock draws from a generator of its own here, as building packets draws differently
        // for each kind.
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut sent = Vec::new();
        for n in 0..3_000u64 {
            if talk && n.is_multiple_of(10) {
                world.ask(&[1]);
            }
            let slot = world.client.cover.as_mut().and_then(|c| c.poll(world.now, &mut rng));
            if let Some(slot) = slot {
                match slot {
                    Slot::Payload => match world.client.next_sendable() {
                        Some(at) => world.client.send_queued(world.now, at, &mut world.rng),
                        None => world.client.send_drop(world.now, &mut world.rng),
                    },
                    Slot::Loop => world.client.send_loop(world.now, &mut world.rng),
                    Slot::Drop => world.client.send_drop(world.now, &mut world.rng),
                }
                sent.push(world.now);
            }
            world.now = world.now.plus_millis(20);
        }
        let lens: std::collections::BTreeSet<usize> = world
            .client
            .out
            .iter()
            .filter_map(|o| match o {
                Output::Send { packet, .. } => Some(packet.len()),
                _ => None,
            })
            .collect();
        assert_eq!(lens.len(), 1, "all packets have one size");
        sent
    };
    let (silent, talking) = (times(false), times(true));
    assert!(silent.len() > 50);
    assert_eq!(silent, talking);
}

#[test]
fn with_cover_requests_take_slots_and_loops_come_back() {
    let mut world = World::new(4, CoverLevel::Normal);
    for n in 0..10u8 {
        world.ask(&[n]);
    }
    world.run(60_000);
    assert_eq!(world.answers.len(), 10);
    let stats = world.client.stats();
    assert!(stats.loops > 3 && stats.loops_back == stats.loops, "{stats:?}");
    assert!(stats.drops > 20, "{stats:?}");
    let per_minute = world.sent.len();
    assert!((60..110).contains(&per_minute), "{per_minute} packets at 84 per minute");
    assert!(world.client.cost_kb_per_min() > 0);
}

#[test]
fn a_mix_sends_loops_through_itself_and_nothing_else() {
    let mut world = World::new(4, CoverLevel::Off);
    let config =
        ClientConfig { mix: Some(id(2)), cover_body: b"echo".to_vec(), ..ClientConfig::default() };
    world.client = OnionClient::new(config);
    world.client.set_token(ClientToken::new([5; 32]));
    let mut document = world.document.clone();
    document.mixing.mix_loops = 500;
    world.client.set_document(T0, &document, &mut world.rng).unwrap();
    world.client.link_up();
    world.run(20_000);
    let stats = world.client.stats();
    assert!(stats.loops >= 4 && stats.loops_back == stats.loops && stats.drops == 0, "{stats:?}");
    assert!(world.traces.iter().all(|t| t.relays[0] == id(2) && t.reply_relays[2] == id(2)));
}

//= CLIENT-004
#[test]
fn what_is_open_is_bounded() {
    let mut world = World::new(3, CoverLevel::Off);
    world.dead = vec![world.hub];
    for _ in 0..MAX_REQUESTS {
        world.ask(b"x");
    }
    assert_eq!(world.client.request(id(3), vec![], 0), Err(Error::QueueFull));
    assert!(matches!(
        world.client.request(id(3), vec![0; 3_000], 0),
        Err(Error::QueueFull | Error::TooLong { .. })
    ));
    let first = *world.client.requests.keys().next().unwrap();
    world.client.cancel(first);
    assert!(world.client.request(id(3), vec![], 0).is_ok());
    let mut small = World::new(3, CoverLevel::Off);
    small.dead = vec![small.hub];
    small.ask(b"retried for long");
    small.run(300_000);
    assert!(small.client.stats().retries > 4);
    assert!(small.client.surbs.len() <= MAX_ATTEMPTS);
}

#[test]
fn deadlines_lie_within_the_epoch() {
    let world = World::new(3, CoverLevel::Off);
    assert_eq!(world.client.max_deadline_ms(T0), 75_000);
    assert_eq!(world.client.max_deadline_ms(T0.plus_millis(60_000)), 15_000);
    assert_eq!(world.client.max_deadline_ms(T0.plus_millis(600_000)), 500);
    assert_eq!(Scheme::X25519Kem, geometry::to_scheme(PacketScheme::X25519Kem));
}

//= MIX-009
#[test]
fn without_a_newer_document_packets_go_on_under_the_keys_that_the_last_one_names() {
    let mut world = World::new(4, CoverLevel::Off);
    let day = 24 * 3_600_000;
    world.document.valid_until = T0.plus_millis(day);
    let document = world.document.clone();
    world.client.set_document(T0, &document, &mut world.rng).unwrap();
    for (after, epoch) in [(0, 0), (61_000, 1), (125_000, 2), (day - 1_000, 2)] {
        world.now = T0.plus_millis(after);
        // Nodes erase what is over by then.
        world.relays.iter_mut().for_each(|r| r.erase_before(EPOCH + epoch));
        let asked = world.ask(b"are you there?");
        world.run(200);
        assert_eq!(world.answers.last().map(|(h, _)| *h), Some(asked), "after {after} ms");
    }
    assert_eq!(world.client.stats().retries, 0);
    world.client.follow_time(T0.plus_millis(day / 2));
    assert_eq!(world.client.max_deadline_ms(T0.plus_millis(day / 2)), 120_000, "until its end");
}

//= MIX-009
#[test]
fn document_time_and_not_the_clock_of_the_machine_says_which_keys_are_used() {
    let mut world = World::new(4, CoverLevel::Off);
    // The machine believes in 1970.
    world.now = Timestamp::from_millis(5_000);
    world.client.set_time(world.now, T0.plus_millis(61_000));
    let document = world.document.clone();
    world.client.set_document(world.now, &document, &mut world.rng).unwrap();
    world.relays.iter_mut().for_each(|r| r.erase_before(EPOCH + 1));
    let asked = world.ask(b"are you there?");
    world.run(200);
    assert_eq!(world.answers.last().map(|(h, _)| *h), Some(asked));
}
