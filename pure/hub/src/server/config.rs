//! Configuration of a hub.

use wire::BootId;
use wire::id::AccessKey;

use crate::class::{AccessClass, ClassLimits};

/// What a hub's owner decides.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Random number of this start. Clients notice a restart by it.
    pub boot: BootId,
    /// Access keys with class and limits. A class may have several keys; the last limits apply to
    /// it.
    pub keys: Vec<(AccessKey, AccessClass, ClassLimits)>,
    /// Limits of each direct link.
    pub connection: ConnectionLimits,
    /// Most direct links that rates are kept for. Requests of others are told to slow down.
    pub max_connections: usize,
    /// Most requests that wait for one commit.
    pub max_pending: usize,
    /// Most open `get`s of all classes together.
    pub max_watchers: usize,
    /// Most ids in open `get`s of all classes together.
    pub max_watched_ids: usize,
}

/// Limits of one direct link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Boxes put per second.
    pub puts_per_second: u32,
    /// `get` tokens per second, counted like [`ClassLimits::gets_per_second`].
    pub gets_per_second: u32,
    /// How many seconds' worth of unused tokens may be saved up.
    pub burst_seconds: u32,
    /// Most open `get`s.
    pub max_watchers: usize,
    /// Most ids in open `get`s.
    pub max_watched_ids: usize,
}

impl Default for ConnectionLimits {
    /// 1,000 puts and 2,000 `get` tokens a second, bursts of two seconds, 1,024 open `get`s with
    /// 8,192 ids.
    fn default() -> Self {
        ConnectionLimits {
            puts_per_second: 1_000,
            gets_per_second: 2_000,
            burst_seconds: 2,
            max_watchers: 1_024,
            max_watched_ids: 8_192,
        }
    }
}

impl HubConfig {
    /// A configuration without access keys: 65,536 connections, 196,608 open `get`s with 393,216
    /// ids, 1,024 requests a commit.
    #[must_use]
    pub fn new(boot: BootId) -> Self {
        HubConfig {
            boot,
            keys: Vec::new(),
            connection: ConnectionLimits::default(),
            max_connections: 65_536,
            max_pending: 1_024,
            max_watchers: 196_608,
            max_watched_ids: 393_216,
        }
    }
}
