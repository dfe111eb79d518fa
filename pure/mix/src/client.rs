//! The client side of the onion route: requests go out in fresh packets, answers come back by
//! SURBs, cover traffic hides both.
//!
//! ```text
//!            request          slot, or at once without cover       reply opens
//!  (caller) ─────────► queued ─────────────────────────► in flight ───────────► answered
//!                        ▲                                   │
//!                        └───────────────────────────────────┘
//!             time-out; relay gone from the document; attached with a new token; `resend`
//! ```
//!
//! Sans-IO: the shell keeps one link to [`OnionClient::entry`], passes replies to
//! [`OnionClient::handle_reply`], and does what [`OnionClient::poll`] returns. A request is
//! repeated, in a fresh packet over a fresh path, until it is answered or cancelled.

mod build;
mod flight;
mod link;
mod pending;
mod silence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use rand_core::CryptoRng;
use sphinx::Geometry;
use wire::document::{CoverLevel, CoverRates, NetworkDocument};
use wire::{ClientToken, NetworkId, NodeId, Timestamp};

use self::flight::{Attempt, Flight};
use self::pending::{PendingSurb, SurbFor};
use self::silence::Silence;
use crate::cover::{self, CoverClock, Slot};
use crate::health::{Fault, Health};
use crate::path::{Dials, EntryPins, EntryPolicy, PathPlanner};
use crate::tally::Receipt;
use crate::{Error, envelope, epoch, geometry};

/// Most requests open at one time; more are refused.
pub(crate) const MAX_REQUESTS: usize = 4_096;
/// Attempts of one request whose answers are still recognised. An answer to an older one is wasted,
/// and the request is repeated.
const MAX_ATTEMPTS: usize = 4;
/// Most loops whose return is awaited.
const MAX_LOOPS: usize = 256;
/// Least time between requests for a newer document when requests keep timing out, ms.
const DOCUMENT_EVERY_MS: u64 = 5_000;
/// Length of a Sphinx payload tag, bytes.
const TAG_LEN: usize = sphinx::PAYLOAD_TAG_LEN;

/// Identifies a request until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestHandle(u64);

/// Settings of a client.
#[derive(Debug, Clone, Default)]
pub struct ClientConfig {
    /// Cover level; `None` takes the document's.
    pub cover: Option<CoverLevel>,
    /// How the entry relay is chosen.
    pub entry: EntryPolicy,
    /// Which addresses the shell can dial.
    pub dials: Dials,
    /// Entries that an earlier run pinned.
    pub pins: EntryPins,
    /// CBOR of the request inside loops and drops: an `echo`.
    pub cover_body: Vec<u8>,
    /// Set by a relay that sends loops through the network: it is its own entry, and its only
    /// stream is the document's mix loops.
    pub mix: Option<NodeId>,
}

/// One sent packet, as shown with `-v`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTrace {
    /// Relays on the way out.
    pub relays: Vec<NodeId>,
    /// Relays on the way back; empty without a SURB.
    pub reply_relays: Vec<NodeId>,
    /// The hub.
    pub hub: NodeId,
    /// Length of the packet, bytes.
    pub packet_len: usize,
    /// `request`, `retry`, `loop` or `drop`.
    pub what: &'static str,
}

/// What the shell must do, or what became of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send this packet to the entry relay.
    Send {
        /// The entry relay the packet was built for.
        entry: NodeId,
        /// Low 32 bits of the packet's epoch.
        epoch: u32,
        /// The packet.
        packet: Vec<u8>,
    },
    /// The first packet of a request has left.
    Sent {
        /// Which request.
        handle: RequestHandle,
    },
    /// A request is answered.
    Answer {
        /// Which request.
        handle: RequestHandle,
        /// CBOR of the response.
        body: Vec<u8>,
        /// Time from the first packet to the answer, ms.
        after_ms: u64,
        /// The path of the packet that was answered, if [`OnionClient::request_traced`] asked for
        /// it and the network uses tallies.
        receipt: Option<Box<Receipt>>,
    },
    /// A packet left over this path.
    Trace(PathTrace),
    /// A probe came back, or did not in time.
    Probed {
        /// Its number.
        probe: u32,
        /// Whether it came back.
        came_back: bool,
    },
    /// Whom new paths avoid from now on, because packets vanish there; nobody if it is empty.
    Avoided(Vec<Fault>),
    /// Requests keep timing out: fetch the document, since relays may have changed.
    DocumentWanted,
}

/// Counts since the start. They stay in the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// First packets of requests.
    pub requests: u64,
    /// Repeated packets of requests.
    pub retries: u64,
    /// Loops sent.
    pub loops: u64,
    /// Loops that came back.
    pub loops_back: u64,
    /// Drops sent.
    pub drops: u64,
    /// Replies that no open request waits for.
    pub stray: u64,
}

/// The parts of a document that the client uses.
struct Net {
    document: NetworkDocument,
    planner: PathPlanner,
    geometry: Geometry,
    network: NetworkId,
    tally: bool,
}

impl Net {
    /// When the keys that paths use now are erased, but for the grace.
    fn epoch_end(&self) -> Timestamp {
        let document = &self.document;
        let (epoch, ms) = (self.planner.epoch(), document.epoch_ms);
        let end = Timestamp::from_millis(epoch.saturating_add(1).saturating_mul(ms));
        // The last keys that the document names serve until it ends.
        let last = epoch >= document.epoch.saturating_add(epoch::EPOCHS_AHEAD);
        if last { end.max(document.valid_until) } else { end }
    }
}

/// The client side of the onion route. See the module's page.
pub struct OnionClient {
    config: ClientConfig,
    net: Option<Net>,
    /// Document time, and the time of our own clock when it was set.
    time: Option<(Timestamp, Timestamp)>,
    entry: Option<NodeId>,
    token: ClientToken,
    up: bool,
    requests: BTreeMap<RequestHandle, Flight>,
    /// Requests waiting for a packet, oldest first.
    queue: VecDeque<RequestHandle>,
    surbs: HashMap<[u8; 16], PendingSurb>,
    cover: Option<CoverClock>,
    /// Loops that show where packets vanish, where there are none for cover.
    probes: Option<CoverClock>,
    health: Health,
    silence: Silence,
    next_handle: u64,
    out: VecDeque<Output>,
    document_asked: Timestamp,
    stats: Stats,
}

impl OnionClient {
    /// A client without a document. Requests wait until it gets one.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        OnionClient {
            config,
            net: None,
            time: None,
            entry: None,
            token: ClientToken::new([0; 32]),
            up: false,
            requests: BTreeMap::new(),
            queue: VecDeque::new(),
            surbs: HashMap::new(),
            cover: None,
            probes: None,
            health: Health::default(),
            silence: Silence::default(),
            next_handle: 0,
            out: VecDeque::new(),
            document_asked: Timestamp::ZERO,
            stats: Stats::default(),
        }
    }

    /// From now on it is `time` by the document when it is `now` by our own clock. Without this,
    /// both are taken for the same.
    pub const fn set_time(&mut self, now: Timestamp, time: Timestamp) {
        self.time = Some((time, now));
    }

    /// Document time.
    fn time(&self, now: Timestamp) -> Timestamp {
        self.time.map_or(now, |(time, then)| time.plus_millis(now.millis_since(then)))
    }

    /// Takes a newer document. Requests that are under way over nodes that are gone are repeated at
    /// once.
    ///
    /// # Errors
    /// [`Error::Sphinx`] when the geometry is impossible; the old document stays in use.
    pub fn set_document<R: CryptoRng>(
        &mut self,
        now: Timestamp,
        document: &NetworkDocument,
        rng: &mut R,
    ) -> Result<(), Error> {
        let sphinx = geometry::to_sphinx(&document.geometry)?;
        let epoch = epoch::in_use(document, self.time(now));
        let before = self.net.replace(Net {
            document: document.clone(),
            planner: PathPlanner::new(document, epoch),
            geometry: sphinx,
            network: document.network,
            tally: document.tally,
        });
        self.forget_surbs(epoch);
        self.choose_entry(now, rng);
        self.set_cover(now, document, rng);
        let Some(net) = &self.net else { return Ok(()) };
        self.silence.retain(|hub| net.planner.has_hub(hub));
        let gone = |relay: &NodeId| !net.planner.relays().any(|r| r == *relay);
        let returned = |hub: &NodeId| {
            net.planner.has_hub(hub) && before.as_ref().is_some_and(|b| !b.planner.has_hub(hub))
        };
        let again: Vec<RequestHandle> = self
            .requests
            .iter()
            .filter(|(_, f)| f.is_in_flight() && (f.uses(gone) || returned(&f.hub)))
            .map(|(h, _)| *h)
            .collect();
        for handle in again {
            self.requeue(handle);
        }
        Ok(())
    }

    /// A SURB outlives its epoch by the grace at most; older ones can never come back.
    fn forget_surbs(&mut self, epoch: u64) {
        self.surbs.retain(|_, s| s.epoch.saturating_add(1) >= epoch);
    }

    /// Goes over to the keys of the next epoch when that begins, with or without a newer document
    /// (`MIX-009`).
    fn follow_time(&mut self, now: Timestamp) {
        let time = self.time(now);
        let Some(net) = &mut self.net else { return };
        let epoch = epoch::in_use(&net.document, time);
        if epoch > net.planner.epoch() {
            net.planner = PathPlanner::new(&net.document, epoch);
            self.forget_surbs(epoch);
        }
    }

    fn set_cover<R: CryptoRng>(&mut self, now: Timestamp, document: &NetworkDocument, rng: &mut R) {
        let level = self.config.cover.unwrap_or(document.mixing.default_level);
        let rates = match self.config.mix {
            Some(_) => Some(CoverRates { payload: 0, loops: document.mixing.mix_loops, drops: 0 }),
            None => cover::rates(document, level),
        };
        // Restarting the streams with each document would be visible at each epoch's start.
        if rates != self.cover.as_ref().map(CoverClock::rates) {
            self.cover = rates.map(|rates| CoverClock::start(rates, now, rng));
        }
        let loops = document.mixing.mix_loops;
        let probes = CoverRates { payload: 0, loops, drops: 0 };
        let probes = (self.cover.is_none() && loops > 0).then_some(probes);
        if probes != self.probes.as_ref().map(CoverClock::rates) {
            self.probes = probes.map(|rates| CoverClock::start(rates, now, rng));
        }
    }

    fn choose_entry<R: CryptoRng>(&mut self, now: Timestamp, rng: &mut R) {
        let Some(net) = &self.net else { return };
        let there = |relay: NodeId| net.planner.relays().any(|r| r == relay).then_some(relay);
        if let Some(me) = self.config.mix {
            self.entry = there(me);
            return;
        }
        let relays = self.config.dials.among(net.planner.entries(rng), &net.document);
        self.entry = match self.config.entry {
            EntryPolicy::Pinned => {
                let time = self.time(now);
                self.config.pins.choose(time, &relays)
            }
            EntryPolicy::Only(relay) => there(relay),
            EntryPolicy::Random => {
                self.entry.filter(|e| relays.contains(e)).or_else(|| relays.first().copied())
            }
        };
    }

    /// The relay that the shell should be linked to.
    #[must_use]
    pub const fn entry(&self) -> Option<NodeId> {
        self.entry
    }

    /// The entry does not answer: chooses another one.
    pub fn entry_failed<R: CryptoRng>(&mut self, now: Timestamp, rng: &mut R) {
        if let Some(entry) = self.entry.take() {
            let time = self.time(now);
            self.config.pins.failed(time, &entry);
        }
        self.choose_entry(now, rng);
    }

    /// The pinned entries, to be stored for the next run.
    #[must_use]
    pub const fn pins(&self) -> &EntryPins {
        &self.config.pins
    }

    /// Whether cover traffic is on.
    #[must_use]
    pub const fn has_cover(&self) -> bool {
        self.cover.is_some()
    }

    /// Payload slots per 1,000 s with cover on; zero with cover off.
    #[must_use]
    pub fn payload_rate(&self) -> u32 {
        self.cover.as_ref().map_or(0, |clock| clock.rates().payload)
    }

    /// What cover costs on the client's line, kB per minute.
    #[must_use]
    pub fn cost_kb_per_min(&self) -> u64 {
        match (&self.cover, &self.net) {
            (Some(clock), Some(net)) => cover::cost_kb_per_min(&net.geometry, &clock.rates()),
            _ => 0,
        }
    }

    /// Longest deadline for a `get` whose SURB is made now, ms: the rest of the epoch and half its
    /// grace. Relays erase the keys that the SURB needs after the whole grace; the other half is
    /// left for the way back.
    #[must_use]
    pub fn max_deadline_ms(&self, now: Timestamp) -> u32 {
        let Some(net) = &self.net else { return 1_000 };
        let grace = epoch::grace_ms(net.document.epoch_ms).checked_div(2).unwrap_or(0);
        let left = net.epoch_end().plus_millis(grace).millis_since(self.time(now));
        u32::try_from(left).unwrap_or(u32::MAX).clamp(500, wire::limits::MAX_GET_DEADLINE_MS)
    }

    /// Counts since the start.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Asks a hub. `answer_after_ms` is how long the hub may take to answer: zero, or a `get`'s
    /// deadline. Time-outs start after it.
    ///
    /// # Errors
    /// [`Error::QueueFull`] when too many requests are open, [`Error::TooLong`] when the body does
    /// not fit into a packet. Neither changes anything.
    pub fn request(
        &mut self,
        hub: NodeId,
        body: Vec<u8>,
        answer_after_ms: u32,
    ) -> Result<RequestHandle, Error> {
        if self.requests.len() >= MAX_REQUESTS {
            return Err(Error::QueueFull);
        }
        let max = geometry::REQUEST_CAPACITY.saturating_sub(2);
        if body.len() > max {
            return Err(Error::TooLong { len: body.len(), max });
        }
        self.next_handle = self.next_handle.saturating_add(1);
        let handle = RequestHandle(self.next_handle);
        self.requests.insert(handle, Flight::new(hub, body, answer_after_ms));
        self.queue.push_back(handle);
        Ok(handle)
    }

    /// Like [`OnionClient::request`], but in a network with tallies the answer comes with a
    /// [`Receipt`].
    ///
    /// # Errors
    /// As [`OnionClient::request`].
    pub fn request_traced(&mut self, hub: NodeId, body: Vec<u8>) -> Result<RequestHandle, Error> {
        let handle = self.request(hub, body, 0)?;
        if let Some(flight) = self.requests.get_mut(&handle) {
            flight.traced = true;
        }
        Ok(handle)
    }

    /// Forgets a request. A late answer counts as stray.
    pub fn cancel(&mut self, handle: RequestHandle) {
        self.forget(handle);
    }

    /// Queues the request for a fresh packet, for example when the hub has restarted and lost it.
    pub fn resend(&mut self, handle: RequestHandle) {
        self.requeue(handle);
    }

    /// Takes a reply from the entry relay.
    pub fn handle_reply(&mut self, now: Timestamp, surb_id: [u8; 16], padded: &[u8]) {
        let (Some(pending), Some(net)) = (self.surbs.remove(&surb_id), &self.net) else {
            self.stats.stray = self.stats.stray.saturating_add(1);
            return;
        };
        let way = pending.way();
        let len = net.geometry.reply_len().saturating_add(TAG_LEN);
        let opened = padded
            .get(..len)
            .and_then(|payload| pending.keys.open(&net.geometry, payload.to_vec()).ok());
        let body = opened.as_deref().and_then(|o| envelope::open(o).ok());
        if body.is_some() {
            self.note(now, &way, true);
        }
        match (pending.what, body) {
            (SurbFor::Loop { probe, .. }, Some(_)) => {
                self.probed(probe, true);
                self.stats.loops_back = self.stats.loops_back.saturating_add(1);
            }
            (SurbFor::Request(handle), Some(body)) => {
                if let Some(flight) = self.forget(handle) {
                    let after_ms = flight.first_sent.map_or(0, |at| now.millis_since(at));
                    let mut receipt = pending.receipt;
                    if let Some(receipt) = &mut receipt {
                        receipt.last = envelope::tally_of(body);
                    }
                    self.out.push_back(Output::Answer {
                        handle,
                        body: body.to_vec(),
                        after_ms,
                        receipt,
                    });
                }
            }
            // Garbled on the way. Its SURB is used up; the time-out repeats the request.
            (_, None) => self.stats.stray = self.stats.stray.saturating_add(1),
        }
    }

    /// The next thing to do at `now`. Call until `None`.
    pub fn poll<R: CryptoRng>(&mut self, now: Timestamp, rng: &mut R) -> Option<Output> {
        if let Some(output) = self.out.pop_front() {
            return Some(output);
        }
        self.follow_time(now);
        self.expire(now);
        if self.up {
            self.send_due(now, rng);
        }
        self.out.pop_front()
    }

    /// When to call [`OnionClient::poll`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if !self.out.is_empty() {
            return Some(Timestamp::ZERO);
        }
        // With cover on only a slot sends, so a waiting request must not move the deadline.
        let at_once = self.up && self.cover.is_none() && self.next_sendable().is_some();
        let cover = self.cover.as_ref().filter(|_| self.up).and_then(CoverClock::deadline);
        let probes = self.probes.as_ref().filter(|_| self.up).and_then(CoverClock::deadline);
        let timeouts = self.requests.values().filter_map(|f| f.due).min();
        let losses = self.surbs.values().filter_map(PendingSurb::due).min();
        let at_once = at_once.then_some(Timestamp::ZERO).into_iter();
        at_once.chain(cover).chain(probes).chain(timeouts).chain(losses).min()
    }

    fn send_due<R: CryptoRng>(&mut self, now: Timestamp, rng: &mut R) {
        let Some(clock) = &mut self.cover else {
            if self.probes.as_mut().is_some_and(|probes| probes.poll(now, rng).is_some()) {
                self.send_loop(now, rng);
            } else if let Some(at) = self.next_sendable() {
                self.send_queued(now, at, rng);
            }
            return;
        };
        match clock.poll(now, rng) {
            None => {}
            Some(Slot::Payload) => match self.next_sendable() {
                Some(at) => self.send_queued(now, at, rng),
                None => self.send_drop(now, rng),
            },
            Some(Slot::Loop) => self.send_loop(now, rng),
            Some(Slot::Drop) => self.send_drop(now, rng),
        }
    }

    /// Position in the queue of the first request that has a path. One whose hub is gone from the
    /// document must not block the others.
    fn next_sendable(&self) -> Option<usize> {
        let net = self.net.as_ref()?;
        self.entry?;
        self.queue
            .iter()
            .position(|h| self.requests.get(h).is_some_and(|f| net.planner.has_hub(&f.hub)))
    }

    fn expire(&mut self, now: Timestamp) {
        let late: Vec<RequestHandle> = self
            .requests
            .iter()
            .filter(|(_, f)| f.due.is_some_and(|due| due <= now))
            .map(|(h, _)| *h)
            .collect();
        let lost: Vec<_> = self.surbs.values_mut().filter_map(|s| s.lost(now)).collect();
        for (_, probe) in &lost {
            self.probed(*probe, false);
        }
        let lost = lost.into_iter().map(|(way, _)| way);
        let requests = late.iter().filter_map(|handle| {
            let attempt = self.requests.get(handle)?.attempts.back()?;
            Some(self.surbs.get(&attempt.surb_id)?.way())
        });
        for way in requests.chain(lost).collect::<Vec<_>>() {
            self.note(now, &way, false);
        }
        for handle in late {
            let repeatedly = self.requests.get(&handle).is_some_and(|f| f.tries >= 2);
            if repeatedly && now.millis_since(self.document_asked) >= DOCUMENT_EVERY_MS {
                self.document_asked = now;
                self.out.push_back(Output::DocumentWanted);
            }
            self.requeue(handle);
        }
    }

    fn requeue(&mut self, handle: RequestHandle) {
        if let Some(flight) = self.requests.get_mut(&handle)
            && flight.due.take().is_some()
        {
            self.queue.push_back(handle);
        }
    }

    fn forget(&mut self, handle: RequestHandle) -> Option<Flight> {
        let flight = self.requests.remove(&handle)?;
        self.queue.retain(|h| *h != handle);
        for attempt in &flight.attempts {
            self.surbs.remove(&attempt.surb_id);
        }
        Some(flight)
    }
}
