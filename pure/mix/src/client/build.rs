//! Building packets: requests, loops and drops look the same to every hop and observer.

use rand_core::CryptoRng;
use sphinx::{ForwardPayload, HopSecret, Surb};
use wire::{NodeId, Tally, Timestamp};

use super::flight;
use super::{Attempt, MAX_LOOPS, Net, OnionClient, Output, PathTrace, PendingSurb, SurbFor};
use crate::path::{Path, Planned};
use crate::relay::low_bits;
use crate::tally::{Receipt, ReceiptHop};
use crate::{Error, envelope, tally};

struct Built {
    output: Output,
    trace: PathTrace,
    surb_id: [u8; 16],
}

impl OnionClient {
    /// Sends the request at this position of the queue.
    pub(super) fn send_queued<R: CryptoRng>(&mut self, now: Timestamp, at: usize, rng: &mut R) {
        let Some(handle) = self.queue.remove(at) else { return };
        let Some(flight) = self.requests.get(&handle) else { return };
        let (hub, body) = (flight.hub, flight.body.clone());
        let what = if flight.tries == 0 { "request" } else { "retry" };
        let what_for = Some(SurbFor::Request(handle));
        let Ok(built) = self.build(now, hub, &body, what_for, what, rng) else {
            // There is no path at the moment; a newer document may give one. The request waits as
            // if its packet had been lost.
            if let Some(flight) = self.requests.get_mut(&handle) {
                flight.due = Some(now.plus_millis(1_000));
            }
            return;
        };
        let round_trip = self.net.as_ref().map_or(0, |n| n.planner.round_trip_ms());
        let relays = built.trace.relays.iter().chain(&built.trace.reply_relays).copied().collect();
        let attempt = Attempt { surb_id: built.surb_id, relays, token: self.token };
        self.out.push_back(built.output);
        self.out.push_back(Output::Trace(built.trace));
        if let Some(flight) = self.requests.get_mut(&handle) {
            if flight.tries == 0 {
                self.stats.requests = self.stats.requests.saturating_add(1);
                self.out.push_back(Output::Sent { handle });
            } else {
                self.stats.retries = self.stats.retries.saturating_add(1);
            }
            if let Some(given_up) = flight.sent(now, round_trip, attempt, rng) {
                self.surbs.remove(&given_up.surb_id);
            }
        }
    }

    /// Sends a packet to a random hub without a SURB, so no answer comes.
    pub(super) fn send_drop<R: CryptoRng>(&mut self, now: Timestamp, rng: &mut R) {
        if self.send_cover(now, None, "drop", rng) {
            self.stats.drops = self.stats.drops.saturating_add(1);
        }
    }

    /// Sends a packet to a random hub that comes back by its SURB.
    pub(super) fn send_loop<R: CryptoRng>(&mut self, now: Timestamp, rng: &mut R) {
        let waiting =
            self.surbs.values().filter(|s| matches!(s.what, SurbFor::Loop { .. })).count();
        if waiting >= MAX_LOOPS {
            // So many are only outstanding when most are lost. Forget those of the oldest epoch.
            self.surbs.retain(|_, s| !matches!(s.what, SurbFor::Loop { .. }));
        }
        let round_trip = self.net.as_ref().map_or(0, |n| n.planner.round_trip_ms());
        let due = Some(now.plus_millis(flight::first_timeout_ms(round_trip)));
        if self.send_cover(now, Some(SurbFor::Loop { due, probe: None }), "loop", rng) {
            self.stats.loops = self.stats.loops.saturating_add(1);
        }
    }

    /// Sends a loop over these relays, the first of which is the entry, to a hub and back: told by
    /// [`Output::Probed`] under this number, at the latest after `patience_ms`.
    ///
    /// # Errors
    /// [`Error::NoDocument`], [`Error::UnknownHub`], [`Error::TooFewRelays`] when one is not there.
    pub fn probe<R: CryptoRng>(
        &mut self,
        now: Timestamp,
        (probe, hub): (u32, NodeId),
        relays: &[NodeId],
        patience_ms: u64,
        rng: &mut R,
    ) -> Result<(), Error> {
        let net = self.net.as_ref().ok_or(Error::NoDocument)?;
        let ways = net.planner.over(rng, relays, &hub, &self.token)?;
        let due = Some(now.plus_millis(patience_ms));
        let what = SurbFor::Loop { due, probe: Some(probe) };
        let body = self.config.cover_body.clone();
        let built =
            self.build_over((now, hub), &body, (ways.0, Some(ways.1)), Some(what), "probe", rng)?;
        self.out.push_back(built.output);
        self.out.push_back(Output::Trace(built.trace));
        Ok(())
    }

    fn send_cover<R: CryptoRng>(
        &mut self,
        now: Timestamp,
        surb: Option<SurbFor>,
        what: &'static str,
        rng: &mut R,
    ) -> bool {
        let hub = self.net.as_ref().and_then(|n| n.planner.random_hub(rng));
        let body = self.config.cover_body.clone();
        let Some(Ok(built)) = hub.map(|hub| self.build(now, hub, &body, surb, what, rng)) else {
            return false;
        };
        self.out.push_back(built.output);
        self.out.push_back(Output::Trace(built.trace));
        true
    }

    fn build<R: CryptoRng>(
        &mut self,
        now: Timestamp,
        hub: NodeId,
        body: &[u8],
        surb_for: Option<SurbFor>,
        what: &'static str,
        rng: &mut R,
    ) -> Result<Built, Error> {
        let net = self.net.as_ref().ok_or(Error::NoDocument)?;
        let entry = self.entry.ok_or(Error::NoDocument)?;
        // A loop goes back over the relays that it came by: so few of them tell who is at fault.
        let ways = match &surb_for {
            Some(SurbFor::Loop { .. }) => {
                let (forward, reply) = net.planner.probe(rng, &entry, &hub, &self.token)?;
                (forward, Some(reply))
            }
            Some(SurbFor::Request(_)) => {
                let forward = net.planner.forward(rng, &entry, &hub, &self.health)?;
                let reply = net.planner.reply(rng, &entry, &self.token, &hub, &self.health)?;
                (forward, Some(reply))
            }
            None => (net.planner.forward(rng, &entry, &hub, &self.health)?, None),
        };
        self.build_over((now, hub), body, ways, surb_for, what, rng)
    }

    /// A packet to a hub over these ways, there and back.
    fn build_over<R: CryptoRng>(
        &mut self,
        (now, hub): (Timestamp, NodeId),
        body: &[u8],
        (forward, reply): (Path, Option<Path>),
        surb_for: Option<SurbFor>,
        what: &'static str,
        rng: &mut R,
    ) -> Result<Built, Error> {
        let net = self.net.as_ref().ok_or(Error::NoDocument)?;
        let entry = self.entry.ok_or(Error::NoDocument)?;
        let geometry = &net.geometry;
        let mut surb_id = [0; 16];
        rng.fill_bytes(&mut surb_id);
        let traced = match surb_for {
            Some(SurbFor::Request(handle)) => self.requests.get(&handle).is_some_and(|f| f.traced),
            _ => false,
        };
        let mut reply_relays = Vec::new();
        let mut surb = None;
        let mut pending = None;
        if let Some((what, reply)) = surb_for.zip(reply) {
            let (made, keys) = Surb::create(geometry, &reply.hops, surb_id, rng)?;
            reply_relays = reply.relays;
            surb = Some(made);
            let route = forward.relays.iter().chain([&hub]).chain(&reply_relays);
            let route = route.copied().collect();
            let (epoch, sent) = (net.planner.epoch(), Some(now));
            pending = Some(PendingSurb { keys, epoch, what, sent, hub, route, receipt: None });
        }
        let capacity = geometry.user_len(surb.is_some()).ok_or(sphinx::Error::Geometry)?;
        let data = envelope::seal(body, capacity)?;
        let payload = ForwardPayload { surb, data }.encode(geometry)?;
        let (packet, secrets) = sphinx::build_with_secrets(geometry, &forward.hops, &payload, rng)?;
        let mut packet = packet.into_bytes();
        if net.tally {
            let first = tally::draw(rng);
            tally::append(&mut packet, &first);
            if let (true, Some(pending)) = (traced, &mut pending) {
                pending.receipt = Some(Box::new(receipt(net, &forward.plan, secrets, first)));
            }
        }
        let trace =
            PathTrace { relays: forward.relays, reply_relays, hub, packet_len: packet.len(), what };
        let output = Output::Send { entry, epoch: low_bits(net.planner.epoch()), packet };
        if let Some(pending) = pending {
            self.surbs.insert(surb_id, pending);
        }
        Ok(Built { output, trace, surb_id })
    }
}

/// A packet's planned path. The last tally comes with the answer.
fn receipt(net: &Net, plan: &[Planned], secrets: Vec<HopSecret>, first: Tally) -> Receipt {
    let hop = |(planned, key): (&Planned, HopSecret)| ReceiptHop {
        node: planned.node,
        processing: planned.processing,
        delay_ms: planned.delay_ms,
        key,
    };
    let hops = plan.iter().zip(secrets).map(hop).collect();
    Receipt { network: net.network, epoch: net.planner.epoch(), hops, first, last: None }
}
