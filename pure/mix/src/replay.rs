//! The replay filter of one epoch key: bounded and keyed. When it is full it says so and packets
//! are refused: forgetting old tags would open the door to replays.

use std::collections::HashSet;
use std::hash::{BuildHasher, DefaultHasher, Hash};

use wire::Timestamp;

/// Bytes of a replay tag that are kept: collisions among 2^24 tags have probability below 2^-80.
pub(crate) const TAG_LEN: usize = 16;
/// Most tags in one filter, however high the declared rate; about 400 MiB.
pub(crate) const MAX_CAPACITY: usize = 1 << 23;

/// The kept prefix of a replay tag.
pub type Tag = [u8; TAG_LEN];

/// The filter's answer about a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not seen before; remembered now.
    Fresh,
    /// Seen before: a replay.
    Seen,
    /// Not seen before, but there is no room to remember it, so the packet must be refused.
    Full,
}

/// SipHash over a secret prefix, so that nobody outside can aim tags at one bucket.
#[derive(Clone)]
struct Keyed([u8; 16]);

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher
    }
}

/// Remembers the packets seen under one epoch key.
pub(crate) struct ReplayFilter {
    seen: HashSet<Tag, Keyed>,
    capacity: usize,
}

impl ReplayFilter {
    /// A filter for at most `capacity` tags (capped at [`MAX_CAPACITY`]); `seed` keys its hash.
    #[must_use]
    pub(crate) fn new(capacity: usize, seed: [u8; 16]) -> Self {
        ReplayFilter {
            seen: HashSet::with_hasher(Keyed(seed)),
            capacity: capacity.min(MAX_CAPACITY),
        }
    }

    /// Capacity for a declared rate (packets per second) over the life of a key, ms.
    #[must_use]
    pub(crate) fn capacity_for(rate: u32, life_ms: u64) -> usize {
        let tags = u64::from(rate).saturating_mul(life_ms).checked_div(1000).unwrap_or(0);
        usize::try_from(tags).unwrap_or(MAX_CAPACITY).clamp(1024, MAX_CAPACITY)
    }

    /// Whether the tag has been seen.
    #[must_use]
    pub(crate) fn contains(&self, tag: &Tag) -> bool {
        self.seen.contains(tag)
    }

    /// Remembers a tag, or says why it cannot.
    pub(crate) fn check_and_insert(&mut self, tag: Tag) -> Verdict {
        if self.seen.contains(&tag) {
            return Verdict::Seen;
        }
        if self.seen.len() >= self.capacity {
            return Verdict::Full;
        }
        self.seen.insert(tag);
        Verdict::Fresh
    }

    /// Whether nothing more can be remembered.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.seen.len() >= self.capacity
    }
}

/// How many packets a filter takes in a time, so that it is not full before its key's life is over:
/// a relay that took all that comes would be dead for the rest of the epoch, and, as everybody
/// tries again, for all of the next.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Packets for the life of a key.
    packets: u64,
    life_ms: u64,
    /// Packets that may come at once, times the life.
    most: u64,
    /// What may come now: each packet takes `life_ms` of it, each ms adds `packets`.
    level: u64,
    at: Timestamp,
}

impl Pace {
    /// For filters of this capacity and keys of this life, ms. A sixteenth of the capacity may come
    /// at once.
    #[must_use]
    pub(crate) fn new(capacity: usize, life_ms: u64) -> Self {
        let capacity = u64::try_from(capacity).unwrap_or(u64::MAX);
        let at_once = capacity / 16;
        let most = at_once.saturating_mul(life_ms);
        let packets = capacity.saturating_sub(at_once);
        Pace { packets, life_ms, most, level: most, at: Timestamp::ZERO }
    }

    fn level(&mut self, now: Timestamp) -> u64 {
        let gained = now.millis_since(self.at).saturating_mul(self.packets);
        self.level = self.level.saturating_add(gained).min(self.most);
        self.at = now;
        self.level
    }

    /// Whether a packet may come.
    pub(crate) fn has(&mut self, now: Timestamp) -> bool {
        self.level(now) >= self.life_ms
    }

    /// Whether three quarters of what may come at once have come: what is left is for nodes.
    pub(crate) fn is_short(&mut self, now: Timestamp) -> bool {
        self.level(now) < self.most / 4
    }

    /// A packet was taken.
    pub(crate) const fn take(&mut self) {
        self.level = self.level.saturating_sub(self.life_ms);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        //= MIX-004
        #[test]
        fn it_agrees_with_a_set_and_never_grows_over_its_bound(tags in proptest::collection::vec(0u8..40, 0..200), capacity in 1usize..30) {
            let mut filter = ReplayFilter::new(capacity, [3; 16]);
            let mut model = std::collections::BTreeSet::new();
            for n in tags {
                let expected = if model.contains(&n) {
                    Verdict::Seen
                } else if model.len() >= capacity {
                    Verdict::Full
                } else {
                    model.insert(n);
                    Verdict::Fresh
                };
                prop_assert_eq!(filter.check_and_insert([n; TAG_LEN]), expected);
                prop_assert_eq!(filter.seen.len(), model.len());
            }
        }
    }

    #[test]
    fn capacity_follows_the_declared_rate_within_bounds() {
        assert_eq!(ReplayFilter::capacity_for(1_000, 1_320_000), 1_320_000);
        assert_eq!(ReplayFilter::capacity_for(0, 0), 1024);
        assert_eq!(ReplayFilter::capacity_for(u32::MAX, u64::MAX), MAX_CAPACITY);
    }
}
