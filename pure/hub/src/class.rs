//! Access classes: keys are shared per class, never per person.

/// The class of an asker, by the access key in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessClass {
    /// Somebody who has the members' key.
    Member,
    /// Anybody else, with less storage and lower rates.
    Guest,
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

impl Default for ClassLimits {
    /// 4 GiB, 5,000 puts and 20,000 `get` tokens a second, bursts of two seconds, 32,768 open
    /// `get`s with 131,072 ids.
    fn default() -> Self {
        ClassLimits {
            max_bytes: 4 << 30,
            puts_per_second: 5_000,
            gets_per_second: 20_000,
            burst_seconds: 2,
            max_watchers: 32_768,
            max_watched_ids: 131_072,
        }
    }
}
