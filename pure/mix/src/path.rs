//! The path of a packet: drawn at random for each packet, by nothing but the entry and what the
//! nodes can carry.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use sphinx::{Command, PathHop, PublicKey, Scheme};
use wire::document::{NetworkDocument, NodeDescriptor, Processing, Tag};
use wire::{ClientToken, NodeId};

pub use self::entry::{Dials, EntryPins, EntryPolicy};
use crate::Error;
use crate::directory::layers;
use crate::geometry::to_scheme;
use crate::health::Health;

/// Networks with at most this many relays use free routes even when the document asks for layers:
/// split into layers, so few relays would leave one or two choices per hop.
pub(crate) const FREE_ROUTE_MAX: usize = 9;

/// A node that paths can use, with its key for the document's epoch parsed once.
#[derive(Clone)]
struct Hop {
    id: NodeId,
    key: PublicKey,
    region: Option<Tag>,
    owner: Option<Tag>,
    /// What it says that it can carry, packets per second.
    rate: u32,
    layer: Option<u8>,
    processing: Processing,
    /// Nobody reaches it: it opens the links to its neighbours on a path.
    dials_only: bool,
    both_ways: bool,
}

impl Hop {
    /// Whether packets pass between the two, whoever of them opens the link (`PATH-008`).
    fn links(&self, other: &Hop) -> bool {
        match (self.dials_only, other.dials_only) {
            (false, false) => true,
            (true, false) => other.both_ways,
            (false, true) => self.both_ways,
            (true, true) => false,
        }
    }
}

/// Draws paths through the nodes of one document.
#[derive(Clone)]
pub(crate) struct PathPlanner {
    epoch: u64,
    relays: Vec<Hop>,
    hubs: BTreeMap<NodeId, Hop>,
    min: usize,
    max: usize,
    forward_ppm: u32,
    layers: u8,
    distinct_regions: bool,
    /// The rate up to which a relay is drawn more often than another.
    most: u32,
    mean_delay_ms: u32,
    max_delay_ms: u32,
}

/// Draws that are made for a path of nodes that have nothing in common, and again for one without
/// anybody who is avoided.
const TRIES: usize = 32;

/// A drawn path, for building and for `-v`.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    /// Hops as Sphinx takes them, delays and recipient included.
    pub(crate) hops: Vec<PathHop>,
    /// The relays on it, in order.
    pub(crate) relays: Vec<NodeId>,
    /// What is expected of each hop, for a receipt.
    pub(crate) plan: Vec<Planned>,
}

/// What the sender expects of one hop; a receipt is checked against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// The relay, or at the end the hub.
    pub(crate) node: NodeId,
    /// The digest it folds tallies with, according to the document.
    pub(crate) processing: Processing,
    /// The delay chosen for it, ms.
    pub(crate) delay_ms: u32,
}

impl PathPlanner {
    /// Reads a document. Nodes without a usable key for `epoch` are left out.
    #[must_use]
    pub(crate) fn new(document: &NetworkDocument, epoch: u64) -> Self {
        let scheme = to_scheme(document.geometry.scheme);
        // Every client must reach the same verdict here, so it counts the document's relays and not
        // those that are usable to this client.
        let stratified = document.paths.layers > 0 && document.relays().count() > FREE_ROUTE_MAX;
        let layer_of = if stratified { layers(document) } else { BTreeMap::new() };
        let hop = |n: &NodeDescriptor| usable(n, epoch, scheme, layer_of.get(&n.id).copied());
        let dialing = document.dials_only.iter().filter_map(hop);
        let dialing = dialing.map(|h| Hop { dials_only: true, ..h });
        let relays: Vec<Hop> = document.relays().filter_map(hop).chain(dialing).collect();
        PathPlanner {
            epoch,
            most: median_rate(&relays).saturating_mul(2),
            relays,
            hubs: document.hubs().filter_map(hop).map(|h| (h.id, h)).collect(),
            min: usize::from(document.paths.min_relays),
            max: usize::from(document.paths.max_relays),
            forward_ppm: document.paths.forward_ppm,
            layers: if stratified { document.paths.layers } else { 0 },
            distinct_regions: document.paths.distinct_regions,
            mean_delay_ms: document.mixing.mean_delay_ms,
            max_delay_ms: document.mixing.max_delay_ms,
        }
    }

    /// The epoch whose keys the paths use.
    #[must_use]
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Identities of the usable relays.
    pub(crate) fn relays(&self) -> impl Iterator<Item = NodeId> {
        self.relays.iter().map(|h| h.id)
    }

    /// Relays that can be entries, in random order: those that clients reach and that have no owner
    /// or region in common with a hub; if there are none of those, all that clients reach.
    pub(crate) fn entries<R: CryptoRng>(&self, rng: &mut R) -> Vec<NodeId> {
        let reached = || self.relays.iter().filter(|h| !h.dials_only);
        let apart = |h: &&Hop| !self.hubs.values().any(|hub| self.akin(h, hub));
        let mut entries: Vec<&Hop> = reached().filter(apart).collect();
        if entries.is_empty() {
            entries = reached().collect();
        }
        self.shuffle_by_rate(rng, &mut entries);
        entries.into_iter().map(|h| h.id).collect()
    }

    /// Whether these two must not be on one path (`PATH-003`).
    fn akin(&self, a: &Hop, b: &Hop) -> bool {
        let same = |a: &Option<Tag>, b: &Option<Tag>| a.is_some() && a == b;
        same(&a.owner, &b.owner) || self.distinct_regions && same(&a.region, &b.region)
    }

    /// Puts relays into a random order, in which each comes first as often as its rate says, up to
    /// twice the median: what nobody can check must not draw all paths to one relay (`PATH-009`).
    /// The weighted sampling of Efraimidis and Spirakis (2006).
    fn shuffle_by_rate<R: CryptoRng>(&self, rng: &mut R, relays: &mut Vec<&Hop>) {
        let key = |hop, rng: &mut R| (exponential(rng, 1.0) / weight(hop, self.most), hop);
        let mut keyed: Vec<(f64, &Hop)> = relays.drain(..).map(|hop| key(hop, rng)).collect();
        keyed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        relays.extend(keyed.into_iter().map(|(_, hop)| hop));
    }

    /// Whether the hub can be reached in this document.
    #[must_use]
    pub(crate) fn has_hub(&self, hub: &NodeId) -> bool {
        self.hubs.contains_key(hub)
    }

    /// A random hub, for cover.
    pub(crate) fn random_hub<R: CryptoRng>(&self, rng: &mut R) -> Option<NodeId> {
        self.hubs.keys().nth(below(rng, self.hubs.len())?).copied()
    }

    /// Mean time of a round trip over this document's longest paths, ms.
    #[must_use]
    pub(crate) fn round_trip_ms(&self) -> u64 {
        let hops = u64::try_from(self.max.saturating_mul(2)).unwrap_or(u64::MAX);
        u64::from(self.mean_delay_ms).saturating_mul(hops)
    }

    /// entry → relays → hub (`PATH-001` to `PATH-004`).
    ///
    /// # Errors
    /// [`Error::UnknownHub`], [`Error::TooFewRelays`], [`Error::TooFewApart`].
    pub(crate) fn forward<R: CryptoRng>(
        &self,
        rng: &mut R,
        entry: &NodeId,
        hub: &NodeId,
        health: &Health,
    ) -> Result<Path, Error> {
        let last = self.hubs.get(hub).ok_or(Error::UnknownHub)?;
        let way = |relays: &[&Hop]| relays.iter().map(|h| h.id).chain([*hub]).collect::<Vec<_>>();
        let relays = self.draw_well(rng, entry, hub, |relays| health.avoids(&way(relays)))?;
        let mut path = self.path(rng, &relays);
        Self::end_at(&mut path, last);
        Ok(path)
    }

    /// hub → relays → entry, where `token` finds the client. For a SURB.
    ///
    /// # Errors
    /// [`Error::TooFewRelays`], [`Error::TooFewApart`].
    pub(crate) fn reply<R: CryptoRng>(
        &self,
        rng: &mut R,
        entry: &NodeId,
        token: &ClientToken,
        hub: &NodeId,
        health: &Health,
    ) -> Result<Path, Error> {
        let way = |relays: &[&Hop]| -> Vec<NodeId> {
            [*hub].into_iter().chain(relays.iter().rev().map(|h| h.id)).collect()
        };
        let mut relays = self.draw_well(rng, entry, hub, |relays| health.avoids(&way(relays)))?;
        // Drawn from the entry as for a request, then reversed: the answer leaves the hub through
        // the far end and comes home to the pinned entry.
        relays.reverse();
        let mut path = self.path(rng, &relays);
        end_with(&mut path, token);
        Ok(path)
    }

    /// The way of a probe: to the hub over relays drawn without looking at who is avoided, and back
    /// over the same, so that few probes tell who is at fault.
    ///
    /// # Errors
    /// [`Error::UnknownHub`], [`Error::TooFewRelays`], [`Error::TooFewApart`].
    pub(crate) fn probe<R: CryptoRng>(
        &self,
        rng: &mut R,
        entry: &NodeId,
        hub: &NodeId,
        token: &ClientToken,
    ) -> Result<(Path, Path), Error> {
        let relays = self.draw(rng, entry, hub)?;
        self.there_and_back(rng, relays, hub, token)
    }

    /// As [`PathPlanner::probe`], over these relays.
    ///
    /// # Errors
    /// [`Error::UnknownHub`]; [`Error::TooFewRelays`] when one of them is not there.
    pub(crate) fn over<R: CryptoRng>(
        &self,
        rng: &mut R,
        relays: &[NodeId],
        hub: &NodeId,
        token: &ClientToken,
    ) -> Result<(Path, Path), Error> {
        let find = |relay: &NodeId| self.relays.iter().find(|h| h.id == *relay);
        let hops: Option<Vec<&Hop>> = relays.iter().map(find).collect();
        let hops = hops.filter(|hops| !hops.is_empty());
        let missing = Error::TooFewRelays { have: self.relays.len(), need: relays.len() };
        self.there_and_back(rng, hops.ok_or(missing)?, hub, token)
    }

    fn there_and_back<R: CryptoRng>(
        &self,
        rng: &mut R,
        mut relays: Vec<&Hop>,
        hub: &NodeId,
        token: &ClientToken,
    ) -> Result<(Path, Path), Error> {
        let last = self.hubs.get(hub).ok_or(Error::UnknownHub)?;
        let mut there = self.path(rng, &relays);
        Self::end_at(&mut there, last);
        relays.reverse();
        let mut back = self.path(rng, &relays);
        end_with(&mut back, token);
        Ok((there, back))
    }

    fn end_at(path: &mut Path, hub: &Hop) {
        path.hops.push(PathHop {
            id: *hub.id.as_bytes(),
            key: hub.key.clone(),
            commands: vec![Command::Recipient([0; 32])],
        });
        // The hub does not delay: its mixing is in the answer's own path.
        path.plan.push(Planned { node: hub.id, processing: hub.processing, delay_ms: 0 });
    }

    fn path<R: CryptoRng>(&self, rng: &mut R, relays: &[&Hop]) -> Path {
        let plan: Vec<Planned> = relays
            .iter()
            .map(|h| Planned { node: h.id, processing: h.processing, delay_ms: self.delay(rng) })
            .collect();
        let hop = |(h, planned): (&&Hop, &Planned)| PathHop {
            id: *h.id.as_bytes(),
            key: h.key.clone(),
            commands: vec![Command::Delay(planned.delay_ms)],
        };
        let hops = relays.iter().zip(&plan).map(hop).collect();
        Path { relays: relays.iter().map(|h| h.id).collect(), hops, plan }
    }

    /// How many relays this path has.
    fn length<R: CryptoRng>(&self, rng: &mut R) -> usize {
        if self.layers > 0 {
            return usize::from(self.layers);
        }
        let mut length = self.min;
        while length < self.max && chance(rng, self.forward_ppm) {
            length = length.saturating_add(1);
        }
        length
    }

    /// As [`PathPlanner::draw`], again while the path passes somebody who is avoided: so the paths
    /// that are left stay equally likely (`PATH-007`). If there is none, any path will do.
    fn draw_well<R: CryptoRng>(
        &self,
        rng: &mut R,
        entry: &NodeId,
        hub: &NodeId,
        avoids: impl Fn(&[&Hop]) -> bool,
    ) -> Result<Vec<&Hop>, Error> {
        let mut drawn = self.draw(rng, entry, hub)?;
        for _ in 0..TRIES {
            if !avoids(&drawn) {
                break;
            }
            drawn = self.draw(rng, entry, hub)?;
        }
        Ok(drawn)
    }

    /// The entry, then distinct relays in random order.
    fn draw<R: CryptoRng>(
        &self,
        rng: &mut R,
        entry: &NodeId,
        hub: &NodeId,
    ) -> Result<Vec<&Hop>, Error> {
        let length = self.length(rng);
        let too_few = |have| Error::TooFewRelays { have, need: length };
        let first = self
            .relays
            .iter()
            .find(|h| h.id == *entry)
            .ok_or_else(|| too_few(self.relays.len()))?;
        if self.layers > 0 {
            let mut drawn = self.draw_layers(rng, first, hub, length);
            for _ in 0..TRIES {
                if drawn.is_ok() {
                    break;
                }
                drawn = self.draw_layers(rng, first, hub, length);
            }
            return drawn;
        }
        let (dialing, reached): (Vec<&Hop>, Vec<&Hop>) =
            self.relays.iter().filter(|h| h.id != first.id).partition(|h| h.dials_only);
        let can_dial = !first.dials_only && !dialing.is_empty() && length > 1;
        let have = reached.len().saturating_add(if can_dial { 2 } else { 1 });
        if have < length {
            return Err(too_few(have));
        }
        let last = self.hubs.get(hub);
        // Greedy choice can fail although a valid path exists: the relays taken first may use up
        // the regions that later hops need. A few draws find such a path. Rejecting whole draws,
        // instead of repairing one, keeps the valid paths equally likely. Where many neighbours
        // take no packets back, paths without a relay that dials only are left.
        for n in 0..TRIES.saturating_mul(2) {
            let dialing = if can_dial && n < TRIES { dialing.as_slice() } else { &[] };
            let Some(chosen) = self.draw_free(rng, first, &reached, dialing, (hub, length)) else {
                continue;
            };
            let ends = chosen.last().zip(last).is_none_or(|(end, hub)| end.links(hub));
            if ends && chosen.windows(2).all(|w| matches!(w, [a, b] if a.links(b))) {
                return Ok(chosen);
            }
        }
        if !self.relays.iter().any(|h| h.owner.is_some()) && !self.distinct_regions {
            return Err(too_few(reached.len().saturating_add(1)));
        }
        Err(Error::TooFewApart { need: length })
    }

    /// How many relays of the usual rate of `others` these are worth, in thousandths; never nothing
    /// if there are any, for a path may need one.
    #[allow(
        clippy::as_conversions,
        clippy::arithmetic_side_effects,
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers of nodes and rates are far below 2^53, and a float to integer cast saturates"
    )]
    fn worth(&self, relays: &[&Hop], others: &[&Hop]) -> usize {
        if relays.is_empty() {
            return 0;
        }
        let sum = |all: &[&Hop]| all.iter().map(|h| weight(h, self.most)).sum::<f64>();
        let usual = sum(others) / others.len().max(1) as f64;
        (1_000.0 * sum(relays) / usual.max(1.0)).round().max(1.0) as usize
    }

    /// Whether a relay may be on a way to this hub beside those that are on it.
    fn fits(&self, hop: &Hop, chosen: &[&Hop], hub: &NodeId) -> bool {
        let hub = self.hubs.get(hub);
        chosen.iter().all(|c| c.id != hop.id && !self.akin(c, hop))
            && !hub.is_some_and(|hub| self.akin(hub, hop))
    }

    /// One draw of a free route: the entry, then distinct relays in random order, at most one of
    /// them from those that dial only. None if regions are used up.
    fn draw_free<'a, R: CryptoRng>(
        &self,
        rng: &mut R,
        first: &'a Hop,
        reached: &[&'a Hop],
        dialing: &[&'a Hop],
        (hub, length): (&NodeId, usize),
    ) -> Option<Vec<&'a Hop>> {
        let behind = length.saturating_sub(1);
        // Of the paths of this length, those without and with one that dials only are in this
        // proportion: n! / (n − m)! to m · d · n! / (n − m + 1)!. Slow ones count less.
        let without = reached.len().saturating_add(1).saturating_sub(behind).saturating_mul(1_000);
        let with = behind.saturating_mul(self.worth(dialing, reached));
        let has_dialer = below(rng, without.saturating_add(with))? >= without;
        let dialer = if has_dialer {
            let mut dialing = dialing.to_vec();
            self.shuffle_by_rate(rng, &mut dialing);
            let place = below(rng, behind)?.saturating_add(1);
            Some((*dialing.first()?, place))
        } else {
            None
        };
        let mut rest = reached.to_vec();
        self.shuffle_by_rate(rng, &mut rest);
        let wanted = length.saturating_sub(usize::from(dialer.is_some()));
        let mut chosen = vec![first];
        for hop in rest {
            let kin = dialer.is_some_and(|(dialer, _)| self.akin(dialer, hop));
            if chosen.len() < wanted && !kin && self.fits(hop, &chosen, hub) {
                chosen.push(hop);
            }
        }
        if let Some((hop, place)) = dialer {
            if !self.fits(hop, &chosen, hub) {
                return None;
            }
            chosen.insert(place.min(chosen.len()), hop);
        }
        (chosen.len() == length).then_some(chosen)
    }

    /// The entry takes the place of the first layer, whatever its own layer is; then comes one
    /// relay of each following layer. Restricting entries to layer 0 would break pins, since layers
    /// are redrawn each epoch.
    fn draw_layers<'a, R: CryptoRng>(
        &'a self,
        rng: &mut R,
        first: &'a Hop,
        hub: &NodeId,
        length: usize,
    ) -> Result<Vec<&'a Hop>, Error> {
        let mut chosen = vec![first];
        for layer in 1..self.layers {
            let last = layer.saturating_add(1) == self.layers;
            let follows = |h: &Hop| {
                chosen.last().is_none_or(|before| before.links(h))
                    && (!last || self.hubs.get(hub).is_none_or(|hub| h.links(hub)))
            };
            let free =
                |h: &&Hop| h.layer == Some(layer) && follows(h) && self.fits(h, &chosen, hub);
            let mut candidates: Vec<&Hop> = self.relays.iter().filter(free).collect();
            self.shuffle_by_rate(rng, &mut candidates);
            let next = candidates
                .first()
                .ok_or(Error::TooFewRelays { have: chosen.len(), need: length })?;
            chosen.push(next);
        }
        Ok(chosen)
    }

    /// An exponential delay with the document's mean, capped; the sender's choice (Loopix, section
    /// 4.1).
    fn delay<R: CryptoRng>(&self, rng: &mut R) -> u32 {
        to_ms(exponential(rng, f64::from(self.mean_delay_ms))).min(self.max_delay_ms)
    }
}

/// The last hop hands the packet to the client that attached with this token.
fn end_with(path: &mut Path, token: &ClientToken) {
    if let Some(last) = path.hops.last_mut() {
        last.commands.push(Command::Recipient(*token.as_bytes()));
    }
}

fn usable(node: &NodeDescriptor, epoch: u64, scheme: Scheme, layer: Option<u8>) -> Option<Hop> {
    let key = PublicKey::from_bytes(scheme, node.key_for(epoch)?).ok()?;
    Some(Hop {
        id: node.id,
        key,
        region: node.region.clone(),
        owner: node.owner.clone(),
        rate: node.rate,
        layer,
        processing: node.processing.unwrap_or_default(),
        dials_only: false,
        both_ways: node.both_ways,
    })
}

fn median_rate(relays: &[Hop]) -> u32 {
    let mut rates: Vec<u32> = relays.iter().map(|h| h.rate).collect();
    rates.sort_unstable();
    rates.get(rates.len() / 2).copied().unwrap_or(1)
}

/// Parsing has refused a rate of 0.
fn weight(hop: &Hop, most: u32) -> f64 {
    f64::from(hop.rate.min(most).max(1))
}

/// A uniform number below `n`, by rejection sampling, since a plain remainder would favour some
/// relays; `None` when `n` is zero.
pub(crate) fn below<R: CryptoRng>(rng: &mut R, n: usize) -> Option<usize> {
    let n = u64::try_from(n).ok().filter(|n| *n > 0)?;
    let zone = u64::MAX.checked_sub(u64::MAX.checked_rem(n)?)?;
    loop {
        let v = rng.next_u64();
        if v < zone {
            return usize::try_from(v.checked_rem(n)?).ok();
        }
    }
}

/// True with this probability in millionths.
fn chance<R: CryptoRng>(rng: &mut R, ppm: u32) -> bool {
    below(rng, 1_000_000).and_then(|n| u32::try_from(n).ok()).is_some_and(|n| n < ppm)
}

/// A sample of the exponential distribution with this mean, by inversion: −mean · ln(1 − u), u of
/// 53 bits.
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "floating point saturates; 53 bits are exact"
)]
pub(crate) fn exponential<R: CryptoRng>(rng: &mut R, mean: f64) -> f64 {
    // u < 1 always, so the logarithm is finite.
    let u = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    -mean * (1.0 - u).ln()
}

#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
pub(crate) fn to_ms(ms: f64) -> u32 {
    ms as u32
}
