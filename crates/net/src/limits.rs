//! Bounds in time and number.

use std::time::Duration;

/// Bytes per second that a frame which has begun must at least arrive with, on top of
/// [`LinkLimits::frame_timeout`]: only documents are long enough to notice.
pub(crate) const MIN_RATE: u64 = 16 * 1024;

/// How long a link waits for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkLimits {
    /// For a connection. 10 s.
    pub connect_timeout: Duration,
    /// For a TLS handshake. 10 s.
    pub handshake_timeout: Duration,
    /// For the rest of a frame once its first byte has come; one second more for each 16 KiB
    /// that its header announces. 30 s.
    pub frame_timeout: Duration,
    /// For the next frame. 300 s.
    pub idle_timeout: Duration,
    /// For the other side to take any byte at all. 30 s.
    pub write_timeout: Duration,
}

impl LinkLimits {
    /// The stated defaults.
    pub const DEFAULT: LinkLimits = LinkLimits {
        connect_timeout: Duration::from_secs(10),
        handshake_timeout: Duration::from_secs(10),
        frame_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(300),
        write_timeout: Duration::from_secs(30),
    };
}

impl Default for LinkLimits {
    fn default() -> Self {
        LinkLimits::DEFAULT
    }
}

/// What strangers may take of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections at one time, those in their handshake included. One more is closed at once.
    /// 4,096.
    pub max_connections: usize,
    /// Connections at one time from one IPv4 address or IPv6 /64. One more is closed at once.
    /// Loopback is exempt: Tor, proxies and trials come from there. 64.
    pub max_per_ip: usize,
    /// Handshakes at one time. One more ends the oldest. 512.
    pub max_handshakes: usize,
    /// Links whose handshake is done and that [`crate::Listener::accept`] has not fetched. 64.
    pub backlog: usize,
    /// Bounds of each accepted link; `handshake_timeout` is among them.
    pub link: LinkLimits,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        ListenerLimits {
            max_connections: 4096,
            max_per_ip: 64,
            max_handshakes: 512,
            backlog: 64,
            link: LinkLimits::default(),
        }
    }
}
