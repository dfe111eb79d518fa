//! The hub's bounds.

use wire::BootId;
use wire::id::AccessKey;

use crate::class::{AccessClass, ClassLimits};

/// Everything that a hub's owner decides.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Drawn at random at each start.
    pub boot: BootId,
    /// Who is admitted, as which class. Several keys may open one class; its last limits hold.
    pub keys: Vec<(AccessKey, AccessClass, ClassLimits)>,
    /// What one direct link may use.
    pub connection: ConnectionLimits,
    /// Direct links that are kept count of. More are told to slow down.
    pub max_connections: usize,
    /// Requests that may wait for one commit.
    pub max_pending: usize,
    /// `get`s that may be open, of all classes.
    pub max_watchers: usize,
    /// Ids that open `get`s may name, of all classes.
    pub max_watched_ids: usize,
}

/// What one direct link may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Boxes put per second.
    pub puts_per_second: u32,
    /// `get` tokens per second, as [`ClassLimits::gets_per_second`].
    pub gets_per_second: u32,
    /// Seconds of either rate that may be saved up and used at once.
    pub burst_seconds: u32,
    /// Open `get`s.
    pub max_watchers: usize,
}

impl Default for ConnectionLimits {
    /// 1,000 puts and 2,000 gets a second, two seconds' burst, 64 open gets.
    fn default() -> Self {
        ConnectionLimits {
            puts_per_second: 1_000,
            gets_per_second: 2_000,
            burst_seconds: 2,
            max_watchers: 64,
        }
    }
}

impl HubConfig {
    /// A hub that admits nobody yet: 65,536 connections and open gets naming 262,144 ids, 1,024
    /// requests a commit.
    #[must_use]
    pub fn new(boot: BootId) -> Self {
        HubConfig {
            boot,
            keys: Vec::new(),
            connection: ConnectionLimits::default(),
            max_connections: 65_536,
            max_pending: 1_024,
            max_watchers: 65_536,
            max_watched_ids: 262_144,
        }
    }
}
