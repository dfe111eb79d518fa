//! What a relay does with a packet. A hub uses the same code as the last hop of a path.
//!
//! ```text
//! packet ─ length ─ epoch ─ seen before? ─ room? ─ unwrap ─ remember tag ─ route ─► delay queue
//!             │       │          │           │        │           │          │
//!             └───────┴──────────┴───────────┴────────┴───────────┴──────────┴► dropped, counted
//!
//! poll:  Remember (tags, at once)   then, when due:   Forward | ToClient | Deliver
//! ```
//!
//! Sans-IO: [`Relay::handle_packet`] takes a packet, [`Relay::poll`] returns what is due,
//! [`Relay::deadline`] says when to poll next. A bad packet only increments a counter: its sender
//! never gets an answer, so relays cannot be probed for what they know.

mod counters;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use rand_core::CryptoRng;
use sphinx::{
    ForwardPayload, Geometry, HopSecret, Packet, PrivateKey, Surb, Unwrapped, replay_tag, unwrap,
};
use wire::document::{NetworkDocument, Processing, Role};
use wire::{ClientToken, NodeId, Tally, Timestamp};

pub use self::counters::{Counters, DropReason};
use crate::epoch::key_life_ms;
use crate::geometry::reply_frame_payload;
use crate::queue::DelayQueue;
pub use crate::replay::Tag;
use crate::replay::{Pace, ReplayFilter, TAG_LEN, Verdict};
use crate::tally;

/// Fixed properties of one relay.
#[derive(Debug, Clone, Copy)]
pub struct RelayConfig {
    /// Its identity.
    pub me: NodeId,
    /// Relay or hub.
    pub role: Role,
    /// The network's geometry.
    pub geometry: Geometry,
    /// Declared capacity, packets per second. It sizes the replay filters.
    pub rate: u32,
    /// Length of an epoch, ms.
    pub epoch_ms: u64,
    /// Longest delay that the relay honours, ms.
    pub max_delay_ms: u32,
    /// Most packets that may wait at one time.
    pub queue_limit: usize,
    /// The digest it folds tallies with; `None` in a network without tallies.
    pub tally: Option<Processing>,
}

/// What the shell must do.
#[derive(Debug)]
pub enum Output {
    /// Write this tag to the journal before sending anything that follows (`MIX-005`).
    Remember {
        /// Epoch of the journal it belongs to.
        epoch: u64,
        /// The tag.
        tag: Tag,
    },
    /// Send the packet to the next hop.
    Forward {
        /// The next hop.
        next: NodeId,
        /// Low 32 bits of the packet's epoch.
        epoch: u32,
        /// The packet.
        packet: Vec<u8>,
    },
    /// Pass a reply to the client that attached with this token.
    ToClient {
        /// The client's token.
        token: ClientToken,
        /// Id of the SURB, which tells the client which keys open the reply.
        surb_id: [u8; 16],
        /// The reply's payload, padded to the body length of a packet frame: both directions of a
        /// client's link carry frames of one size.
        padded: Vec<u8>,
    },
    /// A payload has arrived at this hub.
    Deliver {
        /// Low 32 bits of the packet's epoch, which is also its SURB's.
        epoch: u32,
        /// The return path of the answer; a drop has none.
        surb: Option<Surb>,
        /// User data, with its padding.
        data: Vec<u8>,
        /// The tally including this hop's fold; `None` in a network without tallies.
        tally: Option<Tally>,
    },
}

struct KeySlot {
    key: PrivateKey,
    filter: ReplayFilter,
}

/// A mix.
pub struct Relay {
    config: RelayConfig,
    keys: BTreeMap<u64, KeySlot>,
    /// Keys the hash of the replay filters, so that nobody can aim collisions. Drawn at each start.
    seed: [u8; 16],
    tags: VecDeque<(u64, Tag)>,
    pace: Pace,
    queue: DelayQueue<Output>,
    counters: Counters,
}

impl Relay {
    /// A relay without keys. It drops every packet until [`Relay::install_key`].
    pub fn new<R: CryptoRng>(config: RelayConfig, rng: &mut R) -> Self {
        let mut seed = [0; 16];
        rng.fill_bytes(&mut seed);
        Relay {
            queue: DelayQueue::new(config.queue_limit),
            pace: Pace::new(capacity(&config), key_life_ms(config.epoch_ms)),
            config,
            keys: BTreeMap::new(),
            seed,
            tags: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Installs the key of an epoch, with the tags that an earlier run saw under it.
    pub fn install_key(&mut self, epoch: u64, key: PrivateKey, seen: Vec<Tag>) {
        let mut filter = ReplayFilter::new(capacity(&self.config), self.seed);
        for tag in seen {
            filter.check_and_insert(tag);
        }
        self.keys.insert(epoch, KeySlot { key, filter });
    }

    /// Whether there is a key for this epoch.
    #[must_use]
    pub fn has_key(&self, epoch: u64) -> bool {
        self.keys.contains_key(&epoch)
    }

    /// Forgets the key of one epoch.
    pub fn drop_key(&mut self, epoch: u64) {
        self.keys.remove(&epoch);
    }

    /// Erases the keys of all epochs before this one. Nobody can open their packets any more.
    pub fn erase_before(&mut self, epoch: u64) {
        self.keys = self.keys.split_off(&epoch);
    }

    /// Takes the longest delay from a new document.
    pub fn set_mixing(&mut self, document: &NetworkDocument) {
        self.config.max_delay_ms = document.mixing.max_delay_ms;
    }

    /// Counts of dropped packets, by reason.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes a packet that claims the epoch with these low 32 bits.
    pub fn handle_packet(&mut self, now: Timestamp, epoch: u32, packet: Vec<u8>) {
        if let Err(reason) = self.accept(now, epoch, packet) {
            self.counters.count(reason);
        }
    }

    /// As [`Relay::handle_packet`], for a packet from somebody who is no node: a quarter of the
    /// queue is kept for nodes, so that a flood at one entry stops no path that only passes
    /// through.
    pub fn handle_client_packet(&mut self, now: Timestamp, epoch: u32, packet: Vec<u8>) {
        if self.pace.is_short(now) {
            self.counters.count(DropReason::OverRate);
        } else if self.queue.is_crowded() {
            self.counters.count(DropReason::QueueFull);
        } else {
            self.handle_packet(now, epoch, packet);
        }
    }

    fn accept(&mut self, now: Timestamp, low: u32, mut bytes: Vec<u8>) -> Result<(), DropReason> {
        let geometry = self.config.geometry;
        let tally = match self.config.tally {
            None => None,
            Some(_) => Some(tally::split_off(&mut bytes).ok_or(DropReason::Length)?),
        };
        let packet = Packet::from_bytes(&geometry, bytes).map_err(|_| DropReason::Length)?;
        let epoch = self.epoch_of(low).ok_or(DropReason::UnknownEpoch)?;
        let slot = self.keys.get_mut(&epoch).ok_or(DropReason::UnknownEpoch)?;
        let full_tag = replay_tag(&geometry, &packet).map_err(|_| DropReason::Header)?;
        let tag = full_tag.first_chunk::<TAG_LEN>().copied().unwrap_or_default();
        // The order of these checks matters. A replay must not cost a decapsulation, so the filter
        // is asked first; a forgery must not fill the filter, so the tag is inserted only after the
        // MAC passed.
        if slot.filter.contains(&tag) {
            return Err(DropReason::Replay);
        }
        // A packet that there is no room for costs neither a decapsulation nor a place in the
        // filter: its sender's retry is a fresh packet with a tag of its own.
        if slot.filter.is_full() {
            return Err(DropReason::FilterFull);
        }
        if !self.pace.has(now) {
            return Err(DropReason::OverRate);
        }
        if self.queue.is_full() {
            return Err(DropReason::QueueFull);
        }
        let unwrapped = match unwrap(&geometry, &slot.key, packet) {
            Ok(unwrapped) => Ok(unwrapped),
            // These come after a good MAC: remember the tag, then drop the packet. An attacker who
            // flips payload bits learns nothing from trying twice.
            Err(sphinx::Error::PayloadTag) => Err(DropReason::PayloadTag),
            Err(sphinx::Error::Commands) => Err(DropReason::Commands),
            Err(_) => return Err(DropReason::Header),
        };
        match slot.filter.check_and_insert(tag) {
            Verdict::Fresh => {}
            Verdict::Seen => return Err(DropReason::Replay),
            Verdict::Full => return Err(DropReason::FilterFull),
        }
        self.pace.take();
        self.tags.push_back((epoch, tag));
        let (delay_ms, output) = self.route(low, unwrapped?, tally)?;
        // The sender chose the delay; the cap keeps it from using this queue as storage.
        let due = now.plus_millis(u64::from(delay_ms.min(self.config.max_delay_ms)));
        self.queue.push(due, output).map_err(|_| DropReason::QueueFull)
    }

    /// The epoch of the installed key with these low bits. At most four keys are installed, all of
    /// nearby epochs, so low bits are unambiguous.
    fn epoch_of(&self, low: u32) -> Option<u64> {
        self.keys.keys().copied().find(|e| low_bits(*e) == low)
    }

    /// Folds this hop's digest into the tally; `None` in a network without tallies.
    fn fold(
        &self,
        secret: Option<&HopSecret>,
        tally: Option<Tally>,
    ) -> Result<Option<Tally>, DropReason> {
        match (self.config.tally, tally) {
            // The scheme that gives hops no secret cannot carry tallies: `NetworkDocument::parse`
            // refuses the combination, so `secret` is there.
            (Some(processing), Some(tally)) => {
                Ok(Some(tally::fold(processing, secret.ok_or(DropReason::Header)?, &tally)))
            }
            _ => Ok(None),
        }
    }

    fn route(
        &self,
        epoch: u32,
        unwrapped: Unwrapped,
        tally: Option<Tally>,
    ) -> Result<(u32, Output), DropReason> {
        match unwrapped {
            Unwrapped::Forward { next, delay_ms, packet, secret, .. } => {
                let next = NodeId::new(next);
                // A hub never forwards, and no relay forwards to itself: either would let a sender
                // build paths that the path rules exclude.
                if next == self.config.me || self.config.role == Role::Hub {
                    return Err(DropReason::NotMine);
                }
                let mut packet = packet.into_bytes();
                if let Some(tally) = self.fold(secret.as_ref(), tally)? {
                    tally::append(&mut packet, &tally);
                }
                Ok((delay_ms, Output::Forward { next, epoch, packet }))
            }
            Unwrapped::Reply { recipient, delay_ms, surb_id, payload, .. } => {
                if self.config.role == Role::Hub {
                    return Err(DropReason::NotMine);
                }
                let mut padded = payload;
                padded.resize(
                    reply_frame_payload(&self.config.geometry, self.config.tally.is_some()),
                    0,
                );
                let token = ClientToken::new(recipient);
                Ok((delay_ms, Output::ToClient { token, surb_id, padded }))
            }
            Unwrapped::Deliver { delay_ms, payload, secret, .. } => {
                if self.config.role == Role::Relay {
                    return Err(DropReason::NotMine);
                }
                let payload = ForwardPayload::decode(&self.config.geometry, &payload)
                    .map_err(|_| DropReason::Payload)?;
                let ForwardPayload { surb, data } = payload;
                let tally = self.fold(secret.as_ref(), tally)?;
                Ok((delay_ms, Output::Deliver { epoch, surb, data, tally }))
            }
        }
    }

    /// The next thing to do at `now`. Tags come first, so that a crash cannot forget a packet that
    /// has already left.
    pub fn poll(&mut self, now: Timestamp) -> Option<Output> {
        if let Some((epoch, tag)) = self.tags.pop_front() {
            return Some(Output::Remember { epoch, tag });
        }
        self.queue.pop_due(now)
    }

    /// When [`Relay::poll`] next returns something.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.tags.is_empty() { self.queue.deadline() } else { Some(Timestamp::ZERO) }
    }
}

/// Of each epoch's replay filter.
fn capacity(config: &RelayConfig) -> usize {
    ReplayFilter::capacity_for(config.rate, key_life_ms(config.epoch_ms))
}

/// The low 32 bits of an epoch, as packets carry them.
#[must_use]
pub fn low_bits(epoch: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = epoch.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
