//! Access classes: keys are shared per class, never per person.

/// What a request's access key makes of its asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessClass {
    /// Somebody whom the hub's owner gave the members' key.
    Member,
    /// Anybody: capped storage and rate.
    Guest,
}

impl AccessClass {
    /// All classes.
    pub const ALL: [AccessClass; 2] = [AccessClass::Member, AccessClass::Guest];
}

/// What all askers of one class may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassLimits {
    /// Storage, bytes as [`crate::store::stored_len`] counts them.
    pub max_bytes: u64,
    /// Boxes put per second.
    pub puts_per_second: u32,
    /// `get` tokens per second; a `get` takes one for every 16 ids begun, an `echo` one.
    pub gets_per_second: u32,
    /// Seconds of either rate that may be saved up and used at once.
    pub burst_seconds: u32,
    /// Open `get`s.
    pub max_watchers: usize,
    /// Ids that open `get`s name.
    pub max_watched_ids: usize,
}

impl Default for ClassLimits {
    /// 4 GiB, 5,000 puts and 20,000 gets a second, two seconds' burst, 32,768 open gets naming
    /// 131,072 ids.
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
