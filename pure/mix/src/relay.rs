//! What a mix does with a packet. Also the last hop's half of a hub.
//!
//! Sans-IO: [`Relay::handle_packet`] takes a packet, [`Relay::poll`] hands out what is due,
//! [`Relay::deadline`] says when to poll next. A bad packet leaves no trace but a counter: nothing
//! is ever said to its sender.

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
use crate::replay::{ReplayFilter, TAG_LEN, Tag, Verdict};
use crate::tally;

/// What a relay core must know.
#[derive(Debug, Clone, Copy)]
pub struct RelayConfig {
    /// Its identity.
    pub me: NodeId,
    /// Relay or hub.
    pub role: Role,
    /// The network's geometry.
    pub geometry: Geometry,
    /// Declared capacity, packets per second: replay filters are sized from it.
    pub rate: u32,
    /// Length of an epoch, ms.
    pub epoch_ms: u64,
    /// Longest delay that is honoured, ms.
    pub max_delay_ms: u32,
    /// Packets that may wait at one time.
    pub queue_limit: usize,
    /// How it processes tallies; `None` in a network whose packets carry none.
    pub tally: Option<Processing>,
}

/// What a relay core wants done.
#[derive(Debug)]
pub enum Output {
    /// Write this tag down before anything that follows leaves (`MIX-005`).
    Remember {
        /// Epoch whose journal it belongs to.
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
    /// Hand a reply to the client that attached with this token.
    ToClient {
        /// The client's token.
        token: ClientToken,
        /// Which SURB.
        surb_id: [u8; 16],
        /// The reply's payload, padded to the length of a packet frame's body.
        padded: Vec<u8>,
    },
    /// A payload has reached its hub.
    Deliver {
        /// Low 32 bits of the packet's epoch; its SURB is of the same.
        epoch: u32,
        /// Where the answer goes; a drop has none.
        surb: Option<Surb>,
        /// User data, with its padding.
        data: Vec<u8>,
        /// The tally after this hop's own fold; none in a network without tallies.
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
    /// Drawn at the start: keys the filters' hashes.
    seed: [u8; 16],
    tags: VecDeque<(u64, Tag)>,
    queue: DelayQueue<Output>,
    counters: Counters,
}

impl Relay {
    /// A mix without keys: it drops everything until it gets one.
    pub fn new<R: CryptoRng>(config: RelayConfig, rng: &mut R) -> Self {
        let mut seed = [0; 16];
        rng.fill_bytes(&mut seed);
        Relay {
            queue: DelayQueue::new(config.queue_limit),
            config,
            keys: BTreeMap::new(),
            seed,
            tags: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes the key of an epoch, with the tags that an earlier run has seen under it.
    pub fn install_key(&mut self, epoch: u64, key: PrivateKey, seen: Vec<Tag>) {
        let capacity =
            ReplayFilter::capacity_for(self.config.rate, key_life_ms(self.config.epoch_ms));
        let mut filter = ReplayFilter::new(capacity, self.seed);
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

    /// Forgets the keys of all epochs before this one: their packets cannot be opened any more, by
    /// anybody.
    pub fn erase_before(&mut self, epoch: u64) {
        self.keys = self.keys.split_off(&epoch);
    }

    /// Takes a new document's longest delay.
    pub fn set_mixing(&mut self, document: &NetworkDocument) {
        self.config.max_delay_ms = document.mixing.max_delay_ms;
    }

    /// What has been dropped, and why.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Packets that wait for their time.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes a packet that says it is of the epoch with these low 32 bits.
    pub fn handle_packet(&mut self, now: Timestamp, epoch: u32, packet: Vec<u8>) {
        if let Err(reason) = self.accept(now, epoch, packet) {
            self.counters.count(reason);
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
        // A replay must cost no decapsulation; a forgery must not fill the filter.
        if slot.filter.contains(&tag) {
            return Err(DropReason::Replay);
        }
        // Nor may a packet that cannot be passed on: its sender's next one may find room.
        if slot.filter.is_full() {
            return Err(DropReason::FilterFull);
        }
        if self.queue.is_full() {
            return Err(DropReason::QueueFull);
        }
        let unwrapped = match unwrap(&geometry, &slot.key, packet) {
            Ok(unwrapped) => Ok(unwrapped),
            // Behind a good MAC: whatever it is, it is not looked at again.
            Err(sphinx::Error::PayloadTag) => Err(DropReason::PayloadTag),
            Err(sphinx::Error::Commands) => Err(DropReason::Commands),
            Err(_) => return Err(DropReason::Header),
        };
        match slot.filter.check_and_insert(tag) {
            Verdict::Fresh => {}
            Verdict::Seen => return Err(DropReason::Replay),
            Verdict::Full => return Err(DropReason::FilterFull),
        }
        self.tags.push_back((epoch, tag));
        let (delay_ms, output) = self.route(low, unwrapped?, tally)?;
        let due = now.plus_millis(u64::from(delay_ms.min(self.config.max_delay_ms)));
        self.queue.push(due, output).map_err(|_| DropReason::QueueFull)
    }

    /// The installed epoch with these low bits.
    fn epoch_of(&self, low: u32) -> Option<u64> {
        self.keys.keys().copied().find(|e| low_bits(*e) == low)
    }

    /// This hop's fold; nothing in a network without tallies.
    fn fold(
        &self,
        secret: Option<&HopSecret>,
        tally: Option<Tally>,
    ) -> Result<Option<Tally>, DropReason> {
        match (self.config.tally, tally) {
            // A document with tallies and a scheme that gives hops no secret is refused before it
            // comes here.
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

    /// The next thing to do at `now`: tags first.
    pub fn poll(&mut self, now: Timestamp) -> Option<Output> {
        if let Some((epoch, tag)) = self.tags.pop_front() {
            return Some(Output::Remember { epoch, tag });
        }
        self.queue.pop_due(now)
    }

    /// When [`Relay::poll`] has something next.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.tags.is_empty() { self.queue.deadline() } else { Some(Timestamp::ZERO) }
    }
}

/// The low 32 bits by which a packet names its epoch.
#[must_use]
pub fn low_bits(epoch: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = epoch.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
