//! Access classes: keys are shared per class, never per person.

/// The class of an asker, by the access key in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessClass {
    /// Somebody who has the members' key.
    Member,
    /// Anybody else, with less storage and lower rates.
    Guest,
    /// Somebody who has the key of a room, by the room's number at this hub: a room fills its own
    /// share and nothing else (`HUB-027`).
    Room(u16),
}

/// Limits that all askers of one class share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassLimits {
    /// Storage, bytes, counted by [`crate::store::stored_len`].
    pub max_bytes: u64,
    /// Boxes put per second.
    pub puts_per_second: u32,
    /// `get` tokens per second. A `get` takes one for every 16 ids or part of them, an `echo` takes
    /// one.
    pub gets_per_second: u32,
    /// How many seconds' worth of unused tokens may be saved up.
    pub burst_seconds: u32,
    /// Most open `get`s.
    pub max_watchers: usize,
    /// Most ids in open `get`s.
    pub max_watched_ids: usize,
}

impl ClassLimits {
    /// Limits of a room with this storage and this rate of puts: ten `get` tokens a second and ten
    /// open `get`s, with eight ids each, for each put a second; none more than by default.
    #[must_use]
    pub fn room(max_bytes: u64, puts_per_second: u32) -> Self {
        let most = ClassLimits::default();
        let tenfold = puts_per_second.saturating_mul(10);
        let gets = usize::try_from(tenfold).unwrap_or(usize::MAX);
        ClassLimits {
            max_bytes,
            puts_per_second,
            gets_per_second: tenfold.min(most.gets_per_second),
            burst_seconds: most.burst_seconds,
            max_watchers: gets.min(most.max_watchers),
            max_watched_ids: gets.saturating_mul(8).min(most.max_watched_ids),
        }
    }
}

impl Default for ClassLimits {
    /// 4 GiB, 5,000 puts and 20,000 `get` tokens a second, bursts of two seconds, 131,072 open
    /// `get`s with 262,144 ids: a room of 256 who talk and 256 who read.
    fn default() -> Self {
        ClassLimits {
            max_bytes: 4 << 30,
            puts_per_second: 5_000,
            gets_per_second: 20_000,
            burst_seconds: 2,
            max_watchers: 131_072,
            max_watched_ids: 262_144,
        }
    }
}
