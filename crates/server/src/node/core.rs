//! One task that owns the mix core: packets in, packets out, in order and without locks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jail::StateDir;
use mix::Capacity;
use mix::directory::VerifiedDocument;
use mix::geometry;
use mix::relay::{Output, Relay, RelayConfig};
use net::{Clock, Dialer, Identity};
use rand::SeedableRng;
use rand::rand_core::UnwrapErr;
use rand::rngs::{StdRng, SysRng};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wire::document::{NodeDescriptor, Processing, Role, Tag};
use wire::{ClientToken, Frame, NodeId, Timestamp};

use super::follow::{Current, Suspects};
use super::keys::KeyRing;
use super::loops::Loops;
use super::peers::Peers;
use crate::Error;
use crate::inbox::Deliver;
use crate::outgoing::Outgoing;
use crate::place::Place;

/// Packets taken from the links before what they caused is sent out.
const BATCH: usize = 128;

/// What a link or another task asks of the core.
pub(crate) enum Input {
    Packet {
        epoch: u32,
        packet: Vec<u8>,
        /// Whether a node of the document sent it.
        from_node: bool,
    },
    Attach {
        token: ClientToken,
        link: u64,
        to: Outgoing,
    },
    Detach {
        token: ClientToken,
        link: u64,
    },
    /// Somebody has opened a link and proved this key.
    Opened {
        node: NodeId,
        link: u64,
        to: Outgoing,
    },
    Closed {
        node: NodeId,
        link: u64,
    },
    /// A packet of our own making: a hub's reply.
    Send {
        next: NodeId,
        epoch: u32,
        packet: Vec<u8>,
    },
    RotateKeys,
}

/// Counters of a node, since its start. No ids, no addresses.
#[derive(Debug, Default)]
pub struct NodeStats {
    /// Packets that came in.
    pub received: AtomicU64,
    /// Packets handed to the next relay or hub.
    pub forwarded: AtomicU64,
    /// Replies handed to clients.
    pub replied: AtomicU64,
    /// Payloads delivered here (hubs).
    pub delivered: AtomicU64,
    /// Packets dropped, for whatever reason.
    pub dropped: AtomicU64,
    /// Loops of our own that left.
    pub loops: AtomicU64,
    /// Loops of our own that came back.
    pub loops_back: AtomicU64,
    /// Bytes that came in, packets only.
    pub bytes_in: AtomicU64,
    /// Bytes that went out, packets only.
    pub bytes_out: AtomicU64,
}

pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) identity: Identity,
    pub(crate) place: Place,
    pub(crate) dialer: Dialer,
    pub(crate) region: Option<Tag>,
    pub(crate) owner: Option<Tag>,
    pub(crate) rate: u32,
    pub(crate) processing: Processing,
    pub(crate) state: StateDir,
    pub(crate) clock: Clock,
    pub(crate) deliver: Option<Deliver>,
    pub(crate) descriptor: watch::Sender<Option<Vec<u8>>>,
    pub(crate) suspects: watch::Sender<Suspects>,
    pub(crate) stats: Arc<NodeStats>,
    pub(crate) inputs: mpsc::Sender<Input>,
}

/// What exists once a first document has told geometry and epochs.
struct Joined {
    document: Arc<VerifiedDocument>,
    /// What the system's clock and our own showed when it came: from there on our own counts, so
    /// that setting the system's clock moves no keys.
    since: (Timestamp, Timestamp),
    relay: Relay,
    ring: KeyRing,
    /// The epoch that keys have been made for.
    epoch: u64,
}

impl Joined {
    fn time(&self, now: Timestamp) -> Timestamp {
        let (real, then) = self.since;
        real.plus_millis(now.millis_since(then)).max(self.document.published)
    }

    /// The epoch whose keys packets use now. Once the document has ended nobody sends any more, and
    /// the keys go.
    fn current_epoch(&self, now: Timestamp) -> u64 {
        let time = self.time(now);
        if time > self.document.valid_until {
            return time.period(self.document.epoch_ms);
        }
        mix::epoch::in_use(&self.document, time)
    }
}

pub(crate) struct Core {
    setup: Setup,
    joined: Option<Joined>,
    clients: HashMap<ClientToken, (u64, Outgoing)>,
    peers: Peers,
    loops: Loops,
    capacity: Capacity,
    look_at: Timestamp,
    /// What the log has said, and when it may say it again.
    told: HashMap<&'static str, Timestamp>,
    rng: StdRng,
}

/// Between two lines of the log about a trouble that lasts, ms.
const TELL_MS: u64 = 60_000;
/// How often the links and our loops are looked at, ms.
const LOOK_MS: u64 = 500;
/// Kept beyond the longest delay for a peer that is named no more, ms.
const PEER_MARGIN_MS: u64 = 2_000;

/// Clients that may be attached at one time.
const MAX_CLIENTS: usize = 65_536;

impl Core {
    pub(crate) fn new(setup: Setup) -> Self {
        let loops = Loops::new(&setup);
        let rng = StdRng::from_rng(&mut UnwrapErr(SysRng));
        let (identity, dialer) = (setup.identity.clone(), setup.dialer.clone());
        let peers = Peers::new(identity, dialer, setup.inputs.clone());
        let capacity = Capacity::new(setup.clock.now(), setup.rate, 0);
        Core {
            setup,
            joined: None,
            clients: HashMap::new(),
            peers,
            loops,
            capacity,
            look_at: Timestamp::ZERO,
            told: HashMap::new(),
            rng,
        }
    }

    pub(crate) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Input>,
        mut documents: watch::Receiver<Current>,
        stop: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let wake = self.wake();
            let now = self.setup.clock.now();
            self.peers.forget(now);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = documents.changed() => {
                    if changed.is_err() { break }
                    let current = documents.borrow_and_update().clone();
                    if let Some(document) = current
                        && let Err(error) = self.join(document)
                    {
                        tracing::error!(%error, "cannot follow the network document");
                    }
                }
                n = inbox.recv_many(&mut batch, BATCH) => {
                    if n == 0 { break }
                    for input in batch.drain(..) {
                        self.take(input);
                    }
                }
                () = self.setup.place.changed() => self.publish(),
                () = tokio::time::sleep_until(wake) => {}
            }
            self.look_around();
            if let Err(error) = self.advance() {
                self.tell(&error, "cannot keep epoch keys");
            }
            if let Err(error) = self.pump() {
                self.tell(&error, "cannot write the replay journal: packets are dropped");
            }
        }
        self.peers.close().await;
    }

    /// What is tried again and again is not logged as often.
    fn tell(&mut self, error: &Error, what: &'static str) {
        let now = self.setup.clock.now();
        let again_at = self.told.entry(what).or_insert(now);
        if now >= *again_at {
            *again_at = now.plus_millis(TELL_MS);
            tracing::error!(%error, "{what}");
        }
    }

    fn wake(&self) -> tokio::time::Instant {
        let soon = self.setup.clock.now().plus_millis(500);
        let relay = self.joined.as_ref().and_then(|j| j.relay.deadline());
        let due = relay.into_iter().chain(self.loops.deadline()).fold(soon, Timestamp::min);
        self.setup.clock.instant(due)
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Packet { epoch, packet, from_node } => {
                self.setup.stats.received.fetch_add(1, Ordering::Relaxed);
                self.setup.stats.bytes_in.fetch_add(packet.len() as u64, Ordering::Relaxed);
                if let Some(joined) = &mut self.joined {
                    let now = self.setup.clock.now();
                    if from_node {
                        joined.relay.handle_packet(now, epoch, packet);
                    } else {
                        joined.relay.handle_client_packet(now, epoch, packet);
                    }
                }
            }
            Input::Attach { token, link, to } => {
                if self.clients.len() < MAX_CLIENTS {
                    self.clients.insert(token, (link, to));
                }
            }
            Input::Detach { token, link } => {
                if self.clients.get(&token).is_some_and(|(of, _)| *of == link) {
                    self.clients.remove(&token);
                }
            }
            Input::Opened { node, link, to } => self.peers.opened(node, link, to),
            Input::Closed { node, link } => self.peers.closed(node, link),
            Input::Send { next, epoch, packet } => self.send(next, epoch, packet),
            Input::RotateKeys => {
                let done = self.joined.as_mut().map(|j| j.ring.rotate(j.epoch, &mut j.relay));
                if let Some(Err(error)) = done {
                    tracing::error!(%error, "cannot rotate keys");
                }
                self.publish();
            }
        }
    }

    /// Takes a newer document: the first one makes the mix core.
    fn join(&mut self, document: Arc<VerifiedDocument>) -> Result<(), Error> {
        let epoch = document.epoch;
        self.tell_how_we_are_listed(&document);
        let since = (self.setup.clock.real(), self.setup.clock.now());
        if let Some(joined) = &mut self.joined {
            joined.relay.set_mixing(&document);
            joined.document = document;
            joined.since = since;
        } else {
            let sphinx_geometry = geometry::to_sphinx(&document.geometry)?;
            let config = RelayConfig {
                me: self.setup.identity.node_id(),
                role: self.setup.role,
                geometry: sphinx_geometry,
                rate: self.setup.rate,
                epoch_ms: document.epoch_ms,
                max_delay_ms: document.mixing.max_delay_ms,
                queue_limit: usize::try_from(self.setup.rate).unwrap_or(1000).clamp(1024, 16_384),
                tally: document.tally.then_some(self.setup.processing),
            };
            let ring = KeyRing::open(self.setup.state.clone(), sphinx_geometry.scheme())?;
            let relay = Relay::new(config, &mut self.rng);
            self.joined = Some(Joined { document, since, relay, ring, epoch: 0 });
        }
        self.follow_document();
        tracing::debug!(epoch, "network document");
        Ok(())
    }

    /// Looks now and then at how full the links are and who loses our loops, and says it when that
    /// has changed.
    fn look_around(&mut self) {
        let now = self.setup.clock.now();
        if now < self.look_at {
            return;
        }
        self.look_at = now.plus_millis(LOOK_MS);
        self.setup.suspects.send_if_modified(|before| {
            let suspected = self.loops.suspects(now);
            let changed = !before.names(&suspected);
            if changed {
                *before = Suspects { at: now, suspected };
            }
            changed
        });
        let load = self.peers.load();
        if self.capacity.sample(now, load.sent, load.links, load.waiting) {
            let rate = self.capacity.says();
            tracing::info!(rate, "this line carries so many packets a second");
            self.publish();
        }
    }

    /// Follows the epochs by document time, even while the directory is down.
    fn advance(&mut self) -> Result<(), Error> {
        let now = self.setup.clock.now();
        let Some(joined) = &mut self.joined else { return Ok(()) };
        let epoch_ms = joined.document.epoch_ms;
        let epoch = joined.current_epoch(now);
        if epoch != joined.epoch {
            joined.ring.advance(epoch, &mut joined.relay)?;
            joined.epoch = epoch;
            self.publish();
            return Ok(());
        }
        let into =
            joined.time(now).millis_since(Timestamp::from_millis(epoch.saturating_mul(epoch_ms)));
        let keep_from =
            if into > mix::epoch::grace_ms(epoch_ms) { epoch } else { epoch.saturating_sub(1) };
        joined.ring.erase_before(keep_from, &mut joined.relay)
    }

    /// Signs a new descriptor and passes it to the directory link.
    fn publish(&mut self) {
        let Some(joined) = &self.joined else { return };
        let descriptor = NodeDescriptor {
            version: wire::document::VERSION,
            role: self.setup.role,
            id: self.setup.identity.node_id(),
            addresses: self.setup.place.addresses(),
            region: self.setup.region.clone(),
            owner: self.setup.owner.clone(),
            rate: self.capacity.says(),
            keys: joined.ring.public_from(joined.epoch),
            processing: joined.document.tally.then_some(self.setup.processing),
            both_ways: true,
        };
        let signed = mix::directory::sign_descriptor(self.setup.identity.seed(), &descriptor);
        let _ = self.setup.descriptor.send(Some(wire::encode(&signed)));
    }

    /// Says when the directory lists this relay as one that nobody reaches, and when no longer.
    fn tell_how_we_are_listed(&self, document: &VerifiedDocument) {
        let me = self.setup.identity.node_id();
        let among = |d: &VerifiedDocument| d.dials_only.iter().any(|node| node.id == me);
        let before = self.joined.as_ref().is_some_and(|joined| among(&joined.document));
        match (before, among(document)) {
            (false, true) if self.setup.place.addresses().is_empty() => {
                tracing::info!("listed as a relay that dials only");
            }
            (false, true) => tracing::warn!(
                "listed as a relay that dials only: it carries packets on the links that it opens, and is nobody's entry"
            ),
            (true, false) if document.node(&me).is_some() => {
                tracing::warn!("the directory reaches this relay now");
            }
            _ => {}
        }
    }

    /// Applies everything else that a newer document changes.
    fn follow_document(&mut self) {
        let Some(joined) = &self.joined else { return };
        self.peers.follow(&joined.document, self.linger_until(&joined.document));
        let now = self.setup.clock.now();
        if let (Some(deliver), Ok(geometry)) =
            (&self.setup.deliver, geometry::to_sphinx(&joined.document.geometry))
        {
            deliver.document(geometry, now, joined.time(now));
        }
        self.loops.follow(now, joined.time(now), &joined.document, &mut self.rng);
    }

    /// Until when a peer that has just left the document is kept: a packet may wait its longest
    /// delay at each of the relays.
    fn linger_until(&self, document: &VerifiedDocument) -> Timestamp {
        let longest = u64::from(document.mixing.max_delay_ms)
            .saturating_mul(u64::from(document.paths.max_relays));
        self.setup.clock.now().plus_millis(longest.saturating_add(PEER_MARGIN_MS))
    }

    /// Does everything that the core has due. The journal is written before any packet leaves.
    fn pump(&mut self) -> Result<(), Error> {
        let now = self.setup.clock.now();
        let mut leaving = Vec::new();
        let Some(joined) = &mut self.joined else { return Ok(()) };
        for (epoch, packet) in self.loops.due(now, &mut self.rng) {
            joined.relay.handle_packet(now, epoch, packet);
        }
        while let Some(output) = joined.relay.poll(now) {
            match output {
                Output::Remember { epoch, tag } => joined.ring.remember(epoch, &tag),
                other => leaving.push(other),
            }
        }
        let stats = &self.setup.stats;
        stats.dropped.store(joined.relay.counters().total(), Ordering::Relaxed);
        let loops = self.loops.stats();
        stats.loops.store(loops.loops, Ordering::Relaxed);
        stats.loops_back.store(loops.loops_back, Ordering::Relaxed);
        joined.ring.flush()?;
        for output in leaving {
            self.leave(output);
        }
        Ok(())
    }

    fn leave(&mut self, output: Output) {
        let stats = self.setup.stats.clone();
        match output {
            Output::Forward { next, epoch, packet } => {
                stats.forwarded.fetch_add(1, Ordering::Relaxed);
                self.send(next, epoch, packet);
            }
            Output::ToClient { token, surb_id, padded } if self.loops.is_mine(&token) => {
                self.loops.returned(self.setup.clock.now(), surb_id, &padded);
            }
            Output::ToClient { token, surb_id, padded } => {
                if let Some((_, to)) = self.clients.get(&token) {
                    stats.replied.fetch_add(1, Ordering::Relaxed);
                    stats.bytes_out.fetch_add(padded.len() as u64, Ordering::Relaxed);
                    // A client that does not read loses replies and asks again.
                    let _ = to.offer(Frame::Reply { surb_id, padded });
                }
            }
            Output::Deliver { epoch, surb, data, tally } => {
                stats.delivered.fetch_add(1, Ordering::Relaxed);
                if let Some(deliver) = &self.setup.deliver {
                    deliver.onion(epoch, surb, data, tally);
                }
            }
            _ => {}
        }
    }

    fn send(&self, next: NodeId, epoch: u32, packet: Vec<u8>) {
        let bytes = packet.len() as u64;
        if self.peers.send(&next, Frame::Packet { epoch, packet }) {
            self.setup.stats.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}
