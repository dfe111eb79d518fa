//! Nodes that gossip in one thread, with a seed and a clock of their own.

use std::collections::BTreeMap;

use hub::store::Keep;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use streams::WriteCapability;

use super::*;
use crate::carry::MemoryCarry;
use crate::reconcile::Reconciliation;

struct Peer {
    node: Node,
    store: MemoryCarry,
    found: Vec<VerifiedBox>,
}

/// A world of nodes. Links are ordered; every message takes `delay` ms.
struct World {
    now: Timestamp,
    rng: ChaCha20Rng,
    peers: Vec<Peer>,
    /// Link number → the two ends, or nothing when it is cut.
    links: BTreeMap<u64, (usize, usize)>,
    /// Due time, order → where, which link, what.
    post: BTreeMap<(u64, u64), (usize, u64, Post)>,
    order: u64,
    delay: u64,
    bytes: usize,
    closed: Vec<&'static str>,
}

enum Post {
    Message(Message),
    Sent,
}

fn account(n: usize) -> Account {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(n as u64 + 1).to_be_bytes());
    Account(bytes)
}

fn known(n: usize, standing: Standing, first: bool) -> Known {
    Known { account: account(n), standing, first }
}

fn content(n: u64) -> VerifiedBox {
    WriteCapability::from_seed(&[9; 32]).seal(&n.to_be_bytes(), &[0; 2032]).unwrap()
}

impl World {
    fn new(count: usize) -> Self {
        Self::with(count, Config::default())
    }

    fn with(count: usize, config: Config) -> Self {
        let peers = (0..count)
            .map(|_| {
                let store = MemoryCarry::new(Keep::default());
                Peer { node: Node::load(config, &store).unwrap(), store, found: Vec::new() }
            })
            .collect();
        World {
            now: Timestamp::from_millis(1_000_000),
            rng: ChaCha20Rng::seed_from_u64(11),
            peers,
            links: BTreeMap::new(),
            post: BTreeMap::new(),
            order: 0,
            delay: 1,
            bytes: 0,
            closed: Vec::new(),
        }
    }

    fn at<T>(
        &mut self,
        who: usize,
        work: impl FnOnce(&mut Node, &mut Step<'_>, &mut ChaCha20Rng) -> T,
    ) -> T {
        let peer = &mut self.peers[who];
        let mut step = Step { now: self.now, store: &mut peer.store };
        let result = work(&mut peer.node, &mut step, &mut self.rng);
        self.collect(who);
        result
    }

    fn collect(&mut self, who: usize) {
        while let Some(action) = self.peers[who].node.poll() {
            match action {
                Action::Send(link, message) => {
                    self.bytes += wire::encode(&message).len() + 4;
                    let due = self.now.as_millis() + self.delay;
                    self.enqueue(due, who, link.0, Post::Sent);
                    if let Some((a, b)) = self.links.get(&link.0).copied() {
                        let to = if a == who { b } else { a };
                        self.enqueue(due, to, link.0, Post::Message(message));
                    }
                }
                Action::Close(link, why) => {
                    self.closed.push(why);
                    self.cut(link.0);
                }
                Action::Found(_, content) => self.peers[who].found.push(content),
            }
        }
    }

    fn enqueue(&mut self, due: u64, to: usize, link: u64, post: Post) {
        self.order += 1;
        self.post.insert((due, self.order), (to, link, post));
    }

    fn link_as(&mut self, a: usize, b: usize, standing: Standing) -> u64 {
        self.order += 1;
        let link = self.order;
        self.links.insert(link, (a, b));
        self.at(a, |n, s, _| n.link_up(s, LinkId(link), known(b, standing, true), true));
        self.at(b, |n, s, _| n.link_up(s, LinkId(link), known(a, standing, false), false));
        link
    }

    fn link(&mut self, a: usize, b: usize) -> u64 {
        self.link_as(a, b, Standing::Contact)
    }

    fn cut(&mut self, link: u64) {
        if let Some((a, b)) = self.links.remove(&link) {
            self.post.retain(|_, (_, l, _)| *l != link);
            self.at(a, |n, s, _| n.link_down(s, LinkId(link)));
            self.at(b, |n, s, _| n.link_down(s, LinkId(link)));
        }
    }

    fn say(&mut self, who: usize, n: u64) -> BoxId {
        assert_eq!(
            self.at(who, |node, s, _| node.put(s, &content(n), None)).unwrap(),
            PutOutcome::Stored
        );
        content(n).id()
    }

    fn has(&self, who: usize, id: &BoxId) -> bool {
        self.peers[who].node.carry.get(id).is_some()
    }

    /// Delivers and ticks until this much time is over.
    fn run(&mut self, ms: u64) {
        let end = self.now.plus_millis(ms);
        loop {
            let tick = (0..self.peers.len())
                .filter_map(|i| Some((self.peers[i].node.deadline()?, i)))
                .min();
            let next =
                self.post.first_key_value().map(|((due, _), _)| Timestamp::from_millis(*due));
            let due = [next, tick.map(|t| t.0)].into_iter().flatten().min();
            let Some(due) = due.filter(|d| *d <= end) else { break };
            self.now = self.now.max(due);
            if let Some((to, link, post)) =
                next.filter(|n| *n <= due).and_then(|_| self.post.pop_first()).map(|(_, v)| v)
            {
                self.at(to, |n, s, _| match post {
                    Post::Message(message) => n.on_message(s, LinkId(link), message).unwrap(),
                    Post::Sent => n.sent(s, LinkId(link)),
                });
            } else if let Some((_, who)) = tick {
                self.at(who, |n, s, rng| n.tick(s, rng).unwrap());
            }
        }
        self.now = end;
    }
}

#[test]
fn what_one_says_the_other_has_at_once_and_whoever_waits_is_told_once() {
    let mut w = World::new(2);
    w.link(0, 1);
    let id = content(1).id();
    w.at(1, |n, s, _| assert!(n.watch(s, WatchId(7), &[id, content(2).id()]).unwrap().is_empty()));
    w.say(0, 1);
    assert_eq!(w.peers[0].node.untaken(), 1, "worth waiting for");
    w.run(10);
    assert_eq!(w.peers[0].node.untaken(), 0);
    assert_eq!(w.peers[1].found, [content(1)]);
    w.say(0, 2);
    w.run(10);
    assert_eq!(w.peers[1].found.len(), 1, "a watch ends with its first box");
    let here = w.at(1, |n, s, _| n.watch(s, WatchId(8), &[content(2).id(), id]).unwrap());
    assert_eq!(here, [content(2), content(1)], "in the order asked");
}

//= MESH-007
#[test]
fn along_a_line_a_box_travels_its_hops_and_no_further() {
    let mut w = World::new(6);
    (0..5).for_each(|n| {
        w.link(n, n + 1);
    });
    let id = w.say(0, 1);
    w.run(1_000);
    let left: Vec<Option<u8>> =
        w.peers.iter().map(|p| p.node.carry.get(&id).map(|e| e.note.hops)).collect();
    assert_eq!(left, [Some(4), Some(3), Some(2), Some(1), Some(0), None]);
    w.run(300_000);
    assert!(!w.has(5, &id), "nor do later rounds carry it further");
    w.link(0, 5);
    w.run(1_000);
    assert!(w.has(5, &id), "a shorter way");
    assert_eq!(w.peers[4].node.carry.get(&id).unwrap().note.hops, 2, "and it may go on from there");
}

//= MESH-006
#[test]
fn who_was_away_brings_and_fetches_and_partitions_heal() {
    let mut w = World::new(4);
    let (mut sent, mut links) = (Vec::new(), vec![w.link(0, 1), w.link(2, 3)]);
    for n in 0..200 {
        sent.push(w.say((n % 4) as usize, n));
    }
    w.run(2_000);
    assert!(!w.has(3, &sent[0]));
    links.push(w.link(1, 2));
    w.run(2_000);
    for id in &sent {
        assert!((0..4).all(|who| w.has(who, id)));
    }
    let before = w.bytes;
    w.run(120_000);
    assert!(
        w.bytes - before < 6_000,
        "a node that has everything says little: {} B",
        w.bytes - before
    );
}

#[test]
fn a_box_that_many_have_is_fetched_once() {
    let mut w = World::new(6);
    for a in 0..6 {
        for b in a + 1..6 {
            w.link(a, b);
        }
    }
    for n in 0..100 {
        w.say(0, n);
    }
    w.run(5_000);
    assert!((0..100).all(|n| (0..6).all(|who| w.has(who, &content(n).id()))));
    assert!(w.peers.iter().all(|p| p.node.links().map(|l| l.received.0).sum::<u64>() <= 100));
}

//= MESH-006
#[test]
fn a_guest_gets_what_is_for_them_and_nothing_else() {
    let mut w = World::new(2);
    w.say(0, 1);
    w.link_as(0, 1, Standing::Guest);
    w.at(0, |n, s, _| n.put(s, &content(2), Some(account(1)))).unwrap();
    w.at(0, |n, s, _| n.put(s, &content(3), Some(account(2)))).unwrap();
    w.run(200_000);
    assert_eq!(
        w.peers[1].node.usage(),
        Usage::default(),
        "nor is anything taken that nobody waits for"
    );
    let ids = [1, 2, 3].map(|n| content(n).id());
    assert!(w.at(1, |n, s, _| n.watch(s, WatchId(1), &ids)).unwrap().is_empty());
    w.run(1_000);
    assert_eq!(w.peers[1].found, [content(2)]);
    let asked = Message::Want(vec![wire::hub::BoxAddress(*content(1).id().as_bytes())]);
    let link = *w.links.keys().next().unwrap();
    w.at(0, |n, s, _| n.on_message(s, LinkId(link), asked)).unwrap();
    w.run(100);
    assert!(!w.has(1, &content(1).id()), "asked for by its id, it is not given");
    let ranges = Message::Ranges(Reconciliation::begin(Snapshot::new([].into_iter())).unwrap().1);
    w.at(0, |n, s, _| n.on_message(s, LinkId(link), ranges)).unwrap();
    assert_eq!(w.closed, ["only the side that dialled may start to reconcile"]);
}

//= MESH-003
#[test]
fn of_two_links_with_one_contact_both_ends_keep_the_same() {
    for first_dials_later in [true, false] {
        let mut w = World::new(2);
        let dials = |w: &mut World, link: u64, by_first: bool| {
            w.links.insert(link, (0, 1));
            w.at(0, |n, s, _| {
                n.link_up(s, LinkId(link), known(1, Standing::Contact, true), by_first);
            });
            w.at(1, |n, s, _| {
                n.link_up(s, LinkId(link), known(0, Standing::Contact, false), !by_first);
            });
        };
        dials(&mut w, 1_001, !first_dials_later);
        dials(&mut w, 1_002, first_dials_later);
        let kept: Vec<_> =
            w.peers.iter().map(|p| p.node.links().map(|l| l.id.0).collect::<Vec<_>>()).collect();
        let expected = if first_dials_later { 1_002 } else { 1_001 };
        assert_eq!(kept, [[expected], [expected]]);
    }
}

//= MESH-009
#[test]
fn a_neighbour_that_floods_fills_nothing_and_one_that_lies_is_closed() {
    let limits = Limits { others: 100 * 2_144, ours: 1 << 20, keep_ms: 1 << 40 };
    let mut w = World::with(3, Config { limits, ..Config::default() });
    w.link(1, 0);
    let quiet: Vec<BoxId> = (0..20).map(|n| w.say(1, n)).collect();
    w.run(1_000);
    w.link(2, 0);
    for n in 1_000..1_400 {
        w.say(2, n);
    }
    w.run(20_000);
    let usage = w.peers[0].node.usage();
    assert!(usage.others.1 <= limits.others, "{usage:?}");
    assert!(quiet.iter().all(|id| w.has(0, id)), "the other neighbour's boxes stay");

    let lies: [(Message, &str); 3] = [
        (Message::Ranges(vec![0x61, 0, 0, 9]), "a step of a reconciliation that cannot be read"),
        (Message::Answer(vec![0x61]), "an answer without a question"),
        (Message::Want(vec![]), ""),
    ];
    for (message, why) in lies {
        let link = w.link(1, 0);
        w.run(500);
        w.closed.clear();
        w.at(0, |n, s, _| n.on_message(s, LinkId(link), message)).unwrap();
        assert_eq!(w.closed, [why].iter().copied().filter(|w| !w.is_empty()).collect::<Vec<_>>());
    }
}

//= MESH-009
#[test]
fn what_nobody_asked_for_is_not_taken() {
    let mut w = World::new(2);
    let link = w.link(0, 1);
    w.run(100);
    for n in 0..600 {
        let message = Message::Boxes(vec![wire::mesh::Carried {
            hops: 4,
            content: hub::to_wire(content(n)),
        }]);
        w.at(0, |node, s, _| node.on_message(s, LinkId(link), message)).unwrap();
    }
    assert_eq!(w.peers[0].node.usage(), Usage::default());
    assert_eq!(w.closed, ["too many boxes that were not asked for"]);
}

#[test]
fn a_neighbour_that_dies_in_mid_transfer_is_replaced_by_another() {
    let mut w = World::new(3);
    for n in 0..300 {
        w.say(0, n);
    }
    w.link(0, 1);
    w.run(5_000);
    w.delay = 50;
    let dying = w.link(0, 2);
    w.link(1, 2);
    w.run(400);
    let some = w.peers[2].node.usage().others.0;
    assert!(some < 300, "in the middle: {some}");
    w.cut(dying);
    w.run(60_000);
    assert_eq!(w.peers[2].node.usage().others.0, 300);
}

#[test]
fn a_thousand_nodes_each_get_everything_once() {
    let mut w = World::with(1_000, Config { hops: 64, ..Config::default() });
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    for n in 1..1_000_usize {
        // Each knows a few of those before it: one world, no two ways alike.
        for _ in 0..2 {
            let other = usize::try_from(rng.next_u64() % n as u64).unwrap();
            if !w.links.values().any(|l| *l == (other, n)) {
                w.link(other, n);
            }
        }
    }
    let said: Vec<BoxId> = (0..10).map(|n| w.say((n * 97) as usize, n)).collect();
    w.run(20_000);
    for peer in &w.peers {
        assert!(said.iter().all(|id| peer.node.carry.get(id).is_some()));
        assert!(peer.node.links().map(|l| l.received.0).sum::<u64>() <= 10, "no box came twice");
    }
}
