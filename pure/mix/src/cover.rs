//! Cover traffic: Poisson streams at the document's rates, the same whether the user talks or not
//! (Loopix, section 4).

use rand_core::CryptoRng;
use sphinx::Geometry;
use wire::document::{CoverLevel, CoverRates, NetworkDocument};
use wire::{Timestamp, frame};

use crate::path::{exponential, to_ms};

/// What to send in a slot of the cover clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The first waiting request, or a drop when none waits.
    Payload,
    /// A loop: it comes back to its sender.
    Loop,
    /// A drop: it ends at a hub.
    Drop,
}

/// One Poisson stream.
#[derive(Debug, Clone, Copy)]
struct Stream {
    /// Packets per 1,000 s.
    rate: u32,
    due: Option<Timestamp>,
}

impl Stream {
    fn start<R: CryptoRng>(rate: u32, now: Timestamp, rng: &mut R) -> Self {
        let mut stream = Stream { rate, due: None };
        stream.schedule(now, rng);
        stream
    }

    fn schedule<R: CryptoRng>(&mut self, from: Timestamp, rng: &mut R) {
        let mean = (self.rate > 0).then(|| mean_ms(self.rate));
        self.due =
            // At least 1 ms: a gap of zero would never let `poll` come to an end.
            mean.map(|mean| from.plus_millis(u64::from(to_ms(exponential(rng, mean)).max(1))));
    }

    fn take<R: CryptoRng>(&mut self, now: Timestamp, rng: &mut R) -> bool {
        let Some(due) = self.due.filter(|due| *due <= now) else { return false };
        // The next interval starts at the slot itself, not at the time of the poll, so late polls
        // do not lower the rate. After a long sleep it starts now: making up missed slots in a
        // burst would show an observer when the machine slept.
        let from = if now.millis_since(due) > 10_000 { now } else { due };
        self.schedule(from, rng);
        true
    }
}

#[allow(clippy::arithmetic_side_effects, reason = "floating point")]
fn mean_ms(rate: u32) -> f64 {
    1_000_000.0 / f64::from(rate)
}

/// The three independent streams of a client. Their sum is Poisson as well, and the packets look
/// alike, so an observer sees one stream with one constant rate.
#[derive(Debug, Clone)]
pub(crate) struct CoverClock {
    rates: CoverRates,
    payload: Stream,
    loops: Stream,
    drops: Stream,
}

impl CoverClock {
    /// Starts the streams.
    pub(crate) fn start<R: CryptoRng>(rates: CoverRates, now: Timestamp, rng: &mut R) -> Self {
        CoverClock {
            rates,
            payload: Stream::start(rates.payload, now, rng),
            loops: Stream::start(rates.loops, now, rng),
            drops: Stream::start(rates.drops, now, rng),
        }
    }

    /// The rates in use.
    #[must_use]
    pub(crate) const fn rates(&self) -> CoverRates {
        self.rates
    }

    /// The next slot due at `now`. Call until `None`.
    pub(crate) fn poll<R: CryptoRng>(&mut self, now: Timestamp, rng: &mut R) -> Option<Slot> {
        if self.payload.take(now, rng) {
            return Some(Slot::Payload);
        }
        if self.loops.take(now, rng) {
            return Some(Slot::Loop);
        }
        self.drops.take(now, rng).then_some(Slot::Drop)
    }

    /// When the next slot is due.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        [self.payload.due, self.loops.due, self.drops.due].into_iter().flatten().min()
    }
}

/// The rates of a level; none when cover is off.
#[must_use]
pub(crate) fn rates(document: &NetworkDocument, level: CoverLevel) -> Option<CoverRates> {
    match level {
        CoverLevel::Off => None,
        CoverLevel::Low => Some(document.mixing.low),
        CoverLevel::Normal => Some(document.mixing.normal),
    }
}

/// What a level costs on the client's line, kB (1,000 bytes) per minute in both directions: every
/// packet out, and a reply for every loop. Answers to payload packets are not cover and not
/// counted.
#[must_use]
pub(crate) fn cost_kb_per_min(geometry: &Geometry, rates: &CoverRates) -> u64 {
    let frame = geometry
        .packet_len()
        .saturating_add(frame::PACKET_PREFIX)
        .saturating_add(frame::HEADER_LEN);
    let frame = u64::try_from(frame).unwrap_or(u64::MAX);
    let out = u64::from(rates.payload)
        .saturating_add(rates.loops.into())
        .saturating_add(rates.drops.into());
    let per_1000_s = out.saturating_add(rates.loops.into()).saturating_mul(frame);
    per_1000_s.saturating_mul(60).checked_div(1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const RATES: CoverRates = CoverRates { payload: 1_000, loops: 200, drops: 100 };

    fn run(rates: CoverRates, seconds: u64, step_ms: usize) -> Vec<(Timestamp, Slot)> {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut clock = CoverClock::start(rates, Timestamp::ZERO, &mut rng);
        let mut slots = Vec::new();
        for t in (0..seconds * 1_000).step_by(step_ms) {
            let now = Timestamp::from_millis(t);
            while let Some(slot) = clock.poll(now, &mut rng) {
                slots.push((now, slot));
            }
        }
        slots
    }

    //= COVER-001
    #[test]
    fn the_streams_are_poisson_at_the_documents_rates() {
        let slots = run(RATES, 20_000, 10);
        for (slot, rate) in [(Slot::Payload, 1_000.0), (Slot::Loop, 200.0), (Slot::Drop, 100.0)] {
            let times: Vec<f64> = slots
                .iter()
                .filter(|(_, s)| *s == slot)
                .map(|(t, _)| t.as_millis() as f64)
                .collect();
            let gaps: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let expected = 1_000_000.0 / rate;
            assert!((mean / expected - 1.0).abs() < 0.05, "{slot:?}: {mean} instead of {expected}");
            // An exponential distribution's deviation equals its mean.
            let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
            assert!((variance.sqrt() / mean - 1.0).abs() < 0.1, "{slot:?}");
        }
    }

    #[test]
    fn a_late_look_does_not_slow_the_stream() {
        let (often, seldom) =
            (run(RATES, 2_000, 10).len() as f64, run(RATES, 2_000, 400).len() as f64);
        assert!((often / seldom - 1.0).abs() < 0.05, "{often} {seldom}");
    }

    #[test]
    fn a_rate_of_zero_never_ticks_and_the_cost_is_counted() {
        assert!(run(CoverRates::default(), 100, 10).is_empty());
        let geometry = Geometry::new(sphinx::Scheme::X25519Kem, 4, 992 * 4).unwrap();
        let rates = CoverRates { payload: 1_000, loops: 0, drops: 0 };
        let frame = geometry.packet_len() as u64 + 8;
        assert_eq!(cost_kb_per_min(&geometry, &rates), frame * 60 / 1_000);
    }
}
