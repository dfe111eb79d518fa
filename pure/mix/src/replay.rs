//! The replay filter of one epoch key: bounded, keyed, and honest about being full.

use std::collections::HashSet;
use std::hash::{BuildHasher, DefaultHasher, Hash};

/// Bytes of a replay tag that are kept: collisions among 2^24 tags have probability below 2^-80.
pub const TAG_LEN: usize = 16;
/// Most tags that any filter holds, whatever rate is declared: about 400 MiB.
pub const MAX_CAPACITY: usize = 1 << 23;

/// A kept tag.
pub type Tag = [u8; TAG_LEN];

/// What the filter says of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Never seen; it is remembered now.
    Fresh,
    /// Seen before: a replay.
    Seen,
    /// Never seen, but there is no room to remember it: the packet must be refused.
    Full,
}

/// SipHash behind a secret prefix: nobody outside can aim tags at one bucket.
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

/// Remembers which packets of one epoch key have been seen.
pub struct ReplayFilter {
    seen: HashSet<Tag, Keyed>,
    capacity: usize,
}

impl ReplayFilter {
    /// A filter for at most `capacity` tags (capped at [`MAX_CAPACITY`]); `seed` keys its hash.
    #[must_use]
    pub fn new(capacity: usize, seed: [u8; 16]) -> Self {
        ReplayFilter {
            seen: HashSet::with_hasher(Keyed(seed)),
            capacity: capacity.min(MAX_CAPACITY),
        }
    }

    /// Capacity for a declared rate over the life of a key, ms.
    #[must_use]
    pub fn capacity_for(rate: u32, life_ms: u64) -> usize {
        let tags = u64::from(rate).saturating_mul(life_ms).checked_div(1000).unwrap_or(0);
        usize::try_from(tags).unwrap_or(MAX_CAPACITY).clamp(1024, MAX_CAPACITY)
    }

    /// Whether the tag has been seen; changes nothing.
    #[must_use]
    pub fn contains(&self, tag: &Tag) -> bool {
        self.seen.contains(tag)
    }

    /// Remembers a tag, or says why not.
    pub fn check_and_insert(&mut self, tag: Tag) -> Verdict {
        if self.seen.contains(&tag) {
            return Verdict::Seen;
        }
        if self.seen.len() >= self.capacity {
            return Verdict::Full;
        }
        self.seen.insert(tag);
        Verdict::Fresh
    }

    /// Tags remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether nothing more can be remembered.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.seen.len() >= self.capacity
    }

    /// Whether no tag is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
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
                prop_assert_eq!(filter.len(), model.len());
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
