//! Token buckets in whole numbers.

use wire::Timestamp;

/// Most tokens that one request takes: a `get` of 256 ids.
const LARGEST_COST: u32 = 16;

/// A bucket that gains `per_second` tokens a second, up to its capacity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    per_second: u64,
    /// Thousandths of a token.
    capacity: u64,
    level: u64,
    at: Timestamp,
}

impl Bucket {
    /// A full bucket. However small the burst, it can hold what the most expensive request costs:
    /// otherwise that request could never pass. A rate of zero stays zero.
    pub(crate) fn new(now: Timestamp, per_second: u32, burst_seconds: u32) -> Self {
        let tokens = match per_second {
            0 => 0,
            rate => u64::from(rate)
                .saturating_mul(u64::from(burst_seconds))
                .max(u64::from(LARGEST_COST)),
        };
        let capacity = tokens.saturating_mul(1000);
        Bucket { per_second: u64::from(per_second), capacity, level: capacity, at: now }
    }

    /// Whether the bucket holds `cost` tokens at `now`.
    pub(crate) fn has(&mut self, now: Timestamp, cost: u32) -> bool {
        // Milliseconds times tokens per second are thousandths of tokens. A clock that went back
        // adds nothing.
        let gained = now.millis_since(self.at).saturating_mul(self.per_second);
        self.level = self.level.saturating_add(gained).min(self.capacity);
        self.at = now;
        self.level >= u64::from(cost).saturating_mul(1000)
    }

    /// Takes `cost` tokens, or what is there.
    pub(crate) fn take(&mut self, cost: u32) {
        self.level = self.level.saturating_sub(u64::from(cost).saturating_mul(1000));
    }

    /// Whether more than half of it would be left after `cost` tokens. Call [`Bucket::has`] first.
    pub(crate) fn has_plenty(&self, cost: u32) -> bool {
        let cost = u64::from(cost).saturating_mul(1000);
        self.level.saturating_sub(cost) >= self.capacity / 2
    }

    /// Gives `cost` tokens back.
    pub(crate) fn give(&mut self, cost: u32) {
        let cost = u64::from(cost).saturating_mul(1000);
        self.level = self.level.saturating_add(cost).min(self.capacity);
    }
}

/// What one asker may still take of a rate that several share: as a [`Bucket`] that begins empty,
/// and whose rate is another when others come or go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Thousandths of a token.
    level: u64,
    at: Timestamp,
}

impl Share {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Share { level: 0, at: now }
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
        let gained = now.millis_since(self.at).saturating_mul(per_second) / 1000;
        // However many share, the most expensive request can pass.
        let largest = u64::from(LARGEST_COST).saturating_mul(1000);
        let capacity = per_second.saturating_mul(u64::from(burst_seconds)).max(largest);
        self.level = self.level.saturating_add(gained).min(capacity);
        self.at = now;
        self.level >= u64::from(cost).saturating_mul(1000)
    }

    /// Takes `cost` tokens, or what is there.
    pub(crate) fn take(&mut self, cost: u32) {
        self.level = self.level.saturating_sub(u64::from(cost).saturating_mul(1000));
    }
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
