//! Token buckets in whole numbers.

use wire::Timestamp;

/// Most tokens that one request takes: a `get` of 256 ids.
const LARGEST_COST: u32 = 16;

/// Tokens that may be taken, whatever the rate at which they come.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// Thousandths of a token.
    level: u64,
    at: Timestamp,
}

impl Level {
    /// Adds what came since the last call, at so many thousandths of a token a second; whether it
    /// holds `cost` tokens.
    fn has(&mut self, now: Timestamp, cost: u32, per_second: u64, capacity: u64) -> bool {
        // A clock that went back adds nothing.
        let gained = now.millis_since(self.at).saturating_mul(per_second) / 1000;
        self.level = self.level.saturating_add(gained).min(capacity);
        self.at = now;
        self.level >= thousandths(cost)
    }

    fn take(&mut self, cost: u32) {
        self.level = self.level.saturating_sub(thousandths(cost));
    }
}

/// A bucket that gains `per_second` tokens a second, up to its capacity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// Thousandths of a token, as the capacity.
    per_second: u64,
    capacity: u64,
    level: Level,
}

impl Bucket {
    /// A full bucket. However small the burst, it can hold what the most expensive request costs:
    /// otherwise that request could never pass. A rate of zero stays zero.
    pub(crate) fn new(now: Timestamp, per_second: u32, burst_seconds: u32) -> Self {
        let per_second = thousandths(per_second);
        let capacity = if per_second == 0 { 0 } else { capacity(per_second, burst_seconds) };
        Bucket { per_second, capacity, level: Level { level: capacity, at: now } }
    }

    /// Whether the bucket holds `cost` tokens at `now`.
    pub(crate) fn has(&mut self, now: Timestamp, cost: u32) -> bool {
        self.level.has(now, cost, self.per_second, self.capacity)
    }

    /// Takes `cost` tokens, or what is there.
    pub(crate) fn take(&mut self, cost: u32) {
        self.level.take(cost);
    }

    /// Whether more than half of it would be left after `cost` tokens. Call [`Bucket::has`] first.
    pub(crate) fn has_plenty(&self, cost: u32) -> bool {
        self.level.level.saturating_sub(thousandths(cost)) >= self.capacity / 2
    }

    /// Gives `cost` tokens back.
    pub(crate) fn give(&mut self, cost: u32) {
        let level = &mut self.level.level;
        *level = level.saturating_add(thousandths(cost)).min(self.capacity);
    }
}

/// What one asker may still take of a rate that several share: as a [`Bucket`] that begins empty,
/// and whose rate is another when others come or go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share(Level);

impl Share {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Share(Level { level: 0, at: now })
    }

    /// Whether it holds `cost` tokens, at so many thousandths of a token a second since it was
    /// last asked.
    pub(crate) fn has(
        &mut self,
        now: Timestamp,
        cost: u32,
        per_second: u64,
        burst_seconds: u32,
    ) -> bool {
        self.0.has(now, cost, per_second, capacity(per_second, burst_seconds))
    }

    /// Takes `cost` tokens, or what is there.
    pub(crate) fn take(&mut self, cost: u32) {
        self.0.take(cost);
    }
}

fn thousandths(tokens: u32) -> u64 {
    u64::from(tokens).saturating_mul(1000)
}

/// Of a rate, in thousandths of a token: the burst, or what the most expensive request costs.
fn capacity(per_second: u64, burst_seconds: u32) -> u64 {
    per_second.saturating_mul(u64::from(burst_seconds)).max(thousandths(LARGEST_COST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(bucket: &mut Bucket, ms: u64) -> bool {
        let there = bucket.has(Timestamp::from_millis(ms), 1);
        if there {
            bucket.take(1);
        }
        there
    }

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate() {
        let mut bucket = Bucket::new(Timestamp::ZERO, 10, 2);
        assert_eq!((0..100).filter(|_| take(&mut bucket, 0)).count(), 20);
        assert!(!take(&mut bucket, 99));
        assert!(take(&mut bucket, 100));
        assert_eq!((0..1000).filter(|n| take(&mut bucket, 100 + n * 10)).count(), 99);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let mut bucket = Bucket::new(Timestamp::from_millis(5000), 1, 1);
        assert_eq!((0..100).filter(|_| take(&mut bucket, 5000)).count(), 16);
        assert!(!take(&mut bucket, 10));
        assert!(take(&mut bucket, 1010));
        assert!(!take(&mut bucket, 1010));
        assert!(!take(&mut Bucket::new(Timestamp::ZERO, 0, 9), 1_000_000));
    }
}
